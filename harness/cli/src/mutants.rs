//! What share of real defects the suite finds: the reference devices with one defect at a time, under every case.
//!
//! The outcome of a defect does not depend on the order of the cases or on how many run at a time: one defect is one task,
//! its cases come in one fixed order, and it ends early only where nothing that follows could change the outcome.

use plugfest_reference::defect::{Confidence, Defect, Row};
use plugfest_reference::slip::Slip;

pub(crate) mod baseline;
pub(crate) mod derive;
pub(crate) mod equivalent;
pub(crate) mod report;
pub(crate) mod runner;
pub(crate) mod score;

/// What is wrong with a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// A defect of the table.
    pub(crate) defect: Option<Defect>,
    /// A slip that was derived.
    pub(crate) slip: Option<Slip>,
}

/// One device with one defect: what the score is made of.
#[derive(Debug, Clone)]
pub(crate) struct Mutant {
    /// Its name.
    pub(crate) id: String,
    /// `station` or `csms`.
    pub(crate) role: String,
    /// Where it comes from.
    pub(crate) source: String,
    /// Its row in the table; none for a slip.
    pub(crate) row: Option<&'static Row>,
    /// What is wrong; `None` where it cannot be played.
    pub(crate) flaw: Option<Flaw>,
}

impl Mutant {
    /// All mutants of the table, in its order: one for each role of a row.
    pub(crate) fn listed() -> Vec<Self> {
        let mutant = |row: &'static Row, role: &str| Self {
            id: row.id.clone(),
            role: role.to_owned(),
            source: row.source.clone(),
            row: Some(row),
            flaw: row.defect().map(|defect| Flaw {
                defect: Some(defect),
                slip: None,
            }),
        };
        plugfest_reference::defect::table()
            .iter()
            .flat_map(|row| row.roles.iter().map(move |role| mutant(row, role)))
            .collect()
    }

    /// How sure it is that the standard forbids it. Nobody has listed a slip, so nobody has doubted it.
    pub(crate) fn confidence(&self) -> Option<Confidence> {
        self.row.map(|row| row.confidence)
    }
}

/// What became of a mutant, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outcome {
    /// A MUST finding that cites a clause of the row.
    Killed,
    /// A warning that cites one.
    Warned,
    /// A finding that cites others.
    MissedClause,
    /// Nothing was found, though the wire differed.
    Survived,
    /// The wire did not differ from the clean device's.
    NotActivated,
    /// It could not be played.
    Error,
}

impl Outcome {
    /// All of them, the best first.
    pub(crate) const ALL: [Self; 6] = [
        Self::Killed,
        Self::Warned,
        Self::MissedClause,
        Self::Survived,
        Self::NotActivated,
        Self::Error,
    ];

    /// The word of reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Warned => "warned",
            Self::MissedClause => "missed-clause",
            Self::Survived => "survived",
            Self::NotActivated => "not-activated",
            Self::Error => "error",
        }
    }
}

/// What became of one mutant, and why.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    /// Which.
    pub(crate) mutant: Mutant,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// The finding that decided.
    pub(crate) by: Option<Decided>,
    /// Why it was not played, or what went wrong.
    pub(crate) why: String,
}

/// The finding that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    /// The rule.
    pub(crate) rule: String,
    /// The clause that it cites.
    pub(crate) clause: String,
    /// The case, and the make-up of the station.
    pub(crate) case: String,
}
