//! The official catalogue of 1.6J: which of its ids the cases cover, by feature profile.

mod common;

use std::collections::{BTreeMap, BTreeSet};

/// A profile, and the numbers of its station and CSMS cases.
type Profile = (&'static str, &'static str, &'static str);

const PROFILES: &[Profile] = &[
    (
        "Core",
        "001 002 003 004_1 004_2 005_1 005_2 005_3 007_1 007_2 010 011_1 011_2 012 013 014 015 016 017_1 017_2 018_1 \
         018_2 019 021 023_4 023_5 024 026 027 028 030 031 032_1 032_2 034 036 037_1 037_2 037_3 038 039 040_1 040_2 \
         041 061_1 061_2 062 068 069 070 071",
        "001 003 004_1 004_2 005_1 007 010 011_1 011_2 012 013 014 017_1 017_2 018_1 019_1 019_2 021 023_1 023_2 \
         023_3 024 026 028 030 031 032_1 037_1 037_3 039 040_1 040_2 061 064",
    ),
    (
        "Local Auth List Management",
        "008_1 008_2 042_1 042_2 043 043_1 043_2 043_3",
        "042_1 042_2 043_1 043_3 043_4 043_5",
    ),
    (
        "Reservation",
        "046_1 046_2 047 048_1 048_2 048_3 048_4 049 050_1 050_2 050_3 050_4 051 052 053_1 053_2",
        "046 047 048_1 048_2 048_3 048_4 049 051 052 053",
    ),
    ("Remote Trigger", "054 055", "054 055"),
    (
        "Smart Charging",
        "056 057 058_1 058_2 059 060 066 067 072 082",
        "056 057 059 066 067",
    ),
];

/// Ids that exist and are not asked for here.
const KNOWN: &[Profile] = &[(
    "Firmware Management",
    "044_1 044_2 044_3 045_1 045_2",
    "044_1 044_2 044_3 045_1 045_2",
)];

fn ids(of: &[Profile]) -> BTreeMap<String, &'static str> {
    let mut all = BTreeMap::new();
    for (profile, station, csms) in of {
        for (numbers, side) in [(station, "CS"), (csms, "CSMS")] {
            all.extend(numbers.split(' ').map(|n| (format!("TC_{n}_{side}"), *profile)));
        }
    }
    all
}

#[test]
fn every_id_of_the_profiles_is_covered_and_no_other() {
    let library = common::library();
    let mut covered: BTreeSet<String> = BTreeSet::new();
    for loaded in library.cases() {
        let own = &loaded.case.header.covers;
        covered.extend(own.iter().map(|c| c.id.clone()));
        for side in ["_CS", "_CSMS"] {
            let many = own.iter().filter(|c| c.id.ends_with(side)).count();
            assert!(many <= 2, "{} covers {many} ids of one side", loaded.case.id);
        }
    }
    let wanted = ids(PROFILES);
    assert_eq!(wanted.len(), 85 + 14 + 26 + 4 + 15);
    let missing: Vec<_> = wanted.iter().filter(|(id, _)| !covered.contains(*id)).collect();
    assert!(missing.is_empty(), "not covered: {missing:?}");
    let known = ids(KNOWN);
    let strange: Vec<_> = covered
        .iter()
        .filter(|id| !wanted.contains_key(*id) && !known.contains_key(*id))
        .collect();
    assert!(strange.is_empty(), "no such id: {strange:?}");
}
