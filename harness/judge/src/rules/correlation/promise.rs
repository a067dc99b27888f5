//! Things that are due by some time.

use std::time::Duration;

use plugfest_protocol::Timestamp;
use plugfest_trace::{Party, What};

use crate::rule::{AnswerSeen, Context, Seen};
use crate::rules::book::is_transaction;
use crate::rules::support::Away;

/// What is due, since when.
#[derive(Debug)]
pub(super) struct Promises<T> {
    due: Vec<(Timestamp, T)>,
    away: Away,
    failed: bool,
}

impl<T> Default for Promises<T> {
    fn default() -> Self {
        Self {
            due: Vec::new(),
            away: Away::default(),
            failed: false,
        }
    }
}

impl<T> Promises<T> {
    /// Something is due from now on.
    pub(super) fn add(&mut self, context: &Context<'_>, what: T) {
        if self.due.len() < 256 {
            self.due.push((context.at, what));
        }
    }

    /// Something has been done, or is no longer asked for.
    pub(super) fn settle(&mut self, is_settled: impl Fn(&T) -> bool) {
        self.due.retain(|(_, what)| !is_settled(what));
    }

    /// Nothing is due any more.
    pub(super) fn clear(&mut self) {
        self.due.clear();
    }

    /// What is overdue, with its age. Nothing is while the DUT may be held up: its connection is gone, one of its CALLs
    /// waits for an answer of ours, its transaction messages fail, or it has a reason to be away.
    pub(super) fn overdue(
        &mut self,
        context: &Context<'_>,
        after: fn(&Context<'_>) -> Duration,
    ) -> Vec<(Duration, T)> {
        if self.due.is_empty() {
            return Vec::new();
        }
        let link = context.ledger.link_of(context.identity);
        let held = link.is_none_or(|conn| context.ledger.open_from(conn, Party::Dut).next().is_some());
        if held || self.failed || self.away.is_excused() {
            return Vec::new();
        }
        let after = after(context);
        let (late, due) = self
            .due
            .drain(..)
            .partition(|(since, _)| context.at.since(*since) > after);
        self.due = due;
        let age = |since: Timestamp| context.at.since(since);
        Vec::into_iter(late)
            .map(|(since, what)| (age(since), what))
            .collect()
    }

    /// Learns from one thing. Call it before [`Promises::overdue`].
    pub(super) fn see(&mut self, seen: Seen<'_>) {
        self.away.see(seen);
        match seen {
            // What was promised on a connection that is gone may have been forgotten.
            Seen::Event(event) if matches!(event.what, What::Closed { .. }) => self.clear(),
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.clear(),
            Seen::Answer {
                from: Party::Us,
                call,
                answer,
                ..
            } if is_transaction(&call.action) => {
                self.failed = matches!(answer, AnswerSeen::Error { .. });
            }
            _ => {}
        }
    }
}
