//! The one place where Ctrl-C and SIGTERM are heard.

use tokio::sync::watch;

/// A channel that shows `Some("SIGINT")` or `Some("SIGTERM")` once the person, or the system, wants the run to end.
/// Must be called inside a runtime. The second signal ends the process at once.
pub(crate) fn interrupt() -> std::io::Result<watch::Receiver<Option<String>>> {
    let (sender, receiver) = watch::channel(None);
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        let first = signals.next().await;
        // Nobody listens where the run is over already.
        let _nobody = sender.send(Some(first.to_owned()));
        let second = signals.next().await;
        let code = plugfest_reports::exit::of_interruption(second).unwrap_or(plugfest_reports::exit::SIGINT);
        std::process::exit(code.into());
    });
    Ok(receiver)
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
