//! Value expressions, verbs with arguments, durations with tolerance, PICS expressions, and CEL kept as text.

use super::{Failed, Parsed, Parser};
use crate::diagnostic::Diagnostic;
use crate::ir::{Arg, BinaryOp, Cel, CompareOp, Expr, ExprKind, Pics, Requires, Span, Timing, Verb, Word};
use crate::lex::{self, Token, span};

/// The longest CEL expression, in bytes.
const MAX_CEL: usize = 4096;

impl<'t> Parser<'t> {
    /// `a + b * c`
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let op = if self.eat_mark("+") {
                BinaryOp::Add
            } else if self.eat_mark("-") {
                BinaryOp::Sub
            } else {
                return Ok(left);
            };
            let right = self.product()?;
            left = binary(op, left, right);
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.atom()?;
        while self.eat_mark("*") {
            let right = self.atom()?;
            left = binary(BinaryOp::Mul, left, right);
        }
        Ok(left)
    }

    fn atom(&mut self) -> Parsed<Expr> {
        let (token, at) = self.peek()?;
        let kind = match token {
            Token::Number(raw) => ExprKind::Number(raw.to_owned()),
            Token::Duration(text, millis) => ExprKind::Duration {
                text: text.to_owned(),
                millis,
            },
            Token::Text(text) => ExprKind::Text(text),
            Token::Param(path) => ExprKind::Param(path.split('.').map(str::to_owned).collect()),
            Token::Word(word) => return self.word_atom(word, at),
            Token::Mark("(") => {
                self.open("(")?;
                let inner = self.expr()?;
                self.close(")")?;
                return Ok(inner);
            }
            Token::Mark("[") => return self.bracket_atom(),
            Token::Mark("-") => {
                self.take()?;
                let (token, number) = self.peek()?;
                let Token::Number(raw) = token else {
                    return self.expected("a number behind `-`");
                };
                self.take()?;
                let kind = ExprKind::Number(format!("-{raw}"));
                return Ok(Expr {
                    kind,
                    span: span(at.start as usize, number.end as usize),
                });
            }
            _ => return self.expected("a value"),
        };
        self.take()?;
        Ok(Expr { kind, span: at })
    }

    fn word_atom(&mut self, word: &'t str, at: Span) -> Parsed<Expr> {
        let after = self.text[at.end as usize..].chars().next();
        if after == Some('(') {
            let verb = self.verb()?;
            let span = self.span_from(at.start as usize);
            return Ok(Expr {
                kind: ExprKind::Call(verb),
                span,
            });
        }
        let kind = match word {
            "null" => ExprKind::Null,
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "now" => ExprKind::Now,
            "fresh" => ExprKind::Fresh,
            _ => ExprKind::Name(word.split('.').map(str::to_owned).collect()),
        };
        self.take()?;
        Ok(Expr { kind, span: at })
    }

    /// `[a, b]` or `[0: 6, 100: 8]`
    fn bracket_atom(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        let mut pairs = Vec::new();
        let items = self.list("[", "]", |p| {
            let first = p.expr()?;
            if !p.eat_mark(":") {
                return Ok(Some(first));
            }
            let second = p.expr()?;
            pairs.push((first, second));
            Ok(None)
        })?;
        let span = self.span_from(start);
        let values: Vec<Expr> = items.into_iter().flatten().collect();
        let kind = match (values.is_empty(), pairs.is_empty()) {
            (_, true) => ExprKind::List(values),
            (true, false) => ExprKind::Pairs(pairs),
            (false, false) => {
                let diagnostic = self.error(span, "a list holds values or pairs, not both");
                return self.fail(diagnostic);
            }
        };
        Ok(Expr { kind, span })
    }

    /// `ev.plug(connector: 1)`
    pub(super) fn verb(&mut self) -> Parsed<Verb> {
        let name = self.dotted("a verb")?;
        let args = self.list("(", ")", Self::arg)?;
        Ok(Verb { name, args })
    }

    fn arg(&mut self) -> Parsed<Arg> {
        let name = self.label()?;
        let value = self.expr()?;
        Ok(Arg { name, value })
    }

    /// `word:`, if that comes next.
    fn label(&mut self) -> Parsed<Option<Word>> {
        let Some(word) = self.word_here() else {
            return Ok(None);
        };
        let end = self.pos + word.len();
        if word.contains('.') || !self.text[end..].trim_start_matches([' ', '\t']).starts_with(':') {
            return Ok(None);
        }
        let (_, at) = self.take()?;
        self.mark(":")?;
        Ok(Some(Word {
            text: word.to_owned(),
            span: at,
        }))
    }

    /// `D [± T]`
    pub(super) fn timing(&mut self) -> Parsed<Timing> {
        let value = self.expr()?;
        let tolerance = if self.eat_mark("±") {
            Some(self.expr()?)
        } else {
            None
        };
        Ok(Timing { value, tolerance })
    }

    // --- PICS ---

    /// The PICS expression up to the end of the line.
    pub(super) fn requires(&mut self) -> Parsed<Requires> {
        self.blank();
        let start = self.pos;
        let expr = self.pics_or(0)?;
        Ok(Requires {
            expr,
            span: self.span_from(start),
        })
    }

    fn pics_or(&mut self, depth: u32) -> Parsed<Pics> {
        let mut left = self.pics_and(depth)?;
        while self.eat_word("or") {
            left = Pics::Or(Box::new(left), Box::new(self.pics_and(depth)?));
        }
        Ok(left)
    }

    fn pics_and(&mut self, depth: u32) -> Parsed<Pics> {
        let mut left = self.pics_not(depth)?;
        while self.eat_word("and") {
            left = Pics::And(Box::new(left), Box::new(self.pics_not(depth)?));
        }
        Ok(left)
    }

    fn pics_not(&mut self, depth: u32) -> Parsed<Pics> {
        if depth > super::MAX_NESTING {
            let at = span(self.pos, self.pos + 1);
            let diagnostic = Diagnostic::error("too-deep", self.file, at, "the expression nests too deep");
            return self.fail(diagnostic);
        }
        if self.eat_word("not") {
            return Ok(Pics::Not(Box::new(self.pics_not(depth + 1)?)));
        }
        if self.at_mark("(") {
            self.open("(")?;
            let inner = self.pics_or(depth + 1)?;
            self.close(")")?;
            return Ok(inner);
        }
        let code = self.pics_code()?;
        let Some(op) = self.compare_op(true)? else {
            return Ok(Pics::Code(code));
        };
        let negative = self.eat_mark("-");
        let (token, at) = self.peek()?;
        let number = match token {
            Token::Number(raw) => raw.parse::<i64>().ok(),
            _ => return self.expected("a whole number"),
        };
        let Some(number) = number else {
            let diagnostic = self.error(at, "a code is compared with a whole number");
            return self.fail(diagnostic);
        };
        self.take()?;
        Ok(Pics::Compare {
            code,
            op,
            value: if negative { -number } else { number },
        })
    }

    /// `Core`, `C-30`, `C-10.2`, `HFS-8`
    fn pics_code(&mut self) -> Parsed<String> {
        self.blank();
        let rest = &self.text[self.pos..];
        let code = &rest[..pics_code_len(rest)];
        if code.is_empty() || ["and", "or", "not"].contains(&code) {
            return self.expected("a PICS code");
        }
        self.pos += code.len();
        self.last_end = self.pos;
        Ok(code.to_owned())
    }

    /// `< <= > >=`, and for PICS `== !=`.
    pub(super) fn compare_op(&mut self, equality: bool) -> Parsed<Option<CompareOp>> {
        let (token, at) = self.peek()?;
        let op = match token {
            Token::Mark("<") => CompareOp::Lt,
            Token::Mark("<=") => CompareOp::Le,
            Token::Mark(">") => CompareOp::Gt,
            Token::Mark(">=") => CompareOp::Ge,
            Token::Mark("==") if equality => CompareOp::Eq,
            Token::Mark("!=") if equality => CompareOp::Ne,
            Token::Mark(mark @ ("==" | "!=" | "=")) if !equality => {
                let hint = if mark == "!=" {
                    "write `not VALUE`"
                } else {
                    "a bare value already means equality"
                };
                let diagnostic = self.error(at, format!("`{mark}` is no pattern")).hint(hint);
                return self.fail(diagnostic);
            }
            _ => return Ok(None),
        };
        self.take()?;
        Ok(Some(op))
    }

    // --- CEL ---

    /// CEL up to the end of the line, a comment, a modifier, or (with `comma`) a comma outside brackets. Lines go on
    /// inside brackets and behind `&&` and `||`.
    pub(super) fn cel(&mut self, comma: bool) -> Parsed<Cel> {
        self.blank();
        let start = self.pos;
        let end = self.cel_end(start, comma)?;
        let raw = self.text[start..end].trim_end();
        let at = span(start, start + raw.len());
        if raw.is_empty() {
            return self.expected("an expression");
        }
        if raw.len() > MAX_CEL {
            let message = format!("the expression is longer than {MAX_CEL} bytes");
            let diagnostic = Diagnostic::error("too-large", self.file, at, message);
            return self.fail(diagnostic);
        }
        self.pos = start + raw.len();
        self.last_end = self.pos;
        Ok(Cel {
            text: one_line(raw),
            span: at,
        })
    }

    fn cel_end(&mut self, start: usize, comma: bool) -> Parsed<usize> {
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut open: Vec<u8> = Vec::new();
        while at < bytes.len() {
            let blank_before = at > start && bytes[at - 1].is_ascii_whitespace();
            match bytes[at] {
                quote @ (b'"' | b'\'') => {
                    at = self.cel_text_end(at, quote)?;
                    continue;
                }
                b'\n' if open.is_empty() => {
                    let so_far = self.text[start..at].trim_end();
                    if !(so_far.ends_with("&&") || so_far.ends_with("||")) {
                        return Ok(at);
                    }
                }
                b'#' if blank_before => {
                    if open.is_empty() {
                        return Ok(at);
                    }
                    let diagnostic = self
                        .error(span(at, at + 1), "a comment cannot stand inside an expression")
                        .hint("put it above the line");
                    return self.fail(diagnostic);
                }
                b',' if comma && open.is_empty() => return Ok(at),
                b @ (b'(' | b'[' | b'{') => {
                    open.push(b);
                    if open.len() > super::MAX_NESTING as usize {
                        let message = "the expression nests too deep";
                        let diagnostic = Diagnostic::error("too-deep", self.file, span(at, at + 1), message);
                        return self.fail(diagnostic);
                    }
                }
                b @ (b')' | b']' | b'}') => {
                    let partner = match b {
                        b')' => b'(',
                        b']' => b'[',
                        _ => b'{',
                    };
                    if open.pop() != Some(partner) {
                        let diagnostic = self.error(span(at, at + 1), "this bracket closes nothing");
                        return self.fail(diagnostic);
                    }
                }
                b if blank_before && open.is_empty() && b.is_ascii_alphabetic() => {
                    let word = &self.text[at..at + lex::identifier_len(&self.text[at..])];
                    if lex::MODIFIERS.contains(&word) {
                        return Ok(at);
                    }
                    at += word.len();
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        if open.is_empty() {
            return Ok(at);
        }
        let diagnostic = self.error(
            span(start, start + 1),
            "a bracket of this expression is never closed",
        );
        self.fail(diagnostic)
    }

    fn cel_text_end(&mut self, start: usize, quote: u8) -> Parsed<usize> {
        let bytes = self.text.as_bytes();
        let mut at = start + 1;
        while at < bytes.len() && bytes[at] != b'\n' {
            match bytes[at] {
                b'\\' => at += 2,
                b if b == quote => return Ok(at + 1),
                _ => at += 1,
            }
        }
        let diagnostic = self.error(
            span(start, at.min(self.text.len())),
            "the text is not closed on its line",
        );
        self.report(diagnostic);
        Err(Failed)
    }
}

fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let span = Span {
        start: left.span.start,
        end: right.span.end,
    };
    Expr {
        kind: ExprKind::Binary(op, Box::new(left), Box::new(right)),
        span,
    }
}

/// The length of a PICS code at the start of the text: letters, digits, `_`, and `-` or `.` between them.
pub(crate) fn pics_code_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |i: usize| {
        bytes
            .get(i)
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    if !bytes
        .first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
    {
        return 0;
    }
    let mut len = 0;
    while word(len) || (matches!(bytes.get(len), Some(b'-' | b'.')) && word(len + 1)) {
        len += 1;
    }
    len
}

/// Line ends with their indentation become one blank; texts never hold a line end.
fn one_line(raw: &str) -> String {
    raw.split('\n')
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
