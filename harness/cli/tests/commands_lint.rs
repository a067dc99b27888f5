//! `plugfest lint`: what it finds in logs, and that it finds nothing in those of conformant devices.

use std::collections::BTreeMap;

use serde_json::Value;

use super::support::Desk;

const BOOT: &str = r#"[2,"1","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]"#;
const ACCEPTED: &str = r#"[3,"1",{"status":"Accepted","currentTime":"2024-05-01T12:00:00Z","interval":300}]"#;
/// connectorId is missing, and the id is used twice.
const WRONG: &str = r#"[2,"1","StatusNotification",{"errorCode":"NoError","status":"Available"}]"#;

fn kinds(json: &str) -> BTreeMap<(String, String), u64> {
    let document: Value = serde_json::from_str(json).unwrap();
    let logs = document["logs"].as_array().unwrap().iter();
    let kinds = logs.flat_map(|log| log["kinds"].as_array().unwrap());
    let mut counts = BTreeMap::new();
    for kind in kinds {
        let text = |name: &str| kind[name].as_str().unwrap().to_owned();
        *counts.entry((text("side"), text("rule"))).or_default() += kind["count"].as_u64().unwrap();
    }
    counts
}

#[test]
fn a_fault_is_told_with_its_line_in_every_form() {
    let desk = Desk::new();
    let log = format!(
        "starting\nINFO:ocpp:CP 1: send {BOOT}\nINFO:ocpp:CP 1: receive message {ACCEPTED}\nINFO:ocpp:CP 1: send {WRONG}\n"
    );
    desk.file("logs of today/station.log", log);
    let arguments = [
        "lint",
        "logs of today/station.log",
        "--json",
        "found.json",
        "--sarif",
        "found.sarif",
    ];
    let ran = desk.run(&arguments).exits(1);
    assert!(ran.out.contains("schema/request (station), once"), "{}", ran.out);
    assert!(ran.out.contains("station.log:4"), "{}", ran.out);
    assert!(
        ran.out.contains("1 line without a frame, the first is line 1"),
        "{}",
        ran.out
    );

    let found = kinds(&desk.read("found.json"));
    assert_eq!(found[&("station".to_owned(), "schema/request".to_owned())], 1);
    assert_eq!(found[&("station".to_owned(), "ids/reused".to_owned())], 1);

    let sarif: Value = serde_json::from_str(&desk.read("found.sarif")).unwrap();
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "logs%20of%20today/station.log");
        assert_eq!(place["region"]["startLine"], 4);
    }
}

#[test]
fn what_a_log_says_is_shown_and_not_obeyed() {
    let desk = Desk::new();
    let evil = "[2,\"1\",\"DataTransfer\",{\"vendorId\":\"\u{202e}\u{1b}[31m\",\"nothing\":\"\u{9b}\"}]";
    desk.file(
        "a.log",
        format!("{BOOT}\n{ACCEPTED}\n[2,\"2\",\"Heartbeat\",{{\"\u{202e}\u{9b}\":1}}]\n{evil}\n"),
    );
    for arguments in [
        &["lint", "a.log"][..],
        &["lint", "a.log", "--json", "-"],
        &["lint", "a.log", "--sarif", "-"],
    ] {
        let ran = desk.run(arguments).exits(1);
        let obeyed = ran.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']);
        assert!(!obeyed, "{arguments:?}: {}", ran.out);
    }
}

#[test]
fn what_is_no_log_is_refused() {
    let desk = Desk::new();
    desk.file("empty.log", "");
    desk.run(&["lint", "empty.log"])
        .exits(2)
        .complains("no OCPP frame");
    desk.run(&["lint", "absent.log"])
        .exits(2)
        .complains("absent.log cannot be read");
    desk.run(&["lint", "x", "--format", "steeve"])
        .exits(2)
        .complains("there are open-ocpp-trace, evcc, steve");
    // Nobody can tell who said it: nothing was judged, and that is no pass.
    desk.file("stray.log", "[3,\"1\",{}]\n");
    desk.run(&["lint", "stray.log"]).exits(3);
}

/// Whatever the format, and wherever the log begins.
#[test]
fn nothing_is_found_in_the_logs_of_a_conformant_station() {
    let desk = Desk::new();
    let cases = [
        "run",
        "--out",
        "run",
        "--select",
        "role:station",
        "session/*",
        "reset/*",
        "offline/*",
        "boot/*",
    ];
    desk.run(&cases).exits(0);
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(desk.path().join("run/traces")).unwrap() {
        let path = entry.unwrap().path();
        let trace = path.to_str().unwrap();
        let records = desk.run(&["trace", "export", trace]).exits(0).out;
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let lines: Vec<&str> = records.lines().collect();
        for cut in [0, 1, 2, 3, 5, 8, 13, 21] {
            if cut >= lines.len() {
                continue;
            }
            let (mut frames, mut steve) = (String::new(), String::new());
            for line in &lines[cut..] {
                let record: Value = serde_json::from_str(line).unwrap();
                let raw = record["raw"].as_str().unwrap();
                let verb = if record["direction"] == "cp-to-csms" {
                    "Received"
                } else {
                    "Sending"
                };
                let at = record["timestamp"]
                    .as_str()
                    .unwrap()
                    .replace('T', " ")
                    .replace('Z', "");
                frames.push_str(&format!("{raw}\n"));
                steve.push_str(&format!(
                    "[INFO ] {at} x - [chargeBoxId=CP, sessionId=1] {verb}: {raw}\n"
                ));
            }
            for (format, text) in [
                ("frames", frames),
                ("steve", steve),
                ("oot", lines[cut..].join("\n")),
            ] {
                let log = format!("logs/{name}.{cut}.{format}");
                desk.file(&log, text);
                logs.push(log);
            }
        }
    }
    assert!(logs.len() > 200, "{} logs", logs.len());
    let mut arguments = vec!["lint", "--json", "found.json"];
    arguments.extend(logs.iter().map(String::as_str));
    let ran = desk.run(&arguments);
    let found = kinds(&desk.read("found.json"));
    let of_the_station: Vec<_> = found.iter().filter(|((side, _), _)| side == "station").collect();
    assert!(of_the_station.is_empty(), "{of_the_station:?}\n{}", ran.out);
}
