//! A failure: the author's line, what was expected and what came, the frame, the last frames, how to reproduce it.

use std::fmt::Write as _;

use plugfest_judge::{CaseResult, Finding, LineRef, Row};

use crate::run::{deciding, reason};
use crate::sequence::{around, row_of, same_place, sequence};
use crate::terminal::paint::Paint;
use crate::text::{counted, cut, one_line};

/// Rows of the small sequence.
const ROWS: usize = 6;
/// So many findings are shown in full; a flooding device makes thousands.
const FINDINGS: usize = 8;
/// Characters of a value.
const VALUE: usize = 600;

/// The block below the line of a case. Writing to a string cannot fail, so its results are dropped.
pub(super) fn text(result: &CaseResult, paint: Paint, width: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out);
    // A reason is often the message of a finding and its place, which are told below.
    let why = reason(result);
    let told = |finding: &Finding| !finding.message.is_empty() && why.starts_with(&finding.message);
    if !result.findings.iter().any(told) {
        let _ = writeln!(out, "  {}", paint.bold(&cut(&one_line(&why), VALUE)));
    }
    let mut evidence: Vec<&Finding> = Vec::new();
    for finding in result.findings.iter().take(FINDINGS) {
        let shown = evidence.iter().any(|before| same_place(before, finding));
        one(&mut out, finding, &result.conversation, shown, paint);
        evidence.push(finding);
    }
    if result.findings.len() > FINDINGS {
        let more = counted(
            (result.findings.len() - FINDINGS) as u64,
            "more finding is",
            "more findings are",
        );
        let _ = writeln!(out, "  {more} in the reports");
    }
    for expected in &result.expected {
        let why = format!(
            "expected: {}, owner {}",
            one_line(&expected.reason),
            one_line(&expected.owner)
        );
        let _ = writeln!(
            out,
            "  {} {}",
            paint.dim(&why),
            one_line(&expected.finding.message)
        );
    }
    for unexpected in &result.unexpected_pass {
        let _ = writeln!(
            out,
            "  {} {}",
            paint.bold("expected, but did not come:"),
            one_line(unexpected)
        );
    }
    for finding in &result.aftermath {
        let _ = writeln!(
            out,
            "  {} {}",
            paint.dim("after the verdict was due:"),
            one_line(&finding.message)
        );
    }
    let rows = around(&result.conversation, deciding(result), ROWS);
    if !rows.is_empty() {
        let _ = writeln!(out, "  {}", paint.dim("last frames"));
        for line in sequence(rows, &result.findings, width.saturating_sub(2)) {
            let _ = writeln!(out, "  {line}");
        }
    }
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {} {}", paint.dim(&format!("{name:<9}")), one_line(value));
        }
    };
    fact("reproduce", &result.reproduce);
    fact(
        "trace",
        &result
            .trace
            .as_ref()
            .map_or(String::new(), |path| path.to_string_lossy().into_owned()),
    );
    let _ = writeln!(out);
    out
}

/// One finding; without its line and frame where these have been `shown` with another one.
fn one(out: &mut String, finding: &Finding, rows: &[Row], shown: bool, paint: Paint) {
    let message = cut(&one_line(&finding.message), VALUE).into_owned();
    let _ = writeln!(
        out,
        "  {}: {}",
        paint.as_verdict(finding.verdict, finding.verdict.as_str()),
        paint.bold(&message)
    );
    let rule = format!(
        "{} · {} · {}",
        finding.clause,
        finding.level.as_str(),
        finding.rule
    );
    let _ = writeln!(out, "    {}", paint.dim(&one_line(&rule)));
    if let Some(line) = finding.line.as_ref().filter(|_| !shown) {
        author(out, line, finding.pointer.as_deref(), paint);
    }
    let mut value = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "    {name:<9}{}", cut(&one_line(value), VALUE));
        }
    };
    value("expected", &finding.expected);
    value("came", &finding.actual);
    match finding.pointer.as_deref() {
        Some("") => value("at", "the whole payload"),
        Some(pointer) => value("at", pointer),
        None => {}
    }
    for (part, held) in &finding.parts {
        value("where", &format!("{part} is {held}"));
    }
    if let Some(row) = row_of(rows, finding).filter(|_| !shown) {
        value("frame", &row.text);
    }
    let _ = writeln!(out);
}

/// The author's line with a caret under the field that the finding is about.
fn author(out: &mut String, line: &LineRef, pointer: Option<&str>, paint: Paint) {
    let text = one_line(&line.text);
    let (before, length) = caret(&text, pointer);
    let number = line.line.to_string();
    let gutter = " ".repeat(number.len());
    let place = format!("{}:{}:{}", line.file, line.line, line.column);
    let _ = writeln!(out, "    {gutter}{} {}", paint.dim("╭─"), one_line(&place));
    let _ = writeln!(out, "    {} {text}", paint.dim(&format!("{number} │")));
    let _ = writeln!(
        out,
        "    {gutter} {} {}{}",
        paint.dim("│"),
        " ".repeat(before),
        paint.bold(&"^".repeat(length))
    );
}

/// Where the caret stands and how long it is, in characters: the last name of the pointer that the line contains,
/// else the line's first word.
fn caret(text: &str, pointer: Option<&str>) -> (usize, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let stands_at = |name: &str| {
        let mut found = text.match_indices(name).map(|(at, _)| at);
        found.find(|&at| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            !before.ends_with(is_word) && !after.starts_with(is_word)
        })
    };
    let names = pointer
        .unwrap_or_default()
        .rsplit('/')
        .filter(|name| name.starts_with(|c: char| c.is_alphabetic()));
    for name in names {
        if let Some(at) = stands_at(name) {
            return (text[..at].chars().count(), name.chars().count());
        }
    }
    (0, text.chars().take_while(|c| !c.is_whitespace()).count().max(1))
}

#[cfg(test)]
mod tests {
    use super::caret;

    #[test]
    fn the_caret_stands_under_the_field() {
        let line = "station: StatusNotification(connectorId: 1, status: Available)";
        assert_eq!(caret(line, Some("/connectorId")), (28, 11));
        assert_eq!(caret(line, Some("/status")), (44, 6));
        assert_eq!(caret(line, Some("/nowhere/0")), (0, 8));
        assert_eq!(caret(line, None), (0, 8));
        assert_eq!(caret("", None), (0, 1));
        assert_eq!(caret("é: status", Some("/status")), (3, 6));
    }
}
