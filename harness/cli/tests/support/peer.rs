//! CSMSs that misbehave, each in its own way. None of ours is in them but the clock.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use plugfest_play::clock::Clock;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

/// Listens at a free port, and meets every connection in a thread of its own.
pub(crate) fn listen(meet: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let meet = Arc::new(meet);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let meet = Arc::clone(&meet);
            std::thread::spawn(move || meet(stream));
        }
    });
    port
}

/// Upgrades a connection to OCPP 1.6; `None` where the other side left before.
pub(crate) fn upgrade(stream: TcpStream) -> Option<WebSocket<TcpStream>> {
    upgrade_with(stream, &[])
}

/// The same with headers of one's own in the answer.
pub(crate) fn upgrade_with(
    stream: TcpStream,
    headers: &[(&'static str, String)],
) -> Option<WebSocket<TcpStream>> {
    #[expect(clippy::result_large_err, reason = "the type of the library's callback")]
    let answer = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let own = response.headers_mut();
        own.insert("Sec-WebSocket-Protocol", HeaderValue::from_static("ocpp1.6"));
        for (name, value) in headers {
            own.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Ok(response)
    };
    accept_hdr(stream, answer).ok()
}

/// Reads until the other side is gone.
pub(crate) fn swallow(mut stream: &TcpStream) {
    let mut rest = [0; 4096];
    while stream.read(&mut rest).is_ok_and(|read| read > 0) {}
}

/// Writes as it is, until the other side has had enough. True where all was taken.
pub(crate) fn write(mut stream: &TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

/// Meets every CALL with what `answer` says: its message id, action and payload are given.
pub(crate) fn converse(
    socket: &mut WebSocket<TcpStream>,
    answer: impl Fn(&str, &str, &Value) -> Vec<String>,
) {
    while let Ok(message) = socket.read() {
        let Message::Text(text) = message else { continue };
        let Ok(frame) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        if frame[0] != 2 {
            continue;
        }
        let (id, action) = (frame[1].as_str().unwrap(), frame[2].as_str().unwrap());
        for reply in answer(id, action, &frame[3]) {
            if socket.send(Message::text(reply)).is_err() {
                return;
            }
        }
    }
}

/// The answer of an honest CSMS.
pub(crate) fn honest(id: &str, action: &str) -> String {
    let now = Clock::real().now().to_rfc3339();
    let payload = match action {
        "BootNotification" => json!({"status": "Accepted", "currentTime": now, "interval": 300}),
        "Heartbeat" => json!({"currentTime": now}),
        "Authorize" => json!({"idTagInfo": {"status": "Accepted"}}),
        _ => json!({}),
    };
    json!([3, id, payload]).to_string()
}
