//! Applies a selection to the cases.

use std::collections::BTreeSet;
use std::sync::Arc;

use plugfest_case::diagnostic::did_you_mean;
use plugfest_judge::Verdict;

use super::{Atom, Subject, Term, parse};
use crate::args::Selection;
use crate::catalogue::{self, Line};
use crate::failure::Failure;
use crate::last::LastRun;

/// What `--failed` takes.
const FAILED: [Verdict; 4] = [
    Verdict::Fail,
    Verdict::Error,
    Verdict::Blocked,
    Verdict::Inconclusive,
];

/// What a line is known by, owned.
struct Known<'l> {
    line: Line<'l>,
    covers: Vec<&'l str>,
    block: String,
    profile: String,
    clauses: Vec<String>,
    verdicts: Vec<Verdict>,
}

/// The lines that a selection takes, in their order. Matching nothing is a failure that says what comes close.
pub(crate) fn choose<'l>(selection: &Selection, among: Vec<Line<'l>>) -> Result<Vec<Line<'l>>, Failure> {
    let terms = terms(selection)?;
    let asks = selection.failed || terms.iter().flat_map(Term::atoms).any(Atom::needs_last_run);
    let last = if asks {
        Some(LastRun::find(selection.last.as_deref())?)
    } else {
        None
    };
    let known: Vec<Known<'l>> = among
        .into_iter()
        .map(|line| Known::of(line, last.as_ref()))
        .collect();
    let wanted = |known: &Known<'_>| {
        let failed = || known.verdicts.iter().any(|verdict| FAILED.contains(verdict));
        terms.iter().all(|term| term.takes(&known.subject())) && (!selection.failed || failed())
    };
    let taken: Vec<Line<'l>> = known
        .iter()
        .filter(|known| wanted(known))
        .map(|known| known.line)
        .collect();
    if taken.is_empty() {
        Err(nothing(selection, &terms, &known))
    } else {
        Ok(taken)
    }
}

/// The terms that must all hold: the arguments, or-ed, and `--select`.
fn terms(selection: &Selection) -> Result<Vec<Term>, Failure> {
    let read = |name: &str, text: &str| {
        parse(name, text).map_err(|fault| Failure::placed([(fault, Arc::from(text))]))
    };
    let mut terms = Vec::new();
    let mut any: Option<Term> = None;
    for text in &selection.what {
        let term = read("CASE", text)?;
        any = Some(match any {
            None => term,
            Some(before) => Term::Or(Box::new(before), Box::new(term)),
        });
    }
    terms.extend(any);
    if let Some(text) = &selection.select {
        terms.push(read("--select", text)?);
    }
    Ok(terms)
}

/// Why nothing is left, with what comes close to each condition that fits no case at all.
fn nothing(selection: &Selection, terms: &[Term], known: &[Known<'_>]) -> Failure {
    if selection.failed && terms.is_empty() {
        return Failure::nothing("nothing failed in the last run")
            .hint("leave --failed out to run all cases");
    }
    let lost: Vec<&Atom> = terms
        .iter()
        .flat_map(Term::atoms)
        .filter(|atom| !known.iter().any(|known| atom.takes(&known.subject())))
        .collect();
    let Some(first) = lost.first() else {
        return Failure::nothing("no case fits the whole selection")
            .hint("each of its terms fits some case; `plugfest list` with one of them shows which");
    };
    let values: BTreeSet<&str> = known
        .iter()
        .flat_map(|known| first.candidates(&known.subject()))
        .collect();
    let near =
        did_you_mean(first.value(), values.iter().copied()).or_else(|| similar(first.value(), &values));
    Failure::nothing(format!("nothing fits `{}`", first.value()))
        .hint(near.unwrap_or_else(|| "`plugfest list` shows what there is".to_owned()))
}

/// Values that contain what was typed, or the part of it behind the last slash.
fn similar(typed: &str, values: &BTreeSet<&str>) -> Option<String> {
    let part = typed
        .rsplit('/')
        .next()
        .unwrap_or(typed)
        .trim_matches('*')
        .to_lowercase();
    if part.len() < 3 {
        return None;
    }
    let near: Vec<String> = values
        .iter()
        .filter(|it| it.to_lowercase().contains(&part))
        .take(4)
        .map(|it| format!("`{it}`"))
        .collect();
    (!near.is_empty()).then(|| format!("there is {}", near.join(", ")))
}

impl<'l> Known<'l> {
    fn of(line: Line<'l>, last: Option<&LastRun>) -> Self {
        let case = &line.loaded.case;
        let (block, profile) = catalogue::placed(line.loaded);
        Self {
            covers: line.covers().collect(),
            block,
            profile,
            clauses: catalogue::clauses(line.loaded),
            verdicts: last.map_or_else(Vec::new, |last| last.verdicts(&case.id, line.role)),
            line,
        }
    }

    fn subject(&self) -> Subject<'_> {
        let case = &self.line.loaded.case;
        Subject {
            id: &case.id,
            role: self.line.role,
            covers: &self.covers,
            block: &self.block,
            profile: &self.profile,
            protocol: &self.line.loaded.protocol,
            clauses: &self.clauses,
            verdicts: &self.verdicts,
        }
    }
}
