//! Every line of the DUT is seen red once.
#![expect(clippy::unwrap_used, reason = "a test that cannot play has failed")]

mod common;

use plugfest_play::prove::{Outcome, prove};

#[test]
fn every_line_is_seen_red() {
    let library = common::library();
    let only = std::env::var("ONLY").unwrap_or_default();
    let proof = prove(&library, &common::values(), &|c| c.case.id.contains(&only)).unwrap();
    println!("{proof}; {} judgements", proof.judged);
    let mut wrong: Vec<String> = proof.broken.clone();
    for line in proof.green() {
        let Outcome::Green { why } = &line.outcome else {
            continue;
        };
        wrong.push(format!(
            "{} ({}, {:?}) {}:{} `{}` | {}: {why}",
            line.case, line.role, line.vary, line.line.file, line.line.line, line.line.text, line.doctoring
        ));
    }
    for unmet in &proof.unmet {
        wrong.push(format!(
            "{} ({}) {}:{} `{}` is never met",
            unmet.case, unmet.role, unmet.line.file, unmet.line.line, unmet.line.text
        ));
    }
    for exception in &proof.unused {
        wrong.push(format!("the exception is not needed: {exception:?}"));
    }
    assert!(
        wrong.is_empty(),
        "{} findings:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(only.is_empty() || !proof.lines.is_empty(), "nothing was doctored");
    assert!(
        proof.excepted() * 100 <= proof.lines.len() * 3,
        "more than 3 % of the doctorings are excepted"
    );
    assert!(
        proof.count.weak * 10 <= proof.count.dut,
        "more than 10 % of the lines are weak"
    );
}

/// A library of one case beside the project's states.
fn with_case(text: &str) -> plugfest_case::Library {
    let text = format!(
        "case t/own \"A case of this test\"\n  spec OCPP-1.6 \"4.1\"\n  requires Core\n  tests csms\n\n{text}end\n"
    );
    common::library_of(&[("ocpp1.6/t/own.case", &text)])
}

fn prove_own(text: &str) -> plugfest_play::prove::Proof {
    prove(&with_case(text), &common::values(), &|c| c.case.id == "t/own").unwrap()
}

#[test]
fn what_nothing_contradicts_stays_green() {
    let proof = prove_own(
        "  act station.power_cycle()\n  station: BootNotification { chargePointVendor: any, chargePointModel: any }\n  \
         csms: => { status: Accepted, interval: any as beat, currentTime: near(now) }\n  check beat >= 0 || beat < 0\n",
    );
    let green: Vec<_> = proof
        .green()
        .map(|l| (l.line.text.as_str(), l.doctoring.as_str()))
        .collect();
    assert_eq!(green, [("check beat >= 0 || beat < 0", "one input falsified")]);
    assert!(!proof.holds());
}

#[test]
fn a_line_that_no_playing_meets_is_not_proven() {
    let proof = prove_own(
        "  station: Heartbeat {}\n  csms: => { currentTime: near(now) }\n  if status(7) == \"Charging\"\n    \
         station: Heartbeat {}\n    csms: => { currentTime: near(now) }\n  end\n",
    );
    let unmet: Vec<_> = proof.unmet.iter().map(|u| u.line.line).collect();
    assert_eq!(unmet, [10]);
    assert!(!proof.holds());
}

#[test]
fn a_finding_has_to_cite_the_clause_of_its_line() {
    let proof =
        prove_own("  station: Heartbeat {}\n  csms: => { currentTime: near(now) } per \"OCPP-1.6 9.9\"\n");
    assert!(proof.holds(), "{:#?}", proof.green().collect::<Vec<_>>());
    let names: Vec<_> = proof.lines.iter().map(|l| l.doctoring.as_str()).collect();
    for name in [
        "answer missing",
        "answer too late",
        "twice",
        "CALLERROR",
        "/currentTime changed",
    ] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
}
