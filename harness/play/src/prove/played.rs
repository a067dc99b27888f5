//! A case played against itself in every branch.

use plugfest_case::{Library, Loaded};
use plugfest_judge::Outcome;
use plugfest_protocol::Json;

use super::worlds::{World, worlds};
use crate::engine::EngineError;
use crate::premise::{Variant, variants};
use crate::selfplay::{next_vary, self_play_as};

/// One side's judgement of one playing of a case.
#[derive(Debug)]
pub struct Played {
    /// The side under test.
    pub dut: &'static str,
    /// The assignment of the `for` names in words.
    pub variant: String,
    /// What was taken to be so, against the usual, in words: the side of an `if`.
    pub world: String,
    /// The branches that the station and the CSMS took.
    pub vary: (u64, u64),
    /// What the live run said.
    pub outcome: Outcome,
    /// What it recorded.
    pub trace: Vec<u8>,
}

/// Plays a case against itself in every branch of either side while the other plays as written, its `if`s turned both
/// ways; both sides' judgements of each playing.
///
/// It makes a paused runtime of its own for each playing and so must not be called on one.
pub fn play_all(library: &Library, loaded: &Loaded, values: &Json) -> Result<Vec<Played>, EngineError> {
    let mut all = Vec::new();
    for variant in variants(loaded) {
        for world in worlds(library, loaded, values) {
            play_world(library, loaded, &variant, &world, &mut all)?;
        }
    }
    Ok(all)
}

fn play_world(
    library: &Library,
    loaded: &Loaded,
    variant: &Variant,
    world: &World,
    all: &mut Vec<Played>,
) -> Result<(), EngineError> {
    let mut open = vec![(0, 0)];
    while let Some(vary) = open.pop() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .map_err(|e| plugfest_judge::SessionError::NoCase(e.to_string()))?;
        let played = runtime.block_on(self_play_as(
            library,
            loaded,
            variant,
            &world.values,
            &world.pics,
            vary,
        ))?;
        if vary.1 == 0 {
            open.extend(next_vary(&played.csms.0.choices).map(|v| (v, 0)));
        }
        if vary.0 == 0 {
            open.extend(next_vary(&played.station.0.choices).map(|v| (0, v)));
        }
        for (dut, (outcome, trace)) in [("station", played.station), ("csms", played.csms)] {
            all.push(Played {
                dut,
                variant: variant.name.clone(),
                world: world.name.clone(),
                vary,
                outcome,
                trace,
            });
        }
    }
    Ok(())
}
