//! Defects of real products that the reference devices can be given, one at a time.
//!
//! The table names every defect that the project's score is counted over, whether it can be played or not; what a
//! defect does on the wire is built in the device that has it: deviations of frames in the outgoing tap, everything
//! else at the place where the real one sat.

use std::sync::LazyLock;

use plugfest_protocol::Role;
use serde::Deserialize;

mod known;

pub use known::Defect;

/// A row of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The name of the switch.
    pub id: String,
    /// Where the real defect was seen.
    pub source: String,
    /// Which device has it: `station`, `csms`, or both for a defect of a library.
    pub roles: Vec<String>,
    /// How sure it is that the standard forbids it.
    pub confidence: Confidence,
    /// Why the confidence differs from the one that it came with.
    pub regraded: Option<String>,
    /// What the standard says to it, as `OCPP-1.6 4.9`.
    pub clauses: Vec<String>,
    /// What is wrong on the wire.
    pub wrong: String,
    /// Why it cannot be played yet. The row counts all the same.
    pub later: Option<String>,
    /// Edits of the clauses after the row was first written, each with its reason.
    #[serde(default)]
    pub changed: Vec<String>,
}

/// How sure it is that the standard forbids what a defect does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It does.
    Confirmed,
    /// It is bad practice, or forbidden in another edition only.
    Quirk,
    /// Some read the standard so that it is allowed.
    Contested,
}

impl Confidence {
    /// The word of the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Quirk => "quirk",
            Self::Contested => "contested",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    defect: Vec<Row>,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let table: Result<Table, _> = toml::from_str(include_str!("defect/table.toml"));
    // The text is part of the program; a test reads it.
    table
        .expect("the embedded table of defects is well-formed")
        .defect
});

/// Every row of the table, in its order.
pub fn table() -> &'static [Row] {
    &ROWS
}

/// The row of that id.
pub fn row(id: &str) -> Option<&'static Row> {
    table().iter().find(|row| row.id == id)
}

impl Row {
    /// The switch, where the defect is built.
    pub fn defect(&self) -> Option<Defect> {
        Defect::by_id(&self.id)
    }

    /// Whether that device has it.
    pub fn is_of(&self, role: Role) -> bool {
        self.roles.iter().any(|own| own == role.as_str())
    }

    /// Whether what a finding cites (`OCPP-1.6 4.9, 7.7, OCPP-1.6J 4.1.4`) has a clause of this row, or a section below
    /// one.
    pub fn is_cited_by(&self, cited: &str) -> bool {
        clauses(cited).any(|cited| self.clauses.iter().any(|own| covers(own, &cited)))
    }
}

/// The clauses of a citation (`OCPP-1.6 4.9, 7.7`), each with its document (`OCPP-1.6 4.9`, `OCPP-1.6 7.7`).
pub fn clauses(cited: &str) -> impl Iterator<Item = String> {
    let mut document = String::new();
    cited.split(',').filter_map(move |part| {
        let part = part.trim();
        let clause = match part.rsplit_once(' ') {
            // `OCPP-1.6J 4.2.3 table 7`: a table stands in its section.
            Some((rest, number)) if rest.ends_with(" table") => {
                return named(rest.trim_end_matches(" table"), number, &mut document);
            }
            Some((name, clause)) => {
                name.clone_into(&mut document);
                clause
            }
            None => part,
        };
        (!clause.is_empty()).then(|| format!("{document} {clause}"))
    })
}

/// A clause with a table number behind it: the table number is left out.
fn named(rest: &str, _table: &str, document: &mut String) -> Option<String> {
    let (name, clause) = rest.rsplit_once(' ')?;
    name.clone_into(document);
    Some(format!("{name} {clause}"))
}

/// The same clause, or a section below it.
fn covers(own: &str, cited: &str) -> bool {
    cited
        .strip_prefix(own)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_whole_and_every_switch_has_a_row() {
        let ids: BTreeSet<&str> = table().iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids.len(), table().len(), "ids are unique");
        for row in table() {
            assert!(!row.clauses.is_empty() && !row.wrong.is_empty(), "{}", row.id);
            assert!(!row.roles.is_empty(), "{}", row.id);
            assert!(
                row.roles.iter().all(|role| Role::parse(role).is_some()),
                "{}",
                row.id
            );
            assert!(
                row.clauses.iter().all(|clause| clause.contains(' ')),
                "{}",
                row.id
            );
            let playable = row.later.is_none();
            assert!(
                playable || row.defect().is_none(),
                "{} is built and put off",
                row.id
            );
        }
        for defect in Defect::ALL {
            assert!(ids.contains(defect.id()), "{} has no row", defect.id());
        }
    }

    #[test]
    fn a_citation_counts_for_its_clause_and_the_sections_below() {
        let mut row = table()[0].clone();
        row.clauses = vec!["OCPP-1.6 4.9".into(), "OCPP-1.6J 4.2.3".into()];
        for cited in [
            "OCPP-1.6 4.9",
            "OCPP-1.6 4.8, 4.9.1",
            "RFC 6455 4.1, OCPP-1.6J 4.2.3 table 7",
        ] {
            assert!(row.is_cited_by(cited), "{cited}");
        }
        for cited in [
            "OCPP-1.6 4",
            "OCPP-1.6 4.91",
            "OCPP-1.6J 4.9",
            "OCPP-1.6-errata 4.9",
            "",
        ] {
            assert!(!row.is_cited_by(cited), "{cited}");
        }
    }
}
