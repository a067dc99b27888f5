//! What the CSMS asks of the station, and what it gets (OCPP 1.6 §5).

use plugfest_protocol::{Fault, Frame, Json, object};

use super::authorize::Ask;
use super::config::{Reservations, SmartCharging};
use super::config_keys::{Change, Shown};
use super::connector::Phase;
use super::device::{Device, Registration};
use super::outgoing::{Outgoing, Purpose};
use super::session::Reason;
use super::transaction::Permit;
use crate::defect::Defect;
use crate::link::Say;
use crate::rpc::{Refusal, Seen};

/// The one message of the vendor of this station: it is sent back.
const ECHO: &str = "Echo";
/// The write-only key of HTTP Basic authentication (J errata 3.12).
const AUTHORIZATION_KEY: &str = "AuthorizationKey";
/// How many triggers a station that leaks with each of them survives.
const LEAK: u32 = 500;

/// Why a well-formed request gets an error and no response.
struct Fail(Fault, &'static str);

impl Device {
    /// A valid CALL came.
    pub(super) fn requested(&mut self, text: &str, id: &str, action: &str, payload: &Json) {
        // While rejected, the station does not respond at all (§4.2).
        if self.registration == Registration::Rejected {
            return;
        }
        let answer = match self.answered.seen(id, text) {
            Seen::Before(answer) => answer,
            Seen::IdReused => Refusal::id_reused(id).to_text(),
            Seen::New => {
                let answer = match self.obey(action, payload) {
                    Ok(payload) => Frame::CallResult {
                        id: id.to_owned(),
                        payload,
                    }
                    .to_text(),
                    Err(Fail(fault, why)) => Refusal::new(self.edition, id, fault, why.to_owned()).to_text(),
                };
                self.answered.remember(id, text, &answer);
                answer
            }
        };
        self.say(Say::Text(answer));
    }

    fn obey(&mut self, action: &str, request: &Json) -> Result<Json, Fail> {
        let makeup = &self.config.makeup;
        let reservations = makeup.reservations != Reservations::Absent;
        let smart = makeup.smart_charging != SmartCharging::Absent;
        Ok(match action {
            "ChangeAvailability" => match self.change_availability(request) {
                // A word that the writer of answers does not know.
                "Scheduled" if self.has(Defect::CsAvailabilityScheduledError) => {
                    return Err(Fail(Fault::Internal, "the status cannot be written"));
                }
                word => status(word),
            },
            "ChangeConfiguration" => status(self.change_configuration(request)),
            "ClearCache" => status(self.clear_cache()),
            "DataTransfer" => self.data_transfer(request),
            "GetConfiguration" => return self.get_configuration(request),
            "RemoteStartTransaction" => status(self.remote_start(request)),
            "RemoteStopTransaction" => status(self.remote_stop(request)),
            "Reset" => status(self.reset(request)),
            "UnlockConnector" => status(self.unlock_connector(request)),
            "TriggerMessage" if makeup.remote_trigger => status(self.trigger(request)),
            "GetLocalListVersion" if makeup.local_list => object! { "listVersion": self.list_version() },
            "ReserveNow" if reservations => status(self.reserve_now(request)),
            "CancelReservation" if reservations => status(self.cancel_reservation(request)),
            "UpdateFirmware" if makeup.firmware => self.update_firmware(request),
            "GetDiagnostics" if makeup.firmware => self.get_diagnostics(request),
            "SetChargingProfile" if smart => return self.set_profile(request),
            "ClearChargingProfile" if smart => status(self.clear_charging_profile(request)),
            "GetCompositeSchedule" if smart => self.composite_schedule(request),
            "SendLocalList" if makeup.local_list => status(self.send_local_list(request)),
            _ => {
                return Err(Fail(
                    Fault::UnsupportedAction,
                    "this station does not have the feature profile",
                ));
            }
        })
    }

    fn change_availability(&mut self, request: &Json) -> &'static str {
        let operative = request.get("type").and_then(Json::as_str) == Some("Operative");
        let connector = whole(request, "connectorId");
        if connector == Some(0) {
            return self.set_all_available(operative);
        }
        match connector.and_then(|connector| self.known_number(connector)) {
            Some(number) if self.set_available(number, operative) => "Accepted",
            Some(_) => "Scheduled",
            None => "Rejected",
        }
    }

    /// The station and all its connectors; what is in use follows when it is over (§5.2).
    fn set_all_available(&mut self, operative: bool) -> &'static str {
        let mut at_once = true;
        for number in self.numbers() {
            at_once &= self.set_available(number, operative);
        }
        self.store.scheduled[0] = !at_once;
        if at_once {
            self.store.operative[0] = operative;
        }
        self.refresh(0);
        if at_once { "Accepted" } else { "Scheduled" }
    }

    /// True where it is so now, false where it has to wait.
    fn set_available(&mut self, number: usize, operative: bool) -> bool {
        if operative {
            self.store.scheduled[number] = false;
            if !self.store.operative[number] {
                self.store.operative[number] = true;
                self.refresh_returning(number);
            }
            return true;
        }
        if !self.store.operative[number] {
            return true;
        }
        if matches!(
            self.connectors[number - 1].phase,
            Phase::Preparing { .. } | Phase::Transaction(_)
        ) {
            self.store.scheduled[number] = true;
            return false;
        }
        let reserved = self.reserved(number);
        self.store.operative[number] = false;
        self.refresh(number);
        if reserved && self.has(Defect::CsAvailableGlitchReserved) {
            self.claim_available(number);
            self.claim_unavailable(number);
        }
        true
    }

    /// Operative again: a cable that still hangs there is a session that may begin (H2 of §4.9).
    pub(super) fn refresh_returning(&mut self, number: usize) {
        let phase = &mut self.at(number).phase;
        if matches!(phase, Phase::Finishing) {
            *phase = Phase::Idle;
        }
        self.settle(number);
    }

    fn change_configuration(&mut self, request: &Json) -> &'static str {
        let key = request.get("key").and_then(Json::as_str).unwrap_or_default();
        let value = request.get("value").and_then(Json::as_str).unwrap_or_default();
        if key.eq_ignore_ascii_case(AUTHORIZATION_KEY) && self.store.password.is_some() {
            return self.change_password(value);
        }
        let change = self.store.settings.change(key, value);
        if change == Change::Accepted {
            self.take_effect(key);
        }
        change.as_str()
    }

    /// A key that governs something that is planned already governs it from now on.
    fn take_effect(&mut self, key: &str) {
        match key.to_ascii_lowercase().as_str() {
            "heartbeatinterval" => self.plan_heartbeat(),
            "websocketpinginterval" => self.plan_ping(),
            "metervaluesampleinterval" => self.plan_samples(),
            "clockaligneddatainterval" => self.plan_aligned(),
            _ => {}
        }
    }

    /// 16 to 20 bytes in hexadecimal digits; used from the next connection on.
    fn change_password(&mut self, hex: &str) -> &'static str {
        let bytes: Option<Vec<u8>> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| {
                let digits = std::str::from_utf8(pair).ok()?;
                let hexadecimal = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
                hexadecimal.then(|| u8::from_str_radix(digits, 16).ok())?
            })
            .collect();
        match bytes {
            Some(bytes) if (16..=20).contains(&bytes.len()) => {
                self.store.password = Some(bytes);
                "Accepted"
            }
            _ => "Rejected",
        }
    }

    fn clear_cache(&mut self) -> &'static str {
        if !self.config.makeup.auth_cache {
            // Errata 3.23.
            return "Rejected";
        }
        self.store.cache.clear();
        "Accepted"
    }

    fn data_transfer(&self, request: &Json) -> Json {
        let vendor = request.get("vendorId").and_then(Json::as_str).unwrap_or_default();
        if !vendor.eq_ignore_ascii_case(&self.config.data_transfer_vendor) {
            return status("UnknownVendorId");
        }
        match request.get("messageId").and_then(Json::as_str) {
            Some(message)
                if !message.eq_ignore_ascii_case(ECHO) && !self.has(Defect::CsDatatransferMsgid) =>
            {
                status("UnknownMessageId")
            }
            _ => match request.get("data") {
                Some(data) => object! { "status": "Accepted", "data": data },
                None => status("Accepted"),
            },
        }
    }

    fn get_configuration(&self, request: &Json) -> Result<Json, Fail> {
        let settings = &self.store.settings;
        let asked = request.get("key").and_then(Json::as_array).unwrap_or_default();
        if asked.is_empty() {
            let all: Vec<Json> = settings.all().map(show).collect();
            return Ok(object! { "configurationKey": all });
        }
        if asked.len() as u64 > settings.number("GetConfigurationMaxKeys") {
            let fault = Fault::Violation(plugfest_protocol::ViolationClass::TooManyItems);
            return Err(Fail(fault, "more keys than GetConfigurationMaxKeys"));
        }
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for key in asked.iter().filter_map(Json::as_str) {
            match settings.get(key) {
                Some(shown) => found.push(show(shown)),
                // Write-only: it is there, its value is nobody's business.
                None if key.eq_ignore_ascii_case(AUTHORIZATION_KEY) && self.store.password.is_some() => {
                    found.push(object! { "key": AUTHORIZATION_KEY, "readonly": false });
                }
                None => unknown.push(Json::from(key)),
            }
        }
        let mut response = object! { "configurationKey": found };
        if let (false, Json::Object(members)) = (unknown.is_empty(), &mut response) {
            members.insert("unknownKey", unknown);
        }
        Ok(response)
    }

    fn remote_start(&mut self, request: &Json) -> &'static str {
        let tag = request
            .get("idTag")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned();
        let number = match request.get("connectorId") {
            Some(connector) if self.has(Defect::CsRemotestartConn0) && connector.as_i64() == Some(0) => {
                self.choose_connector(&tag)
            }
            None if self.has(Defect::CsRemotestartNeedsConn) => None,
            Some(connector) => connector
                .as_i64()
                .and_then(|connector| self.known_number(connector)),
            None => self.choose_connector(&tag),
        };
        // Not allowed while registration is pending (§4.2).
        let accepted = self.registration == Registration::Accepted;
        // Who chose the connector itself has looked at it, and looks no more.
        let chosen = request.get("connectorId").is_none() && self.has(Defect::CsRemotestartTakesReserved);
        let may_begin = |number: &usize| self.welcomes(*number) && (chosen || self.may_admit(*number, &tag));
        let Some(number) = number.filter(|number| accepted && may_begin(number)) else {
            return "Rejected";
        };
        let Ok(profile) = self.remote_profile(request) else {
            return "Rejected";
        };
        let permit = self
            .acquaintance(&tag)
            .unwrap_or_else(|| Permit::new(tag.clone(), None));
        // Whether a reservation is open to the token's group is for the CSMS to say (§5.13).
        let unsure = !self.admits(number, &permit);
        if self.store.settings.flag("AuthorizeRemoteTxRequests") || unsure {
            self.ask(Ask::Begin {
                connector: Some(number),
                tag,
                profile,
            });
        } else {
            self.begin(Some(number), Permit { profile, ..permit });
        }
        "Accepted"
    }

    /// A connector for a remote start that names none: one with a plug in it, else a free one.
    fn choose_connector(&self, tag: &str) -> Option<usize> {
        let phase = |number: usize| &self.connectors[number - 1].phase;
        let own = self.reserved_for(|holder| holder.is_for(tag));
        if own.is_some() {
            return own;
        }
        let anybody = self.has(Defect::CsRemotestartTakesReserved);
        let free = |number: &usize| self.welcomes(*number) && (anybody || self.may_admit(*number, tag));
        let plugged = self
            .numbers()
            .filter(free)
            .find(|number| matches!(phase(*number), Phase::Preparing { .. }));
        plugged.or_else(|| {
            self.numbers()
                .filter(free)
                .find(|number| self.welcomes_next(*number))
        })
    }

    fn remote_stop(&mut self, request: &Json) -> &'static str {
        let id = whole(request, "transactionId");
        let running = self.numbers().find(|number| {
            let transaction = self.connectors[number - 1].transaction();
            id.is_some() && transaction.and_then(|transaction| transaction.id) == id
        });
        match running {
            Some(number) if self.registration == Registration::Accepted => {
                self.stop(number, Reason::Remote, None);
                "Accepted"
            }
            _ => "Rejected",
        }
    }

    fn reset(&mut self, request: &Json) -> &'static str {
        if self.reset.is_none() {
            self.begin_reset(request.get("type").and_then(Json::as_str) == Some("Hard"));
        }
        "Accepted"
    }

    fn unlock_connector(&mut self, request: &Json) -> &'static str {
        let number = whole(request, "connectorId").and_then(|connector| self.known_number(connector));
        match number {
            // Errata 3.87: also for a connector that is not there.
            None if self.has(Defect::CsUnlockBadConn) => "UnlockFailed",
            None => "NotSupported",
            Some(_) if !self.config.makeup.locks() => "NotSupported",
            Some(number) if self.unlock_command(number) => "Unlocked",
            Some(_) => "UnlockFailed",
        }
    }

    fn trigger(&mut self, request: &Json) -> &'static str {
        let connector = whole(request, "connectorId");
        // 0 is no connector here (6.51): what concerns the whole station is asked for without one.
        if connector.is_some_and(|connector| connector < 1) {
            return "Rejected";
        }
        if self.has(Defect::CsLeakPerTrigger) {
            self.quirks.count += 1;
            if self.quirks.count > LEAK {
                self.crash();
            }
        }
        match request.get("requestedMessage").and_then(Json::as_str) {
            Some("MeterValues") if self.has(Defect::CsTriggerMeterRejected) => "Rejected",
            Some("MeterValues" | "StatusNotification") if self.has(Defect::CsTriggerNotimplemented) => {
                "NotImplemented"
            }
            // Errata 3.35: once accepted, another BootNotification would only confuse.
            Some("BootNotification") if self.registration == Registration::Accepted => "Rejected",
            Some("BootNotification") => {
                self.boot_due = None;
                self.say_boot();
                "Accepted"
            }
            Some("Heartbeat") => {
                self.post(Outgoing::triggered(Purpose::Heartbeat, Json::empty()));
                "Accepted"
            }
            Some("FirmwareStatusNotification") if self.config.makeup.firmware => {
                self.trigger_firmware();
                "Accepted"
            }
            Some("DiagnosticsStatusNotification") if self.config.makeup.firmware => {
                self.trigger_diagnostics();
                "Accepted"
            }
            Some("StatusNotification") => self.trigger_statuses(connector),
            Some("MeterValues") => self.trigger_meters(connector),
            _ => "NotImplemented",
        }
    }

    fn trigger_statuses(&mut self, connector: Option<i64>) -> &'static str {
        match connector {
            None => (0..=self.connectors.len()).for_each(|number| self.trigger_status(number)),
            Some(connector) => match self.known_number(connector) {
                Some(number) => self.trigger_status(number),
                None => return "Rejected",
            },
        }
        "Accepted"
    }

    fn trigger_meters(&mut self, connector: Option<i64>) -> &'static str {
        let numbers = match connector {
            None => self.numbers(),
            Some(connector) => match self.known_number(connector) {
                Some(number) => number..=number,
                None => return "Rejected",
            },
        };
        let mut any = false;
        for number in numbers {
            any |= self.trigger_meter(number);
        }
        if any { "Accepted" } else { "Rejected" }
    }

    fn set_profile(&mut self, request: &Json) -> Result<Json, Fail> {
        let connector = match whole(request, "connectorId") {
            Some(0) => Some(0),
            asked => asked.and_then(|asked| self.known_number(asked)),
        };
        let Some(connector) = connector else {
            // Errata 3.39.
            let fault = Fault::Violation(plugfest_protocol::ViolationClass::OutOfRange);
            return Err(Fail(fault, "this station has no such connector"));
        };
        let profile = request.get("csChargingProfiles");
        let taken = profile.is_some_and(|profile| self.set_charging_profile(connector, profile));
        Ok(status(if taken { "Accepted" } else { "Rejected" }))
    }

    fn list_version(&self) -> i64 {
        if self.store.settings.flag("LocalAuthListEnabled") {
            self.store.list.version()
        } else {
            -1
        }
    }

    fn send_local_list(&mut self, request: &Json) -> &'static str {
        if !self.store.settings.flag("LocalAuthListEnabled") {
            return "NotSupported";
        }
        if self.has(Defect::CsLocallistNeedsList) && request.get("localAuthorizationList").is_none() {
            return "Failed";
        }
        self.store.list.update(request)
    }
}

fn status(status: &'static str) -> Json {
    object! { "status": status }
}

fn show(shown: Shown) -> Json {
    object! { "key": shown.key, "readonly": shown.readonly, "value": shown.value }
}

fn whole(request: &Json, field: &str) -> Option<i64> {
    request.get(field).and_then(Json::as_i64)
}
