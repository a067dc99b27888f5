//! Pairs of transactions.

use crate::dsl::{Pair, csms, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "transaction/start-while-open",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        - stops 7 2000
        starts 1 B 8 2000"#,
    ),
    station(
        "transaction/start-repeated",
        r#"up
        fact boot "Accepted"
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}
        wait 10
        - dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"9"}]}]}
        + dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}"#,
    ),
    station(
        "transaction/stop-unknown",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        - stops 7 2000
        + stops 0 2000"#,
    ),
    station(
        "transaction/stop-repeated",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        stops 7 2000
        wait 60
        - beats
        + stops 7 2000"#,
    ),
    station(
        "transaction/meter-values-id",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        - dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1100"}]}]}
        + dut MeterValues {"connectorId":1,"transactionId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1100"}]}]}"#,
    ),
    station(
        "transaction/meter-values-without-id",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        - dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1100"}]}]}
        + dut MeterValues {"connectorId":1,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1100"}]}]}"#,
    ),
    station(
        "transaction/meter-values-after-end",
        r#"up
        fact boot "Accepted"
        fact status.1 "Finishing"
        starts 1 A 7 1000
        stops 7 2000
        wait 60
        - dut MeterValues {"connectorId":1,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"2000"}]}]}
        + dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"2000"}]}]}"#,
    ),
    station(
        "transaction/order",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        - beats
        + stops 7 2000
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now-10","sampledValue":[{"value":"1900"}]}]}"#,
    ),
    station(
        "transaction/start-unauthorised",
        r#"up
        fact boot "Accepted"
        dut Authorize {"idTag":"A"}
        - us => {"idTagInfo":{"status":"Accepted"}}
        + us => {"idTagInfo":{"status":"Invalid"}}
        starts 1 A 7 1000"#,
    ),
    station(
        "transaction/stop-tag",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        dut Authorize {"idTag":"B"}
        us => {"idTagInfo":{"status":"Blocked"}}
        wait 1
        - dut StopTransaction {"transactionId":7,"meterStop":2000,"timestamp":"$now","idTag":"A"}
        + dut StopTransaction {"transactionId":7,"meterStop":2000,"timestamp":"$now","idTag":"B"}"#,
    ),
    station(
        "transaction/stop-tag",
        r#"up
        fact boot "Accepted"
        dut Authorize {"idTag":"A"}
        us => {"idTagInfo":{"status":"Accepted","parentIdTag":"G"}}
        starts 1 C 7 1000
        dut Authorize {"idTag":"B"}
        us => {"idTagInfo":{"status":"Accepted","parentIdTag":"G"}}
        - dut StopTransaction {"transactionId":7,"meterStop":2000,"timestamp":"$now","idTag":"C"}
        + dut StopTransaction {"transactionId":7,"meterStop":2000,"timestamp":"$now","idTag":"B"}"#,
    ),
    station(
        "transaction/needless-authorize",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        + dut Authorize {"idTag":"a"}
        wait 2
        dut StopTransaction {"transactionId":7,"meterStop":2000,"timestamp":"$now","idTag":"A"}"#,
    ),
    station(
        "transaction/remote-start-tag",
        r#"up
        fact boot "Accepted"
        us RemoteStartTransaction {"connectorId":1,"idTag":"A"}
        dut => {"status":"Accepted"}
        wait 5
        - starts 1 a 7 1000
        + starts 1 B 7 1000"#,
    ),
    station(
        "transaction/remote-start-authorize",
        r#"up
        fact boot "Accepted"
        - fact config.AuthorizeRemoteTxRequests "true"
        + fact config.AuthorizeRemoteTxRequests "false"
        us RemoteStartTransaction {"connectorId":1,"idTag":"A"}
        dut => {"status":"Accepted"}
        dut Authorize {"idTag":"A"}
        us => {"idTagInfo":{"status":"Accepted"}}
        starts 1 A 7 1000"#,
    ),
    station(
        "transaction/stop-reason",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us RemoteStopTransaction {"transactionId":7}
        dut => {"status":"Accepted"}
        wait 2
        - stops 7 2000 Remote
        + stops 7 2000"#,
    ),
    station(
        "transaction/stop-reason",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        ask station.power_cycle
        closed dut eof
        wait 20
        open
        boots
        - stops 7 2000 PowerLoss
        + stops 7 2000 DeAuthorized"#,
    ),
    station(
        "transaction/retry-changed",
        r#"up
        fact boot "Accepted"
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        us =! InternalError
        wait 60
        - dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        + dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"$now"}"#,
    ),
    station(
        "transaction/retry-interval",
        r#"up
        fact boot "Accepted"
        fact config.TransactionMessageRetryInterval "10"
        dut StopTransaction {"transactionId":7,"meterStop":5,"timestamp":"2026-03-01T12:00:00Z"}
        us =! InternalError
        wait 10
        dut StopTransaction {"transactionId":7,"meterStop":5,"timestamp":"2026-03-01T12:00:00Z"}
        us =! InternalError
        - wait 20
        + wait 10
        dut StopTransaction {"transactionId":7,"meterStop":5,"timestamp":"2026-03-01T12:00:00Z"}"#,
    ),
    station(
        "transaction/retry-attempts",
        r#"up
        fact boot "Accepted"
        - fact config.TransactionMessageAttempts "3"
        + fact config.TransactionMessageAttempts "1"
        dut StopTransaction {"transactionId":7,"meterStop":5,"timestamp":"2026-03-01T12:00:00Z"}
        us =! InternalError
        wait 60
        dut StopTransaction {"transactionId":7,"meterStop":5,"timestamp":"2026-03-01T12:00:00Z"}
        us =! InternalError"#,
    ),
    csms(
        "transaction/id-unique",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us StartTransaction {"connectorId":2,"idTag":"B","meterStart":5,"timestamp":"$now"}
        - dut => {"transactionId":8,"idTagInfo":{"status":"Accepted"}}
        + dut => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}"#,
    ),
    csms(
        "transaction/id-positive",
        r#"up
        fact boot "Accepted"
        us StartTransaction {"connectorId":2,"idTag":"B","meterStart":5,"timestamp":"$now"}
        - dut => {"transactionId":0,"idTagInfo":{"status":"Invalid"}}
        + dut => {"transactionId":0,"idTagInfo":{"status":"Accepted"}}"#,
    ),
    csms(
        "transaction/stop-refused",
        r#"up
        fact boot "Accepted"
        us StopTransaction {"transactionId":99,"meterStop":5,"timestamp":"$now"}
        - dut => {}
        + dut =! NotSupported"#,
    ),
    csms(
        "transaction/uses-ended",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        stops 7 2000
        - wait 1
        + wait 60
        dut RemoteStopTransaction {"transactionId":7}"#,
    ),
];
