//! Every case is played against itself, in every branch. That proves it constructible and free of dead lines.
#![expect(clippy::unwrap_used, reason = "a test that cannot play has failed")]

mod common;

use plugfest_case::{Library, Loaded};
use plugfest_judge::{Outcome, Verdict};
use plugfest_play::premise::{Variant, variants};
use plugfest_play::selfplay::{next_vary, self_play};
use plugfest_protocol::Json;
use rayon::prelude::*;

#[test]
fn every_case_plays_against_itself_in_every_branch() {
    let (library, values) = (common::library(), common::values());
    // `ONLY=session/` plays some of them, for whoever writes a case.
    let only = std::env::var("ONLY").unwrap_or_default();
    // Who sends wrong frames on purpose is no device that could be judged: the reference devices play those cases.
    let cases: Vec<_> = library
        .cases()
        .filter(|l| !library.is_for_devices(l) && l.case.id.contains(&only))
        .collect();
    let played: Vec<Vec<String>> = cases
        .par_iter()
        .flat_map_iter(|loaded| variants(loaded).into_iter().map(move |variant| (loaded, variant)))
        .flat_map_iter(|(loaded, variant)| branches(&library, loaded, &variant, &values))
        .collect();
    let failures = played.concat();
    println!(
        "{} cases, {} playings, {} failures",
        cases.len(),
        played.len(),
        failures.len()
    );
    assert!(!cases.is_empty(), "no case is called {only:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Plays all branches of one side while the other plays as written; gives what is wrong in each playing.
fn branches(library: &Library, loaded: &Loaded, variant: &Variant, values: &Json) -> Vec<Vec<String>> {
    let mut played = Vec::new();
    let mut open = vec![(0, 0)];
    while let Some(vary) = open.pop() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let result = runtime
            .block_on(self_play(library, loaded, variant, values, vary))
            .unwrap();
        if vary.1 == 0 {
            open.extend(next_vary(&result.csms.0.choices).map(|v| (v, 0)));
        }
        if vary.0 == 0 {
            open.extend(next_vary(&result.station.0.choices).map(|v| (0, v)));
        }
        let mut failures = Vec::new();
        for (role, (outcome, _)) in [("station", &result.station), ("csms", &result.csms)] {
            let tests = loaded.case.header.tests.as_ref();
            let tested = tests.is_none_or(|t| t.iter().any(|w| w.text == role));
            if !sound(outcome, tested) {
                failures.push(format!(
                    "{} [{}] ({role} under test, vary {vary:?}): {} {}\n{:#?}",
                    loaded.case.id, variant.name, outcome.verdict, outcome.reason, outcome.findings
                ));
            }
        }
        played.push(failures);
    }
    played
}

/// A tested side passes. One that the case does not test may do wrong on purpose: only its lines count then.
fn sound(outcome: &Outcome, tested: bool) -> bool {
    let lines_hold = outcome
        .findings
        .iter()
        .all(|f| !f.rule.starts_with("line/") || f.rule == "line/check");
    outcome.verdict == Verdict::Pass || (!tested && lines_hold)
}
