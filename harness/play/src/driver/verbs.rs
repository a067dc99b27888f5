//! The closed list of actions of driver API 1.

/// Where an action happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At a charging station, or at the vehicle and the person before it.
    Station,
    /// At the operator's desk of a CSMS.
    Csms,
    /// At the operator's desk of an OCPI platform.
    Ocpi,
}

/// One action with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb {
    /// The dotted name used in case files and by back-ends.
    pub name: &'static str,
    /// Where it happens.
    pub side: Side,
    /// Its arguments in the order of their positions.
    pub arguments: &'static [Argument],
    /// True where it returns a value instead of changing something.
    pub reads: bool,
    /// What a person is asked to do; `{name}` stands for an argument.
    pub instruction: &'static str,
}

/// One argument of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The key under which the back-end finds it.
    pub name: &'static str,
    /// True where the action means nothing without it.
    pub required: bool,
}

impl Verb {
    /// True where the action has an argument of that name.
    pub fn has_argument(&self, name: &str) -> bool {
        self.arguments.iter().any(|argument| argument.name == name)
    }

    /// True where the arguments may carry a password.
    pub fn may_carry_secret(&self) -> bool {
        self.has_argument("password")
    }
}

/// The action of that name.
pub fn verb(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}

/// The action that a misspelt name most likely means.
pub fn closest_verb(name: &str) -> Option<&'static Verb> {
    let likeness = |verb: &&Verb| strsim::jaro_winkler(verb.name, name);
    let best = VERBS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.8).then_some(best)
}

const fn must(name: &'static str) -> Argument {
    Argument { name, required: true }
}

const fn may(name: &'static str) -> Argument {
    Argument {
        name,
        required: false,
    }
}

const fn act(
    side: Side,
    name: &'static str,
    arguments: &'static [Argument],
    instruction: &'static str,
) -> Verb {
    Verb {
        name,
        side,
        arguments,
        reads: false,
        instruction,
    }
}

const fn read(
    side: Side,
    name: &'static str,
    arguments: &'static [Argument],
    instruction: &'static str,
) -> Verb {
    Verb {
        name,
        side,
        arguments,
        reads: true,
        instruction,
    }
}

const NOTHING: &[Argument] = &[];
const CONNECTOR: &[Argument] = &[may("connector")];
const EVSE: &[Argument] = &[may("evse")];

/// All actions. A connector that is left out is the only one, or the first.
pub const VERBS: &[Verb] = &[
    act(
        Side::Station,
        "station.start",
        NOTHING,
        "Switch the charging station on.",
    ),
    act(
        Side::Station,
        "station.stop",
        NOTHING,
        "Switch the charging station off.",
    ),
    act(
        Side::Station,
        "station.power_cycle",
        NOTHING,
        "Cut the power of the charging station and restore it.",
    ),
    act(
        Side::Station,
        "station.factory_reset",
        NOTHING,
        "Reset the charging station to its factory settings.",
    ),
    act(
        Side::Station,
        "station.set_url",
        &[must("url")],
        "Let the charging station connect to {url}.",
    ),
    act(
        Side::Station,
        "station.set_password",
        &[must("password")],
        "Give the charging station the new password of its profile.",
    ),
    act(
        Side::Station,
        "ev.plug",
        CONNECTOR,
        "Plug the cable into the EV and into connector {connector}.",
    ),
    act(
        Side::Station,
        "ev.plug_half",
        CONNECTOR,
        "Plug the cable into connector {connector}, and leave the EV's end free.",
    ),
    act(
        Side::Station,
        "ev.unplug",
        CONNECTOR,
        "Unplug the EV from connector {connector}.",
    ),
    act(
        Side::Station,
        "ev.ready",
        CONNECTOR,
        "Let the EV at connector {connector} be ready to take energy.",
    ),
    act(
        Side::Station,
        "ev.suspend",
        CONNECTOR,
        "Let the EV at connector {connector} pause taking energy.",
    ),
    act(
        Side::Station,
        "ev.resume",
        CONNECTOR,
        "Let the EV at connector {connector} take energy again.",
    ),
    act(
        Side::Station,
        "ev.draw",
        &[may("connector"), may("power"), may("current"), may("phases")],
        "Let the EV at connector {connector} draw {power} W, {current} A on {phases} phases.",
    ),
    act(
        Side::Station,
        "ev.unplug_at_evse",
        CONNECTOR,
        "Pull the cable out of connector {connector} and leave it in the EV.",
    ),
    act(
        Side::Station,
        "token.present",
        &[must("token"), may("connector"), may("type")],
        "Hold the token {token} to the reader of connector {connector}.",
    ),
    act(
        Side::Station,
        "user.stop",
        CONNECTOR,
        "Stop charging at connector {connector} with the station's own button.",
    ),
    act(
        Side::Station,
        "user.select_evse",
        &[must("evse")],
        "Choose EVSE {evse} at the station.",
    ),
    act(
        Side::Station,
        "lock.fail",
        CONNECTOR,
        "Block the lock of connector {connector}.",
    ),
    act(
        Side::Station,
        "lock.clear",
        CONNECTOR,
        "Free the lock of connector {connector}.",
    ),
    act(
        Side::Station,
        "fault.inject",
        &[may("connector"), may("error")],
        "Put connector {connector} into the fault {error}.",
    ),
    act(
        Side::Station,
        "fault.clear",
        CONNECTOR,
        "Clear the fault of connector {connector}.",
    ),
    act(
        Side::Station,
        "net.down",
        NOTHING,
        "Cut the network of the charging station.",
    ),
    act(
        Side::Station,
        "net.up",
        NOTHING,
        "Restore the network of the charging station.",
    ),
    act(
        Side::Station,
        "bay.enter",
        EVSE,
        "Drive a vehicle into the bay of EVSE {evse}.",
    ),
    act(
        Side::Station,
        "bay.leave",
        EVSE,
        "Drive the vehicle out of the bay of EVSE {evse}.",
    ),
    read(
        Side::Station,
        "meter.read",
        CONNECTOR,
        "Read the meter of connector {connector} and type what it shows, in Wh.",
    ),
    read(
        Side::Station,
        "display.read",
        EVSE,
        "Type what the display of EVSE {evse} shows.",
    ),
    act(
        Side::Station,
        "iso15118.start",
        CONNECTOR,
        "Begin an ISO 15118 session at connector {connector}.",
    ),
    act(
        Side::Station,
        "iso15118.stop",
        CONNECTOR,
        "End the ISO 15118 session at connector {connector}.",
    ),
    act(
        Side::Station,
        "iso15118.renegotiate",
        CONNECTOR,
        "Let the EV at connector {connector} negotiate its schedule again.",
    ),
    read(Side::Station, "observe", &[must("question")], "{question}"),
    act(
        Side::Csms,
        "csms.call",
        &[must("action"), must("payload"), may("station")],
        "Let the CSMS send {action} to station {station} with {payload}.",
    ),
    act(
        Side::Csms,
        "csms.token",
        &[must("id"), must("status"), may("parent")],
        "Give the token {id} the status {status} in the CSMS, with the parent {parent}.",
    ),
    act(
        Side::Csms,
        "csms.station",
        &[must("id"), may("password"), may("registration")],
        "Register station {id} in the CSMS with the password of its profile and registration {registration}.",
    ),
    read(
        Side::Csms,
        "csms.records",
        &[must("kind"), may("station")],
        "Look up the {kind} of station {station} in the CSMS and type them as JSON.",
    ),
    act(
        Side::Ocpi,
        "ocpi.trigger",
        &[must("module"), must("operation"), may("payload")],
        "Let the platform do {operation} of module {module} with {payload}.",
    ),
    act(
        Side::Ocpi,
        "ocpi.seed",
        &[must("object")],
        "Enter this object into the platform: {object}.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (index, first) in VERBS.iter().enumerate() {
            assert_eq!(verb(first.name), Some(first));
            assert!(
                VERBS[index + 1..].iter().all(|other| other.name != first.name),
                "{}",
                first.name
            );
        }
        assert_eq!(verb("ev.plgu"), None);
    }

    #[test]
    fn a_typing_mistake_finds_its_verb_and_nonsense_finds_none() {
        assert_eq!(closest_verb("ev.plgu").map(|verb| verb.name), Some("ev.plug"));
        assert_eq!(
            closest_verb("station.powercycle").map(|verb| verb.name),
            Some("station.power_cycle")
        );
        assert_eq!(closest_verb("xyzzy"), None);
    }

    #[test]
    fn instructions_speak_of_their_own_arguments_and_of_no_secret() {
        for verb in VERBS {
            for (_, rest) in verb
                .instruction
                .match_indices('{')
                .map(|(at, _)| verb.instruction.split_at(at + 1))
            {
                let (name, _) = rest.split_once('}').expect("every brace is closed");
                assert!(verb.has_argument(name), "{}: {name}", verb.name);
                assert_ne!(name, "password", "{}", verb.name);
            }
        }
    }
}
