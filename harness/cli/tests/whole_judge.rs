//! A trace is enough to judge by: elsewhere, later, without the cases and without the device.

use std::fs;
use std::time::Duration;

use crate::live::{Live, results, verdicts};
use crate::support::Desk;

const LIMIT: Duration = Duration::from_mins(1);

#[test]
fn traces_are_judged_elsewhere_as_in_their_run() {
    let (desk, empty) = (Desk::new(), Desk::new());
    Live::start(&desk, &["run", "--seed", "3", "--out", "o"], LIMIT)
        .ends()
        .exits(0);
    let mut ran = results(&desk, "o");
    // What was passed over has no trace.
    ran["cases"]
        .as_array_mut()
        .unwrap()
        .retain(|case| case["trace"].is_string());
    assert!(ran["cases"].as_array().unwrap().len() > 80);

    let traces = desk.path().join("o/traces");
    let arguments = [
        "judge",
        traces.to_str().unwrap(),
        "--quiet",
        "--json",
        "again.json",
    ];
    Live::start(&empty, &arguments, LIMIT).ends().exits(0);
    let again = serde_json::from_str(&empty.read("again.json")).unwrap();
    assert_eq!(verdicts(&again), verdicts(&ran));
}

#[test]
fn a_falsified_frame_changes_the_verdict() {
    let desk = Desk::new();
    Live::start(
        &desk,
        &["run", "--out", "o", "--select", "id:boot/accepted"],
        LIMIT,
    )
    .ends()
    .exits(0);
    let path = results(&desk, "o")["cases"][0]["trace"]
        .as_str()
        .unwrap()
        .to_owned();
    let honest = desk.read(&path);
    // The first line is the premise, which holds the text of the case.
    let (premise, events) = honest.split_once('\n').unwrap();
    let (was, becomes) = (r#"\"status\":\"Accepted\""#, r#"\"status\":\"Rejected\""#);
    assert!(events.contains(was), "{events}");
    let falsified = format!("{premise}\n{}", events.replacen(was, becomes, 1));

    let empty = Desk::new();
    fs::write(empty.path().join("honest.trace"), honest).unwrap();
    fs::write(empty.path().join("falsified.trace"), falsified).unwrap();
    Live::start(&empty, &["judge", "honest.trace"], LIMIT)
        .ends()
        .exits(0);
    Live::start(&empty, &["judge", "falsified.trace"], LIMIT)
        .ends()
        .exits(1);
}
