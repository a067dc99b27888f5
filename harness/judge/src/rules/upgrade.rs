//! The WebSocket upgrade: HTTP heads, path and subprotocol.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use plugfest_protocol::Timestamp;
use plugfest_trace::{Head, Party, What};

use super::support::{Check, EVERY, Entry, OCPP16, message_timeout, short, shown};
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};

pub(super) static RULES: &[Entry] = &[
    request(
        "upgrade/head-truncated",
        "RFC 9112 2.1",
        Level::Must,
        "An HTTP head ends with an empty line; the stream must not end before it.",
    ),
    request(
        "upgrade/bad-request-line",
        "RFC 9112 3",
        Level::Must,
        "A request line is method, target and version, parted by one blank each.",
    ),
    request(
        "upgrade/not-get",
        "RFC 6455 4.1",
        Level::Must,
        "The upgrade is asked for with the method GET.",
    ),
    request(
        "upgrade/old-http",
        "RFC 6455 4.1",
        Level::Must,
        "The upgrade is asked for in HTTP 1.1 or later.",
    ),
    request(
        "upgrade/host",
        "RFC 6455 4.1",
        Level::Must,
        "The request has exactly one Host header; virtual hosts and load balancers need it.",
    ),
    request(
        "upgrade/key-count",
        "RFC 6455 4.1",
        Level::Must,
        "The request has exactly one Sec-WebSocket-Key header.",
    ),
    request(
        "upgrade/bad-key",
        "RFC 6455 4.1",
        Level::Must,
        "Sec-WebSocket-Key is the base64 form of 16 random bytes.",
    ),
    request(
        "upgrade/bad-version",
        "RFC 6455 4.1",
        Level::Must,
        "Sec-WebSocket-Version is 13; other numbers are drafts of long ago.",
    ),
    request(
        "upgrade/early-data",
        "RFC 6455 4.1",
        Level::Must,
        "A client sends no frame before it has read the server's answer to the upgrade.",
    ),
    response(
        "upgrade/bad-status-line",
        "RFC 9112 4",
        Level::Must,
        "A status line is version, three digits and a reason.",
    ),
    response(
        "upgrade/bad-accept",
        "RFC 6455 4.2.2",
        Level::Must,
        "Sec-WebSocket-Accept is derived from the client's key; a client fails the connection where it is not.",
    ),
    response(
        "upgrade/unoffered-subprotocol",
        "RFC 6455 4.1",
        Level::Must,
        "The server chooses one of the subprotocols that the client offered, or none.",
    ),
    response(
        "upgrade/many-subprotocols",
        "RFC 6455 4.2.2",
        Level::Must,
        "The answer names one subprotocol at most.",
    ),
    response(
        "upgrade/unoffered-extension",
        "RFC 6455 4.1",
        Level::Must,
        "The server switches on only extensions that the client offered.",
    ),
    either(
        "upgrade/no-upgrade",
        "RFC 6455 4.1, 4.2.2",
        Level::Must,
        "The header Upgrade names websocket, in the request and in the answer.",
    ),
    either(
        "upgrade/no-connection",
        "RFC 6455 4.1, 4.2.2",
        Level::Must,
        "The header Connection names Upgrade, in the request and in the answer; proxies drop the upgrade otherwise.",
    ),
    either(
        "upgrade/head-bare-lf",
        "RFC 9112 2.2",
        Level::Should,
        "Lines of an HTTP head end with CR LF; many readers let a bare LF pass.",
    ),
    either(
        "upgrade/head-folded-line",
        "RFC 9112 5.2",
        Level::Must,
        "A header is not continued on the next line.",
    ),
    either(
        "upgrade/bad-header-line",
        "RFC 9112 5",
        Level::Must,
        "A header line is a name, a colon and a value.",
    ),
    either(
        "upgrade/head-non-ascii",
        "RFC 9110 5.5",
        Level::Should,
        "Header values are ASCII; other bytes mean something else to every reader.",
    ),
    either(
        "upgrade/head-too-large",
        "RFC 9112 2.3",
        Level::Advisory,
        "The HTTP head was longer than the harness reads; no upgrade needs so much.",
    ),
    either(
        "upgrade/head-too-many-headers",
        "RFC 9112 5",
        Level::Advisory,
        "The HTTP head had more headers than the harness reads; no upgrade needs so many.",
    ),
    Entry::station::<Offer>(RuleInfo {
        id: "upgrade/subprotocol-offered",
        title: "a station says which version it speaks",
        clause: "OCPP-1.6J 3.1.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "The exact version of OCPP is named in Sec-WebSocket-Protocol. Without it a CSMS that serves several \
                  versions cannot know which one it will get, and a strict one closes. Several versions may be offered, \
                  as long as the one under test is among them.",
    }),
    Entry::station::<Path>(RuleInfo {
        id: "upgrade/path",
        title: "the last part of the path is the percent-encoded identity",
        clause: "OCPP-1.6J 3.1.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "A station appends a slash and its identity to the endpoint, percent-encoded where needed. A last part \
                  that is empty or not properly encoded names no station. A query behind it is let pass.",
    }),
    Entry::station::<BackOff>(RuleInfo {
        id: "upgrade/back-off",
        title: "a station that is refused backs off",
        clause: "OCPP-1.6J-errata 3.4",
        level: Level::Must,
        editions: OCPP16,
        explain: "A station whose identity is not known (HTTP 404) tries again with an appropriate back-off, so that it \
                  does not overload the CSMS. The clause has no numbers; ten refused attempts within ten seconds are \
                  no back-off by any reading.",
    }),
    Entry::csms::<Agreed>(RuleInfo {
        id: "upgrade/unknown-subprotocol-agreed",
        title: "a CSMS agrees to versions of OCPP only",
        clause: "OCPP-1.6J 3.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "A CSMS that does not agree to one of the offered subprotocols leaves the header out and closes. \
                  Echoing whatever a client offers promises to speak something that does not exist.",
    }),
    Entry::csms::<Serves>(RuleInfo {
        id: "upgrade/closes-without-agreement",
        title: "a CSMS closes when there is no subprotocol to agree on",
        clause: "OCPP-1.6J 3.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "Where nothing was agreed on, the CSMS completes the handshake without the header and closes at once. \
                  It breaks this when it goes on to send messages, or has not closed by the time that a message may \
                  take (`timeout.message`). Not judged where nothing was offered, or the harness closed first.",
    }),
    Entry::csms::<Completes>(RuleInfo {
        id: "upgrade/completes-without-agreement",
        title: "a CSMS completes the handshake also without agreement",
        clause: "OCPP-1.6J 3.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "Where no offered subprotocol suits it, the CSMS MUST complete the handshake without the header and \
                  then close, so that a station can tell this from other troubles. An HTTP error that speaks of the \
                  request (400, 406, 415, 426, 500, 501) breaks it. Not judged where a version of OCPP was among the \
                  offers, and for statuses that have other reasons (401, 403, 404, 429, 503).",
    }),
    Entry::station::<DialFlood>(RuleInfo {
        id: "upgrade/dial-flood",
        title: "a station that is turned away waits before it tries again",
        clause: "OCPP-1.6J-errata 3.4",
        level: Level::Should,
        editions: OCPP16,
        explain: "The clause asks for a back-off after HTTP 404, and its reason holds for every other failure: a CSMS that \
                  comes back must not be overloaded. More than ten failed attempts within ten seconds are no back-off \
                  by any reading. A warning, as the clause speaks of 404 alone.",
    }),
];

/// Attempts to connect without a pause.
#[derive(Debug, Default)]
struct DialFlood {
    failed: VecDeque<Timestamp>,
}

impl Check for DialFlood {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        const MANY: usize = 11;
        let Some(attempt) = Attempt::of(seen) else { return };
        // A 404 is the business of the rule above.
        if attempt.by != Party::Dut || !attempt.refused || attempt.status() == Some(404) {
            return;
        }
        self.failed.push_back(context.at);
        if self.failed.len() < MANY {
            return;
        }
        let span = context.at.since(self.failed.pop_front().unwrap_or(context.at));
        if span <= Duration::from_secs(10) {
            out.add(
                "the station dials without a pause",
                "a back-off",
                format!("{MANY} attempts in {}", shown(span)),
            );
            self.failed.clear();
        }
    }
}

const fn request(id: &'static str, clause: &'static str, level: Level, explain: &'static str) -> Entry {
    Entry::station::<HeadFlaw>(RuleInfo {
        id,
        title: explain,
        clause,
        level,
        editions: EVERY,
        explain,
    })
}

const fn response(id: &'static str, clause: &'static str, level: Level, explain: &'static str) -> Entry {
    Entry::csms::<HeadFlaw>(RuleInfo {
        id,
        title: explain,
        clause,
        level,
        editions: EVERY,
        explain,
    })
}

const fn either(id: &'static str, clause: &'static str, level: Level, explain: &'static str) -> Entry {
    Entry::both::<HeadFlaw>(RuleInfo {
        id,
        title: explain,
        clause,
        level,
        editions: EVERY,
        explain,
    })
}

/// Speaks of the one flaw of an HTTP head that the rule is named after.
#[derive(Debug, Default)]
struct HeadFlaw;

impl Check for HeadFlaw {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(attempt) = Attempt::of(seen) else { return };
        if attempt.flaws.is_empty() || (attempt.by == Party::Dut) != (context.dut == "station") {
            return;
        }
        let title = out.info().title;
        let name = out.info().id.strip_prefix("upgrade/").unwrap_or_default();
        let is = |flaw: &String| flaw.strip_prefix("upgrade-").unwrap_or(flaw) == name;
        if attempt.flaws.iter().any(is) {
            let head = if attempt.by == Party::Dut {
                attempt.request
            } else {
                attempt.response
            };
            let line = head.map_or("nothing", |head| head.line.as_str());
            out.add(format!("the upgrade is ill-formed: {name}"), title, short(line));
        }
    }
}

/// What is the same in a connection that came up and one that did not.
struct Attempt<'a> {
    by: Party,
    request: Option<&'a Head>,
    response: Option<&'a Head>,
    flaws: &'a [String],
    refused: bool,
}

impl<'a> Attempt<'a> {
    fn of(seen: Seen<'a>) -> Option<Self> {
        let Seen::Event(event) = seen else { return None };
        match &event.what {
            What::Opened {
                by,
                request,
                response,
                flaws,
                ..
            } => {
                let (request, response) = (Some(request), Some(response));
                Some(Self {
                    by: *by,
                    request,
                    response,
                    flaws,
                    refused: false,
                })
            }
            What::Refused {
                by,
                request,
                response,
                flaws,
                ..
            } => {
                let (request, response) = (request.as_ref(), response.as_ref());
                Some(Self {
                    by: *by,
                    request,
                    response,
                    flaws,
                    refused: true,
                })
            }
            _ => None,
        }
    }

    fn offers(&self) -> Vec<&'a str> {
        self.request
            .map(|head| tokens(head, "Sec-WebSocket-Protocol"))
            .unwrap_or_default()
    }

    fn status(&self) -> Option<u16> {
        self.response?.line.split(' ').nth(1)?.parse().ok()
    }
}

fn tokens<'a>(head: &'a Head, name: &str) -> Vec<&'a str> {
    let values = head
        .headers
        .iter()
        .filter(|(header, _)| header.eq_ignore_ascii_case(name));
    values
        .flat_map(|(_, value)| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .collect()
}

fn is_ocpp(subprotocol: &str) -> bool {
    matches!(
        subprotocol,
        "ocpp1.2" | "ocpp1.5" | "ocpp1.6" | "ocpp2.0" | "ocpp2.0.1" | "ocpp2.1"
    )
}

/// What a station offers.
#[derive(Debug, Default)]
struct Offer;

impl Check for Offer {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(attempt) = Attempt::of(seen).filter(|a| a.by == Party::Dut && a.request.is_some()) else {
            return;
        };
        let (offers, wanted) = (attempt.offers(), context.edition.subprotocol());
        if !offers.contains(&wanted) {
            let actual = if offers.is_empty() {
                "nothing".to_owned()
            } else {
                short(&offers.join(", "))
            };
            out.add(
                "the station does not offer the version under test",
                wanted,
                actual,
            );
        }
    }
}

/// Where a station puts its identity.
#[derive(Debug, Default)]
struct Path;

impl Check for Path {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let attempt = Attempt::of(seen).filter(|attempt| attempt.by == Party::Dut);
        let Some(request) = attempt.and_then(|attempt| attempt.request) else {
            return;
        };
        let Some(target) = request.line.split(' ').nth(1) else {
            return;
        };
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        if last.is_empty() || !is_encoded(last) {
            out.add(
                "the path does not end with an identity",
                "/…/IDENTITY, percent-encoded",
                short(target),
            );
        }
    }
}

/// True where every percent sign begins an escape.
fn is_encoded(part: &str) -> bool {
    let bytes = part.as_bytes();
    let escape = |at: usize| {
        bytes
            .get(at + 1..at + 3)
            .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || escape(at))
}

/// How soon a refused station comes again.
#[derive(Debug, Default)]
struct BackOff {
    refused: VecDeque<Timestamp>,
}

impl Check for BackOff {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        const ATTEMPTS: usize = 10;
        let Some(attempt) = Attempt::of(seen).filter(|attempt| attempt.by == Party::Dut) else {
            return;
        };
        if !attempt.refused || attempt.status() != Some(404) {
            self.refused.clear();
            return;
        }
        self.refused.push_back(context.at);
        if self.refused.len() < ATTEMPTS {
            return;
        }
        let first = self.refused.pop_front().unwrap_or(context.at);
        if context.at.since(first) <= Duration::from_secs(10) {
            let actual = format!(
                "{ATTEMPTS} attempts in {:.1} s",
                context.at.since(first).as_secs_f64()
            );
            out.add(
                "a station that is refused keeps dialling without back-off",
                "growing pauses",
                actual,
            );
            self.refused.clear();
        }
    }
}

/// What a CSMS agrees to.
#[derive(Debug, Default)]
struct Agreed;

impl Check for Agreed {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Seen::Event(event) = seen else { return };
        let What::Opened {
            by: Party::Us,
            subprotocol: Some(agreed),
            ..
        } = &event.what
        else {
            return;
        };
        if !is_ocpp(agreed) {
            out.add(
                "the CSMS agreed to a subprotocol that does not exist",
                "no header, then a close",
                short(agreed),
            );
        }
    }
}

/// What a CSMS does when nothing was agreed on.
#[derive(Debug, Default)]
struct Serves {
    open: BTreeMap<u32, Timestamp>,
}

impl Check for Serves {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let late = |since: Timestamp| context.at.since(since) > message_timeout(context);
        let late: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, since)| late(**since))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in late {
            self.open.remove(&conn);
            let actual = format!("open after {}", shown(message_timeout(context)));
            out.add(
                "the CSMS did not close a connection without agreed subprotocol",
                "a close at once",
                actual,
            );
        }
        let Seen::Event(event) = seen else { return };
        match &event.what {
            What::Opened {
                conn,
                by: Party::Us,
                request,
                subprotocol: None,
                ..
            } if !tokens(request, "Sec-WebSocket-Protocol").is_empty() => {
                self.open.insert(*conn, context.at);
            }
            What::Frame {
                conn,
                from: Party::Dut,
                opcode: 1 | 2,
                ..
            } if self.open.remove(conn).is_some() => {
                let message = "the CSMS went on without agreed subprotocol";
                out.add(message, "a close at once", "a message");
            }
            What::Closing { conn, .. } | What::Closed { conn, .. } => {
                self.open.remove(conn);
            }
            _ => {}
        }
    }
}

/// How a CSMS turns down a subprotocol.
#[derive(Debug, Default)]
struct Completes;

impl Check for Completes {
    const WANTS: u8 = Wants::EVENT;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(attempt) = Attempt::of(seen).filter(|a| a.by == Party::Us && a.refused) else {
            return;
        };
        let offers = attempt.offers();
        let strange = !offers.is_empty() && !offers.iter().any(|offer| is_ocpp(offer));
        if let Some(status @ (400 | 406 | 415 | 426 | 500 | 501)) = attempt.status().filter(|_| strange) {
            let message = "the CSMS refused the upgrade instead of completing it without subprotocol";
            out.add(
                message,
                "101 without Sec-WebSocket-Protocol, then a close",
                format!("HTTP {status}"),
            );
        }
    }
}
