//! From a loaded case and what is known of the DUT to the premise of its trace.

use std::collections::BTreeMap;

use plugfest_case::facts::Facts as Vocabulary;
use plugfest_case::ir::{CompareOp, Expr, ExprKind, Pics};
use plugfest_case::{Library, Loaded};
use plugfest_protocol::{Json, Object};
use plugfest_trace::{CaseSource, OpenConnection, Premise, SCHEMA, SourceFile, hex};
use sha2::{Digest, Sha256};

/// What is chosen for one playing of a case.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The side under test.
    pub dut: String,
    /// The identity that the DUT is, or that we take.
    pub identity: String,
    /// `$` values of the profile that differ from the defaults of the protocol.
    pub values: Json,
    /// Answers to the PICS questions.
    pub pics: BTreeMap<String, Json>,
    /// Facts that are known already.
    pub facts: BTreeMap<String, Json>,
    /// Connections that are up already.
    pub connections: Vec<OpenConnection>,
    /// Chooses branches of the played side; 0 plays as written.
    pub vary: u64,
    /// The seed of the run.
    pub seed: u64,
    /// What the driver can do; `None` where that is not known.
    pub driver: Option<Vec<String>>,
}

/// One assignment of the `for` names of a case, with its words for people: `reason=Local`.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// The words; empty for a case without `for`.
    pub name: String,
    /// The values.
    pub values: BTreeMap<String, Json>,
}

/// All result lines of a case: the product of its `for` lines.
pub fn variants(loaded: &Loaded) -> Vec<Variant> {
    let mut all = vec![Variant {
        name: String::new(),
        values: BTreeMap::new(),
    }];
    for line in &loaded.case.header.for_each {
        let mut next = Vec::new();
        for variant in &all {
            for value in &line.values {
                let json = literal(value);
                let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
                let mut values = variant.values.clone();
                values.insert(line.name.text.clone(), json);
                let comma = if variant.name.is_empty() { "" } else { "," };
                next.push(Variant {
                    name: format!("{}{comma}{}={text}", variant.name, line.name.text),
                    values,
                });
            }
        }
        all = next;
    }
    all
}

/// A value of a `for` list: literals only, so that it is known before anything runs.
fn literal(expr: &Expr) -> Json {
    match &expr.kind {
        ExprKind::Bool(b) => Json::Bool(*b),
        ExprKind::Number(text) => plugfest_protocol::Number::parse(text).map_or(Json::Null, Json::from),
        ExprKind::Duration { millis, .. } => Json::from(i64::try_from(*millis / 1000).unwrap_or(i64::MAX)),
        ExprKind::Text(text) => Json::from(text),
        ExprKind::Name(path) => Json::from(path.join(".")),
        ExprKind::List(items) => Json::Array(items.iter().map(literal).collect()),
        _ => Json::Null,
    }
}

/// The premise of one playing.
pub fn premise(library: &Library, loaded: &Loaded, variant: &Variant, setup: &Setup) -> Premise {
    let mut files = vec![SourceFile {
        path: loaded.path.clone(),
        text: loaded.text.to_string(),
    }];
    for source in library.states_used_by(loaded) {
        files.push(SourceFile {
            path: source.path,
            text: source.text.to_string(),
        });
    }
    let mut values = defaults(library.facts(&loaded.protocol));
    values.merge(&setup.values);
    if let (Some(count), Some(object)) = (setup.pics.get("connectors"), values.as_object_mut()) {
        object.insert("connectors", count.clone());
    }
    Premise {
        schema: SCHEMA.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: loaded.protocol.clone(),
        dut: setup.dut.clone(),
        identity: setup.identity.clone(),
        case: Some(CaseSource {
            id: loaded.case.id.clone(),
            sha256: hex(&Sha256::digest(loaded.text.as_bytes())),
            files,
        }),
        for_values: variant.values.clone(),
        values,
        pics: setup.pics.clone(),
        facts: setup.facts.clone(),
        connections: setup.connections.clone(),
        vary: (setup.vary != 0).then_some(setup.vary),
        seed: setup.seed,
        driver: setup.driver.clone(),
    }
}

/// The `$` values that the protocol's vocabulary gives by default, dotted names as nested objects.
pub fn defaults(vocabulary: &Vocabulary) -> Json {
    let mut root = Json::Object(Object::new());
    for (path, value) in &vocabulary.values {
        if let Some(default) = &value.default {
            put(&mut root, path, default.clone());
        }
    }
    root
}

/// Sets the value at a dotted path, making the objects on the way.
pub fn put(root: &mut Json, path: &str, value: Json) {
    let mut place = root;
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let Some(object) = place.as_object_mut() else {
            return;
        };
        if names.peek().is_none() {
            object.insert(name, value);
            return;
        }
        if object.get(name).is_none_or(|v| v.as_object().is_none()) {
            object.insert(name, Json::Object(Object::new()));
        }
        let Some(next) = object.get_mut(name) else { return };
        place = next;
    }
}

/// The codes of a side that we play: what the case requires, and what the vocabulary says for the rest.
pub fn played_pics(vocabulary: &Vocabulary, requires: Option<&Pics>) -> BTreeMap<String, Json> {
    let mut codes = BTreeMap::new();
    for (name, code) in &vocabulary.pics {
        if let Some(value) = code.played.as_ref().or(code.default.as_ref()) {
            codes.insert(name.clone(), value.clone());
        }
    }
    if let Some(requires) = requires {
        take_on(requires, true, &mut codes);
    }
    codes
}

/// Sets codes so that an expression has this truth, preferring the first way.
fn take_on(expr: &Pics, truth: bool, codes: &mut BTreeMap<String, Json>) {
    match expr {
        Pics::Code(code) => {
            codes.insert(code.clone(), Json::Bool(truth));
        }
        Pics::Not(inner) => take_on(inner, !truth, codes),
        Pics::And(a, b) if truth => {
            take_on(a, true, codes);
            take_on(b, true, codes);
        }
        Pics::Or(a, b) if !truth => {
            take_on(a, false, codes);
            take_on(b, false, codes);
        }
        Pics::And(a, _) | Pics::Or(a, _) => take_on(a, truth, codes),
        Pics::Compare { code, op, value } => {
            let fits = match (op, truth) {
                (CompareOp::Gt | CompareOp::Ne, true) | (CompareOp::Le | CompareOp::Eq, false) => value + 1,
                (CompareOp::Lt, true) | (CompareOp::Ge, false) => value - 1,
                _ => *value,
            };
            let holds = codes
                .get(code)
                .and_then(Json::as_i64)
                .is_some_and(|n| compare(*op, n, *value) == truth);
            if !holds {
                codes.insert(code.clone(), Json::from(fits));
            }
        }
    }
}

fn compare(op: CompareOp, a: i64, b: i64) -> bool {
    match op {
        CompareOp::Lt => a < b,
        CompareOp::Le => a <= b,
        CompareOp::Gt => a > b,
        CompareOp::Ge => a >= b,
        CompareOp::Eq => a == b,
        CompareOp::Ne => a != b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_played_side_takes_on_what_a_case_requires() {
        let pics = plugfest_case::parse_pics("Core and not fixed_cable and connectors > 1").unwrap();
        let mut codes = BTreeMap::from([("connectors".to_owned(), Json::from(1))]);
        take_on(&pics.expr, true, &mut codes);
        assert_eq!(codes["Core"], Json::Bool(true));
        assert_eq!(codes["fixed_cable"], Json::Bool(false));
        assert_eq!(codes["connectors"], Json::from(2));
    }

    #[test]
    fn dotted_names_nest() {
        let mut root = Json::Object(Object::new());
        put(&mut root, "tag.valid", Json::from("A"));
        put(&mut root, "tag.invalid", Json::from("B"));
        assert_eq!(root.to_string(), r#"{"tag":{"valid":"A","invalid":"B"}}"#);
    }
}
