//! Why a transaction stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use plugfest_protocol::Timestamp;
use plugfest_trace::{Party, What};

use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen};
use crate::rules::book::Book;
use crate::rules::support::{Check, Entry, OCPP16, instant, int, status, text};

pub(in crate::rules) static RULES: &[Entry] = &[Entry::station::<StopReason>(RuleInfo {
    id: "transaction/stop-reason",
    title: "StopTransaction says why",
    clause: "OCPP-1.6 4.10, 6.49, 7.36",
    level: Level::Should,
    editions: OCPP16,
    explain: "Where a transaction did not end in the normal way, reason SHOULD be right, and it may only be left out where \
              it is Local. Judged where the cause is plain: an accepted RemoteStopTransaction (Remote), Reset (SoftReset, \
              HardReset) or UnlockConnector (UnlockCommand), or a power cut by the driver (PowerLoss). After a hard reset \
              or a power cut PowerLoss, Reboot and Other are taken too, as a station may not be able to tell. Let pass: \
              transactions that tell of an earlier end, and those where a person did something after the cause or within ten seconds before.",
})];

/// What made a transaction end.
#[derive(Debug, Clone, Copy)]
struct Cause {
    at: Timestamp,
    reasons: &'static [&'static str],
}

/// Reasons that do not fit their cause.
#[derive(Debug, Default)]
struct StopReason {
    book: Book,
    causes: BTreeMap<i64, Cause>,
    /// When a person last did something that may have ended a transaction.
    acted: Option<Timestamp>,
}

impl StopReason {
    fn all(&mut self, at: Timestamp, reasons: &'static [&'static str]) {
        let open: Vec<i64> = self.book.open().map(|tx| tx.id).collect();
        for id in open {
            self.causes.entry(id).or_insert(Cause { at, reasons });
        }
    }
}

impl Check for StopReason {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        match seen {
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what {
                    match verb.as_str() {
                        // Without a connection a transaction may have ended before, and the message waits.
                        "station.power_cycle" if context.ledger.link_of(context.identity).is_some() => {
                            self.all(context.at, &["PowerLoss", "Reboot", "Other"]);
                        }
                        _ if verb.starts_with("ev.")
                            || verb.starts_with("token.")
                            || verb.starts_with("user.") =>
                        {
                            self.acted = Some(context.at);
                            self.causes.clear();
                        }
                        _ => {}
                    }
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } => match (call.action.as_str(), status(&answer)) {
                ("RemoteStopTransaction", Some("Accepted")) => {
                    if let Some(id) = int(&call.payload, "transactionId") {
                        self.causes.entry(id).or_insert(Cause {
                            at: context.at,
                            reasons: &["Remote"],
                        });
                    }
                }
                ("Reset", Some("Accepted")) => match text(&call.payload, "type") {
                    Some("Hard") => self.all(context.at, &["HardReset", "PowerLoss", "Reboot", "Other"]),
                    _ => self.all(context.at, &["SoftReset"]),
                },
                ("UnlockConnector", Some("Unlocked")) => {
                    let open =
                        int(&call.payload, "connectorId").and_then(|connector| self.book.open_on(connector));
                    if let Some(id) = open.map(|tx| tx.id) {
                        self.causes.entry(id).or_insert(Cause {
                            at: context.at,
                            reasons: &["UnlockCommand"],
                        });
                    }
                }
                _ => {}
            },
            Seen::Call {
                from: Party::Dut,
                action: "StopTransaction",
                payload,
                ..
            } => {
                let cause = int(payload, "transactionId").and_then(|id| self.causes.remove(&id));
                let reason = text(payload, "reason").unwrap_or("Local");
                let acted = |at: Timestamp| {
                    self.acted
                        .is_some_and(|acted| at.since(acted) < Duration::from_secs(10))
                };
                if let Some(cause) = cause.filter(|cause| !acted(cause.at))
                    && !cause.reasons.contains(&reason)
                    && instant(payload, "timestamp").is_some_and(|at| at + Duration::from_secs(2) >= cause.at)
                {
                    let told = text(payload, "reason").unwrap_or("no reason, which means Local");
                    let message = "StopTransaction gives another reason than what made it stop";
                    out.add(message, cause.reasons.join(" or "), told).at("/reason");
                }
            }
            _ => {}
        }
        if self.causes.len() > 1024 {
            self.causes.pop_first();
        }
        self.book.see(context, seen);
    }
}
