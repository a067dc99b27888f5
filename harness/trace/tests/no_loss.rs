//! What is recorded is read back without loss, whatever it is.

use std::collections::BTreeMap;

use plugfest_protocol::{Json, Number, Timestamp};
use plugfest_trace::{
    CaseSource, Cause, Data, Ending, Event, Head, Marker, OpenConnection, Outcome, Party, Premise, Recorder,
    SCHEMA, SourceFile, What, read_trace,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

/// Texts as a hostile peer sends them: control characters, quotes, line breaks, what XML forbids, long ones.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-zA-Z0-9 ./:-]{0,20}",
        Just("\u{0}\u{1b}[31m\n\r\t\"\\\u{fffe}\u{2028}\u{202e}]]>é😀".to_owned()),
        (1..2000_usize).prop_map(|n| "x".repeat(n)),
    ]
}

fn json() -> impl Strategy<Value = Json> {
    let number = "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(|text| Json::Number(Number::parse(&text).expect("the pattern is that of JSON"))),
        text().prop_map(Json::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::Array),
            vec((text(), inner), 0..4).prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![Just(Party::Dut), Just(Party::Us)]
}

fn cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        Just(Cause::Story),
        Just(Cause::Ordinary),
        Just(Cause::Probe),
        Just(Cause::Stimulus)
    ]
}

fn head() -> impl Strategy<Value = Head> {
    (text(), vec((text(), text()), 0..4)).prop_map(|(line, headers)| Head { line, headers })
}

fn flaws() -> impl Strategy<Value = Vec<String>> {
    vec(text(), 0..3)
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![
        text().prop_map(|text| Data::Text { text }),
        vec(any::<u8>(), 0..50).prop_map(|bytes| Data::of(2, &bytes)),
        (text(), any::<u64>(), "[0-9a-f]{64}").prop_map(|(head, length, sha256)| Data::Large {
            head,
            length,
            sha256
        }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(Outcome::Skipped),
        json().prop_map(|value| Outcome::Returned { value }),
        text().prop_map(|why| Outcome::Unsupported { why }),
        text().prop_map(|why| Outcome::Failed { why }),
    ]
}

fn link() -> impl Strategy<Value = What> {
    let opened = (
        any::<u32>(),
        text(),
        party(),
        head(),
        head(),
        option::of(text()),
        flaws(),
        option::of(text()),
    );
    let refused = (
        any::<u32>(),
        text(),
        party(),
        option::of(head()),
        option::of(head()),
        text(),
        flaws(),
    );
    prop_oneof![
        opened.prop_map(
            |(conn, identity, by, request, response, subprotocol, flaws, security)| What::Opened {
                conn,
                identity,
                by,
                request,
                response,
                subprotocol,
                flaws,
                security
            }
        ),
        refused.prop_map(
            |(conn, identity, by, request, response, reason, flaws)| What::Refused {
                conn,
                identity,
                by,
                request,
                response,
                reason,
                flaws
            }
        ),
        (any::<u32>(), party(), option::of(any::<u16>()), text(), flaws()).prop_map(
            |(conn, from, code, reason, flaws)| What::Closing {
                conn,
                from,
                code,
                reason,
                flaws
            }
        ),
        (any::<u32>(), party(), text()).prop_map(|(conn, by, how)| What::Closed { conn, by, how }),
        text().prop_map(|op| What::Link { op }),
    ]
}

fn transfer() -> impl Strategy<Value = What> {
    let began = (any::<u32>(), party(), text(), text(), head());
    let over = (
        any::<u32>(),
        option::of(any::<u16>()),
        any::<u64>(),
        option::of("[0-9a-f]{64}"),
        any::<bool>(),
        text(),
    );
    prop_oneof![
        began.prop_map(|(transfer, by, op, url, request)| What::Transfer {
            transfer,
            by,
            op,
            url,
            request
        }),
        over.prop_map(
            |(transfer, status, length, sha256, whole, reason)| What::Transferred {
                transfer,
                status,
                length,
                sha256,
                whole,
                reason
            }
        ),
    ]
}

fn what() -> impl Strategy<Value = What> {
    let frame = (
        any::<u32>(),
        party(),
        any::<u8>(),
        data(),
        flaws(),
        option::of(cause()),
    );
    prop_oneof![
        4 => frame.prop_map(|(conn, from, opcode, data, flaws, cause)| What::Frame {
            conn, from, opcode, data, flaws, cause
        }),
        3 => link().boxed(),
        1 => (any::<u32>(), text(), json()).prop_map(|(call, verb, args)| What::Asked { call, verb, args }),
        1 => (any::<u32>(), outcome()).prop_map(|(call, outcome)| What::Performed { call, outcome }),
        1 => (text(), text()).prop_map(|(what, text)| What::Process { what, text }),
        1 => text().prop_map(|name| What::Stage { name }),
        1 => text().prop_map(|by| What::Interrupted { by }),
        1 => Just(What::Tick),
        1 => transfer().boxed(),
    ]
}

fn case() -> impl Strategy<Value = CaseSource> {
    let files = vec(
        (text(), text()).prop_map(|(path, text)| SourceFile { path, text }),
        0..3,
    );
    (text(), text(), files).prop_map(|(id, sha256, files)| CaseSource { id, sha256, files })
}

fn premise() -> impl Strategy<Value = Premise> {
    let map = || btree_map(text(), json(), 0..3);
    let connection =
        (any::<u32>(), text(), option::of(text())).prop_map(|(conn, identity, subprotocol)| OpenConnection {
            conn,
            identity,
            subprotocol,
        });
    let words = (text(), text(), text(), text(), option::of(case()));
    let maps = (map(), json(), map(), map(), vec(connection, 0..3));
    (
        words,
        maps,
        option::of(any::<u64>()),
        any::<u64>(),
        option::of(vec(text(), 0..3)),
    )
        .prop_map(
            |(
                (tool, protocol, dut, identity, case),
                (for_values, values, pics, facts, connections),
                vary,
                seed,
                driver,
            )| {
                Premise {
                    schema: SCHEMA.to_owned(),
                    tool,
                    protocol,
                    dut,
                    identity,
                    case,
                    for_values,
                    values,
                    pics,
                    facts,
                    connections,
                    vary,
                    seed,
                    driver,
                }
            },
        )
}

fn record(premise: Premise, whats: Vec<(i64, What)>) -> (Vec<u8>, Vec<Event>) {
    let at = Timestamp::from_micros(-1);
    let (mut recorder, first) =
        Recorder::start(Vec::new(), "t", Marker::none(), at, premise).expect("memory takes all");
    let mut events = vec![first];
    for (at, what) in whats {
        events.push(
            recorder
                .record(Timestamp::from_micros(at), what)
                .expect("memory takes all"),
        );
    }
    let (bytes, end) = recorder.finish(at).expect("memory takes all");
    events.push(end);
    (bytes, events)
}

/// Equality of [`Json`] is that of meaning; the texts of numbers and the order of keys must survive as well.
fn letter_by_letter(events: &[Event]) -> String {
    events
        .iter()
        .map(|event| format!("{event:?}\n"))
        .collect::<Vec<_>>()
        .concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn events_are_read_as_they_were_written(premise in premise(), whats in vec((any::<i64>(), what()), 0..8)) {
        // Marking is off only where nothing is secret, so what goes in must be what comes out.
        let given: Vec<What> = whats.iter().map(|(_, what)| what.clone()).collect();
        let (bytes, events) = record(premise.clone(), whats);
        let read = read_trace(bytes.as_slice(), "t").unwrap();
        prop_assert_eq!(letter_by_letter(&read.events), letter_by_letter(&events));
        prop_assert_eq!(read.ending, Ending::Finished);
        prop_assert_eq!(format!("{:?}", read.premise()), format!("{:?}", Some(&premise)));
        let came: Vec<&What> = read.events[1..read.events.len() - 1].iter().map(|event| &event.what).collect();
        prop_assert_eq!(format!("{came:?}"), format!("{given:?}"));
    }

    #[test]
    fn a_trace_that_was_cut_anywhere_gives_its_whole_events(
        whats in vec((any::<i64>(), what()), 1..5),
        share in 0.0..1.0_f64,
    ) {
        let premise = Premise { identity: "CS1".to_owned(), ..blank() };
        let (bytes, events) = record(premise, whats);
        let first = bytes.iter().position(|&b| b == b'\n').expect("the premise ends") + 1;
        let cut = first + ((bytes.len() - first) as f64 * share) as usize;
        let read = read_trace(&bytes[..cut], "t").unwrap();
        let whole = bytes[..cut].split(|&b| b == b'\n').count() - 1;
        prop_assert!(read.events.len() == whole || read.events.len() == whole + 1);
        prop_assert_eq!(letter_by_letter(&read.events), letter_by_letter(&events[..read.events.len()]));
    }

    #[test]
    fn no_text_makes_the_reader_panic(bytes in vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z0-9\n]{0,80}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            prop_assert!(read_trace(input, "t").is_err());
        }
    }
}

fn blank() -> Premise {
    Premise {
        schema: SCHEMA.to_owned(),
        tool: String::new(),
        protocol: "OCPP-1.6".to_owned(),
        dut: "station".to_owned(),
        identity: String::new(),
        case: None,
        for_values: BTreeMap::new(),
        values: Json::empty(),
        pics: BTreeMap::new(),
        facts: BTreeMap::new(),
        connections: Vec::new(),
        vary: None,
        seed: 0,
        driver: None,
    }
}
