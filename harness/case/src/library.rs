//! All cases, states and phrases with what they may name: loaded once, from the texts alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plugfest_protocol::Edition;
use rayon::prelude::*;

use crate::diagnostic::Diagnostic;
use crate::facts::Facts;
use crate::ir::{Case, File, Given, Item, Kind, Span, SpecRef, State, Stmt};
use crate::natives::Natives;
use crate::negatives;
use crate::parse;

/// One text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path, as people should see it: `testcases/ocpp1.6/core/boot.case`.
    pub path: String,
    /// Its content.
    pub text: Arc<str>,
}

/// A case with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The case.
    pub case: Arc<Case>,
    /// The path of its file.
    pub path: String,
    /// The text of its file.
    pub text: Arc<str>,
    /// The protocol: `OCPP-1.6`; empty where neither `spec` nor a `facts.toml` beside it says.
    pub protocol: String,
}

/// A state or phrase with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedState {
    /// The state.
    pub state: Arc<State>,
    /// The path of its file.
    pub path: String,
    /// The text of its file.
    pub text: Arc<str>,
    /// The protocol that it belongs to.
    pub protocol: String,
}

/// Everything that was loaded.
#[derive(Debug, Default)]
pub struct Library {
    cases: BTreeMap<String, Loaded>,
    states: BTreeMap<(String, String), LoadedState>,
    facts: BTreeMap<String, Facts>,
    facts_files: BTreeMap<String, Vec<Source>>,
    texts: BTreeMap<String, Arc<str>>,
    generated: BTreeSet<String>,
    natives: Natives,
}

impl Source {
    /// A source from its parts.
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }
}

impl Loaded {
    /// The catalogue of its protocol; `None` for an edition that has none yet.
    pub fn edition(&self) -> Option<&'static Edition> {
        Edition::by_name(&self.protocol)
    }
}

impl Library {
    /// Loads files: `*.case`, `*.state`, `facts.toml`, `negatives.toml`; others are passed over. The diagnostics say everything that is
    /// wrong with them, references between files included; with an error among them nothing should be run.
    pub fn load(sources: impl IntoIterator<Item = Source>, natives: &Natives) -> (Self, Vec<Diagnostic>) {
        let mut library = Self {
            natives: natives.clone(),
            ..Self::default()
        };
        let mut found = Vec::new();
        let mut sources: Vec<Source> = sources.into_iter().collect();
        library.expand(&mut sources, &mut found);
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        let mut folders = BTreeMap::new();
        for source in &sources {
            library
                .texts
                .insert(source.path.clone(), Arc::clone(&source.text));
            if file_name(&source.path) == "facts.toml" {
                match library.add_facts(source) {
                    Ok(protocol) => {
                        folders.insert(folder(&source.path).to_owned(), protocol);
                    }
                    Err(faults) => found.extend(faults),
                }
            }
        }
        let written: Vec<&Source> = sources
            .iter()
            .filter(|source| matches!(extension(&source.path), Some("case" | "state")))
            .collect();
        let read: Vec<_> = written
            .par_iter()
            .map(|source| parse::parse(&source.path, &source.text))
            .collect();
        for (source, (file, faults)) in written.into_iter().zip(read) {
            found.extend(faults);
            library.add_file(source, file, &folders, &mut found);
        }
        found.extend(crate::check::check(&library));
        found.sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
        (library, found)
    }

    /// Adds the files of the families that are described instead of written.
    fn expand(&mut self, sources: &mut Vec<Source>, found: &mut Vec<Diagnostic>) {
        let families = sources
            .iter()
            .filter(|source| file_name(&source.path) == negatives::FILE);
        let mut made = Vec::new();
        for family in families {
            match negatives::sources(family) {
                Ok(files) => made.extend(files),
                Err(fault) => {
                    self.texts.insert(family.path.clone(), Arc::clone(&family.text));
                    found.push(*fault);
                }
            }
        }
        self.generated
            .extend(made.iter().map(|source| source.path.clone()));
        sources.extend(made);
    }

    /// True for a file that was made from the catalogue instead of being written.
    pub fn is_generated(&self, path: &str) -> bool {
        self.generated.contains(path)
    }

    /// True for a case that is played against a device only and never against itself: our side says what no device says
    /// (frames that are wrong on purpose, another identity or password, a version that does not exist), or the driver
    /// reads what nobody but a device has.
    pub fn is_for_devices(&self, loaded: &Loaded) -> bool {
        self.is_generated(&loaded.path) || needs_device(&loaded.case.body)
    }

    fn add_facts(&mut self, source: &Source) -> Result<String, Vec<Diagnostic>> {
        let (protocol, facts) = Facts::parse(&source.path, &source.text)?;
        let twice = self.facts.entry(protocol.clone()).or_default().merge(facts);
        self.facts_files
            .entry(protocol.clone())
            .or_default()
            .push(source.clone());
        if twice.is_empty() {
            return Ok(protocol);
        }
        let message = format!(
            "declared by another facts.toml of {protocol} already: {}",
            twice.join(", ")
        );
        Err(vec![Diagnostic::error(
            "duplicate",
            &source.path,
            Span::default(),
            message,
        )])
    }

    fn add_file(
        &mut self,
        source: &Source,
        file: File,
        folders: &BTreeMap<String, String>,
        found: &mut Vec<Diagnostic>,
    ) {
        let beside = folder_protocol(&source.path, folders);
        for item in file.items {
            match item {
                Item::Case(case) => self.add_case(case, source, &beside, found),
                Item::State(state) => self.add_state(state, source, &beside, found),
            }
        }
    }

    fn add_case(&mut self, case: Case, source: &Source, beside: &str, found: &mut Vec<Diagnostic>) {
        let protocol = case
            .header
            .spec
            .first()
            .map_or(beside, |s| protocol_of(&s.document))
            .to_owned();
        if let Some(first) = self.cases.get(&case.id) {
            let message = format!("the id `{}` is taken by a case of {}", case.id, first.path);
            found.push(Diagnostic::error("duplicate", &source.path, case.head, message));
            return;
        }
        let (path, text) = (source.path.clone(), Arc::clone(&source.text));
        let id = case.id.clone();
        self.cases.insert(
            id,
            Loaded {
                case: Arc::new(case),
                path,
                text,
                protocol,
            },
        );
    }

    fn add_state(&mut self, state: State, source: &Source, beside: &str, found: &mut Vec<Diagnostic>) {
        let protocol = state
            .spec
            .first()
            .map_or(beside, |s| protocol_of(&s.document))
            .to_owned();
        let protocol = if beside.is_empty() {
            protocol
        } else {
            beside.to_owned()
        };
        let key = (protocol.clone(), state.name.text.clone());
        if let Some(first) = self.states.get(&key) {
            let message = format!(
                "the name `{}` is taken by a state of {}",
                state.name.text, first.path
            );
            found.push(Diagnostic::error(
                "duplicate",
                &source.path,
                state.name.span,
                message,
            ));
            return;
        }
        let (path, text) = (source.path.clone(), Arc::clone(&source.text));
        self.states.insert(
            key,
            LoadedState {
                state: Arc::new(state),
                path,
                text,
                protocol,
            },
        );
    }

    /// The case of that id.
    pub fn case(&self, id: &str) -> Option<&Loaded> {
        self.cases.get(id)
    }

    /// All cases, ordered by id.
    pub fn cases(&self) -> impl ExactSizeIterator<Item = &Loaded> {
        self.cases.values()
    }

    /// The state or phrase of that name.
    pub fn state(&self, protocol: &str, name: &str) -> Option<&LoadedState> {
        self.states.get(&(protocol.to_owned(), name.to_owned()))
    }

    /// All states and phrases, ordered by protocol and name.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &LoadedState> {
        self.states.values()
    }

    /// What the cases of a protocol may name; empty for one without `facts.toml`.
    pub fn facts(&self, protocol: &str) -> &Facts {
        static NONE: std::sync::LazyLock<Facts> = std::sync::LazyLock::new(Facts::default);
        self.facts.get(protocol).unwrap_or(&NONE)
    }

    /// What Rust offers.
    pub fn natives(&self) -> &Natives {
        &self.natives
    }

    /// The content of a loaded file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(AsRef::as_ref)
    }

    /// The line of a loaded file in which a span begins, trimmed.
    pub fn line_text(&self, path: &str, span: Span) -> Option<&str> {
        let text = self.text(path)?;
        let before = text.get(..span.start as usize)?;
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        text[start..].lines().next().map(str::trim)
    }

    /// The files that a case needs besides its own: those of every state and phrase that it can come to, and the
    /// `facts.toml` of its protocol. Loading its own file and these gives the case again.
    pub fn states_used_by(&self, loaded: &Loaded) -> Vec<Source> {
        let mut names = BTreeSet::new();
        let mut open: Vec<String> = case_references(&loaded.case);
        while let Some(name) = open.pop() {
            let Some(state) = self.state(&loaded.protocol, &name) else {
                continue;
            };
            if names.insert(name) {
                open.extend(state_references(&state.state));
            }
        }
        let mut sources: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for name in names {
            if let Some(state) = self.state(&loaded.protocol, &name) {
                sources.insert(state.path.clone(), Arc::clone(&state.text));
            }
        }
        sources.remove(&loaded.path);
        let facts = self
            .facts_files
            .get(&loaded.protocol)
            .into_iter()
            .flatten()
            .cloned();
        facts
            .chain(sources.into_iter().map(|(path, text)| Source { path, text }))
            .collect()
    }
}

/// `OCPP-1.6` of `OCPP-1.6-security`.
pub fn protocol_of(document: &str) -> &str {
    match document.match_indices('-').nth(1) {
        Some((end, _)) => &document[..end],
        None => document,
    }
}

/// The names of states and phrases that a case names itself.
pub(crate) fn case_references(case: &Case) -> Vec<String> {
    let mut names: Vec<String> = given_references(&case.header.given);
    for stmt in case.body.iter().chain(&case.finally) {
        stmt_references(stmt, &mut names);
    }
    names
}

/// The names of states and phrases that a state names itself.
pub(crate) fn state_references(state: &State) -> Vec<String> {
    let mut names = given_references(&state.given);
    for stmt in state.ways.iter().flat_map(|way| &way.body) {
        stmt_references(stmt, &mut names);
    }
    names
}

/// Every clause that a case cites, with its document: those of its header, then those of its lines.
pub fn cited(case: &Case) -> Vec<String> {
    let mut clauses = of_header(&case.header.spec);
    for stmt in case.body.iter().chain(&case.finally) {
        stmt_citations(stmt, &mut clauses);
    }
    clauses
}

/// Every clause that a state or phrase cites, as [`cited`] gives them.
pub fn cited_by_state(state: &State) -> Vec<String> {
    let mut clauses = of_header(&state.spec);
    for stmt in state.ways.iter().flat_map(|way| &way.body) {
        stmt_citations(stmt, &mut clauses);
    }
    clauses
}

fn of_header(spec: &[SpecRef]) -> Vec<String> {
    spec.iter()
        .flat_map(|s| s.clauses.iter().map(|clause| format!("{} {clause}", s.document)))
        .collect()
}

fn stmt_citations(stmt: &Stmt, clauses: &mut Vec<String>) {
    clauses.extend(stmt.mods.per.clone());
    stmt.kind
        .bodies()
        .into_iter()
        .flatten()
        .for_each(|s| stmt_citations(s, clauses));
}

fn given_references(given: &[Given]) -> Vec<String> {
    let states = given.iter().filter_map(|g| match g {
        Given::State(reference) => Some(reference.name.text.clone()),
        Given::Config { .. } => None,
    });
    states.collect()
}

fn stmt_references(stmt: &Stmt, names: &mut Vec<String>) {
    if let Kind::Do(Given::State(reference)) = &stmt.kind {
        names.push(reference.name.text.clone());
    }
    stmt.kind
        .bodies()
        .into_iter()
        .flatten()
        .for_each(|s| stmt_references(s, names));
}

fn needs_device(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match &stmt.kind {
        Kind::Raw { .. } => true,
        Kind::Act(verb) | Kind::Operate(verb) => {
            crate::verbs::find(&verb.name.text).is_some_and(|known| known.reads)
        }
        Kind::Connect(peer) => peer
            .payload
            .fields
            .iter()
            .any(|field| matches!(field.name.text.as_str(), "identity" | "password" | "subprotocols")),
        kind => kind.bodies().into_iter().any(needs_device),
    })
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn extension(path: &str) -> Option<&str> {
    file_name(path).rsplit_once('.').map(|(_, extension)| extension)
}

fn folder(path: &str) -> &str {
    path.rfind(['/', '\\']).map_or("", |i| &path[..i])
}

/// The protocol of the nearest folder above that has a `facts.toml`.
fn folder_protocol(path: &str, folders: &BTreeMap<String, String>) -> String {
    let mut at = folder(path);
    loop {
        if let Some(protocol) = folders.get(at) {
            return protocol.clone();
        }
        if at.is_empty() {
            return String::new();
        }
        at = folder(at);
    }
}
