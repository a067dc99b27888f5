//! What the station has to say: one CALL at a time (OCPP-J 1.6 §4.1.1), and what an answer to it means.

use plugfest_protocol::{Frame, Json, Role, Timestamp};

use super::authorize::Ask;
use super::device::{Device, Registration};
use super::notices::Notice;
use super::queue::About;
use crate::defect::Defect;
use crate::link::Say;
use crate::rpc::{Received, receive};

/// How many messages wait to be said. Beyond it, the oldest notice goes: what it told is history.
const MOST_WAITING: usize = 500;

/// Why something is said, and so what its answer means.
#[derive(Debug)]
pub(super) enum Purpose {
    Boot,
    Authorize(Ask),
    Status {
        number: usize,
        notice: Notice,
    },
    Heartbeat,
    /// MeterValues that were asked for by TriggerMessage.
    Reading,
    /// How far an update of the firmware is.
    Firmware,
    /// How far an upload of diagnostics is.
    Diagnostics,
}

impl Purpose {
    const fn action(&self) -> &'static str {
        match self {
            Self::Boot => "BootNotification",
            Self::Authorize(_) => "Authorize",
            Self::Status { .. } => "StatusNotification",
            Self::Heartbeat => "Heartbeat",
            Self::Reading => "MeterValues",
            Self::Firmware => "FirmwareStatusNotification",
            Self::Diagnostics => "DiagnosticsStatusNotification",
        }
    }
}

/// Something to be said.
#[derive(Debug)]
pub(super) struct Outgoing {
    purpose: Purpose,
    payload: Json,
    order: u64,
    /// The CSMS asked for it, so it may be said while registration is pending (§4.2).
    triggered: bool,
}

impl Outgoing {
    pub(super) const fn new(purpose: Purpose, payload: Json) -> Self {
        Self {
            purpose,
            payload,
            order: 0,
            triggered: false,
        }
    }

    /// Puts another value into its payload, as a station with a defect does.
    pub(super) fn rewrite(&mut self, pointer: &str, value: Json) {
        if let Some(place) = self.payload.pointer_mut(pointer) {
            *place = value;
        }
    }

    pub(super) const fn triggered(purpose: Purpose, payload: Json) -> Self {
        Self {
            purpose,
            payload,
            order: 0,
            triggered: true,
        }
    }
}

/// What the outstanding CALL is.
enum Flying {
    Plain(Outgoing),
    /// The head of the queue of transaction-related messages.
    Queued,
    /// A transmission of a message that an answer to an earlier transmission has settled.
    Settled,
}

/// The outstanding CALL.
pub(super) struct InFlight {
    id: String,
    flying: Flying,
    pub(super) deadline: Timestamp,
}

/// How a CALL ended.
enum Ending {
    Result(Json),
    Error,
    TimedOut,
}

impl Device {
    /// Queues something to be said after everything that was queued before.
    pub(super) fn post(&mut self, mut outgoing: Outgoing) {
        outgoing.order = self.order();
        if self.outbox.len() >= MOST_WAITING {
            let history = |waiting: &Outgoing| matches!(waiting.purpose, Purpose::Status { .. });
            if let Some(at) = self.outbox.iter().position(history) {
                self.outbox.remove(at);
            }
        }
        self.outbox.push_back(outgoing);
    }

    /// Queues something to be said before the transaction-related messages that wait.
    pub(super) fn post_early(&mut self, outgoing: Outgoing) {
        self.post(outgoing);
        if let Some(last) = self.outbox.back_mut() {
            last.order = 0;
        }
    }

    /// Whether something of this kind waits or is on its way.
    pub(super) fn is_saying(&self, is: fn(&Purpose) -> bool) -> bool {
        let flying = self
            .in_flight
            .as_ref()
            .is_some_and(|call| matches!(&call.flying, Flying::Plain(it) if is(&it.purpose)));
        flying || self.outbox.iter().any(|waiting| is(&waiting.purpose))
    }

    /// Whether somebody's token is being asked about.
    pub(super) fn is_asking(&self, of: impl Fn(&Ask) -> bool) -> bool {
        let asks = |outgoing: &Outgoing| matches!(&outgoing.purpose, Purpose::Authorize(ask) if of(ask));
        let flying = self
            .in_flight
            .as_ref()
            .is_some_and(|call| matches!(&call.flying, Flying::Plain(it) if asks(it)));
        flying || self.outbox.iter().any(asks)
    }

    /// Says the next thing, where the one before it has ended.
    pub(super) fn speak(&mut self) {
        if self.in_flight.is_some() || !self.line.is_up() || self.is_jammed() {
            return;
        }
        if let Some(at) = self.next_plain() {
            let Some(outgoing) = self.outbox.remove(at) else {
                return;
            };
            let id = self.message_id();
            let (action, payload) = (outgoing.purpose.action(), outgoing.payload.clone());
            self.call(id, action, payload, Flying::Plain(outgoing));
        } else if self.registration() == Registration::Accepted && self.store.queue.ready(self.now).is_some()
        {
            let id = self.message_id();
            let Some(head) = self.store.queue.head_mut() else {
                return;
            };
            head.sent_as.push(id.clone());
            let (action, payload) = (head.action(), head.payload());
            self.call(id, action, payload, Flying::Queued);
        }
    }

    /// Which of the waiting messages is next; `None` where none may be said, or a queued one comes first.
    fn next_plain(&self) -> Option<usize> {
        let find = |is: &dyn Fn(&Outgoing) -> bool| self.outbox.iter().position(is);
        match self.registration() {
            Registration::Unknown | Registration::Rejected => find(&|it| matches!(it.purpose, Purpose::Boot)),
            Registration::Pending => find(&|it| it.triggered || matches!(it.purpose, Purpose::Boot)),
            Registration::Accepted => {
                // A driver stands there and waits: nothing comes before Authorize (§3.7).
                if let Some(at) = find(&|it| matches!(it.purpose, Purpose::Authorize(_))) {
                    return Some(at);
                }
                let first = self.outbox.front()?;
                let queued = self.store.queue.ready(self.now).map(|head| head.order);
                queued.is_none_or(|order| first.order < order).then_some(0)
            }
        }
    }

    fn call(&mut self, id: String, action: &str, payload: Json, flying: Flying) {
        let text = Frame::Call {
            id: id.clone(),
            action: action.to_owned(),
            payload,
        }
        .to_text();
        let deadline = self.now.plus(self.config.timing.message_timeout);
        self.in_flight = Some(InFlight { id, flying, deadline });
        self.say(Say::Text(text));
    }

    /// Whether the queue is stuck for ever, as that of a station with a defect may be.
    fn is_jammed(&self) -> bool {
        self.quirks.jammed && self.has(Defect::CsQueueBlockedByCallerror)
    }

    /// Whether a text is one that the station's reader does not survive, or does not see.
    fn stumbles(&mut self, text: &str) -> bool {
        let trips = match self.config.defect {
            // The elements of the array are taken without counting them.
            Some(Defect::CsShortFrameCrash) => Json::parse(text)
                .ok()
                .is_some_and(|json| json.as_array().is_some_and(|items| items.len() < 3)),
            // Digits are copied into a buffer of fixed size.
            Some(Defect::CsDatetimeFractionCrash) => text
                .split('.')
                .skip(1)
                .any(|rest| rest.bytes().take_while(u8::is_ascii_digit).count() > 9),
            Some(Defect::CsLargeFrameLost) => return text.len() > 2048,
            _ => false,
        };
        if trips {
            self.crash();
        }
        trips
    }

    /// A text came over the line.
    pub(super) fn heard(&mut self, text: &str) {
        if self.stumbles(text) {
            return;
        }
        match receive(self.edition, Role::STATION, text) {
            Received::Call { id, action, payload } => self.requested(text, &id, &action, &payload),
            Received::Refused(refusal) => {
                // While rejected, nothing is answered at all (§4.2).
                if self.registration != Registration::Rejected {
                    self.say(Say::Text(refusal.to_text()));
                }
            }
            Received::Result { id, payload } => self.answer(&id, Ending::Result(payload)),
            Received::Error { id, .. } => self.answer(&id, Ending::Error),
            Received::Ignored => {}
        }
    }

    fn answer(&mut self, id: &str, ending: Ending) {
        if self.in_flight.as_ref().is_some_and(|call| call.id == id) {
            self.land(ending);
            return;
        }
        // It came after its time-out, but its message is still waiting for its next attempt: better late than twice.
        let late = self
            .store
            .queue
            .head()
            .is_some_and(|head| head.sent_as.iter().any(|sent| sent == id));
        if let (true, Ending::Result(payload)) = (late, ending)
            && self.delivered(&payload)
            && let Some(call) = &mut self.in_flight
            && matches!(call.flying, Flying::Queued)
        {
            call.flying = Flying::Settled;
        }
    }

    /// Ends the outstanding CALL when its time is over.
    pub(super) fn calls_pass(&mut self) {
        if self
            .in_flight
            .as_ref()
            .is_some_and(|call| call.deadline <= self.now)
        {
            self.land(Ending::TimedOut);
        }
    }

    fn land(&mut self, ending: Ending) {
        let Some(call) = self.in_flight.take() else { return };
        match (call.flying, ending) {
            (Flying::Settled, _) => {}
            (Flying::Queued, Ending::Result(payload)) if self.delivered(&payload) => {}
            (Flying::Queued, ending) => {
                let stop = matches!(
                    self.store.queue.head().map(|it| &it.about),
                    Some(About::Stop { .. })
                );
                self.quirks.jammed |= stop && matches!(ending, Ending::Error);
                self.undelivered();
                self.offended(&ending);
            }
            (Flying::Plain(outgoing), Ending::Result(payload)) => {
                self.answered_with(outgoing.purpose, &payload);
            }
            (Flying::Plain(outgoing), ending) => {
                self.unanswered(outgoing.purpose, &ending);
                self.offended(&ending);
            }
        }
    }

    /// A station with a defect takes an error as a reason to leave.
    fn offended(&mut self, ending: &Ending) {
        if matches!(ending, Ending::Error) && self.has(Defect::CsReconnectOnCallerror) {
            self.line_lost();
        }
    }

    /// The CSMS took the head of the queue. False where its answer makes no sense.
    fn delivered(&mut self, payload: &Json) -> bool {
        let Some(head) = self.store.queue.head() else {
            return false;
        };
        let (about, transaction) = (head.about.clone(), head.transaction);
        if let About::Start { .. } = about
            && (payload.get("transactionId").and_then(Json::as_i64).is_none()
                || payload
                    .pointer("/idTagInfo/status")
                    .and_then(Json::as_str)
                    .is_none())
        {
            return false;
        }
        let repeated = head.sent_as.len() > 1;
        let start = head.payload();
        self.store.queue.delivered();
        match about {
            // The answer is looked up by the id of the first transmission.
            About::Start { .. } if repeated && self.has(Defect::CsStarttxRetryLost) => {}
            About::Start { connector, tag } => {
                self.quirks.last_start = transaction.map(|key| (key, start));
                self.started(connector as usize, transaction, &tag, payload);
            }
            About::Stop { tag: Some(tag) } => self.remember(&tag, payload),
            About::Stop { tag: None } | About::Meter => {}
        }
        true
    }

    fn undelivered(&mut self) {
        let attempts = self.store.settings.number("TransactionMessageAttempts");
        let interval = self
            .store
            .settings
            .interval("TransactionMessageRetryInterval")
            .unwrap_or_default();
        self.store.queue.failed(self.now, attempts, interval);
    }

    fn answered_with(&mut self, purpose: Purpose, payload: &Json) {
        match purpose {
            Purpose::Boot => self.booted(payload),
            Purpose::Authorize(ask) => {
                self.remember(ask.tag(), payload);
                self.decided(ask, payload.get("idTagInfo"));
            }
            Purpose::Status { number, notice } => self.notices[number].told = Some(notice),
            Purpose::Heartbeat => self.follow_clock(payload),
            Purpose::Reading | Purpose::Firmware | Purpose::Diagnostics => {}
        }
    }

    fn unanswered(&mut self, purpose: Purpose, ending: &Ending) {
        match purpose {
            Purpose::Boot
                if self.has(Defect::CsBootNoRetryOnTimeout) && matches!(ending, Ending::TimedOut) => {}
            Purpose::Boot
                if self.has(Defect::CsBootNoRetryOnCallerror) && matches!(ending, Ending::Error) => {}
            Purpose::Boot => self.boot_due = Some(self.now.plus(self.config.timing.boot_retry)),
            Purpose::Authorize(ask) => self.decided(ask, None),
            // It was said; nothing in the standard asks for it twice.
            Purpose::Status { number, notice } => self.notices[number].told = Some(notice),
            Purpose::Heartbeat | Purpose::Reading | Purpose::Firmware | Purpose::Diagnostics => {}
        }
    }

    /// The line went: what was not answered was perhaps not heard.
    pub(super) fn line_gone(&mut self) {
        self.untold();
        let flying = self.in_flight.take().and_then(|call| match call.flying {
            Flying::Plain(outgoing) => Some(outgoing),
            Flying::Queued => {
                // It was written to the socket, and so counts as delivered.
                if self.has(Defect::CsInflightLostOnDrop) {
                    self.store.queue.delivered();
                }
                None
            }
            Flying::Settled => None,
        });
        let unsaid: Vec<Outgoing> = flying.into_iter().chain(self.outbox.drain(..)).collect();
        for outgoing in unsaid {
            match outgoing.purpose {
                Purpose::Boot => self.boot_due = Some(self.now),
                Purpose::Authorize(ask) => self.ask_locally(ask),
                // The CSMS must know how it went on (§4.4, §4.5): said again when the line is back.
                Purpose::Firmware | Purpose::Diagnostics if !outgoing.triggered => self.post(outgoing),
                Purpose::Firmware | Purpose::Diagnostics => {}
                Purpose::Status { .. } | Purpose::Heartbeat | Purpose::Reading => {}
            }
        }
    }

    pub(super) fn follow_clock(&mut self, payload: &Json) {
        let current = payload
            .get("currentTime")
            .and_then(Json::as_str)
            .and_then(|text| Timestamp::parse(text).ok());
        if let Some(current) = current {
            self.set_clock(current);
        }
    }
}
