//! Slips that are no defect, because the standard leaves a device free to do so.

use std::sync::LazyLock;

use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    equivalent: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    role: String,
    slip: String,
    why: String,
}

static ENTRIES: LazyLock<Vec<(Entry, GlobMatcher)>> = LazyLock::new(|| {
    let list: Result<List, _> = toml::from_str(include_str!("equivalent.toml"));
    // The text is part of the program; a test reads it.
    let list = list.expect("the embedded list of equivalent slips is well-formed");
    let glob = |entry: Entry| {
        // A place of an array item is written with the same star.
        let glob = GlobBuilder::new(&entry.slip).literal_separator(false).build();
        let matcher = glob.expect("a test compiles every pattern").compile_matcher();
        (entry, matcher)
    };
    list.equivalent.into_iter().map(glob).collect()
});

/// Why that slip is no defect, if it is none.
pub(crate) fn why(role: &str, slip: &str) -> Option<&'static str> {
    ENTRIES
        .iter()
        .find(|(entry, matcher)| entry.role == role && matcher.is_match(slip))
        .map(|(entry, _)| entry.why.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_role_a_pattern_and_a_reason() {
        for (entry, _) in ENTRIES.iter() {
            assert!(
                matches!(entry.role.as_str(), "station" | "csms"),
                "{}",
                entry.slip
            );
            assert!(entry.why.len() > 20, "{}", entry.slip);
        }
        assert_eq!(why("station", "no such slip"), None);
    }
}
