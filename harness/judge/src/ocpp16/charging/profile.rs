//! One charging profile, and what it says at a moment (OCPP-1.6 3.13, 7.8 to 7.14, 7.37).

use plugfest_protocol::{Json, Timestamp};
use rust_decimal::Decimal;

/// A profile with more periods is not reckoned with.
const MOST_PERIODS: usize = 1_000;
/// Limits from here on are not reckoned with, so that sums and products of the others cannot overflow.
const MOST_LIMIT: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);

const MICROS: i64 = 1_000_000;

/// What a profile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `ChargePointMaxProfile`: all connectors together.
    Max,
    /// `TxDefaultProfile`: every transaction that has no profile of its own.
    Default,
    /// `TxProfile`: one transaction.
    Tx,
}

/// How the time of a schedule is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// From `startSchedule` on.
    Absolute,
    /// From `startSchedule` on, again after so many seconds.
    Recurring(i64),
    /// From a moment that the station knows, such as the start of the transaction.
    Relative,
}

/// The unit of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Amperes, for each phase.
    A,
    /// Watts, for all phases together.
    W,
}

/// One period of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Seconds after the start of the schedule.
    pub start: i64,
    /// The limit from then on, in the unit of the schedule.
    pub limit: Decimal,
    /// On how many phases.
    pub phases: Option<i64>,
}

/// Limits over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Length in seconds; without one the last period goes on.
    pub duration: Option<i64>,
    /// The fixed start.
    pub start: Option<Timestamp>,
    /// The unit of all limits.
    pub unit: Unit,
    /// Its periods, in the order in which they were sent.
    pub periods: Vec<Period>,
}

/// A charging profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// `chargingProfileId`.
    pub id: i64,
    /// The transaction that it is for.
    pub transaction: Option<i64>,
    /// Of several profiles of one purpose the highest prevails.
    pub level: i64,
    /// What it is for.
    pub purpose: Purpose,
    /// How its time is meant.
    pub kind: Kind,
    /// Valid from then on.
    pub from: Option<Timestamp>,
    /// Valid until then.
    pub to: Option<Timestamp>,
    /// Its limits.
    pub schedule: Schedule,
}

/// What a profile says at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Nothing: it is not valid then.
    NotValid,
    /// Nothing: its schedule has not begun.
    NotYet,
    /// Nothing: its schedule, or this round of it, has ended.
    Over,
    /// This limit.
    Limit(Period),
    /// That cannot be known from outside: the moment that it counts from is the station's own affair.
    Unknown,
}

impl Purpose {
    /// The purpose of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "ChargePointMaxProfile" => Self::Max,
            "TxDefaultProfile" => Self::Default,
            "TxProfile" => Self::Tx,
            _ => return None,
        })
    }
}

impl Unit {
    /// The unit of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "A" => Self::A,
            "W" => Self::W,
            _ => return None,
        })
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::W => "W",
        }
    }
}

impl Profile {
    /// Reads a `ChargingProfile`; `None` where it lacks something required, or is larger than is reckoned with.
    pub fn parse(json: &Json) -> Option<Self> {
        let text = |field: &str| json.get(field).and_then(Json::as_str);
        let kind = match text("chargingProfileKind")? {
            "Absolute" => Kind::Absolute,
            "Relative" => Kind::Relative,
            "Recurring" => Kind::Recurring(match text("recurrencyKind")? {
                "Daily" => 86_400,
                "Weekly" => 7 * 86_400,
                _ => return None,
            }),
            _ => return None,
        };
        Some(Self {
            id: json.get("chargingProfileId")?.as_i64()?,
            transaction: json.get("transactionId").and_then(Json::as_i64),
            level: json.get("stackLevel")?.as_i64()?,
            purpose: Purpose::parse(text("chargingProfilePurpose")?)?,
            kind,
            from: text("validFrom").and_then(|t| Timestamp::parse(t).ok()),
            to: text("validTo").and_then(|t| Timestamp::parse(t).ok()),
            schedule: Schedule::parse(json.get("chargingSchedule")?)?,
        })
    }

    /// What it says at a moment. `anchor` is the moment that a schedule without a fixed start counts from.
    pub fn says(&self, anchor: Option<Timestamp>, at: Timestamp) -> Says {
        if self.from.is_some_and(|from| at < from) || self.to.is_some_and(|to| at >= to) {
            return Says::NotValid;
        }
        let Some(start) = self.start(anchor) else {
            return Says::Unknown;
        };
        if at < start {
            return Says::NotYet;
        }
        let mut elapsed = at.as_micros().saturating_sub(start.as_micros());
        if let Kind::Recurring(period) = self.kind {
            elapsed %= period * MICROS;
        }
        if self
            .schedule
            .duration
            .is_some_and(|duration| elapsed >= micros(duration))
        {
            return Says::Over;
        }
        let begun = self
            .schedule
            .periods
            .iter()
            .filter(|p| micros(p.start) <= elapsed);
        // The last sent of several that begin at once; such a schedule is not legal anyway.
        begun
            .max_by_key(|p| p.start)
            .map_or(Says::NotYet, |p| Says::Limit(*p))
    }

    /// The first moment after `after` at which it may say something else.
    pub fn next_change(&self, anchor: Option<Timestamp>, after: Timestamp) -> Option<Timestamp> {
        let after = after.as_micros();
        let mut next: Option<i64> = None;
        let mut consider = |at: i64| {
            if at > after && next.is_none_or(|n| at < n) {
                next = Some(at);
            }
        };
        for edge in [self.from, self.to].into_iter().flatten() {
            consider(edge.as_micros());
        }
        if let Some(start) = self.start(anchor).map(Timestamp::as_micros) {
            let (base, round) = match self.kind {
                Kind::Recurring(period) if after > start => {
                    let round = period * MICROS;
                    (start + (after - start) / round * round, Some(round))
                }
                Kind::Recurring(period) => (start, Some(period * MICROS)),
                Kind::Absolute | Kind::Relative => (start, None),
            };
            consider(base);
            let ends = self.schedule.duration.map(micros);
            for edge in self.schedule.periods.iter().map(|p| micros(p.start)).chain(ends) {
                if round.is_none_or(|round| edge < round) {
                    consider(base.saturating_add(edge));
                }
            }
            if let Some(round) = round {
                consider(base.saturating_add(round));
            }
        }
        next.map(Timestamp::from_micros)
    }

    /// When its schedule begins (OCPP-1.6 7.13: without a fixed start it counts from the start of charging).
    fn start(&self, anchor: Option<Timestamp>) -> Option<Timestamp> {
        match self.kind {
            Kind::Relative => anchor,
            Kind::Absolute | Kind::Recurring(_) => self.schedule.start.or(anchor),
        }
    }
}

impl Schedule {
    /// Reads a `ChargingSchedule`.
    pub fn parse(json: &Json) -> Option<Self> {
        let periods = json.get("chargingSchedulePeriod")?.as_array()?;
        if periods.is_empty() || periods.len() > MOST_PERIODS {
            return None;
        }
        let start = json.get("startSchedule").and_then(Json::as_str);
        Some(Self {
            duration: json.get("duration").and_then(Json::as_i64),
            start: start.and_then(|t| Timestamp::parse(t).ok()),
            unit: Unit::parse(json.get("chargingRateUnit")?.as_str()?)?,
            periods: periods.iter().map(Period::parse).collect::<Option<_>>()?,
        })
    }
}

impl Period {
    fn parse(json: &Json) -> Option<Self> {
        let limit = json.get("limit")?.as_decimal()?;
        Some(Self {
            start: json.get("startPeriod")?.as_i64()?,
            limit: Some(limit).filter(|limit| limit.abs() < MOST_LIMIT)?,
            phases: json.get("numberPhases").and_then(Json::as_i64),
        })
    }
}

fn micros(seconds: i64) -> i64 {
    seconds.saturating_mul(MICROS)
}
