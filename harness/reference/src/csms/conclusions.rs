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
            "SetChargingProfile" => self.objection_to_profile(station, request),
            "RemoteStartTransaction" => {
                let profile = request.get("chargingProfile")?;
                let own = purpose_of(profile) == Some("TxProfile") && profile.get("transactionId").is_none();
                (!own).then_some("can start a transaction with a TxProfile without transactionId only")
            }
            _ => None,
        }
    }

    /// Purposes have their places (§3.13.1), and a transaction that is over has no profile.
    fn objection_to_profile(&self, station: &str, request: &Json) -> Option<&'static str> {
        let profile = request.get("csChargingProfiles")?;
        let whole_station = request.get("connectorId").and_then(Json::as_i64) == Some(0);
        match (purpose_of(profile)?, whole_station) {
            ("ChargePointMaxProfile", false) => Some("can have a ChargePointMaxProfile at connector 0 only"),
            ("TxProfile", true) => Some("can have a TxProfile at a connector only"),
            ("TxProfile", false) if self.over(station, profile.get("transactionId")) => {
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

fn purpose_of(profile: &Json) -> Option<&str> {
    profile.get("chargingProfilePurpose").and_then(Json::as_str)
}
