//! A person as the hands of a test, at a standard input that is no terminal.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use crate::live::{Live, csms_profile, results};
use crate::peer::{converse, honest, listen, upgrade};
use crate::support::{Desk, Ran};

const LIMIT: Duration = Duration::from_secs(40);

/// A desk with a case that an operator has to help with, at an honest CSMS.
fn desk(timeout: &str) -> Desk {
    let port = listen(|stream| {
        if let Some(mut socket) = upgrade(stream) {
            converse(&mut socket, |id, action, _| vec![honest(id, action)]);
        }
    });
    let desk = Desk::new();
    let driver = "[driver]\napi = 1\ndefault = \"person\"\n[driver.backends.person]\nkind = \"manual\"\n";
    desk.file(
        "plugfest.toml",
        format!("{}{driver}{timeout}", csms_profile(port)),
    );
    desk.file(
        "own/a.case",
        "case own/hands \"Somebody blocks a tag\"\n  spec     OCPP-1.6 \"4.6\"\n  tests    csms\n\n  \
         operate  csms.token(id: $tag.valid, status: Blocked)\n  station: Heartbeat {}\n  \
         csms:    => { currentTime: any }\nend\n",
    );
    desk
}

const ASKED: &str = ">>> ";

/// Runs the case, and answers each question with the next line; then standard input ends.
fn answering(desk: &Desk, answers: &[&str]) -> Ran {
    let mut command = desk.command(&["run", "--input", "--out", "o", "--cases", "own", "own/*"]);
    command.stdin(Stdio::piped());
    let mut live = Live::of(command, LIMIT);
    let mut input = live.input();
    for answer in answers {
        live.says(ASKED);
        writeln!(input, "{answer}").unwrap();
    }
    if answers.is_empty() {
        live.says(ASKED);
    }
    drop(input);
    live.ends()
}

/// The verdict of the case and its reason.
fn verdict(desk: &Desk) -> (String, String) {
    let found = results(desk, "o");
    let text = |name: &str| found["cases"][0][name].as_str().unwrap().to_owned();
    (text("verdict"), text("reason"))
}

#[test]
fn what_a_person_answers_counts() {
    let desk = desk("");
    let ran = answering(&desk, &["y"]).exits(0);
    // The words: what to do, with what, and how to answer.
    for says in ["VALID-1", "Blocked", "[y, n or skip]"] {
        assert!(ran.err.contains(says), "`{says}` is missing in {}", ran.err);
    }
    assert!(ran.out.contains("1 prompt for hands"), "{}", ran.out);
    assert_eq!(verdict(&desk).0, "pass");

    let (ran, said) = (answering(&desk, &["n"]), verdict(&desk));
    ran.exits(3);
    assert_eq!(said.0, "blocked");
    assert!(said.1.contains("the person said no"), "{said:?}");

    let (ran, said) = (answering(&desk, &["skip"]), verdict(&desk));
    assert_ne!(ran.code, Some(1), "{}", ran.out);
    assert_ne!(said.0, "pass");

    // What is no answer is asked again.
    let ran = answering(&desk, &["what?", "", "yes"]).exits(0);
    assert_eq!(ran.err.matches(ASKED).count(), 3, "{}", ran.err);
}

#[test]
fn an_input_that_ends_is_nobody() {
    let desk = desk("");
    answering(&desk, &[]).exits(3);
    let (verdict, reason) = verdict(&desk);
    assert_eq!(verdict, "blocked");
    assert!(reason.contains("nobody answers"), "{reason}");
}

#[test]
fn a_person_who_takes_too_long_is_an_error_of_nobody_but_the_driver() {
    let desk = desk("timeout_s = 1\n");
    let mut command = desk.command(&["run", "--input", "--out", "o", "--cases", "own", "own/*"]);
    command.stdin(Stdio::piped());
    let mut live = Live::of(command, LIMIT);
    let input = live.input();
    live.says(ASKED);
    let ran = live.ends().exits(3);
    drop(input);
    let (verdict, reason) = verdict(&desk);
    assert!(["error", "blocked"].contains(&verdict.as_str()), "{verdict}");
    assert!(reason.contains("1 s"), "{reason}\n{}", ran.err);
}

#[test]
fn nobody_is_asked_who_may_not_be() {
    let desk = desk("");
    for (more, why) in [
        (vec!["--no-input"], "--no-input is given"),
        (vec![], "standard input is no terminal"),
    ] {
        let base = ["run", "--out", "o", "--cases", "own", "own/*"];
        let ran = Live::start(&desk, &[&base[..], &more].concat(), LIMIT)
            .ends()
            .exits(3);
        assert!(!ran.err.contains(ASKED), "{}", ran.err);
        let (verdict, reason) = verdict(&desk);
        assert_eq!(verdict, "blocked");
        assert!(reason.contains("csms.token") && reason.contains(why), "{reason}");
    }
    desk.run(&["run", "--input", "--no-input"])
        .exits(2)
        .complains("cannot be used with");
}
