//! The one type of stream that players and the driver see.

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;

/// A byte stream in both directions that can also be cut off.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the coming drop abrupt where the transport knows a difference: TCP then sends a reset instead of a FIN.
    /// Best effort: a stream that is gone already has nothing left to reset.
    fn abort_on_drop(&mut self) {}
}

/// Any stream.
pub type BoxStream = Box<dyn Stream>;

impl Stream for DuplexStream {}

impl Stream for TcpStream {
    fn abort_on_drop(&mut self) {
        drop(self.set_zero_linger());
    }
}

impl Stream for tokio_rustls::client::TlsStream<TcpStream> {
    fn abort_on_drop(&mut self) {
        self.get_mut().0.abort_on_drop();
    }
}

impl Stream for tokio_rustls::server::TlsStream<TcpStream> {
    fn abort_on_drop(&mut self) {
        self.get_mut().0.abort_on_drop();
    }
}

/// Who is at the other end, as far as the transport knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// `address:port`, or `memory:n` for the n-th pipe of a hub.
    pub address: String,
    /// What TLS agreed on, where there is TLS.
    pub tls: Option<TlsInfo>,
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// The version, such as `TLSv1_3`.
    pub version: String,
    /// The cipher suite, such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher_suite: String,
    /// The server name that the client asked for; known at the server only.
    pub server_name: Option<String>,
    /// The peer's certificates in DER, its own first; empty where it showed none.
    pub certificates: Vec<Vec<u8>>,
}

impl TlsInfo {
    /// Reads what a finished handshake agreed on.
    pub(super) fn of(connection: &rustls::CommonState, server_name: Option<&str>) -> Self {
        let version = connection
            .protocol_version()
            .map(|version| format!("{version:?}"));
        let suite = connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()));
        let certificates = connection.peer_certificates().unwrap_or_default();
        Self {
            version: version.unwrap_or_default(),
            cipher_suite: suite.unwrap_or_default(),
            server_name: server_name.map(str::to_owned),
            certificates: certificates
                .iter()
                .map(|certificate| certificate.to_vec())
                .collect(),
        }
    }
}
