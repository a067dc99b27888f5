//! Triggered messages: after the answer, only where it was yes, and true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, fact, int, status, text};

/// What is triggered comes soon after; a message that comes later was not brought by it.
const SOON: Duration = Duration::from_mins(1);

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Order>(RuleInfo {
        id: "correlation/trigger-order",
        title: "a trigger is answered before its message comes",
        clause: "OCPP-1.6 5.17",
        level: Level::Must,
        editions: OCPP16,
        explain: "The station SHALL first answer TriggerMessage and then send what it was asked for. Judged by messages \
                  that only a trigger can bring: a diagnostics or firmware status Idle, meter values with the context \
                  Trigger, while the only trigger for them is not answered yet.",
    }),
    Entry::station::<Refused>(RuleInfo {
        id: "correlation/trigger-refused",
        title: "a trigger that was refused brings nothing",
        clause: "OCPP-1.6 5.17, 7.35",
        level: Level::Must,
        editions: OCPP16,
        explain: "With its answer the station SHALL indicate whether it will send the message. Judged by messages that \
                  only a trigger can bring (Idle, samples with the context Trigger), where the last trigger for them \
                  was answered with Rejected or NotImplemented, or there was none since the connection came up.",
    }),
    Entry::station::<NotImplemented>(RuleInfo {
        id: "correlation/trigger-not-implemented",
        title: "NotImplemented is for messages that the station does not have",
        clause: "OCPP-1.6 5.17, 7.44",
        level: Level::Must,
        editions: OCPP16,
        explain: "NotImplemented says that the requested message is unknown or not implemented. Broken where the station \
                  itself has sent such a message in the trace. Not judged for a station that does not have the profile.",
    }),
    Entry::station::<Status>(RuleInfo {
        id: "correlation/trigger-status",
        title: "a triggered status is the one that was told last",
        clause: "OCPP-1.6 5.17",
        level: Level::Should,
        editions: OCPP16,
        explain: "A trigger brings the state of now, and a station reports each change of it by itself. Where nothing has \
                  happened since a status was told (no hand, no request but for reading, no message of a transaction), \
                  a triggered one that differs in status or error code makes one of the two wrong. A warning: the \
                  state may have changed at that very moment. Not judged where MinimumStatusDuration may hide a status.",
    }),
];

/// What the triggers for one message have come to.
#[derive(Debug, Default, Clone, Copy)]
struct Asked {
    /// When one was last accepted.
    accepted: Option<Timestamp>,
    /// The last one was refused, and no such message has come since.
    refused: bool,
}

impl Asked {
    /// True where one was accepted so shortly before that its message may still come.
    fn is_due(self, context: &Context<'_>) -> bool {
        self.accepted.is_some_and(|at| context.at.since(at) <= SOON)
    }
}

/// Triggers by the message that they ask for.
#[derive(Debug, Default)]
struct Triggers {
    asked: BTreeMap<String, Asked>,
    /// The connection came up in this trace, so that no trigger from before it can be open.
    complete: bool,
}

impl Triggers {
    /// Learns from one thing. Call it after judging.
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        match seen {
            Seen::Event(event) => self.complete |= matches!(event.what, What::Opened { .. }),
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if is_trigger(&call.action) => {
                let Some(message) = text(&call.payload, "requestedMessage") else {
                    return;
                };
                if self.asked.len() > 64 {
                    self.asked.clear();
                }
                let asked = self.asked.entry(message.to_owned()).or_default();
                if status(&answer) == Some("Accepted") {
                    (asked.accepted, asked.refused) = (Some(context.at), false);
                } else {
                    asked.refused = true;
                }
            }
            Seen::Call {
                from: Party::Dut,
                action,
                ..
            } => {
                if let Some(asked) = self.asked.get_mut(action) {
                    asked.refused = false;
                }
            }
            _ => {}
        }
    }

    fn of(&self, message: &str) -> Asked {
        self.asked.get(message).copied().unwrap_or_default()
    }
}

fn is_trigger(action: &str) -> bool {
    matches!(action, "TriggerMessage" | "ExtendedTriggerMessage")
}

/// True for a message that only a trigger can bring.
fn is_triggered(action: &str, payload: &Json) -> bool {
    match action {
        "DiagnosticsStatusNotification" | "FirmwareStatusNotification" => {
            text(payload, "status") == Some("Idle")
        }
        "MeterValues" => {
            let values = payload.get("meterValue").and_then(Json::as_array);
            let samples = |value: &Json| {
                let samples = value.get("sampledValue").and_then(Json::as_array);
                let says = |sample: &Json| text(sample, "context") == Some("Trigger");
                samples.is_some_and(|samples| samples.iter().any(says))
            };
            values.is_some_and(|values| values.iter().any(samples))
        }
        _ => false,
    }
}

/// The triggered message of the station, if this is one.
fn triggered<'a>(seen: &Seen<'a>) -> Option<&'a str> {
    match *seen {
        Seen::Call {
            from: Party::Dut,
            action,
            payload,
            ..
        } => is_triggered(action, payload).then_some(action),
        _ => None,
    }
}

/// True while a trigger of ours for that message waits for its answer.
fn is_open(context: &Context<'_>, message: &str) -> bool {
    context.ledger.open().any(|call| {
        call.from == Party::Us
            && is_trigger(&call.action)
            && text(&call.payload, "requestedMessage") == Some(message)
    })
}

/// Messages before the answer.
#[derive(Debug, Default)]
struct Order {
    triggers: Triggers,
}

impl Check for Order {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some(action) = triggered(&seen)
            && is_open(context, action)
            && !self.triggers.of(action).is_due(context)
        {
            let message = format!("{action} came before the trigger for it was answered");
            out.add(message, "the answer to TriggerMessage first", action);
        }
        self.triggers.see(context, seen);
    }
}

/// Messages that should not have come.
#[derive(Debug, Default)]
struct Refused {
    triggers: Triggers,
}

impl Check for Refused {
    const WANTS: u8 = Wants::EVENT | Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some(action) = triggered(&seen)
            && !is_open(context, action)
        {
            let asked = self.triggers.of(action);
            // Idle without any trigger has a rule of its own.
            let unasked = self.triggers.complete && asked.accepted.is_none() && action == "MeterValues";
            if !asked.is_due(context) && (asked.refused || unasked) {
                let why = if asked.refused {
                    "after the trigger for it had been refused"
                } else {
                    "and says that it was triggered, which it was not"
                };
                out.add(format!("{action} came {why}"), "nothing", action);
            }
        }
        self.triggers.see(context, seen);
    }
}

/// Messages that are implemented after all.
#[derive(Debug, Default)]
struct NotImplemented {
    sent: BTreeSet<String>,
}

impl Check for NotImplemented {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Call {
                from: Party::Dut,
                action,
                ..
            } if self.sent.len() < 64 => {
                self.sent.insert(action.to_owned());
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "TriggerMessage" && status(&answer) == Some("NotImplemented") => {
                let lacks = fact(context, "config.SupportedFeatureProfiles")
                    .is_some_and(|profiles| !profiles.contains("RemoteTrigger"));
                let message = text(&call.payload, "requestedMessage").unwrap_or_default();
                if self.sent.contains(message) && !lacks {
                    let told = format!("{message} is called not implemented, and the station has sent it");
                    out.add(told, "Accepted or Rejected", "NotImplemented")
                        .at("/status");
                }
            }
            _ => {}
        }
    }
}

/// Triggered statuses that differ.
#[derive(Debug, Default)]
struct Status {
    /// Triggers that were accepted and not fulfilled: the connector, if one was named, and when.
    due: Vec<(Option<i64>, Timestamp)>,
    /// Status and error code as told last, and acknowledged, with nothing since.
    told: BTreeMap<i64, (String, String)>,
}

impl Check for Status {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Event(event) => {
                if matches!(
                    event.what,
                    What::Asked { .. }
                        | What::Performed { .. }
                        | What::Closed { .. }
                        | What::Opened { .. }
                        | What::Process { .. }
                ) {
                    self.told.clear();
                }
            }
            Seen::Call {
                from: Party::Us,
                action,
                ..
            } => {
                if !is_trigger(action) && !action.starts_with("Get") {
                    self.told.clear();
                }
            }
            Seen::Call {
                from: Party::Dut,
                action: "StatusNotification",
                payload,
                ..
            } => self.notified(context, payload, out),
            Seen::Call {
                from: Party::Dut,
                action,
                ..
            } => {
                if !matches!(action, "Heartbeat" | "MeterValues") {
                    self.told.clear();
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if is_trigger(&call.action)
                && status(&answer) == Some("Accepted")
                && text(&call.payload, "requestedMessage") == Some("StatusNotification") =>
            {
                if self.due.len() < 64 {
                    self.due.push((int(&call.payload, "connectorId"), context.at));
                }
            }
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(_),
                ..
            } if call.action == "StatusNotification" => self.acknowledged(&call.payload),
            _ => {}
        }
    }
}

impl Status {
    fn notified(&mut self, context: &Context<'_>, payload: &Json, out: &mut Findings) {
        let Some(connector) = int(payload, "connectorId") else {
            return;
        };
        let before = self.told.remove(&connector);
        self.due.retain(|(_, since)| context.at.since(*since) <= SOON);
        let due = self
            .due
            .iter()
            .position(|(wanted, _)| wanted.is_none_or(|wanted| wanted == connector));
        let Some(due) = due else { return };
        if self.due[due].0.is_some() {
            self.due.remove(due);
        }
        let hidden = fact(context, "config.MinimumStatusDuration").is_some_and(|value| value.trim() != "0");
        let Some(before) = before.filter(|_| !hidden) else {
            return;
        };
        let now = read(payload);
        if now != before {
            let message = format!("connector {connector} was triggered and tells another state than before");
            let shown = |(status, error): &(String, String)| format!("{status} with {error}");
            let at = if now.0 == before.0 {
                "/errorCode"
            } else {
                "/status"
            };
            out.add(message, shown(&before), shown(&now)).at(at);
        }
    }

    fn acknowledged(&mut self, payload: &Json) {
        if let Some(connector) = int(payload, "connectorId")
            && self.told.len() < 1024
        {
            self.told.insert(connector, read(payload));
        }
    }
}

fn read(payload: &Json) -> (String, String) {
    let field = |name: &str| text(payload, name).unwrap_or_default().to_owned();
    (field("status"), field("errorCode"))
}
