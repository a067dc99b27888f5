//! The line to the CSMS: dialling, the handshake, back-off, pings (OCPP-J 1.6 §3, §5.3, §5.4).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use plugfest_protocol::Timestamp;
use rand::RngExt;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, CONNECTION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::config::Config;
use super::device::{Device, Registration};
use crate::defect::Defect;
use crate::link::{Heard, Link, Say, websocket_config};
use crate::rpc::Answered;
use crate::slip::Moment;

/// How long our own goodbye may take before the line is simply dropped.
const GOODBYE: Duration = Duration::from_secs(5);
/// What may stand in a path segment as it is (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The state of the line.
pub(super) enum Line {
    /// No connection; the next attempt is due at that moment, if ever.
    Down { dial_at: Option<Timestamp> },
    /// An attempt is under way.
    Dialling(BoxFuture<'static, Option<Link>>),
    /// Connected.
    Up(Link),
    /// We said goodbye.
    Closing { link: Link, until: Timestamp },
}

/// What happened on the line.
pub(super) enum LineEvent {
    Dialled(Option<Link>),
    Heard(Heard),
    Over,
}

impl Line {
    pub(super) const fn is_up(&self) -> bool {
        matches!(self, Self::Up(_))
    }

    pub(super) const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Down { dial_at } => *dial_at,
            Self::Closing { until, .. } => Some(*until),
            Self::Dialling(_) | Self::Up(_) => None,
        }
    }

    /// The next thing that happens. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> LineEvent {
        match self {
            Self::Down { .. } => std::future::pending().await,
            Self::Dialling(attempt) => LineEvent::Dialled(attempt.await),
            Self::Up(link) => link.hear().await.map_or(LineEvent::Over, LineEvent::Heard),
            Self::Closing { link, .. } => {
                while link.hear().await.is_some() {}
                LineEvent::Over
            }
        }
    }
}

/// The opening request: subprotocol, identity in the path, Basic authentication where there is a password.
pub(super) fn opening_request(config: &Config, password: Option<&[u8]>) -> Option<Request> {
    let identity = utf8_percent_encode(&config.identity, RESERVED);
    let url = format!(
        "ws://{}{}/{identity}",
        config.host,
        config.path.trim_end_matches('/')
    );
    let mut request = url.into_client_request().ok()?;
    let headers = request.headers_mut();
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("ocpp1.6"));
    if let Some(password) = password {
        let credentials = STANDARD.encode([config.identity.as_bytes(), b":", password].concat());
        let mut value = HeaderValue::from_str(&format!("Basic {credentials}")).ok()?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Some(request)
}

impl Device {
    /// Dials when it is time to.
    pub(super) fn line_passes(&mut self) {
        match &self.line {
            Line::Down {
                dial_at: Some(moment),
            } if *moment <= self.now && !self.unplugged => self.dial(),
            Line::Closing { until, .. } if *until <= self.now => self.line = Line::Down { dial_at: None },
            _ => {}
        }
        if self.line.is_up() && self.ping_due.is_some_and(|moment| moment <= self.now) {
            self.ping();
        }
    }

    fn dial(&mut self) {
        let Some(request) = opening_request(&self.config, self.store.password.as_deref()) else {
            // Checked when the station was built; a password set later is bytes, which always fit.
            self.line = Line::Down { dial_at: None };
            return;
        };
        let mut request = request;
        if self.has(Defect::CsNoConnectionUpgrade) {
            // What a plain request of HTTP says.
            let plain = HeaderValue::from_static("keep-alive");
            request.headers_mut().insert(CONNECTION, plain);
        }
        let stream = self.dialler.dial();
        let limit = self.config.timing.message_timeout;
        self.line = Line::Dialling(Box::pin(async move {
            let shaken = async {
                let stream = stream.await.ok()?;
                let (socket, _) = client_async_with_config(request, stream, Some(websocket_config()))
                    .await
                    .ok()?;
                Some(Link::new(socket))
            };
            tokio::time::timeout(limit, shaken).await.ok().flatten()
        }));
    }

    /// Something happened on the line.
    pub(super) fn line_event(&mut self, event: LineEvent) {
        match event {
            LineEvent::Dialled(Some(link)) => self.connected(link),
            LineEvent::Dialled(None) | LineEvent::Over => match self.line {
                // Goodbye was our own wish: who wished it says when to dial again.
                Line::Closing { .. } => self.line = Line::Down { dial_at: None },
                _ => self.line_lost(),
            },
            LineEvent::Heard(heard) => {
                self.pong_missing = false;
                match heard {
                    Heard::Text(text) => {
                        self.failures = 0;
                        self.tap.heard(&text);
                        self.heard(&text);
                    }
                    // Whoever decodes the text throws, and nobody catches it.
                    Heard::Garbled if self.has(Defect::AnyCrashInvalidUtf8) => self.crash(),
                    Heard::Garbled | Heard::Pong => {}
                }
            }
        }
    }

    fn connected(&mut self, link: Link) {
        self.line = Line::Up(link);
        self.answered = Answered::default();
        self.pong_missing = false;
        self.plan_ping();
        if self.registration == Registration::Accepted {
            // A reconnect brings no BootNotification (J §5.4), but what changed in the meantime.
            if self.has(Defect::CsHeartbeatTimerLeak) {
                self.quirks.timers += 1;
            }
            self.plan_heartbeat();
            self.tell_changes();
            self.after_reconnect();
        }
    }

    /// What stations with a defect do when the line is back.
    fn after_reconnect(&mut self) {
        if self.has(Defect::CsAvailableAfterReconnect) {
            (1..=self.connectors.len()).for_each(|number| self.claim_available(number));
        }
        if self.has(Defect::CsStarttxAgainAfterDrop)
            && let Some((key, payload)) = self.quirks.last_start.clone()
            && self
                .connectors
                .iter()
                .filter_map(|it| it.transaction())
                .any(|it| it.key == key)
        {
            self.repeat_start(key, payload);
        }
    }

    /// The line is gone, and not by our wish: wait, longer after every failure, then dial again.
    pub(super) fn line_lost(&mut self) {
        if self.has(Defect::CsNoReconnect) {
            return self.hang_up(None);
        }
        if self.has(Defect::CsReconnectDelayIgnored) {
            return self.hang_up(Some(self.now.plus(Duration::from_millis(10))));
        }
        if self.has(Defect::CsOperationExecutedTwice) {
            self.quirks.again = self.reset.as_ref().map(|reset| reset.hard);
        }
        let shortest = self.config.timing.reconnect_shortest;
        let wait = shortest
            .saturating_mul(1 << self.failures.min(16))
            .min(self.config.timing.reconnect_longest);
        self.failures = self.failures.saturating_add(1);
        // A fleet must not come back in step.
        let jitter = wait.mul_f64(self.rng.random_range(0.0..0.25));
        self.hang_up(Some(self.now.plus(wait + jitter)));
    }

    /// Drops the line without a word.
    pub(super) fn hang_up(&mut self, dial_at: Option<Timestamp>) {
        self.line = Line::Down { dial_at };
        self.heartbeat_due = None;
        self.ping_due = None;
        self.tap.line_gone();
        self.slip_memory(Moment::Disconnect);
        self.line_gone();
    }

    /// Says goodbye first.
    pub(super) fn say_goodbye(&mut self) {
        let down = Line::Down { dial_at: None };
        if let Line::Up(link) = std::mem::replace(&mut self.line, down) {
            // A peer that takes no more messages gets none.
            if link.say(Say::Close(CloseCode::Away)) {
                self.line = Line::Closing {
                    link,
                    until: self.now.plus(GOODBYE),
                };
            }
        }
        self.heartbeat_due = None;
        self.ping_due = None;
        self.line_gone();
    }

    /// Puts a message on the line.
    pub(super) fn say(&mut self, what: Say) {
        if !self.line.is_up() {
            return;
        }
        match what {
            Say::Text(text) => {
                let texts = self.tap.outgoing(text, self.now);
                self.say_as_it_is(texts.into_iter().map(Say::Text).collect());
            }
            other => self.say_as_it_is(vec![other]),
        }
    }

    fn say_as_it_is(&mut self, all: Vec<Say>) {
        let Line::Up(link) = &self.line else { return };
        if !all.into_iter().all(|what| link.say(what)) {
            self.line_lost();
        }
    }

    /// Lets out what the tap has held back.
    pub(super) fn tap_passes(&mut self) {
        let texts = self.tap.release(self.now);
        self.say_as_it_is(texts.into_iter().map(Say::Text).collect());
    }

    fn ping(&mut self) {
        if self.pong_missing && !self.has(Defect::CsHalfopenNeverDetected) {
            // Half open: nothing came back since the last ping (J errata 3.11).
            return self.line_lost();
        }
        self.pong_missing = true;
        self.plan_ping();
        self.say(Say::Ping);
    }

    /// The next ping, by WebSocketPingInterval.
    pub(super) fn plan_ping(&mut self) {
        let interval = self.store.settings.interval("WebSocketPingInterval");
        self.ping_due = interval
            .filter(|_| self.line.is_up())
            .map(|interval| self.now.plus(interval));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_encoded_and_the_password_is_basic() {
        let mut config = Config::new("RDAM 12/3", Timestamp::from_secs(0));
        config.path = "/a/b/".into();
        let request = opening_request(&config, Some(&[0xff, 0x00])).unwrap();
        assert_eq!(request.uri().path(), "/a/b/RDAM%2012%2F3");
        let header = request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
        let credentials = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(credentials, b"RDAM 12/3:\xff\x00");
        assert_eq!(request.headers()[SEC_WEBSOCKET_PROTOCOL], "ocpp1.6");
    }
}
