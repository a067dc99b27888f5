//! The case language: syntax → typed IR → lint, format, diagram, JSON; PICS expressions.
//!
//! Nothing here knows a network, a clock or a verdict, and nothing knows one protocol: what a message may hold comes
//! from the catalogue of the edition that a case names in its `spec` line.

pub mod cel;
mod check;
pub mod diagnostic;
pub mod facts;
pub mod ir;
mod lex;
pub mod library;
pub mod natives;
mod negatives;
mod parse;
pub mod pics;
mod print;
pub mod raw;
pub mod show;
pub mod verbs;

pub use check::{LineCount, line_count, lint};
pub use diagnostic::{Diagnostic, Severity};
pub use lex::{KEYWORDS, ROLES};
pub use library::{Library, Loaded, LoadedState, Source};
pub use natives::{Arity, Natives};
pub use parse::{MAX_ERRORS, MAX_FILE, parse, parse_expr, parse_pics};
pub use print::{format, print};
