//! Our side dials.

use std::io;

use plugfest_trace::{Head, Party, What};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::timeout;

use super::{Dialling, Lines, Live, Source, UPGRADE_TIME, pairs, security_of};
use crate::transport::{BoxStream, Dialer, path_with};
use crate::wire::{BasicAuth, Connection, HeadLimits, Limits, RequestUpgrade};

/// What became of dialling.
pub(super) type Dialled = Result<Up, Box<Down>>;

/// A connection that we opened.
pub(super) struct Up {
    connection: Box<Connection<BoxStream>>,
    request: Head,
    response: Head,
    subprotocol: Option<String>,
    flaws: Vec<String>,
    security: &'static str,
}

/// Why a connection of ours did not come up.
#[derive(Debug, Default)]
pub(super) struct Down {
    request: Option<Head>,
    response: Option<Head>,
    reason: String,
    flaws: Vec<String>,
}

impl Down {
    pub(super) fn because(reason: String) -> Box<Self> {
        Box::new(Self {
            reason,
            ..Self::default()
        })
    }
}

impl Lines {
    /// Begins to dial unless that is under way, or a connection is up.
    pub fn dial(&mut self, how: Dialling) {
        let Source::Dial(dialer) = &self.source else {
            return;
        };
        if self.dialling.is_some() || self.refusing {
            return;
        }
        let identity = how
            .identity
            .or_else(|| self.manners.identity.clone())
            .unwrap_or_default();
        let password = match how.password {
            Some(password) if password.is_empty() => None,
            Some(password) => Some(password.into_bytes()),
            None => self.manners.password.clone(),
        };
        let target = path_with(&self.manners.base_path, &identity);
        let mut request = RequestUpgrade::new(self.manners.host.clone(), target);
        request.subprotocols = how
            .subprotocols
            .unwrap_or_else(|| vec![self.manners.subprotocol.clone()]);
        request.auth = password.map(|p| BasicAuth::new(identity.clone(), p));
        self.dialled_as = identity;
        let (dialer, limits) = (dialer.secured(how.secure), self.manners.limits);
        let keys = ChaCha8Rng::seed_from_u64(self.rng.next_u64());
        self.dialling = Some(tokio::spawn(async move {
            match timeout(UPGRADE_TIME, open(dialer, request, limits, keys)).await {
                Ok(dialled) => dialled,
                Err(_) => Err(Down::because("no upgrade within 20 s".to_owned())),
            }
        }));
    }

    pub(super) fn dialled(&mut self, dialled: Dialled) {
        self.dialling = None;
        self.numbers += 1;
        let conn = self.numbers;
        let identity = std::mem::take(&mut self.dialled_as);
        match dialled {
            Ok(Up {
                connection,
                request,
                response,
                subprotocol,
                flaws,
                security,
            }) => {
                self.live.insert(
                    conn,
                    Live {
                        connection: *connection,
                        identity: identity.clone(),
                        subprotocol: subprotocol.clone(),
                        closing: None,
                    },
                );
                self.ready.push_back(What::Opened {
                    conn,
                    identity,
                    by: Party::Us,
                    request,
                    response,
                    subprotocol,
                    flaws,
                    security: Some(security.to_owned()),
                });
            }
            Err(down) => {
                let Down {
                    request,
                    response,
                    reason,
                    flaws,
                } = *down;
                self.ready.push_back(What::Refused {
                    conn,
                    identity,
                    by: Party::Us,
                    request,
                    response,
                    reason,
                    flaws,
                });
            }
        }
    }
}

async fn open(dialer: Dialer, request: RequestUpgrade, limits: Limits, keys: ChaCha8Rng) -> Dialled {
    let text = |e: io::Error| Down::because(e.to_string());
    let (stream, peer) = dialer.dial().await.map_err(text)?;
    let asked = Head {
        line: format!("GET {} HTTP/1.1", request.target),
        headers: asked_headers(&request),
    };
    let response = request
        .send(stream, &HeadLimits::default(), keys)
        .await
        .map_err(text)?;
    if response.head.raw.is_empty() {
        return Err(Box::new(Down {
            request: Some(asked),
            reason: "cut before an answer".to_owned(),
            ..Down::default()
        }));
    }
    let said = Head {
        line: format!(
            "{} {} {}",
            response.head.version, response.head.status, response.head.reason
        ),
        headers: pairs(&response.head.headers),
    };
    let flaws: Vec<String> = response.head.flaws.iter().map(|f| f.id().to_owned()).collect();
    if !response.is_switching() {
        return Err(Box::new(Down {
            request: Some(asked),
            reason: format!("refused with {}", said.line),
            response: Some(said),
            flaws,
        }));
    }
    let subprotocol = response.head.subprotocol().map(str::to_owned);
    let connection = response.into_connection(limits);
    Ok(Up {
        connection: Box::new(connection),
        request: asked,
        response: said,
        subprotocol,
        flaws,
        security: security_of(&peer),
    })
}

/// The headers of our request that a reader of the trace may care about; the key is random.
fn asked_headers(request: &RequestUpgrade) -> Vec<(String, String)> {
    let mut headers = vec![("Host".to_owned(), request.host.clone())];
    if !request.subprotocols.is_empty() {
        headers.push((
            "Sec-WebSocket-Protocol".to_owned(),
            request.subprotocols.join(", "),
        ));
    }
    headers.extend(
        request
            .auth
            .iter()
            .map(|auth| ("Authorization".to_owned(), auth.header_value())),
    );
    headers.extend(request.headers.iter().map(|h| (h.name.clone(), h.value.clone())));
    headers
}
