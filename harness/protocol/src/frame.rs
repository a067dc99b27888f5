//! Frames of OCPP-J, and what is wrong with a wrong one.

use std::fmt;

use crate::edition::Edition;
use crate::error_codes::legacy_spelling;
use crate::json::{Json, JsonFlaw, Limits, Number};
use crate::validate::Severity;

/// A longer text is not taken apart. It is a limit of ours, no standard's.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// The most characters of a message id (OCPP-1.6J 4.1.4), where the catalogue of an edition says nothing else.
pub const MAX_ID_CHARS: usize = 36;

/// One message of OCPP-J.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// `[2, id, action, payload]`.
    Call {
        /// Message id of the sender's choice.
        id: String,
        /// Name of the action.
        action: String,
        /// The request.
        payload: Json,
    },
    /// `[3, id, payload]`.
    CallResult {
        /// The id of the CALL that it answers.
        id: String,
        /// The response.
        payload: Json,
    },
    /// `[4, id, code, description, details]`.
    CallError {
        /// The id of the CALL that it answers.
        id: String,
        /// Error code.
        code: String,
        /// Words for a person, often empty.
        description: String,
        /// Undefined details, `{}` where there are none.
        details: Json,
    },
}

/// A text read as a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFrame {
    /// The frame, also where it is flawed but can be understood.
    pub frame: Option<Frame>,
    /// What is wrong with it.
    pub flaws: Vec<FrameFlaw>,
    /// The message id, where one can be read although there is no frame.
    pub id: Option<String>,
    /// The JSON, where it is JSON but no frame. Where it is one, its parts have moved into the frame.
    pub json: Option<Json>,
}

/// One thing that is wrong with a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameFlaw {
    /// What kind of thing.
    pub kind: FrameFlawKind,
    /// Where, and what stood there.
    pub detail: String,
}

/// What can be wrong with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameFlawKind {
    /// The bytes are no UTF-8. Only the wire can see this; [`read_frame`] gets text.
    NotUtf8,
    /// The text is no JSON.
    NotJson,
    /// The text begins with a byte order mark.
    Bom,
    /// There is more text behind the JSON.
    TrailingData,
    /// Deeper or with more values than our limits allow.
    TooDeep,
    /// Longer than our limits allow.
    TooLarge,
    /// A key stands twice in one object.
    DuplicateKey,
    /// Half of a surrogate pair stands alone in a string.
    LoneSurrogate,
    /// The JSON is no array.
    NotArray,
    /// The array is empty.
    Empty,
    /// The message type is no plain integer.
    BadTypeNumber,
    /// A message type that the edition does not have.
    UnknownType(i64),
    /// Too few or too many elements for the message type.
    BadArity,
    /// The message id is no string.
    IdNotString,
    /// The message id has more than 36 characters.
    IdTooLong,
    /// The message id is empty.
    IdEmpty,
    /// The action is no string.
    ActionNotString,
    /// The payload is `null`, which is tolerated where there is nothing to say.
    PayloadNull,
    /// The payload is neither object nor `null`.
    PayloadNotObject,
    /// The error code is no string.
    CodeNotString,
    /// The error code is not one of the edition.
    CodeUnknown,
    /// The error code is a corrected spelling of one of the edition.
    CodeLegacySpelling,
    /// The error description is no string.
    DescriptionNotString,
    /// The error details are no object.
    DetailsNotObject,
}

use FrameFlawKind as Kind;

impl Frame {
    /// The message id.
    pub fn id(&self) -> &str {
        match self {
            Self::Call { id, .. } | Self::CallResult { id, .. } | Self::CallError { id, .. } => id,
        }
    }

    /// `CALL`, `CALLRESULT` or `CALLERROR`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Call { .. } => "CALL",
            Self::CallResult { .. } => "CALLRESULT",
            Self::CallError { .. } => "CALLERROR",
        }
    }

    /// The message type number.
    pub const fn type_number(&self) -> u8 {
        match self {
            Self::Call { .. } => 2,
            Self::CallResult { .. } => 3,
            Self::CallError { .. } => 4,
        }
    }

    /// The payload of a request or a response.
    pub const fn payload(&self) -> Option<&Json> {
        match self {
            Self::Call { payload, .. } | Self::CallResult { payload, .. } => Some(payload),
            Self::CallError { .. } => None,
        }
    }

    /// The frame as it goes over the wire.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { id, action, payload } => {
                write!(f, "[2,{},{},{payload}]", Json::from(id), Json::from(action))
            }
            Self::CallResult { id, payload } => write!(f, "[3,{},{payload}]", Json::from(id)),
            Self::CallError {
                id,
                code,
                description,
                details,
            } => {
                write!(
                    f,
                    "[4,{},{},{},{details}]",
                    Json::from(id),
                    Json::from(code),
                    Json::from(description)
                )
            }
        }
    }
}

impl FrameFlawKind {
    /// One of every kind.
    pub const ALL: [Self; 24] = [
        Self::NotUtf8,
        Self::NotJson,
        Self::Bom,
        Self::TrailingData,
        Self::TooDeep,
        Self::TooLarge,
        Self::DuplicateKey,
        Self::LoneSurrogate,
        Self::NotArray,
        Self::Empty,
        Self::BadTypeNumber,
        Self::UnknownType(0),
        Self::BadArity,
        Self::IdNotString,
        Self::IdTooLong,
        Self::IdEmpty,
        Self::ActionNotString,
        Self::PayloadNull,
        Self::PayloadNotObject,
        Self::CodeNotString,
        Self::CodeUnknown,
        Self::CodeLegacySpelling,
        Self::DescriptionNotString,
        Self::DetailsNotObject,
    ];

    /// Its id: `frame-bad-arity`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::NotUtf8 => "frame-not-utf8",
            Self::NotJson => "frame-not-json",
            Self::Bom => "frame-bom",
            Self::TrailingData => "frame-trailing-data",
            Self::TooDeep => "frame-too-deep",
            Self::TooLarge => "frame-too-large",
            Self::DuplicateKey => "frame-duplicate-key",
            Self::LoneSurrogate => "frame-lone-surrogate",
            Self::NotArray => "frame-not-array",
            Self::Empty => "frame-empty",
            Self::BadTypeNumber => "frame-bad-type-number",
            Self::UnknownType(_) => "frame-unknown-type",
            Self::BadArity => "frame-bad-arity",
            Self::IdNotString => "frame-id-not-string",
            Self::IdTooLong => "frame-id-too-long",
            Self::IdEmpty => "frame-id-empty",
            Self::ActionNotString => "frame-action-not-string",
            Self::PayloadNull => "frame-payload-null",
            Self::PayloadNotObject => "frame-payload-not-object",
            Self::CodeNotString => "frame-code-not-string",
            Self::CodeUnknown => "frame-code-unknown",
            Self::CodeLegacySpelling => "frame-code-legacy-spelling",
            Self::DescriptionNotString => "frame-description-not-string",
            Self::DetailsNotObject => "frame-details-not-object",
        }
    }

    /// The clause that it offends.
    pub const fn clause(self) -> &'static str {
        match self {
            Self::NotUtf8 | Self::NotJson | Self::TrailingData => "OCPP-1.6J 4.1.2",
            Self::Bom => "RFC 8259 8.1",
            Self::TooDeep | Self::TooLarge => "RFC 8259 9",
            Self::DuplicateKey => "RFC 8259 4",
            Self::LoneSurrogate => "RFC 8259 8.2",
            Self::NotArray | Self::Empty | Self::BadArity => "OCPP-1.6J 4.2",
            Self::BadTypeNumber | Self::UnknownType(_) => "OCPP-1.6J 4.1.3",
            Self::IdNotString | Self::IdTooLong | Self::IdEmpty => "OCPP-1.6J 4.1.4",
            Self::ActionNotString | Self::PayloadNull | Self::PayloadNotObject => "OCPP-1.6J 4.2.1",
            Self::CodeNotString
            | Self::CodeUnknown
            | Self::CodeLegacySpelling
            | Self::DescriptionNotString
            | Self::DetailsNotObject => "OCPP-1.6J 4.2.3",
        }
    }

    /// How much weight it has: what only our limits, a SHOULD or an erratum speak against is contested.
    pub const fn severity(self) -> Severity {
        match self {
            Self::DuplicateKey
            | Self::LoneSurrogate
            | Self::TooDeep
            | Self::TooLarge
            | Self::IdEmpty
            | Self::PayloadNull
            | Self::CodeLegacySpelling => Severity::Contested,
            _ => Severity::Must,
        }
    }
}

impl fmt::Display for FrameFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.id(), self.detail)
    }
}

/// Reads a text as a frame of the edition, understanding as much of it as can be.
pub fn read_frame(edition: &Edition, text: &str) -> ReadFrame {
    let mut reader = Reader {
        edition,
        flaws: Vec::new(),
    };
    let limits = Limits {
        bytes: MAX_FRAME_BYTES,
        ..Limits::default()
    };
    let (json, flaws) = Json::parse_with(text, limits);
    for flaw in flaws {
        reader.json_flaw(flaw);
    }
    let mut json = match json {
        Ok(json) => json,
        Err(error) => {
            let kind = match error.beyond_limits {
                true if text.len() > limits.bytes => Kind::TooLarge,
                true => Kind::TooDeep,
                false => Kind::NotJson,
            };
            reader.flaw(kind, error.to_string());
            return ReadFrame {
                frame: None,
                flaws: reader.flaws,
                id: None,
                json: None,
            };
        }
    };
    let (frame, id) = reader.frame(&mut json);
    let json = frame.is_none().then_some(json);
    ReadFrame {
        frame,
        flaws: reader.flaws,
        id,
        json,
    }
}

struct Reader<'a> {
    edition: &'a Edition,
    flaws: Vec<FrameFlaw>,
}

impl Reader<'_> {
    fn frame(&mut self, json: &mut Json) -> (Option<Frame>, Option<String>) {
        let Json::Array(items) = json else {
            self.flaw(
                Kind::NotArray,
                format!("the text is {} {}", article(json), json.kind()),
            );
            return (None, None);
        };
        let Some(first) = items.first() else {
            self.flaw(Kind::Empty, "the array has no elements".to_owned());
            return (None, None);
        };
        let number = self.type_number(first);
        let id = items.get(1).map(|id| self.id(id));
        let length = match number {
            Some(2) => 4,
            Some(3) => 3,
            Some(4) => 5,
            Some(other) => {
                self.flaw(Kind::UnknownType(other), format!("the message type is {other}"));
                return (None, id);
            }
            None => return (None, id),
        };
        if items.len() != length {
            let detail = format!("{} elements where there should be {length}", items.len());
            self.flaw(Kind::BadArity, detail);
        }
        let Some(id) = id else { return (None, None) };
        let frame = match length {
            4 => self.call(id.clone(), items),
            3 => {
                let payload = self.payload(items.get_mut(2), 2);
                Some(Frame::CallResult {
                    id: id.clone(),
                    payload,
                })
            }
            _ => self.call_error(id.clone(), items),
        };
        (frame, Some(id))
    }

    fn call(&mut self, id: String, items: &mut [Json]) -> Option<Frame> {
        let action = match items.get(2)? {
            Json::String(action) => action.clone(),
            other => {
                self.flaw(
                    Kind::ActionNotString,
                    format!("element 2 is {} {}", article(other), other.kind()),
                );
                return None;
            }
        };
        let payload = self.payload(items.get_mut(3), 3);
        Some(Frame::Call { id, action, payload })
    }

    fn call_error(&mut self, id: String, items: &mut [Json]) -> Option<Frame> {
        let code = match items.get(2)? {
            Json::String(code) => code.clone(),
            other => {
                self.flaw(
                    Kind::CodeNotString,
                    format!("element 2 is {} {}", article(other), other.kind()),
                );
                other.to_string()
            }
        };
        if let Some(right) = legacy_spelling(self.edition, &code) {
            self.flaw(
                Kind::CodeLegacySpelling,
                format!("`{code}` is spelt `{right}` in this edition"),
            );
        } else if !self.edition.error_codes().contains(&code) {
            let shown: String = code.chars().take(60).collect();
            self.flaw(
                Kind::CodeUnknown,
                format!("`{shown}` is no error code of {}", self.edition.name()),
            );
        }
        let description = match items.get(3) {
            Some(Json::String(description)) => description.clone(),
            Some(other) => {
                let detail = format!("element 3 is {} {}", article(other), other.kind());
                self.flaw(Kind::DescriptionNotString, detail);
                String::new()
            }
            None => String::new(),
        };
        let details = match items.get_mut(4) {
            Some(details @ Json::Object(_)) => std::mem::take(details),
            Some(other) => {
                self.flaw(
                    Kind::DetailsNotObject,
                    format!("element 4 is {} {}", article(other), other.kind()),
                );
                other.clone()
            }
            None => Json::empty(),
        };
        Some(Frame::CallError {
            id,
            code,
            description,
            details,
        })
    }

    fn type_number(&mut self, first: &Json) -> Option<i64> {
        let number = match first {
            Json::Number(number) => number.as_i64(),
            // A string with the right number in it is understood, and wrong.
            Json::String(text) => Number::parse(text).and_then(|number| number.as_i64()),
            _ => None,
        };
        let plain = first.as_number().is_some_and(Number::is_plain_integer);
        if number.is_none() || !plain {
            let shown: String = first.to_string().chars().take(60).collect();
            self.flaw(
                Kind::BadTypeNumber,
                format!("element 0 is `{shown}`, not an integer"),
            );
        }
        number
    }

    /// The id as text; what is no string is taken as it stands, so that an answer can still be correlated.
    fn id(&mut self, json: &Json) -> String {
        let Json::String(id) = json else {
            self.flaw(
                Kind::IdNotString,
                format!("element 1 is {} {}", article(json), json.kind()),
            );
            return json.to_string();
        };
        let length = id.chars().count();
        if length == 0 {
            self.flaw(Kind::IdEmpty, "the message id is empty".to_owned());
        } else if length > self.edition.rpc().max_id {
            let most = self.edition.rpc().max_id;
            let detail = format!("the message id has {length} characters, {most} are allowed");
            self.flaw(Kind::IdTooLong, detail);
        }
        id.clone()
    }

    fn payload(&mut self, json: Option<&mut Json>, at: usize) -> Json {
        match json {
            None => Json::empty(),
            Some(payload @ Json::Object(_)) => std::mem::take(payload),
            Some(Json::Null) => {
                self.flaw(
                    Kind::PayloadNull,
                    format!("element {at} is null, `{{}}` is preferred"),
                );
                Json::Null
            }
            Some(other) => {
                let detail = format!("element {at} is {} {}", article(other), other.kind());
                self.flaw(Kind::PayloadNotObject, detail);
                other.clone()
            }
        }
    }

    fn json_flaw(&mut self, flaw: JsonFlaw) {
        match flaw {
            JsonFlaw::Bom => self.flaw(Kind::Bom, "the text begins with a byte order mark".to_owned()),
            JsonFlaw::DuplicateKey { pointer } => {
                let shown: String = pointer.chars().take(120).collect();
                self.flaw(Kind::DuplicateKey, format!("the key at {shown} stands twice"));
            }
            JsonFlaw::LoneSurrogate { offset } => {
                self.flaw(
                    Kind::LoneSurrogate,
                    format!("half of a surrogate pair at byte {offset}"),
                );
            }
            JsonFlaw::TrailingData { offset } => {
                self.flaw(
                    Kind::TrailingData,
                    format!("there is more text from byte {offset} on"),
                );
            }
        }
    }

    fn flaw(&mut self, kind: FrameFlawKind, detail: String) {
        self.flaws.push(FrameFlaw { kind, detail });
    }
}

fn article(json: &Json) -> &'static str {
    match json {
        Json::Array(_) | Json::Object(_) => "an",
        _ => "a",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{array, object};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn read(text: &str) -> ReadFrame {
        read_frame(Edition::ocpp16(), text)
    }

    fn flaws(text: &str) -> Vec<FrameFlawKind> {
        read(text).flaws.into_iter().map(|flaw| flaw.kind).collect()
    }

    #[test]
    fn well_formed_frames_have_no_flaw() {
        for text in [
            r#"[2,"1","Heartbeat",{}]"#,
            r#"[3,"1",{"currentTime":"2024-05-01T12:00:00Z"}]"#,
            r#"[4,"1","NotSupported","",{}]"#,
            r#"[4,"1","OccurenceConstraintViolation","why",{"a":[1.50]}]"#,
        ] {
            let read = read(text);
            assert!(read.flaws.is_empty(), "{text}: {:?}", read.flaws);
            assert_eq!(read.frame.unwrap().to_text(), text);
        }
    }

    #[test]
    fn every_flaw_is_named() {
        assert_eq!(flaws("[2,"), [Kind::NotJson]);
        assert_eq!(flaws(""), [Kind::NotJson]);
        assert_eq!(flaws("{}"), [Kind::NotArray]);
        assert_eq!(flaws("[]"), [Kind::Empty]);
        assert_eq!(flaws(r#"["2","1","Heartbeat",{}]"#), [Kind::BadTypeNumber]);
        assert_eq!(flaws(r#"[2.0,"1","Heartbeat",{}]"#), [Kind::BadTypeNumber]);
        assert_eq!(flaws(r#"[null,"1","Heartbeat",{}]"#), [Kind::BadTypeNumber]);
        assert_eq!(flaws(r#"[5,"1","X","",{}]"#), [Kind::UnknownType(5)]);
        assert_eq!(flaws(r#"[2,"1","Heartbeat"]"#), [Kind::BadArity]);
        assert_eq!(flaws(r#"[2,"1","Heartbeat",{},{}]"#), [Kind::BadArity]);
        assert_eq!(flaws(r#"[3,"1"]"#), [Kind::BadArity]);
        assert_eq!(flaws("[2]"), [Kind::BadArity]);
        assert_eq!(flaws(r#"[2,17,"Heartbeat",{}]"#), [Kind::IdNotString]);
        assert_eq!(flaws(r#"[2,"","Heartbeat",{}]"#), [Kind::IdEmpty]);
        let id = "é".repeat(36);
        assert_eq!(flaws(&format!(r#"[2,"{id}","Heartbeat",{{}}]"#)), []);
        assert_eq!(
            flaws(&format!(r#"[2,"{id}x","Heartbeat",{{}}]"#)),
            [Kind::IdTooLong]
        );
        assert_eq!(flaws(r#"[2,"1",7,{}]"#), [Kind::ActionNotString]);
        assert_eq!(flaws(r#"[2,"1","Heartbeat",null]"#), [Kind::PayloadNull]);
        assert_eq!(flaws(r#"[2,"1","Heartbeat",[]]"#), [Kind::PayloadNotObject]);
        assert_eq!(
            flaws(r#"[4,"1",7,"",{}]"#),
            [Kind::CodeNotString, Kind::CodeUnknown]
        );
        assert_eq!(flaws(r#"[4,"1","Odd","",{}]"#), [Kind::CodeUnknown]);
        assert_eq!(
            flaws(r#"[4,"1","OccurrenceConstraintViolation","",{}]"#),
            [Kind::CodeLegacySpelling]
        );
        assert_eq!(
            flaws(r#"[4,"1","GenericError",null,{}]"#),
            [Kind::DescriptionNotString]
        );
        assert_eq!(
            flaws(r#"[4,"1","GenericError","",null]"#),
            [Kind::DetailsNotObject]
        );
        assert_eq!(flaws(r#"[2,"1","Heartbeat",{}] x"#), [Kind::TrailingData]);
        assert_eq!(flaws("\u{feff}[2,\"1\",\"Heartbeat\",{}]"), [Kind::Bom]);
        assert_eq!(
            flaws(r#"[2,"1","Authorize",{"idTag":"a","idTag":"b"}]"#),
            [Kind::DuplicateKey]
        );
        assert_eq!(
            flaws(r#"[2,"1","Authorize",{"idTag":"\udc00"}]"#),
            [Kind::LoneSurrogate]
        );
        assert_eq!(flaws(&"[".repeat(5_000)), [Kind::TooDeep]);
        assert_eq!(flaws(&" ".repeat(MAX_FRAME_BYTES + 1)), [Kind::TooLarge]);
    }

    #[test]
    fn a_flawed_frame_is_still_understood() {
        let call = |id: &str, payload| {
            Some(Frame::Call {
                id: id.into(),
                action: "Heartbeat".into(),
                payload,
            })
        };
        assert_eq!(read(r#"[2,17,"Heartbeat",{}]"#).frame, call("17", Json::empty()));
        assert_eq!(read(r#"["2","1","Heartbeat"]"#).frame, call("1", Json::empty()));
        assert_eq!(read(r#"[2,"1","Heartbeat",[]]"#).frame, call("1", array![]));
        let unknown = read(r#"[6,"9","Notify",{}]"#);
        assert_eq!((unknown.frame, unknown.id.as_deref()), (None, Some("9")));
        let short = read(r#"[4,"1","NotSupported"]"#).frame.unwrap();
        assert_eq!(short.to_text(), r#"[4,"1","NotSupported","",{}]"#);
        assert_eq!(
            (short.id(), short.kind(), short.type_number()),
            ("1", "CALLERROR", 4)
        );
    }

    #[test]
    fn ids_of_flaws_are_unique() {
        let ids: BTreeSet<_> = Kind::ALL.into_iter().map(Kind::id).collect();
        assert_eq!(ids.len(), Kind::ALL.len());
        assert!(Kind::ALL.into_iter().all(|kind| kind.clause().contains(' ')));
        let flaw = &read("[]").flaws[0];
        assert_eq!(
            (flaw.to_string().as_str(), flaw.kind.severity()),
            ("frame-empty: the array has no elements", Severity::Must)
        );
    }

    proptest! {
        #[test]
        fn print_and_read_are_inverse(id in ".{1,36}", word in "\\PC*", kind in 0..3) {
            let payload = object! { "text": word.clone(), "list": array![1, word.clone()] };
            let frame = match kind {
                0 => Frame::Call { id, action: word, payload },
                1 => Frame::CallResult { id, payload },
                _ => Frame::CallError { id, code: "GenericError".into(), description: word, details: payload },
            };
            let read = read_frame(Edition::ocpp16(), &frame.to_text());
            prop_assert_eq!(read.frame, Some(frame));
            prop_assert!(read.flaws.is_empty(), "{:?}", read.flaws);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,60}|\\[[2-6\",a-z{}\\[\\]:. ]{0,40}") {
            let read = read_frame(Edition::ocpp16(), &text);
            prop_assert!(read.frame.is_some() || !read.flaws.is_empty());
        }
    }
}
