//! The always-on rules: what one is, and what it is shown.

use plugfest_protocol::{Edition, Frame, FrameFlaw, Json, Timestamp};
use plugfest_trace::{Cause, Event, Party};

use crate::facts::Facts;
use crate::finding::{Finding, Level};
use crate::ledger::{AnsweredCall, Ledger};
use crate::verdict::Verdict;

/// What a rule says of itself.
#[derive(Debug, Clone, Copy)]
pub struct RuleInfo {
    /// Stable id: `sequence/one-call-in-flight`.
    pub id: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// The clause it judges by: `OCPP-1.6-J 4.1.1`.
    pub clause: &'static str,
    /// How strongly that clause speaks.
    pub level: Level,
    /// The editions it holds for; empty means all.
    pub editions: &'static [&'static str],
    /// A paragraph for `plugfest explain`: what it checks, why, and what it lets pass.
    pub explain: &'static str,
}

/// What a rule is shown. Rules judge what the DUT did; what we sent, on purpose wrong or early, is a fact.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// Any recorded event, before it is taken apart.
    Event(&'a Event),
    /// A text frame taken apart as far as possible. `frame` is `None` where nothing could be understood.
    Frame {
        /// The connection.
        conn: u32,
        /// The sender.
        from: Party,
        /// Why we sent it, if we did.
        cause: Option<Cause>,
        /// The text.
        text: &'a str,
        /// What it says.
        frame: Option<&'a Frame>,
        /// What is wrong with it.
        flaws: &'a [FrameFlaw],
    },
    /// A CALL.
    Call {
        /// The connection.
        conn: u32,
        /// The sender.
        from: Party,
        /// Its message id.
        id: &'a str,
        /// Its action.
        action: &'a str,
        /// Its payload.
        payload: &'a Json,
    },
    /// A CALLRESULT or CALLERROR together with the CALL that it answers.
    Answer {
        /// The connection.
        conn: u32,
        /// Who answered.
        from: Party,
        /// The CALL.
        call: &'a AnsweredCall,
        /// The answer.
        answer: AnswerSeen<'a>,
    },
    /// A CALLRESULT or CALLERROR whose id belongs to no open CALL.
    Stray {
        /// The connection.
        conn: u32,
        /// The sender.
        from: Party,
        /// The frame.
        frame: &'a Frame,
    },
    /// The trace ends here (its [`plugfest_trace::What::End`]): the last chance to speak.
    End,
}

impl<'a> Seen<'a> {
    /// Action and payload of a CALL of the DUT.
    pub fn dut_call(&self) -> Option<(&'a str, &'a Json)> {
        match *self {
            Self::Call {
                from: Party::Dut,
                action,
                payload,
                ..
            } => Some((action, payload)),
            _ => None,
        }
    }

    /// The payload of a CALL of the DUT with this action.
    pub fn dut_call_of(&self, action: &str) -> Option<&'a Json> {
        let (own, payload) = self.dut_call()?;
        (own == action).then_some(payload)
    }

    /// What the DUT answers, with the CALL of ours.
    pub fn dut_answer(&self) -> Option<(&'a AnsweredCall, AnswerSeen<'a>)> {
        match *self {
            Self::Answer {
                from: Party::Dut,
                call,
                answer,
                ..
            } => Some((call, answer)),
            _ => None,
        }
    }

    /// The payload of a CALLRESULT of the DUT, with the CALL of ours.
    pub fn dut_result(&self) -> Option<(&'a AnsweredCall, &'a Json)> {
        match self.dut_answer()? {
            (call, AnswerSeen::Result(payload)) => Some((call, payload)),
            (_, AnswerSeen::Error { .. }) => None,
        }
    }
}

/// The two kinds of answer.
#[derive(Debug, Clone, Copy)]
pub enum AnswerSeen<'a> {
    /// A CALLRESULT with its payload.
    Result(&'a Json),
    /// A CALLERROR.
    Error {
        /// Its code as sent.
        code: &'a str,
        /// Its description.
        description: &'a str,
    },
}

/// What is known beside the thing that is shown.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The edition of the protocol.
    pub edition: &'static Edition,
    /// The side under test: `station` or `csms`.
    pub dut: &'a str,
    /// The identity that facts and rules are about; the ledger holds the others' connections too.
    pub identity: &'a str,
    /// Time of the event.
    pub at: Timestamp,
    /// Sequence number of the event.
    pub seq: u64,
    /// Open and answered CALLs, connections.
    pub ledger: &'a Ledger,
    /// What is known of the DUT, *before* this event.
    pub facts: &'a Facts,
    /// The `$` values of the premise: deadlines under `timeout`, tolerances under `tolerance`, …
    pub values: &'a Json,
}

impl Seen<'_> {
    /// Which of the [`Wants`] it is.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Self::Event(_) => Wants::EVENT,
            Self::Frame { .. } => Wants::FRAME,
            Self::Call { .. } => Wants::CALL,
            Self::Answer { .. } => Wants::ANSWER,
            Self::Stray { .. } => Wants::STRAY,
            Self::End => Wants::END,
        }
    }
}

/// The kinds of [`Seen`], as bits: what a rule wants to be shown.
#[derive(Debug, Clone, Copy)]
pub struct Wants;

impl Wants {
    /// [`Seen::Event`].
    pub const EVENT: u8 = 1;
    /// [`Seen::Frame`].
    pub const FRAME: u8 = 2;
    /// [`Seen::Call`].
    pub const CALL: u8 = 4;
    /// [`Seen::Answer`].
    pub const ANSWER: u8 = 8;
    /// [`Seen::Stray`].
    pub const STRAY: u8 = 16;
    /// [`Seen::End`].
    pub const END: u8 = 32;
    /// All of them.
    pub const ALL: u8 = 63;
}

/// One always-on rule with its memory.
pub trait Rule: std::fmt::Debug + Send {
    /// What it says of itself.
    fn info(&self) -> &'static RuleInfo;
    /// What it wants to be shown, as bits of [`Wants`].
    fn wants(&self) -> u8 {
        Wants::ALL
    }
    /// True if it judges that side: `station` or `csms`.
    fn judges(&self, _dut: &str) -> bool {
        true
    }
    /// Shows it one thing; what it finds goes into `out`.
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings);
}

/// Collects the findings of one rule, filling in what the rule's info already says.
#[derive(Debug)]
pub struct Findings {
    info: &'static RuleInfo,
    seq: u64,
    found: Vec<Finding>,
}

impl Findings {
    /// A collector for one rule at one event.
    pub fn new(info: &'static RuleInfo, seq: u64) -> Self {
        Self {
            info,
            seq,
            found: Vec::new(),
        }
    }

    /// The rule that is speaking.
    pub fn info(&self) -> &'static RuleInfo {
        self.info
    }

    /// Adds a finding at the level of the rule; the returned place takes pointer, level or clause of its own.
    pub fn add(
        &mut self,
        message: impl Into<String>,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> &mut Finding {
        self.found.push(Finding {
            rule: self.info.id.to_owned(),
            verdict: self.info.level.verdict(),
            level: self.info.level,
            clause: self.info.clause.to_owned(),
            message: message.into(),
            expected: expected.into(),
            actual: actual.into(),
            pointer: None,
            event: Some(self.seq),
            line: None,
            parts: Vec::new(),
            count: 1,
            again: Vec::new(),
        });
        self.found.last_mut().expect("one was pushed in the line above")
    }

    /// What was found.
    pub fn into_vec(self) -> Vec<Finding> {
        self.found
    }

    /// Moves what was found behind what others found.
    pub(crate) fn move_to(mut self, all: &mut Vec<Finding>) {
        if !self.found.is_empty() {
            all.append(&mut self.found);
        }
    }
}

impl Finding {
    /// Sets the JSON pointer.
    pub fn at(&mut self, pointer: impl Into<String>) -> &mut Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// Sets another level than the rule's own, and the verdict that goes with it.
    pub fn level(&mut self, level: Level) -> &mut Self {
        self.level = level;
        self.verdict = level.verdict();
        self
    }

    /// Cites another clause than the rule's own.
    pub fn clause(&mut self, clause: impl Into<String>) -> &mut Self {
        self.clause = clause.into();
        self
    }

    /// Sets a verdict that is not the level's: `Inconclusive` where the DUT went away.
    pub fn verdict(&mut self, verdict: Verdict) -> &mut Self {
        self.verdict = verdict;
        self
    }
}
