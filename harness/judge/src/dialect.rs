//! What the conversation needs to know of one protocol beyond its catalogue: how configuration is read and written,
//! which actions end a connection, how a side is probed for life. One small implementation per edition.

use plugfest_protocol::{Edition, Json};

use crate::facts::Keeper;

/// What a write of a configuration value led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It holds now.
    Done,
    /// It holds after a reboot.
    AfterReboot,
    /// The value was refused.
    Rejected,
    /// There is no such key.
    Unknown,
}

/// One configuration value as the DUT reported it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigValue {
    /// The key, in the DUT's spelling.
    pub key: String,
    /// Its value; `None` where the DUT does not show it.
    pub value: Option<Json>,
    /// It cannot be written.
    pub read_only: bool,
}

/// The particulars of one edition.
pub trait Dialect: std::fmt::Debug + Sync {
    /// The CALL that reads these keys.
    fn config_read(&self, keys: &[String]) -> (&'static str, Json);
    /// The values in the answer to it; what is not in it is not known to the DUT.
    fn config_values(&self, answer: &Json) -> Vec<ConfigValue>;
    /// The CALL that writes a key.
    fn config_write(&self, key: &str, value: &Json) -> (&'static str, Json);
    /// What the answer to it means.
    fn config_written(&self, answer: &Json) -> Written;
    /// How a value is written on the wire: `true` as `"true"`, 10 as `"10"`.
    fn config_text(&self, value: &Json) -> Json;
    /// The CALL that reboots the DUT.
    fn reboot(&self) -> (&'static str, Json);
    /// True for CALLs of ours after which the DUT may leave the connection.
    fn may_disconnect(&self, action: &str) -> bool;
    /// The CALL by which a station that has booted makes itself known.
    fn introduction(&self) -> &'static str;
    /// The probe CALL of the liveness check, sent to a DUT of this role.
    fn probe(&self, dut: &str) -> (&'static str, Json);
    /// Derives facts.
    fn keeper(&self) -> Box<dyn Keeper>;
}

/// The dialect of an edition.
pub fn dialect(edition: &Edition) -> Option<&'static dyn Dialect> {
    match edition.name() {
        "OCPP-1.6" => Some(&crate::ocpp16::Ocpp16),
        _ => None,
    }
}
