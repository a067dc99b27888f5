//! Expressions: names, `$` paths, durations, verbs, references, CEL.

use plugfest_protocol::{ObjectType, Part, Type};

use super::Checker;
use super::scope::{Found, Held};
use crate::cel::{self, Program};
use crate::diagnostic::did_you_mean;
use crate::facts::{PicsKind, ValueKind};
use crate::ir::{
    Arg, BinaryOp, Cel, Expr, ExprKind, Given, Pics, Reference, Requires, Set, Span, Verb, Word,
};
use crate::natives::Arity;
use crate::verbs;

impl Checker<'_> {
    pub(super) fn bind(&mut self, name: &Word, held: Held) {
        let literal = self
            .edition
            .into_iter()
            .flat_map(plugfest_protocol::Edition::enums);
        if let Some(of) = literal.into_iter().find(|e| e.contains(&name.text)) {
            let message = format!("`{}` is a literal of {}, and would hide it", name.text, of.name);
            self.error("hides-literal", name.span, message)
                .with_hint("take another name");
        }
        if let Some(before) = self.scope.bind(&name.text, name.span, held) {
            let message = format!("`{}` is bound twice", name.text);
            self.error("bound-twice", name.span, message)
                .with_label(before, "first bound here");
        }
    }

    /// Names and `$` paths of an expression; a bare word that names nothing is a literal of some enum.
    pub(super) fn expr(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(path) if !self.name(path, e.span) => self.free_literal(path, e.span),
            ExprKind::Param(path) => self.param(path, e.span),
            ExprKind::Binary(_, left, right) => {
                self.operand(left);
                self.operand(right);
            }
            ExprKind::List(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Pairs(pairs) => pairs.iter().for_each(|(k, v)| {
                self.expr(k);
                self.expr(v);
            }),
            ExprKind::Call(verb) => self.native_value(verb),
            _ => {}
        }
    }

    /// Something that is added or multiplied: a bare word must be a name.
    fn operand(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Name(path) => {
                let known = self.name(path, e.span);
                if !known {
                    self.unknown_name(path, e.span);
                }
            }
            ExprKind::Text(_) | ExprKind::Bool(_) | ExprKind::Null | ExprKind::List(_) => {
                self.error("type", e.span, "this cannot be added or multiplied")
                    .with_hint(
                        "sums and products take names, numbers, durations, `now` and configured values",
                    );
            }
            _ => self.expr(e),
        }
    }

    /// An expression that must be a name or value and never a literal of an enum.
    pub(super) fn reference_to(&mut self, e: &Expr) {
        self.operand(e);
    }

    /// The text of a `raw` line: texts and names, put together and repeated.
    pub(super) fn raw_text(&mut self, e: &Expr, bytes: bool) {
        match &e.kind {
            ExprKind::Text(text) if bytes && crate::raw::from_hex(text).is_none() => {
                self.error("type", e.span, "this is no sequence of bytes in hex")
                    .with_hint(
                        "two digits for each byte, with blanks between them as you like: \"5b c3 28\"",
                    );
            }
            ExprKind::Text(_) => {}
            ExprKind::Binary(BinaryOp::Add, left, right) => {
                self.raw_text(left, bytes);
                self.raw_text(right, bytes);
            }
            ExprKind::Binary(BinaryOp::Mul, text, times) => {
                self.raw_text(text, bytes);
                let whole = matches!(&times.kind, ExprKind::Number(raw)
                    if raw.parse::<u32>().is_ok_and(|n| n <= crate::raw::MOST_TIMES));
                if !whole {
                    let message = format!("this must be a whole number up to {}", crate::raw::MOST_TIMES);
                    self.error("type", times.span, message);
                }
            }
            _ => self.reference_to(e),
        }
    }

    /// True if the first word is a bound name; then the path below it was checked and the name counts as used.
    pub(super) fn name(&mut self, path: &[String], at: Span) -> bool {
        let Some(first) = path.first() else { return false };
        match self.scope.find(first) {
            Found::Here(held) => {
                self.path_below(first, &held, &path[1..], at);
                true
            }
            Found::MayBeMissing(span) => {
                let message = format!("`{first}` may be unbound here");
                self.error("may-be-unbound", at, message)
                    .with_label(span, "bound in a block that may be passed over")
                    .with_hint("use it inside that block, or bind it in every branch");
                true
            }
            Found::Nowhere => false,
        }
    }

    fn path_below(&mut self, name: &str, held: &Held, rest: &[String], at: Span) {
        let Some(field) = rest.first() else { return };
        let deeper = |object: &'static ObjectType| {
            let known = object.field_at(&rest.join("/")).is_some();
            (!known).then(|| did_you_mean(field, object.fields.iter().map(|f| f.name.as_str())))
        };
        let fault = match held {
            Held::Value(Some(Type::Object(object)), false) => deeper(object),
            Held::Value(Some(Type::Any) | None, _) | Held::Anything => None,
            Held::Value(..) => Some(Some("it is a single value".to_owned())),
            Held::Message(Some(action), part) if field != "time" => deeper(action.message(*part)),
            Held::Message(..) => None,
            Held::Moment if field == "time" && rest.len() == 1 => None,
            Held::Moment => Some(Some(format!("an act only has its moment: `{name}.time`"))),
            Held::Exports(state) => {
                let exports = || state.exports.iter().map(|e| e.name.text.as_str());
                (!exports().any(|e| e == field)).then(|| {
                    did_you_mean(field, exports()).or_else(|| {
                        let all: Vec<&str> = exports().collect();
                        Some(format!("`{}` exports {}", state.name.text, all.join(", ")))
                    })
                })
            }
            Held::List => Some(Some("it is a list here: look into it in a `check`".to_owned())),
        };
        if let Some(hint) = fault {
            let message = format!("`{name}` has no `{}`", rest.join("."));
            self.error("unknown-field", at, message).with_maybe(hint);
        }
    }

    fn unknown_name(&mut self, path: &[String], at: Span) {
        let word = path.join(".");
        let hint = did_you_mean(&word, self.scope.names());
        self.error("unknown-name", at, format!("`{word}` is bound nowhere above"))
            .with_hint("`as NAME` binds; a text stands in quotes")
            .with_maybe(hint);
    }

    /// A bare word where any value may stand: a literal of some enum of the edition.
    fn free_literal(&mut self, path: &[String], at: Span) {
        let word = path.join(".");
        let known = match self.edition {
            Some(edition) => edition.enums().any(|e| e.contains(&word)),
            None => word.starts_with(|c: char| c.is_ascii_uppercase()),
        };
        if known {
            return;
        }
        let literals = self
            .edition
            .into_iter()
            .flat_map(plugfest_protocol::Edition::enums);
        let literals: Vec<&str> = literals
            .flat_map(|e| e.literals.iter().map(String::as_str))
            .collect();
        let hint = did_you_mean(&word, self.scope.names().chain(literals));
        self.error(
            "unknown-name",
            at,
            format!("`{word}` is neither a name bound above nor a literal"),
        )
        .with_hint("`as NAME` binds; a text stands in quotes")
        .with_maybe(hint);
    }

    pub(super) fn param(&mut self, path: &[String], at: Span) {
        if self.declared && self.facts.value(path).is_none() {
            let word = path.join(".");
            let hint = did_you_mean(&word, self.facts.values.keys().map(String::as_str));
            let message = format!("no configured value `${word}`");
            let own = format!("facts.toml of {} declares them", self.protocol);
            self.error("unknown-value", at, message)
                .with_hint(own)
                .with_maybe(hint.map(|h| h.replace("`$", "`")));
        }
    }

    // --- times and counts ---

    /// An expression that must be a length of time.
    pub(super) fn duration(&mut self, e: &Expr) {
        let fault = match &e.kind {
            ExprKind::Number(raw) => Some(format!("write a unit: {raw}s")),
            ExprKind::Text(_)
            | ExprKind::Bool(_)
            | ExprKind::Null
            | ExprKind::List(_)
            | ExprKind::Pairs(_)
            | ExprKind::Now
            | ExprKind::Fresh
            | ExprKind::Call(_) => Some("like 10s, 250ms, 2h".to_owned()),
            ExprKind::Param(path) => self.wrong_kind(path, &[ValueKind::Seconds, ValueKind::Int]),
            _ => None,
        };
        if let Some(hint) = fault {
            self.error("type", e.span, "this is no length of time")
                .with_hint(hint);
            return;
        }
        match &e.kind {
            ExprKind::Name(_) => self.operand(e),
            _ => self.expr(e),
        }
    }

    fn wrong_kind(&self, path: &[String], good: &[ValueKind]) -> Option<String> {
        let kind = self.facts.value(path)?.kind?;
        (!good.contains(&kind)).then(|| format!("`${}` is a {}", path.join("."), kind_name(kind)))
    }

    /// A whole number that is at least `least`.
    pub(super) fn count(&mut self, e: &Expr, least: i64) {
        let whole = match &e.kind {
            ExprKind::Number(raw) => raw.parse::<i64>().is_ok_and(|n| n >= least && n <= 10_000),
            ExprKind::Param(path) => self.wrong_kind(path, &[ValueKind::Int]).is_none(),
            ExprKind::Name(_) | ExprKind::Binary(..) => true,
            _ => false,
        };
        if !whole {
            let message = format!("this must be a whole number from {least} to 10000");
            self.error("type", e.span, message);
            return;
        }
        match &e.kind {
            ExprKind::Name(_) => self.operand(e),
            _ => self.expr(e),
        }
    }

    pub(super) fn set(&mut self, set: &Set) {
        match set {
            Set::Connectors { .. } => {}
            Set::List(items) => items.iter().for_each(|item| self.expr(item)),
            Set::Value(e) => match &e.kind {
                ExprKind::Name(_) | ExprKind::Param(_) => self.operand(e),
                _ => {
                    self.error("type", e.span, "`each` walks over a list")
                        .with_hint("connectors(), [A, B], or a name or value that is a list");
                }
            },
        }
    }

    // --- verbs and natives ---

    pub(super) fn verb(&mut self, verb: &Verb, side: &str) {
        let name = &verb.name.text;
        let Some(spec) = verbs::find(name) else {
            let of_side = verbs::VERBS.iter().filter(|v| v.side == side || v.side == "ocpi");
            let hint = did_you_mean(name, of_side.map(|v| v.name));
            let message = format!("the driver has no verb `{name}`");
            self.error("unknown-verb", verb.name.span, message)
                .with_maybe(hint);
            verb.args.iter().for_each(|a| self.expr(&a.value));
            return;
        };
        if spec.side != side && spec.side != "ocpi" {
            let word = if spec.side == "csms" { "operate" } else { "act" };
            let message = format!("`{name}` is done at the {}", spec.side);
            self.error("wrong-side", verb.name.span, message)
                .with_hint(format!("write `{word} {name}(…)`"));
        }
        let mut said: Vec<&str> = Vec::new();
        for (i, arg) in verb.args.iter().enumerate() {
            self.expr(&arg.value);
            let known = match &arg.name {
                Some(label) => spec.parameters().find(|p| *p == label.text),
                None => spec.parameters().nth(i),
            };
            let at = arg.name.as_ref().map_or(arg.value.span, |n| n.span);
            match known {
                None => {
                    let all: Vec<&str> = spec.parameters().collect();
                    let takes = if all.is_empty() {
                        "it takes nothing".to_owned()
                    } else {
                        format!("it takes {}", all.join(", "))
                    };
                    let hint = arg
                        .name
                        .as_ref()
                        .and_then(|n| did_you_mean(&n.text, all.iter().copied()));
                    let what = arg.name.as_ref().map_or("further argument".to_owned(), |n| {
                        format!("argument `{}`", n.text)
                    });
                    self.error("argument", at, format!("`{name}` has no {what}"))
                        .with_hint(takes)
                        .with_maybe(hint);
                }
                Some(known) if said.contains(&known) => {
                    self.error("argument", at, format!("`{known}` is given twice"));
                }
                Some(known) => said.push(known),
            }
        }
        for missing in spec.required.iter().filter(|r| !said.contains(r)) {
            self.error("argument", verb.name.span, format!("`{name}` needs `{missing}`"));
        }
    }

    /// `profile(…)`, `pki.sign(…)`
    pub(super) fn native_value(&mut self, verb: &Verb) {
        self.native(verb, "native value", |natives| natives.values());
    }

    /// `run NAME(…)`
    pub(super) fn native_run(&mut self, verb: &Verb) {
        self.native(verb, "native procedure", |natives| natives.runs());
    }

    fn native(
        &mut self,
        verb: &Verb,
        what: &str,
        table: impl Fn(&crate::Natives) -> &std::collections::BTreeMap<String, Arity>,
    ) {
        for Arg { name, value } in &verb.args {
            match &value.kind {
                // What a word behind a label may be, only the native itself knows: `fault: expired`.
                ExprKind::Name(path) if name.is_some() => {
                    self.name(path, value.span);
                }
                _ => self.expr(value),
            }
        }
        let known = table(self.library.natives());
        let name = &verb.name.text;
        match known.get(name) {
            None if known.is_empty() && self.edition.is_none() => {}
            None => {
                let hint = did_you_mean(name, known.keys().map(String::as_str));
                self.error(
                    "unknown-native",
                    verb.name.span,
                    format!("there is no {what} `{name}`"),
                )
                .with_maybe(hint);
            }
            Some(arity) if !arity.takes(verb.args.len()) => {
                let message = format!("`{name}` takes {}, not {}", arity.describe(), verb.args.len());
                self.error("arity", verb.name.span, message);
            }
            Some(_) => {}
        }
    }

    // --- states ---

    /// The use of a state or phrase; binds its `as`.
    pub(super) fn reference(&mut self, r: &Reference) {
        let state = self
            .library
            .state(self.protocol, &r.name.text)
            .map(|s| s.state.clone());
        let Some(state) = state else {
            r.args.iter().for_each(|a| self.expr(a));
            let names = self.library.states().filter(|s| s.protocol == self.protocol);
            let hint = did_you_mean(&r.name.text, names.map(|s| s.state.name.text.as_str()));
            let message = format!("there is no state or phrase `{}`", r.name.text);
            self.error("unknown-state", r.name.span, message).with_maybe(hint);
            if let Some(bind) = &r.bind {
                self.bind(bind, Held::Anything);
            }
            return;
        };
        if state.params.len() != r.args.len() {
            let message = format!(
                "`{}` takes {}, not {}",
                r.name.text,
                Arity::exactly(state.params.len()).describe(),
                r.args.len()
            );
            self.error("arity", r.span, message);
        }
        for (i, arg) in r.args.iter().enumerate() {
            let ty = state
                .params
                .get(i)
                .and_then(|p| self.param_type(&state, &p.text, 0));
            self.value(arg, ty);
        }
        if let Some(bind) = &r.bind {
            if state.exports.is_empty() {
                let message = format!("`{}` exports nothing to bind", r.name.text);
                self.error("no-exports", bind.span, message);
            }
            self.bind(bind, Held::Exports(state));
        }
    }

    /// One item of `given`, or the target of `do`.
    pub(super) fn given(&mut self, given: &Given) {
        match given {
            Given::State(reference) => self.reference(reference),
            Given::Config { entries, .. } => {
                for entry in entries {
                    self.config_entry(&entry.key, &entry.value);
                }
            }
        }
    }

    fn config_entry(&mut self, key: &Word, value: &Expr) {
        use plugfest_protocol::ConfigType;
        self.expr(value);
        let Some(edition) = self.edition else { return };
        let Some(known) = edition.config_key(&key.text) else {
            self.unknown_config(&key.text, key.span);
            return;
        };
        let fits = match (&value.kind, known.ty) {
            (ExprKind::Param(_) | ExprKind::Name(_) | ExprKind::Binary(..), _)
            | (ExprKind::Bool(_), ConfigType::Bool)
            | (
                ExprKind::Text(_),
                ConfigType::List | ConfigType::Text | ConfigType::Option | ConfigType::DateTime,
            )
            | (ExprKind::Number(_), ConfigType::Decimal) => true,
            (ExprKind::Number(raw), ConfigType::Int) => raw.parse::<i64>().is_ok(),
            (ExprKind::Duration { millis, .. }, ConfigType::Int) => millis % 1000 == 0,
            _ => false,
        };
        if !fits {
            let wanted = match known.ty {
                ConfigType::Bool => "true or false",
                ConfigType::Int => "a whole number",
                ConfigType::Decimal => "a number",
                ConfigType::DateTime => "a date-time in quotes",
                ConfigType::List | ConfigType::Option | ConfigType::Text => "a text in quotes",
            };
            self.error("type", value.span, format!("`{}` holds {wanted}", known.name));
        }
    }

    fn unknown_config(&mut self, key: &str, at: Span) {
        let Some(edition) = self.edition else { return };
        let hint = did_you_mean(key, edition.config_keys().iter().map(|k| k.name.as_str()));
        let message = format!("{} has no configuration key `{key}`", edition.name());
        self.error("unknown-key", at, message).with_maybe(hint);
    }

    // --- PICS ---

    pub(super) fn requires(&mut self, requires: &Requires) {
        self.pics(&requires.expr, requires.span);
    }

    fn pics(&mut self, pics: &Pics, at: Span) {
        if !self.declared {
            return;
        }
        for (code, compared) in pics.codes() {
            self.pics_code(code, compared, at);
        }
    }

    fn pics_code(&mut self, code: &str, compared: bool, at: Span) {
        match self.facts.pics.get(code).map(|c| c.kind) {
            None => {
                let hint = did_you_mean(code, self.facts.pics.keys().map(String::as_str));
                let message = format!("no PICS code `{code}`");
                self.error("unknown-pics", at, message).with_maybe(hint);
            }
            Some(PicsKind::Bool) if compared => {
                self.error(
                    "type",
                    at,
                    format!("`{code}` is yes or no and cannot be compared with a number"),
                );
            }
            Some(PicsKind::Int) if !compared => {
                self.error(
                    "type",
                    at,
                    format!("`{code}` is a number: compare it, as in `{code} > 1`"),
                );
            }
            Some(_) => {}
        }
    }

    // --- CEL ---

    /// An expression of `check`, `if`, `probe` or `exports`. With `early`, only what is known before the story.
    pub(super) fn cel(&mut self, cel: &Cel, early: bool) {
        let program = match Program::parse(&cel.text) {
            Ok(program) => program,
            Err(error) => {
                let at = self.cel_place(cel, error.offset..error.offset + 1);
                self.error("expression", at, error.message);
                return;
            }
        };
        for used in &program.names().params {
            let at = self.cel_place(cel, used.range.clone());
            self.param(&used.path, at);
        }
        for used in &program.names().variables {
            let at = self.cel_place(cel, used.range.clone());
            self.cel_variable(&used.path, at, early);
        }
        for called in &program.names().calls {
            let at = self.cel_place(cel, called.range.clone());
            self.cel_call(called, at);
        }
    }

    /// Where a range of the expression stands in the file; the whole where its lines were joined.
    fn cel_place(&self, cel: &Cel, range: std::ops::Range<usize>) -> Span {
        let file = self.library.text(self.file).unwrap_or("");
        if file.get(cel.span.range()) != Some(cel.text.as_str()) {
            return cel.span;
        }
        let end = (cel.span.start + range.end as u32).clamp(cel.span.start, cel.span.end);
        let start = (cel.span.start + range.start as u32)
            .min(end.saturating_sub(1))
            .max(cel.span.start);
        Span { start, end }
    }

    fn cel_variable(&mut self, path: &[String], at: Span, early: bool) {
        let Some(root) = path.first() else { return };
        if self.scope.knows(root) {
            if early && !self.scope.is_among_first(root, self.before_body) {
                self.error(
                    "late-fact",
                    at,
                    format!("`{root}` is only known while the story runs"),
                )
                .with_hint(
                    "`if` takes what is known before it: codes, config, facts, `given … as`, parameters",
                );
            }
            self.name(path, at);
            return;
        }
        match root.as_str() {
            "now" => {}
            "config" => {
                let known = |e: &'static plugfest_protocol::Edition, key: &str| e.config_key(key).is_some();
                if let (Some(edition), Some(key)) = (self.edition, path.get(1))
                    && !known(edition, key)
                {
                    self.unknown_config(key, at);
                }
            }
            _ if self.facts.variables.contains_key(root) || !self.declared => {}
            _ if self.facts.pics.contains_key(root) => {}
            _ => {
                let known = ["now", "config"].into_iter();
                let declared = self
                    .facts
                    .pics
                    .keys()
                    .chain(self.facts.variables.keys())
                    .map(String::as_str);
                let hint = did_you_mean(root, self.scope.names().chain(known).chain(declared));
                self.error(
                    "unknown-name",
                    at,
                    format!("`{root}` is no bound name, code or fact"),
                )
                .with_maybe(hint);
            }
        }
    }

    fn cel_call(&mut self, called: &cel::Called, at: Span) {
        let name = called.name.as_str();
        let native = self.library.natives().functions().get(name).copied();
        let Some(arity) = native.or_else(|| self.facts.functions.get(name).map(|f| f.arity)) else {
            if cel::is_own(name) || !self.declared {
                return;
            }
            let natives = self.library.natives().functions().keys();
            let known = natives.chain(self.facts.functions.keys()).map(String::as_str);
            let hint = did_you_mean(name, known);
            self.error("unknown-function", at, format!("there is no function `{name}`"))
                .with_maybe(hint);
            return;
        };
        if !arity.takes(called.arity) {
            let message = format!("`{name}` takes {}, not {}", arity.describe(), called.arity);
            self.error("arity", at, message);
        }
        if name == "config"
            && let (Some(edition), Some(Some(key))) = (self.edition, called.texts.first())
            && edition.config_key(key).is_none()
        {
            self.unknown_config(key, at);
        }
    }
}

fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Text => "text",
        ValueKind::Int => "number",
        ValueKind::Seconds => "duration",
        ValueKind::Bool => "yes or no",
        ValueKind::List => "list",
    }
}

/// For messages of one action: the part that a name or field belongs to.
pub(super) fn part_of(answer: bool) -> Part {
    if answer { Part::Response } else { Part::Request }
}
