//! Marking every text of an event.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::{alphabet, engine::DecodePaddingMode};
use plugfest_protocol::{Json, Object};

use crate::event::{Data, Head, Outcome, Premise, What};
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
            What::Premise(premise) => What::Premise(Box::new(self.premise(*premise))),
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
                data: self.data(data),
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
            What::Asked { call, verb, args } => What::Asked {
                call,
                verb: self.string(verb),
                args: self.json(args),
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

    fn data(&mut self, data: Data) -> Data {
        match data {
            Data::Text { text } => Data::Text {
                text: self.frame_text(text),
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
    fn frame_text(&mut self, text: String) -> String {
        if self.forms.find_in_text(&text).is_empty() {
            return text;
        }
        let replaced = rewrite_json(&text, &mut |_, scalar| match scalar {
            Scalar::String(inner) => match self.mark_text(inner) {
                std::borrow::Cow::Borrowed(_) => None,
                std::borrow::Cow::Owned(marked) => Some(marked),
            },
            Scalar::Word(word) => self.mark_word(word),
        });
        replaced.unwrap_or_else(|| self.string(text))
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
            std::borrow::Cow::Borrowed(_) => text,
            std::borrow::Cow::Owned(marked) => marked,
        }
    }

    fn strings(&self, texts: Vec<String>) -> Vec<String> {
        texts.into_iter().map(|text| self.string(text)).collect()
    }
}
