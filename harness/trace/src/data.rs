//! Payloads: what is kept of one, and how.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::event::Data;

/// Of a payload above this many bytes only the head, the length and the hash are kept.
pub const MAX_KEPT: usize = 64 << 10;

impl Data {
    /// The payload of a frame as the trace keeps it: text for a text frame that is valid UTF-8, base64 for anything
    /// else, head and hash above [`MAX_KEPT`].
    pub fn of(opcode: u8, payload: &[u8]) -> Self {
        if payload.len() > MAX_KEPT {
            return Self::large(
                &payload[..MAX_KEPT],
                payload.len() as u64,
                &Sha256::digest(payload),
            );
        }
        match str::from_utf8(payload) {
            Ok(text) if opcode == 1 => Self::Text {
                text: text.to_owned(),
            },
            _ => Self::Bytes {
                base64: STANDARD.encode(payload),
            },
        }
    }

    /// A payload of which the wire itself only kept the head.
    pub fn large(head: &[u8], length: u64, sha256: &[u8]) -> Self {
        let head = &head[..head.len().min(MAX_KEPT)];
        // A character that the cut went through is left out instead of being made up.
        let whole = match str::from_utf8(head) {
            Err(error) if error.error_len().is_none() => &head[..error.valid_up_to()],
            _ => head,
        };
        Self::Large {
            head: String::from_utf8_lossy(whole).into_owned(),
            length,
            sha256: hex(sha256),
        }
    }

    /// The text, where the payload was kept whole and is text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Bytes { .. } | Self::Large { .. } => None,
        }
    }
}

/// Bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_the_rest_is_base64() {
        assert_eq!(
            Data::of(1, b"[2]"),
            Data::Text {
                text: "[2]".to_owned()
            }
        );
        assert_eq!(
            Data::of(1, b"\xff"),
            Data::Bytes {
                base64: "/w==".to_owned()
            }
        );
        assert_eq!(
            Data::of(9, b"hi"),
            Data::Bytes {
                base64: "aGk=".to_owned()
            }
        );
        assert_eq!(Data::of(1, b"[2]").text(), Some("[2]"));
    }

    #[test]
    fn a_large_payload_is_cut_between_characters_and_hashed_whole() {
        let mut payload = vec![b'x'; MAX_KEPT - 1];
        payload.extend_from_slice("é…".as_bytes());
        let Data::Large { head, length, sha256 } = Data::of(1, &payload) else {
            panic!("it is large")
        };
        assert_eq!((head.len(), length), (MAX_KEPT - 1, payload.len() as u64));
        assert_eq!(sha256, hex(&Sha256::digest(&payload)));
        assert_eq!(
            Data::of(1, &vec![b'x'; MAX_KEPT]).text().map(str::len),
            Some(MAX_KEPT)
        );
    }
}
