//! What is wrong in a file, where, and how to mend it; and its rendering with carets.

use std::error::Error;
use std::fmt;

use miette::{
    Diagnostic as Miette, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use crate::ir::Span;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; changes nothing.
    Note,
    /// The file works, but its author should look.
    Warning,
    /// Nothing of this file is run.
    Error,
}

impl Severity {
    /// The lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One finding about a file of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable kebab-case code: `syntax`, `unknown-field`, `weak-line`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The path of the file as it was handed in.
    pub file: String,
    /// Where.
    pub span: Span,
    /// What: a lower-case fragment.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// Other places that belong to it.
    pub labels: Vec<(Span, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, file: &str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, file, span, message.into())
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, file: &str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, file, span, message.into())
    }

    /// A note at a place.
    pub fn note(code: &'static str, file: &str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, file, span, message.into())
    }

    fn new(severity: Severity, code: &'static str, file: &str, span: Span, message: String) -> Self {
        Self {
            code,
            severity,
            file: file.to_owned(),
            span,
            message,
            hint: None,
            labels: Vec::new(),
        }
    }

    /// The same with a hint how to mend it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a hint, if there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// The same with another place that belongs to it.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    /// True for an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// One line: `path:line:column: error[code]: message (hint)`.
    pub fn line(&self, text: &str) -> String {
        let (line, column) = line_column(text, self.span.start);
        let hint = self
            .hint
            .as_deref()
            .map(|h| format!(" ({})", visible(h)))
            .unwrap_or_default();
        format!(
            "{}:{line}:{column}: {}[{}]: {}{hint}",
            visible(&self.file),
            self.severity.as_str(),
            self.code,
            visible(&self.message)
        )
    }

    /// Several lines with the author's text and carets; `text` is the content of the file.
    pub fn render(&self, text: &str, colour: bool) -> String {
        let theme = if colour {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        // Control characters of a broken file must not reach a terminal; each keeps its width in bytes.
        let clean = masked(text);
        let report = Report {
            of: self,
            source: NamedSource::new(visible(&self.file), clean),
        };
        let mut out = String::new();
        let rendered = GraphicalReportHandler::new_themed(theme)
            .with_width(110)
            .with_context_lines(1)
            .render_report(&mut out, &report);
        match rendered {
            Ok(()) => out,
            Err(fmt::Error) => self.line(text),
        }
    }
}

/// Line and column, both from 1, the column in characters.
pub fn line_column(text: &str, offset: u32) -> (usize, usize) {
    let mut at = (offset as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    (
        before.matches('\n').count() + 1,
        before[start..].chars().count() + 1,
    )
}

/// The nearest of `names` to `typed`, if one is near enough to be meant.
pub fn did_you_mean<'n>(typed: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    let typed_lower = typed.to_lowercase();
    names
        .into_iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let prefix = lower.starts_with(&typed_lower) && typed.len() >= 4;
            let near = strsim::damerau_levenshtein(&typed_lower, &lower);
            (if prefix { near.min(2) } else { near }, name)
        })
        .filter(|(distance, name)| *distance <= (name.len().max(typed.len()) / 3).max(1))
        .min_by_key(|(distance, name)| (*distance, name.len()))
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !c.is_control() {
            out.push(c);
        } else {
            (0..c.len_utf8()).for_each(|_| out.push(if c == '\t' { ' ' } else { '?' }));
        }
    }
    out
}

struct Report<'d> {
    of: &'d Diagnostic,
    source: NamedSource<String>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of.message)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.of.message))
    }
}

impl Error for Report<'_> {}

impl Miette for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.of.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.of.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.of
            .hint
            .as_deref()
            .map(|h| Box::new(visible(h)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let size = self.source.inner().len();
        let clip = move |span: Span| {
            let start = (span.start as usize).min(size);
            let end = (span.end as usize).clamp(start, size);
            (start, end - start)
        };
        let (offset, len) = clip(self.of.span);
        let main = LabeledSpan::new_primary_with_span(Some("here".to_owned()), (offset, len));
        let rest = self.of.labels.iter().map(move |(span, text)| {
            let (offset, len) = clip(*span);
            LabeledSpan::new(Some(visible(text)), offset, len)
        });
        Some(Box::new(std::iter::once(main).chain(rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_the_author_s_word() {
        let text = "case a \"b\"\n  station: Hartbeat {}\nend\n";
        let span = Span { start: 22, end: 30 };
        let d = Diagnostic::error("unknown-action", "x.case", span, "no action `Hartbeat`")
            .hint("did you mean `Heartbeat`?");
        let shown = d.render(text, false);
        assert!(shown.contains("station: Hartbeat {}"), "{shown}");
        assert!(shown.contains("x.case:2:12"), "{shown}");
        assert!(shown.contains("did you mean"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert_eq!(
            d.line(text),
            "x.case:2:12: error[unknown-action]: no action `Hartbeat` (did you mean `Heartbeat`?)"
        );
    }

    #[test]
    fn control_characters_of_a_file_do_not_reach_the_terminal() {
        let text = "\u{1b}[31mcase\u{9b}x\n";
        let d = Diagnostic::error(
            "syntax",
            "a\u{1b}.case",
            Span { start: 0, end: 1 },
            "bad \u{1b}[0m",
        );
        assert!(!d.render(text, false).contains(['\u{1b}', '\u{9b}']));
        assert!(!d.line(text).contains('\u{1b}'));
    }

    #[test]
    fn a_span_outside_the_text_is_clipped() {
        let d = Diagnostic::error("syntax", "a", Span { start: 90, end: 99 }, "late");
        assert!(d.render("é\n", false).contains("late"));
        assert_eq!(line_column("é\nab", 4), (2, 2));
    }

    #[test]
    fn only_a_near_name_is_meant() {
        assert_eq!(
            did_you_mean("Acepted", ["Accepted", "Rejected"]),
            Some("did you mean `Accepted`?".into())
        );
        assert_eq!(did_you_mean("Foo", ["Accepted", "Rejected"]), None);
        assert_eq!(did_you_mean("acc", ["Accepted"]), None);
        assert_eq!(
            did_you_mean("accepted", ["Accepted"]),
            Some("did you mean `Accepted`?".into())
        );
    }
}
