//! Which places of a payload hold secrets, according to the catalogue.

use crate::edition::{Edition, Field, ObjectType, Part, Type};
use crate::json::{Json, Object, pointer};

/// True where the value at a pointer is a secret: the value of a secret configuration key, in
/// ChangeConfiguration and in the answer to GetConfiguration.
pub fn is_secret(edition: &Edition, action: &str, part: Part, pointer: &str, payload: &Json) -> bool {
    secret_pointers(edition, action, part, payload)
        .iter()
        .any(|secret| secret == pointer)
}

/// Pointers to every secret of a payload.
pub fn secret_pointers(edition: &Edition, action: &str, part: Part, payload: &Json) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(object), Json::Object(members)) = (edition.message(action, part), payload) {
        walk(edition, object, members, "", &mut found);
    }
    found
}

fn walk(edition: &Edition, object: &ObjectType, members: &Object, path: &str, found: &mut Vec<String>) {
    for field in &object.fields {
        let Some(value) = members.get(&field.name) else {
            continue;
        };
        let here = pointer::join(path, &field.name);
        if is_marked(edition, field, members) {
            found.push(here);
            continue;
        }
        let Type::Object(inner) = field.ty else { continue };
        match value {
            Json::Object(members) => walk(edition, inner, members, &here, found),
            Json::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    if let Json::Object(members) = item {
                        walk(
                            edition,
                            inner,
                            members,
                            &pointer::join(&here, &n.to_string()),
                            found,
                        );
                    }
                }
            }
            _ => {}
        }
    }
}

/// True where the sibling that the field is `secret-by` names a secret configuration key.
pub(crate) fn is_marked(edition: &Edition, field: &Field, members: &Object) -> bool {
    let name = field
        .secret_by
        .as_ref()
        .and_then(|by| members.get(by))
        .and_then(Json::as_str);
    name.and_then(|name| edition.config_key(name.trim()))
        .is_some_and(|key| key.secret)
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
}
