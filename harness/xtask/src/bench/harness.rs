//! The same exchange through the whole harness: the engine plays stations by a case, records every event in a file as
//! in any run, and judges it with all rules on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::future::try_join_all;
use plugfest_case::{Library, Natives, Source};
use plugfest_judge::{CaseKey, Outcome, RunEvent, Verdict};
use plugfest_play::clock::Clock;
use plugfest_play::driver::Driver;
use plugfest_play::engine::{Table, play};
use plugfest_play::lines::{Lines, Manners, Source as Origin};
use plugfest_play::player::player;
use plugfest_play::premise::{Setup, defaults, played_pics, premise, variants};
use plugfest_play::transport::Dialer;
use plugfest_play::wire::Limits;
use plugfest_protocol::{Edition, Json, Object};
use plugfest_trace::Marker;
use tokio::sync::watch;

use super::office::{Office, SUBPROTOCOL, dialer, runtime};

/// The case that a bench plays.
pub(super) const CASE: &str = "bench/played";
/// No block of a case repeats more often (the conversation's own limit), so that repetitions are nested.
const MOST_REPEATS: u64 = 1_000;

/// Cases that are loaded once and played by many stations at once.
#[derive(Debug)]
pub(super) struct Show {
    library: Library,
    edition: &'static Edition,
}

impl Show {
    /// The case with this story, with the vocabulary of OCPP 1.6 beside it.
    pub(super) fn of(story: &str) -> Result<Self> {
        let text = format!(
            "case {CASE} \"Played by a benchmark\"\n  spec OCPP-1.6 \"4.6\"\n  tests csms\n\n{story}end\n"
        );
        let facts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testcases/ocpp1.6/facts.toml");
        let facts = std::fs::read_to_string(&facts).with_context(|| facts.display().to_string())?;
        let sources = [
            Source::new("ocpp1.6/facts.toml", facts),
            Source::new("ocpp1.6/bench/played.case", text),
        ];
        let (library, found) = Library::load(sources, &Natives::new());
        if let Some(error) = found.iter().find(|it| it.is_error()) {
            bail!("the case of the benchmark: {}", error.message);
        }
        let edition = Edition::ocpp16();
        Ok(Self { library, edition })
    }

    /// One station that plays the case to its end, with a trace of its own.
    pub(super) async fn station<W: Write>(
        &self,
        number: u64,
        trace: W,
        dialer: Dialer,
        host: &str,
        on: &Backstage,
    ) -> Result<Outcome> {
        let loaded = self.library.case(CASE).context("the case of the benchmark")?;
        let variant = variants(loaded)
            .into_iter()
            .next()
            .context("a case has a variant")?;
        let identity = format!("BENCH-{number}");
        let facts = self.library.facts(self.edition.name());
        let values = defaults(facts);
        let setup = Setup {
            dut: "csms".to_owned(),
            identity: identity.clone(),
            values: Json::Object(Object::new()),
            pics: played_pics(facts, None),
            facts: BTreeMap::default(),
            connections: Vec::new(),
            vary: 0,
            seed: number,
            driver: None,
        };
        let mut played = player(self.edition, "station", &values).context("a station to play")?;
        let manners = Manners {
            subprotocol: SUBPROTOCOL.to_owned(),
            identity: Some(identity),
            password: None,
            base_path: "/".to_owned(),
            host: host.to_owned(),
            limits: Limits::default(),
        };
        let mut lines = Lines::new(Origin::Dial(dialer), manners, number);
        let table = Table {
            lines: &mut lines,
            player: played.as_mut(),
            driver: &on.driver,
            clock: Clock::real(),
            key: CaseKey {
                case: CASE.to_owned(),
                tests: "csms".to_owned(),
                variant: String::new(),
                repetition: 1,
            },
            listener: Some(on.listener.clone()),
            interrupt: on.interrupt.clone(),
            process: None,
            files: plugfest_play::files::Files::None,
            meeting: None,
        };
        let premise = premise(&self.library, loaded, &variant, &setup);
        let (outcome, _) = play(premise, trace, "benchmark", on.marker.clone(), table).await?;
        Ok(outcome)
    }
}

/// What a run has besides its stations.
#[derive(Debug)]
pub(super) struct Backstage {
    driver: Driver,
    marker: Marker,
    listener: mpsc::Sender<RunEvent>,
    interrupt: watch::Receiver<Option<String>>,
    _hand: watch::Sender<Option<String>>,
}

impl Backstage {
    /// With a listener, as reports are one, and a secret to look for in every frame.
    pub(super) fn new() -> Result<Self> {
        let (listener, heard) = mpsc::channel();
        // The reports of a run listen on a thread of their own.
        std::thread::spawn(move || while heard.recv().is_ok() {});
        let (hand, interrupt) = watch::channel(None);
        let mut marker = Marker::fresh().context("no key for marks")?;
        marker.add("password", b"a-password-of-24-letters");
        Ok(Self {
            driver: Driver::none(),
            marker,
            listener,
            interrupt,
            _hand: hand,
        })
    }
}

/// Round trips a second of stations that the harness plays, each with one CALL open at a time.
pub(super) fn round_trips(stations: u64, each: u64) -> Result<f64> {
    let show = Show::of(&heartbeats(each)?)?;
    let folder = tempfile::tempdir().context("no folder for traces")?;
    let office = Office::open()?;
    let (dialer, target) = dialer(office.address())?;
    let host = target.host_header();
    let on = Backstage::new()?;
    let began = Clock::real_now();
    let outcomes = runtime()?.block_on(async {
        let all = (0..stations).map(|number| {
            let (show, on, dialer, host) = (&show, &on, dialer.clone(), host.as_str());
            let path = folder.path().join(format!("{number}.trace"));
            async move {
                let trace = File::create(&path).with_context(|| path.display().to_string())?;
                show.station(number, trace, dialer, host, on).await
            }
        });
        try_join_all(all).await
    })?;
    let seconds = Clock::real_now().since(began).as_secs_f64();
    for outcome in &outcomes {
        passed(outcome, each)?;
    }
    Ok((stations * each) as f64 / seconds)
}

/// A figure counts only if the case was played to its end and every answer was judged good.
fn passed(outcome: &Outcome, each: u64) -> Result<()> {
    if outcome.verdict != Verdict::Pass {
        return Err(anyhow!(
            "the benchmark did not pass: {} {}",
            outcome.verdict,
            outcome.reason
        ));
    }
    // Each answer is a line that was met; no more than ten thousand are kept.
    let met = outcome.lines.len() as u64;
    if met < each.min(10_000) {
        bail!("{met} answers were met and not {each}");
    }
    Ok(())
}

/// So many Heartbeats, each with its answer.
fn heartbeats(each: u64) -> Result<String> {
    let outer = (1..=MOST_REPEATS).find(|outer| each.is_multiple_of(*outer) && each / outer <= MOST_REPEATS);
    let outer = outer.with_context(|| format!("{each} is no product of two numbers up to {MOST_REPEATS}"))?;
    let inner = each / outer;
    Ok(format!(
        "  repeat {outer}\n    repeat {inner}\n      station: Heartbeat {{}}\n      csms:    => {{ currentTime: near(now) }}\n    end\n  end\n"
    ))
}
