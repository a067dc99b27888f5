//! What a proof says: all doctorings of all lines, and what became of each.

use std::collections::BTreeSet;
use std::fmt;

use plugfest_case::LineCount;
use plugfest_judge::LineRef;

use super::exceptions::Exception;

/// What became of one doctoring of one line.
#[derive(Debug, Clone)]
pub struct LineProof {
    /// The case.
    pub case: String,
    /// The side under test.
    pub role: String,
    /// The assignment of its `for` names in words.
    pub variant: String,
    /// What was taken to be so, against the usual.
    pub world: String,
    /// The branches that the station and the CSMS took.
    pub vary: (u64, u64),
    /// The author's line.
    pub line: LineRef,
    /// What was made wrong.
    pub doctoring: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a doctoring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was seen, at its line and with its clause.
    Red,
    /// It was not.
    Green {
        /// What was said instead.
        why: String,
    },
    /// It cannot be seen.
    Excepted {
        /// Why not.
        reason: String,
    },
}

/// A line of the DUT that no playing comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmet {
    /// The case.
    pub case: String,
    /// The side under test.
    pub role: String,
    /// The author's line.
    pub line: LineRef,
}

/// The proof of a library.
#[derive(Debug, Default)]
pub struct Proof {
    /// Every doctoring of every line met, in the order of the cases.
    pub lines: Vec<LineProof>,
    /// Lines that were never met, and so not proven.
    pub unmet: Vec<Unmet>,
    /// Playings that did not pass by themselves, in words; nothing of them is proven.
    pub broken: Vec<String>,
    /// Playings that were doctored, one for each side under test.
    pub played: usize,
    /// Traces that were judged.
    pub judged: usize,
    /// Exceptions that were not needed.
    pub unused: Vec<&'static Exception>,
    /// Lines of the whole library, and the weak ones among them.
    pub count: LineCount,
}

impl Proof {
    /// Doctorings that nothing saw.
    pub fn green(&self) -> impl Iterator<Item = &LineProof> {
        self.lines
            .iter()
            .filter(|l| matches!(l.outcome, Outcome::Green { .. }))
    }

    /// Doctorings that are excepted.
    pub fn excepted(&self) -> usize {
        let excepted = |l: &&LineProof| matches!(l.outcome, Outcome::Excepted { .. });
        self.lines.iter().filter(excepted).count()
    }

    /// Lines met, and how many of them are proven: every doctoring of theirs is seen or excepted.
    pub fn proven(&self) -> (usize, usize) {
        let key = |l: &LineProof| (l.case.clone(), l.role.clone(), l.line.file.clone(), l.line.line);
        let all: BTreeSet<_> = self.lines.iter().map(key).collect();
        let green: BTreeSet<_> = self.green().map(key).collect();
        (all.len() - green.len(), all.len() + self.unmet.len())
    }

    /// True when every line is proven and every exception was needed.
    pub fn holds(&self) -> bool {
        self.green().next().is_none()
            && self.unmet.is_empty()
            && self.broken.is_empty()
            && self.unused.is_empty()
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (proven, all) = self.proven();
        let share = 100.0 * self.count.weak as f64 / self.count.dut.max(1) as f64;
        write!(
            f,
            "{proven} of {all} lines proven ({} doctorings of {} playings, {} excepted); {} of {} lines are weak ({share:.1} %)",
            self.lines.len(),
            self.played,
            self.excepted(),
            self.count.weak,
            self.count.dut,
        )
    }
}
