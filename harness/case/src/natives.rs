//! What Rust offers to case files: functions of `check`, values that construct and check, `run` procedures. The crate
//! that implements them hands their names in at load.

use std::collections::BTreeMap;

/// The names and the numbers of arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Natives {
    functions: BTreeMap<String, Arity>,
    values: BTreeMap<String, Arity>,
    runs: BTreeMap<String, Arity>,
}

/// How many arguments are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity {
    /// The fewest.
    pub min: usize,
    /// The most.
    pub max: usize,
}

impl Arity {
    /// Exactly `n`.
    pub const fn exactly(n: usize) -> Self {
        Self { min: n, max: n }
    }

    /// From `min` to `max`.
    pub const fn between(min: usize, max: usize) -> Self {
        Self { min, max }
    }

    /// True where `n` arguments will do.
    pub const fn takes(self, n: usize) -> bool {
        self.min <= n && n <= self.max
    }

    /// `2 arguments`, `1 to 3 arguments`
    pub fn describe(self) -> String {
        match (self.min, self.max) {
            (1, 1) => "1 argument".to_owned(),
            (min, max) if min == max => format!("{min} arguments"),
            (min, usize::MAX) => format!("at least {min} arguments"),
            (min, max) => format!("{min} to {max} arguments"),
        }
    }
}

impl Natives {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a function of CEL expressions: `rising(list, "field")`.
    #[must_use]
    pub fn function(mut self, name: &str, arity: Arity) -> Self {
        self.functions.insert(name.to_owned(), arity);
        self
    }

    /// With a value of patterns: `profile(…)`, `pki.sign(…)`; named and positional arguments count alike.
    #[must_use]
    pub fn value(mut self, name: &str, arity: Arity) -> Self {
        self.values.insert(name.to_owned(), arity);
        self
    }

    /// With a procedure of `run`.
    #[must_use]
    pub fn run(mut self, name: &str, arity: Arity) -> Self {
        self.runs.insert(name.to_owned(), arity);
        self
    }

    /// The functions of CEL expressions.
    pub fn functions(&self) -> &BTreeMap<String, Arity> {
        &self.functions
    }

    /// The values of patterns.
    pub fn values(&self) -> &BTreeMap<String, Arity> {
        &self.values
    }

    /// The procedures of `run`.
    pub fn runs(&self) -> &BTreeMap<String, Arity> {
        &self.runs
    }
}
