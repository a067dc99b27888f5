//! Both devices over TCP, on the real clock.

use std::time::Duration;

use plugfest_protocol::{Json, object};
use plugfest_reference::Outcome;
use plugfest_reference::csms::Csms;
use plugfest_reference::station::ConfigError;
use plugfest_reference::tcp;
use tokio::net::TcpListener;

use crate::world::{csms_config, station_config};

#[tokio::test]
async fn a_session_over_loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let csms = Csms::new(csms_config());
    let server = tokio::spawn(tcp::serve(csms.clone(), listener));
    let mut config = station_config();
    config.timing.start_up = Duration::ZERO;
    let (station, controls) = tcp::station(config, &format!("ws://{address}/some/where/")).unwrap();
    let running = tokio::spawn(station.run());

    let recorded = async |kind: &str, count: usize| {
        let enough = async {
            while csms
                .records(kind, Some("CS 1"))
                .unwrap()
                .as_array()
                .unwrap()
                .len()
                < count
            {
                let moment = tokio::time::timeout(Duration::from_millis(5), std::future::pending::<()>());
                assert!(moment.await.is_err());
            }
        };
        tokio::time::timeout(Duration::from_secs(10), enough)
            .await
            .unwrap_or_else(|_| panic!("{count} {kind}"));
    };
    recorded("statuses", 2).await;
    assert_eq!(controls.perform("ev.plug", &object! {}).await, Outcome::Done);
    assert_eq!(
        controls
            .perform("token.present", &object! { "token": "ALICE" })
            .await,
        Outcome::Done
    );
    recorded("statuses", 4).await;
    recorded("transactions", 1).await;
    assert_eq!(
        controls
            .perform("token.present", &object! { "token": "ALICE" })
            .await,
        Outcome::Done
    );
    recorded("statuses", 5).await;
    let books = csms.records("transactions", None).unwrap();
    assert_eq!(books.pointer("/0/reason"), Some(&Json::from("Local")));

    drop(controls);
    tokio::time::timeout(Duration::from_secs(5), running)
        .await
        .unwrap()
        .unwrap();
    server.abort();
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_refused_at_once() {
    for url in [
        "http://x",
        "ws://",
        "ws://user@host/x",
        "ws://host/x?y",
        "localhost:9000",
    ] {
        let refused = tcp::station(station_config(), url).err();
        assert_eq!(refused, Some(ConfigError::Endpoint { url: url.to_owned() }));
    }
}
