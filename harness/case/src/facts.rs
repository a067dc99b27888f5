//! `facts.toml` of a protocol: which PICS codes, facts and `$` values its cases may name.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::diagnostic::Diagnostic;
use crate::ir::Span;
use crate::lex::span;
use crate::natives::Arity;

/// What the cases of one protocol may name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// PICS codes.
    pub pics: BTreeMap<String, PicsCode>,
    /// Functions of probes, exports and checks that read facts, by name.
    pub functions: BTreeMap<String, FactFunction>,
    /// Facts that are plain variables: `now` is one of every protocol.
    pub variables: BTreeMap<String, String>,
    /// `$` values by dotted path; `timeout.*` stands for every path below `timeout`.
    pub values: BTreeMap<String, Value>,
}

/// A question about the DUT that a person or the DUT itself answers once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PicsCode {
    /// The question in plain words.
    pub question: String,
    /// What the answer is.
    pub kind: PicsKind,
    /// How the DUT can be asked, where it can.
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

/// How a DUT is asked for a PICS answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// `config KEY`: the value of a configuration key.
    Value(String),
    /// `config KEY exists`: whether the key is known.
    Exists(String),
    /// `config KEY contains ITEM`: whether the list holds the item.
    Contains(String, String),
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What it is.
    pub meaning: String,
    /// What it holds, where that matters to the check of a case.
    pub kind: Option<ValueKind>,
}

/// What a `$` value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// A text.
    Text,
    /// A whole number.
    Int,
    /// A duration, in seconds where a number is due.
    Duration,
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
    question: String,
    #[serde(rename = "type", default = "yes_no")]
    kind: PicsKind,
    ask: Option<Spanned<String>>,
}

fn yes_no() -> PicsKind {
    PicsKind::Bool
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionForm {
    #[serde(default)]
    arity: usize,
    /// Arguments that may be left out.
    #[serde(default)]
    optional: usize,
    is: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValueForm {
    is: String,
    #[serde(rename = "type")]
    kind: Option<ValueKind>,
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
            let ask = match pics.ask.as_ref().map(|ask| Ask::parse(ask.get_ref())) {
                Some(None) => {
                    let at = pics.ask.as_ref().map_or(0..0, Spanned::span);
                    let message = "write `config KEY`, `config KEY exists` or `config KEY contains ITEM`";
                    faults.push(Diagnostic::error("facts", path, span(at.start, at.end), message));
                    None
                }
                Some(ask) => ask,
                None => None,
            };
            facts.pics.insert(
                code.into_inner(),
                PicsCode {
                    question: pics.question,
                    kind: pics.kind,
                    ask,
                },
            );
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
                    meaning: function.is,
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
            facts.values.insert(
                name.into_inner(),
                Value {
                    meaning: value.is,
                    kind: value.kind,
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

impl Ask {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["config", key] => Some(Self::Value(key.to_owned())),
            ["config", key, "exists"] => Some(Self::Exists(key.to_owned())),
            ["config", key, "contains", item] => Some(Self::Contains(key.to_owned(), item.to_owned())),
            _ => None,
        }
    }
}

fn merge_into<T>(into: &mut BTreeMap<String, T>, from: BTreeMap<String, T>, twice: &mut Vec<String>) {
    for (name, value) in from {
        if into.contains_key(&name) {
            twice.push(name);
        } else {
            into.insert(name, value);
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
connectors = { question = "How many?", type = "int", ask = "config NumberOfConnectors" }
Core = { question = "Core?", ask = "config SupportedFeatureProfiles contains Core" }
C-10.2 = { question = "?" }
[functions]
status = { arity = 1, is = "last status" }
[values]
"tag.valid" = { is = "a tag", type = "text" }
"timeout.*" = { is = "how long", type = "duration" }
"#;

    #[test]
    fn a_file_declares_codes_facts_and_values() {
        let text = TEXT.replace("C-10.2 =", "\"C-10.2\" =");
        let (protocol, facts) = Facts::parse("facts.toml", &text).expect("it is well formed");
        assert_eq!(protocol, "OCPP-1.6");
        assert_eq!(facts.pics["connectors"].kind, PicsKind::Int);
        assert_eq!(
            facts.pics["connectors"].ask,
            Some(Ask::Value("NumberOfConnectors".into()))
        );
        assert!(facts.pics.contains_key("C-10.2"));
        assert!(facts.functions["status"].arity.takes(1));
        let path = |p: &str| p.split('.').map(str::to_owned).collect::<Vec<_>>();
        assert!(facts.value(&path("timeout.long")).is_some());
        assert!(facts.value(&path("tag.valid")).is_some());
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
                "protocol = \"a\"\n[pics]\n\"x y\" = { question = \"\" }",
                "\"x y\"",
            ),
            (
                "protocol = \"a\"\n[pics]\nx = { question = \"\", ask = \"what\" }",
                "\"what\"",
            ),
            ("protocol = \"a\"\n[functions]\nsize = { is = \"\" }", "size"),
            ("protocol = \"a\"\n[values]\n\"a..b\" = { is = \"\" }", "\"a..b\""),
        ] {
            let faults = Facts::parse("facts.toml", text).expect_err(text);
            let range = faults[0].span.range();
            assert_eq!(&text[range], at, "{faults:?}");
        }
    }
}
