//! The samples in MeterValues and in the transactionData of StopTransaction, with the standard's defaults filled in.

use plugfest_protocol::{Json, Timestamp};
use rust_decimal::Decimal;

use crate::rule::Seen;
use crate::rules::support::{instant, int, text};

/// The register that all others default to (OCPP-1.6 7.31).
pub(in crate::rules) const IMPORT: &str = "Energy.Active.Import.Register";

/// Values from here on are not reckoned with.
pub(in crate::rules) const MOST: Decimal = Decimal::from_parts(0xA764_0000, 0x0DE0_B6B3, 0, false, 0);

/// One sampled value.
#[derive(Debug)]
pub(in crate::rules) struct Sample<'a> {
    /// Where it stands in the request.
    pub(in crate::rules) pointer: String,
    /// Index of the meter value that it belongs to: its samples were taken at one moment.
    pub(in crate::rules) group: usize,
    /// When it was taken.
    pub(in crate::rules) taken: Option<Timestamp>,
    /// As it was sent.
    pub(in crate::rules) text: &'a str,
    /// As a number, where it is a raw one.
    pub(in crate::rules) number: Option<Decimal>,
    /// What was measured.
    pub(in crate::rules) measurand: &'a str,
    /// Why it was sampled.
    pub(in crate::rules) context: &'a str,
    /// Where it was measured.
    pub(in crate::rules) location: &'a str,
    /// Which phase, if any.
    pub(in crate::rules) phase: Option<&'a str>,
    /// Its unit, if any was given.
    pub(in crate::rules) unit: Option<&'a str>,
    /// True where it is a plain number.
    pub(in crate::rules) raw: bool,
}

/// A request of the station with samples.
#[derive(Debug)]
pub(in crate::rules) struct Reading<'a> {
    /// Its connector; `None` for a StopTransaction.
    pub(in crate::rules) connector: Option<i64>,
    /// Its transaction.
    pub(in crate::rules) transaction: Option<i64>,
    /// Its samples in order.
    pub(in crate::rules) samples: Vec<Sample<'a>>,
}

impl<'a> Reading<'a> {
    /// The samples of a request, if it has any.
    pub(in crate::rules) fn of(seen: &Seen<'a>) -> Option<Self> {
        let (action, payload) = seen.dut_call()?;
        let field = match action {
            "MeterValues" => "meterValue",
            "StopTransaction" => "transactionData",
            _ => return None,
        };
        let values = payload.get(field).and_then(Json::as_array)?;
        let mut samples = Vec::new();
        for (group, value) in values.iter().enumerate() {
            let taken = instant(value, "timestamp");
            let sampled = value
                .get("sampledValue")
                .and_then(Json::as_array)
                .unwrap_or_default();
            for (n, sampled) in sampled.iter().enumerate() {
                let Some(text) = text(sampled, "value") else {
                    continue;
                };
                samples.push(Sample::of(
                    sampled,
                    text,
                    taken,
                    group,
                    format!("/{field}/{group}/sampledValue/{n}"),
                ));
            }
        }
        let (connector, transaction) = (int(payload, "connectorId"), int(payload, "transactionId"));
        Some(Self {
            connector,
            transaction,
            samples,
        })
    }
}

impl<'a> Sample<'a> {
    fn of(json: &'a Json, value: &'a str, taken: Option<Timestamp>, group: usize, pointer: String) -> Self {
        let raw = text(json, "format").is_none_or(|format| format == "Raw");
        Self {
            pointer,
            group,
            taken,
            text: value,
            number: decimal(value).filter(|_| raw),
            measurand: text(json, "measurand").unwrap_or(IMPORT),
            context: text(json, "context").unwrap_or("Sample.Periodic"),
            location: text(json, "location").unwrap_or("Outlet"),
            phase: text(json, "phase"),
            unit: text(json, "unit"),
            raw,
        }
    }

    /// True for registers of energy, which only rise.
    pub(in crate::rules) fn is_register(&self) -> bool {
        self.measurand.starts_with("Energy.") && self.measurand.ends_with(".Register")
    }

    /// True for the register that meterStart and meterStop are read from.
    pub(in crate::rules) fn is_main_register(&self) -> bool {
        self.measurand == IMPORT && self.location == "Outlet" && self.phase.is_none()
    }

    /// The value in Wh, varh, W or var, and the least step that it was written with.
    pub(in crate::rules) fn base(&self) -> Option<(Decimal, Decimal)> {
        let kilo = self.unit.is_some_and(|unit| unit.starts_with('k'));
        let factor = if kilo { Decimal::ONE_THOUSAND } else { Decimal::ONE };
        // No register holds more than a billion billion Wh; sums of what is left cannot overflow.
        let number = self.number.filter(|number| number.abs() < MOST)?;
        let step = Decimal::new(1, number.scale());
        Some((number.checked_mul(factor)?, step.checked_mul(factor)?))
    }
}

/// A decimal number in plain notation.
pub(in crate::rules) fn decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let framed =
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.ends_with(|c: char| c.is_ascii_digit());
    if plain && framed { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::{MOST, decimal};

    #[test]
    fn the_bound_is_a_billion_billion() {
        assert_eq!(MOST, Decimal::from(1_000_000_000_000_000_000_i64));
    }

    #[test]
    fn only_plain_numbers_are_decimals() {
        for text in ["0", "-1", "12.50", "007"] {
            assert!(decimal(text).is_some(), "{text}");
        }
        for text in ["", " 0.0", "1e3", "+1", ".5", "5.", "1,5", "NaN", "--1", "1.2.3"] {
            assert!(decimal(text).is_none(), "{text}");
        }
    }
}
