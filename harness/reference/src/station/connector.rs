//! One connector: the cable, the vehicle, the lock, the meter, and what is going on there (OCPP 1.6 §4.9).

use plugfest_protocol::Timestamp;

use super::meter::Meter;
use super::transaction::{Permit, Transaction};

/// A status of §7.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Available,
    Preparing,
    Charging,
    SuspendedEV,
    SuspendedEVSE,
    Finishing,
    Reserved,
    Unavailable,
    Faulted,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Preparing => "Preparing",
            Self::Charging => "Charging",
            Self::SuspendedEV => "SuspendedEV",
            Self::SuspendedEVSE => "SuspendedEVSE",
            Self::Finishing => "Finishing",
            Self::Reserved => "Reserved",
            Self::Unavailable => "Unavailable",
            Self::Faulted => "Faulted",
        }
    }
}

/// A fault or a warning that somebody injected, or that a broken lock caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// One of ChargePointErrorCode.
    pub(crate) code: String,
    /// A warning leaves the connector usable; anything else makes it Faulted.
    pub(crate) warning: bool,
}

/// What is going on at a connector.
#[derive(Debug, Default)]
pub(crate) enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// Somebody began: a plug, a token or a remote start came, but not yet all that it takes.
    Preparing {
        /// When it began (machine time); ConnectionTimeOut counts from here.
        since: Timestamp,
        /// Who may charge, once that is known.
        permit: Option<Permit>,
    },
    /// A transaction runs.
    Transaction(Box<Transaction>),
    /// It is over, but the cable is still there.
    Finishing,
}

/// One connector.
#[derive(Debug)]
pub(crate) struct Connector {
    /// The cable is in the socket of the station. Always so with a fixed cable.
    pub(crate) socket: bool,
    /// The cable is in the vehicle.
    pub(crate) vehicle: bool,
    /// The vehicle wants energy.
    pub(crate) ready: bool,
    /// How much it takes when it gets what it wants, in watts.
    pub(crate) draw: u64,
    /// How much a transaction there may take by the charging profiles, in watts, and on how many phases.
    pub(crate) offered: u64,
    pub(crate) phases: u64,
    /// The lock holds the cable in the socket.
    pub(crate) locked: bool,
    /// The lock does not move.
    pub(crate) lock_stuck: bool,
    /// Whose token opens the lock that a refused StartTransaction left shut (errata 3.5).
    pub(crate) held_for: Option<Permit>,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) meter: Meter,
    pub(crate) phase: Phase,
    /// Extra word for the next change of status.
    pub(crate) info: Option<&'static str>,
}

impl Connector {
    pub(crate) fn new(fixed_cable: bool, phases: u64, meter: Meter) -> Self {
        Self {
            socket: fixed_cable,
            vehicle: false,
            ready: true,
            draw: super::meter::WATTS * phases,
            offered: super::meter::WATTS * phases,
            phases,
            locked: false,
            lock_stuck: false,
            held_for: None,
            trouble: None,
            meter,
            phase: Phase::Idle,
            info: None,
        }
    }

    /// Somebody's plug is here, whole or half.
    pub(crate) const fn occupied(&self, fixed_cable: bool) -> bool {
        self.vehicle || (self.socket && !fixed_cable)
    }

    /// The vehicle hangs on the station.
    pub(crate) const fn connected(&self) -> bool {
        self.socket && self.vehicle
    }

    /// The vehicle would take energy now.
    pub(crate) const fn taking(&self) -> bool {
        self.connected() && self.ready && self.draw > 0
    }

    pub(crate) fn faulted(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| !trouble.warning)
    }

    pub(crate) const fn transaction(&self) -> Option<&Transaction> {
        match &self.phase {
            Phase::Transaction(transaction) => Some(transaction),
            _ => None,
        }
    }

    pub(crate) const fn transaction_mut(&mut self) -> Option<&mut Transaction> {
        match &mut self.phase {
            Phase::Transaction(transaction) => Some(transaction),
            _ => None,
        }
    }

    /// The status follows from everything else, so that a fault that is mended leads back to where it began.
    pub(crate) fn status(&self, operative: bool) -> Status {
        if self.faulted() {
            return Status::Faulted;
        }
        match &self.phase {
            Phase::Idle | Phase::Finishing if !operative => Status::Unavailable,
            Phase::Idle => Status::Available,
            Phase::Finishing => Status::Finishing,
            Phase::Preparing { .. } => Status::Preparing,
            // The station's own restriction comes first where both sides hold back (§4.9).
            Phase::Transaction(transaction) if transaction.suspended => Status::SuspendedEVSE,
            Phase::Transaction(_) if self.offered == 0 => Status::SuspendedEVSE,
            Phase::Transaction(_) if self.warned("EVCommunicationError") => Status::SuspendedEVSE,
            Phase::Transaction(_) if !self.taking() => Status::SuspendedEV,
            Phase::Transaction(_) => Status::Charging,
        }
    }

    fn warned(&self, code: &str) -> bool {
        self.trouble
            .as_ref()
            .is_some_and(|trouble| trouble.warning && trouble.code == code)
    }

    /// The power that flows now: only while Charging.
    pub(crate) fn power(&self, operative: bool) -> u64 {
        if self.status(operative) == Status::Charging {
            self.draw.min(self.offered)
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector() -> Connector {
        Connector::new(false, 1, Meter::reading(0, Timestamp::from_secs(0)))
    }

    fn charging() -> Connector {
        let mut connector = connector();
        connector.socket = true;
        connector.vehicle = true;
        connector.phase = Phase::Transaction(Box::new(Transaction::for_test("TAG")));
        connector
    }

    #[test]
    fn the_status_follows_from_the_state() {
        let mut connector = connector();
        assert_eq!(connector.status(true), Status::Available);
        assert_eq!(connector.status(false), Status::Unavailable);
        connector.phase = Phase::Finishing;
        assert_eq!(connector.status(true), Status::Finishing);
        assert_eq!(connector.status(false), Status::Unavailable);
    }

    #[test]
    fn the_stations_restriction_outranks_the_vehicles() {
        let mut connector = charging();
        assert_eq!(connector.status(true), Status::Charging);
        connector.ready = false;
        assert_eq!(connector.status(true), Status::SuspendedEV);
        connector.transaction_mut().unwrap().suspended = true;
        assert_eq!(connector.status(true), Status::SuspendedEVSE);
        assert_eq!(connector.power(true), 0);
    }

    #[test]
    fn a_mended_fault_leads_back() {
        let mut connector = charging();
        connector.trouble = Some(Trouble {
            code: "GroundFailure".into(),
            warning: false,
        });
        assert_eq!(connector.status(true), Status::Faulted);
        assert_eq!(connector.power(true), 0);
        connector.trouble = None;
        assert_eq!(connector.status(true), Status::Charging);
        assert_eq!(connector.power(true), super::super::meter::WATTS);
    }
}
