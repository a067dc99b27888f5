//! What the back office concludes from the answers to the operator's CALLs.

use plugfest_protocol::Json;

use super::office::Office;

impl Office {
    /// A station has answered. Where the answer asks for another CALL, this is it.
    pub(super) fn concluded(
        &mut self,
        station: &str,
        action: &str,
        request: &Json,
        answer: &Json,
    ) -> Option<(&'static str, Json)> {
        let status = answer.get("status").and_then(Json::as_str).unwrap_or_default();
        let whole = |field: &str| request.get(field).and_then(Json::as_i64);
        match (action, status) {
            ("ReserveNow", "Accepted") => self.reservations.made(station, request),
            ("CancelReservation", "Accepted") => {
                self.reservations
                    .ended(station, whole("reservationId").unwrap_or_default());
            }
            ("SendLocalList", "Accepted") => {
                let file = self.station(station);
                file.list = file.list.after(request);
            }
            // A station that cannot apply a change gets the whole list (§5.15).
            ("SendLocalList", "Failed" | "VersionMismatch")
                if request.get("updateType").and_then(Json::as_str) == Some("Differential") =>
            {
                let wanted = self.station(station).list.after(request);
                return Some(("SendLocalList", wanted.whole()));
            }
            _ => {}
        }
        None
    }

    /// What cannot be sent though it is well-formed: the operator is told why (§4.10, §5.15, §5.16).
    pub(super) fn objection(&self, station: &str, action: &str, request: &Json) -> Option<&'static str> {
        let version = request.get("listVersion").and_then(Json::as_i64);
        match action {
            // Errata 3.52.
            "SendLocalList" if matches!(version, Some(-1 | 0)) => {
                Some("cannot have list version 0 or -1: they have a meaning of their own")
            }
            "RemoteStopTransaction" if self.over(station, request.get("transactionId")) => {
                Some("has ended that transaction already")
            }
            _ => None,
        }
    }

    /// Whether that is a transaction of the station which has ended.
    pub(super) fn over(&self, station: &str, transaction: Option<&Json>) -> bool {
        let id = transaction.and_then(Json::as_i64);
        id.is_some_and(|id| self.has_ended(station, id))
    }
}
