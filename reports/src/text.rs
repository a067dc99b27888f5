//! What a device says, made harmless and visible.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with everything that a terminal, an editor or a parser would obey instead of showing written as
/// `\u{1b}`: control characters but line feed and tab, characters that turn the direction of text, invisible ones,
/// and what XML forbids.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && c != '\t' && is_hazardous(c))
}

/// The same on one line: line feeds and tabs become visible too.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hazardous)
}

/// At most so many characters; where some are left out it says how many there were.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}… ({} characters)", &text[..end], text.chars().count())),
        None => Cow::Borrowed(text),
    }
}

/// Milliseconds in the unit in which people would say them.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// `1 case`, `2 cases`
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// True for characters that are obeyed instead of shown.
pub(crate) fn is_hazardous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
        // The last two of each plane are no characters at all.
        || u32::from(c) & 0xfffe == 0xfffe
}

fn escaped(text: &str, refuse: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&refuse) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if !refuse(c) => out.push(c),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_obeyed_becomes_visible() {
        let cases = [
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("nul\0 c1\u{9b}31m", "nul\\u{0} c1\\u{9b}31m"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
            ("a\u{fffe}b\u{10ffff}", "a\\u{fffe}b\\u{10ffff}"),
            ("\u{feff}bom\u{2028}", "\\u{feff}bom\\u{2028}"),
            ("é ß 😀 «»", "é ß 😀 «»"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible("a\n\tb\r\n"), "a\n\tb\\r\n");
        assert_eq!(one_line("a\n\tb\r\n"), "a\\n\\tb\\r\\n");
    }

    #[test]
    fn long_texts_say_how_long() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äöü… (4 characters)");
    }

    #[test]
    fn durations_read_like_speech() {
        let said = [0, 999, 1_000, 59_999, 60_000, 3_599_999, 3_661_000].map(duration);
        assert_eq!(
            said,
            [
                "0 ms",
                "999 ms",
                "1.0 s",
                "59.9 s",
                "1 min 00 s",
                "59 min 59 s",
                "1 h 01 min"
            ]
        );
    }
}
