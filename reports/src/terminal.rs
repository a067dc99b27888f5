//! What a person sees: the plan, progress, each failure with its evidence, the summary.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use plugfest_judge::{Plan, RunEvent};
use plugfest_protocol::Timestamp;

use crate::report::{Report, ReportError};
use crate::run::{Colour, Run, colour, reason};
use crate::text::{counted, cut, duration, one_line};

mod failure;
mod paint;
mod progress;
mod summary;

use paint::Paint;
use progress::Bar;

/// Characters of a case's name on its line; a `for` value can be long.
const KEY: usize = 100;
/// A wait that lasts so long is told of in plain lines; it is said again every ten seconds.
const LASTING: Duration = Duration::from_secs(9);

/// How progress is shown while a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A bar on standard error that says which case, what it waits for and how long still.
    Bar,
    /// Plain lines among the others, for CI logs and files: a wait is told of once it has lasted.
    Lines,
    /// Plain lines that tell of every wait that may last.
    Talkative,
    /// Only what is not as it should be, and the summary.
    Quiet,
}

/// How to write for this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalOptions {
    /// With colours.
    pub color: bool,
    /// How to show progress.
    pub progress: Progress,
    /// Columns.
    pub width: usize,
}

impl TerminalOptions {
    /// What fits the process's own standard output and error: colours unless `NO_COLOR` is set or the output is no
    /// terminal, a bar only where both are terminals.
    pub fn detected() -> Self {
        let out = io::stdout();
        let color = anstream::AutoStream::choice(&out) != anstream::ColorChoice::Never;
        let both = out.is_terminal() && io::stderr().is_terminal();
        Self {
            color,
            progress: if both { Progress::Bar } else { Progress::Lines },
            width: 110,
        }
    }

    /// Plain text without colours, for files and tests.
    pub fn plain() -> Self {
        Self {
            color: false,
            progress: Progress::Lines,
            width: 110,
        }
    }
}

/// Writes a run for people. Anything a device sent is made visible first: a DUT cannot move the cursor.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    options: TerminalOptions,
    paint: Paint,
    bar: Option<Bar>,
    run: Run,
    finished: u32,
    waits_for: String,
    waits_since: Option<Timestamp>,
    tell_after: Duration,
}

impl<W: Write> Terminal<W> {
    /// A report to this writer.
    pub fn new(out: W, options: TerminalOptions) -> Self {
        let paint = Paint::new(options.color);
        Self {
            out,
            options,
            paint,
            bar: None,
            run: Run::default(),
            finished: 0,
            waits_for: String::new(),
            waits_since: None,
            tell_after: LASTING,
        }
    }

    /// The writer back.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let out = &mut self.out;
        let mut write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
        match &self.bar {
            Some(bar) => bar.above(write),
            None => write(),
        }
    }

    fn text_of(&mut self, event: &RunEvent) -> String {
        match event {
            RunEvent::Planned(plan) => {
                if self.options.progress == Progress::Bar {
                    self.bar = Some(Bar::new(plan.cases.len() as u64, !plan.paused_clock));
                }
                format!("{}\n", self.paint.plan(&plan_text(plan)))
            }
            RunEvent::Started { key, .. } => {
                self.waits_for.clear();
                if let Some(bar) = &self.bar {
                    bar.case(&one_line(&key.to_string()));
                }
                String::new()
            }
            RunEvent::Waiting {
                key,
                what,
                until,
                now,
            } => {
                let left = until.map(|until| until.since(*now));
                if let Some(bar) = &self.bar {
                    bar.waiting(&one_line(&key.to_string()), &one_line(what), left);
                }
                if self.waits_for != *what {
                    self.waits_for.clone_from(what);
                    self.waits_since = Some(*now);
                    self.tell_after = LASTING;
                    let long = left.is_none_or(|left| left.as_secs() >= 5);
                    if self.options.progress != Progress::Talkative || !long {
                        return String::new();
                    }
                } else if self.lasted(*now) < self.tell_after
                    || !matches!(self.options.progress, Progress::Lines | Progress::Talkative)
                {
                    return String::new();
                } else {
                    // Ever more seldom: a wait of an hour is not told of every ten seconds.
                    self.tell_after *= 2;
                }
                let until = left.map_or(String::new(), |left| {
                    format!(
                        ", at most {}",
                        duration(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
                    )
                });
                let key = cut(&one_line(&key.to_string()), KEY).into_owned();
                let text = format!("{key}: waits for {}{until}", cut(&one_line(what), 200));
                format!(
                    "{:>width$}  {}\n",
                    "",
                    self.paint.dim(&text),
                    width = 2 * self.digits() + 3
                )
            }
            RunEvent::Found { .. } => String::new(),
            RunEvent::Finished(_) => self.finished_text(),
            RunEvent::Note { text } => format!("note: {}\n", one_line(text)),
            RunEvent::Interrupted { by } => {
                format!(
                    "{}\n",
                    self.paint.bold(&format!("broken off by {}", one_line(by)))
                )
            }
            RunEvent::Ended(_) => {
                if let Some(bar) = self.bar.take() {
                    bar.end();
                }
                summary::text(&self.run, self.paint)
            }
        }
    }

    /// How long the wait that was last said has lasted.
    fn lasted(&self, now: Timestamp) -> Duration {
        self.waits_since.map_or(Duration::ZERO, |since| now.since(since))
    }

    fn finished_text(&mut self) -> String {
        self.finished += 1;
        if let Some(bar) = &self.bar {
            bar.done(u64::from(self.finished));
        }
        let Some(result) = self.run.results.last() else {
            return String::new();
        };
        let colour = colour(result, self.run.strict());
        let quiet = self.options.progress == Progress::Quiet;
        if quiet && matches!(colour, Colour::Green | Colour::Grey) {
            return String::new();
        }
        let planned = self.run.plan.as_ref().map_or(0, |plan| plan.cases.len());
        let digits = self.digits();
        let key = cut(&one_line(&result.planned.key.to_string()), KEY).into_owned();
        let mut line = format!("[{:>digits$}/{planned:>digits$}] ", self.finished);
        line.push_str(&self.paint.verdict(result, 16));
        line.push_str(&key);
        if colour != Colour::Grey {
            let mut took = duration(result.duration_ms);
            if result.waited_ms >= 1_000 {
                took = format!("{took}, waited {}", duration(result.waited_ms));
            }
            line.push_str(&self.paint.dim(&format!("  {took}")));
        }
        line.push('\n');
        match colour {
            Colour::Green => {}
            Colour::Grey => {
                let why = self.paint.dim(&cut(&one_line(&reason(result)), 200));
                let _ = writeln!(line, "{:1$}{why}", "", 20 + 2 * digits);
            }
            Colour::Red | Colour::Undecided | Colour::Yellow => {
                line.push_str(&failure::text(result, self.paint, self.options.width));
            }
        }
        line
    }

    fn digits(&self) -> usize {
        self.run
            .plan
            .as_ref()
            .map_or(1, |plan| plan.cases.len().to_string().len())
    }
}

impl<W: Write> Report for Terminal<W> {
    fn on(&mut self, event: &RunEvent) -> Result<(), ReportError> {
        self.run.take(event);
        let text = self.text_of(event);
        // Only the last result is shown; the evidence of earlier ones is not needed here any more.
        if let Some(result) = self.run.results.last_mut() {
            result.conversation = Vec::new();
        }
        if text.is_empty() {
            return Ok(());
        }
        let failed = |source| ReportError::Io {
            report: "terminal",
            path: "standard output".into(),
            source,
        };
        self.write(&text).map_err(failed)
    }
}

/// What is said before the first action: what will be tested, how often hands are needed, how long it waits.
pub fn plan_text(plan: &Plan) -> String {
    let mut lines = vec![format!(
        "plugfest {}, seed {}: testing {}",
        one_line(&plan.version),
        plan.seed,
        one_line(&plan.dut)
    )];
    let facts: Vec<String> = plan
        .dut_facts
        .iter()
        .map(|(name, value)| format!("{} {}", one_line(name), one_line(value)))
        .collect();
    if !facts.is_empty() {
        lines.push(format!("  {}", facts.join(", ")));
    }
    let mut will = vec![counted(plan.cases.len() as u64, "case", "cases")];
    if plan.prompts > 0 {
        will.push(counted(
            plan.prompts.into(),
            "prompt for hands",
            "prompts for hands",
        ));
    }
    if plan.reboots > 0 {
        will.push(counted(plan.reboots.into(), "reboot", "reboots"));
    }
    if plan.waiting_ms > 0 && !plan.paused_clock {
        will.push(format!("about {} of waiting", duration(plan.waiting_ms)));
    }
    if plan.paused_clock {
        will.push("in memory on the paused clock".to_owned());
    }
    if plan.strict {
        will.push("warnings fail".to_owned());
    }
    lines.push(format!("  {}", will.join(", ")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use plugfest_judge::CaseKey;

    use super::*;

    /// What is written when a wait for up to a minute is said at these seconds.
    fn told(progress: Progress, said_at: &[u64]) -> String {
        let options = TerminalOptions {
            progress,
            ..TerminalOptions::plain()
        };
        let mut terminal = Terminal::new(Vec::new(), options);
        let began = Timestamp::from_secs(0);
        for &seconds in said_at {
            terminal
                .on(&RunEvent::Waiting {
                    key: CaseKey {
                        case: "a".to_owned(),
                        tests: "station".to_owned(),
                        variant: String::new(),
                        repetition: 1,
                    },
                    what: "Heartbeat".to_owned(),
                    until: Some(began.plus(Duration::from_mins(1))),
                    now: began.plus(Duration::from_secs(seconds)),
                })
                .expect("a vector takes everything");
        }
        String::from_utf8(terminal.into_inner()).expect("the terminal writes text")
    }

    #[test]
    fn plain_lines_tell_of_a_wait_that_has_lasted_and_then_ever_more_seldom() {
        assert_eq!(told(Progress::Lines, &[0, 1, 8]), "", "it may be over at once");
        let lines = told(Progress::Lines, &[0, 10, 20, 30, 40, 50]);
        let left: Vec<&str> = lines
            .lines()
            .filter_map(|line| line.split(", at most ").nth(1))
            .collect();
        assert_eq!(left, ["50.0 s", "40.0 s", "20.0 s"], "{lines}");
        assert_eq!(told(Progress::Quiet, &[0, 10, 20]), "");
        assert_eq!(told(Progress::Talkative, &[0, 1]).lines().count(), 1);
    }
}
