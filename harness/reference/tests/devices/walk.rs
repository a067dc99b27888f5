//! Random walks: hands and operator do anything in any order, and what the tap saw must still make sense.

use std::collections::{BTreeMap, BTreeSet};

use plugfest_protocol::{Edition, Frame, Json, Part, Role, object};
use plugfest_reference::Outcome;
use plugfest_reference::station::Makeup;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::shelf::{Meet, Shelf};
use crate::world::{World, csms_config, station_config};

/// The transitions of OCPP 1.6 §4.9 with B6 of the errata.
const LEGAL: [(&str, &[&str]); 9] = [
    (
        "Available",
        &[
            "Preparing",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Reserved",
            "Unavailable",
            "Faulted",
        ],
    ),
    ("Reserved", &["Available", "Preparing", "Unavailable", "Faulted"]),
    (
        "Preparing",
        &[
            "Available",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Finishing",
            "Faulted",
        ],
    ),
    (
        "Charging",
        &[
            "Available",
            "SuspendedEV",
            "SuspendedEVSE",
            "Finishing",
            "Unavailable",
            "Faulted",
        ],
    ),
    (
        "SuspendedEV",
        &[
            "Available",
            "Charging",
            "SuspendedEVSE",
            "Finishing",
            "Unavailable",
            "Faulted",
        ],
    ),
    (
        "SuspendedEVSE",
        &[
            "Available",
            "Charging",
            "SuspendedEV",
            "Finishing",
            "Unavailable",
            "Faulted",
        ],
    ),
    ("Finishing", &["Available", "Preparing", "Unavailable", "Faulted"]),
    (
        "Unavailable",
        &[
            "Available",
            "Preparing",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Faulted",
        ],
    ),
    (
        "Faulted",
        &[
            "Available",
            "Preparing",
            "Charging",
            "SuspendedEV",
            "SuspendedEVSE",
            "Finishing",
            "Reserved",
            "Unavailable",
        ],
    ),
];

const TAGS: [&str; 5] = ["ALICE", "BOB", "GROUP1", "GROUP2", "BLOCKED"];

async fn step(world: &World, rng: &mut ChaCha8Rng, connectors: u32) {
    let connector = rng.random_range(1..=connectors);
    let here = object! { "connector": connector };
    let tag = *TAGS.choose(rng).unwrap();
    let token = if rng.random() {
        object! { "token": tag }
    } else {
        object! { "token": tag, "connector": connector }
    };
    let kind = if rng.random() { "Soft" } else { "Hard" };
    let availability = if rng.random_range(0..3) > 0 {
        "Operative"
    } else {
        "Inoperative"
    };
    let transaction = rng.random_range(100..110);
    // Plugs and tokens are what life is made of; the rest is weather.
    match rng.random_range(0..132) {
        0..35 => hands(world, "ev.plug", here).await,
        35..75 => hands(world, "token.present", token).await,
        75..92 => hands(world, "ev.unplug", here).await,
        92..94 => hands(world, "ev.unplug_at_evse", here).await,
        94 => hands(world, "ev.plug_half", here).await,
        95 => hands(world, "ev.suspend", here).await,
        96..98 => hands(world, "ev.resume", here).await,
        98 => hands(world, "user.stop", here).await,
        99 => hands(world, "lock.fail", here).await,
        100..102 => hands(world, "lock.clear", here).await,
        102 => hands(world, "fault.inject", here).await,
        103..106 => hands(world, "fault.clear", here).await,
        106 => hands(world, "net.down", object! {}).await,
        107..110 => hands(world, "net.up", object! {}).await,
        110 => hands(world, "station.power_cycle", object! {}).await,
        111 => ask(world, "Reset", object! { "type": kind }).await,
        112 => ask(world, "UnlockConnector", object! { "connectorId": connector }).await,
        113 | 114 => {
            let payload = object! { "connectorId": rng.random_range(0..=connectors), "type": availability };
            ask(world, "ChangeAvailability", payload).await;
        }
        115 => ask(world, "RemoteStartTransaction", object! { "idTag": tag }).await,
        116 => {
            ask(
                world,
                "RemoteStartTransaction",
                object! { "idTag": tag, "connectorId": connector },
            )
            .await;
        }
        117 => {
            ask(
                world,
                "RemoteStopTransaction",
                object! { "transactionId": transaction },
            )
            .await;
        }
        118 => ask(world, "ChangeConfiguration", any_setting(rng)).await,
        119..123 => {
            let tens = rng.random_range(0..6);
            let payload = object! {
                "connectorId": rng.random_range(0..=connectors),
                "expiryDate": format!("2024-05-01T12:{tens}5:00Z"),
                "idTag": tag,
                "reservationId": rng.random_range(1..4),
            };
            ask(world, "ReserveNow", payload).await;
        }
        124 => {
            let payload =
                object! { "location": "http://files.test/x", "retrieveDate": "2024-05-01T12:00:00Z" };
            ask(world, "UpdateFirmware", payload).await;
        }
        125 => {
            let payload = object! { "location": "http://files.test/" };
            ask(world, "GetDiagnostics", payload).await;
        }
        126..130 => ask(world, "SetChargingProfile", any_limit(rng, connectors)).await,
        130 => {
            let payload = object! { "stackLevel": rng.random_range(0..2) };
            ask(world, "ClearChargingProfile", payload).await;
        }
        123 => {
            let payload = object! { "reservationId": rng.random_range(1..4) };
            ask(world, "CancelReservation", payload).await;
        }
        _ => {
            ask(
                world,
                "TriggerMessage",
                object! { "requestedMessage": "StatusNotification" },
            )
            .await;
        }
    }
    if rng.random_range(0..3) == 0 {
        world.pass(rng.random_range(1..90)).await;
    }
}

fn any_limit(rng: &mut ChaCha8Rng, connectors: u32) -> Json {
    let (connector, purpose) = *[
        (0, "ChargePointMaxProfile"),
        (0, "TxDefaultProfile"),
        (rng.random_range(1..=connectors), "TxProfile"),
    ]
    .choose(rng)
    .unwrap();
    let periods: Vec<Json> = [0, 60, 300]
        .map(|start| object! { "startPeriod": start, "limit": *[0, 6, 32].choose(rng).unwrap() })
        .to_vec();
    let profile = object! {
        "chargingProfileId": rng.random_range(1..9),
        "stackLevel": rng.random_range(0..2),
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": object! {
            "duration": 600,
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": periods,
        },
    };
    object! { "connectorId": connector, "csChargingProfiles": profile }
}

fn any_setting(rng: &mut ChaCha8Rng) -> Json {
    let (key, values): (&str, [&str; 2]) = *[
        ("StopTransactionOnEVSideDisconnect", ["true", "false"]),
        ("UnlockConnectorOnEVSideDisconnect", ["true", "false"]),
        ("StopTransactionOnInvalidId", ["true", "false"]),
        ("AuthorizeRemoteTxRequests", ["true", "false"]),
        ("LocalPreAuthorize", ["true", "false"]),
        ("AllowOfflineTxForUnknownId", ["true", "false"]),
        ("MaxEnergyOnInvalidId", ["0", "40"]),
        ("MeterValueSampleInterval", ["0", "20"]),
        ("ClockAlignedDataInterval", ["0", "60"]),
    ]
    .choose(rng)
    .unwrap();
    object! { "key": key, "value": *values.choose(rng).unwrap() }
}

/// Hands may find that it cannot be done.
async fn hands(world: &World, verb: &str, args: Json) {
    let _outcome: Outcome = world.controls.perform(verb, &args).await;
    world.settle().await;
}

/// The operator may find nobody there.
async fn ask(world: &World, action: &str, payload: Json) {
    let args = object! { "action": action, "payload": payload };
    let _outcome: Outcome = world.csms.perform("csms.call", &args).await;
    world.settle().await;
}

fn text<'a>(payload: &'a Json, field: &str) -> &'a str {
    payload.get(field).and_then(Json::as_str).unwrap_or_default()
}

fn whole(payload: &Json, field: &str) -> i64 {
    payload.get(field).and_then(Json::as_i64).unwrap_or(i64::MIN)
}

/// What must hold of every walk.
#[derive(Default)]
struct Sense {
    /// Ids that wait for an answer, with the side that asked.
    open: BTreeMap<String, (bool, String)>,
    status: BTreeMap<i64, String>,
    register: BTreeMap<i64, i64>,
    /// Connector of each transaction that is open, by id.
    running: BTreeMap<i64, i64>,
    starting: BTreeMap<String, i64>,
    started: BTreeSet<i64>,
    stopped: BTreeSet<i64>,
    changes: usize,
}

impl Sense {
    fn see(&mut self, frame: &Frame) -> Result<(), String> {
        match frame {
            Frame::Call { id, action, payload } => {
                let known = Edition::ocpp16()
                    .action(action)
                    .ok_or("an action that does not exist")?;
                let from_station = known.may_be_sent_by(Role::STATION, Part::Request);
                if let Some((_, earlier)) = self.open.values().find(|(station, _)| *station == from_station) {
                    // A broken line or a boot ends what was open; on one line, nothing may be open twice.
                    let fresh = matches!(action.as_str(), "BootNotification");
                    if !fresh {
                        return Err(format!("{action} while {earlier} is open"));
                    }
                }
                self.open.insert(id.clone(), (from_station, action.clone()));
                self.call(id, action, payload)
            }
            Frame::CallResult { id, payload } => {
                self.open.remove(id);
                if let (Some(connector), Some(transaction)) = (
                    self.starting.remove(id),
                    payload.get("transactionId").and_then(Json::as_i64),
                ) {
                    if let Some((other, _)) = self.running.iter().find(|(_, at)| **at == connector) {
                        return Err(format!("{transaction} starts where {other} runs"));
                    }
                    self.running.insert(transaction, connector);
                    self.started.insert(transaction);
                }
                Ok(())
            }
            Frame::CallError { code, .. } => Err(format!("a CALLERROR {code} between honest devices")),
        }
    }

    fn call(&mut self, id: &str, action: &str, payload: &Json) -> Result<(), String> {
        match action {
            "BootNotification" => {
                self.status.clear();
                self.open.retain(|open, _| open == id);
            }
            "StatusNotification" => {
                let status = text(payload, "status").to_owned();
                let before = self.status.insert(whole(payload, "connectorId"), status.clone());
                if let Some(before) = before.filter(|before| *before != status) {
                    self.changes += 1;
                    let (_, allowed) = LEGAL
                        .iter()
                        .find(|(from, _)| *from == before)
                        .ok_or("no such status")?;
                    if !allowed.contains(&status.as_str()) {
                        return Err(format!("{before} to {status}"));
                    }
                }
            }
            "StartTransaction" => {
                let connector = whole(payload, "connectorId");
                self.starting.insert(id.to_owned(), connector);
                self.reads(connector, whole(payload, "meterStart"))?;
            }
            "StopTransaction" => {
                let transaction = whole(payload, "transactionId");
                let Some(connector) = self.running.remove(&transaction) else {
                    return Err(format!("{transaction} is stopped but does not run"));
                };
                self.stopped.insert(transaction);
                self.reads(connector, whole(payload, "meterStop"))?;
            }
            "MeterValues" => {
                let connector = whole(payload, "connectorId");
                if let Some(transaction) = payload.get("transactionId").and_then(Json::as_i64)
                    && self.running.get(&transaction) != Some(&connector)
                {
                    return Err(format!(
                        "values of {transaction}, which does not run at {connector}"
                    ));
                }
                let value = payload
                    .pointer("/meterValue/0/sampledValue/0/value")
                    .and_then(Json::as_str);
                self.reads(
                    connector,
                    value.and_then(|value| value.parse().ok()).ok_or("no value")?,
                )?;
            }
            _ => {}
        }
        Ok(())
    }

    fn reads(&mut self, connector: i64, register: i64) -> Result<(), String> {
        match self.register.insert(connector, register) {
            Some(before) if before > register => {
                Err(format!("the register fell from {before} to {register}"))
            }
            _ => Ok(()),
        }
    }
}

async fn walk(seed: u64, makeup: Makeup) -> Seen {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let connectors = makeup.connectors;
    let mut config = station_config();
    config.makeup = makeup;
    config.seed = seed;
    let image = |at: u64| match at % 3 {
        0 => Meet::Answer(200, b"plugfest firmware\n".to_vec()),
        1 => Meet::Answer(200, Vec::new()),
        _ => Meet::Cut,
    };
    let shelf = Shelf::of((0..40).map(image));
    let world = World::served(config, csms_config(), &shelf).booted().await;
    for _ in 0..130 {
        step(&world, &mut rng, connectors).await;
    }
    // In the end everything is mended, and everything that was left to be said gets said.
    for (verb, args) in [("net.up", object! {}), ("station.start", object! {})] {
        world.controls.perform(verb, &args).await;
    }
    world.pass(200).await;
    for connector in 1..=connectors {
        for verb in ["fault.clear", "lock.clear", "user.stop"] {
            world
                .controls
                .perform(verb, &object! { "connector": connector })
                .await;
        }
    }
    world.pass(200).await;
    let mut sense = Sense::default();
    let frames = world.take();
    for (at, frame) in frames.iter().enumerate() {
        if frame.is_none() {
            // The line broke: what was open is open no more, and statuses may have passed unseen.
            sense.open.clear();
            sense.status.clear();
            continue;
        }
        if let Err(why) = frame.as_ref().map_or(Ok(()), |frame| sense.see(frame)) {
            let last: Vec<String> = frames[at.saturating_sub(14)..=at]
                .iter()
                .map(|frame| {
                    frame
                        .as_ref()
                        .map_or_else(|| "(line broken)".to_owned(), ToString::to_string)
                })
                .collect();
            panic!("seed {seed}: {why}\n{}", last.join("\n"));
        }
    }
    assert!(
        sense.running.is_empty(),
        "seed {seed}: {:?} never stopped",
        sense.running
    );
    assert_eq!(sense.started, sense.stopped, "seed {seed}");
    let alive = world
        .csms
        .perform("csms.call", &object! { "action": "ClearCache" })
        .await;
    assert_eq!(alive, Outcome::Done, "seed {seed}");
    Seen(sense.stopped.len(), sense.changes)
}

/// How many transactions and how many changes of status a walk has seen.
#[derive(Clone, Copy)]
struct Seen(usize, usize);

impl Seen {
    fn add(&mut self, other: Self) {
        self.0 += other.0;
        self.1 += other.1;
    }
}

fn makeups() -> [Makeup; 5] {
    [
        Makeup::default(),
        Makeup {
            fixed_cable: true,
            auth_cache: false,
            ..Makeup::default()
        },
        Makeup {
            connectors: 3,
            battery_backup: true,
            ..Makeup::default()
        },
        Makeup {
            connectors: 2,
            lock: false,
            ..Makeup::default()
        },
        Makeup {
            connectors: 3,
            fixed_cable: true,
            offline_start: false,
            local_list: false,
            ..Makeup::default()
        },
    ]
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_it_makes_sense() {
    let mut sense = Seen(0, 0);
    for seed in 0..8 {
        for makeup in makeups() {
            sense.add(walk(seed, makeup).await);
        }
    }
    // Walks that go nowhere prove nothing.
    assert!(sense.0 > 200, "{} transactions", sense.0);
    assert!(sense.1 > 1_200, "{} changes of status", sense.1);
}
