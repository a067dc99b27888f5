//! The opening handshake of the CSMS, as a foreign client sees it.

use futures_util::StreamExt;
use plugfest_reference::csms::{Csms, KnownStation, Registration};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::world::csms_config;

fn csms() -> Csms {
    let mut config = csms_config();
    let password = Some(b"open sesame 1234".to_vec());
    config.stations = vec![
        KnownStation {
            identity: "CS 1".into(),
            password: None,
            registration: Registration::Accepted,
        },
        KnownStation {
            identity: "SECRET".into(),
            password,
            registration: Registration::Accepted,
        },
    ];
    Csms::new(config)
}

/// Connects; gives the HTTP status, the chosen subprotocol, and the code with which the CSMS then hangs up.
async fn knock(
    csms: &Csms,
    path: &str,
    subprotocols: Option<&str>,
    authorization: Option<&str>,
) -> (u16, Option<String>, Option<u16>) {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let door = csms.clone();
    tokio::spawn(async move { door.serve_connection(far).await });
    let mut request = format!("ws://test{path}").into_client_request().unwrap();
    if let Some(subprotocols) = subprotocols {
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", subprotocols.parse().unwrap());
    }
    if let Some(authorization) = authorization {
        request
            .headers_mut()
            .insert("Authorization", authorization.parse().unwrap());
    }
    match client_async(request, near).await {
        Ok((mut socket, response)) => {
            let chosen = response
                .headers()
                .get("Sec-WebSocket-Protocol")
                .map(|it| it.to_str().unwrap().to_owned());
            let wait = tokio::time::timeout(std::time::Duration::from_secs(1), socket.next()).await;
            let code = match wait {
                Ok(Some(Ok(Message::Close(Some(frame))))) => Some(frame.code.into()),
                _ => None,
            };
            (101, chosen, code)
        }
        Err(Error::Http(response)) => (response.status().as_u16(), None, None),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_let_in() {
    let csms = csms();
    let ours = Some("ocpp1.6".to_owned());
    assert_eq!(
        knock(&csms, "/any/where/CS%201", Some("ocpp1.6"), None).await,
        (101, ours.clone(), None)
    );
    assert_eq!(
        knock(&csms, "/CS%201", Some("ocpp2.0.1, ocpp1.6"), None).await,
        (101, ours.clone(), None)
    );
    assert_eq!(
        knock(&csms, "/STRANGER", Some("ocpp1.6"), None).await,
        (404, None, None)
    );
    assert_eq!(
        knock(&csms, "/CS%201/", Some("ocpp1.6"), None).await,
        (404, None, None)
    );
    // No agreement: the handshake is completed without the header, and then the CSMS hangs up.
    assert_eq!(knock(&csms, "/CS%201", None, None).await, (101, None, Some(1002)));
    // base64 of "SECRET:open sesame 1234" and of "SECRET:wrong".
    let right = "Basic U0VDUkVUOm9wZW4gc2VzYW1lIDEyMzQ=";
    let wrong = "Basic U0VDUkVUOndyb25n";
    assert_eq!(
        knock(&csms, "/SECRET", Some("ocpp1.6"), Some(right)).await,
        (101, ours, None)
    );
    assert_eq!(
        knock(&csms, "/SECRET", Some("ocpp1.6"), Some(wrong)).await,
        (401, None, None)
    );
    assert_eq!(
        knock(&csms, "/SECRET", Some("ocpp1.6"), None).await,
        (401, None, None)
    );
}
