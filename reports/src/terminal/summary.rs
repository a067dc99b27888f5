//! The end of a run: counts, what went wrong, how long it took.

use std::fmt::Write as _;

use plugfest_judge::Verdict;

use crate::exit;
use crate::run::{Colour, Run, all_of, colour, handled, reason};
use crate::terminal::paint::Paint;
use crate::text::{counted, cut, duration, one_line};

/// So many cases are named again.
const NAMED: usize = 60;

/// The summary. Writing to a string cannot fail, so its results are dropped.
pub(super) fn text(run: &Run, paint: Paint) -> String {
    let mut out = String::new();
    let Some(summary) = &run.summary else { return out };
    blocks(&mut out, run, paint);
    let results = run.in_order();
    let red: Vec<_> = results
        .iter()
        .filter(|result| matches!(colour(result, run.strict()), Colour::Red | Colour::Undecided))
        .collect();
    for result in red.iter().take(NAMED) {
        let key = cut(&one_line(&result.planned.key.to_string()), 100).into_owned();
        let why = cut(&one_line(&reason(result)), 160).into_owned();
        let _ = writeln!(out, "{}{key}: {why}", paint.verdict(result, 16));
    }
    if red.len() > NAMED {
        let _ = writeln!(out, "and {} more", red.len() - NAMED);
    }
    if !red.is_empty() {
        let _ = writeln!(out);
    }
    let counts = run.counts();
    let count = |verdict: &Verdict| counts.get(verdict.as_str()).copied().unwrap_or(0);
    let words: Vec<String> = Verdict::ALL
        .iter()
        .rev()
        .filter(|verdict| count(verdict) > 0)
        .map(|&verdict| {
            format!(
                "{} {}",
                count(&verdict),
                paint.as_verdict(verdict, verdict.as_str())
            )
        })
        .collect();
    let all = counted(run.results.len() as u64, "case", "cases");
    let words = if words.is_empty() {
        "nothing was run".to_owned()
    } else {
        words.join(", ")
    };
    let _ = writeln!(
        out,
        "{}: {all}, {words}",
        paint.as_verdict(summary.verdict, summary.verdict.as_str())
    );
    if summary.unexpected_passes > 0 {
        let many = counted(
            summary.unexpected_passes.into(),
            "expected failure",
            "expected failures",
        );
        let _ = writeln!(out, "{many} did not come: remove them from the profile");
    }
    if run.strict() && count(&Verdict::Warn) > 0 {
        let _ = writeln!(out, "warnings fail, as --strict asks");
    }
    if summary.interrupted || run.interrupted.is_some() {
        let missing = counted(
            run.not_run().len() as u64,
            "planned case was",
            "planned cases were",
        );
        let by = one_line(run.interrupted.as_deref().unwrap_or("something unknown"));
        let _ = writeln!(out, "broken off by {by}: {missing} not run");
    }
    negatives(&mut out, run);
    let share = (summary.waited_ms * 100)
        .checked_div(summary.duration_ms)
        .map_or(0, |share| share.min(100));
    let _ = writeln!(
        out,
        "took {}, of which {} ({share} %) was waiting that the standard or the device imposes",
        duration(summary.duration_ms),
        duration(summary.waited_ms)
    );
    if let Some(folder) = &summary.out {
        let _ = writeln!(out, "reports and traces: {}", one_line(&folder.to_string_lossy()));
    }
    if summary.exit != exit::OK {
        let why = exit::explain(summary.exit)
            .and_then(|why| why.split(['.', ':', ';']).next())
            .unwrap_or("unknown");
        let _ = writeln!(out, "{}", paint.dim(&format!("exit {}: {why}", summary.exit)));
    }
    out
}

/// What became of the frames that were wrong on purpose; the classes of which not all were handled.
fn negatives(out: &mut String, run: &Run) {
    for (side, classes) in run.negatives() {
        let _ = writeln!(out, "{}", one_line(&handled(side, all_of(&classes))));
        for (class, it) in classes.iter().filter(|(_, it)| it.handled < it.sent) {
            let _ = writeln!(out, "  {}", one_line(&handled(class, *it)));
        }
    }
}

/// Counts per functional block, where there are several.
fn blocks(out: &mut String, run: &Run, paint: Paint) {
    let mut names: Vec<&str> = Vec::new();
    for result in run.in_order() {
        if !names.contains(&result.planned.block.as_str()) {
            names.push(&result.planned.block);
        }
    }
    let _ = writeln!(out);
    if names.len() < 2 {
        return;
    }
    let shown: Vec<Verdict> = Verdict::ALL
        .into_iter()
        .rev()
        .filter(|v| run.results.iter().any(|r| r.verdict == *v))
        .collect();
    let width = names
        .iter()
        .map(|name| one_line(name).chars().count())
        .max()
        .unwrap_or(0)
        .clamp(5, 36);
    let _ = write!(out, "{:width$}", "block");
    for verdict in &shown {
        let _ = write!(out, "  {verdict}");
    }
    let _ = writeln!(out);
    for name in names {
        let label: String = one_line(name).chars().take(36).collect();
        let _ = write!(out, "{label:width$}");
        for verdict in &shown {
            let n = run
                .results
                .iter()
                .filter(|r| r.planned.block == name && r.verdict == *verdict)
                .count();
            let text = if n == 0 { "·".to_owned() } else { n.to_string() };
            let padded = format!("{text:>0$}", verdict.as_str().len());
            let text = if n == 0 {
                paint.dim(&padded)
            } else {
                paint.as_verdict(*verdict, &padded)
            };
            let _ = write!(out, "  {text}");
        }
        let _ = writeln!(out);
    }
    let _ = writeln!(out);
}
