//! The connections of one played side: accepted or dialled, read, written and ended; every fact about them comes out
//! as an event to be recorded. Nothing here knows a protocol beyond the subprotocol's name.

mod arrival;
mod dialled;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use plugfest_trace::{Data, OpenConnection, Party, What};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use dialled::{Dialled, Down};

use crate::transport::{Acceptor, BoxStream, Dialer, PeerInfo};
use crate::wire::{
    Connection, Ending, HeadLimits, Headers, Incoming, Limits, Opcode, OutFrame, ServerUpgrade, WireEvent,
    receive_upgrade,
};

/// An upgrade must be complete within this.
const UPGRADE_TIME: Duration = Duration::from_secs(20);
/// Upgrades that may be under way at once; further ones wait in the system's queue.
const MAX_UPGRADES: usize = 32;

/// How the played side treats connections.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The subprotocol that is offered or accepted: `ocpp1.6`.
    pub subprotocol: String,
    /// Only this identity is let in; `None` lets everyone in. Also the identity that we take when we dial.
    pub identity: Option<String>,
    /// The password that is asked for or sent, as bytes.
    pub password: Option<Vec<u8>>,
    /// The path below which identities stand when we dial, and the query behind them: `/ocpp`, `/ocpp?tenant=1`.
    pub base_path: String,
    /// The value of the Host header when we dial.
    pub host: String,
    /// Limits of what is read.
    pub limits: Limits,
}

/// How a connection is opened where a line says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialling {
    /// What is offered instead of the ordinary.
    pub subprotocols: Option<Vec<String>>,
    /// Protected by TLS, where that is ours to choose.
    pub secure: bool,
    /// Another identity than our own.
    pub identity: Option<String>,
    /// Another password than our own; an empty one sends none at all.
    pub password: Option<String>,
}

/// What a side does with the next connection instead of the ordinary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Cut it before anything is said.
    Tcp,
    /// Refuse it with this HTTP status.
    Http(u16),
    /// Accept it with this subprotocol (`None`: without the header).
    Accept(Option<String>),
}

/// Where connections come from.
pub enum Source {
    /// We listen: the DUT dials.
    Accept(mpsc::Receiver<Result<Upgrade, String>>, JoinHandle<()>),
    /// We dial.
    Dial(Dialer),
}

/// An upgrade request that waits for a decision.
pub struct Upgrade {
    request: ServerUpgrade<BoxStream>,
    address: String,
    security: &'static str,
}

/// All connections of one played side.
pub struct Lines {
    source: Source,
    manners: Manners,
    live: BTreeMap<u32, Live>,
    numbers: u32,
    rng: ChaCha8Rng,
    /// `link refuse` is in force.
    refusing: bool,
    gate: Option<Gate>,
    dialling: Option<JoinHandle<Dialled>>,
    /// The identity that is taken in the dialling that is under way.
    dialled_as: String,
    ready: VecDeque<What>,
    /// The connection that was heard last.
    heard: u32,
}

struct Live {
    connection: Connection<BoxStream>,
    identity: String,
    subprotocol: Option<String>,
    /// Who said goodbye first, if anyone has.
    closing: Option<Party>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("open", &self.live.keys())
            .finish_non_exhaustive()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Accept(_, task) = self {
            task.abort();
        }
    }
}

impl Source {
    /// Listens: reads each upgrade request in a task of its own, so that a slow peer keeps nobody waiting.
    pub fn listening(mut acceptor: Acceptor) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_UPGRADES);
        let task = tokio::spawn(async move {
            let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(MAX_UPGRADES));
            loop {
                let Ok(permit) = std::sync::Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                let Ok(arrival) = acceptor.accept().await else {
                    // No descriptor left: give the system a moment's turn and try again.
                    tokio::task::yield_now().await;
                    continue;
                };
                let sender = sender.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    let address = arrival.address().to_owned();
                    let upgrade = async {
                        let (stream, peer) = arrival.establish().await.map_err(|error| error.to_string())?;
                        let security = security_of(&peer);
                        let request = receive_upgrade(stream, &HeadLimits::default()).await;
                        let request = request.map_err(|error| format!("{error} (from {address})"))?;
                        Ok(Upgrade {
                            request,
                            address: peer.address,
                            security,
                        })
                    };
                    let arrived = match timeout(UPGRADE_TIME, upgrade).await {
                        Ok(arrived) => arrived,
                        Err(_) => Err(format!(
                            "no upgrade request within {} s (from {address})",
                            UPGRADE_TIME.as_secs()
                        )),
                    };
                    // The receiver is gone only when the run is over.
                    drop(sender.send(arrived).await);
                });
            }
        });
        Self::Accept(receiver, task)
    }
}

impl Lines {
    /// No connection yet.
    pub fn new(source: Source, manners: Manners, seed: u64) -> Self {
        Self {
            source,
            manners,
            live: BTreeMap::new(),
            numbers: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            refusing: false,
            gate: None,
            dialling: None,
            dialled_as: String::new(),
            ready: VecDeque::new(),
            heard: 0,
        }
    }

    /// True for a side that dials.
    pub fn dials(&self) -> bool {
        matches!(self.source, Source::Dial(_))
    }

    /// The connections that are up, for a premise.
    pub fn open(&self) -> Vec<OpenConnection> {
        self.live
            .iter()
            .map(|(conn, live)| OpenConnection {
                conn: *conn,
                identity: live.identity.clone(),
                subprotocol: live.subprotocol.clone(),
            })
            .collect()
    }

    /// The newest connection.
    pub fn newest(&self) -> Option<u32> {
        self.live
            .iter()
            .rev()
            .find(|(_, l)| l.closing.is_none())
            .map(|(conn, _)| *conn)
    }

    /// True while a connection is being made.
    pub fn is_dialling(&self) -> bool {
        self.dialling.is_some()
    }

    /// How the manners may be changed between cases.
    pub fn manners_mut(&mut self) -> &mut Manners {
        &mut self.manners
    }

    /// The next fact. Cancel-safe.
    pub async fn next(&mut self) -> What {
        loop {
            if let Some(what) = self.ready.pop_front() {
                return what;
            }
            match self.poll_any().await {
                Turn::Incoming(conn, incoming) => self.incoming(conn, incoming).await,
                Turn::Arrived(Ok(upgrade)) => self.arrived(upgrade).await,
                Turn::Arrived(Err(reason)) => self.lost(reason),
                Turn::Dialled(dialled) => self.dialled(dialled),
            }
        }
    }

    /// Sends a text frame, already recorded. False if the connection is gone.
    pub async fn send_text(&mut self, conn: u32, text: &str) -> bool {
        let Some(live) = self.live.get_mut(&conn) else {
            return false;
        };
        live.connection.queue(&OutFrame::text(text)).is_ok() && flush(&mut live.connection).await
    }

    /// Sends bytes as a text frame, already recorded, whether or not they are text. False if the connection is gone.
    pub async fn send_bytes(&mut self, conn: u32, bytes: Vec<u8>) -> bool {
        let Some(live) = self.live.get_mut(&conn) else {
            return false;
        };
        let frame = OutFrame::new(Opcode::TEXT, bytes);
        live.connection.queue(&frame).is_ok() && flush(&mut live.connection).await
    }

    /// Cuts all connections without a goodbye.
    pub fn drop_all(&mut self) {
        if let Some(task) = self.dialling.take() {
            task.abort();
        }
        for conn in self.live.keys() {
            let (by, how) = (Party::Us, "drop".to_owned());
            self.ready.push_back(What::Closed { conn: *conn, by, how });
        }
        self.live.clear();
    }

    /// Says goodbye on all connections; the close handshake is the peer's to finish.
    pub async fn close_all(&mut self, code: u16) {
        for (conn, live) in &mut self.live {
            if live.closing.is_none() {
                live.closing = Some(Party::Us);
                if live.connection.queue(&OutFrame::close(code, "")).is_ok() {
                    flush(&mut live.connection).await;
                }
                self.ready.push_back(What::Closing {
                    conn: *conn,
                    from: Party::Us,
                    code: Some(code),
                    reason: String::new(),
                    flaws: Vec::new(),
                });
            }
        }
    }

    /// `link refuse` and `link accept`.
    pub fn refuse(&mut self, refusing: bool) {
        self.refusing = refusing;
    }

    /// How the next connection is met.
    pub fn set_gate(&mut self, gate: Option<Gate>) {
        self.gate = gate;
    }

    async fn poll_any(&mut self) -> Turn {
        let Self {
            live,
            source,
            dialling,
            heard,
            ..
        } = self;
        poll_fn(|cx| {
            // Whoever was heard last comes last: one that floods must not hold up the others.
            let (after, before) = ((Excluded(*heard), Unbounded), (Unbounded, Included(*heard)));
            for range in [after, before] {
                for (conn, live) in live.range_mut(range) {
                    if let Poll::Ready(incoming) = pin!(live.connection.next()).poll(cx) {
                        *heard = *conn;
                        return Poll::Ready(Turn::Incoming(*conn, incoming));
                    }
                }
            }
            if let Some(task) = dialling
                && let Poll::Ready(done) = std::pin::Pin::new(task).poll(cx)
            {
                let failed = |e: tokio::task::JoinError| Err(Down::because(e.to_string()));
                return Poll::Ready(Turn::Dialled(done.unwrap_or_else(failed)));
            }
            if let Source::Accept(upgrades, _) = source
                && let Poll::Ready(Some(upgrade)) = upgrades.poll_recv(cx)
            {
                return Poll::Ready(Turn::Arrived(upgrade));
            }
            Poll::Pending
        })
        .await
    }

    async fn incoming(&mut self, conn: u32, incoming: Incoming) {
        match incoming {
            Incoming::Message(event) => self.message(conn, event).await,
            Incoming::Ended(ending) => {
                let Some(live) = self.live.remove(&conn) else {
                    return;
                };
                let how = match ending {
                    Ending::Eof if live.closing.is_some() => "close",
                    Ending::Eof => "eof",
                    Ending::Failed { .. } => "reset",
                    Ending::Stopped => "error",
                };
                let by = match (&ending, live.closing) {
                    (_, Some(first)) => first,
                    (Ending::Stopped, None) => Party::Us,
                    _ => Party::Dut,
                };
                self.ready.push_back(What::Closed {
                    conn,
                    by,
                    how: how.to_owned(),
                });
            }
        }
    }

    async fn message(&mut self, conn: u32, event: WireEvent) {
        let Some(live) = self.live.get_mut(&conn) else {
            return;
        };
        let flaws: Vec<String> = event.flaws.iter().map(|f| f.id().to_owned()).collect();
        let opcode = event.opcode.number();
        if opcode == 8 {
            let (code, reason) = (event.close_code(), event.close_reason().unwrap_or_default());
            self.ready.push_back(What::Closing {
                conn,
                from: Party::Dut,
                code,
                reason,
                flaws,
            });
            if live.closing.is_none() {
                live.closing = Some(Party::Dut);
                let echo = code.map_or_else(OutFrame::close_empty, |c| OutFrame::close(sendable(c), ""));
                if live.connection.queue(&echo).is_ok() {
                    flush(&mut live.connection).await;
                }
                let (code, reason) = (code.map(sendable), String::new());
                self.ready.push_back(What::Closing {
                    conn,
                    from: Party::Us,
                    code,
                    reason,
                    flaws: Vec::new(),
                });
            }
            // The goodbye is complete: nothing that follows counts.
            let by = live.closing.unwrap_or(Party::Dut);
            drop(timeout(UPGRADE_TIME, live.connection.shutdown()).await);
            self.live.remove(&conn);
            self.ready.push_back(What::Closed {
                conn,
                by,
                how: "close".to_owned(),
            });
            return;
        }
        let pong = (opcode == 9).then(|| OutFrame::pong(event.payload.clone()));
        let data = data_of(&event);
        self.ready.push_back(What::Frame {
            conn,
            from: Party::Dut,
            opcode,
            data: data.clone(),
            flaws,
            cause: None,
        });
        if let Some(pong) = pong
            && live.connection.queue(&pong).is_ok()
        {
            flush(&mut live.connection).await;
            let cause = Some(plugfest_trace::Cause::Ordinary);
            let from = Party::Us;
            self.ready.push_back(What::Frame {
                conn,
                from,
                opcode: 10,
                data,
                flaws: Vec::new(),
                cause,
            });
        }
    }
}

enum Turn {
    Incoming(u32, Incoming),
    Arrived(Result<Upgrade, String>),
    Dialled(Dialled),
}

async fn flush(connection: &mut Connection<BoxStream>) -> bool {
    // A peer that does not read must not hold the run: what does not go out at once goes out while reading.
    match timeout(Duration::from_millis(50), connection.flush()).await {
        Ok(result) => result.is_ok(),
        Err(_) => true,
    }
}

/// How the bytes of a connection travel, as a trace says it.
fn security_of(peer: &PeerInfo) -> &'static str {
    match &peer.tls {
        None => "none",
        // Only a server sees certificates of its clients.
        Some(tls) if tls.server_name.is_some() && !tls.certificates.is_empty() => "mutual-tls",
        Some(_) => "tls",
    }
}

fn pairs(headers: &Headers) -> Vec<(String, String)> {
    headers
        .0
        .iter()
        .map(|h| (h.name.clone(), h.value.clone()))
        .collect()
}

/// The payload as a trace keeps it.
fn data_of(event: &WireEvent) -> Data {
    match event.sha256 {
        // The wire has kept the beginning of it only.
        Some(digest) => Data::large(&event.payload, event.len, &digest),
        // The payload of a control frame is text where it can be read as such.
        None if event.opcode.number() != 2 => Data::of(1, &event.payload),
        None => Data::of(2, &event.payload),
    }
}

/// Codes that may stand in a Close frame (RFC 6455 7.4); others are echoed as a protocol error.
fn sendable(code: u16) -> u16 {
    match code {
        1000..=1003 | 1007..=1014 | 3000..=4999 => code,
        _ => 1002,
    }
}
