//! Bytes to messages, without I/O: assembles fragments, lets control frames through, reports every flaw.

use std::collections::VecDeque;

use super::flaw::WireFlaw;
use super::frame::{Opcode, Side};
use super::gather::Gather;

/// How much of a hostile peer is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the largest message that is kept whole.
    pub max_message: usize,
    /// Bytes kept of a message above that.
    pub head_kept: usize,
    /// Bytes of an oversized message that are counted and hashed before reading stops.
    pub max_drained: u64,
    /// Fragments of one message.
    pub max_fragments: u32,
}

impl Default for Limits {
    /// 1 MiB per message, 64 KiB kept of a larger one, 16 MiB read of it, 65,536 fragments.
    fn default() -> Self {
        Self {
            max_message: 1 << 20,
            head_kept: 64 << 10,
            max_drained: 16 << 20,
            max_fragments: 1 << 16,
        }
    }
}

/// One message or control frame as it came, with all that was wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireEvent {
    /// The opcode of its first frame.
    pub opcode: Opcode,
    /// False where the message never ended: the stream did, or another message began.
    pub fin: bool,
    /// The RSV bits of its first frame, RSV1 as 4.
    pub rsv: u8,
    /// Whether its first frame was masked.
    pub masked: bool,
    /// Frames it came in.
    pub fragments: u32,
    /// The unmasked bytes; of a message that is too large only the head.
    pub payload: Vec<u8>,
    /// Bytes counted, which is more than `payload` holds where the message is too large.
    pub len: u64,
    /// SHA-256 of all bytes counted, where `payload` is only the head.
    pub sha256: Option<[u8; 32]>,
    /// What was wrong, each kind once.
    pub flaws: Vec<WireFlaw>,
}

impl WireEvent {
    /// The payload as text, where it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.payload).ok()
    }

    /// The status code of a close frame that carries one.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.payload.first_chunk::<2>()?;
        (self.opcode == Opcode::CLOSE).then(|| u16::from_be_bytes(*code))
    }

    /// The reason of a close frame; bytes that are not UTF-8 are replaced.
    pub fn close_reason(&self) -> Option<String> {
        let reason = self.payload.get(2..)?;
        (self.opcode == Opcode::CLOSE).then(|| String::from_utf8_lossy(reason).into_owned())
    }

    /// True where nothing more is read after this event.
    pub fn stops_reading(&self) -> bool {
        self.flaws.iter().any(WireFlaw::stops_reading)
    }
}

/// The reading half without its stream: feed it bytes in any pieces, take out events.
#[derive(Debug)]
pub struct Decoder {
    side: Side,
    limits: Limits,
    header: [u8; 14],
    header_len: usize,
    frame: Option<Frame>,
    /// The data message being assembled.
    message: Option<Gather>,
    /// The frame that stands alone and may come between fragments.
    alone: Option<Gather>,
    ready: VecDeque<WireEvent>,
    closed: bool,
    stopped: bool,
    bytes: u64,
}

/// The frame whose payload is being read.
#[derive(Debug)]
struct Frame {
    fin: bool,
    alone: bool,
    key: Option<[u8; 4]>,
    at: u64,
    remaining: u64,
}

impl Decoder {
    /// A decoder for our `side`: as server it expects masked frames, as client unmasked ones.
    pub fn new(side: Side, limits: Limits) -> Self {
        Self {
            side,
            limits,
            header: [0; 14],
            header_len: 0,
            frame: None,
            message: None,
            alone: None,
            ready: VecDeque::new(),
            closed: false,
            stopped: false,
            bytes: 0,
        }
    }

    /// Takes in bytes from the stream; whatever comes after reading has stopped is dropped.
    pub fn feed(&mut self, mut input: &[u8]) {
        self.bytes += input.len() as u64;
        while !self.stopped {
            if self.frame.is_some() {
                input = self.feed_payload(input);
                if self.frame.is_some() {
                    return;
                }
            } else if let Some((&byte, rest)) = input.split_first() {
                input = rest;
                self.header[self.header_len] = byte;
                self.header_len += 1;
                if self.header_len == header_size(self.header[1], self.header_len) {
                    self.begin_frame();
                }
            } else {
                return;
            }
        }
    }

    /// The next event that is complete.
    pub fn next_event(&mut self) -> Option<WireEvent> {
        let event = self.ready.pop_front();
        if self.ready.is_empty() && self.ready.capacity() > 16 {
            self.ready = VecDeque::new();
        }
        event
    }

    /// Gives out what is unfinished, as events without `fin`; for the end of the stream or of the caller's patience.
    pub fn finish(&mut self) {
        if self.stopped {
            return;
        }
        let missing = self.frame.take().map_or(0, |frame| frame.remaining);
        if self.header_len > 0 {
            let size = header_size(self.header[1], self.header_len).saturating_sub(self.header_len);
            let mut gather = Gather::new(self.header[0], false);
            gather.blame(WireFlaw::Truncated { missing: size as u64 });
            self.header_len = 0;
            self.emit(gather, false);
        }
        for mut gather in [self.alone.take(), self.message.take()].into_iter().flatten() {
            gather.blame(WireFlaw::Truncated { missing });
            self.emit(gather, false);
        }
        self.stopped = true;
    }

    /// True between the first byte of a frame or message and its last.
    pub fn is_mid_message(&self) -> bool {
        self.header_len > 0 || self.frame.is_some() || self.message.is_some()
    }

    /// True after a close frame has come.
    pub fn saw_close(&self) -> bool {
        self.closed
    }

    /// True where nothing more will be read.
    pub fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// Bytes taken in so far; a caller that bounds the silence inside a message watches this.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn begin_frame(&mut self) {
        let header = self.header;
        self.header_len = 0;
        let (opcode, fin, rsv) = (Opcode::new(header[0]), header[0] & 0x80 != 0, header[0] >> 4 & 7);
        let masked = header[1] & 0x80 != 0;
        let (len, length_flaw, after_length) = read_length(&header);
        let key = masked.then(|| [0, 1, 2, 3].map(|i| header[after_length + i]));

        let joins = opcode == Opcode::CONTINUATION && self.message.is_some();
        let starts = matches!(opcode, Opcode::TEXT | Opcode::BINARY);
        if starts && let Some(mut unfinished) = self.message.take() {
            unfinished.blame(WireFlaw::UnfinishedMessage);
            self.emit(unfinished, false);
        }
        let slot = if joins || starts {
            &mut self.message
        } else {
            &mut self.alone
        };
        let gather = slot.get_or_insert_with(|| Gather::new(header[0], masked));
        gather.fragments += 1;

        let mask_flaw = match self.side {
            Side::Server if !masked => Some(WireFlaw::Unmasked),
            Side::Client if masked => Some(WireFlaw::Masked),
            _ => None,
        };
        let flaws = [
            length_flaw,
            (len >> 63 == 1).then_some(WireFlaw::LengthHighBit),
            opcode
                .is_reserved()
                .then_some(WireFlaw::ReservedOpcode(opcode.number())),
            (rsv != 0).then_some(WireFlaw::RsvBits(rsv)),
            mask_flaw,
            (opcode.is_control() && len > 125).then_some(WireFlaw::ControlTooLong(len)),
            (opcode.is_control() && !fin).then_some(WireFlaw::ControlFragmented),
            (opcode == Opcode::CONTINUATION && !joins).then_some(WireFlaw::BadContinuation),
        ];
        flaws.into_iter().flatten().for_each(|flaw| gather.blame(flaw));

        let too_many = gather.fragments > self.limits.max_fragments;
        self.frame = Some(Frame {
            fin,
            alone: !(joins || starts),
            key,
            at: 0,
            remaining: len,
        });
        if too_many {
            let flaw = WireFlaw::TooManyFragments(self.limits.max_fragments);
            self.stop(flaw);
        }
    }

    /// Reads what belongs to the current frame and returns the rest; the frame is gone when it is complete.
    fn feed_payload<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let Some(frame) = &mut self.frame else {
            return input;
        };
        let slot = if frame.alone {
            &mut self.alone
        } else {
            &mut self.message
        };
        let Some(gather) = slot else { return input };
        let take = usize::try_from(frame.remaining)
            .unwrap_or(usize::MAX)
            .min(input.len());
        let (piece, rest) = input.split_at(take);
        gather.take(piece, frame.key, frame.at, &self.limits);
        frame.at += take as u64;
        frame.remaining -= take as u64;
        if gather.len > self.limits.max_drained {
            let flaw = WireFlaw::TooLarge(gather.len);
            self.stop(flaw);
        } else if frame.remaining == 0 {
            self.end_frame();
        }
        rest
    }

    fn end_frame(&mut self) {
        let Some(frame) = self.frame.take() else { return };
        let done = if frame.alone {
            self.alone.take()
        } else if frame.fin {
            self.message.take()
        } else {
            None
        };
        if let Some(gather) = done {
            let fin = frame.fin || gather.opcode.is_control();
            self.emit(gather, fin);
        }
    }

    fn stop(&mut self, flaw: WireFlaw) {
        let alone = self.frame.take().is_some_and(|frame| frame.alone);
        let slot = if alone {
            self.alone.take()
        } else {
            self.message.take()
        };
        if let Some(mut gather) = slot {
            gather.blame(flaw);
            self.emit(gather, false);
        }
        self.stopped = true;
    }

    fn emit(&mut self, mut gather: Gather, fin: bool) {
        if gather.digest.is_some() {
            gather.blame(WireFlaw::TooLarge(gather.len));
        }
        if fin {
            gather.blame_content();
        }
        if self.closed {
            gather.blame(WireFlaw::AfterClose);
        }
        self.closed |= gather.opcode == Opcode::CLOSE;
        let event = gather.into_event(fin);
        self.stopped |= event.stops_reading();
        self.ready.push_back(event);
    }
}

/// Size of the header as far as it can be told from the bytes read.
fn header_size(second: u8, have: usize) -> usize {
    if have < 2 {
        return 2;
    }
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + extended + if second & 0x80 == 0 { 0 } else { 4 }
}

fn read_length(header: &[u8; 14]) -> (u64, Option<WireFlaw>, usize) {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    let (len, bits, least, after) = match header[1] & 0x7f {
        126 => (number(&header[2..4]), 16, 126, 4),
        127 => (number(&header[2..10]), 64, 1 << 16, 10),
        short => (u64::from(short), 7, 0, 2),
    };
    (
        len,
        (len < least).then_some(WireFlaw::NonMinimalLength { bits, len }),
        after,
    )
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use sha2::{Digest, Sha256};

    use super::super::frame::{Encoder, Length, Mask, OutFrame};
    use super::*;

    /// What a server of ours reads when a client writes `frames`.
    fn read(frames: &[OutFrame]) -> Vec<WireEvent> {
        read_with(Limits::default(), frames)
    }

    fn read_with(limits: Limits, frames: &[OutFrame]) -> Vec<WireEvent> {
        let mut encoder = Encoder::new(Side::Client, ChaCha8Rng::seed_from_u64(7));
        let mut bytes = Vec::new();
        for frame in frames {
            encoder.encode(frame, &mut bytes);
        }
        let mut decoder = Decoder::new(Side::Server, limits);
        decoder.feed(&bytes);
        decoder.finish();
        std::iter::from_fn(|| decoder.next_event()).collect()
    }

    fn flaws(frames: &[OutFrame]) -> Vec<WireFlaw> {
        read(frames).into_iter().flat_map(|event| event.flaws).collect()
    }

    fn text() -> OutFrame {
        OutFrame::text("abc")
    }

    #[test]
    fn a_correct_message_has_no_flaw() {
        let events = read(&[text()]);
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!(
            (event.opcode, event.fin, event.rsv, event.masked, event.fragments),
            (Opcode::TEXT, true, 0, true, 1)
        );
        assert_eq!((event.text(), event.len, event.sha256), (Some("abc"), 3, None));
        assert_eq!(event.flaws, []);
    }

    #[test]
    fn fragments_are_joined_and_control_frames_come_between() {
        let mut frames = OutFrame::fragmented(Opcode::TEXT, b"abcdef", &[2, 0]);
        frames.insert(2, OutFrame::ping("p"));
        let events = read(&frames);
        let seen: Vec<_> = events
            .iter()
            .map(|e| (e.opcode, e.text().unwrap(), e.fragments))
            .collect();
        assert_eq!(seen, [(Opcode::PING, "p", 1), (Opcode::TEXT, "abcdef", 3)]);
        assert!(events.iter().all(|e| e.flaws.is_empty() && e.fin));
    }

    #[test]
    fn every_length_form_but_the_shortest_is_reported_and_read() {
        for (length, bits) in [(Length::Bits16, 16), (Length::Bits64, 64)] {
            let events = read(&[OutFrame { length, ..text() }, text()]);
            assert_eq!(events[0].flaws, [WireFlaw::NonMinimalLength { bits, len: 3 }]);
            assert_eq!(events[0].text(), Some("abc"));
            assert_eq!(events[1].flaws, []);
        }
    }

    #[test]
    fn reserved_bits_and_opcodes_are_reported_and_read() {
        assert_eq!(
            flaws(&[OutFrame { rsv: 5, ..text() }, text()]),
            [WireFlaw::RsvBits(5)]
        );
        for number in [3, 7, 11, 15] {
            let frame = OutFrame::new(Opcode::new(number), "x");
            assert_eq!(flaws(&[frame, text()]), [WireFlaw::ReservedOpcode(number)]);
        }
    }

    #[test]
    fn masks_are_judged_by_side() {
        let bare = OutFrame {
            mask: Mask::Never,
            ..text()
        };
        assert_eq!(flaws(&[bare, text()]), [WireFlaw::Unmasked]);
        let mut decoder = Decoder::new(Side::Client, Limits::default());
        let mut bytes = Vec::new();
        let masked = OutFrame {
            mask: Mask::Key([1, 2, 3, 4]),
            ..text()
        };
        Encoder::new(Side::Server, ChaCha8Rng::seed_from_u64(1)).encode(&masked, &mut bytes);
        decoder.feed(&bytes);
        let event = decoder.next_event().unwrap();
        assert_eq!(
            (event.text(), event.flaws.as_slice()),
            (Some("abc"), &[WireFlaw::Masked][..])
        );
    }

    #[test]
    fn control_frames_are_short_and_whole() {
        assert_eq!(
            flaws(&[OutFrame::ping(vec![0; 126]), text()]),
            [WireFlaw::ControlTooLong(126)]
        );
        let cut = OutFrame {
            fin: false,
            ..OutFrame::ping("")
        };
        let events = read(&[cut, text()]);
        assert_eq!(events[0].flaws, [WireFlaw::ControlFragmented]);
        assert_eq!(events[1].flaws, []);
    }

    #[test]
    fn a_broken_sequence_of_fragments_is_reported_on_the_message_it_concerns() {
        assert_eq!(
            flaws(&[OutFrame::new(Opcode::CONTINUATION, "x"), text()]),
            [WireFlaw::BadContinuation]
        );
        let events = read(&[OutFrame { fin: false, ..text() }, OutFrame::text("new")]);
        assert_eq!(
            (events[0].fin, events[0].flaws.as_slice()),
            (false, &[WireFlaw::UnfinishedMessage][..])
        );
        assert_eq!((events[1].text(), events[1].flaws.len()), (Some("new"), 0));
    }

    #[test]
    fn text_must_be_utf8_across_fragments_and_in_close_reasons() {
        let cut_inside_a_letter = OutFrame::fragmented(Opcode::TEXT, "aé".as_bytes(), &[2]);
        assert_eq!(flaws(&cut_inside_a_letter), []);
        assert_eq!(
            flaws(&[OutFrame::new(Opcode::TEXT, *b"ab\xff")]),
            [WireFlaw::InvalidUtf8 { at: 2 }]
        );
        assert_eq!(
            flaws(&[OutFrame::new(Opcode::CLOSE, *b"\x03\xe8a\xff")]),
            [WireFlaw::InvalidUtf8 { at: 1 }]
        );
        assert_eq!(flaws(&[OutFrame::binary(*b"ab\xff")]), []);
    }

    #[test]
    fn close_codes_are_judged() {
        for code in [1000, 1003, 1007, 1014, 3000, 4999] {
            assert_eq!(flaws(&[OutFrame::close(code, "bye")]), [], "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
            let events = read(&[OutFrame::close(code, "")]);
            assert_eq!(events[0].flaws, [WireFlaw::BadCloseCode(code)]);
            assert_eq!(events[0].close_code(), Some(code));
        }
        assert_eq!(
            flaws(&[OutFrame::new(Opcode::CLOSE, *b"\x03")]),
            [WireFlaw::BadCloseLength]
        );
        assert_eq!(flaws(&[OutFrame::close_empty()]), []);
        assert_eq!(
            read(&[OutFrame::close(1000, "bye")])[0].close_reason().as_deref(),
            Some("bye")
        );
    }

    #[test]
    fn what_follows_a_close_frame_is_reported() {
        assert_eq!(
            flaws(&[OutFrame::close(1000, ""), text()]),
            [WireFlaw::AfterClose]
        );
    }

    #[test]
    fn an_oversized_message_is_counted_and_hashed_and_its_head_is_kept() {
        let limits = Limits {
            max_message: 100,
            head_kept: 10,
            max_drained: 10_000,
            ..Limits::default()
        };
        let payload: Vec<u8> = (0..5_000_u32).map(|i| i as u8).collect();
        let frames = OutFrame::fragmented(Opcode::BINARY, &payload, &[7, 90, 2000]);
        let events = read_with(limits, &[frames, vec![text()]].concat());
        assert_eq!(events.len(), 1, "reading stops after it");
        assert_eq!(
            (events[0].len, events[0].payload.as_slice(), events[0].fin),
            (5000, &payload[..10], true)
        );
        assert_eq!(events[0].sha256, Some(Sha256::digest(&payload).into()));
        assert_eq!(events[0].flaws, [WireFlaw::TooLarge(5000)]);
    }

    #[test]
    fn an_endless_message_is_given_up() {
        let limits = Limits {
            max_message: 100,
            head_kept: 10,
            max_drained: 1_000,
            ..Limits::default()
        };
        let endless = OutFrame {
            length: Length::Lying(u64::MAX),
            ..OutFrame::binary(vec![1; 3_000])
        };
        let events = read_with(limits, &[endless]);
        assert_eq!(events.len(), 1);
        assert!(!events[0].fin);
        assert_eq!(
            events[0].flaws,
            [WireFlaw::LengthHighBit, WireFlaw::TooLarge(3_000)]
        );
        assert_eq!(events[0].payload, [1; 10]);
    }

    #[test]
    fn fragments_are_bounded() {
        let limits = Limits {
            max_fragments: 3,
            ..Limits::default()
        };
        let events = read_with(limits, &OutFrame::fragmented(Opcode::TEXT, b"", &[0, 0, 0, 0]));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].flaws, [WireFlaw::TooManyFragments(3)]);
        assert_eq!(
            read_with(limits, &OutFrame::fragmented(Opcode::TEXT, b"", &[0, 0]))[0].flaws,
            []
        );
    }

    #[test]
    fn what_the_end_of_the_stream_cuts_off_is_reported() {
        let cut_payload = OutFrame {
            length: Length::Lying(10),
            ..text()
        };
        let events = read(&[cut_payload]);
        assert_eq!((events[0].fin, events[0].text()), (false, Some("abc")));
        assert_eq!(events[0].flaws, [WireFlaw::Truncated { missing: 7 }]);

        let mut decoder = Decoder::new(Side::Server, Limits::default());
        decoder.feed(&[0x89]);
        assert!(decoder.is_mid_message());
        decoder.finish();
        let event = decoder.next_event().unwrap();
        assert_eq!(
            (event.opcode, event.flaws),
            (Opcode::PING, vec![WireFlaw::Truncated { missing: 1 }])
        );

        assert_eq!(
            flaws(&[OutFrame { fin: false, ..text() }]),
            [WireFlaw::Truncated { missing: 0 }]
        );
    }
}
