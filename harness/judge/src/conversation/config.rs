//! `config(Key: value)`: read, write if different, reboot where asked for, put back afterwards. On a side that we play
//! it sets the model.

use plugfest_case::ir::ConfigEntry;
use plugfest_protocol::{Json, Timestamp};

use super::Command;
use super::claim::Got;
use super::context::Cx;
use super::pattern::Overlay;
use super::scope::FrameId;
use super::value::ValueError;
use crate::dialect::Written;
use crate::verdict::Verdict;

/// The stage at which both sides have their configuration.
pub(super) const CONFIGURED: &str = "configured";

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    Reading,
    Writing(usize),
    Rebooting,
    Booting,
    /// Both sides of a self-play meet here, so that neither runs ahead of the other.
    Meeting,
    Done,
}

/// The values that one `config(…)` asks for.
#[derive(Debug, Clone)]
pub(super) struct Configure {
    entries: Vec<(String, Json, bool)>,
    /// What differs, to be written in order.
    writes: Vec<(String, Json, Option<Json>)>,
    step: Step,
    reboot: bool,
    /// The CALL that is open: connection, id, when it went out.
    sent: Option<(u32, String, Timestamp)>,
    since: Option<Timestamp>,
    boot_before: u64,
    /// True while values are put back: nothing is remembered and nothing blocks.
    restoring: bool,
    /// True where values are only asked for.
    only_read: bool,
    /// What ended it.
    pub(super) trouble: Option<(Verdict, String)>,
}

impl Configure {
    pub(super) fn new(entries: &[ConfigEntry], frame: FrameId, cx: &mut Cx) -> Result<Self, ValueError> {
        let mut all = Vec::new();
        for entry in entries {
            let value = cx.values.evaluate(&entry.value, frame)?;
            let value = cx.story.dialect.config_text(&value);
            all.push((entry.key.text.clone(), value, entry.if_implemented));
        }
        Ok(Self::of(all, false))
    }

    /// Asks for values that an `if` will look at.
    pub(super) fn read(keys: Vec<String>) -> Self {
        let mut this = Self::of(keys.into_iter().map(|k| (k, Json::Null, true)).collect(), false);
        this.only_read = true;
        this
    }

    /// Puts values back.
    pub(super) fn restore(values: Vec<(String, Json)>) -> Self {
        Self::of(values.into_iter().map(|(k, v)| (k, v, true)).collect(), true)
    }

    fn of(entries: Vec<(String, Json, bool)>, restoring: bool) -> Self {
        Self {
            entries,
            writes: Vec::new(),
            step: Step::Begin,
            reboot: false,
            sent: None,
            since: None,
            boot_before: 0,
            restoring,
            only_read: false,
            trouble: None,
        }
    }

    /// Takes the next step; true when done.
    pub(super) fn go_on(&mut self, cx: &mut Cx) -> bool {
        if self.trouble.is_some() {
            return false;
        }
        if self.step == Step::Begin {
            self.since = Some(cx.now());
            if cx.dut != "station" {
                // The side that holds the configuration is ours.
                for (key, value, _) in self.entries.iter().filter(|_| !self.only_read) {
                    if !self.restoring {
                        cx.restore.push((key.clone(), Json::Null));
                    }
                    cx.commands.push(Command::SetModel {
                        key: key.clone(),
                        value: value.clone(),
                    });
                }
                self.meet(cx);
            } else if self.restoring {
                self.writes = self
                    .entries
                    .iter()
                    .map(|(k, v, _)| (k.clone(), v.clone(), None))
                    .collect();
                self.write(0, cx);
            } else {
                let keys: Vec<String> = self.entries.iter().map(|(k, ..)| k.clone()).collect();
                let (action, payload) = cx.story.dialect.config_read(&keys);
                self.step = Step::Reading;
                call(action, payload, cx);
            }
        }
        if self.step == Step::Booting && cx.linked && boots(cx) > self.boot_before {
            let booted = super::check::value(cx, "boot()", 0).ok();
            if booted.as_ref().and_then(Json::as_str) == Some("Accepted") {
                self.meet(cx);
            }
        }
        self.step == Step::Done
    }

    /// Notes that our CALL went out.
    pub(super) fn was_sent(&mut self, conn: u32, id: &str, cx: &Cx) -> bool {
        let waits = matches!(self.step, Step::Reading | Step::Writing(_) | Step::Rebooting);
        if !waits || self.sent.is_some() {
            return false;
        }
        self.sent = Some((conn, id.to_owned(), cx.now()));
        true
    }

    /// An answer; true if it was for us.
    pub(super) fn answered(&mut self, conn: u32, id: &str, got: Got<'_>, cx: &mut Cx) -> bool {
        if !self.sent.as_ref().is_some_and(|(c, i, _)| *c == conn && i == id) {
            return false;
        }
        self.sent = None;
        let Got::Result(payload) = got else {
            self.give_up(
                Verdict::Blocked,
                format!("the configuration CALL was answered by {}", super::fit::said(got)),
            );
            return true;
        };
        match self.step {
            Step::Reading => self.compare(payload, cx),
            Step::Writing(i) => self.written(i, payload, cx),
            Step::Rebooting => self.step = Step::Booting,
            _ => {}
        }
        true
    }

    fn compare(&mut self, payload: &Json, cx: &mut Cx) {
        if self.only_read {
            // The keeper of facts has learnt them on the way.
            self.meet(cx);
            return;
        }
        let values = cx.story.dialect.config_values(payload);
        for (key, wanted, if_implemented) in self.entries.clone() {
            let Some(there) = values.iter().find(|v| v.key.eq_ignore_ascii_case(&key)) else {
                if !if_implemented {
                    self.give_up(
                        Verdict::Blocked,
                        format!("the device does not know the configuration key {key}"),
                    );
                    return;
                }
                continue;
            };
            if there.value.as_ref().is_some_and(|v| same_text(v, &wanted)) {
                continue;
            }
            if there.read_only {
                let text = format!("{key} is read-only and not {wanted}");
                self.give_up(Verdict::NotApplicable, text);
                return;
            }
            self.writes.push((key, wanted, there.value.clone()));
        }
        self.write(0, cx);
    }

    fn write(&mut self, i: usize, cx: &mut Cx) {
        if let Some((key, value, _)) = self.writes.get(i) {
            let (action, payload) = cx.story.dialect.config_write(key, value);
            self.step = Step::Writing(i);
            call(action, payload, cx);
        } else if self.reboot {
            self.boot_before = boots(cx);
            cx.away_asked = true;
            let (action, payload) = cx.story.dialect.reboot();
            self.step = Step::Rebooting;
            call(action, payload, cx);
        } else {
            self.meet(cx);
        }
    }

    fn meet(&mut self, cx: &mut Cx) {
        if self.restoring {
            self.step = Step::Done;
            return;
        }
        self.step = Step::Meeting;
        cx.commands.push(Command::Stage(CONFIGURED));
    }

    /// The meeting took place; true if it was ours.
    pub(super) fn met(&mut self) -> bool {
        let mine = self.step == Step::Meeting;
        if mine {
            self.step = Step::Done;
        }
        mine
    }

    fn written(&mut self, i: usize, payload: &Json, cx: &mut Cx) {
        let (key, value, before) = self.writes[i].clone();
        match cx.story.dialect.config_written(payload) {
            Written::Done => {}
            Written::AfterReboot => self.reboot = true,
            Written::Rejected | Written::Unknown if self.restoring => {}
            Written::Rejected => {
                self.give_up(Verdict::Blocked, format!("the device refused {key} = {value}"));
                return;
            }
            Written::Unknown => {
                self.give_up(
                    Verdict::Blocked,
                    format!("the device shows {key} but cannot write it"),
                );
                return;
            }
        }
        if !self.restoring
            && let Some(before) = before
        {
            cx.restore.push((key, before));
        }
        self.write(i + 1, cx);
    }

    fn give_up(&mut self, verdict: Verdict, text: String) {
        if self.restoring {
            self.step = Step::Done;
        }
        self.trouble = Some((verdict, text));
    }

    pub(super) fn deadline(&self, cx: &Cx) -> Option<Timestamp> {
        match (self.step, &self.sent) {
            (Step::Done | Step::Begin | Step::Meeting, _) => None,
            // Who breaks a run off wants a device that is there to be put back, not to wait for one that is not.
            (Step::Booting, _) | (_, None) if cx.broken_off => Some(self.since? + cx.timeout("message", 30)),
            (Step::Booting, _) | (_, None) => Some(self.since? + cx.timeout("reboot", 120)),
            (_, Some((_, _, at))) => Some(*at + cx.timeout("message", 30)),
        }
    }

    pub(super) fn expire(&mut self, cx: &Cx) {
        if self.deadline(cx).is_some_and(|d| cx.over(d)) {
            let why = if self.restoring {
                let keys: Vec<&str> = self.entries.iter().map(|(key, _, _)| key.as_str()).collect();
                format!(
                    "{} may not be back as it was: the device did not answer",
                    keys.join(", ")
                )
            } else {
                "the device did not answer while it was configured".to_owned()
            };
            self.give_up(Verdict::Blocked, why);
        }
    }
}

fn call(action: &str, payload: Json, cx: &mut Cx) {
    let Json::Object(values) = payload else { return };
    cx.commands.push(Command::Call {
        speaker: "csms".to_owned(),
        number: 1,
        action: action.to_owned(),
        overlay: Overlay {
            values,
            exactly: true,
            ..Overlay::default()
        },
    });
}

/// How often the DUT has booted in this trace.
fn boots(cx: &Cx) -> u64 {
    cx.facts
        .fact("boots")
        .and_then(Json::as_i64)
        .map_or(0, i64::unsigned_abs)
}

/// Configuration values are texts; lists and booleans compare without regard to case and spaces.
fn same_text(a: &Json, b: &Json) -> bool {
    let norm = |v: &Json| {
        let text = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        text.split(',')
            .map(|p| p.trim().to_ascii_lowercase())
            .collect::<Vec<_>>()
            .join(",")
    };
    norm(a) == norm(b)
}
