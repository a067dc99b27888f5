//! What goes into a conversation, and what comes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plugfest_case::ir::{Link, Span, WelcomeForm};
use plugfest_protocol::{Json, Object, Timestamp};

use super::{Meeting, Overlay};
use crate::finding::{Finding, LineRef};
use crate::script::Programs;

/// What the conversation wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Send a CALL.
    Call {
        /// The side that speaks.
        speaker: String,
        /// 1, or the number behind `#`.
        number: u32,
        /// The action.
        action: String,
        /// What the line asks for; the rest is ordinary.
        overlay: Overlay,
    },
    /// Answer a CALL with a CALLRESULT.
    Answer {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
        /// Its action.
        action: String,
        /// What the line asks for; the rest is ordinary.
        overlay: Overlay,
    },
    /// Answer a CALL with a CALLERROR.
    AnswerError {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
        /// Its action.
        action: String,
        /// The code.
        code: String,
    },
    /// Give no answer to this CALL.
    Silence {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
    },
    /// Answer a CALL as the played side ordinarily does.
    Ordinary {
        /// The connection.
        conn: u32,
        /// The message id of the CALL.
        id: String,
        /// Its action.
        action: String,
    },
    /// Ask the driver, or do it on the side that we play.
    Ask {
        /// Number of the request.
        call: u32,
        /// The verb.
        verb: String,
        /// Its arguments.
        args: Json,
    },
    /// Do something to the link.
    Link(Link),
    /// How the next connection of the DUT is met.
    Gate(WelcomeForm),
    /// Open a connection with these properties.
    Dial(Object),
    /// How a transfer at the file server is met.
    Meet(Meeting),
    /// Bring a file to that place, or fetch it from there.
    Transfer {
        /// True to bring it.
        upload: bool,
        /// The place.
        url: String,
    },
    /// Send this as one text frame, with a message id for each [`plugfest_case::raw::FRESH_ID`].
    Raw(Vec<u8>),
    /// Set a configuration value of the side that we play; `null` is its ordinary value.
    SetModel {
        /// The key.
        key: String,
        /// The value as it is written on the wire.
        value: Json,
    },
    /// The next stage may begin: record it.
    Stage(&'static str),
    /// Send the liveness probe.
    Probe,
    /// The story is over: record the end.
    Done,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// In words.
    pub what: String,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// A line of the DUT that was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineMet {
    /// The author's line.
    pub line: LineRef,
    /// The event that met it.
    pub event: u64,
    /// True for an answer line.
    pub answer: bool,
    /// The statement's place in its file.
    pub span: Span,
    /// When its time began to run, where it had: everything obligatory before it was done.
    pub since: Option<Timestamp>,
    /// The latest moment at which it could still be met.
    pub until: Option<Timestamp>,
}

/// A message that a `never` forbids at this moment, as the smallest that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct Forbidden {
    /// The author's line.
    pub line: LineRef,
    /// The statement's place in its file.
    pub span: Span,
    /// The action.
    pub action: String,
    /// The payload.
    pub payload: Json,
}

/// Where the story stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// `given` is being reached.
    Given,
    /// The story runs.
    Body,
    /// `finally` runs.
    Finally,
    /// Configuration is put back.
    Restore,
    /// Open CALLs are waited for, then the probe is answered.
    Probe,
    /// Nothing is left to do.
    Done,
}

/// What a premise gives to a conversation.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The case, its states and their files.
    pub(crate) case: Arc<plugfest_case::ir::Case>,
    /// State by name, with the index of its file.
    pub(crate) states: BTreeMap<String, (Arc<plugfest_case::ir::State>, usize)>,
    /// Path and text of each file; the case's own is the first.
    pub(crate) files: Vec<(String, Arc<str>)>,
    /// Its expressions, as far as they have been read.
    pub(crate) programs: Programs,
    /// The edition.
    pub(crate) edition: &'static plugfest_protocol::Edition,
    /// Its dialect.
    pub(crate) dialect: &'static dyn crate::dialect::Dialect,
    /// The side under test.
    pub(crate) dut: String,
    /// The `$` values.
    pub(crate) values: Json,
    /// Values of `for` names.
    pub(crate) for_values: BTreeMap<String, Json>,
    /// PICS answers.
    pub(crate) pics: BTreeMap<String, Json>,
    /// What the driver can do.
    pub(crate) driver: Option<Vec<String>>,
    /// Chooses branches of the played side; 0 plays as written.
    pub(crate) vary: u64,
    /// True where a connection is already up.
    pub(crate) linked: bool,
}

/// What the conversation has to say at the end.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The finding that ended the body, if any.
    pub(crate) ended: Option<Finding>,
    /// Findings of lines that did not end it.
    pub(crate) findings: Vec<Finding>,
    /// What was found in `finally` and while restoring.
    pub(crate) aftermath: Vec<Finding>,
    /// True if the body was played to its end.
    pub(crate) complete: bool,
    /// Lines of the DUT that were met.
    pub(crate) lines: Vec<LineMet>,
    /// `check`s that were evaluated.
    pub(crate) checks: u32,
    /// Events that no line claimed.
    pub(crate) unclaimed: Vec<u64>,
    /// The choices that were made for the played side: among how many, and which.
    pub(crate) choices: Vec<(u32, u32)>,
    /// Waiting that the story imposed.
    pub(crate) waited: Duration,
}
