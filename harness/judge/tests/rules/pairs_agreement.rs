//! Pairs of promises, availability, answers that agree, and configuration.

use crate::dsl::{Pair, csms, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "correlation/trigger",
        r#"up
        fact boot "Accepted"
        us TriggerMessage {"requestedMessage":"StatusNotification","connectorId":1}
        dut => {"status":"Accepted"}
        wait 5
        - reports 1 Available
        + reports 2 Available
        wait 61
        tick"#,
    ),
    station(
        "correlation/remote-stop",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us RemoteStopTransaction {"transactionId":7}
        dut => {"status":"Accepted"}
        wait 5
        - stops 7 1100 Remote
        wait 61
        tick"#,
    ),
    station(
        "correlation/remote-stop-unknown",
        r#"up
        fact boot "Accepted"
        reports 1 Available
        us RemoteStopTransaction {"transactionId":7}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "correlation/reset",
        r#"up
        fact boot "Accepted"
        us Reset {"type":"Hard"}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}
        wait 301
        tick"#,
    ),
    station(
        "correlation/reset-stops-transactions",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us Reset {"type":"Soft"}
        dut => {"status":"Accepted"}
        - stops 7 1000 SoftReset
        closed dut eof
        wait 30
        open
        boots
        reports 0 Available
        reports 1 Finishing
        wait 61
        tick"#,
    ),
    station(
        "correlation/unlock-unknown",
        r#"up
        fact boot "Accepted"
        fact config.NumberOfConnectors "2"
        us UnlockConnector {"connectorId":9}
        - dut => {"status":"NotSupported"}
        + dut => {"status":"UnlockFailed"}"#,
    ),
    station(
        "correlation/unlock-stops-transaction",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us UnlockConnector {"connectorId":1}
        dut => {"status":"Unlocked"}
        - stops 7 1000 UnlockCommand
        wait 61
        tick"#,
    ),
    station(
        "correlation/reserved-status",
        r#"up
        fact boot "Accepted"
        fact status.1 "Available"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        - reports 1 Reserved
        wait 61
        tick"#,
    ),
    station(
        "correlation/availability-scheduled",
        r#"up
        fact boot "Accepted"
        fact status.1 "Charging"
        fact transaction.1 7
        us ChangeAvailability {"connectorId":1,"type":"Inoperative"}
        - dut => {"status":"Scheduled"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "correlation/availability-same",
        r#"up
        fact boot "Accepted"
        fact status.1 "Unavailable"
        fact availability.1 "Inoperative"
        us ChangeAvailability {"connectorId":1,"type":"Inoperative"}
        - dut => {"status":"Accepted"}
        + dut => {"status":"Rejected"}"#,
    ),
    station(
        "correlation/availability-reported",
        r#"up
        fact boot "Accepted"
        fact status.1 "Available"
        us ChangeAvailability {"connectorId":1,"type":"Inoperative"}
        dut => {"status":"Accepted"}
        - reports 1 Unavailable
        wait 61
        tick"#,
    ),
    station(
        "correlation/availability-kept",
        r#"up
        fact boot "Accepted"
        fact status.1 "Unavailable"
        fact availability.1 "Inoperative"
        us Reset {"type":"Hard"}
        dut => {"status":"Accepted"}
        closed dut eof
        wait 30
        open
        boots
        reports 0 Available
        - reports 1 Unavailable
        + reports 1 Available"#,
    ),
    station(
        "correlation/availability-kept",
        r#"up
        fact boot "Accepted"
        fact status.1 "Charging"
        fact transaction.1 7
        us ChangeAvailability {"connectorId":1,"type":"Inoperative"}
        dut => {"status":"Scheduled"}
        stops 7 2000
        - reports 1 Finishing
        + reports 1 Available
        reports 1 Unavailable"#,
    ),
    station(
        "correlation/list-version",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"Accepted"}
        us GetLocalListVersion {}
        - dut => {"listVersion":4}
        + dut => {"listVersion":3}"#,
    ),
    csms(
        "correlation/data-transfer",
        r#"up
        fact boot "Accepted"
        us DataTransfer {"vendorId":"org.nobody"}
        - dut => {"status":"UnknownVendorId"}
        + dut => {"status":"UnknownVendorId","data":"x"}"#,
    ),
    station(
        "correlation/idle-untriggered",
        r#"up
        fact boot "Accepted"
        - us TriggerMessage {"requestedMessage":"FirmwareStatusNotification"}
        + us TriggerMessage {"requestedMessage":"Heartbeat"}
        dut => {"status":"Accepted"}
        dut FirmwareStatusNotification {"status":"Idle"}"#,
    ),
    station(
        "correlation/status-stale",
        r#"up
        fact boot "Accepted"
        dut DiagnosticsStatusNotification {"status":"Uploaded"}
        us => {}
        us TriggerMessage {"requestedMessage":"DiagnosticsStatusNotification"}
        dut => {"status":"Accepted"}
        - dut DiagnosticsStatusNotification {"status":"Idle"}
        + dut DiagnosticsStatusNotification {"status":"Uploaded"}"#,
    ),
    station(
        "correlation/reservation-id",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        reports 1 Preparing
        - dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now","reservationId":5}
        + dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now"}"#,
    ),
    station(
        "config/keys-answered",
        r#"up
        fact boot "Accepted"
        us GetConfiguration {"key":["NoSuchKey"]}
        - dut => {"unknownKey":["NoSuchKey"]}
        + dut => {}"#,
    ),
    station(
        "config/known-and-unknown",
        r#"up
        fact boot "Accepted"
        us GetConfiguration {"key":["Foo"]}
        - dut => {"configurationKey":[{"key":"Foo","readonly":true,"value":"1"}]}
        + dut => {"configurationKey":[{"key":"Foo","readonly":true,"value":"1"}],"unknownKey":["foo"]}"#,
    ),
    station(
        "config/unasked",
        r#"up
        fact boot "Accepted"
        us GetConfiguration {"key":["Foo"]}
        - dut => {"configurationKey":[{"key":"Foo","readonly":true,"value":"1"}]}
        + dut => {"configurationKey":[{"key":"Foo","readonly":true,"value":"1"},{"key":"Bar","readonly":true,"value":"1"}]}"#,
    ),
    station(
        "config/required-keys",
        r#"up
        fact boot "Accepted"
        - us GetConfiguration {"key":["HeartbeatInterval"]}
        + us GetConfiguration {}
        dut => {"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"300"}]}"#,
    ),
    station(
        "config/value",
        r#"up
        fact boot "Accepted"
        us GetConfiguration {"key":["HeartbeatInterval"]}
        - dut => {"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"300"}]}
        + dut => {"configurationKey":[{"key":"HeartbeatInterval","readonly":false,"value":"5 min"}]}"#,
    ),
    station(
        "config/readonly",
        r#"up
        fact boot "Accepted"
        us GetConfiguration {"key":["NumberOfConnectors"]}
        - dut => {"configurationKey":[{"key":"NumberOfConnectors","readonly":true,"value":"2"}]}
        + dut => {"configurationKey":[{"key":"NumberOfConnectors","readonly":false,"value":"2"}]}"#,
    ),
    station(
        "config/readonly",
        r#"up
        fact boot "Accepted"
        us ChangeConfiguration {"key":"NumberOfConnectors","value":"3"}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "config/write-only",
        r#"up
        fact boot "Accepted"
        us ChangeConfiguration {"key":"AuthorizationKey","value":"«secret:a:40:77»"}
        dut => {"status":"Accepted"}
        us GetConfiguration {"key":["AuthorizationKey"]}
        - dut => {"configurationKey":[{"key":"AuthorizationKey","readonly":false}]}
        + dut => {"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"«secret:b:40:77»"}]}"#,
    ),
    station(
        "config/bad-value-accepted",
        r#"up
        fact boot "Accepted"
        us ChangeConfiguration {"key":"ConnectionTimeOut","value":"3.7"}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "config/bad-value-accepted",
        r#"up
        fact boot "Accepted"
        - us ChangeConfiguration {"key":"StopTxnSampledData","value":"Voltage.L1,SoC"}
        + us ChangeConfiguration {"key":"StopTxnSampledData","value":"Voltage,Blueness"}
        dut => {"status":"Accepted"}"#,
    ),
    station(
        "config/unknown-accepted",
        r#"up
        fact boot "Accepted"
        fact unknown.Foo true
        us ChangeConfiguration {"key":"Foo","value":"1"}
        - dut => {"status":"NotSupported"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "config/known-not-supported",
        r#"up
        fact boot "Accepted"
        fact config.NumberOfConnectors "2"
        us ChangeConfiguration {"key":"numberofconnectors","value":"3"}
        - dut => {"status":"Rejected"}
        + dut => {"status":"NotSupported"}"#,
    ),
    station(
        "config/read-back",
        r#"up
        fact boot "Accepted"
        us ChangeConfiguration {"key":"ConnectionTimeOut","value":"70"}
        dut => {"status":"Accepted"}
        us GetConfiguration {"key":["ConnectionTimeOut"]}
        - dut => {"configurationKey":[{"key":"ConnectionTimeOut","readonly":false,"value":"070"}]}
        + dut => {"configurationKey":[{"key":"ConnectionTimeOut","readonly":false,"value":"60"}]}"#,
    ),
    station(
        "config/read-back",
        r#"up
        fact boot "Accepted"
        fact config.ConnectionTimeOut "60"
        us ChangeConfiguration {"key":"ConnectionTimeOut","value":"-1"}
        dut => {"status":"Rejected"}
        us GetConfiguration {"key":["ConnectionTimeOut"]}
        - dut => {"configurationKey":[{"key":"ConnectionTimeOut","readonly":false,"value":"60"}]}
        + dut => {"configurationKey":[{"key":"ConnectionTimeOut","readonly":false,"value":"1"}]}"#,
    ),
    station(
        "correlation/reservation-expires",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+100","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        wait 100
        - reports 1 Available
        wait 61
        tick"#,
    ),
    station(
        "correlation/reservation-cancel",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+100","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        us CancelReservation {"reservationId":5}
        - dut => {"status":"Accepted"}
        + dut => {"status":"Rejected"}"#,
    ),
];
