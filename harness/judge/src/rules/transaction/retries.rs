//! How a station repeats transaction messages that failed.

use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::book::is_transaction;
use crate::rules::support::{Check, Entry, OCPP16, Restarts, int, number_fact, shown, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Changed>(RuleInfo {
        id: "transaction/retry-changed",
        title: "a message that failed is sent again as it was",
        clause: "OCPP-1.6 3.7.1",
        level: Level::Should,
        editions: OCPP16,
        explain: "A transaction message that failed SHOULD be sent again: the same message, with the time and the \
                  register of the event, not of the repetition. Judged where a StartTransaction or StopTransaction was \
                  answered with a CALLERROR, or lost with its connection, and the next one for the same connector and \
                  tag, or the same transaction, differs. Let pass: everything after a restart.",
    }),
    Entry::station::<Interval>(RuleInfo {
        id: "transaction/retry-interval",
        title: "repetitions of a failed message wait longer every time",
        clause: "OCPP-1.6 3.7.1",
        level: Level::Should,
        editions: OCPP16,
        explain: "Before every repetition a station SHOULD wait as many seconds as TransactionMessageRetryInterval says, \
                  times the number of transmissions so far. Judged after a CALLERROR on one connection, where the \
                  configuration is known from the trace, with 5 % (at least one second) of tolerance.",
    }),
    Entry::station::<Attempts>(RuleInfo {
        id: "transaction/retry-attempts",
        title: "a message that keeps failing is given up",
        clause: "OCPP-1.6 3.7.1",
        level: Level::Should,
        editions: OCPP16,
        explain: "After as many failures as TransactionMessageAttempts says, the station SHOULD discard the message and \
                  go on with the next. Only CALLERRORs count as failures, and only where the configuration is known \
                  from the trace. A value of 0 still allows the first transmission.",
    }),
];

/// A transaction message of the station.
fn message<'a>(seen: &Seen<'a>) -> Option<(u32, &'a str, &'a Json)> {
    match *seen {
        Seen::Call {
            conn,
            from: Party::Dut,
            action,
            payload,
            ..
        } if is_transaction(action) => Some((conn, action, payload)),
        _ => None,
    }
}

/// Repetitions that are not the same.
#[derive(Debug, Default)]
struct Changed {
    failed: Vec<(String, Json, Timestamp)>,
    restarts: Restarts,
}

impl Changed {
    fn fail(&mut self, action: &str, payload: &Json, at: Timestamp) {
        if matches!(action, "StartTransaction" | "StopTransaction") {
            self.failed.push((action.to_owned(), payload.clone(), at));
            if self.failed.len() > 64 {
                self.failed.remove(0);
            }
        }
    }
}

/// True where both tell of the same event.
fn is_same_event(action: &str, a: &Json, b: &Json) -> bool {
    if action == "StopTransaction" {
        let id = int(a, "transactionId");
        return id == int(b, "transactionId") && id != Some(-1);
    }
    int(a, "connectorId") == int(b, "connectorId") && text(a, "idTag") == text(b, "idTag")
}

impl Check for Changed {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Error { .. },
                ..
            } => {
                self.fail(&call.action, &call.payload, context.at);
            }
            Seen::Event(event) => {
                if let What::Closed { conn, .. } = &event.what {
                    let lost: Vec<_> = context.ledger.open_from(*conn, Party::Dut).cloned().collect();
                    for call in lost {
                        self.fail(&call.action, &call.payload, context.at);
                    }
                }
            }
            _ => {}
        }
        if let Some((_, action, payload)) = message(&seen) {
            let at = self
                .failed
                .iter()
                .position(|(failed, old, _)| failed == action && is_same_event(action, old, payload));
            if let Some((_, old, failed_at)) = at.map(|at| self.failed.remove(at)) {
                let fields = ["timestamp", "meterStart", "meterStop"];
                let changed = fields.iter().find(|field| old.get(field) != payload.get(field));
                if let Some(field) = changed.filter(|_| !self.restarts.since(failed_at)) {
                    let show = |json: &Json| json.get(field).map_or_else(String::new, Json::to_string);
                    let message = format!("{action} was sent again with another {field}");
                    out.add(message, show(&old), show(payload))
                        .at(format!("/{field}"));
                }
            }
            // The start was given up once its end is told.
            if action == "StopTransaction" {
                self.failed.retain(|(failed, ..)| failed != "StartTransaction");
            }
        }
        self.restarts.see(context, seen);
    }
}

/// The message that failed last, and how often it was sent.
#[derive(Debug, Default)]
struct Failing {
    last: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    conn: u32,
    action: String,
    payload: Json,
    sent: u32,
    refused: Option<Timestamp>,
}

impl Failing {
    /// The failure that this message repeats, if it does.
    fn repeated(&self, seen: &Seen<'_>) -> Option<&Failed> {
        let (conn, action, payload) = message(seen)?;
        let last = self.last.as_ref().filter(|last| last.refused.is_some())?;
        (last.conn == conn && last.action == action && last.payload == *payload).then_some(last)
    }

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        if let Some((conn, action, payload)) = message(&seen) {
            let again = self
                .last
                .take()
                .filter(|last| last.action == action && last.payload == *payload);
            let sent = again.map_or(1, |last| last.sent + 1);
            let (action, payload) = (action.to_owned(), payload.clone());
            self.last = Some(Failed {
                conn,
                action,
                payload,
                sent,
                refused: None,
            });
        }
        if let Seen::Answer {
            from: Party::Us,
            call,
            answer,
            ..
        } = seen
            && is_transaction(&call.action)
        {
            match answer {
                AnswerSeen::Result(_) => self.last = None,
                AnswerSeen::Error { .. } => {
                    if let Some(last) = &mut self.last {
                        last.refused = Some(context.at);
                    }
                }
            }
        }
    }
}

/// Repetitions too soon.
#[derive(Debug, Default)]
struct Interval {
    failing: Failing,
}

impl Check for Interval {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let interval = number_fact(context, "config.TransactionMessageRetryInterval");
        if let Some(last) = self.failing.repeated(&seen)
            && let Some(interval) = interval
                .and_then(|s| u32::try_from(s).ok())
                .filter(|s| *s < 1_000_000)
        {
            let due = Duration::from_secs(u64::from(interval)) * last.sent.min(1000);
            let waited = context.at.since(last.refused.unwrap_or(context.at));
            if waited + (due / 20).max(Duration::from_secs(1)) < due {
                let message = format!(
                    "{} was repeated too soon, after {} transmissions",
                    last.action, last.sent
                );
                out.add(message, format!("a pause of {}", shown(due)), shown(waited));
            }
        }
        self.failing.see(context, seen);
    }
}

/// Repetitions without end.
#[derive(Debug, Default)]
struct Attempts {
    failing: Failing,
}

impl Check for Attempts {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let most = number_fact(context, "config.TransactionMessageAttempts");
        if let Some(last) = self.failing.repeated(&seen)
            && let Some(most) = most.filter(|most| *most >= 0)
            && i64::from(last.sent) == most.max(1)
        {
            let message = format!("{} was sent more often than configured", last.action);
            let expected = format!("at most {} transmissions", most.max(1));
            out.add(message, expected, format!("transmission {}", last.sent + 1));
        }
        self.failing.see(context, seen);
    }
}
