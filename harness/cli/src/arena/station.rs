//! A station under test: it dials us, and the cases are played one after the other on whatever connection it holds.

use std::collections::BTreeMap;

use plugfest_case::verbs::VERBS;
use plugfest_judge::{CaseResult, RunEvent};
use plugfest_play::clock::Clock;
use plugfest_play::driver::{Driver, Support};
use plugfest_play::engine::Table;
use plugfest_play::files::{FileServer, Files, Shelf};
use plugfest_play::lines::{Lines, Manners, Source};
use plugfest_play::player::player;
use plugfest_play::premise::defaults;
use plugfest_play::transport::Listen;
use plugfest_play::wire::Limits;
use plugfest_protocol::{Json, Object};

use super::pools::Share;
use super::{Show, Start, values};
use crate::ask;
use crate::config::Config;

/// Plays all cases of a show. A station that never comes ends it after the first case.
pub(crate) async fn play(
    show: &Show<'_>,
    config: &Config,
    driver: &Driver,
    share: &Share,
) -> Result<(), String> {
    let edition = config.dut.edition;
    let acceptor = ask::listen(&config.dut.endpoint)?
        .bind()
        .await
        .map_err(|error| error.to_string())?;
    let manners = Manners {
        subprotocol: edition.subprotocol().to_owned(),
        identity: Some(share.identity.clone()),
        password: config
            .password(&share.identity)
            .map(|password| password.as_bytes().to_vec()),
        base_path: "/".to_owned(),
        host: String::new(),
        limits: Limits::default(),
    };
    let mut lines = Lines::new(Source::listening(acceptor), manners, show.seed);
    let (mut server, located) = files(config).await?;
    let chosen = values(&config.values, &config.timeouts, &config.tolerance, share);
    let mut all = defaults(show.library.facts(edition.name()));
    all.merge(&chosen);
    let mut played =
        player(edition, "csms", &all).ok_or_else(|| format!("{} cannot be played yet", edition.name()))?;
    let clock = Clock::real();
    let mut own = super::process(config).await?;
    let (able, codes) = (able(driver), config.codes(show.library));
    let mut facts = BTreeMap::new();
    let mut seen = false;
    for place in 0..show.planned.len() {
        if show.is_over() {
            break;
        }
        if show.passes_over(place) {
            continue;
        }
        let planned = &show.planned[place];
        show.begins(place);
        let table = Table {
            lines: &mut lines,
            player: played.as_mut(),
            driver,
            clock,
            key: planned.line.key.clone(),
            listener: None,
            interrupt: show.interrupt.clone(),
            process: own.as_mut().map(|(_, events)| events),
            files: server.as_mut().map_or(Files::None, Files::Served),
            meeting: None,
        };
        let start = Start {
            identity: share.identity.clone(),
            values: {
                let mut own = located.clone();
                let share = share.turned(&config.pools, place);
                let chosen = values(&config.values, &config.timeouts, &config.tolerance, &share);
                own.merge(&chosen);
                own
            },
            pics: codes.clone(),
            facts,
            driver: Some(able.clone()),
        };
        let one = show.play(planned, start, table).await;
        facts = one
            .outcome
            .map(|outcome| outcome.facts.all().clone())
            .unwrap_or_default();
        seen |= lines.newest().is_some() || one.result.conversation.iter().any(|row| row.kind == "open");
        if let Some((process, _)) = &own
            && has_ended(&one.result)
        {
            process.respawn().await.map_err(|error| error.to_string())?;
        }
        let visit = last_visit(&one.result);
        show.ended(one.result);
        if !seen {
            show.tell(RunEvent::Note {
                text: format!("the station has not connected; the run ends here{visit}"),
            });
            break;
        }
    }
    lines.close_all(1001).await;
    if let Some((process, _)) = own {
        process.stop().await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The file server of a run, and the `$` values that send a station to it.
async fn files(config: &Config) -> Result<(Option<FileServer>, Json), String> {
    let Some(at) = &config.files else {
        return Ok((None, Json::Object(Object::new())));
    };
    let firmware = at
        .firmware
        .as_ref()
        .map(|path| std::fs::read(path).map_err(|error| format!("the firmware {}: {error}", path.display())));
    let shelf = Shelf::new(firmware.transpose()?);
    let acceptor = Listen::Tcp(at.listen)
        .bind()
        .await
        .map_err(|error| format!("the file server: {error}"))?;
    let bound = acceptor.local_address().unwrap_or(at.listen);
    let url = at.url.clone().unwrap_or_else(|| format!("http://{bound}"));
    let located = Shelf::values(&url);
    Ok((Some(FileServer::new(acceptor, url, shelf)), located))
}

/// The verbs that a driver can do, or may be able to.
pub(crate) fn able(driver: &Driver) -> Vec<String> {
    let can = |verb: &&str| driver.supports(verb) != Support::No;
    VERBS
        .iter()
        .map(|verb| verb.name)
        .filter(can)
        .map(str::to_owned)
        .collect()
}

/// What came of the last attempt to connect, as the end of a sentence; empty where there was none.
fn last_visit(result: &CaseResult) -> String {
    let mut rows = result.conversation.iter().rev();
    let refused = rows.find(|row| row.kind == "refused");
    refused.map_or_else(String::new, |row| {
        format!("; its last attempt: {}", row.text.trim_start_matches(": "))
    })
}

/// Whether the last thing that was seen of the device's process is its end.
fn has_ended(result: &CaseResult) -> bool {
    let mut rows = result
        .conversation
        .iter()
        .rev()
        .filter(|row| row.kind == "process");
    rows.find(|row| row.name == "started" || row.name == "exited")
        .is_some_and(|row| row.name == "exited")
}
