//! Pools and what is leased from them: no two cases use the same identity, or the same tag, at the same time.

use std::collections::BTreeMap;

use plugfest_case::{Library, Loaded};
use plugfest_play::premise::put;
use plugfest_protocol::{Json, Object};

use crate::config::Pools;

/// The tags that a case uses, as far as its text and that of its states name them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    valid: bool,
    second: bool,
    invalid: bool,
    blocked: bool,
    expired: bool,
    group: bool,
}

impl Needs {
    /// What a case uses.
    pub(crate) fn of(library: &Library, loaded: &Loaded) -> Self {
        let own = loaded
            .text
            .get(loaded.case.span.range())
            .unwrap_or_default()
            .to_owned();
        let mut texts = vec![own];
        texts.extend(
            library
                .states_used_by(loaded)
                .into_iter()
                .filter(|it| it.path.ends_with(".state"))
                .map(|it| it.text.to_string()),
        );
        let uses = |value: &str| texts.iter().any(|text| names(text, value));
        Self {
            valid: uses("tag.valid"),
            second: uses("tag.valid2"),
            invalid: uses("tag.invalid"),
            blocked: uses("tag.blocked"),
            expired: uses("tag.expired"),
            group: ["tag.parent1", "tag.parent2", "tag.group"].into_iter().any(uses),
        }
    }

    /// Whether it uses two valid tags.
    pub(crate) fn second(self) -> bool {
        self.second
    }

    /// What a pool lacks altogether: then the case cannot be played.
    pub(crate) fn lacks(self, pools: &Pools) -> Option<String> {
        let there = |kind: &str| pools.tags.get(kind).map_or(0, Vec::len);
        let wanted = [
            ("valid", usize::from(self.valid).max(2 * usize::from(self.second))),
            ("invalid", usize::from(self.invalid)),
            ("blocked", usize::from(self.blocked)),
            ("expired", usize::from(self.expired)),
        ];
        let missing = wanted.into_iter().find(|&(kind, wanted)| there(kind) < wanted);
        match missing {
            Some((kind, wanted)) => Some(format!("the pool has {} of {wanted} `{kind}` tags", there(kind))),
            None if self.group && pools.groups.is_empty() => Some("the pool has no group of tags".to_owned()),
            None => None,
        }
    }
}

/// Whether a text names a `$` value, and not only one whose name begins so.
fn names(text: &str, value: &str) -> bool {
    let path = format!("${value}");
    text.match_indices(&path).any(|(at, _)| {
        let rest = &text[at + path.len()..];
        !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    })
}

/// What one case at a time may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// The identity.
    pub(crate) identity: String,
    tags: BTreeMap<&'static str, String>,
}

impl Share {
    /// Its part of the `$` values.
    pub(crate) fn values(&self) -> Json {
        let mut root = Json::Object(Object::new());
        for (name, tag) in &self.tags {
            put(&mut root, &format!("tag.{name}"), Json::from(tag.as_str()));
        }
        root
    }

    /// The same share with another of the tags that nobody knows: a station may remember the last one as refused.
    pub(crate) fn turned(&self, pools: &Pools, turn: usize) -> Self {
        let mut share = self.clone();
        if let Some(unknown) = pools.tags.get("invalid").filter(|tags| !tags.is_empty()) {
            share
                .tags
                .insert("invalid", unknown[turn % unknown.len()].clone());
        }
        share
    }

    /// How much it has that others may lack.
    pub(crate) fn wealth(&self) -> usize {
        self.tags.len()
    }

    /// Whether it has what a case uses.
    pub(crate) fn serves(&self, needs: Needs) -> bool {
        let has = |name: &str| self.tags.contains_key(name);
        (!needs.valid || has("valid")) && (!needs.second || has("valid2")) && (!needs.group || has("group"))
    }
}

/// The pools cut into at most so many shares, of which no two have a tag in common that a case may start a transaction
/// with. The first shares have groups and second tags, if not all have; where `second` is true, at least one has a
/// second tag if there are two at all. Tags that are always refused are everyone's.
pub(crate) fn shares(pools: &Pools, identities: &[String], most: usize, second: bool) -> Vec<Share> {
    let tags = |kind: &str| pools.tags.get(kind).map_or(&[][..], Vec::as_slice);
    let valid = tags("valid");
    let firsts = if second {
        valid.len().saturating_sub(1)
    } else {
        valid.len()
    };
    let count = most.min(identities.len()).min(firsts).max(1);
    // Everyone gets one tag before anyone gets a second.
    let mut spare = valid.iter().skip(count);
    let share = |(n, identity): (usize, &String)| {
        let mut own = BTreeMap::new();
        own.extend(valid.get(n).map(|tag| ("valid", tag.clone())));
        own.extend(spare.next().map(|tag| ("valid2", tag.clone())));
        for kind in ["invalid", "blocked", "expired"] {
            own.extend(tags(kind).first().map(|tag| (kind, tag.clone())));
        }
        if let Some((parent, tags)) = pools.groups.get(n)
            && let [first, second, ..] = tags.as_slice()
        {
            own.extend([
                ("group", parent.clone()),
                ("parent1", first.clone()),
                ("parent2", second.clone()),
            ]);
        }
        Share {
            identity: identity.clone(),
            tags: own,
        }
    };
    identities.iter().take(count).enumerate().map(share).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn pools(valid: &[&str], groups: usize) -> Pools {
        let own = |tags: &[&str]| tags.iter().map(|&tag| tag.to_owned()).collect();
        Pools {
            connectors: 1,
            tags: BTreeMap::from([("valid", own(valid)), ("blocked", own(&["B"]))]),
            groups: (0..groups)
                .map(|n| (format!("G{n}"), vec![format!("G{n}a"), format!("G{n}b")]))
                .collect(),
        }
    }

    fn identities(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("ID{n}")).collect()
    }

    #[test]
    fn shares_have_no_tag_in_common() {
        let pools = pools(&["V1", "V2", "V3", "V4", "V5"], 2);
        let shares = shares(&pools, &identities(9), 3, true);
        assert_eq!(shares.len(), 3);
        let exclusive = ["valid", "valid2", "parent1", "parent2"];
        let used: Vec<&String> = shares
            .iter()
            .flat_map(|it| exclusive.iter().filter_map(|name| it.tags.get(name)))
            .collect();
        assert_eq!(used.iter().collect::<BTreeSet<_>>().len(), used.len());
        assert_eq!(used.len(), 5 + 4);
        assert!(shares.iter().all(|share| share.tags["blocked"] == "B"));
        let group = Needs {
            group: true,
            ..Needs::default()
        };
        assert_eq!(shares.iter().filter(|share| share.serves(group)).count(), 2);
    }

    #[test]
    fn the_smallest_pool_bounds_the_shares() {
        assert_eq!(
            shares(&pools(&["V1", "V2"], 1), &identities(9), 16, false).len(),
            2
        );
        assert_eq!(
            shares(&pools(&["V1", "V2"], 1), &identities(9), 16, true).len(),
            1
        );
        assert_eq!(
            shares(&pools(&["V1", "V2", "V3"], 1), &identities(1), 16, true).len(),
            1
        );
        let poor = shares(&pools(&[], 0), &identities(3), 16, true);
        assert_eq!(poor.len(), 1, "cases without tags are played all the same");
        assert!(!poor[0].serves(Needs {
            valid: true,
            ..Needs::default()
        }));
    }

    #[test]
    fn unknown_tags_are_used_in_turn() {
        let mut pools = pools(&["V1"], 0);
        let share = shares(&pools, &identities(1), 1, false).remove(0);
        assert_eq!(share.turned(&pools, 3), share, "there is none");
        pools
            .tags
            .insert("invalid", vec!["U1".to_owned(), "U2".to_owned()]);
        let tags = [0, 1, 2].map(|turn| share.turned(&pools, turn).tags["invalid"].clone());
        assert_eq!(tags, ["U1", "U2", "U1"]);
    }

    #[test]
    fn a_name_is_not_the_beginning_of_another() {
        assert!(names("act token.present($tag.valid)", "tag.valid"));
        assert!(!names("act token.present($tag.valid2)", "tag.valid"));
        let needs = Needs {
            second: true,
            ..Needs::default()
        };
        assert_eq!(
            needs.lacks(&pools(&["V1"], 0)).as_deref(),
            Some("the pool has 1 of 2 `valid` tags")
        );
        assert_eq!(needs.lacks(&pools(&["V1", "V2"], 0)), None);
    }
}
