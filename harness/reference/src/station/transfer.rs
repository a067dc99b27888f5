//! File transfers over HTTP (OCPP 1.6 §8): one file fetched, or one file brought, over a stream that is handed in.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;

use crate::stream::Route;

/// The largest file that is fetched, in bytes.
const LARGEST_FILE: usize = 32 * 1024 * 1024;

/// Why a transfer failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    #[error("the location is no http:// URL")]
    Location,
    #[error("the server could not be reached: {0}")]
    Unreachable(#[from] io::Error),
    #[error("the transfer broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the server answered with {0}")]
    Refused(hyper::StatusCode),
    #[error("the file is too large, or broke off")]
    File,
    #[error("it took too long")]
    TimedOut,
}

/// The transfers that are under way. They only move while [`Transfers::next`] is awaited.
#[derive(Default)]
pub(super) struct Transfers {
    fetching: Option<BoxFuture<'static, Result<Bytes, TransferError>>>,
    bringing: Option<BoxFuture<'static, Result<(), TransferError>>>,
}

/// A transfer has come to its end.
pub(super) enum Transferred {
    Fetched(Result<Bytes, TransferError>),
    Brought(Result<(), TransferError>),
}

impl Transfers {
    /// Fetches a file; another one that was being fetched is left.
    pub(super) fn fetch(&mut self, route: &dyn Route, location: &str, limit: Duration) {
        let exchange = Exchange::new(route, location, Method::GET, Bytes::new());
        self.fetching = Some(Box::pin(within(limit, exchange)));
    }

    /// Brings a file into a directory; another one that was being brought is left.
    pub(super) fn bring(
        &mut self,
        route: &dyn Route,
        directory: &str,
        name: &str,
        file: Bytes,
        limit: Duration,
    ) {
        let location = format!("{}/{name}", directory.trim_end_matches('/'));
        let exchange = Exchange::new(route, &location, Method::PUT, file);
        self.bringing = Some(Box::pin(async move { within(limit, exchange).await.map(drop) }));
    }

    /// Leaves the fetching.
    pub(super) fn leave_fetching(&mut self) {
        self.fetching = None;
    }

    /// Leaves everything.
    pub(super) fn leave(&mut self) {
        *self = Self::default();
    }

    /// The next one that ends. Safe to drop and call again.
    pub(super) async fn next(&mut self) -> Transferred {
        let ended = tokio::select! {
            biased;
            fetched = ending(&mut self.fetching) => Transferred::Fetched(fetched),
            brought = ending(&mut self.bringing) => Transferred::Brought(brought),
        };
        match &ended {
            Transferred::Fetched(_) => self.fetching = None,
            Transferred::Brought(_) => self.bringing = None,
        }
        ended
    }
}

async fn ending<T>(transfer: &mut Option<BoxFuture<'static, T>>) -> T {
    match transfer {
        Some(transfer) => transfer.await,
        None => std::future::pending().await,
    }
}

async fn within(limit: Duration, exchange: Result<Exchange, TransferError>) -> Result<Bytes, TransferError> {
    let exchange = exchange?;
    tokio::time::timeout(limit, exchange.carry_out())
        .await
        .unwrap_or(Err(TransferError::TimedOut))
}

/// One request and its answer.
struct Exchange {
    stream: BoxFuture<'static, io::Result<crate::stream::BoxStream>>,
    request: Request<Full<Bytes>>,
}

impl Exchange {
    fn new(route: &dyn Route, location: &str, method: Method, file: Bytes) -> Result<Self, TransferError> {
        let url: Uri = location.parse().map_err(|_| TransferError::Location)?;
        let authority = url
            .authority()
            .filter(|_| url.scheme_str() == Some("http"))
            .ok_or(TransferError::Location)?;
        let path = url.path_and_query().map_or("/", |it| it.as_str());
        let (credentials, place) = match authority.as_str().rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority.as_str()),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, place)
            .body(Full::new(file))
            .map_err(|_| TransferError::Location)?;
        if let Some(credentials) = credentials {
            let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(credentials)))
                .map_err(|_| TransferError::Location)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let stream = route.connect(&address);
        Ok(Self { stream, request })
    }

    /// The body of a successful answer.
    async fn carry_out(self) -> Result<Bytes, TransferError> {
        let stream = self.stream.await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let answer = async {
            let answer = sender.send_request(self.request).await?;
            if !answer.status().is_success() {
                return Err(TransferError::Refused(answer.status()));
            }
            let body = Limited::new(answer.into_body(), LARGEST_FILE).collect().await;
            body.map(http_body_util::Collected::to_bytes)
                .map_err(|_| TransferError::File)
        };
        let driving = async {
            // What goes wrong with the connection goes wrong with the answer, which tells of it.
            let _told = connection.await;
            std::future::pending().await
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            never = driving => never,
        }
    }
}
