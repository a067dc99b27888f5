//! What the played station keeps for the feature profiles beside Core: a local list, reservations, what was triggered.
//!
//! Each says what it would answer (`verdict`) and learns only from what was answered in the end, because a line of the
//! case may have said something else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use plugfest_protocol::{Json, Timestamp};

/// The local authorization list, as far as its version depends on it: which tags it names.
#[derive(Debug, Default)]
pub(super) struct LocalList {
    version: i64,
    tags: BTreeSet<String>,
}

impl LocalList {
    /// The version to tell: 0 for an empty list (OCPP-1.6 5.10).
    pub(super) fn version(&self) -> i64 {
        if self.tags.is_empty() { 0 } else { self.version }
    }

    /// The status that answers a list (OCPP-1.6 7.47).
    pub(super) fn verdict(&self, request: &Json) -> &'static str {
        let mut tags: Vec<String> = entries(request).map(|(tag, _)| tag).collect();
        let all = tags.len();
        tags.sort_unstable();
        tags.dedup();
        if tags.len() < all {
            return "Failed";
        }
        let version = request.get("listVersion").and_then(Json::as_i64);
        if !is_full(request) && version.is_none_or(|version| version <= self.version()) {
            return "VersionMismatch";
        }
        "Accepted"
    }

    /// Takes a list that was accepted.
    pub(super) fn take(&mut self, request: &Json) {
        if is_full(request) {
            self.tags.clear();
        }
        for (tag, stays) in entries(request) {
            if stays {
                self.tags.insert(tag);
            } else {
                self.tags.remove(&tag);
            }
        }
        let version = request.get("listVersion").and_then(Json::as_i64);
        self.version = version.unwrap_or_default();
    }
}

fn is_full(request: &Json) -> bool {
    request.get("updateType").and_then(Json::as_str) == Some("Full")
}

/// The tags of a list, each with whether it is there afterwards (OCPP-1.6 7.1).
fn entries(request: &Json) -> impl Iterator<Item = (String, bool)> {
    let list = request.get("localAuthorizationList").and_then(Json::as_array);
    let full = is_full(request);
    list.unwrap_or_default().iter().filter_map(move |entry| {
        let tag = entry.get("idTag").and_then(Json::as_str)?;
        Some((tag.to_lowercase(), full || entry.get("idTagInfo").is_some()))
    })
}

/// The reservations that the station holds.
#[derive(Debug, Default)]
pub(super) struct Reservations {
    held: BTreeMap<i64, Reservation>,
}

#[derive(Debug)]
struct Reservation {
    connector: Json,
    until: Option<Timestamp>,
}

impl Reservation {
    fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

impl Reservations {
    /// The status that answers a ReserveNow, where a transaction runs on the connector `busy` (OCPP-1.6 5.13).
    pub(super) fn verdict(&self, request: &Json, busy: Option<&Json>, now: Timestamp) -> &'static str {
        let connector = request.get("connectorId");
        let replaced = request.get("reservationId").and_then(Json::as_i64);
        let mut others = self.held.iter().filter(|(id, _)| Some(**id) != replaced);
        let taken = others.any(|(_, held)| Some(&held.connector) == connector && held.lasts(now));
        if taken || (busy.is_some() && busy == connector) {
            "Occupied"
        } else {
            "Accepted"
        }
    }

    /// True where the reservation of that id is held.
    pub(super) fn holds(&self, request: &Json, now: Timestamp) -> bool {
        let id = request.get("reservationId").and_then(Json::as_i64);
        let held = id.and_then(|id| self.held.get(&id));
        held.is_some_and(|held| held.lasts(now))
    }

    /// The reservation that a transaction on the connector ends: its own, or one for any connector.
    pub(super) fn on(&self, connector: &Json, now: Timestamp) -> Option<i64> {
        let of = |wanted: &Json| {
            let fits = |held: &Reservation| held.connector == *wanted && held.lasts(now);
            self.held.iter().find(|(_, held)| fits(held)).map(|(id, _)| *id)
        };
        of(connector).or_else(|| of(&Json::from(0)))
    }

    /// Takes a reservation that was accepted; one of the same id is replaced.
    pub(super) fn take(&mut self, request: &Json) {
        let Some(id) = request.get("reservationId").and_then(Json::as_i64) else {
            return;
        };
        let until = request.get("expiryDate").and_then(Json::as_str);
        let held = Reservation {
            connector: request.get("connectorId").cloned().unwrap_or_default(),
            until: until.and_then(|text| Timestamp::parse(text).ok()),
        };
        self.held.insert(id, held);
    }

    /// Forgets a reservation whose end was accepted.
    pub(super) fn cancel(&mut self, request: &Json) {
        if let Some(id) = request.get("reservationId").and_then(Json::as_i64) {
            self.held.remove(&id);
        }
    }

    /// A transaction of ours has ended the reservation that it names.
    pub(super) fn use_up(&mut self, request: &Json) {
        self.cancel(request);
    }
}

/// Messages that were triggered, and what was told of each connector.
#[derive(Debug, Default)]
pub(super) struct Triggered {
    owed: VecDeque<(String, Option<i64>)>,
    /// The message that was given out last, and the connector that it is about.
    about: Option<(String, i64)>,
    /// Status and error code as last told.
    pub(super) told: BTreeMap<i64, (Json, Json)>,
}

impl Triggered {
    /// The status that answers a trigger for a station with so many connectors.
    pub(super) fn verdict(request: &Json, connectors: i64) -> &'static str {
        let connector = request.get("connectorId").and_then(Json::as_i64);
        if is_about_connectors(request) && connector.is_some_and(|connector| connector > connectors) {
            "Rejected"
        } else {
            "Accepted"
        }
    }

    /// Owes what was accepted: without a connector, for all of them (OCPP-1.6 5.17).
    pub(super) fn owe(&mut self, request: &Json, connectors: i64) {
        let Some(message) = request.get("requestedMessage").and_then(Json::as_str) else {
            return;
        };
        let mut owe = |connector| self.owed.push_back((message.to_owned(), connector));
        match request.get("connectorId").and_then(Json::as_i64) {
            _ if !is_about_connectors(request) => owe(None),
            Some(connector) => owe(Some(connector)),
            None => {
                let first = i64::from(message == "MeterValues");
                (first..=connectors).for_each(|connector| owe(Some(connector)));
            }
        }
    }

    /// True where a message is owed.
    pub(super) fn is_owed(&self) -> bool {
        !self.owed.is_empty()
    }

    /// The message that is owed next.
    pub(super) fn next(&mut self) -> Option<String> {
        let (message, connector) = self.owed.pop_front()?;
        self.about = connector.map(|connector| (message.clone(), connector));
        Some(message)
    }

    /// The connector that a message of this action was triggered for, once.
    pub(super) fn about(&mut self, action: &str) -> Option<i64> {
        let (_, connector) = self.about.take().filter(|(message, _)| message == action)?;
        Some(connector)
    }

    /// Remembers what was told.
    pub(super) fn tell(&mut self, request: &Json) {
        if let (Some(connector), Some(status), Some(error)) = (
            request.get("connectorId").and_then(Json::as_i64),
            request.get("status"),
            request.get("errorCode"),
        ) {
            self.told.insert(connector, (status.clone(), error.clone()));
        }
    }
}

fn is_about_connectors(request: &Json) -> bool {
    matches!(
        request.get("requestedMessage").and_then(Json::as_str),
        Some("StatusNotification" | "MeterValues")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn a_list_has_the_version_of_what_was_taken_last_and_0_when_empty() {
        let mut list = LocalList::default();
        let full = json(
            r#"{"listVersion":2,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}"#,
        );
        assert_eq!((list.version(), list.verdict(&full)), (0, "Accepted"));
        list.take(&full);
        let removal = |version: i64| {
            json(&format!(
                r#"{{"listVersion":{version},"updateType":"Differential","localAuthorizationList":[{{"idTag":"a"}}]}}"#
            ))
        };
        assert_eq!(list.version(), 2);
        assert_eq!(list.verdict(&removal(2)), "VersionMismatch");
        assert_eq!(list.verdict(&removal(3)), "Accepted");
        list.take(&removal(3));
        assert_eq!(list.version(), 0);
        let twice =
            r#"{"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A"},{"idTag":"a"}]}"#;
        assert_eq!(list.verdict(&json(twice)), "Failed");
    }

    #[test]
    fn a_reservation_lasts_until_it_is_used_cancelled_or_over() {
        let mut all = Reservations::default();
        let now = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let reserve = |id: i64| {
            json(&format!(
                r#"{{"connectorId":1,"expiryDate":"2026-03-01T12:01:00Z","idTag":"A","reservationId":{id}}}"#
            ))
        };
        assert_eq!(all.verdict(&reserve(5), Some(&Json::from(1)), now), "Occupied");
        assert_eq!(all.verdict(&reserve(5), Some(&Json::from(2)), now), "Accepted");
        all.take(&reserve(5));
        assert_eq!(all.verdict(&reserve(6), None, now), "Occupied");
        assert_eq!(all.verdict(&reserve(5), None, now), "Accepted");
        assert_eq!(all.on(&Json::from(1), now), Some(5));
        let over = Timestamp::parse("2026-03-01T12:01:00Z").unwrap();
        assert!(all.holds(&reserve(5), now) && !all.holds(&reserve(5), over));
        all.use_up(&json(r#"{"reservationId":5}"#));
        assert!(!all.holds(&reserve(5), now));
    }

    #[test]
    fn a_trigger_without_connector_is_for_all_of_them() {
        let mut triggered = Triggered::default();
        let status = json(r#"{"requestedMessage":"StatusNotification"}"#);
        triggered.owe(&status, 2);
        let mut about = Vec::new();
        while let Some(action) = triggered.next() {
            let connector = triggered.about(&action);
            about.push((action, connector));
        }
        let status = |connector| ("StatusNotification".to_owned(), Some(connector));
        assert_eq!(about, [status(0), status(1), status(2)]);
        let beyond = json(r#"{"requestedMessage":"MeterValues","connectorId":3}"#);
        assert_eq!(Triggered::verdict(&beyond, 2), "Rejected");
        let needless = json(r#"{"requestedMessage":"Heartbeat","connectorId":3}"#);
        assert_eq!(Triggered::verdict(&needless, 2), "Accepted");
        triggered.owe(&needless, 2);
        assert_eq!(
            (triggered.next().as_deref(), triggered.about),
            (Some("Heartbeat"), None)
        );
    }
}
