//! Resets and power cuts.

use plugfest_protocol::{Frame, object};
use plugfest_reference::station::Makeup;

use crate::world::{World, charging};

#[tokio::test(start_paused = true)]
async fn both_resets_without_a_transaction() {
    for kind in ["Soft", "Hard"] {
        let world = World::of(Makeup::default()).booted().await;
        world.frames();
        world.operator("Reset", object! { "type": kind }).await;
        world.pass(5).await;
        world.expect(&format!(
            "< Reset {kind}
               > Accepted
             > close
             > BootNotification
               < Accepted
             > StatusNotification 0 Available
               <
             > StatusNotification 1 Available
               <"
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn both_resets_stop_what_runs_first() {
    for (kind, reason) in [("Soft", "SoftReset"), ("Hard", "HardReset")] {
        let world = charging(Makeup::default()).await;
        world.operator("Reset", object! { "type": kind }).await;
        world.pass(5).await;
        world.expect(&format!(
            "< Reset {kind}
               > Accepted
             > StopTransaction 100 {reason}
               <
             > StatusNotification 1 Finishing
               <
             > close
             > BootNotification
               < Accepted
             > StatusNotification 0 Available
               <
             > StatusNotification 1 Finishing
               <"
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hard_reset_does_not_wait_long_and_sends_the_stop_afterwards() {
    let world = charging(Makeup::default()).await;
    world.lose(|frame| matches!(frame, Frame::Call { action, .. } if action == "StopTransaction"));
    world.operator("Reset", object! { "type": "Hard" }).await;
    world.pass(1).await;
    world.lose_nothing();
    world.pass(10).await;
    world.expect(
        "< Reset Hard
           > Accepted
         > StopTransaction 100 HardReset (lost)
         > close
         > BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Finishing
           <
         > StopTransaction 100 HardReset
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_power_cut_ends_transactions_and_says_so_after_the_boot() {
    let world = charging(Makeup::default()).await;
    world.hands("station.power_cycle", object! {}).await;
    world.pass(5).await;
    world.expect(
        "> BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Finishing
           <
         > StopTransaction 100 PowerLoss
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn with_a_battery_it_says_so_before() {
    let world = charging(Makeup {
        battery_backup: true,
        ..Makeup::default()
    })
    .await;
    world.hands("station.power_cycle", object! {}).await;
    world.pass(5).await;
    world.expect(
        "> StopTransaction 100 PowerLoss
           <
         > StatusNotification 1 Finishing
           <
         > BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_cable_pulled_in_the_dark_is_noticed() {
    let world = charging(Makeup::default()).await;
    world.hands("station.stop", object! {}).await;
    world.hands("ev.unplug", object! {}).await;
    world.hands("station.start", object! {}).await;
    world.pass(5).await;
    world.expect(
        "> BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Available
           <
         > StopTransaction 100 PowerLoss
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn the_connector_is_free_again_after_a_restart() {
    let world = charging(Makeup::default()).await;
    world.operator("Reset", object! { "type": "Hard" }).await;
    world.pass(5).await;
    world.hands("ev.unplug", object! {}).await;
    world.frames();
    world
        .operator(
            "RemoteStartTransaction",
            object! { "idTag": "ALICE", "connectorId": 1 },
        )
        .await;
    world.hands("ev.plug", object! {}).await;
    world.expect(
        "< RemoteStartTransaction 1 ALICE
           > Accepted
         > StatusNotification 1 Preparing
           <
         > StartTransaction 1 ALICE
           < Accepted 101
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_factory_reset_forgets_what_was_configured() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("ConnectionTimeOut", "17").await;
    world.hands("station.factory_reset", object! {}).await;
    world.pass(5).await;
    world.frames();
    world
        .operator(
            "GetConfiguration",
            object! { "key": vec!["ConnectionTimeOut".into()] },
        )
        .await;
    let answer = world.results().pop().unwrap();
    assert_eq!(
        answer.pointer("/configurationKey/0/value").unwrap().as_str(),
        Some("60")
    );
}

#[tokio::test(start_paused = true)]
async fn configuration_survives_reset_and_power_cut() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("ConnectionTimeOut", "17").await;
    world.operator("Reset", object! { "type": "Hard" }).await;
    world.pass(5).await;
    world.hands("station.power_cycle", object! {}).await;
    world.pass(5).await;
    world
        .operator(
            "GetConfiguration",
            object! { "key": vec!["ConnectionTimeOut".into()] },
        )
        .await;
    let answer = world.results().pop().unwrap();
    assert_eq!(
        answer.pointer("/configurationKey/0/value").unwrap().as_str(),
        Some("17")
    );
}
