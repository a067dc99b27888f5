//! The transactions of one station as both sides told of them: what several rules need to know of the past.

use std::collections::VecDeque;
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use super::support::{Restarts, fact, instant, int, text};
use crate::ledger::OpenCall;
use crate::rule::{AnswerSeen, Context, Seen};

/// No more transactions than these are remembered; the oldest are forgotten.
const MOST: usize = 512;
/// An answer that we sent so shortly before the connection was lost may never have arrived.
const MAYBE_LOST: Duration = Duration::from_secs(5);

/// One transaction.
#[derive(Debug, Clone)]
pub(super) struct Tx {
    /// Its id.
    pub(super) id: i64,
    /// Its connector.
    pub(super) connector: i64,
    /// The idTag that started it.
    pub(super) tag: Option<String>,
    /// Its register at the start, in Wh.
    pub(super) meter: Option<i64>,
    /// When it started, by the station's clock.
    pub(super) start: Option<Timestamp>,
    /// When its id was told to the station, by our clock; `None` where that was before the trace.
    pub(super) known: Option<Timestamp>,
    /// The request that started it; `None` where that was before the trace.
    pub(super) request: Option<Json>,
    /// Its StopTransaction, once seen.
    pub(super) stop: Option<Stop>,
    /// True where the station may not have read our answer to its last message.
    pub(super) unsure: bool,
}

/// The end of a transaction.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    /// By the station's clock.
    pub(super) timestamp: Option<Timestamp>,
    /// When its CALLRESULT went to the station.
    pub(super) answered: Option<Timestamp>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Book {
    began: Option<Timestamp>,
    txs: VecDeque<Tx>,
    failed: bool,
    restarts: Restarts,
}

impl Book {
    /// Reads the facts of the premise, once. Call it before judging.
    pub(super) fn begin(&mut self, context: &Context<'_>) {
        if self.began.is_some() {
            return;
        }
        self.began = Some(context.at);
        for (name, id) in context.facts.under("transaction") {
            let (Ok(connector), Some(id)) = (name.parse::<i64>(), id.as_i64()) else {
                continue;
            };
            let part = |part: &str| context.facts.fact(&format!("transaction.{connector}.{part}"));
            self.txs.push_back(Tx {
                id,
                connector,
                tag: part("tag").and_then(Json::as_str).map(str::to_owned),
                meter: part("meter").and_then(Json::as_i64),
                start: part("start")
                    .and_then(Json::as_str)
                    .and_then(|text| Timestamp::parse(text).ok()),
                known: None,
                request: None,
                stop: None,
                unsure: false,
            });
        }
    }

    /// Learns from one thing. Call it after judging.
    pub(super) fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        let station = if context.dut == "station" {
            Party::Dut
        } else {
            Party::Us
        };
        match seen {
            Seen::Call {
                from,
                action: "StopTransaction",
                payload,
                ..
            } if from == station => {
                let timestamp = instant(payload, "timestamp");
                if let Some(tx) = int(payload, "transactionId").and_then(|id| self.find(id)) {
                    tx.stop.get_or_insert(Stop {
                        timestamp,
                        answered: None,
                    });
                }
            }
            Seen::Answer {
                from, call, answer, ..
            } if from != station => self.answered(context, call, &answer),
            Seen::Event(event) => {
                if let What::Closed { .. } = &event.what {
                    let late = context.at.minus(MAYBE_LOST);
                    for tx in &mut self.txs {
                        let told = tx.stop.as_ref().map_or(tx.known, |stop| stop.answered);
                        tx.unsure |= told.is_some_and(|told| told >= late);
                    }
                    let open = context.ledger.open();
                    self.failed |= open
                        .filter(|call| call.from == station)
                        .any(|call| is_transaction(&call.action));
                }
            }
            _ => {}
        }
        self.restarts.see(context, seen);
    }

    fn answered(&mut self, context: &Context<'_>, call: &OpenCall, answer: &AnswerSeen<'_>) {
        let result = match answer {
            AnswerSeen::Result(result) => *result,
            AnswerSeen::Error { .. } => {
                self.failed |= is_transaction(&call.action);
                return;
            }
        };
        match call.action.as_str() {
            "StartTransaction" => {
                let (Some(id), Some(connector)) =
                    (int(result, "transactionId"), int(&call.payload, "connectorId"))
                else {
                    return;
                };
                self.txs
                    .retain(|tx| !(tx.id == id && tx.request.as_ref() == Some(&call.payload)));
                self.txs.push_back(Tx {
                    id,
                    connector,
                    tag: text(&call.payload, "idTag").map(str::to_owned),
                    meter: int(&call.payload, "meterStart"),
                    start: instant(&call.payload, "timestamp"),
                    known: Some(context.at),
                    request: Some(call.payload.clone()),
                    stop: None,
                    unsure: false,
                });
                if self.txs.len() > MOST {
                    self.txs.pop_front();
                }
            }
            "StopTransaction" => {
                let id = int(&call.payload, "transactionId");
                if let Some(stop) = id.and_then(|id| self.find(id)).and_then(|tx| tx.stop.as_mut()) {
                    stop.answered = Some(context.at);
                }
            }
            _ => {}
        }
    }

    fn find(&mut self, id: i64) -> Option<&mut Tx> {
        self.txs.iter_mut().rev().find(|tx| tx.id == id)
    }

    /// The newest transaction of that id.
    pub(super) fn by_id(&self, id: i64) -> Option<&Tx> {
        self.txs.iter().rev().find(|tx| tx.id == id)
    }

    /// The transaction that this request started.
    pub(super) fn by_request(&self, request: &Json) -> Option<&Tx> {
        self.txs
            .iter()
            .rev()
            .find(|tx| tx.request.as_ref() == Some(request))
    }

    /// The transactions that have not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = &Tx> {
        self.txs.iter().filter(|tx| tx.stop.is_none())
    }

    /// The transaction that is open on a connector.
    pub(super) fn open_on(&self, connector: i64) -> Option<&Tx> {
        self.txs
            .iter()
            .rev()
            .find(|tx| tx.connector == connector && tx.stop.is_none())
    }

    /// The transactions that are remembered, oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Tx> {
        self.txs.iter()
    }

    /// True where a transaction message failed or was lost, so that the station may have given something up.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// True where the station has a known reason to have restarted after that moment.
    pub(super) fn restarted_since(&self, moment: Option<Timestamp>) -> bool {
        self.restarts.since(moment.or(self.began).unwrap_or_default())
    }

    /// When the trace began.
    pub(super) fn began(&self) -> Timestamp {
        self.began.unwrap_or_default()
    }

    /// True where every connector either has a transaction that is known, or none: nothing from before the trace can
    /// still be open.
    pub(super) fn is_complete(&self, context: &Context<'_>) -> bool {
        let most = super::support::connectors(context)
            .or_else(|| super::support::number_fact(context, "connectors"));
        most.is_some_and(|most| (1..=most.min(1000)).all(|connector| self.is_clear(context, connector)))
    }

    /// The same for one connector.
    pub(super) fn is_clear(&self, context: &Context<'_>, connector: i64) -> bool {
        let status = fact(context, &format!("status.{connector}"));
        let idle = ["Available", "Preparing", "Finishing", "Reserved"];
        self.open_on(connector).is_some() || status.is_some_and(|status| idle.contains(&status))
    }
}

/// True for the messages that a station keeps until they are delivered.
pub(super) fn is_transaction(action: &str) -> bool {
    matches!(action, "StartTransaction" | "StopTransaction" | "MeterValues")
}
