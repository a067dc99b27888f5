//! What the standards say: actions, fields, limits, frames, validation, samples.
//!
//! Everything here is a pure function of its arguments and of the catalogue of the edition: no I/O, no
//! clock, no randomness of its own.

mod compare;
mod deviations;
mod edition;
mod error_codes;
mod frame;
mod json;
mod mutate;
mod sample;
mod schema;
mod secret;
mod time;
mod validate;

pub use compare::{equal, equal_at};
pub use deviations::{Deviation, deviation, deviations};
pub use edition::{
    Access, Action, CatalogueError, ConfigKey, ConfigType, Direction, Edition, EnumType, Field, ObjectType,
    Part, Role, Rpc, Secret, TextLimits, Type, Variable, is_identifier_char,
};
pub use error_codes::{Expected, Fault, Grade, expected, grade, legacy_spelling};
pub use frame::{Frame, FrameFlaw, FrameFlawKind, MAX_FRAME_BYTES, MAX_ID_CHARS, ReadFrame, read_frame};
pub use json::{Json, JsonError, JsonFlaw, Limits, Number, Object, pointer};
pub use mutate::{Mistake, Mutation, mistakes, mutations};
pub use sample::{another_legal, canonical, maximal, minimal, random};
pub use schema::json_schema;
pub use secret::{is_secret, secret_pointers};
pub use time::{DateTimeError, DateTimeText, Form, Timestamp};
pub use validate::{Severity, Source, Violation, ViolationClass, validate, validate_value};
