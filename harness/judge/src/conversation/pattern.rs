//! Patterns against payloads: does it match, where not, and what does a played side say (rules 7 and 10).

use plugfest_case::ir::{ArrayItem, ArrayPattern, CompareOp, Expr, ObjectPattern, Pattern, Verb};
use plugfest_protocol::{Json, Object, ObjectType, Type, equal, pointer};

use super::scope::FrameId;
use super::value::{ValueError, Values, as_duration, as_instant};

/// Why a payload does not match.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mismatch {
    /// Where in the payload.
    pub(super) pointer: String,
    /// What the line asks for.
    pub(super) expected: String,
    /// What stands there.
    pub(super) actual: String,
}

/// Names bound by a match.
pub(super) type Bound = Vec<(String, Json)>;

/// The result of one comparison.
pub(super) type Matched = Result<(), Mismatch>;

/// What a pattern constructs on a played side.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Built {
    /// This value.
    Value(Json),
    /// Present, but the ordinary behaviour of the side decides.
    Hole,
    /// Not there.
    Absent,
}

/// A payload as a line asks for it; what it leaves open is the ordinary behaviour of the side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overlay {
    /// The values that are asked for.
    pub values: Object,
    /// Pointers of fields that must be there with whatever value.
    pub holes: Vec<String>,
    /// Pointers of fields that must not be there.
    pub absent: Vec<String>,
    /// True where nothing but `values` may be there.
    pub exactly: bool,
}

/// The type of a place, as far as the catalogue knows it.
type Place = Option<&'static Type>;

impl Values {
    /// Checks a payload against the members of an object pattern and collects what it binds.
    pub(super) fn match_object(
        &self,
        pattern: &ObjectPattern,
        value: &Json,
        ty: Option<&'static ObjectType>,
        frame: FrameId,
        at: &str,
        bound: &mut Bound,
    ) -> Matched {
        let Some(object) = value.as_object() else {
            return Err(mismatch(at, "an object", value));
        };
        for field in &pattern.fields {
            let place = pointer::join(at, &field.name.text);
            // An array field has the type of its elements; array patterns hand it on.
            let kind = ty.and_then(|t| t.field(&field.name.text)).map(|f| &f.ty);
            self.match_pattern(
                &field.pattern,
                object.get(&field.name.text),
                kind,
                frame,
                &place,
                bound,
            )?;
        }
        for other in &pattern.same_as {
            let other = self.value_of(other, frame, at)?;
            for (name, expected) in other.as_object().into_iter().flat_map(Object::iter) {
                if name == "time" || pattern.fields.iter().any(|f| f.name.text == name) {
                    continue;
                }
                let place = pointer::join(at, name);
                match object.get(name) {
                    Some(actual) if same(None, expected, actual) => {}
                    actual => return Err(mismatch_opt(&place, &expected.to_string(), actual)),
                }
            }
        }
        if pattern.exactly {
            for (name, actual) in object.iter() {
                if !pattern.fields.iter().any(|f| f.name.text == name) {
                    return Err(mismatch(&pointer::join(at, name), "no such field", actual));
                }
            }
        }
        Ok(())
    }

    /// Checks one value; `None` is an absent field.
    pub(super) fn match_pattern(
        &self,
        pattern: &Pattern,
        value: Option<&Json>,
        ty: Place,
        frame: FrameId,
        at: &str,
        bound: &mut Bound,
    ) -> Matched {
        let absent = |expected: &str| mismatch_opt(at, expected, None);
        match (pattern, value) {
            (Pattern::Absent, None) => Ok(()),
            (Pattern::Absent, Some(v)) => Err(mismatch(at, "absent", v)),
            (Pattern::OneOf(options), value) => {
                let mut said = Vec::new();
                for option in options {
                    let mut inner = Bound::new();
                    match self.match_pattern(option, value, ty, frame, at, &mut inner) {
                        Ok(()) => {
                            bound.extend(inner);
                            return Ok(());
                        }
                        Err(e) => said.push(e.expected),
                    }
                }
                Err(mismatch_opt(at, &format!("one of {}", said.join(", ")), value))
            }
            (Pattern::Not(inner), value) => {
                match self.match_pattern(inner, value, ty, frame, at, &mut Bound::new()) {
                    Ok(()) => Err(mismatch_opt(
                        at,
                        &format!("not {}", self.describe(inner, frame)),
                        value,
                    )),
                    Err(_) => Ok(()),
                }
            }
            (Pattern::Bind(inner, name), value) => {
                self.match_pattern(inner, value, ty, frame, at, bound)?;
                bound.push((name.text.clone(), value.cloned().unwrap_or(Json::Null)));
                Ok(())
            }
            (Pattern::Any, Some(_)) => Ok(()),
            (Pattern::Value(expr), Some(v)) => {
                let expected = self.value_of(expr, frame, at)?;
                if same(ty, &expected, v) {
                    Ok(())
                } else {
                    Err(mismatch(at, &expected.to_string(), v))
                }
            }
            (Pattern::SameAs(expr), Some(v)) => {
                let expected = self.value_of(expr, frame, at)?;
                if same(ty, &expected, v) {
                    Ok(())
                } else {
                    Err(mismatch(at, &expected.to_string(), v))
                }
            }
            (Pattern::Compare(op, expr), Some(v)) => {
                let expected = self.value_of(expr, frame, at)?;
                if compare(*op, v, &expected) {
                    Ok(())
                } else {
                    Err(mismatch(at, &format!("{} {expected}", symbol(*op)), v))
                }
            }
            (Pattern::Near(expr), Some(v)) => {
                let expected = self.value_of(expr, frame, at)?;
                let tolerance = self.tolerance("clock", 10);
                match (as_instant(&expected), as_instant(v)) {
                    (Some(a), Some(b)) if a.distance(b) <= tolerance => Ok(()),
                    _ => Err(mismatch(
                        at,
                        &format!("{expected} ± {} s", tolerance.as_secs()),
                        v,
                    )),
                }
            }
            (Pattern::About(expr, own), Some(v)) => {
                let expected = self.value_of(expr, frame, at)?;
                let own = own.as_ref().map(|e| self.value_of(e, frame, at)).transpose()?;
                match about(&expected, v, own.as_ref()) {
                    Some(true) => Ok(()),
                    _ => Err(mismatch(at, &format!("about {expected}"), v)),
                }
            }
            (Pattern::Matches { regex, .. }, Some(v)) => {
                let fits = v.as_str().is_some_and(|text| {
                    regex_lite::Regex::new(regex).is_ok_and(|compiled| compiled.is_match(text))
                });
                if fits {
                    Ok(())
                } else {
                    Err(mismatch(at, &format!("a text matching /{regex}/"), v))
                }
            }
            (Pattern::Object(inner), Some(v)) => {
                let object = match ty {
                    Some(Type::Object(object)) => Some(*object),
                    _ => None,
                };
                self.match_object(inner, v, object, frame, at, bound)
            }
            (Pattern::Array(inner), Some(v)) => self.match_array(inner, v, ty, frame, at, bound),
            (Pattern::Each(inner), Some(v)) => {
                let Some(items) = v.as_array() else {
                    return Err(mismatch(at, "a list", v));
                };
                for (i, item) in items.iter().enumerate() {
                    self.match_pattern(inner, Some(item), ty, frame, &format!("{at}/{i}"), bound)?;
                }
                Ok(())
            }
            (Pattern::Native(verb), Some(v)) => Err(mismatch(at, &format!("{}(…)", verb.name.text), v)),
            (_, None) => Err(absent(&self.describe(pattern, frame))),
        }
    }

    fn match_array(
        &self,
        pattern: &ArrayPattern,
        value: &Json,
        ty: Place,
        frame: FrameId,
        at: &str,
        bound: &mut Bound,
    ) -> Matched {
        let Some(items) = value.as_array() else {
            return Err(mismatch(at, "a list", value));
        };
        let patterns: Vec<&Pattern> = pattern
            .items
            .iter()
            .filter_map(|item| match item {
                ArrayItem::Item(p) => Some(p),
                ArrayItem::Rest => None,
            })
            .collect();
        let open = pattern.items.iter().any(|item| matches!(item, ArrayItem::Rest));
        if pattern.any_order {
            return self.match_any_order(&patterns, items, open, ty, frame, at, bound);
        }
        if !open && items.len() != patterns.len() {
            return Err(mismatch(at, &format!("a list of {}", patterns.len()), value));
        }
        let mut best = mismatch(at, &format!("a list of at least {}", patterns.len()), value);
        if self.match_run(&pattern.items, items, 0, ty, frame, at, bound, &mut best) {
            Ok(())
        } else {
            Err(best)
        }
    }

    /// Matches elements in order; `..` may stand for any run. Lists in messages are short and patterns shorter, so
    /// plain backtracking is enough; `best` keeps the mismatch that got furthest.
    #[expect(
        clippy::too_many_arguments,
        reason = "a recursive walk over two lists with its context"
    )]
    fn match_run(
        &self,
        patterns: &[ArrayItem],
        items: &[Json],
        index: usize,
        ty: Place,
        frame: FrameId,
        at: &str,
        bound: &mut Bound,
        best: &mut Mismatch,
    ) -> bool {
        match patterns.split_first() {
            None => index == items.len(),
            Some((ArrayItem::Rest, rest)) => {
                if rest.is_empty() {
                    return true;
                }
                (index..=items.len()).any(|i| self.match_run(rest, items, i, ty, frame, at, bound, best))
            }
            Some((ArrayItem::Item(pattern), rest)) => {
                let Some(item) = items.get(index) else {
                    return false;
                };
                let mut inner = Bound::new();
                if let Err(e) = self.match_pattern(
                    pattern,
                    Some(item),
                    ty,
                    frame,
                    &format!("{at}/{index}"),
                    &mut inner,
                ) {
                    *best = e;
                    return false;
                }
                let before = bound.len();
                bound.extend(inner);
                if self.match_run(rest, items, index + 1, ty, frame, at, bound, best) {
                    return true;
                }
                bound.truncate(before);
                false
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the same context as every match")]
    fn match_any_order(
        &self,
        patterns: &[&Pattern],
        items: &[Json],
        open: bool,
        ty: Place,
        frame: FrameId,
        at: &str,
        bound: &mut Bound,
    ) -> Matched {
        let mut left: Vec<(usize, &Json)> = items.iter().enumerate().collect();
        for pattern in patterns {
            let hit = left.iter().position(|(i, item)| {
                let mut inner = Bound::new();
                let fits = self
                    .match_pattern(pattern, Some(item), ty, frame, &format!("{at}/{i}"), &mut inner)
                    .is_ok();
                if fits {
                    bound.extend(inner);
                }
                fits
            });
            match hit {
                Some(place) => {
                    left.remove(place);
                }
                None => {
                    let expected = format!("an element that is {}", self.describe(pattern, frame));
                    return Err(mismatch(at, &expected, &Json::Array(items.to_vec())));
                }
            }
        }
        match left.first() {
            Some((i, extra)) if !open => Err(mismatch(&format!("{at}/{i}"), "no further element", extra)),
            _ => Ok(()),
        }
    }

    /// What a played side says for an object pattern.
    pub(super) fn build(&self, pattern: &ObjectPattern, frame: FrameId) -> Result<Overlay, ValueError> {
        let mut overlay = Overlay {
            exactly: pattern.exactly,
            ..Overlay::default()
        };
        for other in &pattern.same_as {
            let other = self.evaluate(other, frame)?;
            for (name, value) in other.as_object().into_iter().flat_map(Object::iter) {
                if name != "time" {
                    overlay.values.insert(name, value.clone());
                }
            }
        }
        self.build_into(pattern, frame, "", &mut overlay)?;
        Ok(overlay)
    }

    fn build_into(
        &self,
        pattern: &ObjectPattern,
        frame: FrameId,
        at: &str,
        overlay: &mut Overlay,
    ) -> Result<(), ValueError> {
        for field in &pattern.fields {
            let place = pointer::join(at, &field.name.text);
            match self.build_value(&field.pattern, frame)? {
                Built::Value(value) => {
                    let mut root = Json::Object(std::mem::take(&mut overlay.values));
                    // The way to the place was made by the fields before it.
                    let _there = root.set_pointer(&place, value);
                    if let Json::Object(values) = root {
                        overlay.values = values;
                    }
                }
                Built::Hole => overlay.holes.push(place),
                Built::Absent => overlay.absent.push(place),
            }
        }
        Ok(())
    }

    fn build_value(&self, pattern: &Pattern, frame: FrameId) -> Result<Built, ValueError> {
        Ok(match pattern {
            Pattern::Any => Built::Hole,
            Pattern::Absent => Built::Absent,
            Pattern::Value(e) | Pattern::SameAs(e) | Pattern::Near(e) | Pattern::About(e, _) => {
                Built::Value(self.evaluate(e, frame)?)
            }
            Pattern::OneOf(options) => match options.first() {
                Some(first) => self.build_value(first, frame)?,
                None => Built::Absent,
            },
            Pattern::Compare(op, e) => {
                let value = self.evaluate(e, frame)?;
                Built::Value(beyond(*op, &value))
            }
            Pattern::Matches { like, .. } => match like {
                Some(text) => Built::Value(Json::from(text)),
                None => Built::Hole,
            },
            Pattern::Object(inner) => {
                let mut overlay = Overlay::default();
                self.build_into(inner, frame, "", &mut overlay)?;
                Built::Value(Json::Object(overlay.values))
            }
            Pattern::Array(inner) => {
                let mut items = Vec::new();
                for item in &inner.items {
                    if let ArrayItem::Item(p) = item
                        && let Built::Value(value) = self.build_value(p, frame)?
                    {
                        items.push(value);
                    }
                }
                Built::Value(Json::Array(items))
            }
            Pattern::Each(inner) => match self.build_value(inner, frame)? {
                Built::Value(value) => Built::Value(Json::Array(vec![value])),
                other => other,
            },
            Pattern::Not(_) => Built::Hole,
            Pattern::Native(Verb { name, .. }) => return Err(ValueError::NoNative(name.text.clone())),
            Pattern::Bind(inner, _) => self.build_value(inner, frame)?,
        })
    }

    /// A pattern in words, with the values that it means now.
    pub(super) fn describe(&self, pattern: &Pattern, frame: FrameId) -> String {
        match pattern {
            Pattern::Any => "any value".to_owned(),
            Pattern::Absent => "absent".to_owned(),
            Pattern::Value(e) | Pattern::SameAs(e) => self.shown(e, frame),
            Pattern::OneOf(options) => {
                let parts: Vec<_> = options.iter().map(|o| self.describe(o, frame)).collect();
                format!("one of {}", parts.join(", "))
            }
            Pattern::Not(inner) => format!("not {}", self.describe(inner, frame)),
            Pattern::Compare(op, e) => format!("{} {}", symbol(*op), self.shown(e, frame)),
            Pattern::Near(e) => format!("near {}", self.shown(e, frame)),
            Pattern::About(e, _) => format!("about {}", self.shown(e, frame)),
            Pattern::Matches { regex, .. } => format!("a text matching /{regex}/"),
            Pattern::Object(object) => self.describe_object(object, frame),
            Pattern::Array(array) => {
                let parts: Vec<_> = array
                    .items
                    .iter()
                    .map(|item| match item {
                        ArrayItem::Rest => "..".to_owned(),
                        ArrayItem::Item(p) => self.describe(p, frame),
                    })
                    .collect();
                format!("[{}]", parts.join(", "))
            }
            Pattern::Each(inner) => format!("a list of which each is {}", self.describe(inner, frame)),
            Pattern::Native(verb) => format!("{}(…)", verb.name.text),
            Pattern::Bind(inner, _) => self.describe(inner, frame),
        }
    }

    /// An object pattern in words.
    pub(super) fn describe_object(&self, pattern: &ObjectPattern, frame: FrameId) -> String {
        let parts: Vec<_> = pattern
            .fields
            .iter()
            .map(|f| format!("{}: {}", f.name.text, self.describe(&f.pattern, frame)))
            .collect();
        if parts.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", parts.join(", "))
        }
    }

    fn shown(&self, expr: &Expr, frame: FrameId) -> String {
        // Describing must not use up ids.
        let fresh = self.fresh.get();
        let text = self
            .evaluate(expr, frame)
            .map_or_else(|e| e.to_string(), |v| v.to_string());
        self.fresh.set(fresh);
        text
    }

    fn value_of(&self, expr: &Expr, frame: FrameId, at: &str) -> Result<Json, Mismatch> {
        self.evaluate(expr, frame).map_err(|e| Mismatch {
            pointer: at.to_owned(),
            expected: e.to_string(),
            actual: String::new(),
        })
    }

    /// A tolerance of the profile in whole seconds.
    pub(super) fn tolerance(&self, name: &str, default: u64) -> std::time::Duration {
        self.params
            .get("tolerance")
            .and_then(|t| t.get(name))
            .and_then(as_duration)
            .unwrap_or(std::time::Duration::from_secs(default))
    }
}

/// Equality by catalogue type; numbers and the texts of numbers are the same value, because a literal in a case file
/// may stand for a field that the standard writes as text (1.6 SampledValue.value).
fn same(ty: Place, expected: &Json, actual: &Json) -> bool {
    if let Some(ty) = ty
        && equal(ty, expected, actual)
    {
        return true;
    }
    match (expected, actual) {
        (Json::Number(n), Json::String(text)) => {
            plugfest_protocol::Number::parse(text).is_some_and(|m| *n == m)
        }
        (Json::String(a), Json::String(b)) if ty.is_none() => a == b,
        (Json::Bool(b), Json::String(text)) => text.eq_ignore_ascii_case(&b.to_string()),
        (a, b) => ty.is_none() && a == b,
    }
}

fn compare(op: CompareOp, actual: &Json, limit: &Json) -> bool {
    let order = match (as_instant(actual), as_instant(limit)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => match (decimal(actual), decimal(limit)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => None,
        },
    };
    order.is_some_and(|o| match op {
        CompareOp::Lt => o.is_lt(),
        CompareOp::Le => o.is_le(),
        CompareOp::Gt => o.is_gt(),
        CompareOp::Ge => o.is_ge(),
        CompareOp::Eq => o.is_eq(),
        CompareOp::Ne => o.is_ne(),
    })
}

/// A number, or the text of one.
fn decimal(value: &Json) -> Option<rust_decimal::Decimal> {
    value
        .as_decimal()
        .or_else(|| plugfest_protocol::Number::parse(value.as_str()?)?.as_decimal())
}

/// Within the author's tolerance, or 10 % of the expected value.
fn about(expected: &Json, actual: &Json, own: Option<&Json>) -> Option<bool> {
    let (e, a) = (decimal(expected)?, decimal(actual)?);
    let tolerance = match own {
        Some(own) => decimal(own)?,
        None => (e / rust_decimal::Decimal::from(10)).abs(),
    };
    Some((e - a).abs() <= tolerance)
}

/// The canonical value that satisfies a comparison.
fn beyond(op: CompareOp, limit: &Json) -> Json {
    let second = std::time::Duration::from_secs(1);
    if let Some(instant) = as_instant(limit) {
        return Json::from(match op {
            CompareOp::Lt => (instant - second).to_rfc3339(),
            CompareOp::Gt => (instant + second).to_rfc3339(),
            _ => instant.to_rfc3339(),
        });
    }
    let Some(number) = decimal(limit) else {
        return limit.clone();
    };
    let one = rust_decimal::Decimal::ONE;
    Json::from(match op {
        CompareOp::Lt => number - one,
        CompareOp::Gt | CompareOp::Ne => number + one,
        _ => number,
    })
}

/// A comparison as it is written.
fn symbol(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
        CompareOp::Eq => "==",
        CompareOp::Ne => "!=",
    }
}

fn mismatch(at: &str, expected: &str, actual: &Json) -> Mismatch {
    mismatch_opt(at, expected, Some(actual))
}

fn mismatch_opt(at: &str, expected: &str, actual: Option<&Json>) -> Mismatch {
    Mismatch {
        pointer: at.to_owned(),
        expected: expected.to_owned(),
        actual: actual.map_or_else(|| "absent".to_owned(), ToString::to_string),
    }
}
