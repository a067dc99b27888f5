//! New firmware: fetched when it may be, installed when nobody charges, running after a restart (OCPP 1.6 §5.19).
//!
//! An image is good if it begins with the line [`MAGIC`]; its version is a number made of all of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use hyper::body::Bytes;
use plugfest_protocol::{Json, Timestamp, object};

use super::connector::Phase;
use super::device::Device;
use super::outgoing::{Outgoing, Purpose};
use super::transfer::TransferError;
use crate::defect::Defect;

/// With this line a good image begins.
const MAGIC: &[u8] = b"plugfest firmware\n";
/// How long the restart waits for the last words of the old firmware.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 24 * 3600;
/// The most attempts.
const MOST_RETRIES: i64 = 100;

/// An update that was asked for.
pub(super) struct Update {
    location: String,
    retries: u32,
    pause: Duration,
    stage: Stage,
}

/// How far it has come.
enum Stage {
    /// It may not be fetched before (wall time), or not again before.
    Waiting {
        until: Timestamp,
        again: bool,
    },
    Downloading,
    /// It is here, and waits until nobody charges.
    Downloaded {
        image: Bytes,
    },
    /// Until so long (machine time).
    Installing {
        image: Bytes,
        until: Timestamp,
    },
    /// It runs already; the CSMS has not been told yet.
    Restarted,
}

/// Retries and the pause between attempts, as UpdateFirmware and GetDiagnostics ask for them.
pub(super) fn persistence(request: &Json, pause: Duration) -> (u32, Duration) {
    let whole = |field: &str| request.get(field).and_then(Json::as_i64);
    let retries = whole("retries").unwrap_or(0).clamp(0, MOST_RETRIES);
    let pause = whole("retryInterval").map_or(pause, |seconds| {
        Duration::from_secs(seconds.clamp(0, LONGEST_PAUSE).unsigned_abs())
    });
    (u32::try_from(retries).unwrap_or(0), pause)
}

impl Device {
    /// UpdateFirmware: its answer says nothing. A new request takes the place of one that is not being installed.
    pub(super) fn update_firmware(&mut self, request: &Json) -> Json {
        let text = |field: &str| request.get(field).and_then(Json::as_str).unwrap_or_default();
        let installing = matches!(
            self.store.update.as_ref().map(|update| &update.stage),
            Some(Stage::Installing { .. } | Stage::Restarted)
        );
        if let (false, Ok(until)) = (installing, Timestamp::parse(text("retrieveDate"))) {
            let (retries, pause) = persistence(request, self.config.timing.transfer_pause);
            let location = text("location").to_owned();
            self.transfers.leave_fetching();
            let stage = Stage::Waiting { until, again: false };
            self.go_on(Some(Update {
                location,
                retries,
                pause,
                stage,
            }));
        }
        Json::empty()
    }

    /// What a triggered FirmwareStatusNotification tells: Idle, unless something is going on (§4.5).
    const fn firmware_status(&self) -> &'static str {
        let Some(update) = &self.store.update else {
            return "Idle";
        };
        match update.stage {
            Stage::Waiting { again: false, .. } => "Idle",
            Stage::Waiting { again: true, .. } | Stage::Downloading => "Downloading",
            Stage::Downloaded { .. } => "Downloaded",
            Stage::Installing { .. } | Stage::Restarted => "Installing",
        }
    }

    pub(super) fn trigger_firmware(&mut self) {
        let mut status = self.firmware_status();
        if let (Some(last), "Idle", true) = (
            self.quirks.last_job[0].as_deref(),
            status,
            self.has(Defect::CsTriggerFwStale16),
        ) {
            status = last;
        }
        let payload = object! { "status": status };
        self.post(Outgoing::triggered(Purpose::Firmware, payload));
    }

    fn tell_firmware(&mut self, status: &str) {
        self.quirks.last_job[0] = Some(status.to_owned());
        let payload = object! { "status": status };
        self.post(Outgoing::new(Purpose::Firmware, payload));
    }

    /// The station takes nobody while it waits to install, and while it installs.
    pub(super) const fn closed_for_update(&self) -> bool {
        matches!(
            &self.store.update,
            Some(Update {
                stage: Stage::Downloaded { .. } | Stage::Installing { .. },
                ..
            })
        )
    }

    /// Puts the update into its next stage, or an end to it. What closes or opens the connectors is shown.
    fn go_on(&mut self, update: Option<Update>) {
        let before = self.closed_for_update();
        self.store.update = update;
        self.show_doors(before);
    }

    fn go_to(&mut self, stage: Stage) {
        let before = self.closed_for_update();
        if let Some(update) = &mut self.store.update {
            update.stage = stage;
        }
        self.show_doors(before);
    }

    fn show_doors(&mut self, before: bool) {
        for number in self.numbers() {
            match (before, self.closed_for_update()) {
                (false, true) => self.refresh(number),
                (true, false) => self.refresh_returning(number),
                _ => {}
            }
        }
    }

    /// Takes the next step where it is time to.
    pub(super) fn firmware_pass(&mut self) {
        let Some(update) = &self.store.update else {
            return;
        };
        match &update.stage {
            Stage::Waiting { until, again } if *until <= self.wall(self.now) && self.online() => {
                let limit = self.config.timing.transfer;
                self.transfers.fetch(&*self.route, &update.location, limit);
                if !again {
                    self.tell_firmware("Downloading");
                }
                self.go_to(Stage::Downloading);
            }
            Stage::Downloaded { image } if self.nobody_charges() => {
                let until = self.now.plus(self.config.timing.install);
                let image = image.clone();
                self.tell_firmware("Installing");
                self.go_to(Stage::Installing { image, until });
            }
            Stage::Installing { image, until } if *until <= self.now => {
                if !image.starts_with(MAGIC) {
                    self.tell_firmware("InstallationFailed");
                    self.go_on(None);
                } else if self.nothing_to_say() || until.plus(LAST_WORDS) <= self.now {
                    self.store.firmware = version(image);
                    self.restart();
                    self.go_to(Stage::Restarted);
                }
            }
            _ => {}
        }
    }

    fn nobody_charges(&self) -> bool {
        self.connectors
            .iter()
            .all(|connector| matches!(connector.phase, Phase::Idle | Phase::Finishing))
    }

    /// When the next step is due by itself (machine time).
    pub(super) fn firmware_deadline(&self) -> Option<Timestamp> {
        let due = match &self.store.update.as_ref()?.stage {
            Stage::Waiting { until, .. } => self.machine(*until),
            Stage::Installing { until, .. } if *until <= self.now => until.plus(LAST_WORDS),
            Stage::Installing { until, .. } => *until,
            Stage::Downloading | Stage::Downloaded { .. } | Stage::Restarted => return None,
        };
        // What is due but has to wait for the line is woken by the line.
        (due > self.now).then_some(due)
    }

    /// The image has come, or has not.
    pub(super) fn firmware_fetched(&mut self, image: Result<Bytes, TransferError>) {
        let Some(update) = &mut self.store.update else {
            return;
        };
        match image {
            Ok(image) => {
                self.log("firmware downloaded");
                self.tell_firmware("Downloaded");
                self.go_to(Stage::Downloaded { image });
            }
            Err(why) if update.retries > 0 => {
                update.retries -= 1;
                let pause = update.pause;
                self.log(&format!("firmware not downloaded, to be tried again: {why}"));
                let until = self.wall(self.now).plus(pause);
                self.go_to(Stage::Waiting { until, again: true });
            }
            Err(why) => {
                self.log(&format!("firmware not downloaded: {why}"));
                self.tell_firmware("DownloadFailed");
                self.go_on(None);
            }
        }
    }

    /// The controller has started: what its working memory held of the update is begun anew.
    pub(super) fn resume_update(&mut self) {
        let Some(update) = &mut self.store.update else {
            return;
        };
        match &update.stage {
            Stage::Downloading => {
                let until = Timestamp::from_micros(0);
                update.stage = Stage::Waiting { until, again: true };
            }
            Stage::Installing { image, .. } => {
                let image = image.clone();
                update.stage = Stage::Downloaded { image };
            }
            Stage::Waiting { .. } | Stage::Downloaded { .. } | Stage::Restarted => {}
        }
    }

    /// The CSMS has accepted the station: it is told of the firmware that runs since the restart.
    pub(super) fn tell_installed(&mut self) {
        if matches!(
            &self.store.update,
            Some(Update {
                stage: Stage::Restarted,
                ..
            })
        ) {
            self.tell_firmware("Installed");
            self.go_on(None);
        }
    }
}

fn version(image: &Bytes) -> String {
    let mut hasher = DefaultHasher::new();
    image.hash(&mut hasher);
    format!("{}+{:08x}", env!("CARGO_PKG_VERSION"), hasher.finish() as u32)
}
