//! The verdict lattice: ordered so that the worst wins, and never starting from *pass*.

use serde::{Deserialize, Serialize};

/// What is said of a case, in rising badness. `NotApplicable` and `Skipped` stand beside the order: they are only ever
/// the whole verdict of a case that was not played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The user chose not to run it.
    Skipped,
    /// The PICS say that it does not concern this DUT.
    NotApplicable,
    /// Everything asked was met.
    Pass,
    /// A SHOULD, a contested clause or a known quirk.
    Warn,
    /// The DUT went away for reasons that the case was not about, or the story was not finished.
    Inconclusive,
    /// A state could not be reached, or the driver lacks an action.
    Blocked,
    /// The harness or the configuration is at fault, never the DUT.
    Error,
    /// The DUT broke a MUST.
    Fail,
}

impl Verdict {
    /// All of them, best first.
    pub const ALL: [Self; 8] = [
        Self::Skipped,
        Self::NotApplicable,
        Self::Pass,
        Self::Warn,
        Self::Inconclusive,
        Self::Blocked,
        Self::Error,
        Self::Fail,
    ];

    /// The word used everywhere: `pass`, `not-applicable` …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::NotApplicable => "not-applicable",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Inconclusive => "inconclusive",
            Self::Blocked => "blocked",
            Self::Error => "error",
            Self::Fail => "fail",
        }
    }

    /// The worse of the two.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn a_proven_defect_outranks_an_error_of_ours() {
        assert_eq!(Verdict::Error.worst(Verdict::Fail), Verdict::Fail);
        assert_eq!(Verdict::Fail.worst(Verdict::Error), Verdict::Fail);
    }

    #[test]
    fn the_order_is_the_order_of_the_house() {
        let mut sorted = Verdict::ALL;
        sorted.sort();
        assert_eq!(sorted, Verdict::ALL);
        assert!(Verdict::Blocked > Verdict::Inconclusive && Verdict::Inconclusive > Verdict::Warn);
    }
}
