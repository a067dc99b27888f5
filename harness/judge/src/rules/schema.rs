//! Requests and responses of the DUT against the catalogue of the edition.

use plugfest_protocol::{Json, Part, Role, Severity, Violation, ViolationClass, deviation, validate};

use super::support::{Check, Entry, OCPP16, short};
use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};

/// How times are written.
const NOTATION: &str = "OCPP-1.6 3.15";
/// No more violations than these are reported for one message.
const MOST: usize = 20;

pub(super) static RULES: &[Entry] = &[
    Entry::both::<Requests>(RuleInfo {
        id: "schema/request",
        title: "a request has the fields that the standard gives it",
        clause: "OCPP-1.6 6, OCPP-1.6-security 5",
        level: Level::Must,
        editions: OCPP16,
        explain: "Every CALL of the DUT is checked against the field definitions of its action: required fields, no \
                  others (OCPP-1.6J-errata 3.2), types, lengths, enum literals, date-times, and the bounds that stand \
                  in the text but in no schema. Each violation is a finding of its own with a JSON pointer; its \
                  clause is the section that defines the fields, and for a time 3.15 as well, which asks for ISO 8601. \
                  Where documents disagree (Celsius and Celcius, ISO \
                  8601 and RFC 3339, empty lists, 32 bits) the finding is a warning that cites both readings.",
    }),
    Entry::both::<Responses>(RuleInfo {
        id: "schema/response",
        title: "a response has the fields that the standard gives it",
        clause: "OCPP-1.6 6, OCPP-1.6-security 5",
        level: Level::Must,
        editions: OCPP16,
        explain: "Every CALLRESULT of the DUT is checked against the field definitions of the response of the action \
                  that it answers, as schema/request does for requests. A response that breaks its schema cannot be \
                  answered with an error, so that the sender never learns of it: here it does.",
    }),
    Entry::both::<Actions>(RuleInfo {
        id: "schema/action",
        title: "a CALL names an action of the edition",
        clause: "OCPP-1.6J 4.2.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "Actions are case-sensitive and come without slash or suffix. What the standard has no action for \
                  goes through DataTransfer (OCPP-1.6 4.3, 5.6). Actions of the security extension count as actions of \
                  the edition.",
    }),
    Entry::both::<Directions>(RuleInfo {
        id: "schema/direction",
        title: "a CALL goes in the direction that its action has",
        clause: "OCPP-1.6 3.3",
        level: Level::Must,
        editions: OCPP16,
        explain: "Chapter 4 holds the operations that a station begins, chapter 5 those of a CSMS; only DataTransfer \
                  may be begun by both.",
    }),
];

/// CALLs of the DUT.
#[derive(Debug, Default)]
struct Requests;

impl Check for Requests {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((action, payload)) = seen.dut_call() else {
            return;
        };
        let found = validate(context.edition, action, Part::Request, payload);
        report(context, action, Part::Request, payload, &found, out);
    }
}

/// CALLRESULTs of the DUT.
#[derive(Debug, Default)]
struct Responses;

impl Check for Responses {
    const WANTS: u8 = Wants::ANSWER;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((call, payload)) = seen.dut_result() else {
            return;
        };
        let found = validate(context.edition, &call.action, Part::Response, payload);
        report(context, &call.action, Part::Response, payload, &found, out);
    }
}

fn report(
    context: &Context<'_>,
    action: &str,
    part: Part,
    payload: &Json,
    found: &[Violation],
    out: &mut Findings,
) {
    // The frame's own rules speak of these two already.
    let own = |v: &&Violation| !matches!(v.class, ViolationClass::RootType | ViolationClass::DuplicateKey);
    let clause = context.edition.action(action).map(|known| known.clause_of(part));
    // In a trace a secret is replaced by a mark, whose length says nothing.
    let is_mark = |v: &&Violation| {
        let value = payload.pointer(&v.pointer).and_then(Json::as_str);
        v.class == ViolationClass::TooLong && value.is_some_and(|value| value.contains("«secret:"))
    };
    for violation in found.iter().filter(own).filter(|v| !is_mark(v)).take(MOST) {
        let place = if violation.pointer.is_empty() {
            "the payload"
        } else {
            &violation.pointer
        };
        let message = format!(
            "{action} {part} breaks its definition: {} at {place}",
            violation.class
        );
        let finding = out.add(message, violation.expected.as_str(), violation.got.as_str());
        finding.at(violation.pointer.as_str());
        match clause {
            Some(clause) if violation.class == ViolationClass::BadDateTime => {
                finding.clause(format!("{clause}, {NOTATION}"));
            }
            Some(clause) => {
                finding.clause(clause);
            }
            None => {}
        }
        if violation.severity == Severity::Contested {
            finding.level(Level::Contested);
        }
        if let Some(known) = violation
            .deviation
            .and_then(|id| deviation(context.edition.name(), id))
        {
            finding.message = format!(
                "{}; documents disagree: {}; but {}",
                finding.message, known.strict, known.lenient
            );
        }
    }
}

/// Actions that the edition does not have.
#[derive(Debug, Default)]
struct Actions;

impl Check for Actions {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((action, _)) = seen.dut_call() else {
            return;
        };
        if context.edition.action(action).is_none() {
            let expected = format!("an action of {}, or DataTransfer", context.edition.name());
            out.add(
                "the CALL names an action that the edition does not have",
                expected,
                short(action),
            );
        }
    }
}

/// Actions that belong to the other side.
#[derive(Debug, Default)]
struct Directions;

impl Check for Directions {
    const WANTS: u8 = Wants::CALL;

    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((action, _)) = seen.dut_call() else {
            return;
        };
        let (Some(known), Some(role)) = (context.edition.action(action), Role::parse(context.dut)) else {
            return;
        };
        if !known.may_be_sent_by(role, Part::Request) {
            let expected = format!("{action} from the {} only", role.other());
            out.add(format!("{action} is not for a {role} to send"), expected, action)
                .clause(known.clause.as_str());
        }
    }
}
