//! Every case is played against itself, in every branch.

use std::path::Path;

use plugfest_case::{Library, Natives, Severity, Source};
use plugfest_judge::Verdict;
use plugfest_play::premise::variants;
use plugfest_play::selfplay::{next_vary, self_play};
use plugfest_protocol::Json;

fn natives() -> Natives {
    plugfest_judge::NATIVES
        .iter()
        .fold(Natives::new(), |natives, (name, arity)| {
            natives.function(name, plugfest_case::Arity::exactly(*arity))
        })
}

fn sources(dir: &Path, root: &Path, into: &mut Vec<Source>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
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

fn library() -> Library {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testcases");
    let mut all = Vec::new();
    sources(&root, &root, &mut all);
    let (library, diagnostics) = Library::load(all, &natives());
    let errors: Vec<_> = diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    library
}

fn values() -> Json {
    Json::parse(
        r#"{"tag":{"valid":"TAG-VALID","valid2":"TAG-VALID-2","invalid":"TAG-INVALID","expired":"TAG-EXPIRED",
            "blocked":"TAG-BLOCKED","parent1":"TAG-P1","parent2":"TAG-P2","group":"GROUP"}}"#,
    )
    .unwrap()
}

#[test]
fn every_case_plays_against_itself_in_every_branch() {
    let library = library();
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut failures = Vec::new();
    let (mut played, mut cases) = (0, 0);
    for loaded in library.cases() {
        if !loaded.case.id.contains(&only) {
            continue;
        }
        cases += 1;
        for variant in variants(loaded) {
            let mut open = vec![(0, 0)];
            while let Some(vary) = open.pop() {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .start_paused(true)
                    .build()
                    .unwrap();
                let result = runtime
                    .block_on(self_play(&library, loaded, &variant, &values(), vary))
                    .unwrap();
                played += 1;
                // The other branches of one side while the other plays as written.
                if vary.1 == 0 {
                    open.extend(next_vary(&result.csms.0.choices).map(|v| (v, 0)));
                }
                if vary.0 == 0 {
                    open.extend(next_vary(&result.station.0.choices).map(|v| (0, v)));
                }
                for (role, (outcome, trace)) in [("station", &result.station), ("csms", &result.csms)] {
                    // A side that the case does not test may do wrong on purpose: only its lines count then.
                    let tested = loaded
                        .case
                        .header
                        .tests
                        .as_ref()
                        .is_none_or(|t| t.iter().any(|w| w.text == role));
                    let lines_hold = outcome
                        .findings
                        .iter()
                        .all(|f| !f.rule.starts_with("line/") || f.rule == "line/check");
                    if std::env::var("SHOW").is_ok()
                        || outcome.verdict != Verdict::Pass && (tested || !lines_hold)
                    {
                        if !only.is_empty() {
                            let text = String::from_utf8_lossy(trace);
                            for line in text.lines().skip(1) {
                                println!("{}", line.chars().take(3000).collect::<String>());
                            }
                        }
                        let findings: Vec<_> = outcome
                            .findings
                            .iter()
                            .map(|f| {
                                format!(
                                    "    {} {}: {} | expected {} | got {} | {:?}",
                                    f.verdict, f.rule, f.message, f.expected, f.actual, f.pointer
                                )
                            })
                            .collect();
                        failures.push(format!(
                            "{} [{}] ({role} under test, vary {vary:?}): {} {}\n{}",
                            loaded.case.id,
                            variant.name,
                            outcome.verdict,
                            outcome.reason,
                            findings.join("\n")
                        ));
                    }
                }
            }
        }
    }
    println!("{cases} cases, {played} playings, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
