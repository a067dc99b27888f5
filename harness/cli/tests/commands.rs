//! The commands that need no device.
#![expect(
    clippy::unwrap_used,
    reason = "what a helper of a test cannot do, the test cannot"
)]

#[path = "commands_coverage.rs"]
mod commands_coverage;
#[path = "commands_lint.rs"]
mod commands_lint;
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::Value;
use support::Desk;

fn listed(desk: &Desk, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["list", "--json"], arguments].concat();
    let ran = desk.run(&arguments).exits(0);
    serde_json::from_str::<Value>(&ran.out)
        .unwrap()
        .as_array()
        .unwrap()
        .clone()
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[test]
fn list_prints_an_array_of_objects() {
    let desk = Desk::new();
    let items = listed(&desk, &[]);
    assert!(items.len() > 40);
    for item in &items {
        for key in ["id", "title", "protocol", "block", "profile", "file"] {
            assert!(
                item[key].as_str().is_some_and(|text| !text.is_empty()),
                "{key} of {item}"
            );
        }
        for key in ["tests", "covers"] {
            assert!(
                item[key].as_array().unwrap().iter().all(Value::is_string),
                "{key} of {item}"
            );
        }
        let sides = item["tests"].as_array().unwrap();
        assert!(
            !sides.is_empty() && sides.iter().all(|side| side == "station" || side == "csms"),
            "{item}"
        );
    }
}

#[test]
fn every_official_id_of_the_feature_profiles_is_covered() {
    let items = listed(&Desk::new(), &[]);
    let covered: std::collections::BTreeSet<&str> = items
        .iter()
        .flat_map(|item| item["covers"].as_array().unwrap())
        .map(|id| id.as_str().unwrap())
        .collect();
    let of = |suffix: &str| covered.iter().filter(|id| id.ends_with(suffix)).count();
    // Core 51 and 34, Reservation 16 and 10, Smart Charging 10 and 5, local list 8 and 6, firmware 5 and 5, trigger 2 and 2.
    assert_eq!((of("_CS"), of("_CSMS")), (92, 62), "{covered:?}");
}

#[test]
fn selections_are_one_language_everywhere() {
    let desk = Desk::new();
    let one = listed(&desk, &["remote/cable-first"]);
    assert_eq!(ids(&one), ["remote/cable-first"]);
    assert_eq!(one[0]["tests"], serde_json::json!(["station", "csms"]));
    let one = listed(&desk, &["TC_010_CSMS"]);
    assert_eq!(ids(&one), ["remote/cable-first"]);
    assert_eq!(
        one[0]["tests"],
        serde_json::json!(["csms"]),
        "an official id names a side"
    );
    assert_eq!(one[0]["covers"], serde_json::json!(["TC_010_CSMS"]));
    let two = listed(
        &desk,
        &["--select", "(TC_010 or id:remote/stop) and role:station"],
    );
    assert_eq!(ids(&two), ["remote/cable-first", "remote/stop"]);
    let all = listed(&desk, &[]).len();
    let resets = listed(&desk, &["block:reset"]).len();
    assert!(resets > 0);
    assert_eq!(
        listed(&desk, &["--select", "not block:reset"]).len(),
        all - resets
    );
    assert!(listed(&desk, &["clause:4.9"]).len() > 3);
    let table = desk.run(&["list", "remote/*"]).exits(0);
    assert!(
        table.out.lines().all(|line| line.starts_with("remote/")),
        "{}",
        table.out
    );
    desk.file("old/results.json", r#"{"cases":[{"id":"remote/stop","tests":"station","verdict":"fail"},{"id":"remote/stop","tests":"csms","verdict":"pass"}]}"#);
    let failed = listed(&desk, &["--failed", "--last", "old"]);
    assert_eq!(
        (ids(&failed), &failed[0]["tests"]),
        (vec!["remote/stop"], &serde_json::json!(["station"]))
    );
    assert_eq!(
        ids(&listed(&desk, &["verdict:pass", "--last", "old"])),
        ["remote/stop"]
    );
}

#[test]
fn cases_of_ones_own_stand_beside_the_embedded_ones() {
    let desk = Desk::new();
    desk.file(
        "own/mine.case",
        "case mine/a \"Mine\"\n  spec     OCPP-1.6 \"4.6\"\n  station: Heartbeat {} within 10s\nend\n",
    );
    let items = listed(&desk, &["mine/*", "--cases", "own"]);
    assert_eq!(items[0]["file"], "own/mine.case");
    assert!(listed(&desk, &["--cases", "own"]).len() > 40);
}

#[test]
fn show_has_four_forms() {
    let desk = Desk::new();
    let text = desk.run(&["show", "remote/cable-first"]).exits(0).out;
    assert!(
        text.starts_with("case remote/cable-first") && text.ends_with("end\n"),
        "{text}"
    );
    let json: Value = serde_json::from_str(&desk.run(&["show", "TC_010", "--json"]).exits(0).out).unwrap();
    assert_eq!(json["id"], "remote/cable-first");
    let diagram = desk
        .run(&["show", "remote/cable-first", "--diagram"])
        .exits(0)
        .out;
    assert!(
        diagram.contains("RemoteStartTransaction") && diagram.contains('▶'),
        "{diagram}"
    );
    let table = desk.run(&["show", "remote/cable-first", "--table"]).exits(0).out;
    assert!(table.contains("RemoteStartTransaction") && table != diagram && table != text);
    desk.run(&["show", "remote/cable-first", "--table", "--json"])
        .exits(2);
}

#[test]
fn check_is_quiet_about_what_is_in_order() {
    let desk = Desk::new();
    let ran = desk.run(&["check"]).exits(0).complains(" 0 errors");
    assert!(ran.err.contains("are weak"), "{}", ran.err);
    desk.file(
        "weak.case",
        "case x/weak \"Weak\"\n  spec     OCPP-1.6 \"4.2\"\n  station: StatusNotification {}\nend\n",
    );
    let ran = desk.run(&["check", "weak.case"]).exits(0);
    assert!(ran.out.contains("weak.case:3"), "{}", ran.out);
    desk.run(&["check", "weak.case", "--strict"]).exits(1);
}

#[test]
fn a_working_copy_takes_the_place_of_the_embedded_file() {
    let desk = Desk::new();
    let root = env!("CARGO_MANIFEST_DIR");
    desk.run(&["check", &format!("{root}/testcases")])
        .exits(0)
        .complains(" 0 errors");
    desk.run(&["fmt", "--check", &format!("{root}/testcases")])
        .exits(0);
}

#[test]
fn fmt_changes_only_the_layout() {
    let desk = Desk::new();
    let ugly =
        "# why\ncase x/a \"A\"\n spec OCPP-1.6 \"4.6\"\n station:   Heartbeat {}   within 10s # beat\nend\n";
    desk.file("own/a.case", ugly);
    let ran = desk.run(&["fmt", "--check", "own"]).exits(1);
    assert!(ran.out.trim_end().ends_with("a.case"));
    assert_eq!(desk.read("own/a.case"), ugly, "--check changes nothing");
    desk.run(&["fmt", "own"]).exits(0);
    let neat = desk.read("own/a.case");
    assert!(
        neat != ugly && neat.contains("# why") && neat.contains("# beat"),
        "{neat}"
    );
    desk.run(&["fmt", "--check", "own/a.case"]).exits(0);
    desk.file("own/b.case", "case b\n");
    desk.run(&["fmt", "own"]).exits(2).complains("b.case:1");
    let mut child = desk
        .command(&["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(ugly.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), neat);
}

#[test]
fn explain_knows_what_reports_name() {
    let desk = Desk::new();
    for (word, says) in [
        ("line/field", "JSON pointer"),
        ("frame/not-json", "clause"),
        ("remote/stop", "requires"),
        ("TC_010_CS", "remote/cable-first"),
        ("blocked", "driver lacks an action"),
        ("3", "exit code 3"),
        ("exit", "130"),
        ("driver", "token.present(token, [connector])"),
        ("ev.plug", "Plug the cable"),
        ("fixed_cable", "Is the charging cable fixed"),
    ] {
        let out = desk.run(&["explain", word]).exits(0).out;
        assert!(out.contains(says), "{word}: {out}");
    }
    assert!(desk.run(&["explain"]).exits(0).out.contains("frame/not-json"));
}

#[test]
fn init_writes_a_profile_and_replaces_none() {
    let desk = Desk::new();
    for role in ["station", "csms"] {
        let file = format!("{role}.toml");
        desk.run(&["init", role, "--file", &file]).exits(0);
        desk.run(&["check", &file]).exits(0);
        desk.file("kept.toml", "mine");
        desk.run(&["init", role, "--file", "kept.toml"])
            .exits(2)
            .complains("is not replaced");
        assert_eq!(desk.read("kept.toml"), "mine");
    }
    desk.run(&[
        "init",
        "csms",
        "--url",
        "ws://127.0.0.1:1/x",
        "--from-dut",
        "--file",
        "n.toml",
    ])
    .exits(3);
    assert!(
        !desk.path().join("n.toml").exists(),
        "a device that was not reached leaves no profile"
    );
}

#[test]
fn doctor_says_what_is_missing() {
    let desk = Desk::new();
    let ran = desk.run(&["doctor"]).exits(0);
    assert!(ran.out.contains("look  profile"), "{}", ran.out);
    desk.run(&[
        "init",
        "csms",
        "--url",
        "ws://127.0.0.1:1/ocpp",
        "--identity",
        "A",
    ])
    .exits(0);
    let ran = desk.run(&["doctor"]).exits(3);
    assert!(ran.out.contains("bad   connection"), "{}", ran.out);
}

#[test]
fn the_reference_devices_serve_each_other() {
    let desk = Desk::new();
    let mut csms = desk
        .command(&["serve", "csms", "--listen", "127.0.0.1:0", "--tag", "VALID-1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(csms.stdout.take().unwrap()).lines();
    let ready: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let url = format!("ws://127.0.0.1:{}/ocpp", ready["listening"]);

    desk.run(&["init", "csms", "--url", &url, "--identity", "A", "--from-dut"])
        .exits(0);
    let profile = desk.read("plugfest.toml");
    assert!(profile.contains("registration = \"Accepted\""), "{profile}");
    let ran = desk.run(&["doctor", "--ask"]).exits(0);
    assert!(
        ran.out.contains("ok    connection   upgraded as `A`"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("ok    clock        0 s off"), "{}", ran.out);

    let mut station = desk
        .command(&["serve", "station", "--url", &url, "--identity", "S"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut hands = station.stdin.take().unwrap();
    let mut said = BufReader::new(station.stdout.take().unwrap()).lines();
    hands
        .write_all(b"{\"id\":1,\"verb\":\"ev.plug\",\"args\":{\"connector\":1}}\n")
        .unwrap();
    let answer: Value = serde_json::from_str(&said.next().unwrap().unwrap()).unwrap();
    assert_eq!(answer, serde_json::json!({"id": 1, "outcome": "done"}));
    drop(hands);
    assert!(
        station.wait().unwrap().success(),
        "it ends with its standard input"
    );
    drop(csms.stdin.take());
    assert!(csms.wait().unwrap().success());
}

#[test]
fn a_station_tells_init_what_it_is() {
    let desk = Desk::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let listen = format!("127.0.0.1:{port}");
    let mut station = desk
        .command(&[
            "serve",
            "station",
            "--url",
            &format!("ws://{listen}"),
            "--identity",
            "S",
            "--connectors",
            "2",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    desk.run(&["init", "station", "--listen", &listen, "--from-dut"])
        .exits(0);
    drop(station.stdin.take());
    assert!(station.wait().unwrap().success());
    let profile = desk.read("plugfest.toml");
    for line in [
        "identity = \"S\"\n",
        "connectors = 2\n",
        "# Does it implement the Core profile? (the device says so)\nCore = true\n",
    ] {
        assert!(profile.contains(line), "`{line}` is missing in {profile}");
    }
    assert!(
        profile.contains("fixed_cable = false  # TODO"),
        "what only a person can answer is marked: {profile}"
    );
}

#[test]
fn driver_check_looks_ahead_and_driver_try_does() {
    let desk = Desk::new();
    let base =
        "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP1\"\nlisten = \"127.0.0.1:0\"\n";
    desk.file("plugfest.toml", base);
    let ran = desk.run(&["driver", "check", "remote/cable-first"]).exits(3);
    assert!(
        ran.out.contains("blocked") && ran.out.contains("ev.plug"),
        "{}",
        ran.out
    );
    desk.run(&["driver", "try"])
        .exits(2)
        .complains("no action is configured");
    let hands = "[driver]\napi = 1\ndefault = \"sh\"\n[driver.backends.sh]\nkind = \"exec\"\n\
                 command = [\"sh\", \"-c\", \"test $PLUGFEST_VERB != ev.unplug\"]\n";
    desk.file("plugfest.toml", format!("{base}{hands}"));
    let ran = desk.run(&["driver", "check", "remote/cable-first"]).exits(0);
    assert!(
        ran.out.contains("ev.plug") && !ran.out.contains("blocked"),
        "{}",
        ran.out
    );
    let ran = desk
        .run(&["driver", "try", "ev.plug", "--arg", "connector=1"])
        .exits(0);
    assert!(ran.out.contains("done"), "{}", ran.out);
    let ran = desk.run(&["driver", "try", "ev.unplug"]).exits(3);
    assert!(ran.out.contains("failed"), "{}", ran.out);
    desk.run(&["driver", "try", "ev.plgu"])
        .exits(2)
        .complains("did you mean `ev.plug`?");
}

#[test]
fn completions_name_the_commands() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let out = desk.run(&["completions", shell]).exits(0).out;
        assert!(out.contains("plugfest") && out.contains("judge"), "{shell}");
    }
}

#[test]
fn help_is_no_error_and_a_reader_may_leave() {
    let desk = Desk::new();
    assert!(desk.run(&["--help"]).exits(0).out.contains("Exit codes"));
    let mut child = desk
        .command(&["explain"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_loud() {
    let desk = Desk::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = desk.command(&["list", "--json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("standard output cannot be written")
    );
}

#[test]
fn the_case_of_the_manual_is_in_order() {
    let manual = include_str!("../../../docs/writing-a-case.md");
    let indented = manual
        .lines()
        .skip_while(|line| !line.starts_with("    case "))
        .take_while(|line| *line != "**2. Check it.**");
    let mut case = String::new();
    for line in indented {
        case.push_str(line.strip_prefix("    ").unwrap_or(line));
        case.push('\n');
        if line == "    end" {
            break;
        }
    }
    let desk = Desk::new();
    desk.file("ours/plug-and-leave.case", &case);
    desk.run(&["check", "--strict", "ours"]).exits(0);
    desk.run(&["fmt", "--check", "ours"]).exits(0);
    desk.run(&["show", "ours/plug-and-leave", "--cases", "ours", "--diagram"])
        .exits(0);
}
