//! What rules and cases cite.

use std::collections::BTreeSet;

use plugfest_case::{Library, library};
use plugfest_judge::rules;
use plugfest_protocol::{Edition, Part};
use plugfest_reference::defect;

use super::Document;

/// A rule or a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A rule that is always on.
    Rule,
    /// A case.
    Case,
}

/// A rule or case with what it cites.
#[derive(Debug)]
pub(crate) struct Citer {
    /// Which of the two it is.
    pub(crate) kind: Kind,
    /// Its id.
    pub(crate) id: String,
    /// Document and section of everything that it cites.
    pub(crate) cited: BTreeSet<(String, String)>,
}

/// Something else that cites clauses.
#[derive(Debug)]
pub(crate) struct Mention {
    /// What it is, for people.
    pub(crate) by: String,
    /// Its citations.
    cited: Vec<String>,
}

impl Mention {
    /// Document and section of everything that it cites.
    pub(crate) fn clauses(&self) -> BTreeSet<(String, String)> {
        parted(self.cited.iter().map(String::as_str))
    }
}

fn parted<'c>(citations: impl IntoIterator<Item = &'c str>) -> BTreeSet<(String, String)> {
    let clauses = citations.into_iter().flat_map(defect::clauses);
    let parts = clauses.filter_map(|clause| {
        let (document, section) = clause.rsplit_once(' ')?;
        Some((document.to_owned(), section.to_owned()))
    });
    parts.collect()
}

impl Citer {
    fn new<'c>(kind: Kind, id: &str, citations: impl IntoIterator<Item = &'c str>) -> Self {
        Self {
            kind,
            id: id.to_owned(),
            cited: parted(citations),
        }
    }

    /// Whether it cites exactly this section.
    pub(crate) fn cites(&self, document: &str, section: &str) -> bool {
        self.cited
            .iter()
            .any(|(of, cited)| of == document && cited == section)
    }

    /// Whether it cites this section or one that this section is part of.
    pub(crate) fn cites_within(&self, document: &str, section: &str) -> bool {
        self.cited
            .iter()
            .any(|(of, cited)| of == document && is_within(section, cited))
    }
}

/// Whether a section is another, or part of it: `4.2.1` of `4.2`.
pub(crate) fn is_within(section: &str, whole: &str) -> bool {
    let rest = section.strip_prefix(whole);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Every rule, and every case of a library.
pub(crate) fn citers(library: &Library) -> Vec<Citer> {
    let rules = rules::all()
        .iter()
        .map(|rule| Citer::new(Kind::Rule, rule.id, [rule.clause]));
    let cases = library.cases().map(|loaded| {
        let cited = library::cited(&loaded.case);
        Citer::new(Kind::Case, &loaded.case.id, cited.iter().map(String::as_str))
    });
    rules.chain(cases).collect()
}

/// What else cites clauses, without exercising them: states and phrases, the catalogue, whose clauses findings name, and the
/// table of defects. An edition without a ledger of its own is not accounted for yet.
pub(crate) fn mentions(library: &Library, ledger: &[Document]) -> Vec<Mention> {
    let states = library.states().map(|loaded| Mention {
        by: format!("the state {}", loaded.state.name.text),
        cited: library::cited_by_state(&loaded.state),
    });
    let defects = defect::table().iter().map(|row| Mention {
        by: format!("the defect {}", row.id),
        cited: row.clauses.clone(),
    });
    let has_ledger = |edition: &&Edition| ledger.iter().any(|document| document.id == edition.name());
    let editions: Vec<&Edition> = Edition::all().into_iter().filter(has_ledger).collect();
    let actions = editions.iter().flat_map(|edition| edition.actions());
    let actions = actions.map(|action| Mention {
        by: format!("the catalogue on {}", action.name),
        cited: vec![
            action.clause.clone(),
            action.clause_of(Part::Request).to_owned(),
            action.clause_of(Part::Response).to_owned(),
        ],
    });
    let keys = editions.iter().flat_map(|edition| edition.config_keys());
    let keys = keys.map(|key| Mention {
        by: format!("the catalogue on {}", key.name),
        cited: vec![key.clause.clone()],
    });
    states.chain(defects).chain(actions).chain(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_is_taken_apart() {
        let citer = Citer::new(
            Kind::Rule,
            "a/b",
            ["OCPP-1.6J 4.2.3 table 7", "RFC 6455 5.5.2, 5.5.3", "X 6"],
        );
        assert!(citer.cites("OCPP-1.6J", "4.2.3"));
        assert!(citer.cites("RFC 6455", "5.5.2") && citer.cites("RFC 6455", "5.5.3"));
        assert!(citer.cites_within("X", "6.41") && !citer.cites("X", "6.41"));
        assert!(!citer.cites_within("X", "61") && !citer.cites_within("RFC 6455", "5.5"));
    }
}
