//! Firmware and diagnostics: what is told of an update, or of an upload, follows from a request and comes in order.

use std::time::Duration;

use plugfest_protocol::Timestamp;
use plugfest_trace::{Party, What};

use super::support::{
    Check, Entry, OCPP16, clock_tolerance, duration, fact, instant, int, reboot_timeout, shown, text,
};
use crate::finding::Level;
use crate::rule::{AnswerSeen, Context, Findings, RuleInfo, Seen};

/// How long an update or an upload may keep silent where the profile says nothing.
const LONG: f64 = 600.0;

pub(super) static RULES: &[Entry] = &[
    Entry::station::<Order<FIRMWARE>>(RuleInfo {
        id: "firmware/order",
        title: "the stages of a firmware update are told one after another",
        clause: "OCPP-1.6 5.19",
        level: Level::Must,
        editions: OCPP16,
        explain: "During downloading and installation a station MUST tell the status: Downloading, Downloaded or DownloadFailed, \
                  Installing, Installed or InstallationFailed. A stage may be told again, a failed download tried again where \
                  the request allows retries, an installation may fail before it begins. After the end nothing more comes \
                  without a new request, but what a TriggerMessage asks for. Not judged across a lost connection, \
                  with which messages may be lost.",
    }),
    Entry::station::<Unrequested<FIRMWARE>>(RuleInfo {
        id: "firmware/unrequested",
        title: "a firmware update follows from its request",
        clause: "OCPP-1.6 4.5",
        level: Level::Must,
        editions: OCPP16,
        explain: "FirmwareStatusNotifications tell the status of the update that the CSMS began with UpdateFirmware. Judged \
                  where the end of the last update was told and no request has come since; what came before the trace is \
                  not known.",
    }),
    Entry::station::<Early>(RuleInfo {
        id: "firmware/early",
        title: "firmware is not fetched before its date",
        clause: "OCPP-1.6 5.19",
        level: Level::Must,
        editions: OCPP16,
        explain: "retrieveDate is the moment after which the station is allowed to retrieve the firmware. Its clock may be off \
                  by `tolerance.clock` (300 s by default).",
    }),
    Entry::station::<Silent<FIRMWARE>>(RuleInfo {
        id: "firmware/silent",
        title: "a firmware update that is due is begun",
        clause: "OCPP-1.6 5.19",
        level: Level::Should,
        editions: OCPP16,
        explain: "The station SHOULD start retrieving as soon as possible after retrieveDate, and tell so. Broken where it \
                  stays connected for `timeout.long` (600 s by default) and `timeout.reboot` after that date and tells nothing.",
    }),
    Entry::station::<Order<DIAGNOSTICS>>(RuleInfo {
        id: "diagnostics/order",
        title: "the stages of an upload are told one after another",
        clause: "OCPP-1.6 5.9",
        level: Level::Must,
        editions: OCPP16,
        explain: "During the upload a station MUST tell the status: Uploading, then Uploaded or UploadFailed. It may fail before \
                  it begins, and be tried again where the request allows retries. After the end nothing more comes \
                  without a new request, but what a TriggerMessage asks for. Not judged across a lost connection.",
    }),
    Entry::station::<Unrequested<DIAGNOSTICS>>(RuleInfo {
        id: "diagnostics/unrequested",
        title: "an upload of diagnostics follows from its request",
        clause: "OCPP-1.6 4.4",
        level: Level::Must,
        editions: OCPP16,
        explain: "DiagnosticsStatusNotifications tell the status of an upload that the CSMS asked for with GetDiagnostics. \
                  Judged where the end of the last upload was told and no request has come since.",
    }),
    Entry::station::<Silent<DIAGNOSTICS>>(RuleInfo {
        id: "diagnostics/silent",
        title: "a file that was named is uploaded",
        clause: "OCPP-1.6 5.9",
        level: Level::Must,
        editions: OCPP16,
        explain: "Whoever answers GetDiagnostics with the name of a file uploads it, and MUST tell the status meanwhile. Broken \
                  where the station stays connected for `timeout.long` (600 s by default) and `timeout.reboot` and tells nothing.",
    }),
    Entry::station::<Nameless>(RuleInfo {
        id: "diagnostics/nameless",
        title: "a file that is uploaded was named",
        clause: "OCPP-1.6 5.9",
        level: Level::Must,
        editions: OCPP16,
        explain: "If diagnostics are available the station SHALL answer GetDiagnostics with the name of the file, and without \
                  one where there are none. Broken where it named none and tells of an upload all the same.",
    }),
];

const FIRMWARE: u8 = 0;
const DIAGNOSTICS: u8 = 1;

/// The request, the notification, and the fact of one of the two.
struct Words {
    request: &'static str,
    told: &'static str,
    fact: &'static str,
    ends: &'static [&'static str],
}

const fn words(which: u8) -> Words {
    match which {
        FIRMWARE => Words {
            request: "UpdateFirmware",
            told: "FirmwareStatusNotification",
            fact: "firmware",
            ends: &["DownloadFailed", "Installed", "InstallationFailed"],
        },
        _ => Words {
            request: "GetDiagnostics",
            told: "DiagnosticsStatusNotification",
            fact: "diagnostics",
            ends: &["Uploaded", "UploadFailed"],
        },
    }
}

/// What may be told after what; `None` is the request.
fn follows(before: Option<&str>, next: &str, retries: bool) -> bool {
    match (before, next) {
        (None, "Downloading" | "DownloadFailed" | "Uploading" | "UploadFailed") => true,
        (Some("Downloading"), "Downloading" | "Downloaded" | "DownloadFailed") => true,
        (Some("Downloaded"), "Downloaded" | "Installing" | "InstallationFailed") => true,
        (Some("Installing"), "Installing" | "Installed" | "InstallationFailed") => true,
        (Some("DownloadFailed"), "Downloading" | "DownloadFailed") => retries,
        (Some("Uploading"), "Uploading" | "Uploaded" | "UploadFailed") => true,
        (Some("UploadFailed"), "Uploading" | "UploadFailed") => retries,
        _ => false,
    }
}

/// A notification of the station: its status.
fn told<'a>(which: u8, seen: &Seen<'a>) -> Option<&'a str> {
    match *seen {
        Seen::Call {
            from: Party::Dut,
            action,
            payload,
            ..
        } if action == words(which).told => text(payload, "status").filter(|status| *status != "Idle"),
        _ => None,
    }
}

/// True where we asked for the notification.
fn is_trigger(which: u8, seen: &Seen<'_>) -> bool {
    matches!(seen, Seen::Call { from: Party::Us, action, payload, .. }
        if action.ends_with("TriggerMessage") && text(payload, "requestedMessage") == Some(words(which).told))
}

/// Stages out of order.
#[derive(Debug, Default)]
struct Order<const WHICH: u8> {
    /// Something is known: a request was seen.
    requested: bool,
    retries: bool,
    /// The status last told since the request.
    last: Option<String>,
    /// A further request came while an update went on: either may be told of.
    anew: bool,
    /// Messages may have been lost.
    lost: bool,
    triggered: bool,
}

impl<const WHICH: u8> Check for Order<WHICH> {
    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some(next) = told(WHICH, &seen) {
            let again = std::mem::take(&mut self.triggered) && self.last.as_deref() == Some(next);
            let before = self.last.as_deref();
            let ended = before.is_some_and(|before| words(WHICH).ends.contains(&before));
            let in_order =
                follows(before, next, self.retries) || (self.anew && follows(None, next, self.retries));
            if self.requested && !self.lost && !again && !in_order {
                let message = match before {
                    Some(before) if ended => format!("{next} is told after {before}, which was the end"),
                    Some(before) => format!("{next} is told after {before}"),
                    None => format!("{next} is told first"),
                };
                let expected = match before {
                    Some(_) if ended => "nothing more",
                    _ => "each stage in its turn",
                };
                out.add(message, expected, next).at("/status");
            }
            self.anew = false;
            self.lost = false;
            self.last = Some(next.to_owned());
        }
        if is_trigger(WHICH, &seen) {
            self.triggered = true;
        }
        match seen {
            Seen::Answer {
                from: Party::Dut,
                call,
                answer: AnswerSeen::Result(_),
                ..
            } if call.action == words(WHICH).request => {
                let ends = words(WHICH).ends;
                let going_on = self.last.as_deref().is_some_and(|last| !ends.contains(&last));
                self.anew = self.requested && going_on;
                if !self.anew {
                    self.last = None;
                }
                self.requested = true;
                self.lost = false;
                self.retries = int(&call.payload, "retries") != Some(0);
            }
            Seen::Event(event) if matches!(event.what, What::Closed { .. }) => self.lost = true,
            _ => {}
        }
    }
}

/// Stages of nothing.
#[derive(Debug, Default)]
struct Unrequested<const WHICH: u8> {
    triggered: bool,
    open: bool,
}

impl<const WHICH: u8> Check for Unrequested<WHICH> {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some(next) = told(WHICH, &seen) {
            let triggered = std::mem::take(&mut self.triggered);
            let begins = matches!(next, "Downloading" | "Uploading");
            let before = fact(context, words(WHICH).fact);
            // A download that failed may be tried again, and its request may lie before the trace.
            let over = before
                .filter(|before| matches!(*before, "Installed" | "InstallationFailed" | "Uploaded" | "Idle"));
            if let Some(before) = over
                && begins
                && !triggered
                && !self.open
            {
                let message = format!("{next} is told, and nobody has asked since {before}");
                out.add(message, format!("{} before it", words(WHICH).request), next)
                    .at("/status");
            }
            self.open = !words(WHICH).ends.contains(&next);
        }
        if is_trigger(WHICH, &seen) {
            self.triggered = true;
        }
        if let Seen::Call {
            from: Party::Us,
            action,
            ..
        } = seen
            && action.ends_with(words(WHICH).request)
        {
            self.open = true;
        }
    }
}

/// Downloads before their date.
#[derive(Debug, Default)]
struct Early {
    date: Option<Timestamp>,
}

impl Check for Early {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let (Some("Downloading" | "Downloaded"), Some(date)) = (told(FIRMWARE, &seen), self.date)
            && date > context.at
            && date.since(context.at) > clock_tolerance(context)
        {
            let message = format!(
                "the firmware is fetched {} before its date",
                shown(date.since(context.at))
            );
            out.add(message, date.to_rfc3339(), context.at.to_rfc3339())
                .at("/status");
            self.date = None;
        }
        if let Some((call, _)) = seen.dut_result()
            && call.action == "UpdateFirmware"
        {
            // Of two dates the earlier may still be meant.
            let date = instant(&call.payload, "retrieveDate");
            self.date = match (self.date, date) {
                (Some(old), Some(new)) => Some(old.min(new)),
                (old, new) => old.or(new),
            };
        }
        if told(FIRMWARE, &seen).is_some() {
            self.date = None;
        }
    }
}

/// Requests that lead to nothing.
#[derive(Debug, Default)]
struct Silent<const WHICH: u8> {
    due: Option<Timestamp>,
}

impl<const WHICH: u8> Check for Silent<WHICH> {
    fn see(&mut self, context: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let timeout: Duration = duration(context.values, "timeout", "long", LONG) + reboot_timeout(context);
        if let Some(due) = self.due
            && due < context.at
            && context.at.since(due) > timeout
            && context.ledger.link_of(context.identity).is_some()
        {
            self.due = None;
            let message = format!(
                "{} was answered and nothing has been told since",
                words(WHICH).request
            );
            let expected = format!("{} within {}", words(WHICH).told, shown(timeout));
            out.add(
                message,
                expected,
                format!("nothing for {}", shown(context.at.since(due))),
            );
        }
        if told(WHICH, &seen).is_some() {
            self.due = None;
        }
        match seen {
            Seen::Answer {
                from: Party::Dut,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == words(WHICH).request => {
                self.due = match WHICH {
                    FIRMWARE => instant(&call.payload, "retrieveDate").map(|date| date.max(context.at)),
                    _ => text(result, "fileName").map(|_| context.at),
                };
            }
            // What was lost with the connection, or given up by a restart, is not known.
            Seen::Event(event) if matches!(event.what, What::Closed { .. }) => self.due = None,
            _ => {}
        }
    }
}

/// Uploads without a name.
#[derive(Debug, Default)]
struct Nameless {
    none: bool,
}

impl Check for Nameless {
    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        if let Some(status @ ("Uploading" | "Uploaded")) = told(DIAGNOSTICS, &seen)
            && std::mem::take(&mut self.none)
        {
            out.add(
                "an upload is told that no file was named for",
                "a fileName in the answer",
                status,
            )
            .at("/status");
        }
        match seen {
            Seen::Call {
                from: Party::Us,
                action: "GetDiagnostics",
                ..
            } => self.none = false,
            Seen::Answer {
                from: Party::Dut,
                call,
                answer: AnswerSeen::Result(result),
                ..
            } if call.action == "GetDiagnostics" => {
                self.none = text(result, "fileName").is_none_or(str::is_empty);
            }
            _ => {}
        }
    }
}
