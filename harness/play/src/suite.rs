//! From a selection of cases to results: what applies, in which order, and one result per case played.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugfest_case::ir::{Kind, Stmt};
use plugfest_case::{Library, Loaded, pics};
use plugfest_judge::{CaseKey, CaseResult, Negatives, Outcome, PlannedCase, RunEvent, Verdict};
use plugfest_protocol::{Edition, Json};
use plugfest_trace::Marker;

use crate::engine::{EngineError, Table, play};
use crate::premise::{Setup, Variant, premise, variants};

/// A result line that will come.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What reports say of it.
    pub line: PlannedCase,
    /// The assignment of its `for` names.
    pub variant: Variant,
    /// Why it is not played, if it is not: the verdict and the deciding term.
    pub passed_over: Option<(Verdict, String)>,
    /// What it asks of hands and of the device.
    pub needs: Needs,
}

/// What a case asks of hands and of the device, counted over its own text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Verbs of the driver, each once.
    pub verbs: Vec<String>,
    /// How often hands are needed.
    pub hands: u32,
    /// How often the device is restarted.
    pub reboots: u32,
    /// Waiting that the text imposes, in milliseconds, as far as it is written as a literal.
    pub waiting_ms: u64,
}

/// Plans the result lines of one case for one side under test.
pub fn plan(
    library: &Library,
    loaded: &Loaded,
    dut: &str,
    codes: &BTreeMap<String, Json>,
    driver: Option<&[String]>,
    repetition: u32,
) -> Vec<Planned> {
    let needs = needs(library, loaded, dut);
    let header = &loaded.case.header;
    let covers = header
        .covers
        .iter()
        .map(|c| c.id.clone())
        .filter(|id| concerns(id, dut))
        .collect::<Vec<_>>();
    let (block, profile) = placed(loaded);
    variants(loaded)
        .into_iter()
        .map(|variant| {
            let key = CaseKey {
                case: loaded.case.id.clone(),
                tests: dut.to_owned(),
                variant: variant.name.clone(),
                repetition,
            };
            let passed_over = header.requires.as_ref().and_then(|requires| {
                let decided = pics::evaluate(&requires.expr, codes);
                (!decided.applies).then(|| (Verdict::NotApplicable, format!("requires {}", decided.deciding)))
            });
            let missing = driver.and_then(|can| needs.verbs.iter().find(|v| !can.contains(v)));
            let passed_over = passed_over
                .or_else(|| missing.map(|verb| (Verdict::Blocked, format!("the driver cannot do {verb}"))));
            Planned {
                line: PlannedCase {
                    key,
                    title: loaded.case.title.clone(),
                    covers: covers.clone(),
                    protocol: loaded.protocol.clone(),
                    block: block.clone(),
                    profile: profile.clone(),
                    clauses: clauses(loaded),
                    file: loaded.path.clone(),
                },
                variant,
                passed_over,
                needs: needs.clone(),
            }
        })
        .collect()
}

/// True if an official id is about this side: `TC_010_CSMS` is about a CSMS.
fn concerns(id: &str, dut: &str) -> bool {
    if id.ends_with("_CSMS") {
        dut == "csms"
    } else {
        dut != "csms"
    }
}

/// Functional block and certification profile: the folder of the file, and the first profile that `requires` names.
pub fn placed(loaded: &Loaded) -> (String, String) {
    let block = Path::new(&loaded.path)
        .parent()
        .and_then(Path::file_name)
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut profile = String::new();
    if let (Some(requires), Some(edition)) =
        (&loaded.case.header.requires, Edition::by_name(&loaded.protocol))
    {
        first_profile(&requires.expr, edition, &mut profile);
    }
    (block, profile)
}

fn first_profile(expr: &plugfest_case::ir::Pics, edition: &Edition, found: &mut String) {
    use plugfest_case::ir::Pics;
    match expr {
        Pics::Code(code) if found.is_empty() => {
            if edition.actions().iter().any(|a| a.profile == *code) {
                found.clone_from(code);
            }
        }
        Pics::And(a, b) | Pics::Or(a, b) => {
            first_profile(a, edition, found);
            first_profile(b, edition, found);
        }
        _ => {}
    }
}

/// The clauses of a case as `OCPP-1.6 4.9`.
pub fn clauses(loaded: &Loaded) -> Vec<String> {
    let spec = &loaded.case.header.spec;
    spec.iter()
        .flat_map(|s| s.clauses.iter().map(|c| format!("{} {c}", s.document)))
        .collect()
}

/// What a case asks of hands and of the device.
pub fn needs(library: &Library, loaded: &Loaded, dut: &str) -> Needs {
    let mut needs = Needs::default();
    for stmt in loaded.case.body.iter().chain(&loaded.case.finally) {
        count(library, loaded, stmt, dut, &mut needs, 0);
    }
    needs
}

fn count(library: &Library, loaded: &Loaded, stmt: &Stmt, dut: &str, needs: &mut Needs, depth: u32) {
    let verb = |name: &str, needs: &mut Needs| {
        let owner = plugfest_case::verbs::find(name).and_then(plugfest_case::verbs::VerbSpec::role);
        if owner.is_none_or(|owner| owner == dut) {
            needs.hands += 1;
            if !needs.verbs.iter().any(|v| v == name) {
                needs.verbs.push(name.to_owned());
            }
        }
    };
    let inside = |body: &[Stmt], needs: &mut Needs| {
        for inner in body {
            count(library, loaded, inner, dut, needs, depth);
        }
    };
    match &stmt.kind {
        Kind::Act(v) | Kind::Operate(v) => {
            verb(&v.name.text, needs);
            needs.reboots += u32::from(v.name.text.starts_with("station."));
        }
        Kind::Call(call) if call.speaker.role == dut && dut == "csms" && !stmt.mods.unprompted => {
            verb("csms.call", needs);
        }
        Kind::Call(call) if call.action.text == "Reset" => needs.reboots += 1,
        Kind::Wait { time } => needs.waiting_ms += literal_ms(time),
        Kind::Never(never) => {
            if let plugfest_case::ir::NeverScope::For(time) = &never.scope {
                needs.waiting_ms += literal_ms(time);
            }
        }
        Kind::Do(plugfest_case::ir::Given::State(reference)) if depth < 8 => {
            // A phrase is part of the story; a state may hold already.
            if let Some(state) = library.state(&loaded.protocol, &reference.name.text)
                && state.state.phrase
            {
                let state = Arc::clone(&state.state);
                for way in &state.ways {
                    for inner in &way.body {
                        count(library, loaded, inner, dut, needs, depth + 1);
                    }
                }
            }
        }
        Kind::AnyOrder { body }
        | Kind::InOrder { body }
        | Kind::Repeat { body, .. }
        | Kind::Each { body, .. } => inside(body, needs),
        Kind::Many(many) => inside(&many.body, needs),
        // A branch, an optional or an `if` may not come; what it needs is not counted on.
        _ => {}
    }
}

fn literal_ms(expr: &plugfest_case::ir::Expr) -> u64 {
    match &expr.kind {
        plugfest_case::ir::ExprKind::Duration { millis, .. } => *millis,
        _ => 10_000,
    }
}

/// Orders planned cases so that hands and restarts are few: cases without either first, then by block.
pub fn order(planned: &mut [Planned]) {
    planned.sort_by(|a, b| {
        let weight = |p: &Planned| (p.needs.reboots > 0, p.needs.hands > 0);
        weight(a)
            .cmp(&weight(b))
            .then_with(|| a.line.block.cmp(&b.line.block))
            .then_with(|| a.line.key.cmp(&b.line.key))
    });
}

/// One case to be played now.
#[derive(Debug)]
pub struct Job<'a> {
    /// All cases.
    pub library: &'a Library,
    /// The planned result line.
    pub planned: &'a Planned,
    /// What is chosen for it.
    pub setup: Setup,
    /// The folder for its trace; `None` keeps it in memory only.
    pub traces: Option<&'a Path>,
    /// What replaces secrets.
    pub marker: Marker,
    /// The command that reproduces the case.
    pub reproduce: String,
}

/// A played case: its result, and what is known of the DUT afterwards.
#[derive(Debug)]
pub struct Played {
    /// The result.
    pub result: CaseResult,
    /// The judgement in full; `None` where the case could not be played.
    pub outcome: Option<Outcome>,
}

/// Plays one case and turns its judgement into a result. The listener of the table hears of it.
pub async fn run_one(job: Job<'_>, table: Table<'_>) -> Played {
    let listener = table.listener.clone();
    let key = job.planned.line.key.clone();
    let started = table.clock.now();
    let clock = table.clock;
    let trace = job.traces.map(|dir| dir.join(trace_name(&key)));
    let played = match job.library.case(&key.case) {
        None => Err(EngineError::Session(plugfest_judge::SessionError::NoCase(
            key.case.clone(),
        ))),
        Some(loaded) => {
            let premise = premise(job.library, loaded, &job.planned.variant, &job.setup);
            match &trace {
                None => play(premise, std::io::sink(), "(in memory)", job.marker.clone(), table)
                    .await
                    .map(|(outcome, _)| outcome),
                Some(path) => match File::create(path) {
                    Ok(file) => play(
                        premise,
                        file,
                        &path.display().to_string(),
                        job.marker.clone(),
                        table,
                    )
                    .await
                    .map(|(outcome, _)| outcome),
                    Err(source) => Err(EngineError::Trace(plugfest_trace::WriteError::Io {
                        path: path.display().to_string(),
                        seq: 0,
                        source,
                    })),
                },
            }
        }
    };
    let played = match played {
        Ok(outcome) => Played {
            result: result_of(&job, &outcome, trace),
            outcome: Some(outcome),
        },
        Err(error) => {
            let mut result = passed_over(
                &job.planned.line,
                Verdict::Error,
                error.to_string(),
                started,
                &job.reproduce,
            );
            result.duration_ms = u64::try_from(clock.now().since(started).as_millis()).unwrap_or(u64::MAX);
            result.trace = trace;
            Played {
                result,
                outcome: None,
            }
        }
    };
    if let Some(listener) = listener {
        for finding in &played.result.findings {
            // A listener that is gone does not stop the run.
            drop(listener.send(RunEvent::Found {
                key: key.clone(),
                finding: finding.clone(),
            }));
        }
    }
    played
}

/// The result of a case that was not played.
pub fn passed_over(
    line: &PlannedCase,
    verdict: Verdict,
    reason: String,
    started: plugfest_protocol::Timestamp,
    reproduce: &str,
) -> CaseResult {
    CaseResult {
        planned: line.clone(),
        verdict,
        reason,
        findings: Vec::new(),
        expected: Vec::new(),
        unexpected_pass: Vec::new(),
        lines_met: 0,
        checks: 0,
        negatives: Negatives::default(),
        duration_ms: 0,
        waited_ms: 0,
        started,
        trace: None,
        conversation: Vec::new(),
        reproduce: reproduce.to_owned(),
        unclaimed: Vec::new(),
        aftermath: Vec::new(),
    }
}

/// The name of a trace file: the case id with its separators made plain, the side and the variant.
pub fn trace_name(key: &CaseKey) -> PathBuf {
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '-' {
                    c
                } else {
                    '.'
                }
            })
            .collect()
    };
    let mut name = format!("{}.{}", plain(&key.case), key.tests);
    if !key.variant.is_empty() {
        name.push('.');
        name.push_str(&plain(&key.variant));
    }
    if key.repetition > 1 {
        name.push_str(&format!(".{}", key.repetition));
    }
    PathBuf::from(format!("{name}.trace"))
}

fn result_of(job: &Job<'_>, outcome: &Outcome, trace: Option<PathBuf>) -> CaseResult {
    CaseResult {
        planned: job.planned.line.clone(),
        verdict: outcome.verdict,
        reason: outcome.reason.clone(),
        findings: outcome.findings.clone(),
        expected: Vec::new(),
        unexpected_pass: Vec::new(),
        lines_met: u32::try_from(outcome.lines.len()).unwrap_or(u32::MAX),
        checks: outcome.checks,
        negatives: outcome.negatives.clone(),
        duration_ms: outcome.duration_ms,
        waited_ms: outcome.waited_ms,
        started: outcome.started,
        trace,
        conversation: outcome.rows.clone(),
        reproduce: job.reproduce.clone(),
        unclaimed: outcome.unclaimed.clone(),
        aftermath: outcome.aftermath.clone(),
    }
}
