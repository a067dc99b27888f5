//! What is particular to OCPP 1.6 in judging, beside its rules: which facts there are, and how charging profiles add up.

pub mod charging;
mod dialect;
mod keeper;

pub use dialect::Ocpp16;
pub use keeper::Keeper;
