//! A zoo of hostile devices, on both sides, over real sockets: each gets a verdict with evidence, within bounds of time and
//! memory, and is never taken for a good one. `docs/zoo.md` is the table of it.

use std::fmt::Write as _;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::live::{Live, csms_profile, free_port, results};
use crate::peer::{converse, honest, listen, swallow, upgrade, upgrade_with, write};
use crate::support::Desk;

/// How long one case may take with a device that is waited a second for.
const LIMIT: Duration = Duration::from_mins(1);
/// What a run may hold beyond one with an honest device, in KiB.
const MEMORY: u64 = 64 << 10;
/// What somebody's terminal, XML or HTML would take for its own.
const SLY: &str = "]]><failure/></td></table><script>alert(1)</script>\u{1b}[2J|`*";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Csms,
    Station,
}

/// A device whose connection is up. A station has booted.
struct Peer {
    socket: WebSocket<TcpStream>,
    side: Side,
    /// What was asked while it booted: message id, action, payload.
    asked: Vec<[Value; 3]>,
}

impl Peer {
    /// Meets every CALL with what `reply` says.
    fn talks(&mut self, reply: impl Fn(&str, &str, &Value) -> Vec<String>) {
        for [id, action, payload] in std::mem::take(&mut self.asked) {
            let (Some(id), Some(action)) = (id.as_str(), action.as_str()) else {
                continue;
            };
            for text in reply(id, action, &payload) {
                if self.socket.send(Message::text(text)).is_err() {
                    return;
                }
            }
        }
        converse(&mut self.socket, reply);
    }
}

/// When it begins to misbehave.
#[derive(Clone, Copy)]
enum Deed {
    /// Before the handshake.
    Early(fn(TcpStream)),
    /// When the connection is up.
    Up(fn(Peer)),
}

use Deed::{Early, Up};

struct Animal {
    name: &'static str,
    deed: Deed,
    /// The verdict on it as a CSMS, with the rule that says why where one does.
    csms: Option<(&'static str, &'static str)>,
    /// The same as a station.
    station: Option<(&'static str, &'static str)>,
}

const fn both(
    name: &'static str,
    deed: Deed,
    csms: (&'static str, &'static str),
    station: (&'static str, &'static str),
) -> Animal {
    Animal {
        name,
        deed,
        csms: Some(csms),
        station: Some(station),
    }
}

const fn csms(name: &'static str, deed: Deed, verdict: (&'static str, &'static str)) -> Animal {
    Animal {
        name,
        deed,
        csms: Some(verdict),
        station: None,
    }
}

const fn station(name: &'static str, deed: Deed, verdict: (&'static str, &'static str)) -> Animal {
    Animal {
        name,
        deed,
        csms: None,
        station: Some(verdict),
    }
}

const ZOO: &[Animal] = &[
    both("behaves", Up(behaves), ("pass", ""), ("pass", "")),
    both(
        "never answers",
        Up(|peer| swallow(peer.socket.get_ref())),
        ("fail", "line/missing"),
        ("fail", "answers/missing"),
    ),
    both(
        "answers after three seconds",
        Up(late),
        ("fail", "line/missing"),
        ("fail", "answers/missing"),
    ),
    both(
        "answers twice",
        Up(twice),
        ("fail", "answers/second"),
        ("fail", "answers/second"),
    ),
    both(
        "answers under an id that nobody asked with",
        Up(wrong_id),
        ("fail", "answers/stray"),
        ("fail", "answers/stray"),
    ),
    both(
        "sends 5,000 messages as fast as it can",
        Up(floods),
        ("fail", ""),
        ("fail", ""),
    ),
    both(
        "sends a message byte by byte, one a second",
        Up(trickles),
        ("fail", ""),
        ("fail", ""),
    ),
    both("sends a message of 20 MB", Up(huge), ("fail", ""), ("fail", "")),
    both(
        "sends a frame that never ends",
        Up(endless),
        ("fail", ""),
        ("fail", ""),
    ),
    both(
        "sends 200,000 opening brackets",
        Up(deep),
        ("fail", ""),
        ("fail", ""),
    ),
    both(
        "sends a compressed message that was not agreed on",
        Up(compressed),
        ("fail", "wire/rsv-bits"),
        ("fail", "wire/rsv-bits"),
    ),
    both(
        "announces more bytes than it sends",
        Up(lies),
        ("fail", "wire/truncated-at-eof"),
        ("fail", "wire/truncated-at-eof"),
    ),
    both(
        "sends what is no UTF-8",
        Up(bad_utf8),
        ("fail", "wire/invalid-utf8"),
        ("fail", "wire/invalid-utf8"),
    ),
    both(
        "sets reserved bits",
        Up(reserved),
        ("fail", "wire/rsv-bits"),
        ("fail", "wire/rsv-bits"),
    ),
    csms("masks its frames", Up(wrong_mask), ("fail", "wire/masked")),
    station(
        "does not mask its frames",
        Up(wrong_mask),
        ("fail", "wire/unmasked"),
    ),
    both(
        "closes its half of the connection",
        Up(half_closed),
        ("fail", ""),
        ("fail", ""),
    ),
    both(
        "prints terminal codes, XML and HTML in every string",
        Up(sly),
        ("fail", ""),
        ("fail", ""),
    ),
    both(
        "closes the connection at once",
        Early(drop),
        ("fail", "line/away"),
        ("blocked", ""),
    ),
    both(
        "resets the connection at once",
        Early(reset_at_once),
        ("fail", "line/away"),
        ("blocked", ""),
    ),
    both(
        "resets it in the middle of the handshake",
        Early(reset_in_head),
        ("fail", "line/away"),
        ("blocked", ""),
    ),
    both(
        "resets it when it is up",
        Up(reset_when_up),
        ("fail", "liveness/closed-after-frame"),
        ("fail", "liveness/closed-after-frame"),
    ),
    both(
        "resets it in the middle of a frame",
        Up(reset_in_frame),
        ("fail", "wire/truncated-at-eof"),
        ("fail", "wire/truncated-at-eof"),
    ),
    csms(
        "sends garbage instead of HTTP",
        Early(garbage),
        ("fail", "upgrade/bad-status-line"),
    ),
    csms(
        "never answers the upgrade",
        Early(|stream| swallow(&stream)),
        ("fail", "line/away"),
    ),
    csms(
        "agrees to an extension that was not offered",
        Early(unoffered),
        ("fail", "upgrade/unoffered-extension"),
    ),
    station("connects 1,000 times", Up(crowds), ("pass", "")),
];

fn behaves(mut peer: Peer) {
    let side = peer.side;
    peer.talks(|id, action, payload| vec![answer(side, id, action, payload)]);
}

fn late(mut peer: Peer) {
    let side = peer.side;
    peer.talks(|id, action, payload| {
        pause(Duration::from_secs(3));
        vec![answer(side, id, action, payload)]
    });
}

fn twice(mut peer: Peer) {
    let side = peer.side;
    peer.talks(|id, action, payload| {
        vec![
            answer(side, id, action, payload),
            answer(side, id, action, payload),
        ]
    });
}

fn wrong_id(mut peer: Peer) {
    let side = peer.side;
    peer.talks(|_, action, payload| vec![answer(side, "nobody-asked", action, payload)]);
}

fn floods(mut peer: Peer) {
    let action = if peer.side == Side::Csms {
        "GetConfiguration"
    } else {
        "Heartbeat"
    };
    for n in 0..5_000 {
        let call = format!("[2,\"flood-{n}\",\"{action}\",{{}}]");
        if peer.socket.send(Message::text(call)).is_err() {
            return;
        }
    }
    swallow(peer.socket.get_ref());
}

fn trickles(peer: Peer) {
    let call = frame(
        peer.side,
        0x81,
        b"[2,\"slow\",\"DataTransfer\",{\"vendorId\":\"x\"}]",
    );
    for byte in call {
        if !write(peer.socket.get_ref(), &[byte]) {
            return;
        }
        pause(Duration::from_secs(1));
    }
}

fn huge(peer: Peer) {
    write(
        peer.socket.get_ref(),
        &frame(peer.side, 0x81, &vec![b'x'; 20 << 20]),
    );
    swallow(peer.socket.get_ref());
}

fn endless(peer: Peer) {
    write(peer.socket.get_ref(), &head(peer.side, 0x81, 1 << 40));
    while write(peer.socket.get_ref(), &vec![b'x'; 65_536]) {}
}

fn deep(peer: Peer) {
    write(
        peer.socket.get_ref(),
        &frame(peer.side, 0x81, &vec![b'['; 200_000]),
    );
    swallow(peer.socket.get_ref());
}

/// Half a megabyte of one byte said again and again, in the code of deflate: 258 bytes for each bit pair.
fn compressed(peer: Peer) {
    write(peer.socket.get_ref(), &frame(peer.side, 0xC1, &vec![0; 500_000]));
    swallow(peer.socket.get_ref());
}

fn lies(peer: Peer) {
    write(peer.socket.get_ref(), &head(peer.side, 0x81, 60_000));
    write(peer.socket.get_ref(), b"[2,\"short\"");
}

fn bad_utf8(peer: Peer) {
    write(
        peer.socket.get_ref(),
        &frame(peer.side, 0x81, &[b'[', 0xC3, 0x28]),
    );
    swallow(peer.socket.get_ref());
}

fn reserved(peer: Peer) {
    write(peer.socket.get_ref(), &frame(peer.side, 0xA1, b"[]"));
    swallow(peer.socket.get_ref());
}

fn wrong_mask(peer: Peer) {
    let other = if peer.side == Side::Csms {
        Side::Station
    } else {
        Side::Csms
    };
    write(peer.socket.get_ref(), &frame(other, 0x81, b"[3,\"x\",{}]"));
    swallow(peer.socket.get_ref());
}

fn half_closed(peer: Peer) {
    drop(peer.socket.get_ref().shutdown(Shutdown::Write));
    swallow(peer.socket.get_ref());
}

fn sly(mut peer: Peer) {
    peer.talks(|id, _, _| {
        vec![
            json!([3, id, {"status": SLY, "currentTime": SLY, SLY: SLY, "configurationKey": [{"key": SLY}]}])
                .to_string(),
        ]
    });
}

/// What was sent to a socket and is not read when it is closed makes the system reset the connection.
fn reset(stream: &TcpStream) {
    drop(stream.peek(&mut [0]));
}

fn reset_at_once(stream: TcpStream) {
    write(&stream, b"");
    reset(&stream);
}

fn reset_in_head(stream: TcpStream) {
    write(&stream, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web");
    reset(&stream);
}

fn reset_when_up(peer: Peer) {
    reset(peer.socket.get_ref());
}

fn reset_in_frame(peer: Peer) {
    write(peer.socket.get_ref(), &head(peer.side, 0x81, 60_000));
    reset(peer.socket.get_ref());
}

fn garbage(stream: TcpStream) {
    let garbage: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    write(&stream, &garbage);
    swallow(&stream);
}

fn unoffered(stream: TcpStream) {
    let headers = [("sec-websocket-extensions", "permessage-deflate".to_owned())];
    if let Some(socket) = upgrade_with(stream, &headers) {
        behaves(Peer {
            socket,
            side: Side::Csms,
            asked: Vec::new(),
        });
    }
}

/// A thousand connections beside the good one, which say nothing and stay as long as it does.
fn crowds(peer: Peer) {
    let to = peer.socket.get_ref().peer_addr().unwrap();
    let (leave, stay) = channel::<()>();
    let crowd = std::thread::spawn(move || {
        let crowd: Vec<_> = (0..1_000).map_while(|_| TcpStream::connect(to).ok()).collect();
        let _left = stay.recv();
        drop(crowd);
    });
    behaves(peer);
    drop(leave);
    drop(crowd.join());
}

/// The wait of a device; it is no test that waits.
fn pause(time: Duration) {
    let (_silent, nothing) = channel::<()>();
    let _nothing = nothing.recv_timeout(time);
}

fn answer(side: Side, id: &str, action: &str, payload: &Value) -> String {
    let result = match (side, action) {
        (Side::Csms, _) => return honest(id, action),
        (Side::Station, "GetConfiguration") => {
            let known = json!({"key": "SupportedFeatureProfiles", "readonly": true, "value": "Core"});
            let asked = payload["key"].as_array().cloned().unwrap_or_default();
            let (ours, unknown): (Vec<_>, Vec<_>) = asked.into_iter().partition(|key| *key == known["key"]);
            json!({"configurationKey": ours.iter().map(|_| &known).collect::<Vec<_>>(), "unknownKey": unknown})
        }
        (Side::Station, "TriggerMessage") => json!({"status": "NotImplemented"}),
        (Side::Station, _) => json!({"status": "Rejected"}),
    };
    json!([3, id, result]).to_string()
}

/// The head of a frame; a station masks by the key 0, which changes nothing.
fn head(side: Side, first: u8, length: u64) -> Vec<u8> {
    let mask = if side == Side::Station { 0x80 } else { 0 };
    let mut head = vec![first];
    match length {
        0..126 => head.push(mask | length as u8),
        126..65_536 => {
            head.push(mask | 0x7E);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(mask | 0x7F);
            head.extend(length.to_be_bytes());
        }
    }
    if mask != 0 {
        head.extend([0; 4]);
    }
    head
}

fn frame(side: Side, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(side, first, payload.len() as u64);
    frame.extend(payload);
    frame
}

/// Dials the harness, as soon as it listens, and boots.
fn arrives(port: u16, deed: Deed) {
    let stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(_) => pause(Duration::from_millis(20)),
        }
    };
    let meet = match deed {
        Early(meet) => return meet(stream),
        Up(meet) => meet,
    };
    let mut request = format!("ws://127.0.0.1:{port}/CP-1")
        .into_client_request()
        .unwrap();
    let version = HeaderValue::from_static("ocpp1.6");
    request.headers_mut().insert("Sec-WebSocket-Protocol", version);
    let Ok((mut socket, _)) = client(request, stream) else {
        return;
    };
    let boot =
        "[2,\"b\",\"BootNotification\",{\"chargePointVendor\":\"zoo\",\"chargePointModel\":\"animal\"}]";
    let status = |n: u8| {
        format!(
            "[2,\"s{n}\",\"StatusNotification\",{{\"connectorId\":{n},\"errorCode\":\"NoError\",\"status\":\"Available\"}}]"
        )
    };
    let mut asked = Vec::new();
    for call in [boot.to_owned(), status(0), status(1)] {
        if socket.send(Message::text(call)).is_err() {
            return;
        }
        loop {
            let Ok(message) = socket.read() else { return };
            let text = message.to_text().unwrap_or_default();
            let frame: Value = serde_json::from_str(text).unwrap_or_default();
            if frame[0] == 3 {
                break;
            }
            asked.push([frame[1].clone(), frame[2].clone(), frame[3].clone()]);
        }
    }
    meet(Peer {
        socket,
        side: Side::Station,
        asked,
    });
}

/// Plays one case against an animal: the verdict, the rules that spoke, and the most memory that was held, in KiB.
fn meets(deed: Deed, side: Side) -> (String, Vec<String>, u64) {
    let desk = Desk::new();
    let case = match side {
        Side::Csms => {
            let port = listen(move |stream| match deed {
                Early(meet) => meet(stream),
                Up(meet) => {
                    if let Some(socket) = upgrade(stream) {
                        meet(Peer {
                            socket,
                            side,
                            asked: Vec::new(),
                        });
                    }
                }
            });
            desk.file("plugfest.toml", csms_profile(port));
            "boot/accepted"
        }
        Side::Station => {
            let port = free_port();
            desk.file(
                "plugfest.toml",
                format!(
                    "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP-1\"\nlisten = \"127.0.0.1:{port}\"\n\
                     [timeouts]\nmessage = 1\naction = 1\nreboot = 1\nlong = 1\n"
                ),
            );
            std::thread::spawn(move || arrives(port, deed));
            "configuration/one-key"
        }
    };
    let (ran, memory) = Live::start(&desk, &["run", "--no-input", "--out", "o", case], LIMIT).ends_measured();
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert!(
        !ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'),
        "a terminal code came through"
    );
    let found = results(&desk, "o");
    assert_eq!(found["exit"], ran.code.unwrap(), "{found}");
    // A device that nobody reached has no result line.
    let first = &found["cases"][0];
    let verdict = first["verdict"].as_str().unwrap_or("not run").to_owned();
    let rules = first["findings"].as_array().into_iter().flatten();
    let mut rules: Vec<String> = rules
        .map(|finding| finding["rule"].as_str().unwrap().to_owned())
        .collect();
    rules.sort();
    rules.dedup();
    (verdict, rules, memory)
}

#[test]
fn every_animal_gets_its_verdict_within_bounds() {
    let (_, _, calm) = meets(Up(behaves), Side::Csms);
    assert!(calm > 0 || cfg!(not(target_os = "linux")), "nothing was measured");
    let (told, hear) = channel();
    let mut wrong = String::new();
    std::thread::scope(|scope| {
        for side in [Side::Csms, Side::Station] {
            let told = told.clone();
            scope.spawn(move || {
                for animal in ZOO {
                    let expected = if side == Side::Csms {
                        animal.csms
                    } else {
                        animal.station
                    };
                    let Some((verdict, rule)) = expected else { continue };
                    let (got, rules, memory) = meets(animal.deed, side);
                    let evident = rule.is_empty() || rules.iter().any(|own| own == rule);
                    if got != verdict || !evident || memory > calm + MEMORY {
                        let _heard = told.send(format!(
                            "{side:?} {}: {got} {rules:?} with {} MiB more, not {verdict} {rule}\n",
                            animal.name,
                            memory.saturating_sub(calm) >> 10
                        ));
                    }
                }
            });
        }
    });
    drop(told);
    for line in hear {
        wrong.push_str(&line);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn one_that_refuses_connections_is_not_judged() {
    let desk = Desk::new();
    desk.file("plugfest.toml", csms_profile(free_port()));
    let ran = Live::start(&desk, &["run", "--out", "o", "boot/accepted"], LIMIT).ends();
    ran.exits(3).complains("was not reached");
    assert_eq!(results(&desk, "o")["counts"]["pass"], 0);
}

#[test]
fn the_page_on_the_zoo_is_the_table() {
    let mut page = "# The zoo of hostile devices

What plugfest says of devices that misbehave below or beside the protocol, tried over real sockets by
`cargo test -p plugfest --test cli_whole zoo`. Each gets its verdict within a minute (with a patience of one second for an
answer), the process holds at most 64 MiB more than with an honest device, and no terminal code of the device reaches the
terminal. A CSMS is met by `boot/accepted`, a station by `configuration/one-key`. The rule is one of those that speak.

| the device | verdict on a CSMS | verdict on a station |
|---|---|---|
"
    .to_owned();
    let cell = |it: Option<(&str, &str)>| match it {
        None => String::new(),
        Some((verdict, "")) => verdict.to_owned(),
        Some((verdict, rule)) => format!("{verdict}, `{rule}`"),
    };
    for animal in ZOO {
        // Writing to a string cannot fail.
        let _always = writeln!(
            page,
            "| {} | {} | {} |",
            animal.name,
            cell(animal.csms),
            cell(animal.station)
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/zoo.md");
    if std::env::var_os("PLUGFEST_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap_or_default(),
        page,
        "PLUGFEST_GOLDEN=write writes it anew"
    );
}
