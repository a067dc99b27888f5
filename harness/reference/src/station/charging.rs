//! Smart Charging: the profiles that a CSMS sets and clears, and what flows because of them (OCPP 1.6 §3.13, §5.5,
//! §5.7, §5.16).

use plugfest_protocol::{Json, Number, Timestamp, object};

use super::config::SmartCharging;
use super::device::Device;
use super::profile::{MOST_PROFILES, Profile, Purpose, Unit, seconds};
use super::schedule::{Charging, Level, Plan};
use super::session::Reason;
use crate::defect::Defect;

impl Device {
    fn plan(&self) -> Plan<'_> {
        Plan {
            profiles: &self.store.profiles,
            phases: u64::from(self.config.makeup.phases),
        }
    }

    /// The units in which it takes limits.
    fn taken_units(&self) -> &'static [Unit] {
        // The unit is a word of the standard, and that is all that is looked at.
        if self.has(Defect::CsAcceptsUnsupportedUnit) {
            return &[Unit::Amperes, Unit::Watts];
        }
        self.units()
    }

    fn units(&self) -> &'static [Unit] {
        match self.config.makeup.smart_charging {
            SmartCharging::Absent => &[],
            SmartCharging::Current => &[Unit::Amperes],
            SmartCharging::Power => &[Unit::Watts],
            SmartCharging::CurrentAndPower => &[Unit::Amperes, Unit::Watts],
        }
    }

    /// This second of wall time.
    fn second(&self) -> i64 {
        seconds(self.wall(self.now))
    }

    /// SetChargingProfile for the station (0) or a connector that is there: whether it is taken.
    pub(super) fn set_charging_profile(&mut self, connector: usize, json: &Json) -> bool {
        let Some(profile) = Profile::read(json, connector, self.taken_units(), self.second()) else {
            return false;
        };
        match self.config.defect {
            // Defaults go into a store that nothing reads.
            Some(Defect::CsProfileAcceptedNoEffect) if profile.purpose == Purpose::Default => return true,
            // Only the limit of a transaction is thought of.
            Some(Defect::CsValidProfileRejected) if profile.purpose == Purpose::Default => return false,
            // The transaction is looked up by the id in the profile.
            Some(Defect::CsTxprofileNeedsTxid)
                if profile.purpose == Purpose::Transaction && profile.transaction.is_none() =>
            {
                return false;
            }
            _ => {}
        }
        let fits = match (profile.purpose, connector) {
            (Purpose::Station, 0) | (Purpose::Default, _) => true,
            (Purpose::Station, _) | (Purpose::Transaction, 0) => false,
            (Purpose::Transaction, number) => self.connectors[number - 1]
                .transaction()
                .is_some_and(|it| profile.transaction.is_none() || profile.transaction == it.id),
        };
        fits && self.install(profile)
    }

    /// Puts a profile in place of those that it replaces; false where there is no room for one more.
    pub(super) fn install(&mut self, profile: Profile) -> bool {
        // Two of one place stand side by side in the database, whose key is the id.
        let by_id = self.has(Defect::CsProfileNotReplaced);
        let replaced = |it: &Profile| {
            if by_id {
                profile.id == it.id
            } else {
                profile.replaces(it)
            }
        };
        let kept = self.store.profiles.iter().filter(|it| !replaced(it)).count();
        if kept >= MOST_PROFILES {
            return false;
        }
        self.store.profiles.retain(|it| !replaced(it));
        self.store.profiles.push(profile);
        true
    }

    /// The profile of a RemoteStartTransaction, whose connector is known when it starts (§5.16.2). `Err` where the
    /// request cannot be met; a station without the feature leaves the profile unread (§5.11).
    pub(super) fn remote_profile(&self, request: &Json) -> Result<Option<Box<Profile>>, ()> {
        let json = request.get("chargingProfile");
        let Some(json) = json.filter(|_| self.config.makeup.smart_charging != SmartCharging::Absent) else {
            return Ok(None);
        };
        Profile::read(json, 0, self.units(), self.second())
            .filter(|it| it.purpose == Purpose::Transaction && it.transaction.is_none())
            .map(|profile| Some(Box::new(profile)))
            .ok_or(())
    }

    /// ClearChargingProfile: one by its id, else all that meet every criterion (errata 3.25, 3.26).
    pub(super) fn clear_charging_profile(&mut self, request: &Json) -> &'static str {
        let whole = |field: &str| request.get(field).and_then(Json::as_i64);
        let (id, connector, stack) = (whole("id"), whole("connectorId"), whole("stackLevel"));
        let purpose = request
            .get("chargingProfilePurpose")
            .and_then(Json::as_str)
            .and_then(Purpose::read);
        let all = self.has(Defect::CsClearprofileAll);
        let meant = |it: &Profile| match id {
            // The criteria narrow down the connector, and nothing else.
            _ if all => connector.is_none_or(|connector| usize::try_from(connector) == Ok(it.connector)),
            Some(id) => it.id == id,
            None => {
                connector.is_none_or(|connector| usize::try_from(connector) == Ok(it.connector))
                    && stack.is_none_or(|stack| it.stack == stack)
                    && purpose.is_none_or(|purpose| it.purpose == purpose)
            }
        };
        let before = self.store.profiles.len();
        self.store.profiles.retain(|it| !meant(it));
        if self.store.profiles.len() < before {
            "Accepted"
        } else {
            "Unknown"
        }
    }

    /// GetCompositeSchedule, from this second on.
    pub(super) fn composite_schedule(&self, request: &Json) -> Json {
        let rejected = || object! { "status": "Rejected" };
        let whole = |field: &str| request.get(field).and_then(Json::as_i64);
        let numbers: Vec<usize> = match whole("connectorId") {
            // There is no connector of that number in the table.
            Some(0) if self.has(Defect::CsCompositeConn0) => return rejected(),
            Some(0) => self.numbers().collect(),
            asked => asked
                .and_then(|asked| self.known_number(asked))
                .into_iter()
                .collect(),
        };
        let unit = match request.get("chargingRateUnit").and_then(Json::as_str) {
            Some(asked) => Unit::read(asked).filter(|unit| self.units().contains(unit)),
            None => {
                let usual = self.plan().usual_unit();
                let can = |unit: &Unit| self.units().contains(unit);
                Some(usual).filter(can).or_else(|| self.units().first().copied())
            }
        };
        let (Some(unit), Some(connector)) = (unit, whole("connectorId")) else {
            return rejected();
        };
        // An integer has 32 bits (the WSDL's xs:int); the answer would have to say this one again.
        let sane = |duration: &i64| (1..=i64::from(i32::MAX)).contains(duration);
        let Some(duration) = whole("duration").filter(|duration| sane(duration) && !numbers.is_empty())
        else {
            return rejected();
        };
        let start = self.second();
        let mut connectors: Vec<Charging> = numbers.iter().map(|number| self.charging(*number)).collect();
        if connector == 0 && self.has(Defect::CsCompositeConn0Active) {
            connectors.retain(|it| !it.running);
        }
        let (periods, duration) = self.plan().composite(&connectors, start, duration, unit);
        let periods: Vec<Json> = periods
            .into_iter()
            .map(|(at, limit, phases)| {
                object! { "startPeriod": at, "limit": tenths(limit), "numberPhases": phases as i64 }
            })
            .collect();
        object! {
            "status": "Accepted",
            "connectorId": connector,
            "scheduleStart": Timestamp::from_secs(start).to_rfc3339(),
            "chargingSchedule": object! {
                "duration": duration,
                "chargingRateUnit": unit.as_str(),
                "chargingSchedulePeriod": periods,
            },
        }
    }

    /// The transaction at a connector, or one that would begin now.
    fn charging(&self, number: usize) -> Charging {
        let running = self.connectors[number - 1].transaction();
        Charging {
            connector: number,
            began: running.map_or_else(|| self.second(), |it| seconds(self.wall(it.began))),
            running: running.is_some(),
        }
    }

    /// Those at which a transaction runs.
    fn all_charging(&self) -> Vec<Charging> {
        let running = self.numbers().filter(|number| self.runs(*number));
        running.map(|number| self.charging(number)).collect()
    }

    /// Gives every connector what it may draw now. What the whole station may draw is shared out fairly: nobody gets
    /// less than an equal share of what the more modest ones leave (§3.13.3).
    pub(super) fn apportion(&mut self) {
        let second = self.second();
        let mut levels: Vec<(usize, Level, u64)> = self
            .all_charging()
            .into_iter()
            .map(|it| {
                let level = self.plan().connector(second, it);
                (it.connector, level, level.watts())
            })
            .collect();
        if let Some(budget) = self.plan().station(second).map(Level::watts) {
            let demand = |number: usize, most: u64| {
                let connector = &self.connectors[number - 1];
                if connector.taking() {
                    connector.draw.min(most)
                } else {
                    0
                }
            };
            levels.sort_by_key(|(number, _, most)| demand(*number, *most));
            let mut left = budget;
            let others = levels.len();
            for (at, (number, _, most)) in levels.iter_mut().enumerate() {
                let share = left / (others - at) as u64;
                *most = share.min(*most);
                left -= demand(*number, *most);
            }
        }
        let sticks = self.has(Defect::CsLimitAfterZeroIgnored);
        for (number, level, most) in levels {
            let connector = self.at(number);
            // Who has been paused is no longer among those that limits are given to.
            if sticks && connector.offered == 0 {
                continue;
            }
            connector.offered = most;
            connector.phases = level.phases;
        }
    }

    /// Lets flow what may flow now.
    pub(super) fn charging_pass(&mut self) {
        if self.config.makeup.smart_charging == SmartCharging::Absent {
            return;
        }
        self.apportion();
        for number in self.numbers() {
            if self.runs(number) {
                // Nothing to be had: the session is taken to be over.
                if self.connectors[number - 1].offered == 0 && self.has(Defect::CsLimit0EndsTx) {
                    self.stop(number, Reason::Other, None);
                }
                self.refresh(number);
            }
        }
    }

    /// When other limits hold (machine time).
    pub(super) fn charging_deadline(&self) -> Option<Timestamp> {
        let next = self.plan().next_change(self.second(), &self.all_charging())?;
        Some(self.machine(Timestamp::from_secs(next)))
    }

    /// A transaction starts, with a profile of its own if there is one.
    pub(super) fn begin_charging(&mut self, number: usize, profile: Option<Box<Profile>>) {
        if self.has(Defect::CsLimitAfterZeroIgnored) {
            // A new transaction begins with what there is.
            self.at(number).offered = u64::MAX;
        }
        if let Some(mut profile) = profile {
            profile.connector = number;
            // Where there is no room the transaction runs without: the request was to start it.
            let _installed = self.install(*profile);
        }
        self.apportion();
    }

    /// A transaction is over: its profiles are as well (§3.13.1).
    pub(super) fn end_charging(&mut self, number: usize) {
        self.store
            .profiles
            .retain(|it| !(it.purpose == Purpose::Transaction && it.connector == number));
    }
}

/// A limit as it is written: with one digit behind the point, if any.
fn tenths(limit: u64) -> Json {
    let text = if limit.is_multiple_of(10) {
        (limit / 10).to_string()
    } else {
        format!("{}.{}", limit / 10, limit % 10)
    };
    // Digits with at most one point are a number.
    Number::parse(&text).map_or(Json::Null, Json::Number)
}
