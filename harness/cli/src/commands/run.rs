//! `plugfest run`

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use plugfest_case::Library;
use plugfest_judge::{CaseKey, Plan, RunEvent, Verdict};
use plugfest_play::clock::Clock;
use plugfest_play::driver::{BackendConfig, Driver, Hands};
use plugfest_play::suite::{self, Planned};
use plugfest_protocol::Timestamp;
use plugfest_reports::{Format, Snapshots, exit};
use plugfest_trace::Marker;
use tokio::sync::watch;

use crate::arena::{self, Needs, Share, Show};
use crate::args::{Global, Run};
use crate::catalogue;
use crate::config::{self, Config, Endpoint};
use crate::embedded::{self, Dressed};
use crate::failure::Failure;
use crate::in_memory::{self, Common, Ticket};
use crate::out::Out;
use crate::stage::{Setting, Stage};
use crate::{cases, last, prompt, select, signals};

/// The folder of the traces below that of the run.
const TRACES: &str = "traces";
/// Stations that we are at the same time unless something else is said.
const AT_ONCE: usize = 16;

/// Who is tested.
enum Whom {
    /// The embedded reference devices, and the make-up of the station that a case gets.
    Embedded(BTreeMap<CaseKey, Dressed>),
    /// The device of a profile, and the hands at it.
    Device(Box<Config>, Driver),
}

pub(super) fn run(global: &Global, arguments: &Run, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?;
    let (planned, whom) = plan(global, arguments, &library)?;
    let shares = shares(&library, &planned, &whom, arguments);
    let marker = marker(&whom)?;
    let clock = Clock::real();
    let start = clock.now();
    let seed = arguments
        .seed
        .unwrap_or_else(|| rand::random_range(1..1_000_000_000));

    let folder = folder(arguments.out.as_deref(), start)?;
    let expect = if let Whom::Device(config, _) = &whom {
        config.expect.clone()
    } else {
        Vec::new()
    };
    let setting = Setting {
        reports: &arguments.reports,
        folder: Some(&folder),
        expect,
        strict: arguments.strict,
    };
    let mut stage = Stage::new(setting, out)?;
    if let Some(snapshots) = &arguments.snapshot {
        stage = stage.with(Snapshots::new(snapshots, io::stderr()));
    }
    out.flush()?;

    stage.hear(RunEvent::Planned(announced(
        &planned, &whom, arguments, seed, start, &marker,
    )));
    if let Whom::Device(config, _) = &whom
        && config.dut.role() == "csms"
    {
        stage.hear(RunEvent::Note {
            text: at_once(shares.len(), config),
        });
    }
    let (breaker, interrupt) = watch::channel(None);
    signals::into_channel(breaker.clone())
        .map_err(|error| Failure::undecided(format!("no signals: {error}")))?;
    let (events, heard) = mpsc::channel();
    // A URL of the command line may carry what nobody is to read.
    let again = marker.mark_text(&again(global, arguments, seed)).into_owned();
    let show = Show {
        library: &library,
        planned: &planned,
        marker,
        traces: Some(folder.join(TRACES)),
        seed,
        vary: arguments.vary.unwrap_or(0),
        again: again.clone(),
        interrupt: interrupt.clone(),
        events,
    };
    let mut story = 0;
    let played = std::thread::scope(|scope| {
        let arena = scope.spawn(|| play(show, &whom, shares, arguments));
        for mut event in heard {
            match &mut event {
                RunEvent::Finished(result) => {
                    story += result.duration_ms;
                    // The embedded devices have both sides, and what was asked for beside the case is known here.
                    if matches!(whom, Whom::Embedded(_)) {
                        let key = &result.planned.key;
                        result.reproduce = format!("{again} --select role:{} {}", key.tests, key.case);
                    }
                }
                // Said once, at the end.
                RunEvent::Interrupted { .. } => continue,
                _ => {}
            }
            if stage.hear(event) == exit::FAILED && arguments.fail_fast {
                breaker.send_if_modified(break_off);
            }
        }
        arena.join()
    });
    if let Some(by) = interrupt.borrow().clone() {
        stage.hear(RunEvent::Interrupted { by });
    }
    // On the paused clock the stories are what took time. On the real one they overlap, and the wall tells.
    let paused = is_paused(&whom, arguments);
    let wall = u64::try_from(clock.now().since(start).as_millis()).unwrap_or(u64::MAX);
    let duration = if paused { story } else { wall };
    match played {
        Ok(Ok(())) => Ok(stage.end(duration, None)),
        Ok(Err(why)) => {
            // The reports of what was played are written all the same, and say why there is no more.
            let failure = Failure::undecided(why.clone());
            stage.hear(RunEvent::Note { text: why });
            let code = stage.end(duration, Some(failure.code()));
            failure.show(&mut io::stderr().lock(), out.colour_err)?;
            Ok(code)
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The reason to break off, where there is none yet.
fn break_off(by: &mut Option<String>) -> bool {
    let new = by.is_none();
    by.get_or_insert_with(|| "--fail-fast".to_owned());
    new
}

/// Who is tested, and the result lines that will come, in the order in which they are begun.
fn plan(global: &Global, arguments: &Run, library: &Library) -> Result<(Vec<Planned>, Whom), Failure> {
    let config = device(global, arguments, library)?;
    let mut lines = catalogue::lines(library);
    if let Some(config) = &config {
        let spoken = config.dut.edition.name();
        lines.retain(|line| line.role == config.dut.role() && line.loaded.protocol == spoken);
    }
    let lines = select::choose(&arguments.selection, lines)?;
    let mut planned = Vec::new();
    let whom = match config {
        None => {
            let mut make_ups = BTreeMap::new();
            for repetition in 1..=arguments.repeat {
                for line in &lines {
                    for ticket in in_memory::tickets(library, line.loaded, line.role, repetition) {
                        make_ups.extend(
                            ticket
                                .dressed
                                .map(|dressed| (ticket.planned.line.key.clone(), dressed)),
                        );
                        planned.push(ticket.planned);
                    }
                }
            }
            Whom::Embedded(make_ups)
        }
        Some(config) => {
            let hands = Hands {
                prompter: prompt::person(arguments.asking),
                builtin: None,
            };
            let driver = config.driver(&hands)?;
            let able = arena::able(&driver);
            for repetition in 1..=arguments.repeat {
                for line in &lines {
                    let codes = arena::codes(library, &config, *line);
                    let mut one =
                        suite::plan(library, line.loaded, line.role, &codes, Some(&able), repetition);
                    for planned in &mut one {
                        let asks = planned
                            .needs
                            .verbs
                            .iter()
                            .any(|verb| is_asked(verb, &config, &driver));
                        if let Some((Verdict::Blocked, why)) = &mut planned.passed_over
                            && asks
                            && let Some(silent) = arguments.asking.refused()
                        {
                            why.push_str(": ");
                            why.push_str(silent);
                        }
                    }
                    let lacking = Needs::of(library, line.loaded).lacks(&config.pools);
                    for planned in one.iter_mut().filter(|planned| planned.passed_over.is_none()) {
                        planned.passed_over = lacking.clone().map(|why| (Verdict::Blocked, why));
                    }
                    planned.extend(one);
                }
            }
            Whom::Device(Box::new(config), driver)
        }
    };
    suite::order(&mut planned);
    if let Some(shard) = arguments.shard {
        let mut place = 0..;
        planned.retain(|_| place.next().is_some_and(|place| shard.takes(place)));
    }
    if planned.is_empty() {
        return Err(Failure::nothing("no case is left for this part of the selection")
            .hint("cut it into fewer parts"));
    }
    Ok((planned, whom))
}

/// The device of the profile, or of `--url` and `--listen`; `None` stands for the embedded ones.
fn device(global: &Global, arguments: &Run, library: &Library) -> Result<Option<Config>, Failure> {
    let given = match (&arguments.url, arguments.listen) {
        (Some(url), _) => Some(config::with_url(url, global, library)?),
        (None, Some(address)) => Some(config::with_listen(address, global, library)?),
        (None, None) => None,
    };
    match given {
        Some(config) => Ok(Some(config)),
        None if arguments.real => Ok(None),
        None => config::find(global, library),
    }
}

/// What the cases of a device may use at the same time.
fn shares(library: &Library, planned: &[Planned], whom: &Whom, arguments: &Run) -> Vec<Share> {
    let Whom::Device(config, _) = whom else {
        return Vec::new();
    };
    let most = match config.dut.endpoint {
        Endpoint::Csms { .. } => arguments.jobs.map_or(AT_ONCE, |jobs| jobs as usize),
        Endpoint::Station { .. } => 1,
    };
    let played = planned.iter().filter(|planned| planned.passed_over.is_none());
    let second = played
        .filter_map(|planned| library.case(&planned.line.key.case))
        .any(|loaded| Needs::of(library, loaded).second());
    arena::shares(&config.pools, &config.dut.identities, most, second)
}

/// How many cases run at the same time, and what bounds them.
fn at_once(shares: usize, config: &Config) -> String {
    let valid = config.pools.tags.get("valid").map_or(0, Vec::len);
    let identities = config.dut.identities.len();
    format!("{shares} cases at a time: the profile has {identities} identities and {valid} valid tags")
}

/// What replaces the secrets of a run.
fn marker(whom: &Whom) -> Result<Marker, Failure> {
    let mut marker =
        Marker::fresh().map_err(|error| Failure::undecided(format!("no random numbers: {error}")))?;
    if let Whom::Device(config, _) = whom {
        for (name, secret) in &config.secrets {
            marker.add(name, secret.expose().as_bytes());
        }
    }
    Ok(marker)
}

/// The folder of the run, with that of its traces. One of a run before is used again, anything else left alone.
fn folder(wanted: Option<&Path>, start: Timestamp) -> Result<PathBuf, Failure> {
    let unwritable = |path: &Path, error: &io::Error| {
        Failure::usage(format!(
            "the folder {} cannot be written to: {error}; nothing was run",
            path.display()
        ))
    };
    let folder = match wanted {
        Some(folder) => folder.to_owned(),
        None => {
            let stamp = start.to_rfc3339().replace(':', "-");
            let name = (1..).map(|n| {
                if n == 1 {
                    stamp.clone()
                } else {
                    format!("{stamp}-{n}")
                }
            });
            let mut free = name.filter(|name| !Path::new(last::RUNS).join(name).exists());
            let name = free.next().unwrap_or(stamp);
            let folder = Path::new(last::RUNS).join(&name);
            fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
            last::remember(&name).map_err(|error| unwritable(&folder, &error))?;
            folder
        }
    };
    let traces = folder.join(TRACES);
    let entries = |path: &Path| fs::read_dir(path).map(|entries| entries.filter_map(Result::ok));
    // A run that was killed has left its traces and what it had of its reports.
    let strange = |entry: fs::DirEntry| {
        let name = entry.file_name();
        name != TRACES && !Format::ALL.iter().any(|format| name == format.file_name())
    };
    let strangers = !folder.join(Format::Json.file_name()).exists()
        && entries(&folder).is_ok_and(|mut entries| entries.any(strange));
    if strangers && wanted.is_some() {
        return Err(Failure::usage(format!(
            "the folder {} holds something else than a run",
            folder.display()
        ))
        .hint("--out names a new folder, or that of a run which is to be replaced"));
    }
    fs::create_dir_all(&traces).map_err(|error| unwritable(&traces, &error))?;
    // Traces of the run before would be taken for this one's.
    for old in entries(&traces).map_err(|error| unwritable(&traces, &error))? {
        if old.path().extension().is_some_and(|it| it == super::judge::TRACE) {
            fs::remove_file(old.path()).map_err(|error| unwritable(&old.path(), &error))?;
        }
    }
    Ok(folder)
}

/// What is said before the first action.
fn announced(
    planned: &[Planned],
    whom: &Whom,
    arguments: &Run,
    seed: u64,
    started: Timestamp,
    marker: &Marker,
) -> Plan {
    let played = || planned.iter().filter(|planned| planned.passed_over.is_none());
    let mut facts = BTreeMap::new();
    let mut fact = |name: &str, value: String| facts.insert(name.to_owned(), value);
    let (dut, prompts) = match whom {
        Whom::Embedded(_) => {
            let place = if arguments.real {
                "over loopback TCP, on the real clock with short intervals"
            } else {
                "in this process, in memory and on the paused clock"
            };
            let names: Vec<&str> = embedded::makeups().iter().map(|dressed| dressed.name).collect();
            fact("make-ups", names.join(", "));
            (format!("the embedded reference station and CSMS, {place}"), 0)
        }
        Whom::Device(config, driver) => {
            fact("role", config.dut.role().to_owned());
            fact("protocol", config.dut.edition.name().to_owned());
            let asks = |verb: &String| is_asked(verb, config, driver);
            let by_hand = played().filter(|planned| planned.needs.verbs.iter().any(asks));
            let dut = match &config.dut.endpoint {
                Endpoint::Csms { target, .. } => {
                    let url = format!(
                        "{}://{}{}",
                        target.scheme.name(),
                        target.host_header(),
                        target.path
                    );
                    fact("url", url.clone());
                    format!("the CSMS at {url}")
                }
                Endpoint::Station { listen, .. } => {
                    fact("listen", listen.to_string());
                    let identity = config.dut.identities.first().map_or("", String::as_str);
                    format!("the station {identity}, which dials {listen}")
                }
            };
            (dut, by_hand.map(|planned| planned.needs.hands).sum())
        }
    };
    // A URL may carry what nobody is to read.
    let shown = |text: String| marker.mark_text(&text).into_owned();
    let dut = shown(dut);
    let facts = facts
        .into_iter()
        .map(|(name, value)| (name, shown(value)))
        .collect();
    Plan {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed,
        started,
        dut,
        dut_facts: facts,
        cases: planned.iter().map(|planned| planned.line.clone()).collect(),
        prompts,
        reboots: played().map(|planned| planned.needs.reboots).sum(),
        waiting_ms: played().map(|planned| planned.needs.waiting_ms).sum(),
        strict: arguments.strict,
        paused_clock: is_paused(whom, arguments),
    }
}

/// Whether everything runs in memory on the paused clock.
fn is_paused(whom: &Whom, arguments: &Run) -> bool {
    matches!(whom, Whom::Embedded(_)) && !arguments.real
}

/// Whether a person does that action.
fn is_asked(verb: &str, config: &Config, driver: &Driver) -> bool {
    driver
        .backend_of(verb)
        .is_some_and(|backend| is_person(config, backend))
}

fn is_person(config: &Config, backend: &str) -> bool {
    let backends = config.driver.as_ref().map(|driver| &driver.backends);
    backends
        .and_then(|backends| backends.get(backend))
        .is_some_and(|it| matches!(it, BackendConfig::Manual(_)))
}

/// The command that plays a case of this run again, without its id.
fn again(global: &Global, arguments: &Run, seed: u64) -> String {
    let mut words = vec!["plugfest run".to_owned(), format!("--seed {seed}")];
    words.extend(
        global
            .config
            .iter()
            .map(|path| format!("--config {}", path.display())),
    );
    words.extend(
        global
            .cases
            .iter()
            .map(|path| format!("--cases {}", path.display())),
    );
    words.extend(arguments.url.iter().map(|url| format!("--url {url}")));
    words.extend(
        arguments
            .listen
            .iter()
            .map(|address| format!("--listen {address}")),
    );
    words.extend(arguments.vary.iter().map(|vary| format!("--vary {vary}")));
    words.extend(arguments.real.then(|| "--real".to_owned()));
    words.join(" ")
}

/// Plays everything; comes back when all is played, or the run is broken off.
fn play(show: Show<'_>, whom: &Whom, shares: Vec<Share>, arguments: &Run) -> Result<(), String> {
    let (config, driver) = match whom {
        Whom::Embedded(make_ups) => {
            play_embedded(&show, make_ups, arguments);
            return Ok(());
        }
        Whom::Device(config, driver) => (config, driver),
    };
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|error| error.to_string())?;
    let played = runtime.block_on(async {
        driver.start().await.map_err(|error| error.to_string())?;
        match &config.dut.endpoint {
            Endpoint::Csms { .. } => arena::play_csms(&show, config, driver, shares).await,
            Endpoint::Station { .. } => {
                let share = shares.into_iter().next().unwrap_or_default();
                arena::play_station(&show, config, driver, &share).await
            }
        }
    });
    // A back-end that does not end keeps nobody waiting.
    runtime.shutdown_background();
    played
}

fn play_embedded(show: &Show<'_>, make_ups: &BTreeMap<CaseKey, Dressed>, arguments: &Run) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // On the real clock most of the time is waiting.
    let usual = if arguments.real { AT_ONCE } else { cores };
    let common = Common {
        library: show.library,
        seed: show.seed,
        vary: show.vary,
        traces: show.traces.clone(),
        jobs: arguments.jobs.map_or(usual, |jobs| jobs as usize),
        fail_fast: false,
        real: arguments.real,
        interrupt: show.interrupt.clone(),
    };
    let ticket = |planned: &Planned| Ticket {
        planned: planned.clone(),
        dressed: make_ups.get(&planned.line.key).cloned(),
    };
    in_memory::play_all(&common, show.planned.iter().map(ticket).collect(), &show.events);
}
