//! The one clock of a run: instants from the runtime (which may be paused), wall time from the start of the run.

use std::time::Duration;

use plugfest_protocol::Timestamp;
use tokio::time::Instant;

/// Wall time that follows the runtime's clock. Copies agree with each other.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
    wall: Timestamp,
}

impl Clock {
    /// A clock that shows `wall` now. Must be called inside a runtime where time may be paused.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the file that reads the runtime's clock"
    )]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            start: Instant::now(),
            wall,
        }
    }

    /// A clock that shows the machine's wall time.
    pub fn real() -> Self {
        Self::starting_at(Self::real_now())
    }

    /// The machine's wall time, for names and reports; needs no runtime.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the file that reads the machine's clock"
    )]
    pub fn real_now() -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// The moment that in-memory runs begin at, so that they are the same every time: 2026-01-01T00:00:00Z.
    pub fn fixed_start() -> Timestamp {
        Timestamp::from_secs(1_767_225_600)
    }

    /// Now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the file that reads the runtime's clock"
    )]
    pub fn now(&self) -> Timestamp {
        self.wall + Instant::now().duration_since(self.start)
    }

    /// The runtime's instant at a moment; moments before the start are the start.
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.start + at.since(self.wall)
    }

    /// Ends when the moment is there: for deadlines, never for politeness. The runtime counts in milliseconds and
    /// rounds up, so the moment is over when this ends.
    pub async fn until(&self, at: Timestamp) {
        tokio::time::sleep_until(self.instant(at)).await;
    }
}
