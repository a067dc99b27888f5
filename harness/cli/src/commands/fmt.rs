//! `plugfest fmt`

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugfest_case::{MAX_FILE, Source, format};
use plugfest_reports::exit;

use crate::args::Global;
use crate::cases;
use crate::failure::Failure;
use crate::out::Out;

/// What is laid out where nothing is named.
const FOLDER: &str = "testcases";

pub(super) fn run(global: &Global, files: &[PathBuf], check: bool, out: &mut Out) -> Result<u8, Failure> {
    if files == [Path::new("-")] {
        return stream(check, out);
    }
    let named = match (files, global.cases.as_slice()) {
        ([], []) if Path::new(FOLDER).is_dir() => vec![PathBuf::from(FOLDER)],
        ([], []) => {
            return Err(Failure::usage("there is nothing to lay out here").hint("name a file or a folder"));
        }
        ([], folders) => folders.to_vec(),
        (files, _) => files.to_vec(),
    };
    let mut sources = Vec::new();
    for path in &named {
        sources.extend(cases::read(path)?);
    }
    sources.retain(|source| has_layout(&source.path));
    if sources.is_empty() {
        return Err(Failure::usage("no case or state file is named").hint("they end in .case and .state"));
    }
    // Nothing is written where one of them cannot be read.
    let mut changed = Vec::new();
    for source in &sources {
        let text = laid_out(source)?;
        if *text != *source.text {
            changed.push((&source.path, text));
        }
    }
    for (path, text) in &changed {
        if check {
            writeln!(out, "{path}")?;
        } else {
            replace(Path::new(path), text)?;
        }
    }
    let (verb, code) = match (check, changed.len()) {
        (true, 0) | (false, _) => ("changed", exit::OK),
        (true, _) => ("would be changed", exit::FAILED),
    };
    out.flush()?;
    out.remark(&format!("{} of {} files {verb}", changed.len(), sources.len()))?;
    Ok(code)
}

/// Standard input to standard output.
fn stream(check: bool, out: &mut Out) -> Result<u8, Failure> {
    let mut text = String::new();
    let limit = MAX_FILE as u64 + 1;
    let unreadable = |error| Failure::usage(format!("standard input cannot be read: {error}"));
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let source = Source::new("<stdin>", text);
    let formatted = laid_out(&source)?;
    if check {
        return Ok(if *formatted == *source.text {
            exit::OK
        } else {
            exit::FAILED
        });
    }
    write!(out, "{formatted}")?;
    Ok(exit::OK)
}

fn laid_out(source: &Source) -> Result<String, Failure> {
    let placed =
        |faults: Vec<_>| Failure::placed(faults.into_iter().map(|fault| (fault, Arc::clone(&source.text))));
    format(&source.path, &source.text).map_err(placed)
}

fn has_layout(path: &str) -> bool {
    matches!(
        Path::new(path).extension().and_then(|it| it.to_str()),
        Some("case" | "state")
    )
}

/// Replaces a file in one step, so that a full disk leaves the old one.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let beside = path.with_extension("fmt-new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // What is half written is of no use; that it cannot be removed either adds nothing.
        let _left = std::fs::remove_file(&beside);
        Failure::usage(format!("{} cannot be written: {error}", path.display()))
    })
}
