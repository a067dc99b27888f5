//! The peers that others wrote: a client and a server of a library, as its guide shows them, in processes of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The folder of the peers.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers")
}

/// Installs what the peers need; does nothing where that has been done.
pub(super) fn install() -> Result<()> {
    let mut command = Command::new(folder().join("install"));
    let status = command
        .args(["python", "node"])
        .status()
        .context("harness/peers/install")?;
    if !status.success() {
        bail!(
            "harness/peers/install failed ({status}): the peers need python3 and npm; --without-peers leaves them out"
        );
    }
    Ok(())
}

/// What a peer says of itself.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// Library and version.
    pub(super) peer: String,
    /// So many a second.
    pub(super) rate: f64,
}

/// Round trips a second of a pair on PyPI's `ocpp`.
pub(super) fn python_pair(round_trips: u64) -> Result<Said> {
    let mut command = python()?;
    command
        .arg(folder().join("bench/ocpp_pair.py"))
        .arg(round_trips.to_string());
    ask(command, "round_trips_per_s")
}

/// Round trips a second of a pair on npm's `ocpp-rpc`.
pub(super) fn node_pair(round_trips: u64) -> Result<Said> {
    let mut command = Command::new("node");
    command
        .arg(folder().join("bench/ocpp_rpc_pair.js"))
        .arg(round_trips.to_string());
    ask(command, "round_trips_per_s")
}

/// Payloads a second that PyPI's `ocpp` validates; `file` holds one `[action, part, payload]` a line.
pub(super) fn python_validation(file: &Path, payloads: u64) -> Result<Said> {
    let mut command = python()?;
    let script = folder().join("bench/ocpp_validate.py");
    command
        .arg(script)
        .arg(payloads.to_string())
        .arg("--file")
        .arg(file);
    ask(command, "payloads_per_s")
}

fn python() -> Result<Command> {
    let installed = std::env::var_os("PLUGFEST_PEERS_TARGET")
        .map_or_else(|| folder().join("../../target/peers"), PathBuf::from)
        .join("venv/bin/python");
    if !installed.is_file() {
        bail!(
            "{} is not there: run harness/peers/install python",
            installed.display()
        );
    }
    Ok(Command::new(installed))
}

fn ask(mut command: Command, rate: &str) -> Result<Said> {
    let name = format!("{command:?}");
    let output = command.output().with_context(|| name.clone())?;
    if !output.status.success() {
        bail!(
            "{name}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let said: Value = serde_json::from_slice(&output.stdout).with_context(|| name.clone())?;
    let peer = said["peer"]
        .as_str()
        .with_context(|| format!("{name} does not say who it is"))?;
    let rate = said[rate]
        .as_f64()
        .with_context(|| format!("{name} gives no {rate}"))?;
    Ok(Said {
        peer: peer.to_owned(),
        rate,
    })
}
