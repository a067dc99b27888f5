//! RFC 6455 of our own, for observing and for misbehaving: both ends, over any byte stream.
//!
//! An ordinary WebSocket library hides what a conformance tool must see (header order and case, masks, length forms,
//! fragments, illegal close codes) and refuses to send what it must send. This layer reports flaws as data and goes on
//! wherever it can; what a flaw means is decided elsewhere.

mod auth;
mod connection;
mod decoder;
mod flaw;
mod frame;
mod gather;
mod head;
mod head_flaw;
mod identity;
mod upgrade;

pub use auth::{AuthError, BasicAuth};
pub use connection::{Connection, Ending, Incoming, Traffic};
pub use decoder::{Decoder, Limits, WireEvent};
pub use flaw::WireFlaw;
pub use frame::{Encoder, Length, Mask, Opcode, OutFrame, Side};
pub use head::{HeadLimits, Header, Headers, RequestHead, ResponseHead};
pub use head_flaw::HeadFlaw;
pub use identity::{IdentityError, decode_segment, encode_segment};
pub use upgrade::{Acceptance, Refusal, RequestUpgrade, ServerUpgrade, UpgradeResponse, receive_upgrade};
