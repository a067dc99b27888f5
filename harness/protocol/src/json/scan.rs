//! The scanner: JSON text to [`Json`], with every flaw named and every measure bounded.

use std::collections::HashSet;

use super::{Json, Number, Object, pointer};

/// How large a text may be before the scanner gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text.
    pub bytes: usize,
    /// Arrays and objects inside one another.
    pub depth: usize,
    /// Values of every kind together.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 100,
            values: 1 << 20,
        }
    }
}

/// Why a text is no JSON, or more than the limits allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {what}")]
pub struct JsonError {
    /// Byte of the text at which it went wrong.
    pub offset: usize,
    /// What was found or missed there.
    pub what: String,
    /// True where the text is beyond a limit of ours, and may be JSON for all we know.
    pub beyond_limits: bool,
}

/// What is wrong with a text that can still be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonFlaw {
    /// The text begins with a byte order mark (RFC 8259 §8.1 forbids it).
    Bom,
    /// A key stands twice in one object (RFC 8259 §4: names should be unique).
    DuplicateKey {
        /// Pointer to the key.
        pointer: String,
    },
    /// Half of a surrogate pair stands alone; it was read as U+FFFD.
    LoneSurrogate {
        /// Byte of the text at which the escape stands.
        offset: usize,
    },
    /// There is more behind the value than white space.
    TrailingData {
        /// Byte of the text at which it begins.
        offset: usize,
    },
}

impl JsonFlaw {
    /// The flaw as an error, where it is one for a strict reader. Duplicate keys are none.
    pub(super) fn as_error(&self) -> Option<JsonError> {
        let (offset, what) = match self {
            Self::DuplicateKey { .. } => return None,
            Self::Bom => (0, "a byte order mark stands before the text"),
            Self::LoneSurrogate { offset } => (*offset, "half of a surrogate pair stands alone"),
            Self::TrailingData { offset } => (*offset, "there is more text behind the value"),
        };
        Some(JsonError {
            offset,
            what: what.to_owned(),
            beyond_limits: false,
        })
    }
}

/// Duplicates among this few keys are looked for without a table.
pub(super) const FEW_KEYS: usize = 12;

/// No more duplicate keys than these are listed for one text: a hostile one could have a million.
const MOST_FLAWS: usize = 64;

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    limits: Limits,
    values: usize,
    flaws: Vec<JsonFlaw>,
}

pub(super) fn scan(text: &str, limits: Limits) -> (Result<Json, JsonError>, Vec<JsonFlaw>) {
    let mut scanner = Scanner {
        text,
        at: 0,
        limits,
        values: 0,
        flaws: Vec::new(),
    };
    let json = scanner.document();
    (json, scanner.flaws)
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<Json, JsonError> {
        if self.text.len() > self.limits.bytes {
            return Err(self.beyond(format!("the text is longer than {} bytes", self.limits.bytes)));
        }
        if self.text.starts_with('\u{feff}') {
            self.flaw(JsonFlaw::Bom);
            self.at = '\u{feff}'.len_utf8();
        }
        self.space();
        let json = self.value(0)?;
        self.space();
        if self.at < self.text.len() {
            self.flaw(JsonFlaw::TrailingData { offset: self.at });
        }
        Ok(json)
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(self.beyond(format!("there are more than {} values", self.limits.values)));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(_) => Err(self.wrong("a value was expected")),
            None => Err(self.wrong("the text ends where a value was expected")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.enter(depth)?;
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut many: Option<HashSet<String>> = None;
        if self.next_is(b'}') {
            return Ok(Json::Object(Object(members)));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in quotes was expected"));
            }
            let key = self.string()?;
            if !self.next_is(b':') {
                return Err(self.wrong("a colon was expected behind the key"));
            }
            self.space();
            let duplicate = if members.len() < FEW_KEYS {
                members.iter().any(|(name, _)| *name == key)
            } else {
                let seen = many.get_or_insert_with(|| members.iter().map(|(name, _)| name.clone()).collect());
                !seen.insert(key.clone())
            };
            let mark = self.flaws.len();
            if duplicate {
                self.flaw(JsonFlaw::DuplicateKey {
                    pointer: String::new(),
                });
            }
            let value = self.value(depth + 1)?;
            self.lengthen_pointers(mark, &key);
            members.push((key, value));
            if self.next_is(b',') {
                self.space();
                continue;
            }
            if self.next_is(b'}') {
                return Ok(Json::Object(Object(members)));
            }
            return Err(self.wrong("a comma or a closing brace was expected"));
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.enter(depth)?;
        let mut items = Vec::new();
        if self.next_is(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            let mark = self.flaws.len();
            let item = self.value(depth + 1)?;
            if self.flaws.len() > mark {
                self.lengthen_pointers(mark, &items.len().to_string());
            }
            items.push(item);
            if self.next_is(b',') {
                self.space();
                continue;
            }
            if self.next_is(b']') {
                return Ok(Json::Array(items));
            }
            return Err(self.wrong("a comma or a closing bracket was expected"));
        }
    }

    /// Steps over the opening bracket and the white space behind it.
    fn enter(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth >= self.limits.depth {
            return Err(self.beyond(format!("it is nested deeper than {} levels", self.limits.depth)));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let from = self.at;
            let rest = &self.text.as_bytes()[from..];
            let run = rest
                .iter()
                .take_while(|&&b| b >= 0x20 && b != b'"' && b != b'\\')
                .count();
            self.at += run;
            out.push_str(&self.text[from..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(_) => return Err(self.wrong("a control character stands unescaped in a string")),
                None => {
                    self.at = start;
                    return Err(self.wrong("a string is never closed"));
                }
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        let start = self.at;
        let plain = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let decoded = self.unicode(start)?;
                out.push(decoded);
                return Ok(());
            }
            _ => return Err(self.wrong("an unknown escape stands in a string")),
        };
        out.push(plain);
        self.at += 2;
        Ok(())
    }

    /// `\uXXXX`, or two of them that make one character.
    fn unicode(&mut self, start: usize) -> Result<char, JsonError> {
        let first = self.hex4(start)?;
        self.at = start + 6;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        if first < 0xDC00 && self.text[self.at..].starts_with("\\u") {
            let second = self.hex4(self.at)?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                self.at += 6;
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        self.flaw(JsonFlaw::LoneSurrogate { offset: start });
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&self, start: usize) -> Result<u32, JsonError> {
        self.text
            .get(start + 2..start + 6)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.wrong("four hex digits were expected behind \\u"))
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let rest = &self.text.as_bytes()[self.at..];
        let Some(length) = Number::length(rest) else {
            return Err(self.wrong("a number is malformed"));
        };
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        Ok(Json::Number(Number::of_valid(text)))
    }

    fn word(&mut self, word: &str, json: Json) -> Result<Json, JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.wrong("a value was expected"));
        }
        self.at += word.len();
        Ok(json)
    }

    fn space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
    }

    /// Skips white space, then the byte if it is there.
    fn next_is(&mut self, byte: u8) -> bool {
        self.space();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Puts a token in front of the pointers of the flaws found since `mark`: they were found below it. So nobody
    /// pays for pointers but those who need them.
    fn lengthen_pointers(&mut self, mark: usize, token: &str) {
        for flaw in &mut self.flaws[mark..] {
            if let JsonFlaw::DuplicateKey { pointer } = flaw {
                *pointer = pointer::join("", token) + pointer;
            }
        }
    }

    fn flaw(&mut self, flaw: JsonFlaw) {
        if self.flaws.len() < MOST_FLAWS {
            self.flaws.push(flaw);
        }
    }

    fn wrong(&self, what: &str) -> JsonError {
        JsonError {
            offset: self.at,
            what: what.to_owned(),
            beyond_limits: false,
        }
    }

    fn beyond(&self, what: String) -> JsonError {
        JsonError {
            offset: self.at,
            what,
            beyond_limits: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaws(text: &str) -> Vec<JsonFlaw> {
        let (json, flaws) = scan(text, Limits::default());
        json.unwrap();
        flaws
    }

    fn error(text: &str) -> JsonError {
        scan(text, Limits::default()).0.unwrap_err()
    }

    #[test]
    fn flaws_are_named_with_their_place() {
        assert_eq!(
            flaws(r#"[{"a":{"k":1,"k":2}}]"#),
            [JsonFlaw::DuplicateKey {
                pointer: "/0/a/k".into()
            }]
        );
        assert_eq!(flaws("\u{feff}1"), [JsonFlaw::Bom]);
        assert_eq!(flaws("1 2"), [JsonFlaw::TrailingData { offset: 2 }]);
        assert_eq!(flaws(r#""\ud800x""#), [JsonFlaw::LoneSurrogate { offset: 1 }]);
        assert_eq!(flaws(r#""\udc00""#), [JsonFlaw::LoneSurrogate { offset: 1 }]);
        assert_eq!(
            flaws(r#""\ud800\u0041""#),
            [JsonFlaw::LoneSurrogate { offset: 1 }]
        );
        assert!(flaws(r#"{"a":"\ud83d\ude00","b":{"a":1}}"#).is_empty());
        let members: Vec<String> = (0..40).chain([39]).map(|n| format!("\"k{n}\":0")).collect();
        let text = format!("{{{}}}", members.join(","));
        assert_eq!(
            flaws(&text),
            [JsonFlaw::DuplicateKey {
                pointer: "/k39".into()
            }]
        );
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(error("").offset, 0);
        assert_eq!(error("[1,]").offset, 3);
        assert_eq!(error(r#"{"a" 1}"#).offset, 5);
        assert_eq!(error("{a:1}").offset, 1);
        assert_eq!(error("[\"a\nb\"]").offset, 3);
        assert_eq!(error(r#"["abc"#).offset, 1);
        assert_eq!(error(r#""\x""#).offset, 1);
        assert_eq!(error("[tru]").offset, 1);
        assert_eq!(error("01").offset, 0);
        assert_eq!(
            error(r#""\u12é4""#).to_string(),
            "at byte 1: four hex digits were expected behind \\u"
        );
    }

    #[test]
    fn every_measure_is_bounded() {
        let deep = "[".repeat(200_000);
        assert!(error(&deep).beyond_limits);
        let just = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(scan(&just, Limits::default()).0.is_ok());
        let limits = Limits {
            bytes: 8,
            depth: 2,
            values: 3,
        };
        assert!(scan("[1,2]", limits).0.is_ok());
        assert!(scan("[1,2,3]", limits).0.unwrap_err().beyond_limits);
        assert!(scan("[[1,[]]]", limits).0.unwrap_err().beyond_limits);
        assert!(scan("         1", limits).0.unwrap_err().beyond_limits);
        let duplicates = format!("{{{}\"k\":0}}", "\"k\":0,".repeat(1000));
        assert_eq!(scan(&duplicates, Limits::default()).1.len(), MOST_FLAWS);
    }
}
