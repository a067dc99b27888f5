//! A run that is killed in its middle, at a hundred moments: what was seen is kept, can be judged, and nothing that is
//! left behind says more than it knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

use plugfest_judge::{Verdict, judge};
use plugfest_play::clock::Clock;
use plugfest_trace::{Ending, read_trace};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use roxmltree::Document;
use serde_json::Value;

use crate::live::{Live, results};
use crate::support::Desk;

const LIMIT: Duration = Duration::from_mins(2);
/// So many runs are killed.
const MOMENTS: u32 = 100;
/// They are spread over so many folders, each used by one run after the other.
const FOLDERS: u32 = 2;
/// A few cases: it is their beginnings and ends that matter, and all moments between.
const RUN: [&str; 8] = [
    "run",
    "--quiet",
    "--out",
    "o",
    "--seed",
    "5",
    "--select",
    "block:boot or block:unlock",
];
const REPORTS: [&str; 4] = ["junit.xml", "report.html", "results.json", "summary.md"];

#[test]
fn a_killed_run_leaves_evidence_and_no_verdict_of_another() {
    let killed: u32 = std::thread::scope(|scope| {
        let folders: Vec<_> = (0..FOLDERS)
            .map(|folder| scope.spawn(move || kill_in(folder)))
            .collect();
        folders.into_iter().map(|folder| folder.join().unwrap()).sum()
    });
    assert!(
        killed >= MOMENTS * 9 / 10,
        "{killed} runs were killed, the others had ended before"
    );
}

/// Kills some of the runs; gives back how many had not ended by themselves.
fn kill_in(folder: u32) -> u32 {
    let desk = Desk::new();
    Live::start(&desk, &RUN, LIMIT).ends().exits(0);
    let whole = sizes(&desk).values().sum::<u64>();
    let verdicts: BTreeMap<String, String> = results(&desk, "o")["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            (
                case["trace"].as_str().unwrap().to_owned(),
                case["verdict"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert!(verdicts.len() > 3 && verdicts.values().all(|verdict| verdict == "pass"));

    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(folder));
    let mut killed = 0;
    for _ in 0..MOMENTS / FOLDERS {
        let after = rng.random_range(1..whole);
        if kill(&desk, after) {
            killed += 1;
            holds(&desk, after);
        }
    }
    // The folder is that of a run, and the next one may have it.
    Live::start(&desk, &RUN, LIMIT).ends().exits(0);
    assert_eq!(sizes(&desk).values().sum::<u64>(), whole);
    killed
}

/// The traces and how long they are.
fn sizes(desk: &Desk) -> BTreeMap<PathBuf, u64> {
    let folder = fs::read_dir(desk.path().join("o/traces")).unwrap();
    folder
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.path(), entry.metadata().unwrap().len()))
        .collect()
}

/// Begins the run anew and kills it when its traces hold so many bytes. False where it had ended before.
fn kill(desk: &Desk, after: u64) -> bool {
    for trace in sizes(desk).into_keys() {
        fs::remove_file(trace).unwrap();
    }
    let mut child = desk
        .command(&RUN)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Nobody speaks here: it is the wait between two looks.
    let (_silent, nothing) = channel::<()>();
    let until = Clock::real_now() + LIMIT;
    while sizes(desk).values().sum::<u64>() < after {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Clock::real_now() < until, "the run writes nothing");
        let _nothing = nothing.recv_timeout(Duration::from_millis(3));
    }
    child.kill().unwrap();
    // A process that ended by itself has a code, a killed one has none.
    child.wait().unwrap().code().is_none()
}

/// What is left behind is true.
#[track_caller]
fn holds(desk: &Desk, after: u64) {
    let mut expected = BTreeMap::new();
    for trace in sizes(desk).into_keys() {
        if let Some(verdict) = judged(&trace) {
            let name = trace.file_stem().unwrap().to_string_lossy().into_owned();
            expected.insert(name, verdict);
        }
    }
    assert!(!expected.is_empty(), "{after} bytes and no trace");

    // The reports of the run before are gone, and one of this run is whole or is not there.
    for report in REPORTS {
        if let Ok(text) = fs::read_to_string(desk.path().join("o").join(report)) {
            is_whole(report, &text, expected.len());
        }
    }

    let again = [
        "judge",
        "--quiet",
        "o",
        "--json",
        "again.json",
        "--junit",
        "again.xml",
    ];
    let undecided = expected.values().any(|verdict| *verdict == Verdict::Inconclusive);
    let ran = Live::start(desk, &again, LIMIT).ends();
    let begun = sizes(desk).len() == expected.len();
    ran.exits(if undecided || !begun { 3 } else { 0 });
    let found: Value = serde_json::from_str(&desk.read("again.json")).unwrap();
    let found: BTreeMap<String, Verdict> = found["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| {
            let trace = Path::new(case["trace"].as_str().unwrap()).file_stem().unwrap();
            let verdict = serde_json::from_value(case["verdict"].clone()).unwrap();
            (trace.to_string_lossy().into_owned(), verdict)
        })
        .collect();
    assert_eq!(found, expected, "killed after {after} bytes");
    is_whole("junit.xml", &desk.read("again.xml"), expected.len());
}

/// The verdict of a trace by itself; `None` where not even its premise is whole.
#[track_caller]
fn judged(path: &Path) -> Option<Verdict> {
    let bytes = fs::read(path).unwrap();
    if !bytes.contains(&b'\n') {
        return None;
    }
    let trace = read_trace(bytes.as_slice(), path.to_string_lossy()).unwrap();
    let verdict = judge(&trace.events).unwrap().verdict;
    let wanted = if trace.ending == Ending::Finished {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    };
    assert_eq!(
        verdict,
        wanted,
        "{} with {} events",
        path.display(),
        trace.events.len()
    );
    Some(verdict)
}

#[track_caller]
fn is_whole(report: &str, text: &str, traces: usize) {
    match report {
        "results.json" => {
            let document: Value = serde_json::from_str(text).unwrap();
            assert_eq!(document["cases"].as_array().unwrap().len(), traces);
        }
        "junit.xml" => {
            let document = Document::parse(text).unwrap();
            let cases = document
                .descendants()
                .filter(|node| node.has_tag_name("testcase"));
            assert_eq!(cases.count(), traces);
        }
        "report.html" => assert!(text.trim_end().ends_with("</html>"), "{text}"),
        _ => assert!(text.ends_with('\n') && text.contains("pass"), "{text}"),
    }
}
