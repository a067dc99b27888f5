//! What was found, with everything that a reader needs to believe it.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// How strongly the clause speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// SHALL / MUST: a breach fails.
    Must,
    /// SHOULD: a breach warns.
    Should,
    /// Two documents disagree, or an erratum changed the text: a breach warns and cites both readings.
    Contested,
    /// Good practice that no clause demands: a breach warns.
    Advisory,
}

impl Level {
    /// The verdict that a breach gives.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Must => Verdict::Fail,
            Self::Should | Self::Contested | Self::Advisory => Verdict::Warn,
        }
    }

    /// `must`, `should`, `contested`, `advisory`
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Contested => "contested",
            Self::Advisory => "advisory",
        }
    }
}

/// Where in a case file a finding arose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRef {
    /// Path below `testcases/`.
    pub file: String,
    /// Line number from 1.
    pub line: u32,
    /// Column from 1.
    pub column: u32,
    /// The author's line as written, without indentation.
    pub text: String,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Rule id: `frame/arity`, `schema/response`, `line/field`, `line/missing` …
    pub rule: String,
    /// What it does to the verdict.
    pub verdict: Verdict,
    /// How strongly the clause speaks.
    pub level: Level,
    /// The clause: `OCPP-1.6 4.9`.
    pub clause: String,
    /// One sentence in lower case.
    pub message: String,
    /// What was expected, as text.
    pub expected: String,
    /// What came, as text (the DUT's words; escape on the way out).
    pub actual: String,
    /// JSON pointer into the payload of the frame, where there is one.
    pub pointer: Option<String>,
    /// Sequence number of the event that decided it.
    pub event: Option<u64>,
    /// The author's line, for findings of the conversation.
    pub line: Option<LineRef>,
    /// For a failed `check`: each part of the expression with its value.
    pub parts: Vec<(String, String)>,
    /// How often the like of it was found, this one included: one fault is one finding.
    #[serde(default = "once")]
    pub count: u32,
    /// Sequence numbers of the events of the others, as many as are kept.
    #[serde(default)]
    pub again: Vec<u64>,
}

/// Events kept of findings that are like another one.
const MOST_AGAIN: usize = 50;

fn once() -> u32 {
    1
}

impl Finding {
    /// True for two findings of one fault: the same rule at the same clause says it of the same place, or in the same
    /// words where there is no place.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let same = self.rule == other.rule && self.level == other.level && self.clause == other.clause;
        let place = self.pointer == other.pointer && self.line == other.line;
        same && place && (self.pointer.is_some() || self.message == other.message)
    }

    /// Takes in another finding that is like this one.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        if self.again.len() < MOST_AGAIN {
            self.again.extend(other.event);
        }
    }
}
