//! The smallest other side: a CSMS that answers every CALL as a Heartbeat, and a station that does nothing but ask, both
//! on our own wire. What the harness costs is what it takes beyond these two.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::future::try_join_all;
use plugfest_play::clock::Clock;
use plugfest_play::transport::{Acceptor, BoxStream, ClientTls, Dialer, Listen, Scheme, Target};
use plugfest_play::wire::{
    Acceptance, Connection, HeadLimits, Incoming, Limits, Opcode, OutFrame, RequestUpgrade, receive_upgrade,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::oneshot;

/// The subprotocol of both sides.
pub(super) const SUBPROTOCOL: &str = "ocpp1.6";

/// A CSMS on a thread and a runtime of its own, as a device under test is a process of its own.
pub(super) struct Office {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Office {
    /// Opens it on a free port of the loopback.
    pub(super) fn open() -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let runtime = runtime()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let bound = bind().await;
                let acceptor = match bound {
                    Ok((acceptor, address)) => {
                        // Whoever opened it is gone only when the run is over.
                        drop(tell.send(Ok(address)));
                        acceptor
                    }
                    Err(error) => {
                        drop(tell.send(Err(error)));
                        return;
                    }
                };
                tokio::select! {
                    _ = stopped => {}
                    () = accept(acceptor) => {}
                }
            });
        });
        let address = told.recv().context("the echo CSMS did not start")??;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nobody to tell and nothing to wait for.
        if let Some(stop) = self.stop.take() {
            let _ended = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// A runtime as a run has it: one thread.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.context("no runtime")
}

async fn bind() -> io::Result<(Acceptor, SocketAddr)> {
    let acceptor = Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .bind()
        .await?;
    let address = acceptor.local_address();
    let address = address.ok_or_else(|| io::Error::other("a TCP listener without an address"))?;
    Ok((acceptor, address))
}

async fn accept(mut acceptor: Acceptor) {
    let clock = Clock::real();
    while let Ok(arrival) = acceptor.accept().await {
        tokio::spawn(async move {
            // A station that goes away is no matter of the office; the other side sees what it lacks.
            let _gone = serve(arrival, clock).await;
        });
    }
}

async fn serve(arrival: plugfest_play::transport::Arrival, clock: Clock) -> io::Result<()> {
    let (stream, _) = arrival.establish().await?;
    let request = receive_upgrade(stream, &HeadLimits::default()).await?;
    let acceptance = Acceptance {
        subprotocol: Some(SUBPROTOCOL.to_owned()),
        ..Acceptance::default()
    };
    let keys = ChaCha8Rng::seed_from_u64(1);
    let mut connection = request.accept(&acceptance, Limits::default(), keys).await?;
    while let Incoming::Message(event) = connection.next().await {
        if event.opcode == Opcode::CLOSE {
            connection.send(&OutFrame::close(1000, "")).await?;
            return connection.shutdown().await;
        }
        let id = event.text().and_then(id_of).unwrap_or_default();
        let now = clock.now().to_rfc3339();
        let answer = format!(r#"[3,"{id}",{{"currentTime":"{now}"}}]"#);
        connection.send(&OutFrame::text(answer)).await?;
    }
    Ok(())
}

/// The message id of a frame, without reading the rest of it.
fn id_of(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// What dials an office.
pub(super) fn dialer(address: SocketAddr) -> Result<(Dialer, Target)> {
    let target = Target::parse(&format!("ws://{address}/"), &Scheme::WEB_SOCKET)?;
    let dialer = Dialer::new(&target, &ClientTls::default(), None)?;
    Ok((dialer, target))
}

/// One bare station: connected, and nothing more.
pub(super) async fn connect(dialer: &Dialer, host: &str, number: u64) -> Result<Connection<BoxStream>> {
    let (stream, _) = dialer.dial().await?;
    let mut request = RequestUpgrade::new(host, format!("/BENCH-{number}"));
    request.subprotocols.push(SUBPROTOCOL.to_owned());
    let keys = ChaCha8Rng::seed_from_u64(number);
    let response = request.send(stream, &HeadLimits::default(), keys).await?;
    if !response.is_switching() {
        bail!("the echo CSMS refused the upgrade");
    }
    Ok(response.into_connection(Limits::default()))
}

/// Round trips a second of bare stations: each has one CALL open at a time and reads nothing of the answer but that it
/// came.
pub(super) fn bare_round_trips(stations: u64, each: u64) -> Result<f64> {
    let office = Office::open()?;
    let (dialer, target) = dialer(office.address())?;
    let (dialer, host) = (&dialer, target.host_header());
    let host = &host;
    let began = Clock::real_now();
    runtime()?.block_on(async move {
        let all = (0..stations).map(|number| async move {
            let mut connection = connect(dialer, host, number).await?;
            for round in 0..each {
                let call = format!(r#"[2,"{number:016x}{round:016x}","Heartbeat",{{}}]"#);
                connection.send(&OutFrame::text(call)).await?;
                match connection.next().await {
                    Incoming::Message(event) if event.opcode == Opcode::TEXT => {}
                    other => return Err(anyhow!("no answer but {other:?}")),
                }
            }
            Ok(())
        });
        try_join_all(all).await.map(drop)
    })?;
    Ok((stations * each) as f64 / Clock::real_now().since(began).as_secs_f64())
}
