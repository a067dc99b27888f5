//! What a CSMS does with transactions.

use std::time::Duration;

use plugfest_trace::Party;

use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::answers::{Tainted, is_fine};
use crate::rules::book::Book;
use crate::rules::support::{Check, Entry, OCPP16, Ordered, int, short, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::csms::<IdUnique>(RuleInfo {
        id: "transaction/id-unique",
        title: "a CSMS gives every transaction an id of its own",
        clause: "OCPP-1.6 4.8, 6.46, OCPP-1.6-errata 3.54",
        level: Level::Must,
        editions: OCPP16,
        explain: "The id in the StartTransaction response is how both sides name the transaction from then on. Two \
                  transactions of one station that are open at a time must not share one; the id of a transaction \
                  that has ended is a warning (the errata recommend unique ids). Let pass: the same id for the same \
                  StartTransaction sent again, and whatever goes with a tag that is not accepted.",
    }),
    Entry::csms::<IdPositive>(RuleInfo {
        id: "transaction/id-positive",
        title: "a CSMS gives positive transaction ids",
        clause: "OCPP-1.6-errata 3.54",
        level: Level::Should,
        editions: OCPP16,
        explain: "Positive ids are RECOMMENDED. Zero and negative ones have no meaning of their own, but -1 is what \
                  a station says where it never learnt the id. Judged for accepted tags only.",
    }),
    Entry::csms::<StopRefused>(RuleInfo {
        id: "transaction/stop-refused",
        title: "a CSMS never refuses a StopTransaction",
        clause: "OCPP-1.6 4.10",
        level: Level::Must,
        editions: OCPP16,
        explain: "A CSMS cannot prevent a transaction from stopping: it SHALL respond, also for a transaction that it \
                  does not know (OCPP-1.6-errata 3.18 for -1), and whatever its own checks say. An error makes the \
                  station send the message again and again, and blocks what is queued behind it. Let pass: requests \
                  that we sent invalid, and SecurityError before the station is accepted.",
    }),
    Entry::csms::<UsesEnded>(RuleInfo {
        id: "transaction/uses-ended",
        title: "a CSMS does not stop what has stopped",
        clause: "OCPP-1.6 5.12",
        level: Level::Should,
        editions: OCPP16,
        explain: "A RemoteStopTransaction for a transaction whose StopTransaction the CSMS acknowledged more than two \
                  seconds ago tells that it did not take the message in. Let pass: what the driver asked the CSMS to \
                  send.",
    }),
];

/// Ids given twice.
#[derive(Debug, Default)]
struct IdUnique {
    book: Book,
}

impl Check for IdUnique {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some((id, call)) = given(&seen) {
            let mut others = self.book.all().rev().filter(|tx| tx.id == id);
            if let Some(other) = others.find(|tx| tx.request.as_ref() != Some(&call.payload)) {
                let state = if other.stop.is_some() { "ended" } else { "open" };
                let message = format!("two transactions have the id {id}; the other one is {state}");
                let finding = out.add(message, "an id not used before", id.to_string());
                finding.at("/transactionId");
                if other.stop.is_some() {
                    finding.level(Level::Should);
                }
            }
        }
        self.book.see(context, seen);
    }
}

/// The id that an accepted StartTransaction got.
fn given<'a>(seen: &Seen<'a>) -> Option<(i64, &'a crate::ledger::AnsweredCall)> {
    let (call, result) = seen.dut_result()?;
    let accepted = result.get("idTagInfo").and_then(|info| text(info, "status")) == Some("Accepted");
    let id = int(result, "transactionId").filter(|_| accepted && call.action == "StartTransaction")?;
    Some((id, call))
}

/// Ids that are not positive.
#[derive(Debug, Default)]
struct IdPositive;

impl Check for IdPositive {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some((id, _)) = given(&seen).filter(|(id, _)| *id <= 0) {
            out.add(
                "a transaction got an id that is not positive",
                "1 or more",
                id.to_string(),
            )
            .at("/transactionId");
        }
    }
}

/// StopTransactions refused.
#[derive(Debug, Default)]
struct StopRefused {
    tainted: Tainted,
}

impl Check for StopRefused {
    const WANTS: u8 = Wants::FRAME | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.tainted.see(seen);
        let Seen::Answer {
            conn,
            from: Party::Dut,
            call,
            answer: AnswerSeen::Error { code, description },
        } = seen
        else {
            return;
        };
        let early =
            code == "SecurityError" && crate::rules::support::fact(context, "boot") != Some("Accepted");
        if call.action != "StopTransaction"
            || early
            || self.tainted.has(conn, &call.id)
            || !is_fine(context, call)
        {
            return;
        }
        let actual = format!("CALLERROR {} {}", short(code), short(description));
        out.add("a StopTransaction was refused", "a CALLRESULT", actual);
    }
}

/// Remote stops of what has stopped.
#[derive(Debug, Default)]
struct UsesEnded {
    book: Book,
    ordered: Ordered,
}

impl Check for UsesEnded {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        self.ordered.see(seen);
        if let Seen::Call {
            from: Party::Dut,
            action: action @ "RemoteStopTransaction",
            payload,
            ..
        } = seen
            && !self.ordered.take(action)
            && let Some(tx) = int(payload, "transactionId").and_then(|id| self.book.by_id(id))
            && let Some(answered) = tx.stop.as_ref().and_then(|stop| stop.answered)
            && context.at.since(answered) > Duration::from_secs(2)
        {
            let message = format!(
                "transaction {} was stopped and acknowledged, and is to stop again",
                tx.id
            );
            out.add(message, "no RemoteStopTransaction", "RemoteStopTransaction")
                .at("/transactionId");
        }
        self.book.see(context, seen);
    }
}
