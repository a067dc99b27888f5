//! What a back-end is asked and what it is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use plugfest_case::verbs::{VerbSpec, find};
use plugfest_protocol::Json;
use plugfest_trace::Outcome;

use super::verbs::{closest, takes};

/// A future in a box, so that back-ends can be trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One action to be done.
#[derive(Clone, PartialEq, Eq)]
pub struct DriverCall {
    /// The name of the action, such as `ev.plug`.
    pub verb: String,
    /// Its arguments: an object. Those of `station.set_password` and `csms.station` may hold a password.
    pub args: Json,
}

impl DriverCall {
    /// A call from its parts.
    pub fn new(verb: impl Into<String>, args: Json) -> Self {
        Self {
            verb: verb.into(),
            args,
        }
    }

    /// The action's entry in the closed list, after a look at the arguments.
    ///
    /// # Errors
    /// An unknown verb, an unknown or missing argument; the text says which.
    pub fn check(&self) -> Result<&'static VerbSpec, String> {
        let name = &self.verb;
        let known = find(name).ok_or_else(|| unknown_verb(name))?;
        let Json::Object(args) = &self.args else {
            return Err(format!(
                "the arguments of `{name}` are no object but {}",
                self.args.kind()
            ));
        };
        if let Some(stranger) = args.keys().find(|key| !takes(known, key)) {
            return Err(format!("`{name}` has no argument `{stranger}`"));
        }
        match known.required.iter().find(|name| !args.contains_key(name)) {
            Some(missing) => Err(format!("`{name}` needs the argument `{missing}`")),
            None => Ok(known),
        }
    }

    /// An argument by name.
    pub fn arg(&self, name: &str) -> Option<&Json> {
        self.args.get(name)
    }

    /// True where the action is there to return a value.
    pub fn reads(&self) -> bool {
        find(&self.verb).is_some_and(|verb| verb.reads)
    }
}

impl fmt::Debug for DriverCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut args = self.args.clone();
        if let Some(password) = args.pointer_mut("/password") {
            *password = Json::from("«hidden»");
        }
        write!(f, "{}({args})", self.verb)
    }
}

/// The sentence for a verb that is not in the list.
pub(super) fn unknown_verb(name: &str) -> String {
    match closest(name) {
        Some(closest) => format!("unknown verb `{name}`; did you mean `{}`?", closest.name),
        None => format!("unknown verb `{name}`; `plugfest explain driver` lists them"),
    }
}

/// Whether an action can be done, as far as that can be told without doing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It can.
    Yes,
    /// It cannot: cases that need it are blocked.
    No,
    /// Only trying tells.
    Unknown,
}

/// Someone or something that does actions. Calls may overlap; a back-end that cannot do two at once queues them.
pub trait Backend: Send + Sync {
    /// Does the action and returns when it is done. Dropping the future gives up.
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome>;

    /// Whether the action of that name can be done.
    fn supports(&self, _verb: &str) -> Support {
        Support::Unknown
    }

    /// Brings up what must be there before the first action, such as a long-lived process.
    fn start(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Reads what a back-end printed: nothing is *done*, JSON is a value, and chatter is *done* where no value is due.
pub(super) fn outcome_of_output(call: &DriverCall, output: &str) -> Outcome {
    let text = output.trim();
    if text.is_empty() && !call.reads() {
        return Outcome::Done;
    }
    match Json::parse(text) {
        Ok(value) => Outcome::Returned { value },
        Err(_) if !call.reads() => Outcome::Done,
        Err(error) => failed(format!("`{}` must return JSON: {error}", call.verb)),
    }
}

pub(super) fn failed(why: impl Into<String>) -> Outcome {
    Outcome::Failed { why: why.into() }
}

/// The first characters of foreign text, on one line, without control characters.
pub(super) fn excerpt(text: &str) -> String {
    const MAX: usize = 200;
    let text = text.trim();
    // The escapes are for what is invisible; quotes and backslashes are read as they are.
    let quoted = |c: char| matches!(c, '"' | '\'' | '\\');
    let escaped = |c: char| {
        if quoted(c) {
            c.to_string()
        } else {
            c.escape_debug().collect()
        }
    };
    let shown: String = text.chars().take(MAX).map(escaped).collect();
    if text.chars().nth(MAX).is_some() {
        format!("{shown}…")
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(verb: &str, args: &str) -> DriverCall {
        DriverCall::new(verb, Json::parse(args).unwrap())
    }

    #[test]
    fn calls_are_checked_against_the_list() {
        assert_eq!(call("ev.plug", "{}").check().unwrap().name, "ev.plug");
        for (verb, args, error) in [
            ("ev.plgu", "{}", "unknown verb `ev.plgu`; did you mean `ev.plug`?"),
            (
                "ev.plug",
                "[]",
                "the arguments of `ev.plug` are no object but array",
            ),
            (
                "ev.plug",
                r#"{"conector":1}"#,
                "`ev.plug` has no argument `conector`",
            ),
            (
                "token.present",
                r#"{"connector":1}"#,
                "`token.present` needs the argument `token`",
            ),
        ] {
            assert_eq!(call(verb, args).check(), Err(error.to_owned()));
        }
    }

    #[test]
    fn output_is_read_by_what_the_verb_is_for() {
        let (plug, meter) = (call("ev.plug", "{}"), call("meter.read", "{}"));
        assert_eq!(outcome_of_output(&plug, " \n"), Outcome::Done);
        assert_eq!(outcome_of_output(&plug, "cable is in"), Outcome::Done);
        assert_eq!(
            outcome_of_output(&meter, "17.0\n"),
            Outcome::Returned {
                value: Json::parse("17.0").unwrap()
            }
        );
        assert!(matches!(outcome_of_output(&meter, ""), Outcome::Failed { .. }));
        assert!(matches!(
            outcome_of_output(&meter, "17 Wh"),
            Outcome::Failed { .. }
        ));
    }

    #[test]
    fn foreign_text_is_shown_short_and_harmless() {
        assert_eq!(excerpt(" a\x1b[31m\nb's "), "a\\u{1b}[31m\\nb's");
        assert_eq!(excerpt(&"x".repeat(300)).chars().count(), 201);
    }

    #[test]
    fn the_debug_form_hides_a_password() {
        let shown = format!(
            "{:?}",
            call("csms.station", r#"{"id":"CP1","password":"hunter2"}"#)
        );
        assert_eq!(shown, r#"csms.station({"id":"CP1","password":"«hidden»"})"#);
    }
}
