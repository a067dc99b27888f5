//! Transactions begin once, end once, and keep the id that the CSMS gave them.

use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::Party;

use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen};
use crate::rules::book::{Book, Tx};
use crate::rules::support::{Check, Entry, OCPP16, instant, int, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<StartWhileOpen>(RuleInfo {
        id: "transaction/start-while-open",
        title: "a connector has one transaction at a time",
        clause: "OCPP-1.6 3.7, 4.10",
        level: Level::Must,
        editions: OCPP16,
        explain: "When a transaction has stopped the station SHALL send a StopTransaction, and transaction messages come \
                  in the order of events: a new StartTransaction on a connector tells that the last transaction there \
                  has ended without one. Let pass: the same message again, transactions that the station may have \
                  lost in a restart, and everything after a transaction message of the station failed.",
    }),
    Entry::station::<StartRepeated>(RuleInfo {
        id: "transaction/start-repeated",
        title: "an answered StartTransaction is not sent again",
        clause: "OCPP-1.6 3.7.1, 4.8",
        level: Level::Must,
        editions: OCPP16,
        explain: "A transaction message is repeated until it is answered, and then no more: a CSMS that does not see \
                  through the repetition bills twice. Let pass: repetition where the connection was lost within five \
                  seconds of the answer, which may then not have arrived.",
    }),
    Entry::station::<StopUnknown>(RuleInfo {
        id: "transaction/stop-unknown",
        title: "StopTransaction carries the id that the CSMS gave",
        clause: "OCPP-1.6 4.10, 6.49",
        level: Level::Must,
        editions: OCPP16,
        explain: "The transactionId of a StopTransaction is the one received in the StartTransaction response. -1 is for \
                  transactions whose StartTransaction could not be delivered (OCPP-1.6-errata 3.18). Judged only where \
                  no unknown transaction can be open: every connector has a known one or reported a status without, \
                  and the message tells of a moment within the trace.",
    }),
    Entry::station::<StopRepeated>(RuleInfo {
        id: "transaction/stop-repeated",
        title: "a transaction is stopped once",
        clause: "OCPP-1.6 3.7.1, 4.10",
        level: Level::Must,
        editions: OCPP16,
        explain: "Once its StopTransaction is answered a transaction is over. Let pass: repetition where the connection \
                  was lost within five seconds of the answer, which may then not have arrived.",
    }),
    Entry::station::<MeterValuesId>(RuleInfo {
        id: "transaction/meter-values-id",
        title: "MeterValues carry the id of the transaction on their connector",
        clause: "OCPP-1.6 4.7, OCPP-1.6-errata 3.16",
        level: Level::Must,
        editions: OCPP16,
        explain: "The transactionId is that of the transaction going on at the connector when the sample was taken. \
                  Samples from before that transaction began may belong to an earlier one and are let pass, so are \
                  connector 0, and -1 after a StartTransaction that could not be delivered.",
    }),
    Entry::station::<MeterValuesWithoutId>(RuleInfo {
        id: "transaction/meter-values-without-id",
        title: "MeterValues taken in a transaction say so",
        clause: "OCPP-1.6 4.7",
        level: Level::Should,
        editions: OCPP16,
        explain: "The id may be left out where no transaction is in progress or the main meter is read. Samples of a \
                  connector taken after its transaction had got its id belong to it; without the id a CSMS has to \
                  guess. A warning, because the text only says where it may be left out.",
    }),
    Entry::station::<MeterValuesAfterEnd>(RuleInfo {
        id: "transaction/meter-values-after-end",
        title: "no samples of a transaction are taken after its end",
        clause: "OCPP-1.6 4.7, OCPP-1.6-errata 3.16",
        level: Level::Must,
        editions: OCPP16,
        explain: "A sample taken more than a second after the timestamp of the StopTransaction belongs to no transaction, \
                  or to the next. Both times are the station's own, so that clocks do not matter.",
    }),
    Entry::station::<Order>(RuleInfo {
        id: "transaction/order",
        title: "transaction messages come in the order of events",
        clause: "OCPP-1.6 3.7",
        level: Level::Should,
        editions: OCPP16,
        explain: "A station SHOULD deliver transaction-related messages in chronological order. Judged are \
                  StartTransaction and StopTransaction by their own timestamps, five seconds of tolerance, and samples \
                  of a transaction that come after its StopTransaction. A BootNotification in between sets the clock \
                  and excuses.",
    }),
];

fn call<'a>(seen: &Seen<'a>, wanted: &str) -> Option<&'a Json> {
    match *seen {
        Seen::Call {
            from: Party::Dut,
            action,
            payload,
            ..
        } if action == wanted => Some(payload),
        _ => None,
    }
}

/// A second transaction on a connector.
#[derive(Debug, Default)]
struct StartWhileOpen {
    book: Book,
}

impl Check for StartWhileOpen {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = call(&seen, "StartTransaction")
            && let Some(open) = int(payload, "connectorId").and_then(|connector| self.book.open_on(connector))
            && !is_start_of(open, payload)
            && !self.book.has_failed()
            && !self.book.restarted_since(open.known)
            && instant(payload, "timestamp")
                .zip(open.start)
                .is_none_or(|(new, old)| new >= old)
        {
            let message = format!(
                "a transaction starts on connector {} before the last one stopped",
                open.connector
            );
            out.add(
                message,
                format!("StopTransaction of {} first", open.id),
                "StartTransaction",
            );
        }
        self.book.see(context, seen);
    }
}

/// True where the request tells of this very transaction.
fn is_start_of(tx: &Tx, payload: &Json) -> bool {
    if let Some(request) = &tx.request {
        return request == payload;
    }
    let same_time = tx.start.is_some() && tx.start == instant(payload, "timestamp");
    same_time || tx.start.is_none()
}

/// True for a transaction that ended within the second in which it began: the next may begin in the same one, with the
/// same meter reading, and so with the same words.
fn is_momentary(tx: &Tx) -> bool {
    let stop = tx.stop.as_ref().and_then(|stop| stop.timestamp);
    tx.start
        .zip(stop)
        .is_some_and(|(start, stop)| stop.since(start) <= Duration::from_secs(1))
}

/// A StartTransaction that was answered before.
#[derive(Debug, Default)]
struct StartRepeated {
    book: Book,
}

impl Check for StartRepeated {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = call(&seen, "StartTransaction")
            && let Some(tx) = self.book.by_request(payload)
            && !tx.unsure
            && !is_momentary(tx)
        {
            let message = "a StartTransaction that was answered came again";
            out.add(
                message,
                format!("once: it is transaction {}", tx.id),
                "the same StartTransaction",
            );
        }
        self.book.see(context, seen);
    }
}

/// StopTransactions of nothing.
#[derive(Debug, Default)]
struct StopUnknown {
    book: Book,
}

impl Check for StopUnknown {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = call(&seen, "StopTransaction")
            && let Some(id) = int(payload, "transactionId")
            && self.book.by_id(id).is_none()
            && !(id == -1 && self.book.has_failed())
            && instant(payload, "timestamp").is_some_and(|at| at >= self.book.began())
            && self.book.is_complete(context)
        {
            let open: Vec<String> = self.book.open().map(|tx| tx.id.to_string()).collect();
            let expected = match open.as_slice() {
                [] => "no StopTransaction: no transaction is open".to_owned(),
                ids => format!("an open transaction: {}", ids.join(", ")),
            };
            let message = "StopTransaction carries an id that the CSMS never gave";
            out.add(message, expected, id.to_string()).at("/transactionId");
        }
        self.book.see(context, seen);
    }
}

/// Transactions that stop again.
#[derive(Debug, Default)]
struct StopRepeated {
    book: Book,
}

impl Check for StopRepeated {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = call(&seen, "StopTransaction")
            && let Some(tx) = int(payload, "transactionId").and_then(|id| self.book.by_id(id))
            && !tx.unsure
            && tx.stop.as_ref().is_some_and(|stop| stop.answered.is_some())
        {
            let message = format!("transaction {} was stopped before", tx.id);
            out.add(message, "one StopTransaction", "another")
                .at("/transactionId");
        }
        self.book.see(context, seen);
    }
}

/// When the samples of a MeterValues request were taken: the earliest and the latest moment.
fn span(payload: &Json) -> Option<(Timestamp, Timestamp)> {
    let values = payload.get("meterValue").and_then(Json::as_array)?;
    let mut times = values.iter().filter_map(|value| instant(value, "timestamp"));
    let first = times.next()?;
    Some(times.fold((first, first), |(least, most), at| (least.min(at), most.max(at))))
}

/// MeterValues of another transaction.
#[derive(Debug, Default)]
struct MeterValuesId {
    book: Book,
}

impl Check for MeterValuesId {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = call(&seen, "MeterValues")
            && let (Some(connector), Some(id)) = (int(payload, "connectorId"), int(payload, "transactionId"))
            && let Some((taken, _)) = span(payload)
            && connector > 0
            && !(id == -1 && self.book.has_failed())
        {
            let starting = context
                .ledger
                .open()
                .any(|call| call.action == "StartTransaction");
            let open = self.book.open_on(connector);
            let other = match open {
                Some(open) => open.id != id && open.start.is_some_and(|start| taken >= start),
                None => taken >= self.book.began() && self.book.is_clear(context, connector),
            };
            // Samples of one that has ended are a matter of transaction/meter-values-after-end.
            let known = self.book.by_id(id);
            let ended = known.is_some_and(|tx| tx.connector == connector && tx.stop.is_some());
            if other && !ended && !starting {
                let expected = match open {
                    Some(open) => format!("{}, the transaction on connector {connector}", open.id),
                    None => format!("none: there is no transaction on connector {connector}"),
                };
                let message = "MeterValues carry the id of another transaction, or of none";
                out.add(message, expected, id.to_string()).at("/transactionId");
            }
        }
        self.book.see(context, seen);
    }
}

/// MeterValues that do not say what they belong to.
#[derive(Debug, Default)]
struct MeterValuesWithoutId {
    book: Book,
}

impl Check for MeterValuesWithoutId {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = call(&seen, "MeterValues")
            && let Some(connector) = int(payload, "connectorId").filter(|connector| *connector > 0)
            && payload.get("transactionId").is_none()
            && let Some(open) = self.book.open_on(connector)
            && let (Some((taken, _)), Some(known)) = (span(payload), open.known)
            && open
                .start
                .is_some_and(|start| taken > start + Duration::from_secs(1))
            && taken > known + Duration::from_secs(1)
            && !self.book.restarted_since(open.known)
        {
            let message = format!("MeterValues of connector {connector} do not name its transaction");
            out.add(message, open.id.to_string(), "no transactionId")
                .at("/transactionId");
        }
        self.book.see(context, seen);
    }
}

/// Samples after the end.
#[derive(Debug, Default)]
struct MeterValuesAfterEnd {
    book: Book,
}

impl Check for MeterValuesAfterEnd {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = call(&seen, "MeterValues")
            && let Some(tx) = int(payload, "transactionId").and_then(|id| self.book.by_id(id))
            && let Some(stopped) = tx.stop.as_ref().and_then(|stop| stop.timestamp)
            && let Some((_, taken)) = span(payload)
            && taken > stopped + Duration::from_secs(1)
        {
            let message = format!("a sample of transaction {} was taken after its end", tx.id);
            out.add(message, format!("at most {stopped}"), taken.to_rfc3339())
                .at("/transactionId");
        }
        self.book.see(context, seen);
    }
}

/// Messages out of order.
#[derive(Debug, Default)]
struct Order {
    book: Book,
    last: Option<Timestamp>,
}

impl Check for Order {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.last = None,
            Seen::Call {
                from: Party::Dut,
                action: action @ ("StartTransaction" | "StopTransaction"),
                payload,
                ..
            } => {
                let Some(at) = instant(payload, "timestamp") else {
                    return;
                };
                if let Some(last) = self.last.filter(|last| last.since(at) > Duration::from_secs(5)) {
                    let message = format!("{action} tells of an earlier moment than the message before it");
                    out.add(
                        message,
                        format!("not before {last}"),
                        text(payload, "timestamp").unwrap_or_default(),
                    );
                }
                self.last = self.last.max(Some(at));
            }
            Seen::Call {
                from: Party::Dut,
                action: "MeterValues",
                payload,
                ..
            } => {
                if let Some(tx) = int(payload, "transactionId").and_then(|id| self.book.by_id(id))
                    && let Some(stopped) = tx.stop.as_ref().and_then(|stop| stop.timestamp)
                    && let Some((_, taken)) = span(payload)
                    && taken <= stopped + Duration::from_secs(1)
                {
                    let message = format!("samples of transaction {} came after its StopTransaction", tx.id);
                    out.add(message, "before StopTransaction", "after it");
                }
            }
            _ => {}
        }
        self.book.see(context, seen);
    }
}
