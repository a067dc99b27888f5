//! The slips that can happen to what the clean devices say.

use std::collections::BTreeSet;

use plugfest_protocol::{Edition, Part, Type};
use plugfest_reference::slip::{Fate, Memory, Moment, Slip, Value};

use super::runner::Suite;
use super::{Flaw, Mutant};

/// Every slip of everything that the clean device of that role was seen to say, by the catalogue.
pub(crate) fn slips(suite: &Suite<'_>, edition: &Edition, role: &str) -> Vec<Mutant> {
    let mut said: BTreeSet<(String, bool, String)> = BTreeSet::new();
    for stage in suite
        .stages
        .iter()
        .filter(|stage| stage.ticket.planned.line.key.tests == role)
    {
        said.extend(stage.clean.said.iter().cloned());
    }
    let mut slips = BTreeSet::new();
    for (action, call, place) in said {
        let part = if call { Part::Request } else { Part::Response };
        if place.is_empty() {
            slips.extend(Fate::ALL.map(|fate| Slip::Message {
                action: action.clone(),
                part,
                fate,
            }));
            continue;
        }
        let field = |value| Slip::Field {
            action: action.clone(),
            part,
            pointer: place.clone(),
            value,
        };
        slips.extend(values(edition, &action, part, &place).into_iter().map(field));
    }
    if role == "station" {
        for what in Memory::ALL {
            slips.extend([Moment::Restart, Moment::Disconnect].map(|when| Slip::Forgets { what, when }));
        }
    }
    slips
        .into_iter()
        .map(|slip| Mutant {
            id: slip.to_string(),
            role: role.to_owned(),
            source: "derived".to_owned(),
            row: None,
            flaw: Some(Flaw {
                defect: None,
                slip: Some(slip),
            }),
        })
        .collect()
}

/// Which wrong values a field can hold.
fn values(edition: &Edition, action: &str, part: Part, place: &str) -> Vec<Value> {
    let Some(field) = edition.field(action, part, &place.replace("/*", "/0")) else {
        return Vec::new();
    };
    let mut values = vec![Value::Stale];
    if !field.required && field.array.is_none() {
        values.push(Value::Absent);
    }
    let is_place = matches!(
        field.name.as_str(),
        "connectorId" | "transactionId" | "reservationId"
    );
    match field.ty {
        Type::Int { .. } if is_place => values.push(Value::Foreign),
        Type::Int { .. } | Type::Decimal { .. } => values.extend([Value::OffByOne, Value::Other]),
        Type::DateTime => values.extend([Value::OffByOne, Value::Other]),
        // A number that is written as text is one, too.
        Type::Str { .. } if field.name == "value" => values.extend([Value::OffByOne, Value::Other]),
        _ => values.push(Value::Other),
    }
    values
}
