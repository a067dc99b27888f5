//! Who may charge: tokens, the cache, the local list, the CSMS (OCPP 1.6 §3.5, §3.10, §4.1).

use std::collections::BTreeSet;

use plugfest_protocol::{Json, Timestamp, object};

use super::config_keys::{LIST_LENGTH_LIMIT, LIST_PART_LIMIT};
use super::connector::{Phase, Trouble};
use super::device::{Device, Floating, Registration};
use super::outgoing::{Outgoing, Purpose};
use super::profile::Profile;
use super::session::Reason;
use super::transaction::Permit;
use crate::defect::Defect;
use crate::outcome::Outcome;

/// How many tokens the cache remembers.
const CACHE_SIZE: usize = 1_000;
/// The longest token (CiString20Type).
const LONGEST_TAG: usize = 20;

/// What is known of a token: IdTagInfo (§7.27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TagInfo {
    status: String,
    parent: Option<String>,
    expiry: Option<Timestamp>,
}

impl TagInfo {
    /// What does not fit the standard's lengths is not kept: the CSMS may be hostile.
    fn read(info: &Json) -> Option<Self> {
        let short = |field: &str| {
            let text = info.get(field).and_then(Json::as_str)?;
            (text.chars().count() <= LONGEST_TAG).then(|| text.to_owned())
        };
        Some(Self {
            status: short("status")?,
            parent: short("parentIdTag"),
            expiry: info
                .get("expiryDate")
                .and_then(Json::as_str)
                .and_then(|text| Timestamp::parse(text).ok()),
        })
    }

    /// Accepted, and not past its date.
    fn accepted(&self, wall: Timestamp) -> bool {
        self.status == "Accepted" && self.expiry.is_none_or(|expiry| wall < expiry)
    }
}

/// The authorization cache (§3.5.1): valid and invalid tokens, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Cache(Vec<(String, TagInfo)>);

impl Cache {
    fn get(&self, tag: &str) -> Option<&TagInfo> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(tag))
            .map(|(_, info)| info)
    }

    fn put(&mut self, tag: &str, info: TagInfo, wall: Timestamp) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(tag));
        if self.0.len() >= CACHE_SIZE {
            self.0.retain(|(_, info)| info.accepted(wall));
        }
        if self.0.len() >= CACHE_SIZE {
            self.0.remove(0);
        }
        self.0.push((tag.to_owned(), info));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The local authorization list (§3.5.2), which only the CSMS changes.
#[derive(Debug, Default)]
pub(super) struct LocalList {
    version: i64,
    entries: Vec<(String, TagInfo)>,
}

impl LocalList {
    fn get(&self, tag: &str) -> Option<&TagInfo> {
        self.entries
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(tag))
            .map(|(_, info)| info)
    }

    /// What GetLocalListVersion tells: 0 says that the list is empty, whatever came last (§5.10).
    pub(super) const fn version(&self) -> i64 {
        if self.entries.is_empty() { 0 } else { self.version }
    }

    /// SendLocalList (§5.15): the status of its answer. A list that does not fit changes nothing.
    pub(super) fn update(&mut self, request: &Json) -> &'static str {
        let Some(version) = request.get("listVersion").and_then(Json::as_i64) else {
            return "Failed";
        };
        let full = request.get("updateType").and_then(Json::as_str) == Some("Full");
        if !full && version <= self.version() {
            return "VersionMismatch";
        }
        let updates = request
            .get("localAuthorizationList")
            .and_then(Json::as_array)
            .unwrap_or_default();
        // Errata 3.52: 0 and -1 have a meaning of their own in GetLocalListVersion.
        if version < 1 || updates.len() > LIST_PART_LIMIT || names_twice(updates) {
            return "Failed";
        }
        let mut entries = if full { Vec::new() } else { self.entries.clone() };
        for update in updates {
            let Some(tag) = update.get("idTag").and_then(Json::as_str) else {
                return "Failed";
            };
            let info = update.get("idTagInfo").and_then(TagInfo::read);
            let known = entries
                .iter()
                .position(|(known, _)| known.eq_ignore_ascii_case(tag));
            match (known, info) {
                // In a full list every entry says what the token is worth (§7.1).
                (_, None) if full => return "Failed",
                (Some(at), Some(info)) => entries[at].1 = info,
                (Some(at), None) => drop(entries.remove(at)),
                (None, Some(info)) => entries.push((tag.to_owned(), info)),
                (None, None) => {}
            }
        }
        if entries.len() > LIST_LENGTH_LIMIT {
            return "Failed";
        }
        self.entries = entries;
        self.version = version;
        "Accepted"
    }
}

/// Whether a token stands there more than once, which no update may (§6.41).
fn names_twice(updates: &[Json]) -> bool {
    let mut seen = BTreeSet::new();
    let mut tags = updates
        .iter()
        .filter_map(|update| update.get("idTag").and_then(Json::as_str));
    tags.any(|tag| !seen.insert(tag.to_ascii_lowercase()))
}

/// What a token is asked about for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// To charge, at this connector or at whichever is plugged next.
    Begin {
        connector: Option<usize>,
        tag: String,
        profile: Option<Box<Profile>>,
    },
    /// To stop what another token started, here or wherever its group charges.
    End { connector: Option<usize>, tag: String },
}

impl Ask {
    pub(super) fn tag(&self) -> &str {
        match self {
            Self::Begin { tag, .. } | Self::End { tag, .. } => tag,
        }
    }
}

impl Device {
    /// A token is held to the reader, meant for a connector or for none in particular.
    pub(super) fn present(&mut self, connector: Option<usize>, tag: &str) -> Outcome {
        if !self.config.makeup.reader {
            return Outcome::Unsupported;
        }
        if !self.powered() {
            return Outcome::failed("the reader is dark: the station has no power");
        }
        if tag.is_empty() || tag.chars().count() > LONGEST_TAG {
            return Outcome::failed("argument 'token' must have 1 to 20 characters");
        }
        let sole = (self.connectors.len() == 1).then_some(1);
        let meant = connector.or(sole);
        let here = |number: usize| meant.is_none_or(|meant| meant == number);
        // The token that started it stops it, without asking anybody (§4.1).
        if let Some(number) = self
            .numbers()
            .find(|number| here(*number) && self.started_by(*number, tag))
        {
            self.stop(number, Reason::Local, Some(tag));
            return Outcome::Done;
        }
        if let Some(number) = self
            .numbers()
            .find(|number| here(*number) && self.held_for(*number, tag))
        {
            self.release(number);
            return Outcome::Done;
        }
        // Presented for a second time before the plug came: never mind (B1 of §4.9).
        if let Some(number) = self
            .numbers()
            .find(|number| here(*number) && self.awaits_plug(*number, tag))
        {
            self.cancel(number);
            return Outcome::Done;
        }
        if self
            .floating
            .as_ref()
            .is_some_and(|floating| floating.permit.is_for(tag))
        {
            self.floating = None;
            return Outcome::Done;
        }
        let tag = tag.to_owned();
        let place = meant
            .or_else(|| {
                self.reserved_for(|holder| holder.is_for(&tag))
                    .filter(|number| self.plugged(*number))
            })
            .or_else(|| self.latest_plug())
            .or_else(|| self.reserved_for(|holder| holder.is_for(&tag)));
        let ask = match place {
            Some(number) if self.runs(number) => Some(Ask::End {
                connector: Some(number),
                tag,
            }),
            Some(number) if self.connectors[number - 1].held_for.is_some() => Some(Ask::End {
                connector: Some(number),
                tag,
            }),
            Some(number) => (self.welcomes(number) && self.may_admit(number, &tag)).then_some(Ask::Begin {
                connector: Some(number),
                tag,
                profile: None,
            }),
            None if self
                .numbers()
                .any(|number| self.welcomes_next(number) && self.may_admit(number, &tag)) =>
            {
                Some(Ask::Begin {
                    connector: None,
                    tag,
                    profile: None,
                })
            }
            None if self.numbers().any(|number| self.runs(number)) => Some(Ask::End { connector: None, tag }),
            None => None,
        };
        // A token that can bring about nothing is refused by the station itself.
        if let Some(ask) = ask {
            self.ask(ask);
        }
        Outcome::Done
    }

    fn started_by(&self, number: usize, tag: &str) -> bool {
        self.connectors[number - 1]
            .transaction()
            .is_some_and(|transaction| transaction.permit.is_for(tag))
    }

    fn held_for(&self, number: usize, tag: &str) -> bool {
        self.connectors[number - 1]
            .held_for
            .as_ref()
            .is_some_and(|permit| permit.is_for(tag))
    }

    /// Somebody's cable is in the connector.
    fn plugged(&self, number: usize) -> bool {
        self.connectors[number - 1].occupied(self.config.makeup.fixed_cable)
    }

    fn awaits_plug(&self, number: usize, tag: &str) -> bool {
        matches!(&self.connectors[number - 1].phase, Phase::Preparing { permit: Some(permit), .. } if permit.is_for(tag))
    }

    pub(super) fn runs(&self, number: usize) -> bool {
        self.connectors[number - 1].transaction().is_some()
    }

    /// The connector that was plugged last and still waits for a token.
    fn latest_plug(&self) -> Option<usize> {
        let fixed = self.config.makeup.fixed_cable;
        self.numbers()
            .filter_map(|number| match &self.connectors[number - 1] {
                it @ super::connector::Connector {
                    phase: Phase::Preparing { since, permit: None },
                    ..
                } if it.occupied(fixed) && self.welcomes(number) => Some((*since, number)),
                _ => None,
            })
            .max()
            .map(|(_, number)| number)
    }

    /// Asks about a token: locally where that suffices, else the CSMS.
    pub(super) fn ask(&mut self, ask: Ask) {
        if self.is_asking(|other| *other == ask) {
            return;
        }
        if !self.online() {
            self.ask_locally(ask);
            return;
        }
        let known = self
            .known(ask.tag())
            .filter(|info| info.accepted(self.wall(self.now)));
        match known.cloned() {
            Some(info) if self.store.settings.flag("LocalPreAuthorize") => {
                self.settle_ask(ask, info.parent.as_deref());
            }
            _ => {
                let payload = object! { "idTag": ask.tag() };
                self.post(Outgoing::new(Purpose::Authorize(ask), payload));
            }
        }
    }

    /// Nobody can be asked (§3.5): the local list first, then the cache, then the rule for strangers.
    pub(super) fn ask_locally(&mut self, ask: Ask) {
        // A station that no CSMS has accepted, or that waits for one to, serves nobody (§4.2.1).
        let waits =
            self.line.is_up() && matches!(self.registration, Registration::Pending | Registration::Rejected);
        if !self.powered() || !self.store.accepted_before || waits {
            return;
        }
        let settings = &self.store.settings;
        match self.known(ask.tag()) {
            Some(info) if info.accepted(self.wall(self.now)) && settings.flag("LocalAuthorizeOffline") => {
                let parent = info.parent.clone();
                self.settle_ask(ask, parent.as_deref());
            }
            None if settings.flag("AllowOfflineTxForUnknownId") && matches!(ask, Ask::Begin { .. }) => {
                self.settle_ask(ask, None);
            }
            _ => {}
        }
    }

    /// What the station itself knows of a token; the local list goes before the cache (§3.5.3).
    fn known(&self, tag: &str) -> Option<&TagInfo> {
        let listed = self.listed(tag);
        let cached = || {
            self.store
                .settings
                .flag("AuthorizationCacheEnabled")
                .then(|| self.store.cache.get(tag))
        };
        listed.or_else(|| cached().flatten())
    }

    /// A token with its group, where the station itself knows the token (§5.13).
    pub(super) fn acquaintance(&self, tag: &str) -> Option<Permit> {
        self.known(tag)
            .map(|info| Permit::new(tag.to_owned(), info.parent.clone()))
    }

    fn listed(&self, tag: &str) -> Option<&TagInfo> {
        self.store
            .settings
            .flag("LocalAuthListEnabled")
            .then(|| self.store.list.get(tag))
            .flatten()
    }

    /// The CSMS has answered, or has failed to.
    pub(super) fn decided(&mut self, ask: Ask, info: Option<&Json>) {
        let info = info.and_then(TagInfo::read);
        let any = self.has(Defect::CsStartsOnInvalid);
        if let Some(info) = info.filter(|info| any || info.status == "Accepted") {
            self.settle_ask(ask, info.parent.as_deref());
        }
    }

    /// The token is good.
    fn settle_ask(&mut self, ask: Ask, parent: Option<&str>) {
        match ask {
            Ask::End { connector, tag } => self.end_for_group(connector, &tag, parent),
            Ask::Begin {
                connector,
                tag,
                profile,
            } => {
                // Where it could mean either, a running transaction of the group is what it means.
                if connector.is_none() && self.groups_transaction(parent).is_some() {
                    self.end_for_group(None, &tag, parent);
                    return;
                }
                let permit = Permit {
                    profile,
                    ..Permit::new(tag, parent.map(str::to_owned))
                };
                self.begin(connector, permit);
            }
        }
    }

    fn groups_transaction(&self, parent: Option<&str>) -> Option<usize> {
        self.numbers().find(|number| {
            self.connectors[number - 1]
                .transaction()
                .is_some_and(|transaction| transaction.permit.shares_group(parent))
        })
    }

    /// A token of the same group may stop (§3.10) or unlock (errata 3.5); another one may not.
    fn end_for_group(&mut self, connector: Option<usize>, tag: &str, parent: Option<&str>) {
        let mut numbers = connector.map_or_else(|| self.numbers(), |number| number..=number);
        let shares = |permit: Option<&Permit>| permit.is_some_and(|permit| permit.shares_group(parent));
        let found = numbers.find(|number| {
            let connector = &self.connectors[number - 1];
            shares(connector.transaction().map(|transaction| &transaction.permit))
                || shares(connector.held_for.as_ref())
        });
        match found {
            Some(number) if self.runs(number) => self.stop(number, Reason::Local, Some(tag)),
            Some(number) => self.release(number),
            None => {}
        }
    }

    /// Somebody may charge: here, or wherever the next plug comes.
    pub(super) fn begin(&mut self, connector: Option<usize>, permit: Permit) {
        let own = || {
            self.reserved_for(|holder| {
                holder.is_for(&permit.tag) || holder.shares_group(permit.parent.as_deref())
            })
        };
        let Some(number) = connector.or_else(own) else {
            let next = |number: usize| self.welcomes_next(number) && self.admits(number, &permit);
            if self.numbers().any(next) {
                let until = self.now.plus(self.connection_timeout());
                self.floating = Some(Floating { permit, until });
            }
            return;
        };
        if !self.welcomes(number) || !self.admits(number, &permit) {
            return;
        }
        let now = self.now;
        let phase = &mut self.at(number).phase;
        match phase {
            Phase::Preparing { permit: granted, .. } => *granted = Some(permit),
            _ => {
                *phase = Phase::Preparing {
                    since: now,
                    permit: Some(permit),
                }
            }
        }
        self.refresh(number);
        self.try_start(number);
    }

    /// Keeps what the CSMS said of a token (§3.5.1), unless the local list speaks of it.
    pub(super) fn remember(&mut self, tag: &str, answer: &Json) {
        let Some(info) = answer.get("idTagInfo").and_then(TagInfo::read) else {
            return;
        };
        if info.status != "Accepted" && self.has(Defect::CsAuthcacheOnlyAccepted) {
            return;
        }
        let wall = self.wall(self.now);
        if let Some(listed) = self.listed(tag) {
            // ConcurrentTx is no statement about the token itself.
            let conflict =
                listed.accepted(wall) && !matches!(info.status.as_str(), "Accepted" | "ConcurrentTx");
            if conflict {
                self.trouble = Some(Trouble {
                    code: "LocalListConflict".into(),
                    warning: true,
                });
                self.refresh(0);
            }
        } else if self.store.settings.flag("AuthorizationCacheEnabled") {
            self.store.cache.put(tag, info, wall);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(status: &str) -> TagInfo {
        TagInfo {
            status: status.into(),
            parent: None,
            expiry: None,
        }
    }

    #[test]
    fn the_cache_drops_invalid_tokens_first_and_forgets_case() {
        let wall = Timestamp::from_secs(100);
        let mut cache = Cache::default();
        cache.put("bad", info("Blocked"), wall);
        for n in 0..CACHE_SIZE {
            cache.put(&format!("T{n}"), info("Accepted"), wall);
        }
        assert_eq!(cache.get("bad"), None);
        assert!(cache.get("t0").is_some());
        cache.put("new", info("Accepted"), wall);
        assert_eq!(cache.get("T0"), None, "then the oldest valid one");
        assert_eq!(cache.0.len(), CACHE_SIZE);
    }

    #[test]
    fn a_token_past_its_date_is_not_accepted() {
        let info = TagInfo {
            expiry: Some(Timestamp::from_secs(100)),
            ..info("Accepted")
        };
        assert!(info.accepted(Timestamp::from_secs(99)));
        assert!(!info.accepted(Timestamp::from_secs(100)));
    }

    #[test]
    fn the_local_list_is_replaced_or_changed_as_a_whole() {
        let mut list = LocalList::default();
        let entry =
            |tag: &str, status: &str| object! { "idTag": tag, "idTagInfo": object! { "status": status } };
        let send = |version: i64, kind: &str, entries: Vec<Json>| {
            object! { "listVersion": version, "updateType": kind, "localAuthorizationList": entries }
        };
        assert_eq!(
            list.update(&send(
                1,
                "Full",
                vec![entry("A", "Accepted"), entry("B", "Blocked")]
            )),
            "Accepted"
        );
        assert_eq!(list.update(&send(1, "Differential", vec![])), "VersionMismatch");
        let change = vec![object! { "idTag": "a" }, entry("C", "Accepted")];
        assert_eq!(list.update(&send(2, "Differential", change)), "Accepted");
        assert_eq!(list.get("A"), None);
        assert_eq!(list.get("c"), Some(&info("Accepted")));
        assert_eq!(
            list.update(&send(
                3,
                "Full",
                vec![entry("X", "Accepted"), entry("x", "Blocked")]
            )),
            "Failed"
        );
        let twice = vec![entry("X", "Accepted"), entry("x", "Blocked")];
        assert_eq!(list.update(&send(3, "Differential", twice)), "Failed");
        let nothing_said = vec![object! { "idTag": "X" }];
        assert_eq!(list.update(&send(3, "Full", nothing_said)), "Failed");
        assert_eq!(list.update(&send(0, "Full", vec![])), "Failed");
        assert_eq!(list.version(), 2, "a failed update changes nothing");
        assert_eq!(list.update(&send(4, "Full", vec![])), "Accepted");
        assert_eq!(list.get("C"), None);
    }

    #[test]
    fn an_empty_list_is_version_0_and_a_long_one_fails() {
        let mut list = LocalList::default();
        let entries = |range: std::ops::Range<usize>| {
            let info = object! { "status": "Accepted" };
            let entries = range.map(|n| object! { "idTag": format!("T{n}"), "idTagInfo": &info });
            entries.collect::<Vec<Json>>()
        };
        let send = |version: i64, kind: &str, entries: Vec<Json>| {
            object! { "listVersion": version, "updateType": kind, "localAuthorizationList": entries }
        };
        let too_many = entries(0..LIST_PART_LIMIT + 1);
        assert_eq!(list.update(&send(1, "Full", too_many)), "Failed");
        let first = entries(0..LIST_PART_LIMIT);
        assert_eq!(list.update(&send(1, "Full", first)), "Accepted");
        let over = entries(LIST_PART_LIMIT..LIST_LENGTH_LIMIT + 1);
        assert_eq!(list.update(&send(2, "Differential", over)), "Failed");
        let rest = entries(LIST_PART_LIMIT..LIST_LENGTH_LIMIT);
        assert_eq!(list.update(&send(2, "Differential", rest)), "Accepted");
        assert_eq!((list.entries.len(), list.version()), (LIST_LENGTH_LIMIT, 2));
        let gone = object! { "listVersion": 9, "updateType": "Full" };
        assert_eq!(list.update(&gone), "Accepted");
        assert_eq!(list.version(), 0);
        let anew = entries(0..1);
        assert_eq!(
            list.update(&send(1, "Differential", anew)),
            "Accepted",
            "1 is more than 0"
        );
    }
}
