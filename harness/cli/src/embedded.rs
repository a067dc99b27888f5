//! The reference devices inside this process: the default device under test, and the make-ups in which the station
//! comes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plugfest_play::driver::{Backend, BoxFuture, Driver, DriverCall, Support};
use plugfest_play::transport::{Acceptor, Dialer};
use plugfest_protocol::{Json, Object, Timestamp};
use plugfest_reference::csms::{self, Csms, KnownStation, Registration, Tag};
use plugfest_reference::station::{self, Makeup, Reservations, SmartCharging, Station};
use plugfest_trace::Outcome;

use crate::mutants::Flaw;

/// What the played station says to the embedded back office to be let in.
pub(crate) const PASSWORD: &[u8] = b"embedded-station-1";

/// Another station that the embedded back office knows.
const SECOND: (&str, &str) = ("REFERENCE-2", "embedded-station-2");

/// A tag in the books of the embedded back office to which nobody has given a status.
const UNSET_TAG: &str = "04E9123NUL";

/// The identity of the embedded station.
pub(crate) const IDENTITY: &str = "REFERENCE-1";

/// A station in one make-up.
#[derive(Debug, Clone)]
pub(crate) struct Dressed {
    /// Its name in tables: `socket`, `fixed-cable`.
    pub(crate) name: &'static str,
    makeup: Makeup,
}

/// The make-ups of the reference station. Every case of the project applies to at least one of them.
pub(crate) fn makeups() -> Vec<Dressed> {
    let plain = Makeup::default();
    let dressed = |name, makeup| Dressed { name, makeup };
    vec![
        dressed("socket", plain.clone()),
        dressed(
            "fixed-cable",
            Makeup {
                fixed_cable: true,
                lock: false,
                reservations: Reservations::Connector,
                smart_charging: SmartCharging::Current,
                ..plain.clone()
            },
        ),
        dressed(
            "three-connectors",
            Makeup {
                connectors: 3,
                phases: 3,
                ..plain.clone()
            },
        ),
        dressed(
            "battery",
            Makeup {
                battery_backup: true,
                phases: 3,
                smart_charging: SmartCharging::Power,
                ..plain.clone()
            },
        ),
        dressed(
            "no-cache",
            Makeup {
                auth_cache: false,
                local_list: false,
                ..plain.clone()
            },
        ),
        dressed(
            "online-only",
            Makeup {
                offline_start: false,
                reservations: Reservations::Refused,
                ..plain.clone()
            },
        ),
        dressed(
            "no-reader",
            Makeup {
                reader: false,
                ..plain.clone()
            },
        ),
        dressed(
            "core-only",
            Makeup {
                local_list: false,
                remote_trigger: false,
                reservations: Reservations::Absent,
                firmware: false,
                smart_charging: SmartCharging::Absent,
                ..plain
            },
        ),
    ]
}

impl Dressed {
    /// What this make-up answers to the PICS questions.
    pub(crate) fn pics(&self) -> BTreeMap<String, Json> {
        let makeup = &self.makeup;
        let yes = |name: &str, value: bool| (name.to_owned(), Json::Bool(value));
        BTreeMap::from([
            yes("Core", true),
            yes("FirmwareManagement", makeup.firmware),
            yes("LocalAuthListManagement", makeup.local_list),
            yes("Reservation", makeup.reservations.possible()),
            yes("reserve_zero", makeup.reservations == Reservations::Anywhere),
            yes("http_files", makeup.firmware),
            yes("current_limits", makeup.smart_charging.current()),
            yes("power_limits", makeup.smart_charging.power()),
            yes("current_meter", true),
            ("max_stack_level".to_owned(), Json::from(station::MAX_STACK_LEVEL)),
            (
                "max_profiles".to_owned(),
                Json::from(station::MOST_PROFILES as i64),
            ),
            ("max_periods".to_owned(), Json::from(station::MOST_PERIODS as i64)),
            yes("SmartCharging", makeup.smart_charging != SmartCharging::Absent),
            yes("reserve_zero", makeup.reservations == Reservations::Anywhere),
            yes("RemoteTrigger", makeup.remote_trigger),
            ("connectors".to_owned(), Json::from(i64::from(makeup.connectors))),
            yes("fixed_cable", makeup.fixed_cable),
            yes("backup_power", makeup.battery_backup),
            yes("reader", makeup.reader),
            yes("identify_first", makeup.reader),
            yes("auth_cache", makeup.auth_cache),
            yes("local_list", makeup.local_list),
            yes("unknown_offline", makeup.offline_start),
            yes("offline_start", makeup.offline_start),
            yes("stop_on_disconnect", true),
        ])
    }

    /// The `$` values that this make-up needs others of than [`values`] gives.
    pub(crate) fn values(&self) -> Json {
        let mut own = Json::Object(Object::new());
        if !self.makeup.smart_charging.current() && self.makeup.smart_charging.power() {
            for (path, value) in [("rate.unit", Json::from("W")), ("rate.scale", Json::from(1000))] {
                plugfest_play::premise::put(&mut own, path, value);
            }
        }
        own
    }

    /// How many connectors it has.
    #[cfg(test)]
    pub(crate) fn connectors(&self) -> u32 {
        self.makeup.connectors
    }

    /// Switches a station of this make-up on; it dials the hub, and `files` for every file server. The task ends when it is dropped.
    pub(crate) fn start(
        &self,
        dialer: Dialer,
        files: Dialer,
        start: Timestamp,
        seed: u64,
        flaw: &Flaw,
    ) -> Result<Running, String> {
        let mut config = station::Config::new(IDENTITY, start);
        config.defect = flaw.defect;
        config.slip.clone_from(&flaw.slip);
        config.makeup = self.makeup.clone();
        config.seed = seed;
        config.timing.start_up = Duration::from_millis(200);
        config.timing.power_off = Duration::from_millis(500);
        let (station, controls) =
            Station::new(config, move || through(dialer.clone())).map_err(|e| e.to_string())?;
        // There is one file server, whatever it is called.
        let station = station.transferring(move |_: &str| through(files.clone()));
        let task = tokio::spawn(station.run());
        let driver = Driver::builtin(Arc::new(Hands { controls }));
        Ok(Running { task, driver })
    }
}

type Opening = futures_util::future::BoxFuture<'static, std::io::Result<plugfest_reference::BoxStream>>;

/// A stream of ours as the reference devices take them.
fn through(dialer: Dialer) -> Opening {
    Box::pin(async move {
        let (stream, _) = dialer.dial().await?;
        Ok(Box::new(stream) as plugfest_reference::BoxStream)
    })
}

/// An embedded device that runs, and its hands or operator.
#[derive(Debug)]
pub(crate) struct Running {
    task: tokio::task::JoinHandle<()>,
    driver: Driver,
}

impl Running {
    /// Its hands, or its operator.
    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens the embedded back office.
pub(crate) fn csms(acceptor: Acceptor, values: &Json, start: Timestamp, seed: u64, flaw: &Flaw) -> Running {
    let mut config = csms::Config::new(start);
    config.defect = flaw.defect;
    config.slip.clone_from(&flaw.slip);
    config.seed = seed;
    config.tags = tags(values);
    config.stations = [(IDENTITY, PASSWORD), (SECOND.0, SECOND.1.as_bytes())]
        .map(|(identity, password)| KnownStation {
            identity: identity.to_owned(),
            password: Some(password.to_vec()),
            registration: Registration::Accepted,
        })
        .to_vec();
    let office = Csms::new(config);
    let task = tokio::spawn(serve(office.clone(), acceptor));
    let driver = Driver::builtin(Arc::new(Operator {
        office,
        station: IDENTITY.to_owned(),
    }));
    Running { task, driver }
}

async fn serve(office: Csms, mut acceptor: Acceptor) {
    while let Ok(arrival) = acceptor.accept().await {
        let office = office.clone();
        tokio::spawn(async move {
            // A peer that does not get through its own handshake is no loss to an office.
            if let Ok((stream, _)) = arrival.establish().await {
                office.serve_connection(stream).await;
            }
        });
    }
}

/// The tags of `$tag` as the back office knows them.
pub(crate) fn tags(values: &Json) -> Vec<Tag> {
    let Some(pool) = values.get("tag").and_then(Json::as_object) else {
        return Vec::new();
    };
    let group = pool.get("group").and_then(Json::as_str);
    let unset = values.get("tag_unset").and_then(Json::as_str).map(|id| {
        let mut tag = Tag::accepted(id);
        tag.status.clear();
        tag
    });
    pool.iter()
        .filter_map(|(name, id)| {
            let mut tag = Tag::accepted(id.as_str()?);
            match name {
                "invalid" | "group" => return None,
                "expired" => "Expired".clone_into(&mut tag.status),
                "blocked" => "Blocked".clone_into(&mut tag.status),
                "parent1" | "parent2" => tag.parent = group.map(str::to_owned),
                _ => {}
            }
            Some(tag)
        })
        .chain(unset)
        .collect()
}

/// The `$` values of an embedded run that differ from the defaults.
pub(crate) fn values() -> Json {
    let mut tags = Object::new();
    for (name, id) in [
        ("valid", "04E91234AA"),
        ("valid2", "04E91234BB"),
        ("invalid", "0000000000"),
        ("expired", "04E9123EXP"),
        ("blocked", "04E9123BLK"),
        ("parent1", "04E91234P1"),
        ("parent2", "04E91234P2"),
        ("group", "FLEET"),
    ] {
        tags.insert(name, id);
    }
    let mut values = Object::new();
    values.insert("tag", Json::Object(tags));
    values.insert("tag_unset", UNSET_TAG);
    let mut values = Json::Object(values);
    plugfest_play::premise::put(&mut values, "second.identity", Json::from(SECOND.0));
    plugfest_play::premise::put(&mut values, "second.password", Json::from(SECOND.1));
    values
}

/// Intervals for a run on the real clock that nobody wants to wait for.
pub(crate) fn short_intervals() -> Json {
    let seconds = [
        ("heartbeat", 2),
        ("boot.retry", 2),
        ("sample", 2),
        ("aligned", 3),
        ("connection_timeout", 3),
        ("transaction", 2),
        ("timeout.action", 10),
        ("timeout.message", 10),
        ("timeout.reboot", 20),
        ("timeout.long", 20),
    ];
    let mut values = Json::Object(Object::new());
    for (path, value) in seconds {
        plugfest_play::premise::put(&mut values, path, Json::from(value));
    }
    values
}

/// The hands of the embedded station.
struct Hands {
    controls: station::Controls,
}

impl Backend for Hands {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { told(self.controls.perform(&call.verb, &call.args).await) })
    }

    fn supports(&self, verb: &str) -> Support {
        side(verb, "station")
    }
}

/// The operator of the embedded back office.
struct Operator {
    office: Csms,
    station: String,
}

impl Backend for Operator {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let mut args = call.args.clone();
            if let Some(object) = args.as_object_mut()
                && !object.contains_key("station")
            {
                object.insert("station", self.station.as_str());
            }
            told(self.office.perform(&call.verb, &args).await)
        })
    }

    fn supports(&self, verb: &str) -> Support {
        side(verb, "csms")
    }
}

fn side(verb: &str, side: &str) -> Support {
    match plugfest_case::verbs::find(verb).and_then(plugfest_case::verbs::VerbSpec::role) {
        Some(owner) if owner == side => Support::Unknown,
        _ => Support::No,
    }
}

fn told(outcome: plugfest_reference::Outcome) -> Outcome {
    match outcome {
        plugfest_reference::Outcome::Done => Outcome::Done,
        plugfest_reference::Outcome::Returned(value) => Outcome::Returned { value },
        plugfest_reference::Outcome::Unsupported => Outcome::Unsupported {
            why: "this make-up has no such part".to_owned(),
        },
        plugfest_reference::Outcome::Failed(why) => Outcome::Failed { why },
    }
}
