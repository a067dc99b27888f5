//! `plugfest lint`: the always-on rules over somebody's log.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::path::Path;

use plugfest_judge::{Lint as Judge, Times, Verdict};
use plugfest_protocol::Edition;
use plugfest_reports::{LintedLog, exit, lint_json, lint_sarif, lint_text};
use plugfest_trace::{LogReader, ReadError, Said};

use crate::args::{Lint, Role};
use crate::failure::Failure;
use crate::out::Out;

/// So many frames are looked at to find out which side wrote the log.
const AHEAD: usize = 1_000;
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn run(arguments: &Lint, out: &mut Out) -> Result<u8, Failure> {
    let name = format!("OCPP-{}", arguments.ocpp.trim_start_matches("OCPP-"));
    let edition = Edition::by_name(&name)
        .ok_or_else(|| Failure::usage(format!("there is no catalogue of {name} here; there is OCPP-1.6")))?;
    let mut logs = Vec::new();
    for path in &arguments.logs {
        logs.push(linted(path, arguments, edition)?);
    }
    let mut told = false;
    for (path, text) in [
        (&arguments.json, lint_json as fn(&[LintedLog], &str) -> String),
        (&arguments.sarif, lint_sarif),
    ] {
        let Some(path) = path else { continue };
        let text = text(&logs, VERSION);
        if path == Path::new("-") {
            told = true;
            out.write_all(text.as_bytes())?;
        } else {
            std::fs::write(path, text)
                .map_err(|error| Failure::usage(format!("{} cannot be written: {error}", path.display())))?;
        }
    }
    if !told {
        out.write_all(lint_text(&logs).as_bytes())?;
    }
    let count = |verdict| logs.iter().map(|log| log.count(verdict)).sum::<u64>();
    let (fails, warnings) = (count(Verdict::Fail), count(Verdict::Warn));
    let judged = logs.iter().any(|log| log.frames > log.unjudged.values().sum());
    Ok(if fails > 0 || (arguments.strict && warnings > 0) {
        exit::FAILED
    } else if judged {
        exit::OK
    } else {
        exit::UNDECIDED
    })
}

fn linted(path: &Path, arguments: &Lint, edition: &'static Edition) -> Result<LintedLog, Failure> {
    let name = path.to_string_lossy().into_owned();
    let input: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(path)
            .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))?;
        Box::new(BufReader::new(file))
    };
    let mut reader = LogReader::open(input, &name, arguments.format).map_err(unreadable)?;
    let ahead = reader
        .by_ref()
        .take(AHEAD)
        .collect::<Result<Vec<Said>, _>>()
        .map_err(unreadable)?;
    let format = reader.format();
    let times = match ahead.first() {
        Some(Said { at: Some(_), .. }) if format.tells_zone() => Times::Wall,
        Some(Said { at: Some(_), .. }) => Times::Elapsed,
        _ => Times::None,
    };
    let writer = arguments
        .writer
        .map(Role::as_str)
        .or_else(|| Judge::writer_of(edition, ahead.iter()));
    let mut judge = Judge::new(edition, times, writer);
    let mut log = LintedLog::new(name, format.name());
    for said in ahead.into_iter().map(Ok).chain(reader.by_ref()) {
        for found in judge.hear(&said.map_err(unreadable)?) {
            log.take(found);
        }
    }
    let (frames, unjudged) = judge.counted();
    log.frames = frames;
    log.unjudged.clone_from(unjudged);
    log.stations = judge.stations();
    log.unknown = reader.unknown();
    Ok(log)
}

fn unreadable(error: ReadError) -> Failure {
    Failure::usage(error.to_string())
}
