//! Boot gating: what a station may send before it is accepted, and how it begins after a restart.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, Restarts, fact, int, shown, status, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<BeforeBoot>(RuleInfo {
        id: "sequence/before-boot",
        title: "before its BootNotification is answered a station sends nothing else",
        clause: "OCPP-1.6 4.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "Between power-on or reboot and the successful end of a BootNotification a station SHALL NOT send any \
                  other request; that includes messages queued from before. A BootNotification that was not answered, \
                  or with an error, has not ended successfully. Judged from the BootNotification on, where it is the \
                  first CALL on its connection or the station was known not to be accepted; one that comes in the \
                  middle of normal operation (on TriggerMessage, say) closes no gate.",
    }),
    Entry::station::<WhilePending>(RuleInfo {
        id: "sequence/while-pending",
        title: "a pending station sends only what it is told to send",
        clause: "OCPP-1.6 4.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "While its registration is Pending a station SHALL NOT send requests unless the CSMS asked for them \
                  with TriggerMessage. Let pass: BootNotification, every action that was triggered, the status \
                  notifications of an upload or update that the CSMS began, and SecurityEventNotification, whose own \
                  document does not speak of Pending.",
    }),
    Entry::station::<WhileRejected>(RuleInfo {
        id: "sequence/while-rejected",
        title: "a rejected station is silent",
        clause: "OCPP-1.6 4.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "A station that was told Rejected SHALL NOT send any OCPP message until the retry interval is over, \
                  and then BootNotification first; nor SHALL it respond to the CSMS meanwhile. A CALLERROR to \
                  a CALL of the CSMS is let pass: it carries nothing but the refusal.",
    }),
    Entry::station::<BootInterval>(RuleInfo {
        id: "sequence/boot-interval",
        title: "a refused station waits before it asks again",
        clause: "OCPP-1.6 4.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "After Rejected or Pending the interval of the response is the least time to the next \
                  BootNotification. For Rejected it is a SHALL (no message at all), for Pending a SHOULD, thus a \
                  warning. 5 % (at least half a second) of tolerance for clocks. Let pass: an interval of 0, a \
                  triggered BootNotification, a restart that the story caused, a link that the harness cut.",
    }),
    Entry::station::<BootFlood>(RuleInfo {
        id: "sequence/boot-flood",
        title: "a station does not flood the CSMS with BootNotifications",
        clause: "OCPP-1.6 4.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "Where the interval is 0 the station chooses its own pause, in a way that avoids flooding. The clause \
                  has no numbers; ten BootNotifications within ten seconds are a flood by any reading.",
    }),
    Entry::station::<BootAfterRestart>(RuleInfo {
        id: "sequence/boot-after-restart",
        title: "a station that restarted begins with BootNotification",
        clause: "OCPP-1.6 4.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "Each time it boots or reboots a station SHALL send a BootNotification, before any other request. \
                  Judged on the first CALL of a connection that came up after a restart which is known: a Reset that \
                  the station accepted and that ended its connection, or a power cycle or start by the driver after \
                  which the connection came anew.",
    }),
    Entry::station::<BootRepeated>(RuleInfo {
        id: "sequence/boot-repeated",
        title: "a mere reconnect brings no BootNotification",
        clause: "OCPP-1.6J 5.4",
        level: Level::Should,
        editions: OCPP16,
        explain: "The CSMS knows a station by its connection, so that after a reconnect there is nothing to announce \
                  unless something in the BootNotification changed. Judged only where the harness itself cut the link, \
                  the station was accepted, nothing made it restart, and the message is the same as before.",
    }),
];

/// How far the registration of the station has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum Gate {
    #[default]
    Unknown,
    /// The BootNotification waits for its answer, or got none that counts.
    Asked,
    Pending,
    Rejected,
    Accepted,
}

/// Follows the registration of a station under test.
#[derive(Debug, Default)]
struct Registration {
    started: bool,
    gate: Gate,
    /// The gate before a BootNotification that came in the middle of normal operation.
    asked_again: bool,
    calls_on_connection: u32,
    boot_triggered: bool,
    triggered: BTreeSet<String>,
}

impl Registration {
    /// The gate before this thing; call it first.
    fn gate(&mut self, context: &Context<'_>) -> Gate {
        if !std::mem::replace(&mut self.started, true) {
            self.gate = gate_of(fact(context, "boot"));
        }
        self.gate
    }

    /// Learns from one thing; call it after judging.
    fn see(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Event(event) => {
                if let What::Opened { .. } = &event.what {
                    self.calls_on_connection = 0;
                }
            }
            Seen::Call {
                from: Party::Dut,
                action,
                ..
            } => {
                if action == "BootNotification" {
                    let again = self.gate == Gate::Accepted
                        && (self.boot_triggered || self.calls_on_connection > 0 || self.asked_again);
                    self.asked_again = again;
                    self.boot_triggered = false;
                    if !again {
                        self.gate = Gate::Asked;
                    }
                }
                self.calls_on_connection += 1;
            }
            Seen::Call {
                from: Party::Us,
                action,
                payload,
                ..
            } => {
                self.triggered.extend(triggers(action, payload));
            }
            Seen::Answer {
                from: Party::Us,
                call,
                answer,
                ..
            } if call.action == "BootNotification" => {
                match gate_of(status(&answer)) {
                    Gate::Unknown => {}
                    gate => {
                        self.gate = gate;
                        self.triggered.clear();
                    }
                }
                self.asked_again = false;
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                ..
            } if call.action.ends_with("TriggerMessage") => {
                self.boot_triggered |= text(&call.payload, "requestedMessage") == Some("BootNotification");
            }
            _ => {}
        }
    }
}

fn gate_of(status: Option<&str>) -> Gate {
    match status {
        Some("Accepted") => Gate::Accepted,
        Some("Pending") => Gate::Pending,
        Some("Rejected") => Gate::Rejected,
        _ => Gate::Unknown,
    }
}

/// The actions that a station sends because of this CALL.
pub(in crate::rules) fn triggers(action: &str, payload: &Json) -> Vec<String> {
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    match action {
        "TriggerMessage" | "ExtendedTriggerMessage" => match text(payload, "requestedMessage") {
            Some("SignChargePointCertificate") => of(&["SignCertificate"]),
            Some("FirmwareStatusNotification") => {
                of(&["FirmwareStatusNotification", "SignedFirmwareStatusNotification"])
            }
            Some(message) => of(&[message]),
            None => Vec::new(),
        },
        "GetDiagnostics" => of(&["DiagnosticsStatusNotification"]),
        "UpdateFirmware" => of(&["FirmwareStatusNotification"]),
        "SignedUpdateFirmware" => of(&["SignedFirmwareStatusNotification"]),
        "GetLog" => of(&["LogStatusNotification"]),
        _ => Vec::new(),
    }
}

/// CALLs before the BootNotification is answered.
#[derive(Debug, Default)]
struct BeforeBoot {
    registration: Registration,
}

impl Check for BeforeBoot {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let gate = self.registration.gate(context);
        if let Some((action, _)) = seen.dut_call()
            && gate == Gate::Asked
            && action != "BootNotification"
            && !self.registration.triggered.contains(action)
        {
            let message = format!("{action} was sent before the BootNotification was answered");
            out.add(message, "no CALL before the station is accepted", action);
        }
        self.registration.see(seen);
    }
}

/// CALLs of a pending station.
#[derive(Debug, Default)]
struct WhilePending {
    registration: Registration,
}

impl Check for WhilePending {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let gate = self.registration.gate(context);
        if let Some((action, _)) = seen.dut_call()
            && gate == Gate::Pending
            && !matches!(action, "BootNotification" | "SecurityEventNotification")
            && !self.registration.triggered.contains(action)
        {
            let message = format!("a pending station sent {action} without being asked to");
            out.add(message, "only what TriggerMessage asked for", action);
        }
        self.registration.see(seen);
    }
}

/// What a rejected station says.
#[derive(Debug, Default)]
struct WhileRejected {
    registration: Registration,
}

impl Check for WhileRejected {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let gate = self.registration.gate(context);
        match seen {
            Seen::Call {
                from: Party::Dut,
                action,
                ..
            } if gate == Gate::Rejected && action != "BootNotification" => {
                out.add(
                    format!("a rejected station sent {action}"),
                    "silence, then BootNotification",
                    action,
                );
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer: AnswerSeen::Result(_),
                ..
            } if gate == Gate::Rejected => {
                let message = format!("a rejected station answered {}", call.action);
                out.add(message, "silence", "a CALLRESULT");
            }
            _ => {}
        }
        self.registration.see(seen);
    }
}

/// The pause before the next BootNotification.
#[derive(Debug, Default)]
struct BootInterval {
    refused: Option<Refusal>,
    restarts: Restarts,
    excused: bool,
}

#[derive(Debug)]
struct Refusal {
    at: Timestamp,
    interval: Duration,
    rejected: bool,
}

impl Check for BootInterval {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => {
                let Some(refusal) = self.refused.take() else {
                    return self.restarts.see(context, seen);
                };
                let tolerance = (refusal.interval / 20).max(Duration::from_millis(500));
                let waited = context.at.since(refusal.at);
                let early = waited + tolerance < refusal.interval;
                if early && !self.excused && !self.restarts.since(refusal.at) {
                    let expected = format!("at least {} after the refusal", shown(refusal.interval));
                    let finding = out.add("BootNotification came again too soon", expected, shown(waited));
                    if !refusal.rejected {
                        finding.level(Level::Should);
                    }
                }
            }
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(payload),
                ..
            } if call.action == "BootNotification" => {
                let refused = matches!(text(payload, "status"), Some("Pending" | "Rejected"));
                let interval = int(payload, "interval")
                    .and_then(|s| u64::try_from(s).ok())
                    .filter(|_| refused);
                let rejected = text(payload, "status") == Some("Rejected");
                self.excused = false;
                self.refused = interval.map(|seconds| Refusal {
                    at: context.at,
                    interval: Duration::from_secs(seconds.min(1_000_000)),
                    rejected,
                });
            }
            // Whether the trigger is accepted or not, the next BootNotification may be its doing.
            Seen::Call {
                from: Party::Us,
                action,
                payload,
                ..
            } => {
                self.excused |= triggers(action, payload)
                    .iter()
                    .any(|name| name == "BootNotification");
            }
            Seen::Event(event) => {
                let cut = matches!(
                    &event.what,
                    What::Link { .. } | What::Closed { by: Party::Us, .. }
                );
                self.excused |= cut;
            }
            _ => {}
        }
        self.restarts.see(context, seen);
    }
}

/// Too many BootNotifications.
#[derive(Debug, Default)]
struct BootFlood {
    sent: VecDeque<Timestamp>,
}

impl Check for BootFlood {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        const MANY: usize = 10;
        if seen.dut_call_of("BootNotification").is_none() {
            return;
        }
        self.sent.push_back(context.at);
        if self.sent.len() < MANY {
            return;
        }
        let first = self.sent.pop_front().unwrap_or(context.at);
        let span = context.at.since(first);
        if span <= Duration::from_secs(10) {
            out.add(
                "the station floods the CSMS with BootNotifications",
                "a pause",
                format!("{MANY} in {}", shown(span)),
            );
            self.sent.clear();
        }
    }
}

/// The first CALL after a restart.
#[derive(Debug, Default)]
struct BootAfterRestart {
    reset: bool,
    restarting: bool,
    due: bool,
}

impl Check for BootAfterRestart {
    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Event(event) => match &event.what {
                What::Asked { verb, .. } => {
                    self.restarting |= matches!(verb.as_str(), "station.power_cycle" | "station.start");
                }
                What::Closed { by: Party::Dut, .. } => self.restarting |= self.reset,
                What::Opened { .. } => self.due |= std::mem::take(&mut self.restarting),
                _ => {}
            },
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "Reset" => {
                self.reset = status(&answer) == Some("Accepted");
            }
            Seen::Call {
                from: Party::Dut,
                action,
                ..
            } => {
                if action == "BootNotification" {
                    *self = Self::default();
                } else if std::mem::take(&mut self.due) {
                    let message = format!("after its restart the station began with {action}");
                    out.add(message, "BootNotification", action);
                }
            }
            _ => {}
        }
    }
}

/// BootNotification on a mere reconnect.
#[derive(Debug, Default)]
struct BootRepeated {
    last: Option<Json>,
    restarts: Restarts,
    cut: Option<Timestamp>,
    reconnected: Option<Timestamp>,
}

impl Check for BootRepeated {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Event(event) => match &event.what {
                What::Closed { by: Party::Us, .. } => self.cut = Some(context.at),
                What::Closed { .. } => self.cut = None,
                What::Opened { .. } => self.reconnected = self.cut.take(),
                _ => {}
            },
            Seen::Call {
                from: Party::Dut,
                action,
                payload,
                ..
            } => {
                let cut = self.reconnected.take();
                if action == "BootNotification" {
                    let same = self
                        .last
                        .replace(payload.clone())
                        .is_some_and(|last| last == *payload);
                    let restarted =
                        cut.is_none_or(|cut| self.restarts.since(cut.minus(Duration::from_mins(10))));
                    if same && !restarted && fact(context, "boot") == Some("Accepted") {
                        let message =
                            "an accepted station sent the same BootNotification after a mere reconnect";
                        out.add(message, "no BootNotification", "BootNotification");
                    }
                }
            }
            _ => {}
        }
        self.restarts.see(context, seen);
    }
}
