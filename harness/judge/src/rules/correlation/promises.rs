//! An accepted request is carried out.

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use super::promise::Promises;
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::book::Book;
use crate::rules::support::{
    Check, Entry, OCPP16, action_timeout, connectors, int, reboot_timeout, shown, status, text,
};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Trigger>(RuleInfo {
        id: "correlation/trigger",
        title: "an accepted trigger brings its message",
        clause: "OCPP-1.6 5.17",
        level: Level::Should,
        editions: OCPP16,
        explain: "Messages that a station marks as accepted SHOULD be sent, for the connector that was asked for, and a \
                  StatusNotification without one for the station and all its connectors, where NumberOfConnectors is \
                  known. One that was sent by itself meanwhile counts. Time: `timeout.action`, 60 s by default. Not judged while the \
                  station may be held up: no connection, an answer of ours withheld, a restart.",
    }),
    Entry::station::<RemoteStop>(RuleInfo {
        id: "correlation/remote-stop",
        title: "an accepted remote stop stops the transaction",
        clause: "OCPP-1.6 5.12",
        level: Level::Must,
        editions: OCPP16,
        explain: "The transaction SHALL be stopped, and the station SHALL send StopTransaction for it. Time: \
                  `timeout.action`, 60 s by default. Not judged while the station may be held up: no connection, an \
                  answer of ours withheld, failing transaction messages, a restart.",
    }),
    Entry::station::<RemoteStopUnknown>(RuleInfo {
        id: "correlation/remote-stop-unknown",
        title: "a remote stop is accepted for a transaction that is going on",
        clause: "OCPP-1.6 5.12",
        level: Level::Must,
        editions: OCPP16,
        explain: "Accepted says that a transaction with that id is ongoing and will be stopped. Judged for transactions \
                  whose StopTransaction was acknowledged, and for ids that were never given where no transaction from \
                  before the trace can be open.",
    }),
    Entry::station::<Reset>(RuleInfo {
        id: "correlation/reset",
        title: "an accepted hard reset is carried out",
        clause: "OCPP-1.6 5.14",
        level: Level::Must,
        editions: OCPP16,
        explain: "With Accepted a station says that it will reset itself, and after that it SHALL send a BootNotification \
                  (OCPP-1.6 4.2). Only a hard reset restarts for certain: after a soft one the text merely should like \
                  to see the application restarted. Broken where it stays connected for `timeout.reboot` (300 s by default) without one. \
                  A station that goes and does not come back is another matter.",
    }),
    Entry::station::<ResetStops>(RuleInfo {
        id: "correlation/reset-stops-transactions",
        title: "a soft reset stops the transactions",
        clause: "OCPP-1.6 5.14",
        level: Level::Must,
        editions: OCPP16,
        explain: "At a soft reset a station SHALL stop ongoing transactions gracefully and send StopTransaction for each; \
                  what it cannot deliver it queues. Broken where it has been accepted again for `timeout.action` (60 s \
                  by default) and the message has not come. Not judged while the station may be held up, or where \
                  a transaction message failed.",
    }),
    Entry::station::<UnlockUnknown>(RuleInfo {
        id: "correlation/unlock-unknown",
        title: "a connector that does not exist cannot be unlocked",
        clause: "OCPP-1.6 7.46",
        level: Level::Must,
        editions: OCPP16,
        explain: "NotSupported is the answer where the station has no lock or the connector is not known; UnlockFailed is \
                  for locks that were tried. Judged where NumberOfConnectors is known from the trace.",
    }),
    Entry::station::<UnlockStops>(RuleInfo {
        id: "correlation/unlock-stops-transaction",
        title: "unlocking a connector ends its transaction",
        clause: "OCPP-1.6 5.18",
        level: Level::Must,
        editions: OCPP16,
        explain: "If a transaction was in progress on the connector, the station SHALL finish it first. Broken where \
                  Unlocked was answered and no StopTransaction has come within `timeout.action` (60 s by default). Not \
                  judged while the station may be held up.",
    }),
];

/// The message that a trigger asks for, and the connector.
fn asked(payload: &Json) -> Option<(String, Option<i64>)> {
    let message = match text(payload, "requestedMessage")? {
        "SignChargePointCertificate" => "SignCertificate",
        other => other,
    };
    let connector = int(payload, "connectorId");
    let about_connectors = matches!(message, "StatusNotification" | "MeterValues");
    Some((message.to_owned(), connector.filter(|_| about_connectors)))
}

/// Triggers.
#[derive(Debug, Default)]
struct Trigger {
    due: Promises<(String, Option<i64>)>,
    meanwhile: Vec<(String, Option<i64>)>,
}

impl Check for Trigger {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.due.see(seen);
        for (age, (message, connector)) in self.due.overdue(context, action_timeout) {
            let place = connector.map_or_else(String::new, |connector| format!(" for connector {connector}"));
            let told = format!("the trigger for {message}{place} was accepted and the message did not come");
            out.add(
                told,
                format!("{message} within {}", shown(action_timeout(context))),
                format!("nothing for {}", shown(age)),
            );
        }
        match seen {
            Seen::Call {
                from: Party::Us,
                action: "TriggerMessage" | "ExtendedTriggerMessage",
                ..
            } => {
                self.meanwhile.clear();
            }
            Seen::Call {
                from: Party::Dut,
                action,
                payload,
                ..
            } => {
                let connector = int(payload, "connectorId");
                let fits = |(message, wanted): &(String, Option<i64>)| {
                    let same = message == action || action == format!("Signed{message}");
                    same && (wanted.is_none() || *wanted == connector)
                };
                self.due.settle(fits);
                if self.meanwhile.len() < 256 {
                    self.meanwhile.push((action.to_owned(), connector));
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action.ends_with("TriggerMessage") => {
                let Some((message, connector)) =
                    asked(&call.payload).filter(|_| status(&answer) == Some("Accepted"))
                else {
                    return;
                };
                let all = connectors(context).filter(|_| message == "StatusNotification");
                let wanted: Vec<Option<i64>> = match (connector, all) {
                    (None, Some(most)) => (0..=most.min(64)).map(Some).collect(),
                    _ => vec![connector],
                };
                for wanted in wanted {
                    let came = |(action, connector): &(String, Option<i64>)| {
                        *action == message && (wanted.is_none() || *connector == wanted)
                    };
                    if !self.meanwhile.iter().any(came) {
                        self.due.add(context, (message.clone(), wanted));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Remote stops that are not carried out.
#[derive(Debug, Default)]
struct RemoteStop {
    due: Promises<i64>,
}

impl Check for RemoteStop {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.due.see(seen);
        stopped(&mut self.due, seen);
        for (age, id) in self.due.overdue(context, action_timeout) {
            let message = format!("the remote stop of transaction {id} was accepted and not carried out");
            let expected = format!("StopTransaction within {}", shown(action_timeout(context)));
            out.add(message, expected, format!("nothing for {}", shown(age)));
        }
        if let Some((call, answer)) = seen.dut_answer()
            && call.action == "RemoteStopTransaction"
            && status(&answer) == Some("Accepted")
            && let Some(id) = int(&call.payload, "transactionId")
            && context
                .facts
                .under("transaction")
                .any(|(_, open)| open.as_i64() == Some(id))
        {
            self.due.add(context, id);
        }
    }
}

fn stopped(due: &mut Promises<i64>, seen: Seen<'_>) {
    if let Some(payload) = seen.dut_call_of("StopTransaction") {
        let id = int(payload, "transactionId");
        due.settle(|open| Some(*open) == id);
    }
}

/// Remote stops of what is not going on.
#[derive(Debug, Default)]
struct RemoteStopUnknown {
    book: Book,
}

impl Check for RemoteStopUnknown {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some((call, answer)) = seen.dut_answer()
            && call.action == "RemoteStopTransaction"
            && status(&answer) == Some("Accepted")
            && let Some(id) = int(&call.payload, "transactionId")
        {
            let why = match self.book.by_id(id) {
                Some(tx) => {
                    let acknowledged = tx.stop.as_ref().and_then(|stop| stop.answered);
                    acknowledged
                        .filter(|at| *at < call.at)
                        .map(|_| "it has been stopped before")
                }
                None => self.book.is_complete(context).then_some("there never was one"),
            };
            if let Some(why) = why {
                let message = format!("the remote stop of transaction {id} was accepted, but {why}");
                out.add(message, "Rejected", "Accepted").at("/status");
            }
        }
        self.book.see(context, seen);
    }
}

/// Resets that do not happen.
#[derive(Debug, Default)]
struct Reset {
    due: Option<Timestamp>,
}

impl Check for Reset {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some(since) = self.due
            && let timeout = reboot_timeout(context)
            && context.at.since(since) > timeout
        {
            self.due = None;
            let expected = format!("BootNotification within {}", shown(timeout));
            let age = shown(context.at.since(since));
            out.add(
                "a reset was accepted and not carried out",
                expected,
                format!("neither for {age}"),
            );
        }
        match seen {
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "Reset"
                && call.payload.get("type").and_then(Json::as_str) == Some("Hard") =>
            {
                self.due = (status(&answer) == Some("Accepted")).then_some(context.at);
            }
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.due = None,
            Seen::Event(event) if matches!(event.what, What::Closed { .. } | What::Closing { .. }) => {
                self.due = None;
            }
            _ => {}
        }
    }
}

/// Transactions that a soft reset should have stopped.
#[derive(Debug, Default)]
struct ResetStops {
    book: Book,
    stopping: Vec<i64>,
    due: Promises<i64>,
}

impl Check for ResetStops {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        self.due.see(seen);
        stopped(&mut self.due, seen);
        for (age, id) in self.due.overdue(context, action_timeout) {
            if !self.book.has_failed() {
                let message = format!("a soft reset did not stop transaction {id}");
                let expected = format!(
                    "StopTransaction within {} of the restart",
                    shown(action_timeout(context))
                );
                out.add(message, expected, format!("nothing for {}", shown(age)));
            }
        }
        match seen {
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "Reset" => {
                let soft = text(&call.payload, "type") == Some("Soft") && status(&answer) == Some("Accepted");
                self.stopping = if soft {
                    self.book.open().map(|tx| tx.id).collect()
                } else {
                    Vec::new()
                };
            }
            Seen::Call {
                from: Party::Dut,
                action: "StopTransaction",
                payload,
                ..
            } => {
                let id = int(payload, "transactionId");
                self.stopping.retain(|open| Some(*open) != id);
            }
            Seen::Answer {
                from: Party::Us,
                call,
                answer,
                ..
            } if call.action == "BootNotification" && status(&answer) == Some("Accepted") => {
                for id in std::mem::take(&mut self.stopping) {
                    self.due.add(context, id);
                }
            }
            _ => {}
        }
        self.book.see(context, seen);
    }
}

/// Connectors that do not exist.
#[derive(Debug, Default)]
struct UnlockUnknown;

impl Check for UnlockUnknown {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, result)) = seen.dut_result() else {
            return;
        };
        let (Some(connector), Some(most)) = (int(&call.payload, "connectorId"), connectors(context)) else {
            return;
        };
        let answered = text(result, "status").unwrap_or_default();
        let real = matches!(answered, "Unlocked" | "UnlockFailed");
        if call.action == "UnlockConnector" && connector > most && real {
            let message = format!("connector {connector} does not exist, there are {most}");
            out.add(message, "NotSupported", answered).at("/status");
        }
    }
}

/// Transactions that unlocking should have stopped.
#[derive(Debug, Default)]
struct UnlockStops {
    due: Promises<i64>,
}

impl Check for UnlockStops {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.due.see(seen);
        stopped(&mut self.due, seen);
        for (age, id) in self.due.overdue(context, action_timeout) {
            let message = format!("the connector was unlocked and its transaction {id} goes on");
            let expected = format!("StopTransaction within {}", shown(action_timeout(context)));
            out.add(message, expected, format!("nothing for {}", shown(age)));
        }
        if let Some((call, answer)) = seen.dut_answer()
            && call.action == "UnlockConnector"
            && status(&answer) == Some("Unlocked")
            && let Some(connector) = int(&call.payload, "connectorId")
            && let Some(id) = context
                .facts
                .fact(&format!("transaction.{connector}"))
                .and_then(Json::as_i64)
        {
            self.due.add(context, id);
        }
    }
}
