//! HTTP heads as they came: the exact first line, every header in order and case, and what was wrong with them.

use std::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::auth::{AuthError, BasicAuth};
use super::head_flaw::HeadFlaw;
use super::identity::{IdentityError, decode_segment};

/// How much of a head is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes up to and including the empty line.
    pub max_bytes: usize,
    /// Header lines.
    pub max_headers: usize,
}

impl Default for HeadLimits {
    /// 16 KiB and 100 headers.
    fn default() -> Self {
        Self {
            max_bytes: 16 << 10,
            max_headers: 100,
        }
    }
}

/// One header line, name and value as they came, without the white space around the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, in its own case.
    pub name: String,
    /// The value; bytes that are not UTF-8 stand as Latin-1.
    pub value: String,
}

impl Header {
    /// A header from its parts.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.to_ascii_lowercase().contains("authorization") {
            return write!(f, "{}: «{} bytes»", self.name, self.value.len());
        }
        write!(f, "{}: {:?}", self.name, self.value)
    }
}

/// Header lines in the order they came, duplicates included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<Header>);

impl Headers {
    /// The value of the first header of that name, whatever its case.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))
            .map(|h| h.value.as_str())
    }

    /// The values of all headers of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |h| h.name.eq_ignore_ascii_case(name))
            .map(|h| h.value.as_str())
    }

    /// The members of a comma-separated list that may be spread over several headers (RFC 9110 5.3).
    pub fn tokens<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name)
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|token| !token.is_empty())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|found| found.eq_ignore_ascii_case(token))
    }
}

/// The head of a request to upgrade.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// Every byte of the head as it came. May hold credentials.
    pub raw: Vec<u8>,
    /// The method, empty where the request line is broken.
    pub method: String,
    /// The request target as it came: path and query.
    pub target: String,
    /// The version, such as `HTTP/1.1`.
    pub version: String,
    /// Header lines in order.
    pub headers: Headers,
    /// What was wrong.
    pub flaws: Vec<HeadFlaw>,
}

impl RequestHead {
    /// Reads a head from its bytes and judges it as a request to upgrade (RFC 6455 4.1).
    pub(super) fn parse(read: ReadHead, limits: &HeadLimits) -> Self {
        let (start, headers, mut flaws) = parse_lines(&read, limits);
        let mut parts = start.split(' ');
        let line = (parts.next(), parts.next(), parts.next(), parts.next());
        let (method, target, version) = match line {
            (Some(method), Some(target), Some(version), None)
                if !method.is_empty() && !target.is_empty() && version.starts_with("HTTP/") =>
            {
                (method.to_owned(), target.to_owned(), version.to_owned())
            }
            _ => {
                flaws.push(HeadFlaw::BadRequestLine);
                <(String, String, String)>::default()
            }
        };
        let mut head = Self {
            raw: read.bytes,
            method,
            target,
            version,
            headers,
            flaws,
        };
        head.judge_upgrade();
        head
    }

    fn judge_upgrade(&mut self) {
        let headers = &self.headers;
        let mut flaws = Vec::new();
        if self.method != "GET" && !self.method.is_empty() {
            flaws.push(HeadFlaw::NotGet(self.method.clone()));
        }
        if !self.version.is_empty() && self.version.as_str() < "HTTP/1.1" {
            flaws.push(HeadFlaw::OldHttp(self.version.clone()));
        }
        match headers.all("host").count() {
            1 => {}
            count => flaws.push(HeadFlaw::Host(count)),
        }
        if !headers.has_token("upgrade", "websocket") {
            flaws.push(HeadFlaw::NoUpgrade);
        }
        if !headers.has_token("connection", "upgrade") {
            flaws.push(HeadFlaw::NoConnectionUpgrade);
        }
        match headers.all("sec-websocket-key").count() {
            1 => {}
            count => flaws.push(HeadFlaw::Key(count)),
        }
        if headers.first("sec-websocket-key").is_some_and(|key| !is_key(key)) {
            flaws.push(HeadFlaw::BadKey);
        }
        let version = headers.first("sec-websocket-version").unwrap_or_default();
        if version != "13" {
            flaws.push(HeadFlaw::BadVersion(version.to_owned()));
        }
        self.flaws.append(&mut flaws);
    }

    /// The path without its query.
    pub fn path(&self) -> &str {
        self.target.split(['?', '#']).next().unwrap_or_default()
    }

    /// What follows the question mark.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The identity: the last segment of the path, percent-decoded. `None` where the path ends with a slash or is empty.
    pub fn identity(&self) -> Option<Result<String, IdentityError>> {
        let (_, last) = self.path().rsplit_once('/')?;
        (!last.is_empty()).then(|| decode_segment(last))
    }

    /// The offered subprotocols in order of preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> {
        self.headers.tokens("sec-websocket-protocol")
    }

    /// The credentials, where there is an `Authorization` header.
    pub fn basic_auth(&self) -> Option<Result<BasicAuth, AuthError>> {
        self.headers.first("authorization").map(BasicAuth::parse)
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field(
                "line",
                &format_args!("{} {} {}", self.method, self.target, self.version),
            )
            .field("headers", &self.headers.0)
            .field("flaws", &self.flaws)
            .finish_non_exhaustive()
    }
}

/// The head of an answer to our request.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// Every byte of the head as it came.
    pub raw: Vec<u8>,
    /// The version, such as `HTTP/1.1`; empty where the status line is broken.
    pub version: String,
    /// The status; 0 where the status line is broken.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Header lines in order.
    pub headers: Headers,
    /// What was wrong.
    pub flaws: Vec<HeadFlaw>,
}

impl ResponseHead {
    pub(super) fn parse(read: ReadHead, limits: &HeadLimits) -> Self {
        let (start, headers, mut flaws) = parse_lines(&read, limits);
        let mut parts = start.splitn(3, ' ');
        let (version, code) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let reason = parts.next().unwrap_or_default().to_owned();
        let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        let (version, status) = match code.parse() {
            Ok(status) if is_code && version.starts_with("HTTP/") => (version.to_owned(), status),
            _ => {
                flaws.push(HeadFlaw::BadStatusLine);
                (String::new(), 0)
            }
        };
        Self {
            raw: read.bytes,
            version,
            status,
            reason,
            headers,
            flaws,
        }
    }

    /// Judges the head as an answer to a request to upgrade (RFC 6455 4.1, 4.2.2).
    pub(super) fn judge_upgrade(&mut self, accept: &str, offered: &[String], offered_extensions: bool) {
        let headers = &self.headers;
        let mut flaws = Vec::new();
        if self.status != 101 {
            flaws.push(HeadFlaw::NotSwitching(self.status));
            self.flaws.append(&mut flaws);
            return;
        }
        if !headers.has_token("upgrade", "websocket") {
            flaws.push(HeadFlaw::NoUpgrade);
        }
        if !headers.has_token("connection", "upgrade") {
            flaws.push(HeadFlaw::NoConnectionUpgrade);
        }
        if headers.first("sec-websocket-accept") != Some(accept) {
            flaws.push(HeadFlaw::BadAccept);
        }
        let chosen: Vec<_> = headers.tokens("sec-websocket-protocol").collect();
        if chosen.len() > 1 {
            flaws.push(HeadFlaw::ManySubprotocols(chosen.len()));
        }
        if let Some(stranger) = chosen
            .iter()
            .find(|name| !offered.iter().any(|offer| offer == *name))
        {
            flaws.push(HeadFlaw::UnofferedSubprotocol((*stranger).to_owned()));
        }
        if let Some(extension) = headers.tokens("sec-websocket-extensions").next()
            && !offered_extensions
        {
            flaws.push(HeadFlaw::UnofferedExtension(extension.to_owned()));
        }
        self.flaws.append(&mut flaws);
    }

    /// The subprotocol that was chosen, if any.
    pub fn subprotocol(&self) -> Option<&str> {
        self.headers.tokens("sec-websocket-protocol").next()
    }
}

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseHead")
            .field(
                "line",
                &format_args!("{} {} {}", self.version, self.status, self.reason),
            )
            .field("headers", &self.headers.0)
            .field("flaws", &self.flaws)
            .finish_non_exhaustive()
    }
}

/// A head before it is looked at.
pub(super) struct ReadHead {
    /// The bytes up to and including the empty line, or as many as there were.
    bytes: Vec<u8>,
    /// Bytes after it that came in the same read.
    pub(super) rest: Vec<u8>,
    flaw: Option<HeadFlaw>,
}

/// Reads up to and including the first empty line, at most `max_bytes`.
pub(super) async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    limits: &HeadLimits,
) -> io::Result<ReadHead> {
    let mut bytes = Vec::new();
    let mut searched = 0;
    let mut chunk = [0; 1024];
    loop {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Ok(ReadHead {
                bytes,
                rest: Vec::new(),
                flaw: Some(HeadFlaw::Truncated),
            });
        }
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = head_end(&bytes, searched)
            && end <= limits.max_bytes
        {
            let rest = bytes.split_off(end);
            return Ok(ReadHead {
                bytes,
                rest,
                flaw: None,
            });
        }
        if bytes.len() >= limits.max_bytes {
            bytes.truncate(limits.max_bytes);
            return Ok(ReadHead {
                bytes,
                rest: Vec::new(),
                flaw: Some(HeadFlaw::TooLarge(limits.max_bytes)),
            });
        }
        searched = bytes.len().saturating_sub(3);
    }
}

/// The offset after the empty line that ends a head, with CR LF or LF alone as line ends.
fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let newlines = (from..bytes.len()).filter(|&i| bytes[i] == b'\n');
    newlines.map(|i| &bytes[..=i]).find_map(|head| {
        let ends = head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n");
        ends.then_some(head.len())
    })
}

fn parse_lines(read: &ReadHead, limits: &HeadLimits) -> (String, Headers, Vec<HeadFlaw>) {
    let mut flaws: Vec<HeadFlaw> = read.flaw.iter().cloned().collect();
    let mut start = String::new();
    let mut headers = Vec::new();
    for (index, line) in read.bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        let text = match line.strip_suffix(b"\n") {
            None => line,
            Some(text) => text.strip_suffix(b"\r").unwrap_or_else(|| {
                flaws.push(HeadFlaw::BareLf(number));
                text
            }),
        };
        if !text.is_ascii() {
            flaws.push(HeadFlaw::NonAscii(number));
        }
        let text = to_text(text);
        if index == 0 {
            start = text;
        } else if headers.len() == limits.max_headers && !text.is_empty() {
            flaws.push(HeadFlaw::TooManyHeaders(limits.max_headers));
            break;
        } else if text.starts_with([' ', '\t']) {
            flaws.push(HeadFlaw::FoldedLine(number));
            if let Some(Header { value, .. }) = headers.last_mut() {
                *value = format!("{value} {}", text.trim());
            }
        } else if !text.is_empty() {
            let (name, value) = text.split_once(':').unwrap_or((&text, ""));
            if !is_token(name) || !text.contains(':') {
                flaws.push(HeadFlaw::BadHeaderLine(number));
            }
            headers.push(Header::new(name, value.trim_matches([' ', '\t'])));
        }
    }
    (start, Headers(headers), flaws)
}

fn to_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// A token of RFC 9110 5.6.2.
fn is_token(name: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(ok)
}

fn is_key(key: &str) -> bool {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(key)
        .is_ok_and(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /ocpp/CP%201?x=1 HTTP/1.1\r\nHost: h\r\nUPGRADE: WebSocket\r\n\
        connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\nSec-WebSocket-Protocol:ocpp1.6 , x\r\n\
        Authorization: Basic Q1AgMTpzZWNyZXQ=\r\n\r\n";

    async fn request_with(limits: HeadLimits, text: impl AsRef<[u8]>) -> RequestHead {
        let read = read_head(&mut text.as_ref(), &limits).await.unwrap();
        RequestHead::parse(read, &limits)
    }

    async fn request(text: impl AsRef<[u8]>) -> RequestHead {
        request_with(HeadLimits::default(), text).await
    }

    async fn flaws(text: &str) -> Vec<&'static str> {
        request(text).await.flaws.iter().map(HeadFlaw::id).collect()
    }

    #[tokio::test]
    async fn a_good_request_keeps_order_case_and_duplicates() {
        let head = request(GOOD).await;
        assert_eq!(head.flaws, []);
        assert_eq!(head.raw, GOOD.as_bytes());
        assert_eq!(
            (head.method.as_str(), head.path(), head.query()),
            ("GET", "/ocpp/CP%201", Some("x=1"))
        );
        assert_eq!(head.headers.0[1], Header::new("UPGRADE", "WebSocket"));
        assert_eq!(head.identity(), Some(Ok("CP 1".to_owned())));
        assert_eq!(
            head.subprotocols().collect::<Vec<_>>(),
            ["ocpp2.0.1", "ocpp1.6", "x"]
        );
        assert_eq!(head.basic_auth(), Some(Ok(BasicAuth::new("CP 1", "secret"))));
    }

    #[tokio::test]
    async fn the_debug_form_hides_credentials() {
        let shown = format!("{:?}", request(GOOD).await);
        assert!(
            shown.contains("UPGRADE") && !shown.contains("Q1AgMTpzZWNyZXQ"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn each_flaw_of_an_upgrade_is_named_alone() {
        for (from, to, flaw) in [
            ("GET", "POST", "upgrade-not-get"),
            ("HTTP/1.1", "HTTP/1.0", "upgrade-old-http"),
            ("Host: h\r\n", "", "upgrade-host"),
            (": WebSocket", ": h2c", "upgrade-no-upgrade"),
            ("keep-alive, Upgrade", "keep-alive", "upgrade-no-connection"),
            (
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                "",
                "upgrade-key-count",
            ),
            ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", "upgrade-bad-key"),
            ("Version: 13", "Version: 8", "upgrade-bad-version"),
            (
                "GET /ocpp/CP%201?x=1 HTTP/1.1",
                "GET  HTTP/1.1",
                "bad-request-line",
            ),
            ("Host: h\r\n", "Host: h\n", "head-bare-lf"),
            ("Host: h\r\n", "Host: h\r\n i\r\n", "head-folded-line"),
            ("Host: h\r\n", "Host: h\r\nno colon\r\n", "bad-header-line"),
            ("Host: h\r\n", "Host: h\r\nX : y\r\n", "bad-header-line"),
            ("Host: h\r\n", "Host: h\r\nX: é\r\n", "head-non-ascii"),
        ] {
            assert_eq!(flaws(&GOOD.replace(from, to)).await, [flaw], "{from:?} → {to:?}");
        }
    }

    #[tokio::test]
    async fn heads_are_bounded() {
        let cut = request(&GOOD[..GOOD.len() - 2]).await;
        assert_eq!(cut.flaws, [HeadFlaw::Truncated]);
        let limits = HeadLimits {
            max_bytes: 400,
            max_headers: 100,
        };
        let long = request_with(limits, GOOD.replace("x=1", &"y".repeat(1000))).await;
        assert_eq!(long.flaws[0], HeadFlaw::TooLarge(400));
        assert_eq!(long.raw.len(), 400);
        let many = request_with(
            HeadLimits {
                max_headers: 7,
                ..HeadLimits::default()
            },
            GOOD,
        )
        .await;
        assert_eq!(many.flaws, [HeadFlaw::TooManyHeaders(7)]);
    }

    #[tokio::test]
    async fn bytes_after_the_head_are_handed_on() {
        let limits = HeadLimits::default();
        let read = read_head(&mut format!("{GOOD}abc").as_bytes(), &limits)
            .await
            .unwrap();
        assert_eq!(
            (read.rest.as_slice(), read.bytes.len()),
            (&b"abc"[..], GOOD.len())
        );
    }

    #[tokio::test]
    async fn a_value_that_is_not_utf8_is_kept_as_latin_1() {
        let mut bytes = GOOD.as_bytes().to_vec();
        let at = GOOD.find("Host: h").unwrap() + 6;
        bytes[at] = 0xe9;
        let head = request(bytes).await;
        assert_eq!(
            (head.headers.first("host"), head.flaws.as_slice()),
            (Some("é"), &[HeadFlaw::NonAscii(2)][..])
        );
    }

    #[tokio::test]
    async fn an_identity_needs_a_last_segment() {
        assert_eq!(request("GET / HTTP/1.1\r\n\r\n").await.identity(), None);
        assert_eq!(request("GET x HTTP/1.1\r\n\r\n").await.identity(), None);
        let broken = request("GET /%2 HTTP/1.1\r\n\r\n").await.identity();
        assert_eq!(broken, Some(Err(IdentityError::BadEscape(0))));
    }

    #[tokio::test]
    async fn answers_are_judged() {
        let good = "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: A\r\n\r\n";
        let judge = async |text: String| {
            let limits = HeadLimits::default();
            let read = read_head(&mut text.as_bytes(), &limits).await.unwrap();
            let mut head = ResponseHead::parse(read, &limits);
            head.judge_upgrade("A", &["ocpp1.6".to_owned()], false);
            head
        };
        let head = judge(good.to_owned()).await;
        assert_eq!(
            (head.flaws.as_slice(), head.subprotocol(), head.reason.as_str()),
            (&[][..], None, "Go")
        );
        for (from, to, flaw) in [
            ("101", "404", "upgrade-refused"),
            ("HTTP/1.1 101", "HTTP/1.1 1O1", "bad-status-line"),
            ("websocket", "h2c", "upgrade-no-upgrade"),
            (", Upgrade", "", "upgrade-no-connection"),
            ("Accept: A", "Accept: a", "upgrade-bad-accept"),
            (
                "Go\r\n",
                "Go\r\nSec-WebSocket-Protocol: ocpp1.6, ocpp1.6\r\n",
                "upgrade-many-subprotocols",
            ),
            (
                "Go\r\n",
                "Go\r\nSec-WebSocket-Protocol: x\r\n",
                "upgrade-unoffered-subprotocol",
            ),
            (
                "Go\r\n",
                "Go\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
                "upgrade-unoffered-extension",
            ),
        ] {
            let head = judge(good.replace(from, to)).await;
            assert_eq!(
                head.flaws.first().map(HeadFlaw::id),
                Some(flaw),
                "{from:?} → {to:?}"
            );
        }
    }
}
