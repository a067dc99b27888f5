//! The `plugfest` binary: arguments, configuration, exit codes. What it does stands in the other rooms.

use std::process::ExitCode;

mod arena;
mod args;
mod ask;
mod cases;
mod catalogue;
mod commands;
mod config;
mod coverage;
mod embedded;
mod expect;
mod failure;
mod in_memory;
mod last;
mod mutants;
mod needs;
mod out;
mod prompt;
mod select;
mod signals;
mod stage;
#[cfg(test)]
mod walk;

fn main() -> ExitCode {
    failure::report_panics();
    ExitCode::from(commands::main())
}
