//! What must not come: `never … for D` while it stands open, `never … until end` until the body ends.

use plugfest_case::ir::{Call, NeverScope};

use super::Forbidden;
use super::claim::Message;
use super::context::Cx;
use super::fit::verify;
use super::tree::{Item, Node, Seq};

impl Cx {
    /// Every `never` that forbids this message: one may only warn where another fails.
    pub(super) fn forbidding(&self, seq: &Seq, message: Message<'_>) -> Vec<Item> {
        let mut all = Vec::new();
        seq.nevers(&mut all);
        all.extend(&self.watchers);
        let forbids = |item: &&&Item| {
            let mut calls = item.forbidden_calls().iter();
            calls.any(|call| self.forbids(call, item, message))
        };
        all.iter().filter(forbids).map(|item| (*item).clone()).collect()
    }

    /// What is forbidden at this moment, each as the smallest message that a line names.
    pub(super) fn forbidden(&self, seq: &Seq) -> Vec<Forbidden> {
        let mut nevers = Vec::new();
        seq.nevers(&mut nevers);
        let mut all = Vec::new();
        for item in self.watchers.iter().chain(nevers) {
            let calls = item.forbidden_calls().iter();
            for call in calls.filter(|call| self.is_dut(&call.speaker)) {
                let mut pattern = call.payload.clone();
                if let Some(picks) = &call.picks {
                    pattern.fields.extend(picks.fields.iter().cloned());
                }
                if let (Some(line), Ok(overlay)) = (self.line(item), self.values.build(&pattern, item.frame))
                {
                    all.push(Forbidden {
                        line,
                        span: item.stmt.span,
                        action: call.action.text.clone(),
                        payload: overlay.onto(self.story.edition, &call.action.text),
                    });
                }
            }
        }
        all
    }

    /// True if a message is one that a `never` names.
    fn forbids(&self, call: &Call, item: &Item, message: Message<'_>) -> bool {
        let (action, payload) = match message {
            Message::Call { action, payload, .. } => (action, payload),
            Message::Transfer(asked) => (asked.action, &asked.properties),
            _ => return false,
        };
        call.action.text == action
            && self.is_dut(&call.speaker)
            && verify(call, item.frame, action, payload, self).is_ok()
    }
}

impl Seq {
    /// The `never … for D` of the open phase that have begun.
    fn nevers<'s>(&'s self, into: &mut Vec<&'s Item>) {
        for item in &self.items[self.phase..self.next] {
            item.nevers(into);
        }
    }
}

impl Item {
    fn nevers<'s>(&'s self, into: &mut Vec<&'s Item>) {
        if !self.open() {
            return;
        }
        match &self.node {
            Node::Never(_, NeverScope::For(_), Some(_)) => into.push(self),
            Node::AnyOrder(members) => members.iter().for_each(|m| m.nevers(into)),
            Node::InOrder(seq) | Node::Optional(seq) => seq.nevers(into),
            Node::Either(either) => {
                if let Some(chosen) = either.chosen {
                    either.branches[chosen].1.nevers(into);
                }
            }
            Node::Reach(reach) => reach.child.iter().for_each(|c| c.nevers(into)),
            _ => {}
        }
    }

    fn forbidden_calls(&self) -> &[Call] {
        match &self.node {
            Node::Never(calls, ..) => calls,
            _ => &[],
        }
    }
}
