//! The first texts of the language, each played against itself in every branch.
#![expect(clippy::unwrap_used, reason = "a probe that cannot be read has failed")]

mod common;

use plugfest_case::{Library, Severity, Source};
use plugfest_judge::Verdict;
use plugfest_play::prove::play_all;
use plugfest_protocol::Json;

const FACTS: &str = include_str!("../../case/tests/probes/facts.toml");
const STATES: &str = include_str!("../../case/tests/probes/probe.state");
const PROBES: [(&str, &str); 7] = [
    ("b1", include_str!("../../case/tests/probes/b1.case")),
    ("b2", include_str!("../../case/tests/probes/b2.case")),
    ("b3", include_str!("../../case/tests/probes/b3.case")),
    ("b4", include_str!("../../case/tests/probes/b4.case")),
    ("b5", include_str!("../../case/tests/probes/b5.case")),
    ("b6", include_str!("../../case/tests/probes/b6.case")),
    ("b7", include_str!("../../case/tests/probes/b7.case")),
];

fn library() -> Library {
    let mut all = vec![
        Source::new("probes/facts.toml", FACTS),
        Source::new("probes/probe.state", STATES),
    ];
    all.extend(PROBES.map(|(name, text)| Source::new(format!("probes/{name}.case"), text)));
    let (library, found) = Library::load(all, &common::natives());
    let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    library
}

/// What a profile says of the values that the probes name.
fn values() -> Json {
    let mut all = common::values();
    let own = Json::parse(
        r#"{"connector":1,"connectors":2,"heartbeat":60,"sample":10,"transaction":10,
            "timeout":{"long":180},"security":{"next":2}}"#,
    );
    all.merge(&own.unwrap());
    all
}

#[test]
fn every_probe_plays_against_itself_in_every_branch() {
    let library = library();
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut wrong = Vec::new();
    let mut played = 0;
    for loaded in library.cases().filter(|l| l.path.contains(&only)) {
        for one in play_all(&library, loaded, &values()).unwrap() {
            let tests = loaded.case.header.tests.as_ref();
            if !tests.is_none_or(|t| t.iter().any(|w| w.text == one.dut)) {
                continue;
            }
            played += 1;
            if one.outcome.verdict != Verdict::Pass {
                wrong.push(format!(
                    "{} ({} under test, {}, vary {:?}): {} {}\n{:#?}",
                    loaded.path,
                    one.dut,
                    one.world,
                    one.vary,
                    one.outcome.verdict,
                    one.outcome.reason,
                    one.outcome.findings
                ));
            }
        }
    }
    println!("{played} playings");
    assert!(played >= 12 || !only.is_empty(), "only {played} playings");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
