//! What the standards say: actions, fields, limits, frames, validation, samples.
