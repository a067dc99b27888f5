//! Text with arguments in it: `{name}` where `name` is an argument of the action, or `{verb}`. Other braces stay.

use std::ops::Range;

use plugfest_case::verbs::{VERBS, find};
use plugfest_protocol::Json;

use super::backend::DriverCall;
use super::verbs::takes;

/// A text with places for arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(String);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A place that no action has an argument for, which can only be a typing mistake.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let known = |name: &str| name == "verb" || VERBS.iter().any(|verb| takes(verb, name));
        match places(text).find(|(_, name)| !known(name)) {
            Some((_, name)) => Err(format!("`{{{name}}}` is an argument of no verb")),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// True where the text has no place for an argument.
    pub(super) fn is_constant(&self) -> bool {
        places(&self.0).next().is_none()
    }

    /// Fills the places in, each value through `write`. An optional argument that the call leaves out is empty.
    ///
    /// # Errors
    /// The action has no argument of that name.
    pub(super) fn fill(
        &self,
        call: &DriverCall,
        write: impl Fn(Option<&Json>) -> String,
    ) -> Result<String, String> {
        let mut filled = String::new();
        let mut end = 0;
        for (range, name) in places(&self.0) {
            filled.push_str(&self.0[end..range.start]);
            let known = find(&call.verb).is_some_and(|verb| takes(verb, name));
            match call.arg(name) {
                _ if name == "verb" => filled.push_str(&write(Some(&Json::from(&call.verb)))),
                Some(value) => filled.push_str(&write(Some(value))),
                None if known => filled.push_str(&write(None)),
                None => {
                    return Err(format!(
                        "`{}` has no argument `{name}` to put into `{{{name}}}`",
                        call.verb
                    ));
                }
            }
            end = range.end;
        }
        filled.push_str(&self.0[end..]);
        Ok(filled)
    }
}

/// A value as plain text: a string without its quotes, anything else as JSON, nothing for what was left out.
pub(super) fn plain(value: Option<&Json>) -> String {
    match value {
        None => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// A value as JSON, `null` for what was left out.
pub(super) fn json(value: Option<&Json>) -> String {
    value.unwrap_or(&Json::Null).to_string()
}

/// Every `{name}` with its range; `name` is made of small letters, digits and underscores.
pub(super) fn places(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    text.match_indices('{').filter_map(|(start, _)| {
        let inside = &text[start + 1..];
        let end = inside.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))?;
        (end > 0 && inside[end..].starts_with('}')).then(|| (start..start + end + 2, &inside[..end]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str, write: impl Fn(Option<&Json>) -> String) -> Result<String, String> {
        let args = r#"{"token":"a\"b","connector":2}"#;
        let call = DriverCall::new("token.present", Json::parse(args).unwrap());
        Template::parse(text)?.fill(&call, write)
    }

    #[test]
    fn places_are_filled_and_other_braces_stay() {
        assert_eq!(
            fill("{verb} {token} {connector}.", plain).unwrap(),
            "token.present a\"b 2."
        );
        let body = r#"{"id": {token}, "n": {connector}, "x": {}}"#;
        assert_eq!(fill(body, json).unwrap(), r#"{"id": "a\"b", "n": 2, "x": {}}"#);
    }

    #[test]
    fn an_optional_argument_that_was_left_out_is_empty() {
        let template = Template::parse("[{connector}]").unwrap();
        let call = DriverCall::new("ev.plug", Json::empty());
        assert_eq!(template.fill(&call, plain).unwrap(), "[]");
        assert_eq!(template.fill(&call, json).unwrap(), "[null]");
    }

    #[test]
    fn mistakes_are_told_early_where_they_can_be() {
        assert_eq!(
            Template::parse("{conector}"),
            Err("`{conector}` is an argument of no verb".to_owned())
        );
        let late = fill("{question}", plain).unwrap_err();
        assert_eq!(
            late,
            "`token.present` has no argument `question` to put into `{question}`"
        );
    }

    #[test]
    fn a_text_without_places_is_constant() {
        assert!(Template::parse(r#"{"a": {}}"#).unwrap().is_constant());
        assert!(!Template::parse("{verb}").unwrap().is_constant());
    }
}
