//! Reports that are files: collected during the run, written at its end.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use plugfest_judge::RunEvent;

use crate::report::{Report, ReportError};
use crate::run::Run;
use crate::{html, json, junit, markdown};

/// A file format for a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// One self-contained page.
    Html,
    /// The machine-readable result, with a published schema.
    Json,
    /// `JUnit` XML, which every CI reads.
    Junit,
    /// A summary for the step of a CI.
    Markdown,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Html, Self::Json, Self::Junit, Self::Markdown];

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "HTML",
            Self::Json => "JSON",
            Self::Junit => "JUnit",
            Self::Markdown => "Markdown",
        }
    }

    /// The file that it goes to in the folder of a run.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Json => "results.json",
            Self::Junit => "junit.xml",
            Self::Markdown => "summary.md",
        }
    }

    /// The whole report as text.
    pub fn render(self, run: &Run) -> Result<String, ReportError> {
        let made = match self {
            Self::Html => html::render(run),
            Self::Json => json::render(run),
            Self::Junit => junit::render(run),
            Self::Markdown => Ok(markdown::render(run)),
        };
        made.map_err(|what| ReportError::Render {
            report: self.name(),
            what,
        })
    }
}

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A file, which is replaced.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Destination {
    /// `-` is standard output, anything else a file.
    pub fn parse(text: &str) -> Self {
        if text == "-" {
            Self::Stdout
        } else {
            Self::File(PathBuf::from(text))
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        match self {
            Self::File(path) if is_replaced(path) => {
                let part = part_of(path);
                let written = File::create(&part).and_then(|mut file| file.write_all(text.as_bytes()));
                let moved = written.and_then(|()| std::fs::rename(&part, path));
                if moved.is_err() {
                    // What is there of it is no report; the error that made it so is the one to tell.
                    let _gone = std::fs::remove_file(&part);
                }
                moved
            }
            Self::File(path) => File::create(path)?.write_all(text.as_bytes()),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
        }
    }

    /// Takes a report of a run before away: whoever finds one must find that of this run, however this run ends.
    fn clear(&self) -> io::Result<()> {
        match self {
            Self::File(path) if path.exists() && is_replaced(path) => std::fs::remove_file(path),
            Self::File(_) | Self::Stdout => Ok(()),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Stdout => PathBuf::from("standard output"),
        }
    }
}

/// Whether a path is that of an ordinary file, there or to come: devices, pipes and links are written through.
fn is_replaced(path: &Path) -> bool {
    path.symlink_metadata()
        .map_or(true, |metadata| metadata.is_file())
}

/// Where a report is written until it is whole: one that is cut off must not be taken for one.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Collects a run and writes its files when it has ended, also where it was broken off. Those of a run before are taken
/// away when it begins, so that a run that is killed leaves none.
#[derive(Debug, Default)]
pub struct Files {
    run: Run,
    outputs: Vec<(Format, Destination)>,
}

impl Files {
    /// These files.
    pub fn new(outputs: Vec<(Format, Destination)>) -> Self {
        Self {
            run: Run::default(),
            outputs,
        }
    }

    /// Writes all files of what was heard so far. One that fails does not stop the others; the first error is given.
    pub fn write(&self) -> Result<(), ReportError> {
        self.each(|format, destination| {
            let text = format.render(&self.run)?;
            destination
                .write(&text)
                .map_err(|source| failed(format, destination, source))
        })
    }

    fn clear(&self) -> Result<(), ReportError> {
        self.each(|format, destination| {
            destination
                .clear()
                .map_err(|source| failed(format, destination, source))
        })
    }

    /// Does something about every file; one that fails does not stop the others.
    fn each(&self, act: impl Fn(Format, &Destination) -> Result<(), ReportError>) -> Result<(), ReportError> {
        let mut first = Ok(());
        for (format, destination) in &self.outputs {
            first = first.and(act(*format, destination));
        }
        first
    }
}

fn failed(format: Format, destination: &Destination, source: io::Error) -> ReportError {
    ReportError::Io {
        report: format.name(),
        path: destination.path(),
        source,
    }
}

impl Report for Files {
    fn on(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        self.run.take(event);
        match event {
            RunEvent::Planned(_) => self.clear(),
            RunEvent::Ended(_) => self.write(),
            _ => Ok(()),
        }
    }
}

/// Tries before the run whether every path can be written to, without changing a file that is already there. A disk
/// that is full only for long texts is not found out here; then the error comes at the end.
pub fn preflight<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Result<(), ReportError> {
    for path in paths {
        try_path(path).map_err(|source| ReportError::Unwritable {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(())
}

fn try_path(path: &Path) -> io::Result<()> {
    let kind = match path.metadata() {
        Ok(metadata) => Some(metadata.file_type()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    match kind {
        None => {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            // Opening costs no space on a full disk; a byte does.
            let written = file.write_all(b"\n").and_then(|()| file.sync_all());
            let removed = std::fs::remove_file(path);
            written.and(removed)
        }
        Some(kind) if kind.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
        Some(kind) if kind.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        Some(kind) => try_device(path, kind),
    }
}

#[cfg(unix)]
fn try_device(path: &Path, kind: std::fs::FileType) -> io::Result<()> {
    use std::io::IsTerminal as _;
    use std::os::unix::fs::FileTypeExt as _;
    // Opening a pipe waits for its reader, and a line on a terminal would be seen.
    if !kind.is_char_device() {
        return Ok(());
    }
    let mut device = OpenOptions::new().write(true).open(path)?;
    if device.is_terminal() {
        Ok(())
    } else {
        device.write_all(b"\n")
    }
}

#[cfg(not(unix))]
fn try_device(_: &Path, _: std::fs::FileType) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended() -> Run {
        Run::default()
    }

    #[test]
    fn a_path_that_takes_nothing_is_found_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let fine = folder.path().join("new.xml");
        preflight([fine.as_path()]).unwrap();
        assert!(!fine.exists(), "trying leaves nothing behind");
        std::fs::write(&fine, "old").unwrap();
        preflight([fine.as_path()]).unwrap();
        assert_eq!(std::fs::read_to_string(&fine).unwrap(), "old");
        for bad in [
            folder.path().to_owned(),
            folder.path().join("no/such/folder.xml"),
            fine.join("below-a-file"),
        ] {
            let error = preflight([bad.as_path()]).unwrap_err().to_string();
            assert!(
                error.contains(&*bad.to_string_lossy()) && error.contains("not writable"),
                "{error}"
            );
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_loud_and_stops_no_other_report() {
        let error = preflight([Path::new("/dev/full")]).unwrap_err().to_string();
        assert!(error.starts_with("/dev/full is not writable"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let fine = folder.path().join("summary.md");
        let outputs = vec![
            (Format::Junit, Destination::parse("/dev/full")),
            (Format::Markdown, Destination::File(fine.clone())),
        ];
        let files = Files {
            run: ended(),
            outputs,
        };
        let error = files.write().unwrap_err().to_string();
        assert!(
            error.starts_with("the JUnit report could not be written to /dev/full"),
            "{error}"
        );
        assert!(fine.exists());
    }

    #[test]
    fn a_report_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        std::fs::write(&path, "of a run before").unwrap();
        let mut files = Files::new(vec![(Format::Markdown, Destination::File(path.clone()))]);
        files.on(&RunEvent::Planned(plan())).unwrap();
        assert!(
            !path.exists(),
            "a run that is killed now leaves no report of another"
        );
        files.write().unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().len() > 20);
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing else is left: {names:?}");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.md"), folder.path().join("link.md"));
        std::fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut files = Files::new(vec![(Format::Markdown, Destination::File(link.clone()))]);
        files.on(&RunEvent::Planned(plan())).unwrap();
        files.write().unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert!(!std::fs::read_to_string(&real).unwrap().is_empty());
    }

    fn plan() -> plugfest_judge::Plan {
        plugfest_judge::Plan {
            version: String::new(),
            seed: 1,
            started: plugfest_protocol::Timestamp::from_secs(0),
            dut: String::new(),
            dut_facts: std::collections::BTreeMap::new(),
            cases: Vec::new(),
            prompts: 0,
            reboots: 0,
            waiting_ms: 0,
            strict: false,
            paused_clock: true,
        }
    }

    #[test]
    fn a_dash_is_standard_output() {
        assert_eq!(Destination::parse("-"), Destination::Stdout);
        assert_eq!(Destination::parse("./-"), Destination::File(PathBuf::from("./-")));
    }
}
