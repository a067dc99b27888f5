//! The project's own cases and the values of a profile, for tests that play them.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "tests without cases fail; not every binary uses all of it"
)]

use std::path::Path;

use plugfest_case::{Library, Natives, Severity, Source};
use plugfest_protocol::Json;

/// The functions that `check` may call.
pub(crate) fn natives() -> Natives {
    plugfest_judge::NATIVES
        .iter()
        .fold(Natives::new(), |natives, (name, arity)| {
            natives.function(name, plugfest_case::Arity::exactly(*arity))
        })
}

fn sources(dir: &Path, root: &Path, into: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, root, into);
        } else if path
            .extension()
            .is_some_and(|e| e == "case" || e == "state" || e == "toml")
        {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            into.push(Source::new(name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// All cases of the project.
pub(crate) fn library() -> Library {
    library_of(&[])
}

/// All cases of the project, and these files.
pub(crate) fn library_of(own: &[(&str, &str)]) -> Library {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testcases");
    let mut all = Vec::new();
    sources(&root, &root, &mut all);
    all.extend(own.iter().map(|(path, text)| Source::new(*path, *text)));
    let (library, diagnostics) = Library::load(all, &natives());
    let errors: Vec<_> = diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    library
}

/// The `$` values of a profile that have no default.
pub(crate) fn values() -> Json {
    Json::parse(
        r#"{"tag":{"valid":"TAG-VALID","valid2":"TAG-VALID-2","invalid":"TAG-INVALID","expired":"TAG-EXPIRED",
            "blocked":"TAG-BLOCKED","parent1":"TAG-P1","parent2":"TAG-P2","group":"GROUP"},
            "tag_unset":"TAG-UNSET"}"#,
    )
    .unwrap()
}
