//! Child processes: the device's own one under supervision, and those of the driver, each in a group that dies whole.

mod group;
mod hidden;
mod lines;
mod supervisor;

pub(crate) use group::Group;
pub(crate) use hidden::NamesOnly;
pub(crate) use lines::LineReader;
pub use supervisor::{Exit, Process, ProcessConfig, ProcessError, ProcessEvent};
