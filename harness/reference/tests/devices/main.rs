//! Station and CSMS together, on a paused clock, with a tap between them: every test asserts what went by.

mod sessions;
mod world;
