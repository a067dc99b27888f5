//! What stations ask of the CSMS, and what they get (OCPP 1.6 §4).

use plugfest_protocol::{Fault, Json, object};

use super::config::Registration;
use super::office::Office;
use crate::defect::Defect;

const ECHO: &str = "Echo";

/// Why a well-formed request gets an error and no response.
pub(super) struct Fail(pub(super) Fault, pub(super) &'static str);

impl Office {
    /// Answers a valid CALL of a station.
    pub(super) fn answer(&mut self, station: &str, action: &str, request: &Json) -> Result<Json, Fail> {
        self.stumble(station, action);
        if self.has(Defect::CsmsStatusInternalerror) && action == "StatusNotification" {
            return Err(Fail(Fault::Internal, "the station has no connectors yet"));
        }
        if self.has(Defect::CsmsConcurrentStatusError)
            && action == "StatusNotification"
            && self.is_locked(station)
        {
            return Err(Fail(Fault::Internal, "the row is locked"));
        }
        if action == "BootNotification" {
            return Ok(self.boot(station, request));
        }
        self.gate(station, action)?;
        Ok(match action {
            "Authorize" => self.authorize(station, request),
            "DataTransfer" => self.data_transfer(station, request),
            "DiagnosticsStatusNotification" | "FirmwareStatusNotification" => {
                self.record(
                    "notifications",
                    station,
                    object! { "action": action, "payload": request },
                );
                Json::empty()
            }
            "Heartbeat" => {
                self.record("heartbeats", station, Json::empty());
                object! { "currentTime": self.now.to_rfc3339() }
            }
            "MeterValues" => self.read(station, request),
            "StartTransaction" => self.start(station, request),
            "StatusNotification" => self.status(station, request),
            "StopTransaction"
                if self.has(Defect::CsmsStopUnknownNotsupported) && !self.knows(station, request) =>
            {
                return Err(Fail(Fault::UnsupportedAction, "there is no such transaction"));
            }
            "StopTransaction" => self.stop(station, request),
            _ => {
                return Err(Fail(
                    Fault::UnsupportedAction,
                    "this CSMS does not have the feature profile",
                ));
            }
        })
    }

    /// What an office with a defect does not survive.
    fn stumble(&mut self, station: &str, action: &str) {
        let booted = self.station(station).booted.is_some();
        let dies = match self.config.defect {
            Some(Defect::CsmsPanicUnknownHeartbeat) => action == "Heartbeat" && !booted,
            Some(Defect::CsmsPanicEarlyStatus) => action == "StatusNotification" && !booted,
            Some(Defect::CsmsPanicFastBoot) => {
                action == "BootNotification" && self.has_just_connected(station)
            }
            _ => false,
        };
        if dies {
            self.die();
        }
    }

    /// Before acceptance nothing is served (J errata 3.10), but what a pending station was asked for (§4.2).
    fn gate(&mut self, station: &str, action: &str) -> Result<(), Fail> {
        let file = self.station(station);
        match file.booted {
            Some(Registration::Accepted) => Ok(()),
            Some(Registration::Pending) if file.triggered.contains(action) => Ok(()),
            _ => Err(Fail(Fault::NotAccepted, "the station has not been accepted")),
        }
    }

    fn boot(&mut self, station: &str, request: &Json) -> Json {
        let file = self.station(station);
        let registration = file.registration;
        file.booted = Some(registration);
        file.triggered.clear();
        self.record(
            "boots",
            station,
            object! { "status": registration.as_str(), "payload": request },
        );
        let interval = match registration {
            Registration::Accepted => self.config.heartbeat_interval,
            Registration::Pending | Registration::Rejected => self.config.retry_interval,
        };
        object! {
            "currentTime": self.now.to_rfc3339(),
            "interval": i32::try_from(interval.as_secs()).unwrap_or(i32::MAX),
            "status": registration.as_str(),
        }
    }

    fn authorize(&mut self, station: &str, request: &Json) -> Json {
        let tag = request.get("idTag").and_then(Json::as_str).unwrap_or_default();
        // At its own station the token may be there to stop what it started.
        let info = if self.has(Defect::CsmsAuthorizeNoConcurrenttx) {
            self.tag_info(tag)
        } else {
            self.tag_info_beside(tag, |transaction| transaction.station != station)
        };
        self.record(
            "authorizations",
            station,
            object! { "idTag": tag, "idTagInfo": &info },
        );
        object! { "idTagInfo": info }
    }

    fn status(&mut self, station: &str, request: &Json) -> Json {
        let connector = request
            .get("connectorId")
            .and_then(Json::as_i64)
            .unwrap_or_default();
        match request.get("status").and_then(Json::as_str) {
            Some("Available") => self.vacated(station, connector),
            Some("Faulted" | "Unavailable") if self.has(Defect::CsmsReservationNotTerminated) => {}
            Some("Faulted" | "Unavailable") => self.reservations.lost(station, connector),
            _ => {}
        }
        if connector > 0 || !self.has(Defect::CsmsConnector0Ignored) {
            self.record("statuses", station, request.clone());
        }
        Json::empty()
    }

    fn data_transfer(&mut self, station: &str, request: &Json) -> Json {
        self.record("data_transfers", station, request.clone());
        let vendor = request.get("vendorId").and_then(Json::as_str).unwrap_or_default();
        if !vendor.eq_ignore_ascii_case(&self.config.data_transfer_vendor) {
            let lax = self.has(Defect::CsmsDatatransferAcceptAll);
            return object! { "status": if lax { "Accepted" } else { "UnknownVendorId" } };
        }
        match (
            request.get("messageId").and_then(Json::as_str),
            request.get("data"),
        ) {
            (Some(message), _) if !message.eq_ignore_ascii_case(ECHO) => {
                object! { "status": "UnknownMessageId" }
            }
            (_, Some(data)) => object! { "status": "Accepted", "data": data },
            (_, None) => object! { "status": "Accepted" },
        }
    }
}
