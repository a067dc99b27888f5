//! Native checks: functions that a `check` may call, with positional arguments.

use plugfest_protocol::{Json, Number, Timestamp};

/// A native check: its arguments in, a value out, or why it cannot be computed.
pub(crate) type Native = fn(&[Json]) -> Result<Json, String>;

/// Names and numbers of arguments of all native checks.
pub const NATIVES: &[(&str, usize)] = &[
    ("meter_not_below", 2),
    ("rising", 2),
    ("spaced", 3),
    ("gapless", 3),
    ("gapless_sorted", 3),
    ("backed_off", 4),
    ("seconds_between", 2),
    ("samples", 2),
    ("number", 1),
    ("composite_flaw", 3),
    ("csr_sound", 1),
];

/// The native check of that name.
pub(crate) fn native(name: &str) -> Option<Native> {
    Some(match name {
        "meter_not_below" => meter_not_below,
        "rising" => rising,
        "spaced" => spaced,
        "gapless" => gapless,
        "gapless_sorted" => gapless_sorted,
        "seconds_between" => seconds_between,
        "samples" => samples,
        "number" => number,
        "composite_flaw" => crate::ocpp16::charging::composite_flaw,
        _ => return None,
    })
}

/// `meter_not_below(later, earlier)`: no register runs backwards.
fn meter_not_below(args: &[Json]) -> Result<Json, String> {
    let (later, earlier) = (decimal(arg(args, 0)?)?, decimal(arg(args, 1)?)?);
    Ok(Json::Bool(later >= earlier))
}

/// `rising(list, "field")`: that field of each message is later, or greater, than in the message before. The field is
/// looked for at the top of the message and in the elements of its lists.
fn rising(args: &[Json]) -> Result<Json, String> {
    let values = column(args)?;
    Ok(Json::Bool(values.windows(2).all(|pair| pair[0] < pair[1])))
}

/// `spaced(list, "field", d)`: neighbours lie d seconds apart, give or take a second and a tenth.
fn spaced(args: &[Json]) -> Result<Json, String> {
    let step = decimal(arg(args, 2)?)?;
    let values = column(args)?;
    let slack = step / rust_decimal::Decimal::TEN + rust_decimal::Decimal::ONE;
    Ok(Json::Bool(
        values
            .windows(2)
            .all(|pair| (pair[1] - pair[0] - step).abs() <= slack),
    ))
}

/// `gapless(list, "field", first)`: the field counts up by one from `first`, in order of arrival.
fn gapless(args: &[Json]) -> Result<Json, String> {
    let first = decimal(arg(args, 2)?)?;
    let values = column(args)?;
    Ok(Json::Bool(counts_up(&values, first)))
}

/// As `gapless`, whatever the order of arrival.
fn gapless_sorted(args: &[Json]) -> Result<Json, String> {
    let first = decimal(arg(args, 2)?)?;
    let mut values = column(args)?;
    values.sort();
    Ok(Json::Bool(counts_up(&values, first)))
}

/// `seconds_between(a, b)`: how much later b is than a.
fn seconds_between(args: &[Json]) -> Result<Json, String> {
    let (a, b) = (moment(arg(args, 0)?)?, moment(arg(args, 1)?)?);
    let micros = rust_decimal::Decimal::from(b.as_micros() - a.as_micros());
    Ok(Json::from(micros / rust_decimal::Decimal::from(1_000_000)))
}

/// `samples(messages, "Measurand")`: all values of one measurand in a message or a list of messages, in order. A
/// sampled value without measurand is the active import register (OCPP-1.6 7.33).
fn samples(args: &[Json]) -> Result<Json, String> {
    let wanted = arg(args, 1)?
        .as_str()
        .ok_or("the second argument is a measurand")?;
    let mut found = Vec::new();
    collect_samples(arg(args, 0)?, wanted, &mut found);
    Ok(Json::Array(found))
}

/// `number(text)`: the number that a text says, for fields that the standard writes as text.
fn number(args: &[Json]) -> Result<Json, String> {
    decimal(arg(args, 0)?).map(Json::from)
}

fn collect_samples(value: &Json, wanted: &str, found: &mut Vec<Json>) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| collect_samples(item, wanted, found)),
        Json::Object(object) => {
            if let Some(sampled) = object.get("sampledValue").and_then(Json::as_array) {
                for sample in sampled {
                    let measurand = sample
                        .get("measurand")
                        .and_then(Json::as_str)
                        .unwrap_or("Energy.Active.Import.Register");
                    if measurand == wanted
                        && let Some(value) = sample.get("value")
                    {
                        let number = decimal(value).map_or_else(|_| value.clone(), Json::from);
                        found.push(number);
                    }
                }
            }
            for (name, inner) in object.iter() {
                if name != "sampledValue" {
                    collect_samples(inner, wanted, found);
                }
            }
        }
        _ => {}
    }
}

fn counts_up(values: &[rust_decimal::Decimal], first: rust_decimal::Decimal) -> bool {
    values
        .iter()
        .enumerate()
        .all(|(i, v)| *v == first + rust_decimal::Decimal::from(i as u64))
}

fn arg(args: &[Json], i: usize) -> Result<&Json, String> {
    args.get(i)
        .ok_or_else(|| format!("argument {} is missing", i + 1))
}

/// The values of a field over a list of messages, as numbers; moments count as seconds.
fn column(args: &[Json]) -> Result<Vec<rust_decimal::Decimal>, String> {
    let list = arg(args, 0)?
        .as_array()
        .ok_or("the first argument is a list of messages")?;
    let field = arg(args, 1)?
        .as_str()
        .ok_or("the second argument is the name of a field")?;
    let mut values = Vec::new();
    for message in list {
        let before = values.len();
        gather(message, field, &mut values)?;
        if values.len() == before {
            return Err(format!("a message has no {field}"));
        }
    }
    Ok(values)
}

fn gather(value: &Json, field: &str, out: &mut Vec<rust_decimal::Decimal>) -> Result<(), String> {
    match value {
        Json::Object(object) => {
            if let Some(there) = object.get(field) {
                out.push(decimal(there)?);
                return Ok(());
            }
            for (_, inner) in object.iter() {
                gather(inner, field, out)?;
            }
            Ok(())
        }
        Json::Array(items) => items.iter().try_for_each(|item| gather(item, field, out)),
        _ => Ok(()),
    }
}

fn moment(value: &Json) -> Result<Timestamp, String> {
    let text = value.as_str().ok_or_else(|| format!("{value} is no date-time"))?;
    Timestamp::parse(text).map_err(|e| format!("{text} is no date-time: {e}"))
}

/// A number, the text of a number, or a moment in seconds.
fn decimal(value: &Json) -> Result<rust_decimal::Decimal, String> {
    if let Some(number) = value.as_decimal() {
        return Ok(number);
    }
    if let Some(number) = value
        .as_str()
        .and_then(Number::parse)
        .and_then(|n| n.as_decimal())
    {
        return Ok(number);
    }
    let micros = rust_decimal::Decimal::from(moment(value)?.as_micros());
    Ok(micros / rust_decimal::Decimal::from(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn a_register_that_runs_backwards_is_seen() {
        assert_eq!(meter_not_below(&[json("10"), json("10")]), Ok(Json::Bool(true)));
        assert_eq!(
            meter_not_below(&[json("9"), json("\"10\"")]),
            Ok(Json::Bool(false))
        );
    }

    #[test]
    fn distances_are_judged() {
        let list = r#"[{"timestamp":"2026-01-01T00:00:00Z"},{"timestamp":"2026-01-01T00:00:10Z"}]"#;
        assert_eq!(
            spaced(&[json(list), json("\"timestamp\""), json("10")]),
            Ok(Json::Bool(true))
        );
        assert_eq!(
            spaced(&[json(list), json("\"timestamp\""), json("20")]),
            Ok(Json::Bool(false))
        );
        assert_eq!(rising(&[json(list), json("\"timestamp\"")]), Ok(Json::Bool(true)));
    }

    #[test]
    fn a_gap_is_seen() {
        let list = r#"[{"seqNo":0},{"seqNo":2},{"seqNo":1}]"#;
        assert_eq!(
            gapless(&[json(list), json("\"seqNo\""), json("0")]),
            Ok(Json::Bool(false))
        );
        assert_eq!(
            gapless_sorted(&[json(list), json("\"seqNo\""), json("0")]),
            Ok(Json::Bool(true))
        );
    }

    #[test]
    fn a_missing_field_is_an_error_and_not_true() {
        assert!(rising(&[json("[{}]"), json("\"timestamp\"")]).is_err());
    }

    #[test]
    fn every_declared_native_but_the_reserved_ones_exists() {
        for (name, _) in NATIVES {
            let reserved = matches!(*name, "csr_sound" | "backed_off");
            assert_eq!(native(name).is_none(), reserved, "{name}");
        }
    }
}
