use super::*;

struct Fixture;

impl Env for Fixture {
    fn variable(&self, name: &str) -> Option<Json> {
        let text = match name {
            PARAMS => r#"{"tag": {"valid": "T1"}, "sample": 10}"#,
            "m0" => "100",
            "half" => "0.5",
            "s" => r#"{"tx": 7, "list": [1, 2, 3]}"#,
            "q" => r#"[{"seqNo": 0, "t": "a"}, {"seqNo": 1, "t": "b"}]"#,
            "yes" | "C-30" => "true",
            "no" | "HFS-8" | "C-10.2" => "false",
            "long" => return Some(Json::Array(vec![Json::Null; 5000])),
            _ => return None,
        };
        Some(Json::parse(text).expect("a literal of this test"))
    }

    fn call(&self, function: &str, args: &[Json]) -> Option<Result<Json, String>> {
        match function {
            "twice" => Some(
                args[0]
                    .as_i64()
                    .map(|n| Json::from(2 * n))
                    .ok_or("no number".to_owned()),
            ),
            "broken" => Some(Err("out of order".to_owned())),
            _ => None,
        }
    }
}

fn value(text: &str) -> String {
    match Program::parse(text).expect(text).evaluate(&Fixture) {
        Ok(json) => json.to_string(),
        Err(failure) => failure.reason,
    }
}

#[test]
fn values_come_from_names_configured_values_and_functions() {
    for (text, expected) in [
        ("m0 + 1", "101"),
        ("s.tx == 7 && $tag.valid == \"T1\"", "true"),
        ("twice(twice(m0)) + $sample", "410"),
        ("m0.twice()", "200"),
        ("q.map(e, twice(e.seqNo))", "[0,2]"),
        ("q.exists(e, e.t == \"b\")", "true"),
        ("s.list[1]", "2"),
        ("half * 2.0", "1"),
        ("yes and not no", "true"),
        ("C-30 && !HFS-8 || C-10.2", "true"),
        ("\"$tag.valid and not\"", "\"$tag.valid and not\""),
        ("{\"b\": 1, \"a\": [null]}", r#"{"a":[null],"b":1}"#),
        ("size(q) == 2", "true"),
        ("9223372036854775807", "9223372036854775807"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn what_gives_no_value_says_why() {
    for (text, expected) in [
        ("unknown == 1", "nothing is known by the name `unknown`"),
        ("s.nope == 1", "there is no `nope`"),
        ("$tag.nope == \"\"", "there is no `nope`"),
        ("nope(1)", "nope: there is no function `nope`"),
        ("broken(1) == 2", "broken: out of order"),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
    assert!(
        value("m0 - half").contains("sub"),
        "mixed numbers do not silently agree"
    );
    assert!(value("m0 == \"100\"").contains("false"));
}

#[test]
fn evaluation_is_bounded() {
    assert!(value("long.all(a, long.all(b, a == b))").contains("too long"));
    assert_eq!(value("long.all(a, a == null)"), "true");
    let deep = format!("{}1", "1+".repeat(MAX_TOKENS));
    assert!(
        Program::parse(&deep)
            .expect_err("too many")
            .message
            .contains("more than")
    );
}

#[test]
fn the_largest_expressions_fit_a_small_stack() {
    let half = MAX_TOKENS / 2 - 1;
    let deep = [
        format!("{}1", "1+".repeat(half)),
        format!("{}1", "1+".repeat(MAX_DEPTH - 1)),
        format!("s{}", ".tx".repeat(half)),
        format!("{}yes{}", "(".repeat(32), ")".repeat(32)),
        format!("{}yes", "not ".repeat(half)),
        format!("{}1", "yes?1:".repeat(MAX_TOKENS / 4 - 1)),
        format!("{}1{}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1)),
        format!("{}1{}", "twice(".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1)),
        // The largest that are parsed where they stand.
        format!("{}1", "1+".repeat(SHORT / 2 - 1)),
        format!("{}yes", "not ".repeat(SHORT - 1)),
        format!("s{}", ".tx".repeat(SHORT / 2 - 1)),
        format!(
            "{}{}1{}",
            "twice(".repeat(SHALLOW),
            "1+".repeat(SHORT / 4),
            ")".repeat(SHALLOW)
        ),
        format!(
            "{}{}1{}",
            "[".repeat(SHALLOW),
            "1+".repeat(SHORT / 4),
            "]".repeat(SHALLOW)
        ),
    ];
    let run = move || {
        let mut parsed = 0;
        for text in deep {
            if let Ok(program) = Program::parse(&text) {
                parsed += 1;
                let parts = program.explain(&Fixture);
                assert!(!parts.is_empty() || program.evaluate(&Fixture).is_ok(), "{text}");
            }
        }
        assert!(parsed >= 8, "{parsed}");
    };
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(run);
    thread.expect("a thread").join().expect("no overflow");
}

#[test]
fn names_leave_out_the_variables_of_macros() {
    let program =
        Program::parse("q.exists(e, e.t == x && f(e, \"seqNo\")) && $tag.valid != C-30 && s.tx > 0")
            .expect("cel");
    let names = program.names();
    let variables: Vec<String> = names.variables.iter().map(|u| u.path.join(".")).collect();
    assert_eq!(variables, ["q", "x", "C-30", "s.tx"]);
    assert_eq!(names.params[0].path, ["tag", "valid"]);
    assert_eq!(&program.text()[names.params[0].range.clone()], "$tag.valid");
    assert_eq!(&program.text()[names.variables[2].range.clone()], "C-30");
    assert_eq!(&program.text()[names.variables[3].range.clone()], "s.tx");
    assert_eq!(names.calls.len(), 1);
    assert_eq!((names.calls[0].name.as_str(), names.calls[0].arity), ("f", 2));
    assert_eq!(names.calls[0].texts, [None, Some("seqNo".to_owned())]);
    assert_eq!(&program.text()[names.calls[0].range.clone()], "f(e, \"seqNo\")");
}

#[test]
fn every_part_is_explained_once_as_written() {
    let program = Program::parse("twice(m0) > s.tx and not (yes || $sample == 10) && q.all(e, e.seqNo > 5)")
        .expect("cel");
    let parts = program.explain(&Fixture);
    let shown: Vec<String> = parts
        .iter()
        .map(|(text, value)| format!("{text} = {value}"))
        .collect();
    assert_eq!(
        shown,
        [
            "m0 = 100",
            "twice(m0) = 200",
            "s.tx = 7",
            "twice(m0) > s.tx = true",
            "yes = true",
            "$sample = 10",
            "$sample == 10 = true",
            "yes || $sample == 10 = true",
            "not (yes || $sample == 10) = false",
            "twice(m0) > s.tx and not (yes || $sample == 10) = false",
            "q = [{\"seqNo\":0,\"t\":\"a\"},{\"seqNo\":1,\"t\":\"b\"}]",
            "q.all(e, e.seqNo > 5) = false",
        ]
    );
    let whole = Program::parse("yes").expect("cel").explain(&Fixture);
    assert_eq!(whole, [("yes".to_owned(), "true".to_owned())]);
}

#[test]
fn an_expression_that_does_not_parse_points_at_its_fault() {
    for (text, offset) in [
        ("$tag.valid == ", 14),
        ("foo bar", 4),
        ("a and $ == 1", 6),
        ("\"é\" == $b $c", 11),
        ("__x == 1", 0),
        ("\"abc", 0),
    ] {
        assert_eq!(Program::parse(text).expect_err(text).offset, offset, "{text}");
    }
}
