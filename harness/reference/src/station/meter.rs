//! The energy meter of a connector: a register that integrates power over time and never runs backwards.

use plugfest_protocol::Timestamp;

/// Mains voltage in volts; the station charges on one phase.
pub(crate) const VOLTS: u64 = 230;
/// The most that a connector offers, in amperes.
pub(crate) const AMPERES: u64 = 32;
/// The most that a connector offers, in watts.
pub(crate) const WATTS: u64 = VOLTS * AMPERES;

const MICROS_PER_HOUR: u128 = 3_600_000_000;

/// What this station can measure (OCPP 1.6 §7.31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measurand {
    EnergyRegister,
    EnergyInterval,
    Power,
    PowerOffered,
    Current,
    CurrentOffered,
    Voltage,
}

impl Measurand {
    pub(crate) const ALL: [Self; 7] = [
        Self::EnergyRegister,
        Self::EnergyInterval,
        Self::Power,
        Self::PowerOffered,
        Self::Current,
        Self::CurrentOffered,
        Self::Voltage,
    ];

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measurand| measurand.name() == name)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::EnergyRegister => "Energy.Active.Import.Register",
            Self::EnergyInterval => "Energy.Active.Import.Interval",
            Self::Power => "Power.Active.Import",
            Self::PowerOffered => "Power.Offered",
            Self::Current => "Current.Import",
            Self::CurrentOffered => "Current.Offered",
            Self::Voltage => "Voltage",
        }
    }

    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::EnergyRegister | Self::EnergyInterval => "Wh",
            Self::Power | Self::PowerOffered => "W",
            Self::Current | Self::CurrentOffered => "A",
            Self::Voltage => "V",
        }
    }
}

/// The meter. Power is constant between two changes, so the register is exact.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    /// Energy so far in watt-microseconds, exact.
    energy: u128,
    /// Power that flows, in watts.
    watts: u64,
    /// Until when energy is counted.
    counted: Timestamp,
}

impl Meter {
    /// A meter that has been in use before: registers are not re-based to zero (errata 3.9).
    pub(crate) fn reading(watt_hours: u64, now: Timestamp) -> Self {
        Self {
            energy: u128::from(watt_hours) * MICROS_PER_HOUR,
            watts: 0,
            counted: now,
        }
    }

    /// Counts what flowed until now, then lets another power flow.
    pub(crate) fn flow(&mut self, watts: u64, now: Timestamp) {
        self.count(now);
        self.watts = watts;
    }

    /// Counts what flowed until now.
    pub(crate) fn count(&mut self, now: Timestamp) {
        self.energy += u128::from(self.watts) * now.since(self.counted).as_micros();
        self.counted = self.counted.max(now);
    }

    /// Energy that flowed past everybody, as at a station with a defect.
    pub(crate) fn add(&mut self, watt_hours: u64) {
        self.energy += u128::from(watt_hours) * MICROS_PER_HOUR;
    }

    /// Power that flows, in watts.
    pub(crate) const fn watts(&self) -> u64 {
        self.watts
    }

    /// The register in whole watt-hours, as its display shows it.
    pub(crate) fn watt_hours(&self) -> u64 {
        u64::try_from(self.energy / MICROS_PER_HOUR).unwrap_or(u64::MAX)
    }

    /// When the register will show `watt_hours` if nothing changes; `None` where no power flows.
    pub(crate) fn reaches(&self, watt_hours: u64) -> Option<Timestamp> {
        let missing = (u128::from(watt_hours) * MICROS_PER_HOUR).saturating_sub(self.energy);
        if missing == 0 {
            return Some(self.counted);
        }
        let micros = missing.checked_div(u128::from(self.watts))? + 1;
        Some(
            self.counted
                .plus(std::time::Duration::from_micros(u64::try_from(micros).ok()?)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn energy_is_power_times_time() {
        let start = Timestamp::from_secs(1_000);
        let mut meter = Meter::reading(500, start);
        meter.flow(3_600, start.plus(Duration::from_secs(10)));
        assert_eq!(meter.watt_hours(), 500, "nothing flowed yet");
        let later = start.plus(Duration::from_secs(20));
        meter.count(later);
        assert_eq!(meter.watt_hours(), 510, "3600 W for 10 s are 10 Wh");
        meter.flow(0, later);
        meter.count(later.plus(Duration::from_hours(1)));
        assert_eq!(meter.watt_hours(), 510);
    }

    #[test]
    fn it_knows_when_a_reading_will_be_reached() {
        let start = Timestamp::from_secs(0);
        let mut meter = Meter::reading(0, start);
        assert_eq!(meter.reaches(10), None);
        meter.flow(3_600, start);
        let when = meter.reaches(10).unwrap();
        meter.count(when);
        assert_eq!(meter.watt_hours(), 10);
        assert!(when.since(start) <= Duration::from_millis(10_001));
    }

    #[test]
    fn a_clock_that_steps_back_takes_no_energy_away() {
        let start = Timestamp::from_secs(100);
        let mut meter = Meter::reading(5, start);
        meter.flow(7_360, start);
        meter.count(start.plus(Duration::from_mins(1)));
        let before = meter.watt_hours();
        meter.count(start);
        assert_eq!(meter.watt_hours(), before);
    }
}
