//! The one place where Ctrl-C and SIGTERM are heard.

use std::time::Duration;

use tokio::sync::watch;

/// Signals that come within this of the first are the same wish.
const ONE_WISH: Duration = Duration::from_secs(1);

/// A channel that shows `Some("SIGINT")` or `Some("SIGTERM")` once the person, or the system, wants the run to end.
/// Must be called inside a runtime. The second signal ends the process at once.
pub(crate) fn interrupt() -> std::io::Result<watch::Receiver<Option<String>>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(hear(Signals::new()?, sender));
    Ok(receiver)
}

/// The same for a run that has runtimes of its own: the signals are heard in a thread that ends with the process.
pub(crate) fn into_channel(sender: watch::Sender<Option<String>>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    std::thread::spawn(move || runtime.block_on(hear(signals, sender)));
    Ok(())
}

async fn hear(mut signals: Signals, sender: watch::Sender<Option<String>>) {
    let first = signals.next().await;
    // What was said first counts; nobody listens where the run is over already.
    sender.send_if_modified(|by| {
        let new = by.is_none();
        if new {
            *by = Some(first.to_owned());
        }
        new
    });
    // One wish can come twice: many supervisors signal the process and its group.
    let swallow = async {
        loop {
            signals.next().await;
        }
    };
    let _elapsed = tokio::time::timeout(ONE_WISH, swallow).await;
    let second = signals.next().await;
    let code = plugfest_reports::exit::of_interruption(second).unwrap_or(plugfest_reports::exit::SIGINT);
    std::process::exit(code.into());
}

#[cfg(unix)]
struct Signals {
    int: tokio::signal::unix::Signal,
    term: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.int.recv() => "SIGINT",
            _ = self.term.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        // Without a console there is nothing to hear.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "SIGINT"
    }
}

/// Ends with the name of the signal when it comes.
pub(crate) async fn wait(interrupt: &mut watch::Receiver<Option<String>>) -> String {
    match interrupt.wait_for(Option::is_some).await {
        Ok(by) => by.clone().unwrap_or_default(),
        // Nobody listens for signals any more, so that none will come.
        Err(_) => std::future::pending().await,
    }
}
