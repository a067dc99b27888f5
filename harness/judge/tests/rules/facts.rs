//! The facts that the keeper of OCPP 1.6 derives, from either side of the table.

use plugfest_judge::{Facts, Watch};
use plugfest_protocol::{Edition, Json};

use crate::dsl::{self, Version};

fn watch(dut: &str, trace: &str) -> Watch {
    let (facts, events) = dsl::events(dut, trace, Version::Passing);
    let mut watch = Watch::new(
        Edition::ocpp16(),
        dut,
        "CP-1",
        Json::empty(),
        Facts::new(facts),
        &[],
    );
    for event in &events {
        watch.see(event);
    }
    watch
}

fn facts(dut: &str, trace: &str) -> Vec<String> {
    let watch = watch(dut, trace);
    watch
        .facts()
        .all()
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

#[test]
fn a_session_from_both_sides_gives_the_same_facts() {
    let trace = "open
        boots
        reports 0 Available
        reports 2 Charging
        starts 2 A 7 1000";
    let expected = [
        r#"boot="Accepted""#,
        "boot.interval=300",
        "connectors=2",
        "heartbeat=300",
        r#"status.0="Available""#,
        r#"status.0.error="NoError""#,
        r#"status.2="Charging""#,
        r#"status.2.error="NoError""#,
        "transaction.2=7",
        "transaction.2.meter=1000",
    ];
    for dut in ["station", "csms"] {
        let found = facts(dut, trace);
        let found: Vec<&str> = found
            .iter()
            .map(String::as_str)
            .filter(|fact| {
                !["2.start", ".tag", ".charging"]
                    .iter()
                    .any(|part| fact.contains(part))
            })
            .collect();
        assert_eq!(found, expected, "{dut}");
    }
    let ended = facts("station", &format!("{trace}\nstops 7 2000"));
    assert!(
        !ended.iter().any(|fact| fact.starts_with("transaction")),
        "{ended:?}"
    );
}

#[test]
fn boot_is_open_until_it_is_answered_and_a_triggered_one_changes_nothing() {
    let ask = r#"dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}"#;
    let boot = |trace: &str| watch("station", trace).facts().fact("boot").cloned();
    assert_eq!(
        boot(&format!("up\nfact boot \"Accepted\"\n{ask}")),
        Some(Json::Null)
    );
    assert_eq!(
        boot(&format!("open\n{ask}\nus =! InternalError")),
        Some(Json::Null)
    );
    let trigger =
        "us TriggerMessage {\"requestedMessage\":\"BootNotification\"}\ndut => {\"status\":\"Accepted\"}";
    assert_eq!(
        boot(&format!("up\nfact boot \"Accepted\"\n{trigger}\n{ask}")),
        Some(Json::from("Accepted"))
    );
}

#[test]
fn a_station_is_silent_from_its_boot_until_it_tells_a_status() {
    let silent = |trace: &str| watch("station", trace).facts().fact("boot.silent").is_some();
    assert!(silent("open\nboots\nwait 20"));
    assert!(!silent("open\nboots\nwait 20\nreports 1 Preparing"));
    assert!(silent("open\nboots\nreports 1 Preparing\nboots"));
    let ask = r#"dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}"#;
    assert!(
        !silent(&format!("open\nboots\n{ask}")),
        "the second boot is not answered yet"
    );
    let waits = r#"us => {"status":"Pending","currentTime":"2026-03-01T12:00:00Z","interval":9}"#;
    assert!(
        !silent(&format!("open\n{ask}\n{waits}")),
        "it may not tell anything yet"
    );
}

#[test]
fn configuration_is_known_by_its_standard_name() {
    let found = facts(
        "station",
        r#"up
        us GetConfiguration {}
        dut => {"configurationKey":[{"key":"heartbeatinterval","readonly":false,"value":"60"}],"unknownKey":["Foo"]}
        us ChangeConfiguration {"key":"Bar","value":"1"}
        dut => {"status":"NotSupported"}
        us ChangeConfiguration {"key":"HeartbeatInterval","value":"90"}
        dut => {"status":"Accepted"}"#,
    );
    let expected = [
        r#"config.HeartbeatInterval="90""#,
        "heartbeat=90",
        "readonly.HeartbeatInterval=false",
        "unknown.Bar=true",
        "unknown.Foo=true",
    ];
    assert_eq!(found, expected);
}

#[test]
fn availability_follows_what_was_accepted_and_carried_out() {
    let trace = r#"up
        us ChangeAvailability {"connectorId":1,"type":"Inoperative"}
        dut => {"status":"Scheduled"}"#;
    assert_eq!(
        facts("station", trace),
        [r#"availability.1.scheduled="Inoperative""#]
    );
    let done = facts("station", &format!("{trace}\nreports 1 Unavailable"));
    assert_eq!(done[0], r#"availability.1="Inoperative""#);
    assert!(!done.iter().any(|fact| fact.contains("scheduled")), "{done:?}");
}

#[test]
fn two_stations_in_one_trace_are_two_stories() {
    let trace = r#"up
        fact boot "Accepted"
        reports 1 Reserved
        open identity=CP-2
        boots
        reports 1 Finishing
        us ClearCache {}
        on 1
        reports 1 Preparing
        starts 1 A 7 1000
        on 2
        dut => {"status":"Rejected"}"#;
    let (facts, events) = dsl::events("station", trace, Version::Passing);
    let premise = events.iter().find_map(|event| match &event.what {
        plugfest_trace::What::Premise(premise) => Some(premise.clone()),
        _ => None,
    });
    let open = premise.map(|premise| premise.connections).unwrap_or_default();
    let mut watch = Watch::new(
        Edition::ocpp16(),
        "station",
        "CP-1",
        Json::empty(),
        Facts::new(facts),
        &open,
    );
    let found: Vec<_> = events.iter().flat_map(|event| watch.see(event)).collect();
    assert!(found.is_empty(), "{found:?}");
    let of = |identity: &str, fact: &str| {
        watch
            .facts_of(identity)
            .and_then(|facts| facts.fact(fact))
            .cloned()
    };
    assert_eq!(of("CP-1", "status.1"), Some(Json::from("Preparing")));
    assert_eq!(of("CP-2", "status.1"), Some(Json::from("Finishing")));
    assert_eq!(of("CP-1", "transaction.1"), Some(Json::from(7)));
    assert_eq!(of("CP-2", "transaction.1"), None);
    assert_eq!(watch.facts_of("CP-3"), None);
}

#[test]
fn charging_profiles_are_known_once_all_were_cleared_and_end_with_their_transaction() {
    let schedule = r#""chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":6}]}"#;
    let profile = |id: i64, purpose: &str| {
        format!(
            r#"{{"chargingProfileId":{id},"stackLevel":0,"chargingProfilePurpose":"{purpose}","chargingProfileKind":"Relative",{schedule}}}"#
        )
    };
    let set = |id: i64, purpose: &str| {
        let profile = profile(id, purpose);
        format!(
            "us SetChargingProfile {{\"connectorId\":1,\"csChargingProfiles\":{profile}}}\ndut => {{\"status\":\"Accepted\"}}\n"
        )
    };
    let count = |trace: &str| {
        let watch = watch("station", trace);
        let held = watch.facts().under("profile").count();
        (watch.facts().fact("profiles").and_then(Json::as_i64), held)
    };
    let up = "up\nfact boot \"Accepted\"\n";
    let clear = "us ClearChargingProfile {}\ndut => {\"status\":\"Unknown\"}\n";
    let start = "starts 1 A 7 1000\n";
    let one = set(1, "TxDefaultProfile");
    let two = set(2, "TxProfile");
    assert_eq!(count(&format!("{up}{one}")), (None, 1));
    assert_eq!(count(&format!("{up}{clear}{start}{one}{two}")), (Some(2), 2));
    assert_eq!(
        count(&format!("{up}{clear}{start}{one}{two}stops 7 2000")),
        (Some(1), 1)
    );
    // A remote start brings its profile with the transaction.
    let remote = format!(
        "us RemoteStartTransaction {{\"idTag\":\"A\",\"chargingProfile\":{}}}\ndut => {{\"status\":\"Accepted\"}}\n",
        profile(3, "TxProfile")
    );
    assert_eq!(count(&format!("{up}{clear}{remote}")), (Some(0), 0));
    assert_eq!(count(&format!("{up}{clear}{remote}{start}")), (Some(1), 1));
}

#[test]
fn a_reservation_is_known_until_it_is_used_cancelled_or_over() {
    let reserve = r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"2026-03-01T13:00:00Z","idTag":"A","parentIdTag":"G","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved"#;
    let held = |rest: &str| -> Vec<String> {
        let all = facts("station", &format!("{reserve}\n{rest}"));
        all.into_iter()
            .filter(|fact| fact.starts_with("reservation"))
            .collect()
    };
    let whole = [
        "reservation.1=5",
        r#"reservation.1.expiry="2026-03-01T13:00:00Z""#,
        r#"reservation.1.parent="G""#,
        r#"reservation.1.tag="A""#,
    ];
    assert_eq!(held(""), whole);
    assert_eq!(held("reports 1 Preparing"), whole);
    for end in [
        "us CancelReservation {\"reservationId\":5}\ndut => {\"status\":\"Accepted\"}",
        "us CancelReservation {\"reservationId\":5}\ndut => {\"status\":\"Rejected\"}",
        "dut StartTransaction {\"connectorId\":1,\"idTag\":\"A\",\"meterStart\":0,\"timestamp\":\"$now\",\"reservationId\":5}",
        "reports 1 Faulted InternalError",
        "reports 1 Available",
    ] {
        assert!(held(end).is_empty(), "{end}: {:?}", held(end));
    }
    let other = r#"us ReserveNow {"connectorId":2,"expiryDate":"2026-03-01T14:00:00Z","idTag":"B","reservationId":5}
        dut => {"status":"Accepted"}"#;
    assert_eq!(
        held(other),
        [
            "reservation.2=5",
            r#"reservation.2.expiry="2026-03-01T14:00:00Z""#,
            r#"reservation.2.tag="B""#
        ]
    );
}
