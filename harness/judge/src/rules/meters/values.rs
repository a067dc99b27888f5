//! Each value by itself: a number, in a unit of what it measures, once, and as configured.

use std::collections::BTreeMap;
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use super::sample::{Reading, Sample};
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, fact, number_fact, short, shown};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Numbers>(RuleInfo {
        id: "meters/decimal",
        title: "a raw value is a decimal number",
        clause: "OCPP-1.6 7.43",
        level: Level::Must,
        editions: OCPP16,
        explain: "A sampled value is a string that holds a decimal number, or signed data where format says so. Blanks, \
                  decimal commas and units inside the string break every receiver that reads it as a number. An exponent \
                  or a plus sign is a warning: it is a number, if not in plain decimal notation.",
    }),
    Entry::station::<Units>(RuleInfo {
        id: "meters/unit",
        title: "a value has a unit of what it measures",
        clause: "OCPP-1.6 7.31, 7.43, 7.45",
        level: Level::Must,
        editions: OCPP16,
        explain: "Energy is in Wh or kWh (varh, kvarh where reactive), power in W or kW (var, kvar; VA and kVA for what is \
                  offered), current in A, voltage in V, temperature in Celsius (also spelt Celcius), Fahrenheit or K, \
                  state of charge in Percent. Let pass: a missing unit, and measurands for which the standard has none.",
    }),
    Entry::station::<Twice>(RuleInfo {
        id: "meters/duplicate",
        title: "a value stands once in a meter value",
        clause: "OCPP-1.6 4.7",
        level: Level::Advisory,
        editions: OCPP16,
        explain: "A meter value holds a set of values taken at one moment. The same datum twice (measurand, phase, \
                  location, context, unit, format and value all equal) is of no use and doubles the traffic; signed \
                  values are what this happens to. No clause forbids it.",
    }),
    Entry::station::<Unconfigured>(RuleInfo {
        id: "meters/unconfigured",
        title: "periodic samples hold what is configured",
        clause: "OCPP-1.6 3.16.1, 9.1.17",
        level: Level::Should,
        editions: OCPP16,
        explain: "MeterValuesSampledData prescribes the measurands of the MeterValues that a station sends at \
                  MeterValueSampleInterval. Judged are samples with the context Sample.Periodic of a connector, where \
                  the key is known from the trace and clock-aligned samples are switched off; what is missing is let \
                  pass, as a station may spread it over several messages, or the vehicle not tell it.",
    }),
    Entry::station::<StopData>(RuleInfo {
        id: "meters/stop-data",
        title: "StopTransaction has no meter values where none are configured",
        clause: "OCPP-1.6 3.16.5",
        level: Level::Must,
        editions: OCPP16,
        explain: "Where StopTxnSampledData and StopTxnAlignedData are both empty strings, a station SHALL not put meter \
                  values in StopTransaction. Judged where both are known from the trace.",
    }),
    Entry::station::<SampleInterval>(RuleInfo {
        id: "meters/sample-interval",
        title: "periodic samples come at their interval",
        clause: "OCPP-1.6 3.16.1, OCPP-1.6-errata 3.15",
        level: Level::Should,
        editions: OCPP16,
        explain: "Samples of a transaction are taken at MeterValueSampleInterval. Judged are neighbouring samples of a \
                  connector with the context Sample.Periodic by their own timestamps, where the interval is known from \
                  the trace and did not change: at least half and at most one and a half intervals apart, two seconds \
                  of tolerance. Not judged over a reconnect, a trigger or a change of configuration, and while \
                  clock-aligned samples may be among them.",
    }),
];

/// Values that are no numbers.
#[derive(Debug, Default)]
struct Numbers;

impl Check for Numbers {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(reading) = Reading::of(&seen) else { return };
        for sample in reading
            .samples
            .iter()
            .filter(|sample| sample.raw && sample.number.is_none())
            .take(5)
        {
            let message = format!("a value of {} is no decimal number", sample.measurand);
            let finding = out.add(message, "a decimal number", format!("\"{}\"", short(sample.text)));
            finding.at(format!("{}/value", sample.pointer));
            // Rust's own reading of floating point numbers takes signs and exponents, but also words.
            let digits = sample.text.contains(|c: char| c.is_ascii_digit());
            if digits && sample.text.parse::<f64>().is_ok_and(f64::is_finite) {
                finding.level(Level::Should);
            }
        }
    }
}

fn units(measurand: &str) -> &'static [&'static str] {
    match measurand {
        _ if measurand.starts_with("Energy.Active") => &["Wh", "kWh"],
        _ if measurand.starts_with("Energy.Reactive") => &["varh", "kvarh"],
        _ if measurand.starts_with("Power.Active") => &["W", "kW"],
        _ if measurand.starts_with("Power.Reactive") => &["var", "kvar"],
        "Power.Offered" => &["W", "kW", "VA", "kVA"],
        _ if measurand.starts_with("Current.") => &["A"],
        "Voltage" => &["V"],
        "Temperature" => &["Celsius", "Celcius", "Fahrenheit", "K"],
        "SoC" => &["Percent"],
        _ => &[],
    }
}

/// Units of something else.
#[derive(Debug, Default)]
struct Units;

impl Check for Units {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(reading) = Reading::of(&seen) else { return };
        let known = |unit: &str| {
            context
                .edition
                .enums()
                .any(|of| of.name == "UnitOfMeasure" && of.contains(unit))
        };
        for sample in &reading.samples {
            let fitting = units(sample.measurand);
            // What is no unit at all is a matter of the schema.
            let unit = sample.unit.filter(|unit| known(unit));
            if let Some(unit) = unit.filter(|unit| !fitting.is_empty() && !fitting.contains(unit)) {
                let message = format!("{} is given in a unit of something else", sample.measurand);
                out.add(message, fitting.join(" or "), unit)
                    .at(format!("{}/unit", sample.pointer));
                return;
            }
        }
    }
}

/// The same value twice.
#[derive(Debug, Default)]
struct Twice;

impl Check for Twice {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(reading) = Reading::of(&seen) else { return };
        let same = |a: &Sample<'_>, b: &Sample<'_>| {
            (
                a.group,
                a.measurand,
                a.phase,
                a.location,
                a.context,
                a.unit,
                a.raw,
                a.text,
            ) == (
                b.group,
                b.measurand,
                b.phase,
                b.location,
                b.context,
                b.unit,
                b.raw,
                b.text,
            )
        };
        let samples = reading.samples.iter().take(500).enumerate();
        for (n, sample) in samples {
            if reading.samples[..n].iter().any(|earlier| same(earlier, sample)) {
                let message = format!("{} stands twice in a meter value", sample.measurand);
                out.add(message, "each value once", short(sample.text))
                    .at(sample.pointer.as_str());
                return;
            }
        }
    }
}

/// True where clock-aligned samples are known to be off, so that every periodic sample is what it says.
fn unaligned(context: &Context<'_>) -> bool {
    number_fact(context, "config.ClockAlignedDataInterval") == Some(0)
}

/// Measurands that nobody asked for.
#[derive(Debug, Default)]
struct Unconfigured;

impl Check for Unconfigured {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(reading) = Reading::of(&seen).filter(|reading| reading.connector.is_some_and(|c| c > 0))
        else {
            return;
        };
        let Some(configured) = fact(context, "config.MeterValuesSampledData").filter(|_| unaligned(context))
        else {
            return;
        };
        let is_configured = |sample: &Sample<'_>| {
            configured.split(',').map(str::trim).any(|item| {
                let rest = item
                    .get(..sample.measurand.len())
                    .filter(|head| head.eq_ignore_ascii_case(sample.measurand));
                rest.is_some() && matches!(item.as_bytes().get(sample.measurand.len()), None | Some(b'.'))
            })
        };
        let periodic = reading
            .samples
            .iter()
            .filter(|sample| sample.context == "Sample.Periodic");
        if let Some(sample) = periodic.into_iter().find(|sample| !is_configured(sample)) {
            let message = format!("{} is sent and not configured", sample.measurand);
            out.add(message, short(configured), sample.measurand)
                .at(format!("{}/measurand", sample.pointer));
        }
    }
}

/// Meter values in a StopTransaction that should have none.
#[derive(Debug, Default)]
struct StopData;

impl Check for StopData {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(payload) = seen.dut_call_of("StopTransaction") else {
            return;
        };
        let data = payload
            .get("transactionData")
            .and_then(Json::as_array)
            .unwrap_or_default();
        let off = |key: &str| fact(context, key).is_some_and(|value| value.trim().is_empty());
        if !data.is_empty() && off("config.StopTxnSampledData") && off("config.StopTxnAlignedData") {
            let actual = format!("{} meter values", data.len());
            out.add(
                "StopTransaction has meter values, none are configured",
                "none",
                actual,
            )
            .at("/transactionData");
        }
    }
}

/// Samples too close, or too far apart.
#[derive(Debug, Default)]
struct SampleInterval {
    last: BTreeMap<i64, (i64, Timestamp)>,
}

impl Check for SampleInterval {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        match seen {
            Seen::Event(event) if matches!(event.what, What::Opened { .. } | What::Closed { .. }) => {
                self.last.clear();
            }
            Seen::Call {
                from: Party::Us,
                action,
                ..
            } if action == "ChangeConfiguration" || action.ends_with("TriggerMessage") => {
                self.last.clear();
            }
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => self.last.clear(),
            _ => {}
        }
        let interval =
            number_fact(context, "config.MeterValueSampleInterval").filter(|s| (1..1_000_000).contains(s));
        let Some(interval) = interval
            .and_then(|s| u64::try_from(s).ok())
            .filter(|_| unaligned(context))
        else {
            return;
        };
        let Some(reading) = Reading::of(&seen) else { return };
        let (Some(connector), Some(transaction)) = (reading.connector, reading.transaction) else {
            return;
        };
        let mut times: Vec<Timestamp> = reading
            .samples
            .iter()
            .filter(|sample| sample.context == "Sample.Periodic")
            .filter_map(|sample| sample.taken)
            .collect();
        times.dedup();
        let interval = Duration::from_secs(interval);
        for taken in times {
            let last = self.last.insert(connector, (transaction, taken));
            let Some((_, last)) = last.filter(|(tx, last)| *tx == transaction && *last < taken) else {
                continue;
            };
            let gap = taken.since(last);
            let tolerance = Duration::from_secs(2);
            if gap + tolerance < interval / 2 || gap > interval * 3 / 2 + tolerance {
                let message = "periodic samples do not come at their interval";
                out.add(message, format!("every {}", shown(interval)), shown(gap));
            }
        }
        if self.last.len() > 1024 {
            self.last.pop_last();
        }
    }
}
