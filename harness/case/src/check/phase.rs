//! Order within a phase: what an `optional` waits for, and which members of a block could take the same message.

use super::Checker;
use crate::ir::{
    Answer, AnswerForm, ArrayItem, Call, Expr, ExprKind, Given, Kind, NeverScope, ObjectPattern, Pattern,
    Span, Stmt,
};

/// What the lines behind an `optional` say about how long it is waited for.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// A line of the DUT that must come ends the waiting.
    Due,
    /// The phase ends before one.
    Ends,
    /// Nothing either way.
    Open,
}

impl Checker<'_> {
    /// Each `optional` of a DUT needs `within`, or an obligatory DUT line behind it in its phase. `behind` is what
    /// follows the body in the blocks around it, nearest first; `open_end` where more may follow elsewhere.
    pub(super) fn optionals(&mut self, body: &[Stmt], behind: &[&[Stmt]], open_end: bool) {
        for (i, stmt) in body.iter().enumerate() {
            let mut after: Vec<&[Stmt]> = vec![&body[i + 1..]];
            after.extend(behind);
            if let Kind::Optional { body: inner } = &stmt.kind {
                self.optional(stmt, inner, &after, open_end);
            }
            // Rounds of a loop follow each other; what follows the last is the same for all.
            for inner in stmt.kind.bodies() {
                self.optionals(inner, &after, open_end);
            }
        }
    }

    fn optional(&mut self, stmt: &Stmt, inner: &[Stmt], after: &[&[Stmt]], open_end: bool) {
        let timed = stmt.mods.within.is_some() || inner.first().is_some_and(|s| s.mods.within.is_some());
        if timed {
            return;
        }
        let Some(role) = first_speaker(inner).filter(|role| self.is_side(role)) else {
            return;
        };
        let role = role.to_owned();
        let mut next = Next::Open;
        for body in after {
            next = self.next(body, &role, 0);
            if next != Next::Open {
                break;
            }
        }
        if next == Next::Ends || (next == Next::Open && !open_end) {
            self.error(
                "optional-without-end",
                head(stmt),
                "nothing says how long this is waited for",
            )
            .with_hint("add `within D`: no line behind it in this phase must come from the same side");
        }
    }

    fn next(&self, body: &[Stmt], role: &str, depth: u32) -> Next {
        for stmt in body {
            let next = match &stmt.kind {
                Kind::Call(call) if call.speaker.role == role => Next::Due,
                Kind::Connect(peer) | Kind::Close(peer) if peer.speaker.role == role => Next::Due,
                Kind::Call(_)
                | Kind::Connect(_)
                | Kind::Close(_)
                | Kind::Act(_)
                | Kind::Operate(_)
                | Kind::Link(_)
                | Kind::Wait { .. }
                | Kind::Raw { .. }
                | Kind::Run(_)
                | Kind::Do(Given::Config { .. }) => Next::Ends,
                Kind::Never(never) => match never.scope {
                    NeverScope::For(_) => Next::Ends,
                    NeverScope::UntilEnd => Next::Open,
                },
                Kind::Do(Given::State(reference)) => {
                    let state = self.library.state(self.protocol, &reference.name.text);
                    match state.and_then(|s| s.state.ways.first().map(|w| (s.state.phrase, w))) {
                        Some((true, way)) if depth < 8 => self.next(&way.body, role, depth + 1),
                        _ => Next::Ends,
                    }
                }
                Kind::AnyOrder { body } | Kind::InOrder { body } | Kind::Repeat { body, .. } => {
                    self.next(body, role, depth)
                }
                Kind::Each { body, .. } => self.next(body, role, depth),
                Kind::Either { branches } => {
                    let all: Vec<Next> = branches.iter().map(|b| self.next(&b.body, role, depth)).collect();
                    if all.iter().all(|n| *n == Next::Due) {
                        Next::Due
                    } else if all.contains(&Next::Ends) {
                        Next::Ends
                    } else {
                        Next::Open
                    }
                }
                Kind::Many(many) => {
                    let none = matches!(&many.min, Some(Expr { kind: ExprKind::Number(n), .. }) if n == "0");
                    if many.min.is_none() || none {
                        Next::Open
                    } else {
                        self.next(&many.body, role, depth)
                    }
                }
                Kind::Answer(_)
                | Kind::Welcome(_)
                | Kind::Check(_)
                | Kind::If { .. }
                | Kind::Optional { .. } => Next::Open,
            };
            if next != Next::Open {
                return next;
            }
        }
        Next::Open
    }

    // --- two lines for one message ---

    /// The members of an `any order` and the branches of an `either` must not take the same message.
    pub(super) fn rivals(&mut self, stmt: &Stmt) {
        let openers: Vec<Vec<Opener<'_>>> = match &stmt.kind {
            Kind::AnyOrder { body } => body
                .iter()
                .filter(|s| !is_answer(s))
                .map(|s| openers(std::slice::from_ref(s)))
                .collect(),
            Kind::Either { branches } => branches.iter().map(|b| openers(&b.body)).collect(),
            _ => return,
        };
        let what = if matches!(stmt.kind, Kind::AnyOrder { .. }) {
            "members of this block"
        } else {
            "branches"
        };
        for (i, left) in openers.iter().enumerate() {
            for right in &openers[i + 1..] {
                let clash = left
                    .iter()
                    .find_map(|l| right.iter().find(|r| self.could_both(l, r)).map(|r| (l, r)));
                if let Some((l, r)) = clash {
                    let message = format!("two {what} could take the same message");
                    self.error("ambiguous", r.span, message)
                        .with_label(l.span, "the other one")
                        .with_hint("pick by different values in parentheses");
                }
            }
        }
    }

    fn could_both(&self, left: &Opener<'_>, right: &Opener<'_>) -> bool {
        match (&left.kind, &right.kind) {
            (OpenerKind::Call(l), OpenerKind::Call(r)) => {
                l.speaker.role == r.speaker.role
                    && l.speaker.number == r.speaker.number
                    && l.action.text == r.action.text
                    && self.is_side(&l.speaker.role)
                    && !self.picks_differ(l, r)
            }
            (OpenerKind::Answer(l), OpenerKind::Answer(r)) => {
                l.speaker.role == r.speaker.role
                    && self.is_side(&l.speaker.role)
                    && l.forms
                        .iter()
                        .any(|lf| r.forms.iter().any(|rf| answers_meet(lf, rf)))
            }
            (OpenerKind::Connect(l), OpenerKind::Connect(r)) => !differ(l, r),
            _ => false,
        }
    }

    fn picks_differ(&self, left: &Call, right: &Call) -> bool {
        let keys = self
            .edition
            .and_then(|e| e.action(&left.action.text))
            .map_or(&[][..], |a| &a.keys);
        let picked = |call: &'_ Call| -> Vec<(String, Pattern)> {
            let fields = match &call.picks {
                Some(picks) => picks.fields.iter().collect::<Vec<_>>(),
                None => call
                    .payload
                    .fields
                    .iter()
                    .filter(|f| keys.contains(&f.name.text))
                    .collect(),
            };
            fields
                .into_iter()
                .map(|f| (f.name.text.clone(), f.pattern.clone()))
                .collect()
        };
        let (left, right) = (picked(left), picked(right));
        left.iter()
            .any(|(name, l)| right.iter().any(|(other, r)| name == other && apart(l, r)))
    }
}

/// The message with which a member or branch begins.
struct Opener<'s> {
    kind: OpenerKind<'s>,
    span: Span,
}

enum OpenerKind<'s> {
    Call(&'s Call),
    Answer(&'s Answer),
    Connect(&'s ObjectPattern),
}

/// With what a body can begin: its first line, and further ones while those before may be left out.
fn openers(body: &[Stmt]) -> Vec<Opener<'_>> {
    let mut found = Vec::new();
    for stmt in body {
        let kind = match &stmt.kind {
            Kind::Call(call) => OpenerKind::Call(call),
            Kind::Answer(answer) => OpenerKind::Answer(answer),
            Kind::Connect(peer) => OpenerKind::Connect(&peer.payload),
            Kind::AnyOrder { body } => {
                found.extend(
                    body.iter()
                        .filter(|s| !is_answer(s))
                        .flat_map(|s| openers(std::slice::from_ref(s))),
                );
                return found;
            }
            Kind::Either { branches } => {
                found.extend(branches.iter().flat_map(|b| openers(&b.body)));
                return found;
            }
            Kind::Optional { body } => {
                found.extend(openers(body));
                continue;
            }
            Kind::InOrder { body } | Kind::Repeat { body, .. } | Kind::Each { body, .. } => {
                found.extend(openers(body));
                return found;
            }
            Kind::Many(many) => {
                found.extend(openers(&many.body));
                return found;
            }
            Kind::Never(never) if never.scope == NeverScope::UntilEnd => continue,
            Kind::Check(_) => continue,
            _ => return found,
        };
        found.push(Opener {
            kind,
            span: stmt.span,
        });
        return found;
    }
    found
}

fn is_answer(stmt: &Stmt) -> bool {
    matches!(stmt.kind, Kind::Answer(_) | Kind::Welcome(_))
}

fn first_speaker(body: &[Stmt]) -> Option<&str> {
    match &body.first()?.kind {
        Kind::Call(call) => Some(&call.speaker.role),
        Kind::Connect(peer) | Kind::Close(peer) => Some(&peer.speaker.role),
        kind => kind.bodies().first().and_then(|body| first_speaker(body)),
    }
}

fn head(stmt: &Stmt) -> Span {
    Span {
        start: stmt.span.start,
        end: stmt.span.end.min(stmt.span.start + "optional".len() as u32),
    }
}

fn answers_meet(left: &AnswerForm, right: &AnswerForm) -> bool {
    match (left, right) {
        (AnswerForm::Result(l), AnswerForm::Result(r)) => !differ(l, r),
        (AnswerForm::Error { code: l }, AnswerForm::Error { code: r }) => !apart(l, r),
        (AnswerForm::Silence, AnswerForm::Silence) => true,
        _ => false,
    }
}

/// True where some field cannot have a value that both allow.
fn differ(left: &ObjectPattern, right: &ObjectPattern) -> bool {
    left.fields.iter().any(|l| {
        right
            .fields
            .iter()
            .any(|r| l.name.text == r.name.text && apart(&l.pattern, &r.pattern))
    })
}

/// True where no value fits both. Different names are taken for different values: they were given for that.
fn apart(left: &Pattern, right: &Pattern) -> bool {
    match (left, right) {
        (Pattern::Bind(l, _), r) => apart(l, r),
        (l, Pattern::Bind(r, _)) => apart(l, r),
        (Pattern::OneOf(options), r) => options.iter().all(|l| apart(l, r)),
        (l, Pattern::OneOf(options)) => options.iter().all(|r| apart(l, r)),
        (Pattern::Absent, Pattern::Absent) => false,
        (Pattern::Absent, _) | (_, Pattern::Absent) => true,
        (Pattern::Value(l), Pattern::Value(r)) => !same_expr(l, r),
        (Pattern::Not(l), Pattern::Value(r)) | (Pattern::Value(r), Pattern::Not(l)) => {
            matches!(&**l, Pattern::Value(l) if same_expr(l, r))
        }
        (Pattern::Object(l), Pattern::Object(r)) => differ(l, r),
        (Pattern::Array(l), Pattern::Array(r)) if !l.any_order && !r.any_order => {
            let open = |items: &[ArrayItem]| items.contains(&ArrayItem::Rest);
            let closed = !open(&l.items) && !open(&r.items);
            closed && l.items.len() != r.items.len()
        }
        _ => false,
    }
}

fn same_expr(left: &Expr, right: &Expr) -> bool {
    crate::print::expr_text(left) == crate::print::expr_text(right)
}
