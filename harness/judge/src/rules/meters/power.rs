//! Energy against power times time.

use std::collections::BTreeMap;

use plugfest_protocol::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::sample::{Reading, Sample};
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16};

pub(in crate::rules) static RULES: &[Entry] = &[Entry::station::<Energy>(RuleInfo {
    id: "meters/energy-against-power",
    title: "the energy of a while is its power times its time",
    clause: "OCPP-1.6 7.31",
    level: Level::Should,
    editions: OCPP16,
    explain: "Energy.Active.Import.Register counts what Power.Active.Import delivers. Judged is a row of three or more \
              samples of one transaction that hold both, and in which the power stays within 5 %: the register must have \
              risen by power times time, give or take 10 % and the least steps of the notation. kWh called Wh and phases \
              forgotten in a sum show here. A warning, because power is a momentary value.",
})];

/// A row of samples with steady power.
#[derive(Debug, Clone, Copy)]
struct Row {
    since: Timestamp,
    energy: f64,
    least: f64,
    most: f64,
    samples: u32,
}

/// Registers that disagree with power.
#[derive(Debug, Default)]
struct Energy {
    rows: BTreeMap<(i64, i64), Option<Row>>,
}

impl Check for Energy {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(reading) = Reading::of(&seen) else { return };
        let (Some(connector), Some(transaction)) = (reading.connector, reading.transaction) else {
            return;
        };
        let groups = reading
            .samples
            .iter()
            .map(|sample| sample.group)
            .max()
            .map_or(0, |most| most + 1);
        for group in 0..groups.min(500) {
            let samples: Vec<&Sample<'_>> = reading
                .samples
                .iter()
                .filter(|sample| sample.group == group)
                .collect();
            let row = self.rows.entry((connector, transaction)).or_insert(None);
            let Some((taken, energy, step, power)) = both(&samples) else {
                continue;
            };
            let Some(before) = row.filter(|row| row.since <= taken) else {
                *row = Some(Row {
                    since: taken,
                    energy,
                    least: power,
                    most: power,
                    samples: 1,
                });
                continue;
            };
            let (least, most) = (before.least.min(power), before.most.max(power));
            if most - least > 0.05 * most {
                *row = Some(Row {
                    since: taken,
                    energy,
                    least: power,
                    most: power,
                    samples: 1,
                });
                continue;
            }
            let samples = before.samples + 1;
            let hours = taken.since(before.since).as_secs_f64() / 3600.0;
            let due = f64::midpoint(least, most) * hours;
            let risen = energy - before.energy;
            // Enough samples, and enough energy for the notation not to matter.
            let telling = samples >= 3 && due > 20.0 * step.max(1.0);
            if telling && (risen - due).abs() > 0.1 * due + 2.0 * step {
                let message = "the register and the power of a transaction disagree";
                let expected = format!("{due:.0} Wh in {:.0} s at {power:.0} W", hours * 3600.0);
                out.add(message, expected, format!("{risen:.0} Wh"));
                *row = Some(Row {
                    since: taken,
                    energy,
                    least: power,
                    most: power,
                    samples: 1,
                });
            } else {
                *row = Some(Row {
                    least,
                    most,
                    samples,
                    ..before
                });
            }
        }
        while self.rows.len() > 1024 {
            self.rows.pop_first();
        }
    }
}

/// Moment, register and its step in Wh, and power in W, of one meter value that has both at the outlet.
fn both(samples: &[&Sample<'_>]) -> Option<(Timestamp, f64, f64, f64)> {
    let register = samples.iter().find(|sample| sample.is_main_register())?;
    let (energy, step) = register.base()?;
    let is_power =
        |sample: &&&Sample<'_>| sample.measurand == "Power.Active.Import" && sample.location == "Outlet";
    let whole = samples
        .iter()
        .filter(is_power)
        .find(|sample| sample.phase.is_none());
    let power = if let Some(whole) = whole {
        whole.base()?.0
    } else {
        let phases: Vec<_> = samples
            .iter()
            .filter(is_power)
            .filter_map(|sample| sample.base())
            .collect();
        if phases.len() != 3 {
            return None;
        }
        phases.iter().map(|(power, _)| *power).sum::<Decimal>()
    };
    Some((register.taken?, energy.to_f64()?, step.to_f64()?, power.to_f64()?))
}
