//! The composite schedule against another way to reckon it: the profiles as they were sent, asked anew for every
//! second.

use plugfest_protocol::{Json, Timestamp, object};
use plugfest_reference::station::Makeup;
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;

use crate::world::{NOON, World};

const DAY: i64 = 86_400;

/// Any profile for a connector of two, near noon.
fn any(rng: &mut ChaCha8Rng) -> (i64, Json) {
    let (connector, purpose) = *[
        (0, "ChargePointMaxProfile"),
        (0, "TxDefaultProfile"),
        (1, "TxDefaultProfile"),
        (1, "TxProfile"),
    ]
    .choose(rng)
    .unwrap();
    let moment = |rng: &mut ChaCha8Rng, from: i64, to: i64| {
        Timestamp::from_secs(NOON + rng.random_range(from..to)).to_rfc3339()
    };
    let mut start = 0;
    let periods: Vec<Json> = (0..rng.random_range(1..4))
        .map(|_| {
            let limit = Json::parse(&format!(
                "{}.{}",
                rng.random_range(0..34),
                rng.random_range(0..10)
            ))
            .unwrap();
            let mut period = object! { "startPeriod": start, "limit": limit };
            start += rng.random_range(1..300);
            if rng.random() {
                let phases = if rng.random() { 1 } else { 3 };
                period.as_object_mut().unwrap().insert("numberPhases", phases);
            }
            period
        })
        .collect();
    let mut schedule = object! { "chargingRateUnit": "A", "chargingSchedulePeriod": periods };
    let mut profile = object! {
        "chargingProfileId": rng.random_range(1..1000),
        "stackLevel": rng.random_range(0..4),
        "chargingProfilePurpose": purpose,
    };
    let members = profile.as_object_mut().unwrap();
    let kind = *["Absolute", "Recurring", "Relative"].choose(rng).unwrap();
    members.insert("chargingProfileKind", kind);
    if kind == "Recurring" {
        members.insert("recurrencyKind", if rng.random() { "Daily" } else { "Weekly" });
        // Yesterday, a week ago, or to come.
        let back = *[0, -DAY, -7 * DAY].choose(rng).unwrap();
        let begins = moment(rng, back - 400, back + 400);
        schedule.as_object_mut().unwrap().insert("startSchedule", begins);
    } else if kind == "Absolute" {
        let begins = moment(rng, -400, 400);
        schedule.as_object_mut().unwrap().insert("startSchedule", begins);
    }
    if rng.random() {
        schedule
            .as_object_mut()
            .unwrap()
            .insert("duration", rng.random_range(1..900));
    }
    if rng.random_range(0..3) == 0 {
        members.insert("validFrom", moment(rng, -200, 500));
    }
    if rng.random_range(0..3) == 0 {
        members.insert("validTo", moment(rng, 500, 1_000));
    }
    members.insert("chargingSchedule", schedule);
    (connector, profile)
}

/// What a station knows: where each profile was set and when it came, and when charging began.
struct Known {
    profiles: Vec<(i64, Json, i64)>,
    began: i64,
}

fn text<'a>(profile: &'a Json, pointer: &str) -> &'a str {
    profile
        .pointer(pointer)
        .and_then(Json::as_str)
        .unwrap_or_default()
}

fn second(profile: &Json, pointer: &str) -> Option<i64> {
    let moment = profile.pointer(pointer)?.as_str()?;
    Some(Timestamp::parse(moment).unwrap().as_millis().div_euclid(1000))
}

impl Known {
    fn set(&mut self, connector: i64, profile: Json, now: i64) {
        let key = |connector: i64, it: &Json| {
            (
                connector,
                text(it, "/chargingProfilePurpose").to_owned(),
                it.get("stackLevel").cloned(),
            )
        };
        self.profiles.retain(|(at, it, _)| {
            key(*at, it) != key(connector, &profile)
                && it.get("chargingProfileId") != profile.get("chargingProfileId")
        });
        self.profiles.push((connector, profile, now));
    }

    /// Limit in amperes and phases that one profile gives for one second.
    fn of(&self, profile: &Json, received: i64, at: i64) -> Option<(Decimal, i64)> {
        if second(profile, "/validFrom").is_some_and(|from| at < from)
            || second(profile, "/validTo").is_some_and(|to| at >= to)
        {
            return None;
        }
        let start = second(profile, "/chargingSchedule/startSchedule");
        let max = text(profile, "/chargingProfilePurpose") == "ChargePointMaxProfile";
        let start = start.unwrap_or(if max { received } else { self.began });
        if at < start {
            return None;
        }
        let mut into = at - start;
        match text(profile, "/recurrencyKind") {
            "Daily" => into %= DAY,
            "Weekly" => into %= 7 * DAY,
            _ => {}
        }
        let duration = profile
            .pointer("/chargingSchedule/duration")
            .and_then(Json::as_i64);
        if duration.is_some_and(|duration| into >= duration) {
            return None;
        }
        let periods = profile
            .pointer("/chargingSchedule/chargingSchedulePeriod")?
            .as_array()?;
        let mut found = None;
        for period in periods {
            if period.get("startPeriod")?.as_i64()? <= into {
                let phases = period.get("numberPhases").and_then(Json::as_i64).unwrap_or(3);
                found = Some((period.get("limit")?.as_decimal()?, phases));
            }
        }
        found
    }

    fn best(&self, purpose: &str, connectors: &[i64], at: i64) -> Option<(Decimal, i64)> {
        // The later connector of the list goes before the earlier one on the same level.
        let mut levels: [Option<&(i64, Json, i64)>; 9] = [None; 9];
        for connector in connectors {
            for known in &self.profiles {
                if known.0 == *connector && text(&known.1, "/chargingProfilePurpose") == purpose {
                    let level = known.1.get("stackLevel").and_then(Json::as_i64).unwrap();
                    levels[usize::try_from(level).unwrap()] = Some(known);
                }
            }
        }
        levels
            .iter()
            .rev()
            .flatten()
            .find_map(|(_, it, received)| self.of(it, *received, at))
    }

    /// What connector 1 may draw in that second: tenths of an ampere on each phase, and phases.
    fn limit(&self, at: i64, phases: i64) -> (Decimal, i64) {
        let own = self
            .best("TxProfile", &[1], at)
            .or_else(|| self.best("TxDefaultProfile", &[0, 1], at));
        let all = self.best("ChargePointMaxProfile", &[0], at);
        [own, all]
            .into_iter()
            .flatten()
            .fold((Decimal::from(32), phases), |(limit, phases), (other, others)| {
                (limit.min(other), phases.min(others))
            })
    }
}

#[tokio::test(start_paused = true)]
async fn every_second_of_it_is_what_the_profiles_say() {
    let (mut compared, mut steps) = (0, 0);
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let phases = if rng.random() { 1 } else { 3 };
        let makeup = Makeup {
            connectors: 2,
            phases,
            ..Makeup::default()
        };
        let world = World::of(makeup).booted().await;
        world.hands("ev.plug", object! {}).await;
        world
            .hands("token.present", object! { "token": "ALICE", "connector": 1 })
            .await;
        let began = world.payloads("StartTransaction").pop().unwrap();
        let began = second(&began, "/timestamp").unwrap();
        let mut known = Known {
            profiles: Vec::new(),
            began,
        };
        for _ in 0..rng.random_range(1..7) {
            let (connector, profile) = any(&mut rng);
            let now = world.now();
            let request = object! { "connectorId": connector, "csChargingProfiles": profile.clone() };
            world.asks("SetChargingProfile", request, "Accepted").await;
            known.set(connector, profile, now);
        }
        let duration = rng.random_range(1..1_500);
        let request = object! { "connectorId": 1, "duration": duration, "chargingRateUnit": "A" };
        world.operator("GetCompositeSchedule", request).await;
        let answer = world.results().pop().unwrap();
        let start = second(&answer, "/scheduleStart").unwrap();
        let periods = answer
            .pointer("/chargingSchedule/chargingSchedulePeriod")
            .and_then(Json::as_array)
            .unwrap();
        let told: Vec<(i64, Decimal, i64)> = periods
            .iter()
            .map(|it| {
                let whole = |field: &str| it.get(field).and_then(Json::as_i64).unwrap();
                (
                    whole("startPeriod"),
                    it.get("limit").and_then(Json::as_decimal).unwrap(),
                    whole("numberPhases"),
                )
            })
            .collect();
        assert_eq!(told[0].0, 0);
        assert!(
            told.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "seed {seed}: {told:?}"
        );
        assert!(
            told.windows(2)
                .all(|pair| (pair[0].1, pair[0].2) != (pair[1].1, pair[1].2)),
            "seed {seed}: {told:?}"
        );
        assert!(told.last().unwrap().0 < duration);
        for at in 0..duration {
            let (_, limit, on) = told.iter().rev().find(|it| it.0 <= at).unwrap();
            let wanted = known.limit(start + at, i64::from(phases));
            assert_eq!(
                (*limit, *on),
                wanted,
                "seed {seed}, second {at}: {told:?}\n{:#?}",
                known.profiles
            );
            compared += 1;
        }
        steps += told.len();
    }
    // Schedules without steps prove little.
    assert!(
        compared > 20_000 && steps > 150,
        "{compared} seconds, {steps} periods"
    );
}
