//! Why a command could not do what it was asked, and the one place where that becomes text and an exit code.

use std::io::{self, Write};
use std::sync::Arc;

use plugfest_case::Diagnostic;
use plugfest_reports::{exit, visible};

/// Diagnostics shown in full; of more than these only the number is said.
const SHOWN: usize = 20;

/// A command that ends early: the exit code, and what a person is told.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Debug)]
enum Fault {
    /// In words.
    Text { message: String, hint: Option<String> },
    /// At a place of a file.
    Placed {
        diagnostic: Box<Diagnostic>,
        text: Arc<str>,
    },
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code,
            faults: vec![Fault::Text { message, hint: None }],
        }
    }

    /// The person's input is wrong; nothing was connected.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::USAGE, message)
    }

    /// The selection matched nothing.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self::new(exit::NOTHING_SELECTED, message)
    }

    /// The device was not reached, or nothing could be decided.
    pub(crate) fn undecided(message: impl Into<String>) -> Self {
        Self::new(exit::UNDECIDED, message)
    }

    /// A fault of ours.
    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Self::new(exit::BUG, message)
    }

    /// The person's input is wrong at these places.
    pub(crate) fn placed(diagnostics: impl IntoIterator<Item = (Diagnostic, Arc<str>)>) -> Self {
        let faults = diagnostics.into_iter().map(|(diagnostic, text)| Fault::Placed {
            diagnostic: Box::new(diagnostic),
            text,
        });
        Self {
            code: exit::USAGE,
            faults: faults.collect(),
        }
    }

    /// With a hint how to mend the last thing that is wrong.
    #[must_use]
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Some(Fault::Text { hint, .. }) = self.faults.last_mut() {
            *hint = Some(text.into());
        }
        self
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Tells a person.
    pub(crate) fn show(&self, out: &mut impl Write, colour: bool) -> io::Result<()> {
        let red = |text: &str| {
            if colour {
                format!("\u{1b}[1;31m{text}\u{1b}[0m")
            } else {
                text.to_owned()
            }
        };
        for fault in self.faults.iter().take(SHOWN) {
            match fault {
                Fault::Text { message, hint } => {
                    writeln!(out, "{} {}", red("error:"), visible(message))?;
                    if let Some(hint) = hint {
                        writeln!(out, "  hint: {}", visible(hint))?;
                    }
                }
                Fault::Placed { diagnostic, text } => write!(out, "{}", diagnostic.render(text, colour))?,
            }
        }
        match self.faults.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(out, "{} and {more} more", red("error:")),
        }
    }
}

impl From<io::Error> for Failure {
    /// Output that nobody reads any more is no fault; a full disk is.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self {
                code: exit::OK,
                faults: Vec::new(),
            };
        }
        Self::undecided(format!("standard output cannot be written to: {error}"))
    }
}

/// Makes a panic say that it is a bug of ours and how to report it. The exit code is that of [`exit_of_panic`].
pub(crate) fn report_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        let text = format!(
            "this is a bug in plugfest {}: please report it with the lines above, the command and the trace\n  {}/issues\n",
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_REPOSITORY")
        );
        // Standard error is gone: there is nobody left to tell.
        let _unheard = io::stderr().write_all(text.as_bytes());
    }));
}

/// Runs `work`; a panic in it gives the exit code of a bug.
pub(crate) fn exit_of_panic(work: impl FnOnce() -> u8) -> u8 {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(exit::BUG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(failure: &Failure) -> String {
        let mut out = Vec::new();
        failure.show(&mut out, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_fault_says_what_and_how_to_mend_it() {
        let failure = Failure::usage("no case `remot/stop`").hint("did you mean `remote/stop`?");
        assert_eq!(
            shown(&failure),
            "error: no case `remot/stop`\n  hint: did you mean `remote/stop`?\n"
        );
        assert_eq!(failure.code(), 2);
    }

    #[test]
    fn foreign_text_does_not_steer_the_terminal() {
        let text = shown(&Failure::usage("argument \u{1b}[2J").hint("\u{9b}1m"));
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text}");
    }

    #[test]
    fn a_reader_that_left_is_no_fault_and_a_full_disk_is() {
        assert_eq!(
            Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).code(),
            0
        );
        assert_eq!(
            Failure::from(io::Error::from(io::ErrorKind::StorageFull)).code(),
            3
        );
    }

    #[test]
    fn a_panic_is_a_bug() {
        assert_eq!(exit_of_panic(|| 1), 1);
        assert_eq!(exit_of_panic(|| panic!("on purpose, to see the exit code")), 70);
    }
}
