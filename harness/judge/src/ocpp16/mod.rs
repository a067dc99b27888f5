//! What is particular to OCPP 1.6 in judging, beside its rules: which facts there are.

mod keeper;

pub use keeper::Keeper;
