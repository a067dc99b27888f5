//! Chores of the workspace: verify the catalogue, run the benchmarks.

use std::io::Write;
use std::process::ExitCode;

mod bench;
mod verify_catalogue;

const USAGE: &str = "usage: cargo xtask CHORE
  verify-catalogue DIR   compare the catalogues with the official schema files under DIR, for example
                         the target of `pip install --no-deps --target DIR ocpp==2.1.0`
  bench [OPTIONS]        print the benchmarks of docs/benchmarks.md, each beside its peer; --json FILE writes them
                         too, --rounds N takes the median of so many (5), --only GROUP runs one group of
                         round-trips, validation, memory, start-up, --without-peers needs no Python and no Node
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [chore, arguments @ ..] = words.as_slice() else {
        return usage();
    };
    let outcome = match (*chore, arguments) {
        ("verify-catalogue", [directory]) => verify_catalogue::run(directory.as_ref()),
        ("bench", options) => bench::run(options),
        (bench::CHILD, arguments) => bench::child(arguments),
        (_, _) => return usage(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to do where the terminal itself is gone.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn usage() -> ExitCode {
    // Nothing is left to do where the terminal itself is gone.
    let _ = std::io::stderr().write_all(USAGE.as_bytes());
    ExitCode::from(2)
}
