//! SetChargingProfile, ClearChargingProfile, GetCompositeSchedule, and what flows (OCPP 1.6 §3.13, §5.5, §5.7, §5.16).

use plugfest_protocol::{Json, object};
use plugfest_reference::Outcome;
use plugfest_reference::station::{Makeup, SmartCharging};

use crate::world::{World, charging};

/// A profile of one schedule; `more` replaces what stands there.
fn profile(id: i64, stack: i64, purpose: &str, unit: &str, periods: &[(i64, &str)], more: Json) -> Json {
    let periods: Vec<Json> = periods
        .iter()
        .map(|(start, limit)| object! { "startPeriod": *start, "limit": Json::parse(limit).unwrap() })
        .collect();
    let mut profile = object! {
        "chargingProfileId": id,
        "stackLevel": stack,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Relative",
        "chargingSchedule": object! { "chargingRateUnit": unit, "chargingSchedulePeriod": periods },
    };
    for (pointer, value) in more.as_object().unwrap().iter() {
        assert!(profile.set_pointer(pointer, value.clone()), "{pointer}");
    }
    profile
}

fn set(connector: i64, profile: Json) -> Json {
    object! { "connectorId": connector, "csChargingProfiles": profile }
}

/// What GetCompositeSchedule answers: where each period starts and its limit.
async fn composite(world: &World, connector: i64, duration: i64, unit: &str) -> String {
    let request = object! { "connectorId": connector, "duration": duration, "chargingRateUnit": unit };
    world.frames();
    world.operator("GetCompositeSchedule", request).await;
    let answer = world
        .results()
        .into_iter()
        .rev()
        .find(|it| it.get("chargingSchedule").is_some())
        .unwrap();
    assert_eq!(answer.get("connectorId"), Some(&Json::from(connector)));
    let schedule = answer.get("chargingSchedule").unwrap();
    assert_eq!(schedule.get("chargingRateUnit"), Some(&Json::from(unit)));
    assert_eq!(schedule.get("duration"), Some(&Json::from(duration)));
    assert_eq!(schedule.get("startSchedule"), None, "errata 3.57");
    let periods = schedule
        .get("chargingSchedulePeriod")
        .and_then(Json::as_array)
        .unwrap();
    let words: Vec<String> = periods
        .iter()
        .map(|it| format!("{}:{}", it.get("startPeriod").unwrap(), it.get("limit").unwrap()))
        .collect();
    words.join(" ")
}

/// What the meter says flows, in watts.
async fn flowing(world: &World, connector: i64) -> String {
    let request = object! { "requestedMessage": "MeterValues", "connectorId": connector };
    world.operator("TriggerMessage", request).await;
    let reading = world.payloads("MeterValues").pop().unwrap();
    world.frames();
    let samples = reading
        .pointer("/meterValue/0/sampledValue")
        .and_then(Json::as_array)
        .unwrap();
    let value = |name: &str| {
        let of = |it: &&Json| it.get("measurand").and_then(Json::as_str) == Some(name);
        let sample = samples.iter().find(of).unwrap();
        sample.get("value").and_then(Json::as_str).unwrap().to_owned()
    };
    format!("{} of {}", value("Power.Active.Import"), value("Power.Offered"))
}

/// A world in which ALICE charges as 100 and power is measured.
async fn metered(connectors: u32) -> World {
    let world = charging(Makeup {
        connectors,
        ..Makeup::default()
    })
    .await;
    world
        .set("MeterValuesSampledData", "Power.Active.Import,Power.Offered")
        .await;
    world
}

#[tokio::test(start_paused = true)]
async fn the_power_follows_the_limit_and_zero_suspends() {
    let world = metered(1).await;
    assert_eq!(flowing(&world, 1).await, "7360 of 7360");
    // The transaction began some seconds ago.
    let steps = profile(
        1,
        0,
        "TxProfile",
        "A",
        &[(0, "10"), (60, "0"), (120, "6.5")],
        object! {},
    );
    world.asks("SetChargingProfile", set(1, steps), "Accepted").await;
    assert_eq!(flowing(&world, 1).await, "2300 of 2300");
    world.pass(60).await;
    world.expect(
        "> StatusNotification 1 SuspendedEVSE
           <",
    );
    assert_eq!(flowing(&world, 1).await, "0 of 0");
    world.pass(60).await;
    world.expect(
        "> StatusNotification 1 Charging
           <",
    );
    assert_eq!(flowing(&world, 1).await, "1495 of 1495");
    world.hands("ev.draw", object! { "power": 1000 }).await;
    assert_eq!(flowing(&world, 1).await, "1000 of 1495");
    world.asks("ClearChargingProfile", object! {}, "Accepted").await;
    world.asks("ClearChargingProfile", object! {}, "Unknown").await;
    assert_eq!(flowing(&world, 1).await, "1000 of 7360");
}

#[tokio::test(start_paused = true)]
async fn what_contradicts_the_standard_is_rejected() {
    let world = charging(Makeup::default()).await;
    let plain = |purpose: &str, more: Json| profile(1, 0, purpose, "A", &[(0, "10")], more);
    let max = "ChargePointMaxProfile";
    for (connector, profile, status) in [
        (1, plain(max, object! {}), "Rejected"),
        (0, plain("TxProfile", object! {}), "Rejected"),
        (
            1,
            plain("TxProfile", object! { "/transactionId": 4711 }),
            "Rejected",
        ),
        (
            1,
            plain("TxDefaultProfile", object! { "/transactionId": 100 }),
            "Rejected",
        ),
        (0, plain(max, object! { "/stackLevel": 9 }), "Rejected"),
        (
            0,
            plain(max, object! { "/validTo": "2024-05-01T11:59:00Z" }),
            "Rejected",
        ),
        (
            0,
            plain(max, object! { "/chargingSchedule/duration": 0 }),
            "Rejected",
        ),
        (0, plain(max, object! { "/recurrencyKind": "Daily" }), "Rejected"),
        (
            0,
            plain(max, object! { "/chargingProfileKind": "Recurring" }),
            "Rejected",
        ),
        (
            0,
            plain(
                max,
                object! { "/chargingSchedule/chargingSchedulePeriod/0/startPeriod": 5 },
            ),
            "Rejected",
        ),
        (
            0,
            plain(
                max,
                object! { "/chargingSchedule/chargingSchedulePeriod/0/numberPhases": 4 },
            ),
            "Rejected",
        ),
        (
            0,
            profile(1, 0, max, "A", &[(0, "10"), (60, "5"), (60, "8")], object! {}),
            "Rejected",
        ),
        (
            0,
            profile(
                1,
                0,
                max,
                "A",
                &(0..25).map(|n| (n, "1")).collect::<Vec<_>>(),
                object! {},
            ),
            "Rejected",
        ),
        (
            2,
            plain("TxDefaultProfile", object! {}),
            "error PropertyConstraintViolation",
        ),
        (0, plain(max, object! {}), "Accepted"),
        (0, plain("TxDefaultProfile", object! {}), "Accepted"),
        (1, plain("TxDefaultProfile", object! {}), "Accepted"),
        (1, plain("TxProfile", object! {}), "Accepted"),
        (
            1,
            plain("TxProfile", object! { "/transactionId": 100 }),
            "Accepted",
        ),
    ] {
        let request = object! { "action": "SetChargingProfile", "payload": set(connector, profile.clone()) };
        world.frames();
        let sent = world.csms.perform("csms.call", &request).await;
        if sent != Outcome::Done {
            // The office knows better than to send that.
            assert_eq!(status, "Rejected", "{profile}: {sent:?}");
            continue;
        }
        world.pass(1).await;
        let frames = world.frames();
        assert_eq!(frames[1].trim(), format!("> {status}"), "{connector} {profile}");
    }
    world.hands("user.stop", object! {}).await;
    let none = set(1, plain("TxProfile", object! {}));
    world.asks("SetChargingProfile", none, "Rejected").await;
}

#[tokio::test(start_paused = true)]
async fn the_higher_level_prevails_while_it_says_something() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    let absolute = |duration: i64| {
        object! {
            "/chargingProfileKind": "Absolute",
            "/chargingSchedule/startSchedule": "2024-05-01T12:00:00Z",
            "/chargingSchedule/duration": duration,
        }
    };
    let default = "TxDefaultProfile";
    for profile in [
        profile(
            1,
            0,
            default,
            "A",
            &[(0, "6"), (100, "8"), (200, "10")],
            absolute(400),
        ),
        profile(2, 1, default, "A", &[(0, "7"), (100, "9")], absolute(150)),
    ] {
        world
            .asks("SetChargingProfile", set(1, profile), "Accepted")
            .await;
    }
    world.pass(2).await;
    // It is twelve o'clock and nine seconds.
    assert_eq!(composite(&world, 1, 350, "A").await, "0:7 91:9 141:8 191:10");
    assert_eq!(
        composite(&world, 1, 500, "A").await,
        "0:7 90:9 140:8 190:10 390:32"
    );
    assert_eq!(composite(&world, 1, 100, "W").await, "0:1610 89:2070");
    world
        .asks(
            "ClearChargingProfile",
            object! { "id": 1, "stackLevel": 7 },
            "Accepted",
        )
        .await;
    assert_eq!(composite(&world, 1, 350, "A").await, "0:7 87:9 137:32");
    let by_all = object! { "connectorId": 1, "chargingProfilePurpose": default, "stackLevel": 0 };
    world.asks("ClearChargingProfile", by_all, "Unknown").await;
    let by_two = object! { "chargingProfilePurpose": default, "stackLevel": 1 };
    world.asks("ClearChargingProfile", by_two, "Accepted").await;
    assert_eq!(composite(&world, 1, 350, "A").await, "0:32");
}

#[tokio::test(start_paused = true)]
async fn purposes_are_combined_by_the_lowest_and_a_transaction_beats_the_default() {
    let world = metered(2).await;
    let always = |id: i64, purpose: &str, unit: &str, limit: &'static str| {
        profile(id, 0, purpose, unit, &[(0, limit)], object! {})
    };
    let own = always(2, "TxDefaultProfile", "A", "10");
    for (connector, profile) in [
        (0, always(1, "TxDefaultProfile", "A", "6")),
        (1, own),
        (1, always(3, "TxProfile", "W", "4600")),
        (0, always(4, "ChargePointMaxProfile", "W", "3680.5")),
    ] {
        world
            .asks("SetChargingProfile", set(connector, profile), "Accepted")
            .await;
    }
    assert_eq!(composite(&world, 1, 60, "A").await, "0:16");
    assert_eq!(composite(&world, 1, 60, "W").await, "0:3680.5");
    assert_eq!(composite(&world, 2, 60, "A").await, "0:6");
    assert_eq!(composite(&world, 0, 60, "W").await, "0:3680.5");
    assert_eq!(flowing(&world, 1).await, "3680 of 3680");
    // The station's limit is shared; who takes less leaves more.
    world.hands("ev.plug", object! { "connector": 2 }).await;
    world
        .hands("token.present", object! { "token": "BOB", "connector": 2 })
        .await;
    assert_eq!(flowing(&world, 2).await, "1380 of 1380");
    assert_eq!(flowing(&world, 1).await, "2300 of 2300");
    world
        .asks("ClearChargingProfile", object! { "id": 3 }, "Accepted")
        .await;
    assert_eq!(composite(&world, 1, 60, "A").await, "0:10");
    world
        .asks("ClearChargingProfile", object! { "id": 2 }, "Accepted")
        .await;
    assert_eq!(composite(&world, 1, 60, "A").await, "0:6");
    world
        .asks("ClearChargingProfile", object! { "connectorId": 0 }, "Accepted")
        .await;
    assert_eq!(composite(&world, 0, 60, "A").await, "0:64");
}

#[tokio::test(start_paused = true)]
async fn a_transactions_profile_ends_with_it_and_the_others_outlive_a_restart() {
    let world = charging(Makeup::default()).await;
    let always =
        |id: i64, purpose: &str, limit: &'static str| profile(id, 0, purpose, "A", &[(0, limit)], object! {});
    for (connector, profile) in [
        (1, always(1, "TxProfile", "6")),
        (1, always(2, "TxDefaultProfile", "8")),
    ] {
        world
            .asks("SetChargingProfile", set(connector, profile), "Accepted")
            .await;
    }
    assert_eq!(composite(&world, 1, 60, "A").await, "0:6");
    world.hands("user.stop", object! {}).await;
    assert_eq!(composite(&world, 1, 60, "A").await, "0:8");
    world.hands("station.power_cycle", object! {}).await;
    world.pass(5).await;
    assert_eq!(composite(&world, 1, 60, "A").await, "0:8");
    world
        .asks("ClearChargingProfile", object! { "id": 1 }, "Unknown")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_remote_start_may_bring_its_profile() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("AuthorizeRemoteTxRequests", "true").await;
    world.hands("ev.plug", object! {}).await;
    let start = |profile: Json| object! { "idTag": "ALICE", "connectorId": 1, "chargingProfile": profile };
    let own = profile(5, 2, "TxProfile", "A", &[(0, "0")], object! {});
    world.frames();
    world.operator("RemoteStartTransaction", start(own)).await;
    world.expect(
        "< RemoteStartTransaction 1 ALICE
           > Accepted
         > Authorize ALICE
           < Accepted
         > StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 SuspendedEVSE
           <",
    );
    // The same level replaces it (§5.16.2).
    let next = profile(
        6,
        2,
        "TxProfile",
        "A",
        &[(0, "9")],
        object! { "/transactionId": 100 },
    );
    world.operator("SetChargingProfile", set(1, next)).await;
    world.expect(
        "< SetChargingProfile
           > Accepted
         > StatusNotification 1 Charging
           <",
    );
    assert_eq!(composite(&world, 1, 60, "A").await, "0:9");
    let wrong = profile(7, 0, "TxDefaultProfile", "A", &[(0, "9")], object! {});
    let call = object! { "action": "RemoteStartTransaction", "payload": start(wrong) };
    assert!(matches!(
        world.csms.perform("csms.call", &call).await,
        Outcome::Failed(why) if why.contains("TxProfile")
    ));
}

#[tokio::test(start_paused = true)]
async fn a_make_up_takes_the_units_it_claims_and_uses_its_phases() {
    for (smart_charging, unit, status, claimed) in [
        (
            SmartCharging::CurrentAndPower,
            "W",
            "Accepted",
            Some("Current,Power"),
        ),
        (SmartCharging::Current, "W", "Rejected", Some("Current")),
        (SmartCharging::Current, "A", "Accepted", Some("Current")),
        (SmartCharging::Power, "A", "Rejected", Some("Power")),
        (SmartCharging::Power, "W", "Accepted", Some("Power")),
        (SmartCharging::Absent, "A", "error NotSupported", None),
    ] {
        let world = World::of(Makeup {
            smart_charging,
            phases: 3,
            ..Makeup::default()
        })
        .booted()
        .await;
        let profile = profile(1, 0, "TxDefaultProfile", unit, &[(0, "6900")], object! {});
        world.asks("SetChargingProfile", set(0, profile), status).await;
        let key = "ChargingScheduleAllowedChargingRateUnit";
        assert_eq!(world.setting(key).await.as_deref(), claimed);
    }
    let world = charging(Makeup {
        phases: 3,
        ..Makeup::default()
    })
    .await;
    world
        .set(
            "MeterValuesSampledData",
            "Power.Active.Import,Power.Offered,Current.Import",
        )
        .await;
    assert_eq!(flowing(&world, 1).await, "22080 of 22080");
    assert_eq!(composite(&world, 1, 60, "W").await, "0:22080");
    let one = object! { "/chargingSchedule/chargingSchedulePeriod/0/numberPhases": 1 };
    for (limit, more, flow) in [("10", object! {}, "6900 of 6900"), ("10", one, "2300 of 2300")] {
        let profile = profile(1, 0, "TxProfile", "A", &[(0, limit)], more);
        world
            .asks("SetChargingProfile", set(1, profile), "Accepted")
            .await;
        assert_eq!(flowing(&world, 1).await, flow);
    }
    let reading = world.payloads("MeterValues").pop().unwrap();
    let currents: Vec<String> = (2..5)
        .map(|at| {
            let sample = reading
                .pointer(&format!("/meterValue/0/sampledValue/{at}"))
                .unwrap();
            let text = |field: &str| sample.get(field).and_then(Json::as_str).unwrap();
            format!("{} {}", text("phase"), text("value"))
        })
        .collect();
    assert_eq!(currents, ["L1 10.00", "L2 0.00", "L3 0.00"]);
}
