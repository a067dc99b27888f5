//! What is exported is valid by the published schema of the format, and comes back as it went out.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its trace has failed")]

use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{
    Cause, Data, Event, Head, ImportAs, Marker, OpenConnection, Outcome, Party, Premise, ReadError, Recorder,
    SCHEMA, What, export, import,
};

const SCHEMA_FILE: &str = include_str!("fixtures/open-ocpp-trace/trace-v1.schema.json");

fn premise(dut: &str) -> Premise {
    Premise {
        schema: SCHEMA.to_owned(),
        tool: "plugfest 0".to_owned(),
        protocol: "OCPP-1.6".to_owned(),
        dut: dut.to_owned(),
        identity: "CS1".to_owned(),
        case: None,
        for_values: [].into(),
        values: Json::empty(),
        pics: [].into(),
        facts: [].into(),
        connections: vec![OpenConnection {
            conn: 7,
            identity: "CS7".to_owned(),
            subprotocol: None,
        }],
        vary: None,
        seed: 0,
        driver: None,
    }
}

fn frame(conn: u32, from: Party, text: &str) -> What {
    let cause = (from == Party::Us).then_some(Cause::Story);
    What::Frame {
        conn,
        from,
        opcode: 1,
        data: Data::of(1, text.as_bytes()),
        flaws: Vec::new(),
        cause,
    }
}

fn opened(conn: u32) -> What {
    let (request, response) = (Head::default(), Head::default());
    let (identity, subprotocol, flaws) = ("CS1".to_owned(), Some("ocpp1.6".to_owned()), Vec::new());
    What::Opened {
        conn,
        identity,
        by: Party::Dut,
        request,
        response,
        subprotocol,
        flaws,
        security: None,
    }
}

fn trace(dut: &str, whats: Vec<What>) -> Vec<Event> {
    let at = Timestamp::parse("2024-05-01T12:00:00.123456Z").unwrap();
    let (mut recorder, first) = Recorder::start(Vec::new(), "t", Marker::none(), at, premise(dut)).unwrap();
    let mut events = vec![first];
    events.extend(whats.into_iter().map(|what| recorder.record(at, what).unwrap()));
    events.push(recorder.finish(at).unwrap().1);
    events
}

const GOOD: [(Party, &str); 7] = [
    (
        Party::Dut,
        r#"[2,"1","StatusNotification",{"connectorId":2,"errorCode":"NoError","status":"Available"}]"#,
    ),
    (Party::Us, r#"[3,"1",{}]"#),
    (Party::Us, r#"[2, "1", "Reset", {"type":"Soft","n":1.50}]"#),
    (
        Party::Dut,
        r#"[4,"1","NotSupported","\"no\" \u0000",{"a":[1e3]}]"#,
    ),
    (Party::Dut, r#"[3,"nobody asked",{"connectorId":-1}]"#),
    (Party::Dut, r#"[2,"2","Heartbeat",{}]"#),
    (Party::Us, r#"[3,"2",{"currentTime":"2024-05-01T12:00:00Z"}]"#),
];

fn exported(events: &[Event]) -> (Vec<serde_json::Value>, plugfest_trace::Exported, Vec<u8>) {
    let mut bytes = Vec::new();
    let summary = export(events, &mut bytes).unwrap();
    let text = str::from_utf8(&bytes).unwrap();
    (
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        summary,
        bytes,
    )
}

fn as_station() -> ImportAs {
    ImportAs {
        dut: "station".to_owned(),
        version: "1.6".to_owned(),
        tool: "plugfest 0".to_owned(),
    }
}

#[test]
fn every_record_is_valid_by_the_published_schema() {
    let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA_FILE).unwrap()).unwrap();
    let whats = [opened(1)]
        .into_iter()
        .chain(GOOD.map(|(from, text)| frame(1, from, text)))
        .collect();
    for dut in ["station", "csms"] {
        let (records, summary, _) = exported(&trace(dut, Clone::clone(&whats)));
        assert_eq!((records.len(), summary.records, summary.left_out()), (7, 7, 3));
        for record in &records {
            let errors: Vec<String> = validator.iter_errors(record).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{record}: {errors:?}");
        }
        let station = if dut == "station" {
            "cp-to-csms"
        } else {
            "csms-to-cp"
        };
        assert_eq!(
            (&records[0]["direction"], &records[0]["chargePointId"]),
            (&station.into(), &"CS1".into())
        );
    }
    // The schema is no rubber stamp: an error without its error, a CALL without its action.
    for (n, key) in [(0, "action"), (3, "error"), (0, "timestamp")] {
        let (mut records, ..) = exported(&trace("station", Clone::clone(&whats)));
        records[n].as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&records[n]), "{key}");
    }
}

#[test]
fn records_say_what_the_frame_says() {
    let whats = GOOD.map(|(from, text)| frame(7, from, text)).to_vec();
    let (records, ..) = exported(&trace("station", whats));
    let actions: Vec<_> = records.iter().map(|r| r["action"].as_str()).collect();
    let of = Some;
    let expected = [
        of("StatusNotification"),
        of("StatusNotification"),
        of("Reset"),
        of("Reset"),
        None,
        of("Heartbeat"),
        of("Heartbeat"),
    ];
    assert_eq!(actions, expected);
    assert_eq!(records[0]["connectorId"], 2);
    assert_eq!(records[0]["chargePointId"], "CS7");
    assert_eq!(records[0]["timestamp"], "2024-05-01T12:00:00.123456Z");
    assert!(records[4].get("connectorId").is_none());
    assert_eq!(records[3]["error"]["description"], "\"no\" \u{0}");
    assert_eq!(records[2]["meta"]["plugfest"]["cause"], "story");
    for (record, (_, text)) in records.iter().zip(GOOD) {
        assert_eq!(record["raw"], *text);
    }
}

#[test]
fn what_the_format_cannot_hold_is_counted() {
    let large = format!(r#"[2,"9","DataTransfer",{{"data":"{}"}}]"#, "x".repeat(70_000));
    let whats = vec![
        opened(1),
        frame(1, Party::Dut, "[2,\"1\""),
        frame(1, Party::Dut, "[2,1,\"Heartbeat\",{}]"),
        frame(1, Party::Dut, "[5,\"1\",{}]"),
        frame(1, Party::Dut, &large),
        What::Frame {
            conn: 1,
            from: Party::Dut,
            opcode: 9,
            data: Data::of(9, b""),
            flaws: Vec::new(),
            cause: None,
        },
        What::Link {
            op: "drop".to_owned(),
        },
        What::Asked {
            call: 1,
            verb: "ev.plug".to_owned(),
            args: Json::empty(),
        },
        What::Performed {
            call: 1,
            outcome: Outcome::Done,
        },
        What::Process {
            what: "stderr".to_owned(),
            text: "hi".to_owned(),
        },
        What::Closed {
            conn: 1,
            by: Party::Dut,
            how: "eof".to_owned(),
        },
        What::Tick,
    ];
    let events = trace("station", whats);
    let (records, summary, _) = exported(&events);
    assert!(records.is_empty());
    let counted: Vec<_> = summary.left_out.iter().map(|(reason, n)| (*reason, *n)).collect();
    let expected = [
        ("action of the driver", 2),
        ("broken frame", 3),
        ("connection", 2),
        ("control or binary frame", 1),
        ("frame above 64 KiB", 1),
        ("harness", 2),
        ("link operation", 1),
        ("premise", 1),
        ("process of the device", 1),
    ];
    assert_eq!(counted, expected);
    assert_eq!(summary.left_out(), events.len() as u64);
}

#[test]
fn frames_come_back_as_they_went_out() {
    let whats = GOOD.map(|(from, text)| frame(7, from, text)).to_vec();
    let (_, _, bytes) = exported(&trace("station", Clone::clone(&whats)));
    let imported = import(bytes.as_slice(), "t", &as_station()).unwrap();
    let frames = |whats: &[What]| -> Vec<(Party, Data)> {
        whats
            .iter()
            .map(|what| match what {
                What::Frame { from, data, .. } => (*from, data.clone()),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let came: Vec<What> = imported.events.iter().map(|(_, what)| what.clone()).collect();
    assert_eq!(frames(&came), frames(&whats));
    assert!(imported.left_out.is_empty());
    let connection = OpenConnection {
        conn: 1,
        identity: "CS7".to_owned(),
        subprotocol: Some("ocpp1.6".to_owned()),
    };
    assert_eq!(imported.premise.connections, [connection]);
    assert_eq!(
        (imported.premise.protocol.as_str(), imported.premise.case),
        ("OCPP-1.6", None)
    );
    assert_eq!(imported.began.to_rfc3339_micros(), "2024-05-01T12:00:00.123456Z");
    let as_csms = ImportAs {
        dut: "csms".to_owned(),
        ..as_station()
    };
    let other = import(bytes.as_slice(), "t", &as_csms).unwrap();
    assert!(matches!(other.events[0].1, What::Frame { from: Party::Us, .. }));
}

#[test]
fn records_without_raw_text_are_put_together() {
    let record = |rest: &str| {
        format!(
            r#"{{"schemaVersion":"1.0","timestamp":"2024-05-01T12:00:00Z","transport":"json","direction":"cp-to-csms",{rest}}}"#
        )
    };
    let lines = [
        record(
            r#""messageType":"CALL","messageId":"1","action":"Heartbeat","payload":{"n":1.0},"future":true"#,
        ),
        String::new(),
        record(r#""messageType":"CALLRESULT","messageId":"2""#),
        record(r#""messageType":"CALLERROR","messageId":"3","error":{"code":"GenericError"}"#),
        record(r#""messageType":"CALL","action":"Heartbeat""#),
        record(r#""messageType":"CALL","messageId":"1","action":"Heartbeat","ocppVersion":"2.0.1""#),
        record(r#""messageType":"CALL","messageId":"1","action":"Heartbeat""#)
            .replace("\"json\"", "\"soap\""),
    ];
    let imported = import(lines.join("\n").as_bytes(), "t", &as_station()).unwrap();
    let texts: Vec<_> = imported
        .events
        .iter()
        .map(|(_, what)| match what {
            What::Frame { data, .. } => data.text().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        texts,
        [
            r#"[2,"1","Heartbeat",{"n":1.0}]"#,
            r#"[3,"2",{}]"#,
            r#"[4,"3","GenericError","",{}]"#
        ]
    );
    assert_eq!(imported.left_out.values().sum::<u64>(), 3);
}

#[test]
fn errors_say_where_and_what() {
    let error =
        |text: &str| -> ReadError { import(text.as_bytes(), "log.jsonl", &as_station()).unwrap_err() };
    let good = r#"{"schemaVersion":"1.1","timestamp":"2024-05-01T12:00:00Z","transport":"json","direction":"cp-to-csms","messageType":"CALL","messageId":"1","action":"Heartbeat"}"#;
    assert!(error("").what.contains("no message"));
    let cases = [
        (good.replace("1.1", "2.0"), "schema version \"2.0\""),
        (good.replace("T12", "X12"), "the timestamp"),
        (good.replace("cp-to-csms", "up"), "the direction \"up\""),
        (
            good.replace("\"transport\":\"json\",", ""),
            "missing field `transport`",
        ),
        (good.replace('{', "["), "expected"),
    ];
    for (line, what) in cases {
        let error = error(&format!("{good}\n{line}"));
        assert!(error.line == 2 && error.what.contains(what), "{error}");
        assert!(error.to_string().starts_with("log.jsonl:2:"), "{error}");
    }
}
