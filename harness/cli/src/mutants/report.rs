//! The score on paper: lines for people, an array for programs.

use std::fmt::Write as _;

use plugfest_protocol::{Json, object};
use plugfest_reference::defect::Confidence;
use plugfest_reports::one_line;

use super::score::{Tally, percent, with};
use super::{Judged, Outcome, equivalent};

/// One line for a mutant.
pub(crate) fn line(one: &Judged) -> String {
    let Judged { mutant, outcome, .. } = one;
    let mut text = format!("{:<14} {:<8} {}", outcome.as_str(), mutant.role, mutant.id);
    if let Some(by) = &one.by {
        let _infallible = write!(text, "  {} [{}]  {}", by.rule, by.clause, by.case);
    }
    if !one.why.is_empty() {
        let _infallible = write!(text, "  {}", one_line(&one.why));
    }
    text
}

/// The outcomes of the table, by confidence and device.
pub(crate) fn summary(judged: &[Judged]) -> String {
    let mut text = String::new();
    for confidence in [Confidence::Confirmed, Confidence::Quirk, Confidence::Contested] {
        for role in ["station", "csms"] {
            let tally = Tally::of(with(judged, confidence).filter(|one| one.mutant.role == role));
            if tally.all() > 0 {
                let name = format!("{} {role}", confidence.as_str());
                let _infallible = writeln!(text, "{}", counts(&name, &tally));
            }
        }
    }
    text
}

/// `confirmed station: 73 of 95 killed (76.8 %), 5 warned, …`
pub(crate) fn counts(name: &str, tally: &Tally) -> String {
    let killed = tally.killed();
    let mut text = format!(
        "{name}: {killed} of {} killed ({})",
        tally.all(),
        percent(killed, tally.all())
    );
    for outcome in Outcome::ALL.into_iter().skip(1) {
        let count = tally.count(outcome);
        if count > 0 {
            let _infallible = write!(text, ", {count} {}", outcome.as_str());
        }
    }
    text
}

/// The array of `--json`.
pub(crate) fn json(protocol: &str, judged: &[Judged]) -> Json {
    let list = |items: &[String]| Json::from(items.iter().map(Json::from).collect::<Vec<_>>());
    let row = |one: &Judged| {
        let row = one.mutant.row;
        let by = one.by.as_ref();
        let word = |text: Option<&String>| text.map_or(Json::Null, Json::from);
        let mut object = object! {
            "protocol": protocol,
            "role": one.mutant.role.as_str(),
            "defect": one.mutant.id.as_str(),
            "source": one.mutant.source.as_str(),
            "confidence": row.map_or("derived", |row| row.confidence.as_str()),
            "outcome": one.outcome.as_str(),
            "rule": word(by.map(|by| &by.rule)),
            "clause": word(by.map(|by| &by.clause)),
            "case": word(by.map(|by| &by.case)),
            "why": one.why.as_str(),
        };
        if let (Some(members), Some(row)) = (object.as_object_mut(), row) {
            members.insert("clauses", list(&row.clauses));
            members.insert("wrong", row.wrong.as_str());
            members.insert("changed", list(&row.changed));
            if let Some(regraded) = &row.regraded {
                members.insert("regraded", regraded.as_str());
            }
        }
        if let (Some(members), None) = (object.as_object_mut(), row) {
            let why = equivalent::why(&one.mutant.role, &one.mutant.id);
            members.insert("equivalent", why.map_or(Json::Null, Json::from));
        }
        object
    };
    Json::from(judged.iter().map(row).collect::<Vec<_>>())
}
