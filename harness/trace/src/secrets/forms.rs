//! The forms in which a secret travels, and finding them.

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::data::hex;
use crate::secrets::text::{View, json_escapes, percent};

/// From this many bytes on, a form is replaced wherever it stands.
const ANYWHERE: usize = 8;
/// Shorter secrets are not looked for in running text at all.
const SHORTEST: usize = 4;

/// What stands where a text was cut short.
const CUT: char = '…';
/// So many cuts are looked at in one text, and so many bytes before each.
const MAX_CUTS: usize = 64;
const LONGEST_CUT: usize = 4096;

/// A secret.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) value: Vec<u8>,
}

/// Where a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) secret: usize,
}

#[derive(Debug, Clone)]
struct Form {
    secret: usize,
    bytes: Vec<u8>,
    /// Base64 only: a neighbouring character holds bits of the secret too.
    spills_left: bool,
    spills_right: bool,
    base64: bool,
}

/// All secrets in all forms, ready to be looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Forms {
    secrets: Vec<Secret>,
    exact: Search,
    caseless: Search,
}

#[derive(Debug, Clone, Default)]
struct Search {
    forms: Vec<Form>,
    automaton: Option<AhoCorasick>,
}

impl Forms {
    pub(super) fn add(&mut self, name: String, value: Vec<u8>) {
        if value.is_empty() || self.secrets.iter().any(|s| s.value == value) {
            return;
        }
        let secret = self.secrets.len();
        if value.len() >= SHORTEST {
            let hex = hex(&value).into_bytes();
            self.caseless.forms.push(Form {
                secret,
                bytes: hex,
                spills_left: false,
                spills_right: false,
                base64: false,
            });
            self.exact.forms.extend(exact_forms(secret, &value));
            self.caseless.build(true);
            self.exact.build(false);
        }
        self.secrets.push(Secret { name, value });
    }

    pub(super) fn len(&self) -> usize {
        self.secrets.len()
    }

    pub(super) fn secret(&self, index: usize) -> &Secret {
        &self.secrets[index]
    }

    /// Everything secret in a text, also behind percent-encoding and JSON escapes; sorted, without overlaps.
    pub(super) fn find_in_text(&self, text: &str) -> Vec<Found> {
        if self.exact.automaton.is_none() {
            return Vec::new();
        }
        let mut found = Vec::new();
        self.find(text.as_bytes(), &mut found);
        if text.contains('%') {
            self.find_behind(&percent(text), &mut found);
        }
        if text.contains('\\') {
            self.find_behind(&json_escapes(text), &mut found);
        }
        // Where somebody has cut a foreign text short, what is left of a secret is still one.
        for (at, _) in text.match_indices(CUT).take(MAX_CUTS) {
            found.extend(
                self.find_cut(&text[text.floor_char_boundary(at.saturating_sub(LONGEST_CUT))..at])
                    .map(|cut| {
                        let before = at - (cut.end - cut.start);
                        Found {
                            start: before,
                            end: at,
                            secret: cut.secret,
                        }
                    }),
            );
        }
        united(found)
    }

    /// Everything secret in bytes as they are; sorted, without overlaps.
    pub(super) fn find_in_bytes(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        self.find(bytes, &mut found);
        united(found)
    }

    /// The beginning of a secret at the end of a text that was cut off, also where it is percent-encoded.
    pub(super) fn find_cut(&self, text: &str) -> Option<Found> {
        let plain = self.find_cut_bytes(text.as_bytes());
        if !text.contains('%') {
            return plain;
        }
        // The cut may go through an encoded byte.
        let tail = text.len() - text.len().min(2);
        let whole = match text.as_bytes()[tail..].iter().position(|&byte| byte == b'%') {
            Some(at) => &text[..tail + at],
            None => text,
        };
        let view = percent(whole);
        let behind = self.find_cut_bytes(&view.bytes).map(|found| Found {
            start: view.source(found.start),
            end: text.len(),
            ..found
        });
        [plain, behind]
            .into_iter()
            .flatten()
            .min_by_key(|found| found.start)
    }

    fn find_cut_bytes(&self, bytes: &[u8]) -> Option<Found> {
        let all = self.exact.forms.iter().chain(&self.caseless.forms);
        let cut = |form: &Form| {
            let longest = form.bytes.len().min(bytes.len() + 1).saturating_sub(1);
            (SHORTEST..=longest)
                .rev()
                .find(|&n| bytes[bytes.len() - n..].eq_ignore_ascii_case(&form.bytes[..n]))
        };
        let (length, secret) = all.filter_map(|form| Some((cut(form)?, form.secret))).max()?;
        Some(Found {
            start: bytes.len() - length,
            end: bytes.len(),
            secret,
        })
    }

    fn find_behind(&self, view: &View, found: &mut Vec<Found>) {
        let mut inside = Vec::new();
        self.find(&view.bytes, &mut inside);
        found.extend(inside.into_iter().map(|f| Found {
            start: view.source(f.start),
            end: view.source(f.end),
            secret: f.secret,
        }));
    }

    fn find(&self, bytes: &[u8], found: &mut Vec<Found>) {
        self.exact.find(bytes, found);
        self.caseless.find(bytes, found);
    }
}

impl Search {
    fn build(&mut self, caseless: bool) {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(caseless)
            .match_kind(MatchKind::Standard)
            .build(self.forms.iter().map(|f| &f.bytes));
        self.automaton = Some(automaton.expect("an automaton of a few secrets is far below every limit"));
    }

    fn find(&self, bytes: &[u8], found: &mut Vec<Found>) {
        let Some(automaton) = &self.automaton else { return };
        for hit in automaton.find_overlapping_iter(bytes) {
            let form = &self.forms[hit.pattern().as_usize()];
            let (mut start, mut end) = (hit.start(), hit.end());
            if form.base64 {
                start -= usize::from(form.spills_left && start > 0 && is_base64(bytes[start - 1]));
                end += usize::from(form.spills_right && bytes.get(end).copied().is_some_and(is_base64));
                end += bytes[end..].iter().take(2).take_while(|&&b| b == b'=').count();
            }
            let touched = |at: Option<usize>| {
                at.and_then(|at| bytes.get(at))
                    .is_some_and(u8::is_ascii_alphanumeric)
            };
            if form.bytes.len() < ANYWHERE && (touched(start.checked_sub(1)) || touched(Some(end))) {
                continue;
            }
            found.push(Found {
                start,
                end,
                secret: form.secret,
            });
        }
    }
}

fn exact_forms(secret: usize, value: &[u8]) -> Vec<Form> {
    let plain = Form {
        secret,
        bytes: value.to_vec(),
        spills_left: false,
        spills_right: false,
        base64: false,
    };
    let mut forms = vec![plain];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let encoded = engine.encode([&[0; 2][..before], value].concat()).into_bytes();
            // Only characters all of whose six bits come from the secret are the same whatever stands around it.
            let first = (before * 8).div_ceil(6);
            let last = (before + value.len()) * 8 / 6;
            let bytes = encoded[first..last].to_vec();
            if bytes.len() < SHORTEST || forms.iter().any(|f| f.bytes == bytes) {
                continue;
            }
            let (spills_left, spills_right) = (before > 0, !((before + value.len()) * 8).is_multiple_of(6));
            forms.push(Form {
                secret,
                bytes,
                spills_left,
                spills_right,
                base64: true,
            });
        }
    }
    forms
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// Sorted and without overlaps: what overlaps becomes one, under the name of its longest part.
fn united(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|f| (f.start, std::cmp::Reverse(f.end)));
    let mut all: Vec<(Found, usize)> = Vec::new();
    for f in found {
        match all.last_mut() {
            Some((last, longest)) if f.start < last.end => {
                if f.end - f.start > *longest {
                    *longest = f.end - f.start;
                    last.secret = f.secret;
                }
                last.end = last.end.max(f.end);
            }
            _ => all.push((f, f.end - f.start)),
        }
    }
    all.into_iter().map(|(f, _)| f).collect()
}
