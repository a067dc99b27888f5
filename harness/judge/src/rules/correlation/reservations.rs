//! Reservations: shown, named by the transaction that uses them, over when they expire.

use std::collections::BTreeMap;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use super::promise::Promises;
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{
    Away, Check, Entry, OCPP16, action_timeout, fact, instant, int, shown, status, text,
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
                  station accepted the reservation in this trace for the idTag and the connector of the transaction, it \
                  was not cancelled and had not expired, and the connector was not Faulted or Unavailable since.",
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
/// A reservation that the station accepted.
#[derive(Debug, Clone)]
struct Reservation {
    connector: i64,
    tag: String,
    expiry: Option<Timestamp>,
}

/// The reservations that the station holds, by their ids.
#[derive(Debug, Default)]
struct Held {
    held: BTreeMap<i64, Reservation>,
}

impl Held {
    /// The reservation that a transaction ends: same connector, same tag, begun before it expired.
    fn used(&self, payload: &Json) -> Option<i64> {
        let (connector, tag) = (int(payload, "connectorId")?, text(payload, "idTag")?);
        let at = instant(payload, "timestamp");
        let fits = |held: &Reservation| {
            held.connector == connector
                && held.tag.eq_ignore_ascii_case(tag)
                && at.zip(held.expiry).is_some_and(|(at, expiry)| at < expiry)
        };
        self.held.iter().find(|(_, held)| fits(held)).map(|(id, _)| *id)
    }

    /// Learns from one thing. Call it after judging.
    fn see(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } => {
                let Some(id) = int(&call.payload, "reservationId") else {
                    return;
                };
                match (call.action.as_str(), status(&answer)) {
                    ("ReserveNow", Some("Accepted")) => {
                        let (connector, tag) =
                            (int(&call.payload, "connectorId"), text(&call.payload, "idTag"));
                        let (Some(connector), Some(tag)) = (connector, tag) else {
                            return;
                        };
                        let expiry = instant(&call.payload, "expiryDate");
                        self.held.insert(
                            id,
                            Reservation {
                                connector,
                                tag: tag.to_owned(),
                                expiry,
                            },
                        );
                        if self.held.len() > 256 {
                            self.held.pop_first();
                        }
                    }
                    // What a refused replacement leaves behind is not certain.
                    ("ReserveNow" | "CancelReservation", _) => {
                        self.held.remove(&id);
                    }
                    _ => {}
                }
            }
            Seen::Call {
                from: Party::Dut,
                action,
                payload,
                ..
            } => match action {
                "BootNotification" => self.held.clear(),
                "StatusNotification" => {
                    let connector = int(payload, "connectorId");
                    if matches!(text(payload, "status"), Some("Faulted" | "Unavailable")) {
                        self.held
                            .retain(|_, held| held.connector != 0 && Some(held.connector) != connector);
                    }
                }
                "StartTransaction" => {
                    let (connector, tag) = (int(payload, "connectorId"), text(payload, "idTag"));
                    // A parent tag may have used it too.
                    self.held.retain(|_, held| {
                        Some(held.connector) != connector
                            && (held.connector != 0 || Some(held.tag.as_str()) != tag)
                    });
                }
                _ => {}
            },
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
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Seen::Call {
            from: Party::Dut,
            action: "StartTransaction",
            payload,
            ..
        } = seen
            && let Some(id) = self.held.used(payload)
        {
            let told = int(payload, "reservationId");
            if told != Some(id) {
                let message = "a transaction that ends a reservation does not name it";
                let actual = told.map_or_else(|| "no reservationId".to_owned(), |told| told.to_string());
                out.add(message, id.to_string(), actual).at("/reservationId");
            }
        }
        self.held.see(seen);
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
        let link = context.ledger.link_of(context.identity);
        let held_up = link.is_none_or(|conn| context.ledger.open_from(conn, Party::Dut).next().is_some());
        if !self.held.held.is_empty() && !held_up && !self.away.is_excused() {
            let over = |held: &Reservation| {
                held.expiry
                    .is_some_and(|expiry| context.at.since(expiry) > action_timeout(context))
            };
            let over: Vec<i64> = self
                .held
                .held
                .iter()
                .filter(|(_, held)| over(held))
                .map(|(id, _)| *id)
                .collect();
            for id in over {
                let Some(held) = self.held.held.remove(&id) else {
                    continue;
                };
                if fact(context, &format!("status.{}", held.connector)) == Some("Reserved") {
                    let message = format!(
                        "connector {} is Reserved after reservation {id} expired",
                        held.connector
                    );
                    let expiry = held.expiry.unwrap_or_default();
                    let expected = format!("Available after {expiry}");
                    out.add(message, expected, format!("Reserved at {}", context.at));
                }
            }
        }
        self.away.see(seen);
        self.held.see(seen);
        // A connection that comes back brings the status of now, but not at once.
        if let Seen::Event(event) = seen
            && let What::Closed { .. } = &event.what
        {
            self.held.held.clear();
        }
    }
}

/// Reservations that cannot be cancelled.
#[derive(Debug, Default)]
struct Cancelled {
    held: Held,
}

impl Check for Cancelled {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Seen::Answer {
            from: Party::Dut,
            call,
            answer,
            ..
        } = seen
            && call.action == "CancelReservation"
            && status(&answer) == Some("Rejected")
            && let Some(id) = int(&call.payload, "reservationId")
            && let Some(held) = self.held.held.get(&id)
            && held.expiry.is_some_and(|expiry| context.at < expiry)
        {
            let message = format!("reservation {id} is held and cannot be cancelled");
            out.add(message, "Accepted", "Rejected").at("/status");
        }
        self.held.see(seen);
    }
}
