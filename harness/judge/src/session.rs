//! One trace under judgement: the always-on rules and, where there is a case, its conversation.
//!
//! A live run feeds it each event as it is recorded and carries out its commands; offline the same events come from a
//! file and the commands are ignored. Everything it says follows from the events alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugfest_protocol::{Edition, Timestamp};
use plugfest_trace::{Event, Premise, What};

use crate::conversation::{Command, Conversation, Forbidden, LineMet, Setting, Stage, Told, Waiting};
use crate::dialect::dialect;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::rows::Rows;
use crate::run_event::Row;
use crate::script::Script;
use crate::tally::{Negatives, Tally};
use crate::verdict::Verdict;
use crate::watch::Watch;

/// Findings kept of one rule at one clause; a flooding DUT makes us count the rest.
const MAX_FINDINGS: usize = 200;

/// Why a premise cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Its protocol has no catalogue here.
    #[error("protocol {0:?} is not known to this version")]
    Protocol(String),
    /// Its case text does not hold the case.
    #[error("the premise carries no case {0:?}")]
    NoCase(String),
    /// Its case text cannot be read.
    #[error("the case text in the premise cannot be read: {0}")]
    Case(String),
    /// A value is missing.
    #[error(transparent)]
    Value(#[from] crate::conversation::ValueError),
}

/// A trace under judgement.
#[derive(Debug)]
pub struct Session {
    watch: Watch,
    conversation: Option<Conversation>,
    rows: Rows,
    findings: Vec<Finding>,
    aftermath: Vec<Finding>,
    dropped: BTreeMap<String, u32>,
    tally: Tally,
    ended: bool,
    interrupted: bool,
    began: Timestamp,
    now: Timestamp,
}

/// The judgement of one trace.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one line; empty for a pass.
    pub reason: String,
    /// What the verdict rests on.
    pub findings: Vec<Finding>,
    /// What was found after the verdict was due.
    pub aftermath: Vec<Finding>,
    /// Lines of the DUT that were met, in order.
    pub lines: Vec<LineMet>,
    /// `check`s that were evaluated.
    pub checks: u32,
    /// What became of the frames that were wrong on purpose.
    pub negatives: Negatives,
    /// Messages that no line claimed.
    pub unclaimed: Vec<u64>,
    /// Choices made for the played side.
    pub choices: Vec<(u32, u32)>,
    /// Milliseconds from the premise to the last event.
    pub duration_ms: u64,
    /// Milliseconds of waiting that the story imposed.
    pub waited_ms: u64,
    /// When it began.
    pub started: Timestamp,
    /// The conversation for people.
    pub rows: Vec<Row>,
    /// What is known of the DUT at the end: the facts of the next premise.
    pub facts: Facts,
}

impl Session {
    /// Judges from a premise on; the premise itself is the first event and is not fed again.
    pub fn new(premise: &Premise, at: Timestamp) -> Result<(Self, Vec<Command>), SessionError> {
        Self::by(&Script::of(premise)?, premise, at)
    }

    /// As [`Self::new`], with the case of the premise read before: a script of another premise tells another story.
    pub fn by(
        script: &Script,
        premise: &Premise,
        at: Timestamp,
    ) -> Result<(Self, Vec<Command>), SessionError> {
        let edition = Edition::by_name(&premise.protocol)
            .ok_or_else(|| SessionError::Protocol(premise.protocol.clone()))?;
        let watch = Watch::of(premise).ok_or_else(|| SessionError::Protocol(premise.protocol.clone()))?;
        let mut commands = Vec::new();
        let conversation = setting(premise, script, edition)?.map(|setting| {
            let mut conversation = Conversation::new(setting);
            commands = conversation.begin(at, watch.facts());
            conversation
        });
        let session = Self {
            watch,
            conversation,
            rows: Rows::new(premise, at),
            findings: Vec::new(),
            aftermath: Vec::new(),
            dropped: BTreeMap::new(),
            tally: Tally::default(),
            ended: false,
            interrupted: false,
            began: at,
            now: at,
        };
        Ok((session, commands))
    }

    /// Takes the next event; gives back what is to be done about it.
    pub fn step(&mut self, event: &Event) -> Vec<Command> {
        self.now = event.at;
        self.rows.see(event);
        match &event.what {
            What::End => self.ended = true,
            What::Interrupted { .. } => self.interrupted = true,
            _ => {}
        }
        let conversation = &mut self.conversation;
        let found = self.watch.take_apart(event, &mut |context, seen| {
            if let Some(conversation) = conversation {
                conversation.see(context, seen);
            }
        });
        let stage = self
            .conversation
            .as_ref()
            .map_or(Stage::Body, Conversation::stage);
        for finding in found {
            self.tally.found(self.watch.edition(), event, &finding);
            self.keep(finding, stage);
        }
        let Some(conversation) = &mut self.conversation else {
            return Vec::new();
        };
        if conversation.was_raw(event.seq) {
            self.tally.sent(self.watch.edition(), self.watch.dut(), event);
        }
        if let What::Stage { .. } = event.what {
            conversation.stage_began(event.at, self.watch.facts());
        }
        let ledger = self.watch.ledger();
        let linked = !ledger.links().is_empty();
        let open = ledger.open().count();
        let running = conversation.failing().is_none();
        let commands = conversation.event(event, linked, open, self.watch.facts());
        if running && let Some(failing) = conversation.failing() {
            self.tally.found(self.watch.edition(), event, failing);
        }
        commands
    }

    /// When it wants a [`What::Tick`] at the latest.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.conversation.as_ref()?.next_deadline()
    }

    /// What it waits for, for people.
    pub fn waiting(&self) -> Option<Waiting> {
        self.conversation.as_ref()?.waiting()
    }

    /// Where the story stands; `None` without a case.
    pub fn stage(&self) -> Option<Stage> {
        self.conversation.as_ref().map(Conversation::stage)
    }

    /// What the DUT must not say at this moment.
    pub fn forbidden(&self) -> Vec<Forbidden> {
        self.conversation
            .as_ref()
            .map(Conversation::forbidden)
            .unwrap_or_default()
    }

    /// What is known of the DUT.
    pub fn facts(&self) -> &Facts {
        self.watch.facts()
    }

    /// Findings so far, of rules and lines.
    pub fn found(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }

    /// The judgement of what has been seen so far.
    pub fn outcome(&self) -> Outcome {
        let told = self.conversation.as_ref().map(Conversation::told);
        let mut findings = self.findings.clone();
        if let Some(told) = &told {
            findings.extend(told.findings.iter().cloned());
            findings.extend(told.ended.iter().cloned());
        }
        findings.sort_by_key(|f| f.event);
        for finding in findings.iter_mut().filter(|finding| finding.count > 1) {
            finding.message = format!("{} ({} more like it)", finding.message, finding.count - 1);
        }
        for (rule, count) in &self.dropped {
            if let Some(last) = findings.iter_mut().rev().find(|f| f.rule == *rule) {
                last.message = format!("{} (and {count} more)", last.message);
            }
        }
        let (verdict, reason) = self.verdict(&findings, told.as_ref());
        let mut aftermath = self.aftermath.clone();
        aftermath.extend(told.iter().flat_map(|t| t.aftermath.iter().cloned()));
        let told = told.unwrap_or_else(|| Told {
            ended: None,
            findings: Vec::new(),
            aftermath: Vec::new(),
            complete: true,
            lines: Vec::new(),
            checks: 0,
            unclaimed: Vec::new(),
            choices: Vec::new(),
            waited: std::time::Duration::ZERO,
        });
        Outcome {
            verdict,
            reason,
            rows: self.rows.rows(&told.lines),
            findings,
            aftermath,
            checks: told.checks,
            negatives: self.tally.told(),
            unclaimed: told.unclaimed,
            choices: told.choices,
            duration_ms: millis(self.now.since(self.began)),
            waited_ms: millis(told.waited),
            started: self.began,
            lines: told.lines,
            facts: self.watch.facts().clone(),
        }
    }

    fn keep(&mut self, finding: Finding, stage: Stage) {
        let after = matches!(stage, Stage::Finally | Stage::Restore);
        let into = if after {
            &mut self.aftermath
        } else {
            &mut self.findings
        };
        if let Some(like) = into.iter_mut().find(|kept| kept.is_like(&finding)) {
            like.absorb(&finding);
        } else if into.iter().filter(|f| f.rule == finding.rule).count() >= MAX_FINDINGS {
            *self.dropped.entry(finding.rule).or_default() += 1;
        } else {
            into.push(finding);
        }
    }

    /// The worst of everything; a story that was not finished is never a pass.
    fn verdict(&self, findings: &[Finding], told: Option<&Told>) -> (Verdict, String) {
        let mut verdict = Verdict::Pass;
        let mut reason = String::new();
        let mut worsen = |to: Verdict, why: String| {
            if to > verdict {
                (verdict, reason) = (to, why);
            }
        };
        for finding in findings {
            let place = finding
                .line
                .as_ref()
                .map_or_else(String::new, |l| format!(" ({}:{})", l.file, l.line));
            worsen(finding.verdict, format!("{}{place}", finding.message));
        }
        let Some(told) = told else {
            if !self.ended {
                worsen(Verdict::Inconclusive, "the trace breaks off".to_owned());
            }
            return (verdict, reason);
        };
        if told.ended.is_none() && !told.complete {
            worsen(
                Verdict::Inconclusive,
                "the story was not played to its end".to_owned(),
            );
        } else if !self.ended && !self.interrupted {
            worsen(
                Verdict::Inconclusive,
                "the trace breaks off before its end".to_owned(),
            );
        }
        if told.complete && told.lines.is_empty() && told.checks == 0 {
            worsen(
                Verdict::Error,
                "asserted nothing: no line of the device was met and no check evaluated".to_owned(),
            );
        }
        let not_applicable = told
            .ended
            .as_ref()
            .is_some_and(|f| f.verdict == Verdict::NotApplicable);
        if not_applicable && verdict <= Verdict::Pass {
            let why = told
                .ended
                .as_ref()
                .map_or_else(String::new, |f| f.message.clone());
            return (Verdict::NotApplicable, why);
        }
        (verdict, reason)
    }
}

/// Judges recorded events, the premise first.
pub fn judge<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Outcome, SessionError> {
    let mut events = events.into_iter();
    let Some(Event {
        at,
        what: What::Premise(premise),
        ..
    }) = events.next()
    else {
        return Err(SessionError::NoCase("(the first event is no premise)".to_owned()));
    };
    let (mut session, _) = Session::new(premise, *at)?;
    for event in events {
        session.step(event);
    }
    Ok(session.outcome())
}

/// What a premise says of its case.
fn setting(
    premise: &Premise,
    script: &Script,
    edition: &'static Edition,
) -> Result<Option<Setting>, SessionError> {
    let dialect = dialect(edition).ok_or_else(|| SessionError::Protocol(premise.protocol.clone()))?;
    Ok(script.case.as_ref().map(|case| Setting {
        case: Arc::clone(case),
        states: script.states.clone(),
        files: script.files.clone(),
        programs: script.programs.clone(),
        edition,
        dialect,
        dut: premise.dut.clone(),
        values: premise.values.clone(),
        for_values: premise.for_values.clone(),
        pics: premise.pics.clone(),
        driver: premise.driver.clone(),
        vary: premise.vary.unwrap_or(0),
        linked: !premise.connections.is_empty(),
    }))
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
