//! Each format, read back by a consumer that shares no code with its writer, and compared with the model.

use std::collections::BTreeMap;

use crate::fixture::{HOSTILE, MODEL, Make, NOT_RUN, RUN};
use base64::Engine as _;
use plugfest_judge::Verdict;
use plugfest_reports::{Format, Run};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use scraper::{Html, Selector};
use sha2::Digest as _;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/run.schema.json");

/// The same run with a text that does no harm: whatever is built of elements must be built the same.
const TAME: Make = Make {
    said: "a text\nwithout harm\nand of\nseveral\nlines\nthat is quite long, so long that it is cut wherever the hostile one is cut as well, which takes more than three hundred characters in a table, hundred and twenty in the conversation of the page, and so on, until at last it is long enough for all of these limits, which it now is, as far as can be seen",
    strict: false,
};

fn render(make: Make, format: Format) -> String {
    format.render(&Run::of(&make.events())).unwrap()
}

fn key(case: &str) -> String {
    let tests = if case == "our-fault" { "csms" } else { "station" };
    format!("{case} ({tests})")
}

#[test]
fn junit_says_of_every_verdict_what_the_model_says() {
    for strict in [false, true] {
        let xml = render(Make { strict, ..RUN }, Format::Junit);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let cases: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name("testcase"))
            .collect();
        assert_eq!(cases.len(), MODEL.len() + 1);
        for expected in MODEL {
            let case = cases.iter().find(|node| {
                let name = node.attribute("name").unwrap();
                name == key(expected.case) || name.starts_with(&format!("{} (station, ", expected.case))
            });
            let case = case.unwrap_or_else(|| panic!("{}", expected.case));
            let outcome = case
                .children()
                .find(|node| node.is_element() && !node.has_tag_name("system-out"));
            let wanted = if strict {
                expected.junit_strict
            } else {
                expected.junit
            };
            assert_eq!(
                outcome.map(|node| node.tag_name().name()),
                wanted,
                "{}",
                expected.case
            );
            if let Some(outcome) = outcome {
                assert!(
                    outcome
                        .attribute("message")
                        .is_some_and(|message| !message.is_empty()),
                    "{}",
                    expected.case
                );
            }
            let says_more =
                wanted.is_some() && wanted != Some("skipped") || expected.verdict == Verdict::Warn;
            let text: String = case.descendants().filter_map(|node| node.text()).collect();
            assert_eq!(
                text.contains(expected.verdict.as_str()),
                says_more || expected.case == "expected-failure",
                "{}",
                expected.case
            );
        }
        let not_run = cases
            .iter()
            .find(|node| node.attribute("name") == Some(&key(NOT_RUN)))
            .unwrap();
        let skipped = not_run
            .children()
            .find(|node| node.has_tag_name("skipped"))
            .unwrap();
        assert_eq!(
            skipped.attribute("message"),
            Some("not run: the run was broken off by SIGTERM")
        );

        let sum = |name: &str| -> usize {
            let suites = document
                .descendants()
                .filter(|node| node.has_tag_name("testsuite"));
            suites
                .map(|suite| suite.attribute(name).unwrap().parse::<usize>().unwrap())
                .sum()
        };
        let of = |element: &str| {
            MODEL
                .iter()
                .filter(|e| if strict { e.junit_strict } else { e.junit } == Some(element))
                .count()
        };
        assert_eq!(sum("tests"), MODEL.len() + 1);
        assert_eq!((sum("failures"), sum("errors")), (of("failure"), of("error")));
        let skipped = document
            .descendants()
            .filter(|node| node.has_tag_name("skipped"))
            .count();
        assert_eq!(skipped, of("skipped") + 1);
    }
}

#[test]
fn junit_lets_no_text_become_xml() {
    let hostile = render(RUN, Format::Junit);
    let tame = render(TAME, Format::Junit);
    let shape = |xml: &str| -> Vec<String> {
        let document = roxmltree::Document::parse(xml).unwrap();
        let elements = document.descendants().filter(roxmltree::Node::is_element);
        elements
            .map(|node| format!("{}/{}", node.tag_name().name(), node.attributes().len()))
            .collect()
    };
    assert_eq!(shape(&hostile), shape(&tame));
    let document = roxmltree::Document::parse(&hostile).unwrap();
    let failure = document.descendants().find(|node| {
        node.has_tag_name("failure")
            && node
                .parent()
                .and_then(|n| n.attribute("name"))
                .is_some_and(|n| n.starts_with("hostile"))
    });
    let text: String = failure
        .unwrap()
        .descendants()
        .filter(roxmltree::Node::is_text)
        .filter_map(|node| node.text())
        .collect();
    for part in [
        "\\u{1b}[31m",
        "\\u{0}",
        "]]> <script>alert(1)</script>",
        "]]><failure/>",
        "\\u{fffe}",
        "\\u{202e}",
    ] {
        assert!(text.contains(part), "{part} is lost");
    }
    // The wall is needed: the characters that XML forbids were in what the device said.
    assert!(roxmltree::Document::parse(&format!("<a><![CDATA[{HOSTILE}]]></a>")).is_err());
}

#[test]
fn json_is_valid_by_the_published_schema_and_loses_nothing() {
    let text = render(RUN, Format::Json);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(SCHEMA).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    for (pointer, wrong) in [
        ("/verdict", "good"),
        ("/cases/0/verdict", "ok"),
        ("/schema", "plugfest-run/2"),
    ] {
        let mut document = document.clone();
        *document.pointer_mut(pointer).unwrap() = wrong.into();
        assert!(!validator.is_valid(&document), "{pointer}");
    }

    let cases = document["cases"].as_array().unwrap();
    assert_eq!(cases.len(), MODEL.len());
    for (case, expected) in cases.iter().zip(MODEL) {
        assert_eq!(
            (&case["id"], &case["verdict"]),
            (&expected.case.into(), &expected.verdict.as_str().into())
        );
        let plain = expected.verdict == Verdict::Pass && !expected.red;
        assert_eq!(
            case["reason"].as_str().unwrap().is_empty(),
            plain,
            "{}",
            expected.case
        );
    }
    let counts: BTreeMap<String, usize> = serde_json::from_value(document["counts"].clone()).unwrap();
    for verdict in Verdict::ALL {
        let wanted = MODEL
            .iter()
            .filter(|expected| expected.verdict == verdict)
            .count();
        assert_eq!(counts[verdict.as_str()], wanted, "{verdict}");
    }
    let hostile = cases.iter().find(|case| case["id"] == "hostile").unwrap();
    assert_eq!(hostile["findings"][0]["message"], HOSTILE);
    assert_eq!(hostile["findings"][0]["line"]["text"], HOSTILE);
    assert_eq!(document["not_run"][0]["id"], NOT_RUN);
    assert_eq!(
        (&document["exit"], &document["interrupted"]),
        (&143.into(), &"SIGTERM".into())
    );
    let steering = |c: char| c.is_control() && c != '\n' || ('\u{2028}'..='\u{202e}').contains(&c);
    assert!(!text.contains(steering), "the file can be shown on a terminal");
}

#[test]
fn the_page_shows_every_verdict_and_nothing_was_injected() {
    let page = Html::parse_document(&render(RUN, Format::Html));
    let select = |css: &str| Selector::parse(css).unwrap();
    let all = select("details.case");
    let cards: Vec<_> = page.select(&all).collect();
    assert_eq!(cards.len(), MODEL.len());
    let pill = select("summary .pill");
    for expected in MODEL {
        let card = cards.iter().find(|card| {
            card.text()
                .collect::<String>()
                .contains(&format!("{} (", expected.case))
        });
        let card = card.unwrap_or_else(|| panic!("{}", expected.case));
        assert_eq!(card.attr("data-verdict"), Some(expected.verdict.as_str()));
        assert_eq!(
            card.select(&pill).next().unwrap().text().collect::<String>(),
            expected.verdict.as_str()
        );
        assert_eq!(
            card.value()
                .has_class("red", scraper::CaseSensitivity::CaseSensitive),
            expected.red,
            "{}",
            expected.case
        );
        let button = select(&format!("nav button[data-verdict={}]", expected.verdict));
        assert_eq!(page.select(&button).count(), 1);
    }
    let numbers = select("nav button b");
    let buttons = page
        .select(&numbers)
        .map(|n| n.text().collect::<String>().parse::<usize>().unwrap());
    assert_eq!(buttons.sum::<usize>(), MODEL.len());

    let elements = |page: &Html| -> Vec<String> {
        let shape = |element: scraper::ElementRef<'_>| {
            let attributes: Vec<&str> = element.value().attrs().map(|(name, _)| name).collect();
            format!("{} {attributes:?}", element.value().name())
        };
        page.select(&Selector::parse("*").unwrap()).map(shape).collect()
    };
    let tame = Html::parse_document(&render(TAME, Format::Html));
    assert_eq!(
        elements(&page),
        elements(&tame),
        "hostile text makes no other elements than tame text"
    );
    assert_eq!(page.select(&select("script")).count(), 1);
    assert_eq!(page.select(&select("img, iframe, link, object, form")).count(), 0);
    let targets: Vec<&str> = page.select(&select("a")).filter_map(|a| a.attr("href")).collect();
    assert!(!targets.is_empty(), "the list of what to look at first");
    for target in targets {
        assert!(
            target.starts_with("#case-") && page.select(&select(target)).count() == 1,
            "{target} is a case of this page"
        );
    }
    let text: String = page.root_element().text().collect();
    for part in [
        "<script>alert(1)</script>",
        "\\u{1b}[31m",
        "\\u{202e}",
        "&amp; &#60;b&#62;",
    ] {
        assert!(text.contains(part), "{part} is to be seen as text");
    }
    let raw = render(RUN, Format::Html);
    assert!(!raw.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
}

#[test]
fn the_policy_of_the_page_names_its_own_script_and_style() {
    let page = Html::parse_document(&render(RUN, Format::Html));
    let text = |css: &str| {
        page.select(&Selector::parse(css).unwrap())
            .next()
            .unwrap()
            .text()
            .collect::<String>()
    };
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text));
    let meta = Selector::parse("meta[http-equiv]").unwrap();
    let policy = page.select(&meta).next().unwrap().attr("content").unwrap();
    assert!(
        policy.contains(&format!("script-src 'sha256-{}'", hash(&text("script")))),
        "{policy}"
    );
    assert!(
        policy.contains(&format!("style-src 'sha256-{}'", hash(&text("style")))),
        "{policy}"
    );
}

#[test]
fn markdown_lists_what_is_not_green_and_lets_no_text_become_markup() {
    let text = render(RUN, Format::Markdown);
    let options = Options::ENABLE_TABLES;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut cell = None;
    for event in Parser::new_ext(&text, options) {
        match event {
            Event::Start(Tag::TableRow) => rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => cell = Some(String::new()),
            Event::End(TagEnd::TableCell) => {
                if let (Some(row), Some(cell)) = (rows.last_mut(), cell.take()) {
                    row.push(cell);
                }
            }
            Event::Text(text) => {
                if let Some(cell) = &mut cell {
                    cell.push_str(&text);
                }
            }
            _ => {}
        }
    }
    let listed: Vec<&Vec<String>> = rows.iter().filter(|row| row.len() == 4).collect();
    assert_eq!(
        listed.len(),
        MODEL.iter().filter(|expected| expected.listed).count()
    );
    for expected in MODEL {
        let row = listed
            .iter()
            .find(|row| row[1].starts_with(&format!("{} (", expected.case)));
        assert_eq!(row.is_some(), expected.listed, "{}", expected.case);
        if let Some(row) = row {
            assert!(row[0].starts_with(expected.verdict.as_str()), "{row:?}");
            assert_eq!(
                row[0].contains("red"),
                expected.red && expected.verdict != Verdict::Fail,
                "{row:?}"
            );
            assert!(!row[2].is_empty(), "{row:?}");
        }
    }
    let hostile = listed.iter().find(|row| row[1].starts_with("hostile")).unwrap();
    assert!(
        hostile[2].contains("<script>alert(1)</script>") && hostile[2].contains("[l](http://e.vil)"),
        "{hostile:?}"
    );
    let shown = anything_but_text(&text, options);
    for expected in [Verdict::NotApplicable, Verdict::Skipped] {
        assert!(text.contains(&format!("- {expected}: ")), "{expected}");
    }
    assert_eq!(shown, anything_but_text(&render(TAME, Format::Markdown), options));
}

/// The structure of a document without its texts.
fn anything_but_text(text: &str, options: Options) -> Vec<String> {
    let structure = |event: Event<'_>| match event {
        Event::Text(_) | Event::SoftBreak => None,
        // Our own markup; the texts inside it are escaped, so no other tag is to be seen.
        Event::Html(html) | Event::InlineHtml(html) => {
            let tags: Vec<&str> = html
                .split('<')
                .skip(1)
                .filter_map(|tag| tag.split('>').next())
                .collect();
            assert!(
                tags.iter()
                    .all(|tag| matches!(*tag, "details" | "summary" | "/summary" | "/details")),
                "{html}"
            );
            Some(format!("{tags:?}"))
        }
        other => Some(format!("{other:?}")),
    };
    Parser::new_ext(text, options).filter_map(structure).collect()
}
