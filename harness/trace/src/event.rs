//! What a recorder writes: facts of one conversation in the order in which they happened.
//!
//! A trace holds what happened and never what it means: no verdict, no finding, no "line matched". Deleting every
//! report and judging the trace again must give them all back.

use std::collections::BTreeMap;

use plugfest_protocol::{Json, Timestamp};
use serde::{Deserialize, Serialize};

/// The format name in the first event of every trace.
pub const SCHEMA: &str = "plugfest-trace/1";

/// One recorded fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// 0 for the premise, then rising by one.
    pub seq: u64,
    /// When it happened, on the run's clock.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
}

/// Whose deed a frame, a close or a process event was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// The device under test.
    Dut,
    /// The harness.
    Us,
}

/// Why the harness sent a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A line of the case asked for it.
    Story,
    /// The ordinary behaviour of the played side.
    Ordinary,
    /// The liveness probe after the case.
    Probe,
    /// Sent by a stimulus other than a case: a walk, a fuzz campaign, a replay.
    Stimulus,
}

/// The kinds of fact.
///
/// On disk the kind is the key (`{"frame": {…}}`): an inner tag would make serde buffer the value, and buffering
/// loses the text of numbers, which [`Json`] keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// Everything that judging needs beyond the events; always the first event.
    Premise(Box<Premise>),
    /// A connection is up: the upgrade succeeded.
    Opened {
        /// Number of the connection in this trace, from 1.
        conn: u32,
        /// The station identity it belongs to.
        identity: String,
        /// Who dialled.
        by: Party,
        /// The upgrade request as it stood on the wire.
        request: Head,
        /// The answer as it stood on the wire.
        response: Head,
        /// The agreed subprotocol.
        subprotocol: Option<String>,
        /// Ids of what was wrong with the upgrade.
        flaws: Vec<String>,
        /// `none`, `tls`: how the bytes travelled.
        security: Option<String>,
    },
    /// A connection did not come up.
    Refused {
        /// Number of the attempt among connections, from 1.
        conn: u32,
        /// The identity asked for, as far as it is known.
        identity: String,
        /// Who dialled.
        by: Party,
        /// The request, if one was read or written.
        request: Option<Head>,
        /// The answer, if one was read or written.
        response: Option<Head>,
        /// Why, in a few words.
        reason: String,
        /// Ids of what was wrong.
        flaws: Vec<String>,
    },
    /// A data or control frame of the WebSocket layer, reassembled from its fragments.
    Frame {
        /// The connection.
        conn: u32,
        /// The sender.
        from: Party,
        /// 1 text, 2 binary, 9 ping, 10 pong; others as they came. Close frames are `Closing`.
        opcode: u8,
        /// Its payload.
        data: Data,
        /// Ids of what was wrong with it below the protocol: `non-minimal-length`, `invalid-utf8` …
        flaws: Vec<String>,
        /// Why we sent it; `None` for the DUT's frames.
        cause: Option<Cause>,
    },
    /// A Close frame.
    Closing {
        /// The connection.
        conn: u32,
        /// The sender.
        from: Party,
        /// Its code, if any.
        code: Option<u16>,
        /// Its reason.
        reason: String,
        /// Ids of what was wrong with it.
        flaws: Vec<String>,
    },
    /// The connection is gone.
    Closed {
        /// The connection.
        conn: u32,
        /// Who ended it.
        by: Party,
        /// `close`, `eof`, `reset`, `drop`, `error`.
        how: String,
    },
    /// The played side did something to the link: `drop`, `refuse`, `accept`, `close N`.
    Link {
        /// The operation.
        op: String,
    },
    /// A file transfer began: the head of its HTTP request is here.
    Transfer {
        /// Number of the transfer in this run, from 1.
        transfer: u32,
        /// Who asked for it: the DUT at our file server, or we at a server.
        by: Party,
        /// `upload`, `download`, or `other` for a request that is neither.
        op: String,
        /// The location that it concerns, as the harness gives it out; what a DUT adds to it stands in the request.
        url: String,
        /// The request.
        request: Head,
    },
    /// A file transfer is over.
    Transferred {
        /// Its number.
        transfer: u32,
        /// The status it was answered with; `None` where it was cut without an answer.
        status: Option<u16>,
        /// Bytes of the file that went across.
        length: u64,
        /// SHA-256 of them, hex; `None` where none did.
        sha256: Option<String>,
        /// True if the file went across whole and was accepted.
        whole: bool,
        /// Why it was not, in a few words; empty where it was.
        reason: String,
    },
    /// The driver was asked for an action.
    Asked {
        /// Number of the request, from 1.
        call: u32,
        /// `ev.plug`, `csms.call` …
        verb: String,
        /// Its arguments.
        args: Json,
    },
    /// The driver answered.
    Performed {
        /// Number of the request.
        call: u32,
        /// What it said.
        outcome: Outcome,
    },
    /// Something the DUT's own process did.
    Process {
        /// `started`, `exited`, `stderr`, `stdout`.
        what: String,
        /// The line, or the exit status in words.
        text: String,
    },
    /// The harness let the next stage of the story begin: `body`, `finally`, `restore`, `probe`.
    Stage {
        /// Its name.
        name: String,
    },
    /// A deadline came without anything else having happened.
    Tick,
    /// Ctrl-C, SIGTERM or a time limit of the run: the story is broken off here, `finally` still runs.
    Interrupted {
        /// By what.
        by: String,
    },
    /// The recorder finished in good order; a trace without it was cut off.
    End,
}

/// The driver's word on an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// It was done. Never evidence that the DUT noticed.
    Done,
    /// A reading verb's value: evidence of its own kind.
    Returned {
        /// The value.
        value: Json,
    },
    /// The back-end cannot do this.
    Unsupported {
        /// Why.
        why: String,
    },
    /// The driver broke.
    Failed {
        /// How.
        why: String,
    },
    /// A person chose to skip it.
    Skipped,
}

/// The head of an HTTP request or response: first line and headers in order, in the case in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The request line or status line.
    pub line: String,
    /// Name and value pairs, in order, duplicates kept.
    pub headers: Vec<(String, String)>,
}

/// The payload of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Data {
    /// Valid UTF-8, whole.
    Text {
        /// The text.
        text: String,
    },
    /// Not UTF-8 or not a text frame: base64.
    Bytes {
        /// Base64, standard alphabet with padding.
        base64: String,
    },
    /// Above 64 KiB: head, length and hash.
    Large {
        /// The first 64 KiB (lossy text).
        head: String,
        /// The whole length in bytes.
        length: u64,
        /// SHA-256 of all of it, hex.
        sha256: String,
    },
}

/// What was known and chosen before the first frame. Judging starts from this alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Premise {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the tool that wrote it.
    pub tool: String,
    /// `OCPP-1.6`
    pub protocol: String,
    /// The side under test: `station` or `csms`.
    pub dut: String,
    /// The identity that the DUT is, or that we take towards it.
    pub identity: String,
    /// The case that is played; `None` between cases, and for walks, fuzzing and imports.
    pub case: Option<CaseSource>,
    /// Values of the case's `for` names.
    pub for_values: BTreeMap<String, Json>,
    /// The `$` values: leases, pools, deadlines and tolerances, as one object.
    pub values: Json,
    /// Answers to the PICS questions.
    pub pics: BTreeMap<String, Json>,
    /// Facts known at the start: `boot`, `status.1`, `transaction.1`, `config.KEY`, `ids` …
    pub facts: BTreeMap<String, Json>,
    /// Connections that are already up when the trace begins.
    pub connections: Vec<OpenConnection>,
    /// Chooses the branches that the played side takes; `None` plays blocks as written.
    pub vary: Option<u64>,
    /// The seed of everything random in the run.
    pub seed: u64,
    /// The verbs that the driver can do; `None` where that is not known.
    pub driver: Option<Vec<String>>,
}

/// A connection that was open before the trace began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenConnection {
    /// Its number.
    pub conn: u32,
    /// Its identity.
    pub identity: String,
    /// The agreed subprotocol.
    pub subprotocol: Option<String>,
}

/// A case with everything that its text refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseSource {
    /// The case id.
    pub id: String,
    /// SHA-256 of its file's text, hex.
    pub sha256: String,
    /// The files: the case's own first, then the states and facts that it uses.
    pub files: Vec<SourceFile>,
}

/// A file of the case language, carried in a premise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Path below `testcases/`.
    pub path: String,
    /// Its text.
    pub text: String,
}
