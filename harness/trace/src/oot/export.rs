//! Our trace to Open OCPP Trace.

use std::collections::BTreeMap;
use std::io::{self, Write};

use plugfest_protocol::{Json, Object, object};

use crate::event::{Cause, Data, Event, Party, What};
use crate::oot::SCHEMA_VERSION;

/// What an export held and what it could not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Records that were written.
    pub records: u64,
    /// Events that the format has no room for, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
}

impl Exported {
    /// How many events were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out.values().sum()
    }
}

/// Writes the messages of a trace as Open OCPP Trace, one record per line. The first event must be the premise, which
/// says who is the station.
pub fn export<'e>(events: impl IntoIterator<Item = &'e Event>, out: &mut impl Write) -> io::Result<Exported> {
    let mut exporter = Exporter::default();
    let mut exported = Exported::default();
    for event in events {
        match exporter.record(event) {
            Ok(record) => {
                out.write_all(format!("{}\n", Json::Object(record)).as_bytes())?;
                exported.records += 1;
            }
            Err(reason) => *exported.left_out.entry(reason).or_default() += 1,
        }
    }
    out.flush()?;
    Ok(exported)
}

#[derive(Debug, Default)]
struct Exporter {
    /// `1.6`; empty where the trace is not one of OCPP.
    version: String,
    dut_is_station: bool,
    identities: BTreeMap<u32, String>,
    /// CALLs that no answer was paired with yet, by sender and id; the newest last.
    calls: BTreeMap<(bool, String), Vec<String>>,
}

impl Exporter {
    fn record(&mut self, event: &Event) -> Result<Object, &'static str> {
        let (conn, from, data, cause) = match &event.what {
            What::Premise(premise) => {
                let version = premise.protocol.strip_prefix("OCPP-");
                version.unwrap_or_default().clone_into(&mut self.version);
                self.dut_is_station = premise.dut == "station";
                self.identities = premise
                    .connections
                    .iter()
                    .map(|c| (c.conn, c.identity.clone()))
                    .collect();
                return Err("premise");
            }
            What::Opened { conn, identity, .. } => {
                self.identities.insert(*conn, identity.clone());
                return Err("connection");
            }
            What::Refused { .. } | What::Closing { .. } | What::Closed { .. } => return Err("connection"),
            What::Link { .. } => return Err("link operation"),
            What::Transfer { .. } | What::Transferred { .. } => return Err("file transfer"),
            What::Asked { .. } | What::Performed { .. } => return Err("action of the driver"),
            What::Process { .. } => return Err("process of the device"),
            What::Stage { .. } | What::Tick | What::Interrupted { .. } | What::End => return Err("harness"),
            What::Frame {
                conn,
                from,
                opcode: 1,
                data,
                cause,
                ..
            } => (*conn, *from, data, *cause),
            What::Frame { .. } => return Err("control or binary frame"),
        };
        if self.version.is_empty() {
            return Err("message of another protocol");
        }
        let text = match data {
            Data::Text { text } => text,
            Data::Bytes { .. } => return Err("broken frame"),
            Data::Large { .. } => return Err("frame above 64 KiB"),
        };
        let mut message = self.message(from, text).ok_or("broken frame")?;
        let mut record = Object::new();
        record.push("schemaVersion", SCHEMA_VERSION);
        record.push("timestamp", event.at.to_rfc3339_micros());
        record.push("ocppVersion", self.version.as_str());
        record.push("transport", "json");
        if let Some(identity) = self.identities.get(&conn).filter(|identity| !identity.is_empty()) {
            record.push("chargePointId", identity.as_str());
        }
        if let Some(connector) = message.get("payload").and_then(|p| p.get("connectorId"))
            && connector.as_i64().is_some_and(|n| n >= 0)
        {
            record.push("connectorId", connector);
        }
        record.push(
            "direction",
            if self.is_station(from) {
                "cp-to-csms"
            } else {
                "csms-to-cp"
            },
        );
        for key in ["messageType", "messageId", "action", "payload", "error"] {
            if let Some(value) = message.remove(key) {
                record.push(key, value);
            }
        }
        record.push("raw", text.as_str());
        let mut meta = Object::new();
        meta.push("seq", i64::try_from(event.seq).unwrap_or(i64::MAX));
        meta.push("connection", conn);
        if let Some(cause) = cause {
            meta.push("cause", word(cause));
        }
        record.push("meta", object! { "plugfest": meta });
        Ok(record)
    }

    /// The parts of a frame that is whole; `None` for one that the format cannot hold truly.
    fn message(&mut self, from: Party, text: &str) -> Option<Object> {
        let frame = Json::parse(text).ok()?;
        let items = frame.as_array()?;
        let id = items.get(1)?.as_str()?.to_owned();
        let station = self.is_station(from);
        let mut message = Object::new();
        match (items.first()?.as_number()?.text(), items) {
            ("2", [_, _, action, payload]) => {
                let action = action.as_str()?;
                message.push("messageType", "CALL");
                message.push("action", action);
                message.push("payload", payload);
                self.calls
                    .entry((station, id.clone()))
                    .or_default()
                    .push(action.to_owned());
            }
            ("3", [_, _, payload]) => {
                message.push("messageType", "CALLRESULT");
                self.name_action(&mut message, station, &id);
                message.push("payload", payload);
            }
            ("4", [_, _, code, description, details]) => {
                let (code, description) = (code.as_str()?, description.as_str()?);
                message.push("messageType", "CALLERROR");
                self.name_action(&mut message, station, &id);
                message.push(
                    "error",
                    object! { "code": code, "description": description, "details": details },
                );
            }
            _ => return None,
        }
        message.push("messageId", id);
        Some(message)
    }

    /// The format's own rule: an answer belongs to the newest CALL of the other side with its id that has none yet.
    fn name_action(&mut self, message: &mut Object, station: bool, id: &str) {
        let calls = self.calls.get_mut(&(!station, id.to_owned()));
        if let Some(action) = calls.and_then(Vec::pop) {
            message.push("action", action);
        }
    }

    fn is_station(&self, from: Party) -> bool {
        (from == Party::Dut) == self.dut_is_station
    }
}

fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::Story => "story",
        Cause::Ordinary => "ordinary",
        Cause::Probe => "probe",
        Cause::Stimulus => "stimulus",
    }
}
