//! The result lines that cases can give: one for each side that a case tests.

use plugfest_case::ir::Case;
use plugfest_case::{Library, Loaded};
use plugfest_judge::{CaseKey, PlannedCase};
pub(crate) use plugfest_play::suite::{clauses, placed};

/// The two sides of a case of OCPP, in the order in which they are listed.
const SIDES: [&str; 2] = ["station", "csms"];

/// A case on one side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'l> {
    /// The case.
    pub(crate) loaded: &'l Loaded,
    /// The side under test.
    pub(crate) role: &'static str,
}

/// Every case on every side that it tests, ordered by id.
pub(crate) fn lines(library: &Library) -> Vec<Line<'_>> {
    let sides = |loaded| {
        SIDES
            .into_iter()
            .filter(move |role| tests(loaded, role))
            .map(move |role| Line { loaded, role })
    };
    library.cases().flat_map(sides).collect()
}

fn tests(loaded: &Loaded, role: &str) -> bool {
    let sides = loaded.case.header.tests.as_ref();
    sides.is_none_or(|sides| sides.iter().any(|word| word.text == role))
}

/// The official ids that the case covers, on whichever side.
pub(crate) fn all_covers(case: &Case) -> Vec<&str> {
    case.header
        .covers
        .iter()
        .map(|covers| covers.id.as_str())
        .collect()
}

impl<'l> Line<'l> {
    /// The official ids that it covers.
    pub(crate) fn covers(self) -> impl Iterator<Item = &'l str> {
        let of_role = move |id: &&str| side_of(id).is_none_or(|side| side == self.role);
        self.loaded
            .case
            .header
            .covers
            .iter()
            .map(|covers| covers.id.as_str())
            .filter(of_role)
    }

    /// The result line that will come under this key.
    pub(crate) fn planned(self, key: CaseKey) -> PlannedCase {
        let case = &self.loaded.case;
        let (block, profile) = placed(self.loaded);
        PlannedCase {
            key,
            title: case.title.clone(),
            covers: self.covers().map(str::to_owned).collect(),
            protocol: self.loaded.protocol.clone(),
            block,
            profile,
            clauses: clauses(self.loaded),
            file: self.loaded.path.clone(),
        }
    }
}

/// The side that an official id is about: stations end in `_CS`, back offices in `_CSMS`.
pub(crate) fn side_of(official: &str) -> Option<&'static str> {
    match official.rsplit_once('_')?.1 {
        "CS" => Some("station"),
        "CSMS" => Some("csms"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use plugfest_case::{Natives, Source};

    use super::*;

    #[test]
    fn a_case_gives_a_line_for_each_side() {
        let text = "case reset/a \"A\"\n  spec OCPP-1.6 \"5.14\"\n  covers TC_1_CS, TC_2_CSMS\n  requires not x and (Reservation or Core)\n  wait 1s\nend\n\
                    case b \"B\"\n  tests csms\n  wait 1s\nend\n";
        let (library, _) = Library::load([Source::new("x/reset/a.case", text)], &Natives::new());
        let lines = lines(&library);
        let seen: Vec<_> = lines
            .iter()
            .map(|line| (line.loaded.case.id.as_str(), line.role))
            .collect();
        assert_eq!(seen, [("b", "csms"), ("reset/a", "station"), ("reset/a", "csms")]);
        assert_eq!(lines[1].covers().collect::<Vec<_>>(), ["TC_1_CS"]);
        assert_eq!(lines[2].covers().collect::<Vec<_>>(), ["TC_2_CSMS"]);
        assert_eq!(
            plugfest_play::suite::placed(lines[1].loaded),
            ("reset".to_owned(), "Reservation".to_owned())
        );
        assert_eq!(plugfest_play::suite::clauses(lines[1].loaded), ["OCPP-1.6 5.14"]);
    }
}
