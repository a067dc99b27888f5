//! `plugfest coverage`: which obligations of the standards are exercised, by what, and which are not.

use std::io::Write as _;

use plugfest_reports::{exit, one_line};
use serde::Serialize;

use crate::args::{Coverage, Global};
use crate::cases;
use crate::coverage::{Binding, Clause, Document, Ledger, Status, Who, flaws};
use crate::failure::Failure;
use crate::out::{Out, table};

/// One obligation as `--json` prints it. Fields are added, never changed.
#[derive(Debug, Serialize)]
struct Item<'l> {
    document: &'l str,
    clause: &'l str,
    level: Binding,
    who: Who,
    says: &'l str,
    /// One of `Status::WORDS`.
    status: &'static str,
    rules: Vec<&'l str>,
    cases: Vec<&'l str>,
    /// Why nothing exercises it.
    why: Option<&'l str>,
    /// The entry that says the same, whose status counts.
    same: Option<&'l str>,
}

pub(super) fn run(global: &Global, arguments: &Coverage, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?;
    let ledger = Ledger::load(&cases::embedded(), &library)?;
    if arguments.check {
        return check(&ledger, out);
    }
    let chosen = chosen(arguments, &ledger)?;
    if arguments.json {
        let items: Vec<Item<'_>> = chosen.iter().map(|&(d, c)| item(&ledger, d, c)).collect();
        serde_json::to_writer_pretty(&mut *out, &items).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    let named = !arguments.clauses.is_empty() || out.verbose > 0;
    for document in &ledger.documents {
        let rows: Vec<Vec<String>> = chosen
            .iter()
            .filter(|(of, _)| of.id == document.id)
            .flat_map(|&(document, clause)| rows(&ledger, document, clause, named))
            .collect();
        if !rows.is_empty() {
            writeln!(out, "{}: {}\n", document.id, document.title)?;
            writeln!(out, "{}", table(&rows))?;
        }
    }
    write!(out, "{}", table(&summary(&ledger, &chosen)))?;
    Ok(exit::OK)
}

fn check(ledger: &Ledger, out: &mut Out) -> Result<u8, Failure> {
    let found = flaws(ledger);
    for flaw in &found {
        writeln!(out, "{}", one_line(flaw))?;
    }
    Ok(if found.is_empty() { exit::OK } else { exit::FAILED })
}

fn chosen<'l>(arguments: &Coverage, ledger: &'l Ledger) -> Result<Vec<(&'l Document, &'l Clause)>, Failure> {
    let known = |id: &String| ledger.documents.iter().any(|document| document.id == *id);
    if let Some(unknown) = arguments.documents.iter().find(|id| !known(id)) {
        let ids: Vec<&str> = ledger.documents.iter().map(|it| it.id.as_str()).collect();
        return Err(Failure::usage(format!("the ledger has no document {unknown}"))
            .hint(format!("it has {}", ids.join(", "))));
    }
    let of = |document: &Document, clause: &Clause| {
        let within = |wanted: &String| {
            let name = wanted
                .strip_prefix(document.id.as_str())
                .map_or(wanted.as_str(), str::trim);
            let rest = clause.id.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        };
        (arguments.documents.is_empty() || arguments.documents.contains(&document.id))
            && (arguments.clauses.is_empty() || arguments.clauses.iter().any(within))
            && arguments.role.is_none_or(|role| clause.who.binds(role.as_str()))
            && (!arguments.untested || resolved(ledger, document, clause).is_untested())
    };
    let found: Vec<_> = ledger
        .documents
        .iter()
        .flat_map(|document| document.clauses.iter().map(move |clause| (document, clause)))
        .filter(|&(document, clause)| of(document, clause))
        .collect();
    if found.is_empty() {
        return Err(Failure::nothing("no entry of the ledger is of that kind"));
    }
    Ok(found)
}

/// The status that counts: that of the entry which says the same, where one does.
fn resolved<'l>(ledger: &'l Ledger, document: &'l Document, clause: &'l Clause) -> Status<'l> {
    match ledger.status(document, clause) {
        Status::Same { clause: name } => ledger
            .find(name)
            .map_or(Status::Unexplained, |(document, clause)| {
                ledger.status(document, clause)
            }),
        status => status,
    }
}

fn rows(ledger: &Ledger, document: &Document, clause: &Clause, named: bool) -> Vec<Vec<String>> {
    let status = ledger.status(document, clause);
    let row = |status: String, says: String| {
        vec![
            format!("  {}", clause.id),
            clause.level.word().to_owned(),
            clause.who.word().to_owned(),
            status,
            says,
        ]
    };
    let below =
        |what: &str, text: String| vec![String::new(), String::new(), String::new(), what.to_owned(), text];
    let mut rows = vec![row(status.word().to_owned(), clause.says.clone())];
    match status {
        Status::Untested { why, .. } => rows.push(below("", format!("({why})"))),
        Status::Same { clause } => rows.push(below("", format!("(as {clause})"))),
        Status::Tested { cases, rules } if named => {
            rows.extend(cases.iter().map(|id| below("  case", (*id).to_owned())));
            rows.extend(rules.iter().map(|id| below("  rule", (*id).to_owned())));
        }
        Status::Watched { rules } if named => {
            rows.extend(rules.iter().map(|id| below("  rule", (*id).to_owned())));
        }
        Status::Tested { .. } | Status::Watched { .. } | Status::Unexplained => {}
    }
    rows
}

/// How many entries of each document have which status.
fn summary(ledger: &Ledger, chosen: &[(&Document, &Clause)]) -> Vec<Vec<String>> {
    let mut rows = vec![vec!["document".to_owned(), "entries".to_owned()]];
    rows[0].extend(Status::WORDS.map(str::to_owned));
    let count = |of: Option<&str>| {
        let of_document = || {
            chosen
                .iter()
                .filter(move |(document, _)| of.is_none_or(|of| document.id == of))
        };
        let with = |word: &str| {
            of_document()
                .filter(|&&(document, clause)| ledger.status(document, clause).word() == word)
                .count()
        };
        let mut row = vec![of.unwrap_or("all").to_owned(), of_document().count().to_string()];
        row.extend(Status::WORDS.map(|word| with(word).to_string()));
        row
    };
    rows.extend(ledger.documents.iter().map(|document| count(Some(&document.id))));
    rows.push(count(None));
    rows
}

fn item<'l>(ledger: &'l Ledger, document: &'l Document, clause: &'l Clause) -> Item<'l> {
    let status = ledger.status(document, clause);
    let mut item = Item {
        document: &document.id,
        clause: &clause.id,
        level: clause.level,
        who: clause.who,
        says: &clause.says,
        status: status.word(),
        rules: Vec::new(),
        cases: Vec::new(),
        why: None,
        same: None,
    };
    match status {
        Status::Tested { cases, rules } => (item.cases, item.rules) = (cases, rules),
        Status::Watched { rules } => item.rules = rules,
        Status::Untested { why, .. } => item.why = Some(why),
        Status::Same { clause } => item.same = Some(clause),
        Status::Unexplained => {}
    }
    item
}
