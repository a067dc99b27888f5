//! What is wrong with a library before anything connects, and what its authors should look at.

mod expr;
mod pattern;
mod phase;
mod scope;
mod states;
mod story;
mod weak;

use std::collections::BTreeSet;

use plugfest_protocol::{Edition, Role};
use rayon::prelude::*;

use crate::diagnostic::Diagnostic;
use crate::facts::Facts;
use crate::ir::Span;
use crate::library::Library;

use scope::Scope;

/// More lines than this in one case are worth a warning.
const MOST_LINES: usize = 80;

/// How many lines a DUT has to say in all cases, and how many of them hardly say anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCount {
    /// Lines of a side that may be the DUT.
    pub dut: usize,
    /// Those with empty braces although the message has fields, and without time.
    pub weak: usize,
}

/// Everything that makes a library unfit to run, and notes.
pub(crate) fn check(library: &Library) -> Vec<Diagnostic> {
    all(library)
        .0
        .into_iter()
        .filter(|d| d.severity != crate::Severity::Warning)
        .collect()
}

/// What works but should be looked at.
pub fn lint(library: &Library) -> Vec<Diagnostic> {
    all(library)
        .0
        .into_iter()
        .filter(|d| d.severity == crate::Severity::Warning && !library.is_generated(&d.file))
        .collect()
}

/// The share of weak lines.
pub fn line_count(library: &Library) -> LineCount {
    all(library).1
}

fn all(library: &Library) -> (Vec<Diagnostic>, LineCount) {
    let mut found = states::cycles(library);
    let mut count = LineCount::default();
    let mut unknown = BTreeSet::new();
    let cases: Vec<_> = library.cases().collect();
    let cases = cases.into_par_iter().map(|loaded| {
        let mut checker = Checker::new(library, &loaded.path, &loaded.protocol);
        checker.case(&loaded.case, &loaded.text);
        checker
    });
    let cases: Vec<_> = cases.collect();
    let states = library.states().map(|loaded| {
        let mut checker = Checker::new(library, &loaded.path, &loaded.protocol);
        checker.state(&loaded.state);
        checker
    });
    for checker in cases.into_iter().chain(states) {
        note_unknown(&checker, &mut unknown);
        count.dut += checker.count.dut;
        count.weak += checker.count.weak;
        found.extend(checker.found);
    }
    for (protocol, file) in unknown {
        let named = if protocol.is_empty() {
            "no protocol".to_owned()
        } else {
            format!("`{protocol}`")
        };
        let message =
            format!("there is no catalogue for {named} yet: its messages are read, but not checked");
        let known: Vec<&str> = Edition::names().collect();
        let hint = format!("`spec` names the protocol first; known are {}", known.join(", "));
        found.push(Diagnostic::note("no-catalogue", &file, Span::default(), message).hint(hint));
    }
    (found, count)
}

/// One note for each protocol without catalogue, at the first of its files.
fn note_unknown(checker: &Checker<'_>, unknown: &mut BTreeSet<(String, String)>) {
    if checker.edition.is_none() && !unknown.iter().any(|(p, _)| p == checker.protocol) {
        unknown.insert((checker.protocol.to_owned(), checker.file.to_owned()));
    }
}

/// The check of one item.
struct Checker<'l> {
    library: &'l Library,
    file: &'l str,
    protocol: &'l str,
    edition: Option<&'static Edition>,
    facts: &'l Facts,
    /// False where a protocol declares nothing, so that nothing can be unknown.
    declared: bool,
    found: Vec<Diagnostic>,
    scope: Scope,
    /// The sides that may be the DUT.
    sides: Vec<String>,
    /// What the whole item knows before its first line: `given`, `for`, parameters.
    before_body: usize,
    in_state: bool,
    count: LineCount,
}

impl<'l> Checker<'l> {
    fn new(library: &'l Library, file: &'l str, protocol: &'l str) -> Self {
        let edition = Edition::by_name(protocol);
        let facts = library.facts(protocol);
        let roles = edition.map_or([Role::STATION, Role::CSMS], Edition::roles);
        Self {
            library,
            file,
            protocol,
            edition,
            facts,
            declared: *facts != Facts::default(),
            found: Vec::new(),
            scope: Scope::default(),
            sides: roles.iter().map(|r| r.as_str().to_owned()).collect(),
            before_body: 0,
            in_state: false,
            count: LineCount::default(),
        }
    }

    fn error(&mut self, code: &'static str, at: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::error(code, self.file, at, message))
    }

    fn warning(&mut self, code: &'static str, at: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::warning(code, self.file, at, message))
    }

    fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.found.push(diagnostic);
        // Invariant: one was pushed on the line above.
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn is_side(&self, role: &str) -> bool {
        self.sides.iter().any(|side| side == role)
    }

    /// True where a line of that role is sent by us in some run.
    fn is_played(&self, role: &str) -> bool {
        let of_protocol = self
            .edition
            .is_none_or(|e| e.roles().iter().any(|r| r.as_str() == role));
        of_protocol && self.sides.iter().any(|side| side != role)
    }
}

impl Diagnostic {
    /// Sets the hint in place.
    fn with_hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the hint in place, if there is one.
    fn with_maybe(&mut self, hint: Option<String>) -> &mut Self {
        self.hint = hint.or_else(|| self.hint.take());
        self
    }

    /// Adds a place.
    fn with_label(&mut self, at: Span, text: &str) -> &mut Self {
        self.labels.push((at, text.to_owned()));
        self
    }
}
