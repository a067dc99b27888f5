//! What can be wrong with an HTTP head and with a request or an answer to upgrade.

use std::fmt;

/// What can be wrong with a head, each with a stable id. The detail never carries a header's value that may be secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HeadFlaw {
    /// The stream ended before the empty line.
    Truncated,
    /// More bytes than the limit; the rest was not read.
    TooLarge(usize),
    /// More header lines than the limit; the rest was not read.
    TooManyHeaders(usize),
    /// A line ended with LF alone (RFC 9112 2.2); the number is the line, from 1.
    BareLf(usize),
    /// Not `METHOD TARGET HTTP/x.y` (RFC 9112 3).
    BadRequestLine,
    /// Not `HTTP/x.y NNN reason` (RFC 9112 4).
    BadStatusLine,
    /// A header continued on the next line (RFC 9112 5.2).
    FoldedLine(usize),
    /// A header line that has no colon or no proper name (RFC 9112 5).
    BadHeaderLine(usize),
    /// A byte outside ASCII (RFC 9110 5.5).
    NonAscii(usize),
    /// The method is not GET (RFC 6455 4.1).
    NotGet(String),
    /// HTTP below 1.1 (RFC 6455 4.1).
    OldHttp(String),
    /// No, or more than one, `Host` (RFC 6455 4.1).
    Host(usize),
    /// `Upgrade` does not name `websocket` (RFC 6455 4.1, 4.2.2).
    NoUpgrade,
    /// `Connection` does not name `Upgrade` (RFC 6455 4.1, 4.2.2).
    NoConnectionUpgrade,
    /// No, or more than one, `Sec-WebSocket-Key` (RFC 6455 4.1).
    Key(usize),
    /// The key is not the base64 form of 16 bytes (RFC 6455 4.1).
    BadKey,
    /// `Sec-WebSocket-Version` is not 13 (RFC 6455 4.1); empty where it is missing.
    BadVersion(String),
    /// Bytes of a frame came before our answer (RFC 6455 4.1); the number is how many.
    EarlyData(usize),
    /// The status is not 101 (RFC 6455 4.2.2): the upgrade is refused, which is no fault in itself.
    NotSwitching(u16),
    /// `Sec-WebSocket-Accept` is missing or does not fit our key (RFC 6455 4.2.2).
    BadAccept,
    /// The answer chose a subprotocol that we did not offer (RFC 6455 4.1).
    UnofferedSubprotocol(String),
    /// The answer has more than one subprotocol (RFC 6455 4.2.2).
    ManySubprotocols(usize),
    /// The answer switches on an extension that we did not offer (RFC 6455 4.1).
    UnofferedExtension(String),
}

impl HeadFlaw {
    /// The stable name used in traces and reports.
    pub fn id(&self) -> &'static str {
        self.facts().0
    }

    /// The clause that the flaw breaks; empty where only a limit of ours is exceeded.
    pub fn clause(&self) -> &'static str {
        self.facts().1
    }

    fn facts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Truncated => ("head-truncated", "RFC 9112 2.1"),
            Self::TooLarge(_) => ("head-too-large", ""),
            Self::TooManyHeaders(_) => ("head-too-many-headers", ""),
            Self::BareLf(_) => ("head-bare-lf", "RFC 9112 2.2"),
            Self::BadRequestLine => ("bad-request-line", "RFC 9112 3"),
            Self::BadStatusLine => ("bad-status-line", "RFC 9112 4"),
            Self::FoldedLine(_) => ("head-folded-line", "RFC 9112 5.2"),
            Self::BadHeaderLine(_) => ("bad-header-line", "RFC 9112 5"),
            Self::NonAscii(_) => ("head-non-ascii", "RFC 9110 5.5"),
            Self::NotGet(_) => ("upgrade-not-get", "RFC 6455 4.1"),
            Self::OldHttp(_) => ("upgrade-old-http", "RFC 6455 4.1"),
            Self::Host(_) => ("upgrade-host", "RFC 6455 4.1"),
            Self::NoUpgrade => ("upgrade-no-upgrade", "RFC 6455 4.1"),
            Self::NoConnectionUpgrade => ("upgrade-no-connection", "RFC 6455 4.1"),
            Self::Key(_) => ("upgrade-key-count", "RFC 6455 4.1"),
            Self::BadKey => ("upgrade-bad-key", "RFC 6455 4.1"),
            Self::BadVersion(_) => ("upgrade-bad-version", "RFC 6455 4.1"),
            Self::EarlyData(_) => ("upgrade-early-data", "RFC 6455 4.1"),
            Self::NotSwitching(_) => ("upgrade-refused", "RFC 6455 4.2.2"),
            Self::BadAccept => ("upgrade-bad-accept", "RFC 6455 4.2.2"),
            Self::UnofferedSubprotocol(_) => ("upgrade-unoffered-subprotocol", "RFC 6455 4.1"),
            Self::ManySubprotocols(_) => ("upgrade-many-subprotocols", "RFC 6455 4.2.2"),
            Self::UnofferedExtension(_) => ("upgrade-unoffered-extension", "RFC 6455 4.1"),
        }
    }
}

impl fmt::Display for HeadFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the stream ended inside the HTTP head"),
            Self::TooLarge(max) => write!(f, "HTTP head of more than {max} bytes"),
            Self::TooManyHeaders(max) => write!(f, "HTTP head of more than {max} header lines"),
            Self::BareLf(line) => write!(f, "line {line} of the HTTP head ends with LF alone"),
            Self::BadRequestLine => f.write_str("the request line is not `METHOD TARGET HTTP/x.y`"),
            Self::BadStatusLine => f.write_str("the status line is not `HTTP/x.y NNN reason`"),
            Self::FoldedLine(line) => {
                write!(f, "line {line} of the HTTP head continues the header before it")
            }
            Self::BadHeaderLine(line) => write!(f, "line {line} of the HTTP head is not `Name: value`"),
            Self::NonAscii(line) => write!(f, "line {line} of the HTTP head has bytes outside ASCII"),
            Self::NotGet(method) => write!(f, "method `{method}` instead of `GET`"),
            Self::OldHttp(version) => write!(f, "`{version}` instead of `HTTP/1.1`"),
            Self::Host(count) => write!(f, "{count} `Host` headers instead of one"),
            Self::NoUpgrade => f.write_str("header `Upgrade` does not name `websocket`"),
            Self::NoConnectionUpgrade => f.write_str("header `Connection` does not name `Upgrade`"),
            Self::Key(count) => write!(f, "{count} `Sec-WebSocket-Key` headers instead of one"),
            Self::BadKey => f.write_str("`Sec-WebSocket-Key` is not the base64 form of 16 bytes"),
            Self::BadVersion(version) => write!(f, "`Sec-WebSocket-Version` is `{version}` instead of `13`"),
            Self::EarlyData(bytes) => write!(f, "{bytes} bytes came before the answer to the upgrade"),
            Self::NotSwitching(status) => write!(f, "the upgrade was answered with status {status}"),
            Self::BadAccept => f.write_str("`Sec-WebSocket-Accept` does not fit the key"),
            Self::UnofferedSubprotocol(name) => write!(f, "subprotocol `{name}` was chosen but not offered"),
            Self::ManySubprotocols(count) => write!(f, "{count} subprotocols were chosen instead of one"),
            Self::UnofferedExtension(name) => write!(f, "extension `{name}` was switched on but not offered"),
        }
    }
}
