//! Instants, and the text in which the protocols write them.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// An instant: microseconds since 1970-01-01T00:00:00Z. It is the instant of the whole project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// The shape of a date-time text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 3339 §5.6: what the schemas' `date-time` format asks for.
    Rfc3339,
    /// ISO 8601, but not RFC 3339: no offset, `+0100`, `+01`, no seconds, a decimal comma, 24:00:00, or the
    /// basic format. The text of OCPP 1.6 (§3.15) asks for ISO 8601, its schemas for RFC 3339.
    Iso8601Lenient,
}

/// A date-time text, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTimeText {
    /// The instant; a text without offset is read as UTC.
    pub instant: Timestamp,
    /// Offset from UTC in minutes; `None` where the text has none.
    pub offset: Option<i32>,
    /// Digits of the fraction of a second as written.
    pub fraction_digits: usize,
    /// Which grammar it follows.
    pub form: Form,
}

/// Why a text is no date-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DateTimeError(&'static str);

impl Timestamp {
    /// The instant that many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant that many milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// The instant that many seconds after the epoch.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Reads a date-time text and keeps only the instant.
    pub fn parse(text: &str) -> Result<Self, DateTimeError> {
        DateTimeText::parse(text).map(|read| read.instant)
    }

    /// RFC 3339 in UTC with milliseconds: `2024-05-01T12:00:00.000Z`.
    pub fn to_rfc3339(self) -> String {
        self.write("%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    /// RFC 3339 in UTC with microseconds, which loses nothing.
    pub fn to_rfc3339_micros(self) -> String {
        self.write("%Y-%m-%dT%H:%M:%S%.6fZ")
    }

    fn write(self, format: &str) -> String {
        // Every i64 of microseconds is in chrono's range of years (±292,000 of ±262,000 is not: clamp).
        let micros = self
            .0
            .clamp(-8_000_000_000_000_000_000, 8_000_000_000_000_000_000);
        DateTime::from_timestamp_micros(micros)
            .unwrap_or_default()
            .format(format)
            .to_string()
    }

    /// The instant a while later; stops at the end of time instead of wrapping.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The instant a while earlier; stops at the beginning of time instead of wrapping.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero where it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// How far apart two instants are, whichever comes first.
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_micros(self.0.abs_diff(other.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.plus(duration)
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        self.minus(duration)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self)
    }
}

impl DateTimeText {
    /// Reads a date-time in RFC 3339, or in the complete forms of ISO 8601 that occur in the field.
    pub fn parse(text: &str) -> Result<Self, DateTimeError> {
        Reader {
            rest: text,
            lenient: false,
        }
        .date_time()
    }
}

struct Reader<'a> {
    rest: &'a str,
    lenient: bool,
}

impl Reader<'_> {
    fn date_time(mut self) -> Result<DateTimeText, DateTimeError> {
        let (days, extended) = self.date()?;
        if !self.rest.starts_with(['T', 't']) {
            return Err(DateTimeError("a T was expected between date and time"));
        }
        self.rest = &self.rest[1..];
        let (seconds, micros, fraction_digits, leap) = self.time(extended)?;
        let offset = self.offset()?;
        if !self.rest.is_empty() {
            return Err(DateTimeError("there is more text behind the date-time"));
        }
        let local = days * SECONDS_PER_DAY + seconds;
        let utc = local - i64::from(offset.unwrap_or(0)) * 60;
        // A leap second is only ever the last one of a day in UTC.
        if leap && (utc.rem_euclid(SECONDS_PER_DAY) != 0) {
            return Err(DateTimeError(
                "second 60 is only legal at the end of a day in UTC",
            ));
        }
        Ok(DateTimeText {
            instant: Timestamp(utc * MICROS_PER_SECOND + micros),
            offset,
            fraction_digits,
            form: if self.lenient {
                Form::Iso8601Lenient
            } else {
                Form::Rfc3339
            },
        })
    }

    /// Days since the epoch, and whether the extended format (with hyphens) is used.
    fn date(&mut self) -> Result<(i64, bool), DateTimeError> {
        let year = self.digits(4, "a year of four digits was expected")?;
        let extended = self.take('-');
        self.lenient |= !extended;
        let month = self.digits(2, "a month of two digits was expected")?;
        if extended && !self.take('-') {
            return Err(DateTimeError("a hyphen was expected between month and day"));
        }
        let day = self.digits(2, "a day of two digits was expected")?;
        let date = i32::try_from(year)
            .ok()
            .and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
        let date = date.ok_or(DateTimeError("there is no such day"))?;
        Ok((
            date.signed_duration_since(NaiveDate::default()).num_days(),
            extended,
        ))
    }

    /// Seconds of the day, microseconds, digits of the fraction, and whether it is a leap second.
    fn time(&mut self, extended: bool) -> Result<(i64, i64, usize, bool), DateTimeError> {
        let hour = self.digits(2, "an hour of two digits was expected")?;
        if extended && !self.take(':') {
            return Err(DateTimeError("a colon was expected between hour and minute"));
        }
        let minute = self.digits(2, "a minute of two digits was expected")?;
        let has_second = if extended {
            self.take(':')
        } else {
            self.rest.starts_with(|c: char| c.is_ascii_digit())
        };
        let (mut second, mut micros, mut fraction_digits) = (0, 0, 0);
        if has_second {
            second = self.digits(2, "a second of two digits was expected")?;
            if self.rest.starts_with(['.', ',']) {
                self.lenient |= self.rest.starts_with(',');
                self.rest = &self.rest[1..];
                (micros, fraction_digits) = self.fraction()?;
            }
        } else {
            self.lenient = true;
        }
        if hour == 24 && minute == 0 && second == 0 && micros == 0 {
            self.lenient = true;
            return Ok((SECONDS_PER_DAY, 0, fraction_digits, false));
        }
        if hour > 23 || minute > 59 || second > 60 {
            return Err(DateTimeError("there is no such time of day"));
        }
        Ok((
            i64::from(hour * 3600 + minute * 60 + second),
            micros,
            fraction_digits,
            second == 60,
        ))
    }

    fn fraction(&mut self) -> Result<(i64, usize), DateTimeError> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return Err(DateTimeError("digits were expected in the fraction of a second"));
        }
        let micros = self
            .rest
            .bytes()
            .take(count)
            .chain(std::iter::repeat(b'0'))
            .take(6);
        let micros = micros.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        self.rest = &self.rest[count..];
        Ok((micros, count))
    }

    /// Offset in minutes.
    fn offset(&mut self) -> Result<Option<i32>, DateTimeError> {
        if self.take('Z') || self.take('z') {
            return Ok(Some(0));
        }
        let sign = match self.rest.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            Some(_) => return Err(DateTimeError("Z or an offset was expected behind the time")),
            None => {
                self.lenient = true;
                return Ok(None);
            }
        };
        self.rest = &self.rest[1..];
        let hours = self.digits(2, "an offset of two digits for the hours was expected")?;
        let minutes = if self.take(':') {
            self.digits(2, "an offset of two digits for the minutes was expected")?
        } else {
            self.lenient = true;
            if self.rest.is_empty() {
                0
            } else {
                self.digits(2, "an offset of four digits was expected")?
            }
        };
        if hours > 23 || minutes > 59 {
            return Err(DateTimeError("there is no such offset"));
        }
        Ok(Some(sign * i32::try_from(hours * 60 + minutes).unwrap_or(0)))
    }

    fn digits(&mut self, count: usize, what: &'static str) -> Result<u32, DateTimeError> {
        let digits = self
            .rest
            .get(..count)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let value = digits
            .and_then(|digits| digits.parse().ok())
            .ok_or(DateTimeError(what))?;
        self.rest = &self.rest[count..];
        Ok(value)
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> DateTimeText {
        DateTimeText::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn rfc3339_is_read_to_the_microsecond() {
        let noon = read("2024-05-01T12:00:00Z");
        assert_eq!(noon.instant, Timestamp::from_secs(1_714_564_800));
        assert_eq!(
            (noon.offset, noon.fraction_digits, noon.form),
            (Some(0), 0, Form::Rfc3339)
        );
        let same = read("2024-05-01t14:00:00.0000000+02:00");
        assert_eq!(
            (same.instant, same.offset, same.fraction_digits),
            (noon.instant, Some(120), 7)
        );
        assert_eq!(
            read("2024-05-01T12:00:00.123456789Z").instant.as_micros() % 1_000_000,
            123_456
        );
        assert_eq!(read("1969-12-31T23:59:59.5z").instant.as_micros(), -500_000);
        assert_eq!(read("2016-12-31T23:59:60Z").form, Form::Rfc3339);
        assert_eq!(read("2017-01-01T00:59:60+01:00").form, Form::Rfc3339);
    }

    #[test]
    fn iso8601_beyond_rfc3339_is_told_apart() {
        for text in [
            "2024-05-01T12:00:00",
            "2024-05-01T12:00:00.500",
            "2024-05-01T14:00:00+0200",
            "2024-05-01T14:00:00+02",
            "2024-05-01T12:00Z",
            "2024-05-01T12:00:00,0Z",
            "2024-04-30T24:00:00Z",
            "20240501T120000Z",
            "20240501T1200Z",
        ] {
            assert_eq!(read(text).form, Form::Iso8601Lenient, "{text}");
        }
        assert_eq!(
            read("2024-04-30T24:00:00Z").instant,
            read("2024-05-01T00:00:00Z").instant
        );
        assert_eq!(
            read("2024-05-01T14:00:00+0200").instant,
            read("2024-05-01T12:00:00Z").instant
        );
        assert_eq!(read("2024-05-01T12:00:00").offset, None);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "yesterday",
            "2024-05-01",
            "12:00:00Z",
            "2024-05-01 12:00:00Z",
            "2024-5-1T12:00:00Z",
            "2024-02-30T12:00:00Z",
            "2023-02-29T12:00:00Z",
            "2024-13-01T12:00:00Z",
            "2024-05-01T25:00:00Z",
            "2024-05-01T24:00:01Z",
            "2024-05-01T12:60:00Z",
            "2024-05-01T12:00:61Z",
            "2024-05-01T12:30:60Z",
            "2024-05-01T12:00:00.Z",
            "2024-05-01T12:00:00+24:00",
            "2024-05-01T12:00:00+01:60",
            "2024-05-01T12:00:00 Z",
            "2024-05-01T12:00:00ZZ",
            "2024-05-01T12:00:00Zx",
            "2024-05-01T12:00:00+1:00",
            "2024-0501T12:00:00Z",
            "+2024-05-01T12:00:00Z",
            "2024-05-01T12:00:00é",
            "２０24-05-01T12:00:00Z",
            "1714564800",
        ] {
            assert!(DateTimeText::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn instants_print_and_add() {
        let instant = Timestamp::from_micros(1_714_564_800_123_456);
        assert_eq!(instant.to_rfc3339(), "2024-05-01T12:00:00.123Z");
        assert_eq!(instant.to_rfc3339_micros(), "2024-05-01T12:00:00.123456Z");
        assert_eq!(Timestamp::parse(&instant.to_rfc3339_micros()), Ok(instant));
        assert_eq!(
            (instant + Duration::from_secs(1)).since(instant),
            Duration::from_secs(1)
        );
        assert_eq!((instant - Duration::from_secs(1)).since(instant), Duration::ZERO);
        assert_eq!(
            instant.distance(instant + Duration::from_millis(5)),
            Duration::from_millis(5)
        );
        assert!(Timestamp::from_micros(i64::MAX).to_rfc3339().ends_with('Z'));
        assert_eq!(
            Timestamp::from_micros(i64::MAX) + Duration::from_secs(1),
            Timestamp::from_micros(i64::MAX)
        );
    }
}
