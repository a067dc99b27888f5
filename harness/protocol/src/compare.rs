//! Equality by catalogue type (rule 10 of the case language).

use crate::edition::{Edition, ObjectType, Part, Type};
use crate::json::{Json, Object};
use crate::time::DateTimeText;

/// True where two values of a type mean the same: CiString without regard to case, date-times as instants,
/// numbers as decimals. What is not of the type at all compares as plain JSON.
pub fn equal(ty: &Type, a: &Json, b: &Json) -> bool {
    match (ty, a, b) {
        (Type::Str { ci: true, .. }, Json::String(a), Json::String(b)) => {
            a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
        }
        (Type::DateTime, Json::String(a), Json::String(b)) => {
            a == b
                || match (DateTimeText::parse(a), DateTimeText::parse(b)) {
                    (Ok(a), Ok(b)) => a.instant == b.instant,
                    _ => false,
                }
        }
        (Type::Object(object), Json::Object(a), Json::Object(b)) => equal_objects(object, a, b),
        _ => a == b,
    }
}

/// True where two values of the field at a path mean the same; arrays item by item. A path that the catalogue
/// does not know compares as plain JSON.
pub fn equal_at(edition: &Edition, action: &str, part: Part, path: &str, a: &Json, b: &Json) -> bool {
    if path.is_empty() || path == "/" {
        return match (edition.message(action, part), a, b) {
            (Some(object), Json::Object(a), Json::Object(b)) => equal_objects(object, a, b),
            _ => a == b,
        };
    }
    match edition.field(action, part, path) {
        Some(field) => equal_field(&field.ty, a, b),
        None => a == b,
    }
}

fn equal_field(ty: &Type, a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(ty, a, b))
        }
        _ => equal(ty, a, b),
    }
}

fn equal_objects(object: &ObjectType, a: &Object, b: &Object) -> bool {
    a.len() == b.len()
        && a.iter().all(|(key, value)| {
            b.get(key).is_some_and(|other| match object.field(key) {
                Some(field) => equal_field(&field.ty, value, other),
                None => value == other,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{array, object};

    fn same(action: &str, part: Part, path: &str, a: impl Into<Json>, b: impl Into<Json>) -> bool {
        equal_at(Edition::ocpp16(), action, part, path, &a.into(), &b.into())
    }

    #[test]
    fn values_compare_by_their_type() {
        assert!(same("Authorize", Part::Request, "idTag", "ab12", "AB12"));
        assert!(same("Authorize", Part::Request, "/idTag", "straße", "STRAßE"));
        assert!(!same("Authorize", Part::Request, "idTag", "ab12", "ab13"));
        assert!(!same("Reset", Part::Request, "type", "Soft", "soft"));
        assert!(!same("DataTransfer", Part::Request, "data", "x", "X"));
        let (noon, paris) = ("2024-05-01T12:00:00Z", "2024-05-01T14:00:00.000+02:00");
        assert!(same("Heartbeat", Part::Response, "currentTime", noon, paris));
        assert!(!same(
            "Heartbeat",
            Part::Response,
            "currentTime",
            noon,
            "2024-05-01T12:00:01Z"
        ));
        assert!(same("Heartbeat", Part::Response, "currentTime", "soon", "soon"));
        assert!(same(
            "DataTransfer",
            Part::Request,
            "nothing",
            1,
            Json::parse("1.0").unwrap()
        ));
    }

    #[test]
    fn objects_and_arrays_compare_inside() {
        let a = object! { "idTagInfo": object! { "status": "Accepted", "parentIdTag": "g1" } };
        let b = object! { "idTagInfo": object! { "parentIdTag": "G1", "status": "Accepted" } };
        assert!(same("Authorize", Part::Response, "", a.clone(), b));
        assert!(!same(
            "Authorize",
            Part::Response,
            "",
            a,
            object! { "idTagInfo": object! {} }
        ));
        assert!(same(
            "GetConfiguration",
            Part::Request,
            "key",
            array!["a", "B"],
            array!["A", "b"]
        ));
        assert!(!same(
            "GetConfiguration",
            Part::Request,
            "key",
            array!["a"],
            array!["a", "b"]
        ));
    }
}
