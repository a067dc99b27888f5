//! The devices' clock: elapsed time of the runtime, counted from a start that the configuration gives.

use std::time::Duration;

use plugfest_protocol::Timestamp;
use tokio::time::Instant;

/// Machine time of a device. It only ever runs forwards; what a device believes the wall time to be is this
/// plus a correction of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Timestamp,
    origin: Instant,
}

impl Clock {
    /// A clock that shows `start` now.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the devices read the runtime's clock"
    )]
    pub(crate) fn starting(start: Timestamp) -> Self {
        Self {
            start,
            origin: Instant::now(),
        }
    }

    /// Machine time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.start.plus(self.origin.elapsed())
    }

    /// Waits until machine time has reached `moment`, and at least a millisecond where it already has, so that
    /// a deadline that nobody consumes can never become a busy loop.
    pub(crate) async fn until(&self, moment: Timestamp) {
        let earliest = self.now().plus(Duration::from_millis(1));
        let wait = moment.max(earliest).since(self.start);
        tokio::time::sleep_until(self.origin + wait).await;
    }
}
