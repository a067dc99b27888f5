//! The reports of one run with every verdict: letter by letter, and read back by independent consumers.
#![expect(
    clippy::unwrap_used,
    reason = "a test whose material cannot be made has failed"
)]

mod consumers;
mod fixture;
mod golden;
mod junit_form;
