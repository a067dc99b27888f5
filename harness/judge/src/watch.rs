//! The watch over one trace: takes every event apart, keeps the ledger and the facts, and asks the always-on rules.
//!
//! Live runs and offline judging feed the same watch. What it shows of one event comes in a fixed order: the event,
//! the frame in it, and what the frame says. Rules see each thing before the facts learn from it.

use std::collections::BTreeMap;

use plugfest_protocol::{Edition, Frame, Json, Timestamp, read_frame};
use plugfest_trace::{Cause, Data, Event, OpenConnection, Party, Premise, What};

use crate::dialect::{Dialect, dialect};
use crate::facts::{Facts, Keeper, KeeperView};
use crate::finding::Finding;
use crate::ledger::{Ledger, OpenCall};
use crate::rule::{AnswerSeen, Context, Findings, Rule, RuleInfo, Seen};
use crate::rules;

/// At most so many identities have facts of their own; a DUT that invents more shares those of the premise.
const MAX_IDENTITIES: usize = 256;

/// What the watch tells whoever listens besides the rules: the conversation, for one.
pub type Listener<'l> = dyn FnMut(&Context<'_>, Seen<'_>) + 'l;

/// Watches one trace, or one live run.
#[derive(Debug)]
pub struct Watch {
    edition: &'static Edition,
    dut: String,
    identity: String,
    values: Json,
    ledger: Ledger,
    desks: BTreeMap<String, Desk>,
}

/// What is known of one identity, and the rules with their memory of it.
#[derive(Debug)]
struct Desk {
    facts: Facts,
    /// None for an edition without a dialect: nothing is learnt then.
    keeper: Option<Box<dyn Keeper>>,
    rules: Vec<Desked>,
}

/// A rule with what is asked of it too often to ask it each time.
#[derive(Debug)]
struct Desked {
    rule: Box<dyn Rule>,
    info: &'static RuleInfo,
    wants: u8,
}

impl Desk {
    fn new(edition: &'static Edition, dut: &str, facts: Facts) -> Self {
        let rules = rules::registry(edition)
            .into_iter()
            .filter(|rule| rule.judges(dut));
        let rules = rules
            .map(|rule| Desked {
                info: rule.info(),
                wants: rule.wants(),
                rule,
            })
            .collect();
        Self {
            facts,
            keeper: dialect(edition).map(Dialect::keeper),
            rules,
        }
    }
}

impl Watch {
    /// A watch that starts from what a premise says.
    ///
    /// `dut` is the side under test, `identity` the one that `facts` are about, `open` the connections that are up.
    pub fn new(
        edition: &'static Edition,
        dut: &str,
        identity: &str,
        values: Json,
        facts: Facts,
        open: &[OpenConnection],
    ) -> Self {
        let mut ledger = Ledger::default();
        for link in open {
            ledger.opened(link.conn, &link.identity, link.subprotocol.as_deref());
        }
        let mut desks = BTreeMap::new();
        desks.insert(identity.to_owned(), Desk::new(edition, dut, facts));
        Self {
            edition,
            dut: dut.to_owned(),
            identity: identity.to_owned(),
            values,
            ledger,
            desks,
        }
    }

    /// The same watch without the rules of these ids.
    #[must_use]
    pub(crate) fn without(mut self, ids: &[&str]) -> Self {
        for desk in self.desks.values_mut() {
            desk.rules.retain(|rule| !ids.contains(&rule.info.id));
        }
        self
    }

    /// A watch for the trace of this premise; `None` where its protocol has no catalogue here.
    pub fn of(premise: &Premise) -> Option<Self> {
        let edition = Edition::by_name(&premise.protocol)?;
        let facts = Facts::new(premise.facts.clone());
        let values = premise.values.clone();
        Some(Self::new(
            edition,
            &premise.dut,
            &premise.identity,
            values,
            facts,
            &premise.connections,
        ))
    }

    /// Takes the next event; gives back what the rules found.
    pub fn see(&mut self, event: &Event) -> Vec<Finding> {
        self.take_apart(event, &mut |_, _| {})
    }

    /// As [`Watch::see`], and shows the parts of the event to `listener` too, after the rules and before the facts
    /// learn from them.
    pub fn take_apart(&mut self, event: &Event, listener: &mut Listener<'_>) -> Vec<Finding> {
        let mut showing = Showing {
            at: event.at,
            seq: event.seq,
            listener,
            found: Vec::new(),
        };
        match &event.what {
            What::Opened {
                conn,
                identity,
                subprotocol,
                ..
            } => {
                self.introduce(identity);
                self.show(identity, Seen::Event(event), &mut showing);
                self.ledger.opened(*conn, identity, subprotocol.as_deref());
            }
            What::Refused { identity, .. } => {
                let identity = if self.desks.contains_key(identity) {
                    identity.clone()
                } else {
                    self.identity.clone()
                };
                self.show(&identity, Seen::Event(event), &mut showing);
            }
            What::Frame {
                conn,
                from,
                opcode,
                data,
                cause,
                ..
            } => {
                let identity = self.identity_of(*conn);
                self.show(&identity, Seen::Event(event), &mut showing);
                match (opcode, data) {
                    (1, Data::Text { text }) => {
                        self.frame(&identity, *conn, *from, *cause, text, &mut showing);
                    }
                    (1, Data::Large { head, .. }) => self.large(*conn, *from, *cause, head, &showing),
                    _ => {}
                }
            }
            What::Closing { conn, .. } => {
                let identity = self.identity_of(*conn);
                self.show(&identity, Seen::Event(event), &mut showing);
            }
            What::Closed { conn, .. } => {
                let identity = self.identity_of(*conn);
                self.show(&identity, Seen::Event(event), &mut showing);
                self.ledger.closed(*conn);
            }
            What::End => {
                self.show_all(Seen::Event(event), &mut showing);
                self.show_all(Seen::End, &mut showing);
            }
            _ => self.show_all(Seen::Event(event), &mut showing),
        }
        showing.found
    }

    /// Open and answered CALLs, and connections.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is known of the identity of the premise.
    pub fn facts(&self) -> &Facts {
        // Invariant: `new` made this desk, and desks are never removed.
        #[expect(
            clippy::expect_used,
            reason = "the desk of the premise's identity is made in `new` and kept"
        )]
        let desk = self.desks.get(&self.identity).expect("desk of the premise");
        &desk.facts
    }

    /// What is known of another identity; `None` where it never connected.
    pub fn facts_of(&self, identity: &str) -> Option<&Facts> {
        self.desks.get(identity).map(|desk| &desk.facts)
    }

    /// The edition that is judged by.
    pub fn edition(&self) -> &'static Edition {
        self.edition
    }

    /// The side under test.
    pub fn dut(&self) -> &str {
        &self.dut
    }

    fn introduce(&mut self, identity: &str) {
        if self.desks.len() < MAX_IDENTITIES && !self.desks.contains_key(identity) {
            self.desks.insert(
                identity.to_owned(),
                Desk::new(self.edition, &self.dut, Facts::default()),
            );
        }
    }

    fn identity_of(&self, conn: u32) -> String {
        let known = self.ledger.links().get(&conn).map(|link| &link.identity);
        known
            .filter(|identity| self.desks.contains_key(*identity))
            .unwrap_or(&self.identity)
            .clone()
    }

    fn frame(
        &mut self,
        identity: &str,
        conn: u32,
        from: Party,
        cause: Option<Cause>,
        text: &str,
        showing: &mut Showing<'_, '_>,
    ) {
        let read = read_frame(self.edition, text);
        let seen = Seen::Frame {
            conn,
            from,
            cause,
            text,
            frame: read.frame.as_ref(),
            flaws: read.flaws.as_slice(),
        };
        self.show(identity, seen, showing);
        let Some(frame) = &read.frame else { return };
        match frame {
            Frame::Call { id, action, payload } => {
                self.show(
                    identity,
                    Seen::Call {
                        conn,
                        from,
                        id,
                        action,
                        payload,
                    },
                    showing,
                );
                let (at, seq) = (showing.at, showing.seq);
                let (id, action, payload) = (id.clone(), action.clone(), payload.clone());
                self.ledger.called(OpenCall {
                    conn,
                    from,
                    id,
                    action,
                    payload,
                    at,
                    seq,
                    cause,
                });
            }
            Frame::CallResult { id, payload } => {
                let Some(call) = self.ledger.answer(conn, from, id) else {
                    return self.show(identity, Seen::Stray { conn, from, frame }, showing);
                };
                let answer = AnswerSeen::Result(payload);
                self.show(
                    identity,
                    Seen::Answer {
                        conn,
                        from,
                        call: &call,
                        answer,
                    },
                    showing,
                );
            }
            Frame::CallError {
                id,
                code,
                description,
                ..
            } => {
                let Some(call) = self.ledger.answer(conn, from, id) else {
                    return self.show(identity, Seen::Stray { conn, from, frame }, showing);
                };
                let answer = AnswerSeen::Error { code, description };
                self.show(
                    identity,
                    Seen::Answer {
                        conn,
                        from,
                        call: &call,
                        answer,
                    },
                    showing,
                );
            }
        }
    }

    /// A frame of which the trace kept the head only cannot be judged, but it opens or ends an exchange.
    fn large(&mut self, conn: u32, from: Party, cause: Option<Cause>, head: &str, showing: &Showing<'_, '_>) {
        match head_of(head) {
            Some((2, id, action)) => {
                let (at, seq, action) = (showing.at, showing.seq, action.unwrap_or_default());
                self.ledger.called(OpenCall {
                    conn,
                    from,
                    id,
                    action,
                    payload: Json::Null,
                    at,
                    seq,
                    cause,
                });
            }
            Some((3 | 4, id, _)) => {
                self.ledger.answer(conn, from, &id);
            }
            _ => {}
        }
    }

    fn show_all(&mut self, seen: Seen<'_>, showing: &mut Showing<'_, '_>) {
        let others: Vec<String> = self
            .desks
            .keys()
            .filter(|i| **i != self.identity)
            .cloned()
            .collect();
        let own = self.identity.clone();
        self.show(&own, seen, showing);
        // The listener has been told once; the other desks have rules and facts only.
        let mut nobody = |_: &Context<'_>, _: Seen<'_>| {};
        let mut quiet = Showing {
            at: showing.at,
            seq: showing.seq,
            listener: &mut nobody,
            found: Vec::new(),
        };
        for identity in others {
            self.show(&identity, seen, &mut quiet);
        }
        showing.found.append(&mut quiet.found);
    }

    fn show(&mut self, identity: &str, seen: Seen<'_>, showing: &mut Showing<'_, '_>) {
        let key = if self.desks.contains_key(identity) {
            identity
        } else {
            self.identity.as_str()
        };
        let Some(Desk { facts, keeper, rules }) = self.desks.get_mut(key) else {
            return;
        };
        let context = Context {
            edition: self.edition,
            dut: &self.dut,
            identity: key,
            at: showing.at,
            seq: showing.seq,
            ledger: &self.ledger,
            facts,
            values: &self.values,
        };
        let kind = seen.kind();
        for Desked { rule, info, wants } in rules {
            if *wants & kind != 0 {
                let mut findings = Findings::new(info, showing.seq);
                rule.see(&context, seen, &mut findings);
                findings.move_to(&mut showing.found);
            }
        }
        (showing.listener)(&context, seen);
        let view = KeeperView {
            dut: &self.dut,
            at: showing.at,
        };
        if let Some(keeper) = keeper {
            keeper.see(facts, &view, seen);
        }
    }
}

/// One event on its way to everyone who is shown it.
struct Showing<'s, 'l> {
    at: Timestamp,
    seq: u64,
    listener: &'s mut Listener<'l>,
    found: Vec<Finding>,
}

/// Message type, id and, for a CALL, action of a frame of which only the head is there.
fn head_of(head: &str) -> Option<(u8, String, Option<String>)> {
    let (kind, rest) = head.trim_start().strip_prefix('[')?.split_once(',')?;
    let kind: u8 = kind.trim().parse().ok()?;
    let (id, rest) = string_at(rest)?;
    let action = (kind == 2)
        .then(|| string_at(rest.trim_start().strip_prefix(',')?))
        .flatten();
    Some((kind, id, action.map(|(action, _)| action)))
}

/// The JSON string at the beginning of a text, and what follows it.
fn string_at(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    let (string, rest) = text.split_at(end?.0 + 1);
    match Json::parse(string) {
        Ok(Json::String(string)) => Some((string, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::head_of;

    #[test]
    fn the_head_of_a_large_frame_still_tells_what_it_is() {
        let call = r#" [2, "a\"b" ,"DataTransfer",{"data":"xxx"#;
        assert_eq!(
            head_of(call),
            Some((2, "a\"b".to_owned(), Some("DataTransfer".to_owned())))
        );
        assert_eq!(
            head_of(r#"[3,"7",{"configurationKey":["#),
            Some((3, "7".to_owned(), None))
        );
        assert_eq!(head_of("not a frame"), None);
        assert_eq!(head_of(r#"[3,"unfinished"#), None);
    }
}
