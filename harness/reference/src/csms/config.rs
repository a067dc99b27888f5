//! What a CSMS is told before it opens.

use std::time::Duration;

use plugfest_protocol::Timestamp;

use crate::defect::Defect;
use crate::slip::Slip;

/// What the CSMS answers to BootNotification (OCPP 1.6 §7.38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// The station may work.
    #[default]
    Accepted,
    /// The station has to wait, and may be asked and configured meanwhile.
    Pending,
    /// The station is not wanted.
    Rejected,
}

impl Registration {
    /// The word of the standard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Pending => "Pending",
            Self::Rejected => "Rejected",
        }
    }

    /// Reads the word of the standard.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Accepted, Self::Pending, Self::Rejected]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

/// A token that the back office knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The token, at most 20 characters, compared without case.
    pub id: String,
    /// One of AuthorizationStatus, as the back office sees the token itself; empty where nobody has said, which makes it
    /// Invalid.
    pub status: String,
    /// Its group (OCPP 1.6 §3.10).
    pub parent: Option<String>,
    /// After this it is Expired.
    pub expiry: Option<Timestamp>,
}

impl Tag {
    /// An accepted token without group or end.
    pub fn accepted(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            status: "Accepted".into(),
            parent: None,
            expiry: None,
        }
    }
}

/// A station that the back office knows.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownStation {
    /// Its identity.
    pub identity: String,
    /// The password it must give by HTTP Basic authentication; none where it need not.
    pub password: Option<Vec<u8>>,
    /// What its next BootNotification is answered with.
    pub registration: Registration,
}

/// Everything that a CSMS is told before it opens.
#[derive(Clone)]
pub struct Config {
    /// The stations it knows. With none at all, every identity is welcome; else an unknown one gets a 404.
    pub stations: Vec<KnownStation>,
    /// The tokens it knows. An unknown one is Invalid.
    pub tags: Vec<Tag>,
    /// Heartbeat interval that an accepted station is given.
    pub heartbeat_interval: Duration,
    /// When a station that is not accepted may ask again.
    pub retry_interval: Duration,
    /// A CALL without an answer for this long has timed out.
    pub message_timeout: Duration,
    /// `vendorId` for which DataTransfer is understood; its one message is `Echo`.
    pub data_transfer_vendor: String,
    /// The first transaction id.
    pub first_transaction: i32,
    /// Wall time when the CSMS is created.
    pub start: Timestamp,
    /// Seed of the message ids.
    pub seed: u64,
    /// What is wrong with it: nothing, if it is to be a reference.
    pub defect: Option<Defect>,
    /// What goes wrong with its words: nothing, if it is to be a reference.
    pub slip: Option<Slip>,
}

impl Config {
    /// A CSMS that welcomes every station and knows no token.
    pub fn new(start: Timestamp) -> Self {
        Self {
            stations: Vec::new(),
            tags: Vec::new(),
            heartbeat_interval: Duration::from_mins(5),
            retry_interval: Duration::from_secs(30),
            message_timeout: Duration::from_secs(30),
            data_transfer_vendor: "org.plugfest".into(),
            first_transaction: 1,
            start,
            seed: 1,
            defect: None,
            slip: None,
        }
    }
}
