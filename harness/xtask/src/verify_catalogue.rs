//! `verify-catalogue DIR`: are our catalogues what the official schema files say?
//!
//! Both sides are brought into one form (references inlined, prose dropped, lists without meaningful order sorted)
//! and compared member by member. Copies of the files that are known to differ are listed with a reason.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use plugfest_protocol::{Edition, Json, Object, Part, json_schema, pointer};

/// A difference that a known copy of the official files has, and why we do not follow it.
struct Accepted {
    /// The copy. Either all of its rows are met or none: one alone is a row that nobody needs any more.
    copy: &'static str,
    edition: &'static str,
    file: &'static str,
    difference: &'static str,
    reason: &'static str,
}

const PIP_OCPP: &str = "pip ocpp 2.1.0";
const NO_LEAST: &str =
    "added by the package: the official file has no minItems; an empty list is a warning of ours";

const ACCEPTED: [Accepted; 4] = [
    Accepted {
        copy: PIP_OCPP,
        edition: "OCPP-1.6",
        file: "MeterValues.json",
        difference: "/properties/meterValue/minItems: theirs 1, ours nothing",
        reason: NO_LEAST,
    },
    Accepted {
        copy: PIP_OCPP,
        edition: "OCPP-1.6",
        file: "MeterValues.json",
        difference: "/properties/meterValue/items/properties/sampledValue/minItems: theirs 1, ours nothing",
        reason: NO_LEAST,
    },
    Accepted {
        copy: PIP_OCPP,
        edition: "OCPP-1.6",
        file: "MeterValues.json",
        difference: "/properties/meterValue/items/properties/sampledValue/items/properties/unit/enum: theirs alone \"Hertz\"",
        reason: "added by the package: the official enum has no unit of frequency; `Hertz` is a warning of ours",
    },
    Accepted {
        copy: PIP_OCPP,
        edition: "OCPP-2.0.1",
        file: "Get15118EVCertificateResponse.json",
        difference: "/properties/exiResponse/maxLength: theirs 7500, ours 5600",
        reason: "changed by the package: the official file says 5600; up to 7500 it is a warning of ours",
    },
];

/// Members that describe a schema and do not constrain.
const PROSE: [&str; 10] = [
    "$schema",
    "$id",
    "id",
    "title",
    "description",
    "comment",
    "javaType",
    "default",
    "definitions",
    "examples",
];

/// References inside references; the official files need two.
const MOST_REFERENCES: usize = 16;

/// Compares every edition whose files are there and prints the result. `false` where there is any difference that no
/// row accepts.
pub(crate) fn run(root: &Path) -> Result<bool> {
    let mut all_well = true;
    for (edition, directory) in schema_directories(root)? {
        all_well &= report(edition, &compare(edition, &directory)?)?;
    }
    Ok(all_well)
}

fn report(edition: &Edition, comparison: &Comparison) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    for line in &comparison.problems {
        writeln!(out, "{}: {line}", edition.name())?;
    }
    for row in &comparison.accepted {
        writeln!(
            out,
            "accepted: {} {} {} ({}: {})",
            row.edition, row.file, row.difference, row.copy, row.reason
        )?;
    }
    writeln!(
        out,
        "{}: {} of {} schemas are the catalogue's, {} accepted deviations",
        edition.name(),
        comparison.same,
        comparison.total,
        comparison.accepted.len()
    )?;
    Ok(comparison.problems.is_empty() && comparison.same == comparison.total)
}

struct Comparison {
    same: usize,
    total: usize,
    accepted: Vec<&'static Accepted>,
    problems: Vec<String>,
}

fn compare(edition: &Edition, directory: &Path) -> Result<Comparison> {
    let mut comparison = Comparison {
        same: 0,
        total: 0,
        accepted: Vec::new(),
        problems: Vec::new(),
    };
    let mut left = json_files(directory)?;
    for action in edition.actions() {
        for part in [Part::Request, Part::Response] {
            comparison.total += 1;
            let names = match part {
                Part::Request => request_files(&action.name).to_vec(),
                Part::Response => vec![format!("{}Response.json", action.name)],
            };
            let Some(file) = names.iter().find(|name| left.remove(*name)) else {
                comparison
                    .problems
                    .push(format!("{}: there is no such file", names[0]));
                continue;
            };
            let theirs = normal(&read(&directory.join(file))?).with_context(|| file.clone())?;
            let ours = json_schema(edition, &action.name, part).context("the action is of the edition")?;
            let ours = normal(&ours)?;
            let mut differences = Vec::new();
            diff("", &theirs, &ours, &mut differences);
            comparison.sort(edition, file, differences);
        }
    }
    let unknown = left
        .iter()
        .map(|file| format!("{file}: there is no such message in the catalogue"));
    comparison.problems.extend(unknown);
    comparison.check_rows(edition);
    Ok(comparison)
}

impl Comparison {
    fn sort(&mut self, edition: &Edition, file: &str, differences: Vec<String>) {
        let mut same = true;
        for difference in differences {
            let row = ACCEPTED.iter().find(|row| {
                row.edition == edition.name() && row.file == file && row.difference == difference
            });
            if let Some(row) = row {
                self.accepted.push(row);
                continue;
            }
            same = false;
            self.problems.push(format!("{file}: {difference}"));
        }
        self.same += usize::from(same);
    }

    /// A row that is not met although others of its copy are, is out of date.
    fn check_rows(&mut self, edition: &Edition) {
        let met = |row: &Accepted| self.accepted.iter().any(|other| std::ptr::eq(*other, row));
        let copies: BTreeSet<_> = self.accepted.iter().map(|row| row.copy).collect();
        let unused = ACCEPTED
            .iter()
            .filter(|row| row.edition == edition.name() && copies.contains(row.copy) && !met(row));
        let unused: Vec<_> = unused
            .map(|row| {
                format!(
                    "unused deviation of {}: {} {}",
                    row.copy, row.file, row.difference
                )
            })
            .collect();
        self.problems.extend(unused);
    }
}

/// Where the files of each edition are: in a package of which the directory is the root there have to be those of every
/// edition; a directory of schemas itself is that of one.
fn schema_directories(root: &Path) -> Result<Vec<(&'static Edition, PathBuf)>> {
    let here = [root.to_owned(), root.join("schemas")];
    let single = Edition::all().into_iter().find_map(|edition| {
        let directory = here.iter().find(|path| holds(edition, path))?;
        Some((edition, directory.clone()))
    });
    if let Some(single) = single {
        return Ok(vec![single]);
    }
    let in_package = |edition: &'static Edition| {
        let folder = folder(edition);
        let inside = [format!("{folder}/schemas"), format!("ocpp/{folder}/schemas")];
        let mut inside = inside.iter().map(|inside| root.join(inside));
        let directory = inside.find(|path| holds(edition, path)).with_context(|| {
            let root = root.display();
            format!(
                "there are no schemas of {} in {root} or in a place below it",
                edition.name()
            )
        })?;
        Ok((edition, directory))
    };
    Edition::all().into_iter().map(in_package).collect()
}

/// What packages call an edition: `v16`, `v201`.
fn folder(edition: &Edition) -> String {
    let digits = edition.name().chars().filter(char::is_ascii_digit);
    std::iter::once('v').chain(digits).collect()
}

/// True for a directory that has more than half of the requests of an edition. Which are missing is said later.
fn holds(edition: &Edition, directory: &Path) -> bool {
    let there = |name: &str| {
        request_files(name)
            .iter()
            .any(|file| directory.join(file).is_file())
    };
    let found = edition.actions().iter().filter(|action| there(&action.name));
    // `BootNotification.json` is how 1.6 names what 2.x calls `BootNotificationRequest.json`.
    let suffixed = directory.join("BootNotificationRequest.json").is_file();
    suffixed != edition.name().ends_with("1.6") && found.count() * 2 > edition.actions().len()
}

/// How the file of a request may be called.
fn request_files(action: &str) -> [String; 2] {
    [format!("{action}.json"), format!("{action}Request.json")]
}

fn json_files(directory: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if let (Some(name), Some("json")) = (path.file_name(), path.extension().and_then(|e| e.to_str())) {
            names.insert(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

fn read(path: &Path) -> Result<Json> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Json::parse(text.trim_start_matches('\u{feff}')).with_context(|| path.display().to_string())
}

/// The schema with references inlined, prose dropped, and `required` and `enum` sorted.
fn normal(schema: &Json) -> Result<Json> {
    normal_in(schema, schema, 0)
}

fn normal_in(schema: &Json, root: &Json, references: usize) -> Result<Json> {
    let Json::Object(members) = schema else {
        bail!("a schema is {}, not an object", schema.kind())
    };
    if let Some(reference) = members.get("$ref").and_then(Json::as_str) {
        if references >= MOST_REFERENCES {
            bail!("references lead in a circle at {reference}");
        }
        let target = reference.strip_prefix('#').and_then(|at| root.pointer(at));
        let target = target.with_context(|| format!("{reference} leads nowhere"))?;
        return normal_in(target, root, references + 1);
    }
    let is_object = members.contains_key("properties") || members.get("type") == Some(&Json::from("object"));
    let mut out = Object::new();
    for (key, value) in members.iter() {
        let value = match key {
            _ if PROSE.contains(&key) => continue,
            // Some files close enums and strings too, which constrains nothing.
            "additionalProperties" if !is_object => continue,
            // An object without fields may or may not list none; the same goes for `required`.
            "properties" | "required" if is_empty(value) => continue,
            "properties" => {
                let Json::Object(fields) = value else {
                    bail!("properties are {}", value.kind())
                };
                let mut inner = Object::new();
                for (name, field) in fields.iter() {
                    inner.push(name, normal_in(field, root, references)?);
                }
                Json::Object(inner)
            }
            "items" => normal_in(value, root, references)?,
            "additionalItems" => continue,
            "required" | "enum" => {
                let mut items = value.as_array().context("required and enum are lists")?.to_vec();
                items.sort_by_key(ToString::to_string);
                Json::Array(items)
            }
            "type"
            | "additionalProperties"
            | "maxLength"
            | "minItems"
            | "maxItems"
            | "minimum"
            | "maximum"
            | "multipleOf"
            | "format" => value.clone(),
            other => bail!("there is a keyword that this comparison does not know: {other}"),
        };
        out.push(key, value);
    }
    Ok(Json::Object(out))
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Object(members) => members.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn diff(at: &str, theirs: &Json, ours: &Json, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Json::Object(left), Json::Object(right)) => {
            let keys: BTreeSet<&str> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let here = pointer::join(at, key);
                match (left.get(key), right.get(key)) {
                    (Some(theirs), Some(ours)) => diff(&here, theirs, ours, found),
                    (Some(theirs), None) => found.push(format!("{here}: theirs {theirs}, ours nothing")),
                    (None, Some(ours)) => found.push(format!("{here}: theirs nothing, ours {ours}")),
                    (None, None) => {}
                }
            }
        }
        // The only lists left are `required` and `enum`, in which each item stands once.
        (Json::Array(left), Json::Array(right)) => {
            let theirs = left.iter().filter(|item| !right.contains(item));
            found.extend(theirs.map(|item| format!("{at}: theirs alone {item}")));
            let ours = right.iter().filter(|item| !left.contains(item));
            found.extend(ours.map(|item| format!("{at}: ours alone {item}")));
        }
        _ if theirs == ours => {}
        _ => found.push(format!("{at}: theirs {theirs}, ours {ours}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of files as an official set would be, made from our own export.
    fn exported(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("plugfest-{name}-{}", std::process::id()));
        export(Edition::ocpp16(), "", &directory);
        directory
    }

    fn export(edition: &Edition, request: &str, directory: &Path) {
        std::fs::create_dir_all(directory).unwrap();
        for action in edition.actions() {
            for (part, suffix) in [(Part::Request, request), (Part::Response, "Response")] {
                let schema = json_schema(edition, &action.name, part).unwrap();
                let path = directory.join(format!("{}{suffix}.json", action.name));
                std::fs::write(path, schema.to_string()).unwrap();
            }
        }
    }

    #[test]
    fn a_package_has_to_have_the_files_of_every_edition() {
        let root = std::env::temp_dir().join(format!("plugfest-package-{}", std::process::id()));
        export(Edition::ocpp16(), "", &root.join("v16/schemas"));
        let missing = schema_directories(&root).unwrap_err().to_string();
        assert!(missing.contains("OCPP-2.0.1"), "{missing}");
        export(Edition::ocpp201(), "Request", &root.join("v201/schemas"));
        let found = schema_directories(&root).unwrap();
        let names: Vec<&str> = found.iter().map(|(edition, _)| edition.name()).collect();
        assert_eq!(names, ["OCPP-1.6", "OCPP-2.0.1"]);
        for (edition, directory) in &found {
            let comparison = compare(edition, directory).unwrap();
            assert!(comparison.problems.is_empty(), "{:?}", comparison.problems);
            // A directory of schemas itself is that of one edition.
            let single = schema_directories(directory).unwrap();
            assert_eq!((single.len(), single[0].0.name()), (1, edition.name()));
        }
        let file = "v201/schemas/Get15118EVCertificateResponse.json";
        edit(&root, file, "\"maxLength\":5600", "\"maxLength\":5601");
        let comparison = compare(Edition::ocpp201(), &root.join("v201/schemas")).unwrap();
        assert_eq!(
            comparison.problems,
            ["Get15118EVCertificateResponse.json: /properties/exiResponse/maxLength: theirs 5601, ours 5600"]
        );
        std::fs::remove_dir_all(root).unwrap();
    }

    fn edit(directory: &Path, file: &str, from: &str, to: &str) {
        let path = directory.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {text}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn problems(directory: &Path) -> Vec<String> {
        compare(Edition::ocpp16(), directory).unwrap().problems
    }

    #[test]
    fn our_own_export_is_the_same_and_every_edit_is_seen() {
        let directory = exported("edits");
        let comparison = compare(Edition::ocpp16(), &directory).unwrap();
        assert_eq!((comparison.same, comparison.total), (78, 78));
        assert!(comparison.problems.is_empty() && comparison.accepted.is_empty());
        edit(
            &directory,
            "Authorize.json",
            "\"maxLength\":20",
            "\"maxLength\":21",
        );
        assert_eq!(
            problems(&directory),
            ["Authorize.json: /properties/idTag/maxLength: theirs 21, ours 20"]
        );
        edit(
            &directory,
            "Authorize.json",
            "\"maxLength\":21",
            "\"maxLength\":20,\"description\":\"prose\"",
        );
        edit(&directory, "Reset.json", "\"Hard\",", "");
        assert_eq!(
            problems(&directory),
            ["Reset.json: /properties/type/enum: ours alone \"Hard\""]
        );
        edit(&directory, "Reset.json", "\"Soft\"", "\"Soft\",\"Hard\"");
        edit(
            &directory,
            "ClearCacheResponse.json",
            ",\"required\":[\"status\"]",
            "",
        );
        let missing = "ClearCacheResponse.json: /required: theirs nothing, ours [\"status\"]";
        assert_eq!(problems(&directory), [missing]);
        std::fs::remove_file(directory.join("ClearCacheResponse.json")).unwrap();
        std::fs::write(directory.join("Odd.json"), "{}").unwrap();
        assert_eq!(problems(&directory).len(), 2);
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn rows_of_a_copy_are_met_together_or_reported() {
        let directory = exported("rows");
        edit(
            &directory,
            "MeterValues.json",
            "\"Percent\"",
            "\"Percent\",\"Hertz\"",
        );
        let found = problems(&directory);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .all(|problem| problem.starts_with("unused deviation of pip ocpp 2.1.0"))
        );
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn references_are_inlined_and_circles_refused() {
        let text = r##"{"properties":{"a":{"$ref":"#/definitions/A"}},"definitions":{"A":{"type":"string","enum":["y","x"],"additionalProperties":false}}}"##;
        let schema = normal(&Json::parse(text).unwrap()).unwrap();
        assert_eq!(
            schema.to_string(),
            r#"{"properties":{"a":{"type":"string","enum":["x","y"]}}}"#
        );
        let circle =
            Json::parse(r##"{"$ref":"#/definitions/A","definitions":{"A":{"$ref":"#/definitions/A"}}}"##);
        assert!(
            normal(&circle.unwrap())
                .unwrap_err()
                .to_string()
                .contains("circle")
        );
        let odd = Json::parse(r#"{"pattern":"a"}"#).unwrap();
        assert!(normal(&odd).unwrap_err().to_string().contains("pattern"));
    }
}
