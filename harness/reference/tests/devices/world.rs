//! A world for tests: a reference station, a reference CSMS, and a tap between them that understands frames.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use plugfest_protocol::{Edition, Frame, Json, Part, Severity, Timestamp, object, read_frame, validate};
use plugfest_reference::csms::{self, Csms, Tag};
use plugfest_reference::station::{self, Controls, Makeup, Station};
use plugfest_reference::{BoxStream, Outcome};
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{accept_hdr_async, client_async};

use crate::shelf::Shelf;

/// 2024-05-01T12:00:00Z, a whole quarter of an hour.
pub(crate) const NOON: i64 = 1_714_564_800;

/// What the tap may do to a frame of the CSMS, or of the station.
pub(crate) type Filter = Arc<dyn Fn(&Frame) -> bool + Send + Sync>;

pub(crate) struct World {
    pub(crate) csms: Csms,
    pub(crate) controls: Controls,
    seen: Arc<Mutex<Vec<String>>>,
    raw: Arc<Mutex<Vec<Option<Frame>>>>,
    lose: Arc<Mutex<Option<Filter>>>,
    open: watch::Sender<bool>,
    created: tokio::time::Instant,
}

/// A station as most tests want it: no pings, no samples unless asked for.
pub(crate) fn station_config() -> station::Config {
    let mut config = station::Config::new("CS 1", Timestamp::from_secs(NOON));
    config.settings = [("MeterValueSampleInterval", "0"), ("WebSocketPingInterval", "0")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec();
    config
}

pub(crate) fn csms_config() -> csms::Config {
    let mut config = csms::Config::new(Timestamp::from_secs(NOON));
    let tag = |id: &str, status: &str, parent: Option<&str>| Tag {
        id: id.into(),
        status: status.into(),
        parent: parent.map(str::to_owned),
        expiry: None,
    };
    config.tags = vec![
        tag("ALICE", "Accepted", None),
        tag("BOB", "Accepted", None),
        tag("GROUP1", "Accepted", Some("FAMILY")),
        tag("GROUP2", "Accepted", Some("FAMILY")),
        tag("BLOCKED", "Blocked", None),
        tag("EXPIRED", "Expired", None),
    ];
    config.heartbeat_interval = Duration::from_hours(1);
    config.first_transaction = 100;
    config
}

impl World {
    /// A world with this make-up.
    pub(crate) fn of(makeup: Makeup) -> Self {
        let mut config = station_config();
        config.makeup = makeup;
        Self::new(config, csms_config())
    }

    pub(crate) fn new(station: station::Config, csms: csms::Config) -> Self {
        Self::build(station, csms, None)
    }

    /// A world with a file server.
    pub(crate) fn served(station: station::Config, csms: csms::Config, shelf: &Shelf) -> Self {
        Self::build(station, csms, Some(shelf))
    }

    fn build(station: station::Config, csms: csms::Config, shelf: Option<&Shelf>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the paused clock of the test")]
        let created = tokio::time::Instant::now();
        let csms = Csms::new(csms);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let lose = Arc::new(Mutex::new(None));
        let (open, opened) = watch::channel(true);
        let tap = Tap {
            csms: csms.clone(),
            seen: Arc::clone(&seen),
            raw: Arc::clone(&raw),
            lose: Arc::clone(&lose),
            open: opened,
        };
        let dial = move || -> futures_util::future::BoxFuture<'static, std::io::Result<BoxStream>> {
            let tap = tap.clone();
            Box::pin(async move {
                if !*tap.open.borrow() {
                    return Err(std::io::ErrorKind::ConnectionRefused.into());
                }
                let (near, far) = tokio::io::duplex(16 * 1024);
                tokio::spawn(tap.relay(far));
                let boxed: BoxStream = Box::new(near);
                Ok(boxed)
            })
        };
        let (mut station, controls) = Station::new(station, dial).unwrap();
        if let Some(shelf) = shelf {
            station = station.transferring(shelf.route());
        }
        tokio::spawn(station.run());
        Self {
            csms,
            controls,
            seen,
            raw,
            lose,
            open,
            created,
        }
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        let never = std::future::pending::<()>();
        assert!(
            tokio::time::timeout(Duration::from_secs(seconds), never)
                .await
                .is_err()
        );
    }

    /// Wall time, in whole seconds: the devices' clocks are right.
    pub(crate) fn now(&self) -> i64 {
        NOON + i64::try_from(self.created.elapsed().as_secs()).unwrap()
    }

    /// Lets everybody react, but hardly any time pass.
    pub(crate) async fn settle(&self) {
        let never = std::future::pending::<()>();
        assert!(
            tokio::time::timeout(Duration::from_millis(20), never)
                .await
                .is_err()
        );
    }

    /// Until the station has booted and everybody is quiet.
    pub(crate) async fn booted(self) -> Self {
        self.pass(5).await;
        let frames = self.frames();
        assert_eq!(
            frames.first().map(String::as_str),
            Some("> BootNotification"),
            "{frames:#?}"
        );
        self
    }

    /// Hands do something, and succeed.
    pub(crate) async fn hands(&self, verb: &str, args: Json) {
        assert_eq!(
            self.controls.perform(verb, &args).await,
            Outcome::Done,
            "{verb} {args}"
        );
        self.pass(1).await;
    }

    /// The operator sends something.
    pub(crate) async fn operator(&self, action: &str, payload: Json) {
        let args = object! { "station": "CS 1", "action": action, "payload": payload };
        assert_eq!(self.csms.perform("csms.call", &args).await, Outcome::Done);
        self.pass(1).await;
    }

    /// The operator sends something, and this is the first line of what the station answers, as [`World::expect`]
    /// would show it. What else was seen is forgotten.
    #[track_caller]
    pub(crate) fn asks(
        &self,
        action: &'static str,
        payload: Json,
        answer: &'static str,
    ) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            self.frames();
            self.operator(action, payload.clone()).await;
            let frames = self.frames();
            let told = frames.iter().find_map(|line| line.strip_prefix("  > "));
            assert_eq!(
                told.map(str::trim),
                Some(answer),
                "{caller}: {action} {payload}: {frames:#?}"
            );
        }
    }

    /// Sets a configuration key.
    pub(crate) async fn set(&self, key: &str, value: &str) {
        let payload = object! { "key": key, "value": value };
        self.asks("ChangeConfiguration", payload, "Accepted").await;
    }

    /// What the station says a configuration key is.
    pub(crate) async fn setting(&self, key: &str) -> Option<String> {
        self.operator("GetConfiguration", object! { "key": vec![Json::from(key)] })
            .await;
        let answer = self.results().pop()?;
        let value = answer.pointer("/configurationKey/0/value")?;
        value.as_str().map(str::to_owned)
    }

    /// The tap loses what the filter names.
    pub(crate) fn lose(&self, filter: impl Fn(&Frame) -> bool + Send + Sync + 'static) {
        *self.lose.lock().unwrap() = Some(Arc::new(filter));
    }

    pub(crate) fn lose_nothing(&self) {
        *self.lose.lock().unwrap() = None;
    }

    /// The tap drops every connection and takes no new one.
    pub(crate) fn shut(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn reopen(&self) {
        self.open.send_replace(true);
    }

    /// What has been seen since the last look, one line per frame.
    pub(crate) fn frames(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    /// The payloads of one action seen so far.
    pub(crate) fn payloads(&self, of: &str) -> Vec<Json> {
        let raw = self.raw.lock().unwrap();
        let calls = raw.iter().flatten().filter_map(|frame| match frame {
            Frame::Call { action, payload, .. } if action == of => Some(payload.clone()),
            _ => None,
        });
        calls.collect()
    }

    /// The message ids of all CALLs of the station.
    pub(crate) fn ids(&self) -> Vec<String> {
        let raw = self.raw.lock().unwrap();
        let ids = raw.iter().flatten().filter_map(|frame| match frame {
            Frame::Call { id, action, .. } => {
                let known = Edition::ocpp16().action(action)?;
                known
                    .may_be_sent_by(plugfest_protocol::Role::STATION, Part::Request)
                    .then(|| id.clone())
            }
            _ => None,
        });
        ids.collect()
    }

    /// Everything seen so far; `None` stands where a line began.
    pub(crate) fn take(&self) -> Vec<Option<Frame>> {
        std::mem::take(&mut *self.raw.lock().unwrap())
    }

    /// All answers seen so far, in order.
    pub(crate) fn results(&self) -> Vec<Json> {
        let raw = self.raw.lock().unwrap();
        let results = raw.iter().flatten().filter_map(|frame| match frame {
            Frame::CallResult { payload, .. } => Some(payload.clone()),
            _ => None,
        });
        results.collect()
    }

    /// Asserts what has been seen since the last look, and nothing else.
    #[track_caller]
    pub(crate) fn expect(&self, lines: &str) {
        let wanted: Vec<&str> = lines
            .lines()
            .map(|line| line.trim_start_matches('|'))
            .map(str::trim)
            .collect();
        let wanted: Vec<&str> = wanted.into_iter().filter(|line| !line.is_empty()).collect();
        let seen = self.frames();
        let seen: Vec<&str> = seen.iter().map(|line| line.trim()).collect();
        assert!(
            seen == wanted,
            "seen:\n  {}\nwanted:\n  {}",
            seen.join("\n  "),
            wanted.join("\n  ")
        );
    }
}

async fn shut(open: &mut watch::Receiver<bool>) {
    // The sender lives as long as the world does.
    let _gone = open.wait_for(|open| !*open).await.is_err();
}

/// A world in which ALICE charges as transaction 100; what led there has been looked at.
pub(crate) async fn charging(makeup: Makeup) -> World {
    let world = World::of(makeup).booted().await;
    world.hands("ev.plug", object! {}).await;
    world
        .hands("token.present", object! { "token": "ALICE", "connector": 1 })
        .await;
    let frames = world.frames();
    assert_eq!(
        frames[frames.len() - 2],
        "> StatusNotification 1 Charging",
        "{frames:?}"
    );
    world
}

#[derive(Clone)]
struct Tap {
    csms: Csms,
    seen: Arc<Mutex<Vec<String>>>,
    raw: Arc<Mutex<Vec<Option<Frame>>>>,
    lose: Arc<Mutex<Option<Filter>>>,
    open: watch::Receiver<bool>,
}

impl Tap {
    /// Stands between the two as a CSMS to one and a station to the other.
    async fn relay(self, stream: DuplexStream) {
        let mut path = String::new();
        #[expect(clippy::result_large_err, reason = "the signature is the library's")]
        let see =
            |request: &tokio_tungstenite::tungstenite::handshake::server::Request,
             mut response: tokio_tungstenite::tungstenite::handshake::server::Response| {
                request.uri().path().clone_into(&mut path);
                response
                    .headers_mut()
                    .insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
                Ok(response)
            };
        let Ok(mut station) = accept_hdr_async(stream, see).await else {
            return;
        };
        let (near, far) = tokio::io::duplex(16 * 1024);
        let csms = self.csms.clone();
        tokio::spawn(async move { csms.serve_connection(far).await });
        let mut request = format!("ws://test{path}").into_client_request().unwrap();
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", "ocpp1.6".parse().unwrap());
        let (mut csms, _) = client_async(request, near).await.unwrap();
        let mut open = self.open.clone();
        self.raw.lock().unwrap().push(None);
        loop {
            tokio::select! {
                biased;
                () = shut(&mut open) => return,
                message = station.next() => match message {
                    Some(Ok(Message::Text(text))) => if self.see('>', &text) { csms.send(Message::Text(text)).await.unwrap() },
                    Some(Ok(Message::Close(_))) => self.note("> close"),
                    Some(Ok(_)) => {}
                    _ => return,
                },
                message = csms.next() => match message {
                    Some(Ok(Message::Text(text))) => if self.see('<', &text) { station.send(Message::Text(text)).await.unwrap() },
                    Some(Ok(_)) => {}
                    _ => return,
                },
            }
        }
    }

    fn note(&self, line: impl Into<String>) {
        self.seen.lock().unwrap().push(line.into());
    }

    /// Writes a frame down and checks it; false where it is lost.
    fn see(&self, direction: char, text: &str) -> bool {
        let edition = Edition::ocpp16();
        let read = read_frame(edition, text);
        assert!(read.flaws.is_empty(), "{text}: {:?}", read.flaws);
        let frame = read.frame.unwrap();
        let lost = self
            .lose
            .lock()
            .unwrap()
            .as_ref()
            .is_some_and(|lose| lose(&frame));
        let mark = if lost { " (lost)" } else { "" };
        self.note(format!("{}{mark}", line(direction, &frame)));
        self.check(&frame, text);
        self.raw.lock().unwrap().push(Some(frame));
        !lost
    }

    /// Both devices speak by the schema, always.
    fn check(&self, frame: &Frame, text: &str) {
        let edition = Edition::ocpp16();
        let violations = match frame {
            Frame::Call { action, payload, .. } => validate(edition, action, Part::Request, payload),
            Frame::CallResult { id, payload } => {
                let raw = self.raw.lock().unwrap();
                let action = raw.iter().flatten().rev().find_map(|known| match known {
                    Frame::Call {
                        id: known, action, ..
                    } if known == id => Some(action.clone()),
                    _ => None,
                });
                validate(
                    edition,
                    &action.expect("an answer to a CALL that was seen"),
                    Part::Response,
                    payload,
                )
            }
            Frame::CallError { .. } => Vec::new(),
        };
        let bad: Vec<_> = violations
            .iter()
            .filter(|violation| violation.severity == Severity::Must)
            .collect();
        assert!(bad.is_empty(), "{text}: {bad:?}");
    }
}

/// A frame in a few words.
fn line(direction: char, frame: &Frame) -> String {
    let text = |json: &Json, pointer: &str| match json.pointer(pointer) {
        Some(Json::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
        None => None,
    };
    match frame {
        Frame::Call { action, payload, .. } => {
            let fields: &[&str] = match action.as_str() {
                "StatusNotification" => &["/connectorId", "/status", "/errorCode", "/info"],
                "StartTransaction" | "RemoteStartTransaction" | "ReserveNow" => {
                    &["/connectorId", "/idTag", "/reservationId"]
                }
                "CancelReservation" => &["/reservationId"],
                "FirmwareStatusNotification" | "DiagnosticsStatusNotification" => &["/status"],
                "StopTransaction" => &["/transactionId", "/reason", "/idTag"],
                "MeterValues" => &[
                    "/connectorId",
                    "/transactionId",
                    "/meterValue/0/sampledValue/0/context",
                ],
                "Authorize" => &["/idTag"],
                "RemoteStopTransaction" => &["/transactionId"],
                "Reset" => &["/type"],
                "ChangeAvailability" => &["/connectorId", "/type"],
                "ChangeConfiguration" => &["/key", "/value"],
                "UnlockConnector" => &["/connectorId"],
                "TriggerMessage" => &["/requestedMessage", "/connectorId"],
                _ => &[],
            };
            let words: Vec<String> = fields
                .iter()
                .filter_map(|field| text(payload, field))
                .filter(|word| word != "NoError")
                .collect();
            format!("{direction} {action} {}", words.join(" "))
                .trim_end()
                .to_owned()
        }
        Frame::CallResult { payload, .. } => {
            let fields = [
                "/status",
                "/idTagInfo/status",
                "/transactionId",
                "/listVersion",
                "/fileName",
            ];
            let words: Vec<String> = fields.iter().filter_map(|field| text(payload, field)).collect();
            format!("  {direction} {}", words.join(" ")).trim_end().to_owned()
        }
        Frame::CallError { code, .. } => format!("  {direction} error {code}"),
    }
}
