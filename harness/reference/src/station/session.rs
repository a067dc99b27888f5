//! What happens at a connector, from the first sign of use to the last (OCPP 1.6 §4.8, §4.9, §4.10).

use std::time::Duration;

use plugfest_protocol::{Json, Timestamp, object};

use super::connector::{Connector, Phase, Trouble};
use super::device::Device;
use super::power::Power;
use super::queue::{About, Entry};
use super::transaction::{Permit, Transaction};
use crate::defect::Defect;
use crate::outcome::Outcome;

/// What is said of a suspension or a stop that came from the vehicle's side (§4.9).
const EV_SIDE: &str = "EV side disconnected";
const LOCK_FAILURE: &str = "ConnectorLockFailure";

/// Why a transaction ends (§7.36).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    DeAuthorized,
    EVDisconnected,
    HardReset,
    Local,
    Other,
    PowerLoss,
    Reboot,
    Remote,
    SoftReset,
    UnlockCommand,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::DeAuthorized => "DeAuthorized",
            Self::EVDisconnected => "EVDisconnected",
            Self::HardReset => "HardReset",
            Self::Local => "Local",
            Self::Other => "Other",
            Self::PowerLoss => "PowerLoss",
            Self::Reboot => "Reboot",
            Self::Remote => "Remote",
            Self::SoftReset => "SoftReset",
            Self::UnlockCommand => "UnlockCommand",
        }
    }
}

impl Device {
    pub(super) fn connection_timeout(&self) -> Duration {
        self.store
            .settings
            .interval("ConnectionTimeOut")
            .unwrap_or_default()
    }

    /// Whether sessions can begin at all: not while a reset is due or the power is failing.
    pub(super) fn serving(&self) -> bool {
        self.reset.is_none() && matches!(self.power, Power::On)
    }

    /// Whether a new user may begin at the connector.
    pub(super) fn welcomes(&self, number: usize) -> bool {
        let connector = &self.connectors[number - 1];
        let open = self.operative(number) && !self.store.scheduled[number] && !connector.faulted();
        let free = match &connector.phase {
            Phase::Idle | Phase::Finishing => connector.held_for.is_none(),
            Phase::Preparing { permit, .. } => permit.is_none(),
            Phase::Transaction(_) => false,
        };
        let stale = self.quirks.stale.contains(&number);
        open && free && self.serving() && !stale
    }

    /// Whether the next plug may come there: Finishing belongs to the one before (errata 3.20).
    pub(super) fn welcomes_next(&self, number: usize) -> bool {
        self.welcomes(number) && matches!(self.connectors[number - 1].phase, Phase::Idle)
    }

    /// The cable is put in, at the station and, unless `half`, at the vehicle.
    pub(super) fn plug(&mut self, number: usize, half: bool) {
        let connector = self.at(number);
        connector.socket = true;
        connector.vehicle |= !half;
        self.settle(number);
    }

    /// Looks at the cable anew: a plug that has come begins a session.
    pub(super) fn settle(&mut self, number: usize) {
        let fixed = self.config.makeup.fixed_cable;
        let operative = self.operative(number);
        let now = self.now;
        if !self.powered() {
            return;
        }
        let connector = &self.connectors[number - 1];
        let plugged = match connector.phase {
            Phase::Idle => operative && connector.occupied(fixed),
            _ => false,
        };
        let meant = self
            .floating
            .as_ref()
            .is_some_and(|floating| self.admits(number, &floating.permit));
        // What is kept for somebody else is not begun by a cable (G2 of §4.9).
        if plugged && (meant || !self.reserved(number)) {
            let floating = self.floating.take_if(|_| meant);
            let permit = floating.map(|floating| floating.permit);
            self.at(number).phase = Phase::Preparing { since: now, permit };
        }
        self.refresh(number);
        self.try_start(number);
    }

    /// The cable is taken off the vehicle. Outside a transaction the driver takes it along, if it is not held.
    pub(super) fn unplug(&mut self, number: usize) {
        let fixed = self.config.makeup.fixed_cable;
        let connector = self.at(number);
        let running = connector.transaction().is_some();
        if !fixed && !running && !connector.locked {
            connector.socket = false;
        }
        let was_on = std::mem::replace(&mut connector.vehicle, false);
        if running && was_on {
            connector.info = Some(EV_SIDE);
            if self.powered() && self.store.settings.flag("StopTransactionOnEVSideDisconnect") {
                self.disconnected(number);
            } else {
                self.refresh(number);
            }
        } else if !running {
            self.leave(number);
        }
    }

    /// The vehicle went while a transaction ran, and that ends it (§4.10).
    fn disconnected(&mut self, number: usize) {
        let unlock = self.store.settings.flag("UnlockConnectorOnEVSideDisconnect");
        let permit = self.connectors[number - 1]
            .transaction()
            .map(|transaction| transaction.permit.clone());
        self.end(number, Reason::EVDisconnected, None);
        // Shown as Finishing first, with the reason, also where nothing is left to be done.
        self.at(number).phase = Phase::Finishing;
        self.refresh(number);
        if unlock || !self.config.makeup.locks() {
            self.unlock(number);
        } else {
            self.at(number).held_for = permit;
        }
        self.leave(number);
    }

    /// The cable is pulled out of the station's socket.
    pub(super) fn unplug_at_evse(&mut self, number: usize) -> Outcome {
        if self.config.makeup.fixed_cable {
            return Outcome::Unsupported;
        }
        let connector = self.at(number);
        if !connector.socket {
            return Outcome::failed(format!("there is no cable in connector {number}"));
        }
        if connector.locked {
            return Outcome::failed(format!("connector {number} holds its cable locked"));
        }
        connector.socket = false;
        connector.vehicle = false;
        if self.runs(number) {
            self.end(number, Reason::EVDisconnected, None);
        }
        self.leave(number);
        Outcome::Done
    }

    /// Looks whether everybody is gone.
    fn leave(&mut self, number: usize) {
        let fixed = self.config.makeup.fixed_cable;
        if !self.powered() {
            return;
        }
        if !self.connectors[number - 1].occupied(fixed) {
            self.vacate(number);
        }
        self.refresh(number);
    }

    /// Nobody is left: whatever was scheduled for that moment happens.
    pub(super) fn vacate(&mut self, number: usize) {
        let was_preparing = matches!(self.connectors[number - 1].phase, Phase::Preparing { .. });
        let connector = self.at(number);
        connector.phase = Phase::Idle;
        connector.held_for = None;
        let glitch = self.store.scheduled[number] && self.has(Defect::CsAvailableGlitchScheduled);
        if was_preparing || glitch {
            // There is no way from Preparing to Unavailable but over Available (table of §4.9).
            self.refresh(number);
        }
        if std::mem::take(&mut self.store.scheduled[number]) {
            self.store.operative[number] = false;
        }
        let all_done = !self.store.scheduled.iter().skip(1).any(|scheduled| *scheduled);
        if self.store.scheduled[0] && all_done {
            self.store.scheduled[0] = false;
            self.store.operative[0] = false;
            self.refresh(0);
        }
    }

    /// What began here is called off: back to where it came from (B1), or to Finishing while a plug is left (B6).
    pub(super) fn cancel(&mut self, number: usize) {
        if self.connectors[number - 1].occupied(self.config.makeup.fixed_cable) {
            self.at(number).phase = Phase::Finishing;
        } else {
            self.vacate(number);
        }
        self.refresh(number);
    }

    /// Starts a transaction once token and plug are both there.
    pub(super) fn try_start(&mut self, number: usize) {
        let locks = self.config.makeup.locks();
        let serving = self.serving();
        let connector = self.at(number);
        let complete = connector.connected() && !connector.faulted() && serving;
        let Phase::Preparing {
            permit: Some(permit), ..
        } = &connector.phase
        else {
            return;
        };
        if !complete {
            return;
        }
        let permit = permit.clone();
        if locks && connector.lock_stuck {
            connector.trouble = Some(Trouble {
                code: LOCK_FAILURE.into(),
                warning: false,
            });
            self.refresh(number);
            return;
        }
        self.at(number).locked = locks;
        self.start(number, permit);
    }

    fn start(&mut self, number: usize, permit: Permit) {
        let (now, key) = (self.now, self.transaction_key());
        let connector = self.at(number);
        connector.meter.count(now);
        let register = connector.meter.watt_hours();
        let mut payload = object! {
            "connectorId": number as i64,
            "idTag": permit.tag.as_str(),
            "meterStart": register as i64,
            "timestamp": self.wall(now).to_rfc3339(),
        };
        let redeemed = self.redeem(number, &permit);
        if let (Some(reservation), Json::Object(members)) = (redeemed, &mut payload) {
            members.insert("reservationId", reservation);
        }
        let about = About::Start {
            connector: number as u32,
            tag: permit.tag.clone(),
        };
        let profile = permit.profile.clone();
        self.at(number).phase = Phase::Transaction(Box::new(Transaction::new(key, permit, register, now)));
        self.begin_charging(number, profile);
        self.begin_metering(number);
        if self.has(Defect::CsChargingBeforeStart) {
            self.refresh(number);
        }
        let order = self.order();
        self.store
            .queue
            .push(Entry::new(about, Some(key), None, payload, order));
        self.refresh(number);
        if redeemed.is_some() {
            self.review_reservations();
        }
    }

    /// Sends a StartTransaction again that has been answered, as a station with a defect does.
    pub(super) fn repeat_start(&mut self, key: u64, payload: Json) {
        let connector = payload.get("connectorId").and_then(Json::as_i64).unwrap_or(1);
        let tag = payload
            .get("idTag")
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned();
        let about = About::Start {
            connector: u32::try_from(connector).unwrap_or(1),
            tag,
        };
        let order = self.order();
        self.store
            .queue
            .push(Entry::new(about, Some(key), None, payload, order));
    }

    /// StartTransaction.conf came: the transaction has its name, and the CSMS has its say (errata 3.17).
    pub(super) fn started(&mut self, number: usize, transaction: Option<u64>, tag: &str, payload: &Json) {
        let (Some(key), Some(id)) = (transaction, payload.get("transactionId").and_then(Json::as_i64)) else {
            return;
        };
        // The payloads that wait were written when there was no id.
        if !self.has(Defect::CsOfflineMeterMinus1) {
            self.store.queue.name(key, id);
        }
        self.remember(tag, payload);
        let accepted = payload.pointer("/idTagInfo/status").and_then(Json::as_str) == Some("Accepted");
        let parent = payload
            .pointer("/idTagInfo/parentIdTag")
            .and_then(Json::as_str)
            .map(str::to_owned);
        let allowance = self.store.settings.number("MaxEnergyOnInvalidId");
        let now = self.now;
        let connector = self.at(number);
        connector.meter.count(now);
        let register = connector.meter.watt_hours();
        let Some(running) = connector.transaction_mut().filter(|running| running.key == key) else {
            return;
        };
        running.id = Some(id);
        if parent.is_some() {
            running.permit.parent = parent;
        }
        if !accepted {
            running.refused_at = Some(register.saturating_add(allowance));
            self.enforce_refusal(number);
        }
    }

    /// Ends the energy of a refused token, once MaxEnergyOnInvalidId has been delivered.
    fn enforce_refusal(&mut self, number: usize) {
        let stops = self.store.settings.flag("StopTransactionOnInvalidId");
        let now = self.now;
        let connector = self.at(number);
        connector.meter.count(now);
        let register = connector.meter.watt_hours();
        let Some(running) = connector.transaction_mut() else {
            return;
        };
        if running.suspended || running.refused_at.is_none_or(|limit| register < limit) {
            return;
        }
        if stops {
            let permit = running.permit.clone();
            self.end(number, Reason::DeAuthorized, None);
            // The cable stays locked until the same token, or one of its group, comes back (errata 3.5).
            if self.connectors[number - 1].locked {
                self.at(number).held_for = Some(permit);
            }
            self.leave(number);
        } else {
            running.suspended = true;
            self.refresh(number);
        }
    }

    /// Stops a transaction in the ordinary way: says so, and lets go of the cable (§4.10).
    pub(super) fn stop(&mut self, number: usize, reason: Reason, tag: Option<&str>) {
        self.end(number, reason, tag);
        self.unlock(number);
        self.leave(number);
    }

    /// Stops whatever runs.
    pub(super) fn stop_all(&mut self, reason: Reason) {
        for number in self.numbers() {
            if self.runs(number) {
                self.stop(number, reason, None);
            }
        }
    }

    /// Puts an end to the transaction and queues StopTransaction.
    fn end(&mut self, number: usize, reason: Reason, tag: Option<&str>) {
        let defect = self.config.defect;
        let restarts = matches!(
            reason,
            Reason::HardReset | Reason::PowerLoss | Reason::Reboot | Reason::SoftReset
        );
        if restarts && defect == Some(Defect::CsStaleTxBlocks) {
            self.quirks.stale.push(number);
        }
        let fixed = self.config.makeup.fixed_cable;
        let now = self.now;
        let data = self.end_metering(number);
        let wall = self.wall(now);
        let connector = self.at(number);
        connector.meter.flow(0, now);
        let register = connector.meter.watt_hours();
        if defect == Some(Defect::CsMeterstopEarly) {
            connector.meter.add(50);
        }
        let after = if connector.occupied(fixed) && defect != Some(Defect::CsNoFinishing) {
            Phase::Finishing
        } else {
            Phase::Idle
        };
        // Who asks for an end has made sure that something runs.
        let Phase::Transaction(transaction) = std::mem::replace(&mut connector.phase, after) else {
            return;
        };
        let mut payload = object! {
            "meterStop": register as i64,
            "timestamp": wall.to_rfc3339(),
            "reason": reason.as_str(),
        };
        if let Json::Object(members) = &mut payload {
            if let Some(tag) = tag {
                members.insert("idTag", tag);
            }
            if !data.is_empty() {
                members.insert("transactionData", data);
            }
        }
        self.end_charging(number);
        let about = About::Stop {
            tag: tag.map(str::to_owned),
        };
        if defect == Some(Defect::CsOfflineStopLost) && !self.online() {
            return;
        }
        let order = self.order();
        self.store.queue.push(Entry::new(
            about,
            Some(transaction.key),
            transaction.id,
            payload,
            order,
        ));
    }

    /// Tries to let go of the cable. A lock that does not move is told as a warning, for nothing else is wrong.
    fn unlock(&mut self, number: usize) -> bool {
        let connector = self.at(number);
        connector.held_for = None;
        if connector.locked && connector.lock_stuck {
            if connector.trouble.is_none() {
                connector.trouble = Some(Trouble {
                    code: LOCK_FAILURE.into(),
                    warning: true,
                });
            }
            return false;
        }
        connector.locked = false;
        true
    }

    /// The driver whose cable was held has come back.
    pub(super) fn release(&mut self, number: usize) {
        self.unlock(number);
        self.leave(number);
    }

    /// UnlockConnector (§5.18): the transaction ends first. False where the lock does not move.
    pub(super) fn unlock_command(&mut self, number: usize) -> bool {
        if self.runs(number) {
            self.end(number, Reason::UnlockCommand, None);
        }
        // An attempt on a lock that does not move fails, also where it holds nothing at the moment.
        let moved = self.unlock(number) && !self.connectors[number - 1].lock_stuck;
        self.leave(number);
        moved
    }

    /// The lock moves no more, or does again.
    pub(super) fn lock(&mut self, number: usize, stuck: bool) -> Outcome {
        if !self.config.makeup.locks() {
            return Outcome::Unsupported;
        }
        let connector = self.at(number);
        connector.lock_stuck = stuck;
        if !stuck {
            if connector
                .trouble
                .as_ref()
                .is_some_and(|trouble| trouble.code == LOCK_FAILURE)
            {
                connector.trouble = None;
            }
            if connector.transaction().is_none() && connector.held_for.is_none() {
                connector.locked = false;
            }
            self.mended(number);
        }
        Outcome::Done
    }

    /// Something about the connector works again: what waited for that goes on.
    pub(super) fn mended(&mut self, number: usize) {
        let now = self.now;
        if let Phase::Preparing { since, .. } = &mut self.at(number).phase {
            *since = now;
        }
        self.refresh(number);
        self.try_start(number);
    }

    /// When something is due at the connector by itself.
    pub(super) fn session_deadline(&self, connector: &Connector) -> Option<Timestamp> {
        match &connector.phase {
            Phase::Preparing { since, .. } if !connector.faulted() => {
                Some(since.plus(self.connection_timeout()))
            }
            Phase::Transaction(transaction) => {
                let refused = transaction.refused_at.filter(|_| !transaction.suspended);
                let limit = refused.and_then(|limit| connector.meter.reaches(limit));
                [transaction.sample_due, limit].into_iter().flatten().min()
            }
            _ => None,
        }
    }

    /// Time-outs of what was begun, and limits of what was refused.
    pub(super) fn sessions_pass(&mut self) {
        if self
            .floating
            .as_ref()
            .is_some_and(|floating| floating.until <= self.now)
        {
            self.floating = None;
        }
        for number in self.numbers() {
            let connector = &self.connectors[number - 1];
            match &connector.phase {
                Phase::Preparing { since, .. }
                    if !connector.faulted() && since.plus(self.connection_timeout()) <= self.now =>
                {
                    self.cancel(number);
                }
                Phase::Transaction(transaction) if transaction.refused_at.is_some() => {
                    self.enforce_refusal(number);
                }
                _ => {}
            }
        }
    }
}
