//! One self-contained page: summary, filter, and for each case what was found, the conversation, how to reproduce it.
//!
//! Nothing is loaded, and the page's own policy lets no script run but ours, by its hash.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plugfest_judge::{CaseResult, Finding, Row, Verdict};
use sha2::{Digest as _, Sha256};

use crate::run::{Colour, Run, all_of, colour, deciding, handled, reason};
use crate::sequence::{ends_of, label, row_of, said, same_place, time};
use crate::text::{counted, cut, duration, one_line, visible};

/// Rows of the conversation of a case with findings; the trace has all of them.
const ROWS: usize = 300;
/// Rows of the conversation of any other case.
const QUIET_ROWS: usize = 60;
/// A page with more cases than this begins with a list of those that are not as they should be.
const FEW: usize = 6;
/// Characters of one frame.
const FRAME: usize = 8_000;

const STYLE: &str = include_str!("../templates/run.css");
const SCRIPT: &str = include_str!("../templates/run.js");

pub(crate) fn render(run: &Run) -> Result<String, String> {
    Page::of(run).render().map_err(|error| error.to_string())
}

/// askama escapes every value of the page for HTML; what reaches it has been made visible before.
#[derive(Debug, Template)]
#[template(path = "run.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    style_hash: String,
    script_hash: String,
    verdict: &'static str,
    dut: String,
    facts: Vec<(String, String)>,
    headline: Vec<(&'static str, String)>,
    counts: Vec<(&'static str, u32)>,
    /// Beginning and width of each verdict in the bar, in thousandths.
    bar: Vec<(&'static str, u32, u32)>,
    interrupted: String,
    notes: Vec<String>,
    negatives: Vec<Wrong>,
    /// What to look at first: anchor, verdict, case and reason of everything that is not as it should be.
    first: Vec<(String, &'static str, String, String)>,
    blocks: Vec<Block>,
    not_run: Vec<String>,
}

/// Frames that were wrong on purpose, of one side.
#[derive(Debug)]
struct Wrong {
    summary: String,
    /// Class of mistake; sent, handled, tolerated, refused with a code that the edition lacks, mishandled.
    classes: Vec<(String, [u32; 5])>,
}

#[derive(Debug)]
struct Block {
    name: String,
    cases: Vec<Card>,
}

#[derive(Debug)]
struct Card {
    anchor: String,
    verdict: &'static str,
    red: bool,
    /// Red, or not decided.
    bad: bool,
    open: bool,
    key: String,
    title: String,
    took: String,
    reason: String,
    facts: Vec<(&'static str, String)>,
    findings: Vec<Item>,
    unexpected: Vec<String>,
    left_out: String,
    rows: Vec<Said>,
    reproduce: String,
}

/// A finding.
#[derive(Debug)]
struct Item {
    verdict: &'static str,
    level: &'static str,
    rule: String,
    clause: String,
    message: String,
    place: String,
    line: String,
    expected: String,
    actual: String,
    at: String,
    parts: Vec<(String, String)>,
    frame: String,
    /// Its line and frame stand with a finding above it.
    shown: bool,
    /// Why it was expected, or when it came.
    note: String,
}

#[derive(Debug)]
struct Said {
    time: String,
    ends: String,
    kind: String,
    is_frame: bool,
    decided: bool,
    short: String,
    full: String,
    line: String,
}

impl Page {
    fn of(run: &Run) -> Self {
        let results = run.in_order();
        let counts = run.counts();
        let of = |verdict: Verdict| counts.get(verdict.as_str()).copied().unwrap_or(0);
        let counts: Vec<(&str, u32)> = Verdict::ALL
            .iter()
            .rev()
            .map(|&v| (v.as_str(), of(v)))
            .filter(|c| c.1 > 0)
            .collect();
        let plan = run.plan.as_ref();
        let mut blocks: Vec<Block> = Vec::new();
        for (n, result) in results.iter().enumerate() {
            let name = shown(&result.planned.block);
            let card = Card::of(n + 1, result, run.strict());
            match blocks.iter_mut().find(|block| block.name == name) {
                Some(block) => block.cases.push(card),
                None => blocks.push(Block {
                    name,
                    cases: vec![card],
                }),
            }
        }
        let bad = blocks
            .iter()
            .flat_map(|block| &block.cases)
            .filter(|card| card.bad);
        let first: Vec<_> = bad
            .map(|card| {
                (
                    card.anchor.clone(),
                    card.verdict,
                    card.key.clone(),
                    card.reason.clone(),
                )
            })
            .collect();
        Self {
            // A page with few cases is its own list.
            first: if blocks.iter().map(|block| block.cases.len()).sum::<usize>() > FEW {
                first
            } else {
                Vec::new()
            },
            style: STYLE,
            script: SCRIPT,
            style_hash: hash(STYLE),
            script_hash: hash(SCRIPT),
            verdict: run.verdict().as_str(),
            dut: plan.map_or_else(String::new, |plan| shown(&plan.dut)),
            facts: plan
                .iter()
                .flat_map(|p| &p.dut_facts)
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
            headline: headline(run),
            bar: bar(&counts),
            counts,
            interrupted: run.interrupted.as_deref().map(shown).unwrap_or_default(),
            notes: run.notes.iter().map(|note| shown(note)).collect(),
            negatives: run
                .negatives()
                .iter()
                .map(|(side, classes)| Wrong {
                    summary: shown(&handled(side, all_of(classes))),
                    classes: classes
                        .iter()
                        .map(|(class, it)| {
                            let numbers = [it.sent, it.handled, it.tolerated, it.miscoded, it.mishandled];
                            (shown(class), numbers)
                        })
                        .collect(),
                })
                .collect(),
            blocks,
            not_run: run
                .not_run()
                .iter()
                .map(|case| shown(&case.key.to_string()))
                .collect(),
        }
    }
}

fn bar(counts: &[(&'static str, u32)]) -> Vec<(&'static str, u32, u32)> {
    let all = counts.iter().map(|(_, n)| u64::from(*n)).sum::<u64>().max(1);
    let mut before = 0;
    let mut part = |&(verdict, n): &(&'static str, u32)| {
        // Ends are rounded, not widths: so the parts meet and fill the bar.
        let start = before * 1_000 / all;
        before += u64::from(n);
        let width = (before * 1_000 / all - start).max(1);
        (verdict, start as u32, width as u32)
    };
    counts.iter().map(&mut part).collect()
}

fn headline(run: &Run) -> Vec<(&'static str, String)> {
    let mut facts = vec![("cases", run.results.len().to_string())];
    if let Some(summary) = &run.summary {
        facts.push(("took", duration(summary.duration_ms)));
        facts.push(("imposed waiting", duration(summary.waited_ms)));
        facts.push(("exit code", summary.exit.to_string()));
    }
    if let Some(plan) = &run.plan {
        facts.push(("seed", plan.seed.to_string()));
        facts.push(("began", plan.started.to_rfc3339()));
        facts.push(("plugfest", shown(&plan.version)));
        if plan.strict {
            facts.push(("strict", "warnings fail".to_owned()));
        }
        if plan.paused_clock {
            facts.push(("clock", "paused, in memory".to_owned()));
        }
    }
    facts
}

impl Card {
    fn of(number: usize, result: &CaseResult, strict: bool) -> Self {
        let planned = &result.planned;
        let colour = colour(result, strict);
        let mut facts = Vec::new();
        let mut fact = |name: &'static str, value: String| {
            if !value.is_empty() {
                facts.push((name, value));
            }
        };
        fact("covers", shown(&planned.covers.join(", ")));
        fact("clauses", shown(&planned.clauses.join(", ")));
        fact("profile", shown(&planned.profile));
        fact("file", shown(&planned.file));
        if result.waited_ms > 0 {
            fact("imposed waiting", duration(result.waited_ms));
        }
        let lines = counted(u64::from(result.lines_met), "line met", "lines met");
        fact(
            "asserted",
            format!(
                "{lines}, {}",
                counted(u64::from(result.checks), "check", "checks")
            ),
        );
        fact(
            "trace",
            result
                .trace
                .as_ref()
                .map_or_else(String::new, |path| shown(&path.to_string_lossy())),
        );
        let mut findings: Vec<Item> = result
            .findings
            .iter()
            .enumerate()
            .map(|(n, finding)| {
                let mut item = Item::of(finding, &result.conversation, String::new());
                item.shown = result.findings[..n]
                    .iter()
                    .any(|before| same_place(before, finding));
                item
            })
            .collect();
        findings.extend(result.expected.iter().map(|expected| {
            let note = format!("Expected because {} (owner: {})", expected.reason, expected.owner);
            Item::of(&expected.finding, &result.conversation, shown(&note))
        }));
        findings.extend(result.aftermath.iter().map(|finding| {
            let note = "After the verdict was due; it changes nothing.".to_owned();
            Item::of(finding, &result.conversation, note)
        }));
        let rows = rows(result);
        let left_out = match result.conversation.len() - rows.len() {
            0 => String::new(),
            n => format!("{} more in the trace", counted(n as u64, "row", "rows")),
        };
        let plain = result.verdict == Verdict::Pass && result.unexpected_pass.is_empty();
        Self {
            anchor: format!("case-{number}"),
            verdict: result.verdict.as_str(),
            red: colour == Colour::Red,
            bad: matches!(colour, Colour::Red | Colour::Undecided),
            open: colour == Colour::Red,
            key: shown(&planned.key.to_string()),
            title: shown(&planned.title),
            took: if colour == Colour::Grey {
                String::new()
            } else {
                duration(result.duration_ms)
            },
            reason: if plain {
                String::new()
            } else {
                shown(&reason(result))
            },
            facts,
            findings,
            unexpected: result.unexpected_pass.iter().map(|text| shown(text)).collect(),
            left_out,
            rows: rows.iter().map(|row| Said::of(row, &result.findings)).collect(),
            reproduce: shown(&result.reproduce),
        }
    }
}

/// The rows that are shown: the last ones, and where a finding decided, those around it.
fn rows(result: &CaseResult) -> &[Row] {
    let all = &result.conversation[..];
    let most = if result.findings.is_empty() {
        QUIET_ROWS
    } else {
        ROWS
    };
    let decided = deciding(result).and_then(|finding| finding.event);
    let end = decided.map_or(all.len(), |seq| {
        (all.partition_point(|row| row.seq <= seq) + most / 4).min(all.len())
    });
    let start = end.saturating_sub(most);
    &all[start..(start + most).min(all.len())]
}

impl Item {
    fn of(finding: &Finding, rows: &[Row], note: String) -> Self {
        let line = finding.line.as_ref();
        let frame = row_of(rows, finding).map(|row| visible(&cut(&row.text, FRAME)).into_owned());
        Self {
            verdict: finding.verdict.as_str(),
            level: finding.level.as_str(),
            rule: shown(&finding.rule),
            clause: shown(&finding.clause),
            message: shown(&finding.message),
            place: line.map_or_else(String::new, |line| {
                shown(&format!("{}:{}:{}", line.file, line.line, line.column))
            }),
            line: line.map_or_else(String::new, |line| shown(&line.text)),
            expected: visible(&cut(&finding.expected, FRAME)).into_owned(),
            actual: visible(&cut(&finding.actual, FRAME)).into_owned(),
            at: match finding.pointer.as_deref() {
                Some("") => "the whole payload".to_owned(),
                Some(pointer) => shown(pointer),
                None => String::new(),
            },
            parts: finding
                .parts
                .iter()
                .map(|(part, value)| (shown(part), shown(&cut(value, FRAME))))
                .collect(),
            frame: frame.unwrap_or_default(),
            shown: false,
            note,
        }
    }
}

impl Said {
    fn of(row: &Row, findings: &[Finding]) -> Self {
        let said = one_line(&said(row)).into_owned();
        let short = cut(&said, 120).into_owned();
        let full = visible(&cut(&row.text, FRAME)).into_owned();
        let line = row.line.as_ref();
        Self {
            time: time(row.ms).trim_start().to_owned(),
            ends: ends_of(row),
            kind: label(row),
            is_frame: matches!(row.kind.as_str(), "call" | "result" | "error" | "frame"),
            decided: findings.iter().any(|finding| finding.event == Some(row.seq)),
            full: if full == short { String::new() } else { full },
            short,
            line: line.map_or_else(String::new, |line| {
                // Lines of states stand in other files than those of the case.
                let file = line.file.rsplit('/').next().unwrap_or_default();
                shown(&format!("{file}:{} {}", line.line, line.text))
            }),
        }
    }
}

fn shown(text: &str) -> String {
    one_line(text).into_owned()
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}
