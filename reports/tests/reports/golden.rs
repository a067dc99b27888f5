//! Every format of one run with every verdict, letter by letter. `PLUGFEST_GOLDEN=write` writes the files anew; read
//! the difference before you commit it.

use std::path::{Path, PathBuf};

use crate::fixture::{HOSTILE, MODEL, RUN};
use plugfest_judge::{RunEvent, Verdict};
use plugfest_reports::{Change, Format, Report as _, Run, Snapshots, Terminal, TerminalOptions};
use similar::TextDiff;

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("PLUGFEST_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let before = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if before != text {
        let diff = TextDiff::from_lines(before.as_str(), text)
            .unified_diff()
            .context_radius(1)
            .to_string();
        let shown: String = diff.chars().take(6_000).collect();
        panic!(
            "{name} is another one:\n{shown}\nif that is right: PLUGFEST_GOLDEN=write cargo test -p plugfest-reports"
        );
    }
}

fn terminal(options: TerminalOptions, events: &[RunEvent]) -> String {
    let mut terminal = Terminal::new(Vec::new(), options);
    for event in events {
        terminal.on(event).unwrap();
    }
    String::from_utf8(terminal.into_inner()).unwrap()
}

#[test]
fn every_file_format_is_as_it_was() {
    let run = Run::of(&RUN.events());
    for format in Format::ALL {
        golden(format.file_name(), &format.render(&run).unwrap());
    }
}

#[test]
fn the_published_schema_is_that_of_the_code() {
    let schema = serde_json::to_string_pretty(&plugfest_reports::json::schema()).unwrap();
    golden("../schema/run.schema.json", &format!("{schema}\n"));
}

#[test]
fn the_terminal_is_as_it_was() {
    golden("terminal.txt", &terminal(TerminalOptions::plain(), &RUN.events()));
    let color = TerminalOptions {
        color: true,
        ..TerminalOptions::plain()
    };
    golden("terminal-color.txt", &terminal(color, &RUN.events()));
}

#[test]
fn a_device_cannot_steer_the_terminal() {
    let plain = terminal(TerminalOptions::plain(), &RUN.events());
    let steering =
        |c: char| c.is_control() && c != '\n' || ('\u{2028}'..='\u{202e}').contains(&c) || c == '\u{feff}';
    assert!(
        !plain.contains(steering),
        "{:?}",
        plain.chars().find(|c| steering(*c))
    );
    assert!(plain.contains("\\u{1b}[31m"), "what was sent is still to be seen");
    // With colours there are escape sequences, and all of them are ours: they go away to the same text.
    let color = terminal(
        TerminalOptions {
            color: true,
            ..TerminalOptions::plain()
        },
        &RUN.events(),
    );
    assert!(color.contains('\u{1b}'));
    assert_eq!(anstream::adapter::strip_str(&color).to_string(), plain);
}

#[test]
fn the_terminal_names_every_verdict_and_how_to_reproduce_it() {
    let text = terminal(TerminalOptions::plain(), &RUN.events());
    for (n, expected) in MODEL.iter().enumerate() {
        let red = if expected.red && expected.verdict != Verdict::Fail {
            " (red)"
        } else {
            ""
        };
        let word = format!("{}{red}", expected.verdict);
        let line = format!("[{:>2}/13] {word:<16}{} (", n + 1, expected.case);
        assert!(text.contains(&line), "{line}");
        let reproduce = format!("reproduce plugfest run {}\n", expected.case);
        let shown = expected.listed && expected.case != "hostile";
        assert_eq!(text.contains(&reproduce), shown, "{reproduce}");
    }
    for part in [
        "14 │ station: Reset.conf(status: Accepted)",
        "   │                     ^^^^^^",
        "expected \"Accepted\"",
        "came     \"Rejected\"",
        "at       /status",
        "frame    [3,\"1\",{\"status\":\"Rejected\"",
        "waits for StatusNotification",
        "13 cases, 1 prompt for hands, 2 reboots, about 1 min 35 s of waiting",
        "12 more findings are in the reports",
        "exit 143: The run was broken off by SIGTERM",
    ] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_that_takes_nothing_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = Terminal::new(full, TerminalOptions::plain())
        .on(&RUN.events()[0])
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the terminal report could not be written"),
        "{error}"
    );
}

fn snapshots(folder: &Path, events: &[RunEvent]) -> (Vec<Change>, String) {
    let mut out = Vec::new();
    let mut snapshots = Snapshots::new(folder, &mut out);
    for event in events {
        snapshots.on(event).unwrap();
    }
    let changes = snapshots.changes().to_vec();
    (changes, String::from_utf8(out).unwrap())
}

#[test]
fn snapshots_are_written_compared_and_reviewable() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("new");
    let (changes, said) = snapshots(&folder, &RUN.events());
    assert_eq!(changes.len(), 10, "all but what was not played");
    assert!(changes.iter().all(|change| matches!(change, Change::New { .. })));
    assert!(
        said.ends_with("snapshots: 0 as before, 10 new, 0 changed\n"),
        "{said}"
    );
    assert_eq!(snapshots(&folder, &RUN.events()).0, []);

    // The same story with another answer of the device in one case.
    let mut events = RUN.events();
    for event in &mut events {
        if let RunEvent::Finished(result) = event
            && result.planned.key.case == "wrong-status"
        {
            let row = &mut result.conversation[3];
            row.text = row.text.replace("Rejected", "Scheduled");
            row.payload = None;
        }
    }
    let (changes, said) = snapshots(&folder, &events);
    let [Change::Changed { path, diff, .. }] = changes.as_slice() else {
        panic!("{changes:?}")
    };
    assert!(
        diff.contains("-    \"status\": \"Rejected\"") && diff.contains("+    \"status\": \"Scheduled\""),
        "{diff}"
    );
    assert!(
        said.contains("the conversation of wrong-status (station) changed"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}') && !HOSTILE.is_empty());
    let pending = path.with_extension("snap.new");
    let old = insta::Snapshot::from_file(path).unwrap();
    let new = insta::Snapshot::from_file(&pending).unwrap();
    assert_eq!(new.metadata().expression(), Some("wrong-status (station)"));
    assert_ne!(old.contents(), new.contents());
    assert!(
        new.contents()
            .as_text()
            .is_some_and(|text| text.to_string().contains("Scheduled"))
    );

    // As `cargo insta review` accepts it.
    std::fs::rename(&pending, path).unwrap();
    assert_eq!(snapshots(&folder, &events).0, []);
    // What is as it was again takes its pending file away.
    let files = |folder: &PathBuf| std::fs::read_dir(folder).unwrap().count();
    assert_eq!(snapshots(&folder, &RUN.events()).0.len(), 1);
    assert_eq!(files(&folder), 11);
    assert_eq!(snapshots(&folder, &events).0, []);
    assert_eq!(files(&folder), 10);
}
