//! Marking every text of an event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};
use plugfest_protocol::{Json, Object};

use crate::event::{Data, Head, Outcome, Party, Premise, What};
use crate::secrets::places::Places;
use crate::secrets::text::{Scalar, rewrite_json};
use crate::secrets::{Mark, Marker};

/// Credentials as people write them: with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Marker {
    /// The event with every secret replaced, in whatever part of it.
    pub fn mark_event(&mut self, what: What) -> What {
        match what {
            What::Premise(premise) => {
                self.places = Places::of(&premise.protocol);
                What::Premise(Box::new(self.premise(*premise)))
            }
            What::Opened {
                conn,
                identity,
                by,
                request,
                response,
                subprotocol,
                flaws,
                security,
            } => What::Opened {
                conn,
                identity: self.string(identity),
                by,
                request: self.head(request),
                response: self.head(response),
                subprotocol: subprotocol.map(|s| self.string(s)),
                flaws: self.strings(flaws),
                security: security.map(|s| self.string(s)),
            },
            What::Refused {
                conn,
                identity,
                by,
                request,
                response,
                reason,
                flaws,
            } => What::Refused {
                conn,
                identity: self.string(identity),
                by,
                request: request.map(|h| self.head(h)),
                response: response.map(|h| self.head(h)),
                reason: self.string(reason),
                flaws: self.strings(flaws),
            },
            What::Frame {
                conn,
                from,
                opcode,
                data,
                flaws,
                cause,
            } => What::Frame {
                conn,
                from,
                opcode,
                data: self.data(conn, from, data),
                flaws: self.strings(flaws),
                cause,
            },
            What::Closing {
                conn,
                from,
                code,
                reason,
                flaws,
            } => What::Closing {
                conn,
                from,
                code,
                reason: self.string(reason),
                flaws: self.strings(flaws),
            },
            What::Closed { conn, by, how } => What::Closed {
                conn,
                by,
                how: self.string(how),
            },
            What::Link { op } => What::Link { op: self.string(op) },
            What::Transfer {
                transfer,
                by,
                op,
                url,
                request,
            } => What::Transfer {
                transfer,
                by,
                op: self.string(op),
                url: self.string(url),
                request: self.head(request),
            },
            What::Transferred {
                transfer,
                status,
                length,
                sha256,
                whole,
                reason,
            } => What::Transferred {
                transfer,
                status,
                length,
                sha256: sha256.map(|s| self.string(s)),
                whole,
                reason: self.string(reason),
            },
            What::Asked { call, verb, args } => What::Asked {
                call,
                args: self.asked(&verb, args),
                verb: self.string(verb),
            },
            What::Performed { call, outcome } => What::Performed {
                call,
                outcome: self.outcome(outcome),
            },
            What::Process { what, text } => What::Process {
                what: self.string(what),
                text: self.string(text),
            },
            What::Stage { name } => What::Stage {
                name: self.string(name),
            },
            What::Interrupted { by } => What::Interrupted { by: self.string(by) },
            What::Tick => What::Tick,
            What::End => What::End,
        }
    }

    fn premise(&self, premise: Premise) -> Premise {
        let map = |map: BTreeMap<String, Json>| {
            map.into_iter()
                .map(|(k, v)| (self.string(k), self.json(v)))
                .collect()
        };
        Premise {
            identity: self.string(premise.identity),
            for_values: map(premise.for_values),
            values: self.json(premise.values),
            pics: map(premise.pics),
            facts: map(premise.facts),
            connections: premise
                .connections
                .into_iter()
                .map(|mut c| {
                    c.identity = self.string(c.identity);
                    c
                })
                .collect(),
            case: premise.case.map(|mut case| {
                for file in &mut case.files {
                    file.text = self.string(std::mem::take(&mut file.text));
                }
                case
            }),
            ..premise
        }
    }

    fn outcome(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Returned { value } => Outcome::Returned {
                value: self.json(value),
            },
            Outcome::Unsupported { why } => Outcome::Unsupported {
                why: self.string(why),
            },
            Outcome::Failed { why } => Outcome::Failed {
                why: self.string(why),
            },
            Outcome::Done | Outcome::Skipped => outcome,
        }
    }

    fn head(&self, head: Head) -> Head {
        let header = |(name, value): (String, String)| {
            let is_secret = ["authorization", "proxy-authorization"]
                .iter()
                .any(|h| name.eq_ignore_ascii_case(h));
            let value = if is_secret {
                self.credentials(&value)
            } else {
                self.string(value)
            };
            (self.string(name), value)
        };
        Head {
            line: self.string(head.line),
            headers: head.headers.into_iter().map(header).collect(),
        }
    }

    /// Credentials are secret whoever sent them. Those of HTTP Basic keep their form, with a mark for the password,
    /// so that the user name can still be judged.
    fn credentials(&self, value: &str) -> String {
        let Some((scheme, rest)) = value.split_once(' ') else {
            return self.mark_whole("authorization", value.as_bytes()).to_string();
        };
        let basic = if scheme.eq_ignore_ascii_case("basic") {
            LENIENT.decode(rest.trim()).ok()
        } else {
            None
        };
        let pair = basic.as_deref().and_then(|pair| {
            let colon = pair.iter().position(|&b| b == b':')?;
            Some((&pair[..colon], &pair[colon + 1..]))
        });
        let Some((user, password)) = pair else {
            return format!(
                "{} {}",
                self.mark_text(scheme),
                self.mark_whole("authorization", rest.as_bytes())
            );
        };
        let mut marked = self.mark_bytes(user).unwrap_or_else(|| user.to_vec());
        marked.push(b':');
        if str::from_utf8(password).is_ok_and(|text| Mark::parse(text).is_some()) {
            marked.extend_from_slice(password);
        } else {
            marked.extend_from_slice(self.mark_whole("basic-auth", password).to_string().as_bytes());
        }
        format!("{scheme} {}", STANDARD.encode(marked))
    }

    fn data(&mut self, conn: u32, from: Party, data: Data) -> Data {
        match data {
            Data::Text { text } => Data::Text {
                text: self.frame_text(conn, from, text),
            },
            Data::Bytes { base64 } => {
                let bytes = STANDARD
                    .decode(&base64)
                    .ok()
                    .and_then(|bytes| self.mark_bytes(&bytes));
                Data::Bytes {
                    base64: bytes.map_or(base64, |bytes| STANDARD.encode(bytes)),
                }
            }
            Data::Large {
                mut head,
                length,
                sha256,
            } => {
                if let Some(cut) = self.forms.find_cut(&head) {
                    let start = head.floor_char_boundary(cut.start);
                    let mark = self.mark_of(cut.secret, head[start..].chars().count());
                    head.truncate(start);
                    head = self.string(head);
                    head.push_str(&mark.to_string());
                } else {
                    head = self.string(head);
                }
                Data::Large { head, length, sha256 }
            }
        }
    }

    /// The text of a frame. JSON stays JSON, whatever is replaced in it.
    fn frame_text(&mut self, conn: u32, from: Party, text: String) -> String {
        let places = self.places.secrets_of(conn, from, &text);
        if places.is_empty() && self.forms.find_in_text(&text).is_empty() {
            return text;
        }
        let replaced = rewrite_json(&text, &mut |pointer, scalar| {
            let place = pointer.and_then(|pointer| places.iter().find(|place| is_below(pointer, place)));
            match (place, scalar) {
                (Some(place), Scalar::String(inner)) => self.mark_place(place, inner),
                (Some(place), Scalar::Word(word)) if is_number(word) => self.mark_place(place, word),
                (None, Scalar::String(inner)) => match self.mark_text(inner) {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(marked) => Some(marked),
                },
                (_, Scalar::Word(word)) => self.mark_word(word),
            }
        });
        replaced.unwrap_or_else(|| self.string(text))
    }

    /// The mark for a value at a secret place; an empty one and one that is a mark already stay.
    fn mark_place(&self, place: &str, value: &str) -> Option<String> {
        let name = place.rsplit('/').next().unwrap_or(place);
        (!value.is_empty() && Mark::parse(value).is_none())
            .then(|| self.mark_whole(name, value.as_bytes()).to_string())
    }

    /// The arguments of an action, with what the catalogue calls secret replaced like in a frame.
    fn asked(&self, verb: &str, mut args: Json) -> Json {
        if verb == "csms.call" {
            for place in self.places.secrets_of_asked(&args) {
                let mark = args.pointer(&place).and_then(|value| match value {
                    Json::String(text) => self.mark_place(&place, text),
                    Json::Number(number) => self.mark_place(&place, number.text()),
                    Json::Null | Json::Bool(_) => None,
                    Json::Array(_) | Json::Object(_) => self.mark_place(&place, &value.to_string()),
                });
                if let (Some(mark), Some(value)) = (mark, args.pointer_mut(&place)) {
                    *value = Json::String(mark);
                }
            }
        }
        self.json(args)
    }

    /// A secret that consists of digits can come as a number; a mark in quotes takes its place.
    fn mark_word(&self, word: &str) -> Option<String> {
        let found = self.forms.find_in_bytes(word.as_bytes());
        let whole = found.iter().find(|f| f.start == 0 && f.end == word.len())?;
        Some(self.mark_of(whole.secret, word.chars().count()).to_string())
    }

    fn json(&self, json: Json) -> Json {
        match json {
            Json::String(text) => Json::String(self.string(text)),
            Json::Number(number) => match self.mark_word(number.text()) {
                Some(mark) => Json::String(mark),
                None => Json::Number(number),
            },
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.json(item)).collect()),
            Json::Object(members) => {
                let members = members
                    .into_iter()
                    .map(|(key, value)| (self.string(key), self.json(value)));
                Json::Object(members.collect::<Object>())
            }
            Json::Null | Json::Bool(_) => json,
        }
    }

    fn string(&self, text: String) -> String {
        match self.mark_text(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(marked) => marked,
        }
    }

    fn strings(&self, texts: Vec<String>) -> Vec<String> {
        texts.into_iter().map(|text| self.string(text)).collect()
    }
}

fn is_below(pointer: &str, place: &str) -> bool {
    pointer
        .strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use plugfest_protocol::{Json, object};

    use super::*;
    use crate::data::hex;
    use crate::testing::premise;

    const SECRET: &str = "Tr0ub4dor&3/\"quoted\"";

    fn marker() -> Marker {
        let mut marker = Marker::new([3; 32]);
        marker.add("password", SECRET.as_bytes());
        marker.add("number", b"1234567890");
        marker.mark_event(What::Premise(Box::new(premise())));
        marker
    }

    fn frame(from: Party, text: impl Into<String>) -> What {
        let data = Data::Text { text: text.into() };
        What::Frame {
            conn: 1,
            from,
            opcode: 1,
            data,
            flaws: Vec::new(),
            cause: None,
        }
    }

    fn marked(marker: &mut Marker, from: Party, text: impl Into<String>) -> Json {
        let What::Frame {
            data: Data::Text { text },
            ..
        } = marker.mark_event(frame(from, text))
        else {
            panic!("a frame stays a frame")
        };
        Json::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn mark(json: &Json, pointer: &str) -> Mark {
        let text = json.pointer(pointer).and_then(Json::as_str);
        text.and_then(Mark::parse)
            .unwrap_or_else(|| panic!("no mark at {pointer} of {json}"))
    }

    #[test]
    fn a_frame_with_secrets_stays_json() {
        let mut marker = marker();
        let payload = object! { "vendorId": SECRET, "data": hex(SECRET.as_bytes()), "n": 1_234_567_890_i64, "m": 1.to_string() };
        let text = Json::from(vec![2.into(), "1".into(), "DataTransfer".into(), payload]).to_string();
        let json = marked(&mut marker, Party::Dut, text);
        let (plain, hex) = (mark(&json, "/3/vendorId"), mark(&json, "/3/data"));
        assert_eq!((plain.name.as_str(), plain.length), ("password", SECRET.len()));
        assert_eq!(
            (hex.name.as_str(), hex.length, hex.hash),
            ("password", 2 * SECRET.len(), plain.hash)
        );
        assert_eq!(
            (mark(&json, "/3/n").name.as_str(), json.pointer("/3/m")),
            ("number", Some(&Json::from("1")))
        );
    }

    #[test]
    fn what_is_not_json_is_marked_as_text() {
        let mut marker = marker();
        let event = marker.mark_event(frame(Party::Dut, format!("[2,\"1\", {SECRET}")));
        let text = serde_json::to_string(&event).unwrap();
        assert!(
            text.contains("«secret:password:") && !text.contains("Tr0ub"),
            "{text}"
        );
    }

    #[test]
    fn places_of_the_catalogue_are_secret_whoever_writes_them() {
        let mut marker = marker();
        let change = r#"[2,"7","ChangeConfiguration",{"key":"AuthorizationKey","value":"feedbeef"}]"#;
        let asked = mark(&marked(&mut marker, Party::Us, change), "/3/value");
        assert_eq!((asked.name.as_str(), asked.length), ("value", 8));
        let other = r#"[2,"8","ChangeConfiguration",{"key":"HeartbeatInterval","value":"feedbeef"}]"#;
        assert_eq!(marked(&mut marker, Party::Us, other).to_string(), other);

        marked(&mut marker, Party::Us, r#"[2,"9","GetConfiguration",{}]"#);
        let answer = r#"[3,"9",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"feedbeef"},{"key":"x","readonly":true,"value":"feedbeef"}]}]"#;
        let answer = marked(&mut marker, Party::Dut, answer);
        assert_eq!(mark(&answer, "/2/configurationKey/0/value").hash, asked.hash);
        assert_eq!(
            answer.pointer("/2/configurationKey/1/value"),
            Some(&Json::from("feedbeef"))
        );
        // The same frame again answers nothing, and is left alone.
        let stray =
            r#"[3,"9",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":""}]}]"#;
        assert_eq!(marked(&mut marker, Party::Dut, stray).to_string(), stray);
    }

    #[test]
    fn a_number_or_a_structure_at_a_secret_place_is_marked_too() {
        let mut marker = marker();
        let change =
            r#"[2,"7","ChangeConfiguration",{"key":"AuthorizationKey","value":{"a":["deep",7,true]}}]"#;
        let json = marked(&mut marker, Party::Dut, change);
        assert!(!json.to_string().contains("deep"), "{json}");
        mark(&json, "/3/value/a/1");
        assert_eq!(json.pointer("/3/value/a/2"), Some(&Json::Bool(true)));
    }

    #[test]
    fn credentials_keep_the_user_and_lose_the_password() {
        let mut marker = marker();
        let head = |value: String| Head {
            line: "GET / HTTP/1.1".to_owned(),
            headers: vec![("AUTHORIZATION".to_owned(), value)],
        };
        let mut value = |value: String| {
            let event = What::Refused {
                conn: 1,
                identity: String::new(),
                by: Party::Dut,
                request: Some(head(value)),
                response: None,
                reason: String::new(),
                flaws: Vec::new(),
            };
            match marker.mark_event(event) {
                What::Refused {
                    request: Some(mut head),
                    ..
                } => head.headers.remove(0).1,
                other => panic!("{other:?}"),
            }
        };
        let decoded = |value: &str| String::from_utf8(STANDARD.decode(&value[6..]).unwrap()).unwrap();
        let known = value(format!("Basic {}", STANDARD.encode(format!("CS1:{SECRET}"))));
        assert!(decoded(&known).starts_with("CS1:«secret:password:"), "{known}");
        let foreign = value(format!("basic {}", STANDARD.encode("CS1:never:seen")));
        assert!(
            decoded(&foreign).starts_with("CS1:«secret:basic-auth:10:"),
            "{foreign}"
        );
        assert_eq!(value(foreign.clone()), foreign);
        assert!(value("Basic %%%".to_owned()).starts_with("Basic «secret:authorization:3:"));
        assert!(value("Bearer abc".to_owned()).starts_with("Bearer «secret:authorization:3:"));
        assert!(value("abc".to_owned()).starts_with("«secret:authorization:3:"));
    }

    #[test]
    fn every_text_of_every_event_is_looked_at() {
        let s = || format!("<{SECRET}>");
        let head = || Head {
            line: s(),
            headers: vec![(s(), s())],
        };
        let json = || object! { "a": array_of(&s()) };
        let mut premise = premise();
        premise.identity = s();
        premise.values = json();
        premise.facts.insert("x".to_owned(), json());
        premise.pics.insert("x".to_owned(), json());
        premise.for_values.insert("x".to_owned(), json());
        premise.connections.push(crate::OpenConnection {
            conn: 1,
            identity: s(),
            subprotocol: None,
        });
        premise.case = Some(crate::CaseSource {
            id: "a".to_owned(),
            sha256: String::new(),
            files: vec![crate::SourceFile {
                path: "a".to_owned(),
                text: s(),
            }],
        });
        let (conn, by, from, flaws) = (1, Party::Dut, Party::Dut, vec![s()]);
        let bytes = Data::Bytes {
            base64: STANDARD.encode(s()),
        };
        let large = Data::Large {
            head: s(),
            length: 1,
            sha256: String::new(),
        };
        let cut = Data::Large {
            head: format!("x{}", &SECRET[..9]),
            length: 1,
            sha256: String::new(),
        };
        let events = vec![
            What::Premise(Box::new(premise)),
            What::Opened {
                conn,
                identity: s(),
                by,
                request: head(),
                response: head(),
                subprotocol: Some(s()),
                flaws: flaws.clone(),
                security: Some(s()),
            },
            What::Refused {
                conn,
                identity: s(),
                by,
                request: Some(head()),
                response: Some(head()),
                reason: s(),
                flaws: flaws.clone(),
            },
            frame(from, s()),
            What::Frame {
                conn,
                from,
                opcode: 2,
                data: bytes,
                flaws: flaws.clone(),
                cause: None,
            },
            What::Frame {
                conn,
                from,
                opcode: 1,
                data: large,
                flaws: flaws.clone(),
                cause: None,
            },
            What::Frame {
                conn,
                from,
                opcode: 1,
                data: cut,
                flaws: Vec::new(),
                cause: None,
            },
            What::Closing {
                conn,
                from,
                code: None,
                reason: s(),
                flaws,
            },
            What::Closed { conn, by, how: s() },
            What::Link { op: s() },
            What::Asked {
                call: 1,
                verb: s(),
                args: json(),
            },
            What::Performed {
                call: 1,
                outcome: Outcome::Returned { value: json() },
            },
            What::Performed {
                call: 1,
                outcome: Outcome::Unsupported { why: s() },
            },
            What::Performed {
                call: 1,
                outcome: Outcome::Failed { why: s() },
            },
            What::Process { what: s(), text: s() },
            What::Stage { name: s() },
            What::Interrupted { by: s() },
        ];
        let mut marker = marker();
        for event in events {
            let marked = marker.mark_event(event);
            let base64 = match &marked {
                What::Frame {
                    data: Data::Bytes { base64 },
                    ..
                } => STANDARD.decode(base64).unwrap(),
                _ => Vec::new(),
            };
            let text = format!("{marked:?}{}", String::from_utf8_lossy(&base64));
            assert!(
                text.contains("«secret:password:") && !text.contains("Tr0ub"),
                "{text}"
            );
        }
    }

    fn array_of(text: &str) -> Json {
        Json::Array(vec![text.into(), object! { "k": text }])
    }

    #[test]
    fn a_call_for_hands_is_marked_like_the_frame_that_it_asks_for() {
        let args = object! { "action": "ChangeConfiguration", "payload": object! { "key": "AuthorizationKey", "value": "feedbeef" } };
        let asked = marker().mark_event(What::Asked {
            call: 1,
            verb: "csms.call".to_owned(),
            args,
        });
        let What::Asked { args, .. } = asked else {
            panic!("it stays what it is")
        };
        assert_eq!(mark(&args, "/payload/value").length, 8);
    }
}
