//! The devices over TCP, as standalone processes run them.

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::csms::Csms;
use crate::station::{Config, ConfigError, Controls, Station};
use crate::stream::BoxStream;

/// How many connections a CSMS serves at once; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 10_000;

/// A station for the endpoint `url` (`ws://host[:port]/path`), to which its identity is appended. What the
/// configuration says of host and path is replaced.
pub fn station(mut config: Config, url: &str) -> Result<(Station, Controls), ConfigError> {
    let bad = || ConfigError::Endpoint { url: url.to_owned() };
    let rest = url.strip_prefix("ws://").ok_or_else(bad)?;
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(it, path)| (it, format!("/{path}")));
    if authority.is_empty() || authority.contains('@') || path.contains(['?', '#']) {
        return Err(bad());
    }
    authority.clone_into(&mut config.host);
    path.trim_end_matches('/').clone_into(&mut config.path);
    // A port behind the last colon, unless that colon stands inside an IPv6 address.
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let address = if port.is_some() {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let dial = move || -> BoxFuture<'static, io::Result<BoxStream>> {
        let address = address.clone();
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let boxed: BoxStream = Box::new(stream);
            Ok(boxed)
        })
    };
    let (station, controls) = Station::new(config, dial)?;
    let route = |address: &str| -> BoxFuture<'static, io::Result<BoxStream>> {
        let address = address.to_owned();
        Box::pin(async move {
            let boxed: BoxStream = Box::new(TcpStream::connect(address).await?);
            Ok(boxed)
        })
    };
    Ok((station.transferring(route), controls))
}

/// Waits until a connection ends and its descriptor is free, or for a moment.
async fn pause(connections: &mut JoinSet<()>) {
    let ended = async {
        if connections.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    let _elapsed = tokio::time::timeout(Duration::from_millis(100), ended).await;
}

/// Serves every connection that the listener accepts, until this future is dropped; the connections end with it.
pub async fn serve(csms: Csms, listener: TcpListener) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
        }
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                // One visitor that is gone already, or a moment without descriptors, is no reason to close.
                let Ok((stream, _)) = accepted else { pause(&mut connections).await; continue };
                if stream.set_nodelay(true).is_err() {
                    continue;
                }
                let csms = csms.clone();
                connections.spawn(async move { csms.serve_connection(stream).await });
            }
        }
    }
}
