//! StatusNotification (OCPP 1.6 §4.9): who is told what, when, and what is told again after being offline.

use plugfest_protocol::{Json, Timestamp, object};

use super::connector::{Phase, Status, Trouble};
use super::device::{Device, Registration};
use super::outgoing::{Outgoing, Purpose};
use crate::defect::Defect;

/// What a StatusNotification says of a connector.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    pub(super) status: Status,
    pub(super) error: String,
    pub(super) info: Option<&'static str>,
    /// Since when it is so (machine time).
    pub(super) since: Timestamp,
}

impl Notice {
    /// Whether it is news to somebody who knows `other`.
    fn same(&self, other: &Self) -> bool {
        self.status == other.status && self.error == other.error
    }
}

/// What the CSMS knows of one connector, and what it does not know yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices {
    /// The state of things.
    current: Option<Notice>,
    /// The last one handed over to be sent.
    pushed: Option<Notice>,
    /// The last one that was answered.
    pub(super) told: Option<Notice>,
    /// When the current one has lasted long enough to be sent.
    pub(super) due: Option<Timestamp>,
}

impl Notices {
    fn news(&self) -> Option<&Notice> {
        let current = self.current.as_ref()?;
        let known = self.pushed.as_ref().is_some_and(|pushed| pushed.same(current));
        (!known).then_some(current)
    }
}

impl Device {
    /// The status of the station (0) or of a connector.
    fn status_of(&self, number: usize) -> (Status, Option<&Trouble>) {
        let operative = self.operative(number);
        match number.checked_sub(1) {
            Some(at) => {
                let status = match self.connectors[at].status(operative) {
                    Status::Available if self.reserved(number) => Status::Reserved,
                    other => other,
                };
                (status, self.connectors[at].trouble.as_ref())
            }
            None if self.trouble.as_ref().is_some_and(|trouble| !trouble.warning) => {
                (Status::Faulted, self.trouble.as_ref())
            }
            None if operative => (Status::Available, self.trouble.as_ref()),
            None => (Status::Unavailable, self.trouble.as_ref()),
        }
    }

    /// Something about a connector may have changed: lets power flow accordingly and tells whoever must know.
    pub(super) fn refresh(&mut self, number: usize) {
        let (status, trouble) = self.status_of(number);
        let error = trouble.map_or_else(|| "NoError".to_owned(), |trouble| trouble.code.clone());
        let now = self.now;
        let mut info = None;
        if number > 0 {
            let operative = self.operative(number);
            let unbridled = self.has(Defect::CsLimitNotApplied);
            let connector = self.at(number);
            let mut watts = connector.power(operative);
            if unbridled && watts > 0 {
                // The vehicle is told of the limit, the relay does not mind it.
                watts = connector.draw;
            }
            if watts != connector.meter.watts() {
                connector.meter.flow(watts, now);
            }
            info = connector.info.take();
        }
        if !self.powered() {
            return;
        }
        let notice = Notice {
            status,
            error,
            info,
            since: now,
        };
        let before = self.notices[number]
            .current
            .as_ref()
            .map(|current| current.status);
        if let Some(between) = before.and_then(|before| self.between(number, before, status)) {
            let notice = Notice {
                status: between,
                ..notice.clone()
            };
            self.notice(number, notice);
        }
        self.notice(number, notice);
    }

    /// What has to be shown between two statuses that the table of §4.9 does not connect.
    fn between(&self, number: usize, before: Status, after: Status) -> Option<Status> {
        let ends = number > 0 && matches!(self.connectors[number - 1].phase, Phase::Finishing);
        match (before, after) {
            (Status::Available | Status::Reserved | Status::Faulted, Status::Reserved) => None,
            (_, Status::Reserved) => Some(Status::Available),
            // A closed station shows no Finishing, but that is how Preparing ends while a cable is left (B6).
            (Status::Preparing, Status::Unavailable) if ends => Some(Status::Finishing),
            (Status::Preparing, Status::Unavailable) => Some(Status::Available),
            _ => None,
        }
    }

    /// So it is now: tells whoever must know, at once or once it has lasted.
    fn notice(&mut self, number: usize, notice: Notice) {
        let now = self.now;
        let minimum = self.store.settings.interval("MinimumStatusDuration");
        let notices = &mut self.notices[number];
        if notices
            .current
            .as_ref()
            .is_some_and(|current| current.same(&notice))
        {
            return;
        }
        let words = format!("connector {number} {} {}", notice.status.as_str(), notice.error);
        notices.current = Some(notice);
        notices.due = None;
        self.log(&words);
        let notices = &mut self.notices[number];
        if notices.news().is_some() {
            match minimum {
                Some(minimum) => notices.due = Some(now.plus(minimum)),
                None => self.push_notice(number),
            }
        }
    }

    /// Refreshes the station and all connectors.
    pub(super) fn refresh_all(&mut self) {
        for number in 0..=self.connectors.len() {
            self.refresh(number);
        }
    }

    /// Sends what has lasted for MinimumStatusDuration.
    pub(super) fn notices_pass(&mut self) {
        for number in 0..self.notices.len() {
            if self.notices[number].due.is_some_and(|due| due <= self.now) {
                self.notices[number].due = None;
                self.push_notice(number);
            }
        }
    }

    /// Hands the current state over to be sent; while offline it stays news.
    fn push_notice(&mut self, number: usize) {
        if let Some(outgoing) = self.take_news(number) {
            self.post(outgoing);
        }
    }

    fn take_news(&mut self, number: usize) -> Option<Outgoing> {
        let notice = self.notices[number].news().filter(|_| self.online()).cloned()?;
        let payload = self.notice_payload(number, &notice);
        let before = self.notices[number].pushed.replace(notice.clone());
        if self.keeps_to_itself(before.as_ref(), &notice) {
            return None;
        }
        Some(Outgoing::new(Purpose::Status { number, notice }, payload))
    }

    /// Changes that a station with a defect does not tell.
    fn keeps_to_itself(&self, before: Option<&Notice>, notice: &Notice) -> bool {
        let was_reserved = before.is_some_and(|before| before.status == Status::Reserved);
        match self.config.defect {
            Some(Defect::CsReserveNoStatus) => was_reserved || notice.status == Status::Reserved,
            Some(Defect::CsNoPreparing) => was_reserved && notice.status == Status::Preparing,
            _ => false,
        }
    }

    fn notice_payload(&self, number: usize, notice: &Notice) -> Json {
        let mut payload = object! {
            "connectorId": number as i64,
            "errorCode": notice.error.as_str(),
            "status": notice.status.as_str(),
            "timestamp": self.wall(notice.since).to_rfc3339(),
        };
        if let Json::Object(members) = &mut payload {
            if let Some(info) = notice.info {
                members.insert("info", info);
            }
            // Errata-free reading of §7.6: OtherError points to the vendor's own code.
            if notice.error == "OtherError" {
                members.insert("vendorId", self.config.data_transfer_vendor.as_str());
                members.insert("vendorErrorCode", "Unspecified");
            }
        }
        payload
    }

    /// After acceptance: the station and every connector, in order (errata 3.22).
    pub(super) fn tell_all(&mut self) {
        for notices in &mut self.notices {
            notices.pushed = None;
            notices.due = None;
        }
        for number in 0..self.notices.len() {
            if let Some(mut outgoing) = self.take_news(number) {
                if self.has(Defect::CsStatus1970) {
                    outgoing.rewrite("/timestamp", "1970-01-01T00:00:07.000Z".into());
                }
                self.post_early(outgoing);
            }
        }
    }

    /// After having been offline: what changed meanwhile, in the order in which it happened (§4.9).
    pub(super) fn tell_changes(&mut self) {
        let mut changed: Vec<(Timestamp, usize)> = self
            .notices
            .iter()
            .enumerate()
            .filter(|(_, notices)| notices.due.is_none())
            .filter_map(|(number, notices)| Some((notices.news()?.since, number)))
            .collect();
        changed.sort_unstable();
        for (_, number) in changed {
            self.push_notice(number);
        }
    }

    /// The line went: only what was answered is known to have arrived.
    pub(super) fn untold(&mut self) {
        for notices in &mut self.notices {
            notices.pushed.clone_from(&notices.told);
        }
    }

    /// Says that a connector is Available, whatever it is.
    pub(super) fn claim_available(&mut self, number: usize) {
        self.claim(number, Status::Available);
    }

    /// Says that a connector is Unavailable, whatever it is.
    pub(super) fn claim_unavailable(&mut self, number: usize) {
        self.claim(number, Status::Unavailable);
    }

    fn claim(&mut self, number: usize, status: Status) {
        let notice = Notice {
            status,
            error: "NoError".to_owned(),
            info: None,
            since: self.now,
        };
        let payload = self.notice_payload(number, &notice);
        self.notices[number].pushed = Some(notice.clone());
        self.post(Outgoing::new(Purpose::Status { number, notice }, payload));
    }

    /// The triggered StatusNotification of one connector (§5.17).
    pub(super) fn trigger_status(&mut self, number: usize) {
        let minimum = self.store.settings.interval("MinimumStatusDuration");
        if let (Some(minimum), true) = (minimum, self.has(Defect::CsTriggerDelayedMinstatus)) {
            self.notices[number].pushed = None;
            self.notices[number].due = Some(self.now.plus(minimum));
            return;
        }
        let (status, trouble) = self.status_of(number);
        let told = trouble.filter(|_| !self.has(Defect::CsTriggerLosesErrorcode));
        let error = told.map_or_else(|| "NoError".to_owned(), |trouble| trouble.code.clone());
        let since = self.notices[number]
            .current
            .as_ref()
            .map_or(self.now, |current| current.since);
        let notice = Notice {
            status,
            error,
            info: None,
            since,
        };
        let payload = self.notice_payload(number, &notice);
        if self.registration == Registration::Accepted {
            self.notices[number].pushed = Some(notice.clone());
            self.notices[number].due = None;
        }
        self.post(Outgoing::triggered(Purpose::Status { number, notice }, payload));
    }
}
