//! A JSON number as the text it came in.

use std::fmt;

use rust_decimal::Decimal;

/// A JSON number, kept as text. Two numbers are equal where their values are: `1.0`, `1` and `10e-1`.
#[derive(Clone)]
pub struct Number(Box<str>);

/// Value of a number in lowest terms: sign, digits without zeros at either end, power of ten.
/// Zero has no digits.
#[derive(PartialEq, Eq)]
struct Normal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Number {
    /// Takes a text that follows the JSON grammar of numbers, exactly.
    pub fn parse(text: &str) -> Option<Self> {
        (Self::length(text.as_bytes()) == Some(text.len())).then(|| Self(text.into()))
    }

    /// For text that the scanner or a serialiser vouches for.
    pub(crate) fn of_valid(text: impl Into<Box<str>>) -> Self {
        let number = Self(text.into());
        debug_assert_eq!(Self::length(number.0.as_bytes()), Some(number.0.len()));
        number
    }

    /// How many bytes at the front of `bytes` make a JSON number; `None` where none does.
    pub(crate) fn length(bytes: &[u8]) -> Option<usize> {
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut at = usize::from(bytes.first() == Some(&b'-'));
        match digits(at) {
            0 => return None,
            n if n > 1 && bytes[at] == b'0' => return None,
            n => at += n,
        }
        if bytes.get(at) == Some(&b'.') {
            match digits(at + 1) {
                0 => return None,
                n => at += 1 + n,
            }
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            match digits(at + 1 + sign) {
                0 => return None,
                n => at += 1 + sign + n,
            }
        }
        Some(at)
    }

    /// The text as it came.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// True where the value has no fraction, however it is spelt.
    pub fn is_integer(&self) -> bool {
        self.is_plain_integer() || self.normal().exponent >= 0
    }

    /// True where the text has neither fraction nor exponent: `1`, but not `1.0` or `1e0`.
    pub fn is_plain_integer(&self) -> bool {
        !self.0.contains(['.', 'e', 'E'])
    }

    /// The value, where it is an integer and fits.
    pub fn as_i64(&self) -> Option<i64> {
        if self.is_plain_integer() {
            return self.0.parse().ok();
        }
        let normal = self.normal();
        // 19 digits are the most that fit; this also bounds the power below.
        if !(0..19).contains(&normal.exponent) && !normal.digits.is_empty() {
            return None;
        }
        let digits = if normal.digits.is_empty() {
            0
        } else {
            normal.digits.parse::<i128>().ok()?
        };
        let value = digits.checked_mul(10_i128.checked_pow(u32::try_from(normal.exponent).ok()?)?)?;
        i64::try_from(if normal.negative { -value } else { value }).ok()
    }

    /// The exact value, where 28 digits and 28 places suffice for it.
    pub fn as_decimal(&self) -> Option<Decimal> {
        let normal = self.normal();
        if normal.digits.is_empty() {
            return Some(Decimal::ZERO);
        }
        let mut value = normal.digits.parse::<i128>().ok()?;
        let scale = if normal.exponent < 0 {
            u32::try_from(normal.exponent.checked_neg()?)
                .ok()
                .filter(|&scale| scale <= Decimal::MAX_SCALE)?
        } else {
            value = value.checked_mul(10_i128.checked_pow(u32::try_from(normal.exponent).ok()?)?)?;
            0
        };
        Decimal::try_from_i128_with_scale(if normal.negative { -value } else { value }, scale).ok()
    }

    /// How many decimal places the value needs: 0 for `10`, 1 for `0.50`.
    pub fn decimal_places(&self) -> u64 {
        self.normal().exponent.min(0).unsigned_abs()
    }

    /// True for a value below zero.
    pub fn is_negative(&self) -> bool {
        self.0.starts_with('-') && !self.normal().digits.is_empty()
    }

    fn normal(&self) -> Normal {
        let (negative, rest) = match self.0.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, &*self.0),
        };
        let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = String::with_capacity(whole.len() + fraction.len());
        digits.push_str(whole);
        digits.push_str(fraction);
        let trailing = digits.len() - digits.trim_end_matches('0').len();
        digits.truncate(digits.len() - trailing);
        let digits = digits.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Normal {
                negative: false,
                digits,
                exponent: 0,
            };
        }
        // An exponent too long for 64 bits saturates: such numbers differ from every ordinary one.
        let power = power.parse::<i64>().unwrap_or(if power.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        });
        let shift =
            i64::try_from(trailing).unwrap_or(i64::MAX) - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        Normal {
            negative,
            digits,
            exponent: power.saturating_add(shift),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.normal() == other.normal()
    }
}

impl Eq for Number {}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::of_valid(value.to_string())
    }
}

impl From<Decimal> for Number {
    fn from(value: Decimal) -> Self {
        Self::of_valid(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn the_grammar_is_that_of_json() {
        for good in ["0", "-0", "10", "1.5", "1e5", "1E+5", "-1.25e-07"] {
            assert!(Number::parse(good).is_some(), "{good}");
        }
        for bad in [
            "", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1", "1 ", "NaN", "٣",
        ] {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn values_compare_as_decimals() {
        for (a, b) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0", "-0.0"),
            ("0.10", "1E-1"),
            ("1e400", "10e399"),
        ] {
            assert_eq!(number(a), number(b), "{a} {b}");
        }
        for (a, b) in [("1", "-1"), ("1", "10"), ("0.1", "0.11"), ("1e400", "1e401")] {
            assert_ne!(number(a), number(b), "{a} {b}");
        }
    }

    #[test]
    fn integers_and_decimals_are_exact_or_absent() {
        assert_eq!(number("1.50e1").as_i64(), Some(15));
        assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(number("9223372036854775808").as_i64(), None);
        assert_eq!(number("1e30").as_i64(), None);
        assert_eq!(number("0e99").as_i64(), Some(0));
        assert_eq!(number("1.5").as_i64(), None);
        assert!(number("1.0").is_integer() && !number("1.0").is_plain_integer());
        assert!(!number("1.5").is_integer());
        assert_eq!(number("16.10").as_decimal().unwrap().to_string(), "16.1");
        assert_eq!(number("-2e3").as_decimal().unwrap().to_string(), "-2000");
        assert_eq!(number("1e400").as_decimal(), None);
        assert_eq!(number("0.1000000000000000000000000000001").as_decimal(), None);
        assert_eq!(number("1e99999999999999999999").as_decimal(), None);
        assert_eq!(number("8.10").decimal_places(), 1);
        assert!(number("-1").is_negative() && !number("-0").is_negative());
    }
}
