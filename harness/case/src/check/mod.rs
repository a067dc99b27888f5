//! What is wrong with a case before anything connects.

use crate::diagnostic::Diagnostic;
use crate::library::Library;

/// Everything that makes a library unfit to run.
pub(crate) fn check(_library: &Library) -> Vec<Diagnostic> {
    Vec::new()
}
