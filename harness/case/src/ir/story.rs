//! The lines and blocks of a story.

use serde::Serialize;

use super::{Cel, Expr, Given, ObjectPattern, Pattern, Span, Word};

/// One line or block of a story.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stmt {
    /// Comment lines above it, without `#`.
    pub comments: Vec<String>,
    /// A comment at its end, without `#`.
    pub trailing: Option<String>,
    /// What it says.
    pub kind: Kind,
    /// The modifiers `as within after every eventually should per unprompted at-once`.
    pub mods: Mods,
    /// What only the formatter needs, so that formatting loses no comment and no paragraph.
    #[serde(skip)]
    pub layout: Layout,
    /// Its place: the line, or for a block everything up to its `end`.
    pub span: Span,
}

/// How a statement was set by its author; means nothing to a test.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// A blank line stood above the statement (or above its comments).
    pub gap: bool,
    /// Comment lines below it, where it is the last of its block.
    pub below: Vec<String>,
}

/// Modifiers of a line.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Mods {
    /// `as NAME`: the message (with `.time`) or, on an act, the moment (`NAME.time`).
    pub bind: Option<Word>,
    /// `within D`: the latest moment.
    pub within: Option<Expr>,
    /// `after D [± T]`: the earliest moment (our own line: the delay).
    pub after: Option<Timing>,
    /// `every D [± T]`: distance to the message before.
    pub every: Option<Timing>,
    /// Messages that do not fit pass until the deadline.
    pub eventually: bool,
    /// A failed line is a warning.
    pub should: bool,
    /// `per "CLAUSE"`: overrides the clause that is cited.
    pub per: Option<String>,
    /// A CSMS under test acts by itself here; the driver is not asked.
    pub unprompted: bool,
    /// Do not wait for the obligatory lines before.
    pub at_once: bool,
}

/// A duration with an optional tolerance of the author's own.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timing {
    /// The duration.
    pub value: Expr,
    /// `± T`; without it the profile's tolerance.
    pub tolerance: Option<Expr>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kind {
    /// `act ev.plug(connector: $connector)`: a hand at the station.
    Act(Verb),
    /// `operate csms.token(…)`: an operator at the CSMS.
    Operate(Verb),
    /// `station: BootNotification(which) { what }`
    Call(Call),
    /// `csms: => { … }`, `=> error CODE`, `=> silence`, `=> A or B`, `=> to NAME …`
    Answer(Answer),
    /// `station: Connect { … }`
    Connect(Peer),
    /// `csms: => accept { … }`, `csms: => refuse …` under a Connect (also `files: => refuse`)
    Welcome(Welcome),
    /// `station: Close { … }`
    Close(Peer),
    /// `link drop|close N|refuse|accept`
    Link(Link),
    /// `wait D`
    Wait {
        /// How long.
        time: Expr,
    },
    /// `check EXPR`
    Check(Cel),
    /// `raw SPEAKER "text"`, `raw SPEAKER bytes "5b ff"`: one text frame exactly as written, however wrong.
    Raw {
        /// Who sends it.
        speaker: Speaker,
        /// The text is written as hex, for what is no UTF-8.
        bytes: bool,
        /// The text frame: texts, put together with `+` and repeated with `*`.
        text: Expr,
    },
    /// `do NAME(…)`
    Do(Given),
    /// `run NATIVE(…)`
    Run(Verb),
    /// `any order … end`
    AnyOrder {
        /// Its members.
        body: Vec<Stmt>,
    },
    /// `in order … end`
    InOrder {
        /// Its members.
        body: Vec<Stmt>,
    },
    /// `either … or … [or nothing within D] … end`
    Either {
        /// The branches.
        branches: Vec<Branch>,
    },
    /// `optional … end`, or `optional` before one exchange
    Optional {
        /// Its members.
        body: Vec<Stmt>,
    },
    /// `many (n..m) … as LIST until …`
    Many(Many),
    /// `repeat n … end`
    Repeat {
        /// How often.
        times: Expr,
        /// What.
        body: Vec<Stmt>,
    },
    /// `each x in SET [except y] … end`
    Each {
        /// The name.
        var: Word,
        /// `connectors()`, `connectors(0..)`, a list, a list parameter.
        set: Set,
        /// What is left out.
        except: Option<Expr>,
        /// The lines.
        body: Vec<Stmt>,
    },
    /// `if FACT … end`
    If {
        /// A PICS code, `config.KEY` or a CEL expression over values known before the body.
        fact: Cel,
        /// The lines.
        body: Vec<Stmt>,
    },
    /// `never SPEAKER: A, B for D` / `never … until end`
    Never(Never),
}

impl Kind {
    /// The lines inside a block, branch by branch; empty for what is no block.
    pub fn bodies(&self) -> Vec<&[Stmt]> {
        match self {
            Self::AnyOrder { body }
            | Self::InOrder { body }
            | Self::Optional { body }
            | Self::Repeat { body, .. }
            | Self::Each { body, .. }
            | Self::If { body, .. } => vec![body],
            Self::Many(many) => vec![&many.body],
            Self::Either { branches } => branches.iter().map(|branch| branch.body.as_slice()).collect(),
            _ => Vec::new(),
        }
    }
}

/// One branch of an `either`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Branch {
    /// `or nothing within D`: taken when no other branch began within D.
    pub nothing_within: Option<Expr>,
    /// A comment behind `either` or `or`.
    pub trailing: Option<String>,
    /// The lines.
    pub body: Vec<Stmt>,
}

/// A named verb with arguments: `ev.plug(connector: 1)`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verb {
    /// The dotted name.
    pub name: Word,
    /// Its arguments.
    pub args: Vec<Arg>,
}

/// One argument, named or positional.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arg {
    /// The name, if given.
    pub name: Option<Word>,
    /// The value.
    pub value: Expr,
}

/// Who speaks: `station`, `csms`, `station#2`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Speaker {
    /// `station csms cpo emsp hub files ca`
    pub role: String,
    /// 1 unless written `#n`.
    pub number: u32,
    /// Its place.
    pub span: Span,
}

/// A CALL line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// Who sends it.
    pub speaker: Speaker,
    /// The action.
    pub action: Word,
    /// `(which)`; `None` where no parentheses were written: then the catalogue's key fields pick.
    pub picks: Option<ObjectPattern>,
    /// `{ what }`
    pub payload: ObjectPattern,
}

/// The file transfers that a station may be seen to begin; no catalogue names them.
pub const TRANSFERS: [&str; 2] = ["Upload", "Download"];

/// True for a file transfer, which is written as a CALL and is none.
pub fn is_transfer(action: &str) -> bool {
    TRANSFERS.contains(&action)
}

/// An answer line; belongs to the CALL above it, or opens a branch of the `either` under that CALL.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Who answers.
    pub speaker: Speaker,
    /// `to NAME`: the CALL line bound by that name (a late or crossed answer).
    pub to: Option<Word>,
    /// One or, with `or`, several.
    pub forms: Vec<AnswerForm>,
}

/// One form of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerForm {
    /// A CALLRESULT.
    Result(ObjectPattern),
    /// A CALLERROR; the code may be a pattern.
    Error {
        /// The code, a bare literal or `any`.
        code: Pattern,
    },
    /// No answer at all.
    Silence,
}

/// The payload of Connect and Close lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peer {
    /// Who connects or closes.
    pub speaker: Speaker,
    /// What is picked and verified: `subprotocols`, `security`, `path`, `user`; `code`, `reason`.
    pub payload: ObjectPattern,
}

/// How a connection (or a file transfer) is met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Welcome {
    /// Who answers.
    pub speaker: Speaker,
    /// How.
    pub how: WelcomeForm,
}

/// The forms of a welcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WelcomeForm {
    /// `=> accept { subprotocol: … }`
    Accept(ObjectPattern),
    /// `=> refuse`, `=> refuse tcp`
    RefuseTcp,
    /// `=> refuse http 404`
    RefuseHttp(Expr),
    /// `=> refuse tls(expired)`
    RefuseTls(Word),
}

/// `link` operations of the played side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// The connection is cut without a Close frame.
    Drop,
    /// A Close frame with this code.
    Close(u16),
    /// New connections are refused (as station: none is made) until `accept`.
    Refuse,
    /// New connections are accepted (as station: made) again.
    Accept,
}

/// `many (n..m) EXCHANGE as LIST until …`. The list name stands in the statement's modifiers (`bind`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Many {
    /// The fewest; `(3)` is exactly three.
    pub min: Option<Expr>,
    /// The most; `None` is open.
    pub max: Option<Expr>,
    /// One exchange: a CALL line and its answers.
    pub body: Vec<Stmt>,
    /// When it ends.
    pub until: Until,
}

/// The end of a `many`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// With the next line of the story, or when the most have come.
    Next,
    /// `until { … }`: with the message that fits, which belongs to it.
    Fits(ObjectPattern),
    /// `until quiet D`: when none came for D.
    Quiet(Expr),
}

/// `never SPEAKER: A, B for D`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Never {
    /// The forbidden messages.
    pub calls: Vec<Call>,
    /// How long.
    pub scope: NeverScope,
}

/// How long a `never` watches.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeverScope {
    /// `for D`: waits and ends.
    For(Expr),
    /// `until end`: watches while the story goes on.
    UntilEnd,
}

/// What `each` walks over.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Set {
    /// `connectors()` (from 1) and `connectors(0..)`.
    Connectors {
        /// The first id.
        from: u32,
    },
    /// `[A, B]`
    List(Vec<Expr>),
    /// A list value.
    Value(Expr),
}
