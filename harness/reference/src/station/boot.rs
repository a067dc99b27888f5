//! BootNotification and Heartbeat (OCPP 1.6 §4.2, §4.6).

use std::time::Duration;

use plugfest_protocol::{Json, object};

use super::config_keys::Change;
use super::device::{Device, Registration};
use super::outgoing::{Outgoing, Purpose};
use crate::defect::Defect;

/// The longest wait that a CSMS may impose; more is taken as this.
const LONGEST_WAIT: i64 = 7 * 24 * 3600;
/// The interval of a station that takes 0 for one.
const FLOOD: Duration = Duration::from_millis(100);

impl Device {
    /// Sends BootNotification and Heartbeat when they are due.
    pub(super) fn boot_passes(&mut self) {
        if !self.line.is_up() {
            return;
        }
        if self.boot_due.is_some_and(|moment| moment <= self.now) {
            self.boot_due = None;
            self.say_boot();
        }
        if self.heartbeat_due.is_some_and(|moment| moment <= self.now) {
            self.plan_heartbeat();
            if !self.is_saying(|purpose| matches!(purpose, Purpose::Heartbeat)) {
                let early = self.has(Defect::CsHeartbeatInPending);
                let heartbeat = if early { Outgoing::triggered } else { Outgoing::new };
                self.post(heartbeat(Purpose::Heartbeat, Json::empty()));
            }
        }
    }

    pub(super) fn say_boot(&mut self) {
        if self.is_saying(|purpose| matches!(purpose, Purpose::Boot)) {
            return;
        }
        let payload = object! {
            "chargePointVendor": self.config.vendor.as_str(),
            "chargePointModel": self.config.model.as_str(),
            "chargePointSerialNumber": self.config.identity.chars().take(25).collect::<String>(),
            "firmwareVersion": self.store.firmware.as_str(),
        };
        self.post(Outgoing::triggered(Purpose::Boot, payload));
    }

    /// The next Heartbeat, a whole interval from now.
    pub(super) fn plan_heartbeat(&mut self) {
        let interval = self.store.settings.interval("HeartbeatInterval");
        let early = self.has(Defect::CsHeartbeatInPending) && self.registration == Registration::Pending;
        self.heartbeat_due = interval
            .map(|interval| match self.config.defect {
                // Each of the timers fires at the interval.
                Some(Defect::CsHeartbeatTimerLeak) => interval / (1 + self.quirks.timers),
                Some(Defect::CsHeartbeatFloodZero) if self.quirks.jammed => FLOOD,
                _ => interval,
            })
            .filter(|_| early || self.online())
            .map(|interval| self.now.plus(interval));
    }

    /// BootNotification.conf came.
    pub(super) fn booted(&mut self, payload: &Json) {
        let interval = payload
            .get("interval")
            .and_then(Json::as_i64)
            .unwrap_or(0)
            .min(LONGEST_WAIT);
        let status = payload.get("status").and_then(Json::as_str);
        let retry = match u64::try_from(interval) {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            // The station chooses a wait of its own (§4.2).
            _ => self.config.timing.boot_retry,
        };
        match status {
            Some("Accepted") => self.accepted(interval, payload),
            Some("Pending") => {
                self.registration = Registration::Pending;
                self.boot_due = match self.config.defect {
                    Some(Defect::CsNoRetryAfterPending) => None,
                    Some(Defect::CsBootRepeatInPending) => Some(self.now.plus(Duration::from_secs(1))),
                    _ => Some(self.now.plus(retry)),
                };
                self.plan_heartbeat();
                if self.has(Defect::CsSendsBeforeAccepted) {
                    self.tell_all();
                }
            }
            Some("Rejected") => {
                self.registration = Registration::Rejected;
                self.boot_due = Some(self.now.plus(retry));
            }
            // No answer that the standard knows: ask again.
            _ => self.boot_due = Some(self.now.plus(self.config.timing.boot_retry)),
        }
    }

    fn accepted(&mut self, interval: i64, payload: &Json) {
        self.registration = Registration::Accepted;
        self.store.accepted_before = true;
        self.boot_due = None;
        self.follow_clock(payload);
        // An interval of zero or less leaves the configured one: it must not become a flood.
        self.quirks.jammed |= interval == 0 && self.has(Defect::CsHeartbeatFloodZero);
        if interval > 0 && !self.has(Defect::CsHeartbeatIntervalIgnored) {
            let changed = self
                .store
                .settings
                .change("HeartbeatInterval", &interval.to_string());
            debug_assert_eq!(changed, Change::Accepted);
        }
        self.plan_heartbeat();
        self.plan_ping();
        self.tell_all();
        self.tell_installed();
        if self.has(Defect::CsStatusDuplicate) {
            self.tell_all();
        }
        if let Some(hard) = self.quirks.again.take() {
            self.begin_reset(hard);
        }
    }
}
