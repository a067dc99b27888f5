//! A transaction while it runs, and who may charge.

use plugfest_protocol::{Json, Timestamp};

use super::profile::Profile;

/// How many meter values a StopTransaction carries at most; the first and the last are never dropped (errata 3.91).
const MOST_METER_VALUES: usize = 200;

/// Leave to charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Permit {
    pub(crate) tag: String,
    /// The group of the token (§3.10).
    pub(crate) parent: Option<String>,
    /// The charging profile that came with it (§5.16.2).
    pub(crate) profile: Option<Box<Profile>>,
}

impl Permit {
    /// Leave without a charging profile.
    pub(crate) const fn new(tag: String, parent: Option<String>) -> Self {
        Self {
            tag,
            parent,
            profile: None,
        }
    }

    /// Tokens are compared without case (CiString20Type).
    pub(crate) fn is_for(&self, tag: &str) -> bool {
        self.tag.eq_ignore_ascii_case(tag)
    }

    /// Two tokens are in one group where their parents match; a parent is never compared with a token.
    pub(crate) fn shares_group(&self, parent: Option<&str>) -> bool {
        matches!((&self.parent, parent), (Some(own), Some(other)) if own.eq_ignore_ascii_case(other))
    }
}

/// A running transaction.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// The station's own number for it.
    pub(crate) key: u64,
    /// The CSMS's number, once the CSMS has given one.
    pub(crate) id: Option<i64>,
    pub(crate) permit: Permit,
    /// When it began (machine time).
    pub(crate) began: Timestamp,
    /// Its register then, in Wh.
    pub(crate) began_at: u64,
    /// When the next sample is due (machine time).
    pub(crate) sample_due: Option<Timestamp>,
    /// Register at the last periodic and the last clock-aligned sample, in Wh.
    pub(crate) sampled: u64,
    pub(crate) aligned: u64,
    /// What StopTransaction will tell of its course.
    pub(crate) data: Vec<Json>,
    /// The station holds energy back.
    pub(crate) suspended: bool,
    /// The CSMS refused the token: energy ends when the register reaches this, in Wh.
    pub(crate) refused_at: Option<u64>,
}

impl Transaction {
    pub(crate) fn new(key: u64, permit: Permit, register: u64, now: Timestamp) -> Self {
        Self {
            key,
            id: None,
            permit,
            began: now,
            began_at: register,
            sample_due: None,
            sampled: register,
            aligned: register,
            data: Vec::new(),
            suspended: false,
            refused_at: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(tag: &str) -> Self {
        Self::new(1, Permit::new(tag.into(), None), 0, Timestamp::from_secs(0))
    }

    /// Keeps a meter value for StopTransaction. When there are too many, every second one in the middle goes.
    pub(crate) fn keep(&mut self, value: Json) {
        if self.data.len() >= MOST_METER_VALUES {
            let mut at = 0;
            self.data.retain(|_| {
                at += 1;
                at == 1 || at % 2 == 0
            });
        }
        self.data.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_compared_by_parent_only() {
        let permit = Permit::new("AAA".into(), Some("GROUP".into()));
        assert!(permit.is_for("aaa"));
        assert!(permit.shares_group(Some("group")));
        assert!(!permit.shares_group(Some("AAA")));
        assert!(!permit.shares_group(None));
        assert!(!Permit::new("AAA".into(), None).shares_group(None));
    }

    #[test]
    fn the_first_meter_value_is_never_dropped() {
        let mut transaction = Transaction::for_test("A");
        for n in 0..1_000 {
            transaction.keep(Json::from(n));
            assert!(transaction.data.len() <= MOST_METER_VALUES);
        }
        assert_eq!(transaction.data[0], Json::from(0));
        assert_eq!(transaction.data.last(), Some(&Json::from(999)));
    }
}
