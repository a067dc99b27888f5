//! The transfers of a played station: it brings a short file, or fetches one and forgets it.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use plugfest_trace::{Head, Party, What, hex};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::transport::{ClientTls, Dialer, MemoryHub, Scheme, Target};

/// A transfer of ours takes no longer.
const TRANSFER_TIME: Duration = Duration::from_mins(1);
/// Bytes of a file that we fetch.
const MAX_FILE: u64 = 256 << 20;
/// What a played station brings.
const FILE: &str = "plugfest: the diagnostics of a played station\n";

/// How a played station transfers files.
#[derive(Debug, Clone, Default)]
pub struct Fetch {
    /// Where transfers go instead of over TCP: inside the process.
    pub hub: Option<MemoryHub>,
}

impl Fetch {
    /// The fact that a transfer begins.
    pub(crate) fn begins(transfer: u32, upload: bool, url: &str) -> What {
        let (op, method) = if upload {
            ("upload", "PUT")
        } else {
            ("download", "GET")
        };
        What::Transfer {
            transfer,
            by: Party::Us,
            op: op.to_owned(),
            url: url.to_owned(),
            request: Head {
                line: format!("{method} {url}"),
                headers: Vec::new(),
            },
        }
    }

    /// The fact that no transfer takes place.
    pub(crate) fn nothing(transfer: u32, reason: String) -> What {
        What::Transferred {
            transfer,
            status: None,
            length: 0,
            sha256: None,
            whole: false,
            reason,
        }
    }

    /// Makes a transfer; gives back the fact of its end.
    pub(crate) async fn make(self, transfer: u32, upload: bool, url: String) -> What {
        match timeout(TRANSFER_TIME, self.exchange(transfer, upload, &url)).await {
            Ok(Ok(over)) => over,
            Ok(Err(reason)) => Self::nothing(transfer, reason),
            Err(_) => Self::nothing(transfer, "it took too long".to_owned()),
        }
    }

    async fn exchange(&self, transfer: u32, upload: bool, url: &str) -> Result<What, String> {
        let target = Target::parse(url, &Scheme::HTTP).map_err(|error| error.to_string())?;
        let dialer = match &self.hub {
            Some(hub) => Dialer::Memory(hub.clone()),
            None => Dialer::new(&target, &ClientTls::default(), None).map_err(|error| error.to_string())?,
        };
        let (stream, _) = dialer.dial().await.map_err(|error| error.to_string())?;
        let fault = |error: hyper::Error| error.to_string();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(fault)?;
        let (method, file) = if upload {
            (Method::PUT, Bytes::from_static(FILE.as_bytes()))
        } else {
            (Method::GET, Bytes::new())
        };
        let request = Request::builder()
            .method(method)
            .uri(target.path.clone())
            .header(header::HOST, target.host_header())
            .body(Full::new(file.clone()))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let mut answer = sender.send_request(request).await.map_err(fault)?;
            let status = answer.status();
            let (mut length, mut hash) = (0, Sha256::new());
            while let Some(frame) = answer.body_mut().frame().await {
                let Ok(data) = frame.map_err(fault)?.into_data() else {
                    continue;
                };
                length += data.len() as u64;
                hash.update(&data);
                if length > MAX_FILE {
                    return Err(format!("more than {} MiB", MAX_FILE >> 20));
                }
            }
            if upload {
                (length, hash) = (file.len() as u64, Sha256::new_with_prefix(&file));
            }
            let whole = status.is_success();
            Ok(What::Transferred {
                transfer,
                status: Some(status.as_u16()),
                length,
                sha256: Some(hex(&hash.finalize())),
                whole,
                reason: if whole {
                    String::new()
                } else {
                    format!("answered with {}", status.as_u16())
                },
            })
        };
        let drive = async {
            // Its error, if any, reaches the exchange as well, which is where it is reported.
            drop(connection.await);
            std::future::pending().await
        };
        tokio::select! {
            over = exchange => over,
            never = drive => never,
        }
    }
}
