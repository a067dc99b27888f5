//! Which error code answers which fault.

use crate::edition::Edition;
use crate::validate::ViolationClass;

/// What can be wrong with a CALL, or with its moment, so that a CALLERROR is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The payload violates the schema or the text.
    Violation(ViolationClass),
    /// The action is not one of the edition.
    UnknownAction,
    /// The action is one of the edition, the receiver does not do it.
    UnsupportedAction,
    /// The receiver does the action, but not with what is asked in it.
    UnsupportedFeature,
    /// The station has not been accepted yet.
    NotAccepted,
    /// The frame is of a message type that the edition does not have.
    UnknownMessageType,
    /// The frame is no well-formed CALL.
    BadFrame,
    /// The receiver failed for reasons of its own.
    Internal,
}

/// The codes that the table names for a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The code that fits best.
    pub preferred: &'a str,
    /// Codes that implementations use for it in good faith.
    pub may: &'a [String],
    /// True where taking the request all the same is only advised against: an extra field, a string too long.
    pub lenient: bool,
}

/// How good an answered code is. The standard fixes codes in few places, so every legal one passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// The code that fits best.
    Preferred,
    /// A code of the edition.
    Legal,
    /// A code that the edition does not have, but a known correction of its spelling (a warning).
    LegacySpelling,
    /// A code that the edition does not have.
    Illegal,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct FaultRow {
    pub(crate) fault: Fault,
    pub(crate) preferred: String,
    pub(crate) may: Vec<String>,
    pub(crate) lenient: bool,
}

impl Fault {
    const OTHERS: [(Self, &'static str); 7] = [
        (Self::UnknownAction, "unknown-action"),
        (Self::UnsupportedAction, "unsupported-action"),
        (Self::UnsupportedFeature, "unsupported-feature"),
        (Self::NotAccepted, "not-accepted"),
        (Self::UnknownMessageType, "unknown-message-type"),
        (Self::BadFrame, "bad-frame"),
        (Self::Internal, "internal"),
    ];

    /// Every fault there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = Self::OTHERS.iter().map(|(fault, _)| *fault);
        ViolationClass::ALL.into_iter().map(Self::Violation).chain(others)
    }

    /// Its id: `missing-required`, `unknown-action`, …
    pub fn id(self) -> &'static str {
        match self {
            Self::Violation(class) => class.id(),
            other => Self::OTHERS
                .iter()
                .find(|(fault, _)| *fault == other)
                .map_or("", |(_, id)| id),
        }
    }

    pub(crate) fn parse(id: &str) -> Option<Self> {
        Self::all().find(|fault| fault.id() == id)
    }
}

/// What the table of an edition says about a fault; `None` where it is silent.
pub fn expected(edition: &Edition, fault: Fault) -> Option<Expected<'_>> {
    let row = edition.faults.iter().find(|row| row.fault == fault)?;
    Some(Expected {
        preferred: &row.preferred,
        may: &row.may,
        lenient: row.lenient,
    })
}

/// Grades the code with which a fault was answered.
pub fn grade(edition: &Edition, fault: Fault, code: &str) -> Grade {
    if expected(edition, fault).is_some_and(|expected| expected.preferred == code) {
        return Grade::Preferred;
    }
    if edition.codes.iter().any(|legal| legal == code) {
        return Grade::Legal;
    }
    if legacy_spelling(edition, code).is_some() {
        return Grade::LegacySpelling;
    }
    Grade::Illegal
}

/// The code of the edition that a known other spelling means: 1.6 spells `OccurenceConstraintViolation` with
/// one r and says `FormationViolation`; later editions corrected both.
pub fn legacy_spelling<'a>(edition: &'a Edition, code: &str) -> Option<&'a str> {
    edition
        .variants
        .iter()
        .find(|(wrong, _)| wrong == code)
        .map(|(_, right)| right.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_line_in_every_edition() {
        for edition in Edition::all() {
            for fault in Fault::all() {
                let lines = edition.faults.iter().filter(|row| row.fault == fault).count();
                // A frame of an unknown type is to be ignored in 1.6, so that no code answers it.
                let silent = edition.name() == "OCPP-1.6" && fault == Fault::UnknownMessageType;
                assert_eq!(lines, usize::from(!silent), "{} {}", edition.name(), fault.id());
                assert_eq!(expected(edition, fault).is_none(), silent);
                assert_eq!(Fault::parse(fault.id()), Some(fault));
            }
        }
    }

    #[test]
    fn codes_are_graded() {
        let edition = Edition::ocpp16();
        let missing = Fault::Violation(ViolationClass::MissingRequired);
        assert_eq!(
            grade(edition, missing, "OccurenceConstraintViolation"),
            Grade::Preferred
        );
        assert_eq!(grade(edition, missing, "ProtocolError"), Grade::Legal);
        assert_eq!(
            grade(edition, missing, "OccurrenceConstraintViolation"),
            Grade::LegacySpelling
        );
        assert_eq!(grade(edition, missing, "RpcFrameworkError"), Grade::Illegal);
        assert_eq!(
            grade(edition, Fault::UnknownAction, "NotImplemented"),
            Grade::Preferred
        );
        assert_eq!(
            legacy_spelling(edition, "FormatViolation"),
            Some("FormationViolation")
        );
        assert_eq!(legacy_spelling(edition, "FormationViolation"), None);
        assert!(
            expected(edition, missing)
                .unwrap()
                .may
                .contains(&"FormationViolation".to_owned())
        );
    }
}
