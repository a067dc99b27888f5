//! The conversation against short traces: what time, repetition and order mean for a line.
#![expect(
    clippy::unwrap_used,
    reason = "a trace of a test that cannot be made is a mistake in the test"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use plugfest_judge::{Command, Outcome, Session, Verdict, judge};
use plugfest_protocol::{Json, Timestamp};
use plugfest_trace::{
    CaseSource, Cause, Data, Event, Head, OpenConnection, Party, Premise, SCHEMA, SourceFile, What,
};

/// A trace that is written event by event.
struct Scribe {
    at: Timestamp,
    /// The connection over which frames go.
    conn: u32,
    events: Vec<Event>,
}

impl Scribe {
    /// The story of a case, its connection up and its body begun.
    fn of(dut: &str, body: &str) -> Self {
        Self::given(dut, body, "").stage("body")
    }

    /// The story of a case with states of its own, its connection up and nothing done yet.
    fn given(dut: &str, body: &str, states: &str) -> Self {
        let text = format!("case t/case \"A case\"\n  spec OCPP-1.6 \"4.1\"\n{body}end\n");
        let premise = Premise {
            schema: SCHEMA.to_owned(),
            tool: "test".to_owned(),
            protocol: "OCPP-1.6".to_owned(),
            dut: dut.to_owned(),
            identity: "CP-1".to_owned(),
            case: Some(CaseSource {
                id: "t/case".to_owned(),
                sha256: String::new(),
                files: [("t.case", text.as_str()), ("t.state", states)]
                    .into_iter()
                    .filter(|(_, text)| !text.is_empty())
                    .map(|(path, text)| SourceFile {
                        path: path.to_owned(),
                        text: text.to_owned(),
                    })
                    .collect(),
            }),
            for_values: BTreeMap::new(),
            values: Json::empty(),
            pics: BTreeMap::new(),
            facts: BTreeMap::from([("boot".to_owned(), Json::from("Accepted"))]),
            connections: vec![OpenConnection {
                conn: 1,
                identity: "CP-1".to_owned(),
                subprotocol: Some("ocpp1.6".to_owned()),
            }],
            vary: None,
            seed: 1,
            driver: None,
        };
        let mut scribe = Self {
            at: Timestamp::parse("2026-03-01T12:00:00Z").unwrap(),
            conn: 1,
            events: Vec::new(),
        };
        scribe.add(What::Premise(Box::new(premise)));
        scribe
    }

    fn add(&mut self, what: What) {
        let seq = self.events.len() as u64;
        let at = self.at;
        self.events.push(Event { seq, at, what });
    }

    fn stage(mut self, name: &str) -> Self {
        self.add(What::Stage {
            name: name.to_owned(),
        });
        self
    }

    fn wait(mut self, seconds: u64) -> Self {
        self.at = self.at.plus(Duration::from_secs(seconds));
        self
    }

    fn tick(mut self) -> Self {
        self.add(What::Tick);
        self
    }

    fn frame(mut self, from: Party, text: &str) -> Self {
        self.add(What::Frame {
            conn: self.conn,
            from,
            opcode: 1,
            data: Data::Text {
                text: text.to_owned(),
            },
            flaws: Vec::new(),
            cause: (from == Party::Us).then_some(Cause::Story),
        });
        self
    }

    fn dut(self, text: &str) -> Self {
        self.frame(Party::Dut, text)
    }

    fn us(self, text: &str) -> Self {
        self.frame(Party::Us, text)
    }

    /// The DUT hangs up, and comes back over the next connection.
    fn hangs_up(mut self) -> Self {
        self.add(What::Closed {
            conn: self.conn,
            by: Party::Dut,
            how: "eof".to_owned(),
        });
        self.conn += 1;
        let head = |line: &str| Head {
            line: line.to_owned(),
            headers: vec![("Sec-WebSocket-Protocol".to_owned(), "ocpp1.6".to_owned())],
        };
        self = self.wait(1);
        self.add(What::Opened {
            conn: self.conn,
            identity: "CP-1".to_owned(),
            by: Party::Dut,
            request: head("GET /CP-1 HTTP/1.1"),
            response: head("HTTP/1.1 101 Switching Protocols"),
            subprotocol: Some("ocpp1.6".to_owned()),
            flaws: Vec::new(),
            security: None,
        });
        self
    }

    /// The story is over: `finally`, the probe, the end.
    fn over(self) -> Outcome {
        let mut done = self.stage("finally").stage("restore").stage("probe");
        done.add(What::End);
        judge(&done.events).unwrap()
    }
}

/// Rule, author's line and verdict of the findings of lines.
fn of_lines(outcome: &Outcome) -> Vec<(&str, u32, Verdict)> {
    let lines = outcome.findings.iter().filter(|f| f.rule.starts_with("line/"));
    lines
        .map(|f| (f.rule.as_str(), f.line.as_ref().map_or(0, |l| l.line), f.verdict))
        .collect()
}

const STATUS: &str =
    r#"[2,"1","StatusNotification",{"connectorId":1,"status":"Preparing","errorCode":"NoError"}]"#;
const WAITS: &str = "  station: StatusNotification(connectorId: 1) { status: Preparing } within 10s\n";

#[test]
fn a_message_in_time_meets_its_line() {
    let outcome = Scribe::of("station", WAITS)
        .wait(9)
        .dut(STATUS)
        .us(r#"[3,"1",{}]"#)
        .over();
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.reason);
    let met = &outcome.lines[0];
    assert_eq!(
        met.until.unwrap().since(met.since.unwrap()),
        Duration::from_secs(10)
    );
}

#[test]
fn a_message_at_its_deadline_is_in_time() {
    let outcome = Scribe::of("station", WAITS)
        .wait(10)
        .dut(STATUS)
        .us(r#"[3,"1",{}]"#)
        .over();
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.reason);
}

#[test]
fn a_message_behind_its_deadline_is_late_although_no_tick_came_between() {
    let outcome = Scribe::of("station", WAITS)
        .wait(11)
        .dut(STATUS)
        .us(r#"[3,"1",{}]"#)
        .over();
    assert_eq!(of_lines(&outcome), [("line/missing", 3, Verdict::Fail)]);
}

#[test]
fn with_a_tick_between_the_finding_is_the_same() {
    let outcome = Scribe::of("station", WAITS)
        .wait(11)
        .tick()
        .dut(STATUS)
        .us(r#"[3,"1",{}]"#)
        .over();
    assert_eq!(of_lines(&outcome), [("line/missing", 3, Verdict::Fail)]);
}

#[test]
fn what_is_forbidden_for_a_while_may_come_when_it_is_over() {
    let body = "  never station: Heartbeat for 10s\n  station: StatusNotification(connectorId: 1) { status: Preparing }\n";
    let beat = r#"[2,"2","Heartbeat",{}]"#;
    let answer = r#"[3,"2",{"currentTime":"2026-03-01T12:00:00Z"}]"#;
    let end = |scribe: Scribe| scribe.dut(STATUS).us(r#"[3,"1",{}]"#).over();
    let behind = end(Scribe::of("station", body).wait(11).dut(beat).us(answer));
    assert_eq!(behind.verdict, Verdict::Pass, "{}", behind.reason);
    let within = end(Scribe::of("station", body).wait(9).dut(beat).us(answer));
    assert_eq!(of_lines(&within), [("line/never", 3, Verdict::Fail)]);
}

#[test]
fn the_last_message_of_a_story_said_twice_counts_against_its_line() {
    let once = Scribe::of("station", WAITS).dut(STATUS).us(r#"[3,"1",{}]"#);
    let twice = once.dut(STATUS).over();
    assert_eq!(of_lines(&twice), [("line/twice", 3, Verdict::Fail)]);
    assert_eq!(twice.verdict, Verdict::Fail);
}

#[test]
fn the_last_answer_of_a_story_given_twice_counts_against_its_line() {
    let body = "  csms: ClearCache {}\n  station: => { status: Accepted }\n";
    let answer = r#"[3,"1",{"status":"Accepted"}]"#;
    let once = Scribe::of("station", body)
        .us(r#"[2,"1","ClearCache",{}]"#)
        .dut(answer);
    let twice = once.dut(answer).over();
    assert_eq!(of_lines(&twice), [("line/twice", 4, Verdict::Fail)]);
    assert_eq!(twice.verdict, Verdict::Fail);
}

#[test]
fn an_optional_that_was_passed_over_in_order_takes_nothing_any_more() {
    let body = "  in order\n    \
                optional station: StatusNotification(connectorId: 1, status: Finishing) { errorCode: NoError }\n    \
                station: Heartbeat {}\n    \
                eventually station: StatusNotification(connectorId: 1) { status: Finishing, errorCode: NoError } within 5s\n  \
                end\n";
    let wrong =
        r#"[2,"1","StatusNotification",{"connectorId":1,"status":"Finishing","errorCode":"OtherError"}]"#;
    let outcome = Scribe::of("station", body)
        .dut(r#"[2,"2","Heartbeat",{}]"#)
        .us(r#"[3,"2",{"currentTime":"2026-03-01T12:00:00Z"}]"#)
        .dut(wrong)
        .us(r#"[3,"1",{}]"#)
        .wait(6)
        .tick()
        .over();
    assert_eq!(of_lines(&outcome), [("line/missing", 6, Verdict::Fail)]);
}

#[test]
fn an_optional_message_that_says_something_else_fails_its_line() {
    let body = "  optional station: Authorize { idTag: \"GOOD\" }\n  station: StatusNotification(connectorId: 1) { status: Preparing }\n";
    let authorize = |tag: &str| {
        Scribe::of("station", body)
            .dut(&format!(r#"[2,"2","Authorize",{{"idTag":"{tag}"}}]"#))
            .us(r#"[3,"2",{"idTagInfo":{"status":"Accepted"}}]"#)
            .dut(STATUS)
            .us(r#"[3,"1",{}]"#)
            .over()
    };
    assert_eq!(
        authorize("GOOD").verdict,
        Verdict::Pass,
        "{}",
        authorize("GOOD").reason
    );
    assert_eq!(of_lines(&authorize("BAD")), [("line/field", 3, Verdict::Fail)]);
}

#[test]
fn a_message_that_two_lines_forbid_counts_against_both() {
    let body = "  never station: Heartbeat until end should\n  never station: Heartbeat until end\n  \
                station: StatusNotification(connectorId: 1) { status: Preparing }\n";
    let outcome = Scribe::of("station", body)
        .dut(r#"[2,"2","Heartbeat",{}]"#)
        .us(r#"[3,"2",{"currentTime":"2026-03-01T12:00:00Z"}]"#)
        .over();
    assert_eq!(
        of_lines(&outcome),
        [("line/never", 3, Verdict::Warn), ("line/never", 4, Verdict::Fail)]
    );
    assert_eq!(outcome.verdict, Verdict::Fail);
}

/// A state with one way, one that begins with it and has two ways, and the CALL that the way to both is.
const STATES: &str = "state begun \"Begun\"\n  probe status(1) == \"Preparing\"\n  reach \"asking\"\n    \
                      csms: ClearCache {}\n    station: => { status: Accepted }\n  end\nend\n\
                      state far \"Far\"\n  given begun\n  probe status(1) == \"Charging\"\n  \
                      reach \"one way\"\n    csms: Reset { type: Soft }\n    station: => { status: Accepted }\n  end\n  \
                      reach \"another\"\n    csms: Reset { type: Hard }\n    station: => { status: Accepted }\n  end\nend\n";
const REFUSED: &str = r#"[3,"1",{"status":"Rejected"}]"#;

#[test]
fn no_way_is_gone_where_what_all_of_them_begin_with_was_not_reached() {
    let body = "  given far\n  csms: ClearCache {}\n";
    let outcome = Scribe::given("station", body, STATES)
        .stage("configured")
        .us(r#"[2,"1","ClearCache",{}]"#)
        .dut(REFUSED)
        .over();
    assert_eq!(outcome.verdict, Verdict::Blocked, "{}", outcome.reason);
    assert_eq!(
        outcome.reason.matches("begun could not be reached").count(),
        1,
        "{}",
        outcome.reason
    );
}

#[test]
fn a_state_that_was_not_reached_is_not_sought_again_in_finally() {
    let body = "  given begun\n  csms: ClearCache {}\nfinally\n  do begun\n";
    let again = Scribe::given("station", body, STATES)
        .stage("configured")
        .us(r#"[2,"1","ClearCache",{}]"#)
        .dut(REFUSED)
        .stage("finally");
    let What::Premise(premise) = &again.events[0].what else {
        unreachable!("the premise comes first")
    };
    let (mut session, mut commands) = Session::new(premise, again.at).unwrap();
    for event in &again.events[1..] {
        commands.extend(session.step(event));
    }
    let asked = commands
        .iter()
        .filter(|c| matches!(c, Command::Call { .. }))
        .count();
    assert_eq!(asked, 1, "{commands:?}");
}

const RAW: &str = "  raw csms '[2,\"<id>\",\"Reset\",{}]'\n  station: => error any\n  csms: ClearCache {}\n  station: => { status: Accepted }\n";
const RESET: &str = r#"[2,"r1","Reset",{}]"#;
const CLEAR: (&str, &str) = (r#"[2,"c1","ClearCache",{}]"#, r#"[3,"c1",{"status":"Accepted"}]"#);

#[test]
fn the_answer_to_a_raw_call_is_the_one_with_its_id() {
    let refused = r#"[4,"r1","OccurenceConstraintViolation","",{}]"#;
    let outcome = Scribe::of("station", RAW)
        .us(RESET)
        .dut(refused)
        .us(CLEAR.0)
        .dut(CLEAR.1)
        .over();
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.reason);
    assert_eq!(outcome.lines.len(), 2);

    let accepted = r#"[3,"r1",{"status":"Accepted"}]"#;
    let outcome = Scribe::of("station", RAW).us(RESET).dut(accepted).over();
    assert_eq!(of_lines(&outcome), [("line/field", 4, Verdict::Fail)]);
    let outcome = Scribe::of("station", RAW).us(RESET).wait(31).tick().over();
    assert_eq!(of_lines(&outcome), [("line/missing", 4, Verdict::Fail)]);
}

#[test]
fn the_answer_to_a_raw_frame_without_id_is_the_next_that_belongs_to_no_call() {
    let story = "  raw csms '[2'\n  station: => error any within 5s\n  raw csms '['\n  station: => silence within 5s\n";
    let stray = r#"[4,"-1","FormationViolation","",{}]"#;
    let begun = || Scribe::of("station", story).us("[2");
    let outcome = begun().dut(stray).us("[").wait(6).tick().over();
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.reason);
    assert_eq!(outcome.lines.len(), 2);
    assert_eq!(
        of_lines(&begun().wait(6).tick().over()),
        [("line/missing", 4, Verdict::Fail)]
    );
    let spoken = begun().dut(stray).us("[").dut(stray).over();
    assert_eq!(of_lines(&spoken), [("line/field", 6, Verdict::Fail)]);
}

#[test]
fn a_raw_call_without_answer_line_is_waited_for_and_judged_by_the_rules() {
    let story = "  raw csms '[2,\"<id>\",\"Reset\",{}]'\n  raw csms 'x'\n  csms: ClearCache {}\n  station: => { status: Accepted }\n";
    let refused = r#"[4,"r1","OccurenceConstraintViolation","",{}]"#;
    let end = |scribe: Scribe| scribe.us("x").us(CLEAR.0).dut(CLEAR.1).over();
    let outcome = end(Scribe::of("station", story).us(RESET).dut(refused));
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.reason);
    // Silence ends no story, but is a finding.
    let outcome = end(Scribe::of("station", story).us(RESET).wait(31).tick());
    let rules: Vec<_> = outcome.findings.iter().map(|f| f.rule.as_str()).collect();
    assert_eq!(rules, ["answers/missing"]);
    assert_eq!(outcome.lines.len(), 1);
}

#[test]
fn a_line_of_ours_that_is_due_later_than_a_reboot_takes_is_not_given_up_when_its_time_comes() {
    // `timeout.reboot` is 120 s by default.
    let body = "  csms: ClearCache {} after 200s\n  station: => { status: Accepted }\n";
    let outcome = Scribe::of("station", body)
        .wait(200)
        .tick()
        .us(r#"[2,"1","ClearCache",{}]"#)
        .dut(r#"[3,"1",{"status":"Accepted"}]"#)
        .over();
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", outcome.reason);
    assert_eq!(of_lines(&outcome), []);
}

#[test]
fn what_went_down_with_the_connection_that_a_raw_frame_cost_is_said_again() {
    let story = "  raw csms '[2]'\n  csms: ClearCache {}\n  station: => { status: Accepted }\n";
    let again = CLEAR.0.replace("[2,\"", "[2,\"again-");
    let answer = CLEAR.1.replace("[3,\"", "[3,\"again-");
    let outcome = Scribe::of("station", story)
        .us("[2]")
        .us(CLEAR.0)
        .hangs_up()
        .us(&again)
        .dut(&answer)
        .over();
    let rules: Vec<_> = outcome.findings.iter().map(|f| f.rule.as_str()).collect();
    assert_eq!(rules, ["liveness/closed-after-frame"]);
    assert_eq!(
        outcome.lines.len(),
        1,
        "the line below was met over the new connection"
    );
    let reactions = outcome.negatives.get("bad-arity").copied().unwrap();
    assert_eq!(
        (reactions.sent, reactions.handled, reactions.mishandled),
        (1, 0, 1)
    );

    // A connection that no frame of ours was to cost is a fault that ends the story.
    let plain = "  csms: ClearCache {}\n  station: => { status: Accepted }\n";
    let outcome = Scribe::of("station", plain)
        .us(CLEAR.0)
        .hangs_up()
        .wait(31)
        .tick()
        .over();
    assert_eq!(of_lines(&outcome).len(), 1, "{:?}", outcome.findings);
}

#[test]
fn one_fault_is_one_finding_with_a_count_and_each_frame_is_tallied() {
    let story = "  raw csms '[2,\"<id>\",\"ClearCache\",{\"a\":1}]'\n  raw csms '[2,\"<id>\",\"ClearCache\",{\"a\":2}]'\n  raw csms '[2,\"<id>\",\"ClearCache\",{\"a\":3}]'\n  raw csms '[2,\"<id>\",\"NoSuchAction\",{}]'\n  csms: ClearCache {}\n  station: => { status: Accepted }\n";
    let wrong = |n: u32| format!(r#"[2,"w{n}","ClearCache",{{"a":{n}}}]"#);
    let outcome = Scribe::of("station", story)
        .us(&wrong(1))
        .dut(r#"[4,"w1","FormatViolation","",{}]"#)
        .us(&wrong(2))
        .dut(r#"[4,"w2","FormatViolation","",{}]"#)
        .us(&wrong(3))
        .dut(r#"[3,"w3",{"status":"Accepted"}]"#)
        .us(r#"[2,"w4","NoSuchAction",{}]"#)
        .dut(r#"[4,"w4","NotImplemented","",{}]"#)
        .us(CLEAR.0)
        .dut(CLEAR.1)
        .over();
    let found: Vec<_> = outcome
        .findings
        .iter()
        .map(|f| (f.rule.as_str(), f.count, f.again.len()))
        .collect();
    assert_eq!(
        found,
        [
            ("frame/code-legacy-spelling", 2, 1),
            ("answers/invalid-accepted", 1, 0)
        ]
    );
    assert!(
        outcome.findings[0].message.ends_with("(1 more like it)"),
        "{}",
        outcome.findings[0].message
    );
    assert_eq!(outcome.findings[1].pointer.as_deref(), Some("/a"));
    let extra = outcome.negatives.get("unknown-property").copied().unwrap();
    assert_eq!(
        (
            extra.sent,
            extra.handled,
            extra.tolerated,
            extra.miscoded,
            extra.mishandled
        ),
        (3, 0, 1, 2, 0)
    );
    let unknown = outcome.negatives.get("unknown-action").copied().unwrap();
    assert_eq!((unknown.sent, unknown.handled), (1, 1));
}
