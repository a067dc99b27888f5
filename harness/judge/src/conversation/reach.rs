//! How a state is reached: probed first, then one way after another.

use std::sync::Arc;

use plugfest_case::ir::Kind;
use plugfest_protocol::{Json, Object};

use super::context::Cx;
use super::tree::{Item, Node, Reach, Seq};
use super::value::ValueError;
use crate::verdict::Verdict;

impl Reach {
    /// Tries the ways to the state; true once it holds.
    pub(super) fn go_on(
        &mut self,
        stmt: &plugfest_case::ir::Stmt,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) -> Result<bool, ValueError> {
        if self.state.is_none() {
            let (state, src) = cx.story.state(&self.reference.name.text);
            let mut values = std::collections::BTreeMap::new();
            for (param, arg) in state.params.iter().zip(&self.reference.args) {
                values.insert(param.text.clone(), cx.values.evaluate(arg, frame)?);
            }
            self.tried = format!(
                "{}{}",
                self.reference.name.text,
                Json::Object(values.clone().into_iter().collect())
            );
            self.state_frame = Some(cx.values.scopes.open(values));
            self.state_src = src;
            self.state = Some(state);
        }
        let state = Arc::clone(self.state.as_ref().expect("it was set just above"));
        let state_frame = self.state_frame.expect("it was set with the state");
        loop {
            if self.child.is_none() {
                if self.holds(&state, state_frame, cx) {
                    self.export(&state, state_frame, frame, cx);
                    return Ok(true);
                }
                if !self.open_way(&state, state_frame, cx)? {
                    cx.unreached.insert(self.tried.clone());
                    let text = self.why_not();
                    let item = Item::new(Arc::new(stmt.clone()), 0, frame, false, Node::Nothing);
                    let verdict = if self.header {
                        Verdict::Blocked
                    } else {
                        Verdict::Fail
                    };
                    cx.stop(&item, verdict, "state", text);
                    return Ok(false);
                }
            }
            let child = self.child.as_mut().expect("a way is open");
            child.advance(cx);
            if cx.failed() {
                if child.next <= self.before {
                    // What every way begins with was not reached: none of them can be gone.
                    self.way = state.ways.len();
                }
                self.way_failed(cx);
                if cx.failed() {
                    return Ok(false);
                }
                continue;
            }
            let child = self.child.as_ref().expect("a way is open");
            if !child.finished(cx) {
                return Ok(false);
            }
            self.child = None;
            if !self.holds(&state, state_frame, cx) {
                let why = format!("way {} was gone and the state does not hold", self.way);
                self.reasons.push((why, String::new()));
            }
        }
    }

    /// Keeps the reason why a way failed and gives it up; a fault of ours stays one.
    pub(super) fn way_failed(&mut self, cx: &mut Cx) {
        let Some(failure) = cx.failure.take() else { return };
        if failure.finding.verdict == Verdict::Error {
            cx.failure = Some(failure);
            return;
        }
        let place = failure
            .finding
            .line
            .as_ref()
            .map_or_else(String::new, |l| format!(" ({}:{})", l.file, l.line));
        // What is missing names itself; what came instead of it is told where there is something.
        let got = match failure.finding.rule.as_str() {
            "line/missing" | "line/state" => String::new(),
            _ if failure.finding.actual.is_empty() => String::new(),
            _ => format!(", it says {}", failure.finding.actual),
        };
        self.reasons
            .push((failure.finding.message, format!("{got}{place}")));
        self.child = None;
    }

    /// That the state could not be reached, and why: each reason once, however many ways failed for it.
    fn why_not(&self) -> String {
        let mut why: Vec<String> = Vec::new();
        for (n, (reason, where_seen)) in self.reasons.iter().enumerate() {
            if !self.reasons[..n].iter().any(|(before, _)| before == reason) {
                why.push(format!("{reason}{where_seen}"));
            }
        }
        if why.is_empty() {
            why.push("no way leads there".to_owned());
        }
        format!(
            "{} could not be reached: {}",
            self.reference.name.text,
            why.join("; ")
        )
    }

    fn holds(&self, state: &plugfest_case::ir::State, frame: super::scope::FrameId, cx: &Cx) -> bool {
        match &state.probe {
            Some(probe) => super::check::truth(cx, &probe.text, frame).unwrap_or(false),
            None => self.way > 0,
        }
    }

    fn export(
        &self,
        state: &plugfest_case::ir::State,
        state_frame: super::scope::FrameId,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) {
        let Some(name) = &self.reference.bind else { return };
        let mut exports = Object::new();
        for export in &state.exports {
            let value = super::check::value(cx, &export.value.text, state_frame).unwrap_or(Json::Null);
            exports.insert(&export.name.text, value);
        }
        cx.values
            .scopes
            .bind(frame, &name.text, Json::Object(exports), false);
    }

    /// Opens the next way that the driver can go. False when there is none left.
    fn open_way(
        &mut self,
        state: &plugfest_case::ir::State,
        frame: super::scope::FrameId,
        cx: &mut Cx,
    ) -> Result<bool, ValueError> {
        if self.way == 0 && cx.unreached.contains(&self.tried) {
            // The DUT was shown every way a moment ago. It may come to the state by itself, but is not asked again.
            self.way = state.ways.len();
            let why = "every way was tried before in this case".to_owned();
            self.reasons.push((why, String::new()));
        }
        while let Some(way) = state.ways.get(self.way) {
            self.way += 1;
            if let Some(verb) = missing_verb(&way.body, cx) {
                self.reasons
                    .push((format!("the driver cannot do {verb}"), String::new()));
                continue;
            }
            let mut items = given_items(&state.given, self.state_src, frame, self.header, cx)?;
            self.before = items.len();
            items.extend(Seq::new(&way.body, self.state_src, frame, false, cx)?.items);
            let mut seq = Seq::of(items);
            seq.base = Some(cx.now());
            self.child = Some(Box::new(seq));
            return Ok(true);
        }
        Ok(false)
    }
}

/// The first verb of a body that is the driver's to do and that it is known not to have. What concerns the side that we
/// play is done without it.
fn missing_verb(body: &[plugfest_case::ir::Stmt], cx: &Cx) -> Option<String> {
    let can = cx.story.driver.as_ref()?;
    let ours = |verb: &str| {
        let owner = plugfest_case::verbs::find(verb).and_then(plugfest_case::verbs::VerbSpec::role);
        owner.is_some_and(|owner| owner != cx.dut)
    };
    body.iter().find_map(|stmt| match &stmt.kind {
        Kind::Act(verb) | Kind::Operate(verb) if !can.contains(&verb.name.text) && !ours(&verb.name.text) => {
            Some(verb.name.text.clone())
        }
        Kind::Do(plugfest_case::ir::Given::State(reference)) if cx.story.is_phrase(&reference.name.text) => {
            let (phrase, _) = cx.story.state(&reference.name.text);
            phrase.ways.iter().find_map(|way| missing_verb(&way.body, cx))
        }
        Kind::Each { body, .. }
        | Kind::Repeat { body, .. }
        | Kind::InOrder { body }
        | Kind::AnyOrder { body }
        | Kind::If { body, .. } => missing_verb(body, cx),
        _ => None,
    })
}

/// The items of a `given` list.
pub(super) fn given_items(
    given: &[plugfest_case::ir::Given],
    src: usize,
    frame: super::scope::FrameId,
    header: bool,
    cx: &mut Cx,
) -> Result<Vec<Item>, ValueError> {
    let mut items = Vec::new();
    for entry in given {
        let (kind, span) = match entry {
            plugfest_case::ir::Given::State(r) => (Kind::Do(entry.clone()), r.span),
            plugfest_case::ir::Given::Config { span, .. } => (Kind::Do(entry.clone()), *span),
        };
        let stmt = plugfest_case::ir::Stmt {
            comments: Vec::new(),
            trailing: None,
            kind,
            mods: plugfest_case::ir::Mods::default(),
            layout: plugfest_case::ir::Layout::default(),
            span,
        };
        let mut seq = Seq::new(std::slice::from_ref(&stmt), src, frame, false, cx)?;
        for item in &mut seq.items {
            if let Node::Reach(reach) = &mut item.node {
                reach.header = header;
            }
        }
        items.extend(seq.items);
    }
    Ok(items)
}
