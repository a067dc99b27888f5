//! Patterns: what a message must say, which is also what we say where we play.

use super::{Parsed, Parser};
use crate::ir::{ArrayItem, ArrayPattern, FieldPattern, ObjectPattern, Pattern, Word};
use crate::lex::{Token, span};

/// One member of an object.
enum Member {
    Field(FieldPattern),
    SameAs(crate::ir::Expr),
}

impl Parser<'_> {
    /// `exactly { … }` or `{ … }`
    pub(super) fn payload(&mut self) -> Parsed<ObjectPattern> {
        self.blank();
        let start = self.pos;
        let exactly = self.eat_word("exactly");
        let mut object = self.object("{", "}")?;
        object.exactly = exactly;
        object.span = self.span_from(start);
        Ok(object)
    }

    /// The members between two brackets; `(…)` for picks.
    pub(super) fn object(&mut self, open: &str, close: &str) -> Parsed<ObjectPattern> {
        self.blank();
        let start = self.pos;
        let members = self.list(open, close, Self::member)?;
        let mut object = ObjectPattern {
            span: self.span_from(start),
            ..ObjectPattern::default()
        };
        for member in members {
            match member {
                Member::Field(field) => object.fields.push(field),
                Member::SameAs(expr) => object.same_as.push(expr),
            }
        }
        Ok(object)
    }

    fn member(&mut self) -> Parsed<Member> {
        let (token, at) = self.peek()?;
        let name = match token {
            Token::Word("same_as") if self.text[at.end as usize..].starts_with('(') => {
                self.take()?;
                return Ok(Member::SameAs(self.in_parens(Self::expr)?));
            }
            Token::Word(text) if !text.contains('.') => text.to_owned(),
            Token::Text(text) => text,
            _ => return self.expected_with("a field name", Some("fields are written name: value".into())),
        };
        self.take()?;
        if !self.at_mark(":") {
            return self.expected(&format!("`:` behind the field `{name}`"));
        }
        self.take()?;
        let pattern = self.pattern()?;
        Ok(Member::Field(FieldPattern {
            name: Word { text: name, span: at },
            pattern,
        }))
    }

    fn in_parens<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.open("(")?;
        let value = inner(self)?;
        self.close(")")?;
        Ok(value)
    }

    /// A pattern with its `as NAME`.
    pub(super) fn pattern(&mut self) -> Parsed<Pattern> {
        let mut pattern = self.unbound_pattern()?;
        while self.eat_word("as") {
            pattern = Pattern::Bind(Box::new(pattern), self.binding()?);
        }
        Ok(pattern)
    }

    /// A pattern without `as NAME`, for places where that belongs to the line.
    pub(super) fn unbound_pattern(&mut self) -> Parsed<Pattern> {
        if let Some(op) = self.compare_op(false)? {
            return Ok(Pattern::Compare(op, self.expr()?));
        }
        if self.at_mark("{") {
            return Ok(Pattern::Object(self.payload()?));
        }
        if self.at_mark("[") {
            return Ok(Pattern::Array(self.array()?));
        }
        let Some(word) = self.word_here() else {
            return Ok(Pattern::Value(self.expr()?));
        };
        let call = self.text[self.pos + word.len()..].starts_with('(');
        match word {
            "any" => self.take().map(|_| Pattern::Any),
            "absent" => self.take().map(|_| Pattern::Absent),
            "exactly" => Ok(Pattern::Object(self.payload()?)),
            "not" => {
                self.take()?;
                self.nested(|p| Ok(Pattern::Not(Box::new(p.unbound_pattern()?))))
            }
            "each" => {
                self.take()?;
                self.nested(|p| Ok(Pattern::Each(Box::new(p.unbound_pattern()?))))
            }
            "matches" => self.matches(),
            "one_of" if call => {
                self.take()?;
                Ok(Pattern::OneOf(self.list("(", ")", Self::pattern)?))
            }
            "near" if call => {
                self.take()?;
                Ok(Pattern::Near(self.in_parens(Self::expr)?))
            }
            "about" if call => {
                self.take()?;
                self.in_parens(|p| {
                    let value = p.expr()?;
                    let tolerance = if p.eat_mark(",") { Some(p.expr()?) } else { None };
                    Ok(Pattern::About(value, tolerance))
                })
            }
            "same_as" if call => {
                self.take()?;
                Ok(Pattern::SameAs(self.in_parens(Self::expr)?))
            }
            _ if call => Ok(Pattern::Native(self.verb()?)),
            _ => Ok(Pattern::Value(self.expr()?)),
        }
    }

    /// Counts a prefix word as one level of nesting, so that `not not not …` is bounded too.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.prefixes >= super::MAX_NESTING {
            return self.expected("a pattern that nests less deep");
        }
        self.prefixes += 1;
        let value = inner(self);
        self.prefixes -= 1;
        value
    }

    fn array(&mut self) -> Parsed<ArrayPattern> {
        self.blank();
        let start = self.pos;
        let items = self.list("[", "]", |p| {
            if p.eat_mark("..") {
                Ok(ArrayItem::Rest)
            } else {
                Ok(ArrayItem::Item(p.pattern()?))
            }
        })?;
        let any_order = self.at_word("in");
        if any_order {
            for word in ["in", "any", "order"] {
                self.keyword(word)?;
            }
        }
        Ok(ArrayPattern {
            items,
            any_order,
            span: self.span_from(start),
        })
    }

    /// `matches /regex/ [like "example"]`
    fn matches(&mut self) -> Parsed<Pattern> {
        self.take()?;
        if !self.at_mark("/") {
            return self.expected("a regular expression between slashes");
        }
        let start = self.pos;
        let line = &self.text[start + 1..];
        let mut escaped = false;
        let mut end = None;
        for (i, c) in line.char_indices() {
            match c {
                '\n' => break,
                '\\' => escaped = !escaped,
                '/' if !escaped => {
                    end = Some(i);
                    break;
                }
                _ => escaped = false,
            }
        }
        let Some(end) = end else {
            let diagnostic = self
                .error(
                    span(start, start + 1),
                    "the regular expression is not closed on its line",
                )
                .hint("write a slash inside it as \\/");
            return self.fail(diagnostic);
        };
        let regex = line[..end].replace("\\/", "/");
        self.pos = start + end + 2;
        self.last_end = self.pos;
        let like = if self.eat_word("like") {
            Some(self.text_literal("an example")?)
        } else {
            None
        };
        Ok(Pattern::Matches { regex, like })
    }
}
