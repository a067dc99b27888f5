//! The interpreter of the catalogue: what is wrong with a payload, where, and of which class.

use std::fmt;

use crate::deviations::deviation;
use crate::edition::{Edition, Field, ObjectType, Part, Type, is_identifier_char};
use crate::json::{Json, Number, pointer};
use crate::secret::{self, Around};
use crate::time::{DateTimeText, Form};

mod class;

pub use class::ViolationClass;

/// How much weight a violation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Two documents, or two readings of one, disagree: a warning.
    Contested,
    /// The standard leaves no doubt.
    Must,
}

/// Which document a violation offends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The schema: a validator on the exported JSON Schema finds it too.
    Schema,
    /// The text of the standard, beyond its schema.
    Text,
}

/// One mistake in a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What kind of mistake it is.
    pub class: ViolationClass,
    /// RFC 6901 pointer into the payload; for an absent field, where it should stand.
    pub pointer: String,
    /// What should have stood there.
    pub expected: String,
    /// What stood there, shortened; secrets are not shown.
    pub got: String,
    /// How much weight it has.
    pub severity: Severity,
    /// Which document it offends.
    pub source: Source,
    /// Id of the [`crate::Deviation`] that makes it contested.
    pub deviation: Option<&'static str>,
}

/// No more violations than these are listed for one payload.
const MOST_VIOLATIONS: usize = 200;

/// No more characters of a value than these are shown.
const SHOWN_CHARS: usize = 60;

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() {
            "the payload"
        } else {
            &self.pointer
        };
        write!(
            f,
            "{} at {place}: expected {}, got {}",
            self.class, self.expected, self.got
        )
    }
}

/// Everything that is wrong with a payload. An action that the edition does not have is a fault of the frame
/// ([`crate::Fault::UnknownAction`]), not of the payload: nothing is found then.
pub fn validate(edition: &Edition, action: &str, part: Part, payload: &Json) -> Vec<Violation> {
    match edition.message(action, part) {
        Some(object) => validate_object(edition, object, payload, edition.most_places(action, part)),
        None => Vec::new(),
    }
}

/// Everything that is wrong with a value of some object type.
pub fn validate_value(edition: &Edition, object: &ObjectType, payload: &Json) -> Vec<Violation> {
    validate_object(edition, object, payload, None)
}

fn validate_object(
    edition: &Edition,
    object: &ObjectType,
    payload: &Json,
    places: Option<u32>,
) -> Vec<Violation> {
    let mut walk = Walk {
        edition,
        places,
        path: String::new(),
        found: Vec::new(),
    };
    match payload {
        Json::Object(members) => walk.object(object, Around::of(members)),
        Json::Null if object.fields.iter().all(|field| !field.required) => {
            walk.contested(
                ViolationClass::RootType,
                Source::Schema,
                "null-payload",
                "an object",
                "null",
            );
        }
        other => walk.must(
            ViolationClass::RootType,
            Source::Schema,
            "an object",
            &shown(other),
        ),
    }
    walk.found
}

struct Walk<'a> {
    edition: &'a Edition,
    /// The most decimal places that the text allows everywhere in this payload.
    places: Option<u32>,
    path: String,
    found: Vec<Violation>,
}

impl Walk<'_> {
    fn object(&mut self, object: &ObjectType, around: Around<'_>) {
        let members = around.members();
        let duplicates = members.duplicates();
        for key in &duplicates {
            self.at(key, |walk| {
                let class = ViolationClass::DuplicateKey;
                walk.contested(
                    class,
                    Source::Text,
                    "duplicate-key",
                    "each key once",
                    "the key again",
                );
            });
        }
        let mut unknown: Vec<&str> = if object.open {
            Vec::new()
        } else {
            members.keys().filter(|key| object.field(key).is_none()).collect()
        };
        if !duplicates.is_empty() {
            unknown.sort_unstable();
            unknown.dedup();
        }
        for key in unknown {
            self.at(key, |walk| {
                let expected = format!("no field of this name in {}", object.name);
                walk.must(ViolationClass::UnknownProperty, Source::Schema, &expected, "it");
            });
        }
        for field in &object.fields {
            match members.get(&field.name) {
                Some(value) => {
                    let secret = secret::is_marked(self.edition, field, around);
                    self.at(&field.name, |walk| walk.field(field, value, around, secret));
                }
                None if field.required => self.at(&field.name, |walk| {
                    let class = ViolationClass::MissingRequired;
                    walk.must(class, Source::Schema, &field.ty.describe(), "nothing");
                }),
                None => {}
            }
        }
    }

    fn field(&mut self, field: &Field, value: &Json, around: Around<'_>, secret: bool) {
        if value.is_null() && !field.required && field.ty != Type::Any {
            let class = ViolationClass::NullForOptional;
            return self.must(
                class,
                Source::Schema,
                "the field to be absent when there is no value",
                "null",
            );
        }
        let Some((min, max)) = field.array else {
            return self.value(field, value, around, secret);
        };
        let Json::Array(items) = value else {
            return self.must(
                ViolationClass::WrongType,
                Source::Schema,
                "an array",
                &shown(value),
            );
        };
        let count = || format!("{} items", items.len());
        if items.len() < min as usize {
            let expected = format!("at least {min} items");
            self.must(ViolationClass::TooFewItems, Source::Schema, &expected, &count());
        } else if let Some(max) = max.filter(|&max| items.len() > max as usize) {
            let expected = format!("at most {max} items");
            self.must(ViolationClass::TooManyItems, Source::Schema, &expected, &count());
        } else if let Some((Some(least), _)) = field.text_bounds.filter(|bounds| below(items.len(), bounds.0))
        {
            let expected = format!("at least {least} items");
            self.contested(
                ViolationClass::TooFewItems,
                Source::Text,
                "empty-list",
                &expected,
                &count(),
            );
        }
        for (n, item) in items.iter().enumerate() {
            if self.found.len() >= MOST_VIOLATIONS {
                return;
            }
            self.at(&n.to_string(), |walk| walk.value(field, item, around, secret));
        }
    }

    fn value(&mut self, field: &Field, value: &Json, around: Around<'_>, secret: bool) {
        let got = || {
            if secret {
                "a secret".to_owned()
            } else {
                shown(value)
            }
        };
        match (&field.ty, value) {
            (Type::Any, _) | (Type::Bool, Json::Bool(_)) => {}
            (Type::Object(object), Json::Object(members)) => self.object(object, around.inner(members)),
            (Type::Int { min, max }, Json::Number(number)) => self.integer(field, number, *min, *max),
            (Type::Decimal { places }, Json::Number(number)) => {
                if places.is_some_and(|places| number.decimal_places() > u64::from(places)) {
                    self.must(
                        ViolationClass::NotMultiple,
                        Source::Schema,
                        &field.ty.describe(),
                        &got(),
                    );
                } else {
                    self.places(field, number);
                }
            }
            (Type::Str { max, ident, .. }, Json::String(text)) => {
                let length = secret::characters(text);
                if max.is_some_and(|max| length > max as usize) {
                    self.too_long(field, length);
                }
                if *ident && !secret && !text.chars().all(is_identifier_char) {
                    let expected = "letters, digits and *-_=:+|@. alone";
                    self.must(ViolationClass::SpecOnly, Source::Text, expected, &got());
                }
            }
            (Type::Enum(of), Json::String(text)) => {
                if text == "Hertz" && of.name == "UnitOfMeasure" {
                    let class = ViolationClass::EnumLiteral;
                    self.contested(class, Source::Schema, "hertz", &field.ty.describe(), &got());
                } else if !of.contains(text) {
                    self.must(
                        ViolationClass::EnumLiteral,
                        Source::Schema,
                        &field.ty.describe(),
                        &got(),
                    );
                }
            }
            (Type::DateTime, Json::String(text)) => match DateTimeText::parse(text) {
                Ok(read) if read.form == Form::Rfc3339 => {
                    let most = self.edition.limits().second_digits;
                    if let Some(most) = most.filter(|&most| second_digits(text) > most as usize) {
                        let expected = format!("at most {most} digits of a fraction of a second");
                        self.must(ViolationClass::SpecOnly, Source::Text, &expected, &got());
                    }
                }
                Ok(_) => {
                    let class = ViolationClass::BadDateTime;
                    self.contested(
                        class,
                        Source::Schema,
                        "date-time-iso8601",
                        "a date-time as in RFC 3339",
                        &got(),
                    );
                }
                Err(error) => {
                    let expected = format!("a date-time ({error})");
                    self.must(ViolationClass::BadDateTime, Source::Schema, &expected, &got());
                }
            },
            (Type::Uri, Json::String(text)) => {
                if !is_uri(text) {
                    let class = ViolationClass::BadUri;
                    self.contested(
                        class,
                        Source::Schema,
                        "uri-format",
                        "a URI with its scheme",
                        &got(),
                    );
                }
            }
            _ => self.must(
                ViolationClass::WrongType,
                Source::Schema,
                &field.ty.describe(),
                &got(),
            ),
        }
    }

    /// Longer than the schema allows; contested as far as the text names a greater length.
    fn too_long(&mut self, field: &Field, length: usize) {
        let class = ViolationClass::TooLong;
        let (expected, got) = (field.ty.describe(), format!("{length} characters"));
        let most = field.text_bounds.and_then(|(_, max)| max);
        if most.is_some_and(|most| i64::try_from(length).is_ok_and(|length| length <= most)) {
            self.contested(class, Source::Schema, "field-length", &expected, &got);
        } else {
            self.must(class, Source::Schema, &expected, &got);
        }
    }

    /// Decimal places that only the text limits.
    fn places(&mut self, field: &Field, number: &Number) {
        let beyond = |most: Option<u32>| most.filter(|&most| number.decimal_places() > u64::from(most));
        let expected = |most: u32| match most {
            1 => "at most 1 decimal place".to_owned(),
            most => format!("at most {most} decimal places"),
        };
        let (class, got) = (ViolationClass::SpecOnly, short(number.text()));
        if let Some(most) = beyond(self.places) {
            self.must(class, Source::Text, &expected(most), &got);
        } else if let Some(most) = beyond(field.text_places) {
            self.contested(class, Source::Text, "one-decimal-place", &expected(most), &got);
        }
    }

    fn integer(&mut self, field: &Field, number: &Number, min: Option<i64>, max: Option<i64>) {
        if !number.is_integer() {
            return self.must(
                ViolationClass::FractionForInteger,
                Source::Schema,
                "an integer",
                &short(number.text()),
            );
        }
        let got = || short(number.text());
        if !number.is_plain_integer() {
            let class = ViolationClass::IntegerSpelling;
            let expected = "an integer without fraction or exponent";
            self.contested(class, Source::Text, "integer-with-fraction", expected, &got());
        }
        // Beyond 64 bits the sign alone decides on which side of every bound the value lies.
        let value = number
            .as_i64()
            .unwrap_or(if number.is_negative() { i64::MIN } else { i64::MAX });
        let outside = |min: Option<i64>, max: Option<i64>| {
            min.is_some_and(|min| value < min) || max.is_some_and(|max| value > max)
        };
        let (text_min, text_max) = field
            .text_bounds
            .filter(|_| field.array.is_none())
            .unwrap_or_default();
        if outside(min, max) {
            self.must(
                ViolationClass::OutOfRange,
                Source::Schema,
                &span(min, max),
                &got(),
            );
        } else if outside(text_min, text_max) {
            self.must(
                ViolationClass::SpecOnly,
                Source::Text,
                &span(text_min, text_max),
                &got(),
            );
        } else if i32::try_from(value).is_err() {
            let expected = "an integer of 32 bits";
            self.contested(ViolationClass::SpecOnly, Source::Text, "int32", expected, &got());
        }
    }

    fn at(&mut self, token: &str, visit: impl FnOnce(&mut Self)) {
        let parent = self.path.len();
        pointer::push(&mut self.path, token);
        visit(self);
        self.path.truncate(parent);
    }

    fn must(&mut self, class: ViolationClass, source: Source, expected: &str, got: &str) {
        self.add(class, source, None, expected, got);
    }

    fn contested(
        &mut self,
        class: ViolationClass,
        source: Source,
        id: &'static str,
        expected: &str,
        got: &str,
    ) {
        // In an edition whose documents agree about it, there is no doubt.
        let known = deviation(self.edition.name(), id);
        self.add(class, source, known.map(|known| known.id), expected, got);
    }

    fn add(
        &mut self,
        class: ViolationClass,
        source: Source,
        id: Option<&'static str>,
        expected: &str,
        got: &str,
    ) {
        if self.found.len() >= MOST_VIOLATIONS {
            return;
        }
        self.found.push(Violation {
            class,
            pointer: self.path.clone(),
            expected: expected.to_owned(),
            got: got.to_owned(),
            severity: if id.is_some() {
                Severity::Contested
            } else {
                Severity::Must
            },
            source,
            deviation: id,
        });
    }
}

/// How many digits of a fraction of a second a date-time has.
fn second_digits(text: &str) -> usize {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().take_while(u8::is_ascii_digit).count()
}

fn below(count: usize, least: Option<i64>) -> bool {
    least.is_some_and(|least| i64::try_from(count).is_ok_and(|count| count < least))
}

fn span(min: Option<i64>, max: Option<i64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("an integer from {min} to {max}"),
        (Some(min), None) => format!("an integer of at least {min}"),
        (None, Some(max)) => format!("an integer of at most {max}"),
        (None, None) => "an integer".to_owned(),
    }
}

/// A value for a message to a person: scalars as they stand, what is composed by its kind.
fn shown(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("an array of {}", items.len()),
        Json::Object(_) => "an object".to_owned(),
        Json::String(text) if text.len() > 4 * SHOWN_CHARS => format!("\"{}…\"", short(text)),
        scalar => short(&scalar.to_string()),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// RFC 3986: a scheme, a colon, and only characters that may stand in a URI. It looks no deeper.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !scheme_ok {
        return false;
    }
    let bytes = rest.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(at, &b)| match b {
        b'%' => hex(at + 1) && hex(at + 2),
        b => b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&b),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Object, array, object};
    use ViolationClass as Class;

    fn found(action: &str, part: Part, payload: &str) -> Vec<(Class, String, Severity)> {
        let payload = Json::parse(payload).unwrap();
        let found = validate(Edition::ocpp16(), action, part, &payload);
        found
            .into_iter()
            .map(|v| (v.class, v.pointer, v.severity))
            .collect()
    }

    fn request(action: &str, payload: &str) -> Vec<(Class, String, Severity)> {
        found(action, Part::Request, payload)
    }

    fn must(class: Class, pointer: &str) -> Vec<(Class, String, Severity)> {
        vec![(class, pointer.to_owned(), Severity::Must)]
    }

    fn contested(class: Class, pointer: &str) -> Vec<(Class, String, Severity)> {
        vec![(class, pointer.to_owned(), Severity::Contested)]
    }

    #[test]
    fn valid_payloads_pass() {
        assert!(request("Heartbeat", "{}").is_empty());
        assert!(request("Authorize", r#"{"idTag":"04E91234"}"#).is_empty());
        let status = r#"{"connectorId":0,"status":"Available","errorCode":"NoError","timestamp":"2024-05-01T12:00:00Z"}"#;
        assert!(request("StatusNotification", status).is_empty());
        assert!(request("NoSuchAction", "[]").is_empty());
    }

    #[test]
    fn each_class_is_found_at_its_place() {
        assert_eq!(request("Authorize", "[]"), must(Class::RootType, ""));
        assert_eq!(request("Authorize", "null"), must(Class::RootType, ""));
        assert_eq!(request("Heartbeat", "null"), contested(Class::RootType, ""));
        assert_eq!(request("Authorize", "{}"), must(Class::MissingRequired, "/idTag"));
        assert_eq!(
            request("Heartbeat", r#"{"a/b":1}"#),
            must(Class::UnknownProperty, "/a~1b")
        );
        assert_eq!(
            request("Authorize", r#"{"idTag":7}"#),
            must(Class::WrongType, "/idTag")
        );
        assert_eq!(
            request("Authorize", r#"{"idTag":null}"#),
            must(Class::WrongType, "/idTag")
        );
        assert_eq!(
            request("GetConfiguration", r#"{"key":null}"#),
            must(Class::NullForOptional, "/key")
        );
        assert_eq!(
            request("GetConfiguration", r#"{"key":"a"}"#),
            must(Class::WrongType, "/key")
        );
        assert_eq!(
            request("GetConfiguration", r#"{"key":["a",null]}"#),
            must(Class::WrongType, "/key/1")
        );
        assert_eq!(
            request("UnlockConnector", r#"{"connectorId":1.5}"#),
            must(Class::FractionForInteger, "/connectorId")
        );
        let spelt = contested(Class::IntegerSpelling, "/connectorId");
        assert_eq!(request("UnlockConnector", r#"{"connectorId":1.0}"#), spelt);
        assert_eq!(
            request("Reset", r#"{"type":"soft"}"#),
            must(Class::EnumLiteral, "/type")
        );
        assert_eq!(
            request("UnlockConnector", r#"{"connectorId":0}"#),
            must(Class::SpecOnly, "/connectorId")
        );
        let wide = contested(Class::SpecOnly, "/reservationId");
        assert_eq!(
            request("CancelReservation", r#"{"reservationId":2147483648}"#),
            wide
        );
        assert_eq!(
            request("CancelReservation", r#"{"reservationId":-1e40}"#).len(),
            2
        );
        let twice = contested(Class::DuplicateKey, "/idTag");
        assert_eq!(request("Authorize", r#"{"idTag":5,"idTag":"a"}"#), twice);
        let place = "/retrieveDate";
        let update = |date: &str| {
            request(
                "UpdateFirmware",
                &format!(r#"{{"location":"ftp://h/x","retrieveDate":"{date}"}}"#),
            )
        };
        assert_eq!(update("yesterday"), must(Class::BadDateTime, place));
        assert_eq!(
            update("2024-05-01T12:00:00"),
            contested(Class::BadDateTime, place)
        );
        let bad = r#"{"location":"no scheme","retrieveDate":"2024-05-01T12:00:00Z"}"#;
        assert_eq!(
            request("UpdateFirmware", bad),
            contested(Class::BadUri, "/location")
        );
        let empty = found(
            "GetInstalledCertificateIds",
            Part::Response,
            r#"{"status":"Accepted","certificateHashData":[]}"#,
        );
        assert_eq!(empty, must(Class::TooFewItems, "/certificateHashData"));
        assert_eq!(
            request("MeterValues", r#"{"connectorId":1,"meterValue":[]}"#),
            contested(Class::TooFewItems, "/meterValue")
        );
        let unit = r#"{"connectorId":1,"meterValue":[{"timestamp":"2024-05-01T12:00:00Z","sampledValue":[{"value":"50","unit":"Hertz"}]}]}"#;
        assert_eq!(
            request("MeterValues", unit),
            contested(Class::EnumLiteral, "/meterValue/0/sampledValue/0/unit")
        );
        let period = r#"{"status":"Accepted","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16.05}]}}"#;
        let limit = must(
            Class::NotMultiple,
            "/chargingSchedule/chargingSchedulePeriod/0/limit",
        );
        assert_eq!(found("GetCompositeSchedule", Part::Response, period), limit);
        assert!(
            found(
                "GetCompositeSchedule",
                Part::Response,
                &period.replace("16.05", "134.10")
            )
            .is_empty()
        );
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        let tag = |text: &str| request("Authorize", &object! { "idTag": text }.to_string());
        assert!(tag(&"é".repeat(20)).is_empty());
        assert!(tag(&"😀".repeat(20)).is_empty());
        assert_eq!(tag(&"é".repeat(21)), must(Class::TooLong, "/idTag"));
    }

    #[test]
    fn bounds_of_the_schema_are_classes_of_their_own() {
        let text = "edition T t\ndocument T T\ntype P\n n int(0..3)\nmsg M both P b T:1 T:2 T:3\n >\n  list P[1..2]\n <\n";
        let edition = Edition::parse(text).unwrap();
        let classes = |payload: Json| -> Vec<_> {
            validate(&edition, "M", Part::Request, &payload)
                .into_iter()
                .map(|v| (v.class, v.pointer))
                .collect()
        };
        let item = |n: i32| object! { "n": n };
        assert!(classes(object! { "list": array![item(3)] }).is_empty());
        assert_eq!(
            classes(object! { "list": array![item(4)] }),
            [(Class::OutOfRange, "/list/0/n".to_owned())]
        );
        assert_eq!(
            classes(object! { "list": array![] }),
            [(Class::TooFewItems, "/list".to_owned())]
        );
        let three = array![item(0), item(1), item(2)];
        assert_eq!(
            classes(object! { "list": three }),
            [(Class::TooManyItems, "/list".to_owned())]
        );
    }

    #[test]
    fn secrets_are_not_shown_and_values_are_shortened() {
        let edition = Edition::ocpp16();
        let payload = object! { "key": "authorizationKey", "value": 123_456_789 };
        let found = validate(edition, "ChangeConfiguration", Part::Request, &payload);
        assert_eq!(found[0].got, "a secret");
        let payload = object! { "type": "x".repeat(100_000) };
        let found = validate(edition, "Reset", Part::Request, &payload);
        assert!(found[0].got.chars().count() < 70, "{}", found[0].got);
        assert!(
            found[0]
                .to_string()
                .starts_with("enum-literal at /type: expected one of Hard, Soft, got \"xxx")
        );
    }

    #[test]
    fn a_hostile_payload_makes_a_bounded_list() {
        let members: Object = (0..5_000).map(|n| (format!("x{n}"), Json::Null)).collect();
        assert_eq!(
            validate(Edition::ocpp16(), "Heartbeat", Part::Request, &members.into()).len(),
            MOST_VIOLATIONS
        );
        let items: Vec<Json> = vec![Json::Null; 5_000];
        let payload = object! { "key": items };
        assert_eq!(
            validate(Edition::ocpp16(), "GetConfiguration", Part::Request, &payload).len(),
            MOST_VIOLATIONS
        );
    }

    #[test]
    fn uris_need_a_scheme_and_legal_characters() {
        for good in [
            "ftp://user:p%40ss@h:21/dir",
            "https://[::1]/x?y#z",
            "urn:a",
            "s3+x:y",
        ] {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "",
            "no scheme",
            "/path",
            "1a:b",
            "http://a b",
            "http://a/%zz",
            "http://ü",
        ] {
            assert!(!is_uri(bad), "{bad}");
        }
    }

    #[test]
    fn what_only_the_text_of_ocpp201_says_is_found() {
        let edition = Edition::ocpp201();
        let found = |action: &str, part: Part, payload: Json| -> Vec<(Class, String, Severity, Source)> {
            let found = validate(edition, action, part, &payload).into_iter();
            found
                .map(|v| (v.class, v.pointer, v.severity, v.source))
                .collect()
        };
        let text = |at: &str| vec![(Class::SpecOnly, at.to_owned(), Severity::Must, Source::Text)];
        let token = |id: &str| object! { "idToken": object! { "idToken": id, "type": "ISO14443" } };
        assert_eq!(found("Authorize", Part::Request, token("04:E9-1|a@b.c*=+_")), []);
        assert_eq!(
            found("Authorize", Part::Request, token("04 E9")),
            text("/idToken/idToken")
        );
        let time = |time: &str| found("Heartbeat", Part::Response, object! { "currentTime": time });
        assert_eq!(time("2024-05-01T12:00:00.123+02:00"), []);
        assert_eq!(time("2024-05-01T12:00:00.1234Z"), text("/currentTime"));
        // What only ISO 8601 allows is contested in 1.6 alone.
        let must = |class, at: &str| vec![(class, at.to_owned(), Severity::Must, Source::Schema)];
        assert_eq!(
            time("2024-05-01T12:00:00"),
            must(Class::BadDateTime, "/currentTime")
        );
        let cost = |cost: &str| {
            let cost = Json::parse(cost).unwrap();
            found(
                "CostUpdated",
                Part::Request,
                object! { "totalCost": cost, "transactionId": "T" },
            )
        };
        assert_eq!(cost("1.123456"), []);
        assert_eq!(cost("1.1234567"), text("/totalCost"));
        let id = object! { "reservationId": 2_147_483_648_i64 };
        assert_eq!(
            found("CancelReservation", Part::Request, id),
            text("/reservationId")
        );
        let custom = |custom: Json| found("Heartbeat", Part::Request, object! { "customData": custom });
        assert_eq!(custom(object! { "vendorId": "v", "more": array![1] }), []);
        assert_eq!(
            custom(object! { "more": 1 }),
            must(Class::MissingRequired, "/customData/vendorId")
        );
        let exi = |n| {
            let payload = object! { "status": "Accepted", "exiResponse": "x".repeat(n) };
            found("Get15118EVCertificate", Part::Response, payload)
        };
        let long = |severity| {
            vec![(
                Class::TooLong,
                "/exiResponse".to_owned(),
                severity,
                Source::Schema,
            )]
        };
        assert_eq!(exi(5600), []);
        assert_eq!(exi(7500), long(Severity::Contested));
        assert_eq!(exi(7501), long(Severity::Must));
    }
}
