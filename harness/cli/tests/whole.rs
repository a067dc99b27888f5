//! The whole binary: hostile devices, one office for many stations, secrets, signals, full disks, old traces.
#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "what a helper of a test cannot do, the test cannot"
)]

#[path = "support/live.rs"]
mod live;
#[path = "support/peer.rs"]
mod peer;
mod support;
#[path = "whole_ends.rs"]
mod whole_ends;
#[path = "whole_judge.rs"]
mod whole_judge;
#[path = "whole_killed.rs"]
mod whole_killed;
#[path = "whole_office.rs"]
mod whole_office;
#[path = "whole_process.rs"]
mod whole_process;
#[path = "whole_prompt.rs"]
mod whole_prompt;
#[path = "whole_secrets.rs"]
mod whole_secrets;
#[path = "whole_tls.rs"]
mod whole_tls;
#[path = "whole_verdicts.rs"]
mod whole_verdicts;
#[path = "whole_zoo.rs"]
mod whole_zoo;
