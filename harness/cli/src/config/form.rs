//! `plugfest.toml` as people write it. The published JSON Schema is made of these types.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plugfest_play::driver::DriverConfig;
use schemars::JsonSchema;
use serde::Deserialize;

/// The profile of a device under test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "plugfest.toml")]
pub(crate) struct Form {
    /// What is tested, and how it is reached.
    pub(super) dut: DutForm,
    /// What cases may use up at the device: tags, connectors.
    #[serde(default)]
    pub(super) pools: PoolsForm,
    /// Values behind `$` in cases that differ from their defaults: `heartbeat = 60`, `"unknown.connector" = 9`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(super) values: BTreeMap<String, toml::Value>,
    /// Answers to the PICS questions: `fixed_cable = true`, `connectors = 2`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub(super) pics: BTreeMap<String, toml::Value>,
    /// How long the device may take.
    #[serde(default)]
    pub(super) timeouts: TimeoutsForm,
    /// How exact it must be.
    #[serde(default)]
    pub(super) tolerance: ToleranceForm,
    /// A station: the file server that it is sent to for diagnostics and firmware.
    pub(super) files: Option<FilesForm>,
    /// What does the actions that need hands or an operator.
    #[serde(default)]
    pub(super) driver: Option<DriverConfig>,
    /// Failures that are known, each with a reason and an owner.
    #[serde(default)]
    pub(super) expect: Vec<ExpectForm>,
    /// Further values that must appear in no trace and no report, by a name of your own. `env:NAME` reads an
    /// environment variable.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
}

/// What is tested, and how it is reached.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DutForm {
    /// `station` or `csms`.
    pub(super) role: RoleForm,
    /// The edition it speaks: `OCPP-1.6`.
    pub(super) protocol: String,
    /// The identity of the station, or the one that we take towards the CSMS.
    pub(super) identity: Option<String>,
    /// The identities that we may take towards the CSMS; as many cases can run at the same time.
    pub(super) identities: Option<Vec<String>>,
    /// A CSMS: its `ws://` or `wss://` URL; `/` and the identity are appended.
    pub(super) url: Option<String>,
    /// A station: the address at which we wait for it: `0.0.0.0:9000`.
    pub(super) listen: Option<String>,
    /// The password for HTTP Basic authentication; the user is the identity. `env:NAME` reads an environment variable.
    pub(super) password: Option<String>,
    /// Passwords of single identities.
    #[serde(default)]
    pub(super) passwords: BTreeMap<String, String>,
    /// TLS, for `wss://` devices.
    pub(super) tls: Option<TlsForm>,
    /// The program that is the device, if we are to start and stop it: the program and its arguments, no shell.
    pub(super) command: Option<Vec<String>>,
    /// Environment variables for that program.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// The working directory of that program.
    pub(super) cwd: Option<PathBuf>,
}

/// The file server that a station is sent to. With it the PICS code `http_files` is answered with yes, unless `[pics]`
/// says otherwise. Paths are relative to the folder of this file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesForm {
    /// The address at which it waits: `0.0.0.0:8080`.
    pub(super) listen: String,
    /// How the station reaches that, as an `http://` URL; may be left out where `listen` names one interface.
    pub(super) url: Option<String>,
    /// A firmware that the station installs; without it there is one that no real station takes.
    pub(super) firmware: Option<PathBuf>,
}

/// A side of OCPP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RoleForm {
    /// A charging station.
    Station,
    /// A charging station management system.
    Csms,
}

/// TLS. Paths are relative to the folder of this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsForm {
    /// A CSMS: a PEM file with the only roots to trust; the system's roots where it is left out.
    pub(super) ca: Option<PathBuf>,
    /// A CSMS: the name that its certificate must carry; the host of the URL where it is left out.
    pub(super) server_name: Option<String>,
    /// A station: a PEM file with the certificate that we show it.
    pub(super) cert: Option<PathBuf>,
    /// A station: a PEM file with the private key of that certificate.
    pub(super) key: Option<PathBuf>,
}

/// What cases may use up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolsForm {
    /// How many connectors of the station may be used, counted from 1; 1 where it is left out.
    pub(super) connectors: Option<u32>,
    /// Tags by what the CSMS says of them.
    #[serde(default)]
    pub(super) tags: TagsForm,
    /// Tags that share a parent.
    #[serde(default)]
    pub(super) groups: Vec<GroupForm>,
}

/// Tags by what the CSMS says of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TagsForm {
    /// Accepted, and of no group. A case uses up to two at a time.
    #[serde(default)]
    pub(super) valid: Vec<String>,
    /// Unknown to the CSMS.
    #[serde(default)]
    pub(super) invalid: Vec<String>,
    /// Blocked.
    #[serde(default)]
    pub(super) blocked: Vec<String>,
    /// Expired.
    #[serde(default)]
    pub(super) expired: Vec<String>,
}

/// Tags that share a parent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupForm {
    /// The parentIdTag.
    pub(super) parent: String,
    /// Its tags, at least two.
    pub(super) tags: Vec<String>,
}

/// How long the device may take, in seconds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeoutsForm {
    /// For an answer.
    pub(super) message: Option<f64>,
    /// For a message that an action or a change causes.
    pub(super) action: Option<f64>,
    /// For a start or a restart.
    pub(super) reboot: Option<f64>,
    /// For a reconnect, an emptied queue or another long operation.
    pub(super) long: Option<f64>,
    /// For messages of one kind instead of `action`: `StatusNotification = 60`.
    #[serde(default)]
    pub(super) actions: BTreeMap<String, f64>,
}

/// How exact the device must be, in seconds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ToleranceForm {
    /// How far its clock may be off ours.
    pub(super) clock: Option<f64>,
    /// How much sooner than asked for something may come.
    pub(super) early: Option<f64>,
    /// How much later something periodic may come.
    pub(super) late: Option<f64>,
}

/// One known failure: exactly this rule at exactly this place of exactly this case.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectForm {
    /// The id of the case.
    pub(super) case: String,
    /// One variant of a case with `for` lines: `reason=Local`; every variant where it is left out.
    pub(super) variant: Option<String>,
    /// The id of the rule.
    pub(super) rule: String,
    /// The JSON pointer of the finding; left out where the finding has none.
    pub(super) pointer: Option<String>,
    /// Why it is expected: clause and frame.
    pub(super) reason: String,
    /// Who looks after it.
    pub(super) owner: String,
}
