//! The station that we play: boots, keeps a configuration, counts energy, beats its heart when it has nothing to say.

use std::collections::BTreeMap;
use std::time::Duration;

use plugfest_protocol::{Edition, Json, Object, Part, Timestamp, minimal};
use plugfest_trace::Outcome;

use super::charging::{Charging, Transaction};
use super::profiles::{LocalList, Reservations, Triggered};
use super::{at, object};
use crate::player::{Owed, Player};

/// The register of a played connector before anything was charged, in Wh.
const METER_START: i64 = 1_000;
/// The power at which a played transaction charges, in W.
const POWER: i64 = 7_200;

/// The played station.
#[derive(Debug)]
pub(crate) struct Station {
    edition: &'static Edition,
    values: Json,
    config: BTreeMap<String, Json>,
    booted: bool,
    accepted: bool,
    interval: Duration,
    beat: Option<Timestamp>,
    transaction: Option<Open>,
    register: i64,
    list: LocalList,
    reservations: Reservations,
    triggered: Triggered,
    charging: Charging,
    /// Since the link went during a transaction: when the last sample was taken that the CSMS has been told of.
    sampled: Option<Timestamp>,
}

/// A transaction that is running.
#[derive(Debug, Clone)]
struct Open {
    id: Json,
    connector: Json,
    since: Timestamp,
    meter: i64,
}

impl Station {
    /// A station with the standard's configuration keys at plain values.
    pub(crate) fn new(edition: &'static Edition, values: &Json) -> Self {
        let mut station = Self {
            edition,
            values: values.clone(),
            config: BTreeMap::new(),
            booted: false,
            accepted: false,
            interval: Duration::from_mins(5),
            beat: None,
            transaction: None,
            register: METER_START,
            list: LocalList::default(),
            reservations: Reservations::default(),
            triggered: Triggered::default(),
            charging: Charging::new(),
            sampled: None,
        };
        for key in edition
            .config_keys()
            .iter()
            .filter(|k| k.required || is_shown(&k.name))
        {
            let value = station.ordinary(&key.name);
            station.config.insert(key.name.clone(), value);
        }
        station
    }

    /// The plain value of a configuration key.
    fn ordinary(&self, key: &str) -> Json {
        if let Some(assumed) = at(&self.values, &["config", key]) {
            return Json::from(
                assumed
                    .as_str()
                    .map_or_else(|| assumed.to_string(), str::to_owned),
            );
        }
        let text = match key {
            "HeartbeatInterval" => {
                at(&self.values, &["heartbeat"]).map_or_else(|| "300".to_owned(), ToString::to_string)
            }
            "NumberOfConnectors" => self.connectors().to_string(),
            "SupportedFeatureProfiles" => "Core,LocalAuthListManagement,Reservation,RemoteTrigger".to_owned(),
            "LocalAuthListMaxLength" | "SendLocalListMaxLength" => "100".to_owned(),
            "MeterValuesSampledData" | "MeterValuesAlignedData" => "Energy.Active.Import.Register".to_owned(),
            "StopTxnSampledData" | "StopTxnAlignedData" => String::new(),
            "ConnectorPhaseRotation" => "NotApplicable".to_owned(),
            "ConnectionTimeOut" => "60".to_owned(),
            "GetConfigurationMaxKeys" => "50".to_owned(),
            "TransactionMessageAttempts" | "ResetRetries" => "3".to_owned(),
            "TransactionMessageRetryInterval" => "10".to_owned(),
            "ChargeProfileMaxStackLevel" => "8".to_owned(),
            "ChargingScheduleAllowedChargingRateUnit" => "Current,Power".to_owned(),
            "ChargingScheduleMaxPeriods" => "24".to_owned(),
            "MaxChargingProfilesInstalled" => "16".to_owned(),
            "AllowOfflineTxForUnknownId"
            | "AuthorizationCacheEnabled"
            | "AuthorizeRemoteTxRequests"
            | "LocalPreAuthorize" => "false".to_owned(),
            _ if self
                .edition
                .config_key(key)
                .is_some_and(|k| k.ty == plugfest_protocol::ConfigType::Bool) =>
            {
                "true".to_owned()
            }
            _ => "0".to_owned(),
        };
        Json::from(text)
    }

    fn key(&self, name: &str) -> Option<(String, &Json)> {
        self.config
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(k, v)| (k.clone(), v))
    }

    fn configuration(&self, payload: &Json) -> Json {
        let asked: Vec<String> = payload
            .get("key")
            .and_then(Json::as_array)
            .unwrap_or_default()
            .iter()
            .filter_map(|k| k.as_str().map(str::to_owned))
            .collect();
        let names = if asked.is_empty() {
            self.config.keys().cloned().collect()
        } else {
            asked
        };
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for name in names {
            match self.key(&name) {
                Some((key, value)) => {
                    let readonly = self
                        .edition
                        .config_key(&key)
                        .is_some_and(|k| !k.access.writable());
                    known.push(object([
                        ("key", key.into()),
                        ("readonly", readonly.into()),
                        ("value", value.clone()),
                    ]));
                }
                None => unknown.push(Json::from(name)),
            }
        }
        let mut answer = Object::new();
        if !known.is_empty() {
            answer.insert("configurationKey", Json::Array(known));
        }
        if !unknown.is_empty() {
            answer.insert("unknownKey", Json::Array(unknown));
        }
        Json::Object(answer)
    }

    fn change(&mut self, payload: &Json) -> Json {
        let name = payload.get("key").and_then(Json::as_str).unwrap_or_default();
        let value = payload.get("value").cloned().unwrap_or_default();
        let status = match self.key(name) {
            None => "NotSupported",
            Some((key, _))
                if self
                    .edition
                    .config_key(&key)
                    .is_some_and(|k| !k.access.writable()) =>
            {
                "Rejected"
            }
            Some((key, _)) => {
                if self.fits(&key, &value) {
                    self.config.insert(key, value);
                    "Accepted"
                } else {
                    "Rejected"
                }
            }
        };
        object([("status", status.into())])
    }

    fn fits(&self, key: &str, value: &Json) -> bool {
        let text = value.as_str().unwrap_or_default();
        match self.edition.config_key(key).map(|k| k.ty) {
            Some(plugfest_protocol::ConfigType::Bool) => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            Some(plugfest_protocol::ConfigType::Int) => text.parse::<i32>().is_ok_and(|n| n >= 0),
            _ => true,
        }
    }

    fn connectors(&self) -> i64 {
        let connectors = at(&self.values, &["connectors"]);
        connectors.and_then(Json::as_i64).unwrap_or(1)
    }

    /// The transaction that charging profiles may be for.
    fn charging_transaction(&self) -> Option<Transaction> {
        self.transaction.as_ref().map(|open| Transaction {
            id: open.id.as_i64().unwrap_or(0),
            connector: open.connector.as_i64().unwrap_or(1),
            since: open.since,
        })
    }

    /// The register now, in Wh: it rises while a transaction runs.
    fn meter(&self, now: Timestamp) -> i64 {
        match &self.transaction {
            Some(open) => {
                open.meter + i64::try_from(now.since(open.since).as_secs()).unwrap_or(0) * POWER / 3_600
            }
            None => self.register,
        }
    }
}

impl Station {
    /// When the next sample was taken of those that were kept while there was no link, if there is one left.
    fn kept_sample(&mut self, now: Timestamp) -> Option<Timestamp> {
        let (_, interval) = self.key("MeterValueSampleInterval")?;
        let seconds = interval.as_str()?.parse().ok().filter(|s| *s > 0)?;
        let next = self.sampled? + Duration::from_secs(seconds);
        self.sampled = (next <= now).then_some(next);
        self.sampled
    }
}

/// Optional keys that the played station has, because cases speak of them.
fn is_shown(key: &str) -> bool {
    matches!(
        key,
        "AllowOfflineTxForUnknownId"
            | "AuthorizationCacheEnabled"
            | "MaxEnergyOnInvalidId"
            | "MinimumStatusDuration"
            | "ReserveConnectorZeroSupported"
            | "WebSocketPingInterval"
    )
}

impl Player for Station {
    fn answer(&mut self, action: &str, payload: &Json, now: Timestamp) -> Json {
        match action {
            "GetConfiguration" => self.configuration(payload),
            "ChangeConfiguration" => self.change(payload),
            "Reset" | "ChangeAvailability" | "ClearCache" | "RemoteStartTransaction" => {
                object([("status", "Accepted".into())])
            }
            "RemoteStopTransaction" => {
                let known = self
                    .transaction
                    .as_ref()
                    .is_some_and(|t| Some(&t.id) == payload.get("transactionId"));
                object([("status", if known { "Accepted" } else { "Rejected" }.into())])
            }
            "SetChargingProfile" => object([("status", "Accepted".into())]),
            "ClearChargingProfile" => self.charging.cleared(payload),
            "GetCompositeSchedule" => {
                self.charging
                    .composite(payload, now, self.charging_transaction().as_ref())
            }
            "GetDiagnostics" => object([("fileName", "diagnostics.log".into())]),
            "UnlockConnector" => object([("status", "Unlocked".into())]),
            "DataTransfer" => object([("status", "UnknownVendorId".into())]),
            "TriggerMessage" => object([("status", Triggered::verdict(payload, self.connectors()).into())]),
            "GetLocalListVersion" => object([("listVersion", self.list.version().into())]),
            "SendLocalList" => object([("status", self.list.verdict(payload).into())]),
            "ReserveNow" => {
                let busy = self.transaction.as_ref().map(|open| &open.connector);
                object([("status", self.reservations.verdict(payload, busy, now).into())])
            }
            "CancelReservation" => {
                let held = self.reservations.holds(payload, now);
                object([("status", if held { "Accepted" } else { "Rejected" }.into())])
            }
            other => minimal(self.edition, other, Part::Response),
        }
    }

    fn call(&mut self, action: &str, now: Timestamp) -> Json {
        let about = self.triggered.about(action);
        let connector = about.map(Json::from);
        let connector = connector
            .or_else(|| at(&self.values, &["connector"]).cloned())
            .unwrap_or_else(|| 1.into());
        let time = Json::from(now.to_rfc3339());
        let open = self.transaction.clone();
        match action {
            "BootNotification" => object([
                ("chargePointVendor", "plugfest".into()),
                ("chargePointModel", "played station".into()),
            ]),
            "StatusNotification" => {
                // What is triggered repeats what was told last; what is told by itself is in the words of the case.
                let (status, error) = about
                    .and_then(|connector| self.triggered.told.get(&connector).cloned())
                    .unwrap_or_else(|| ("Available".into(), "NoError".into()));
                object([
                    ("connectorId", connector),
                    ("errorCode", error),
                    ("status", status),
                    ("timestamp", time),
                ])
            }
            "DiagnosticsStatusNotification" | "FirmwareStatusNotification" => {
                object([("status", "Idle".into())])
            }
            "StartTransaction" => {
                let reserved = self.reservations.on(&connector, now);
                let mut payload = Object::new();
                payload.insert("connectorId", connector);
                let tag = at(&self.values, &["tag", "valid"]).cloned();
                payload.insert("idTag", tag.unwrap_or_else(|| "TAG".into()));
                payload.insert("meterStart", self.meter(now));
                if let Some(id) = reserved {
                    payload.insert("reservationId", id);
                }
                payload.insert("timestamp", time);
                Json::Object(payload)
            }
            "StopTransaction" => {
                let mut payload = Object::new();
                payload.insert("meterStop", self.meter(now));
                payload.insert("timestamp", time);
                payload.insert("transactionId", open.map_or_else(|| 0.into(), |t| t.id));
                Json::Object(payload)
            }
            "MeterValues" => {
                let now = self.kept_sample(now).unwrap_or(now);
                let time = Json::from(now.to_rfc3339());
                let sample = object([("value", self.meter(now).to_string().into())]);
                let mut payload = Object::new();
                payload.insert(
                    "connectorId",
                    open.as_ref().map_or(connector, |t| t.connector.clone()),
                );
                if let Some(open) = open {
                    payload.insert("transactionId", open.id);
                }
                let values = object([("timestamp", time), ("sampledValue", Json::Array(vec![sample]))]);
                payload.insert("meterValue", Json::Array(vec![values]));
                Json::Object(payload)
            }
            other => minimal(self.edition, other, Part::Request),
        }
    }

    fn answered(&mut self, action: &str, request: &Json, answer: &Json, now: Timestamp) {
        match action {
            "BootNotification" => {
                self.booted = true;
                self.accepted = answer.get("status").and_then(Json::as_str) == Some("Accepted");
                let seconds = answer
                    .get("interval")
                    .and_then(Json::as_i64)
                    .unwrap_or(300)
                    .max(1);
                self.interval = Duration::from_secs(seconds.unsigned_abs());
                self.beat = self.accepted.then(|| now + self.interval);
            }
            "StatusNotification" => self.triggered.tell(request),
            "StartTransaction" => {
                self.reservations.use_up(request);
                let meter = request
                    .get("meterStart")
                    .and_then(Json::as_i64)
                    .unwrap_or(self.register);
                // A start that was kept while offline began when it says.
                let began = request.get("timestamp").and_then(Json::as_str);
                let began = began.and_then(|t| Timestamp::parse(t).ok()).unwrap_or(now);
                let connector = request.get("connectorId").and_then(Json::as_i64).unwrap_or(1);
                let tag = request.get("idTag").and_then(Json::as_str);
                self.charging.started(connector, tag);
                self.transaction = Some(Open {
                    id: answer.get("transactionId").cloned().unwrap_or_default(),
                    connector: request.get("connectorId").cloned().unwrap_or_else(|| 1.into()),
                    since: began,
                    meter,
                });
            }
            "StopTransaction" => {
                self.register = request
                    .get("meterStop")
                    .and_then(Json::as_i64)
                    .unwrap_or(self.register);
                if let Some(ended) = self.charging_transaction() {
                    self.charging.ended(ended.connector);
                }
                self.transaction = None;
            }
            _ => {}
        }
    }

    fn gave(&mut self, action: &str, request: &Json, answer: &Json) {
        self.charging.gave(action, request, answer);
        if answer.get("status").and_then(Json::as_str) != Some("Accepted") {
            return;
        }
        match action {
            "SendLocalList" => self.list.take(request),
            "ReserveNow" => self.reservations.take(request),
            "CancelReservation" => self.reservations.cancel(request),
            "TriggerMessage" => self.triggered.owe(request, self.connectors()),
            _ => {}
        }
    }

    fn configure(&mut self, key: &str, value: &Json) {
        let name = self.key(key).map_or_else(|| key.to_owned(), |(k, _)| k);
        let value = if value.is_null() {
            self.ordinary(&name)
        } else {
            value.clone()
        };
        self.config.insert(name, value);
    }

    fn perform(&mut self, _verb: &str, _args: &Json) -> Outcome {
        // What a hand does to the played station shows in the lines that follow; there is nothing else to move.
        Outcome::Done
    }

    fn owes(&mut self, now: Timestamp) -> Owed {
        if let Some(action) = self.triggered.next() {
            return Owed {
                due: Some(action),
                next: self.owes_next(now),
            };
        }
        match self.beat {
            Some(beat) if beat <= now => {
                self.beat = Some(now + self.interval);
                Owed {
                    due: Some("Heartbeat".to_owned()),
                    next: self.beat,
                }
            }
            next => Owed { due: None, next },
        }
    }

    fn owes_next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.triggered.is_owed() {
            return Some(now);
        }
        self.beat
    }

    fn restarted(&mut self) {
        (self.booted, self.accepted, self.beat, self.sampled) = (false, false, None, None);
    }

    fn restarts_for(&self, action: &str) -> bool {
        action == "BootNotification" && self.booted && self.accepted
    }

    fn connected(&mut self, up: bool, now: Timestamp) {
        if !up && self.transaction.is_some() {
            self.sampled = self.sampled.or(Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station() -> Station {
        let values = Json::parse(r#"{"connectors":2,"heartbeat":60,"tag":{"valid":"GOOD"}}"#).unwrap();
        Station::new(Edition::by_name("OCPP-1.6").unwrap(), &values)
    }

    #[test]
    fn every_answer_and_every_call_is_valid() {
        let mut station = station();
        let edition = station.edition;
        for action in edition.actions() {
            let name = &action.name;
            if action.may_be_sent_by(plugfest_protocol::Role::CSMS, Part::Request) {
                let request = minimal(edition, name, Part::Request);
                let answer = station.answer(name, &request, Timestamp::default());
                let found = plugfest_protocol::validate(edition, name, Part::Response, &answer);
                assert!(found.is_empty(), "answer to {name}: {found:?}");
            }
            if action.may_be_sent_by(plugfest_protocol::Role::STATION, Part::Request) {
                let call = station.call(name, Timestamp::default());
                let found = plugfest_protocol::validate(edition, name, Part::Request, &call);
                assert!(found.is_empty(), "{name}: {found:?}");
            }
        }
    }

    #[test]
    fn configuration_is_changed_and_read_back() {
        let mut station = station();
        let change = |s: &mut Station, key: &str, value: &str| {
            let answer = s.answer(
                "ChangeConfiguration",
                &object([("key", key.into()), ("value", value.into())]),
                Timestamp::default(),
            );
            answer.get("status").and_then(Json::as_str).unwrap().to_owned()
        };
        assert_eq!(change(&mut station, "meterValueSampleInterval", "30"), "Accepted");
        assert_eq!(change(&mut station, "MeterValueSampleInterval", "-1"), "Rejected");
        assert_eq!(change(&mut station, "NumberOfConnectors", "9"), "Rejected");
        assert_eq!(change(&mut station, "NoSuchKey", "1"), "NotSupported");
        let asked = object([("key", Json::Array(vec!["MeterValueSampleInterval".into()]))]);
        let answer = station.answer("GetConfiguration", &asked, Timestamp::default());
        assert_eq!(
            answer.pointer("/configurationKey/0/value").and_then(Json::as_str),
            Some("30")
        );
        station.configure("MeterValueSampleInterval", &Json::Null);
        let answer = station.answer("GetConfiguration", &asked, Timestamp::default());
        assert_eq!(
            answer.pointer("/configurationKey/0/value").and_then(Json::as_str),
            Some("0")
        );
    }
}
