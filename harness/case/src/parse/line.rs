//! Lines with a speaker: calls, answers, connections.

use super::{Parsed, Parser};
use crate::diagnostic::did_you_mean;
use crate::ir::{
    Answer, AnswerForm, Call, Kind, Mods, Never, NeverScope, ObjectPattern, Peer, Speaker, Welcome,
    WelcomeForm,
};
use crate::lex::{self, span};

impl Parser<'_> {
    /// True if the next characters are `word:` or `word#2:`.
    pub(super) fn at_speaker(&mut self) -> bool {
        self.blank();
        let rest = &self.text[self.pos..];
        let word = lex::identifier_len(rest);
        let after = &rest[word..];
        let number = after
            .strip_prefix('#')
            .map_or(after, |n| n.trim_start_matches(|c: char| c.is_ascii_digit()));
        word > 0 && number.trim_start_matches([' ', '\t']).starts_with(':')
    }

    /// `station`, `station#2`, without the colon.
    pub(super) fn speaker(&mut self) -> Parsed<Speaker> {
        self.blank();
        let start = self.pos;
        let rest = &self.text[start..];
        let role = &rest[..lex::identifier_len(rest)];
        if role.is_empty() {
            return self.expected("a speaker");
        }
        let after = &rest[role.len()..];
        let digits = after
            .strip_prefix('#')
            .map(|n| &n[..n.find(|c: char| !c.is_ascii_digit()).unwrap_or(n.len())]);
        let end = start + role.len() + digits.map_or(0, |d| d.len() + 1);
        let at = span(start, end);
        if !lex::ROLES.contains(&role) {
            let hint = did_you_mean(role, lex::ROLES.iter().copied())
                .unwrap_or_else(|| format!("speakers are {}", lex::ROLES.join(", ")));
            let diagnostic = self.error(at, format!("`{role}` is no speaker")).hint(hint);
            return self.fail(diagnostic);
        }
        let number = match digits.map(str::parse::<u32>) {
            None => 1,
            Some(Ok(n @ 1..=99)) => n,
            Some(_) => {
                let diagnostic = self.error(at, "speakers are numbered from 1 to 99");
                return self.fail(diagnostic);
            }
        };
        self.pos = end;
        self.last_end = end;
        Ok(Speaker {
            role: role.to_owned(),
            number,
            span: at,
        })
    }

    /// What stands behind `SPEAKER:`.
    pub(super) fn spoken(&mut self) -> Parsed<Kind> {
        let speaker = self.speaker()?;
        self.mark(":")?;
        if self.eat_mark("=>") {
            return self.answer(speaker);
        }
        match self.word_here() {
            Some("Connect") => Ok(Kind::Connect(self.peer(speaker)?)),
            Some("Close") => Ok(Kind::Close(self.peer(speaker)?)),
            _ => Ok(Kind::Call(self.call(speaker)?)),
        }
    }

    fn peer(&mut self, speaker: Speaker) -> Parsed<Peer> {
        self.take()?;
        let payload = self.braces_if_any()?;
        Ok(Peer { speaker, payload })
    }

    fn braces_if_any(&mut self) -> Parsed<ObjectPattern> {
        if self.at_mark("{") || self.at_word("exactly") {
            return self.payload();
        }
        let span = span(self.last_end, self.last_end);
        Ok(ObjectPattern {
            span,
            ..ObjectPattern::default()
        })
    }

    /// `Action(which) { what }` behind its speaker.
    pub(super) fn call(&mut self, speaker: Speaker) -> Parsed<Call> {
        let action = self.name("an action")?;
        let picks = if self.at_mark("(") {
            Some(self.object("(", ")")?)
        } else {
            None
        };
        let payload = self.braces_if_any()?;
        Ok(Call {
            speaker,
            action,
            picks,
            payload,
        })
    }

    fn answer(&mut self, speaker: Speaker) -> Parsed<Kind> {
        match self.word_here() {
            Some("accept") => {
                self.take()?;
                let how = WelcomeForm::Accept(self.braces_if_any()?);
                return Ok(Kind::Welcome(Welcome { speaker, how }));
            }
            Some("refuse") => {
                self.take()?;
                let how = self.refusal()?;
                return Ok(Kind::Welcome(Welcome { speaker, how }));
            }
            _ => {}
        }
        let to = if self.eat_word("to") {
            Some(self.binding()?)
        } else {
            None
        };
        let mut forms = vec![self.answer_form()?];
        while self.eat_word("or") {
            forms.push(self.answer_form()?);
        }
        Ok(Kind::Answer(Answer { speaker, to, forms }))
    }

    fn answer_form(&mut self) -> Parsed<AnswerForm> {
        match self.word_here() {
            Some("error") => {
                self.take()?;
                let code = self.unbound_pattern()?;
                Ok(AnswerForm::Error { code })
            }
            Some("silence") => self.take().map(|_| AnswerForm::Silence),
            Some("exactly") => Ok(AnswerForm::Result(self.payload()?)),
            None if self.at_mark("{") => Ok(AnswerForm::Result(self.payload()?)),
            word => {
                let hint = word.and_then(|w| did_you_mean(w, ["error", "silence", "accept", "refuse"]));
                self.expected_with(
                    "an answer: `{ … }`, `error CODE`, `silence`, `accept` or `refuse`",
                    hint,
                )
            }
        }
    }

    fn refusal(&mut self) -> Parsed<WelcomeForm> {
        match self.word_here() {
            Some("tcp") => self.take().map(|_| WelcomeForm::RefuseTcp),
            Some("http") => {
                self.take()?;
                Ok(WelcomeForm::RefuseHttp(self.expr()?))
            }
            Some("tls") => {
                self.take()?;
                self.open("(")?;
                let fault = self.name("a fault")?;
                self.close(")")?;
                Ok(WelcomeForm::RefuseTls(fault))
            }
            _ => Ok(WelcomeForm::RefuseTcp),
        }
    }

    /// `never SPEAKER: A, B for D`, or a block of such lines; `never` is taken already.
    pub(super) fn never(&mut self, mods: &mut Mods) -> Parsed<Kind> {
        if !self.at_speaker() {
            return self.never_block(mods);
        }
        let calls = self.forbidden()?;
        let scope = self.never_scope()?;
        Ok(Kind::Never(Never { calls, scope }))
    }

    fn never_block(&mut self, mods: &mut Mods) -> Parsed<Kind> {
        let scope = self.never_scope()?;
        self.mods_behind(mods)?;
        let mut calls = Vec::new();
        loop {
            self.over_line_ends();
            if self.eat_word("end") {
                break;
            }
            calls.extend(self.forbidden()?);
            if !self.at_line_end() {
                return self.expected("the end of the line");
            }
        }
        if calls.is_empty() {
            return self.expected("a forbidden message before `end`");
        }
        Ok(Kind::Never(Never { calls, scope }))
    }

    fn forbidden(&mut self) -> Parsed<Vec<Call>> {
        let mut speaker = self.speaker()?;
        self.mark(":")?;
        let mut calls = vec![self.call(speaker.clone())?];
        while self.eat_mark(",") {
            self.over_line_ends();
            if self.at_speaker() {
                speaker = self.speaker()?;
                self.mark(":")?;
            }
            calls.push(self.call(speaker.clone())?);
        }
        Ok(calls)
    }

    fn never_scope(&mut self) -> Parsed<NeverScope> {
        if self.eat_word("for") {
            return Ok(NeverScope::For(self.expr()?));
        }
        if self.eat_word("until") {
            self.keyword("end")?;
            return Ok(NeverScope::UntilEnd);
        }
        self.expected("`for DURATION` or `until end`")
    }
}
