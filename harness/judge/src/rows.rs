//! The conversation as people read it: one row per thing that happened.

use std::collections::{BTreeMap, VecDeque};

use plugfest_protocol::{Frame, Timestamp, read_frame};
use plugfest_trace::{Data, Event, Outcome, Party, Premise, What};

use crate::conversation::LineMet;
use crate::run_event::Row;

/// No more rows are kept; the oldest go first.
const MAX_ROWS: usize = 10_000;

/// Collects rows.
#[derive(Debug)]
pub(crate) struct Rows {
    edition: Option<&'static plugfest_protocol::Edition>,
    dut: String,
    other: String,
    began: Timestamp,
    kept: VecDeque<Row>,
    /// Actions of open CALLs, so that answers can be named.
    actions: BTreeMap<(u32, bool, String), String>,
}

impl Rows {
    pub(crate) fn new(premise: &Premise, at: Timestamp) -> Self {
        let edition = plugfest_protocol::Edition::by_name(&premise.protocol);
        let other = edition
            .and_then(|e| e.roles().into_iter().find(|r| r.as_str() != premise.dut))
            .map_or("harness", plugfest_protocol::Role::as_str);
        Self {
            edition,
            dut: premise.dut.clone(),
            other: other.to_owned(),
            began: at,
            kept: VecDeque::new(),
            actions: BTreeMap::new(),
        }
    }

    pub(crate) fn see(&mut self, event: &Event) {
        let party = match &event.what {
            What::Opened { by, .. }
            | What::Refused { by, .. }
            | What::Closed { by, .. }
            | What::Transfer { by, .. } => *by,
            What::Frame { from, .. } | What::Closing { from, .. } => *from,
            _ => Party::Us,
        };
        let (from, to) = match party {
            Party::Dut => (self.dut.clone(), self.other.clone()),
            Party::Us => (self.other.clone(), self.dut.clone()),
        };
        let mut row = Row {
            seq: event.seq,
            at: event.at,
            ms: u64::try_from(event.at.since(self.began).as_millis()).unwrap_or(u64::MAX),
            from,
            to,
            kind: String::new(),
            name: String::new(),
            text: String::new(),
            payload: None,
            line: None,
        };
        match &event.what {
            What::Premise(_) | What::Tick | What::End => return,
            What::Opened {
                identity,
                subprotocol,
                ..
            } => {
                "open".clone_into(&mut row.kind);
                row.text = format!(
                    "{identity} {}",
                    subprotocol.as_deref().unwrap_or("(no subprotocol)")
                );
            }
            What::Refused { identity, reason, .. } => {
                "refused".clone_into(&mut row.kind);
                row.text = format!("{identity}: {reason}");
            }
            What::Frame {
                conn,
                from,
                opcode,
                data,
                ..
            } => self.frame(&mut row, *conn, *from, *opcode, data),
            What::Closing { code, reason, .. } => {
                "closing".clone_into(&mut row.kind);
                row.text = format!(
                    "{} {reason}",
                    code.map_or_else(|| "no code".to_owned(), |c| c.to_string())
                );
            }
            What::Closed { how, .. } => {
                "close".clone_into(&mut row.kind);
                row.text.clone_from(how);
            }
            What::Link { op } => {
                "link".clone_into(&mut row.kind);
                row.text.clone_from(op);
            }
            What::Transfer { op, url, .. } => {
                "transfer".clone_into(&mut row.kind);
                "files".clone_into(&mut row.to);
                row.name.clone_from(op);
                row.text.clone_from(url);
            }
            What::Transferred {
                status,
                length,
                whole,
                reason,
                ..
            } => {
                "transferred".clone_into(&mut row.kind);
                "files".clone_into(&mut row.from);
                row.to.clone_from(&self.dut);
                let said = status.map_or_else(|| "no answer".to_owned(), |s| s.to_string());
                row.text = if *whole {
                    format!("{said}, {length} bytes")
                } else {
                    format!("{said}, {length} bytes: {reason}")
                };
            }
            What::Asked { verb, args, .. } => {
                "act".clone_into(&mut row.kind);
                "driver".clone_into(&mut row.to);
                row.name.clone_from(verb);
                row.text = args.to_string();
                row.payload = Some(args.clone());
            }
            What::Performed { outcome, .. } => {
                "performed".clone_into(&mut row.kind);
                "driver".clone_into(&mut row.from);
                row.to.clear();
                row.text = match outcome {
                    Outcome::Done => "done".to_owned(),
                    Outcome::Returned { value } => value.to_string(),
                    Outcome::Unsupported { why } => format!("unsupported: {why}"),
                    Outcome::Failed { why } => format!("failed: {why}"),
                    Outcome::Skipped => "skipped".to_owned(),
                };
            }
            What::Process { what, text } => {
                "process".clone_into(&mut row.kind);
                "process".clone_into(&mut row.from);
                row.to.clear();
                row.name.clone_from(what);
                row.text.clone_from(text);
            }
            What::Stage { name } => {
                "note".clone_into(&mut row.kind);
                "harness".clone_into(&mut row.from);
                row.to.clear();
                row.text = format!("{name} begins");
            }
            What::Interrupted { by } => {
                "note".clone_into(&mut row.kind);
                "harness".clone_into(&mut row.from);
                row.to.clear();
                row.text = format!("broken off by {by}");
            }
        }
        if self.kept.len() >= MAX_ROWS {
            self.kept.pop_front();
        }
        self.kept.push_back(row);
    }

    /// The rows, with the lines that they met.
    pub(crate) fn rows(&self, lines: &[LineMet]) -> Vec<Row> {
        let by_event: BTreeMap<u64, &LineMet> = lines.iter().map(|l| (l.event, l)).collect();
        let with_line = |row: &Row| {
            let mut row = row.clone();
            row.line = by_event.get(&row.seq).map(|l| l.line.clone());
            row
        };
        self.kept.iter().map(with_line).collect()
    }

    fn frame(&mut self, row: &mut Row, conn: u32, from: Party, opcode: u8, data: &Data) {
        "frame".clone_into(&mut row.kind);
        let text = match data {
            Data::Text { text } => text,
            Data::Bytes { base64 } => {
                row.name = format!("opcode {opcode}");
                row.text.clone_from(base64);
                return;
            }
            Data::Large { head, length, .. } => {
                row.name = format!("{length} bytes");
                row.text = head.chars().take(200).collect();
                return;
            }
        };
        row.text.clone_from(text);
        if opcode != 1 {
            row.name = format!("opcode {opcode}");
            return;
        }
        let Some(frame) = self.edition.and_then(|e| read_frame(e, text).frame) else {
            return;
        };
        let dut = from == Party::Dut;
        match frame {
            Frame::Call { id, action, payload } => {
                "call".clone_into(&mut row.kind);
                row.name.clone_from(&action);
                row.payload = Some(payload);
                if self.actions.len() < MAX_ROWS {
                    self.actions.insert((conn, dut, id), action);
                }
            }
            Frame::CallResult { id, payload } => {
                "result".clone_into(&mut row.kind);
                row.name = self.actions.remove(&(conn, !dut, id)).unwrap_or_default();
                row.payload = Some(payload);
            }
            Frame::CallError { id, code, .. } => {
                "error".clone_into(&mut row.kind);
                row.name = self.actions.remove(&(conn, !dut, id)).unwrap_or(code);
            }
        }
    }
}
