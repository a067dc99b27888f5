//! `plugfest explain`: what a word in a report means.

use std::fmt::Write as _;
use std::io::Write as _;

use plugfest_case::diagnostic::did_you_mean;
use plugfest_case::verbs::{self, VERBS, VerbSpec};
use plugfest_case::{Library, Loaded};
use plugfest_judge::{RuleInfo, Verdict, rules};
use plugfest_play::driver::{API_VERSION, instruction};
use plugfest_reports::exit;

use crate::args::Global;
use crate::failure::Failure;
use crate::out::{Out, table};
use crate::{cases, catalogue};

/// Columns of running text.
const WIDTH: usize = 100;

/// What the findings of a case's own lines mean. The lines are judged by the conversation and not by rules, so that
/// no registry knows them.
const LINES: [(&str, &str); 17] = [
    (
        "line/away",
        "The device went away, or its connection was cut, for reasons that the case is not about. What is open stays undecided: inconclusive.",
    ),
    (
        "line/check",
        "A `check` of the case does not hold. The report shows the value of every part of the expression.",
    ),
    (
        "line/config",
        "A configuration value that the case needs could not be read or set. An unknown key blocks the case; a read-only key with another value makes it not applicable.",
    ),
    (
        "line/connect",
        "The device met a connection attempt of ours in another way than the line says: it accepted where it should refuse, or the other way round.",
    ),
    (
        "line/driver",
        "The driver cannot do an action that the case needs (blocked), or broke while doing it (error). `plugfest driver check` tells before a run.",
    ),
    (
        "line/early",
        "The message is the right one, but it came sooner than `after` or `every` allows.",
    ),
    (
        "line/field",
        "The message came, and says something else than the line at the JSON pointer that the finding names.",
    ),
    (
        "line/late",
        "A message of a series came later than `every` allows.",
    ),
    (
        "line/missing",
        "The message that the line waits for did not come in time. The deadline is `within`, or else the profile's.",
    ),
    ("line/never", "A message came that a `never` forbids."),
    (
        "line/order",
        "The message came before another that the story puts first, in a phase where the order is not free.",
    ),
    (
        "line/pics",
        "A PICS answer that the case needs to know is missing.",
    ),
    (
        "line/state",
        "A state that the case starts from, or comes to, could not be reached in any of its ways.",
    ),
    (
        "line/twice",
        "The message that took the line came once more, with the same message id.",
    ),
    ("line/unclaimed", "No line of a strict case claims this message."),
    (
        "line/value",
        "A value that the line needs is missing or has the wrong type: the profile or the case file is at fault, not the device.",
    ),
    (
        "story/stopped",
        "The story could not be played on for a reason outside of it: the run was broken off, or something of ours failed.",
    ),
];

/// What the finding of a case's own line means.
pub(crate) fn line_rule(id: &str) -> Option<&'static str> {
    LINES
        .iter()
        .find(|(known, _)| *known == id)
        .map(|(_, text)| *text)
}

/// The ids of such findings.
pub(crate) fn line_rules() -> impl Iterator<Item = &'static str> {
    LINES.iter().map(|(id, _)| *id)
}

pub(super) fn run(global: &Global, topic: Option<&str>, out: &mut Out) -> Result<u8, Failure> {
    let text = match topic {
        None => contents(),
        Some("exit") => exits(),
        Some("driver") => driver(),
        Some(topic) => match fixed(topic) {
            Some(text) => text,
            None => of_library(&cases::load(global)?, topic)?,
        },
    };
    write!(out, "{}", plugfest_reports::visible(&text))?;
    Ok(exit::OK)
}

/// What needs no case to be explained.
fn fixed(topic: &str) -> Option<String> {
    if let Some(info) = rules::find(topic) {
        return Some(rule(info));
    }
    if let Some(text) = line_rule(topic) {
        return Some(format!(
            "{topic}: a finding of a line of the case\n\n{}",
            wrapped(text)
        ));
    }
    if let Some(found) = Verdict::ALL.into_iter().find(|it| it.as_str() == topic) {
        return Some(format!("{topic}\n\n{}", wrapped(verdict(found))));
    }
    if let Some(text) = topic.parse().ok().and_then(exit::explain) {
        return Some(format!("exit code {topic}\n\n{}", wrapped(text)));
    }
    verbs::find(topic).map(action)
}

fn of_library(library: &Library, topic: &str) -> Result<String, Failure> {
    if let Ok(found) = super::show::find(library, topic) {
        return Ok(found.into_iter().map(case).collect::<Vec<_>>().join("\n"));
    }
    for loaded in library.cases() {
        if let Some(code) = library.facts(&loaded.protocol).pics.get(topic) {
            let of = code.of.as_deref().unwrap_or("either side");
            let default = code
                .default
                .as_ref()
                .map_or_else(String::new, |it| format!("Without an answer: {it}.\n"));
            return Ok(format!(
                "{topic}: a PICS question about {of} ({})\n\n{}\n{default}",
                loaded.protocol, code.question
            ));
        }
    }
    let mut known: Vec<&str> = rules::all()
        .iter()
        .map(|rule| rule.id)
        .chain(line_rules())
        .collect();
    known.extend(VERBS.iter().map(|it| it.name));
    known.extend(Verdict::ALL.map(Verdict::as_str));
    known.extend(["exit", "driver"]);
    known.extend(library.facts("OCPP-1.6").pics.keys().map(String::as_str));
    known.extend(library.cases().map(|it| it.case.id.as_str()));
    let near = did_you_mean(topic, known);
    Err(Failure::usage(format!("nothing is known about `{topic}`"))
        .hint(near.unwrap_or_else(|| "`plugfest explain` without a word lists what there is".to_owned())))
}

fn contents() -> String {
    let mut text = "plugfest explain WORD, where the word is\n\na rule that is always on\n".to_owned();
    let rows = rules::all()
        .iter()
        .map(|rule| vec![format!("  {}", rule.id), rule.title.to_owned()]);
    text.push_str(&table(&rows.collect::<Vec<_>>()));
    let listed =
        |heading: &str, words: Vec<&str>| format!("\n{heading}\n{}", wrapped_with(&words.join("  "), "  "));
    text.push_str(&listed("a finding of a line of the case", line_rules().collect()));
    text.push_str(&listed("a verdict", Verdict::ALL.map(Verdict::as_str).to_vec()));
    let codes: Vec<String> = exit::BY_RANK.iter().map(u8::to_string).collect();
    text.push_str(&listed(
        "an exit code, or `exit` for all",
        codes.iter().map(String::as_str).collect(),
    ));
    text.push_str(&listed(
        "an action of the driver, or `driver` for all",
        VERBS.iter().map(|it| it.name).collect(),
    ));
    text.push_str("\na case by id, an official id, or a PICS code\n");
    text
}

fn rule(info: &RuleInfo) -> String {
    let editions = if info.editions.is_empty() {
        "every edition".to_owned()
    } else {
        info.editions.join(", ")
    };
    format!(
        "{}: {}\n\nclause    {}\nlevel     {} (a breach gives {})\neditions  {editions}\n\n{}",
        info.id,
        info.title,
        info.clause,
        info.level.as_str(),
        info.level.verdict(),
        wrapped(info.explain),
    )
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Skipped => "You chose not to run it. It counts neither way.",
        Verdict::NotApplicable => {
            "The PICS answers say that the case does not concern this device; the report names the term that decided. \
             It counts neither way."
        }
        Verdict::Pass => "Every line of the device was met, every check holds, and no rule found anything.",
        Verdict::Warn => {
            "The device departed from a SHOULD, from one reading of a contested clause, or shows a known quirk. \
             With --strict it fails."
        }
        Verdict::Inconclusive => {
            "The device went away for reasons that the case is not about, or the story was not finished. Nothing is \
             proven either way; run it again."
        }
        Verdict::Blocked => {
            "A state that the case starts from could not be reached, or the driver lacks an action. Nothing was found \
             out about the device."
        }
        Verdict::Error => {
            "The harness, the profile or the case file is at fault, never the device. A case that asserted nothing is \
             an error too."
        }
        Verdict::Fail => {
            "The device broke a MUST. The finding names the clause, the frame and the JSON pointer."
        }
    }
}

fn exits() -> String {
    let mut codes = exit::BY_RANK;
    codes.sort_unstable();
    let mut text = String::new();
    for code in codes {
        let meaning = exit::explain(code).unwrap_or_default();
        let lines = wrapped_with(meaning, "     ");
        // Writing to a string cannot fail.
        let _always = write!(text, "{code:<5}{}", lines.trim_start());
    }
    let order: Vec<String> = exit::BY_RANK.iter().map(u8::to_string).collect();
    let _always = writeln!(
        text,
        "\nWhere several apply, the first of these is given: {}.",
        order.join(", ")
    );
    text
}

fn driver() -> String {
    let mut text = format!(
        "The actions of the driver API, version {API_VERSION}. A back-end gets the name and the arguments as JSON; \
         docs/driver.md says how.\nArguments in brackets may be left out; `=>` returns a value.\n\n"
    );
    let row = |verb: &VerbSpec| vec![format!("  {}", signature(verb)), meaning(verb).to_owned()];
    text.push_str(&table(&VERBS.iter().map(row).collect::<Vec<_>>()));
    text
}

fn action(verb: &VerbSpec) -> String {
    let returns = if verb.reads {
        "It returns a value, which is evidence of its own kind.\n"
    } else {
        ""
    };
    format!(
        "{}: an action of the driver, done at the {}\n\n{}\n{returns}",
        signature(verb),
        verb.side,
        meaning(verb)
    )
}

/// What a person is told to do.
fn meaning(verb: &VerbSpec) -> &'static str {
    instruction(verb.name).unwrap_or("A person cannot do it.")
}

fn signature(verb: &VerbSpec) -> String {
    let optional = verb.optional.iter().map(|name| format!("[{name}]"));
    let arguments: Vec<String> = verb
        .required
        .iter()
        .map(|&name| name.to_owned())
        .chain(optional)
        .collect();
    format!(
        "{}({}){}",
        verb.name,
        arguments.join(", "),
        if verb.reads { " =>" } else { "" }
    )
}

fn case(loaded: &Loaded) -> String {
    let case = &loaded.case;
    let mut rows = vec![vec!["clauses".to_owned(), catalogue::clauses(loaded).join(", ")]];
    let mut row = |name: &str, text: String| {
        if !text.is_empty() {
            rows.push(vec![name.to_owned(), text]);
        }
    };
    row("covers", catalogue::all_covers(case).join(", "));
    let requires = case
        .header
        .requires
        .as_ref()
        .and_then(|it| loaded.text.get(it.span.range()));
    row("requires", requires.unwrap_or_default().to_owned());
    let sides = case
        .header
        .tests
        .as_ref()
        .map(|sides| sides.iter().map(|it| it.text.as_str()).collect::<Vec<_>>());
    row(
        "tests",
        sides.map_or_else(|| "station and csms".to_owned(), |sides| sides.join(" and ")),
    );
    row("file", loaded.path.clone());
    let mut text = format!("{}: {}\n\n{}", case.id, case.title, table(&rows));
    for note in &case.header.notes {
        let kind = if note.derived {
            "Derived from the clauses, no published text: "
        } else {
            ""
        };
        let _always = write!(text, "\n{}", wrapped(&format!("{kind}{}", note.text)));
    }
    if !case.comments.is_empty() {
        let _always = write!(text, "\n{}", wrapped(&case.comments.join(" ")));
    }
    let _always = writeln!(text, "\n`plugfest show {} --diagram` shows its story.", case.id);
    text
}

fn wrapped(text: &str) -> String {
    wrapped_with(text, "")
}

/// Words in lines of at most [`WIDTH`] characters, each line behind `indent`.
fn wrapped_with(text: &str, indent: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() + indent.len() > WIDTH {
            let _always = writeln!(lines, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _always = writeln!(lines, "{indent}{line}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_verdict_code_and_action_is_explained() {
        let words = rules::all()
            .iter()
            .map(|rule| rule.id)
            .chain(line_rules())
            .chain(VERBS.iter().map(|it| it.name));
        for word in words.chain(Verdict::ALL.map(Verdict::as_str)) {
            let text = fixed(word).unwrap_or_else(|| panic!("{word} is not explained"));
            assert!(text.contains(word) && text.len() > word.len() + 20, "{text}");
        }
        for code in exit::BY_RANK {
            assert!(fixed(&code.to_string()).is_some() && exits().contains(&code.to_string()));
        }
        assert_eq!(fixed("no/such-rule"), None);
    }

    #[test]
    fn text_is_wrapped_between_words() {
        let text = wrapped_with(&"word ".repeat(60), "  ");
        assert!(
            text.lines()
                .all(|line| line.starts_with("  word") && line.chars().count() <= WIDTH)
        );
        assert_eq!(text.split_whitespace().count(), 60);
    }
}
