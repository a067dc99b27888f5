//! Registration: who is let in, and what may be said before.

use std::time::Duration;

use plugfest_protocol::{Frame, Timestamp, object};
use plugfest_reference::csms::{KnownStation, Registration};
use plugfest_reference::station::Makeup;

use crate::world::{NOON, World, csms_config, station_config};

fn world(registration: Registration) -> World {
    let mut csms = csms_config();
    let identity = "CS 1".to_owned();
    csms.stations = vec![KnownStation {
        identity,
        password: None,
        registration,
    }];
    World::new(station_config(), csms)
}

#[tokio::test(start_paused = true)]
async fn a_pending_station_answers_but_asks_nothing_of_its_own() {
    let world = world(Registration::Pending);
    world.pass(5).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world
        .operator(
            "GetConfiguration",
            object! { "key": vec!["HeartbeatInterval".into()] },
        )
        .await;
    world
        .operator(
            "TriggerMessage",
            object! { "requestedMessage": "StatusNotification", "connectorId": 1 },
        )
        .await;
    world.expect(
        "> BootNotification
           < Pending
         < GetConfiguration
           >
         < TriggerMessage StatusNotification 1
           > Accepted
         > StatusNotification 1 Preparing
           <",
    );
    // RemoteStart is not allowed now; an honest operator cannot even send it.
    let args = object! { "action": "RemoteStartTransaction", "payload": object! { "idTag": "ALICE" } };
    let outcome = world.csms.perform("csms.call", &args).await;
    assert_eq!(outcome.to_json().get("outcome").unwrap().as_str(), Some("failed"));
    world
        .csms
        .perform(
            "csms.station",
            &object! { "id": "CS 1", "registration": "Accepted" },
        )
        .await;
    world.pass(30).await;
    world.expect(
        "> BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_pending_station_boots_again_when_asked_to() {
    let world = world(Registration::Pending);
    world.pass(5).await;
    world
        .csms
        .perform(
            "csms.station",
            &object! { "id": "CS 1", "registration": "Accepted" },
        )
        .await;
    world
        .operator(
            "TriggerMessage",
            object! { "requestedMessage": "BootNotification" },
        )
        .await;
    world.expect(
        "> BootNotification
           < Pending
         < TriggerMessage BootNotification
           > Accepted
         > BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_rejected_station_keeps_still_for_the_interval() {
    let world = world(Registration::Rejected);
    world.pass(32).await;
    world.expect(
        "> BootNotification
           < Rejected
         > BootNotification
           < Rejected",
    );
    world
        .csms
        .perform(
            "csms.station",
            &object! { "id": "CS 1", "registration": "Accepted" },
        )
        .await;
    world.pass(30).await;
    let frames = world.frames();
    assert_eq!(frames[1], "  < Accepted");
}

#[tokio::test(start_paused = true)]
async fn a_boot_without_answer_is_repeated() {
    let world = World::of(Makeup::default());
    world.lose(|frame| matches!(frame, Frame::CallResult { .. }));
    world.pass(40).await;
    world.lose_nothing();
    world.pass(30).await;
    world.expect(
        "> BootNotification
           < Accepted (lost)
         > BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn heartbeats_follow_the_interval_of_the_csms_and_the_clock_follows_theirs() {
    let mut csms = csms_config();
    csms.heartbeat_interval = Duration::from_secs(40);
    csms.start = Timestamp::from_secs(NOON + 86_400);
    let world = World::new(station_config(), csms).booted().await;
    world.frames();
    world.pass(120).await;
    world.expect(
        "> Heartbeat
           <
         > Heartbeat
           <
         > Heartbeat
           <",
    );
    world.set("HeartbeatInterval", "10").await;
    world.pass(20).await;
    world.expect(
        "> Heartbeat
           <
         > Heartbeat
           <",
    );
    world.hands("ev.plug", object! {}).await;
    let status = world.payloads("StatusNotification").pop().unwrap();
    let stamp = Timestamp::parse(status.get("timestamp").unwrap().as_str().unwrap()).unwrap();
    let truth = Timestamp::from_secs(NOON + 86_400 + 150);
    assert!(stamp.distance(truth) < Duration::from_secs(10), "{stamp}");
}

#[tokio::test(start_paused = true)]
async fn before_acceptance_a_station_serves_nobody() {
    let world = World::of(Makeup::default());
    world.lose(|frame| matches!(frame, Frame::Call { .. }));
    world.pass(2).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.pass(20).await;
    world.expect("> BootNotification (lost)");
}
