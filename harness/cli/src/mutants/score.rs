//! Counting: every mutant counts, always.

use std::collections::BTreeMap;

use plugfest_reference::defect::Confidence;

use super::{Judged, Outcome};

/// How many mutants had each outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<Outcome, usize>);

impl Tally {
    pub(crate) fn of<'a>(judged: impl IntoIterator<Item = &'a Judged>) -> Self {
        let mut tally = Self::default();
        for one in judged {
            *tally.0.entry(one.outcome).or_default() += 1;
        }
        tally
    }

    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.0.get(&outcome).copied().unwrap_or_default()
    }

    /// Killed mutants.
    pub(crate) fn killed(&self) -> usize {
        self.count(Outcome::Killed)
    }

    /// Killed or warned mutants.
    pub(crate) fn noticed(&self) -> usize {
        self.killed() + self.count(Outcome::Warned)
    }

    /// All of them.
    pub(crate) fn all(&self) -> usize {
        self.0.values().sum()
    }
}

/// Those of the table with that confidence.
pub(crate) fn with(judged: &[Judged], confidence: Confidence) -> impl Iterator<Item = &Judged> {
    judged
        .iter()
        .filter(move |one| one.mutant.confidence() == Some(confidence))
}

/// `73.5 %`, never rounded up.
pub(crate) fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "none".to_owned();
    }
    let tenths = part * 1000 / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// The figures below which the score must not fall: `docs/score.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    /// Confirmed rows that were killed.
    pub(crate) confirmed_killed: usize,
    /// Confirmed rows, each counted once for each of its devices.
    pub(crate) confirmed: usize,
    /// Quirks that were warned of, or killed.
    pub(crate) quirks_noticed: usize,
    /// Quirks.
    pub(crate) quirks: usize,
    /// Contested rows that were warned of.
    pub(crate) contested_warned: usize,
    /// Contested rows.
    pub(crate) contested: usize,
    /// Slips that were killed or are equivalent.
    pub(crate) slips_killed_or_equivalent: usize,
    /// Slips that showed on the wire.
    pub(crate) slips: usize,
}

impl Recorded {
    /// The figures in the repository.
    pub(crate) fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("../../../../docs/score.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_figures_can_be_read_and_fit_the_table() {
        let recorded = Recorded::read().unwrap();
        let mutants = super::super::Mutant::listed();
        let count = |confidence| {
            mutants
                .iter()
                .filter(|it| it.confidence() == Some(confidence))
                .count()
        };
        assert_eq!(recorded.confirmed, count(Confidence::Confirmed));
        assert_eq!(recorded.quirks, count(Confidence::Quirk));
        assert_eq!(recorded.contested, count(Confidence::Contested));
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(percent(999, 1000), "99.9 %");
        assert_eq!(percent(9999, 10000), "99.9 %");
        assert_eq!(percent(1, 1), "100.0 %");
        assert_eq!(percent(0, 0), "none");
    }
}
