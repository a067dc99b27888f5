//! What makes a case unfit to run, each fault at its place; what is only worth a look; and the probes, which are fit.

use plugfest_case::{Arity, Diagnostic, Library, Natives, Severity, Source, line_count, lint};

const FACTS: &str = include_str!("probes/facts.toml");
const STATES: &str = include_str!("probes/probe.state");

fn natives() -> Natives {
    Natives::new()
        .function("rising", Arity::exactly(2))
        .function("spaced", Arity::exactly(3))
        .function("gapless", Arity::exactly(3))
        .function("gapless_sorted", Arity::exactly(3))
        .function("backed_off", Arity::exactly(4))
        .function("csr_sound", Arity::exactly(1))
        .value("profile", Arity::between(1, 9))
        .value("composite", Arity::exactly(1))
        .value("pki.sign", Arity::between(1, 3))
        .run("storm", Arity::exactly(1))
}

fn load(cases: &str) -> (Library, Vec<Diagnostic>) {
    let sources = [
        Source::new("x/facts.toml", FACTS),
        Source::new("x/probe.state", STATES),
        Source::new("x/t.case", cases),
    ];
    Library::load(sources, &natives())
}

/// A case around a story, which begins on line 4; `HEADER` lines go above it.
fn case(story: &str) -> String {
    format!("case t/a \"t\"\n  spec OCPP-1.6 \"1\"\n  covers T\n{story}\nend\n")
}

/// `code «guilty text»` of every error.
fn faults_in(text: &str) -> Vec<String> {
    let (_, found) = load(text);
    let errors = found.iter().filter(|d| d.is_error());
    errors
        .map(|d| format!("{} «{}»", d.code, &text[d.span.range()]))
        .collect()
}

fn faults(story: &str) -> Vec<String> {
    faults_in(&case(story))
}

fn hint(story: &str) -> String {
    let (_, found) = load(&case(story));
    found.first().and_then(|d| d.hint.clone()).unwrap_or_default()
}

const FINE: &str = "  station: Heartbeat {}";

/// Each story has exactly the faults listed; nothing else in it is complained of.
fn each(table: &[(&str, &[&str])]) {
    assert_eq!(faults(FINE), [""; 0], "the frame of the table is free of faults");
    for (story, expected) in table {
        assert_eq!(faults(story), *expected, "{story}");
    }
}

#[test]
fn messages_are_those_of_the_catalogue() {
    each(&[
        ("station: Hartbeat {}", &["unknown-action «Hartbeat»"]),
        ("csms: Heartbeat {}", &["wrong-side «Heartbeat»"]),
        ("station: Reset { type: Hard }", &["wrong-side «Reset»"]),
        (
            "station: DataTransfer { vendorId: \"v\" }\ncsms: DataTransfer { vendorId: \"v\" }",
            &[],
        ),
        ("station: Authorize { idTga: \"A\" }", &["unknown-field «idTga»"]),
        ("station: Heartbeat { x: 1 }", &["unknown-field «x»"]),
        (
            "station: StatusNotification(conector: 1) { status: Available }",
            &["unknown-field «conector»"],
        ),
        (
            "station: StatusNotification { status: Chargin }",
            &["unknown-literal «Chargin»"],
        ),
        (
            "station: StatusNotification { status: \"Chargin\" }",
            &["unknown-literal «\"Chargin\"»"],
        ),
        (
            "station: StatusNotification { status: one_of(Charging, Foo) }",
            &["unknown-literal «Foo»"],
        ),
        ("station: Authorize { idTag: A }", &["unknown-name «A»"]),
        (
            "station: Authorize { idTag: \"123456789012345678901\" }",
            &["too-long «\"123456789012345678901\"»"],
        ),
        (
            "station: Authorize { idTag: \"A\", idTag: \"B\" }",
            &["duplicate «idTag»"],
        ),
        (
            "station: StatusNotification(connectorId: 1) { connectorId: 1 }",
            &["duplicate «connectorId»"],
        ),
        ("emsp: Heartbeat {}", &["unknown-side «emsp»"]),
    ]);
    assert_eq!(hint("station: Hartbeat {}"), "did you mean `Heartbeat`?");
    assert_eq!(
        hint("station: StatusNotification { status: Chargin }"),
        "did you mean `Charging`?"
    );
    assert_eq!(
        hint("station: Authorize { idTga: \"A\" }"),
        "did you mean `idTag`?"
    );
}

#[test]
fn values_have_the_type_of_their_field() {
    each(&[
        (
            "station: StatusNotification(connectorId: \"1\") { status: Available }",
            &["type «\"1\"»"],
        ),
        (
            "station: StatusNotification(connectorId: 1.5) { status: Available }",
            &["type «1.5»"],
        ),
        (
            "station: StatusNotification(connectorId: Available) { status: Available }",
            &["unknown-name «Available»"],
        ),
        (
            "station: StatusNotification(connectorId: $tag.valid) { status: Available }",
            &["type «$tag.valid»"],
        ),
        (
            "station: StatusNotification(connectorId: $connector) { timestamp: \"noon\" }",
            &["type «\"noon\"»"],
        ),
        (
            "station: StatusNotification(connectorId: 1) { timestamp: near(5) }",
            &["type «5»"],
        ),
        (
            "station: StatusNotification(connectorId: near(now)) { status: Available }",
            &["type «now»"],
        ),
        (
            "station: StatusNotification(connectorId: now) { status: Available }",
            &["type «now»"],
        ),
        (
            "station: StatusNotification(connectorId: true) { status: Available }",
            &["type «true»"],
        ),
        (
            "station: StatusNotification(connectorId: { a: 1 }) { status: Available }",
            &["type «{ a: 1 }»"],
        ),
        (
            "station: MeterValues(connectorId: 1) { meterValue: 5 }",
            &["type «5»"],
        ),
        (
            "station: MeterValues(connectorId: 1) { meterValue: { timestamp: near(now) } }",
            &["type «{ timestamp: near(now) }»"],
        ),
        (
            "station: MeterValues(connectorId: [1]) { transactionId: 1 }",
            &["type «[1]»"],
        ),
        (
            "station: MeterValues(connectorId: 1) { meterValue: [ { timestmp: any }, .. ] }",
            &["unknown-field «timestmp»"],
        ),
        (
            "station: MeterValues(connectorId: 1) { meterValue: each { sampledValue: [ { value: 5, unit: Wh } ] } }",
            &[],
        ),
        (
            "station: StopTransaction { transactionId: > 1, meterStop: about(5), timestamp: > now - 2h, reason: > Local }",
            &["type «Local»", "unknown-name «Local»"],
        ),
        (
            "station: Authorize { idTag: matches /[/ like \"a\" }",
            &["expression «idTag»"],
        ),
        (
            "station: Authorize { idTag: matches /^b/ like \"a\" }",
            &["example «idTag»"],
        ),
        ("station: Authorize { idTag: 3 + \"x\" }", &["type «\"x\"»"]),
        ("station: Authorize { idTag: profile(1) }", &[]),
        (
            "station: Authorize { idTag: profil(1) }",
            &["unknown-native «profil»"],
        ),
        (
            "station: Authorize { idTag: composite(1, 2) }",
            &["arity «composite»"],
        ),
    ]);
}

#[test]
fn a_line_that_is_also_sent_must_be_constructible() {
    each(&[
        (
            "station: Authorize { idTag: not \"A\" }",
            &["not-constructible «idTag»"],
        ),
        (
            "station: Authorize { idTag: matches /A/ }",
            &["not-constructible «idTag»"],
        ),
        ("station: Authorize { idTag: one_of(\"A\", not \"B\") }", &[]),
        (
            "station: Authorize { idTag: one_of(not \"B\", \"A\") }",
            &["not-constructible «idTag»"],
        ),
        (
            "csms: ClearCache {}\nstation: => { status: not Accepted }",
            &["not-constructible «status»"],
        ),
        (
            "csms: ClearCache {}\nstation: => { status: Accepted } or { status: not Accepted }",
            &[],
        ),
    ]);
    let one_sided = case("station: Authorize { idTag: not \"A\" }").replace("covers T", "tests station");
    assert_eq!(
        faults_in(&one_sided),
        [""; 0],
        "a station under test is not played"
    );
    let other_side = one_sided.replace("tests station", "tests csms");
    assert_eq!(faults_in(&other_side), ["not-constructible «idTag»"]);
}

#[test]
fn names_are_bound_once_and_used() {
    each(&[
        ("station: Authorize { idTag: any as tag }", &["unused «tag»"]),
        (
            "station: Authorize { idTag: any as tag }\nstation: Authorize { idTag: tag }",
            &[],
        ),
        (
            "station: Authorize { idTag: any as tag }\nstation: Authorize { idTag: any as tag }\ncheck tag == \"\"",
            &["bound-twice «tag»"],
        ),
        ("station: Authorize { idTag: tagg }", &["unknown-name «tagg»"]),
        ("check tagg == 1", &["unknown-name «tagg»"]),
        (
            "station: Authorize {} as m\ncheck m.idTag == \"A\" && m.time != \"\"",
            &[],
        ),
        (
            "station: Authorize {} as m\ncheck m.idTga == \"A\"",
            &["unknown-field «m.idTga»"],
        ),
        (
            "act ev.plug() as p\nstation: StatusNotification(connectorId: 1) { timestamp: near(p.time) }",
            &[],
        ),
        (
            "act ev.plug() as p\nstation: StatusNotification(connectorId: 1) { timestamp: near(p.tim) }",
            &["unknown-field «p.tim»"],
        ),
        (
            "station: MeterValues {} as m\ncheck m.meterValue.nope == 1",
            &["unknown-field «m.meterValue.nope»"],
        ),
        (
            "many (2) station: Authorize {} as ms\nstation: Authorize { idTag: ms.idTag }",
            &["unknown-field «ms.idTag»"],
        ),
        (
            "repeat 2\n  station: Authorize { idTag: any as t }\nend\ncheck size(t) == 2",
            &[],
        ),
        (
            "each c in connectors()\n  station: StatusNotification(connectorId: 1) { status: Available }\nend",
            &["unused «c»"],
        ),
        (
            "each c in connectors()\n  station: StatusNotification(connectorId: c) { status: Available }\nend\ncheck c == 1",
            &["unknown-name «c»"],
        ),
        (
            "either\n  station: Authorize { idTag: any as t }\nor\n  station: StopTransaction { idTag: any as t, transactionId: 1 }\nend\ncheck t == \"\"",
            &[],
        ),
        (
            "either\n  station: Authorize { idTag: any as t }\nor\n  station: StopTransaction { transactionId: 1 }\nend\ncheck t == \"\"",
            &["may-be-unbound «t»"],
        ),
        (
            "either\n  station: Authorize { idTag: any as t }\n  check t == \"\"\nor\n  station: StopTransaction { transactionId: 1 }\nend",
            &[],
        ),
        (
            "optional station: Authorize { idTag: any as t } within 3s\ncheck t == \"\"",
            &["may-be-unbound «t»"],
        ),
        (
            "if fixed_cable\n  station: Authorize { idTag: any as t }\nend\nif fixed_cable\n  station: Authorize { idTag: t }\nend",
            &[],
        ),
        (
            "if fixed_cable\n  station: Authorize { idTag: any as t }\nend\nstation: Authorize { idTag: t }",
            &["may-be-unbound «t»"],
        ),
        (
            "if fixed_cable\n  station: Authorize { idTag: any as t }\nend\nif !fixed_cable\n  station: Authorize { idTag: any as t }\nend",
            &["unused «t»", "unused «t»"],
        ),
        ("check 1 == 1 as x", &["binding «x»"]),
        (
            "never station: Authorize(idTag: any as t) for 3s",
            &["binding «t»"],
        ),
    ]);
}

#[test]
fn configured_values_codes_and_functions_are_declared() {
    each(&[
        (
            "station: Authorize { idTag: $tags.valid }",
            &["unknown-value «$tags.valid»"],
        ),
        ("wait $timeot.long", &["unknown-value «$timeot.long»"]),
        ("check $nope == 1", &["unknown-value «$nope»"]),
        ("check nope(1)", &["unknown-function «nope(1)»"]),
        ("check rising([1])", &["arity «rising([1])»"]),
        ("check status(1, 2) == 3", &["arity «status(1, 2)»"]),
        (
            "check config.HeartbeatIntervall == 1",
            &["unknown-key «config.HeartbeatIntervall»"],
        ),
        ("check config.HeartbeatInterval == 1 && now != \"\"", &[]),
        ("if fixed_cabel\n  wait 1s\nend", &["unknown-name «fixed_cabel»"]),
        (
            "act ev.plug() as p\nif p.time == \"\"\n  wait 1s\nend",
            &["late-fact «p.time»"],
        ),
        ("run storm(1)", &[]),
        ("run strom(1)", &["unknown-native «strom»"]),
    ]);
    assert_eq!(
        faults("check [1].all(x, x == y)"),
        ["unknown-name «y»"],
        "a typo inside a macro is seen"
    );
    assert_eq!(faults("check 1 +"), ["expression «+»"]);
    let requires = |r: &str| case(FINE).replace("covers T", &format!("covers T\n  requires {r}"));
    assert_eq!(faults_in(&requires("Core and connectors > 1")), [""; 0]);
    assert_eq!(faults_in(&requires("Cor")), ["unknown-pics «Cor»"]);
    assert_eq!(faults_in(&requires("Core > 1")), ["type «Core > 1»"]);
    assert_eq!(faults_in(&requires("connectors")), ["type «connectors»"]);
}

#[test]
fn verbs_are_the_driver_s() {
    each(&[
        ("act ev.plgu()", &["unknown-verb «ev.plgu»"]),
        ("operate ev.plug()", &["wrong-side «ev.plug»"]),
        (
            "act csms.token(id: \"A\", status: \"Accepted\")",
            &["wrong-side «csms.token»"],
        ),
        ("operate csms.token(id: \"A\")", &["argument «csms.token»"]),
        ("act ev.plug(conector: 1)", &["argument «conector»"]),
        ("act ev.plug(1, 2)", &["argument «2»"]),
        ("act ev.plug(1, connector: 2)", &["argument «connector»"]),
        ("act token.present()", &["argument «token.present»"]),
        ("act token.present($tag.valid, connector: 1)", &[]),
    ]);
    assert_eq!(hint("act ev.plgu()"), "did you mean `ev.plug`?");
}

#[test]
fn states_exist_and_get_their_arguments() {
    let given = |g: &str| case(FINE).replace("covers T", &format!("covers T\n  given {g}"));
    assert_eq!(faults_in(&given("idle(1), charging(1)")), [""; 0]);
    assert_eq!(faults_in(&given("idel(1)")), ["unknown-state «idel»"]);
    assert_eq!(faults_in(&given("idle")), ["arity «idle»"]);
    assert_eq!(
        faults_in(&given("idle(1) as s")),
        ["no-exports «s»", "unused «s»"]
    );
    assert_eq!(faults_in(&given("charging(1) as s")), ["unused «s»"]);
    assert_eq!(
        faults_in(&given(
            "config(HeartbeatInterval: 10, LocalPreAuthorize: true if implemented)"
        )),
        [""; 0]
    );
    assert_eq!(
        faults_in(&given("config(HeartbeatIntervall: 10)")),
        ["unknown-key «HeartbeatIntervall»"]
    );
    assert_eq!(
        faults_in(&given("config(HeartbeatInterval: true)")),
        ["type «true»"]
    );
    each(&[
        (
            "do charging(1) as s\nstation: StopTransaction { transactionId: s.tx }",
            &[],
        ),
        (
            "do charging(1) as s\nstation: StopTransaction { transactionId: s.txx }",
            &["unknown-field «s.txx»"],
        ),
    ]);
    // The type of a phrase's parameter is that of the field it is used for.
    let typed = format!(
        "phrase shows(c, s) \"x\"\n  station: StatusNotification(connectorId: c) {{ status: s }}\nend\n{}",
        case("do shows(1, Availabel)")
    );
    assert_eq!(faults_in(&typed), ["unknown-literal «Availabel»"]);
}

#[test]
fn states_that_build_on_each_other_are_an_error() {
    let text = "state a() \"a\"\n  probe true\n  reach\n    do b()\n  end\nend\nstate b() \"b\"\n  probe true\n  given c()\n  reach\n    wait 1s\n  end\nend\nphrase c() \"c\"\n  do a()\nend\n";
    let (_, found) = load(text);
    let cycles: Vec<&Diagnostic> = found.iter().filter(|d| d.code == "cycle").collect();
    assert_eq!(cycles.len(), 1);
    assert_eq!(
        cycles[0].message,
        "these states build on each other: a → b → c → a"
    );
    let (_, found) = load("state a() \"a\"\n  probe true\n  reach\n    do a()\n  end\nend\n");
    assert_eq!(found.iter().filter(|d| d.code == "cycle").count(), 1);
}

#[test]
fn answers_belong_to_a_call_of_the_other_side() {
    each(&[
        (
            "csms: => { status: Accepted }",
            &["answer-to-nothing «csms: => { status: Accepted }»"],
        ),
        ("wait 1s\ncsms: => {}", &["answer-to-nothing «csms: => {}»"]),
        (
            "station: Heartbeat {}\nstation: => { currentTime: now }",
            &["wrong-side «station»"],
        ),
        (
            "station: Heartbeat {}\ncsms: => { curentTime: now }",
            &["unknown-field «curentTime»"],
        ),
        (
            "csms: ClearCache {}\neither\n  station: => { status: Accepted }\nor\n  station: => error NotSupported\nend",
            &[],
        ),
        (
            "csms: ClearCache {}\nwait 1s\neither\n  station: => { status: Accepted }\nor\n  station: => error NotSupported\nend",
            &[
                "answer-to-nothing «station: => { status: Accepted }»",
                "answer-to-nothing «station: => error NotSupported»",
            ],
        ),
        (
            "csms: ClearCache {}\nstation: => error NotSuported",
            &["unknown-error-code «NotSuported»"],
        ),
        (
            "csms: ClearCache {}\nstation: => error one_of(NotSupported, any)",
            &[],
        ),
        (
            "station: Authorize { idTag: \"A\" } as first\ncsms: => silence\nwait 1s\ncsms: => to first { idTagInfo: { status: Accepted } }",
            &[],
        ),
        ("act ev.plug() as p\ncsms: => to p {}", &["type «p»"]),
        ("csms: => to p {}", &["unknown-name «p»"]),
        ("files: => refuse", &["answer-to-nothing «files: => refuse»"]),
        ("station: Connect {}\ncsms: => refuse http 404", &[]),
    ]);
}

#[test]
fn connections_and_transfers_have_their_fields() {
    each(&[
        (
            "station: Connect { path: any, subprotocols: any }\ncsms: => accept { subprotocol: \"ocpp1.6\" }",
            &[],
        ),
        ("station: Connect { pth: any }", &["unknown-field «pth»"]),
        (
            "station: Connect {}\ncsms: => accept { subprotocols: any }",
            &["unknown-field «subprotocols»"],
        ),
        (
            "station: Close { code: 1000, raeson: any }",
            &["unknown-field «raeson»"],
        ),
        ("station: Upload { to: $files.refusing }\nfiles: => refuse", &[]),
        ("station: Download { form: any }", &["unknown-field «form»"]),
    ]);
}

#[test]
fn a_name_hides_no_literal_and_is_not_bound_by_chance() {
    each(&[
        (
            "station: Authorize { idTag: any as Accepted }\ncheck Accepted == \"A\"",
            &["hides-literal «Accepted»"],
        ),
        (
            "station: Authorize { idTag: one_of(\"A\", any as other) }\ncheck other == 1",
            &["binding «other»", "unknown-name «other»"],
        ),
        (
            "station: Authorize { idTag: one_of(\"A\", \"B\") as tag }\ncheck tag == \"A\"",
            &[],
        ),
    ]);
}

#[test]
fn time_and_counts_are_bounded() {
    each(&[
        ("wait 10", &["type «10»"]),
        ("wait \"10\"", &["type «\"10\"»"]),
        ("wait $tag.valid", &["type «$tag.valid»"]),
        ("wait 2 * $sample + 1s", &[]),
        ("station: Heartbeat {} within 5", &["type «5»"]),
        ("station: Heartbeat {} every 5s ± 1", &["type «1»"]),
        ("repeat 0\n  wait 1s\nend", &["type «0»"]),
        (
            "many (3..2) station: Heartbeat {}\nwait 1s",
            &["bounds «many (3..2) station: Heartbeat {}»"],
        ),
        (
            "many (1..) station: Heartbeat {}",
            &["many «many (1..) station: Heartbeat {}»"],
        ),
        ("many (1..) station: Heartbeat {} until quiet 3s", &[]),
        ("many (2)\n  wait 1s\nend", &["many «many (2)\n  wait 1s\nend»"]),
        ("check true within 3s\nact ev.plug() every 3s", &["modifier «a»"]),
        (
            "repeat 2\n  repeat 2\n    repeat 2\n      repeat 2\n        wait 1s\n      end\n    end\n  end\nend",
            &["too-deep «repe»"],
        ),
        (
            "repeat 2\n  repeat 2\n    repeat 2\n      optional station: Heartbeat {} within 1s\n    end\n  end\nend",
            &[],
        ),
    ]);
}

#[test]
fn a_raw_frame_is_text_or_bytes() {
    let faults = |story: &str| {
        faults_in(&format!(
            "case t/a \"t\"\n  spec OCPP-1.6 \"1\"\n  tests csms\n{story}\nend\n"
        ))
    };
    for (story, expected) in [
        (
            "raw station '[2' + 'x' * 1000 + ']'\ncsms: => error any or silence within 1s",
            &[],
        ),
        ("raw station bytes \"5b C328\"\nraw station bytes 'ff' * 100", &[]),
        ("raw csms 'x'", &["wrong-side «csms»"]),
        ("raw station bytes \"5b c\"", &["type «\"5b c\"»"]),
        ("raw station 'x' * 1s", &["type «1s»"]),
        ("raw station 'x' * 2000000", &["type «2000000»"]),
        ("raw station nowhere", &["unknown-name «nowhere»"]),
    ] as [(&str, &[&str]); 7]
    {
        assert_eq!(faults(story), expected, "{story}");
    }
}

#[test]
fn an_optional_line_ends_somewhere() {
    let optional = "optional station: Authorize { idTag: \"A\" }";
    each(&[
        (
            &format!("{optional}\nwait 1s"),
            &["optional-without-end «optional»"],
        ),
        (optional, &["optional-without-end «optional»"]),
        (&format!("{optional} within 3s\nwait 1s"), &[]),
        (&format!("{optional}\nstation: Heartbeat {{}}"), &[]),
        (
            &format!("{optional}\ncsms: => {{ idTagInfo: {{ status: Accepted }} }}\nstation: Heartbeat {{}}"),
            &[],
        ),
        (
            &format!("{optional}\ncsms: ClearCache {{}}\nstation: => {{ status: Accepted }}"),
            &["optional-without-end «optional»"],
        ),
        (
            &format!("{optional}\nif fixed_cable\n  station: Heartbeat {{}}\nend"),
            &["optional-without-end «optional»"],
        ),
        (
            &format!("repeat 2\n  {optional}\nend\nstation: Heartbeat {{}}"),
            &[],
        ),
        (
            &format!("{optional}\ndo charging(1)"),
            &["optional-without-end «optional»"],
        ),
        (
            &format!(
                "{optional}\neither\n  station: Heartbeat {{}}\nor\n  station: StopTransaction {{ transactionId: 1 }}\nend"
            ),
            &[],
        ),
    ]);
}

#[test]
fn no_two_lines_compete_for_a_message() {
    let pair = |a: &str, b: &str| {
        format!("any order\n  station: StatusNotification{a}\n  station: StatusNotification{b}\nend")
    };
    let clash = |a: &str, b: &str| {
        vec![format!("ambiguous «station: StatusNotification{b}»")]
            .into_iter()
            .chain(a.is_empty().then(String::new))
            .collect::<Vec<_>>()
    };
    for (a, b, clashes) in [
        (
            "(connectorId: 1) { status: Available }",
            "(connectorId: 2) { status: Available }",
            false,
        ),
        (
            "(connectorId: 1) { status: Available }",
            "(connectorId: 1) { status: Charging }",
            true,
        ),
        (
            "(connectorId: 1, status: Available) {}",
            "(connectorId: 1, status: Charging) {}",
            false,
        ),
        (
            "(status: one_of(Available, Faulted)) {}",
            "(status: one_of(Faulted, Charging)) {}",
            true,
        ),
        ("(status: not Charging) {}", "(status: Charging) {}", false),
        // Without parentheses the key fields of the action pick.
        (
            "{ connectorId: 1, status: Available }",
            "{ connectorId: 2, status: Available }",
            false,
        ),
        ("{ status: Available }", "{ connectorId: 2 }", true),
    ] {
        let a = if a.starts_with('(') {
            a.to_owned()
        } else {
            format!(" {a}")
        };
        let b = if b.starts_with('(') {
            b.to_owned()
        } else {
            format!(" {b}")
        };
        let found: Vec<String> = faults(&pair(&a, &b))
            .into_iter()
            .filter(|f| f.starts_with("ambiguous"))
            .collect();
        let expected = if clashes { clash(&a, &b) } else { Vec::new() };
        assert_eq!(found, expected, "{a} against {b}");
    }
    each(&[
        (
            "either\n  station: Authorize { idTag: \"A\" }\nor\n  station: Authorize { idTag: \"B\" }\nend",
            &["ambiguous «station: Authorize { idTag: \"B\" }»"],
        ),
        (
            "csms: ClearCache {}\neither\n  station: => { status: Accepted }\nor\n  station: => { status: Rejected }\nend",
            &[],
        ),
        (
            "csms: ClearCache {}\neither\n  station: => { status: Accepted }\nor\n  station: => { status: any }\nend",
            &["ambiguous «station: => { status: any }»"],
        ),
    ]);
}

#[test]
fn sides_and_levels_are_known() {
    let header = |line: &str| case(FINE).replace("covers T", &format!("covers T\n  {line}"));
    assert_eq!(faults_in(&header("tests station, csms")), [""; 0]);
    assert_eq!(faults_in(&header("tests stations")), ["unknown-side «stations»"]);
    assert_eq!(faults_in(&header("level must")), ["level «must»"]);
    assert_eq!(faults_in(&header("for x in [1, 2]")), ["unused «x»"]);
}

#[test]
fn ids_are_taken_once() {
    let twice = format!("{}{}", case(FINE), case(FINE));
    assert_eq!(faults_in(&twice), ["duplicate «case t/a \"t\"»"]);
    assert_eq!(
        faults_in("state idle(c) \"x\"\n  probe c == 1\nend\n"),
        ["duplicate «idle»"]
    );
}

#[test]
fn lint_warns_of_what_hardly_tests() {
    let warnings = |text: &str| -> Vec<String> {
        let (library, found) = load(text);
        assert_eq!(found, [], "{text}");
        lint(&library)
            .into_iter()
            .map(|d| format!("{} «{}»", d.code, &text[d.span.range()]))
            .collect()
    };
    assert_eq!(warnings(&case(FINE)), [""; 0], "a Heartbeat has no fields");
    let weak = case("station: BootNotification {}\ncsms: => {}\nstation: BootNotification {} after 3s");
    assert_eq!(
        warnings(&weak),
        [
            "weak-line «station: BootNotification {}»",
            "weak-line «csms: => {}»"
        ]
    );
    let (library, _) = load(&weak);
    assert_eq!((line_count(&library).dut, line_count(&library).weak), (3, 2));
    let one_side = weak.replace("covers T", "covers T\n  tests csms");
    assert_eq!(warnings(&one_side), ["weak-line «csms: => {}»"]);
    assert_eq!(
        warnings(&case(FINE).replace("  covers T\n", "")),
        ["no-covers «case t/a \"t\"»"]
    );
    assert_eq!(
        warnings(&case(FINE).replace("  covers T\n", "  note \"own\"\n")),
        [""; 0]
    );
    let long = case(&format!("{FINE}\n").repeat(90));
    assert_eq!(warnings(&long), ["long «case t/a \"t\"»"]);
    assert_eq!(warnings("phrase p(a, b) \"x\"\n  wait a\nend\n"), ["unused «b»"]);
}

#[test]
fn a_protocol_without_catalogue_is_noted_once() {
    let case = |id: &str| format!("case o/{id} \"t\"\n  spec OCPP-9 \"1\"\n  covers T\n{FINE}\nend\n");
    let sources = [
        Source::new("o/facts.toml", "protocol = \"OCPP-9\"\n"),
        Source::new("o/a.case", case("a")),
        Source::new("o/b.case", case("b")),
    ];
    let (_, found) = Library::load(sources, &natives());
    let notes: Vec<_> = found.iter().filter(|d| d.code == "no-catalogue").collect();
    assert_eq!(notes.len(), 1, "{found:?}");
    let hint = notes[0].hint.as_deref().unwrap_or_default();
    assert!(hint.contains("OCPP-1.6, OCPP-2.0.1"), "{hint}");
}

#[test]
fn the_probes_are_fit_to_run() {
    let v1 = ["b1", "b2", "b3", "b4", "b5", "b6", "b7"].map(|n| format!("probes/{n}.case"));
    let v2 = ["b8", "b9", "b10", "b11", "b12"].map(|n| format!("probes/v2/{n}.case"));
    let rest =
        ["facts.toml", "probe.state", "v2/facts.toml", "v2/probe.state"].map(|n| format!("probes/{n}"));
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let sources = v1.iter().chain(&v2).chain(&rest).map(|path| {
        let text = std::fs::read_to_string(root.join(path)).expect("it is there");
        Source::new(path.clone(), text)
    });
    let (library, found) = Library::load(sources, &natives());
    let shown: Vec<String> = found
        .iter()
        .map(|d| d.line(library.text(&d.file).unwrap_or("")))
        .collect();
    assert_eq!(
        shown.iter().filter(|l| l.contains("error")).count(),
        0,
        "{shown:#?}"
    );
    let notes = found
        .iter()
        .filter(|d| d.severity == Severity::Note && d.code == "no-catalogue");
    assert_eq!(notes.count(), 0, "both editions have a catalogue");
    assert_eq!(library.cases().len(), 12);
    let used = library
        .case("probe/b4")
        .map(|c| library.states_used_by(c))
        .expect("it is loaded");
    let paths: Vec<&str> = used.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(paths, ["probes/facts.toml", "probes/probe.state"]);
    // What a premise carries is enough to load the case again.
    let case = library.case("probe/b4").expect("it is loaded");
    let again = used
        .into_iter()
        .chain([Source::new(case.path.clone(), case.text.clone())]);
    let (reloaded, found) = Library::load(again, &natives());
    assert_eq!(found, []);
    assert_eq!(reloaded.case("probe/b4").map(|c| &c.case), Some(&case.case));
}
