//! Smart charging by OCPP 1.6: charging profiles, which of them a station holds, and the composite schedule that follows.

mod compare;
mod composite;
mod held;
mod profile;

pub use compare::{Answered, Flaw, compare};
pub(crate) use compare::{above, composite_flaw};
pub use composite::{Bound, Running, Situation};
pub use held::{Held, Installed};
pub use profile::{Kind, Period, Profile, Purpose, Says, Schedule, Unit};
