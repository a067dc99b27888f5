//! States build on states; a circle could never be reached.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostic;
use crate::library::{Library, LoadedState, state_references};

/// One error for each circle.
pub(super) fn cycles(library: &Library) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut done = BTreeSet::new();
    let states: BTreeMap<(&str, &str), &LoadedState> = library
        .states()
        .map(|s| ((s.protocol.as_str(), s.state.name.text.as_str()), s))
        .collect();
    for loaded in states.values() {
        let mut path = Vec::new();
        visit(library, loaded, &mut path, &mut done, &mut found);
    }
    found
}

fn visit<'l>(
    library: &'l Library,
    loaded: &'l LoadedState,
    path: &mut Vec<&'l LoadedState>,
    done: &mut BTreeSet<(&'l str, &'l str)>,
    found: &mut Vec<Diagnostic>,
) {
    let name = loaded.state.name.text.as_str();
    if let Some(start) = path.iter().position(|l| l.state.name.text == name) {
        let circle: Vec<&str> = path[start..]
            .iter()
            .map(|l| l.state.name.text.as_str())
            .chain([name])
            .collect();
        let message = format!("these states build on each other: {}", circle.join(" → "));
        let at = path[start].state.name.span;
        let diagnostic = Diagnostic::error("cycle", &path[start].path, at, message)
            .hint("let one of them say how it is reached without the next");
        found.push(diagnostic);
        return;
    }
    if done.contains(&(loaded.protocol.as_str(), name)) {
        return;
    }
    path.push(loaded);
    let mut next = state_references(&loaded.state);
    next.sort();
    next.dedup();
    for reference in next {
        if let Some(inner) = library.state(&loaded.protocol, &reference) {
            visit(library, inner, path, done, found);
        }
    }
    path.pop();
    done.insert((loaded.protocol.as_str(), name));
}
