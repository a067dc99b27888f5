//! Traces that look suspicious and are sound: retries, late answers, reconnects, a story that misbehaves on purpose.

/// Name, side under test, trace.
pub(crate) const TRACES: &[(&str, &str, &str)] = &[
    (
        "a late answer after our time-out is only late",
        "station",
        r#"up
        fact boot "Accepted"
        value timeout.message 10
        link drop
        us#u ClearCache {}
        wait 20
        dut => {"status":"Accepted"}"#,
    ),
    (
        "a retry may keep its id",
        "station",
        r#"up
        fact boot "Accepted"
        dut#1 StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"2026-03-01T12:00:00Z"}
        wait 35
        dut#1 StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"2026-03-01T12:00:00Z"}
        us => {"transactionId":1,"idTagInfo":{"status":"Accepted"}}"#,
    ),
    (
        "broken frames of ours need no answer",
        "station",
        r#"open
        fact boot "Accepted"
        us raw [2,"x","Reset"
        us raw [2]
        us#y!x Reset {"type":5}
        dut =! TypeConstraintViolation
        us raw [9,"z",{}]
        dut#-1 =! FormationViolation what was that
        wait 60
        tick"#,
    ),
    (
        "a rejected station is silent",
        "station",
        r#"open
        dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        us => {"status":"Rejected","currentTime":"$now","interval":100}
        us GetConfiguration {}
        wait 60
        tick"#,
    ),
    (
        "a CSMS may refuse before acceptance",
        "csms",
        r#"open
        us BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        dut => {"status":"Pending","currentTime":"$now","interval":100}
        us Heartbeat {}
        dut =! SecurityError not yet"#,
    ),
];
