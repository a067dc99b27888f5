//! What the themes share: how a rule enters the registry, and small readings of payloads and profile values.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{Party, What};

use crate::rule::{AnswerSeen, Context, Findings, Rule, RuleInfo, Seen, Wants};

/// The editions that the rules on OCPP 1.6 hold for.
pub(super) const OCPP16: &[&str] = &["OCPP-1.6"];
/// Rules on what lies below the protocol hold for every edition.
pub(super) const EVERY: &[&str] = &[];

/// How long a message may take where the profile says nothing.
const MESSAGE: f64 = 30.0;
/// How long a promised message may take to come where the profile says nothing.
const ACTION: f64 = 60.0;
/// How long a reboot may take where the profile says nothing.
const REBOOT: f64 = 300.0;
/// How far a clock may be off where the profile says nothing.
const CLOCK: f64 = 300.0;

/// What a rule remembers, and how it judges.
pub(super) trait Check: Debug + Default + Send + 'static {
    /// What it is shown: everything but taken-apart frames, unless it says otherwise.
    const WANTS: u8 = Wants::ALL & !Wants::FRAME;
    /// Shows it one thing.
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings);
}

/// A rule's place in the registry.
pub(super) struct Entry {
    /// What it says of itself.
    pub(super) info: RuleInfo,
    dut: Option<&'static str>,
    make: fn(&'static RuleInfo, Option<&'static str>) -> Box<dyn Rule>,
}

impl Entry {
    /// A rule on stations.
    pub(super) const fn station<C: Check>(info: RuleInfo) -> Self {
        Self {
            info,
            dut: Some("station"),
            make: judge::<C>,
        }
    }

    /// A rule on CSMSs.
    pub(super) const fn csms<C: Check>(info: RuleInfo) -> Self {
        Self {
            info,
            dut: Some("csms"),
            make: judge::<C>,
        }
    }

    /// A rule on whichever side is under test.
    pub(super) const fn both<C: Check>(info: RuleInfo) -> Self {
        Self {
            info,
            dut: None,
            make: judge::<C>,
        }
    }

    /// The rule, without memory.
    pub(super) fn make(&'static self) -> Box<dyn Rule> {
        (self.make)(&self.info, self.dut)
    }
}

fn judge<C: Check>(info: &'static RuleInfo, dut: Option<&'static str>) -> Box<dyn Rule> {
    Box::new(Judging {
        info,
        dut,
        check: C::default(),
    })
}

#[derive(Debug)]
struct Judging<C> {
    info: &'static RuleInfo,
    dut: Option<&'static str>,
    check: C,
}

impl<C: Check> Rule for Judging<C> {
    fn info(&self) -> &'static RuleInfo {
        self.info
    }

    fn wants(&self) -> u8 {
        C::WANTS
    }

    fn judges(&self, dut: &str) -> bool {
        self.dut.is_none_or(|own| own == dut)
    }

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.check.see(context, seen, out);
    }
}

/// A duration of the profile: a number of seconds, or a text such as `30s`, `500ms`, `5m`, `1h`.
pub(super) fn duration(values: &Json, group: &str, name: &str, default: f64) -> Duration {
    let value = values.get(group).and_then(|group| group.get(name));
    let seconds = match value {
        Some(Json::Number(number)) => number.text().parse().ok(),
        Some(Json::String(text)) => seconds_of(text),
        _ => None,
    };
    let seconds = seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0 && *seconds < 1e9);
    Duration::from_secs_f64(seconds.unwrap_or(default))
}

fn seconds_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Some(number.trim().parse::<f64>().ok()? * factor)
}

/// How long the answer to a CALL may take: `timeout.message`.
pub(super) fn message_timeout(context: &Context<'_>) -> Duration {
    duration(context.values, "timeout", "message", MESSAGE)
}

/// How long something promised may take to happen: `timeout.action`.
pub(super) fn action_timeout(context: &Context<'_>) -> Duration {
    duration(context.values, "timeout", "action", ACTION)
}

/// How long a reboot may take: `timeout.reboot`.
pub(super) fn reboot_timeout(context: &Context<'_>) -> Duration {
    duration(context.values, "timeout", "reboot", REBOOT)
}

/// How far a clock may be off: `tolerance.clock`.
pub(super) fn clock_tolerance(context: &Context<'_>) -> Duration {
    duration(context.values, "tolerance", "clock", CLOCK)
}

/// A text field of a payload.
pub(super) fn text<'a>(payload: &'a Json, field: &str) -> Option<&'a str> {
    payload.get(field).and_then(Json::as_str)
}

/// An integer field of a payload.
pub(super) fn int(payload: &Json, field: &str) -> Option<i64> {
    payload.get(field).and_then(Json::as_i64)
}

/// A date-time field of a payload, as far as it can be read.
pub(super) fn instant(payload: &Json, field: &str) -> Option<Timestamp> {
    Timestamp::parse(text(payload, field)?).ok()
}

/// The `status` of a CALLRESULT.
pub(super) fn status<'a>(answer: &AnswerSeen<'a>) -> Option<&'a str> {
    match answer {
        AnswerSeen::Result(payload) => text(payload, "status"),
        AnswerSeen::Error { .. } => None,
    }
}

/// A text of the DUT, short enough to be shown.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// A duration as people read it: `31.2 s`.
pub(super) fn shown(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A fact that is a text.
pub(super) fn fact<'a>(context: &Context<'a>, path: &str) -> Option<&'a str> {
    context.facts.fact(path).and_then(Json::as_str)
}

/// A fact that is a whole number, also where it is kept as text.
pub(super) fn number_fact(context: &Context<'_>, path: &str) -> Option<i64> {
    let fact = context.facts.fact(path)?;
    fact.as_i64().or_else(|| fact.as_str()?.trim().parse().ok())
}

/// How many connectors the station is known to have.
pub(super) fn connectors(context: &Context<'_>) -> Option<i64> {
    number_fact(context, "config.NumberOfConnectors").filter(|n| (1..=1000).contains(n))
}

/// True where a connection is that of the identity at hand; one that no event introduced belongs to the premise.
pub(super) fn is_own(context: &Context<'_>, conn: u32) -> bool {
    context
        .ledger
        .links()
        .get(&conn)
        .is_none_or(|link| link.identity == context.identity)
}

/// A map that forgets its oldest entries.
#[derive(Debug)]
pub(super) struct Bounded<K, V> {
    entries: HashMap<K, V>,
    order: VecDeque<K>,
    most: usize,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            most: 4096,
        }
    }
}

impl<K: Eq + Hash + Clone, V> Bounded<K, V> {
    /// Keeps a value; gives back the one that the key had.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.entries.insert(key.clone(), value);
        if old.is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        old
    }

    /// The value of a key.
    pub(super) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key)
    }

    /// The value of a key, to change.
    pub(super) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get_mut(key)
    }

    /// True where the key is kept.
    pub(super) fn contains<Q>(&self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.contains_key(key)
    }
}

/// Verbs of the driver after which a station restarts.
const RESTARTING: [&str; 3] = ["station.power_cycle", "station.start", "station.factory_reset"];
/// Verbs of the driver after which a DUT may be gone for a while.
const DEPARTING: [&str; 7] = [
    "station.power_cycle",
    "station.stop",
    "station.factory_reset",
    "station.set_url",
    "station.set_password",
    "net.down",
    "csms.station",
];

/// Remembers whether the DUT has a reason to be away, so that silence and lost connections prove nothing.
#[derive(Debug, Default)]
pub(super) struct Away {
    excused: bool,
}

impl Away {
    /// True where the DUT may be away for a reason that the story gave it.
    pub(super) fn is_excused(&self) -> bool {
        self.excused
    }

    /// Learns from one thing. Call it after judging.
    pub(super) fn see(&mut self, seen: Seen<'_>) {
        match seen {
            Seen::Event(event) => match &event.what {
                What::Asked { verb, .. } if DEPARTING.contains(&verb.as_str()) => self.excused = true,
                What::Opened { .. } => self.excused = false,
                What::Link { op } if op != "accept" => self.excused = true,
                What::Closing { from: Party::Us, .. } | What::Closed { by: Party::Us, .. } => {
                    self.excused = true;
                }
                _ => {}
            },
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } => {
                let key = text(&call.payload, "key").unwrap_or_default();
                let reconnects = ["AuthorizationKey", "SecurityProfile", "CpoName"];
                self.excused |= match call.action.as_str() {
                    "Reset" => status(&answer) == Some("Accepted"),
                    "UpdateFirmware" | "SignedUpdateFirmware" | "CertificateSigned" => true,
                    "ChangeConfiguration" => reconnects.iter().any(|name| name.eq_ignore_ascii_case(key)),
                    _ => false,
                };
            }
            // A station that has been told to wait may close the connection meanwhile.
            Seen::Answer {
                from: Party::Us,
                call,
                answer,
                ..
            } if call.action == "BootNotification" => {
                self.excused = status(&answer) != Some("Accepted");
            }
            _ => {}
        }
    }
}

/// Remembers when the station was last seen, or made, to restart.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    reset: bool,
    last: Option<Timestamp>,
}

impl Restarts {
    /// True where the station has a known reason to have restarted after that moment.
    pub(super) fn since(&self, moment: Timestamp) -> bool {
        self.last.is_some_and(|last| last >= moment)
    }

    /// Learns from one thing. Call it after judging.
    pub(super) fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        match seen {
            Seen::Event(event) => match &event.what {
                What::Asked { verb, .. } if RESTARTING.contains(&verb.as_str()) => {
                    self.last = Some(context.at);
                }
                What::Process { what, .. } if what == "exited" || what == "started" => {
                    self.last = Some(context.at);
                }
                What::Closed { .. } if self.reset => self.last = Some(context.at),
                _ => {}
            },
            Seen::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } if call.action == "Reset" && status(&answer) == Some("Accepted") => {
                self.reset = true;
                self.last = Some(context.at);
            }
            Seen::Answer {
                from: Party::Dut,
                call,
                ..
            } if call.action.ends_with("UpdateFirmware") => {
                self.reset = true;
            }
            Seen::Call {
                from: Party::Dut,
                action: "BootNotification",
                ..
            } => {
                if self.reset {
                    self.last = Some(context.at);
                }
                self.reset = false;
            }
            _ => {}
        }
    }
}

/// What the driver asked a CSMS to send: its own timing is not judged then.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    actions: VecDeque<String>,
}

impl Ordered {
    /// Learns from one thing. Call it before judging.
    pub(super) fn see(&mut self, seen: Seen<'_>) {
        let Seen::Event(event) = seen else { return };
        if let What::Asked { verb, args, .. } = &event.what
            && verb == "csms.call"
        {
            self.actions
                .push_back(text(args, "action").unwrap_or("*").to_owned());
            if self.actions.len() > 64 {
                self.actions.pop_front();
            }
        }
    }

    /// True where the driver asked for it; each order is used up.
    pub(super) fn take(&mut self, action: &str) -> bool {
        let at = self
            .actions
            .iter()
            .position(|ordered| ordered == action || ordered == "*");
        at.and_then(|at| self.actions.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_text_with_a_unit() {
        let values = Json::parse(r#"{"timeout":{"message":5,"action":"1.5m","reboot":"soon"}}"#).unwrap();
        let of = |name| duration(&values, "timeout", name, 7.0);
        assert_eq!(of("message"), Duration::from_secs(5));
        assert_eq!(of("action"), Duration::from_secs(90));
        assert_eq!(of("reboot"), Duration::from_secs(7));
        assert_eq!(
            duration(&Json::Null, "timeout", "message", 7.0),
            Duration::from_secs(7)
        );
        assert_eq!(seconds_of("500ms"), Some(0.5));
    }

    #[test]
    fn a_bounded_map_forgets_the_oldest() {
        let mut map = Bounded {
            most: 2,
            ..Bounded::default()
        };
        for n in 0..3 {
            assert_eq!(map.insert(n, n), None);
        }
        assert!(!map.contains(&0) && map.contains(&2));
        assert_eq!(map.insert(2, 9), Some(2));
        assert_eq!(map.get(&2), Some(&9));
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(short("ä"), "ä");
        assert_eq!(short(&"ä".repeat(200)).chars().count(), 81);
    }
}
