//! What a station is made of, and how it is set up.

use std::time::Duration;

use plugfest_protocol::Timestamp;

use crate::defect::Defect;
use crate::slip::Slip;

/// The hardware and the optional features of a station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Makeup {
    /// How many connectors, at least 1. They are numbered from 1.
    pub connectors: u32,
    /// The cable hangs on the station and has no socket there; without it the driver brings the cable.
    pub fixed_cable: bool,
    /// The socket can hold the cable back. Never so with a fixed cable.
    pub lock: bool,
    /// Enough energy is stored to stop transactions and say so before the lights go out.
    pub battery_backup: bool,
    /// It has an authorization cache (OCPP 1.6 §3.5.1).
    pub auth_cache: bool,
    /// It has a local authorization list (OCPP 1.6 §3.5.2).
    pub local_list: bool,
    /// It may start transactions while there is no CSMS to ask (OCPP 1.6 §3.5.4).
    pub offline_start: bool,
    /// It has a reader for tokens.
    pub reader: bool,
    /// It understands `TriggerMessage` (OCPP 1.6 §5.17).
    pub remote_trigger: bool,
    /// What can be reserved there (OCPP 1.6 §5.13).
    pub reservations: Reservations,
    /// It can fetch new firmware and bring its diagnostics somewhere (OCPP 1.6 §5.9, §5.19).
    pub firmware: bool,
    /// Whether it takes charging profiles (OCPP 1.6 §5.16), and in which units.
    pub smart_charging: SmartCharging,
    /// How many phases it charges on: 1 or 3.
    pub phases: u8,
}

/// Which charging profiles a station takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmartCharging {
    /// None: it lacks the feature profile.
    Absent,
    /// Those that count in amperes.
    Current,
    /// Those that count in watts.
    Power,
    /// Those in amperes and those in watts.
    CurrentAndPower,
}

/// What can be reserved at a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservations {
    /// It lacks the feature profile: ReserveNow gets `NotSupported`.
    Absent,
    /// It understands ReserveNow, but is configured to accept none: `Rejected`. It does not claim the profile.
    Refused,
    /// A certain connector.
    Connector,
    /// A certain connector, or whichever is free (connector 0).
    Anywhere,
}

impl Reservations {
    /// Whether the station has the feature profile.
    pub const fn possible(self) -> bool {
        matches!(self, Self::Connector | Self::Anywhere)
    }
}

impl SmartCharging {
    /// Whether it takes profiles in amperes.
    pub const fn current(self) -> bool {
        matches!(self, Self::Current | Self::CurrentAndPower)
    }

    /// Whether it takes profiles in watts.
    pub const fn power(self) -> bool {
        matches!(self, Self::Power | Self::CurrentAndPower)
    }
}

impl Default for Makeup {
    fn default() -> Self {
        Self {
            connectors: 1,
            fixed_cable: false,
            lock: true,
            battery_backup: false,
            auth_cache: true,
            local_list: true,
            offline_start: true,
            reader: true,
            remote_trigger: true,
            reservations: Reservations::Anywhere,
            firmware: true,
            smart_charging: SmartCharging::CurrentAndPower,
            phases: 1,
        }
    }
}

impl Makeup {
    /// Whether the cable can be held back at the station.
    pub(crate) const fn locks(&self) -> bool {
        self.lock && !self.fixed_cable
    }
}

/// How long things take that no configuration key governs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// A CALL without an answer for this long has timed out (OCPP-J 1.6 §4.1.1).
    pub message_timeout: Duration,
    /// Wait before the first attempt to connect again; every failure doubles it.
    pub reconnect_shortest: Duration,
    /// The wait before an attempt to connect never exceeds this.
    pub reconnect_longest: Duration,
    /// Wait before BootNotification is repeated where the CSMS named no interval of its own.
    pub boot_retry: Duration,
    /// From power-on to the first attempt to connect.
    pub start_up: Duration,
    /// How long a power cycle leaves the station without power.
    pub power_off: Duration,
    /// How long the battery lasts after the power went.
    pub battery: Duration,
    /// How long a soft reset waits for the answers to its StopTransactions.
    pub soft_reset: Duration,
    /// The same for a hard reset; what is not answered by then is sent after the restart.
    pub hard_reset: Duration,
    /// How long the transfer of one file may take.
    pub transfer: Duration,
    /// Wait before a transfer is tried again where the CSMS named no interval of its own.
    pub transfer_pause: Duration,
    /// How long it takes to install firmware.
    pub install: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            message_timeout: Duration::from_secs(30),
            reconnect_shortest: Duration::from_secs(1),
            reconnect_longest: Duration::from_mins(1),
            boot_retry: Duration::from_secs(30),
            start_up: Duration::from_secs(1),
            power_off: Duration::from_secs(2),
            battery: Duration::from_secs(5),
            soft_reset: Duration::from_secs(30),
            hard_reset: Duration::from_secs(2),
            transfer: Duration::from_mins(5),
            transfer_pause: Duration::from_secs(10),
            install: Duration::from_secs(3),
        }
    }
}

/// Everything that a station is told before it is switched on.
#[derive(Clone)]
pub struct Config {
    /// The identity in the connection URL (OCPP-J 1.6 §3.1.1).
    pub identity: String,
    /// The path of the endpoint in front of the identity, such as `/ocpp`; may be empty.
    pub path: String,
    /// The authority for the `Host` header, such as `csms.example:8080`.
    pub host: String,
    /// What it is made of.
    pub makeup: Makeup,
    /// `chargePointVendor`, at most 20 characters.
    pub vendor: String,
    /// `chargePointModel`, at most 20 characters.
    pub model: String,
    /// Password for HTTP Basic authentication, 16 to 20 bytes by the standard; none where the header is not sent.
    pub password: Option<Vec<u8>>,
    /// Configuration keys that differ from the factory's values, checked as ChangeConfiguration would.
    /// Read-only keys cannot be given.
    pub settings: Vec<(String, String)>,
    /// `vendorId` for which DataTransfer is understood; its one message is `Echo`.
    pub data_transfer_vendor: String,
    /// Wall time when the station is created.
    pub start: Timestamp,
    /// Seed of everything random: message ids, jitter, first meter readings.
    pub seed: u64,
    /// Waits that no configuration key governs.
    pub timing: Timing,
    /// What is wrong with it: nothing, if it is to be a reference.
    pub defect: Option<Defect>,
    /// What goes wrong with its words or its memory: nothing, if it is to be a reference.
    pub slip: Option<Slip>,
}

impl Config {
    /// A plain station with one connector.
    pub fn new(identity: impl Into<String>, start: Timestamp) -> Self {
        Self {
            identity: identity.into(),
            path: "/ocpp".into(),
            host: "localhost".into(),
            makeup: Makeup::default(),
            vendor: "Plugfest".into(),
            model: "Reference Station".into(),
            password: None,
            settings: Vec::new(),
            data_transfer_vendor: "org.plugfest".into(),
            start,
            seed: 1,
            timing: Timing::default(),
            defect: None,
            slip: None,
        }
    }
}

// The password must not reach a log through `{:?}`.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("identity", &self.identity)
            .field("path", &self.path)
            .field("host", &self.host)
            .field("makeup", &self.makeup)
            .field("start", &self.start)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Why a station cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Connectors are numbered from 1 to at least 1, and there is a sane upper bound.
    #[error("makeup.connectors: {0} connectors cannot be built, give 1 to 64")]
    Connectors(u32),
    /// Mains have one phase or three.
    #[error("makeup.phases: a station charges on 1 or 3 phases, not on {0}")]
    Phases(u8),
    /// The identity makes no URL.
    #[error("identity: it is empty")]
    EmptyIdentity,
    /// Host and path make no URL.
    #[error("host, path: 'ws://{host}{path}' is no URL")]
    Url {
        /// The host as given.
        host: String,
        /// The path as given.
        path: String,
    },
    /// The endpoint is no `ws://` URL.
    #[error("url: '{url}' is no endpoint, give ws://host[:port]/path")]
    Endpoint {
        /// The URL as given.
        url: String,
    },
    /// A configuration key that this station does not have, or a value that ChangeConfiguration would reject.
    #[error("settings: key '{key}' does not take '{value}' on this station")]
    Setting {
        /// The key as given.
        key: String,
        /// The value as given.
        value: String,
    },
}
