//! The driver's verbs: what only hands at the station or an operator at the back office can do. Case files use
//! exactly these.

use crate::lex::ROLES;

/// One verb of `driver-api = 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerbSpec {
    /// The dotted name.
    pub name: &'static str,
    /// The side that it acts on: `station`, `csms`, or `ocpi` for either party there.
    pub side: &'static str,
    /// What must be said, in this order when unnamed.
    pub required: &'static [&'static str],
    /// What may be said, behind the required ones.
    pub optional: &'static [&'static str],
    /// True where the identity may lose its connection by it without being at fault.
    pub may_disconnect: bool,
    /// True where it returns a reading, which is evidence of its own kind.
    pub reads: bool,
}

const fn verb(
    name: &'static str,
    side: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> VerbSpec {
    VerbSpec {
        name,
        side,
        required,
        optional,
        may_disconnect: false,
        reads: false,
    }
}

const fn cutting(mut verb: VerbSpec) -> VerbSpec {
    verb.may_disconnect = true;
    verb
}

const fn reading(mut verb: VerbSpec) -> VerbSpec {
    verb.reads = true;
    verb
}

/// All of them.
pub const VERBS: &[VerbSpec] = &[
    cutting(verb("station.start", "station", &[], &[])),
    cutting(verb("station.stop", "station", &[], &[])),
    cutting(verb("station.power_cycle", "station", &[], &[])),
    cutting(verb("station.factory_reset", "station", &[], &[])),
    cutting(verb("station.set_url", "station", &["url"], &[])),
    cutting(verb("station.set_password", "station", &["password"], &[])),
    verb("ev.plug", "station", &[], &["connector"]),
    verb("ev.plug_half", "station", &[], &["connector"]),
    verb("ev.unplug", "station", &[], &["connector"]),
    verb("ev.unplug_at_evse", "station", &[], &["connector"]),
    verb("ev.ready", "station", &[], &["connector"]),
    verb("ev.suspend", "station", &[], &["connector"]),
    verb("ev.resume", "station", &[], &["connector"]),
    verb("ev.draw", "station", &["power"], &["connector"]),
    verb("token.present", "station", &["token"], &["connector"]),
    verb("user.stop", "station", &[], &["connector"]),
    verb("user.select_evse", "station", &["evse"], &[]),
    verb("lock.fail", "station", &[], &["connector"]),
    verb("lock.clear", "station", &[], &["connector"]),
    verb("fault.inject", "station", &[], &["connector", "code"]),
    verb("fault.clear", "station", &[], &["connector"]),
    cutting(verb("net.down", "station", &[], &[])),
    cutting(verb("net.up", "station", &[], &[])),
    verb("bay.enter", "station", &[], &["connector"]),
    verb("bay.leave", "station", &[], &["connector"]),
    reading(verb("meter.read", "station", &[], &["connector"])),
    reading(verb("display.read", "station", &[], &["connector"])),
    verb("iso15118.start", "station", &[], &["connector"]),
    verb("iso15118.stop", "station", &[], &["connector"]),
    verb("iso15118.renegotiate", "station", &[], &["connector"]),
    reading(verb("observe", "station", &["question"], &[])),
    verb("csms.call", "csms", &["action"], &["payload", "station"]),
    verb("csms.token", "csms", &["id", "status"], &["parent"]),
    verb("csms.station", "csms", &["id"], &["password", "registration"]),
    reading(verb("csms.records", "csms", &["kind"], &[])),
    verb("ocpi.trigger", "ocpi", &["module", "operation"], &["payload"]),
    verb("ocpi.seed", "ocpi", &["object"], &[]),
];

/// The verb of that name.
pub fn find(name: &str) -> Option<&'static VerbSpec> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// The name of a positional argument, from 0; `""` where the verb is unknown or takes fewer.
pub fn parameter(name: &str, position: usize) -> &'static str {
    find(name)
        .and_then(|verb| verb.parameters().nth(position))
        .unwrap_or("")
}

/// True where the verb may cost the identity its connection.
pub fn may_disconnect(name: &str) -> bool {
    find(name).is_some_and(|verb| verb.may_disconnect)
}

impl VerbSpec {
    /// Its parameters in the order of positional arguments.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }

    /// The role that carries it out; `None` where either party of OCPI may.
    pub fn role(&self) -> Option<&'static str> {
        ROLES.iter().find(|role| **role == self.side).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positional_arguments_have_names() {
        assert_eq!(parameter("token.present", 0), "token");
        assert_eq!(parameter("token.present", 1), "connector");
        assert_eq!(parameter("token.present", 2), "");
        assert_eq!(parameter("no.such", 0), "");
    }

    #[test]
    fn names_are_unique_and_sides_are_known() {
        for (i, verb) in VERBS.iter().enumerate() {
            assert!(
                VERBS[i + 1..].iter().all(|other| other.name != verb.name),
                "{}",
                verb.name
            );
            assert_eq!(verb.role().is_none(), verb.side == "ocpi", "{}", verb.name);
        }
        assert!(may_disconnect("station.power_cycle") && !may_disconnect("ev.plug"));
    }
}
