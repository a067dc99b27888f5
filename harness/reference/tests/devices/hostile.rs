//! A station whose CSMS means no good, or is not there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt};
use plugfest_protocol::object;
use plugfest_reference::station::{Controls, Station};
use plugfest_reference::{BoxStream, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use crate::world::station_config;

/// A station whose every connection is handed to the test.
fn station() -> (Controls, mpsc::UnboundedReceiver<DuplexStream>) {
    let (sender, streams) = mpsc::unbounded_channel();
    let dial = move || -> BoxFuture<'static, io::Result<BoxStream>> {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let taken = sender.send(far);
        Box::pin(async move {
            taken.map_err(|_| io::ErrorKind::ConnectionRefused)?;
            let boxed: BoxStream = Box::new(near);
            Ok(boxed)
        })
    };
    let (station, controls) = Station::new(station_config(), dial).unwrap();
    tokio::spawn(station.run());
    (controls, streams)
}

struct Csms(WebSocketStream<DuplexStream>);

impl Csms {
    async fn accept(streams: &mut mpsc::UnboundedReceiver<DuplexStream>) -> Self {
        #[expect(clippy::result_large_err, reason = "the signature is the library's")]
        let agree = |_: &Request, mut response: Response| {
            response
                .headers_mut()
                .insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
            Ok(response)
        };
        Self(
            accept_hdr_async(streams.recv().await.unwrap(), agree)
                .await
                .unwrap(),
        )
    }

    async fn say(&mut self, text: impl Into<String>) {
        self.0.send(Message::text(text.into())).await.unwrap();
    }

    /// The next text, which must come within a minute.
    async fn hear(&mut self) -> String {
        let wait = tokio::time::timeout(Duration::from_mins(1), self.0.next()).await;
        match wait.unwrap_or_else(|_| panic!("silence")) {
            Some(Ok(Message::Text(text))) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    }

    /// Hears a CALL of that action and answers it.
    async fn expect(&mut self, action: &str, answer: &str) {
        let text = self.hear().await;
        let mut words = text.split('"');
        let (id, heard) = (words.nth(1).unwrap().to_owned(), words.nth(1).unwrap().to_owned());
        assert_eq!(heard, action, "{text}");
        self.say(format!("[3,\"{id}\",{answer}]")).await;
    }

    async fn boot(&mut self) {
        let accepted = r#"{"status":"Accepted","currentTime":"2024-05-01T12:00:00Z","interval":3600}"#;
        self.expect("BootNotification", accepted).await;
        self.expect("StatusNotification", "{}").await;
        self.expect("StatusNotification", "{}").await;
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_ignored_and_bad_calls_are_refused() {
    let (_controls, mut streams) = station();
    let mut csms = Csms::accept(&mut streams).await;
    csms.boot().await;
    for text in [
        "",
        "[",
        "{}",
        "[3,\"nobody\",{}]",
        "[4,\"nobody\",\"X\",\"\",{}]",
        "[9,\"x\"]",
        "null",
    ] {
        csms.say(text).await;
    }
    csms.say("[".repeat(200_000)).await;
    csms.0.send(Message::binary(vec![0xff; 1000])).await.unwrap();
    for (text, code) in [
        (r#"[2,"a","Reset",{}]"#, "OccurenceConstraintViolation"),
        (
            r#"[2,"b","ChangeConfiguration",{"key":"HeartbeatInterval","value":5}]"#,
            "TypeConstraintViolation",
        ),
        (r#"[2,"c","Explode",{}]"#, "NotImplemented"),
        (r#"[2,"d","BootNotification",{}]"#, "NotSupported"),
        (
            r#"[2,"e","InstallCertificate",{"certificateType":"CentralSystemRootCertificate","certificate":"A"}]"#,
            "NotSupported",
        ),
    ] {
        csms.say(text).await;
        let answer = csms.hear().await;
        assert!(
            answer.starts_with(&format!("[4,\"{}\",\"{code}\",", &text[4..5])),
            "{text}: {answer}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_answered_or_the_line_is_dropped_but_the_station_lives() {
    let (controls, mut streams) = station();
    let mut csms = Csms::accept(&mut streams).await;
    csms.boot().await;
    // Nobody reads the answers: sooner or later the station hangs up instead of growing.
    let flood = async {
        for n in 0..100_000 {
            let text = format!("[2,\"f{n}\",\"GetConfiguration\",{{}}]");
            if csms.0.send(Message::text(text)).await.is_err() {
                return true;
            }
        }
        false
    };
    let hung_up = tokio::time::timeout(Duration::from_mins(2), flood).await;
    assert!(!matches!(hung_up, Ok(false)), "all of it was swallowed");
    drop(csms);
    let mut csms = Csms::accept(&mut streams).await;
    csms.say(r#"[2,"x","ClearCache",{}]"#).await;
    assert_eq!(csms.hear().await, r#"[3,"x",{"status":"Accepted"}]"#);
    assert_eq!(controls.perform("ev.plug", &object! {}).await, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn answers_that_make_no_sense_are_failures_and_a_second_answer_means_nothing() {
    let (controls, mut streams) = station();
    let mut csms = Csms::accept(&mut streams).await;
    csms.boot().await;
    controls.perform("ev.plug", &object! {}).await;
    csms.expect("StatusNotification", "{}").await;
    controls.perform("token.present", &object! { "token": "A" }).await;
    csms.expect("Authorize", r#"{"idTagInfo":{"status":"Accepted"}}"#)
        .await;
    // A StartTransaction.conf without an id is none: the message comes again after its interval.
    csms.expect("StartTransaction", r#"{"idTagInfo":{"status":"Accepted"}}"#)
        .await;
    csms.expect("StatusNotification", "{}").await;
    csms.expect(
        "StartTransaction",
        r#"{"idTagInfo":{"status":"Accepted"},"transactionId":7}"#,
    )
    .await;
    controls.perform("token.present", &object! { "token": "A" }).await;
    let stop = csms.hear().await;
    assert!(
        stop.contains("StopTransaction") && stop.contains("\"transactionId\":7"),
        "{stop}"
    );
    let id = stop.split('"').nth(1).unwrap();
    for _ in 0..3 {
        csms.say(format!("[3,\"{id}\",{{}}]")).await;
    }
    csms.expect("StatusNotification", "{}").await;
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_still_names_the_transaction() {
    let (controls, mut streams) = station();
    let mut csms = Csms::accept(&mut streams).await;
    csms.boot().await;
    controls.perform("token.present", &object! { "token": "A" }).await;
    csms.expect("Authorize", r#"{"idTagInfo":{"status":"Accepted"}}"#)
        .await;
    csms.expect("StatusNotification", "{}").await;
    controls.perform("ev.plug", &object! {}).await;
    let start = csms.hear().await;
    let id = start.split('"').nth(1).unwrap().to_owned();
    // It times out after 30 s; the next attempt would come 30 s later.
    csms.expect("StatusNotification", "{}").await;
    csms.say(format!(
        "[3,\"{id}\",{{\"idTagInfo\":{{\"status\":\"Accepted\"}},\"transactionId\":8}}]"
    ))
    .await;
    assert!(
        tokio::time::timeout(Duration::from_mins(5), csms.0.next())
            .await
            .is_err(),
        "no second StartTransaction"
    );
    controls.perform("token.present", &object! { "token": "A" }).await;
    assert!(csms.hear().await.contains("\"transactionId\":8"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_line_is_noticed_by_the_ping() {
    let (controls, mut streams) = station();
    let mut csms = Csms::accept(&mut streams).await;
    csms.boot().await;
    csms.say(r#"[2,"x","ChangeConfiguration",{"key":"WebSocketPingInterval","value":"10"}]"#)
        .await;
    assert_eq!(csms.hear().await, r#"[3,"x",{"status":"Accepted"}]"#);
    // From here on nothing is read, so no pong is sent; the half-open line is given up and dialled again.
    let again = tokio::time::timeout(Duration::from_mins(1), Csms::accept(&mut streams)).await;
    assert!(again.is_ok());
    drop((controls, csms));
}

#[tokio::test(start_paused = true)]
async fn a_csms_that_refuses_is_dialled_again_but_less_and_less() {
    let (controls, mut streams) = station();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&attempts);
    tokio::spawn(async move {
        while let Some(mut stream) = streams.recv().await {
            counter.fetch_add(1, Ordering::Relaxed);
            let mut head = [0; 1024];
            let read = stream.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"GET /ocpp/CS%201 HTTP/1.1\r\n"));
            // Half of them are an HTTP refusal, half a handshake without the subprotocol.
            let answer: &[u8] = match counter.load(Ordering::Relaxed) % 2 {
                0 => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                _ => b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            };
            stream.write_all(answer).await.unwrap();
        }
    });
    let ten_minutes = tokio::time::timeout(Duration::from_mins(10), std::future::pending::<()>());
    assert!(ten_minutes.await.is_err());
    let attempts = attempts.load(Ordering::Relaxed);
    assert!((12..=18).contains(&attempts), "{attempts}");
    drop(controls);
}
