//! The selection language: which result lines a command is about.
//!
//! ```text
//! term  = any { "or" any }        any  = one { "and" one }        one = "not" one | "(" term ")" | atom
//! atom  = case id, `*` `?` `{a,b}` allowed | official id or its beginning | key ":" value
//! key   = id covers block profile clause role protocol verdict
//! ```
//!
//! `not` binds tighter than `and`, `and` tighter than `or`. A value with spaces stands in double quotes.

#![expect(
    clippy::result_large_err,
    reason = "a faulty term is told to a person once and ends the program"
)]

use globset::{Glob, GlobBuilder, GlobMatcher};
use plugfest_case::Diagnostic;
use plugfest_case::diagnostic::did_you_mean;
use plugfest_case::ir::Span;
use plugfest_judge::Verdict;

mod choose;

pub(crate) use choose::choose;

/// The longest selection that is read, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Parentheses and `not` inside each other.
const MAX_DEPTH: u32 = 64;
/// The keys of `key:value`.
const KEYS: [&str; 8] = [
    "id", "covers", "block", "profile", "clause", "role", "protocol", "verdict",
];
/// What `role:` can be.
const ROLES: [&str; 2] = ["station", "csms"];

/// A selection.
#[derive(Debug, Clone)]
pub(crate) enum Term {
    /// One condition.
    Atom(Atom),
    /// Both.
    And(Box<Term>, Box<Term>),
    /// Either.
    Or(Box<Term>, Box<Term>),
    /// Not.
    Not(Box<Term>),
}

/// One condition.
#[derive(Debug, Clone)]
pub(crate) struct Atom {
    test: Test,
    /// As written, without quotes and key.
    value: String,
}

#[derive(Debug, Clone)]
enum Test {
    Id(GlobMatcher),
    Covers(GlobMatcher),
    Block(GlobMatcher),
    Profile(GlobMatcher),
    Protocol(GlobMatcher),
    Role,
    Clause,
    Verdict(Verdict),
}

/// What is selected or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The case id.
    pub(crate) id: &'a str,
    /// The side under test.
    pub(crate) role: &'a str,
    /// The official ids covered on that side.
    pub(crate) covers: &'a [&'a str],
    /// The functional block.
    pub(crate) block: &'a str,
    /// The certification profile.
    pub(crate) profile: &'a str,
    /// `OCPP-1.6`
    pub(crate) protocol: &'a str,
    /// `OCPP-1.6 4.9`
    pub(crate) clauses: &'a [String],
    /// What it gave in the last run.
    pub(crate) verdicts: &'a [Verdict],
}

impl Term {
    /// Whether the subject is selected.
    pub(crate) fn takes(&self, subject: &Subject<'_>) -> bool {
        match self {
            Self::Atom(atom) => atom.takes(subject),
            Self::And(left, right) => left.takes(subject) && right.takes(subject),
            Self::Or(left, right) => left.takes(subject) || right.takes(subject),
            Self::Not(inner) => !inner.takes(subject),
        }
    }

    /// Every condition in it.
    pub(crate) fn atoms(&self) -> Vec<&Atom> {
        match self {
            Self::Atom(atom) => vec![atom],
            Self::And(left, right) | Self::Or(left, right) => [left.atoms(), right.atoms()].concat(),
            Self::Not(inner) => inner.atoms(),
        }
    }
}

impl Atom {
    /// Whether the subject meets it.
    pub(crate) fn takes(&self, subject: &Subject<'_>) -> bool {
        match &self.test {
            Test::Id(glob) => glob.is_match(subject.id),
            Test::Covers(glob) => subject
                .covers
                .iter()
                .any(|id| self.begins(id) || glob.is_match(id)),
            Test::Block(glob) => glob.is_match(subject.block),
            Test::Profile(glob) => glob.is_match(subject.profile),
            Test::Protocol(glob) => glob.is_match(subject.protocol),
            Test::Role => subject.role == self.value,
            Test::Clause => subject.clauses.iter().any(|clause| self.is_clause(clause)),
            Test::Verdict(verdict) => subject.verdicts.contains(verdict),
        }
    }

    /// Whether the last run is looked at.
    pub(crate) fn needs_last_run(&self) -> bool {
        matches!(self.test, Test::Verdict(_))
    }

    /// The values among which a misspelt one is looked for.
    pub(crate) fn candidates<'a>(&self, subject: &Subject<'a>) -> Vec<&'a str> {
        match self.test {
            Test::Id(_) => vec![subject.id],
            Test::Covers(_) => subject.covers.to_vec(),
            Test::Block(_) => vec![subject.block],
            Test::Profile(_) => vec![subject.profile],
            Test::Protocol(_) => vec![subject.protocol],
            Test::Clause => subject.clauses.iter().map(String::as_str).collect(),
            Test::Role | Test::Verdict(_) => Vec::new(),
        }
    }

    /// As written, without quotes and key.
    pub(crate) fn value(&self) -> &str {
        &self.value
    }

    /// `TC_010` is the beginning of `TC_010_CS` and of `TC_010_1_CS`; `TC_010_CS` is none of `TC_010_CSMS`.
    fn begins(&self, official: &str) -> bool {
        let (head, rest) = (official.get(..self.value.len()), official.get(self.value.len()..));
        head.is_some_and(|head| head.eq_ignore_ascii_case(&self.value))
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    }

    /// `OCPP-1.6 4.9`, `4.9`, or a clause above it.
    fn is_clause(&self, clause: &str) -> bool {
        let within = |clause: &str| {
            clause
                .strip_prefix(&*self.value)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        within(clause) || clause.split_once(' ').is_some_and(|(_, number)| within(number))
    }
}

/// Reads a selection; `name` is what a fault calls it: `--select`.
pub(crate) fn parse(name: &str, text: &str) -> Result<Term, Diagnostic> {
    let mut parser = Parser {
        name,
        text,
        tokens: lex(name, text)?,
        next: 0,
        depth: 0,
    };
    let term = parser.or()?;
    match parser.peek() {
        None => Ok(term),
        Some(Token {
            kind: Kind::Close,
            span,
        }) => Err(parser.fault(*span, "this `)` closes nothing")),
        Some(Token { span, .. }) => Err(parser
            .fault(*span, "two terms stand side by side")
            .hint("write `and` or `or` between them")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    kind: Kind,
    span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A word with its quotes taken off, and where its first colon outside quotes stands.
    Word {
        text: String,
        colon: Option<usize>,
    },
}

fn span(start: usize, end: usize) -> Span {
    // The text is shorter than MAX_LENGTH, so that the numbers fit.
    Span {
        start: start as u32,
        end: end as u32,
    }
}

fn lex(name: &str, text: &str) -> Result<Vec<Token>, Diagnostic> {
    if text.len() > MAX_LENGTH {
        let message = format!(
            "a selection may have {MAX_LENGTH} bytes, this one has {}",
            text.len()
        );
        return Err(Diagnostic::error("selection", name, Span::default(), message));
    }
    let mut tokens = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some(&(start, c)) = chars.peek() {
        if c.is_whitespace() {
            chars.next();
            continue;
        }
        if c == '(' || c == ')' {
            chars.next();
            let kind = if c == '(' { Kind::Open } else { Kind::Close };
            tokens.push(Token {
                kind,
                span: span(start, start + 1),
            });
            continue;
        }
        let (mut word, mut colon, mut quoted) = (String::new(), None, false);
        let mut end = start;
        while let Some(&(at, c)) = chars.peek() {
            if c.is_whitespace() || c == '(' || c == ')' {
                break;
            }
            chars.next();
            end = at + c.len_utf8();
            if c == '"' {
                quoted = true;
                loop {
                    match chars.next() {
                        Some((at, '"')) => {
                            end = at + 1;
                            break;
                        }
                        Some((_, c)) => word.push(c),
                        None => {
                            let message = "this quote is not closed";
                            return Err(Diagnostic::error(
                                "selection",
                                name,
                                span(at, text.len()),
                                message,
                            ));
                        }
                    }
                }
                continue;
            }
            if c == ':' && colon.is_none() {
                colon = Some(word.len());
            }
            word.push(c);
        }
        let kind = match word.as_str() {
            "and" if !quoted => Kind::And,
            "or" if !quoted => Kind::Or,
            "not" if !quoted => Kind::Not,
            _ => Kind::Word { text: word, colon },
        };
        tokens.push(Token {
            kind,
            span: span(start, end),
        });
    }
    Ok(tokens)
}

struct Parser<'t> {
    name: &'t str,
    text: &'t str,
    tokens: Vec<Token>,
    next: usize,
    depth: u32,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn eat(&mut self, kind: &Kind) -> bool {
        let there = self.peek().is_some_and(|token| token.kind == *kind);
        self.next += usize::from(there);
        there
    }

    fn fault(&self, at: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("selection", self.name, at, message)
    }

    fn or(&mut self) -> Result<Term, Diagnostic> {
        let mut term = self.and()?;
        while self.eat(&Kind::Or) {
            term = Term::Or(Box::new(term), Box::new(self.and()?));
        }
        Ok(term)
    }

    fn and(&mut self) -> Result<Term, Diagnostic> {
        let mut term = self.one()?;
        while self.eat(&Kind::And) {
            term = Term::And(Box::new(term), Box::new(self.one()?));
        }
        Ok(term)
    }

    fn one(&mut self) -> Result<Term, Diagnostic> {
        let Some(token) = self.peek().cloned() else {
            let end = self.text.len();
            return Err(self.fault(
                span(end.saturating_sub(1), end),
                "a case or a term is missing here",
            ));
        };
        self.next += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.fault(
                token.span,
                format!("more than {MAX_DEPTH} levels of `(` and `not`"),
            ));
        }
        let term = match token.kind {
            Kind::Not => Term::Not(Box::new(self.one()?)),
            Kind::Open => {
                let inner = self.or()?;
                if !self.eat(&Kind::Close) {
                    return Err(self.fault(token.span, "this `(` is not closed"));
                }
                inner
            }
            Kind::Word { text, colon } => Term::Atom(self.atom(&text, colon, token.span)?),
            Kind::And | Kind::Or | Kind::Close => {
                return Err(self.fault(token.span, "a case or a term is missing before this"));
            }
        };
        self.depth -= 1;
        Ok(term)
    }

    fn atom(&self, text: &str, colon: Option<usize>, at: Span) -> Result<Atom, Diagnostic> {
        let (key, value) = match colon {
            Some(colon) => (&text[..colon], &text[colon + 1..]),
            // `TC` is how every official id of OCPP begins, and no case id has capitals.
            None if text.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("tc_")) => ("covers", text),
            None => ("id", text),
        };
        if value.is_empty() {
            return Err(self.fault(at, format!("`{key}:` has no value")));
        }
        let glob = || self.glob(value, at);
        let test = match key {
            "id" => Test::Id(glob()?),
            "covers" => Test::Covers(glob()?),
            "block" => Test::Block(glob()?),
            "profile" => Test::Profile(glob()?),
            "protocol" => Test::Protocol(glob()?),
            "clause" => Test::Clause,
            "role" if ROLES.contains(&value) => Test::Role,
            "role" => {
                let fault = self.fault(
                    at,
                    format!("no role `{value}`: there are {}", ROLES.join(" and ")),
                );
                return Err(fault.maybe_hint(did_you_mean(value, ROLES)));
            }
            "verdict" => {
                let words = Verdict::ALL.map(Verdict::as_str);
                let found = Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == value);
                Test::Verdict(found.ok_or_else(|| {
                    self.fault(
                        at,
                        format!("no verdict `{value}`: there are {}", words.join(", ")),
                    )
                    .maybe_hint(did_you_mean(value, words))
                })?)
            }
            _ => {
                let fault = self.fault(at, format!("no key `{key}`: there are {}", KEYS.join(", ")));
                return Err(fault.maybe_hint(did_you_mean(key, KEYS)));
            }
        };
        Ok(Atom {
            test,
            value: value.to_owned(),
        })
    }

    fn glob(&self, value: &str, at: Span) -> Result<GlobMatcher, Diagnostic> {
        let glob: Result<Glob, _> = GlobBuilder::new(value)
            .case_insensitive(true)
            .literal_separator(false)
            .build();
        let made = glob.map_err(|error| self.fault(at, format!("no pattern: {}", error.kind())))?;
        Ok(made.compile_matcher())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subject<'a>(id: &'a str, covers: &'a [&'a str], clauses: &'a [String]) -> Subject<'a> {
        Subject {
            id,
            role: "station",
            covers,
            block: id.split('/').next().unwrap_or_default(),
            profile: "Core",
            protocol: "OCPP-1.6",
            clauses,
            verdicts: &[Verdict::Fail],
        }
    }

    fn takes(text: &str) -> bool {
        let clauses = ["OCPP-1.6 4.9".to_owned(), "OCPP-1.6-J 4.1.1".to_owned()];
        let subject = subject("remote/cable-first", &["TC_010_1_CS"], &clauses);
        parse("--select", text)
            .unwrap_or_else(|d| panic!("{}", d.line(text)))
            .takes(&subject)
    }

    #[test]
    fn every_kind_of_term_selects() {
        for yes in [
            "remote/cable-first",
            "remote/*",
            "*cable*",
            "TC_010",
            "tc_010_1",
            "TC_010_1_CS",
            "TC_0*",
            "block:remote",
            "profile:core",
            "profile:C*",
            "clause:4.9",
            "clause:4",
            "clause:\"OCPP-1.6 4.9\"",
            "clause:4.1.1",
            "role:station",
            "protocol:OCPP-1.6",
            "verdict:fail",
            "covers:TC_010",
            "id:\"remote/cable-first\"",
        ] {
            assert!(takes(yes), "{yes}");
        }
        for no in [
            "remote",
            "TC_01",
            "TC_010_1_CSMS",
            "block:remot",
            "clause:4.",
            "clause:1",
            "clause:\"OCPP-1.6\"",
            "role:csms",
            "verdict:pass",
            "not remote/*",
        ] {
            assert!(!takes(no), "{no}");
        }
    }

    #[test]
    fn faults_point_at_their_place() {
        let fault = |text: &str| parse("--select", text).unwrap_err().line(text);
        assert_eq!(
            fault("a and"),
            "--select:1:5: error[selection]: a case or a term is missing here"
        );
        assert_eq!(
            fault(""),
            "--select:1:1: error[selection]: a case or a term is missing here"
        );
        assert_eq!(
            fault("(a or b"),
            "--select:1:1: error[selection]: this `(` is not closed"
        );
        assert_eq!(
            fault("a) "),
            "--select:1:2: error[selection]: this `)` closes nothing"
        );
        assert_eq!(
            fault("a b"),
            "--select:1:3: error[selection]: two terms stand side by side (write `and` or `or` between them)"
        );
        assert!(fault("and a").contains("missing before this"));
        assert!(fault("block:").contains("`block:` has no value"));
        assert!(fault("blok:a").ends_with("(did you mean `block`?)"));
        assert!(fault("verdict:failed").ends_with("(did you mean `fail`?)"));
        assert!(fault("role:statoin").ends_with("(did you mean `station`?)"));
        assert!(fault("a\"b").contains("this quote is not closed"));
        assert!(fault("[a").contains("no pattern"));
        assert!(fault(&"(".repeat(100)).contains("more than 64 levels"));
        assert!(fault(&"x".repeat(MAX_LENGTH + 1)).contains("may have 16384 bytes"));
    }

    #[derive(Debug, Clone)]
    enum Model {
        Leaf(bool),
        And(Box<Model>, Box<Model>),
        Or(Box<Model>, Box<Model>),
        Not(Box<Model>),
    }

    impl Model {
        fn value(&self) -> bool {
            match self {
                Self::Leaf(value) => *value,
                Self::And(a, b) => a.value() && b.value(),
                Self::Or(a, b) => a.value() || b.value(),
                Self::Not(a) => !a.value(),
            }
        }

        /// With as few parentheses as the precedence allows: 0 `or`, 1 `and`, 2 `not`.
        fn print(&self, level: u8) -> String {
            let (own, text) = match self {
                Self::Leaf(value) => (
                    3,
                    if *value {
                        "role:station".to_owned()
                    } else {
                        "role:csms".to_owned()
                    },
                ),
                Self::And(a, b) => (1, format!("{} and {}", a.print(1), b.print(2))),
                Self::Or(a, b) => (0, format!("{} or {}", a.print(0), b.print(1))),
                Self::Not(a) => (2, format!("not {}", a.print(2))),
            };
            if own < level { format!("({text})") } else { text }
        }
    }

    fn model() -> impl Strategy<Value = Model> {
        any::<bool>()
            .prop_map(Model::Leaf)
            .prop_recursive(6, 40, 2, |inner| {
                let pair = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
                prop_oneof![
                    pair().prop_map(|(a, b)| Model::And(a, b)),
                    pair().prop_map(|(a, b)| Model::Or(a, b)),
                    inner.clone().prop_map(|a| Model::Not(Box::new(a))),
                ]
            })
    }

    proptest! {
        #[test]
        fn precedence_is_that_of_the_model(model in model()) {
            let text = model.print(0);
            let clauses = [];
            prop_assert_eq!(parse("x", &text).unwrap().takes(&subject("a", &[], &clauses)), model.value(), "{}", text);
        }

        #[test]
        fn no_text_makes_it_fall_over(text in "[a-z():\"* TC_é{}\\[\\]!]{0,40}") {
            if let Err(fault) = parse("x", &text) {
                prop_assert!(!fault.line(&text).is_empty());
            }
        }
    }
}
