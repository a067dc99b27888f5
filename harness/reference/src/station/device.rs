//! The station's controller: everything it knows, and what it does when time passes.
//!
//! All of it is synchronous: the shell in `run.rs` tells it what was heard, what hands did and that time has
//! passed, and it answers by changing itself and by queueing what is to be said.

use std::collections::VecDeque;
use std::time::Duration;

use plugfest_protocol::{Edition, Json, Timestamp};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;

use super::authorize::{Cache, LocalList};
use super::config::Config;
use super::config_keys::Settings;
use super::connector::{Connector, Trouble};
use super::diagnostics::{Log, Upload};
use super::firmware::Update;
use super::line::Line;
use super::meter::Meter;
use super::notices::Notices;
use super::outgoing::{InFlight, Outgoing};
use super::power::{Power, Reset};
use super::profile::Profile;
use super::queue::Queue;
use super::reservation::Reservation;
use super::transaction::Permit;
use super::transfer::{Transferred, Transfers};
use crate::clock::Clock;
use crate::defect::Defect;
use crate::outcome::Outcome;
use crate::rpc::Answered;
use crate::slip::{Memory, Moment, Slip};
use crate::stream::{Dial, Nowhere, Route};
use crate::tap::Tap;

/// What survives a reset and a power cut.
pub(super) struct Store {
    pub(super) settings: Settings,
    /// Availability of the station (0) and of each connector (OCPP 1.6 §5.2: persistent).
    pub(super) operative: Vec<bool>,
    /// To become inoperative as soon as what goes on there is over.
    pub(super) scheduled: Vec<bool>,
    pub(super) queue: Queue,
    pub(super) cache: Cache,
    pub(super) list: LocalList,
    pub(super) reservations: Vec<Reservation>,
    /// Charging profiles; those of transactions end with them (errata 3.37).
    pub(super) profiles: Vec<Profile>,
    /// A CSMS has accepted this station before: it may charge while offline (§4.2.1).
    pub(super) accepted_before: bool,
    pub(super) password: Option<Vec<u8>>,
    /// The version of the firmware that runs.
    pub(super) firmware: String,
    pub(super) update: Option<Update>,
    pub(super) log: Log,
}

/// What the CSMS thinks of the station since it booted (§4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registration {
    /// BootNotification has not been answered yet.
    Unknown,
    Pending,
    Rejected,
    Accepted,
}

/// A token that came before any plug, at a station where it may be any connector's.
pub(super) struct Floating {
    pub(super) permit: Permit,
    pub(super) until: Timestamp,
}

/// The controller.
pub(super) struct Device {
    pub(super) config: Config,
    pub(super) edition: &'static Edition,
    pub(super) dialler: Box<dyn Dial>,
    /// The way to file servers.
    pub(super) route: Box<dyn Route>,
    pub(super) transfers: Transfers,
    pub(super) upload: Option<Upload>,
    pub(super) clock: Clock,
    /// Machine time of what is being dealt with.
    pub(super) now: Timestamp,
    /// Wall time minus machine time, in microseconds.
    pub(super) offset: i64,
    pub(super) rng: ChaCha8Rng,
    id_prefix: u32,
    next_id: u64,
    next_transaction: u64,
    next_order: u64,
    pub(super) store: Store,
    pub(super) power: Power,
    /// Who waits for the power to have gone or to have come back.
    pub(super) waiting: Option<(bool, oneshot::Sender<Outcome>)>,
    pub(super) reset: Option<Reset>,
    /// The network cable is pulled.
    pub(super) unplugged: bool,
    pub(super) line: Line,
    /// Attempts to connect that failed in a row.
    pub(super) failures: u32,
    /// What this connection's CALLs were answered with.
    pub(super) answered: Answered,
    pub(super) registration: Registration,
    pub(super) boot_due: Option<Timestamp>,
    pub(super) heartbeat_due: Option<Timestamp>,
    pub(super) ping_due: Option<Timestamp>,
    pub(super) pong_missing: bool,
    pub(super) aligned_due: Option<Timestamp>,
    pub(super) connectors: Vec<Connector>,
    /// Trouble of the station itself, connector 0.
    pub(super) trouble: Option<Trouble>,
    pub(super) notices: Vec<Notices>,
    pub(super) floating: Option<Floating>,
    pub(super) outbox: VecDeque<Outgoing>,
    pub(super) in_flight: Option<InFlight>,
    /// Where its words go out.
    pub(super) tap: Tap,
    /// What a device with a defect remembers for it.
    pub(super) quirks: Quirks,
}

/// What only a device with a defect remembers.
#[derive(Debug, Default)]
pub(super) struct Quirks {
    /// The StartTransaction that was answered last.
    pub(super) last_start: Option<(u64, Json)>,
    /// How many heartbeat timers run beside the first.
    pub(super) timers: u32,
    /// Nothing is said any more.
    pub(super) jammed: bool,
    /// It has restarted since it was built.
    pub(super) restarted: bool,
    /// The last status of a job that it told: firmware, and diagnostics.
    pub(super) last_job: [Option<String>; 2],
    /// How often something has happened.
    pub(super) count: u32,
    /// An operation whose answer may have been lost: a reset, hard or not.
    pub(super) again: Option<bool>,
    /// Connectors that a transaction of before the restart still holds.
    pub(super) stale: Vec<usize>,
}

impl Device {
    /// A station fresh from the factory, with the power on.
    pub(super) fn new(config: Config, settings: Settings, dialler: Box<dyn Dial>) -> Self {
        let clock = Clock::starting(config.start);
        let now = clock.now();
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let connectors = (1..=config.makeup.connectors)
            .map(|_| {
                let first_reading = rng.random_range(1_000..1_000_000);
                Connector::new(
                    config.makeup.fixed_cable,
                    u64::from(config.makeup.phases),
                    Meter::reading(first_reading, now),
                )
            })
            .collect::<Vec<_>>();
        // Ids must never come again under one identity (J errata 3.1): another start gives another prefix.
        let start = config.start.as_micros();
        let id_prefix = rng.next_u32() ^ (start as u32) ^ ((start >> 32) as u32);
        let points = connectors.len() + 1;
        let store = Store {
            settings,
            operative: vec![true; points],
            scheduled: vec![false; points],
            queue: Queue::default(),
            cache: Cache::default(),
            list: LocalList::default(),
            reservations: Vec::new(),
            profiles: Vec::new(),
            accepted_before: false,
            password: config.password.clone(),
            firmware: env!("CARGO_PKG_VERSION").to_owned(),
            update: None,
            log: Log::default(),
        };
        let power = Power::Starting {
            until: now.plus(config.timing.start_up),
        };
        Self {
            edition: Edition::ocpp16(),
            dialler,
            route: Box::new(Nowhere),
            transfers: Transfers::default(),
            upload: None,
            clock,
            now,
            offset: 0,
            rng,
            id_prefix,
            next_id: 0,
            next_transaction: 0,
            next_order: 0,
            store,
            power,
            waiting: None,
            reset: None,
            unplugged: false,
            line: Line::Down { dial_at: None },
            failures: 0,
            answered: Answered::default(),
            registration: Registration::Unknown,
            boot_due: None,
            heartbeat_due: None,
            ping_due: None,
            pong_missing: false,
            aligned_due: None,
            connectors,
            trouble: None,
            notices: vec![Notices::default(); points],
            floating: None,
            outbox: VecDeque::new(),
            in_flight: None,
            tap: Tap::new(config.defect, config.slip.clone()),
            quirks: Quirks::default(),
            config,
        }
    }

    /// Whether it has been given that defect.
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.config.defect == Some(defect)
    }

    /// Forgets what a slip makes it forget at such a moment.
    pub(super) fn slip_memory(&mut self, when: Moment) {
        let Some(Slip::Forgets { what, when: own }) = self.config.slip else {
            return;
        };
        if own != when {
            return;
        }
        match what {
            Memory::Configuration => {
                self.store.settings = Settings::factory(&self.config.makeup).with_defect(self.config.defect);
            }
            Memory::Availability => self.store.operative.fill(true),
            Memory::ScheduledAvailability => self.store.scheduled.fill(false),
            Memory::Cache => self.store.cache = Cache::default(),
            Memory::LocalList => self.store.list = LocalList::default(),
            Memory::Queue => self.store.queue = Queue::default(),
            Memory::Register => {
                let now = self.now;
                for connector in &mut self.connectors {
                    let watts = connector.meter.watts();
                    connector.meter = Meter::reading(0, now);
                    connector.meter.flow(watts, now);
                }
            }
            Memory::TransactionIds => {
                for connector in &mut self.connectors {
                    if let Some(running) = connector.transaction_mut() {
                        running.id = None;
                    }
                }
            }
            Memory::Statuses => self.notices.fill(Notices::default()),
        }
    }

    /// It has crashed: the line is dead, and nobody restarts it.
    pub(super) fn crash(&mut self) {
        self.hang_up(None);
        self.power = Power::Off { back_at: None };
    }

    /// Deals with everything that is due, then says what can be said.
    pub(super) fn advance(&mut self) {
        self.now = self.clock.now();
        self.power_passes();
        if self.powered() {
            self.line_passes();
            self.calls_pass();
            self.boot_passes();
            self.reservations_pass();
            self.sessions_pass();
            self.charging_pass();
            self.meters_pass();
            self.firmware_pass();
            self.diagnostics_pass();
            self.notices_pass();
            self.tap_passes();
            self.speak();
            self.reset_passes();
        }
    }

    /// When the next thing is due.
    pub(super) fn deadline(&self) -> Timestamp {
        let idle = self.now.plus(Duration::from_hours(1));
        let mut soonest = idle;
        let mut at =
            |moment: Option<Timestamp>| soonest = moment.map_or(soonest, |moment| moment.min(soonest));
        at(self.power.deadline());
        if self.powered() {
            at(self.line.deadline());
            at(self.in_flight.as_ref().map(|flying| flying.deadline));
            at(self.reset.as_ref().map(|reset| reset.until));
            if self.line.is_up() {
                at(self.boot_due);
                at(self.heartbeat_due);
                at(self.ping_due);
                at(self.store.queue.waits_until().filter(|moment| *moment > self.now));
            }
            at(self.aligned_due);
            at(self.reservation_deadline());
            at(self.charging_deadline());
            at(self.firmware_deadline());
            at(self.diagnostics_deadline());
            at(self.tap.due());
            at(self.floating.as_ref().map(|floating| floating.until));
            for notices in &self.notices {
                at(notices.due);
            }
            for connector in &self.connectors {
                at(self.session_deadline(connector));
            }
        }
        // Whatever is due has been dealt with by `advance`; else the shell would spin.
        debug_assert!(
            soonest > self.now,
            "something is due at {soonest} and nobody deals with it"
        );
        soonest
    }

    /// The controller runs.
    pub(super) const fn powered(&self) -> bool {
        matches!(self.power, Power::On | Power::Fading { .. })
    }

    /// The CSMS can be asked, and answers.
    pub(super) fn online(&self) -> bool {
        self.line.is_up() && self.registration() == Registration::Accepted
    }

    /// What the station takes itself to be, when it is about to say something.
    pub(super) fn registration(&self) -> Registration {
        // One word of the answer is not looked at: that there is one counts as acceptance.
        if self.registration == Registration::Pending && self.has(Defect::CsSendsBeforeAccepted) {
            return Registration::Accepted;
        }
        self.registration
    }

    /// Wall time as the station believes it to be.
    pub(super) fn wall(&self, machine: Timestamp) -> Timestamp {
        Timestamp::from_micros(machine.as_micros().saturating_add(self.offset))
    }

    /// Machine time of a wall time.
    pub(super) fn machine(&self, wall: Timestamp) -> Timestamp {
        Timestamp::from_micros(wall.as_micros().saturating_sub(self.offset))
    }

    /// Whether a connector may be used at all.
    pub(super) fn operative(&self, number: usize) -> bool {
        self.store.operative[number] && !self.closed_for_update()
    }

    /// A file has been transferred, or has not.
    pub(super) fn transferred(&mut self, ended: Transferred) {
        match ended {
            Transferred::Fetched(image) => self.firmware_fetched(image),
            Transferred::Brought(ended) => self.diagnostics_brought(ended),
        }
    }

    /// Follows the clock of the CSMS (§4.2, §4.6). Less than a second is transmission time.
    pub(super) fn set_clock(&mut self, current: Timestamp) {
        if self.wall(self.now).distance(current) > Duration::from_secs(1) {
            self.offset = current.as_micros().saturating_sub(self.now.as_micros());
            self.plan_aligned();
        }
    }

    pub(super) fn message_id(&mut self) -> String {
        self.next_id += 1;
        format!("{:08x}-{}", self.id_prefix, self.next_id)
    }

    pub(super) const fn transaction_key(&mut self) -> u64 {
        self.next_transaction += 1;
        self.next_transaction
    }

    /// The place of the next message among all others.
    pub(super) const fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// A connector by its number, from 1.
    pub(super) fn at(&mut self, connector: usize) -> &mut Connector {
        // Numbers are checked against the make-up where they come in, by `known_number`.
        &mut self.connectors[connector - 1]
    }

    /// The number as an index, where this station has such a connector.
    pub(super) fn known_number(&self, connector: i64) -> Option<usize> {
        usize::try_from(connector)
            .ok()
            .filter(|number| (1..=self.connectors.len()).contains(number))
    }

    /// The numbers of all connectors, from 1.
    pub(super) fn numbers(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.connectors.len()
    }
}
