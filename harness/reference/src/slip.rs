//! Slips: defects that nobody listed, derived from what a device says.
//!
//! A [`Slip`] is one thing that goes wrong with one kind of message, every time: the message is lost, doubled, late or out of
//! order, or one field of it holds another value that its schema allows. Or the device forgets one thing that it has to keep.

use std::fmt;

use plugfest_protocol::Part;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slip {
    /// With every message of a kind.
    Message {
        /// The action of the message.
        action: String,
        /// The CALL, or its answer.
        part: Part,
        /// What becomes of it.
        fate: Fate,
    },
    /// With a field, in every message of a kind that has it.
    Field {
        /// The action of the message.
        action: String,
        /// The CALL, or its answer.
        part: Part,
        /// Where it stands; `*` for every item of an array: `/meterValue/*/sampledValue/*/value`.
        pointer: String,
        /// What stands there.
        value: Value,
    },
    /// The device does not keep something.
    Forgets {
        /// What.
        what: Memory,
        /// When it is gone.
        when: Moment,
    },
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// It is not sent.
    Lost,
    /// It is sent twice.
    Doubled,
    /// It is sent twelve seconds later.
    Late,
    /// The next message goes first.
    Overtaken,
}

/// What stands in a field that holds the wrong thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Another value that the schema allows.
    Other,
    /// One more than it should be, an hour later for an instant.
    OffByOne,
    /// What stood there in the message before.
    Stale,
    /// The value of the next connector or transaction.
    Foreign,
    /// Nothing: an optional field is left out.
    Absent,
}

/// Something that a device has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Memory {
    /// Configuration that was changed.
    Configuration,
    /// What was made inoperative.
    Availability,
    /// A change of availability that waits for a transaction to end.
    ScheduledAvailability,
    /// The authorization cache.
    Cache,
    /// The local authorization list.
    LocalList,
    /// Transaction messages that were not delivered.
    Queue,
    /// The register of the meter.
    Register,
    /// The ids of running transactions.
    TransactionIds,
    /// What the CSMS was told of the connectors.
    Statuses,
}

/// When something is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// When the device restarts.
    Restart,
    /// When its connection is lost.
    Disconnect,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lost, Self::Doubled, Self::Late, Self::Overtaken];
}

impl Memory {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Configuration,
        Self::Availability,
        Self::ScheduledAvailability,
        Self::Cache,
        Self::LocalList,
        Self::Queue,
        Self::Register,
        Self::TransactionIds,
        Self::Statuses,
    ];
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = |part: &Part| match part {
            Part::Request => "req",
            Part::Response => "conf",
        };
        match self {
            Self::Message { action, part, fate } => {
                write!(f, "{action}.{}/{}", kind(part), word(&format!("{fate:?}")))
            }
            Self::Field {
                action,
                part,
                pointer,
                value,
            } => write!(
                f,
                "{action}.{}{pointer}={}",
                kind(part),
                word(&format!("{value:?}"))
            ),
            Self::Forgets { what, when } => write!(
                f,
                "forgets/{}-on-{}",
                word(&format!("{what:?}")),
                word(&format!("{when:?}"))
            ),
        }
    }
}

/// `OffByOne` as `off-by-one`.
fn word(name: &str) -> String {
    let mut word = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_has_a_name_that_says_it() {
        let slip = Slip::Field {
            action: "MeterValues".into(),
            part: Part::Request,
            pointer: "/meterValue/*/timestamp".into(),
            value: Value::OffByOne,
        };
        assert_eq!(
            slip.to_string(),
            "MeterValues.req/meterValue/*/timestamp=off-by-one"
        );
        let slip = Slip::Forgets {
            what: Memory::LocalList,
            when: Moment::Restart,
        };
        assert_eq!(slip.to_string(), "forgets/local-list-on-restart");
    }
}
