//! The reference station: an OCPP 1.6J charge point of the Core profile, with hands that a driver can move.

mod authorize;
mod boot;
mod charging;
mod config;
mod config_keys;
mod connector;
mod device;
mod diagnostics;
mod firmware;
mod hands;
mod line;
mod meter;
mod metering;
mod notices;
mod outgoing;
mod power;
mod profile;
mod queue;
mod requests;
mod reservation;
mod run;
mod schedule;
mod session;
mod transaction;
mod transfer;

pub use config::{Config, ConfigError, Makeup, Reservations, SmartCharging, Timing};
pub use profile::{MAX_STACK_LEVEL, MOST_PERIODS, MOST_PROFILES};
pub use run::{Controls, Station};
