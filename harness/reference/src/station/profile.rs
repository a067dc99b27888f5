//! Charging profiles: what one says of a moment, and what a station refuses to take (OCPP 1.6 §3.13, §7.8–§7.14).
//!
//! Schedules count in whole seconds of wall time.

use plugfest_protocol::{Json, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// The highest stack level, also the number of profiles of one purpose less one (§9.4.1).
pub const MAX_STACK_LEVEL: i64 = 8;
/// The most periods of one schedule (§9.4.3).
pub const MOST_PERIODS: usize = 24;
/// The most profiles at a time (§9.4.5).
pub const MOST_PROFILES: usize = 20;
/// No limit that means anything is higher, in tenths of its unit.
const HIGHEST: u64 = 100_000_000;

const DAY: i64 = 24 * 3600;

/// What a profile limits (§7.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Station,
    Default,
    Transaction,
}

impl Purpose {
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "ChargePointMaxProfile" => Some(Self::Station),
            "TxDefaultProfile" => Some(Self::Default),
            "TxProfile" => Some(Self::Transaction),
            _ => None,
        }
    }
}

/// In what its limits are counted (§7.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Of all phases together.
    Watts,
    /// Of each phase.
    Amperes,
}

impl Unit {
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "W" => Some(Self::Watts),
            "A" => Some(Self::Amperes),
            _ => None,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Watts => "W",
            Self::Amperes => "A",
        }
    }
}

/// From where its periods count (§7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// From a moment.
    At(i64),
    /// From a moment, and again every so many seconds.
    Every(i64, i64),
    /// From the start of charging; for the station as a whole, from when the profile came.
    Start,
}

/// A limit that holds from some second of its schedule on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    start: i64,
    /// In tenths of the unit.
    pub(super) limit: u64,
    /// 3 where nothing else is said (§7.14).
    pub(super) phases: u64,
}

/// A charging profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) id: i64,
    /// 0 is the whole station.
    pub(super) connector: usize,
    pub(super) purpose: Purpose,
    pub(super) stack: i64,
    pub(super) transaction: Option<i64>,
    pub(super) unit: Unit,
    origin: Origin,
    valid_from: Option<i64>,
    valid_to: Option<i64>,
    duration: Option<i64>,
    periods: Vec<Period>,
    received: i64,
}

/// Whole seconds of wall time.
pub(super) const fn seconds(wall: Timestamp) -> i64 {
    wall.as_micros().div_euclid(1_000_000)
}

impl Profile {
    /// Reads a profile that came now. `None` where it contradicts itself or the standard, or is more than this
    /// station can do.
    pub(super) fn read(json: &Json, connector: usize, units: &[Unit], now: i64) -> Option<Self> {
        let text = |field: &str| json.get(field).and_then(Json::as_str);
        let whole = |field: &str| json.get(field).and_then(Json::as_i64);
        let schedule = json.get("chargingSchedule")?;
        let purpose = Purpose::read(text("chargingProfilePurpose")?)?;
        let profile = Self {
            id: whole("chargingProfileId")?,
            connector,
            purpose,
            stack: whole("stackLevel")?,
            transaction: whole("transactionId"),
            unit: Unit::read(schedule.get("chargingRateUnit")?.as_str()?)?,
            origin: origin(json, schedule)?,
            valid_from: moment(json.get("validFrom"))?,
            valid_to: moment(json.get("validTo"))?,
            duration: schedule.get("duration").and_then(Json::as_i64),
            periods: periods(schedule.get("chargingSchedulePeriod")?.as_array()?)?,
            received: now,
        };
        profile.can_be_followed(units, now).then_some(profile)
    }

    fn can_be_followed(&self, units: &[Unit], now: i64) -> bool {
        let from = self.valid_from.unwrap_or(i64::MIN);
        let ordered = self.periods.windows(2).all(|pair| pair[0].start < pair[1].start);
        (0..=MAX_STACK_LEVEL).contains(&self.stack)
            && units.contains(&self.unit)
            && (self.purpose == Purpose::Transaction || self.transaction.is_none())
            && self.valid_to.is_none_or(|to| to > now && to > from)
            && self.duration.is_none_or(|duration| duration > 0)
            && (1..=MOST_PERIODS).contains(&self.periods.len())
            && self.periods[0].start == 0
            && ordered
    }

    /// Whether the two cannot stand side by side (§3.13.2, §5.16.4).
    pub(super) fn replaces(&self, other: &Self) -> bool {
        let place =
            (self.purpose, self.stack, self.connector) == (other.purpose, other.stack, other.connector);
        place || self.id == other.id
    }

    /// What it says of that second, where charging began at `began`.
    pub(super) fn at(&self, second: i64, began: i64) -> Option<&Period> {
        let valid =
            self.valid_from.is_none_or(|from| from <= second) && self.valid_to.is_none_or(|to| second < to);
        let passed = second.checked_sub(self.begins(began))?;
        let offset = match self.origin {
            Origin::Every(_, every) => passed % every,
            Origin::At(_) | Origin::Start => passed,
        };
        let runs = valid && passed >= 0 && self.duration.is_none_or(|duration| offset < duration);
        self.periods
            .iter()
            .rev()
            .find(|period| runs && period.start <= offset)
    }

    const fn begins(&self, began: i64) -> i64 {
        match (self.origin, self.purpose) {
            (Origin::At(start) | Origin::Every(start, _), _) => start,
            (Origin::Start, Purpose::Station) => self.received,
            (Origin::Start, _) => began,
        }
    }

    /// The next second in which it may say something else.
    pub(super) fn next_change(&self, second: i64, began: i64) -> Option<i64> {
        let begins = self.begins(began);
        let inner = self
            .periods
            .iter()
            .map(|period| period.start)
            .chain(self.duration);
        let inner = inner.filter_map(|offset| match self.origin {
            Origin::Every(_, every) if offset < every => {
                let turns = second
                    .saturating_sub(begins.saturating_add(offset))
                    .div_euclid(every)
                    + 1;
                begins
                    .checked_add(offset)?
                    .checked_add(turns.max(0).checked_mul(every)?)
            }
            Origin::Every(..) => None,
            Origin::At(_) | Origin::Start => begins.checked_add(offset),
        });
        let outer = self.valid_from.into_iter().chain(self.valid_to);
        inner.chain(outer).filter(|change| *change > second).min()
    }
}

fn origin(profile: &Json, schedule: &Json) -> Option<Origin> {
    let start = moment(schedule.get("startSchedule"))?;
    let recurrency = profile.get("recurrencyKind").and_then(Json::as_str);
    match (profile.get("chargingProfileKind")?.as_str()?, start, recurrency) {
        ("Absolute", Some(start), None) => Some(Origin::At(start)),
        // Without a start of its own, a schedule counts from the start of charging (§7.13).
        ("Absolute" | "Relative", None, None) => Some(Origin::Start),
        ("Recurring", Some(start), Some("Daily")) => Some(Origin::Every(start, DAY)),
        ("Recurring", Some(start), Some("Weekly")) => Some(Origin::Every(start, 7 * DAY)),
        // A recurrency belongs to Recurring (errata 3.56), a start to what is not Relative.
        _ => None,
    }
}

/// An optional moment; `None` where it is no moment at all.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
fn moment(json: Option<&Json>) -> Option<Option<i64>> {
    match json {
        None => Some(None),
        Some(json) => Some(Some(seconds(Timestamp::parse(json.as_str()?).ok()?))),
    }
}

fn periods(list: &[Json]) -> Option<Vec<Period>> {
    let period = |json: &Json| {
        let limit = json.get("limit")?.as_decimal()?.checked_mul(Decimal::TEN)?;
        let phases = json.get("numberPhases").map_or(Some(3), Json::as_i64)?;
        Some(Period {
            start: json.get("startPeriod")?.as_i64()?,
            limit: limit.floor().to_u64()?.min(HIGHEST),
            phases: u64::try_from(phases)
                .ok()
                .filter(|phases| (1..=3).contains(phases))?,
        })
    };
    list.iter().map(period).collect()
}
