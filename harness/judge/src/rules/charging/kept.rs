//! Whether what flows, and what is offered, keeps to the limits.

use std::time::Duration;

use plugfest_protocol::Timestamp;
use rust_decimal::Decimal;

use super::running;
use crate::finding::Level;
use crate::ocpp16::charging::{Held, Situation, Unit};
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::meters::sample::{Reading, Sample};
use crate::rules::support::{Check, Entry, OCPP16, action_timeout, shown};

/// Volts between a phase and the neutral that no supply exceeds.
const MOST_VOLTS: i64 = 260;

pub(in crate::rules) static RULES: &[Entry] = &[Entry::station::<Kept>(RuleInfo {
    id: "charging/limit-kept",
    title: "what flows keeps to the limit",
    clause: "OCPP-1.6 3.13.3",
    level: Level::Must,
    editions: OCPP16,
    explain: "Current.Import, Current.Offered, Power.Active.Import and Power.Offered of a transaction are at most what the \
              profiles allow, give or take a tenth and 1 A or 250 W. The greatest limit of the last `timeout.action` \
              (60 s by default) counts, and nothing is judged so soon after a profile was set or cleared or the \
              transaction began. A current without phase may be the sum of three, a power under a limit in amperes is \
              reckoned at 260 V on three phases; a current under a limit in watts is not judged. Judged once all profiles \
              were cleared in the trace, so that there are no unknown ones.",
})];

/// Currents and powers above the limit.
#[derive(Debug, Default)]
struct Kept {
    /// When something last changed that limits depend on.
    changed: Option<Timestamp>,
}

impl Check for Kept {
    const WANTS: u8 = Wants::CALL | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let changed = *self.changed.get_or_insert(context.at);
        if let Seen::Answer { call, .. } = seen
            && [
                "SetChargingProfile",
                "ClearChargingProfile",
                "StartTransaction",
                "StopTransaction",
            ]
            .contains(&call.action.as_str())
        {
            self.changed = Some(context.at);
        }
        if seen.dut_call_of("MeterValues").is_none() {
            return;
        }
        if context.facts.under("profile").next().is_none() {
            return;
        }
        let Some(reading) = Reading::of(&seen) else { return };
        let (Some(connector), Some(transaction)) =
            (reading.connector.filter(|c| *c > 0), reading.transaction)
        else {
            return;
        };
        let held = Held::from_facts(context.facts);
        let Some(running) = running(context, connector).filter(|running| running.id == transaction) else {
            return;
        };
        if !held.is_complete() {
            return;
        }
        let grace = action_timeout(context);
        let most = |unit: Unit, at: Timestamp| {
            let situation = Situation {
                held: &held,
                connector,
                running: Some(&running),
                unit,
                voltage: None,
            };
            // The greatest limit of a while, so that whoever follows slowly is not at fault.
            let from = at.minus(grace);
            let mut most = situation.most(from)?;
            for change in situation.changes(from, at.plus(Duration::from_secs(2))) {
                most = most.max(situation.most(change)?);
            }
            Some(most)
        };
        for sample in reading.samples.iter().take(200) {
            let Some(at) = sample
                .taken
                .filter(|at| *at <= context.at && at.since(changed) > grace && *at > changed)
            else {
                continue;
            };
            let Some((value, bound)) = measured(sample, |unit| most(unit, at)) else {
                continue;
            };
            if value > bound {
                let message = format!(
                    "{} is above the limit that has held for {}",
                    sample.measurand,
                    shown(grace)
                );
                let unit = sample.unit.unwrap_or_default();
                out.add(
                    message,
                    format!("at most {}", bound.normalize()),
                    format!("{} {unit}", value.normalize()),
                )
                .at(format!("{}/value", sample.pointer));
                return;
            }
        }
    }
}

/// The value of a sample in A or W, and the most that it may be.
fn measured(sample: &Sample<'_>, most: impl Fn(Unit) -> Option<Decimal>) -> Option<(Decimal, Decimal)> {
    if !matches!(sample.location, "Outlet" | "Cable" | "EV") {
        return None;
    }
    let slack = |bound: Decimal, least: i64| bound + bound / Decimal::TEN + Decimal::from(least);
    let three = Decimal::from(if sample.phase.is_some() { 1 } else { 3 });
    let (value, _) = sample.base()?;
    match sample.measurand {
        "Current.Import" | "Current.Offered" => {
            let bound = most(Unit::A)?.checked_mul(three)?;
            Some((value, slack(bound, 1)))
        }
        "Power.Active.Import" | "Power.Offered" => {
            let in_watts = most(Unit::W);
            let in_amperes =
                most(Unit::A).and_then(|amperes| amperes.checked_mul(three * Decimal::from(MOST_VOLTS)));
            Some((value, slack(in_watts.or(in_amperes)?, 250)))
        }
        _ => None,
    }
}
