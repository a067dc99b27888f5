//! From the expression as written to CEL's own text, with the way back for every offset.

use std::collections::BTreeMap;

use super::{CelError, PARAMS, is_reserved};
use crate::lex;

/// CEL's text and how it came about.
pub(super) struct Rewritten {
    pub(super) text: String,
    /// Made-up variables and the PICS codes they stand for.
    pub(super) codes: BTreeMap<String, String>,
    /// How many words, numbers, texts and marks there are.
    pub(super) tokens: usize,
    /// How deep its brackets nest; each `? :` counts as one more, for it nests to the right.
    pub(super) nesting: usize,
    /// Start in `text`, start in the original, for each stretch; ordered.
    stretches: Vec<(usize, usize)>,
}

impl Rewritten {
    /// The place in the original of a byte of the text.
    pub(super) fn original(&self, at: usize) -> usize {
        let i = self
            .stretches
            .partition_point(|(new, _)| *new <= at)
            .saturating_sub(1);
        let (new, old) = self.stretches.get(i).copied().unwrap_or_default();
        let limit = self.stretches.get(i + 1).map_or(usize::MAX, |(_, old)| *old);
        (old + at.saturating_sub(new)).min(limit)
    }

    /// The byte of a character offset, which is what CEL counts in.
    pub(super) fn byte(&self, character: usize) -> usize {
        self.text
            .char_indices()
            .nth(character)
            .map_or(self.text.len(), |(i, _)| i)
    }
}

pub(super) fn rewrite(text: &str) -> Result<Rewritten, CelError> {
    let mut out = Rewritten {
        text: String::with_capacity(text.len()),
        codes: BTreeMap::new(),
        tokens: 0,
        nesting: 0,
        stretches: vec![(0, 0)],
    };
    let mut at = 0;
    let (mut open, mut choices) = (0_usize, 0);
    while let Some(c) = text[at..].chars().next() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '?' => choices += 1,
            _ => {}
        }
        out.nesting = out.nesting.max(open + choices);
        let len = match c {
            c if c.is_whitespace() => c.len_utf8(),
            '"' | '\'' => text_len(text, at)?,
            '$' => {
                let len = lex::param_len(&text[at + 1..]);
                if len == 0 {
                    return Err(CelError {
                        offset: at,
                        message: "a name is missing behind `$`".to_owned(),
                    });
                }
                out.tokens += 1;
                out.text.push_str(PARAMS);
                out.text.push('.');
                // The path stands for itself; only the `$` grew.
                out.stretch(at + 1);
                out.text.push_str(&text[at + 1..=at + len]);
                at += 1 + len;
                out.stretch(at);
                continue;
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let member = text[..at].ends_with('.');
                let (word, replacement) = word(text, at, member)?;
                out.tokens += 1;
                match replacement {
                    Some(Replacement::Operator(mark)) => out.text.push_str(mark),
                    Some(Replacement::Code) => {
                        let name = format!("__code{}", out.codes.len());
                        out.text.push_str(&name);
                        out.codes.insert(name, word.to_owned());
                    }
                    None => out.text.push_str(word),
                }
                at += word.len();
                out.stretch(at);
                continue;
            }
            c if c.is_ascii_digit() => text[at..]
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
                .unwrap_or(text.len() - at),
            c => c.len_utf8(),
        };
        if !c.is_whitespace() {
            out.tokens += 1;
        }
        out.text.push_str(&text[at..at + len]);
        at += len;
    }
    Ok(out)
}

impl Rewritten {
    fn stretch(&mut self, original: usize) {
        self.stretches.push((self.text.len(), original));
    }
}

enum Replacement {
    Operator(&'static str),
    Code,
}

fn word(text: &str, at: usize, member: bool) -> Result<(&str, Option<Replacement>), CelError> {
    let rest = &text[at..];
    let word = &rest[..lex::identifier_len(rest)];
    if is_reserved(word) {
        return Err(CelError {
            offset: at,
            message: format!("`{word}`: names do not begin with `__`"),
        });
    }
    if member {
        return Ok((word, None));
    }
    let operator = match word {
        "and" => "&&",
        "or" => "||",
        "not" => "!",
        _ => {
            let code = &rest[..dashed_code_len(rest)];
            return Ok(if code.is_empty() {
                (word, None)
            } else {
                (code, Some(Replacement::Code))
            });
        }
    };
    Ok((word, Some(Replacement::Operator(operator))))
}

/// The length of `C-30`, `HFS-8`, `C-10.2` at the start of the text: capitals, a dash, digits.
fn dashed_code_len(text: &str) -> usize {
    let capitals = text.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(text.len());
    let Some(rest) = text[capitals..].strip_prefix('-') else {
        return 0;
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if capitals == 0 || digits == 0 {
        return 0;
    }
    let mut len = capitals + 1 + digits;
    if let Some(more) = text[len..].strip_prefix('.') {
        let digits = more.find(|c: char| !c.is_ascii_digit()).unwrap_or(more.len());
        len += if digits > 0 { 1 + digits } else { 0 };
    }
    if text[len..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        0
    } else {
        len
    }
}

fn text_len(text: &str, at: usize) -> Result<usize, CelError> {
    let quote = text.as_bytes()[at];
    let mut escaped = false;
    for (i, b) in text.bytes().enumerate().skip(at + 1) {
        match b {
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            b if b == quote && !escaped => return Ok(i + 1 - at),
            _ => {}
        }
        escaped = false;
    }
    Err(CelError {
        offset: at,
        message: "the text is not closed".to_owned(),
    })
}
