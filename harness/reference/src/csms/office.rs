//! The back office: one state for all stations.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use plugfest_protocol::{Json, Timestamp, object};
use tokio::sync::mpsc;

use super::config::{Config, KnownStation, Registration, Tag};
use super::connection::Order;
use super::lists::List;
use super::reservations::Reservations;
use crate::defect::Defect;

/// How many records of one kind are kept; the oldest go.
const MOST_RECORDS: usize = 2_000;
/// A record longer than this, in bytes of JSON, is kept as its length only.
const LONGEST_RECORD: usize = 16 * 1024;
/// The longest time stamp that is kept, in characters; none that means anything is longer.
const LONGEST_STAMP: usize = 64;
/// How many transactions are kept; the oldest that are over go.
const MOST_TRANSACTIONS: usize = 100_000;
/// How many stations an open office keeps a file of.
const MOST_STATIONS: usize = 100_000;
/// Wrong passwords in a row after which an identity has to wait, and for how long.
const WRONG_PASSWORDS: u32 = 10;
const PENALTY: Duration = Duration::from_secs(10);
/// How long after its end an office with a defect still wants to use a transaction.
const LATER: Duration = Duration::from_secs(5);
/// How many time-outs at once an office with a defect deals with.
const HANDS: u32 = 12;

/// What the back office keeps of a station.
#[derive(Default)]
pub(super) struct StationFile {
    pub(super) password: Option<Vec<u8>>,
    /// What the next BootNotification is answered with.
    pub(super) registration: Registration,
    /// What the last one was answered with.
    pub(super) booted: Option<Registration>,
    /// Messages that a pending station was asked for by TriggerMessage.
    pub(super) triggered: BTreeSet<String>,
    /// The local authorization list that it has.
    pub(super) list: List,
    /// The way to its connection, and the number of that connection.
    pub(super) line: Option<(u64, mpsc::Sender<Order>)>,
    wrong_passwords: u32,
    locked_until: Option<Timestamp>,
}

/// A transaction as the back office has it in its books.
pub(super) struct Transaction {
    pub(super) id: i32,
    pub(super) station: String,
    pub(super) connector: i64,
    tag: String,
    status: String,
    meter_start: i64,
    started: String,
    /// How many readings have come of it.
    readings: usize,
    /// Meter, time and reason of its end.
    end: Option<(i64, String, String)>,
    /// Its connector has been reported Available since: nobody charges there any more.
    left: bool,
}

impl Transaction {
    fn holds(&self, tag: &str) -> bool {
        self.end.is_none() && !self.left && self.status == "Accepted" && self.tag.eq_ignore_ascii_case(tag)
    }

    fn to_json(&self, bills_anything: bool) -> Json {
        let mut json = object! {
            "transactionId": self.id,
            "station": self.station.as_str(),
            "connectorId": self.connector,
            "idTag": self.tag.as_str(),
            "status": self.status.as_str(),
            "meterStart": self.meter_start,
            "started": self.started.as_str(),
            "open": self.end.is_none(),
            "meterValues": self.readings as i64,
        };
        if let (Some((meter, stopped, reason)), Json::Object(members)) = (&self.end, &mut json) {
            members.insert("meterStop", *meter);
            members.insert("stopped", stopped.as_str());
            members.insert("reason", reason.as_str());
            match meter
                .checked_sub(self.meter_start)
                .filter(|energy| bills_anything || *energy >= 0)
            {
                Some(energy) => members.insert("energy", energy),
                // Acknowledged as every StopTransaction is, but not to be billed.
                None => members.insert("implausible", true),
            }
        }
        json
    }
}

/// Why somebody may not connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    Unauthorized,
    TooMany,
}

/// The back office.
pub(super) struct Office {
    pub(super) config: Config,
    /// Wall time of what is being dealt with.
    pub(super) now: Timestamp,
    pub(super) stations: BTreeMap<String, StationFile>,
    tags: BTreeMap<String, Tag>,
    transactions: VecDeque<Transaction>,
    pub(super) reservations: Reservations,
    next_transaction: i32,
    records: BTreeMap<&'static str, VecDeque<Json>>,
    next_connection: u64,
    /// Nobody is answered any more, as by an office with a defect.
    dead: bool,
    /// A transaction that has just ended, and that an office with a defect goes on using.
    ended: Option<(Timestamp, i64)>,
    /// When a station connected.
    arrivals: BTreeMap<String, Timestamp>,
    /// The moment of the last CALL that timed out, and how many have done so since, at an office with a defect.
    timed_out: Option<(Timestamp, u32)>,
    /// The station that told a status last, and when.
    told: Option<(String, Timestamp)>,
}

/// The kinds of records that can be asked for.
pub(super) const KINDS: [&str; 9] = [
    "answers",
    "authorizations",
    "boots",
    "connections",
    "data_transfers",
    "heartbeats",
    "meter_values",
    "notifications",
    "statuses",
];

impl Office {
    pub(super) fn new(config: Config, now: Timestamp) -> Self {
        let file = |station: &KnownStation| StationFile {
            password: station.password.clone(),
            registration: station.registration,
            ..StationFile::default()
        };
        Self {
            now,
            stations: config
                .stations
                .iter()
                .map(|it| (it.identity.clone(), file(it)))
                .collect(),
            tags: config
                .tags
                .iter()
                .map(|tag| (tag.id.to_ascii_lowercase(), tag.clone()))
                .collect(),
            transactions: VecDeque::new(),
            reservations: Reservations::default(),
            next_transaction: config.first_transaction,
            records: BTreeMap::new(),
            next_connection: 0,
            dead: false,
            ended: None,
            arrivals: BTreeMap::new(),
            timed_out: None,
            told: None,
            config,
        }
    }

    /// Whether it has been given that defect.
    pub(super) fn has(&self, defect: Defect) -> bool {
        self.config.defect == Some(defect)
    }

    pub(super) const fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) const fn die(&mut self) {
        self.dead = true;
    }

    /// Whether the station's connection is so new that an office with a defect has not finished its file.
    pub(super) fn has_just_connected(&self, station: &str) -> bool {
        let since = self.arrivals.get(station).map(|arrival| self.now.since(*arrival));
        since.is_some_and(|since| since < Duration::from_millis(10))
    }

    /// A CALL has timed out. An office with a defect has a few hands for that, each of which waits for the next.
    pub(super) fn times_out(&mut self) {
        if !self.has(Defect::CsmsDeadlockManyTimeouts) {
            return;
        }
        let (since, count) = self.timed_out.unwrap_or((self.now, 0));
        let at_once = self.now.since(since) < Duration::from_secs(1);
        self.timed_out = Some(if at_once {
            (since, count + 1)
        } else {
            (self.now, 1)
        });
        if self.timed_out.is_some_and(|(_, count)| count >= HANDS) {
            self.die();
        }
    }

    /// Whether another station is telling a status in this moment, whose row an office with a defect has locked.
    pub(super) fn is_locked(&mut self, station: &str) -> bool {
        let now = self.now;
        let locked = self
            .told
            .as_ref()
            .is_some_and(|(other, at)| other != station && now.since(*at) < Duration::from_millis(5));
        self.told = Some((station.to_owned(), now));
        locked
    }

    /// A transaction that an office with a defect still wants to use.
    pub(super) fn take_ended(&mut self) -> Option<i64> {
        let now = self.now;
        let due = self.ended.take_if(|(at, _)| now.since(*at) >= LATER);
        due.map(|(_, id)| id)
    }

    /// Whether a StopTransaction is of a transaction in the books of that station.
    pub(super) fn knows(&self, station: &str, request: &Json) -> bool {
        let id = request.get("transactionId").and_then(Json::as_i64);
        let mut own = self.transactions.iter().filter(|it| it.station == station);
        own.any(|it| Some(i64::from(it.id)) == id)
    }

    /// Whether a station of that identity may connect with these credentials (OCPP-J 1.6 §3.2, §6.2).
    pub(super) fn admit(
        &mut self,
        identity: &str,
        credentials: Option<&(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Refused> {
        let closed = !self.config.stations.is_empty() || self.stations.len() >= MOST_STATIONS;
        let now = self.now;
        let Some(file) = self.stations.get_mut(identity) else {
            return if closed { Err(Refused::Unknown) } else { Ok(()) };
        };
        let Some(password) = &file.password else {
            return Ok(());
        };
        if self.config.defect == Some(Defect::CsmsNoAuth) {
            return Ok(());
        }
        if file.locked_until.is_some_and(|moment| now < moment) {
            return Err(Refused::TooMany);
        }
        // A field of the database was made for the keys of one series.
        let fits = !self
            .config
            .defect
            .is_some_and(|it| it == Defect::CsmsPasswordLengthWindow)
            || (18..=20).contains(&password.len());
        let right = fits
            && credentials.is_some_and(|(user, given)| user == identity.as_bytes() && same(given, password));
        if right {
            file.wrong_passwords = 0;
            return Ok(());
        }
        file.wrong_passwords += 1;
        if file.wrong_passwords >= WRONG_PASSWORDS && self.config.defect != Some(Defect::CsmsNoRateLimit) {
            file.wrong_passwords = 0;
            file.locked_until = Some(now.plus(PENALTY));
        }
        Err(Refused::Unauthorized)
    }

    /// A station has connected. Its earlier connection, if there is still one, has been replaced.
    pub(super) fn connected(&mut self, identity: &str, line: mpsc::Sender<Order>) -> u64 {
        self.next_connection += 1;
        let number = self.next_connection;
        if self.has(Defect::CsmsPanicFastBoot) {
            self.arrivals.insert(identity.to_owned(), self.now);
        }
        self.station(identity).line = Some((number, line));
        self.record("connections", identity, object! { "connected": true });
        number
    }

    /// A connection is over.
    pub(super) fn disconnected(&mut self, identity: &str, number: u64) {
        let file = self.station(identity);
        if file.line.as_ref().is_some_and(|(current, _)| *current == number) {
            file.line = None;
        }
        self.record("connections", identity, object! { "connected": false });
    }

    /// The file of a station, opened where there is none yet.
    pub(super) fn station(&mut self, identity: &str) -> &mut StationFile {
        self.stations.entry(identity.to_owned()).or_default()
    }

    /// Puts something into the books.
    pub(super) fn record(&mut self, kind: &'static str, station: &str, mut what: Json) {
        debug_assert!(KINDS.contains(&kind));
        let length = what.to_string().len();
        if length > LONGEST_RECORD {
            what = object! { "bytes": length as i64 };
        }
        if let Json::Object(members) = &mut what {
            members.insert("station", station);
            members.insert("time", self.now.to_rfc3339());
        }
        let records = self.records.entry(kind).or_default();
        if records.len() >= MOST_RECORDS {
            records.pop_front();
        }
        records.push_back(what);
    }

    /// What stands in the books, of one station or of all. `None` where there is no such kind.
    pub(super) fn records(&mut self, kind: &str, station: Option<&str>) -> Option<Json> {
        let wanted = |of: &str| station.is_none_or(|station| station == of);
        if kind == "reservations" {
            let all = self.reservations.standing(self.now);
            let some = all.filter(|(of, _)| wanted(of)).map(|(_, json)| json);
            return Some(Json::from(some.collect::<Vec<_>>()));
        }
        if kind == "local_lists" {
            let all = self.stations.iter().filter(|(of, _)| wanted(of));
            return Some(Json::from(
                all.map(|(of, file)| file.list.to_json(of)).collect::<Vec<_>>(),
            ));
        }
        if kind == "transactions" {
            let all = self.transactions.iter().filter(|it| wanted(&it.station));
            let bills = self.has(Defect::CsmsNegativeSessionEnergy);
            return Some(Json::from(all.map(|it| it.to_json(bills)).collect::<Vec<_>>()));
        }
        if !KINDS.contains(&kind) {
            return None;
        }
        let of = |it: &Json| it.get("station").and_then(Json::as_str).is_some_and(wanted);
        let all = self.records.get(kind).into_iter().flatten();
        Some(Json::from(all.filter(|it| of(it)).cloned().collect::<Vec<_>>()))
    }

    /// Adds a token, or changes one.
    pub(super) fn set_tag(&mut self, tag: Tag) {
        self.tags.insert(tag.id.to_ascii_lowercase(), tag);
    }

    pub(super) fn tag(&self, id: &str) -> Option<&Tag> {
        self.tags.get(&id.to_ascii_lowercase())
    }

    /// IdTagInfo of a token by itself.
    pub(super) fn tag_info(&self, id: &str) -> Json {
        let Some(tag) = self.tag(id) else {
            return object! { "status": "Invalid" };
        };
        let status = match tag.status.as_str() {
            // Nobody has let it in.
            "" if self.has(Defect::CsmsStatuslessTokenAccepted) => "Accepted",
            "" => "Invalid",
            "Accepted" if tag.expiry.is_some_and(|expiry| expiry <= self.now) => "Expired",
            status => status,
        };
        let mut info = object! { "status": status };
        if let Json::Object(members) = &mut info {
            if let Some(parent) = &tag.parent {
                members.insert("parentIdTag", parent.as_str());
            }
            if let Some(expiry) = tag.expiry {
                members.insert("expiryDate", expiry.to_rfc3339());
            }
        }
        info
    }

    /// The same for one that wants to charge, where another transaction of its may be in the way (§7.2).
    pub(super) fn tag_info_beside(&self, id: &str, in_the_way: impl Fn(&Transaction) -> bool) -> Json {
        let mut info = self.tag_info(id);
        let busy = self.transactions.iter().any(|it| it.holds(id) && in_the_way(it));
        if let (true, Json::Object(members)) = (busy, &mut info)
            && members.get("status").and_then(Json::as_str) == Some("Accepted")
        {
            members.insert("status", "ConcurrentTx");
        }
        info
    }

    /// StartTransaction: always a transaction, whatever is thought of its token (§4.8).
    pub(super) fn start(&mut self, station: &str, request: &Json) -> Json {
        let text = |field: &str| request.get(field).and_then(Json::as_str).unwrap_or_default();
        let whole = |field: &str| request.get(field).and_then(Json::as_i64).unwrap_or_default();
        let (connector, tag) = (whole("connectorId"), text("idTag"));
        let (meter_start, started) = (whole("meterStart"), stamp(text("timestamp")));
        // A station that did not get the answer sends the same again: it is one transaction.
        let again = self.transactions.iter().find(|it| {
            it.station == station
                && it.connector == connector
                && it.tag.eq_ignore_ascii_case(tag)
                && it.meter_start == meter_start
                && it.started == started
        });
        if let Some(again) = again {
            let mut info = self.tag_info(tag);
            if let Json::Object(members) = &mut info {
                members.insert("status", again.status.as_str());
            }
            return object! { "idTagInfo": info, "transactionId": again.id };
        }
        let info = if self.has(Defect::CsmsNoConcurrenttx) {
            self.tag_info(tag)
        } else {
            self.tag_info_beside(tag, |_| true)
        };
        let status = info
            .get("status")
            .and_then(Json::as_str)
            .unwrap_or("Invalid")
            .to_owned();
        let refused = status != "Accepted" && self.has(Defect::CsmsRejectConsumesReservation);
        if let (Some(reservation), true) = (request.get("reservationId").and_then(Json::as_i64), refused) {
            self.reservations.ended(station, reservation);
        }
        if let (Some(reservation), "Accepted") = (
            request.get("reservationId").and_then(Json::as_i64),
            status.as_str(),
        ) {
            let parent = info.get("parentIdTag").and_then(Json::as_str);
            self.reservations.redeemed(station, reservation, tag, parent);
        }
        if status != "Accepted" && self.has(Defect::CsmsRefusedStartClosesLive) {
            let live = self
                .transactions
                .iter_mut()
                .filter(|it| it.station == station && it.connector == connector && it.end.is_none());
            live.for_each(|it| it.end = Some((meter_start, started.clone(), "Other".to_owned())));
        }
        let id = if self.has(Defect::CsmsTxidConstant) {
            1
        } else {
            self.next_transaction
        };
        self.next_transaction = self.next_transaction.checked_add(1).unwrap_or(1);
        if self.transactions.len() >= MOST_TRANSACTIONS {
            let over = self
                .transactions
                .iter()
                .position(|it| it.end.is_some())
                .unwrap_or(0);
            self.transactions.remove(over);
        }
        self.transactions.push_back(Transaction {
            id,
            station: station.to_owned(),
            connector,
            tag: tag.to_owned(),
            status,
            meter_start,
            started,
            readings: 0,
            end: None,
            left: false,
        });
        object! { "idTagInfo": info, "transactionId": id }
    }

    /// MeterValues: put into the books, and counted where they belong to a transaction of that station.
    pub(super) fn read(&mut self, station: &str, request: &Json) -> Json {
        let id = request.get("transactionId").and_then(Json::as_i64);
        let own = self
            .transactions
            .iter_mut()
            .find(|it| it.station == station && Some(i64::from(it.id)) == id);
        if let Some(transaction) = own {
            transaction.readings += request
                .get("meterValue")
                .and_then(Json::as_array)
                .map_or(0, <[Json]>::len);
        }
        if id.is_some() || !self.has(Defect::CsmsDropsMeterWithoutTx) {
            self.record("meter_values", station, request.clone());
        }
        Json::empty()
    }

    /// StopTransaction: always acknowledged; only a station's own transaction is stopped by it (§4.10).
    pub(super) fn stop(&mut self, station: &str, request: &Json) -> Json {
        let text = |field: &str| request.get(field).and_then(Json::as_str);
        let whole = |field: &str| request.get(field).and_then(Json::as_i64).unwrap_or_default();
        let id = whole("transactionId");
        let anybody = self.has(Defect::CsmsForeignStop);
        let owner = self.has(Defect::CsmsForeignStopWithTag);
        if self.has(Defect::CsmsUsesEndedTx) {
            self.ended = Some((self.now, id));
        }
        let own = self.transactions.iter_mut().find(|it| {
            let tag = text("idTag").is_some_and(|tag| it.tag.eq_ignore_ascii_case(tag));
            i64::from(it.id) == id && (it.station == station || anybody || (owner && tag))
        });
        if let Some(transaction) = own.filter(|it| it.end.is_none()) {
            let stopped = stamp(text("timestamp").unwrap_or_default());
            let reason = text("reason").unwrap_or("Local").to_owned();
            transaction.end = Some((whole("meterStop"), stopped, reason));
        }
        match text("idTag") {
            Some(tag) => object! { "idTagInfo": self.tag_info(tag) },
            None => Json::empty(),
        }
    }

    /// Whether a station's transaction of that id has ended.
    pub(super) fn has_ended(&self, station: &str, id: i64) -> bool {
        let own = |it: &&Transaction| it.station == station && i64::from(it.id) == id;
        self.transactions
            .iter()
            .find(own)
            .is_some_and(|it| it.end.is_some())
    }

    /// A connector is Available: whoever charged there is gone, even if nobody ever says so.
    pub(super) fn vacated(&mut self, station: &str, connector: i64) {
        for it in self
            .transactions
            .iter_mut()
            .filter(|it| it.station == station && it.connector == connector)
        {
            it.left = true;
        }
    }
}

fn stamp(text: &str) -> String {
    text.chars().take(LONGEST_STAMP).collect()
}

/// Compares without telling by its time how much was right.
fn same(given: &[u8], right: &[u8]) -> bool {
    let difference = given.iter().zip(right).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == right.len() && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office() -> Office {
        let mut config = Config::new(Timestamp::from_secs(1_000));
        config.tags = vec![
            Tag::accepted("AAA"),
            Tag {
                expiry: Some(Timestamp::from_secs(999)),
                ..Tag::accepted("OLD")
            },
            Tag {
                status: "Blocked".into(),
                ..Tag::accepted("BAD")
            },
            Tag {
                parent: Some("G".into()),
                ..Tag::accepted("GRP")
            },
        ];
        Office::new(config, Timestamp::from_secs(1_000))
    }

    fn start(office: &mut Office, station: &str, connector: i64, tag: &str, at: &str) -> (String, i64) {
        let request = object! { "connectorId": connector, "idTag": tag, "meterStart": 10, "timestamp": at };
        let answer = office.start(station, &request);
        let status = answer
            .pointer("/idTagInfo/status")
            .and_then(Json::as_str)
            .unwrap()
            .to_owned();
        (
            status,
            answer.get("transactionId").and_then(Json::as_i64).unwrap(),
        )
    }

    #[test]
    fn tokens_are_judged_without_case() {
        let office = office();
        let status = |id: &str| {
            office
                .tag_info(id)
                .get("status")
                .and_then(Json::as_str)
                .unwrap()
                .to_owned()
        };
        assert_eq!(status("aaa"), "Accepted");
        assert_eq!(status("OLD"), "Expired");
        assert_eq!(status("BAD"), "Blocked");
        assert_eq!(status("ZZZ"), "Invalid");
        assert_eq!(office.tag_info("GRP").get("parentIdTag"), Some(&Json::from("G")));
    }

    #[test]
    fn a_busy_token_is_concurrent_and_a_refused_start_disturbs_nobody() {
        let mut office = office();
        assert_eq!(start(&mut office, "A", 1, "AAA", "t1"), ("Accepted".into(), 1));
        assert_eq!(
            start(&mut office, "A", 1, "AAA", "t1"),
            ("Accepted".into(), 1),
            "the same again"
        );
        assert_eq!(
            start(&mut office, "B", 1, "aaa", "t2"),
            ("ConcurrentTx".into(), 2)
        );
        assert_eq!(start(&mut office, "A", 1, "ZZZ", "t3"), ("Invalid".into(), 3));
        // A foreign station stops nothing.
        office.stop(
            "B",
            &object! { "transactionId": 1, "meterStop": 20, "timestamp": "t4" },
        );
        assert_eq!(start(&mut office, "B", 1, "AAA", "t5").0, "ConcurrentTx");
        office.stop(
            "A",
            &object! { "transactionId": 1, "meterStop": 20, "timestamp": "t6" },
        );
        assert_eq!(start(&mut office, "B", 1, "AAA", "t7").0, "Accepted");
        let books = office.records("transactions", Some("A")).unwrap();
        assert_eq!(books.pointer("/0/energy"), Some(&Json::from(10)));
        assert_eq!(books.pointer("/0/reason"), Some(&Json::from("Local")));
    }

    #[test]
    fn energy_that_runs_backwards_is_not_billed() {
        let mut office = office();
        let (_, id) = start(&mut office, "A", 1, "AAA", "t1");
        office.stop(
            "A",
            &object! { "transactionId": id, "meterStop": 5, "timestamp": "t2" },
        );
        let books = office.records("transactions", None).unwrap();
        assert_eq!(books.pointer("/0/energy"), None);
        assert_eq!(books.pointer("/0/implausible"), Some(&Json::from(true)));
    }

    #[test]
    fn passwords_are_checked_and_guessing_is_slowed() {
        let mut office = office();
        office.station("A").password = Some(b"right".to_vec());
        let with = |password: &[u8]| Some((b"A".to_vec(), password.to_vec()));
        assert_eq!(office.admit("A", with(b"right").as_ref()), Ok(()));
        assert_eq!(office.admit("A", None), Err(Refused::Unauthorized));
        for _ in 1..WRONG_PASSWORDS {
            assert_eq!(
                office.admit("A", with(b"wrong").as_ref()),
                Err(Refused::Unauthorized)
            );
        }
        assert_eq!(office.admit("A", with(b"right").as_ref()), Err(Refused::TooMany));
        office.now = office.now.plus(PENALTY);
        assert_eq!(office.admit("A", with(b"right").as_ref()), Ok(()));
        assert_eq!(
            office.admit("B", None),
            Ok(()),
            "an open office knows no strangers"
        );
    }
}
