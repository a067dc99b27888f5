//! `plugfest run`

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use plugfest_case::Library;
use plugfest_judge::{Plan, RunEvent, Verdict};
use plugfest_play::clock::Clock;
use plugfest_play::driver::{BackendConfig, Driver, Hands};
use plugfest_play::suite::{self, Planned};
use plugfest_play::transport::Dialer;
use plugfest_protocol::{Json, Timestamp};
use plugfest_reports::{Format, Snapshots, exit};
use plugfest_trace::Marker;
use tokio::sync::watch;

use crate::arena::{self, Embedded, Needs, Share, Show};
use crate::args::{Global, Run};
use crate::catalogue::{self, Line};
use crate::config::{self, Config, Endpoint};
use crate::failure::Failure;
use crate::out::Out;
use crate::stage::{Setting, Stage};
use crate::{cases, last, prompt, select, signals};

/// The folder of the traces below that of the run.
const TRACES: &str = "traces";
/// Stations that we are at the same time unless something else is said.
const AT_ONCE: usize = 16;
/// How long a CSMS may take to let itself be connected to.
const REACH: std::time::Duration = std::time::Duration::from_secs(15);

/// Who is tested.
enum Whom {
    /// The embedded reference devices; for each planned line the make-up of the station.
    Embedded(Embedded, Vec<usize>),
    /// The device of a profile.
    Device(Box<Config>, Driver),
}

pub(super) fn run(global: &Global, arguments: &Run, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?.library;
    let config = device(global, arguments, &library)?;
    let began = Clock::real();
    let seed = arguments
        .seed
        .unwrap_or_else(|| rand::random_range(1..1_000_000_000));
    let (mut planned, whom) = plan(&library, config, arguments)?;
    let whom = arrange(&mut planned, whom, arguments);
    if planned.is_empty() {
        return Err(
            Failure::nothing("no case is left for this part of the selection").hint("take fewer parts")
        );
    }
    let shares = shares(&library, &planned, &whom, arguments);
    let marker = marker(&whom)?;

    let folder = folder(arguments, began.now())?;
    let setting = Setting {
        reports: &arguments.reports,
        folder: Some(&folder),
        expect: if let Whom::Device(config, _) = &whom {
            config.expect.clone()
        } else {
            Vec::new()
        },
        strict: arguments.strict,
    };
    let mut stage = Stage::new(setting, out)?;
    if let Some(snapshots) = &arguments.snapshot {
        stage = stage.with(Snapshots::new(snapshots, io::stderr()));
    }
    out.flush()?;

    stage.hear(RunEvent::Planned(the_plan(
        &planned,
        &whom,
        arguments,
        seed,
        began.now(),
    )));
    if shares.len() > 1
        || arguments
            .jobs
            .is_some_and(|jobs| jobs > 1 && matches!(whom, Whom::Device(..)))
    {
        stage.hear(RunEvent::Note {
            text: at_once(&shares, &whom),
        });
    }
    let (breaker, interrupt) = watch::channel(None);
    signals::into_channel(breaker.clone())
        .map_err(|error| Failure::undecided(format!("no signals: {error}")))?;
    let (events, heard) = mpsc::channel();
    let show = Show {
        library: &library,
        planned: &planned,
        marker,
        traces: Some(folder.join(TRACES)),
        seed,
        vary: arguments.vary.unwrap_or(0),
        again: again(global, arguments, seed),
        interrupt: interrupt.clone(),
        events,
    };
    let mut story = 0;
    let played = std::thread::scope(|scope| {
        let arena = scope.spawn(|| play(show, &whom, shares, arguments));
        for event in heard {
            if let RunEvent::Finished(result) = &event {
                story += result.duration_ms;
            }
            if stage.hear(event) == exit::FAILED && arguments.fail_fast {
                breaker.send_if_modified(|by| {
                    by.get_or_insert_with(|| "--fail-fast".to_owned()) == "--fail-fast"
                });
            }
        }
        arena.join()
    });
    if let Some(by) = interrupt.borrow().clone() {
        stage.hear(RunEvent::Interrupted { by });
    }
    // On the paused clock the story is what took time; on the real one cases overlap, and the wall tells.
    let wall = began
        .now()
        .since(Timestamp::from_micros(0))
        .saturating_sub(started(&began))
        .as_millis();
    let paused = matches!(whom, Whom::Embedded(Embedded::Memory, _));
    let code = stage.end(if paused {
        story
    } else {
        u64::try_from(wall).unwrap_or(u64::MAX)
    });
    match played {
        Ok(Ok(())) => Ok(code),
        Ok(Err(why)) => {
            // The reports are there; the code is the worse of both.
            let failure = Failure::undecided(why);
            failure.show(&mut io::stderr().lock(), out.colour_err)?;
            Ok(exit::combined([code, failure.code()]))
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
