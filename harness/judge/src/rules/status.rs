//! StatusNotification: what a connector may report, and from where to where it may go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use super::support::{
    Away, Check, Entry, OCPP16, action_timeout, connectors, fact, instant, int, shown, status, text,
};
use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};

/// What two readings of one clock may lie apart that belong to one moment.
const MOMENT: Duration = Duration::from_secs(2);

pub(super) static RULES: &[Entry] = &[
    Entry::station::<ConnectorZero>(RuleInfo {
        id: "status/connector-zero",
        title: "connector 0 is Available, Unavailable or Faulted",
        clause: "OCPP-1.6 4.9, 7.7",
        level: Level::Must,
        editions: OCPP16,
        explain: "Connector 0 stands for the main controller of the station, for which only three of the nine statuses \
                  exist. Nothing is charged, reserved or finished there.",
    }),
    Entry::station::<ConnectorRange>(RuleInfo {
        id: "status/connector-range",
        title: "a connector number is at most the number of connectors",
        clause: "OCPP-1.6 3.8",
        level: Level::Must,
        editions: OCPP16,
        explain: "Connectors are numbered 1, 2, 3 and so on without gaps, and never higher than there are connectors. \
                  Judged for every request of the station with a connectorId, where the station has told its \
                  NumberOfConnectors.",
    }),
    Entry::station::<Transition>(RuleInfo {
        id: "status/transition",
        title: "a connector changes its status in a way that the table of 4.9 has",
        clause: "OCPP-1.6 4.9",
        level: Level::Should,
        editions: OCPP16,
        explain: "The table of clause 4.9 (with B6 of the errata) lists which status may follow which. Statuses that \
                  lasted less than some minimum may be left out, also by a minimum of the maker's own, so that a step \
                  that the table lacks may hide a short status in between: a warning, no more. Steps to Unavailable \
                  and Faulted always pass (a station may use Unavailable for its own purposes), so do steps from \
                  Faulted, and everything over a reconnect, a restart or a configured MinimumStatusDuration.",
    }),
    Entry::station::<Repeated>(RuleInfo {
        id: "status/repeated",
        title: "a status is reported when it changes",
        clause: "OCPP-1.6 4.9",
        level: Level::Advisory,
        editions: OCPP16,
        explain: "A station tells about a change. The same report twice in a row says nothing new and hides faults in \
                  the station's state machine. Let pass: another error code, info or vendor code, a report after \
                  a reconnect, a BootNotification, a trigger, a change of availability or a reservation, and the \
                  repetition of one that was not acknowledged.",
    }),
    Entry::station::<ErrorCode>(RuleInfo {
        id: "status/fault-without-error",
        title: "a faulted connector names an error",
        clause: "OCPP-1.6 7.6, 7.7",
        level: Level::Must,
        editions: OCPP16,
        explain: "Faulted means that the station or the connector has reported an error, NoError that there is none to \
                  report: together they contradict each other. Where a vendorErrorCode says more it is a warning, as \
                  the error is told, if in the wrong place.",
    }),
    Entry::station::<VehicleError>(RuleInfo {
        id: "status/ev-communication-error",
        title: "EVCommunicationError comes with a status in which a vehicle is connected",
        clause: "OCPP-1.6 4.9",
        level: Level::Must,
        editions: OCPP16,
        explain: "The code is a warning that SHALL only be used with Preparing, SuspendedEV, SuspendedEVSE and \
                  Finishing.",
    }),
    Entry::station::<AfterBoot>(RuleInfo {
        id: "status/after-boot",
        title: "an accepted station reports the status of itself and all its connectors",
        clause: "OCPP-1.6-errata 3.22",
        level: Level::Contested,
        editions: OCPP16,
        explain: "By the errata a station SHALL, once accepted, report connector 0 and every connector; edition 2 has no \
                  such sentence, therefore a warning. Time: `timeout.action`, 60 s by default. How many connectors \
                  there are is taken from NumberOfConnectors, or one. Not judged where the connection is gone, the \
                  harness withholds an answer, or the station has a reason to be away.",
    }),
    Entry::station::<AvailableInTransaction>(RuleInfo {
        id: "status/available-in-transaction",
        title: "a connector with an open transaction is not Available",
        clause: "OCPP-1.6 7.7",
        level: Level::Must,
        editions: OCPP16,
        explain: "Available means free for a new user. StatusNotification may overtake StopTransaction, so that the \
                  station has `timeout.action` (60 s by default) to send the StopTransaction. Not judged while \
                  transaction messages fail or wait, after a restart, or when the connection was lost meanwhile. MeterValues \
                  of that transaction that were taken more than two seconds after the Available, by the station's own \
                  clock, prove it at once.",
    }),
    Entry::station::<ChargingWithoutTransaction>(RuleInfo {
        id: "status/charging-without-transaction",
        title: "a connector that charges has a transaction",
        clause: "OCPP-1.6 4.8, 7.7",
        level: Level::Should,
        editions: OCPP16,
        explain: "Charging, SuspendedEV and SuspendedEVSE are statuses of a transaction, which a station reports with \
                  StartTransaction. Either message may come first; the station has `timeout.action` (60 s by default). \
                  Judged only for connectors that had a status outside a transaction before, and not while \
                  transaction messages fail or wait.",
    }),
];

fn notification<'a>(seen: &Seen<'a>) -> Option<(u32, i64, &'a str, &'a Json)> {
    let Seen::Call {
        conn,
        from: Party::Dut,
        action: "StatusNotification",
        payload,
        ..
    } = *seen
    else {
        return None;
    };
    Some((
        conn,
        int(payload, "connectorId")?,
        text(payload, "status")?,
        payload,
    ))
}

fn in_transaction(status: &str) -> bool {
    matches!(status, "Charging" | "SuspendedEV" | "SuspendedEVSE")
}

/// Connector 0.
#[derive(Debug, Default)]
struct ConnectorZero;

impl Check for ConnectorZero {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((_, 0, status, _)) = notification(&seen) else {
            return;
        };
        let other = [
            "Preparing",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Finishing",
            "Reserved",
        ];
        if other.contains(&status) {
            let expected = "Available, Unavailable or Faulted";
            out.add(
                "connector 0 reports a status that it cannot have",
                expected,
                status,
            )
            .at("/status");
        }
    }
}

/// Connectors that do not exist.
#[derive(Debug, Default)]
struct ConnectorRange;

impl Check for ConnectorRange {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((action, payload)) = seen.dut_call() else {
            return;
        };
        let (Some(connector), Some(most)) = (int(payload, "connectorId"), connectors(context)) else {
            return;
        };
        if connector > most {
            let message = format!("{action} is about a connector that does not exist");
            out.add(message, format!("at most {most}"), connector.to_string())
                .at("/connectorId");
        }
    }
}

/// The table of clause 4.9.
fn is_possible(from: &str, to: &str) -> bool {
    let row: &[&str] = match from {
        "Available" => &[
            "Preparing",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Reserved",
        ],
        "Preparing" => &[
            "Available",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Finishing",
        ],
        "Charging" => &["Available", "SuspendedEV", "SuspendedEVSE", "Finishing"],
        "SuspendedEV" => &["Available", "Charging", "SuspendedEVSE", "Finishing"],
        "SuspendedEVSE" => &["Available", "Charging", "SuspendedEV", "Finishing"],
        "Finishing" | "Reserved" => &["Available", "Preparing"],
        "Unavailable" => &[
            "Available",
            "Preparing",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
        ],
        // After a fault the status is that of before; and what is no status is a matter of the schema.
        _ => return true,
    };
    from == to || matches!(to, "Unavailable" | "Faulted") || row.contains(&to)
}

/// Steps that the table lacks.
#[derive(Debug, Default)]
struct Transition {
    last: BTreeMap<i64, (u32, String)>,
}

impl Check for Transition {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if seen.dut_call_of("BootNotification").is_some() {
            self.last.clear();
        }
        let Some((conn, connector, status, _)) = notification(&seen) else {
            return;
        };
        let last = self.last.insert(connector, (conn, status.to_owned()));
        let hidden = fact(context, "config.MinimumStatusDuration").is_some_and(|value| value.trim() != "0");
        let Some((_, last)) = last.filter(|(last_conn, _)| *last_conn == conn && connector > 0 && !hidden)
        else {
            return;
        };
        if !is_possible(&last, status) {
            let message =
                format!("connector {connector} went from {last} to {status}, a step that the table lacks");
            out.add(message, format!("a status that may follow {last}"), status)
                .at("/status");
        }
        if self.last.len() > 1024 {
            self.last.pop_last();
        }
    }
}

/// The same report again.
#[derive(Debug, Default)]
struct Repeated {
    last: BTreeMap<i64, (u32, Json, bool)>,
}

impl Check for Repeated {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Call {
                from: Party::Us,
                action,
                ..
            } if asks_for_status(action) => self.last.clear(),
            // What the station told of its own accord before it answered is asked for all the same.
            Seen::Answer {
                from: Party::Dut,
                call,
                ..
            } if asks_for_status(&call.action) => self.last.clear(),
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.last.clear(),
            Seen::Answer {
                from: Party::Us,
                call,
                answer: AnswerSeen::Result(_),
                ..
            } if call.action == "StatusNotification" => {
                let connector = int(&call.payload, "connectorId");
                if let Some(last) = connector.and_then(|connector| self.last.get_mut(&connector)) {
                    last.2 = true;
                }
            }
            _ => {}
        }
        let Some((conn, connector, status, payload)) = notification(&seen) else {
            return;
        };
        let mut content = payload.clone();
        if let Some(object) = content.as_object_mut() {
            object.remove("timestamp");
        }
        let last = self.last.insert(connector, (conn, content.clone(), false));
        if let Some((_, _, true)) = last.filter(|(last_conn, last, _)| *last_conn == conn && *last == content)
        {
            let message = format!("connector {connector} reports {status} again, unchanged");
            out.add(message, "a report when something changes", status);
        }
        if self.last.len() > 1024 {
            self.last.pop_last();
        }
    }
}

/// CALLs after which a station may tell a status that has not changed.
fn asks_for_status(action: &str) -> bool {
    matches!(
        action,
        "TriggerMessage" | "ExtendedTriggerMessage" | "ChangeAvailability" | "Reset"
    ) || action.contains("Reserv")
}

/// Faulted without an error.
#[derive(Debug, Default)]
struct ErrorCode;

impl Check for ErrorCode {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((_, connector, "Faulted", payload)) = notification(&seen) else {
            return;
        };
        if text(payload, "errorCode") == Some("NoError") {
            let message = format!("connector {connector} is Faulted without an error");
            let finding = out.add(message, "the error that put it out of service", "NoError");
            finding.at("/errorCode");
            if payload.get("vendorErrorCode").is_some() {
                finding.level(Level::Should);
            }
        }
    }
}

/// EVCommunicationError.
#[derive(Debug, Default)]
struct VehicleError;

impl Check for VehicleError {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((_, _, status, payload)) = notification(&seen) else {
            return;
        };
        let fits = matches!(
            status,
            "Preparing" | "SuspendedEV" | "SuspendedEVSE" | "Finishing"
        );
        if text(payload, "errorCode") == Some("EVCommunicationError") && !fits {
            let expected = "Preparing, SuspendedEV, SuspendedEVSE or Finishing";
            out.add(
                format!("EVCommunicationError comes with {status}"),
                expected,
                status,
            )
            .at("/status");
        }
    }
}

/// Reports due after acceptance.
#[derive(Debug, Default)]
struct AfterBoot {
    accepted: Option<Timestamp>,
    reported: BTreeSet<i64>,
    away: Away,
}

impl Check for AfterBoot {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.away.see(seen);
        if let Some(accepted) = self.accepted {
            let link = context.ledger.link_of(context.identity);
            let waits = link.is_some_and(|conn| context.ledger.open_from(conn, Party::Dut).next().is_some());
            let age = context.at.since(accepted);
            if link.is_none() || self.away.is_excused() {
                self.accepted = None;
            } else if age > action_timeout(context) && !waits {
                self.accepted = None;
                let most = connectors(context).unwrap_or(1);
                let missing = (0..=most).filter(|connector| !self.reported.contains(connector));
                let missing: Vec<String> = missing.map(|connector| connector.to_string()).collect();
                if !missing.is_empty() {
                    let message = "an accepted station did not report all its connectors; the errata ask for it, \
                                   edition 2 does not";
                    let expected = format!("connectors 0 to {most}");
                    out.add(
                        message,
                        expected,
                        format!("nothing about {} for {}", missing.join(", "), shown(age)),
                    );
                }
            }
        }
        match seen {
            Seen::Answer {
                from: Party::Us,
                call,
                answer,
                ..
            } if call.action == "BootNotification" => {
                self.accepted = (status(&answer) == Some("Accepted")).then_some(context.at);
                self.reported.clear();
            }
            Seen::Event(event) => {
                if let What::Closed { .. } = &event.what {
                    self.accepted = None;
                }
            }
            _ => {}
        }
        if let Some((_, connector, _, _)) = notification(&seen) {
            self.reported.insert(connector);
        }
    }
}

/// Transaction messages that fail or wait, after which the order of things proves nothing for a while.
#[derive(Debug, Default)]
struct Trouble {
    failed: bool,
}

impl Trouble {
    fn is_there(&self, context: &Context<'_>) -> bool {
        let link = context.ledger.link_of(context.identity);
        let waits = link.is_none_or(|conn| context.ledger.open_from(conn, Party::Dut).next().is_some());
        self.failed || waits
    }

    fn see(&mut self, seen: Seen<'_>) {
        if let Seen::Answer {
            from: Party::Us,
            call,
            answer,
            ..
        } = seen
            && matches!(
                call.action.as_str(),
                "StartTransaction" | "StopTransaction" | "MeterValues"
            )
        {
            self.failed = matches!(answer, AnswerSeen::Error { .. });
        }
    }
}

/// Available connectors with a transaction.
#[derive(Debug, Default)]
struct AvailableInTransaction {
    due: BTreeMap<i64, (Timestamp, i64)>,
    /// When it was so by the station's own clock. It outlives the connection.
    told: BTreeMap<i64, (Timestamp, i64)>,
    trouble: Trouble,
}

impl Check for AvailableInTransaction {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.trouble.see(seen);
        let late = |since: Timestamp| context.at.since(since) > action_timeout(context);
        let late = self.due.iter().find(|(_, (since, _))| late(*since));
        if let Some((connector, (_, id))) = late.map(|(connector, due)| (*connector, *due))
            && !self.trouble.is_there(context)
        {
            self.due.remove(&connector);
            let message = format!("connector {connector} is Available, its transaction {id} was not stopped");
            let expected = format!("StopTransaction within {}", shown(action_timeout(context)));
            out.add(message, expected, "nothing");
        }
        match seen {
            Seen::Event(event) if matches!(event.what, What::Closed { .. }) => self.due.clear(),
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.due.clear(),
            Seen::Call {
                from: Party::Dut,
                action: "StopTransaction",
                payload,
                ..
            } => {
                let id = int(payload, "transactionId");
                self.due.retain(|_, (_, open)| Some(*open) != id);
            }
            _ => {}
        }
        if let Some((connector, id)) = self.goes_on(&seen) {
            let message =
                format!("connector {connector} was called Available, and its transaction {id} goes on");
            out.add(message, "a status of a transaction", "Available")
                .clause("OCPP-1.6 4.9, 7.7");
        }
        let Some((_, connector, status, payload)) = notification(&seen) else {
            return;
        };
        let open = context
            .facts
            .fact(&format!("transaction.{connector}"))
            .and_then(Json::as_i64);
        self.told.remove(&connector);
        match open.filter(|_| status == "Available") {
            Some(id) => {
                if let Some(at) = instant(payload, "timestamp") {
                    self.told.insert(connector, (at, id));
                }
                self.due.insert(connector, (context.at, id))
            }
            None => self.due.remove(&connector),
        };
    }
}

impl AvailableInTransaction {
    /// A connector that was called Available, where a reading of its transaction was taken after that, by the same clock.
    fn goes_on(&mut self, seen: &Seen<'_>) -> Option<(i64, i64)> {
        let Seen::Call {
            from: Party::Dut,
            action: "MeterValues",
            payload,
            ..
        } = *seen
        else {
            return None;
        };
        let (connector, id) = (int(payload, "connectorId")?, int(payload, "transactionId")?);
        let (told, _) = *self.told.get(&connector).filter(|(_, open)| *open == id)?;
        let values = payload.get("meterValue").and_then(Json::as_array)?;
        let latest = values
            .iter()
            .filter_map(|value| instant(value, "timestamp"))
            .max()?;
        (latest.since(told) > MOMENT).then(|| {
            self.told.remove(&connector);
            (connector, id)
        })
    }
}

/// Charging connectors without a transaction.
#[derive(Debug, Default)]
struct ChargingWithoutTransaction {
    due: BTreeMap<i64, Timestamp>,
    started: BTreeSet<i64>,
    trouble: Trouble,
}

impl Check for ChargingWithoutTransaction {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.trouble.see(seen);
        let late = |since: Timestamp| context.at.since(since) > action_timeout(context);
        let late = self.due.iter().find(|(_, since)| late(**since));
        if let Some(connector) = late.map(|(connector, _)| *connector)
            && !self.trouble.is_there(context)
        {
            self.due.remove(&connector);
            let message = format!("connector {connector} charges without a transaction");
            let expected = format!("StartTransaction within {}", shown(action_timeout(context)));
            out.add(message, expected, "nothing");
        }
        match seen {
            Seen::Event(event) if matches!(event.what, What::Closed { .. }) => self.due.clear(),
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.due.clear(),
            Seen::Call {
                from: Party::Dut,
                action: "StartTransaction",
                payload,
                ..
            } => {
                if let Some(connector) = int(payload, "connectorId") {
                    self.due.remove(&connector);
                    self.started.insert(connector);
                }
            }
            _ => {}
        }
        let Some((_, connector, status, _)) = notification(&seen) else {
            return;
        };
        if !in_transaction(status) {
            self.due.remove(&connector);
            if status != "Faulted" {
                self.started.remove(&connector);
            }
            return;
        }
        let open = context.facts.fact(&format!("transaction.{connector}")).is_some();
        let before = fact(context, &format!("status.{connector}"));
        let idle = matches!(before, Some("Available" | "Preparing" | "Reserved"));
        if connector > 0 && idle && !open && !self.started.contains(&connector) {
            self.due.insert(connector, context.at);
        }
    }
}
