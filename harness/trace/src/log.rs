//! Somebody else's log: lines of text in, and who said what out.
//!
//! Every tool writes its frames down in a manner of its own. A log is read line by line in bounded memory; a line that
//! holds no frame is counted and never an error, because logs hold other things too.

mod format;

use std::collections::VecDeque;
use std::io::{BufRead, Read as _};

use plugfest_protocol::Timestamp;

pub use format::LogFormat;

use crate::read::ReadError;
use crate::write::MAX_LINE;

/// So many lines decide which format it is.
const SAMPLE: usize = 50;

/// Whose words a line holds, as far as the line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// The charging station.
    Station,
    /// The CSMS.
    Csms,
    /// Whoever wrote the log: it sent this.
    Writer,
    /// The other side of whoever wrote the log: it received this.
    Peer,
    /// The line does not tell.
    Unknown,
}

/// One frame that a log tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The line in the log, from 1.
    pub line: u64,
    /// When it was written, where the log tells.
    pub at: Option<Timestamp>,
    /// The station's identity, where the log tells.
    pub station: Option<String>,
    /// Who said it.
    pub by: Speaker,
    /// The frame as it stood on the wire.
    pub text: String,
}

/// Reads a log.
#[derive(Debug)]
pub struct LogReader<R> {
    input: R,
    path: String,
    format: LogFormat,
    sample: VecDeque<(u64, Vec<u8>)>,
    line: u64,
    unknown: u64,
    first_unknown: Option<u64>,
}

impl<R: BufRead> LogReader<R> {
    /// Begins to read. The format is found out from the first lines where none is given; an error says that there is
    /// no frame in them.
    pub fn open(mut input: R, path: &str, format: Option<LogFormat>) -> Result<Self, ReadError> {
        let mut sample = VecDeque::new();
        let mut line = 0;
        while sample.len() < SAMPLE {
            let Some(bytes) = next_line(&mut input, path, &mut line)? else {
                break;
            };
            sample.push_back((line, bytes));
        }
        let texts = sample.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes));
        let found = format.or_else(|| LogFormat::of(texts));
        let Some(format) = found else {
            return Err(ReadError {
                path: path.to_owned(),
                line: 1,
                column: 1,
                what: format!("there is no OCPP frame in the first {SAMPLE} lines"),
                hint: "name the format with --format, or cut the head of the log off",
            });
        };
        Ok(Self {
            input,
            path: path.to_owned(),
            format,
            sample,
            line,
            unknown: 0,
            first_unknown: None,
        })
    }

    /// The format that is read.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// How many lines held no frame so far, and the first of them. Empty lines are not counted.
    pub fn unknown(&self) -> (u64, Option<u64>) {
        (self.unknown, self.first_unknown)
    }

    fn next_said(&mut self) -> Result<Option<Said>, ReadError> {
        loop {
            let (line, bytes) = match self.sample.pop_front() {
                Some(kept) => kept,
                None => match next_line(&mut self.input, &self.path, &mut self.line)? {
                    Some(bytes) => (self.line, bytes),
                    None => return Ok(None),
                },
            };
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            if let Some(mut said) = self.format.read(text) {
                said.line = line;
                return Ok(Some(said));
            }
            self.unknown += 1;
            self.first_unknown.get_or_insert(line);
        }
    }
}

impl<R: BufRead> Iterator for LogReader<R> {
    type Item = Result<Said, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_said().transpose()
    }
}

/// The next line; `None` at the end.
fn next_line(input: &mut impl BufRead, path: &str, line: &mut u64) -> Result<Option<Vec<u8>>, ReadError> {
    *line += 1;
    let error = |column, what: String, hint| ReadError {
        path: path.to_owned(),
        line: *line,
        column,
        what,
        hint,
    };
    let mut bytes = Vec::new();
    let read = input
        .by_ref()
        .take(MAX_LINE as u64 + 1)
        .read_until(b'\n', &mut bytes);
    read.map_err(|why| error(1, why.to_string(), "is the file still there, and readable?"))?;
    if bytes.len() > MAX_LINE {
        let what = format!("the line is longer than {MAX_LINE} bytes");
        return Err(error(MAX_LINE, what, "one frame stands on one line"));
    }
    Ok((!bytes.is_empty()).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (LogFormat, Vec<Said>, u64) {
        let mut reader = LogReader::open(text.as_bytes(), "log", None).unwrap();
        let said = reader.by_ref().map(Result::unwrap).collect();
        (reader.format(), said, reader.unknown().0)
    }

    #[test]
    fn lines_without_a_frame_are_counted() {
        let text = "starting\n\n[2,\"1\",\"Heartbeat\",{}]\nnoise\n[3,\"1\",{}]\n";
        let (format, said, unknown) = read(text);
        assert_eq!(format, LogFormat::Frames);
        assert_eq!(unknown, 2);
        assert_eq!(said.iter().map(|s| s.line).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn a_log_without_a_frame_is_an_error() {
        let error = LogReader::open("nothing\nat all\n".as_bytes(), "log", None).unwrap_err();
        assert!(error.to_string().contains("no OCPP frame"), "{error}");
        assert!(LogReader::open("".as_bytes(), "log", None).is_err());
    }

    #[test]
    fn an_endless_line_is_an_error_and_not_kept() {
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        let error = LogReader::open(endless, "log", None).unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
    }
}
