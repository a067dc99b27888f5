//! A CSMS that breaks every rule gets a verdict with evidence, in bounded time, and is never taken for a good one.

use std::time::Duration;

use tokio_tungstenite::tungstenite::Message;

use crate::live::{Live, csms_profile, free_port, results};
use crate::peer::{converse, honest, listen, swallow, upgrade, write};
use crate::support::Desk;

/// How long one case may take with a device that is waited a second for.
const LIMIT: Duration = Duration::from_secs(40);
/// The header of a text frame that announces a payload of 2^40 bytes.
const ENDLESS: [u8; 10] = [0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0];

/// Plays one case against the CSMS at a port, and gives its verdict and the exit code back.
#[track_caller]
fn meets(port: u16) -> (String, i32) {
    let desk = Desk::new();
    desk.file("plugfest.toml", csms_profile(port));
    let ran = Live::start(&desk, &["run", "--out", "o", "boot/accepted"], LIMIT).ends();
    let code = ran.code.unwrap();
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let found = results(&desk, "o");
    let cases = found["cases"].as_array().unwrap();
    // A device that nobody reached has no result line.
    let verdict = cases
        .first()
        .map_or("not run", |case| case["verdict"].as_str().unwrap());
    assert_eq!(found["exit"], code, "{found}");
    (verdict.to_owned(), code)
}

#[track_caller]
fn is_undecided(port: u16) {
    let (verdict, code) = meets(port);
    let undecided = ["inconclusive", "error", "not run", "blocked"].contains(&verdict.as_str());
    assert!(
        undecided && code == 3 || verdict == "fail" && code == 1,
        "{verdict}, exit {code}"
    );
}

#[track_caller]
fn fails(port: u16) {
    assert_eq!(meets(port), ("fail".to_owned(), 1));
}

#[test]
fn an_honest_csms_passes() {
    let port = listen(|stream| {
        if let Some(mut socket) = upgrade(stream) {
            converse(&mut socket, |id, action, _| vec![honest(id, action)]);
        }
    });
    assert_eq!(meets(port), ("pass".to_owned(), 0), "or the others prove nothing");
}

#[test]
fn one_that_refuses_connections() {
    let desk = Desk::new();
    desk.file("plugfest.toml", csms_profile(free_port()));
    let ran = Live::start(&desk, &["run", "--out", "o", "boot/accepted"], LIMIT).ends();
    ran.exits(3).complains("was not reached");
    let found = results(&desk, "o");
    assert_eq!(found["counts"]["pass"], 0);
}

#[test]
fn one_that_closes_at_once() {
    is_undecided(listen(drop));
}

#[test]
fn one_that_sends_garbage_instead_of_http() {
    is_undecided(listen(|stream| {
        let garbage: Vec<u8> = (0..100_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        write(&stream, &garbage);
        swallow(&stream);
    }));
}

#[test]
fn one_that_never_answers_the_upgrade() {
    is_undecided(listen(|stream| swallow(&stream)));
}

#[test]
fn one_that_never_answers_a_call() {
    fails(listen(|stream| {
        if let Some(socket) = upgrade(stream) {
            swallow(socket.get_ref());
        }
    }));
}

#[test]
fn one_that_floods() {
    fails(listen(|stream| {
        let Some(mut socket) = upgrade(stream) else { return };
        for n in 0..5_000 {
            let call = format!("[2,\"flood-{n}\",\"GetConfiguration\",{{}}]");
            if socket.send(Message::text(call)).is_err() {
                return;
            }
        }
        swallow(socket.get_ref());
    }));
}

#[test]
fn one_that_sends_a_frame_of_20_mb() {
    is_undecided(listen(|stream| {
        let Some(mut socket) = upgrade(stream) else { return };
        drop(socket.send(Message::text("x".repeat(20 << 20))));
        swallow(socket.get_ref());
    }));
}

#[test]
fn one_whose_frame_never_ends() {
    is_undecided(listen(|stream| {
        let Some(socket) = upgrade(stream) else { return };
        write(socket.get_ref(), &ENDLESS);
        while write(socket.get_ref(), &vec![b'x'; 65_536]) {}
    }));
}

#[test]
fn one_that_sends_wrong_utf8() {
    fails(listen(|stream| {
        let Some(socket) = upgrade(stream) else { return };
        write(socket.get_ref(), &[0x81, 3, b'[', 0xC3, 0x28]);
        swallow(socket.get_ref());
    }));
}

#[test]
fn one_that_answers_twice() {
    fails(listen(|stream| {
        if let Some(mut socket) = upgrade(stream) {
            converse(&mut socket, |id, action, _| {
                vec![honest(id, action), honest(id, action)]
            });
        }
    }));
}

#[test]
fn one_that_answers_with_a_wrong_id() {
    fails(listen(|stream| {
        if let Some(mut socket) = upgrade(stream) {
            converse(&mut socket, |_, action, _| vec![honest("nobody-asked", action)]);
        }
    }));
}
