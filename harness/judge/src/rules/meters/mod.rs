//! Metering: values that are numbers, registers that only rise, and energy that agrees with power.

pub(super) mod power;
pub(super) mod registers;
pub(super) mod sample;
pub(super) mod values;
