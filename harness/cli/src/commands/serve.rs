//! `plugfest serve`: a reference device on its own, with hands that JSON lines on standard input move.

use std::io::{self, Write as _};
use std::time::Duration;

use plugfest_play::clock::Clock;
use plugfest_protocol::Role;
use plugfest_reference::csms::{self, Csms, Tag};
use plugfest_reference::defect::{self, Defect};
use plugfest_reference::{control, station, tcp};
use plugfest_reports::exit;
use tokio::net::TcpListener;

use crate::args::{CsmsDevice, Device, StationDevice};
use crate::failure::Failure;
use crate::out::Out;
use crate::signals;

pub(super) fn run(device: &Device, out: &mut Out) -> Result<u8, Failure> {
    // A blocked read of standard input must not keep the process: the runtime is left behind and not waited for.
    let runtime = super::runtime()?;
    let code = runtime.block_on(async {
        match device {
            Device::Csms(device) => serve_csms(device, out).await,
            Device::Station(device) => serve_station(device).await,
        }
    });
    runtime.shutdown_background();
    code
}

async fn serve_station(device: &StationDevice) -> Result<u8, Failure> {
    let mut config = station::Config::new(&device.identity, Clock::real().now());
    config.seed = device.seed;
    config.defect = defect(device.defect.as_deref(), Role::STATION)?;
    config.makeup.connectors = device.connectors;
    config.makeup.fixed_cable = device.fixed_cable;
    config.makeup.battery_backup = device.battery;
    for setting in &device.settings {
        let (key, value) = setting.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--set: `{setting}` has no `=`")).hint("write --set HeartbeatInterval=60")
        })?;
        config.settings.push((key.to_owned(), value.to_owned()));
    }
    if let Some(variable) = &device.password_env {
        let missing = |_| {
            Failure::usage(format!(
                "--password-env: the environment variable {variable} is not set"
            ))
        };
        config.password = Some(std::env::var(variable).map_err(missing)?.into_bytes());
    }
    let (station, controls) =
        tcp::station(config, &device.url).map_err(|error| Failure::usage(error.to_string()))?;
    let hands = async {
        if device.detached {
            std::future::pending::<()>().await;
        }
        let perform = async |verb: &str, args: &plugfest_protocol::Json| controls.perform(verb, args).await;
        control::serve_lines(tokio::io::stdin(), tokio::io::stdout(), perform).await
    };
    until_the_end(station.run(), hands).await
}

async fn serve_csms(device: &CsmsDevice, out: &mut Out) -> Result<u8, Failure> {
    let mut config = csms::Config::new(Clock::real().now());
    config.heartbeat_interval = Duration::from_secs(device.heartbeat);
    config.tags = tags(&device.tags);
    config.defect = defect(device.defect.as_deref(), Role::CSMS)?;
    let unusable = |error| Failure::undecided(format!("{} cannot be listened at: {error}", device.listen));
    let listener = TcpListener::bind(device.listen).await.map_err(unusable)?;
    let port = listener.local_addr().map_err(unusable)?.port();
    writeln!(out, "{{\"listening\": {port}}}")?;
    out.flush()?;
    let csms = Csms::new(config);
    let operator = async {
        if device.detached {
            std::future::pending::<()>().await;
        }
        let perform = async |verb: &str, args: &plugfest_protocol::Json| csms.perform(verb, args).await;
        control::serve_lines(tokio::io::stdin(), tokio::io::stdout(), perform).await
    };
    let office = tcp::serve(csms.clone(), listener);
    until_the_end(async { office.await.map_or_else(|_| (), |()| ()) }, operator).await
}

/// The defect of that id, where this side can have it.
fn defect(id: Option<&str>, role: Role) -> Result<Option<Defect>, Failure> {
    let Some(id) = id else { return Ok(None) };
    let known = defect::row(id)
        .filter(|row| row.is_of(role))
        .and_then(defect::Row::defect);
    let unknown = || {
        Failure::usage(format!("--defect: a {} cannot be given `{id}`", role.as_str()))
            .hint("plugfest mutants --list names what can be")
    };
    known.map(Some).ok_or_else(unknown)
}

/// The tokens of the office, by the names that `plugfest init` writes.
fn tags(accepted: &[String]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = accepted.iter().map(Tag::accepted).collect();
    if tags.is_empty() {
        tags.extend((1..=32).map(|n| Tag::accepted(format!("VALID-{n}"))));
    }
    for (id, status, parent) in [
        ("BLOCKED-1", "Blocked", None),
        ("EXPIRED-1", "Expired", None),
        ("GROUP-1", "Accepted", Some("GROUP")),
        ("GROUP-2", "Accepted", Some("GROUP")),
    ] {
        let (status, parent) = (status.to_owned(), parent.map(str::to_owned));
        tags.push(Tag {
            status,
            parent,
            ..Tag::accepted(id)
        });
    }
    tags
}

/// Until the input ends, the device ends, or a signal comes.
async fn until_the_end(
    device: impl Future<Output = ()>,
    control: impl Future<Output = io::Result<()>>,
) -> Result<u8, Failure> {
    let mut interrupt = signals::interrupt()?;
    tokio::select! {
        () = device => Err(Failure::undecided("the device stopped by itself")),
        ended = control => {
            ended?;
            Ok(exit::OK)
        }
        by = signals::wait(&mut interrupt) => Ok(exit::of_interruption(&by).unwrap_or(exit::SIGINT)),
    }
}
