//! Names: where they are bound, what they hold, whether they are used.

use std::sync::Arc;

use plugfest_protocol::{Action, Part, Type};

use crate::ir::{Span, State};

/// What a name holds.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// The value of a field; an array where the flag is set. `None` where the type is not known.
    Value(Option<&'static Type>, bool),
    /// A whole message with its time.
    Message(Option<&'static Action>, Part),
    /// The moment of an act: only `.time`.
    Moment,
    /// What a state exports.
    Exports(Arc<State>),
    /// A parameter, a value of `for` or `each`: anything.
    Anything,
    /// One of these for each round.
    List,
}

/// A name with what became of it.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) spans: Vec<Span>,
    pub(super) held: Held,
    pub(super) used: bool,
    /// The conditions under which it is bound at all.
    pub(super) guards: Vec<Guard>,
    /// Parameters may go unused with a warning.
    pub(super) param: bool,
}

/// Why a name may be unbound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Guard {
    /// Inside `if FACT`.
    If(String),
    /// Inside an `optional` or a branch of an `either`: the number of the block and of the branch.
    Block(u32, u32),
}

/// What a look-up gives.
pub(super) enum Found {
    Here(Held),
    /// Bound in a block that may have been passed over.
    MayBeMissing(Span),
    Nowhere,
}

#[derive(Debug, Default)]
pub(super) struct Scope {
    bindings: Vec<Binding>,
    guards: Vec<Guard>,
    blocks: u32,
}

impl Scope {
    /// Binds a name; gives the place where it was bound before, if it was.
    pub(super) fn bind(&mut self, name: &str, span: Span, held: Held) -> Option<Span> {
        let before = self
            .bindings
            .iter()
            .find(|b| b.name == name && !exclude_each_other(&b.guards, &self.guards))
            .and_then(|b| b.spans.first().copied());
        if before.is_none() {
            self.bindings.push(Binding {
                name: name.to_owned(),
                spans: vec![span],
                held,
                used: false,
                guards: self.guards.clone(),
                param: false,
            });
        }
        before
    }

    pub(super) fn bind_param(&mut self, name: &str, span: Span) -> Option<Span> {
        let before = self.bind(name, span, Held::Anything);
        if let Some(last) = self.bindings.last_mut() {
            last.param = true;
        }
        before
    }

    /// Looks a name up and counts it as used.
    pub(super) fn find(&mut self, name: &str) -> Found {
        let mut missing = None;
        for binding in self.bindings.iter_mut().rev().filter(|b| b.name == name) {
            binding.used = true;
            if binding.guards.iter().all(|g| self.guards.contains(g)) {
                return Found::Here(binding.held.clone());
            }
            missing = binding.spans.first().copied();
        }
        missing.map_or(Found::Nowhere, Found::MayBeMissing)
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.bindings.iter().any(|b| b.name == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.bindings.iter().map(|b| b.name.as_str())
    }

    pub(super) fn len(&self) -> usize {
        self.bindings.len()
    }

    /// The names bound first, up to `count`.
    pub(super) fn is_among_first(&self, name: &str, count: usize) -> bool {
        self.bindings[..count.min(self.bindings.len())]
            .iter()
            .any(|b| b.name == name)
    }

    pub(super) fn enter(&mut self, guard: Guard) {
        self.guards.push(guard);
    }

    /// The number of a new block with branches, see [`Scope::enter_branch`].
    pub(super) fn new_block(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks
    }

    /// Enters a branch of a block: what it binds is bound only if it was taken.
    pub(super) fn enter_branch(&mut self, block: u32, branch: u32) -> Guard {
        let guard = Guard::Block(block, branch);
        self.guards.push(guard.clone());
        guard
    }

    pub(super) fn leave(&mut self) {
        self.guards.pop();
    }

    /// From `start` on, names hold lists.
    pub(super) fn listed(&mut self, start: usize) {
        for binding in &mut self.bindings[start..] {
            binding.held = Held::List;
        }
    }

    /// Takes a name out of sight, and gives it back for the account of unused ones.
    pub(super) fn forget(&mut self, name: &str) -> Option<Binding> {
        let at = self.bindings.iter().rposition(|b| b.name == name)?;
        Some(self.bindings.remove(at))
    }

    /// Ends an `either`: names bound in each of its branches are bound behind it as if once.
    pub(super) fn merge(&mut self, start: usize, branches: &[Guard]) {
        let mut inside: Vec<Binding> = self.bindings.split_off(start);
        let names: Vec<String> = inside.iter().map(|b| b.name.clone()).collect();
        for name in names {
            let bound_by = |guard: &Guard| {
                inside.iter().position(|b| {
                    b.name == name
                        && b.guards.len() == self.guards.len() + 1
                        && b.guards.last() == Some(guard)
                })
            };
            let found: Option<Vec<usize>> = branches.iter().map(bound_by).collect();
            let Some(found) = found else { continue };
            let mut merged = inside[found[0]].clone();
            merged.spans = found.iter().flat_map(|i| inside[*i].spans.clone()).collect();
            merged.used = found.iter().any(|i| inside[*i].used);
            merged.guards.pop();
            inside.retain(|b| !(b.name == name && b.guards.last().is_some_and(|g| branches.contains(g))));
            self.bindings.push(merged);
        }
        self.bindings.extend(inside);
    }

    /// All names, to say at the end which were never used.
    pub(super) fn take(&mut self) -> Vec<Binding> {
        std::mem::take(&mut self.bindings)
    }

    /// For `finally`, which runs whatever was reached: every name may be used.
    pub(super) fn open_all(&mut self) {
        for binding in &mut self.bindings {
            binding.guards.clear();
        }
    }
}

/// True where two lines can never both be reached: different branches of one block, or different facts, which are
/// taken to exclude each other.
fn exclude_each_other(left: &[Guard], right: &[Guard]) -> bool {
    left.iter().any(|l| {
        right.iter().any(|r| match (l, r) {
            (Guard::Block(l, lb), Guard::Block(r, rb)) => l == r && lb != rb,
            (Guard::If(l), Guard::If(r)) => l != r,
            _ => false,
        })
    })
}
