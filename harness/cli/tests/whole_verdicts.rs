//! One suite with every verdict, played against a device over TCP, and the model of what each report must say of it. The
//! reports are read back by consumers that share no code with their writers.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use junit_parser::{TestStatus, TestSuites};
use plugfest_judge::Verdict;
use scraper::{Html, Selector};
use serde_json::{Value, json};

use crate::live::{Live, csms_profile, results};
use crate::peer::{converse, honest, listen, upgrade};
use crate::support::Desk;

const LIMIT: Duration = Duration::from_mins(1);
/// What the device says where it says no: no report may take it for more than a text.
const SLY: &str = "]]><failure/></td></table><script>alert(1)</script>\u{1b}[2J|`*";
const SCHEMA: &str = include_str!("../../../reports/schema/run.schema.json");

/// What is expected of one case.
struct Expected {
    case: &'static str,
    verdict: Verdict,
    /// How a CI counts it, without and with `--strict`.
    ci: [Ci; 2],
    /// The exit code of a run of this case alone, without and with `--strict`.
    exit: [i32; 2],
    /// The rule of the finding that decides; none where no finding does.
    rule: Option<&'static str>,
    /// Something that the reason must name, so that a person knows what to mend.
    names: &'static str,
    /// Whether it has a trace that can be judged again.
    traced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ci {
    Green,
    Failure,
    Error,
    Skipped,
}

use Ci::{Error, Failure, Green, Skipped};

/// One case for each way in which a verdict comes about. `skipped` is none of a run: what is not selected has no line.
const MODEL: [Expected; 9] = [
    Expected {
        case: "suite/blocked",
        verdict: Verdict::Blocked,
        ci: [Skipped, Skipped],
        exit: [3, 3],
        rule: None,
        names: "csms.token",
        traced: false,
    },
    Expected {
        case: "suite/error",
        verdict: Verdict::Error,
        ci: [Error, Error],
        exit: [3, 3],
        rule: None,
        names: "asserted nothing",
        traced: true,
    },
    Expected {
        case: "suite/expected",
        verdict: Verdict::Warn,
        ci: [Green, Failure],
        exit: [0, 1],
        rule: None,
        names: "it is known",
        traced: true,
    },
    Expected {
        case: "suite/fail",
        verdict: Verdict::Fail,
        ci: [Failure, Failure],
        exit: [1, 1],
        rule: Some("line/field"),
        names: "suite.case:",
        traced: true,
    },
    Expected {
        case: "suite/vanishes",
        verdict: Verdict::Inconclusive,
        ci: [Error, Error],
        exit: [3, 3],
        rule: Some("line/missing"),
        names: "went away",
        traced: true,
    },
    Expected {
        case: "suite/not-applicable",
        verdict: Verdict::NotApplicable,
        ci: [Skipped, Skipped],
        exit: [0, 0],
        rule: None,
        names: "Reservation",
        traced: false,
    },
    Expected {
        case: "suite/pass",
        verdict: Verdict::Pass,
        ci: [Green, Green],
        exit: [0, 0],
        rule: None,
        names: "",
        traced: true,
    },
    Expected {
        case: "suite/unexpected",
        verdict: Verdict::Pass,
        ci: [Failure, Failure],
        exit: [1, 1],
        rule: None,
        names: "",
        traced: true,
    },
    Expected {
        case: "suite/should",
        verdict: Verdict::Warn,
        ci: [Green, Failure],
        exit: [0, 1],
        rule: Some("line/field"),
        names: "suite.case:",
        traced: true,
    },
];

/// The suite. What the device does is told by the message id of a `DataTransfer`.
fn suite() -> String {
    let asks = |message: &str, should: &str| {
        format!(
            "  station: DataTransfer {{ vendorId: \"V\", messageId: \"{message}\" }}\n  csms:    => {{ status: Accepted }}{should}\n"
        )
    };
    let leaves = format!(
        "{}  unprompted csms: ClearCache {{}} within 4s\n",
        asks("leave", "")
    );
    let lacks_hands = format!(
        "  operate  csms.token(id: \"T1\", status: Blocked)\n{}",
        asks("yes", "")
    );
    let stories = [
        ("blocked", "", lacks_hands),
        ("error", "", "  wait     10ms\n".to_owned()),
        ("expected", "", asks("no", "")),
        ("fail", "", asks("no", "")),
        ("vanishes", "", leaves),
        ("not-applicable", "  requires Reservation\n", asks("yes", "")),
        ("pass", "", asks("yes", "")),
        ("unexpected", "", asks("yes", "")),
        ("should", "", asks("no", " should")),
    ];
    let case = |(id, requires, story): (&str, &str, String)| {
        format!(
            "case suite/{id} \"The case {id}\"\n  spec OCPP-1.6 \"4.3\"\n{requires}  tests csms\n\n{story}end\n"
        )
    };
    stories.map(case).join("\n")
}

/// `gone` is set when the device has left: the next connection is refused, so that it stays away for a while.
fn answer(
    stream: &TcpStream,
    gone: &Arc<AtomicBool>,
    id: &str,
    action: &str,
    payload: &Value,
) -> Vec<String> {
    if action != "DataTransfer" {
        return vec![honest(id, action)];
    }
    let said = match payload["messageId"].as_str() {
        Some("no") => json!({"status": "Rejected", "data": SLY}),
        Some("leave") => {
            let (stream, gone) = (stream.try_clone().unwrap(), Arc::clone(gone));
            std::thread::spawn(move || {
                // Later than what would be taken for an answer to the frame. Nobody speaks here: it is the wait.
                let (_silent, nothing) = channel::<()>();
                let _nothing = nothing.recv_timeout(Duration::from_millis(2_500));
                gone.store(true, Ordering::SeqCst);
                // The harness may have gone before.
                let _gone = stream.shutdown(Shutdown::Both);
            });
            json!({"status": "Accepted"})
        }
        _ => json!({"status": "Accepted"}),
    };
    vec![json!([3, id, said]).to_string()]
}

/// A desk with the suite, and the profile of a device that listens.
fn desk() -> Desk {
    let gone = Arc::new(AtomicBool::new(false));
    let port = listen(move |stream| {
        if gone.swap(false, Ordering::SeqCst) {
            return;
        }
        let socket_side = stream.try_clone().unwrap();
        if let Some(mut socket) = upgrade(stream) {
            converse(&mut socket, |id, action, payload| {
                answer(&socket_side, &gone, id, action, payload)
            });
        }
    });
    let expect = |case: &str| {
        format!(
            "[[expect]]\ncase = \"suite/{case}\"\nrule = \"line/field\"\npointer = \"/status\"\nreason = \"it is known\"\nowner = \"me\"\n"
        )
    };
    let pics = "[pics]\nReservation = false\n";
    let profile = format!(
        "{}{pics}{}{}",
        csms_profile(port),
        expect("expected"),
        expect("unexpected")
    );
    let desk = Desk::new();
    desk.file("plugfest.toml", profile);
    desk.file("own/suite.case", suite());
    desk
}

#[test]
fn every_report_of_a_run_says_what_the_model_says() {
    let desk = desk();
    for strict in [false, true] {
        let mut arguments = vec!["run", "--cases", "own", "--out", "o", "suite/*"];
        arguments.extend(strict.then_some("--strict"));
        let ran = Live::start(&desk, &arguments, LIMIT).ends().exits(1);
        json_says(&results(&desk, "o"), strict);
        junit_says(&desk.read("o/junit.xml"), strict);
        html_says(&desk.read("o/report.html"));
        markdown_says(&desk.read("o/summary.md"));
        terminal_says(&ran.out);
    }
    // The traces say the same again; what was not played has none.
    let again = ["judge", "--cases", "own", "o", "--json", "again.json"];
    Live::start(&desk, &again, LIMIT).ends().exits(1);
    let again: Value = serde_json::from_str(&desk.read("again.json")).unwrap();
    let again = verdicts(&again);
    let traced = MODEL.iter().filter(|expected| expected.traced);
    let wanted: BTreeMap<_, _> = traced
        .map(|expected| (expected.case.to_owned(), expected.verdict.to_string()))
        .collect();
    assert_eq!(again, wanted);
}

#[test]
fn every_verdict_alone_has_its_exit_code() {
    let desk = desk();
    for expected in &MODEL {
        for (flag, code) in [None, Some("--strict")].into_iter().zip(expected.exit) {
            let mut arguments = vec!["run", "--quiet", "--cases", "own", "--out", "o", expected.case];
            arguments.extend(flag);
            let ran = Live::start(&desk, &arguments, LIMIT).ends();
            assert_eq!(
                ran.code,
                Some(code),
                "{} {flag:?}\n{}\n{}",
                expected.case,
                ran.out,
                ran.err
            );
            assert_eq!(results(&desk, "o")["exit"], code);
        }
    }
}

#[test]
fn the_model_has_every_verdict_of_a_run() {
    let all = Verdict::ALL
        .into_iter()
        .filter(|verdict| *verdict != Verdict::Skipped);
    for verdict in all {
        assert!(
            MODEL.iter().any(|expected| expected.verdict == verdict),
            "{verdict}"
        );
    }
}

fn verdicts(document: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let cases = document["cases"].as_array().unwrap().iter();
    cases
        .map(|case| (text(&case["id"]), text(&case["verdict"])))
        .collect()
}

#[track_caller]
fn json_says(document: &Value, strict: bool) {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> = validator
        .iter_errors(document)
        .map(|error| error.to_string())
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    assert_eq!(
        (&document["exit"], &document["verdict"]),
        (&1.into(), &"fail".into())
    );
    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), MODEL.len());
    for expected in &MODEL {
        let case = cases.iter().find(|case| case["id"] == expected.case).unwrap();
        assert_eq!(case["verdict"], expected.verdict.as_str(), "{case}");
        let reason = case["reason"].as_str().unwrap();
        assert!(reason.contains(expected.names), "{}: {reason}", expected.case);
        let findings = case["findings"].as_array().unwrap();
        let decides = findings
            .iter()
            .find(|finding| finding["verdict"] == expected.verdict.as_str());
        let rule = decides.map(|finding| finding["rule"].as_str().unwrap());
        assert_eq!(rule, expected.rule, "{case}");
        assert_eq!(case["trace"].is_string(), expected.traced, "{case}");
    }
    let count = |verdict: Verdict| {
        MODEL
            .iter()
            .filter(|expected| expected.verdict == verdict)
            .count()
    };
    for verdict in Verdict::ALL {
        assert_eq!(document["counts"][verdict.as_str()], count(verdict), "{verdict}");
    }
    let of = |id: &str| cases.iter().find(|case| case["id"] == id).unwrap();
    assert_eq!(of("suite/expected")["expected"][0]["owner"], "me");
    assert_eq!(
        of("suite/unexpected")["unexpected_pass"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(document["strict"], strict);
}

#[track_caller]
fn junit_says(xml: &str, strict: bool) {
    let suites: TestSuites = junit_parser::from_reader(xml.as_bytes()).unwrap();
    let cases: Vec<_> = suites.suites.iter().flat_map(|suite| &suite.cases).collect();
    assert_eq!(cases.len(), MODEL.len());
    for expected in &MODEL {
        let case = cases
            .iter()
            .find(|case| case.original_name.starts_with(&format!("{} (", expected.case)));
        let case = case.unwrap_or_else(|| panic!("{} is not in {xml}", expected.case));
        let (found, message) = match &case.status {
            TestStatus::Success => (Green, ""),
            TestStatus::Failure(it) => (Failure, it.message.as_str()),
            TestStatus::Error(it) => (Error, it.message.as_str()),
            TestStatus::Skipped(it) => (Skipped, it.message.as_str()),
        };
        assert_eq!(
            found,
            expected.ci[usize::from(strict)],
            "{} strict {strict}",
            expected.case
        );
        assert!(
            found == Green || message.contains(expected.names),
            "{}: {message}",
            expected.case
        );
    }
    let counted = |ci: Ci| {
        MODEL
            .iter()
            .filter(|expected| expected.ci[usize::from(strict)] == ci)
            .count() as u64
    };
    let sum = |of: fn(&junit_parser::TestSuite) -> u64| suites.suites.iter().map(of).sum::<u64>();
    assert_eq!(sum(|suite| suite.tests), MODEL.len() as u64);
    assert_eq!(sum(|suite| suite.failures), counted(Failure));
    assert_eq!(sum(|suite| suite.errors), counted(Error));
}

#[track_caller]
fn html_says(page: &str) {
    let page = Html::parse_document(page);
    let select = |css: &str| Selector::parse(css).unwrap();
    let cards: BTreeMap<String, String> = page
        .select(&select("details.case"))
        .map(|card| {
            let text: String = card.text().collect();
            let case = MODEL
                .iter()
                .find(|expected| text.contains(&format!("{} (", expected.case)))
                .unwrap();
            (
                case.case.to_owned(),
                card.attr("data-verdict").unwrap().to_owned(),
            )
        })
        .collect();
    let wanted: BTreeMap<_, _> = MODEL
        .iter()
        .map(|expected| (expected.case.to_owned(), expected.verdict.to_string()))
        .collect();
    assert_eq!(cards, wanted);
    assert_eq!(page.select(&select("script")).count(), 1, "only our own");
    assert_eq!(page.select(&select("failure")).count(), 0);
    let text: String = page.root_element().text().collect();
    assert!(
        text.contains("<script>alert(1)</script>"),
        "what the device said is a text"
    );
}

#[track_caller]
fn markdown_says(text: &str) {
    for expected in &MODEL {
        let row = text
            .lines()
            .find(|line| line.starts_with('|') && line.contains(&format!("{} (", expected.case)));
        let listed = expected.ci != [Green, Green] && expected.verdict != Verdict::NotApplicable;
        assert_eq!(row.is_some(), listed, "{}\n{text}", expected.case);
        if let Some(row) = row {
            assert!(row.contains(expected.verdict.as_str()), "{row}");
        }
    }
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[track_caller]
fn terminal_says(text: &str) {
    for expected in &MODEL {
        let line = text
            .lines()
            .find(|line| line.starts_with('[') && line.contains(&format!("{} (", expected.case)));
        let line = line.unwrap_or_else(|| panic!("{} is missing in {text}", expected.case));
        assert!(line.contains(expected.verdict.as_str()), "{line}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
}
