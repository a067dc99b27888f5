//! CEL expressions of `check`, `probe`, `exports` and `if`: the only place that names the crate `cel`.
//!
//! `$a.b` becomes a path below the variable [`PARAMS`]; the words `and`, `or`, `not` are written for `&&`, `||`, `!`;
//! PICS codes with a dash (`C-30`) are variables of that name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cel::common::ast::Expr;
use cel::{Context, ExecutionError, FunctionContext, IdedExpr, Value};
use plugfest_protocol::{Json, Number, Object};

use crate::lex;

mod names;
mod rewrite;

pub use names::{Called, Names, Used};
use rewrite::Rewritten;

/// The variable under which `$` values are asked of an [`Env`]: an object with the paths as nested members.
pub const PARAMS: &str = "__params";

/// The most tokens of an expression.
pub const MAX_TOKENS: usize = 200;
/// The deepest nesting of an expression, operators in a row included: its evaluation takes up to 35 KB of stack for
/// each level in an unoptimised build.
pub const MAX_DEPTH: usize = 20;
/// Expressions that nest no deeper are parsed where they stand: a thread for each costs more than the parsing, the
/// more so on a busy machine, and nearly all of the expressions that people write are of this kind.
const SHALLOW: usize = 3;
/// And these are no longer, in words and marks.
const SHORT: usize = 60;
/// The stack of the parser, in bytes; only what is used of it is ever taken from the machine.
const PARSER_STACK: usize = 64 * 1024 * 1024;
/// The most steps that nested macros over the lists at hand may take.
const MAX_STEPS: usize = 1_000_000;
/// The most rounds in which functions are asked for.
const MAX_ROUNDS: usize = 200;

/// What an expression may look at.
pub trait Env {
    /// The value of a variable; [`PARAMS`] for the `$` values.
    fn variable(&self, name: &str) -> Option<Json>;
    /// The result of a pure function; `None` where there is none of that name.
    fn call(&self, function: &str, args: &[Json]) -> Option<Result<Json, String>>;
}

/// An expression that does not parse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {}", .offset + 1)]
pub struct CelError {
    /// The guilty byte of the expression.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
}

/// An expression that gives no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` gives no value: {reason}")]
pub struct CelFailure {
    /// The expression as written.
    pub expression: String,
    /// Why.
    pub reason: String,
}

/// A parsed expression.
pub struct Program {
    text: String,
    rewritten: Rewritten,
    compiled: cel::Program,
    names: Names,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.text).finish()
    }
}

impl Program {
    /// Parses an expression.
    pub fn parse(text: &str) -> Result<Self, CelError> {
        let rewritten = rewrite::rewrite(text)?;
        if rewritten.tokens > MAX_TOKENS {
            let message = format!("the expression has more than {MAX_TOKENS} words and marks");
            return Err(CelError { offset: 0, message });
        }
        let compile = || cel::Program::compile(&rewritten.text);
        let compiled = if rewritten.nesting <= SHALLOW && rewritten.tokens <= SHORT {
            compile()
        } else {
            on_a_deep_stack(compile)
        };
        let program = compiled.map_err(|errors| {
            let first = errors.errors.first();
            let column = first.map_or(0, |e| usize::try_from(e.pos.1 - 1).unwrap_or(0));
            let message = first.map_or("cannot be read", |e| e.msg.as_str());
            let message = message.lines().next().unwrap_or_default();
            let message = message.trim_start_matches("Syntax error: ").to_owned();
            CelError {
                offset: rewritten.original(rewritten.byte(column)),
                message,
            }
        })?;
        if names::depth(program.expression()) > MAX_DEPTH {
            let message = format!("the expression nests deeper than {MAX_DEPTH}; split it into several");
            return Err(CelError { offset: 0, message });
        }
        let names = names::collect(program.expression(), &program, &rewritten);
        Ok(Self {
            text: text.to_owned(),
            rewritten,
            compiled: program,
            names,
        })
    }

    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Free variables, `$` paths and called functions; variables of macros are left out.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The value of the expression.
    pub fn evaluate(&self, env: &dyn Env) -> Result<Json, CelFailure> {
        let failure = |reason: String| CelFailure {
            expression: self.text.clone(),
            reason,
        };
        let scope = self.scope(env).map_err(failure)?;
        scope.resolve(self.compiled.expression()).map_err(failure)
    }

    /// Every part with its value, the innermost first; the whole expression is left out unless it is all there is.
    pub fn explain(&self, env: &dyn Env) -> Vec<(String, String)> {
        let scope = match self.scope(env) {
            Ok(scope) => scope,
            Err(reason) => return vec![(self.text.clone(), reason)],
        };
        let root = self.compiled.expression();
        let mut nodes = Vec::new();
        parts(root, &mut nodes);
        if nodes.len() > 1 && nodes.last().is_some_and(|last| std::ptr::eq(*last, root)) {
            nodes.pop();
        }
        let mut shown: Vec<(String, String)> = Vec::new();
        for node in nodes {
            let text = self.slice(node);
            if shown.iter().any(|(known, _)| *known == text) {
                continue;
            }
            let value = match scope.resolve(node) {
                Ok(value) => shortened(&value.to_string()),
                Err(reason) => format!("no value: {reason}"),
            };
            shown.push((text, value));
        }
        shown
    }

    fn slice(&self, node: &IdedExpr) -> String {
        let range = names::extent(node, &self.compiled, &self.rewritten);
        let original = self.rewritten.original(range.start)..self.rewritten.original(range.end);
        self.text.get(original).unwrap_or(&self.text).trim().to_owned()
    }

    fn scope<'e>(&self, env: &'e dyn Env) -> Result<Scope<'e>, String> {
        let mut values = Vec::new();
        let mut longest = 1;
        for name in &self.names.roots {
            let asked = self
                .rewritten
                .codes
                .get(name)
                .map_or(name.as_str(), String::as_str);
            let Some(json) = env.variable(asked) else {
                return Err(format!("nothing is known by the name `{asked}`"));
            };
            longest = longest.max(longest_list(&json));
            values.push((name.clone(), to_cel(&json)));
        }
        let functions = self.names.calls.iter().map(|c| c.name.clone()).collect();
        let depth = u32::try_from(self.names.macro_depth).unwrap_or(u32::MAX);
        Ok(Scope {
            env,
            values,
            functions,
            longest,
            depth,
            memo: Arc::default(),
        })
    }
}

/// The parser of the crate takes up to 150 KB of stack for each bracket, which is more than a caller may have left.
fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, work);
        // Invariant: `work` is the crate's parser, which reports errors by value; a machine that has no thread left
        // cannot run a case either.
        #[expect(clippy::expect_used, reason = "see the invariant above")]
        thread
            .expect("a thread for the parser")
            .join()
            .expect("the parser does not panic")
    })
}

/// One evaluation: the variables, and what functions have answered so far.
struct Scope<'e> {
    env: &'e dyn Env,
    values: Vec<(String, Value)>,
    functions: BTreeSet<String>,
    longest: usize,
    depth: u32,
    memo: Arc<Mutex<Memo>>,
}

/// CEL's functions must own what they use, an [`Env`] is only lent. So a function that is not answered yet notes its
/// question and fails; between rounds the questions are put to the `Env`. They are pure, so a round changes nothing
/// but how far the next one comes.
#[derive(Default)]
struct Memo {
    answers: BTreeMap<(String, String), Result<Json, String>>,
    questions: Vec<(String, Vec<Json>)>,
}

impl Scope<'_> {
    fn resolve(&self, node: &IdedExpr) -> Result<Json, String> {
        let mut longest = self.longest;
        for _ in 0..MAX_ROUNDS {
            if longest
                .checked_pow(self.depth)
                .is_none_or(|steps| steps > MAX_STEPS)
            {
                return Err(format!("a list of {longest} is too long for the macros in it"));
            }
            let result = Value::resolve(node, &self.context());
            let questions = std::mem::take(&mut self.memo().questions);
            if questions.is_empty() {
                return result
                    .map_err(|e| reason(&e))
                    .and_then(|value| to_json(&value, 0));
            }
            for (function, args) in questions {
                let known = self.env.call(&function, &args);
                let answer = known.unwrap_or_else(|| Err(format!("there is no function `{function}`")));
                if let Ok(json) = &answer {
                    longest = longest.max(longest_list(json));
                }
                self.memo().answers.insert((function, key(&args)), answer);
            }
        }
        Err(format!("functions were asked for more than {MAX_ROUNDS} times"))
    }

    fn memo(&self) -> std::sync::MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn context(&self) -> Context<'static, 'static> {
        /// Building CEL's own functions costs more than most expressions.
        static OWN: LazyLock<Arc<cel::Env>> = LazyLock::new(|| Arc::new(cel::Env::stdlib()));
        let mut context = Context::with_env(Arc::clone(&OWN));
        for (name, value) in &self.values {
            context.add_variable_from_value(name.clone(), value.clone());
        }
        for name in &self.functions {
            let memo = Arc::clone(&self.memo);
            let asked = name.clone();
            let function = move |ftx: &FunctionContext| ask(&memo, &asked, ftx);
            // A name of CEL's own is refused here, and CEL answers for it.
            let _own = context.add_function(name, function).is_err();
        }
        context
    }
}

fn ask(memo: &Mutex<Memo>, name: &str, ftx: &FunctionContext) -> Result<Value, ExecutionError> {
    let values = ftx.this.iter().chain(&ftx.args);
    let args: Vec<Json> = values
        .map(|v| {
            Value::try_from(v.as_ref())
                .map_err(|e| reason(&e))
                .and_then(|v| to_json(&v, 0))
        })
        .collect::<Result<_, _>>()
        .map_err(|e| ExecutionError::function_error(name, e))?;
    let mut memo = memo.lock().unwrap_or_else(PoisonError::into_inner);
    match memo.answers.get(&(name.to_owned(), key(&args))) {
        Some(Ok(json)) => Ok(to_cel(json)),
        Some(Err(why)) => Err(ExecutionError::function_error(name, why)),
        None => {
            memo.questions.push((name.to_owned(), args));
            Err(ExecutionError::function_error(name, "not answered yet"))
        }
    }
}

fn key(args: &[Json]) -> String {
    Json::Array(args.to_vec()).to_string()
}

fn reason(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`"),
        ExecutionError::UndeclaredReference(name) => format!("nothing is known by the name `{name}`"),
        ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
        other => shortened(&other.to_string()),
    }
}

/// Parts worth showing: no literals, of a path only the whole, nothing that only exists inside a macro.
fn parts<'a>(node: &'a IdedExpr, out: &mut Vec<&'a IdedExpr>) {
    match &node.expr {
        Expr::Literal(_) | Expr::Unspecified => return,
        Expr::Call(call) => {
            call.target.iter().for_each(|target| parts(target, out));
            call.args.iter().for_each(|arg| parts(arg, out));
        }
        Expr::Select(select) if names::path(node).is_none() => parts(&select.operand, out),
        Expr::Comprehension(macro_) => parts(&macro_.iter_range, out),
        Expr::List(list) => {
            list.elements.iter().for_each(|e| parts(e, out));
            return;
        }
        _ => {}
    }
    out.push(node);
}

fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn longest_list(json: &Json) -> usize {
    match json {
        Json::Array(items) => items.iter().map(longest_list).max().unwrap_or(0).max(items.len()),
        Json::Object(members) => members
            .iter()
            .map(|(_, v)| longest_list(v))
            .max()
            .unwrap_or(0)
            .max(members.len()),
        _ => 0,
    }
}

/// Integers become CEL's `int`, other numbers `double`.
fn to_cel(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Number(number) => match number.as_i64() {
            Some(int) if number.is_plain_integer() => Value::Int(int),
            _ => Value::Float(number.text().parse().unwrap_or(f64::NAN)),
        },
        Json::Array(items) => Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Json::Object(members) => {
            let map: HashMap<String, Value> =
                members.iter().map(|(k, v)| (k.to_owned(), to_cel(v))).collect();
            Value::Map(map.into())
        }
    }
}

fn to_json(value: &Value, depth: u32) -> Result<Json, String> {
    if depth > 64 {
        return Err("the value nests too deep".to_owned());
    }
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::String(text) => Json::String(text.as_ref().clone()),
        Value::Int(int) => Json::from(*int),
        Value::UInt(int) => number(&int.to_string())?,
        Value::Float(float) => number(&float.to_string())?,
        Value::List(items) => Json::Array(
            items
                .iter()
                .map(|v| to_json(v, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        Value::Map(map) => {
            let mut members: Vec<(String, &Value)> = map.map.iter().map(|(k, v)| (key_text(k), v)).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            let mut object = Object::new();
            for (name, value) in members {
                object.insert(name, to_json(value, depth + 1)?);
            }
            Json::Object(object)
        }
        other => return Err(format!("a {} is no JSON value", other.type_of())),
    })
}

fn number(text: &str) -> Result<Json, String> {
    Number::parse(text)
        .map(Json::Number)
        .ok_or_else(|| format!("{text} is no JSON number"))
}

fn key_text(key: &cel::objects::Key) -> String {
    use cel::objects::Key;
    match key {
        Key::Int(i) => i.to_string(),
        Key::Uint(u) => u.to_string(),
        Key::Bool(b) => b.to_string(),
        Key::String(s) => s.as_ref().clone(),
    }
}

/// True for a function that CEL has itself, so that nobody else can offer one of that name.
pub fn is_own(function: &str) -> bool {
    let mut context = Context::default();
    context.add_function(function, |value: Value| value).is_err()
        || ["has", "all", "exists", "exists_one", "map", "filter"].contains(&function)
}

/// True for names that the rewriting makes and no author may write.
fn is_reserved(word: &str) -> bool {
    word.starts_with("__") && lex::is_identifier(word)
}

#[cfg(test)]
mod tests;
