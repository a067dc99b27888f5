//! The stages of a case: what comes before it, its body, what comes after it.

use std::sync::Arc;

use plugfest_case::ir::{Span, Stmt};
use plugfest_protocol::Timestamp;

use super::context::{self, Cx};
use super::tree::{self, Seq};
use super::{Command, Conversation, Stage, config};
use crate::facts::Facts;
use crate::finding::Finding;
use crate::verdict::Verdict;

impl Conversation {
    /// Configuration keys that an `if` of the body asks for and that are not known yet.
    pub(super) fn asked_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        keys_of(&self.body, &mut keys);
        keys.retain(|key| self.cx.facts.fact(&format!("config.{key}")).is_none());
        keys
    }

    pub(super) fn stop(&mut self, text: &str) {
        self.stop_with(Verdict::Error, text);
    }

    pub(super) fn stop_with(&mut self, verdict: Verdict, text: &str) {
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
            count: 1,
            again: Vec::new(),
        };
        self.cx.failure.get_or_insert(context::Failure { finding });
    }

    /// Goes on until nothing more happens without an event.
    pub(super) fn go_on(&mut self) {
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

    pub(super) fn enter_stage(&mut self, stage: Stage) {
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
pub(super) fn config_item(configure: config::Configure) -> tree::Item {
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
        if let Kind::If { fact, .. } = &stmt.kind {
            for part in fact.text.split("config.").skip(1) {
                let key: String = part.chars().take_while(char::is_ascii_alphanumeric).collect();
                if !key.is_empty() && !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        for inner in stmt.kind.bodies() {
            keys_of(inner, keys);
        }
    }
}
