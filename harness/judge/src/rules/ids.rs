//! Message ids: a new one for every CALL.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::Party;

use super::support::{Bounded, Check, Entry, OCPP16, short, shown};
use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};

/// Nobody's time-out is shorter: a CALL repeated sooner was not repeated because of one.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) static RULES: &[Entry] = &[
    Entry::both::<Reuse<true>>(RuleInfo {
        id: "ids/reused",
        title: "a CALL has an id that its sender has not used on this connection",
        clause: "OCPP-1.6J 4.1.4",
        level: Level::Must,
        editions: OCPP16,
        explain: "The id tells which CALL an answer belongs to, so that two CALLs of one side on one connection must \
                  not share it. The errata of 2025-04 (OCPP-1.6J-errata 3.1) let a message that got no answer be sent \
                  again under its old id: that passes after a CALLERROR, and without an answer once two seconds have \
                  gone by, as no sane time-out is shorter. Ids used before the trace began are not known and prove nothing.",
    }),
    Entry::both::<Reuse<false>>(RuleInfo {
        id: "ids/reused-across-connections",
        title: "a CALL has an id that its sender has not used for this station at all",
        clause: "OCPP-1.6J-errata 3.1",
        level: Level::Contested,
        editions: OCPP16,
        explain: "The published text (OCPP-1.6J 4.1.4) asks for ids that are unique on one connection; the errata of \
                  2025-04 ask for ids that are unique over all connections of one station identity. A counter that \
                  begins at 1 after every reconnect keeps the first reading and breaks the second: a warning. An \
                  unanswered message that is sent again after a reconnect may keep its id in both.",
    }),
];

/// What an id was used for.
#[derive(Debug)]
struct Use {
    conn: u32,
    at: Timestamp,
    what: u64,
    answer: Answer,
}

/// What became of a CALL.
#[derive(Debug, PartialEq)]
enum Answer {
    None,
    Result,
    Error,
}

/// Ids used again: on the same connection, or on another one of the identity.
#[derive(Debug, Default)]
struct Reuse<const SAME: bool> {
    used: Bounded<String, Use>,
}

impl<const SAME: bool> Check for Reuse<SAME> {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Call {
                conn,
                from: Party::Dut,
                id,
                action,
                payload,
            } => {
                let what = fingerprint(action, payload);
                let new = Use {
                    conn,
                    at: context.at,
                    what,
                    answer: Answer::None,
                };
                let Some(old) = self.used.insert(id.to_owned(), new) else {
                    return;
                };
                if (old.conn == conn) != SAME {
                    return;
                }
                let age = context.at.since(old.at);
                let retry = match old.answer {
                    Answer::None => !SAME || age >= SHORTEST_TIMEOUT,
                    Answer::Error => true,
                    Answer::Result => false,
                };
                if retry && old.what == what {
                    return;
                }
                let message = match old.answer {
                    Answer::None if old.what == what => {
                        format!(
                            "the same CALL came again after {}, before it can have timed out",
                            shown(age)
                        )
                    }
                    Answer::None => format!("the id belongs to another CALL, sent {} ago", shown(age)),
                    _ => format!(
                        "the id belonged to a CALL that was answered, sent {} ago",
                        shown(age)
                    ),
                };
                let message = if SAME {
                    message
                } else {
                    format!("{message} on an earlier connection")
                };
                out.add(message, "an id not used before", short(id));
            }
            Seen::Answer {
                from: Party::Us,
                call,
                answer,
                ..
            } => {
                if let Some(used) = self.used.get_mut(call.id.as_str()) {
                    used.answer = match answer {
                        AnswerSeen::Result(_) => Answer::Result,
                        AnswerSeen::Error { .. } => Answer::Error,
                    };
                }
            }
            _ => {}
        }
    }
}

fn fingerprint(action: &str, payload: &Json) -> u64 {
    let mut hasher = DefaultHasher::new();
    action.hash(&mut hasher);
    payload.to_string().hash(&mut hasher);
    hasher.finish()
}
