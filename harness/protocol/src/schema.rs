//! Export of the catalogue as JSON Schema, draft-06.

use crate::edition::{Edition, Field, ObjectType, Part, Type};
use crate::json::{Json, Number, Object};
use crate::object;

/// The JSON Schema (draft-06) of one message, everything inlined. It holds what the official schemas hold, not what
/// only the text says. `None` for an action that the edition does not have.
pub fn json_schema(edition: &Edition, action: &str, part: Part) -> Option<Json> {
    let message = edition.message(action, part)?;
    let mut schema = Object::new();
    schema.push("$schema", "http://json-schema.org/draft-06/schema#");
    schema.push("title", &message.name);
    for (key, value) in object_schema(message) {
        schema.push(key, value);
    }
    Some(Json::Object(schema))
}

fn object_schema(object: &ObjectType) -> Object {
    let properties: Object = object
        .fields
        .iter()
        .map(|field| (field.name.clone(), field_schema(field)))
        .collect();
    let required: Vec<Json> = object
        .fields
        .iter()
        .filter(|field| field.required)
        .map(|field| Json::from(&field.name))
        .collect();
    let mut schema = Object::new();
    schema.push("type", "object");
    schema.push("properties", properties);
    if !object.open {
        schema.push("additionalProperties", false);
    }
    if !required.is_empty() {
        schema.push("required", required);
    }
    schema
}

fn field_schema(field: &Field) -> Json {
    let item = type_schema(&field.ty);
    let Some((min, max)) = field.array else {
        return item;
    };
    let mut schema = Object::new();
    schema.push("type", "array");
    schema.push("items", item);
    if min > 0 {
        schema.push("minItems", min);
    }
    if let Some(max) = max {
        schema.push("maxItems", max);
    }
    Json::Object(schema)
}

fn type_schema(ty: &Type) -> Json {
    let mut schema = Object::new();
    match ty {
        Type::Str { max, .. } => {
            schema.push("type", "string");
            if let Some(max) = max {
                schema.push("maxLength", *max);
            }
        }
        Type::Int { min, max } => {
            schema.push("type", "integer");
            if let Some(min) = min {
                schema.push("minimum", *min);
            }
            if let Some(max) = max {
                schema.push("maximum", *max);
            }
        }
        Type::Decimal { places } => {
            schema.push("type", "number");
            if let Some(places) = places {
                let unit = format!("0.{}1", "0".repeat(*places as usize - 1));
                schema.push("multipleOf", Number::of_valid(unit));
            }
        }
        Type::Bool => schema.push("type", "boolean"),
        Type::DateTime => return object! { "type": "string", "format": "date-time" },
        Type::Uri => return object! { "type": "string", "format": "uri" },
        Type::Enum(of) => {
            schema.push("type", "string");
            schema.push("enum", of.literals.iter().map(Json::from).collect::<Vec<_>>());
        }
        Type::Object(object) => return Json::Object(object_schema(object)),
        // Nothing is said of it, so nothing is asked of it.
        Type::Any => return Json::empty(),
    }
    Json::Object(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_exported_with_everything_in_it() {
        let schema = json_schema(Edition::ocpp16(), "MeterValues", Part::Request).unwrap();
        let at = |pointer| schema.pointer(pointer).unwrap_or(&Json::Null).to_string();
        assert_eq!(at("/title"), r#""MeterValuesRequest""#);
        assert_eq!(at("/required"), r#"["connectorId","meterValue"]"#);
        assert_eq!(at("/properties/meterValue/type"), r#""array""#);
        assert_eq!(
            at("/properties/meterValue/items/properties/timestamp/format"),
            r#""date-time""#
        );
        let phase = "/properties/meterValue/items/properties/sampledValue/items/properties/phase/enum/0";
        assert_eq!(at(phase), r#""L1""#);
        assert_eq!(at("/properties/meterValue/minItems"), "null");
        assert_eq!(
            json_schema(Edition::ocpp16(), "NoSuchAction", Part::Request),
            None
        );
    }

    #[test]
    fn bounds_and_units_are_exported() {
        let text = "edition T t\ndocument T T\nmsg M both P b T:1 T:2 T:3\n >\n  n? int(0..3)[1..2]\n  d dec/0.01\n  a? any\n  b? bool\n <\n";
        let edition = Edition::parse(text).unwrap();
        let schema = json_schema(&edition, "M", Part::Request).unwrap().to_string();
        assert!(schema.contains(
            r#""n":{"type":"array","items":{"type":"integer","minimum":0,"maximum":3},"minItems":1,"maxItems":2}"#
        ));
        assert!(
            schema.contains(r#""d":{"type":"number","multipleOf":0.01}"#),
            "{schema}"
        );
        assert!(schema.contains(r#""required":["d"]"#));
    }
}
