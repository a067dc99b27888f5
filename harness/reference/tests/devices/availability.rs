//! ChangeAvailability.

use plugfest_protocol::object;
use plugfest_reference::station::Makeup;

use crate::world::{World, charging};

#[tokio::test(start_paused = true)]
async fn it_changes_persists_and_changes_back() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    world.expect(
        "< ChangeAvailability 1 Inoperative
           > Accepted
         > StatusNotification 1 Unavailable
           <
         < ChangeAvailability 1 Inoperative
           > Accepted",
    );
    for restart in ["reset", "power"] {
        if restart == "reset" {
            world.operator("Reset", object! { "type": "Hard" }).await;
        } else {
            world.hands("station.power_cycle", object! {}).await;
        }
        world.pass(5).await;
        let frames = world.frames();
        let at = frames
            .iter()
            .position(|line| line == "> BootNotification")
            .unwrap();
        assert_eq!(frames[at + 2], "> StatusNotification 0 Available", "{restart}");
        assert_eq!(frames[at + 4], "> StatusNotification 1 Unavailable", "{restart}");
    }
    // Nobody can begin there.
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world
        .operator(
            "RemoteStartTransaction",
            object! { "idTag": "ALICE", "connectorId": 1 },
        )
        .await;
    world.expect(
        "< RemoteStartTransaction 1 ALICE
           > Rejected",
    );
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Operative" },
        )
        .await;
    world.expect(
        "< ChangeAvailability 1 Operative
           > Accepted
         > StatusNotification 1 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn during_a_transaction_it_is_scheduled_and_never_shows_available() {
    let world = charging(Makeup::default()).await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.unplug", object! {}).await;
    world.expect(
        "< ChangeAvailability 1 Inoperative
           > Scheduled
         > StopTransaction 100 Local ALICE
           < Accepted
         > StatusNotification 1 Finishing
           <
         > StatusNotification 1 Unavailable
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_schedule_can_be_taken_back() {
    let world = charging(Makeup::default()).await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Operative" },
        )
        .await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.frames();
    world.hands("ev.unplug", object! {}).await;
    world.expect(
        "> StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_schedule_survives_a_power_cut() {
    let world = charging(Makeup::default()).await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    world.hands("station.stop", object! {}).await;
    world.hands("ev.unplug", object! {}).await;
    world.frames();
    world.hands("station.start", object! {}).await;
    world.pass(5).await;
    let frames = world.frames();
    assert_eq!(frames[4], "> StatusNotification 1 Unavailable", "{frames:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_whole_station_with_one_connector_busy() {
    let world = charging(Makeup {
        connectors: 2,
        ..Makeup::default()
    })
    .await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 0, "type": "Inoperative" },
        )
        .await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.unplug", object! {}).await;
    world.expect(
        "< ChangeAvailability 0 Inoperative
           > Scheduled
         > StatusNotification 2 Unavailable
           <
         > StopTransaction 100 Local ALICE
           < Accepted
         > StatusNotification 1 Finishing
           <
         > StatusNotification 0 Unavailable
           <
         > StatusNotification 1 Unavailable
           <",
    );
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 0, "type": "Operative" },
        )
        .await;
    world.expect(
        "< ChangeAvailability 0 Operative
           > Accepted
         > StatusNotification 1 Available
           <
         > StatusNotification 2 Available
           <
         > StatusNotification 0 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_is_not_there_is_rejected() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 2, "type": "Inoperative" },
        )
        .await;
    world.expect(
        "< ChangeAvailability 2 Inoperative
           > Rejected",
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_hides_it_until_it_is_mended() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("fault.inject", object! {}).await;
    world.frames();
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    world.hands("fault.clear", object! {}).await;
    world.expect(
        "< ChangeAvailability 1 Inoperative
           > Accepted
         > StatusNotification 1 Unavailable
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn while_preparing_it_waits_and_goes_over_available() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("ev.plug", object! {}).await;
    world.frames();
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    // Nobody new may begin; there is no way from Preparing to Unavailable but over Available.
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.unplug", object! {}).await;
    world.expect(
        "< ChangeAvailability 1 Inoperative
           > Scheduled
         > StatusNotification 1 Available
           <
         > StatusNotification 1 Unavailable
           <",
    );
}
