//! What is wrong with the ledger, or with those who cite it.

use std::collections::BTreeSet;

use super::evidence::is_within;
use super::{Basis, Clause, Document, Ledger, Status, exercises};

/// Everything in which the ledger and those who cite it contradict each other.
pub(crate) fn flaws(ledger: &Ledger) -> Vec<String> {
    let mut found = Vec::new();
    for document in &ledger.documents {
        for clause in &document.clauses {
            found.extend(of_entry(ledger, document, clause));
        }
    }
    for mention in &ledger.mentions {
        for (document, cited) in mention.clauses() {
            if !has(ledger, &document, &cited) {
                found.push(format!(
                    "{} cites {document} {cited}, which the ledger does not have",
                    mention.by
                ));
            }
        }
    }
    for citer in &ledger.citers {
        let known = |(document, cited): &&(String, String)| has(ledger, document, cited);
        let (known, unknown): (Vec<_>, Vec<_>) = citer.cited.iter().partition(known);
        for (document, cited) in &unknown {
            found.push(format!(
                "{} cites {document} {cited}, which the ledger does not have",
                citer.id
            ));
        }
        let placed = ledger.documents.iter().any(|document| {
            document.clauses.iter().any(|clause| {
                exercises(citer, document, clause) || is_restated(ledger, citer, document, clause)
            })
        });
        if !placed && unknown.is_empty() {
            let cited: Vec<String> = known.iter().map(|(d, c)| format!("{d} {c}")).collect();
            found.push(format!(
                "{} cites {} and exercises no entry: name it in `by` of the entry that it is about",
                citer.id,
                cited.join(", ")
            ));
        }
    }
    found
}

/// Whether a citer cites an entry that says the same as one which is exercised.
fn is_restated(ledger: &Ledger, citer: &super::Citer, document: &Document, clause: &Clause) -> bool {
    let Basis::Same(name) = &clause.basis else {
        return false;
    };
    let target = ledger.find(name);
    citer.cites(&document.id, clause.section())
        && target.is_some_and(|(document, clause)| !ledger.status(document, clause).is_untested())
}

fn has(ledger: &Ledger, document: &str, cited: &str) -> bool {
    ledger
        .documents
        .iter()
        .filter(|known| known.id == document)
        .flat_map(|known| &known.clauses)
        .any(|clause| is_within(clause.section(), cited))
}

fn of_entry(ledger: &Ledger, document: &Document, clause: &Clause) -> Vec<String> {
    let name = document.name_of(clause);
    let siblings = |c: &&Clause| c.section() == clause.section();
    let mut found = Vec::new();
    match &clause.basis {
        Basis::Cited => {
            if document.clauses.iter().filter(siblings).count() > 1 {
                found.push(format!(
                    "{name}: its section has several entries; say `by` whom it is exercised, or `untested` and `why`"
                ));
            } else if ledger.status(document, clause) == Status::Unexplained {
                found.push(format!("{name}: nothing cites it; say `untested` and `why`"));
            }
        }
        Basis::By(patterns) => {
            for pattern in patterns {
                let meant = || ledger.citers.iter().filter(|citer| pattern.matches(&citer.id));
                if meant().next().is_none() {
                    found.push(format!("{name}: there is no rule and no case {}", pattern.text));
                } else if !meant().any(|citer| citer.cites_within(&document.id, clause.section())) {
                    let none = if pattern.is_wide() { "none of" } else { "not" };
                    found.push(format!("{name}: {} does {none} cite it", pattern.text));
                }
            }
        }
        Basis::Untested { .. } => {
            let all = document.clauses.iter().filter(siblings);
            let untested = all.clone().all(|c| matches!(c.basis, Basis::Untested { .. }));
            // Said once, at the first entry of the section.
            let first = all.clone().next().is_some_and(|first| first.id == clause.id);
            if untested && first {
                let citing: BTreeSet<&str> = ledger
                    .citers
                    .iter()
                    .filter(|citer| citer.cites(&document.id, clause.section()))
                    .map(|citer| citer.id.as_str())
                    .collect();
                if !citing.is_empty() {
                    let citing: Vec<&str> = citing.into_iter().collect();
                    found.push(format!(
                        "{name}: all of its section is said to be untested, but it is cited by {}",
                        citing.join(", ")
                    ));
                }
            }
        }
        Basis::Same(target) => match ledger.find(target) {
            None => found.push(format!("{name}: there is no entry {target}")),
            Some((_, other)) if matches!(other.basis, Basis::Same(_)) => {
                found.push(format!("{name}: {target} refers to another entry itself"));
            }
            Some((of, other)) => {
                let cited = ledger
                    .citers
                    .iter()
                    .any(|citer| citer.cites(&document.id, clause.section()));
                let alone = document.clauses.iter().filter(siblings).count() == 1;
                if cited && alone && ledger.status(of, other).is_untested() {
                    found.push(format!(
                        "{name}: it is cited, but {target} is said to be untested"
                    ));
                }
            }
        },
    }
    found
}
