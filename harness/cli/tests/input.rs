//! Every bad input gives one clear error that says where, what and how to mend it; nothing is connected, exit 2.

mod support;

use support::Desk;

const STATION: &str =
    "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP1\"\nlisten = \"127.0.0.1:0\"\n";

#[test]
fn arguments() {
    let desk = Desk::new();
    for (arguments, says) in [
        (vec!["rum"], "'run'"),
        (vec!["list", "--jsn"], "'--json'"),
        (vec!["show"], "<CASE>"),
        (vec!["judge"], "<TRACES>"),
        (vec!["run", "--shard", "3/2"], "there is no part 3 of 2"),
        (vec!["run", "--repeat", "0"], "0 is not in"),
        (
            vec!["run", "--url", "ws://x", "--listen", "127.0.0.1:1"],
            "cannot be used with",
        ),
        (vec!["list", "--cases", "no-such"], "no-such is no folder"),
        (vec!["list", "--quiet", "-v"], "cannot be used with"),
        (
            vec!["serve", "station", "--url", "http://x"],
            "'http://x' is no endpoint",
        ),
        (
            vec!["serve", "station", "--url", "ws://x", "--set", "A"],
            "`A` has no `=`",
        ),
        (
            vec!["serve", "station", "--url", "ws://x", "--set", "NoSuchKey=1"],
            "NoSuchKey",
        ),
        (
            vec!["init", "csms", "--listen", "127.0.0.1:1"],
            "--listen is for a station",
        ),
        (vec!["init", "csms", "--url", "http://x"], "--url"),
        (vec!["init", "csms", "--from-dut"], "needs --url"),
        (vec!["driver", "check"], "there is no profile"),
        (vec!["fmt"], "nothing to lay out"),
        (vec!["explain", "fial"], "did you mean `fail`?"),
        (vec!["completions", "dos"], "possible values"),
        (vec!["trace", "export", "no-such"], "no-such cannot be read"),
    ] {
        desk.run(&arguments).exits(2).complains(says);
    }
    assert_eq!(
        std::fs::read_dir(desk.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn case_files() {
    let desk = Desk::new();
    for (text, says) in [
        (
            "case a \"A\"\n  spec OCPP-1.6 \"4.2\"\n  station: Hartbeat {}\nend\n",
            "did you mean `Heartbeat`?",
        ),
        (
            "case a \"A\"\n  spec OCPP-1.6 \"4.2\"\n  station: BootNotification { chargePointVendr: \"x\" }\nend\n",
            "chargePointVendr",
        ),
        (
            "case a \"A\"\n  spec OCPP-1.6 \"4.2\"\n  requires Cor\n  station: Heartbeat {}\nend\n",
            "Cor",
        ),
        ("case a \"A\"\n  station: Heartbeat {\nend\n", "broken.case:"),
        (
            "case a \"A\"\n  spec OCPP-1.6 \"4.2\"\n  given no_such()\n  station: Heartbeat {}\nend\n",
            "no_such",
        ),
        (
            "case boot/accepted \"Twice\"\n  spec OCPP-1.6 \"4.2\"\n  station: Heartbeat {}\nend\n",
            "is taken by a case",
        ),
        ("case a \"\u{1b}[31m\n", "broken.case:1"),
    ] {
        desk.file("own/broken.case", text);
        let ran = desk.run(&["list", "--cases", "own"]).exits(2).complains(says);
        assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
        let ran = desk.run(&["check", "own"]).exits(2);
        assert!(ran.out.contains(says), "{}", ran.out);
        desk.run(&["run", "--cases", "own"]).exits(2).complains(says);
    }
    desk.file("own/broken.case", b"case \xff");
    desk.run(&["check", "own/broken.case"])
        .exits(2)
        .complains("byte 5 is not UTF-8");
    desk.file("own/broken.case", vec![b' '; 2 << 20]);
    desk.run(&["check", "own/broken.case"])
        .exits(2)
        .complains("2097152 bytes");
    desk.file("note.txt", "");
    desk.run(&["check", "note.txt"])
        .exits(2)
        .complains("nothing that can be checked");
}

#[test]
fn profiles() {
    let desk = Desk::new();
    desk.run(&["doctor", "--config", "no-such.toml"])
        .exits(2)
        .complains("no-such.toml cannot be read");
    for (text, says) in [
        ("[dut\n".to_owned(), "plugfest.toml:1:"),
        (format!("{STATION}pasword = \"x\"\n"), "did you mean `password`?"),
        (
            format!("{STATION}[pics]\nfixed_cabel = true\n"),
            "did you mean `fixed_cable`?",
        ),
        (format!("{STATION}[driver]\napi = 2\n"), "driver API 2"),
    ] {
        desk.file("plugfest.toml", text);
        let ran = desk.run(&["doctor"]).exits(2).complains(says);
        assert!(
            ran.err.contains('╭') || ran.err.contains("plugfest.toml:1"),
            "the place is shown: {}",
            ran.err
        );
        desk.run(&["check", "plugfest.toml"]).exits(2).complains(says);
        desk.run(&["run"]).exits(2).complains(says);
    }
}

#[test]
fn traces() {
    let desk = Desk::new();
    for (text, says) in [
        (&b""[..], "the file is empty"),
        (b"{\"seq\":0}\n", "a.trace:1:"),
        (b"\xff\xfe\n", "a.trace:1:"),
        (b"not json at all\n", "a.trace:1:"),
    ] {
        desk.file("a.trace", text);
        desk.run(&["judge", "a.trace"]).exits(2).complains(says);
    }
    desk.file("folder/readme.md", "");
    desk.run(&["judge", "folder"])
        .exits(2)
        .complains("there is no trace");
    desk.file("records.jsonl", "{\"schemaVersion\":\"9.0\"}\n");
    desk.run(&[
        "trace",
        "import",
        "records.jsonl",
        "--dut",
        "station",
        "-o",
        "out.trace",
    ])
    .exits(2)
    .complains("records.jsonl:1:");
}

#[test]
fn selections() {
    let desk = Desk::new();
    desk.run(&["list", "--select", "block:reset and"])
        .exits(2)
        .complains("a case or a term is missing here");
    desk.run(&["list", "--select", "blok:reset"])
        .exits(2)
        .complains("did you mean `block`?");
    desk.run(&["list", "--failed"])
        .exits(2)
        .complains("there is no last run here");
    desk.run(&["list", "remote/cable-frist"])
        .exits(4)
        .complains("did you mean `remote/cable-first`?");
    desk.run(&["list", "TC_999"])
        .exits(4)
        .complains("nothing fits `TC_999`");
    desk.run(&["list", "block:rest"])
        .exits(4)
        .complains("did you mean `reset`?");
    desk.run(&["run", "no/such"])
        .exits(4)
        .complains("nothing fits `no/such`");
    desk.run(&["list", "--select", "block:reset and block:boot"])
        .exits(4)
        .complains("no case fits the whole selection");
    desk.run(&["show", "remote/stpo"])
        .exits(4)
        .complains("did you mean `remote/stop`?");
}
