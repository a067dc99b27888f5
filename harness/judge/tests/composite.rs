//! The composite schedule against a sampler that goes through it second by second, and what must hold of it.

#![expect(
    clippy::unwrap_used,
    reason = "a sample that cannot be read is a mistake in the test"
)]

use plugfest_judge::ocpp16::charging::{
    Answered, Bound, Held, Kind, Profile, Purpose, Running, Says, Schedule, Situation, Unit, compare,
};
use plugfest_protocol::{Json, Timestamp};
use proptest::prelude::*;

const HOUR: i64 = 3_600;

/// The moment that all offsets count from.
fn base() -> Timestamp {
    Timestamp::from_secs(1_772_323_200)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_772_323_200 + seconds)
}

/// A profile as it is sent, with its connector.
type Sent = (i64, Json);

fn sent(purpose: &'static str, connectors: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = Sent> {
    let kind = prop_oneof![Just("Absolute"), Just("Recurring"), Just("Relative")];
    let valid = (prop::option::of(-HOUR..HOUR), prop::option::of(-HOUR..2 * HOUR));
    let periods = prop::collection::vec((1..HOUR, 0..320_i64), 0..4);
    (
        connectors,
        1..1_000_i64,
        0..4_i64,
        kind,
        valid,
        -2 * HOUR..HOUR,
        prop::option::of(1..3 * HOUR),
        (0..320_i64, periods),
    )
        .prop_map(move |(connector, id, level, kind, (from, to), start, duration, (first, periods))| {
            let mut offset = 0;
            let mut all = vec![format!(r#"{{"startPeriod":0,"limit":{}.{}}}"#, first / 10, first % 10)];
            for (step, limit) in periods {
                offset += step;
                all.push(format!(
                    r#"{{"startPeriod":{offset},"limit":{}.{}}}"#,
                    limit / 10,
                    limit % 10
                ));
            }
            let mut text = format!(
                r#"{{"chargingProfileId":{id},"stackLevel":{level},"chargingProfilePurpose":"{purpose}","chargingProfileKind":"{kind}""#
            );
            for (name, bound) in [("validFrom", from), ("validTo", to)] {
                if let Some(bound) = bound {
                    text.push_str(&format!(r#","{name}":"{}""#, at(bound).to_rfc3339()));
                }
            }
            if kind == "Recurring" {
                text.push_str(r#","recurrencyKind":"Daily""#);
            }
            text.push_str(&format!(
                r#","chargingSchedule":{{"chargingRateUnit":"A","startSchedule":"{}","chargingSchedulePeriod":[{}]"#,
                at(start).to_rfc3339(),
                all.join(",")
            ));
            if let Some(duration) = duration {
                text.push_str(&format!(r#","duration":{duration}"#));
            }
            text.push_str("}}");
            (connector, Json::parse(&text).unwrap())
        })
}

fn of_transaction() -> impl Strategy<Value = Vec<Sent>> {
    let purpose = prop_oneof![sent("TxDefaultProfile", 0..=2), sent("TxProfile", 1..=2)];
    prop::collection::vec(purpose, 0..6)
}

fn of_any_purpose() -> impl Strategy<Value = Vec<Sent>> {
    let purpose = prop_oneof![
        sent("ChargePointMaxProfile", 0..=0),
        sent("TxDefaultProfile", 0..=2),
        sent("TxProfile", 1..=2)
    ];
    prop::collection::vec(purpose, 0..7)
}

fn held(sent: &[Sent]) -> Held {
    let mut held = Held::none();
    for (connector, profile) in sent {
        held.install(*connector, profile, base());
    }
    held
}

fn running() -> Running {
    Running {
        id: 7,
        anchors: vec![at(-100)],
    }
}

fn situation<'a>(held: &'a Held, running: &'a Running) -> Situation<'a> {
    Situation {
        held,
        connector: 1,
        running: Some(running),
        unit: Unit::A,
        voltage: None,
    }
}

/// What a profile says at a second, counted out.
fn counted(profile: &Profile, second: i64) -> Option<Says> {
    let seconds = |t: Timestamp| t.as_micros() / 1_000_000 - base().as_micros() / 1_000_000;
    if profile.from.is_some_and(|from| second < seconds(from))
        || profile.to.is_some_and(|to| second >= seconds(to))
    {
        return None;
    }
    let mut clock = match profile.kind {
        Kind::Relative => -100,
        _ => seconds(profile.schedule.start?),
    };
    if second < clock {
        return Some(Says::NotYet);
    }
    if profile.kind == Kind::Recurring(86_400) {
        while clock + 86_400 <= second {
            clock += 86_400;
        }
    }
    let mut left = second - clock;
    if profile.schedule.duration.is_some_and(|duration| left >= duration) {
        return Some(Says::Over);
    }
    // Period after period is used up.
    let mut periods = profile.schedule.periods.iter().peekable();
    let mut now = periods.next()?;
    while let Some(next) = periods.peek() {
        let length = next.start - now.start;
        if left < length {
            break;
        }
        left -= length;
        now = periods.next()?;
    }
    Some(Says::Limit(*now))
}

/// The plainest reading at a second, by going through all profiles one after another.
fn sampled(held: &Held, second: i64) -> Option<rust_decimal::Decimal> {
    let of = |purpose: Purpose, only: Option<i64>| {
        let mut best: Option<(i64, i64, rust_decimal::Decimal)> = None;
        let mut valid = false;
        for h in held.all().filter(|h| h.profile.purpose == purpose) {
            if only.is_some_and(|connector| {
                h.connector != connector && (h.connector != 0 || purpose == Purpose::Tx)
            }) {
                continue;
            }
            let says = counted(&h.profile, second);
            valid |= says.is_some();
            // On one level the connector's own default stands in place of that of all connectors, even where it is silent.
            let shadowed = h.connector == 0
                && held.all().any(|o| {
                    o.connector == 1 && o.profile.purpose == purpose && o.profile.level == h.profile.level
                });
            if shadowed && purpose == Purpose::Default {
                continue;
            }
            if let Some(Says::Limit(period)) = says
                && best.is_none_or(|(level, ..)| h.profile.level > level)
            {
                best = Some((h.profile.level, h.connector, period.limit));
            }
        }
        (best.map(|(_, _, limit)| limit), valid)
    };
    let (max, _) = of(Purpose::Max, None);
    let (own, valid) = of(Purpose::Tx, Some(1));
    let tx = if own.is_some() || valid {
        own
    } else {
        of(Purpose::Default, Some(1)).0
    };
    match (max, tx) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn answer(schedule: &[(i64, Bound)], seconds: i64) -> Answered {
    let periods: Vec<String> = schedule
        .iter()
        .map(|(start, bound)| {
            let limit = bound
                .most
                .map_or_else(|| "32.0".to_owned(), |most| most.to_string());
            format!(r#"{{"startPeriod":{start},"limit":{limit}}}"#)
        })
        .collect();
    let text = format!(
        r#"{{"chargingRateUnit":"A","duration":{seconds},"chargingSchedulePeriod":[{}]}}"#,
        periods.join(",")
    );
    Answered {
        start: base(),
        asked: seconds,
        schedule: Schedule::parse(&Json::parse(&text).unwrap()).unwrap(),
    }
}

fn most(situation: &Situation<'_>, second: i64) -> Option<rust_decimal::Decimal> {
    situation.readings(at(second))[0].most
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_second_is_what_the_sampler_says(sent in of_any_purpose()) {
        let (held, running) = (held(&sent), running());
        let situation = situation(&held, &running);
        for second in (0..2 * HOUR).step_by(61).chain(86_400..86_420) {
            prop_assert_eq!(most(&situation, second), sampled(&held, second), "second {}", second);
        }
    }

    #[test]
    fn the_schedule_begins_at_0_rises_and_repeats_nothing(sent in of_any_purpose(), seconds in 1..2 * HOUR) {
        let (held, running) = (held(&sent), running());
        let schedule = situation(&held, &running).schedule(base(), seconds);
        prop_assert_eq!(schedule[0].0, 0);
        for pair in schedule.windows(2) {
            prop_assert!(pair[0].0 < pair[1].0 && pair[0].1 != pair[1].1, "{:?}", pair);
        }
        for second in 0..seconds {
            let there = schedule.iter().rfind(|(start, _)| *start <= second).unwrap();
            prop_assert_eq!(there.1.most, sampled(&held, second), "second {}", second);
        }
    }

    #[test]
    fn a_limit_for_the_station_caps_and_never_raises(sent in of_transaction(), cap in sent("ChargePointMaxProfile", 0..=0)) {
        let running = running();
        let without = held(&sent);
        let mut with = without.clone();
        // Its id would otherwise take the place of another profile.
        let mut profile = cap.1;
        assert!(profile.set_pointer("/chargingProfileId", Json::from(5_000)));
        with.install(0, &profile, base());
        let profile = Profile::parse(&profile).unwrap();
        for second in (0..2 * HOUR).step_by(37) {
            let before = most(&situation(&without, &running), second);
            let after = most(&situation(&with, &running), second);
            if let Some(before) = before {
                prop_assert!(after.is_some_and(|after| after <= before), "second {}", second);
            }
            match profile.says(Some(at(-100)), at(second)) {
                Says::Limit(cap) => prop_assert!(after.is_some_and(|after| after <= cap.limit), "second {}", second),
                _ => prop_assert_eq!(after, before),
            }
        }
    }

    #[test]
    fn a_profile_of_the_transaction_beats_the_default(defaults in prop::collection::vec(sent("TxDefaultProfile", 0..=1), 0..4), own in sent("TxProfile", 1..=1)) {
        let running = running();
        let mut held = held(&defaults);
        let mut json = own.1;
        assert!(json.set_pointer("/chargingProfileId", Json::from(5_000)));
        held.install(1, &json, base());
        let profile = Profile::parse(&json).unwrap();
        for second in (0..2 * HOUR).step_by(37) {
            if let Says::Limit(period) = profile.says(Some(at(-100)), at(second)) {
                for reading in situation(&held, &running).readings(at(second)) {
                    prop_assert_eq!(reading.most, Some(period.limit));
                }
            }
        }
    }

    #[test]
    fn an_answer_passes_and_with_one_limit_changed_does_not(sent in of_any_purpose(), seconds in 60..2 * HOUR, pick in any::<prop::sample::Index>(), up in any::<bool>()) {
        let (held, running) = (held(&sent), running());
        let situation = situation(&held, &running);
        let schedule = situation.schedule(base(), seconds);
        prop_assert_eq!(compare(&situation, &answer(&schedule, seconds), false), None);
        let place = pick.index(schedule.len());
        let ends = schedule.get(place + 1).map_or(seconds, |(start, _)| *start);
        let middle = i64::midpoint(schedule[place].0, ends);
        let step = rust_decimal::Decimal::from(if up { 40 } else { -40 });
        // Around the middle every reading has to be the same one, or the other value may be one of them.
        let one = (-2..=2).all(|by| {
            let readings = situation.readings(at(middle + by));
            readings.len() == 1 && readings[0] == schedule[place].1
        });
        if let (Some(most), true) = (schedule[place].1.most, one && ends - schedule[place].0 > 6) {
            let mut wrong = schedule.clone();
            wrong[place].1.most = Some(most + step);
            let flaw = compare(&situation, &answer(&wrong, seconds), false);
            prop_assert!(flaw.is_some(), "{:?}", wrong);
            prop_assert_eq!(flaw.map(|f| f.above), Some(up));
        }
    }
}

fn profile(text: &str) -> Json {
    Json::parse(text).unwrap()
}

/// An absolute profile since a minute ago with these periods of seconds and amperes.
fn plain(id: i64, purpose: &str, level: i64, rest: &str, periods: &[(i64, i64)]) -> Json {
    let periods: Vec<String> = periods
        .iter()
        .map(|(start, limit)| format!(r#"{{"startPeriod":{start},"limit":{limit}}}"#))
        .collect();
    profile(&format!(
        r#"{{"chargingProfileId":{id},"stackLevel":{level},"chargingProfilePurpose":"{purpose}","chargingProfileKind":"Absolute",
            "chargingSchedule":{{"chargingRateUnit":"A","startSchedule":"{}",{rest}"chargingSchedulePeriod":[{}]}}}}"#,
        base().to_rfc3339(),
        periods.join(",")
    ))
}

fn limits(held: &Held, seconds: i64) -> Vec<(i64, Option<i64>)> {
    use rust_decimal::prelude::ToPrimitive as _;
    let running = running();
    let schedule = situation(held, &running).schedule(base(), seconds);
    let whole = |bound: Bound| bound.most.and_then(|most| most.to_i64());
    schedule
        .into_iter()
        .map(|(start, bound)| (start, whole(bound)))
        .collect()
}

#[test]
fn three_purposes_are_merged() {
    let held = held(&[
        (0, plain(1, "ChargePointMaxProfile", 0, "", &[(0, 10)])),
        (
            1,
            plain(2, "TxDefaultProfile", 0, "\"duration\":300,", &[(0, 6), (60, 16)]),
        ),
        (
            1,
            plain(
                3,
                "TxProfile",
                0,
                "\"duration\":260,",
                &[(0, 8), (50, 11), (200, 6), (240, 12)],
            ),
        ),
    ]);
    let expected = [(0, Some(8)), (50, Some(10)), (200, Some(6)), (240, Some(10))];
    assert_eq!(limits(&held, 400), expected);
}

#[test]
fn when_a_high_level_is_over_a_lower_one_holds() {
    let held = held(&[
        (
            1,
            plain(
                1,
                "TxDefaultProfile",
                0,
                "\"duration\":400,",
                &[(0, 6), (100, 8), (200, 10)],
            ),
        ),
        (
            1,
            plain(2, "TxDefaultProfile", 1, "\"duration\":150,", &[(0, 7), (100, 9)]),
        ),
    ]);
    let expected = [(0, Some(7)), (100, Some(9)), (150, Some(8)), (200, Some(10))];
    assert_eq!(limits(&held, 350), expected);
    assert_eq!(limits(&held, 500).last(), Some(&(400, None)));
}

#[test]
fn a_profile_takes_the_place_of_its_like() {
    let mut held = held(&[(0, plain(1, "TxDefaultProfile", 0, "", &[(0, 6)]))]);
    held.install(0, &plain(2, "TxDefaultProfile", 0, "", &[(0, 8)]), base());
    assert_eq!(limits(&held, 60), [(0, Some(8))]);
    held.install(0, &plain(2, "TxDefaultProfile", 1, "", &[(0, 9)]), base());
    assert_eq!(held.all().count(), 1);
    // One for a connector stands in place of the one for all of them there, and nowhere else.
    held.install(1, &plain(3, "TxDefaultProfile", 1, "", &[(0, 5)]), base());
    assert_eq!(held.all().count(), 2);
    assert_eq!(limits(&held, 60), [(0, Some(5))]);
    held.clear(&profile(r#"{"id":3}"#));
    assert_eq!(limits(&held, 60), [(0, Some(9))]);
}

#[test]
fn what_is_cleared_is_what_all_fields_name() {
    let all = held(&[
        (0, plain(1, "TxDefaultProfile", 0, "", &[(0, 6)])),
        (0, plain(2, "TxDefaultProfile", 1, "", &[(0, 7)])),
        (1, plain(3, "TxDefaultProfile", 1, "", &[(0, 8)])),
        (0, plain(4, "ChargePointMaxProfile", 1, "", &[(0, 9)])),
    ]);
    let left = |request: &str| {
        let mut held = all.clone();
        held.clear(&profile(request));
        held.all().map(|h| (h.profile.id, h.doubtful)).collect::<Vec<_>>()
    };
    let sure = |ids: &[i64]| ids.iter().map(|id| (*id, false)).collect::<Vec<_>>();
    assert_eq!(left("{}"), []);
    assert_eq!(left(r#"{"id":2}"#), sure(&[1, 3, 4]));
    assert_eq!(left(r#"{"id":9}"#), sure(&[1, 2, 3, 4]));
    assert_eq!(left(r#"{"stackLevel":1}"#), sure(&[1]));
    assert_eq!(
        left(r#"{"stackLevel":1,"connectorId":0,"chargingProfilePurpose":"TxDefaultProfile"}"#),
        sure(&[1, 3, 4])
    );
    // Two errata differ on an id beside other fields: what they differ about is in doubt.
    assert_eq!(
        left(r#"{"id":2,"stackLevel":0}"#),
        [(1, false), (2, true), (3, false), (4, false)]
    );
}

#[test]
fn a_recurring_schedule_starts_anew_and_rests_in_between() {
    let mut daily = plain(
        1,
        "TxDefaultProfile",
        0,
        "\"duration\":600,",
        &[(0, 6), (300, 8), (700, 9)],
    );
    assert!(daily.set_pointer("/chargingProfileKind", Json::from("Recurring")));
    assert!(daily.set_pointer("/recurrencyKind", Json::from("Daily")));
    let held = held(&[(1, daily)]);
    let expected = [
        (0, Some(6)),
        (300, Some(8)),
        (600, None),
        (86_400, Some(6)),
        (86_700, Some(8)),
    ];
    assert_eq!(limits(&held, 86_800), expected);
}

#[test]
fn units_are_converted_only_where_the_voltage_is_given() {
    let held = held(&[(1, plain(1, "TxDefaultProfile", 0, "", &[(0, 10)]))]);
    let running = running();
    let watts = |voltage: Option<i64>| {
        let situation = Situation {
            unit: Unit::W,
            voltage: voltage.map(rust_decimal::Decimal::from),
            ..situation(&held, &running)
        };
        situation.readings(at(1))[0]
    };
    assert_eq!(watts(None).most, None);
    // Three phases are assumed.
    assert_eq!(watts(Some(230)).most, Some(rust_decimal::Decimal::from(6_900)));
}

#[test]
fn a_schedule_that_waits_for_a_transaction_cannot_be_told() {
    let mut relative = plain(1, "TxDefaultProfile", 0, "", &[(0, 6), (60, 8)]);
    assert!(relative.set_pointer("/chargingProfileKind", Json::from("Relative")));
    let held = held(&[(1, relative)]);
    let running = running();
    let idle = Situation {
        running: None,
        ..situation(&held, &running)
    };
    assert_eq!(idle.readings(at(1))[0].most, None);
    assert_eq!(limits(&held, 10), [(0, Some(8))]);
    assert_eq!(
        situation(&held, &running).most(at(-60)),
        Some(rust_decimal::Decimal::from(6))
    );
}

#[test]
fn a_lower_answer_is_explained_by_one_local_limit_and_not_by_two() {
    let held = held(&[(
        1,
        plain(1, "TxDefaultProfile", 0, "", &[(0, 20), (60, 10), (120, 30)]),
    )]);
    let running = running();
    let situation = situation(&held, &running);
    let said = |limits: [i64; 3]| {
        let bound = |limit: i64| Bound {
            most: Some(limit.into()),
            exact: true,
        };
        answer(
            &[
                (0, bound(limits[0])),
                (60, bound(limits[1])),
                (120, bound(limits[2])),
            ],
            180,
        )
    };
    assert_eq!(compare(&situation, &said([16, 10, 16]), true), None);
    assert!(compare(&situation, &said([16, 10, 16]), false).is_some_and(|flaw| !flaw.above));
    assert!(compare(&situation, &said([16, 10, 20]), true).is_some_and(|flaw| flaw.second < 60));
    assert!(
        compare(&situation, &said([20, 11, 30]), true)
            .is_some_and(|flaw| flaw.above && (60..120).contains(&flaw.second))
    );
}
