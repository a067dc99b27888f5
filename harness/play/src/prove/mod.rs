//! Every line is seen red: the self-played trace of each case, role and branch is judged again with one thing in it made
//! wrong at a time, for every line of the DUT. A line that nothing can make red asserts nothing.
//!
//! Self-play proves a case constructible; this proves that its lines can fail, at their own place and with their own
//! clause. What is made wrong follows from the IR of the line, never from the code that judges it.

mod doctor;
mod exceptions;
mod fields;
mod lines;
mod played;
mod proof;
mod prover;
mod replay;
mod worlds;

pub use exceptions::{EXCEPTIONS, Exception};
pub use played::{Played, play_all};
pub use proof::{LineProof, Outcome, Proof, Unmet};
pub use prover::prove;
