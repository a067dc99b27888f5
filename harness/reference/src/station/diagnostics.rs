//! Diagnostics: a log of what the station did, and how it is brought to where the CSMS wants it (OCPP 1.6 §5.9).

use std::collections::VecDeque;
use std::time::Duration;

use hyper::body::Bytes;
use plugfest_protocol::{Json, Timestamp, object};

use super::device::Device;
use super::firmware::persistence;
use super::outgoing::{Outgoing, Purpose};
use super::transfer::TransferError;
use crate::defect::Defect;

/// How many lines the log keeps; the oldest go.
const MOST_LINES: usize = 1_000;

/// What happened, and when (wall time).
#[derive(Debug, Default)]
pub(super) struct Log(VecDeque<(Timestamp, String)>);

impl Log {
    fn write(&mut self, wall: Timestamp, what: &str) {
        if self.0.len() >= MOST_LINES {
            self.0.pop_front();
        }
        self.0.push_back((wall, what.to_owned()));
    }

    /// The lines of that time, as a file; `None` where there are none.
    fn file(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Option<String> {
        let within = |at: &Timestamp| from.is_none_or(|from| *at >= from) && to.is_none_or(|to| *at <= to);
        let lines = self.0.iter().filter(|(at, _)| within(at));
        let lines: Vec<String> = lines
            .map(|(at, what)| format!("{} {what}\n", at.to_rfc3339()))
            .collect();
        (!lines.is_empty()).then(|| lines.concat())
    }
}

/// An upload that was asked for.
pub(super) struct Upload {
    directory: String,
    name: String,
    file: Bytes,
    retries: u32,
    pause: Duration,
    /// When it is tried again (machine time); `None` while it is under way.
    again: Option<Timestamp>,
}

impl Device {
    /// Writes a line into the log.
    pub(super) fn log(&mut self, what: &str) {
        let wall = self.wall(self.now);
        self.store.log.write(wall, what);
    }

    /// GetDiagnostics: the name of the file that will be brought, or nothing where there is none. One that is still
    /// under way is given up.
    pub(super) fn get_diagnostics(&mut self, request: &Json) -> Json {
        let text = |field: &str| request.get(field).and_then(Json::as_str);
        let time = |field: &str| text(field).and_then(|time| Timestamp::parse(time).ok());
        let Some(file) = self.store.log.file(time("startTime"), time("stopTime")) else {
            return Json::empty();
        };
        if self.upload.take().is_some() {
            self.tell_diagnostics("UploadFailed");
        }
        let (retries, pause) = persistence(request, self.config.timing.transfer_pause);
        let name = format!("diagnostics-{}.log", self.wall(self.now).as_millis());
        let upload = Upload {
            directory: text("location").unwrap_or_default().to_owned(),
            name: name.clone(),
            file: Bytes::from(file),
            retries,
            pause,
            again: None,
        };
        self.bring(&upload);
        self.upload = Some(upload);
        self.tell_diagnostics("Uploading");
        object! { "fileName": name }
    }

    fn bring(&mut self, upload: &Upload) {
        let limit = self.config.timing.transfer;
        let Upload {
            directory,
            name,
            file,
            ..
        } = upload;
        self.transfers
            .bring(&*self.route, directory, name, file.clone(), limit);
    }

    fn tell_diagnostics(&mut self, status: &str) {
        self.quirks.last_job[1] = Some(status.to_owned());
        let payload = object! { "status": status };
        self.post(Outgoing::new(Purpose::Diagnostics, payload));
    }

    /// What a triggered DiagnosticsStatusNotification tells: Idle, unless a file is under way (§4.4).
    pub(super) fn trigger_diagnostics(&mut self) {
        let last = self.quirks.last_job[1].as_deref();
        let status = match (&self.upload, last) {
            (Some(_), _) => "Uploading",
            // Only the success of a job is taken note of, or neither its success nor its failure.
            (None, Some(last)) if self.has(Defect::CsTriggerFwStale16) => last,
            (None, Some("UploadFailed")) if self.has(Defect::CsTriggerLogNotIdle) => "UploadFailed",
            (None, _) => "Idle",
        };
        let payload = object! { "status": status };
        self.post(Outgoing::triggered(Purpose::Diagnostics, payload));
    }

    /// The file has arrived, or has not.
    pub(super) fn diagnostics_brought(&mut self, ended: Result<(), TransferError>) {
        let Some(mut upload) = self.upload.take() else {
            return;
        };
        match ended {
            Ok(()) => self.tell_diagnostics("Uploaded"),
            Err(why) if upload.retries > 0 => {
                upload.retries -= 1;
                upload.again = Some(self.now.plus(upload.pause));
                self.upload = Some(upload);
                self.log(&format!("diagnostics not uploaded, to be tried again: {why}"));
            }
            Err(why) => {
                self.log(&format!("diagnostics not uploaded: {why}"));
                self.tell_diagnostics("UploadFailed");
            }
        }
    }

    /// Tries again where it is time to.
    pub(super) fn diagnostics_pass(&mut self) {
        let due = self.diagnostics_deadline().is_some_and(|due| due <= self.now);
        if let Some(mut upload) = self.upload.take_if(|_| due) {
            upload.again = None;
            self.bring(&upload);
            self.upload = Some(upload);
        }
    }

    /// When it is to be tried again (machine time).
    pub(super) fn diagnostics_deadline(&self) -> Option<Timestamp> {
        self.upload.as_ref()?.again
    }
}
