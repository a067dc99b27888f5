//! ReserveNow and CancelReservation, and who may charge meanwhile (OCPP 1.6 §5.1, §5.13).

use plugfest_protocol::{Json, object};
use plugfest_reference::Outcome;
use plugfest_reference::station::{Makeup, Reservations};

use crate::world::World;

/// A request that reserves until half past twelve.
fn reserve(id: i64, connector: i64, tag: &str) -> Json {
    object! {
        "connectorId": connector,
        "expiryDate": "2024-05-01T12:30:00Z",
        "idTag": tag,
        "reservationId": id,
    }
}

fn for_group(mut request: Json, parent: &str) -> Json {
    request.as_object_mut().unwrap().insert("parentIdTag", parent);
    request
}

async fn station(connectors: u32) -> World {
    let makeup = Makeup {
        connectors,
        ..Makeup::default()
    };
    World::of(makeup).booted().await
}

/// A world in which connector 1 of so many is reserved for ALICE as 7.
async fn reserved(connectors: u32) -> World {
    let world = station(connectors).await;
    world.frames();
    world.operator("ReserveNow", reserve(7, 1, "ALICE")).await;
    world.expect(
        "< ReserveNow 1 ALICE 7
           > Accepted
         > StatusNotification 1 Reserved
           <",
    );
    world
}

#[tokio::test(start_paused = true)]
async fn the_token_that_reserved_uses_the_reservation_up() {
    let world = reserved(1).await;
    // Somebody else is refused, with and without a cable.
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.expect("");
    world.hands("token.present", object! { "token": "alice" }).await;
    world.expect(
        "> Authorize alice
           < Accepted
         > StatusNotification 1 Preparing
           <
         > StartTransaction 1 alice 7
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
    world
        .asks("CancelReservation", object! { "reservationId": 7 }, "Rejected")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_first_makes_it_preparing_and_a_time_out_reserved_again() {
    let world = reserved(1).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.pass(61).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <
         > StatusNotification 1 Available
           <
         > StatusNotification 1 Reserved
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn it_expires_and_a_cable_that_waited_begins_a_session() {
    let world = reserved(1).await;
    world.hands("ev.plug", object! {}).await;
    world.expect("");
    world.pass(1_790).await;
    world.expect("");
    world.pass(3).await;
    world.settle().await;
    world.expect(
        "> StatusNotification 1 Available
           <
         > StatusNotification 1 Preparing
           <",
    );
    assert_eq!(
        world
            .payloads("StatusNotification")
            .iter()
            .rev()
            .nth(1)
            .unwrap()
            .get("timestamp"),
        Some(&Json::from("2024-05-01T12:30:00.000Z"))
    );
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.expect(
        "> Authorize BOB
           < Accepted
         > StartTransaction 1 BOB
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_cancelled_by_its_id_only_also_after_a_restart() {
    let world = reserved(1).await;
    world
        .asks("CancelReservation", object! { "reservationId": 8 }, "Rejected")
        .await;
    world.hands("station.power_cycle", object! {}).await;
    world.pass(5).await;
    world.expect(
        "> BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Reserved
           <",
    );
    world
        .operator("CancelReservation", object! { "reservationId": 7 })
        .await;
    world.expect(
        "< CancelReservation 7
           > Accepted
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn the_same_id_replaces_and_another_finds_it_occupied() {
    let world = reserved(2).await;
    world.asks("ReserveNow", reserve(8, 1, "BOB"), "Occupied").await;
    world.asks("ReserveNow", reserve(8, 1, "ALICE"), "Occupied").await;
    world.frames();
    world.operator("ReserveNow", reserve(7, 2, "BOB")).await;
    world.expect(
        "< ReserveNow 2 BOB 7
           > Accepted
         > StatusNotification 1 Available
           <
         > StatusNotification 2 Reserved
           <",
    );
    world.asks("ReserveNow", reserve(7, 2, "BOB"), "Accepted").await;
    world.hands("ev.plug", object! { "connector": 1 }).await;
    // Where the new place is not to be had, the old one stays.
    world.asks("ReserveNow", reserve(7, 1, "BOB"), "Occupied").await;
    world
        .asks("CancelReservation", object! { "reservationId": 7 }, "Accepted")
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_reserved_says_why() {
    let world = station(3).await;
    world.hands("ev.plug", object! { "connector": 1 }).await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 2, "type": "Inoperative" },
        )
        .await;
    world.hands("fault.inject", object! { "connector": 3 }).await;
    for (connector, status) in [
        (1, "Occupied"),
        (2, "Unavailable"),
        (3, "Faulted"),
        (4, "Rejected"),
        (0, "Occupied"),
    ] {
        world
            .asks("ReserveNow", reserve(7, connector, "BOB"), status)
            .await;
    }
    world.hands("ev.unplug", object! { "connector": 1 }).await;
    world
        .operator(
            "ChangeAvailability",
            object! { "connectorId": 1, "type": "Inoperative" },
        )
        .await;
    world
        .asks("ReserveNow", reserve(7, 0, "BOB"), "Unavailable")
        .await;
    world.hands("fault.inject", object! { "connector": 0 }).await;
    world.asks("ReserveNow", reserve(7, 0, "BOB"), "Faulted").await;

    let world = station(1).await;
    world.hands("fault.inject", object! { "connector": 0 }).await;
    world.asks("ReserveNow", reserve(7, 0, "BOB"), "Faulted").await;
    world.asks("ReserveNow", reserve(7, 1, "BOB"), "Faulted").await;

    let mut past = reserve(7, 1, "BOB");
    past.as_object_mut()
        .unwrap()
        .insert("expiryDate", "2024-05-01T11:59:59Z");
    station(1).await.asks("ReserveNow", past, "Rejected").await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_or_unavailability_ends_it() {
    let world = reserved(1).await;
    world.hands("fault.inject", object! {}).await;
    world.hands("fault.clear", object! {}).await;
    world.expect(
        "> StatusNotification 1 Faulted InternalError
           <
         > StatusNotification 1 Available
           <",
    );
    world.operator("ReserveNow", reserve(7, 1, "ALICE")).await;
    world.frames();
    for kind in ["Inoperative", "Operative"] {
        world
            .operator("ChangeAvailability", object! { "connectorId": 1, "type": kind })
            .await;
    }
    world.expect(
        "< ChangeAvailability 1 Inoperative
           > Accepted
         > StatusNotification 1 Unavailable
           <
         < ChangeAvailability 1 Operative
           > Accepted
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_group_may_use_it_and_the_csms_is_asked_who_belongs_to_it() {
    let world = station(1).await;
    let request = for_group(reserve(7, 1, "GROUP1"), "FAMILY");
    world.asks("ReserveNow", request, "Accepted").await;
    world.hands("ev.plug", object! {}).await;
    world.frames();
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.hands("token.present", object! { "token": "GROUP2" }).await;
    world.expect(
        "> Authorize BOB
           < Accepted
         > Authorize GROUP2
           < Accepted
         > StatusNotification 1 Preparing
           <
         > StartTransaction 1 GROUP2 7
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_remote_start_keeps_off_what_is_reserved_for_others() {
    let world = reserved(2).await;
    for (payload, status) in [
        (object! { "idTag": "BOB", "connectorId": 1 }, "Rejected"),
        (object! { "idTag": "BOB" }, "Accepted"),
    ] {
        world.asks("RemoteStartTransaction", payload, status).await;
    }
    world.hands("ev.plug", object! { "connector": 2 }).await;
    world.expect(
        "> StartTransaction 2 BOB
           < Accepted 100
         > StatusNotification 2 Charging
           <",
    );
    world.hands("ev.plug", object! { "connector": 1 }).await;
    world
        .operator("RemoteStartTransaction", object! { "idTag": "ALICE" })
        .await;
    world.expect(
        "< RemoteStartTransaction ALICE
           > Accepted
         > StatusNotification 1 Preparing
           <
         > StartTransaction 1 ALICE 7
           < Accepted 101
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn with_connector_0_one_is_kept_whichever_it_is() {
    let world = station(2).await;
    world.frames();
    world.operator("ReserveNow", reserve(7, 0, "ALICE")).await;
    world.hands("ev.plug", object! { "connector": 2 }).await;
    world.expect(
        "< ReserveNow 0 ALICE 7
           > Accepted
         > StatusNotification 2 Preparing
           <
         > StatusNotification 1 Reserved
           <",
    );
    world.asks("ReserveNow", reserve(8, 0, "BOB"), "Occupied").await;
    world.asks("ReserveNow", reserve(8, 1, "BOB"), "Occupied").await;
    world.hands("ev.plug", object! { "connector": 1 }).await;
    world
        .hands("token.present", object! { "token": "BOB", "connector": 1 })
        .await;
    world.expect("");
    world
        .hands("token.present", object! { "token": "BOB", "connector": 2 })
        .await;
    world
        .hands("token.present", object! { "token": "ALICE", "connector": 1 })
        .await;
    world.expect(
        "> Authorize BOB
           < Accepted
         > StartTransaction 2 BOB
           < Accepted 100
         > StatusNotification 2 Charging
           <
         > Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <
         > StartTransaction 1 ALICE 7
           < Accepted 101
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_make_up_takes_as_many_kinds_as_it_claims() {
    for (reservations, specific, any, claimed, zero) in [
        (Reservations::Anywhere, "Accepted", "Accepted", true, Some("true")),
        (
            Reservations::Connector,
            "Accepted",
            "Rejected",
            true,
            Some("false"),
        ),
        (Reservations::Refused, "Rejected", "Rejected", false, None),
        (
            Reservations::Absent,
            "error NotSupported",
            "error NotSupported",
            false,
            None,
        ),
    ] {
        let world = World::of(Makeup {
            connectors: 2,
            reservations,
            ..Makeup::default()
        })
        .booted()
        .await;
        world.asks("ReserveNow", reserve(7, 1, "ALICE"), specific).await;
        world.asks("ReserveNow", reserve(8, 0, "BOB"), any).await;
        let profiles = world.setting("SupportedFeatureProfiles").await.unwrap();
        assert_eq!(profiles.split(',').any(|it| it == "Reservation"), claimed);
        assert_eq!(
            world.setting("ReserveConnectorZeroSupported").await.as_deref(),
            zero
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_office_knows_what_is_reserved_and_what_uses_it_up() {
    let world = reserved(2).await;
    let standing = |world: &World| {
        let records = world.csms.records("reservations", Some("CS 1")).unwrap();
        records.as_array().unwrap().to_vec()
    };
    assert_eq!(
        standing(&world),
        [object! {
            "reservationId": 7,
            "station": "CS 1",
            "connectorId": 1,
            "idTag": "ALICE",
            "expiryDate": "2024-05-01T12:30:00.000Z",
        }]
    );
    world
        .asks("ReserveNow", reserve(8, 2, "BLOCKED"), "Accepted")
        .await;
    // A token that is refused uses nothing up in the office, though its station has let it in.
    world
        .asks(
            "RemoteStartTransaction",
            object! { "idTag": "BLOCKED", "connectorId": 2 },
            "Accepted",
        )
        .await;
    world.hands("ev.plug", object! { "connector": 2 }).await;
    assert_eq!(standing(&world).len(), 2);
    world.hands("ev.plug", object! {}).await;
    world
        .hands("token.present", object! { "token": "ALICE", "connector": 1 })
        .await;
    assert_eq!(standing(&world).len(), 1);
    world.hands("fault.inject", object! { "connector": 0 }).await;
    assert_eq!(standing(&world), []);
    let args = object! { "kind": "reservations" };
    assert_eq!(
        world.csms.perform("csms.records", &args).await,
        Outcome::Returned(Json::Array(Vec::new()))
    );
}
