//! `negatives.toml` of a protocol: what the family needs beside the catalogue.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::ir::Span;

/// The name of the file.
pub(crate) const FILE: &str = "negatives.toml";

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    pub(super) protocol: String,
    /// What every case is about, beside the clause of its action.
    pub(super) clauses: Clauses,
    /// The sides that are tested, by role.
    pub(super) receiver: BTreeMap<String, Receiver>,
    /// Values of payloads that do no harm, by action and field.
    #[serde(default)]
    pub(super) payload: BTreeMap<String, toml::Table>,
    /// Actions that do harm with whatever payload: no mistake is made in them that a receiver may take for none.
    #[serde(default)]
    pub(super) harmful: Vec<String>,
    pub(super) actions: Actions,
    #[serde(default)]
    pub(super) frames: Vec<Frames>,
}

/// Clauses of one document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clauses {
    pub(super) document: String,
    pub(super) clauses: Vec<String>,
}

/// A side under test: lines of the case language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receiver {
    /// The states that hold before.
    pub(super) given: String,
    /// What stands before the mistakes.
    pub(super) opens: String,
    /// A good exchange between two mistakes to which nothing need be answered.
    pub(super) works: String,
    /// What stands behind the mistakes: what must not have changed.
    pub(super) closes: String,
}

/// Actions that nobody has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Actions {
    pub(super) title: String,
    pub(super) clauses: Vec<String>,
    pub(super) names: Vec<String>,
}

/// Wrong frames that make one case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Frames {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) clauses: Vec<String>,
    /// What is waited for behind each frame, where it may end the connection.
    pub(super) pause: Option<String>,
    pub(super) frame: Vec<Frame>,
}

/// A wrong frame: `text`, then a part that is repeated, then `end`; or bytes in hex.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Frame {
    pub(super) what: String,
    #[serde(default)]
    pub(super) text: String,
    pub(super) times: Option<Times>,
    #[serde(default)]
    pub(super) end: String,
    pub(super) hex: Option<String>,
}

/// A text that is repeated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Times {
    pub(super) text: String,
    pub(super) n: u32,
}

impl Form {
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, Box<Diagnostic>> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or_else(Span::default, |range| {
                let offset = |n| u32::try_from(n).unwrap_or(u32::MAX);
                Span {
                    start: offset(range.start),
                    end: offset(range.end),
                }
            });
            Box::new(Diagnostic::error(
                "negatives",
                path,
                at,
                error.message().to_owned(),
            ))
        })
    }
}
