//! Which reservations the back office believes to stand (OCPP 1.6 §5.1, §5.13).

use plugfest_protocol::{Json, Timestamp, object};

/// How many are kept; the oldest go.
const MOST_RESERVATIONS: usize = 10_000;

/// A reservation that a station has accepted.
struct Reservation {
    station: String,
    id: i64,
    connector: i64,
    tag: String,
    parent: Option<String>,
    expiry: Timestamp,
}

/// All of them.
#[derive(Default)]
pub(super) struct Reservations(Vec<Reservation>);

impl Reservations {
    /// A station has accepted ReserveNow: one of the same id is replaced.
    pub(super) fn made(&mut self, station: &str, request: &Json) {
        let text = |field: &str| request.get(field).and_then(Json::as_str);
        let whole = |field: &str| request.get(field).and_then(Json::as_i64);
        let expiry = text("expiryDate").and_then(|date| Timestamp::parse(date).ok());
        let (Some(id), Some(connector), Some(tag), Some(expiry)) = (
            whole("reservationId"),
            whole("connectorId"),
            text("idTag"),
            expiry,
        ) else {
            return;
        };
        self.ended(station, id);
        if self.0.len() >= MOST_RESERVATIONS {
            self.0.remove(0);
        }
        self.0.push(Reservation {
            station: station.to_owned(),
            id,
            connector,
            tag: tag.to_owned(),
            parent: text("parentIdTag").map(str::to_owned),
            expiry,
        });
    }

    /// It has been cancelled.
    pub(super) fn ended(&mut self, station: &str, id: i64) {
        self.0.retain(|it| !(it.station == station && it.id == id));
    }

    /// A transaction that was let in names it: it is used up if it was made for that token or its group. One
    /// that was refused, or that is another's, uses nothing up.
    pub(super) fn redeemed(&mut self, station: &str, id: i64, tag: &str, parent: Option<&str>) {
        self.0.retain(|it| {
            let group =
                matches!((&it.parent, parent), (Some(own), Some(other)) if own.eq_ignore_ascii_case(other));
            let own = it.tag.eq_ignore_ascii_case(tag) || group;
            !(it.station == station && it.id == id && own)
        });
    }

    /// A connector, or the station with 0, has become faulted or unavailable: what was reserved there ends (§5.13).
    pub(super) fn lost(&mut self, station: &str, connector: i64) {
        self.0
            .retain(|it| !(it.station == station && (it.connector == connector || connector == 0)));
    }

    /// Those that stand now.
    pub(super) fn standing(&mut self, now: Timestamp) -> impl Iterator<Item = (&str, Json)> {
        self.0.retain(|it| it.expiry > now);
        self.0.iter().map(|it| {
            let mut json = object! {
                "reservationId": it.id,
                "station": it.station.as_str(),
                "connectorId": it.connector,
                "idTag": it.tag.as_str(),
                "expiryDate": it.expiry.to_rfc3339(),
            };
            if let (Some(parent), Json::Object(members)) = (&it.parent, &mut json) {
                members.insert("parentIdTag", parent.as_str());
            }
            (it.station.as_str(), json)
        })
    }
}
