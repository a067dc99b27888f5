//! Everything a person or a CI reads: terminal, JUnit, JSON, Markdown, HTML, snapshots.
//!
//! Reports listen to the one stream of [`plugfest_judge::RunEvent`]s. Whatever a device sent is escaped on its way
//! out, in every format.

pub mod exit;
mod files;
mod html;
pub mod json;
mod junit;
mod lint;
mod markdown;
mod report;
mod run;
mod sequence;
mod snapshot;
mod terminal;
mod text;

pub use files::{Destination, Files, Format, preflight};
pub use lint::{LINT_SCHEMA, LintedLog, lint_json, lint_sarif, lint_text};
pub use report::{Report, ReportError, Reports};
pub use run::Run;
pub use sequence::sequence;
pub use snapshot::{Change, Snapshots, normalised};
pub use terminal::{Progress, Terminal, TerminalOptions, plan_text};
pub use text::{one_line, visible};
