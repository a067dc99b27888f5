//! The driver's part of `plugfest.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::process::NamesOnly;

/// The version of the driver API that this build speaks.
pub const API_VERSION: u32 = 1;

/// Which back-end does which action.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriverConfig {
    /// The version of the driver API that the back-ends were written for: 1.
    pub api: u32,
    /// The back-end of every action that `verbs` does not name.
    #[serde(default)]
    pub default: Option<String>,
    /// The back-ends by names of your own.
    #[serde(default)]
    pub backends: BTreeMap<String, BackendConfig>,
    /// Action to back-end: `"ev.plug" = "simulator"`.
    #[serde(default)]
    pub verbs: BTreeMap<String, String>,
}

/// One back-end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BackendConfig {
    /// A program, started for each action.
    Exec(ExecConfig),
    /// A request over HTTP for each action.
    Http(HttpConfig),
    /// The operator's interface that some CSMSs have: `POST {base}/api/octt/{version}/{station}/{action}`.
    OcttHttp(OcttHttpConfig),
    /// A program that runs all the time and speaks JSON lines.
    Stdio(StdioConfig),
    /// A person at the terminal.
    Manual(ManualConfig),
    /// The embedded reference device.
    Builtin(BuiltinConfig),
}

/// A program that does one action and ends: 0 is done, 77 unsupported, anything else an error of the driver.
///
/// It finds the arguments as JSON on its standard input and in `PLUGFEST_ARGS`, the action in `PLUGFEST_VERB`, and each
/// plain argument in `PLUGFEST_ARG_NAME`. What it prints as JSON is the value returned.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecConfig {
    /// The program and its arguments, in which `{name}` stands for an argument of the action. No shell is involved.
    pub command: Vec<String>,
    /// Environment variables added to our own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The working directory; ours where it is left out.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Seconds that one action may take; 30 where it is left out.
    #[serde(default)]
    pub timeout_s: Option<u32>,
}

impl fmt::Debug for ExecConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecConfig")
            .field("command", &self.command)
            .field("env", &NamesOnly(&self.env))
            .field("cwd", &self.cwd)
            .field("timeout_s", &self.timeout_s)
            .finish()
    }
}

/// A request: 2xx is done, its JSON body the value returned; 404 and 501 are unsupported; anything else is an error.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// The URL, in which `{name}` stands for an argument of the action, percent-encoded.
    pub url: String,
    /// The method; POST where it is left out.
    #[serde(default)]
    pub method: Option<String>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, in which `{name}` stands for an argument of the action as JSON; all arguments as one JSON object
    /// where it is left out, and nothing for GET and DELETE.
    #[serde(default)]
    pub body: Option<String>,
    /// A PEM file with the only roots to trust for https.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Seconds that one action may take; 30 where it is left out.
    #[serde(default)]
    pub timeout_s: Option<u32>,
}

impl fmt::Debug for HttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A query may hold a key.
        let url = self.url.split('?').next().unwrap_or_default();
        f.debug_struct("HttpConfig")
            .field("url", &url)
            .field("method", &self.method)
            .field("headers", &NamesOnly(&self.headers))
            .field("body", &self.body)
            .field("ca", &self.ca)
            .field("timeout_s", &self.timeout_s)
            .finish()
    }
}

/// A CSMS that offers the interface of the official tool; it does `csms.call` alone.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OcttHttpConfig {
    /// The URL before `/api/octt`.
    pub base: String,
    /// The version in the URL, such as `ocpp1.6`.
    pub version: String,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A PEM file with the only roots to trust for https.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Seconds that one action may take; 30 where it is left out.
    #[serde(default)]
    pub timeout_s: Option<u32>,
}

impl fmt::Debug for OcttHttpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OcttHttpConfig")
            .field("base", &self.base)
            .field("version", &self.version)
            .field("headers", &NamesOnly(&self.headers))
            .field("ca", &self.ca)
            .field("timeout_s", &self.timeout_s)
            .finish()
    }
}

/// A long-lived program. It reads `{"id":1,"verb":"ev.plug","args":{…}}` lines and prints
/// `{"id":1,"outcome":"done|unsupported|failed","value":…,"message":"…"}` lines.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StdioConfig {
    /// The program and its arguments. No shell is involved.
    pub command: Vec<String>,
    /// Environment variables added to our own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The working directory; ours where it is left out.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Seconds that one action may take; 30 where it is left out.
    #[serde(default)]
    pub timeout_s: Option<u32>,
}

impl fmt::Debug for StdioConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioConfig")
            .field("command", &self.command)
            .field("env", &NamesOnly(&self.env))
            .field("cwd", &self.cwd)
            .field("timeout_s", &self.timeout_s)
            .finish()
    }
}

/// A person who is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualConfig {
    /// Seconds that one action may take; 600 where it is left out.
    #[serde(default)]
    pub timeout_s: Option<u32>,
}

/// The embedded reference device, which has hands of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuiltinConfig {}

impl DriverConfig {
    /// Every action goes to one back-end.
    pub fn single(backend: BackendConfig) -> Self {
        Self {
            api: API_VERSION,
            default: Some("default".to_owned()),
            backends: BTreeMap::from([("default".to_owned(), backend)]),
            verbs: BTreeMap::new(),
        }
    }
}

/// What is wrong with the driver's configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct DriverError {
    /// The dotted place in the configuration file, such as `driver.verbs."ev.plug"`.
    pub at: String,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl DriverError {
    pub(super) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            at: at.into(),
            what: what.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_by_kind() {
        let text = r#"{"api":1,"default":"me","verbs":{"ev.plug":"sim"},"backends":{
            "me":{"kind":"manual"},
            "sim":{"kind":"http","url":"http://sim/{verb}","timeout_s":5},
            "csms":{"kind":"octt-http","base":"http://csms","version":"ocpp1.6"},
            "tool":{"kind":"exec","command":["tool","{verb}"]}}}"#;
        let config: DriverConfig = serde_json::from_str(text).unwrap();
        let http = HttpConfig {
            url: "http://sim/{verb}".to_owned(),
            timeout_s: Some(5),
            ..HttpConfig::default()
        };
        assert_eq!(config.backends["sim"], BackendConfig::Http(http));
        assert_eq!(
            config.backends["me"],
            BackendConfig::Manual(ManualConfig::default())
        );
    }

    #[test]
    fn unknown_keys_and_kinds_are_refused() {
        for (backend, hint) in [
            (r#"{"kind":"manual","prompt":"x"}"#, "unknown field `prompt`"),
            (r#"{"kind":"mqtt"}"#, "unknown variant `mqtt`"),
            (r#"{"kind":"exec"}"#, "missing field `command`"),
        ] {
            let error = serde_json::from_str::<BackendConfig>(backend)
                .unwrap_err()
                .to_string();
            assert!(error.contains(hint), "{error}");
        }
        let error = serde_json::from_str::<DriverConfig>(r#"{"api":1,"verb":{}}"#)
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown field `verb`"), "{error}");
    }

    #[test]
    fn the_debug_form_hides_what_may_be_secret() {
        let text = r#"{"api":1,"backends":{
            "a":{"kind":"http","url":"http://sim/?key=hunter2","headers":{"X-Key":"hunter2"}},
            "b":{"kind":"exec","command":["tool"],"env":{"TOKEN":"hunter2"}},
            "c":{"kind":"stdio","command":["tool"],"env":{"TOKEN":"hunter2"}},
            "d":{"kind":"octt-http","base":"http://csms","version":"v","headers":{"X-Key":"hunter2"}}}}"#;
        let config: DriverConfig = serde_json::from_str(text).unwrap();
        let shown = format!("{config:?}");
        assert!(shown.contains("X-Key") && shown.contains("TOKEN"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
