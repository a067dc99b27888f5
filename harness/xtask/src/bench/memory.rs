//! Memory of stations that are connected and have nothing to do: a fresh process plays them against an echo CSMS in
//! this one, and reads its own resident size before and after.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use plugfest_play::clock::Clock;
use tokio::sync::mpsc;

use super::harness::{Backstage, Show};
use super::office::{Office, connect, dialer, runtime};

/// What a child is started with; it is no chore for people.
pub(crate) const CHILD: &str = "bench-idle";
/// So long all stations may take to come up.
const COMING_UP: Duration = Duration::from_mins(2);

const CURRENT_TIME: &[u8] = b"currentTime";
const FROM_DUT: &[u8] = br#""from":"dut""#;

/// What stands behind one idle station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A connection of our own wire and the task that reads it.
    Wire,
    /// A whole station: its model, the case, the conversation, all rules and the facts they keep.
    Played,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Played => "played",
        }
    }
}

/// KiB of resident memory that each of so many stations takes.
pub(super) fn per_station(kind: Kind, stations: u64) -> Result<f64> {
    let office = Office::open()?;
    let own = std::env::current_exe().context("no path of this program")?;
    // Each connection is a descriptor, and many systems allow no more than 1,024 unless they are asked.
    let script = "ulimit -n \"$(ulimit -H -n)\" && exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(own)
        .args([
            CHILD,
            kind.word(),
            &office.address().to_string(),
            &stations.to_string(),
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("the process of the idle stations")?;
    if !output.status.success() {
        bail!("the process of the idle stations ended with {}", output.status);
    }
    let said = String::from_utf8(output.stdout)?;
    let grown: u64 = said
        .trim()
        .parse()
        .with_context(|| format!("no size but {said:?}"))?;
    Ok(grown as f64 / stations as f64)
}

/// The child: prints the KiB by which it has grown when all stations are idle.
pub(super) fn child(arguments: &[&str]) -> Result<u64> {
    let [kind, address, stations] = arguments else {
        bail!("{CHILD} takes a kind, an address and a number");
    };
    let (address, stations): (SocketAddr, u64) = (address.parse()?, stations.parse()?);
    match *kind {
        "wire" => runtime()?.block_on(wire(address, stations)),
        "played" => runtime()?.block_on(played(address, stations)),
        other => bail!("no kind of station is called {other}"),
    }
}

async fn wire(address: SocketAddr, stations: u64) -> Result<u64> {
    let (dialer, target) = dialer(address)?;
    let host = target.host_header();
    let before = resident()?;
    let mut open = Vec::new();
    for number in 0..stations {
        let mut connection = connect(&dialer, &host, number).await?;
        open.push(tokio::spawn(async move { connection.next().await }));
    }
    // Each task has been polled once and waits: that is what idle means.
    tokio::task::yield_now().await;
    if let Some(ended) = open.iter().position(tokio::task::JoinHandle::is_finished) {
        bail!("station {ended} did not stay");
    }
    Ok(resident()? - before)
}

async fn played(address: SocketAddr, stations: u64) -> Result<u64> {
    let (dialer, target) = dialer(address)?;
    let host = target.host_header();
    let show =
        Show::of("  station: Heartbeat {}\n  csms:    => { currentTime: near(now) }\n  wait     1d\n")?;
    let on = Backstage::new()?;
    let (answered, mut idle) = mpsc::unbounded_channel();
    let clock = Clock::real();
    let before = resident()?;
    let mut open = FuturesUnordered::new();
    for number in 0..stations {
        let trace = Answers(answered.clone());
        open.push(Box::pin(show.station(number, trace, dialer.clone(), &host, &on)));
    }
    let all_idle = async {
        for _ in 0..stations {
            idle.recv().await;
        }
    };
    tokio::select! {
        biased;
        Some(ended) = open.next() => match ended {
            Ok(outcome) => bail!("a station did not stay: {} {}", outcome.verdict, outcome.reason),
            Err(error) => Err(error),
        },
        () = all_idle => Ok(resident()? - before),
        () = clock.until(clock.now() + COMING_UP) => bail!("not all stations came up"),
    }
}

/// A trace that is kept nowhere and tells when the answer is in it: from then on the station only waits.
struct Answers(mpsc::UnboundedSender<()>);

impl Write for Answers {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let answer = line.windows(CURRENT_TIME.len()).any(|text| text == CURRENT_TIME);
        let from_dut = line.windows(FROM_DUT.len()).any(|text| text == FROM_DUT);
        if answer && from_dut {
            // Nobody listens any more once all are idle.
            let _heard = self.0.send(());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The resident size of this process in KiB.
fn resident() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("this system tells no resident size")?;
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB"));
    let size = size.context("no VmRSS in /proc/self/status")?;
    Ok(size.trim().parse()?)
}
