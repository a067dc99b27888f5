//! What we did, as the trace recorded it: names of our own lines are bound from what really went out.

use std::sync::Arc;

use plugfest_case::ir::{AnswerForm, Kind, WelcomeForm};
use plugfest_protocol::{Frame, Json, Part, read_frame};
use plugfest_trace::Outcome;

use super::context::Cx;
use super::fit::object_type;
use super::pattern::Bound;
use super::tree::{Item, Node, Prompt, Sending, Seq, bind_message, inner};
use crate::verdict::Verdict;

impl Seq {
    /// A CALL of ours went out; true if a line asked for it.
    pub(super) fn sent(&mut self, conn: u32, id: &str, action: &str, payload: &Json, cx: &mut Cx) -> bool {
        (self.phase..self.next)
            .any(|i| self.items[i].open() && self.items[i].sent(conn, id, action, payload, cx))
    }

    /// A frame went out because of a line; true if that was a `raw` line. `None` is a frame of which no text was kept.
    pub(super) fn raw_sent(&mut self, conn: u32, text: Option<&str>, cx: &mut Cx) -> bool {
        (self.phase..self.next).any(|i| self.items[i].open() && self.items[i].raw_sent(conn, text, cx))
    }

    /// An answer of ours went out.
    pub(super) fn replied(
        &mut self,
        conn: u32,
        id: &str,
        action: &str,
        payload: Option<&Json>,
        cx: &mut Cx,
    ) -> bool {
        (self.phase..self.next)
            .any(|i| self.items[i].open() && self.items[i].replied(conn, id, action, payload, cx))
    }

    /// The DUT ended a connection. What a wrong frame of ours did to it is one fault: a CALL of ours that went down with
    /// that connection is said again over the next one, and no answer is waited for any more.
    pub(super) fn hung_up(&mut self, conn: u32, cx: &Cx) {
        for i in self.phase..self.next {
            if self.items[i].open() {
                self.items[i].hung_up(conn, cx);
            }
        }
    }

    /// A link operation of ours was done.
    pub(super) fn linked(&mut self, cx: &mut Cx) -> bool {
        (self.phase..self.next).any(|i| self.items[i].open() && self.items[i].linked(cx))
    }

    /// Both sides have their configuration.
    pub(super) fn configured(&mut self) -> bool {
        (self.phase..self.next).any(|i| {
            let item = &mut self.items[i];
            item.open()
                && match &mut item.node {
                    Node::Config(config) => config.met(),
                    node => inner(node).into_iter().any(Seq::configured),
                }
        })
    }

    /// A connection of ours came up, or was refused in these words.
    pub(super) fn dialled(&mut self, refused: Option<&str>, cx: &mut Cx) -> bool {
        (self.phase..self.next).any(|i| self.items[i].open() && self.items[i].dialled(refused, cx))
    }
}

impl Item {
    fn sent(&mut self, conn: u32, id: &str, action: &str, payload: &Json, cx: &mut Cx) -> bool {
        let now = cx.now();
        match &mut self.node {
            Node::Send(send) => {
                if send.sending != Sending::Commanded
                    || send.sent.is_some()
                    || send.call.action.text != action
                {
                    return false;
                }
                send.sending = Sending::Done;
                send.sent = Some((conn, id.to_owned(), now));
                let linked = send.link;
                if let Some(link) = linked {
                    cx.links.insert(link, (conn, id.to_owned()));
                }
                let mut pattern = send.call.payload.clone();
                if let Some(picks) = &send.call.picks {
                    pattern.fields.extend(picks.fields.iter().cloned());
                }
                let ty = object_type(cx, action, Part::Request);
                // Only what the line binds is taken from our own message; it is not judged.
                let mut bound = Bound::new();
                for field in &pattern.fields {
                    let kind = ty.and_then(|t| t.field(&field.name.text)).map(|f| &f.ty);
                    let value = payload.get(&field.name.text);
                    let _unjudged =
                        cx.values
                            .match_pattern(&field.pattern, value, kind, self.frame, "", &mut bound);
                }
                self.bind(bound, cx);
                bind_message(cx, self, payload, now);
                if let Some(name) = &self.stmt.mods.bind {
                    cx.named
                        .insert(name.text.clone(), (conn, id.to_owned(), action.to_owned()));
                }
                if linked.is_some() {
                    self.finish(now);
                }
                true
            }
            Node::Config(config) => config.was_sent(conn, id, cx),
            node => inner(node)
                .into_iter()
                .any(|seq| seq.sent(conn, id, action, payload, cx)),
        }
    }

    fn hung_up(&mut self, conn: u32, cx: &Cx) {
        let now = cx.now();
        match &mut self.node {
            Node::Raw(raw)
                if raw.answers.is_empty() && raw.sent.as_ref().is_some_and(|sent| sent.0 == conn) =>
            {
                self.finish(now);
            }
            Node::Send(send)
                if cx.raw_on == Some(conn) && send.sent.as_ref().is_some_and(|sent| sent.0 == conn) =>
            {
                send.sent = None;
                send.sending = Sending::Until(now);
                self.armed = Some(now);
            }
            node => {
                for seq in inner(node) {
                    seq.hung_up(conn, cx);
                }
            }
        }
    }

    fn raw_sent(&mut self, conn: u32, text: Option<&str>, cx: &mut Cx) -> bool {
        let now = cx.now();
        let Node::Raw(raw) = &mut self.node else {
            return inner(&mut self.node)
                .into_iter()
                .any(|seq| seq.raw_sent(conn, text, cx));
        };
        if raw.sending != Sending::Commanded || raw.sent.is_some() {
            return false;
        }
        let read = text.and_then(|text| read_frame(cx.story.edition, text).frame);
        let (id, action) = match read {
            Some(Frame::Call { id, action, .. }) => (Some(id), Some(action)),
            _ => (None, None),
        };
        // A line beside it may have sent a CALL of its own. Of a frame that is too long no text is kept.
        if text.is_some() && action != raw.action {
            return false;
        }
        raw.sending = Sending::Done;
        raw.sent = Some((conn, id, now));
        cx.raw_on = Some(conn);
        let over = raw.answers.is_empty() && !raw.waits;
        bind_message(cx, self, &Json::Object(plugfest_protocol::Object::new()), now);
        if over {
            self.finish(now);
        }
        true
    }

    fn replied(&mut self, conn: u32, id: &str, action: &str, payload: Option<&Json>, cx: &mut Cx) -> bool {
        let frame = self.frame;
        match &mut self.node {
            Node::Expect(expect) => {
                let mine = expect
                    .taken
                    .as_ref()
                    .is_some_and(|t| t.conn == conn && t.id == id);
                if !mine || expect.reply == Sending::Done {
                    return false;
                }
                expect.reply = Sending::Done;
                let stmt = expect
                    .answers
                    .iter()
                    .find(|s| matches!(s.kind, Kind::Answer(_)))
                    .cloned();
                if let (Some(stmt), Some(payload)) = (stmt, payload) {
                    self.bind_answer(&stmt, action, payload, frame, cx);
                }
                true
            }
            node => inner(node)
                .into_iter()
                .any(|seq| seq.replied(conn, id, action, payload, cx)),
        }
    }

    /// Binds the names of our own answer line from what went out.
    fn bind_answer(
        &self,
        stmt: &Arc<plugfest_case::ir::Stmt>,
        action: &str,
        payload: &Json,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) {
        let Kind::Answer(answer) = &stmt.kind else { return };
        let Some(AnswerForm::Result(pattern)) = answer.forms.first() else {
            return;
        };
        let ty = object_type(cx, action, Part::Response);
        let mut bound = Bound::new();
        for field in &pattern.fields {
            let kind = ty.and_then(|t| t.field(&field.name.text)).map(|f| &f.ty);
            let value = payload.get(&field.name.text);
            let _unjudged = cx
                .values
                .match_pattern(&field.pattern, value, kind, frame, "", &mut bound);
        }
        self.bind(bound, cx);
        let mut line = self.clone();
        line.stmt = Arc::clone(stmt);
        let at = cx.now();
        bind_message(cx, &line, payload, at);
    }

    fn linked(&mut self, cx: &mut Cx) -> bool {
        let now = cx.now();
        match &mut self.node {
            Node::Link(_, true) => {
                bind_message(cx, self, &Json::Object(plugfest_protocol::Object::new()), now);
                self.finish(now);
                true
            }
            node => inner(node).into_iter().any(|seq| seq.linked(cx)),
        }
    }

    fn dialled(&mut self, refused: Option<&str>, cx: &mut Cx) -> bool {
        let now = cx.now();
        match &mut self.node {
            Node::Dial(dial) => {
                let wanted = dial.welcome.as_ref().map(|w| w.how.clone());
                let met = match (&wanted, refused) {
                    (Some(WelcomeForm::Accept(_)) | None, None) => true,
                    (Some(WelcomeForm::RefuseTcp | WelcomeForm::RefuseTls(_)), Some(_)) => true,
                    (Some(WelcomeForm::RefuseHttp(code)), Some(said)) => {
                        let code = cx.values.evaluate(code, self.frame).ok().and_then(|c| c.as_i64());
                        code.is_some_and(|c| said.split(' ').nth(1) == Some(&c.to_string()))
                    }
                    _ => false,
                };
                cx.line_met(self, false);
                if !met {
                    let mut finding = cx.finding(
                        self,
                        None,
                        "connect",
                        "the connection was met in another way".to_owned(),
                    );
                    finding.expected = wanted.map_or_else(|| "accepted".to_owned(), |w| format!("{w:?}"));
                    finding.actual = refused.unwrap_or("accepted").to_owned();
                    if cx.fail(finding) {
                        return true;
                    }
                }
                self.finish(now);
                true
            }
            node => inner(node).into_iter().any(|seq| seq.dialled(refused, cx)),
        }
    }

    pub(super) fn performed(&mut self, call: u32, outcome: &Outcome, cx: &mut Cx) -> bool {
        let now = cx.now();
        match &mut self.node {
            Node::Perform(verb, number) if *number == Some(call) => {
                let verb = verb.name.text.clone();
                if self.refused(&verb, outcome, cx) {
                    return true;
                }
                let value = match outcome {
                    Outcome::Returned { value } if value.as_object().is_some() => value.clone(),
                    // A list or a single value has no fields of its own.
                    Outcome::Returned { value } => {
                        let mut reading = plugfest_protocol::Object::new();
                        reading.insert("value", value.clone());
                        Json::Object(reading)
                    }
                    _ => Json::Object(plugfest_protocol::Object::new()),
                };
                bind_message(cx, self, &value, now);
                cx.last_act = Some((self.armed.unwrap_or(now), now));
                self.finish(now);
                true
            }
            Node::Expect(expect) if expect.prompt == Prompt::Asked(call) => {
                expect.prompt = Prompt::Done;
                let taken = expect.taken.is_some();
                if !taken {
                    self.armed = Some(now);
                    let verb = "the request to the operator".to_owned();
                    self.refused(&verb, outcome, cx);
                }
                true
            }
            Node::Reach(reach) => {
                let mine = reach
                    .child
                    .as_mut()
                    .is_some_and(|child| child.performed(call, outcome, cx));
                if cx.failed() {
                    // What one way cannot do, another may.
                    reach.way_failed(cx);
                }
                mine
            }
            node => inner(node)
                .into_iter()
                .any(|seq| seq.performed(call, outcome, cx)),
        }
    }

    /// Ends the story where the driver did not do it.
    fn refused(&mut self, verb: &str, outcome: &Outcome, cx: &mut Cx) -> bool {
        let (verdict, text) = match outcome {
            Outcome::Done | Outcome::Returned { .. } => return false,
            Outcome::Unsupported { why } => (Verdict::Blocked, format!("the driver cannot do {verb}: {why}")),
            Outcome::Skipped => (Verdict::Blocked, format!("{verb} was skipped by a person")),
            Outcome::Failed { why } => (Verdict::Error, format!("the driver failed at {verb}: {why}")),
        };
        let item = self.clone();
        cx.stop(&item, verdict, "driver", text);
        true
    }
}
