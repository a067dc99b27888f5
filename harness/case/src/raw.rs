//! The text of `raw` lines: frames exactly as written, however wrong.

/// How often a text may be repeated with `*`.
pub(crate) const MOST_TIMES: u32 = 1_000_000;

/// Stands for a message id that was not used before.
pub const FRESH_ID: &str = "<id>";

/// Stands for the message id that the last [`FRESH_ID`] became.
pub const SAME_ID: &str = "<id again>";

/// The bytes of a text in hex, blanks between them left out; `None` where it is none.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits
        .chunks(2)
        .map(|pair| Some((value(pair[0])? << 4) | value(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_and_nothing_else() {
        assert_eq!(from_hex("5b C3 28"), Some(vec![0x5b, 0xc3, 0x28]));
        assert_eq!(from_hex("ff00"), Some(vec![0xff, 0]));
        assert_eq!(from_hex(""), Some(Vec::new()));
        for wrong in ["5", "5g", "0x5b", "5b\t28", "é"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
