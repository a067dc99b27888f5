//! The typed form of a case, a state and a phrase. The engine, lint, formatter, diagram, documentation and JSON
//! read this and never the text; the text is one printing of it.

mod pattern;
mod story;

use std::ops::Range;

use serde::Serialize;

pub use pattern::{ArrayItem, ArrayPattern, BinaryOp, Expr, ExprKind, FieldPattern, ObjectPattern, Pattern};
pub use story::{
    Answer, AnswerForm, Arg, Branch, Call, Kind, Layout, Link, Many, Mods, Never, NeverScope, Peer, Set,
    Speaker, Stmt, TRANSFERS, Timing, Until, Verb, Welcome, WelcomeForm, is_transfer,
};

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
