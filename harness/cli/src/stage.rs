//! Between what happens and what is reported: every event of a run passes here on its way to the reports.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use plugfest_judge::{RunEvent, RunSummary, Verdict};
use plugfest_reports::{
    Destination, Files, Format, Progress, Reports, Terminal, TerminalOptions, exit, preflight,
};

use crate::args;
use crate::expect::{Expect, apply};
use crate::failure::Failure;
use crate::out::Out;

/// The reports of a run, and what the run has come to so far.
pub(crate) struct Stage {
    reports: Reports<'static>,
    expect: Vec<Expect>,
    strict: bool,
    colour: bool,
    /// Whether it is said what a case waits for: where a bar shows it, and in logs where it was asked for.
    waits: bool,
    out: Option<PathBuf>,
    counts: BTreeMap<Verdict, u32>,
    unexpected_passes: u32,
    waited_ms: u64,
    interrupted: Option<String>,
    /// A report that is not there, or not whole.
    broken: bool,
}

/// What a run reports to.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    /// The reports that were asked for.
    pub(crate) reports: &'a args::Reports,
    /// The folder of the run, which gets one of each; it must be there.
    pub(crate) folder: Option<&'a Path>,
    /// Known failures.
    pub(crate) expect: Vec<Expect>,
    /// Warnings fail.
    pub(crate) strict: bool,
}

impl Stage {
    /// Sets the reports up, and tries before anything runs whether they can be written.
    pub(crate) fn new(setting: Setting<'_>, out: &Out) -> Result<Self, Failure> {
        let wanted = &setting.reports;
        let named = [
            (Format::Html, &wanted.html),
            (Format::Json, &wanted.json),
            (Format::Junit, &wanted.junit),
            (Format::Markdown, &wanted.markdown),
        ];
        let mut outputs: Vec<(Format, Destination)> = named
            .into_iter()
            .filter_map(|(format, path)| Some((format, Destination::parse(path.as_ref()?))))
            .collect();
        let to_stdout = outputs
            .iter()
            .filter(|(_, to)| *to == Destination::Stdout)
            .count();
        if to_stdout > 1 {
            return Err(Failure::usage("only one report can go to standard output"));
        }
        if let Some(folder) = setting.folder {
            outputs.extend(
                Format::ALL.map(|format| (format, Destination::File(folder.join(format.file_name())))),
            );
        }
        let paths = outputs.iter().filter_map(|(_, to)| match to {
            Destination::File(path) => Some(path.as_path()),
            Destination::Stdout => None,
        });
        preflight(paths).map_err(|error| Failure::usage(error.to_string()))?;
        let stream: Box<dyn Write> = if to_stdout > 0 {
            Box::new(io::stderr())
        } else {
            Box::new(io::stdout())
        };
        let detected = TerminalOptions::detected();
        let options = TerminalOptions {
            color: if to_stdout > 0 { out.colour_err } else { out.colour },
            progress: match detected.progress {
                _ if out.quiet => Progress::Quiet,
                Progress::Lines if out.verbose > 0 => Progress::Talkative,
                detected => detected,
            },
            ..detected
        };
        Ok(Self {
            reports: Reports::new()
                .with(Terminal::new(stream, options))
                .with(Files::new(outputs)),
            expect: setting.expect,
            strict: setting.strict,
            colour: out.colour_err,
            waits: options.progress != Progress::Quiet,
            out: setting.folder.map(Path::to_owned),
            counts: BTreeMap::new(),
            unexpected_passes: 0,
            waited_ms: 0,
            interrupted: None,
            broken: false,
        })
    }

    /// With one more report.
    #[must_use]
    pub(crate) fn with(mut self, report: impl plugfest_reports::Report + 'static) -> Self {
        self.reports = self.reports.with(report);
        self
    }

    /// Takes one event. Gives back the exit code that the result of a case asks for.
    pub(crate) fn hear(&mut self, event: RunEvent) -> u8 {
        let mut code = exit::OK;
        let event = match event {
            RunEvent::Waiting { .. } if !self.waits => return code,
            RunEvent::Finished(result) => {
                let result = apply(*result, &self.expect);
                *self.counts.entry(result.verdict).or_default() += 1;
                self.unexpected_passes += result.unexpected_pass.len() as u32;
                self.waited_ms += result.waited_ms;
                code = exit::of_result(&result, self.strict);
                RunEvent::Finished(Box::new(result))
            }
            RunEvent::Interrupted { by } => {
                self.interrupted = Some(by.clone());
                RunEvent::Interrupted { by }
            }
            event => event,
        };
        self.tell(&event);
        code
    }

    /// The run is over: the reports are written, and the exit code is known. `trouble` is the code of what ended it
    /// before its time.
    pub(crate) fn end(mut self, duration_ms: u64, trouble: Option<u8>) -> u8 {
        let count = |verdict| self.counts.get(&verdict).copied().unwrap_or(0);
        let of_counts = exit::of_counts(count, self.unexpected_passes, self.strict);
        let of_signal = self.interrupted.as_deref().and_then(exit::of_interruption);
        let code = exit::combined(of_signal.into_iter().chain(trouble).chain([of_counts]));
        let words = Verdict::ALL.map(|verdict| (verdict.as_str().to_owned(), count(verdict)));
        let summary = RunSummary {
            verdict: self.counts.keys().max().copied().unwrap_or(Verdict::Skipped),
            counts: BTreeMap::from(words),
            duration_ms,
            waited_ms: self.waited_ms,
            out: self.out.clone(),
            interrupted: self.interrupted.is_some(),
            exit: code,
            unexpected_passes: self.unexpected_passes,
        };
        self.tell(&RunEvent::Ended(summary));
        if self.broken {
            exit::combined([code, exit::UNDECIDED])
        } else {
            code
        }
    }

    fn tell(&mut self, event: &RunEvent) {
        for error in self.reports.on(event) {
            self.broken = true;
            // A reader of standard output that left early wants no more, and is told no more.
            let _unheard = Failure::undecided(error.to_string()).show(&mut io::stderr().lock(), self.colour);
        }
    }
}
