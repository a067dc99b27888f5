//! Which places of a payload hold secrets, according to the catalogue.

use crate::edition::{Edition, Field, ObjectType, Part, Secret, Type};
use crate::json::{Json, Object, pointer};

/// True where the value at a pointer is a secret: a field that always is one, or the value of a secret configuration
/// key or variable, wherever the catalogue says that such a value stands.
pub fn is_secret(edition: &Edition, action: &str, part: Part, pointer: &str, payload: &Json) -> bool {
    secret_pointers(edition, action, part, payload)
        .iter()
        .any(|secret| secret == pointer)
}

/// Pointers to every secret of a payload.
pub fn secret_pointers(edition: &Edition, action: &str, part: Part, payload: &Json) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(object), Json::Object(members)) = (edition.message(action, part), payload) {
        walk(edition, object, Around::of(members), "", &mut found);
    }
    found
}

/// The objects around a value, the innermost first.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    members: &'a Object,
    outer: Option<&'a Self>,
}

impl<'a> Around<'a> {
    /// An outermost object.
    pub(crate) const fn of(members: &'a Object) -> Self {
        Self { members, outer: None }
    }

    /// An object inside this one.
    pub(crate) const fn inner(&'a self, members: &'a Object) -> Self {
        Self {
            members,
            outer: Some(self),
        }
    }

    /// The innermost object.
    pub(crate) const fn members(&self) -> &'a Object {
        self.members
    }

    /// The text at a path of names, from the innermost object outwards.
    fn text_at(&self, path: &[String]) -> Option<&'a str> {
        let (first, rest) = path.split_first()?;
        let here = self.members.get(first);
        let here = here.and_then(|value| rest.iter().try_fold(value, |value, name| value.get(name)));
        match here.and_then(Json::as_str) {
            Some(text) => Some(text),
            None => self.outer?.text_at(path),
        }
    }
}

fn walk(edition: &Edition, object: &ObjectType, around: Around<'_>, path: &str, found: &mut Vec<String>) {
    for field in &object.fields {
        let Some(value) = around.members.get(&field.name) else {
            continue;
        };
        let here = pointer::join(path, &field.name);
        if is_marked(edition, field, around) {
            found.push(here);
            continue;
        }
        let Type::Object(inner) = field.ty else { continue };
        match value {
            Json::Object(members) => walk(edition, inner, around.inner(members), &here, found),
            Json::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    if let Json::Object(members) = item {
                        let here = pointer::join(&here, &n.to_string());
                        walk(edition, inner, around.inner(members), &here, found);
                    }
                }
            }
            _ => {}
        }
    }
}

/// True where the value of the field is a secret: always, or because of what stands around it.
pub(crate) fn is_marked(edition: &Edition, field: &Field, around: Around<'_>) -> bool {
    match &field.secret {
        None => false,
        Some(Secret::Always) => true,
        Some(Secret::By(path)) => around
            .text_at(path)
            .is_some_and(|name| edition.is_secret_name(name.trim())),
    }
}

/// How many characters a text had on the wire: a mark in the place of a secret, `«secret:NAME:LENGTH:HASH»`, counts as
/// many as it says.
pub(crate) fn characters(text: &str) -> usize {
    let mut count = 0;
    let mut rest = text;
    while let Some(start) = rest.find(MARK) {
        let (before, mark) = rest.split_at(start);
        count += before.chars().count();
        let Some((length, behind)) = marked(mark) else {
            count += MARK.chars().count();
            rest = &mark[MARK.len()..];
            continue;
        };
        count += length;
        rest = behind;
    }
    count + rest.chars().count()
}

/// With this a mark begins.
const MARK: &str = "«secret:";

/// The length that a mark tells, and the text behind it.
fn marked(text: &str) -> Option<(usize, &str)> {
    let (mark, behind) = text.strip_prefix(MARK)?.split_once('»')?;
    let mut parts = mark.splitn(3, ':');
    let (_, length, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let hashed = hash.len() >= 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    Some((length.parse().ok().filter(|_| hashed)?, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_as_what_it_stands_for() {
        let mark = "«secret:key:40:0123456789abcdef»";
        assert_eq!(characters(mark), 40);
        assert_eq!(characters(&format!("é{mark}b{mark}")), 82);
        assert_eq!(characters("«secret:key:many:0123456789abcdef»"), 34);
        assert_eq!(characters("«secret:"), 8);
        let edition = Edition::ocpp16();
        let long = "«secret:a-name-that-is-quite-long-for-a-key:500:0123456789abcdef»";
        for (text, fits) in [(mark, true), (long, true), (&long.replace("500", "501"), false)] {
            let payload = object! { "key": "AuthorizationKey", "value": text };
            let found = crate::validate(edition, "ChangeConfiguration", Part::Request, &payload);
            assert_eq!(found.is_empty(), fits, "{text}: {found:?}");
        }
    }

    use crate::{array, object};

    #[test]
    fn the_authorization_key_is_a_secret_wherever_it_stands() {
        let edition = Edition::ocpp16();
        let change = object! { "key": "AUTHORIZATIONKEY", "value": "0123" };
        assert!(is_secret(
            edition,
            "ChangeConfiguration",
            Part::Request,
            "/value",
            &change
        ));
        assert!(!is_secret(
            edition,
            "ChangeConfiguration",
            Part::Request,
            "/key",
            &change
        ));
        let other = object! { "key": "HeartbeatInterval", "value": "300" };
        assert!(!is_secret(
            edition,
            "ChangeConfiguration",
            Part::Request,
            "/value",
            &other
        ));
        let entry = object! { "key": "AuthorizationKey", "readonly": false, "value": "0123" };
        let answer = object! { "configurationKey": array![other, entry] };
        let found = secret_pointers(edition, "GetConfiguration", Part::Response, &answer);
        assert_eq!(found, ["/configurationKey/1/value"]);
    }

    #[test]
    fn the_password_of_ocpp201_is_a_secret_wherever_it_stands() {
        let edition = Edition::ocpp201();
        let of = |name: &str| {
            object! { "component": object! { "name": "SecurityCtrlr" }, "variable": object! { "name": name },
            "attributeValue": "0123" }
        };
        let change = object! { "setVariableData": array![of("Identity"), of("BasicAuthPassword")] };
        let found = secret_pointers(edition, "SetVariables", Part::Request, &change);
        assert_eq!(found, ["/setVariableData/1/attributeValue"]);
        // The name stands in the object around the attribute.
        let report = object! { "reportData": array![object! {
            "variable": object! { "name": "basicAuthPassword" },
            "variableAttribute": array![object! { "value": "0123" }]
        }] };
        let found = secret_pointers(edition, "NotifyReport", Part::Request, &report);
        assert_eq!(found, ["/reportData/0/variableAttribute/0/value"]);
        let network =
            object! { "connectionData": object! { "apn": object! { "apnPassword": "x", "apn": "y" } } };
        let found = secret_pointers(edition, "SetNetworkProfile", Part::Request, &network);
        assert_eq!(found, ["/connectionData/apn/apnPassword"]);
    }
}
