//! A trace judged again: by itself it gives what the run that wrote it said, and cut off it is never a pass.
#![expect(clippy::unwrap_used, reason = "a test that cannot play has failed")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use plugfest_judge::{Outcome, Session, Verdict, judge};
use plugfest_play::prove::{Played, play_all};
use plugfest_trace::{Event, What, read_trace};
use rayon::prelude::*;

/// Plays every case in every branch and hands what is recorded to `look`, which gives back what is wrong.
fn each_playing(look: impl Fn(&Played, &[Event]) -> Vec<String> + Sync) -> (usize, Vec<String>) {
    let library = common::library();
    let only = std::env::var("ONLY").unwrap_or_default();
    let values = common::values();
    let cases: Vec<_> = library
        .cases()
        .filter(|c| c.case.id.contains(&only) && !library.is_for_devices(c))
        .collect();
    let told = cases.into_par_iter().flat_map_iter(|loaded| {
        let playings = play_all(&library, loaded, &values).unwrap();
        playings.into_iter().map(|one| {
            let trace = read_trace(one.trace.as_slice(), "self-play").unwrap();
            let name = format!(
                "{} [{}] ({} under test, {}, vary {:?})",
                loaded.case.id, one.variant, one.dut, one.world, one.vary
            );
            let wrong = look(&one, &trace.events);
            wrong
                .into_iter()
                .map(|what| format!("{name}: {what}"))
                .collect::<Vec<_>>()
        })
    });
    let told: Vec<Vec<String>> = told.collect();
    (told.len(), told.concat())
}

/// Where two judgements differ.
fn differences(live: &Outcome, again: &Outcome) -> Vec<String> {
    let mut all = Vec::new();
    if (live.verdict, &live.reason) != (again.verdict, &again.reason) {
        all.push(format!(
            "live {} ({}), again {} ({})",
            live.verdict, live.reason, again.verdict, again.reason
        ));
    }
    if live.findings != again.findings {
        all.push(format!(
            "findings {:#?} became {:#?}",
            live.findings, again.findings
        ));
    }
    if live.aftermath != again.aftermath {
        all.push(format!(
            "aftermath {:#?} became {:#?}",
            live.aftermath, again.aftermath
        ));
    }
    if (&live.lines, live.checks, &live.choices) != (&again.lines, again.checks, &again.choices) {
        all.push("other lines were met".to_owned());
    }
    all
}

/// No library is at hand while a trace is judged: its premise carries the case and the states that it uses.
#[test]
fn a_trace_gives_what_its_run_said() {
    let (played, wrong) = each_playing(|played, events| {
        let again = judge(events).unwrap();
        differences(&played.outcome, &again)
    });
    println!("{played} traces judged again");
    assert!(played > 0);
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_trace_without_the_text_of_its_case_is_refused() {
    let (played, wrong) = each_playing(|_, events| {
        let mut events = events.to_vec();
        let What::Premise(premise) = &mut events[0].what else {
            return vec!["the first event is no premise".to_owned()];
        };
        let Some(case) = &mut premise.case else {
            return vec!["the premise carries no case".to_owned()];
        };
        case.files.clear();
        match judge(&events) {
            Ok(outcome) => vec![format!("{} out of nothing", outcome.verdict)],
            Err(_) => Vec::new(),
        }
    });
    assert!(played > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_trace_that_breaks_off_is_inconclusive_or_has_its_verdict_already() {
    let cuts = AtomicUsize::new(0);
    let (played, wrong) = each_playing(|played, events| {
        let What::Premise(premise) = &events[0].what else {
            return vec!["the first event is no premise".to_owned()];
        };
        let (mut session, _) = Session::new(premise, events[0].at).unwrap();
        let mut wrong = Vec::new();
        for (i, event) in events.iter().enumerate() {
            if i > 0 {
                session.step(event);
            }
            let whole = i + 1 == events.len();
            if whole || (i % 10 != 0 && i + 2 != events.len()) {
                continue;
            }
            cuts.fetch_add(1, Ordering::Relaxed);
            let cut = session.outcome().verdict;
            let due = cut == played.outcome.verdict && cut != Verdict::Pass;
            if cut != Verdict::Inconclusive && !due {
                wrong.push(format!(
                    "cut behind event {i} of {}: {cut}, whole {}",
                    events.len(),
                    played.outcome.verdict
                ));
            }
        }
        wrong
    });
    println!("{played} traces, {} cuts", cuts.into_inner());
    assert!(played > 0);
    assert!(wrong.is_empty(), "{} cuts:\n{}", wrong.len(), wrong.join("\n"));
}
