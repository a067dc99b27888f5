//! Requests with one mistake each. Every mistake stands in the smallest request that has its field, so that a reader
//! finds it.

use std::collections::BTreeSet;

use plugfest_protocol::{
    Action, Edition, Json, Mutation, Object, ObjectType, Part, Type, canonical, mutations, pointer,
};

/// Every one-fault request of an action, each once.
pub(super) fn mistakes(edition: &Edition, action: &Action, harmless: Option<&toml::Table>) -> Vec<Mutation> {
    let mut optional = vec![String::new()];
    optional_fields(&action.request, "", &mut optional);
    let mut said = BTreeSet::new();
    let mut found = Vec::new();
    for wanted in &optional {
        let mut payload = Json::Object(smallest(&action.request, "", wanted));
        if let Some(table) = harmless {
            overlay(&mut payload, table, &action.request, "");
        }
        for mutation in mutations(edition, &action.name, Part::Request, &payload) {
            if said.insert((mutation.pointer.clone(), mutation.what.clone())) {
                found.push(mutation);
            }
        }
    }
    found
}

/// The smallest legal request.
pub(super) fn legal(action: &Action) -> Json {
    Json::Object(smallest(&action.request, "", ""))
}

/// The pointers of all optional fields, lists with one item.
fn optional_fields(object: &ObjectType, at: &str, found: &mut Vec<String>) {
    for field in &object.fields {
        let here = pointer::join(at, &field.name);
        if !field.required {
            found.push(here.clone());
        }
        if let Type::Object(inner) = &field.ty {
            let here = if field.array.is_some() {
                pointer::join(&here, "0")
            } else {
                here
            };
            optional_fields(inner, &here, found);
        }
    }
}

/// The required fields, and the optional ones on the way to `wanted`.
fn smallest(object: &ObjectType, at: &str, wanted: &str) -> Object {
    let mut made = Object::new();
    for field in &object.fields {
        let here = pointer::join(at, &field.name);
        let below = wanted
            .strip_prefix(here.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !field.required && !below {
            continue;
        }
        let value = match (&field.ty, field.array) {
            (Type::Object(inner), None) => Json::Object(smallest(inner, &here, wanted)),
            (Type::Object(inner), Some(_)) => {
                let first = pointer::join(&here, "0");
                Json::Array(vec![Json::Object(smallest(inner, &first, wanted))])
            }
            _ => canonical(field),
        };
        made.insert(&field.name, value);
    }
    made
}

/// Puts values in; objects that the payload does not have stay away.
fn overlay(payload: &mut Json, table: &toml::Table, object: &ObjectType, at: &str) {
    for field in &object.fields {
        let here = pointer::join(at, &field.name);
        match (table.get(&field.name), &field.ty) {
            (None, _) => {}
            (Some(toml::Value::Table(inner)), Type::Object(object)) => {
                if payload.pointer(&here).is_some() {
                    overlay(payload, inner, object, &here);
                }
            }
            (Some(value), _) => {
                let set = payload.set_pointer(&here, json(value));
                debug_assert!(set, "{here} has a parent");
            }
        }
    }
}

fn json(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::from(text.as_str()),
        toml::Value::Integer(n) => Json::from(*n),
        toml::Value::Boolean(b) => Json::from(*b),
        toml::Value::Array(items) => Json::Array(items.iter().map(json).collect()),
        other => Json::from(other.to_string()),
    }
}
