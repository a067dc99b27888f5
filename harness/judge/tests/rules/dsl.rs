//! Traces as short texts.
//!
//! One line is one event, or a whole exchange. A line that begins with `- ` stands in the passing trace only, one that
//! begins with `+ ` in the failing one only. `dut` and `us` may carry `#id`, `!wire-flaw` and `~cause`.
//!
//! ```text
//! up                                   connection 1 was open before the trace began
//! fact NAME JSON                       a fact of the premise
//! value GROUP.NAME JSON                a `$` value of the premise
//! open [offer=A,B] [sub=A|none] [flaw=F] [path=P] [identity=I]  the connection came up; it has the next number
//! on N                                 what follows happens on connection N
//! refused STATUS [offer=A,B] [flaw=F]  it did not
//! closed dut|us HOW    closing dut|us CODE [FLAW]    link OP    process WHAT    ask VERB [ARGS]    tick    end
//! dut ACTION JSON      dut => JSON     dut =! CODE WORDS       dut raw TEXT       dut ping|pong|binary|bytes WORD
//! wait SECONDS                         time goes by
//! boots    reports N STATUS [ERROR]    starts N TAG ID METER    stops ID METER [REASON]    beats
//! ```
//! `=>` answers the oldest open CALL of the other side. In JSON `$now`, `$now-60`, `$now+60` stand for instants.

#![expect(
    clippy::unwrap_used,
    reason = "a trace text that cannot be read is a mistake in the test"
)]

use std::collections::BTreeMap;

use plugfest_judge::{Finding, rules};
use plugfest_protocol::{Edition, Json, Timestamp};
use plugfest_trace::{Cause, Data, Event, Head, OpenConnection, Outcome, Party, Premise, SCHEMA, What};

/// A trace that passes, and in it the one edit that makes a rule speak.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub rule: &'static str,
    pub dut: &'static str,
    pub trace: &'static str,
}

/// A pair about a station.
pub(crate) const fn station(rule: &'static str, trace: &'static str) -> Pair {
    let dut = "station";
    Pair { rule, dut, trace }
}

/// A pair about a CSMS.
pub(crate) const fn csms(rule: &'static str, trace: &'static str) -> Pair {
    let dut = "csms";
    Pair { rule, dut, trace }
}

/// Which of the two traces of a pair.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Version {
    Passing,
    Failing,
}

/// Says what is wrong with the edit of a pair: it must be one line taken out, put in, or exchanged.
pub(crate) fn edits(trace: &str) -> Result<(), String> {
    let marks: Vec<char> = trace
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| match line {
            _ if line.starts_with("- ") => '-',
            _ if line.starts_with("+ ") => '+',
            _ => ' ',
        })
        .collect();
    let marks: String = marks.into_iter().collect();
    match marks.trim() {
        "-" | "+" | "-+" => Ok(()),
        "" => Err("there is no edit".to_owned()),
        other => Err(format!("more than one edit: `{other}`")),
    }
}

/// What the rules find in one version of a trace.
pub(crate) fn judge(dut: &str, trace: &str, version: Version) -> Vec<Finding> {
    let scribe = Scribe::of(dut, trace, version);
    let (values, facts) = (scribe.values.clone(), scribe.facts.clone());
    rules::run(Edition::ocpp16(), dut, &values, &facts, &scribe.finish())
}

/// The facts of the premise, and the events of one version of a trace.
pub(crate) fn events(dut: &str, trace: &str, version: Version) -> (BTreeMap<String, Json>, Vec<Event>) {
    let scribe = Scribe::of(dut, trace, version);
    (scribe.facts.clone(), scribe.finish())
}

struct Scribe {
    dut: String,
    at: Timestamp,
    events: Vec<Event>,
    facts: BTreeMap<String, Json>,
    values: Json,
    open: Vec<OpenConnection>,
    conn: u32,
    conns: u32,
    next_id: u32,
    next_ask: u32,
    waiting: Vec<(Party, String)>,
}

const IDENTITY: &str = "CP-1";

impl Scribe {
    fn new(dut: &str) -> Self {
        Self {
            dut: dut.to_owned(),
            at: Timestamp::parse("2026-03-01T12:00:00Z").unwrap(),
            events: Vec::new(),
            facts: BTreeMap::new(),
            values: Json::empty(),
            open: Vec::new(),
            conn: 0,
            conns: 0,
            next_id: 1,
            next_ask: 1,
            waiting: Vec::new(),
        }
    }

    fn of(dut: &str, trace: &str, version: Version) -> Self {
        let mut scribe = Self::new(dut);
        for line in trace.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = match (line.strip_prefix("- "), line.strip_prefix("+ "), version) {
                (Some(line), _, Version::Passing) | (_, Some(line), Version::Failing) => line,
                (Some(_), _, _) | (_, Some(_), _) => continue,
                _ => line,
            };
            scribe.line(line.trim());
        }
        scribe
    }

    fn finish(self) -> Vec<Event> {
        let premise = Premise {
            schema: SCHEMA.to_owned(),
            tool: "test".to_owned(),
            protocol: "OCPP-1.6".to_owned(),
            dut: self.dut.clone(),
            identity: IDENTITY.to_owned(),
            case: None,
            for_values: BTreeMap::new(),
            values: self.values.clone(),
            pics: BTreeMap::new(),
            facts: self.facts.clone(),
            connections: self.open.clone(),
            vary: None,
            seed: 0,
            driver: None,
        };
        let at = self.events.first().map_or(self.at, |event| event.at);
        let mut events = vec![Event {
            seq: 0,
            at,
            what: What::Premise(Box::new(premise)),
        }];
        events.extend(self.events);
        events
    }

    fn add(&mut self, what: What) {
        self.at = Timestamp::from_micros(self.at.as_micros() + 10_000);
        let seq = self.events.len() as u64 + 1;
        self.events.push(Event {
            seq,
            at: self.at,
            what,
        });
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "up" => {
                self.conn = 1;
                self.conns = 1;
                let subprotocol = Some("ocpp1.6".to_owned());
                self.open.push(OpenConnection {
                    conn: 1,
                    identity: IDENTITY.to_owned(),
                    subprotocol,
                });
            }
            "fact" => {
                let (name, value) = rest.split_once(' ').unwrap();
                let value = self.json(value);
                self.facts.insert(name.to_owned(), value);
            }
            "value" => self.value(rest),
            "open" => self.opened(rest),
            "on" => self.conn = rest.parse().unwrap(),
            "refused" => self.refused(rest),
            "closed" => {
                let (by, how) = rest.split_once(' ').unwrap();
                let conn = self.conn;
                self.add(What::Closed {
                    conn,
                    by: party(by),
                    how: how.to_owned(),
                });
                self.waiting.clear();
            }
            "closing" => {
                let mut words = rest.split(' ');
                let from = party(words.next().unwrap());
                let code = words.next().and_then(|code| code.parse().ok());
                let flaws = words.map(str::to_owned).collect();
                let conn = self.conn;
                self.add(What::Closing {
                    conn,
                    from,
                    code,
                    reason: String::new(),
                    flaws,
                });
            }
            "link" => self.add(What::Link { op: rest.to_owned() }),
            "process" => self.add(What::Process {
                what: rest.to_owned(),
                text: String::new(),
            }),
            "tick" => self.add(What::Tick),
            "end" => self.add(What::End),
            "wait" => {
                let seconds: f64 = rest.parse().unwrap();
                self.at = Timestamp::from_micros(self.at.as_micros() + (seconds * 1e6) as i64);
            }
            "ask" => self.ask(rest),
            "boots" | "reports" | "starts" | "stops" | "beats" => self.exchange(word, rest),
            _ => self.frame(word, rest),
        }
    }

    fn value(&mut self, rest: &str) {
        let (path, value) = rest.split_once(' ').unwrap();
        let (group, name) = path.split_once('.').unwrap();
        let value = Json::parse(value).unwrap();
        let object = self.values.as_object_mut().unwrap();
        if object.get(group).is_none() {
            object.insert(group, Json::empty());
        }
        object
            .get_mut(group)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .insert(name, value);
    }

    fn dialler(&self) -> Party {
        if self.dut == "station" {
            Party::Dut
        } else {
            Party::Us
        }
    }

    fn heads(rest: &str) -> (Head, Head, Option<String>, Vec<String>) {
        let (mut offer, mut sub, mut flaws, mut path) = ("ocpp1.6", "", Vec::new(), "/ocpp/CP-1");
        for word in rest.split_whitespace() {
            match word.split_once('=') {
                Some(("offer", value)) => offer = value,
                Some(("sub", value)) => sub = value,
                Some(("flaw", value)) => flaws.push(value.to_owned()),
                Some(("path", value)) => path = value,
                _ => {}
            }
        }
        let sub = match sub {
            "" => Some("ocpp1.6".to_owned()),
            "none" => None,
            other => Some(other.to_owned()),
        };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut request = Head {
            line: format!("GET {path} HTTP/1.1"),
            headers: vec![header("Host", "localhost")],
        };
        if offer != "none" {
            request
                .headers
                .push(header("Sec-WebSocket-Protocol", &offer.replace(',', ", ")));
        }
        let mut response = Head {
            line: "HTTP/1.1 101 Switching Protocols".to_owned(),
            headers: Vec::new(),
        };
        if let Some(sub) = &sub {
            response.headers.push(header("Sec-WebSocket-Protocol", sub));
        }
        (request, response, sub, flaws)
    }

    fn opened(&mut self, rest: &str) {
        let (request, response, subprotocol, flaws) = Self::heads(rest);
        self.conns += 1;
        self.conn = self.conns;
        self.waiting.clear();
        let (conn, by, identity) = (
            self.conn,
            self.dialler(),
            rest.split_whitespace()
                .find_map(|word| word.strip_prefix("identity="))
                .unwrap_or(IDENTITY)
                .to_owned(),
        );
        self.add(What::Opened {
            conn,
            identity,
            by,
            request,
            response,
            subprotocol,
            flaws,
            security: None,
        });
    }

    fn refused(&mut self, rest: &str) {
        let (request, mut response, _, flaws) = Self::heads(rest);
        let status = rest.split(' ').next().unwrap();
        response.line = format!("HTTP/1.1 {status} No");
        response.headers.clear();
        self.conns += 1;
        self.conn = self.conns;
        let (conn, by, identity) = (self.conn, self.dialler(), IDENTITY.to_owned());
        let (request, response) = (Some(request), Some(response));
        self.add(What::Refused {
            conn,
            identity,
            by,
            request,
            response,
            reason: "refused".to_owned(),
            flaws,
        });
    }

    fn ask(&mut self, rest: &str) {
        let (verb, args) = rest.split_once(' ').unwrap_or((rest, "{}"));
        let (call, args) = (self.next_ask, self.json(args));
        self.next_ask += 1;
        self.add(What::Asked {
            call,
            verb: verb.to_owned(),
            args,
        });
        self.add(What::Performed {
            call,
            outcome: Outcome::Done,
        });
    }

    fn exchange(&mut self, word: &str, rest: &str) {
        let words: Vec<&str> = rest.split_whitespace().collect();
        let word_at = |n: usize| words.get(n).copied().unwrap_or_default();
        let (call, answer) = match word {
            "boots" => (
                r#"BootNotification {"chargePointVendor":"V","chargePointModel":"M"}"#.to_owned(),
                r#"{"status":"Accepted","currentTime":"$now","interval":300}"#.to_owned(),
            ),
            "reports" => {
                let error = if word_at(2).is_empty() {
                    "NoError"
                } else {
                    word_at(2)
                };
                let call = format!(
                    r#"StatusNotification {{"connectorId":{},"status":"{}","errorCode":"{error}"}}"#,
                    word_at(0),
                    word_at(1)
                );
                (call, "{}".to_owned())
            }
            "starts" => (
                format!(
                    r#"StartTransaction {{"connectorId":{},"idTag":"{}","meterStart":{},"timestamp":"$now"}}"#,
                    word_at(0),
                    word_at(1),
                    word_at(3)
                ),
                format!(
                    r#"{{"transactionId":{},"idTagInfo":{{"status":"Accepted"}}}}"#,
                    word_at(2)
                ),
            ),
            "stops" => {
                let reason = match word_at(2) {
                    "" => String::new(),
                    reason => format!(r#","reason":"{reason}""#),
                };
                let call = format!(
                    r#"StopTransaction {{"transactionId":{},"meterStop":{},"timestamp":"$now"{reason}}}"#,
                    word_at(0),
                    word_at(1)
                );
                (call, "{}".to_owned())
            }
            _ => ("Heartbeat {}".to_owned(), r#"{"currentTime":"$now"}"#.to_owned()),
        };
        let (station, csms) = if self.dut == "station" {
            ("dut", "us")
        } else {
            ("us", "dut")
        };
        self.frame(station, &call);
        self.frame(csms, &format!("=> {answer}"));
    }

    fn frame(&mut self, speaker: &str, rest: &str) {
        let mut id = None;
        let mut flaws = Vec::new();
        let mut cause = Cause::Ordinary;
        let marks = speaker.find(['#', '!', '~']).unwrap_or(speaker.len());
        let (name, mut marks) = speaker.split_at(marks);
        while let Some(mark) = marks.chars().next() {
            let end = marks[1..]
                .find(['#', '!', '~'])
                .map_or(marks.len(), |end| end + 1);
            let word = &marks[1..end];
            match mark {
                '#' => id = Some(word.to_owned()),
                '!' => flaws.push(word.to_owned()),
                _ => {
                    cause = if word == "probe" {
                        Cause::Probe
                    } else {
                        Cause::Story
                    }
                }
            }
            marks = &marks[end..];
        }
        let from = party(name);
        let cause = (from == Party::Us).then_some(cause);
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (mut opcode, mut data) = (1, None);
        let text = match word {
            "raw" => rest.to_owned(),
            "ping" | "pong" | "binary" | "bytes" => {
                opcode = match word {
                    "ping" => 9,
                    "pong" => 10,
                    "bytes" => 1,
                    _ => 2,
                };
                data = Some(Data::Bytes {
                    base64: rest.to_owned(),
                });
                String::new()
            }
            "=>" | "=!" => {
                let open = self.waiting.iter().position(|(caller, _)| *caller != from);
                let open = open.map(|at| self.waiting.remove(at).1);
                let id = id.or(open).unwrap_or_else(|| panic!("nothing to answer: {rest}"));
                if word == "=>" {
                    format!(r#"[3,"{id}",{}]"#, self.placed(rest))
                } else {
                    let (code, words) = rest.split_once(' ').unwrap_or((rest, ""));
                    format!(r#"[4,"{id}","{code}","{words}",{{}}]"#)
                }
            }
            action => {
                let id = id.unwrap_or_else(|| {
                    self.next_id += 1;
                    format!("m{}", self.next_id)
                });
                self.waiting.push((from, id.clone()));
                format!(r#"[2,"{id}","{action}",{}]"#, self.placed(rest))
            }
        };
        let conn = self.conn;
        let data = data.unwrap_or(Data::Text { text });
        self.add(What::Frame {
            conn,
            from,
            opcode,
            data,
            flaws,
            cause,
        });
    }

    fn json(&self, text: &str) -> Json {
        Json::parse(&self.placed(text)).unwrap()
    }

    /// The text with its instants put in.
    fn placed(&self, text: &str) -> String {
        let mut parts = text.split("$now");
        let mut placed = parts.next().unwrap().to_owned();
        for part in parts {
            let end = part.find('"').unwrap_or(part.len());
            let shift: f64 = if end == 0 {
                0.0
            } else {
                part[..end].parse().unwrap()
            };
            placed += &Timestamp::from_micros(self.at.as_micros() + (shift * 1e6) as i64).to_rfc3339();
            placed += &part[end..];
        }
        placed
    }
}

fn party(name: &str) -> Party {
    match name {
        "dut" => Party::Dut,
        "us" => Party::Us,
        other => panic!("`{other}` is no speaker"),
    }
}
