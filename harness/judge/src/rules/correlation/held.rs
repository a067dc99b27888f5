//! The reservations of one station as both sides told of them: what the rules on reservations need to know of the past.

use std::collections::VecDeque;
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use crate::rule::{AnswerSeen, Context, Seen};
use crate::rules::support::{Bounded, instant, int, status, text};

/// No more reservations than these are remembered; the oldest are forgotten.
const MOST: usize = 256;
/// Timestamps may be cut to whole seconds, and the two clocks are not quite one.
pub(super) const BLUR: Duration = Duration::from_secs(2);

/// A reservation that the station accepted.
#[derive(Debug, Clone)]
pub(super) struct Reservation {
    pub(super) id: i64,
    /// 0 for any connector.
    pub(super) connector: i64,
    pub(super) tag: String,
    parent: Option<String>,
    pub(super) expiry: Option<Timestamp>,
    /// When it was accepted, by our clock.
    since: Timestamp,
    /// How it ended, if that was seen.
    pub(super) over: Option<Over>,
}

/// The seen end of a reservation.
#[derive(Debug, Clone)]
pub(super) struct Over {
    pub(super) how: Ending,
    /// When, by our clock.
    pub(super) at: Timestamp,
    /// The StartTransaction that used it: it may be sent again.
    used_by: Option<Json>,
}

/// The ways in which a reservation ends (OCPP-1.6 5.1, 5.13).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ending {
    /// A transaction used it.
    Used,
    /// The CSMS took it back.
    Cancelled,
    /// Its connector failed or went out of use.
    OutOfUse,
}

/// Whether a transaction is the one that a reservation is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fit {
    Yes,
    No,
    /// The group of the tag is not known.
    Unknown,
}

/// The reservations that the station holds or held.
#[derive(Debug, Default)]
pub(super) struct Held {
    all: VecDeque<Reservation>,
    /// The group of each tag, as far as it was told; `None` for a tag of no group.
    parents: Bounded<String, Option<String>>,
    begun: bool,
}

impl Held {
    /// Reads the facts of the premise, once. Call it before judging.
    pub(super) fn begin(&mut self, context: &Context<'_>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        for (name, id) in context.facts.under("reservation") {
            let (Ok(connector), Some(id)) = (name.parse::<i64>(), id.as_i64()) else {
                continue;
            };
            let part = |part: &str| {
                let fact = context.facts.fact(&format!("reservation.{connector}.{part}"));
                fact.and_then(Json::as_str)
            };
            let Some(tag) = part("tag") else { continue };
            self.all.push_back(Reservation {
                id,
                connector,
                tag: tag.to_owned(),
                parent: part("parent").map(str::to_owned),
                expiry: part("expiry").and_then(|text| Timestamp::parse(text).ok()),
                since: context.at,
                over: None,
            });
        }
    }

    /// The reservations that are not known to be over, but by their time.
    pub(super) fn active(&self) -> impl Iterator<Item = &Reservation> {
        self.all.iter().filter(|held| held.over.is_none())
    }

    /// The reservation of that id, also one that is over.
    pub(super) fn find(&self, id: i64) -> Option<&Reservation> {
        self.all.iter().rev().find(|held| held.id == id)
    }

    /// True where none is held that is not known to be over.
    pub(super) fn is_empty(&self) -> bool {
        self.active().next().is_none()
    }

    /// Forgets a reservation.
    pub(super) fn forget(&mut self, id: i64) {
        self.all.retain(|held| held.id != id);
    }

    /// Forgets those that are not over.
    pub(super) fn forget_active(&mut self) {
        self.all.retain(|held| held.over.is_some());
    }

    /// Whether the tag of a transaction is one that the reservation is for.
    pub(super) fn fits(&self, held: &Reservation, tag: &str) -> Fit {
        if held.tag.eq_ignore_ascii_case(tag) {
            return Fit::Yes;
        }
        let Some(parent) = &held.parent else {
            return Fit::No;
        };
        match self.parents.get(&tag.to_ascii_lowercase()) {
            Some(Some(own)) if own.eq_ignore_ascii_case(parent) => Fit::Yes,
            Some(_) => Fit::No,
            None => Fit::Unknown,
        }
    }

    /// The reservations that a transaction ends: for its connector or for any, for its tag, begun before they expired.
    pub(super) fn used(&self, start: &Json) -> impl Iterator<Item = &Reservation> {
        let (connector, tag) = (int(start, "connectorId"), text(start, "idTag"));
        let at = instant(start, "timestamp");
        self.active().filter(move |held| {
            (held.connector == 0 || Some(held.connector) == connector)
                && tag.is_some_and(|tag| self.fits(held, tag) == Fit::Yes)
                && at
                    .zip(held.expiry)
                    .is_some_and(|(at, expiry)| at < expiry && at + BLUR >= held.since)
        })
    }

    /// Learns from one thing. Call it after judging.
    pub(super) fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        match seen {
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && verb == "station.factory_reset"
                {
                    self.forget_active();
                }
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } => self.answered(context, &call.action, &call.payload, status(&answer)),
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } => {
                if let (Some(tag), Some(info)) = (text(&call.payload, "idTag"), result.get("idTagInfo")) {
                    let parent = text(info, "parentIdTag").map(str::to_owned);
                    self.parents.insert(tag.to_ascii_lowercase(), parent);
                }
            }
            Seen::Call {
                from: Party::Dut,
                action,
                payload,
                ..
            } => self.asked(context, action, payload),
            _ => {}
        }
    }

    /// The station has answered.
    fn answered(&mut self, context: &Context<'_>, action: &str, request: &Json, status: Option<&str>) {
        match (action, status) {
            ("ReserveNow", Some("Accepted")) => self.accepted(context, request),
            ("CancelReservation", Some("Accepted")) => {
                let id = int(request, "reservationId");
                self.end(context, Ending::Cancelled, None, |held| Some(held.id) == id);
            }
            // What a refused replacement leaves behind is not certain, nor what a refused end was about.
            ("ReserveNow" | "CancelReservation", _) => {
                if let Some(id) = int(request, "reservationId") {
                    self.all.retain(|held| held.id != id || held.over.is_some());
                }
            }
            // The reservation ends with the status that is still to come, or the change waits for it.
            ("ChangeAvailability", Some("Accepted" | "Scheduled")) => {
                let connector = int(request, "connectorId");
                let other = |held: &Reservation| connector != Some(0) && Some(held.connector) != connector;
                self.all.retain(|held| held.over.is_some() || other(held));
            }
            ("SendLocalList", Some("Accepted")) => {
                let list = request.get("localAuthorizationList").and_then(Json::as_array);
                for entry in list.unwrap_or_default() {
                    let parent = entry.get("idTagInfo").and_then(|info| text(info, "parentIdTag"));
                    if let (Some(tag), Some(parent)) = (text(entry, "idTag"), parent) {
                        let parent = Some(parent.to_owned());
                        self.parents.insert(tag.to_ascii_lowercase(), parent);
                    }
                }
            }
            _ => {}
        }
    }

    fn accepted(&mut self, context: &Context<'_>, request: &Json) {
        let (Some(id), Some(connector), Some(tag)) = (
            int(request, "reservationId"),
            int(request, "connectorId"),
            text(request, "idTag"),
        ) else {
            return;
        };
        self.forget(id);
        self.all.push_back(Reservation {
            id,
            connector,
            tag: tag.to_owned(),
            parent: text(request, "parentIdTag").map(str::to_owned),
            expiry: instant(request, "expiryDate"),
            since: context.at,
            over: None,
        });
        if self.all.len() > MOST {
            self.all.pop_front();
        }
    }

    /// The station has asked.
    fn asked(&mut self, context: &Context<'_>, action: &str, request: &Json) {
        let connector = int(request, "connectorId");
        match action {
            "BootNotification" => self.forget_active(),
            "StatusNotification" if matches!(text(request, "status"), Some("Faulted" | "Unavailable")) => {
                // What becomes of a reservation for any connector is not certain, nor where the station itself failed.
                let certain = |held: &Reservation| held.connector != 0 && connector != Some(0);
                self.all.retain(|held| held.over.is_some() || certain(held));
                self.end(context, Ending::OutOfUse, None, |held| {
                    Some(held.connector) == connector
                });
            }
            "StartTransaction" => {
                let used: Vec<i64> = self.used(request).map(|held| held.id).collect();
                self.end(context, Ending::Used, Some(request), |held| {
                    used.contains(&held.id)
                });
                // A tag whose group is not known may have used it too.
                let tag = text(request, "idTag").unwrap_or_default();
                let unsure: Vec<i64> = self
                    .active()
                    .filter(|held| held.connector == 0 || Some(held.connector) == connector)
                    .filter(|held| held.connector != 0 || self.fits(held, tag) == Fit::Unknown)
                    .map(|held| held.id)
                    .collect();
                self.all
                    .retain(|held| held.over.is_some() || !unsure.contains(&held.id));
            }
            _ => {}
        }
    }

    fn end(
        &mut self,
        context: &Context<'_>,
        how: Ending,
        by: Option<&Json>,
        is_it: impl Fn(&Reservation) -> bool,
    ) {
        for held in self.all.iter_mut().filter(|held| held.over.is_none()) {
            if is_it(held) {
                held.over = Some(Over {
                    how,
                    at: context.at,
                    used_by: by.cloned(),
                });
            }
        }
    }
}

impl Reservation {
    /// True where it certainly holds at a moment of the station's clock.
    pub(super) fn holds_at(&self, at: Timestamp) -> bool {
        self.over.is_none() && self.since <= at && self.expiry.is_some_and(|expiry| at + BLUR < expiry)
    }
}

impl Over {
    /// True where a transaction certainly came after this end, and is not the one that brought it.
    pub(super) fn is_before(&self, start: &Json) -> bool {
        let at = instant(start, "timestamp");
        self.used_by.as_ref() != Some(start) && at.is_some_and(|at| at > self.at)
    }
}
