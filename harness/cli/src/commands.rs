//! One file per command. Each takes its arguments and gives an exit code, or a failure.

use std::io::{self, Write as _};

use clap::{CommandFactory as _, Parser as _};
use plugfest_reports::exit;

use crate::args::{Arguments, Command};
use crate::failure::{self, Failure};
use crate::out::Out;

mod check;
mod coverage;
mod doctor;
mod driver;
pub(crate) mod explain;
mod fmt;
mod init;
mod judge;
mod lint;
mod list;
mod mutants;

mod prove;
mod run;
mod serve;
mod show;
mod trace;

/// Reads the arguments, does what they say and gives the exit code. The one place where failures are told.
pub(crate) fn main() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too; where they cannot be printed there is nobody to tell.
            let _unheard = error.print();
            return if error.use_stderr() { exit::USAGE } else { exit::OK };
        }
    };
    failure::exit_of_panic(|| {
        let mut out = Out::new(&arguments.global);
        let done = dispatch(&arguments, &mut out).and_then(|code| {
            out.flush()?;
            Ok(code)
        });
        done.unwrap_or_else(|failure| {
            let colour = out.colour_err;
            drop(out);
            let _unheard = failure.show(&mut io::stderr().lock(), colour);
            failure.code()
        })
    })
}

fn dispatch(arguments: &Arguments, out: &mut Out) -> Result<u8, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Check { files, strict } => check::run(global, files, *strict, out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "plugfest", &mut script);
            out.write_all(&script)?;
            Ok(exit::OK)
        }
        Command::Coverage(arguments) => coverage::run(global, arguments, out),
        Command::Doctor(doctor) => doctor::run(global, doctor, out),
        Command::Driver { what } => driver::run(global, what, out),
        Command::Explain { topic } => explain::run(global, topic.as_deref(), out),
        Command::Fmt { files, check } => fmt::run(global, files, *check, out),
        Command::Init(init) => init::run(global, init, out),
        Command::Judge(judge) => judge::run(global, judge, out),
        Command::Lint(lint) => lint::run(lint, out),
        Command::Mutants(arguments) => mutants::run(global, arguments, out),
        Command::List { selection, json } => list::run(global, selection, *json, out),
        Command::Prove { selection } => prove::run(global, selection, out),
        Command::Run(run) => run::run(global, run, out),
        Command::Serve { device } => serve::run(device, out),
        Command::Show { case, form } => show::run(global, case, form, out),
        Command::Trace { what } => trace::run(what, out),
    }
}

/// A runtime for one thread with everything switched on.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::undecided(format!("the system gives no runtime: {error}")))
}
