//! Statements and blocks.

use super::{Failed, Parsed, Parser};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::ir::{Branch, Kind, Link, Many, Mods, Set, Span, Stmt, Until};
use crate::lex::{self, Token, span};

/// What may stand where the lines of a block end.
#[derive(Clone, Copy)]
pub(super) struct Closers(pub(super) &'static [&'static str]);

/// The lines of a block with what stood around them.
pub(super) struct Lines {
    pub(super) stmts: Vec<Stmt>,
    /// The word that ended them, not yet taken; `None` where the file or the item ended.
    pub(super) closer: Option<&'static str>,
    /// How many diagnostics there were before them.
    before: usize,
}

const TOP_LEVEL: [&str; 3] = ["case", "state", "phrase"];

impl Parser<'_> {
    /// Lines up to one of the closers, which is left standing.
    pub(super) fn lines(&mut self, closers: Closers) -> Lines {
        let mut stmts: Vec<Stmt> = Vec::new();
        let before = self.diagnostics.len();
        loop {
            let (comments, gap) = self.above();
            let word = self.word_here();
            let closer = word.and_then(|w| closers.0.iter().find(|c| **c == w).copied());
            let ended = closer.is_some() || self.at_end() || self.at_top_level() || self.full();
            if ended {
                if let Some(last) = stmts.last_mut() {
                    last.layout.below = comments;
                } else if let Some(first) = comments.first() {
                    let message = format!("a comment without a line below it: `{first}`");
                    let at = span(self.pos, self.pos);
                    let lonely = Diagnostic::warning("comment-lost", self.file, at, message);
                    self.report(lonely);
                }
                return Lines {
                    stmts,
                    closer,
                    before,
                };
            }
            let start = self.pos;
            let Ok(mut stmt) = self.statement() else {
                if !std::mem::take(&mut self.recovered) {
                    self.recover();
                }
                // A line that failed must not be met again.
                debug_assert!(self.pos > start);
                continue;
            };
            stmt.comments.splice(0..0, comments);
            stmt.layout.gap = gap;
            stmts.push(stmt);
        }
    }

    /// Behind a block whose head failed: its lines are read for their own errors, so that its `end` closes nothing
    /// else.
    fn skip_body(&mut self, head: Span) {
        self.recover();
        let closers = Closers(&["end", "or", "finally"]);
        while let Ok(Lines {
            closer: Some("or"), ..
        }) = self.deeper(head, |p| p.lines(closers))
        {
            self.recover();
        }
        if self.at_word("end") {
            self.recover();
        }
        self.recovered = true;
    }

    fn at_end(&self) -> bool {
        self.pos >= self.text.len()
    }

    /// True where a line begins a new case or state, which no statement does.
    fn at_top_level(&mut self) -> bool {
        let Some(word) = self.word_here() else {
            return false;
        };
        if !TOP_LEVEL.contains(&word) {
            return false;
        }
        !self.text[self.pos + word.len()..]
            .trim_start_matches([' ', '\t'])
            .starts_with(':')
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        let start = self.pos;
        let mut mods = Mods::default();
        self.mods_before(&mut mods)?;
        let before = mods.clone();
        let head = self.word_here();
        let kind = if self.at_speaker() {
            let kind = self.spoken()?;
            self.mods_behind(&mut mods)?;
            kind
        } else if let Some(word) = head {
            match self.block(word, start, &mut mods)? {
                Some(stmt) => {
                    if before != Mods::default() {
                        let at = span(start, start + 1);
                        let message = format!("a modifier cannot stand before `{word}`");
                        let diagnostic = self.error(at, message).hint("put it on the lines inside");
                        self.report(diagnostic);
                    }
                    return Ok(stmt);
                }
                None => self.simple(word, &mut mods)?,
            }
        } else {
            return self.unknown_line();
        };
        self.line_end()?;
        Ok(self.finish(kind, mods, start))
    }

    /// Puts a statement together once its last line end is taken.
    fn finish(&mut self, kind: Kind, mods: Mods, start: usize) -> Stmt {
        let (comments, trailing) = self.comments_since(start);
        let span = self.span_from(start);
        Stmt {
            comments,
            trailing,
            kind,
            mods,
            layout: crate::ir::Layout::default(),
            span,
        }
    }

    /// A line without speaker and without lines of its own.
    fn simple(&mut self, word: &str, mods: &mut Mods) -> Parsed<Kind> {
        let kind = match word {
            "act" => {
                self.take()?;
                Kind::Act(self.verb()?)
            }
            "operate" => {
                self.take()?;
                Kind::Operate(self.verb()?)
            }
            "run" => {
                self.take()?;
                Kind::Run(self.verb()?)
            }
            "link" => {
                self.take()?;
                Kind::Link(self.link()?)
            }
            "wait" => {
                self.take()?;
                Kind::Wait { time: self.expr()? }
            }
            "check" => {
                self.take()?;
                Kind::Check(self.cel(false)?)
            }
            "raw" => {
                self.take()?;
                let speaker = self.speaker()?;
                self.eat_mark(":");
                let bytes = self.eat_word("bytes");
                Kind::Raw {
                    speaker,
                    bytes,
                    text: self.expr()?,
                }
            }
            "do" => {
                self.take()?;
                Kind::Do(self.given_item()?)
            }
            "never" => {
                self.take()?;
                self.never(mods)?
            }
            _ => return self.unknown_line(),
        };
        self.mods_behind(mods)?;
        Ok(kind)
    }

    fn unknown_line<T>(&mut self) -> Parsed<T> {
        let (token, at) = self.peek()?;
        let Token::Word(word) = token else {
            return self.expected("a statement or `end`");
        };
        let hint = match word {
            "else" => Some("there is no else: write a second `if` with the opposite fact".to_owned()),
            "while" | "loop" => Some("loops are `repeat`, `each` and `many`".to_owned()),
            "finally" => {
                Some("`finally` stands once, after the story of a case, outside its blocks".to_owned())
            }
            "or" => Some("`or` stands inside `either … end`".to_owned()),
            _ if lex::HEADER.contains(&word) => {
                Some("header lines stand above the first line of the story".to_owned())
            }
            _ => {
                let known = lex::STATEMENTS
                    .iter()
                    .chain(lex::ROLES)
                    .chain(&["finally", "end", "or"]);
                did_you_mean(word, known.copied())
            }
        };
        let diagnostic = self
            .error(at, format!("no line begins with `{word}`"))
            .maybe_hint(hint);
        self.fail(diagnostic)
    }

    fn link(&mut self) -> Parsed<Link> {
        match self.word_here() {
            Some("drop") => self.take().map(|_| Link::Drop),
            Some("refuse") => self.take().map(|_| Link::Refuse),
            Some("accept") => self.take().map(|_| Link::Accept),
            Some("close") => {
                self.take()?;
                let (token, at) = self.peek()?;
                let code = match token {
                    Token::Number(raw) => raw.parse::<u16>().ok().filter(|c| (1000..5000).contains(c)),
                    _ => return self.expected("a close code"),
                };
                let Some(code) = code else {
                    let diagnostic = self.error(at, "close codes go from 1000 to 4999");
                    return self.fail(diagnostic);
                };
                self.take()?;
                Ok(Link::Close(code))
            }
            _ => self.expected("`drop`, `close CODE`, `refuse` or `accept`"),
        }
    }

    // --- blocks ---

    fn block(&mut self, word: &str, start: usize, mods: &mut Mods) -> Parsed<Option<Stmt>> {
        self.in_head = true;
        let stmt = self.block_of(word, start, mods);
        if stmt.is_err() && self.in_head {
            self.skip_body(span(start, start + word.len()));
        }
        self.in_head = false;
        stmt
    }

    fn block_of(&mut self, word: &str, start: usize, mods: &mut Mods) -> Parsed<Option<Stmt>> {
        let stmt = match word {
            "any" | "in" => {
                self.take()?;
                self.keyword("order")?;
                self.plain_block(start, mods, |body| {
                    if word == "any" {
                        Kind::AnyOrder { body }
                    } else {
                        Kind::InOrder { body }
                    }
                })?
            }
            "repeat" => {
                self.take()?;
                let times = self.expr()?;
                self.plain_block(start, mods, |body| Kind::Repeat { times, body })?
            }
            "each" => {
                self.take()?;
                let var = self.binding()?;
                self.keyword("in")?;
                let set = self.set()?;
                let except = if self.eat_word("except") {
                    Some(self.expr()?)
                } else {
                    None
                };
                self.plain_block(start, mods, |body| Kind::Each {
                    var,
                    set,
                    except,
                    body,
                })?
            }
            "if" => {
                self.take()?;
                let fact = self.cel(false)?;
                self.plain_block(start, mods, |body| Kind::If { fact, body })?
            }
            "either" => self.either(start, mods)?,
            "optional" => self.optional(start, mods)?,
            "many" => self.many(start, mods)?,
            _ => return Ok(None),
        };
        Ok(Some(stmt))
    }

    fn plain_block(
        &mut self,
        start: usize,
        mods: &mut Mods,
        kind: impl FnOnce(Vec<Stmt>) -> Kind,
    ) -> Parsed<Stmt> {
        self.mods_behind(mods)?;
        let (comments, trailing, body) = self.block_body(start)?;
        let mut stmt = self.finish(kind(body), mods.clone(), start);
        stmt.comments = comments;
        stmt.trailing = merged(trailing, stmt.trailing.take());
        Ok(stmt)
    }

    /// The rest of the head line, the lines and `end`.
    fn block_body(&mut self, start: usize) -> Parsed<(Vec<String>, Option<String>, Vec<Stmt>)> {
        self.line_end()?;
        self.in_head = false;
        let (comments, trailing) = self.comments_since(start);
        let head = self.span_from(start);
        let body = self.deeper(head, |p| p.lines(Closers(&["end", "or", "finally"])))?;
        let stmts = self.close_block(head, body)?;
        Ok((comments, trailing, stmts))
    }

    fn close_block(&mut self, head: Span, lines: Lines) -> Parsed<Vec<Stmt>> {
        if lines.closer != Some("end") {
            let at = span(self.pos, self.pos);
            let found = lines
                .closer
                .map_or_else(|| "the end of the case".to_owned(), |c| format!("`{c}`"));
            if !self.full() {
                let diagnostic = self
                    .error(head, format!("this block is not closed by `end` before {found}"))
                    .label(at, "it should end before this");
                self.report(diagnostic);
            }
            if lines.closer == Some("or") {
                return Err(Failed);
            }
            return Ok(lines.stmts);
        }
        self.take()?;
        if lines.stmts.is_empty() {
            self.empty(head, "this block has no lines", lines.before);
        }
        self.line_end()?;
        Ok(lines.stmts)
    }

    fn deeper<T>(&mut self, head: Span, inner: impl FnOnce(&mut Self) -> T) -> Parsed<T> {
        if self.blocks >= super::MAX_BLOCKS {
            let message = format!("blocks nest deeper than {}", super::MAX_BLOCKS);
            let diagnostic = Diagnostic::error("too-deep", self.file, head, message);
            return self.fail(diagnostic);
        }
        self.blocks += 1;
        let value = inner(self);
        self.blocks -= 1;
        Ok(value)
    }

    fn either(&mut self, start: usize, mods: &mut Mods) -> Parsed<Stmt> {
        self.take()?;
        self.mods_behind(mods)?;
        self.line_end()?;
        self.in_head = false;
        let (comments, mut trailing) = self.comments_since(start);
        let head = self.span_from(start);
        let mut branches = Vec::new();
        let mut nothing_within = None;
        loop {
            let lines = self.deeper(head, |p| p.lines(Closers(&["end", "or", "finally"])))?;
            if lines.stmts.is_empty() {
                self.empty(head, "a branch of this `either` has no lines", lines.before);
            }
            if lines.closer != Some("or") {
                let body = self.close_either(head, lines)?;
                branches.push(Branch {
                    nothing_within,
                    trailing: trailing.take(),
                    body,
                });
                break;
            }
            branches.push(Branch {
                nothing_within,
                trailing: trailing.take(),
                body: lines.stmts,
            });
            let or = self.pos;
            self.take()?;
            nothing_within = None;
            if self.eat_word("nothing") {
                self.keyword("within")?;
                nothing_within = Some(self.expr()?);
            }
            self.line_end()?;
            let (inner, behind) = self.comments_since(or);
            trailing = behind.or_else(|| inner.into_iter().next());
        }
        let (_, behind) = self.comments_since(start);
        if branches.len() < 2 && !self.full() {
            let diagnostic = self
                .error(head, "an `either` needs at least two branches")
                .hint("add `or`");
            self.report(diagnostic);
        }
        let mut stmt = self.finish(Kind::Either { branches }, mods.clone(), start);
        stmt.comments = comments;
        stmt.trailing = behind;
        Ok(stmt)
    }

    fn close_either(&mut self, head: Span, lines: Lines) -> Parsed<Vec<Stmt>> {
        if lines.closer == Some("end") {
            self.take()?;
            self.line_end()?;
            return Ok(lines.stmts);
        }
        self.close_block(head, lines)
    }

    fn optional(&mut self, start: usize, mods: &mut Mods) -> Parsed<Stmt> {
        self.take()?;
        if self.at_line_end() || (self.at_modifier() && !self.mods_open_a_line()) {
            return self.plain_block(start, mods, |body| Kind::Optional { body });
        }
        let (line, _) = self.one_line(None)?;
        self.exchange(line, mods.clone(), start, |body| Kind::Optional { body })
    }

    /// True where `eventually station: …` follows and not the head of a block.
    fn mods_open_a_line(&mut self) -> bool {
        let line_end = self.text[self.pos..]
            .find('\n')
            .map_or(self.text.len(), |i| self.pos + i);
        let rest = lex::behind_leading(self.text[self.pos..line_end].trim_start());
        if rest.is_empty() || rest.starts_with('#') {
            return false;
        }
        let word = &rest[..lex::identifier_len(rest)];
        word != "until" && !lex::MODIFIERS.contains(&word)
    }

    fn many(&mut self, start: usize, mods: &mut Mods) -> Parsed<Stmt> {
        self.take()?;
        let (min, max) = self.count()?;
        let mut until = Until::Next;
        let block =
            self.at_line_end() || self.at_word("until") || (self.at_modifier() && !self.mods_open_a_line());
        if block {
            self.mods_behind(mods)?;
            self.until(&mut until)?;
            self.mods_behind(mods)?;
            return self.plain_block(start, mods, |body| {
                Kind::Many(Many {
                    min,
                    max,
                    body,
                    until,
                })
            });
        }
        let (mut line, found) = self.one_line(Some(until))?;
        let until = found.unwrap_or(Until::Next);
        // On one line `as` names the list of messages.
        mods.bind = line.mods.bind.take();
        self.exchange(line, mods.clone(), start, |body| {
            Kind::Many(Many {
                min,
                max,
                body,
                until,
            })
        })
    }

    /// One statement on the line of `optional` or `many`, with the `until` of the latter.
    fn one_line(&mut self, until: Option<Until>) -> Parsed<(Stmt, Option<Until>)> {
        self.in_head = false;
        self.blank();
        let start = self.pos;
        let mut mods = Mods::default();
        self.mods_before(&mut mods)?;
        let kind = if self.at_speaker() {
            self.spoken()?
        } else if let Some(word) = self.word_here() {
            self.simple(word, &mut mods)?
        } else {
            return self.unknown_line();
        };
        self.mods_behind(&mut mods)?;
        let mut until = until;
        if let Some(until) = &mut until {
            self.until(until)?;
            self.mods_behind(&mut mods)?;
        }
        let span = self.span_from(start);
        let layout = crate::ir::Layout::default();
        Ok((
            Stmt {
                comments: Vec::new(),
                trailing: None,
                kind,
                mods,
                layout,
                span,
            },
            until,
        ))
    }

    fn until(&mut self, until: &mut Until) -> Parsed<()> {
        if !self.eat_word("until") {
            return Ok(());
        }
        *until = if self.eat_word("quiet") {
            Until::Quiet(self.expr()?)
        } else {
            Until::Fits(self.payload()?)
        };
        Ok(())
    }

    /// Ends a one-line block: takes the line end and the answers directly under the line.
    fn exchange(
        &mut self,
        line: Stmt,
        mods: Mods,
        start: usize,
        kind: impl FnOnce(Vec<Stmt>) -> Kind,
    ) -> Parsed<Stmt> {
        self.line_end()?;
        let (comments, trailing) = self.comments_since(start);
        let end = self.last_end;
        let asks = matches!(line.kind, Kind::Call(_) | Kind::Connect(_) | Kind::Raw { .. });
        let mut body = vec![line];
        while asks && self.answer_follows() {
            let (comments, gap) = self.above();
            match self.statement() {
                Ok(mut stmt) => {
                    stmt.comments.splice(0..0, comments);
                    stmt.layout.gap = gap;
                    body.push(stmt);
                }
                Err(Failed) => self.recover(),
            }
        }
        let end = body.last().map_or(end, |s| s.span.end as usize).max(end);
        Ok(Stmt {
            comments,
            trailing,
            kind: kind(body),
            mods,
            layout: crate::ir::Layout::default(),
            span: span(start, end),
        })
    }

    /// True if the next line that is no comment is an answer.
    fn answer_follows(&self) -> bool {
        let next = self.text[self.pos..]
            .lines()
            .map(str::trim_start)
            .find(|line| !line.is_empty() && !line.starts_with('#'));
        let Some(line) = next else { return false };
        let line = lex::behind_leading(line);
        let role = &line[..lex::identifier_len(line)];
        let after = line[role.len()..].trim_start_matches(|c: char| c == '#' || c.is_ascii_digit());
        lex::ROLES.contains(&role)
            && after
                .trim_start()
                .strip_prefix(':')
                .is_some_and(|rest| rest.trim_start().starts_with("=>"))
    }

    /// `(n..m)`, `(n)`, `(n..)`, `(..m)` or nothing.
    fn count(&mut self) -> Parsed<(Option<crate::ir::Expr>, Option<crate::ir::Expr>)> {
        if !self.at_mark("(") {
            return Ok((None, None));
        }
        self.open("(")?;
        let min = if self.at_mark("..") {
            None
        } else {
            Some(self.expr()?)
        };
        let max = if !self.eat_mark("..") {
            min.clone()
        } else if self.at_mark(")") {
            None
        } else {
            Some(self.expr()?)
        };
        self.close(")")?;
        Ok((min, max))
    }

    fn set(&mut self) -> Parsed<Set> {
        if self.at_word("connectors") && self.text[self.pos + "connectors".len()..].starts_with('(') {
            self.take()?;
            self.open("(")?;
            let mut from = 1;
            if !self.at_mark(")") {
                let (token, _) = self.peek()?;
                let number = match token {
                    Token::Number(raw) => raw.parse::<u32>().ok().filter(|n| *n <= 1),
                    _ => None,
                };
                let Some(number) = number else {
                    return self.expected("`0..` or nothing");
                };
                self.take()?;
                self.mark("..")?;
                from = number;
            }
            self.close(")")?;
            return Ok(Set::Connectors { from });
        }
        let value = self.expr()?;
        Ok(match value.kind {
            crate::ir::ExprKind::List(items) => Set::List(items),
            _ => Set::Value(value),
        })
    }
}

fn merged(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(a), Some(b)) => Some(format!("{a} {b}")),
        (a, b) => a.or(b),
    }
}
