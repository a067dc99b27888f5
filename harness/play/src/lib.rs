//! Transports, players, driver and engine: everything that touches a device under test.

pub mod process;
pub mod transport;
pub mod wire;
