//! Runs that are broken off, and runs that cannot write: everything that can be told is told, and nothing is left running.

use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::live::{Live, csms_profile, results};
use crate::peer::{listen, swallow, upgrade};
use crate::support::Desk;

const LIMIT: Duration = Duration::from_secs(20);
/// A station that only says which process it is.
const MUTE: &str = "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP-1\"\nlisten = \"127.0.0.1:0\"\n\
                    command = [\"sh\", \"-c\", \"echo $$ > id; exec sleep 600\"]\n";
const REPORTS: [&str; 4] = ["junit.xml", "report.html", "results.json", "summary.md"];

/// Whether a process with this id is there.
fn runs(id: &str) -> bool {
    Command::new("kill")
        .args(["-0", id])
        .output()
        .unwrap()
        .status
        .success()
}

#[track_caller]
fn is_broken_off(desk: &Desk, live: Live, signal: &str, code: i32) {
    live.signal(signal);
    live.ends().exits(code);
    for report in REPORTS {
        assert!(!desk.read(&format!("o/{report}")).is_empty(), "{report}");
    }
    let found = results(desk, "o");
    assert_eq!(found["interrupted"], format!("SIG{signal}"));
    assert_eq!(
        (&found["exit"], &found["counts"]["pass"]),
        (&code.into(), &0.into()),
        "{found}"
    );
}

#[test]
fn a_signal_stops_the_station_and_writes_the_reports() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let desk = Desk::new();
        desk.file("plugfest.toml", MUTE);
        let live = Live::start(&desk, &["run", "--out", "o", "configuration/all-keys"], LIMIT);
        let id = live.writes(&desk, "id");
        assert!(runs(&id), "or its end proves nothing");
        is_broken_off(&desk, live, signal, code);
        assert!(!runs(&id), "the station lives on as process {id}");
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_csms() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (met, meeting) = channel();
        let port = listen(move |stream| {
            if let Some(mut socket) = upgrade(stream) {
                drop(socket.read());
                let _met = met.send(());
                swallow(socket.get_ref());
            }
        });
        let desk = Desk::new();
        // Patience enough for the signal to come first.
        desk.file("plugfest.toml", csms_profile(port).replace("= 1\n", "= 60\n"));
        let live = Live::start(&desk, &["run", "--out", "o", "boot/accepted"], LIMIT);
        meeting.recv_timeout(LIMIT).expect("the first CALL comes");
        is_broken_off(&desk, live, signal, code);
    }
}

#[test]
fn what_cannot_be_written_is_known_before_anything_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let desk = Desk::new();
    desk.file(
        "plugfest.toml",
        csms_profile(listener.local_addr().unwrap().port()),
    );
    desk.file("file", "");
    // A file stands where the folder of the traces would be; the folder itself is one of a run.
    desk.file("blocked/results.json", "{}");
    desk.file("blocked/traces", "");
    for out in ["file", "file/below", "/proc/nothing/here", "blocked"] {
        let ran = Live::start(&desk, &["run", "--out", out, "boot/accepted"], LIMIT).ends();
        ran.exits(2).complains(out);
    }
    let bad = ["no/such/folder/junit.xml", "file/junit.xml", "/proc/nothing.xml"];
    for (n, junit) in bad.into_iter().enumerate() {
        let out = format!("o{n}");
        let arguments = ["run", "--out", &out, "--junit", junit, "boot/accepted"];
        let ran = Live::start(&desk, &arguments, LIMIT).ends();
        ran.exits(2).complains(junit);
    }
    let visitor = listener.accept().map(|_| ()).unwrap_err();
    assert_eq!(
        visitor.kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody connected"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_leaves_the_other_reports_and_the_trace() {
    let desk = Desk::new();
    let arguments = [
        "run",
        "--out",
        "o",
        "--junit",
        "/dev/full",
        "--select",
        "id:boot/accepted",
    ];
    let ran = Live::start(&desk, &arguments, LIMIT).ends();
    let early = ran.code == Some(2);
    assert!(
        early || ran.code == Some(3),
        "exit {:?}\n{}\n{}",
        ran.code,
        ran.out,
        ran.err
    );
    ran.complains("/dev/full");
    if !early {
        for report in REPORTS {
            assert!(!desk.read(&format!("o/{report}")).is_empty(), "{report}");
        }
        let trace = results(&desk, "o")["cases"][0]["trace"]
            .as_str()
            .unwrap()
            .to_owned();
        Live::start(&desk, &["judge", &trace], LIMIT).ends().exits(0);
    }
}

#[test]
fn the_reference_devices_pass_over_tcp_on_the_real_clock() {
    let desk = Desk::new();
    let arguments = [
        "run",
        "--real",
        "--out",
        "o",
        "boot/accepted",
        "cache/clear",
        "configuration/one-key",
        "data-transfer/*",
    ];
    let ran = Live::start(&desk, &arguments, Duration::from_mins(1))
        .ends()
        .exits(0);
    assert!(ran.out.contains("over loopback TCP"), "{}", ran.out);
    let found = results(&desk, "o");
    let cases = found["cases"].as_array().unwrap();
    assert!(cases.len() >= 6, "{found}");
    assert!(cases.iter().all(|case| case["verdict"] == "pass"), "{found}");
}
