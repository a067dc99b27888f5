//! What the devices do with what no well-behaved peer sends.

use futures_util::{SinkExt, StreamExt};
use plugfest_reference::csms::Csms;
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::csms_config;

struct Client(WebSocketStream<DuplexStream>);

impl Client {
    async fn connect(csms: &Csms, identity: &str) -> Self {
        let (near, far) = tokio::io::duplex(16 * 1024);
        let door = csms.clone();
        tokio::spawn(async move { door.serve_connection(far).await });
        let mut request = format!("ws://test/{identity}").into_client_request().unwrap();
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
        Self(client_async(request, near).await.unwrap().0)
    }

    async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// What comes within a second; `None` for silence.
    async fn hear(&mut self) -> Option<String> {
        let wait = tokio::time::timeout(std::time::Duration::from_secs(1), self.0.next());
        match wait.await {
            Err(_) => None,
            Ok(Some(Ok(Message::Text(text)))) => Some(text.as_str().to_owned()),
            Ok(Some(Ok(Message::Close(_))) | None) => Some("closed".into()),
            Ok(other) => panic!("{other:?}"),
        }
    }

    async fn ask(&mut self, text: &str) -> Option<String> {
        self.say(text).await;
        self.hear().await
    }

    async fn boot(&mut self) {
        let boot = r#"[2,"boot","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]"#;
        assert!(self.ask(boot).await.unwrap().contains("Accepted"));
    }
}

#[tokio::test(start_paused = true)]
async fn before_acceptance_there_is_a_security_error() {
    let csms = Csms::new(csms_config());
    let mut client = Client::connect(&csms, "A").await;
    let answer = client.ask(r#"[2,"1","Heartbeat",{}]"#).await.unwrap();
    assert!(answer.starts_with(r#"[4,"1","SecurityError","#), "{answer}");
    client.boot().await;
    let answer = client.ask(r#"[2,"2","Heartbeat",{}]"#).await.unwrap();
    assert!(
        answer.starts_with(r#"[3,"2",{"currentTime":"2024-05-01T12:00:"#),
        "{answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn broken_frames_change_nothing() {
    let csms = Csms::new(csms_config());
    let mut client = Client::connect(&csms, "A").await;
    client.boot().await;
    for text in [
        "",
        "x",
        "{}",
        "[]",
        "[2]",
        "[5,\"1\",{}]",
        "[3,\"nobody\",{}]",
        "[4,\"nobody\",\"GenericError\",\"\",{}]",
    ] {
        assert_eq!(client.ask(text).await, None, "{text}");
    }
    let deep = "[".repeat(200_000);
    assert_eq!(client.ask(&deep).await, None);
    for (text, code) in [
        (r#"[2,"a","Heartbeat"]"#, "FormationViolation"),
        (r#"[2,"b","Heartbeat",{},1]"#, "FormationViolation"),
        (r#"[2,"c","Reset",{"type":"Hard"}]"#, "NotSupported"),
        (r#"[2,"d","Dance",{}]"#, "NotImplemented"),
        (r#"[2,"e","SignCertificate",{"csr":"x"}]"#, "NotSupported"),
        (r#"[2,"f","Authorize",{}]"#, "OccurenceConstraintViolation"),
        (
            r#"[2,"g","Authorize",{"idTag":"123456789012345678901"}]"#,
            "PropertyConstraintViolation",
        ),
        (r#"[2,"h","Authorize",{"idTag":5}]"#, "TypeConstraintViolation"),
        (r#"[2,"i","Authorize",{"idTag":"A","x":1}]"#, "FormationViolation"),
        (
            r#"[2,"j","Authorize",{"idTag":"A","idTag":"B"}]"#,
            "FormationViolation",
        ),
    ] {
        let answer = client
            .ask(text)
            .await
            .unwrap_or_else(|| panic!("silence after {text}"));
        let id = &text[3..6];
        assert!(
            answer.starts_with(&format!("[4,{id},\"{code}\",")),
            "{text}: {answer}"
        );
    }
    assert!(
        client
            .ask(r#"[2,"z","Heartbeat",{}]"#)
            .await
            .unwrap()
            .starts_with("[3,")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_sent_twice_acts_once_and_a_reused_id_is_refused() {
    let csms = Csms::new(csms_config());
    let mut client = Client::connect(&csms, "A").await;
    client.boot().await;
    let start = r#"[2,"s","StartTransaction",{"connectorId":1,"idTag":"ALICE","meterStart":1,"timestamp":"2024-05-01T12:00:00Z"}]"#;
    let first = client.ask(start).await.unwrap();
    assert_eq!(client.ask(start).await.as_ref(), Some(&first));
    assert_eq!(
        csms.records("transactions", None)
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let reused = client.ask(r#"[2,"s","Heartbeat",{}]"#).await.unwrap();
    assert!(reused.starts_with(r#"[4,"s","GenericError","#), "{reused}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_always_acknowledged() {
    let csms = Csms::new(csms_config());
    let mut client = Client::connect(&csms, "A").await;
    client.boot().await;
    let stop = r#"[2,"1","StopTransaction",{"transactionId":4711,"meterStop":-5,"timestamp":"2024-05-01T12:00:00Z"}]"#;
    assert_eq!(client.ask(stop).await.as_deref(), Some("[3,\"1\",{}]"));
    let meter = r#"[2,"2","MeterValues",{"connectorId":1,"transactionId":-1,"meterValue":[{"timestamp":"2024-05-01T12:00:00+02:00","sampledValue":[{"value":"1"}]}]}]"#;
    assert_eq!(client.ask(meter).await.as_deref(), Some("[3,\"2\",{}]"));
}

#[tokio::test(start_paused = true)]
async fn a_second_connection_takes_over_and_the_first_is_closed_in_good_order() {
    let csms = Csms::new(csms_config());
    let mut first = Client::connect(&csms, "A").await;
    first.boot().await;
    let mut second = Client::connect(&csms, "A").await;
    assert!(
        second
            .ask(r#"[2,"1","Heartbeat",{}]"#)
            .await
            .unwrap()
            .starts_with("[3,")
    );
    assert_eq!(first.hear().await.as_deref(), Some("closed"));
    let mut other = Client::connect(&csms, "B").await;
    other.boot().await;
    assert!(
        second
            .ask(r#"[2,"2","Heartbeat",{}]"#)
            .await
            .unwrap()
            .starts_with("[3,")
    );
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_call_times_out_and_the_next_goes_out() {
    let csms = Csms::new(csms_config());
    let mut client = Client::connect(&csms, "A").await;
    client.boot().await;
    let call =
        plugfest_protocol::object! { "action": "ClearCache", "payload": plugfest_protocol::object! {} };
    let asked = tokio::spawn({
        let (csms, call) = (csms.clone(), call.clone());
        async move {
            (
                csms.perform("csms.call", &call).await,
                csms.perform("csms.call", &call).await,
            )
        }
    });
    assert!(client.hear().await.unwrap().contains("ClearCache"));
    assert_eq!(client.hear().await, None, "one at a time");
    for _ in 0..31 {
        if let Some(text) = client.hear().await {
            assert!(text.contains("ClearCache"));
            assert_eq!(
                asked.await.unwrap(),
                (
                    plugfest_reference::Outcome::Done,
                    plugfest_reference::Outcome::Done
                )
            );
            return;
        }
    }
    panic!("the second CALL never came");
}
