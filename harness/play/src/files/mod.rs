//! File transfers over plain HTTP: the server that a station under test is sent to, and the fetching of a played one.

mod client;
mod server;
mod shelf;

pub use client::Fetch;
pub use server::FileServer;
pub use shelf::{Location, Shelf};

/// How file transfers are played.
#[derive(Debug)]
pub enum Files<'a> {
    /// Not at all: a transfer of ours ends where it begins.
    None,
    /// We serve them: the DUT is a station.
    Served(&'a mut FileServer),
    /// We make them: the DUT is the other side.
    Made(Fetch),
}
