//! The local authorization list: what a station may do with a tag that stands on it, and what a CSMS may send.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use super::promise::Promises;
use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{
    Bounded, Check, Entry, OCPP16, action_timeout, fact, instant, int, short, shown, status, text,
};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<RefusedStarts>(RuleInfo {
        id: "list/refused-tag",
        title: "a tag that the list refuses starts nothing by itself",
        clause: "OCPP-1.6 3.5.3, 3.5.4, 4.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "A tag whose entry in the local list is not valid, or has expired, MUST be rejected offline, and the list \
                  goes before the cache. Judged by the timestamp of StartTransaction, where the whole list was accepted in this \
                  trace and LocalAuthListEnabled is not known to be false. Let pass: a tag that the CSMS accepted within \
                  the ten minutes before, or that it started remotely.",
    }),
    Entry::station::<Conflict>(RuleInfo {
        id: "list/conflict",
        title: "a listed tag that the CSMS refuses is reported as a conflict",
        clause: "OCPP-1.6 3.5.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "Where the list calls a tag valid and the answer to StartTransaction says otherwise, the station SHALL \
                  send a StatusNotification for connector 0 with the error code LocalListConflict. Time: \
                  `timeout.action`, 60 s by default. Not judged while the station may be held up.",
    }),
    Entry::station::<OldVersion>(RuleInfo {
        id: "list/old-version",
        title: "a change that is not newer than the list is not accepted",
        clause: "OCPP-1.6 7.47",
        level: Level::Must,
        editions: OCPP16,
        explain: "A differential update whose version is less than or equal to that of the current list gets \
                  VersionMismatch. Judged where the version of the list is known from the trace, as it was accepted or \
                  told, and the list is not empty.",
    }),
    Entry::csms::<TagsUnique>(RuleInfo {
        id: "list/tags-unique",
        title: "a list names each tag once",
        clause: "OCPP-1.6 6.41",
        level: Level::Must,
        editions: OCPP16,
        explain: "All idTags in localAuthorizationList MUST be unique; they are compared without regard to case.",
    }),
    Entry::csms::<EntriesComplete>(RuleInfo {
        id: "list/entries-complete",
        title: "every entry of a full list says what holds for its tag",
        clause: "OCPP-1.6 7.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "idTagInfo is required when updateType is Full; only a differential update may leave it out, and means \
                  by it that the entry is deleted.",
    }),
    Entry::csms::<VersionReserved>(RuleInfo {
        id: "list/version-reserved",
        title: "a list has no version that means something else",
        clause: "OCPP-1.6-errata 3.52",
        level: Level::Contested,
        editions: OCPP16,
        explain: "0 tells of an empty list and -1 of none at all (OCPP-1.6 5.10), so that listVersion SHALL NOT be either. \
                  An erratum of 2019 says so, edition 2 does not: a warning.",
    }),
];

/// One tag of the list.
#[derive(Debug, Clone)]
struct Listed {
    valid: bool,
    status: String,
    expiry: Option<Timestamp>,
}

/// The list as far as it is known.
#[derive(Debug, Default)]
pub(super) struct LocalList {
    /// `None` where the station may hold entries that the trace does not show.
    entries: Option<BTreeMap<String, Listed>>,
    /// When it last changed.
    since: Timestamp,
}

impl LocalList {
    /// True where the list may hold nothing after this request was accepted.
    pub(super) fn may_be_empty(&self, request: &Json) -> bool {
        match &self.entries {
            Some(entries) => entries.is_empty(),
            None => !list(request).iter().any(|entry| entry.get("idTagInfo").is_some()),
        }
    }

    fn get(&self, tag: &str) -> Option<&Listed> {
        self.entries.as_ref()?.get(&tag.to_ascii_lowercase())
    }

    /// Learns from one thing. Call it after judging.
    pub(super) fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        match seen {
            Seen::Event(event) => match &event.what {
                What::Asked { verb, .. } if verb == "station.factory_reset" => self.entries = None,
                // Whether a list that was under way has been taken is not known.
                What::Closed { .. } if context.ledger.open().any(|call| call.action == "SendLocalList") => {
                    self.entries = None;
                }
                _ => {}
            },
            // The list should outlive a restart, but need not.
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.entries = None,
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "SendLocalList" => match status(&answer) {
                Some("Accepted") => self.take(context, &call.payload),
                Some("Failed") => self.entries = None,
                _ => {}
            },
            _ => {}
        }
    }

    fn take(&mut self, context: &Context<'_>, request: &Json) {
        const MOST: usize = 10_000;
        self.since = context.at;
        if text(request, "updateType") == Some("Full") {
            self.entries = Some(BTreeMap::new());
        }
        let Some(entries) = &mut self.entries else { return };
        for entry in list(request) {
            let Some(tag) = text(entry, "idTag").map(str::to_ascii_lowercase) else {
                continue;
            };
            match entry.get("idTagInfo") {
                Some(info) => {
                    let status = text(info, "status").unwrap_or_default();
                    let listed = Listed {
                        // A tag that is in use elsewhere is a valid one (OCPP-1.6 3.5.2).
                        valid: matches!(status, "Accepted" | "ConcurrentTx"),
                        status: status.to_owned(),
                        expiry: instant(info, "expiryDate"),
                    };
                    entries.insert(tag, listed);
                }
                None => {
                    entries.remove(&tag);
                }
            }
        }
        if entries.len() > MOST {
            self.entries = None;
        }
    }
}

fn list(request: &Json) -> &[Json] {
    let list = request.get("localAuthorizationList").and_then(Json::as_array);
    list.unwrap_or_default()
}

fn is_off(context: &Context<'_>) -> bool {
    fact(context, "config.LocalAuthListEnabled").is_some_and(|value| value.eq_ignore_ascii_case("false"))
}

/// Starts of tags that the list refuses.
#[derive(Debug, Default)]
struct RefusedStarts {
    list: LocalList,
    /// When the CSMS last said yes to a tag, or started it.
    accepted: Bounded<String, Timestamp>,
}

impl Check for RefusedStarts {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == "Authorize" => {
                let info = result.get("idTagInfo");
                if info.and_then(|info| text(info, "status")) == Some("Accepted") {
                    self.let_in(context, &call.payload);
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "RemoteStartTransaction" && status(&answer) == Some("Accepted") => {
                self.let_in(context, &call.payload);
            }
            Seen::Call {
                from: Party::Dut,
                action: "StartTransaction",
                payload,
                ..
            } => {
                let (Some(tag), Some(at)) = (text(payload, "idTag"), instant(payload, "timestamp")) else {
                    return;
                };
                if let Some(why) = self.refused(tag, at).filter(|_| !is_off(context)) {
                    let message = format!("a transaction started for a tag that the local list {why}");
                    out.add(message, "no transaction", format!("idTag {}", short(tag)))
                        .at("/idTag");
                }
            }
            _ => {}
        }
        self.list.see(context, seen);
    }
}

impl RefusedStarts {
    fn let_in(&mut self, context: &Context<'_>, request: &Json) {
        if let Some(tag) = text(request, "idTag") {
            self.accepted.insert(tag.to_ascii_lowercase(), context.at);
        }
    }

    /// Why the list keeps a tag out at a moment, if it does.
    fn refused(&self, tag: &str, at: Timestamp) -> Option<String> {
        let listed = self.list.get(tag)?;
        let lately = self.accepted.get(&tag.to_ascii_lowercase());
        let was_let_in = lately.is_some_and(|yes| at.since(*yes) < Duration::from_mins(10));
        if was_let_in || at < self.list.since {
            return None;
        }
        if !listed.valid {
            return Some(format!("calls {}", short(&listed.status)));
        }
        let expiry = listed.expiry?;
        (at > expiry + Duration::from_secs(2)).then(|| format!("lets in until {expiry}"))
    }
}

/// Conflicts that are kept quiet.
#[derive(Debug, Default)]
struct Conflict {
    list: LocalList,
    due: Promises<String>,
}

impl Check for Conflict {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.due.see(seen);
        for (age, tag) in self.due.overdue(context, action_timeout) {
            let message =
                format!("the CSMS refused {tag}, which the local list calls valid, and no conflict was told");
            let expected = format!(
                "StatusNotification of connector 0 with LocalListConflict within {}",
                shown(action_timeout(context))
            );
            out.add(message, expected, format!("nothing for {}", shown(age)));
        }
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "StatusNotification",
                payload,
                ..
            } if text(payload, "errorCode") == Some("LocalListConflict") => self.due.clear(),
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == "StartTransaction" && !is_off(context) => {
                let told = result.get("idTagInfo").and_then(|info| text(info, "status"));
                let refused = matches!(told, Some("Blocked" | "Expired" | "Invalid"));
                if let (Some(tag), Some(at)) = (
                    text(&call.payload, "idTag").filter(|_| refused),
                    instant(&call.payload, "timestamp"),
                ) {
                    let is_valid = |listed: &Listed| {
                        listed.valid && listed.expiry.is_none_or(|expiry| context.at < expiry)
                    };
                    if self.list.get(tag).is_some_and(is_valid) && at >= self.list.since {
                        self.due.add(context, short(tag));
                    }
                }
            }
            _ => {}
        }
        self.list.see(context, seen);
    }
}

/// Changes that are too old.
#[derive(Debug, Default)]
struct OldVersion {
    list: LocalList,
    current: Option<i64>,
}

impl Check for OldVersion {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "SendLocalList" => {
                let version = int(&call.payload, "listVersion");
                let accepted = status(&answer) == Some("Accepted");
                if let (Some(version), Some(current)) = (version, self.current)
                    && accepted
                    && text(&call.payload, "updateType") == Some("Differential")
                    && version <= current
                {
                    let message = format!(
                        "a change to version {version} was accepted, and the list had version {current}"
                    );
                    out.add(message, "VersionMismatch", "Accepted").at("/status");
                }
                self.list.see(context, seen);
                self.current = match status(&answer) {
                    Some("Accepted") => version.filter(|_| !self.list.may_be_empty(&call.payload)),
                    Some("Failed") => None,
                    _ => self.current,
                };
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == "GetLocalListVersion" => {
                self.current = int(result, "listVersion").filter(|version| *version > 0);
            }
            _ => {
                self.list.see(context, seen);
                if self.list.entries.is_none() && matches!(seen, Seen::Event(_) | Seen::Call { .. }) {
                    self.forget(context, seen);
                }
            }
        }
    }
}

impl OldVersion {
    /// What makes the list uncertain makes its version uncertain.
    fn forget(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        let uncertain = match seen {
            Seen::Event(event) => match &event.what {
                What::Asked { verb, .. } => verb == "station.factory_reset",
                What::Closed { .. } => context.ledger.open().any(|call| call.action == "SendLocalList"),
                _ => false,
            },
            Seen::Call { from, action, .. } => from == Party::Dut && action == "BootNotification",
            _ => false,
        };
        if uncertain {
            self.current = None;
        }
    }
}

/// A list that the CSMS under test sends.
fn sent<'a>(seen: &Seen<'a>) -> Option<&'a Json> {
    match *seen {
        Seen::Call {
            from: Party::Dut,
            action: "SendLocalList",
            payload,
            ..
        } => Some(payload),
        _ => None,
    }
}

/// Tags that stand twice.
#[derive(Debug, Default)]
struct TagsUnique;

impl Check for TagsUnique {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(request) = sent(&seen) else { return };
        let mut before = BTreeSet::new();
        for (i, entry) in list(request).iter().enumerate() {
            if let Some(tag) = text(entry, "idTag")
                && !before.insert(tag.to_ascii_lowercase())
            {
                let actual = format!("{} again", short(tag));
                out.add("a list names a tag twice", "each tag once", actual)
                    .at(format!("/localAuthorizationList/{i}/idTag"));
                return;
            }
        }
    }
}

/// Entries of a full list that say nothing.
#[derive(Debug, Default)]
struct EntriesComplete;

impl Check for EntriesComplete {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let full = |request: &&Json| text(request, "updateType") == Some("Full");
        let Some(request) = sent(&seen).filter(full) else {
            return;
        };
        let bare = |entry: &Json| entry.get("idTagInfo").is_none();
        if let Some(i) = list(request).iter().position(bare) {
            let message = "an entry of a full list does not say what holds for its tag";
            out.add(message, "idTagInfo", "nothing")
                .at(format!("/localAuthorizationList/{i}/idTagInfo"));
        }
    }
}

/// Versions with another meaning.
#[derive(Debug, Default)]
struct VersionReserved;

impl Check for VersionReserved {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let version = sent(&seen).and_then(|request| int(request, "listVersion"));
        if let Some(version) = version.filter(|version| matches!(version, -1 | 0)) {
            let message = "a list has a version that means none or an empty one; the errata forbid it, edition 2 does not";
            out.add(message, "another version", version.to_string())
                .at("/listVersion");
        }
    }
}
