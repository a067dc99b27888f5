//! Sessions at one connector, from plug to plug.

use plugfest_protocol::{Json, object};
use plugfest_reference::Outcome;
use plugfest_reference::station::Makeup;

use crate::world::{World, charging};

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

#[tokio::test(start_paused = true)]
async fn refused_tokens_start_nothing() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("ev.plug", object! {}).await;
    world.frames();
    for (tag, status) in [
        ("BLOCKED", "Blocked"),
        ("EXPIRED", "Expired"),
        ("NOBODY", "Invalid"),
    ] {
        world.hands("token.present", object! { "token": tag }).await;
        world.expect(&format!(
            "> Authorize {tag}
               < {status}"
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn connection_timeout_with_a_token_and_no_plug() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.pass(58).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <",
    );
    world.pass(2).await;
    world.expect(
        "> StatusNotification 1 Available
           <",
    );
    // The permit is gone with it.
    world.hands("ev.plug", object! {}).await;
    world.expect(
        "> StatusNotification 1 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn connection_timeout_with_a_plug_and_no_token() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world.hands("ev.plug", object! {}).await;
    world.pass(60).await;
    world.hands("ev.unplug", object! {}).await;
    world.expect(
        "> StatusNotification 1 Preparing
           <
         > StatusNotification 1 Finishing
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_presentation_calls_it_off() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_half_plugged_cable_starts_nothing() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    world.hands("ev.plug_half", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> StatusNotification 1 Preparing
           <
         > Authorize ALICE
           < Accepted",
    );
    world.hands("ev.plug", object! {}).await;
    world.expect(
        "> StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_group_may_stop_what_another_started() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "GROUP1" }).await;
    world.frames();
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.hands("token.present", object! { "token": "GROUP2" }).await;
    world.expect(
        "> Authorize BOB
           < Accepted
         > Authorize GROUP2
           < Accepted
         > StopTransaction 100 Local GROUP2
           < Accepted
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn the_stop_button_needs_no_token() {
    let world = charging(Makeup::default()).await;
    world.hands("user.stop", object! {}).await;
    world.expect(
        "> StopTransaction 100 Local
           <
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn the_vehicle_may_suspend_and_resume() {
    let world = charging(Makeup::default()).await;
    world.hands("ev.suspend", object! {}).await;
    let before = world.controls.perform("meter.read", &object! {}).await;
    world.pass(600).await;
    assert_eq!(
        world.controls.perform("meter.read", &object! {}).await,
        before,
        "no energy while suspended"
    );
    world.hands("ev.resume", object! {}).await;
    world.expect(
        "> StatusNotification 1 SuspendedEV
           <
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_vehicle_that_is_not_ready_starts_suspended() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("ev.plug", object! { "ready": false }).await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 SuspendedEV
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn pulling_the_plug_at_the_vehicle_stops_with_a_fixed_cable() {
    let world = charging(Makeup {
        fixed_cable: true,
        ..Makeup::default()
    })
    .await;
    world.hands("ev.unplug", object! {}).await;
    world.expect(
        "> StopTransaction 100 EVDisconnected
           <
         > StatusNotification 1 Finishing EV side disconnected
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn pulling_the_plug_at_the_vehicle_stops_and_unlocks_a_socket() {
    let world = charging(Makeup::default()).await;
    let locked = world.controls.perform("ev.unplug_at_evse", &object! {}).await;
    assert_eq!(
        locked,
        Outcome::Failed("connector 1 holds its cable locked".into())
    );
    world.hands("ev.unplug", object! {}).await;
    world.hands("ev.unplug_at_evse", object! {}).await;
    world.expect(
        "> StopTransaction 100 EVDisconnected
           <
         > StatusNotification 1 Finishing EV side disconnected
           <
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn without_unlock_on_disconnect_the_cable_waits_for_its_owner() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("UnlockConnectorOnEVSideDisconnect", "false").await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "GROUP1" }).await;
    world.hands("ev.unplug", object! {}).await;
    assert!(matches!(
        world.controls.perform("ev.unplug_at_evse", &object! {}).await,
        Outcome::Failed(_)
    ));
    world.frames();
    world.hands("token.present", object! { "token": "GROUP2" }).await;
    world.hands("ev.unplug_at_evse", object! {}).await;
    world.expect(
        "> Authorize GROUP2
           < Accepted
         > StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn without_stop_on_disconnect_the_transaction_goes_on() {
    let world = World::of(Makeup {
        fixed_cable: true,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.set("StopTransactionOnEVSideDisconnect", "false").await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.frames();
    world.hands("ev.unplug", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> StatusNotification 1 SuspendedEV EV side disconnected
           <
         > StatusNotification 1 Charging
           <
         > StopTransaction 100 Local ALICE
           < Accepted
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_fails_at_the_start_is_a_fault_until_it_is_mended() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("lock.fail", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 1 Faulted ConnectorLockFailure
           <",
    );
    world.hands("lock.clear", object! {}).await;
    world.expect(
        "> StatusNotification 1 Preparing
           <
         > StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_fault_leads_back_to_where_it_began() {
    let world = charging(Makeup::default()).await;
    world
        .hands("fault.inject", object! { "code": "GroundFailure" })
        .await;
    world.hands("fault.clear", object! {}).await;
    world
        .hands(
            "fault.inject",
            object! { "connector": 0, "code": "HighTemperature" },
        )
        .await;
    world.hands("fault.clear", object! { "connector": 0 }).await;
    world
        .hands("fault.inject", object! { "code": "WeakSignal" })
        .await;
    world.expect(
        "> StatusNotification 1 Faulted GroundFailure
           <
         > StatusNotification 1 Charging
           <
         > StatusNotification 0 Faulted HighTemperature
           <
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Charging WeakSignal
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_refused_at_the_start_is_stopped_and_its_cable_held() {
    let world = World::of(Makeup::default()).booted().await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    // Meanwhile the back office changes its mind.
    world
        .csms
        .perform("csms.token", &object! { "id": "ALICE", "status": "Blocked" })
        .await;
    world.frames();
    world.hands("ev.plug", object! {}).await;
    world.expect(
        "> StartTransaction 1 ALICE
           < Blocked 100
         > StatusNotification 1 Charging
           <
         > StopTransaction 100 DeAuthorized
           <
         > StatusNotification 1 Finishing
           <",
    );
    assert!(matches!(
        world.controls.perform("ev.unplug_at_evse", &object! {}).await,
        Outcome::Failed(_)
    ));
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.unplug_at_evse", object! {}).await;
    world.expect(
        "> StatusNotification 1 Available
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn without_stop_on_invalid_id_only_the_energy_ends() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("StopTransactionOnInvalidId", "false").await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world
        .csms
        .perform("csms.token", &object! { "id": "ALICE", "status": "Blocked" })
        .await;
    world.frames();
    world.hands("ev.plug", object! {}).await;
    world.pass(3600).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> StartTransaction 1 ALICE
           < Blocked 100
         > StatusNotification 1 Charging
           <
         > StatusNotification 1 SuspendedEVSE
           <
         > Heartbeat
           <
         > StopTransaction 100 Local ALICE
           < Blocked
         > StatusNotification 1 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_may_be_given_some_energy() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("MaxEnergyOnInvalidId", "50").await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world
        .csms
        .perform("csms.token", &object! { "id": "ALICE", "status": "Blocked" })
        .await;
    world.hands("ev.plug", object! {}).await;
    world.pass(60).await;
    let start = world.payloads("StartTransaction").remove(0);
    let stop = world.payloads("StopTransaction").remove(0);
    let meter = |payload: &Json, key| payload.get(key).and_then(Json::as_i64).unwrap();
    assert_eq!(meter(&stop, "meterStop") - meter(&start, "meterStart"), 50);
    assert_eq!(stop.get("reason"), Some(&Json::from("DeAuthorized")));
}

#[tokio::test(start_paused = true)]
async fn at_three_connectors_a_token_belongs_to_the_next_plug() {
    let world = World::of(Makeup {
        connectors: 3,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.hands("ev.plug", object! { "connector": 2 }).await;
    world.hands("ev.plug", object! { "connector": 3 }).await;
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 2 Preparing
           <
         > StartTransaction 2 ALICE
           < Accepted 100
         > StatusNotification 2 Charging
           <
         > StatusNotification 3 Preparing
           <
         > Authorize BOB
           < Accepted
         > StartTransaction 3 BOB
           < Accepted 101
         > StatusNotification 3 Charging
           <
         > StopTransaction 100 Local ALICE
           < Accepted
         > StatusNotification 2 Finishing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn at_three_connectors_a_token_may_name_its_connector() {
    let world = World::of(Makeup {
        connectors: 3,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.frames();
    world
        .hands("token.present", object! { "token": "ALICE", "connector": 3 })
        .await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 3 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn finishing_belongs_to_the_one_before() {
    let world = World::of(Makeup {
        connectors: 2,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.hands("ev.plug", object! {}).await;
    world.pass(60).await;
    world.frames();
    // The next driver's token must not start the cable of the one who gave up.
    world.hands("token.present", object! { "token": "BOB" }).await;
    world.expect(
        "> Authorize BOB
           < Accepted",
    );
}

#[tokio::test(start_paused = true)]
async fn short_statuses_are_left_out() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("MinimumStatusDuration", "10").await;
    world.frames();
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.pass(10).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StartTransaction 1 ALICE
           < Accepted 100
         > StatusNotification 1 Charging
           <",
    );
    world.hands("ev.suspend", object! {}).await;
    world.hands("ev.resume", object! {}).await;
    world.pass(20).await;
    world.expect("");
}

#[tokio::test(start_paused = true)]
async fn a_station_without_a_part_says_so() {
    let world = World::of(Makeup {
        reader: false,
        fixed_cable: true,
        ..Makeup::default()
    })
    .booted()
    .await;
    for (verb, args) in [
        ("token.present", object! { "token": "ALICE" }),
        ("ev.unplug_at_evse", object! {}),
        ("ev.plug_half", object! {}),
        ("lock.fail", object! {}),
        ("bay.enter", object! {}),
    ] {
        assert_eq!(
            world.controls.perform(verb, &args).await,
            Outcome::Unsupported,
            "{verb}"
        );
    }
    let wrong = world
        .controls
        .perform("ev.plug", &object! { "connector": 2 })
        .await;
    assert_eq!(
        wrong,
        Outcome::Failed("there is no connector 2, the last is 1".into())
    );
}
