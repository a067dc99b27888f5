//! Every case is played against itself, in every branch. That proves it constructible and free of dead lines.

mod common;

use plugfest_judge::{Outcome, Verdict};
use plugfest_play::premise::variants;
use plugfest_play::selfplay::{next_vary, self_play};

#[test]
fn every_case_plays_against_itself_in_every_branch() {
    let (library, values) = (common::library(), common::values());
    // `ONLY=session/` plays some of them, for whoever writes a case.
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut failures = Vec::new();
    let (mut cases, mut played) = (0, 0);
    // Who sends wrong frames on purpose is no device that could be judged: the reference devices play those cases.
    let written = library.cases().filter(|l| !library.is_generated(&l.path));
    for loaded in written.filter(|l| l.case.id.contains(&only)) {
        cases += 1;
        for variant in variants(loaded) {
            // All branches of one side while the other plays as written.
            let mut open = vec![(0, 0)];
            while let Some(vary) = open.pop() {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .start_paused(true)
                    .build()
                    .unwrap();
                let result = runtime
                    .block_on(self_play(&library, loaded, &variant, &values, vary))
                    .unwrap();
                played += 1;
                if vary.1 == 0 {
                    open.extend(next_vary(&result.csms.0.choices).map(|v| (v, 0)));
                }
                if vary.0 == 0 {
                    open.extend(next_vary(&result.station.0.choices).map(|v| (0, v)));
                }
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
            }
        }
    }
    println!("{cases} cases, {played} playings, {} failures", failures.len());
    assert!(cases > 0, "no case is called {only:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A tested side passes. One that the case does not test may do wrong on purpose: only its lines count then.
fn sound(outcome: &Outcome, tested: bool) -> bool {
    let lines_hold = outcome
        .findings
        .iter()
        .all(|f| !f.rule.starts_with("line/") || f.rule == "line/check");
    outcome.verdict == Verdict::Pass || (!tested && lines_hold)
}
