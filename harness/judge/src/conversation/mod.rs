//! A case as a state machine: events in, commands and findings out. It has no I/O and no clock; live and offline it is
//! the same. There is exactly one.

mod advance;
mod check;
mod claim;
mod config;
mod context;
mod expire;
mod never;
mod pattern;
mod scope;
mod sent;
mod tree;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plugfest_case::ir::{Link, Span, Stmt, WelcomeForm};
use plugfest_protocol::{Json, Object, Timestamp};
use plugfest_trace::{Event, Outcome as DriverOutcome, What};

use crate::facts::Facts;
use crate::finding::{Finding, LineRef};
use crate::rule::{AnswerSeen, Context, Seen};
use crate::script::Programs;
use crate::verdict::Verdict;
use claim::{Got, Message, Pass};
use context::{Cx, Story};
use tree::Seq;

pub use advance::conform;
pub use pattern::Overlay;
pub use value::ValueError;

/// No block is unrolled more often.
const MAX_REPEAT: u32 = 1_000;
/// No more met lines are remembered.
const MAX_LINES: usize = 10_000;

/// What the conversation wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Send a CALL.
    Call {
        /// The side that speaks.
        speaker: String,
        /// 1, or the number behind `#`.
        number: u32,
        /// The action.
        action: String,
        /// What the line asks for; the rest is ordinary.
        overlay: Overlay,
    },
    /// Answer a CALL with a CALLRESULT.
    Answer {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
        /// Its action.
        action: String,
        /// What the line asks for; the rest is ordinary.
        overlay: Overlay,
    },
    /// Answer a CALL with a CALLERROR.
    AnswerError {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
        /// Its action.
        action: String,
        /// The code.
        code: String,
    },
    /// Give no answer to this CALL.
    Silence {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
    },
    /// Answer a CALL as the played side ordinarily does.
    Ordinary {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
        /// Its action.
        action: String,
    },
    /// Ask the driver, or do it on the side that we play.
    Ask {
        /// Number of the request.
        call: u32,
        /// The verb.
        verb: String,
        /// Its arguments.
        args: Json,
    },
    /// Do something to the link.
    Link(Link),
    /// How the next connection of the DUT is met.
    Gate(WelcomeForm),
    /// Open a connection with these properties.
    Dial(Object),
    /// Send this text as one frame.
    Raw(String),
    /// Set a configuration value of the side that we play; `null` is its ordinary value.
    SetModel {
        /// The key.
        key: String,
        /// The value as it is written on the wire.
        value: Json,
    },
    /// The next stage may begin: record it.
    Stage(&'static str),
    /// Send the liveness probe.
    Probe,
    /// The story is over: record the end.
    Done,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// In words.
    pub what: String,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// A line of the DUT that was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineMet {
    /// The author's line.
    pub line: LineRef,
    /// The event that met it.
    pub event: u64,
    /// True for an answer line.
    pub answer: bool,
    /// The statement's place in its file.
    pub span: Span,
    /// When its time began to run, where it had: everything obligatory before it was done.
    pub since: Option<Timestamp>,
    /// The latest moment at which it could still be met.
    pub until: Option<Timestamp>,
}

/// A message that a `never` forbids at this moment, as the smallest that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct Forbidden {
    /// The author's line.
    pub line: LineRef,
    /// The statement's place in its file.
    pub span: Span,
    /// The action.
    pub action: String,
    /// The payload.
    pub payload: Json,
}

/// Where the story stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `given` is being reached.
    Given,
    /// The story runs.
    Body,
    /// `finally` runs.
    Finally,
    /// Configuration is put back.
    Restore,
    /// Open CALLs are waited for, then the probe is answered.
    Probe,
    /// Nothing is left to do.
    Done,
}

/// A case that is being played or judged.
#[derive(Debug)]
pub(crate) struct Conversation {
    cx: Cx,
    stage: Stage,
    /// The stage waits for its [`What::Stage`] event.
    announced: bool,
    seq: Seq,
    body: Vec<Stmt>,
    finally: Vec<Stmt>,
    frame: scope::FrameId,
    /// What ended the body.
    ended: Option<Finding>,
    aftermath: Vec<Finding>,
    unclaimed: Vec<u64>,
    /// Somebody broke the run off.
    broken_off: bool,
    strict: bool,
    probed: Option<Timestamp>,
    probe_call: Option<(u32, String)>,
    open_calls: usize,
    began: Option<Timestamp>,
    /// So many messages had taken lines when the body ended.
    taken_by_body: usize,
}

/// What a premise gives to a conversation.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The case, its states and their files.
    pub(crate) case: Arc<plugfest_case::ir::Case>,
    /// State by name, with the index of its file.
    pub(crate) states: BTreeMap<String, (Arc<plugfest_case::ir::State>, usize)>,
    /// Path and text of each file; the case's own is the first.
    pub(crate) files: Vec<(String, Arc<str>)>,
    /// Its expressions, as far as they have been read.
    pub(crate) programs: Programs,
    /// The edition.
    pub(crate) edition: &'static plugfest_protocol::Edition,
    /// Its dialect.
    pub(crate) dialect: &'static dyn crate::dialect::Dialect,
    /// The side under test.
    pub(crate) dut: String,
    /// The `$` values.
    pub(crate) values: Json,
    /// Values of `for` names.
    pub(crate) for_values: BTreeMap<String, Json>,
    /// PICS answers.
    pub(crate) pics: BTreeMap<String, Json>,
    /// What the driver can do.
    pub(crate) driver: Option<Vec<String>>,
    /// Chooses branches of the played side; 0 plays as written.
    pub(crate) vary: u64,
    /// True where a connection is already up.
    pub(crate) linked: bool,
}

/// What the conversation has to say at the end.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The finding that ended the body, if any.
    pub(crate) ended: Option<Finding>,
    /// Findings of lines that did not end it.
    pub(crate) findings: Vec<Finding>,
    /// What was found in `finally` and while restoring.
    pub(crate) aftermath: Vec<Finding>,
    /// True if the body was played to its end.
    pub(crate) complete: bool,
    /// Lines of the DUT that were met.
    pub(crate) lines: Vec<LineMet>,
    /// `check`s that were evaluated.
    pub(crate) checks: u32,
    /// Events that no line claimed.
    pub(crate) unclaimed: Vec<u64>,
    /// The choices that were made for the played side: among how many, and which.
    pub(crate) choices: Vec<(u32, u32)>,
    /// Waiting that the story imposed.
    pub(crate) waited: Duration,
}

impl Conversation {
    /// A conversation about to begin.
    pub(crate) fn new(setting: Setting) -> Self {
        let story = Story {
            case: Arc::clone(&setting.case),
            states: setting.states,
            files: setting.files,
            edition: setting.edition,
            dialect: setting.dialect,
            pics: setting.pics,
            driver: setting.driver,
        };
        let values = value::Values {
            scopes: scope::Scopes::default(),
            params: setting.values,
            now: Timestamp::default(),
            fresh: std::cell::Cell::new(1_000),
        };
        let mut cx = Cx::new(story, &setting.dut, values, Facts::default(), setting.vary);
        cx.linked = setting.linked;
        cx.programs = setting.programs;
        let frame = cx.values.scopes.open(setting.for_values);
        let case = setting.case;
        Self {
            cx,
            stage: Stage::Given,
            announced: false,
            seq: Seq::of(Vec::new()),
            body: case.body.clone(),
            finally: case.finally.clone(),
            frame,
            ended: None,
            aftermath: Vec::new(),
            unclaimed: Vec::new(),
            broken_off: false,
            strict: case.header.strict,
            probed: None,
            probe_call: None,
            open_calls: 0,
            began: None,
            taken_by_body: 0,
        }
    }

    /// Begins with the premise event.
    pub(crate) fn begin(&mut self, at: Timestamp, facts: &Facts) -> Vec<Command> {
        self.cx.values.now = at;
        self.began = Some(at);
        self.with_facts(facts, |this| {
            let given = this.cx.story.case.header.given.clone();
            match advance::given_items(&given, 0, this.frame, true, &mut this.cx) {
                Ok(mut items) => {
                    let keys = this.asked_keys();
                    if !keys.is_empty() {
                        items.push(config_item(config::Configure::read(keys)));
                    }
                    this.seq = Seq::of(items);
                }
                Err(error) => this.stop(&error.to_string()),
            }
            this.seq.base = Some(at);
            this.go_on();
        });
        std::mem::take(&mut self.cx.commands)
    }

    /// Takes one recorded event that is no message: [`Self::see`] has had those.
    pub(crate) fn event(
        &mut self,
        event: &Event,
        linked: bool,
        open_calls: usize,
        facts: &Facts,
    ) -> Vec<Command> {
        self.enter(event.at, event.seq, matches!(event.what, What::Tick));
        self.cx.linked = linked;
        self.open_calls = open_calls;
        self.with_facts(facts, |this| {
            this.plain_event(event);
            this.go_on();
            if !this.cx.failed() {
                this.seq.expire(&mut this.cx);
            }
            this.go_on();
        });
        std::mem::take(&mut self.cx.commands)
    }

    /// Shows it a message, before [`Self::event`] is called for the event that carried it.
    pub(crate) fn see(&mut self, context: &Context<'_>, seen: Seen<'_>) {
        let later = context.at > self.cx.now();
        self.enter(context.at, context.seq, false);
        self.with_facts(context.facts, |this| {
            if later {
                this.let_time_pass();
            }
            this.message(seen);
        });
    }

    /// Ends what was due before this event: a message behind its deadline is late, whether or not a tick came between.
    fn let_time_pass(&mut self) {
        let now = self.cx.now();
        if self.stage > Stage::Finally || self.announced || self.next_deadline().is_none_or(|due| due >= now)
        {
            return;
        }
        self.go_on();
        if !self.cx.failed() && !self.announced {
            self.seq.expire(&mut self.cx);
        }
        self.go_on();
    }

    /// When it wants to be called again at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Done => None,
            Stage::Probe => self
                .probed
                .or(self.began)
                .map(|t| t + self.cx.timeout("message", 30)),
            _ => self.seq.deadline(&self.cx),
        }
    }

    /// What it waits for, for people.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        match self.stage {
            Stage::Done => None,
            Stage::Probe => Some(Waiting {
                what: "a sign of life".to_owned(),
                until: self.next_deadline(),
            }),
            _ => self.seq.waiting(&self.cx),
        }
    }

    /// What the DUT must not say at this moment.
    pub(crate) fn forbidden(&self) -> Vec<Forbidden> {
        if self.stage > Stage::Body {
            return Vec::new();
        }
        self.cx.forbidden(&self.seq)
    }

    /// Where the story stands.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// What there is to say.
    pub(crate) fn told(&self) -> Told {
        let body_done = self.stage > Stage::Body && self.ended.is_none();
        Told {
            ended: self
                .ended
                .clone()
                .or_else(|| self.cx.failure.as_ref().map(|f| f.finding.clone())),
            findings: self.cx.findings.clone(),
            aftermath: self.aftermath.clone(),
            complete: body_done,
            lines: self.cx.lines.clone(),
            checks: self.cx.checks,
            unclaimed: self.unclaimed.clone(),
            choices: self.cx.choices.clone(),
            waited: self.cx.waited,
        }
    }

    fn enter(&mut self, at: Timestamp, seq: u64, tick: bool) {
        self.cx.values.now = at;
        self.cx.seq = seq;
        self.cx.tick = tick;
    }

    /// Lends the facts to the working set for one step; they are shared, not copied.
    fn with_facts(&mut self, facts: &Facts, step: impl FnOnce(&mut Self)) {
        self.cx.facts = facts.clone();
        step(self);
        self.cx.facts = Facts::default();
    }

    fn message(&mut self, seen: Seen<'_>) {
        use plugfest_trace::Party::{Dut, Us};
        match seen {
            Seen::Call {
                conn,
                from: Dut,
                id,
                action,
                payload,
            } => {
                self.call_of_dut(
                    Message::Call {
                        conn,
                        id,
                        action,
                        payload,
                    },
                    conn,
                    id,
                    action,
                );
            }
            Seen::Call {
                conn,
                from: Us,
                id,
                action,
                payload,
            } => {
                self.call_of_ours(conn, id, action, payload);
            }
            Seen::Answer {
                conn,
                from: Dut,
                call,
                answer,
            } => {
                let answer = match answer {
                    AnswerSeen::Result(payload) => Got::Result(payload),
                    AnswerSeen::Error { code, description } => Got::Error { code, description },
                };
                if self
                    .probe_call
                    .as_ref()
                    .is_some_and(|(c, i)| *c == conn && *i == call.id)
                {
                    self.stage = Stage::Done;
                    self.cx.commands.push(Command::Done);
                    return;
                }
                let message = Message::Answer {
                    conn,
                    id: &call.id,
                    action: &call.action,
                    answer,
                };
                if (self.running() || self.stage == Stage::Restore)
                    && !self.seq.answered(message, &mut self.cx)
                {
                    self.claim(message);
                }
            }
            Seen::Answer {
                conn,
                from: Us,
                call,
                answer,
            } => {
                let payload = match answer {
                    AnswerSeen::Result(payload) => Some(payload),
                    AnswerSeen::Error { .. } => None,
                };
                self.seq
                    .replied(conn, &call.id, &call.action, payload, &mut self.cx);
            }
            Seen::Stray {
                conn,
                from: Dut,
                frame,
            } => {
                self.second(conn, frame.id(), true);
            }
            _ => {}
        }
    }

    fn call_of_dut(&mut self, message: Message<'_>, conn: u32, id: &str, action: &str) {
        let forbidding = if self.running() {
            self.cx.forbidding(&self.seq, message)
        } else {
            Vec::new()
        };
        for line in forbidding {
            let mut finding = self.cx.finding(
                &line,
                Some(action),
                "never",
                format!("{action} came although it must not"),
            );
            finding.expected = format!("no {action}");
            finding.actual = match message {
                Message::Call { payload, .. } => payload.to_string(),
                _ => String::new(),
            };
            self.cx.fail(finding);
        }
        let again = self.second(conn, id, false);
        let taken = !again && self.running() && !self.cx.failed() && self.claim(message);
        if !taken {
            self.cx.commands.push(Command::Ordinary {
                conn,
                id: id.to_owned(),
                action: action.to_owned(),
            });
            if self.running() {
                if self.unclaimed.len() < MAX_LINES {
                    self.unclaimed.push(self.cx.seq);
                }
                if self.strict && self.stage == Stage::Body && !again {
                    let line = self.seq.items.first().cloned();
                    if let Some(line) = line {
                        let text = format!("no line of a strict case claims {action}");
                        let finding = self.cx.finding(&line, Some(action), "unclaimed", text);
                        self.cx.fail(finding);
                    }
                }
            }
        }
        let now = self.cx.now();
        self.cx.last.insert(action.to_owned(), now);
    }

    /// A message that took a line and comes again; true if it is one.
    fn second(&mut self, conn: u32, id: &str, answer: bool) -> bool {
        let hit = self
            .cx
            .taken
            .iter()
            .enumerate()
            .find(|(_, (c, i, a, _))| *c == conn && i == id && *a == answer);
        let Some((place, (.., finding))) = hit else {
            return false;
        };
        let mut finding = finding.clone();
        finding.event = Some(self.cx.seq);
        let of_body = self.stage > Stage::Body && place < self.taken_by_body;
        if of_body {
            // The line belongs to the body, however late its message is said again.
            self.cx.findings.push(finding);
        } else if self.running() {
            self.cx.fail(finding);
        } else {
            self.aftermath.push(finding);
        }
        true
    }

    fn claim(&mut self, message: Message<'_>) -> bool {
        for pass in [Pass::Fit, Pass::Pick, Pass::Later] {
            if self.seq.offer(message, pass, &mut self.cx) {
                return true;
            }
        }
        false
    }

    /// True while lines are claimed.
    fn running(&self) -> bool {
        matches!(self.stage, Stage::Given | Stage::Body | Stage::Finally)
    }

    fn call_of_ours(&mut self, conn: u32, id: &str, action: &str, payload: &Json) {
        if self.stage == Stage::Probe && self.probe_call.is_none() && self.probed.is_some() {
            let (probe, _) = self.cx.story.dialect.probe(&self.cx.dut);
            if probe == action {
                self.probe_call = Some((conn, id.to_owned()));
                self.probed = Some(self.cx.now());
                return;
            }
        }
        self.seq.sent(conn, id, action, payload, &mut self.cx);
    }

    fn plain_event(&mut self, event: &Event) {
        match &event.what {
            What::Performed { call, outcome } => {
                self.seq.performed(*call, outcome, &mut self.cx);
            }
            What::Stage { name } if name == config::CONFIGURED => {
                self.seq.configured();
            }
            What::Link { .. } => {
                self.seq.linked(&mut self.cx);
            }
            What::Opened {
                identity,
                subprotocol,
                security,
                by,
                request,
                ..
            } => {
                self.cx.away_asked = false;
                let mut properties = Object::new();
                properties.insert("identity", identity.as_str());
                if let Some(subprotocol) = subprotocol {
                    properties.insert("subprotocol", subprotocol.as_str());
                }
                if let Some(security) = security {
                    properties.insert("security", security.as_str());
                }
                properties.insert("path", request.line.split(' ').nth(1).unwrap_or_default());
                let properties = Json::Object(properties);
                if *by == plugfest_trace::Party::Dut {
                    self.claim(Message::Opened {
                        properties: &properties,
                    });
                } else {
                    self.seq.dialled(None, &mut self.cx);
                }
            }
            What::Refused {
                by: plugfest_trace::Party::Us,
                response,
                reason,
                ..
            } => {
                let said = response
                    .as_ref()
                    .map_or_else(|| reason.clone(), |r| r.line.clone());
                self.seq.dialled(Some(&said), &mut self.cx);
            }
            What::Interrupted { by } => {
                self.broken_off = true;
                if matches!(self.stage, Stage::Finally | Stage::Probe) {
                    self.enter_stage(Stage::Restore);
                }
                if self.stage < Stage::Finally {
                    self.stop_with(Verdict::Inconclusive, &format!("the run was broken off by {by}"));
                }
            }
            _ => {}
        }
    }

    /// Configuration keys that an `if` of the body asks for and that are not known yet.
    fn asked_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        keys_of(&self.body, &mut keys);
        keys.retain(|key| self.cx.facts.fact(&format!("config.{key}")).is_none());
        keys
    }

    fn stop(&mut self, text: &str) {
        self.stop_with(Verdict::Error, text);
    }

    fn stop_with(&mut self, verdict: Verdict, text: &str) {
        let finding = Finding {
            rule: "story/stopped".to_owned(),
            verdict,
            level: crate::finding::Level::Must,
            clause: String::new(),
            message: text.to_owned(),
            expected: String::new(),
            actual: String::new(),
            pointer: None,
            event: Some(self.cx.seq),
            line: self.cx.line_at(0, self.cx.story.case.head.start),
            parts: Vec::new(),
        };
        self.cx.failure.get_or_insert(context::Failure { finding });
    }

    /// Goes on until nothing more happens without an event.
    fn go_on(&mut self) {
        // Each turn ends a stage; there are five.
        for _ in 0..8 {
            match self.stage {
                Stage::Given | Stage::Body | Stage::Finally | Stage::Restore => {
                    if !self.cx.failed() && !self.announced {
                        self.seq.advance(&mut self.cx);
                    }
                    if let Some(failure) = self.cx.failure.take() {
                        self.stage_failed(failure.finding);
                    } else if self.announced || !self.seq.finished(&self.cx) {
                        return;
                    } else {
                        self.next_stage();
                    }
                }
                Stage::Probe => {
                    if self.probed.is_none() && self.open_calls == 0 && !self.announced {
                        self.probed = Some(self.cx.now());
                        if self.cx.linked {
                            self.cx.commands.push(Command::Probe);
                        } else {
                            self.stage = Stage::Done;
                            self.cx.commands.push(Command::Done);
                        }
                    }
                    let patience = self.cx.timeout("message", 30);
                    let since = self.probed.or(self.began).unwrap_or(self.cx.now());
                    if self.cx.over(since + patience) {
                        self.stage = Stage::Done;
                        self.cx.commands.push(Command::Done);
                    }
                    return;
                }
                Stage::Done => return,
            }
        }
    }

    fn stage_failed(&mut self, finding: Finding) {
        match self.stage {
            Stage::Given | Stage::Body => {
                let mut finding = finding;
                if self.stage == Stage::Given && finding.verdict == Verdict::Fail {
                    // What the case is not about could not be reached: that is no verdict on what it is about.
                    finding.verdict = Verdict::Blocked;
                    finding.message = format!(
                        "the state before the case could not be reached: {}",
                        finding.message
                    );
                }
                self.ended = Some(finding);
                // Who breaks a run off does not want to wait: only what was changed at the device is put back.
                self.enter_stage(if self.broken_off {
                    Stage::Restore
                } else {
                    Stage::Finally
                });
            }
            _ => {
                self.aftermath.push(finding);
                self.next_stage();
            }
        }
    }

    fn next_stage(&mut self) {
        if self.broken_off && self.stage == Stage::Restore {
            self.stage = Stage::Done;
            self.cx.commands.push(Command::Done);
            return;
        }
        self.enter_stage(match self.stage {
            Stage::Given => Stage::Body,
            Stage::Body => Stage::Finally,
            Stage::Finally => Stage::Restore,
            _ => Stage::Probe,
        });
    }

    fn enter_stage(&mut self, stage: Stage) {
        if self.stage == Stage::Body {
            self.taken_by_body = self.cx.taken.len();
        }
        self.stage = stage;
        self.announced = true;
        self.seq = Seq::of(Vec::new());
        self.began = Some(self.cx.now());
        self.cx.commands.push(Command::Stage(match stage {
            Stage::Given | Stage::Body => "body",
            Stage::Finally => "finally",
            Stage::Restore => "restore",
            Stage::Probe | Stage::Done => "probe",
        }));
    }

    /// The stage that was announced begins: its [`What::Stage`] event is here.
    pub(crate) fn stage_began(&mut self, at: Timestamp, facts: &Facts) {
        self.cx.values.now = at;
        if !self.announced {
            return;
        }
        self.announced = false;
        self.with_facts(facts, |this| {
            let now = this.cx.now();
            let (frame, cx) = (this.frame, &mut this.cx);
            let seq = match this.stage {
                Stage::Body => Seq::new(&this.body, 0, frame, false, cx),
                Stage::Finally => {
                    cx.watchers.clear();
                    Seq::new(&this.finally, 0, frame, false, cx)
                }
                Stage::Restore => Ok(restore_items(cx)),
                _ => Ok(Seq::of(Vec::new())),
            };
            match seq {
                Ok(seq) => this.seq = seq,
                Err(error) => this.stop(&error.to_string()),
            }
            this.seq.base = Some(now);
        });
    }
}

/// What puts the configuration back.
fn restore_items(cx: &mut Cx) -> Seq {
    let mut back = std::mem::take(&mut cx.restore);
    if back.is_empty() {
        return Seq::of(Vec::new());
    }
    back.reverse();
    Seq::of(vec![config_item(config::Configure::restore(back))])
}

/// A step of configuration that no line of the author asked for in so many words.
fn config_item(configure: config::Configure) -> tree::Item {
    let stmt = Stmt {
        comments: Vec::new(),
        trailing: None,
        kind: plugfest_case::ir::Kind::Do(plugfest_case::ir::Given::Config {
            entries: Vec::new(),
            span: Span::default(),
        }),
        mods: plugfest_case::ir::Mods::default(),
        layout: plugfest_case::ir::Layout::default(),
        span: Span::default(),
    };
    tree::Item::new(
        Arc::new(stmt),
        0,
        0,
        false,
        tree::Node::Config(Box::new(configure)),
    )
}

/// The keys behind `config.` in the `if`s of a body, each once.
fn keys_of(body: &[Stmt], keys: &mut Vec<String>) {
    use plugfest_case::ir::Kind;
    for stmt in body {
        match &stmt.kind {
            Kind::If { fact, body } => {
                for part in fact.text.split("config.").skip(1) {
                    let key: String = part.chars().take_while(char::is_ascii_alphanumeric).collect();
                    if !key.is_empty() && !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                keys_of(body, keys);
            }
            Kind::AnyOrder { body }
            | Kind::InOrder { body }
            | Kind::Optional { body }
            | Kind::Repeat { body, .. }
            | Kind::Each { body, .. } => keys_of(body, keys),
            Kind::Either { branches } => branches.iter().for_each(|b| keys_of(&b.body, keys)),
            _ => {}
        }
    }
}

impl Seq {
    /// The driver's word; true if it was asked from here.
    fn performed(&mut self, call: u32, outcome: &DriverOutcome, cx: &mut Cx) -> bool {
        for i in self.phase..self.next {
            if self.items[i].open() && self.items[i].performed(call, outcome, cx) {
                return true;
            }
        }
        false
    }
}
