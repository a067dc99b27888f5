//! A recorded trace once more, with one thing in it changed.
//!
//! What follows a change must still follow from it: an event of ours is kept only where the story asks for it again,
//! and behind the first one that it does not ask for nothing of the old trace would have happened, so time passes
//! instead until the story has nothing left to wait for.

use std::collections::BTreeSet;
use std::time::Duration;

use plugfest_judge::{Command, Forbidden, Outcome, Overlay, Script, Session, SessionError, Stage, conform};
use plugfest_protocol::{Edition, Frame, Json, Part, Timestamp, read_frame};
use plugfest_trace::{Cause, Data, Event, Party, Premise, What};

/// So many deadlines are let pass at the most.
const MAX_TICKS: usize = 200;

/// One thing made wrong in a trace.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) change: Change,
    /// Later CALLs of the DUT with the action of that event are not sent either: without what was changed they would
    /// not have come, or they would only stand in for it.
    pub(super) mute: Option<usize>,
}

/// One change of a trace; events are named by their number in it.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Nothing is changed.
    Nothing,
    /// The message is not sent.
    Drop(usize),
    /// Messages say something else.
    Replace(Vec<(usize, String)>),
    /// Something else happens there.
    Put(usize, What),
    /// Behind that event something more comes.
    Behind(usize, What),
    /// The message comes behind its deadline.
    Late(usize, Option<Timestamp>),
    /// The message comes at that moment already.
    Early(usize, Timestamp),
    /// The message comes before that event.
    Before(usize, usize),
}

impl From<Change> for Edit {
    fn from(change: Change) -> Self {
        Self { change, mute: None }
    }
}

/// A trace with what is read again and again.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) edition: &'static Edition,
    pub(super) premise: Premise,
    script: Script,
    pub(super) events: Vec<Event>,
    /// The frame of each event, where it is one.
    pub(super) frames: Vec<Option<(u32, Party, Frame)>>,
    /// The events at which the body and what follows it began.
    pub(super) body: std::ops::Range<usize>,
}

impl Recorded {
    /// Reads the frames of a trace; `None` where it has no premise that can be read, or its story never began.
    pub(super) fn new(edition: &'static Edition, events: Vec<Event>) -> Option<Self> {
        let What::Premise(premise) = &events.first()?.what else {
            return None;
        };
        let premise = premise.as_ref().clone();
        let frames = events.iter().map(|e| frame_of(edition, &e.what)).collect();
        let stage = |wanted: &str| {
            events
                .iter()
                .position(|e| matches!(&e.what, What::Stage { name } if name == wanted))
        };
        let body = stage("body")?..stage("finally").unwrap_or(events.len());
        Some(Self {
            edition,
            script: Script::of(&premise).ok()?,
            premise,
            events,
            frames,
            body,
        })
    }

    /// The action of the CALL of that event.
    pub(super) fn action(&self, i: usize) -> Option<&str> {
        match self.frames.get(i)? {
            Some((_, _, Frame::Call { action, .. })) => Some(action),
            _ => None,
        }
    }

    /// Number of the event that answers the CALL of that event.
    pub(super) fn reply_to(&self, call: usize) -> Option<usize> {
        let (conn, from, frame) = self.frames.get(call)?.as_ref()?;
        (call + 1..self.frames.len()).find(|&i| {
            self.frames[i].as_ref().is_some_and(|(c, by, answer)| {
                c == conn && by != from && !matches!(answer, Frame::Call { .. }) && answer.id() == frame.id()
            })
        })
    }

    /// True where our side did nothing between two events but answer.
    pub(super) fn same_phase(&self, from: usize, to: usize) -> bool {
        (from..to).all(|i| {
            let called = matches!(&self.frames[i], Some((_, Party::Us, Frame::Call { .. })));
            let acted = matches!(
                self.events[i].what,
                What::Asked { .. } | What::Performed { .. } | What::Link { .. } | What::Stage { .. }
            );
            !called && !acted
        })
    }

    /// Judges the trace with that change. `watch` is told behind each event what is forbidden from there on.
    pub(super) fn judge(
        &self,
        edit: &Edit,
        watch: Option<&mut dyn FnMut(usize, Vec<Forbidden>)>,
    ) -> Result<Outcome, SessionError> {
        let (session, commands) = Session::by(&self.script, &self.premise, self.events[0].at)?;
        let mut replay = Replay {
            edition: self.edition,
            recorded: self,
            session,
            wanted: commands,
            calls: BTreeSet::new(),
            seq: 0,
            now: self.events[0].at,
        };
        replay.run(edit, watch);
        Ok(replay.session.outcome())
    }
}

/// The frame of an event, with its connection and sender.
fn frame_of(edition: &'static Edition, what: &What) -> Option<(u32, Party, Frame)> {
    match what {
        What::Frame {
            conn,
            from,
            opcode: 1,
            data: Data::Text { text },
            ..
        } => Some((*conn, *from, read_frame(edition, text).frame?)),
        _ => None,
    }
}

struct Replay<'r> {
    edition: &'static Edition,
    recorded: &'r Recorded,
    session: Session,
    /// What the story asked for and has not got yet.
    wanted: Vec<Command>,
    /// CALLs that took place: connection, sender is the DUT, id.
    calls: BTreeSet<(u32, bool, String)>,
    seq: u64,
    now: Timestamp,
}

impl Replay<'_> {
    fn run(&mut self, edit: &Edit, mut watch: Option<&mut dyn FnMut(usize, Vec<Forbidden>)>) {
        let recorded = self.recorded;
        let Edit { change, mute } = edit;
        let muted = mute.and_then(|place| Some((place, recorded.action(place)?)));
        let mut applied = matches!(change, Change::Nothing);
        let mut held = None;
        for (i, event) in recorded.events.iter().enumerate().skip(1) {
            if let Change::Early(place, at) = change
                && !applied
                && (event.at > *at || i == *place)
            {
                applied = true;
                self.early(*place, *at);
            }
            if let Change::Before(place, other) = change
                && *other == i
            {
                applied = true;
                self.early(*place, event.at);
            }
            if let (Change::Late(_, Some(until)), true) = (change, held.is_some())
                && event.at > *until
            {
                break;
            }
            if let Some((place, action)) = muted
                && i > place
                && recorded.action(i) == Some(action)
                && matches!(recorded.frames[i], Some((_, Party::Dut, _)))
            {
                continue;
            }
            match change {
                Change::Drop(place) if *place == i => {
                    applied = true;
                    continue;
                }
                Change::Late(place, _) if *place == i => {
                    (applied, held) = (true, Some(i));
                    continue;
                }
                Change::Early(place, _) | Change::Before(place, _)
                    if *place == i || recorded.reply_to(*place) == Some(i) =>
                {
                    continue;
                }
                Change::Put(place, what) if *place == i => {
                    applied = true;
                    self.feed(event.at, what);
                }
                Change::Replace(texts) if texts.iter().any(|(place, _)| *place == i) => {
                    applied = texts.last().is_some_and(|(place, _)| *place == i);
                    self.note(i);
                    for (_, text) in texts.iter().filter(|(place, _)| *place == i) {
                        self.feed(event.at, &with_text(&event.what, text));
                    }
                }
                _ => match self.caused(i) {
                    Caused::Yes => {
                        self.note(i);
                        self.feed(event.at, &event.what);
                    }
                    Caused::Skip => continue,
                    Caused::No => break,
                },
            }
            if let Some(watch) = &mut watch {
                watch(i, self.session.forbidden());
            }
            if let Change::Behind(place, what) = change
                && *place == i
            {
                applied = true;
                self.feed(event.at, what);
            }
            if applied && self.over() {
                return;
            }
        }
        if let Some(place) = held {
            let message = &recorded.events[place];
            match change {
                Change::Late(_, Some(until)) => {
                    let at = until.plus(Duration::from_secs(1));
                    self.feed(at, &message.what);
                }
                _ => {
                    self.pass_time();
                    self.feed(self.now, &message.what);
                }
            }
        }
        self.pass_time();
    }

    fn over(&self) -> bool {
        self.session.stage().is_none_or(|stage| stage > Stage::Body)
    }

    /// The message and our answer to it, at an earlier moment.
    fn early(&mut self, place: usize, at: Timestamp) {
        let recorded = self.recorded;
        for i in [Some(place), recorded.reply_to(place)].into_iter().flatten() {
            self.note(i);
            self.feed(at, &recorded.events[i].what);
        }
    }

    /// Lets deadlines pass until nothing is waited for.
    fn pass_time(&mut self) {
        for _ in 0..MAX_TICKS {
            let Some(deadline) = self.session.next_deadline().filter(|_| !self.over()) else {
                return;
            };
            self.feed(self.now.max(deadline), &What::Tick);
        }
    }

    fn feed(&mut self, at: Timestamp, what: &What) {
        self.seq += 1;
        self.now = self.now.max(at);
        let event = Event {
            seq: self.seq,
            at: self.now,
            what: what.clone(),
        };
        let commands = self.session.step(&event);
        self.wanted.extend(commands);
    }

    /// Remembers a CALL that took place.
    fn note(&mut self, i: usize) {
        if let Some((conn, from, Frame::Call { id, .. })) = &self.recorded.frames[i] {
            self.calls.insert((*conn, *from == Party::Dut, id.clone()));
        }
    }

    /// Whether an event of the old trace would have happened.
    fn caused(&mut self, i: usize) -> Caused {
        let recorded = self.recorded;
        let event = &recorded.events[i];
        match (&event.what, &recorded.frames[i]) {
            (What::Frame { from, cause, .. }, Some((conn, _, frame))) => match (from, frame) {
                (Party::Us, Frame::Call { action, payload, .. }) if *cause == Some(Cause::Story) => {
                    let edition = self.edition;
                    self.take(|c| match c {
                        Command::Call {
                            action: wanted,
                            overlay,
                            ..
                        } => wanted == action && says(edition, action, Part::Request, overlay, payload),
                        Command::Raw(_) => true,
                        _ => false,
                    })
                }
                (Party::Us, Frame::CallResult { id, payload }) if *cause == Some(Cause::Story) => {
                    let edition = self.edition;
                    self.take(|c| match c {
                        Command::Answer {
                            id: wanted,
                            action,
                            overlay,
                            ..
                        } => wanted == id && says(edition, action, Part::Response, overlay, payload),
                        _ => false,
                    })
                }
                (Party::Us, Frame::Call { .. }) if *cause == Some(Cause::Probe) => {
                    self.take(|c| matches!(c, Command::Probe))
                }
                (_, Frame::Call { .. }) => Caused::Yes,
                (from, answer) => {
                    let caller_is_dut = *from == Party::Us;
                    let called = self
                        .calls
                        .contains(&(*conn, caller_is_dut, answer.id().to_owned()));
                    if called { Caused::Yes } else { Caused::Skip }
                }
            },
            (What::Asked { call, .. }, _) => {
                self.take(|c| matches!(c, Command::Ask { call: n, .. } if n == call))
            }
            (What::Transfer { by: Party::Us, .. }, _) => self.take(|c| matches!(c, Command::Transfer { .. })),
            (What::Link { .. }, _) => self.take(|c| matches!(c, Command::Link(_))),
            (What::Stage { name }, _) => self.take(|c| matches!(c, Command::Stage(n) if n == name)),
            (What::End, _) => Caused::No,
            _ => Caused::Yes,
        }
    }

    fn take(&mut self, fits: impl Fn(&Command) -> bool) -> Caused {
        match self.wanted.iter().position(fits) {
            Some(place) => {
                self.wanted.remove(place);
                Caused::Yes
            }
            None => Caused::No,
        }
    }
}

/// True where a payload says what the story asks for.
fn says(edition: &'static Edition, action: &str, part: Part, overlay: &Overlay, payload: &Json) -> bool {
    let mut wanted = overlay.again(payload.clone());
    if let Some(ty) = edition.message(action, part) {
        conform(ty, &mut wanted);
    }
    wanted == *payload
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caused {
    Yes,
    /// It belonged to something that did not happen; what follows may still.
    Skip,
    /// Nothing from here on would have happened.
    No,
}

/// The same frame with another text.
fn with_text(what: &What, text: &str) -> What {
    let mut what = what.clone();
    if let What::Frame { data, .. } = &mut what {
        *data = Data::Text {
            text: text.to_owned(),
        };
    }
    what
}
