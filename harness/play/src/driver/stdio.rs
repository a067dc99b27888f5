//! A long-lived program that does actions by JSON lines.

use std::io;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use plugfest_protocol::{Json, Object};
use plugfest_trace::Outcome;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::backend::{Backend, BoxFuture, DriverCall, excerpt, failed};
use super::config::StdioConfig;
use crate::process::{Group, LineReader};

/// Bytes of one answer.
const MAX_LINE: usize = 64 << 10;

/// Bytes kept of the program's last words on its standard error.
const MAX_ERRORS: usize = 1 << 10;

/// Lines that are no answer to the call, after which the program is taken for broken.
const MAX_STRAY_LINES: usize = 10_000;

/// How long a program that closed its output is waited for, to tell how it ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Stdio {
    config: StdioConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: Option<Running>,
    last_id: u64,
}

impl Stdio {
    /// # Errors
    /// No program.
    pub(super) fn new(config: StdioConfig) -> Result<Self, String> {
        if config.command.is_empty() {
            return Err("`command` is empty; name a program".to_owned());
        }
        Ok(Self {
            config,
            state: Mutex::default(),
        })
    }

    async fn run(&self, call: &DriverCall) -> Result<Outcome, String> {
        let mut state = self.state.lock().await;
        state.last_id += 1;
        let id = state.last_id;
        // A call that was given up while it wrote has left half a line behind.
        let usable = state.running.take().filter(|running| !running.mid_write);
        let mut running = match usable {
            Some(running) => running,
            None => Running::start(&self.config)?,
        };
        let request = request_line(id, call);
        let running = state.running.insert({
            running.mid_write = true;
            running
        });
        let sent = running.input.write_all(request.as_bytes()).await;
        running.mid_write = false;
        let answered = match sent {
            Ok(()) => running.answer_to(id).await,
            Err(error) => Err(error.to_string()),
        };
        match answered {
            Ok(answer) => read_answer(&answer),
            Err(reason) => {
                let ended = state.running.take();
                let how = match ended {
                    Some(mut running) => running.how_it_ended().await,
                    None => String::new(),
                };
                Err(format!("`{}`: {reason}{how}", self.config.command[0]))
            }
        }
    }
}

impl Backend for Stdio {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async { self.run(call).await.unwrap_or_else(failed) })
    }

    fn start(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            let mut state = self.state.lock().await;
            if state.running.is_none() {
                state.running = Some(Running::start(&self.config)?);
            }
            Ok(())
        })
    }
}

#[derive(Debug)]
struct Running {
    group: Group,
    input: ChildStdin,
    output: LineReader<ChildStdout>,
    errors: Tail,
    mid_write: bool,
}

impl Running {
    fn start(config: &StdioConfig) -> Result<Self, String> {
        let program = &config.command[0];
        let mut command = Command::new(program);
        command.args(&config.command[1..]).envs(&config.env);
        if let Some(cwd) = &config.cwd {
            command.current_dir(cwd);
        }
        let fault = |reason: &dyn std::fmt::Display| format!("`{program}` cannot be started: {reason}");
        let mut group = Group::spawn(command).map_err(|error| fault(&error))?;
        let streams = group
            .take_streams()
            .ok_or_else(|| fault(&"its pipes could not be opened"))?;
        let (input, output, errors) = streams;
        let output = LineReader::new(output, MAX_LINE);
        Ok(Self {
            group,
            input,
            output,
            errors: Tail::follow(errors),
            mid_write: false,
        })
    }

    /// Reads lines up to the one that answers `id`. Answers to calls that were given up, and notices without an id, pass.
    async fn answer_to(&mut self, id: u64) -> Result<Object, String> {
        for _ in 0..MAX_STRAY_LINES {
            let line = self.output.next().await.map_err(|error| error.to_string())?;
            let line = line.ok_or("it closed its output")?;
            if line.cut {
                return Err(format!("it printed a line of more than {MAX_LINE} bytes"));
            }
            if line.text.trim().is_empty() {
                continue;
            }
            let Ok(Json::Object(answer)) = Json::parse(&line.text) else {
                return Err(format!(
                    "it printed what is no JSON object: {}",
                    excerpt(&line.text)
                ));
            };
            if answer.get("id").and_then(Json::as_i64) == i64::try_from(id).ok() {
                return Ok(answer);
            }
        }
        Err(format!(
            "it printed {MAX_STRAY_LINES} lines and no answer among them"
        ))
    }

    async fn how_it_ended(&mut self) -> String {
        let ended = timeout(LAST_WORDS, self.group.wait()).await;
        let status = match ended {
            Ok(Ok(status)) => format!("; it ended with {status}"),
            Ok(Err(error)) => format!("; it cannot be waited for: {error}"),
            Err(_) => String::new(),
        };
        // The task that follows the standard error may not have had its turn yet.
        tokio::task::yield_now().await;
        match excerpt(&self.errors.text()) {
            text if text.is_empty() => status,
            text => format!("{status}: {text}"),
        }
    }
}

fn request_line(id: u64, call: &DriverCall) -> String {
    let mut request = Object::default();
    request.insert("id", i64::try_from(id).unwrap_or(i64::MAX));
    request.insert("verb", call.verb.as_str());
    request.insert("args", &call.args);
    format!("{}\n", Json::Object(request))
}

fn read_answer(answer: &Object) -> Result<Outcome, String> {
    let message = answer.get("message").and_then(Json::as_str).map(excerpt);
    let why = || message.clone().unwrap_or_else(|| "it gave no reason".to_owned());
    match answer.get("outcome").and_then(Json::as_str) {
        Some("done") => Ok(match answer.get("value") {
            None | Some(Json::Null) => Outcome::Done,
            Some(value) => Outcome::Returned { value: value.clone() },
        }),
        Some("unsupported") => Ok(Outcome::Unsupported { why: why() }),
        Some("failed") => Ok(Outcome::Failed { why: why() }),
        Some(other) => Err(format!(
            "it answered with the unknown outcome `{}`",
            excerpt(other)
        )),
        None => Err("it answered without `outcome`".to_owned()),
    }
}

/// The last bytes of a stream, read on the side so that its writer never waits.
#[derive(Debug)]
struct Tail {
    kept: Arc<StdMutex<Vec<u8>>>,
    task: JoinHandle<io::Result<()>>,
}

impl Tail {
    fn follow(mut stream: ChildStderr) -> Self {
        let kept = Arc::new(StdMutex::new(Vec::new()));
        let shared = Arc::clone(&kept);
        let task = tokio::spawn(async move {
            let mut chunk = [0; 1024];
            loop {
                let count = stream.read(&mut chunk).await?;
                if count == 0 {
                    return Ok(());
                }
                let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&chunk[..count]);
                let excess = kept.len().saturating_sub(MAX_ERRORS);
                kept.drain(..excess);
            }
        });
        Self { kept, task }
    }

    fn text(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).into_owned()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Stdio {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Stdio::new(StdioConfig {
            command,
            ..StdioConfig::default()
        })
        .unwrap()
    }

    async fn ask(stdio: &Stdio) -> Outcome {
        stdio
            .call(&DriverCall::new(
                "ev.plug",
                Json::parse(r#"{"connector":1}"#).unwrap(),
            ))
            .await
    }

    fn why(outcome: Outcome) -> String {
        let Outcome::Failed { why } = outcome else {
            panic!("{outcome:?}")
        };
        why
    }

    #[tokio::test]
    async fn one_program_does_many_actions() {
        let script = r#"n=0; while read -r line; do n=$((n+1)); printf '{"id":%s,"outcome":"done","value":%s}\n' $n "$line"; done"#;
        let stdio = shell(script);
        for id in 1..=3 {
            let expected = format!(r#"{{"id":{id},"verb":"ev.plug","args":{{"connector":1}}}}"#);
            assert_eq!(
                ask(&stdio).await,
                Outcome::Returned {
                    value: Json::parse(&expected).unwrap()
                }
            );
        }
    }

    #[tokio::test]
    async fn outcomes_notices_and_late_answers_are_told_apart() {
        let script = r#"echo '{"listening":9}'; read a
            echo '{"id":7,"outcome":"failed"}'; echo; echo '{"id":1,"outcome":"done"}'; read b
            echo '{"id":2,"outcome":"unsupported","message":"no cable"}'; read c
            echo '{"id":3,"outcome":"failed"}'; read d
            echo '{"id":4,"outcome":"perhaps"}'; read e"#;
        let stdio = shell(script);
        assert_eq!(ask(&stdio).await, Outcome::Done);
        assert_eq!(
            ask(&stdio).await,
            Outcome::Unsupported {
                why: "no cable".to_owned()
            }
        );
        assert_eq!(
            ask(&stdio).await,
            Outcome::Failed {
                why: "it gave no reason".to_owned()
            }
        );
        assert_eq!(
            why(ask(&stdio).await),
            "it answered with the unknown outcome `perhaps`"
        );
    }

    #[tokio::test]
    async fn a_program_that_dies_is_told_with_its_last_words_and_started_again() {
        let flag = std::env::temp_dir().join(format!("plugfest-stdio-{}", std::process::id()));
        let script = format!(
            r#"read line; if [ -e {0} ]; then echo '{{"id":2,"outcome":"done"}}'; read x; else echo no cable >&2; : > {0}; exit 3; fi"#,
            flag.display()
        );
        let stdio = shell(&script);
        assert_eq!(
            why(ask(&stdio).await),
            "`sh`: it closed its output; it ended with exit status: 3: no cable"
        );
        assert_eq!(ask(&stdio).await, Outcome::Done);
        std::fs::remove_file(&flag).unwrap();
    }

    #[tokio::test]
    async fn garbage_and_endless_lines_are_errors() {
        assert!(
            why(ask(&shell("echo '\x1b[1mready'; read x")).await).contains("no JSON object: \\u{1b}[1mready")
        );
        assert!(why(ask(&shell("tr '\\0' x < /dev/zero")).await).contains("a line of more than 65536 bytes"));
        assert!(why(ask(&shell("yes '{}'")).await).contains("10000 lines and no answer"));
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_does_not_spoil_the_next() {
        let script =
            r#"read a; read b; echo '{"id":1,"outcome":"failed"}'; echo '{"id":2,"outcome":"done"}'; read c"#;
        let stdio = shell(script);
        assert!(timeout(Duration::from_millis(30), ask(&stdio)).await.is_err());
        assert_eq!(ask(&stdio).await, Outcome::Done);
    }

    #[tokio::test]
    async fn half_a_line_is_never_followed_by_another_call() {
        let flag = std::env::temp_dir().join(format!("plugfest-stdio-half-{}", std::process::id()));
        let script = format!(
            r#"if [ -e {0} ]; then read a; echo '{{"id":2,"outcome":"done"}}'; else : > {0}; exec sleep 600; fi"#,
            flag.display()
        );
        let stdio = shell(&script);
        let large = Json::parse(&format!(r#"{{"object":"{}"}}"#, "x".repeat(300_000))).unwrap();
        let call = DriverCall::new("ocpi.seed", large);
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let up = async {
            while !flag.exists() {
                ticks.tick().await;
            }
        };
        tokio::select! {
            outcome = stdio.call(&call) => panic!("nobody reads it: {outcome:?}"),
            () = up => {}
        }
        let next = timeout(Duration::from_secs(20), ask(&stdio)).await;
        std::fs::remove_file(&flag).unwrap();
        assert_eq!(next.expect("a new program answers"), Outcome::Done);
    }

    #[tokio::test]
    async fn starting_early_runs_the_program_once() {
        let file = std::env::temp_dir().join(format!("plugfest-stdio-start-{}", std::process::id()));
        let script = format!(
            r#"echo x >> {}; read a; echo '{{"id":1,"outcome":"done"}}'; read b"#,
            file.display()
        );
        let stdio = shell(&script);
        stdio.start().await.unwrap();
        stdio.start().await.unwrap();
        assert_eq!(ask(&stdio).await, Outcome::Done);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n");
        std::fs::remove_file(&file).unwrap();
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let config = StdioConfig {
            command: vec!["/nowhere/sim".to_owned()],
            ..StdioConfig::default()
        };
        let stdio = Stdio::new(config).unwrap();
        assert!(
            stdio
                .start()
                .await
                .unwrap_err()
                .starts_with("`/nowhere/sim` cannot be started: ")
        );
        assert!(Stdio::new(StdioConfig::default()).is_err());
    }
}
