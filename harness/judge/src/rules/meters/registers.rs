//! Registers: they only rise, and a transaction's samples lie between its start and its end.

use std::collections::BTreeMap;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::Party;
use rust_decimal::Decimal;

use super::sample::{MOST, Reading, Sample};
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::book::Book;
use crate::rules::support::{Check, Entry, OCPP16, instant, int};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Negative>(RuleInfo {
        id: "meters/negative",
        title: "a register is not negative",
        clause: "OCPP-1.6 6.45, 6.49, 7.31",
        level: Level::Must,
        editions: OCPP16,
        explain: "meterStart and meterStop are readings of an energy register in Wh, and registers count from zero \
                  upwards. -1 as a word for unknown is not known to the standard, and is billed as energy.",
    }),
    Entry::station::<StopBelowStart>(RuleInfo {
        id: "meters/stop-below-start",
        title: "meterStop is not below meterStart",
        clause: "OCPP-1.6 6.49, 7.31",
        level: Level::Must,
        editions: OCPP16,
        explain: "Both are readings of one register that MUST rise monotonically: the energy of a transaction cannot be \
                  negative. Judged where the start is known from the trace or its premise.",
    }),
    Entry::station::<Monotonic>(RuleInfo {
        id: "meters/monotonic",
        title: "a register does not run backwards",
        clause: "OCPP-1.6 7.31",
        level: Level::Must,
        editions: OCPP16,
        explain: "All register values that relate to one transaction, or to a consumer without one (connector 0), MUST be \
                  monotonically increasing in time. Compared are values of one connector, measurand, location, phase and \
                  transaction in the order of their own timestamps; one step of the coarser of two notations is let \
                  pass, so are equal values and samples that come late out of a queue.",
    }),
    Entry::station::<Rebased>(RuleInfo {
        id: "meters/rebased",
        title: "a register is not set back between transactions",
        clause: "OCPP-1.6 7.31",
        level: Level::Should,
        editions: OCPP16,
        explain: "Register values SHOULD be reported as read from the meter and SHOULD NOT be set back at the start of \
                  transactions, so that energy that is missing between them can be found. Judged where the meterStart \
                  of a transaction is below the meterStop of the one before it on the same connector, and tells of a \
                  later moment.",
    }),
    Entry::station::<Between>(RuleInfo {
        id: "meters/between-transactions",
        title: "no energy flows between two transactions",
        clause: "OCPP-1.6 6.49, 7.31",
        level: Level::Advisory,
        editions: OCPP16,
        explain: "meterStop is the register at the end of a transaction, and what is delivered is delivered in \
                  transactions. A meterStart that lies more than 20 Wh above the meterStop of the transaction before it on \
                  the same connector means that meterStop was read too early, or that something is given away. A warning \
                  without a clause that forbids it: a station may have loads of its own behind that meter.",
    }),
    Entry::station::<Outside>(RuleInfo {
        id: "meters/outside-transaction",
        title: "samples of a transaction lie between meterStart and meterStop",
        clause: "OCPP-1.6 6.45, 6.49, 7.31",
        level: Level::Must,
        editions: OCPP16,
        explain: "The import register of a connector is at meterStart when the transaction begins and at meterStop when it \
                  ends; samples of it in between lie in between. Samples that start from zero for each transaction, kWh \
                  called Wh, and a meterStop taken too early all show here. Only values at the outlet without phase are \
                  compared, with one step of their notation, at least 1 Wh, of tolerance.",
    }),
];

/// What a station of its own may use between two transactions, in Wh.
const OWN_USE: i64 = 20;

/// Readings below zero.
#[derive(Debug, Default)]
struct Negative;

impl Check for Negative {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Seen::Call {
            from: Party::Dut,
            action: "StartTransaction" | "StopTransaction",
            payload,
            ..
        } = seen
        else {
            return;
        };
        for field in ["meterStart", "meterStop"] {
            if let Some(value) = int(payload, field).filter(|value| *value < 0) {
                let message = format!("{field} is negative");
                out.add(message, "a register reading in Wh", value.to_string())
                    .at(format!("/{field}"));
            }
        }
    }
}

/// Transactions that give energy back.
#[derive(Debug, Default)]
struct StopBelowStart {
    book: Book,
}

impl Check for StopBelowStart {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(payload) = seen.dut_call_of("StopTransaction")
            && let Some(start) = int(payload, "transactionId")
                .and_then(|id| self.book.by_id(id))
                .and_then(|tx| tx.meter)
            && let Some(stop) = int(payload, "meterStop").filter(|stop| (0..start).contains(stop))
        {
            let message = "meterStop is below the meterStart of the transaction";
            out.add(message, format!("at least {start}"), stop.to_string())
                .at("/meterStop");
        }
        self.book.see(context, seen);
    }
}

/// What makes two values readings of one register.
type Register = (i64, String, String, Option<String>, Option<i64>);

/// A reading: when, how much, and with which least step.
type Mark = (Timestamp, Decimal, Decimal);

/// Registers that run backwards.
#[derive(Debug, Default)]
struct Monotonic {
    last: BTreeMap<Register, Mark>,
}

impl Check for Monotonic {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(reading) = Reading::of(&seen) else { return };
        let connector = reading.connector.unwrap_or(-1);
        // A connector without transaction may have had another one in between.
        if reading.transaction.is_none() && connector != 0 {
            return;
        }
        // The samples of a StopTransaction repeat what may have been sent: they are compared among themselves.
        let mut within = BTreeMap::new();
        let last = if reading.connector.is_some() {
            &mut self.last
        } else {
            &mut within
        };
        for sample in reading.samples.iter().filter(|sample| sample.is_register()) {
            let (Some(taken), Some((value, step))) = (sample.taken, sample.base()) else {
                continue;
            };
            let register = key(connector, reading.transaction, sample);
            let before = last.get(&register).copied();
            if before.is_some_and(|(at, ..)| at > taken) {
                continue;
            }
            last.insert(register, (taken, value, step));
            if let Some((_, before, coarse)) =
                before.filter(|(_, before, coarse)| value + step.max(*coarse) < *before)
            {
                let message = format!("the register {} ran backwards", sample.measurand);
                let expected = format!("at least {before} Wh (to {coarse} Wh)");
                out.add(message, expected, format!("{value} Wh"))
                    .at(format!("{}/value", sample.pointer));
            }
        }
        while last.len() > 2048 {
            last.pop_first();
        }
    }
}

fn key(connector: i64, transaction: Option<i64>, sample: &Sample<'_>) -> Register {
    let phase = sample.phase.map(str::to_owned);
    (
        connector,
        sample.measurand.to_owned(),
        sample.location.to_owned(),
        phase,
        transaction,
    )
}

/// Registers set back between transactions.
#[derive(Debug, Default)]
struct Rebased {
    ends: Ends,
}

impl Check for Rebased {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some((stop, start)) = self
            .ends
            .see(context, seen)
            .filter(|(stop, start)| (0..*stop).contains(start))
        {
            let message = "the register was set back since the last transaction";
            out.add(message, format!("at least {stop}"), start.to_string())
                .at("/meterStart");
        }
    }
}

/// Energy that belongs to nobody.
#[derive(Debug, Default)]
struct Between {
    ends: Ends,
}

impl Check for Between {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let gap = |(stop, start): &(i64, i64)| *stop >= 0 && start.saturating_sub(*stop) > OWN_USE;
        if let Some((stop, start)) = self.ends.see(context, seen).filter(gap) {
            let message = "energy flowed after the end of the last transaction";
            out.add(message, format!("about {stop}"), start.to_string())
                .at("/meterStart");
        }
    }
}

/// The meterStop of the last transaction on each connector.
#[derive(Debug, Default)]
struct Ends {
    book: Book,
    last: BTreeMap<i64, (i64, Timestamp)>,
}

impl Ends {
    /// Learns from one thing. With a StartTransaction that tells of a later moment come the meterStop before it and its
    /// own meterStart.
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) -> Option<(i64, i64)> {
        self.book.begin(context);
        let mut pair = None;
        match seen {
            Seen::Call {
                from: Party::Dut,
                action: "StopTransaction",
                payload,
                ..
            } => {
                let connector = int(payload, "transactionId")
                    .and_then(|id| self.book.by_id(id))
                    .map(|tx| tx.connector);
                let at = instant(payload, "timestamp");
                if let (Some(connector), Some(stop), Some(at)) = (connector, int(payload, "meterStop"), at) {
                    self.last.insert(connector, (stop, at));
                }
            }
            Seen::Call {
                from: Party::Dut,
                action: "StartTransaction",
                payload,
                ..
            } => {
                let at = instant(payload, "timestamp");
                let last = int(payload, "connectorId")
                    .and_then(|connector| self.last.remove(&connector))
                    .filter(|(_, stopped)| at.is_some_and(|at| at >= *stopped));
                pair = last.map(|(stop, _)| stop).zip(int(payload, "meterStart"));
            }
            _ => {}
        }
        if self.last.len() > 1024 {
            self.last.pop_last();
        }
        self.book.see(context, seen);
        pair
    }
}

/// Samples below the start or above the end.
#[derive(Debug, Default)]
struct Outside {
    book: Book,
    highest: BTreeMap<i64, (Decimal, Decimal)>,
}

impl Check for Outside {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some(reading) = Reading::of(&seen)
            && let Some(id) = reading.transaction.filter(|_| reading.connector != Some(0))
        {
            self.samples(id, &reading, out);
        }
        if let Some(payload) = seen.dut_call_of("StopTransaction") {
            let highest = int(payload, "transactionId").and_then(|id| self.highest.remove(&id));
            let stop = payload
                .get("meterStop")
                .and_then(Json::as_decimal)
                .filter(|stop| *stop >= Decimal::ZERO && *stop < MOST);
            if let (Some((highest, step)), Some(stop)) = (highest, stop)
                && highest > stop + step.max(Decimal::ONE)
            {
                let message = "meterStop is below a sample of the transaction";
                out.add(message, format!("at least {highest} Wh"), format!("{stop} Wh"))
                    .at("/meterStop");
            }
        }
        while self.highest.len() > 1024 {
            self.highest.pop_first();
        }
        self.book.see(context, seen);
    }
}

impl Outside {
    fn samples(&mut self, id: i64, reading: &Reading<'_>, out: &mut Findings) {
        let start = self
            .book
            .by_id(id)
            .and_then(|tx| tx.meter)
            .filter(|start| *start >= 0)
            .map(Decimal::from);
        let mut told = false;
        for sample in reading.samples.iter().filter(|sample| sample.is_main_register()) {
            let Some((value, step)) = sample.base() else {
                continue;
            };
            let highest = self.highest.entry(id).or_insert((value, step));
            if value > highest.0 {
                *highest = (value, step);
            }
            if let Some(start) = start.filter(|start| !told && value + step.max(Decimal::ONE) < *start) {
                told = true;
                let message = "a sample is below the meterStart of its transaction";
                let finding = out.add(message, format!("at least {start} Wh"), format!("{value} Wh"));
                finding.at(format!("{}/value", sample.pointer));
            }
        }
    }
}
