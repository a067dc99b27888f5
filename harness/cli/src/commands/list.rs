//! `plugfest list`

use std::io::Write as _;

use plugfest_case::Loaded;
use plugfest_reports::{exit, one_line};
use serde::Serialize;

use crate::args::{Global, Selection};
use crate::catalogue::{self, Line};
use crate::failure::Failure;
use crate::out::{Out, table};
use crate::{cases, select};

/// One case as `--json` prints it. Fields are added, never changed.
#[derive(Debug, Serialize)]
struct Item<'c> {
    id: &'c str,
    title: &'c str,
    protocol: &'c str,
    /// The selected sides of those that the case tests.
    tests: Vec<&'c str>,
    covers: Vec<&'c str>,
    block: String,
    profile: String,
    clauses: Vec<String>,
    requires: Option<String>,
    /// True where the case follows from clauses and from no published text.
    derived: bool,
    file: &'c str,
    line: usize,
}

pub(super) fn run(global: &Global, selection: &Selection, json: bool, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?;
    let lines = select::choose(selection, catalogue::lines(&library))?;
    let items = items(&lines);
    if json {
        serde_json::to_writer_pretty(&mut *out, &items).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(exit::OK);
    }
    let row = |item: &Item<'_>| {
        let covers = item.covers.join(" ");
        vec![
            item.id.to_owned(),
            item.tests.join(" "),
            covers,
            one_line(item.title).into_owned(),
        ]
    };
    write!(out, "{}", table(&items.iter().map(row).collect::<Vec<_>>()))?;
    out.flush()?;
    out.remark(&format!("{} cases, {} result lines", items.len(), lines.len()))?;
    Ok(exit::OK)
}

/// Lines of one case as one item. They stand beside each other.
fn items<'l>(lines: &[Line<'l>]) -> Vec<Item<'l>> {
    let of_one = lines.chunk_by(|a, b| a.loaded.case.id == b.loaded.case.id);
    of_one.map(|sides| item(sides[0].loaded, sides)).collect()
}

fn item<'l>(loaded: &'l Loaded, sides: &[Line<'l>]) -> Item<'l> {
    let case = &loaded.case;
    let chosen =
        |id: &&str| catalogue::side_of(id).is_none_or(|side| sides.iter().any(|line| line.role == side));
    let requires = case
        .header
        .requires
        .as_ref()
        .and_then(|it| loaded.text.get(it.span.range()));
    let (block, profile) = catalogue::placed(loaded);
    Item {
        id: &case.id,
        title: &case.title,
        protocol: &loaded.protocol,
        tests: sides.iter().map(|line| line.role).collect(),
        covers: catalogue::all_covers(case).into_iter().filter(chosen).collect(),
        block,
        profile,
        clauses: catalogue::clauses(loaded),
        requires: requires.map(str::to_owned),
        derived: case.header.notes.iter().any(|note| note.derived),
        file: &loaded.path,
        line: plugfest_case::diagnostic::line_column(&loaded.text, case.head.start).0,
    }
}
