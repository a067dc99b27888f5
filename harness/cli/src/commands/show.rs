//! `plugfest show`

use std::io::Write as _;

use plugfest_case::diagnostic::did_you_mean;
use plugfest_case::{Library, Loaded, show};
use plugfest_reports::exit;

use crate::args::{Global, ShowForm};
use crate::failure::Failure;
use crate::out::Out;
use crate::{cases, catalogue};

pub(super) fn run(global: &Global, name: &str, form: &ShowForm, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?;
    for loaded in find(&library, name)? {
        if form.json {
            let text = show::json(&loaded.case).map_err(|error| Failure::bug(error.to_string()))?;
            writeln!(out, "{text}")?;
        } else if form.diagram || form.table {
            let text = if form.diagram {
                show::diagram(&loaded.case)
            } else {
                show::table(&loaded.case)
            };
            write!(out, "{}", plugfest_reports::visible(&text))?;
        } else {
            let text = loaded.text.get(loaded.case.span.range()).unwrap_or(&loaded.text);
            writeln!(out, "{}", plugfest_reports::visible(text.trim_end()))?;
        }
    }
    Ok(exit::OK)
}

/// The case of that id, or those that cover that official id.
pub(super) fn find<'l>(library: &'l Library, name: &str) -> Result<Vec<&'l Loaded>, Failure> {
    if let Some(loaded) = library.case(name) {
        return Ok(vec![loaded]);
    }
    let covers = |loaded: &&Loaded| {
        catalogue::all_covers(&loaded.case).iter().any(|id| {
            id.eq_ignore_ascii_case(name)
                || id
                    .rsplit_once('_')
                    .is_some_and(|(stem, _)| stem.eq_ignore_ascii_case(name))
        })
    };
    let found: Vec<_> = library.cases().filter(covers).collect();
    if found.is_empty() {
        Err(unknown(library, name))
    } else {
        Ok(found)
    }
}

fn unknown(library: &Library, name: &str) -> Failure {
    let ids = library.cases().map(|it| it.case.id.as_str());
    let official = library.cases().flat_map(|it| catalogue::all_covers(&it.case));
    let near = did_you_mean(name, ids.chain(official));
    Failure::nothing(format!("no case `{name}`"))
        .hint(near.unwrap_or_else(|| "`plugfest list` shows what there is".to_owned()))
}
