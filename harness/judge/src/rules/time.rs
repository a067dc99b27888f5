//! Clocks: timestamps that can be true, and heartbeats at their interval.

use std::collections::VecDeque;
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use super::support::{
    Away, Bounded, Check, Entry, OCPP16, clock_tolerance, fact, instant, number_fact, shown, status, text,
};
use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};

/// OCPP 1.6 was released on 2015-10-08: nothing that speaks it can have happened before.
const FIRST_DAY: Timestamp = Timestamp::from_secs(1_444_262_400);

pub(super) static RULES: &[Entry] = &[
    Entry::station::<BeforeTime>(RuleInfo {
        id: "time/before-the-standard",
        title: "a timestamp lies after the release of the standard",
        clause: "OCPP-1.6 3.15",
        level: Level::Must,
        editions: OCPP16,
        explain: "A timestamp tells when something happened. Dates before 8 October 2015, when OCPP 1.6 was released, \
                  come from clocks that were never set (1970-01-01, 2000-01-01). Judged once the station is accepted, \
                  as it then has been told the time (OCPP-1.6 4.2); the clause of the finding is the message's own.",
    }),
    Entry::station::<Future>(RuleInfo {
        id: "time/future",
        title: "a timestamp lies not in the future",
        clause: "OCPP-1.6 4.2",
        level: Level::Should,
        editions: OCPP16,
        explain: "What a station reports has happened. It is RECOMMENDED that it sets its clock by the time in the \
                  responses to BootNotification and Heartbeat; more than `tolerance.clock` (300 s by default) ahead of \
                  the harness, and of the time that the harness told, is a warning.",
    }),
    Entry::station::<Past>(RuleInfo {
        id: "time/past",
        title: "a message that is sent at once has the time of now",
        clause: "OCPP-1.6 4.2",
        level: Level::Should,
        editions: OCPP16,
        explain: "Messages may be late for good reasons: queued offline, retried, delayed by a minimum status \
                  duration. Judged are only StartTransactions for a tag that was authorised or started remotely within \
                  the last minute, so that they cannot be old. More than `tolerance.clock` (300 s by default) behind \
                  that moment is a warning: the clock is wrong, by a time zone perhaps.",
    }),
    Entry::csms::<CurrentTime>(RuleInfo {
        id: "time/current-time",
        title: "a CSMS tells the current time",
        clause: "OCPP-1.6 4.6, 6.4, 6.30",
        level: Level::Must,
        editions: OCPP16,
        explain: "The responses to BootNotification and Heartbeat contain the current time of the CSMS, by which \
                  stations set their clocks. More than `tolerance.clock` (300 s by default) off in either direction is \
                  not the current time.",
    }),
    Entry::station::<HeartbeatLate>(RuleInfo {
        id: "time/heartbeat-late",
        title: "a station gives a sign of life at the agreed interval",
        clause: "OCPP-1.6 4.6",
        level: Level::Should,
        editions: OCPP16,
        explain: "A station sends a Heartbeat at the interval of the BootNotification response, or of HeartbeatInterval \
                  as set later. Any other message makes it needless, and over WebSocket pings may stand in for it \
                  (OCPP-1.6J 5.3), so that only silence of every kind for more than one and a half intervals is \
                  judged, as a warning. While a CALL of the station waits for our answer it must not send another \
                  (OCPP-1.6J 4.1.1): that time does not count.",
    }),
    Entry::station::<HeartbeatEarly>(RuleInfo {
        id: "time/heartbeat-early",
        title: "a station sends no more heartbeats than agreed",
        clause: "OCPP-1.6 4.2, 4.6",
        level: Level::Should,
        editions: OCPP16,
        explain: "A station adjusts its heartbeat interval to the one that it was told. Two answered heartbeats on one \
                  connection in less than half the interval, without a trigger and without a change of the interval, \
                  mean that it does not, or that more than one timer runs.",
    }),
    Entry::station::<HeartbeatFlood>(RuleInfo {
        id: "time/heartbeat-flood",
        title: "a station does not flood the CSMS with heartbeats",
        clause: "OCPP-1.6 4.2",
        level: Level::Should,
        editions: OCPP16,
        explain: "Where no interval was agreed (it is 0, or missing) the station chooses one. More than twenty \
                  heartbeats within ten seconds are a flood.",
    }),
];

/// Every timestamp of a request of the station, with its pointer.
fn timestamps(payload: &Json) -> Vec<(String, Timestamp)> {
    let mut found = Vec::new();
    if let Some(at) = instant(payload, "timestamp") {
        found.push(("/timestamp".to_owned(), at));
    }
    for field in ["meterValue", "transactionData"] {
        let values = payload.get(field).and_then(Json::as_array).unwrap_or_default();
        for (n, value) in values.iter().enumerate() {
            if let Some(at) = instant(value, "timestamp") {
                found.push((format!("/{field}/{n}/timestamp"), at));
            }
        }
    }
    found
}

/// Clocks that were never set.
#[derive(Debug, Default)]
struct BeforeTime;

impl Check for BeforeTime {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((action, payload)) = seen.dut_call() else {
            return;
        };
        if fact(context, "boot") != Some("Accepted") {
            return;
        }
        let Some((pointer, at)) = timestamps(payload).into_iter().find(|(_, at)| *at < FIRST_DAY) else {
            return;
        };
        let message = format!("{action} has a timestamp from before the standard was released");
        let finding = out.add(message, "when it happened", at.to_rfc3339());
        finding.at(pointer);
        if let Some(known) = context.edition.action(action) {
            finding.clause(format!("{}, OCPP-1.6 3.15", known.clause_request));
        }
    }
}

/// How far ahead of our own clock the time is that we told the station.
#[derive(Debug, Default)]
struct Told {
    ahead: Duration,
}

impl Told {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        if let Seen::Answer {
            from: Party::Us,
            answer: AnswerSeen::Result(payload),
            ..
        } = seen
            && let Some(told) = instant(payload, "currentTime")
        {
            self.ahead = told.since(context.at);
        }
    }
}

/// Timestamps ahead of time.
#[derive(Debug, Default)]
struct Future {
    told: Told,
}

impl Check for Future {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some((action, payload)) = seen.dut_call()
            && fact(context, "boot") == Some("Accepted")
        {
            let latest = context.at + self.told.ahead + clock_tolerance(context);
            if let Some((pointer, at)) = timestamps(payload).into_iter().find(|(_, at)| *at > latest) {
                let message = format!("{action} has a timestamp in the future");
                let expected = format!("at most {}", context.at);
                out.add(message, expected, at.to_rfc3339()).at(pointer);
            }
        }
        self.told.see(context, seen);
    }
}

/// Timestamps behind the time.
#[derive(Debug, Default)]
struct Past {
    fresh: Bounded<String, Timestamp>,
    told_past: bool,
}

impl Check for Past {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(payload),
                ..
            } => {
                if let Some(told) = instant(payload, "currentTime") {
                    self.told_past = context.at.since(told) > Duration::from_secs(5);
                }
                if call.action == "Authorize"
                    && let Some(tag) = text(&call.payload, "idTag")
                {
                    self.fresh.insert(tag.to_ascii_lowercase(), context.at);
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                ..
            } if call.action == "RemoteStartTransaction" => {
                if let Some(tag) = text(&call.payload, "idTag") {
                    self.fresh.insert(tag.to_ascii_lowercase(), context.at);
                }
            }
            Seen::Call {
                from: Party::Dut,
                action: "StartTransaction",
                payload,
                ..
            } => {
                let (Some(tag), Some(at)) = (text(payload, "idTag"), instant(payload, "timestamp")) else {
                    return;
                };
                let Some(fresh) = self.fresh.get(&tag.to_ascii_lowercase()) else {
                    return;
                };
                let recent = context.at.since(*fresh) <= Duration::from_mins(1);
                let behind = fresh.since(at) > clock_tolerance(context) && at >= FIRST_DAY;
                if recent && behind && !self.told_past && fact(context, "boot") == Some("Accepted") {
                    let message = "StartTransaction has a timestamp from long before it was authorised";
                    let expected = format!("about {fresh}");
                    out.add(message, expected, at.to_rfc3339()).at("/timestamp");
                }
            }
            _ => {}
        }
    }
}

/// The time that a CSMS tells.
#[derive(Debug, Default)]
struct CurrentTime;

impl Check for CurrentTime {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, payload)) = seen.dut_result() else {
            return;
        };
        let Some(told) = instant(payload, "currentTime") else {
            return;
        };
        if told.distance(context.at) > clock_tolerance(context) {
            let message = format!("the response to {} does not tell the current time", call.action);
            out.add(message, format!("about {}", context.at), told.to_rfc3339())
                .at("/currentTime");
        }
    }
}

/// The interval that was agreed on, in seconds.
fn interval(context: &Context<'_>) -> Option<Duration> {
    let seconds = number_fact(context, "heartbeat").filter(|seconds| (1..1_000_000).contains(seconds))?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// Silence.
#[derive(Debug, Default)]
struct HeartbeatLate {
    last: Option<Timestamp>,
    away: Away,
}

impl Check for HeartbeatLate {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let last = *self.last.get_or_insert(context.at);
        let link = context.ledger.link_of(context.identity);
        if link.is_some_and(|conn| context.ledger.open_from(conn, Party::Dut).next().is_some()) {
            self.last = Some(context.at);
        } else if let Some(interval) = interval(context).filter(|_| link.is_some() && !self.away.is_excused())
        {
            let silent = context.at.since(last);
            if silent > interval * 3 / 2 + Duration::from_secs(2) && fact(context, "boot") == Some("Accepted")
            {
                let expected = format!("a sign of life every {}", shown(interval));
                out.add(
                    "the station fell silent",
                    expected,
                    format!("nothing for {}", shown(silent)),
                );
                self.last = Some(context.at);
            }
        }
        self.away.see(seen);
        match seen {
            Seen::Event(event) => match &event.what {
                What::Frame { from: Party::Dut, .. } | What::Opened { .. } => self.last = Some(context.at),
                _ => {}
            },
            // A new interval begins now.
            Seen::Answer { call, .. }
                if matches!(call.action.as_str(), "BootNotification" | "ChangeConfiguration") =>
            {
                self.last = Some(context.at);
            }
            _ => {}
        }
    }
}

/// Heartbeats before their time.
#[derive(Debug, Default)]
struct HeartbeatEarly {
    last: Option<Last>,
    /// Heartbeats that were asked for and promised, and have not come yet.
    promised: u32,
}

#[derive(Debug)]
struct Last {
    conn: u32,
    at: Timestamp,
    answered: bool,
}

impl Check for HeartbeatEarly {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Call {
                conn,
                from: Party::Dut,
                action: "Heartbeat",
                ..
            } => {
                let last = self.last.replace(Last {
                    conn,
                    at: context.at,
                    answered: false,
                });
                if self.promised > 0 {
                    self.promised -= 1;
                    // It comes between the others, whose timer it need not restart (OCPP-1.6 5.17).
                    self.last = None;
                    return;
                }
                let last = last.filter(|last| last.answered && last.conn == conn);
                let (Some(last), Some(interval)) = (last, interval(context)) else {
                    return;
                };
                let gap = context.at.since(last.at);
                if gap * 2 < interval {
                    out.add(
                        "a Heartbeat came too soon",
                        format!("every {}", shown(interval)),
                        shown(gap),
                    );
                }
            }
            Seen::Answer {
                from: Party::Us,
                call,
                ..
            } if call.action == "Heartbeat" => {
                if let Some(last) = &mut self.last {
                    last.answered = true;
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action.ends_with("TriggerMessage")
                && text(&call.payload, "requestedMessage") == Some("Heartbeat") =>
            {
                // The number is bounded by what we ask for.
                self.promised += u32::from(status(&answer) == Some("Accepted"));
            }
            // A new interval, or a trigger: what came before counts no more.
            Seen::Answer { call, .. } if call.action == "BootNotification" => self.last = None,
            Seen::Call {
                from: Party::Us,
                action,
                ..
            } => {
                if matches!(
                    action,
                    "ChangeConfiguration" | "TriggerMessage" | "ExtendedTriggerMessage"
                ) {
                    self.last = None;
                }
            }
            _ => {}
        }
    }
}

/// Heartbeats without end.
#[derive(Debug, Default)]
struct HeartbeatFlood {
    sent: VecDeque<Timestamp>,
}

impl Check for HeartbeatFlood {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        const MANY: usize = 21;
        if seen.dut_call_of("Heartbeat").is_none() {
            return;
        }
        self.sent.push_back(context.at);
        if self.sent.len() < MANY {
            return;
        }
        let first = self.sent.pop_front().unwrap_or(context.at);
        let span = context.at.since(first);
        // Where an interval is agreed, time/heartbeat-early speaks.
        if span <= Duration::from_secs(10) && interval(context).is_none() {
            out.add(
                "the station floods the CSMS with heartbeats",
                "a pause",
                format!("{MANY} in {}", shown(span)),
            );
            self.sent.clear();
        }
    }
}
