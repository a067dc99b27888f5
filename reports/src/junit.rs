//! `JUnit` XML: a suite per functional block, a test case per result.
//!
//! The crate writes texts into CDATA sections as they are, so [`text`] is the wall between a device and the XML.

use std::collections::BTreeMap;

use junit_report::{Duration, OffsetDateTime, ReportBuilder, TestCase, TestCaseBuilder, TestSuiteBuilder};
use plugfest_judge::{CaseResult, PlannedCase, Verdict};

use crate::run::{Run, deciding, reason};
use crate::sequence::{around, sequence};
use crate::text::{cut, duration, one_line, visible};

/// Rows of the conversation that a failing case shows.
const ROWS: usize = 12;
/// Characters of one value that are shown; the trace has all of it.
const MOST: usize = 4_000;

pub(crate) fn render(run: &Run) -> Result<String, String> {
    let mut suites: BTreeMap<&str, (OffsetDateTime, Vec<TestCase>)> = BTreeMap::new();
    for result in run.in_order() {
        let started = instant(result.started.as_micros());
        let (first, cases) = suites
            .entry(&result.planned.block)
            .or_insert((started, Vec::new()));
        *first = (*first).min(started);
        cases.push(test_case(result, run.strict()));
    }
    let began = run.plan.as_ref().map_or(0, |plan| plan.started.as_micros());
    for planned in run.not_run() {
        let (_, cases) = suites
            .entry(&planned.block)
            .or_insert((instant(began), Vec::new()));
        cases.push(not_run(planned, run.interrupted.as_deref()));
    }
    let mut report = ReportBuilder::new();
    for (block, (started, cases)) in suites {
        let name = if block.is_empty() { "plugfest" } else { block };
        let mut suite = TestSuiteBuilder::new(&attribute(name));
        suite.set_timestamp(started).add_testcases(cases);
        report.add_testsuite(suite.build());
    }
    let mut out = Vec::new();
    report
        .build()
        .write_xml(&mut out)
        .map_err(|error| error.to_string())?;
    out.push(b'\n');
    String::from_utf8(out).map_err(|error| error.to_string())
}

fn test_case(result: &CaseResult, strict: bool) -> TestCase {
    let name = attribute(&result.planned.key.to_string());
    let took = Duration::milliseconds(i64::try_from(result.duration_ms).unwrap_or(i64::MAX));
    let why = attribute(&reason(result));
    let rule = deciding(result).map_or(result.verdict.as_str(), |finding| finding.rule.as_str());
    let word = result.verdict.as_str();
    let mut case = match result.verdict {
        Verdict::Fail => TestCaseBuilder::failure(&name, took, &attribute(rule), &why),
        _ if !result.unexpected_pass.is_empty() => {
            TestCaseBuilder::failure(&name, took, "unexpected-pass", &why)
        }
        Verdict::Warn if strict => TestCaseBuilder::failure(&name, took, &attribute(rule), &why),
        Verdict::Error | Verdict::Inconclusive => TestCaseBuilder::error(&name, took, word, &why),
        Verdict::Blocked | Verdict::NotApplicable | Verdict::Skipped => {
            TestCaseBuilder::skipped_with_cause(&name, word, &why)
        }
        Verdict::Pass | Verdict::Warn => TestCaseBuilder::success(&name, took),
    };
    let details = text(&details(result));
    // Only failures and errors have a text of their own in this format.
    case.set_trace(&details);
    let has_text = result.verdict == Verdict::Warn
        || !(result.expected.is_empty() && result.aftermath.is_empty() && result.findings.is_empty());
    if has_text || !result.unexpected_pass.is_empty() {
        case.set_system_out(&details);
    }
    finished(case, &result.planned)
}

fn not_run(planned: &PlannedCase, by: Option<&str>) -> TestCase {
    let why = format!(
        "not run: the run was broken off by {}",
        by.unwrap_or("something unknown")
    );
    finished(
        TestCaseBuilder::skipped_with_cause(
            &attribute(&planned.key.to_string()),
            "not-run",
            &attribute(&why),
        ),
        planned,
    )
}

fn finished(mut case: TestCaseBuilder, planned: &PlannedCase) -> TestCase {
    case.set_classname(&attribute(&format!("{}.{}", planned.key.tests, planned.block)));
    case.set_filepath(&attribute(&planned.file));
    case.build()
}

/// Everything that a person needs to believe the verdict, as plain text.
fn details(result: &CaseResult) -> String {
    let planned = &result.planned;
    let mut lines = vec![format!("{}: {}", result.verdict, reason(result)), String::new()];
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("{name:<10} {}", one_line(value)));
        }
    };
    fact("title", &planned.title);
    fact("covers", &planned.covers.join(", "));
    fact("clauses", &planned.clauses.join(", "));
    fact(
        "took",
        &format!(
            "{}, waiting {}",
            duration(result.duration_ms),
            duration(result.waited_ms)
        ),
    );
    fact("reproduce", &result.reproduce);
    fact(
        "trace",
        &result
            .trace
            .as_ref()
            .map_or(String::new(), |path| path.to_string_lossy().into_owned()),
    );
    for unexpected in &result.unexpected_pass {
        lines.push(String::new());
        lines.push(format!("expected, but did not come: {unexpected}"));
    }
    for finding in &result.findings {
        lines.push(String::new());
        lines.extend(finding_lines(finding));
    }
    for expected in &result.expected {
        lines.push(String::new());
        lines.push(format!(
            "expected because {} (owner: {})",
            expected.reason, expected.owner
        ));
        lines.extend(finding_lines(&expected.finding));
    }
    for finding in &result.aftermath {
        lines.push(String::new());
        lines.push("after the verdict was due:".to_owned());
        lines.extend(finding_lines(finding));
    }
    if !result.findings.is_empty() && !result.conversation.is_empty() {
        lines.push(String::new());
        let rows = around(&result.conversation, deciding(result), ROWS);
        lines.extend(sequence(rows, &result.findings, 160));
    }
    lines.join("\n")
}

fn finding_lines(finding: &plugfest_judge::Finding) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} [{} {}] {}",
            finding.verdict,
            finding.level.as_str(),
            finding.rule,
            finding.message
        ),
        format!("  clause   {}", finding.clause),
    ];
    if let Some(line) = &finding.line {
        lines.push(format!(
            "  line     {}:{}:{}: {}",
            line.file, line.line, line.column, line.text
        ));
    }
    if let Some(pointer) = &finding.pointer {
        lines.push(format!(
            "  at       {}",
            if pointer.is_empty() {
                "the whole payload"
            } else {
                pointer
            }
        ));
    }
    lines.push(format!("  expected {}", cut(&finding.expected, MOST)));
    lines.push(format!("  actual   {}", cut(&finding.actual, MOST)));
    lines.extend(
        finding
            .parts
            .iter()
            .map(|(part, value)| format!("  where    {part} is {}", cut(value, MOST))),
    );
    lines
}

/// For an attribute: one line, because XML turns line feeds in attributes into spaces.
fn attribute(value: &str) -> String {
    one_line(&cut(value, MOST)).into_owned()
}

/// For a CDATA section: what XML forbids becomes visible, and the end of the section is split over two of them.
fn text(value: &str) -> String {
    visible(value).replace("]]>", "]]]]><![CDATA[>")
}

fn instant(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
