//! Cases against the embedded reference devices: in memory, on the paused clock, one runtime per case, as many threads
//! as cores. Every case gets devices of its own, so nothing one case did is seen by the next.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use plugfest_case::{Library, Loaded};
use plugfest_judge::{CaseResult, RunEvent, Verdict};
use plugfest_play::clock::Clock;
use plugfest_play::driver::Driver;
use plugfest_play::engine::Table;
use plugfest_play::files::{Fetch, FileServer, Files, Shelf};
use plugfest_play::lines::{Lines, Manners, Source};
use plugfest_play::player::player;
use plugfest_play::premise::{Setup, played_pics};
use plugfest_play::suite::{Job, Planned, passed_over, plan, run_one};
use plugfest_play::transport::{Dialer, Listen, MemoryHub};
use plugfest_play::wire::Limits;
use plugfest_trace::Marker;
use tokio::sync::watch;

use crate::embedded::{self, Dressed, IDENTITY};
use crate::mutants::Flaw;

/// Where the file server of an embedded device stands: a name that no network has, inside the process.
const FILES: &str = "http://files.invalid";

/// One case to be played against an embedded device.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    /// The planned line.
    pub(crate) planned: Planned,
    /// The make-up of the station, where a station is under test.
    pub(crate) dressed: Option<Dressed>,
}

/// What all cases of an in-memory run share.
#[derive(Debug)]
pub(crate) struct Common<'a> {
    /// All cases.
    pub(crate) library: &'a Library,
    /// The seed of the run.
    pub(crate) seed: u64,
    /// Branches of the played side; 0 plays as written.
    pub(crate) vary: u64,
    /// Where traces go.
    pub(crate) traces: Option<PathBuf>,
    /// How many cases at a time.
    pub(crate) jobs: usize,
    /// Stop at the first case that fails.
    pub(crate) fail_fast: bool,
    /// Over TCP on the loopback interface and on the real clock, with short intervals, instead of in memory.
    pub(crate) real: bool,
    /// Breaks the run off.
    pub(crate) interrupt: watch::Receiver<Option<String>>,
}

/// Plans one case for one role: the first make-up that it applies to, or why it applies to none.
pub(crate) fn tickets(library: &Library, loaded: &Loaded, role: &str, repetition: u32) -> Vec<Ticket> {
    if role == "csms" {
        let requires = loaded.case.header.requires.as_ref().map(|r| &r.expr);
        let codes = played_pics(library.facts(&loaded.protocol), requires);
        let planned = plan(library, loaded, role, &codes, None, repetition);
        return planned
            .into_iter()
            .map(|planned| Ticket {
                planned,
                dressed: None,
            })
            .collect();
    }
    let mut first = None;
    for dressed in embedded::makeups() {
        let planned = plan(library, loaded, role, &dressed.pics(), None, repetition);
        let tickets: Vec<Ticket> = planned
            .into_iter()
            .map(|planned| Ticket {
                planned,
                dressed: Some(dressed.clone()),
            })
            .collect();
        if tickets.iter().all(|t| t.planned.passed_over.is_none()) {
            return tickets;
        }
        first.get_or_insert(tickets);
    }
    first.unwrap_or_default()
}

/// Plans one case for a station on every make-up behind the first that it applies to.
pub(crate) fn tickets_elsewhere(library: &Library, loaded: &Loaded, role: &str) -> Vec<Ticket> {
    if role == "csms" {
        return Vec::new();
    }
    let on = |dressed: Dressed| {
        let planned = plan(library, loaded, role, &dressed.pics(), None, 1);
        let applies = planned.iter().all(|planned| planned.passed_over.is_none());
        let ticket = move |planned| Ticket {
            planned,
            dressed: Some(dressed.clone()),
        };
        applies.then(|| planned.into_iter().map(ticket).collect::<Vec<_>>())
    };
    embedded::makeups()
        .into_iter()
        .filter_map(on)
        .skip(1)
        .flatten()
        .collect()
}

/// Plays all tickets; events go to `sink` as they happen. Returns when everything is over.
pub(crate) fn play_all(common: &Common<'_>, tickets: Vec<Ticket>, sink: &Sender<RunEvent>) {
    let queue: Mutex<VecDeque<(u32, Ticket)>> = Mutex::new((1..).zip(tickets).collect());
    let stop = Mutex::new(None::<String>);
    let workers = common.jobs.max(1);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    if stop.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                        return;
                    }
                    if let Some(by) = common.interrupt.borrow().clone() {
                        *stop.lock().unwrap_or_else(PoisonError::into_inner) = Some(by);
                        return;
                    }
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((number, ticket)) = next else { return };
                    let key = ticket.planned.line.key.clone();
                    // The receiver lives as long as the run.
                    drop(sink.send(RunEvent::Started { key, number }));
                    // On the paused clock nobody can watch anybody wait.
                    let listener = common.real.then(|| sink.clone());
                    let result = play_one(common, &ticket, &Flaw::default(), listener);
                    let failed = result.verdict == Verdict::Fail;
                    drop(sink.send(RunEvent::Finished(Box::new(result))));
                    if failed && common.fail_fast {
                        *stop.lock().unwrap_or_else(PoisonError::into_inner) = Some("--fail-fast".to_owned());
                    }
                }
            });
        }
    });
    let stopped = stop.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(by) = stopped {
        drop(sink.send(RunEvent::Interrupted { by }));
    }
}

/// Plays one ticket on a runtime of its own.
pub(crate) fn play_one(
    common: &Common<'_>,
    ticket: &Ticket,
    flaw: &Flaw,
    listener: Option<Sender<RunEvent>>,
) -> CaseResult {
    play_flawed(common, ticket, flaw, listener, &Driver::clone)
}

/// As [`play_one`], by hands that are made of those of the device.
#[cfg(test)]
pub(crate) fn play_with(
    common: &Common<'_>,
    ticket: &Ticket,
    listener: Option<Sender<RunEvent>>,
    hands: &dyn Fn(&Driver) -> Driver,
) -> CaseResult {
    play_flawed(common, ticket, &Flaw::default(), listener, hands)
}

fn play_flawed(
    common: &Common<'_>,
    ticket: &Ticket,
    flaw: &Flaw,
    listener: Option<Sender<RunEvent>>,
    hands: &dyn Fn(&Driver) -> Driver,
) -> CaseResult {
    let line = &ticket.planned.line;
    let reproduce = reproduce(ticket, common);
    if let Some((verdict, reason)) = &ticket.planned.passed_over {
        return passed_over(line, *verdict, reason.clone(), Clock::fixed_start(), &reproduce);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(!common.real)
        .build();
    let broken = |why: String| passed_over(line, Verdict::Error, why, Clock::fixed_start(), &reproduce);
    match runtime {
        Ok(runtime) => runtime
            .block_on(against_device(
                common,
                ticket,
                flaw,
                listener,
                hands,
                reproduce.clone(),
            ))
            .unwrap_or_else(broken),
        Err(error) => broken(format!("no runtime could be made: {error}")),
    }
}

fn reproduce(ticket: &Ticket, common: &Common<'_>) -> String {
    let key = &ticket.planned.line.key;
    let mut command = format!(
        "plugfest run 'id:{} and role:{}' --seed {}",
        key.case, key.tests, common.seed
    );
    if common.vary != 0 {
        command.push_str(&format!(" --vary {}", common.vary));
    }
    command
}

async fn against_device(
    common: &Common<'_>,
    ticket: &Ticket,
    flaw: &Flaw,
    listener: Option<Sender<RunEvent>>,
    hands: &dyn Fn(&Driver) -> Driver,
    reproduce: String,
) -> Result<CaseResult, String> {
    let key = &ticket.planned.line.key;
    let loaded = common
        .library
        .case(&key.case)
        .ok_or_else(|| format!("no case {}", key.case))?;
    let edition = loaded
        .edition()
        .ok_or_else(|| format!("{} has no catalogue", loaded.protocol))?;
    let dut = key.tests.as_str();
    let ours = if dut == "station" { "csms" } else { "station" };
    let seed = common.seed ^ u64::from(key.repetition - 1);
    let clock = if common.real {
        Clock::real()
    } else {
        Clock::starting_at(Clock::fixed_start())
    };

    let mut values = embedded::values();
    if common.real {
        values.merge(&embedded::short_intervals());
    }
    if let Some(dressed) = &ticket.dressed {
        values.merge(&dressed.values());
    }
    let manners = Manners {
        subprotocol: edition.subprotocol().to_owned(),
        identity: Some(IDENTITY.to_owned()),
        password: (dut == "csms").then(|| embedded::PASSWORD.to_vec()),
        base_path: "/ocpp".to_owned(),
        host: "localhost".to_owned(),
        limits: Limits::default(),
    };
    let start = clock.now();
    let listen = if common.real {
        Listen::Tcp(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))
    } else {
        Listen::Memory(MemoryHub::default())
    };
    let acceptor = listen.bind().await.map_err(|e| e.to_string())?;
    let dialer = match (&listen, acceptor.local_address()) {
        (Listen::Memory(hub), _) => Dialer::Memory(hub.clone()),
        (_, Some(address)) => Dialer::Tcp {
            host: address.ip().to_string(),
            port: address.port(),
            source: None,
        },
        (_, None) => return Err("the listener has no address".to_owned()),
    };
    let files_hub = MemoryHub::default();
    let (device, source, pics) = match &ticket.dressed {
        Some(dressed) => {
            let files = Dialer::Memory(files_hub.clone());
            let device = dressed.start(dialer, files, start, seed, flaw)?;
            (device, Source::listening(acceptor), dressed.pics())
        }
        None => {
            let device = embedded::csms(acceptor, &values, start, seed, flaw);
            let requires = loaded.case.header.requires.as_ref().map(|r| &r.expr);
            let pics = played_pics(common.library.facts(&loaded.protocol), requires);
            (device, Source::Dial(dialer), pics)
        }
    };
    let mut lines = Lines::new(source, manners, seed);
    let mut file_server = match dut {
        "station" => {
            let acceptor = Listen::Memory(files_hub.clone()).bind().await;
            let acceptor = acceptor.map_err(|e| e.to_string())?;
            values.merge(&Shelf::values(FILES));
            Some(FileServer::new(acceptor, FILES.to_owned(), Shelf::new(None)))
        }
        _ => None,
    };
    let setup = Setup {
        dut: dut.to_owned(),
        identity: IDENTITY.to_owned(),
        values,
        pics,
        facts: BTreeMap::new(),
        connections: Vec::new(),
        vary: common.vary,
        seed,
        driver: None,
    };
    let premise_values =
        plugfest_play::premise::premise(common.library, loaded, &ticket.planned.variant, &setup).values;
    let mut player = player(edition, ours, &premise_values)
        .ok_or_else(|| format!("nobody plays {ours} of {}", edition.name()))?;
    let job = Job {
        library: common.library,
        planned: &ticket.planned,
        setup,
        traces: common.traces.as_deref().map(Path::new),
        marker: Marker::none(),
        reproduce,
    };
    let driver = hands(device.driver());
    let table = Table {
        lines: &mut lines,
        player: player.as_mut(),
        driver: &driver,
        clock,
        key: key.clone(),
        listener,
        interrupt: common.interrupt.clone(),
        process: None,
        files: file_server.as_mut().map_or_else(
            || {
                Files::Made(Fetch {
                    hub: Some(files_hub.clone()),
                })
            },
            Files::Served,
        ),
        meeting: None,
    };
    let played = run_one(job, table).await;
    drop(device);
    Ok(played.result)
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    fn library() -> Library {
        let (library, found) = Library::load(crate::cases::embedded(), &crate::cases::natives());
        let errors: Vec<_> = found.iter().filter(|d| d.is_error()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        library
    }

    /// The table make-up × case × verdict: every case is executed somewhere and passes wherever it is executed.
    #[test]
    fn every_case_passes_on_every_make_up_of_the_reference_devices() {
        let library = library();
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
        let only = std::env::var("ONLY").unwrap_or_default();
        let mut tickets = Vec::new();
        for loaded in library.cases().filter(|l| l.case.id.contains(&only)) {
            for role in roles(loaded) {
                // A wrong frame is as wrong for one make-up as for another.
                if role == "csms" || library.is_generated(&loaded.path) {
                    tickets.extend(super::tickets(&library, loaded, role, 1));
                    continue;
                }
                for dressed in embedded::makeups() {
                    let planned = plan(&library, loaded, role, &dressed.pics(), None, 1);
                    tickets.extend(planned.into_iter().map(|planned| Ticket {
                        planned,
                        dressed: Some(dressed.clone()),
                    }));
                }
            }
        }
        let results = tickets.into_par_iter().map(|ticket| {
            let result = play_one(&common, &ticket, &Flaw::default(), None);
            let makeup = ticket.dressed.as_ref().map_or("csms", |d| d.name).to_owned();
            (ticket.planned.line.key.to_string(), makeup, result)
        });
        let results: Vec<(String, String, CaseResult)> = results.collect();
        let mut table: BTreeMap<String, BTreeMap<String, Verdict>> = BTreeMap::new();
        let mut bad = Vec::new();
        for (key, makeup, result) in results {
            if !matches!(result.verdict, Verdict::Pass | Verdict::NotApplicable) {
                let found: Vec<_> = result
                    .findings
                    .iter()
                    .map(|f| {
                        format!(
                            "    {} {} [{}]: {} | expected {} | got {}",
                            f.verdict, f.rule, f.clause, f.message, f.expected, f.actual
                        )
                    })
                    .collect();
                bad.push(format!(
                    "{key} on {makeup}: {} {}\n{}",
                    result.verdict,
                    result.reason,
                    found.join("\n")
                ));
                if !only.is_empty() {
                    for row in &result.conversation {
                        println!(
                            "{:>8} {:>8} {:<10} {:<22} {}",
                            row.ms,
                            row.from,
                            row.kind,
                            row.name,
                            row.text.chars().take(160).collect::<String>()
                        );
                    }
                }
            }
            table.entry(key).or_default().insert(makeup, result.verdict);
        }
        for (key, row) in &table {
            let cells: Vec<_> = row
                .iter()
                .map(|(makeup, verdict)| format!("{makeup} {verdict}"))
                .collect();
            println!("{key}: {}", cells.join(", "));
        }
        let nowhere: Vec<_> = table
            .iter()
            .filter(|(_, row)| row.values().all(|v| *v == Verdict::NotApplicable))
            .map(|(k, _)| k)
            .collect();
        assert!(nowhere.is_empty(), "executed nowhere: {nowhere:#?}");
        assert!(
            bad.is_empty(),
            "{} of {}:\n{}",
            bad.len(),
            table.len(),
            bad.join("\n")
        );
    }

    fn roles(loaded: &Loaded) -> Vec<&'static str> {
        ["station", "csms"]
            .into_iter()
            .filter(|role| {
                loaded
                    .case
                    .header
                    .tests
                    .as_ref()
                    .is_none_or(|t| t.iter().any(|w| w.text == *role))
            })
            .collect()
    }
}
