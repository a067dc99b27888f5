//! Expressions, patterns and PICS as text.

use super::doc::{Doc, put};
use crate::ir::{
    Arg, ArrayItem, ArrayPattern, BinaryOp, CompareOp, ConfigEntry, Expr, ExprKind, FieldPattern, Given,
    ObjectPattern, Pattern, Pics, Reference, Timing, Verb,
};
use crate::lex;

pub(super) fn op(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
        CompareOp::Eq => "==",
        CompareOp::Ne => "!=",
    }
}

/// In double quotes as JSON, or in single quotes where that saves escapes.
pub(super) fn quoted(text: &str) -> String {
    let escapes = text.contains(['"', '\\']);
    if escapes && !text.contains(|c: char| c == '\'' || c.is_control()) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => put(&mut out, &format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(super) fn expr(e: &Expr) -> String {
    doc(e).flat()
}

fn doc(e: &Expr) -> Doc {
    Doc::Text(match &e.kind {
        ExprKind::Null => "null".to_owned(),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::Number(raw) => raw.clone(),
        ExprKind::Duration { text, .. } => text.clone(),
        ExprKind::Text(text) => quoted(text),
        ExprKind::Name(path) => path.join("."),
        ExprKind::Param(path) => format!("${}", path.join(".")),
        ExprKind::Now => "now".to_owned(),
        ExprKind::Fresh => "fresh".to_owned(),
        ExprKind::Binary(op, left, right) => return binary(*op, left, right),
        ExprKind::List(items) => return group("[", items.iter().map(doc).collect(), "]"),
        ExprKind::Pairs(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(k, v)| Doc::text(format!("{}: {}", expr(k), expr(v))));
            return group("[", pairs.collect(), "]");
        }
        ExprKind::Call(call) => return verb(call),
    })
}

fn binary(op: BinaryOp, left: &Expr, right: &Expr) -> Doc {
    let strength = |op: BinaryOp| if op == BinaryOp::Mul { 2 } else { 1 };
    let side = |side: &Expr, least: u8| match &side.kind {
        ExprKind::Binary(inner, ..) if strength(*inner) < least => format!("({})", expr(side)),
        _ => expr(side),
    };
    let mark = match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
    };
    Doc::text(format!(
        "{} {mark} {}",
        side(left, strength(op)),
        side(right, strength(op) + 1)
    ))
}

fn group(open: &'static str, items: Vec<Doc>, close: &'static str) -> Doc {
    Doc::Group { open, items, close }
}

pub(super) fn verb(v: &Verb) -> Doc {
    Doc::Cat(vec![
        Doc::text(&v.name.text),
        group("(", v.args.iter().map(arg).collect(), ")"),
    ])
}

fn arg(a: &Arg) -> Doc {
    match &a.name {
        Some(name) => Doc::Cat(vec![Doc::text(format!("{}: ", name.text)), doc(&a.value)]),
        None => doc(&a.value),
    }
}

pub(super) fn timing(t: &Timing) -> String {
    match &t.tolerance {
        Some(tolerance) => format!("{} ± {}", expr(&t.value), expr(tolerance)),
        None => expr(&t.value),
    }
}

pub(super) fn reference(r: &Reference) -> Doc {
    let mut parts = vec![Doc::text(&r.name.text)];
    if !r.args.is_empty() {
        parts.push(group("(", r.args.iter().map(doc).collect(), ")"));
    }
    if let Some(bind) = &r.bind {
        parts.push(Doc::text(format!(" as {}", bind.text)));
    }
    Doc::Cat(parts)
}

pub(super) fn given(g: &Given) -> Doc {
    match g {
        Given::State(state) => reference(state),
        Given::Config { entries, .. } => {
            let entries = entries.iter().map(config_entry).collect();
            Doc::Cat(vec![Doc::text("config"), group("(", entries, ")")])
        }
    }
}

fn config_entry(entry: &ConfigEntry) -> Doc {
    let key = &entry.key.text;
    let plain = key.split('.').all(lex::is_plain_word);
    let key = if plain { key.clone() } else { quoted(key) };
    let tail = if entry.if_implemented {
        " if implemented"
    } else {
        ""
    };
    Doc::Cat(vec![
        Doc::text(format!("{key}: ")),
        doc(&entry.value),
        Doc::text(tail),
    ])
}

/// Precedence: `or` 0, `and` 1, `not` 2. A right-hand side of the same strength was written in parentheses.
pub(super) fn pics(p: &Pics, least: u8) -> String {
    let (text, strength) = match p {
        Pics::Code(code) => (code.clone(), 3),
        Pics::Compare { code, op: o, value } => (format!("{code} {} {value}", op(*o)), 3),
        Pics::Not(inner) => (format!("not {}", pics(inner, 2)), 2),
        Pics::And(l, r) => (format!("{} and {}", pics(l, 1), pics(r, 2)), 1),
        Pics::Or(l, r) => (format!("{} or {}", pics(l, 0), pics(r, 1)), 0),
    };
    if strength < least {
        format!("({text})")
    } else {
        text
    }
}

pub(super) fn picks(o: &ObjectPattern) -> Doc {
    group("(", members(o), ")")
}

pub(super) fn payload(o: &ObjectPattern) -> Doc {
    let braces = group("{", members(o), "}");
    if o.exactly {
        Doc::Cat(vec![Doc::text("exactly "), braces])
    } else {
        braces
    }
}

fn members(o: &ObjectPattern) -> Vec<Doc> {
    let same = o
        .same_as
        .iter()
        .map(|e| Doc::text(format!("same_as({})", expr(e))));
    o.fields.iter().map(field).chain(same).collect()
}

fn field(f: &FieldPattern) -> Doc {
    let name = &f.name.text;
    let name = if lex::is_plain_word(name) {
        name.clone()
    } else {
        quoted(name)
    };
    Doc::Cat(vec![Doc::text(format!("{name}: ")), pattern(&f.pattern)])
}

pub(super) fn pattern(p: &Pattern) -> Doc {
    let prefixed =
        |word: &str, inner: &Pattern| Doc::Cat(vec![Doc::text(format!("{word} ")), pattern(inner)]);
    match p {
        Pattern::Any => Doc::text("any"),
        Pattern::Absent => Doc::text("absent"),
        Pattern::Value(e) => doc(e),
        Pattern::OneOf(items) => Doc::Cat(vec![
            Doc::text("one_of"),
            group("(", items.iter().map(pattern).collect(), ")"),
        ]),
        Pattern::Not(inner) => prefixed("not", inner),
        Pattern::Each(inner) => prefixed("each", inner),
        Pattern::Compare(o, e) => Doc::text(format!("{} {}", op(*o), expr(e))),
        Pattern::Near(e) => Doc::text(format!("near({})", expr(e))),
        Pattern::About(e, None) => Doc::text(format!("about({})", expr(e))),
        Pattern::About(e, Some(t)) => Doc::text(format!("about({}, {})", expr(e), expr(t))),
        Pattern::Matches { regex, like } => {
            let like = like
                .as_ref()
                .map(|l| format!(" like {}", quoted(l)))
                .unwrap_or_default();
            Doc::text(format!("matches /{}/{like}", slashed(regex)))
        }
        Pattern::SameAs(e) => Doc::text(format!("same_as({})", expr(e))),
        Pattern::Object(o) => payload(o),
        Pattern::Array(a) => array(a),
        Pattern::Native(v) => verb(v),
        Pattern::Bind(inner, name) => Doc::Cat(vec![pattern(inner), Doc::text(format!(" as {}", name.text))]),
    }
}

fn array(a: &ArrayPattern) -> Doc {
    let items = a.items.iter().map(|item| match item {
        ArrayItem::Rest => Doc::text(".."),
        ArrayItem::Item(p) => pattern(p),
    });
    let brackets = group("[", items.collect(), "]");
    if a.any_order {
        Doc::Cat(vec![brackets, Doc::text(" in any order")])
    } else {
        brackets
    }
}

/// The slashes of a regular expression escaped.
fn slashed(regex: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in regex.chars() {
        if c == '/' && !escaped {
            out.push('\\');
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}
