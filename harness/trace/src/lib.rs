//! The recorded conversation: append-only events, and the ways in and out of other trace formats.

mod data;
mod event;
mod log;
mod oot;
mod read;
mod secrets;
#[cfg(test)]
mod testing;
mod write;

pub use data::{MAX_KEPT, hex};
pub use event::*;
pub use log::{LogFormat, LogReader, Said, Speaker};
pub use oot::{Exported, ImportAs, Imported, export, import};
pub use read::{Ending, ReadError, Reader, Trace, read_trace};
pub use secrets::{Mark, Marker};
pub use write::{MAX_LINE, Recorder, WriteError};
