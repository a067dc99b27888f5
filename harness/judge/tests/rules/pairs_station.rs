//! Pairs of status notifications and of clocks.

use crate::dsl::{Pair, csms, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "status/connector-zero",
        r#"up
        fact boot "Accepted"
        - reports 0 Unavailable
        + reports 0 Reserved"#,
    ),
    station(
        "status/connector-range",
        r#"up
        fact boot "Accepted"
        fact config.NumberOfConnectors "2"
        - reports 2 Available
        + reports 3 Available"#,
    ),
    station(
        "status/transition",
        r#"up
        fact boot "Accepted"
        reports 1 Reserved
        - reports 1 Preparing
        + reports 1 Finishing"#,
    ),
    station(
        "status/repeated",
        r#"up
        fact boot "Accepted"
        reports 1 Available
        - reports 1 Available WeakSignal
        + reports 1 Available"#,
    ),
    station(
        "status/fault-without-error",
        r#"up
        fact boot "Accepted"
        - reports 1 Faulted GroundFailure
        + reports 1 Faulted NoError"#,
    ),
    station(
        "status/ev-communication-error",
        r#"up
        fact boot "Accepted"
        - reports 1 SuspendedEVSE EVCommunicationError
        + reports 1 Charging EVCommunicationError"#,
    ),
    station(
        "status/after-boot",
        "open
        boots
        reports 0 Available
        - reports 1 Available
        wait 61
        tick",
    ),
    station(
        "status/available-in-transaction",
        r#"up
        fact boot "Accepted"
        fact transaction.1 7
        fact status.1 "Charging"
        reports 1 Available
        - stops 7 2000
        wait 61
        tick"#,
    ),
    station(
        "status/available-in-transaction",
        r#"up
        fact boot "Accepted"
        fact transaction.1 7
        fact status.1 "Charging"
        - dut StatusNotification {"connectorId":1,"status":"SuspendedEV","errorCode":"NoError","timestamp":"$now"}
        + dut StatusNotification {"connectorId":1,"status":"Available","errorCode":"NoError","timestamp":"$now"}
        us => {}
        wait 10
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"10"}]}]}
        us => {}"#,
    ),
    station(
        "status/charging-without-transaction",
        r#"up
        fact boot "Accepted"
        fact status.1 "Preparing"
        reports 1 Charging
        - starts 1 A 7 1000
        wait 61
        tick"#,
    ),
    station(
        "time/before-the-standard",
        r#"up
        fact boot "Accepted"
        - dut StatusNotification {"connectorId":1,"status":"Available","errorCode":"NoError","timestamp":"$now"}
        + dut StatusNotification {"connectorId":1,"status":"Available","errorCode":"NoError","timestamp":"1970-01-01T00:00:07Z"}"#,
    ),
    station(
        "time/future",
        r#"up
        fact boot "Accepted"
        - dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now+200"}
        + dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now+3600"}"#,
    ),
    station(
        "time/past",
        r#"up
        fact boot "Accepted"
        dut Authorize {"idTag":"A"}
        us => {"idTagInfo":{"status":"Accepted"}}
        - dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now-200"}
        + dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now-3600"}"#,
    ),
    csms(
        "time/current-time",
        r#"up
        fact boot "Accepted"
        us Heartbeat {}
        - dut => {"currentTime":"$now"}
        + dut => {"currentTime":"$now+3600"}"#,
    ),
    station(
        "time/heartbeat-late",
        r#"up
        fact boot "Accepted"
        fact heartbeat 10
        beats
        wait 10
        - dut ping AA==
        wait 10
        tick"#,
    ),
    station(
        "time/heartbeat-early",
        r#"up
        fact boot "Accepted"
        fact heartbeat 60
        beats
        - wait 60
        + wait 20
        beats"#,
    ),
    // One that was promised to a trigger comes when it comes, also behind the next trigger.
    station(
        "time/heartbeat-early",
        r#"up
        fact boot "Accepted"
        fact heartbeat 60
        us TriggerMessage {"requestedMessage":"Heartbeat"}
        dut => {"status":"Accepted"}
        us TriggerMessage {"requestedMessage":"Heartbeat"}
        beats
        - dut => {"status":"Accepted"}
        + dut => {"status":"Rejected"}
        beats
        beats"#,
    ),
    station(
        "time/heartbeat-flood",
        r#"up
        fact boot "Accepted"
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        - wait 11
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        beats
        beats"#,
    ),
];
