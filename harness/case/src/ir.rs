//! The typed form of a case, a state and a phrase. The engine, lint, formatter, diagram, documentation and JSON
//! read this and never the text; the text is one printing of it.

use std::ops::Range;

use serde::Serialize;

/// Where something stands in its file: byte offsets, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span as a range for slicing the source text.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One file of the language: cases (`*.case`) or states and phrases (`*.state`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct File {
    /// The items in file order. A `.case` file may hold several cases.
    pub items: Vec<Item>,
    /// Comments after the last item.
    pub tail: Vec<String>,
}

/// A top-level item of a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "item", rename_all = "kebab-case")]
pub enum Item {
    /// `case ID "title" … end`
    Case(Case),
    /// `state NAME(params) "title" … end` and `phrase NAME(params) "title" … end`
    State(State),
}

/// A test case: one closed story in wire order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    /// Comment lines above the case, without `#`.
    pub comments: Vec<String>,
    /// Stable id, lower-case words with `/` and `-`: `remote-start/cable-first`.
    pub id: String,
    /// Own short title.
    pub title: String,
    /// Everything between the title and the first line of the story.
    pub header: Header,
    /// The story.
    pub body: Vec<Stmt>,
    /// What is done afterwards whatever happened; changes no verdict.
    pub finally: Vec<Stmt>,
    /// The whole item.
    pub span: Span,
    /// The `case ID "title"` line.
    pub head: Span,
}

/// The header lines of a case.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Header {
    /// `spec OCPP-1.6 "5.11", "4.8"`: the clauses that the case exercises; the first document is the protocol.
    pub spec: Vec<SpecRef>,
    /// `covers TC_010_CS, TC_010_CSMS`: ids of the official catalogue.
    pub covers: Vec<Covers>,
    /// `requires Core and not fixed_cable`: when the case applies.
    pub requires: Option<Requires>,
    /// `given booted, idle($connector), charging($connector) as s`
    pub given: Vec<Given>,
    /// `tests station`: the sides that may be the DUT; absent means both.
    pub tests: Option<Vec<Word>>,
    /// `for x in [A, B]`: one case per value, several lines make the product.
    pub for_each: Vec<ForEach>,
    /// `level should`: a failed line is only a warning.
    pub level: Option<Word>,
    /// `note "…"`: shown to people; `note derived "…"` marks a case derived from clauses without public text.
    pub notes: Vec<Note>,
    /// `strict`: messages that no line claims fail the case.
    pub strict: bool,
}

/// One word with its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// One line of `spec`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpecRef {
    /// `OCPP-1.6`, `OCPP-1.6-J`, `OCPP-1.6-errata`, `OCPP-1.6-security`.
    pub document: String,
    /// The clause numbers or requirement ids.
    pub clauses: Vec<String>,
    /// The whole line.
    pub span: Span,
}

/// One official id of `covers`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Covers {
    /// `TC_010_CS`
    pub id: String,
    /// Its place.
    pub span: Span,
}

/// `note [derived] "text"`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    /// True for `note derived`.
    pub derived: bool,
    /// The text.
    pub text: String,
}

/// `for NAME in [values]`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForEach {
    /// The name bound in the case.
    pub name: Word,
    /// Its values.
    pub values: Vec<Expr>,
}

/// A PICS expression with its source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Requires {
    /// The parsed expression.
    pub expr: Pics,
    /// Its place.
    pub span: Span,
}

/// A PICS expression: `not` binds tighter than `and`, `and` tighter than `or`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pics {
    /// A yes/no code.
    Code(String),
    /// A numeric code compared with a number.
    Compare {
        /// The code.
        code: String,
        /// The comparison.
        op: CompareOp,
        /// The number.
        value: i64,
    },
    /// `not X`
    Not(Box<Pics>),
    /// `A and B`
    And(Box<Pics>, Box<Pics>),
    /// `A or B`
    Or(Box<Pics>, Box<Pics>),
}

/// Comparison operators of PICS expressions and patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum CompareOp {
    /// `<`
    #[serde(rename = "<")]
    Lt,
    /// `<=`
    #[serde(rename = "<=")]
    Le,
    /// `>`
    #[serde(rename = ">")]
    Gt,
    /// `>=`
    #[serde(rename = ">=")]
    Ge,
    /// `==` (PICS only; a bare value is equality in patterns)
    #[serde(rename = "==")]
    Eq,
    /// `!=` (PICS only; `not` is the pattern form)
    #[serde(rename = "!=")]
    Ne,
}

/// One item of `given`, and the target of `do`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// `booted`, `charging($connector) as s`
    State(Reference),
    /// `config(Key: value [if implemented], …)`
    Config {
        /// The keys to hold during the case.
        entries: Vec<ConfigEntry>,
        /// The whole item.
        span: Span,
    },
}

/// The use of a state or phrase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reference {
    /// Its name.
    pub name: Word,
    /// Positional arguments.
    pub args: Vec<Expr>,
    /// `as s`: the exports become `s.x`.
    pub bind: Option<Word>,
    /// The whole reference.
    pub span: Span,
}

/// One entry of `config(…)`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigEntry {
    /// The configuration key (1.6) or component/variable path (2.x).
    pub key: Word,
    /// The value.
    pub value: Expr,
    /// `if implemented`: an unknown key is passed over instead of blocking.
    pub if_implemented: bool,
}

/// A state (with `probe`) or a phrase (without).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct State {
    /// Comment lines above it.
    pub comments: Vec<String>,
    /// Its name: a lower-case identifier with underscores.
    pub name: Word,
    /// Own short title.
    pub title: String,
    /// The parameter names.
    pub params: Vec<Word>,
    /// True for `phrase`.
    pub phrase: bool,
    /// `spec …` lines, as in cases.
    pub spec: Vec<SpecRef>,
    /// `given …` lines: states that must hold before one of the ways is tried.
    pub given: Vec<Given>,
    /// `probe EXPR`: CEL over facts and parameters; none in a phrase.
    pub probe: Option<Cel>,
    /// `exports tx = EXPR, …`: evaluated when the state holds.
    pub exports: Vec<Export>,
    /// The ways to reach it, tried in file order; a phrase has exactly one, a state that can only be met has none.
    pub ways: Vec<Way>,
    /// The whole item.
    pub span: Span,
}

/// `exports NAME = EXPR`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Export {
    /// The name seen by the user of the state.
    pub name: Word,
    /// CEL over facts, parameters and `$` values.
    pub value: Cel,
}

/// One `reach … end` of a state, or the body of a phrase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    /// Optional title.
    pub title: Option<String>,
    /// Its lines.
    pub body: Vec<Stmt>,
    /// Its place.
    pub span: Span,
}

/// A CEL expression kept as text; `$a.b` inside it names profile values. Parsed and name-checked at load.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cel {
    /// The text as written.
    pub text: String,
    /// Its place.
    pub span: Span,
}

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

/// An object in braces.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ObjectPattern {
    /// Its members in file order.
    pub fields: Vec<FieldPattern>,
    /// `same_as(first)` as a member: every field of that message, but those written here.
    pub same_as: Vec<Expr>,
    /// `exactly { … }`: nothing else may be there.
    pub exactly: bool,
    /// Its place.
    pub span: Span,
}

/// One member of an object pattern.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldPattern {
    /// The field name.
    pub name: Word,
    /// What it must be.
    pub pattern: Pattern,
}

/// A value that is both checkable and constructible (rules 7 and 10).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// `any`: present, whatever it is.
    Any,
    /// `absent`
    Absent,
    /// A value, compared by its catalogue type. A bare word is an enum literal or a bound name, decided at load.
    Value(Expr),
    /// `one_of(a, b)`
    OneOf(Vec<Pattern>),
    /// `not p`
    Not(Box<Pattern>),
    /// `> x`, `<= x`
    Compare(CompareOp, Expr),
    /// `near(t)`: an instant within the profile's tolerance.
    Near(Expr),
    /// `about(n)` / `about(n, tolerance)`
    About(Expr, Option<Expr>),
    /// `matches /regex/ like "example"`
    Matches {
        /// The regular expression between the slashes.
        regex: String,
        /// The canonical value.
        like: Option<String>,
    },
    /// `same_as(x)`
    SameAs(Expr),
    /// `{ … }`, `exactly { … }`
    Object(ObjectPattern),
    /// `[ a, .., b ]` and `[…] in any order`
    Array(ArrayPattern),
    /// `each p`: every element.
    Each(Box<Pattern>),
    /// `profile(…)`, `composite(…)`, `pki.sign(…)`: a native value that constructs and checks.
    Native(Verb),
    /// `p as NAME`
    Bind(Box<Pattern>, Word),
}

/// An array pattern.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArrayPattern {
    /// The elements; `..` stands for any run of elements.
    pub items: Vec<ArrayItem>,
    /// `in any order`
    pub any_order: bool,
    /// Its place.
    pub span: Span,
}

/// One element of an array pattern.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArrayItem {
    /// `..`
    Rest,
    /// One element.
    Item(Pattern),
}

/// A value expression: literals, names, configured values, and their sums and products.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// The kinds of value expression.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExprKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A JSON number, its text kept.
    Number(String),
    /// `10s`, `7m`, `2h`, `250ms`, `1d`: seconds where a number is due. Text kept for printing.
    Duration {
        /// As written.
        text: String,
        /// In milliseconds.
        millis: u64,
    },
    /// `"text"`
    Text(String),
    /// A bare word or dotted path: an enum literal (`Accepted`) or a bound name (`s.tx`).
    Name(Vec<String>),
    /// `$tag.valid`: a leased or configured value.
    Param(Vec<String>),
    /// `now`
    Now,
    /// `fresh`: an id not used before.
    Fresh,
    /// `a + b`, `a - b`, `a * b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `[a, b]` inside arguments and `for`.
    List(Vec<Expr>),
    /// `[0: 6, 100: 8]` inside arguments.
    Pairs(Vec<(Expr, Expr)>),
    /// `name(…)` inside arguments: `profile(…)`.
    Call(Verb),
}

/// Arithmetic of rule 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BinaryOp {
    /// `+`
    #[serde(rename = "+")]
    Add,
    /// `-`
    #[serde(rename = "-")]
    Sub,
    /// `*`
    #[serde(rename = "*")]
    Mul,
}
