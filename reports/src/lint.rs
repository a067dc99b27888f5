//! What was found in somebody's logs: for people, as JSON and as SARIF 2.1.0, which code hosts show beside the file.
//!
//! SARIF is written with `serde_json`: the crates for it generate hundreds of types for the dozen members used here.

use std::collections::BTreeMap;

use plugfest_judge::{LintFinding, Verdict, rules};
use serde_json::{Value, json};

use crate::text::{counted, cut, is_hazardous, one_line};

/// The format name of the JSON document.
pub const LINT_SCHEMA: &str = "plugfest-lint/1";
/// At most so many findings are kept of one rule, side and log; more are counted.
const MAX_OF_A_KIND: usize = 100;
/// Longest value that is shown.
const SHOWN: usize = 200;

/// What one log gave.
#[derive(Debug, Clone)]
pub struct LintedLog {
    /// Its path as the person gave it.
    pub path: String,
    /// The name of its format.
    pub format: &'static str,
    /// Lines that held no frame, and the first of them.
    pub unknown: (u64, Option<u64>),
    /// Frames in it.
    pub frames: u64,
    /// Frames that could not be judged, by reason.
    pub unjudged: BTreeMap<&'static str, u64>,
    /// How many stations it tells of.
    pub stations: usize,
    kinds: BTreeMap<(String, &'static str), Kind>,
}

/// The findings of one rule about one side.
#[derive(Debug, Clone, Default)]
struct Kind {
    count: u64,
    kept: Vec<LintFinding>,
}

impl LintedLog {
    /// A log of which nothing was read yet.
    pub fn new(path: String, format: &'static str) -> Self {
        Self {
            path,
            format,
            unknown: (0, None),
            frames: 0,
            unjudged: BTreeMap::new(),
            stations: 0,
            kinds: BTreeMap::new(),
        }
    }

    /// Takes a finding.
    pub fn take(&mut self, found: LintFinding) {
        let kind = self
            .kinds
            .entry((found.finding.rule.clone(), found.side))
            .or_default();
        kind.count += 1;
        if kind.kept.len() < MAX_OF_A_KIND {
            kind.kept.push(found);
        }
    }

    /// Findings of this verdict, those included that were only counted.
    pub fn count(&self, verdict: Verdict) -> u64 {
        let of = |kind: &Kind| {
            let kept = kind
                .kept
                .iter()
                .filter(|it| it.finding.verdict == verdict)
                .count() as u64;
            let first = kind.kept.first().is_some_and(|it| it.finding.verdict == verdict);
            kept + if first {
                kind.count - kind.kept.len() as u64
            } else {
                0
            }
        };
        self.kinds.values().map(of).sum()
    }

    fn findings(&self) -> impl Iterator<Item = &LintFinding> {
        self.kinds.values().flat_map(|kind| &kind.kept)
    }
}

/// The logs for people: each kind of finding once, with its first line.
pub fn lint_text(logs: &[LintedLog]) -> String {
    let mut out = String::new();
    for log in logs {
        let read = format!(
            "{}: {} of {} ({})",
            one_line(&log.path),
            counted(log.frames, "frame", "frames"),
            counted(log.stations as u64, "station", "stations"),
            log.format
        );
        line(&mut out, &read);
        for (why, n) in &log.unjudged {
            line(&mut out, &format!("  not judged: {n} {why}"));
        }
        if let (n, Some(first)) = log.unknown {
            let lines = counted(n, "line", "lines");
            line(
                &mut out,
                &format!("  not read: {lines} without a frame, the first is line {first}"),
            );
        }
        let mut kinds: Vec<_> = log.kinds.iter().collect();
        kinds.sort_by_key(|(_, kind)| kind.kept.first().map(|it| (it.finding.level, it.line)));
        for ((rule, side), kind) in kinds {
            let Some(first) = kind.kept.first() else { continue };
            let finding = &first.finding;
            line(
                &mut out,
                &format!("\n  {}: {rule} ({side}), {}", finding.verdict, times(kind.count)),
            );
            line(&mut out, &format!("    {}", one_line(&finding.message)));
            let pointer = finding
                .pointer
                .as_deref()
                .map(|at| format!(" at {}", one_line(at)));
            for (name, value) in [("expected", &finding.expected), ("came", &finding.actual)] {
                if !value.is_empty() {
                    line(
                        &mut out,
                        &format!("    {name:<8} {}", one_line(&cut(value, SHOWN))),
                    );
                }
            }
            let station = match first.station.as_str() {
                "" => String::new(),
                name => format!(", station {}", one_line(name)),
            };
            line(
                &mut out,
                &format!(
                    "    at       {}:{}{station}{}",
                    one_line(&log.path),
                    first.line,
                    pointer.unwrap_or_default()
                ),
            );
            line(
                &mut out,
                &format!("    clause   {} · {}", finding.clause, finding.level.as_str()),
            );
        }
        out.push('\n');
    }
    let all = |verdict| logs.iter().map(|log| log.count(verdict)).sum::<u64>();
    let (fails, warnings) = (all(Verdict::Fail), all(Verdict::Warn));
    let frames = logs.iter().map(|log| log.frames).sum::<u64>();
    line(
        &mut out,
        &format!(
            "{}, {}, {}",
            counted(frames, "frame", "frames"),
            counted(fails, "failure", "failures"),
            counted(warnings, "warning", "warnings")
        ),
    );
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn times(n: u64) -> String {
    if n == 1 {
        "once".to_owned()
    } else {
        format!("{n} times")
    }
}

/// The logs as one JSON document.
pub fn lint_json(logs: &[LintedLog], version: &str) -> String {
    let logs: Vec<Value> = logs
        .iter()
        .map(|log| {
            let kinds: Vec<Value> = log
                .kinds
                .iter()
                .map(|((rule, side), kind)| json!({"rule": rule, "side": side, "count": kind.count}))
                .collect();
            let findings: Vec<Value> = log.findings().map(as_json).collect();
            json!({
                "path": log.path,
                "format": log.format,
                "frames": log.frames,
                "stations": log.stations,
                "unjudged": log.unjudged,
                "lines_without_a_frame": log.unknown.0,
                "kinds": kinds,
                "findings": findings,
            })
        })
        .collect();
    pretty(&json!({"schema": LINT_SCHEMA, "version": version, "logs": logs}))
}

fn as_json(found: &LintFinding) -> Value {
    let finding = &found.finding;
    json!({
        "line": found.line,
        "station": found.station,
        "side": found.side,
        "rule": finding.rule,
        "verdict": finding.verdict.to_string(),
        "level": finding.level.as_str(),
        "clause": finding.clause,
        "message": finding.message,
        "expected": finding.expected,
        "actual": finding.actual,
        "pointer": finding.pointer,
    })
}

/// The logs as SARIF 2.1.0.
pub fn lint_sarif(logs: &[LintedLog], version: &str) -> String {
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for ((rule, _), _) in logs.iter().flat_map(|log| &log.kinds) {
        used.insert(rule, 0);
    }
    for (index, place) in used.values_mut().enumerate() {
        *place = index;
    }
    let described: Vec<Value> = used.keys().map(|id| rule_of(id)).collect();
    let results: Vec<Value> = logs
        .iter()
        .flat_map(|log| {
            log.findings()
                .map(|found| result(log, found, used[found.finding.rule.as_str()]))
        })
        .collect();
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "plugfest",
                "version": version,
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": described,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn rule_of(id: &str) -> Value {
    match rules::find(id) {
        Some(info) => json!({
            "id": id,
            "shortDescription": {"text": info.title},
            "fullDescription": {"text": info.explain},
            "help": {"text": format!("{} ({}). See `plugfest explain {id}`.", info.clause, info.level.as_str())},
        }),
        None => json!({"id": id}),
    }
}

fn result(log: &LintedLog, found: &LintFinding, rule: usize) -> Value {
    let finding = &found.finding;
    let mut text = format!("{}: {} ({})", found.side, finding.message, finding.clause);
    for (name, value) in [("expected", &finding.expected), ("came", &finding.actual)] {
        if !value.is_empty() {
            text.push_str(&format!("; {name} {}", cut(value, SHOWN)));
        }
    }
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": if finding.verdict == Verdict::Fail { "error" } else { "warning" },
        "message": {"text": one_line(&text)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&log.path)},
                "region": {"startLine": found.line},
            },
            "logicalLocations": [{"name": one_line(&found.station), "kind": "resource"}],
        }],
        "properties": {"side": found.side, "pointer": finding.pointer},
    })
}

/// A path as a relative reference: what a URI does not take is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// With everything escaped that a terminal would obey: a JSON document is looked at, too.
fn pretty(value: &Value) -> String {
    // Invariant: a `Value` made of strings, numbers and arrays can be written.
    #[expect(
        clippy::expect_used,
        reason = "a value without maps of other keys than strings is always JSON"
    )]
    let text = serde_json::to_string_pretty(value).expect("a JSON value");
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c != '\n' && is_hazardous(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    out
}
