//! Transactions: how they begin and end, whose they are, and how their messages are kept.

pub(super) mod csms;
pub(super) mod ids;
pub(super) mod reasons;
pub(super) mod retries;
pub(super) mod tags;
