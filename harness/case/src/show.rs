//! A case for people's eyes: as a sequence diagram, as the numbered two-column table that test documents use, as JSON.

use crate::ir::{Case, Given, Kind, Speaker, Stmt};
use crate::lex::ROLES;
use crate::print;

/// Characters between the two lifelines of a diagram.
const SPAN: usize = 72;

/// The IR of a case as indented JSON, places included.
pub fn json(case: &Case) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(case)
}

/// A sequence diagram in text.
pub fn diagram(case: &Case) -> String {
    let sides = sides(case);
    let mut out = Diagram {
        sides: sides.clone(),
        lines: Vec::new(),
    };
    out.lines.push(format!("{}  {}", case.id, case.title));
    out.lines.push(String::new());
    let gap = SPAN.saturating_sub(sides.1.chars().count() / 2);
    out.lines.push(format!("{:<gap$}  {}", sides.0, sides.1));
    for given in &case.header.given {
        out.note(0, &format!("given {}", given_text(given)));
    }
    out.body(&case.body, 0);
    if !case.finally.is_empty() {
        out.note(0, "finally");
        out.body(&case.finally, 0);
    }
    let mut text: String = out
        .lines
        .iter()
        .map(|line| line.trim_end())
        .collect::<Vec<_>>()
        .join("\n");
    text.push('\n');
    text
}

/// The table of a test document, in Markdown: a number, what the one side does, what the other.
pub fn table(case: &Case) -> String {
    let sides = sides(case);
    let mut out = format!("# {} — {}\n\n", case.id, case.title);
    let header = &case.header;
    for spec in &header.spec {
        out.push_str(&cell(&format!(
            "- Clauses: {} {}",
            spec.document,
            spec.clauses.join(", ")
        )));
        out.push('\n');
    }
    if !header.covers.is_empty() {
        let ids: Vec<&str> = header.covers.iter().map(|c| c.id.as_str()).collect();
        out.push_str(&format_line("Covers", &ids.join(", ")));
    }
    if let Some(requires) = &header.requires {
        out.push_str(&format_line("Applies if", &print::pics_text(&requires.expr)));
    }
    if !header.given.is_empty() {
        let given: Vec<String> = header.given.iter().map(given_text).collect();
        out.push_str(&format_line("Before", &given.join(", ")));
    }
    for note in &header.notes {
        out.push_str(&format_line(
            if note.derived { "Derived" } else { "Note" },
            &note.text,
        ));
    }
    out.push('\n');
    row("#", &sides.0, &sides.1, &mut out);
    out.push_str("|---|---|---|\n");
    rows(&case.body, "", &sides, &mut out);
    if !case.finally.is_empty() {
        out.push_str("| | *finally* | |\n");
        rows(&case.finally, "f", &sides, &mut out);
    }
    out
}

fn format_line(name: &str, text: &str) -> String {
    format!("- {name}: {}\n", cell(text))
}

/// The two sides: of those that speak, the first in the order of the roles, and the other.
fn sides(case: &Case) -> (String, String) {
    fn collect<'s>(body: &'s [Stmt], found: &mut Vec<&'s str>) {
        for stmt in body {
            if let Some((speaker, _)) = print::spoken(&stmt.kind) {
                found.push(&speaker.role);
            }
            for body in stmt.kind.bodies() {
                collect(body, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(&case.body, &mut found);
    let mut main = ROLES
        .iter()
        .filter(|role| !["files", "ca"].contains(role) && found.contains(role));
    let left = main.next().copied().unwrap_or("station");
    let other = match left {
        "station" => "csms",
        "cpo" => "emsp",
        _ => "station",
    };
    (left.to_owned(), main.next().copied().unwrap_or(other).to_owned())
}

fn given_text(given: &Given) -> String {
    print::given_text(given)
}

fn name(speaker: &Speaker) -> String {
    if speaker.number == 1 {
        speaker.role.clone()
    } else {
        format!("{} {}", speaker.role, speaker.number)
    }
}

// --- the diagram ---

struct Diagram {
    sides: (String, String),
    lines: Vec<String>,
}

impl Diagram {
    fn body(&mut self, body: &[Stmt], depth: usize) {
        for stmt in body {
            self.stmt(stmt, depth);
        }
    }

    fn stmt(&mut self, stmt: &Stmt, depth: usize) {
        if let Kind::Either { branches } = &stmt.kind {
            for (i, branch) in branches.iter().enumerate() {
                let word = if i == 0 { "either" } else { "or" };
                let nothing = if branch.nothing_within.is_some() {
                    " (nothing came)"
                } else {
                    ""
                };
                self.note(depth, &format!("{word}{nothing}"));
                self.body(&branch.body, depth + 1);
            }
            return self.note(depth, "end");
        }
        let inner = stmt.kind.bodies();
        if !inner.is_empty() {
            self.note(depth, &print::head_line(stmt));
            for body in inner {
                self.body(body, depth + 1);
            }
            return self.note(depth, "end");
        }
        match print::spoken(&stmt.kind) {
            Some((speaker, text)) if !matches!(stmt.kind, Kind::Raw { .. }) => {
                let answer = matches!(stmt.kind, Kind::Answer(_) | Kind::Welcome(_));
                let mods = print::modifiers(&stmt.mods);
                self.arrow(speaker, &format!("{text}{mods}"), answer, depth);
            }
            _ => self.note(depth, &print::head_line(stmt)),
        }
    }

    fn arrow(&mut self, speaker: &Speaker, text: &str, answer: bool, depth: usize) {
        let to_the_right = speaker.role == self.sides.0;
        let outsider = !to_the_right && speaker.role != self.sides.1;
        let named = if outsider || speaker.number > 1 {
            format!("{}: {text}", name(speaker))
        } else {
            text.to_owned()
        };
        self.note(depth, &named);
        if outsider {
            return;
        }
        let line = if answer { '╌' } else { '─' };
        let shaft: String = std::iter::repeat_n(line, SPAN - 1).collect();
        self.lines.push(if to_the_right {
            format!("│{shaft}▶│")
        } else {
            format!("│◀{shaft}│")
        });
    }

    /// Text between the lifelines, broken where it is too long.
    fn note(&mut self, depth: usize, text: &str) {
        let indent = 2 * depth + 1;
        let room = SPAN.saturating_sub(indent + 1).max(20);
        for line in wrap(text, room) {
            self.lines
                .push(format!("│{:indent$}{line:<width$}│", "", width = SPAN - indent));
        }
    }
}

/// Breaks at blanks, inside a word only where it is longer than a line.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        while !word.is_empty() {
            // Invariant: there is always a last line.
            let last = lines.len() - 1;
            let used = lines[last].chars().count();
            let blank = usize::from(used > 0);
            if used + blank + word.len() <= room {
                if used > 0 {
                    lines[last].push(' ');
                }
                lines[last].extend(word.drain(..));
            } else if used > 0 {
                lines.push(String::new());
            } else {
                lines[last].extend(word.drain(..room));
            }
        }
    }
    lines
}

// --- the table ---

fn rows(body: &[Stmt], prefix: &str, sides: &(String, String), out: &mut String) {
    let mut number = 0;
    for stmt in body {
        let answer = matches!(stmt.kind, Kind::Answer(_) | Kind::Welcome(_));
        number += usize::from(!answer || number == 0);
        let step = if prefix.is_empty() {
            number.to_string()
        } else {
            format!("{prefix}.{number}")
        };
        if let Kind::Either { branches } = &stmt.kind {
            for (branch, letter) in branches.iter().zip('a'..) {
                let word = if letter == 'a' { "either" } else { "or" };
                let nothing = if branch.nothing_within.is_some() {
                    ", if nothing came"
                } else {
                    ""
                };
                row(&format!("{step}{letter}"), &format!("*{word}{nothing}*"), "", out);
                rows(&branch.body, &format!("{step}{letter}"), sides, out);
            }
            continue;
        }
        let inner = stmt.kind.bodies();
        if !inner.is_empty() {
            row(&step, &format!("*{}*", cell(&print::head_line(stmt))), "", out);
            for body in inner {
                rows(body, &step, sides, out);
            }
            continue;
        }
        let shown = if answer { "" } else { step.as_str() };
        let (text, right) = match print::spoken(&stmt.kind) {
            Some((speaker, text)) => {
                let main = speaker.role == sides.0 || speaker.role == sides.1;
                let named = if main {
                    text
                } else {
                    format!("{}: {text}", name(speaker))
                };
                (
                    format!("{named}{}", print::modifiers(&stmt.mods)),
                    speaker.role != sides.0,
                )
            }
            None => (print::head_line(stmt), matches!(stmt.kind, Kind::Operate(_))),
        };
        let text = format!("`{}`", cell(&text));
        let (left, right) = if right {
            ("", text.as_str())
        } else {
            (text.as_str(), "")
        };
        row(shown, left, right, out);
    }
}

fn row(number: &str, left: &str, right: &str, out: &mut String) {
    let cells = [number, left, right].map(|c| {
        if c.is_empty() {
            String::new()
        } else {
            format!(" {c}")
        }
    });
    out.push('|');
    for cell in cells {
        out.push_str(&cell);
        out.push_str(" |");
    }
    out.push('\n');
}

/// Text that cannot leave its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('`', "'")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Item;
    use crate::parse;

    fn case(text: &str) -> Case {
        let (file, found) = parse("t", text);
        assert_eq!(found, []);
        match file.items.into_iter().next() {
            Some(Item::Case(case)) => case,
            other => panic!("{other:?}"),
        }
    }

    const TEXT: &str = "case a/b \"Title\"\n  spec OCPP-1.6 \"5.11\"\n  covers TC_1\n  requires A or B\n  given booted\n\n  act ev.plug()\n  station: StatusNotification(connectorId: 1) { status: Preparing } within 3s\n  csms: Reset { type: Hard }\n  either\n    station: => { status: Accepted }\n    optional station: Close {} within 3s\n  or\n    station: => error any\n  end\nfinally\n  do idle()\nend\n";

    #[test]
    fn a_table_numbers_both_sides() {
        let expected = "# a/b — Title\n\n- Clauses: OCPP-1.6 5.11\n- Covers: TC_1\n- Applies if: A or B\n- Before: booted\n\n| # | station | csms |\n|---|---|---|\n| 1 | `act ev.plug()` | |\n| 2 | `StatusNotification(connectorId: 1) { status: Preparing } within 3s` | |\n| 3 | | `Reset { type: Hard }` |\n| 4a | *either* | |\n| | `=> { status: Accepted }` | |\n| 4a.2 | *optional* | |\n| 4a.2.1 | `Close {} within 3s` | |\n| 4b | *or* | |\n| | `=> error any` | |\n| | *finally* | |\n| f.1 | `do idle()` | |\n";
        assert_eq!(table(&case(TEXT)), expected);
    }

    #[test]
    fn a_diagram_points_from_who_speaks() {
        let shown = diagram(&case(TEXT));
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[2].starts_with("station") && lines[2].ends_with("csms"),
            "{shown}"
        );
        let after = |text: &str| {
            let at = lines
                .iter()
                .position(|l| l.contains(text))
                .unwrap_or_else(|| panic!("{text}: {shown}"));
            lines[at + 1]
        };
        assert!(after("StatusNotification").ends_with("▶│"), "{shown}");
        assert!(after("Reset").starts_with("│◀──"), "{shown}");
        assert!(after("=> { status: Accepted }").ends_with("╌▶│"), "{shown}");
        let drawn = &lines[3..];
        assert!(drawn.iter().all(|l| l.chars().count() == SPAN + 2), "{shown}");
        assert!(shown.contains("either") && shown.contains("finally"));
    }

    #[test]
    fn long_words_are_broken() {
        let word = "x".repeat(200);
        let text = format!("case a \"t\"\n  station: A {{ b: \"{word}\" }}\nend\n");
        let shown = diagram(&case(&text));
        assert!(
            shown.lines().skip(3).all(|l| l.chars().count() == SPAN + 2),
            "{shown}"
        );
        assert_eq!(shown.matches('x').count(), 200);
    }

    #[test]
    fn json_is_the_ir() {
        let text = json(&case(TEXT)).expect("the IR is plain data");
        let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(value["id"], "a/b");
        assert_eq!(value["body"][0]["kind"]["kind"], "act");
        assert!(value["body"][0].get("layout").is_none());
    }
}
