//! Colours, or none.

use anstyle::{AnsiColor, Style};
use plugfest_judge::Verdict;

/// Paints if the terminal wants it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    pub(super) fn new(on: bool) -> Self {
        Self { on }
    }

    /// The verdict's word, padded to a width.
    pub(super) fn verdict(self, verdict: Verdict, width: usize) -> String {
        let padding = width.saturating_sub(verdict.as_str().len());
        format!("{}{:padding$}", self.with(style(verdict), verdict.as_str()), "")
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
