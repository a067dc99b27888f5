//! The composite schedule (OCPP-1.6 3.13.2, 3.13.3, 5.16): at every moment the least of what the prevailing profiles of
//! the purposes allow.
//!
//! The text leaves some moments open. A [`Situation`] gives every reading that it allows, the plainest first:
//! - a profile of the transaction whose schedule is over while it is still valid may leave the default profile
//!   overruled, or give way to it;
//! - a profile whose schedule begins later may hold its place meanwhile, or leave it to lower levels;
//! - a default for one connector may end the default for all of them there altogether, or on its own level only;
//! - a schedule without a fixed start counts from the start of the transaction or of charging.

use plugfest_protocol::Timestamp;
use rust_decimal::Decimal;

use super::held::{Held, Installed};
use super::profile::{Period, Purpose, Says, Unit};

/// No composite schedule is followed further than so many changes.
const MOST_CHANGES: usize = 2_000;

/// What may flow at a moment by one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The limit; `None` where no profile sets one, or none that can be told in the unit asked for.
    pub most: Option<Decimal>,
    /// False where a further limit applies that cannot be told in the unit asked for.
    pub exact: bool,
}

impl Bound {
    /// No profile says anything.
    pub const FREE: Self = Self {
        most: None,
        exact: true,
    };
    const UNKNOWN: Self = Self {
        most: None,
        exact: false,
    };

    fn and(self, other: Self) -> Self {
        let most = match (self.most, other.most) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        // Nothing is less than nothing, whatever else applies.
        let exact = (self.exact && other.exact) || most == Some(Decimal::ZERO);
        Self { most, exact }
    }
}

/// A transaction that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub id: i64,
    /// The moments that a schedule without a fixed start may count from.
    pub anchors: Vec<Timestamp>,
}

/// One connector of a station with its profiles.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The profiles.
    pub held: &'a Held,
    /// The connector, from 1.
    pub connector: i64,
    /// The transaction on it.
    pub running: Option<&'a Running>,
    /// The unit in which limits are wanted.
    pub unit: Unit,
    /// Volts between a phase and the neutral; without them a limit in the other unit cannot be told.
    pub voltage: Option<Decimal>,
}

impl Situation<'_> {
    /// What may flow at a moment, by every reading of the text, the plainest first. Never empty.
    pub fn readings(&self, at: Timestamp) -> Vec<Bound> {
        let mut all = Vec::new();
        for anchor in self.anchors() {
            for &doubtful in self.doubts() {
                let max = self.prevailing(at, anchor, &self.group(Purpose::Max, doubtful));
                for limit in self.of_transaction(at, anchor, doubtful) {
                    for max in &max.bounds {
                        let bound = limit.and(*max);
                        if !all.contains(&bound) {
                            all.push(bound);
                        }
                    }
                }
            }
        }
        all
    }

    /// The most that may flow at a moment by any reading; `None` where one of them sets no limit.
    pub fn most(&self, at: Timestamp) -> Option<Decimal> {
        let mut readings = self.readings(at).into_iter().map(|bound| bound.most);
        let first = readings.next().flatten()?;
        readings.try_fold(first, |most, next| Some(most.max(next?)))
    }

    /// The most that the limit for the whole station leaves at a moment; `None` where there may be none.
    pub fn cap(&self, at: Timestamp) -> Option<Decimal> {
        let mut most: Option<Decimal> = None;
        for &doubtful in self.doubts() {
            for anchor in self.anchors() {
                for bound in self
                    .prevailing(at, anchor, &self.group(Purpose::Max, doubtful))
                    .bounds
                {
                    let limit = bound.most?;
                    most = Some(most.map_or(limit, |most| most.max(limit)));
                }
            }
        }
        most
    }

    /// The moments after `from` and before `to` at which something may change.
    pub fn changes(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let anchors = self.anchors();
        let mut all = Vec::new();
        let mut at = from;
        while all.len() < MOST_CHANGES {
            let every = self.held.all().flat_map(|held| {
                anchors
                    .iter()
                    .filter_map(move |anchor| held.profile.next_change(*anchor, at))
            });
            match every.min().filter(|next| *next < to) {
                Some(next) => {
                    all.push(next);
                    at = next;
                }
                None => break,
            }
        }
        all
    }

    /// The composite schedule by the plainest reading: pairs of seconds after `from` and what may flow from then on. The
    /// first begins at 0, they rise, and no two neighbours say the same.
    pub fn schedule(&self, from: Timestamp, seconds: i64) -> Vec<(i64, Bound)> {
        let to = Timestamp::from_micros(from.as_micros().saturating_add(seconds.saturating_mul(1_000_000)));
        let mut all: Vec<(i64, Bound)> = Vec::new();
        for at in std::iter::once(from).chain(self.changes(from, to)) {
            let bound = self.readings(at)[0];
            // A period begins at a whole second; a change within a second counts from the next.
            let offset = (at.as_micros() - from.as_micros() + 999_999) / 1_000_000;
            if offset >= seconds.max(1) {
                break;
            }
            if all.last().is_some_and(|(last, _)| *last == offset) {
                all.pop();
            }
            if all.last().is_none_or(|(_, last)| *last != bound) {
                all.push((offset, bound));
            }
        }
        all
    }

    fn anchors(&self) -> Vec<Option<Timestamp>> {
        match self.running {
            Some(running) if !running.anchors.is_empty() => {
                running.anchors.iter().copied().map(Some).collect()
            }
            _ => vec![None],
        }
    }

    fn doubts(&self) -> &'static [bool] {
        if self.held.all().any(|held| held.doubtful) {
            &[true, false]
        } else {
            &[true]
        }
    }

    fn group(&self, purpose: Purpose, doubtful: bool) -> Vec<&Installed> {
        let mut group: Vec<&Installed> = self
            .held
            .all()
            .filter(|held| held.profile.purpose == purpose && (doubtful || !held.doubtful))
            .filter(|held| match purpose {
                Purpose::Max => true,
                Purpose::Default => held.connector == 0 || held.connector == self.connector,
                Purpose::Tx => {
                    held.connector == self.connector
                        && self
                            .running
                            .is_some_and(|tx| held.profile.transaction.is_none_or(|id| id == tx.id))
                }
            })
            .collect();
        group.sort_by_key(|held| std::cmp::Reverse(held.profile.level));
        group
    }

    /// The limits of the transaction, by its own profiles or the default ones.
    fn of_transaction(&self, at: Timestamp, anchor: Option<Timestamp>, doubtful: bool) -> Vec<Bound> {
        let own = self.prevailing(at, anchor, &self.group(Purpose::Tx, doubtful));
        if !own.silent {
            return own.bounds;
        }
        let mut bounds = own.bounds;
        let default = self.default(at, anchor, doubtful);
        if own.valid {
            bounds.extend(default);
        } else {
            bounds = default
                .into_iter()
                .chain(bounds.into_iter().filter(|_| own.some))
                .collect();
        }
        bounds
    }

    fn default(&self, at: Timestamp, anchor: Option<Timestamp>, doubtful: bool) -> Vec<Bound> {
        let group = self.group(Purpose::Default, doubtful);
        let own: Vec<&Installed> = group.iter().copied().filter(|held| held.connector != 0).collect();
        let shadowed = |held: &&Installed| {
            held.connector == 0 && own.iter().any(|own| own.profile.level == held.profile.level)
        };
        let stacked: Vec<&Installed> = group.iter().copied().filter(|held| !shadowed(held)).collect();
        let mut bounds = self.prevailing(at, anchor, &stacked).bounds;
        if !own.is_empty() && own.len() != stacked.len() {
            bounds.extend(self.prevailing(at, anchor, &own).bounds);
        }
        bounds
    }

    /// What the profiles of one purpose say, the highest level first.
    fn prevailing(&self, at: Timestamp, anchor: Option<Timestamp>, group: &[&Installed]) -> Prevailing {
        let mut found = Prevailing {
            bounds: Vec::new(),
            silent: false,
            valid: false,
            some: !group.is_empty(),
        };
        let mut held_back = false;
        for held in group {
            match held.profile.says(anchor, at) {
                Says::NotValid => continue,
                Says::Over => {}
                Says::NotYet => held_back = true,
                Says::Limit(period) => found.bounds.push(self.told(held, period)),
                Says::Unknown => found.bounds.push(Bound::UNKNOWN),
            }
            found.valid = true;
            if !found.bounds.is_empty() {
                break;
            }
        }
        found.silent = found.bounds.is_empty();
        if found.silent || held_back {
            found.bounds.push(Bound::FREE);
        }
        found
    }

    /// A limit in the unit that is wanted (OCPP-1.6 7.12: three phases unless the period says otherwise).
    fn told(&self, held: &Installed, period: Period) -> Bound {
        let unit = held.profile.schedule.unit;
        if unit == self.unit || period.limit.is_zero() {
            return Bound {
                most: Some(period.limit),
                exact: true,
            };
        }
        let phases = Decimal::from(period.phases.unwrap_or(3).clamp(1, 3));
        let factor = self.voltage.map(|volts| volts * phases);
        let most = factor.and_then(|factor| match self.unit {
            Unit::W => period.limit.checked_mul(factor),
            Unit::A => period.limit.checked_div(factor),
        });
        most.map_or(Bound::UNKNOWN, |most| Bound {
            most: Some(most.round_dp(1)),
            exact: true,
        })
    }
}

/// What the profiles of one purpose say.
struct Prevailing {
    bounds: Vec<Bound>,
    /// None of them says anything.
    silent: bool,
    /// One of them is valid at that moment.
    valid: bool,
    /// There is one at all.
    some: bool,
}
