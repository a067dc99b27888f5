//! Slips of messages and of fields.

use std::time::Duration;

use plugfest_protocol::{Edition, Frame, Json, Part, Timestamp, another_legal};

use super::{LATE, Passing, Tap};
use crate::slip::{Fate, Slip, Value};

impl Tap {
    /// What a device with that slip says in place of the text.
    pub(super) fn slip(
        &mut self,
        slip: &Slip,
        mut passing: Passing<'_>,
        text: String,
        now: Timestamp,
    ) -> Vec<String> {
        let overtaken = self.overtaken.take();
        let mut texts = match slip {
            Slip::Message { action, part, fate } if passing.is(action, *part) => match fate {
                Fate::Lost => Vec::new(),
                Fate::Doubled => vec![text.clone(), text],
                Fate::Late => {
                    self.hold(text, now.plus(LATE));
                    Vec::new()
                }
                Fate::Overtaken => {
                    self.overtaken = Some(text);
                    Vec::new()
                }
            },
            Slip::Field {
                action,
                part,
                pointer,
                value,
            } if passing.is(action, *part) => {
                let before = self
                    .last
                    .replace(passing.payload_mut().map_or(Json::Null, |it| it.clone()));
                let mistake = Mistake {
                    action,
                    part: *part,
                    pointer,
                    value: *value,
                    before: before.as_ref(),
                };
                let made = passing.payload_mut().is_some_and(|payload| mistake.make(payload));
                vec![if made { passing.frame.to_text() } else { text }]
            }
            _ => vec![text],
        };
        texts.extend(overtaken);
        texts
    }
}

impl Passing<'_> {
    fn is(&self, action: &str, part: Part) -> bool {
        let own = match self.frame {
            Frame::Call { .. } => Part::Request,
            _ => Part::Response,
        };
        self.action == action && own == part
    }
}

/// A mistake in a field.
struct Mistake<'a> {
    action: &'a str,
    part: Part,
    pointer: &'a str,
    value: Value,
    before: Option<&'a Json>,
}

impl Mistake<'_> {
    /// True where something was changed.
    fn make(&self, payload: &mut Json) -> bool {
        let mut places = Vec::new();
        expand(payload, self.pointer, String::new(), &mut places);
        let mut any = false;
        for place in places {
            let Some(now) = payload.pointer(&place).cloned() else {
                continue;
            };
            if self.value == Value::Absent {
                any |= payload.remove_pointer(&place).is_some();
                continue;
            }
            if let Some(other) = self.another(&place, &now).filter(|other| *other != now) {
                any |= payload.set_pointer(&place, other);
            }
        }
        any
    }

    fn another(&self, place: &str, now: &Json) -> Option<Json> {
        match self.value {
            Value::Absent => None,
            Value::Stale => self.before?.pointer(place).cloned(),
            Value::Foreign | Value::OffByOne => off_by_one(now),
            Value::Other => {
                let edition = Edition::ocpp16();
                another_legal(edition, self.action, self.part, place, now, 0)
            }
        }
    }
}

/// One more, or an hour later.
fn off_by_one(now: &Json) -> Option<Json> {
    if let Some(number) = now.as_i64() {
        return Some((number + 1).into());
    }
    let text = now.as_str()?;
    if let Ok(instant) = Timestamp::parse(text) {
        return Some(instant.plus(Duration::from_hours(1)).to_rfc3339().into());
    }
    let number: i64 = text.parse().ok()?;
    Some((number + 1).to_string().into())
}

/// The pointers that a pattern stands for in this payload.
fn expand(json: &Json, pattern: &str, place: String, places: &mut Vec<String>) {
    let Some(rest) = pattern.strip_prefix('/') else {
        places.push(place);
        return;
    };
    let (step, rest) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(step, rest)| (step, format!("/{rest}")));
    if step == "*" {
        for (at, item) in json.as_array().unwrap_or_default().iter().enumerate() {
            expand(item, &rest, format!("{place}/{at}"), places);
        }
    } else if let Some(inner) = json.get(step) {
        expand(inner, &rest, format!("{place}/{step}"), places);
    }
}
