//! Which limits hold at a moment, and the composite schedule that they make (OCPP 1.6 §3.13.1–§3.13.3, §5.7).

use super::meter::{AMPERES, VOLTS};
use super::profile::{Profile, Purpose, Unit};

/// The most periods that a composite schedule has; one that would need more ends earlier.
const MOST_PERIODS: usize = 500;

/// What may be drawn: so much of each phase, so much of all together, of so many phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    deciamperes: u64,
    deciwatts: u64,
    pub(super) phases: u64,
}

impl Level {
    /// What the station's own wires allow.
    pub(super) const fn of_the_station(phases: u64) -> Self {
        Self {
            deciamperes: AMPERES * 10,
            deciwatts: u64::MAX,
            phases,
        }
    }

    /// Under this limit as well. It is meant for the phases that are there, as it is given (errata 3.34).
    fn under(self, limit: Option<Limit>) -> Self {
        let Some(Limit { unit, tenths, phases }) = limit else {
            return self;
        };
        let phases = self.phases.min(phases);
        match unit {
            Unit::Amperes => Self {
                deciamperes: self.deciamperes.min(tenths),
                phases,
                ..self
            },
            Unit::Watts => Self {
                deciwatts: self.deciwatts.min(tenths),
                phases,
                ..self
            },
        }
    }

    /// In tenths of the unit, rounded down.
    pub(super) fn tenths(self, unit: Unit) -> u64 {
        let volts = VOLTS * self.phases;
        match unit {
            Unit::Watts => self.deciwatts.min(self.deciamperes * volts),
            Unit::Amperes => self.deciamperes.min(self.deciwatts / volts),
        }
    }

    /// In whole watts, rounded down.
    pub(super) fn watts(self) -> u64 {
        self.tenths(Unit::Watts) / 10
    }
}

/// A limit of a profile.
#[derive(Debug, Clone, Copy)]
struct Limit {
    unit: Unit,
    tenths: u64,
    phases: u64,
}

/// A transaction, as far as profiles care; or the thought of one that would begin now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Charging {
    pub(super) connector: usize,
    /// The second in which it began (wall time).
    pub(super) began: i64,
    pub(super) running: bool,
}

/// All profiles of a station, and how many phases it has.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) profiles: &'a [Profile],
    pub(super) phases: u64,
}

impl Plan<'_> {
    /// The one that prevails among some: the highest of those that say anything (§3.13.2).
    fn prevailing(&self, second: i64, began: i64, of: impl Fn(&Profile) -> bool) -> Option<Limit> {
        let speaking = self.profiles.iter().filter(|profile| of(profile));
        let limits = speaking.filter_map(|profile| {
            let period = profile.at(second, began)?;
            let limit = Limit {
                unit: profile.unit,
                tenths: period.limit,
                phases: period.phases,
            };
            Some((profile.stack, limit))
        });
        limits.max_by_key(|(stack, _)| *stack).map(|(_, limit)| limit)
    }

    /// What the whole station may draw.
    pub(super) fn station(&self, second: i64) -> Option<Level> {
        let limit = self.prevailing(second, second, |it| it.purpose == Purpose::Station)?;
        let wires = Level {
            deciamperes: u64::MAX / (VOLTS * 3),
            ..Level::of_the_station(self.phases)
        };
        Some(wires.under(Some(limit)))
    }

    /// What one connector may draw, were it alone: its transaction's profile, else the default one (§3.13.1).
    pub(super) fn connector(&self, second: i64, charging: Charging) -> Level {
        let Charging {
            connector,
            began,
            running,
        } = charging;
        let own = |it: &Profile| running && it.purpose == Purpose::Transaction && it.connector == connector;
        let limit = self
            .prevailing(second, began, own)
            .or_else(|| self.prevailing(second, began, |it| self.is_default(it, connector)));
        Level::of_the_station(self.phases).under(limit)
    }

    /// A default of the station holds wherever the connector has none of its own on that level (§3.13.1).
    fn is_default(&self, profile: &Profile, connector: usize) -> bool {
        let default = |it: &Profile| it.purpose == Purpose::Default;
        let replaced = || {
            let own = |it: &&Profile| default(it) && it.connector == connector;
            self.profiles
                .iter()
                .filter(own)
                .any(|it| it.stack == profile.stack)
        };
        default(profile) && (profile.connector == connector || (profile.connector == 0 && !replaced()))
    }

    /// What the connectors may draw together, in tenths of the unit, and on how many phases.
    fn together(&self, second: i64, connectors: &[Charging], unit: Unit) -> (u64, u64) {
        let levels = || connectors.iter().map(|it| self.connector(second, *it));
        let sum = levels().map(|level| level.tenths(unit)).sum::<u64>();
        let phases = levels().map(|level| level.phases).max().unwrap_or(1);
        match self.station(second) {
            Some(level) => (sum.min(level.tenths(unit)), phases.min(level.phases)),
            None => (sum, phases),
        }
    }

    /// The next second in which something may change for them.
    pub(super) fn next_change(&self, second: i64, connectors: &[Charging]) -> Option<i64> {
        let of = |profile: &Profile| {
            connectors
                .iter()
                .filter_map(|it| profile.next_change(second, it.began))
                .min()
        };
        self.profiles.iter().filter_map(of).min()
    }

    /// The composite schedule of some connectors, from `start` for `duration` seconds: where each period starts,
    /// its limit in tenths and its phases, and how long all of it is.
    pub(super) fn composite(
        &self,
        connectors: &[Charging],
        start: i64,
        duration: i64,
        unit: Unit,
    ) -> (Vec<(i64, u64, u64)>, i64) {
        let end = start.saturating_add(duration);
        let mut periods: Vec<(i64, u64, u64)> = Vec::new();
        let mut second = start;
        while second < end {
            let (limit, phases) = self.together(second, connectors, unit);
            if periods
                .last()
                .is_none_or(|last| (last.1, last.2) != (limit, phases))
            {
                if periods.len() == MOST_PERIODS {
                    return (periods, second - start);
                }
                periods.push((second - start, limit, phases));
            }
            match self.next_change(second, connectors) {
                Some(next) => second = next,
                None => break,
            }
        }
        (periods, duration)
    }

    /// The unit of an answer that was not asked for in a certain one: watts where all profiles count in them.
    pub(super) fn usual_unit(&self) -> Unit {
        let watts = |it: &Profile| it.unit == Unit::Watts;
        if !self.profiles.is_empty() && self.profiles.iter().all(watts) {
            Unit::Watts
        } else {
            Unit::Amperes
        }
    }
}
