//! What was said and what was done: promises, availability, and answers that must agree with one another.

pub(super) mod agreement;
pub(super) mod availability;
mod held;
pub(super) mod local_list;
mod promise;
pub(super) mod promises;
pub(super) mod reservations;
pub(super) mod triggers;
