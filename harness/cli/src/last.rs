//! The results of the last run, which `--failed` and `verdict:` look at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use plugfest_judge::Verdict;
use plugfest_reports::Format;
use serde::Deserialize;

use crate::failure::Failure;

/// The folder of the runs whose `--out` was left out.
pub(crate) const RUNS: &str = "plugfest-out";
/// The file in it that names the folder of the last run.
const POINTER: &str = "last";
/// The largest result file that is read, in bytes.
const MAX_SIZE: u64 = 512 * 1024 * 1024;

/// What every result line gave.
#[derive(Debug, Default)]
pub(crate) struct LastRun {
    verdicts: BTreeMap<(String, String), Vec<Verdict>>,
}

// What is read of `results.json`; there is more in it.
#[derive(Deserialize)]
struct Document {
    cases: Vec<CaseLine>,
}

#[derive(Deserialize)]
struct CaseLine {
    id: String,
    tests: String,
    verdict: Verdict,
    #[serde(default)]
    unexpected_pass: Vec<serde::de::IgnoredAny>,
}

impl LastRun {
    /// Of this folder, or of the last run that was kept here.
    pub(crate) fn find(folder: Option<&Path>) -> Result<Self, Failure> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => last_folder()?,
        };
        let path = if folder.is_dir() {
            folder.join(Format::Json.file_name())
        } else {
            folder
        };
        let unreadable = |why: String| {
            Failure::usage(format!(
                "the results of the last run cannot be read: {}: {why}",
                path.display()
            ))
            .hint("--last DIR names the folder of a run")
        };
        let size = path
            .metadata()
            .map_err(|error| unreadable(error.to_string()))?
            .len();
        if size > MAX_SIZE {
            return Err(unreadable(format!("{size} bytes are too many")));
        }
        let text = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
        let document: Document =
            serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        let mut verdicts: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for line in document.cases {
            // An expected failure that did not come is as red as a failure.
            let verdict = if line.unexpected_pass.is_empty() {
                line.verdict
            } else {
                Verdict::Fail
            };
            verdicts.entry((line.id, line.tests)).or_default().push(verdict);
        }
        Ok(Self { verdicts })
    }

    /// What a case gave on a side, once for each variant and repetition.
    pub(crate) fn verdicts(&self, id: &str, role: &str) -> Vec<Verdict> {
        self.verdicts
            .get(&(id.to_owned(), role.to_owned()))
            .cloned()
            .unwrap_or_default()
    }
}

fn last_folder() -> Result<PathBuf, Failure> {
    let pointer = Path::new(RUNS).join(POINTER);
    let name = fs::read_to_string(&pointer).map_err(|_| {
        Failure::usage(format!(
            "there is no last run here ({} is missing)",
            pointer.display()
        ))
        .hint("--last DIR names the folder of a run")
    })?;
    Ok(Path::new(RUNS).join(name.trim()))
}

/// Remembers a folder below [`RUNS`] as that of the last run.
pub(crate) fn remember(name: &str) -> std::io::Result<()> {
    fs::write(Path::new(RUNS).join(POINTER), format!("{name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_a_run_are_found_by_case_and_side() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"schema":"x","cases":[
            {"id":"a","tests":"station","verdict":"not-applicable","more":1},
            {"id":"a","tests":"csms","verdict":"pass"},{"id":"a","tests":"csms","verdict":"fail"},
            {"id":"b","tests":"csms","verdict":"pass","unexpected_pass":["x"]}]}"#;
        fs::write(folder.path().join("results.json"), text).unwrap();
        let last = LastRun::find(Some(folder.path())).unwrap();
        assert_eq!(last.verdicts("a", "csms"), [Verdict::Pass, Verdict::Fail]);
        assert_eq!(last.verdicts("a", "station"), [Verdict::NotApplicable]);
        assert_eq!(last.verdicts("b", "csms"), [Verdict::Fail]);
        assert_eq!(last.verdicts("b", "station"), []);
    }

    #[test]
    fn a_broken_result_is_a_fault_of_the_input() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(LastRun::find(Some(folder.path())).unwrap_err().code(), 2);
        fs::write(folder.path().join("results.json"), "{").unwrap();
        assert_eq!(LastRun::find(Some(folder.path())).unwrap_err().code(), 2);
    }
}
