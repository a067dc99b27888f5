//! Where we dial and where we listen, in whatever way.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::memory::{MemoryHub, MemoryListener};
use super::stream::{BoxStream, PeerInfo, TlsInfo};
use super::target::Target;
use super::tls::{ClientTls, TlsError};

/// A way to reach a peer, used as often as one likes.
#[derive(Clone, Debug)]
pub enum Dialer {
    /// Over TCP.
    Tcp {
        /// The host name or address.
        host: String,
        /// The port.
        port: u16,
        /// Our own address, where it matters: one source address has some 28,000 ports.
        source: Option<IpAddr>,
    },
    /// Over TLS on TCP.
    Tls {
        /// The host name or address.
        host: String,
        /// The port.
        port: u16,
        /// Our own address, where it matters.
        source: Option<IpAddr>,
        /// Whom we trust.
        config: Arc<ClientConfig>,
        /// The name that the certificate must carry.
        name: ServerName<'static>,
    },
    /// Inside the process.
    Memory(MemoryHub),
}

impl Dialer {
    /// The way to `target`: TLS where its scheme says so.
    ///
    /// # Errors
    /// The TLS settings cannot be used.
    pub fn new(target: &Target, tls: &ClientTls, source: Option<IpAddr>) -> Result<Self, TlsError> {
        let (host, port) = (target.host.clone(), target.port);
        if !target.scheme.is_tls() {
            return Ok(Self::Tcp { host, port, source });
        }
        let name = tls.server_name.as_ref().unwrap_or(&host).clone();
        let name = ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(name))?;
        Ok(Self::Tls {
            host,
            port,
            source,
            config: tls.config()?,
            name,
        })
    }

    /// The same way, protected by TLS or not, where that is ours to choose: inside the process. Elsewhere the URL says.
    #[must_use]
    pub fn secured(&self, secure: bool) -> Self {
        match self {
            Self::Memory(hub) => Self::Memory(hub.secured(secure)),
            other => other.clone(),
        }
    }

    /// Connects. Bound its time.
    ///
    /// # Errors
    /// Nobody could be reached, or the TLS handshake failed; the text names the peer.
    pub async fn dial(&self) -> io::Result<(BoxStream, PeerInfo)> {
        match self {
            Self::Tcp { host, port, source } => {
                let (stream, address) = connect(host, *port, *source).await?;
                Ok((Box::new(stream), PeerInfo { address, tls: None }))
            }
            Self::Tls {
                host,
                port,
                source,
                config,
                name,
            } => {
                let (stream, address) = connect(host, *port, *source).await?;
                let handshake = TlsConnector::from(Arc::clone(config))
                    .connect(name.clone(), stream)
                    .await;
                let stream = handshake.map_err(|error| at(&format!("TLS with {host}:{port}"), &error))?;
                let tls = Some(TlsInfo::of(stream.get_ref().1, None));
                Ok((Box::new(stream), PeerInfo { address, tls }))
            }
            Self::Memory(hub) => {
                let (stream, number) = hub.dial().await?;
                Ok((Box::new(stream), in_memory(number, hub.is_secured())))
            }
        }
    }
}

/// What each end of a pipe knows of the other.
fn in_memory(number: u64, secure: bool) -> PeerInfo {
    PeerInfo {
        address: format!("memory:{number}"),
        tls: secure.then(|| TlsInfo {
            version: "memory".to_owned(),
            cipher_suite: String::new(),
            server_name: None,
            certificates: Vec::new(),
        }),
    }
}

async fn connect(host: &str, port: u16, source: Option<IpAddr>) -> io::Result<(TcpStream, String)> {
    let place = format!("{host}:{port}");
    let stream = match source {
        None => TcpStream::connect((host, port))
            .await
            .map_err(|error| at(&place, &error))?,
        Some(source) => connect_from(host, port, source)
            .await
            .map_err(|error| at(&place, &error))?,
    };
    // A frame is one write; waiting to fill a segment would only add latency.
    stream.set_nodelay(true)?;
    let address = stream.peer_addr()?.to_string();
    Ok((stream, address))
}

async fn connect_from(host: &str, port: u16, source: IpAddr) -> io::Result<TcpStream> {
    let mut last = None;
    for address in lookup_host((host, port))
        .await?
        .filter(|found| found.is_ipv4() == source.is_ipv4())
    {
        let socket = if source.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.bind(SocketAddr::new(source, 0))?;
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let none = || {
        io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "no address of the family of our source address",
        )
    };
    Err(last.unwrap_or_else(none))
}

fn at(place: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {error}"))
}

/// A place to listen at, bound as often as one likes.
#[derive(Clone, Debug)]
pub enum Listen {
    /// Over TCP; port 0 takes a free one.
    Tcp(SocketAddr),
    /// Over TLS on TCP.
    Tls(SocketAddr, Arc<ServerConfig>),
    /// Inside the process.
    Memory(MemoryHub),
}

impl Listen {
    /// Begins to listen; dropping the acceptor makes dialling fail.
    ///
    /// # Errors
    /// The address is taken or not ours; the text names it.
    pub async fn bind(&self) -> io::Result<Acceptor> {
        let inner = match self {
            Self::Tcp(address) => Inner::Tcp(listen_at(*address).await?, None),
            Self::Tls(address, config) => Inner::Tcp(
                listen_at(*address).await?,
                Some(TlsAcceptor::from(Arc::clone(config))),
            ),
            Self::Memory(hub) => Inner::Memory(hub.listen()?),
        };
        Ok(Acceptor { inner })
    }
}

async fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let place = format!("listening at {address}");
    TcpListener::bind(address)
        .await
        .map_err(|error| at(&place, &error))
}

/// A place where peers arrive.
#[derive(Debug)]
pub struct Acceptor {
    inner: Inner,
}

enum Inner {
    Tcp(TcpListener, Option<TlsAcceptor>),
    Memory(MemoryListener),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(listener, tls) => write!(f, "Tcp({listener:?}, tls: {})", tls.is_some()),
            Self::Memory(_) => f.write_str("Memory"),
        }
    }
}

impl Acceptor {
    /// The bound address; none in memory.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match &self.inner {
            Inner::Tcp(listener, _) => listener.local_addr().ok(),
            Inner::Memory(_) => None,
        }
    }

    /// Waits for the next peer; cancel-safe. A TLS handshake is left to [`Arrival::establish`], so that one slow
    /// peer does not keep the others waiting.
    ///
    /// # Errors
    /// The system has no descriptor left, or the memory hub is gone.
    pub async fn accept(&mut self) -> io::Result<Arrival> {
        match &mut self.inner {
            Inner::Tcp(listener, tls) => {
                let (stream, address) = listener.accept().await?;
                // A peer that is gone already fails at its first read, with a better reason.
                drop(stream.set_nodelay(true));
                let raw = match tls {
                    None => Raw::Tcp(stream),
                    Some(tls) => Raw::Tls(stream, tls.clone()),
                };
                Ok(Arrival {
                    address: address.to_string(),
                    raw,
                })
            }
            Inner::Memory(listener) => {
                let (stream, number, secure) = listener.accept().await?;
                Ok(Arrival {
                    address: format!("memory:{number}"),
                    raw: Raw::Memory(stream, number, secure),
                })
            }
        }
    }
}

/// A peer that has arrived and has said nothing yet.
pub struct Arrival {
    /// Its address, as in [`PeerInfo`].
    pub address: String,
    raw: Raw,
}

enum Raw {
    Tcp(TcpStream),
    Tls(TcpStream, TlsAcceptor),
    Memory(DuplexStream, u64, bool),
}

impl Arrival {
    /// Where it comes from.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Brings the stream up: at once, or after a TLS handshake. Bound its time.
    ///
    /// # Errors
    /// The TLS handshake failed; the text names the peer.
    pub async fn establish(self) -> io::Result<(BoxStream, PeerInfo)> {
        let address = self.address;
        match self.raw {
            Raw::Tcp(stream) => Ok((Box::new(stream), PeerInfo { address, tls: None })),
            Raw::Memory(stream, number, secure) => Ok((Box::new(stream), in_memory(number, secure))),
            Raw::Tls(stream, acceptor) => {
                let handshake = acceptor.accept(stream).await;
                let stream = handshake.map_err(|error| at(&format!("TLS with {address}"), &error))?;
                let session = stream.get_ref().1;
                let tls = Some(TlsInfo::of(session, session.server_name()));
                Ok((Box::new(stream), PeerInfo { address, tls }))
            }
        }
    }
}

impl std::fmt::Debug for Arrival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrival")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::target::Scheme;
    use super::super::tls::ServerTls;
    use super::*;

    const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    fn target(scheme: &str, acceptor: &Acceptor) -> Target {
        let port = acceptor.local_address().unwrap().port();
        Target::parse(&format!("{scheme}://127.0.0.1:{port}/"), &Scheme::WEB_SOCKET).unwrap()
    }

    /// Dials, accepts, sends two bytes across, and returns what each end knows of the other.
    async fn meet(dialer: &Dialer, acceptor: &mut Acceptor) -> (PeerInfo, PeerInfo) {
        let serve = async {
            let (mut stream, peer) = acceptor.accept().await.unwrap().establish().await.unwrap();
            let mut seen = [0; 2];
            stream.read_exact(&mut seen).await.unwrap();
            assert_eq!(&seen, b"hi");
            peer
        };
        let dial = async {
            let (mut stream, peer) = dialer.dial().await.unwrap();
            stream.write_all(b"hi").await.unwrap();
            stream.flush().await.unwrap();
            (stream, peer)
        };
        let (peer, (_stream, server)) = tokio::join!(serve, dial);
        (server, peer)
    }

    #[tokio::test]
    async fn tcp_connects_from_any_and_from_a_chosen_source() {
        let mut acceptor = Listen::Tcp(LOOPBACK).bind().await.unwrap();
        for source in [None, Some("127.0.0.5".parse().unwrap())] {
            let dialer = Dialer::new(&target("ws", &acceptor), &ClientTls::default(), source).unwrap();
            let (server, client) = meet(&dialer, &mut acceptor).await;
            assert_eq!(server.address, acceptor.local_address().unwrap().to_string());
            let expected = if source.is_some() {
                "127.0.0.5:"
            } else {
                "127.0.0.1:"
            };
            assert!(client.address.starts_with(expected), "{}", client.address);
        }
    }

    #[tokio::test]
    async fn memory_connects_the_same_way() {
        let hub = MemoryHub::default();
        let mut acceptor = Listen::Memory(hub.clone()).bind().await.unwrap();
        let (server, client) = meet(&Dialer::Memory(hub), &mut acceptor).await;
        assert_eq!(
            (server.address.as_str(), client.address.as_str()),
            ("memory:1", "memory:1")
        );
    }

    #[tokio::test]
    async fn a_refused_connection_names_the_place() {
        let acceptor = Listen::Tcp(LOOPBACK).bind().await.unwrap();
        let target = target("ws", &acceptor);
        drop(acceptor);
        let error = Dialer::new(&target, &ClientTls::default(), None)
            .unwrap()
            .dial()
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(
            error
                .to_string()
                .starts_with(&format!("127.0.0.1:{}: ", target.port)),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_taken_address_is_named_and_a_freed_one_can_be_bound_again() {
        let acceptor = Listen::Tcp(LOOPBACK).bind().await.unwrap();
        let address = acceptor.local_address().unwrap();
        let error = Listen::Tcp(address).bind().await.unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&format!("listening at {address}: ")),
            "{error}"
        );
        drop(acceptor);
        Listen::Tcp(address).bind().await.unwrap();
    }

    #[tokio::test]
    async fn an_aborted_tcp_stream_ends_with_a_reset() {
        let mut acceptor = Listen::Tcp(LOOPBACK).bind().await.unwrap();
        let dialer = Dialer::new(&target("ws", &acceptor), &ClientTls::default(), None).unwrap();
        let (dialled, arrival) = tokio::join!(dialer.dial(), acceptor.accept());
        let (mut near, _) = dialled.unwrap();
        let (mut far, _) = arrival.unwrap().establish().await.unwrap();
        near.abort_on_drop();
        drop(near);
        assert_eq!(
            far.read_u8().await.unwrap_err().kind(),
            io::ErrorKind::ConnectionReset
        );
    }

    /// A directory of this test's own, removed when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("plugfest-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn self_signed(folder: &Folder, stem: &str, name: &str) -> ServerTls {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let cert = folder.write(&format!("{stem}.pem"), &made.cert.pem());
        let key = folder.write(&format!("{stem}.key"), &made.signing_key.serialize_pem());
        ServerTls { cert, key }
    }

    fn trusting(ca: &Path) -> ClientTls {
        ClientTls {
            ca: Some(ca.to_owned()),
            server_name: None,
        }
    }

    #[tokio::test]
    async fn tls_connects_where_the_certificate_is_trusted() {
        let folder = Folder::new("trusted");
        let tls = self_signed(&folder, "server", "127.0.0.1");
        let mut acceptor = Listen::Tls(LOOPBACK, tls.config().unwrap()).bind().await.unwrap();
        let dialer = Dialer::new(&target("wss", &acceptor), &trusting(&tls.cert), None).unwrap();
        let (server, client) = meet(&dialer, &mut acceptor).await;
        let agreed = server.tls.unwrap();
        assert_eq!(
            (agreed.version.as_str(), agreed.certificates.len()),
            ("TLSv1_3", 1)
        );
        assert!(client.tls.unwrap().certificates.is_empty());
    }

    #[tokio::test]
    async fn tls_refuses_a_stranger_and_a_wrong_name() {
        let folder = Folder::new("refused");
        let tls = self_signed(&folder, "server", "127.0.0.1");
        let other = self_signed(&folder, "other", "127.0.0.1");
        let mut acceptor = Listen::Tls(LOOPBACK, tls.config().unwrap()).bind().await.unwrap();
        let wrong_name = ClientTls {
            server_name: Some("csms.example".to_owned()),
            ..trusting(&tls.cert)
        };
        for (client, reason) in [
            (trusting(&other.cert), "BadSignature"),
            (wrong_name, "not valid for name"),
        ] {
            let dialer = Dialer::new(&target("wss", &acceptor), &client, None).unwrap();
            let serve = async { acceptor.accept().await.unwrap().establish().await.map(|_| ()) };
            let (dialled, served) = tokio::join!(dialer.dial(), serve);
            let error = dialled.map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(served.unwrap_err().to_string().starts_with("TLS with 127.0.0.1:"));
        }
    }

    #[tokio::test]
    async fn a_peer_that_never_shakes_hands_does_not_keep_others_waiting() {
        let folder = Folder::new("slow");
        let tls = self_signed(&folder, "server", "127.0.0.1");
        let mut acceptor = Listen::Tls(LOOPBACK, tls.config().unwrap()).bind().await.unwrap();
        let address = acceptor.local_address().unwrap();
        let _silent = TcpStream::connect(address).await.unwrap();
        let _waiting = acceptor.accept().await.unwrap();
        let dialer = Dialer::new(&target("wss", &acceptor), &trusting(&tls.cert), None).unwrap();
        meet(&dialer, &mut acceptor).await;
    }

    #[tokio::test]
    async fn a_key_that_does_not_fit_is_refused_before_anything_listens() {
        let folder = Folder::new("mismatch");
        let one = self_signed(&folder, "one", "a.example");
        let two = self_signed(&folder, "two", "a.example");
        let error = ServerTls {
            cert: one.cert,
            key: two.key,
        }
        .config()
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("one.pem: certificate and key cannot be used together"),
            "{error}"
        );
    }
}
