//! The reference CSMS: one back office for many OCPP 1.6J stations, with an operator who can be asked.

mod conclusions;
mod config;
mod connection;
mod handshake;
mod lists;
mod office;
mod requests;
mod reservations;
mod server;

pub use config::{Config, KnownStation, Registration, Tag};
pub use server::Csms;
