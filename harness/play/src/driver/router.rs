//! The driver itself: from an action to the back-end that does it, bounded in time.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use plugfest_case::verbs::find;
use plugfest_protocol::Json;
use plugfest_trace::Outcome;
use tokio::time::timeout;

use super::backend::{Backend, DriverCall, Support, failed, unknown_verb};
use super::config::{API_VERSION, BackendConfig, DriverConfig, DriverError};
use super::exec::Exec;
use super::http::Http;
use super::manual::{Manual, Prompter};
use super::octt::OcttHttp;
use super::stdio::Stdio;
use super::verbs::takes;

/// How long a machine may take for an action, unless the configuration says otherwise.
const MACHINE_LIMIT: Duration = Duration::from_secs(30);

/// How long a person may take.
const PERSON_LIMIT: Duration = Duration::from_mins(10);

/// What the caller brings along for back-ends that a configuration cannot describe.
#[derive(Clone, Default)]
pub struct Hands {
    /// Where a person can be asked; none with `--no-input`.
    pub prompter: Option<Arc<dyn Prompter>>,
    /// The hands of the embedded reference device, for back-ends of kind `builtin`.
    pub builtin: Option<Arc<dyn Backend>>,
}

/// All back-ends of a run. Clones share them; calls may overlap.
#[derive(Clone)]
pub struct Driver {
    backends: Arc<[Entry]>,
    verbs: Arc<BTreeMap<String, usize>>,
    default: Option<usize>,
    /// The station that an operator's actions are about, where they do not say.
    station: Option<Arc<str>>,
}

struct Entry {
    name: String,
    backend: Arc<dyn Backend>,
    limit: Duration,
}

impl Driver {
    /// Sets the back-ends up; none is started yet.
    ///
    /// # Errors
    /// The place in the configuration that is at fault.
    pub fn new(config: &DriverConfig, hands: &Hands) -> Result<Self, DriverError> {
        if config.api != API_VERSION {
            let what = format!(
                "driver API {} is not known; this build speaks {API_VERSION}",
                config.api
            );
            return Err(DriverError::new("driver.api", what));
        }
        let mut backends = Vec::new();
        for (name, backend) in &config.backends {
            let at = format!("driver.backends.{name}");
            let (backend, limit) =
                build(backend.clone(), hands).map_err(|what| DriverError::new(at, what))?;
            backends.push(Entry {
                name: name.clone(),
                backend,
                limit,
            });
        }
        let named = |at: String, name: &str| {
            let found = backends.iter().position(|entry| entry.name == name);
            found.ok_or_else(|| DriverError::new(at, unknown_backend(name, config)))
        };
        let mut verbs = BTreeMap::new();
        for (name, backend) in &config.verbs {
            let at = format!("driver.verbs.\"{name}\"");
            if find(name).is_none() {
                return Err(DriverError::new(at, unknown_verb(name)));
            }
            verbs.insert(name.clone(), named(at, backend)?);
        }
        let default = match &config.default {
            Some(name) => Some(named("driver.default".to_owned(), name)?),
            None => None,
        };
        Ok(Self {
            backends: backends.into(),
            verbs: Arc::new(verbs),
            default,
            station: None,
        })
    }

    /// A driver that can do nothing: every action is unsupported.
    pub fn none() -> Self {
        Self {
            backends: Arc::new([]),
            verbs: Arc::default(),
            default: None,
            station: None,
        }
    }

    /// A driver whose every action goes to `backend`, with the time limit of a machine.
    pub fn builtin(backend: Arc<dyn Backend>) -> Self {
        let entry = Entry {
            name: "builtin".to_owned(),
            backend,
            limit: MACHINE_LIMIT,
        };
        Self {
            backends: Arc::new([entry]),
            verbs: Arc::default(),
            default: Some(0),
            station: None,
        }
    }

    /// Brings up the back-ends that must be there before the first action.
    ///
    /// # Errors
    /// The back-end that does not come up.
    pub async fn start(&self) -> Result<(), DriverError> {
        for entry in self.backends.iter() {
            let at = || format!("driver.backends.{}", entry.name);
            match timeout(entry.limit, entry.backend.start()).await {
                Ok(started) => started.map_err(|what| DriverError::new(at(), what))?,
                Err(_) => {
                    return Err(DriverError::new(
                        at(),
                        format!("not up within {}", seconds(entry.limit)),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The same driver, whose operator acts upon this station where an action does not name one: with many stations
    /// at one CSMS nobody could know which is meant.
    #[must_use]
    pub fn for_station(&self, identity: &str) -> Self {
        Self {
            station: Some(identity.into()),
            ..self.clone()
        }
    }

    /// Does an action, within the time limit of its back-end.
    pub async fn call(&self, call: &DriverCall) -> Outcome {
        let named = self.named(call);
        let call = named.as_ref().unwrap_or(call);
        if let Err(why) = call.check() {
            return failed(why);
        }
        let Some(entry) = self.route(&call.verb) else {
            return Outcome::Unsupported {
                why: format!("no back-end is configured for `{}`", call.verb),
            };
        };
        match timeout(entry.limit, entry.backend.call(call)).await {
            Ok(outcome) => outcome,
            Err(_) => failed(format!(
                "back-end `{}` did not do `{}` within {}",
                entry.name,
                call.verb,
                seconds(entry.limit)
            )),
        }
    }

    /// Whether an action can be done, without doing it. An action that the configuration routes on purpose counts as
    /// possible where its back-end cannot tell.
    pub fn supports(&self, verb: &str) -> Support {
        let Some(entry) = self.route(verb) else {
            return Support::No;
        };
        match entry.backend.supports(verb) {
            Support::Unknown if self.verbs.contains_key(verb) => Support::Yes,
            support => support,
        }
    }

    /// The name of the back-end that does the action.
    pub fn backend_of(&self, verb: &str) -> Option<&str> {
        self.route(verb).map(|entry| entry.name.as_str())
    }

    /// The call with the station that is meant, where it can name one and does not.
    fn named(&self, call: &DriverCall) -> Option<DriverCall> {
        let station = self.station.as_deref()?;
        let mut args = call.args.as_object()?.clone();
        let can_name = find(&call.verb).is_some_and(|spec| takes(spec, "station"));
        if !can_name || args.contains_key("station") {
            return None;
        }
        args.insert("station", station);
        Some(DriverCall::new(call.verb.as_str(), Json::Object(args)))
    }

    fn route(&self, verb: &str) -> Option<&Entry> {
        let index = self.verbs.get(verb).copied().or(self.default)?;
        self.backends.get(index)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.backends.iter().map(|entry| &entry.name).collect();
        f.debug_struct("Driver")
            .field("backends", &names)
            .field("verbs", &self.verbs)
            .finish_non_exhaustive()
    }
}

fn build(config: BackendConfig, hands: &Hands) -> Result<(Arc<dyn Backend>, Duration), String> {
    let limit = |seconds: Option<u32>, otherwise| match seconds {
        Some(0) => Err("`timeout_s` is 0, so nothing could ever be done in time".to_owned()),
        Some(seconds) => Ok(Duration::from_secs(seconds.into())),
        None => Ok(otherwise),
    };
    Ok(match config {
        BackendConfig::Exec(config) => {
            let limit = limit(config.timeout_s, MACHINE_LIMIT)?;
            (Arc::new(Exec::new(config)?), limit)
        }
        BackendConfig::Http(config) => {
            let limit = limit(config.timeout_s, MACHINE_LIMIT)?;
            (Arc::new(Http::new(config)?), limit)
        }
        BackendConfig::OcttHttp(config) => {
            let limit = limit(config.timeout_s, MACHINE_LIMIT)?;
            (Arc::new(OcttHttp::new(config)?), limit)
        }
        BackendConfig::Stdio(config) => {
            let limit = limit(config.timeout_s, MACHINE_LIMIT)?;
            (Arc::new(Stdio::new(config)?), limit)
        }
        BackendConfig::Manual(config) => {
            let limit = limit(config.timeout_s, PERSON_LIMIT)?;
            (Arc::new(Manual::new(hands.prompter.clone())), limit)
        }
        BackendConfig::Builtin(_) => {
            let backend = hands.builtin.clone();
            (
                backend.ok_or("`builtin` is only for the embedded reference device")?,
                MACHINE_LIMIT,
            )
        }
    })
}

fn unknown_backend(name: &str, config: &DriverConfig) -> String {
    let names: Vec<_> = config.backends.keys().map(|known| format!("`{known}`")).collect();
    match names.as_slice() {
        [] => format!("there is no back-end `{name}`; none is configured under `driver.backends`"),
        _ => format!("there is no back-end `{name}`; there are {}", names.join(", ")),
    }
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::backend::BoxFuture;
    use super::super::config::{BuiltinConfig, ExecConfig, ManualConfig};
    use super::*;

    /// Answers with its name, or never.
    struct Fake(Option<&'static str>);

    impl Backend for Fake {
        fn call<'a>(&'a self, _call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
            match self.0 {
                Some(name) => Box::pin(std::future::ready(Outcome::Returned {
                    value: Json::from(name),
                })),
                None => Box::pin(std::future::pending()),
            }
        }
    }

    fn config(text: &str) -> DriverConfig {
        serde_json::from_str(text).unwrap()
    }

    fn call(verb: &str) -> DriverCall {
        DriverCall::new(verb, Json::empty())
    }

    #[tokio::test]
    async fn verbs_find_their_back_end_and_the_rest_the_default() {
        let hands = Hands {
            builtin: Some(Arc::new(Fake(Some("fake")))),
            prompter: None,
        };
        let text = r#"{"api":1,"default":"me","verbs":{"ev.plug":"ref"},
            "backends":{"me":{"kind":"manual"},"ref":{"kind":"builtin"}}}"#;
        let driver = Driver::new(&config(text), &hands).unwrap();
        assert_eq!(
            driver.call(&call("ev.plug")).await,
            Outcome::Returned {
                value: Json::from("fake")
            }
        );
        assert_eq!(
            (driver.backend_of("ev.plug"), driver.supports("ev.plug")),
            (Some("ref"), Support::Yes)
        );
        assert!(matches!(
            driver.call(&call("ev.unplug")).await,
            Outcome::Unsupported { .. }
        ));
        assert_eq!(
            (driver.backend_of("ev.unplug"), driver.supports("ev.unplug")),
            (Some("me"), Support::No)
        );
    }

    #[test]
    fn an_operator_is_told_which_station_is_meant() {
        let driver = Driver::none().for_station("CP1");
        let args = |call: &DriverCall| driver.named(call).map(|call| call.args.to_string());
        let asked = |verb: &str, args: &str| DriverCall::new(verb, Json::parse(args).unwrap());
        let told = args(&asked("csms.call", r#"{"action":"Reset"}"#));
        assert_eq!(told.as_deref(), Some(r#"{"action":"Reset","station":"CP1"}"#));
        assert_eq!(
            args(&asked("csms.call", r#"{"action":"Reset","station":"CP2"}"#)),
            None
        );
        assert_eq!(args(&asked("ev.plug", "{}")), None);
        assert_eq!(Driver::none().named(&asked("csms.call", "{}")), None);
    }

    #[tokio::test]
    async fn what_nobody_does_is_unsupported_and_what_nobody_knows_is_an_error() {
        let driver = Driver::none();
        assert!(matches!(
            driver.call(&call("ev.plug")).await,
            Outcome::Unsupported { .. }
        ));
        assert_eq!(driver.supports("ev.plug"), Support::No);
        let outcome = driver.call(&call("ev.plgu")).await;
        assert!(matches!(outcome, Outcome::Failed { why } if why.contains("did you mean `ev.plug`?")));
    }

    #[tokio::test(start_paused = true)]
    async fn an_action_that_takes_too_long_is_given_up() {
        let driver = Driver::builtin(Arc::new(Fake(None)));
        let outcome = driver.call(&call("ev.plug")).await;
        let why = "back-end `builtin` did not do `ev.plug` within 30 s".to_owned();
        assert_eq!(outcome, Outcome::Failed { why });
    }

    #[tokio::test]
    async fn a_limit_of_ones_own_counts() {
        let command = ["sleep", "600"].map(str::to_owned).to_vec();
        let exec = ExecConfig {
            command,
            timeout_s: Some(1),
            ..ExecConfig::default()
        };
        let driver = Driver::new(
            &DriverConfig::single(BackendConfig::Exec(exec)),
            &Hands::default(),
        )
        .unwrap();
        let outcome = driver.call(&call("ev.plug")).await;
        assert!(matches!(outcome, Outcome::Failed { why } if why.ends_with("within 1 s")));
    }

    #[tokio::test]
    async fn a_back_end_that_does_not_come_up_is_named() {
        let text = r#"{"api":1,"backends":{"sim":{"kind":"stdio","command":["/nowhere/sim"]}}}"#;
        let driver = Driver::new(&config(text), &Hands::default()).unwrap();
        let error = driver.start().await.unwrap_err().to_string();
        assert!(
            error.starts_with("driver.backends.sim: `/nowhere/sim` cannot be started: "),
            "{error}"
        );
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, expected) in [
            (
                r#"{"api":2}"#,
                "driver.api: driver API 2 is not known; this build speaks 1",
            ),
            (
                r#"{"api":1,"default":"x"}"#,
                "driver.default: there is no back-end `x`; none is configured under `driver.backends`",
            ),
            (
                r#"{"api":1,"backends":{"me":{"kind":"manual"}},"verbs":{"ev.plug":"you"}}"#,
                "driver.verbs.\"ev.plug\": there is no back-end `you`; there are `me`",
            ),
            (
                r#"{"api":1,"backends":{"me":{"kind":"manual"}},"verbs":{"ev.plgu":"me"}}"#,
                "driver.verbs.\"ev.plgu\": unknown verb `ev.plgu`; did you mean `ev.plug`?",
            ),
            (
                r#"{"api":1,"backends":{"a":{"kind":"exec","command":[]}}}"#,
                "driver.backends.a: `command` is empty; name a program",
            ),
            (
                r#"{"api":1,"backends":{"a":{"kind":"builtin"}}}"#,
                "driver.backends.a: `builtin` is only for the embedded reference device",
            ),
            (
                r#"{"api":1,"backends":{"a":{"kind":"manual","timeout_s":0}}}"#,
                "driver.backends.a: `timeout_s` is 0, so nothing could ever be done in time",
            ),
        ] {
            let error = Driver::new(&config(text), &Hands::default()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_single_back_end_does_everything() {
        let hands = Hands {
            builtin: Some(Arc::new(Fake(Some("x")))),
            prompter: None,
        };
        for backend in [
            BackendConfig::Builtin(BuiltinConfig {}),
            BackendConfig::Manual(ManualConfig::default()),
        ] {
            let driver = Driver::new(&DriverConfig::single(backend), &hands).unwrap();
            assert_eq!(driver.backend_of("csms.call"), Some("default"));
        }
    }
}
