//! The file server. It decides nothing by itself: a transfer waits until the story has said how it is met, or has left
//! it to its location. Everything is bounded: connections, heads, files and time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use plugfest_judge::{Meeting, Reception};
use plugfest_trace::{Head, Party, What, hex};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::shelf::{Location, Shelf, url_of};
use crate::transport::{Acceptor, Arrival};

/// Transfers that may be under way at once; further ones wait in the system's queue.
const MAX_TRANSFERS: usize = 16;
/// A transfer, or the decision on it, takes no longer.
const TRANSFER_TIME: Duration = Duration::from_mins(10);
/// Bytes of a file that is brought.
const MAX_FILE: u64 = 256 << 20;
/// Bytes of a request's head.
const MAX_HEAD: usize = 16 << 10;

/// A file server that listens. Dropping it ends it.
#[derive(Debug)]
pub struct FileServer {
    news: mpsc::Receiver<News>,
    /// Transfers that wait for a decision.
    waiting: BTreeMap<u32, oneshot::Sender<Option<Reception>>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum News {
    Began {
        transfer: u32,
        what: What,
        decide: oneshot::Sender<Option<Reception>>,
    },
    Over(What),
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    base: String,
    shelf: Arc<Shelf>,
    numbers: AtomicU32,
    news: mpsc::Sender<News>,
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FileServer {
    /// Serves at what `acceptor` has bound; `base` is how a station reaches that.
    pub fn new(mut acceptor: Acceptor, base: String, shelf: Shelf) -> Self {
        let (sender, news) = mpsc::channel(MAX_TRANSFERS);
        let shared = Arc::new(Shared {
            base,
            shelf: shelf.shared(),
            numbers: AtomicU32::new(0),
            news: sender,
        });
        let task = tokio::spawn(async move {
            let permits = Arc::new(Semaphore::new(MAX_TRANSFERS));
            loop {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                match acceptor.accept().await {
                    Ok(arrival) => {
                        let shared = Arc::clone(&shared);
                        tokio::spawn(async move {
                            let _permit = permit;
                            connection(arrival, shared).await;
                        });
                    }
                    // No descriptor left: give the system a moment's turn and try again.
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        });
        Self {
            news,
            waiting: BTreeMap::new(),
            task,
        }
    }

    /// The next fact. Cancel-safe.
    pub async fn next(&mut self) -> What {
        match self.news.recv().await {
            Some(News::Began {
                transfer,
                what,
                decide,
            }) => {
                self.waiting.retain(|_, decide| !decide.is_closed());
                self.waiting.insert(transfer, decide);
                what
            }
            Some(News::Over(what)) => what,
            // The task holds a sender as long as this lives.
            None => std::future::pending().await,
        }
    }

    /// Lets a transfer go on, as a line says or as its location does.
    pub fn meet(&mut self, meeting: &Meeting) {
        if let Some(decide) = self.waiting.remove(&meeting.transfer) {
            // A peer that has gone meanwhile needs no decision.
            let _gone = decide.send(meeting.how);
        }
    }
}

/// One connection carries one request.
async fn connection(arrival: Arrival, shared: Arc<Shared>) {
    let Ok(Ok((stream, _))) = timeout(TRANSFER_TIME, arrival.establish()).await else {
        return;
    };
    let end: Arc<Mutex<Option<End>>> = Arc::default();
    let service = service_fn(|request| {
        let (shared, end) = (Arc::clone(&shared), Arc::clone(&end));
        async move { transfer(request, &shared, &end).await }
    });
    let serving = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let broke = match timeout(TRANSFER_TIME, serving).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("the connection broke: {error}")),
        Err(_) => Some("it took too long".to_owned()),
    };
    let ended = end.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut ended) = ended else { return };
    if let (Some(reason), true) = (broke, ended.whole) {
        (ended.whole, ended.reason) = (false, reason);
    }
    // Nobody listens any more when the run is over.
    drop(shared.news.send(News::Over(ended.fact())).await);
}

/// How a transfer ended.
#[derive(Debug)]
struct End {
    transfer: u32,
    status: Option<StatusCode>,
    length: u64,
    sha256: Option<String>,
    whole: bool,
    reason: String,
}

impl End {
    fn of(transfer: u32) -> Self {
        Self {
            transfer,
            status: None,
            length: 0,
            sha256: None,
            whole: false,
            reason: "cut before it was over".to_owned(),
        }
    }

    fn fact(self) -> What {
        What::Transferred {
            transfer: self.transfer,
            status: self.status.map(|s| s.as_u16()),
            length: self.length,
            sha256: self.sha256,
            whole: self.whole,
            reason: self.reason,
        }
    }
}

/// The connection is cut on purpose, without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct Cut;

async fn transfer(
    request: Request<Incoming>,
    shared: &Shared,
    end: &Mutex<Option<End>>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let number = shared.numbers.fetch_add(1, Ordering::Relaxed) + 1;
    let location = Location::of(request.uri().path());
    let (decide, decided) = oneshot::channel();
    let began = News::Began {
        transfer: number,
        what: What::Transfer {
            transfer: number,
            by: Party::Dut,
            op: op_of(request.method()).to_owned(),
            url: location.map_or_else(
                || format!("{}{}", shared.base, request.uri()),
                |l| url_of(&shared.base, l),
            ),
            request: head_of(&request),
        },
        decide,
    };
    let note = |ended: End| *end.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    note(End::of(number));
    if shared.news.send(began).await.is_err() {
        return Err(Cut);
    }
    // The story that could decide may be over.
    let how = decided.await.unwrap_or(None);
    let mut ended = End::of(number);
    let answer = match how.unwrap_or_else(|| ordinary(location, request.method())) {
        Reception::Refuse(None) => {
            "refused on purpose".clone_into(&mut ended.reason);
            Err(Cut)
        }
        Reception::Refuse(Some(code)) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::FORBIDDEN);
            ended.reason = format!("refused with {}", status.as_u16());
            ended.status = Some(status);
            Ok(plain(status, Bytes::new()))
        }
        Reception::Accept if *request.method() == Method::GET => {
            let file = match location {
                Some(Location::Corrupt) => shared.shelf.corrupt.clone(),
                _ => shared.shelf.firmware.clone(),
            };
            ended.status = Some(StatusCode::OK);
            ended.length = file.len() as u64;
            ended.sha256 = Some(hex(&Sha256::digest(&file)));
            (ended.whole, ended.reason) = (true, String::new());
            Ok(plain(StatusCode::OK, file))
        }
        Reception::Accept => {
            let status = taken_in(request.into_body(), &mut ended).await;
            ended.status = Some(status);
            Ok(plain(status, Bytes::new()))
        }
    };
    note(ended);
    answer
}

/// Reads a file that is brought to its end; only its length and its hash are kept.
async fn taken_in<B>(mut body: B, ended: &mut End) -> StatusCode
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let mut hash = Sha256::new();
    while let Some(frame) = body.frame().await {
        let data = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => data,
            // Trailers.
            Ok(Err(_)) => continue,
            Err(error) => {
                ended.reason = format!("it broke off: {error}");
                return StatusCode::BAD_REQUEST;
            }
        };
        ended.length += data.len() as u64;
        hash.update(&data);
        if ended.length > MAX_FILE {
            ended.reason = format!("more than {} MiB", MAX_FILE >> 20);
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
    }
    ended.sha256 = Some(hex(&hash.finalize()));
    (ended.whole, ended.reason) = (true, String::new());
    StatusCode::CREATED
}

/// What a location does with a request that no line has taken.
fn ordinary(location: Option<Location>, method: &Method) -> Reception {
    let brings = [Method::PUT, Method::POST].contains(method);
    let fetches = [Method::GET, Method::HEAD].contains(method);
    match location {
        Some(Location::Refusing) => Reception::Refuse(None),
        None | Some(Location::Missing) => Reception::Refuse(Some(404)),
        Some(Location::Upload) if brings => Reception::Accept,
        // A HEAD gets no body but what it asks for: whether there is something.
        Some(Location::Firmware | Location::Corrupt) if fetches => Reception::Accept,
        Some(_) => Reception::Refuse(Some(405)),
    }
}

fn op_of(method: &Method) -> &'static str {
    match *method {
        Method::PUT | Method::POST => "upload",
        Method::GET => "download",
        _ => "other",
    }
}

fn head_of(request: &Request<Incoming>) -> Head {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Head {
        line: format!("{} {} {:?}", request.method(), request.uri(), request.version()),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
            .collect(),
    }
}

fn plain(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::Fetch;
    use super::*;
    use crate::transport::{Listen, MemoryHub};

    const BASE: &str = "http://files.invalid";

    async fn server() -> (MemoryHub, FileServer) {
        let hub = MemoryHub::default();
        let acceptor = Listen::Memory(hub.clone()).bind().await.unwrap();
        (hub, FileServer::new(acceptor, BASE.to_owned(), Shelf::new(None)))
    }

    /// Makes a transfer that is met in that way: both ends' facts of its end, and the URL as the server told it.
    async fn transfer(upload: bool, place: &str, how: Option<Reception>) -> (What, What, String) {
        let (hub, mut server) = server().await;
        let fetch = Fetch { hub: Some(hub) };
        let made = tokio::spawn(fetch.make(1, upload, format!("{BASE}/{place}")));
        let What::Transfer { transfer, url, .. } = server.next().await else {
            panic!("a transfer begins")
        };
        server.meet(&Meeting { transfer, how });
        let over = server.next().await;
        (over, made.await.unwrap(), url)
    }

    fn end(what: &What) -> (Option<u16>, bool, u64) {
        match what {
            What::Transferred {
                status,
                whole,
                length,
                ..
            } => (*status, *whole, *length),
            _ => panic!("{what:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn both_ends_tell_the_same_of_a_transfer() {
        for (upload, place, status) in [(true, "upload/diag.log", 201), (false, "firmware", 200)] {
            let (ours, theirs, url) = transfer(upload, place, None).await;
            let (What::Transferred { sha256: a, .. }, What::Transferred { sha256: b, .. }) = (&ours, &theirs)
            else {
                panic!("{ours:?}")
            };
            assert_eq!((end(&ours), a), (end(&theirs), b), "{place}");
            assert!(a.is_some() && end(&ours).1, "{ours:?}");
            assert_eq!(end(&ours).0, Some(status));
            let location = place.split('/').next().unwrap();
            assert_eq!(url, format!("{BASE}/{location}"), "without the file's name");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_decides_before_the_location_does() {
        for (upload, place, how, status, whole) in [
            (false, "missing", None, Some(404), false),
            (false, "nowhere", None, Some(404), false),
            (false, "upload", None, Some(405), false),
            (true, "firmware", None, Some(405), false),
            (true, "refusing", None, None, false),
            (true, "refusing", Some(Reception::Accept), Some(201), true),
            (
                true,
                "upload",
                Some(Reception::Refuse(Some(503))),
                Some(503),
                false,
            ),
            (true, "upload", Some(Reception::Refuse(None)), None, false),
        ] {
            let (ours, theirs, _) = transfer(upload, place, how).await;
            assert_eq!(
                (end(&ours).0, end(&ours).1),
                (status, whole),
                "{place} {how:?}: {ours:?}"
            );
            assert_eq!((end(&theirs).0, end(&theirs).1), (status, whole), "{theirs:?}");
        }
    }

    /// Writes a request as it stands, then ends the stream if asked to; the server's fact of the end.
    async fn raw(text: &str, shut: bool) -> What {
        let (hub, mut server) = server().await;
        let (mut stream, _) = hub.dial().await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let What::Transfer { transfer, .. } = server.next().await else {
            panic!("a transfer begins")
        };
        server.meet(&Meeting { transfer, how: None });
        if shut {
            drop(stream);
            return server.next().await;
        }
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let (over, _) = tokio::join!(server.next(), read);
        over
    }

    #[tokio::test(start_paused = true)]
    async fn what_breaks_off_is_not_whole() {
        let text = "PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
        let (_, whole, length) = end(&raw(text, true).await);
        assert!(!whole, "{length}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_ends_is_cut_in_bounded_time() {
        let text = "PUT /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
        let What::Transferred { whole, reason, .. } = raw(text, false).await else {
            panic!("it is over")
        };
        assert!(!whole);
        assert_eq!(reason, "cut before it was over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_chunked_upload_is_put_together() {
        let text = "POST /upload/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                    3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(end(&raw(text, false).await), (Some(201), true, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_without_end_is_cut() {
        let (hub, _server) = server().await;
        let (mut stream, _) = hub.dial().await.unwrap();
        let mut written = 0;
        let line = format!("X: {}\r\n", "a".repeat(1000));
        drop(stream.write_all(b"GET / HTTP/1.1\r\n").await);
        while stream.write_all(line.as_bytes()).await.is_ok() {
            written += line.len();
            assert!(written < 1 << 20, "it reads on and on");
        }
    }
}
