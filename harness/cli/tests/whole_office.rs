//! One back office: many stations at once get the verdicts that they get one after the other.

use std::fmt::Write as _;
use std::time::Duration;

use crate::live::{Live, free_port, results, verdicts};
use crate::support::Desk;

/// How many stations there are at once.
const STATIONS: usize = 16;
/// How long a run may take; the serial one takes two minutes.
const LIMIT: Duration = Duration::from_mins(8);

/// A folder with the profile of an office that the driver starts, and what its operator enters into the books first.
fn desk() -> Desk {
    let desk = Desk::new();
    let mut entries = String::new();
    let mut groups = String::new();
    let mut enter = |id: &str, status: &str, parent: &str| {
        let line = format!(
            "{{\"id\":\"entry\",\"verb\":\"csms.token\",\"args\":{{\"id\":\"{id}\",\"status\":\"{status}\"{parent}}}}}"
        );
        writeln!(entries, "{line}").unwrap();
    };
    enter("BLOCKED-1", "Blocked", "");
    enter("EXPIRED-1", "Expired", "");
    for n in 0..4 {
        for member in ["A", "B"] {
            enter(
                &format!("G{n}{member}"),
                "Accepted",
                &format!(",\"parent\":\"GROUP{n}\""),
            );
        }
        writeln!(
            groups,
            "[[pools.groups]]\nparent = \"GROUP{n}\"\ntags = [\"G{n}A\", \"G{n}B\"]"
        )
        .unwrap();
    }
    desk.file("entries.jsonl", entries);
    let port = free_port();
    let identities: Vec<String> = (0..STATIONS).map(|n| format!("CP-{n:02}")).collect();
    let valid: Vec<String> = (0..3 * STATIONS).map(|n| format!("VALID-{n:02}")).collect();
    let office = format!(
        "(cat entries.jsonl; exec cat) | exec \\\"$OFFICE\\\" serve csms --listen 127.0.0.1:{port} --tag {}",
        valid.join(" --tag ")
    );
    let profile = format!(
        "[dut]\nrole = \"csms\"\nprotocol = \"OCPP-1.6\"\nidentities = {identities:?}\n\
         url = \"ws://127.0.0.1:{port}/ocpp\"\n\
         [pools.tags]\nvalid = {valid:?}\ninvalid = [\"NOBODY\"]\nblocked = [\"BLOCKED-1\"]\n\
         expired = [\"EXPIRED-1\"]\n{groups}\
         [values]\nheartbeat = 2\n\"boot.retry\" = 2\nsample = 2\naligned = 3\nconnection_timeout = 3\ntransaction = 2\n\
         [timeouts]\nmessage = 5\naction = 10\nreboot = 20\nlong = 20\n\
         [driver]\napi = 1\ndefault = \"office\"\n[driver.backends.office]\nkind = \"stdio\"\n\
         command = [\"sh\", \"-c\", \"{office}\"]\nenv = {{ OFFICE = '{}' }}\n",
        env!("CARGO_BIN_EXE_plugfest")
    );
    desk.file("plugfest.toml", profile);
    desk
}

#[test]
fn sixteen_stations_at_once_get_the_verdicts_of_one_after_the_other() {
    let (many, one) = (desk(), desk());
    let run = |desk: &Desk, jobs: &str| {
        Live::start(desk, &["run", "--seed", "7", "--out", "o", "--jobs", jobs], LIMIT)
    };
    let (many_run, one_run) = (run(&many, "16"), run(&one, "1"));
    let many_run = many_run.ends().exits(0);
    assert!(many_run.out.contains("16 cases at a time"), "{}", many_run.out);
    one_run.ends().exits(0);
    let (many, one) = (results(&many, "o"), results(&one, "o"));
    assert_eq!(verdicts(&many), verdicts(&one));
    let passed = one["counts"]["pass"].as_u64().unwrap();
    assert!(passed >= 34, "only {passed} cases pass");
    // They did not wait for each other.
}
