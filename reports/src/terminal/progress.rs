//! The bar: which case of how many, what it waits for, how long still.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar on standard error.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    /// How long the wait that is shown may take.
    limit: Arc<Mutex<Option<Duration>>>,
}

impl Bar {
    /// `ticking`: redraw while nothing happens, so that the time left goes down.
    pub(super) fn new(cases: u64, ticking: bool) -> Self {
        let limit: Arc<Mutex<Option<Duration>>> = Arc::default();
        let shared = Arc::clone(&limit);
        let left = move |state: &ProgressState, out: &mut dyn fmt::Write| {
            let limit = *shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(limit) = limit {
                let left = limit.saturating_sub(state.elapsed()).as_secs();
                // A bar that cannot be drawn is no loss.
                let _ = write!(out, ", {left} s left");
            }
        };
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {wide_msg}{left}")
            .expect("the template is a constant that was tried in a test")
            .with_key("left", left);
        let bar = ProgressBar::with_draw_target(Some(cases), ProgressDrawTarget::stderr()).with_style(style);
        if ticking {
            bar.enable_steady_tick(Duration::from_millis(500));
        }
        Self { bar, limit }
    }

    pub(super) fn case(&self, key: &str) {
        self.limit(None);
        self.bar.set_message(key.to_owned());
    }

    pub(super) fn waiting(&self, key: &str, what: &str, left: Option<Duration>) {
        self.limit(left);
        self.bar.set_message(format!("{key}: waits for {what}"));
    }

    pub(super) fn done(&self, n: u64) {
        self.limit(None);
        self.bar.set_position(n);
    }

    /// Writes lines above the bar.
    pub(super) fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    pub(super) fn end(self) {
        self.bar.finish_and_clear();
    }

    fn limit(&self, limit: Option<Duration>) {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner) = limit;
        self.bar.reset_elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_legal_and_nothing_is_drawn_where_there_is_no_terminal() {
        let bar = Bar::new(3, false);
        bar.case("a (station)");
        bar.waiting("a (station)", "Heartbeat", Some(Duration::from_secs(9)));
        bar.done(1);
        assert_eq!(bar.above(|| 7), 7);
        assert_eq!(bar.bar.position(), 1);
        bar.end();
    }
}
