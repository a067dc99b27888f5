//! A composite schedule that a station gave, beside what its profiles allow.

use plugfest_protocol::{Json, Timestamp};
use rust_decimal::Decimal;

use super::composite::{Bound, Running, Situation};
use super::held::Held;
use super::profile::{Period, Schedule, Unit};

/// Seconds by which the edge of a period may be off: both sides round.
const SLACK: i64 = 2;
/// Seconds by which the moment may be off that a schedule without a fixed start counts from.
const ANCHOR_SLACK: i64 = 10;
/// No more places of one answer are looked at.
const MOST_PLACES: usize = 4_000;

/// The answer to a `GetCompositeSchedule`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The moment that its periods count from.
    pub start: Timestamp,
    /// How many seconds were asked for.
    pub asked: i64,
    /// The schedule.
    pub schedule: Schedule,
}

/// Where an answer is not what the profiles say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Seconds after its start.
    pub second: i64,
    /// True where it allows more than every reading of the profiles.
    pub above: bool,
    /// What the profiles allow.
    pub expected: String,
    /// What it says.
    pub actual: String,
}

impl Answered {
    /// Reads the answer to a request for so many seconds; `None` where it has no schedule that can be read.
    pub fn parse(answer: &Json, asked: i64) -> Option<Self> {
        Some(Self {
            start: Timestamp::parse(answer.get("scheduleStart")?.as_str()?).ok()?,
            asked,
            schedule: Schedule::parse(answer.get("chargingSchedule")?)?,
        })
    }

    /// The limit at a second after the start; `None` where it says nothing, after its end.
    fn limit(&self, second: i64) -> Option<Decimal> {
        if self.schedule.duration.is_some_and(|duration| second >= duration) {
            return None;
        }
        let begun = self.schedule.periods.iter().filter(|p| p.start <= second);
        begun.max_by_key(|p| p.start).map(|p: &Period| p.limit)
    }

    /// The greatest limit in it: no local limit that always holds is lower.
    fn greatest(&self) -> Option<Decimal> {
        self.schedule.periods.iter().map(|p| p.limit).max()
    }

    fn moment(&self, second: i64) -> Timestamp {
        Timestamp::from_micros(
            self.start
                .as_micros()
                .saturating_add(second.saturating_mul(1_000_000)),
        )
    }

    /// The seconds at which it or the profiles change, the last before each, and one halfway.
    fn places(&self, situation: &Situation<'_>) -> Vec<i64> {
        let end = self.asked.max(1);
        let mut edges = vec![0, end];
        edges.extend(self.schedule.duration);
        edges.extend(self.schedule.periods.iter().map(|p| p.start));
        for change in situation.changes(self.start, self.moment(end)) {
            let micros = change.as_micros() - self.start.as_micros();
            edges.extend([
                micros.div_euclid(1_000_000),
                (micros + 999_999).div_euclid(1_000_000),
            ]);
        }
        edges.retain(|edge| (0..=end).contains(edge));
        edges.sort_unstable();
        edges.dedup();
        let ends = |pair: &[i64]| [pair[0], i64::midpoint(pair[0], pair[1]), pair[1] - 1];
        let mut places: Vec<i64> = edges.windows(2).flat_map(ends).collect();
        places.dedup();
        places.truncate(MOST_PLACES);
        places
    }
}

/// The first place at which an answer is not what the profiles say; one that allows too much goes first. A station may
/// have limits of its own (OCPP-1.6 5.7): with `local`, one that always holds is allowed for.
pub fn compare(situation: &Situation<'_>, answered: &Answered, local: bool) -> Option<Flaw> {
    let slack = if situation.running.is_some_and(|tx| tx.anchors.len() > 1) {
        ANCHOR_SLACK
    } else {
        SLACK
    };
    let mut below = None;
    for second in answered.places(situation) {
        let limit = answered.limit(second);
        let near = (-slack..=slack).flat_map(|by| situation.readings(answered.moment(second + by)));
        let mut readings: Vec<Bound> = Vec::new();
        for reading in near {
            if !readings.contains(&reading) {
                readings.push(reading);
            }
        }
        if readings.iter().any(|reading| fits(*reading, limit)) {
            continue;
        }
        let above = limit.is_none_or(|limit| {
            readings
                .iter()
                .all(|r| r.most.is_some_and(|most| above(limit, most)))
        });
        let flaw = Flaw {
            second,
            above,
            expected: told(&readings, situation.unit),
            actual: limit.map_or_else(
                || "nothing".to_owned(),
                |limit| format!("{} {}", limit.normalize(), situation.unit.as_str()),
            ),
        };
        if above {
            return Some(flaw);
        }
        if !(local && limit == answered.greatest()) {
            below.get_or_insert(flaw);
        }
    }
    below
}

fn fits(reading: Bound, limit: Option<Decimal>) -> bool {
    match (reading.most, limit) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(most), Some(limit)) if reading.exact => close_to(limit, most),
        (Some(most), Some(limit)) => !above(limit, most),
    }
}

/// True where a limit is more than another, beyond rounding.
pub(crate) fn above(limit: Decimal, most: Decimal) -> bool {
    limit - most > rounding(most)
}

/// True where two limits are the same but for rounding.
fn close_to(limit: Decimal, other: Decimal) -> bool {
    (limit - other).abs() <= rounding(other)
}

/// A limit has one digit behind the point, and a station may reckon in the other unit: half a digit and 0.25 %.
fn rounding(limit: Decimal) -> Decimal {
    Decimal::new(5, 2) + limit.abs() * Decimal::new(25, 4)
}

fn told(readings: &[Bound], unit: Unit) -> String {
    let mut parts: Vec<String> = Vec::new();
    for reading in readings {
        let part = match reading.most {
            Some(most) if reading.exact => format!("{} {}", most.normalize(), unit.as_str()),
            Some(most) => format!("at most {} {}", most.normalize(), unit.as_str()),
            None => "anything".to_owned(),
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(" or ")
}

/// `composite_flaw(in_force, asked, got)`: null where the answer `got` to the `GetCompositeSchedule` `asked` is what the
/// profiles in force say, else what is wrong with it. `in_force` holds the messages that set the profiles
/// (`SetChargingProfile`, `RemoteStartTransaction`), and where a schedule counts from a transaction, its
/// `StartTransaction` and the `StatusNotification` of its first charging.
pub(crate) fn composite_flaw(args: &[Json]) -> Result<Json, String> {
    let [in_force, asked, got] = args else {
        return Err("three arguments are needed: the profiles in force, the request, the answer".to_owned());
    };
    let connector = asked.get("connectorId").and_then(Json::as_i64);
    let connector = connector
        .filter(|c| *c > 0)
        .ok_or("the second argument is a GetCompositeSchedule for a connector from 1")?;
    let seconds = asked
        .get("duration")
        .and_then(Json::as_i64)
        .ok_or("the second argument has no duration")?;
    let messages = in_force
        .as_array()
        .ok_or("the first argument is a list of messages")?;
    let mut held = Held::none();
    let mut anchors = Vec::new();
    for message in messages {
        let instant = |field: &str| {
            let text = message.get(field).and_then(Json::as_str)?;
            Timestamp::parse(text).ok()
        };
        let at = instant("time").unwrap_or_default();
        match (message.get("csChargingProfiles"), message.get("chargingProfile")) {
            (Some(profile), _) => {
                let connector = message.get("connectorId").and_then(Json::as_i64).unwrap_or(0);
                held.install(connector, profile, at);
            }
            (None, Some(profile)) => held.install(connector, profile, at),
            (None, None) => anchors.extend(instant("timestamp").or(instant("time"))),
        }
    }
    if !held.is_complete() {
        return Err("a profile of the first argument cannot be read".to_owned());
    }
    let Some(answered) = Answered::parse(got, seconds) else {
        return Ok(Json::from("there is no schedule"));
    };
    let id = held.all().find_map(|held| held.profile.transaction).unwrap_or(0);
    let running = Running { id, anchors };
    let situation = Situation {
        held: &held,
        connector,
        running: Some(&running),
        unit: answered.schedule.unit,
        voltage: None,
    };
    Ok(compare(&situation, &answered, false).map_or(Json::Null, |flaw| {
        Json::from(format!(
            "{} s after its start it says {} and not {}",
            flaw.second, flaw.actual, flaw.expected
        ))
    }))
}
