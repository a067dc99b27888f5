//! Station and CSMS together, on a paused clock, with a tap between them: every test asserts what went by.

#![expect(
    clippy::unwrap_used,
    reason = "a device that does not do what a test builds on fails that test"
)]

mod availability;
mod boot;
mod charging;
mod composite;
mod configuration;
mod diagnostics;
mod firmware;
mod handshake;
mod hostile;
mod local_list;
mod many;
mod metering;
mod offline;
mod operator;
mod power;
mod remote;
mod reservations;
mod robustness;
mod sessions;
mod shelf;
mod tcp;
mod walk;
mod world;
