//! Colours, or none.

use anstyle::{AnsiColor, Style};
use plugfest_judge::{CaseResult, Verdict};

/// Paints if the terminal wants it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    pub(super) fn new(on: bool) -> Self {
        Self { on }
    }

    /// The verdict's word, padded to a width. A result that makes the run red by its expectation says so.
    pub(super) fn verdict(self, result: &CaseResult, width: usize) -> String {
        let word = result.verdict.as_str();
        if result.unexpected_pass.is_empty() || result.verdict == Verdict::Fail {
            return format!(
                "{}{:2$}",
                self.with(style(result.verdict), word),
                "",
                width.saturating_sub(word.len())
            );
        }
        let text = format!("{word} (red)");
        format!(
            "{}{:2$}",
            self.with(style(Verdict::Fail), &text),
            "",
            width.saturating_sub(text.len())
        )
    }

    pub(super) fn as_verdict(self, verdict: Verdict, text: &str) -> String {
        self.with(style(verdict), text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    /// The first line strong, the rest as it is.
    pub(super) fn plan(self, text: &str) -> String {
        match text.split_once('\n') {
            Some((first, rest)) => format!("{}\n{rest}", self.bold(first)),
            None => self.bold(text),
        }
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.on {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Fail => AnsiColor::Red,
        Verdict::Error => AnsiColor::Magenta,
        Verdict::Blocked | Verdict::Inconclusive | Verdict::Warn => AnsiColor::Yellow,
        Verdict::Pass => AnsiColor::Green,
        Verdict::NotApplicable | Verdict::Skipped => return Style::new().dimmed(),
    };
    color.on_default().bold()
}
