//! The always-on rules on doctored traces: for each rule a trace that passes and the same trace, changed in one place,
//! that makes this rule speak and no other; and traces that look suspicious and must give no finding at all.

mod dsl;
mod facts;
mod hostile;
mod pairs_agreement;
mod pairs_charging;
mod pairs_connection;
mod pairs_frame;
mod pairs_messages;
mod pairs_meters;
mod pairs_profiles;
mod pairs_station;
mod pairs_transaction;
mod quiet;

use std::collections::BTreeSet;

use plugfest_judge::{Finding, rules};

use dsl::{Pair, Version};

fn pairs() -> Vec<Pair> {
    let mut all = Vec::new();
    all.extend(pairs_frame::pairs());
    all.extend_from_slice(pairs_messages::PAIRS);
    all.extend_from_slice(pairs_connection::PAIRS);
    all.extend_from_slice(pairs_station::PAIRS);
    all.extend_from_slice(pairs_meters::PAIRS);
    all.extend_from_slice(pairs_agreement::PAIRS);
    all.extend_from_slice(pairs_transaction::PAIRS);
    all.extend_from_slice(pairs_profiles::PAIRS);
    all.extend_from_slice(pairs_charging::PAIRS);
    all
}

fn told(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|f| {
        format!(
            "  {} {}: {} ({} / {})",
            f.rule,
            f.level.as_str(),
            f.message,
            f.expected,
            f.actual
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_rule_has_a_pair_and_every_pair_a_rule() {
    let rules: BTreeSet<&str> = rules::all().iter().map(|info| info.id).collect();
    assert_eq!(rules.len(), rules::all().len(), "two rules share an id");
    let paired: BTreeSet<&str> = pairs().iter().map(|pair| pair.rule).collect();
    let bare: Vec<_> = rules.difference(&paired).collect();
    let orphans: Vec<_> = paired.difference(&rules).collect();
    assert!(
        bare.is_empty() && orphans.is_empty(),
        "without a pair: {bare:?}; without a rule: {orphans:?}"
    );
}

#[test]
fn every_pair_differs_in_one_place() {
    for pair in pairs() {
        assert_eq!(dsl::edits(pair.trace), Ok(()), "{}\n{}", pair.rule, pair.trace);
    }
}

#[test]
fn the_unedited_trace_gives_no_finding() {
    let mut wrong = Vec::new();
    for pair in pairs() {
        let found = dsl::judge(pair.dut, pair.trace, Version::Passing);
        if !found.is_empty() {
            wrong.push(format!("{}\n{}", pair.rule, told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_edit_makes_exactly_this_rule_speak() {
    let mut wrong = Vec::new();
    for pair in pairs() {
        let found = dsl::judge(pair.dut, pair.trace, Version::Failing);
        if found.is_empty() || found.iter().any(|finding| finding.rule != pair.rule) {
            wrong.push(format!("{}\n{}", pair.rule, told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_finding_says_what_its_rule_says() {
    for pair in pairs() {
        for finding in dsl::judge(pair.dut, pair.trace, Version::Failing) {
            let Some(info) = rules::find(&finding.rule) else {
                panic!("{} is no rule", finding.rule)
            };
            assert_eq!(finding.verdict, finding.level.verdict(), "{}", info.id);
            assert!(
                !finding.clause.is_empty() && !finding.message.is_empty(),
                "{}",
                info.id
            );
            assert!(finding.event.is_some(), "{}", info.id);
        }
    }
}

#[test]
fn suspicious_but_sound_traces_stay_quiet() {
    let mut wrong = Vec::new();
    for (name, dut, trace) in quiet::TRACES {
        let found = dsl::judge(dut, trace, Version::Passing);
        if !found.is_empty() {
            wrong.push(format!("{name}\n{}", told(&found)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_explains_itself() {
    for info in rules::all() {
        assert!(info.explain.len() > 40, "{} explains too little", info.id);
        assert!(
            info.explain.ends_with('.') && !info.explain.contains("  "),
            "{}",
            info.id
        );
        let (theme, name) = info.id.split_once('/').expect("ids are theme/name");
        let plain = |part: &str| {
            part.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        assert!(plain(theme) && plain(name), "{}", info.id);
        assert!(
            info.clause.starts_with("OCPP-1.6") || info.clause.starts_with("RFC "),
            "{}",
            info.id
        );
    }
}
