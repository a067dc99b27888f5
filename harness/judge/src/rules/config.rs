//! Configuration keys: asked, answered, changed, and read back.

use std::collections::{BTreeMap, BTreeSet};

use plugfest_protocol::{Access, ConfigKey, ConfigType, Edition, Json};
use plugfest_trace::{Party, What};

use super::support::{Check, Entry, OCPP16, fact, number_fact, short, status, text};
use crate::finding::Level;
use crate::ledger::AnsweredCall;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};

pub(super) static RULES: &[Entry] = &[
    Entry::station::<Answered>(RuleInfo {
        id: "config/keys-answered",
        title: "every asked key is answered",
        clause: "OCPP-1.6 5.8",
        level: Level::Must,
        editions: OCPP16,
        explain: "Asked for keys, a station SHALL return those that it recognises, and put the others into unknownKey: each \
                  in one of the two lists. Not judged where more keys were asked for than GetConfigurationMaxKeys allows, \
                  or more than one while that is not known.",
    }),
    Entry::station::<Both>(RuleInfo {
        id: "config/known-and-unknown",
        title: "a key is known or unknown, not both",
        clause: "OCPP-1.6 5.8",
        level: Level::Must,
        editions: OCPP16,
        explain: "configurationKey holds the recognised keys, unknownKey the others. A key in both, or twice in one, \
                  contradicts itself.",
    }),
    Entry::station::<Unasked>(RuleInfo {
        id: "config/unasked",
        title: "only asked keys are answered",
        clause: "OCPP-1.6 5.8",
        level: Level::Should,
        editions: OCPP16,
        explain: "Where the CSMS lists keys, the response is about those. Others in it are a warning: they harm nobody, but \
                  the station does not do what it was asked.",
    }),
    Entry::station::<Required>(RuleInfo {
        id: "config/required-keys",
        title: "a station has the required keys of its profiles",
        clause: "OCPP-1.6 9",
        level: Level::Must,
        editions: OCPP16,
        explain: "Asked without keys, a station SHALL return all settings. Every required key of the Core profile, and of \
                  the profiles that SupportedFeatureProfiles names, must be among them. Let pass: keys that the errata \
                  made optional (StopTransactionOnEVSideDisconnect, OCPP-1.6-errata 3.80), and write-only ones.",
    }),
    Entry::station::<Values>(RuleInfo {
        id: "config/value",
        title: "a value is of its key's type",
        clause: "OCPP-1.6 9",
        level: Level::Must,
        editions: OCPP16,
        explain: "A boolean is true or false (in any case of letters), an integer is written in decimal. Only standard keys \
                  are judged; a missing value says that there is none, and an integer with blanks around it passes.",
    }),
    Entry::station::<Readonly>(RuleInfo {
        id: "config/readonly",
        title: "a key can be written where the standard says so",
        clause: "OCPP-1.6 9",
        level: Level::Must,
        editions: OCPP16,
        explain: "Keys with accessibility R are read-only: one that says readonly false, or takes a change, breaks that. A \
                  key with accessibility RW that says readonly true is a warning, as the reason may lie in the hardware. \
                  Keys where the station has the choice are let pass (also UnlockConnectorOnEVSideDisconnect, \
                  OCPP-1.6-errata 3.84).",
    }),
    Entry::station::<WriteOnly>(RuleInfo {
        id: "config/write-only",
        title: "AuthorizationKey is not given back",
        clause: "OCPP-1.6J 6.2.2, OCPP-1.6J-errata 3.12",
        level: Level::Must,
        editions: OCPP16,
        explain: "The key is write-only: a station reports nothing, or a value that has nothing to do with it. The value \
                  that was set before in the trace breaks that; any other value is a warning, as nobody can tell from \
                  outside what it is.",
    }),
    Entry::station::<BadValue>(RuleInfo {
        id: "config/bad-value-accepted",
        title: "a value that cannot be is rejected",
        clause: "OCPP-1.6 5.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "Values out of range or in the wrong format are answered with Rejected. Judged for standard keys: text, \
                  fractions for an integer, negative numbers where the key counts or measures, anything but true and false for a boolean, and what is no measurand in a list of \
                  measurands (OCPP-1.6 3.16.4).",
    }),
    Entry::station::<UnknownAccepted>(RuleInfo {
        id: "config/unknown-accepted",
        title: "a key that is not known cannot be changed",
        clause: "OCPP-1.6 5.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "For a key that it does not support a station SHALL answer NotSupported. Judged for keys that it called \
                  unknown itself; those that may only be written are let pass.",
    }),
    Entry::station::<KnownUnsupported>(RuleInfo {
        id: "config/known-not-supported",
        title: "NotSupported is for keys that are not known",
        clause: "OCPP-1.6 5.3",
        level: Level::Should,
        editions: OCPP16,
        explain: "NotSupported says that there is no such key. For one that the station has reported, Rejected is right \
                  where it cannot be changed. A warning, as both tell that nothing was changed.",
    }),
    Entry::station::<ReadBack>(RuleInfo {
        id: "config/read-back",
        title: "a key has the value that was set last",
        clause: "OCPP-1.6 5.3, 5.8",
        level: Level::Must,
        editions: OCPP16,
        explain: "Accepted says that a change was applied and is effective, Rejected that it was not: the next \
                  GetConfiguration has to agree. Compared by type (numbers as numbers, lists as sets, without regard to \
                  case). HeartbeatInterval is let pass after a BootNotification, whose interval it follows, secrets \
                  always, and everything after a factory reset. For keys that no standard defines it is a warning, as \
                  their notation may be normalised.",
    }),
];

/// A GetConfiguration with its response.
fn got<'a>(seen: &Seen<'a>) -> Option<(&'a AnsweredCall, &'a Json)> {
    let (call, result) = seen.dut_result()?;
    (call.action == "GetConfiguration").then_some((call, result))
}

/// A ChangeConfiguration with its status: key, value, status.
fn changed<'a>(seen: &Seen<'a>) -> Option<(&'a str, &'a str, &'a str)> {
    let (call, answer) = seen.dut_answer()?;
    if call.action != "ChangeConfiguration" {
        return None;
    }
    Some((
        text(&call.payload, "key")?,
        text(&call.payload, "value")?,
        status(&answer)?,
    ))
}

fn list<'a>(json: &'a Json, field: &str) -> &'a [Json] {
    json.get(field).and_then(Json::as_array).unwrap_or_default()
}

/// The asked keys, in small letters.
fn asked(call: &AnsweredCall) -> BTreeSet<String> {
    list(&call.payload, "key")
        .iter()
        .filter_map(Json::as_str)
        .map(str::to_ascii_lowercase)
        .collect()
}

fn known_keys(result: &Json) -> Vec<String> {
    let keys = list(result, "configurationKey")
        .iter()
        .filter_map(|key| text(key, "key"));
    keys.map(str::to_ascii_lowercase).collect()
}

fn unknown_keys(result: &Json) -> Vec<String> {
    list(result, "unknownKey")
        .iter()
        .filter_map(Json::as_str)
        .map(str::to_ascii_lowercase)
        .collect()
}

/// The standard's spelling of a key, or the text itself.
fn canonical(edition: &'static Edition, key: &str) -> String {
    edition
        .config_key(key)
        .map_or_else(|| key.to_owned(), |known| known.name.clone())
}

/// Keys without an answer.
#[derive(Debug, Default)]
struct Answered;

impl Check for Answered {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, result)) = got(&seen) else { return };
        let mut missing = asked(call);
        let most = number_fact(context, "config.GetConfigurationMaxKeys").unwrap_or(1);
        if i64::try_from(missing.len()).unwrap_or(i64::MAX) > most.max(1) {
            return;
        }
        for key in known_keys(result).into_iter().chain(unknown_keys(result)) {
            missing.remove(&key);
        }
        if let Some(key) = missing.first() {
            let message = format!("the asked key {} is not in the response", short(key));
            out.add(message, "in configurationKey or in unknownKey", "in neither");
        }
    }
}

/// Keys that are both.
#[derive(Debug, Default)]
struct Both;

impl Check for Both {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((_, result)) = got(&seen) else { return };
        let mut met = BTreeSet::new();
        let mut keys = known_keys(result).into_iter().chain(unknown_keys(result));
        if let Some(key) = keys.find(|key| !met.insert(key.clone())) {
            out.add(
                format!("the key {} stands twice in the response", short(&key)),
                "once",
                "twice",
            );
        }
    }
}

/// Keys that nobody asked for.
#[derive(Debug, Default)]
struct Unasked;

impl Check for Unasked {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, result)) = got(&seen) else { return };
        let asked = asked(call);
        let mut keys = known_keys(result).into_iter().chain(unknown_keys(result));
        if let Some(key) = keys.find(|key| !asked.is_empty() && !asked.contains(key)) {
            out.add(
                format!("the key {} was not asked for", short(&key)),
                "the asked keys",
                short(&key),
            );
        }
    }
}

/// Keys that must be there.
#[derive(Debug, Default)]
struct Required;

impl Check for Required {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, result)) = got(&seen) else { return };
        if !list(&call.payload, "key").is_empty() {
            return;
        }
        let there: BTreeSet<String> = known_keys(result).into_iter().collect();
        let is_profiles = |key: &&Json| {
            text(key, "key").is_some_and(|k| k.eq_ignore_ascii_case("SupportedFeatureProfiles"))
        };
        let profiles = list(result, "configurationKey")
            .iter()
            .find(is_profiles)
            .and_then(|key| text(key, "value"));
        let profiles: Vec<&str> = profiles.unwrap_or_default().split(',').map(str::trim).collect();
        let supported =
            |profile: &str| profile == "Core" || profiles.iter().any(|p| p.eq_ignore_ascii_case(profile));
        let keys = context.edition.config_keys().iter();
        let due = keys.filter(|key| key.required && supported(&key.profile) && key.access.readable());
        let missing: Vec<&str> = due
            .map(|key| key.name.as_str())
            .filter(|key| !there.contains(&key.to_ascii_lowercase()))
            .collect();
        if !missing.is_empty() {
            let message = "required configuration keys are missing";
            out.add(
                message,
                "all required keys of the supported profiles",
                format!("without {}", missing.join(", ")),
            );
        }
    }
}

/// What a value is, by the type of its key.
fn is_of(key: &ConfigKey, value: &str) -> bool {
    match key.ty {
        ConfigType::Bool => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
        // How many bits it has is nowhere said.
        ConfigType::Int => {
            let value = value.trim();
            let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
        }
        // No key of 1.6 is of the other types; of theirs the catalogue knows what fits.
        ConfigType::Decimal | ConfigType::DateTime | ConfigType::Option => key.check(value).is_ok(),
        ConfigType::List | ConfigType::Text => true,
    }
}

fn described(key: &ConfigKey) -> &'static str {
    match key.ty {
        ConfigType::Bool => "true or false",
        ConfigType::Int => "an integer",
        ConfigType::Decimal => "a number",
        ConfigType::DateTime => "a date-time",
        ConfigType::Option => "one of its values",
        ConfigType::List => "a list",
        ConfigType::Text => "text",
    }
}

/// The reported keys that the standard knows, with their index.
fn reported<'a>(context: &Context<'_>, result: &'a Json) -> Vec<(usize, &'static ConfigKey, &'a Json)> {
    let edition = context.edition;
    let keys = list(result, "configurationKey").iter().enumerate();
    keys.filter_map(|(n, key)| Some((n, edition.config_key(text(key, "key")?)?, key)))
        .collect()
}

/// Values of another type.
#[derive(Debug, Default)]
struct Values;

impl Check for Values {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((_, result)) = got(&seen) else { return };
        for (n, known, key) in reported(context, result) {
            if let Some(value) = text(key, "value").filter(|value| !known.secret && !is_of(known, value)) {
                let message = format!("{} has a value that is not of its type", known.name);
                let finding = out.add(message, described(known), format!("\"{}\"", short(value)));
                finding
                    .at(format!("/configurationKey/{n}/value"))
                    .clause(known.clause.as_str());
            }
        }
    }
}

/// Keys that can be written or not.
#[derive(Debug, Default)]
struct Readonly;

impl Check for Readonly {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some((_, result)) = got(&seen) {
            for (n, known, key) in reported(context, result) {
                let readonly = key.get("readonly").and_then(Json::as_bool);
                let wrong = match (known.access, readonly) {
                    (Access::R, Some(false)) => Some(("read-only", "readonly false", Level::Must)),
                    (Access::RW, Some(true)) => Some(("writable", "readonly true", Level::Should)),
                    _ => None,
                };
                if let Some((expected, actual, level)) = wrong {
                    let finding = out.add(
                        format!("{} has the wrong accessibility", known.name),
                        expected,
                        actual,
                    );
                    finding
                        .at(format!("/configurationKey/{n}/readonly"))
                        .clause(known.clause.as_str())
                        .level(level);
                }
            }
        }
        if let Some((key, _, answered @ ("Accepted" | "RebootRequired"))) = changed(&seen)
            && let Some(known) = context
                .edition
                .config_key(key)
                .filter(|known| known.access == Access::R)
        {
            let message = format!("{} is read-only and was changed", known.name);
            out.add(message, "Rejected", answered)
                .clause(known.clause.as_str())
                .at("/status");
        }
    }
}

/// The credential given back.
#[derive(Debug, Default)]
struct WriteOnly {
    set: Option<String>,
}

impl Check for WriteOnly {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some((key, value, "Accepted" | "RebootRequired")) = changed(&seen)
            && key.eq_ignore_ascii_case("AuthorizationKey")
        {
            self.set = Some(value.to_owned());
        }
        let Some((_, result)) = got(&seen) else { return };
        for (n, known, key) in reported(context, result) {
            let Some(value) =
                text(key, "value").filter(|value| !known.access.readable() && !value.is_empty())
            else {
                continue;
            };
            let same = self
                .set
                .as_deref()
                .is_some_and(|set| mark_of(set).eq_ignore_ascii_case(mark_of(value)));
            let message = if same {
                "the credential that was set is given back"
            } else {
                "a write-only key has a value"
            };
            // The value itself must not appear anywhere.
            let finding = out.add(format!("{}: {message}", known.name), "no value", "a value");
            finding.at(format!("/configurationKey/{n}/value"));
            if !same {
                finding.level(Level::Should);
            }
        }
    }
}

/// In a trace a secret is a mark, whose last two parts say what it stands for, whoever named it.
fn mark_of(value: &str) -> &str {
    let inner = value
        .strip_prefix("«secret:")
        .and_then(|rest| rest.strip_suffix('»'));
    inner
        .and_then(|inner| inner.split_once(':'))
        .map_or(value, |(_, rest)| rest)
}

/// Values that cannot be, accepted.
#[derive(Debug, Default)]
struct BadValue;

impl Check for BadValue {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((key, value, answered @ ("Accepted" | "RebootRequired"))) = changed(&seen) else {
            return;
        };
        // That a read-only key took a change is the business of config/readonly.
        let known = context
            .edition
            .config_key(key)
            .filter(|known| !known.secret && known.access != Access::R);
        let Some(known) = known else { return };
        let number = value
            .trim()
            .parse::<i64>()
            .ok()
            .filter(|_| known.ty == ConfigType::Int);
        let below = known.min.zip(number).is_some_and(|(min, number)| number < min);
        let above = known.max.zip(number).is_some_and(|(max, number)| number > max);
        if !is_of(known, value) || below || above || !are_measurands(context.edition, known, value) {
            let message = format!("{} took a value that it cannot have", known.name);
            let expected = format!("Rejected: it takes {}", described(known));
            out.add(message, expected, format!("{answered} for \"{}\"", short(value)))
                .at("/status");
        }
    }
}

/// False where the key lists measurands and one in the value is none (OCPP-1.6 3.16.4). A phase may follow a measurand.
fn are_measurands(edition: &Edition, key: &ConfigKey, value: &str) -> bool {
    let lists_them = [
        "MeterValuesAlignedData",
        "MeterValuesSampledData",
        "StopTxnAlignedData",
        "StopTxnSampledData",
    ];
    let Some(known) = edition.enums().find(|of| of.name == "Measurand") else {
        return true;
    };
    let is_one = |item: &str| {
        let phaseless = item.rsplit_once('.').map_or(item, |(measurand, _)| measurand);
        known
            .literals
            .iter()
            .any(|literal| literal.eq_ignore_ascii_case(item) || literal.eq_ignore_ascii_case(phaseless))
    };
    let mut items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
    !lists_them.contains(&key.name.as_str()) || items.all(is_one)
}

/// Unknown keys that take changes.
#[derive(Debug, Default)]
struct UnknownAccepted;

impl Check for UnknownAccepted {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((key, _, answered @ ("Accepted" | "RebootRequired"))) = changed(&seen) else {
            return;
        };
        let write_only = context
            .edition
            .config_key(key)
            .is_some_and(|known| !known.access.readable());
        let unknown = context
            .facts
            .fact(&format!("unknown.{}", canonical(context.edition, key)))
            .is_some();
        if unknown && !write_only {
            let message = format!("{} was called unknown and took a change", short(key));
            out.add(message, "NotSupported", answered).at("/status");
        }
    }
}

/// Known keys that are not supported.
#[derive(Debug, Default)]
struct KnownUnsupported;

impl Check for KnownUnsupported {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((key, _, "NotSupported")) = changed(&seen) else {
            return;
        };
        let key = canonical(context.edition, key);
        if fact(context, &format!("config.{key}")).is_some() {
            let message = format!("{} was reported and is now not supported", short(&key));
            out.add(message, "Rejected", "NotSupported").at("/status");
        }
    }
}

/// What the next reading must show.
#[derive(Debug)]
struct Value {
    value: String,
    set: bool,
}

/// Values that are not what was set.
#[derive(Debug, Default)]
struct ReadBack {
    values: BTreeMap<String, Value>,
}

impl Check for ReadBack {
    const WANTS: u8 = Wants::EVENT | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some((_, result)) = got(&seen) {
            for (n, key) in list(result, "configurationKey").iter().enumerate() {
                let (Some(name), Some(value)) = (text(key, "key"), text(key, "value")) else {
                    continue;
                };
                let name = canonical(context.edition, name);
                let known = context.edition.config_key(&name);
                if let Some(expected) = self.values.get(&name)
                    && !is_same(known, &expected.value, value)
                {
                    let how = if expected.set {
                        "was set to another value"
                    } else {
                        "changed by itself"
                    };
                    let message = format!("{} {how}", short(&name));
                    let finding = out.add(message, short(&expected.value), short(value));
                    finding.at(format!("/configurationKey/{n}/value"));
                    if known.is_none() {
                        finding.level(Level::Should);
                    }
                }
                self.values.remove(&name);
            }
        }
        match seen {
            Seen::Answer {
                from: Party::Us,
                call,
                ..
            } if call.action == "BootNotification" => {
                self.values.remove("HeartbeatInterval");
            }
            Seen::Event(event) => {
                if let What::Asked { verb, .. } = &event.what
                    && verb == "station.factory_reset"
                {
                    self.values.clear();
                }
            }
            _ => {}
        }
        if let Some((key, value, answered)) = changed(&seen) {
            let known = context.edition.config_key(key);
            let key = canonical(context.edition, key);
            if known.is_some_and(|known| known.secret || known.name == "SecurityProfile") {
                return;
            }
            match answered {
                "Accepted" => {
                    self.values.insert(
                        key,
                        Value {
                            value: value.to_owned(),
                            set: true,
                        },
                    );
                }
                "Rejected" => {
                    // What it was before, if that was read: it must be so still.
                    if let Some(before) = fact(context, &format!("config.{key}")) {
                        self.values.entry(key).or_insert(Value {
                            value: before.to_owned(),
                            set: false,
                        });
                    }
                }
                _ => {
                    self.values.remove(&key);
                }
            }
            if self.values.len() > 1024 {
                self.values.pop_last();
            }
        }
    }
}

/// True where two notations mean the same value.
fn is_same(known: Option<&ConfigKey>, a: &str, b: &str) -> bool {
    let items = |text: &str| -> BTreeSet<String> {
        let items = text.split(',').map(|item| item.trim().to_ascii_lowercase());
        items.filter(|item| !item.is_empty()).collect()
    };
    match known.map(|known| known.ty) {
        Some(ConfigType::Int) => match (a.trim().parse::<i64>(), b.trim().parse::<i64>()) {
            (Ok(a), Ok(b)) => a == b,
            _ => a.trim() == b.trim(),
        },
        Some(ConfigType::List) => items(a) == items(b),
        _ => a.trim().eq_ignore_ascii_case(b.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_one_value_are_the_same() {
        let key = |name| Edition::ocpp16().config_key(name);
        assert!(is_same(key("HeartbeatInterval"), "060", "60"));
        assert!(!is_same(key("HeartbeatInterval"), "60", "61"));
        assert!(is_same(
            key("MeterValuesSampledData"),
            "Voltage, SoC",
            "soc,Voltage"
        ));
        assert!(is_same(key("LocalPreAuthorize"), "TRUE", "true"));
        assert!(is_same(None, "abc", "ABC") && !is_same(None, "1", "true"));
    }

    #[test]
    fn a_mark_is_known_whoever_named_it() {
        assert_eq!(
            mark_of("«secret:key:40:ab12»"),
            mark_of("«secret:AuthorizationKey:40:ab12»")
        );
        assert_ne!(mark_of("«secret:key:40:ab12»"), mark_of("«secret:key:40:ab13»"));
        assert_eq!(mark_of("plain"), "plain");
    }
}
