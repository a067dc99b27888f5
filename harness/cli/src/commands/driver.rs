//! `plugfest driver`: what does the actions that need hands or an operator.

use std::collections::BTreeSet;
use std::io::Write as _;

use plugfest_case::Library;
use plugfest_case::diagnostic::did_you_mean;
use plugfest_case::verbs::{self, VERBS, VerbSpec};
use plugfest_judge::Verdict;
use plugfest_play::driver::{Driver, DriverCall, DriverOutcome, Hands, Support};
use plugfest_play::suite;
use plugfest_protocol::{Json, Object};
use plugfest_reports::{exit, one_line};

use crate::args::{DriverCommand, Global, Selection};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::needs::lack;
use crate::out::{Out, table};
use crate::{arena, catalogue};
use crate::{cases, prompt, select, signals};

/// Actions that leave the device changed; they are tried only where they are named.
const LASTING: [&str; 3] = ["station.factory_reset", "station.set_password", "station.set_url"];

pub(super) fn run(global: &Global, what: &DriverCommand, out: &mut Out) -> Result<u8, Failure> {
    let library = cases::load(global)?;
    let config = config::need(global, &library)?;
    match what {
        DriverCommand::Check { selection } => check(&library, &config, selection, out),
        DriverCommand::Try {
            verbs,
            arguments,
            asking,
        } => {
            let calls = calls(&config, verbs, arguments)?;
            let hands = Hands {
                prompter: prompt::person(*asking),
                builtin: None,
            };
            let driver = config.driver(&hands)?;
            let runtime = super::runtime()?;
            let code = runtime.block_on(try_all(&driver, calls, out));
            runtime.shutdown_background();
            code
        }
    }
}

fn check(library: &Library, config: &Config, selection: &Selection, out: &mut Out) -> Result<u8, Failure> {
    // A person is there when it comes to a run.
    let driver = config.driver(&Hands {
        prompter: Some(std::sync::Arc::new(Somebody)),
        builtin: None,
    })?;
    let role = config.dut.role();
    let mine = catalogue::lines(library)
        .into_iter()
        .filter(|line| line.role == role);
    let chosen = select::choose(selection, mine.collect())?;
    let can = |verb: &str| driver.supports(verb) != Support::No;
    let able: Vec<String> = VERBS
        .iter()
        .map(|verb| verb.name)
        .filter(|verb| can(verb))
        .map(str::to_owned)
        .collect();
    let mut rows = Vec::new();
    let (mut blocked, mut perhaps, mut not_applicable) = (0, 0, 0);
    for line in &chosen {
        let id = line.loaded.case.id.clone();
        // What a run would pass over, for the reason that the run would give.
        let planned = suite::plan(
            library,
            line.loaded,
            role,
            &arena::codes(library, config, *line),
            Some(&able),
            1,
        );
        match planned.into_iter().find_map(|planned| planned.passed_over) {
            Some((Verdict::NotApplicable, _)) => not_applicable += 1,
            Some((verdict, why)) => {
                blocked += 1;
                rows.push(vec![verdict.to_string(), id, why]);
            }
            None => {
                let verbs = lack(library, *line, &can);
                if !verbs.is_empty() {
                    perhaps += 1;
                    let verbs: Vec<String> = verbs.into_iter().collect();
                    let why = format!("a way to a state, or a branch, needs {}", verbs.join(", "));
                    rows.push(vec!["perhaps".to_owned(), id, why]);
                }
            }
        }
    }
    write!(out, "{}", table(&rows))?;
    if !rows.is_empty() {
        writeln!(out)?;
    }
    write!(out, "{}", table(&routes(&driver, role)))?;
    out.flush()?;
    let total = chosen.len();
    out.remark(&format!(
        "{total} cases of a {role}: {blocked} will be blocked, {perhaps} perhaps, {not_applicable} are not applicable"
    ))?;
    Ok(if blocked > 0 { exit::UNDECIDED } else { exit::OK })
}

/// Which back-end does which action.
fn routes(driver: &Driver, role: &str) -> Vec<Vec<String>> {
    let row = |verb: &VerbSpec| {
        let support = match driver.supports(verb.name) {
            Support::Yes => "yes",
            Support::No => "no",
            Support::Unknown => "only trying tells",
        };
        let backend = driver.backend_of(verb.name).unwrap_or("-");
        vec![verb.name.to_owned(), backend.to_owned(), support.to_owned()]
    };
    VERBS.iter().filter(|verb| is_of(verb, role)).map(row).collect()
}

fn is_of(verb: &VerbSpec, role: &str) -> bool {
    verb.side == role
}

/// What is to be tried: the actions that are named, or all that are configured.
fn calls(config: &Config, named: &[String], arguments: &[String]) -> Result<Vec<DriverCall>, Failure> {
    let mut given = Object::new();
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--arg: `{argument}` has no `=`")).hint("write --arg connector=1")
        })?;
        given.insert(name, Json::parse(value).unwrap_or_else(|_| Json::from(value)));
    }
    if !arguments.is_empty() && named.len() != 1 {
        return Err(Failure::usage("--arg belongs to the one action that is named"));
    }
    let driver = config.driver(&Hands::default())?;
    let mut wanted = Vec::new();
    for name in named {
        wanted.push(verbs::find(name).ok_or_else(|| {
            let near = did_you_mean(name, VERBS.iter().map(|verb| verb.name));
            Failure::usage(format!("no action `{name}`"))
                .hint(near.unwrap_or_else(|| "`plugfest explain driver` lists them".to_owned()))
        })?);
    }
    if named.is_empty() {
        let configured = |verb: &&VerbSpec| {
            is_of(verb, config.dut.role())
                && driver.backend_of(verb.name).is_some()
                && !LASTING.contains(&verb.name)
        };
        wanted.extend(VERBS.iter().filter(configured));
    }
    if wanted.is_empty() {
        return Err(
            Failure::usage(format!("{}: no action is configured", config.path.display()))
                .hint("[driver] says what does the actions; docs/driver.md shows how"),
        );
    }
    let ordinary = ordinary(config);
    let call = |verb: &VerbSpec| {
        let known = |name: &str| given.get(name).or_else(|| ordinary.get(name)).cloned();
        let mut args = Object::new();
        for name in verb.parameters() {
            if let Some(value) = known(name) {
                args.insert(name, value);
            }
        }
        DriverCall::new(verb.name, Json::Object(args))
    };
    Ok(wanted.into_iter().map(call).collect())
}

/// Arguments that any action may be tried with.
fn ordinary(config: &Config) -> Object {
    let mut args = Object::new();
    args.insert("connector", Json::from(1));
    args.insert("evse", Json::from(1));
    if let Some(tag) = config.pools.tags.get("valid").and_then(|tags| tags.first()) {
        args.insert("token", Json::from(tag.as_str()));
    }
    if let Some(identity) = config.dut.identities.first() {
        args.insert("station", Json::from(identity.as_str()));
    }
    args
}

async fn try_all(driver: &Driver, calls: Vec<DriverCall>, out: &mut Out) -> Result<u8, Failure> {
    let mut interrupt = signals::interrupt()?;
    driver
        .start()
        .await
        .map_err(|error| Failure::undecided(error.to_string()))?;
    let mut tried: BTreeSet<u8> = BTreeSet::new();
    for call in calls {
        if let Err(why) = call.check() {
            writeln!(out, "{:<22} not tried: {}", call.verb, one_line(&why))?;
            continue;
        }
        let outcome = tokio::select! {
            outcome = driver.call(&call) => outcome,
            by = signals::wait(&mut interrupt) => return Ok(exit::of_interruption(&by).unwrap_or(exit::SIGINT)),
        };
        let (text, code) = match outcome {
            DriverOutcome::Done => ("done".to_owned(), exit::OK),
            DriverOutcome::Failed { why } => (format!("failed: {why}"), exit::UNDECIDED),
            DriverOutcome::Returned { value } => (format!("returned {value}"), exit::OK),
            DriverOutcome::Skipped => ("skipped".to_owned(), exit::OK),
            DriverOutcome::Unsupported { why } => (format!("unsupported: {why}"), exit::OK),
        };
        tried.insert(code);
        writeln!(out, "{:<22} {}", call.verb, one_line(&text))?;
        out.flush()?;
    }
    Ok(exit::combined(tried))
}

/// Stands for the person who will be asked in a run.
struct Somebody;

impl plugfest_play::driver::Prompter for Somebody {
    fn ask<'a>(
        &'a self,
        _: &'a plugfest_play::driver::Prompt,
    ) -> plugfest_play::driver::BoxFuture<'a, plugfest_play::driver::Answer> {
        Box::pin(std::future::ready(plugfest_play::driver::Answer::Skip))
    }
}
