//! Profiles that a station takes or refuses, and what it says when they are cleared.

use plugfest_protocol::{Json, Timestamp};

use super::list;
use crate::finding::Level;
use crate::ocpp16::charging::{Held, Profile, Purpose, Unit};
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::book::Book;
use crate::rules::support::{Check, Entry, OCPP16, connectors, int, number_fact, status, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::station::<Place>(RuleInfo {
        id: "charging/place",
        title: "a profile is taken only where its purpose allows it",
        clause: "OCPP-1.6 3.13.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "A ChargePointMaxProfile can only be set at connector 0, a TxProfile only above it; and an invalid \
                  connectorId is answered with an error (OCPP-1.6-errata 3.39). That a connector does not exist is \
                  judged where NumberOfConnectors is known from the trace.",
    }),
    Entry::station::<Transaction>(RuleInfo {
        id: "charging/no-transaction",
        title: "a TxProfile is taken only for the transaction that is going on",
        clause: "OCPP-1.6 3.13.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "Without an active transaction on the connector a station SHALL discard a TxProfile and say so. With a \
                  transactionId the profile is for that transaction (OCPP-1.6 7.8), so that another one's is refused too. \
                  Judged where the status of the connector shows that nothing goes on there, or what does.",
    }),
    Entry::station::<Limits<UNIT>>(RuleInfo {
        id: "charging/unit",
        title: "a profile is taken only in a unit that the station allows",
        clause: "OCPP-1.6-errata 3.88",
        level: Level::Must,
        editions: OCPP16,
        explain: "ChargingScheduleAllowedChargingRateUnit says Current or Power, and only schedules in A or W respectively \
                  are allowed then. Judged where the key is known from the trace.",
    }),
    Entry::station::<Limits<LEVEL>>(RuleInfo {
        id: "charging/stack-level",
        title: "no stack level above the highest is taken",
        clause: "OCPP-1.6 9.4.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "ChargeProfileMaxStackLevel is the highest stackLevel of a profile. Judged where it is known from the trace.",
    }),
    Entry::station::<Limits<PERIODS>>(RuleInfo {
        id: "charging/periods",
        title: "no schedule with more periods than the most is taken",
        clause: "OCPP-1.6 9.4.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "ChargingScheduleMaxPeriods is the most periods of a schedule. Judged where it is known from the trace.",
    }),
    Entry::station::<Limits<COUNT>>(RuleInfo {
        id: "charging/too-many",
        title: "no more profiles are taken than can be installed",
        clause: "OCPP-1.6 9.4.5",
        level: Level::Must,
        editions: OCPP16,
        explain: "MaxChargingProfilesInstalled is the most profiles that are installed at a time. Counted are those that \
                  the station accepted and that have for certain not been replaced, cleared or ended since.",
    }),
    Entry::station::<Refused>(RuleInfo {
        id: "charging/valid-refused",
        title: "a profile with nothing wrong about it is taken",
        clause: "OCPP-1.6 5.16",
        level: Level::Should,
        editions: OCPP16,
        explain: "A station that names SmartCharging among its profiles is for limits to be set. Judged where everything that \
                  could stand against a profile is known from the trace: connectors, units, levels, periods, how many \
                  profiles there are, and the transaction. A warning, since the text lists no reasons for a refusal.",
    }),
    Entry::station::<Cleared>(RuleInfo {
        id: "charging/clear-answer",
        title: "ClearChargingProfile is answered by what there is to clear",
        clause: "OCPP-1.6 7.21",
        level: Level::Must,
        editions: OCPP16,
        explain: "Unknown says that no profile was found that matches: broken where the station has accepted one that all \
                  fields of the request fit (OCPP-1.6-errata 3.25), restarts included, for profiles outlive them \
                  (OCPP-1.6-errata 3.37). Accepted where nothing matches is a warning. A profile of a transaction \
                  that has ended may have been deleted or not.",
    }),
];

/// What was answered to a profile: connector, profile, status.
fn answered<'a>(seen: &Seen<'a>) -> Option<(i64, &'a Json, Option<&'a str>)> {
    let (call, answer) = seen.dut_answer()?;
    let profile = call.payload.get("csChargingProfiles")?;
    Some((int(&call.payload, "connectorId")?, profile, status(&answer)))
}

/// A profile that was accepted.
fn taken<'a>(seen: &Seen<'a>) -> Option<(i64, &'a Json)> {
    answered(seen)
        .filter(|(.., status)| *status == Some("Accepted"))
        .map(|(connector, profile, _)| (connector, profile))
}

fn purpose(profile: &Json) -> Option<Purpose> {
    Purpose::parse(text(profile, "chargingProfilePurpose")?)
}

/// What is wrong with the place of a profile.
fn misplaced(context: &Context<'_>, connector: i64, profile: &Json) -> Option<&'static str> {
    match purpose(profile)? {
        Purpose::Max if connector != 0 => Some("a ChargePointMaxProfile is for connector 0"),
        Purpose::Tx if connector == 0 => Some("a TxProfile is for one connector"),
        _ if connector < 0 => Some("there is no such connector"),
        _ if connectors(context).is_some_and(|most| connector > most) => Some("there is no such connector"),
        _ => None,
    }
}

/// Profiles where they do not belong.
#[derive(Debug, Default)]
struct Place;

impl Check for Place {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((connector, profile)) = taken(&seen) else {
            return;
        };
        if let Some(why) = misplaced(context, connector, profile) {
            let message = format!("a profile was accepted for connector {connector}: {why}");
            out.add(message, "Rejected, or an error", "Accepted")
                .at("/status");
        }
    }
}

/// Profiles for no transaction, or for another.
#[derive(Debug, Default)]
struct Transaction {
    book: Book,
}

impl Check for Transaction {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.book.begin(context);
        if let Some((connector, profile)) =
            taken(&seen).filter(|(c, p)| *c > 0 && purpose(p) == Some(Purpose::Tx))
        {
            let named = int(profile, "transactionId");
            let why = match (self.book.open_on(connector), named) {
                (Some(open), Some(named)) if open.id != named => Some(format!(
                    "it names transaction {named}, and {} is going on",
                    open.id
                )),
                (None, _) if self.book.is_clear(context, connector) => Some("none is going on".to_owned()),
                _ => None,
            };
            if let Some(why) = why {
                let message = format!("a TxProfile was accepted for connector {connector}: {why}");
                out.add(message, "Rejected", "Accepted").at("/status");
            }
        }
        self.book.see(context, seen);
    }
}

const UNIT: u8 = 0;
const LEVEL: u8 = 1;
const PERIODS: u8 = 2;
const COUNT: u8 = 3;

/// Profiles beyond what the station says of itself.
#[derive(Debug, Default)]
struct Limits<const WHICH: u8>;

impl<const WHICH: u8> Check for Limits<WHICH> {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((connector, profile)) = taken(&seen) else {
            return;
        };
        if let Some((allowed, there)) = beyond(WHICH, context, connector, profile) {
            let message = format!("a profile was accepted with {there}, allowed is {allowed}");
            out.add(message, "Rejected", "Accepted").at("/status");
        }
    }
}

/// What a profile goes beyond, if it does: what is allowed, and what it has.
fn beyond(which: u8, context: &Context<'_>, connector: i64, profile: &Json) -> Option<(String, String)> {
    let schedule = profile.get("chargingSchedule")?;
    match which {
        UNIT => {
            let units = list(context, "ChargingScheduleAllowedChargingRateUnit")?;
            let unit = Unit::parse(text(schedule, "chargingRateUnit")?)?;
            (!units.is_empty() && !allows(&units, unit))
                .then(|| (units.join(" or "), format!("limits in {}", unit.as_str())))
        }
        LEVEL => {
            let most = number_fact(context, "config.ChargeProfileMaxStackLevel")?;
            let level = int(profile, "stackLevel")?;
            (level > most).then(|| (format!("at most {most}"), format!("stack level {level}")))
        }
        PERIODS => {
            let most = number_fact(context, "config.ChargingScheduleMaxPeriods")?;
            let periods = schedule.get("chargingSchedulePeriod")?.as_array()?.len();
            let most = usize::try_from(most).ok()?;
            (periods > most).then(|| (format!("at most {most}"), format!("{periods} periods")))
        }
        _ => {
            let most = number_fact(context, "config.MaxChargingProfilesInstalled")?;
            let mut held = Held::from_facts(context.facts);
            held.install(connector, profile, context.at);
            let count = held.all().filter(|held| !held.doubtful).count();
            let most = usize::try_from(most).ok()?;
            (count > most).then(|| (format!("at most {most}"), format!("{count} of them installed")))
        }
    }
}

/// Some stations name the units themselves in place of the quantities.
fn allows(units: &[&str], unit: Unit) -> bool {
    let (quantity, name) = match unit {
        Unit::A => ("Current", "A"),
        Unit::W => ("Power", "W"),
    };
    units
        .iter()
        .any(|told| told.eq_ignore_ascii_case(quantity) || told.eq_ignore_ascii_case(name))
}

/// Profiles that are refused for no reason.
#[derive(Debug, Default)]
struct Refused;

impl Check for Refused {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((connector, profile, Some(answer @ ("Rejected" | "NotSupported")))) = answered(&seen) else {
            return;
        };
        if has_reason(context, connector, profile) == Some(false) {
            let message =
                format!("a profile for connector {connector} was refused with nothing wrong about it");
            out.add(message, "Accepted", answer).at("/status");
        }
    }
}

/// Whether anything stands against a profile; `None` where that is not known.
fn has_reason(context: &Context<'_>, connector: i64, json: &Json) -> Option<bool> {
    if !list(context, "SupportedFeatureProfiles")?.contains(&"SmartCharging") {
        return Some(true);
    }
    connectors(context)?;
    for key in [
        "ChargingScheduleAllowedChargingRateUnit",
        "ChargeProfileMaxStackLevel",
        "ChargingScheduleMaxPeriods",
        "MaxChargingProfilesInstalled",
    ] {
        context.facts.fact(&format!("config.{key}"))?;
    }
    let profile = Profile::parse(json)?;
    let held = Held::from_facts(context.facts);
    if !held.is_complete() {
        return None;
    }
    let mut starts = profile.schedule.periods.iter().map(|period| period.start);
    let sound = starts.next() == Some(0) && profile.schedule.periods.is_sorted_by(|a, b| a.start < b.start);
    let transaction = number_fact(context, &format!("transaction.{connector}"));
    let for_transaction = match (profile.purpose, profile.transaction) {
        (Purpose::Tx, Some(id)) => transaction == Some(id),
        (Purpose::Tx, None) => transaction.is_some(),
        (_, id) => id.is_none(),
    };
    let negative = profile.level < 0
        || profile
            .schedule
            .periods
            .iter()
            .any(|p| p.limit.is_sign_negative());
    let over = profile.to.is_some_and(|to: Timestamp| to <= context.at);
    let in_bounds = [UNIT, LEVEL, PERIODS, COUNT]
        .iter()
        .all(|which| beyond(*which, context, connector, json).is_none());
    let well = sound
        && for_transaction
        && !negative
        && !over
        && in_bounds
        && misplaced(context, connector, json).is_none();
    Some(!well)
}

/// Answers to `ClearChargingProfile`.
#[derive(Debug, Default)]
struct Cleared;

impl Check for Cleared {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, result)) = seen.dut_result() else {
            return;
        };
        if call.action != "ClearChargingProfile" {
            return;
        }
        let held = Held::from_facts(context.facts);
        let ongoing = |connector: i64| context.facts.fact(&format!("transaction.{connector}")).is_some();
        let certain = held
            .named(&call.payload)
            .find(|held| !held.doubtful && (held.profile.purpose != Purpose::Tx || ongoing(held.connector)));
        let asks_for_some = call
            .payload
            .as_object()
            .is_some_and(|fields| fields.iter().len() > 0);
        match (text(result, "status"), certain) {
            (Some("Unknown"), Some(there)) => {
                let message = format!(
                    "charging profile {} was accepted and is not found",
                    there.profile.id
                );
                out.add(message, "Accepted", "Unknown").at("/status");
            }
            (Some("Accepted"), None)
                if asks_for_some && held.is_complete() && held.named(&call.payload).next().is_none() =>
            {
                let by_id = int(&call.payload, "id").is_some();
                // A profile of an ended transaction should be deleted, and may not have been.
                if by_id || text(&call.payload, "chargingProfilePurpose").is_some_and(|p| p != "TxProfile") {
                    out.add(
                        "nothing of that kind was installed, and it was cleared",
                        "Unknown",
                        "Accepted",
                    )
                    .at("/status")
                    .level(Level::Should);
                }
            }
            _ => {}
        }
    }
}
