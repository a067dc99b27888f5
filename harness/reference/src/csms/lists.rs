//! The local authorization list of one station as the back office keeps it (OCPP 1.6 §3.5.2, §5.15).

use plugfest_protocol::{Json, object};

/// What a station has been given, and what its list is called.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct List {
    version: i64,
    /// AuthorizationData of every token, in the order in which they came.
    entries: Vec<Json>,
}

impl List {
    /// The list after that SendLocalList.
    pub(super) fn after(&self, request: &Json) -> Self {
        let full = request.get("updateType").and_then(Json::as_str) == Some("Full");
        let mut entries = if full { Vec::new() } else { self.entries.clone() };
        let updates = request.get("localAuthorizationList").and_then(Json::as_array);
        for update in updates.unwrap_or_default() {
            entries.retain(|known| !same_tag(known, update));
            if update.get("idTagInfo").is_some() {
                entries.push(update.clone());
            }
        }
        let version = request
            .get("listVersion")
            .and_then(Json::as_i64)
            .unwrap_or_default();
        Self { version, entries }
    }

    /// SendLocalList that says all of it.
    pub(super) fn whole(&self) -> Json {
        object! {
            "listVersion": self.version,
            "localAuthorizationList": self.entries.clone(),
            "updateType": "Full",
        }
    }

    pub(super) fn to_json(&self, station: &str) -> Json {
        object! {
            "station": station,
            "listVersion": self.version,
            "localAuthorizationList": self.entries.clone(),
        }
    }
}

fn same_tag(one: &Json, other: &Json) -> bool {
    let tag = |of: &Json| {
        of.get("idTag")
            .and_then(Json::as_str)
            .map(str::to_ascii_lowercase)
    };
    tag(one) == tag(other)
}
