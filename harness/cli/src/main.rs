//! The `plugfest` binary.
fn main() {}
