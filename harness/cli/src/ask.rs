//! Asks a device what it can tell about itself, with one connection and before any case.

use std::collections::BTreeMap;
use std::time::Duration;

use plugfest_judge::{ConfigValue, Dialect, dialect};
use plugfest_play::clock::Clock;
use plugfest_play::player::{Player, Reply, player, reply};
use plugfest_play::premise::defaults;
use plugfest_play::transport::{BoxStream, Dialer, Listen, ServerTls, TlsInfo};
use plugfest_play::wire::{
    Acceptance, BasicAuth, Connection, HeadLimits, Incoming, Limits, OutFrame, Refusal, RequestUpgrade,
    receive_upgrade,
};
use plugfest_protocol::{Edition, Frame, Json, Timestamp, read_frame};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tokio::time::timeout;

use crate::config::{Config, Endpoint};

/// How long an answer, or a step of a handshake, may take.
const STEP: Duration = Duration::from_secs(15);
/// How long a station that connected may stay silent before it is asked.
const SILENCE: Duration = Duration::from_secs(5);
/// Messages that are read while one answer is awaited.
const MAX_MESSAGES: u32 = 200;
/// The message id of our one question.
const QUESTION: &str = "plugfest-asks";

/// What a device told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The identity that it took, or that we took.
    pub(crate) identity: String,
    /// Words that it said about itself when it started: vendor, model, firmware.
    pub(crate) words: BTreeMap<String, String>,
    /// Its configuration.
    pub(crate) config: Vec<ConfigValue>,
    /// What was wrong with the upgrade, by id.
    pub(crate) flaws: Vec<String>,
    /// How the bytes travelled, where there was TLS.
    pub(crate) tls: Option<TlsInfo>,
    /// What it thinks the time is, and what it was here.
    pub(crate) clock: Option<(Timestamp, Timestamp)>,
    /// What is worth knowing, in sentences.
    pub(crate) remarks: Vec<String>,
}

/// What is asked for, without which there is no profile yet.
#[derive(Debug)]
pub(crate) struct Whom<'a> {
    pub(crate) edition: &'static Edition,
    pub(crate) endpoint: &'a Endpoint,
    /// A station that dials with another identity is refused; `None` takes the first.
    pub(crate) identity: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    /// `$` values of the edition, for the side that we play.
    pub(crate) values: Json,
}

impl<'a> Whom<'a> {
    /// The device of a profile.
    pub(crate) fn of(config: &'a Config, library: &plugfest_case::Library) -> Self {
        let identity = config.dut.identities.first().map(String::as_str);
        Self {
            edition: config.dut.edition,
            endpoint: &config.dut.endpoint,
            identity,
            password: identity.and_then(|identity| config.password(identity)),
            values: defaults(library.facts(config.dut.edition.name())),
        }
    }
}

/// Asks the device, or says in a fragment why it could not be asked.
pub(crate) async fn ask(whom: &Whom<'_>, patience: Duration) -> Result<Told, String> {
    match whom.endpoint {
        Endpoint::Csms { .. } => csms(whom).await,
        Endpoint::Station { .. } => timeout(patience, station(whom)).await.unwrap_or_else(|_| {
            Err(format!(
                "no station told us anything within {} s",
                patience.as_secs()
            ))
        }),
    }
}

/// Where a station is awaited.
pub(crate) fn listen(endpoint: &Endpoint) -> Result<Listen, String> {
    let Endpoint::Station { listen, tls } = endpoint else {
        return Err("a CSMS is dialled".to_owned());
    };
    match tls.as_ref().map(ServerTls::config) {
        None => Ok(Listen::Tcp(*listen)),
        Some(Ok(tls)) => Ok(Listen::Tls(*listen, tls)),
        Some(Err(error)) => Err(error.to_string()),
    }
}

/// Dials a CSMS and upgrades: the connection, and what was seen on the way.
pub(crate) async fn reach(whom: &Whom<'_>) -> Result<(Connection<BoxStream>, Told), String> {
    let Endpoint::Csms { target, tls } = whom.endpoint else {
        return Err("a station dials us".to_owned());
    };
    let identity = whom.identity.unwrap_or_default();
    let dialer = Dialer::new(target, tls, None).map_err(|error| error.to_string())?;
    let (stream, peer) = step("connecting", dialer.dial()).await?;
    let mut request = RequestUpgrade::new(target.host_header(), target.path_with(identity));
    request.subprotocols.push(whom.edition.subprotocol().to_owned());
    request.auth = whom.password.map(|password| BasicAuth::new(identity, password));
    let answer = step(
        "the WebSocket upgrade",
        request.send(stream, &HeadLimits::default(), keys()),
    )
    .await?;
    let mut told = Told {
        identity: identity.to_owned(),
        tls: peer.tls,
        ..Told::default()
    };
    if !answer.is_switching() {
        let why = match answer.head.status {
            401 | 403 => "are identity and password right?",
            404 => "are the path of the URL and the identity right?",
            _ => "is this the OCPP endpoint?",
        };
        return Err(format!(
            "the CSMS answered the upgrade with HTTP {}: {why}",
            answer.head.status
        ));
    }
    told.flaws
        .extend(answer.head.flaws.iter().map(|flaw| flaw.id().to_owned()));
    match answer.head.subprotocol() {
        Some(agreed) if agreed == whom.edition.subprotocol() => {}
        Some(other) => {
            return Err(format!(
                "the CSMS agreed on the subprotocol `{other}`, which we did not offer"
            ));
        }
        None => told.remarks.push(format!(
            "it does not confirm the subprotocol {}",
            whom.edition.subprotocol()
        )),
    }
    Ok((answer.into_connection(Limits::default()), told))
}

async fn csms(whom: &Whom<'_>) -> Result<Told, String> {
    let (connection, told) = reach(whom).await?;
    let mut talk = Talk::new(whom, "station", connection, told)?;
    let hello = talk.player.call("BootNotification", talk.clock.now());
    let answer = timeout(STEP, talk.question("BootNotification", hello))
        .await
        .unwrap_or_else(|_| Err(silent()))?;
    if let Some(status) = answer.get("status").and_then(Json::as_str) {
        talk.told
            .words
            .insert("registration".to_owned(), status.to_owned());
    }
    let time = answer
        .get("currentTime")
        .and_then(Json::as_str)
        .and_then(|text| Timestamp::parse(text).ok());
    let now = talk.clock.now();
    talk.told.clock = time.map(|time| (time, now));
    Ok(talk.goodbye().await)
}

async fn station(whom: &Whom<'_>) -> Result<Told, String> {
    let mut acceptor = listen(whom.endpoint)?
        .bind()
        .await
        .map_err(|error| error.to_string())?;
    loop {
        let arrival = acceptor.accept().await.map_err(|error| error.to_string())?;
        // One visitor that goes wrong is no reason to send the next away.
        let Ok((stream, peer)) = step("a TLS handshake", arrival.establish()).await else {
            continue;
        };
        let Ok(upgrade) = step(
            "an upgrade request",
            receive_upgrade(stream, &HeadLimits::default()),
        )
        .await
        else {
            continue;
        };
        let identity = upgrade.head.identity().and_then(Result::ok).unwrap_or_default();
        if whom.identity.is_some_and(|wanted| wanted != identity) {
            let _gone = upgrade.refuse(&Refusal::new(404)).await;
            continue;
        }
        let given = upgrade.head.basic_auth().and_then(Result::ok);
        let known = |password: &str| {
            given
                .as_ref()
                .is_some_and(|given| given.password == password.as_bytes())
        };
        if whom.password.is_some_and(|password| !known(password)) {
            let _gone = upgrade.refuse(&Refusal::new(401)).await;
            return Err(format!(
                "`{identity}` dialled with another password than the profile's, or with none"
            ));
        }
        let mut told = Told {
            identity,
            tls: peer.tls,
            ..Told::default()
        };
        told.flaws
            .extend(upgrade.head.flaws.iter().map(|flaw| flaw.id().to_owned()));
        let ours = whom.edition.subprotocol();
        let offered = upgrade.head.subprotocols().any(|offered| offered == ours);
        if !offered {
            told.remarks
                .push(format!("it does not offer the subprotocol {ours}"));
        }
        let how = Acceptance {
            subprotocol: offered.then(|| ours.to_owned()),
            ..Acceptance::default()
        };
        let connection = step("accepting", upgrade.accept(&how, Limits::default(), keys())).await?;
        let mut talk = Talk::new(whom, "csms", connection, told)?;
        // A station that has just started introduces itself; one that only comes back says nothing.
        let _silent = timeout(SILENCE, talk.hear_call()).await;
        let (action, payload) = talk.dialect.config_read(&[]);
        let answer = timeout(STEP, talk.question(action, payload))
            .await
            .unwrap_or_else(|_| Err(silent()))?;
        talk.told.config = talk.dialect.config_values(&answer);
        return Ok(talk.goodbye().await);
    }
}

/// One conversation with a device: our question goes out, its own are answered by ordinary behaviour.
struct Talk<'w> {
    edition: &'static Edition,
    ours: &'w str,
    player: Box<dyn Player>,
    dialect: &'static dyn Dialect,
    connection: Connection<BoxStream>,
    clock: Clock,
    told: Told,
}

impl<'w> Talk<'w> {
    fn new(
        whom: &Whom<'_>,
        ours: &'w str,
        connection: Connection<BoxStream>,
        told: Told,
    ) -> Result<Self, String> {
        let unknown = || format!("{} cannot be spoken yet", whom.edition.name());
        Ok(Self {
            edition: whom.edition,
            ours,
            player: player(whom.edition, ours, &whom.values).ok_or_else(unknown)?,
            dialect: dialect(whom.edition).ok_or_else(unknown)?,
            connection,
            clock: Clock::real(),
            told,
        })
    }

    /// Sends a CALL and waits for its answer.
    async fn question(&mut self, action: &str, payload: Json) -> Result<Json, String> {
        let call = Frame::Call {
            id: QUESTION.to_owned(),
            action: action.to_owned(),
            payload,
        };
        self.send(&call).await?;
        for _ in 0..MAX_MESSAGES {
            match self.hear().await? {
                Frame::CallResult { id, payload } if id == QUESTION => return Ok(payload),
                Frame::CallError {
                    id,
                    code,
                    description,
                    ..
                } if id == QUESTION => {
                    return Err(format!(
                        "it answered {action} with the error {code} {description:?}"
                    ));
                }
                _ => {}
            }
        }
        Err(format!(
            "it sent {MAX_MESSAGES} messages and no answer to {action}"
        ))
    }

    /// Waits for a CALL of the device and answers it.
    async fn hear_call(&mut self) -> Result<(), String> {
        while !matches!(self.hear().await?, Frame::Call { .. }) {}
        Ok(())
    }

    /// The next frame; a CALL is answered, a ping too.
    async fn hear(&mut self) -> Result<Frame, String> {
        loop {
            let message = match self.connection.next().await {
                Incoming::Message(message) => message,
                Incoming::Ended(_) => return Err("the device closed the connection".to_owned()),
            };
            if message.opcode == plugfest_play::wire::Opcode::PING {
                let pong = OutFrame::pong(message.payload);
                self.connection
                    .send(&pong)
                    .await
                    .map_err(|error| error.to_string())?;
                continue;
            }
            let Some(text) = message.text() else { continue };
            let Some(frame) = read_frame(self.edition, text).frame else {
                continue;
            };
            if let Frame::Call { id, action, payload } = &frame {
                self.note(payload);
                let now = self.clock.now();
                let answer = reply(
                    self.player.as_mut(),
                    self.edition,
                    self.ours,
                    action,
                    payload,
                    now,
                );
                let answer = match answer {
                    Reply::Result(payload) => Frame::CallResult {
                        id: id.clone(),
                        payload,
                    },
                    Reply::Error { code, description } => Frame::CallError {
                        id: id.clone(),
                        code,
                        description,
                        details: Json::empty(),
                    },
                };
                self.send(&answer).await?;
            }
            return Ok(frame);
        }
    }

    /// Keeps what the device says about itself: the texts of its first CALL.
    fn note(&mut self, payload: &Json) {
        let Json::Object(members) = payload else { return };
        if self.told.words.is_empty() {
            let texts = members
                .iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned())));
            self.told.words.extend(texts);
        }
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), String> {
        self.connection
            .send(&OutFrame::text(frame.to_text()))
            .await
            .map_err(|error| error.to_string())
    }

    async fn goodbye(mut self) -> Told {
        // What was to be learnt is learnt; a device that is gone already takes nothing from it.
        let _gone = timeout(STEP, self.connection.send(&OutFrame::close(1000, ""))).await;
        self.told
    }
}

async fn step<T>(what: &str, work: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match timeout(STEP, work).await {
        Ok(done) => done.map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(format!("{what} took more than {} s", STEP.as_secs())),
    }
}

fn silent() -> String {
    format!(
        "the device is connected and did not answer within {} s",
        STEP.as_secs()
    )
}

/// Mask keys; they need not be secret here.
fn keys() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}
