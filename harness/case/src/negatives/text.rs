//! The cases of the family as text.

use plugfest_protocol::{Action, Edition, Frame, Json, Part, Role, ViolationClass};
use rayon::prelude::*;

use super::form::{Form, Frames, Receiver};
use super::payload::{legal, mistakes};
use crate::diagnostic::Diagnostic;
use crate::ir::Span;
use crate::library::Source;
use crate::print::literal;
use crate::raw::FRESH_ID;

/// A character that is repeated more often than this is written as a product.
const LONG_RUN: usize = 40;

/// The files of the family that a `negatives.toml` describes.
pub(crate) fn sources(file: &Source) -> Result<Vec<Source>, Box<Diagnostic>> {
    let form = Form::parse(&file.path, &file.text)?;
    let wrong = |message: String| {
        Box::new(Diagnostic::error(
            "negatives",
            &file.path,
            Span::default(),
            message,
        ))
    };
    let edition = Edition::by_name(&form.protocol)
        .ok_or_else(|| wrong(format!("there is no catalogue of {}", form.protocol)))?;
    let mut named = form.payload.keys().chain(&form.harmful);
    if let Some(unknown) = named.find(|name| edition.action(name).is_none()) {
        return Err(wrong(format!("{} has no action `{unknown}`", form.protocol)));
    }
    let folder = file.path.strip_suffix(super::FILE).unwrap_or_default();
    let mut made = Vec::new();
    for (role, receiver) in &form.receiver {
        let Some(us) = edition
            .roles()
            .into_iter()
            .find(|r| r.as_str() == role)
            .map(Role::other)
        else {
            return Err(wrong(format!("{} has no side `{role}`", form.protocol)));
        };
        let family = Family {
            edition,
            form: &form,
            role,
            us,
            receiver,
        };
        let files = family.cases().into_iter().map(|(name, text)| {
            let path = format!("{folder}negative/{role}-{name}.case");
            Source::new(path, text)
        });
        made.extend(files);
    }
    Ok(made)
}

struct Family<'f> {
    edition: &'static Edition,
    form: &'f Form,
    /// The side under test.
    role: &'f str,
    /// The side that sends.
    us: Role,
    receiver: &'f Receiver,
}

impl Family<'_> {
    fn cases(&self) -> Vec<(String, String)> {
        let sent = self.edition.actions().par_iter();
        let mut cases: Vec<_> = sent
            .filter(|action| action.may_be_sent_by(self.us, Part::Request))
            .map(|action| self.action(action))
            .collect();
        cases.push(("actions".to_owned(), self.actions()));
        cases.extend(self.form.frames.iter().map(|group| self.frames(group)));
        cases
    }

    /// An action with every mistake.
    fn action(&self, action: &Action) -> (String, String) {
        let mut found = mistakes(self.edition, action, self.form.payload.get(&action.name));
        if self.form.harmful.contains(&action.name) {
            found.retain(|mistake| !is_often_taken(mistake.class));
        }
        let lines = found.iter().map(|mistake| {
            let place = if mistake.pointer.is_empty() {
                String::new()
            } else {
                format!("{}: ", mistake.pointer)
            };
            let what = format!("{place}{}", mistake.what);
            self.call(&action.name, &mistake.payload, &what)
        });
        let (document, clause) = action.clause.split_once(' ').unwrap_or((&action.clause, ""));
        let title = format!("A wrong {} is refused and changes nothing", action.name);
        let spec = [(document, vec![clause]), self.general()];
        let name = kebab(&action.name);
        let text = self.case(&name, &title, &spec, found.len(), lines.collect());
        (name, text)
    }

    /// A group of wrong frames.
    fn frames(&self, group: &Frames) -> (String, String) {
        let mut lines = String::new();
        for frame in &group.frame {
            lines.push_str(&self.raw(&written(frame), &frame.what));
            if let Some(pause) = &group.pause {
                lines.push_str(&line("wait", pause));
            }
            lines.push_str(&indented(&self.receiver.works));
        }
        let name = format!("frame-{}", group.id);
        let clauses = group.clauses.iter().map(String::as_str).collect();
        let spec = [
            (self.form.protocol.as_str(), Vec::new()),
            (self.form.clauses.document.as_str(), clauses),
        ];
        let text = self.case(&name, &group.title, &spec, group.frame.len(), lines);
        (name, text)
    }

    fn general(&self) -> (&str, Vec<&str>) {
        let general = &self.form.clauses;
        (
            &general.document,
            general.clauses.iter().map(String::as_str).collect(),
        )
    }

    /// Actions that nobody has, and those that only the other side may send.
    fn actions(&self) -> String {
        let actions = &self.form.actions;
        let mut lines = String::new();
        for name in &actions.names {
            lines.push_str(&self.call(name, &Json::empty(), "no such action"));
        }
        let backwards = self
            .edition
            .actions()
            .iter()
            .filter(|action| !action.may_be_sent_by(self.us, Part::Request));
        let mut count = actions.names.len();
        for action in backwards {
            let what = format!("an action that the {} sends", self.role);
            lines.push_str(&self.call(&action.name, &legal(action), &what));
            count += 1;
        }
        let clauses = actions.clauses.iter().map(String::as_str).collect();
        let document = self.form.clauses.document.as_str();
        let spec = [(self.form.protocol.as_str(), Vec::new()), (document, clauses)];
        self.case("actions", &actions.title, &spec, count, lines)
    }

    /// One line that sends a CALL.
    fn call(&self, action: &str, payload: &Json, what: &str) -> String {
        let frame = Frame::Call {
            id: FRESH_ID.to_owned(),
            action: action.to_owned(),
            payload: payload.clone(),
        };
        self.raw(&quoted(&frame.to_text()), what)
    }

    fn raw(&self, frame: &str, what: &str) -> String {
        line("raw", &format!("{} {frame} # {what}", self.us))
    }

    fn case(
        &self,
        name: &str,
        title: &str,
        spec: &[(&str, Vec<&str>)],
        count: usize,
        lines: String,
    ) -> String {
        let Receiver {
            given, opens, closes, ..
        } = self.receiver;
        let mut text = format!("case negative/{}-{name} {}\n", self.role, literal(title));
        for (document, clauses) in spec {
            let clauses: Vec<String> = clauses.iter().map(|c| literal(c)).collect();
            text.push_str(&line(
                "spec",
                format!("{document} {}", clauses.join(", ")).trim_end(),
            ));
        }
        let note = format!("{count} frames with one mistake each, made from the catalogue");
        text.push_str(&line("requires", "Core"));
        text.push_str(&line("given", given));
        text.push_str(&line("tests", self.role));
        text.push_str(&line("note", &format!("derived {}", literal(&note))));
        for part in [&indented(opens), &lines, &indented(closes)] {
            text.push('\n');
            text.push_str(part);
        }
        text.push_str("end\n");
        text
    }
}

/// True for mistakes that many receivers overlook.
fn is_often_taken(class: ViolationClass) -> bool {
    use ViolationClass::{DuplicateKey, IntegerSpelling, TooLong, UnknownProperty};
    matches!(class, DuplicateKey | IntegerSpelling | TooLong | UnknownProperty)
}

/// A line of a case in the layout of `plugfest fmt`.
fn line(word: &str, rest: &str) -> String {
    format!("  {word:<8} {rest}\n")
}

fn indented(lines: &str) -> String {
    let lines: Vec<String> = lines.lines().map(|line| format!("  {line}\n")).collect();
    lines.concat()
}

/// A text between quotes, long runs of a character as products.
fn quoted(text: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut plain = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let mut count = 1;
        while rest.next_if_eq(&c).is_some() {
            count += 1;
        }
        if count > LONG_RUN {
            if !plain.is_empty() {
                parts.push(literal(&plain));
                plain.clear();
            }
            parts.push(format!("{} * {count}", literal(&c.to_string())));
        } else {
            plain.extend(std::iter::repeat_n(c, count));
        }
    }
    if !plain.is_empty() || parts.is_empty() {
        parts.push(literal(&plain));
    }
    parts.join(" + ")
}

fn written(frame: &super::form::Frame) -> String {
    if let Some(hex) = &frame.hex {
        return format!("bytes {}", literal(hex));
    }
    let Some(times) = &frame.times else {
        return literal(&frame.text);
    };
    let mut parts = Vec::new();
    if !frame.text.is_empty() {
        parts.push(literal(&frame.text));
    }
    parts.push(format!("{} * {}", literal(&times.text), times.n));
    if !frame.end.is_empty() {
        parts.push(literal(&frame.end));
    }
    parts.join(" + ")
}

/// `remote-start-transaction` of `RemoteStartTransaction`.
fn kebab(name: &str) -> String {
    let mut made = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !made.is_empty() {
            made.push('-');
        }
        made.push(c.to_ascii_lowercase());
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_products() {
        assert_eq!(quoted("ab"), "\"ab\"");
        assert_eq!(
            quoted(&format!("a{}b", "x".repeat(41))),
            "\"a\" + \"x\" * 41 + \"b\""
        );
        assert_eq!(quoted(&"é".repeat(50)), "\"é\" * 50");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("it's"), "\"it's\"");
    }

    #[test]
    fn names_become_words() {
        assert_eq!(kebab("RemoteStartTransaction"), "remote-start-transaction");
        assert_eq!(kebab("Reset"), "reset");
    }
}
