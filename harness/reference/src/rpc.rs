//! The RPC layer of OCPP-J (1.6 J §4): what a received text is, and how a bad CALL is refused.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use plugfest_protocol::{
    Edition, Fault, Frame, FrameFlaw, FrameFlawKind, Json, Part, Role, Severity, Source, Violation, expected,
    read_frame, validate,
};

/// A received text, understood.
#[derive(Debug)]
pub(crate) enum Received {
    /// A CALL with a valid payload.
    Call {
        id: String,
        action: String,
        payload: Json,
    },
    /// A CALL that cannot be obeyed; this text answers it.
    Refused(Refusal),
    /// An answer to a CALL of ours.
    Result { id: String, payload: Json },
    /// The refusal of a CALL of ours.
    Error { id: String, code: String },
    /// Nothing that may be answered: no JSON, no frame, an unknown message type (J §4.1.3).
    Ignored,
}

/// Why a CALL gets a CALLERROR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) description: String,
    pub(crate) fault: Fault,
}

impl Refusal {
    /// A refusal with the code that the edition's table prefers for the fault.
    pub(crate) fn new(edition: &Edition, id: &str, fault: Fault, description: String) -> Self {
        // Every fault has a line in every edition's table; the catalogue's own tests see to it.
        let code = expected(edition, fault).map_or("GenericError", |expected| expected.preferred);
        Self {
            id: id.to_owned(),
            code: code.to_owned(),
            description: shorten(description),
            fault,
        }
    }

    /// The refusal of an id that was used for another CALL: no code of the standard speaks of it.
    pub(crate) fn id_reused(id: &str) -> Self {
        let description = "the message id was used for another CALL".to_owned();
        Self {
            id: id.to_owned(),
            code: "GenericError".to_owned(),
            description,
            fault: Fault::BadFrame,
        }
    }

    pub(crate) fn to_text(&self) -> String {
        Frame::CallError {
            id: self.id.clone(),
            code: self.code.clone(),
            description: self.description.clone(),
            details: Json::empty(),
        }
        .to_text()
    }
}

/// Reads a text that `receiver` got.
pub(crate) fn receive(edition: &Edition, receiver: Role, text: &str) -> Received {
    let read = read_frame(edition, text);
    let fatal = |kind: FrameFlawKind| read.flaws.iter().any(|flaw| flaw.kind == kind);
    if fatal(FrameFlawKind::BadTypeNumber) || fatal(FrameFlawKind::Bom) || fatal(FrameFlawKind::TrailingData)
    {
        return Received::Ignored;
    }
    match read.frame {
        Some(Frame::Call { id, action, payload }) => {
            call(edition, receiver, id, action, payload, &read.flaws)
        }
        // Whether the answer makes sense is for the asker to find out; there is no way to complain about it.
        Some(Frame::CallResult { id, payload }) => Received::Result { id, payload },
        Some(Frame::CallError { id, code, .. }) => Received::Error { id, code },
        None => match (read.id, is_call(read.json.as_ref())) {
            (Some(id), true) => {
                let words = read.flaws.first().map(ToString::to_string).unwrap_or_default();
                Received::Refused(Refusal::new(edition, &id, Fault::BadFrame, words))
            }
            _ => Received::Ignored,
        },
    }
}

fn is_call(json: Option<&Json>) -> bool {
    json.and_then(Json::as_array)
        .and_then(<[Json]>::first)
        .and_then(Json::as_i64)
        == Some(2)
}

fn call(
    edition: &Edition,
    receiver: Role,
    id: String,
    action: String,
    payload: Json,
    flaws: &[FrameFlaw],
) -> Received {
    let refuse = |fault, words: String| Received::Refused(Refusal::new(edition, &id, fault, words));
    // J §4.2.1 tolerates null where there is nothing to say.
    let tolerated =
        |flaw: &FrameFlaw| matches!(flaw.kind, FrameFlawKind::PayloadNull | FrameFlawKind::IdEmpty);
    if let Some(flaw) = flaws.iter().find(|flaw| !tolerated(flaw)) {
        return refuse(Fault::BadFrame, flaw.to_string());
    }
    let Some(known) = edition.action(&action) else {
        return refuse(Fault::UnknownAction, String::new());
    };
    if !known.may_be_sent_by(receiver.other(), Part::Request) {
        return refuse(
            Fault::UnsupportedAction,
            format!("a {} does not answer it", receiver.as_str()),
        );
    }
    let payload = if payload.is_null() { Json::empty() } else { payload };
    let violations = validate(edition, &action, Part::Request, &payload);
    if let Some(worst) = violations.iter().find(|violation| counts(receiver, violation)) {
        let words = format!("{}: expected {}", worst.pointer, worst.expected);
        return refuse(Fault::Violation(worst.class), words);
    }
    Received::Call { id, action, payload }
}

/// Contested rules are no ground for a refusal. A connector that cannot be is answered by a station with the
/// status that the action has for it (Rejected, NotSupported), not with an error.
fn counts(receiver: Role, violation: &Violation) -> bool {
    let connector = violation.source == Source::Text && violation.pointer == "/connectorId";
    violation.severity == Severity::Must && !(receiver == Role::STATION && connector)
}

/// How many CALLs of one connection are remembered.
const REMEMBERED: usize = 32;
/// An answer longer than this, in bytes, is not remembered: memory per connection is bounded.
const LONGEST_ANSWER: usize = 16 * 1024;

/// What the last CALLs of a connection were answered with, so that one that is sent twice acts once.
#[derive(Debug, Default)]
pub(crate) struct Answered(VecDeque<(String, u64, String)>);

/// Whether a CALL came before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its id is new.
    New,
    /// It is the same CALL again; this text answered it.
    Before(String),
    /// Its id has been used for another CALL (J §4.1.4).
    IdReused,
}

impl Answered {
    pub(crate) fn seen(&self, id: &str, text: &str) -> Seen {
        match self.0.iter().find(|(known, ..)| known == id) {
            None => Seen::New,
            Some((_, known, answer)) if *known == fingerprint(text) => Seen::Before(answer.clone()),
            Some(_) => Seen::IdReused,
        }
    }

    pub(crate) fn remember(&mut self, id: &str, text: &str, answer: &str) {
        if answer.len() > LONGEST_ANSWER {
            return;
        }
        if self.0.len() >= REMEMBERED {
            self.0.pop_front();
        }
        self.0
            .push_back((id.to_owned(), fingerprint(text), answer.to_owned()));
    }
}

/// Enough to tell one text from another.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Descriptions are words for people: 255 characters suffice.
fn shorten(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(255) {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station(text: &str) -> Received {
        receive(Edition::ocpp16(), Role::STATION, text)
    }

    fn code(text: &str) -> String {
        match station(text) {
            Received::Refused(refusal) => refusal.code,
            other => panic!("{text} gave {other:?}"),
        }
    }

    #[test]
    fn bad_calls_get_the_code_that_fits() {
        assert_eq!(code(r#"[2,"1","Nonsense",{}]"#), "NotImplemented");
        assert_eq!(code(r#"[2,"1","Heartbeat",{}]"#), "NotSupported");
        assert_eq!(code(r#"[2,"1","Reset",{}]"#), "OccurenceConstraintViolation");
        assert_eq!(code(r#"[2,"1","Reset",{"type":5}]"#), "TypeConstraintViolation");
        assert_eq!(
            code(r#"[2,"1","Reset",{"type":"Warm"}]"#),
            "PropertyConstraintViolation"
        );
        assert_eq!(
            code(r#"[2,"1","Reset",{"type":"Hard","x":1}]"#),
            "FormationViolation"
        );
        assert_eq!(code(r#"[2,"1","Reset",[]]"#), "FormationViolation");
        assert_eq!(code(r#"[2,"1","Reset"]"#), "FormationViolation");
        assert_eq!(code(r#"[2,"1",7,{}]"#), "FormationViolation");
        assert_eq!(code(r#"[2,"1"]"#), "FormationViolation");
        assert_eq!(
            code(r#"[2,"1234567890123456789012345678901234567","ClearCache",{}]"#),
            "FormationViolation"
        );
    }

    #[test]
    fn what_is_no_call_is_never_answered() {
        for text in [
            "",
            "{}",
            "[]",
            "[2]",
            "null",
            "[5,\"1\",{}]",
            "[\"2\",\"1\",\"ClearCache\",{}]",
            "[2,",
            "\u{feff}[]",
        ] {
            assert!(matches!(station(text), Received::Ignored), "{text}");
        }
    }

    #[test]
    fn a_call_that_comes_twice_is_known() {
        let mut answered = Answered::default();
        assert_eq!(answered.seen("1", "a"), Seen::New);
        answered.remember("1", "a", "answer");
        assert_eq!(answered.seen("1", "a"), Seen::Before("answer".into()));
        assert_eq!(answered.seen("1", "b"), Seen::IdReused);
        for n in 0..REMEMBERED {
            answered.remember(&format!("x{n}"), "", "");
        }
        assert_eq!(answered.seen("1", "a"), Seen::New, "memory is bounded");
    }

    #[test]
    fn null_is_an_empty_payload_and_a_strange_connector_is_for_the_handler() {
        assert!(matches!(
            station(r#"[2,"1","ClearCache",null]"#),
            Received::Call { .. }
        ));
        assert!(matches!(
            station(r#"[2,"1","UnlockConnector",{"connectorId":0}]"#),
            Received::Call { .. }
        ));
        assert!(matches!(
            receive(
                Edition::ocpp16(),
                Role::CSMS,
                r#"[2,"1","StartTransaction",{"connectorId":0,"idTag":"A","meterStart":1,"timestamp":"2024-01-01T00:00:00Z"}]"#
            ),
            Received::Refused(Refusal { code, .. }) if code == "PropertyConstraintViolation"
        ));
    }
}
