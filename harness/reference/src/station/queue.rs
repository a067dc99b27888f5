//! The queue of transaction-related messages (OCPP 1.6 §3.7): in order, kept over resets and power cuts.

use std::collections::VecDeque;
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp};

/// How many messages are kept. Beyond it, meter values go, StartTransaction and StopTransaction never.
const MOST_MESSAGES: usize = 10_000;

/// What a queued message tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// StartTransaction; its answer brings the id of the transaction.
    Start { connector: u32, tag: String },
    /// MeterValues.
    Meter,
    /// StopTransaction, with the token that stopped it, if any.
    Stop { tag: Option<String> },
}

/// One queued message.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) about: About,
    /// The station's number of the transaction, where there is one.
    pub(crate) transaction: Option<u64>,
    /// The CSMS's number, as soon as it is known; it is written into the payload when the message is sent.
    pub(crate) id: Option<i64>,
    pub(crate) payload: Json,
    /// Place among everything that the station has to say.
    pub(crate) order: u64,
    /// How often it has been sent without success.
    failures: u32,
    /// Not to be sent again before.
    not_before: Option<Timestamp>,
    /// Message ids of all its transmissions: an answer that comes late still counts.
    pub(crate) sent_as: Vec<String>,
}

impl Entry {
    pub(crate) fn new(
        about: About,
        transaction: Option<u64>,
        id: Option<i64>,
        payload: Json,
        order: u64,
    ) -> Self {
        Self {
            about,
            transaction,
            id,
            payload,
            order,
            failures: 0,
            not_before: None,
            sent_as: Vec::new(),
        }
    }

    pub(crate) const fn action(&self) -> &'static str {
        match self.about {
            About::Start { .. } => "StartTransaction",
            About::Meter => "MeterValues",
            About::Stop { .. } => "StopTransaction",
        }
    }

    /// The payload with the transaction's id. A transaction whose StartTransaction never got through is -1 (errata 3.18).
    pub(crate) fn payload(&self) -> Json {
        let mut payload = self.payload.clone();
        let starts = matches!(self.about, About::Start { .. });
        if let (Some(_), false, Json::Object(members)) = (self.transaction, starts, &mut payload) {
            members.insert("transactionId", self.id.unwrap_or(-1));
        }
        payload
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    entries: VecDeque<Entry>,
}

impl Queue {
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.entries.len() >= MOST_MESSAGES {
            // The head may be on its way: leave it.
            let victim = self
                .entries
                .iter()
                .skip(1)
                .position(|entry| entry.about == About::Meter);
            if let Some(at) = victim {
                self.entries.remove(at + 1);
            }
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn head(&self) -> Option<&Entry> {
        self.entries.front()
    }

    pub(crate) fn head_mut(&mut self) -> Option<&mut Entry> {
        self.entries.front_mut()
    }

    /// The head, where it may be sent now. Everything behind it waits with it (§3.7).
    pub(crate) fn ready(&self, now: Timestamp) -> Option<&Entry> {
        self.head()
            .filter(|head| head.not_before.is_none_or(|moment| moment <= now))
    }

    /// When the head may be sent again, where it has to wait.
    pub(crate) fn waits_until(&self) -> Option<Timestamp> {
        self.head()?.not_before
    }

    /// Loses messages, as a device with a defect does.
    pub(crate) fn lose(&mut self, which: impl Fn(&Entry) -> bool) {
        self.entries.retain(|entry| !which(entry));
    }

    /// The head has been delivered.
    pub(crate) fn delivered(&mut self) -> Option<Entry> {
        self.entries.pop_front()
    }

    /// The CSMS has named the transaction: everything that still waits carries the name.
    pub(crate) fn name(&mut self, transaction: u64, id: i64) {
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| entry.transaction == Some(transaction))
        {
            entry.id = Some(id);
        }
    }

    /// The CSMS failed to process the head: wait longer each time, give up after `attempts` (§3.7.1).
    /// True where it has been given up.
    pub(crate) fn failed(&mut self, now: Timestamp, attempts: u64, interval: Duration) -> bool {
        let Some(head) = self.entries.front_mut() else {
            return false;
        };
        head.failures += 1;
        if u64::from(head.failures) >= attempts {
            self.entries.pop_front();
            return true;
        }
        head.not_before = Some(now.plus(interval.saturating_mul(head.failures)));
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plugfest_protocol::object;

    fn entry(about: About, order: u64) -> Entry {
        Entry::new(about, Some(7), None, object! { "meterStop": 5 }, order)
    }

    #[test]
    fn retries_wait_longer_each_time_and_end() {
        let mut queue = Queue::default();
        queue.push(entry(About::Stop { tag: None }, 1));
        let start = Timestamp::from_secs(0);
        let minute = Duration::from_mins(1);
        assert!(!queue.failed(start, 3, minute));
        assert_eq!(queue.waits_until(), Some(Timestamp::from_secs(60)));
        assert!(queue.ready(Timestamp::from_secs(59)).is_none());
        assert!(queue.ready(Timestamp::from_secs(60)).is_some());
        assert!(!queue.failed(Timestamp::from_secs(60), 3, minute));
        assert_eq!(queue.waits_until(), Some(Timestamp::from_secs(180)));
        assert!(queue.failed(Timestamp::from_secs(180), 3, minute));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_transaction_without_a_name_is_minus_one_and_gets_its_name_later() {
        let mut queue = Queue::default();
        queue.push(entry(About::Meter, 1));
        assert_eq!(
            queue.head().unwrap().payload(),
            object! { "meterStop": 5, "transactionId": -1 }
        );
        queue.name(7, 42);
        assert_eq!(
            queue.head().unwrap().payload(),
            object! { "meterStop": 5, "transactionId": 42 }
        );
    }

    #[test]
    fn only_meter_values_are_ever_dropped() {
        let mut queue = Queue::default();
        queue.push(entry(
            About::Start {
                connector: 1,
                tag: "A".into(),
            },
            0,
        ));
        for n in 0..MOST_MESSAGES as u64 {
            queue.push(entry(About::Meter, n));
        }
        queue.push(entry(About::Stop { tag: None }, 99_999));
        assert_eq!(queue.entries.len(), MOST_MESSAGES);
        assert!(matches!(
            queue.entries.front().unwrap().about,
            About::Start { .. }
        ));
        assert!(matches!(queue.entries.back().unwrap().about, About::Stop { .. }));
        assert_eq!(queue.entries[1].order, 2, "the oldest meter values went");
    }
}
