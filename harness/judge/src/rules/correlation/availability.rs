//! ChangeAvailability: what is answered, what is reported, and that it lasts.

use std::collections::BTreeMap;

use plugfest_trace::{Party, What};

use super::promise::Promises;
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, action_timeout, fact, int, shown, status, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Scheduled>(RuleInfo {
        id: "correlation/availability-scheduled",
        title: "a connector with a transaction becomes inoperative later",
        clause: "OCPP-1.6 5.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "When a transaction is in progress a station SHALL answer Scheduled. Judged for Inoperative, where the \
                  connector (or, for connector 0, any) has an open transaction and reported a status of one last. \
                  Operative is what such a connector is already, so that Accepted is right there.",
    }),
    Entry::station::<Same>(RuleInfo {
        id: "correlation/availability-same",
        title: "a change to what is so already is accepted",
        clause: "OCPP-1.6 5.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "If the CSMS asks for the availability that there is already, a station SHALL answer Accepted. Judged \
                  for a connector by itself, where the last accepted change was the same and its last status agrees.",
    }),
    Entry::station::<Reported>(RuleInfo {
        id: "correlation/availability-reported",
        title: "a change of availability is reported",
        clause: "OCPP-1.6 5.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "When a requested change has happened a station SHALL tell with a StatusNotification. Judged for \
                  accepted changes of a connector whose last status was of the other kind, for the connector that \
                  was named; Faulted connectors, which may stay what they are, are let pass. Time: `timeout.action`, \
                  60 s by default. Not judged while the station may be held up.",
    }),
    Entry::station::<Kept>(RuleInfo {
        id: "correlation/availability-kept",
        title: "what was made inoperative stays so",
        clause: "OCPP-1.6 4.9, 5.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "A connector that was made Inoperative is Unavailable until it is made Operative, also over a reboot. An \
                  operative status after Unavailable was reported breaks that, and so does Available where the change \
                  was scheduled for the end of the transaction: C8, D8, E8 and F8 of the table lead to Unavailable. \
                  Faulted is let pass, and a factory reset forgets.",
    }),
];

/// An answered ChangeAvailability: connector, `Operative` or `Inoperative`, and the status.
fn change<'a>(seen: &Seen<'a>) -> Option<(i64, &'a str, &'a str)> {
    let (call, answer) = seen.dut_answer()?;
    if call.action != "ChangeAvailability" {
        return None;
    }
    Some((
        int(&call.payload, "connectorId")?,
        text(&call.payload, "type")?,
        status(&answer)?,
    ))
}

/// Changes in the middle of a transaction.
#[derive(Debug, Default)]
struct Scheduled;

impl Check for Scheduled {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((connector, "Inoperative", "Accepted")) = change(&seen) else {
            return;
        };
        let charging = |n: &str| {
            let status = fact(context, &format!("status.{n}"));
            matches!(status, Some("Charging" | "SuspendedEV" | "SuspendedEVSE"))
        };
        let mut open = context
            .facts
            .under("transaction")
            .filter(|(name, _)| !name.contains('.'));
        let busy = open.find(|(n, _)| (connector == 0 || **n == connector.to_string()) && charging(n));
        if let Some((n, id)) = busy {
            let message = format!("connector {n} became inoperative at once in transaction {id}");
            out.add(message, "Scheduled", "Accepted").at("/status");
        }
    }
}

/// Changes to what is so already.
#[derive(Debug, Default)]
struct Same;

impl Check for Same {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((connector, wanted, answered @ ("Rejected" | "Scheduled"))) = change(&seen) else {
            return;
        };
        let last = fact(context, &format!("availability.{connector}"));
        let reported = fact(context, &format!("status.{connector}"));
        let agreed = match wanted {
            "Inoperative" => reported == Some("Unavailable"),
            _ => reported.is_some_and(|status| !matches!(status, "Unavailable" | "Faulted")),
        };
        let pending = context
            .facts
            .fact(&format!("availability.{connector}.scheduled"))
            .is_some();
        if connector > 0 && last == Some(wanted) && agreed && !pending {
            let message = format!("connector {connector} is {wanted} already");
            out.add(message, "Accepted", answered).at("/status");
        }
    }
}

/// Changes that are not told.
#[derive(Debug, Default)]
struct Reported {
    due: Promises<(i64, bool)>,
}

impl Check for Reported {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.due.see(seen);
        for (age, (connector, operative)) in self.due.overdue(context, action_timeout) {
            let what = if operative { "operative" } else { "inoperative" };
            let message = format!("connector {connector} was made {what} and does not say so");
            let expected = format!("StatusNotification within {}", shown(action_timeout(context)));
            out.add(message, expected, format!("nothing for {}", shown(age)));
        }
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "StatusNotification",
                payload,
                ..
            } => {
                let (connector, status) = (int(payload, "connectorId"), text(payload, "status"));
                let unavailable = status == Some("Unavailable");
                let fits = |(due, operative): &(i64, bool)| {
                    Some(*due) == connector && (*operative != unavailable || status == Some("Faulted"))
                };
                self.due.settle(fits);
            }
            Seen::Call {
                from: Party::Us,
                action: "ChangeAvailability" | "Reset",
                ..
            } => self.due.clear(),
            _ => {}
        }
        if let Some((connector, wanted, "Accepted")) = change(&seen) {
            let operative = wanted == "Operative";
            let last = fact(context, &format!("status.{connector}"));
            let differs = match last {
                None | Some("Faulted") => false,
                Some(last) => (last == "Unavailable") == operative,
            };
            if differs {
                self.due.add(context, (connector, operative));
            }
        }
    }
}

/// How far a connector has come on its way to being inoperative.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Accepted, and not yet reported.
    Asked,
    /// To happen when the transaction ends.
    Scheduled,
    /// Reported.
    Unavailable,
}

/// True for the statuses from which the table leads to Unavailable when a scheduled change takes effect.
fn in_use(status: Option<&str>) -> bool {
    matches!(
        status,
        Some("Charging" | "SuspendedEV" | "SuspendedEVSE" | "Finishing")
    )
}

/// Inoperative connectors that come back.
#[derive(Debug, Default)]
struct Kept {
    begun: bool,
    states: BTreeMap<i64, State>,
}

impl Check for Kept {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if !std::mem::replace(&mut self.begun, true) {
            for (name, value) in context.facts.under("availability") {
                let Ok(connector) = name.parse::<i64>() else {
                    continue;
                };
                let unavailable = fact(context, &format!("status.{connector}")) == Some("Unavailable");
                if value.as_str() == Some("Inoperative") && unavailable {
                    self.states.insert(connector, State::Unavailable);
                }
            }
        }
        if let Some((connector, wanted, answered)) = change(&seen) {
            match (wanted, answered) {
                ("Operative", "Accepted" | "Scheduled") if connector == 0 => self.states.clear(),
                ("Operative", "Accepted" | "Scheduled") => {
                    // What the whole station was told, one connector may not undo: nothing is certain then.
                    self.states.remove(&connector);
                    self.states.remove(&0);
                }
                (_, "Scheduled") => {
                    self.states.insert(connector, State::Scheduled);
                }
                (_, "Accepted") => {
                    let already = fact(context, &format!("status.{connector}")) == Some("Unavailable");
                    self.states
                        .insert(connector, if already { State::Unavailable } else { State::Asked });
                }
                _ => {}
            }
        }
        match seen {
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && verb == "station.factory_reset"
                {
                    self.states.clear();
                }
            }
            Seen::Call {
                from: Party::Dut,
                action: "StatusNotification",
                payload,
                ..
            } => {
                let (Some(connector), Some(status)) = (int(payload, "connectorId"), text(payload, "status"))
                else {
                    return;
                };
                let before = fact(context, &format!("status.{connector}"));
                let Some(state) = self.states.get_mut(&connector) else {
                    return;
                };
                let broken = match *state {
                    State::Unavailable => !matches!(status, "Unavailable" | "Faulted"),
                    State::Scheduled => status == "Available" && in_use(before),
                    State::Asked => false,
                };
                if status == "Unavailable" {
                    *state = State::Unavailable;
                }
                if broken {
                    self.states.remove(&connector);
                    let message = format!("connector {connector} was made inoperative and is {status}");
                    out.add(message, "Unavailable", status).at("/status");
                }
            }
            _ => {}
        }
        if self.states.len() > 1024 {
            self.states.pop_last();
        }
    }
}
