//! `plugfest prove`

use crate::args::{Global, Selection};
use crate::failure::Failure;
use crate::out::Out;

pub(super) fn run(_global: &Global, _selection: &Selection, _out: &mut Out) -> Result<u8, Failure> {
    Err(Failure::bug("the engine is not connected yet"))
}
