//! The gate against false alarms: reference devices do anything in any order, and the judge must find nothing wrong.
//!
//! A walk is a case that a seed writes: hands, an operator, the link and the clock in any order, and no line that expects
//! anything but an answer. `SEEDS=1000 cargo test -p plugfest --bin plugfest walk -- --nocapture` takes more of them, and
//! `SEEDS=17..18` one, whose conversation is then shown.

use std::fmt::Write as _;
use std::sync::Arc;

use plugfest_case::{Library, Source};
use plugfest_judge::{CaseResult, Verdict};
use plugfest_play::driver::{Backend, BoxFuture, Driver, DriverCall, Support};
use plugfest_play::suite::plan;
use plugfest_protocol::{ConfigType, Edition};
use plugfest_trace::Outcome;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tokio::sync::watch;

use crate::embedded::{self, Dressed};
use crate::in_memory::{Common, Ticket, play_with};

/// Steps of a walk.
const STEPS: usize = 50;
/// The longest that a station takes to come back to us, in seconds: its back-off and its start.
const COMES_BACK: u32 = 300;

/// Hands that take it as it comes: what cannot be done now is done as far as it can be.
#[derive(Debug)]
struct Forgiving(Driver);

impl Backend for Forgiving {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            // Whether there was anything to unplug is the walk's affair.
            let _tried = self.0.call(call).await;
            Outcome::Done
        })
    }

    fn supports(&self, verb: &str) -> Support {
        self.0.supports(verb)
    }
}

/// A walk in the making.
struct Walk {
    rng: ChaCha8Rng,
    connectors: u32,
    text: String,
    /// Nothing can be sent to the station now.
    away: bool,
    /// It is switched off. A hand that says it has switched something on must have done so: the judge believes it.
    off: bool,
}

impl Walk {
    fn of(seed: u64, connectors: u32) -> String {
        let mut walk = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            connectors,
            text: format!(
                "case walk/{seed} \"Walk {seed}\"\n  spec     OCPP-1.6 \"4\"\n  note derived \"a walk\"\n  \
                 requires Core\n  given    booted\n  tests    station\n\n"
            ),
            away: false,
            off: false,
        };
        for _ in 0..STEPS {
            walk.step();
            if walk.rng.random_range(0..3) > 0 {
                walk.pass(90_000);
            }
        }
        walk.home();
        walk.line("csms:    ClearCache {}");
        walk.line("station: => { status: one_of(Accepted, Rejected) }");
        walk.text.push_str("end\n");
        walk.text
    }

    fn line(&mut self, line: &str) {
        // Writing to a text cannot fail.
        let _infallible = writeln!(self.text, "  {line}");
    }

    fn pass(&mut self, most: u32) {
        let millis = self.rng.random_range(1..most);
        self.line(&format!("wait     {millis}ms"));
    }

    /// Everything is mended, so that the station can be spoken to.
    fn home(&mut self) {
        if self.away {
            self.line("link     accept");
            self.line("act      net.up()");
            if self.off {
                self.line("act      station.start()");
                self.off = false;
            }
            self.line(&format!("wait     {COMES_BACK}s"));
            self.away = false;
        }
    }

    fn step(&mut self) {
        let connector = self.rng.random_range(1..=self.connectors);
        let tag = *[
            "valid", "valid2", "invalid", "expired", "blocked", "parent1", "parent2",
        ]
        .choose(&mut self.rng)
        .expect("there are tags");
        match self.rng.random_range(0..100) {
            0..20 => self.hand("ev.plug", connector),
            20..44 => {
                let place = if self.rng.random() {
                    String::new()
                } else {
                    format!(", connector: {connector}")
                };
                self.line(&format!("act      token.present($tag.{tag}{place})"));
            }
            44..58 => self.hand("ev.unplug", connector),
            58 => self.hand("ev.unplug_at_evse", connector),
            59 => self.hand("ev.plug_half", connector),
            60..62 => self.hand("ev.suspend", connector),
            62..64 => self.hand("ev.resume", connector),
            64 => self.line(&format!(
                "act      ev.draw(power: {}, connector: {connector})",
                self.rng.clone().random_range(0..22_000)
            )),
            65 => self.hand("user.stop", connector),
            66 => self.hand("lock.fail", connector),
            67..69 => self.hand("lock.clear", connector),
            69 => self.hand("fault.inject", connector),
            70..73 => self.hand("fault.clear", connector),
            73 => {
                self.line("act      net.down()");
                self.away = true;
            }
            74 if !self.off => {
                self.line("act      station.stop()");
                (self.away, self.off) = (true, true);
            }
            75 if !self.off => self.line("act      station.power_cycle()"),
            76 => self.line("link     drop"),
            77 => {
                self.line("link     drop");
                self.line("link     refuse");
                self.away = true;
            }
            78..80 => self.home(),
            _ => self.operator(connector, tag),
        }
    }

    fn hand(&mut self, verb: &str, connector: u32) {
        self.line(&format!("act      {verb}(connector: {connector})"));
    }

    fn operator(&mut self, connector: u32, tag: &str) {
        self.home();
        let any = self.rng.random_range(0..=self.connectors + 1);
        let kind = if self.rng.random() { "Soft" } else { "Hard" };
        let message = *[
            "BootNotification",
            "Heartbeat",
            "MeterValues",
            "StatusNotification",
            "DiagnosticsStatusNotification",
            "FirmwareStatusNotification",
        ]
        .choose(&mut self.rng)
        .expect("there are messages");
        let availability = if self.rng.random_range(0..3) > 0 {
            "Operative"
        } else {
            "Inoperative"
        };
        let call = match self.rng.random_range(0..20) {
            0 => format!("Reset {{ type: {kind} }}"),
            1 => format!("UnlockConnector {{ connectorId: {any} }}"),
            2 | 3 => format!("ChangeAvailability {{ connectorId: {any}, type: {availability} }}"),
            4 => format!("RemoteStartTransaction {{ idTag: $tag.{tag} }}"),
            5 | 6 => format!("RemoteStartTransaction {{ idTag: $tag.{tag}, connectorId: {connector} }}"),
            7 => format!("RemoteStopTransaction {{ transactionId: {any} }}"),
            8 => "GetConfiguration { key: absent }".to_owned(),
            9 => "ClearCache {}".to_owned(),
            10 => "DataTransfer { vendorId: $unknown.vendor }".to_owned(),
            11 | 12 => format!("TriggerMessage {{ requestedMessage: {message}, connectorId: {connector} }}"),
            _ => self.setting(),
        };
        self.line(&format!("csms:    {call}"));
        // A make-up may lack the feature profile.
        self.line("station: => {} or error any");
        if call.starts_with("Reset") {
            self.line(&format!("wait     {COMES_BACK}s"));
        }
    }

    /// A configuration key with a value that it may take, or with one that it may not.
    fn setting(&mut self) -> String {
        let keys: Vec<_> = Edition::ocpp16()
            .config_keys()
            .iter()
            .filter(|key| !key.secret)
            .collect();
        let key = keys.choose(&mut self.rng).expect("there are keys");
        let measurands = [
            "Energy.Active.Import.Register",
            "Energy.Active.Import.Register,Power.Active.Import",
            "Voltage,Current.Import",
            "",
        ];
        let odd = ["-1", "abc", "TRUE ", "99999999999999999999"];
        let value = match key.ty {
            _ if self.rng.random_range(0..12) == 0 => *odd.choose(&mut self.rng).expect("there are some"),
            ConfigType::Bool => *["true", "false"].choose(&mut self.rng).expect("there are two"),
            ConfigType::Int => *["0", "1", "5", "20", "60", "300"]
                .choose(&mut self.rng)
                .expect("there are some"),
            _ => *measurands.choose(&mut self.rng).expect("there are some"),
        };
        format!(
            "ChangeConfiguration {{ key: \"{}\", value: \"{value}\" }}",
            key.name
        )
    }
}

/// The seeds of this run: 0 to 99, unless `SEEDS` says otherwise.
fn seeds() -> std::ops::Range<u64> {
    let asked = std::env::var("SEEDS").unwrap_or_default();
    let number = |text: &str| text.trim().parse::<u64>().expect("SEEDS is `N` or `N..M`");
    match asked.split_once("..") {
        _ if asked.is_empty() => 0..100,
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&asked),
    }
}

fn told(seed: u64, makeup: &Dressed, result: &CaseResult) -> Option<String> {
    let found: Vec<String> = result
        .findings
        .iter()
        .chain(&result.aftermath)
        .map(|f| {
            format!(
                "    {} {} [{}] event {:?}: {} | expected {} | got {}",
                f.verdict, f.rule, f.clause, f.event, f.message, f.expected, f.actual
            )
        })
        .collect();
    let clean = result.verdict == Verdict::Pass && found.is_empty();
    (!clean).then(|| {
        format!(
            "seed {seed} on {}: {} {}\n{}",
            makeup.name,
            result.verdict,
            result.reason,
            found.join("\n")
        )
    })
}

#[test]
fn walks_of_the_reference_station_raise_no_false_alarm() {
    let seeds = seeds();
    let makeups = embedded::makeups();
    let dressed = |seed: u64| &makeups[usize::try_from(seed).unwrap_or(0) % makeups.len()];
    let mut sources = crate::cases::embedded();
    sources.extend(seeds.clone().map(|seed| {
        let text = Walk::of(seed, dressed(seed).connectors());
        Source::new(format!("ocpp1.6/walk/{seed}.case"), text)
    }));
    let (library, found) = Library::load(sources, &crate::cases::natives());
    let errors: Vec<_> = found.iter().filter(|d| d.is_error()).take(3).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let (_keep, interrupt) = watch::channel(None);
    let common = Common {
        library: &library,
        seed: 1,
        vary: 0,
        traces: None,
        jobs: 2,
        fail_fast: false,
        real: false,
        interrupt,
    };
    let walked = seeds.clone().into_par_iter().map(|seed| {
        let makeup = dressed(seed);
        let loaded = library.case(&format!("walk/{seed}")).expect("it was written");
        let planned = plan(&library, loaded, "station", &makeup.pics(), None, 1).remove(0);
        let ticket = Ticket {
            planned,
            dressed: Some(makeup.clone()),
        };
        let forgiving = |driver: &Driver| Driver::builtin(Arc::new(Forgiving(driver.clone())));
        let result = play_with(&common, &ticket, None, &forgiving);
        if seeds.end - seeds.start == 1 {
            for row in &result.conversation {
                println!(
                    "{:>5} {:>9} {:>8} {:<10} {:<22} {}",
                    row.seq, row.ms, row.from, row.kind, row.name, row.text
                );
            }
        }
        (result.conversation.len(), told(seed, makeup, &result))
    });
    let walked: Vec<(usize, Option<String>)> = walked.collect();
    let frames: usize = walked.iter().map(|(frames, _)| frames).sum();
    let alarms: Vec<String> = walked.into_iter().filter_map(|(_, alarm)| alarm).collect();
    println!(
        "{} walks, {frames} events, {} with alarms",
        seeds.end - seeds.start,
        alarms.len()
    );
    // A walk in which nothing happens proves nothing.
    assert!(
        frames as u64 > 100 * (seeds.end - seeds.start),
        "only {frames} events"
    );
    assert!(
        alarms.is_empty(),
        "{} walks:\n{}",
        alarms.len(),
        alarms.join("\n")
    );
}
