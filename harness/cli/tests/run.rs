//! `plugfest run` on the embedded devices: reports, selection, parts, known failures, and what comes after a run.
#![expect(
    clippy::unwrap_used,
    reason = "what a helper of a test cannot do, the test cannot"
)]

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::Desk;

/// A case that the reference station cannot pass: it has cleared its cache.
const WRONG: &str = "\
case own/wrong \"The station refuses to clear its cache\"
  spec     OCPP-1.6 \"5.4\"
  requires auth_cache
  note     \"wrong on purpose\"
  given    booted
  tests    station

  csms:    ClearCache {}
  station: => { status: Rejected }
end
";

fn results(desk: &Desk, folder: &str) -> Value {
    serde_json::from_str(&desk.read(&format!("{folder}/results.json"))).unwrap()
}

fn keys(results: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    results["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| (text(&case["id"]), text(&case["tests"])))
        .collect()
}

#[test]
fn the_embedded_devices_pass_every_case() {
    let desk = Desk::new();
    let ran = desk.run(&["run", "--out", "out"]).exits(0);
    assert!(
        ran.out.contains("the embedded reference station and CSMS"),
        "{}",
        ran.out
    );
    let results = results(&desk, "out");
    assert_eq!(
        (&results["verdict"], &results["exit"]),
        (&"pass".into(), &0.into())
    );
    let cases = results["cases"].as_array().unwrap();
    assert!(cases.len() > 80 && cases.iter().all(|case| case["verdict"] == "pass"));
    for case in cases {
        let trace = case["trace"].as_str().unwrap();
        assert!(desk.path().join(trace).exists(), "{trace}");
    }
    for (file, says) in [
        ("junit.xml", "remote/stop"),
        ("report.html", "remote/stop"),
        ("summary.md", "pass"),
    ] {
        assert!(desk.read(&format!("out/{file}")).contains(says), "{file}");
    }
    let listed: Value = serde_json::from_str(&desk.run(&["list", "--json"]).exits(0).out).unwrap();
    let wanted: usize = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["tests"].as_array().unwrap().len())
        .sum();
    assert!(cases.len() >= wanted, "{} results of {wanted} sides", cases.len());
}

#[test]
fn a_failure_is_evidence_and_a_known_one_is_data() {
    let desk = Desk::new();
    desk.file("own/wrong.case", WRONG);
    let ran = desk
        .run(&["run", "--cases", "own", "own/*", "--seed", "7", "--out", "out"])
        .exits(1);
    for says in [
        "own/wrong.case:9",
        "station: => { status: Rejected }",
        "at       /status",
        "OCPP-1.6 5.4",
        "plugfest run --seed 7 --cases own --select role:station own/wrong",
    ] {
        assert!(ran.out.contains(says), "`{says}` is missing in {}", ran.out);
    }
    let judged = desk.run(&["judge", "out", "--json", "-"]).exits(1);
    let judged: Value = serde_json::from_str(&judged.out).unwrap();
    assert_eq!(
        judged["cases"][0]["findings"],
        results(&desk, "out")["cases"][0]["findings"]
    );

    let profile = |pointer: &str, rule: &str| {
        format!(
            "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"S\"\nlisten = \"127.0.0.1:0\"\n\
             [[expect]]\ncase = \"own/wrong\"\nrule = \"{rule}\"\npointer = \"{pointer}\"\nreason = \"on purpose\"\nowner = \"me\"\n"
        )
    };
    let judge = |text: String, code| {
        desk.file("known.toml", text);
        let arguments = [
            "judge",
            "out",
            "--config",
            "known.toml",
            "--cases",
            "own",
            "--json",
            "-",
        ];
        let ran = desk.run(&arguments).exits(code);
        serde_json::from_str::<Value>(&ran.out).unwrap()["cases"][0].clone()
    };
    let known = judge(profile("/status", "line/field"), 0);
    assert_eq!(
        (&known["verdict"], known["findings"].as_array().unwrap().len()),
        (&"warn".into(), 0)
    );
    assert_eq!(known["expected"][0]["owner"], "me");
    let other = judge(profile("/other", "line/field"), 1);
    assert_eq!(other["verdict"], "fail");
}

#[test]
fn a_known_failure_that_does_not_come_is_red() {
    let desk = Desk::new();
    desk.run(&["run", "cache/clear", "--select", "role:station", "--out", "out"])
        .exits(0);
    desk.file(
        "known.toml",
        "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"S\"\nlisten = \"127.0.0.1:0\"\n\
         [[expect]]\ncase = \"cache/clear\"\nrule = \"line/field\"\npointer = \"/status\"\nreason = \"mended\"\nowner = \"me\"\n",
    );
    let ran = desk.run(&["judge", "out", "--config", "known.toml"]).exits(1);
    assert!(ran.out.contains("mended"), "{}", ran.out);
}

#[test]
fn parts_are_disjoint_and_leave_nothing_out() {
    let desk = Desk::new();
    let select = ["run", "-q", "--select", "block:remote or block:reset"];
    let ran = |more: &[&str], folder: &str| {
        desk.run(&[&select[..], more, &["--out", folder]].concat())
            .exits(0);
        keys(&results(&desk, folder))
    };
    let whole = ran(&[], "whole");
    let parts = [ran(&["--shard", "1/2"], "a"), ran(&["--shard", "2/2"], "b")].concat();
    assert_eq!(parts.len(), whole.len());
    assert_eq!(
        parts.iter().collect::<BTreeSet<_>>(),
        whole.iter().collect::<BTreeSet<_>>()
    );
    let twice = ran(&["--repeat", "2"], "twice");
    assert_eq!(twice.len(), 2 * whole.len());
}

#[test]
fn what_failed_is_remembered() {
    let desk = Desk::new();
    desk.file("own/wrong.case", WRONG);
    let base = ["run", "-q", "--cases", "own"];
    desk.run(&[&base[..], &["own/*", "cache/clear"]].concat())
        .exits(1);
    let listed = desk
        .run(&["list", "--json", "--failed", "--cases", "own"])
        .exits(0);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], "own/wrong");
    desk.run(&[&base[..], &["--failed", "cache/clear"]].concat())
        .exits(4);
}

#[test]
fn the_first_failure_ends_a_run_that_wants_it() {
    let desk = Desk::new();
    desk.file("own/wrong.case", WRONG);
    let arguments = [
        "run",
        "--cases",
        "own",
        "own/*",
        "--repeat",
        "50",
        "--jobs",
        "1",
        "--fail-fast",
        "--out",
        "out",
    ];
    desk.run(&arguments).exits(1);
    let results = results(&desk, "out");
    assert_eq!(results["interrupted"], "--fail-fast");
    assert!(!results["not_run"].as_array().unwrap().is_empty());
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let desk = Desk::new();
    let story = |folder: &str, seed: &str| {
        desk.run(&["run", "-q", "remote/stop", "--seed", seed, "--out", folder])
            .exits(0);
        // The key of a WebSocket handshake is random by its nature, and the library of the device draws it.
        let trace = desk.read(&format!("{folder}/traces/remote.stop.station.trace"));
        trace
            .lines()
            .filter(|line| !line.contains("Sec-WebSocket-Key"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let first = story("a", "11");
    assert_eq!(first, story("b", "11"));
    assert_ne!(first, story("c", "12"));
}

#[test]
fn a_folder_with_something_else_is_left_alone() {
    let desk = Desk::new();
    desk.file("mine/photo.jpg", "x");
    desk.run(&["run", "remote/stop", "--out", "mine"])
        .exits(2)
        .complains("holds something else than a run");
    desk.run(&["run", "-q", "remote/stop", "--out", "out"]).exits(0);
    desk.run(&["run", "-q", "remote/stop-unknown", "--out", "out"])
        .exits(0);
    let traces: Vec<_> = std::fs::read_dir(desk.path().join("out/traces"))
        .unwrap()
        .collect();
    assert_eq!(
        traces.len(),
        keys(&results(&desk, "out")).len(),
        "traces of the run before are gone"
    );
}

#[test]
fn a_changed_conversation_is_reported() {
    let desk = Desk::new();
    let arguments = [
        "run",
        "-q",
        "cache/clear",
        "--select",
        "role:station",
        "--snapshot",
        "kept",
        "--out",
        "out",
    ];
    desk.run(&arguments).exits(0);
    let kept: Vec<_> = std::fs::read_dir(desk.path().join("kept"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    let [snapshot] = kept.as_slice() else {
        panic!("{kept:?}")
    };
    let text = std::fs::read_to_string(snapshot).unwrap();
    std::fs::write(snapshot, text.replace("ClearCache", "ClearCash")).unwrap();
    let ran = desk.run(&arguments).exits(0);
    assert!(ran.err.contains("ClearCash"), "{}", ran.err);
}

#[test]
fn a_device_that_is_not_there_is_no_failure_of_it() {
    let desk = Desk::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("ws://{free}/ocpp");
    desk.run(&[
        "run",
        "boot/accepted",
        "--url",
        &url,
        "--no-input",
        "--out",
        "out",
    ])
    .exits(3)
    .complains("was not reached");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    desk.run(&[
        "run",
        "boot/pending",
        "--listen",
        &address,
        "--no-input",
        "--out",
        "out",
    ])
    .exits(3);
}

#[test]
fn one_case_is_proven_at_the_desk() {
    let desk = Desk::new();
    desk.file("own/wrong.case", WRONG);
    let ran = desk.run(&["prove", "cache/clear"]).exits(0);
    assert!(ran.out.contains("lines proven"), "{}", ran.out);
}
