//! The clean devices: what they say in every case, which is what a mutant is compared with.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use plugfest_judge::{CaseResult, Finding, Row, Verdict};
use plugfest_protocol::Json;

/// What a clean device did in one case.
#[derive(Debug)]
pub(crate) struct Clean {
    /// What went over the wire, and what the driver was told.
    pub(crate) print: u64,
    /// The messages that the device sent, as `Action.req` and `Action.conf`, each with the places of its fields.
    pub(crate) said: BTreeSet<(String, bool, String)>,
    /// What was found, which should be nothing.
    pub(crate) findings: Vec<Finding>,
    /// The verdict.
    pub(crate) verdict: Verdict,
    /// Why.
    pub(crate) reason: String,
}

impl Clean {
    pub(crate) fn of(result: &CaseResult) -> Self {
        let mut said = BTreeSet::new();
        for row in result
            .conversation
            .iter()
            .filter(|row| row.from == result.planned.key.tests)
        {
            let call = row.kind == "call";
            if let (true, Some(payload)) = (call || row.kind == "result", &row.payload) {
                said.insert((row.name.clone(), call, String::new()));
                places(payload, String::new(), &mut |place| {
                    said.insert((row.name.clone(), call, place));
                });
            }
        }
        Self {
            print: print(&result.conversation),
            said,
            findings: result.findings.iter().chain(&result.aftermath).cloned().collect(),
            verdict: result.verdict,
            reason: result.reason.clone(),
        }
    }

    /// Whether a clean device gave anything but silence.
    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.verdict == Verdict::Pass
    }
}

/// A number for what went over the wire and what the driver was told, with times: two runs that differ in a frame or in its
/// moment have different numbers.
pub(crate) fn print(rows: &[Row]) -> u64 {
    const SEEN: [&str; 9] = [
        "call",
        "close",
        "closing",
        "error",
        "frame",
        "open",
        "performed",
        "refused",
        "result",
    ];
    let mut hasher = DefaultHasher::new();
    for row in rows.iter().filter(|row| SEEN.contains(&row.kind.as_str())) {
        (row.ms, &row.from, &row.kind, &row.name, &row.text).hash(&mut hasher);
    }
    hasher.finish()
}

/// The places of all scalars in a payload, with `*` for every item of an array.
fn places(json: &Json, place: String, found: &mut dyn FnMut(String)) {
    match json {
        Json::Object(members) => {
            for (name, value) in members.iter() {
                places(value, format!("{place}/{name}"), found);
            }
        }
        Json::Array(items) => {
            for item in items {
                places(item, format!("{place}/*"), found);
            }
        }
        _ => found(place),
    }
}
