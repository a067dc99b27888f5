//! The CSMS as a whole: connections in, the operator's wishes in, answers out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plugfest_protocol::{Edition, Json, Part, Role, Severity, Timestamp, ViolationClass, validate};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::config::{Config, Registration, Tag};
use super::connection::{Connection, MOST_ORDERS, Order};
use super::handshake::{Visitor, welcome};
use super::office::{KINDS, Office};
use crate::clock::Clock;
use crate::defect::Defect;
use crate::link::Say;
use crate::outcome::{Args, Outcome};
use crate::slip::Slip;
use crate::stream::ByteStream;
use crate::tap::Tap;

/// How long a visitor may take for the opening handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);

/// A CSMS. Clones are doors to the same back office.
#[derive(Clone)]
pub struct Csms {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    message_timeout: Duration,
    defect: Option<Defect>,
    slip: Option<Slip>,
    office: Mutex<Office>,
    ids: Mutex<(u64, u64)>,
}

impl Csms {
    /// A CSMS that takes its clock from the runtime: call this inside one.
    pub fn new(config: Config) -> Self {
        let clock = Clock::starting(config.start);
        let message_timeout = config.message_timeout;
        let (defect, slip) = (config.defect, config.slip.clone());
        let prefix = config.seed ^ (config.start.as_micros() as u64);
        let office = Mutex::new(Office::new(config, clock.now()));
        Self {
            inner: Arc::new(Inner {
                clock,
                message_timeout,
                defect,
                slip,
                office,
                ids: Mutex::new((prefix, 0)),
            }),
        }
    }

    /// Serves one byte stream, from its opening handshake until it is over. Many may be served at once.
    pub async fn serve_connection(&self, stream: impl ByteStream + 'static) {
        let admit = |identity: &str, credentials: Option<&_>| self.office().admit(identity, credentials);
        let shaken = tokio::time::timeout(HANDSHAKE_LIMIT, welcome(Box::new(stream), admit)).await;
        let Ok(Some(Visitor {
            identity,
            agreed,
            mut link,
        })) = shaken
        else {
            return;
        };
        if !agreed && !self.has(Defect::CsmsAcceptsUnknownSubprotocol) {
            // The handshake was completed without a subprotocol; now hang up (J §3.2).
            if link.say(Say::Close(CloseCode::Protocol)) {
                while link.hear().await.is_some() {}
            }
            return;
        }
        let (line, orders) = mpsc::channel(MOST_ORDERS);
        let number = self.office().connected(&identity, line);
        Connection::new(self, identity.clone(), link, orders)
            .serve()
            .await;
        self.office().disconnected(&identity, number);
    }

    /// Asks the operator for an action of the driver's contract.
    ///
    /// - `csms.call` `{station, action, payload}`: comes back when the CALL has been sent, or noted down to be
    ///   sent when the one before it has ended. `station` may be absent where only one is connected.
    /// - `csms.token` `{id, status, parent?, expiry?}`
    /// - `csms.station` `{id, password?, registration?}`: holds from the next connection and BootNotification on.
    /// - `csms.records` `{kind, station?}`: see [`Csms::records`].
    pub async fn perform(&self, verb: &str, args: &Json) -> Outcome {
        let args = Args(args);
        let done = match verb {
            "csms.call" => match self.order(args) {
                Ok(sent) => {
                    return sent
                        .await
                        .unwrap_or_else(|_| Outcome::failed("the station hung up"));
                }
                Err(complaint) => Err(complaint),
            },
            "csms.token" => self.set_token(args),
            "csms.station" => self.set_station(args),
            "csms.records" => self.read_records(args),
            _ => Ok(Outcome::Unsupported),
        };
        done.unwrap_or_else(|complaint| complaint)
    }

    /// What stands in the books, the oldest first, of one station or of all: `transactions`, `boots`,
    /// `statuses`, `authorizations`, `meter_values`, `heartbeats`, `data_transfers`, `notifications`, `answers`
    /// (to the operator's CALLs), `connections`, and as they stand now `reservations` and `local_lists`. `None`
    /// for another kind.
    pub fn records(&self, kind: &str, station: Option<&str>) -> Option<Json> {
        self.office().records(kind, station)
    }

    /// The back office, at the time that it is now. Never held over a wait.
    pub(super) fn office(&self) -> MutexGuard<'_, Office> {
        // Nothing that is done while it is held can fail half-way; a panic elsewhere must not spread.
        let mut office = self.inner.office.lock().unwrap_or_else(PoisonError::into_inner);
        office.now = self.inner.clock.now();
        office
    }

    pub(super) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Whether it has been given that defect.
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.inner.defect == Some(defect)
    }

    /// The kind of invalid requests that it takes all the same.
    pub(super) fn laxness(&self) -> Option<ViolationClass> {
        match self.inner.defect? {
            Defect::CsmsAcceptsMissingRequired => Some(ViolationClass::MissingRequired),
            Defect::CsmsAcceptsOverlength => Some(ViolationClass::TooLong),
            Defect::CsmsAcceptsExtraProps => Some(ViolationClass::UnknownProperty),
            _ => None,
        }
    }

    /// A way out for the words of one connection.
    pub(super) fn tap(&self) -> Tap {
        Tap::new(self.inner.defect, self.inner.slip.clone())
    }

    pub(super) fn message_timeout(&self) -> Duration {
        self.inner.message_timeout
    }

    /// Waits for a moment, or for ever.
    pub(super) async fn until(&self, moment: Option<Timestamp>) {
        match moment {
            Some(moment) => self.inner.clock.until(moment).await,
            None => std::future::pending().await,
        }
    }

    pub(super) fn message_id(&self) -> String {
        let mut ids = self.inner.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.1 += 1;
        format!("{:016x}-{}", ids.0, ids.1)
    }

    /// Hands a CALL over to the station's connection, where it may be sent at all.
    fn order(&self, args: Args<'_>) -> Result<oneshot::Receiver<Outcome>, Outcome> {
        let action = args.required(&["action"])?;
        let payload = args
            .0
            .get("payload")
            .filter(|payload| !payload.is_null())
            .cloned()
            .unwrap_or_else(Json::empty);
        check(action, &payload)?;
        let mut office = self.office();
        let identity = match args.text(&["station", "id"])? {
            Some(identity) => identity.to_owned(),
            None => sole_connection(&office)?,
        };
        let file = office.station(&identity);
        let Some((_, line)) = file.line.clone() else {
            return Err(Outcome::failed(format!("station '{identity}' is not connected")));
        };
        let trigger = payload.get("requestedMessage").and_then(Json::as_str);
        allowed(file.booted, action, trigger)
            .map_err(|why| Outcome::failed(format!("station '{identity}' {why}")))?;
        if let Some(why) = office.objection(&identity, action, &payload) {
            return Err(Outcome::failed(format!("station '{identity}' {why}")));
        }
        if let Some(trigger) = trigger {
            let file = office.station(&identity);
            file.triggered.insert(trigger.to_owned());
        }
        let (sent, outcome) = oneshot::channel();
        let order = Order {
            action: action.to_owned(),
            payload,
            sent,
        };
        match line.try_send(order) {
            Ok(()) => Ok(outcome),
            Err(_) => Err(Outcome::failed(format!(
                "too many messages wait for station '{identity}'"
            ))),
        }
    }

    fn set_token(&self, args: Args<'_>) -> Result<Outcome, Outcome> {
        let id = args.required(&["id", "token", "idTag"])?.to_owned();
        let status = args.text(&["status"])?.unwrap_or("Accepted").to_owned();
        let known = Edition::ocpp16()
            .enums()
            .any(|it| it.name == "AuthorizationStatus" && it.contains(&status));
        if !known {
            return Err(Outcome::failed(format!("'{status}' is no authorization status")));
        }
        let expiry = match args.text(&["expiry", "expiryDate"])? {
            None => None,
            Some(text) => {
                Some(Timestamp::parse(text).map_err(|why| Outcome::failed(format!("expiry: {why}")))?)
            }
        };
        let mut office = self.office();
        let parent = match args.text(&["parent", "parentIdTag"])? {
            Some(parent) => Some(parent.to_owned()),
            None => office.tag(&id).and_then(|tag| tag.parent.clone()),
        };
        office.set_tag(Tag {
            id,
            status,
            parent,
            expiry,
        });
        Ok(Outcome::Done)
    }

    fn set_station(&self, args: Args<'_>) -> Result<Outcome, Outcome> {
        let identity = args.required(&["id", "station"])?;
        let password = args.text(&["password"])?;
        let registration = match args.text(&["registration"])? {
            None => None,
            Some(text) => Some(
                Registration::parse(text)
                    .ok_or_else(|| Outcome::failed(format!("'{text}' is no registration status")))?,
            ),
        };
        let mut office = self.office();
        let file = office.station(identity);
        if let Some(password) = password {
            file.password = Some(password.as_bytes().to_vec());
        }
        if let Some(registration) = registration {
            file.registration = registration;
        }
        Ok(Outcome::Done)
    }

    fn read_records(&self, args: Args<'_>) -> Result<Outcome, Outcome> {
        let kind = args.required(&["kind"])?;
        let station = args.text(&["station"])?;
        self.records(kind, station).map(Outcome::Returned).ok_or_else(|| {
            Outcome::failed(format!(
                "there are no records of kind '{kind}', only local_lists, reservations, transactions, {}",
                KINDS.join(", ")
            ))
        })
    }
}

/// An honest CSMS sends nothing that the standard forbids.
fn check(action: &str, payload: &Json) -> Result<(), Outcome> {
    let edition = Edition::ocpp16();
    let known = edition
        .action(action)
        .is_some_and(|it| it.may_be_sent_by(Role::CSMS, Part::Request));
    if !known {
        return Err(Outcome::failed(format!("a CSMS cannot send '{action}'")));
    }
    let violations = validate(edition, action, Part::Request, payload);
    match violations
        .iter()
        .find(|violation| violation.severity == Severity::Must)
    {
        None => Ok(()),
        Some(worst) => Err(Outcome::failed(format!(
            "payload{}: expected {}",
            worst.pointer, worst.expected
        ))),
    }
}

/// What may be sent to a station depends on what its BootNotification was answered with (§4.2, errata 3.40).
fn allowed(booted: Option<Registration>, action: &str, trigger: Option<&str>) -> Result<(), &'static str> {
    let remote = matches!(action, "RemoteStartTransaction" | "RemoteStopTransaction");
    match booted {
        None => Err("has not sent BootNotification yet"),
        Some(Registration::Rejected) => Err("has been rejected"),
        Some(Registration::Pending) if remote => Err("is pending and may not start or stop transactions"),
        Some(Registration::Accepted) if trigger == Some("BootNotification") => {
            Err("has been accepted already")
        }
        Some(Registration::Pending | Registration::Accepted) => Ok(()),
    }
}

fn sole_connection(office: &Office) -> Result<String, Outcome> {
    let mut connected = office
        .stations
        .iter()
        .filter(|(_, file)| file.line.is_some())
        .map(|(identity, _)| identity);
    match (connected.next(), connected.next()) {
        (Some(identity), None) => Ok(identity.clone()),
        (None, _) => Err(Outcome::failed("no station is connected")),
        (Some(_), Some(_)) => Err(Outcome::failed(
            "argument 'station' is missing, and several are connected",
        )),
    }
}
