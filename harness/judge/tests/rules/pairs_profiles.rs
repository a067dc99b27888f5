//! Pairs of the feature profiles beside Core: triggers, the local list, reservations.

use crate::dsl::{Pair, csms, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "correlation/trigger",
        r#"up
        fact boot "Accepted"
        fact config.NumberOfConnectors "1"
        us TriggerMessage {"requestedMessage":"StatusNotification"}
        dut => {"status":"Accepted"}
        reports 0 Available
        - reports 1 Available
        wait 61
        tick"#,
    ),
    station(
        "correlation/trigger-order",
        r#"up
        fact boot "Accepted"
        us TriggerMessage {"requestedMessage":"MeterValues","connectorId":1}
        - dut => {"status":"Accepted"}
        dut MeterValues {"connectorId":1,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"10","context":"Trigger"}]}]}
        us => {}"#,
    ),
    station(
        "correlation/trigger-order",
        r#"up
        fact boot "Accepted"
        us TriggerMessage {"requestedMessage":"FirmwareStatusNotification"}
        - dut => {"status":"Accepted"}
        dut FirmwareStatusNotification {"status":"Idle"}
        us => {}"#,
    ),
    station(
        "correlation/trigger-refused",
        r#"up
        fact boot "Accepted"
        us TriggerMessage {"requestedMessage":"DiagnosticsStatusNotification"}
        - dut => {"status":"Accepted"}
        + dut => {"status":"Rejected"}
        dut DiagnosticsStatusNotification {"status":"Idle"}
        us => {}"#,
    ),
    station(
        "correlation/trigger-refused",
        r#"open
        fact boot "Accepted"
        - us TriggerMessage {"requestedMessage":"MeterValues"}
        + us TriggerMessage {"requestedMessage":"Heartbeat"}
        dut => {"status":"Accepted"}
        beats
        dut MeterValues {"connectorId":1,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"10","context":"Trigger"}]}]}
        us => {}"#,
    ),
    station(
        "correlation/trigger-not-implemented",
        r#"up
        fact boot "Accepted"
        - beats
        + reports 1 Available
        us TriggerMessage {"requestedMessage":"StatusNotification","connectorId":1}
        dut => {"status":"NotImplemented"}"#,
    ),
    station(
        "correlation/trigger-status",
        r#"up
        fact boot "Accepted"
        reports 1 Preparing
        us TriggerMessage {"requestedMessage":"StatusNotification","connectorId":1}
        dut => {"status":"Accepted"}
        - reports 1 Preparing
        + reports 1 Available"#,
    ),
    station(
        "correlation/trigger-status",
        r#"up
        fact boot "Accepted"
        reports 1 Faulted GroundFailure
        us TriggerMessage {"requestedMessage":"StatusNotification"}
        dut => {"status":"Accepted"}
        - reports 1 Faulted GroundFailure
        + reports 1 Faulted OtherError"#,
    ),
    station(
        "list/refused-tag",
        r#"up
        fact boot "Accepted"
        - us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        + us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Blocked"}}]}
        dut => {"status":"Accepted"}
        link drop
        closed us drop
        wait 60
        open
        dut StartTransaction {"connectorId":1,"idTag":"a","meterStart":0,"timestamp":"$now-30"}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}"#,
    ),
    station(
        "list/refused-tag",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"Accepted"}
        - us SendLocalList {"listVersion":5,"updateType":"Differential","localAuthorizationList":[{"idTag":"A"}]}
        + us SendLocalList {"listVersion":5,"updateType":"Differential","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Invalid"}}]}
        dut => {"status":"Accepted"}
        wait 5
        starts 1 A 7 1000"#,
    ),
    station(
        "list/refused-tag",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted","expiryDate":"$now+60"}}]}
        dut => {"status":"Accepted"}
        - wait 50
        + wait 70
        starts 1 A 7 1000"#,
    ),
    station(
        "list/conflict",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"Accepted"}
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now"}
        us => {"transactionId":7,"idTagInfo":{"status":"Blocked"}}
        - reports 0 Available LocalListConflict
        wait 61
        tick"#,
    ),
    station(
        "list/old-version",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"Accepted"}
        us SendLocalList {"listVersion":4,"updateType":"Differential","localAuthorizationList":[{"idTag":"B","idTagInfo":{"status":"Accepted"}}]}
        - dut => {"status":"VersionMismatch"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "correlation/list-version",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"Accepted"}
        us SendLocalList {"listVersion":3,"updateType":"Differential","localAuthorizationList":[{"idTag":"B","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"VersionMismatch"}
        us GetLocalListVersion {}
        - dut => {"listVersion":4}
        + dut => {"listVersion":3}"#,
    ),
    station(
        "correlation/list-version",
        r#"up
        fact boot "Accepted"
        us GetLocalListVersion {}
        dut => {"listVersion":4}
        boots
        us GetLocalListVersion {}
        - dut => {"listVersion":4}
        + dut => {"listVersion":0}"#,
    ),
    csms(
        "list/tags-unique",
        r#"up
        fact boot "Accepted"
        - dut SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}},{"idTag":"B","idTagInfo":{"status":"Blocked"}}]}
        + dut SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}},{"idTag":"a","idTagInfo":{"status":"Blocked"}}]}
        us => {"status":"Accepted"}"#,
    ),
    csms(
        "list/entries-complete",
        r#"up
        fact boot "Accepted"
        - dut SendLocalList {"listVersion":4,"updateType":"Differential","localAuthorizationList":[{"idTag":"A"}]}
        + dut SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A"}]}
        us => {"status":"Accepted"}"#,
    ),
    csms(
        "list/version-reserved",
        r#"up
        fact boot "Accepted"
        - dut SendLocalList {"listVersion":1,"updateType":"Full"}
        + dut SendLocalList {"listVersion":0,"updateType":"Full"}
        us => {"status":"Accepted"}"#,
    ),
    station(
        "correlation/reservation-id",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":0,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        - dut StartTransaction {"connectorId":2,"idTag":"a","meterStart":0,"timestamp":"$now","reservationId":5}
        + dut StartTransaction {"connectorId":2,"idTag":"a","meterStart":0,"timestamp":"$now","reservationId":6}"#,
    ),
    station(
        "correlation/reservation-id",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","parentIdTag":"G","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        dut Authorize {"idTag":"B"}
        us => {"idTagInfo":{"status":"Accepted","parentIdTag":"G"}}
        reports 1 Preparing
        - dut StartTransaction {"connectorId":1,"idTag":"B","meterStart":0,"timestamp":"$now","reservationId":5}
        + dut StartTransaction {"connectorId":1,"idTag":"B","meterStart":0,"timestamp":"$now"}"#,
    ),
    station(
        "correlation/reservation-id",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        us CancelReservation {"reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Available
        wait 5
        - starts 1 A 7 1000
        + dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now","reservationId":5}"#,
    ),
    station(
        "correlation/reservation-id",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":2,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 2 Reserved
        - starts 1 A 7 1000
        + dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now","reservationId":5}"#,
    ),
    station(
        "correlation/reserved-connector",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        wait 5
        - starts 2 B 7 1000
        + starts 1 B 7 1000"#,
    ),
    station(
        "correlation/reserved-connector",
        r#"up
        fact boot "Accepted"
        fact config.NumberOfConnectors "1"
        us ReserveNow {"connectorId":0,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        wait 5
        - dut StartTransaction {"connectorId":1,"idTag":"B","meterStart":0,"timestamp":"$now-60"}
        + dut StartTransaction {"connectorId":1,"idTag":"B","meterStart":0,"timestamp":"$now"}"#,
    ),
    station(
        "correlation/reserved-connector",
        r#"up
        fact boot "Accepted"
        fact status.1 "Reserved"
        fact reservation.1 5
        fact reservation.1.tag "A"
        fact reservation.1.parent "G"
        fact reservation.1.expiry "2026-03-01T13:00:00Z"
        wait 5
        dut Authorize {"idTag":"B"}
        - us => {"idTagInfo":{"status":"Accepted","parentIdTag":"g"}}
        + us => {"idTagInfo":{"status":"Accepted","parentIdTag":"H"}}
        wait 5
        dut StartTransaction {"connectorId":1,"idTag":"B","meterStart":0,"timestamp":"$now","reservationId":5}"#,
    ),
    station(
        "correlation/reserve-free",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        reports 1 Charging
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        - dut => {"status":"Occupied"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "correlation/reserve-free",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        - us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        + us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":6}
        dut => {"status":"Accepted"}"#,
    ),
    station(
        "correlation/reserved-truth",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        - wait 3600
        + wait 3500
        reports 1 Available"#,
    ),
    station(
        "correlation/reserved-truth",
        r#"up
        fact boot "Accepted"
        fact status.1 "Available"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        - dut => {"status":"Accepted"}
        + dut => {"status":"Rejected"}
        reports 1 Reserved"#,
    ),
    station(
        "correlation/reservation-over",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        reports 1 Preparing
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now","reservationId":5}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}
        us CancelReservation {"reservationId":5}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "correlation/reservation-over",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        reports 1 Faulted InternalError
        us CancelReservation {"reservationId":5}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
];
