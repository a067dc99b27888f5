//! Snapshots of conversations: what a device said last time, told apart from what it says now.
//!
//! One file per case in the format of `insta`, so that `cargo insta review` can review a change.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use plugfest_judge::{CaseKey, CaseResult, RunEvent, Verdict};
use sha2::{Digest as _, Sha256};
use similar::TextDiff;

use crate::report::{Report, ReportError};
use crate::text::counted;

mod normalise;

pub use normalise::normalised;

/// A file name is not longer than this, without its ending.
const NAME: usize = 120;
/// Lines of a difference that are shown; the files have all of it.
const DIFF: usize = 60;

/// What became of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There was none; it was written.
    New {
        /// The file.
        path: PathBuf,
    },
    /// The conversation is another one; it was written beside the old one as `.snap.new`.
    Changed {
        /// The file of the old one.
        path: PathBuf,
        /// The case.
        key: CaseKey,
        /// The difference, in unified form.
        diff: String,
    },
}

/// Compares the conversation of every case with its snapshot in a folder, and says at the end what changed.
#[derive(Debug)]
pub struct Snapshots<W> {
    folder: PathBuf,
    out: W,
    unchanged: u64,
    changes: Vec<Change>,
}

impl<W: Write> Snapshots<W> {
    /// Snapshots in this folder, which is made if it is not there; changes are told to `out`.
    pub fn new(folder: impl Into<PathBuf>, out: W) -> Self {
        Self {
            folder: folder.into(),
            out,
            unchanged: 0,
            changes: Vec::new(),
        }
    }

    /// What became of the snapshots so far, without those that are as they were.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The file of a case.
    pub fn path(&self, key: &CaseKey) -> PathBuf {
        self.folder.join(file_name(key)).with_extension("snap")
    }

    fn compare(&mut self, result: &CaseResult) -> Result<(), (PathBuf, io::Error)> {
        let key = &result.planned.key;
        // What was not played has no conversation, and repetitions are there to differ.
        if matches!(result.verdict, Verdict::Skipped | Verdict::NotApplicable) || key.repetition > 1 {
            return Ok(());
        }
        let path = self.path(key);
        let pending = path.with_extension("snap.new");
        let now = normalised(&result.conversation);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        let before = match fs::read_to_string(&path) {
            Ok(text) => contents(&text).to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::write(&path, file(key, &now)).map_err(at(&path))?;
                self.changes.push(Change::New { path });
                return Ok(());
            }
            Err(error) => return Err((path, error)),
        };
        if before == now.trim_end() {
            self.unchanged += 1;
            return match fs::remove_file(&pending) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err((pending, error)),
                _ => Ok(()),
            };
        }
        fs::write(&pending, file(key, &now)).map_err(at(&pending))?;
        let diff = TextDiff::from_lines(format!("{before}\n"), now)
            .unified_diff()
            .context_radius(2)
            .to_string();
        self.changes.push(Change::Changed {
            path,
            key: key.clone(),
            diff,
        });
        Ok(())
    }

    fn tell(&mut self) -> io::Result<()> {
        let changed: Vec<_> = self
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Changed { path, key, diff } => Some((path, key, diff)),
                Change::New { .. } => None,
            })
            .collect();
        let new = self.changes.len() - changed.len();
        for (path, key, diff) in &changed {
            writeln!(
                self.out,
                "\nthe conversation of {key} changed ({})",
                path.display()
            )?;
            for line in diff.lines().take(DIFF) {
                writeln!(self.out, "  {line}")?;
            }
            let rest = diff.lines().count().saturating_sub(DIFF);
            if rest > 0 {
                writeln!(self.out, "  {}", counted(rest as u64, "more line", "more lines"))?;
            }
        }
        write!(
            self.out,
            "snapshots: {} as before, {new} new, {} changed",
            self.unchanged,
            changed.len()
        )?;
        if changed.is_empty() {
            writeln!(self.out)?;
        } else {
            writeln!(
                self.out,
                "; accept with `cargo insta review --workspace-root {}`, or rename .snap.new to .snap",
                self.folder.display()
            )?;
        }
        self.out.flush()
    }
}

impl<W: Write> Report for Snapshots<W> {
    fn on(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        let done = match event {
            RunEvent::Planned(_) => {
                fs::create_dir_all(&self.folder).map_err(|error| (self.folder.clone(), error))
            }
            RunEvent::Finished(result) => self.compare(result),
            RunEvent::Ended(_) => self
                .tell()
                .map_err(|error| (PathBuf::from("standard output"), error)),
            _ => Ok(()),
        };
        done.map_err(|(path, source)| ReportError::Io {
            report: "snapshot",
            path,
            source,
        })
    }
}

/// A file as `insta` writes it.
fn file(key: &CaseKey, text: &str) -> String {
    let expression = serde_json::Value::String(key.to_string());
    format!("---\nsource: plugfest\nexpression: {expression}\n---\n{text}")
}

/// What stands behind the header.
fn contents(file: &str) -> &str {
    let body = file
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"))
        .map_or(file, |(_, body)| body);
    body.trim_end()
}

/// A name that can be typed, and cannot leave the folder; a hash keeps apart what became equal.
fn file_name(key: &CaseKey) -> String {
    let whole = if key.variant.is_empty() {
        format!("{}.{}", key.case, key.tests)
    } else {
        format!("{}.{}.{}", key.case, key.tests, key.variant)
    };
    let safe: String = whole
        .chars()
        .take(NAME)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    if safe == whole && !safe.starts_with('.') {
        // `with_extension` takes what stands behind the last dot; an underscore ends the name instead.
        return safe.replace('.', "_");
    }
    let digest = Sha256::digest(&whole);
    let hash = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("{}_{hash:08x}", safe.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(case: &str, variant: &str) -> CaseKey {
        CaseKey {
            case: case.to_owned(),
            tests: "station".to_owned(),
            variant: variant.to_owned(),
            repetition: 1,
        }
    }

    #[test]
    fn file_names_are_tame_and_differ() {
        assert_eq!(file_name(&key("boot-accepted", "")), "boot-accepted_station");
        assert_eq!(file_name(&key("a", "reason=Local")), "a_station_reason=Local");
        for wild in [
            "../../etc/passwd",
            "a/b",
            "ä",
            ".hidden",
            "a\u{0}b",
            &"x".repeat(500),
        ] {
            let name = file_name(&key(wild, ""));
            assert!(
                !name.contains(['/', '.', '\0']) && name.len() <= NAME + 9,
                "{name}"
            );
        }
        assert_ne!(file_name(&key("a/b", "")), file_name(&key("a-b", "")));
    }

    #[test]
    fn the_header_is_taken_off() {
        assert_eq!(contents(&file(&key("a", "b: \"c\""), "one\ntwo\n")), "one\ntwo");
        assert_eq!(contents("no header\n"), "no header");
    }
}
