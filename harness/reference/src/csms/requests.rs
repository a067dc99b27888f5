//! What stations ask of the CSMS, and what they get (OCPP 1.6 §4).

use plugfest_protocol::{Fault, Json, object};

use super::config::Registration;
use super::office::Office;

const ECHO: &str = "Echo";

/// Why a well-formed request gets an error and no response.
pub(super) struct Fail(pub(super) Fault, pub(super) &'static str);

impl Office {
    /// Answers a valid CALL of a station.
    pub(super) fn answer(&mut self, station: &str, action: &str, request: &Json) -> Result<Json, Fail> {
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
            "StopTransaction" => self.stop(station, request),
            _ => {
                return Err(Fail(
                    Fault::UnsupportedAction,
                    "this CSMS does not have the feature profile",
                ));
            }
        })
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
        let info = self.tag_info_beside(tag, |transaction| transaction.station != station);
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
            Some("Faulted" | "Unavailable") => self.reservations.lost(station, connector),
            _ => {}
        }
        self.record("statuses", station, request.clone());
        Json::empty()
    }

    fn data_transfer(&mut self, station: &str, request: &Json) -> Json {
        self.record("data_transfers", station, request.clone());
        let vendor = request.get("vendorId").and_then(Json::as_str).unwrap_or_default();
        if !vendor.eq_ignore_ascii_case(&self.config.data_transfer_vendor) {
            return object! { "status": "UnknownVendorId" };
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
