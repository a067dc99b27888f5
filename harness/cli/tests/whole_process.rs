//! The device as a process of ours: it is started, watched, started again after a crash, and never left behind; and what a
//! signal in the middle of a case does with it.

use std::fs;
use std::process::Command;
use std::time::Duration;

use plugfest_play::clock::Clock;
use serde_json::Value;

use crate::live::{Live, csms_profile, free_port, results};
use crate::support::Desk;

const LIMIT: Duration = Duration::from_mins(1);
const REPORTS: [&str; 4] = ["junit.xml", "report.html", "results.json", "summary.md"];
const BINARY: &str = env!("CARGO_BIN_EXE_plugfest");

/// The program that is the device: it says a word before it begins, and keeps its process id then.
fn command(device: &str) -> String {
    format!(
        "command = [\"sh\", \"-c\", \"echo good morning >&2; exec \\\"$0\\\" serve {device} --detached\", '{BINARY}']\n"
    )
}

/// A station at a port of its own, patient for two seconds.
fn station_profile() -> String {
    let port = free_port();
    format!(
        "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP-1\"\nlisten = \"127.0.0.1:{port}\"\n{}\
         [timeouts]\nmessage = 2\naction = 2\nreboot = 20\nlong = 20\n",
        command(&format!(
            "station --identity CP-1 --url ws://127.0.0.1:{port}/ocpp"
        ))
    )
}

fn office_profile() -> String {
    let port = free_port();
    csms_profile(port).replace(
        "[pools",
        &format!("{}[pools", command(&format!("csms --listen 127.0.0.1:{port}"))),
    )
}

/// A case of one side that stands still for some seconds before its device is to say something.
fn pause(id: &str, side: &str, given: &str, seconds: u32) -> String {
    let last = if side == "station" {
        "  csms:    ClearCache {}\n  station: => { status: any }\n"
    } else {
        "  station: Heartbeat {}\n  csms:    => { currentTime: any }\n"
    };
    format!(
        "case own/{id} \"The device is left alone for a while\"\n  spec     OCPP-1.6 \"4.6\"\n  given    {given}\n  tests    {side}\n\n\
         {last}  wait     {seconds}s\n{last}end\n"
    )
}

fn trace(case: &str, side: &str) -> String {
    format!("o/traces/own.{case}.{side}.trace")
}

/// The process ids that a trace names, in order.
fn ids(trace: &str) -> Vec<String> {
    let words = trace.split("\"started\",\"text\":\"pid ").skip(1);
    words
        .map(|rest| rest[..rest.find('"').unwrap()].to_owned())
        .collect()
}

/// Whether a process with this id is there.
fn runs(id: &str) -> bool {
    let looked = Command::new("kill").args(["-0", id]).output().unwrap();
    looked.status.success()
}

fn kill(id: &str) {
    assert!(Command::new("kill").args(["-9", id]).status().unwrap().success());
}

/// The payloads of `ChangeConfiguration` in these lines of a trace, and whether each was accepted.
fn changes(lines: &[&str]) -> Vec<(Value, bool)> {
    let frame = |line: &&str| -> Option<Value> {
        let event: Value = serde_json::from_str(line).ok()?;
        serde_json::from_str(event["what"]["frame"]["data"]["text"].as_str()?).ok()
    };
    let frames: Vec<Value> = lines.iter().filter_map(frame).collect();
    let calls = frames
        .iter()
        .filter(|it| it[0] == 2 && it[2] == "ChangeConfiguration");
    calls
        .map(|call| {
            let accepted = |it: &Value| it[0] == 3 && it[1] == call[1] && it[2]["status"] == "Accepted";
            (call[3].clone(), frames.iter().any(accepted))
        })
        .collect()
}

#[test]
fn a_signal_in_a_case_puts_the_configuration_back_and_stops_the_station() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let desk = Desk::new();
        desk.file("plugfest.toml", station_profile());
        let held = "booted, config(HeartbeatInterval: 77)";
        desk.file("own/a.case", pause("held", "station", held, 300));
        desk.file("own/b.case", pause("later", "station", "booted", 1));
        let live = Live::start(&desk, &["run", "--out", "o", "--cases", "own", "own/*"], LIMIT);
        let text = live.sees(&desk, &trace("held", "station"), "{\"name\":\"body\"}");
        let [id] = ids(&text).try_into().unwrap();
        assert!(runs(&id), "or its end proves nothing");
        live.signal(signal);
        let ran = live.ends();
        assert!(!runs(&id), "the station lives on as process {id}");
        assert_eq!(ran.code, Some(code), "{}\n{}", ran.out, ran.err);

        let text = desk.read(&trace("held", "station"));
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let at = lines
            .iter()
            .position(|line| line.contains("\"interrupted\""))
            .unwrap();
        let (before, after) = (changes(&lines[..at]), changes(&lines[at..]));
        let [(changed, true)] = before.as_slice() else {
            panic!("{before:?}")
        };
        assert_eq!(changed["value"], "77");
        let [(back, true)] = after.as_slice() else {
            panic!("{after:?}")
        };
        assert_eq!(back["key"], "HeartbeatInterval");
        assert_ne!(back["value"], "77");
        assert!(text.ends_with("\"what\":\"end\"}\n"), "the trace is whole");

        for report in REPORTS {
            assert!(!desk.read(&format!("o/{report}")).is_empty(), "{report}");
        }
        let found = results(&desk, "o");
        assert_eq!(found["interrupted"], format!("SIG{signal}"));
        assert_eq!(found["cases"].as_array().unwrap().len(), 1);
        assert_eq!(found["cases"][0]["verdict"], "inconclusive");
        assert_eq!(found["not_run"].as_array().unwrap().len(), 1, "{found}");
        Live::start(&desk, &["judge", "o"], LIMIT).ends().exits(3);
    }
}

#[test]
fn a_signal_while_the_station_is_gone_keeps_nobody_waiting() {
    let desk = Desk::new();
    desk.file("plugfest.toml", station_profile());
    let held = "booted, config(HeartbeatInterval: 77)";
    desk.file("own/a.case", pause("held", "station", held, 300));
    let live = Live::start(&desk, &["run", "--out", "o", "--cases", "own", "own/*"], LIMIT);
    let text = live.sees(&desk, &trace("held", "station"), "{\"name\":\"body\"}");
    kill(&ids(&text)[0]);
    live.sees(
        &desk,
        &trace("held", "station"),
        "\"exited\",\"text\":\"signal 9\"",
    );
    let clock = Clock::real();
    let at = clock.now();
    live.signal("INT");
    let ran = live.ends().exits(130);
    let took = clock.now().since(at);
    assert!(took < Duration::from_secs(10), "it took {took:?} to end");
    assert!(
        ran.out.contains("HeartbeatInterval may not be back"),
        "what was not put back is told: {}",
        ran.out
    );
    assert_ne!(results(&desk, "o")["cases"][0]["verdict"], "pass");
}

#[test]
fn a_station_that_crashes_is_started_again_and_stopped_at_the_end() {
    let desk = Desk::new();
    desk.file("plugfest.toml", station_profile());
    desk.file("own/a.case", pause("crash", "station", "booted", 3));
    desk.file("own/b.case", pause("next", "station", "booted", 1));
    let live = Live::start(&desk, &["run", "--out", "o", "--cases", "own", "own/*"], LIMIT);
    let text = live.sees(&desk, &trace("crash", "station"), "{\"name\":\"body\"}");
    assert!(
        text.contains("\"stderr\",\"text\":\"good morning\""),
        "its words are evidence"
    );
    let [first] = ids(&text).try_into().unwrap();
    kill(&first);
    let ran = live.ends();
    let (crash, next) = (
        desk.read(&trace("crash", "station")),
        desk.read(&trace("next", "station")),
    );
    assert!(crash.contains("\"exited\",\"text\":\"signal 9\""));
    let [second] = ids(&next).try_into().unwrap();
    assert_ne!(first, second);
    assert!(!runs(&first) && !runs(&second), "{first} or {second} lives on");
    let found = results(&desk, "o");
    let verdicts: Vec<_> = found["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["verdict"])
        .collect();
    assert_ne!(verdicts[0], "pass", "{found}");
    assert_eq!(verdicts[1], "pass", "{}", ran.out);
}

#[test]
fn a_csms_that_crashes_is_started_again_and_stopped_at_the_end() {
    let desk = Desk::new();
    desk.file("plugfest.toml", office_profile());
    desk.file("own/a.case", pause("crash", "csms", "booted", 3));
    desk.file("own/b.case", pause("next", "csms", "booted", 1));
    let live = Live::start(
        &desk,
        &["run", "--out", "o", "--cases", "own", "--jobs", "1", "own/*"],
        LIMIT,
    );
    let text = live.sees(&desk, &trace("crash", "csms"), "{\"name\":\"body\"}");
    assert!(
        text.contains("\"stderr\",\"text\":\"good morning\""),
        "its words are evidence"
    );
    let [first] = ids(&text).try_into().unwrap();
    kill(&first);
    let ran = live.ends();
    let (crash, next) = (
        desk.read(&trace("crash", "csms")),
        desk.read(&trace("next", "csms")),
    );
    assert!(crash.contains("\"exited\",\"text\":\"signal 9\""));
    let [second] = ids(&next).try_into().unwrap();
    assert_ne!(first, second);
    assert!(!runs(&first) && !runs(&second), "{first} or {second} lives on");
    let found = results(&desk, "o");
    let verdicts: Vec<_> = found["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["verdict"])
        .collect();
    assert_ne!(verdicts[0], "pass", "{found}");
    assert_eq!(verdicts[1], "pass", "{}", ran.out);
}

#[test]
fn a_device_that_never_lets_itself_be_reached_is_not_left_behind() {
    let desk = Desk::new();
    // Nobody listens at the port of the office.
    let office = "command = [\"sh\", \"-c\", \"echo $$ > id; exec sleep 600\"]\n[pools";
    desk.file(
        "plugfest.toml",
        csms_profile(free_port()).replace("[pools", office),
    );
    let live = Live::start(&desk, &["run", "--out", "o", "boot/accepted"], LIMIT);
    let id = live.writes(&desk, "id");
    assert!(runs(&id), "or its end proves nothing");
    live.ends().exits(3).complains("was not reached");
    assert!(!runs(&id), "the process {id} lives on");

    let office = "command = [\"no-such-program-here\"]\n[pools";
    desk.file(
        "plugfest.toml",
        csms_profile(free_port()).replace("[pools", office),
    );
    let ran = Live::start(&desk, &["run", "--out", "p", "boot/accepted"], LIMIT).ends();
    ran.exits(3).complains("`no-such-program-here` cannot be started");
    assert!(fs::exists(desk.path().join("p/results.json")).unwrap());
}
