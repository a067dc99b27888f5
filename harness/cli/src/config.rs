//! The profile of the device under test: `plugfest.toml`, from text to types, with faults that point at their place.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plugfest_case::{Diagnostic, Library};
use plugfest_play::driver::{Driver, DriverConfig, Hands};
use plugfest_play::process::ProcessConfig;
use plugfest_play::transport::{ClientTls, Scheme, ServerTls, Target};
use plugfest_protocol::{Edition, Json};

use crate::args::Global;
use crate::cases;
use crate::expect::Expect;
use crate::failure::Failure;

mod convert;
mod form;
mod place;

/// The name that is looked for in the current folder.
pub(crate) const FILE: &str = "plugfest.toml";

/// A profile for who has none: the tags that the peers and the reference devices of the project know, and a person for
/// the hands.
const PLAIN: &str = "protocol = \"OCPP-1.6\"
identity = \"PLUGFEST-1\"
[pools.tags]
valid = [\"VALID-1\", \"VALID-2\"]
invalid = [\"UNKNOWN-1\", \"UNKNOWN-2\", \"UNKNOWN-3\", \"UNKNOWN-4\", \"UNKNOWN-5\", \"UNKNOWN-6\"]
blocked = [\"BLOCKED-1\"]
expired = [\"EXPIRED-1\"]
[[pools.groups]]
parent = \"GROUP\"
tags = [\"GROUP-1\", \"GROUP-2\"]
[driver]
api = 1
default = \"person\"
backends.person.kind = \"manual\"
";

/// A profile.
#[derive(Debug)]
pub(crate) struct Config {
    /// Its file.
    pub(crate) path: PathBuf,
    /// What is tested.
    pub(crate) dut: Dut,
    /// What cases may use up.
    pub(crate) pools: Pools,
    /// The `$` values that differ from their defaults, by dotted path.
    pub(crate) values: BTreeMap<String, Json>,
    /// Answers to the PICS questions.
    pub(crate) pics: BTreeMap<String, Json>,
    /// Seconds by name: `message`, `action`, `reboot`, `long`, or the name of an action.
    pub(crate) timeouts: BTreeMap<String, f64>,
    /// Seconds by name: `clock`, `early`, `late`.
    pub(crate) tolerance: BTreeMap<String, f64>,
    /// The file server for a station.
    pub(crate) files: Option<FilesAt>,
    /// What does the actions that need hands.
    pub(crate) driver: Option<DriverConfig>,
    /// Known failures.
    pub(crate) expect: Vec<Expect>,
    /// Everything secret by name, passwords included.
    pub(crate) secrets: BTreeMap<String, Secret>,
}

/// Where the file server of a run stands, and what it gives away.
#[derive(Debug)]
pub(crate) struct FilesAt {
    /// Where it waits.
    pub(crate) listen: SocketAddr,
    /// How the station reaches it; made of `listen` where the profile says nothing.
    pub(crate) url: Option<String>,
    /// The file of a firmware.
    pub(crate) firmware: Option<PathBuf>,
}

/// A value that must not reach a log through `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

/// What is tested.
#[derive(Debug)]
pub(crate) struct Dut {
    /// The edition it speaks.
    pub(crate) edition: &'static Edition,
    /// How it is reached, which also says its role.
    pub(crate) endpoint: Endpoint,
    /// The station's identity, or those that we may take towards the CSMS; at least one.
    pub(crate) identities: Vec<String>,
    /// Its program, if we start it.
    pub(crate) process: Option<ProcessConfig>,
}

/// How a device is reached.
#[derive(Debug)]
pub(crate) enum Endpoint {
    /// A station dials us.
    Station {
        /// Where we wait.
        listen: SocketAddr,
        /// How we show ourselves, for `wss://`.
        tls: Option<ServerTls>,
    },
    /// We dial a CSMS.
    Csms {
        /// Where it is; the identity is appended.
        target: Target,
        /// Whom we trust.
        tls: ClientTls,
    },
}

/// What cases may use up.
#[derive(Debug, Default)]
pub(crate) struct Pools {
    /// Connectors, counted from 1.
    pub(crate) connectors: u32,
    /// Tags by what the CSMS says of them: `valid`, `invalid`, `blocked`, `expired`.
    pub(crate) tags: BTreeMap<&'static str, Vec<String>>,
    /// Tags that share a parent: the parent and its tags.
    pub(crate) groups: Vec<(String, Vec<String>)>,
}

impl Secret {
    /// The value itself.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Dut {
    /// `station` or `csms`.
    pub(crate) fn role(&self) -> &'static str {
        match self.endpoint {
            Endpoint::Csms { .. } => "csms",
            Endpoint::Station { .. } => "station",
        }
    }

    /// The name under which [`Config::secrets`] holds the password of an identity.
    pub(crate) fn password_name(identity: &str) -> String {
        format!("password of {identity}")
    }
}

impl Config {
    /// The answers to all PICS questions: those of the profile, then the defaults.
    pub(crate) fn codes(&self, library: &Library) -> BTreeMap<String, Json> {
        let declared = &library.facts(self.dut.edition.name()).pics;
        let defaults = declared
            .iter()
            .filter_map(|(code, it)| Some((code.clone(), it.default.clone()?)));
        let mut codes: BTreeMap<String, Json> = defaults.collect();
        if self.files.is_some() {
            codes.insert("http_files".to_owned(), Json::Bool(true));
        }
        codes.extend(
            self.pics
                .iter()
                .map(|(code, answer)| (code.clone(), answer.clone())),
        );
        codes
    }

    /// Its driver; one that can do nothing where it has none.
    pub(crate) fn driver(&self, hands: &Hands) -> Result<Driver, Failure> {
        let Some(driver) = &self.driver else {
            return Ok(Driver::none());
        };
        Driver::new(driver, hands)
            .map_err(|error| Failure::usage(format!("{}: {error}", self.path.display())))
    }

    /// The password that an identity must give.
    pub(crate) fn password(&self, identity: &str) -> Option<&str> {
        self.secrets
            .get(&Dut::password_name(identity))
            .map(Secret::expose)
    }
}

/// The profile that the arguments name, or the one in the current folder; `None` where there is none.
pub(crate) fn find(global: &Global, library: &Library) -> Result<Option<Config>, Failure> {
    match &global.config {
        Some(path) => load(path, library).map(Some),
        None if Path::new(FILE).exists() => load(Path::new(FILE), library).map(Some),
        None => Ok(None),
    }
}

/// Whether the arguments, or the current folder, name a profile.
pub(crate) fn is_there(global: &Global) -> bool {
    global.config.is_some() || Path::new(FILE).exists()
}

/// The same where a command needs one.
pub(crate) fn need(global: &Global, library: &Library) -> Result<Config, Failure> {
    find(global, library)?.ok_or_else(|| {
        Failure::usage(format!("there is no profile: {FILE} is not in this folder"))
            .hint("`plugfest init station` or `plugfest init csms` writes one, --config FILE names one")
    })
}

/// The profile, or a plain one with the tags of [`PLAIN`], for the CSMS at this URL.
pub(crate) fn with_url(url: &str, global: &Global, library: &Library) -> Result<Config, Failure> {
    let target =
        Target::parse(url, &Scheme::WEB_SOCKET).map_err(|error| Failure::usage(format!("--url: {error}")))?;
    let mut config = match find(global, library)? {
        Some(config) => config,
        None => plain("role = \"csms\"\nurl = \"ws://localhost\"", library)?,
    };
    match &mut config.dut.endpoint {
        Endpoint::Csms { target: old, .. } => *old = target,
        Endpoint::Station { .. } => {
            return Err(Failure::usage(format!(
                "--url: {} is about a station, which dials us",
                config.path.display()
            )));
        }
    }
    Ok(config)
}

/// The same for a station that dials this address.
pub(crate) fn with_listen(
    address: SocketAddr,
    global: &Global,
    library: &Library,
) -> Result<Config, Failure> {
    let mut config = match find(global, library)? {
        Some(config) => config,
        None => plain("role = \"station\"\nlisten = \"127.0.0.1:0\"", library)?,
    };
    match &mut config.dut.endpoint {
        Endpoint::Station { listen, .. } => *listen = address,
        Endpoint::Csms { .. } => {
            return Err(Failure::usage(format!(
                "--listen: {} is about a CSMS, which we dial",
                config.path.display()
            )));
        }
    }
    Ok(config)
}

fn plain(dut: &str, library: &Library) -> Result<Config, Failure> {
    let text = format!("[dut]\n{dut}\n{PLAIN}");
    parse(Path::new("(no profile)"), &text, library, &|_| None).map_err(|faults| {
        Failure::bug(
            faults
                .iter()
                .map(|fault| fault.line(&text))
                .collect::<Vec<_>>()
                .join("; "),
        )
    })
}

/// Reads a profile.
pub(crate) fn load(path: &Path, library: &Library) -> Result<Config, Failure> {
    let text = cases::read_text(path)?;
    let environment = |name: &str| std::env::var(name).ok();
    parse(path, &text, library, &environment).map_err(|faults| {
        let text: Arc<str> = Arc::from(text.as_str());
        Failure::placed(faults.into_iter().map(|fault| (fault, Arc::clone(&text))))
    })
}

/// Reads the text of a profile; everything that is wrong with it at once, as far as it can be read at all.
fn parse(
    path: &Path,
    text: &str,
    library: &Library,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Diagnostic>> {
    let name = path.to_string_lossy();
    let form = toml::from_str(text).map_err(|error| vec![place::unreadable(&name, text, &error)])?;
    convert::convert(path, form, library, environment).map_err(|faults| {
        faults
            .into_iter()
            .map(|fault| place::point(&name, text, fault))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library() -> Library {
        Library::load(cases::embedded(), &cases::natives()).0
    }

    fn read(text: &str) -> Result<Config, Vec<String>> {
        let environment = |name: &str| (name == "STATION_PASSWORD").then(|| "hunter2hunter2hu".to_owned());
        parse(Path::new("lab/plugfest.toml"), text, &library(), &environment)
            .map_err(|faults| faults.iter().map(|fault| fault.line(text)).collect())
    }

    fn fault(text: &str) -> String {
        read(text).expect_err("it should be refused").join("\n")
    }

    const STATION: &str =
        "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP1\"\nlisten = \"0.0.0.0:9000\"\n";
    const CSMS: &str = "[dut]\nrole = \"csms\"\nprotocol = \"OCPP-1.6\"\nidentities = [\"A\", \"B\"]\nurl = \"ws://csms/ocpp\"\n";

    #[test]
    fn a_profile_becomes_types() {
        let text = format!(
            "{STATION}password = \"env:STATION_PASSWORD\"\ncommand = [\"./station\"]\ntls = {{ cert = \"c.pem\", key = \"/k.pem\" }}\n\
             [pools]\nconnectors = 2\n[pools.tags]\nvalid = [\"V1\", \"V2\"]\n[[pools.groups]]\nparent = \"G\"\ntags = [\"G1\", \"G2\"]\n\
             [values]\nheartbeat = 60\nunknown.connector = 9\n[pics]\nfixed_cable = true\nconnectors = 2\n\
             [timeouts]\nmessage = 10\nactions = {{ StatusNotification = 1.5 }}\n[tolerance]\nclock = 5\n\
             [driver]\napi = 1\ndefault = \"me\"\nbackends.me.kind = \"manual\"\n\
             [secrets]\napi = \"token\"\n\
             [[expect]]\ncase = \"remote/stop\"\nrule = \"line/field\"\npointer = \"/status\"\nreason = \"6.40\"\nowner = \"me\"\n"
        );
        let config = read(&text).unwrap();
        assert_eq!(config.dut.role(), "station");
        assert_eq!(config.password("CP1"), Some("hunter2hunter2hu"));
        assert_eq!(config.secrets.get("api").map(Secret::expose), Some("token"));
        let Endpoint::Station {
            tls: Some(tls),
            listen,
        } = &config.dut.endpoint
        else {
            panic!("no station over TLS")
        };
        assert_eq!(
            (tls.cert.as_path(), tls.key.as_path()),
            (Path::new("lab/c.pem"), Path::new("/k.pem"))
        );
        assert_eq!(listen.port(), 9000);
        assert_eq!(config.values["unknown.connector"].as_i64(), Some(9));
        assert_eq!(config.pics["connectors"].as_i64(), Some(2));
        assert_eq!(
            config.timeouts,
            BTreeMap::from([("message".to_owned(), 10.0), ("StatusNotification".into(), 1.5)])
        );
        assert_eq!(config.pools.tags["valid"], ["V1", "V2"]);
        assert_eq!(config.expect[0].pointer.as_deref(), Some("/status"));
    }

    #[test]
    fn a_csms_has_a_url_and_many_identities() {
        let config = read(&format!("{CSMS}passwords.B = \"secret\"\n")).unwrap();
        assert_eq!(
            (config.password("A"), config.password("B")),
            (None, Some("secret"))
        );
        assert!(
            matches!(&config.dut.endpoint, Endpoint::Csms { target, .. } if target.path_with("A") == "/ocpp/A")
        );
    }

    #[test]
    fn unknown_keys_are_errors_with_a_suggestion() {
        let text = format!("{STATION}pasword = \"x\"\n");
        assert_eq!(
            fault(&text),
            "lab/plugfest.toml:6:1: error[profile]: unknown key `pasword` (did you mean `password`?)"
        );
        assert!(
            fault(&format!("{STATION}[pool]\n"))
                .contains("7:2: error[profile]: unknown key `pool` (did you mean `pools`?)")
                || fault(&format!("{STATION}[pool]\n"))
                    .contains("unknown key `pool` (did you mean `pools`?)")
        );
        assert!(
            fault(&format!("{STATION}[values]\nhartbeat = 1\n")).contains(
                "7:1: error[profile]: OCPP-1.6 has no value `$hartbeat` (did you mean `heartbeat`?)"
            )
        );
        assert!(
            fault(&format!("{STATION}[pics]\nfixed_cabel = true\n"))
                .contains("(did you mean `fixed_cable`?)")
        );
        assert!(
            fault(&format!("{STATION}[timeouts.actions]\nStatusNotificaton = 1\n"))
                .contains("(did you mean `StatusNotification`?)")
        );
        assert!(
            fault(&format!(
                "{STATION}[driver]\napi = 1\nbackends.x.kind = \"manuel\"\n"
            ))
            .contains("manuel")
        );
        assert!(
            fault(&format!(
                "{STATION}[driver]\napi = 1\ndefault = \"x\"\n[driver.verbs]\n\"ev.plgu\" = \"x\"\n"
            ))
            .contains("10:1")
        );
    }

    #[test]
    fn every_fault_says_where_what_and_how() {
        for (text, says) in [
            ("[dut\n", "1:5"),
            ("", "missing key `dut`"),
            ("[dut]\nrole = \"charger\"\n", "2:8"),
            (
                &STATION.replace("OCPP-1.6", "OCPP-1.7"),
                "3:12: error[profile]: no edition `OCPP-1.7` (did you mean `OCPP-1.6`?)",
            ),
            (
                &STATION.replace("0.0.0.0:9000", "9000"),
                "5:10: error[profile]: `9000` is no address",
            ),
            (&STATION.replace("listen", "url"), "a station dials us"),
            (&STATION.replace("listen = \"0.0.0.0:9000\"", ""), "no `listen`"),
            (&STATION.replace("identity = \"CP1\"", ""), "no `identity`"),
            (
                &STATION.replace("identity = \"CP1\"", "identities = [\"A\", \"B\"]"),
                "a station has one identity",
            ),
            (
                &STATION.replace("CP1", ""),
                "4:12: error[profile]: the identity is empty",
            ),
            (&CSMS.replace("ws://csms/ocpp", "http://csms"), "5:7"),
            (&CSMS.replace("\"B\"", "\"A\""), "`A` stands there twice"),
            (
                &format!("{CSMS}passwords.C = \"x\"\n"),
                "6:11: error[profile]: `C` is none of the identities",
            ),
            (
                &format!("{CSMS}password = \"env:NO_SUCH\"\n"),
                "the environment variable NO_SUCH is not set",
            ),
            (&format!("{CSMS}tls.cert = \"x\"\n"), "6:5"),
            (&format!("{CSMS}tls.ca = \"x\"\n"), "the URL is not `wss://`"),
            (&format!("{STATION}tls.cert = \"x\"\n"), "`key`"),
            (
                &format!("{STATION}command = []\n"),
                "6:11: error[profile]: the command is empty",
            ),
            (&format!("{STATION}cwd = \"x\"\n"), "`command`"),
            (&format!("{STATION}[pools]\nconnectors = 0\n"), "7:14"),
            (
                &format!("{STATION}[pools.tags]\nvalid = [\"A\"]\nblocked = [\"A\"]\n"),
                "8:11",
            ),
            (
                &format!("{STATION}[[pools.groups]]\nparent = \"G\"\ntags = [\"A\"]\n"),
                "at least two",
            ),
            (
                &format!("{STATION}[values]\nheartbeat = \"soon\"\n"),
                "7:13: error[profile]: `$heartbeat` is a number of seconds",
            ),
            (&format!("{STATION}[values]\ntimeout.message = 3\n"), "[timeouts]"),
            (
                &format!("{STATION}[pics]\nfixed_cable = 1\n"),
                "7:15: error[profile]: `fixed_cable` is answered with true or false",
            ),
            (&format!("{STATION}[timeouts]\nmessage = -1\n"), "7:11"),
            (&format!("{STATION}[tolerance]\nclock = inf\n"), "7:9"),
            (&format!("{STATION}[secrets]\na = \"\"\n"), "7:5"),
            (
                &format!(
                    "{STATION}[[expect]]\ncase = \"remote/*\"\nrule = \"line/field\"\nreason = \"x\"\nowner = \"y\"\n"
                ),
                "7:8: error[profile]: no case `remote/*`",
            ),
            (
                &format!(
                    "{STATION}[[expect]]\ncase = \"remote/stop\"\nrule = \"line/feld\"\nreason = \"x\"\nowner = \"y\"\n"
                ),
                "(did you mean `line/field`?)",
            ),
            (
                &format!(
                    "{STATION}[[expect]]\ncase = \"remote/stop\"\nrule = \"line/field\"\nreason = \" \"\nowner = \"y\"\n"
                ),
                "9:10: error[profile]: the reason is empty",
            ),
            (
                &format!(
                    "{STATION}[[expect]]\ncase = \"remote/stop\"\nrule = \"line/field\"\npointer = \"status\"\nreason = \"x\"\nowner = \"y\"\n"
                ),
                "begins with `/`",
            ),
        ] {
            let found = fault(text);
            assert!(
                found.contains(says),
                "{text}\nshould say {says}\nbut says {found}"
            );
        }
    }

    #[test]
    fn several_faults_are_said_at_once() {
        let text = format!("{STATION}[pics]\nno_such = 1\n[values]\nno_such = 1\n");
        assert_eq!(fault(&text).lines().count(), 2);
    }

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/plugfest.schema.json");
        let made = serde_json::to_string_pretty(&schemars::schema_for!(form::Form)).unwrap() + "\n";
        if std::env::var_os("PLUGFEST_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &made).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            published == made,
            "{} is out of date: run this test with PLUGFEST_BLESS=1",
            path.display()
        );
        let schema: serde_json::Value = serde_json::from_str(&made).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let json = |text: &str| serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap();
        assert!(validator.is_valid(&json(STATION)) && validator.is_valid(&json(CSMS)));
        assert!(!validator.is_valid(&json(&format!("{STATION}pasword = \"x\"\n"))));
    }
}
