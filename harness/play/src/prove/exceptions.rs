//! Doctorings that cannot be seen, each with its reason. One that is seen after all is an error: it has to go.

/// A doctoring that stays unseen by its nature.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// The case id.
    pub case: &'static str,
    /// The beginning of the author's line.
    pub line: &'static str,
    /// What is made wrong.
    pub doctoring: &'static str,
    /// Why nobody can see it.
    pub reason: &'static str,
}

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[];
