//! Which cases there are: the embedded ones and those of `--cases`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use plugfest_case::{Arity, Diagnostic, Library, MAX_FILE, Natives, Source};
use plugfest_judge::NATIVES;

use crate::args::Global;
use crate::failure::Failure;

/// `(path, text)` of every file below `testcases/`.
static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/testcases.rs"));

/// Folders below folders that are looked into.
const MAX_DEPTH: u32 = 16;
/// Files that are read.
const MAX_FILES: usize = 20_000;

/// The embedded cases and those of `--cases`; an error in one of them is a failure.
pub(crate) fn load(global: &Global) -> Result<Library, Failure> {
    let mut sources = embedded();
    for folder in &global.cases {
        if !folder.is_dir() {
            return Err(Failure::usage(format!(
                "--cases: {} is no folder",
                folder.display()
            )));
        }
        sources.extend(read(folder)?);
    }
    let (library, found) = Library::load(sources, &natives());
    let errors: Vec<Diagnostic> = found.into_iter().filter(Diagnostic::is_error).collect();
    if errors.is_empty() {
        return Ok(library);
    }
    Err(failure_of(&library, errors))
}

/// Diagnostics about files of a library as a failure.
pub(crate) fn failure_of(library: &Library, errors: impl IntoIterator<Item = Diagnostic>) -> Failure {
    Failure::placed(errors.into_iter().map(|diagnostic| {
        let text = Arc::from(library.text(&diagnostic.file).unwrap_or_default());
        (diagnostic, text)
    }))
}

/// The files that are compiled into the binary.
pub(crate) fn embedded() -> Vec<Source> {
    EMBEDDED
        .iter()
        .map(|&(path, text)| Source::new(path, text))
        .collect()
}

/// What Rust offers to case files.
pub(crate) fn natives() -> Natives {
    NATIVES.iter().fold(Natives::new(), |natives, &(name, arity)| {
        natives.function(name, Arity::exactly(arity))
    })
}

/// Whether a path names a file of the language.
pub(crate) fn is_ours(path: &Path) -> bool {
    let extension = path.extension().and_then(|it| it.to_str());
    matches!(extension, Some("case" | "state"))
        || path
            .file_name()
            .is_some_and(|name| name == "facts.toml" || name == "negatives.toml")
}

/// A file, or all files of the language below a folder.
pub(crate) fn read(path: &Path) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    walk(path, 0, &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn walk(path: &Path, depth: u32, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let unreadable = |error| Failure::usage(format!("{} cannot be read: {error}", path.display()));
    if !path.is_dir() {
        sources.push(Source::new(path.to_string_lossy(), read_text(path)?));
        return Ok(());
    }
    if depth > MAX_DEPTH || sources.len() > MAX_FILES {
        let most = format!("at most {MAX_DEPTH} folders deep and {MAX_FILES} files are read");
        return Err(Failure::usage(format!(
            "{} holds too much: {most}",
            path.display()
        )));
    }
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let below = entry.map_err(unreadable)?.path();
        if below.is_dir() || is_ours(&below) {
            walk(&below, depth + 1, sources)?;
        }
    }
    Ok(())
}

/// The text of a file, bounded.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let unreadable = |why: String| Failure::usage(format!("{} cannot be read: {why}", path.display()));
    let size = path
        .metadata()
        .map_err(|error| unreadable(error.to_string()))?
        .len();
    if size > MAX_FILE as u64 {
        return Err(unreadable(format!(
            "it has {size} bytes, and more than {MAX_FILE} are not read"
        )));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes)
        .map_err(|error| unreadable(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_cases_are_in_order() {
        let (library, found) = Library::load(embedded(), &natives());
        let errors: Vec<_> = found
            .iter()
            .filter(|it| it.is_error())
            .map(|it| it.line(""))
            .collect();
        assert_eq!(errors, [""; 0]);
        assert!(library.cases().len() > 20);
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.case");
        fs::write(&path, b"case \xff").unwrap();
        let mut shown = Vec::new();
        read(folder.path()).unwrap_err().show(&mut shown, false).unwrap();
        assert!(
            String::from_utf8(shown)
                .unwrap()
                .contains("a.case cannot be read: byte 5 is not UTF-8")
        );
    }
}
