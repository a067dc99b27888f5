//! Listeners of a run.

use std::io;
use std::path::PathBuf;

use plugfest_judge::RunEvent;

/// Something that listens to a run and writes.
pub trait Report {
    /// Takes one event. An error is said at once and does not stop the other reports.
    fn on(&mut self, event: &RunEvent) -> Result<(), ReportError>;
}

/// Why a report is not there.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It could not be written.
    #[error("the {report} report could not be written to {path}: {source}")]
    Io {
        /// Which: `JUnit`, `JSON` …
        report: &'static str,
        /// Where to.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A path that a report was to be written to does not take anything.
    #[error("{path} is not writable: {source}; nothing was run")]
    Unwritable {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The report could not be made. A fault of ours.
    #[error("the {report} report could not be made: {what}")]
    Render {
        /// Which.
        report: &'static str,
        /// Why.
        what: String,
    },
}

/// Hands every event to every report.
#[derive(Default)]
pub struct Reports<'r> {
    listeners: Vec<Box<dyn Report + 'r>>,
}

impl<'r> Reports<'r> {
    /// No reports yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a report.
    #[must_use]
    pub fn with(mut self, report: impl Report + 'r) -> Self {
        self.listeners.push(Box::new(report));
        self
    }

    /// Hands on one event. Every report gets it, also behind one that failed; the errors are those of this event.
    pub fn on(&mut self, event: &RunEvent) -> Vec<ReportError> {
        self.listeners
            .iter_mut()
            .filter_map(|listener| listener.on(event).err())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken;

    impl Report for Broken {
        fn on(&mut self, _: &RunEvent) -> Result<(), ReportError> {
            Err(ReportError::Render {
                report: "test",
                what: "it is broken".to_owned(),
            })
        }
    }

    struct Counts<'c>(&'c mut u32);

    impl Report for Counts<'_> {
        fn on(&mut self, _: &RunEvent) -> Result<(), ReportError> {
            *self.0 += 1;
            Ok(())
        }
    }

    #[test]
    fn a_broken_report_is_loud_and_alone() {
        let mut seen = 0;
        let mut reports = Reports::new().with(Broken).with(Counts(&mut seen));
        let note = RunEvent::Note { text: String::new() };
        for _ in 0..2 {
            let errors = reports.on(&note);
            assert_eq!(errors.len(), 1);
            assert_eq!(
                errors[0].to_string(),
                "the test report could not be made: it is broken"
            );
        }
        drop(reports);
        assert_eq!(seen, 2);
    }
}
