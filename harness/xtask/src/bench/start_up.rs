//! How long `plugfest list` takes from its start to its end, beside a process that does next to nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use plugfest_play::clock::Clock;

/// Builds the binary as it is shipped and says where it is.
pub(super) fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "plugfest",
        "--bin",
        "plugfest",
    ]);
    let status = command.current_dir(&root).status().context("cargo build")?;
    if !status.success() {
        bail!("plugfest did not build: {status}");
    }
    // This program runs from the same folder, wherever the target folder is.
    let own = std::env::current_exe().context("no path of this program")?;
    let built = own.with_file_name(format!("plugfest{}", std::env::consts::EXE_SUFFIX));
    if !built.is_file() {
        bail!("{} was not built", built.display());
    }
    Ok(built)
}

/// Milliseconds that it takes with these arguments.
pub(super) fn milliseconds(plugfest: &Path, arguments: &[&str]) -> Result<f64> {
    let mut command = Command::new(plugfest);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let began = Clock::real_now();
    let status = command.status().with_context(|| plugfest.display().to_string())?;
    let took = Clock::real_now().since(began);
    if !status.success() {
        bail!("plugfest {} ended with {status}", arguments.join(" "));
    }
    Ok(took.as_secs_f64() * 1000.0)
}
