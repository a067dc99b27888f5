//! The recorder: one event, one line, one write, before anything else happens with it.

use std::io::{self, Write};

use plugfest_protocol::Timestamp;

use crate::event::{Event, Premise, What};
use crate::secrets::Marker;

/// No line of a trace is longer than this, line break included; a reader needs no more memory for one event.
pub const MAX_LINE: usize = 8 << 20;

/// Capacity of the line that is kept between events: that of a premise or of a large frame is given back.
const KEPT_LINE: usize = 4 << 10;

/// Why an event is not in the trace.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The operating system did not take it.
    #[error("{path}: event {seq} could not be written: {source}; the trace ends before it")]
    Io {
        /// The trace.
        path: String,
        /// The event that is missing.
        seq: u64,
        /// What the operating system said.
        source: io::Error,
    },
    /// An earlier event was lost; what comes after it would be no evidence.
    #[error("{path}: event {seq} is refused, because event {lost} could not be written before it")]
    Broken {
        /// The trace.
        path: String,
        /// The event that is refused.
        seq: u64,
        /// The event that was lost first.
        lost: u64,
    },
    /// The event is larger than a reader would take. Only a fault of ours makes one.
    #[error("{path}: event {seq} takes {length} bytes, more than the {MAX_LINE} of a line")]
    TooLong {
        /// The trace.
        path: String,
        /// The event.
        seq: u64,
        /// Its length in bytes.
        length: usize,
    },
}

/// Writes a trace: append-only, each event handed over whole in one write and without buffering, so that a killed
/// run still has its evidence. Secrets are replaced on the way, and sequence numbers are given here.
#[derive(Debug)]
pub struct Recorder<W> {
    out: W,
    path: String,
    next: u64,
    lost: Option<u64>,
    marker: Marker,
    line: Vec<u8>,
}

impl<W: Write> Recorder<W> {
    /// Begins a trace with its premise. `path` is what errors call it. The event that is handed back is the one
    /// that was written; judge from it and not from what was passed in, so that live and offline see the same.
    pub fn start(
        out: W,
        path: impl Into<String>,
        marker: Marker,
        at: Timestamp,
        premise: Premise,
    ) -> Result<(Self, Event), WriteError> {
        let mut recorder = Self {
            out,
            path: path.into(),
            next: 0,
            lost: None,
            marker,
            line: Vec::with_capacity(1024),
        };
        let event = recorder.record(at, What::Premise(Box::new(premise)))?;
        Ok((recorder, event))
    }

    /// Writes one event and hands it back as it was written: numbered, with secrets replaced. It must not be acted
    /// upon before this returns. After an error nothing more is taken.
    pub fn record(&mut self, at: Timestamp, what: What) -> Result<Event, WriteError> {
        let seq = self.next;
        if let Some(lost) = self.lost {
            return Err(WriteError::Broken {
                path: self.path.clone(),
                seq,
                lost,
            });
        }
        let event = Event {
            seq,
            at,
            what: self.marker.mark_event(what),
        };
        self.write(&event).inspect_err(|_| self.lost = Some(seq))?;
        self.next += 1;
        Ok(event)
    }

    /// Marks the trace as finished in good order and gives the writer back.
    pub fn finish(mut self, at: Timestamp) -> Result<(W, Event), WriteError> {
        let event = self.record(at, What::End)?;
        Ok((self.out, event))
    }

    /// Teaches the recorder a secret that came up during the run.
    pub fn learn_secret(&mut self, name: &str, value: &[u8]) {
        self.marker.add(name, value);
    }

    /// What replaces secrets here, for texts that take another way out.
    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    /// The number that the next event will get.
    pub fn next_seq(&self) -> u64 {
        self.next
    }

    fn write(&mut self, event: &Event) -> Result<(), WriteError> {
        self.line.clear();
        let io = |path: &str, source| WriteError::Io {
            path: path.to_owned(),
            seq: event.seq,
            source,
        };
        serde_json::to_writer(&mut self.line, event).map_err(|error| io(&self.path, error.into()))?;
        self.line.push(b'\n');
        if self.line.len() > MAX_LINE {
            return Err(WriteError::TooLong {
                path: self.path.clone(),
                seq: event.seq,
                length: self.line.len(),
            });
        }
        self.out
            .write_all(&self.line)
            .map_err(|source| io(&self.path, source))?;
        self.line.clear();
        self.line.shrink_to(KEPT_LINE);
        self.out.flush().map_err(|source| io(&self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Ending, read_trace};
    use crate::testing::premise;

    /// Counts writes and takes only so many bytes.
    #[derive(Debug, Default)]
    struct Disk {
        held: Vec<u8>,
        room: usize,
        writes: usize,
    }

    impl Write for Disk {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            let take = data.len().min(self.room - self.held.len());
            if take == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.held.extend_from_slice(&data[..take]);
            Ok(take)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn start<W: Write>(out: W) -> Result<(Recorder<W>, Event), WriteError> {
        Recorder::start(out, "a.trace", Marker::none(), Timestamp::from_secs(1), premise())
    }

    #[test]
    fn each_event_is_one_write_and_numbered_from_the_premise_on() {
        let (mut recorder, first) = start(Disk {
            room: 1 << 20,
            ..Disk::default()
        })
        .unwrap();
        assert_eq!((first.seq, recorder.next_seq(), recorder.out.writes), (0, 1, 1));
        let tick = recorder.record(Timestamp::from_secs(2), What::Tick).unwrap();
        assert_eq!((tick.seq, recorder.out.writes), (1, 2));
        let (disk, end) = recorder.finish(Timestamp::from_secs(3)).unwrap();
        assert_eq!((end.seq, disk.writes), (2, 3));
        assert_eq!(String::from_utf8(disk.held).unwrap().lines().count(), 3);
    }

    #[test]
    fn a_full_disk_is_loud_and_nothing_is_written_behind_the_gap() {
        let needed = start(Disk {
            room: 1 << 20,
            ..Disk::default()
        })
        .unwrap()
        .0
        .out
        .held
        .len();
        let (mut recorder, _) = start(Disk {
            room: needed + 10,
            ..Disk::default()
        })
        .unwrap();
        let error = recorder.record(Timestamp::from_secs(2), What::Tick).unwrap_err();
        assert!(matches!(error, WriteError::Io { seq: 1, .. }));
        assert!(
            error
                .to_string()
                .starts_with("a.trace: event 1 could not be written"),
            "{error}"
        );
        recorder.out.room += 1 << 20;
        let error = recorder.record(Timestamp::from_secs(3), What::Tick).unwrap_err();
        assert!(matches!(error, WriteError::Broken { seq: 1, lost: 1, .. }));
        let trace = read_trace(recorder.out.held.as_slice(), "a.trace").unwrap();
        assert_eq!(
            (trace.events.len(), trace.ending),
            (1, Ending::Torn { bytes: 10 })
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_full_device_is_noticed_at_the_first_event() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = start(full).unwrap_err();
        assert!(
            matches!(&error, WriteError::Io { seq: 0, source, .. } if source.kind() == io::ErrorKind::StorageFull)
        );
    }

    #[test]
    fn an_event_that_no_reader_would_take_is_refused() {
        let (mut recorder, _) = start(Vec::new()).unwrap();
        let what = What::Link {
            op: "x".repeat(MAX_LINE),
        };
        let error = recorder.record(Timestamp::from_secs(2), what).unwrap_err();
        assert!(matches!(error, WriteError::TooLong { seq: 1, .. }));
    }
}
