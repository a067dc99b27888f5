//! What a person is told to do for each verb of the closed list, which stands beside the case language.

use plugfest_case::verbs::{VERBS, VerbSpec};

/// The verb that a misspelt name most likely means.
pub(super) fn closest(name: &str) -> Option<&'static VerbSpec> {
    let likeness = |verb: &VerbSpec| strsim::jaro_winkler(verb.name, name);
    let best = VERBS.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.8).then_some(best)
}

/// True where the verb has a parameter of that name.
pub(super) fn takes(verb: &VerbSpec, parameter: &str) -> bool {
    verb.parameters().any(|name| name == parameter)
}

/// The sentence that asks a person; `{name}` stands for an argument. Passwords are never part of it.
pub fn instruction(verb: &str) -> Option<&'static str> {
    INSTRUCTIONS
        .iter()
        .find(|(name, _)| *name == verb)
        .map(|(_, text)| *text)
}

const INSTRUCTIONS: &[(&str, &str)] = &[
    ("station.start", "Switch the charging station on."),
    ("station.stop", "Switch the charging station off."),
    (
        "station.power_cycle",
        "Cut the power of the charging station and restore it.",
    ),
    (
        "station.factory_reset",
        "Reset the charging station to its factory settings.",
    ),
    ("station.set_url", "Let the charging station connect to {url}."),
    (
        "station.set_password",
        "Give the charging station the new password of its profile.",
    ),
    (
        "ev.plug",
        "Plug the cable into the EV and into connector {connector}.",
    ),
    (
        "ev.plug_half",
        "Plug the cable into connector {connector}, and leave the EV's end free.",
    ),
    ("ev.unplug", "Unplug the EV from connector {connector}."),
    (
        "ev.ready",
        "Let the EV at connector {connector} be ready to take energy.",
    ),
    (
        "ev.suspend",
        "Let the EV at connector {connector} pause taking energy.",
    ),
    (
        "ev.resume",
        "Let the EV at connector {connector} take energy again.",
    ),
    ("ev.draw", "Let the EV at connector {connector} draw {power} W."),
    (
        "ev.unplug_at_evse",
        "Pull the cable out of connector {connector} and leave it in the EV.",
    ),
    (
        "token.present",
        "Hold the token {token} to the reader of connector {connector}.",
    ),
    (
        "user.stop",
        "Stop charging at connector {connector} with the station's own button.",
    ),
    ("user.select_evse", "Choose EVSE {evse} at the station."),
    ("lock.fail", "Block the lock of connector {connector}."),
    ("lock.clear", "Free the lock of connector {connector}."),
    ("fault.inject", "Put connector {connector} into the fault {code}."),
    ("fault.clear", "Clear the fault of connector {connector}."),
    ("net.down", "Cut the network of the charging station."),
    ("net.up", "Restore the network of the charging station."),
    (
        "bay.enter",
        "Drive a vehicle into the bay of connector {connector}.",
    ),
    (
        "bay.leave",
        "Drive the vehicle out of the bay of connector {connector}.",
    ),
    (
        "meter.read",
        "Read the meter of connector {connector} and type what it shows, in Wh.",
    ),
    (
        "display.read",
        "Type what the display shows for connector {connector}.",
    ),
    (
        "iso15118.start",
        "Begin an ISO 15118 session at connector {connector}.",
    ),
    (
        "iso15118.stop",
        "End the ISO 15118 session at connector {connector}.",
    ),
    (
        "iso15118.renegotiate",
        "Let the EV at connector {connector} negotiate its schedule again.",
    ),
    ("observe", "{question}"),
    (
        "csms.call",
        "Let the CSMS send {action} to station {station} with {payload}.",
    ),
    (
        "csms.token",
        "Give the token {id} the status {status} in the CSMS, with the parent {parent}.",
    ),
    (
        "csms.station",
        "Register station {id} in the CSMS with the password of its profile and registration {registration}.",
    ),
    (
        "csms.records",
        "Look up the {kind} in the CSMS and type them as JSON.",
    ),
    (
        "ocpi.trigger",
        "Let the platform do {operation} of module {module} with {payload}.",
    ),
    ("ocpi.seed", "Enter this object into the platform: {object}."),
];

#[cfg(test)]
mod tests {
    use plugfest_case::verbs::find;

    use super::super::template::places;
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_verb_and_nonsense_finds_none() {
        assert_eq!(closest("ev.plgu").map(|verb| verb.name), Some("ev.plug"));
        assert_eq!(
            closest("station.powercycle").map(|verb| verb.name),
            Some("station.power_cycle")
        );
        assert_eq!(closest("xyzzy"), None);
    }

    #[test]
    fn every_verb_has_its_instruction_and_no_other_has_one() {
        for verb in VERBS {
            assert!(instruction(verb.name).is_some(), "{}", verb.name);
        }
        assert_eq!(INSTRUCTIONS.len(), VERBS.len());
    }

    #[test]
    fn instructions_speak_of_their_own_arguments_and_of_no_secret() {
        for (name, text) in INSTRUCTIONS {
            let verb = find(name).expect("only known verbs have instructions");
            for (_, argument) in places(text) {
                assert!(takes(verb, argument), "{name}: {argument}");
                assert_ne!(argument, "password", "{name}");
            }
        }
    }
}
