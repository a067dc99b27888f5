//! What became of an action that hands or an operator were asked for, and the arguments it came with.

use plugfest_protocol::{Json, object};

/// What became of one verb of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The physical or administrative action has been done. Its messages may still be on their way.
    Done,
    /// The verb was a question, and this is the answer.
    Returned(Json),
    /// This device has no hands for the verb, or its make-up lacks the part.
    Unsupported,
    /// It could not be done now, with the reason.
    Failed(String),
}

impl Outcome {
    /// The outcome as one line of the JSON-lines control channel, without its id.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Done => object! { "outcome": "done" },
            Self::Returned(value) => object! { "outcome": "done", "value": value },
            Self::Unsupported => object! { "outcome": "unsupported" },
            Self::Failed(message) => object! { "outcome": "failed", "message": message },
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

/// The arguments of a verb. Every reader names the argument in its complaint.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(pub(crate) &'a Json);

impl<'a> Args<'a> {
    /// The first of these names that is there; `null` is as good as absent.
    fn find(self, names: &[&str]) -> Option<&'a Json> {
        names
            .iter()
            .find_map(|name| self.0.get(name).filter(|value| !value.is_null()))
    }

    /// An optional text under any of its names.
    pub(crate) fn text(self, names: &[&str]) -> Result<Option<&'a str>, Outcome> {
        self.find(names).map_or(Ok(None), |value| match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => Err(Outcome::failed(format!(
                "argument '{}' is a {}, not a string",
                names[0],
                value.kind()
            ))),
        })
    }

    /// A text that must be there.
    pub(crate) fn required(self, names: &[&str]) -> Result<&'a str, Outcome> {
        self.text(names)?
            .ok_or_else(|| Outcome::failed(format!("argument '{}' is missing", names[0])))
    }

    /// An optional whole number, given as a number or as its digits.
    pub(crate) fn whole(self, names: &[&str]) -> Result<Option<i64>, Outcome> {
        self.find(names).map_or(Ok(None), |value| {
            value
                .as_i64()
                .or_else(|| value.as_str()?.parse().ok())
                .map(Some)
                .ok_or_else(|| Outcome::failed(format!("argument '{}' is no whole number", names[0])))
        })
    }

    /// An optional truth value.
    pub(crate) fn flag(self, name: &str) -> Result<Option<bool>, Outcome> {
        self.find(&[name]).map_or(Ok(None), |value| {
            value
                .as_bool()
                .map(Some)
                .ok_or_else(|| Outcome::failed(format!("argument '{name}' is no boolean")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_themselves_when_they_are_wrong() {
        let json = object! { "connector": "x", "idTag": 5, "ready": 1 };
        let args = Args(&json);
        assert_eq!(
            args.whole(&["connector"]),
            Err(Outcome::failed("argument 'connector' is no whole number"))
        );
        assert_eq!(
            args.text(&["token", "idTag"]),
            Err(Outcome::failed("argument 'token' is a number, not a string"))
        );
        assert_eq!(
            args.required(&["action"]),
            Err(Outcome::failed("argument 'action' is missing"))
        );
        assert_eq!(
            args.flag("ready"),
            Err(Outcome::failed("argument 'ready' is no boolean"))
        );
    }

    #[test]
    fn aliases_and_digits_are_understood() {
        let json = object! { "connector": "2", "idTag": "ABC", "ready": Json::Null, "token": Json::Null };
        let args = Args(&json);
        assert_eq!(args.whole(&["connector"]), Ok(Some(2)));
        assert_eq!(args.text(&["token", "idTag"]), Ok(Some("ABC")));
        assert_eq!(args.flag("ready"), Ok(None));
    }
}
