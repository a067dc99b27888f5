//! Byte streams and how a station gets one.

use std::io;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// Anything that bytes flow through in both directions: TCP, TLS, an in-memory pipe.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

/// A byte stream of any kind.
pub type BoxStream = Box<dyn ByteStream>;

/// How a station reaches its CSMS. Every call is one attempt; closures that return a boxed future will do.
pub trait Dial: Send + 'static {
    /// Opens a new byte stream, or says why that failed.
    fn dial(&self) -> BoxFuture<'static, io::Result<BoxStream>>;
}

impl<F> Dial for F
where
    F: Fn() -> BoxFuture<'static, io::Result<BoxStream>> + Send + 'static,
{
    fn dial(&self) -> BoxFuture<'static, io::Result<BoxStream>> {
        self()
    }
}

/// How a station reaches file servers. Closures that return a boxed future will do.
pub trait Route: Send + 'static {
    /// Opens a byte stream to `host:port`, or says why that failed.
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>>;
}

impl<F> Route for F
where
    F: Fn(&str) -> BoxFuture<'static, io::Result<BoxStream>> + Send + 'static,
{
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        self(address)
    }
}

/// The way to nowhere: every server is unreachable.
pub(crate) struct Nowhere;

impl Route for Nowhere {
    fn connect(&self, _address: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        Box::pin(std::future::ready(Err(io::ErrorKind::NetworkUnreachable.into())))
    }
}
