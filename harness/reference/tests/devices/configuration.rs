//! GetConfiguration, ChangeConfiguration, ClearCache, DataTransfer.

use plugfest_protocol::{Json, object};
use plugfest_reference::station::Makeup;

use crate::world::{World, csms_config, station_config};

#[tokio::test(start_paused = true)]
async fn everything_is_shown_and_unknown_keys_are_named() {
    let world = World::of(Makeup::default()).booted().await;
    world.operator("GetConfiguration", object! {}).await;
    let all = world.results().pop().unwrap();
    let keys = all.get("configurationKey").and_then(Json::as_array).unwrap();
    assert_eq!(keys.len(), 44);
    assert_eq!(all.get("unknownKey"), None);
    assert!(
        keys.iter()
            .all(|key| key.get("value").and_then(Json::as_str).is_some())
    );

    world
        .operator(
            "GetConfiguration",
            object! { "key": vec!["numberofconnectors".into(), "Nonsense".into()] },
        )
        .await;
    assert_eq!(
        world.results().pop().unwrap(),
        object! {
            "configurationKey": vec![object! { "key": "NumberOfConnectors", "readonly": true, "value": "1" }],
            "unknownKey": vec!["Nonsense".into()],
        }
    );

    let many: Vec<Json> = (0..51).map(|n| format!("Key{n}").into()).collect();
    world.frames();
    world.operator("GetConfiguration", object! { "key": many }).await;
    world.expect(
        "< GetConfiguration
           > error OccurenceConstraintViolation",
    );
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_refusal_has_its_word() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    for (key, value, status) in [
        ("NoSuchKey", "1", "NotSupported"),
        ("MeterValueSampleInterval", "-1", "Rejected"),
        ("NumberOfConnectors", "4", "Rejected"),
        (
            "MeterValuesSampledData",
            "Energy.Active.Import.Register,Unheard.Of",
            "Rejected",
        ),
        (
            "AuthorizationKey",
            "00112233445566778899aabbccddeeff",
            "NotSupported",
        ),
        ("LightIntensity", "50", "Accepted"),
    ] {
        world
            .operator("ChangeConfiguration", object! { "key": key, "value": value })
            .await;
        world.expect(&format!("< ChangeConfiguration {key} {value}\n > {status}"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_password_can_be_changed_and_never_read() {
    let mut config = station_config();
    config.password = Some(b"0123456789abcdef".to_vec());
    let world = World::new(config, csms_config()).booted().await;
    world
        .operator(
            "GetConfiguration",
            object! { "key": vec!["AuthorizationKey".into()] },
        )
        .await;
    assert_eq!(
        world.results().pop().unwrap(),
        object! { "configurationKey": vec![object! { "key": "AuthorizationKey", "readonly": false }] }
    );
    world.frames();
    for (value, status) in [
        ("zz", "Rejected"),
        ("0011", "Rejected"),
        ("00112233445566778899aabbccddeeff00112233", "Accepted"),
    ] {
        world
            .operator(
                "ChangeConfiguration",
                object! { "key": "AuthorizationKey", "value": value },
            )
            .await;
        assert_eq!(world.frames().pop().unwrap(), format!("  > {status}"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_cache_lets_a_known_token_in_at_once_until_it_is_cleared() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("LocalPreAuthorize", "true").await;
    for expected in [
        "> Authorize ALICE
           < Accepted
         > StartTransaction 1 ALICE
           < Accepted 100",
        "> StartTransaction 1 ALICE
           < Accepted 101",
    ] {
        world.hands("ev.plug", object! {}).await;
        world.frames();
        world.hands("token.present", object! { "token": "ALICE" }).await;
        world.expect(&format!("{expected}\n > StatusNotification 1 Charging\n <"));
        world.hands("token.present", object! { "token": "ALICE" }).await;
        world.hands("ev.unplug", object! {}).await;
    }
    // Whoever is known to be blocked is asked about again.
    world.hands("token.present", object! { "token": "BLOCKED" }).await;
    world.hands("token.present", object! { "token": "BLOCKED" }).await;
    world.operator("ClearCache", object! {}).await;
    world.frames();
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.expect(
        "> Authorize ALICE
           < Accepted
         > StatusNotification 1 Preparing
           <",
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_cache_there_is_nothing_to_clear() {
    let world = World::of(Makeup {
        auth_cache: false,
        ..Makeup::default()
    })
    .booted()
    .await;
    world.frames();
    world.operator("ClearCache", object! {}).await;
    world.expect(
        "< ClearCache
           > Rejected",
    );
}

#[tokio::test(start_paused = true)]
async fn data_transfer_knows_its_vendor_only() {
    let world = World::of(Makeup::default()).booted().await;
    world.frames();
    for (payload, status) in [
        (object! { "vendorId": "com.example" }, "UnknownVendorId"),
        (
            object! { "vendorId": "org.plugfest", "messageId": "Sing" },
            "UnknownMessageId",
        ),
        (
            object! { "vendorId": "org.plugfest", "messageId": "Echo", "data": "hi" },
            "Accepted",
        ),
    ] {
        world.operator("DataTransfer", payload).await;
        assert_eq!(world.frames().pop().unwrap(), format!("  > {status}"));
    }
    assert_eq!(
        world.results().pop().unwrap(),
        object! { "status": "Accepted", "data": "hi" }
    );
}
