//! Which CALLs are open, in which direction, on which connection; and which connections are up.
//!
//! The one place that pairs answers with CALLs. Rules, facts and the conversation all read it.

use std::collections::{BTreeMap, VecDeque};

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Cause, Party};

/// At most so many open CALLs are remembered per direction and connection; a flooding DUT makes us forget the oldest.
const MAX_OPEN: usize = 1024;
/// At most so many answered CALLs are remembered per connection (to tell a second answer from a stray one).
const MAX_ANSWERED: usize = 256;

/// A CALL that waits for its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenCall {
    /// The connection.
    pub conn: u32,
    /// Who sent it.
    pub from: Party,
    /// Its message id.
    pub id: String,
    /// Its action.
    pub action: String,
    /// Its payload.
    pub payload: Json,
    /// When it was seen.
    pub at: Timestamp,
    /// The event.
    pub seq: u64,
    /// Why we sent it, if we did.
    pub cause: Option<Cause>,
}

/// A CALL that has just been answered.
pub type AnsweredCall = OpenCall;

/// A connection that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The identity it belongs to.
    pub identity: String,
    /// The agreed subprotocol.
    pub subprotocol: Option<String>,
}

/// Open and answered CALLs, and connections.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    links: BTreeMap<u32, Link>,
    open: VecDeque<OpenCall>,
    answered: VecDeque<(u32, Party, String)>,
}

impl Ledger {
    /// Notes that a connection is up.
    pub fn opened(&mut self, conn: u32, identity: &str, subprotocol: Option<&str>) {
        self.links.insert(
            conn,
            Link {
                identity: identity.to_owned(),
                subprotocol: subprotocol.map(str::to_owned),
            },
        );
    }

    /// Notes that a connection is gone; its open CALLs will never be answered and are handed back.
    pub fn closed(&mut self, conn: u32) -> Vec<OpenCall> {
        self.links.remove(&conn);
        let (gone, kept) = self.open.drain(..).partition(|c| c.conn == conn);
        self.open = kept;
        gone.into_iter().collect()
    }

    /// Notes a CALL.
    pub fn called(&mut self, call: OpenCall) {
        if self.open.len() >= MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(call);
    }

    /// Takes the open CALL that an answer from `answerer` with this id belongs to.
    pub fn answer(&mut self, conn: u32, answerer: Party, id: &str) -> Option<OpenCall> {
        let at = self
            .open
            .iter()
            .position(|c| c.conn == conn && c.from != answerer && c.id == id)?;
        let call = self.open.remove(at)?;
        if self.answered.len() >= MAX_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back((conn, call.from, call.id.clone()));
        Some(call)
    }

    /// True if a CALL of `caller` with this id was answered before on this connection.
    pub fn was_answered(&self, conn: u32, caller: Party, id: &str) -> bool {
        self.answered
            .iter()
            .any(|(c, from, i)| *c == conn && *from == caller && i == id)
    }

    /// The open CALLs of one side on one connection, oldest first.
    pub fn open_from(&self, conn: u32, from: Party) -> impl Iterator<Item = &OpenCall> {
        self.open.iter().filter(move |c| c.conn == conn && c.from == from)
    }

    /// All open CALLs, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &OpenCall> {
        self.open.iter()
    }

    /// The connections that are up.
    pub fn links(&self) -> &BTreeMap<u32, Link> {
        &self.links
    }

    /// The newest connection of an identity.
    pub fn link_of(&self, identity: &str) -> Option<u32> {
        self.links
            .iter()
            .rev()
            .find(|(_, l)| l.identity == identity)
            .map(|(c, _)| *c)
    }
}
