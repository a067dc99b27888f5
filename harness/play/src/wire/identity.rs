//! The identity at the end of a connection URL: percent-encoded in the path, plain everywhere else.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986 2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why a path segment cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A `%` without two hexadecimal digits; the number is its byte offset in the segment.
    #[error("`%` at byte {0} of the path segment is not followed by two hexadecimal digits")]
    BadEscape(usize),
    /// The decoded bytes are no text.
    #[error("the path segment does not decode to UTF-8")]
    NotUtf8,
}

/// Percent-encodes `text` so that it is one path segment.
pub fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Decodes one path segment strictly.
///
/// # Errors
/// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
pub fn decode_segment(segment: &str) -> Result<String, IdentityError> {
    let bytes = segment.as_bytes();
    let is_hex = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_hexdigit);
    if let Some(at) = (0..bytes.len()).find(|&i| bytes[i] == b'%' && !(is_hex(i + 1) && is_hex(i + 2))) {
        return Err(IdentityError::BadEscape(at));
    }
    let decoded = percent_encoding::percent_decode(bytes).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| IdentityError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reserved_characters_survive_as_escapes() {
        assert_eq!(encode_segment("CP 1/é"), "CP%201%2F%C3%A9");
        assert_eq!(decode_segment("CP%201%2f%C3%A9"), Ok("CP 1/é".to_owned()));
    }

    #[test]
    fn broken_escapes_are_named_by_place() {
        assert_eq!(decode_segment("ab%2"), Err(IdentityError::BadEscape(2)));
        assert_eq!(decode_segment("%zz"), Err(IdentityError::BadEscape(0)));
        assert_eq!(decode_segment("%ff"), Err(IdentityError::NotUtf8));
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in ".{0,40}") {
            prop_assert_eq!(decode_segment(&encode_segment(&text)), Ok(text));
        }
    }
}
