//! The CSMS's operator and its books.

use plugfest_protocol::{Json, object};
use plugfest_reference::Outcome;
use plugfest_reference::station::Makeup;

use crate::world::{World, charging};

#[tokio::test(start_paused = true)]
async fn an_honest_operator_sends_nothing_that_is_forbidden() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    for (args, words) in [
        (object! { "payload": object! {} }, "argument 'action' is missing"),
        (
            object! { "action": "Heartbeat" },
            "a CSMS cannot send 'Heartbeat'",
        ),
        (object! { "action": "Nonsense" }, "a CSMS cannot send 'Nonsense'"),
        (
            object! { "action": "ClearCache", "station": "CS 2" },
            "station 'CS 2' is not connected",
        ),
        (
            object! { "action": "SendLocalList", "payload": object! { "listVersion": 0, "updateType": "Full" } },
            "station 'CS 1' cannot have list version 0 or -1: they have a meaning of their own",
        ),
        (
            object! { "action": "TriggerMessage", "payload": object! { "requestedMessage": "BootNotification" } },
            "station 'CS 1' has been accepted already",
        ),
    ] {
        assert_eq!(
            world.csms.perform("csms.call", &args).await,
            Outcome::Failed(words.into())
        );
    }
    let args = object! { "action": "Reset", "payload": object! { "type": "Warm" } };
    assert!(
        matches!(world.csms.perform("csms.call", &args).await, Outcome::Failed(words) if words.contains("/type"))
    );
    world.expect("");
    assert_eq!(
        world.csms.perform("ev.plug", &object! {}).await,
        Outcome::Unsupported
    );
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_each_other() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    let call = |action: &str| object! { "action": action, "payload": object! {} };
    let (first, second) = (call("ClearCache"), call("GetConfiguration"));
    let both = futures_util::future::join(
        world.csms.perform("csms.call", &first),
        world.csms.perform("csms.call", &second),
    );
    assert_eq!(both.await, (Outcome::Done, Outcome::Done));
    world.pass(1).await;
    world.expect(
        "< ClearCache
           > Accepted
         < GetConfiguration
           >",
    );
    let answers = world.csms.records("answers", Some("CS 1")).unwrap();
    assert_eq!(
        answers.pointer("/0/payload/status"),
        Some(&Json::from("Accepted"))
    );
    assert_eq!(
        answers.pointer("/1/action"),
        Some(&Json::from("GetConfiguration"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_books_tell_what_happened() {
    let world = charging(Makeup::default()).await;
    world.set("MeterValueSampleInterval", "60").await;
    world.pass(360).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    let Outcome::Returned(books) = world
        .csms
        .perform(
            "csms.records",
            &object! { "kind": "transactions", "station": "CS 1" },
        )
        .await
    else {
        panic!("there are transactions")
    };
    let books = books.pointer("/0").unwrap();
    assert_eq!(books.get("transactionId"), Some(&Json::from(100)));
    assert_eq!(books.get("reason"), Some(&Json::from("Local")));
    assert_eq!(books.get("open"), Some(&Json::from(false)));
    assert_eq!(books.get("meterValues"), Some(&Json::from(6)));
    let energy = books.get("energy").and_then(Json::as_i64).unwrap();
    assert!(
        (735..=745).contains(&energy),
        "{energy} Wh in six minutes at 7,360 W"
    );
    let boots = world.csms.records("boots", None).unwrap();
    assert_eq!(boots.as_array().unwrap().len(), 1);
    assert_eq!(
        world.csms.records("statuses", Some("CS 9")),
        Some(Json::Array(Vec::new()))
    );
    assert!(matches!(
        world.csms.perform("csms.records", &object! { "kind": "secrets" }).await,
        Outcome::Failed(words) if words.contains("'secrets'")
    ));
}

#[tokio::test(start_paused = true)]
async fn tokens_can_be_added_and_changed() {
    let world = World::of(Makeup::default()).booted().await;
    let token = object! { "id": "NEW", "status": "Accepted", "parent": "FAMILY" };
    assert_eq!(world.csms.perform("csms.token", &token).await, Outcome::Done);
    world.hands("token.present", object! { "token": "NEW" }).await;
    let answer = world
        .results()
        .into_iter()
        .find(|it| it.get("idTagInfo").is_some())
        .unwrap();
    assert_eq!(
        answer.pointer("/idTagInfo/parentIdTag"),
        Some(&Json::from("FAMILY"))
    );
    let wrong = world
        .csms
        .perform("csms.token", &object! { "id": "NEW", "status": "Fine" })
        .await;
    assert_eq!(wrong, Outcome::Failed("'Fine' is no authorization status".into()));
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_has_ended_is_left_alone() {
    let world = charging(Makeup::default()).await;
    world.hands("user.stop", object! {}).await;
    world.frames();
    let schedule = object! {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": vec![object! { "startPeriod": 0, "limit": 6 }],
    };
    let profile = object! {
        "chargingProfileId": 1,
        "transactionId": 100,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    };
    for (action, payload) in [
        ("RemoteStopTransaction", object! { "transactionId": 100 }),
        (
            "SetChargingProfile",
            object! { "connectorId": 1, "csChargingProfiles": profile },
        ),
    ] {
        let args = object! { "action": action, "payload": payload };
        assert_eq!(
            world.csms.perform("csms.call", &args).await,
            Outcome::Failed("station 'CS 1' has ended that transaction already".into())
        );
    }
    world.expect("");
}
