//! From a dotted key, or an error of the TOML reader, to a place in the text.

use plugfest_case::Diagnostic;
use plugfest_case::diagnostic::did_you_mean;
use plugfest_case::ir::Span;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something that is wrong with the value, or where `key` is true with the key, at a place of the profile.
#[derive(Debug)]
pub(super) struct Fault {
    /// The keys from the top; numbers are places in lists, from 0.
    pub(super) path: Vec<String>,
    /// Whether the key is at fault rather than its value.
    pub(super) key: bool,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// The diagnostic of a fault.
pub(super) fn point(name: &str, text: &str, fault: Fault) -> Diagnostic {
    let span = DeTable::parse(text)
        .ok()
        .map_or_else(Span::default, |table| locate(&table, &fault));
    Diagnostic::error("profile", name, span, fault.message).maybe_hint(fault.hint)
}

/// The place of the deepest part of the path that is there.
fn locate(table: &Spanned<DeTable<'_>>, fault: &Fault) -> Span {
    let mut at = 0..0;
    let mut here: Option<&DeValue<'_>> = None;
    for (n, part) in fault.path.iter().enumerate() {
        let members = if n == 0 {
            Some(table.get_ref())
        } else {
            here.and_then(|it| it.as_table())
        };
        if let Some((key, value)) = members.and_then(|it| it.get_key_value(part.as_str())) {
            let last = n + 1 == fault.path.len();
            at = if last && !fault.key {
                value.span()
            } else {
                key.span()
            };
            here = Some(value.get_ref());
            continue;
        }
        let items = here.and_then(|it| it.as_array());
        let Some(item) = part.parse::<usize>().ok().and_then(|n| items?.get(n)) else {
            break;
        };
        at = item.span();
        here = Some(item.get_ref());
    }
    span(at)
}

/// The diagnostic of a text that is no TOML, or not of the form of a profile.
pub(super) fn unreadable(name: &str, text: &str, error: &toml::de::Error) -> Diagnostic {
    let at = error.span().map_or_else(Span::default, span);
    let at = Span {
        end: at.end.min(text.len() as u32),
        ..at
    };
    let message = error.message();
    // The words are those of the deserialiser: "unknown field `a`, expected one of `b`, `c`".
    let mut quoted = message.split('`').skip(1).step_by(2);
    let diagnostic = |text: String| Diagnostic::error("profile", name, at, text);
    if message.starts_with("unknown field") {
        let typed = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let others = || format!("the keys here are {}", known.join(", "));
        let hint = did_you_mean(typed, known.iter().copied()).unwrap_or_else(others);
        return diagnostic(format!("unknown key `{typed}`")).hint(hint);
    }
    if message.starts_with("unknown variant") {
        let typed = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        let others = || format!("it is one of {}", known.join(", "));
        let hint = did_you_mean(typed, known.iter().copied()).unwrap_or_else(others);
        return diagnostic(format!("`{typed}` is none of the words that may stand here")).hint(hint);
    }
    if message.starts_with("missing field") {
        let missing = quoted.next().unwrap_or_default();
        return diagnostic(format!("missing key `{missing}`"))
            .hint("`plugfest init` writes a profile with every key explained");
    }
    diagnostic(message.to_owned())
}

fn span(range: std::ops::Range<usize>) -> Span {
    Span {
        start: range.start as u32,
        end: range.end as u32,
    }
}
