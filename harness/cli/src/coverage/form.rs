//! The files of the ledger.

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

/// Words that an entry may have: it is a reminder of a clause, not a copy of it.
const MOST_WORDS: usize = 15;

/// One document with its obligations.
#[derive(Debug)]
pub(crate) struct Document {
    /// As rules and cases cite it: `OCPP-1.6`.
    pub(crate) id: String,
    /// What it is.
    pub(crate) title: String,
    /// Its obligations, in the order of the document.
    pub(crate) clauses: Vec<Clause>,
}

/// One obligation.
#[derive(Debug)]
pub(crate) struct Clause {
    /// The section, and a letter where it has several: `4.2/b`.
    pub(crate) id: String,
    /// How strongly it binds.
    pub(crate) level: Binding,
    /// Whom.
    pub(crate) who: Who,
    /// To what, in words of our own.
    pub(crate) says: String,
    /// What its status rests on.
    pub(crate) basis: Basis,
}

/// What the status of an entry rests on.
#[derive(Debug)]
pub(crate) enum Basis {
    /// Whoever cites the section.
    Cited,
    /// Those who cite the section and are named here.
    By(Vec<Pattern>),
    /// Nothing exercises it.
    Untested {
        /// Why not.
        reason: Reason,
        /// The same in a few words.
        why: String,
    },
    /// Another entry, by its full name, says the same.
    Same(String),
}

/// An id of a rule or case; `*` stands for anything.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As written.
    pub(crate) text: String,
    matcher: GlobMatcher,
}

/// How strongly an obligation binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Binding {
    /// SHALL, MUST.
    Shall,
    /// SHOULD, RECOMMENDED.
    Should,
    /// MAY: the other side has to be able to bear it.
    May,
}

/// Whom an obligation binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// The charging station.
    Station,
    /// The back office.
    Csms,
    /// Both of them.
    Both,
}

/// Why nothing exercises an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// Whether it is kept shows neither on the wire nor to the driver.
    NotObservable,
    /// It binds nobody whom we test, or leaves everybody free.
    OutOfScope,
    /// It could be tested and is not yet.
    ToDo,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    document: String,
    title: String,
    #[serde(default)]
    clause: Vec<ClauseForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClauseForm {
    id: String,
    level: Binding,
    who: Who,
    says: String,
    by: Option<Vec<String>>,
    same: Option<String>,
    untested: Option<Reason>,
    why: Option<String>,
}

impl Document {
    /// Reads one file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let form: FileForm = toml::from_str(text).map_err(|error| error.to_string())?;
        let clauses = form
            .clause
            .into_iter()
            .map(Clause::of)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id: form.document,
            title: form.title,
            clauses,
        })
    }

    /// The full name of an entry: `OCPP-1.6 4.2/b`.
    pub(crate) fn name_of(&self, clause: &Clause) -> String {
        format!("{} {}", self.id, clause.id)
    }
}

impl Clause {
    fn of(form: ClauseForm) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("{} {what}", form.id));
        if form.id.is_empty() || form.id.contains(char::is_whitespace) || form.id.matches('/').count() > 1 {
            return wrong(
                "is no id: write the section, and a letter behind a slash where it has several entries",
            );
        }
        let words = form.says.split_whitespace().count();
        if words == 0 || words > MOST_WORDS {
            return wrong(&format!(
                "says something in {words} words; take 1 to {MOST_WORDS}"
            ));
        }
        let basis = match (form.by, form.same, form.untested, form.why) {
            (None, None, None, None) => Basis::Cited,
            (Some(by), None, None, None) if !by.is_empty() => {
                let patterns = by.iter().map(|text| Pattern::parse(text));
                Basis::By(patterns.collect::<Result<_, _>>()?)
            }
            (None, Some(name), None, None) => Basis::Same(name),
            (None, None, Some(reason), Some(why)) if !why.trim().is_empty() => {
                Basis::Untested { reason, why }
            }
            _ => return wrong("has to have `by`, or `same`, or both `untested` and `why`, or none of them"),
        };
        Ok(Self {
            id: form.id,
            level: form.level,
            who: form.who,
            says: form.says,
            basis,
        })
    }

    /// The section in which it stands: `4.2` of `4.2/b`.
    pub(crate) fn section(&self) -> &str {
        self.id
            .split_once('/')
            .map_or(self.id.as_str(), |(section, _)| section)
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.map_err(|error| error.to_string())?.compile_matcher(),
        })
    }

    /// Whether it means this rule or case.
    pub(crate) fn matches(&self, id: &str) -> bool {
        self.matcher.is_match(id)
    }

    /// Whether it can mean several, so that those which do not cite the section may be passed over.
    pub(crate) fn is_wide(&self) -> bool {
        self.text.contains('*')
    }
}

impl Binding {
    /// The word for tables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Shall => "shall",
            Self::Should => "should",
            Self::May => "may",
        }
    }
}

impl Who {
    /// The word for tables.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Station => "station",
            Self::Csms => "csms",
            Self::Both => "both",
        }
    }

    /// Whether it binds a side: `station` or `csms`.
    pub(crate) fn binds(self, side: &str) -> bool {
        self == Self::Both || self.word() == side
    }
}

impl Reason {
    /// The word for tables and JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotObservable => "not-observable",
            Self::OutOfScope => "out-of-scope",
            Self::ToDo => "to-do",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contradicts_itself_is_refused() {
        let entry = |rest: &str| {
            format!(
                "document = \"X\"\ntitle = \"x\"\n[[clause]]\nlevel = \"shall\"\nwho = \"csms\"\n{rest}\n"
            )
        };
        let good = "id = \"1/a\"\nsays = \"answers\"";
        assert_eq!(Document::parse(&entry(good)).unwrap().clauses[0].section(), "1");
        let long = format!("id = \"1\"\nsays = \"{}\"", "word ".repeat(16));
        for bad in [
            "id = \"1 a\"\nsays = \"answers\"",
            "id = \"1/a/b\"\nsays = \"answers\"",
            "id = \"1\"\nsays = \"\"",
            long.as_str(),
            &format!("{good}\nuntested = \"to-do\""),
            &format!("{good}\nwhy = \"because\""),
            &format!("{good}\nuntested = \"to-do\"\nwhy = \" \""),
            &format!("{good}\nuntested = \"never\"\nwhy = \"because\""),
            &format!("{good}\nby = []"),
            &format!("{good}\nby = [\"a/b\"]\nsame = \"X 2\""),
            &format!("{good}\nnote = \"x\""),
        ] {
            assert!(Document::parse(&entry(bad)).is_err(), "{bad}");
        }
    }
}
