//! The recorded conversation: append-only events, and the ways in and out of other trace formats.

mod event;

pub use event::*;
