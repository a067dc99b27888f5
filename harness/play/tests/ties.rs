//! What the wire reports by name, a rule of the judge knows by that name: a flaw that nobody judges would go unseen.

use plugfest_judge::rules;
use plugfest_play::wire::{HeadFlaw, WireFlaw};

/// One flaw of each kind, and its number; a new kind does not compile until it has one.
fn wire() -> Vec<WireFlaw> {
    use WireFlaw as F;
    let all = vec![
        F::NonMinimalLength { bits: 16, len: 1 },
        F::LengthHighBit,
        F::ReservedOpcode(3),
        F::RsvBits(4),
        F::Unmasked,
        F::Masked,
        F::ControlTooLong(126),
        F::ControlFragmented,
        F::BadContinuation,
        F::UnfinishedMessage,
        F::InvalidUtf8 { at: 0 },
        F::BadCloseCode(1005),
        F::BadCloseLength,
        F::AfterClose,
        F::TooLarge(1),
        F::TooManyFragments(1),
        F::Truncated { missing: 1 },
    ];
    let number = |flaw: &F| match flaw {
        F::NonMinimalLength { .. } => 0,
        F::LengthHighBit => 1,
        F::ReservedOpcode(_) => 2,
        F::RsvBits(_) => 3,
        F::Unmasked => 4,
        F::Masked => 5,
        F::ControlTooLong(_) => 6,
        F::ControlFragmented => 7,
        F::BadContinuation => 8,
        F::UnfinishedMessage => 9,
        F::InvalidUtf8 { .. } => 10,
        F::BadCloseCode(_) => 11,
        F::BadCloseLength => 12,
        F::AfterClose => 13,
        F::TooLarge(_) => 14,
        F::TooManyFragments(_) => 15,
        F::Truncated { .. } => 16,
    };
    let numbers: Vec<usize> = all.iter().map(number).collect();
    assert_eq!(numbers, (0..17).collect::<Vec<_>>());
    all
}

fn head() -> Vec<HeadFlaw> {
    use HeadFlaw as F;
    let all = vec![
        F::Truncated,
        F::TooLarge(1),
        F::TooManyHeaders(1),
        F::BareLf(1),
        F::BadRequestLine,
        F::BadStatusLine,
        F::FoldedLine(1),
        F::BadHeaderLine(1),
        F::NonAscii(1),
        F::NotGet("PUT".to_owned()),
        F::OldHttp("HTTP/1.0".to_owned()),
        F::Host(0),
        F::NoUpgrade,
        F::NoConnectionUpgrade,
        F::Key(0),
        F::BadKey,
        F::BadVersion("8".to_owned()),
        F::EarlyData(1),
        F::NotSwitching(404),
        F::BadAccept,
        F::UnofferedSubprotocol("x".to_owned()),
        F::ManySubprotocols(2),
        F::UnofferedExtension("x".to_owned()),
    ];
    let number = |flaw: &F| match flaw {
        F::Truncated => 0,
        F::TooLarge(_) => 1,
        F::TooManyHeaders(_) => 2,
        F::BareLf(_) => 3,
        F::BadRequestLine => 4,
        F::BadStatusLine => 5,
        F::FoldedLine(_) => 6,
        F::BadHeaderLine(_) => 7,
        F::NonAscii(_) => 8,
        F::NotGet(_) => 9,
        F::OldHttp(_) => 10,
        F::Host(_) => 11,
        F::NoUpgrade => 12,
        F::NoConnectionUpgrade => 13,
        F::Key(_) => 14,
        F::BadKey => 15,
        F::BadVersion(_) => 16,
        F::EarlyData(_) => 17,
        F::NotSwitching(_) => 18,
        F::BadAccept => 19,
        F::UnofferedSubprotocol(_) => 20,
        F::ManySubprotocols(_) => 21,
        F::UnofferedExtension(_) => 22,
    };
    let numbers: Vec<usize> = all.iter().map(number).collect();
    assert_eq!(numbers, (0..23).collect::<Vec<_>>());
    all
}

#[test]
fn every_flaw_of_a_frame_has_its_rule() {
    let lone: Vec<String> = wire()
        .iter()
        .map(|flaw| format!("wire/{}", flaw.id()))
        .filter(|id| rules::find(id).is_none())
        .collect();
    assert_eq!(lone, [""; 0]);
}

#[test]
fn every_flaw_of_an_upgrade_has_its_rule() {
    let lone: Vec<String> = head()
        .iter()
        .map(|flaw| format!("upgrade/{}", flaw.id().trim_start_matches("upgrade-")))
        .filter(|id| rules::find(id).is_none())
        .collect();
    // That a server refuses is no flaw of its head: the story says whether it may.
    assert_eq!(lone, ["upgrade/refused"]);
}

/// A rule that judges a flaw by its name is dead if nothing reports that name.
#[test]
fn every_rule_of_a_flaw_has_its_flaw() {
    let reported: Vec<String> = wire().iter().map(|flaw| format!("wire/{}", flaw.id())).collect();
    let dead: Vec<&str> = rules::all()
        .iter()
        .map(|info| info.id)
        .filter(|id| id.starts_with("wire/") && !reported.iter().any(|r| r == id))
        .collect();
    // Binary messages are told by their opcode.
    assert_eq!(dead, ["wire/binary-message"]);
}
