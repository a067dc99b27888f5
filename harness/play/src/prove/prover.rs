//! Proving: every case is played in all its branches, and every trace is judged again with one thing wrong at a time.

use plugfest_case::{Library, Loaded, line_count};
use plugfest_judge::{Forbidden, LineMet, Verdict};
use plugfest_protocol::{Edition, Json};
use plugfest_trace::read_trace;
use rayon::prelude::*;

use super::doctor::{Doctoring, Watched, doctorings, forbidden};
use super::exceptions::EXCEPTIONS;
use super::lines::{DutLine, Says, lines_of};
use super::played::{Played, play_all};
use super::proof::{LineProof, Outcome, Proof, Unmet};
use super::replay::{Change, Recorded};
use super::worlds::names;
use crate::engine::EngineError;

/// So many tries are made at one doctoring.
const MAX_TRIES: usize = 120;

/// Proves every line of the cases that `filter` lets through, on as many threads as there are cores.
///
/// It makes runtimes of its own and so must not be called on one.
pub fn prove(
    library: &Library,
    values: &Json,
    filter: &(dyn Fn(&Loaded) -> bool + Sync),
) -> Result<Proof, EngineError> {
    let cases: Vec<&Loaded> = library
        .cases()
        // What is wrong on purpose, or read from a device, no self-play can carry.
        .filter(|c| !library.is_for_devices(c) && filter(c))
        .collect();
    let parts: Result<Vec<Proof>, EngineError> = cases
        .par_iter()
        .map(|loaded| prove_case(library, loaded, values))
        .collect();
    let mut whole = Proof {
        count: line_count(library),
        ..Proof::default()
    };
    for part in parts? {
        whole.lines.extend(part.lines);
        whole.unmet.extend(part.unmet);
        whole.broken.extend(part.broken);
        whole.played += part.played;
        whole.judged += part.judged;
    }
    except(&mut whole, &cases);
    Ok(whole)
}

/// Takes the exceptions out, and notes those that nobody needed.
fn except(proof: &mut Proof, cases: &[&Loaded]) {
    for exception in EXCEPTIONS {
        if !cases.iter().any(|c| c.case.id == exception.case) {
            continue;
        }
        let mut used = false;
        for line in &mut proof.lines {
            let fits = line.case == exception.case
                && line.line.text.starts_with(exception.line)
                && line.doctoring == exception.doctoring
                && matches!(line.outcome, Outcome::Green { .. });
            if fits {
                used = true;
                line.outcome = Outcome::Excepted {
                    reason: exception.reason.to_owned(),
                };
            }
        }
        if !used {
            proof.unused.push(exception);
        }
    }
}

fn prove_case(library: &Library, loaded: &Loaded, values: &Json) -> Result<Proof, EngineError> {
    let mut proof = Proof::default();
    let Some(edition) = loaded.edition() else {
        return Ok(proof);
    };
    let all = play_all(library, loaded, values)?;
    for dut in ["station", "csms"] {
        let tests = &loaded.case.header.tests;
        if !tests.as_ref().is_none_or(|t| t.iter().any(|w| w.text == dut)) {
            continue;
        }
        let lines = merged(lines_of(library, loaded, edition, dut));
        let mut met = vec![false; lines.len()];
        for played in all.iter().filter(|p| p.dut == dut) {
            let prover = Prover {
                loaded,
                edition,
                lines: &lines,
                played,
            };
            prover.prove(&mut met, &mut proof)?;
        }
        for (line, met) in lines.iter().zip(met) {
            if !met {
                proof.unmet.push(Unmet {
                    case: loaded.case.id.clone(),
                    role: dut.to_owned(),
                    line: line.at.clone(),
                });
            }
        }
    }
    Ok(proof)
}

/// One entry for each place in a file: a phrase that is used twice stands there once.
fn merged(lines: Vec<DutLine<'_>>) -> Vec<DutLine<'_>> {
    let mut all: Vec<DutLine<'_>> = Vec::new();
    for line in lines {
        match all
            .iter_mut()
            .find(|l| l.at.file == line.at.file && l.span == line.span)
        {
            Some(there) => {
                there.may_stay_away |= line.may_stay_away;
                for blame in line.blame {
                    if !there.blame.contains(&blame) {
                        there.blame.push(blame);
                    }
                }
            }
            None => all.push(line),
        }
    }
    all
}

/// One trace under proof.
struct Prover<'p> {
    loaded: &'p Loaded,
    edition: &'static Edition,
    lines: &'p [DutLine<'p>],
    played: &'p Played,
}

impl Prover<'_> {
    fn prove(&self, met: &mut [bool], proof: &mut Proof) -> Result<(), EngineError> {
        let words = format!(
            "{} [{}] ({} under test, {}, vary {:?})",
            self.loaded.case.id, self.played.variant, self.played.dut, self.played.world, self.played.vary
        );
        let told = &self.played.outcome;
        if told.verdict != Verdict::Pass {
            proof
                .broken
                .push(format!("{words}: {} {}", told.verdict, told.reason));
            return Ok(());
        }
        let trace = match read_trace(self.played.trace.as_slice(), &words) {
            Ok(trace) => trace,
            Err(error) => {
                proof.broken.push(error.to_string());
                return Ok(());
            }
        };
        let Some(recorded) = Recorded::new(self.edition, trace.events) else {
            proof.broken.push(format!("{words}: the story never began"));
            return Ok(());
        };
        proof.played += 1;
        let mut watched: Vec<Watched> = Vec::new();
        let mut watch = |i: usize, open: Vec<Forbidden>| {
            for forbidden in open {
                let same = |w: &&mut Watched| {
                    w.forbidden.span == forbidden.span
                        && w.forbidden.action == forbidden.action
                        && w.last + 1 == i
                };
                match watched.iter_mut().find(same) {
                    Some(there) => there.last = i,
                    None => watched.push(Watched {
                        forbidden,
                        first: i,
                        last: i,
                    }),
                }
            }
        };
        let plain = recorded.judge(&Change::Nothing.into(), Some(&mut watch))?;
        proof.judged += 1;
        let body: Vec<&LineMet> = in_body(&told.lines, &recorded);
        if in_body(&plain.lines, &recorded).len() != body.len() {
            proof.broken.push(format!(
                "{words}: replayed, {} of {} lines are met: {} {}",
                plain.lines.len(),
                told.lines.len(),
                plain.verdict,
                plain.reason
            ));
            return Ok(());
        }
        // The last message of a line in order: the next one of its phase must not come before it.
        let mut last: Option<usize> = None;
        for line_met in body {
            let Some(n) = self
                .lines
                .iter()
                .position(|l| l.span == line_met.span && l.at.file == line_met.line.file)
            else {
                continue;
            };
            met[n] = true;
            let line = &self.lines[n];
            let place = line_met.event as usize;
            let earlier = self.inputs(line, place);
            // Messages of one action that change places only meet each other's lines.
            let before = last.filter(|other| {
                line.ordered
                    && recorded.same_phase(*other, place)
                    && recorded.action(*other) != recorded.action(place)
            });
            if line.ordered {
                last = Some(place);
            }
            for doctoring in doctorings(line, line_met, &recorded, &earlier, before, self.edition) {
                self.try_all(line, doctoring, &recorded, proof)?;
            }
        }
        for (n, line) in self.lines.iter().enumerate() {
            if !matches!(line.says, Says::Never) {
                continue;
            }
            let own: Vec<Watched> = watched
                .iter()
                .filter(|w| w.forbidden.span == line.span && w.forbidden.line.file == line.at.file)
                .cloned()
                .collect();
            met[n] |= !own.is_empty();
            for doctoring in forbidden(&own) {
                self.try_all(line, doctoring, &recorded, proof)?;
            }
        }
        Ok(())
    }

    /// The messages before a check that bind a name in it; all of them where none does.
    fn inputs(&self, line: &DutLine<'_>, place: usize) -> Vec<usize> {
        let Says::Check(cel) = line.says else {
            return Vec::new();
        };
        let names = names(&cel.text);
        let mentioned = |met: &LineMet| {
            self.lines.iter().any(|l| {
                l.span == met.span
                    && l.at.file == met.line.file
                    && l.binds
                        .iter()
                        .any(|b| names.iter().any(|n| n.split('.').next() == Some(b)))
            })
        };
        let before = self
            .played
            .outcome
            .lines
            .iter()
            .filter(|m| m.event as usize <= place);
        let (named, others): (Vec<&LineMet>, Vec<&LineMet>) = before.partition(|m| mentioned(m));
        let inputs = if named.is_empty() { others } else { named };
        inputs.iter().map(|m| m.event as usize).collect()
    }

    fn try_all(
        &self,
        line: &DutLine<'_>,
        doctoring: Doctoring,
        recorded: &Recorded,
        proof: &mut Proof,
    ) -> Result<(), EngineError> {
        let mut first = None;
        let mut red = false;
        for edit in doctoring.edits.iter().take(MAX_TRIES) {
            let outcome = recorded.judge(edit, None)?;
            proof.judged += 1;
            match seen(line, &outcome) {
                Ok(()) => {
                    red = true;
                    break;
                }
                Err(why) => first = first.or(Some(why)),
            }
        }
        let why = || first.unwrap_or_else(|| "there is nothing to change".to_owned());
        proof.lines.push(LineProof {
            case: self.loaded.case.id.clone(),
            role: self.played.dut.to_owned(),
            variant: self.played.variant.clone(),
            world: self.played.world.clone(),
            vary: self.played.vary,
            line: line.at.clone(),
            doctoring: doctoring.name,
            outcome: if red {
                Outcome::Red
            } else {
                Outcome::Green { why: why() }
            },
        });
        Ok(())
    }
}

/// The lines that were met while the body was told.
fn in_body<'m>(lines: &'m [LineMet], recorded: &Recorded) -> Vec<&'m LineMet> {
    let within = |m: &&LineMet| recorded.body.contains(&(m.event as usize));
    lines.iter().filter(within).collect()
}

/// Whether a judgement names a line as it should.
fn seen(line: &DutLine<'_>, outcome: &plugfest_judge::Outcome) -> Result<(), String> {
    let least = if line.should { Verdict::Warn } else { Verdict::Fail };
    let mut why = format!("{}: {}", outcome.verdict, outcome.reason);
    if outcome.verdict < least {
        return Err(why);
    }
    for finding in &outcome.findings {
        let Some(at) = &finding.line else { continue };
        if !finding.rule.starts_with("line/") || finding.verdict < least {
            continue;
        }
        let Some(blame) = line.blame.iter().find(|b| b.file == at.file && b.line == at.line) else {
            continue;
        };
        if blame.clause == finding.clause {
            return Ok(());
        }
        why = format!("cites {:?} rather than {:?}", finding.clause, blame.clause);
    }
    Err(why)
}
