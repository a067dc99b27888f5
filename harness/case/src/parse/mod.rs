//! Text to IR by recursive descent. Every error of a file is reported at once: a line that does not parse is left
//! out and reading goes on with the next one.

mod block;
mod expr;
mod item;
mod line;
mod modifier;
mod pattern;

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::ir::{File, Span, Word};
use crate::lex::{self, LexError, Token, span};

pub(crate) use expr::pics_code_len;

/// The largest file that is read, in bytes.
pub const MAX_FILE: usize = 1024 * 1024;
/// The most errors reported for one file.
pub const MAX_ERRORS: usize = 50;
/// The deepest nesting of brackets.
pub(crate) const MAX_NESTING: u32 = 32;
/// The deepest nesting of blocks that is read; how deep a story may go is for the check to say.
pub(crate) const MAX_BLOCKS: u32 = 12;

/// Parses one file. The IR holds everything that could be read; the diagnostics say what could not.
pub fn parse(file: &str, text: &str) -> (File, Vec<Diagnostic>) {
    let mut parser = Parser::new(file, text);
    if text.len() > MAX_FILE {
        let message = format!("the file has {} bytes, at most {MAX_FILE} are read", text.len());
        parser.report(Diagnostic::error("too-large", file, Span::default(), message));
        return (
            File {
                items: Vec::new(),
                tail: Vec::new(),
            },
            parser.diagnostics,
        );
    }
    let parsed = parser.file();
    (parsed, parser.diagnostics)
}

/// Parses one value expression, as a command line or a profile may hold it.
pub fn parse_expr(text: &str) -> Result<crate::ir::Expr, Box<Diagnostic>> {
    let mut parser = Parser::new("argument", text);
    let read = parser.expr().and_then(|e| parser.line_end().map(|()| e));
    read.map_err(|Failed| Box::new(parser.first_error()))
}

/// Parses one PICS expression, as a command line may hold it.
pub fn parse_pics(text: &str) -> Result<crate::ir::Requires, Box<Diagnostic>> {
    let mut parser = Parser::new("argument", text);
    let read = parser.requires().and_then(|r| parser.line_end().map(|()| r));
    read.map_err(|Failed| Box::new(parser.first_error()))
}

/// An error was reported; the caller only has to get out of the way.
#[derive(Debug, Clone, Copy)]
struct Failed;

type Parsed<T> = Result<T, Failed>;

/// A comment found inside a statement.
struct Comment {
    text: String,
    nested: bool,
}

struct Parser<'t> {
    file: &'t str,
    text: &'t str,
    /// Behind the last token taken.
    pos: usize,
    /// The end of the last token taken, for spans.
    last_end: usize,
    /// Open brackets: inside them a line end is a blank.
    nesting: u32,
    blocks: u32,
    /// Pattern words like `not` that nest without brackets.
    prefixes: u32,
    /// Reading the first line of a block.
    in_head: bool,
    /// The failed statement was passed already.
    recovered: bool,
    comments: BTreeMap<usize, Comment>,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Parser<'t> {
    fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            pos: 0,
            last_end: 0,
            nesting: 0,
            blocks: 0,
            prefixes: 0,
            in_head: false,
            recovered: false,
            comments: BTreeMap::new(),
            diagnostics: Vec::new(),
        }
    }

    // --- reporting ---

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_ERRORS {
            self.diagnostics.push(diagnostic);
        }
    }

    fn full(&self) -> bool {
        self.diagnostics.len() >= MAX_ERRORS
    }

    /// Reports an empty body, unless what stood in it failed to parse since `before` diagnostics.
    fn empty(&mut self, at: Span, message: &str, before: usize) {
        if self.diagnostics.len() == before {
            let diagnostic = self.error(at, message);
            self.report(diagnostic);
        }
    }

    fn error(&self, at: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("syntax", self.file, at, message)
    }

    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Parsed<T> {
        self.report(diagnostic);
        Err(Failed)
    }

    fn lex_failed<T>(&mut self, error: LexError) -> Parsed<T> {
        let diagnostic =
            Diagnostic::error("literal", self.file, error.span, error.message).maybe_hint(error.hint);
        self.fail(diagnostic)
    }

    fn first_error(&self) -> Diagnostic {
        let unknown = || self.error(Span::default(), "cannot be read");
        self.diagnostics.first().cloned().unwrap_or_else(unknown)
    }

    /// Fails at the next token: `expected WHAT, found …`.
    fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        self.expected_with(what, None)
    }

    fn expected_with<T>(&mut self, what: &str, hint: Option<String>) -> Parsed<T> {
        let (token, at) = self.peek()?;
        let diagnostic = self
            .error(at, format!("expected {what}, found {}", describe(&token)))
            .maybe_hint(hint);
        self.fail(diagnostic)
    }

    // --- tokens ---

    /// Moves over blanks and comments, inside brackets over line ends too.
    fn blank(&mut self) {
        loop {
            let rest = &self.text[self.pos..];
            let Some(first) = rest.chars().next() else { return };
            match first {
                ' ' | '\t' | '\r' => self.pos += 1,
                '\n' if self.nesting > 0 => self.pos += 1,
                '#' if self.comment_may_begin() => {
                    let len = rest.find('\n').unwrap_or(rest.len());
                    let text = comment_text(&rest[..len]);
                    self.comments.insert(
                        self.pos,
                        Comment {
                            text,
                            nested: self.nesting > 0,
                        },
                    );
                    self.pos += len;
                }
                _ => return,
            }
        }
    }

    fn comment_may_begin(&self) -> bool {
        self.pos == 0 || self.text.as_bytes()[self.pos - 1].is_ascii_whitespace()
    }

    fn peek(&mut self) -> Parsed<(Token<'t>, Span)> {
        self.blank();
        match lex::token(self.text, self.pos) {
            Ok((token, end)) => {
                let shown_end = if token == Token::Newline { self.pos } else { end };
                Ok((token, span(self.pos, shown_end)))
            }
            Err(error) => self.lex_failed(error),
        }
    }

    /// Takes the next token.
    fn take(&mut self) -> Parsed<(Token<'t>, Span)> {
        let (token, at) = self.peek()?;
        self.pos = if token == Token::Newline {
            self.pos + 1
        } else {
            at.end as usize
        };
        self.last_end = at.end as usize;
        Ok((token, at))
    }

    fn at_mark(&mut self, mark: &str) -> bool {
        self.blank();
        matches!(lex::token(self.text, self.pos), Ok((Token::Mark(m), _)) if m == mark)
    }

    fn at_word(&mut self, word: &str) -> bool {
        self.word_here() == Some(word)
    }

    /// The word that comes next, if one does.
    fn word_here(&mut self) -> Option<&'t str> {
        self.blank();
        match lex::token(self.text, self.pos) {
            Ok((Token::Word(word), _)) => Some(word),
            _ => None,
        }
    }

    fn at_line_end(&mut self) -> bool {
        self.blank();
        matches!(
            lex::token(self.text, self.pos),
            Ok((Token::Newline | Token::End, _))
        )
    }

    fn eat_mark(&mut self, mark: &str) -> bool {
        self.blank();
        match lex::token(self.text, self.pos) {
            Ok((Token::Mark(found), end)) if found == mark => {
                self.pos = end;
                self.last_end = end;
                true
            }
            _ => false,
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let there = self.at_word(word);
        if there {
            self.pos += word.len();
            self.last_end = self.pos;
        }
        there
    }

    fn mark(&mut self, mark: &str) -> Parsed<()> {
        if self.eat_mark(mark) {
            Ok(())
        } else {
            self.expected(&format!("`{mark}`"))
        }
    }

    fn keyword(&mut self, word: &str) -> Parsed<()> {
        if self.eat_word(word) {
            Ok(())
        } else {
            self.expected(&format!("`{word}`"))
        }
    }

    /// Opens a bracket: line ends are blanks until it is closed.
    fn open(&mut self, mark: &str) -> Parsed<()> {
        if !self.at_mark(mark) {
            return self.expected(&format!("`{mark}`"));
        }
        if self.nesting >= MAX_NESTING {
            let at = span(self.pos, self.pos + 1);
            let message = format!("brackets nest deeper than {MAX_NESTING}");
            let diagnostic = Diagnostic::error("too-deep", self.file, at, message);
            return self.fail(diagnostic);
        }
        self.take()?;
        self.nesting += 1;
        Ok(())
    }

    fn close(&mut self, mark: &str) -> Parsed<()> {
        if !self.at_mark(mark) {
            return self.expected(&format!("`,` or `{mark}`"));
        }
        self.take()?;
        self.nesting -= 1;
        Ok(())
    }

    /// `open item, item close`; a comma may stand behind the last.
    fn list<T>(
        &mut self,
        open: &str,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.open(open)?;
        let mut items = Vec::new();
        while !self.at_mark(close) {
            items.push(item(self)?);
            if !self.eat_mark(",") {
                break;
            }
        }
        self.close(close)?;
        Ok(items)
    }

    /// `item, item` outside brackets; behind a comma the next line may go on.
    fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_mark(",") {
            self.over_line_ends();
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn over_line_ends(&mut self) {
        self.nesting += 1;
        self.blank();
        self.nesting -= 1;
    }

    /// The end of a line, which is taken.
    fn line_end(&mut self) -> Parsed<()> {
        let (token, at) = self.peek()?;
        match token {
            Token::End => Ok(()),
            Token::Newline => {
                self.pos += 1;
                Ok(())
            }
            other => {
                let hint = match &other {
                    Token::Word(word) => did_you_mean(word, lex::MODIFIERS.iter().copied()),
                    Token::Mark("{") => Some("one line says one thing".to_owned()),
                    _ => None,
                };
                let message = format!("the line should end here, found {}", describe(&other));
                let diagnostic = self.error(at, message).maybe_hint(hint);
                self.fail(diagnostic)
            }
        }
    }

    /// A word without dots.
    fn name(&mut self, what: &str) -> Parsed<Word> {
        let (token, at) = self.peek()?;
        match token {
            Token::Word(text) if !text.contains('.') => {
                self.take()?;
                Ok(Word {
                    text: text.to_owned(),
                    span: at,
                })
            }
            _ => self.expected(what),
        }
    }

    /// The name behind `as`, of a parameter, of a loop: an identifier that is no keyword of values.
    fn binding(&mut self) -> Parsed<Word> {
        let word = self.name("a name")?;
        if !lex::is_identifier(&word.text) {
            let diagnostic = self
                .error(word.span, format!("`{}` cannot be a name", word.text))
                .hint("names are letters, digits and `_`");
            return self.fail(diagnostic);
        }
        if lex::KEYWORDS.contains(&word.text.as_str()) {
            let diagnostic = self.error(word.span, format!("`{}` is a word of the language", word.text));
            return self.fail(diagnostic);
        }
        Ok(word)
    }

    fn dotted(&mut self, what: &str) -> Parsed<Word> {
        let (token, at) = self.peek()?;
        match token {
            Token::Word(text) => {
                self.take()?;
                Ok(Word {
                    text: text.to_owned(),
                    span: at,
                })
            }
            _ => self.expected(what),
        }
    }

    fn text_literal(&mut self, what: &str) -> Parsed<String> {
        let (token, _) = self.peek()?;
        match token {
            Token::Text(text) => {
                self.take()?;
                Ok(text)
            }
            _ => self.expected_with(what, Some("texts stand in quotes".to_owned())),
        }
    }

    fn span_from(&self, start: usize) -> Span {
        span(start, self.last_end.max(start))
    }

    // --- lines ---

    /// Own-line comments and blank lines above the next line; true if a blank line was among them.
    fn above(&mut self) -> (Vec<String>, bool) {
        let mut comments = Vec::new();
        let mut gap = false;
        loop {
            let rest = &self.text[self.pos..];
            let line_len = rest.find('\n').unwrap_or(rest.len());
            let line = rest[..line_len].trim();
            if line.is_empty() {
                gap |= comments.is_empty() && line_len < rest.len();
            } else if line.starts_with('#') {
                comments.push(comment_text(line));
            } else {
                break;
            }
            if line_len == rest.len() {
                self.pos = self.text.len();
                break;
            }
            self.pos += line_len + 1;
        }
        self.blank();
        (comments, gap)
    }

    /// The comments met since `start`: those inside brackets, and the one at the end of the line.
    fn comments_since(&mut self, start: usize) -> (Vec<String>, Option<String>) {
        let mut inner = Vec::new();
        let mut trailing: Option<String> = None;
        let found: Vec<usize> = self
            .comments
            .range(start..self.pos.max(start))
            .map(|(at, _)| *at)
            .collect();
        for at in found {
            let Some(comment) = self.comments.remove(&at) else {
                continue;
            };
            if comment.nested {
                inner.push(comment.text);
            } else {
                trailing = Some(match trailing {
                    Some(before) => format!("{before} {}", comment.text),
                    None => comment.text,
                });
            }
        }
        (inner, trailing)
    }

    /// Gets behind a line that failed: to the next line end, and when a bracket was open, on to the next line that
    /// begins like a statement.
    fn recover(&mut self) {
        let was_open = self.open_at_line_end();
        self.nesting = 0;
        loop {
            let rest = &self.text[self.pos..];
            let Some(len) = rest.find('\n') else {
                self.pos = self.text.len();
                return;
            };
            self.pos += len + 1;
            if !was_open || self.begins_like_a_line() {
                return;
            }
        }
    }

    /// True if the brackets open here are not closed on this line.
    fn open_at_line_end(&self) -> bool {
        let rest = &self.text[self.pos..];
        let line = rest[..rest.find('\n').unwrap_or(rest.len())].bytes();
        let step = |open: i64, b| match b {
            b'(' | b'[' | b'{' => open + 1,
            b')' | b']' | b'}' => open - 1,
            _ => open,
        };
        line.fold(i64::from(self.nesting), step) > 0
    }

    fn begins_like_a_line(&self) -> bool {
        let line = self.text[self.pos..].trim_start_matches([' ', '\t']);
        let word = &line[..lex::identifier_len(line)];
        let after = line[word.len()..].chars().next();
        let speaker = matches!(after, Some(':' | '#')) && lex::ROLES.contains(&word);
        let opens = ["case", "state", "phrase", "reach", "or", "end", "finally"];
        let keyword = lex::STATEMENTS.contains(&word) || opens.contains(&word);
        speaker || (keyword && !matches!(after, Some(':')))
    }
}

fn comment_text(line: &str) -> String {
    let text = line.trim_end().strip_prefix('#').unwrap_or(line);
    text.strip_prefix(' ')
        .unwrap_or(text)
        .replace('\t', " ")
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}

fn describe(token: &Token<'_>) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Number(raw) | Token::Duration(raw, _) => format!("`{raw}`"),
        Token::Text(_) => "a text".to_owned(),
        Token::Param(path) => format!("`${path}`"),
        Token::Mark(mark) => format!("`{mark}`"),
        Token::Newline => "the end of the line".to_owned(),
        Token::End => "the end of the file".to_owned(),
    }
}
