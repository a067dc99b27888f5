//! Answers that must agree with what was said before.

use std::collections::BTreeMap;

use plugfest_protocol::Json;
use plugfest_trace::{Party, What};

use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, int, short, status, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<ListVersion>(RuleInfo {
        id: "correlation/list-version",
        title: "the list version is that of the last accepted list",
        clause: "OCPP-1.6 5.10, 5.15",
        level: Level::Must,
        editions: OCPP16,
        explain: "A station MUST associate the version number that comes with a list with it, and GetLocalListVersion \
                  tells it. Judged after a SendLocalList that was accepted, or after an answer to GetLocalListVersion, \
                  with no other SendLocalList in between. 0 means that the list is empty, and is let pass after a full \
                  update without entries; a factory reset forgets.",
    }),
    Entry::both::<DataTransfer>(RuleInfo {
        id: "correlation/data-transfer",
        title: "an unknown vendor gets no data",
        clause: "OCPP-1.6 4.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "A receiver without implementation for the vendorId returns UnknownVendorId, and the data element SHALL \
                  not be present.",
    }),
    Entry::station::<Idle>(RuleInfo {
        id: "correlation/idle-untriggered",
        title: "Idle is told only when asked for",
        clause: "OCPP-1.6 4.4, 4.5, 7.24, 7.25",
        level: Level::Must,
        editions: OCPP16,
        explain: "DiagnosticsStatusNotification and FirmwareStatusNotification SHALL only say Idle after a TriggerMessage \
                  for them. Each trigger is good for one, also where it was answered with a rejection.",
    }),
    Entry::station::<Stale>(RuleInfo {
        id: "correlation/status-stale",
        title: "a station that is done says Idle when asked",
        clause: "OCPP-1.6 5.17, 7.24, 7.25",
        level: Level::Should,
        editions: OCPP16,
        explain: "A trigger gives current information, and Idle is the status of a station that performs no upload or \
                  update. After the end of one was told (Uploaded, UploadFailed, Installed, InstallationFailed, \
                  DownloadFailed), a triggered notification that repeats it is stale. A warning: the text defines \
                  the statuses, not when the old one is over.",
    }),
];

/// Versions of the local list.
#[derive(Debug, Default)]
struct ListVersion {
    known: Option<(i64, bool)>,
}

impl Check for ListVersion {
    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && verb == "station.factory_reset"
                {
                    self.known = None;
                }
            }
            Seen::Call {
                from: Party::Us,
                action: "SendLocalList",
                ..
            } => self.known = None,
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "SendLocalList" => {
                let list = call
                    .payload
                    .get("localAuthorizationList")
                    .and_then(Json::as_array);
                let empty =
                    list.is_none_or(<[_]>::is_empty) && text(&call.payload, "updateType") == Some("Full");
                let version =
                    int(&call.payload, "listVersion").filter(|_| status(&answer) == Some("Accepted"));
                self.known = version.map(|version| (version, empty));
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == "GetLocalListVersion" => {
                let Some(told) = int(result, "listVersion") else {
                    return;
                };
                if let Some((known, empty)) = self.known
                    && told != known
                    && !(empty && told == 0)
                {
                    let message = "the local list has another version than the last that was accepted";
                    out.add(message, known.to_string(), told.to_string())
                        .at("/listVersion");
                }
                self.known = Some((told, told == 0));
            }
            _ => {}
        }
    }
}

/// Data from nobody.
#[derive(Debug, Default)]
struct DataTransfer;

impl Check for DataTransfer {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Seen::Answer {
            from: Party::Dut,
            call,
            answer: AnswerSeen::Result(result),
            ..
        } = seen
        else {
            return;
        };
        let unknown = call.action == "DataTransfer" && text(result, "status") == Some("UnknownVendorId");
        if let Some(data) = result.get("data").filter(|_| unknown) {
            out.add(
                "an unknown vendor was answered with data",
                "no data",
                short(&data.to_string()),
            )
            .at("/data");
        }
    }
}

fn is_progress(action: &str) -> bool {
    matches!(
        action,
        "DiagnosticsStatusNotification" | "FirmwareStatusNotification"
    )
}

/// Counts triggers that are not used up.
#[derive(Debug, Default)]
struct Triggered {
    open: BTreeMap<String, u32>,
}

impl Triggered {
    fn see(&mut self, seen: Seen<'_>) {
        if let Seen::Call {
            from: Party::Us,
            action,
            payload,
            ..
        } = seen
            && action.ends_with("TriggerMessage")
            && let Some(message) = text(payload, "requestedMessage").filter(|message| is_progress(message))
        {
            *self.open.entry(message.to_owned()).or_default() += 1;
        }
    }

    fn take(&mut self, action: &str) -> bool {
        let open = self.open.get_mut(action).filter(|open| **open > 0);
        open.map(|open| *open -= 1).is_some()
    }
}

/// Idle by itself.
#[derive(Debug, Default)]
struct Idle {
    triggered: Triggered,
}

impl Check for Idle {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.triggered.see(seen);
        let Seen::Call {
            from: Party::Dut,
            action,
            payload,
            ..
        } = seen
        else {
            return;
        };
        if is_progress(action) && !self.triggered.take(action) && text(payload, "status") == Some("Idle") {
            out.add(
                format!("{action} says Idle without a trigger"),
                "Idle only when asked for",
                "Idle",
            )
            .at("/status");
        }
    }
}

/// The end of long ago.
#[derive(Debug, Default)]
struct Stale {
    triggered: Triggered,
    ended: BTreeMap<String, String>,
}

impl Check for Stale {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.triggered.see(seen);
        match seen {
            Seen::Call {
                from: Party::Us,
                action,
                ..
            } if action.contains("Firmware") || action == "GetDiagnostics" => {
                self.ended.clear();
            }
            Seen::Call {
                from: Party::Dut,
                action,
                payload,
                ..
            } if is_progress(action) => {
                let Some(status) = text(payload, "status") else {
                    return;
                };
                let triggered = self.triggered.take(action);
                if triggered && self.ended.get(action).is_some_and(|ended| ended == status) {
                    let message = format!("a triggered {action} repeats the end of something over");
                    out.add(message, "Idle", status).at("/status");
                }
                let ends = [
                    "Uploaded",
                    "UploadFailed",
                    "Installed",
                    "InstallationFailed",
                    "DownloadFailed",
                ];
                if ends.contains(&status) {
                    self.ended.insert(action.to_owned(), status.to_owned());
                } else {
                    self.ended.remove(action);
                }
            }
            _ => {}
        }
    }
}
