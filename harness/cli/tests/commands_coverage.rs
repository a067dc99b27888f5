//! `plugfest coverage`.

use serde_json::Value;

use crate::support::Desk;

fn items(arguments: &[&str]) -> Vec<Value> {
    let ran = Desk::new()
        .run(&[&["coverage", "--json"], arguments].concat())
        .exits(0);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn an_entry_says_who_exercises_it_or_why_nobody_does() {
    let all = items(&[]);
    assert!(all.len() > 1000);
    for item in &all {
        let (rules, cases) = (
            item["rules"].as_array().unwrap(),
            item["cases"].as_array().unwrap(),
        );
        let whole = match item["status"].as_str().unwrap() {
            "tested" => !cases.is_empty(),
            "watched" => cases.is_empty() && !rules.is_empty(),
            "same" => item["same"].is_string(),
            "to-do" | "not-observable" | "out-of-scope" => item["why"].is_string() && rules.is_empty(),
            _ => false,
        };
        assert!(whole, "{item}");
    }
    let untested = items(&["--untested", "--role", "csms"]);
    assert!(untested.len() < all.len() / 2);
    assert!(
        untested.iter().all(|item| item["who"] != "station"),
        "{untested:?}"
    );
}

#[test]
fn a_section_is_shown_with_names() {
    let desk = Desk::new();
    let ran = desk.run(&["coverage", "OCPP-1.6 4.2"]).exits(0);
    for wanted in ["4.2/a", "4.2.1/a", "sequence/boot-after-restart", "boot/accepted"] {
        assert!(ran.out.contains(wanted), "{wanted} is missing in\n{}", ran.out);
    }
    assert!(
        !ran.out.contains("4.3/") && !ran.out.contains("OCPP-1.6J:"),
        "{}",
        ran.out
    );
    desk.run(&["coverage", "77.7"]).exits(4);
    desk.run(&["coverage", "--document", "OCPP-9"])
        .exits(2)
        .complains("it has OCPP-1.6-errata, OCPP-1.6");
}

#[test]
fn the_check_is_content_with_what_is_embedded() {
    assert_eq!(Desk::new().run(&["coverage", "--check"]).exits(0).out, "");
}

#[test]
fn a_case_of_ones_own_that_cites_a_clause_nobody_knows_is_told() {
    let desk = Desk::new();
    desk.file(
        "own/x.case",
        "case own/x \"X\"\n  spec OCPP-1.6 \"99.9\"\n  tests csms\n  wait 1s\nend\n",
    );
    let ran = desk.run(&["--cases", "own", "coverage", "--check"]).exits(1);
    assert_eq!(
        ran.out,
        "own/x cites OCPP-1.6 99.9, which the ledger does not have\n"
    );
}
