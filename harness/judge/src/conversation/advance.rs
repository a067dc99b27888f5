//! How a story goes on: arming what waits for the DUT, doing what is ours (rules 3, 7, 8).

use std::sync::Arc;

use plugfest_case::ir::{Kind, NeverScope, Until};
use plugfest_protocol::{Json, Object, Timestamp};

use super::Command;
use super::context::Cx;
use super::speak::send_answer;
use super::tree::{Item, ManyState, Node, Prompt, Sending, Seq, State};
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
            Node::ExpectTransfer(e) => e.taken.is_some(),
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
            Node::Transfer(_) => self.transfer(cx)?,
            Node::Raw(raw) => {
                let delay = stmt
                    .mods
                    .after
                    .as_ref()
                    .map(|t| cx.values.duration(&t.value, frame));
                match delay.transpose()? {
                    Some(delay) => raw.sending = Sending::Until(now + delay),
                    None => raw.command(frame, cx)?,
                }
            }
            Node::Reply(answer, name, sending) => {
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
            | Node::ExpectTransfer(_)
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
            Node::Raw(raw) => {
                if let Sending::Until(time) = raw.sending
                    && now >= time
                {
                    raw.command(frame, cx)?;
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
                    let (count, least) = (many.count, many.min);
                    if count < least {
                        self.missing(
                            None,
                            &format!("{count} came before the last one, at least {least} were due"),
                            cx,
                        );
                        if cx.failed() {
                            return Ok(());
                        }
                    }
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
