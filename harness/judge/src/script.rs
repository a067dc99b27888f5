//! The case of a premise, read: what judging shares between all traces of one case.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use plugfest_case::cel::Program;
use plugfest_case::ir::{Case, Item, Kind, State, Stmt};
use plugfest_trace::Premise;

use crate::session::SessionError;

/// The case of a premise and the states that it uses, read once for as many judgements as are wanted.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// `None` where the premise is not about a case.
    pub(crate) case: Option<Arc<Case>>,
    /// State by name, with the index of its file.
    pub(crate) states: BTreeMap<String, (Arc<State>, usize)>,
    /// Path and text of each file; the case's own is the first.
    pub(crate) files: Vec<(String, Arc<str>)>,
    pub(crate) programs: Programs,
}

/// Parsed expressions by their text: reading one costs far more than evaluating it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs(Arc<Mutex<BTreeMap<String, Arc<Program>>>>);

impl Programs {
    /// The program of an expression.
    pub(crate) fn of(&self, text: &str) -> Result<Arc<Program>, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = known.get(text) {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(Program::parse(text).map_err(|e| e.to_string())?);
        known.insert(text.to_owned(), Arc::clone(&program));
        Ok(program)
    }
}

impl Script {
    /// Reads the case text that a premise carries.
    pub fn of(premise: &Premise) -> Result<Self, SessionError> {
        let Some(source) = &premise.case else {
            return Ok(Self::default());
        };
        let mut script = Self::default();
        for (index, file) in source.files.iter().enumerate() {
            let ours = file.path.ends_with(".case") || file.path.ends_with(".state");
            // The vocabulary of the protocol travels along for people; it decides nothing here and no finding shows it.
            let text = if ours { file.text.as_str() } else { "" };
            script.files.push((file.path.clone(), Arc::<str>::from(text)));
            if !ours {
                continue;
            }
            let (parsed, problems) = plugfest_case::parse(&file.path, &file.text);
            let broken = |d: &&plugfest_case::Diagnostic| d.severity == plugfest_case::Severity::Error;
            if let Some(problem) = problems.iter().find(broken) {
                return Err(SessionError::Case(format!("{}: {}", file.path, problem.message)));
            }
            for item in parsed.items {
                match item {
                    Item::Case(found) if index == 0 && found.id == source.id => {
                        script.case = Some(Arc::new(found));
                    }
                    Item::Case(_) => {}
                    Item::State(state) => {
                        let name = state.name.text.clone();
                        script.states.insert(name, (Arc::new(state), index));
                    }
                }
            }
        }
        match script.case {
            None => Err(SessionError::NoCase(source.id.clone())),
            Some(_) => Ok(script),
        }
    }
    /// The actions of the CALLs that the case itself has a side send: not those of its states and phrases.
    pub fn calls_of(&self, role: &str) -> Vec<String> {
        fn gather(body: &[Stmt], role: &str, found: &mut Vec<String>) {
            for stmt in body {
                if let Kind::Call(call) = &stmt.kind
                    && call.speaker.role == role
                {
                    found.push(call.action.text.clone());
                }
                for inner in stmt.kind.bodies() {
                    gather(inner, role, found);
                }
            }
        }
        let mut found = Vec::new();
        if let Some(case) = &self.case {
            gather(&case.body, role, &mut found);
        }
        found
    }
}
