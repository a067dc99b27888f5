//! Pure judgement: the conversation of a case as a state machine, the always-on rules, and the verdict.
//!
//! Live it is fed as events arrive, offline from a file: one code path.

mod conversation;
mod dialect;
mod facts;
mod finding;
mod ledger;
mod lint;
mod natives;
pub mod ocpp16;
mod rows;
mod rule;
pub mod rules;
mod run_event;
mod script;
mod session;
mod tally;
mod verdict;
mod watch;

pub use conversation::{
    Command, Forbidden, LineMet, Meeting, Overlay, Reception, Stage, ValueError, Waiting, conform,
};
pub use dialect::{ConfigValue, Dialect, Written, dialect};
pub use facts::{Facts, Keeper, KeeperView};
pub use finding::{Finding, Level, LineRef};
pub use ledger::{AnsweredCall, Ledger, Link, OpenCall};
pub use lint::{Lint, LintFinding, Times};
pub use natives::NATIVES;
pub use rule::{AnswerSeen, Context, Findings, Rule, RuleInfo, Seen, Wants};
pub use run_event::{CaseKey, CaseResult, ExpectedFinding, Plan, PlannedCase, Row, RunEvent, RunSummary};
pub use script::Script;
pub use session::{Outcome, Session, SessionError, judge};
pub use tally::{Negatives, Reactions};
pub use verdict::Verdict;
pub use watch::{Listener, Watch};
