//! Every line of the DUT is seen red once.

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
