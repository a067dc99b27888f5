//! Meter values: periodic, clock-aligned, triggered, and those of StopTransaction (OCPP 1.6 §3.16, §4.7).

use std::time::Duration;

use plugfest_protocol::{Json, Timestamp, object};

use super::device::{Device, Registration};
use super::meter::{Measurand, VOLTS};
use super::outgoing::{Outgoing, Purpose};
use super::queue::{About, Entry};
use crate::defect::Defect;

const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// Why a reading is taken (§7.35).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    Begin,
    Periodic,
    Clock,
    End,
    Trigger,
}

impl Context {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "Transaction.Begin",
            Self::Periodic => "Sample.Periodic",
            Self::Clock => "Sample.Clock",
            Self::End => "Transaction.End",
            Self::Trigger => "Trigger",
        }
    }
}

impl Device {
    /// One MeterValue: all these measurands at one moment.
    fn reading(
        &mut self,
        number: usize,
        measurands: &[Measurand],
        context: Context,
        wall: Timestamp,
    ) -> Json {
        let now = self.now;
        let mains = u64::from(self.config.makeup.phases);
        let connector = self.at(number);
        connector.meter.count(now);
        let register = connector.meter.watt_hours();
        let watts = connector.meter.watts();
        let (since, running) = match connector.transaction() {
            Some(running) if context == Context::Clock => (running.aligned, !running.suspended),
            Some(running) => (running.sampled, !running.suspended),
            None => (register, false),
        };
        let offered = if running && !connector.faulted() {
            connector.offered
        } else {
            0
        };
        let used = connector.phases;
        let began = connector
            .transaction()
            .map_or(register, |running| running.began_at);
        let register = self.misread(register, began);
        let mut samples = Vec::new();
        for measurand in measurands {
            let whole = |value: u64| vec![(value.to_string(), None)];
            let values: Vec<(String, Option<String>)> = match measurand {
                Measurand::EnergyRegister => whole(register),
                Measurand::EnergyInterval => whole(register.saturating_sub(since)),
                Measurand::Power => whole(watts),
                Measurand::PowerOffered => whole(offered),
                Measurand::Current => currents(watts, used, mains),
                Measurand::CurrentOffered => currents(offered, used, mains),
                Measurand::Voltage if mains == 1 => whole(VOLTS),
                Measurand::Voltage => (1..=mains)
                    .map(|phase| (VOLTS.to_string(), Some(format!("L{phase}-N"))))
                    .collect(),
            };
            for (value, phase) in values {
                let mut sample = object! {
                    "value": value,
                    "context": context.as_str(),
                    "measurand": measurand.name(),
                    "location": "Outlet",
                    "unit": measurand.unit(),
                };
                if let (Some(phase), Json::Object(members)) = (phase, &mut sample) {
                    members.insert("phase", phase);
                }
                samples.push(sample);
            }
        }
        if context == Context::End && self.has(Defect::CsSignedMeterTwice) {
            let signed = object! {
                "value": "5A6B7C",
                "context": context.as_str(),
                "format": "SignedData",
                "measurand": Measurand::EnergyRegister.name(),
            };
            samples.extend([signed.clone(), signed]);
        }
        object! { "timestamp": wall.to_rfc3339(), "sampledValue": samples }
    }

    /// The register as a sample shows it, on a station whose samples may be wrong.
    fn misread(&mut self, register: u64, began: u64) -> u64 {
        match self.config.defect {
            Some(Defect::CsRegisterDecreasing) => (2 * began).saturating_sub(register),
            Some(Defect::CsRegisterDropouts) => {
                self.quirks.count += 1;
                register
                    / if self.quirks.count.is_multiple_of(2) {
                        10
                    } else {
                        1
                    }
            }
            Some(Defect::CsRegisterTwoBases) => register.saturating_sub(began),
            Some(Defect::CsKwhLabelledWh) => register / 1000,
            _ => register,
        }
    }

    /// When a reading was taken, on a station that had no time yet.
    fn misdate(&self, wall: Timestamp) -> Timestamp {
        let unset = self.registration != Registration::Accepted;
        if unset && self.has(Defect::CsPrebootmeter1970) {
            return Timestamp::from_secs(3_600);
        }
        wall
    }

    fn measurands(&self, key: &str) -> Vec<Measurand> {
        self.store.settings.measurands(key).to_vec()
    }

    /// What StopTransaction shall tell: begin and end carry every measurand of either list (errata 3.14).
    fn told_at_stop(&self) -> Vec<Measurand> {
        let mut all = self.measurands("StopTxnSampledData");
        for measurand in self.measurands("StopTxnAlignedData") {
            if !all.contains(&measurand) {
                all.push(measurand);
            }
        }
        all
    }

    /// A transaction has begun: its first reading, and the moment of its first sample.
    pub(super) fn begin_metering(&mut self, number: usize) {
        let measurands = self.told_at_stop();
        let wall = self.wall(self.now);
        if !measurands.is_empty() {
            let value = self.reading(number, &measurands, Context::Begin, wall);
            if let Some(running) = self.at(number).transaction_mut() {
                running.keep(value);
            }
        }
        self.plan_samples();
    }

    /// A transaction ends: everything that StopTransaction tells of it.
    pub(super) fn end_metering(&mut self, number: usize) -> Vec<Json> {
        let measurands = self.told_at_stop();
        let wall = self.wall(self.now);
        let last = (!measurands.is_empty()).then(|| self.reading(number, &measurands, Context::End, wall));
        let kept = self
            .at(number)
            .transaction_mut()
            .map(|running| std::mem::take(&mut running.data));
        // Both lists empty means no meter values at all (§3.16.5), whatever was collected before.
        last.map_or_else(Vec::new, |last| {
            kept.unwrap_or_default().into_iter().chain([last]).collect()
        })
    }

    /// The next sample of every transaction: whole intervals from its start.
    pub(super) fn plan_samples(&mut self) {
        let interval = self.store.settings.interval("MeterValueSampleInterval");
        let now = self.now;
        for connector in &mut self.connectors {
            if let Some(running) = connector.transaction_mut() {
                running.sample_due = interval.map(|interval| next_multiple(running.began, interval, now));
            }
        }
    }

    /// The next clock-aligned moment: whole intervals from midnight, UTC (§3.16.2).
    pub(super) fn plan_aligned(&mut self) {
        let Some(interval) = self.store.settings.interval("ClockAlignedDataInterval") else {
            self.aligned_due = None;
            return;
        };
        let wall = self.wall(self.now).as_micros();
        let midnight = wall - wall.rem_euclid(DAY_MICROS);
        let next = next_multiple(
            Timestamp::from_micros(midnight),
            interval,
            Timestamp::from_micros(wall),
        );
        let next = next.as_micros().min(midnight + DAY_MICROS);
        self.aligned_due = Some(Timestamp::from_micros(next - self.offset));
    }

    /// Takes the readings that are due.
    pub(super) fn meters_pass(&mut self) {
        for number in self.numbers() {
            let due = self.connectors[number - 1]
                .transaction()
                .and_then(|running| running.sample_due);
            if due.is_some_and(|due| due <= self.now) {
                self.sample(number);
            }
        }
        if let Some(due) = self.aligned_due.filter(|due| *due <= self.now) {
            self.plan_aligned();
            // Readings of a station that nobody has ever accepted have no addressee and perhaps no right time.
            if self.store.accepted_before {
                let wall = self.wall(due);
                for number in self.numbers() {
                    self.sample_aligned(number, wall);
                }
            }
        }
    }

    fn sample(&mut self, number: usize) {
        let wall = self.wall(self.now);
        let (sent, kept) = (
            self.measurands("MeterValuesSampledData"),
            self.measurands("StopTxnSampledData"),
        );
        self.take(number, &sent, &kept, Context::Periodic, wall);
        let register = self.at(number).meter.watt_hours();
        if let Some(running) = self.at(number).transaction_mut() {
            running.sampled = register;
        }
        self.plan_samples();
    }

    fn sample_aligned(&mut self, number: usize, wall: Timestamp) {
        let (sent, kept) = (
            self.measurands("MeterValuesAlignedData"),
            self.measurands("StopTxnAlignedData"),
        );
        self.take(number, &sent, &kept, Context::Clock, wall);
        let register = self.at(number).meter.watt_hours();
        if let Some(running) = self.at(number).transaction_mut() {
            running.aligned = register;
        }
    }

    /// Reads once for MeterValues and once for StopTransaction.
    fn take(
        &mut self,
        number: usize,
        sent: &[Measurand],
        kept: &[Measurand],
        context: Context,
        wall: Timestamp,
    ) {
        let wall = self.misdate(wall);
        if !kept.is_empty() {
            let value = self.reading(number, kept, context, wall);
            if let Some(running) = self.at(number).transaction_mut() {
                running.keep(value);
            }
        }
        if sent.is_empty() {
            return;
        }
        let value = self.reading(number, sent, context, wall);
        let payload = object! { "connectorId": number as i64, "meterValue": vec![value] };
        let running = self.connectors[number - 1].transaction();
        let (key, id) = running.map_or((None, None), |running| (Some(running.key), running.id));
        let order = self.order();
        self.store
            .queue
            .push(Entry::new(About::Meter, key, id, payload, order));
    }

    /// TriggerMessage asked for the newest readings (errata 3.46). False where there is nothing to read.
    pub(super) fn trigger_meter(&mut self, number: usize) -> bool {
        let measurands = self.measurands("MeterValuesSampledData");
        if measurands.is_empty() {
            return false;
        }
        let wall = self.wall(self.now);
        let value = self.reading(number, &measurands, Context::Trigger, wall);
        let mut payload = object! { "connectorId": number as i64, "meterValue": vec![value] };
        let id = self.connectors[number - 1]
            .transaction()
            .and_then(|running| running.id);
        if let (Some(id), Json::Object(members)) = (id, &mut payload) {
            members.insert("transactionId", id);
        }
        self.post(Outgoing::triggered(Purpose::Reading, payload));
        true
    }
}

/// The current of each phase of the mains, where power is drawn from so many of them.
fn currents(watts: u64, used: u64, mains: u64) -> Vec<(String, Option<String>)> {
    let centiamperes = watts * 100 / (VOLTS * used);
    let text = |of: u64| format!("{}.{:02}", of / 100, of % 100);
    if mains == 1 {
        return vec![(text(centiamperes), None)];
    }
    let of = |phase: u64| text(if phase <= used { centiamperes } else { 0 });
    (1..=mains)
        .map(|phase| (of(phase), Some(format!("L{phase}"))))
        .collect()
}

/// The first moment after `now` that is a whole number of intervals from `start`.
fn next_multiple(start: Timestamp, interval: Duration, now: Timestamp) -> Timestamp {
    let step = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
    let passed = now.as_micros().saturating_sub(start.as_micros());
    let intervals = passed.div_euclid(step) + 1;
    Timestamp::from_micros(start.as_micros().saturating_add(intervals.saturating_mul(step)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_on_whole_intervals_from_their_start() {
        let start = Timestamp::from_secs(7);
        let ten = Duration::from_secs(10);
        assert_eq!(next_multiple(start, ten, start), Timestamp::from_secs(17));
        assert_eq!(
            next_multiple(start, ten, Timestamp::from_secs(16)),
            Timestamp::from_secs(17)
        );
        assert_eq!(
            next_multiple(start, ten, Timestamp::from_secs(17)),
            Timestamp::from_secs(27)
        );
        assert_eq!(
            next_multiple(start, ten, Timestamp::from_secs(100)),
            Timestamp::from_secs(107)
        );
    }
}
