//! Sessions at one connector, from plug to plug.

mod common;

use common::World;
use plugfest_protocol::{Json, object};
use plugfest_reference::station::Makeup;

#[tokio::test(start_paused = true)]
async fn a_cold_boot_tells_everything_once() {
    let world = World::of(Makeup {
        connectors: 2,
        ..Makeup::default()
    });
    world.pass(30).await;
    world.expect(
        "> BootNotification
               < Accepted
             > StatusNotification 0 Available
               <
             > StatusNotification 1 Available
               <
             > StatusNotification 2 Available
               <",
    );
}

#[tokio::test(start_paused = true)]
async fn plug_first() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "alice" }).await;
    world.pass(60).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.unplug", object! {}).await;
    world.expect(
        "> StatusNotification 1 Preparing
               <
             > Authorize alice
               < Accepted
             > StartTransaction 1 alice
               < Accepted 100
             > StatusNotification 1 Charging
               <
             > StopTransaction 100 Local ALICE
               < Accepted
             > StatusNotification 1 Finishing
               <
             > StatusNotification 1 Available
               <",
    );
}

#[tokio::test(start_paused = true)]
async fn tag_first() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.plug", object! {}).await;
    world.expect(
        "> Authorize ALICE
               < Accepted
             > StatusNotification 1 Preparing
               <
             > StartTransaction 1 ALICE
               < Accepted 100
             > StatusNotification 1 Charging
               <",
    );
    let start = world.payloads("StartTransaction").remove(0);
    assert!(
        start.get("meterStart").and_then(Json::as_i64).unwrap() > 0,
        "a meter that has been used before"
    );
}
