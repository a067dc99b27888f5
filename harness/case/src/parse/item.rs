//! Files, cases with their headers, states and phrases.

use super::block::Closers;
use super::{Failed, Parsed, Parser};
use crate::diagnostic::did_you_mean;
use crate::ir::{
    Case, ConfigEntry, Covers, Export, File, ForEach, Given, Header, Item, Note, Reference, SpecRef, State,
    Stmt, Way, Word,
};
use crate::lex::{self, Token, span};

const ITEMS: [&str; 3] = ["case", "state", "phrase"];
const STATE_LINES: [&str; 5] = ["spec", "given", "probe", "exports", "reach"];

impl Parser<'_> {
    pub(super) fn file(&mut self) -> File {
        if self.text.starts_with('\u{feff}') {
            self.pos = '\u{feff}'.len_utf8();
        }
        let mut items = Vec::new();
        loop {
            let (comments, _) = self.above();
            if self.pos >= self.text.len() || self.full() {
                return File {
                    items,
                    tail: comments,
                };
            }
            self.nesting = 0;
            self.blocks = 0;
            let item = match self.word_here() {
                Some("case") => self.case(comments).map(Item::Case),
                Some("state") => self.state(comments, false).map(Item::State),
                Some("phrase") => self.state(comments, true).map(Item::State),
                other => {
                    let hint = other.and_then(|w| did_you_mean(w, ITEMS));
                    self.expected_with("`case`, `state` or `phrase`", hint)
                }
            };
            match item {
                Ok(item) => items.push(item),
                Err(Failed) => self.skip_to_next_item(),
            }
        }
    }

    fn skip_to_next_item(&mut self) {
        self.nesting = 0;
        self.recovered = false;
        while let Some(len) = self.text[self.pos..].find('\n') {
            self.pos += len + 1;
            let line = &self.text[self.pos..];
            let word = &line[..lex::identifier_len(line)];
            if ITEMS.contains(&word) {
                return;
            }
        }
        self.pos = self.text.len();
    }

    // --- cases ---

    fn case(&mut self, mut comments: Vec<String>) -> Parsed<Case> {
        let start = self.pos;
        self.take()?;
        let id = self.case_id()?;
        let title = self.text_literal("the title of the case")?;
        let head = self.span_from(start);
        self.line_end()?;
        let before = self.diagnostics.len();
        self.hoist(start, &mut comments);
        let mut header = Header::default();
        let above_story = self.header(&mut header, &mut comments);
        let body = self.lines(Closers(&["end", "finally"]));
        let (mut body, mut closer) = (body.stmts, body.closer);
        lead(&mut body, above_story);
        let mut finally = Vec::new();
        if closer == Some("finally") {
            let at = self.pos;
            self.take()?;
            self.line_end()?;
            let (_, trailing) = self.comments_since(at);
            let lines = self.lines(Closers(&["end", "finally"]));
            (finally, closer) = (lines.stmts, lines.closer);
            lead(&mut finally, (trailing.into_iter().collect(), false));
        }
        self.item_end(closer, start, head, "case", &mut comments);
        if body.is_empty() {
            self.empty(head, "a case needs at least one line", before);
        }
        Ok(Case {
            comments,
            id,
            title,
            header,
            body,
            finally,
            span: self.span_from(start),
            head,
        })
    }

    fn case_id(&mut self) -> Parsed<String> {
        self.blank();
        let rest = &self.text[self.pos..];
        let len = rest
            .find(|c: char| c.is_whitespace() || c == '"')
            .unwrap_or(rest.len());
        let id = &rest[..len];
        let part_ok = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        if id.is_empty() {
            return self.expected("the id of the case");
        }
        let at = span(self.pos, self.pos + len);
        if id.len() > 100 || !id.split('/').all(part_ok) {
            let diagnostic = self
                .error(at, format!("`{id}` cannot be the id of a case"))
                .hint("lower-case words with `/` and `-`: remote-start/cable-first");
            return self.fail(diagnostic);
        }
        self.pos += len;
        self.last_end = self.pos;
        Ok(id.to_owned())
    }

    /// Comments met since `start` go above the item; the header has no place of its own for them.
    fn hoist(&mut self, start: usize, comments: &mut Vec<String>) {
        let (inner, trailing) = self.comments_since(start);
        comments.extend(inner);
        comments.extend(trailing);
    }

    /// The header lines; returns the comments and the gap above the first line of the story.
    fn header(&mut self, header: &mut Header, comments: &mut Vec<String>) -> (Vec<String>, bool) {
        loop {
            let (above, gap) = self.above();
            let word = self.word_here();
            let Some(word) = word.filter(|w| lex::HEADER.contains(w)) else {
                return (above, gap);
            };
            comments.extend(above);
            let start = self.pos;
            if self
                .header_line(word, header)
                .and_then(|()| self.line_end())
                .is_err()
            {
                self.recover();
            }
            self.hoist(start, comments);
        }
    }

    fn header_line(&mut self, word: &str, header: &mut Header) -> Parsed<()> {
        let (_, at) = self.take()?;
        match word {
            "spec" => header.spec.push(self.spec(at.start as usize)?),
            "covers" => header.covers.extend(self.comma_list(|p| {
                let id = p.dotted("an official id")?;
                Ok(Covers {
                    id: id.text,
                    span: id.span,
                })
            })?),
            "requires" => {
                let requires = self.requires()?;
                if header.requires.is_some() {
                    let diagnostic = self
                        .error(at, "`requires` stands twice")
                        .hint("join both with `and` on one line");
                    return self.fail(diagnostic);
                }
                header.requires = Some(requires);
            }
            "given" => header.given.extend(self.comma_list(Self::given_item)?),
            "tests" => {
                let mut sides = header.tests.take().unwrap_or_default();
                sides.extend(self.comma_list(|p| p.name("a side"))?);
                header.tests = Some(sides);
            }
            "for" => {
                let name = self.binding()?;
                self.keyword("in")?;
                let values = self.list("[", "]", Self::expr)?;
                header.for_each.push(ForEach { name, values });
            }
            "level" => header.level = Some(self.name("a level")?),
            "note" => {
                let derived = self.eat_word("derived");
                let text = self.text_literal("a note")?;
                header.notes.push(Note { derived, text });
            }
            _ => header.strict = true,
        }
        Ok(())
    }

    /// `OCPP-1.6 "5.11", "4.8"` behind `spec`, which began at `start`.
    fn spec(&mut self, start: usize) -> Parsed<SpecRef> {
        self.blank();
        let rest = &self.text[self.pos..];
        let document = &rest[..rest
            .find(|c: char| c.is_whitespace() || c == '"')
            .unwrap_or(rest.len())];
        if document.is_empty() || !document.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return self.expected_with("a document", Some("like OCPP-1.6 \"4.2\"".to_owned()));
        }
        self.pos += document.len();
        self.last_end = self.pos;
        let clauses = if self.at_line_end() {
            Vec::new()
        } else {
            self.comma_list(|p| p.text_literal("a clause"))?
        };
        Ok(SpecRef {
            document: document.to_owned(),
            clauses,
            span: self.span_from(start),
        })
    }

    /// `booted`, `charging($connector) as s`, `config(Key: value [if implemented], …)`
    pub(super) fn given_item(&mut self) -> Parsed<Given> {
        self.blank();
        let start = self.pos;
        let name = self.name("the name of a state")?;
        if name.text == "config" {
            let entries = self.list("(", ")", Self::config_entry)?;
            return Ok(Given::Config {
                entries,
                span: self.span_from(start),
            });
        }
        let args = if self.at_mark("(") {
            self.list("(", ")", Self::expr)?
        } else {
            Vec::new()
        };
        let bind = if self.eat_word("as") {
            Some(self.binding()?)
        } else {
            None
        };
        Ok(Given::State(Reference {
            name,
            args,
            bind,
            span: self.span_from(start),
        }))
    }

    fn config_entry(&mut self) -> Parsed<ConfigEntry> {
        let (token, at) = self.peek()?;
        let key = match token {
            Token::Word(text) => text.to_owned(),
            Token::Text(text) => text,
            _ => return self.expected("a configuration key"),
        };
        self.take()?;
        self.mark(":")?;
        let value = self.expr()?;
        let if_implemented = self.eat_word("if");
        if if_implemented {
            self.keyword("implemented")?;
        }
        Ok(ConfigEntry {
            key: Word { text: key, span: at },
            value,
            if_implemented,
        })
    }

    /// Takes the `end` of an item, or says that it is missing.
    fn item_end(
        &mut self,
        closer: Option<&'static str>,
        start: usize,
        head: crate::ir::Span,
        what: &str,
        comments: &mut Vec<String>,
    ) {
        match closer {
            Some("end") => {
                if self.take().and_then(|_| self.line_end()).is_err() {
                    self.recover();
                }
                self.hoist(start, comments);
            }
            Some(other) => {
                let at = span(self.pos, self.pos + other.len());
                let diagnostic = self.error(at, format!("`{other}` cannot stand here"));
                self.report(diagnostic);
                self.skip_to_next_item();
            }
            None if self.full() => {}
            None => {
                let at = span(self.pos, self.pos);
                let diagnostic = self
                    .error(head, format!("this {what} is not closed by `end`"))
                    .label(at, "it should end before this");
                self.report(diagnostic);
            }
        }
    }

    // --- states and phrases ---

    fn state(&mut self, mut comments: Vec<String>, phrase: bool) -> Parsed<State> {
        let start = self.pos;
        self.take()?;
        let name = self.binding()?;
        let params = if self.at_mark("(") {
            self.list("(", ")", Self::binding)?
        } else {
            Vec::new()
        };
        let title = self.text_literal("a title")?;
        let head = self.span_from(start);
        self.line_end()?;
        self.hoist(start, &mut comments);
        let mut state = State {
            comments,
            name,
            title,
            params,
            phrase,
            spec: Vec::new(),
            given: Vec::new(),
            probe: None,
            exports: Vec::new(),
            ways: Vec::new(),
            span: head,
        };
        let above = self.state_lines(&mut state);
        if phrase {
            self.phrase_body(&mut state, start, head, above);
        } else {
            self.state_end(&mut state, start, head, above);
        }
        state.span = self.span_from(start);
        Ok(state)
    }

    /// `spec`, `given`, `probe`, `exports` and, in a state, the ways; returns what stood above the first other line.
    fn state_lines(&mut self, state: &mut State) -> (Vec<String>, bool) {
        loop {
            let (above, gap) = self.above();
            let word = self.word_here().filter(|w| STATE_LINES.contains(w));
            let Some(word) = word.filter(|w| !(state.phrase && *w == "reach")) else {
                return (above, gap);
            };
            let start = self.pos;
            if word == "reach" {
                if let Ok(way) = self.way(above, &mut state.comments) {
                    state.ways.push(way);
                }
                continue;
            }
            state.comments.extend(above);
            if self
                .state_line(word, state)
                .and_then(|()| self.line_end())
                .is_err()
            {
                self.recover();
            }
            self.hoist(start, &mut state.comments);
        }
    }

    fn state_line(&mut self, word: &str, state: &mut State) -> Parsed<()> {
        let (_, at) = self.take()?;
        match word {
            "spec" => state.spec.push(self.spec(at.start as usize)?),
            "given" => state.given.extend(self.comma_list(Self::given_item)?),
            "probe" => {
                let probe = self.cel(false)?;
                if state.phrase || state.probe.is_some() {
                    let message = if state.phrase {
                        "a phrase has no probe"
                    } else {
                        "`probe` stands twice"
                    };
                    let diagnostic = self.error(at, message);
                    return self.fail(diagnostic);
                }
                state.probe = Some(probe);
            }
            _ => state.exports.extend(self.comma_list(|p| {
                let name = p.binding()?;
                p.mark("=")?;
                Ok(Export {
                    name,
                    value: p.cel(true)?,
                })
            })?),
        }
        Ok(())
    }

    fn way(&mut self, above: Vec<String>, comments: &mut Vec<String>) -> Parsed<Way> {
        let start = self.pos;
        self.take()?;
        let read = if self.at_line_end() {
            Ok(None)
        } else {
            self.text_literal("the title of a way").map(Some)
        };
        let title = read
            .and_then(|title| self.line_end().map(|()| title))
            .unwrap_or_else(|Failed| {
                self.recover();
                None
            });
        let head = self.span_from(start);
        let before = self.diagnostics.len();
        let (_, trailing) = self.comments_since(start);
        let lines = self.lines(Closers(&["end"]));
        let mut body = lines.stmts;
        let first: Vec<String> = above.into_iter().chain(trailing).collect();
        lead(&mut body, (first, false));
        let mut lost = Vec::new();
        self.item_end(lines.closer, start, head, "way", &mut lost);
        comments.extend(lost);
        if body.is_empty() {
            self.empty(head, "a way needs at least one line", before);
        }
        Ok(Way {
            title,
            body,
            span: self.span_from(start),
        })
    }

    fn phrase_body(
        &mut self,
        state: &mut State,
        start: usize,
        head: crate::ir::Span,
        above: (Vec<String>, bool),
    ) {
        let from = self.pos;
        let before = self.diagnostics.len();
        let lines = self.lines(Closers(&["end"]));
        let mut body: Vec<Stmt> = lines.stmts;
        lead(&mut body, above);
        let span = self.span_from(from);
        self.item_end(lines.closer, start, head, "phrase", &mut state.comments);
        if body.is_empty() {
            self.empty(head, "a phrase needs at least one line", before);
        }
        state.ways.push(Way {
            title: None,
            body,
            span,
        });
    }

    fn state_end(
        &mut self,
        state: &mut State,
        start: usize,
        head: crate::ir::Span,
        above: (Vec<String>, bool),
    ) {
        state.comments.extend(above.0);
        let closer = if self.at_word("end") { Some("end") } else { None };
        if closer.is_none() && self.pos < self.text.len() {
            let hint = self.word_here().and_then(|w| did_you_mean(w, STATE_LINES));
            let hint = hint.unwrap_or_else(|| "lines of a story stand inside `reach … end`".to_owned());
            if self
                .expected_with::<()>(
                    "`spec`, `given`, `probe`, `exports`, `reach` or `end`",
                    Some(hint),
                )
                .is_err()
            {
                self.skip_to_next_item();
            }
            return;
        }
        self.item_end(closer, start, head, "state", &mut state.comments);
    }
}

/// Sets what stood above the first line of a story.
fn lead(body: &mut [Stmt], (comments, gap): (Vec<String>, bool)) {
    if let Some(first) = body.first_mut() {
        first.comments.splice(0..0, comments);
        first.layout.gap |= gap;
    }
}
