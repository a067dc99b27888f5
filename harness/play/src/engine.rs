//! Plays one case: feeds the session each event as it is recorded and carries out its commands.
//!
//! It writes what happened and never what it means. Everything is one sequence: the next fact is recorded, then judged,
//! then acted upon.

mod obey;
mod say;

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use plugfest_judge::{CaseKey, Dialect, Outcome, RunEvent, Script, Session, SessionError, Waiting, dialect};
use plugfest_protocol::{Edition, Frame, Json, Timestamp};
use plugfest_trace::{Cause, Event, Marker, Party, Premise, Recorder, What, WriteError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Barrier, mpsc, watch};

use crate::clock::Clock;
use crate::driver::Driver;
use crate::files::Files;
use crate::lines::{Dialling, Lines};
use crate::player::Player;
use say::Outgoing;

/// A trace never grows beyond this; a flooding DUT ends the case instead.
const MAX_TRACE_EVENTS: u64 = 200_000;
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
    let now = on.clock.now();
    let (recorder, first) = Recorder::start(out, path, marker, now, premise)?;
    let What::Premise(recorded) = &first.what else {
        return Err(SessionError::NoCase("premise".to_owned()).into());
    };
    let patience = number_at(&recorded.values, "message").unwrap_or(30);
    let probed_by = recorded.dut.clone();
    let ours = if dut == "station" { "csms" } else { "station" };
    let script = Script::of(recorded)?;
    let told = script.calls_of(ours);
    let (session, commands) = Session::by(&script, recorded, now)?;
    // The texts of the case are in the trace now; a thousand stations at once must not hold them a thousand times.
    drop((first, script));
    let (finished, outcomes) = mpsc::unbounded_channel();
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
        as_whom: (None, None),
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
    /// The identity and the password that the last `Connect` took, until the next.
    as_whom: (Option<String>, Option<String>),
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
            self.on.lines.dial(self.again());
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

    /// How the played station connects where no line says it.
    fn again(&self) -> Dialling {
        let (identity, password) = self.as_whom.clone();
        Dialling {
            identity,
            password,
            ..Dialling::default()
        }
    }

    async fn tick(&mut self) -> Result<(), EngineError> {
        let now = self.on.clock.now();
        if self.redial.is_some_and(|at| at <= now) {
            self.redial = None;
            self.on.lines.dial(self.again());
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

fn number_at(values: &Json, name: &str) -> Option<u64> {
    values
        .get("timeout")?
        .get(name)?
        .as_i64()
        .and_then(|n| u64::try_from(n).ok())
}
