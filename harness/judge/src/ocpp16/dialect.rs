//! How OCPP 1.6 reads and writes configuration, reboots and shows that it lives.

use plugfest_protocol::{Json, Object};

use super::Keeper;
use crate::dialect::{ConfigValue, Dialect, Written};

/// The dialect of OCPP 1.6.
#[derive(Debug)]
pub struct Ocpp16;

impl Dialect for Ocpp16 {
    fn config_read(&self, keys: &[String]) -> (&'static str, Json) {
        let mut payload = Object::new();
        payload.insert("key", Json::Array(keys.iter().map(Json::from).collect()));
        ("GetConfiguration", Json::Object(payload))
    }

    fn config_values(&self, answer: &Json) -> Vec<ConfigValue> {
        let list = answer
            .get("configurationKey")
            .and_then(Json::as_array)
            .unwrap_or_default();
        list.iter()
            .filter_map(|entry| {
                Some(ConfigValue {
                    key: entry.get("key")?.as_str()?.to_owned(),
                    value: entry.get("value").cloned(),
                    read_only: entry.get("readonly").and_then(Json::as_bool).unwrap_or(false),
                })
            })
            .collect()
    }

    fn config_write(&self, key: &str, value: &Json) -> (&'static str, Json) {
        let mut payload = Object::new();
        payload.insert("key", key);
        payload.insert("value", self.config_text(value));
        ("ChangeConfiguration", Json::Object(payload))
    }

    fn config_written(&self, answer: &Json) -> Written {
        match answer.get("status").and_then(Json::as_str) {
            Some("Accepted") => Written::Done,
            Some("RebootRequired") => Written::AfterReboot,
            Some("NotSupported") => Written::Unknown,
            _ => Written::Rejected,
        }
    }

    fn config_text(&self, value: &Json) -> Json {
        match value {
            Json::String(_) => value.clone(),
            other => Json::from(other.to_string()),
        }
    }

    fn reboot(&self) -> (&'static str, Json) {
        let mut payload = Object::new();
        payload.insert("type", "Hard");
        ("Reset", Json::Object(payload))
    }

    fn may_disconnect(&self, action: &str) -> bool {
        matches!(action, "Reset" | "UpdateFirmware" | "SignedUpdateFirmware")
    }

    fn introduction(&self) -> &'static str {
        "BootNotification"
    }

    fn probe(&self, dut: &str) -> (&'static str, Json) {
        if dut == "station" {
            let mut payload = Object::new();
            payload.insert("key", Json::Array(vec![Json::from("HeartbeatInterval")]));
            ("GetConfiguration", Json::Object(payload))
        } else {
            ("Heartbeat", Json::Object(Object::new()))
        }
    }

    fn keeper(&self) -> Box<dyn crate::facts::Keeper> {
        Box::new(Keeper::default())
    }
}
