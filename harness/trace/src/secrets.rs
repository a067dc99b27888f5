//! Secrets leave no trace: each is replaced by a mark when the event is made.
//!
//! A mark is `«secret:NAME:LENGTH:HASH»`. Its hash is an HMAC of the secret under a key that the run forgets, so two
//! marks of one run can be compared and none can be tried against a dictionary later. Replacing is the only loss that
//! a trace may have.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

mod event;
mod forms;
mod places;
mod text;

use crate::data::hex;
use forms::Forms;
use places::Places;

const OPEN: &str = "«secret:";
const CLOSE: char = '»';
/// Bytes of the HMAC that a mark shows.
const HASH_BYTES: usize = 6;
/// A name in a mark is not longer than this.
const MAX_NAME: usize = 40;

/// What stands in a trace in the place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What the profile calls the secret, or the place where it stood.
    pub name: String,
    /// Characters of the text that was replaced.
    pub length: usize,
    /// The same for the same secret, whatever form it stood in; different in every run.
    pub hash: String,
}

impl Mark {
    /// Reads a text that is a mark and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(OPEN)?.strip_suffix(CLOSE)?.splitn(3, ':');
        let (name, length, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let named = name.bytes().all(is_name_byte) && (1..=MAX_NAME).contains(&name.len());
        let hashed = hash.len() == 2 * HASH_BYTES && hash.bytes().all(|b| b.is_ascii_hexdigit());
        (named && hashed).then(|| {
            Some(Self {
                name: name.to_owned(),
                length: length.parse().ok()?,
                hash: hash.to_owned(),
            })
        })?
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OPEN}{}:{}:{}{CLOSE}", self.name, self.length, self.hash)
    }
}

/// Replaces secrets by marks.
///
/// A secret is found as text, in hex, in base64 of either alphabet at any alignment (so also inside an encoded
/// `user:password`), percent-encoded and JSON-escaped, in whole or in part. One of fewer than eight bytes is only
/// replaced where no letter or digit touches it, and one of fewer than four only at the places that the catalogue
/// marks: anything else would blot out the evidence.
#[derive(Clone)]
pub struct Marker {
    key: Arc<[u8; 32]>,
    forms: Arc<Forms>,
    places: Places,
}

impl Marker {
    /// A marker without secrets yet. The key must come from the operating system's random source, not from the seed
    /// of the run: whoever has the key can test guesses.
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            key: Arc::new(key),
            forms: Arc::new(Forms::default()),
            places: Places::default(),
        }
    }

    /// A marker with a key that nobody knows: one for each run, cloned for each of its traces.
    pub fn fresh() -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self::new(key))
    }

    /// A marker for a run in which nothing is secret: imports, and tests. Places that the catalogue marks are still
    /// replaced, with a hash that anybody could make.
    pub fn none() -> Self {
        Self::new([0; 32])
    }

    /// Adds a secret. `name` is what marks will call it. An empty one is ignored.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        Arc::make_mut(&mut self.forms).add(clean_name(name), value.to_vec());
    }

    /// The text with every form of every secret replaced.
    pub fn mark_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found = self.forms.find_in_text(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        // A password may be called "password": marks that are already there stay as they are.
        let marks = marks_in(text);
        found.retain(|f| {
            !marks
                .iter()
                .any(|mark| mark.start <= f.start && f.end <= mark.end)
        });
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for range in found {
            let (start, end) = (
                text.floor_char_boundary(range.start),
                text.ceil_char_boundary(range.end),
            );
            out.push_str(&text[from..start]);
            out.push_str(
                &self
                    .mark_of(range.secret, text[start..end].chars().count())
                    .to_string(),
            );
            from = end;
        }
        out.push_str(&text[from..]);
        Cow::Owned(out)
    }

    /// Bytes with every form of every secret replaced; `None` where there is none.
    fn mark_bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let found = self.forms.find_in_bytes(bytes);
        if found.is_empty() {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut from = 0;
        for range in found {
            out.extend_from_slice(&bytes[from..range.start]);
            out.extend_from_slice(
                self.mark_of(range.secret, range.end - range.start)
                    .to_string()
                    .as_bytes(),
            );
            from = range.end;
        }
        out.extend_from_slice(&bytes[from..]);
        Some(out)
    }

    /// The mark of a whole value that is secret because of its place. A known secret keeps its name and hash there.
    fn mark_whole(&self, place: &str, value: &[u8]) -> Mark {
        let length = str::from_utf8(value).map_or(value.len(), |text| text.chars().count());
        let whole = self
            .forms
            .find_in_bytes(value)
            .into_iter()
            .find(|r| r.start == 0 && r.end == value.len());
        match whole {
            Some(range) => self.mark_of(range.secret, length),
            None => Mark {
                name: clean_name(place),
                length,
                hash: self.hash(value),
            },
        }
    }

    fn mark_of(&self, secret: usize, length: usize) -> Mark {
        let secret = self.forms.secret(secret);
        Mark {
            name: secret.name.clone(),
            length,
            hash: self.hash(&secret.value),
        }
    }

    fn hash(&self, value: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.key).expect("HMAC takes a key of any length");
        hex(&mac.chain_update(value).finalize().into_bytes()[..HASH_BYTES])
    }
}

impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither key nor values may ever reach a log.
        f.debug_struct("Marker")
            .field("secrets", &self.forms.len())
            .finish_non_exhaustive()
    }
}

/// Where marks stand in a text.
fn marks_in(text: &str) -> Vec<Range<usize>> {
    let mark = |(start, _)| {
        let end = start + text[start..].find(CLOSE)? + CLOSE.len_utf8();
        Mark::parse(&text[start..end]).map(|_| start..end)
    };
    text.match_indices(OPEN).filter_map(mark).collect()
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn clean_name(name: &str) -> String {
    let clean: String = name
        .bytes()
        .take(MAX_NAME)
        .map(|b| if is_name_byte(b) { char::from(b) } else { '-' })
        .collect();
    if clean.is_empty() {
        "unnamed".to_owned()
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    const SECRET: &str = "p~ß/4?w\"o\\rd>>7 x";

    fn marker() -> Marker {
        let mut marker = Marker::new([7; 32]);
        marker.add("password", SECRET.as_bytes());
        marker
    }

    fn json_escaped(text: &str) -> String {
        serde_json::to_string(text).unwrap().trim_matches('"').to_owned()
    }

    #[test]
    fn twelve_forms_are_found_in_running_text() {
        let bytes = SECRET.as_bytes();
        let lower = hex(bytes);
        let percent: String = bytes
            .iter()
            .fold(String::new(), |all, b| all + &format!("%{b:02X}"));
        let partly = "p~%C3%9F%2f4%3Fw%22o%5Crd>>7%20x";
        let unicode = SECRET
            .chars()
            .fold(String::new(), |all, c| all + &format!("\\u{:04x}", u32::from(c)));
        let forms = [
            SECRET.to_owned(),
            lower.to_uppercase(),
            lower,
            STANDARD.encode(SECRET),
            STANDARD_NO_PAD.encode(SECRET),
            URL_SAFE.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            percent,
            partly.to_owned(),
            json_escaped(SECRET),
            unicode,
            json_escaped(SECRET).replace('/', "\\/"),
        ];
        let marker = marker();
        let hash = marker.hash(bytes);
        for form in &forms {
            let text = format!("before {form} after");
            let marked = marker.mark_text(&text);
            let inside = marked
                .strip_prefix("before ")
                .and_then(|rest| rest.strip_suffix(" after"));
            let mark = Mark::parse(inside.unwrap_or_else(|| panic!("{form}: {marked}")));
            let length = form.chars().count();
            assert_eq!(
                mark,
                Some(Mark {
                    name: "password".to_owned(),
                    length,
                    hash: hash.clone()
                }),
                "{form}"
            );
        }
    }

    #[test]
    fn base64_is_found_at_every_alignment() {
        let marker = marker();
        for user in ["", "u", "us", "use", "CS001"] {
            for tail in ["", "!", "!!", "!!!"] {
                let text = STANDARD.encode(format!("{user}:{SECRET}{tail}"));
                let marked = marker.mark_text(&text).into_owned();
                assert!(marked.contains(OPEN), "{user} {tail}: {marked}");
                // What is left must not give the secret back: at most one of its bytes at either end.
                let rest: String = marked
                    .split(OPEN)
                    .filter_map(|p| p.split_once(CLOSE).map(|(_, r)| r).or(Some(p)))
                    .collect();
                assert!(rest.len() <= user.len() * 2 + tail.len() * 2 + 6, "{marked}");
            }
        }
    }

    #[test]
    fn short_secrets_do_not_blot_out_the_evidence() {
        let mut marker = Marker::new([7; 32]);
        marker.add("pin", b"1234");
        marker.add("digit", b"7");
        marker.add("nothing", b"");
        assert_eq!(marker.mark_text("121234 7 91234x"), "121234 7 91234x");
        assert!(marker.mark_text("pin=1234;").starts_with("pin=«secret:pin:4:"));
        assert!(marker.mark_text("1234").starts_with("«secret:pin:4:"));
    }

    #[test]
    fn what_is_left_of_a_secret_where_a_text_was_cut_is_one() {
        let mut marker = marker();
        marker.add("token", b"TOK3N-q8Zr5LmX");
        let percent = "%54%4F%4B%33%4E%2D%71%38%5A%72%35%4C";
        for (kept, cut) in [
            ("TOK3N-q8Zr", true),
            (&hex(b"TOK3N-q8"), true),
            (&STANDARD.encode("TOK3N-q8Z"), true),
            (percent, true),
            (&percent[..percent.len() - 1], true),
            (&percent[..percent.len() - 2], true),
            ("TOK3N%2Dq8", true),
            ("TOK", false),
            ("3N-q8Zr", false),
        ] {
            let marked = marker.mark_text(&format!("so «{kept}… and on")).into_owned();
            assert_eq!(marked.starts_with("so ««secret:token:"), cut, "{kept}: {marked}");
            assert!(marked.ends_with("… and on"), "{marked}");
            assert_eq!(marker.mark_text(&marked), marked);
        }
    }

    #[test]
    fn overlapping_secrets_leave_nothing_of_either() {
        let mut marker = Marker::new([7; 32]);
        marker.add("a", b"abcdefghijkl");
        marker.add("b", b"ijklmnopqrst");
        let marked = marker.mark_text("<abcdefghijklmnopqrst>").into_owned();
        assert!(
            marked.starts_with("<«secret:a:20:") && marked.ends_with("»>"),
            "{marked}"
        );
    }

    #[test]
    fn a_secret_called_secret_does_not_eat_marks() {
        let mut marker = Marker::new([7; 32]);
        marker.add("x", b"secret");
        marker.add("y", b"long-enough-value");
        let marked = marker.mark_text("secret long-enough-value %41").into_owned();
        assert_eq!(marked.matches(OPEN).count(), 2, "{marked}");
        assert_eq!(marked.matches(CLOSE).count(), 2, "{marked}");
    }

    #[test]
    fn marking_twice_changes_nothing() {
        let mut marker = Marker::new([7; 32]);
        marker.add("password", b"password");
        let once = marker.mark_text("user:password").into_owned();
        assert_eq!(marker.mark_text(&once), once);
        let both = marker.mark_text(&format!("{once} password")).into_owned();
        assert_eq!(both.matches(OPEN).count(), 2, "{both}");
    }

    #[test]
    fn marks_of_one_key_compare_and_of_two_keys_do_not() {
        let mut other = Marker::new([8; 32]);
        other.add("password", SECRET.as_bytes());
        assert_eq!(marker().mark_text(SECRET), marker().mark_text(SECRET));
        assert_ne!(marker().mark_text(SECRET), other.mark_text(SECRET));
        let [mut one, mut two] = [Marker::fresh().unwrap(), Marker::fresh().unwrap()];
        one.add("password", SECRET.as_bytes());
        two.add("password", SECRET.as_bytes());
        assert_eq!(one.mark_text(SECRET), one.clone().mark_text(SECRET));
        assert_ne!(one.mark_text(SECRET), two.mark_text(SECRET));
    }

    #[test]
    fn nothing_of_a_secret_is_in_the_debug_text() {
        let text = format!("{:?}", marker());
        assert_eq!(text, "Marker { secrets: 1, .. }");
    }

    #[test]
    fn marks_are_told_from_lookalikes() {
        assert!(Mark::parse("«secret:a:3:0123456789ab»").is_some());
        for text in [
            "«secret:a:3:0123456789ab» ",
            "«secret::3:0123456789ab»",
            "«secret:a:x:0123456789ab»",
            "«secret:a:3:zz»",
        ] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
        assert_eq!(clean_name("a b:»"), "a-b---");
    }
}
