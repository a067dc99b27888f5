//! Payloads against the catalogue.

use plugfest_protocol::{DateTimeText, EnumType, Field, Json, Number, ObjectType, Type};

use super::Checker;
use super::scope::Held;
use crate::diagnostic::did_you_mean;
use crate::facts::ValueKind;
use crate::ir::{ArrayItem, Expr, ExprKind, Given, Kind, ObjectPattern, Pattern, Span, State, Stmt};

/// What may stand at a place of a payload; nothing is known of it where `ty` is `None`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    ty: Option<&'static Type>,
    array: bool,
}

const UNKNOWN: Place = Place {
    ty: None,
    array: false,
};

/// How a payload is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    /// We send it in some run, so each pattern must construct a value.
    pub(super) sent: bool,
    /// Names may be bound.
    pub(super) binds: bool,
}

impl Checker<'_> {
    /// An object pattern against an object type; names only where that is not known.
    pub(super) fn object(&mut self, o: &ObjectPattern, ty: Option<&'static ObjectType>, how: Use) {
        for e in &o.same_as {
            self.reference_to(e);
        }
        let mut seen: Vec<&str> = Vec::new();
        for field in &o.fields {
            let name = field.name.text.as_str();
            if seen.contains(&name) {
                self.error(
                    "duplicate",
                    field.name.span,
                    format!("the field `{name}` stands twice"),
                );
            }
            seen.push(name);
            let known = ty.and_then(|t| t.field(name));
            if let (Some(ty), None) = (ty, known) {
                self.unknown_field(ty, name, field.name.span);
            }
            let place = known.map_or(UNKNOWN, place_of);
            self.pattern(&field.pattern, place, field.name.span, how);
        }
    }

    /// The fields of what no catalogue describes: connections and file transfers.
    pub(super) fn known_fields(&mut self, o: &ObjectPattern, what: &str, names: &[&str]) {
        for field in &o.fields {
            if !names.contains(&field.name.text.as_str()) {
                let hint = did_you_mean(&field.name.text, names.iter().copied());
                let message = format!("{what} has no `{}`", field.name.text);
                self.error("unknown-field", field.name.span, message)
                    .with_hint(format!("it has {}", names.join(", ")))
                    .with_maybe(hint);
            }
        }
    }

    fn unknown_field(&mut self, ty: &'static ObjectType, name: &str, at: Span) {
        let names: Vec<&str> = ty.fields.iter().map(|f| f.name.as_str()).collect();
        let all = if names.is_empty() {
            "it has none".to_owned()
        } else {
            format!("it has {}", names.join(", "))
        };
        let hint = did_you_mean(name, names);
        self.error("unknown-field", at, format!("{} has no field `{name}`", ty.name))
            .with_hint(all)
            .with_maybe(hint);
    }

    fn pattern(&mut self, p: &Pattern, place: Place, at: Span, how: Use) {
        match p {
            Pattern::Any | Pattern::Absent => {}
            Pattern::Value(e) => self.placed_value(e, place),
            Pattern::OneOf(options) => {
                if options.is_empty() {
                    self.error("type", at, "`one_of()` allows nothing");
                }
                for (i, option) in options.iter().enumerate() {
                    self.pattern(
                        option,
                        place,
                        at,
                        Use {
                            sent: how.sent && i == 0,
                            // What only one of several options binds may stay unbound.
                            binds: how.binds && options.len() == 1,
                        },
                    );
                }
            }
            Pattern::Not(inner) => {
                if how.sent {
                    self.not_constructible(at, "`not` says what is wrong, not what to send");
                }
                self.pattern(
                    inner,
                    place,
                    at,
                    Use {
                        sent: false,
                        binds: false,
                    },
                );
            }
            Pattern::Compare(_, e) => self.ordered(e, place),
            Pattern::Near(e) => {
                self.wants(place, e.span, "an instant", |ty| matches!(ty, Type::DateTime));
                self.instant(e);
            }
            Pattern::About(e, tolerance) => {
                self.wants(place, e.span, "a number", |ty| {
                    matches!(ty, Type::Int { .. } | Type::Decimal { .. } | Type::Str { .. })
                });
                self.reference_to(e);
                if let Some(tolerance) = tolerance {
                    self.reference_to(tolerance);
                }
            }
            Pattern::Matches { regex, like } => self.matches(regex, like.as_deref(), place, at, how),
            Pattern::SameAs(e) => self.reference_to(e),
            Pattern::Object(inner) => {
                let object = match place {
                    Place {
                        ty: Some(Type::Object(object)),
                        array: false,
                    } => Some(*object),
                    Place {
                        ty: Some(Type::Any) | None,
                        ..
                    } => None,
                    Place { ty: Some(ty), array } => {
                        let holds = if array {
                            "an array".to_owned()
                        } else {
                            ty.describe()
                        };
                        self.error(
                            "type",
                            inner.span,
                            format!("the field holds {holds}, not an object"),
                        )
                        .with_maybe(array.then(|| "write [ { … } ], or `each { … }`".to_owned()));
                        None
                    }
                };
                self.object(inner, object, how);
            }
            Pattern::Array(array) => {
                self.wants_array(place, array.span);
                for item in &array.items {
                    if let ArrayItem::Item(p) = item {
                        self.pattern(
                            p,
                            Place {
                                array: false,
                                ..place
                            },
                            at,
                            how,
                        );
                    }
                }
            }
            Pattern::Each(inner) => {
                self.wants_array(place, at);
                self.pattern(
                    inner,
                    Place {
                        array: false,
                        ..place
                    },
                    at,
                    Use { binds: false, ..how },
                );
            }
            Pattern::Native(verb) => self.native_value(verb),
            Pattern::Bind(inner, name) => {
                self.pattern(inner, place, at, how);
                if how.binds {
                    self.bind(name, Held::Value(place.ty, place.array));
                } else {
                    self.error("binding", name.span, "nothing can be bound here")
                        .with_hint("what must not come, and each of several values, has no one value");
                }
            }
        }
    }

    fn not_constructible(&mut self, at: Span, why: &str) {
        self.error(
            "not-constructible",
            at,
            format!("this line is also sent, but {why}"),
        )
        .with_hint("give a value, or put one first: one_of(VALUE, not …)");
    }

    fn wants_array(&mut self, place: Place, at: Span) {
        if let Place {
            ty: Some(ty),
            array: false,
        } = place
            && !matches!(ty, Type::Any)
        {
            self.error(
                "type",
                at,
                format!("the field holds {}, not an array", ty.describe()),
            );
        }
    }

    fn wants(&mut self, place: Place, at: Span, what: &str, fits: impl Fn(&Type) -> bool) {
        let Place { ty: Some(ty), array } = place else {
            return;
        };
        if array || !(fits(ty) || matches!(ty, Type::Any)) {
            let holds = if array {
                "an array".to_owned()
            } else {
                ty.describe()
            };
            self.error("type", at, format!("the field holds {holds}, not {what}"));
        }
    }

    /// `> x`
    fn ordered(&mut self, e: &Expr, place: Place) {
        self.wants(place, e.span, "something with an order", |ty| {
            matches!(
                ty,
                Type::Int { .. } | Type::Decimal { .. } | Type::DateTime | Type::Str { .. }
            )
        });
        match &e.kind {
            ExprKind::Text(_) => self.placed_value(e, place),
            _ => self.reference_to(e),
        }
    }

    fn instant(&mut self, e: &Expr) {
        if let ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Duration { .. } = &e.kind {
            self.error("type", e.span, "this is no instant")
                .with_hint("like now, now - 2h, swipe.time");
            return;
        }
        match &e.kind {
            ExprKind::Text(_) => self.placed_value(
                e,
                Place {
                    ty: Some(&Type::DateTime),
                    array: false,
                },
            ),
            _ => self.reference_to(e),
        }
    }

    fn matches(&mut self, regex: &str, like: Option<&str>, place: Place, at: Span, how: Use) {
        self.wants(place, at, "text", |ty| {
            matches!(ty, Type::Str { .. } | Type::Uri | Type::DateTime | Type::Enum(_))
        });
        let compiled = match regex_lite::Regex::new(regex) {
            Ok(compiled) => compiled,
            Err(error) => {
                self.error(
                    "expression",
                    at,
                    format!("/{regex}/ is no regular expression: {error}"),
                );
                return;
            }
        };
        match like {
            None if how.sent => self.not_constructible(at, "the regular expression has no example"),
            Some(like) if !compiled.is_match(like) => {
                self.error(
                    "example",
                    at,
                    format!("the example `{like}` does not match /{regex}/"),
                );
            }
            _ => {}
        }
        if let (Some(like), Some(ty)) = (like, place.ty) {
            self.text(like, ty, at);
        }
    }

    /// A value at a place of a payload.
    pub(super) fn value(&mut self, e: &Expr, ty: Option<&'static Type>) {
        self.placed_value(e, Place { ty, array: false });
    }

    fn placed_value(&mut self, e: &Expr, place: Place) {
        if let ExprKind::Name(path) = &e.kind
            && self.name(path, e.span)
        {
            return;
        }
        let Place { ty: Some(ty), array } = place else {
            return self.expr(e);
        };
        if array {
            return self.array_value(e);
        }
        match &e.kind {
            ExprKind::Name(path) => self.literal(&path.join("."), ty, e.span),
            ExprKind::Text(text) => self.text(text, ty, e.span),
            ExprKind::Number(raw) => self.number(raw, ty, e.span),
            ExprKind::Duration { millis, .. } => {
                let whole = millis % 1000 == 0;
                if !(matches!(ty, Type::Int { .. }) && whole
                    || matches!(ty, Type::Decimal { .. } | Type::Any))
                {
                    self.type_error(e.span, ty);
                }
            }
            ExprKind::Bool(_) if !matches!(ty, Type::Bool | Type::Any) => self.type_error(e.span, ty),
            ExprKind::Now if !matches!(ty, Type::DateTime | Type::Str { .. } | Type::Any) => {
                self.type_error(e.span, ty);
            }
            ExprKind::Fresh if !matches!(ty, Type::Int { .. } | Type::Str { .. } | Type::Any) => {
                self.type_error(e.span, ty);
            }
            ExprKind::List(_) | ExprKind::Pairs(_) if !matches!(ty, Type::Any) => self.type_error(e.span, ty),
            ExprKind::Param(path) => {
                self.param(path, e.span);
                self.param_fits(path, ty, e.span);
            }
            _ => self.expr(e),
        }
    }

    fn array_value(&mut self, e: &Expr) {
        let list = match &e.kind {
            ExprKind::Param(path) => self
                .facts
                .value(path)
                .and_then(|v| v.kind)
                .is_none_or(|k| k == ValueKind::List),
            ExprKind::Call(_) | ExprKind::List(_) => true,
            _ => false,
        };
        if !list {
            self.error("type", e.span, "the field holds an array")
                .with_hint("write [ … ], or `each …` for all of its items");
        }
        if let ExprKind::Param(_) | ExprKind::Call(_) | ExprKind::List(_) = e.kind {
            self.expr(e);
        }
    }

    /// A bare word that names nothing.
    fn literal(&mut self, word: &str, ty: &'static Type, at: Span) {
        match ty {
            Type::Enum(of) => self.enum_literal(word, of, at),
            Type::Any => {}
            _ => {
                let hint = did_you_mean(word, self.scope.names()).unwrap_or_else(|| {
                    format!("`as {word}` binds a name; a text stands in quotes: \"{word}\"")
                });
                self.error("unknown-name", at, format!("`{word}` is bound nowhere above"))
                    .with_hint(hint);
            }
        }
    }

    fn enum_literal(&mut self, word: &str, of: &'static EnumType, at: Span) {
        if of.contains(word) {
            return;
        }
        let literals = of.literals.iter().map(String::as_str);
        let all = format!("it has {}", of.literals.join(", "));
        let hint = did_you_mean(word, literals.chain(self.scope.names()));
        let message = format!("{} has no literal `{word}`", of.name);
        self.error("unknown-literal", at, message)
            .with_hint(all)
            .with_maybe(hint);
    }

    fn text(&mut self, text: &str, ty: &'static Type, at: Span) {
        match ty {
            Type::Enum(of) => self.enum_literal(text, of, at),
            Type::Str { max: Some(max), .. } if text.chars().count() > *max as usize => {
                let length = text.chars().count();
                self.error(
                    "too-long",
                    at,
                    format!("the text has {length} characters, the field takes {max}"),
                )
                .with_hint("what no message may hold is sent with `raw`");
            }
            Type::DateTime if DateTimeText::parse(text).is_err() => {
                self.error("type", at, "the text is no date-time")
                    .with_hint("like \"2026-01-31T12:00:00Z\"");
            }
            Type::Int { .. } | Type::Decimal { .. } | Type::Bool | Type::Object(_) => self.type_error(at, ty),
            _ => {}
        }
    }

    fn number(&mut self, raw: &str, ty: &'static Type, at: Span) {
        let Some(number) = Number::parse(raw) else { return };
        match ty {
            Type::Int { min, max } => {
                let value = Json::Number(number).as_i64();
                let inside = value.is_some_and(|v| min.is_none_or(|m| v >= m) && max.is_none_or(|m| v <= m));
                if !inside {
                    self.type_error(at, ty);
                }
            }
            // A number may stand for the text that the standard writes it as.
            Type::Decimal { .. } | Type::Str { .. } | Type::Any => {}
            _ => self.type_error(at, ty),
        }
    }

    fn param_fits(&mut self, path: &[String], ty: &'static Type, at: Span) {
        let Some(kind) = self.facts.value(path).and_then(|v| v.kind) else {
            return;
        };
        let fits = match ty {
            Type::Int { .. } | Type::Decimal { .. } => matches!(kind, ValueKind::Int | ValueKind::Seconds),
            Type::Bool => kind == ValueKind::Bool,
            Type::Object(_) => false,
            // Configuration values are texts on the wire whatever they mean.
            Type::Str { .. } => kind != ValueKind::List,
            Type::DateTime | Type::Uri | Type::Enum(_) => kind == ValueKind::Text,
            Type::Any => true,
        };
        if !fits {
            self.type_error(at, ty);
        }
    }

    fn type_error(&mut self, at: Span, ty: &'static Type) {
        self.error("type", at, format!("the field holds {}", ty.describe()))
            .with_hint("what no message may hold is sent with `raw`");
    }

    /// What a parameter of a state or phrase is used for, if one of its messages says so.
    pub(super) fn param_type(&self, state: &State, param: &str, depth: u32) -> Option<&'static Type> {
        self.edition?;
        state
            .ways
            .iter()
            .find_map(|way| self.type_in(&way.body, param, depth))
    }

    fn type_in(&self, body: &[Stmt], param: &str, depth: u32) -> Option<&'static Type> {
        let edition = self.edition?;
        body.iter().find_map(|stmt| match &stmt.kind {
            Kind::Call(call) => {
                let request = &edition.action(&call.action.text)?.request;
                let picks = call
                    .picks
                    .as_ref()
                    .and_then(|picks| type_of(picks, request, param));
                picks.or_else(|| type_of(&call.payload, request, param))
            }
            Kind::Do(Given::State(inner)) if depth < 4 => {
                let position = inner.args.iter().position(|arg| is_name(arg, param))?;
                let state = &self.library.state(self.protocol, &inner.name.text)?.state;
                self.param_type(state, &state.params.get(position)?.text, depth + 1)
            }
            kind => kind
                .bodies()
                .into_iter()
                .find_map(|body| self.type_in(body, param, depth)),
        })
    }
}

fn place_of(field: &'static Field) -> Place {
    Place {
        ty: Some(&field.ty),
        array: field.array.is_some(),
    }
}

fn is_name(e: &Expr, name: &str) -> bool {
    matches!(&e.kind, ExprKind::Name(path) if path.len() == 1 && path[0] == name)
}

fn type_of(o: &ObjectPattern, ty: &'static ObjectType, param: &str) -> Option<&'static Type> {
    o.fields.iter().find_map(|f| {
        let field = ty.field(&f.name.text)?;
        in_pattern(&f.pattern, &field.ty, param)
    })
}

fn in_pattern(p: &Pattern, ty: &'static Type, param: &str) -> Option<&'static Type> {
    match p {
        Pattern::Value(e) if is_name(e, param) => Some(ty),
        Pattern::OneOf(options) => options.iter().find_map(|p| in_pattern(p, ty, param)),
        Pattern::Not(inner) | Pattern::Each(inner) | Pattern::Bind(inner, _) => in_pattern(inner, ty, param),
        Pattern::Array(array) => array.items.iter().find_map(|item| match item {
            ArrayItem::Item(p) => in_pattern(p, ty, param),
            ArrayItem::Rest => None,
        }),
        Pattern::Object(inner) => match ty {
            Type::Object(object) => type_of(inner, object, param),
            _ => None,
        },
        _ => None,
    }
}
