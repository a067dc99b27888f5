//! What several tests of this crate need.

use std::collections::BTreeMap;

use plugfest_protocol::Json;

use crate::event::{Premise, SCHEMA};

/// A premise that says nothing special.
pub(crate) fn premise() -> Premise {
    Premise {
        schema: SCHEMA.to_owned(),
        tool: "plugfest 0".to_owned(),
        protocol: "OCPP-1.6".to_owned(),
        dut: "station".to_owned(),
        identity: "CS1".to_owned(),
        case: None,
        for_values: BTreeMap::new(),
        values: Json::empty(),
        pics: BTreeMap::new(),
        facts: BTreeMap::new(),
        connections: Vec::new(),
        vary: None,
        seed: 1,
        driver: None,
    }
}
