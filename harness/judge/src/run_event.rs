//! The one stream of events that reports listen to. Play emits them; nothing prints anywhere else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plugfest_protocol::{Json, Timestamp};
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, LineRef};
use crate::tally::Negatives;
use crate::verdict::Verdict;

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "findings are few, and an event of a run is made, heard and dropped"
)]
pub enum RunEvent {
    /// Said before the first action.
    Planned(Plan),
    /// A case begins.
    Started {
        /// Which.
        key: CaseKey,
        /// Its place among the planned cases, from 1.
        number: u32,
    },
    /// A case waits for something.
    Waiting {
        /// Which case.
        key: CaseKey,
        /// For what, in words: `StatusNotification(connectorId: 1) of the station`.
        what: String,
        /// Until when.
        until: Option<Timestamp>,
        /// Now.
        now: Timestamp,
    },
    /// Something was found, as soon as it is found.
    Found {
        /// In which case.
        key: CaseKey,
        /// What.
        finding: Finding,
    },
    /// A case is over.
    Finished(Box<CaseResult>),
    /// Something a person should know that concerns no single case.
    Note {
        /// The text.
        text: String,
    },
    /// The run was broken off.
    Interrupted {
        /// By what: `SIGINT`, `SIGTERM`, `--fail-fast`.
        by: String,
    },
    /// The run is over.
    Ended(RunSummary),
}

/// Which result line: a case, the side under test, the values of its `for` names, the repetition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CaseKey {
    /// The case id.
    pub case: String,
    /// The side under test: `station` or `csms`.
    pub tests: String,
    /// The values of `for` names, in words: `reason=Local`; empty without.
    pub variant: String,
    /// From 1; above 1 with `--repeat`.
    pub repetition: u32,
}

impl std::fmt::Display for CaseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}", self.case, self.tests)?;
        if !self.variant.is_empty() {
            write!(f, ", {}", self.variant)?;
        }
        if self.repetition > 1 {
            write!(f, ", #{}", self.repetition)?;
        }
        f.write_str(")")
    }
}

/// What a run is going to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the tool.
    pub version: String,
    /// The seed.
    pub seed: u64,
    /// When it began, wall time.
    pub started: Timestamp,
    /// What is tested, in words: `the embedded reference station and CSMS`, `station at ws://…`.
    pub dut: String,
    /// Facts about the DUT for reports: role, protocol, url, vendor, model, firmware.
    pub dut_facts: BTreeMap<String, String>,
    /// The result lines that will come.
    pub cases: Vec<PlannedCase>,
    /// How often a person will be asked for something.
    pub prompts: u32,
    /// How often the DUT will be rebooted.
    pub reboots: u32,
    /// Estimated waiting that the standard or the DUT imposes, in milliseconds.
    pub waiting_ms: u64,
    /// Whether warnings count as failures.
    pub strict: bool,
    /// True where everything runs in memory on the paused clock.
    pub paused_clock: bool,
}

/// One planned result line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedCase {
    /// Its key.
    pub key: CaseKey,
    /// The title of the case.
    pub title: String,
    /// The official ids that this role covers.
    pub covers: Vec<String>,
    /// `OCPP-1.6`
    pub protocol: String,
    /// Functional block.
    pub block: String,
    /// Certification profile.
    pub profile: String,
    /// Clauses: `OCPP-1.6 4.9`.
    pub clauses: Vec<String>,
    /// The file below `testcases/`.
    pub file: String,
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// What was planned.
    pub planned: PlannedCase,
    /// The verdict after expected failures were taken into account.
    pub verdict: Verdict,
    /// Why, where it is no pass: the deciding finding or PICS term in one line.
    pub reason: String,
    /// All findings, in order.
    pub findings: Vec<Finding>,
    /// Findings that were expected, with reason and owner.
    pub expected: Vec<ExpectedFinding>,
    /// Expected findings that did not come (which makes the run red).
    pub unexpected_pass: Vec<String>,
    /// How many lines of the DUT were met.
    pub lines_met: u32,
    /// How many `check`s were evaluated.
    pub checks: u32,
    /// What became of the frames that were wrong on purpose.
    pub negatives: Negatives,
    /// How long it took, in milliseconds of the run's clock.
    pub duration_ms: u64,
    /// How much of that was waiting that the standard or the DUT imposes.
    pub waited_ms: u64,
    /// When it began.
    pub started: Timestamp,
    /// The trace file, below the output directory.
    pub trace: Option<PathBuf>,
    /// The conversation, for sequences and snapshots (bounded: the last 10,000 rows).
    pub conversation: Vec<Row>,
    /// The command that reproduces it.
    pub reproduce: String,
    /// Messages that no line claimed.
    pub unclaimed: Vec<u64>,
    /// Findings after the verdict was due: in `finally`, restoring or reporting.
    pub aftermath: Vec<Finding>,
}

/// A finding that the profile expects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectedFinding {
    /// The finding.
    pub finding: Finding,
    /// Why it is expected.
    pub reason: String,
    /// Who looks after it.
    pub owner: String,
}

/// One row of a conversation as people read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The event.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Milliseconds since the case began.
    pub ms: u64,
    /// `station`, `csms`, `harness`, `driver`, `link`, `process`.
    pub from: String,
    /// The other end; empty for what is no message.
    pub to: String,
    /// `call`, `result`, `error`, `frame`, `open`, `close`, `act`, `link`, `tick`, `process`, `note`.
    pub kind: String,
    /// The action of a CALL and of its answer, the verb of an act.
    pub name: String,
    /// The wire text or arguments, as they came (escape on the way out).
    pub text: String,
    /// The payload where it could be read, for normalised snapshots.
    pub payload: Option<Json>,
    /// The case line that this row belongs to, if any.
    pub line: Option<LineRef>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The worst verdict of the run.
    pub verdict: Verdict,
    /// How many cases of each verdict, keyed by the verdict's word.
    pub counts: BTreeMap<String, u32>,
    /// Whole duration, milliseconds of the run's clock.
    pub duration_ms: u64,
    /// Whole waiting.
    pub waited_ms: u64,
    /// Where the artefacts are, if any were written.
    pub out: Option<PathBuf>,
    /// True if the run was broken off.
    pub interrupted: bool,
    /// The exit code that `plugfest run` will give.
    pub exit: u8,
    /// Expected failures that did not fail.
    pub unexpected_passes: u32,
}
