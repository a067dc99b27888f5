//! Cases against the device of a profile: how it is reached, what a case may use of it, and how many run at a time.
//!
//! Results go out as events; nothing is printed here, and nothing is judged.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;

use plugfest_case::Library;
use plugfest_judge::{CaseKey, CaseResult, RunEvent, Verdict};
use plugfest_play::clock::Clock;
use plugfest_play::engine::Table;
use plugfest_play::premise::{Setup, put};
use plugfest_play::process::{Process, ProcessEvent};
use plugfest_play::suite::{Job, Planned, Played, passed_over, run_one};
use plugfest_protocol::{Json, Object};
use plugfest_trace::Marker;
use tokio::sync::watch;

use crate::config::Config;

mod csms;
mod pools;
mod station;
mod supervised;

pub(crate) use csms::{codes, play as play_csms};
pub(crate) use pools::{Needs, Share, shares};
pub(crate) use station::{able, play as play_station};

/// What all cases of a run share.
#[derive(Debug)]
pub(crate) struct Show<'r> {
    /// The cases.
    pub(crate) library: &'r Library,
    /// The result lines, in the order in which they are begun.
    pub(crate) planned: &'r [Planned],
    /// What replaces secrets.
    pub(crate) marker: Marker,
    /// The folder of the traces.
    pub(crate) traces: Option<PathBuf>,
    /// The seed of the run.
    pub(crate) seed: u64,
    /// Chooses the branches of our side; 0 plays as written.
    pub(crate) vary: u64,
    /// How a case is played again, without its id.
    pub(crate) again: String,
    /// Becomes `Some(why)` when the run is broken off.
    pub(crate) interrupt: watch::Receiver<Option<String>>,
    /// Who listens.
    pub(crate) events: mpsc::Sender<RunEvent>,
}

/// What is known of a device before a case, and what the case may use.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// The identity of the station, ours or the device's.
    pub(crate) identity: String,
    /// The `$` values that are not the defaults.
    pub(crate) values: Json,
    /// Answers to the PICS questions.
    pub(crate) pics: BTreeMap<String, Json>,
    /// Facts of the case before.
    pub(crate) facts: BTreeMap<String, Json>,
    /// What the driver can do; `None` where that is not known.
    pub(crate) driver: Option<Vec<String>>,
}

impl Show<'_> {
    /// True once the run is broken off: no further case begins.
    pub(crate) fn is_over(&self) -> bool {
        self.interrupt.borrow().is_some()
    }

    /// Says that the case at this place, counted from 0, begins.
    fn begins(&self, place: usize) {
        self.tell(RunEvent::Started {
            key: self.planned[place].line.key.clone(),
            number: place as u32 + 1,
        });
    }

    /// Says how a case ended.
    fn ended(&self, result: CaseResult) {
        self.tell(RunEvent::Finished(Box::new(result)));
    }

    /// Says that a case is not played, if it is not.
    fn passes_over(&self, place: usize) -> bool {
        let planned = &self.planned[place];
        let Some((verdict, reason)) = &planned.passed_over else {
            return false;
        };
        self.begins(place);
        self.ended(self.unplayed(planned, *verdict, reason.clone()));
        true
    }

    /// The result of a case that was not played.
    fn unplayed(&self, planned: &Planned, verdict: Verdict, reason: String) -> CaseResult {
        passed_over(
            &planned.line,
            verdict,
            reason,
            Clock::real().now(),
            &self.reproduce(&planned.line.key),
        )
    }

    fn tell(&self, event: RunEvent) {
        // The listener lives until all who speak are done.
        drop(self.events.send(event));
    }

    fn reproduce(&self, key: &CaseKey) -> String {
        format!("{} {}", self.again, key.case)
    }

    /// Plays one case at a laid table.
    async fn play(&self, planned: &Planned, start: Start, mut table: Table<'_>) -> Played {
        let setup = Setup {
            dut: planned.line.key.tests.clone(),
            identity: start.identity,
            values: start.values,
            pics: start.pics,
            facts: start.facts,
            connections: table.lines.open(),
            vary: self.vary,
            seed: self.seed_of(&planned.line.key),
            driver: start.driver,
        };
        table.listener = Some(self.events.clone());
        let job = Job {
            library: self.library,
            planned,
            setup,
            traces: self.traces.as_deref(),
            marker: self.marker.clone(),
            reproduce: self.reproduce(&planned.line.key),
        };
        run_one(job, table).await
    }

    /// Every case draws from a seed of its own, so that no two say the same message ids, and one alone says what it
    /// says among others.
    fn seed_of(&self, key: &CaseKey) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.seed;
        for byte in key.to_string().bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash
    }
}

/// The `$` values of a profile with those of a share of its pools laid over.
pub(crate) fn values(
    chosen: &BTreeMap<String, Json>,
    timeouts: &BTreeMap<String, f64>,
    tolerance: &BTreeMap<String, f64>,
    share: &Share,
) -> Json {
    let mut root = Json::Object(Object::new());
    for (path, value) in chosen {
        put(&mut root, path, value.clone());
    }
    for (group, seconds) in [("timeout", timeouts), ("tolerance", tolerance)] {
        for (name, seconds) in seconds {
            // A number with a fraction keeps it; TOML has read it already, so that it is a number of JSON.
            let value = Json::parse(&seconds.to_string()).unwrap_or(Json::Null);
            put(&mut root, &format!("{group}.{name}"), value);
        }
    }
    root.merge(&share.values());
    root
}

/// The device's own process, if we start it.
async fn process(
    config: &Config,
) -> Result<Option<(Process, tokio::sync::mpsc::Receiver<ProcessEvent>)>, String> {
    let Some(process) = &config.dut.process else {
        return Ok(None);
    };
    Process::start(process.clone())
        .await
        .map(Some)
        .map_err(|error| error.to_string())
}
