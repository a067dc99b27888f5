//! GetDiagnostics and DiagnosticsStatusNotification (OCPP 1.6 §4.4, §5.9).

use plugfest_protocol::{Json, object};
use plugfest_reference::station::Makeup;

use crate::shelf::{Meet, Shelf};
use crate::world::{World, csms_config, station_config};

async fn served(answers: impl IntoIterator<Item = Meet>) -> (World, Shelf) {
    let shelf = Shelf::of(answers);
    let world = World::served(station_config(), csms_config(), &shelf)
        .booted()
        .await;
    world.frames();
    (world, shelf)
}

#[tokio::test(start_paused = true)]
async fn the_log_is_brought_under_the_name_that_was_given() {
    let (world, shelf) = served([Meet::Answer(201, Vec::new())]).await;
    let location = "http://joe:secret@files.test:8080/logs/";
    world
        .operator("GetDiagnostics", object! { "location": location })
        .await;
    let name = world
        .results()
        .into_iter()
        .find_map(|it| it.get("fileName").cloned())
        .unwrap();
    let name = name.as_str().unwrap();
    world.expect(&format!(
        "< GetDiagnostics
           > {name}
         > DiagnosticsStatusNotification Uploading
           <
         > DiagnosticsStatusNotification Uploaded
           <"
    ));
    let [asked] = &shelf.asked()[..] else {
        panic!("one upload")
    };
    assert_eq!(asked.address, "files.test:8080");
    assert!(
        asked.head.starts_with(&format!("PUT /logs/{name} HTTP/1.1\r\n")),
        "{}",
        asked.head
    );
    assert!(
        asked.head.contains("authorization: Basic am9lOnNlY3JldA=="),
        "{}",
        asked.head
    );
    let file = String::from_utf8(asked.body.clone()).unwrap();
    assert_eq!(
        file.lines().collect::<Vec<_>>(),
        [
            "2024-05-01T12:00:01.000Z started",
            "2024-05-01T12:00:01.000Z connector 0 Available NoError",
            "2024-05-01T12:00:01.000Z connector 1 Available NoError",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_tell_nothing_is_brought() {
    let (world, shelf) = served([]).await;
    for period in [
        object! { "startTime": "2024-05-01T12:00:02Z" },
        object! { "stopTime": "2024-05-01T11:00:00Z" },
    ] {
        let mut request = object! { "location": "http://files.test/" };
        for (key, value) in period.as_object().unwrap().iter() {
            request.as_object_mut().unwrap().insert(key, value);
        }
        world.operator("GetDiagnostics", request).await;
        world.expect(
            "< GetDiagnostics
               >",
        );
        assert_eq!(world.results().pop(), Some(Json::empty()));
    }
    assert_eq!(shelf.asked(), []);
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_fails_is_tried_again_and_said_to_have_failed() {
    let (world, shelf) = served([Meet::Cut, Meet::Answer(500, Vec::new())]).await;
    let request = object! { "location": "http://files.test/up", "retries": 1, "retryInterval": 30 };
    world.operator("GetDiagnostics", request).await;
    world.pass(20).await;
    assert_eq!(shelf.asked().len(), 1);
    let trigger = object! { "requestedMessage": "DiagnosticsStatusNotification" };
    world.frames();
    world.operator("TriggerMessage", trigger.clone()).await;
    world.pass(20).await;
    world.operator("TriggerMessage", trigger).await;
    world.expect(
        "< TriggerMessage DiagnosticsStatusNotification
           > Accepted
         > DiagnosticsStatusNotification Uploading
           <
         > DiagnosticsStatusNotification UploadFailed
           <
         < TriggerMessage DiagnosticsStatusNotification
           > Accepted
         > DiagnosticsStatusNotification Idle
           <",
    );
    assert_eq!(shelf.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn progress_made_while_offline_is_told_afterwards() {
    let (world, _) = served([Meet::Silence]).await;
    let request = object! { "location": "http://files.test/up" };
    world.operator("GetDiagnostics", request).await;
    world.frames();
    world.hands("net.down", object! {}).await;
    world.pass(400).await;
    world.expect("");
    world.hands("net.up", object! {}).await;
    world.expect(
        "> DiagnosticsStatusNotification UploadFailed
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn the_office_keeps_what_it_was_told() {
    let world = World::of(Makeup::default()).booted().await;
    world
        .operator("GetDiagnostics", object! { "location": "http://files.test/" })
        .await;
    let told = world.csms.records("notifications", Some("CS 1")).unwrap();
    let statuses: Vec<&str> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.pointer("/payload/status").and_then(Json::as_str).unwrap())
        .collect();
    assert_eq!(statuses, ["Uploading", "UploadFailed"]);
}
