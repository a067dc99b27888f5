//! Answers that must agree with what was said before.

use std::collections::BTreeMap;

use plugfest_trace::{Party, What};

use super::local_list::LocalList;
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
                  with no SendLocalList in between of which the outcome is not known; one that was refused changes \
                  nothing. 0 means that the list is empty, and is let pass where it may be; a factory reset forgets, \
                  and a version that a restart has changed is a warning.",
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
                  for them. Each trigger is good for one; what becomes of one that was refused has its own rule, \
                  correlation/trigger-refused.",
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
    list: LocalList,
    known: Option<Known>,
}

/// The version that the list should have.
#[derive(Debug, Clone, Copy)]
struct Known {
    version: i64,
    /// It may also be empty.
    or_empty: bool,
    /// The station has started anew since, and should remember, but need not.
    restarted: bool,
}

impl Check for ListVersion {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.list.see(context, seen);
        match seen {
            Seen::Event(event) => match &event.what {
                What::Asked { verb, .. } if verb == "station.factory_reset" => self.known = None,
                What::Closed { .. } if context.ledger.open().any(|call| call.action == "SendLocalList") => {
                    self.known = None;
                }
                _ => {}
            },
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => {
                if let Some(known) = &mut self.known {
                    known.restarted = true;
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "SendLocalList" => match status(&answer) {
                Some("Accepted") => {
                    let or_empty = self.list.may_be_empty(&call.payload);
                    self.known = int(&call.payload, "listVersion").map(|version| Known {
                        version,
                        or_empty,
                        restarted: false,
                    });
                }
                // It has kept the old list, or lost it on the way to the new one.
                Some("Failed") => {
                    if let Some(known) = &mut self.known {
                        known.or_empty = true;
                    }
                }
                _ => {}
            },
            Seen::Answer {
                from: Party::Dut,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == "GetLocalListVersion" => {
                // A list that is switched off may say that there is none.
                let Some(told) = int(result, "listVersion").filter(|told| *told >= 0) else {
                    return;
                };
                if let Some(known) = self.known
                    && told != known.version
                    && !(known.or_empty && told == 0)
                {
                    let message = "the local list has another version than the last that was accepted";
                    let finding = out.add(message, known.version.to_string(), told.to_string());
                    finding.at("/listVersion");
                    if known.restarted {
                        finding.level(Level::Should).clause("OCPP-1.6 3.5.2");
                    }
                }
                self.known = Some(Known {
                    version: told,
                    or_empty: told == 0,
                    restarted: false,
                });
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
        let Some((call, result)) = seen.dut_result() else {
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
        let Some((action, payload)) = seen.dut_call() else {
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
