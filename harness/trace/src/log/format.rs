//! The manners in which tools write frames down, one function each.

use std::borrow::Cow;

use plugfest_protocol::Timestamp;

use super::{Said, Speaker};
use crate::oot;

/// A manner of writing frames down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Open OCPP Trace 1.x: a JSON object on each line.
    OpenOcppTrace,
    /// `[ocpp ] TRACE 2024/05/01 12:00:00 recv ID: […]`, as evcc writes.
    Evcc,
    /// `… [chargeBoxId=ID, sessionId=…] Received: […]`, as SteVe writes.
    Steve,
    /// `… sent JSON message to server: […]`, as ocpp-go writes.
    OcppGo,
    /// `… ID: receive message […]`, as the PyPI library `ocpp` writes.
    PyOcpp,
    /// A frame on each line and nothing else.
    Frames,
}

impl LogFormat {
    /// All of them; the first that fits is taken.
    pub const ALL: [Self; 6] = [
        Self::OpenOcppTrace,
        Self::Evcc,
        Self::Steve,
        Self::OcppGo,
        Self::PyOcpp,
        Self::Frames,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenOcppTrace => "open-ocpp-trace",
            Self::Evcc => "evcc",
            Self::Steve => "steve",
            Self::OcppGo => "ocpp-go",
            Self::PyOcpp => "py-ocpp",
            Self::Frames => "frames",
        }
    }

    /// The format of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// True where the times of the log are in a zone that the log tells, so that they can be compared with the
    /// timestamps in the frames.
    pub fn tells_zone(self) -> bool {
        self == Self::OpenOcppTrace
    }

    /// The format that reads most of these lines; the more particular one where two read as many.
    pub(super) fn of<'a>(lines: impl Iterator<Item = Cow<'a, str>>) -> Option<Self> {
        let mut hits = [0_u32; Self::ALL.len()];
        for line in lines {
            for (format, hits) in Self::ALL.into_iter().zip(&mut hits) {
                *hits += u32::from(format.read(line.trim()).is_some());
            }
        }
        let most = hits.into_iter().max().filter(|most| *most > 0)?;
        Self::ALL
            .into_iter()
            .zip(hits)
            .find(|(_, n)| *n == most)
            .map(|(format, _)| format)
    }

    /// What a line says; the line number is filled in by the reader.
    pub(super) fn read(self, line: &str) -> Option<Said> {
        match self {
            Self::OpenOcppTrace => oot::said(line),
            Self::Evcc => evcc(line),
            Self::Steve => steve(line),
            Self::OcppGo => ocpp_go(line),
            Self::PyOcpp => py_ocpp(line),
            Self::Frames => Some(said(
                None,
                None,
                Speaker::Unknown,
                frame_in(line).filter(|f| *f == line)?,
            )),
        }
    }
}

fn said(at: Option<Timestamp>, station: Option<&str>, by: Speaker, text: &str) -> Said {
    Said {
        line: 0,
        at,
        station: station.map(str::to_owned),
        by,
        text: text.to_owned(),
    }
}

/// What stands from the first thing that begins as a frame does to the end of the line. A frame that is broken behind
/// its beginning is one: finding out what is wrong with it is what a log is read for.
fn frame_in(line: &str) -> Option<&str> {
    line.match_indices('[').map(|(at, _)| &line[at..]).find(|rest| {
        let inner = rest[1..].trim_start();
        let digits = inner.len() - inner.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        digits > 0 && digits < 4 && inner[digits..].trim_start().starts_with(',')
    })
}

fn evcc(line: &str) -> Option<Said> {
    let (head, rest) = line.split_once("TRACE ")?;
    if !head.starts_with("[ocpp") {
        return None;
    }
    let mut words = rest.splitn(5, ' ');
    let (date, time) = (words.next()?, words.next()?);
    let by = match words.next()? {
        "send" => Speaker::Csms,
        "recv" => Speaker::Station,
        _ => return None,
    };
    let station = words.next()?.strip_suffix(':')?;
    let at = instant(&date.replace('/', "-"), time);
    Some(said(at, Some(station), by, frame_in(words.next()?)?))
}

fn steve(line: &str) -> Option<Said> {
    let (head, rest) = line.split_once("[chargeBoxId=")?;
    let (station, rest) = rest.split_once([',', ']'])?;
    let (by, words) = if let Some((_, words)) = rest.split_once("Received: ") {
        (Speaker::Station, words)
    } else {
        (Speaker::Csms, rest.split_once("Sending: ")?.1)
    };
    Some(said(time_in(head), Some(station), by, frame_in(words)?))
}

fn ocpp_go(line: &str) -> Option<Said> {
    let (head, rest) = line.split_once(" JSON message ")?;
    let (whom, words) = rest.split_once(": ")?;
    let sent = head.ends_with("sent");
    if !sent && !head.ends_with("received") {
        return None;
    }
    let whom = whom.split_once(' ')?.1;
    // The station's library talks to `server`; the CSMS's names the station.
    let (by, station) = match (whom, sent) {
        ("server", true) => (Speaker::Station, None),
        ("server", false) => (Speaker::Csms, None),
        (id, true) => (Speaker::Csms, Some(id)),
        (id, false) => (Speaker::Station, Some(id)),
    };
    Some(said(time_in(head), station, by, frame_in(words)?))
}

fn py_ocpp(line: &str) -> Option<Said> {
    let (head, by, words) = if let Some((head, words)) = line.split_once(": receive message ") {
        (head, Speaker::Peer, words)
    } else {
        let (head, words) = line.split_once(": send ")?;
        (head, Speaker::Writer, words)
    };
    let station = head
        .rsplit([' ', ':', ']', '\t'])
        .next()
        .filter(|it| !it.is_empty());
    Some(said(time_in(head), station, by, frame_in(words)?))
}

/// The first date and time in a text: `2024-05-01 12:00:00,123`, `2024-05-01T12:00:00.123Z` …
fn time_in(text: &str) -> Option<Timestamp> {
    let date = text.match_indices("20").map(|(at, _)| &text[at..]).find(|rest| {
        let bytes = rest.as_bytes();
        bytes.len() >= 19 && bytes[4] == b'-' && bytes[7] == b'-' && matches!(bytes[10], b' ' | b'T')
    })?;
    let time = date.get(11..)?;
    let end = time
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | ',' | '.'))
        .unwrap_or(time.len());
    instant(date.get(..10)?, &time[..end])
}

/// A date and a time of no zone, as if it were UTC.
fn instant(date: &str, time: &str) -> Option<Timestamp> {
    let time = time.trim_end_matches([',', '.', ':']).replace(',', ".");
    Timestamp::parse(&format!("{date}T{time}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(line: &str) -> (LogFormat, Said) {
        let format = LogFormat::of([Cow::Borrowed(line)].into_iter()).expect("a format reads the line");
        (
            format,
            format.read(line).expect("the format that was found reads it"),
        )
    }

    #[test]
    fn every_format_is_found_by_its_own_line() {
        let frame = r#"[2,"17","Heartbeat",{}]"#;
        let rows = [
            (
                format!("[ocpp  ] TRACE 2024/05/01 12:00:00 recv CP-1: {frame}"),
                LogFormat::Evcc,
                Some("CP-1"),
                Speaker::Station,
                Some("2024-05-01T12:00:00Z"),
            ),
            (
                format!(
                    "[INFO ] 2024-05-01 12:00:00,250 de.rwth (x) - [chargeBoxId=CP-1, sessionId=ab] Sending: {frame}"
                ),
                LogFormat::Steve,
                Some("CP-1"),
                Speaker::Csms,
                Some("2024-05-01T12:00:00.250Z"),
            ),
            (
                format!(
                    "time=\"2024-05-01T12:00:00Z\" level=debug msg=x sent JSON message to server: {frame}"
                ),
                LogFormat::OcppGo,
                None,
                Speaker::Station,
                Some("2024-05-01T12:00:00Z"),
            ),
            (
                format!("received JSON message from CP-1: {frame}"),
                LogFormat::OcppGo,
                Some("CP-1"),
                Speaker::Station,
                None,
            ),
            (
                format!("2024-05-01 12:00:00.500 INFO (MainThread) [ocpp] CP-1: receive message {frame}"),
                LogFormat::PyOcpp,
                Some("CP-1"),
                Speaker::Peer,
                Some("2024-05-01T12:00:00.500Z"),
            ),
            (
                format!("INFO:ocpp:CP-1: send {frame}"),
                LogFormat::PyOcpp,
                Some("CP-1"),
                Speaker::Writer,
                None,
            ),
            (frame.to_owned(), LogFormat::Frames, None, Speaker::Unknown, None),
        ];
        for (line, format, station, by, at) in rows {
            let (found, said) = detected(&line);
            assert_eq!(found, format, "{line}");
            assert_eq!(said.text, frame, "{line}");
            assert_eq!(said.station.as_deref(), station, "{line}");
            assert_eq!(said.by, by, "{line}");
            let at = at.map(|at| Timestamp::parse(at).expect("a timestamp was written"));
            assert_eq!(said.at, at, "{line}");
        }
    }

    #[test]
    fn a_broken_frame_is_read_and_other_text_is_not() {
        let line = "INFO:ocpp:CP-1: receive message [3,\"1\",{\"configurationKey\":[";
        assert_eq!(detected(line).1.text, "[3,\"1\",{\"configurationKey\":[");
        for other in [
            "[INFO] 2024 started",
            "[1] one",
            "INFO:ocpp:CP-1: receive message pong",
            "[2024,1]x",
        ] {
            assert!(
                LogFormat::of([Cow::Borrowed(other)].into_iter()).is_none(),
                "{other}"
            );
        }
    }
}
