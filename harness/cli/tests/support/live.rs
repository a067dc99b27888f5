//! A run of the binary that is watched, and that takes no longer than it may.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use plugfest_play::clock::Clock;
use plugfest_protocol::Timestamp;
use serde_json::Value;

use crate::support::{Desk, Ran};

/// How long it is between two looks at a process that says nothing.
const LOOK: Duration = Duration::from_millis(50);

/// A process of ours that runs. It is killed, by its own id, where it is left behind.
pub(crate) struct Live {
    child: Child,
    said: Receiver<Said>,
    out: String,
    err: String,
    ends: Timestamp,
    /// The most memory that it was seen to hold, in KiB.
    peak: u64,
}

enum Said {
    Out(String),
    Err(String),
}

impl Live {
    /// Starts the binary, which has so long in all.
    pub(crate) fn start(desk: &Desk, arguments: &[&str], limit: Duration) -> Self {
        Self::of(desk.command(arguments), limit)
    }

    /// Starts a command of one's own.
    pub(crate) fn of(mut command: Command, limit: Duration) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, said) = channel();
        follow(child.stdout.take().unwrap(), to.clone(), Said::Out);
        follow(child.stderr.take().unwrap(), to, Said::Err);
        Self {
            child,
            said,
            out: String::new(),
            err: String::new(),
            ends: Clock::real().now() + limit,
            peak: 0,
        }
    }

    /// Waits until a file of the desk has a whole line, and gives it back.
    #[track_caller]
    pub(crate) fn writes(&self, desk: &Desk, name: &str) -> String {
        self.waits(name, || {
            let text = std::fs::read_to_string(desk.path().join(name)).ok()?;
            text.strip_suffix('\n').map(str::to_owned)
        })
    }

    #[track_caller]
    fn waits(&self, name: &str, look: impl Fn() -> Option<String>) -> String {
        // Nobody speaks here: it is the wait between two looks.
        let (_silent, nothing) = channel::<()>();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Clock::real().now() < self.ends,
                "{name} is not written, or not what is waited for"
            );
            let _nothing = nothing.recv_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until a file of the desk says something, and gives back what it says by then.
    #[track_caller]
    pub(crate) fn sees(&self, desk: &Desk, name: &str, says: &str) -> String {
        self.waits(name, || {
            let text = std::fs::read_to_string(desk.path().join(name)).ok()?;
            text.contains(says).then_some(text)
        })
    }

    /// Sends a signal to it alone.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Its standard input, where that was piped.
    pub(crate) fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Waits until it prints a line with this in it.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) {
        loop {
            match self.next() {
                Some(line) if line.contains(text) => return,
                Some(_) => {}
                None => panic!("it ends without `{text}`:\n{}\n{}", self.out, self.err),
            }
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(self) -> Ran {
        self.ends_measured().0
    }

    /// Waits for its end, and gives the most memory that it was seen to hold, in KiB; 0 where the system does not tell.
    #[track_caller]
    pub(crate) fn ends_measured(mut self) -> (Ran, u64) {
        while self.next().is_some() {}
        let code = self.child.wait().unwrap().code();
        let ran = Ran {
            code,
            out: std::mem::take(&mut self.out),
            err: std::mem::take(&mut self.err),
        };
        (ran, self.peak)
    }

    /// The system counts the peak itself; the last look before the end is what is left to be had.
    fn measure(&mut self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        self.peak = self.peak.max(peak.unwrap_or(0));
    }

    /// The next line; `None` where both streams have ended.
    #[track_caller]
    fn next(&mut self) -> Option<String> {
        loop {
            self.measure();
            let now = Clock::real().now();
            let left = if now < self.ends {
                self.ends.since(now)
            } else {
                Duration::ZERO
            };
            match self.said.recv_timeout(left.min(LOOK)) {
                Ok(Said::Out(line)) => {
                    self.out.push_str(&line);
                    return Some(line);
                }
                Ok(Said::Err(line)) => {
                    self.err.push_str(&line);
                    return Some(line);
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if left > LOOK => {}
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}\n{}", self.out, self.err),
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It has ended already where all went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn follow(stream: impl Read + Send + 'static, to: Sender<Said>, as_said: fn(String) -> Said) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).into_owned();
            if to.send(as_said(text)).is_err() {
                return;
            }
            line.clear();
        }
    });
}

/// A profile of a CSMS at a port, with patience for a second.
pub(crate) fn csms_profile(port: u16) -> String {
    format!(
        "[dut]\nrole = \"csms\"\nprotocol = \"OCPP-1.6\"\nidentities = [\"CP-1\"]\n\
         url = \"ws://127.0.0.1:{port}/ocpp\"\n\
         [pools.tags]\nvalid = [\"VALID-1\", \"VALID-2\"]\ninvalid = [\"NOBODY\"]\n\
         [timeouts]\nmessage = 1\naction = 1\nreboot = 1\nlong = 1\n"
    )
}

/// The machine-readable result of a run.
pub(crate) fn results(desk: &Desk, folder: &str) -> Value {
    serde_json::from_str(&desk.read(&format!("{folder}/results.json"))).unwrap()
}

/// Who got which verdict, and by which rules, in the order of names.
pub(crate) fn verdicts(results: &Value) -> Vec<String> {
    let cases = results["cases"].as_array().unwrap();
    let mut all: Vec<String> = cases
        .iter()
        .map(|case| {
            let mut rules: Vec<&str> = case["findings"]
                .as_array()
                .unwrap()
                .iter()
                .map(|finding| finding["rule"].as_str().unwrap())
                .collect();
            rules.sort_unstable();
            format!(
                "{} {} {}: {} {rules:?}",
                case["id"].as_str().unwrap(),
                case["tests"].as_str().unwrap(),
                case["variant"].as_str().unwrap(),
                case["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    all.sort();
    all
}

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
