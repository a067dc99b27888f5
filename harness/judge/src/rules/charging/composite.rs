//! The answers to `GetCompositeSchedule`.

use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use rust_decimal::Decimal;

use super::running;
use crate::finding::Level;
use crate::ledger::AnsweredCall;
use crate::ocpp16::charging::{Answered, Flaw, Held, Situation, Unit, above, compare};
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, clock_tolerance, connectors, instant, int, shown, text};

/// The clock of the answer may be read a little before or after the request is handled.
const SOON: Duration = Duration::from_secs(2);

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Shape>(RuleInfo {
        id: "charging/composite-shape",
        title: "the periods of a composite schedule begin at 0 and rise",
        clause: "OCPP-1.6 7.13",
        level: Level::Must,
        editions: OCPP16,
        explain: "The first period of a schedule SHALL begin at 0 (OCPP-1.6 5.16.4), and the begin of each ends the one \
                  before it (OCPP-1.6 7.14), so that they rise. A schedule without any period has no first one: it says \
                  nothing of the time that was asked for, which the station SHALL calculate (OCPP-1.6 5.7). Everywhere \
                  else an empty list is a matter of the schema, on which documents disagree.",
    }),
    Entry::station::<Echo>(RuleInfo {
        id: "charging/composite-echo",
        title: "a composite schedule is for what was asked for",
        clause: "OCPP-1.6 6.21, 6.22",
        level: Level::Must,
        editions: OCPP16,
        explain: "The connector of the answer is that of the request; a chargingRateUnit in the request asks for a \
                  schedule in that unit.",
    }),
    Entry::station::<Moment>(RuleInfo {
        id: "charging/composite-moment",
        title: "a composite schedule begins when it is asked for and is no longer than asked for",
        clause: "OCPP-1.6 5.7",
        level: Level::Must,
        editions: OCPP16,
        explain: "The schedule SHALL be calculated from the moment at which the request is received up to the duration that \
                  it names. The station's clock may be off by `tolerance.clock` (300 s by default).",
    }),
    Entry::station::<StartField>(RuleInfo {
        id: "charging/composite-start-field",
        title: "a composite schedule has no startSchedule",
        clause: "OCPP-1.6-errata 3.57",
        level: Level::Contested,
        editions: OCPP16,
        explain: "The errata say that startSchedule must be left out of the schedule of a GetCompositeSchedule answer, \
                  which is relative to scheduleStart; the text (OCPP-1.6 7.13) allows it in every schedule.",
    }),
    Entry::station::<Missing>(RuleInfo {
        id: "charging/composite-missing",
        title: "an accepted request brings a composite schedule",
        clause: "OCPP-1.6-errata 3.51",
        level: Level::Should,
        editions: OCPP16,
        explain: "scheduleStart and chargingSchedule may be absent where the status is Rejected, say the errata: they are due \
                  with Accepted. A warning, since both are optional in the text.",
    }),
    Entry::station::<UnknownConnector>(RuleInfo {
        id: "charging/composite-unknown-connector",
        title: "there is no composite schedule for a connector that does not exist",
        clause: "OCPP-1.6 5.7",
        level: Level::Must,
        editions: OCPP16,
        explain: "A station that cannot report the schedule, for instance because the connector is unknown, SHALL answer \
                  Rejected. Judged where NumberOfConnectors is known from the trace.",
    }),
    Entry::station::<Agrees<true>>(RuleInfo {
        id: "charging/composite-above",
        title: "the composite schedule is at no time above the profiles",
        clause: "OCPP-1.6 3.13.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "What is available SHALL at any time be at most the lowest of what the merged schedules allow: the limit for \
                  the station, and the transaction's own profile or the default one, each the highest on its stack. \
                  Every reading of the text is allowed for, limits in the other unit are not reckoned with, edges may be off \
                  by two seconds. For connector 0: the limit for the station, and the sum over the connectors where \
                  each has a limit. Judged once all profiles were cleared in the trace, so that there are no unknown ones.",
    }),
    Entry::station::<Agrees<false>>(RuleInfo {
        id: "charging/composite-below",
        title: "the composite schedule is not below the profiles without reason",
        clause: "OCPP-1.6 5.7",
        level: Level::Should,
        editions: OCPP16,
        explain: "The schedule is the result of all active profiles and possible local limits. One local limit that holds \
                  throughout explains lower values, if it is also the highest value of the answer; anything else is most \
                  likely a profile that was replaced, cleared or overruled and still counts. A warning, since local limits \
                  may change.",
    }),
];

/// An accepted request.
struct Told<'a> {
    call: &'a AnsweredCall,
    result: &'a Json,
    connector: i64,
    asked: i64,
}

impl<'a> Told<'a> {
    fn of(seen: &Seen<'a>) -> Option<Self> {
        let (call, result) = seen.dut_result()?;
        if call.action != "GetCompositeSchedule" || text(result, "status") != Some("Accepted") {
            return None;
        }
        Some(Self {
            call,
            result,
            connector: int(&call.payload, "connectorId")?,
            asked: int(&call.payload, "duration")?,
        })
    }

    fn schedule(&self) -> Option<&'a Json> {
        self.result.get("chargingSchedule")
    }
}

/// Periods out of order.
#[derive(Debug, Default)]
struct Shape;

impl Check for Shape {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(schedule) = Told::of(&seen).and_then(|told| told.schedule()) else {
            return;
        };
        let periods = schedule.get("chargingSchedulePeriod").and_then(Json::as_array);
        if periods.is_some_and(<[Json]>::is_empty) {
            out.add(
                "an accepted composite schedule has no period",
                "a first period that begins at 0",
                "an empty list",
            )
            .at("/chargingSchedule/chargingSchedulePeriod")
            .clause("OCPP-1.6 5.7, 7.13");
        }
        let mut before: Option<i64> = None;
        for (n, period) in periods.unwrap_or_default().iter().enumerate() {
            let Some(start) = int(period, "startPeriod") else {
                return;
            };
            let wrong = match before {
                None => (start != 0).then(|| "0".to_owned()),
                Some(before) => (start <= before).then(|| format!("more than {before}")),
            };
            if let Some(expected) = wrong {
                out.add(
                    "a period of the composite schedule is out of place",
                    expected,
                    start.to_string(),
                )
                .at(format!(
                    "/chargingSchedule/chargingSchedulePeriod/{n}/startPeriod"
                ));
                return;
            }
            before = Some(start);
        }
    }
}

/// Schedules for something else.
#[derive(Debug, Default)]
struct Echo;

impl Check for Echo {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(told) = Told::of(&seen) else { return };
        if let Some(connector) = int(told.result, "connectorId").filter(|c| *c != told.connector) {
            let expected = told.connector.to_string();
            out.add(
                "the composite schedule is for another connector",
                expected,
                connector.to_string(),
            )
            .at("/connectorId");
        }
        let asked = text(&told.call.payload, "chargingRateUnit");
        let unit = told
            .schedule()
            .and_then(|schedule| text(schedule, "chargingRateUnit"));
        if let (Some(asked), Some(unit)) = (asked, unit)
            && asked != unit
            && Unit::parse(asked).is_some()
        {
            out.add("the composite schedule is in another unit", asked, unit)
                .at("/chargingSchedule/chargingRateUnit");
        }
    }
}

/// Schedules of another time.
#[derive(Debug, Default)]
struct Moment;

impl Check for Moment {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(told) = Told::of(&seen) else { return };
        if let Some(start) = instant(told.result, "scheduleStart") {
            let tolerance = clock_tolerance(context) + SOON;
            let early = start < told.call.at && told.call.at.since(start) > tolerance;
            let late = start > context.at && start.since(context.at) > tolerance;
            if early || late {
                let off = start.distance(if early { told.call.at } else { context.at });
                let message = format!("the composite schedule begins {} off the request", shown(off));
                out.add(message, told.call.at.to_rfc3339(), start.to_rfc3339())
                    .at("/scheduleStart");
            }
        }
        let duration = told.schedule().and_then(|schedule| int(schedule, "duration"));
        if let Some(duration) = duration.filter(|duration| *duration > told.asked && told.asked > 0) {
            let (expected, actual) = (format!("at most {} s", told.asked), format!("{duration} s"));
            out.add(
                "the composite schedule is longer than asked for",
                expected,
                actual,
            )
            .at("/chargingSchedule/duration");
        }
    }
}

/// A start of its own.
#[derive(Debug, Default)]
struct StartField;

impl Check for StartField {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let schedule = Told::of(&seen).and_then(|told| told.schedule());
        if let Some(start) = schedule.and_then(|schedule| text(schedule, "startSchedule")) {
            let message =
                "the composite schedule has a startSchedule; the errata forbid it, the text allows it";
            out.add(message, "none", crate::rules::support::short(start))
                .at("/chargingSchedule/startSchedule");
        }
    }
}

/// No schedule at all.
#[derive(Debug, Default)]
struct Missing;

impl Check for Missing {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(told) = Told::of(&seen) else { return };
        for field in ["scheduleStart", "chargingSchedule"] {
            if told.result.get(field).is_none() {
                out.add(
                    "the composite schedule was promised and is not there",
                    field,
                    "nothing",
                )
                .at(format!("/{field}"));
                return;
            }
        }
    }
}

/// Schedules for what does not exist.
#[derive(Debug, Default)]
struct UnknownConnector;

impl Check for UnknownConnector {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let (Some(told), Some(most)) = (Told::of(&seen), connectors(context)) else {
            return;
        };
        if told.connector > most || told.connector < 0 {
            let message = format!("connector {} does not exist, there are {most}", told.connector);
            out.add(message, "Rejected", "Accepted").at("/status");
        }
    }
}

/// Schedules that say more, or less, than the profiles.
#[derive(Debug, Default)]
struct Agrees<const ABOVE: bool>;

impl<const ABOVE: bool> Check for Agrees<ABOVE> {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(told) = Told::of(&seen) else { return };
        let held = Held::from_facts(context.facts);
        let Some(answered) = Answered::parse(told.result, told.asked).filter(|_| held.is_complete()) else {
            return;
        };
        let flaw = if told.connector == 0 {
            whole_station(context, &held, &answered)
        } else {
            let running = running(context, told.connector);
            let situation = Situation {
                held: &held,
                connector: told.connector,
                running: running.as_ref(),
                unit: answered.schedule.unit,
                voltage: None,
            };
            compare(&situation, &answered, true)
        };
        if let Some(flaw) = flaw.filter(|flaw| flaw.above == ABOVE) {
            let message = format!(
                "{} s after its start the composite schedule of connector {} is not what the profiles say",
                flaw.second, told.connector
            );
            out.add(message, flaw.expected, flaw.actual)
                .at("/chargingSchedule/chargingSchedulePeriod");
        }
    }
}

/// Where the schedule of the whole station is above its limit, or above what its connectors may draw together.
fn whole_station(context: &Context<'_>, held: &Held, answered: &Answered) -> Option<Flaw> {
    let unit = answered.schedule.unit;
    let most = connectors(context).map_or(0, |most| most.min(64));
    for period in &answered.schedule.periods {
        // The middle of the first second is beyond what rounding may shift.
        let at = Timestamp::from_micros(
            answered
                .start
                .as_micros()
                .saturating_add(period.start.saturating_add(3).saturating_mul(1_000_000)),
        );
        let next = answered
            .schedule
            .periods
            .iter()
            .map(|p| p.start)
            .filter(|s| *s > period.start)
            .min();
        if next.is_some_and(|next| next - period.start < 6) || answered.asked - period.start < 6 {
            continue;
        }
        let of = |connector: i64| {
            let running = running(context, connector);
            let situation = Situation {
                held,
                connector,
                running: running.as_ref(),
                unit,
                voltage: None,
            };
            situation.most(at)
        };
        // A connector without profiles of its own is under the limit for the station alone.
        let cap = {
            let situation = Situation {
                held,
                connector: i64::MAX,
                running: None,
                unit,
                voltage: None,
            };
            situation.cap(at)
        };
        let sum = (1..=most)
            .map(of)
            .try_fold(Decimal::ZERO, |sum, limit| sum.checked_add(limit?));
        let bound = match (cap, sum.filter(|_| most > 0)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(bound) = bound.filter(|bound| above(period.limit, *bound)) {
            return Some(Flaw {
                second: period.start,
                above: true,
                expected: format!("at most {} {}", bound.normalize(), unit.as_str()),
                actual: format!("{} {}", period.limit.normalize(), unit.as_str()),
            });
        }
    }
    None
}
