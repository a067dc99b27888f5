//! Texts that hide other texts: percent-encoding, JSON escapes, and JSON itself.

/// A decoded text that knows where each of its bytes came from.
#[derive(Debug)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// Beginning of each byte in the source; one more for the end.
    from: Vec<usize>,
}

impl View {
    /// The place in the source of a place in the decoded text.
    pub(super) fn source(&self, at: usize) -> usize {
        self.from[at]
    }

    fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
            from: Vec::with_capacity(capacity + 1),
        }
    }

    fn push(&mut self, bytes: &[u8], from: usize) {
        self.bytes.extend_from_slice(bytes);
        self.from.extend(std::iter::repeat_n(from, bytes.len()));
    }
}

/// The text with percent-encoded bytes decoded.
pub(super) fn percent(text: &str) -> View {
    let source = text.as_bytes();
    let mut view = View::with_capacity(source.len());
    let mut at = 0;
    while at < source.len() {
        let byte = match source[at] {
            b'%' => text.get(at + 1..at + 3).and_then(hex_byte),
            _ => None,
        };
        view.push(&[byte.unwrap_or(source[at])], at);
        at += if byte.is_some() { 3 } else { 1 };
    }
    view.from.push(at);
    view
}

/// The text with JSON escapes resolved; what is no escape stays.
pub(super) fn json_escapes(text: &str) -> View {
    let source = text.as_bytes();
    let mut view = View::with_capacity(source.len());
    let mut at = 0;
    while at < source.len() {
        let escaped = if source[at] == b'\\' {
            escape(text, at)
        } else {
            None
        };
        if let Some((c, length)) = escaped {
            view.push(c.encode_utf8(&mut [0; 4]).as_bytes(), at);
            at += length;
        } else {
            view.push(&source[at..=at], at);
            at += 1;
        }
    }
    view.from.push(at);
    view
}

/// The character of the escape at `at`, and the bytes that it takes.
fn escape(text: &str, at: usize) -> Option<(char, usize)> {
    let c = match text.as_bytes().get(at + 1)? {
        b @ (b'"' | b'\\' | b'/') => char::from(*b),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(text, at),
        _ => return None,
    };
    Some((c, 2))
}

fn unicode_escape(text: &str, at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(at)?;
    if let Some(c) = char::from_u32(u32::from(first)) {
        return Some((c, 6));
    }
    let pair = char::decode_utf16([first, unit(at + 6)?]).next()?.ok()?;
    Some((pair, 12))
}

fn hex_byte(digits: &str) -> Option<u8> {
    digits
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

/// What to do with a scalar of a JSON text.
pub(super) enum Scalar<'a> {
    /// A string value or a key, escapes resolved.
    String(&'a str),
    /// A number, `true`, `false` or `null` as written.
    Word(&'a str),
}

/// A JSON text with scalars replaced by strings, everything else as it stood. `replace` sees each scalar with its
/// pointer (keys with `None`) and gives the text of a string to put there, or `None` to leave it. The whole is `None`
/// where the text is not JSON enough to tell its strings apart.
pub(super) fn rewrite_json(
    text: &str,
    replace: &mut dyn FnMut(Option<&str>, Scalar<'_>) -> Option<String>,
) -> Option<String> {
    let source = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut path = Path::default();
    let (mut at, mut copied) = (0, 0);
    while at < source.len() {
        let end = match source[at] {
            b'"' => end_of_string(source, at)?,
            b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => end_of_word(source, at),
            b'{' | b'[' => {
                path.open(source[at] == b'{');
                at += 1;
                continue;
            }
            b'}' | b']' => {
                path.close()?;
                at += 1;
                continue;
            }
            b',' => {
                path.comma()?;
                at += 1;
                continue;
            }
            b':' => {
                path.colon()?;
                at += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            _ => return None,
        };
        let new = if source[at] == b'"' {
            let inner = String::from_utf8(json_escapes(&text[at + 1..end - 1]).bytes).ok()?;
            let key = path.is_key();
            let new = replace(
                if key { None } else { Some(path.pointer()) },
                Scalar::String(&inner),
            );
            if key {
                path.key(&inner);
            }
            new
        } else {
            replace(Some(path.pointer()), Scalar::Word(&text[at..end]))
        };
        if let Some(new) = new {
            out.push_str(&text[copied..at]);
            out.push_str(&plugfest_protocol::Json::String(new).to_string());
            copied = end;
        }
        at = end;
    }
    out.push_str(&text[copied..]);
    Some(out)
}

fn end_of_string(source: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match source.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn end_of_word(source: &[u8], start: usize) -> usize {
    let is_word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    start + source[start..].iter().take_while(|b| is_word(b)).count()
}

/// Where in a JSON text we are.
#[derive(Debug, Default)]
struct Path {
    levels: Vec<Level>,
    pointer: String,
}

#[derive(Debug)]
struct Level {
    /// Length of the pointer of the array or object itself.
    base: usize,
    /// The place in an array; `None` for an object.
    index: Option<usize>,
    /// In an object: the next string is a key.
    key_next: bool,
}

impl Path {
    fn open(&mut self, object: bool) {
        self.levels.push(Level {
            base: self.pointer.len(),
            index: (!object).then_some(0),
            key_next: object,
        });
        if !object {
            self.pointer.push_str("/0");
        }
    }

    fn close(&mut self) -> Option<()> {
        let level = self.levels.pop()?;
        self.pointer.truncate(level.base);
        Some(())
    }

    fn comma(&mut self) -> Option<()> {
        let level = self.levels.last_mut()?;
        self.pointer.truncate(level.base);
        match &mut level.index {
            Some(index) => {
                *index += 1;
                let index = index.to_string();
                self.pointer.push('/');
                self.pointer.push_str(&index);
            }
            None => level.key_next = true,
        }
        Some(())
    }

    fn colon(&mut self) -> Option<()> {
        self.levels.last_mut()?.key_next = false;
        Some(())
    }

    fn is_key(&self) -> bool {
        self.levels.last().is_some_and(|level| level.key_next)
    }

    fn key(&mut self, key: &str) {
        let base = self.levels.last().map_or(0, |level| level.base);
        self.pointer.truncate(base);
        self.pointer.push('/');
        self.pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }

    fn pointer(&self) -> &str {
        &self.pointer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scalar_is_shown_with_its_pointer() {
        let text = r#" [2, "a\"b", {"k~/":[1.50, {"x":null}], "e":{}, "z":"\u00e9"}, []] "#;
        let mut seen = Vec::new();
        let out = rewrite_json(text, &mut |pointer, scalar| {
            let word = match scalar {
                Scalar::String(s) => format!("{s:?}"),
                Scalar::Word(w) => w.to_owned(),
            };
            seen.push(format!("{} {word}", pointer.unwrap_or("key")));
            None
        });
        assert_eq!(out.as_deref(), Some(text));
        let expected = [
            "/0 2",
            "/1 \"a\\\"b\"",
            "key \"k~/\"",
            "/2/k~0~1/0 1.50",
            "key \"x\"",
            "/2/k~0~1/1/x null",
            "key \"e\"",
            "key \"z\"",
            "/2/z \"é\"",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn replaced_scalars_leave_valid_json() {
        let text = r#"{"a":12345678,"b":"x"}"#;
        let out = rewrite_json(text, &mut |pointer, _| pointer.map(|p| format!("«{p}\"»")));
        assert_eq!(out.as_deref(), Some(r#"{"a":"«/a\"»","b":"«/b\"»"}"#));
    }

    #[test]
    fn what_is_not_json_is_said() {
        for text in ["[2,\"open", "{]]", "hello, wörld", "\"\\", ",", ":"] {
            let out = rewrite_json(text, &mut |_, _| None);
            assert_eq!(out, None, "{text}");
        }
    }
}
