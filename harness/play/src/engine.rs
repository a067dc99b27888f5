//! Plays one case: feeds the session each event as it is recorded and carries out its commands.
//!
//! It writes what happened and never what it means. Everything is one sequence: the next fact is recorded, then judged,
//! then acted upon.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use plugfest_case::ir::{Link, WelcomeForm};
use plugfest_case::raw::{FRESH_ID, SAME_ID};
use plugfest_judge::{CaseKey, Command, Dialect, Outcome, RunEvent, Session, SessionError, Waiting, dialect};
use plugfest_protocol::{Edition, Frame, Json, Object, Part, Timestamp};
use plugfest_trace::{Cause, Event, Marker, Party, Premise, Recorder, What, WriteError};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Barrier, mpsc, watch};

use crate::clock::Clock;
use crate::driver::{Driver, DriverCall};
use crate::files::{Fetch, Files};
use crate::lines::{Dialling, Gate, Lines};
use crate::player::{Player, Reply, reply};

/// A trace never grows beyond this; a flooding DUT ends the case instead.
const MAX_TRACE_EVENTS: u64 = 200_000;
/// A side of a self-play waits no longer for the other at a stage.
const STAGE_PATIENCE: Duration = Duration::from_mins(15);
/// In self-play what a side does comes this much after the moment that both sides reach at once, so that the other
/// side, whose deadline is the same moment, is past it.
const AFTER_YOU: Duration = Duration::from_millis(1);
/// A station that was refused or cut off tries again after this.
const REDIAL: Duration = Duration::from_secs(1);
/// A wait is told of when something has happened so long ago: nobody reads of a shorter one, and waking the reports for
/// every message would cost more than the message.
const SETTLED: Duration = Duration::from_millis(100);
/// A wait that has lasted so long is told of once more, for those who see no bar.
const REMINDER: Duration = Duration::from_secs(10);
/// CALLs of ours that may wait for their turn.
const MAX_QUEUE: usize = 10_000;

/// Why a case could not be played.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The trace could not be written.
    #[error(transparent)]
    Trace(#[from] WriteError),
    /// The premise cannot be judged: a fault of ours or of the case file.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// What a case is played with.
pub struct Table<'a> {
    /// The connections of the side that we play; they outlive the case where the DUT is a station.
    pub lines: &'a mut Lines,
    /// The ordinary behaviour of that side.
    pub player: &'a mut dyn Player,
    /// The hands.
    pub driver: &'a Driver,
    /// The clock.
    pub clock: Clock,
    /// Which result line this is.
    pub key: CaseKey,
    /// Listens to what is going on.
    pub listener: Option<std::sync::mpsc::Sender<RunEvent>>,
    /// Becomes `Some(why)` when the run is broken off.
    pub interrupt: watch::Receiver<Option<String>>,
    /// What the DUT's own process does.
    pub process: Option<&'a mut mpsc::Receiver<crate::process::ProcessEvent>>,
    /// The file transfers of the side that we play.
    pub files: Files<'a>,
    /// In self-play, where the two sides meet before each stage.
    pub meeting: Option<Arc<Barrier>>,
}

impl std::fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Plays the case of a premise to its end and judges it on the way.
pub async fn play<W: Write>(
    premise: Premise,
    out: W,
    path: &str,
    marker: Marker,
    on: Table<'_>,
) -> Result<(Outcome, W), EngineError> {
    let edition = Edition::by_name(&premise.protocol)
        .ok_or_else(|| SessionError::Protocol(premise.protocol.clone()))?;
    let dialect = dialect(edition).ok_or_else(|| SessionError::Protocol(premise.protocol.clone()))?;
    let seed = premise.seed;
    let dut = premise.dut.clone();
    let told = told_actions(&premise);
    let now = on.clock.now();
    let (recorder, first) = Recorder::start(out, path, marker, now, premise)?;
    let What::Premise(recorded) = &first.what else {
        return Err(SessionError::NoCase("premise".to_owned()).into());
    };
    let patience = number_at(&recorded.values, "message").unwrap_or(30);
    let probed_by = recorded.dut.clone();
    let (session, commands) = Session::new(recorded, now)?;
    // The texts of the case are in the trace now; a thousand stations at once must not hold them a thousand times.
    drop(first);
    let (finished, outcomes) = mpsc::unbounded_channel();
    let ours = if dut == "station" { "csms" } else { "station" };
    let mut game = Game {
        edition,
        dialect,
        ours,
        dut: probed_by,
        on,
        recorder,
        session,
        rng: ChaCha8Rng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15),
        queue: VecDeque::new(),
        raw_id: String::new(),
        flying: None,
        requests: BTreeMap::new(),
        finished,
        outcomes,
        told,
        patience: Duration::from_secs(patience),
        redial: None,
        transfers: 0,
        done: false,
        said: None,
        said_at: None,
        remind: None,
        broken_off: false,
    };
    game.carry_out(commands).await?;
    game.run().await?;
    let (out, event) = game.recorder.finish(game.on.clock.now())?;
    let mut session = game.session;
    session.step(&event);
    Ok((session.outcome(), out))
}

/// Something of ours that waits for its turn.
#[derive(Debug)]
enum Outgoing {
    /// A CALL.
    Call {
        action: String,
        payload: Json,
        cause: Cause,
    },
    /// A frame as it stands in the case.
    Raw(Vec<u8>),
}

/// A CALL of ours that waits for its answer.
#[derive(Debug)]
struct Flying {
    conn: u32,
    id: String,
    /// Action and payload; `None` for a frame of the case, from whose answer our side learns nothing.
    asked: Option<(String, Json)>,
    until: Timestamp,
}

struct Game<'a, W> {
    edition: &'static Edition,
    dialect: &'static dyn Dialect,
    ours: &'static str,
    dut: String,
    on: Table<'a>,
    recorder: Recorder<W>,
    session: Session,
    rng: ChaCha8Rng,
    queue: VecDeque<Outgoing>,
    /// The message id that the last `<id>` of a `raw` line became.
    raw_id: String,
    flying: Option<Flying>,
    /// CALLs of the DUT that are not answered yet, by connection and id: action and payload.
    requests: BTreeMap<(u32, String), (String, Json)>,
    finished: mpsc::UnboundedSender<What>,
    outcomes: mpsc::UnboundedReceiver<What>,
    /// Actions that the case itself tells for our side: the model leaves them to it.
    told: Vec<String>,
    patience: Duration,
    redial: Option<Timestamp>,
    /// File transfers of ours so far.
    transfers: u32,
    done: bool,
    /// What was last said to be waited for, and when.
    said: Option<Waiting>,
    said_at: Option<Timestamp>,
    /// When to look whether there is something to say.
    remind: Option<Timestamp>,
    broken_off: bool,
}

impl<W: Write> Game<'_, W> {
    async fn run(&mut self) -> Result<(), EngineError> {
        if self.on.lines.dials() && self.on.lines.newest().is_none() {
            self.on.lines.dial(Dialling::default());
        }
        self.settle();
        while !self.done {
            self.pump().await?;
            if self.done {
                break;
            }
            let wake = self.wake();
            let clock = self.on.clock;
            let turn = tokio::select! {
                biased;
                broken = broken_off(&mut self.on.interrupt), if !self.broken_off => Turn::Fact(What::Interrupted { by: broken }),
                Some(what) = self.outcomes.recv() => Turn::Fact(what),
                what = self.on.lines.next() => Turn::Fact(what),
                event = process_event(self.on.process.as_deref_mut()) => Turn::Fact(event),
                what = transfer_event(&mut self.on.files) => Turn::Fact(what),
                () = until(clock, wake) => Turn::Tick,
                () = until(clock, self.remind) => Turn::Remind,
            };
            match turn {
                Turn::Fact(what) => {
                    if matches!(what, What::Interrupted { .. }) {
                        self.broken_off = true;
                    }
                    self.fact(what).await?;
                    self.settle();
                }
                Turn::Tick => {
                    self.tick().await?;
                    self.settle();
                }
                // Nothing has happened: nothing is recorded, and no deadline is over.
                Turn::Remind => self.say_waiting(),
            }
            if self.recorder.next_seq() > MAX_TRACE_EVENTS && !self.broken_off {
                self.broken_off = true;
                self.fact(What::Interrupted {
                    by: format!("{MAX_TRACE_EVENTS} events in one case"),
                })
                .await?;
            }
        }
        Ok(())
    }

    /// The earliest moment at which something is due without an event.
    fn wake(&mut self) -> Option<Timestamp> {
        let now = self.on.clock.now();
        let owed = if self.flying.is_none() && self.queue.is_empty() && self.on.lines.newest().is_some() {
            self.on.player.owes_next(now)
        } else {
            None
        };
        [
            self.session.next_deadline(),
            self.flying.as_ref().map(|f| f.until),
            self.redial,
            owed,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    async fn tick(&mut self) -> Result<(), EngineError> {
        let now = self.on.clock.now();
        if self.redial.is_some_and(|at| at <= now) {
            self.redial = None;
            self.on.lines.dial(Dialling::default());
        }
        if self.flying.as_ref().is_some_and(|f| f.until <= now) {
            // Our own time-out ends the CALL; a late answer is a fact that the judge may see.
            self.flying = None;
        }
        if self.session.next_deadline().is_some_and(|at| at <= now) {
            self.fact(What::Tick).await?;
        }
        let owed = self.on.player.owes(now);
        if let Some(action) = owed.due
            && self.on.lines.newest().is_some()
            && !self.told.contains(&action)
        {
            let payload = self.on.player.call(&action, now);
            self.enqueue(Outgoing::Call {
                action,
                payload,
                cause: Cause::Ordinary,
            });
        }
        Ok(())
    }

    /// Sends the next CALL if none is in flight and a connection is up.
    async fn pump(&mut self) -> Result<(), EngineError> {
        while self.flying.is_none() {
            let Some(conn) = self.on.lines.newest() else {
                return Ok(());
            };
            let Some(call) = self.queue.pop_front() else {
                return Ok(());
            };
            let (action, payload, cause) = match call {
                Outgoing::Raw(bytes) => {
                    self.send_raw(conn, bytes).await?;
                    continue;
                }
                Outgoing::Call {
                    action,
                    payload,
                    cause,
                } => (action, payload, cause),
            };
            if self.on.lines.dials() && self.on.player.restarts_for(&action) {
                // A restarted station comes back over a new connection.
                self.on.player.connected(false, self.on.clock.now());
                self.queue.push_front(Outgoing::Call {
                    action,
                    payload,
                    cause,
                });
                self.on.lines.drop_all();
                self.on.lines.dial(Dialling::default());
                self.on.player.restarted();
                return Ok(());
            }
            let id = self.message_id();
            let frame = Frame::Call {
                id: id.clone(),
                action: action.clone(),
                payload: payload.clone(),
            };
            self.flying = Some(Flying {
                conn,
                id,
                asked: Some((action, payload)),
                until: self.on.clock.now() + self.patience,
            });
            self.send(conn, &frame, cause).await?;
        }
        Ok(())
    }

    /// Records a frame of the case, then sends it. A CALL without flaw is in flight until it is answered.
    async fn send_raw(&mut self, conn: u32, mut bytes: Vec<u8>) -> Result<(), EngineError> {
        let text = str::from_utf8(&bytes).map(str::to_owned);
        if let Ok(text) = text {
            let text = self.with_ids(text);
            let read = plugfest_protocol::read_frame(self.edition, &text);
            if let (Some(Frame::Call { id, .. }), true) = (read.frame, read.flaws.is_empty()) {
                self.flying = Some(Flying {
                    conn,
                    id,
                    asked: None,
                    until: self.on.clock.now() + self.patience,
                });
            }
            bytes = text.into_bytes();
        }
        let what = What::Frame {
            conn,
            from: Party::Us,
            opcode: 1,
            data: plugfest_trace::Data::of(1, &bytes),
            flaws: Vec::new(),
            cause: Some(Cause::Story),
        };
        let event = self.record(what)?;
        self.on.lines.send_bytes(conn, bytes).await;
        let commands = self.session.step(&event);
        Box::pin(self.carry_out(commands)).await
    }

    /// Puts message ids where a frame of the case leaves them open.
    fn with_ids(&mut self, mut text: String) -> String {
        while text.contains(FRESH_ID) {
            self.raw_id = self.message_id();
            text = text.replacen(FRESH_ID, &self.raw_id, 1);
        }
        text.replace(SAME_ID, &self.raw_id)
    }

    fn enqueue(&mut self, call: Outgoing) {
        if self.queue.len() < MAX_QUEUE {
            self.queue.push_back(call);
        }
    }

    /// Records a frame of ours, then sends it.
    async fn send(&mut self, conn: u32, frame: &Frame, cause: Cause) -> Result<(), EngineError> {
        let text = frame.to_text();
        let data = plugfest_trace::Data::Text { text: text.clone() };
        let what = What::Frame {
            conn,
            from: Party::Us,
            opcode: 1,
            data,
            flaws: Vec::new(),
            cause: Some(cause),
        };
        let event = self.record(what)?;
        self.on.lines.send_text(conn, &text).await;
        let commands = self.session.step(&event);
        Box::pin(self.carry_out(commands)).await
    }

    fn record(&mut self, what: What) -> Result<Event, EngineError> {
        let event = self.recorder.record(self.on.clock.now(), what)?;
        Ok(event)
    }

    /// Records a fact, lets the session judge it and does what it wants.
    async fn fact(&mut self, what: What) -> Result<(), EngineError> {
        self.learn(&what);
        let event = self.record(what)?;
        let commands = self.session.step(&event);
        self.carry_out(commands).await
    }

    /// What the engine itself must know of an event.
    fn learn(&mut self, what: &What) {
        let now = self.on.clock.now();
        match what {
            What::Opened { .. } => {
                self.on.lines.set_gate(None);
                self.redial = None;
                self.on.player.connected(true, now);
            }
            What::Closed { conn, .. } => {
                self.requests.retain(|(c, _), _| c != conn);
                if self.flying.as_ref().is_some_and(|f| f.conn == *conn) {
                    self.flying = None;
                }
                self.on.player.connected(false, now);
                if self.on.lines.dials() {
                    self.redial = Some(now + REDIAL);
                }
            }
            What::Refused { by: Party::Us, .. } => self.redial = Some(now + REDIAL),
            What::Frame {
                conn,
                from: Party::Dut,
                opcode: 1,
                data: plugfest_trace::Data::Text { text },
                ..
            } => match plugfest_protocol::read_frame(self.edition, text).frame {
                Some(Frame::Call { id, action, payload }) => {
                    if self.requests.len() < MAX_QUEUE {
                        self.requests.insert((*conn, id), (action, payload));
                    }
                }
                Some(Frame::CallResult { id, payload }) => self.landed(*conn, &id, Some(&payload)),
                Some(Frame::CallError { id, .. }) => self.landed(*conn, &id, None),
                None => {}
            },
            _ => {}
        }
    }

    fn landed(&mut self, conn: u32, id: &str, payload: Option<&Json>) {
        if let Some(flying) = self.flying.take_if(|f| f.conn == conn && f.id == id)
            && let (Some((action, request)), Some(payload)) = (&flying.asked, payload)
        {
            let now = self.on.clock.now();
            self.on.player.answered(action, request, payload, now);
        }
    }

    async fn carry_out(&mut self, commands: Vec<Command>) -> Result<(), EngineError> {
        for command in commands {
            Box::pin(self.command(command)).await?;
        }
        Ok(())
    }

    async fn command(&mut self, command: Command) -> Result<(), EngineError> {
        let now = self.on.clock.now();
        match command {
            Command::Call { action, overlay, .. } => {
                self.after_you().await;
                let now = self.on.clock.now();
                let model = self.on.player.call(&action, now);
                let payload = self.filled(overlay.over(model), &overlay.holes, &action, Part::Request);
                self.enqueue(Outgoing::Call {
                    action,
                    payload,
                    cause: Cause::Story,
                });
                self.pump().await?;
            }
            Command::Answer {
                conn,
                id,
                action,
                overlay,
            } => {
                let request = self
                    .requests
                    .remove(&(conn, id.clone()))
                    .map_or(Json::Null, |(_, p)| p);
                let model = self.on.player.answer(&action, &request, now);
                let payload = self.filled(overlay.over(model), &overlay.holes, &action, Part::Response);
                self.on.player.gave(&action, &request, &payload);
                self.send(conn, &Frame::CallResult { id, payload }, Cause::Story)
                    .await?;
            }
            Command::AnswerError {
                conn,
                id,
                action,
                code,
            } => {
                self.requests.remove(&(conn, id.clone()));
                let description = format!("{action} is answered so on purpose");
                let details = Json::Object(Object::new());
                let frame = Frame::CallError {
                    id,
                    code,
                    description,
                    details,
                };
                self.send(conn, &frame, Cause::Story).await?;
            }
            Command::Silence { conn, id } => {
                self.requests.remove(&(conn, id));
            }
            Command::Ordinary { conn, id, action } => {
                let Some((_, request)) = self.requests.remove(&(conn, id.clone())) else {
                    return Ok(());
                };
                let frame = match reply(self.on.player, self.edition, self.ours, &action, &request, now) {
                    Reply::Result(payload) => {
                        self.on.player.gave(&action, &request, &payload);
                        Frame::CallResult { id, payload }
                    }
                    Reply::Error { code, description } => {
                        let details = Json::Object(Object::new());
                        Frame::CallError {
                            id,
                            code,
                            description,
                            details,
                        }
                    }
                };
                self.send(conn, &frame, Cause::Ordinary).await?;
            }
            Command::Ask { call, verb, args } => self.ask(call, verb, args).await?,
            Command::Link(link) => self.link(link).await?,
            Command::Gate(form) => self.on.lines.set_gate(Some(gate_of(&form))),
            Command::Dial(properties) => {
                let subprotocols = properties
                    .get("subprotocols")
                    .and_then(Json::as_array)
                    .map(|list| {
                        list.iter()
                            .filter_map(|s| s.as_str().map(str::to_owned))
                            .collect::<Vec<_>>()
                    });
                self.redial = None;
                self.on.lines.drop_all();
                self.on.lines.dial(Dialling {
                    subprotocols,
                    // The security profiles from 2 on travel over TLS.
                    secure: properties
                        .get("security")
                        .and_then(Json::as_i64)
                        .is_some_and(|p| p >= 2),
                });
            }
            Command::Meet(meeting) => {
                if let Files::Served(server) = &mut self.on.files {
                    server.meet(&meeting);
                }
            }
            Command::Transfer { upload, url } => self.transfer(upload, url).await?,
            Command::Raw(bytes) => {
                self.after_you().await;
                self.enqueue(Outgoing::Raw(bytes));
                self.pump().await?;
            }
            Command::SetModel { key, value } => self.on.player.configure(&key, &value),
            Command::Stage(name) => self.stage(name).await?,
            // The other harness of a self-play judges the station's heartbeats: the probe would be one too many. This
            // side stays to answer the other's probe until its own patience ends.
            Command::Probe if self.on.meeting.is_some() && self.ours == "station" => {}
            Command::Probe => {
                let (action, payload) = self.dialect.probe(&self.dut);
                self.enqueue(Outgoing::Call {
                    action: action.to_owned(),
                    payload,
                    cause: Cause::Probe,
                });
            }
            Command::Done => self.done = true,
        }
        Ok(())
    }

    /// Brings or fetches a file.
    async fn transfer(&mut self, upload: bool, url: String) -> Result<(), EngineError> {
        self.after_you().await;
        self.transfers += 1;
        let number = self.transfers;
        self.fact(Fetch::begins(number, upload, &url)).await?;
        let Files::Made(fetch) = &self.on.files else {
            let reason = "no file is transferred in this run".to_owned();
            return self.fact(Fetch::nothing(number, reason)).await;
        };
        let (fetch, finished) = (fetch.clone(), self.finished.clone());
        tokio::spawn(async move {
            let over = fetch.make(number, upload, url).await;
            // Nobody listens any more when the case is over.
            drop(finished.send(over));
        });
        Ok(())
    }

    async fn after_you(&self) {
        if self.on.meeting.is_some() {
            self.on.clock.until(self.on.clock.now() + AFTER_YOU).await;
        }
    }

    /// Lets the next stage begin; in self-play when both sides are there.
    async fn stage(&mut self, name: &'static str) -> Result<(), EngineError> {
        let Some(meeting) = self.on.meeting.clone() else {
            return self
                .fact(What::Stage {
                    name: name.to_owned(),
                })
                .await;
        };
        let finished = self.finished.clone();
        tokio::spawn(async move {
            // The other side may have failed and gone: then nobody is waited for.
            drop(tokio::time::timeout(STAGE_PATIENCE, meeting.wait()).await);
            drop(finished.send(What::Stage {
                name: name.to_owned(),
            }));
        });
        Ok(())
    }

    async fn ask(&mut self, call: u32, verb: String, args: Json) -> Result<(), EngineError> {
        self.fact(What::Asked {
            call,
            verb: verb.clone(),
            args: args.clone(),
        })
        .await?;
        let owner = plugfest_case::verbs::find(&verb).and_then(plugfest_case::verbs::VerbSpec::role);
        if owner.is_some_and(|owner| owner != self.dut) {
            self.after_you().await;
            let outcome = self.on.player.perform(&verb, &args);
            if plugfest_case::verbs::may_disconnect(&verb) && self.on.lines.dials() {
                self.restart(&verb);
            }
            return self.fact(What::Performed { call, outcome }).await;
        }
        let (driver, finished) = (self.on.driver.clone(), self.finished.clone());
        tokio::spawn(async move {
            let outcome = driver.call(&DriverCall::new(verb, args)).await;
            // Nobody listens any more when the case is over.
            drop(finished.send(What::Performed { call, outcome }));
        });
        Ok(())
    }

    /// The played station is switched off and on, or loses its network.
    fn restart(&mut self, verb: &str) {
        if verb == "station.stop" {
            // What it still says with power in reserve goes out first; the line is cut when it starts again.
            return;
        }
        self.on.lines.drop_all();
        self.redial = None;
        match verb {
            "net.down" => self.on.lines.refuse(true),
            _ => {
                self.on.lines.refuse(false);
                self.on.player.restarted();
                self.on.lines.dial(Dialling::default());
            }
        }
    }

    async fn link(&mut self, link: Link) -> Result<(), EngineError> {
        let op = match link {
            Link::Drop => {
                self.on.lines.drop_all();
                "drop".to_owned()
            }
            Link::Close(code) => {
                self.on.lines.close_all(code).await;
                format!("close {code}")
            }
            Link::Refuse => {
                self.redial = None;
                self.on.lines.refuse(true);
                "refuse".to_owned()
            }
            Link::Accept => {
                self.on.lines.refuse(false);
                if self.on.lines.dials() && self.on.lines.newest().is_none() {
                    self.on.lines.dial(Dialling::default());
                }
                "accept".to_owned()
            }
        };
        self.fact(What::Link { op }).await
    }

    /// Fields that a line wants to be there and that the model does not have.
    fn filled(&self, mut payload: Json, holes: &[String], action: &str, part: Part) -> Json {
        if let Some(ty) = self.edition.message(action, part) {
            plugfest_judge::conform(ty, &mut payload);
        }
        if holes.iter().all(|hole| payload.pointer(hole).is_some()) || self.edition.action(action).is_none() {
            return payload;
        }
        let sample = plugfest_protocol::maximal(self.edition, action, part);
        for hole in holes {
            if payload.pointer(hole).is_none()
                && let Some(value) = sample.pointer(hole)
            {
                // A hole inside something that is not there stays one; the judge sees what went out.
                let _there = payload.set_pointer(hole, value.clone());
            }
        }
        payload
    }

    fn message_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64())
    }

    /// Something has happened: what is waited for is looked at when that has settled.
    fn settle(&mut self) {
        if self.on.listener.is_some() {
            let settled = self.on.clock.now() + SETTLED;
            self.remind = Some(self.remind.map_or(settled, |at| at.min(settled)));
        }
    }

    /// Says what is waited for, if that is something else than was said last, or was said long ago.
    fn say_waiting(&mut self) {
        let Some(listener) = &self.on.listener else { return };
        let now = self.on.clock.now();
        let waiting = self.session.waiting();
        if waiting != self.said || self.said_at.is_none_or(|at| at + REMINDER <= now) {
            if let Some(waiting) = &waiting {
                // A listener that is gone does not stop the run.
                drop(listener.send(RunEvent::Waiting {
                    key: self.on.key.clone(),
                    what: waiting.what.clone(),
                    until: waiting.until,
                    now,
                }));
            }
            self.said = waiting;
            self.said_at = Some(now);
        }
        self.remind = self.said_at.map(|at| at + REMINDER);
    }
}

enum Turn {
    Fact(What),
    Tick,
    /// What is waited for is to be said again.
    Remind,
}

async fn until(clock: Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.until(at).await,
        None => std::future::pending().await,
    }
}

async fn broken_off(interrupt: &mut watch::Receiver<Option<String>>) -> String {
    loop {
        if let Some(by) = interrupt.borrow_and_update().clone() {
            return by;
        }
        if interrupt.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn transfer_event(files: &mut Files<'_>) -> What {
    match files {
        Files::Served(server) => server.next().await,
        Files::None | Files::Made(_) => std::future::pending().await,
    }
}

async fn process_event(process: Option<&mut mpsc::Receiver<crate::process::ProcessEvent>>) -> What {
    use crate::process::ProcessEvent;
    let Some(process) = process else {
        return std::future::pending().await;
    };
    let (what, text) = match process.recv().await {
        None => return std::future::pending().await,
        Some(ProcessEvent::Started { pid }) => ("started", format!("pid {pid}")),
        Some(ProcessEvent::Stdout { line }) => ("stdout", line),
        Some(ProcessEvent::Stderr { line }) => ("stderr", line),
        Some(ProcessEvent::Suppressed { lines }) => ("suppressed", format!("{lines} lines")),
        Some(ProcessEvent::Exited(exit)) => {
            let how = match (exit.code, exit.signal) {
                (Some(code), _) => format!("code {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "for an unknown reason".to_owned(),
            };
            (
                "exited",
                if exit.asked {
                    format!("{how}, as asked")
                } else {
                    how
                },
            )
        }
    };
    What::Process {
        what: what.to_owned(),
        text,
    }
}

fn gate_of(form: &WelcomeForm) -> Gate {
    match form {
        WelcomeForm::RefuseTcp | WelcomeForm::RefuseTls(_) => Gate::Tcp,
        WelcomeForm::RefuseHttp(code) => {
            let code = match &code.kind {
                plugfest_case::ir::ExprKind::Number(text) => text.parse().unwrap_or(403),
                _ => 403,
            };
            Gate::Http(code)
        }
        WelcomeForm::Accept(pattern) => {
            let subprotocol = pattern.fields.iter().find(|f| f.name.text == "subprotocol");
            Gate::Accept(subprotocol.and_then(|f| match &f.pattern {
                plugfest_case::ir::Pattern::Value(plugfest_case::ir::Expr {
                    kind: plugfest_case::ir::ExprKind::Text(text),
                    ..
                }) => Some(text.clone()),
                _ => None,
            }))
        }
    }
}

/// Actions that the case tells for the side that we play.
fn told_actions(premise: &Premise) -> Vec<String> {
    let Some(source) = &premise.case else {
        return Vec::new();
    };
    let Some(file) = source.files.first() else {
        return Vec::new();
    };
    let (parsed, _) = plugfest_case::parse(&file.path, &file.text);
    let mut told = Vec::new();
    for item in parsed.items {
        if let plugfest_case::ir::Item::Case(case) = item
            && case.id == source.id
        {
            gather(&case.body, &premise.dut, &mut told);
        }
    }
    told
}

fn gather(body: &[plugfest_case::ir::Stmt], dut: &str, told: &mut Vec<String>) {
    use plugfest_case::ir::Kind;
    for stmt in body {
        match &stmt.kind {
            Kind::Call(call) if call.speaker.role != dut => told.push(call.action.text.clone()),
            Kind::AnyOrder { body }
            | Kind::InOrder { body }
            | Kind::Optional { body }
            | Kind::Repeat { body, .. }
            | Kind::Each { body, .. }
            | Kind::If { body, .. } => gather(body, dut, told),
            Kind::Many(many) => gather(&many.body, dut, told),
            Kind::Either { branches } => branches.iter().for_each(|b| gather(&b.body, dut, told)),
            _ => {}
        }
    }
}

fn number_at(values: &Json, name: &str) -> Option<u64> {
    values
        .get("timeout")?
        .get(name)?
        .as_i64()
        .and_then(|n| u64::try_from(n).ok())
}
