//! A person as back-end: asked in a sentence, answering yes, no, skip or a value.

use std::sync::Arc;

use plugfest_protocol::Json;
use plugfest_trace::Outcome;
use tokio::sync::Mutex;

use super::backend::{Backend, BoxFuture, DriverCall, Support, failed};
use super::template::{Template, plain};
use super::verbs::instruction;

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The action, such as `ev.plug`.
    pub verb: String,
    /// What to do, one sentence, without control characters and without secrets.
    pub text: String,
    /// True where a value is wanted rather than a yes.
    pub wants_value: bool,
}

/// What a person answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It cannot be done, for this reason.
    CannotDo(String),
    /// Leave this case out.
    Skip,
    /// The value asked for, as typed: JSON, or else plain text.
    Value(String),
}

/// Where a person can be asked. The terminal is one; a test brings its own.
pub trait Prompter: Send + Sync {
    /// Asks and waits for the answer. Dropping the future takes the question back.
    fn ask<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Answer>;
}

pub(super) struct Manual {
    /// None with `--no-input`. One question at a time.
    prompter: Option<Mutex<Arc<dyn Prompter>>>,
}

impl Manual {
    pub(super) fn new(prompter: Option<Arc<dyn Prompter>>) -> Self {
        Self {
            prompter: prompter.map(Mutex::new),
        }
    }
}

impl Backend for Manual {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            let Some(prompter) = &self.prompter else {
                return Outcome::Unsupported {
                    why: "no input: nobody may be asked".to_owned(),
                };
            };
            let prompt = match prompt(call) {
                Ok(prompt) => prompt,
                Err(why) => return failed(why),
            };
            let prompter = prompter.lock().await;
            read_answer(call, prompter.ask(&prompt).await)
        })
    }

    fn supports(&self, _verb: &str) -> Support {
        if self.prompter.is_some() {
            Support::Yes
        } else {
            Support::No
        }
    }
}

fn prompt(call: &DriverCall) -> Result<Prompt, String> {
    let verb = call.check()?;
    // Arguments may come from the device by way of the case: nothing of them may steer the terminal.
    let write = |value: Option<&Json>| match value {
        None => "(any)".to_owned(),
        Some(value) => plain(Some(value)).chars().flat_map(shown).collect(),
    };
    let sentence =
        instruction(verb.name).ok_or_else(|| format!("`{}` has no instruction for a person", verb.name))?;
    let text = Template::parse(sentence)?.fill(call, write)?;
    Ok(Prompt {
        verb: call.verb.clone(),
        text,
        wants_value: verb.reads,
    })
}

fn shown(c: char) -> Vec<char> {
    // The escapes are for what is invisible; quotes and backslashes are read as they are.
    if matches!(c, '"' | '\'' | '\\') {
        vec![c]
    } else {
        c.escape_debug().collect()
    }
}

fn read_answer(call: &DriverCall, answer: Answer) -> Outcome {
    match answer {
        Answer::Done if call.reads() => failed(format!("`{}` wants a value, and none was typed", call.verb)),
        Answer::Done => Outcome::Done,
        Answer::CannotDo(why) if why.is_empty() => Outcome::Unsupported {
            why: "the person said no".to_owned(),
        },
        Answer::CannotDo(why) => Outcome::Unsupported { why },
        Answer::Skip => Outcome::Skipped,
        Answer::Value(text) => {
            let text = text.trim();
            Outcome::Returned {
                value: Json::parse(text).unwrap_or_else(|_| Json::from(text)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;

    /// Gives its answers in turn and keeps the questions.
    struct Script {
        answers: StdMutex<Vec<Answer>>,
        asked: StdMutex<Vec<Prompt>>,
    }

    impl Prompter for Script {
        fn ask<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Answer> {
            self.asked.lock().unwrap().push(prompt.clone());
            let answer = self.answers.lock().unwrap().remove(0);
            Box::pin(std::future::ready(answer))
        }
    }

    async fn ask(verb: &str, args: &str, answer: Answer) -> (Outcome, String) {
        let script = Arc::new(Script {
            answers: StdMutex::new(vec![answer]),
            asked: StdMutex::default(),
        });
        let manual = Manual::new(Some(script.clone()));
        let outcome = manual
            .call(&DriverCall::new(verb, Json::parse(args).unwrap()))
            .await;
        let text = script
            .asked
            .lock()
            .unwrap()
            .first()
            .map(|prompt| prompt.text.clone());
        (outcome, text.unwrap_or_default())
    }

    #[tokio::test]
    async fn a_person_is_asked_in_a_sentence() {
        let (outcome, text) = ask("ev.plug", r#"{"connector":2}"#, Answer::Done).await;
        assert_eq!(
            (outcome, text.as_str()),
            (Outcome::Done, "Plug the cable into the EV and into connector 2.")
        );
        let (_, text) = ask("token.present", "{\"token\":\"A\\u001b\\\"[2J\"}", Answer::Done).await;
        assert_eq!(
            text,
            "Hold the token A\\u{1b}\"[2J to the reader of connector (any)."
        );
    }

    #[tokio::test]
    async fn a_password_is_never_shown() {
        let (_, text) = ask("station.set_password", r#"{"password":"hunter2"}"#, Answer::Done).await;
        assert!(!text.is_empty() && !text.contains("hunter2"), "{text}");
        let (_, text) = ask(
            "csms.station",
            r#"{"id":"CP1","password":"hunter2"}"#,
            Answer::Done,
        )
        .await;
        assert!(text.contains("CP1") && !text.contains("hunter2"), "{text}");
    }

    #[tokio::test]
    async fn every_answer_has_its_outcome() {
        let (outcome, _) = ask("ev.plug", "{}", Answer::CannotDo("no car".to_owned())).await;
        assert_eq!(
            outcome,
            Outcome::Unsupported {
                why: "no car".to_owned()
            }
        );
        assert_eq!(ask("ev.plug", "{}", Answer::Skip).await.0, Outcome::Skipped);
        let value = |text: &str| Outcome::Returned {
            value: Json::parse(text).unwrap(),
        };
        assert_eq!(
            ask("meter.read", "{}", Answer::Value(" 17.0 ".to_owned()))
                .await
                .0,
            value("17.0")
        );
        assert_eq!(
            ask("display.read", "{}", Answer::Value("Hello you".to_owned()))
                .await
                .0,
            value("\"Hello you\"")
        );
        assert!(matches!(
            ask("meter.read", "{}", Answer::Done).await.0,
            Outcome::Failed { .. }
        ));
    }

    #[tokio::test]
    async fn without_input_nobody_is_asked() {
        let manual = Manual::new(None);
        let outcome = manual.call(&DriverCall::new("ev.plug", Json::empty())).await;
        assert!(matches!(outcome, Outcome::Unsupported { why } if why.starts_with("no input")));
        assert_eq!(manual.supports("ev.plug"), Support::No);
    }
}
