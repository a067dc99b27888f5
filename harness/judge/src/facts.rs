//! What is known of the DUT at a moment, derived from the trace alone.
//!
//! A fact is a value under a dotted name: `boot`, `status.1`, `transaction.1`, `config.HeartbeatInterval`. Which facts
//! there are is the business of an edition's keeper; this file only keeps them.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugfest_protocol::Json;

use crate::rule::{Context, Seen};

/// The facts of one identity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Shared: a copy costs nothing until one of the two learns something.
    values: Arc<BTreeMap<String, Json>>,
}

impl Facts {
    /// The facts of a premise.
    pub fn new(values: BTreeMap<String, Json>) -> Self {
        Self {
            values: Arc::new(values),
        }
    }

    /// The fact `name.key.key…`, if it is known.
    pub fn fact(&self, path: &str) -> Option<&Json> {
        self.values.get(path)
    }

    /// Learns a fact.
    pub fn learn(&mut self, path: impl Into<String>, value: impl Into<Json>) {
        Arc::make_mut(&mut self.values).insert(path.into(), value.into());
    }

    /// Forgets a fact.
    pub fn forget(&mut self, path: &str) {
        if self.values.contains_key(path) {
            Arc::make_mut(&mut self.values).remove(path);
        }
    }

    /// All facts whose name begins with `prefix.`, with the rest of their name.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Json)> {
        self.values
            .iter()
            .filter_map(move |(k, v)| Some((k.strip_prefix(prefix)?.strip_prefix('.')?, v)))
    }

    /// All of them, for the premise of the next trace.
    pub fn all(&self) -> &BTreeMap<String, Json> {
        &self.values
    }
}

/// Derives facts of one edition from what is seen. Learns from both sides: what we answered is a fact too.
pub trait Keeper: std::fmt::Debug + Send {
    /// Shows it one thing.
    fn see(&mut self, facts: &mut Facts, context: &KeeperView<'_>, seen: Seen<'_>);
}

/// A [`Context`] without the facts, which the keeper is about to change.
#[derive(Debug, Clone, Copy)]
pub struct KeeperView<'a> {
    /// The side under test.
    pub dut: &'a str,
    /// Time of the event.
    pub at: plugfest_protocol::Timestamp,
}

impl<'a> From<&Context<'a>> for KeeperView<'a> {
    fn from(context: &Context<'a>) -> Self {
        Self {
            dut: context.dut,
            at: context.at,
        }
    }
}
