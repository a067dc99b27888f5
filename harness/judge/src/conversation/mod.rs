//! A case as a state machine: events in, commands and findings out. It has no I/O and no clock; live and offline it is
//! the same. There is exactly one.

mod advance;
mod check;
mod claim;
mod config;
mod context;
mod expire;
mod fit;
mod hear;
mod interface;
mod never;
mod pattern;
mod reach;
mod scope;
mod sent;
mod speak;
mod stages;
mod transfer;
mod tree;
mod value;

use std::sync::Arc;

use plugfest_case::ir::Stmt;
use plugfest_protocol::Timestamp;
use plugfest_trace::{Event, What};

use crate::facts::Facts;
use crate::finding::Finding;
use crate::rule::{Context, Seen};
use context::{Cx, Story};
use tree::Seq;

pub use interface::{Command, Forbidden, LineMet, Stage, Waiting};
pub(crate) use interface::{Setting, Told};
pub use pattern::Overlay;
pub use speak::conform;
pub use transfer::{Meeting, Reception};
pub use value::ValueError;

/// No block is unrolled more often.
const MAX_REPEAT: u32 = 1_000;
/// No more met lines are remembered.
const MAX_LINES: usize = 10_000;

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
    /// The event that carried the frame of the last `raw` line.
    raw: Option<u64>,
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
            raw: None,
        }
    }

    /// Begins with the premise event.
    pub(crate) fn begin(&mut self, at: Timestamp, facts: &Facts) -> Vec<Command> {
        self.cx.values.now = at;
        self.began = Some(at);
        self.with_facts(facts, |this| {
            let given = this.cx.story.case.header.given.clone();
            match reach::given_items(&given, 0, this.frame, true, &mut this.cx) {
                Ok(mut items) => {
                    let keys = this.asked_keys();
                    if !keys.is_empty() {
                        items.push(stages::config_item(config::Configure::read(keys)));
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
        let later = event.at > self.cx.now();
        self.enter(event.at, event.seq, matches!(event.what, What::Tick));
        self.cx.linked = linked;
        self.open_calls = open_calls;
        self.with_facts(facts, |this| {
            if later && matches!(event.what, What::Opened { .. } | What::Transfer { .. }) {
                this.let_time_pass();
            }
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

    /// Whether the event of this number is what a `raw` line sent.
    pub(crate) fn was_raw(&self, seq: u64) -> bool {
        self.raw == Some(seq)
    }

    /// What ended the story before its time.
    pub(crate) fn failing(&self) -> Option<&Finding> {
        self.ended
            .as_ref()
            .or_else(|| self.cx.failure.as_ref().map(|failure| &failure.finding))
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

    /// True while lines are claimed.
    fn running(&self) -> bool {
        matches!(self.stage, Stage::Given | Stage::Body | Stage::Finally)
    }
}
