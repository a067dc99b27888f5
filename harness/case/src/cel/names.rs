//! Which names an expression uses, and where each of its parts stands in the text.

use std::collections::BTreeSet;
use std::ops::Range;

use cel::IdedExpr;
use cel::common::ast::Expr;
use cel::common::ast::operators;

use super::PARAMS;
use super::rewrite::Rewritten;

/// The names of an expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Free variables with what is selected from them: `s.tx`, `config.HeartbeatInterval`, `C-30`.
    pub variables: Vec<Used>,
    /// `$` values, without the `$`.
    pub params: Vec<Used>,
    /// Functions, without operators and macros.
    pub calls: Vec<Called>,
    /// The free variables as CEL knows them.
    pub(super) roots: BTreeSet<String>,
    /// How deep macros nest.
    pub(super) macro_depth: usize,
}

/// A path and where it stands in the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// `["s", "tx"]`
    pub path: Vec<String>,
    /// Bytes of the expression.
    pub range: Range<usize>,
}

/// A call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Its name.
    pub name: String,
    /// How many arguments; what stands before the dot counts as one.
    pub arity: usize,
    /// Arguments that are texts, by position.
    pub texts: Vec<Option<String>>,
    /// True for `x.f(…)`.
    pub method: bool,
    /// Bytes of the expression.
    pub range: Range<usize>,
}

pub(super) fn collect(root: &IdedExpr, program: &cel::Program, rewritten: &Rewritten) -> Names {
    let mut walk = Walk {
        program,
        rewritten,
        names: Names::default(),
        bound: Vec::new(),
    };
    walk.node(root, 0);
    walk.names
}

/// The path that an expression spells: `a.b.c`, root first.
pub(super) fn path(node: &IdedExpr) -> Option<Vec<&str>> {
    match &node.expr {
        Expr::Ident(name) => Some(vec![name]),
        Expr::Select(select) if !select.test => {
            let mut path = path(&select.operand)?;
            path.push(&select.field);
            Some(path)
        }
        _ => None,
    }
}

/// How deep an expression nests.
pub(super) fn depth(node: &IdedExpr) -> usize {
    let deepest = |nodes: &mut dyn Iterator<Item = &IdedExpr>| nodes.map(depth).max().unwrap_or(0);
    1 + match &node.expr {
        Expr::Call(call) => deepest(&mut call.target.iter().map(AsRef::as_ref).chain(&call.args)),
        Expr::Select(select) => depth(&select.operand),
        Expr::Comprehension(c) => {
            let parts = [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result];
            deepest(&mut parts.into_iter())
        }
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => deepest(&mut map.entries.iter().filter_map(|entry| match &entry.expr {
            cel::common::ast::EntryExpr::MapEntry(entry) => Some(&entry.value),
            cel::common::ast::EntryExpr::StructField(_) => None,
        })),
        _ => 0,
    }
}

struct Walk<'a> {
    program: &'a cel::Program,
    rewritten: &'a Rewritten,
    names: Names,
    bound: Vec<String>,
}

impl Walk<'_> {
    fn node(&mut self, node: &IdedExpr, depth: usize) {
        self.names.macro_depth = self.names.macro_depth.max(depth);
        if let Some(path) = path(node) {
            return self.used(node, &path);
        }
        match &node.expr {
            Expr::Call(call) => {
                if !is_operator(&call.func_name) {
                    self.called(node, call);
                }
                call.target.iter().for_each(|t| self.node(t, depth));
                call.args.iter().for_each(|a| self.node(a, depth));
            }
            Expr::Select(select) => self.node(&select.operand, depth),
            Expr::Comprehension(c) => {
                self.node(&c.iter_range, depth);
                self.node(&c.accu_init, depth);
                let before = self.bound.len();
                self.bound.extend([c.iter_var.clone(), c.accu_var.clone()]);
                self.bound.extend(c.iter_var2.clone());
                self.node(&c.loop_cond, depth + 1);
                self.node(&c.loop_step, depth + 1);
                self.node(&c.result, depth + 1);
                self.bound.truncate(before);
            }
            Expr::List(list) => list.elements.iter().for_each(|e| self.node(e, depth)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let cel::common::ast::EntryExpr::MapEntry(entry) = &entry.expr {
                        self.node(&entry.key, depth);
                        self.node(&entry.value, depth);
                    }
                }
            }
            _ => {}
        }
    }

    fn used(&mut self, node: &IdedExpr, path: &[&str]) {
        if path
            .first()
            .is_none_or(|root| self.bound.iter().any(|b| b == root) || root.starts_with('@'))
        {
            return;
        }
        let range = self.range(node);
        let root = path[0];
        self.names.roots.insert(root.to_owned());
        let owned = |path: &[&str]| path.iter().map(|s| (*s).to_owned()).collect::<Vec<String>>();
        if root == PARAMS {
            self.names.params.push(Used {
                path: owned(&path[1..]),
                range,
            });
            return;
        }
        let mut path = owned(path);
        if let Some(code) = self.rewritten.codes.get(root) {
            path[0].clone_from(code);
        }
        self.names.variables.push(Used { path, range });
    }

    fn called(&mut self, node: &IdedExpr, call: &cel::common::ast::CallExpr) {
        let all = call.target.iter().map(AsRef::as_ref).chain(&call.args);
        let texts: Vec<Option<String>> = all
            .map(|arg| match &arg.expr {
                Expr::Literal(cel::common::ast::LiteralValue::String(text)) => Some(text.inner().to_owned()),
                _ => None,
            })
            .collect();
        let called = Called {
            name: call.func_name.clone(),
            arity: texts.len(),
            texts,
            method: call.target.is_some(),
            range: self.range(node),
        };
        self.names.calls.push(called);
    }

    fn range(&self, node: &IdedExpr) -> Range<usize> {
        let range = extent(node, self.program, self.rewritten);
        self.rewritten.original(range.start)..self.rewritten.original(range.end)
    }
}

fn is_operator(name: &str) -> bool {
    let marks = |c: char| !(c.is_ascii_alphanumeric());
    name.starts_with('@') || name.starts_with('_') && name.ends_with(marks) || {
        [operators::LOGICAL_NOT, operators::NEGATE, operators::INDEX].contains(&name)
    }
}

/// Where a node stands in CEL's text, in bytes. The crate knows one token of each node; the rest follows from its
/// parts and from the brackets around them.
pub(super) fn extent(node: &IdedExpr, program: &cel::Program, rewritten: &Rewritten) -> Range<usize> {
    let text = &rewritten.text;
    let own = |node: &IdedExpr| match program.source_info().offset_for(node.id) {
        Some((start, stop)) => rewritten.byte(start as usize)..rewritten.byte(stop as usize + 1),
        None => 0..text.len(),
    };
    let inner = |node: &IdedExpr| extent(node, program, rewritten);
    let token = own(node);
    let mut range = match &node.expr {
        Expr::Select(select) if select.test => token.start..closing(text, token.start),
        Expr::Select(select) => {
            let field = text[token.end..]
                .find(&select.field)
                .map_or(token.end, |i| token.end + i);
            inner(&select.operand).start..field + select.field.len()
        }
        Expr::Call(call) if call.func_name == operators::INDEX => {
            let first = call.args.first().map_or(token.start, |a| inner(a).start);
            first..closing(text, token.start)
        }
        Expr::Call(call) if is_operator(&call.func_name) => {
            let parts = call.args.iter().map(inner);
            parts.fold(token, |all, part| {
                all.start.min(part.start)..all.end.max(part.end)
            })
        }
        Expr::Call(call) => {
            let name = text[..token.start].rfind(&call.func_name).unwrap_or(token.start);
            let start = call.target.as_ref().map_or(name, |t| inner(t).start);
            start..closing(text, token.start)
        }
        Expr::Comprehension(c) => inner(&c.iter_range).start..closing(text, token.start),
        Expr::List(_) | Expr::Map(_) => token.start..closing(text, token.start),
        _ => token,
    };
    balance(text, &mut range);
    range
}

/// Behind the bracket that closes the one at `at`.
fn closing(text: &str, at: usize) -> usize {
    let mut depth = 0usize;
    for (i, b) in bare(text) {
        match b {
            b'(' | b'[' | b'{' if i >= at => depth += 1,
            b')' | b']' | b'}' if i >= at => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Widens a range until its brackets pair up.
fn balance(text: &str, range: &mut Range<usize>) {
    let mut open = 0i64;
    let mut missing = 0i64;
    for (_, b) in bare(text).filter(|(i, _)| range.contains(i)) {
        match b {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' if open == 0 => missing += 1,
            b')' | b']' | b'}' => open -= 1,
            _ => {}
        }
    }
    if open > 0 {
        let end = bare(text)
            .filter(|(i, b)| *i >= range.end && matches!(b, b')' | b']' | b'}'))
            .nth(open as usize - 1);
        range.end = end.map_or(range.end, |(i, _)| i + 1);
    }
    if missing > 0 {
        let before: Vec<usize> = bare(text)
            .filter(|(i, b)| *i < range.start && matches!(b, b'(' | b'[' | b'{'))
            .map(|(i, _)| i)
            .collect();
        range.start = before
            .iter()
            .rev()
            .nth(missing as usize - 1)
            .copied()
            .unwrap_or(range.start);
    }
}

/// The bytes outside texts, with their places.
fn bare(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let mut quote = None;
    let mut escaped = false;
    text.bytes().enumerate().filter(move |(_, b)| {
        match (quote, *b) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(q), b) if b == q => quote = None,
            (None, b @ (b'"' | b'\'')) => quote = Some(b),
            (None, _) => return true,
            _ => {}
        }
        false
    })
}
