//! The written fields of a line, and payloads in which one of them is something else.

use std::time::Duration;

use plugfest_case::ir::{ArrayItem, ObjectPattern, Pattern};
use plugfest_protocol::{
    Edition, Json, Number, ObjectType, Part, Severity, Timestamp, Type, another_legal, canonical, pointer,
    validate,
};

/// So many other values are tried for one place.
const MAX_VALUES: usize = 6;

/// A place that a line writes about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// As the author would name it: `/configurationKey/0/value`.
    pub(super) name: String,
    /// Where it may stand in the payload; a list in any order has several places for one element.
    pub(super) pointers: Vec<String>,
}

/// The message that a payload is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) edition: &'static Edition,
    pub(super) action: &'s str,
    pub(super) part: Part,
}

/// All places that an object pattern writes about, seen from the payload that met it.
pub(super) fn places(pattern: &ObjectPattern, payload: &Json) -> Vec<Place> {
    let mut all = Vec::new();
    members(pattern, "", &[String::new()], payload, &mut all);
    if !pattern.same_as.is_empty() {
        for (name, _) in payload
            .as_object()
            .into_iter()
            .flat_map(plugfest_protocol::Object::iter)
        {
            if !pattern.fields.iter().any(|f| f.name.text == name) {
                let name = pointer::join("", name);
                all.push(Place {
                    pointers: vec![name.clone()],
                    name,
                });
            }
        }
    }
    all
}

fn members(pattern: &ObjectPattern, name: &str, at: &[String], payload: &Json, all: &mut Vec<Place>) {
    for field in &pattern.fields {
        let name = pointer::join(name, &field.name.text);
        let at: Vec<String> = at.iter().map(|p| pointer::join(p, &field.name.text)).collect();
        value(&field.pattern, &name, &at, payload, all);
    }
}

/// True for a pattern that nothing contradicts.
fn says_nothing(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Bind(inner, _) => says_nothing(inner),
        Pattern::OneOf(options) => {
            options.iter().any(|o| matches!(o, Pattern::Any))
                && options.iter().any(|o| matches!(o, Pattern::Absent))
        }
        _ => false,
    }
}

fn value(pattern: &Pattern, name: &str, at: &[String], payload: &Json, all: &mut Vec<Place>) {
    match pattern {
        pattern if says_nothing(pattern) => {}
        Pattern::Bind(inner, _) => value(inner, name, at, payload, all),
        Pattern::Object(inner) if !inner.fields.is_empty() => members(inner, name, at, payload, all),
        Pattern::Each(inner) => {
            let at: Vec<String> = at.iter().map(|p| pointer::join(p, "0")).collect();
            value(inner, &format!("{name}/0"), &at, payload, all);
        }
        Pattern::Array(array) => {
            all.push(Place {
                name: name.to_owned(),
                pointers: at.to_vec(),
            });
            let fixed = !array.any_order && !array.items.iter().any(|i| matches!(i, ArrayItem::Rest));
            let items = array.items.iter().filter_map(|item| match item {
                ArrayItem::Item(p) => Some(p),
                ArrayItem::Rest => None,
            });
            for (i, item) in items.enumerate() {
                let mut at_item = Vec::new();
                for place in at {
                    let len = payload
                        .pointer(place)
                        .and_then(Json::as_array)
                        .map_or(0, <[Json]>::len);
                    let others = (0..len).filter(|j| *j != i && !fixed);
                    at_item.extend(std::iter::once(i).chain(others).map(|j| format!("{place}/{j}")));
                }
                value(item, &format!("{name}/{i}"), &at_item, payload, all);
            }
        }
        _ => all.push(Place {
            name: name.to_owned(),
            pointers: at.to_vec(),
        }),
    }
}

/// Payloads in which the value of a place is another legal one, the likeliest to be wrong first; where nothing legal
/// is left the value is taken away.
pub(super) fn changed(subject: Subject<'_>, payload: &Json, at: &str) -> Vec<(String, Json)> {
    let mut all = Vec::new();
    let Some(current) = payload.pointer(at) else {
        let Some(field) = subject.edition.field(subject.action, subject.part, at) else {
            return all;
        };
        let usual = canonical(field);
        let unusual = another_legal(subject.edition, subject.action, subject.part, at, &usual, 0);
        for other in [Some(usual), unusual].into_iter().flatten() {
            if let Some(other) = with(payload, at, other) {
                push_legal(subject, other, "is there", &mut all);
            }
        }
        return all;
    };
    // The first of the catalogue is mostly enough; patterns that compare need values close by.
    let another = |n| another_legal(subject.edition, subject.action, subject.part, at, current, n);
    let mut values: Vec<Json> = (0..MAX_VALUES).map_while(another).collect();
    let rest = values.split_off(values.len().min(1));
    values.extend(near(current));
    values.extend(rest);
    for value in values {
        let mut words: String = value.to_string().chars().take(60).collect();
        words.insert_str(0, "is ");
        if let Some(other) = with(payload, at, value) {
            push_legal(subject, other, &words, &mut all);
        }
    }
    if let Some(items) = current.as_array()
        && !items.is_empty()
        && let Some(other) = with(payload, at, Json::Array(items[1..].to_vec()))
    {
        all.insert(0, ("lacks an element".to_owned(), other));
    }
    let mut other = payload.clone();
    other.remove_pointer(at);
    all.push(("is not there".to_owned(), other));
    all
}

/// The payload with another value at a place; `None` where there is no such place.
pub(super) fn with(payload: &Json, at: &str, value: Json) -> Option<Json> {
    let mut other = payload.clone();
    other.set_pointer(at, value).then_some(other)
}

fn push_legal(subject: Subject<'_>, payload: Json, words: &str, all: &mut Vec<(String, Json)>) {
    let legal = validate(subject.edition, subject.action, subject.part, &payload)
        .iter()
        .all(|v| v.severity != Severity::Must);
    if legal {
        all.push((words.to_owned(), payload));
    }
}

/// Values to each side of one, for patterns that compare.
fn near(current: &Json) -> Vec<Json> {
    match current {
        Json::Number(n) => {
            let n = n.as_i64().unwrap_or(0);
            vec![
                Json::from(0),
                Json::from(n - 1),
                Json::from(n - 1_000_000),
                Json::from(n + 1_000_000),
            ]
        }
        Json::String(text) => {
            let mut all = Vec::new();
            if let Ok(instant) = Timestamp::parse(text) {
                all.extend(
                    SHIFTS
                        .iter()
                        .map(|by| Json::from(shifted(instant, *by).to_rfc3339())),
                );
            }
            if let Some(n) = Number::parse(text).and_then(|n| n.as_i64()) {
                all.push(Json::from((n - 1).to_string()));
                all.push(Json::from((n - 1_000_000).to_string()));
                all.push(Json::from((n + 1_000_000).to_string()));
            }
            all.push(Json::from("other"));
            all.push(Json::from(""));
            all
        }
        _ => Vec::new(),
    }
}

/// Seconds by which an instant is moved: within the usual tolerance of clocks, and beyond it.
pub(super) const SHIFTS: [i64; 6] = [3, -3, 8, -8, 3_600, -3_600];

/// An instant some seconds later or earlier.
fn shifted(instant: Timestamp, by: i64) -> Timestamp {
    let away = Duration::from_secs(by.unsigned_abs());
    if by < 0 {
        instant.minus(away)
    } else {
        instant.plus(away)
    }
}

/// The payload with every date and time in it moved; `None` where it has none.
pub(super) fn all_shifted(payload: &Json, by: i64) -> Option<Json> {
    let mut other = payload.clone();
    let mut any = false;
    for at in scalars(payload) {
        let instant = payload.pointer(&at).and_then(Json::as_str).map(Timestamp::parse);
        if let Some(Ok(instant)) = instant {
            any |= other.set_pointer(&at, Json::from(shifted(instant, by).to_rfc3339()));
        }
    }
    any.then_some(other)
}

/// The fields that the objects of a payload could have and have not.
pub(super) fn absent(subject: Subject<'_>, payload: &Json) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(object) = subject.edition.message(subject.action, subject.part) {
        lacking(object, payload, "", &mut all);
    }
    all
}

fn lacking(object: &ObjectType, value: &Json, at: &str, all: &mut Vec<String>) {
    for field in &object.fields {
        let place = pointer::join(at, &field.name);
        match (value.get(&field.name), &field.ty) {
            (None, _) => all.push(place),
            (Some(Json::Array(items)), Type::Object(inner)) => {
                for (i, item) in items.iter().enumerate() {
                    lacking(inner, item, &format!("{place}/{i}"), all);
                }
            }
            (Some(there), Type::Object(inner)) => lacking(inner, there, &place, all),
            _ => {}
        }
    }
}

/// Every value of a payload that is no object and no list.
pub(super) fn scalars(payload: &Json) -> Vec<String> {
    let mut all = Vec::new();
    gather(payload, "", &mut all);
    all
}

/// Every list of a payload.
pub(super) fn lists(payload: &Json) -> Vec<String> {
    let members = payload
        .as_object()
        .into_iter()
        .flat_map(plugfest_protocol::Object::iter);
    members
        .filter(|(_, value)| value.as_array().is_some())
        .map(|(name, _)| pointer::join("", name))
        .collect()
}

fn gather(value: &Json, at: &str, all: &mut Vec<String>) {
    match value {
        Json::Object(object) => object
            .iter()
            .for_each(|(k, v)| gather(v, &pointer::join(at, k), all)),
        Json::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                gather(item, &format!("{at}/{i}"), all);
            }
        }
        _ => all.push(at.to_owned()),
    }
}
