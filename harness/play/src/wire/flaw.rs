//! What can be wrong with a frame or a message, each with a stable id, its clause and the close code it deserves.

use std::fmt;

/// One departure from RFC 6455, seen while reading. Reading goes on after most of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireFlaw {
    /// The payload length used a longer form than needed (RFC 6455 5.2).
    NonMinimalLength {
        /// Bits of the form used: 16 or 64.
        bits: u8,
        /// The length it carried, in bytes.
        len: u64,
    },
    /// The most significant bit of a 64-bit length was set (RFC 6455 5.2).
    LengthHighBit,
    /// An opcode that the standard reserves: 3 to 7 and 11 to 15 (RFC 6455 5.2).
    ReservedOpcode(u8),
    /// RSV bits without a negotiated extension, as a number from 1 to 7 with RSV1 as 4 (RFC 6455 5.2).
    RsvBits(u8),
    /// A client sent a frame without a mask (RFC 6455 5.1).
    Unmasked,
    /// A server sent a masked frame (RFC 6455 5.1).
    Masked,
    /// A control frame above 125 bytes; the number is its declared length (RFC 6455 5.5).
    ControlTooLong(u64),
    /// A control frame without FIN (RFC 6455 5.5).
    ControlFragmented,
    /// A continuation frame with nothing to continue (RFC 6455 5.4).
    BadContinuation,
    /// A new data message began before this one had ended (RFC 6455 5.4).
    UnfinishedMessage,
    /// A text message, or the reason of a close frame, is not UTF-8; the number is the first bad byte (RFC 6455 8.1).
    InvalidUtf8 {
        /// Offset of the first bad byte in the text.
        at: usize,
    },
    /// A status code that no close frame may carry (RFC 6455 7.4).
    BadCloseCode(u16),
    /// A close frame with a body of one byte (RFC 6455 5.5.1).
    BadCloseLength,
    /// Anything sent after a close frame (RFC 6455 5.5.1).
    AfterClose,
    /// The message exceeds our limit; the number is the bytes counted. Reading stops.
    TooLarge(u64),
    /// The message has more fragments than our limit. Reading stops.
    TooManyFragments(u32),
    /// The stream ended inside a frame or a message; the number is the bytes of the frame still missing, as far as known.
    Truncated {
        /// Bytes that the frame's header had promised and that never came.
        missing: u64,
    },
}

impl WireFlaw {
    /// The stable name used in traces and reports.
    pub fn id(&self) -> &'static str {
        match self {
            Self::NonMinimalLength { .. } => "non-minimal-length",
            Self::LengthHighBit => "length-high-bit",
            Self::ReservedOpcode(_) => "reserved-opcode",
            Self::RsvBits(_) => "rsv-bits",
            Self::Unmasked => "unmasked",
            Self::Masked => "masked",
            Self::ControlTooLong(_) => "control-too-long",
            Self::ControlFragmented => "control-fragmented",
            Self::BadContinuation => "bad-continuation",
            Self::UnfinishedMessage => "unfinished-message",
            Self::InvalidUtf8 { .. } => "invalid-utf8",
            Self::BadCloseCode(_) => "bad-close-code",
            Self::BadCloseLength => "bad-close-length",
            Self::AfterClose => "after-close",
            Self::TooLarge(_) => "too-large",
            Self::TooManyFragments(_) => "too-many-fragments",
            Self::Truncated { .. } => "truncated-at-eof",
        }
    }

    /// The clause that the flaw breaks; empty where only a limit of ours is exceeded.
    pub fn clause(&self) -> &'static str {
        match self {
            Self::NonMinimalLength { .. }
            | Self::LengthHighBit
            | Self::ReservedOpcode(_)
            | Self::RsvBits(_) => "RFC 6455 5.2",
            Self::Unmasked | Self::Masked => "RFC 6455 5.1",
            Self::ControlTooLong(_) | Self::ControlFragmented => "RFC 6455 5.5",
            Self::BadContinuation | Self::UnfinishedMessage => "RFC 6455 5.4",
            Self::InvalidUtf8 { .. } => "RFC 6455 8.1",
            Self::BadCloseCode(_) => "RFC 6455 7.4",
            Self::BadCloseLength | Self::AfterClose => "RFC 6455 5.5.1",
            Self::Truncated { .. } => "RFC 6455 7.1.7",
            Self::TooLarge(_) | Self::TooManyFragments(_) => "",
        }
    }

    /// The status code with which an endpoint may fail the connection for this flaw, if there is anyone left to tell.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::InvalidUtf8 { .. } => Some(1007),
            Self::TooManyFragments(_) => Some(1008),
            Self::TooLarge(_) => Some(1009),
            Self::AfterClose | Self::Truncated { .. } => None,
            _ => Some(1002),
        }
    }

    /// True where nothing more is read from the connection after this flaw.
    pub fn stops_reading(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::TooManyFragments(_))
    }
}

impl fmt::Display for WireFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NonMinimalLength { bits, len } => {
                write!(
                    f,
                    "length {len} written in {bits} bits where a shorter form holds it"
                )
            }
            Self::LengthHighBit => f.write_str("most significant bit of the 64-bit length is set"),
            Self::ReservedOpcode(code) => write!(f, "opcode {code:#x} is reserved"),
            Self::RsvBits(bits) => write!(f, "RSV bits {bits:03b} set without a negotiated extension"),
            Self::Unmasked => f.write_str("a frame from the client is not masked"),
            Self::Masked => f.write_str("a frame from the server is masked"),
            Self::ControlTooLong(len) => write!(f, "control frame of {len} bytes, at most 125 are allowed"),
            Self::ControlFragmented => f.write_str("control frame without FIN"),
            Self::BadContinuation => f.write_str("continuation frame with nothing to continue"),
            Self::UnfinishedMessage => f.write_str("a new message began before this one ended"),
            Self::InvalidUtf8 { at } => write!(f, "text is not UTF-8 from byte {at} on"),
            Self::BadCloseCode(code) => write!(f, "close code {code} may not be sent"),
            Self::BadCloseLength => f.write_str("close frame with a body of one byte"),
            Self::AfterClose => f.write_str("sent after a close frame"),
            Self::TooLarge(len) => write!(f, "message of {len} bytes or more exceeds the limit"),
            Self::TooManyFragments(count) => write!(f, "message of more than {count} fragments"),
            Self::Truncated { missing } => {
                write!(f, "the stream ended {missing} bytes before the end of the frame")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_of_ours_have_no_clause() {
        assert_eq!(WireFlaw::TooLarge(9).clause(), "");
        assert_eq!(WireFlaw::Masked.clause(), "RFC 6455 5.1");
        assert!(WireFlaw::TooLarge(9).stops_reading());
        assert!(!WireFlaw::Masked.stops_reading());
    }

    #[test]
    fn a_text_flaw_is_closed_with_1007_and_a_truncated_stream_with_nothing() {
        assert_eq!(WireFlaw::InvalidUtf8 { at: 3 }.close_code(), Some(1007));
        assert_eq!(WireFlaw::TooLarge(1).close_code(), Some(1009));
        assert_eq!(WireFlaw::RsvBits(4).close_code(), Some(1002));
        assert_eq!(WireFlaw::Truncated { missing: 1 }.close_code(), None);
    }
}
