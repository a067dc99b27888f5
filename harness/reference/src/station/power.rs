//! Power and resets (OCPP 1.6 §5.14): what is stopped, what is kept, and how the station comes back.

use std::time::Duration;

use plugfest_protocol::Timestamp;

use super::connector::Phase;
use super::device::{Device, Registration};
use super::line::Line;
use super::queue::About;
use super::session::Reason;
use crate::defect::Defect;
use crate::outcome::Outcome;
use crate::slip::Moment;

/// Whether there is power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    On,
    /// The mains are gone, the battery still feeds the controller; afterwards it is off for so long, or for good.
    Fading {
        until: Timestamp,
        off_for: Option<Duration>,
    },
    Off {
        back_at: Option<Timestamp>,
    },
    /// Power is there, the controller starts up.
    Starting {
        until: Timestamp,
    },
}

impl Power {
    pub(super) const fn deadline(self) -> Option<Timestamp> {
        match self {
            Self::On => None,
            Self::Fading { until, .. } | Self::Starting { until } => Some(until),
            Self::Off { back_at } => back_at,
        }
    }
}

/// A reset that has been accepted and waits for its StopTransactions to be answered.
pub(super) struct Reset {
    pub(super) until: Timestamp,
    pub(super) hard: bool,
}

impl Device {
    /// Moves on between the states of the power.
    pub(super) fn power_passes(&mut self) {
        match self.power {
            Power::Fading { until, off_for } if until <= self.now || self.nothing_to_say() => {
                self.darken(off_for);
            }
            Power::Off {
                back_at: Some(moment),
            } if moment <= self.now => self.switch_on(),
            Power::Starting { until } if until <= self.now => self.come_up(),
            _ => {}
        }
        let dark = matches!(self.power, Power::Off { .. });
        let bright = matches!(self.power, Power::Starting { .. } | Power::On);
        if let Some((for_darkness, waiter)) = self.waiting.take() {
            if if for_darkness { dark } else { bright } {
                // Who asked may have gone meanwhile.
                let _gone = waiter.send(Outcome::Done);
            } else {
                self.waiting = Some((for_darkness, waiter));
            }
        }
    }

    pub(super) fn nothing_to_say(&self) -> bool {
        let heard_out = self.store.queue.is_empty() && self.outbox.is_empty() && self.in_flight.is_none();
        heard_out || !self.online()
    }

    /// The mains fail. With a battery, running transactions are stopped and reported before the end.
    pub(super) fn cut_power(&mut self, off_for: Option<Duration>) {
        if matches!(self.power, Power::Off { .. } | Power::Fading { .. }) {
            return;
        }
        if self.powered() {
            self.stop_all(match self.config.defect {
                Some(Defect::CsPowerlossWrongReason) => Reason::DeAuthorized,
                _ => Reason::PowerLoss,
            });
        }
        if self.config.makeup.battery_backup && self.powered() {
            self.power = Power::Fading {
                until: self.now.plus(self.config.timing.battery),
                off_for,
            };
        } else {
            self.darken(off_for);
        }
    }

    fn darken(&mut self, off_for: Option<Duration>) {
        self.forget();
        self.hang_up(None);
        self.power = Power::Off {
            back_at: off_for.map(|wait| self.now.plus(wait)),
        };
    }

    /// Power comes back.
    pub(super) fn switch_on(&mut self) {
        if matches!(self.power, Power::Off { .. }) {
            self.power = Power::Starting {
                until: self.now.plus(self.config.timing.start_up),
            };
        }
    }

    /// The controller has started: it looks at its connectors and contacts the CSMS.
    fn come_up(&mut self) {
        self.power = Power::On;
        self.log("started");
        self.resume_update();
        self.failures = 0;
        self.boot_due = Some(self.now);
        self.line = Line::Down {
            dial_at: (!self.unplugged).then_some(self.now),
        };
        let fixed = self.config.makeup.fixed_cable;
        for number in self.numbers() {
            // A plug that came or went in the dark is noticed now.
            if self.connectors[number - 1].occupied(fixed) {
                self.settle(number);
            } else {
                self.vacate(number);
            }
        }
        self.refresh_all();
        self.plan_aligned();
    }

    /// A Reset has been accepted: transactions end, then the station restarts.
    pub(super) fn begin_reset(&mut self, hard: bool) {
        if self.has(Defect::CsUnavailableOnReset) {
            (1..=self.connectors.len()).for_each(|number| self.claim_unavailable(number));
        }
        let (reason, limit) = if hard && !self.has(Defect::CsResetTypesSame) {
            (Reason::HardReset, self.config.timing.hard_reset)
        } else {
            (Reason::SoftReset, self.config.timing.soft_reset)
        };
        self.floating = None;
        self.stop_all(reason);
        self.reset = Some(Reset {
            until: self.now.plus(limit),
            hard,
        });
    }

    /// Restarts once all has been said, or when there is no more time for it; what is unsaid is queued (errata 3.36).
    pub(super) fn reset_passes(&mut self) {
        let due = self
            .reset
            .as_ref()
            .is_some_and(|reset| reset.until <= self.now || self.nothing_to_say());
        if due {
            self.forget();
            self.say_goodbye();
            self.power = Power::Starting {
                until: self.now.plus(self.config.timing.start_up),
            };
        }
    }

    /// Restarts at once, as after a factory reset.
    pub(super) fn restart(&mut self) {
        self.stop_all(Reason::Reboot);
        self.forget();
        self.say_goodbye();
        self.power = Power::Starting {
            until: self.now.plus(self.config.timing.start_up),
        };
    }

    /// What was only in working memory is gone.
    fn forget(&mut self) {
        self.quirks.restarted = true;
        if self.has(Defect::CsAvailabilityNotPersistent) {
            self.store.operative.fill(true);
        }
        if self.has(Defect::CsOfflineStartLost) {
            self.store
                .queue
                .lose(|entry| matches!(entry.about, About::Start { .. }));
        }
        self.slip_memory(Moment::Restart);
        self.registration = Registration::Unknown;
        self.boot_due = None;
        self.heartbeat_due = None;
        self.ping_due = None;
        self.aligned_due = None;
        self.reset = None;
        self.floating = None;
        self.outbox.clear();
        self.in_flight = None;
        self.transfers.leave();
        self.upload = None;
        for notices in &mut self.notices {
            *notices = super::notices::Notices::default();
        }
        for connector in &mut self.connectors {
            if matches!(connector.phase, Phase::Preparing { .. }) {
                connector.phase = Phase::Idle;
            }
        }
    }
}
