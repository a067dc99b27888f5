//! While there is no line, and after it.

use plugfest_protocol::{Frame, Json, object};
use plugfest_reference::station::Makeup;

use crate::world::{World, charging};

#[tokio::test(start_paused = true)]
async fn a_reconnect_brings_no_boot_and_only_what_changed() {
    let world = World::of(Makeup {
        connectors: 2,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.hands("net.down", object! {}).await;
    world.hands("ev.plug", object! { "connector": 2 }).await;
    world.hands("ev.unplug", object! { "connector": 2 }).await;
    world.hands("ev.plug", object! { "connector": 1 }).await;
    world.pass(10).await;
    world.frames();
    world.hands("net.up", object! {}).await;
    world.expect(
        "> StatusNotification 1 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_transaction_goes_on_and_its_readings_are_kept() {
    let world = charging(Makeup::default()).await;
    world.set("MeterValueSampleInterval", "60").await;
    world.frames();
    world.hands("net.down", object! {}).await;
    world.pass(150).await;
    world.expect("");
    world.hands("net.up", object! {}).await;
    world.expect(
        "> MeterValues 1 100 Sample.Periodic
           <
         > MeterValues 1 100 Sample.Periodic
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn start_and_stop_offline_arrive_in_order_even_after_a_power_cut() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("AllowOfflineTxForUnknownId", "true").await;
    world.set("MeterValueSampleInterval", "60").await;
    world.frames();
    world.hands("net.down", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.pass(70).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.unplug", object! {}).await;
    world.hands("station.power_cycle", object! {}).await;
    world.pass(10).await;
    world.expect("");
    world.hands("net.up", object! {}).await;
    world.pass(5).await;
    world.expect(
        "> BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Available
           <
         > StartTransaction 1 ALICE
           < Accepted 100
         > MeterValues 1 100 Sample.Periodic
           <
         > StopTransaction 100 Local ALICE
           < Accepted",
    );
}

#[tokio::test(start_paused = true)]
async fn who_may_start_offline() {
    let world = World::of(Makeup::default()).booted().await;
    // BLOCKED and ALICE become known to the cache.
    for tag in ["BLOCKED", "ALICE"] {
        world.hands("token.present", object! { "token": tag }).await;
    }
    world.hands("token.present", object! { "token": "ALICE" }).await;
    let cases = [
        ("true", "false", "ALICE", true),
        ("true", "false", "BOB", false),
        ("true", "true", "BOB", true),
        ("true", "true", "BLOCKED", false),
        ("false", "false", "ALICE", false),
    ];
    for (local, unknown, tag, starts) in cases {
        world.set("LocalAuthorizeOffline", local).await;
        world.set("AllowOfflineTxForUnknownId", unknown).await;
        let before = world.payloads("StartTransaction").len();
        world.hands("net.down", object! {}).await;
        world.hands("ev.plug", object! {}).await;
        world.hands("token.present", object! { "token": tag }).await;
        if starts {
            world.hands("token.present", object! { "token": tag }).await;
        }
        world.hands("ev.unplug", object! {}).await;
        world.hands("net.up", object! {}).await;
        world.pass(5).await;
        let started = world.payloads("StartTransaction").len() - before;
        assert_eq!(
            started,
            usize::from(starts),
            "local {local}, unknown {unknown}, {tag}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_offline_start_that_turns_out_invalid_is_stopped() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("AllowOfflineTxForUnknownId", "true").await;
    world.hands("net.down", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "NOBODY" }).await;
    world.frames();
    world.hands("net.up", object! {}).await;
    world.expect(
        "> StartTransaction 1 NOBODY
           < Invalid 100
         > StatusNotification 1 Charging
           <
         > StopTransaction 100 DeAuthorized
           <
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_station_without_offline_start_starts_nothing() {
    let world = World::of(Makeup {
        offline_start: false,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("net.down", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("net.up", object! {}).await;
    assert_eq!(world.payloads("StartTransaction").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_in_flight_when_the_line_broke_comes_again_once() {
    let world = charging(Makeup::default()).await;
    // The answer gets lost, then the line.
    world.lose(|frame| matches!(frame, Frame::CallResult { .. }));
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.shut();
    world.pass(2).await;
    world.lose_nothing();
    world.reopen();
    world.frames();
    world.pass(70).await;
    world.expect(
        "> StopTransaction 100 Local ALICE
           < Accepted
         > StatusNotification 1 Finishing
           <",
    );
    let books = world.csms.records("transactions", None).unwrap();
    assert_eq!(books.as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_start_is_one_transaction() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.frames();
    world.lose(|frame| matches!(frame, Frame::CallResult { .. }));
    world.hands("ev.plug", object! {}).await;
    world.pass(30).await;
    world.lose_nothing();
    world.pass(40).await;
    world.expect(
        "> StartTransaction 1 ALICE
           < Accepted 100 (lost)
         > StatusNotification 1 Charging
           < (lost)
         > StartTransaction 1 ALICE
           < Accepted 100",
    );
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> StopTransaction 100 Local ALICE
           < Accepted
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn after_all_attempts_a_transaction_has_no_name() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("TransactionMessageAttempts", "2").await;
    world.set("TransactionMessageRetryInterval", "10").await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.frames();
    world.lose(|frame| matches!(frame, Frame::Call { action, .. } if action == "StartTransaction"));
    world.hands("ev.plug", object! {}).await;
    world.pass(90).await;
    world.lose_nothing();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> StartTransaction 1 ALICE (lost)
         > StatusNotification 1 Charging
           <
         > StartTransaction 1 ALICE (lost)
         > StopTransaction -1 Local ALICE
           < Accepted
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn reconnecting_waits_longer_each_time_and_an_id_never_comes_again() {
    let world = World::of(Makeup::default()).booted().await;
    world.shut();
    world.pass(3600).await;
    world.reopen();
    world.pass(80).await;
    world.operator("Reset", object! { "type": "Soft" }).await;
    world.pass(5).await;
    let mut ids = world.ids();
    let all = ids.len();
    assert_eq!(all, 6);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[tokio::test(start_paused = true)]
async fn readings_of_an_offline_transaction_carry_their_own_time() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("AllowOfflineTxForUnknownId", "true").await;
    world.hands("net.down", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.pass(600).await;
    world.hands("net.up", object! {}).await;
    let start = world.payloads("StartTransaction").remove(0);
    let started = start.get("timestamp").and_then(Json::as_str).unwrap();
    assert!(started.starts_with("2024-05-01T12:00:"), "{started}");
}
