//! A case played against itself: two harnesses, one per side, each with its own conversation and judge, over an
//! in-memory pipe on the paused clock. It proves a case constructible and free of dead lines, and nothing about truth.

use std::collections::BTreeMap;
use std::sync::Arc;

use plugfest_case::{Library, Loaded};
use plugfest_judge::{CaseKey, Outcome};
use plugfest_protocol::{Edition, Json};
use plugfest_trace::{Marker, Outcome as Performed};
use tokio::sync::{Barrier, watch};

use crate::clock::Clock;
use crate::driver::{Backend, Driver, DriverCall};
use crate::engine::{EngineError, Table, play};
use crate::files::{Fetch, FileServer, Files, Shelf};
use crate::lines::{Lines, Manners, Source};
use crate::player::player;
use crate::premise::{Setup, Variant, played_pics, premise};
use crate::transport::{Dialer, Listen, MemoryHub};
use crate::wire::Limits;

/// Where the file server of a self-play stands: a name that no network has.
const FILES: &str = "http://files.invalid";

/// The two sides' judgements of a self-play, with their traces.
#[derive(Debug)]
pub struct SelfPlay {
    /// By the harness that plays the CSMS: the station is the DUT.
    pub station: (Outcome, Vec<u8>),
    /// By the harness that plays the station: the CSMS is the DUT.
    pub csms: (Outcome, Vec<u8>),
}

/// The hands of a self-play: what is asked of the other side it does by itself, because its file says so.
#[derive(Debug)]
struct Itself;

impl Backend for Itself {
    fn call<'a>(&'a self, _call: &'a DriverCall) -> crate::driver::BoxFuture<'a, Performed> {
        Box::pin(std::future::ready(Performed::Done))
    }
}

/// Plays one case against itself. `vary` chooses the branches of the station side and of the CSMS side.
///
/// Must be called on a current-thread runtime whose clock is paused.
pub async fn self_play(
    library: &Library,
    loaded: &Loaded,
    variant: &Variant,
    values: &Json,
    vary: (u64, u64),
) -> Result<SelfPlay, EngineError> {
    let requires = loaded.case.header.requires.as_ref().map(|r| &r.expr);
    let pics = played_pics(library.facts(&loaded.protocol), requires);
    Box::pin(self_play_as(library, loaded, variant, values, &pics, vary)).await
}

/// As [`self_play`], with these answers to the PICS questions rather than the usual ones of played sides.
pub async fn self_play_as(
    library: &Library,
    loaded: &Loaded,
    variant: &Variant,
    values: &Json,
    pics: &BTreeMap<String, Json>,
    vary: (u64, u64),
) -> Result<SelfPlay, EngineError> {
    let setup = |dut: &str, vary: u64| Setup {
        dut: dut.to_owned(),
        identity: "SELF-1".to_owned(),
        values: with_files(values),
        pics: pics.clone(),
        facts: BTreeMap::new(),
        connections: Vec::new(),
        vary,
        // Two devices do not choose the same message ids.
        seed: if dut == "station" { 1 } else { 2 },
        driver: None,
    };
    let (station_side, csms_side) = vary;
    let tests_station = premise(library, loaded, variant, &setup("station", csms_side));
    let tests_csms = premise(library, loaded, variant, &setup("csms", station_side));
    let Some(edition) = Edition::by_name(&loaded.protocol) else {
        return Err(plugfest_judge::SessionError::Protocol(loaded.protocol.clone()).into());
    };
    let hub = MemoryHub::default();
    let manners = Manners {
        subprotocol: edition.subprotocol().to_owned(),
        identity: Some("SELF-1".to_owned()),
        // So that connections have a security profile.
        password: Some(b"self-play".to_vec()),
        base_path: "/".to_owned(),
        host: "memory".to_owned(),
        limits: Limits::default(),
    };
    let files_hub = MemoryHub::default();
    let files_at = Listen::Memory(files_hub.clone())
        .bind()
        .await
        .map_err(hub_taken)?;
    let mut file_server = FileServer::new(files_at, FILES.to_owned(), Shelf::new(None));
    let acceptor = Listen::Memory(hub.clone()).bind().await.map_err(hub_taken)?;
    let mut csms_lines = Lines::new(Source::listening(acceptor), manners.clone(), 2);
    let mut station_lines = Lines::new(Source::Dial(Dialer::Memory(hub)), manners, 3);
    let clock = Clock::starting_at(Clock::fixed_start());
    let driver = Driver::builtin(Arc::new(Itself));
    let meeting = Arc::new(Barrier::new(2));
    let (_keep, interrupt) = watch::channel(None);
    let key = |tests: &str| CaseKey {
        case: loaded.case.id.clone(),
        tests: tests.to_owned(),
        variant: variant.name.clone(),
        repetition: 1,
    };
    let mut csms_player = player(edition, "csms", &tests_station.values).ok_or_else(|| no_player(loaded))?;
    let mut station_player =
        player(edition, "station", &tests_csms.values).ok_or_else(|| no_player(loaded))?;
    let csms_table = Table {
        lines: &mut csms_lines,
        player: csms_player.as_mut(),
        driver: &driver,
        clock,
        key: key("station"),
        listener: None,
        interrupt: interrupt.clone(),
        process: None,
        files: Files::Served(&mut file_server),
        meeting: Some(Arc::clone(&meeting)),
    };
    let station_table = Table {
        lines: &mut station_lines,
        player: station_player.as_mut(),
        driver: &driver,
        clock,
        key: key("csms"),
        listener: None,
        interrupt,
        process: None,
        files: Files::Made(Fetch { hub: Some(files_hub) }),
        meeting: Some(meeting),
    };
    let (station, csms) = tokio::join!(
        play(
            tests_station,
            Vec::new(),
            "self-play, station",
            Marker::none(),
            csms_table
        ),
        play(
            tests_csms,
            Vec::new(),
            "self-play, csms",
            Marker::none(),
            station_table
        ),
    );
    Ok(SelfPlay {
        station: station?,
        csms: csms?,
    })
}

/// The values of a run with those of the file server that both sides use.
fn with_files(values: &Json) -> Json {
    let mut all = Shelf::values(FILES);
    all.merge(values);
    all
}

fn no_player(loaded: &Loaded) -> EngineError {
    plugfest_judge::SessionError::Protocol(loaded.protocol.clone()).into()
}

fn hub_taken(error: std::io::Error) -> EngineError {
    plugfest_judge::SessionError::NoCase(error.to_string()).into()
}

/// The next choice of branches after a playing made these choices: all of them are reached by calling this until it
/// gives `None`.
pub fn next_vary(choices: &[(u32, u32)]) -> Option<u64> {
    let mut digits: Vec<(u32, u32)> = choices.to_vec();
    while let Some((among, digit)) = digits.pop() {
        if digit + 1 < among {
            digits.push((among, digit + 1));
            let mut vary = 0_u64;
            for (among, digit) in digits.iter().rev() {
                vary = vary
                    .checked_mul(u64::from((*among).max(1)))?
                    .checked_add(u64::from(*digit))?;
            }
            return Some(vary);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_choices_is_visited_once() {
        // Two choices of two and three; which are met does not depend on the first here.
        let play = |mut vary: u64| -> Vec<(u32, u32)> {
            [2, 3]
                .iter()
                .map(|among| {
                    let digit = (vary % among) as u32;
                    vary /= among;
                    (*among as u32, digit)
                })
                .collect()
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut vary = Some(0);
        while let Some(v) = vary {
            let choices = play(v);
            assert!(seen.insert(choices.clone()));
            vary = next_vary(&choices);
        }
        assert_eq!(seen.len(), 6);
    }
}
