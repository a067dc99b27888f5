//! The benchmarks: each figure of ours beside the same figure of a peer, taken in turns in the same run. They print and
//! judge nothing: a figure that misses its aim is said so, and no test depends on time.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use figure::{Aim, Figure};
use memory::Kind;

mod figure;
mod harness;
mod memory;
mod office;
mod peers;
mod start_up;
mod validation;

pub(crate) use memory::CHILD;

/// Round trips of one station in a round; the bare pair and the peers make as many.
const ALONE: u64 = 4_000;
/// Stations that ask at once, and the round trips of each.
const CROWD: (u64, u64) = (100, 200);
/// Stations that are idle at once.
const IDLE: u64 = 2_000;
/// Payloads that PyPI's validator is given in a round.
const PYTHON_PAYLOADS: u64 = 5_000;
/// Starts of the program in a round.
const STARTS: usize = 5;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    json: Option<PathBuf>,
    rounds: usize,
    without_peers: bool,
    only: String,
}

impl Options {
    fn parse(arguments: &[&str]) -> Result<Self> {
        let mut options = Self {
            json: None,
            rounds: 5,
            without_peers: false,
            only: String::new(),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match *word {
                "--json" => options.json = Some(PathBuf::from(value()?)),
                "--rounds" => options.rounds = value()?.parse().context("--rounds takes a number")?,
                "--only" => options.only = (*value()?).to_owned(),
                "--without-peers" => options.without_peers = true,
                other => {
                    bail!("bench knows no {other}: --json FILE, --rounds N, --only GROUP, --without-peers")
                }
            }
        }
        if options.rounds == 0 {
            bail!("--rounds takes a number from 1");
        }
        if !GROUPS.iter().any(|(name, _)| name.contains(&options.only)) {
            let known: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
            bail!("--only {}: the groups are {}", options.only, known.join(", "));
        }
        Ok(options)
    }
}

type Group = fn(&Options) -> Result<Vec<Figure>>;

const GROUPS: [(&str, Group); 4] = [
    ("round-trips", round_trips),
    ("validation", validation),
    ("memory", memory),
    ("start-up", start_up),
];

/// Runs the benchmarks; true, for there is nothing to fail but the run itself.
pub(crate) fn run(arguments: &[&str]) -> Result<bool> {
    let options = Options::parse(arguments)?;
    if cfg!(debug_assertions) {
        return again_in_release(arguments);
    }
    if !options.without_peers {
        peers::install()?;
    }
    let mut figures = Vec::new();
    for (name, group) in GROUPS {
        if name.contains(&options.only) {
            writeln!(io::stderr(), "bench: {name}")?;
            figures.extend(group(&options).with_context(|| format!("bench: {name}"))?);
        }
    }
    writeln!(io::stdout(), "{}", figure::table(&figures))?;
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&figure::document(&figures, options.rounds))?;
        std::fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    Ok(true)
}

/// The child of the memory figures.
pub(crate) fn child(arguments: &[&str]) -> Result<bool> {
    writeln!(io::stdout(), "{}", memory::child(arguments)?)?;
    Ok(true)
}

/// Figures of an unoptimised build would say nothing.
fn again_in_release(arguments: &[&str]) -> Result<bool> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        "plugfest-xtask",
        "--",
        "bench",
    ]);
    let status = command.args(arguments).status().context("cargo run --release")?;
    if !status.success() {
        bail!("the benchmarks ended with {status}");
    }
    Ok(true)
}

/// A figure per round of two that are measured in turns.
fn pairs(rounds: usize, mut round: impl FnMut() -> Result<(f64, f64)>) -> Result<Vec<(f64, f64)>> {
    (0..rounds).map(|_| round()).collect()
}

fn round_trips(options: &Options) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (stations, each) in [(1, ALONE), CROWD] {
        figures.push(Figure {
            name: format!(
                "round trips, {stations} TCP connection{}",
                if stations == 1 { "" } else { "s" }
            ),
            unit: "/s",
            peer: "bare own wire, echo".to_owned(),
            pairs: pairs(options.rounds, || {
                Ok((
                    harness::round_trips(stations, each)?,
                    office::bare_round_trips(stations, each)?,
                ))
            })?,
            aim: Some(Aim::RatioFrom(0.3)),
        });
    }
    if options.without_peers {
        return Ok(figures);
    }
    for pair in [peers::python_pair, peers::node_pair] {
        let mut name = String::new();
        let pairs = pairs(options.rounds, || {
            let ours = harness::round_trips(1, ALONE)?;
            let said = pair(ALONE)?;
            name = said.peer;
            Ok((ours, said.rate))
        })?;
        figures.push(Figure {
            name: "round trips, 1 TCP connection".to_owned(),
            unit: "/s",
            peer: format!("{name}, a pair"),
            pairs,
            aim: Some(Aim::RatioFrom(4.0)),
        });
    }
    Ok(figures)
}

fn validation(options: &Options) -> Result<Vec<Figure>> {
    let payloads = validation::Payloads::new()?;
    let figure = |name: &str, peer: &str, pairs| Figure {
        name: name.to_owned(),
        unit: "/s",
        peer: peer.to_owned(),
        pairs,
        aim: None,
    };
    let read = pairs(options.rounds, || Ok((payloads.ours(), payloads.jsonschema())))?;
    let text = pairs(options.rounds, || {
        Ok((payloads.ours_from_text(), payloads.jsonschema_from_text()))
    })?;
    let mut figures = vec![
        figure("payloads validated", "jsonschema (crate), is_valid", read),
        figure("payloads read and validated", "serde_json + jsonschema", text),
    ];
    if !options.without_peers {
        let mut name = String::new();
        let python = pairs(options.rounds, || {
            let ours = payloads.ours();
            let said = peers::python_validation(payloads.file(), PYTHON_PAYLOADS)?;
            name = said.peer;
            Ok((ours, said.rate))
        })?;
        figures.push(figure("payloads validated", &name, python));
    }
    Ok(figures)
}

fn memory(options: &Options) -> Result<Vec<Figure>> {
    let pairs = pairs(options.rounds.min(3), || {
        Ok((
            memory::per_station(Kind::Played, IDLE)?,
            memory::per_station(Kind::Wire, IDLE)?,
        ))
    })?;
    Ok(vec![Figure {
        name: format!("memory of an idle station, of {IDLE}"),
        unit: "KiB",
        peer: "its bare connection".to_owned(),
        pairs,
        aim: None,
    }])
}

fn start_up(options: &Options) -> Result<Vec<Figure>> {
    let plugfest = start_up::build()?;
    let pairs = pairs(options.rounds * STARTS, || {
        Ok((
            start_up::milliseconds(&plugfest, &["list"])?,
            start_up::milliseconds(&plugfest, &["--version"])?,
        ))
    })?;
    Ok(vec![Figure {
        name: "plugfest list".to_owned(),
        unit: "ms",
        peer: "plugfest --version".to_owned(),
        pairs,
        aim: Some(Aim::Below(50.0)),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_a_wrong_one_is_named() {
        let options = Options::parse(&["--json", "b.json", "--rounds", "3", "--only", "memory"]).unwrap();
        assert_eq!((options.rounds, options.only.as_str()), (3, "memory"));
        for (arguments, named) in [
            (&["--rounds", "0"][..], "from 1"),
            (&["--only", "memmory"], "round-trips, validation"),
            (&["--jsn"], "no --jsn"),
            (&["--json"], "needs a value"),
        ] {
            let error = Options::parse(arguments).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    /// The figures are not tested, but what they are taken from is: both sides do the same work to its end.
    #[test]
    fn what_is_measured_works() {
        assert!(harness::round_trips(2, 10).unwrap() > 0.0);
        assert!(office::bare_round_trips(2, 10).unwrap() > 0.0);
        let payloads = validation::Payloads::new().unwrap();
        assert!(payloads.file().metadata().unwrap().len() > 0);
    }
}
