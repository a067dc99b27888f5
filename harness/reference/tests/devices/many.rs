//! Many stations, one back office.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use plugfest_protocol::{Json, object};
use plugfest_reference::csms::{Csms, Tag};
use plugfest_reference::station::{Controls, Station};
use plugfest_reference::{BoxStream, Outcome};

use crate::world::{csms_config, station_config};

fn station(csms: &Csms, number: usize) -> Controls {
    let csms = csms.clone();
    let dial = move || -> BoxFuture<'static, io::Result<BoxStream>> {
        let csms = csms.clone();
        Box::pin(async move {
            let (near, far) = tokio::io::duplex(16 * 1024);
            tokio::spawn(async move { csms.serve_connection(far).await });
            let boxed: BoxStream = Box::new(near);
            Ok(boxed)
        })
    };
    let mut config = station_config();
    config.identity = format!("MANY{number:02}");
    config.seed = number as u64;
    let (station, controls) = Station::new(config, dial).unwrap();
    tokio::spawn(station.run());
    controls
}

async fn pass(seconds: u64) {
    let never = std::future::pending::<()>();
    assert!(
        tokio::time::timeout(Duration::from_secs(seconds), never)
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn transactions_are_kept_apart_and_a_shared_token_is_concurrent() {
    let mut config = csms_config();
    config
        .tags
        .extend((0..30).map(|n| Tag::accepted(format!("T{n}"))));
    let csms = Csms::new(config);
    let stations: Vec<Controls> = (0..30).map(|number| station(&csms, number)).collect();
    pass(5).await;
    for (number, controls) in stations.iter().enumerate() {
        assert_eq!(controls.perform("ev.plug", &object! {}).await, Outcome::Done);
        // Two and two share a token.
        let token = format!("T{}", number / 2);
        assert_eq!(
            controls
                .perform("token.present", &object! { "token": token })
                .await,
            Outcome::Done
        );
        pass(1).await;
    }
    pass(60).await;
    let books = csms.records("transactions", None).unwrap();
    let books = books.as_array().unwrap();
    assert_eq!(
        books.len(),
        15,
        "the second of each pair is told at Authorize that its token is busy"
    );
    let ids: BTreeSet<i64> = books
        .iter()
        .map(|it| it.get("transactionId").and_then(Json::as_i64).unwrap())
        .collect();
    assert_eq!(ids.len(), 15);
    let refused = csms.records("authorizations", None).unwrap();
    let concurrent = refused
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it.pointer("/idTagInfo/status").and_then(Json::as_str) == Some("ConcurrentTx"));
    assert_eq!(concurrent.count(), 15);
    // The operator reaches each of them at the same time.
    for number in 0..30 {
        let args = object! { "station": format!("MANY{number:02}"), "action": "ClearCache" };
        assert_eq!(csms.perform("csms.call", &args).await, Outcome::Done);
    }
    pass(1).await;
    assert_eq!(
        csms.records("answers", None).unwrap().as_array().unwrap().len(),
        30
    );
}
