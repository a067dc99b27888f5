//! A file server for tests: it answers one request per stream as it is told to, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use plugfest_reference::BoxStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// How a request is met.
#[derive(Clone)]
pub(crate) enum Meet {
    /// With this status and body.
    Answer(u16, Vec<u8>),
    /// The stream is cut without a word.
    Cut,
    /// The stream stays open, and nothing comes.
    Silence,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The address that was dialled.
    pub(crate) address: String,
    /// Request line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Default)]
pub(crate) struct Shelf {
    answers: Arc<Mutex<VecDeque<Meet>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Shelf {
    /// Meets the next requests so, one after the other; further ones are cut.
    pub(crate) fn of(answers: impl IntoIterator<Item = Meet>) -> Self {
        Self {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
        }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// The way to it, whatever address is dialled.
    pub(crate) fn route(&self) -> impl Fn(&str) -> BoxFuture<'static, std::io::Result<BoxStream>> + use<> {
        let shelf = self.clone();
        move |address: &str| {
            let (shelf, address) = (shelf.clone(), address.to_owned());
            Box::pin(async move {
                let (near, far) = tokio::io::duplex(4 * 1024);
                tokio::spawn(shelf.serve(far, address));
                let boxed: BoxStream = Box::new(near);
                Ok(boxed)
            })
        }
    }

    async fn serve(self, mut stream: DuplexStream, address: String) {
        let mut read = Vec::new();
        let end = loop {
            let byte = stream.read_u8().await.unwrap();
            read.push(byte);
            if read.ends_with(b"\r\n\r\n") {
                break read.len();
            }
        };
        let head = String::from_utf8(read[..end].to_vec()).unwrap();
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            })
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        self.asked.lock().unwrap().push(Asked { address, head, body });
        let answer = self.answers.lock().unwrap().pop_front();
        match answer.unwrap_or(Meet::Cut) {
            Meet::Answer(status, body) => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
                // The station may have lost patience.
                let _gone = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                let _gone = stream.flush().await;
                std::future::pending::<()>().await;
            }
            Meet::Cut => {}
            Meet::Silence => std::future::pending().await,
        }
    }
}
