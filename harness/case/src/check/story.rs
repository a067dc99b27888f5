//! Cases, states, and their lines one by one.

use plugfest_protocol::{Action, Part, Role};

use super::expr::part_of;
use super::pattern::Use;
use super::scope::{Guard, Held};
use super::{Checker, MOST_LINES};
use crate::diagnostic::did_you_mean;
use crate::ir::{
    Answer, AnswerForm, Branch, Call, Case, Expr, ExprKind, Kind, Many, Mods, NeverScope, Pattern, Span,
    Speaker, State, Stmt, TRANSFERS, Until, Welcome,
};

/// What stands above a line and may be answered by it.
#[derive(Clone, Copy)]
enum Asked<'s> {
    Nothing,
    Call(&'s Call, Option<&'static Action>),
    /// A connection, a file transfer, or raw bytes: any answer will do.
    Other,
}

/// What is known of a connection when it is opened, of its acceptance, of its end, and of a file transfer.
const CONNECT: [&str; 7] = [
    "identity",
    "password",
    "path",
    "security",
    "subprotocol",
    "subprotocols",
    "user",
];
const ACCEPT: [&str; 1] = ["subprotocol"];
const CLOSE: [&str; 2] = ["code", "reason"];
const TRANSFER: [&str; 2] = ["to", "from"];
/// How deep blocks may nest in a story.
const MAX_DEPTH: u32 = 3;

impl Checker<'_> {
    pub(super) fn case(&mut self, case: &Case, text: &str) {
        let header = &case.header;
        if header.spec.is_empty() {
            self.warning("no-spec", case.head, "the case names no clause")
                .with_hint("spec OCPP-1.6 \"4.2\" says what it rests on");
        }
        let lines = text.get(case.span.range()).map_or(0, |t| t.lines().count());
        if lines > MOST_LINES {
            let message = format!("the case has {lines} lines, more than {MOST_LINES}");
            self.warning("long", case.head, message)
                .with_hint("split it, or move what repeats into a phrase");
        }
        if header.covers.is_empty() && header.notes.is_empty() {
            self.warning("no-covers", case.head, "the case covers no official id")
                .with_hint("`covers ID`, or a `note` that says why there is none");
        }
        self.tests(case);
        if let Some(level) = &header.level
            && level.text != "should"
        {
            let message = format!("no level `{}`", level.text);
            self.error("level", level.span, message)
                .with_hint("`level should` makes a failed line a warning");
        }
        if let Some(requires) = &header.requires {
            self.requires(requires);
        }
        for each in &header.for_each {
            each.values.iter().for_each(|v| self.expr(v));
            if each.values.is_empty() {
                self.error("type", each.name.span, "`for` over nothing makes no case");
            }
            self.bind(&each.name, Held::Anything);
        }
        header.given.iter().for_each(|g| self.given(g));
        self.before_body = self.scope.len();
        self.body(&case.body, 0, Asked::Nothing);
        self.optionals(&case.body, &[], false);
        self.scope.open_all();
        self.body(&case.finally, 0, Asked::Nothing);
        self.optionals(&case.finally, &[], false);
        self.unused();
    }

    fn tests(&mut self, case: &Case) {
        let Some(tests) = &case.header.tests else { return };
        let all = self.sides.clone();
        let mut sides = Vec::new();
        for side in tests {
            if all.contains(&side.text) {
                sides.push(side.text.clone());
            } else {
                let hint = did_you_mean(&side.text, all.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("the sides are {}", all.join(", ")));
                let message = format!("`{}` is no side of {}", side.text, self.protocol);
                self.error("unknown-side", side.span, message).with_hint(hint);
            }
        }
        self.sides = sides;
    }

    pub(super) fn state(&mut self, state: &State) {
        self.in_state = true;
        for param in &state.params {
            if let Some(before) = self.scope.bind_param(&param.text, param.span) {
                let message = format!("the parameter `{}` stands twice", param.text);
                self.error("bound-twice", param.span, message)
                    .with_label(before, "first here");
            }
        }
        if let Some(probe) = &state.probe {
            self.cel(probe, false);
        }
        if state.probe.is_none() && !state.phrase {
            self.error(
                "no-probe",
                state.name.span,
                "a state needs a `probe` that says whether it holds",
            )
            .with_hint("without one it is a `phrase`");
        }
        if !state.phrase {
            state.exports.iter().for_each(|e| self.cel(&e.value, false));
        }
        let params = self.scope.len();
        let mut unused = Vec::new();
        for way in &state.ways {
            // Names of one way are unknown to the next.
            let start = self.scope.len();
            state.given.iter().for_each(|g| self.given(g));
            self.before_body = self.scope.len();
            self.body(&way.body, 0, Asked::Nothing);
            self.optionals(&way.body, &[], true);
            if state.phrase {
                state.exports.iter().for_each(|e| self.cel(&e.value, false));
            }
            debug_assert!(start == params);
            let mut all = self.scope.take();
            unused.extend(all.split_off(params.min(all.len())));
            for param in all {
                self.scope.bind_param(&param.name, param.spans[0]);
                if param.used {
                    self.scope.find(&param.name);
                }
            }
        }
        unused.retain(|b| !b.used);
        unused.dedup_by(|a, b| a.spans == b.spans);
        let params = self.scope.take();
        for binding in params.iter().chain(&unused).filter(|b| !b.used) {
            self.say_unused(binding.param, &binding.name, &binding.spans);
        }
    }

    fn unused(&mut self) {
        for binding in self.scope.take() {
            if !binding.used {
                self.say_unused(binding.param, &binding.name, &binding.spans);
            }
        }
    }

    fn say_unused(&mut self, param: bool, name: &str, spans: &[Span]) {
        let at = spans.first().copied().unwrap_or_default();
        if param {
            self.warning("unused", at, format!("the parameter `{name}` is not used"));
        } else {
            self.error("unused", at, format!("`{name}` is bound but never used"))
                .with_hint("leave the `as` out");
        }
    }

    // --- bodies ---

    fn body<'s>(&mut self, body: &'s [Stmt], depth: u32, above: Asked<'s>) {
        let mut asked = above;
        for (i, stmt) in body.iter().enumerate() {
            self.stmt(stmt, depth, asked, i + 1 == body.len());
            asked = match &stmt.kind {
                Kind::Call(call) => Asked::Call(call, self.action(call)),
                Kind::Connect(_) | Kind::Raw { .. } => Asked::Other,
                Kind::Answer(answer) if answer.to.is_none() => asked,
                Kind::Welcome(_) => asked,
                _ => Asked::Nothing,
            };
        }
    }

    fn action(&self, call: &Call) -> Option<&'static Action> {
        self.edition.and_then(|e| e.action(&call.action.text))
    }

    fn deeper(&mut self, stmt: &Stmt, depth: u32) -> u32 {
        if crate::print::is_one_line(stmt) {
            return depth;
        }
        if depth == MAX_DEPTH {
            let at = Span {
                end: stmt.span.end.min(stmt.span.start + 4),
                ..stmt.span
            };
            self.error("too-deep", at, format!("blocks nest deeper than {MAX_DEPTH}"))
                .with_hint("move the inner part into a phrase: `do` starts again at 0");
        }
        depth + 1
    }

    fn stmt<'s>(&mut self, stmt: &'s Stmt, depth: u32, asked: Asked<'s>, last: bool) {
        self.mods(stmt);
        match &stmt.kind {
            Kind::Act(verb) => {
                self.verb(verb, "station");
                self.bind_line(stmt, told_by(verb));
            }
            Kind::Operate(verb) => {
                self.verb(verb, "csms");
                self.bind_line(stmt, told_by(verb));
            }
            Kind::Run(verb) => {
                self.native_run(verb);
                self.bind_line(stmt, Held::Anything);
            }
            Kind::Link(_) => self.bind_line(stmt, Held::Moment),
            Kind::Wait { time } => {
                self.duration(time);
                self.bind_line(stmt, Held::Moment);
            }
            Kind::Check(cel) => self.cel(cel, false),
            Kind::Raw { speaker, bytes, text } => {
                self.speaker(speaker);
                if self.is_side(&speaker.role) && !self.in_state {
                    let message = format!("no {} under test can be made to say this", speaker.role);
                    let other = if speaker.role == "station" {
                        "csms"
                    } else {
                        "station"
                    };
                    self.error("wrong-side", speaker.span, message)
                        .with_hint(format!("say `tests {other}` in the header"));
                }
                self.raw_text(text, *bytes);
                self.bind_line(stmt, Held::Moment);
            }
            Kind::Do(given) => self.given(given),
            Kind::Call(call) => {
                let action = self.call(call, true, None);
                self.weigh(
                    &call.speaker,
                    action,
                    Some(&call.payload),
                    &stmt.mods,
                    false,
                    stmt.span,
                );
                self.bind_line(stmt, Held::Message(action, Part::Request));
            }
            Kind::Answer(answer) => self.answer(stmt, answer, asked),
            Kind::Connect(peer) | Kind::Close(peer) => {
                self.speaker(&peer.speaker);
                match stmt.kind {
                    Kind::Connect(_) => self.known_fields(&peer.payload, "a connection", &CONNECT),
                    _ => self.known_fields(&peer.payload, "a closure", &CLOSE),
                }
                self.object(
                    &peer.payload,
                    None,
                    Use {
                        sent: false,
                        binds: true,
                    },
                );
                self.bind_line(stmt, Held::Message(None, Part::Request));
            }
            Kind::Welcome(welcome) => self.welcome(stmt, welcome, asked),
            Kind::AnyOrder { body } | Kind::InOrder { body } => {
                let depth = self.deeper(stmt, depth);
                self.rivals(stmt);
                self.body(body, depth, Asked::Nothing);
            }
            Kind::Either { branches } => self.either(stmt, branches, depth, asked),
            Kind::Optional { body } => {
                let depth = self.deeper(stmt, depth);
                let block = self.scope.new_block();
                self.scope.enter_branch(block, 0);
                self.body(body, depth, Asked::Nothing);
                self.scope.leave();
            }
            Kind::Many(many) => self.many(stmt, many, depth, last),
            Kind::Repeat { times, body } => {
                let depth = self.deeper(stmt, depth);
                self.count(times, 1);
                let start = self.scope.len();
                self.body(body, depth, Asked::Nothing);
                self.scope.listed(start);
            }
            Kind::Each {
                var,
                set,
                except,
                body,
            } => {
                let depth = self.deeper(stmt, depth);
                self.set(set);
                if let Some(except) = except {
                    self.expr(except);
                }
                let start = self.scope.len();
                self.bind(var, Held::Anything);
                self.body(body, depth, Asked::Nothing);
                if let Some(var) = self.scope.forget(&var.text)
                    && !var.used
                {
                    self.say_unused(false, &var.name, &var.spans);
                }
                self.scope.listed(start);
            }
            Kind::If { fact, body } => {
                let depth = self.deeper(stmt, depth);
                self.cel(fact, true);
                self.scope.enter(Guard::If(fact.text.clone()));
                self.body(body, depth, Asked::Nothing);
                self.scope.leave();
            }
            Kind::Never(never) => {
                for (i, call) in never.calls.iter().enumerate() {
                    let before = i.checked_sub(1).map(|i| &never.calls[i]);
                    self.call(call, false, before);
                }
                if let NeverScope::For(time) = &never.scope {
                    self.duration(time);
                }
            }
        }
    }

    fn bind_line(&mut self, stmt: &Stmt, held: Held) {
        if let Some(name) = &stmt.mods.bind {
            self.bind(name, held);
        }
    }

    fn mods(&mut self, stmt: &Stmt) {
        let Mods {
            within, after, every, ..
        } = &stmt.mods;
        if let Some(within) = within {
            self.duration(within);
        }
        for timing in [after, every].into_iter().flatten() {
            self.duration(&timing.value);
            timing.tolerance.iter().for_each(|t| self.duration(t));
        }
        let bindable = matches!(
            stmt.kind,
            Kind::Call(_)
                | Kind::Answer(_)
                | Kind::Connect(_)
                | Kind::Close(_)
                | Kind::Welcome(_)
                | Kind::Act(_)
                | Kind::Operate(_)
                | Kind::Run(_)
                | Kind::Link(_)
                | Kind::Wait { .. }
                | Kind::Raw { .. }
                | Kind::Many(_)
        );
        if let Some(name) = &stmt.mods.bind
            && !bindable
        {
            self.error(
                "binding",
                name.span,
                "there is nothing here that a name could hold",
            );
        }
        let spoken = matches!(
            stmt.kind,
            Kind::Call(_) | Kind::Connect(_) | Kind::Close(_) | Kind::Answer(_)
        );
        let flags = [
            (
                "eventually",
                stmt.mods.eventually,
                matches!(stmt.kind, Kind::Call(_) | Kind::Connect(_) | Kind::Close(_)),
            ),
            (
                "unprompted",
                stmt.mods.unprompted,
                matches!(stmt.kind, Kind::Call(_)),
            ),
            (
                "every",
                stmt.mods.every.is_some(),
                matches!(stmt.kind, Kind::Call(_)),
            ),
            ("after", stmt.mods.after.is_some(), spoken),
        ];
        for (word, there, fits) in flags {
            if there && !fits {
                let at = Span {
                    end: stmt.span.end.min(stmt.span.start + 1),
                    ..stmt.span
                };
                self.error("modifier", at, format!("`{word}` means nothing on this line"));
            }
        }
    }

    fn speaker(&mut self, speaker: &Speaker) {
        let Some(edition) = self.edition else { return };
        let known = edition.roles().iter().any(|r| r.as_str() == speaker.role);
        if !known && !["files", "ca"].contains(&speaker.role.as_str()) {
            let roles: Vec<&str> = edition.roles().map(Role::as_str).to_vec();
            let message = format!("{} has no `{}`", edition.name(), speaker.role);
            self.error("unknown-side", speaker.span, message)
                .with_hint(format!("its sides are {}", roles.join(", ")));
        }
    }

    /// A CALL line, or a message of a `never`.
    fn call(&mut self, call: &Call, expected: bool, before: Option<&Call>) -> Option<&'static Action> {
        if before.is_none_or(|b| b.speaker.span != call.speaker.span) {
            self.speaker(&call.speaker);
        }
        let name = call.action.text.as_str();
        let mut action = None;
        if let Some(edition) = self.edition
            && !TRANSFERS.contains(&name)
        {
            action = edition.action(name);
            match action {
                None => {
                    let hint = did_you_mean(name, edition.actions().iter().map(|a| a.name.as_str()));
                    let message = format!("{} has no action `{name}`", edition.name());
                    self.error("unknown-action", call.action.span, message)
                        .with_maybe(hint);
                }
                Some(action) => {
                    let role = Role::parse(&call.speaker.role);
                    if role.is_some_and(|r| edition.roles().contains(&r) && !action.direction.allows(r)) {
                        let message = format!("`{name}` is not sent by a {}", call.speaker.role);
                        self.error("wrong-side", call.action.span, message);
                    }
                }
            }
        }
        let how = Use {
            sent: expected && self.is_played(&call.speaker.role),
            binds: expected,
        };
        let ty = action.map(|a| &a.request);
        if let Some(picks) = &call.picks {
            self.object(picks, ty, how);
            for field in &picks.fields {
                if call.payload.fields.iter().any(|f| f.name.text == field.name.text) {
                    let message = format!("`{}` is picked already", field.name.text);
                    self.error("duplicate", field.name.span, message)
                        .with_hint("parentheses pick, braces verify: it stands in one of them");
                }
            }
        }
        self.object(&call.payload, ty, how);
        if TRANSFERS.contains(&name) {
            self.known_fields(&call.payload, "a file transfer", &TRANSFER);
        }
        action
    }

    fn answer<'s>(&mut self, stmt: &'s Stmt, answer: &'s Answer, asked: Asked<'s>) {
        self.speaker(&answer.speaker);
        let mut action = None;
        match (&answer.to, asked) {
            (Some(to), _) => match self.scope.find(&to.text) {
                super::scope::Found::Here(Held::Message(of, Part::Request)) => action = of,
                super::scope::Found::Here(Held::List) => {}
                super::scope::Found::Here(_) => {
                    self.error(
                        "type",
                        to.span,
                        format!("`{}` is no CALL that could be answered", to.text),
                    );
                }
                _ => {
                    self.error(
                        "unknown-name",
                        to.span,
                        format!("`{}` is bound nowhere above", to.text),
                    )
                    .with_hint("bind the CALL line: `… as NAME`");
                }
            },
            (None, Asked::Call(call, of)) => {
                action = of;
                if call.speaker.role == answer.speaker.role {
                    let message = format!("the {} does not answer its own CALL", answer.speaker.role);
                    self.error("wrong-side", answer.speaker.span, message)
                        .with_label(call.action.span, "the CALL that is answered");
                }
            }
            (None, Asked::Other) => {}
            (None, Asked::Nothing) => {
                self.error("answer-to-nothing", stmt.span, "this answers nothing")
                    .with_hint("an answer stands directly under its CALL, opens a branch of the `either` under it, or says `=> to NAME`");
            }
        }
        let how = Use {
            sent: self.is_played(&answer.speaker.role),
            binds: true,
        };
        for (i, form) in answer.forms.iter().enumerate() {
            let how = Use {
                sent: how.sent && i == 0,
                binds: answer.forms.len() == 1,
            };
            match form {
                AnswerForm::Result(object) => self.object(object, action.map(|a| &a.response), how),
                AnswerForm::Error { code } => self.error_code(code, stmt.span),
                AnswerForm::Silence => {}
            }
        }
        let payload = Self::answer_payload(&answer.forms);
        self.weigh(&answer.speaker, action, payload, &stmt.mods, true, stmt.span);
        self.bind_line(stmt, Held::Message(action, part_of(true)));
    }

    fn error_code(&mut self, code: &Pattern, at: Span) {
        match code {
            Pattern::OneOf(codes) => codes.iter().for_each(|c| self.error_code(c, at)),
            Pattern::Not(code) => self.error_code(code, at),
            Pattern::Value(Expr {
                kind: ExprKind::Name(path),
                span,
            }) => {
                let word = path.join(".");
                if self.scope.knows(&word) {
                    self.name(path, *span);
                } else if let Some(edition) = self.edition
                    && !edition.error_codes().contains(&word)
                {
                    let hint = did_you_mean(&word, edition.error_codes().iter().map(String::as_str));
                    let message = format!("{} has no error code `{word}`", edition.name());
                    self.error("unknown-error-code", *span, message)
                        .with_hint(format!("it has {}", edition.error_codes().join(", ")))
                        .with_maybe(hint);
                }
            }
            Pattern::Any
            | Pattern::Value(Expr {
                kind: ExprKind::Text(_),
                ..
            }) => {}
            _ => {
                self.error(
                    "type",
                    at,
                    "an error code is a literal, `any`, `one_of(…)` or `not …`",
                );
            }
        }
    }

    fn welcome(&mut self, stmt: &Stmt, welcome: &Welcome, asked: Asked<'_>) {
        use crate::ir::WelcomeForm;
        self.speaker(&welcome.speaker);
        let transfer =
            matches!(asked, Asked::Call(call, _) if TRANSFERS.contains(&call.action.text.as_str()));
        if !(transfer || matches!(asked, Asked::Other)) {
            self.error("answer-to-nothing", stmt.span, "this meets no connection")
                .with_hint(
                    "`=> accept` and `=> refuse` stand directly under a Connect, an Upload or a Download",
                );
        }
        match &welcome.how {
            WelcomeForm::Accept(object) => {
                self.known_fields(object, "an acceptance", &ACCEPT);
                self.object(
                    object,
                    None,
                    Use {
                        sent: false,
                        binds: true,
                    },
                );
            }
            WelcomeForm::RefuseHttp(code) => self.count(code, 100),
            WelcomeForm::RefuseTcp | WelcomeForm::RefuseTls(_) => {}
        }
        self.bind_line(stmt, Held::Moment);
    }

    fn either<'s>(&mut self, stmt: &'s Stmt, branches: &'s [Branch], depth: u32, asked: Asked<'s>) {
        let depth = self.deeper(stmt, depth);
        self.rivals(stmt);
        let start = self.scope.len();
        let block = self.scope.new_block();
        let mut guards = Vec::new();
        for (i, branch) in branches.iter().enumerate() {
            branch.nothing_within.iter().for_each(|d| self.duration(d));
            guards.push(self.scope.enter_branch(block, i as u32));
            self.body(&branch.body, depth, asked);
            self.scope.leave();
        }
        self.scope.merge(start, &guards);
    }

    fn many(&mut self, stmt: &Stmt, many: &Many, depth: u32, last: bool) {
        let depth = self.deeper(stmt, depth);
        many.min.iter().for_each(|e| self.count(e, 0));
        many.max.iter().for_each(|e| self.count(e, 1));
        let literal = |e: &Option<Expr>| match e.as_ref().map(|e| &e.kind) {
            Some(ExprKind::Number(raw)) => raw.parse::<i64>().ok(),
            _ => None,
        };
        if let (Some(min), Some(max)) = (literal(&many.min), literal(&many.max))
            && min > max
        {
            self.error("bounds", stmt.span, format!("from {min} to {max} is nothing"));
        }
        let one_exchange = matches!(many.body.split_first(), Some((first, rest))
            if matches!(first.kind, Kind::Call(_)) && rest.iter().all(|s| matches!(s.kind, Kind::Answer(_))));
        if !one_exchange {
            self.error(
                "many",
                stmt.span,
                "`many` takes one exchange: a CALL and its answers",
            )
            .with_hint("for more, write `repeat` or `each`");
        }
        if last && many.max.is_none() && many.until == Until::Next && depth <= 1 {
            self.error("many", stmt.span, "nothing says when this ends")
                .with_hint("add `until { … }`, `until quiet D` or a greatest number");
        }
        let start = self.scope.len();
        self.body(&many.body, depth, Asked::Nothing);
        let action = match many.body.first().map(|s| &s.kind) {
            Some(Kind::Call(call)) => self.action(call),
            _ => None,
        };
        match &many.until {
            Until::Next => {}
            Until::Quiet(time) => self.duration(time),
            Until::Fits(object) => {
                self.object(
                    object,
                    action.map(|a| &a.request),
                    Use {
                        sent: false,
                        binds: true,
                    },
                );
            }
        }
        self.scope.listed(start);
        self.bind_line(stmt, Held::List);
    }
}

/// What a name of an action holds: a reading is what the device's side answered, anything else has its moment only.
fn told_by(verb: &crate::ir::Verb) -> Held {
    let reads = crate::verbs::find(&verb.name.text).is_some_and(|known| known.reads);
    if reads { Held::Anything } else { Held::Moment }
}
