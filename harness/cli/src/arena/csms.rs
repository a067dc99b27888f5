//! A CSMS under test: we are many stations at once, each with an identity and tags of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use plugfest_case::Library;
use plugfest_case::ir::Requires;
use plugfest_judge::{CaseResult, Verdict};
use plugfest_play::clock::Clock;
use plugfest_play::driver::Driver;
use plugfest_play::engine::Table;
use plugfest_play::files::{Fetch, Files};
use plugfest_play::lines::{Lines, Manners, Source};
use plugfest_play::player::player;
use plugfest_play::premise::{defaults, played_pics};
use plugfest_play::transport::Dialer;
use plugfest_play::wire::Limits;
use plugfest_protocol::Json;

use super::pools::{Needs, Share};
use super::supervised::Supervised;
use super::{Show, Start, values};
use crate::catalogue::Line;
use crate::config::{Config, Endpoint};
use crate::signals;

/// How long a CSMS may take to let itself be connected to.
const REACH: Duration = Duration::from_secs(15);
/// How long until the next attempt.
const AGAIN: Duration = Duration::from_millis(200);

/// Plays all cases of a show, as many at a time as there are shares.
pub(crate) async fn play(
    show: &Show<'_>,
    config: &Config,
    driver: &Driver,
    shares: Vec<Share>,
) -> Result<(), String> {
    let Endpoint::Csms { target, tls } = &config.dut.endpoint else {
        return Err("no CSMS is under test".to_owned());
    };
    let dialer = Dialer::new(target, tls, None).map_err(|error| error.to_string())?;
    let own = super::process(config).await?;
    let own = own.map(|(process, events)| Supervised::new(process, events));
    if let Err(why) = reach(&dialer, show).await {
        let why = format!("the CSMS at {} was not reached: {why}", target.host_header());
        return match own {
            Some(own) => own.stop().await.and(Err(why)),
            None => Err(why),
        };
    }
    let office = own.as_ref();
    let able = super::station::able(driver);
    let able = &able;
    let mut waiting: Vec<usize> = (0..show.planned.len())
        .filter(|&place| !show.passes_over(place))
        .collect();
    let mut free = shares;
    let mut open = FuturesUnordered::new();
    loop {
        // The next case in order whose tags are free; one that must wait lets others by.
        let fitting = |place: usize| {
            let loaded = show.library.case(&show.planned[place].line.key.case);
            let needs = loaded.map_or_else(Needs::default, |loaded| Needs::of(show.library, loaded));
            // The poorest share that will do: the others may be needed more.
            let fit = free.iter().enumerate().filter(|(_, share)| share.serves(needs));
            fit.min_by_key(|(_, share)| share.wealth()).map(|(n, _)| n)
        };
        let found = if show.is_over() {
            None
        } else {
            waiting
                .iter()
                .enumerate()
                .find_map(|(n, &place)| Some((n, fitting(place)?)))
        };
        if let Some((n, share)) = found {
            let (place, share) = (waiting.remove(n), free.swap_remove(share));
            show.begins(place);
            let dialer = dialer.clone();
            open.push(async move {
                let result = one(
                    show,
                    config,
                    driver,
                    able,
                    place,
                    dialer,
                    &target.host_header(),
                    &share,
                    office,
                )
                .await;
                (result, share)
            });
            continue;
        }
        let Some((result, share)) = open.next().await else {
            break;
        };
        show.ended(result);
        free.push(share);
    }
    // Where the run was not broken off, no share serves what is left.
    for place in waiting.into_iter().filter(|_| !show.is_over()) {
        show.begins(place);
        let reason =
            "no identity has the tags for it beside the others: --jobs 1 leaves them all to one".to_owned();
        show.ended(show.unplayed(&show.planned[place], Verdict::Blocked, reason));
    }
    drop(open);
    if let Some(own) = own {
        own.stop().await?;
    }
    Ok(())
}

/// Waits until the CSMS takes a connection: one that has just been started needs a moment.
async fn reach(dialer: &Dialer, show: &Show<'_>) -> Result<(), String> {
    let clock = Clock::real();
    let until = clock.now() + REACH;
    let mut interrupt = show.interrupt.clone();
    loop {
        let dialled = tokio::select! {
            biased;
            by = signals::wait(&mut interrupt) => return Err(format!("broken off by {by}")),
            dialled = tokio::time::timeout(REACH, dialer.dial()) => dialled,
        };
        let why = match dialled {
            Ok(Ok(_)) => return Ok(()),
            // Who shows a certificate that is not trusted will show it again.
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(error.to_string());
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no connection within {} s", REACH.as_secs()),
        };
        let again = clock.now() + AGAIN;
        if again > until {
            return Err(why);
        }
        clock.until(again).await;
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one case, named once, in one place"
)]
async fn one(
    show: &Show<'_>,
    config: &Config,
    driver: &Driver,
    able: &[String],
    place: usize,
    dialer: Dialer,
    host: &str,
    share: &Share,
    office: Option<&Supervised>,
) -> CaseResult {
    let planned = &show.planned[place];
    let revived = match office {
        Some(office) => office.up(async || reach(&dialer, show).await).await,
        None => Ok(()),
    };
    if let Err(why) = revived {
        let reason = format!("the process of the CSMS has ended and does not come back: {why}");
        return show.unplayed(planned, Verdict::Error, reason);
    }
    let mut events = office.map(Supervised::listen);
    let edition = config.dut.edition;
    let Endpoint::Csms { target, .. } = &config.dut.endpoint else {
        return show.unplayed(planned, Verdict::Error, "no CSMS is under test".to_owned());
    };
    let facts = show.library.facts(edition.name());
    let requires = show
        .library
        .case(&planned.line.key.case)
        .and_then(|it| it.case.header.requires.as_ref());
    let chosen = values(&config.values, &config.timeouts, &config.tolerance, share);
    let mut all = defaults(facts);
    all.merge(&chosen);
    let Some(mut played) = player(edition, "station", &all) else {
        return show.unplayed(
            planned,
            Verdict::Error,
            format!("{} cannot be played yet", edition.name()),
        );
    };
    let manners = Manners {
        subprotocol: edition.subprotocol().to_owned(),
        identity: Some(share.identity.clone()),
        password: config
            .password(&share.identity)
            .map(|password| password.as_bytes().to_vec()),
        base_path: target.path.clone(),
        host: host.to_owned(),
        limits: Limits::default(),
    };
    let driver = driver.for_station(&share.identity);
    let mut lines = Lines::new(Source::Dial(dialer), manners, show.seed_of(&planned.line.key));
    let table = Table {
        lines: &mut lines,
        player: played.as_mut(),
        driver: &driver,
        clock: Clock::real(),
        key: planned.line.key.clone(),
        listener: None,
        interrupt: show.interrupt.clone(),
        process: events.as_mut(),
        files: Files::Made(Fetch::default()),
        meeting: None,
    };
    let start = Start {
        identity: share.identity.clone(),
        values: chosen,
        pics: codes_of(show.library, config, requires),
        driver: Some(able.to_vec()),
        ..Start::default()
    };
    let result = show.play(planned, start, table).await.result;
    lines.close_all(1000).await;
    result
}

/// The answers to the PICS questions for a case: what the profile says of the device, and what we are as a station.
pub(crate) fn codes(library: &Library, config: &Config, line: Line<'_>) -> BTreeMap<String, Json> {
    if line.role == "station" {
        return config.codes(library);
    }
    codes_of(library, config, line.loaded.case.header.requires.as_ref())
}

fn codes_of(library: &Library, config: &Config, requires: Option<&Requires>) -> BTreeMap<String, Json> {
    let facts = library.facts(config.dut.edition.name());
    let mut codes = played_pics(facts, requires.map(|requires| &requires.expr));
    // What the CSMS is like is for the profile to say; a case may ask it of us only, as the station.
    for (code, declared) in &facts.pics {
        if declared.of.as_deref() == Some(config.dut.role()) {
            codes.remove(code);
            codes.extend(declared.default.clone().map(|default| (code.clone(), default)));
        }
    }
    codes.extend(
        config
            .pics
            .iter()
            .map(|(code, answer)| (code.clone(), answer.clone())),
    );
    codes
}
