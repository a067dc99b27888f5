//! The HTTP upgrade (RFC 6455 4), each end: a server that lets the caller decide, a client that says what it is told.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::auth::BasicAuth;
use super::connection::Connection;
use super::decoder::{Decoder, Limits};
use super::frame::{Encoder, Side};
use super::head::{HeadLimits, Header, RequestHead, ResponseHead, read_head};
use super::head_flaw::HeadFlaw;

/// Reads a request to upgrade; what is wrong with it stands in the head. Bound its time.
///
/// # Errors
/// The stream failed.
pub async fn receive_upgrade<S>(mut stream: S, limits: &HeadLimits) -> io::Result<ServerUpgrade<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut read = read_head(&mut stream, limits).await?;
    let early = std::mem::take(&mut read.rest);
    let mut head = RequestHead::parse(read, limits);
    if !early.is_empty() {
        head.flaws.push(HeadFlaw::EarlyData(early.len()));
    }
    Ok(ServerUpgrade { head, stream, early })
}

/// A request that waits for the caller's decision; dropping it drops the connection.
#[derive(Debug)]
pub struct ServerUpgrade<S> {
    /// The request as it came.
    pub head: RequestHead,
    stream: S,
    early: Vec<u8>,
}

/// How an upgrade is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acceptance {
    /// The chosen subprotocol; without it the header is left out, as OCPP-J demands where no version is common.
    pub subprotocol: Option<String>,
    /// Further headers, in this order.
    pub headers: Vec<Header>,
    /// Another `Sec-WebSocket-Accept` than the one that fits the key.
    pub accept_key: Option<String>,
}

/// How an upgrade is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Further headers, in this order.
    pub headers: Vec<Header>,
    /// The body, plain text.
    pub body: String,
}

impl Refusal {
    /// A refusal without further headers or body.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ServerUpgrade<S> {
    /// Accepts, whatever was wrong with the request.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn accept(
        mut self,
        how: &Acceptance,
        limits: Limits,
        keys: ChaCha8Rng,
    ) -> io::Result<Connection<S>> {
        let fitting = || {
            derive_accept_key(
                self.head
                    .headers
                    .first("sec-websocket-key")
                    .unwrap_or_default()
                    .as_bytes(),
            )
        };
        let accept = how.accept_key.clone().unwrap_or_else(fitting);
        let mut headers = vec![
            Header::new("Upgrade", "websocket"),
            Header::new("Connection", "Upgrade"),
            Header::new("Sec-WebSocket-Accept", accept),
        ];
        headers.extend(
            how.subprotocol
                .iter()
                .map(|name| Header::new("Sec-WebSocket-Protocol", name)),
        );
        headers.extend_from_slice(&how.headers);
        write_head(&mut self.stream, "HTTP/1.1 101 Switching Protocols", &headers, "").await?;
        let mut decoder = Decoder::new(Side::Server, limits);
        decoder.feed(&self.early);
        Ok(Connection::new(
            self.stream,
            decoder,
            Encoder::new(Side::Server, keys),
        ))
    }

    /// Refuses with a status and ends the stream.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn refuse(mut self, how: &Refusal) -> io::Result<()> {
        let mut headers = vec![Header::new("Connection", "close")];
        headers.push(Header::new("Content-Length", how.body.len().to_string()));
        headers.extend_from_slice(&how.headers);
        let line = format!("HTTP/1.1 {} {}", how.status, reason_phrase(how.status));
        write_head(&mut self.stream, &line, &headers, &how.body).await?;
        self.stream.shutdown().await
    }

    /// Answers with bytes as they are and ends the stream.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn answer_bytes(mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.shutdown().await
    }

    /// The stream below, for example to abort it.
    pub fn into_stream(self) -> S {
        self.stream
    }
}

/// A request to upgrade, to be sent by us as client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestUpgrade {
    /// The request target: path and query, percent-encoded already.
    pub target: String,
    /// The value of `Host`.
    pub host: String,
    /// Offered subprotocols in order of preference; none leaves the header out.
    pub subprotocols: Vec<String>,
    /// HTTP Basic credentials.
    pub auth: Option<BasicAuth>,
    /// Further headers, in this order, after the necessary ones.
    pub headers: Vec<Header>,
}

impl RequestUpgrade {
    /// A request without subprotocol, credentials or further headers.
    pub fn new(host: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            host: host.into(),
            subprotocols: Vec::new(),
            auth: None,
            headers: Vec::new(),
        }
    }

    /// Sends the request and reads the answer's head. Bound its time.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn send<S>(
        &self,
        mut stream: S,
        limits: &HeadLimits,
        mut keys: ChaCha8Rng,
    ) -> io::Result<UpgradeResponse<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut nonce = [0; 16];
        keys.fill_bytes(&mut nonce);
        let key = STANDARD.encode(nonce);
        let line = format!("GET {} HTTP/1.1", self.target);
        write_head(&mut stream, &line, &self.header_lines(&key), "").await?;

        let mut read = read_head(&mut stream, limits).await?;
        let rest = std::mem::take(&mut read.rest);
        let mut head = ResponseHead::parse(read, limits);
        let offered_extensions = self
            .headers
            .iter()
            .any(|h| h.name.eq_ignore_ascii_case("sec-websocket-extensions"));
        head.judge_upgrade(
            &derive_accept_key(key.as_bytes()),
            &self.subprotocols,
            offered_extensions,
        );
        Ok(UpgradeResponse {
            head,
            stream,
            rest,
            keys,
        })
    }

    fn header_lines(&self, key: &str) -> Vec<Header> {
        let mut headers = vec![
            Header::new("Host", &self.host),
            Header::new("Upgrade", "websocket"),
            Header::new("Connection", "Upgrade"),
            Header::new("Sec-WebSocket-Key", key),
            Header::new("Sec-WebSocket-Version", "13"),
        ];
        if !self.subprotocols.is_empty() {
            headers.push(Header::new(
                "Sec-WebSocket-Protocol",
                self.subprotocols.join(", "),
            ));
        }
        headers.extend(
            self.auth
                .iter()
                .map(|auth| Header::new("Authorization", auth.header_value())),
        );
        headers.extend_from_slice(&self.headers);
        headers
    }
}

/// The answer to our request; dropping it drops the connection.
#[derive(Debug)]
pub struct UpgradeResponse<S> {
    /// The answer as it came, with what was wrong.
    pub head: ResponseHead,
    stream: S,
    rest: Vec<u8>,
    keys: ChaCha8Rng,
}

impl<S: AsyncRead + AsyncWrite + Unpin> UpgradeResponse<S> {
    /// True where the status is 101: frames may be tried, whatever else was wrong.
    pub fn is_switching(&self) -> bool {
        self.head.status == 101
    }

    /// The connection, whatever was wrong with the answer.
    pub fn into_connection(self, limits: Limits) -> Connection<S> {
        let mut decoder = Decoder::new(Side::Client, limits);
        decoder.feed(&self.rest);
        Connection::new(self.stream, decoder, Encoder::new(Side::Client, self.keys))
    }

    /// The body of a refusal as far as `Content-Length`, the end of the stream and `max` bytes allow. Bound its time.
    ///
    /// # Errors
    /// The stream failed.
    pub async fn body(mut self, max: usize) -> io::Result<Vec<u8>> {
        let said = self
            .head
            .headers
            .first("content-length")
            .and_then(|value| value.parse().ok());
        let wanted = said.unwrap_or(max).min(max);
        let mut body = self.rest;
        body.truncate(wanted);
        let missing = (wanted - body.len()) as u64;
        (&mut self.stream).take(missing).read_to_end(&mut body).await?;
        Ok(body)
    }

    /// The stream below, for example to abort it.
    pub fn into_stream(self) -> S {
        self.stream
    }
}

async fn write_head<S: AsyncWrite + Unpin>(
    stream: &mut S,
    line: &str,
    headers: &[Header],
    body: &str,
) -> io::Result<()> {
    let mut text = format!("{line}\r\n");
    for Header { name, value } in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await
}

fn reason_phrase(status: u16) -> &'static str {
    let known = hyper::StatusCode::from_u16(status).ok();
    known
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Refused")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use tokio::io::{DuplexStream, duplex};

    use super::super::connection::Incoming;
    use super::super::frame::OutFrame;
    use super::*;

    fn keys() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(5)
    }

    fn request() -> RequestUpgrade {
        RequestUpgrade {
            subprotocols: vec!["ocpp2.0.1".to_owned(), "ocpp1.6".to_owned()],
            auth: Some(BasicAuth::new("CP 1", "secret")),
            headers: vec![Header::new("X-Own", "1")],
            ..RequestUpgrade::new("example.org:80", "/ocpp/CP%201")
        }
    }

    async fn meet(
        how: &Acceptance,
    ) -> (
        UpgradeResponse<DuplexStream>,
        RequestHead,
        Connection<DuplexStream>,
    ) {
        let (near, far) = duplex(1 << 14);
        let limits = HeadLimits::default();
        let serve = async {
            let upgrade = receive_upgrade(far, &limits).await.unwrap();
            let head = upgrade.head.clone();
            (
                head,
                upgrade.accept(how, Limits::default(), keys()).await.unwrap(),
            )
        };
        let request = request();
        let (response, (head, connection)) = tokio::join!(request.send(near, &limits, keys()), serve);
        (response.unwrap(), head, connection)
    }

    #[tokio::test]
    async fn our_two_ends_agree_without_flaws() {
        let how = Acceptance {
            subprotocol: Some("ocpp1.6".to_owned()),
            ..Acceptance::default()
        };
        let (response, request, mut server) = meet(&how).await;
        assert_eq!(
            (request.flaws.as_slice(), response.head.flaws.as_slice()),
            (&[][..], &[][..])
        );
        assert_eq!(request.identity(), Some(Ok("CP 1".to_owned())));
        assert_eq!(request.headers.0.last(), Some(&Header::new("X-Own", "1")));
        assert_eq!(request.basic_auth(), Some(Ok(BasicAuth::new("CP 1", "secret"))));
        assert_eq!(response.head.subprotocol(), Some("ocpp1.6"));
        let mut client = response.into_connection(Limits::default());
        client.send(&OutFrame::text("x")).await.unwrap();
        assert!(matches!(server.next().await, Incoming::Message(event) if event.flaws.is_empty()));
    }

    #[tokio::test]
    async fn an_acceptance_without_subprotocol_is_no_error() {
        let (response, _, _server) = meet(&Acceptance::default()).await;
        assert!(response.is_switching());
        assert_eq!(
            (response.head.subprotocol(), response.head.flaws.as_slice()),
            (None, &[][..])
        );
    }

    #[tokio::test]
    async fn a_wrong_accept_key_is_reported_and_the_stream_kept() {
        let how = Acceptance {
            accept_key: Some("AAAA".to_owned()),
            ..Acceptance::default()
        };
        let (response, _, mut server) = meet(&how).await;
        assert_eq!(response.head.flaws, [HeadFlaw::BadAccept]);
        let mut client = response.into_connection(Limits::default());
        server.send(&OutFrame::text("still here")).await.unwrap();
        assert!(
            matches!(client.next().await, Incoming::Message(event) if event.text() == Some("still here"))
        );
    }

    #[tokio::test]
    async fn a_refusal_comes_with_status_headers_and_body() {
        let (near, far) = duplex(1 << 14);
        let limits = HeadLimits::default();
        let serve = async {
            let upgrade = receive_upgrade(far, &limits).await.unwrap();
            let headers = vec![Header::new("WWW-Authenticate", "Basic")];
            upgrade
                .refuse(&Refusal {
                    headers,
                    body: "who are you".to_owned(),
                    ..Refusal::new(401)
                })
                .await
                .unwrap();
        };
        let request = request();
        let (response, ()) = tokio::join!(request.send(near, &limits, keys()), serve);
        let response = response.unwrap();
        assert_eq!(
            (response.head.status, response.head.reason.as_str()),
            (401, "Unauthorized")
        );
        assert_eq!(response.head.headers.first("www-authenticate"), Some("Basic"));
        assert_eq!(response.head.flaws, [HeadFlaw::NotSwitching(401)]);
        assert_eq!(response.body(7).await.unwrap(), b"who are");
    }

    #[tokio::test]
    async fn frames_that_come_too_early_are_reported_and_read() {
        let (mut near, far) = duplex(1 << 14);
        near.write_all(b"GET /x HTTP/1.1\r\n\r\n\x81\x82\0\0\0\0hi")
            .await
            .unwrap();
        let upgrade = receive_upgrade(far, &HeadLimits::default()).await.unwrap();
        assert_eq!(upgrade.head.flaws.last(), Some(&HeadFlaw::EarlyData(8)));
        let mut server = upgrade
            .accept(&Acceptance::default(), Limits::default(), keys())
            .await
            .unwrap();
        assert!(matches!(server.next().await, Incoming::Message(event) if event.text() == Some("hi")));
    }

    #[tokio::test]
    async fn a_peer_that_leaves_during_the_head_is_told_apart() {
        let (mut near, far) = duplex(64);
        near.write_all(b"GET /x").await.unwrap();
        drop(near);
        let upgrade = receive_upgrade(far, &HeadLimits::default()).await.unwrap();
        assert_eq!(upgrade.head.flaws[0], HeadFlaw::Truncated);
        assert_eq!(upgrade.head.raw, b"GET /x");
    }
}
