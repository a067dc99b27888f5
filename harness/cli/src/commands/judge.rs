//! `plugfest judge`: recorded traces judged again, without the device and without the cases of today.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use plugfest_case::{Library, Source};
use plugfest_judge::{CaseKey, CaseResult, Outcome, Plan, PlannedCase, RunEvent, judge};
use plugfest_play::premise::variants;
use plugfest_protocol::Timestamp;
use plugfest_reports::exit;
use plugfest_trace::{MAX_LINE, Premise, Trace};

use super::trace::{ending, read};
use crate::args::{Global, Judge};
use crate::failure::Failure;
use crate::out::Out;
use crate::stage::{Setting, Stage};
use crate::{cases, catalogue, config};

/// How the file of a trace ends.
pub(super) const TRACE: &str = "trace";
/// Folders below folders that are looked into.
const MAX_DEPTH: u32 = 8;

pub(super) fn run(global: &Global, arguments: &Judge, out: &mut Out) -> Result<u8, Failure> {
    let mut paths = BTreeSet::new();
    for path in &arguments.traces {
        collect(path, 0, &mut paths)?;
    }
    if paths.is_empty() {
        return Err(Failure::usage(format!(
            "there is no trace (*.{TRACE}) in the folders that are named"
        )));
    }
    // Only what the profile expects is looked up among the cases of today; the traces carry their own.
    let expect = if config::is_there(global) {
        config::need(global, &cases::load(global)?)?.expect
    } else {
        Vec::new()
    };
    let mut results = Vec::new();
    let mut notes = Vec::new();
    let mut unbegun = Vec::new();
    for path in &paths {
        // One that is named is asked about; one that is found in a folder may be what a killed run left.
        if !arguments.traces.contains(path) && !has_begun(path)? {
            unbegun.push(path.display().to_string());
            continue;
        }
        let trace = read(path)?;
        notes.extend(ending(path, &trace));
        results.push(result(path, &trace)?);
    }
    let setting = Setting {
        reports: &arguments.reports,
        folder: None,
        expect,
        strict: arguments.strict,
    };
    let mut stage = Stage::new(setting, out)?;
    let duration = results.iter().map(|result| result.duration_ms).sum();
    stage.hear(RunEvent::Planned(plan(&results, arguments.strict)));
    for text in notes {
        stage.hear(RunEvent::Note { text });
    }
    for (number, result) in (1..).zip(results) {
        stage.hear(RunEvent::Started {
            key: result.planned.key.clone(),
            number,
        });
        stage.hear(RunEvent::Finished(Box::new(result)));
    }
    let code = stage.end(duration, None);
    if unbegun.is_empty() {
        return Ok(code);
    }
    let why = format!(
        "the run was killed before the first event of a trace was whole, so nothing is known of its case: {}",
        unbegun.join(", ")
    );
    let failure = Failure::undecided(why);
    failure.show(&mut io::stderr().lock(), out.colour_err)?;
    Ok(exit::combined([code, failure.code()]))
}

/// Whether a file holds a whole line: that of the premise, without which there is no trace.
fn has_begun(path: &Path) -> Result<bool, Failure> {
    let mut first = Vec::new();
    let file = fs::File::open(path);
    let read = file.and_then(|file| BufReader::new(file.take(MAX_LINE as u64)).read_until(b'\n', &mut first));
    read.map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
    Ok(first.last() == Some(&b'\n'))
}

/// A file, or every trace below a folder.
fn collect(path: &Path, depth: u32, paths: &mut BTreeSet<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        paths.insert(path.to_owned());
        return Ok(());
    }
    let unreadable = |error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    if depth > MAX_DEPTH {
        return Err(Failure::usage(format!(
            "{} is more than {MAX_DEPTH} folders deep",
            path.display()
        )));
    }
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let below = entry.map_err(unreadable)?.path();
        if below.is_dir() || below.extension().is_some_and(|it| it == TRACE) {
            collect(&below, depth + 1, paths)?;
        }
    }
    Ok(())
}

fn result(path: &Path, trace: &Trace) -> Result<CaseResult, Failure> {
    let broken = |why: String| Failure::usage(format!("{} cannot be judged: {why}", path.display()));
    let premise = trace
        .premise()
        .ok_or_else(|| broken("it has no premise".to_owned()))?;
    let outcome = judge(&trace.events).map_err(|error| broken(error.to_string()))?;
    Ok(case_result(planned(premise, path), outcome, path))
}

fn case_result(planned: PlannedCase, outcome: Outcome, path: &Path) -> CaseResult {
    CaseResult {
        planned,
        verdict: outcome.verdict,
        reason: outcome.reason,
        findings: outcome.findings,
        expected: Vec::new(),
        unexpected_pass: Vec::new(),
        lines_met: outcome.lines.len() as u32,
        checks: outcome.checks,
        negatives: outcome.negatives,
        duration_ms: outcome.duration_ms,
        waited_ms: outcome.waited_ms,
        started: outcome.started,
        trace: Some(path.to_owned()),
        conversation: outcome.rows,
        reproduce: format!("plugfest judge {}", path.display()),
        unclaimed: outcome.unclaimed,
        aftermath: outcome.aftermath,
    }
}

/// What the premise says about its case; a trace without one is called by its file.
fn planned(premise: &Premise, path: &Path) -> PlannedCase {
    let key = |case: &str, variant: &str| CaseKey {
        case: case.to_owned(),
        tests: premise.dut.clone(),
        variant: variant.to_owned(),
        repetition: 1,
    };
    let nameless = || PlannedCase {
        key: key(&path.file_stem().unwrap_or_default().to_string_lossy(), ""),
        title: "a trace without a case".to_owned(),
        covers: Vec::new(),
        protocol: premise.protocol.clone(),
        block: String::new(),
        profile: String::new(),
        clauses: Vec::new(),
        file: String::new(),
    };
    let Some(source) = &premise.case else {
        return nameless();
    };
    let files = source
        .files
        .iter()
        .map(|file| Source::new(file.path.as_str(), file.text.as_str()));
    let (library, _) = Library::load(files, &cases::natives());
    let lines = catalogue::lines(&library);
    let line = lines
        .iter()
        .find(|line| line.loaded.case.id == source.id && line.role == premise.dut);
    let Some(line) = line else { return nameless() };
    let variants = variants(line.loaded);
    let variant = variants
        .iter()
        .find(|variant| variant.values == premise.for_values);
    line.planned(key(&source.id, variant.map_or("", |variant| &variant.name)))
}

fn plan(results: &[CaseResult], strict: bool) -> Plan {
    let started = results
        .iter()
        .map(|result| result.started)
        .min()
        .unwrap_or(Timestamp::from_secs(0));
    Plan {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: 0,
        started,
        dut: "recorded traces".to_owned(),
        dut_facts: std::collections::BTreeMap::new(),
        cases: results.iter().map(|result| result.planned.clone()).collect(),
        prompts: 0,
        reboots: 0,
        waiting_ms: 0,
        strict,
        paused_clock: true,
    }
}
