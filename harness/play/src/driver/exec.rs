//! A program for each action.

use std::process::ExitStatus;
use std::time::Duration;

use plugfest_protocol::Json;
use plugfest_trace::Outcome;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::backend::{Backend, BoxFuture, DriverCall, excerpt, failed, outcome_of_output};
use super::config::ExecConfig;
use super::template::{Template, plain};
use crate::process::Group;

/// Bytes that a program may print.
const MAX_OUTPUT: usize = 64 << 10;

/// Bytes of its standard error that are kept.
const MAX_ERRORS: usize = 4 << 10;

/// Arguments above this size stand on the standard input alone: the system bounds the environment.
const MAX_IN_ENVIRONMENT: usize = 32 << 10;

/// How long pipes are read on after the program's end, for they may be held open by what it left running.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The exit code for an action that the program does not know.
const UNSUPPORTED: i32 = 77;

/// Programs that read a command out of one argument.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "fish", "busybox"];

#[derive(Debug)]
pub(super) struct Exec {
    command: Vec<Template>,
    config: ExecConfig,
}

impl Exec {
    /// # Errors
    /// No program, a place for no argument, or an argument inside a shell's command.
    pub(super) fn new(config: ExecConfig) -> Result<Self, String> {
        let program = config
            .command
            .first()
            .ok_or("`command` is empty; name a program")?;
        let command = config
            .command
            .iter()
            .map(|part| Template::parse(part))
            .collect::<Result<Vec<_>, _>>()?;
        let name = program.rsplit('/').next().unwrap_or_default();
        let takes_script = SHELLS.contains(&name) && config.command.iter().any(|part| part == "-c");
        if takes_script && !command.iter().all(Template::is_constant) {
            let what =
                "a `{…}` inside a shell command would be run by the shell; read `$PLUGFEST_ARG_…` instead";
            return Err(what.to_owned());
        }
        Ok(Self { command, config })
    }

    async fn run(&self, call: &DriverCall) -> Result<Outcome, String> {
        let words = self
            .command
            .iter()
            .map(|part| part.fill(call, plain))
            .collect::<Result<Vec<_>, _>>()?;
        let program = words.first().cloned().unwrap_or_default();
        let mut command = Command::new(&program);
        command
            .args(&words[1..])
            .envs(&self.config.env)
            .env("PLUGFEST_VERB", &call.verb);
        let text = call.args.to_string();
        if text.len() <= MAX_IN_ENVIRONMENT {
            command.env("PLUGFEST_ARGS", &text);
            command.envs(plain_arguments(&call.args));
        }
        if let Some(cwd) = &self.config.cwd {
            command.current_dir(cwd);
        }

        let start = |error: &dyn std::fmt::Display| format!("`{program}` cannot be started: {error}");
        let mut group = Group::spawn(command).map_err(|error| start(&error))?;
        let streams = group
            .take_streams()
            .ok_or_else(|| start(&"its pipes could not be opened"))?;
        let (mut stdin, stdout, stderr) = streams;
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let feed = async {
            // A program that does not want its arguments closes the pipe, which is its right.
            drop(stdin.write_all(text.as_bytes()).await);
            drop(stdin);
        };
        let talk = async {
            tokio::join!(
                feed,
                read_up_to(stdout, MAX_OUTPUT, &mut output),
                read_up_to(stderr, MAX_ERRORS, &mut errors)
            )
        };
        let status = {
            tokio::pin!(talk);
            let ended = tokio::select! {
                _ = &mut talk => None,
                status = group.wait() => Some(status),
            };
            if let Some(status) = ended {
                drop(timeout(LAST_WORDS, talk).await);
                status
            } else {
                group.wait().await
            }
        };
        let status = status.map_err(|error| format!("`{program}` cannot be waited for: {error}"))?;
        if output.len() > MAX_OUTPUT {
            return Err(format!("`{program}` printed more than {MAX_OUTPUT} bytes"));
        }
        // What it left running (a station that it started, say) is meant to live on.
        group.release();
        Ok(judge(call, &program, status, &output, &errors))
    }
}

impl Backend for Exec {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async { self.run(call).await.unwrap_or_else(failed) })
    }
}

fn judge(call: &DriverCall, program: &str, status: ExitStatus, output: &[u8], errors: &[u8]) -> Outcome {
    let errors = excerpt(&String::from_utf8_lossy(errors));
    match status.code() {
        Some(0) => outcome_of_output(call, &String::from_utf8_lossy(output)),
        Some(UNSUPPORTED) if errors.is_empty() => Outcome::Unsupported {
            why: format!("`{program}` does not know `{}`", call.verb),
        },
        Some(UNSUPPORTED) => Outcome::Unsupported { why: errors },
        _ => failed(format!("`{program}` ended with {status}: {errors}")),
    }
}

/// Reads to the end, keeping one byte more than `max`, so that the excess can be told.
async fn read_up_to(mut stream: impl AsyncRead + Unpin, max: usize, kept: &mut Vec<u8>) {
    let mut chunk = [0; 1024];
    loop {
        match stream.read(&mut chunk).await {
            // A pipe that cannot be read is a pipe that has ended.
            Ok(0) | Err(_) => return,
            Ok(count) => {
                let room = (max + 1).saturating_sub(kept.len());
                kept.extend_from_slice(&chunk[..count.min(room)]);
                if kept.len() > max {
                    return;
                }
            }
        }
    }
}

/// `PLUGFEST_ARG_CONNECTOR=1` for every argument that is no object and no array.
fn plain_arguments(args: &Json) -> Vec<(String, String)> {
    let Json::Object(object) = args else {
        return Vec::new();
    };
    let scalar = |value: &Json| !matches!(value, Json::Object(_) | Json::Array(_));
    let named = |(name, value): (&str, &Json)| {
        // A NUL cannot stand in an environment variable.
        let text = plain(Some(value)).replace('\0', "");
        scalar(value).then(|| (format!("PLUGFEST_ARG_{}", name.to_ascii_uppercase()), text))
    };
    object.iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Exec {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Exec::new(ExecConfig {
            command,
            ..ExecConfig::default()
        })
        .unwrap()
    }

    fn call(verb: &str, args: &str) -> DriverCall {
        DriverCall::new(verb, Json::parse(args).unwrap())
    }

    async fn run(script: &str, verb: &str, args: &str) -> Outcome {
        shell(script).call(&call(verb, args)).await
    }

    fn returned(json: &str) -> Outcome {
        Outcome::Returned {
            value: Json::parse(json).unwrap(),
        }
    }

    #[tokio::test]
    async fn arguments_come_on_every_way() {
        let args = r#"{"token":"04E9","connector":2}"#;
        assert_eq!(run("cat", "token.present", args).await, returned(args));
        assert_eq!(
            run("printf %s \"$PLUGFEST_ARGS\"", "token.present", args).await,
            returned(args)
        );
        let script =
            "echo \"[\\\"$PLUGFEST_VERB\\\", \\\"$PLUGFEST_ARG_TOKEN\\\", $PLUGFEST_ARG_CONNECTOR]\"";
        assert_eq!(
            run(script, "token.present", args).await,
            returned(r#"["token.present","04E9",2]"#)
        );
        let command = ["printf", "%s", "[{connector}, \"{verb}\"]"]
            .map(str::to_owned)
            .to_vec();
        let exec = Exec::new(ExecConfig {
            command,
            ..ExecConfig::default()
        })
        .unwrap();
        assert_eq!(
            exec.call(&call("ev.plug", r#"{"connector":3}"#)).await,
            returned(r#"[3,"ev.plug"]"#)
        );
    }

    #[tokio::test]
    async fn exit_codes_are_the_outcome() {
        assert_eq!(run("exit 0", "ev.plug", "{}").await, Outcome::Done);
        let why = "`sh` does not know `ev.plug`".to_owned();
        assert_eq!(
            run("exit 77", "ev.plug", "{}").await,
            Outcome::Unsupported { why }
        );
        let why = "no robot today".to_owned();
        assert_eq!(
            run("echo no robot today >&2; exit 77", "ev.plug", "{}").await,
            Outcome::Unsupported { why }
        );
        let why = "`sh` ended with exit status: 3: arm is stuck".to_owned();
        assert_eq!(
            run("echo arm is stuck >&2; exit 3", "ev.plug", "{}").await,
            Outcome::Failed { why }
        );
        assert!(
            matches!(run("kill -9 $$", "ev.plug", "{}").await, Outcome::Failed { why } if why.contains("signal: 9"))
        );
    }

    #[tokio::test]
    async fn a_program_that_prints_without_end_is_stopped() {
        let Outcome::Failed { why } = run("yes", "meter.read", "{}").await else {
            panic!("it cannot succeed")
        };
        assert_eq!(why, "`sh` printed more than 65536 bytes");
    }

    #[tokio::test]
    async fn large_arguments_reach_a_program_that_does_not_read_them() {
        let args = format!(r#"{{"object":"{}"}}"#, "x".repeat(200_000));
        assert_eq!(run("exit 0", "ocpi.seed", &args).await, Outcome::Done);
        assert_eq!(
            run("wc -c", "ocpi.seed", &args).await,
            returned(&args.len().to_string())
        );
    }

    #[tokio::test]
    async fn what_a_program_leaves_running_lives_on_and_does_not_hold_up_the_answer() {
        let file = std::env::temp_dir().join(format!("plugfest-exec-left-{}", std::process::id()));
        let script = format!("(sleep 2; echo alive > {}) &", file.display());
        assert_eq!(run(&script, "station.start", "{}").await, Outcome::Done);
        assert!(
            !file.exists(),
            "the answer came before what was left running had ended"
        );
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..500 {
            ticks.tick().await;
            if file.exists() {
                std::fs::remove_file(&file).unwrap();
                return;
            }
        }
        panic!("what the program left running was killed");
    }

    #[tokio::test]
    async fn giving_up_kills_the_program_and_what_it_started() {
        let folder = std::env::temp_dir().join(format!("plugfest-exec-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let script = format!(
            "sleep 600 & echo $! > {0}/pid.new; mv {0}/pid.new {0}/pid; wait",
            folder.display()
        );
        let exec = shell(&script);
        let call = call("ev.plug", "{}");
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let pid = tokio::select! {
            outcome = exec.call(&call) => panic!("it cannot end: {outcome:?}"),
            pid = async {
                loop {
                    ticks.tick().await;
                    if let Ok(pid) = std::fs::read_to_string(folder.join("pid")) {
                        return pid.trim().to_owned();
                    }
                }
            } => pid,
        };
        std::fs::remove_dir_all(&folder).unwrap();
        let is_alive = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
        };
        for _ in 0..2_000 {
            if !is_alive() {
                return;
            }
            ticks.tick().await;
        }
        panic!("process {pid} outlived the call");
    }

    #[test]
    fn a_shell_gets_no_argument_inside_its_command() {
        let new = |words: &[&str]| {
            let command = words.iter().map(|word| (*word).to_owned()).collect();
            Exec::new(ExecConfig {
                command,
                ..ExecConfig::default()
            })
            .map(|_| ())
        };
        assert!(
            new(&["/bin/bash", "-c", "plug {connector}"])
                .unwrap_err()
                .contains("$PLUGFEST_ARG_")
        );
        assert_eq!(new(&["/bin/bash", "plug.sh", "{connector}"]), Ok(()));
        assert_eq!(new(&[]), Err("`command` is empty; name a program".to_owned()));
        assert_eq!(
            new(&["x", "{conector}"]),
            Err("`{conector}` is an argument of no verb".to_owned())
        );
    }

    #[tokio::test]
    async fn a_missing_program_is_an_error_of_the_driver() {
        let config = ExecConfig {
            command: vec!["/nowhere/plug".to_owned()],
            ..ExecConfig::default()
        };
        let outcome = Exec::new(config).unwrap().call(&call("ev.plug", "{}")).await;
        assert!(
            matches!(outcome, Outcome::Failed { why } if why.starts_with("`/nowhere/plug` cannot be started: "))
        );
    }
}
