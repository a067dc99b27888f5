//! `check`, `probe`, `exports` and `if`: CEL over bound names, `$` values, facts and native functions.

use plugfest_case::cel::{CelFailure, Env};
use plugfest_protocol::Json;

use super::context::Cx;
use super::scope::FrameId;

/// What a CEL expression of one scope may look at.
struct View<'a> {
    cx: &'a Cx,
    frame: FrameId,
}

impl Env for View<'_> {
    fn variable(&self, name: &str) -> Option<Json> {
        if let Some(value) = self.cx.values.scopes.value(self.frame, name) {
            return Some(value.clone());
        }
        match name {
            // `$a.b` arrives as a path below this variable.
            plugfest_case::cel::PARAMS => Some(self.cx.values.params.clone()),
            "now" => Some(Json::from(self.cx.now().to_rfc3339())),
            "config" => Some(configuration(self.cx)),
            _ => self.cx.story.pics.get(name).cloned(),
        }
    }

    fn call(&self, function: &str, args: &[Json]) -> Option<Result<Json, String>> {
        if let Some(native) = crate::natives::native(function) {
            return Some(native(args));
        }
        let mut path = function.to_owned();
        for arg in args {
            path.push('.');
            match arg {
                Json::String(text) => path.push_str(text),
                other => path.push_str(&other.to_string()),
            }
        }
        Some(Ok(self.cx.facts.fact(&path).cloned().unwrap_or(Json::Null)))
    }
}

/// The configuration values that are known, each under its key; `true` and `false` as booleans, numbers as numbers.
fn configuration(cx: &Cx) -> Json {
    let mut object = plugfest_protocol::Object::new();
    for (key, value) in cx.facts.under("config") {
        let typed = match value.as_str() {
            Some(text) if text.eq_ignore_ascii_case("true") => Json::Bool(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Json::Bool(false),
            Some(text) => plugfest_protocol::Number::parse(text).map_or_else(|| value.clone(), Json::from),
            None => value.clone(),
        };
        object.insert(key, typed);
    }
    if let Some(assumed) = cx.values.params.get("config").and_then(Json::as_object) {
        for (key, value) in assumed.iter() {
            if !object.contains_key(key) {
                object.insert(key, value.clone());
            }
        }
    }
    Json::Object(object)
}

/// The value of an expression.
pub(super) fn value(cx: &Cx, text: &str, frame: FrameId) -> Result<Json, String> {
    let program = cx.program(text)?;
    program
        .evaluate(&View { cx, frame })
        .map_err(|e: CelFailure| e.to_string())
}

/// The truth of an expression; anything but a boolean is an error.
pub(super) fn truth(cx: &Cx, text: &str, frame: FrameId) -> Result<bool, String> {
    match value(cx, text, frame)? {
        Json::Bool(b) => Ok(b),
        Json::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Json::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        other => Err(format!("{text} is {other}, neither true nor false")),
    }
}

/// Each part of an expression with its value, for the message of a failed check.
pub(super) fn parts(cx: &Cx, text: &str, frame: FrameId) -> Vec<(String, String)> {
    cx.program(text)
        .map(|p| p.explain(&View { cx, frame }))
        .unwrap_or_default()
}
