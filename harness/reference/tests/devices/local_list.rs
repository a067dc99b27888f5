//! SendLocalList and GetLocalListVersion, and who is let in by the list (OCPP 1.6 §3.5.2, §5.10, §5.15).

use plugfest_protocol::{Json, object};
use plugfest_reference::station::Makeup;

use crate::world::{World, csms_config, station_config};

fn entry(tag: &str, status: &str) -> Json {
    object! { "idTag": tag, "idTagInfo": object! { "status": status } }
}

fn list(version: i64, kind: &str, entries: Vec<Json>) -> Json {
    object! { "listVersion": version, "updateType": kind, "localAuthorizationList": entries }
}

/// A world whose station asks its list first and knows these tokens by it.
async fn listing(entries: Vec<Json>) -> World {
    let world = World::of(Makeup::default()).booted().await;
    world.set("LocalPreAuthorize", "true").await;
    world
        .asks("SendLocalList", list(7, "Full", entries), "Accepted")
        .await;
    world
}

#[tokio::test(start_paused = true)]
async fn the_list_goes_before_the_csms_and_conflicts_are_told() {
    let world = listing(vec![entry("LOCAL", "Accepted")]).await;
    world.hands("ev.plug", object! {}).await;
    world.frames();
    world.hands("token.present", object! { "token": "LOCAL" }).await;
    world.expect(
        "> StartTransaction 1 LOCAL
           < Invalid 100
         > StatusNotification 1 Charging
           <
         > StatusNotification 0 Available LocalListConflict
           <
         > StopTransaction 100 DeAuthorized
           <
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn versions_go_up_and_only_a_full_list_may_go_back() {
    let world = World::of(Makeup::default()).booted().await;
    let version = async |wanted: &'static str| {
        world.asks("GetLocalListVersion", object! {}, wanted).await;
    };
    version("0").await;
    for (payload, status, now) in [
        (list(2, "Full", vec![entry("A", "Accepted")]), "Accepted", "2"),
        (
            list(5, "Differential", vec![entry("B", "Accepted")]),
            "Accepted",
            "5",
        ),
        (list(6, "Differential", vec![]), "Accepted", "6"),
        (
            list(7, "Full", vec![entry("A", "Accepted"), entry("a", "Blocked")]),
            "Failed",
            "6",
        ),
        (list(3, "Full", vec![entry("A", "Accepted")]), "Accepted", "3"),
        (
            object! { "listVersion": 8, "updateType": "Full" },
            "Accepted",
            "0",
        ),
    ] {
        world.asks("SendLocalList", payload, status).await;
        version(now).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_outlives_the_cache_and_the_power() {
    let world = listing(vec![entry("ALICE", "Accepted")]).await;
    world.asks("ClearCache", object! {}, "Accepted").await;
    world.hands("station.power_cycle", object! {}).await;
    world.pass(5).await;
    world.asks("GetLocalListVersion", object! {}, "7").await;
    world.hands("ev.plug", object! {}).await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn offline_the_list_goes_before_the_cache() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("LocalPreAuthorize", "true").await;
    // The CSMS has accepted both, so the cache knows them; the list thinks otherwise of one.
    for tag in ["ALICE", "BOB"] {
        world.hands("token.present", object! { "token": tag }).await;
        world.hands("token.present", object! { "token": tag }).await;
    }
    world
        .asks(
            "SendLocalList",
            list(1, "Full", vec![entry("ALICE", "Blocked")]),
            "Accepted",
        )
        .await;
    world.hands("net.down", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.frames();
    world.hands("net.up", object! {}).await;
    world.expect(
        "> StartTransaction 1 BOB
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_switched_off_is_no_list() {
    let world = listing(vec![entry("ALICE", "Accepted")]).await;
    world.set("LocalAuthListEnabled", "false").await;
    world.asks("GetLocalListVersion", object! {}, "-1").await;
    world
        .asks("SendLocalList", list(8, "Full", vec![]), "NotSupported")
        .await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <",
    );
    world.set("LocalAuthListEnabled", "true").await;
    world.asks("GetLocalListVersion", object! {}, "7").await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_past_its_date_lets_nobody_in() {
    let mut config = station_config();
    config.settings.push(("LocalPreAuthorize".into(), "true".into()));
    let world = World::new(config, csms_config()).booted().await;
    let info = object! { "status": "Accepted", "expiryDate": "2024-05-01T12:01:00Z" };
    let entries = vec![object! { "idTag": "ALICE", "idTagInfo": info }];
    world
        .asks("SendLocalList", list(1, "Full", entries), "Accepted")
        .await;
    world.pass(60).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn more_than_fits_fails_and_changes_nothing() {
    let world = World::of(Makeup::default()).booted().await;
    let part: usize = world
        .setting("SendLocalListMaxLength")
        .await
        .unwrap()
        .parse()
        .unwrap();
    let whole: usize = world
        .setting("LocalAuthListMaxLength")
        .await
        .unwrap()
        .parse()
        .unwrap();
    let entries =
        |range: std::ops::Range<usize>| range.map(|n| entry(&format!("T{n}"), "Accepted")).collect();
    for (version, kind, range, status) in [
        (1, "Full", 0..part + 1, "Failed"),
        (1, "Full", 0..part, "Accepted"),
        (2, "Differential", part..whole + 1, "Failed"),
        (2, "Differential", part..whole, "Accepted"),
    ] {
        world
            .asks("SendLocalList", list(version, kind, entries(range)), status)
            .await;
    }
    world.asks("GetLocalListVersion", object! {}, "2").await;
}

#[tokio::test(start_paused = true)]
async fn an_older_change_is_a_mismatch_and_the_office_then_sends_the_whole_list() {
    let world = listing(vec![entry("ALICE", "Accepted")]).await;
    for version in [7, 6] {
        world.frames();
        let change = list(version, "Differential", vec![entry("BOB", "Blocked")]);
        world.operator("SendLocalList", change).await;
        world.expect(
            "< SendLocalList
               > VersionMismatch
             < SendLocalList
               > Accepted",
        );
        assert_eq!(
            world.payloads("SendLocalList").pop(),
            Some(whole(
                version,
                vec![entry("ALICE", "Accepted"), entry("BOB", "Blocked")]
            ))
        );
    }
}

/// The whole list with its members in the order in which the office writes them.
fn whole(version: i64, entries: Vec<Json>) -> Json {
    object! { "listVersion": version, "localAuthorizationList": entries, "updateType": "Full" }
}
