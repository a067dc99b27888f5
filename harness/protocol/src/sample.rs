//! Legal payloads: the smallest, the largest, random ones, and other legal values for a given place.

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::compare::equal;
use crate::edition::{Edition, Field, ObjectType, Part, TextLimits, Type};
use crate::json::{Json, Number, Object};
use crate::time::Timestamp;

/// Length that stands for "any" where a string has no limit.
const UNLIMITED: u32 = 64;

/// Characters of an identifierString, the rarer ones as likely as the others.
const IDENTIFIER: &[u8] = b"abcXYZ0189*-_=:+|@.";

/// The instant of canonical samples: 2024-05-01T12:00:00Z.
const NOON: Timestamp = Timestamp::from_secs(1_714_564_800);

/// The required fields only, each with its canonical value. An action that the edition does not have gives `{}`.
pub fn minimal(edition: &Edition, action: &str, part: Part) -> Json {
    edition
        .message(action, part)
        .map_or_else(Json::empty, minimal_object)
}

/// Every field, strings at their full length, integers and lists as large as is sensible.
pub fn maximal(edition: &Edition, action: &str, part: Part) -> Json {
    edition
        .message(action, part)
        .map_or_else(Json::empty, maximal_object)
}

/// A legal payload by the dice handed in: optional fields by chance, values at and between their bounds.
pub fn random(edition: &Edition, action: &str, part: Part, rng: &mut (impl Rng + ?Sized)) -> Json {
    edition
        .message(action, part)
        .map_or_else(Json::empty, |object| random_object(object, edition.limits(), rng))
}

/// The canonical value of a field, the one that a sample has where nothing else is asked for.
pub fn canonical(field: &Field) -> Json {
    if field.array.is_none() {
        return canonical_item(field);
    }
    Json::Array(vec![canonical_item(field); least_items(field).max(1)])
}

/// The `n`th other legal value for the place at a pointer: legal, and not equal to `current` by its type. `None`
/// where the catalogue does not know the place, or the type has no further values.
pub fn another_legal(
    edition: &Edition,
    action: &str,
    part: Part,
    pointer: &str,
    current: &Json,
    n: usize,
) -> Option<Json> {
    let field = edition.field(action, part, pointer)?;
    match (field.array, current) {
        (Some(_), Json::Array(items)) => other_array(field, items, n),
        _ => other_item(field, current, n),
    }
}

fn minimal_object(object: &ObjectType) -> Json {
    let required = object.fields.iter().filter(|field| field.required);
    Json::Object(
        required
            .map(|field| (field.name.clone(), canonical(field)))
            .collect(),
    )
}

fn canonical_item(field: &Field) -> Json {
    match (&field.ty, &field.like) {
        (Type::Object(object), _) => minimal_object(object),
        (Type::Int { .. } | Type::Decimal { .. } | Type::Bool | Type::Any, Some(like)) => {
            Json::parse(like).unwrap_or_else(|_| Json::from(like))
        }
        (_, Some(like)) => Json::from(like),
        (Type::Str { max, .. }, None) => Json::from(
            field
                .name
                .chars()
                .take(max.unwrap_or(UNLIMITED) as usize)
                .collect::<String>(),
        ),
        (Type::Int { .. }, None) => {
            let (min, max) = int_bounds(field);
            Json::from(1_i64.clamp(min, max))
        }
        (Type::Decimal { .. }, None) => Json::from(16),
        (Type::Bool, None) => Json::from(false),
        (Type::DateTime, None) => Json::from(NOON.to_rfc3339()),
        (Type::Uri, None) => Json::from("https://files.example/file"),
        (Type::Enum(of), None) => Json::from(&of.literals[0]),
        (Type::Any, None) => Json::from("anything"),
    }
}

fn maximal_object(object: &ObjectType) -> Json {
    let value = |field: &Field| match field.array {
        Some((min, max)) => {
            let count = 2
                .max(least_items(field))
                .max(min as usize)
                .min(max.map_or(usize::MAX, |max| max as usize));
            Json::Array((0..count).map(|_| maximal_item(field)).collect())
        }
        None => maximal_item(field),
    };
    Json::Object(
        object
            .fields
            .iter()
            .map(|field| (field.name.clone(), value(field)))
            .collect(),
    )
}

fn maximal_item(field: &Field) -> Json {
    match &field.ty {
        Type::Object(object) => maximal_object(object),
        Type::Str { max, .. } => {
            let length = max.unwrap_or(UNLIMITED) as usize;
            Json::from(
                "0123456789abcdefghijklmnopqrstuvwxyz"
                    .chars()
                    .cycle()
                    .take(length)
                    .collect::<String>(),
            )
        }
        Type::Int { .. } => Json::from(int_bounds(field).1),
        Type::Decimal { places } => {
            let places = places.or(field.text_places).unwrap_or(3);
            let fraction = "9".repeat(places as usize);
            Json::Number(Number::of_valid(format!("99999.{fraction}")))
        }
        Type::Bool => Json::from(true),
        Type::DateTime => Json::from("2024-05-01T14:00:00.123+02:00"),
        Type::Uri => {
            Json::from("https://user:p%40ss@files.example:8443/a/very/long/path?with=query#and-fragment")
        }
        Type::Enum(of) => Json::from(&of.literals[of.literals.len() - 1]),
        Type::Any => Json::empty(),
    }
}

fn random_object(object: &ObjectType, limits: TextLimits, rng: &mut (impl Rng + ?Sized)) -> Json {
    let mut members = Object::new();
    for field in &object.fields {
        if field.required || rng.random_bool(0.5) {
            members.push(field.name.clone(), random_value(field, limits, rng));
        }
    }
    if object.open && rng.random_bool(0.5) {
        members.push("plugfestMore", random_any(rng));
    }
    Json::Object(members)
}

fn random_value(field: &Field, limits: TextLimits, rng: &mut (impl Rng + ?Sized)) -> Json {
    let Some((_, max)) = field.array else {
        return random_item(field, limits, rng);
    };
    let least = least_items(field);
    let most = max.map_or(least + 3, |max| (max as usize).min(least + 3));
    let count = rng.random_range(least..=most);
    Json::Array((0..count).map(|_| random_item(field, limits, rng)).collect())
}

fn random_item(field: &Field, limits: TextLimits, rng: &mut (impl Rng + ?Sized)) -> Json {
    match &field.ty {
        Type::Object(object) => random_object(object, limits, rng),
        Type::Str { max, ident, .. } => {
            let max = max.unwrap_or(UNLIMITED) as usize;
            Json::from(random_text(max, *ident, rng))
        }
        Type::Int { .. } => {
            let (min, max) = int_bounds(field);
            let small = rng.random_range(min.max(-10).min(max)..=max.min(1000).max(min));
            Json::from(match rng.random_range(0..8) {
                0 => min,
                1 => max,
                2 => rng.random_range(min..=max),
                _ => small,
            })
        }
        Type::Decimal { places } => random_decimal(places.or(field.text_places).unwrap_or(3), rng),
        Type::Bool => Json::from(rng.random_bool(0.5)),
        Type::DateTime => {
            let most = limits.second_digits.unwrap_or(7) as usize;
            Json::from(random_date_time(most, rng))
        }
        Type::Uri => {
            let scheme = ["ftp", "ftps", "http", "https", "sftp"][rng.random_range(0..5)];
            let user = ["", "user@", "user:p%40ss@"][rng.random_range(0..3)];
            Json::from(format!(
                "{scheme}://{user}host-{}.example/dir/{}",
                rng.random::<u8>(),
                rng.random::<u16>()
            ))
        }
        Type::Enum(of) => Json::from(&of.literals[rng.random_range(0..of.literals.len())]),
        Type::Any => random_any(rng),
    }
}

fn random_any(rng: &mut (impl Rng + ?Sized)) -> Json {
    [Json::Null, Json::from("any"), Json::from(1), Json::empty()][rng.random_range(0..4)].clone()
}

fn random_text(max: usize, ident: bool, rng: &mut (impl Rng + ?Sized)) -> String {
    let length = match rng.random_range(0..6) {
        0 => max,
        1 => 0,
        _ => rng.random_range(0..=max.min(24)),
    };
    let exotic = !ident && rng.random_bool(0.2);
    let mut character = || match rng.random_range(0..10) {
        0 if exotic => ['é', 'ß', '中', '😀', '\u{7f}', '\u{200f}'][rng.random_range(0..6)],
        1 if exotic => ['"', '\\', '\n', '\u{1}', '<', '&'][rng.random_range(0..6)],
        _ if ident => char::from(IDENTIFIER[rng.random_range(0..IDENTIFIER.len())]),
        _ => char::from(rng.random_range(b' '..=b'~')),
    };
    (0..length).map(|_| character()).collect()
}

fn random_decimal(places: u32, rng: &mut (impl Rng + ?Sized)) -> Json {
    let whole = rng.random_range(-100..100_000_i32);
    let tenth = rng.random_range(0..10);
    let text = match rng.random_range(0..4) {
        0 => whole.to_string(),
        1 => format!("{whole}.0"),
        2 if whole != 0 => format!("{whole}e1"),
        _ if places > 0 => format!("{whole}.{tenth}"),
        _ => whole.to_string(),
    };
    Json::Number(Number::of_valid(text))
}

fn random_date_time(most_digits: usize, rng: &mut (impl Rng + ?Sized)) -> String {
    // From 1970 to 2100: what a station or a CSMS may have to write.
    let instant = Timestamp::from_secs(rng.random_range(0..4_102_444_800));
    let text = instant.to_rfc3339();
    let seconds = &text[..19];
    let digits = rng.random_range(0..=most_digits);
    let fraction: String = match digits {
        0 => String::new(),
        n => format!(".{}", &"123456789"[..n]),
    };
    let offset = ["Z", "Z", "+00:00", "+02:00", "-11:30", "z"][rng.random_range(0..6)];
    format!("{seconds}{fraction}{offset}")
}

fn other_array(field: &Field, items: &[Json], n: usize) -> Option<Json> {
    let most = field
        .array
        .and_then(|(_, max)| max)
        .map_or(usize::MAX, |max| max as usize);
    // One item more, then other first items.
    let may_grow = items.len() < most;
    if may_grow && n == 0 {
        let mut items = items.to_vec();
        items.push(canonical_item(field));
        return Some(Json::Array(items));
    }
    let first = other_item(field, items.first()?, n - usize::from(may_grow))?;
    let mut items = items.to_vec();
    items[0] = first;
    Some(Json::Array(items))
}

fn other_item(field: &Field, current: &Json, n: usize) -> Option<Json> {
    let fits = |candidate: &Json| !equal(&field.ty, candidate, current);
    match (&field.ty, current) {
        (Type::Object(object), Json::Object(members)) => other_object(object, members, n),
        (Type::Bool, Json::Bool(value)) => (n == 0).then(|| Json::from(!value)),
        (Type::Enum(of), _) => of.literals.iter().map(Json::from).filter(fits).nth(n),
        (Type::Int { .. }, Json::Number(number)) => {
            let (min, max) = int_bounds(field);
            let (value, step) = (number.as_i64()?, i64::try_from(n).ok()? + 1);
            let up = value.checked_add(step).filter(|up| (min..=max).contains(up));
            // Down from the value once there is no more room above it.
            let room = (max - value.min(max)).max(0);
            let down = value
                .checked_sub(step - room)
                .filter(|down| (min..=max).contains(down));
            up.or(down).map(Json::from)
        }
        (Type::Decimal { .. }, Json::Number(number)) => {
            let step = i64::try_from(n).ok()? + 1;
            Some(Json::from(
                number
                    .as_decimal()?
                    .checked_add(rust_decimal::Decimal::from(step))?,
            ))
        }
        (Type::DateTime, Json::String(text)) => {
            let Ok(instant) = Timestamp::parse(text) else {
                return Some(canonical_item(field));
            };
            let away = Duration::from_secs(86_400 * 400 * (n as u64 / 2 + 1));
            let other = if n.is_multiple_of(2) {
                instant.plus(away)
            } else {
                instant.minus(away)
            };
            Some(Json::from(other.to_rfc3339()))
        }
        (Type::Str { max, .. }, Json::String(text)) => {
            let candidates = other_texts(text, max.unwrap_or(UNLIMITED) as usize);
            candidates.map(Json::from).filter(fits).nth(n)
        }
        (Type::Uri, Json::String(_)) => (0..)
            .map(|k| Json::from(format!("https://other-{k}.example/")))
            .filter(fits)
            .nth(n),
        (Type::Any, _) => (0..)
            .map(|k| Json::from(format!("other-{k}")))
            .filter(fits)
            .nth(n),
        // What is there is not of the type at all: any legal value is another one.
        _ => (n == 0).then(|| canonical_item(field)),
    }
}

/// Texts that differ from one another; a number is followed by numbers, a truth value by the other one.
fn other_texts(text: &str, max: usize) -> impl Iterator<Item = String> {
    let number = text.parse::<i64>().ok();
    let flipped = match text {
        "true" => Some("false".to_owned()),
        "false" => Some("true".to_owned()),
        _ => None,
    };
    let plain = (0..1_000_usize).map(move |k| match number {
        Some(value) => value.saturating_add_unsigned(k as u64 + 1).to_string(),
        None if max >= 9 => format!("other-{k}"),
        None => k.to_string(),
    });
    flipped
        .into_iter()
        .chain(plain)
        .filter(move |text| text.chars().count() <= max)
}

fn other_object(object: &ObjectType, members: &Object, n: usize) -> Option<Json> {
    let mut left = n;
    for field in &object.fields {
        let Some(value) = members.get(&field.name) else {
            continue;
        };
        let other = match (field.array, value) {
            (Some(_), Json::Array(items)) => other_array(field, items, 0),
            _ => other_item(field, value, 0),
        };
        let Some(other) = other else { continue };
        if left == 0 {
            let mut members = members.clone();
            members.insert(field.name.clone(), other);
            return Some(Json::Object(members));
        }
        left -= 1;
    }
    let absent = object
        .fields
        .iter()
        .filter(|field| !members.contains_key(&field.name));
    let field = absent.into_iter().nth(left)?;
    let mut members = members.clone();
    members.insert(field.name.clone(), canonical(field));
    Some(Json::Object(members))
}

/// The fewest items that schema and text allow.
fn least_items(field: &Field) -> usize {
    let schema = field.array.map_or(0, |(min, _)| min as usize);
    let text = field
        .text_bounds
        .and_then(|(min, _)| min)
        .and_then(|min| usize::try_from(min).ok());
    schema.max(text.unwrap_or(0))
}

/// The bounds that schema, text and 32 bits allow an integer together.
fn int_bounds(field: &Field) -> (i64, i64) {
    let (text_min, text_max) = field
        .text_bounds
        .filter(|_| field.array.is_none())
        .unwrap_or_default();
    let (min, max) = match field.ty {
        Type::Int { min, max } => (min, max),
        _ => (None, None),
    };
    let lowest = [min, text_min]
        .into_iter()
        .flatten()
        .chain([i64::from(i32::MIN)])
        .max();
    let highest = [max, text_max]
        .into_iter()
        .flatten()
        .chain([i64::from(i32::MAX)])
        .min();
    (
        lowest.unwrap_or(i64::from(i32::MIN)),
        highest.unwrap_or(i64::from(i32::MAX)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::pointer;
    use crate::object;
    use crate::validate::validate;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn each_message(mut visit: impl FnMut(&'static Edition, &'static str, Part)) {
        for edition in Edition::all() {
            for action in edition.actions() {
                visit(edition, &action.name, Part::Request);
                visit(edition, &action.name, Part::Response);
            }
        }
    }

    #[test]
    fn every_sample_is_legal_in_schema_and_text() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        each_message(|edition, action, part| {
            let mut samples = vec![minimal(edition, action, part), maximal(edition, action, part)];
            samples.extend((0..25).map(|_| random(edition, action, part, &mut rng)));
            for sample in samples {
                let found = validate(edition, action, part, &sample);
                assert!(found.is_empty(), "{action} {part}: {sample}\n{found:?}");
                assert_eq!(Json::parse(&sample.to_string()).as_ref(), Ok(&sample));
            }
        });
    }

    #[test]
    fn the_same_seed_gives_the_same_sample() {
        let sample = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            random(Edition::ocpp16(), "StopTransaction", Part::Request, &mut rng).to_string()
        };
        assert_eq!(sample(7), sample(7));
        assert_ne!(sample(7), sample(8));
    }

    #[test]
    fn canonical_samples_read_like_the_real_thing() {
        let edition = Edition::ocpp16();
        let status = minimal(edition, "StatusNotification", Part::Request);
        assert_eq!(
            status,
            object! { "connectorId": 1, "status": "Available", "errorCode": "NoError" }
        );
        assert_eq!(minimal(edition, "Heartbeat", Part::Request), Json::empty());
        assert_eq!(minimal(edition, "NoSuchAction", Part::Request), Json::empty());
        let values = minimal(edition, "MeterValues", Part::Request);
        assert_eq!(
            values.pointer("/meterValue/0/sampledValue/0/value"),
            Some(&Json::from("1200"))
        );
        let maximal = maximal(edition, "BootNotification", Part::Request);
        assert_eq!(
            maximal.get("chargePointVendor").unwrap().as_str().unwrap().len(),
            20
        );
    }

    /// Every place of a payload, composed ones included.
    fn places(json: &Json, at: &str, found: &mut Vec<(String, Json)>) {
        if !at.is_empty() {
            found.push((at.to_owned(), json.clone()));
        }
        match json {
            Json::Object(members) => {
                members
                    .iter()
                    .for_each(|(key, value)| places(value, &pointer::join(at, key), found));
            }
            Json::Array(items) => {
                let each = items.iter().enumerate();
                each.for_each(|(n, item)| places(item, &pointer::join(at, &n.to_string()), found));
            }
            _ => {}
        }
    }

    #[test]
    fn another_legal_value_is_legal_and_different() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut tried = 0;
        each_message(|edition, action, part| {
            for sample in [maximal(edition, action, part), minimal(edition, action, part), {
                random(edition, action, part, &mut rng)
            }] {
                let mut found = Vec::new();
                places(&sample, "", &mut found);
                // The largest payloads of 2.0.1 have more than a thousand places: some of them, spread evenly.
                let step = found.len().div_ceil(150).max(1);
                for (at, current) in found.into_iter().step_by(step) {
                    if edition.field(action, part, &at).is_none() {
                        // What an open object holds beyond its fields is of no type.
                        continue;
                    }
                    let others: Vec<Json> = (0..3)
                        .map_while(|n| another_legal(edition, action, part, &at, &current, n))
                        .collect();
                    assert!(
                        !others.is_empty(),
                        "{action} {part} {at}: no other value than {current}"
                    );
                    for (n, other) in others.iter().enumerate() {
                        let same = crate::equal_at(edition, action, part, &at, other, &current);
                        assert!(!same, "{action} {part} {at}: {other} equals {current}");
                        assert!(
                            !others[..n].contains(other),
                            "{action} {part} {at}: {other} comes twice"
                        );
                        let mut changed = sample.clone();
                        assert!(changed.set_pointer(&at, other.clone()));
                        let violations = validate(edition, action, part, &changed);
                        assert!(
                            violations.is_empty(),
                            "{action} {part} {at}: {other}\n{violations:?}"
                        );
                        tried += 1;
                    }
                }
            }
        });
        assert!(tried > 1_000, "{tried}");
    }

    #[test]
    fn values_run_out_where_the_type_has_no_more() {
        let edition = Edition::ocpp16();
        let other =
            |pointer, current: Json, n| another_legal(edition, "Reset", Part::Request, pointer, &current, n);
        assert_eq!(other("/type", Json::from("Soft"), 0), Some(Json::from("Hard")));
        assert_eq!(other("/type", Json::from("Soft"), 1), None);
        assert_eq!(other("/nothing", Json::Null, 0), None);
    }
}
