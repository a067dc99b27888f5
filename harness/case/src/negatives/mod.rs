//! The family of negative cases: for every message of an edition and every side that receives it, one case that sends
//! it with each mistake that the catalogue can make. It is written as text like any case, so that it is shown, played,
//! judged, saved and played again like any other.

mod form;
mod payload;
mod text;

pub(crate) use form::FILE;
pub(crate) use text::sources;
