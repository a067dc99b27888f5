//! The list of what is not tested, as a page for people. It is compared with the one in `docs/`, so that nobody drops a
//! test, or adds an excuse, without its being seen.

use std::fmt::Write as _;
use std::path::Path;

use super::{Ledger, Reason, Status};

const HEAD: &str = "# What is not tested

Every obligation of the standards that nothing exercises, and why. The page is made from the ledger
([coverage.md](coverage.md)); `PLUGFEST_GOLDEN=write cargo test -p plugfest --bin plugfest untested` makes it anew.
";

/// The line of the README, which begins so.
const README: &str = "`plugfest coverage` lists ";

fn page(ledger: &Ledger) -> String {
    let mut text = HEAD.to_owned();
    for (reason, heading) in [
        (Reason::ToDo, "To do"),
        (Reason::NotObservable, "Not observable from outside"),
        (Reason::OutOfScope, "Out of scope"),
    ] {
        // Writing to a string cannot fail.
        let _always = writeln!(text, "\n## {heading}");
        for document in &ledger.documents {
            let rows: Vec<String> = document
                .clauses
                .iter()
                .filter_map(|clause| match ledger.status(document, clause) {
                    Status::Untested { reason: own, why } if own == reason => Some(format!(
                        "| {} | {} {} | {} | {why} |",
                        clause.id,
                        clause.who.word(),
                        clause.level.word(),
                        clause.says,
                    )),
                    _ => None,
                })
                .collect();
            if !rows.is_empty() {
                let _always = writeln!(
                    text,
                    "\n### {}: {} ({})\n\n| clause | who | what | why not |\n|---|---|---|---|\n{}",
                    document.id,
                    document.title,
                    rows.len(),
                    rows.join("\n"),
                );
            }
        }
    }
    text
}

fn line(ledger: &Ledger) -> String {
    let mut counts = [0_usize; 3];
    for document in &ledger.documents {
        for clause in &document.clauses {
            match ledger.status(document, clause) {
                Status::Tested { .. } => counts[0] += 1,
                Status::Watched { .. } => counts[1] += 1,
                Status::Untested { .. } | Status::Unexplained => counts[2] += 1,
                Status::Same { .. } => {}
            }
        }
    }
    let [tested, watched, untested] = counts;
    let all = tested + watched + untested;
    format!(
        "{README}{all} obligations of the standards: {tested} tested by cases, {watched} watched by rules, {untested} not, \
         with [the reason of each](docs/untested.md)."
    )
}

#[test]
fn what_is_untested_is_what_was_reviewed() {
    let ledger = super::tests::embedded();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let own = readme.lines().find(|line| line.starts_with(README));
    let own = own.expect("the README has the line with the figures");
    let (page, line) = (page(&ledger), line(&ledger));
    let path = root.join("docs/untested.md");
    if std::env::var_os("PLUGFEST_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &page).unwrap();
        std::fs::write(root.join("README.md"), readme.replace(own, &line)).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    let news: Vec<&str> = page
        .lines()
        .filter(|line| !kept.lines().any(|own| own == *line))
        .collect();
    let gone: Vec<&str> = kept
        .lines()
        .filter(|line| !page.lines().any(|own| own == *line))
        .collect();
    assert!(
        kept == page && own == line,
        "docs/untested.md or the README's figures are others now.\nnew:  {news:#?}\ngone: {gone:#?}\n{line}\nif that is right: \
         PLUGFEST_GOLDEN=write cargo test -p plugfest --bin plugfest untested"
    );
}
