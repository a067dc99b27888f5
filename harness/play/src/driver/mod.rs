//! What a test needs hands or an operator for: named actions, done by interchangeable back-ends.
//!
//! The names and their arguments are the driver API, version 1; whoever implements a back-end needs nothing else.
//! A back-end's word that something was done is never evidence; what a reading verb returns is evidence of its own kind.

mod backend;
mod config;
mod exec;
mod http;
mod manual;
mod octt;
mod router;
mod stdio;
mod template;
mod verbs;

pub use backend::{Backend, BoxFuture, DriverCall, Support};
pub use config::{
    API_VERSION, BackendConfig, BuiltinConfig, DriverConfig, DriverError, ExecConfig, HttpConfig,
    ManualConfig, OcttHttpConfig, StdioConfig,
};
pub use manual::{Answer, Prompt, Prompter};
pub use plugfest_trace::Outcome as DriverOutcome;
pub use router::{Driver, Hands};
pub use verbs::instruction;
