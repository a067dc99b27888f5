//! What the parser reads, what it refuses, and where it points.

use plugfest_case::ir::{AnswerForm, Given, Item, Kind, Pattern, Until};
use plugfest_case::{Diagnostic, parse};

const PROBES: [(&str, &str); 12] = [
    ("b1", include_str!("probes/b1.case")),
    ("b2", include_str!("probes/b2.case")),
    ("b3", include_str!("probes/b3.case")),
    ("b4", include_str!("probes/b4.case")),
    ("b5", include_str!("probes/b5.case")),
    ("b6", include_str!("probes/b6.case")),
    ("b7", include_str!("probes/b7.case")),
    ("b8", include_str!("probes/v2/b8.case")),
    ("b9", include_str!("probes/v2/b9.case")),
    ("b10", include_str!("probes/v2/b10.case")),
    ("b11", include_str!("probes/v2/b11.case")),
    ("b12", include_str!("probes/v2/b12.case")),
];

fn errors(text: &str) -> Vec<Diagnostic> {
    parse("t.case", text).1
}

fn story(lines: &str) -> String {
    format!("case t/a \"t\"\n{lines}\nend\n")
}

/// `line:column code` of everything that is wrong with a story.
fn places(lines: &str) -> Vec<String> {
    let text = story(lines);
    let found = errors(&text);
    found
        .iter()
        .map(|d| {
            let (line, column) = plugfest_case::diagnostic::line_column(&text, d.span.start);
            format!("{line}:{column} {}", d.message)
        })
        .collect()
}

fn first(lines: &str) -> Kind {
    let text = story(lines);
    let (file, found) = parse("t.case", &text);
    assert_eq!(found, [], "{lines}");
    let Some(Item::Case(case)) = file.items.into_iter().next() else {
        panic!("no case")
    };
    case.body.into_iter().next().expect("a line").kind
}

#[test]
fn the_probes_parse() {
    for (name, text) in PROBES {
        let (file, found) = parse(name, text);
        assert_eq!(found, [], "{name}");
        assert_eq!(file.items.len(), 1, "{name}");
        let Item::Case(case) = &file.items[0] else {
            panic!("{name} is a case")
        };
        assert!(case.body.len() > 1, "{name}");
    }
}

#[test]
fn one_line_many_takes_its_list_and_its_answers() {
    let kind = first(
        "many ($n - 1) station: TransactionEvent { same_as(first) } as again\ncsms: => silence\nwait 1s",
    );
    let Kind::Many(many) = kind else {
        panic!("{kind:?}")
    };
    assert_eq!(many.body.len(), 2);
    assert!(many.body[0].mods.bind.is_none());
    assert_eq!(many.until, Until::Next);
    assert!(many.min.is_some());
    assert_eq!(many.min, many.max);
    let Kind::Answer(answer) = &many.body[1].kind else {
        panic!("an answer")
    };
    assert_eq!(answer.forms, [AnswerForm::Silence]);
}

#[test]
fn optional_before_one_exchange_takes_the_modifiers_of_the_line() {
    let kind = first("optional station: Heartbeat {} within 10s\ncsms: => { currentTime: now }\nwait 1s");
    let Kind::Optional { body } = kind else {
        panic!("{kind:?}")
    };
    assert_eq!(body.len(), 2);
    assert!(body[0].mods.within.is_some());
}

#[test]
fn parentheses_pick_and_braces_verify_over_several_lines() {
    let kind = first(
        "station: MeterValues(connectorId: 1) {\n  meterValue: [ # all of them\n    { timestamp: > t }, ..\n  ],\n}",
    );
    let Kind::Call(call) = kind else {
        panic!("{kind:?}")
    };
    assert_eq!(call.picks.expect("picks").fields.len(), 1);
    assert!(matches!(call.payload.fields[0].pattern, Pattern::Array(_)));
}

#[test]
fn given_names_states_and_configuration() {
    let (file, found) = parse(
        "t",
        "case a \"t\"\n given booted, idle($c),\n   config(A: 1, B: true if implemented), charging(1) as s\n wait 1s\nend",
    );
    assert_eq!(found, []);
    let Item::Case(case) = &file.items[0] else {
        panic!("a case")
    };
    assert_eq!(case.header.given.len(), 4);
    let Given::Config { entries, .. } = &case.header.given[2] else {
        panic!("config")
    };
    assert!(entries[1].if_implemented && !entries[0].if_implemented);
    let Given::State(reference) = &case.header.given[3] else {
        panic!("a state")
    };
    assert_eq!(reference.bind.as_ref().map(|b| b.text.as_str()), Some("s"));
}

#[test]
fn states_have_ways_and_phrases_have_lines() {
    let text = "state charging(c) \"A transaction runs\"\n  spec OCPP-1.6 \"4.8\"\n  given idle(c)\n  probe transactions(c) == 1 # asked\n  exports tx = transaction(c, \"a, b\"), m = [1, 2]\n  reach \"by tag\"\n    act token.present($tag.valid)\n  end\n  reach\n    do idle(c)\n  end\nend\nphrase p(c, s) \"x\"\n  station: StatusNotification(connectorId: c) { status: s }\nend\n";
    let (file, found) = parse("t.state", text);
    assert_eq!(found, []);
    let Item::State(state) = &file.items[0] else {
        panic!("a state")
    };
    assert_eq!(state.ways.len(), 2);
    assert_eq!(
        state.probe.as_ref().map(|p| p.text.as_str()),
        Some("transactions(c) == 1")
    );
    assert_eq!(state.exports.len(), 2);
    assert_eq!(state.exports[0].value.text, "transaction(c, \"a, b\")");
    assert!(matches!(&file.items[1], Item::State(s) if s.phrase && s.params.len() == 2));
}

#[test]
fn every_error_of_a_file_is_reported_at_its_place() {
    let lines = "station: StatusNotification(connectorId: 04E91234) {}\nstatoin: Heartbeat {}\nwiat 3s\nstation: Heartbeat {\n  a: ,\n}\nwait 3s 4s";
    assert_eq!(
        places(lines),
        [
            "2:42 `04E91234` is not a number",
            "3:1 `statoin` is no speaker",
            "4:1 no line begins with `wiat`",
            "6:6 expected a value, found `,`",
            "8:9 the line should end here, found `4s`",
        ]
    );
    let text = story(lines);
    assert_eq!(errors(&text)[1].hint.as_deref(), Some("did you mean `station`?"));
    assert_eq!(errors(&text)[2].hint.as_deref(), Some("did you mean `wait`?"));
}

#[test]
fn a_broken_head_of_a_block_does_not_break_the_rest() {
    assert_eq!(
        places("each c un connectors()\n  wait 1s\n  wiat 2s\nend\nwait 3s"),
        ["2:8 expected `in`, found `un`", "4:3 no line begins with `wiat`"]
    );
    assert_eq!(
        places("either of\n  wait 1s\nor\n  wait 2s\nend"),
        ["2:8 the line should end here, found `of`"]
    );
}

#[test]
fn unclosed_things_point_at_their_beginning() {
    assert_eq!(
        errors("case a \"t\"\n  either\n    wait 1s\n  or\n    wait 2s\n")
            .iter()
            .map(|d| d.span.start)
            .collect::<Vec<_>>(),
        [13, 0]
    );
    assert_eq!(places("repeat 2\nend"), ["2:1 this block has no lines"]);
    assert_eq!(
        places("either\n  wait 1s\nend"),
        ["2:1 an `either` needs at least two branches"]
    );
    assert!(
        places("wait 1s\nend\nend")
            .iter()
            .any(|p| p.starts_with("4:1 expected `case`"))
    );
}

#[test]
fn nesting_size_and_errors_are_bounded() {
    let deep = format!("station: X {{ a: {}1{} }}", "[".repeat(500), "]".repeat(500));
    assert!(places(&deep)[0].contains("brackets nest deeper than 32"));
    let deep = format!("station: X {{ a: {}1 }}", "not ".repeat(5000));
    assert!(places(&deep)[0].contains("nests less deep"));
    let deep = format!("{}wait 1s\n{}", "repeat 2\n".repeat(5000), "end\n".repeat(5000));
    assert!(places(&deep)[0].contains("blocks nest deeper than 12"));
    let deep = format!("check {}1", "(".repeat(5000));
    assert!(places(&deep)[0].contains("nests too deep"));
    assert_eq!(errors(&"case\n".repeat(500)).len(), plugfest_case::MAX_ERRORS);
    assert_eq!(
        errors(&story(&"wiat 1s\n".repeat(500))).len(),
        plugfest_case::MAX_ERRORS
    );
    let large = " ".repeat(plugfest_case::MAX_FILE + 1);
    assert_eq!(errors(&large)[0].code, "too-large");
    let pics = format!("case a \"t\"\nrequires {}A\nwait 1s\nend", "not ".repeat(5000));
    assert!(errors(&pics)[0].message.contains("nests too deep"));
}

#[test]
fn no_prefix_of_a_probe_panics() {
    for (name, text) in PROBES {
        for end in (0..text.len()).filter(|i| text.is_char_boundary(*i)) {
            let (_, found) = parse(name, &text[..end]);
            for diagnostic in found {
                assert!(diagnostic.line(&text[..end]).starts_with(name));
            }
        }
    }
}
