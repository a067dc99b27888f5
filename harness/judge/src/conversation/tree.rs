//! The running form of a story: statements instantiated with their scopes, and where each of them stands.

use std::sync::Arc;

use plugfest_case::ir::{
    Answer, Branch, Call, Expr, Given, Kind, Link, Many, NeverScope, ObjectPattern, Speaker, Stmt, Until,
    Verb, Welcome, Word, is_transfer,
};
use plugfest_protocol::{Frame, Json, Timestamp, read_frame};

use super::context::Cx;
use super::scope::FrameId;
use super::value::ValueError;

/// Statements in wire order. `items[phase..next]` is the window in which messages are claimed (rule 3).
#[derive(Debug, Clone)]
pub(super) struct Seq {
    pub(super) items: Vec<Item>,
    /// First item of the phase that is open.
    pub(super) phase: usize,
    /// First item that is not armed yet.
    pub(super) next: usize,
    /// When the clock of this sequence started; `None` while something before it is not done.
    pub(super) base: Option<Timestamp>,
    /// `in order` pins messages that are free elsewhere.
    pub(super) pinned: bool,
}

/// One statement and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) stmt: Arc<Stmt>,
    /// Index of the file that it stands in.
    pub(super) src: usize,
    pub(super) frame: FrameId,
    /// Names bound here collect lists.
    pub(super) listed: bool,
    pub(super) state: State,
    /// When it was armed.
    pub(super) armed: Option<Timestamp>,
    /// When it was met.
    pub(super) met: Option<Timestamp>,
    pub(super) node: Node,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Not reached.
    Idle,
    /// Waiting for its message, its deadline or its children.
    Armed,
    /// Done.
    Met,
    /// Passed over: an optional that did not come, a `should` that was not met.
    Left,
}

/// What an item is.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A CALL of the DUT with our answer lines.
    Expect(Expect),
    /// A CALL of ours with the DUT's answer lines.
    Send(Send),
    /// An answer of the DUT that stands by itself: it opens a branch, or is named with `to`.
    Answered(Answer, AnswerLink),
    /// An answer of ours that stands by itself: `=> to NAME`, or the beginning of a branch; with the name under which
    /// its CALL is kept.
    Reply(Answer, String, Sending),
    /// `act`, `operate`
    Perform(Verb, Option<u32>),
    /// A connection that the DUT opens, with our welcome.
    ExpectConnect(ExpectConnect),
    /// A connection that we open.
    Dial(DialState),
    /// A file transfer that the DUT begins, with our answer.
    ExpectTransfer(ExpectTransfer),
    /// A file transfer of ours.
    Transfer(OwnTransfer),
    /// `link`
    Link(Link, bool),
    /// `wait`
    Wait(Option<Timestamp>),
    /// `check`
    Check,
    /// `raw`
    Raw(Raw),
    /// `do STATE`
    Reach(Box<Reach>),
    /// `config(…)`
    Config(Box<super::config::Configure>),
    /// `run NATIVE`
    Run(Verb),
    AnyOrder(Vec<Seq>),
    InOrder(Box<Seq>),
    Either(Either),
    Optional(Box<Seq>),
    Many(Box<ManyState>),
    /// `never … for D`: when it ends.
    Never(Vec<Call>, NeverScope, Option<Timestamp>),
    /// Takes no part on the side that we play.
    Nothing,
}

/// An expectation of a CALL.
#[derive(Debug, Clone)]
pub(super) struct Expect {
    pub(super) call: Call,
    pub(super) answers: Vec<Arc<Stmt>>,
    /// `Some` where the driver has to be asked for it (rule 8): the number of the request.
    pub(super) prompt: Prompt,
    pub(super) taken: Option<Taken>,
    pub(super) reply: Sending,
    /// Our answer is given by a branch below, under this link.
    pub(super) link: Option<u32>,
}

/// Whether a CALL of the DUT is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prompt {
    /// The DUT acts by itself.
    None,
    /// The driver will be asked.
    Due,
    /// It was asked, under this number.
    Asked(u32),
    /// It has done it.
    Done,
}

/// The message that took a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Taken {
    pub(super) conn: u32,
    pub(super) id: String,
    pub(super) action: String,
    pub(super) at: Timestamp,
}

/// How far something of ours has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// Nothing to do yet.
    Idle,
    /// Held back until this moment.
    Until(Timestamp),
    /// Handed to the player.
    Commanded,
    /// On the wire.
    Done,
}

/// A CALL of ours.
#[derive(Debug, Clone)]
pub(super) struct Send {
    pub(super) call: Call,
    pub(super) answers: Vec<Arc<Stmt>>,
    pub(super) sending: Sending,
    pub(super) sent: Option<(u32, String, Timestamp)>,
    /// The answer is claimed by a branch below, under this link.
    pub(super) link: Option<u32>,
}

/// A frame of ours as it stands in the case.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) text: plugfest_case::ir::Expr,
    pub(super) bytes: bool,
    pub(super) answers: Vec<Arc<Stmt>>,
    pub(super) sending: Sending,
    /// The action, where it reads as a CALL.
    pub(super) action: Option<String>,
    /// Connection, message id where it reads as a CALL, and moment.
    pub(super) sent: Option<(u32, Option<String>, Timestamp)>,
    /// It is a CALL without flaw: whatever is answered to it, an answer is waited for.
    pub(super) waits: bool,
}

/// Which CALL a free-standing answer belongs to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum AnswerLink {
    /// The CALL above the `either`.
    Above(u32),
    /// The CALL bound by this name.
    Named(String),
}

/// A connection that is expected.
#[derive(Debug, Clone)]
pub(super) struct ExpectConnect {
    pub(super) payload: plugfest_case::ir::ObjectPattern,
    pub(super) welcome: Option<Welcome>,
    pub(super) gated: bool,
}

/// A file transfer that is expected.
#[derive(Debug, Clone)]
pub(super) struct ExpectTransfer {
    pub(super) call: Call,
    pub(super) welcome: Option<Welcome>,
    /// The transfer that took it and is not over yet.
    pub(super) taken: Option<u32>,
}

/// A file transfer of ours.
#[derive(Debug, Clone)]
pub(super) struct OwnTransfer {
    pub(super) call: Call,
    pub(super) sending: Sending,
    /// Its number, once it began.
    pub(super) number: Option<u32>,
}

/// A connection that we open.
#[derive(Debug, Clone)]
pub(super) struct DialState {
    pub(super) payload: plugfest_case::ir::ObjectPattern,
    pub(super) welcome: Option<Welcome>,
    pub(super) sending: Sending,
    pub(super) since: Option<Timestamp>,
}

/// A state that is being reached.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub(super) reference: plugfest_case::ir::Reference,
    /// Not reached ⇒ blocked (header) or fail (body).
    pub(super) header: bool,
    pub(super) state_frame: Option<FrameId>,
    pub(super) state: Option<Arc<plugfest_case::ir::State>>,
    pub(super) state_src: usize,
    /// The state and its arguments, as `Cx::unreached` knows them.
    pub(super) tried: String,
    pub(super) way: usize,
    /// How many items of the way are the state's own `given`.
    pub(super) before: usize,
    pub(super) child: Option<Box<Seq>>,
    /// Why each way failed: what there is to say of it, and where it was seen.
    pub(super) reasons: Vec<(String, String)>,
}

/// `either … or …`
#[derive(Debug, Clone)]
pub(super) struct Either {
    pub(super) branches: Vec<(Branch, Seq)>,
    pub(super) chosen: Option<usize>,
    /// The branch is ours to choose.
    pub(super) own: bool,
    /// `or nothing within D` chosen by us: until when we keep still.
    pub(super) still_until: Option<Timestamp>,
}

/// `many`
#[derive(Debug, Clone)]
pub(super) struct ManyState {
    pub(super) many: Many,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) count: u32,
    pub(super) last: Option<Timestamp>,
    /// Arrivals whose answer of ours is not out yet.
    pub(super) open: Vec<Seq>,
    pub(super) closed: bool,
}

impl Seq {
    /// Instantiates statements in a scope: `each`, `if`, `repeat` and phrases are unrolled here.
    pub(super) fn new(
        stmts: &[Stmt],
        src: usize,
        frame: FrameId,
        listed: bool,
        cx: &mut Cx,
    ) -> Result<Self, ValueError> {
        let mut items = Vec::new();
        unroll(stmts, src, frame, listed, cx, &mut items)?;
        Ok(Self {
            items,
            phase: 0,
            next: 0,
            base: None,
            pinned: false,
        })
    }

    /// A sequence of ready items.
    pub(super) fn of(items: Vec<Item>) -> Self {
        Self {
            items,
            phase: 0,
            next: 0,
            base: None,
            pinned: false,
        }
    }

    /// True when the first thing in it is something that we do.
    pub(super) fn own_first(&self) -> bool {
        self.items.first().is_some_and(|item| !item.passive())
    }
}

impl Item {
    pub(super) fn new(stmt: Arc<Stmt>, src: usize, frame: FrameId, listed: bool, node: Node) -> Self {
        Self {
            stmt,
            src,
            frame,
            listed,
            state: State::Idle,
            armed: None,
            met: None,
            node,
        }
    }

    /// True for what waits for the DUT; false for what we do, which opens a phase.
    pub(super) fn passive(&self) -> bool {
        match &self.node {
            Node::Expect(e) => e.prompt == Prompt::None,
            Node::Answered(..) | Node::ExpectConnect(_) | Node::ExpectTransfer(_) | Node::Many(_) => true,
            Node::AnyOrder(members) => members.iter().all(|m| !m.own_first()),
            Node::InOrder(seq) | Node::Optional(seq) => !seq.own_first(),
            Node::Either(either) => !either.own,
            Node::Never(_, NeverScope::UntilEnd, _) => true,
            _ => false,
        }
    }

    /// True where the story may go on without it.
    pub(super) fn is_optional(&self) -> bool {
        match &self.node {
            Node::Optional(_) => true,
            Node::Many(many) => many.min == 0 && matches!(many.many.until, Until::Next),
            _ => false,
        }
    }

    pub(super) fn open(&self) -> bool {
        matches!(self.state, State::Armed)
    }

    pub(super) fn done(&self) -> bool {
        matches!(self.state, State::Met | State::Left)
    }
}

fn unroll(
    stmts: &[Stmt],
    src: usize,
    frame: FrameId,
    listed: bool,
    cx: &mut Cx,
    out: &mut Vec<Item>,
) -> Result<(), ValueError> {
    let mut rest = stmts;
    while let Some((stmt, after)) = rest.split_first() {
        rest = after;
        match &stmt.kind {
            Kind::Each {
                var,
                set,
                except,
                body,
            } => {
                let except = except
                    .as_ref()
                    .map(|e| cx.values.evaluate(e, frame))
                    .transpose()?;
                for member in cx.values.members(set, frame)? {
                    if Some(&member) != except.as_ref() {
                        let inner = cx.values.scopes.inner(frame, &var.text, member);
                        unroll(body, src, inner, true, cx, out)?;
                    }
                }
            }
            Kind::Repeat { times, body } => {
                for _ in 0..cx.values.count(times, frame)?.min(super::MAX_REPEAT) {
                    unroll(body, src, frame, true, cx, out)?;
                }
            }
            Kind::If { fact, body } => {
                if cx.known(fact, frame) {
                    unroll(body, src, frame, listed, cx, out)?;
                }
            }
            Kind::Do(Given::State(reference)) if cx.story.is_phrase(&reference.name.text) => {
                let (phrase, phrase_src) = cx.story.state(&reference.name.text);
                let mut values = std::collections::BTreeMap::new();
                for (param, arg) in phrase.params.iter().zip(&reference.args) {
                    values.insert(param.text.clone(), cx.values.evaluate(arg, frame)?);
                }
                let inner = cx.values.scopes.open(values);
                for way in &phrase.ways {
                    unroll(&way.body, phrase_src, inner, listed, cx, out)?;
                }
            }
            Kind::Call(_) | Kind::Connect(_) | Kind::Raw { .. } => {
                let answers = rest.iter().take_while(|s| belongs(s)).count();
                let (own, after) = rest.split_at(answers);
                rest = after;
                let own: Vec<Arc<Stmt>> = own.iter().cloned().map(Arc::new).collect();
                out.push(exchange(stmt, own, src, frame, listed, rest.first(), cx));
            }
            Kind::Many(many) if cx.plays_first(&many.body) => {
                repeat_own(stmt, many, src, frame, cx, out)?;
            }
            _ => {
                let node = node(stmt, src, frame, listed, cx)?;
                out.push(Item::new(Arc::new(stmt.clone()), src, frame, listed, node));
            }
        }
    }
    Ok(())
}

/// The name of a CALL that a branch below it answers; no name of an author begins so.
pub(super) fn link_name(link: u32) -> String {
    format!("#{link}")
}

/// An answer line that belongs to the CALL above it.
fn belongs(stmt: &Stmt) -> bool {
    matches!(&stmt.kind, Kind::Answer(a) if a.to.is_none()) || matches!(stmt.kind, Kind::Welcome(_))
}

/// True for an `either` whose branches begin with an answer.
fn answered_below(stmt: Option<&Stmt>) -> bool {
    let Some(Kind::Either { branches }) = stmt.map(|s| &s.kind) else {
        return false;
    };
    branches.iter().any(|b| b.body.first().is_some_and(belongs))
}

fn exchange(
    stmt: &Stmt,
    answers: Vec<Arc<Stmt>>,
    src: usize,
    frame: FrameId,
    listed: bool,
    next: Option<&Stmt>,
    cx: &mut Cx,
) -> Item {
    let welcome = || {
        answers.iter().find_map(|s| match &s.kind {
            Kind::Welcome(w) => Some(w.clone()),
            _ => None,
        })
    };
    let node = match &stmt.kind {
        Kind::Call(call) if is_transfer(&call.action.text) => {
            if cx.is_dut(&call.speaker) {
                Node::ExpectTransfer(ExpectTransfer {
                    call: call.clone(),
                    welcome: welcome(),
                    taken: None,
                })
            } else {
                Node::Transfer(OwnTransfer {
                    call: call.clone(),
                    sending: Sending::Idle,
                    number: None,
                })
            }
        }
        Kind::Call(call) if cx.is_dut(&call.speaker) => {
            let asked = !stmt.mods.unprompted && super::context::prompt_verb(&call.speaker.role).is_some();
            Node::Expect(Expect {
                call: call.clone(),
                link: (answers.is_empty() && answered_below(next)).then(|| cx.new_link()),
                answers,
                prompt: if asked { Prompt::Due } else { Prompt::None },
                taken: None,
                reply: Sending::Idle,
            })
        }
        Kind::Call(call) => {
            let link = (answers.is_empty() && answered_below(next)).then(|| cx.new_link());
            Node::Send(Send {
                call: call.clone(),
                answers,
                sending: Sending::Idle,
                sent: None,
                link,
            })
        }
        Kind::Connect(peer) => {
            let welcome = welcome();
            let payload = peer.payload.clone();
            if cx.is_dut(&peer.speaker) {
                Node::ExpectConnect(ExpectConnect {
                    payload,
                    welcome,
                    gated: false,
                })
            } else {
                Node::Dial(DialState {
                    payload,
                    welcome,
                    sending: Sending::Idle,
                    since: None,
                })
            }
        }
        Kind::Raw { speaker, bytes, text } if !cx.is_dut(speaker) => Node::Raw(Raw {
            text: text.clone(),
            bytes: *bytes,
            answers,
            sending: Sending::Idle,
            action: None,
            sent: None,
            waits: false,
        }),
        Kind::Raw { speaker, bytes, text } if !*bytes => heard_raw(speaker, text, answers, frame, cx),
        _ => Node::Nothing,
    };
    Item::new(Arc::new(stmt.clone()), src, frame, listed, node)
}

/// A frame of the case as the other side of a self-play hears it: a CALL takes this line and no other one.
fn heard_raw(speaker: &Speaker, text: &Expr, answers: Vec<Arc<Stmt>>, frame: FrameId, cx: &Cx) -> Node {
    let text = cx.values.evaluate(text, frame);
    let read = text
        .ok()
        .and_then(|text| text.as_str().map(|text| read_frame(cx.story.edition, text).frame));
    let Some(Some(Frame::Call { action, .. })) = read else {
        return Node::Nothing;
    };
    let action = Word {
        text: action,
        span: speaker.span,
    };
    Node::Expect(Expect {
        call: Call {
            speaker: speaker.clone(),
            action,
            picks: Some(ObjectPattern::default()),
            payload: ObjectPattern::default(),
        },
        answers,
        prompt: Prompt::None,
        taken: None,
        reply: Sending::Idle,
        link: None,
    })
}

fn node(stmt: &Stmt, src: usize, frame: FrameId, listed: bool, cx: &mut Cx) -> Result<Node, ValueError> {
    Ok(match &stmt.kind {
        Kind::Act(verb) | Kind::Operate(verb) => Node::Perform(verb.clone(), None),
        Kind::Answer(answer) if cx.is_dut(&answer.speaker) => {
            let link = match &answer.to {
                Some(name) => AnswerLink::Named(name.text.clone()),
                None => AnswerLink::Above(cx.last_link()),
            };
            Node::Answered(answer.clone(), link)
        }
        Kind::Answer(answer) => {
            let name = answer
                .to
                .as_ref()
                .map_or_else(|| link_name(cx.last_link()), |to| to.text.clone());
            Node::Reply(answer.clone(), name, Sending::Idle)
        }
        Kind::Close(peer) if cx.is_dut(&peer.speaker) => Node::Nothing,
        Kind::Close(_) => Node::Link(Link::Close(1000), false),
        Kind::Link(link) => Node::Link(*link, false),
        Kind::Wait { .. } => Node::Wait(None),
        Kind::Check(_) => Node::Check,
        Kind::Do(Given::State(reference)) => Node::Reach(Box::new(Reach {
            reference: reference.clone(),
            header: false,
            state_frame: None,
            state: None,
            state_src: 0,
            tried: String::new(),
            way: 0,
            before: 0,
            child: None,
            reasons: Vec::new(),
        })),
        Kind::Do(Given::Config { entries, .. }) => {
            Node::Config(Box::new(super::config::Configure::new(entries, frame, cx)?))
        }
        Kind::Run(verb) => Node::Run(verb.clone()),
        Kind::AnyOrder { body } => {
            let mut all = Vec::new();
            unroll(body, src, frame, listed, cx, &mut all)?;
            if all.iter().all(Item::passive) {
                Node::AnyOrder(all.into_iter().map(|item| Seq::of(vec![item])).collect())
            } else {
                // We play blocks as written.
                Node::InOrder(Box::new(Seq::of(all)))
            }
        }
        Kind::InOrder { body } => {
            let mut seq = Seq::new(body, src, frame, listed, cx)?;
            seq.pinned = true;
            Node::InOrder(Box::new(seq))
        }
        Kind::Either { branches } => {
            let mut seqs = Vec::new();
            for branch in branches {
                seqs.push((branch.clone(), Seq::new(&branch.body, src, frame, listed, cx)?));
            }
            // `nothing` is chosen by whoever chooses among the rest.
            let own = seqs
                .iter()
                .any(|(b, seq)| b.nothing_within.is_none() && seq.own_first());
            Node::Either(Either {
                branches: seqs,
                chosen: None,
                own,
                still_until: None,
            })
        }
        Kind::Optional { body } => {
            let seq = Seq::new(body, src, frame, listed, cx)?;
            if seq.own_first() && cx.choose(2) == 0 {
                Node::Nothing
            } else if seq.own_first() {
                Node::InOrder(Box::new(seq))
            } else {
                Node::Optional(Box::new(seq))
            }
        }
        Kind::Many(many) => {
            let min = many.min.as_ref().map_or(Ok(0), |e| cx.values.count(e, frame))?;
            let max = many.max.as_ref().map(|e| cx.values.count(e, frame)).transpose()?;
            if let Some(name) = &stmt.mods.bind {
                cx.values.scopes.bind_empty_list(frame, &name.text);
            }
            Node::Many(Box::new(ManyState {
                many: many.clone(),
                min,
                max,
                count: 0,
                last: None,
                open: Vec::new(),
                closed: false,
            }))
        }
        Kind::Never(never) => Node::Never(never.calls.clone(), never.scope.clone(), None),
        Kind::Welcome(_)
        | Kind::Call(_)
        | Kind::Raw { .. }
        | Kind::Connect(_)
        | Kind::Each { .. }
        | Kind::Repeat { .. }
        | Kind::If { .. } => Node::Nothing,
    })
}

/// A `many` that we play: its minimum, or one more where the run varies (rule 7).
fn repeat_own(
    stmt: &Stmt,
    many: &Many,
    src: usize,
    frame: FrameId,
    cx: &mut Cx,
    out: &mut Vec<Item>,
) -> Result<(), ValueError> {
    let min = many.min.as_ref().map_or(Ok(0), |e| cx.values.count(e, frame))?;
    let max = many.max.as_ref().map(|e| cx.values.count(e, frame)).transpose()?;
    let ends_with = matches!(many.until, Until::Fits(_));
    let least = if ends_with { min.max(1) } else { min };
    let more = max.is_none_or(|m| least < m);
    let count = least + u32::from(more && cx.choose(2) == 1);
    if let Some(name) = &stmt.mods.bind {
        cx.values.scopes.bind_empty_list(frame, &name.text);
    }
    for i in 0..count.min(super::MAX_REPEAT) {
        let mut body = many.body.clone();
        if let Some(first) = body.first_mut() {
            first.mods.bind.clone_from(&stmt.mods.bind);
            if let (true, Until::Fits(last), Kind::Call(call)) =
                (i + 1 == count, &many.until, &mut first.kind)
            {
                call.payload
                    .fields
                    .retain(|f| !last.fields.iter().any(|l| l.name.text == f.name.text));
                call.payload.fields.extend(last.fields.iter().cloned());
            }
        }
        unroll(&body, src, frame, true, cx, out)?;
    }
    Ok(())
}

/// The sequences inside an item that are under way.
pub(super) fn inner(node: &mut Node) -> Vec<&mut Seq> {
    match node {
        Node::AnyOrder(members) => members.iter_mut().collect(),
        Node::InOrder(seq) | Node::Optional(seq) => vec![seq.as_mut()],
        Node::Either(either) => match either.chosen {
            Some(chosen) => vec![&mut either.branches[chosen].1],
            None => Vec::new(),
        },
        Node::Many(many) => many.open.iter_mut().collect(),
        Node::Reach(reach) => reach.child.iter_mut().map(AsMut::as_mut).collect(),
        _ => Vec::new(),
    }
}

/// A payload as it was bound, for `as` on a message.
pub(super) fn bind_message(cx: &mut Cx, item: &Item, payload: &Json, at: Timestamp) {
    if let Some(name) = &item.stmt.mods.bind {
        let value = super::value::message_value(payload, at);
        cx.values.scopes.bind(item.frame, &name.text, value, item.listed);
    }
}
