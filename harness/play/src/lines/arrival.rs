//! A station comes: its upgrade is answered, or refused.

use plugfest_trace::{Head, Party, What};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::timeout;

use super::{Gate, Lines, Live, UPGRADE_TIME, Upgrade, pairs};
use crate::wire::{Acceptance, Header, Refusal};

impl Lines {
    /// Somebody came and did not get as far as a request: a TLS handshake that failed is what a person must know of.
    pub(super) fn lost(&mut self, reason: String) {
        self.numbers += 1;
        self.ready.push_back(What::Refused {
            conn: self.numbers,
            identity: String::new(),
            by: Party::Dut,
            request: None,
            response: None,
            reason,
            flaws: Vec::new(),
        });
    }

    pub(super) async fn arrived(&mut self, upgrade: Upgrade) {
        let Upgrade {
            request,
            address,
            security,
        } = upgrade;
        let head = &request.head;
        let mut flaws: Vec<String> = head.flaws.iter().map(|f| f.id().to_owned()).collect();
        let recorded = Head {
            line: format!("{} {} {}", head.method, head.target, head.version),
            headers: pairs(&head.headers),
        };
        let identity = match head.identity() {
            Some(Ok(identity)) => identity,
            Some(Err(_)) => {
                flaws.push("identity".to_owned());
                String::new()
            }
            None => String::new(),
        };
        let offers: Vec<String> = head.subprotocols().map(str::to_owned).collect();
        self.numbers += 1;
        let conn = self.numbers;
        if head.raw.is_empty() {
            // Nothing was said, so there is nothing to judge.
            self.ready.push_back(What::Refused {
                conn,
                identity,
                by: Party::Dut,
                request: None,
                response: None,
                reason: format!("cut before a request (from {address})"),
                flaws: Vec::new(),
            });
            return;
        }
        let refusal = self.refusal(&identity, head);
        if let Some((status, reason)) = refusal {
            let response = status.map(|code| Head {
                line: format!("HTTP/1.1 {code}"),
                headers: Vec::new(),
            });
            if let Some(code) = status {
                let mut refusal = Refusal::new(code);
                if code == 401 {
                    refusal
                        .headers
                        .push(Header::new("WWW-Authenticate", "Basic realm=\"plugfest\""));
                }
                drop(timeout(UPGRADE_TIME, request.refuse(&refusal)).await);
            }
            self.ready.push_back(What::Refused {
                conn,
                identity,
                by: Party::Dut,
                request: Some(recorded),
                response,
                reason: format!("{reason} (from {address})"),
                flaws,
            });
            return;
        }
        let chosen = match self.gate.take() {
            Some(Gate::Accept(subprotocol)) => subprotocol,
            _ => offers
                .contains(&self.manners.subprotocol)
                .then(|| self.manners.subprotocol.clone()),
        };
        let acceptance = Acceptance {
            subprotocol: chosen.clone(),
            ..Acceptance::default()
        };
        let keys = ChaCha8Rng::seed_from_u64(self.rng.next_u64());
        let accepted = timeout(
            UPGRADE_TIME,
            request.accept(&acceptance, self.manners.limits, keys),
        )
        .await;
        let Ok(Ok(connection)) = accepted else {
            self.ready.push_back(What::Refused {
                conn,
                identity,
                by: Party::Dut,
                request: Some(recorded),
                response: None,
                reason: "the peer was gone before the upgrade was complete".to_owned(),
                flaws,
            });
            return;
        };
        let mut headers = vec![
            ("Upgrade".to_owned(), "websocket".to_owned()),
            ("Connection".to_owned(), "Upgrade".to_owned()),
        ];
        headers.extend(
            chosen
                .iter()
                .map(|s| ("Sec-WebSocket-Protocol".to_owned(), s.clone())),
        );
        let response = Head {
            line: "HTTP/1.1 101 Switching Protocols".to_owned(),
            headers,
        };
        // A station has one connection: a new one replaces the old, which may be half dead.
        self.replace(&identity);
        self.live.insert(
            conn,
            Live {
                connection,
                identity: identity.clone(),
                subprotocol: chosen.clone(),
                closing: None,
            },
        );
        self.ready.push_back(What::Opened {
            conn,
            identity,
            by: Party::Dut,
            request: recorded,
            response,
            subprotocol: chosen,
            flaws,
            security: Some(security.to_owned()),
        });
    }

    /// Why a connection is not let in, with the HTTP status to say so; no status cuts it.
    fn refusal(
        &mut self,
        identity: &str,
        head: &crate::wire::RequestHead,
    ) -> Option<(Option<u16>, &'static str)> {
        if self.refusing {
            return Some((None, "the link is down on purpose"));
        }
        match self.gate {
            Some(Gate::Tcp) => {
                self.gate = None;
                return Some((None, "refused on purpose"));
            }
            Some(Gate::Http(status)) => {
                self.gate = None;
                return Some((Some(status), "refused on purpose"));
            }
            _ => {}
        }
        if self
            .manners
            .identity
            .as_ref()
            .is_some_and(|wanted| wanted != identity)
        {
            return Some((Some(404), "another identity than the one under test"));
        }
        if let Some(password) = &self.manners.password {
            let given = head.basic_auth().and_then(Result::ok);
            if !given.is_some_and(|auth| auth.user == identity && auth.password == *password) {
                return Some((Some(401), "no or wrong credentials"));
            }
        }
        None
    }

    fn replace(&mut self, identity: &str) {
        let old: Vec<u32> = self
            .live
            .iter()
            .filter(|(_, l)| l.identity == identity)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in old {
            self.live.remove(&conn);
            let (by, how) = (Party::Us, "replaced".to_owned());
            self.ready.push_back(What::Closed { conn, by, how });
        }
    }
}
