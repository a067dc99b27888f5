//! The one canonical layout: two blanks for each block, speakers and verbs in one column, comments and paragraphs
//! kept. What `plugfest fmt` writes.

mod doc;
mod value;

use doc::{Doc, WIDTH, put};
use value::{expr, given, payload, picks, quoted, timing};

use crate::diagnostic::Diagnostic;
use crate::ir::{
    Answer, AnswerForm, Call, Case, File, Given, Item, Kind, Link, Many, Mods, Never, NeverScope, Set,
    Speaker, SpecRef, State, Stmt, Until, Welcome, WelcomeForm,
};
use crate::parse;

/// The least column at which the text behind a speaker or verb begins.
const COLUMN: usize = "station: ".len();

/// Formats the text of a file; refused where it does not parse.
pub fn format(path: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let (file, found) = parse::parse(path, text);
    let (errors, _): (Vec<_>, Vec<_>) = found.into_iter().partition(Diagnostic::is_error);
    if errors.is_empty() {
        Ok(print(&file))
    } else {
        Err(errors)
    }
}

/// A file as text.
pub fn print(file: &File) -> String {
    let mut out = String::new();
    for (i, item) in file.items.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        match item {
            Item::Case(case) => Printer::new(&[&case.body, &case.finally]).case(case, &mut out),
            Item::State(state) => {
                let ways: Vec<&[Stmt]> = state.ways.iter().map(|w| w.body.as_slice()).collect();
                Printer::new(&ways).state(state, &mut out);
            }
        }
    }
    if !file.tail.is_empty() {
        if !file.items.is_empty() {
            out.push('\n');
        }
        comments(&file.tail, 0, &mut out);
    }
    out
}

/// One statement on one line, as a diagram or table shows it; blocks give their first line.
pub(crate) fn head_line(stmt: &Stmt) -> String {
    let printer = Printer { column: 0 };
    match Printer::block_head(stmt) {
        Some(head) => format!("{head}{}", suffix(&stmt.mods, true)),
        None => printer.line(stmt).flat(),
    }
}

/// What stands behind the speaker of a line, without the speaker.
pub(crate) fn spoken(kind: &Kind) -> Option<(&Speaker, String)> {
    match kind {
        Kind::Call(call) => Some((&call.speaker, message(call, true).flat())),
        Kind::Answer(answer) => Some((&answer.speaker, answer_text(answer).flat())),
        Kind::Connect(peer) => Some((
            &peer.speaker,
            format!("Connect {}", payload(&peer.payload).flat()),
        )),
        Kind::Close(peer) => Some((&peer.speaker, format!("Close {}", payload(&peer.payload).flat()))),
        Kind::Welcome(welcome) => Some((&welcome.speaker, welcome_text(welcome).flat())),
        Kind::Raw { speaker, bytes, text } => Some((speaker, format!("raw {}", raw_text(*bytes, text)))),
        _ => None,
    }
}

fn raw_text(bytes: bool, text: &crate::ir::Expr) -> String {
    let lead = if bytes { "bytes " } else { "" };
    format!("{lead}{}", expr(text))
}

/// The modifiers of a line as text, with a blank before each.
pub(crate) fn modifiers(mods: &Mods) -> String {
    suffix(mods, true)
}

/// One item of `given` as text.
pub(crate) fn given_text(g: &Given) -> String {
    given(g).flat()
}

/// A text as a literal of the language.
pub(crate) fn literal(text: &str) -> String {
    quoted(text)
}

/// A PICS expression as text.
pub(crate) fn pics_text(pics: &crate::ir::Pics) -> String {
    value::pics(pics, 0)
}

/// A value expression as text.
pub(crate) fn expr_text(e: &crate::ir::Expr) -> String {
    expr(e)
}

/// True where an `optional` or `many` stands on one line with its exchange.
pub(crate) fn is_one_line(stmt: &Stmt) -> bool {
    one_line_body(stmt).is_some()
}

struct Printer {
    column: usize,
}

fn comments(lines: &[String], indent: usize, out: &mut String) {
    for line in lines {
        let blank = if line.is_empty() { "" } else { " " };
        put(out, &format!("{:indent$}#{blank}{line}\n", ""));
    }
}

fn trailing(comment: Option<&String>, out: &mut String) {
    match comment {
        Some(text) if text.is_empty() => out.push_str(" #\n"),
        Some(text) => put(out, &format!(" # {text}\n")),
        None => out.push('\n'),
    }
}

fn speaker(s: &Speaker) -> String {
    if s.number == 1 {
        s.role.clone()
    } else {
        format!("{}#{}", s.role, s.number)
    }
}

impl Printer {
    fn new(stories: &[&[Stmt]]) -> Self {
        let widest = stories
            .iter()
            .flat_map(|s| s.iter())
            .map(widest)
            .max()
            .unwrap_or(0);
        Self {
            column: COLUMN.max(widest),
        }
    }

    fn lead(&self, word: &str) -> String {
        format!("{word:<width$}", width = self.column)
    }

    // --- items ---

    fn case(&self, case: &Case, out: &mut String) {
        comments(&case.comments, 0, out);
        put(out, &format!("case {} {}\n", case.id, quoted(&case.title)));
        let header = &case.header;
        Self::specs(&header.spec, self.column, out);
        let mut line = |word: &str, items: &[Doc]| Self::header_list(word, items, self.column, out);
        let covers: Vec<Doc> = header.covers.iter().map(|c| Doc::text(&c.id)).collect();
        line("covers", &covers);
        if let Some(requires) = &header.requires {
            line("requires", &[Doc::text(value::pics(&requires.expr, 0))]);
        }
        line("given", &header.given.iter().map(given).collect::<Vec<_>>());
        if let Some(tests) = &header.tests {
            line(
                "tests",
                &tests.iter().map(|w| Doc::text(&w.text)).collect::<Vec<_>>(),
            );
        }
        for each in &header.for_each {
            let values: Vec<String> = each.values.iter().map(expr).collect();
            line(
                "for",
                &[Doc::text(format!(
                    "{} in [{}]",
                    each.name.text,
                    values.join(", ")
                ))],
            );
        }
        if let Some(level) = &header.level {
            line("level", &[Doc::text(&level.text)]);
        }
        for note in &header.notes {
            let derived = if note.derived { "derived " } else { "" };
            line("note", &[Doc::text(format!("{derived}{}", quoted(&note.text)))]);
        }
        if header.strict {
            out.push_str("  strict\n");
        }
        self.lines(&case.body, 2, out);
        if !case.finally.is_empty() {
            out.push_str("finally\n");
            self.lines(&case.finally, 2, out);
        }
        out.push_str("end\n");
    }

    fn specs(specs: &[SpecRef], column: usize, out: &mut String) {
        for spec in specs {
            let clauses: Vec<String> = spec.clauses.iter().map(|c| quoted(c)).collect();
            let space = if clauses.is_empty() { "" } else { " " };
            let text = format!("{}{space}{}", spec.document, clauses.join(", "));
            Self::header_list("spec", &[Doc::text(text)], column, out);
        }
    }

    /// `word a, b`, one item per line where they do not fit.
    fn header_list(word: &str, items: &[Doc], column: usize, out: &mut String) {
        if items.is_empty() {
            return;
        }
        let column = column.max(word.len() + 1);
        let flat: Vec<String> = items.iter().map(Doc::flat).collect();
        let one_line = format!("  {word:<column$}{}", flat.join(", "));
        if one_line.chars().count() <= WIDTH || items.len() == 1 && !matches!(items[0], Doc::Cat(_)) {
            put(out, &format!("{one_line}\n"));
            return;
        }
        for (i, item) in items.iter().enumerate() {
            let lead = if i == 0 { word } else { "" };
            let comma = if i + 1 < items.len() { "," } else { "" };
            let text = item.render(2 + column + comma.len(), 2 + column);
            put(out, &format!("  {lead:<column$}{text}{comma}\n"));
        }
    }

    fn state(&self, state: &State, out: &mut String) {
        comments(&state.comments, 0, out);
        let word = if state.phrase { "phrase" } else { "state" };
        let params: Vec<&str> = state.params.iter().map(|p| p.text.as_str()).collect();
        let params = if params.is_empty() {
            String::new()
        } else {
            format!("({})", params.join(", "))
        };
        put(
            out,
            &format!("{word} {}{params} {}\n", state.name.text, quoted(&state.title)),
        );
        let column = if state.phrase {
            self.column
        } else {
            let words = [
                ("spec", !state.spec.is_empty()),
                ("given", !state.given.is_empty()),
                ("probe", state.probe.is_some()),
                ("exports", !state.exports.is_empty()),
            ];
            words
                .iter()
                .filter(|(_, there)| *there)
                .map(|(w, _)| w.len() + 1)
                .max()
                .unwrap_or(0)
        };
        Self::specs(&state.spec, column, out);
        Self::header_list(
            "given",
            &state.given.iter().map(given).collect::<Vec<_>>(),
            column,
            out,
        );
        if let Some(probe) = &state.probe {
            Self::header_list("probe", &[Doc::text(&probe.text)], column, out);
        }
        let exports = state
            .exports
            .iter()
            .map(|e| Doc::text(format!("{} = {}", e.name.text, e.value.text)));
        Self::header_list("exports", &exports.collect::<Vec<_>>(), column, out);
        for way in &state.ways {
            if state.phrase {
                self.lines(&way.body, 2, out);
                continue;
            }
            let title = way
                .title
                .as_ref()
                .map(|t| format!(" {}", quoted(t)))
                .unwrap_or_default();
            put(out, &format!("  reach{title}\n"));
            self.lines(&way.body, 4, out);
            out.push_str("  end\n");
        }
        out.push_str("end\n");
    }

    // --- lines ---

    fn lines(&self, body: &[Stmt], indent: usize, out: &mut String) {
        for (i, stmt) in body.iter().enumerate() {
            if stmt.layout.gap {
                out.push('\n');
            }
            comments(&stmt.comments, indent, out);
            let answered = body.get(i + 1).is_some_and(is_answer);
            self.stmt(stmt, indent, answered, out);
            comments(&stmt.layout.below, indent, out);
        }
    }

    fn stmt(&self, stmt: &Stmt, indent: usize, answered: bool, out: &mut String) {
        if let Some(first) = one_line_body(stmt)
            && !answered
        {
            return self.one_line(stmt, first, indent, out);
        }
        if let Kind::Either { branches } = &stmt.kind {
            for (i, branch) in branches.iter().enumerate() {
                let nothing = branch
                    .nothing_within
                    .as_ref()
                    .map(|d| format!(" nothing within {}", expr(d)))
                    .unwrap_or_default();
                let head = if i == 0 {
                    format!("either{}", suffix(&stmt.mods, true))
                } else {
                    format!("or{nothing}")
                };
                put(out, &format!("{:indent$}{head}", ""));
                trailing(branch.trailing.as_ref(), out);
                self.lines(&branch.body, indent + 2, out);
            }
            put(out, &format!("{:indent$}end", ""));
            return trailing(stmt.trailing.as_ref(), out);
        }
        if let Some(head) = Self::block_head(stmt) {
            put(out, &format!("{:indent$}{head}", ""));
            trailing(stmt.trailing.as_ref(), out);
            for body in stmt.kind.bodies() {
                self.lines(body, indent + 2, out);
            }
            put(out, &format!("{:indent$}end\n", ""));
            return;
        }
        let line = self.line(stmt);
        if let Kind::Never(never) = &stmt.kind
            && indent + line.flat().chars().count() > WIDTH
        {
            return self.never_block(stmt, never, indent, out);
        }
        put(out, &format!("{:indent$}{}", "", line.render(indent, indent)));
        trailing(stmt.trailing.as_ref(), out);
    }

    fn one_line(&self, stmt: &Stmt, first: &Stmt, indent: usize, out: &mut String) {
        let mut bare = Printer { column: 0 }.line(first);
        let mut parts = vec![Doc::text(format!("{} ", one_line_head(stmt)))];
        if let Kind::Many(many) = &stmt.kind {
            // `as LIST` stands with the modifiers of the exchange, `until` behind them.
            let mut with_list = first.clone();
            with_list.mods.bind.clone_from(&stmt.mods.bind);
            bare = Printer { column: 0 }.line(&with_list);
            parts.push(bare);
            parts.extend(until(&many.until));
        } else {
            parts.push(bare);
        }
        put(
            out,
            &format!("{:indent$}{}", "", Doc::Cat(parts).render(indent, indent)),
        );
        trailing(stmt.trailing.as_ref(), out);
        let rest = stmt.kind.bodies().first().map_or(&[][..], |body| &body[1..]);
        self.lines(rest, indent, out);
    }

    fn never_block(&self, stmt: &Stmt, never: &Never, indent: usize, out: &mut String) {
        let head = format!("never {}{}", scope(&never.scope), suffix(&stmt.mods, true));
        put(out, &format!("{:indent$}{head}\n", ""));
        for call in &never.calls {
            let lead = self.lead(&format!("{}:", speaker(&call.speaker)));
            let line = Doc::Cat(vec![Doc::text(lead), message(call, false)]);
            put(
                out,
                &format!(
                    "{:deep$}{}\n",
                    "",
                    line.render(indent + 2, indent + 2),
                    deep = indent + 2
                ),
            );
        }
        put(out, &format!("{:indent$}end", ""));
        trailing(stmt.trailing.as_ref(), out);
    }

    /// The first line of a block; `None` for what is no block.
    fn block_head(stmt: &Stmt) -> Option<String> {
        let head = match &stmt.kind {
            Kind::AnyOrder { .. } => "any order".to_owned(),
            Kind::InOrder { .. } => "in order".to_owned(),
            Kind::Either { .. } => "either".to_owned(),
            Kind::Optional { .. } => "optional".to_owned(),
            Kind::Many(many) => {
                let tail: String = until(&many.until).iter().map(Doc::flat).collect();
                return Some(format!("{}{}{tail}", many_head(many), suffix(&stmt.mods, true)));
            }
            Kind::Repeat { times, .. } => format!("repeat {}", expr(times)),
            Kind::Each { var, set, except, .. } => {
                let except = except
                    .as_ref()
                    .map(|e| format!(" except {}", expr(e)))
                    .unwrap_or_default();
                format!("each {} in {}{except}", var.text, set_text(set))
            }
            Kind::If { fact, .. } => format!("if {}", fact.text),
            _ => return None,
        };
        Some(format!("{head}{}", suffix(&stmt.mods, true)))
    }

    /// A line that is no block, with its modifiers.
    fn line(&self, stmt: &Stmt) -> Doc {
        let mods = &stmt.mods;
        let plain = |lead: &str, rest: Doc| vec![Doc::text(self.lead(&format!("{lead} "))), rest];
        let mut parts = match &stmt.kind {
            Kind::Act(verb) => plain("act", value::verb(verb)),
            Kind::Operate(verb) => plain("operate", value::verb(verb)),
            Kind::Run(verb) => plain("run", value::verb(verb)),
            Kind::Link(link) => plain("link", Doc::text(link_text(*link))),
            Kind::Wait { time } => plain("wait", Doc::text(expr(time))),
            Kind::Check(cel) => plain("check", Doc::text(&cel.text)),
            Kind::Do(Given::State(state)) if state.args.is_empty() && state.bind.is_none() => {
                plain("do", Doc::text(format!("{}()", state.name.text)))
            }
            Kind::Do(target) => plain("do", given(target)),
            Kind::Raw {
                speaker: who,
                bytes,
                text,
            } => plain(
                "raw",
                Doc::text(format!("{} {}", speaker(who), raw_text(*bytes, text))),
            ),
            Kind::Never(never) => plain("never", never_line(never)),
            _ => {
                let Some((who, _)) = spoken(&stmt.kind) else {
                    return Doc::text(head_line(stmt));
                };
                let flags = [("eventually", mods.eventually), ("unprompted", mods.unprompted)];
                let flags = flags
                    .iter()
                    .filter(|(_, on)| *on)
                    .map(|(w, _)| *w)
                    .fold(String::new(), |all, w| all + w + " ");
                let lead = format!("{}: ", speaker(who));
                let lead = if flags.is_empty() {
                    self.lead(&lead)
                } else {
                    format!("{flags}{lead}")
                };
                let mut parts = vec![Doc::text(lead), spoken_doc(&stmt.kind)];
                parts.push(Doc::text(suffix(mods, false)));
                return Doc::Cat(parts);
            }
        };
        parts.push(Doc::text(suffix(mods, true)));
        Doc::Cat(parts)
    }
}

/// The widest lead of a statement and of all inside it, with its blank.
fn widest(stmt: &Stmt) -> usize {
    let own = spoken(&stmt.kind).map_or(0, |(who, _)| speaker(who).len() + 2);
    stmt.kind
        .bodies()
        .into_iter()
        .flatten()
        .map(widest)
        .max()
        .unwrap_or(0)
        .max(own)
}

fn is_answer(stmt: &Stmt) -> bool {
    matches!(stmt.kind, Kind::Answer(_) | Kind::Welcome(_))
}

/// The exchange of an `optional` or `many` that can be written on one line with it.
fn one_line_body(stmt: &Stmt) -> Option<&Stmt> {
    let (body, mods_fit) = match &stmt.kind {
        Kind::Optional { body } => (body, stmt.mods == Mods::default()),
        Kind::Many(many) => {
            let list_only = Mods {
                bind: stmt.mods.bind.clone(),
                ..Mods::default()
            };
            let inner_free = many.body.first().is_some_and(|s| s.mods.bind.is_none());
            (&many.body, stmt.mods == list_only && inner_free)
        }
        _ => return None,
    };
    let (first, rest) = body.split_first()?;
    let asks = matches!(first.kind, Kind::Call(_) | Kind::Connect(_) | Kind::Raw { .. });
    let simple = asks || (first.kind.bodies().is_empty() && !is_answer(first) && rest.is_empty());
    let bare = first.comments.is_empty()
        && first.trailing.is_none()
        && !first.layout.gap
        && first.layout.below.is_empty();
    (mods_fit && simple && bare && rest.iter().all(is_answer)).then_some(first)
}

fn one_line_head(stmt: &Stmt) -> String {
    match &stmt.kind {
        Kind::Many(many) => many_head(many),
        _ => "optional".to_owned(),
    }
}

fn many_head(many: &Many) -> String {
    let text = |e: &Option<crate::ir::Expr>| e.as_ref().map(expr).unwrap_or_default();
    match (&many.min, &many.max) {
        (None, None) => "many".to_owned(),
        (Some(min), Some(max)) if expr(min) == expr(max) => format!("many ({})", expr(min)),
        (min, max) => format!("many ({}..{})", text(min), text(max)),
    }
}

fn until(until: &Until) -> Vec<Doc> {
    match until {
        Until::Next => Vec::new(),
        Until::Quiet(time) => vec![Doc::text(format!(" until quiet {}", expr(time)))],
        Until::Fits(object) => vec![Doc::text(" until "), payload(object)],
    }
}

fn set_text(set: &Set) -> String {
    match set {
        Set::Connectors { from: 1 } => "connectors()".to_owned(),
        Set::Connectors { from } => format!("connectors({from}..)"),
        Set::List(items) => format!("[{}]", items.iter().map(expr).collect::<Vec<_>>().join(", ")),
        Set::Value(value) => expr(value),
    }
}

fn link_text(link: Link) -> String {
    match link {
        Link::Drop => "drop".to_owned(),
        Link::Close(code) => format!("close {code}"),
        Link::Refuse => "refuse".to_owned(),
        Link::Accept => "accept".to_owned(),
    }
}

fn spoken_doc(kind: &Kind) -> Doc {
    match kind {
        Kind::Call(call) => message(call, true),
        Kind::Answer(answer) => answer_text(answer),
        Kind::Connect(peer) => Doc::Cat(vec![Doc::text("Connect "), payload(&peer.payload)]),
        Kind::Close(peer) => Doc::Cat(vec![Doc::text("Close "), payload(&peer.payload)]),
        Kind::Welcome(welcome) => welcome_text(welcome),
        _ => Doc::text(""),
    }
}

/// `Action(which) { what }`; empty braces only where a line needs them.
fn message(call: &Call, braces: bool) -> Doc {
    let mut parts = vec![Doc::text(&call.action.text)];
    parts.extend(call.picks.as_ref().map(picks));
    let empty = call.payload.fields.is_empty() && call.payload.same_as.is_empty() && !call.payload.exactly;
    if braces || !empty {
        parts.push(Doc::text(" "));
        parts.push(payload(&call.payload));
    }
    Doc::Cat(parts)
}

fn answer_text(answer: &Answer) -> Doc {
    let to = answer
        .to
        .as_ref()
        .map(|t| format!("to {} ", t.text))
        .unwrap_or_default();
    let mut parts = vec![Doc::text(format!("=> {to}"))];
    for (i, form) in answer.forms.iter().enumerate() {
        if i > 0 {
            parts.push(Doc::text(" or "));
        }
        parts.push(match form {
            AnswerForm::Result(object) => payload(object),
            AnswerForm::Error { code } => {
                Doc::Cat(vec![Doc::text("error "), Doc::text(value::pattern(code).flat())])
            }
            AnswerForm::Silence => Doc::text("silence"),
        });
    }
    Doc::Cat(parts)
}

fn welcome_text(welcome: &Welcome) -> Doc {
    match &welcome.how {
        WelcomeForm::Accept(object)
            if object.fields.is_empty() && object.same_as.is_empty() && !object.exactly =>
        {
            Doc::text("=> accept")
        }
        WelcomeForm::Accept(object) => Doc::Cat(vec![Doc::text("=> accept "), payload(object)]),
        WelcomeForm::RefuseTcp => Doc::text("=> refuse"),
        WelcomeForm::RefuseHttp(code) => Doc::text(format!("=> refuse http {}", expr(code))),
        WelcomeForm::RefuseTls(fault) => Doc::text(format!("=> refuse tls({})", fault.text)),
    }
}

fn never_line(never: &Never) -> Doc {
    let mut parts = Vec::new();
    let mut last: Option<(&str, u32)> = None;
    for call in &never.calls {
        if !parts.is_empty() {
            parts.push(Doc::text(", "));
        }
        let who = (call.speaker.role.as_str(), call.speaker.number);
        if last != Some(who) {
            parts.push(Doc::text(format!("{}: ", speaker(&call.speaker))));
        }
        last = Some(who);
        parts.push(message(call, false));
    }
    parts.push(Doc::text(format!(" {}", scope(&never.scope))));
    Doc::Cat(parts)
}

fn scope(scope: &NeverScope) -> String {
    match scope {
        NeverScope::For(time) => format!("for {}", expr(time)),
        NeverScope::UntilEnd => "until end".to_owned(),
    }
}

/// The modifiers behind a line; `eventually` and `unprompted` stand before a spoken one.
fn suffix(mods: &Mods, all: bool) -> String {
    let mut out = String::new();
    let mut add = |text: String| {
        out.push(' ');
        out.push_str(&text);
    };
    if let Some(bind) = &mods.bind {
        add(format!("as {}", bind.text));
    }
    if let Some(within) = &mods.within {
        add(format!("within {}", expr(within)));
    }
    if let Some(after) = &mods.after {
        add(format!("after {}", timing(after)));
    }
    if let Some(every) = &mods.every {
        add(format!("every {}", timing(every)));
    }
    if mods.eventually && all {
        add("eventually".to_owned());
    }
    if mods.unprompted && all {
        add("unprompted".to_owned());
    }
    if mods.should {
        add("should".to_owned());
    }
    if let Some(per) = &mods.per {
        add(format!("per {}", quoted(per)));
    }
    if mods.at_once {
        add("at once".to_owned());
    }
    out
}
