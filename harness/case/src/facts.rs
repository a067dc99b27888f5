//! `facts.toml` of a protocol: which PICS codes, facts and `$` values its cases may name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use plugfest_protocol::{Json, Number, Object};
use serde::Deserialize;
use toml::Spanned;

use crate::diagnostic::Diagnostic;
use crate::ir::Span;
use crate::lex::{ROLES, span};
use crate::natives::Arity;

/// What the cases of one protocol may name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// PICS codes.
    pub pics: BTreeMap<String, PicsCode>,
    /// Functions of probes, exports and checks that read facts, by name.
    pub functions: BTreeMap<String, FactFunction>,
    /// Facts that are plain variables, with their meaning; `now` and `config` are there for every protocol.
    pub variables: BTreeMap<String, String>,
    /// `$` values by dotted path; `timeout.*` stands for every path below `timeout`.
    pub values: BTreeMap<String, Value>,
}

/// A question about a device that a person or the device itself answers once.
#[derive(Debug, Clone, PartialEq)]
pub struct PicsCode {
    /// The role that the question is about; `None` where it is asked of either.
    pub of: Option<String>,
    /// The question in plain words.
    pub question: String,
    /// What the answer is.
    pub kind: PicsKind,
    /// The answer that holds until a profile gives another.
    pub default: Option<Json>,
    /// The answer of a side that we play, where a case does not require another.
    pub played: Option<Json>,
    /// How the device can be asked, where it can.
    pub ask: Option<Ask>,
}

/// What the answer to a PICS question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PicsKind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Int,
}

/// How a device is asked for a PICS answer: by a configuration key. An answer of type `int` is its value; one of type
/// `bool` is whether the list contains an item or, without `contains`, whether the key is known at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The configuration key.
    pub key: String,
    /// The item that the comma-separated value must contain.
    pub contains: Option<String>,
}

/// A function that reads facts: `status(connector)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactFunction {
    /// How many arguments it takes.
    pub arity: Arity,
    /// What it tells.
    pub meaning: String,
}

/// A `$` value.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What it is.
    pub meaning: String,
    /// What it holds.
    pub kind: Option<ValueKind>,
    /// The value that holds until a profile gives another.
    pub default: Option<Json>,
}

/// What a `$` value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// A text.
    Text,
    /// A whole number.
    Int,
    /// A duration in seconds.
    Seconds,
    /// Yes or no.
    Bool,
    /// A list.
    List,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    protocol: String,
    #[serde(default)]
    pics: BTreeMap<Spanned<String>, PicsForm>,
    #[serde(default)]
    functions: BTreeMap<Spanned<String>, FunctionForm>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    values: BTreeMap<Spanned<String>, ValueForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PicsForm {
    of: Option<String>,
    question: String,
    #[serde(rename = "type")]
    kind: PicsKind,
    default: Option<toml::Value>,
    played: Option<toml::Value>,
    ask: Option<Ask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionForm {
    arity: usize,
    /// Arguments that may be left out.
    #[serde(default)]
    optional: usize,
    meaning: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueForm {
    meaning: String,
    #[serde(rename = "type")]
    kind: Option<ValueKind>,
    default: Option<toml::Value>,
}

impl Facts {
    /// Reads one file: the protocol that it belongs to, and what it declares.
    pub fn parse(path: &str, text: &str) -> Result<(String, Self), Vec<Diagnostic>> {
        let form: FileForm = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or_else(Span::default, |r| span(r.start, r.end));
            vec![Diagnostic::error("facts", path, at, error.message().to_owned())]
        })?;
        let mut faults = Vec::new();
        let mut facts = Self {
            variables: form.variables,
            ..Self::default()
        };
        for (code, pics) in form.pics {
            if crate::parse::pics_code_len(code.get_ref()) != code.get_ref().len() {
                faults.push(fault(
                    path,
                    &code,
                    "is no PICS code: letters, digits and `_`, with `-` and `.` between",
                ));
                continue;
            }
            let answers = [&pics.default, &pics.played];
            if answers
                .into_iter()
                .flatten()
                .any(|answer| !pics.kind.fits(answer))
            {
                faults.push(fault(path, &code, "has an answer of another type"));
                continue;
            }
            if pics.of.as_ref().is_some_and(|of| !ROLES.contains(&of.as_str())) {
                faults.push(fault(path, &code, "is about an unknown role"));
                continue;
            }
            let code_of = PicsCode {
                of: pics.of,
                question: pics.question,
                kind: pics.kind,
                default: pics.default.as_ref().map(json),
                played: pics.played.as_ref().map(json),
                ask: pics.ask,
            };
            facts.pics.insert(code.into_inner(), code_of);
        }
        for (name, function) in form.functions {
            if crate::cel::is_own(name.get_ref()) || !crate::lex::is_identifier(name.get_ref()) {
                faults.push(fault(path, &name, "cannot be the name of a function"));
                continue;
            }
            let arity = Arity::between(function.arity, function.arity + function.optional);
            facts.functions.insert(
                name.into_inner(),
                FactFunction {
                    arity,
                    meaning: function.meaning,
                },
            );
        }
        for (name, value) in form.values {
            let plain = name.get_ref().strip_suffix(".*").unwrap_or(name.get_ref());
            if plain.is_empty() || crate::lex::param_len(plain) != plain.len() {
                faults.push(fault(
                    path,
                    &name,
                    "is no path: words with dots between, `.*` at the end for all below",
                ));
                continue;
            }
            if let (Some(kind), Some(default)) = (value.kind, &value.default)
                && !kind.fits(default)
            {
                faults.push(fault(path, &name, "has a default of another type"));
                continue;
            }
            let default = value.default.as_ref().map(json);
            facts.values.insert(
                name.into_inner(),
                Value {
                    meaning: value.meaning,
                    kind: value.kind,
                    default,
                },
            );
        }
        if faults.is_empty() {
            Ok((form.protocol, facts))
        } else {
            Err(faults)
        }
    }

    /// Adds what another file declares for the same protocol; a name that stands in both keeps its first meaning
    /// and is given back.
    pub(crate) fn merge(&mut self, other: Self) -> Vec<String> {
        let mut twice = Vec::new();
        merge_into(&mut self.pics, other.pics, &mut twice);
        merge_into(&mut self.functions, other.functions, &mut twice);
        merge_into(&mut self.variables, other.variables, &mut twice);
        merge_into(&mut self.values, other.values, &mut twice);
        twice
    }

    /// The declaration of a `$` path.
    pub fn value(&self, path: &[String]) -> Option<&Value> {
        let dotted = path.join(".");
        if let Some(value) = self.values.get(&dotted) {
            return Some(value);
        }
        (1..path.len())
            .rev()
            .find_map(|n| self.values.get(&format!("{}.*", path[..n].join("."))))
    }
}

impl PicsKind {
    fn fits(self, value: &toml::Value) -> bool {
        match self {
            Self::Bool => value.is_bool(),
            Self::Int => value.is_integer(),
        }
    }
}

impl ValueKind {
    fn fits(self, value: &toml::Value) -> bool {
        match self {
            Self::Text => value.is_str(),
            Self::Int => value.is_integer(),
            Self::Seconds => value.is_integer() || value.is_float(),
            Self::Bool => value.is_bool(),
            Self::List => value.is_array(),
        }
    }
}

fn json(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::from(text.as_str()),
        toml::Value::Integer(int) => Json::from(*int),
        toml::Value::Float(float) => {
            Number::parse(&float.to_string()).map_or_else(|| Json::from(float.to_string()), Json::Number)
        }
        toml::Value::Boolean(b) => Json::Bool(*b),
        toml::Value::Datetime(at) => Json::from(at.to_string()),
        toml::Value::Array(items) => Json::Array(items.iter().map(json).collect()),
        toml::Value::Table(table) => {
            let mut object = Object::new();
            for (name, value) in table {
                object.insert(name, json(value));
            }
            Json::Object(object)
        }
    }
}

fn merge_into<T>(into: &mut BTreeMap<String, T>, from: BTreeMap<String, T>, twice: &mut Vec<String>) {
    for (name, value) in from {
        match into.entry(name) {
            Entry::Occupied(known) => twice.push(known.key().clone()),
            Entry::Vacant(free) => {
                free.insert(value);
            }
        }
    }
}

fn fault(path: &str, name: &Spanned<String>, what: &str) -> Diagnostic {
    let at = name.span();
    Diagnostic::error(
        "facts",
        path,
        span(at.start, at.end),
        format!("`{}` {what}", name.get_ref()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
protocol = "OCPP-1.6"
[pics]
connectors = { of = "station", question = "How many?", type = "int", default = 1, ask = { key = "NumberOfConnectors" } }
Core = { question = "Core?", type = "bool", ask = { key = "SupportedFeatureProfiles", contains = "Core" } }
"C-10.2" = { question = "?", type = "bool", played = true }
[functions]
status = { arity = 1, meaning = "last status" }
[values]
"tag.valid" = { meaning = "a tag", type = "text" }
"sample" = { meaning = "an interval", type = "seconds", default = 10 }
"timeout.*" = { meaning = "how long" }
"#;

    #[test]
    fn a_file_declares_codes_facts_and_values() {
        let (protocol, facts) = Facts::parse("facts.toml", TEXT).expect("it is well formed");
        assert_eq!(protocol, "OCPP-1.6");
        assert_eq!(facts.pics["connectors"].kind, PicsKind::Int);
        assert_eq!(facts.pics["connectors"].default, Some(Json::from(1)));
        assert_eq!(
            facts.pics["Core"]
                .ask
                .as_ref()
                .and_then(|a| a.contains.as_deref()),
            Some("Core")
        );
        assert_eq!(facts.pics["C-10.2"].played, Some(Json::Bool(true)));
        assert!(facts.functions["status"].arity.takes(1));
        assert_eq!(facts.values["sample"].default, Some(Json::from(10)));
        let path = |p: &str| p.split('.').map(str::to_owned).collect::<Vec<_>>();
        for known in ["timeout.long", "timeout.a.b", "tag.valid"] {
            assert!(facts.value(&path(known)).is_some(), "{known}");
        }
        for unknown in ["tag.other", "tag", "timeout", "timeoutx.long"] {
            assert!(facts.value(&path(unknown)).is_none(), "{unknown}");
        }
    }

    #[test]
    fn faults_point_into_the_file() {
        for (text, at) in [
            ("protocol = 3", "3"),
            (
                "protocol = \"a\"\n[pics]\nx = { question = \"\", tpye = \"int\" }",
                "tpye",
            ),
            (
                "protocol = \"a\"\n[pics]\n\"x y\" = { question = \"\", type = \"int\" }",
                "\"x y\"",
            ),
            (
                "protocol = \"a\"\n[pics]\nx = { question = \"\", type = \"int\", default = true }",
                "x",
            ),
            (
                "protocol = \"a\"\n[pics]\nx = { question = \"\", type = \"int\", of = \"cat\" }",
                "x",
            ),
            (
                "protocol = \"a\"\n[functions]\nsize = { arity = 1, meaning = \"\" }",
                "size",
            ),
            (
                "protocol = \"a\"\n[values]\n\"a..b\" = { meaning = \"\" }",
                "\"a..b\"",
            ),
            (
                "protocol = \"a\"\n[values]\na = { meaning = \"\", type = \"list\", default = 1 }",
                "a",
            ),
        ] {
            let faults = Facts::parse("facts.toml", text).expect_err(text);
            let range = faults[0].span.range();
            assert_eq!(&text[range], at, "{faults:?}");
        }
    }
}
