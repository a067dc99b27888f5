//! Answers: exactly one for every CALL of ours, in time, of the right kind.

use std::collections::BTreeSet;

use plugfest_protocol::{
    Edition, Fault, Frame, FrameFlawKind, Json, Part, Role, Severity, Timestamp, Violation, ViolationClass,
    expected, validate,
};
use plugfest_trace::{Cause, Party, What};

use super::support::{
    Away, Bounded, Check, Entry, OCPP16, connectors, fact, int, is_own, message_timeout, number_fact, short,
    shown, status, text,
};
use crate::finding::Level;
use crate::ledger::OpenCall;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen, Wants};

pub(super) static RULES: &[Entry] = &[
    Entry::both::<Missing>(RuleInfo {
        id: "answers/missing",
        title: "every CALL is answered in time",
        clause: "OCPP-1.6J 4.2, OCPP-1.6J-errata 3.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "Each operation of chapters 4 and 5 says that the receiver SHALL respond; where it cannot, a \
                  CALLERROR is the only way to say so (OCPP-1.6J-errata 3.3). The time is `timeout.message` of the \
                  profile, 30 s by default. Not judged: frames that we sent broken, a connection that went away, a \
                  station that was told Rejected (it must stay silent, OCPP-1.6 4.2), a DUT that has a reason to be \
                  away (reset, power cut, firmware update). An answer that comes later is let pass without another \
                  word. Probes have a rule of their own: liveness/probe.",
    }),
    Entry::both::<Second>(RuleInfo {
        id: "answers/second",
        title: "a CALL is answered once",
        clause: "OCPP-1.6J 4.1.1, 4.1.4",
        level: Level::Must,
        editions: OCPP16,
        explain: "With its CALLRESULT or CALLERROR an exchange is over. A second answer with the same id belongs to \
                  nothing, and peers that reuse ids or match loosely will take it for the answer to something else. \
                  Not judged where we used the id twice ourselves.",
    }),
    Entry::both::<Stray>(RuleInfo {
        id: "answers/stray",
        title: "an answer has the id of a CALL",
        clause: "OCPP-1.6J 4.1.4",
        level: Level::Must,
        editions: OCPP16,
        explain: "The id of a CALLRESULT or CALLERROR equals that of the CALL that it answers. Let pass: an answer to \
                  a CALL of an earlier connection of the same identity, a CALLERROR after a frame that we sent broken \
                  (its id could not be read), and answers on a connection that was open before the trace began, as \
                  long as a CALL from before may still be open.",
    }),
    Entry::both::<InvalidAccepted>(RuleInfo {
        id: "answers/invalid-accepted",
        title: "an invalid request gets a CALLERROR",
        clause: "OCPP-1.6J 4.2.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "A request whose content does not meet the requirements for a proper message is answered with a \
                  CALLERROR, not with a CALLRESULT: a CALLRESULT tells the sender that all was well. Overlong strings \
                  and unknown members are often tolerated on purpose; accepting them is a warning, as is a blank between date \
                  and time, on which ISO 8601 and RFC 3339 differ. What the documents disagree on (a member twice, an integer written as 1.0) is not judged. Values that only the text of the standard forbids (connector 0 for a remote \
                  start) may be refused in a regular response and are not judged here.",
    }),
    Entry::both::<ForbiddenAccepted>(RuleInfo {
        id: "answers/forbidden-accepted",
        title: "a value that the text forbids is not accepted",
        clause: "OCPP-1.6 6",
        level: Level::Must,
        editions: OCPP16,
        explain: "Some values are valid by the schemas and forbidden by the text: connector 0 where a real connector is \
                  meant (remote start, unlock), negative connectors. A receiver may refuse them with a CALLERROR or in \
                  a regular response; it must not answer Accepted, Scheduled or Unlocked. The clause of the finding is \
                  the one that defines the fields.",
    }),
    Entry::both::<ValidRefused>(RuleInfo {
        id: "answers/valid-refused",
        title: "a valid request gets a CALLRESULT",
        clause: "OCPP-1.6J 4.2.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "A CALLERROR is for transport errors and for messages that are not proper; undesired outcomes are \
                  regular results (OCPP-1.6J 4.2.2), and each operation says SHALL respond. Let pass: NotSupported and \
                  NotImplemented for actions outside the Core profile, any CALLERROR before the station is accepted or \
                  while that is not known, a CALL sent while another was open, and doubts about the meaning of valid \
                  values (unknown connectors, charging profiles, a list that names a tag twice, more keys than GetConfigurationMaxKeys). The clause of the finding is the operation's own. \
                  A refused StopTransaction has its own rule: transaction/stop-refused.",
    }),
    Entry::both::<ErrorCode>(RuleInfo {
        id: "answers/error-code",
        title: "an invalid request gets the error code that says what is wrong",
        clause: "OCPP-1.6J 4.2.3 table 7",
        level: Level::Advisory,
        editions: OCPP16,
        explain: "Which code fits which mistake is hardly fixed, so any code of the standard passes as a refusal of an \
                  invalid payload. Three places are fixed: an action that the receiver does not know is NotImplemented \
                  (NotSupported passes), and an invalid enum value in GetCompositeSchedule, in a charging profile or in \
                  a charging schedule is PropertyConstraintViolation by OCPP-1.6-errata 3.24 and 3.38, which therefore \
                  is a MUST; a station without smart charging says NotSupported there.",
    }),
];

/// Ids of our frames that were ill-formed, or used twice: what is answered to them proves nothing.
#[derive(Debug, Default)]
pub(super) struct Tainted {
    seen: Bounded<(u32, String), ()>,
    tainted: Bounded<(u32, String), ()>,
}

impl Tainted {
    pub(super) fn has(&self, conn: u32, id: &str) -> bool {
        self.tainted.contains(&(conn, id.to_owned()))
    }

    pub(super) fn see(&mut self, seen: Seen<'_>) {
        let Seen::Frame {
            conn,
            from: Party::Us,
            frame,
            flaws,
            ..
        } = seen
        else {
            return;
        };
        let Some(Frame::Call { id, .. }) = frame else {
            return;
        };
        let key = (conn, id.clone());
        // What is wrong with the payload alone leaves no doubt which CALL is answered.
        let broken = flaws.iter().any(|flaw| {
            use FrameFlawKind::{DuplicateKey, PayloadNotObject, PayloadNull};
            !matches!(flaw.kind, DuplicateKey | PayloadNotObject | PayloadNull)
        });
        if self.seen.insert(key.clone(), ()).is_some() || broken {
            self.tainted.insert(key, ());
        }
    }
}

/// CALLs without an answer.
#[derive(Debug, Default)]
struct Missing {
    tainted: Tainted,
    away: Away,
    reported: BTreeSet<u64>,
}

impl Check for Missing {
    const WANTS: u8 = Wants::ALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let excused = self.away.is_excused()
            || (context.dut == "station" && fact(context, "boot").is_some_and(|boot| boot == "Rejected"));
        let ours = |call: &&OpenCall| call.from == Party::Us && call.cause != Some(Cause::Probe);
        for call in context.ledger.open().filter(ours) {
            let (age, timeout) = (context.at.since(call.at), message_timeout(context));
            if age <= timeout || !is_own(context, call.conn) || !self.reported.insert(call.seq) {
                continue;
            }
            if excused || self.tainted.has(call.conn, &call.id) || is_doubled(context, call) {
                continue;
            }
            let message = format!("{} was not answered", call.action);
            let expected = format!("an answer within {}", shown(timeout));
            out.add(message, expected, format!("nothing for {}", shown(age)))
                .event = Some(call.seq);
        }
        self.away.see(seen);
        self.tainted.see(seen);
        if self.reported.len() > 4096 {
            self.reported.pop_first();
        }
    }
}

/// True for a payload with a key twice: a reader may refuse the JSON as a whole and then has no id to answer to.
fn is_doubled(context: &Context<'_>, call: &OpenCall) -> bool {
    validate(context.edition, &call.action, Part::Request, &call.payload)
        .iter()
        .any(|violation| violation.class == ViolationClass::DuplicateKey)
}

/// Second answers.
#[derive(Debug, Default)]
struct Second {
    tainted: Tainted,
}

impl Check for Second {
    const WANTS: u8 = Wants::FRAME | Wants::STRAY;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.tainted.see(seen);
        let Seen::Stray {
            conn,
            from: Party::Dut,
            frame,
        } = seen
        else {
            return;
        };
        let id = frame.id();
        if context.ledger.was_answered(conn, Party::Us, id) && !self.tainted.has(conn, id) {
            out.add(
                "a CALL of ours was answered a second time",
                "one answer",
                format!("another {}", frame.kind()),
            );
        }
    }
}

/// Answers to nothing.
#[derive(Debug, Default)]
struct Stray {
    ours: Bounded<String, ()>,
    broken: u32,
    opened: BTreeSet<u32>,
    began: Option<plugfest_protocol::Timestamp>,
}

impl Check for Stray {
    const WANTS: u8 = Wants::EVENT | Wants::FRAME | Wants::STRAY;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let began = *self.began.get_or_insert(context.at);
        match seen {
            Seen::Event(event) => {
                if let What::Opened { conn, .. } = &event.what {
                    self.opened.insert(*conn);
                }
            }
            Seen::Frame {
                from: Party::Us,
                frame,
                flaws,
                ..
            } => {
                if !flaws.is_empty() || frame.is_none() {
                    self.broken += 1;
                }
                if let Some(Frame::Call { id, .. }) = frame {
                    self.ours.insert(id.clone(), ());
                }
            }
            Seen::Stray {
                conn,
                from: Party::Dut,
                frame,
            } => {
                let id = frame.id();
                if context.ledger.was_answered(conn, Party::Us, id) || self.ours.contains(id) {
                    return;
                }
                if matches!(frame, Frame::CallError { .. }) && self.broken > 0 {
                    self.broken -= 1;
                    return;
                }
                let older =
                    !self.opened.contains(&conn) && context.at.since(began) <= message_timeout(context);
                if !older {
                    let message = format!("a {} answers no CALL of ours", frame.kind());
                    out.add(message, "the id of an open CALL", short(id));
                }
            }
            _ => {}
        }
    }
}

/// What is wrong with a request of ours, or that its action is unknown to the receiver.
enum Sent {
    Fine,
    UnknownAction,
    Wrong(Vec<Violation>),
}

fn sent(context: &Context<'_>, action: &str, payload: &Json) -> Sent {
    let us = Role::parse(context.dut).map(Role::other);
    match (context.edition.action(action), us) {
        (Some(known), Some(us)) if known.may_be_sent_by(us, Part::Request) => {
            let found = validate(context.edition, action, Part::Request, payload);
            if found.is_empty() {
                Sent::Fine
            } else {
                Sent::Wrong(found)
            }
        }
        _ => Sent::UnknownAction,
    }
}

/// True where a request of ours was valid in every respect.
pub(super) fn is_fine(context: &Context<'_>, call: &OpenCall) -> bool {
    matches!(sent(context, &call.action, &call.payload), Sent::Fine)
}

/// CALLRESULTs to requests that should have been refused.
#[derive(Debug, Default)]
struct InvalidAccepted {
    tainted: Tainted,
}

impl Check for InvalidAccepted {
    const WANTS: u8 = Wants::FRAME | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.tainted.see(seen);
        let Seen::Answer {
            conn,
            from: Party::Dut,
            call,
            answer: AnswerSeen::Result(payload),
        } = seen
        else {
            return;
        };
        if self.tainted.has(conn, &call.id) {
            return;
        }
        match sent(context, &call.action, &call.payload) {
            Sent::Fine => {}
            Sent::UnknownAction => {
                let message = format!(
                    "an action that the DUT cannot know was answered as if it did: {}",
                    short(&call.action)
                );
                out.add(
                    message,
                    "CALLERROR NotImplemented",
                    format!("CALLRESULT {}", short(&payload.to_string())),
                );
            }
            Sent::Wrong(found) => {
                let Some(worst) = found.iter().max_by_key(|v| weight(v)).filter(|v| weight(v) > 0) else {
                    return;
                };
                let code =
                    expected(context.edition, Fault::Violation(worst.class)).map_or("…", |e| e.preferred);
                let message = format!("an invalid {} got a regular response: {worst}", call.action);
                let finding = out.add(
                    message,
                    format!("CALLERROR {code}"),
                    format!("CALLRESULT {}", short(&payload.to_string())),
                );
                finding.at(worst.pointer.as_str());
                if weight(worst) == 1 {
                    finding.level(Level::Advisory);
                }
                if is_spaced(worst, &call.payload) {
                    finding
                        .level(Level::Contested)
                        .clause("OCPP-1.6 3.15, RFC 3339 5.6");
                }
            }
        }
    }
}

/// True for a date and a time with a blank between them: OCPP-1.6 3.15 asks for ISO 8601, which has a T there; the
/// `date-time` of the schema is that of RFC 3339 5.6, which leaves the choice to applications.
fn is_spaced(violation: &Violation, payload: &Json) -> bool {
    let text = payload.pointer(&violation.pointer).and_then(Json::as_str);
    violation.class == ViolationClass::BadDateTime
        && text
            .is_some_and(|text| text.contains(' ') && Timestamp::parse(&text.replacen(' ', "T", 1)).is_ok())
}

/// How ill it is to accept a violation: 0 where that is not judged, 1 where it is often tolerated on purpose, 2 else.
pub(crate) fn weight(violation: &Violation) -> u8 {
    match violation.class {
        _ if violation.severity == Severity::Contested => 0,
        ViolationClass::SpecOnly => 0,
        ViolationClass::TooLong | ViolationClass::UnknownProperty | ViolationClass::DuplicateKey => 1,
        _ => 2,
    }
}

/// Accepted values that the text forbids.
#[derive(Debug, Default)]
struct ForbiddenAccepted;

impl Check for ForbiddenAccepted {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, answer)) = seen.dut_answer() else {
            return;
        };
        let Some(answered @ ("Accepted" | "Scheduled" | "Unlocked")) = status(&answer) else {
            return;
        };
        let Sent::Wrong(found) = sent(context, &call.action, &call.payload) else {
            return;
        };
        // What the schema forbids as well is a matter of answers/invalid-accepted.
        let [only] = found.as_slice() else { return };
        if only.class != ViolationClass::SpecOnly || only.severity == Severity::Contested {
            return;
        }
        let message = format!(
            "{} was accepted with a value that the text forbids at {}",
            call.action, only.pointer
        );
        let finding = out.add(
            message,
            only.expected.as_str(),
            format!("{answered} for {}", only.got),
        );
        finding.at("/status");
        if let Some(known) = context.edition.action(&call.action) {
            finding.clause(known.clause_request.as_str());
        }
    }
}

/// CALLERRORs to requests that should have been served.
#[derive(Debug, Default)]
struct ValidRefused {
    tainted: Tainted,
}

impl Check for ValidRefused {
    const WANTS: u8 = Wants::FRAME | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.tainted.see(seen);
        let Seen::Answer {
            conn,
            from: Party::Dut,
            call,
            answer: AnswerSeen::Error { code, description },
        } = seen
        else {
            return;
        };
        let crossed = context.ledger.open_from(conn, Party::Us).next().is_some();
        let fine = matches!(sent(context, &call.action, &call.payload), Sent::Fine);
        if !fine || crossed || self.tainted.has(conn, &call.id) || call.action == "StopTransaction" {
            return;
        }
        if call.action != "BootNotification" && fact(context, "boot") != Some("Accepted") {
            return;
        }
        let Some(known) = context.edition.action(&call.action) else {
            return;
        };
        if too_many_keys(context, call) {
            return;
        }
        let unsupported = matches!(code, "NotSupported" | "NotImplemented");
        if (unsupported && known.profile != "Core")
            || (code == "PropertyConstraintViolation" && doubtful(context, call))
        {
            return;
        }
        let message = format!("a valid {} was refused with an error", call.action);
        let actual = format!("CALLERROR {} {}", short(code), short(description));
        let finding = out.add(message, "a CALLRESULT", actual);
        finding.clause(known.clause.as_str());
        // The answer to a StartTransaction is a SHOULD (OCPP-1.6 4.8).
        if call.action == "StartTransaction" {
            finding.level(Level::Should);
        }
    }
}

/// True where more keys are asked for than the station is known to take at a time (OCPP-1.6 5.8).
fn too_many_keys(context: &Context<'_>, call: &OpenCall) -> bool {
    let keys = call
        .payload
        .get("key")
        .and_then(Json::as_array)
        .map_or(0, <[_]>::len);
    let most = number_fact(context, "config.GetConfigurationMaxKeys")
        .unwrap_or(1)
        .max(1);
    call.action == "GetConfiguration" && i64::try_from(keys).unwrap_or(i64::MAX) > most
}

/// True where a request is valid, but may mean something that the DUT has not got.
fn doubtful(context: &Context<'_>, call: &OpenCall) -> bool {
    let most = connectors(context).unwrap_or(1);
    let beyond = int(&call.payload, "connectorId").is_some_and(|connector| connector > most);
    let profile = ["chargingProfile", "csChargingProfiles"]
        .iter()
        .any(|field| call.payload.get(field).is_some());
    beyond || profile || call.action == "GetCompositeSchedule" || names_a_tag_twice(&call.payload)
}

/// True for a list that no station can take (OCPP-1.6 6.41), though its schema lets it pass.
fn names_a_tag_twice(payload: &Json) -> bool {
    let list = payload.get("localAuthorizationList").and_then(Json::as_array);
    let mut seen = BTreeSet::new();
    list.unwrap_or_default()
        .iter()
        .filter_map(|entry| text(entry, "idTag"))
        .any(|tag| !seen.insert(tag.to_ascii_lowercase()))
}

/// Error codes where the standard fixes them.
#[derive(Debug, Default)]
struct ErrorCode {
    tainted: Tainted,
}

impl Check for ErrorCode {
    const WANTS: u8 = Wants::FRAME | Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        self.tainted.see(seen);
        let Seen::Answer {
            conn,
            from: Party::Dut,
            call,
            answer: AnswerSeen::Error { code, .. },
        } = seen
        else {
            return;
        };
        // Codes that the edition does not have are the business of frame/code-unknown.
        if self.tainted.has(conn, &call.id) || !is_code(context.edition, code) {
            return;
        }
        let unsupported = matches!(code, "NotSupported" | "NotImplemented");
        if unsupported || (code == "SecurityError" && fact(context, "boot") != Some("Accepted")) {
            return;
        }
        match sent(context, &call.action, &call.payload) {
            Sent::Fine => {}
            Sent::UnknownAction => {
                let actual = format!("CALLERROR {code} to {}", short(&call.action));
                out.add(
                    "an unknown action was refused with another code",
                    "CALLERROR NotImplemented",
                    actual,
                );
            }
            Sent::Wrong(found) => {
                let [only] = found.as_slice() else { return };
                let Some(clause) = fixed(call, only) else { return };
                if code != "PropertyConstraintViolation" {
                    let message = format!(
                        "an invalid value at {} was refused with another code",
                        only.pointer
                    );
                    let finding = out.add(
                        message,
                        "CALLERROR PropertyConstraintViolation",
                        format!("CALLERROR {code}"),
                    );
                    finding
                        .level(Level::Must)
                        .clause(clause)
                        .at(only.pointer.as_str());
                }
            }
        }
    }
}

fn is_code(edition: &Edition, code: &str) -> bool {
    edition.error_codes().iter().any(|known| known == code)
}

/// The erratum that fixes the code for this violation.
fn fixed(call: &OpenCall, violation: &Violation) -> Option<&'static str> {
    let literal = violation.class == ViolationClass::EnumLiteral;
    let text_there = call
        .payload
        .pointer(&violation.pointer)
        .and_then(Json::as_str)
        .is_some();
    if !literal || !text_there {
        return None;
    }
    match call.action.as_str() {
        "GetCompositeSchedule" => Some("OCPP-1.6-errata 3.24"),
        "SetChargingProfile" => Some("OCPP-1.6-errata 3.38"),
        "RemoteStartTransaction" if text(&call.payload, "idTag").is_some() => Some("OCPP-1.6-errata 3.38"),
        _ => None,
    }
}
