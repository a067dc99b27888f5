//! Lines of the DUT that hardly say anything.

use plugfest_protocol::Action;

use super::Checker;
use super::expr::part_of;
use crate::ir::{AnswerForm, Mods, ObjectPattern, Span, Speaker};

impl Checker<'_> {
    /// Counts a line that the DUT may have to say, and warns where it would pass almost anything.
    pub(super) fn weigh(
        &mut self,
        speaker: &Speaker,
        action: Option<&'static Action>,
        payload: Option<&ObjectPattern>,
        mods: &Mods,
        answer: bool,
        at: Span,
    ) {
        if self.in_state || !self.is_side(&speaker.role) {
            return;
        }
        self.count.dut += 1;
        let timed = mods.within.is_some() || mods.after.is_some() || mods.every.is_some();
        let bound = mods.bind.is_some();
        let empty = payload.is_some_and(|p| p.fields.is_empty() && p.same_as.is_empty() && !p.exactly);
        let fields = action.map_or(0, |a| a.message(part_of(answer)).fields.len());
        if empty && fields > 0 && !timed && !bound {
            self.count.weak += 1;
            self.warning("weak-line", at, "this line says nothing about its message")
                .with_hint("write what the clause demands of its fields, or when it is due");
        }
    }

    /// The payload that an answer line demands, if it is a plain result.
    pub(super) fn answer_payload(forms: &[AnswerForm]) -> Option<&ObjectPattern> {
        match forms {
            [AnswerForm::Result(object)] => Some(object),
            _ => None,
        }
    }
}
