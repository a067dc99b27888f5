//! Whose transaction it is: authorisation before the start, and before somebody else's stop.

use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen};
use crate::rules::book::Book;
use crate::rules::support::{Bounded, Check, Entry, OCPP16, fact, instant, int, short, status, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<StartUnauthorised>(RuleInfo {
        id: "transaction/start-unauthorised",
        title: "a tag that was refused starts nothing",
        clause: "OCPP-1.6 4.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "A station SHALL only supply energy after authorisation. A StartTransaction for a tag whose last \
                  Authorize was answered with anything but Accepted, and which tells of a moment after that answer, \
                  breaks it. Let pass: transactions that began earlier or offline, refusals within ten minutes of being offline (a tag that \
                  was let in then may be waiting for its plug), and a remote start of the same tag since.",
    }),
    Entry::station::<StopTag>(RuleInfo {
        id: "transaction/stop-tag",
        title: "a transaction is stopped by its own tag or one of the same group",
        clause: "OCPP-1.6 3.10, 4.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "Who stops a transaction at the station has to be authorised: the tag that started it, or one whose \
                  parentIdTag is the same. A tag that the CSMS refused when it was presented must not stop it; one that \
                  was accepted but belongs to another group, or to none, is a warning, as the text speaks of groups \
                  only as what they allow. Judged where reason is Local or absent, and the CSMS told about both tags \
                  within the trace.",
    }),
    Entry::station::<NeedlessAuthorize>(RuleInfo {
        id: "transaction/needless-authorize",
        title: "the tag that started a transaction stops it without being asked for",
        clause: "OCPP-1.6 4.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "When a transaction is stopped, a station SHALL only send Authorize if the identifier differs from the \
                  one that started it. Judged where the StopTransaction with the starting tag follows an Authorize for \
                  it within ten seconds, and nothing in between tells that the tag was meant for a start.",
    }),
    Entry::station::<RemoteTag>(RuleInfo {
        id: "transaction/remote-start-tag",
        title: "a remote start uses the tag that it was given",
        clause: "OCPP-1.6 5.11",
        level: Level::Must,
        editions: OCPP16,
        explain: "A RemoteStartTransaction contains the idTag that the station SHALL use. The next StartTransaction on \
                  the connector of an accepted remote start (or on any, where none was named) must carry it. Let pass: \
                  another tag that was authorised and had not started anything yet, or that a person presented within \
                  ten minutes, and transactions that tell of an earlier moment.",
    }),
    Entry::station::<RemoteAuthorize>(RuleInfo {
        id: "transaction/remote-start-authorize",
        title: "a remote start is authorised as AuthorizeRemoteTxRequests says",
        clause: "OCPP-1.6 5.11",
        level: Level::Must,
        editions: OCPP16,
        explain: "With AuthorizeRemoteTxRequests false a station SHALL start at once, without Authorize; the CSMS checks \
                  the tag when it answers StartTransaction. Judged where the configuration is known from the trace, \
                  between the accepted RemoteStartTransaction and the StartTransaction of its tag. That with true the \
                  tag may be authorised locally, without Authorize, is let pass.",
    }),
];

/// What the CSMS said about tags, without regard to the case of their letters.
#[derive(Debug, Default)]
struct Tags {
    told: Bounded<String, Told>,
}

#[derive(Debug)]
struct Told {
    at: Timestamp,
    accepted: bool,
    parent: Option<String>,
}

impl Tags {
    fn get(&self, tag: &str) -> Option<&Told> {
        self.told.get(&tag.to_ascii_lowercase())
    }

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        let Seen::Answer {
            from: Party::Us,
            call,
            answer: AnswerSeen::Result(result),
            ..
        } = seen
        else {
            return;
        };
        if !matches!(call.action.as_str(), "Authorize" | "StartTransaction") {
            return;
        }
        let (Some(tag), Some(info)) = (text(&call.payload, "idTag"), result.get("idTagInfo")) else {
            return;
        };
        let told = Told {
            at: context.at,
            accepted: text(info, "status") == Some("Accepted"),
            parent: text(info, "parentIdTag").map(str::to_ascii_lowercase),
        };
        self.told.insert(tag.to_ascii_lowercase(), told);
    }
}

/// Transactions of refused tags.
#[derive(Debug, Default)]
struct StartUnauthorised {
    refused: Bounded<String, Option<Timestamp>>,
    /// When the station last was offline.
    offline: Option<Timestamp>,
}

impl Check for StartUnauthorised {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            // Offline a station decides by itself, and may not remember what it was told.
            Seen::Event(event) if matches!(event.what, What::Closed { .. }) => {
                self.refused = Bounded::default();
                self.offline = Some(context.at);
            }
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == "Authorize" => {
                let accepted =
                    result.get("idTagInfo").and_then(|info| text(info, "status")) == Some("Accepted");
                // A tag that was let in offline may be waiting for its plug.
                let lately = self
                    .offline
                    .is_some_and(|at| context.at.since(at) < Duration::from_mins(10));
                if let Some(tag) = text(&call.payload, "idTag") {
                    let refused = (!accepted && !lately).then_some(context.at);
                    self.refused.insert(tag.to_ascii_lowercase(), refused);
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "RemoteStartTransaction" => {
                if let Some(tag) =
                    text(&call.payload, "idTag").filter(|_| status(&answer) == Some("Accepted"))
                {
                    self.refused.insert(tag.to_ascii_lowercase(), None);
                }
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
                let refused = self.refused.get(&tag.to_ascii_lowercase()).copied().flatten();
                if refused.is_some_and(|refused| at + Duration::from_secs(2) >= refused) {
                    let message = "a transaction started for a tag that the CSMS had refused";
                    out.add(message, "no transaction", format!("idTag {}", short(tag)))
                        .at("/idTag");
                }
            }
            _ => {}
        }
    }
}

/// Stops by other tags.
#[derive(Debug, Default)]
struct StopTag {
    book: Book,
    tags: Tags,
}

impl Check for StopTag {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some((payload, tag, starter)) = stopped_by(&self.book, &seen)
            && !tag.eq_ignore_ascii_case(&starter)
            && let Some(told) = self.tags.get(tag)
        {
            let expected = format!("idTag {} or one of its group", short(&starter));
            let actual = format!("idTag {}", short(tag));
            if !told.accepted {
                let at = instant(payload, "timestamp");
                if at.is_some_and(|at| at + Duration::from_secs(2) >= told.at) {
                    let message = "a tag that the CSMS had refused stopped a transaction";
                    out.add(message, expected, actual).at("/idTag");
                }
            } else if let Some(own) = self.tags.get(&starter)
                && (told.parent.is_none() || told.parent != own.parent)
            {
                let message = "a tag of another group stopped a transaction";
                out.add(message, expected, actual)
                    .at("/idTag")
                    .level(Level::Should);
            }
        }
        self.tags.see(context, seen);
        self.book.see(context, seen);
    }
}

/// A StopTransaction at the station: its payload, its tag, and the tag that started the transaction.
fn stopped_by<'a>(book: &Book, seen: &Seen<'a>) -> Option<(&'a Json, &'a str, String)> {
    let payload = seen.dut_call_of("StopTransaction")?;
    let local = matches!(text(payload, "reason"), None | Some("Local"));
    let starter = book.by_id(int(payload, "transactionId")?)?.tag.clone()?;
    local.then_some((payload, text(payload, "idTag")?, starter))
}

/// Authorize for the tag that started the transaction.
#[derive(Debug, Default)]
struct NeedlessAuthorize {
    book: Book,
    asked: Option<(String, Timestamp)>,
}

impl Check for NeedlessAuthorize {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some((_, tag, starter)) = stopped_by(&self.book, &seen)
            && tag.eq_ignore_ascii_case(&starter)
            && let Some((asked, at)) = self.asked.take()
            && asked.eq_ignore_ascii_case(tag)
            && context.at.since(at) <= Duration::from_secs(10)
        {
            let message = "the station asked for the tag that had started the transaction";
            out.add(
                message,
                "StopTransaction without Authorize",
                format!("Authorize for {}", short(tag)),
            );
        }
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "Authorize",
                payload,
                ..
            } => {
                let tag = text(payload, "idTag");
                let running = |tag: &str| self.book.open().any(|tx| is_tag(tx.tag.as_deref(), tag));
                self.asked = tag
                    .filter(|tag| running(tag))
                    .map(|tag| (tag.to_owned(), context.at));
            }
            Seen::Call {
                from: Party::Dut,
                action: "StartTransaction",
                ..
            } => self.asked = None,
            // The station took the tag for a start, or somebody came again.
            Seen::Call {
                from: Party::Dut,
                action: "StatusNotification",
                payload,
                ..
            } if text(payload, "status") == Some("Preparing") => {
                self.asked = None;
            }
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && (verb.starts_with("token.") || verb.starts_with("user."))
                {
                    self.asked = None;
                }
            }
            _ => {}
        }
        self.book.see(context, seen);
    }
}

fn is_tag(tag: Option<&str>, other: &str) -> bool {
    tag.is_some_and(|tag| tag.eq_ignore_ascii_case(other))
}

/// A remote start that the station accepted.
#[derive(Debug, Default)]
struct Remote {
    accepted: Option<(String, Option<i64>, Timestamp)>,
}

impl Remote {
    /// The tag that a StartTransaction on this connector should carry.
    fn tag_for(&self, connector: Option<i64>) -> Option<(&str, Timestamp)> {
        let (tag, wanted, at) = self.accepted.as_ref()?;
        (wanted.is_none() || *wanted == connector).then_some((tag.as_str(), *at))
    }

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        match seen {
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "RemoteStartTransaction" => {
                let tag = text(&call.payload, "idTag").filter(|_| status(&answer) == Some("Accepted"));
                let connector = int(&call.payload, "connectorId");
                self.accepted = tag.map(|tag| (tag.to_owned(), connector, context.at));
            }
            Seen::Call {
                from: Party::Dut,
                action: "StartTransaction",
                ..
            } => self.accepted = None,
            // A person with a card, or one that unplugs, makes another story of it.
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && (verb.starts_with("token.") || verb.starts_with("user."))
                {
                    self.accepted = None;
                }
            }
            _ => {}
        }
    }
}

/// Remote starts with another tag.
#[derive(Debug, Default)]
struct RemoteTag {
    remote: Remote,
    /// Tags that were authorised and have not started anything yet.
    waiting: Bounded<String, bool>,
    /// When somebody last presented a tag that may have been authorised without a message.
    presented: Option<Timestamp>,
}

impl Check for RemoteTag {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && (verb.starts_with("token.") || verb.starts_with("user."))
                {
                    self.presented = Some(context.at);
                }
            }
            Seen::Call {
                from: Party::Dut,
                action: "Authorize",
                payload,
                ..
            } => {
                let tag = text(payload, "idTag").unwrap_or_default();
                self.waiting.insert(tag.to_ascii_lowercase(), true);
            }
            Seen::Call {
                from: Party::Dut,
                action: "StartTransaction",
                payload,
                ..
            } => {
                let tag = text(payload, "idTag").unwrap_or_default();
                let waited = self.waiting.insert(tag.to_ascii_lowercase(), false) == Some(true);
                let presented = self
                    .presented
                    .is_some_and(|at| context.at.since(at) < Duration::from_mins(10));
                if let Some((wanted, at)) = self.remote.tag_for(int(payload, "connectorId"))
                    && !waited
                    && !presented
                    && !wanted.eq_ignore_ascii_case(tag)
                    && instant(payload, "timestamp").is_some_and(|start| start + Duration::from_secs(2) >= at)
                {
                    let message = "the remote start was carried out with another tag";
                    let (expected, actual) = (
                        format!("idTag {}", short(wanted)),
                        format!("idTag {}", short(tag)),
                    );
                    out.add(message, expected, actual).at("/idTag");
                }
            }
            // Of two remote starts the station may carry out either first.
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "RemoteStartTransaction" && status(&answer) == Some("Accepted") => {
                let tag = text(&call.payload, "idTag").unwrap_or_default();
                self.waiting.insert(tag.to_ascii_lowercase(), true);
            }
            _ => {}
        }
        self.remote.see(context, seen);
    }
}

/// Authorize where it should not be.
#[derive(Debug, Default)]
struct RemoteAuthorize {
    remote: Remote,
}

impl Check for RemoteAuthorize {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some(payload) = seen.dut_call_of("Authorize")
            && let Some((wanted, _, _)) = &self.remote.accepted
            && is_tag(Some(wanted), text(payload, "idTag").unwrap_or_default())
            && fact(context, "config.AuthorizeRemoteTxRequests")
                .is_some_and(|v| v.eq_ignore_ascii_case("false"))
        {
            let message = "a remote start was authorised although AuthorizeRemoteTxRequests is false";
            out.add(message, "StartTransaction at once", "Authorize");
        }
        self.remote.see(context, seen);
    }
}
