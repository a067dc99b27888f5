//! Open OCPP Trace to ours.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use plugfest_protocol::{Edition, Json, Timestamp, array};
use serde::Deserialize;

use crate::data::MAX_KEPT;
use crate::event::{Data, OpenConnection, Party, Premise, SCHEMA, What};
use crate::log::{Said, Speaker};
use crate::read::ReadError;
use crate::write::MAX_LINE;

/// What the records do not say.
#[derive(Debug, Clone)]
pub struct ImportAs {
    /// The side to judge: `station` or `csms`.
    pub dut: String,
    /// The version of OCPP where the records name none: `1.6`.
    pub version: String,
    /// Name and version of the tool that imports.
    pub tool: String,
}

/// What was read: a premise without a case, and events for a recorder.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The premise: nothing is known beyond which stations were connected.
    pub premise: Premise,
    /// When the first record was made.
    pub began: Timestamp,
    /// The frames, in the order of the file.
    pub events: Vec<(Timestamp, What)>,
    /// Records that no frame could be made of, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    schema_version: String,
    timestamp: String,
    ocpp_version: Option<String>,
    transport: String,
    charge_point_id: Option<String>,
    direction: String,
    message_type: String,
    message_id: Option<String>,
    action: Option<String>,
    payload: Option<Json>,
    raw: Option<String>,
    error: Option<RecordError>,
}

#[derive(Debug, Default, Deserialize)]
struct RecordError {
    code: Option<String>,
    description: Option<String>,
    details: Option<Json>,
}

/// Reads records of Open OCPP Trace 1.x. `path` is what errors call the file.
pub fn import(mut input: impl BufRead, path: &str, import_as: &ImportAs) -> Result<Imported, ReadError> {
    let mut importer = Importer::new(path, import_as);
    let mut line = Vec::new();
    loop {
        line.clear();
        importer.line += 1;
        let limit = MAX_LINE as u64 + 1;
        let read = input.by_ref().take(limit).read_until(b'\n', &mut line);
        read.map_err(|error| importer.error(1, error.to_string(), "is the file still there, and readable?"))?;
        if line.len() > MAX_LINE {
            let what = format!("the line is longer than {MAX_LINE} bytes");
            return Err(importer.error(MAX_LINE, what, "one record stands on one line"));
        }
        if line.is_empty() {
            return importer.finish();
        }
        if !line.trim_ascii().is_empty() {
            importer.take(line.trim_ascii_end())?;
        }
    }
}

#[derive(Debug)]
struct Importer<'a> {
    path: &'a str,
    import_as: &'a ImportAs,
    line: u64,
    version: Option<String>,
    stations: Vec<String>,
    events: Vec<(Timestamp, What)>,
    left_out: BTreeMap<&'static str, u64>,
}

impl<'a> Importer<'a> {
    fn new(path: &'a str, import_as: &'a ImportAs) -> Self {
        Self {
            path,
            import_as,
            line: 0,
            version: None,
            stations: Vec::new(),
            events: Vec::new(),
            left_out: BTreeMap::new(),
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<(), ReadError> {
        let record: Record = serde_json::from_slice(line).map_err(|error| {
            let text = error.to_string();
            let what = text
                .rsplit_once(" at line ")
                .map_or(text.as_str(), |(what, _)| what)
                .to_owned();
            self.error(
                error.column().max(1),
                what,
                "every line is one record of Open OCPP Trace 1.x",
            )
        })?;
        if record.schema_version.split('.').next() != Some("1") {
            let what = format!(
                "the record says schema version {:?}",
                shown(&record.schema_version)
            );
            return Err(self.error(1, what, "this version reads 1.x"));
        }
        let at = Timestamp::parse(&record.timestamp).map_err(|error| {
            let what = format!("the timestamp {:?} is none: {error}", shown(&record.timestamp));
            self.error(1, what, "write it as in RFC 3339: 2024-05-01T12:00:00.000Z")
        })?;
        let from = self.sender(&record.direction)?;
        let version = record.ocpp_version.as_deref().unwrap_or(&self.import_as.version);
        let version = version.strip_prefix("OCPP-").unwrap_or(version);
        if self.version.get_or_insert_with(|| version.to_owned()) != version {
            self.leave_out("message of another version than the first");
        } else if record.transport != "json" {
            self.leave_out("message over SOAP");
        } else if let Some(text) = text_of(&record) {
            let conn = self.connection(record.charge_point_id.unwrap_or_default());
            let data = Data::of(1, text.as_bytes());
            self.events.push((
                at,
                What::Frame {
                    conn,
                    from,
                    opcode: 1,
                    data,
                    flaws: Vec::new(),
                    cause: None,
                },
            ));
        } else {
            self.leave_out("record without raw text and without the parts of a frame");
        }
        Ok(())
    }

    fn sender(&self, direction: &str) -> Result<Party, ReadError> {
        let station = match direction {
            "cp-to-csms" => true,
            "csms-to-cp" => false,
            other => {
                let what = format!("the direction {:?} is unknown", shown(other));
                return Err(self.error(1, what, "it is `cp-to-csms` or `csms-to-cp`"));
            }
        };
        Ok(if station == (self.import_as.dut == "station") {
            Party::Dut
        } else {
            Party::Us
        })
    }

    fn connection(&mut self, station: String) -> u32 {
        let at = self
            .stations
            .iter()
            .position(|s| *s == station)
            .unwrap_or_else(|| {
                self.stations.push(station);
                self.stations.len() - 1
            });
        u32::try_from(at + 1).unwrap_or(u32::MAX)
    }

    fn leave_out(&mut self, reason: &'static str) {
        *self.left_out.entry(reason).or_default() += 1;
    }

    fn finish(self) -> Result<Imported, ReadError> {
        let Some(began) = self.events.first().map(|(at, _)| *at) else {
            let what = "there is no message in the file".to_owned();
            return Err(self.error(1, what, "every line is one record of Open OCPP Trace 1.x"));
        };
        let protocol = format!(
            "OCPP-{}",
            self.version.as_deref().unwrap_or(&self.import_as.version)
        );
        let subprotocol = Edition::by_name(&protocol).map(|edition| edition.subprotocol().to_owned());
        let connections = (1..).zip(&self.stations).map(|(conn, identity)| OpenConnection {
            conn,
            identity: identity.clone(),
            subprotocol: subprotocol.clone(),
        });
        let premise = Premise {
            schema: SCHEMA.to_owned(),
            tool: self.import_as.tool.clone(),
            dut: self.import_as.dut.clone(),
            identity: self.stations.first().cloned().unwrap_or_default(),
            case: None,
            for_values: BTreeMap::new(),
            values: Json::empty(),
            pics: BTreeMap::new(),
            facts: BTreeMap::new(),
            connections: connections.collect(),
            vary: None,
            seed: 0,
            driver: None,
            protocol,
        };
        Ok(Imported {
            premise,
            began,
            events: self.events,
            left_out: self.left_out,
        })
    }

    fn error(&self, column: usize, what: String, hint: &'static str) -> ReadError {
        ReadError {
            path: self.path.to_owned(),
            line: self.line,
            column,
            what,
            hint,
        }
    }
}

/// What one record tells, for who reads it as a line of a log; `None` where it tells of no frame.
pub(crate) fn said(line: &str) -> Option<Said> {
    let record: Record = serde_json::from_str(line).ok()?;
    let by = match record.direction.as_str() {
        "cp-to-csms" => Speaker::Station,
        "csms-to-cp" => Speaker::Csms,
        _ => return None,
    };
    let text = text_of(&record).filter(|_| record.transport == "json")?;
    Some(Said {
        line: 0,
        at: Timestamp::parse(&record.timestamp).ok(),
        station: record.charge_point_id,
        by,
        text,
    })
}

/// The frame of a record: as it stood on the wire where that was kept, else put together from its parts.
fn text_of(record: &Record) -> Option<String> {
    if let Some(raw) = &record.raw {
        return Some(raw.clone());
    }
    let id = record.message_id.as_deref()?;
    let payload = record.payload.clone().unwrap_or_default();
    let frame = match record.message_type.as_str() {
        "CALL" => array![2, id, record.action.as_deref()?, payload],
        "CALLRESULT" => array![3, id, payload],
        "CALLERROR" => {
            let error = record.error.as_ref()?;
            let details = error.details.clone().unwrap_or_default();
            array![
                4,
                id,
                error.code.as_deref()?,
                error.description.as_deref().unwrap_or_default(),
                details
            ]
        }
        _ => return None,
    };
    Some(frame.to_string())
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

// A record that is kept as head and hash could not be judged; MAX_LINE leaves room for frames far above that.
const _: () = assert!(MAX_LINE > MAX_KEPT);
