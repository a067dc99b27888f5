//! The worlds in which a case is proven: the usual one of played sides, and those in which its `if`s go the other way.

use std::collections::{BTreeMap, BTreeSet};

use plugfest_case::ir::{Given, Kind, Stmt};
use plugfest_case::{Library, Loaded, pics};
use plugfest_protocol::{Json, Object};

use crate::premise::played_pics;

/// More names in one `if` are not turned over together.
const MAX_NAMES: usize = 4;

/// What is taken to be so in one playing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct World {
    /// What differs from the usual world, in words; empty for that one.
    pub(super) name: String,
    pub(super) pics: BTreeMap<String, Json>,
    pub(super) values: Json,
}

/// All worlds of a case, the usual one first.
pub(super) fn worlds(library: &Library, loaded: &Loaded, values: &Json) -> Vec<World> {
    let requires = loaded.case.header.requires.as_ref().map(|r| &r.expr);
    let usual = World {
        name: String::new(),
        pics: played_pics(library.facts(&loaded.protocol), requires),
        values: values.clone(),
    };
    let mut facts = BTreeSet::new();
    gather(library, loaded, &loaded.case.body, 0, &mut facts);
    let mut all = vec![usual.clone()];
    for fact in facts {
        for other in turned(library, loaded, &fact, &usual) {
            let applies = requires.is_none_or(|r| pics::evaluate(r, &other.pics).applies);
            let known = all
                .iter()
                .any(|w| w.pics == other.pics && w.values == other.values);
            if applies && !known {
                all.push(other);
            }
        }
    }
    all
}

/// Every way in which the names of an `if` can be answered.
fn turned(library: &Library, loaded: &Loaded, fact: &str, usual: &World) -> Vec<World> {
    let mut all = vec![usual.clone()];
    for name in names(fact).into_iter().take(MAX_NAMES) {
        let options = options(fact);
        let mut next = Vec::new();
        for world in &all {
            for option in &options {
                let mut world = world.clone();
                let comma = if world.name.is_empty() { "" } else { "," };
                world.name = format!("{}{comma}{name}={option}", world.name);
                if let Some(key) = name.strip_prefix("config.") {
                    let mut config = Object::new();
                    config.insert(key, option.clone());
                    let mut values = Object::new();
                    values.insert("config", Json::Object(config));
                    world.values.merge(&Json::Object(values));
                } else if library.facts(&loaded.protocol).pics.contains_key(&name) {
                    world.pics.insert(name.clone(), option.clone());
                } else {
                    // A fact of the trace is as it is.
                    continue;
                }
                next.push(world);
            }
        }
        if !next.is_empty() {
            all = next;
        }
    }
    all
}

/// What the names of an expression may be: on either side of the numbers in it, or both truth values.
fn options(fact: &str) -> Vec<Json> {
    let numbers: Vec<i64> = fact
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    if numbers.is_empty() {
        return vec![Json::from(true), Json::from(false)];
    }
    numbers
        .iter()
        .flat_map(|n| [Json::from(*n), Json::from(n - 1)])
        .collect()
}

/// The dotted words of an expression.
pub(super) fn names(fact: &str) -> BTreeSet<String> {
    fact.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(str::to_owned)
        .collect()
}

/// The facts of all `if`s in a body and in the phrases that it uses.
fn gather(library: &Library, loaded: &Loaded, body: &[Stmt], depth: usize, facts: &mut BTreeSet<String>) {
    if depth > super::lines::MAX_DEPTH {
        return;
    }
    for stmt in body {
        for inner in stmt.kind.bodies() {
            gather(library, loaded, inner, depth + 1, facts);
        }
        match &stmt.kind {
            Kind::If { fact, .. } => {
                facts.insert(fact.text.clone());
            }
            Kind::Do(Given::State(reference)) => {
                let state = library.state(&loaded.protocol, &reference.name.text);
                if let Some(phrase) = state.filter(|s| s.state.phrase) {
                    for way in &phrase.state.ways {
                        gather(library, loaded, &way.body, depth + 1, facts);
                    }
                }
            }
            _ => {}
        }
    }
}
