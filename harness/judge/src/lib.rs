//! The conversation and the rules: pure functions from events to findings and verdicts.
