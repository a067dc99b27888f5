//! The device's own process: started, watched, stopped and started again; all it does becomes events.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::group::Group;
use super::hidden::NamesOnly;
use super::lines::{Line, LineReader};

/// Bytes kept of a printed line.
const MAX_LINE: usize = 4 << 10;

/// Lines passed on per second; the others are counted.
const LINES_PER_SECOND: u32 = 200;

/// Events that may wait for the one who reads them. The last few places are kept free of lines, for what must not be lost.
const MAX_WAITING: usize = 1024;
const KEPT_FREE: usize = 64;

/// How long a process may take to end after it was asked to.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long the last output of a process is waited for after its end.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How the device's process is started.
#[derive(Clone, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessConfig {
    /// The program and its arguments; no shell is involved.
    pub command: Vec<String>,
    /// Environment variables added to our own.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The working directory; ours where it is left out.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
}

impl fmt::Debug for ProcessConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessConfig")
            .field("command", &self.command)
            .field("env", &NamesOnly(&self.env))
            .field("cwd", &self.cwd)
            .finish()
    }
}

/// Something that the process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It runs.
    Started {
        /// Its process id.
        pid: u32,
    },
    /// It printed a line to its standard output.
    Stdout {
        /// At most 4 KiB of the line; may hold secrets.
        line: String,
    },
    /// It printed a line to its standard error.
    Stderr {
        /// At most 4 KiB of the line; may hold secrets.
        line: String,
    },
    /// It printed more than 200 lines in a second, or more than anyone reads.
    Suppressed {
        /// Lines left out.
        lines: u64,
    },
    /// It ended, on its own or because it was stopped.
    Exited(Exit),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// True where we had asked for it.
    pub asked: bool,
}

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// No program is named.
    #[error("the command of the device's process is empty; name a program")]
    EmptyCommand,
    /// The program cannot be started.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The supervision has ended, which happens only together with the runtime.
    #[error("nobody supervises the device's process any more")]
    Gone,
}

/// A handle on the supervised process; dropping it kills the process and all it started.
#[derive(Debug)]
pub struct Process {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Order {
    Start(oneshot::Sender<Result<(), ProcessError>>),
    Stop(oneshot::Sender<()>),
}

impl Process {
    /// Starts the process. The events come through the receiver, [`ProcessEvent::Started`] first.
    ///
    /// # Errors
    /// The program cannot be started.
    pub async fn start(config: ProcessConfig) -> Result<(Self, mpsc::Receiver<ProcessEvent>), ProcessError> {
        let (orders, inbox) = mpsc::channel(1);
        let (events, receiver) = mpsc::channel(MAX_WAITING);
        let supervisor = Supervisor {
            config,
            events: Events::new(events),
            inbox,
        };
        let process = Self {
            orders,
            task: tokio::spawn(supervisor.run()),
        };
        process.respawn().await?;
        Ok((process, receiver))
    }

    /// Starts the process again; one that still runs is stopped first.
    ///
    /// # Errors
    /// The program cannot be started.
    pub async fn respawn(&self) -> Result<(), ProcessError> {
        let (done, wait) = oneshot::channel();
        self.orders
            .send(Order::Start(done))
            .await
            .map_err(|_| ProcessError::Gone)?;
        wait.await.map_err(|_| ProcessError::Gone)?
    }

    /// Asks the process to end (SIGTERM to its group), kills it after five seconds, and returns when it is gone.
    /// A process that has ended already stays so.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn stop(&self) -> Result<(), ProcessError> {
        let (done, wait) = oneshot::channel();
        self.orders
            .send(Order::Stop(done))
            .await
            .map_err(|_| ProcessError::Gone)?;
        wait.await.map_err(|_| ProcessError::Gone)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The task owns the group, whose drop kills it.
        self.task.abort();
    }
}

struct Supervisor {
    config: ProcessConfig,
    events: Events,
    inbox: mpsc::Receiver<Order>,
}

impl Supervisor {
    async fn run(mut self) {
        let mut running: Option<Running> = None;
        loop {
            let order = match &mut running {
                None => self.inbox.recv().await,
                Some(live) => tokio::select! {
                    order = self.inbox.recv() => order,
                    status = live.watch(&mut self.events) => {
                        self.report_end(live, status, false).await;
                        running = None;
                        continue;
                    }
                },
            };
            match order {
                None => return,
                Some(Order::Stop(done)) => {
                    self.end(running.take()).await;
                    // The asker may have given up waiting; the process is stopped all the same.
                    done.send(()).ok();
                }
                Some(Order::Start(done)) => {
                    self.end(running.take()).await;
                    let started = Running::start(&self.config);
                    let answer = match started {
                        Ok(live) => {
                            self.events.tell(ProcessEvent::Started { pid: live.pid }).await;
                            running = Some(live);
                            Ok(())
                        }
                        Err(error) => Err(error),
                    };
                    drop(done.send(answer));
                }
            }
        }
    }

    async fn end(&mut self, running: Option<Running>) {
        let Some(mut live) = running else { return };
        // A group that is gone already needs no signal.
        drop(live.group.terminate());
        let ended = timeout(STOP_GRACE, live.watch(&mut self.events)).await;
        let status = match ended {
            Ok(status) => status,
            Err(_) => live.kill().await,
        };
        self.report_end(&mut live, status, true).await;
    }

    async fn report_end(&mut self, live: &mut Running, status: io::Result<ExitStatus>, asked: bool) {
        live.kill_the_rest();
        // Whatever still holds the pipes was killed, so their ends are near.
        drop(timeout(LAST_WORDS, live.drain(&mut self.events)).await);
        self.events.flush_suppressed().await;
        let status = status.ok();
        let code = status.and_then(|status| status.code());
        let signal = status.and_then(|status| status.signal());
        self.events
            .tell(ProcessEvent::Exited(Exit { code, signal, asked }))
            .await;
    }
}

struct Running {
    group: Group,
    pid: u32,
    /// Held open: a device whose standard input ends may take that for its own end.
    _stdin: ChildStdin,
    stdout: Option<LineReader<ChildStdout>>,
    stderr: Option<LineReader<ChildStderr>>,
    second: Interval,
}

impl Running {
    fn start(config: &ProcessConfig) -> Result<Self, ProcessError> {
        let (program, arguments) = config.command.split_first().ok_or(ProcessError::EmptyCommand)?;
        let mut command = Command::new(program);
        command.args(arguments).envs(&config.env);
        if let Some(cwd) = &config.cwd {
            command.current_dir(cwd);
        }
        let fault = |source| ProcessError::Start {
            program: program.clone(),
            source,
        };
        let mut group = Group::spawn(command).map_err(fault)?;
        let gone = || fault(io::Error::other("its pipes could not be opened"));
        let pid = group.pid().ok_or_else(gone)?;
        let (stdin, stdout, stderr) = group.take_streams().ok_or_else(gone)?;
        let mut second = interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (stdout, stderr) = (
            LineReader::new(stdout, MAX_LINE),
            LineReader::new(stderr, MAX_LINE),
        );
        Ok(Self {
            group,
            pid,
            _stdin: stdin,
            stdout: Some(stdout),
            stderr: Some(stderr),
            second,
        })
    }

    /// Passes lines on until the leader ends. Cancel-safe.
    async fn watch(&mut self, events: &mut Events) -> io::Result<ExitStatus> {
        loop {
            tokio::select! {
                status = self.group.wait() => return status,
                line = next_line(&mut self.stdout) => events.stdout(line),
                line = next_line(&mut self.stderr) => events.stderr(line),
                _ = self.second.tick() => events.begin_second().await,
            }
        }
    }

    async fn drain(&mut self, events: &mut Events) {
        while self.stdout.is_some() || self.stderr.is_some() {
            tokio::select! {
                line = next_line(&mut self.stdout) => events.stdout(line),
                line = next_line(&mut self.stderr) => events.stderr(line),
            }
        }
    }

    async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.group.kill();
        self.group.wait().await
    }

    fn kill_the_rest(&mut self) {
        self.group.kill();
    }
}

/// The next line; for ever pending once the stream has ended.
async fn next_line<R: tokio::io::AsyncRead + Unpin>(reader: &mut Option<LineReader<R>>) -> Option<Line> {
    let Some(open) = reader else {
        return std::future::pending().await;
    };
    // A pipe that cannot be read is a pipe that has ended.
    let line = open.next().await.unwrap_or_default();
    if line.is_none() {
        *reader = None;
    }
    line
}

/// The way out, with its budget of lines.
struct Events {
    sender: mpsc::Sender<ProcessEvent>,
    left: u32,
    suppressed: u64,
}

impl Events {
    fn new(sender: mpsc::Sender<ProcessEvent>) -> Self {
        Self {
            sender,
            left: LINES_PER_SECOND,
            suppressed: 0,
        }
    }

    async fn tell(&mut self, event: ProcessEvent) {
        // Nobody listens any more: then nobody needs to know.
        drop(self.sender.send(event).await);
    }

    fn stdout(&mut self, line: Option<Line>) {
        self.line(line.map(|line| ProcessEvent::Stdout { line: shown(line) }));
    }

    fn stderr(&mut self, line: Option<Line>) {
        self.line(line.map(|line| ProcessEvent::Stderr { line: shown(line) }));
    }

    fn line(&mut self, event: Option<ProcessEvent>) {
        let Some(event) = event else { return };
        let has_room = self.left > 0 && self.sender.capacity() > KEPT_FREE;
        if has_room && self.sender.try_send(event).is_ok() {
            self.left -= 1;
        } else {
            self.suppressed += 1;
        }
    }

    async fn begin_second(&mut self) {
        self.left = LINES_PER_SECOND;
        self.flush_suppressed().await;
    }

    async fn flush_suppressed(&mut self) {
        if self.suppressed > 0 && self.sender.capacity() > 0 {
            let lines = std::mem::take(&mut self.suppressed);
            self.tell(ProcessEvent::Suppressed { lines }).await;
        }
    }
}

fn shown(line: Line) -> String {
    if line.cut {
        format!("{}…", line.text)
    } else {
        line.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ProcessConfig {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        ProcessConfig {
            command,
            ..ProcessConfig::default()
        }
    }

    async fn until_exit(events: &mut mpsc::Receiver<ProcessEvent>) -> Vec<ProcessEvent> {
        let mut seen = Vec::new();
        while !matches!(seen.last(), Some(ProcessEvent::Exited(_))) {
            let event = timeout(Duration::from_secs(20), events.recv()).await;
            seen.push(event.expect("the process ends in time").expect("its end is told"));
        }
        seen
    }

    fn exited(code: Option<i32>, signal: Option<i32>, asked: bool) -> ProcessEvent {
        ProcessEvent::Exited(Exit { code, signal, asked })
    }

    /// True where a process of that id exists and is no zombie.
    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    }

    async fn wait_until_dead(pid: &str) {
        let mut ticks = interval(Duration::from_millis(5));
        for _ in 0..2_000 {
            if !is_alive(pid) {
                return;
            }
            ticks.tick().await;
        }
        panic!("process {pid} is still alive");
    }

    #[tokio::test]
    async fn what_a_process_prints_and_how_it_ends_is_told() {
        let config = ProcessConfig {
            env: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
            cwd: Some("/".into()),
            ..shell("echo $GREETING; pwd >&2; exit 3")
        };
        let (_process, mut events) = Process::start(config).await.unwrap();
        let seen = until_exit(&mut events).await;
        assert!(matches!(seen[0], ProcessEvent::Started { pid } if pid > 1));
        assert!(
            seen.contains(&ProcessEvent::Stdout {
                line: "hello".to_owned()
            }),
            "{seen:?}"
        );
        assert!(
            seen.contains(&ProcessEvent::Stderr { line: "/".to_owned() }),
            "{seen:?}"
        );
        assert_eq!(seen.last(), Some(&exited(Some(3), None, false)));
    }

    #[tokio::test]
    async fn a_crash_is_told_by_its_signal_and_the_process_can_be_started_again() {
        let (process, mut events) = Process::start(shell("kill -9 $$")).await.unwrap();
        assert_eq!(
            until_exit(&mut events).await.last(),
            Some(&exited(None, Some(9), false))
        );
        process.respawn().await.unwrap();
        let seen = until_exit(&mut events).await;
        assert!(matches!(seen[0], ProcessEvent::Started { .. }));
        assert_eq!(seen.last(), Some(&exited(None, Some(9), false)));
    }

    #[tokio::test]
    async fn stopping_asks_first_and_waits_for_the_end() {
        let script = "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done";
        let (process, mut events) = Process::start(shell(script)).await.unwrap();
        events.recv().await.unwrap();
        assert_eq!(
            events.recv().await,
            Some(ProcessEvent::Stdout {
                line: "up".to_owned()
            })
        );
        process.stop().await.unwrap();
        let seen = until_exit(&mut events).await;
        assert!(
            seen.contains(&ProcessEvent::Stdout {
                line: "bye".to_owned()
            }),
            "{seen:?}"
        );
        assert_eq!(seen.last(), Some(&exited(Some(7), None, true)));
        process.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_respawn_stops_what_still_runs() {
        let (process, mut events) = Process::start(shell("exec sleep 600")).await.unwrap();
        process.respawn().await.unwrap();
        let seen = until_exit(&mut events).await;
        assert_eq!(seen.last(), Some(&exited(None, Some(15), true)));
        assert!(matches!(events.recv().await, Some(ProcessEvent::Started { .. })));
    }

    #[tokio::test]
    async fn nothing_that_the_process_started_outlives_it() {
        let (process, mut events) = Process::start(shell("sleep 600 & echo $!; sleep 601 & echo $!; wait"))
            .await
            .unwrap();
        let mut pids = Vec::new();
        while pids.len() < 2 {
            if let Some(ProcessEvent::Stdout { line }) = events.recv().await {
                pids.push(line);
            }
        }
        assert!(pids.iter().all(|pid| is_alive(pid)));
        drop(process);
        for pid in pids {
            wait_until_dead(&pid).await;
        }
    }

    #[tokio::test]
    async fn children_of_a_process_that_ended_are_ended_too() {
        let (_process, mut events) = Process::start(shell("sleep 600 & echo $!")).await.unwrap();
        let seen = until_exit(&mut events).await;
        let pid = seen.iter().find_map(|event| match event {
            ProcessEvent::Stdout { line } => Some(line.clone()),
            _ => None,
        });
        wait_until_dead(&pid.expect("the child's pid was printed")).await;
    }

    #[tokio::test]
    async fn a_flood_of_lines_and_an_endless_line_are_bounded() {
        let script = "head -c 100000 /dev/zero | tr '\\0' x; echo; i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done";
        let (_process, mut events) = Process::start(shell(script)).await.unwrap();
        let seen = until_exit(&mut events).await;
        let lines: Vec<_> = seen
            .iter()
            .filter(|event| matches!(event, ProcessEvent::Stdout { .. }))
            .collect();
        let told = lines.len() as u64;
        let suppressed: u64 = seen
            .iter()
            .map(|e| {
                if let ProcessEvent::Suppressed { lines } = e {
                    *lines
                } else {
                    0
                }
            })
            .sum();
        assert_eq!(told + suppressed, 3001);
        assert!(
            suppressed >= 3001 - 10 * u64::from(LINES_PER_SECOND),
            "{told} told, {suppressed} suppressed"
        );
        assert!(matches!(lines[0], ProcessEvent::Stdout { line } if line.len() == MAX_LINE + '…'.len_utf8()));
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_named() {
        let config = ProcessConfig {
            command: vec!["/nowhere/station".to_owned()],
            ..ProcessConfig::default()
        };
        let error = Process::start(config).await.map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with("`/nowhere/station` cannot be started: "),
            "{error}"
        );
        let error = Process::start(ProcessConfig::default())
            .await
            .map(|_| ())
            .unwrap_err();
        assert!(matches!(error, ProcessError::EmptyCommand));
    }
}
