//! What every step of a conversation works on: names, facts, commands out, findings out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use plugfest_case::cel::Program;
use plugfest_case::ir::{Case, Cel, Speaker, State as CaseState, Stmt};
use plugfest_protocol::{Edition, Json, Timestamp};

use super::scope::FrameId;
use super::tree::Item;
use super::value::Values;
use super::{Command, LineMet};
use crate::dialect::Dialect;
use crate::facts::Facts;
use crate::finding::{Finding, Level, LineRef};
use crate::script::Programs;
use crate::verdict::Verdict;

/// The texts of a case and of the states that it uses.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) case: Arc<Case>,
    /// State by name, with the index of its file.
    pub(super) states: BTreeMap<String, (Arc<CaseState>, usize)>,
    /// Path and text of each file.
    pub(super) files: Vec<(String, Arc<str>)>,
    pub(super) edition: &'static Edition,
    pub(super) dialect: &'static dyn Dialect,
    pub(super) pics: BTreeMap<String, Json>,
    /// What the driver can do; `None` where that is not known.
    pub(super) driver: Option<Vec<String>>,
}

/// A line that ended the story.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) finding: Finding,
}

/// The working set of a conversation.
#[derive(Debug)]
pub(super) struct Cx {
    pub(super) story: Story,
    pub(super) dut: String,
    pub(super) values: Values,
    pub(super) facts: Facts,
    pub(super) commands: Vec<Command>,
    pub(super) findings: Vec<Finding>,
    pub(super) failure: Option<Failure>,
    /// Sequence number of the event that is worked on.
    pub(super) seq: u64,
    /// True while the event is a tick: deadlines of this very moment are over.
    pub(super) tick: bool,
    pub(super) lines: Vec<LineMet>,
    pub(super) checks: u32,
    /// True while the identity under test has a connection.
    pub(super) linked: bool,
    /// The story asked for the connection to go.
    pub(super) away_asked: bool,
    /// The connection over which the latest `raw` line went out.
    pub(super) raw_on: Option<u32>,
    /// The run was broken off: what is left to be done is done in haste.
    pub(super) broken_off: bool,
    /// CALLs of ours that a branch below answers, by link.
    pub(super) links: BTreeMap<u32, (u32, String)>,
    link_count: u32,
    /// CALLs by the name they were bound to: connection, id, action.
    pub(super) named: BTreeMap<String, (u32, String, String)>,
    asked: u32,
    /// What must never come, until the end.
    pub(super) watchers: Vec<Item>,
    /// Configuration to put back: key and value, in the order in which they were changed.
    pub(super) restore: Vec<(String, Json)>,
    /// States, with their arguments, to which every way was tried in vain.
    pub(super) unreached: BTreeSet<String>,
    /// Lines of level SHOULD that were not met, by the offset of their statement.
    pub(super) left: Vec<u32>,
    /// When the last hand was asked, and when it was done.
    pub(super) last_act: Option<(Timestamp, Timestamp)>,
    /// When a CALL of each action last came from the DUT.
    pub(super) last: BTreeMap<String, Timestamp>,
    /// Messages that took a line: connection, id, whether an answer, and the finding that a second one would be.
    pub(super) taken: Vec<(u32, String, bool, Finding)>,
    /// How much of the time was waiting that the story imposes.
    pub(super) waited: Duration,
    pub(super) programs: Programs,
    vary: u64,
    pub(super) choices: Vec<(u32, u32)>,
}

impl Cx {
    pub(super) fn new(story: Story, dut: &str, values: Values, facts: Facts, vary: u64) -> Self {
        Self {
            story,
            dut: dut.to_owned(),
            values,
            facts,
            commands: Vec::new(),
            findings: Vec::new(),
            failure: None,
            seq: 0,
            tick: false,
            lines: Vec::new(),
            checks: 0,
            linked: false,
            away_asked: false,
            raw_on: None,
            broken_off: false,
            links: BTreeMap::new(),
            link_count: 0,
            named: BTreeMap::new(),
            asked: 0,
            watchers: Vec::new(),
            restore: Vec::new(),
            unreached: BTreeSet::new(),
            left: Vec::new(),
            last_act: None,
            last: BTreeMap::new(),
            taken: Vec::new(),
            waited: Duration::ZERO,
            programs: Programs::default(),
            vary,
            choices: Vec::new(),
        }
    }

    /// The program of an expression.
    pub(super) fn program(&self, text: &str) -> Result<Arc<Program>, String> {
        self.programs.of(text)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.values.now
    }

    /// True once a deadline of that moment is over: events of the same moment come before it.
    pub(super) fn over(&self, deadline: Timestamp) -> bool {
        if self.tick {
            deadline <= self.values.now
        } else {
            deadline < self.values.now
        }
    }

    pub(super) fn is_dut(&self, speaker: &Speaker) -> bool {
        speaker.role == self.dut
    }

    /// True where the first line of a body is spoken by a side that we play.
    pub(super) fn plays_first(&self, body: &[Stmt]) -> bool {
        use plugfest_case::ir::Kind;
        match body.first().map(|s| &s.kind) {
            Some(Kind::Call(call)) => !self.is_dut(&call.speaker),
            Some(Kind::Connect(peer)) => !self.is_dut(&peer.speaker),
            _ => false,
        }
    }

    /// A choice between `among` ways for the played side: 0 plays the case as written.
    pub(super) fn choose(&mut self, among: u32) -> u32 {
        let digit = (self.vary % u64::from(among.max(1))) as u32;
        self.vary /= u64::from(among.max(1));
        self.choices.push((among, digit));
        digit
    }

    pub(super) fn new_link(&mut self) -> u32 {
        self.link_count += 1;
        self.link_count
    }

    pub(super) fn last_link(&self) -> u32 {
        self.link_count
    }

    pub(super) fn next_ask(&mut self) -> u32 {
        self.asked += 1;
        self.asked
    }

    /// A deadline of the profile: `timeout.NAME` in seconds.
    pub(super) fn timeout(&self, name: &str, default: u64) -> Duration {
        self.values
            .params
            .get("timeout")
            .and_then(|t| t.get(name))
            .and_then(super::value::as_duration)
            .unwrap_or(Duration::from_secs(default))
    }

    /// How long a CALL of the DUT may take to come: its own entry, or the general one.
    pub(super) fn action_timeout(&self, action: &str) -> Duration {
        let own = self.values.params.get("timeout").and_then(|t| t.get(action));
        own.and_then(super::value::as_duration)
            .unwrap_or_else(|| self.timeout("action", 30))
    }

    /// A fact of `if`: a PICS code, a configuration value, or a CEL expression over both.
    pub(super) fn known(&self, fact: &Cel, frame: FrameId) -> bool {
        super::check::truth(self, &fact.text, frame).unwrap_or(false)
    }

    /// The author's line of an item.
    pub(super) fn line(&self, item: &Item) -> Option<LineRef> {
        self.line_at(item.src, item.stmt.span.start)
    }

    pub(super) fn line_at(&self, src: usize, offset: u32) -> Option<LineRef> {
        let (path, text) = self.story.files.get(src)?;
        let before = text.get(..offset as usize)?;
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        Some(LineRef {
            file: path.clone(),
            line: before.matches('\n').count() as u32 + 1,
            column: (offset as usize - start) as u32 + 1,
            text: line.trim().to_owned(),
        })
    }

    /// The clause that a failed line of this action cites (rule 13).
    pub(super) fn clause(&self, item: &Item, action: Option<&str>) -> String {
        if let Some(per) = &item.stmt.mods.per {
            return per.clone();
        }
        if let Some(action) = action.and_then(|a| self.story.edition.action(a)) {
            return action.clause.clone();
        }
        let spec = &self.story.case.header.spec;
        spec.first().map_or_else(String::new, |s| {
            format!("{} {}", s.document, s.clauses.first().map_or("", String::as_str))
        })
    }

    /// A finding of a line.
    pub(super) fn finding(&self, item: &Item, action: Option<&str>, rule: &str, message: String) -> Finding {
        let should = item.stmt.mods.should
            || self
                .story
                .case
                .header
                .level
                .as_ref()
                .is_some_and(|l| l.text == "should");
        let level = if should { Level::Should } else { Level::Must };
        Finding {
            rule: format!("line/{rule}"),
            verdict: level.verdict(),
            level,
            clause: self.clause(item, action),
            message,
            expected: String::new(),
            actual: String::new(),
            pointer: None,
            event: Some(self.seq),
            line: self.line(item),
            parts: Vec::new(),
            count: 1,
            again: Vec::new(),
        }
    }

    /// Ends the story with a finding, or only notes it where the line is a SHOULD. True if the story ended.
    pub(super) fn fail(&mut self, finding: Finding) -> bool {
        if finding.verdict <= Verdict::Warn {
            self.findings.push(finding);
            return false;
        }
        if self.failure.is_none() {
            self.failure = Some(Failure { finding });
        }
        true
    }

    /// Ends the story because of something on our side: a value that the profile lacks, a verb that nobody can do.
    pub(super) fn stop(&mut self, item: &Item, verdict: Verdict, rule: &str, message: impl Into<String>) {
        let mut finding = self.finding(item, None, rule, message.into());
        finding.verdict = verdict;
        finding.level = Level::Must;
        self.fail(finding);
    }

    pub(super) fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// When a CALL of this action last came from the DUT, before the event that is worked on.
    pub(super) fn last_of(&self, action: &str) -> Option<Timestamp> {
        self.last.get(action).copied()
    }

    /// Remembers the message that took a line, so that the same message once more is seen.
    pub(super) fn note_taken(&mut self, conn: u32, id: &str, answer: bool, item: &Item, action: &str) {
        if self.taken.len() >= super::MAX_LINES {
            return;
        }
        let what = if answer {
            format!("the answer to {action}")
        } else {
            action.to_owned()
        };
        let mut finding = self.finding(item, Some(action), "twice", format!("{what} came twice"));
        finding.expected = "one message".to_owned();
        finding.actual = format!("a second one with message id {id:?}");
        self.taken.push((conn, id.to_owned(), answer, finding));
    }

    /// Notes that a line was met by the event that is worked on.
    pub(super) fn line_met(&mut self, item: &Item, answer: bool) {
        self.line_met_in_time(item, answer, None, None);
    }

    /// As [`Self::line_met`], with the moments between which it was due.
    pub(super) fn line_met_in_time(
        &mut self,
        item: &Item,
        answer: bool,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) {
        if self.lines.len() < super::MAX_LINES
            && let Some(line) = self.line(item)
        {
            self.lines.push(LineMet {
                line,
                event: self.seq,
                answer,
                span: item.stmt.span,
                since,
                until,
            });
        }
    }
}

impl Story {
    pub(super) fn is_phrase(&self, name: &str) -> bool {
        self.states.get(name).is_some_and(|(s, _)| s.phrase)
    }

    /// A state or phrase that loading has found to exist.
    pub(super) fn state(&self, name: &str) -> (Arc<CaseState>, usize) {
        let (state, src) = &self.states[name];
        (Arc::clone(state), *src)
    }
}

/// The driver's verb for a CALL of a DUT of this role, where it has to be asked (rule 8).
pub(super) fn prompt_verb(role: &str) -> Option<&'static str> {
    match role {
        "csms" => Some("csms.call"),
        "cpo" | "emsp" | "hub" => Some("ocpi.trigger"),
        _ => None,
    }
}
