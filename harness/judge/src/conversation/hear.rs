//! What the conversation makes of a message and of every other event.

use plugfest_protocol::{Json, Object};
use plugfest_trace::{Cause, Event, Head, Outcome as DriverOutcome, What};

use super::claim::{Got, Message, Pass};
use super::context::Cx;
use super::transfer::Asked;
use super::tree::Seq;
use super::{Command, Conversation, MAX_LINES, Meeting, Stage, config};
use crate::rule::{AnswerSeen, Seen};
use crate::verdict::Verdict;

impl Conversation {
    pub(super) fn message(&mut self, seen: Seen<'_>) {
        use plugfest_trace::Party::{Dut, Us};
        match seen {
            Seen::Call {
                conn,
                from: Dut,
                id,
                action,
                payload,
            } => {
                self.call_of_dut(
                    Message::Call {
                        conn,
                        id,
                        action,
                        payload,
                    },
                    conn,
                    id,
                    action,
                );
            }
            Seen::Call {
                conn,
                from: Us,
                id,
                action,
                payload,
            } => {
                // What a `raw` line sent is no other line's.
                if self.raw != Some(self.cx.seq) {
                    self.call_of_ours(conn, id, action, payload);
                }
            }
            Seen::Answer {
                conn,
                from: Dut,
                call,
                answer,
            } => {
                let answer = match answer {
                    AnswerSeen::Result(payload) => Got::Result(payload),
                    AnswerSeen::Error { code, description } => Got::Error { code, description },
                };
                if self
                    .probe_call
                    .as_ref()
                    .is_some_and(|(c, i)| *c == conn && *i == call.id)
                {
                    self.stage = Stage::Done;
                    self.cx.commands.push(Command::Done);
                    return;
                }
                let message = Message::Answer {
                    conn,
                    id: &call.id,
                    action: &call.action,
                    answer,
                };
                if (self.running() || self.stage == Stage::Restore)
                    && !self.seq.answered(message, &mut self.cx)
                {
                    self.claim(message);
                }
            }
            Seen::Answer {
                conn,
                from: Us,
                call,
                answer,
            } => {
                let payload = match answer {
                    AnswerSeen::Result(payload) => Some(payload),
                    AnswerSeen::Error { .. } => None,
                };
                self.seq
                    .replied(conn, &call.id, &call.action, payload, &mut self.cx);
            }
            Seen::Stray {
                conn,
                from: Dut,
                frame,
            } => {
                let answers_raw = self.running() && self.seq.raw_answered(conn, frame, &mut self.cx);
                if !answers_raw {
                    self.second(conn, frame.id(), true);
                }
            }
            Seen::Event(Event {
                what:
                    What::Frame {
                        conn,
                        from: Us,
                        opcode: 1,
                        data,
                        cause: Some(Cause::Story),
                        ..
                    },
                ..
            }) => {
                if self.seq.raw_sent(*conn, data.text(), &mut self.cx) {
                    self.raw = Some(self.cx.seq);
                }
            }
            _ => {}
        }
    }

    fn call_of_dut(&mut self, message: Message<'_>, conn: u32, id: &str, action: &str) {
        if let Message::Call { payload, .. } = message
            && self.running()
        {
            self.forbid(message, action, payload);
        }
        let again = self.second(conn, id, false);
        let taken = !again && self.running() && !self.cx.failed() && self.claim(message);
        if !taken {
            self.cx.commands.push(Command::Ordinary {
                conn,
                id: id.to_owned(),
                action: action.to_owned(),
            });
            if self.running() {
                if self.unclaimed.len() < MAX_LINES {
                    self.unclaimed.push(self.cx.seq);
                }
                if self.strict && self.stage == Stage::Body && !again {
                    let line = self.seq.items.first().cloned();
                    if let Some(line) = line {
                        let text = format!("no line of a strict case claims {action}");
                        let finding = self.cx.finding(&line, Some(action), "unclaimed", text);
                        self.cx.fail(finding);
                    }
                }
            }
        }
        let now = self.cx.now();
        self.cx.last.insert(action.to_owned(), now);
    }

    /// The DUT asks our file server for something.
    fn transfer_of_dut(&mut self, transfer: u32, op: &str, url: &str) {
        let asked = Asked::of(transfer, op, url).filter(|_| self.running());
        if let Some(asked) = &asked {
            self.forbid(Message::Transfer(asked), asked.action, &asked.properties);
            if !self.cx.failed() && self.seq.offer_all(asked, &mut self.cx) {
                return;
            }
        }
        let how = None;
        self.cx.commands.push(Command::Meet(Meeting { transfer, how }));
    }

    /// Fails what says that this must not come.
    fn forbid(&mut self, message: Message<'_>, action: &str, actual: &Json) {
        for line in self.cx.forbidding(&self.seq, message) {
            let mut finding = self.cx.finding(
                &line,
                Some(action),
                "never",
                format!("{action} came although it must not"),
            );
            finding.expected = format!("no {action}");
            finding.actual = actual.to_string();
            self.cx.fail(finding);
        }
    }

    /// A message that took a line and comes again; true if it is one.
    fn second(&mut self, conn: u32, id: &str, answer: bool) -> bool {
        let hit = self
            .cx
            .taken
            .iter()
            .enumerate()
            .find(|(_, (c, i, a, _))| *c == conn && i == id && *a == answer);
        let Some((place, (.., finding))) = hit else {
            return false;
        };
        let mut finding = finding.clone();
        finding.event = Some(self.cx.seq);
        let of_body = self.stage > Stage::Body && place < self.taken_by_body;
        if of_body {
            // The line belongs to the body, however late its message is said again.
            self.cx.findings.push(finding);
        } else if self.running() {
            self.cx.fail(finding);
        } else {
            self.aftermath.push(finding);
        }
        true
    }

    fn claim(&mut self, message: Message<'_>) -> bool {
        for pass in [Pass::Fit, Pass::Pick, Pass::Later] {
            if self.seq.offer(message, pass, &mut self.cx) {
                return true;
            }
        }
        false
    }

    fn call_of_ours(&mut self, conn: u32, id: &str, action: &str, payload: &Json) {
        if self.stage == Stage::Probe && self.probe_call.is_none() && self.probed.is_some() {
            let (probe, _) = self.cx.story.dialect.probe(&self.cx.dut);
            if probe == action {
                self.probe_call = Some((conn, id.to_owned()));
                self.probed = Some(self.cx.now());
                return;
            }
        }
        self.seq.sent(conn, id, action, payload, &mut self.cx);
    }

    pub(super) fn plain_event(&mut self, event: &Event) {
        match &event.what {
            What::Performed { call, outcome } => {
                self.seq.performed(*call, outcome, &mut self.cx);
            }
            What::Stage { name } if name == config::CONFIGURED => {
                self.seq.configured();
            }
            What::Link { .. } => {
                self.seq.linked(&mut self.cx);
            }
            What::Closed {
                conn,
                by: plugfest_trace::Party::Dut,
                ..
            } => self.seq.hung_up(*conn, &self.cx),
            What::Opened {
                identity,
                subprotocol,
                security,
                by,
                request,
                ..
            } => {
                self.cx.away_asked = false;
                let mut properties = Object::new();
                properties.insert("identity", identity.as_str());
                if let Some(subprotocol) = subprotocol {
                    properties.insert("subprotocol", subprotocol.as_str());
                }
                properties.insert("security", security_profile(security.as_deref(), request));
                properties.insert("path", request.line.split(' ').nth(1).unwrap_or_default());
                let properties = Json::Object(properties);
                if *by == plugfest_trace::Party::Dut {
                    self.claim(Message::Opened {
                        properties: &properties,
                    });
                } else {
                    self.seq.dialled(None, &mut self.cx);
                }
            }
            What::Refused {
                by: plugfest_trace::Party::Us,
                response,
                reason,
                ..
            } => {
                let said = response
                    .as_ref()
                    .map_or_else(|| reason.clone(), |r| r.line.clone());
                self.seq.dialled(Some(&said), &mut self.cx);
            }
            What::Transfer {
                transfer,
                by: plugfest_trace::Party::Dut,
                op,
                url,
                ..
            } => self.transfer_of_dut(*transfer, op, url),
            What::Transfer { transfer, .. } => {
                self.seq.transferring(*transfer);
            }
            What::Transferred { transfer, whole, .. } => {
                self.seq.transferred(*transfer, *whole, &self.cx);
            }
            What::Interrupted { by } => {
                self.broken_off = true;
                self.cx.broken_off = true;
                if matches!(self.stage, Stage::Finally | Stage::Probe) {
                    self.enter_stage(Stage::Restore);
                }
                if self.stage < Stage::Finally {
                    self.stop_with(Verdict::Inconclusive, &format!("the run was broken off by {by}"));
                }
            }
            _ => {}
        }
    }
}

/// The security profile that a connection keeps to, as the security whitepaper numbers them; 0 for none of them.
fn security_profile(security: Option<&str>, request: &Head) -> i64 {
    let authorised = request
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    match (security, authorised) {
        (Some("mutual-tls"), _) => 3,
        (Some("tls"), true) => 2,
        (Some("none"), true) => 1,
        _ => 0,
    }
}

impl Seq {
    /// The driver's word; true if it was asked from here.
    pub(super) fn performed(&mut self, call: u32, outcome: &DriverOutcome, cx: &mut Cx) -> bool {
        for i in self.phase..self.next {
            if self.items[i].open() && self.items[i].performed(call, outcome, cx) {
                return true;
            }
        }
        false
    }
}
