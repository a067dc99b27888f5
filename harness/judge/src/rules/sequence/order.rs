//! One CALL at a time, and what a CSMS may send before a station is accepted.

use std::collections::BTreeSet;
use std::time::Duration;

use plugfest_protocol::Timestamp;
use plugfest_trace::Party;

use super::boot::triggers;
use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, Ordered, fact, shown};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::both::<OneCall>(RuleInfo {
        id: "sequence/one-call-in-flight",
        title: "a side has one CALL in flight at a time",
        clause: "OCPP-1.6J 4.1.1",
        level: Level::Should,
        editions: OCPP16,
        explain: "A side should not send a CALL before its last one on this connection was answered or timed out. In \
                  1.6 it is a SHOULD NOT. How long the DUT's time-out is nobody knows, so that only CALLs that follow \
                  within two seconds of an unanswered one are judged, and the same CALL with the same id within five: \
                  on a mobile network an answer may take as long. CALLs of the two sides may cross at any time.",
    }),
    Entry::csms::<SecurityError>(RuleInfo {
        id: "sequence/served-before-acceptance",
        title: "a CSMS answers nothing but BootNotification before acceptance",
        clause: "OCPP-1.6J-errata 3.10",
        level: Level::Should,
        editions: OCPP16,
        explain: "A CSMS is RECOMMENDED to answer CALLs of a station that it has not accepted with SecurityError. \
                  Judged only after it has answered a BootNotification with Pending or Rejected in this trace or in \
                  the premise; messages that it triggered itself are let pass.",
    }),
    Entry::csms::<CallsRejected>(RuleInfo {
        id: "sequence/calls-while-rejected",
        title: "a CSMS sends nothing to a station that it rejected",
        clause: "OCPP-1.6 4.2",
        level: Level::Should,
        editions: OCPP16,
        explain: "A CSMS SHOULD NOT initiate messages while the station is Rejected, as it will get no response. Let \
                  pass: what the driver asked the CSMS to send.",
    }),
    Entry::csms::<CallsPending>(RuleInfo {
        id: "sequence/remote-control-while-pending",
        title: "a CSMS starts and stops no transactions of a pending station",
        clause: "OCPP-1.6 4.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "While a station is Pending, RemoteStartTransaction and RemoteStopTransaction are not allowed. Let \
                  pass: what the driver asked the CSMS to send.",
    }),
    Entry::csms::<CallsBeforeAnswer>(RuleInfo {
        id: "sequence/calls-before-boot-answer",
        title: "a CSMS answers BootNotification before it asks something",
        clause: "OCPP-1.6 4.2",
        level: Level::Advisory,
        editions: OCPP16,
        explain: "No clause forbids it, but a station that waits for the answer to its BootNotification need not serve \
                  requests yet, and some restart when they get one. Let pass: what the driver asked the CSMS to send.",
    }),
    Entry::csms::<TriggersBoot>(RuleInfo {
        id: "sequence/triggers-boot",
        title: "a CSMS triggers no BootNotification of a station that it accepted",
        clause: "OCPP-1.6-errata 3.40",
        level: Level::Contested,
        editions: OCPP16,
        explain: "The text (OCPP-1.6 5.17) lets any message be triggered. The errata add that after Accepted a CSMS \
                  SHALL NOT trigger another BootNotification until the station sends one by itself: what Pending or \
                  Rejected would mean then is not defined. Let pass: what the driver asked the CSMS to send.",
    }),
];

/// CALLs while another is open.
#[derive(Debug, Default)]
struct OneCall;

impl Check for OneCall {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        const YOUNG: Duration = Duration::from_secs(2);
        const HASTY: Duration = Duration::from_secs(5);
        let Seen::Call {
            conn,
            from: Party::Dut,
            id,
            action,
            ..
        } = seen
        else {
            return;
        };
        let hasty = |at: Timestamp| (YOUNG..HASTY).contains(&context.at.since(at));
        let mut again = context.ledger.open_from(conn, Party::Dut);
        if let Some(other) = again.find(|other| hasty(other.at) && other.id == id) {
            let age = shown(context.at.since(other.at));
            let message = format!("{action} was sent again before its answer could be expected");
            out.add(message, "an answer or a time-out", format!("again after {age}"))
                .clause("OCPP-1.6J 4.1.1, 4.1.4");
            return;
        }
        // The same id again sooner than that is a matter of ids/reused.
        let young = |at: Timestamp| context.at.since(at) < YOUNG;
        let mut open = context.ledger.open_from(conn, Party::Dut);
        if let Some(other) = open.find(|other| young(other.at) && other.id != id) {
            let age = shown(context.at.since(other.at));
            let message = format!(
                "{action} was sent while {} was waiting for its answer",
                other.action
            );
            out.add(
                message,
                "one CALL in flight",
                format!("{} open for {age}", other.action),
            );
        }
    }
}

/// CALLs that a CSMS serves before acceptance.
#[derive(Debug, Default)]
struct SecurityError {
    triggered: BTreeSet<String>,
}

impl Check for SecurityError {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Call {
                from: Party::Dut,
                action,
                payload,
                ..
            } => self.triggered.extend(triggers(action, payload)),
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } => {
                if call.action == "BootNotification" {
                    self.triggered.clear();
                    return;
                }
                let refused = matches!(fact(context, "boot"), Some("Pending" | "Rejected"));
                if refused
                    && matches!(answer, AnswerSeen::Result(_))
                    && !self.triggered.contains(&call.action)
                {
                    let message = format!("{} of a station that is not accepted was served", call.action);
                    out.add(message, "CALLERROR SecurityError", "CALLRESULT");
                }
            }
            _ => {}
        }
    }
}

/// CALLs of a CSMS to a station that it rejected.
#[derive(Debug, Default)]
struct CallsRejected {
    ordered: Ordered,
}

impl Check for CallsRejected {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.ordered.see(seen);
        let Some((action, _)) = seen.dut_call() else {
            return;
        };
        if !self.ordered.take(action) && fact(context, "boot") == Some("Rejected") {
            out.add(
                format!("{action} was sent to a rejected station"),
                "no message",
                action,
            );
        }
    }
}

/// Remote control of a pending station.
#[derive(Debug, Default)]
struct CallsPending {
    ordered: Ordered,
}

impl Check for CallsPending {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.ordered.see(seen);
        let Some((action, _)) = seen.dut_call() else {
            return;
        };
        let remote = matches!(action, "RemoteStartTransaction" | "RemoteStopTransaction");
        if !self.ordered.take(action) && remote && fact(context, "boot") == Some("Pending") {
            out.add(
                format!("{action} was sent to a pending station"),
                "not before Accepted",
                action,
            );
        }
    }
}

/// CALLs of a CSMS before it answers a BootNotification.
#[derive(Debug, Default)]
struct CallsBeforeAnswer {
    ordered: Ordered,
}

impl Check for CallsBeforeAnswer {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.ordered.see(seen);
        let Seen::Call {
            conn,
            from: Party::Dut,
            action,
            ..
        } = seen
        else {
            return;
        };
        let waits = context
            .ledger
            .open_from(conn, Party::Us)
            .any(|call| call.action == "BootNotification");
        if !self.ordered.take(action) && waits {
            let message = format!("{action} was sent before BootNotification was answered");
            out.add(message, "the answer first", action);
        }
    }
}

/// BootNotification triggered at an accepted station.
#[derive(Debug, Default)]
struct TriggersBoot {
    ordered: Ordered,
}

impl Check for TriggersBoot {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.ordered.see(seen);
        let Some((action, payload)) = seen.dut_call() else {
            return;
        };
        let boot = triggers(action, payload)
            .iter()
            .any(|name| name == "BootNotification");
        if !self.ordered.take(action) && boot && fact(context, "boot") == Some("Accepted") {
            let message = "a BootNotification of an accepted station was triggered; the text allows it, the errata do not";
            out.add(message, "no such trigger", action);
        }
    }
}
