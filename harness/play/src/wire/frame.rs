//! Frames as we write them: correct by default, as wrong as a test needs them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Which end of the connection we are; it decides who masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We dialled: our frames are masked, the peer's are not.
    Client,
    /// We accepted: the peer's frames are masked, ours are not.
    Server,
}

/// The four bits that say what a frame is (RFC 6455 5.2), reserved ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opcode(u8);

impl Opcode {
    /// Goes on with the message before.
    pub const CONTINUATION: Self = Self(0);
    /// UTF-8 text.
    pub const TEXT: Self = Self(1);
    /// Bytes.
    pub const BINARY: Self = Self(2);
    /// The end of the conversation.
    pub const CLOSE: Self = Self(8);
    /// Asks for a pong.
    pub const PING: Self = Self(9);
    /// Answers a ping, or stands alone.
    pub const PONG: Self = Self(10);

    /// The low four bits of `bits`.
    pub const fn new(bits: u8) -> Self {
        Self(bits & 0x0f)
    }

    /// The number on the wire, 0 to 15.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// True for 8 to 15.
    pub const fn is_control(self) -> bool {
        self.0 >= 8
    }

    /// True for 3 to 7 and 11 to 15.
    pub const fn is_reserved(self) -> bool {
        matches!(self.0, 3..=7 | 11..=15)
    }

    /// The name of RFC 6455, or `reserved`.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "continuation",
            1 => "text",
            2 => "binary",
            8 => "close",
            9 => "ping",
            10 => "pong",
            _ => "reserved",
        }
    }
}

/// How a frame of ours is masked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mask {
    /// As our side must: a fresh key as client, none as server.
    #[default]
    AsSide,
    /// No mask, whatever our side must do.
    Never,
    /// This key, whatever our side must do.
    Key([u8; 4]),
}

/// How the payload length of a frame of ours is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// The shortest form, as demanded.
    #[default]
    Minimal,
    /// The 16-bit form, whatever the length; the low 16 bits are written.
    Bits16,
    /// The 64-bit form, whatever the length.
    Bits64,
    /// A lie: this length in its shortest form, while the payload stays as it is.
    Lying(u64),
}

/// One frame to be written, with every freedom that a test needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutFrame {
    /// What the frame is.
    pub opcode: Opcode,
    /// False where more fragments follow.
    pub fin: bool,
    /// The RSV bits as a number from 0 to 7, RSV1 as 4.
    pub rsv: u8,
    /// Masked or not.
    pub mask: Mask,
    /// How the length is written.
    pub length: Length,
    /// The bytes before masking.
    pub payload: Vec<u8>,
}

impl OutFrame {
    /// A correct, unfragmented frame.
    pub fn new(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            opcode,
            fin: true,
            rsv: 0,
            mask: Mask::AsSide,
            length: Length::Minimal,
            payload: payload.into(),
        }
    }

    /// A text message in one frame.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Opcode::TEXT, text.into())
    }

    /// A binary message in one frame.
    pub fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(Opcode::BINARY, payload)
    }

    /// A ping.
    pub fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(Opcode::PING, payload)
    }

    /// A pong.
    pub fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(Opcode::PONG, payload)
    }

    /// A close frame with a status code, legal or not, and a reason.
    pub fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        Self::new(Opcode::CLOSE, payload)
    }

    /// A close frame without a status code.
    pub fn close_empty() -> Self {
        Self::new(Opcode::CLOSE, Vec::new())
    }

    /// The message cut after each of `sizes` bytes; what is left goes into the last frame. A size of 0 is an empty fragment.
    pub fn fragmented(opcode: Opcode, payload: &[u8], sizes: &[usize]) -> Vec<Self> {
        let mut rest = payload;
        let mut frames = Vec::with_capacity(sizes.len() + 1);
        for &size in sizes {
            let (head, tail) = rest.split_at(size.min(rest.len()));
            frames.push(Self {
                fin: false,
                ..Self::new(fragment_opcode(opcode, frames.len()), head)
            });
            rest = tail;
        }
        frames.push(Self::new(fragment_opcode(opcode, frames.len()), rest));
        frames
    }
}

fn fragment_opcode(opcode: Opcode, index: usize) -> Opcode {
    if index == 0 { opcode } else { Opcode::CONTINUATION }
}

/// Turns frames into bytes; mask keys come from the generator handed in, so a run can be repeated.
#[derive(Clone, Debug)]
pub struct Encoder {
    side: Side,
    keys: ChaCha8Rng,
}

impl Encoder {
    /// An encoder for our `side`, drawing mask keys from `keys`.
    pub fn new(side: Side, keys: ChaCha8Rng) -> Self {
        Self { side, keys }
    }

    /// Appends the frame's bytes to `out`.
    pub fn encode(&mut self, frame: &OutFrame, out: &mut Vec<u8>) {
        let key = match frame.mask {
            Mask::AsSide if self.side == Side::Client => Some(self.keys.next_u32().to_be_bytes()),
            Mask::AsSide | Mask::Never => None,
            Mask::Key(key) => Some(key),
        };
        let mask_bit = if key.is_some() { 0x80 } else { 0 };
        out.reserve(14 + frame.payload.len());
        out.push(u8::from(frame.fin) << 7 | (frame.rsv & 7) << 4 | frame.opcode.number());
        push_length(frame.length, frame.payload.len() as u64, mask_bit, out);
        if let Some(key) = key {
            out.extend_from_slice(&key);
        }
        let start = out.len();
        out.extend_from_slice(&frame.payload);
        if let Some(key) = key {
            apply_mask(&mut out[start..], key, 0);
        }
    }
}

fn push_length(form: Length, actual: u64, mask_bit: u8, out: &mut Vec<u8>) {
    let said = if let Length::Lying(lie) = form {
        lie
    } else {
        actual
    };
    match form {
        Length::Bits16 => push_16(said, mask_bit, out),
        Length::Bits64 => push_64(said, mask_bit, out),
        Length::Minimal | Length::Lying(_) => match said {
            0..=125 => out.push(mask_bit | said as u8),
            126..=0xffff => push_16(said, mask_bit, out),
            _ => push_64(said, mask_bit, out),
        },
    }
}

fn push_16(len: u64, mask_bit: u8, out: &mut Vec<u8>) {
    out.push(mask_bit | 0x7e);
    out.extend_from_slice(&(len as u16).to_be_bytes());
}

fn push_64(len: u64, mask_bit: u8, out: &mut Vec<u8>) {
    out.push(mask_bit | 0x7f);
    out.extend_from_slice(&len.to_be_bytes());
}

/// Masks or unmasks in place; `offset` is the position of `bytes` in the frame's payload.
pub(super) fn apply_mask(bytes: &mut [u8], mut key: [u8; 4], offset: u64) {
    key.rotate_left((offset % 4) as usize);
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn bytes(side: Side, frame: &OutFrame) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder::new(side, ChaCha8Rng::seed_from_u64(1)).encode(frame, &mut out);
        out
    }

    #[test]
    fn a_server_text_frame_is_plain() {
        assert_eq!(bytes(Side::Server, &OutFrame::text("Hi")), [0x81, 2, b'H', b'i']);
    }

    #[test]
    fn the_masked_example_of_the_standard_comes_out() {
        let frame = OutFrame {
            mask: Mask::Key([0x37, 0xfa, 0x21, 0x3d]),
            ..OutFrame::text("Hello")
        };
        let expected = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(bytes(Side::Server, &frame), expected);
    }

    #[test]
    fn lengths_take_their_shortest_form_unless_told_otherwise() {
        assert_eq!(
            bytes(Side::Server, &OutFrame::binary(vec![0; 126]))[..4],
            [0x82, 126, 0, 126]
        );
        assert_eq!(
            bytes(Side::Server, &OutFrame::binary(vec![0; 65536]))[..10],
            [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]
        );
        let long = OutFrame {
            length: Length::Bits64,
            ..OutFrame::text("a")
        };
        assert_eq!(
            bytes(Side::Server, &long),
            [0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, b'a']
        );
        let lie = OutFrame {
            length: Length::Lying(5),
            ..OutFrame::text("a")
        };
        assert_eq!(bytes(Side::Server, &lie), [0x81, 5, b'a']);
    }

    #[test]
    fn masking_at_any_offset_equals_masking_byte_by_byte() {
        let key = [1, 2, 3, 4];
        let plain: Vec<u8> = (0..40).collect();
        for cut in 0..plain.len() {
            let mut masked = plain.clone();
            let (head, tail) = masked.split_at_mut(cut);
            apply_mask(head, key, 0);
            apply_mask(tail, key, cut as u64);
            let expected: Vec<u8> = plain.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            assert_eq!(masked, expected, "cut at {cut}");
        }
    }

    #[test]
    fn fragments_start_with_the_opcode_and_end_with_fin() {
        let frames = OutFrame::fragmented(Opcode::TEXT, b"abcdef", &[2, 0, 3]);
        let shape: Vec<_> = frames
            .iter()
            .map(|f| (f.opcode.number(), f.fin, f.payload.len()))
            .collect();
        assert_eq!(shape, [(1, false, 2), (0, false, 0), (0, false, 3), (0, true, 1)]);
    }
}
