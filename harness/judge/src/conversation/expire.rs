//! Deadlines: when the next one is, and what its passing means (rule 11).

use plugfest_case::ir::{AnswerForm, Kind, NeverScope, Until};
use plugfest_protocol::Timestamp;

use super::Waiting;
use super::context::Cx;
use super::tree::{Item, Node, Prompt, Sending, Seq, State};
use crate::finding::Level;
use crate::verdict::Verdict;

impl Seq {
    /// The earliest deadline of anything in the open phase.
    pub(super) fn deadline(&self, cx: &Cx) -> Option<Timestamp> {
        (self.phase..self.next)
            .filter(|&i| self.items[i].open())
            .filter_map(|i| self.items[i].deadline(self.clock(i), cx))
            .min()
    }

    /// Fails what was not met in time.
    pub(super) fn expire(&mut self, cx: &mut Cx) {
        for i in self.phase..self.next {
            if !self.items[i].open() {
                continue;
            }
            let clock = self.clock(i);
            self.items[i].expire(clock, cx);
            if cx.failed() {
                return;
            }
        }
    }

    /// What is waited for, in words.
    pub(super) fn waiting(&self, cx: &Cx) -> Option<Waiting> {
        (self.phase..self.next)
            .filter(|&i| self.items[i].open() && !self.items[i].is_optional())
            .find_map(|i| self.items[i].waiting(self.clock(i), cx))
    }
}

impl Item {
    /// The latest moment of a line of the DUT, once its clock has started.
    pub(super) fn latest(&self, action: &str, clock: Option<Timestamp>, cx: &Cx) -> Option<Timestamp> {
        let clock = clock?;
        let mods = &self.stmt.mods;
        let length = |e| cx.values.duration(e, self.frame).unwrap_or_default();
        if let Some(every) = &mods.every {
            let since = cx.last_of(action).map_or(clock, |last| last.max(clock));
            let tolerance = every
                .tolerance
                .as_ref()
                .map_or_else(|| cx.values.tolerance("late", 5), &length);
            return Some(since + length(&every.value) + tolerance);
        }
        let after = mods.after.as_ref().map(|t| length(&t.value)).unwrap_or_default();
        let within = match &mods.within {
            Some(within) => length(within),
            None => cx.action_timeout(action),
        };
        Some(clock + after + within)
    }

    fn deadline(&self, clock: Option<Timestamp>, cx: &Cx) -> Option<Timestamp> {
        let length = |e| cx.values.duration(e, self.frame).unwrap_or_default();
        match &self.node {
            Node::Expect(expect) => match (&expect.taken, expect.reply) {
                (_, Sending::Until(time)) => Some(time),
                (None, _) => self.latest(&expect.call.action.text, self.clock_of_prompt(clock), cx),
                _ => None,
            },
            Node::Send(send) => match (&send.sent, send.sending) {
                (_, Sending::Until(time)) => Some(time),
                (Some((_, _, at)), _) if send.link.is_none() => Some(*at + self.answer_time(cx)),
                // A connection may take as long as a reboot to come; a delay of the line's own comes before that.
                (None, _) => {
                    let delay = self.stmt.mods.after.as_ref().or(self.stmt.mods.every.as_ref());
                    let delay = delay.map(|t| length(&t.value)).unwrap_or_default();
                    Some(self.armed? + delay + cx.timeout("reboot", 120))
                }
                _ => None,
            },
            Node::Raw(raw) => match (&raw.sent, raw.sending) {
                (_, Sending::Until(time)) => Some(time),
                (Some((_, _, at)), _) => Some(*at + self.answer_time(cx)),
                (None, _) => Some(self.armed? + cx.timeout("reboot", 120)),
            },
            Node::Answered(..) => Some(clock? + cx.timeout("message", 30)),
            Node::ExpectConnect(_) => self.latest("Connect", clock, cx),
            Node::ExpectTransfer(expect) => self.latest(&expect.call.action.text, clock, cx),
            Node::Dial(dial) => Some(dial.since? + cx.timeout("message", 30)),
            Node::Wait(until) | Node::Never(_, NeverScope::For(_), until) => *until,
            Node::AnyOrder(members) => members.iter().filter_map(|m| m.deadline(cx)).min(),
            Node::InOrder(seq) => earliest(seq.deadline(cx), self.block_end(clock, cx)),
            Node::Optional(seq) if seq.touched() => seq.deadline(cx),
            Node::Optional(_) => Some(clock? + length(self.stmt.mods.within.as_ref()?)),
            Node::Either(either) => match either.chosen {
                Some(chosen) => {
                    let still = either.still_until.filter(|until| *until > cx.now());
                    earliest(still, either.branches[chosen].1.deadline(cx))
                }
                None => {
                    let clock = clock?;
                    let still = either
                        .branches
                        .iter()
                        .filter_map(|(b, _)| b.nothing_within.as_ref())
                        .map(|time| clock + length(time))
                        .min();
                    still.or_else(|| Some(clock + self.either_time(cx)))
                }
            },
            Node::Many(many) => {
                let inner = many.open.iter().filter_map(|s| s.deadline(cx)).min();
                let since = many.last.or(clock);
                let own = match &many.many.until {
                    _ if many.closed => None,
                    Until::Quiet(time) if many.count >= many.min => since.map(|s| s + length(time)),
                    Until::Next if many.count >= many.min => None,
                    _ => self.many_end(clock, many.last, cx),
                };
                earliest(inner, own)
            }
            Node::Reach(reach) => reach.child.as_ref().and_then(|c| c.deadline(cx)),
            Node::Config(config) => config.deadline(cx),
            _ => None,
        }
    }

    fn expire(&mut self, clock: Option<Timestamp>, cx: &mut Cx) {
        match &mut self.node {
            Node::AnyOrder(members) => {
                for member in members {
                    member.expire(cx);
                    if cx.failed() {
                        return;
                    }
                }
            }
            Node::InOrder(seq) => {
                seq.expire(cx);
                if !cx.failed() && self.block_end(clock, cx).is_some_and(|end| cx.over(end)) {
                    self.missing(None, "the lines of the block", cx);
                }
            }
            Node::Optional(seq) if seq.touched() => seq.expire(cx),
            Node::Optional(_) => {
                if self.deadline(clock, cx).is_some_and(|d| cx.over(d)) {
                    self.state = State::Left;
                    self.met = Some(cx.now());
                }
            }
            Node::Either(either) => match either.chosen {
                Some(chosen) => either.branches[chosen].1.expire(cx),
                None => {
                    let nothing = either.branches.iter().any(|(b, _)| b.nothing_within.is_some());
                    if !nothing && self.deadline(clock, cx).is_some_and(|d| cx.over(d)) {
                        self.missing(None, "any of the branches", cx);
                    }
                }
            },
            Node::Many(many) => {
                for seq in &mut many.open {
                    seq.expire(cx);
                    if cx.failed() {
                        return;
                    }
                }
                let wanting = !many.closed
                    && match &many.many.until {
                        Until::Fits(_) => true,
                        _ => many.count < many.min,
                    };
                let (count, least, last) = (many.count, many.min, many.last);
                if wanting && self.many_end(clock, last, cx).is_some_and(|d| cx.over(d)) {
                    self.too_few(count, least.max(1), cx);
                }
            }
            Node::Reach(reach) => {
                if let Some(child) = &mut reach.child {
                    child.expire(cx);
                    if cx.failed() {
                        reach.way_failed(cx);
                    }
                }
            }
            Node::Config(config) => config.expire(cx),
            Node::Expect(expect) if expect.taken.is_none() => {
                let action = expect.call.action.text.clone();
                let clock = self.clock_of_prompt(clock);
                if self.latest(&action, clock, cx).is_some_and(|d| cx.over(d)) {
                    let what = self.describe(cx);
                    self.missing(Some(&action), &what, cx);
                }
            }
            Node::Answered(..) | Node::ExpectConnect(_) | Node::ExpectTransfer(_) | Node::Dial(_) => {
                if self.deadline(clock, cx).is_some_and(|d| cx.over(d)) {
                    let what = self.describe(cx);
                    self.missing(None, &what, cx);
                }
            }
            Node::Send(send) => {
                let action = send.call.action.text.clone();
                let late = self.deadline(clock, cx).is_some_and(|d| cx.over(d));
                let Node::Send(send) = &self.node else { return };
                match (&send.sent, send.sending) {
                    (_, Sending::Until(_)) => {}
                    (Some(_), _) if late && self.wants_silence() => {
                        cx.line_met(self, true);
                        self.finish(cx.now());
                    }
                    (Some(_), _) if late => {
                        let line = self.answer_line();
                        line.missing(Some(&action), &format!("an answer to {action}"), cx);
                        if !cx.failed() {
                            self.finish(cx.now());
                        }
                    }
                    (None, _) if late => {
                        self.unsent(&action, cx);
                    }
                    _ => {}
                }
            }
            Node::Raw(raw) if !matches!(raw.sending, Sending::Until(_)) => {
                let (sent, action) = (raw.sent.is_some(), raw.action.clone());
                if self.deadline(clock, cx).is_some_and(|d| cx.over(d)) {
                    self.raw_late(sent, action.as_deref(), cx);
                }
            }
            _ => {}
        }
    }

    /// The time of a `raw` line is over.
    fn raw_late(&mut self, sent: bool, action: Option<&str>, cx: &mut Cx) {
        if !sent {
            return self.unsent("the frame", cx);
        }
        // Where no line asks for an answer, whether one was due is for the rules to say.
        if self.wants_silence() {
            cx.line_met(&self.answer_line(), true);
        } else if !self.answers().is_empty() {
            self.answer_line().missing(action, "an answer to the frame", cx);
        }
        if !cx.failed() {
            self.finish(cx.now());
        }
    }

    /// Ends the story where something of ours could not be sent.
    fn unsent(&self, what: &str, cx: &mut Cx) {
        let text = format!("{what} could not be sent: the device has no connection");
        let verdict = if cx.away_asked {
            Verdict::Fail
        } else {
            Verdict::Inconclusive
        };
        cx.stop(self, verdict, "away", text);
    }

    /// The answer lines of what we sent.
    fn answers(&self) -> &[std::sync::Arc<plugfest_case::ir::Stmt>] {
        match &self.node {
            Node::Send(send) => &send.answers,
            Node::Raw(raw) => &raw.answers,
            _ => &[],
        }
    }

    /// A line that asks for no answer at all.
    fn wants_silence(&self) -> bool {
        self.answers().iter().any(|s| match &s.kind {
            Kind::Answer(a) => a.forms.iter().any(|f| matches!(f, AnswerForm::Silence)),
            _ => false,
        })
    }

    /// The answer line of a CALL of ours, or the CALL line itself.
    pub(super) fn answer_line(&self) -> Self {
        let mut line = self.clone();
        if let Some(stmt) = self.answers().iter().find(|s| matches!(s.kind, Kind::Answer(_))) {
            line.stmt = std::sync::Arc::clone(stmt);
        }
        line
    }

    pub(super) fn answer_time(&self, cx: &Cx) -> std::time::Duration {
        let line = self.answer_line();
        match &line.stmt.mods.within {
            Some(within) => cx.values.duration(within, self.frame).unwrap_or_default(),
            None => cx.timeout("message", 30),
        }
    }

    /// A prompted CALL's clock runs from when the driver has done it.
    pub(super) fn clock_of_prompt(&self, clock: Option<Timestamp>) -> Option<Timestamp> {
        match &self.node {
            Node::Expect(e) => match e.prompt {
                Prompt::None => clock,
                Prompt::Done => self.armed.max(clock),
                _ => None,
            },
            _ => clock,
        }
    }

    fn block_end(&self, clock: Option<Timestamp>, cx: &Cx) -> Option<Timestamp> {
        let within = self.stmt.mods.within.as_ref()?;
        Some(clock? + cx.values.duration(within, self.frame).unwrap_or_default())
    }

    fn either_time(&self, cx: &Cx) -> std::time::Duration {
        if let Some(within) = &self.stmt.mods.within {
            return cx.values.duration(within, self.frame).unwrap_or_default();
        }
        let Node::Either(either) = &self.node else {
            return cx.timeout("action", 30);
        };
        // The most patient branch decides.
        either
            .branches
            .iter()
            .filter_map(|(_, seq)| seq.items.first())
            .map(|item| match (&item.node, &item.stmt.mods.within) {
                (_, Some(within)) => cx.values.duration(within, item.frame).unwrap_or_default(),
                (Node::Expect(e), None) => cx.action_timeout(&e.call.action.text),
                _ => cx.timeout("action", 30),
            })
            .max()
            .unwrap_or_else(|| cx.timeout("action", 30))
    }

    /// The moment at which a `many` that is not complete has failed.
    fn many_end(&self, clock: Option<Timestamp>, last: Option<Timestamp>, cx: &Cx) -> Option<Timestamp> {
        if let Some(within) = &self.stmt.mods.within {
            return Some(clock? + cx.values.duration(within, self.frame).unwrap_or_default());
        }
        let Node::Many(many) = &self.node else { return None };
        let action = many.many.body.first().and_then(|s| match &s.kind {
            Kind::Call(call) => Some(call.action.text.as_str()),
            _ => None,
        })?;
        let first = many.many.body.first();
        let own = first.and_then(|s| s.mods.within.as_ref());
        let every = first
            .and_then(|s| s.mods.every.as_ref())
            .or(self.stmt.mods.every.as_ref());
        let length = |e| cx.values.duration(e, self.frame).unwrap_or_default();
        let time = match (own, every) {
            (Some(within), _) => length(within),
            (None, Some(every)) => length(&every.value) + cx.action_timeout(action),
            (None, None) => cx.action_timeout(action),
        };
        Some(last.or(clock)? + time)
    }

    /// The finding of a line that was not met in time.
    pub(super) fn missing(&self, action: Option<&str>, what: &str, cx: &mut Cx) {
        let mut finding = cx.finding(self, action, "missing", format!("{what} did not come in time"));
        what.clone_into(&mut finding.expected);
        "nothing that fits".clone_into(&mut finding.actual);
        self.never_came(finding, what, cx);
    }

    /// A `many` whose time is over before there were enough.
    fn too_few(&self, count: u32, least: u32, cx: &mut Cx) {
        let of = match &self.node {
            Node::Many(many) => many.many.body.first().and_then(|stmt| match &stmt.kind {
                Kind::Call(call) => Some(call.action.text.clone()),
                _ => None,
            }),
            _ => None,
        };
        let of = of.unwrap_or_else(|| "messages that fit".to_owned());
        let came = if count == 0 {
            "none".to_owned()
        } else {
            count.to_string()
        };
        let message = format!("{came} of at least {least} {of} came in time");
        let mut finding = cx.finding(self, None, "missing", message);
        finding.expected = format!("at least {least} {of}");
        finding.actual = format!("{count} that fit");
        self.never_came(finding, &of, cx);
    }

    /// Fails a line whose message is missing, or leaves it open where the device has gone.
    fn never_came(&self, mut finding: crate::finding::Finding, what: &str, cx: &mut Cx) {
        if !cx.linked && !cx.away_asked && finding.level == Level::Must {
            finding.verdict = Verdict::Inconclusive;
            finding.message = format!("{what} did not come: the device went away for another reason");
        }
        let ended = cx.fail(finding);
        if !ended {
            // A SHOULD that was not met: the story goes on without it.
            cx.left.push(self.stmt.span.start);
        }
    }

    /// The line in words: what is waited for.
    pub(super) fn describe(&self, cx: &Cx) -> String {
        match &self.node {
            Node::Expect(e) => {
                let picks = super::fit::picked(&e.call, cx);
                let rest: Vec<_> = e
                    .call
                    .payload
                    .fields
                    .iter()
                    .filter(|f| !picks.fields.iter().any(|p| p.name.text == f.name.text))
                    .map(|f| format!("{}: {}", f.name.text, cx.values.describe(&f.pattern, self.frame)))
                    .collect();
                let which: Vec<_> = picks
                    .fields
                    .iter()
                    .map(|f| format!("{}: {}", f.name.text, cx.values.describe(&f.pattern, self.frame)))
                    .collect();
                let which = if which.is_empty() {
                    String::new()
                } else {
                    format!("({})", which.join(", "))
                };
                let rest = if rest.is_empty() {
                    String::new()
                } else {
                    format!(" {{ {} }}", rest.join(", "))
                };
                format!("{}{which}{rest}", e.call.action.text)
            }
            Node::Answered(answer, _) => {
                let forms: Vec<_> = answer
                    .forms
                    .iter()
                    .map(|f| super::fit::describe_form(f, self.frame, cx))
                    .collect();
                forms.join(" or ")
            }
            Node::ExpectConnect(_) => "a connection".to_owned(),
            Node::ExpectTransfer(expect) => format!("a whole {}", expect.call.action.text),
            Node::Dial(_) => "an answer to our connection".to_owned(),
            _ => "the line".to_owned(),
        }
    }

    fn waiting(&self, clock: Option<Timestamp>, cx: &Cx) -> Option<Waiting> {
        let until = self.deadline(clock, cx);
        let what = match &self.node {
            Node::Expect(_) | Node::Answered(..) | Node::ExpectConnect(_) | Node::ExpectTransfer(_) => {
                self.describe(cx)
            }
            Node::Transfer(own) => format!("the {} to end", own.call.action.text),
            Node::Send(send) if send.sent.is_some() => format!("the answer to {}", send.call.action.text),
            Node::Send(send) => format!("sending {}", send.call.action.text),
            Node::Raw(raw) if raw.sent.is_some() => "the answer to a frame".to_owned(),
            Node::Perform(verb, _) => format!("{} to be done", verb.name.text),
            Node::Wait(_) => "time to pass".to_owned(),
            Node::Never(calls, ..) => {
                let names: Vec<_> = calls.iter().map(|c| c.action.text.as_str()).collect();
                format!("{} not to come", names.join(", "))
            }
            Node::AnyOrder(members) => return members.iter().find_map(|m| m.waiting(cx)),
            Node::InOrder(seq) | Node::Optional(seq) => return seq.waiting(cx),
            Node::Either(either) => match either.chosen {
                Some(chosen) => return either.branches[chosen].1.waiting(cx),
                None => "one of several ways to go on".to_owned(),
            },
            Node::Many(many) => format!("further messages ({} so far)", many.count),
            Node::Reach(reach) => {
                return reach.child.as_ref().and_then(|c| c.waiting(cx)).map(|mut w| {
                    w.what = format!("{} (to reach {})", w.what, reach.reference.name.text);
                    w
                });
            }
            Node::Config(_) => "the configuration".to_owned(),
            _ => return None,
        };
        Some(Waiting { what, until })
    }
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
