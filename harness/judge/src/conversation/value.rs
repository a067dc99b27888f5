//! Value expressions: literals, names, configured values, `now`, `fresh`, and their sums and products.

use std::cell::Cell;
use std::time::Duration;

use plugfest_case::ir::{BinaryOp, Expr, ExprKind, Set};
use plugfest_protocol::{Json, Number, Object, Timestamp};

use super::scope::{FrameId, Scopes};

/// A text that is put together by repetition has at most so many bytes.
const MAX_TEXT: usize = 32 << 20;

/// What an expression may look at.
#[derive(Debug, Clone)]
pub(super) struct Values {
    /// The names.
    pub(super) scopes: Scopes,
    /// The `$` values of the premise.
    pub(super) params: Json,
    /// The moment of the event that is being worked on.
    pub(super) now: Timestamp,
    /// The last id that `fresh` gave.
    pub(super) fresh: Cell<i64>,
}

/// Why an expression has no value. Loading has checked names and paths, so this is a value that the profile lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The profile gives no such value.
    #[error("the profile has no value ${0}")]
    NoParam(String),
    /// A path into a bound value leads nowhere.
    #[error("{0} is not there: {1} holds no such field")]
    NoField(String, String),
    /// The operands do not go together.
    #[error("{0} cannot be computed")]
    NotANumber(String),
    /// A text that should be bytes in hex is none.
    #[error("the text of a `raw … bytes` is no hex")]
    NotBytes,
    /// The native value is not known to this version.
    #[error("native value {0}(…) is not known")]
    NoNative(String),
}

impl Values {
    /// The value of an expression; a bare word that names nothing is a literal.
    pub(super) fn evaluate(&self, expr: &Expr, frame: FrameId) -> Result<Json, ValueError> {
        Ok(match &expr.kind {
            ExprKind::Null => Json::Null,
            ExprKind::Bool(b) => Json::Bool(*b),
            ExprKind::Number(text) => match Number::parse(text) {
                Some(number) => Json::Number(number),
                None => return Err(ValueError::NotANumber(text.clone())),
            },
            ExprKind::Duration { millis, .. } => seconds(*millis),
            ExprKind::Text(text) => Json::from(text),
            ExprKind::Name(path) => return self.name(path, frame),
            ExprKind::Param(path) => return self.param(path),
            ExprKind::Now => Json::from(self.now.to_rfc3339()),
            ExprKind::Fresh => {
                self.fresh.set(self.fresh.get() + 1);
                Json::from(self.fresh.get())
            }
            ExprKind::Binary(op, left, right) => {
                let (left, right) = (self.evaluate(left, frame)?, self.evaluate(right, frame)?);
                return combine(*op, &left, &right);
            }
            ExprKind::List(items) => Json::Array(
                items
                    .iter()
                    .map(|item| self.evaluate(item, frame))
                    .collect::<Result<_, _>>()?,
            ),
            ExprKind::Pairs(pairs) => {
                let mut list = Vec::with_capacity(pairs.len());
                for (key, value) in pairs {
                    list.push(Json::Array(vec![
                        self.evaluate(key, frame)?,
                        self.evaluate(value, frame)?,
                    ]));
                }
                Json::Array(list)
            }
            ExprKind::Call(verb) => return Err(ValueError::NoNative(verb.name.text.clone())),
        })
    }

    /// The length of time of an expression in whole microseconds; negative values count as nothing.
    pub(super) fn duration(&self, expr: &Expr, frame: FrameId) -> Result<Duration, ValueError> {
        let value = self.evaluate(expr, frame)?;
        as_duration(&value).ok_or_else(|| ValueError::NotANumber(value.to_string()))
    }

    /// A whole number, for `repeat` and `many`.
    pub(super) fn count(&self, expr: &Expr, frame: FrameId) -> Result<u32, ValueError> {
        let value = self.evaluate(expr, frame)?;
        value
            .as_i64()
            .and_then(|n| u32::try_from(n.max(0)).ok())
            .ok_or_else(|| ValueError::NotANumber(value.to_string()))
    }

    /// The `$` value at a dotted path.
    pub(super) fn param(&self, path: &[String]) -> Result<Json, ValueError> {
        let mut value = &self.params;
        for name in path {
            value = value
                .get(name)
                .ok_or_else(|| ValueError::NoParam(path.join(".")))?;
        }
        Ok(value.clone())
    }

    /// The members of what `each` walks over.
    pub(super) fn members(&self, set: &Set, frame: FrameId) -> Result<Vec<Json>, ValueError> {
        match set {
            Set::Connectors { from } => {
                let last = self.param(&["connectors".to_owned()])?.as_i64().unwrap_or(1);
                Ok((i64::from(*from)..=last).map(Json::from).collect())
            }
            Set::List(items) => items.iter().map(|item| self.evaluate(item, frame)).collect(),
            Set::Value(expr) => match self.evaluate(expr, frame)? {
                Json::Array(items) => Ok(items),
                one => Ok(vec![one]),
            },
        }
    }

    fn name(&self, path: &[String], frame: FrameId) -> Result<Json, ValueError> {
        let (first, rest) = path.split_first().expect("the parser makes no empty path");
        let Some(mut value) = self.scopes.value(frame, first) else {
            return Ok(Json::from(path.join(".")));
        };
        for field in rest {
            value = value
                .get(field)
                .ok_or_else(|| ValueError::NoField(path.join("."), first.clone()))?;
        }
        Ok(value.clone())
    }
}

/// A JSON number of seconds as a duration.
pub(super) fn as_duration(value: &Json) -> Option<Duration> {
    let micros = (value.as_decimal()? * rust_decimal::Decimal::from(1_000_000)).trunc();
    Some(Duration::from_micros(
        u64::try_from(i64::try_from(micros).ok()?.max(0)).ok()?,
    ))
}

/// Milliseconds as a JSON number of seconds.
pub(super) fn seconds(millis: u64) -> Json {
    let decimal = rust_decimal::Decimal::from(millis) / rust_decimal::Decimal::from(1000);
    Json::from(decimal.normalize())
}

/// The moment that a text names.
pub(super) fn as_instant(value: &Json) -> Option<Timestamp> {
    Timestamp::parse(value.as_str()?).ok()
}

fn combine(op: BinaryOp, left: &Json, right: &Json) -> Result<Json, ValueError> {
    let bad = || ValueError::NotANumber(format!("{left} and {right}"));
    if let Some(instant) = as_instant(left) {
        if let (BinaryOp::Sub, Some(other)) = (op, as_instant(right)) {
            return Ok(seconds(
                u64::try_from(instant.distance(other).as_millis()).unwrap_or(u64::MAX),
            ));
        }
        let offset = as_duration(right).ok_or_else(bad)?;
        return Ok(Json::from(match op {
            BinaryOp::Add => (instant + offset).to_rfc3339(),
            BinaryOp::Sub => (instant - offset).to_rfc3339(),
            BinaryOp::Mul => return Err(bad()),
        }));
    }
    if let (BinaryOp::Add, Some(a), Some(b)) = (op, left.as_str(), right.as_str()) {
        return Ok(Json::from(format!("{a}{b}")));
    }
    if let (BinaryOp::Mul, Some(text), Some(times)) = (op, left.as_str(), right.as_i64()) {
        let times = usize::try_from(times).map_err(|_| bad())?;
        let fits = text
            .len()
            .checked_mul(times)
            .is_some_and(|bytes| bytes <= MAX_TEXT);
        return if fits {
            Ok(Json::from(text.repeat(times)))
        } else {
            Err(bad())
        };
    }
    let (a, b) = (
        left.as_decimal().ok_or_else(bad)?,
        right.as_decimal().ok_or_else(bad)?,
    );
    let result = match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
    };
    Ok(Json::from(result.ok_or_else(bad)?.normalize()))
}

/// The moment of a bound message or act: its payload with `time` beside the fields, unless it has such a field.
pub(super) fn message_value(payload: &Json, at: Timestamp) -> Json {
    let mut object = payload.as_object().cloned().unwrap_or_else(Object::new);
    if !object.contains_key("time") {
        object.insert("time", at.to_rfc3339());
    }
    Json::Object(object)
}
