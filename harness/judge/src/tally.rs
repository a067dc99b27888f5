//! What became of the frames of ours that were wrong on purpose: how many of each class of mistake the DUT handled.
//!
//! A wrong frame is what a `raw` line sent and the catalogue or the framing does not allow. It is handled where no rule
//! and no line blames the DUT for what it made of it; so the tally and the verdicts cannot tell different stories.

use std::collections::BTreeMap;

use plugfest_protocol::{Edition, Frame, Part, Role, Violation, read_frame, validate};
use plugfest_trace::{Data, Event, Party, What};
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::rules::weight;
use crate::verdict::Verdict;

/// Wrong frames that are remembered; a case that sends more counts the first.
const MOST: usize = 100_000;
/// Rules that speak of an exchange, and so of the wrong frame before it.
const OF_AN_EXCHANGE: [&str; 5] = ["answers/", "frame/", "wire/", "liveness/", "schema/"];

/// How often each thing happened to the wrong frames of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reactions {
    /// Frames that were sent.
    pub sent: u32,
    /// Nothing was found: refused, ignored where that is allowed, or taken where the documents disagree.
    pub handled: u32,
    /// No more than a warning was found: taken although it should have been refused.
    pub tolerated: u32,
    /// Refused, with an error code that the edition does not have.
    pub miscoded: u32,
    /// Taken, not answered, or answered by the end of the connection, although that is forbidden.
    pub mishandled: u32,
}

impl Reactions {
    fn count(&mut self, reaction: Reaction) {
        self.sent += 1;
        *match reaction {
            Reaction::Handled => &mut self.handled,
            Reaction::Tolerated => &mut self.tolerated,
            Reaction::Miscoded => &mut self.miscoded,
            Reaction::Mishandled => &mut self.mishandled,
        } += 1;
    }

    /// Adds those of other cases.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.handled += other.handled;
        self.tolerated += other.tolerated;
        self.miscoded += other.miscoded;
        self.mishandled += other.mishandled;
    }
}

/// The wrong frames of one case, by class of mistake: `missing-required`, `unknown-action`, `bad-arity` …
pub type Negatives = BTreeMap<String, Reactions>;

/// How the DUT took a wrong frame, in rising badness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reaction {
    Handled,
    Tolerated,
    Miscoded,
    Mishandled,
}

#[derive(Debug)]
struct Wrong {
    seq: u64,
    conn: u32,
    id: Option<String>,
    class: &'static str,
    reaction: Reaction,
}

/// Follows the wrong frames of one trace.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    wrong: Vec<Wrong>,
}

impl Tally {
    /// A `raw` line of ours sent this.
    pub(crate) fn sent(&mut self, edition: &Edition, dut: &str, event: &Event) {
        let What::Frame {
            conn,
            from: Party::Us,
            data,
            ..
        } = &event.what
        else {
            return;
        };
        if let Some((class, id)) = mistake(edition, dut, data)
            && self.wrong.len() < MOST
        {
            self.wrong.push(Wrong {
                seq: event.seq,
                conn: *conn,
                id,
                class,
                reaction: Reaction::Handled,
            });
        }
    }

    /// A rule or a line found something at this event.
    pub(crate) fn found(&mut self, edition: &Edition, event: &Event, finding: &Finding) {
        let reaction = match finding.verdict {
            Verdict::Warn => Reaction::Tolerated,
            Verdict::Fail if finding.rule.starts_with("frame/code-") => Reaction::Miscoded,
            Verdict::Fail => Reaction::Mishandled,
            _ => return,
        };
        if let Some(wrong) = self.blamed(edition, event, finding) {
            wrong.reaction = wrong.reaction.max(reaction);
        }
    }

    /// The wrong frame that a finding is about: the one it names, the one that is answered, or the latest.
    fn blamed(&mut self, edition: &Edition, event: &Event, finding: &Finding) -> Option<&mut Wrong> {
        let named = self
            .wrong
            .iter()
            .rposition(|wrong| Some(wrong.seq) == finding.event);
        let answered = || {
            let What::Frame {
                conn,
                from: Party::Dut,
                data: Data::Text { text },
                ..
            } = &event.what
            else {
                return None;
            };
            let frame = read_frame(edition, text).frame?;
            self.wrong
                .iter()
                .rposition(|wrong| wrong.conn == *conn && wrong.id.as_deref() == Some(frame.id()))
        };
        let latest = || {
            let of_an_exchange = OF_AN_EXCHANGE.iter().any(|rules| finding.rule.starts_with(rules));
            let silent = matches!(finding.rule.as_str(), "line/missing" | "line/field");
            (of_an_exchange || silent).then(|| self.wrong.len().checked_sub(1))?
        };
        let place = named.or_else(answered).or_else(latest)?;
        self.wrong.get_mut(place)
    }

    /// What came of them.
    pub(crate) fn told(&self) -> Negatives {
        let mut told = Negatives::new();
        for wrong in &self.wrong {
            told.entry(wrong.class.to_owned())
                .or_default()
                .count(wrong.reaction);
        }
        told
    }
}

/// What is wrong with a frame of ours, and its id where it reads as a CALL; `None` where nothing is.
fn mistake(edition: &Edition, dut: &str, data: &Data) -> Option<(&'static str, Option<String>)> {
    let text = match data {
        Data::Text { text } => text,
        Data::Bytes { .. } => return Some(("not-utf8", None)),
        Data::Large { .. } => return Some(("too-large", None)),
    };
    let read = read_frame(edition, text);
    let flaw = read
        .flaws
        .first()
        .map(|flaw| flaw.kind.id().trim_start_matches("frame-"));
    match read.frame {
        Some(Frame::Call { id, action, payload }) => {
            let us = Role::parse(dut).map(Role::other);
            let known = edition.action(&action).zip(us);
            let class = if known.is_some_and(|(action, us)| action.may_be_sent_by(us, Part::Request)) {
                let found = validate(edition, &action, Part::Request, &payload);
                let worst: Option<&Violation> = found.iter().max_by_key(|violation| weight(violation));
                flaw.or(worst.map(|worst| worst.class.id()))
            } else {
                flaw.or(Some("unknown-action"))
            };
            class.map(|class| (class, Some(id)))
        }
        Some(_) => Some(("unsolicited-answer", None)),
        None => Some((flaw.unwrap_or("not-json"), None)),
    }
}
