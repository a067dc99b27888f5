//! The charging profiles of the played station, and the composite schedule that it tells.

use plugfest_judge::ocpp16::charging::{Held, Running, Situation, Unit};
use plugfest_protocol::{Json, Object, Timestamp};
use rust_decimal::Decimal;

use super::object;

/// What the played station can deliver, in A for each phase.
const AMPERES: i64 = 32;
/// The voltage that it reckons with.
const VOLTS: i64 = 230;
/// More periods than these it does not tell.
const MOST_PERIODS: usize = 100;

/// The profiles of the played station.
#[derive(Debug)]
pub(super) struct Charging {
    held: Held,
    /// Accepted remote starts whose profile waits for the transaction.
    waiting: Vec<Json>,
}

/// The transaction that runs at the played station.
pub(super) struct Transaction {
    pub(super) id: i64,
    pub(super) connector: i64,
    pub(super) since: Timestamp,
}

impl Charging {
    /// No profile at all.
    pub(super) fn new() -> Self {
        Self {
            held: Held::none(),
            waiting: Vec::new(),
        }
    }

    /// The answer to a `ClearChargingProfile`.
    pub(super) fn cleared(&self, request: &Json) -> Json {
        let all = request.as_object().is_none_or(|fields| fields.iter().len() == 0);
        let any = self.held.named(request).next().is_some();
        object([("status", if any || all { "Accepted" } else { "Unknown" }.into())])
    }

    /// The answer to a `GetCompositeSchedule`. The whole station is its busy connector.
    pub(super) fn composite(
        &self,
        request: &Json,
        now: Timestamp,
        transaction: Option<&Transaction>,
    ) -> Json {
        let int = |field: &str| request.get(field).and_then(Json::as_i64);
        let (asked, seconds) = (int("connectorId").unwrap_or(0), int("duration").unwrap_or(0));
        let unit = request.get("chargingRateUnit").and_then(Json::as_str);
        let unit = unit.and_then(Unit::parse).unwrap_or(Unit::A);
        let connector = match (asked, transaction) {
            (0, Some(transaction)) => transaction.connector,
            (0, None) => 1,
            _ => asked,
        };
        let running = transaction.filter(|t| t.connector == connector).map(|t| Running {
            id: t.id,
            anchors: vec![t.since],
        });
        let situation = Situation {
            held: &self.held,
            connector,
            running: running.as_ref(),
            unit,
            voltage: Some(VOLTS.into()),
        };
        let local = Decimal::from(match unit {
            Unit::A => AMPERES,
            Unit::W => AMPERES * VOLTS * 3,
        });
        let mut periods: Vec<(i64, Decimal)> = Vec::new();
        for (start, bound) in situation.schedule(now, seconds) {
            let limit = bound.most.map_or(local, |most| most.min(local));
            if periods.len() < MOST_PERIODS && periods.last().is_none_or(|(_, last)| *last != limit) {
                periods.push((start, limit));
            }
        }
        let periods = periods.into_iter().map(|(start, limit)| {
            object([
                ("startPeriod", start.into()),
                ("limit", Json::from(limit.normalize())),
            ])
        });
        let mut schedule = Object::new();
        schedule.insert("duration", seconds);
        schedule.insert("chargingRateUnit", unit.as_str());
        schedule.insert("chargingSchedulePeriod", Json::Array(periods.collect()));
        object([
            ("status", "Accepted".into()),
            ("connectorId", asked.into()),
            ("scheduleStart", now.to_rfc3339().into()),
            ("chargingSchedule", Json::Object(schedule)),
        ])
    }

    /// Learns from an answer that the station gave.
    pub(super) fn gave(&mut self, action: &str, request: &Json, answer: &Json) {
        if answer.get("status").and_then(Json::as_str) != Some("Accepted") {
            return;
        }
        match action {
            "SetChargingProfile" => {
                let connector = request.get("connectorId").and_then(Json::as_i64);
                if let (Some(connector), Some(profile)) = (connector, request.get("csChargingProfiles")) {
                    self.held.install(connector, profile, Timestamp::default());
                }
            }
            "ClearChargingProfile" => self.held.clear(request),
            "RemoteStartTransaction" if request.get("chargingProfile").is_some() => {
                self.waiting = vec![request.clone()];
            }
            _ => {}
        }
    }

    /// A transaction has started; a remote start may have brought a profile for it (OCPP-1.6 5.16.2).
    pub(super) fn started(&mut self, connector: i64, tag: Option<&str>) {
        for request in std::mem::take(&mut self.waiting) {
            let meant = request.get("connectorId").and_then(Json::as_i64);
            let same_tag = request.get("idTag").and_then(Json::as_str) == tag;
            if let Some(profile) = request.get("chargingProfile")
                && same_tag
                && meant.is_none_or(|meant| meant == connector)
            {
                self.held.install(connector, profile, Timestamp::default());
            }
        }
    }

    /// A transaction has ended, and its profiles with it (OCPP-1.6 7.10).
    pub(super) fn ended(&mut self, connector: i64) {
        self.held.ended(connector);
    }
}
