//! Where a device's words leave it: the one place at which defects of frames are made.
//!
//! An honest device has no tap. With one, every text goes through it on its way out; it may come out changed, twice, late or
//! not at all. What comes in is only looked at, to know what an answer answers.

use std::collections::VecDeque;
use std::time::Duration;

use plugfest_protocol::{Edition, Frame, Json, Timestamp, read_frame};

use crate::defect::Defect;
use crate::slip::Slip;

mod named;
mod slipped;

/// How many CALLs that were heard are remembered, to know what an answer answers.
const MOST_HEARD: usize = 64;
/// How late a late message is: late, but within every time-out.
const LATE: Duration = Duration::from_secs(12);

/// The tap of one device, or of one connection.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    defect: Option<Defect>,
    slip: Option<Slip>,
    heard: VecDeque<Heard>,
    /// What will be let out at that moment, the soonest first.
    held: Vec<(Timestamp, String)>,
    /// A message that waits for the next one to overtake it.
    overtaken: Option<String>,
    /// The payload of the last message of the slip's kind.
    last: Option<Json>,
    /// How often the defect has had its chance.
    chances: u32,
    /// A defect that waits for something has seen it.
    armed: bool,
}

/// A CALL that was heard.
#[derive(Debug)]
struct Heard {
    id: String,
    action: String,
    payload: Json,
}

/// What is on its way out.
struct Passing<'a> {
    frame: Frame,
    /// The action of the CALL, or of the CALL that is answered.
    action: String,
    /// The payload of the CALL that is answered.
    request: Option<&'a Json>,
}

impl Tap {
    pub(crate) fn new(defect: Option<Defect>, slip: Option<Slip>) -> Self {
        Self {
            defect,
            slip,
            ..Self::default()
        }
    }

    fn is_open(&self) -> bool {
        self.defect.is_some() || self.slip.is_some()
    }

    /// A text came in.
    pub(crate) fn heard(&mut self, text: &str) {
        if !self.is_open() {
            return;
        }
        match read_frame(Edition::ocpp16(), text).frame {
            Some(Frame::Call { id, action, payload }) => {
                if self.heard.len() >= MOST_HEARD {
                    self.heard.pop_front();
                }
                self.heard.push_back(Heard { id, action, payload });
            }
            Some(Frame::CallResult { id, .. } | Frame::CallError { id, .. })
                if self.defect == Some(Defect::CsResendBeforeTimeout) =>
            {
                self.held.retain(|(_, text)| !text.contains(&id));
            }
            _ => {}
        }
    }

    /// A text goes out: what is really said now.
    pub(crate) fn outgoing(&mut self, text: String, now: Timestamp) -> Vec<String> {
        if !self.is_open() {
            return vec![text];
        }
        let Some(frame) = read_frame(Edition::ocpp16(), &text).frame else {
            return vec![text];
        };
        let heard = std::mem::take(&mut self.heard);
        let answered = heard.iter().find(|heard| heard.id == frame.id());
        let action = match &frame {
            Frame::Call { action, .. } => Some(action.clone()),
            _ => answered.map(|heard| heard.action.clone()),
        };
        let request = match &frame {
            Frame::Call { .. } => None,
            _ => answered.map(|heard| &heard.payload),
        };
        let texts = match action {
            Some(action) => self.pass(
                Passing {
                    frame,
                    action,
                    request,
                },
                text,
                now,
            ),
            None => vec![text],
        };
        self.heard = heard;
        texts
    }

    fn pass(&mut self, mut passing: Passing<'_>, text: String, now: Timestamp) -> Vec<String> {
        if let Some(slip) = self.slip.clone() {
            return self.slip(&slip, passing, text, now);
        }
        match self.defect {
            Some(defect) => self.deviate(defect, &mut passing, text, now),
            None => vec![text],
        }
    }

    fn hold(&mut self, text: String, until: Timestamp) {
        self.held.push((until, text));
        self.held.sort();
    }

    /// When something that is held back is due.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.held.first().map(|(moment, _)| *moment)
    }

    /// What is due by now.
    pub(crate) fn release(&mut self, now: Timestamp) -> Vec<String> {
        let due = self.held.iter().take_while(|(moment, _)| *moment <= now).count();
        self.held.drain(..due).map(|(_, text)| text).collect()
    }

    /// The line is gone, and with it what was held back.
    pub(crate) fn line_gone(&mut self) {
        self.held.clear();
        self.overtaken = None;
    }
}

impl Passing<'_> {
    fn is_call(&self, action: &str) -> bool {
        matches!(self.frame, Frame::Call { .. }) && self.action == action
    }

    fn is_result(&self, action: &str) -> bool {
        matches!(self.frame, Frame::CallResult { .. }) && self.action == action
    }

    fn payload_mut(&mut self) -> Option<&mut Json> {
        match &mut self.frame {
            Frame::Call { payload, .. } | Frame::CallResult { payload, .. } => Some(payload),
            Frame::CallError { .. } => None,
        }
    }
}
