//! Words, numbers, texts and marks of the language. Tokens are read on demand, because a line may switch to another
//! little language (`requires`, `check`) in the middle.

use crate::ir::Span;

/// The words that open a line of a story or of a header, or mean something inside one. `docs/grammar.txt` names each.
pub const KEYWORDS: &[&str] = &[
    "case",
    "state",
    "phrase",
    "spec",
    "covers",
    "requires",
    "given",
    "tests",
    "for",
    "level",
    "note",
    "strict",
    "derived",
    "config",
    "implemented",
    "probe",
    "exports",
    "reach",
    "act",
    "operate",
    "link",
    "drop",
    "close",
    "refuse",
    "accept",
    "wait",
    "check",
    "raw",
    "bytes",
    "do",
    "run",
    "any",
    "order",
    "in",
    "either",
    "or",
    "nothing",
    "optional",
    "many",
    "until",
    "quiet",
    "repeat",
    "each",
    "connectors",
    "except",
    "if",
    "never",
    "end",
    "finally",
    "as",
    "within",
    "after",
    "every",
    "eventually",
    "should",
    "per",
    "unprompted",
    "at",
    "once",
    "to",
    "error",
    "silence",
    "tcp",
    "http",
    "tls",
    "exactly",
    "same_as",
    "absent",
    "one_of",
    "not",
    "near",
    "about",
    "matches",
    "like",
    "now",
    "fresh",
    "null",
    "true",
    "false",
    "and",
    "Connect",
    "Close",
];

/// The words that open a header line of a case.
pub(crate) const HEADER: &[&str] = &[
    "spec", "covers", "requires", "given", "tests", "for", "level", "note", "strict",
];

/// The words that open a statement.
pub(crate) const STATEMENTS: &[&str] = &[
    "act",
    "operate",
    "link",
    "wait",
    "check",
    "raw",
    "do",
    "run",
    "any",
    "in",
    "either",
    "optional",
    "many",
    "repeat",
    "each",
    "if",
    "never",
    "eventually",
    "should",
    "unprompted",
];

/// Who may speak.
pub const ROLES: &[&str] = &["station", "csms", "cpo", "emsp", "hub", "files", "ca"];

/// The modifiers behind a line.
pub(crate) const MODIFIERS: &[&str] = &[
    "as",
    "within",
    "after",
    "every",
    "eventually",
    "should",
    "per",
    "unprompted",
    "at",
];

/// The modifiers that may stand before a line.
const LEADING: &[&str] = &["eventually", "should", "unprompted"];

/// What stands behind the modifiers before a line.
pub(crate) fn behind_leading(mut line: &str) -> &str {
    while LEADING.contains(&&line[..identifier_len(line)]) {
        line = line[identifier_len(line)..].trim_start();
    }
    line
}

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'t> {
    /// `Accepted`, `L1-N`, and dotted `s.tx`, `Energy.Active.Import.Register`.
    Word(&'t str),
    /// A JSON number as written, without sign.
    Number(&'t str),
    /// `10s`, in milliseconds.
    Duration(&'t str, u64),
    /// A text, unescaped.
    Text(String),
    /// `$tag.valid`, without the `$`.
    Param(&'t str),
    /// A mark of one to three characters.
    Mark(&'static str),
    /// The end of a line.
    Newline,
    /// The end of the file.
    End,
}

/// Why no token could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LexError {
    /// The guilty characters.
    pub(crate) span: Span,
    /// What is wrong.
    pub(crate) message: String,
    /// How to mend it.
    pub(crate) hint: Option<String>,
}

const MARKS: &[&str] = &[
    "=>", "==", "!=", "<=", ">=", "..", "+-", "±", "{", "}", "(", ")", "[", "]", ",", ":", "<", ">", "+",
    "-", "*", "=", "/",
];

/// The longest duration: a thousand days.
const LONGEST_MILLIS: u64 = 1000 * 24 * 60 * 60 * 1000;

/// Reads the token that begins at `at`, which must not be blank; returns it with its end.
pub(crate) fn token(text: &str, at: usize) -> Result<(Token<'_>, usize), LexError> {
    let rest = &text[at..];
    let Some(first) = rest.chars().next() else {
        return Ok((Token::End, at));
    };
    match first {
        '\n' => Ok((Token::Newline, at + 1)),
        'A'..='Z' | 'a'..='z' | '_' => {
            let end = at + word_len(rest);
            Ok((Token::Word(&text[at..end]), end))
        }
        '0'..='9' => number(text, at),
        '"' => double_quoted(text, at),
        '\'' => single_quoted(text, at),
        '$' => param(text, at),
        _ => mark(text, at, first),
    }
}

/// The length of an identifier at the start of `text`: letters, digits, `_`.
pub(crate) fn identifier_len(text: &str) -> usize {
    let digits_first = text.starts_with(|c: char| c.is_ascii_digit());
    let len = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    if digits_first { 0 } else { len }
}

/// True for letters, digits and `_`, not beginning with a digit.
pub(crate) fn is_identifier(text: &str) -> bool {
    !text.is_empty() && identifier_len(text) == text.len()
}

/// True if the text lexes as one word without dots, so that it needs no quotes as a field name.
pub(crate) fn is_plain_word(text: &str) -> bool {
    !text.is_empty() && identifier_len(text) > 0 && word_len(text) == text.len() && !text.contains('.')
}

fn word_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let letter = |i: usize| {
        bytes
            .get(i)
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
    };
    let letter_or_digit = |i: usize| letter(i) || bytes.get(i).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    loop {
        if letter_or_digit(end) {
            end += 1;
        } else if (bytes.get(end) == Some(&b'-') && letter_or_digit(end + 1))
            || (bytes.get(end) == Some(&b'.') && letter(end + 1))
        {
            end += 2;
        } else {
            return end;
        }
    }
}

fn number(text: &str, at: usize) -> Result<(Token<'_>, usize), LexError> {
    let bytes = text.as_bytes();
    let mut end = at;
    while let Some(&b) = bytes.get(end) {
        let dot = b == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric);
        let sign = matches!(b, b'+' | b'-')
            && matches!(bytes[end - 1], b'e' | b'E')
            && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
            && text[at..end - 1].bytes().all(|c| c.is_ascii_digit() || c == b'.');
        if !(b.is_ascii_alphanumeric() || b == b'_' || dot || sign) {
            break;
        }
        end += 1;
    }
    let raw = &text[at..end];
    if is_json_number(raw) {
        return Ok((Token::Number(raw), end));
    }
    if let Some(millis) = duration_millis(raw) {
        return match millis {
            Ok(millis) => Ok((Token::Duration(raw, millis), end)),
            Err(message) => Err(lex_error(at, end, message, None)),
        };
    }
    let hint = format!("numbers follow JSON; a text stands in quotes: \"{raw}\"");
    Err(lex_error(at, end, format!("`{raw}` is not a number"), Some(hint)))
}

/// JSON's number grammar without the sign.
pub(crate) fn is_json_number(raw: &str) -> bool {
    let (mantissa, exponent) = match raw.find(['e', 'E']) {
        Some(i) => (&raw[..i], Some(&raw[i + 1..])),
        None => (raw, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((w, f)) => (w, Some(f)),
        None => (mantissa, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// `None` if it has not the shape of a duration at all.
fn duration_millis(raw: &str) -> Option<Result<u64, String>> {
    let unit_at = raw.find(|c: char| c.is_ascii_alphabetic())?;
    let (amount, unit) = raw.split_at(unit_at);
    let factor: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    if !is_json_number(amount) {
        return None;
    }
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?);
    let millis = (|| {
        let scale = scale?;
        let parts = whole.parse::<u64>().ok()?.checked_mul(scale)?;
        let fraction = if fraction.is_empty() {
            0
        } else {
            fraction.parse::<u64>().ok()?
        };
        let scaled = parts.checked_add(fraction)?.checked_mul(factor)?;
        Some((scaled / scale, scaled % scale))
    })();
    Some(match millis {
        Some((millis, 0)) if millis <= LONGEST_MILLIS => Ok(millis),
        Some((_, rest)) if rest != 0 => Err(format!("`{raw}` is finer than a millisecond")),
        _ => Err(format!("`{raw}` is longer than 1000 days")),
    })
}

fn double_quoted(text: &str, at: usize) -> Result<(Token<'_>, usize), LexError> {
    let mut out = String::new();
    let mut chars = text[at + 1..].char_indices();
    while let Some((i, c)) = chars.next() {
        let here = at + 1 + i;
        match c {
            '"' => return Ok((Token::Text(out), here + 1)),
            '\n' => break,
            '\\' => {
                let Some((_, e)) = chars.next() else { break };
                let plain = match e {
                    '"' | '\\' | '/' => Some(e),
                    'n' => Some('\n'),
                    't' => Some('\t'),
                    'r' => Some('\r'),
                    'b' => Some('\u{8}'),
                    'f' => Some('\u{c}'),
                    'u' => {
                        let hex = text.get(here + 2..here + 6);
                        let read = hex
                            .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
                            .and_then(|h| u32::from_str_radix(h, 16).ok())
                            .and_then(char::from_u32);
                        if read.is_some() {
                            chars.nth(3);
                        }
                        read
                    }
                    _ => None,
                };
                let Some(plain) = plain else {
                    let hint = "known are \\\" \\\\ \\/ \\n \\t \\r \\b \\f \\uXXXX; single quotes take everything as it stands";
                    let end = here + 1 + e.len_utf8();
                    return Err(lex_error(
                        here,
                        end,
                        "unknown escape in a text".into(),
                        Some(hint.into()),
                    ));
                };
                out.push(plain);
            }
            c => out.push(c),
        }
    }
    Err(unclosed(text, at, '"'))
}

fn single_quoted(text: &str, at: usize) -> Result<(Token<'_>, usize), LexError> {
    let body = &text[at + 1..];
    match body.find(['\'', '\n']) {
        Some(end) if body[end..].starts_with('\'') => Ok((Token::Text(body[..end].to_owned()), at + end + 2)),
        _ => Err(unclosed(text, at, '\'')),
    }
}

fn unclosed(text: &str, at: usize, quote: char) -> LexError {
    let end = text[at..].find('\n').map_or(text.len(), |i| at + i);
    lex_error(
        at,
        end,
        "the text is not closed on its line".into(),
        Some(format!("end it with {quote}")),
    )
}

fn param(text: &str, at: usize) -> Result<(Token<'_>, usize), LexError> {
    let len = param_len(&text[at + 1..]);
    if len == 0 {
        let hint = "`$` begins the name of a configured value: $connector, $tag.valid";
        return Err(lex_error(
            at,
            at + 1,
            "a name is missing behind `$`".into(),
            Some(hint.into()),
        ));
    }
    Ok((Token::Param(&text[at + 1..at + 1 + len]), at + 1 + len))
}

/// The length of `tag.valid` at the start of the text.
pub(crate) fn param_len(text: &str) -> usize {
    let mut len = identifier_len(text);
    while len > 0 && text[len..].starts_with('.') {
        let more = identifier_len(&text[len + 1..]);
        if more == 0 {
            break;
        }
        len += 1 + more;
    }
    len
}

fn mark(text: &str, at: usize, first: char) -> Result<(Token<'_>, usize), LexError> {
    if let Some(mark) = MARKS.iter().find(|m| text[at..].starts_with(**m)) {
        let name = if *mark == "+-" { "±" } else { mark };
        return Ok((Token::Mark(name), at + mark.len()));
    }
    let hint = match first {
        '“' | '”' | '„' | '’' | '‘' => Some("use straight quotes: \"…\"".to_owned()),
        '–' | '—' | '−' => Some("use the plain minus sign: -".to_owned()),
        '#' => Some("a comment needs a blank before its #".to_owned()),
        _ => None,
    };
    let shown = if first.is_control() {
        format!("U+{:04X}", u32::from(first))
    } else {
        first.to_string()
    };
    Err(lex_error(
        at,
        at + first.len_utf8(),
        format!("`{shown}` means nothing here"),
        hint,
    ))
}

fn lex_error(start: usize, end: usize, message: String, hint: Option<String>) -> LexError {
    LexError {
        span: span(start, end),
        message,
        hint,
    }
}

/// A span from two offsets; files are at most 1 MiB, so they fit.
pub(crate) fn span(start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Token<'_>, LexError> {
        token(text, 0).map(|(token, end)| {
            assert_eq!(end, text.len(), "{text} is one token");
            token
        })
    }

    #[test]
    fn the_six_literals_that_trap_other_notations() {
        assert_eq!(one("N"), Ok(Token::Word("N")));
        assert_eq!(one("Off"), Ok(Token::Word("Off")));
        assert_eq!(one("1.6"), Ok(Token::Number("1.6")));
        for guilty in ["04E91234", "0012345", "123_456"] {
            let error = one(guilty).expect_err(guilty);
            assert_eq!(error.span.range(), 0..guilty.len());
            assert!(
                error.hint.is_some_and(|h| h.contains(&format!("\"{guilty}\""))),
                "{guilty}"
            );
        }
    }

    #[test]
    fn numbers_follow_json() {
        for good in ["0", "10", "1.50", "1e5", "1E-5", "2.5e+3"] {
            assert_eq!(one(good), Ok(Token::Number(good)));
        }
        for bad in ["00", "1.", "1.e5", "0x10", "1e", "1e+"] {
            assert_ne!(token(bad, 0).ok().map(|(_, end)| end), Some(bad.len()), "{bad}");
        }
        assert_eq!(token("1..3", 0), Ok((Token::Number("1"), 1)));
    }

    #[test]
    fn durations_are_exact_milliseconds() {
        assert_eq!(one("250ms"), Ok(Token::Duration("250ms", 250)));
        assert_eq!(one("1.5s"), Ok(Token::Duration("1.5s", 1500)));
        assert_eq!(one("7m"), Ok(Token::Duration("7m", 420_000)));
        assert_eq!(one("2h"), Ok(Token::Duration("2h", 7_200_000)));
        assert_eq!(one("1d"), Ok(Token::Duration("1d", 86_400_000)));
        for bad in ["1.0001s", "0.5ms", "1001d", "99999999999999999999s", "010s", "5w"] {
            assert!(one(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_hold_inner_dashes_and_dots() {
        assert_eq!(one("L1-N"), Ok(Token::Word("L1-N")));
        assert_eq!(
            one("Energy.Active.Import.Register"),
            Ok(Token::Word("Energy.Active.Import.Register"))
        );
        assert_eq!(token("a - b", 0), Ok((Token::Word("a"), 1)));
        assert_eq!(token("a..b", 0), Ok((Token::Word("a"), 1)));
        assert_eq!(one("$tag.valid"), Ok(Token::Param("tag.valid")));
        assert_eq!(token("$n-1", 0), Ok((Token::Param("n"), 2)));
    }

    #[test]
    fn texts_escape_like_json_or_not_at_all() {
        assert_eq!(one(r#""a\"b\u00e9\n""#), Ok(Token::Text("a\"bé\n".into())));
        assert_eq!(one(r#"'[2,"\x"]'"#), Ok(Token::Text(r#"[2,"\x"]"#.into())));
        for bad in [
            "\"a",
            "'a",
            "\"a\\q\"",
            "\"\\ud800\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "\"\\",
            "$",
            "“x”",
        ] {
            assert!(token(bad, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_offset_of_any_text_gives_a_token_or_an_error_and_moves_on() {
        let text = "a-b$c.d\"x\\u00e9\"'y'1.5e+3±=>..\u{1b}é–0x\n";
        for at in (0..text.len()).filter(|i| text.is_char_boundary(*i)) {
            match token(text, at) {
                Ok((_, end)) => assert!(end > at),
                Err(error) => assert!(error.span.end as usize > at),
            }
        }
    }
}
