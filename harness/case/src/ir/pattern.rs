//! What a line says of a payload: patterns and values.

use serde::Serialize;

use super::{CompareOp, Span, Verb, Word};

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
