//! The lines of a case that the DUT has to say, from the IR alone: what each demands, whom a failure may name, and
//! which clause it has to cite (rule 13). Nothing here is asked of the conversation: it is what that is held against.

use plugfest_case::ir::{
    Answer, ArrayItem, Call, Cel, Given, Kind, ObjectPattern, Pattern, Span, Stmt, Until, WelcomeForm,
    is_transfer,
};
use plugfest_case::{Library, Loaded};
use plugfest_judge::LineRef;
use plugfest_protocol::Edition;

/// A line of the DUT.
#[derive(Debug, Clone)]
pub(super) struct DutLine<'l> {
    pub(super) at: LineRef,
    pub(super) span: Span,
    pub(super) says: Says<'l>,
    /// A breach warns only.
    pub(super) should: bool,
    /// `after` or `every` stands on it.
    pub(super) earliest: Option<Earliest>,
    /// Its CALL has a place in the order of its phase (rule 5).
    pub(super) ordered: bool,
    /// It opens a block that the DUT may leave out altogether.
    pub(super) may_stay_away: bool,
    /// The names that its message binds.
    pub(super) binds: Vec<&'l str>,
    /// Where a finding may stand and what it then cites; the line itself first, then the blocks around it.
    pub(super) blame: Vec<Blame>,
}

/// What kind of line it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Says<'l> {
    /// A CALL.
    Call(&'l Call),
    /// The answer to a CALL of ours.
    Answer(&'l Answer, &'l str),
    /// The answer to a CALL of ours below which no answer line stands (rule 1).
    Accepts(&'l str),
    /// An evaluated expression.
    Check(&'l Cel),
    /// A message that must not come.
    Never,
    /// A connection that the DUT opens.
    Connect,
    /// A file transfer that the DUT begins; true where it has to go across whole.
    Transfer(&'l Call, bool),
}

/// Which earliest moment a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Earliest {
    /// `after D`: counted from when its time began to run.
    After,
    /// `every D`: counted from the message of the same action before it.
    Every,
}

/// A place that a finding may name, with the clause that it then cites.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blame {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) clause: String,
}

/// All lines of one side in the body of a case, phrases unrolled; a phrase used twice gives its lines twice.
pub(super) fn lines_of<'l>(
    library: &'l Library,
    loaded: &'l Loaded,
    edition: &'static Edition,
    dut: &'l str,
) -> Vec<DutLine<'l>> {
    let spec = loaded.case.header.spec.first();
    let mut walk = Walk {
        library,
        loaded,
        edition,
        dut,
        level_should: loaded
            .case
            .header
            .level
            .as_ref()
            .is_some_and(|l| l.text == "should"),
        first_clause: spec.map_or_else(String::new, |s| {
            format!("{} {}", s.document, s.clauses.first().map_or("", String::as_str))
        }),
        named: Vec::new(),
        lists: Vec::new(),
        order: Order::AsWritten,
        found: Vec::new(),
    };
    walk.body(&loaded.case.body, (&loaded.path, &loaded.text), &[], false, 0);
    walk.found
}

/// Line and column of an offset, and the author's text there.
pub(super) fn line_ref((path, text): (&str, &str), offset: u32) -> LineRef {
    let before = text.get(..offset as usize).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    LineRef {
        file: path.to_owned(),
        line: before.matches('\n').count() as u32 + 1,
        column: (offset as usize - start) as u32 + 1,
        text: text[start..].lines().next().unwrap_or_default().trim().to_owned(),
    }
}

/// Phrases that use phrases go no deeper than this; a cycle is a load error.
pub(super) const MAX_DEPTH: usize = 16;

type File<'l> = (&'l str, &'l str);

struct Walk<'l> {
    library: &'l Library,
    loaded: &'l Loaded,
    edition: &'static Edition,
    dut: &'l str,
    level_should: bool,
    first_clause: String,
    /// CALLs by the name that they were bound to.
    named: Vec<(&'l str, &'l str)>,
    /// The list names of the `many`s around.
    lists: Vec<&'l str>,
    order: Order,
    found: Vec<DutLine<'l>>,
}

/// How a block orders its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AsWritten,
    Pinned,
    /// `any order`, and blocks whose members need not come at all.
    Free,
}

impl<'l> Walk<'l> {
    fn body(&mut self, body: &'l [Stmt], file: File<'l>, around: &[Blame], optional: bool, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let mut above: Option<&'l Call> = None;
        for (i, stmt) in body.iter().enumerate() {
            // Only what opens an optional block may stay away: from there on the rest is owed.
            let opens = optional && i == 0;
            if let (Kind::Call(call), Some(name)) = (&stmt.kind, &stmt.mods.bind) {
                self.named.push((&name.text, &call.action.text));
            }
            match &stmt.kind {
                Kind::Call(call) if is_transfer(&call.action.text) => {
                    if call.speaker.role == self.dut {
                        let whole = matches!(
                            body.get(i + 1).map(|s| &s.kind),
                            Some(Kind::Welcome(welcome)) if matches!(welcome.how, WelcomeForm::Accept(_))
                        );
                        self.add(stmt, file, around, Says::Transfer(call, whole), None, opens);
                    }
                    above = None;
                }
                Kind::Call(call) if call.speaker.role == self.dut => {
                    self.add(
                        stmt,
                        file,
                        around,
                        Says::Call(call),
                        Some(&call.action.text),
                        opens,
                    );
                    above = None;
                }
                Kind::Call(call) => {
                    above = Some(call);
                    if !is_answered(body.get(i + 1)) {
                        let says = Says::Accepts(&call.action.text);
                        self.add(stmt, file, around, says, Some(&call.action.text), false);
                    }
                }
                Kind::Answer(answer) if answer.speaker.role == self.dut => {
                    let named = answer.to.as_ref().and_then(|to| {
                        let hit = self.named.iter().rev().find(|(name, _)| *name == to.text);
                        hit.map(|(_, action)| *action)
                    });
                    let action = named
                        .or(above.map(|c| c.action.text.as_str()))
                        .unwrap_or_default();
                    self.add(
                        stmt,
                        file,
                        around,
                        Says::Answer(answer, action),
                        Some(action),
                        false,
                    );
                }
                Kind::Check(cel) => self.add(stmt, file, around, Says::Check(cel), None, false),
                Kind::Never(never) if never.calls.iter().any(|c| c.speaker.role == self.dut) => {
                    let action = never.calls.first().map(|c| c.action.text.as_str());
                    self.add(stmt, file, around, Says::Never, action, false);
                }
                Kind::Connect(peer) if peer.speaker.role == self.dut => {
                    self.add(stmt, file, around, Says::Connect, None, opens);
                }
                Kind::Do(Given::State(reference)) => {
                    let state = self.library.state(&self.loaded.protocol, &reference.name.text);
                    if let Some(phrase) = state.filter(|s| s.state.phrase) {
                        let file = (phrase.path.as_str(), phrase.text.as_ref());
                        for way in &phrase.state.ways {
                            self.body(&way.body, file, around, opens, depth + 1);
                        }
                    }
                }
                Kind::AnyOrder { body } | Kind::InOrder { body } => {
                    let around = self.within(stmt, file, around);
                    let pinned = matches!(stmt.kind, Kind::InOrder { .. });
                    let order = if pinned { Order::Pinned } else { Order::Free };
                    let outer = std::mem::replace(&mut self.order, order);
                    self.body(body, file, &around, opens, depth + 1);
                    self.order = outer;
                }
                Kind::Repeat { body, .. } | Kind::Each { body, .. } | Kind::If { body, .. } => {
                    self.body(body, file, around, opens, depth + 1);
                }
                Kind::Optional { body } => {
                    let around = self.within(stmt, file, around);
                    let outer = std::mem::replace(&mut self.order, Order::Free);
                    self.body(body, file, &around, true, depth + 1);
                    self.order = outer;
                }
                Kind::Many(many) => {
                    let around = self.within(stmt, file, around);
                    let outer = std::mem::replace(&mut self.order, Order::Free);
                    let free = many.min.is_none() && !matches!(many.until, Until::Fits(_));
                    let list = stmt.mods.bind.as_ref().map(|name| name.text.as_str());
                    let before = self.lists.len();
                    self.lists.extend(list);
                    self.body(&many.body, file, &around, opens || free, depth + 1);
                    self.lists.truncate(before);
                    self.order = outer;
                }
                Kind::Either { branches } => {
                    let around = self.within(stmt, file, around);
                    let outer = std::mem::replace(&mut self.order, Order::Free);
                    let nothing = branches.iter().any(|b| b.nothing_within.is_some());
                    for branch in branches {
                        let before = self.found.len();
                        self.body(&branch.body, file, &around, opens || nothing, depth + 1);
                        // A branch may open with the answer to the CALL above the block.
                        for line in &mut self.found[before..] {
                            if let (Says::Answer(answer, ""), Some(call)) = (line.says, above) {
                                let action = &self.edition;
                                line.says = Says::Answer(answer, &call.action.text);
                                if let (Some(own), Some(action)) =
                                    (line.blame.first_mut(), action.action(&call.action.text))
                                    && own.clause.is_empty()
                                {
                                    own.clause.clone_from(&action.clause);
                                }
                            }
                        }
                    }
                    self.order = outer;
                }
                _ => {}
            }
        }
    }

    /// What stands around the members of a block: the block itself and what stands around it.
    fn within(&self, stmt: &Stmt, file: File<'_>, around: &[Blame]) -> Vec<Blame> {
        let at = line_ref(file, stmt.span.start);
        let mut all = vec![Blame {
            file: at.file,
            line: at.line,
            clause: stmt.mods.per.clone().unwrap_or_else(|| self.first_clause.clone()),
        }];
        all.extend_from_slice(around);
        all
    }

    /// The names that the message of a line binds.
    fn binds(&self, stmt: &'l Stmt, says: &Says<'l>) -> Vec<&'l str> {
        let mut all = self.lists.clone();
        all.extend(stmt.mods.bind.as_ref().map(|name| name.text.as_str()));
        for pattern in braces(says) {
            bound_in(pattern, &mut all);
        }
        all
    }

    fn add(
        &mut self,
        stmt: &'l Stmt,
        file: File<'l>,
        around: &[Blame],
        says: Says<'l>,
        action: Option<&str>,
        may_stay_away: bool,
    ) {
        let at = line_ref(file, stmt.span.start);
        let clause = match (&stmt.mods.per, action) {
            (Some(per), _) => per.clone(),
            // The action of an answer that opens a branch is known to its block.
            (None, Some("")) => String::new(),
            (None, Some(action)) => self
                .edition
                .action(action)
                .map_or_else(|| self.first_clause.clone(), |a| a.clause.clone()),
            (None, None) => self.first_clause.clone(),
        };
        let mut blame = vec![Blame {
            file: at.file.clone(),
            line: at.line,
            clause,
        }];
        blame.extend_from_slice(around);
        self.found.push(DutLine {
            at,
            span: stmt.span,
            says,
            should: stmt.mods.should || self.level_should,
            earliest: match (&stmt.mods.after, &stmt.mods.every) {
                (Some(timing), _) => bounded(timing).then_some(Earliest::After),
                (None, Some(timing)) => bounded(timing).then_some(Earliest::Every),
                (None, None) => None,
            },
            ordered: match says {
                Says::Call(call) => {
                    let free = self
                        .edition
                        .action(&call.action.text)
                        .is_some_and(|a| a.free_order);
                    self.order == Order::Pinned || (self.order == Order::AsWritten && !free)
                }
                _ => false,
            },
            may_stay_away,
            binds: self.binds(stmt, &says),
            blame,
        });
    }
}

fn bound_in<'l>(object: &'l ObjectPattern, all: &mut Vec<&'l str>) {
    for field in &object.fields {
        bound_by(&field.pattern, all);
    }
}

fn bound_by<'l>(pattern: &'l Pattern, all: &mut Vec<&'l str>) {
    match pattern {
        Pattern::Bind(inner, name) => {
            all.push(&name.text);
            bound_by(inner, all);
        }
        Pattern::OneOf(options) => options.iter().for_each(|p| bound_by(p, all)),
        Pattern::Each(inner) => bound_by(inner, all),
        Pattern::Object(object) => bound_in(object, all),
        Pattern::Array(array) => {
            for item in &array.items {
                if let ArrayItem::Item(item) = item {
                    bound_by(item, all);
                }
            }
        }
        _ => {}
    }
}

/// False where the author's tolerance is the whole duration: then only the latest moment is meant.
fn bounded(timing: &plugfest_case::ir::Timing) -> bool {
    timing
        .tolerance
        .as_ref()
        .is_none_or(|t| t.kind != timing.value.kind)
}

/// True where the CALL above has an answer line, or an `either` that opens with one.
fn is_answered(next: Option<&Stmt>) -> bool {
    match next.map(|s| &s.kind) {
        Some(Kind::Answer(answer)) => answer.to.is_none(),
        Some(Kind::Either { branches }) => branches
            .iter()
            .any(|b| matches!(b.body.first().map(|s| &s.kind), Some(Kind::Answer(a)) if a.to.is_none())),
        _ => false,
    }
}

/// The braces of a CALL line or of the plain result of an answer line.
pub(super) fn braces<'l>(says: &Says<'l>) -> Vec<&'l ObjectPattern> {
    match says {
        Says::Call(call) | Says::Transfer(call, _) => vec![&call.payload],
        Says::Answer(answer, _) => answer
            .forms
            .iter()
            .filter_map(|form| match form {
                plugfest_case::ir::AnswerForm::Result(pattern) => Some(pattern),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
