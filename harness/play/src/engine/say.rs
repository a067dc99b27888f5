//! What our side puts on the wire: one CALL at a time, each recorded before it is sent.

use std::io::Write;

use plugfest_case::raw::{FRESH_ID, SAME_ID};
use plugfest_protocol::{Frame, Json, Part};
use plugfest_trace::{Cause, Party, What};
use rand::Rng;

use super::{EngineError, Flying, Game, MAX_QUEUE};

/// Something of ours that waits for its turn.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A CALL.
    Call {
        action: String,
        payload: Json,
        cause: Cause,
    },
    /// A frame as it stands in the case.
    Raw(Vec<u8>),
}

impl<W: Write> Game<'_, W> {
    /// Sends the next CALL if none is in flight and a connection is up.
    pub(super) async fn pump(&mut self) -> Result<(), EngineError> {
        while self.flying.is_none() {
            let Some(conn) = self.on.lines.newest() else {
                return Ok(());
            };
            let Some(call) = self.queue.pop_front() else {
                return Ok(());
            };
            let (action, payload, cause) = match call {
                Outgoing::Raw(bytes) => {
                    self.send_raw(conn, bytes).await?;
                    continue;
                }
                Outgoing::Call {
                    action,
                    payload,
                    cause,
                } => (action, payload, cause),
            };
            if self.on.lines.dials() && self.on.player.restarts_for(&action) {
                // A restarted station comes back over a new connection.
                self.on.player.connected(false, self.on.clock.now());
                self.queue.push_front(Outgoing::Call {
                    action,
                    payload,
                    cause,
                });
                self.on.lines.drop_all();
                self.on.lines.dial(self.again());
                self.on.player.restarted();
                return Ok(());
            }
            let id = self.message_id();
            let frame = Frame::Call {
                id: id.clone(),
                action: action.clone(),
                payload: payload.clone(),
            };
            self.flying = Some(Flying {
                conn,
                id,
                asked: Some((action, payload)),
                until: self.on.clock.now() + self.patience,
            });
            self.send(conn, &frame, cause).await?;
        }
        Ok(())
    }

    /// Records a frame of the case, then sends it. A CALL without flaw is in flight until it is answered.
    pub(super) async fn send_raw(&mut self, conn: u32, mut bytes: Vec<u8>) -> Result<(), EngineError> {
        let text = str::from_utf8(&bytes).map(str::to_owned);
        if let Ok(text) = text {
            let text = self.with_ids(text);
            let read = plugfest_protocol::read_frame(self.edition, &text);
            if let (Some(Frame::Call { id, .. }), true) = (read.frame, read.flaws.is_empty()) {
                self.flying = Some(Flying {
                    conn,
                    id,
                    asked: None,
                    until: self.on.clock.now() + self.patience,
                });
            }
            bytes = text.into_bytes();
        }
        let what = What::Frame {
            conn,
            from: Party::Us,
            opcode: 1,
            data: plugfest_trace::Data::of(1, &bytes),
            flaws: Vec::new(),
            cause: Some(Cause::Story),
        };
        let event = self.record(what)?;
        self.on.lines.send_bytes(conn, bytes).await;
        let commands = self.session.step(&event);
        Box::pin(self.carry_out(commands)).await
    }

    /// Puts message ids where a frame of the case leaves them open.
    pub(super) fn with_ids(&mut self, mut text: String) -> String {
        while text.contains(FRESH_ID) {
            self.raw_id = self.message_id();
            text = text.replacen(FRESH_ID, &self.raw_id, 1);
        }
        text.replace(SAME_ID, &self.raw_id)
    }

    pub(super) fn enqueue(&mut self, call: Outgoing) {
        if self.queue.len() < MAX_QUEUE {
            self.queue.push_back(call);
        }
    }

    /// Records a frame of ours, then sends it.
    pub(super) async fn send(&mut self, conn: u32, frame: &Frame, cause: Cause) -> Result<(), EngineError> {
        let text = frame.to_text();
        let data = plugfest_trace::Data::Text { text: text.clone() };
        let what = What::Frame {
            conn,
            from: Party::Us,
            opcode: 1,
            data,
            flaws: Vec::new(),
            cause: Some(cause),
        };
        let event = self.record(what)?;
        self.on.lines.send_text(conn, &text).await;
        let commands = self.session.step(&event);
        Box::pin(self.carry_out(commands)).await
    }

    /// Fields that a line wants to be there and that the model does not have.
    pub(super) fn filled(&self, mut payload: Json, holes: &[String], action: &str, part: Part) -> Json {
        if let Some(ty) = self.edition.message(action, part) {
            plugfest_judge::conform(ty, &mut payload);
        }
        if holes.iter().all(|hole| payload.pointer(hole).is_some()) || self.edition.action(action).is_none() {
            return payload;
        }
        let sample = plugfest_protocol::maximal(self.edition, action, part);
        for hole in holes {
            if payload.pointer(hole).is_none()
                && let Some(value) = sample.pointer(hole)
            {
                // A hole inside something that is not there stays one; the judge sees what went out.
                let _there = payload.set_pointer(hole, value.clone());
            }
        }
        payload
    }

    pub(super) fn message_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }
}
