//! `plugfest trace`

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use plugfest_reports::exit;
use plugfest_trace::{Ending, ImportAs, Marker, Recorder, Trace, WriteError, export, import, read_trace};

use crate::args::TraceCommand;
use crate::failure::Failure;
use crate::out::Out;

pub(super) fn run(what: &TraceCommand, out: &mut Out) -> Result<u8, Failure> {
    match what {
        TraceCommand::Export { trace, output } => {
            let recorded = read(trace)?;
            let exported = match output {
                None => export(&recorded.events, out)?,
                Some(path) => {
                    let unwritable =
                        |error| Failure::usage(format!("{} cannot be written: {error}", path.display()));
                    let mut file = BufWriter::new(File::create_new(path).map_err(unwritable)?);
                    let exported = export(&recorded.events, &mut file).map_err(unwritable)?;
                    file.flush().map_err(unwritable)?;
                    exported
                }
            };
            out.flush()?;
            out.remark(&format!(
                "{} records; {}",
                exported.records,
                left_out(&exported.left_out)
            ))?;
        }
        TraceCommand::Import {
            records,
            dut,
            ocpp,
            output,
        } => {
            let tool = format!("plugfest {}", env!("CARGO_PKG_VERSION"));
            let import_as = ImportAs {
                dut: dut.as_str().to_owned(),
                version: ocpp.clone(),
                tool,
            };
            let imported = import(
                BufReader::new(open(records)?),
                &records.to_string_lossy(),
                &import_as,
            )
            .map_err(|error| Failure::usage(error.to_string()))?;
            let path = output.to_string_lossy().into_owned();
            let unwritable =
                |error: std::io::Error| Failure::usage(format!("{path} cannot be written: {error}"));
            let file = File::create_new(output).map_err(unwritable)?;
            let failed = |error: WriteError| Failure::usage(error.to_string());
            let (began, premise) = (imported.began, imported.premise);
            let marker =
                Marker::fresh().map_err(|error| Failure::undecided(format!("no random numbers: {error}")))?;
            let (mut recorder, _) =
                Recorder::start(file, path.clone(), marker, began, premise).map_err(failed)?;
            let mut last = began;
            let frames = imported.events.len();
            for (at, what) in imported.events {
                last = last.max(at);
                recorder.record(at, what).map_err(failed)?;
            }
            recorder.finish(last).map_err(failed)?;
            out.remark(&format!("{frames} frames; {}", left_out(&imported.left_out)))?;
        }
    }
    Ok(exit::OK)
}

/// Reads a whole trace.
pub(super) fn read(path: &Path) -> Result<Trace, Failure> {
    let trace =
        read_trace(open(path)?, path.to_string_lossy()).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(trace)
}

/// What is to be said about how a trace ends; nothing about one that ends well.
pub(super) fn ending(path: &Path, trace: &Trace) -> Option<String> {
    match trace.ending {
        Ending::Finished => None,
        Ending::Torn { bytes } => Some(format!(
            "{}: its last event is torn ({bytes} bytes left out)",
            path.display()
        )),
        Ending::Truncated => Some(format!("{}: it breaks off before its end", path.display())),
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    let unreadable = |why: String| Failure::usage(format!("{} cannot be read: {why}", path.display()));
    if path.is_dir() {
        return Err(unreadable("it is a folder".to_owned()));
    }
    File::open(path).map_err(|error| unreadable(error.to_string()))
}

fn left_out(reasons: &BTreeMap<&'static str, u64>) -> String {
    if reasons.is_empty() {
        return "nothing was left out".to_owned();
    }
    let said: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    format!("left out: {}", said.join(", "))
}
