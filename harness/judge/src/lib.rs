//! Pure judgement: the conversation of a case as a state machine, the always-on rules, and the verdict.
//!
//! Live it is fed as events arrive, offline from a file: one code path.

mod facts;
mod finding;
mod ledger;
pub mod ocpp16;
mod rule;
pub mod rules;
mod run_event;
mod verdict;
mod watch;

pub use facts::{Facts, Keeper, KeeperView};
pub use finding::{Finding, Level, LineRef};
pub use ledger::{AnsweredCall, Ledger, Link, OpenCall};
pub use rule::{AnswerSeen, Context, Findings, Rule, RuleInfo, Seen};
pub use run_event::{CaseKey, CaseResult, ExpectedFinding, Plan, PlannedCase, Row, RunEvent, RunSummary};
pub use verdict::Verdict;
pub use watch::{Listener, Watch};
