//! Transports, players, driver and engine: everything that touches a device under test.

pub mod clock;
pub mod driver;
pub mod engine;
pub mod files;
pub mod lines;
mod ocpp16;
pub mod player;
pub mod premise;
pub mod process;
pub mod prove;
pub mod selfplay;
pub mod suite;
pub mod transport;
pub mod wire;
