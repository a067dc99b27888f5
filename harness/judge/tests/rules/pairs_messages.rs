//! Pairs of schema, answers and message ids.

use crate::dsl::{Pair, csms, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "schema/request",
        r#"up
        fact boot "Accepted"
        - dut Authorize {"idTag":"A"}
        + dut Authorize {}"#,
    ),
    station(
        "schema/request",
        r#"up
        fact boot "Accepted"
        - dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1"}]}]}
        + dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":1}]}]}"#,
    ),
    csms(
        "schema/response",
        r#"up
        fact boot "Accepted"
        us StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now"}
        - dut => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}
        + dut => {"transactionId":7,"idTagInfo":{"status":"Accepted"},"status":"Accepted"}"#,
    ),
    station(
        "schema/action",
        r#"up
        fact boot "Accepted"
        - dut Heartbeat {}
        + dut HeartBeat {}"#,
    ),
    station(
        "schema/direction",
        r#"up
        fact boot "Accepted"
        - dut Heartbeat {}
        + dut ClearCache {}"#,
    ),
    station(
        "answers/missing",
        r#"up
        fact boot "Accepted"
        us ClearCache {}
        - dut => {"status":"Accepted"}
        wait 31
        tick"#,
    ),
    csms(
        "answers/missing",
        r#"up
        fact boot "Accepted"
        value timeout.message 10
        us Heartbeat {}
        - wait 9
        + wait 11
        dut => {"currentTime":"$now"}"#,
    ),
    csms(
        "answers/second",
        r#"up
        fact boot "Accepted"
        us#h Heartbeat {}
        dut => {"currentTime":"$now"}
        + dut#h => {"currentTime":"$now"}"#,
    ),
    station(
        "answers/stray",
        r#"open
        fact boot "Accepted"
        us#u ClearCache {}
        dut => {"status":"Accepted"}
        + dut#never => {"status":"Accepted"}"#,
    ),
    csms(
        "answers/invalid-accepted",
        r#"up
        us BootNotification {"chargePointVendor":"V"}
        - dut =! OccurenceConstraintViolation
        + dut => {"status":"Accepted","currentTime":"$now","interval":300}"#,
    ),
    station(
        "answers/invalid-accepted",
        r#"up
        fact boot "Accepted"
        us Nonsense {}
        - dut =! NotImplemented
        + dut => {}"#,
    ),
    // Some readers take a blank between date and time: a warning, which is a finding all the same.
    csms(
        "answers/invalid-accepted",
        r#"up
        fact boot "Accepted"
        us StatusNotification {"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2026-03-01 12:00:00Z"}
        - dut =! FormationViolation
        + dut => {}"#,
    ),
    // No object stands for the payload: it is plain all the same which CALL is answered.
    station(
        "answers/invalid-accepted",
        r#"up
        fact boot "Accepted"
        us ClearCache []
        - dut =! FormationViolation
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "answers/valid-refused",
        r#"up
        fact boot "Accepted"
        us ChangeAvailability {"connectorId":1,"type":"Inoperative"}
        - dut => {"status":"Rejected"}
        + dut =! InternalError"#,
    ),
    csms(
        "answers/valid-refused",
        r#"up
        fact boot "Accepted"
        us StatusNotification {"connectorId":1,"errorCode":"NoError","status":"Available"}
        - dut => {}
        + dut =! InternalError oops"#,
    ),
    station(
        "answers/error-code",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":60,"chargingRateUnit":"kW"}
        - dut =! PropertyConstraintViolation
        + dut =! FormationViolation"#,
    ),
    station(
        "answers/error-code",
        r#"up
        fact boot "Accepted"
        us Nonsense {}
        - dut =! NotSupported
        + dut =! GenericError"#,
    ),
    station(
        "ids/reused",
        r#"up
        fact boot "Accepted"
        dut#1 Heartbeat {}
        us => {"currentTime":"$now"}
        wait 300
        - dut#2 Heartbeat {}
        + dut#1 Heartbeat {}"#,
    ),
    station(
        "ids/reused-across-connections",
        r#"open
        fact boot "Accepted"
        dut#1 Heartbeat {}
        us => {"currentTime":"$now"}
        link drop
        closed us drop
        wait 5
        open
        - dut#2 Authorize {"idTag":"A"}
        + dut#1 Authorize {"idTag":"A"}"#,
    ),
    station(
        "answers/forbidden-accepted",
        r#"up
        fact boot "Accepted"
        us RemoteStartTransaction {"connectorId":0,"idTag":"A"}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
];
