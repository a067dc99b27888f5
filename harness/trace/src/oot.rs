//! Open OCPP Trace 1.1: the neutral JSON Lines format for OCPP messages, as a way out and a way in.
//!
//! The format knows messages and nothing else: what a trace holds beyond them is left out and counted.

mod export;
mod import;

pub use export::{Exported, export};
pub(crate) use import::said;
pub use import::{ImportAs, Imported, import};

/// The version of the format that is written; any 1.x is read.
const SCHEMA_VERSION: &str = "1.1";
