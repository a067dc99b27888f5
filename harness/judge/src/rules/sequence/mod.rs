//! Who may send what when.

pub(super) mod boot;
pub(super) mod order;
