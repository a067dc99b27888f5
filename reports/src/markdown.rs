//! A summary for the step of a CI, in GitHub's Markdown.

use std::fmt::Write as _;

use plugfest_judge::{CaseResult, Finding, Verdict};

use crate::run::{Colour, Run, all_of, colour, deciding, handled, reason};
use crate::sequence::{around, sequence};
use crate::text::{counted, cut, duration, one_line, visible};

/// A step summary holds at most 1 MiB; so many cases are shown in full.
const DETAILED: usize = 40;
/// Rows of the table; beyond that it says how many more there are.
const LISTED: usize = 500;
/// Characters of one value in a table.
const CELL: usize = 300;
/// Rows of a sequence.
const ROWS: usize = 10;

pub(crate) fn render(run: &Run) -> String {
    // Writing to a string cannot fail, so results of `writeln!` are dropped throughout.
    let mut out = String::new();
    let results = run.in_order();
    head(&mut out, run);
    negatives(&mut out, run);
    let notable: Vec<&CaseResult> = results
        .iter()
        .copied()
        .filter(|r| !matches!(colour(r, run.strict()), Colour::Green | Colour::Grey))
        .collect();
    table(&mut out, run, &notable);
    for result in notable.iter().take(DETAILED) {
        details(&mut out, result);
    }
    if notable.len() > DETAILED {
        let _ = writeln!(
            out,
            "\n{} more are in the other reports.",
            notable.len() - DETAILED
        );
    }
    others(&mut out, run, &results);
    out
}

fn head(out: &mut String, run: &Run) {
    let _ = writeln!(out, "# plugfest: {}\n", run.verdict());
    if let Some(plan) = &run.plan {
        let _ = writeln!(
            out,
            "Tested: **{}** · seed {} · plugfest {}\n",
            md(&plan.dut),
            plan.seed,
            md(&plan.version)
        );
        for (name, value) in &plan.dut_facts {
            let _ = writeln!(out, "- {}: {}", md(name), md(value));
        }
        if !plan.dut_facts.is_empty() {
            out.push('\n');
        }
    }
    let counts = run.counts();
    let present: Vec<(&str, u32)> = Verdict::ALL
        .iter()
        .rev()
        .map(|verdict| {
            (
                verdict.as_str(),
                counts.get(verdict.as_str()).copied().unwrap_or(0),
            )
        })
        .filter(|(_, n)| *n > 0)
        .collect();
    if !present.is_empty() {
        let words: Vec<&str> = present.iter().map(|(word, _)| *word).collect();
        let numbers: Vec<String> = present.iter().map(|(_, n)| n.to_string()).collect();
        let _ = writeln!(out, "| {} |", words.join(" | "));
        let _ = writeln!(out, "|{}", " ---: |".repeat(words.len()));
        let _ = writeln!(out, "| {} |\n", numbers.join(" | "));
    }
    if let Some(summary) = &run.summary {
        let (took, waited) = (duration(summary.duration_ms), duration(summary.waited_ms));
        let _ = writeln!(out, "Took {took}, of which {waited} was imposed waiting.\n");
    }
    if let Some(by) = &run.interrupted {
        let missing = counted(run.not_run().len() as u64, "planned case", "planned cases");
        let _ = writeln!(out, "**Broken off by {}**: {missing} not run.\n", md(by));
    }
    for note in &run.notes {
        let _ = writeln!(out, "> {}\n", md(note));
    }
}

/// What became of the frames that were wrong on purpose, by class of mistake.
fn negatives(out: &mut String, run: &Run) {
    for (side, classes) in run.negatives() {
        let title = md(&handled(side, all_of(&classes)));
        let _ = writeln!(out, "<details><summary>{title}</summary>\n");
        let _ = writeln!(
            out,
            "| mistake | sent | handled | tolerated | refused with a code that the edition lacks | mishandled |"
        );
        let _ = writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |");
        for (class, it) in &classes {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                md(class),
                it.sent,
                it.handled,
                it.tolerated,
                it.miscoded,
                it.mishandled
            );
        }
        let _ = writeln!(out, "\n</details>\n");
    }
}

fn table(out: &mut String, run: &Run, notable: &[&CaseResult]) {
    if notable.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "| verdict | case | why | clause |\n| --- | --- | --- | --- |"
    );
    for result in notable.iter().take(LISTED) {
        let red = colour(result, run.strict()) == Colour::Red && result.verdict != Verdict::Fail;
        let word = if red {
            format!("**{}** (red)", result.verdict)
        } else {
            format!("**{}**", result.verdict)
        };
        let clause = deciding(result).map_or("", |finding| finding.clause.as_str());
        let key = md(&result.planned.key.to_string());
        let _ = writeln!(
            out,
            "| {word} | {key} | {} | {} |",
            md(&cut(&reason(result), CELL)),
            md(clause)
        );
    }
    if notable.len() > LISTED {
        let _ = writeln!(
            out,
            "\n{} more rows are in the other reports.",
            notable.len() - LISTED
        );
    }
}

fn details(out: &mut String, result: &CaseResult) {
    let planned = &result.planned;
    let (key, title) = (html(&planned.key.to_string()), html(&planned.title));
    let _ = writeln!(
        out,
        "\n<details><summary>{}: {key}: {title}</summary>\n",
        result.verdict
    );
    for finding in &result.findings {
        finding_item(out, finding, "");
    }
    for expected in &result.expected {
        let why = format!(
            "expected because {}, owner {}: ",
            md(&expected.reason),
            md(&expected.owner)
        );
        finding_item(out, &expected.finding, &why);
    }
    for unexpected in &result.unexpected_pass {
        let _ = writeln!(out, "- expected, but did not come: {}", md(unexpected));
    }
    for finding in &result.aftermath {
        finding_item(out, finding, "after the verdict was due: ");
    }
    if !result.conversation.is_empty() {
        let rows = around(&result.conversation, deciding(result), ROWS);
        fenced(out, &sequence(rows, &result.findings, 140).join("\n"));
    }
    if !result.reproduce.is_empty() {
        out.push_str("\nReproduce with\n");
        fenced(out, &one_line(&result.reproduce));
    }
    let _ = writeln!(out, "\n</details>");
}

fn finding_item(out: &mut String, finding: &Finding, before: &str) {
    let level = finding.level.as_str();
    let _ = writeln!(
        out,
        "- {before}**{}** {} ({level} {}, {})",
        finding.verdict,
        md(&finding.message),
        md(&finding.rule),
        md(&finding.clause)
    );
    if let Some(line) = &finding.line {
        let _ = writeln!(
            out,
            "  - line {}: {}",
            md(&format!("{}:{}", line.file, line.line)),
            md(&line.text)
        );
    }
    let at = finding.pointer.as_deref().unwrap_or_default();
    if !at.is_empty() {
        let _ = writeln!(out, "  - at {}", md(at));
    }
    let _ = writeln!(out, "  - expected {}", md(&cut(&finding.expected, CELL)));
    let _ = writeln!(out, "  - actual {}", md(&cut(&finding.actual, CELL)));
    for (part, value) in &finding.parts {
        let _ = writeln!(out, "  - {} is {}", md(part), md(&cut(value, CELL)));
    }
}

fn others(out: &mut String, run: &Run, results: &[&CaseResult]) {
    let skipped: Vec<_> = results
        .iter()
        .filter(|r| colour(r, run.strict()) == Colour::Grey)
        .collect();
    if skipped.is_empty() {
        return;
    }
    let title = counted(
        skipped.len() as u64,
        "case was not played",
        "cases were not played",
    );
    let _ = writeln!(out, "\n<details><summary>{title}</summary>\n");
    for result in skipped.iter().take(LISTED) {
        let _ = writeln!(
            out,
            "- {}: {}: {}",
            result.verdict,
            md(&result.planned.key.to_string()),
            md(&cut(&reason(result), CELL))
        );
    }
    let _ = writeln!(out, "\n</details>");
}

/// Text of others inside a paragraph or a cell: nothing in it is Markdown, HTML or a link.
fn md(text: &str) -> String {
    let line = one_line(text);
    let mut out = String::with_capacity(line.len() + 8);
    for c in line.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // These stand in almost every text and mean nothing inside a line.
            ',' | '\'' | '"' | '/' | '=' | ';' | '%' | '?' | '{' | '}' | '^' | '(' => out.push(c),
            _ if c.is_ascii_punctuation() => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

fn html(text: &str) -> String {
    one_line(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A block of code that nothing in the text can end.
fn fenced(out: &mut String, text: &str) {
    let text = visible(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "\n{fence}text\n{text}\n{fence}");
}
