//! The modifiers of a line, before it and behind it.

use super::{Parsed, Parser};
use crate::ir::Mods;
use crate::lex;

impl Parser<'_> {
    /// `eventually`, `should`, `unprompted` before a line.
    pub(super) fn mods_before(&mut self, mods: &mut Mods) -> Parsed<()> {
        loop {
            match self.word_here() {
                Some("eventually") => set(&mut mods.eventually),
                Some("should") => set(&mut mods.should),
                Some("unprompted") => set(&mut mods.unprompted),
                _ => return Ok(()),
            }
            self.take()?;
        }
    }

    /// True if a modifier comes next.
    pub(super) fn at_modifier(&mut self) -> bool {
        self.word_here()
            .is_some_and(|word| lex::MODIFIERS.contains(&word))
    }

    /// The modifiers behind a line, in any order.
    pub(super) fn mods_behind(&mut self, mods: &mut Mods) -> Parsed<()> {
        while self.at_modifier() {
            let (_, at) = self.peek()?;
            let word = self.word_here().unwrap_or_default();
            let twice = match word {
                "as" => mods.bind.is_some(),
                "within" => mods.within.is_some(),
                "after" => mods.after.is_some(),
                "every" => mods.every.is_some(),
                "per" => mods.per.is_some(),
                _ => false,
            };
            if twice {
                let diagnostic = self.error(at, format!("`{word}` stands twice on this line"));
                return self.fail(diagnostic);
            }
            self.take()?;
            match word {
                "as" => mods.bind = Some(self.binding()?),
                "within" => mods.within = Some(self.expr()?),
                "after" => mods.after = Some(self.timing()?),
                "every" => mods.every = Some(self.timing()?),
                "per" => mods.per = Some(self.text_literal("a clause number")?),
                "eventually" => mods.eventually = true,
                "should" => mods.should = true,
                "unprompted" => mods.unprompted = true,
                _ => {
                    self.keyword("once")?;
                    mods.at_once = true;
                }
            }
        }
        Ok(())
    }
}

fn set(flag: &mut bool) {
    *flag = true;
}
