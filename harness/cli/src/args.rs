//! The arguments. Names, defaults and exit codes are an interface: they are added to, never changed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use plugfest_trace::LogFormat;

use crate::prompt::Asking;

/// Conformance tests for the protocols of EV charging: OCPP 1.6J today.
///
/// plugfest plays the other side towards your station or CSMS, judges every frame by the standard, and says why.
/// Without a configuration it tests its own reference devices.
#[derive(Debug, Parser)]
#[command(name = "plugfest", version, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "Examples:
  plugfest run                               the embedded reference devices, in seconds
  plugfest init station                      a commented plugfest.toml for a real station
  plugfest run TC_010 'remote/*'             some cases by official id or by own id
  plugfest run --select 'block:reset and not id:*/charging'
  plugfest explain sequence/one-call-in-flight

Exit codes: 0 nothing worse than a warning, 1 a failure, 2 wrong input, 3 undecided, 4 nothing selected, 70 a bug.";

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The profile of the device under test; ./plugfest.toml where it exists.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A folder with cases of your own, beside the embedded ones; may be given several times.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cases: Vec<PathBuf>,
    /// No colours; the environment variable NO_COLOR does the same.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Only results and failures.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// More of what goes on: what each case waits for.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Which cases.
#[derive(Debug, Default, Args)]
pub(crate) struct Selection {
    /// Case ids (`remote/*`), official ids (`TC_010`) or terms (`block:reset`); a case that fits one is taken.
    #[arg(value_name = "CASE")]
    pub(crate) what: Vec<String>,
    /// A term over cases: `(block:reset or TC_010) and not role:csms`.
    #[arg(short, long, value_name = "TERM")]
    pub(crate) select: Option<String>,
    /// Only what failed, or was not decided, in the last run.
    #[arg(long)]
    pub(crate) failed: bool,
    /// The folder of the run that `--failed` and `verdict:` look at; the last one where it is left out.
    #[arg(long, value_name = "DIR")]
    pub(crate) last: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Test the device under test, or the embedded reference devices.
    Run(Box<Run>),
    /// List cases.
    List {
        #[command(flatten)]
        selection: Selection,
        /// An array of objects.
        #[arg(long)]
        json: bool,
    },
    /// Show one case.
    Show {
        /// Its id, or an official id that it covers.
        case: String,
        #[command(flatten)]
        form: ShowForm,
    },
    /// Check case, state, facts and profile files; all embedded cases where none is named.
    Check {
        /// Files or folders.
        files: Vec<PathBuf>,
        /// Exit with 1 where there is a warning.
        #[arg(long)]
        strict: bool,
    },
    /// List what the standards demand: which cases and rules exercise it, and what is not tested and why.
    Coverage(Coverage),
    /// Show that every line of the cases can fail: each is judged again on a doctored trace.
    Prove {
        #[command(flatten)]
        selection: Selection,
    },
    /// Show what share of real defects the cases find: the reference devices with one defect at a time.
    Mutants(Mutants),
    /// Lay out case and state files.
    Fmt {
        /// Files or folders; `-` reads standard input and writes standard output. `testcases/` where none is named.
        files: Vec<PathBuf>,
        /// Change nothing; exit with 1 where something would be changed.
        #[arg(long)]
        check: bool,
    },
    /// Judge recorded traces again.
    Judge(Judge),
    /// Judge somebody's log of OCPP frames by the always-on rules, both sides of it.
    Lint(Lint),
    /// Explain a rule, a case, a verdict, an exit code, an action of the driver, or `driver`.
    Explain {
        /// `sequence/one-call-in-flight`, `remote/stop`, `TC_010_CS`, `blocked`, `3`, `exit`, `driver`, `ev.plug`.
        topic: Option<String>,
    },
    /// Run a reference device on its own, to test a tool against.
    Serve {
        #[command(subcommand)]
        device: Device,
    },
    /// Look at the driver: what does the actions that need hands or an operator.
    Driver {
        #[command(subcommand)]
        what: DriverCommand,
    },
    /// Write a commented plugfest.toml.
    Init(Init),
    /// See whether everything that a run needs is there.
    Doctor(Doctor),
    /// Convert traces from and to Open OCPP Trace.
    Trace {
        #[command(subcommand)]
        what: TraceCommand,
    },
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// How a case is shown.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct ShowForm {
    /// As a sequence diagram.
    #[arg(long)]
    pub(crate) diagram: bool,
    /// As a numbered table of both sides.
    #[arg(long)]
    pub(crate) table: bool,
    /// As the typed form that everything else reads.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `plugfest run`
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Test the CSMS at this URL; the identity is appended. Overrides the profile.
    #[arg(long, value_name = "URL", conflicts_with = "listen")]
    pub(crate) url: Option<String>,
    /// Wait for a station at this address. Overrides the profile.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Without a profile: the reference devices over TCP and on the real clock instead of in memory.
    #[arg(long, conflicts_with_all = ["url", "listen"])]
    pub(crate) real: bool,
    /// Play every case so often.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// Stop at the first case that fails.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Play the k-th of n parts of the selection.
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<Shard>,
    /// How many cases may run at the same time; as many as the pools and the machine allow where it is left out.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: Option<u32>,
    /// The seed of everything random.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Let our side take other ways than the first through `either`, `optional` and `many`, chosen by this number.
    #[arg(long, value_name = "N")]
    pub(crate) vary: Option<u64>,
    /// Warnings fail.
    #[arg(long)]
    pub(crate) strict: bool,
    /// The folder for traces and reports; a new one below `plugfest-out/` where it is left out.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) asking: Asking,
    /// Compare each conversation with the one kept in this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) snapshot: Option<PathBuf>,
}

/// Reports beside those in the folder of the run.
#[derive(Debug, Default, Args)]
pub(crate) struct Reports {
    /// Write the result as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<String>,
    /// Write the result as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<String>,
    /// Write the result as Markdown, such as `$GITHUB_STEP_SUMMARY`.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<String>,
    /// Write the result as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<String>,
}

/// `plugfest judge`
#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// Traces, or folders of runs with traces in them.
    #[arg(required = true)]
    pub(crate) traces: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reports: Reports,
    /// Warnings fail.
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Which logs, and what of them.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Logs; `-` is standard input.
    #[arg(required = true)]
    pub(crate) logs: Vec<PathBuf>,
    /// How frames are written down in them: found out from the first lines where it is left out.
    #[arg(long, value_name = "FORMAT", value_parser = log_format)]
    pub(crate) format: Option<LogFormat>,
    /// The version of OCPP.
    #[arg(long, value_name = "VERSION", default_value = "1.6")]
    pub(crate) ocpp: String,
    /// The role of whoever wrote the log, where a line says `send` or `receive` and nothing else tells.
    #[arg(long, value_name = "ROLE")]
    pub(crate) writer: Option<Role>,
    /// All findings as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// All findings as SARIF 2.1.0, which code hosts show beside the lines; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// Warnings fail.
    #[arg(long)]
    pub(crate) strict: bool,
}

fn log_format(name: &str) -> Result<LogFormat, String> {
    LogFormat::by_name(name).ok_or_else(|| {
        let names = LogFormat::ALL.map(LogFormat::name).join(", ");
        format!("there is no such format; there are {names}")
    })
}

/// The k-th of n parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1.
    pub(crate) part: u32,
    /// How many there are.
    pub(crate) of: u32,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is no part, write 1/4 for the first of four");
        let (part, of) = text.split_once('/').ok_or_else(form)?;
        let (part, of): (u32, u32) = (part.parse().map_err(|_| form())?, of.parse().map_err(|_| form())?);
        if part == 0 || part > of {
            return Err(format!("there is no part {part} of {of}, they count from 1"));
        }
        Ok(Self { part, of })
    }
}

impl Shard {
    /// Whether this part takes the line at that place, counted from 0.
    pub(crate) fn takes(self, place: usize) -> bool {
        place % self.of as usize == self.part as usize - 1
    }
}

/// `plugfest serve`
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// A station that dials a CSMS. Ends when its standard input does, which takes JSON lines for its hands.
    Station(StationDevice),
    /// A CSMS that waits for stations. Ends when its standard input does, which takes JSON lines for its operator.
    Csms(CsmsDevice),
}

/// `plugfest serve station`
#[derive(Debug, Args)]
pub(crate) struct StationDevice {
    /// The endpoint, `ws://host:port/path`; the identity is appended.
    #[arg(long)]
    pub(crate) url: String,
    /// Its identity.
    #[arg(long, default_value = "REF-1")]
    pub(crate) identity: String,
    /// How many connectors it has.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) connectors: u32,
    /// The cable hangs on the station.
    #[arg(long)]
    pub(crate) fixed_cable: bool,
    /// It can say goodbye when the power fails.
    #[arg(long)]
    pub(crate) battery: bool,
    /// The environment variable with its password for HTTP Basic authentication.
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) password_env: Option<String>,
    /// A configuration key that differs from the factory's; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// The seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// A defect to have; `plugfest mutants --list` names them.
    #[arg(long, value_name = "ID")]
    pub(crate) defect: Option<String>,
    /// Read nothing from standard input, and run until a signal comes.
    #[arg(long)]
    pub(crate) detached: bool,
}

/// `plugfest serve csms`
#[derive(Debug, Args)]
pub(crate) struct CsmsDevice {
    /// The address; port 0 takes a free one. The port is printed as `{"listening": PORT}`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// A token that is accepted; may be given several times. VALID-1 to VALID-32 where none is given. BLOCKED-1,
    /// EXPIRED-1, and GROUP-1 and GROUP-2 of the group GROUP are always known as such.
    #[arg(long = "tag", value_name = "TOKEN")]
    pub(crate) tags: Vec<String>,
    /// The heartbeat interval that stations are given.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) heartbeat: u64,
    /// A defect to have; `plugfest mutants --list` names them.
    #[arg(long, value_name = "ID")]
    pub(crate) defect: Option<String>,
    /// Read nothing from standard input, and run until a signal comes.
    #[arg(long)]
    pub(crate) detached: bool,
}

/// `plugfest mutants`
#[derive(Debug, Args)]
pub(crate) struct Mutants {
    /// Defects by id; `*` stands for anything. All of them where none is named.
    #[arg(value_name = "DEFECT")]
    pub(crate) what: Vec<String>,
    /// Only the defects of this side.
    #[arg(long)]
    pub(crate) role: Option<Role>,
    /// The protocol.
    #[arg(long, value_name = "NAME", default_value = "OCPP-1.6")]
    pub(crate) protocol: String,
    /// Derive defects that nobody listed from everything that the clean devices say.
    #[arg(long)]
    pub(crate) generic: bool,
    /// Play only these cases, by id; `*` stands for anything. It counts for no score.
    #[arg(long = "case", value_name = "CASE")]
    pub(crate) only: Vec<String>,
    /// List the defects and play nothing.
    #[arg(long, conflicts_with_all = ["generic", "json"])]
    pub(crate) list: bool,
    /// Write the outcomes as an array of objects.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Quirks that are not noticed fail.
    #[arg(long)]
    pub(crate) strict: bool,
    /// How many may be played at the same time; as many as the machine has cores where it is left out.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) jobs: Option<u32>,
    /// The seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// `plugfest coverage`
#[derive(Debug, Args)]
pub(crate) struct Coverage {
    /// Sections (`4.2`, `OCPP-1.6J 4`), with who exercises each entry; everything where none is named.
    #[arg(value_name = "CLAUSE")]
    pub(crate) clauses: Vec<String>,
    /// Only this document; may be given several times.
    #[arg(long = "document", value_name = "NAME")]
    pub(crate) documents: Vec<String>,
    /// Only what binds this side.
    #[arg(long)]
    pub(crate) role: Option<Role>,
    /// Only what nothing exercises.
    #[arg(long)]
    pub(crate) untested: bool,
    /// An array of objects.
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with 1 where the list and what rules and cases cite contradict each other, and say where.
    #[arg(long, conflicts_with_all = ["json", "untested", "role", "documents", "clauses"])]
    pub(crate) check: bool,
}

/// `plugfest driver`
#[derive(Debug, Subcommand)]
pub(crate) enum DriverCommand {
    /// List, without doing anything, which selected cases will be blocked for want of an action.
    Check {
        #[command(flatten)]
        selection: Selection,
    },
    /// Do each configured action once, or those that are named.
    Try {
        /// Actions: `ev.plug`.
        verbs: Vec<String>,
        /// Arguments for the one action that is named: `connector=1`.
        #[arg(long = "arg", value_name = "NAME=VALUE")]
        arguments: Vec<String>,
        #[command(flatten)]
        asking: Asking,
    },
}

/// `plugfest init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// What is to be tested.
    pub(crate) role: Role,
    /// A station: the address to wait at.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// A CSMS: its URL, to which the identity is appended.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The identity of the station, or the one to take towards the CSMS.
    #[arg(long)]
    pub(crate) identity: Option<String>,
    /// Ask the device itself for what it can tell.
    #[arg(long)]
    pub(crate) from_dut: bool,
    /// How long to wait for the device.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) patience: u64,
    /// Where to write; a file that exists is never replaced.
    #[arg(long, value_name = "FILE", default_value = "plugfest.toml")]
    pub(crate) file: PathBuf,
}

/// `plugfest doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Also ask the device for what it can tell, and compare the profile with it.
    #[arg(long)]
    pub(crate) ask: bool,
    /// How long to wait for the device.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) patience: u64,
}

/// A side of OCPP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// A charging station.
    Station,
    /// A charging station management system.
    Csms,
}

/// `plugfest trace`
#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Write the messages of a trace as Open OCPP Trace 1.1 to standard output.
    Export {
        /// The trace.
        trace: PathBuf,
        /// Write to a file instead.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make a trace of Open OCPP Trace records; `plugfest judge` can then judge it by the always-on rules.
    Import {
        /// The records, one JSON object per line.
        records: PathBuf,
        /// The side to judge.
        #[arg(long)]
        dut: Role,
        /// The version of OCPP where the records name none.
        #[arg(long, default_value = "1.6")]
        ocpp: String,
        /// Where to write the trace.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

impl Role {
    /// The word used everywhere.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Csms => "csms",
            Self::Station => "station",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_contradict_nothing() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn shards_are_disjoint_and_leave_nothing_out() {
        let shards: Vec<Shard> = (1..=3).map(|n| format!("{n}/3").parse().unwrap()).collect();
        for place in 0..20 {
            assert_eq!(shards.iter().filter(|shard| shard.takes(place)).count(), 1);
        }
        for bad in ["", "1", "0/3", "4/3", "a/b", "1/0", "-1/2"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
