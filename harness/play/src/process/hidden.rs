//! A debug form for settings that may hold secrets.

use std::collections::BTreeMap;
use std::fmt;

/// Shows the names of a map and hides its values: environment variables and HTTP headers carry keys and tokens.
pub(crate) struct NamesOnly<'a>(pub(crate) &'a BTreeMap<String, String>);

impl fmt::Debug for NamesOnly<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
