//! The machine-readable result of a run. Its shape is published in `reports/schema/run.schema.json` and only grows.

use std::collections::BTreeMap;
use std::io;

use plugfest_judge::{CaseResult, Finding, PlannedCase, Reactions, Verdict};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::exit;
use crate::run::{Run, reason};
use crate::text::is_hazardous;

/// The format name in every document.
pub const SCHEMA: &str = "plugfest-run/1";

/// The schema of the document, as it is published.
pub fn schema() -> Schema {
    schemars::schema_for!(Document)
}

pub(crate) fn render(run: &Run) -> Result<String, String> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Careful(PrettyFormatter::new()));
    Document::of(run)
        .serialize(&mut serializer)
        .map_err(|error| error.to_string())?;
    out.push(b'\n');
    String::from_utf8(out).map_err(|error| error.to_string())
}

/// The result of one run of plugfest.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "plugfest run", deny_unknown_fields)]
struct Document {
    /// Always `plugfest-run/1`.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// Version of plugfest.
    version: String,
    /// Seed of everything random in the run.
    seed: u64,
    /// When the run began, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    started: Option<String>,
    /// What was tested.
    dut: Dut,
    /// The worst verdict of the run.
    #[schemars(extend("enum" = verdicts()))]
    verdict: &'static str,
    /// The exit code of the process.
    exit: u8,
    /// Whether warnings count as failures.
    strict: bool,
    /// True where everything ran in memory on the paused clock, so that durations are those of the story.
    paused_clock: bool,
    /// By what the run was broken off.
    interrupted: Option<String>,
    /// Results of each verdict; all verdicts are there.
    counts: BTreeMap<&'static str, u32>,
    /// Expected failures that did not come.
    unexpected_passes: u32,
    /// How long the run took, in milliseconds.
    duration_ms: u64,
    /// How much of that was waiting that the standard or the device imposes, in milliseconds. Cases that run at the
    /// same time each count their own.
    waited_ms: u64,
    /// What became of the frames that were wrong on purpose, by side and class of mistake; empty where none was sent.
    negatives: Vec<NegativeClass>,
    /// What concerns no single case.
    notes: Vec<String>,
    /// The results; a case that tests both sides gives one for each.
    cases: Vec<Case>,
    /// Planned cases that were not begun or not ended, because the run was broken off.
    not_run: Vec<NotRun>,
}

/// Frames that were wrong on purpose in the same way, and what the device made of them.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NegativeClass {
    /// The side that got them: `station` or `csms`.
    tests: String,
    /// What was wrong: `missing-required`, `unknown-action`, `bad-arity` …
    class: String,
    /// Frames that were sent.
    sent: u32,
    /// Of which nothing was found: refused, or ignored where that is allowed.
    handled: u32,
    /// Of which no more than a warning was found.
    tolerated: u32,
    /// Refused, with an error code that the edition does not have.
    miscoded: u32,
    /// Taken, not answered, or answered by the end of the connection, although that is forbidden.
    mishandled: u32,
}

/// What was tested.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Dut {
    /// In words.
    description: String,
    /// Role, protocol, url, vendor, model, firmware, as far as they are known.
    facts: BTreeMap<String, String>,
}

/// The result of one case on one side.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Case {
    /// Id of the case.
    id: String,
    /// The side under test: `station` or `csms`.
    tests: String,
    /// Values of the case's `for` names: `reason=Local`; empty without.
    variant: String,
    /// From 1; above 1 with `--repeat`.
    repetition: u32,
    /// Its title.
    title: String,
    /// Official test case ids that it covers on this side.
    covers: Vec<String>,
    /// `OCPP-1.6`
    protocol: String,
    /// Functional block.
    block: String,
    /// Certification profile.
    profile: String,
    /// Clauses that it is about.
    clauses: Vec<String>,
    /// Its file, below `testcases/`.
    file: String,
    /// Its verdict, after expected failures were taken into account.
    #[schemars(extend("enum" = verdicts()))]
    verdict: &'static str,
    /// Why, in one line; empty for a plain pass.
    reason: String,
    /// When it began, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    started: String,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// How much of that was imposed waiting, in milliseconds.
    waited_ms: u64,
    /// Lines of the device that were met.
    lines_met: u32,
    /// Checks that were evaluated.
    checks: u32,
    /// Its trace, below the folder of the run.
    trace: Option<String>,
    /// The command that reproduces it.
    reproduce: String,
    /// What was found, in order.
    findings: Vec<Found>,
    /// What was found and expected, with reason and owner.
    expected: Vec<Expected>,
    /// Expected findings that did not come; they make the run red.
    unexpected_pass: Vec<String>,
    /// What was found after the verdict was due; it changes no verdict.
    aftermath: Vec<Found>,
    /// Numbers of the events whose messages no line of the case claimed.
    unclaimed: Vec<u64>,
}

/// One thing that was found.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Found {
    /// Id of the rule.
    rule: String,
    /// What it does to the verdict.
    #[schemars(extend("enum" = verdicts()))]
    verdict: &'static str,
    /// How strongly the clause speaks.
    #[schemars(extend("enum" = ["must", "should", "contested", "advisory"]))]
    level: &'static str,
    /// The clause: `OCPP-1.6 4.9`.
    clause: String,
    /// One sentence.
    message: String,
    /// What was expected.
    expected: String,
    /// What came.
    actual: String,
    /// JSON pointer into the payload of the frame, where there is one.
    pointer: Option<String>,
    /// Number of the event in the trace that decided it.
    event: Option<u64>,
    /// The line of the case.
    line: Option<Line>,
    /// For a failed check: its parts with their values.
    parts: Vec<PartValue>,
    /// How often the like of it was found, this one included.
    count: u32,
    /// Numbers of the events that decided the others, as many as were kept.
    again: Vec<u64>,
}

/// A line of a case file.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(
    clippy::struct_field_names,
    reason = "the published name of a line's number is `line`"
)]
struct Line {
    /// Path below `testcases/`.
    file: String,
    /// From 1.
    line: u32,
    /// From 1.
    column: u32,
    /// The line without its indentation.
    text: String,
}

/// A part of a checked expression.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PartValue {
    /// The part as written.
    expression: String,
    /// Its value.
    value: String,
}

/// A finding that was expected.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Expected {
    /// What was found.
    finding: Found,
    /// Why it is expected.
    reason: String,
    /// Who looks after it.
    owner: String,
}

/// A planned case without a result.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NotRun {
    /// Id of the case.
    id: String,
    /// The side under test.
    tests: String,
    /// Values of the case's `for` names.
    variant: String,
    /// From 1.
    repetition: u32,
}

fn verdicts() -> Vec<&'static str> {
    Verdict::ALL.iter().map(|verdict| verdict.as_str()).collect()
}

impl Document {
    fn of(run: &Run) -> Self {
        let plan = run.plan.as_ref();
        let summary = run.summary.as_ref();
        let sum = |part: fn(&CaseResult) -> u64| run.results.iter().map(part).sum();
        let codes = || {
            exit::combined(
                run.results
                    .iter()
                    .map(|result| exit::of_result(result, run.strict())),
            )
        };
        let unexpected = || u32::try_from(run.results.iter().map(|r| r.unexpected_pass.len()).sum::<usize>());
        Self {
            schema: SCHEMA,
            version: plan.map_or_else(String::new, |plan| plan.version.clone()),
            seed: plan.map_or(0, |plan| plan.seed),
            started: plan.map(|plan| plan.started.to_rfc3339()),
            dut: Dut {
                description: plan.map_or_else(String::new, |plan| plan.dut.clone()),
                facts: plan.map_or_else(BTreeMap::new, |plan| plan.dut_facts.clone()),
            },
            verdict: run.verdict().as_str(),
            exit: summary.map_or_else(codes, |summary| summary.exit),
            strict: run.strict(),
            paused_clock: plan.is_some_and(|plan| plan.paused_clock),
            interrupted: run.interrupted.clone(),
            counts: run.counts(),
            unexpected_passes: summary
                .map_or_else(|| unexpected().unwrap_or(u32::MAX), |s| s.unexpected_passes),
            duration_ms: summary
                .map_or_else(|| sum(|result| result.duration_ms), |summary| summary.duration_ms),
            waited_ms: summary.map_or_else(|| sum(|result| result.waited_ms), |summary| summary.waited_ms),
            negatives: run
                .negatives()
                .iter()
                .flat_map(|(side, classes)| {
                    classes
                        .iter()
                        .map(|(class, reactions)| NegativeClass::of(side, class, *reactions))
                })
                .collect(),
            notes: run.notes.clone(),
            cases: run.in_order().into_iter().map(Case::of).collect(),
            not_run: run.not_run().into_iter().map(NotRun::of).collect(),
        }
    }
}

impl Case {
    fn of(result: &CaseResult) -> Self {
        let planned = &result.planned;
        let plain = result.verdict == Verdict::Pass && result.unexpected_pass.is_empty();
        Self {
            id: planned.key.case.clone(),
            tests: planned.key.tests.clone(),
            variant: planned.key.variant.clone(),
            repetition: planned.key.repetition,
            title: planned.title.clone(),
            covers: planned.covers.clone(),
            protocol: planned.protocol.clone(),
            block: planned.block.clone(),
            profile: planned.profile.clone(),
            clauses: planned.clauses.clone(),
            file: planned.file.clone(),
            verdict: result.verdict.as_str(),
            reason: if plain {
                result.reason.clone()
            } else {
                reason(result)
            },
            started: result.started.to_rfc3339(),
            duration_ms: result.duration_ms,
            waited_ms: result.waited_ms,
            lines_met: result.lines_met,
            checks: result.checks,
            trace: result
                .trace
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            reproduce: result.reproduce.clone(),
            findings: result.findings.iter().map(Found::of).collect(),
            expected: result
                .expected
                .iter()
                .map(|expected| Expected {
                    finding: Found::of(&expected.finding),
                    reason: expected.reason.clone(),
                    owner: expected.owner.clone(),
                })
                .collect(),
            unexpected_pass: result.unexpected_pass.clone(),
            aftermath: result.aftermath.iter().map(Found::of).collect(),
            unclaimed: result.unclaimed.clone(),
        }
    }
}

impl NegativeClass {
    fn of(side: &str, class: &str, reactions: Reactions) -> Self {
        let Reactions {
            sent,
            handled,
            tolerated,
            miscoded,
            mishandled,
        } = reactions;
        Self {
            tests: side.to_owned(),
            class: class.to_owned(),
            sent,
            handled,
            tolerated,
            miscoded,
            mishandled,
        }
    }
}

impl Found {
    fn of(finding: &Finding) -> Self {
        Self {
            rule: finding.rule.clone(),
            verdict: finding.verdict.as_str(),
            level: finding.level.as_str(),
            clause: finding.clause.clone(),
            message: finding.message.clone(),
            expected: finding.expected.clone(),
            actual: finding.actual.clone(),
            pointer: finding.pointer.clone(),
            event: finding.event,
            line: finding.line.as_ref().map(|line| Line {
                file: line.file.clone(),
                line: line.line,
                column: line.column,
                text: line.text.clone(),
            }),
            parts: finding
                .parts
                .iter()
                .map(|(expression, value)| PartValue {
                    expression: expression.clone(),
                    value: value.clone(),
                })
                .collect(),
            count: finding.count,
            again: finding.again.clone(),
        }
    }
}

impl NotRun {
    fn of(planned: &PlannedCase) -> Self {
        Self {
            id: planned.key.case.clone(),
            tests: planned.key.tests.clone(),
            variant: planned.key.variant.clone(),
            repetition: planned.key.repetition,
        }
    }
}

/// Pretty JSON in which nothing is left that a terminal would obey. Readers get the original text all the same.
struct Careful<'a>(PrettyFormatter<'a>);

impl Formatter for Careful<'_> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_hazardous(*c)) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            from = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
