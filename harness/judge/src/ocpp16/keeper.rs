//! The facts of OCPP 1.6, derived from both sides' messages.
//!
//! | fact | value |
//! |---|---|
//! | `boot` | `Accepted`, `Pending`, `Rejected`; `null` while a BootNotification waits for its answer |
//! | `boot.interval` | seconds, as last answered |
//! | `boot.silent` | since when the station has been accepted without a word on any connector since its last boot |
//! | `heartbeat` | seconds between heartbeats, as last agreed |
//! | `status.N`, `status.N.error` | last reported status and error code of connector N |
//! | `transaction.N`, `.tag`, `.meter`, `.start` | the open transaction on connector N: id, idTag, meterStart, timestamp |
//! | `availability.N` | `Operative`, `Inoperative`, as last accepted or carried out |
//! | `availability.N.scheduled` | the same, as promised for the end of the transaction |
//! | `connectors` | how many connectors there are, as far as seen |
//! | `config.KEY`, `readonly.KEY`, `unknown.KEY` | value, access and absence of a configuration key |
//! | `transaction.N.charging` | when it was first told that energy flows in that transaction |
//! | `list.version` | version of the local authorization list |
//! | `firmware`, `diagnostics` | the status last told of an update or an upload, `Requested` after a request |
//! | `profiles` | how many charging profiles the station holds; not known before all were cleared once |
//! | `profile.X` | one of them: `connectorId`, `since`, `doubtful`, `profile` |
//! | `reservation.N`, `.tag`, `.parent`, `.expiry` | the reservation held on connector N (0: on any): id, idTag, parentIdTag, expiryDate |

use std::collections::BTreeSet;

use plugfest_protocol::{Edition, Json};
use plugfest_trace::{Party, What};

use crate::facts::{self, Facts, KeeperView};
use crate::ledger::AnsweredCall;
use crate::ocpp16::charging::Held;
use crate::rule::{AnswerSeen, Seen};

/// No more remote starts with a charging profile wait for their transaction.
const MOST_WAITING: usize = 16;
/// At most so many facts are kept; a DUT that reports more connectors or keys is not followed further.
const MOST_FACTS: usize = 4096;

/// Derives the facts of OCPP 1.6.
#[derive(Debug, Default)]
pub struct Keeper {
    /// True once the CSMS has asked for a BootNotification, so that the next one is no restart.
    boot_triggered: bool,
    /// Connectors on which a transaction has ended and an availability change is due.
    due: BTreeSet<i64>,
    /// Accepted remote starts that bring a charging profile for the transaction to come.
    waiting: Vec<Json>,
}

impl facts::Keeper for Keeper {
    fn see(&mut self, facts: &mut Facts, context: &KeeperView<'_>, seen: Seen<'_>) {
        if facts.all().len() > MOST_FACTS {
            return;
        }
        let station = if context.dut == "station" {
            Party::Dut
        } else {
            Party::Us
        };
        match seen {
            Seen::Call {
                from,
                action,
                payload,
                ..
            } if from == station => self.asked(facts, context, action, payload),
            Seen::Answer {
                from,
                call,
                answer: AnswerSeen::Result(payload),
                ..
            } => {
                if from == station {
                    self.station_answered(facts, context, call, payload);
                } else {
                    self.csms_answered(facts, context, call, payload);
                }
            }
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && verb == "station.factory_reset"
                {
                    forget_configuration(facts);
                }
            }
            _ => {}
        }
    }
}

impl Keeper {
    /// The station asks the CSMS.
    fn asked(&mut self, facts: &mut Facts, context: &KeeperView<'_>, action: &str, payload: &Json) {
        match action {
            "BootNotification" if !std::mem::take(&mut self.boot_triggered) => {
                facts.learn("boot", Json::Null);
                facts.forget("boot.silent");
            }
            "StatusNotification" => {
                facts.forget("boot.silent");
                let (Some(connector), Some(status)) = (int(payload, "connectorId"), text(payload, "status"))
                else {
                    return;
                };
                if connector < 0 {
                    return;
                }
                facts.learn(format!("status.{connector}"), status);
                let error = text(payload, "errorCode").unwrap_or("NoError");
                facts.learn(format!("status.{connector}.error"), error);
                if status == "Unavailable" && self.due.remove(&connector) {
                    facts.learn(format!("availability.{connector}"), "Inoperative");
                    facts.forget(&format!("availability.{connector}.scheduled"));
                }
                // A reservation ends with its connector (OCPP-1.6 5.13), whether that failed or went out of use; and what
                // is Available is not reserved.
                if matches!(status, "Faulted" | "Unavailable" | "Available") {
                    forget_reservation(facts, connector);
                }
                note_connector(facts, connector);
                let charging = format!("transaction.{connector}.charging");
                let is_open = facts.fact(&format!("transaction.{connector}")).is_some();
                if status == "Charging" && is_open && facts.fact(&charging).is_none() {
                    facts.learn(charging, context.at.to_rfc3339());
                }
            }
            "StartTransaction" => {
                let used = int(payload, "reservationId").and_then(|id| reserved_by(facts, id));
                if let Some(connector) = used {
                    forget_reservation(facts, connector);
                }
            }
            "FirmwareStatusNotification" | "DiagnosticsStatusNotification" => {
                if let Some(status) = text(payload, "status") {
                    let about = if action.starts_with('F') {
                        "firmware"
                    } else {
                        "diagnostics"
                    };
                    // Who waits for its moment is idle, and still has something to do.
                    let waits = facts.fact(about).and_then(Json::as_str) == Some("Requested");
                    if status != "Idle" || !waits {
                        facts.learn(about, status);
                    }
                }
            }
            "StopTransaction" => {
                let Some(id) = int(payload, "transactionId") else {
                    return;
                };
                if let Some(connector) = connector_of(facts, id) {
                    for part in ["", ".tag", ".meter", ".start", ".charging"] {
                        facts.forget(&format!("transaction.{connector}{part}"));
                    }
                    if let Ok(connector) = connector.parse() {
                        held(facts, |held| held.ended(connector));
                    }
                }
            }
            _ => {}
        }
    }

    /// The station answers the CSMS.
    fn station_answered(
        &mut self,
        facts: &mut Facts,
        context: &KeeperView<'_>,
        call: &AnsweredCall,
        payload: &Json,
    ) {
        let status = text(payload, "status");
        match call.action.as_str() {
            "TriggerMessage" | "ExtendedTriggerMessage" => {
                let boot = text(&call.payload, "requestedMessage") == Some("BootNotification");
                self.boot_triggered |= boot && status == Some("Accepted");
            }
            "ChangeAvailability" => {
                let connector = int(&call.payload, "connectorId");
                let (Some(connector), Some(kind)) = (connector, text(&call.payload, "type")) else {
                    return;
                };
                match status {
                    Some("Accepted") => {
                        facts.learn(format!("availability.{connector}"), kind);
                        facts.forget(&format!("availability.{connector}.scheduled"));
                        if kind == "Inoperative" {
                            self.due.insert(connector);
                        } else {
                            self.due.remove(&connector);
                        }
                    }
                    Some("Scheduled") => {
                        facts.learn(format!("availability.{connector}.scheduled"), kind);
                        self.due.insert(connector);
                    }
                    _ => {}
                }
            }
            "GetConfiguration" => {
                for key in list(payload, "configurationKey") {
                    let Some(name) = text(key, "key") else { continue };
                    let name = canonical(name);
                    if let Some(value) = text(key, "value") {
                        facts.learn(format!("config.{name}"), value);
                    }
                    if let Some(readonly) = key.get("readonly").and_then(Json::as_bool) {
                        facts.learn(format!("readonly.{name}"), readonly);
                    }
                    facts.forget(&format!("unknown.{name}"));
                }
                for name in list(payload, "unknownKey").iter().filter_map(Json::as_str) {
                    facts.learn(format!("unknown.{}", canonical(name)), true);
                }
            }
            "ChangeConfiguration" => {
                let (Some(key), Some(value)) = (text(&call.payload, "key"), text(&call.payload, "value"))
                else {
                    return;
                };
                let key = canonical(key);
                match status {
                    Some("Accepted") => {
                        if key == "HeartbeatInterval"
                            && let Ok(seconds) = value.trim().parse::<i64>()
                        {
                            facts.learn("heartbeat", seconds);
                        }
                        facts.learn(format!("config.{key}"), value);
                        facts.forget(&format!("unknown.{key}"));
                    }
                    Some("RebootRequired") => facts.forget(&format!("config.{key}")),
                    Some("NotSupported") => facts.learn(format!("unknown.{key}"), true),
                    _ => {}
                }
            }
            "UpdateFirmware" => facts.learn("firmware", "Requested"),
            "GetDiagnostics" => facts.learn("diagnostics", "Requested"),
            "SetChargingProfile" => {
                let connector = int(&call.payload, "connectorId");
                if let (Some("Accepted"), Some(connector), Some(profile)) =
                    (status, connector, call.payload.get("csChargingProfiles"))
                {
                    held(facts, |held| held.install(connector, profile, context.at));
                }
            }
            "ClearChargingProfile" => match status {
                Some("Accepted") => held(facts, |held| held.clear(&call.payload)),
                Some("Unknown") => held(facts, |held| held.unknown(&call.payload)),
                _ => {}
            },
            "RemoteStartTransaction" => {
                if status == Some("Accepted") && call.payload.get("chargingProfile").is_some() {
                    self.waiting.push(call.payload.clone());
                    if self.waiting.len() > MOST_WAITING {
                        self.waiting.remove(0);
                    }
                }
            }
            "ReserveNow" if status == Some("Accepted") => {
                let (Some(connector), Some(id)) = (
                    int(&call.payload, "connectorId"),
                    int(&call.payload, "reservationId"),
                ) else {
                    return;
                };
                // One of the same id is replaced, wherever it was.
                if let Some(old) = reserved_by(facts, id) {
                    forget_reservation(facts, old);
                }
                facts.learn(format!("reservation.{connector}"), id);
                for (part, field) in [
                    ("tag", "idTag"),
                    ("parent", "parentIdTag"),
                    ("expiry", "expiryDate"),
                ] {
                    match call.payload.get(field) {
                        Some(value) => facts.learn(format!("reservation.{connector}.{part}"), value.clone()),
                        None => facts.forget(&format!("reservation.{connector}.{part}")),
                    }
                }
            }
            "CancelReservation" => {
                let gone = int(&call.payload, "reservationId").and_then(|id| reserved_by(facts, id));
                if let Some(connector) = gone.filter(|_| status.is_some()) {
                    forget_reservation(facts, connector);
                }
            }
            "SendLocalList" => match (status, int(&call.payload, "listVersion")) {
                (Some("Accepted"), Some(version)) => facts.learn("list.version", version),
                _ => facts.forget("list.version"),
            },
            "GetLocalListVersion" => {
                if let Some(version) = int(payload, "listVersion") {
                    facts.learn("list.version", version);
                }
            }
            _ => {}
        }
    }

    /// The CSMS answers the station.
    fn csms_answered(
        &mut self,
        facts: &mut Facts,
        context: &KeeperView<'_>,
        call: &AnsweredCall,
        payload: &Json,
    ) {
        match call.action.as_str() {
            "BootNotification" => {
                let Some(status) = text(payload, "status") else {
                    return;
                };
                // An answer to a triggered BootNotification ends no boot.
                if status == "Accepted" && facts.fact("boot").is_none_or(Json::is_null) {
                    facts.learn("boot.silent", context.at.to_rfc3339());
                }
                facts.learn("boot", status);
                let Some(interval) = int(payload, "interval") else {
                    return;
                };
                facts.learn("boot.interval", interval);
                if status == "Accepted" {
                    // The station takes over the interval, and may show it in its configuration (OCPP-1.6 4.2).
                    facts.forget("config.HeartbeatInterval");
                    facts.learn("heartbeat", interval);
                }
            }
            "StartTransaction" => {
                let (Some(connector), Some(id)) =
                    (int(&call.payload, "connectorId"), int(payload, "transactionId"))
                else {
                    return;
                };
                note_connector(facts, connector);
                facts.learn(format!("transaction.{connector}"), id);
                for (part, field) in [("tag", "idTag"), ("meter", "meterStart"), ("start", "timestamp")] {
                    match call.payload.get(field) {
                        Some(value) => facts.learn(format!("transaction.{connector}.{part}"), value.clone()),
                        None => facts.forget(&format!("transaction.{connector}.{part}")),
                    }
                }
                facts.forget(&format!("transaction.{connector}.charging"));
                if facts.fact(&format!("status.{connector}")).and_then(Json::as_str) == Some("Charging") {
                    facts.learn(
                        format!("transaction.{connector}.charging"),
                        context.at.to_rfc3339(),
                    );
                }
                self.takes_up(facts, context, connector, text(&call.payload, "idTag"));
            }
            _ => {}
        }
    }

    /// A remote start has led to a transaction, to which the profile that it brought belongs (OCPP-1.6 5.16.2).
    fn takes_up(&mut self, facts: &mut Facts, context: &KeeperView<'_>, connector: i64, tag: Option<&str>) {
        let fits = |request: &Json| {
            let same_tag = text(request, "idTag")
                .zip(tag)
                .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
            same_tag && int(request, "connectorId").is_none_or(|wanted| wanted == connector)
        };
        let Some(place) = self.waiting.iter().rposition(fits) else {
            return;
        };
        let request = self.waiting.swap_remove(place);
        if let Some(profile) = request.get("chargingProfile") {
            held(facts, |held| held.install(connector, profile, context.at));
        }
    }
}

/// Changes what is known of the charging profiles.
fn held(facts: &mut Facts, change: impl FnOnce(&mut Held)) {
    let mut held = Held::from_facts(facts);
    change(&mut held);
    held.write(facts);
}

fn forget_configuration(facts: &mut Facts) {
    let gone: Vec<String> = facts
        .all()
        .keys()
        .filter(|name| {
            [
                "config.",
                "readonly.",
                "availability.",
                "list.",
                "profile.",
                "reservation.",
            ]
            .iter()
            .any(|p| name.starts_with(p))
        })
        .cloned()
        .collect();
    for name in gone {
        facts.forget(&name);
    }
    facts.forget("profiles");
}

fn note_connector(facts: &mut Facts, connector: i64) {
    let known = facts.fact("connectors").and_then(Json::as_i64).unwrap_or(0);
    if connector > known {
        facts.learn("connectors", connector);
    }
}

/// The connector that the reservation of that id is for.
fn reserved_by(facts: &Facts, reservation: i64) -> Option<i64> {
    let mut held = facts.under("reservation").filter(|(name, _)| !name.contains('.'));
    let (connector, _) = held.find(|(_, id)| id.as_i64() == Some(reservation))?;
    connector.parse().ok()
}

fn forget_reservation(facts: &mut Facts, connector: i64) {
    for part in ["", ".tag", ".parent", ".expiry"] {
        facts.forget(&format!("reservation.{connector}{part}"));
    }
}

fn connector_of(facts: &Facts, transaction: i64) -> Option<String> {
    let mut open = facts.under("transaction").filter(|(name, _)| !name.contains('.'));
    open.find(|(_, id)| id.as_i64() == Some(transaction))
        .map(|(name, _)| name.to_owned())
}

/// The standard's spelling of a configuration key, or the text itself.
fn canonical(key: &str) -> &str {
    Edition::ocpp16()
        .config_key(key)
        .map_or(key, |known| known.name.as_str())
}

fn text<'a>(payload: &'a Json, field: &str) -> Option<&'a str> {
    payload.get(field).and_then(Json::as_str)
}

fn int(payload: &Json, field: &str) -> Option<i64> {
    payload.get(field).and_then(Json::as_i64)
}

fn list<'a>(payload: &'a Json, field: &str) -> &'a [Json] {
    payload.get(field).and_then(Json::as_array).unwrap_or_default()
}
