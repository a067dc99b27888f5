//! Plays the cases against the clean devices once, then against every mutant.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use plugfest_case::Library;
use plugfest_judge::{CaseResult, Finding, Verdict};
use plugfest_reference::slip::Slip;
use rayon::prelude::*;

use super::baseline::{Clean, print};
use super::{Decided, Flaw, Judged, Mutant, Outcome};
use crate::catalogue;
use crate::in_memory::{Common, Ticket, play_one, tickets, tickets_elsewhere};

/// A case on one make-up, and what the clean device did in it.
#[derive(Debug)]
pub(crate) struct Stage {
    /// How it is played.
    pub(crate) ticket: Ticket,
    /// Its name in reports: `stop/same-tag (station) on socket`.
    pub(crate) name: String,
    /// The clean device in it.
    pub(crate) clean: Clean,
    /// Places of one case stand behind those of all others on its first make-up.
    round: usize,
}

/// Everything that all mutants share.
#[derive(Debug)]
pub(crate) struct Suite<'a> {
    /// How cases are played.
    pub(crate) common: &'a Common<'a>,
    /// All cases on all make-ups that they apply to.
    pub(crate) stages: Vec<Stage>,
}

impl<'a> Suite<'a> {
    /// Plays every wanted case once against the clean devices.
    pub(crate) fn rehearse(
        common: &'a Common<'a>,
        library: &Library,
        roles: &[&str],
        wanted: &(dyn Fn(&str) -> bool + Sync),
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Self {
        let mut planned: Vec<(usize, Ticket)> = Vec::new();
        for line in catalogue::lines(library) {
            if !roles.contains(&line.role) || !wanted(&line.loaded.case.id) {
                continue;
            }
            let applies = |ticket: &Ticket| ticket.planned.passed_over.is_none();
            let first = tickets(library, line.loaded, line.role, 1);
            planned.extend(first.into_iter().filter(applies).map(|ticket| (0, ticket)));
            let others = tickets_elsewhere(library, line.loaded, line.role);
            planned.extend(others.into_iter().filter(applies).map(|ticket| (1, ticket)));
        }
        let stages = each(planned, progress, |(round, ticket)| {
            let result = play(common, &ticket, &Flaw::default());
            let clean = match result {
                Ok(result) => Clean::of(&result),
                Err(why) => Clean {
                    print: 0,
                    said: std::collections::BTreeSet::new(),
                    findings: Vec::new(),
                    verdict: Verdict::Error,
                    reason: why,
                },
            };
            let on = ticket
                .dressed
                .as_ref()
                .map_or(String::new(), |dressed| format!(" on {}", dressed.name));
            Stage {
                name: format!("{}{on}", ticket.planned.line.key),
                ticket,
                clean,
                round,
            }
        });
        Self { common, stages }
    }

    /// Judges every mutant, in the order given.
    pub(crate) fn judge(
        &self,
        mutants: Vec<Mutant>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Vec<Judged> {
        each(mutants, progress, |mutant| self.judge_one(mutant))
    }

    fn judge_one(&self, mutant: Mutant) -> Judged {
        let Some(flaw) = mutant.flaw.clone() else {
            let later = mutant.row.and_then(|row| row.later.clone());
            let why = later.unwrap_or_else(|| "not built into the reference devices yet".to_owned());
            return Judged {
                mutant,
                outcome: Outcome::Error,
                by: None,
                why,
            };
        };
        let mut best: Option<(Outcome, Option<Decided>)> = None;
        let mut trouble = None;
        for stage in self.stages_for(&mutant) {
            let result = match play(self.common, &stage.ticket, &flaw) {
                Ok(result) => result,
                Err(why) => {
                    trouble.get_or_insert(format!("{}: {why}", stage.name));
                    continue;
                }
            };
            if result.verdict == Verdict::Error && stage.clean.verdict != Verdict::Error {
                trouble.get_or_insert(format!("{}: {}", stage.name, result.reason));
            }
            let found = look(&mutant, stage, &result);
            // Of equals the first in the order of the stages stays, whoever else comes.
            if best.as_ref().is_none_or(|(known, _)| found.0 < *known) {
                best = Some(found);
            }
            if best
                .as_ref()
                .is_some_and(|(outcome, _)| *outcome == Outcome::Killed)
            {
                break;
            }
        }
        let (mut outcome, by) = best.unwrap_or((Outcome::Error, None));
        let mut why = String::new();
        if let (true, Some(trouble)) = (outcome >= Outcome::Survived, trouble) {
            (outcome, why) = (Outcome::Error, trouble);
        }
        Judged {
            mutant,
            outcome,
            by,
            why,
        }
    }

    /// The stages that a mutant is played on, the likely ones first. The order is fixed, whoever plays.
    fn stages_for(&self, mutant: &Mutant) -> Vec<&Stage> {
        let mut stages: Vec<&Stage> = self
            .stages
            .iter()
            .filter(|stage| stage.ticket.planned.line.key.tests == mutant.role)
            .filter(|stage| could_differ(mutant, stage))
            .collect();
        let cites = |stage: &Stage| {
            let clauses = &stage.ticket.planned.line.clauses;
            mutant.row.map_or(0, |row| {
                clauses.iter().filter(|clause| row.is_cited_by(clause)).count()
            })
        };
        stages.sort_by(|a, b| {
            a.round
                .cmp(&b.round)
                .then_with(|| cites(b).cmp(&cites(a)))
                .then_with(|| a.name.cmp(&b.name))
        });
        stages
    }
}

/// A slip of a message can only show where the clean device sends that message: until it would, nothing differs.
fn could_differ(mutant: &Mutant, stage: &Stage) -> bool {
    let slip = mutant.flaw.as_ref().and_then(|flaw| flaw.slip.as_ref());
    let (action, part, place) = match slip {
        Some(Slip::Message { action, part, .. }) => (action, part, ""),
        Some(Slip::Field {
            action,
            part,
            pointer,
            ..
        }) => (action, part, pointer.as_str()),
        Some(Slip::Forgets { .. }) | None => return true,
    };
    let call = *part == plugfest_protocol::Part::Request;
    stage
        .clean
        .said
        .contains(&(action.clone(), call, place.to_owned()))
}

/// What one case says of a mutant.
fn look(mutant: &Mutant, stage: &Stage, result: &CaseResult) -> (Outcome, Option<Decided>) {
    let decided = |finding: &Finding| {
        Some(Decided {
            rule: finding.rule.clone(),
            clause: finding.clause.clone(),
            case: stage.name.clone(),
        })
    };
    let cites = |finding: &Finding| mutant.row.is_none_or(|row| row.is_cited_by(&finding.clause));
    // What a clean device would have been told as well is no detection.
    let news: Vec<&Finding> = result
        .findings
        .iter()
        .filter(|finding| {
            !stage
                .clean
                .findings
                .iter()
                .any(|known| known.rule == finding.rule)
        })
        .collect();
    let first = |verdict: Verdict, cited: bool| {
        news.iter()
            .find(|finding| finding.verdict == verdict && (!cited || cites(finding)))
            .copied()
    };
    if let Some(finding) = first(Verdict::Fail, true) {
        return (Outcome::Killed, decided(finding));
    }
    if let Some(finding) = first(Verdict::Warn, true) {
        return (Outcome::Warned, decided(finding));
    }
    if let Some(finding) = first(Verdict::Fail, false).or_else(|| first(Verdict::Warn, false)) {
        return (Outcome::MissedClause, decided(finding));
    }
    if print(&result.conversation) == stage.clean.print {
        (Outcome::NotActivated, None)
    } else {
        (Outcome::Survived, None)
    }
}

/// Plays one case. A panic of ours is trouble and not a detection.
fn play(common: &Common<'_>, ticket: &Ticket, flaw: &Flaw) -> Result<CaseResult, String> {
    catch_unwind(AssertUnwindSafe(|| play_one(common, ticket, flaw, None))).map_err(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        format!("the harness panicked: {}", text.unwrap_or("without a word"))
    })
}

/// Does something with every item, on all threads of the pool; results come in the order of the items.
fn each<T: Send, R: Send>(
    items: Vec<T>,
    progress: &(dyn Fn(usize, usize) + Sync),
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let all = items.len();
    let done = AtomicUsize::new(0);
    let results = items.into_par_iter().map(|item| {
        let result = work(item);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, all);
        result
    });
    results.collect()
}
