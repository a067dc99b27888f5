//! Liveness: the DUT stays connected, answers probes, and answers pings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plugfest_protocol::Timestamp;
use plugfest_trace::{Cause, Data, Party, What};

use super::support::{Away, Check, EVERY, Entry, OCPP16, fact, is_own, message_timeout, shown};
use crate::finding::Level;
use crate::ledger::OpenCall;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};

/// How soon after a frame of ours a closed connection is put down to it.
const SOON: Duration = Duration::from_secs(2);

pub(super) static RULES: &[Entry] = &[
    Entry::both::<Closed>(RuleInfo {
        id: "liveness/closed-after-frame",
        title: "the DUT does not hang up on what we say",
        clause: "OCPP-1.6J 4.1.3, 4.2.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "Whatever a message says, it is to be answered, refused with a CALLERROR or ignored. A connection that \
                  the DUT ends within two seconds of a message of ours means that it crashed on it, or gave up. With \
                  the close codes 1001 and 1012 (going away, restart) it is a warning. Let pass: a reset, firmware \
                  update or credentials that we asked for, actions of the driver that part the two, a station that \
                  was refused, a second connection of the same identity, no agreed subprotocol, a close that we began, \
                  and frames of ours that break WebSocket itself, for which a peer has to hang up.",
    }),
    Entry::both::<Probe>(RuleInfo {
        id: "liveness/probe",
        title: "the DUT still answers after the case",
        clause: "OCPP-1.6J 4.2, OCPP-1.6J-errata 3.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "After each case the harness sends one harmless CALL on the same connection. No answer within \
                  `timeout.message` (30 s by default) means that the DUT went deaf, even where it still sends \
                  heartbeats. A CALLERROR is an answer. Not judged where the DUT has a reason to be away.",
    }),
    Entry::both::<Pong>(RuleInfo {
        id: "liveness/pong",
        title: "a ping is answered with a pong",
        clause: "RFC 6455 5.5.2, 5.5.3",
        level: Level::Must,
        editions: EVERY,
        explain: "Upon a ping an endpoint MUST send a pong with the same data, as soon as is practical; of several \
                  pings only the latest needs one. Time: `timeout.message`, 30 s by default.",
    }),
];

/// Connections that the DUT ends.
#[derive(Debug, Default)]
struct Closed {
    said: BTreeMap<u32, Timestamp>,
    /// When we last broke WebSocket itself.
    broken: BTreeMap<u32, Timestamp>,
    away: Away,
}

impl Check for Closed {
    const WANTS: u8 = Wants::EVENT | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Seen::Event(event) = seen {
            match &event.what {
                What::Frame {
                    conn,
                    from: Party::Us,
                    opcode: 1,
                    data: Data::Text { .. } | Data::Large { .. },
                    ..
                } => {
                    self.said.insert(*conn, context.at);
                }
                What::Frame {
                    conn,
                    from: Party::Us,
                    opcode,
                    ..
                } if *opcode != 9 && *opcode != 10 => {
                    self.broken.insert(*conn, context.at);
                }
                What::Closing {
                    conn,
                    from: Party::Dut,
                    code,
                    ..
                } => {
                    self.ended(context, *conn, *code, out);
                }
                What::Closed {
                    conn, by: Party::Dut, ..
                } => self.ended(context, *conn, None, out),
                What::Closed { conn, .. } => {
                    self.said.remove(conn);
                    self.broken.remove(conn);
                }
                _ => {}
            }
        }
        self.away.see(seen);
    }
}

impl Closed {
    fn ended(&mut self, context: &Context<'_>, conn: u32, code: Option<u16>, out: &mut Findings) {
        let Some(said) = self.said.remove(&conn) else {
            return;
        };
        let broken = self.broken.remove(&conn);
        if broken.is_some_and(|broken| context.at.since(broken) <= SOON) {
            return;
        }
        let gap = context.at.since(said);
        let refused = matches!(fact(context, "boot"), Some("Rejected"));
        let link = context.ledger.links().get(&conn);
        let unagreed = link.is_some_and(|link| link.subprotocol.is_none());
        let twin = context
            .ledger
            .links()
            .iter()
            .any(|(other, link)| *other != conn && link.identity == context.identity);
        if gap > SOON || refused || unagreed || twin || self.away.is_excused() {
            return;
        }
        let how = code.map_or_else(
            || format!("the connection ended after {}", shown(gap)),
            |code| format!("close code {code} after {}", shown(gap)),
        );
        let finding = out.add("the DUT hung up on a message of ours", "an open connection", how);
        if matches!(code, Some(1001 | 1012)) {
            finding.level(Level::Should);
        }
    }
}

/// Probes without an answer.
#[derive(Debug, Default)]
struct Probe {
    reported: BTreeSet<u64>,
    away: Away,
}

impl Check for Probe {
    const WANTS: u8 = Wants::EVENT | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let probe = |call: &&OpenCall| call.from == Party::Us && call.cause == Some(Cause::Probe);
        for call in context.ledger.open().filter(probe) {
            let (age, timeout) = (context.at.since(call.at), message_timeout(context));
            let late = age > timeout && is_own(context, call.conn);
            if !late || !self.reported.insert(call.seq) || self.away.is_excused() {
                continue;
            }
            let message = format!("the probe {} was not answered: the DUT is deaf", call.action);
            let expected = format!("an answer within {}", shown(timeout));
            out.add(message, expected, format!("nothing for {}", shown(age)))
                .event = Some(call.seq);
        }
        self.away.see(seen);
        if self.reported.len() > 1024 {
            self.reported.pop_first();
        }
    }
}

/// Pings without a pong.
#[derive(Debug, Default)]
struct Pong {
    waiting: BTreeMap<u32, (Timestamp, Data)>,
    away: Away,
}

impl Check for Pong {
    const WANTS: u8 = Wants::EVENT | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let late = |since: Timestamp| context.at.since(since) > message_timeout(context);
        let late = self.waiting.iter().find(|(_, (since, _))| late(*since));
        if let Some(conn) = late.map(|(conn, _)| *conn) {
            self.waiting.remove(&conn);
            if !self.away.is_excused() {
                out.add(
                    "a ping was not answered",
                    format!("a pong within {}", shown(message_timeout(context))),
                    "nothing",
                );
            }
        }
        self.away.see(seen);
        let Seen::Event(event) = seen else { return };
        match &event.what {
            What::Frame {
                conn,
                from: Party::Us,
                opcode: 9,
                data,
                ..
            } => {
                self.waiting.insert(*conn, (context.at, data.clone()));
            }
            What::Frame {
                conn,
                from: Party::Dut,
                opcode: 10,
                data,
                ..
            } if self.waiting.get(conn).is_some_and(|(_, sent)| sent == data) => {
                self.waiting.remove(conn);
            }
            What::Closing { conn, .. } | What::Closed { conn, .. } => {
                self.waiting.remove(conn);
            }
            _ => {}
        }
    }
}
