//! What a case needs of the driver, found out without playing it.

use std::collections::BTreeSet;

use plugfest_case::ir::{Branch, Given, Kind, Stmt};
use plugfest_case::{Library, LoadedState};

use crate::catalogue::Line;

/// The action that a CALL of a CSMS under test is asked for with (rule 8 of the case language).
const CALL: &str = "csms.call";
/// States inside states that are followed.
const MAX_DEPTH: u32 = 32;

/// The actions that `can` says the driver cannot do, and that a way through the case uses. Whether the device goes that
/// way, or is in a state already, shows only when it is played.
pub(crate) fn lack(library: &Library, line: Line<'_>, can: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let walk = Walk {
        library,
        protocol: &line.loaded.protocol,
        role: line.role,
        can,
    };
    let case = &line.loaded.case;
    let mut found = Found::default();
    for given in &case.header.given {
        walk.given(given, true, 0, &mut found);
    }
    walk.story(&case.body, true, 0, &mut found);
    found.certain.into_iter().chain(found.possible).collect()
}

#[derive(Default)]
struct Found {
    certain: BTreeSet<String>,
    possible: BTreeSet<String>,
}

struct Walk<'w> {
    library: &'w Library,
    protocol: &'w str,
    role: &'w str,
    can: &'w dyn Fn(&str) -> bool,
}

impl Walk<'_> {
    fn story(&self, story: &[Stmt], certain: bool, depth: u32, found: &mut Found) {
        for stmt in story {
            self.stmt(stmt, certain, depth, found);
        }
    }

    fn stmt(&self, stmt: &Stmt, certain: bool, depth: u32, found: &mut Found) {
        match &stmt.kind {
            Kind::Act(verb) if self.role == "station" => self.verb(&verb.name.text, certain, found),
            Kind::Operate(verb) if self.role == "csms" => self.verb(&verb.name.text, certain, found),
            Kind::Call(call)
                if self.role == "csms" && call.speaker.role == "csms" && !stmt.mods.unprompted =>
            {
                self.verb(CALL, certain, found);
            }
            Kind::Do(given) => self.given(given, certain, depth, found),
            Kind::AnyOrder { body }
            | Kind::InOrder { body }
            | Kind::Repeat { body, .. }
            | Kind::Each { body, .. } => {
                self.story(body, certain, depth, found);
            }
            Kind::Many(many) => self.story(&many.body, certain, depth, found),
            Kind::Optional { body } | Kind::If { body, .. } => self.story(body, false, depth, found),
            Kind::Either { branches } => {
                for Branch { body, .. } in branches {
                    self.story(body, false, depth, found);
                }
            }
            _ => {}
        }
    }

    fn verb(&self, name: &str, certain: bool, found: &mut Found) {
        if !(self.can)(name) {
            let into = if certain {
                &mut found.certain
            } else {
                &mut found.possible
            };
            into.insert(name.to_owned());
        }
    }

    /// A phrase is its lines. A state may hold already; else it needs one of its ways.
    fn given(&self, given: &Given, certain: bool, depth: u32, found: &mut Found) {
        let Given::State(reference) = given else { return };
        let Some(LoadedState { state, .. }) = self.library.state(self.protocol, &reference.name.text) else {
            return;
        };
        if depth > MAX_DEPTH {
            return;
        }
        if state.phrase {
            for way in &state.ways {
                self.story(&way.body, certain, depth + 1, found);
            }
            return;
        }
        for given in &state.given {
            self.given(given, false, depth + 1, found);
        }
        let mut lacking = Vec::new();
        for way in &state.ways {
            let mut here = Found::default();
            self.story(&way.body, true, depth + 1, &mut here);
            if here.certain.is_empty() {
                return;
            }
            lacking.push(here.certain);
        }
        found.possible.extend(lacking.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use plugfest_case::{Natives, Source};

    use super::*;
    use crate::catalogue::lines;

    const TEXT: &str = "\
case a \"A\"
  spec OCPP-1.6 \"5\"
  given plugged(1)
  csms: RemoteStopTransaction { transactionId: 1 }
  station: => { status: Accepted }
  if reader
    act token.present(\"x\")
  end
end

case b \"B\"
  spec OCPP-1.6 \"5\"
  act ev.plug(connector: 1)
  operate csms.token(\"x\", Accepted)
end

state plugged(c) \"A cable is in\"
  spec OCPP-1.6 \"5\"
  probe status(c) == \"Preparing\"
  reach
    do plugs(c)
  end
end

phrase plugs(c) \"Plugs\"
  spec OCPP-1.6 \"5\"
  act ev.plug(connector: c)
end
";

    fn lacks(role: &str, can: &[&str]) -> Vec<Vec<String>> {
        let (library, _) = Library::load([Source::new("x/a.case", TEXT)], &Natives::new());
        let of_role = lines(&library).into_iter().filter(|line| line.role == role);
        of_role
            .map(|line| {
                lack(&library, line, &|verb| can.contains(&verb))
                    .into_iter()
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_story_and_its_states_need_hands() {
        assert_eq!(
            lacks("station", &[]),
            [vec!["ev.plug", "token.present"], vec!["ev.plug"]]
        );
        assert_eq!(lacks("station", &["ev.plug"]), [vec!["token.present"], vec![]]);
        assert_eq!(lacks("station", &["ev.plug", "token.present"]), [[""; 0]; 2]);
    }

    #[test]
    fn a_back_office_is_asked_for_its_calls() {
        assert_eq!(lacks("csms", &[]), [["csms.call"], ["csms.token"]]);
        assert_eq!(lacks("csms", &["csms.call", "csms.token"]), [[""; 0]; 2]);
    }
}
