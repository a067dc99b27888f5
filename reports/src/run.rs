//! A run as far as it has been heard: what the file reports are made of.

use std::collections::{BTreeMap, HashMap, HashSet};

use plugfest_judge::{
    CaseKey, CaseResult, Finding, Negatives, Plan, PlannedCase, Reactions, RunEvent, RunSummary, Verdict,
};

/// All that was heard of a run.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// What was planned.
    pub plan: Option<Plan>,
    /// The results, in the order in which they came.
    pub results: Vec<CaseResult>,
    /// What a person should know that concerns no single case.
    pub notes: Vec<String>,
    /// By what the run was broken off.
    pub interrupted: Option<String>,
    /// Its end.
    pub summary: Option<RunSummary>,
}

impl Run {
    /// Takes one event.
    pub fn take(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Planned(plan) => self.plan = Some(plan.clone()),
            RunEvent::Finished(result) => self.results.push((**result).clone()),
            RunEvent::Note { text } => self.notes.push(text.clone()),
            RunEvent::Interrupted { by } => self.interrupted = Some(by.clone()),
            RunEvent::Ended(summary) => self.summary = Some(summary.clone()),
            RunEvent::Started { .. } | RunEvent::Waiting { .. } | RunEvent::Found { .. } => {}
        }
    }

    /// A whole run from its events.
    pub fn of<'e>(events: impl IntoIterator<Item = &'e RunEvent>) -> Self {
        let mut run = Self::default();
        events.into_iter().for_each(|event| run.take(event));
        run
    }

    /// The results in the order of the plan, whichever finished first.
    pub fn in_order(&self) -> Vec<&CaseResult> {
        let planned = self.plan.iter().flat_map(|plan| &plan.cases);
        let places: HashMap<&CaseKey, usize> = planned.enumerate().map(|(n, case)| (&case.key, n)).collect();
        let mut results: Vec<&CaseResult> = self.results.iter().collect();
        results.sort_by_key(|result| places.get(&result.planned.key).copied().unwrap_or(usize::MAX));
        results
    }

    /// Cases that were planned and have no result, because the run was broken off.
    pub fn not_run(&self) -> Vec<&PlannedCase> {
        let done: HashSet<&CaseKey> = self.results.iter().map(|result| &result.planned.key).collect();
        let planned = self.plan.iter().flat_map(|plan| &plan.cases);
        planned.filter(|case| !done.contains(&case.key)).collect()
    }

    /// How many results there are of each verdict; every verdict is there.
    pub fn counts(&self) -> BTreeMap<&'static str, u32> {
        let mut counts: BTreeMap<&str, u32> =
            Verdict::ALL.iter().map(|verdict| (verdict.as_str(), 0)).collect();
        for result in &self.results {
            *counts.entry(result.verdict.as_str()).or_default() += 1;
        }
        counts
    }

    /// What became of the frames that were wrong on purpose, by the side that got them and the class of mistake; empty
    /// where no case sent any.
    pub fn negatives(&self) -> BTreeMap<&str, Negatives> {
        let mut sides: BTreeMap<&str, Negatives> = BTreeMap::new();
        for result in &self.results {
            for (class, reactions) in &result.negatives {
                let side = sides.entry(result.planned.key.tests.as_str()).or_default();
                side.entry(class.clone()).or_default().add(*reactions);
            }
        }
        sides
    }

    /// The verdict of the run: as it was said at its end, else the worst so far.
    pub fn verdict(&self) -> Verdict {
        let worst = || {
            self.results
                .iter()
                .map(|result| result.verdict)
                .max()
                .unwrap_or(Verdict::Skipped)
        };
        self.summary
            .as_ref()
            .map_or_else(worst, |summary| summary.verdict)
    }

    /// Whether warnings count as failures.
    pub fn strict(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.strict)
    }
}

/// What a result does to the colour of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// A defect of the DUT, an expected failure that did not fail, or a warning under `--strict`.
    Red,
    /// Nothing was decided, for reasons of the harness or its surroundings.
    Undecided,
    /// A warning.
    Yellow,
    /// As it should be.
    Green,
    /// Not played.
    Grey,
}

/// The colour of one result.
pub(crate) fn colour(result: &CaseResult, strict: bool) -> Colour {
    match result.verdict {
        Verdict::Fail => Colour::Red,
        _ if !result.unexpected_pass.is_empty() => Colour::Red,
        Verdict::Warn if strict => Colour::Red,
        Verdict::Warn => Colour::Yellow,
        Verdict::Error | Verdict::Blocked | Verdict::Inconclusive => Colour::Undecided,
        Verdict::Pass => Colour::Green,
        Verdict::Skipped | Verdict::NotApplicable => Colour::Grey,
    }
}

/// The finding that decided a result: the first one as bad as the verdict.
pub(crate) fn deciding(result: &CaseResult) -> Option<&Finding> {
    result
        .findings
        .iter()
        .find(|finding| finding.verdict == result.verdict)
}

/// Why a result is what it is, in one line.
pub(crate) fn reason(result: &CaseResult) -> String {
    if !result.reason.is_empty() {
        return result.reason.clone();
    }
    if let Some(finding) = deciding(result) {
        return finding.message.clone();
    }
    if let Some(unexpected) = result.unexpected_pass.first() {
        return format!("an expected failure did not fail: {unexpected}");
    }
    result.verdict.to_string()
}

/// The sum over all classes of mistake.
pub(crate) fn all_of(negatives: &Negatives) -> Reactions {
    let mut all = Reactions::default();
    for reactions in negatives.values() {
        all.add(*reactions);
    }
    all
}

/// `n of m negatives handled`, and what became of the others.
pub(crate) fn handled(side: &str, reactions: Reactions) -> String {
    let Reactions {
        sent,
        handled,
        tolerated,
        miscoded,
        mishandled,
    } = reactions;
    let share = u64::from(handled) * 100 / u64::from(sent.max(1));
    let mut text = format!("{side}: {handled} of {sent} negatives handled ({share} %)");
    for (n, what) in [
        (tolerated, "tolerated"),
        (miscoded, "refused with a code that the edition lacks"),
        (mishandled, "mishandled"),
    ] {
        if n > 0 {
            text.push_str(&format!(", {n} {what}"));
        }
    }
    text
}
