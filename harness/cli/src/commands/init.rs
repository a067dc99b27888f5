//! `plugfest init`: a commented profile, filled with what the device can tell where it is asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use plugfest_case::Library;
use plugfest_case::facts::{Facts, PicsCode, PicsKind};
use plugfest_judge::ConfigValue;
use plugfest_play::premise::defaults;
use plugfest_play::transport::{ClientTls, Scheme, Target};
use plugfest_protocol::{Edition, Json};
use plugfest_reports::exit;

use crate::args::{Global, Init, Role};
use crate::ask::{Told, Whom, ask};
use crate::config::Endpoint;
use crate::failure::Failure;
use crate::out::Out;
use crate::{cases, signals};

/// The edition of a new profile.
const PROTOCOL: &str = "OCPP-1.6";
/// Where a station is awaited unless something else is said.
const LISTEN: &str = "0.0.0.0:9000";

pub(super) fn run(global: &Global, init: &Init, out: &mut Out) -> Result<u8, Failure> {
    let exists = || {
        Failure::usage(format!(
            "{} is there already and is not replaced",
            init.file.display()
        ))
        .hint("--file NAME writes another one")
    };
    if init.file.exists() {
        return Err(exists());
    }
    match (init.role, &init.url, init.listen) {
        (Role::Csms, _, Some(_)) => {
            return Err(Failure::usage("--listen is for a station: a CSMS is dialled"));
        }
        (Role::Station, Some(_), _) => return Err(Failure::usage("--url is for a CSMS: a station dials us")),
        (Role::Csms, None, _) if init.from_dut => {
            return Err(Failure::usage(
                "--from-dut needs --url URL to know where the CSMS is",
            ));
        }
        _ => {}
    }
    if let Some(url) = &init.url {
        Target::parse(url, &Scheme::WEB_SOCKET).map_err(|error| Failure::usage(format!("--url: {error}")))?;
    }
    let library = cases::load(global)?;
    let told = if init.from_dut {
        Some(from_dut(init, &library, out)?)
    } else {
        None
    };
    let Some(told) = told.map_or(Some(None), |told| told.map(Some)) else {
        return Ok(exit::SIGINT);
    };
    let text = profile(init, library.facts(PROTOCOL), told.as_ref());
    let mut file = File::create_new(&init.file).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(),
        _ => Failure::usage(format!("{} cannot be written: {error}", init.file.display())),
    })?;
    file.write_all(text.as_bytes())
        .map_err(|error| Failure::usage(format!("{} cannot be written: {error}", init.file.display())))?;
    out.remark(&format!(
        "{} is written; look at the lines marked TODO, then `plugfest doctor`",
        init.file.display()
    ))?;
    Ok(exit::OK)
}

/// What the device tells; `None` where a signal came first.
fn from_dut(init: &Init, library: &Library, out: &Out) -> Result<Option<Told>, Failure> {
    let edition =
        Edition::by_name(PROTOCOL).ok_or_else(|| Failure::bug("the edition of new profiles is missing"))?;
    let endpoint = match &init.url {
        Some(url) => {
            let target =
                Target::parse(url, &Scheme::WEB_SOCKET).map_err(|error| Failure::usage(error.to_string()))?;
            Endpoint::Csms {
                target,
                tls: ClientTls::default(),
            }
        }
        None => Endpoint::Station {
            listen: address(init)?,
            tls: None,
        },
    };
    let whom = Whom {
        edition,
        endpoint: &endpoint,
        identity: init
            .identity
            .as_deref()
            .or((init.role == Role::Csms).then_some("PLUGFEST-1")),
        password: None,
        values: defaults(library.facts(PROTOCOL)),
    };
    if let Endpoint::Station { listen, .. } = &endpoint {
        out.remark(&format!(
            "waiting {} s for a station to dial ws://<this machine>:{}/",
            init.patience,
            listen.port()
        ))?;
    }
    let runtime = super::runtime()?;
    let told = runtime.block_on(async {
        let mut interrupt = signals::interrupt()?;
        tokio::select! {
            told = ask(&whom, Duration::from_secs(init.patience)) => {
                told.map(Some).map_err(|why| Failure::undecided(format!("the device was not reached: {why}")))
            }
            _ = signals::wait(&mut interrupt) => Ok(None),
        }
    });
    runtime.shutdown_background();
    told
}

fn address(init: &Init) -> Result<SocketAddr, Failure> {
    let fixed = || {
        LISTEN
            .parse()
            .map_err(|_| Failure::bug("the address of new profiles is none"))
    };
    init.listen.map_or_else(fixed, Ok)
}

/// The PICS answers that follow from the configuration of a device.
pub(super) fn answers(facts: &Facts, config: &[ConfigValue]) -> BTreeMap<String, Json> {
    if config.is_empty() {
        return BTreeMap::new();
    }
    let one = |(code, asked): (&String, &PicsCode)| {
        let ask = asked.ask.as_ref()?;
        let found = config.iter().find(|it| it.key.eq_ignore_ascii_case(&ask.key));
        let text = found
            .and_then(|it| it.value.as_ref())
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let answer = match (asked.kind, &ask.contains) {
            (PicsKind::Int, _) => Json::from(text?.trim().parse::<i64>().ok()?),
            (PicsKind::Bool, None) => Json::Bool(found.is_some()),
            (PicsKind::Bool, Some(item)) => {
                Json::Bool(text?.split(',').any(|it| it.trim().eq_ignore_ascii_case(item)))
            }
        };
        Some((code.clone(), answer))
    };
    facts.pics.iter().filter_map(one).collect()
}

fn profile(init: &Init, facts: &Facts, told: Option<&Told>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |it: &str| {
        let _always = writeln!(text, "{it}");
    };
    let role = init.role.as_str();
    line(
        "# The profile of a device under test. `plugfest check plugfest.toml` checks it, docs/cli.md explains every key.",
    );
    if let Some(told) = told {
        let words: Vec<String> = told
            .words
            .iter()
            .map(|(key, value)| format!("{key} = {}", quoted(value)))
            .collect();
        line(&format!("# It said of itself: {}", words.join(", ")));
    }
    line("\n[dut]");
    line(&format!("role = \"{role}\""));
    line(&format!("protocol = \"{PROTOCOL}\""));
    let said = told
        .map(|told| told.identity.as_str())
        .filter(|it| !it.is_empty());
    let identity = init.identity.as_deref().or(said);
    match init.role {
        Role::Station => {
            line("# The identity at the end of the URL that the station dials.");
            line(&marked(
                "identity",
                &quoted(identity.unwrap_or("CP001")),
                identity.is_some(),
            ));
            line("# Where we wait for it. It must be told ws://<this machine>:<port>/ as its back office.");
            let listen = init.listen.map_or_else(|| LISTEN.to_owned(), |it| it.to_string());
            line(&format!("listen = \"{listen}\""));
            line("# tls = { cert = \"server.pem\", key = \"server.key\" }");
        }
        Role::Csms => {
            line("# The identities that we may take towards it. As many cases can run at the same time.");
            line(&marked(
                "identities",
                &format!("[{}]", quoted(identity.unwrap_or("PLUGFEST-1"))),
                identity.is_some(),
            ));
            line("# `/` and the identity are appended.");
            let url = init.url.as_deref();
            line(&marked(
                "url",
                &quoted(url.unwrap_or("ws://localhost:9000/ocpp")),
                url.is_some(),
            ));
            line("# tls = { ca = \"roots.pem\", server_name = \"csms.example\" }");
        }
    }
    line("# For HTTP Basic authentication; the user is the identity.");
    line("# password = \"env:STATION_PASSWORD\"");
    line("# The program that is the device, if plugfest is to start and stop it.");
    line("# command = [\"./device\", \"--port\", \"9000\"]");
    line("\n# What cases may use up. Tags are what the CSMS says of them.\n[pools]");
    let answers = told.map(|told| answers(facts, &told.config)).unwrap_or_default();
    let connectors = answers.get("connectors").and_then(Json::as_i64);
    line(&format!("connectors = {}", connectors.unwrap_or(1).max(1)));
    line("\n[pools.tags]");
    let todo = if init.role == Role::Csms {
        "  # TODO: tags that the CSMS knows as such"
    } else {
        ""
    };
    line(&format!("valid = [\"VALID-1\", \"VALID-2\"]{todo}"));
    line("# Used in turn, because a station may remember one as refused.");
    line(
        "invalid = [\"UNKNOWN-1\", \"UNKNOWN-2\", \"UNKNOWN-3\", \"UNKNOWN-4\", \"UNKNOWN-5\", \"UNKNOWN-6\"]",
    );
    line("blocked = [\"BLOCKED-1\"]");
    line("expired = [\"EXPIRED-1\"]");
    line("\n[[pools.groups]]\nparent = \"GROUP\"\ntags = [\"GROUP-1\", \"GROUP-2\"]");
    line("\n# Answers to questions about the device; they decide which cases apply.\n[pics]");
    for (code, asked) in &facts.pics {
        if asked.of.as_deref().is_none_or(|of| of == role) {
            line(&pics_lines(code, asked, answers.get(code)));
        }
    }
    line("\n# How long the device may take, in seconds.\n[timeouts]");
    for name in ["message", "action", "reboot", "long"] {
        let value = facts.values.get(&format!("timeout.{name}"));
        let default = value
            .and_then(|it| it.default.as_ref())
            .map_or_else(|| "30".to_owned(), Json::to_string);
        let meaning = value.map_or("", |it| it.meaning.as_str());
        line(&format!("# {meaning}\n# {name} = {default}"));
    }
    line(
        "\n# What does the actions that need hands or an operator: docs/driver.md. A person does them here.",
    );
    line("[driver]\napi = 1\ndefault = \"person\"\n\n[driver.backends.person]\nkind = \"manual\"");
    line("\n# Failures that are known. Exactly this finding is let pass, and told when it no longer comes.");
    line(
        "# [[expect]]\n# case = \"remote/stop\"\n# rule = \"line/field\"\n# pointer = \"/status\"\n# reason = \"…\"\n# owner = \"…\"",
    );
    text
}

fn pics_lines(code: &str, asked: &PicsCode, answer: Option<&Json>) -> String {
    if let Some(answer) = answer {
        return format!("# {} (the device says so)\n{code} = {answer}", asked.question);
    }
    let default = asked.default.as_ref().map(Json::to_string);
    let guess = match asked.kind {
        PicsKind::Bool => "false",
        PicsKind::Int => "1",
    };
    match default {
        Some(default) => format!("# {}\n# {code} = {default}", asked.question),
        None => format!("# {}\n{code} = {guess}  # TODO", asked.question),
    }
}

fn marked(key: &str, value: &str, known: bool) -> String {
    format!("{key} = {value}{}", if known { "" } else { "  # TODO" })
}

/// A text of TOML; a device's words may hold anything.
fn quoted(text: &str) -> String {
    toml::Value::String(plugfest_reports::one_line(text).into_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn init(role: Role) -> Init {
        Init {
            role,
            listen: None,
            url: None,
            identity: None,
            from_dut: false,
            patience: 1,
            file: "plugfest.toml".into(),
        }
    }

    fn library() -> Library {
        Library::load(cases::embedded(), &cases::natives()).0
    }

    #[test]
    fn what_is_written_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let library = library();
        let hostile = Told {
            identity: "CP\"\n1\u{1b}".to_owned(),
            words: BTreeMap::from([("chargePointModel".to_owned(), "\n[dut]\nrole = \"x\"".to_owned())]),
            ..Told::default()
        };
        for (n, (role, told)) in [
            (Role::Station, None),
            (Role::Csms, None),
            (Role::Station, Some(&hostile)),
        ]
        .into_iter()
        .enumerate()
        {
            let path = folder.path().join(format!("{n}.toml"));
            std::fs::write(&path, profile(&init(role), library.facts(PROTOCOL), told)).unwrap();
            let config = crate::config::load(&path, &library).unwrap_or_else(|failure| panic!("{failure:?}"));
            assert_eq!(config.dut.role(), role.as_str());
        }
    }

    #[test]
    fn a_station_s_configuration_answers_questions() {
        let library = library();
        let value = |key: &str, value: &str| ConfigValue {
            key: key.to_owned(),
            value: Some(Json::from(value)),
            read_only: true,
        };
        let config = [
            value("NumberOfConnectors", "2"),
            value("SupportedFeatureProfiles", "Core, SmartCharging"),
            value("AuthorizationCacheEnabled", "false"),
        ];
        let found = answers(library.facts(PROTOCOL), &config);
        assert_eq!(found["connectors"].as_i64(), Some(2));
        assert_eq!(
            (&found["Core"], &found["SmartCharging"]),
            (&Json::Bool(true), &Json::Bool(true))
        );
        assert_eq!(
            (&found["Reservation"], &found["auth_cache"]),
            (&Json::Bool(false), &Json::Bool(true))
        );
        assert_eq!(found.get("fixed_cable"), None);
        assert!(answers(library.facts(PROTOCOL), &[]).is_empty());
    }
}
