//! What the played side says: its CALLs and answers, made from the words of their lines.

use plugfest_case::ir::{AnswerForm, Kind, Pattern};
use plugfest_case::raw::from_hex;
use plugfest_protocol::{Frame, Json, Object, read_frame};

use super::Command;
use super::context::Cx;
use super::pattern::Overlay;
use super::tree::{AnswerLink, Expect, Raw, Send, Sending};
use super::value::ValueError;

impl Expect {
    /// Sends our answer as the line says, or leaves it to ordinary behaviour.
    pub(super) fn reply_now(&mut self, frame: super::scope::FrameId, cx: &mut Cx) -> Result<(), ValueError> {
        let Some(taken) = self.taken.clone() else {
            return Ok(());
        };
        if let Some(link) = self.link {
            let call = (taken.conn, taken.id, taken.action);
            cx.named.insert(super::tree::link_name(link), call);
            self.reply = Sending::Done;
            return Ok(());
        }
        self.reply = Sending::Commanded;
        let form = self.answers.iter().find_map(|stmt| match &stmt.kind {
            Kind::Answer(answer) => Some(answer.forms.clone()),
            _ => None,
        });
        let Some(forms) = form else {
            cx.commands.push(Command::Ordinary {
                conn: taken.conn,
                id: taken.id,
                action: taken.action,
            });
            return Ok(());
        };
        let chosen = if forms.len() > 1 {
            cx.choose(forms.len() as u32) as usize
        } else {
            0
        };
        if matches!(forms[chosen], AnswerForm::Silence) {
            self.reply = Sending::Done;
        }
        send_answer(&forms[chosen], taken.conn, &taken.id, &taken.action, frame, cx)
    }
}

impl Send {
    pub(super) fn command(&mut self, frame: super::scope::FrameId, cx: &mut Cx) -> Result<(), ValueError> {
        let mut pattern = self.call.payload.clone();
        if let Some(picks) = &self.call.picks {
            pattern.fields.extend(picks.fields.iter().cloned());
        }
        let overlay = cx.values.build(&pattern, frame)?;
        cx.away_asked |= cx.story.dialect.may_disconnect(&self.call.action.text);
        cx.commands.push(Command::Call {
            speaker: self.call.speaker.role.clone(),
            number: self.call.speaker.number,
            action: self.call.action.text.clone(),
            overlay,
        });
        self.sending = Sending::Commanded;
        Ok(())
    }
}

impl Raw {
    pub(super) fn command(&mut self, frame: super::scope::FrameId, cx: &mut Cx) -> Result<(), ValueError> {
        let value = cx.values.evaluate(&self.text, frame)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let bytes = if self.bytes {
            from_hex(&text).ok_or(ValueError::NotBytes)?
        } else {
            text.into_bytes()
        };
        match str::from_utf8(&bytes).map(|text| read_frame(cx.story.edition, text)) {
            Ok(read) => {
                if let Some(Frame::Call { action, .. }) = read.frame {
                    cx.away_asked |= cx.story.dialect.may_disconnect(&action);
                    self.action = Some(action);
                    self.waits = read.flaws.is_empty();
                }
            }
            // A peer gives up the connection on what is no UTF-8 (RFC 6455 8.1).
            Err(_) => cx.away_asked = true,
        }
        cx.commands.push(Command::Raw(bytes));
        self.sending = Sending::Commanded;
        Ok(())
    }
}

/// Hands an answer of ours to the player.
pub(super) fn send_answer(
    form: &AnswerForm,
    conn: u32,
    id: &str,
    action: &str,
    frame: super::scope::FrameId,
    cx: &mut Cx,
) -> Result<(), ValueError> {
    let command = match form {
        AnswerForm::Result(pattern) => Command::Answer {
            conn,
            id: id.to_owned(),
            action: action.to_owned(),
            overlay: cx.values.build(pattern, frame)?,
        },
        AnswerForm::Error { code } => {
            let mut code = code;
            while let Pattern::OneOf(options) = code
                && let Some(first) = options.first()
            {
                code = first;
            }
            let code = match code {
                Pattern::Value(expr) => cx
                    .values
                    .evaluate(expr, frame)?
                    .as_str()
                    .unwrap_or("GenericError")
                    .to_owned(),
                _ => "GenericError".to_owned(),
            };
            Command::AnswerError {
                conn,
                id: id.to_owned(),
                action: action.to_owned(),
                code,
            }
        }
        AnswerForm::Silence => Command::Silence {
            conn,
            id: id.to_owned(),
        },
    };
    cx.commands.push(command);
    Ok(())
}

impl Overlay {
    /// The overlay on the smallest valid payload of an action: what the driver is asked to let a CSMS send.
    pub(super) fn onto(&self, edition: &'static plugfest_protocol::Edition, action: &str) -> Json {
        let model = if edition.action(action).is_some() {
            plugfest_protocol::minimal(edition, action, plugfest_protocol::Part::Request)
        } else {
            Json::Object(Object::new())
        };
        let mut payload = self.over(model);
        if let Some(ty) = edition.message(action, plugfest_protocol::Part::Request) {
            conform(ty, &mut payload);
        }
        payload
    }

    /// The overlay on the payload that a side would send by itself.
    pub fn over(&self, model: Json) -> Json {
        self.laid(model, false)
    }

    /// The overlay on a payload that was made with it: what went out, if it was this.
    pub fn again(&self, payload: Json) -> Json {
        self.laid(payload, true)
    }

    fn laid(&self, model: Json, by_place: bool) -> Json {
        let mut payload = if self.exactly {
            Json::Object(Object::new())
        } else {
            model.clone()
        };
        lay(&mut payload, &Json::Object(self.values.clone()), by_place);
        for pointer in &self.absent {
            payload.remove_pointer(pointer);
        }
        for pointer in &self.holes {
            if payload.pointer(pointer).is_none()
                && let Some(value) = model.pointer(pointer)
            {
                // The model has the place, so it can be set.
                let _there = payload.set_pointer(pointer, value.clone());
            }
        }
        payload
    }
}

/// Writes values as their fields want them: `10` is the text `"10"` where the standard has a text (configuration
/// values), and a whole decimal is an integer where it has an integer.
pub fn conform(ty: &plugfest_protocol::ObjectType, payload: &mut Json) {
    let Json::Object(object) = payload else { return };
    for field in &ty.fields {
        let Some(value) = object.get_mut(&field.name) else {
            continue;
        };
        match value {
            Json::Array(items) if field.array.is_some() => {
                for item in items.iter_mut() {
                    conform_value(&field.ty, item);
                }
            }
            value => conform_value(&field.ty, value),
        }
    }
}

fn conform_value(ty: &plugfest_protocol::Type, value: &mut Json) {
    use plugfest_protocol::Type;
    match (ty, &*value) {
        (Type::Object(inner), Json::Object(_)) => conform(inner, value),
        (Type::Str { .. }, Json::Number(n)) => *value = Json::from(n.to_string()),
        (Type::Str { .. }, Json::Bool(b)) => *value = Json::from(b.to_string()),
        (Type::Str { .. }, Json::Array(items)) => {
            // A list in a text is written with commas (OCPP-1.6 9).
            let words: Vec<String> = items
                .iter()
                .map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned))
                .collect();
            *value = Json::from(words.join(","));
        }
        (Type::Int { .. }, Json::Number(n)) => {
            if let Some(whole) = n.as_i64() {
                *value = Json::from(whole);
            }
        }
        _ => {}
    }
}

/// Lays what a line says over what the model would say. A list is as long as the line has it; its objects are subsets
/// as all objects are, and each lies over what the model has for it: the only member of the model's list, or `by_place`
/// the one at its place.
fn lay(into: &mut Json, from: &Json, by_place: bool) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (key, value) in from.iter() {
                match into.get_mut(key) {
                    Some(there) => lay(there, value, by_place),
                    None => into.insert(key, value.clone()),
                }
            }
        }
        (Json::Array(into), Json::Array(from)) => {
            let model = std::mem::take(into);
            let below = |i: usize| match model.as_slice() {
                _ if by_place => model.get(i),
                [only] => Some(only),
                _ => None,
            };
            *into = from
                .iter()
                .enumerate()
                .map(|(i, item)| match (below(i), item) {
                    (Some(there), Json::Object(_)) => {
                        let mut whole = there.clone();
                        lay(&mut whole, item, by_place);
                        whole
                    }
                    _ => item.clone(),
                })
                .collect();
        }
        (into, from) => *into = from.clone(),
    }
}

/// True for the answer that a free-standing line waits for.
pub(super) fn answers_to(link: &AnswerLink, conn: u32, id: &str, cx: &Cx) -> bool {
    match link {
        AnswerLink::Above(n) => cx.links.get(n).is_some_and(|(c, i)| *c == conn && i == id),
        AnswerLink::Named(name) => cx.named.get(name).is_some_and(|(c, i, _)| *c == conn && i == id),
    }
}
