//! `plugfest run`

use crate::args::{Global, Run};
use crate::failure::Failure;
use crate::out::Out;

pub(super) fn run(_global: &Global, _run: &Run, _out: &mut Out) -> Result<u8, Failure> {
    Err(Failure::bug("the engine is not connected yet"))
}
