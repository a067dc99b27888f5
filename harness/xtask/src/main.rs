//! Chores of the workspace: verify the catalogue, run the benchmarks.
fn main() {}
