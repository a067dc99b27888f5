//! From the form to the types: everything that a reader of TOML cannot know.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use plugfest_case::Library;
use plugfest_case::diagnostic::did_you_mean;
use plugfest_case::facts::{Facts, PicsKind, ValueKind};
use plugfest_judge::rules;
use plugfest_play::driver::{Driver, Hands};
use plugfest_play::process::ProcessConfig;
use plugfest_play::transport::{ClientTls, Scheme, ServerTls, Target};
use plugfest_protocol::{Edition, Json};

use super::form::{
    DutForm, ExpectForm, FilesForm, Form, PoolsForm, RoleForm, TimeoutsForm, TlsForm, ToleranceForm,
};
use super::place::Fault;
use super::{Config, Dut, Endpoint, FilesAt, Pools, Secret};
use crate::commands::explain;
use crate::expect::Expect;

/// The longest deadline, in seconds: a week.
const MAX_SECONDS: f64 = 604_800.0;
/// The most connectors of a pool.
const MAX_CONNECTORS: u32 = 1_000;
/// What says that a secret stands in the environment.
const ENVIRONMENT: &str = "env:";

/// Collects what is wrong.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    /// The value at a path is at fault.
    fn value(&mut self, path: &[&str], message: impl Into<String>) -> &mut Fault {
        self.push(path, false, message.into())
    }

    /// The key at a path is at fault.
    fn key(&mut self, path: &[&str], message: impl Into<String>) -> &mut Fault {
        self.push(path, true, message.into())
    }

    fn push(&mut self, path: &[&str], key: bool, message: String) -> &mut Fault {
        let path = path.iter().map(|&part| part.to_owned()).collect();
        self.0.push(Fault {
            path,
            key,
            message,
            hint: None,
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

impl Fault {
    fn hint(&mut self, hint: impl Into<Option<String>>) {
        self.hint = hint.into();
    }
}

/// A profile of a form, or all that is wrong with it.
pub(super) fn convert(
    path: &Path,
    form: Form,
    library: &Library,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Fault>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut faults = Faults::default();
    let mut secrets = BTreeMap::new();
    for (name, value) in &form.secrets {
        if let Some(value) = secret(&["secrets", name], value, environment, &mut faults) {
            secrets.insert(name.clone(), value);
        }
    }
    let edition = edition(&form.dut.protocol, &mut faults);
    let facts = library.facts(&form.dut.protocol);
    let known = edition.is_some();
    let pools = pools(form.pools, &mut faults);
    let mut pics = pics(&form.pics, facts, known, &mut faults);
    // How many may be used is how many there are, unless the profile says otherwise.
    pics.entry("connectors".to_owned())
        .or_insert_with(|| Json::from(pools.connectors));
    let files = form.files.and_then(|files| {
        if form.dut.role == RoleForm::Csms {
            faults
                .key(&["files"], "only a station is sent to a file server")
                .hint("remove it".to_owned());
        }
        files_at(files, folder, &mut faults)
    });
    let config = Config {
        files,
        path: path.to_owned(),
        pools,
        values: values(form.values, facts, known, &mut faults),
        pics,
        timeouts: timeouts(form.timeouts, edition, &mut faults),
        tolerance: tolerance(&form.tolerance, &mut faults),
        expect: expect(form.expect, library, &mut faults),
        dut: match dut(form.dut, folder, edition, &mut secrets, environment, &mut faults) {
            Some(dut) => dut,
            None => return Err(faults.0),
        },
        driver: form.driver,
        secrets,
    };
    if let Some(driver) = &config.driver
        && let Err(error) = Driver::new(driver, &Hands::default())
    {
        let path = dotted(&error.at);
        faults.key(&path.iter().map(String::as_str).collect::<Vec<_>>(), error.what);
    }
    if faults.0.is_empty() {
        Ok(config)
    } else {
        Err(faults.0)
    }
}

fn files_at(form: FilesForm, folder: &Path, faults: &mut Faults) -> Option<FilesAt> {
    let Ok(listen) = form.listen.parse::<SocketAddr>() else {
        let listen = &form.listen;
        faults
            .value(&["files", "listen"], format!("`{listen}` is no address"))
            .hint("write `0.0.0.0:8080`".to_owned());
        return None;
    };
    match &form.url {
        Some(url) => {
            if let Err(error) = Target::parse(url, &[Scheme::Http]) {
                faults.value(&["files", "url"], error.to_string());
            }
        }
        None if listen.ip().is_unspecified() => {
            faults
                .key(
                    &["files"],
                    "there is no `url`, and `listen` names no single interface",
                )
                .hint("write `url = \"http://HOST:PORT\"` as the station reaches this machine".to_owned());
        }
        None => {}
    }
    let firmware = form.firmware.map(|path| folder.join(path));
    if let Some(path) = firmware.as_ref().filter(|path| !path.is_file()) {
        faults.value(
            &["files", "firmware"],
            format!("there is no file {}", path.display()),
        );
    }
    Some(FilesAt {
        listen,
        url: form.url,
        firmware,
    })
}

fn edition(name: &str, faults: &mut Faults) -> Option<&'static Edition> {
    let found = Edition::by_name(name);
    if found.is_none() {
        let names: Vec<&str> = Edition::names().collect();
        let near = did_you_mean(name, names.iter().copied())
            .unwrap_or_else(|| format!("there is {}", names.join(", ")));
        faults
            .value(&["dut", "protocol"], format!("no edition `{name}`"))
            .hint(near);
    }
    found
}

fn dut(
    form: DutForm,
    folder: &Path,
    edition: Option<&'static Edition>,
    secrets: &mut BTreeMap<String, Secret>,
    environment: &dyn Fn(&str) -> Option<String>,
    faults: &mut Faults,
) -> Option<Dut> {
    let before = faults.0.len();
    let identities = identities(&form, faults);
    for (id, value) in &form.passwords {
        if identities.contains(id) {
            let value = secret(&["dut", "passwords", id], value, environment, faults);
            secrets.extend(value.map(|value| (Dut::password_name(id), value)));
        } else {
            let near = did_you_mean(id, identities.iter().map(String::as_str));
            faults
                .key(
                    &["dut", "passwords", id],
                    format!("`{id}` is none of the identities"),
                )
                .hint(near);
        }
    }
    if let Some(value) = &form.password
        && let Some(value) = secret(&["dut", "password"], value, environment, faults)
    {
        for id in &identities {
            secrets
                .entry(Dut::password_name(id))
                .or_insert_with(|| value.clone());
        }
    }
    let process = process(&form, folder, faults);
    let endpoint = endpoint(form, folder, faults);
    if faults.0.len() > before {
        return None;
    }
    Some(Dut {
        edition: edition?,
        endpoint: endpoint?,
        identities,
        process,
    })
}

fn identities(form: &DutForm, faults: &mut Faults) -> Vec<String> {
    let found = match (&form.identity, &form.identities) {
        (Some(_), Some(_)) => {
            faults.key(
                &["dut", "identities"],
                "`identity` and `identities` exclude each other",
            );
            return Vec::new();
        }
        (Some(one), None) => vec![(vec!["dut", "identity"], one)],
        (None, Some(many)) => many.iter().map(|one| (vec!["dut", "identities"], one)).collect(),
        (None, None) => Vec::new(),
    };
    if found.is_empty() {
        faults.key(&["dut"], "there is no `identity`");
    }
    if form.role == RoleForm::Station && found.len() > 1 {
        faults
            .value(&["dut", "identities"], "a station has one identity")
            .hint("write `identity = \"…\"`".to_owned());
    }
    let mut seen = BTreeSet::new();
    for (path, id) in &found {
        if id.is_empty() || id.chars().any(char::is_control) {
            faults.value(
                path,
                if id.is_empty() {
                    "the identity is empty"
                } else {
                    "the identity has control characters"
                },
            );
        } else if !seen.insert(id.as_str()) {
            faults.value(path, format!("`{id}` stands there twice"));
        }
    }
    found.into_iter().map(|(_, id)| id.clone()).collect()
}

fn process(form: &DutForm, folder: &Path, faults: &mut Faults) -> Option<ProcessConfig> {
    let Some(command) = &form.command else {
        let lonely = [("env", !form.env.is_empty()), ("cwd", form.cwd.is_some())];
        for (key, _) in lonely.iter().filter(|(_, given)| *given) {
            faults.key(&["dut", key], format!("`{key}` means nothing without `command`"));
        }
        return None;
    };
    if command.first().is_none_or(String::is_empty) {
        faults
            .value(&["dut", "command"], "the command is empty")
            .hint("write [\"program\", \"argument\"]".to_owned());
        return None;
    }
    let cwd = form.cwd.as_ref().map(|cwd| folder.join(cwd));
    Some(ProcessConfig {
        command: command.clone(),
        env: form.env.clone(),
        cwd,
    })
}

fn endpoint(form: DutForm, folder: &Path, faults: &mut Faults) -> Option<Endpoint> {
    let tls_given = form.tls.is_some();
    let tls = form.tls.unwrap_or_default();
    match form.role {
        RoleForm::Station => {
            if form.url.is_some() {
                faults
                    .key(&["dut", "url"], "a station dials us and has no `url`")
                    .hint("write `listen = \"0.0.0.0:9000\"` and give the station our URL".to_owned());
                return None;
            }
            let Some(listen) = form.listen else {
                faults
                    .key(&["dut"], "there is no `listen`")
                    .hint("write `listen = \"0.0.0.0:9000\"`".to_owned());
                return None;
            };
            let Ok(address) = listen.parse() else {
                faults
                    .value(&["dut", "listen"], format!("`{listen}` is no address"))
                    .hint("write `0.0.0.0:9000` for port 9000 of every interface, `127.0.0.1:9000` for this machine alone".to_owned());
                return None;
            };
            let tls = if tls_given {
                server_tls(tls, folder, faults)
            } else {
                None
            };
            Some(Endpoint::Station { listen: address, tls })
        }
        RoleForm::Csms => {
            if form.listen.is_some() {
                faults.key(
                    &["dut", "listen"],
                    "we dial a CSMS, so that there is nothing to listen for",
                );
                return None;
            }
            let Some(url) = form.url else {
                faults
                    .key(&["dut"], "there is no `url`")
                    .hint("write `url = \"ws://host:port/path\"`".to_owned());
                return None;
            };
            let target = match Target::parse(&url, &Scheme::WEB_SOCKET) {
                Ok(target) => target,
                Err(error) => {
                    faults.value(&["dut", "url"], error.to_string());
                    return None;
                }
            };
            if tls_given && !target.scheme.is_tls() {
                faults.key(
                    &["dut", "tls"],
                    "the URL is not `wss://`, so that there is no TLS",
                );
            }
            for (key, given) in [("cert", &tls.cert), ("key", &tls.key)] {
                if given.is_some() {
                    faults.key(
                        &["dut", "tls", key],
                        format!("`{key}` is for a station under test; towards a CSMS we show no certificate"),
                    );
                }
            }
            let tls = ClientTls {
                ca: tls.ca.map(|ca| folder.join(ca)),
                server_name: tls.server_name,
            };
            Some(Endpoint::Csms { target, tls })
        }
    }
}

fn server_tls(form: TlsForm, folder: &Path, faults: &mut Faults) -> Option<ServerTls> {
    for (key, given) in [
        ("ca", form.ca.is_some()),
        ("server_name", form.server_name.is_some()),
    ] {
        if given {
            faults.key(&["dut", "tls", key], format!("`{key}` is for a CSMS under test"));
        }
    }
    let both = |cert: PathBuf, key: PathBuf| ServerTls {
        cert: folder.join(cert),
        key: folder.join(key),
    };
    match (form.cert, form.key) {
        (Some(cert), Some(key)) => Some(both(cert, key)),
        _ => {
            faults.key(
                &["dut", "tls"],
                "towards a station TLS needs both `cert` and `key`",
            );
            None
        }
    }
}

fn secret(
    path: &[&str],
    written: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    faults: &mut Faults,
) -> Option<Secret> {
    let value = match written.strip_prefix(ENVIRONMENT) {
        None => Some(written.to_owned()),
        Some(variable) => {
            let value = environment(variable);
            if value.is_none() {
                faults.value(
                    path,
                    format!("the environment variable {variable} is not set, or is not UTF-8"),
                );
            }
            value
        }
    }?;
    if value.is_empty() {
        faults.value(path, "the secret is empty");
        return None;
    }
    Some(Secret(value))
}

fn pools(form: PoolsForm, faults: &mut Faults) -> Pools {
    let connectors = form.connectors.unwrap_or(1);
    if connectors == 0 || connectors > MAX_CONNECTORS {
        faults.value(
            &["pools", "connectors"],
            format!("a pool has 1 to {MAX_CONNECTORS} connectors"),
        );
    }
    let mut seen = BTreeSet::new();
    let mut look = |path: &[&str], tags: &[String], faults: &mut Faults| {
        for tag in tags {
            if tag.is_empty() {
                faults.value(path, "a tag is empty");
            } else if !seen.insert(tag.to_lowercase()) {
                faults.value(path, format!("the tag `{tag}` stands in the pools twice"));
            }
        }
    };
    let tags = form.tags;
    let tags = [
        ("valid", tags.valid),
        ("invalid", tags.invalid),
        ("blocked", tags.blocked),
        ("expired", tags.expired),
    ];
    for (kind, tags) in &tags {
        look(&["pools", "tags", kind], tags, faults);
    }
    for (n, group) in form.groups.iter().enumerate() {
        let n = n.to_string();
        look(&["pools", "groups", &n, "tags"], &group.tags, faults);
        if group.tags.len() < 2 {
            faults.value(&["pools", "groups", &n, "tags"], "a group has at least two tags");
        }
        if group.parent.is_empty() {
            faults.value(&["pools", "groups", &n, "parent"], "the parent is empty");
        }
    }
    Pools {
        connectors,
        tags: BTreeMap::from(tags),
        groups: form
            .groups
            .into_iter()
            .map(|group| (group.parent, group.tags))
            .collect(),
    }
}

fn values(
    form: BTreeMap<String, toml::Value>,
    facts: &Facts,
    known: bool,
    faults: &mut Faults,
) -> BTreeMap<String, Json> {
    let mut found = BTreeMap::new();
    for (name, value) in form {
        value_below(
            &mut vec!["values".to_owned(), name.clone()],
            &name,
            value,
            facts,
            known,
            faults,
            &mut found,
        );
    }
    found
}

/// One value, or a table whose keys go on the path: `unknown.connector = 9`.
fn value_below(
    at: &mut Vec<String>,
    name: &str,
    value: toml::Value,
    facts: &Facts,
    known: bool,
    faults: &mut Faults,
    found: &mut BTreeMap<String, Json>,
) {
    if let toml::Value::Table(table) = value {
        for (key, value) in table {
            at.push(key.clone());
            value_below(at, &format!("{name}.{key}"), value, facts, known, faults, found);
            at.pop();
        }
        return;
    }
    let path: Vec<&str> = at.iter().map(String::as_str).collect();
    if name.starts_with("timeout.") || name.starts_with("tolerance.") || name.starts_with("tag.") {
        let hint = "deadlines stand in [timeouts], tolerances in [tolerance], tags in [pools.tags]";
        faults
            .key(&path, format!("`${name}` is not set here"))
            .hint(hint.to_owned());
        return;
    }
    let Some(declared) = facts.value(&name.split('.').map(str::to_owned).collect::<Vec<_>>()) else {
        // Without an edition nothing is known, and that is said already.
        if known {
            let names: Vec<&str> = facts.values.keys().map(String::as_str).collect();
            faults
                .key(&path, format!("OCPP-1.6 has no value `${name}`"))
                .hint(did_you_mean(name, names));
        }
        return;
    };
    match declared.kind.map_or(Ok(()), |kind| fits(kind, &value)) {
        Ok(()) => {
            found.insert(name.to_owned(), json(&value));
        }
        Err(what) => {
            faults.value(&path, format!("`${name}` is {what}: {}", declared.meaning));
        }
    }
}

fn fits(kind: ValueKind, value: &toml::Value) -> Result<(), &'static str> {
    let positive = |number: f64| (0.0..=MAX_SECONDS).contains(&number);
    match (kind, value) {
        (ValueKind::Text, toml::Value::String(_))
        | (ValueKind::Int, toml::Value::Integer(_))
        | (ValueKind::Bool, toml::Value::Boolean(_))
        | (ValueKind::List, toml::Value::Array(_)) => Ok(()),
        (ValueKind::Seconds, toml::Value::Integer(n)) if positive(*n as f64) => Ok(()),
        (ValueKind::Seconds, toml::Value::Float(n)) if positive(*n) => Ok(()),
        (ValueKind::Text, _) => Err("a text"),
        (ValueKind::Int, _) => Err("a whole number"),
        (ValueKind::Bool, _) => Err("true or false"),
        (ValueKind::List, _) => Err("a list"),
        (ValueKind::Seconds, _) => Err("a number of seconds"),
    }
}

fn pics(
    form: &BTreeMap<String, toml::Value>,
    facts: &Facts,
    known: bool,
    faults: &mut Faults,
) -> BTreeMap<String, Json> {
    let mut found = BTreeMap::new();
    for (code, answer) in form {
        let Some(declared) = facts.pics.get(code) else {
            if known {
                let near = did_you_mean(code, facts.pics.keys().map(String::as_str));
                faults
                    .key(&["pics", code], format!("no PICS code `{code}`"))
                    .hint(near);
            }
            continue;
        };
        let expected = match (declared.kind, answer) {
            (PicsKind::Bool, toml::Value::Boolean(_)) | (PicsKind::Int, toml::Value::Integer(_)) => None,
            (PicsKind::Bool, _) => Some("true or false"),
            (PicsKind::Int, _) => Some("a whole number"),
        };
        match expected {
            None => {
                found.insert(code.clone(), json(answer));
            }
            Some(expected) => faults
                .value(&["pics", code], format!("`{code}` is answered with {expected}"))
                .hint(declared.question.clone()),
        }
    }
    found
}

fn timeouts(form: TimeoutsForm, edition: Option<&Edition>, faults: &mut Faults) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let general = [
        ("message", form.message),
        ("action", form.action),
        ("reboot", form.reboot),
        ("long", form.long),
    ];
    for (name, seconds) in general {
        found.extend(
            seconds
                .and_then(|it| checked(&["timeouts", name], it, faults))
                .map(|it| (name.to_owned(), it)),
        );
    }
    for (action, seconds) in form.actions {
        let path = ["timeouts", "actions", action.as_str()];
        if let Some(edition) = edition
            && edition.action(&action).is_none()
        {
            let near = did_you_mean(&action, edition.actions().iter().map(|it| it.name.as_str()));
            faults
                .key(&path, format!("{} has no action `{action}`", edition.name()))
                .hint(near);
        }
        if let Some(seconds) = checked(&path, seconds, faults) {
            found.insert(action, seconds);
        }
    }
    found
}

fn tolerance(form: &ToleranceForm, faults: &mut Faults) -> BTreeMap<String, f64> {
    let given = [("clock", form.clock), ("early", form.early), ("late", form.late)];
    let mut found = BTreeMap::new();
    for (name, seconds) in given {
        found.extend(
            seconds
                .and_then(|it| checked(&["tolerance", name], it, faults))
                .map(|it| (name.to_owned(), it)),
        );
    }
    found
}

fn checked(path: &[&str], seconds: f64, faults: &mut Faults) -> Option<f64> {
    if (0.0..=MAX_SECONDS).contains(&seconds) {
        return Some(seconds);
    }
    faults.value(
        path,
        format!("this is a number of seconds between 0 and {MAX_SECONDS}"),
    );
    None
}

fn expect(form: Vec<ExpectForm>, library: &Library, faults: &mut Faults) -> Vec<Expect> {
    let mut found = Vec::new();
    for (n, expect) in form.into_iter().enumerate() {
        let n = n.to_string();
        let at = |key: &'static str| ["expect", n.as_str(), key];
        if library.case(&expect.case).is_none() {
            let near = did_you_mean(&expect.case, library.cases().map(|it| it.case.id.as_str()));
            let near = near.unwrap_or_else(|| "an expected failure names one case, without `*`".to_owned());
            faults
                .value(&at("case"), format!("no case `{}`", expect.case))
                .hint(near);
        }
        if rules::find(&expect.rule).is_none() && explain::line_rule(&expect.rule).is_none() {
            let names = rules::all()
                .iter()
                .map(|rule| rule.id)
                .chain(explain::line_rules());
            let near = did_you_mean(&expect.rule, names);
            let near =
                near.unwrap_or_else(|| "an expected failure names one rule, as the finding does".to_owned());
            faults
                .value(&at("rule"), format!("no rule `{}`", expect.rule))
                .hint(near);
        }
        if expect
            .pointer
            .as_ref()
            .is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/'))
        {
            faults.value(&at("pointer"), "a JSON pointer begins with `/`");
        }
        for (key, text) in [("reason", &expect.reason), ("owner", &expect.owner)] {
            if text.trim().is_empty() {
                faults.value(&at(key), format!("the {key} is empty"));
            }
        }
        let ExpectForm {
            case,
            variant,
            rule,
            pointer,
            reason,
            owner,
        } = expect;
        found.push(Expect {
            case,
            variant,
            rule,
            pointer,
            reason,
            owner,
        });
    }
    found
}

fn json(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::from(text.as_str()),
        toml::Value::Integer(n) => Json::from(*n),
        toml::Value::Boolean(b) => Json::Bool(*b),
        toml::Value::Array(items) => Json::Array(items.iter().map(json).collect()),
        // Numbers with a fraction, dates and tables have the text of JSON, or none that a case could name.
        other => Json::parse(&other.to_string()).unwrap_or_else(|_| Json::from(other.to_string().as_str())),
    }
}

/// The parts of `driver.verbs."ev.plug"`.
fn dotted(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (part, tail) = match rest.strip_prefix('"').and_then(|inner| inner.split_once('"')) {
            Some((quoted, tail)) => (quoted, tail.strip_prefix('.').unwrap_or(tail)),
            None => rest.split_once('.').unwrap_or((rest, "")),
        };
        parts.push(part.to_owned());
        rest = tail;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::dotted;

    #[test]
    fn dotted_paths_come_apart() {
        assert_eq!(dotted("driver.verbs.\"ev.plug\""), ["driver", "verbs", "ev.plug"]);
        assert_eq!(dotted("driver.api"), ["driver", "api"]);
        assert_eq!(
            dotted("driver.verbs.\"ev.plug\".x"),
            ["driver", "verbs", "ev.plug", "x"]
        );
    }
}
