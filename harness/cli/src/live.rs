//! Cases against a real device: a station serially over one listening address, a CSMS with as many stations at once as
//! the pools allow.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use plugfest_case::{Library, Loaded};
use plugfest_judge::{RunEvent, Verdict};
use plugfest_play::clock::Clock;
use plugfest_play::driver::{Driver, Hands, Support};
use plugfest_play::engine::Table;
use plugfest_play::lines::{Lines, Manners, Source};
use plugfest_play::player::{Player, player};
use plugfest_play::premise::{Setup, defaults, merge, played_pics, put};
use plugfest_play::process::{Process, ProcessEvent};
use plugfest_play::suite::{Job, Planned, passed_over, plan, run_one};
use plugfest_play::transport::{Dialer, Listen};
use plugfest_play::wire::Limits;
use plugfest_protocol::Json;
use plugfest_trace::Marker;
use tokio::sync::{mpsc, watch};

use crate::args::Run;
use crate::config::{Config, Endpoint};
use crate::failure::Failure;
use crate::prompt;

/// A run against a real device.
pub(crate) struct Live<'a> {
    library: &'a Library,
    config: Config,
    run: &'a Run,
    seed: u64,
    traces: &'a Path,
    interrupt: watch::Receiver<Option<String>>,
    driver: Driver,
    marker: Marker,
    can: Vec<String>,
}

/// The profile with what the arguments override.
pub(crate) fn overridden(config: Option<Config>, run: &Run) -> Result<Option<Config>, Failure> {
    let asked = run.url.is_some() || run.listen.is_some();
    match config {
        None if asked => Err(Failure::usage("--url and --listen need a profile beside them")
            .hint("`plugfest init` writes one; it says who the device is and what it can do")),
        None => Ok(None),
        Some(mut config) => {
            config.override_endpoint(run.url.as_deref(), run.listen)?;
            Ok(Some(config))
        }
    }
}

impl<'a> Live<'a> {
    /// Sets the driver and the secrets up.
    pub(crate) fn new(
        library: &'a Library,
        config: Config,
        run: &'a Run,
        seed: u64,
        traces: &'a Path,
        interrupt: &watch::Receiver<Option<String>>,
    ) -> Result<Self, Failure> {
        let hands = Hands {
            prompter: prompt::person(run.no_input),
            builtin: None,
        };
        let driver = match &config.driver {
            Some(driver) => Driver::new(driver, &hands).map_err(|e| Failure::usage(e.to_string()))?,
            None => Driver::none(),
        };
        let mut marker = Marker::fresh().map_err(|e| Failure::bug(format!("no random key: {e}")))?;
        for (name, secret) in &config.secrets {
            marker.add(name, secret.expose().as_bytes());
        }
        let can = plugfest_case::verbs::VERBS
            .iter()
            .filter(|v| driver.supports(v.name) != Support::No)
            .map(|v| v.name.to_owned())
            .collect();
        let interrupt = interrupt.clone();
        Ok(Self {
            library,
            config,
            run,
            seed,
            traces,
            interrupt,
            driver,
            marker,
            can,
        })
    }

    /// The device in words.
    pub(crate) fn describe(&self) -> String {
        let text = match &self.config.dut.endpoint {
            Endpoint::Station { listen, .. } => {
                format!(
                    "the station {} which dials {listen}",
                    self.config.dut.identities.join(", ")
                )
            }
            Endpoint::Csms { target, .. } => format!("the CSMS at {}", target.host_header()),
        };
        self.marker.mark_text(&text).into_owned()
    }

    /// The result lines of a case.
    pub(crate) fn plan(&self, loaded: &Loaded, repetition: u32) -> Vec<Planned> {
        let role = self.config.dut.role();
        let codes = self.codes(loaded);
        plan(self.library, loaded, role, &codes, Some(&self.can), repetition)
    }

    /// Plays everything. Returns when it is over.
    pub(crate) fn play_all(&self, planned: &[Planned], sink: &Sender<RunEvent>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return self.all_in_error(planned, &format!("no runtime could be made: {error}"), sink);
            }
        };
        let done = runtime.block_on(async {
            self.driver.start().await.map_err(|e| e.to_string())?;
            let mut process = match &self.config.dut.process {
                Some(config) => Some(Process::start(config.clone()).await.map_err(|e| e.to_string())?),
                None => None,
            };
            let events = process.as_mut().map(|(_, events)| events);
            let played = match &self.config.dut.endpoint {
                Endpoint::Station { .. } => self.station(planned, events, sink).await,
                Endpoint::Csms { .. } => self.csms(planned, events, sink).await,
            };
            if let Some((process, _)) = &process {
                process.stop().await.map_err(|e| e.to_string())?;
            }
            played
        });
        if let Err(why) = done {
            self.all_in_error(planned, &why, sink);
        }
        if let Some(by) = self.interrupt.borrow().clone() {
            drop(sink.send(RunEvent::Interrupted { by }));
        }
    }

    fn all_in_error(&self, planned: &[Planned], why: &str, sink: &Sender<RunEvent>) {
        for planned in planned {
            let result = passed_over(
                &planned.line,
                Verdict::Error,
                why.to_owned(),
                Clock::real_now(),
                &self.reproduce(planned),
            );
            drop(sink.send(RunEvent::Finished(Box::new(result))));
        }
    }

    /// A station under test: one case after the other on the connections that it keeps.
    async fn station(
        &self,
        planned: &[Planned],
        mut process: Option<&mut mpsc::Receiver<ProcessEvent>>,
        sink: &Sender<RunEvent>,
    ) -> Result<(), String> {
        let listen = crate::ask::listen(&self.config.dut.endpoint)?;
        let acceptor = listen.bind().await.map_err(|e| e.to_string())?;
        let identity = self.config.dut.identities[0].clone();
        let mut lines = Lines::new(
            Source::listening(acceptor),
            self.manners(&identity, String::new()),
            self.seed,
        );
        let mut values = self.values(0);
        self.whole(&mut values);
        let edition = self.config.dut.edition;
        let mut player = player(edition, "csms", &values).ok_or("nobody plays the CSMS of this protocol")?;
        let clock = Clock::real();
        let mut facts = BTreeMap::new();
        for (number, planned) in (1..).zip(planned) {
            if self.interrupt.borrow().is_some() {
                return Ok(());
            }
            let seat = Seat {
                identity: &identity,
                clock,
                values: self.values(0),
                facts: facts.clone(),
            };
            let played = self
                .one(
                    number,
                    planned,
                    seat,
                    &mut lines,
                    player.as_mut(),
                    process.as_deref_mut(),
                    sink,
                )
                .await;
            if let Some(known) = played.known {
                facts = known;
            }
            if played.failed && self.run.fail_fast {
                drop(sink.send(RunEvent::Interrupted {
                    by: "--fail-fast".to_owned(),
                }));
                return Ok(());
            }
        }
        Ok(())
    }

    /// A CSMS under test: several stations at once, each with an identity and tags of its own.
    async fn csms(
        &self,
        planned: &[Planned],
        process: Option<&mut mpsc::Receiver<ProcessEvent>>,
        sink: &Sender<RunEvent>,
    ) -> Result<(), String> {
        let Endpoint::Csms { target, tls } = &self.config.dut.endpoint else {
            return Err("the profile names no CSMS".to_owned());
        };
        let dialer = Dialer::new(target, tls, None).map_err(|e| e.to_string())?;
        let queue: Mutex<VecDeque<(u32, &Planned)>> = Mutex::new((1..).zip(planned).collect());
        let stop = std::cell::Cell::new(false);
        // Only one case can be told what the process does; with several at once its output is nobody's evidence.
        let jobs = self.jobs();
        let process = tokio::sync::Mutex::new(process);
        let workers = (0..jobs).map(|seat| {
            let (queue, stop, dialer, process) = (&queue, &stop, dialer.clone(), &process);
            async move {
                let identity = self.config.dut.identities[seat % self.config.dut.identities.len()].clone();
                loop {
                    if stop.get() || self.interrupt.borrow().is_some() {
                        return;
                    }
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some((number, planned)) = next else { return };
                    let mut values = self.values(seat);
                    let manners = self.manners(&identity, target.path_with(""));
                    let mut lines = Lines::new(
                        Source::Dial(dialer.clone()),
                        manners,
                        self.seed ^ u64::from(number),
                    );
                    let place = Seat {
                        identity: &identity,
                        clock: Clock::real(),
                        values: values.clone(),
                        facts: BTreeMap::new(),
                    };
                    self.whole(&mut values);
                    let Some(mut player) = player(self.config.dut.edition, "station", &values) else {
                        return;
                    };
                    let mut watched = if jobs == 1 {
                        Some(process.lock().await)
                    } else {
                        None
                    };
                    let events = watched.as_mut().and_then(|guard| guard.as_deref_mut());
                    let played = self
                        .one(number, planned, place, &mut lines, player.as_mut(), events, sink)
                        .await;
                    lines.close_all(1000).await;
                    if played.failed && self.run.fail_fast {
                        stop.set(true);
                        drop(sink.send(RunEvent::Interrupted {
                            by: "--fail-fast".to_owned(),
                        }));
                    }
                }
            }
        });
        futures_util::future::join_all(workers).await;
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a case and everything it is played with"
    )]
    async fn one(
        &self,
        number: u32,
        planned: &Planned,
        seat: Seat<'_>,
        lines: &mut Lines,
        player: &mut dyn Player,
        process: Option<&mut mpsc::Receiver<ProcessEvent>>,
        sink: &Sender<RunEvent>,
    ) -> Done {
        let key = planned.line.key.clone();
        drop(sink.send(RunEvent::Started {
            key: key.clone(),
            number,
        }));
        let reproduce = self.reproduce(planned);
        if let Some((verdict, reason)) = &planned.passed_over {
            let result = passed_over(
                &planned.line,
                *verdict,
                reason.clone(),
                seat.clock.now(),
                &reproduce,
            );
            drop(sink.send(RunEvent::Finished(Box::new(result))));
            return Done {
                failed: false,
                known: None,
            };
        }
        let pics = self
            .library
            .case(&key.case)
            .map(|loaded| self.codes(loaded))
            .unwrap_or_default();
        let setup = Setup {
            dut: self.config.dut.role().to_owned(),
            identity: seat.identity.to_owned(),
            values: seat.values,
            pics,
            facts: seat.facts,
            connections: lines.open(),
            vary: self.run.vary.unwrap_or(0),
            seed: self.seed ^ u64::from(number),
            driver: Some(self.can.clone()),
        };
        let job = Job {
            library: self.library,
            planned,
            setup,
            traces: Some(self.traces),
            marker: self.marker.clone(),
            reproduce,
        };
        let table = Table {
            lines,
            player,
            driver: &self.driver,
            clock: seat.clock,
            key,
            listener: Some(sink.clone()),
            interrupt: self.interrupt.clone(),
            process,
            meeting: None,
        };
        let played = run_one(job, table).await;
        let failed = played.result.verdict == Verdict::Fail;
        drop(sink.send(RunEvent::Finished(Box::new(played.result))));
        Done {
            failed,
            known: played.outcome.map(|o| o.facts.all().clone()),
        }
    }

    fn codes(&self, loaded: &Loaded) -> BTreeMap<String, Json> {
        if self.config.dut.role() == "station" {
            return self.config.codes(self.library);
        }
        let requires = loaded.case.header.requires.as_ref().map(|r| &r.expr);
        let mut codes = played_pics(self.library.facts(&loaded.protocol), requires);
        codes.extend(self.config.pics.clone());
        codes
    }

    /// How many stations at once: what was asked for, bounded by the smallest pool.
    fn jobs(&self) -> usize {
        let pools = &self.config.pools;
        let tags = pools.tags.get("valid").map_or(0, Vec::len) / 2;
        let most = self.config.dut.identities.len().min(tags.max(1)).max(1);
        self.run.jobs.map_or(most, |n| (n as usize).min(most)).max(1)
    }

    /// The `$` values of one seat: its own tags where there are enough.
    fn values(&self, seat: usize) -> Json {
        let pools = &self.config.pools;
        let mut values = Json::Object(plugfest_protocol::Object::new());
        let mut tag = |name: &str, id: Option<&String>| {
            if let Some(id) = id {
                put(&mut values, &format!("tag.{name}"), Json::from(id));
            }
        };
        let of = |name: &str, at: usize| {
            let pool = pools.tags.get(name)?;
            pool.get(at % pool.len().max(1))
        };
        tag("valid", of("valid", seat * 2));
        tag("valid2", of("valid", seat * 2 + 1));
        for name in ["invalid", "expired", "blocked"] {
            tag(name, of(name, seat));
        }
        if let Some((parent, members)) = pools.groups.get(seat % pools.groups.len().max(1)) {
            tag("group", Some(parent));
            tag("parent1", members.first());
            tag("parent2", members.get(1));
        }
        put(
            &mut values,
            "connectors",
            Json::from(i64::from(pools.connectors.max(1))),
        );
        for (path, value) in &self.config.values {
            put(&mut values, path, value.clone());
        }
        for (group, entries) in [
            ("timeout", &self.config.timeouts),
            ("tolerance", &self.config.tolerance),
        ] {
            for (name, seconds) in entries {
                let number = plugfest_protocol::Number::parse(&seconds.to_string());
                if let Some(number) = number {
                    put(&mut values, &format!("{group}.{name}"), Json::from(number));
                }
            }
        }
        values
    }

    /// The values with the defaults of the protocol below them.
    fn whole(&self, values: &mut Json) {
        let mut whole = defaults(self.library.facts(self.config.dut.edition.name()));
        merge(&mut whole, values);
        *values = whole;
    }

    fn manners(&self, identity: &str, base_path: String) -> Manners {
        let host = match &self.config.dut.endpoint {
            Endpoint::Csms { target, .. } => target.host_header(),
            Endpoint::Station { .. } => String::new(),
        };
        Manners {
            subprotocol: self.config.dut.edition.subprotocol().to_owned(),
            identity: Some(identity.to_owned()),
            password: self.config.password(identity).map(|p| p.as_bytes().to_vec()),
            base_path,
            host,
            limits: Limits::default(),
        }
    }

    fn reproduce(&self, planned: &Planned) -> String {
        let key = &planned.line.key;
        format!(
            "plugfest --config {} run 'id:{}' --seed {}",
            self.config.path.display(),
            key.case,
            self.seed
        )
    }
}

/// Who a case is played as, and what is known when it begins.
struct Seat<'a> {
    identity: &'a str,
    clock: Clock,
    values: Json,
    facts: BTreeMap<String, Json>,
}

/// What one case leaves behind.
struct Done {
    failed: bool,
    known: Option<BTreeMap<String, Json>>,
}
