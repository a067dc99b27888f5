//! The reference station and CSMS: small, honest, conformant devices to test against.
//!
//! They speak OCPP 1.6J (edition 2 with its errata): the Core profile in full, and the others where the station's
//! make-up has them. Every other action of the standard gets `NotSupported`, an unknown one `NotImplemented`. They stand on `tokio-tungstenite` and share the facts of
//! `plugfest-protocol` with the harness, but none of its players, rules or cases: that is what makes them worth
//! asking.
//!
//! # A station
//!
//! [`station::Station::new`] takes a [`station::Config`] (identity, make-up, start of the clock, seed, …) and
//! something that [`Dial`]s; it gives a station to [`run`](station::Station::run) and the
//! [`Controls`](station::Controls) of its hands. [`tcp::station`] makes one for a `ws://` URL.
//!
//! | verb | arguments | what happens |
//! |---|---|---|
//! | `ev.plug` | `connector`, `ready` (true) | cable into station and vehicle |
//! | `ev.plug_half` | `connector` | cable into the station only; unsupported with a fixed cable |
//! | `ev.unplug` | `connector` | cable off the vehicle; outside a transaction the driver takes it along if it is not locked |
//! | `ev.unplug_at_evse` | `connector` | cable out of the socket; fails while locked, unsupported with a fixed cable |
//! | `ev.ready`, `ev.resume`, `ev.suspend` | `connector` | the vehicle wants energy, or does not |
//! | `ev.draw` | `connector`, `power` (7360 W) | how much it takes |
//! | `token.present` | `token`, `connector` (whichever is meant) | a token at the reader; with nothing plugged and none named, the next plug gets it |
//! | `user.stop` | `connector` | the stop button |
//! | `lock.fail`, `lock.clear` | `connector` | the lock is stuck, or free again |
//! | `fault.inject` | `connector` (0 is the station), `code` (`InternalError`) | a ChargePointErrorCode; three of them are warnings |
//! | `fault.clear` | `connector` | it is over |
//! | `net.down`, `net.up` | | the network cable |
//! | `meter.read` | `connector` | the register in Wh, a number |
//! | `station.stop`, `station.start`, `station.power_cycle` | | the mains; a battery gives time for StopTransaction |
//! | `station.factory_reset`, `station.set_password` | `password` | |
//!
//! Connectors count from 1, which is also what an absent `connector` means. Transactions end with a power cut
//! and with every reset; configuration, availability, cache, local list, reservations, charging profiles, a firmware
//! update and unsent transaction messages survive.
//!
//! Files are transferred over HTTP, by `PUT` and `GET`, over what [`station::Station::transferring`] is given. A
//! firmware image is good if its first line is `plugfest firmware`.
//!
//! # A CSMS
//!
//! [`csms::Csms::new`] opens a back office; [`serve_connection`](csms::Csms::serve_connection) serves one byte
//! stream, [`tcp::serve`] a listener. The operator is asked by [`perform`](csms::Csms::perform).
//!
//! # Defects
//!
//! Both devices can be given one [`defect`] of a real product, or one [`slip`] that nobody listed: `Config::defect` and
//! `Config::slip`. Without either they are clean.
//!
//! # Time
//!
//! All time is the runtime's, so everything runs on a paused clock. Wall time starts where the configuration
//! says; the station then follows the `currentTime` that its CSMS gives.

mod clock;
pub mod control;
pub mod csms;
pub mod defect;
mod link;
mod outcome;
mod rpc;
pub mod slip;
pub mod station;
mod stream;
mod tap;
pub mod tcp;

pub use outcome::Outcome;
pub use stream::{BoxStream, ByteStream, Dial, Route};
