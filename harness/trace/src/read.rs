//! The reader: a trace line by line, in bounded memory, with errors that say where and how to mend.

use std::io::{self, BufRead, BufReader, Read};

use crate::event::{Event, Premise, SCHEMA, What};
use crate::write::MAX_LINE;

/// What is wrong with a trace file.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {what}; {hint}")]
pub struct ReadError {
    /// The trace.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What was found there.
    pub what: String,
    /// How to mend it.
    pub hint: &'static str,
}

/// How a trace ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With its end event: the recorder finished in good order.
    Finished,
    /// Behind a whole event: the run was killed between two of them.
    Truncated,
    /// In the middle of an event: the run was killed, or the disk was full, while it was written.
    Torn {
        /// Bytes of the event that are there and were left out.
        bytes: usize,
    },
}

/// A whole trace in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Its events; the first is the premise.
    pub events: Vec<Event>,
    /// How it ends.
    pub ending: Ending,
}

impl Trace {
    /// What was known and chosen before the first frame.
    pub fn premise(&self) -> Option<&Premise> {
        match &self.events.first()?.what {
            What::Premise(premise) => Some(premise),
            _ => None,
        }
    }
}

/// Reads a whole trace. A torn last line is no error: see [`Trace::ending`].
pub fn read_trace(input: impl Read, path: impl Into<String>) -> Result<Trace, ReadError> {
    let mut reader = Reader::new(BufReader::new(input), path);
    let events = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    Ok(Trace {
        events,
        ending: reader.ending(),
    })
}

/// Reads a trace event by event. The first event is always the premise, else there is an error. After an error, and
/// behind the last event, there is nothing more; then [`Reader::ending`] tells how the trace ended.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    path: String,
    line: u64,
    next: u64,
    buffer: Vec<u8>,
    ending: Ending,
    done: bool,
}

impl<R: BufRead> Reader<R> {
    /// A reader; `path` is what errors call the trace.
    pub fn new(input: R, path: impl Into<String>) -> Self {
        Self {
            input,
            path: path.into(),
            line: 0,
            next: 0,
            buffer: Vec::new(),
            ending: Ending::Truncated,
            done: false,
        }
    }

    /// How the trace ends, as far as it was read.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        self.buffer.clear();
        self.line += 1;
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX) + 1;
        let read = self
            .input
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut self.buffer);
        read.map_err(|error| self.error(1, error.to_string(), "is the file still there, and readable?"))?;
        if self.buffer.is_empty() {
            if self.next == 0 {
                return Err(self.error(
                    1,
                    "the file is empty".to_owned(),
                    "a trace begins with its premise",
                ));
            }
            return Ok(None);
        }
        if self.buffer.len() > MAX_LINE {
            let what = format!("the line is longer than {MAX_LINE} bytes");
            return Err(self.error(MAX_LINE, what, "no recorder writes such a line: is this a trace?"));
        }
        let whole = self.buffer.last() == Some(&b'\n');
        if self.ending == Ending::Finished {
            return Err(self.error(
                1,
                "there is more behind the end event".to_owned(),
                "keep one trace per file",
            ));
        }
        // Without its line break, on which the parser would blame what stands before it.
        if whole {
            self.buffer.pop();
        }
        let event = match serde_json::from_slice::<Event>(&self.buffer) {
            Ok(event) => event,
            // Only the last line can lack its line break, and a premise that is torn leaves no trace at all.
            Err(_) if !whole && self.next > 0 => {
                self.ending = Ending::Torn {
                    bytes: self.buffer.len(),
                };
                return Ok(None);
            }
            Err(error) => return Err(self.unreadable(&error)),
        };
        self.in_order(&event)?;
        self.next += 1;
        if event.what == What::End {
            self.ending = Ending::Finished;
        }
        Ok(Some(event))
    }

    fn in_order(&self, event: &Event) -> Result<(), ReadError> {
        if event.seq != self.next {
            let what = format!(
                "event {} stands where event {} was expected",
                event.seq, self.next
            );
            return Err(self.error(
                1,
                what,
                "events were removed, added or moved: use the file as it was recorded",
            ));
        }
        match &event.what {
            What::Premise(premise) if event.seq == 0 && premise.schema == SCHEMA => Ok(()),
            What::Premise(premise) if event.seq == 0 => Err(self.foreign(&premise.schema)),
            What::Premise(_) => Err(self.error(
                1,
                "a second premise stands here".to_owned(),
                "keep one trace per file",
            )),
            _ if event.seq == 0 => {
                let what = "the first event is not the premise".to_owned();
                Err(self.error(1, what, "a trace begins with its premise"))
            }
            _ => Ok(()),
        }
    }

    fn unreadable(&self, error: &serde_json::Error) -> ReadError {
        if self.next == 0 {
            let first = serde_json::from_slice::<serde_json::Value>(&self.buffer).ok();
            if let Some(schema) = first
                .as_ref()
                .and_then(|v| v.pointer("/what/premise/schema")?.as_str())
                && schema != SCHEMA
            {
                return self.foreign(schema);
            }
            if first.is_some_and(|v| v.get("schemaVersion").is_some()) {
                let what = "this is a record of Open OCPP Trace".to_owned();
                return self.error(1, what, "use `plugfest trace import`");
            }
        }
        let text = error.to_string();
        let what = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(what, _)| what);
        let hint = if error.is_data() {
            "the line is JSON, but no event of this version: was the file edited, or written by another version?"
        } else {
            "every line of a trace is one JSON object: was the file edited?"
        };
        self.error(error.column().max(1), what.to_owned(), hint)
    }

    fn foreign(&self, schema: &str) -> ReadError {
        let schema: String = schema.chars().take(60).collect();
        let what = format!("the trace says schema {schema:?}, and this version reads {SCHEMA:?}");
        self.error(1, what, "read it with the version of plugfest that wrote it")
    }

    fn error(&self, column: usize, what: String, hint: &'static str) -> ReadError {
        ReadError {
            path: self.path.clone(),
            line: self.line,
            column,
            what,
            hint,
        }
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let event = self.next_event().transpose();
        self.done = !matches!(event, Some(Ok(_)));
        event
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

#[cfg(test)]
mod tests {
    use plugfest_protocol::Timestamp;

    use super::*;
    use crate::secrets::Marker;
    use crate::testing::premise;
    use crate::write::Recorder;

    fn trace() -> String {
        let at = Timestamp::from_secs(1);
        let (mut recorder, _) = Recorder::start(Vec::new(), "a", Marker::none(), at, premise()).unwrap();
        recorder
            .record(
                at,
                What::Link {
                    op: "drop".to_owned(),
                },
            )
            .unwrap();
        let (bytes, _) = recorder.finish(at).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn error(text: &str) -> ReadError {
        read_trace(text.as_bytes(), "a.trace").unwrap_err()
    }

    #[test]
    fn whole_cut_and_torn_traces_are_told_apart() {
        let text = trace();
        let read = |text: &str| {
            let trace = read_trace(text.as_bytes(), "a.trace").unwrap();
            (trace.events.len(), trace.ending)
        };
        assert_eq!(read(&text), (3, Ending::Finished));
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        assert_eq!(read(&lines[..2].concat()), (2, Ending::Truncated));
        assert_eq!(
            read(&text[..text.len() - 2]),
            (
                2,
                Ending::Torn {
                    bytes: lines[2].len() - 2
                }
            )
        );
        // Only the line break is missing: the event itself is whole.
        assert_eq!(read(&text[..text.len() - 1]), (3, Ending::Finished));
    }

    #[test]
    fn every_cut_behind_the_premise_is_read() {
        let text = trace();
        let premise = text.find('\n').unwrap();
        for cut in premise..text.len() {
            assert!(
                read_trace(&text.as_bytes()[..cut], "a.trace").is_ok(),
                "cut at {cut}"
            );
        }
        for cut in 0..premise {
            assert!(
                read_trace(&text.as_bytes()[..cut], "a.trace").is_err(),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn errors_say_where_and_what() {
        let text = trace();
        assert_eq!(error("").what, "the file is empty");
        let moved = error(&text.replace("\"seq\":1", "\"seq\":7"));
        assert_eq!(
            (moved.line, moved.what.as_str()),
            (2, "event 7 stands where event 1 was expected")
        );
        let edited = error(&text.replace("\"drop\"", "\"drop"));
        assert_eq!(edited.line, 2);
        assert!(
            edited.column > 1 && edited.to_string().starts_with("a.trace:2:"),
            "{edited}"
        );
        let unknown = error(&text.replace("\"op\"", "\"verdict\""));
        assert!(unknown.what.contains("unknown field `verdict`"), "{unknown}");
        assert!(unknown.hint.contains("no event of this version"), "{unknown}");
        let newer = error(
            &text
                .replace(SCHEMA, "plugfest-trace/9")
                .replace("\"tool\"", "\"maker\""),
        );
        assert!(newer.what.contains("plugfest-trace/9"), "{newer}");
        let newer = error(&text.replace(SCHEMA, "plugfest-trace/9"));
        assert!(newer.what.contains("plugfest-trace/9"), "{newer}");
        let other = error("{\"schemaVersion\":\"1.1\",\"transport\":\"json\"}\n");
        assert!(other.hint.contains("trace import"), "{other}");
        let twice = error(&format!("{text}{text}"));
        assert_eq!(
            (twice.line, twice.what.as_str()),
            (4, "there is more behind the end event")
        );
        let headless = error("{\"seq\":0,\"at\":0,\"what\":\"tick\"}\n");
        assert_eq!(headless.what, "the first event is not the premise");
    }

    #[test]
    fn an_endless_line_is_not_read_to_its_end() {
        let mut input = BufReader::new(io::repeat(b'['));
        let mut reader = Reader::new(&mut input, "endless");
        let error = reader.next().unwrap().unwrap_err();
        assert!(error.what.starts_with("the line is longer than"), "{error}");
        assert!(reader.next().is_none());
    }
}
