//! The device's own process while several cases talk to it: each hears what it does, and it is started again before the
//! next case when it has ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plugfest_play::process::{Process, ProcessEvent};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What is kept for a case that does not listen yet, or that does not keep up.
const MOST_KEPT: usize = 1024;

/// A supervised process with any number of listeners.
#[derive(Debug)]
pub(super) struct Supervised {
    process: Process,
    heard: Arc<Mutex<Heard>>,
    /// One case at a time may start it again.
    starting: tokio::sync::Mutex<()>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    /// It ended although nobody had asked for it.
    ended: bool,
    /// What happened while no case listened: it belongs to the next one.
    kept: VecDeque<ProcessEvent>,
    listeners: Vec<mpsc::Sender<ProcessEvent>>,
}

impl Supervised {
    /// Watches a process that runs.
    pub(super) fn new(process: Process, mut events: mpsc::Receiver<ProcessEvent>) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let ear = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                lock(&ear).take(event);
            }
        });
        Self {
            process,
            heard,
            starting: tokio::sync::Mutex::new(()),
            task,
        }
    }

    /// Hears what the process does from now on, and what nobody has heard yet.
    pub(super) fn listen(&self) -> mpsc::Receiver<ProcessEvent> {
        let (listener, events) = mpsc::channel(2 * MOST_KEPT);
        let mut heard = lock(&self.heard);
        for event in std::mem::take(&mut heard.kept) {
            // There is room for twice as many.
            drop(listener.try_send(event));
        }
        heard.listeners.push(listener);
        events
    }

    /// Starts the process again if it has ended, and waits until `reached` says that it can be talked to.
    pub(super) async fn up(&self, reached: impl AsyncFnOnce() -> Result<(), String>) -> Result<(), String> {
        let _alone = self.starting.lock().await;
        if !lock(&self.heard).ended {
            return Ok(());
        }
        self.process.respawn().await.map_err(|error| error.to_string())?;
        lock(&self.heard).ended = false;
        reached().await
    }

    /// Stops the process.
    pub(super) async fn stop(self) -> Result<(), String> {
        let stopped = self.process.stop().await.map_err(|error| error.to_string());
        self.task.abort();
        stopped
    }
}

impl Heard {
    fn take(&mut self, event: ProcessEvent) {
        self.ended |= matches!(&event, ProcessEvent::Exited(exit) if !exit.asked);
        // A case that is over has hung up; one that does not keep up loses lines, of which there are enough.
        self.listeners.retain(|listener| !listener.is_closed());
        if self.listeners.is_empty() && self.kept.len() < MOST_KEPT {
            self.kept.push_back(event);
            return;
        }
        for listener in &self.listeners {
            drop(listener.try_send(event.clone()));
        }
    }
}

/// Nothing that holds the lock can panic, so that what it guards is whole.
fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use plugfest_play::process::Exit;

    use super::*;

    fn line(text: &str) -> ProcessEvent {
        ProcessEvent::Stderr {
            line: text.to_owned(),
        }
    }

    #[test]
    fn what_nobody_heard_belongs_to_the_next_case_and_the_rest_to_all() {
        let mut heard = Heard::default();
        heard.take(line("before"));
        let (one, mut of_one) = mpsc::channel(9);
        let (two, mut of_two) = mpsc::channel(9);
        heard.listeners.extend([one, two]);
        heard.take(line("both"));
        assert_eq!(heard.kept, [line("before")]);
        assert_eq!(of_one.try_recv(), Ok(line("both")));
        assert_eq!(of_two.try_recv(), Ok(line("both")));
        drop((of_one, of_two));
        heard.take(line("after"));
        assert_eq!(heard.kept, [line("before"), line("after")]);
    }

    #[test]
    fn only_an_end_that_nobody_asked_for_is_mended() {
        let mut heard = Heard::default();
        let exit = |asked| {
            ProcessEvent::Exited(Exit {
                code: None,
                signal: Some(9),
                asked,
            })
        };
        heard.take(exit(true));
        assert!(!heard.ended);
        heard.take(exit(false));
        assert!(heard.ended);
    }
}
