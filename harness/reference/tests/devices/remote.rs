//! What the operator can do to sessions: remote start and stop, unlock, trigger.

use plugfest_protocol::object;
use plugfest_reference::station::{Makeup, Reservations, SmartCharging};

use crate::world::{World, charging};

#[tokio::test(start_paused = true)]
async fn remote_start_with_the_cable_in() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("ev.plug", object! {}).await;
    world.frames();
    world
        .operator("RemoteStartTransaction", object! { "idTag": "ALICE" })
        .await;
    world
        .operator("RemoteStopTransaction", object! { "transactionId": 100 })
        .await;
    world.expect(
        "< RemoteStartTransaction ALICE
           > Accepted
         > StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 Charging
           <
         < RemoteStopTransaction 100
           > Accepted
         > StopTransaction 100 Remote
           <
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn remote_start_asks_first_where_it_is_told_to() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("AuthorizeRemoteTxRequests", "true").await;
    world
        .operator(
            "RemoteStartTransaction",
            object! { "idTag": "BLOCKED", "connectorId": 1 },
        )
        .await;
    world
        .operator(
            "RemoteStartTransaction",
            object! { "idTag": "ALICE", "connectorId": 1 },
        )
        .await;
    world.hands("ev.plug", object! {}).await;
    world.expect(
        "< RemoteStartTransaction 1 BLOCKED
           > Accepted
         > Authorize BLOCKED
           < Blocked
         < RemoteStartTransaction 1 ALICE
           > Accepted
         > Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <
         > StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn remote_start_times_out_without_a_plug() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world
        .operator(
            "RemoteStartTransaction",
            object! { "idTag": "ALICE", "connectorId": 1 },
        )
        .await;
    world.pass(61).await;
    world.expect(
        "< RemoteStartTransaction 1 ALICE
           > Accepted
         > StatusNotification 1 Preparing
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_started_or_stopped_is_rejected() {
    let world = charging(Makeup {
        connectors: 2,
        ..Makeup::default()
    })
    .await;
    world.hands("fault.inject", object! { "connector": 2 }).await;
    world.frames();
    for payload in [
        object! { "idTag": "BOB", "connectorId": 1 },
        object! { "idTag": "BOB", "connectorId": 2 },
        object! { "idTag": "BOB", "connectorId": 3 },
        object! { "idTag": "BOB" },
    ] {
        world.operator("RemoteStartTransaction", payload.clone()).await;
        assert_eq!(
            world.frames().last().map(String::as_str),
            Some("  > Rejected"),
            "{payload}"
        );
    }
    world
        .operator("RemoteStopTransaction", object! { "transactionId": 4711 })
        .await;
    world.expect(
        "< RemoteStopTransaction 4711
           > Rejected",
    );
}

#[tokio::test(start_paused = true)]
async fn unlocking_ends_the_transaction_first() {
    let world = charging(Makeup::default()).await;
    world
        .operator("UnlockConnector", object! { "connectorId": 1 })
        .await;
    world.hands("ev.unplug_at_evse", object! {}).await;
    world.expect(
        "< UnlockConnector 1
           > Unlocked
         > StopTransaction 100 UnlockCommand
           <
         > StatusNotification 1 Finishing
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_stuck_lock_fails_to_unlock() {
    let world = charging(Makeup::default()).await;
    world.hands("lock.fail", object! {}).await;
    world
        .operator("UnlockConnector", object! { "connectorId": 1 })
        .await;
    world.expect(
        "< UnlockConnector 1
           > UnlockFailed
         > StopTransaction 100 UnlockCommand
           <
         > StatusNotification 1 Finishing ConnectorLockFailure
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_unlock() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world
        .operator("UnlockConnector", object! { "connectorId": 1 })
        .await;
    world
        .operator("UnlockConnector", object! { "connectorId": 2 })
        .await;
    world.expect(
        "< UnlockConnector 1
           > Unlocked
         < UnlockConnector 2
           > NotSupported",
    );
    let world = charging(Makeup {
        fixed_cable: true,
        ..Makeup::default()
    })
    .await;
    world
        .operator("UnlockConnector", object! { "connectorId": 1 })
        .await;
    world.expect(
        "< UnlockConnector 1
           > NotSupported",
    );
}

#[tokio::test(start_paused = true)]
async fn triggered_messages_come_after_the_answer() {
    let world = charging(Makeup {
        connectors: 2,
        firmware: false,
        ..Makeup::default()
    })
    .await;
    for (message, connector) in [
        ("Heartbeat", None),
        ("StatusNotification", None),
        ("StatusNotification", Some(1)),
        ("MeterValues", Some(1)),
        ("MeterValues", Some(9)),
        ("FirmwareStatusNotification", None),
        ("DiagnosticsStatusNotification", Some(1)),
    ] {
        let payload = match connector {
            Some(connector) => object! { "requestedMessage": message, "connectorId": connector },
            None => object! { "requestedMessage": message },
        };
        world.operator("TriggerMessage", payload).await;
    }
    world.expect(
        "< TriggerMessage Heartbeat
           > Accepted
         > Heartbeat
           <
         < TriggerMessage StatusNotification
           > Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Charging
           <
         > StatusNotification 2 Available
           <
         < TriggerMessage StatusNotification 1
           > Accepted
         > StatusNotification 1 Charging
           <
         < TriggerMessage MeterValues 1
           > Accepted
         > MeterValues 1 100 Trigger
           <
         < TriggerMessage MeterValues 9
           > Rejected
         < TriggerMessage FirmwareStatusNotification
           > NotImplemented
         < TriggerMessage DiagnosticsStatusNotification 1
           > NotImplemented",
    );
}

#[tokio::test(start_paused = true)]
async fn profiles_that_are_not_there_are_not_supported() {
    let world = World::of(Makeup {
        local_list: false,
        remote_trigger: false,
        reservations: Reservations::Absent,
        firmware: false,
        smart_charging: SmartCharging::Absent,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.frames();
    for (action, payload) in [
        ("TriggerMessage", object! { "requestedMessage": "Heartbeat" }),
        ("GetLocalListVersion", object! {}),
        ("CancelReservation", object! { "reservationId": 1 }),
        ("ClearChargingProfile", object! {}),
        ("GetDiagnostics", object! { "location": "ftp://x" }),
    ] {
        world.operator(action, payload).await;
        assert_eq!(
            world.frames().last().map(String::as_str),
            Some("  > error NotSupported"),
            "{action}"
        );
    }
}
