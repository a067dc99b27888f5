//! The ledger of clauses: what the standards demand, in words of our own, and which rules and cases exercise it.
//!
//! The obligations are data (`testcases/*/clauses/*.toml`). Who exercises them is read off what rules and cases cite, so
//! that neither can go without the other.

mod evidence;
mod flaws;
mod form;
#[cfg(test)]
mod untested;

use std::collections::BTreeMap;

use plugfest_case::{Library, Source};

use evidence::Mention;
pub(crate) use evidence::{Citer, Kind};
pub(crate) use flaws::flaws;
pub(crate) use form::{Basis, Binding, Clause, Document, Reason, Who};

use crate::failure::Failure;

/// Every document with its obligations, and what exercises them.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// In the order of the files' names.
    pub(crate) documents: Vec<Document>,
    /// Every rule and case with what it cites.
    pub(crate) citers: Vec<Citer>,
    /// What else cites clauses.
    mentions: Vec<Mention>,
    /// Where a clause stands: document and entry, by its full name (`OCPP-1.6 4.2/a`).
    places: BTreeMap<String, (usize, usize)>,
}

/// What is known of one obligation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status<'l> {
    /// Cases bring it about; rules may watch it as well.
    Tested {
        /// The cases, by id.
        cases: Vec<&'l str>,
        /// The rules, by id.
        rules: Vec<&'l str>,
    },
    /// No case is about it, but rules judge it whenever it comes up in a run.
    Watched {
        /// The rules, by id.
        rules: Vec<&'l str>,
    },
    /// Nothing exercises it.
    Untested {
        /// Why not.
        reason: Reason,
        /// The same in a few words.
        why: &'l str,
    },
    /// Another entry says the same.
    Same {
        /// The full name of that entry.
        clause: &'l str,
    },
    /// Nothing exercises it and nobody has said why not: a flaw of the ledger.
    Unexplained,
}

impl Status<'_> {
    /// Every word that a status can have, in the order in which they are counted.
    pub(crate) const WORDS: [&'static str; 7] = [
        "tested",
        "watched",
        "not-observable",
        "out-of-scope",
        "to-do",
        "same",
        "unexplained",
    ];

    /// The word for tables and JSON.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Tested { .. } => "tested",
            Self::Watched { .. } => "watched",
            Self::Untested { reason, .. } => reason.word(),
            Self::Same { .. } => "same",
            Self::Unexplained => "unexplained",
        }
    }

    /// Whether nothing exercises it.
    pub(crate) fn is_untested(&self) -> bool {
        matches!(self, Self::Untested { .. } | Self::Unexplained)
    }
}

impl Ledger {
    /// The ledger that belongs to a library.
    pub(crate) fn load(sources: &[Source], library: &Library) -> Result<Self, Failure> {
        let mut documents = Vec::new();
        for source in sources.iter().filter(|source| is_ledger(&source.path)) {
            let document = Document::parse(&source.text)
                .map_err(|why| Failure::usage(format!("{}: {why}", source.path)))?;
            documents.push(document);
        }
        let mut places = BTreeMap::new();
        for (d, document) in documents.iter().enumerate() {
            for (c, clause) in document.clauses.iter().enumerate() {
                let name = document.name_of(clause);
                if places.insert(name.clone(), (d, c)).is_some() {
                    return Err(Failure::usage(format!("the ledger has {name} twice")));
                }
            }
        }
        Ok(Self {
            citers: evidence::citers(library),
            mentions: evidence::mentions(library, &documents),
            documents,
            places,
        })
    }

    /// The entry of that full name.
    pub(crate) fn find(&self, name: &str) -> Option<(&Document, &Clause)> {
        let &(d, c) = self.places.get(name)?;
        let document = self.documents.get(d)?;
        Some((document, document.clauses.get(c)?))
    }

    /// What is known of an entry.
    pub(crate) fn status<'l>(&'l self, document: &'l Document, clause: &'l Clause) -> Status<'l> {
        match &clause.basis {
            Basis::Untested { reason, why } => Status::Untested { reason: *reason, why },
            Basis::Same(name) => Status::Same { clause: name },
            Basis::Cited | Basis::By(_) => {
                let of = |kind| {
                    let found = self.citers.iter().filter(move |citer| citer.kind == kind);
                    found
                        .filter(|citer| exercises(citer, document, clause))
                        .map(|citer| citer.id.as_str())
                        .collect::<Vec<_>>()
                };
                let (cases, rules) = (of(Kind::Case), of(Kind::Rule));
                match (cases.is_empty(), rules.is_empty()) {
                    (true, true) => Status::Unexplained,
                    (true, false) => Status::Watched { rules },
                    (false, _) => Status::Tested { cases, rules },
                }
            }
        }
    }
}

/// Whether a rule or case exercises an entry: it cites the entry's section and, where the entry names who does, is one of
/// those.
pub(crate) fn exercises(citer: &Citer, document: &Document, clause: &Clause) -> bool {
    match &clause.basis {
        Basis::Cited => citer.cites(&document.id, clause.section()),
        Basis::By(patterns) => {
            patterns.iter().any(|pattern| pattern.matches(&citer.id))
                && citer.cites_within(&document.id, clause.section())
        }
        Basis::Untested { .. } | Basis::Same(_) => false,
    }
}

fn is_ledger(path: &str) -> bool {
    path.ends_with(".toml") && path.split(['/', '\\']).rev().nth(1) == Some("clauses")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    /// The ledger in the binary.
    pub(super) fn embedded() -> Ledger {
        let sources = cases::embedded();
        let (library, _) = Library::load(sources.clone(), &cases::natives());
        Ledger::load(&sources, &library).expect("the embedded ledger is well formed")
    }

    #[test]
    fn the_ledger_and_what_cites_it_agree() {
        let found = flaws(&embedded());
        assert!(found.is_empty(), "{} flaws:\n{}", found.len(), found.join("\n"));
    }

    #[test]
    fn a_case_that_cites_a_section_exercises_its_only_entry() {
        let text = r#"
            document = "X"
            title = "a standard"
            [[clause]]
            id = "1.1"
            level = "shall"
            who = "station"
            says = "does something"
            [[clause]]
            id = "1.2/a"
            level = "shall"
            who = "station"
            says = "does this"
            by = ["a/*"]
            [[clause]]
            id = "1.2/b"
            level = "may"
            who = "csms"
            says = "does that"
            untested = "to-do"
            why = "nobody came to it"
            [[clause]]
            id = "1.3"
            level = "shall"
            who = "both"
            says = "the same as this"
            same = "X 1.2/a"
        "#;
        let case = |id: &str, clause: &str| {
            let text = format!("case {id} \"A\"\n  spec X \"{clause}\"\n  wait 1s\nend\n");
            Source::new(format!("x/{id}.case"), text)
        };
        let mut sources = vec![
            Source::new("x/clauses/x.toml", text),
            case("a/one", "1.2"),
            case("a/two", "1"),
            case("a/three", "1.3"),
            case("b/one", "1.2"),
            case("b/two", "1.1"),
        ];
        let statuses = |sources: &[Source]| {
            let (library, _) = Library::load(sources.to_vec(), &cases::natives());
            let mut ledger = Ledger::load(sources, &library).unwrap();
            // The rules of other standards are no matter here.
            ledger.citers.retain(|citer| citer.kind == Kind::Case);
            ledger.mentions.clear();
            let shown = ledger.documents[0]
                .clauses
                .iter()
                .map(|clause| format!("{:?}", ledger.status(&ledger.documents[0], clause)))
                .collect::<Vec<_>>();
            (shown, flaws(&ledger))
        };
        let (shown, found) = statuses(&sources);
        assert_eq!(
            shown,
            [
                r#"Tested { cases: ["b/two"], rules: [] }"#,
                r#"Tested { cases: ["a/one", "a/two"], rules: [] }"#,
                r#"Untested { reason: ToDo, why: "nobody came to it" }"#,
                r#"Same { clause: "X 1.2/a" }"#,
            ]
        );
        assert_eq!(
            found,
            ["b/one cites X 1.2 and exercises no entry: name it in `by` of the entry that it is about"]
        );
        sources.retain(|source| source.path != "x/b/two.case");
        sources.push(case("b/three", "2.1"));
        let (shown, found) = statuses(&sources);
        assert_eq!(shown[0], "Unexplained");
        assert_eq!(
            found,
            [
                "X 1.1: nothing cites it; say `untested` and `why`",
                "b/one cites X 1.2 and exercises no entry: name it in `by` of the entry that it is about",
                "b/three cites X 2.1, which the ledger does not have"
            ]
        );
    }
}
