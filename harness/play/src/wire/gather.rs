//! A message in the making: its bytes within bounds, its flaws each once.

use sha2::{Digest, Sha256};

use super::decoder::{Limits, WireEvent};
use super::flaw::WireFlaw;
use super::frame::{Opcode, apply_mask};

/// A message in the making.
#[derive(Debug)]
pub(super) struct Gather {
    pub(super) opcode: Opcode,
    rsv: u8,
    masked: bool,
    pub(super) fragments: u32,
    pub(super) len: u64,
    kept: Vec<u8>,
    pub(super) digest: Option<Box<Sha256>>,
    flaws: Vec<WireFlaw>,
}

impl Gather {
    pub(super) fn new(first: u8, masked: bool) -> Self {
        Self {
            opcode: Opcode::new(first),
            rsv: first >> 4 & 7,
            masked,
            fragments: 0,
            len: 0,
            kept: Vec::new(),
            digest: None,
            flaws: Vec::new(),
        }
    }

    /// Notes a flaw, each kind once: a message of 60,000 unmasked fragments has one.
    pub(super) fn blame(&mut self, flaw: WireFlaw) {
        if !self.flaws.iter().any(|known| known.id() == flaw.id()) {
            self.flaws.push(flaw);
        }
    }

    pub(super) fn take(&mut self, piece: &[u8], key: Option<[u8; 4]>, at: u64, limits: &Limits) {
        self.len += piece.len() as u64;
        if self.digest.is_none() && self.len <= limits.max_message as u64 {
            let start = self.kept.len();
            self.kept.extend_from_slice(piece);
            if let Some(key) = key {
                apply_mask(&mut self.kept[start..], key, at);
            }
            return;
        }
        let kept = &mut self.kept;
        let digest = self
            .digest
            .get_or_insert_with(|| Box::new(Sha256::new_with_prefix(&*kept)));
        let mut offset = at;
        for part in piece.chunks(1024) {
            let mut buffer = [0; 1024];
            let plain = &mut buffer[..part.len()];
            plain.copy_from_slice(part);
            if let Some(key) = key {
                apply_mask(plain, key, offset);
            }
            offset += part.len() as u64;
            digest.update(&*plain);
            let room = limits.head_kept.saturating_sub(kept.len()).min(plain.len());
            kept.extend_from_slice(&plain[..room]);
        }
        if kept.len() > limits.head_kept {
            kept.truncate(limits.head_kept);
            kept.shrink_to_fit();
        }
    }

    /// Looks at the bytes of a finished message; compressed ones (RSV1) cannot be looked at.
    pub(super) fn blame_content(&mut self) {
        if self.digest.is_some() {
            return;
        }
        match self.opcode {
            Opcode::TEXT if self.rsv == 0 => self.blame_text(0),
            Opcode::CLOSE => match *self.kept {
                [] => {}
                [_] => self.blame(WireFlaw::BadCloseLength),
                [high, low, ..] => {
                    let code = u16::from_be_bytes([high, low]);
                    if !may_be_sent(code) {
                        self.blame(WireFlaw::BadCloseCode(code));
                    }
                    self.blame_text(2);
                }
            },
            _ => {}
        }
    }

    fn blame_text(&mut self, from: usize) {
        if let Err(error) = std::str::from_utf8(&self.kept[from..]) {
            self.blame(WireFlaw::InvalidUtf8 {
                at: error.valid_up_to(),
            });
        }
    }

    pub(super) fn into_event(self, fin: bool) -> WireEvent {
        WireEvent {
            opcode: self.opcode,
            fin,
            rsv: self.rsv,
            masked: self.masked,
            fragments: self.fragments,
            payload: self.kept,
            len: self.len,
            sha256: self.digest.map(|digest| digest.finalize().into()),
            flaws: self.flaws,
        }
    }
}

/// The status codes that may stand in a close frame: those of RFC 6455 7.4.1, the later registered 1012 to 1014,
/// and the ranges for libraries and applications.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
