//! Which line takes a message (rules 2, 4, 5, 6).
//!
//! A message is offered in passes: first to every open line that it *fits* entirely, then to every line that at least
//! *picks* it (which then fails at the field that says something else), last to lines that are not due yet (the
//! finding "before line n"). Within a pass: free lines that stand before the next line in order, that line, the free
//! lines behind it, then open blocks from the top.

use plugfest_case::ir::{Kind, Until};
use plugfest_protocol::{Frame, Json, Part, Timestamp};

use super::context::Cx;
use super::fit::{accepted, free_key, match_answer, object_type, picks, verify};
use super::pattern::{Bound, Mismatch};
use super::speak::answers_to;
use super::tree::{Item, Node, Sending, Seq, State, Taken, bind_message};
use crate::finding::Finding;
use crate::verdict::Verdict;

/// Something of the DUT that a line may take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Message<'a> {
    /// A CALL.
    Call {
        conn: u32,
        id: &'a str,
        action: &'a str,
        payload: &'a Json,
    },
    /// An answer to a CALL of ours.
    Answer {
        conn: u32,
        id: &'a str,
        action: &'a str,
        answer: Got<'a>,
    },
    /// A connection that came up, with its properties as an object.
    Opened { properties: &'a Json },
    /// A file transfer that began.
    Transfer(&'a super::transfer::Asked),
}

/// What an answer says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Got<'a> {
    Result(&'a Json),
    Error { code: &'a str, description: &'a str },
}

impl<'a> Got<'a> {
    /// What an answer frame says; `None` for a CALL.
    fn of(frame: &'a Frame) -> Option<Self> {
        match frame {
            Frame::Call { .. } => None,
            Frame::CallResult { payload, .. } => Some(Self::Result(payload)),
            Frame::CallError {
                code, description, ..
            } => Some(Self::Error { code, description }),
        }
    }
}

/// How eagerly lines take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Only what fits entirely.
    Fit,
    /// What is picked, even if it then says something else.
    Pick,
    /// Lines that are not due yet.
    Later,
}

impl Seq {
    /// Offers a message; true if a line took it.
    pub(super) fn offer(&mut self, message: Message<'_>, pass: Pass, cx: &mut Cx) -> bool {
        self.offer_limited(message, pass, false, cx)
    }

    fn offer_limited(&mut self, message: Message<'_>, pass: Pass, free_only: bool, cx: &mut Cx) -> bool {
        let head = (self.phase..self.next).find(|&i| self.is_head(i, cx));
        let Some(taken) = self.find_taker(message, pass, free_only, head, cx) else {
            return false;
        };
        self.close_passed(taken, cx);
        true
    }

    fn find_taker(
        &mut self,
        message: Message<'_>,
        pass: Pass,
        free_only: bool,
        head: Option<usize>,
        cx: &mut Cx,
    ) -> Option<usize> {
        let mut keys: Vec<(String, Vec<Json>)> = Vec::new();
        let middle = head.unwrap_or(self.next);
        if pass != Pass::Later
            && let Some(i) = self.find_free(self.phase..middle, &mut keys, message, pass, cx)
        {
            return Some(i);
        }
        if let Some(head) = head
            && !(free_only && matches!(self.items[head].node, Node::Expect(_)))
        {
            let clock = self.clock(head);
            if self.items[head].offer(message, pass, free_only, clock, cx) {
                return Some(head);
            }
        }
        if pass == Pass::Later {
            let head = head?;
            return (head + 1..self.next).find(|&i| {
                !self.is_free(i, cx) && self.items[i].open() && self.take_early(i, head, message, cx)
            });
        }
        if let Some(i) = self.find_free(middle..self.next, &mut keys, message, pass, cx) {
            return Some(i);
        }
        for i in self.phase..self.next {
            if Some(i) == head || !self.items[i].open() || matches!(self.items[i].node, Node::Expect(_)) {
                continue;
            }
            let limited = free_only || head.is_some_and(|h| i > h);
            let clock = self.clock(i);
            if self.items[i].offer(message, pass, limited, clock, cx) {
                return Some(i);
            }
        }
        None
    }

    /// The first free line of a range that takes the message; lines of one key keep their order, so only the first
    /// open one of each key is asked.
    fn find_free(
        &mut self,
        range: std::ops::Range<usize>,
        keys: &mut Vec<(String, Vec<Json>)>,
        message: Message<'_>,
        pass: Pass,
        cx: &mut Cx,
    ) -> Option<usize> {
        for i in range {
            if !self.items[i].open() || !self.is_free(i, cx) {
                continue;
            }
            let Node::Expect(expect) = &self.items[i].node else {
                continue;
            };
            if expect.taken.is_some() {
                continue;
            }
            let key = free_key(expect, self.items[i].frame, cx);
            if keys.contains(&key) {
                continue;
            }
            keys.push(key);
            let clock = self.clock(i);
            if self.items[i].offer(message, pass, false, clock, cx) {
                return Some(i);
            }
        }
        None
    }

    /// The next line in order: obligatory, ordered, not met.
    fn is_head(&self, i: usize, cx: &Cx) -> bool {
        let item = &self.items[i];
        if !item.open() || item.is_optional() {
            return false;
        }
        match &item.node {
            Node::Expect(e) => e.taken.is_none() && !self.is_free(i, cx),
            Node::Answered(..)
            | Node::ExpectConnect(_)
            | Node::AnyOrder(_)
            | Node::InOrder(_)
            | Node::Either(_)
            | Node::Many(_)
            | Node::Reach(_) => true,
            _ => false,
        }
    }

    /// True for a message whose place in the order is free (rule 5).
    fn is_free(&self, i: usize, cx: &Cx) -> bool {
        let expect = match &self.items[i].node {
            Node::Expect(expect) => expect,
            Node::ExpectTransfer(_) => return !self.pinned,
            _ => return false,
        };
        !self.pinned
            && cx
                .story
                .edition
                .action(&expect.call.action.text)
                .is_some_and(|a| a.free_order)
    }

    /// A later line takes the message with the finding that it came too soon.
    fn take_early(&mut self, i: usize, head: usize, message: Message<'_>, cx: &mut Cx) -> bool {
        let before = cx.line(&self.items[head]);
        if !matches!(self.items[i].node, Node::Expect(_)) {
            return false;
        }
        let clock = self.clock(i);
        if !self.items[i].offer(message, Pass::Fit, false, clock, cx) {
            return false;
        }
        let action = match message {
            Message::Call { action, .. } => Some(action),
            _ => None,
        };
        let place = before.map_or_else(String::new, |l| format!("line {} ({})", l.line, l.text));
        let mut finding = cx.finding(
            &self.items[i],
            action,
            "order",
            format!("{} came before {place}", action.unwrap_or("the message")),
        );
        finding.expected = format!("after {place}");
        finding.actual = "before it".to_owned();
        cx.findings.push(finding);
        true
    }

    /// What stands optional before the line that was just taken will not come any more.
    fn close_passed(&mut self, taken: usize, cx: &Cx) {
        if self.items[taken].is_optional() || self.is_free(taken, cx) {
            return;
        }
        for i in self.phase..taken {
            let gone = self.items[i].open()
                && match &self.items[i].node {
                    Node::Optional(seq) => !seq.touched() && (self.pinned || !seq.all_free(cx)),
                    _ => false,
                };
            let item = &mut self.items[i];
            if gone {
                item.state = State::Left;
                item.met = Some(cx.now());
            } else if let Node::Many(many) = &mut item.node
                && item.state == State::Armed
                && many.count >= many.min
                && matches!(many.many.until, Until::Next)
            {
                many.closed = true;
            }
        }
    }

    fn all_free(&self, cx: &Cx) -> bool {
        (0..self.items.len()).all(|i| self.is_free(i, cx))
    }
}

impl Item {
    fn offer(
        &mut self,
        message: Message<'_>,
        pass: Pass,
        free_only: bool,
        clock: Option<Timestamp>,
        cx: &mut Cx,
    ) -> bool {
        if !self.open() {
            return false;
        }
        if pass == Pass::Later
            && matches!(
                self.node,
                Node::Expect(_) | Node::Answered(..) | Node::ExpectConnect(_)
            )
        {
            return false;
        }
        match (&mut self.node, message) {
            (
                Node::Expect(expect),
                Message::Call {
                    conn,
                    id,
                    action,
                    payload,
                },
            ) => {
                if expect.taken.is_some() || !picks(expect, self.frame, action, payload, cx) {
                    return false;
                }
                let lenient = self.stmt.mods.eventually || pass == Pass::Fit;
                if lenient && verify(&expect.call, self.frame, action, payload, cx).is_err() {
                    return false;
                }
                self.take_call(conn, id, action, payload, clock, cx);
                true
            }
            (
                Node::Answered(answer, link),
                Message::Answer {
                    conn,
                    id,
                    action,
                    answer: got,
                },
            ) => {
                if !answers_to(link, conn, id, cx) {
                    return false;
                }
                let fits = match_answer(&answer.forms, got, action, self.frame, cx);
                match (pass, fits) {
                    (Pass::Fit, Err(_)) => false,
                    (_, result) => {
                        self.take_answer(result, (conn, id), action, got, cx);
                        true
                    }
                }
            }
            // A connection that comes before its line is due is nothing that the story is about.
            (Node::ExpectConnect(expect), Message::Opened { properties, .. }) if clock.is_some() => {
                let mut bound = Bound::new();
                let fits =
                    cx.values
                        .match_object(&expect.payload, properties, None, self.frame, "", &mut bound);
                match (pass, fits) {
                    (Pass::Fit, Err(_)) => false,
                    (_, Err(mismatch)) => {
                        let finding = self.mismatch(mismatch, None, "the connection", cx);
                        cx.fail(finding);
                        true
                    }
                    (_, Ok(())) => {
                        self.bind(bound, cx);
                        cx.line_met(self, false);
                        self.finish(cx.now());
                        true
                    }
                }
            }
            (Node::ExpectTransfer(_), Message::Transfer(asked)) => {
                self.offer_transfer(asked, pass, clock, cx)
            }
            (Node::AnyOrder(members), _) => members.iter_mut().any(|m| {
                m.base = clock;
                m.offer_limited(message, pass, free_only, cx)
            }),
            (Node::InOrder(seq), _) => {
                seq.base = seq.base.or(clock);
                seq.offer_limited(message, pass, free_only, cx)
            }
            (Node::Optional(seq), _) => {
                seq.base = seq.base.or(clock);
                seq.offer_limited(message, pass, free_only, cx)
            }
            (Node::Either(either), _) => {
                if let Some(chosen) = either.chosen {
                    let seq = &mut either.branches[chosen].1;
                    return seq.offer_limited(message, pass, free_only, cx);
                }
                let hit = either.branches.iter_mut().position(|(_, seq)| {
                    seq.base = clock;
                    seq.offer_limited(message, pass, free_only, cx)
                });
                if hit.is_some() {
                    either.chosen = hit;
                }
                hit.is_some()
            }
            (Node::Many(_), Message::Call { .. }) if !free_only => self.offer_many(message, pass, cx),
            (Node::Reach(reach), _) => {
                let Some(child) = reach.child.as_mut() else {
                    return false;
                };
                let taken = child.offer_limited(message, pass, free_only, cx);
                if cx.failed() {
                    reach.way_failed(cx);
                }
                taken
            }
            _ => false,
        }
    }

    fn offer_many(&mut self, message: Message<'_>, pass: Pass, cx: &mut Cx) -> bool {
        let (frame, src) = (self.frame, self.src);
        let Node::Many(many) = &mut self.node else {
            return false;
        };
        if many.closed || pass == Pass::Later {
            return false;
        }
        let Ok(mut seq) = Seq::new(&many.many.body, src, frame, true, cx) else {
            return false;
        };
        seq.arm_only(cx);
        seq.base = Some(many.last.unwrap_or_else(|| cx.now()));
        let enough = many.count >= many.min && matches!(many.many.until, Until::Next);
        if pass == Pass::Pick && enough && !seq.picks_explicitly() {
            return false;
        }
        if !seq.offer(message, pass, cx) {
            return false;
        }
        many.count += 1;
        many.last = Some(cx.now());
        if let (Until::Fits(pattern), Message::Call { action, payload, .. }) = (&many.many.until, message) {
            let ty = object_type(cx, action, Part::Request);
            let fits = cx
                .values
                .match_object(pattern, payload, ty, frame, "", &mut Bound::new())
                .is_ok();
            many.closed |= fits;
        }
        many.open.push(seq);
        if let Message::Call { payload, .. } = message {
            let at = cx.now();
            if let Some(name) = &self.stmt.mods.bind {
                let value = super::value::message_value(payload, at);
                cx.values.scopes.bind(frame, &name.text, value, true);
            }
        }
        true
    }

    fn take_call(
        &mut self,
        conn: u32,
        id: &str,
        action: &str,
        payload: &Json,
        clock: Option<Timestamp>,
        cx: &mut Cx,
    ) {
        let now = cx.now();
        let frame = self.frame;
        let Node::Expect(expect) = &mut self.node else {
            return;
        };
        expect.taken = Some(Taken {
            conn,
            id: id.to_owned(),
            action: action.to_owned(),
            at: now,
        });
        let call = expect.call.clone();
        let since = self.clock_of_prompt(clock);
        let until = self.latest(action, since, cx);
        cx.line_met_in_time(self, false, since, until);
        cx.note_taken(conn, id, false, self, action);
        match verify(&call, frame, action, payload, cx) {
            Err(mismatch) => {
                let finding = self.mismatch(mismatch, Some(action), action, cx);
                // The DUT still gets an answer, the ordinary one.
                cx.commands.push(super::Command::Ordinary {
                    conn,
                    id: id.to_owned(),
                    action: action.to_owned(),
                });
                if cx.fail(finding) {
                    return;
                }
                if let Node::Expect(expect) = &mut self.node {
                    expect.reply = Sending::Commanded;
                }
            }
            Ok(bound) => self.bind(bound, cx),
        }
        if let Some(finding) = self.too_soon(action, clock, cx)
            && cx.fail(finding)
        {
            // The DUT still gets an answer, the ordinary one.
            cx.commands.push(super::Command::Ordinary {
                conn,
                id: id.to_owned(),
                action: action.to_owned(),
            });
            return;
        }
        bind_message(cx, self, payload, now);
        if let Some(name) = &self.stmt.mods.bind {
            cx.named
                .insert(name.text.clone(), (conn, id.to_owned(), action.to_owned()));
        }
        let Node::Expect(expect) = &mut self.node else {
            return;
        };
        if expect.reply != Sending::Idle {
            return;
        }
        let delay = expect.answers.first().and_then(|stmt| stmt.mods.after.clone());
        let outcome = match delay {
            Some(delay) => cx.values.duration(&delay.value, frame).map(|d| {
                expect.reply = Sending::Until(now + d);
            }),
            None => expect.reply_now(frame, cx),
        };
        if let Err(error) = outcome {
            let item = self.clone();
            cx.stop(&item, Verdict::Error, "value", error.to_string());
        }
    }

    /// The finding of a message that came before `after` or `every` allow.
    fn too_soon(&self, action: &str, clock: Option<Timestamp>, cx: &mut Cx) -> Option<Finding> {
        let mods = &self.stmt.mods;
        let (timing, since) = match (&mods.after, &mods.every) {
            (Some(t), _) => (t, clock?),
            (None, Some(t)) => (t, cx.last_of(action)?),
            (None, None) => return None,
        };
        let least = cx.values.duration(&timing.value, self.frame).ok()?;
        let tolerance = match &timing.tolerance {
            Some(own) => cx.values.duration(own, self.frame).ok()?,
            None => cx.values.tolerance("early", 1),
        };
        // A hand is reported done after the device has felt it: what must not come too early is measured from when
        // the hand was asked.
        let since = match cx.last_act {
            Some((asked, done)) if done == since => asked,
            _ => since,
        };
        let waited = cx.now().since(since);
        if waited + tolerance >= least {
            return None;
        }
        let mut finding = cx.finding(
            self,
            Some(action),
            "early",
            format!("{action} came sooner than it may"),
        );
        finding.expected = format!("not before {:.1} s", least.as_secs_f64());
        finding.actual = format!("after {:.1} s", waited.as_secs_f64());
        Some(finding)
    }

    fn take_answer(
        &mut self,
        result: Result<Bound, Mismatch>,
        (conn, id): (u32, &str),
        action: &str,
        got: Got<'_>,
        cx: &mut Cx,
    ) {
        let (since, until) = match &self.node {
            Node::Send(send) => {
                let sent = send.sent.as_ref().map(|(_, _, at)| *at);
                (sent, sent.map(|at| at + self.answer_time(cx)))
            }
            Node::Raw(raw) => {
                let sent = raw.sent.as_ref().map(|(_, _, at)| *at);
                (sent, sent.map(|at| at + self.answer_time(cx)))
            }
            _ => (None, None),
        };
        cx.line_met_in_time(self, true, since, until);
        cx.note_taken(conn, id, true, self, action);
        match result {
            Ok(bound) => {
                self.bind(bound, cx);
                // A CALL line of ours without answer line has bound its own message already.
                if let (Got::Result(payload), Kind::Answer(_)) = (got, &self.stmt.kind) {
                    let at = cx.now();
                    bind_message(cx, self, payload, at);
                }
            }
            Err(mismatch) => {
                let finding = self.mismatch(mismatch, Some(action), &format!("the answer to {action}"), cx);
                if cx.fail(finding) {
                    return;
                }
            }
        }
        self.finish(cx.now());
    }

    /// An answer to a CALL of ours; true if it was the one that this line waits for.
    pub(super) fn answered(&mut self, message: Message<'_>, cx: &mut Cx) -> bool {
        let Message::Answer {
            conn,
            id,
            action,
            answer: got,
        } = message
        else {
            return false;
        };
        let frame = self.frame;
        match &mut self.node {
            Node::Send(send) => {
                if send.link.is_some() || !send.sent.as_ref().is_some_and(|(c, i, _)| *c == conn && i == id) {
                    return false;
                }
                let answers = send.answers.clone();
                let mut line = self.clone();
                let result = match answers.iter().find(|s| matches!(s.kind, Kind::Answer(_))) {
                    Some(stmt) => {
                        line.stmt = std::sync::Arc::clone(stmt);
                        let Kind::Answer(answer) = &stmt.kind else {
                            return false;
                        };
                        match_answer(&answer.forms, got, action, frame, cx)
                    }
                    None => accepted(got, action, cx).map(|()| Bound::new()),
                };
                line.take_answer(result, (conn, id), action, got, cx);
                if !cx.failed() {
                    self.finish(cx.now());
                }
                true
            }
            Node::Raw(raw) => {
                let mine = raw
                    .sent
                    .as_ref()
                    .is_some_and(|(c, i, _)| *c == conn && i.as_deref() == Some(id));
                if mine {
                    self.take_raw_answer((conn, id), action, got, cx);
                }
                mine
            }
            Node::AnyOrder(members) => members.iter_mut().any(|m| m.answered(message, cx)),
            Node::InOrder(seq) | Node::Optional(seq) => seq.answered(message, cx),
            Node::Either(e) => match e.chosen {
                Some(chosen) => e.branches[chosen].1.answered(message, cx),
                None => false,
            },
            Node::Many(many) => many.open.iter_mut().any(|s| s.answered(message, cx)),
            Node::Reach(reach) => {
                let Some(child) = reach.child.as_mut() else {
                    return false;
                };
                let mine = child.answered(message, cx);
                if cx.failed() {
                    reach.way_failed(cx);
                }
                mine
            }
            Node::Config(config) => config.answered(conn, id, got, cx),
            _ => false,
        }
    }

    /// An answer to a frame of ours: as its answer line says, or any where there is none.
    fn take_raw_answer(&mut self, (conn, id): (u32, &str), action: &str, got: Got<'_>, cx: &mut Cx) {
        let mut line = self.answer_line();
        if let Kind::Answer(answer) = &line.stmt.kind {
            let forms = answer.forms.clone();
            let result = match_answer(&forms, got, action, self.frame, cx);
            line.take_answer(result, (conn, id), action, got, cx);
        }
        if !cx.failed() {
            self.finish(cx.now());
        }
    }

    /// An answer that belongs to no CALL, offered to a `raw` line whose frame was none.
    fn raw_answered(&mut self, conn: u32, frame: &Frame, cx: &mut Cx) -> bool {
        match &mut self.node {
            Node::Raw(raw) => {
                let mine = raw
                    .sent
                    .as_ref()
                    .is_some_and(|(c, id, _)| *c == conn && id.is_none());
                if let (true, Some(got)) = (mine, Got::of(frame)) {
                    self.take_raw_answer((conn, frame.id()), "", got, cx);
                }
                mine
            }
            Node::InOrder(seq) | Node::Optional(seq) => seq.raw_answered(conn, frame, cx),
            Node::Either(e) => match e.chosen {
                Some(chosen) => e.branches[chosen].1.raw_answered(conn, frame, cx),
                None => false,
            },
            Node::Many(many) => many.open.iter_mut().any(|s| s.raw_answered(conn, frame, cx)),
            _ => false,
        }
    }

    pub(super) fn bind(&self, bound: Bound, cx: &mut Cx) {
        for (name, value) in bound {
            cx.values.scopes.bind(self.frame, &name, value, self.listed);
        }
    }

    pub(super) fn mismatch(&self, mismatch: Mismatch, action: Option<&str>, what: &str, cx: &Cx) -> Finding {
        let place = if mismatch.pointer.is_empty() {
            String::new()
        } else {
            format!(" at {}", mismatch.pointer)
        };
        let mut finding = cx.finding(
            self,
            action,
            "field",
            format!("{what} says something else{place}"),
        );
        finding.expected = mismatch.expected;
        finding.actual = mismatch.actual;
        finding.pointer = Some(mismatch.pointer);
        finding
    }
}

impl Seq {
    /// Hands an answer to the CALL line of ours that waits for it.
    pub(super) fn answered(&mut self, message: Message<'_>, cx: &mut Cx) -> bool {
        for i in self.phase..self.next {
            if self.items[i].open() && self.items[i].answered(message, cx) {
                return true;
            }
        }
        false
    }

    /// Offers an answer that belongs to no CALL to the `raw` line whose frame was none.
    pub(super) fn raw_answered(&mut self, conn: u32, frame: &Frame, cx: &mut Cx) -> bool {
        (self.phase..self.next).any(|i| self.items[i].open() && self.items[i].raw_answered(conn, frame, cx))
    }

    /// True when the first line was written with its picks in parentheses.
    fn picks_explicitly(&self) -> bool {
        self.items.first().is_some_and(|item| match &item.node {
            Node::Expect(e) => e.call.picks.as_ref().is_some_and(|p| !p.fields.is_empty()),
            _ => false,
        })
    }
}
