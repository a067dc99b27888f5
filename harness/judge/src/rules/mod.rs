//! The always-on rules: one file per theme, one registry.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use plugfest_protocol::{Edition, Json};
use plugfest_trace::{Event, OpenConnection, What};

use crate::facts::Facts;
use crate::finding::Finding;
use crate::rule::{Rule, RuleInfo};
use crate::watch::Watch;

mod answers;
mod book;
mod charging;
mod config;
mod correlation;
mod frame;
mod ids;
mod liveness;
mod meters;
mod progress;
mod schema;
mod sequence;
mod status;
mod support;
mod time;
mod transaction;
mod upgrade;

pub(crate) use answers::weight;
use support::Entry;

/// Every theme's rules. A rule that is not here does not exist.
static THEMES: [&[Entry]; 30] = [
    upgrade::RULES,
    frame::RULES,
    schema::RULES,
    answers::RULES,
    ids::RULES,
    sequence::boot::RULES,
    sequence::order::RULES,
    status::RULES,
    transaction::ids::RULES,
    transaction::tags::RULES,
    transaction::reasons::RULES,
    transaction::retries::RULES,
    transaction::csms::RULES,
    meters::values::RULES,
    meters::registers::RULES,
    meters::power::RULES,
    correlation::promises::RULES,
    correlation::availability::RULES,
    correlation::agreement::RULES,
    correlation::reservations::RULES,
    correlation::local_list::RULES,
    correlation::triggers::RULES,
    charging::profiles::RULES,
    charging::composite::RULES,
    charging::kept::RULES,
    charging::csms::RULES,
    progress::RULES,
    config::RULES,
    time::RULES,
    liveness::RULES,
];

fn entries() -> impl Iterator<Item = &'static Entry> {
    THEMES.iter().flat_map(|theme| theme.iter())
}

/// The rules that hold for an edition, fresh and without memory.
pub fn registry(edition: &Edition) -> Vec<Box<dyn Rule>> {
    entries()
        .filter(|entry| entry.info.editions.is_empty() || entry.info.editions.contains(&edition.name()))
        .map(Entry::make)
        .collect()
}

/// Rules that need to know when a connection was up.
pub(crate) const OF_CONNECTIONS: &[&str] = &["sequence/one-call-in-flight", "time/heartbeat-late"];

/// Rules that compare what a frame says of the time with when it came.
pub(crate) const OF_THE_CLOCK: &[&str] = &[
    "correlation/reservation-expires",
    "time/current-time",
    "time/future",
    "time/past",
];

/// Rules that find something too early, or too often, by when frames came.
pub(crate) const OF_INTERVALS: &[&str] = &[
    "sequence/boot-flood",
    "sequence/boot-interval",
    "status/repeated",
    "time/heartbeat-early",
    "time/heartbeat-flood",
    "transaction/retry-interval",
];

/// What every rule says of itself, in the order of the themes.
pub fn all() -> &'static [&'static RuleInfo] {
    static ALL: LazyLock<Vec<&'static RuleInfo>> =
        LazyLock::new(|| entries().map(|entry| &entry.info).collect());
    &ALL
}

/// What the rule of that id says of itself.
pub fn find(id: &str) -> Option<&'static RuleInfo> {
    all().iter().copied().find(|info| info.id == id)
}

/// Judges recorded events by the rules alone. A premise among the events is used for the identity and the
/// connections that were open; `values` and `facts` are those handed in.
pub fn run(
    edition: &'static Edition,
    dut: &str,
    values: &Json,
    facts: &BTreeMap<String, Json>,
    events: &[Event],
) -> Vec<Finding> {
    let premise = events.iter().find_map(|event| match &event.what {
        What::Premise(premise) => Some(premise.as_ref()),
        _ => None,
    });
    let first = events.iter().find_map(|event| match &event.what {
        What::Opened { identity, .. } => Some(identity.as_str()),
        _ => None,
    });
    let identity = premise
        .map(|premise| premise.identity.as_str())
        .or(first)
        .unwrap_or_default();
    let open: &[OpenConnection] = premise.map_or(&[], |premise| &premise.connections);
    let mut watch = Watch::new(
        edition,
        dut,
        identity,
        values.clone(),
        Facts::new(facts.clone()),
        open,
    );
    events.iter().flat_map(|event| watch.see(event)).collect()
}
