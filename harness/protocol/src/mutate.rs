//! One-fault mutations: a legal payload with exactly one mistake in it, of a known class at a known place.

use crate::edition::{Edition, Field, ObjectType, Part, Type};
use crate::json::{Json, Number, Object, pointer};
use crate::validate::ViolationClass as Class;

/// A payload with one mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Of which class the mistake is.
    pub class: Class,
    /// Where it is.
    pub pointer: String,
    /// The payload.
    pub payload: Json,
    /// What was done to it, in words.
    pub what: String,
}

/// A mutation that has not been made yet: a large payload has thousands, and most callers want a few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Of which class the mistake is.
    pub class: Class,
    /// Where it is.
    pub pointer: String,
    /// What is done, in words.
    pub what: String,
    /// Where something is put or taken away: there, or the object around it.
    at: String,
    /// What is put there; `None` takes away what stands there.
    value: Option<Json>,
}

impl Mistake {
    /// The payload with this mistake in it.
    pub fn apply(&self, payload: &Json) -> Json {
        let mut payload = payload.clone();
        match &self.value {
            Some(value) => {
                let set = payload.set_pointer(&self.at, value.clone());
                debug_assert!(set, "{} has no parent", self.at);
            }
            None => {
                let removed = payload.remove_pointer(&self.at);
                debug_assert!(removed.is_some(), "there is nothing at {}", self.at);
            }
        }
        payload
    }
}

/// The largest list that is blown up beyond its limit.
const MOST_ITEMS: u32 = 256;

/// Every one-fault mutation of a legal payload. What the payload does not contain is not mutated, so begin with a
/// maximal sample to get them all. An action that the edition does not have gives none.
pub fn mutations(edition: &Edition, action: &str, part: Part, payload: &Json) -> Vec<Mutation> {
    let made = |mistake: Mistake| Mutation {
        payload: mistake.apply(payload),
        class: mistake.class,
        pointer: mistake.pointer,
        what: mistake.what,
    };
    mistakes(edition, action, part, payload)
        .into_iter()
        .map(made)
        .collect()
}

/// What [`mutations`] would make, not made yet.
pub fn mistakes(edition: &Edition, action: &str, part: Part, payload: &Json) -> Vec<Mistake> {
    let Some(object) = edition.message(action, part) else {
        return Vec::new();
    };
    let mut maker = Maker {
        second_digits: edition.limits().second_digits,
        places: edition.most_places(action, part),
        found: Vec::new(),
    };
    for (other, what) in [
        (Json::Array(Vec::new()), "the payload is an empty array"),
        (
            Json::Array(vec![payload.clone()]),
            "the payload stands in an array",
        ),
        (Json::from("payload"), "the payload is a string"),
        (Json::from(7), "the payload is a number"),
        (Json::Null, "the payload is null"),
    ] {
        maker.replace(Class::RootType, "", other, what);
    }
    if let Json::Object(members) = payload {
        maker.object(object, members, "");
    }
    maker.found
}

struct Maker {
    /// The most digits of a fraction of a second, where the text limits them.
    second_digits: Option<u32>,
    /// The most decimal places, where the text limits them everywhere in this payload.
    places: Option<u32>,
    found: Vec<Mistake>,
}

impl Maker {
    fn object(&mut self, object: &ObjectType, members: &Object, at: &str) {
        if !object.open {
            self.replace(
                Class::UnknownProperty,
                &pointer::join(at, "plugfestExtra"),
                Json::from(true),
                "a field that does not exist",
            );
        }
        if let Some((key, value)) = members.iter().next() {
            let mut doubled = members.clone();
            doubled.push(key, value.clone());
            self.found.push(Mistake {
                class: Class::DuplicateKey,
                pointer: pointer::join(at, key),
                what: "the key stands twice".to_owned(),
                at: at.to_owned(),
                value: Some(Json::Object(doubled)),
            });
        }
        for field in &object.fields {
            let here = pointer::join(at, &field.name);
            if !field.required && field.ty != Type::Any {
                let what = "null stands for an absent field";
                self.replace(Class::NullForOptional, &here, Json::Null, what);
            }
            let Some(value) = members.get(&field.name) else {
                continue;
            };
            if field.required {
                let what = "a required field is absent";
                self.add(Class::MissingRequired, &here, None, what);
                if field.ty != Type::Any {
                    let what = "null stands for a required field";
                    self.replace(Class::WrongType, &here, Json::Null, what);
                }
            }
            match (field.array, value) {
                (Some((min, max)), Json::Array(items)) => self.array(field, items, (min, max), &here),
                _ => self.item(field, value, &here),
            }
        }
    }

    fn array(&mut self, field: &Field, items: &[Json], (min, max): (u32, Option<u32>), at: &str) {
        self.replace(
            Class::WrongType,
            at,
            Json::empty(),
            "an object stands for an array",
        );
        if let Some(first) = items.first() {
            self.replace(
                Class::WrongType,
                at,
                first.clone(),
                "a single item stands for an array",
            );
        }
        let text_min = field
            .text_bounds
            .and_then(|(least, _)| least)
            .is_some_and(|least| least > 0);
        if min > 0 {
            let fewer = items[..items.len().min(min as usize - 1)].to_vec();
            self.replace(Class::TooFewItems, at, Json::Array(fewer), "too few items");
        } else if text_min {
            self.replace(Class::TooFewItems, at, Json::Array(Vec::new()), "an empty list");
        }
        if let (Some(max), Some(first)) = (max.filter(|&max| max <= MOST_ITEMS), items.first()) {
            let more = vec![first.clone(); max as usize + 1];
            self.replace(Class::TooManyItems, at, Json::Array(more), "too many items");
        }
        for (n, item) in items.iter().enumerate() {
            let here = pointer::join(at, &n.to_string());
            if field.ty != Type::Any {
                self.replace(Class::WrongType, &here, Json::Null, "null stands in a list");
            }
            self.item(field, item, &here);
        }
    }

    fn item(&mut self, field: &Field, value: &Json, at: &str) {
        self.wrong_types(field, at);
        match (&field.ty, value) {
            (Type::Object(object), Json::Object(members)) => self.object(object, members, at),
            (Type::Str { max, ident, .. }, _) => self.text(*max, *ident, at),
            (Type::Enum(of), _) => {
                self.replace(
                    Class::EnumLiteral,
                    at,
                    Json::from("NoSuchLiteral"),
                    "a literal that does not exist",
                );
                let literal = &of.literals[0];
                for recased in [literal.to_lowercase(), literal.to_uppercase()] {
                    if !of.contains(&recased) {
                        self.replace(
                            Class::EnumLiteral,
                            at,
                            Json::from(recased),
                            "a literal in another letter case",
                        );
                    }
                }
            }
            (Type::Int { min, max }, value) => self.integer(field, value, (*min, *max), at),
            (Type::Decimal { places: Some(places) }, _) => {
                let text = format!("16.{}5", "0".repeat(*places as usize));
                let number = Json::Number(Number::of_valid(text));
                self.replace(Class::NotMultiple, at, number, "one decimal place too many");
            }
            (Type::Decimal { places: None }, _) => {
                if let Some(places) = self.places.into_iter().chain(field.text_places).min() {
                    let text = format!("16.{}5", "0".repeat(places as usize));
                    let what = "more decimal places than the text allows";
                    self.replace(Class::SpecOnly, at, Json::Number(Number::of_valid(text)), what);
                }
            }
            (Type::DateTime, _) => {
                if let Some(digits) = self.second_digits {
                    let text = format!("2024-05-01T12:00:00.{}Z", "1".repeat(digits as usize + 1));
                    let what = "a finer fraction of a second than the text allows";
                    self.replace(Class::SpecOnly, at, Json::from(text), what);
                }
                for (text, what) in [
                    ("yesterday", "no date-time at all"),
                    ("2024-02-30T12:00:00Z", "a day that does not exist"),
                    ("2024-05-01 12:00:00Z", "a space between date and time"),
                    ("2024-05-01", "a date without time"),
                    ("2024-05-01T12:00:00", "a date-time without offset"),
                ] {
                    self.replace(Class::BadDateTime, at, Json::from(text), what);
                }
            }
            (Type::Uri, _) => {
                for (text, what) in [
                    ("no scheme", "no URI at all"),
                    ("/only/a/path", "a path without scheme"),
                ] {
                    self.replace(Class::BadUri, at, Json::from(text), what);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, max: Option<u32>, ident: bool, at: &str) {
        if let Some(max) = max {
            let beyond = |c| Json::from(std::iter::repeat_n(c, max as usize + 1).collect::<String>());
            self.replace(Class::TooLong, at, beyond('x'), "one character too long");
            // In an identifier that would be two mistakes.
            if !ident {
                let what = "one character too long, not in ASCII";
                self.replace(Class::TooLong, at, beyond('é'), what);
            }
        }
        if ident && max.is_none_or(|max| max >= 3) {
            for (text, what) in [
                ("a b", "a space stands in an identifier"),
                ("aé", "an accent stands in an identifier"),
            ] {
                self.replace(Class::SpecOnly, at, Json::from(text), what);
            }
        }
    }

    fn integer(&mut self, field: &Field, value: &Json, (min, max): (Option<i64>, Option<i64>), at: &str) {
        let whole = value.as_i64().unwrap_or(1);
        let number = |text: String| Json::Number(Number::of_valid(text));
        let what = "a fraction stands for an integer";
        self.replace(Class::FractionForInteger, at, number(format!("{whole}.5")), what);
        self.replace(
            Class::IntegerSpelling,
            at,
            number(format!("{whole}.0")),
            "an integer is written as x.0",
        );
        let beyond = [
            min.and_then(|min| min.checked_sub(1)),
            max.and_then(|max| max.checked_add(1)),
        ];
        for value in beyond.into_iter().flatten() {
            self.replace(
                Class::OutOfRange,
                at,
                Json::from(value),
                "beyond the bounds of the schema",
            );
        }
        let inside = |value: i64| min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
        let (text_min, text_max) = field
            .text_bounds
            .filter(|_| field.array.is_none())
            .unwrap_or_default();
        let beyond = [
            text_min.and_then(|min| min.checked_sub(1)),
            text_max.and_then(|max| max.checked_add(1)),
        ];
        for value in beyond.into_iter().flatten().filter(|&value| inside(value)) {
            self.replace(
                Class::SpecOnly,
                at,
                Json::from(value),
                "beyond the bounds of the text",
            );
        }
        for value in [i64::from(i32::MAX) + 1, i64::from(i32::MIN) - 1]
            .into_iter()
            .filter(|&value| inside(value))
        {
            self.replace(Class::SpecOnly, at, Json::from(value), "beyond 32 bits");
        }
    }

    fn wrong_types(&mut self, field: &Field, at: &str) {
        let others = match field.ty {
            Type::Any => return,
            Type::Object(_) => [Json::Array(Vec::new()), Json::from("text")],
            Type::Bool => [Json::from("true"), Json::from(1)],
            Type::Int { .. } => [Json::from("1"), Json::from(true)],
            Type::Decimal { .. } => [Json::from("16.0"), Json::Array(Vec::new())],
            _ => [Json::from(42), Json::empty()],
        };
        for other in others {
            let what = format!("{} stands for {}", other.kind(), field.ty.describe());
            self.replace(Class::WrongType, at, other, &what);
        }
    }

    fn replace(&mut self, class: Class, at: &str, value: Json, what: &str) {
        self.add(class, at, Some(value), what);
    }

    fn add(&mut self, class: Class, at: &str, value: Option<Json>, what: &str) {
        self.found.push(Mistake {
            class,
            pointer: at.to_owned(),
            what: what.to_owned(),
            at: at.to_owned(),
            value,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;
    use crate::sample::{maximal, minimal, random};
    use crate::validate::validate;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeSet;

    /// So many mistakes of one payload are looked at, spread evenly over it: the largest have thousands.
    const MOST: usize = 200;

    fn assert_one_fault(edition: &Edition, action: &str, part: Part, payload: &Json) -> BTreeSet<Class> {
        let mut classes = BTreeSet::new();
        let all = mistakes(edition, action, part, payload);
        for mistake in all.iter().step_by(all.len().div_ceil(MOST)) {
            let mutated = mistake.apply(payload);
            let found = validate(edition, action, part, &mutated);
            let told: Vec<_> = found.iter().map(|v| (v.class, v.pointer.as_str())).collect();
            let wanted = [(mistake.class, mistake.pointer.as_str())];
            assert_eq!(told, wanted, "{action} {part} {}: {mutated}", mistake.what);
            classes.insert(mistake.class);
        }
        classes
    }

    #[test]
    fn every_mutation_is_exactly_one_fault() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for edition in Edition::all() {
            let mut classes = BTreeSet::new();
            for action in edition.actions() {
                for part in [Part::Request, Part::Response] {
                    let mut samples = vec![
                        minimal(edition, &action.name, part),
                        maximal(edition, &action.name, part),
                    ];
                    samples.extend((0..5).map(|_| random(edition, &action.name, part, &mut rng)));
                    for sample in samples {
                        classes.extend(assert_one_fault(edition, &action.name, part, &sample));
                    }
                }
            }
            // No schema of 1.6 bounds a number, or a list from above; those of 2.0.1 have no unit and no URI.
            let absent: Vec<_> = Class::ALL
                .into_iter()
                .filter(|class| !classes.contains(class))
                .collect();
            match edition.name() {
                "OCPP-1.6" => assert_eq!(absent, [Class::TooManyItems, Class::OutOfRange]),
                "OCPP-2.0.1" => assert_eq!(absent, [Class::NotMultiple, Class::BadUri]),
                other => assert!(absent.is_empty(), "{other}: {absent:?}"),
            }
        }
    }

    #[test]
    fn bounds_of_the_schema_are_overstepped_too() {
        let text = "edition T t\ndocument T T\ntype P\n n int(0..3) text(1..2)\nmsg M both P b T:1 T:2 T:3\n >\n  list P[1..2]\n <\n";
        let edition = Edition::parse(text).unwrap();
        let classes = assert_one_fault(
            &edition,
            "M",
            Part::Request,
            &maximal(&edition, "M", Part::Request),
        );
        for class in [
            Class::TooManyItems,
            Class::TooFewItems,
            Class::OutOfRange,
            Class::SpecOnly,
        ] {
            assert!(classes.contains(&class), "{class}");
        }
    }

    #[test]
    fn a_mutation_says_what_it_did() {
        let payload = object! { "idTag": "A" };
        let found = mutations(Edition::ocpp16(), "Authorize", Part::Request, &payload);
        let missing = found
            .iter()
            .find(|mutation| mutation.class == Class::MissingRequired)
            .unwrap();
        assert_eq!(
            (missing.pointer.as_str(), missing.payload.to_string().as_str()),
            ("/idTag", "{}")
        );
        assert_eq!(missing.what, "a required field is absent");
        assert!(mutations(Edition::ocpp16(), "NoSuchAction", Part::Request, &payload).is_empty());
    }
}
