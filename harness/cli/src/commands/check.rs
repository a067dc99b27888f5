//! `plugfest check`

use std::io::Write as _;
use std::path::{Path, PathBuf};

use plugfest_case::{Diagnostic, Library, LineCount, Severity, Source, line_count, lint};
use plugfest_reports::exit;

use crate::args::Global;
use crate::failure::Failure;
use crate::out::Out;
use crate::{cases, config};

pub(super) fn run(global: &Global, files: &[PathBuf], strict: bool, out: &mut Out) -> Result<u8, Failure> {
    let (profiles, texts): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(|file| is_profile(file));
    let mut named = Vec::new();
    for path in texts.into_iter().chain(&global.cases) {
        if !path.is_dir() && !cases::is_ours(path) {
            let hint = "case files end in .case, state files in .state, profiles in .toml; facts.toml is a protocol's";
            return Err(
                Failure::usage(format!("{} is nothing that can be checked", path.display())).hint(hint),
            );
        }
        named.extend(cases::read(path)?);
    }
    let everything = files.is_empty();
    let about: Vec<String> = named.iter().map(|source| source.path.clone()).collect();
    let (library, found) = Library::load(beside(cases::embedded(), named), &cases::natives());
    // An id that is taken is told at whichever file comes second; with any error nothing runs.
    let ours =
        |diagnostic: &Diagnostic| everything || diagnostic.is_error() || about.contains(&diagnostic.file);
    let found: Vec<Diagnostic> = found.into_iter().chain(lint(&library)).filter(ours).collect();
    for diagnostic in &found {
        let text = library.text(&diagnostic.file).unwrap_or_default();
        write!(out, "{}", diagnostic.render(text, out.colour))?;
    }
    let mut code = exit::OK;
    for profile in &profiles {
        config::load(profile, &library)?;
        out.remark(&format!("{} is in order", profile.display()))?;
    }
    if !profiles.is_empty() && about.is_empty() {
        return Ok(exit::OK);
    }
    if everything {
        config::find(global, &library)?;
    }
    let count = |severity| {
        found
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if errors > 0 {
        code = exit::USAGE;
    } else if strict && warnings > 0 {
        code = exit::FAILED;
    }
    out.flush()?;
    let LineCount { dut, weak } = line_count(&library);
    let share = (weak * 1000).checked_div(dut).unwrap_or(0);
    out.remark(&format!(
        "{} cases, {errors} errors, {warnings} warnings; {weak} of {dut} lines of a device are weak ({}.{} %)",
        library.cases().len(),
        share / 10,
        share % 10,
    ))?;
    Ok(code)
}

fn is_profile(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "toml")
        && path.file_name().is_some_and(|name| name != "facts.toml")
}

/// The embedded files, each replaced where the same file is named from a working copy, and all others.
fn beside(embedded: Vec<Source>, named: Vec<Source>) -> Vec<Source> {
    let same = |a: &Source, b: &Source| Path::new(&b.path).ends_with(Path::new(&a.path));
    let mut sources: Vec<Source> = embedded
        .into_iter()
        .filter(|it| !named.iter().any(|named| same(it, named)))
        .collect();
    sources.extend(named);
    sources
}
