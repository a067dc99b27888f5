//! UpdateFirmware and FirmwareStatusNotification (OCPP 1.6 §4.5, §5.19).

use plugfest_protocol::{Json, object};
use plugfest_reference::station::Makeup;

use crate::shelf::{Meet, Shelf};
use crate::world::{World, csms_config, station_config};

const GOOD: &[u8] = b"plugfest firmware\nand whatever it takes";

async fn served(answers: impl IntoIterator<Item = Meet>) -> (World, Shelf) {
    let shelf = Shelf::of(answers);
    let world = World::served(station_config(), csms_config(), &shelf)
        .booted()
        .await;
    world.frames();
    (world, shelf)
}

fn update(retrieve: &str, more: Json) -> Json {
    let mut request = object! {
        "location": "http://files.test/firmware?x=1",
        "retrieveDate": format!("2024-05-01T{retrieve}Z"),
    };
    for (key, value) in more.as_object().unwrap().iter() {
        request.as_object_mut().unwrap().insert(key, value);
    }
    request
}

#[tokio::test(start_paused = true)]
async fn good_firmware_is_fetched_installed_and_running_after_a_restart() {
    let (world, shelf) = served([Meet::Answer(200, GOOD.to_vec())]).await;
    world
        .operator("UpdateFirmware", update("12:01:00", object! {}))
        .await;
    world.pass(40).await;
    world.expect(
        "< UpdateFirmware
           >",
    );
    world.pass(40).await;
    world.expect(
        "> FirmwareStatusNotification Downloading
           <
         > FirmwareStatusNotification Downloaded
           <
         > StatusNotification 1 Unavailable
           <
         > FirmwareStatusNotification Installing
           <
         > close
         > BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Available
           <
         > FirmwareStatusNotification Installed
           <",
    );
    let [asked] = &shelf.asked()[..] else {
        panic!("one download")
    };
    assert_eq!(asked.address, "files.test:80");
    assert!(
        asked
            .head
            .starts_with("GET /firmware?x=1 HTTP/1.1\r\nhost: files.test\r\n"),
        "{}",
        asked.head
    );
    let versions: Vec<Json> = world
        .payloads("BootNotification")
        .iter()
        .map(|boot| boot.get("firmwareVersion").cloned().unwrap())
        .collect();
    assert_eq!(versions[0], Json::from(env!("CARGO_PKG_VERSION")));
    assert_ne!(versions[0], versions[1]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_firmware_is_not_installed_and_a_cable_that_waited_is_served() {
    let (world, _) = served([Meet::Answer(200, b"noise".to_vec())]).await;
    world
        .operator("UpdateFirmware", update("12:00:00", object! {}))
        .await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.pass(5).await;
    world.expect(
        "< UpdateFirmware
           >
         > FirmwareStatusNotification Downloading
           <
         > FirmwareStatusNotification Downloaded
           <
         > StatusNotification 1 Unavailable
           <
         > FirmwareStatusNotification Installing
           <
         > FirmwareStatusNotification InstallationFailed
           <
         > StatusNotification 1 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_download_that_fails_is_tried_again_as_often_as_asked() {
    let bad = [Meet::Answer(404, Vec::new()), Meet::Cut, Meet::Silence];
    let (world, shelf) = served(bad).await;
    let patience = object! { "retries": 2, "retryInterval": 20 };
    world
        .operator("UpdateFirmware", update("12:00:00", patience))
        .await;
    world.pass(10).await;
    assert_eq!(shelf.asked().len(), 1);
    world.pass(15).await;
    assert_eq!(shelf.asked().len(), 1);
    world.pass(20).await;
    assert_eq!(shelf.asked().len(), 1);
    world.expect(
        "< UpdateFirmware
           >
         > FirmwareStatusNotification Downloading
           <",
    );
    world.pass(300).await;
    world.expect(
        "> FirmwareStatusNotification DownloadFailed
           <",
    );
    assert_eq!(shelf.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn without_retries_or_by_another_protocol_it_fails_at_once() {
    for location in [
        "http://files.test/x",
        "ftp://files.test/x",
        "http:///",
        "nonsense",
    ] {
        let world = World::of(Makeup::default()).booted().await;
        world.frames();
        let request = object! { "location": location, "retrieveDate": "2024-05-01T12:00:00Z", "retries": 0 };
        world.operator("UpdateFirmware", request).await;
        world.expect(
            "< UpdateFirmware
               >
             > FirmwareStatusNotification Downloading
               <
             > FirmwareStatusNotification DownloadFailed
               <",
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_installed_while_somebody_charges() {
    let shelf = Shelf::of([Meet::Answer(200, GOOD.to_vec())]);
    let mut config = station_config();
    config.makeup.connectors = 2;
    let world = World::served(config, csms_config(), &shelf).booted().await;
    world.hands("ev.plug", object! {}).await;
    world
        .hands("token.present", object! { "token": "ALICE", "connector": 1 })
        .await;
    world.frames();
    world
        .operator("UpdateFirmware", update("12:00:00", object! {}))
        .await;
    world.pass(60).await;
    world
        .asks("RemoteStartTransaction", object! { "idTag": "BOB" }, "Rejected")
        .await;
    world
        .hands("token.present", object! { "token": "ALICE", "connector": 1 })
        .await;
    world.pass(10).await;
    world.expect(
        "> StopTransaction 100 Local ALICE
           < Accepted
         > StatusNotification 1 Unavailable
           <
         > FirmwareStatusNotification Installing
           <
         > close
         > BootNotification
           < Accepted
         > StatusNotification 0 Available
           <
         > StatusNotification 1 Preparing
           <
         > StatusNotification 2 Available
           <
         > FirmwareStatusNotification Installed
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn a_trigger_tells_how_far_it_is_and_idle_before_and_after() {
    let (world, _) = served([Meet::Silence]).await;
    let trigger = async |status: &str| {
        let request = object! { "requestedMessage": "FirmwareStatusNotification", "connectorId": 1 };
        world.frames();
        world.operator("TriggerMessage", request).await;
        world.expect(&format!(
            "< TriggerMessage FirmwareStatusNotification 1
               > Accepted
             > FirmwareStatusNotification {status}
               <"
        ));
    };
    trigger("Idle").await;
    world
        .operator("UpdateFirmware", update("12:01:00", object! {}))
        .await;
    trigger("Idle").await;
    world.pass(60).await;
    trigger("Downloading").await;
    world.pass(300).await;
    trigger("Idle").await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_in_between_begins_the_download_anew() {
    let (world, shelf) = served([Meet::Silence, Meet::Answer(200, GOOD.to_vec())]).await;
    world
        .operator("UpdateFirmware", update("12:00:00", object! {}))
        .await;
    world.hands("station.power_cycle", object! {}).await;
    world.pass(20).await;
    assert_eq!(shelf.asked().len(), 2);
    assert_eq!(
        world.frames().iter().rev().nth(1).map(String::as_str),
        Some("> FirmwareStatusNotification Installed")
    );
}

#[tokio::test(start_paused = true)]
async fn who_has_plugged_in_but_not_begun_is_waited_for_as_well() {
    let (world, _) = served([Meet::Answer(200, b"noise".to_vec())]).await;
    world.hands("ev.plug", object! {}).await;
    world
        .operator("UpdateFirmware", update("12:00:00", object! {}))
        .await;
    world.frames();
    world.pass(65).await;
    world.expect(
        "> StatusNotification 1 Finishing
           <
         > StatusNotification 1 Unavailable
           <
         > FirmwareStatusNotification Installing
           <
         > FirmwareStatusNotification InstallationFailed
           <
         > StatusNotification 1 Preparing
           <",
    );
}
