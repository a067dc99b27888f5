//! Reservations: shown, named by the transaction that uses them, over when they expire.

use std::collections::BTreeSet;
use std::time::Duration;

use plugfest_protocol::Json;
use plugfest_trace::{Party, What};

use super::held::{Ending, Fit, Held, Reservation};
use super::promise::Promises;
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{
    Away, Check, Entry, OCPP16, action_timeout, connectors, fact, instant, int, short, shown, status, text,
};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Reserved>(RuleInfo {
        id: "correlation/reserved-status",
        title: "a reserved connector says so",
        clause: "OCPP-1.6-errata 3.19",
        level: Level::Contested,
        editions: OCPP16,
        explain: "A reservation takes a connector from Available to Reserved (A7 of the table in OCPP-1.6 4.9). The text \
                  says that the station MAY report a change, the errata that it SHALL: a warning. Time: \
                  `timeout.action`, 60 s by default. Not judged for connector 0, and where a transaction starts first.",
    }),
    Entry::station::<ReservationId>(RuleInfo {
        id: "correlation/reservation-id",
        title: "a transaction that ends a reservation names it",
        clause: "OCPP-1.6 4.8, 5.13",
        level: Level::Must,
        editions: OCPP16,
        explain: "If a transaction ends a reservation, StartTransaction MUST contain its reservationId. Judged where the \
                  station accepted the reservation for the idTag of the transaction or for its group, and for its \
                  connector or for any, it was not cancelled and had not expired, and the connector was not Faulted \
                  or Unavailable since. And what is named must be the reservation that ends (6.45): not one that was \
                  over, and not another tag's or another connector's.",
    }),
    Entry::station::<Refuses>(RuleInfo {
        id: "correlation/reserved-connector",
        title: "a reserved connector serves nobody else",
        clause: "OCPP-1.6 5.13",
        level: Level::Must,
        editions: OCPP16,
        explain: "Once it has accepted a reservation, the station SHALL refuse charging for all tags on the connector but \
                  the reserved one and those of its group; of a station with one connector this also holds where any \
                  connector is reserved. Judged by the timestamp of StartTransaction, between the acceptance and \
                  expiryDate. A tag whose group is not known passes where the reservation has one.",
    }),
    Entry::station::<ReserveFree>(RuleInfo {
        id: "correlation/reserve-free",
        title: "only a free connector is reserved",
        clause: "OCPP-1.6 5.13, 7.40",
        level: Level::Must,
        editions: OCPP16,
        explain: "For a connector that is in use or reserved a station SHALL answer ReserveNow with Occupied, for one that \
                  failed with Faulted, for one out of use with Unavailable. Broken where it accepts, although it told \
                  such a status last, or another reservation holds the connector. Not judged by status where \
                  MinimumStatusDuration may hide one.",
    }),
    Entry::station::<ReservedTruth>(RuleInfo {
        id: "correlation/reserved-truth",
        title: "a connector is Reserved as long as its reservation holds",
        clause: "OCPP-1.6 5.13, 7.7",
        level: Level::Must,
        editions: OCPP16,
        explain: "A reservation ends by a transaction, by its expiryDate, by a cancellation, by Faulted or Unavailable. \
                  Available is for a new user; a connector that goes from Reserved to Available more than ten seconds \
                  before any of these says something else than it has to do. That a connector becomes Reserved \
                  without any ReserveNow that was accepted is a warning.",
    }),
    Entry::station::<Expired>(RuleInfo {
        id: "correlation/reservation-expires",
        title: "an expired reservation gives its connector back",
        clause: "OCPP-1.6 5.13",
        level: Level::Must,
        editions: OCPP16,
        explain: "When a reservation expires the station SHALL make the connector available and tell so with a \
                  StatusNotification. Judged where the station accepted it in this trace and its connector still is \
                  Reserved `timeout.action` (60 s by default) after expiryDate, by the clock of the harness. Not judged \
                  without a connection, or where the station has a reason to be away.",
    }),
    Entry::station::<Cancelled>(RuleInfo {
        id: "correlation/reservation-cancel",
        title: "a reservation that is held can be cancelled",
        clause: "OCPP-1.6 5.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "If the station has a reservation with that id it SHALL answer Accepted. Judged where the station accepted \
                  it in this trace, and it has since been neither used, cancelled or expired, nor ended by a restart, \
                  by Faulted or by Unavailable.",
    }),
    Entry::station::<CancelOver>(RuleInfo {
        id: "correlation/reservation-over",
        title: "a reservation that is over cannot be cancelled",
        clause: "OCPP-1.6 5.1, 5.13",
        level: Level::Must,
        editions: OCPP16,
        explain: "Without a reservation of that id the answer SHALL be Rejected. Judged where a transaction used the \
                  reservation, or it was cancelled before. That Faulted and Unavailable end it is a warning: 5.13 says \
                  so, and the table in 4.9 has a way back from Faulted to Reserved.",
    }),
];

/// Reservations that do not show.
#[derive(Debug, Default)]
struct Reserved {
    due: Promises<i64>,
}

impl Check for Reserved {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.due.see(seen);
        for (age, connector) in self.due.overdue(context, action_timeout) {
            let message = format!(
                "connector {connector} was reserved and does not say so; the errata ask for it, the text allows it"
            );
            let expected = format!(
                "StatusNotification(Reserved) within {}",
                shown(action_timeout(context))
            );
            out.add(message, expected, format!("nothing for {}", shown(age)));
        }
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "StatusNotification" | "StartTransaction",
                payload,
                ..
            } => {
                let connector = int(payload, "connectorId");
                self.due.settle(|reserved| Some(*reserved) == connector);
            }
            Seen::Call {
                from: Party::Us,
                action: "CancelReservation" | "ChangeAvailability" | "Reset",
                ..
            } => {
                self.due.clear();
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "ReserveNow" => {
                let connector = int(&call.payload, "connectorId").filter(|connector| *connector > 0);
                let Some(connector) = connector.filter(|_| status(&answer) == Some("Accepted")) else {
                    return;
                };
                let before = context
                    .facts
                    .fact(&format!("status.{connector}"))
                    .and_then(Json::as_str);
                if before != Some("Reserved") {
                    self.due.add(context, connector);
                }
            }
            _ => {}
        }
    }
}
/// Transactions without their reservation.
#[derive(Debug, Default)]
struct ReservationId {
    held: Held,
}

impl Check for ReservationId {
    const WANTS: u8 = Wants::EVENT | Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.held.begin(context);
        if let Some(payload) = seen.dut_call_of("StartTransaction") {
            let told = int(payload, "reservationId");
            let used: Vec<i64> = self.held.used(payload).map(|held| held.id).collect();
            if let Some(id) = used.first() {
                if !told.is_some_and(|told| used.contains(&told)) {
                    let message = "a transaction that ends a reservation does not name it";
                    let actual = told.map_or_else(|| "no reservationId".to_owned(), |told| told.to_string());
                    out.add(message, id.to_string(), actual).at("/reservationId");
                }
            } else if let Some(told) = told
                && let Some(why) = self.wrong(told, payload)
            {
                let message = format!("a transaction names reservation {told}, {why}");
                out.add(message, "the reservation that it ends, or none", told.to_string())
                    .at("/reservationId");
            }
        }
        self.held.see(context, seen);
    }
}

impl ReservationId {
    /// Why a transaction cannot have ended that reservation.
    fn wrong(&self, id: i64, start: &Json) -> Option<String> {
        let held = self.held.find(id)?;
        let connector = int(start, "connectorId")?;
        if let Some(over) = &held.over {
            return over.is_before(start).then(|| "which was over before".to_owned());
        }
        if held.connector != 0 {
            // That it is another tag's is the business of `reserved-connector`.
            return (held.connector != connector)
                .then(|| format!("which is for connector {}", held.connector));
        }
        let other = self.held.fits(held, text(start, "idTag")?) == Fit::No;
        other.then(|| format!("which is for {}", short(&held.tag)))
    }
}

/// Transactions of others on a reserved connector.
#[derive(Debug, Default)]
struct Refuses {
    held: Held,
}

impl Check for Refuses {
    const WANTS: u8 = Wants::EVENT | Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.held.begin(context);
        if let Some(payload) = seen.dut_call_of("StartTransaction")
            && let (Some(connector), Some(tag), Some(at)) = (
                int(payload, "connectorId"),
                text(payload, "idTag"),
                instant(payload, "timestamp"),
            )
        {
            let only = connectors(context) == Some(1);
            let is_kept = |held: &&Reservation| {
                (held.connector == connector || (held.connector == 0 && only))
                    && held.holds_at(at)
                    && self.held.fits(held, tag) == Fit::No
            };
            if let Some(held) = self.held.active().find(is_kept) {
                let message = format!(
                    "a transaction started on connector {connector}, which reservation {} keeps for another tag",
                    held.id
                );
                let expected = format!("idTag {} or one of its group", short(&held.tag));
                out.add(message, expected, format!("idTag {}", short(tag)))
                    .at("/idTag");
            }
        }
        self.held.see(context, seen);
    }
}

/// Reservations that outlive their expiry.
#[derive(Debug, Default)]
struct Expired {
    held: Held,
    away: Away,
}

impl Check for Expired {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.held.begin(context);
        let link = context.ledger.link_of(context.identity);
        let held_up = link.is_none_or(|conn| context.ledger.open_from(conn, Party::Dut).next().is_some());
        if !self.held.is_empty() && !held_up && !self.away.is_excused() {
            let late = |held: &&Reservation| {
                held.expiry
                    .is_some_and(|expiry| context.at.since(expiry) > action_timeout(context))
            };
            let over: Vec<Reservation> = self.held.active().filter(late).cloned().collect();
            for held in over {
                self.held.forget(held.id);
                if fact(context, &format!("status.{}", held.connector)) == Some("Reserved") {
                    let message = format!(
                        "connector {} is Reserved after reservation {} expired",
                        held.connector, held.id
                    );
                    let expiry = held.expiry.unwrap_or_default();
                    let expected = format!("Available after {expiry}");
                    out.add(message, expected, format!("Reserved at {}", context.at));
                }
            }
        }
        self.away.see(seen);
        self.held.see(context, seen);
        // A connection that comes back brings the status of now, but not at once.
        if let Seen::Event(event) = seen
            && let What::Closed { .. } = &event.what
        {
            self.held.forget_active();
        }
    }
}

/// Reservations that cannot be cancelled.
#[derive(Debug, Default)]
struct Cancelled {
    held: Held,
}

impl Check for Cancelled {
    const WANTS: u8 = Wants::EVENT | Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.held.begin(context);
        if let Some((id, "Rejected")) = cancelled(&seen)
            && let Some(held) = self.held.find(id)
            && held.over.is_none()
            && held.expiry.is_some_and(|expiry| context.at < expiry)
        {
            let message = format!("reservation {id} is held and cannot be cancelled");
            out.add(message, "Accepted", "Rejected").at("/status");
        }
        self.held.see(context, seen);
    }
}

/// The id and the status where the station answers a CancelReservation.
fn cancelled<'a>(seen: &Seen<'a>) -> Option<(i64, &'a str)> {
    let (call, answer) = seen.dut_answer()?;
    let id = int(&call.payload, "reservationId").filter(|_| call.action == "CancelReservation")?;
    Some((id, status(&answer)?))
}

/// Reservations that are over and cancelled all the same.
#[derive(Debug, Default)]
struct CancelOver {
    held: Held,
}

impl Check for CancelOver {
    const WANTS: u8 = Wants::EVENT | Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.held.begin(context);
        if let Some((id, "Accepted")) = cancelled(&seen)
            && let Some(over) = self.held.find(id).and_then(|held| held.over.as_ref())
        {
            let why = match over.how {
                Ending::Used => "a transaction had used it",
                Ending::Cancelled => "it had been cancelled before",
                Ending::OutOfUse => "its connector had failed or gone out of use",
            };
            let message = format!("reservation {id} was cancelled, but {why}");
            let finding = out.add(message, "Rejected", "Accepted");
            finding.at("/status");
            if over.how == Ending::OutOfUse {
                finding.level(Level::Contested).clause("OCPP-1.6 5.13, 4.9");
            }
        }
        self.held.see(context, seen);
    }
}

/// Reservations of what is not free.
#[derive(Debug, Default)]
struct ReserveFree {
    held: Held,
}

impl Check for ReserveFree {
    const WANTS: u8 = Wants::EVENT | Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.held.begin(context);
        if let Some((call, answer)) = seen.dut_answer()
            && call.action == "ReserveNow"
            && status(&answer) == Some("Accepted")
            && let (Some(connector), Some(id)) = (
                int(&call.payload, "connectorId"),
                int(&call.payload, "reservationId"),
            )
        {
            let other = self
                .held
                .active()
                .find(|held| held.connector == connector && held.id != id && held.holds_at(context.at));
            let hidden =
                fact(context, "config.MinimumStatusDuration").is_some_and(|value| value.trim() != "0");
            let told = fact(context, &format!("status.{connector}")).filter(|_| !hidden);
            let expected = match (other, told) {
                (Some(other), _) => Some(("Occupied", format!("reservation {} holds it", other.id))),
                (None, Some("Faulted")) => Some(("Faulted", "it is Faulted".to_owned())),
                (None, Some("Unavailable")) => Some(("Unavailable", "it is Unavailable".to_owned())),
                (
                    None,
                    Some(told @ ("Preparing" | "Charging" | "SuspendedEV" | "SuspendedEVSE" | "Finishing")),
                ) => Some(("Occupied", format!("it is {told}"))),
                _ => None,
            };
            if let Some((expected, why)) = expected {
                let message = format!("connector {connector} was reserved, but {why}");
                out.add(message, expected, "Accepted").at("/status");
            }
        }
        self.held.see(context, seen);
    }
}

/// Statuses that do not go with the reservations.
#[derive(Debug, Default)]
struct ReservedTruth {
    held: Held,
    /// Connectors for which a reservation was accepted, whatever became of it.
    ever: BTreeSet<i64>,
}

impl Check for ReservedTruth {
    const WANTS: u8 = Wants::EVENT | Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.held.begin(context);
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "StatusNotification",
                payload,
                ..
            } => self.told(context, payload, out),
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "ReserveNow" && status(&answer) == Some("Accepted") => {
                if let Some(connector) = int(&call.payload, "connectorId")
                    && self.ever.len() < 256
                {
                    self.ever.insert(connector);
                }
            }
            _ => {}
        }
        self.held.see(context, seen);
    }
}

impl ReservedTruth {
    fn told(&self, context: &Context<'_>, payload: &Json, out: &mut Findings) {
        let (Some(connector), Some(status)) = (int(payload, "connectorId"), text(payload, "status")) else {
            return;
        };
        // A StatusNotification may overtake the answer to what brought it.
        let asked = ["ReserveNow", "CancelReservation", "ChangeAvailability", "Reset"];
        let crossed = context
            .ledger
            .open()
            .any(|call| call.from == Party::Us && asked.contains(&call.action.as_str()));
        let before = fact(context, &format!("status.{connector}"));
        if crossed || connector == 0 {
            return;
        }
        match (before, status) {
            (Some("Reserved"), "Available") => {
                let holds = |held: &&Reservation| {
                    let margin = Duration::from_secs(10);
                    held.connector == connector && held.holds_at(context.at + margin)
                };
                if let Some(held) = self.held.active().find(holds) {
                    let message = format!(
                        "connector {connector} is Available, while reservation {} still holds it",
                        held.id
                    );
                    let expiry = held.expiry.unwrap_or_default();
                    out.add(message, format!("Reserved until {expiry}"), "Available")
                        .at("/status");
                }
            }
            (Some(before), "Reserved") if !matches!(before, "Reserved" | "Faulted" | "Unavailable") => {
                let known = self.ever.contains(&connector) || self.ever.contains(&0) || !self.held.is_empty();
                if !known {
                    let message = format!("connector {connector} is Reserved without a reservation");
                    out.add(message, before, "Reserved")
                        .at("/status")
                        .level(Level::Should)
                        .clause("OCPP-1.6 7.7");
                }
            }
            _ => {}
        }
    }
}
