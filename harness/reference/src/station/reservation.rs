//! Reservations (OCPP 1.6 §5.1, §5.13): who has reserved what, until when, and who is refused because of it.

use plugfest_protocol::{Json, Timestamp};

use super::config::Reservations;
use super::connector::Phase;
use super::device::Device;
use super::transaction::Permit;
use crate::defect::Defect;

/// A reservation as ReserveNow asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reservation {
    id: i64,
    /// The connector, from 1; 0 where one is to be kept, whichever it is.
    connector: usize,
    tag: String,
    /// A group that may use it as well.
    parent: Option<String>,
    /// When it ends (wall time).
    expiry: Timestamp,
}

impl Reservation {
    fn read(request: &Json, connector: usize) -> Option<Self> {
        let text = |field: &str| request.get(field).and_then(Json::as_str);
        Some(Self {
            id: request.get("reservationId").and_then(Json::as_i64)?,
            connector,
            tag: text("idTag")?.to_owned(),
            parent: text("parentIdTag").map(str::to_owned),
            expiry: Timestamp::parse(text("expiryDate")?).ok()?,
        })
    }

    /// Its token, or one of its group.
    fn is_for(&self, permit: &Permit) -> bool {
        permit.is_for(&self.tag) || permit.shares_group(self.parent.as_deref())
    }
}

impl Device {
    /// ReserveNow: the status of its answer.
    pub(super) fn reserve_now(&mut self, request: &Json) -> &'static str {
        let asked = request.get("connectorId").and_then(Json::as_i64);
        let connector = match (self.config.makeup.reservations, asked) {
            (Reservations::Absent | Reservations::Refused, _) => return "Rejected",
            (Reservations::Anywhere, Some(0)) => Some(0),
            (_, asked) => asked.and_then(|asked| self.known_number(asked)),
        };
        let Some(new) = connector.and_then(|connector| Reservation::read(request, connector)) else {
            return "Rejected";
        };
        // What has ended before it begins keeps nothing for anybody.
        if new.expiry <= self.wall(self.now) {
            return "Rejected";
        }
        // The one that it replaces is not in its own way.
        let old = self
            .store
            .reservations
            .iter()
            .position(|it| it.id == new.id)
            .map(|at| self.store.reservations.remove(at));
        let hindrance = match new.connector {
            0 => self.none_to_keep(),
            number => self.cannot_be_reserved(number),
        };
        let status = if let Some(hindrance) = hindrance {
            self.store.reservations.extend(old);
            hindrance
        } else {
            self.store.reservations.push(new);
            "Accepted"
        };
        self.review_reservations();
        status
    }

    /// CancelReservation: the status of its answer.
    pub(super) fn cancel_reservation(&mut self, request: &Json) -> &'static str {
        // What was read back after the restart is not in the table that is searched.
        if self.quirks.restarted && self.has(Defect::CsCancelAfterRebootRejected) {
            return "Rejected";
        }
        let id = request.get("reservationId").and_then(Json::as_i64);
        let known = self.store.reservations.len();
        self.store.reservations.retain(|it| Some(it.id) != id);
        if self.store.reservations.len() == known {
            return "Rejected";
        }
        self.review_reservations();
        "Accepted"
    }

    /// Why a connector cannot be reserved, in the words of ReservationStatus.
    fn cannot_be_reserved(&self, number: usize) -> Option<&'static str> {
        let connector = &self.connectors[number - 1];
        let idle = matches!(connector.phase, Phase::Idle);
        if self.station_faulted() || connector.faulted() {
            Some("Faulted")
        } else if !self.operative(number) || self.store.scheduled[number] || !self.serving() {
            Some("Unavailable")
        } else if !idle || self.reserved_as_such(number).is_some() {
            Some("Occupied")
        } else {
            // The last free one may be promised to somebody who reserved any.
            (self.free_connectors() <= self.promised()).then_some("Occupied")
        }
    }

    /// Why no connector can be kept free for another reservation of any.
    fn none_to_keep(&self) -> Option<&'static str> {
        if self.station_faulted() {
            return Some("Faulted");
        }
        if self.free_connectors() > self.promised() && self.serving() {
            return None;
        }
        let hindrances = || self.numbers().map(|number| self.cannot_be_reserved(number));
        if hindrances().all(|it| it == Some("Faulted")) {
            return Some("Faulted");
        }
        let idle_for_good = |it| matches!(it, Some("Faulted" | "Unavailable"));
        if hindrances().all(idle_for_good) {
            return Some("Unavailable");
        }
        Some("Occupied")
    }

    fn station_faulted(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| !trouble.warning)
    }

    /// The reservation of just this connector.
    fn reserved_as_such(&self, number: usize) -> Option<&Reservation> {
        self.store.reservations.iter().find(|it| it.connector == number)
    }

    /// How many connectors are promised without saying which.
    fn promised(&self) -> usize {
        self.store
            .reservations
            .iter()
            .filter(|it| it.connector == 0)
            .count()
    }

    /// How many connectors anybody could use, were it not for promises.
    fn free_connectors(&self) -> usize {
        let free = |number: &usize| {
            let connector = &self.connectors[number - 1];
            matches!(connector.phase, Phase::Idle)
                && self.operative(*number)
                && !self.store.scheduled[*number]
                && !connector.faulted()
                && self.reserved_as_such(*number).is_none()
        };
        self.numbers().filter(free).count()
    }

    /// Whether a connector where nothing goes on is kept for somebody: for itself, or because no more are free
    /// than are promised.
    pub(super) fn reserved(&self, number: usize) -> bool {
        if self.store.reservations.is_empty() {
            return false;
        }
        let promised = self.promised();
        self.reserved_as_such(number).is_some() || (promised > 0 && self.free_connectors() <= promised)
    }

    /// Whether reservations leave this connector to that token.
    pub(super) fn admits(&self, number: usize, permit: &Permit) -> bool {
        if let Some(reservation) = self.reserved_as_such(number) {
            return reservation.is_for(permit);
        }
        let promised = self.promised();
        let own = |it: &Reservation| it.connector == 0 && it.is_for(permit);
        if promised == 0 || self.store.reservations.iter().any(own) {
            return true;
        }
        let taken = usize::from(matches!(self.connectors[number - 1].phase, Phase::Idle));
        self.free_connectors() >= promised + taken
    }

    /// The same while the group of the token may not be known yet: then the CSMS has to be asked for it (§5.13).
    pub(super) fn may_admit(&self, number: usize, tag: &str) -> bool {
        let known = self.acquaintance(tag);
        let stranger = known.is_none();
        let permit = known.unwrap_or_else(|| Permit::new(tag.to_owned(), None));
        if self.admits(number, &permit) {
            return true;
        }
        let grouped = |it: &Reservation| matches!(it.connector, 0) || it.connector == number;
        let mut relevant = self.store.reservations.iter().filter(|it| grouped(it));
        stranger && relevant.any(|it| it.parent.is_some())
    }

    /// The connector that is reserved, as such, for this token.
    pub(super) fn reserved_for(&self, is_for: impl Fn(&Permit) -> bool) -> Option<usize> {
        let own = self.store.reservations.iter().filter(|it| it.connector > 0);
        own.filter(|it| {
            let holder = Permit::new(it.tag.clone(), it.parent.clone());
            is_for(&holder)
        })
        .map(|it| it.connector)
        .find(|number| self.welcomes(*number))
    }

    /// A transaction starts: the reservation that it uses up, if any (§5.13).
    pub(super) fn redeem(&mut self, number: usize, permit: &Permit) -> Option<i64> {
        let usable =
            |connector: usize| move |it: &&Reservation| it.connector == connector && it.is_for(permit);
        let reservations = &self.store.reservations;
        let used = reservations
            .iter()
            .find(usable(number))
            .or_else(|| reservations.iter().find(usable(0)))?;
        let (id, kept) = (used.id, used.connector == 0 && self.has(Defect::CsReserved0Stuck));
        self.store.reservations.retain(|it| it.id != id || kept);
        Some(id)
    }

    /// Ends what has expired, and what a fault or unavailability ends.
    pub(super) fn reservations_pass(&mut self) {
        if self.store.reservations.is_empty() {
            return;
        }
        let wall = self.wall(self.now);
        let serves = |number: usize| self.operative(number) && !self.connectors[number - 1].faulted();
        let any = self.store.operative[0] && self.numbers().any(serves);
        let lasts = |it: &Reservation| {
            let place = if it.connector == 0 {
                any
            } else {
                serves(it.connector)
            };
            (it.expiry > wall || self.has(Defect::CsReservationNeverExpires))
                && place
                && !self.station_faulted()
        };
        let kept: Vec<Reservation> = self
            .store
            .reservations
            .iter()
            .filter(|it| lasts(it))
            .cloned()
            .collect();
        self.store.reservations = kept;
        self.review_reservations();
    }

    /// When the next one expires (machine time).
    pub(super) fn reservation_deadline(&self) -> Option<Timestamp> {
        if self.has(Defect::CsReservationNeverExpires) {
            return None;
        }
        let next = self.store.reservations.iter().map(|it| it.expiry).min()?;
        Some(self.machine(next))
    }

    /// Shows what is reserved now. A cable that waited in a connector may begin a session after all.
    pub(super) fn review_reservations(&mut self) {
        for number in self.numbers() {
            // First the status of the connector itself, so that a reservation is seen to end.
            self.refresh(number);
            if matches!(self.connectors[number - 1].phase, Phase::Idle) {
                self.settle(number);
            }
        }
    }
}
