//! The always-on rules over somebody's log: both sides are judged, and what a log cannot show is not judged.
//!
//! A log knows no connections, begins in the middle of things and breaks off. So nothing is concluded from what came
//! before its first line or may have come after its last one, and rules that measure time look only at logs that tell it.

use std::collections::{BTreeMap, VecDeque};

use plugfest_protocol::{Direction, Edition, Frame, Json, Timestamp, read_frame};
use plugfest_trace::{Data, Event, OpenConnection, Party, Said, Speaker, What};

use crate::dialect::dialect;
use crate::facts::Facts;
use crate::finding::Finding;
use crate::rules;
use crate::watch::Watch;

/// The sides that are judged.
const SIDES: [&str; 2] = ["station", "csms"];
/// At most so many stations are told apart; those beyond are counted and not judged.
const MAX_STATIONS: usize = 4_096;
/// At most so many open CALLs of one station are remembered, to know who answers.
const MAX_OPEN: usize = 1_024;
/// The name of the station where the log names none.
const NAMELESS: &str = "";

/// What the log tells of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Nothing.
    None,
    /// When lines were written, but not in which zone: intervals can be judged, timestamps in frames cannot.
    Elapsed,
    /// When lines were written, in a known zone.
    Wall,
}

/// Something found in a log.
#[derive(Debug, Clone, PartialEq)]
pub struct LintFinding {
    /// The finding; its event is the line of the log.
    pub finding: Finding,
    /// The line of the log that decided it.
    pub line: u64,
    /// Whose fault it is: `station` or `csms`.
    pub side: &'static str,
    /// The station whose conversation it was; empty where the log names none.
    pub station: String,
}

/// Judges a log frame by frame.
#[derive(Debug)]
pub struct Lint {
    edition: &'static Edition,
    times: Times,
    /// The role of whoever wrote the log, where it is known.
    writer: Option<&'static str>,
    stations: BTreeMap<String, Station>,
    frames: u64,
    unjudged: BTreeMap<&'static str, u64>,
    last: Timestamp,
}

/// The conversation with one station.
#[derive(Debug)]
struct Station {
    watches: [Watch; 2],
    conn: u32,
    /// Ids and senders of open CALLs, the oldest first.
    open: VecDeque<(String, Party)>,
    /// A CALL has been seen in this conversation from the station, from the CSMS: what is answered before that was
    /// asked before the log began.
    begun: [bool; 2],
}

impl Lint {
    /// Judges by this edition. `writer` is the role of whoever wrote the log: `station`, `csms`, or unknown.
    pub fn new(edition: &'static Edition, times: Times, writer: Option<&'static str>) -> Self {
        Self {
            edition,
            times,
            writer,
            stations: BTreeMap::new(),
            frames: 0,
            unjudged: BTreeMap::new(),
            last: Timestamp::from_micros(0),
        }
    }

    /// The role of whoever wrote a log, found out from the first frames that only one side may send.
    pub fn writer_of<'a>(
        edition: &Edition,
        mut said: impl Iterator<Item = &'a Said>,
    ) -> Option<&'static str> {
        said.find_map(|said| {
            let station = asks_as_station(edition, &said.text)?;
            match said.by {
                Speaker::Writer => Some(if station { "station" } else { "csms" }),
                Speaker::Peer => Some(if station { "csms" } else { "station" }),
                _ => None,
            }
        })
    }

    /// Takes the next frame of the log; gives back what the rules found.
    pub fn hear(&mut self, said: &Said) -> Vec<LintFinding> {
        self.frames += 1;
        let name = said.station.as_deref().unwrap_or(NAMELESS);
        if self.stations.len() >= MAX_STATIONS && !self.stations.contains_key(name) {
            return self.leave_out("frames of more stations than are told apart");
        }
        let (edition, times) = (self.edition, self.times);
        let station = self
            .stations
            .entry(name.to_owned())
            .or_insert_with(|| Station::new(edition, times, name));
        let read = read_frame(edition, &said.text);
        let by_station = match said.by {
            Speaker::Station => Some(true),
            Speaker::Csms => Some(false),
            Speaker::Writer => self.writer.map(|role| role == "station"),
            Speaker::Peer => self.writer.map(|role| role == "csms"),
            Speaker::Unknown => station.speaker(edition, read.frame.as_ref()),
        };
        let Some(by_station) = by_station else {
            return self.leave_out("frames of which nobody can tell who said them");
        };
        if !station.belongs(read.frame.as_ref(), by_station) {
            return self.leave_out("answers to what was asked before the log began");
        }
        // A log may be written by several threads; time never goes back for a judge.
        self.last = self.last.max(said.at.unwrap_or(self.last));
        station.hear(edition, times, said, by_station, read.frame.as_ref(), self.last)
    }

    /// How many frames there were, and how many of them were not judged, by reason.
    pub fn counted(&self) -> (u64, &BTreeMap<&'static str, u64>) {
        (self.frames, &self.unjudged)
    }

    /// How many stations the log tells of.
    pub fn stations(&self) -> usize {
        self.stations.len()
    }

    fn leave_out(&mut self, why: &'static str) -> Vec<LintFinding> {
        *self.unjudged.entry(why).or_default() += 1;
        Vec::new()
    }
}

impl Station {
    fn new(edition: &'static Edition, times: Times, name: &str) -> Self {
        let watch = |side| watch(edition, times, side, name, Facts::default(), 1);
        Self {
            watches: SIDES.map(watch),
            conn: 1,
            open: VecDeque::new(),
            begun: [false; 2],
        }
    }

    /// Who said it, where the log does not tell: who may ask that, or who has not asked what is answered.
    fn speaker(&self, edition: &Edition, frame: Option<&Frame>) -> Option<bool> {
        match frame? {
            Frame::Call { action, .. } => match edition.action(action)?.direction {
                Direction::StationToCsms => Some(true),
                Direction::CsmsToStation => Some(false),
                Direction::Both => None,
            },
            Frame::CallResult { id, .. } | Frame::CallError { id, .. } => self
                .open
                .iter()
                .rev()
                .find(|(open, _)| open == id)
                .map(|(_, asked)| *asked != Party::Dut),
        }
    }

    /// False for an answer that comes before the other side has asked anything in this log.
    fn belongs(&self, frame: Option<&Frame>, by_station: bool) -> bool {
        match frame {
            Some(Frame::CallResult { .. } | Frame::CallError { .. }) => self.begun[usize::from(by_station)],
            _ => true,
        }
    }

    fn hear(
        &mut self,
        edition: &'static Edition,
        times: Times,
        said: &Said,
        by_station: bool,
        frame: Option<&Frame>,
        at: Timestamp,
    ) -> Vec<LintFinding> {
        let name = said.station.as_deref().unwrap_or(NAMELESS);
        if let Some(Frame::Call { id, action, .. }) = frame {
            if self.boots_anew(edition, action, by_station) {
                self.connect_anew(edition, times, name);
            }
            self.begun[usize::from(!by_station)] = true;
            if self.open.len() >= MAX_OPEN {
                self.open.pop_front();
            }
            let asker = if by_station { Party::Dut } else { Party::Us };
            self.open.push_back((id.clone(), asker));
        }
        let mut found = Vec::new();
        for (side, watch) in SIDES.into_iter().zip(&mut self.watches) {
            let from = if by_station == (side == "station") {
                Party::Dut
            } else {
                Party::Us
            };
            let event = Event {
                seq: said.line,
                at,
                what: What::Frame {
                    conn: self.conn,
                    from,
                    opcode: 1,
                    data: Data::of(1, said.text.as_bytes()),
                    flaws: Vec::new(),
                    cause: None,
                },
            };
            found.extend(watch.see(&event).into_iter().map(|finding| LintFinding {
                finding,
                line: said.line,
                side,
                station: name.to_owned(),
            }));
        }
        found
    }

    /// A log tells nothing of connections. The first message after a boot that had been accepted comes on another one.
    fn boots_anew(&self, edition: &Edition, action: &str, by_station: bool) -> bool {
        let booted = self.watches[0].facts().fact("boot");
        by_station
            && dialect(edition).is_some_and(|dialect| dialect.introduction() == action)
            && booted.and_then(Json::as_str) == Some("Accepted")
    }

    fn connect_anew(&mut self, edition: &'static Edition, times: Times, name: &str) {
        self.conn += 1;
        self.open.clear();
        self.begun = [false; 2];
        for (side, old) in SIDES.into_iter().zip(&mut self.watches) {
            let facts = old.facts().clone();
            *old = watch(edition, times, side, name, facts, self.conn);
        }
    }
}

fn watch(edition: &'static Edition, times: Times, side: &str, name: &str, facts: Facts, conn: u32) -> Watch {
    let open = OpenConnection {
        conn,
        identity: name.to_owned(),
        subprotocol: Some(edition.subprotocol().to_owned()),
    };
    let of_times: &[&[&str]] = match times {
        Times::Wall => &[],
        Times::Elapsed => &[rules::OF_THE_CLOCK],
        Times::None => &[rules::OF_THE_CLOCK, rules::OF_INTERVALS],
    };
    let unjudged = [of_times.concat(), rules::OF_CONNECTIONS.to_vec()].concat();
    Watch::new(edition, side, name, Json::empty(), facts, &[open]).without(&unjudged)
}

/// Whether a CALL can only come from the station (true) or only from the CSMS (false).
fn asks_as_station(edition: &Edition, text: &str) -> Option<bool> {
    let read = read_frame(edition, text);
    let Some(Frame::Call { action, .. }) = &read.frame else {
        return None;
    };
    match edition.action(action)?.direction {
        Direction::StationToCsms => Some(true),
        Direction::CsmsToStation => Some(false),
        Direction::Both => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edition() -> &'static Edition {
        Edition::by_name("OCPP-1.6").expect("the catalogue of 1.6 is built in")
    }

    fn lint(frames: &[&str]) -> (Vec<(u64, &'static str, String)>, Lint) {
        let mut lint = Lint::new(edition(), Times::None, None);
        let mut found = Vec::new();
        for (line, text) in (1..).zip(frames) {
            let said = Said {
                line,
                at: None,
                station: None,
                by: Speaker::Unknown,
                text: (*text).to_owned(),
            };
            found.extend(
                lint.hear(&said)
                    .into_iter()
                    .map(|it| (it.line, it.side, it.finding.rule)),
            );
        }
        (found, lint)
    }

    #[test]
    fn both_sides_are_judged_at_the_line_of_the_log() {
        let (found, _) = lint(&[
            r#"[2,"1","Heartbeat",{"extra":1}]"#,
            r#"[3,"1",{"currentTime":"yesterday"}]"#,
        ]);
        let seen: Vec<_> = found
            .iter()
            .map(|(line, side, rule)| (*line, *side, rule.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (1, "station", "schema/request"),
                (2, "csms", "schema/response"),
                (2, "csms", "answers/invalid-accepted"),
            ]
        );
    }

    #[test]
    fn answers_to_what_was_asked_before_the_log_are_left_out() {
        let (found, lint) = lint(&[r#"[3,"0",{}]"#, r#"[2,"1","Heartbeat",{}]"#]);
        assert_eq!(found, []);
        assert_eq!(lint.counted().0, 2);
        assert_eq!(lint.counted().1.values().sum::<u64>(), 1);
    }

    #[test]
    fn a_second_boot_begins_a_connection_of_its_own() {
        let boot = |id: u32| {
            format!(r#"[2,"{id}","BootNotification",{{"chargePointVendor":"v","chargePointModel":"m"}}]"#)
        };
        let accepted = |id: u32| {
            format!(
                r#"[3,"{id}",{{"status":"Accepted","currentTime":"2024-05-01T12:00:00Z","interval":300}}]"#
            )
        };
        let frames = [boot(1), accepted(1), boot(2), accepted(2)];
        let (found, _) = lint(&frames.each_ref().map(String::as_str));
        assert_eq!(found, []);
    }

    #[test]
    fn who_wrote_the_log_is_told_by_what_only_one_side_asks() {
        let said = |by, text: &str| Said {
            line: 1,
            at: None,
            station: None,
            by,
            text: text.to_owned(),
        };
        let reset = r#"[2,"1","Reset",{"type":"Soft"}]"#;
        let told = |by| Lint::writer_of(edition(), [said(by, reset)].iter());
        assert_eq!(told(Speaker::Writer), Some("csms"));
        assert_eq!(told(Speaker::Peer), Some("station"));
        assert_eq!(told(Speaker::Unknown), None);
    }

    #[test]
    fn the_rules_that_need_times_are_registered() {
        for id in [rules::OF_THE_CLOCK, rules::OF_INTERVALS, rules::OF_CONNECTIONS].concat() {
            assert!(rules::find(id).is_some(), "{id}");
        }
    }
}
