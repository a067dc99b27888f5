//! The ordinary behaviour of a side that we play: what it answers when no line of the case says so, the payloads that
//! a line overlays, and the few messages that the standard makes it owe (rule 7 of the case language).

use plugfest_protocol::{Edition, Fault, Json, Part, Timestamp, expected, validate};
use plugfest_trace::Outcome;

/// What a side answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A CALLRESULT with this payload.
    Result(Json),
    /// A CALLERROR.
    Error {
        /// Its code.
        code: String,
        /// Its description.
        description: String,
    },
}

/// The model of one played side.
pub trait Player: Send {
    /// The answer to a CALL of the DUT that is valid and may be sent to us.
    fn answer(&mut self, action: &str, payload: &Json, now: Timestamp) -> Json;
    /// The payload that this side would send by itself.
    fn call(&mut self, action: &str, now: Timestamp) -> Json;
    /// Learns from a CALL of ours that was answered.
    fn answered(&mut self, action: &str, request: &Json, answer: &Json, now: Timestamp);
    /// Learns from an answer that we gave.
    fn gave(&mut self, action: &str, request: &Json, answer: &Json);
    /// Sets a configuration value; `null` is its ordinary value.
    fn configure(&mut self, key: &str, value: &Json);
    /// Does an action with the hands of the played side.
    fn perform(&mut self, verb: &str, args: &Json) -> Outcome;
    /// A CALL that it owes by now, and the moment of the next one.
    fn owes(&mut self, now: Timestamp) -> Owed;
    /// The moment of the next CALL that it owes, without giving it.
    fn owes_next(&self, now: Timestamp) -> Option<Timestamp>;
    /// The device was switched off and on.
    fn restarted(&mut self);
    /// True where this CALL is sent on a fresh connection: the device has restarted before it.
    fn restarts_for(&self, action: &str) -> bool;
    /// A connection came up or went away.
    fn connected(&mut self, up: bool, now: Timestamp);
}

/// What a side owes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Owed {
    /// A CALL that is due: its action.
    pub due: Option<String>,
    /// When to ask again.
    pub next: Option<Timestamp>,
}

/// The answer to any CALL of the DUT: the model's, or the error that its fault calls for.
pub fn reply(
    player: &mut dyn Player,
    edition: &'static Edition,
    ours: &str,
    action: &str,
    payload: &Json,
    now: Timestamp,
) -> Reply {
    let error = |fault: Fault, description: String| Reply::Error {
        code: expected(edition, fault)
            .map_or("GenericError", |e| e.preferred)
            .to_owned(),
        description,
    };
    let Some(known) = edition.action(action) else {
        return error(Fault::UnknownAction, "no such action".to_owned());
    };
    let sender = plugfest_protocol::Role::parse(ours).map(plugfest_protocol::Role::other);
    if !sender.is_some_and(|role| known.may_be_sent_by(role, Part::Request)) {
        return error(
            Fault::UnsupportedAction,
            format!("{action} is not sent to a {ours}"),
        );
    }
    let violations = validate(edition, action, Part::Request, payload);
    if let Some(v) = violations
        .into_iter()
        .find(|v| v.severity == plugfest_protocol::Severity::Must)
    {
        return error(
            Fault::Violation(v.class),
            format!("{}: expected {}", v.pointer, v.expected),
        );
    }
    Reply::Result(player.answer(action, payload, now))
}

/// The player of an edition for a side, with the `$` values of the run.
pub fn player(edition: &'static Edition, ours: &str, values: &Json) -> Option<Box<dyn Player>> {
    match (edition.name(), ours) {
        ("OCPP-1.6", "station") => Some(Box::new(crate::ocpp16::Station::new(edition, values))),
        ("OCPP-1.6", "csms") => Some(Box::new(crate::ocpp16::Csms::new(edition, values))),
        _ => None,
    }
}
