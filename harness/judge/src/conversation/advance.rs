//! How a story goes on: arming what waits for the DUT, doing what is ours (rules 3, 7, 8).

use std::sync::Arc;

use plugfest_case::ir::{AnswerForm, Kind, NeverScope, Until};
use plugfest_protocol::{Json, Object, Timestamp};

use super::Command;
use super::context::Cx;
use super::pattern::Overlay;
use super::tree::{AnswerLink, Expect, Item, ManyState, Node, Prompt, Reach, Send, Sending, Seq, State};
use super::value::ValueError;
use crate::verdict::Verdict;

impl Seq {
    /// Goes as far as possible without a further event.
    pub(super) fn advance(&mut self, cx: &mut Cx) {
        loop {
            for i in self.phase..self.next {
                let clock = self.clock(i);
                self.items[i].progress(clock, cx);
                if cx.failed() {
                    return;
                }
            }
            if self.next == self.items.len() {
                return;
            }
            if self.items[self.next].passive() {
                self.items[self.next].arm(cx);
                self.next += 1;
                if cx.failed() {
                    return;
                }
                continue;
            }
            if !self.items[self.next].stmt.mods.at_once {
                if !self.window_done(cx) {
                    return;
                }
                self.close_window(cx);
                self.phase = self.next;
            }
            self.items[self.next].arm(cx);
            self.items[self.next].begin(cx);
            self.next += 1;
            if cx.failed() {
                return;
            }
        }
    }

    /// Arms what waits for the DUT up to the first thing of ours: the beginning of an undecided branch.
    pub(super) fn arm_only(&mut self, cx: &mut Cx) {
        while self.next < self.items.len() && self.items[self.next].passive() {
            self.items[self.next].arm(cx);
            self.next += 1;
        }
    }

    /// True when nothing in it is left to do.
    pub(super) fn finished(&self, cx: &Cx) -> bool {
        self.next == self.items.len() && self.window_done(cx)
    }

    /// True when every obligatory line of the phase is met (rule 3).
    pub(super) fn window_done(&self, cx: &Cx) -> bool {
        (self.phase..self.next).all(|i| self.items[i].done() || self.may_pass(i, cx))
    }

    /// True for an optional that need not be waited for any longer.
    fn may_pass(&self, i: usize, cx: &Cx) -> bool {
        let item = &self.items[i];
        match &item.node {
            Node::Optional(seq) if !seq.touched() => {
                let later = self.items[i + 1..self.next]
                    .iter()
                    .any(|j| j.done() && !j.is_optional());
                match (&item.stmt.mods.within, self.clock(i)) {
                    (None, _) => true,
                    (Some(_), None) => later,
                    (Some(within), Some(clock)) => {
                        later || cx.over(clock + cx.values.duration(within, item.frame).unwrap_or_default())
                    }
                }
            }
            Node::Many(many) => {
                many.open.is_empty() && many.count >= many.min && matches!(many.many.until, Until::Next)
            }
            _ => false,
        }
    }

    /// Closes what may be passed over when the next phase begins.
    pub(super) fn close_window(&mut self, cx: &Cx) {
        for item in &mut self.items[self.phase..self.next] {
            if item.open() {
                item.state = if matches!(item.node, Node::Many(_)) {
                    State::Met
                } else {
                    State::Left
                };
                item.met = Some(cx.now());
            }
        }
    }

    /// When the clock of item `i` started: everything obligatory before it is done. `None` until then.
    pub(super) fn clock(&self, i: usize) -> Option<Timestamp> {
        let mut clock = self.base?;
        for item in &self.items[self.phase..i] {
            match item.met {
                Some(met) if item.done() => clock = clock.max(met),
                _ if item.is_optional() || matches!(item.node, Node::Optional(_)) => {}
                _ => return None,
            }
        }
        // The phase before this one ended when its action began.
        if let Some(armed) = self.items.get(self.phase).and_then(|item| item.armed) {
            clock = clock.max(if self.phase > 0 { armed } else { clock });
        }
        Some(clock)
    }

    /// True once something of it has happened.
    pub(super) fn touched(&self) -> bool {
        self.items.iter().any(|item| item.done() || item.busy())
    }
}

impl Item {
    /// True while its message has come but not everything of it is done.
    fn busy(&self) -> bool {
        match &self.node {
            Node::Expect(e) => e.taken.is_some(),
            Node::Many(m) => m.count > 0,
            Node::Either(e) => e.chosen.is_some(),
            Node::AnyOrder(members) => members.iter().any(Seq::touched),
            Node::InOrder(seq) | Node::Optional(seq) => seq.touched(),
            Node::Reach(_) | Node::Config(_) => self.state != State::Idle,
            _ => false,
        }
    }

    pub(super) fn arm(&mut self, cx: &mut Cx) {
        self.state = State::Armed;
        self.armed = Some(cx.now());
        match &mut self.node {
            Node::AnyOrder(members) => members.iter_mut().for_each(|m| m.arm_only(cx)),
            Node::InOrder(seq) | Node::Optional(seq) if !seq.own_first() => seq.arm_only(cx),
            Node::Either(either) if !either.own => {
                either.branches.iter_mut().for_each(|(_, seq)| seq.arm_only(cx));
            }
            Node::ExpectConnect(expect) if !expect.gated => {
                expect.gated = true;
                if let Some(welcome) = &expect.welcome {
                    cx.commands.push(Command::Gate(welcome.how.clone()));
                }
            }
            Node::Never(_, NeverScope::UntilEnd, _) => {
                self.state = State::Met;
                self.met = self.armed;
                if let Kind::Never(never) = &self.stmt.kind
                    && never.calls.iter().any(|c| cx.is_dut(&c.speaker))
                {
                    cx.watchers.push(self.clone());
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish(&mut self, at: Timestamp) {
        self.state = State::Met;
        self.met = Some(at);
    }

    /// Does what is ours.
    fn begin(&mut self, cx: &mut Cx) {
        if let Err(error) = self.try_begin(cx) {
            let item = self.clone();
            cx.stop(&item, Verdict::Error, "value", error.to_string());
        }
    }

    fn try_begin(&mut self, cx: &mut Cx) -> Result<(), ValueError> {
        let now = cx.now();
        let (frame, stmt) = (self.frame, Arc::clone(&self.stmt));
        match &mut self.node {
            Node::Perform(verb, number) => {
                let mut args = Object::new();
                for (i, arg) in verb.args.iter().enumerate() {
                    let name = arg.name.as_ref().map_or_else(
                        || plugfest_case::verbs::parameter(&verb.name.text, i).to_owned(),
                        |n| n.text.clone(),
                    );
                    args.insert(name, cx.values.evaluate(&arg.value, frame)?);
                }
                cx.away_asked |= plugfest_case::verbs::may_disconnect(&verb.name.text);
                *number = Some(cx.ask(&verb.name.text, Json::Object(args)));
            }
            Node::Expect(expect) => {
                if let Some(verb) = super::context::prompt_verb(&expect.call.speaker.role) {
                    let action = expect.call.action.text.clone();
                    let mut pattern = expect.call.payload.clone();
                    if let Some(picks) = &expect.call.picks {
                        pattern.fields.extend(picks.fields.iter().cloned());
                    }
                    let overlay = cx.values.build(&pattern, frame)?;
                    let payload = overlay.onto(cx.story.edition, &action);
                    let mut args = Object::new();
                    args.insert("action", action);
                    args.insert("payload", payload);
                    expect.prompt = Prompt::Asked(cx.ask(verb, Json::Object(args)));
                }
            }
            Node::Send(send) => {
                let delay = match (&stmt.mods.after, &stmt.mods.every) {
                    (Some(t), _) | (None, Some(t)) => Some(cx.values.duration(&t.value, frame)?),
                    (None, None) => None,
                };
                match delay {
                    Some(delay) => send.sending = Sending::Until(now + delay),
                    None => send.command(frame, cx)?,
                }
            }
            Node::Wait(until) => {
                if let Kind::Wait { time } = &stmt.kind {
                    *until = Some(now + cx.values.duration(time, frame)?);
                }
            }
            Node::Never(_, NeverScope::For(time), until) => {
                *until = Some(now + cx.values.duration(time, frame)?);
            }
            Node::Check => {
                if let Kind::Check(cel) = &stmt.kind {
                    cx.checks += 1;
                    let truth = super::check::truth(cx, &cel.text, frame);
                    if truth != Ok(true) {
                        let mut finding =
                            cx.finding(self, None, "check", "the check does not hold".to_owned());
                        finding.expected = cel.text.clone();
                        finding.actual = truth.map_or_else(|e| e, |b| b.to_string());
                        finding.parts = super::check::parts(cx, &cel.text, frame);
                        if cx.fail(finding) {
                            return Ok(());
                        }
                    }
                    cx.line_met(self, false);
                }
                self.finish(now);
            }
            Node::Link(link, commanded) => {
                *commanded = true;
                cx.away_asked = true;
                cx.commands.push(Command::Link(*link));
            }
            Node::Dial(dial) => {
                let overlay = cx.values.build(&dial.payload, frame)?;
                dial.sending = Sending::Commanded;
                dial.since = Some(now);
                cx.commands.push(Command::Dial(overlay.values));
            }
            Node::Raw(sending) => {
                if let Kind::Raw { text, .. } = &stmt.kind {
                    let text = cx.values.evaluate(text, frame)?;
                    cx.commands
                        .push(Command::Raw(text.as_str().unwrap_or_default().to_owned()));
                    *sending = Sending::Commanded;
                }
            }
            Node::Reply(answer, sending) => {
                let name = answer.to.as_ref().map_or("", |n| n.text.as_str());
                if let Some((conn, id, action)) = cx.named.get(name).cloned() {
                    if let Some(form) = answer.forms.first() {
                        send_answer(form, conn, &id, &action, frame, cx)?;
                    }
                    *sending = Sending::Commanded;
                }
                self.finish(now);
            }
            Node::Reach(_) | Node::Config(_) | Node::AnyOrder(_) | Node::InOrder(_) | Node::Optional(_) => {}
            Node::Either(either) => {
                let among = either.branches.len() as u32;
                let chosen = cx.choose(among) as usize;
                either.chosen = Some(chosen);
                if let Some(time) = &either.branches[chosen].0.nothing_within {
                    either.still_until = Some(now + cx.values.duration(time, frame)?);
                }
            }
            Node::Run(verb) => return Err(ValueError::NoNative(verb.name.text.clone())),
            Node::Nothing => self.finish(now),
            Node::Answered(..)
            | Node::ExpectConnect(_)
            | Node::Many(_)
            | Node::Never(_, NeverScope::UntilEnd, _) => {}
        }
        Ok(())
    }

    /// Goes on with what has begun: replies that were held back, children, ends of waiting.
    fn progress(&mut self, clock: Option<Timestamp>, cx: &mut Cx) {
        if !self.open() {
            return;
        }
        if let Err(error) = self.try_progress(clock, cx) {
            let item = self.clone();
            cx.stop(&item, Verdict::Error, "value", error.to_string());
        }
    }

    fn try_progress(&mut self, clock: Option<Timestamp>, cx: &mut Cx) -> Result<(), ValueError> {
        let now = cx.now();
        let frame = self.frame;
        match &mut self.node {
            Node::Expect(expect) => {
                if let Sending::Until(time) = expect.reply
                    && now >= time
                {
                    expect.reply_now(frame, cx)?;
                }
                if expect.taken.is_some() && expect.reply == Sending::Done {
                    self.finish(now);
                }
            }
            Node::Send(send) => {
                if let Sending::Until(time) = send.sending
                    && now >= time
                {
                    send.command(frame, cx)?;
                }
            }
            Node::AnyOrder(members) => {
                for member in members.iter_mut() {
                    member.base = clock;
                    member.advance(cx);
                    if cx.failed() {
                        return Ok(());
                    }
                }
                if members.iter().all(|m| m.finished(cx)) {
                    self.finish(now);
                }
            }
            Node::InOrder(seq) => {
                seq.base = clock.or(self.armed.filter(|_| seq.own_first()));
                seq.advance(cx);
                if !cx.failed() && seq.finished(cx) {
                    seq.close_window(cx);
                    self.finish(now);
                }
            }
            Node::Optional(seq) => {
                seq.base = clock;
                if seq.touched() {
                    // From here on it is obligatory; its clock has started.
                    seq.base = seq.base.or(self.armed);
                    seq.advance(cx);
                    if !cx.failed() && seq.finished(cx) {
                        seq.close_window(cx);
                        self.finish(now);
                    }
                }
            }
            Node::Either(either) => {
                if either.chosen.is_none()
                    && let Some(clock) = clock
                {
                    for (i, (branch, _)) in either.branches.iter().enumerate() {
                        if let Some(time) = &branch.nothing_within
                            && cx.over(clock + cx.values.duration(time, frame)?)
                        {
                            either.chosen = Some(i);
                            break;
                        }
                    }
                }
                if either.still_until.is_some_and(|until| now < until) {
                    return Ok(());
                }
                if let Some(chosen) = either.chosen {
                    let seq = &mut either.branches[chosen].1;
                    if seq.base.is_none() {
                        seq.base = Some(clock.unwrap_or(now).max(self.armed.unwrap_or(now)));
                    }
                    seq.advance(cx);
                    if !cx.failed() && seq.finished(cx) {
                        seq.close_window(cx);
                        self.finish(now);
                    }
                }
            }
            Node::Many(many) => {
                many.go_on(clock, frame, cx)?;
                if many.closed && many.open.is_empty() {
                    self.finish(now);
                }
            }
            Node::Wait(Some(until)) | Node::Never(_, NeverScope::For(_), Some(until)) => {
                if now >= *until {
                    if let Node::Never(calls, ..) = &self.node
                        && calls.iter().any(|c| cx.is_dut(&c.speaker))
                    {
                        if !cx.linked && !cx.away_asked {
                            let text = "the device went away while nothing was to happen";
                            let item = self.clone();
                            cx.stop(&item, Verdict::Inconclusive, "away", text);
                            return Ok(());
                        }
                        cx.line_met(self, false);
                    }
                    cx.waited += now.since(self.armed.unwrap_or(now));
                    self.finish(now);
                }
            }
            Node::Reach(reach) => {
                if reach.go_on(&self.stmt, frame, cx)? {
                    self.finish(now);
                }
            }
            Node::Config(config) => {
                let item_done = config.go_on(cx);
                if let Some((verdict, text)) = config.trouble.take() {
                    let item = self.clone();
                    cx.stop(&item, verdict, "config", text);
                } else if item_done {
                    self.finish(now);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Expect {
    /// Sends our answer as the line says, or leaves it to ordinary behaviour.
    pub(super) fn reply_now(&mut self, frame: super::scope::FrameId, cx: &mut Cx) -> Result<(), ValueError> {
        let Some(taken) = self.taken.clone() else {
            return Ok(());
        };
        self.reply = Sending::Commanded;
        let form = self.answers.iter().find_map(|stmt| match &stmt.kind {
            Kind::Answer(answer) => Some(answer.forms.clone()),
            _ => None,
        });
        let Some(forms) = form else {
            cx.commands.push(Command::Ordinary {
                conn: taken.conn,
                id: taken.id,
                action: taken.action,
            });
            return Ok(());
        };
        let chosen = if forms.len() > 1 {
            cx.choose(forms.len() as u32) as usize
        } else {
            0
        };
        if matches!(forms[chosen], AnswerForm::Silence) {
            self.reply = Sending::Done;
        }
        send_answer(&forms[chosen], taken.conn, &taken.id, &taken.action, frame, cx)
    }
}

impl Send {
    fn command(&mut self, frame: super::scope::FrameId, cx: &mut Cx) -> Result<(), ValueError> {
        let mut pattern = self.call.payload.clone();
        if let Some(picks) = &self.call.picks {
            pattern.fields.extend(picks.fields.iter().cloned());
        }
        let overlay = cx.values.build(&pattern, frame)?;
        cx.away_asked |= cx.story.dialect.may_disconnect(&self.call.action.text);
        cx.commands.push(Command::Call {
            speaker: self.call.speaker.role.clone(),
            number: self.call.speaker.number,
            action: self.call.action.text.clone(),
            overlay,
        });
        self.sending = Sending::Commanded;
        Ok(())
    }
}

/// Hands an answer of ours to the player.
pub(super) fn send_answer(
    form: &AnswerForm,
    conn: u32,
    id: &str,
    action: &str,
    frame: super::scope::FrameId,
    cx: &mut Cx,
) -> Result<(), ValueError> {
    let command = match form {
        AnswerForm::Result(pattern) => Command::Answer {
            conn,
            id: id.to_owned(),
            action: action.to_owned(),
            overlay: cx.values.build(pattern, frame)?,
        },
        AnswerForm::Error { code } => {
            let code = match code {
                plugfest_case::ir::Pattern::Value(expr) => cx
                    .values
                    .evaluate(expr, frame)?
                    .as_str()
                    .unwrap_or("GenericError")
                    .to_owned(),
                _ => "GenericError".to_owned(),
            };
            Command::AnswerError {
                conn,
                id: id.to_owned(),
                action: action.to_owned(),
                code,
            }
        }
        AnswerForm::Silence => Command::Silence {
            conn,
            id: id.to_owned(),
        },
    };
    cx.commands.push(command);
    Ok(())
}

impl ManyState {
    fn go_on(
        &mut self,
        clock: Option<Timestamp>,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) -> Result<(), ValueError> {
        for seq in &mut self.open {
            seq.base = seq.base.or(Some(cx.now()));
            seq.advance(cx);
            if cx.failed() {
                return Ok(());
            }
        }
        self.open.retain(|seq| !seq.finished(cx));
        if self.max.is_some_and(|max| self.count >= max) {
            self.closed = true;
        }
        if let Until::Quiet(time) = &self.many.until
            && self.count >= self.min
            && let Some(since) = self.last.or(clock)
            && cx.over(since + cx.values.duration(time, frame)?)
        {
            self.closed = true;
        }
        Ok(())
    }
}

impl Reach {
    /// Tries the ways to the state; true once it holds.
    fn go_on(
        &mut self,
        stmt: &plugfest_case::ir::Stmt,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) -> Result<bool, ValueError> {
        if self.state.is_none() {
            let (state, src) = cx.story.state(&self.reference.name.text);
            let mut values = std::collections::BTreeMap::new();
            for (param, arg) in state.params.iter().zip(&self.reference.args) {
                values.insert(param.text.clone(), cx.values.evaluate(arg, frame)?);
            }
            self.state_frame = Some(cx.values.scopes.open(values));
            self.state_src = src;
            self.state = Some(state);
        }
        let state = Arc::clone(self.state.as_ref().expect("it was set just above"));
        let state_frame = self.state_frame.expect("it was set with the state");
        loop {
            if self.child.is_none() {
                if self.holds(&state, state_frame, cx) {
                    self.export(&state, state_frame, frame, cx);
                    return Ok(true);
                }
                if !self.open_way(&state, state_frame, cx)? {
                    let text = format!(
                        "{} could not be reached: {}",
                        self.reference.name.text,
                        if self.reasons.is_empty() {
                            "no way leads there".to_owned()
                        } else {
                            self.reasons.join("; ")
                        }
                    );
                    let item = Item::new(Arc::new(stmt.clone()), 0, frame, false, Node::Nothing);
                    let verdict = if self.header {
                        Verdict::Blocked
                    } else {
                        Verdict::Fail
                    };
                    cx.stop(&item, verdict, "state", text);
                    return Ok(false);
                }
            }
            let child = self.child.as_mut().expect("a way is open");
            child.advance(cx);
            if cx.failed() {
                self.way_failed(cx);
                if cx.failed() {
                    return Ok(false);
                }
                continue;
            }
            let child = self.child.as_ref().expect("a way is open");
            if !child.finished(cx) {
                return Ok(false);
            }
            self.child = None;
            if !self.holds(&state, state_frame, cx) {
                self.reasons
                    .push(format!("way {} was gone and the state does not hold", self.way));
            }
        }
    }

    /// Keeps the reason why a way failed and gives it up; a fault of ours stays one.
    pub(super) fn way_failed(&mut self, cx: &mut Cx) {
        let Some(failure) = cx.failure.take() else { return };
        if failure.finding.verdict == Verdict::Error {
            cx.failure = Some(failure);
            return;
        }
        let place = failure
            .finding
            .line
            .as_ref()
            .map_or_else(String::new, |l| format!(" ({}:{})", l.file, l.line));
        let detail = if failure.finding.expected.is_empty() {
            String::new()
        } else {
            format!(
                ", expected {}, got {}",
                failure.finding.expected, failure.finding.actual
            )
        };
        self.reasons
            .push(format!("{}{detail}{place}", failure.finding.message));
        self.child = None;
    }

    fn holds(&self, state: &plugfest_case::ir::State, frame: super::scope::FrameId, cx: &Cx) -> bool {
        match &state.probe {
            Some(probe) => super::check::truth(cx, &probe.text, frame).unwrap_or(false),
            None => self.way > 0,
        }
    }

    fn export(
        &self,
        state: &plugfest_case::ir::State,
        state_frame: super::scope::FrameId,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) {
        let Some(name) = &self.reference.bind else { return };
        let mut exports = Object::new();
        for export in &state.exports {
            let value = super::check::value(cx, &export.value.text, state_frame).unwrap_or(Json::Null);
            exports.insert(&export.name.text, value);
        }
        cx.values
            .scopes
            .bind(frame, &name.text, Json::Object(exports), false);
    }

    /// Opens the next way that the driver can go. False when there is none left.
    fn open_way(
        &mut self,
        state: &plugfest_case::ir::State,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) -> Result<bool, ValueError> {
        while let Some(way) = state.ways.get(self.way) {
            self.way += 1;
            if let Some(verb) = missing_verb(&way.body, cx) {
                self.reasons.push(format!("the driver cannot do {verb}"));
                continue;
            }
            let mut items = given_items(&state.given, self.state_src, frame, self.header, cx)?;
            items.extend(Seq::new(&way.body, self.state_src, frame, false, cx)?.items);
            let mut seq = Seq::of(items);
            seq.base = Some(cx.now());
            self.child = Some(Box::new(seq));
            return Ok(true);
        }
        Ok(false)
    }
}

/// The first verb of a body that the driver is known not to have.
fn missing_verb(body: &[plugfest_case::ir::Stmt], cx: &Cx) -> Option<String> {
    let can = cx.story.driver.as_ref()?;
    body.iter().find_map(|stmt| match &stmt.kind {
        Kind::Act(verb) | Kind::Operate(verb) if !can.contains(&verb.name.text) => {
            Some(verb.name.text.clone())
        }
        Kind::Do(plugfest_case::ir::Given::State(reference)) if cx.story.is_phrase(&reference.name.text) => {
            let (phrase, _) = cx.story.state(&reference.name.text);
            phrase.ways.iter().find_map(|way| missing_verb(&way.body, cx))
        }
        Kind::Each { body, .. }
        | Kind::Repeat { body, .. }
        | Kind::InOrder { body }
        | Kind::AnyOrder { body }
        | Kind::If { body, .. } => missing_verb(body, cx),
        _ => None,
    })
}

/// The items of a `given` list.
pub(super) fn given_items(
    given: &[plugfest_case::ir::Given],
    src: usize,
    frame: super::scope::FrameId,
    header: bool,
    cx: &mut Cx,
) -> Result<Vec<Item>, ValueError> {
    let mut items = Vec::new();
    for entry in given {
        let (kind, span) = match entry {
            plugfest_case::ir::Given::State(r) => (Kind::Do(entry.clone()), r.span),
            plugfest_case::ir::Given::Config { span, .. } => (Kind::Do(entry.clone()), *span),
        };
        let stmt = plugfest_case::ir::Stmt {
            comments: Vec::new(),
            trailing: None,
            kind,
            mods: plugfest_case::ir::Mods::default(),
            layout: plugfest_case::ir::Layout::default(),
            span,
        };
        let mut seq = Seq::new(std::slice::from_ref(&stmt), src, frame, false, cx)?;
        for item in &mut seq.items {
            if let Node::Reach(reach) = &mut item.node {
                reach.header = header;
            }
        }
        items.extend(seq.items);
    }
    Ok(items)
}

impl Cx {
    pub(super) fn ask(&mut self, verb: &str, args: Json) -> u32 {
        let call = self.next_ask();
        self.commands.push(Command::Ask {
            call,
            verb: verb.to_owned(),
            args,
        });
        call
    }
}

impl Overlay {
    /// The overlay on the smallest valid payload of an action: what the driver is asked to let a CSMS send.
    pub(super) fn onto(&self, edition: &'static plugfest_protocol::Edition, action: &str) -> Json {
        let model = if edition.action(action).is_some() {
            plugfest_protocol::minimal(edition, action, plugfest_protocol::Part::Request)
        } else {
            Json::Object(Object::new())
        };
        let mut payload = self.over(model);
        if let Some(ty) = edition.message(action, plugfest_protocol::Part::Request) {
            conform(ty, &mut payload);
        }
        payload
    }

    /// The overlay on the payload that a side would send by itself.
    pub fn over(&self, model: Json) -> Json {
        let mut payload = if self.exactly {
            Json::Object(Object::new())
        } else {
            model.clone()
        };
        merge(&mut payload, &Json::Object(self.values.clone()));
        for pointer in &self.absent {
            payload.remove_pointer(pointer);
        }
        for pointer in &self.holes {
            if payload.pointer(pointer).is_none()
                && let Some(value) = model.pointer(pointer)
            {
                // The model has the place, so it can be set.
                let _there = payload.set_pointer(pointer, value.clone());
            }
        }
        payload
    }
}

/// Writes values as their fields want them: `10` is the text `"10"` where the standard has a text (configuration
/// values), and a whole decimal is an integer where it has an integer.
pub fn conform(ty: &plugfest_protocol::ObjectType, payload: &mut Json) {
    let Json::Object(object) = payload else { return };
    for field in &ty.fields {
        let Some(value) = object.get_mut(&field.name) else {
            continue;
        };
        match value {
            Json::Array(items) if field.array.is_some() => {
                for item in items.iter_mut() {
                    conform_value(&field.ty, item);
                }
            }
            value => conform_value(&field.ty, value),
        }
    }
}

fn conform_value(ty: &plugfest_protocol::Type, value: &mut Json) {
    use plugfest_protocol::Type;
    match (ty, &*value) {
        (Type::Object(inner), Json::Object(_)) => conform(inner, value),
        (Type::Str { .. }, Json::Number(n)) => *value = Json::from(n.to_string()),
        (Type::Str { .. }, Json::Bool(b)) => *value = Json::from(b.to_string()),
        (Type::Str { .. }, Json::Array(items)) => {
            // A list in a text is written with commas (OCPP-1.6 9).
            let words: Vec<String> = items
                .iter()
                .map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned))
                .collect();
            *value = Json::from(words.join(","));
        }
        (Type::Int { .. }, Json::Number(n)) => {
            if let Some(whole) = n.as_i64() {
                *value = Json::from(whole);
            }
        }
        _ => {}
    }
}

fn merge(into: &mut Json, from: &Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (key, value) in from.iter() {
                match into.get_mut(key) {
                    Some(there) => merge(there, value),
                    None => into.insert(key, value.clone()),
                }
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// True for the answer that a free-standing line waits for.
pub(super) fn answers_to(link: &AnswerLink, conn: u32, id: &str, cx: &Cx) -> bool {
    match link {
        AnswerLink::Above(n) => cx.links.get(n).is_some_and(|(c, i)| *c == conn && i == id),
        AnswerLink::Named(name) => cx.named.get(name).is_some_and(|(c, i, _)| *c == conn && i == id),
    }
}
