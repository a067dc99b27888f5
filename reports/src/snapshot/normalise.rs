//! A conversation without what differs from run to run: ids, times, transaction numbers, readings.

use std::fmt::Write as _;

use plugfest_judge::Row;
use plugfest_protocol::{DateTimeText, Json, Object};
use plugfest_trace::Mark;

use crate::sequence::{ends_of, label};
use crate::text::visible;

/// A payload up to this length stays on the line of its message.
const SHORT: usize = 60;

/// The conversation as text, one message per line, the same for every run in which the same was said.
///
/// Message ids become `#1`, transaction ids `«transaction 1»` in order of appearance; date-times `«time»`, meter
/// readings `«reading»`. Heartbeats that no line of the case asks for, pings and deadlines are left out.
pub fn normalised(rows: &[Row]) -> String {
    let mut names = Names::default();
    let mut out = String::new();
    for row in rows.iter().filter(|row| belongs(row)) {
        names.row(row, &mut out);
    }
    visible(&out).into_owned()
}

fn belongs(row: &Row) -> bool {
    let by_the_clock = match row.kind.as_str() {
        "tick" | "note" => true,
        "call" | "result" | "error" => row.name == "Heartbeat" && row.line.is_none(),
        "frame" => matches!(row.name.as_str(), "opcode 9" | "opcode 10" | "ping" | "pong"),
        _ => false,
    };
    !by_the_clock
}

/// What was named so far.
#[derive(Debug, Default)]
struct Names {
    ids: Vec<String>,
    transactions: Vec<Json>,
}

impl Names {
    fn row(&mut self, row: &Row, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{}  {}", ends_of(row), label(row));
        let frame = Json::parse(&row.text).ok();
        let items = frame.as_ref().and_then(Json::as_array).unwrap_or_default();
        let is_message = matches!(row.kind.as_str(), "call" | "result" | "error");
        if let ([_, id, ..], true) = (items, is_message) {
            let _ = write!(out, " #{}", self.id(id));
        }
        if !row.name.is_empty() {
            let _ = write!(out, " {}", row.name);
        }
        let said = match row.kind.as_str() {
            "call" => items.get(3),
            "result" => items.get(2),
            _ => None,
        };
        if let Some(payload) = row.payload.as_ref().or(said) {
            self.payload(payload, out);
        } else if let ("error", [_, _, code, description, details]) = (row.kind.as_str(), items) {
            let _ = write!(out, " {code} {description}");
            self.payload(details, out);
        } else {
            let _ = write!(out, " {}", row.text.replace('\n', "\\n"));
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }

    fn payload(&mut self, payload: &Json, out: &mut String) {
        let payload = self.value("", "", payload);
        let line = payload.to_string();
        if line.chars().count() <= SHORT {
            let _ = write!(out, " {line}");
        } else {
            out.push(' ');
            pretty(&payload, 1, out);
        }
    }

    fn value(&mut self, parent: &str, key: &str, value: &Json) -> Json {
        match value {
            Json::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (name.to_owned(), self.value(key, name, value)));
                Json::Object(members.collect::<Object>())
            }
            Json::Array(items) => {
                Json::Array(items.iter().map(|item| self.value(parent, key, item)).collect())
            }
            Json::String(_) | Json::Number(_) if key == "transactionId" => self.transaction(value),
            Json::String(_) | Json::Number(_) if is_reading(parent, key) => Json::from("«reading»"),
            Json::String(text) if DateTimeText::parse(text).is_ok() => Json::from("«time»"),
            Json::String(text) => match Mark::parse(text) {
                Some(mark) => Json::from(format!("«secret {}»", mark.name)),
                None => value.clone(),
            },
            Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
        }
    }

    fn id(&mut self, id: &Json) -> usize {
        let id = id.to_string();
        place(&mut self.ids, id)
    }

    fn transaction(&mut self, id: &Json) -> Json {
        Json::from(format!(
            "«transaction {}»",
            place(&mut self.transactions, id.clone())
        ))
    }
}

/// The place of a value among those that were seen, from 1.
fn place<T: PartialEq>(seen: &mut Vec<T>, value: T) -> usize {
    let at = seen.iter().position(|one| *one == value).unwrap_or_else(|| {
        seen.push(value);
        seen.len() - 1
    });
    at + 1
}

fn is_reading(parent: &str, key: &str) -> bool {
    matches!(key, "meterStart" | "meterStop") || (parent == "sampledValue" && key == "value")
}

fn pretty(value: &Json, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Json::Object(members) if !members.is_empty() => {
            out.push_str("{\n");
            for (key, value) in members.iter() {
                let _ = write!(out, "{indent}  {}: ", Json::from(key));
                pretty(value, depth + 1, out);
                out.push('\n');
            }
            let _ = write!(out, "{indent}}}");
        }
        Json::Array(items) if !items.is_empty() => {
            out.push_str("[\n");
            for item in items {
                let _ = write!(out, "{indent}  ");
                pretty(item, depth + 1, out);
                out.push('\n');
            }
            let _ = write!(out, "{indent}]");
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use plugfest_protocol::Timestamp;

    use super::*;

    fn row(kind: &str, name: &str, text: &str) -> Row {
        Row {
            seq: 0,
            at: Timestamp::from_secs(0),
            ms: 7,
            from: "station".to_owned(),
            to: "csms".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            text: text.to_owned(),
            payload: None,
            line: None,
        }
    }

    fn talk(id: &str, transaction: u32, time: &str, meter: u32) -> String {
        normalised(&[
            row("open", "", "CS1 ocpp1.6"),
            row(
                "call",
                "StartTransaction",
                &format!(
                    r#"[2,"{id}","StartTransaction",{{"connectorId":1,"idTag":"A","meterStart":{meter},"timestamp":"{time}"}}]"#
                ),
            ),
            row(
                "result",
                "StartTransaction",
                &format!(
                    r#"[3,"{id}",{{"transactionId":{transaction},"idTagInfo":{{"status":"Accepted"}}}}]"#
                ),
            ),
            row("call", "Heartbeat", r#"[2,"9","Heartbeat",{}]"#),
            row("tick", "", ""),
            row(
                "call",
                "MeterValues",
                &format!(
                    r#"[2,"x{id}","MeterValues",{{"connectorId":1,"transactionId":{transaction},"meterValue":[{{"timestamp":"{time}","sampledValue":[{{"value":"{meter}","unit":"Wh"}}]}}]}}]"#
                ),
            ),
            row(
                "error",
                "MeterValues",
                &format!(r#"[4,"x{id}","InternalError","\u001bno",{{}}]"#),
            ),
            row("frame", "", "not json\u{7}"),
        ])
    }

    #[test]
    fn what_differs_from_run_to_run_is_gone() {
        let text = talk("a", 42, "2024-05-01T12:00:00Z", 1000);
        assert_eq!(text, talk("b", 43, "2025-01-01T00:00:00.5+01:00", 2000));
        let expected = "\
station → csms  open CS1 ocpp1.6
station → csms  CALL #1 StartTransaction {
    \"connectorId\": 1
    \"idTag\": \"A\"
    \"meterStart\": \"«reading»\"
    \"timestamp\": \"«time»\"
  }
station → csms  RESULT #1 StartTransaction {
    \"transactionId\": \"«transaction 1»\"
    \"idTagInfo\": {
      \"status\": \"Accepted\"
    }
  }
station → csms  CALL #2 MeterValues {
    \"connectorId\": 1
    \"transactionId\": \"«transaction 1»\"
    \"meterValue\": [
      {
        \"timestamp\": \"«time»\"
        \"sampledValue\": [
          {
            \"value\": \"«reading»\"
            \"unit\": \"Wh\"
          }
        ]
      }
    ]
  }
station → csms  ERROR #2 MeterValues \"InternalError\" \"\\u001bno\" {}
station → csms  frame not json\\u{7}
";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_was_said_otherwise_is_seen() {
        let one = normalised(&[row("call", "Reset", r#"[2,"1","Reset",{"type":"Soft"}]"#)]);
        let two = normalised(&[row("call", "Reset", r#"[2,"1","Reset",{"type":"Hard"}]"#)]);
        assert_ne!(one, two);
        assert_eq!(one, "station → csms  CALL #1 Reset {\"type\":\"Soft\"}\n");
    }
}
