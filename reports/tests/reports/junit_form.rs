//! The form of the JUnit file, as strictly as the schemas that servers of continuous integration publish: which elements
//! stand where, how often and in which order, which attributes they have and what may stand in them. And what a parser
//! for such servers, which shares nothing with the writer, makes of it.

use crate::fixture::{HOSTILE, MODEL, Make, RUN};
use junit_parser::TestStatus;
use plugfest_reports::{Format, Run};
use roxmltree::{Document, Node};

/// What an element may look like.
struct Form {
    name: &'static str,
    /// Attributes that must be there, with their types.
    required: &'static [(&'static str, Type)],
    /// Attributes that may be there.
    optional: &'static [(&'static str, Type)],
    /// Children in the order in which they must come.
    children: &'static [(&'static str, Count)],
    /// Whether it may hold text.
    text: bool,
}

#[derive(Debug, Clone, Copy)]
enum Type {
    /// Any text.
    Text,
    /// A text that is not empty.
    Name,
    /// A whole number from 0.
    Number,
    /// Seconds with a fraction, from 0.
    Seconds,
    /// A moment as ISO 8601 writes it, to the second at least.
    Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Any,
    AtMostOne,
    /// One at most of all that are marked so.
    OneOf,
}

const FORMS: [Form; 8] = [
    Form {
        name: "testsuites",
        required: &[],
        optional: &[
            ("name", Type::Text),
            ("tests", Type::Number),
            ("failures", Type::Number),
            ("errors", Type::Number),
            ("time", Type::Seconds),
        ],
        children: &[("testsuite", Count::Any)],
        text: false,
    },
    Form {
        name: "testsuite",
        required: &[
            ("name", Type::Name),
            ("tests", Type::Number),
            ("failures", Type::Number),
            ("errors", Type::Number),
            ("time", Type::Seconds),
            ("timestamp", Type::Moment),
        ],
        optional: &[
            ("id", Type::Number),
            ("package", Type::Text),
            ("hostname", Type::Name),
            ("skipped", Type::Number),
        ],
        children: &[
            ("properties", Count::AtMostOne),
            ("testcase", Count::Any),
            ("system-out", Count::AtMostOne),
            ("system-err", Count::AtMostOne),
        ],
        text: false,
    },
    Form {
        name: "testcase",
        required: &[
            ("name", Type::Name),
            ("classname", Type::Name),
            ("time", Type::Seconds),
        ],
        optional: &[("file", Type::Text)],
        children: &[
            ("skipped", Count::OneOf),
            ("error", Count::OneOf),
            ("failure", Count::OneOf),
            ("system-out", Count::AtMostOne),
            ("system-err", Count::AtMostOne),
        ],
        text: false,
    },
    told("failure"),
    told("error"),
    told("skipped"),
    silent("system-out"),
    silent("system-err"),
];

const fn told(name: &'static str) -> Form {
    Form {
        name,
        required: &[("type", Type::Name), ("message", Type::Name)],
        optional: &[],
        children: &[],
        text: true,
    }
}

const fn silent(name: &'static str) -> Form {
    Form {
        name,
        required: &[],
        optional: &[],
        children: &[],
        text: true,
    }
}

impl Type {
    fn takes(self, text: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Name => !text.is_empty(),
            Self::Number => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Seconds => text
                .parse::<f64>()
                .is_ok_and(|seconds| seconds.is_finite() && seconds >= 0.0),
            Self::Moment => {
                let fits = |(byte, form): (u8, u8)| {
                    if form == b'0' {
                        byte.is_ascii_digit()
                    } else {
                        byte == form
                    }
                };
                text.len() >= 19 && text.bytes().zip(*b"0000-00-00T00:00:00").all(fits)
            }
        }
    }
}

/// Everything that is wrong with an element and what is in it.
fn wrong(node: Node<'_, '_>) -> Vec<String> {
    let name = node.tag_name().name();
    let Some(form) = FORMS.iter().find(|form| form.name == name) else {
        return vec![format!("<{name}> is no element of the format")];
    };
    let mut found = Vec::new();
    for (attribute, _) in form.required {
        if node.attribute(*attribute).is_none() {
            found.push(format!("<{name}> has no {attribute}"));
        }
    }
    for attribute in node.attributes() {
        let mut known = form.required.iter().chain(form.optional);
        match known.find(|(known, _)| *known == attribute.name()) {
            None => found.push(format!("<{name}> has an attribute {}", attribute.name())),
            Some((_, ty)) if !ty.takes(attribute.value()) => {
                found.push(format!(
                    "{} of <{name}> is no {ty:?}: {:?}",
                    attribute.name(),
                    attribute.value()
                ));
            }
            Some(_) => {}
        }
    }
    let mut last = 0;
    let mut counts = vec![0; form.children.len()];
    for child in node.children() {
        if child.is_element() {
            let tag = child.tag_name().name();
            match form.children.iter().position(|(known, _)| *known == tag) {
                None => found.push(format!("<{tag}> stands in <{name}>")),
                Some(place) => {
                    if place < last {
                        found.push(format!("<{tag}> of <{name}> stands too late"));
                    }
                    last = place;
                    counts[place] += 1;
                }
            }
            found.extend(wrong(child));
        } else if child
            .text()
            .is_some_and(|text| !form.text && !text.trim().is_empty())
        {
            found.push(format!("<{name}> holds text"));
        }
    }
    for ((child, count), times) in form.children.iter().zip(&counts) {
        if *count != Count::Any && *times > 1 {
            found.push(format!("<{name}> has {times} of <{child}>"));
        }
    }
    let outcomes = form
        .children
        .iter()
        .zip(&counts)
        .filter(|((_, count), _)| *count == Count::OneOf);
    if outcomes.map(|(_, times)| times).sum::<usize>() > 1 {
        found.push(format!("<{name}> has more than one outcome"));
    }
    found
}

fn render(make: Make) -> String {
    Format::Junit.render(&Run::of(&make.events())).unwrap()
}

#[track_caller]
fn is_refused(xml: &str, why: &str) {
    let document = Document::parse(xml).unwrap();
    let found = wrong(document.root_element());
    assert!(
        found.iter().any(|it| it.contains(why)),
        "{why} is not among {found:?}"
    );
}

#[test]
fn the_file_has_the_form_that_servers_ask_for() {
    for strict in [false, true] {
        let xml = render(Make { strict, ..RUN });
        let document = Document::parse(&xml).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "testsuites");
        assert_eq!(wrong(document.root_element()), [""; 0]);
    }
}

#[test]
fn the_form_can_be_missed() {
    let xml = render(RUN);
    for (from, to, why) in [
        (" classname=", " class=", "has no classname"),
        (" time=\"", " time=\"-", "is no Seconds"),
        (" tests=\"", " tests=\"+", "is no Number"),
        (" timestamp=\"2024", " timestamp=\"24", "is no Moment"),
        (
            "</testcase>",
            "<error type=\"a\" message=\"b\"/><failure type=\"a\" message=\"b\"/></testcase>",
            "outcome",
        ),
        (
            "</testcase>",
            "<system-out/><skipped type=\"a\" message=\"b\"/></testcase>",
            "stands too late",
        ),
        (
            "</testcase>",
            "<blink/></testcase>",
            "<blink> stands in <testcase>",
        ),
        ("</testsuite>", "loose</testsuite>", "<testsuite> holds text"),
    ] {
        assert!(xml.contains(from), "{from}");
        is_refused(&xml.replacen(from, to, 1), why);
    }
}

#[test]
fn a_parser_of_others_counts_as_the_model_does() {
    for strict in [false, true] {
        let xml = render(Make { strict, ..RUN });
        let suites = junit_parser::from_reader(xml.as_bytes()).unwrap().suites;
        let cases: Vec<_> = suites.iter().flat_map(|suite| &suite.cases).collect();
        // One more was not run.
        assert_eq!(cases.len(), MODEL.len() + 1);
        for expected in MODEL {
            let mine = |name: &str| name.starts_with(&format!("{} (", expected.case));
            let case = cases.iter().find(|case| mine(&case.original_name)).unwrap();
            let element = match &case.status {
                TestStatus::Success => None,
                TestStatus::Failure(_) => Some("failure"),
                TestStatus::Error(_) => Some("error"),
                TestStatus::Skipped(_) => Some("skipped"),
            };
            let wanted = if strict {
                expected.junit_strict
            } else {
                expected.junit
            };
            assert_eq!(element, wanted, "{}", expected.case);
        }
    }
    assert!(
        junit_parser::from_reader(HOSTILE.as_bytes()).is_err(),
        "it does not take just anything"
    );
}
