//! The negative matrix is seen red: a device that refuses all is doctored to accept one wrong frame, to say nothing to
//! one, or to hang up on one, and each time just that frame is blamed.

use std::collections::BTreeMap;
use std::time::Duration;

use plugfest_judge::{Negatives, Outcome, Reactions, Verdict, judge};
use plugfest_protocol::{Edition, Frame, Part, minimal, read_frame};
use plugfest_trace::{Data, Event, Party, What, read_trace};

use crate::live::{Live, results};
use crate::support::Desk;

const LIMIT: Duration = Duration::from_mins(2);

/// The text of a frame of one side.
fn text_of(event: &Event, side: Party) -> Option<&str> {
    match &event.what {
        What::Frame {
            from,
            data: Data::Text { text },
            ..
        } if *from == side => Some(text),
        _ => None,
    }
}

/// The CALLs of ours that were refused: place of the CALL, place of the CALLERROR, action.
fn refused(edition: &Edition, events: &[Event]) -> Vec<(usize, usize, String)> {
    let mut calls = BTreeMap::new();
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let read = |side| text_of(event, side).and_then(|text| read_frame(edition, text).frame);
        if let Some(Frame::Call { id, action, .. }) = read(Party::Us) {
            calls.insert(id, (at, action));
        }
        if let Some(Frame::CallError { id, .. }) = read(Party::Dut)
            && let Some((call, action)) = calls.remove(&id)
        {
            found.push((call, at, action));
        }
    }
    found
}

fn all(negatives: &Negatives) -> Reactions {
    let mut all = Reactions::default();
    negatives.values().for_each(|reactions| all.add(*reactions));
    all
}

/// True where a rule with this beginning says something of this event.
fn blames(outcome: &Outcome, rule: &str, seq: u64) -> bool {
    let mut findings = outcome.findings.iter();
    findings
        .any(|found| found.rule.starts_with(rule) && (found.event == Some(seq) || found.again.contains(&seq)))
}

#[test]
fn each_way_to_mishandle_a_wrong_frame_is_seen() {
    let desk = Desk::new();
    let arguments = ["run", "--out", "o", "--select", "id:negative/*"];
    Live::start(&desk, &arguments, LIMIT).ends().exits(0);
    let ran = results(&desk, "o");
    let edition = Edition::by_name("OCPP-1.6").unwrap();
    let sent: u64 = ran["negatives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| {
            assert_eq!(class["sent"], class["handled"], "{class}");
            class["sent"].as_u64().unwrap()
        })
        .sum();
    assert!(sent > 1_500, "{sent} negatives");

    let (mut accepted, mut tolerated, mut contested, mut hung_up) = (0, 0, 0, 0);
    for case in ran["cases"].as_array().unwrap() {
        let trace = desk.read(case["trace"].as_str().unwrap());
        let events = read_trace(trace.as_bytes(), "a run").unwrap().events;
        let places = refused(edition, &events);
        // The first, one in the middle and the last of each case stand for all.
        let some = [0, places.len() / 2, places.len().saturating_sub(1)];
        for (call, answer, action) in some.iter().filter_map(|n| places.get(*n)) {
            let name = format!("{} at event {call}", case["id"]);
            let seq = events[*answer].seq;

            // Accepted: the smallest good response stands for the refusal.
            let mut doctored = events.clone();
            let Some(Frame::CallError { id, .. }) =
                text_of(&events[*answer], Party::Dut).and_then(|text| read_frame(edition, text).frame)
            else {
                panic!("{name}: no CALLERROR");
            };
            let payload = if edition.action(action).is_some() {
                minimal(edition, action, Part::Response)
            } else {
                plugfest_protocol::Json::empty()
            };
            if let What::Frame { data, .. } = &mut doctored[*answer].what {
                let text = Frame::CallResult { id, payload }.to_text();
                *data = Data::Text { text };
            }
            let outcome = judge(&doctored).unwrap();
            let told = all(&outcome.negatives);
            match (told.mishandled, told.tolerated) {
                (1, 0) => {
                    accepted += 1;
                    assert_eq!(outcome.verdict, Verdict::Fail, "{name}");
                    assert!(blames(&outcome, "", seq), "{name}: {:?}", outcome.findings);
                }
                (0, 1) => {
                    tolerated += 1;
                    assert!(blames(&outcome, "", seq), "{name}");
                }
                (0, 0) => contested += 1,
                other => panic!("{name}: {other:?} of {told:?}"),
            }

            // Hung up: the connection ends instead, and the trace with it.
            let mut doctored = events[..=*answer].to_vec();
            let What::Frame { conn, .. } = events[*answer].what else {
                panic!("{name}: no frame");
            };
            doctored[*answer].what = What::Closed {
                conn,
                by: Party::Dut,
                how: "eof".to_owned(),
            };
            let outcome = judge(&doctored).unwrap();
            // What parts the two when it is taken, wrong as it was, may have been taken.
            let parts = [
                "Reset",
                "UpdateFirmware",
                "SignedUpdateFirmware",
                "CertificateSigned",
            ];
            if outcome.verdict == Verdict::Fail {
                hung_up += 1;
                assert!(blames(&outcome, "liveness/closed-after-frame", seq), "{name}");
                assert_eq!(all(&outcome.negatives).mishandled, 1, "{name}");
            } else {
                assert!(parts.contains(&action.as_str()), "{name}: {}", outcome.verdict);
            }
        }
    }
    println!("{accepted} accepted, {tolerated} tolerated, {contested} contested, {hung_up} hung up on");
    assert!(
        accepted > 60 && hung_up > 100,
        "{accepted} accepted, {hung_up} hung up on"
    );
    assert!(contested * 10 < accepted, "{contested} contested");
}

#[test]
fn silence_to_a_wrong_frame_is_blamed_on_that_frame() {
    let desk = Desk::new();
    let arguments = [
        "run",
        "--out",
        "o",
        "--select",
        "id:negative/*-authorize or id:negative/*-unlock-connector",
    ];
    Live::start(&desk, &arguments, LIMIT).ends().exits(0);
    let edition = Edition::by_name("OCPP-1.6").unwrap();
    let mut silent = 0;
    for case in results(&desk, "o")["cases"].as_array().unwrap() {
        let trace = desk.read(case["trace"].as_str().unwrap());
        let events = read_trace(trace.as_bytes(), "a run").unwrap().events;
        for (call, answer, _) in refused(edition, &events) {
            let mut doctored = events.clone();
            // Nothing comes, and the time for it passes.
            doctored[answer].what = What::Tick;
            for event in &mut doctored[answer..] {
                event.at = event.at.plus(Duration::from_secs(40));
            }
            let outcome = judge(&doctored).unwrap();
            let seq = events[call].seq;
            // A reader may refuse a text with a key twice as a whole, and has no id to answer to then.
            let text = text_of(&events[call], Party::Us).unwrap();
            if ["\"idTag\":", "\"connectorId\":"]
                .iter()
                .any(|key| text.matches(key).count() > 1)
            {
                continue;
            }
            silent += 1;
            assert_eq!(outcome.verdict, Verdict::Fail, "{} at event {call}", case["id"]);
            assert!(blames(&outcome, "answers/missing", seq), "{:?}", outcome.findings);
            // Frames whose payload is no object go out together, and then the answers to the others are late too.
            let told = all(&outcome.negatives);
            assert!((1..7).contains(&told.mishandled), "{told:?}");
        }
    }
    assert!(silent > 15, "{silent} silences");
}
