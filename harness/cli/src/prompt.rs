//! A person at the terminal as the hands of a test.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;

use plugfest_play::driver::{Answer, BoxFuture, Prompt, Prompter};
use tokio::sync::{Mutex, mpsc};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 4 * 1024;

/// Asks on standard error and reads standard input.
pub(crate) struct Person {
    /// Lines as they are typed. The channel ends where standard input does.
    lines: Mutex<mpsc::Receiver<String>>,
}

/// Whether a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(crate) struct Asking {
    /// Ask nobody: what needs a person is blocked.
    #[arg(long)]
    no_input: bool,
    /// Ask a person at standard input although it is no terminal.
    #[arg(long, conflicts_with = "no_input")]
    input: bool,
}

impl Asking {
    /// Why nobody is asked; `None` where somebody is.
    pub(crate) fn refused(self) -> Option<&'static str> {
        if self.no_input {
            Some("nobody is asked, for --no-input is given")
        } else if self.input || io::stdin().is_terminal() {
            None
        } else {
            Some("nobody is asked, for standard input is no terminal; --input asks there all the same")
        }
    }
}

/// The person at standard input; nobody where input is refused.
pub(crate) fn person(asking: Asking) -> Option<Arc<dyn Prompter>> {
    if asking.refused().is_some() {
        return None;
    }
    let (sender, lines) = mpsc::channel(1);
    // A read of a terminal cannot be given up, so that it has a thread of its own which ends with the process.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = String::new();
            let read = io::Read::take(&mut input, MAX_ANSWER).read_line(&mut line);
            if !matches!(read, Ok(1..)) || sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    Some(Arc::new(Person {
        lines: Mutex::new(lines),
    }))
}

impl Prompter for Person {
    fn ask<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Answer> {
        Box::pin(async {
            let mut lines = self.lines.lock().await;
            // What was typed before the question answers nothing.
            while lines.try_recv().is_ok() {}
            loop {
                let how = if prompt.wants_value {
                    "a value, n or skip"
                } else {
                    "y, n or skip"
                };
                let asked = write!(io::stderr(), "\n>>> {}\n    [{how}] ", prompt.text);
                let Some(line) = (if asked.is_ok() { lines.recv().await } else { None }) else {
                    return Answer::CannotDo("nobody answers".to_owned());
                };
                if let Some(answer) = answer(&line, prompt.wants_value) {
                    return answer;
                }
            }
        })
    }
}

/// What a line means; `None` where it must be asked again.
fn answer(line: &str, wants_value: bool) -> Option<Answer> {
    match line.trim() {
        "skip" => Some(Answer::Skip),
        "n" | "no" => Some(Answer::CannotDo(String::new())),
        "" => None,
        text if wants_value => Some(Answer::Value(text.to_owned())),
        "y" | "yes" => Some(Answer::Done),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_answer_or_is_asked_for_again() {
        assert_eq!(answer(" y\n", false), Some(Answer::Done));
        assert_eq!(answer("n\n", true), Some(Answer::CannotDo(String::new())));
        assert_eq!(answer("skip", false), Some(Answer::Skip));
        assert_eq!(answer("17.5\n", true), Some(Answer::Value("17.5".to_owned())));
        assert_eq!(
            (answer("17.5\n", false), answer("\n", true), answer("", false)),
            (None, None, None)
        );
    }
}
