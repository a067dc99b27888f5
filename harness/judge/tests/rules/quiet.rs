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
        "a station that waits for our answer must not send a heartbeat meanwhile",
        "station",
        r#"up
        fact boot "Accepted"
        fact heartbeat 4
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now"}
        wait 9
        tick
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}"#,
    ),
    (
        "how many bits an integer has is nowhere said",
        "station",
        r#"up
        fact boot "Accepted"
        us ChangeConfiguration {"key":"MeterValueSampleInterval","value":"18446744073709551626"}
        dut => {"status":"Accepted"}
        us GetConfiguration {"key":["MeterValueSampleInterval"]}
        dut => {"configurationKey":[{"key":"MeterValueSampleInterval","readonly":false,"value":"18446744073709551626"}]}"#,
    ),
    (
        "a list that names a tag twice is no valid request, though its schema lets it pass",
        "station",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":2,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}},{"idTag":"a","idTagInfo":{"status":"Blocked"}}]}
        dut =! PropertyConstraintViolation"#,
    ),
    (
        "a start that used a reservation comes again, as its answer was lost",
        "station",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"2026-03-01T13:00:00Z","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        reports 1 Preparing
        wait 10
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"2026-03-01T12:00:09Z","reservationId":5}
        us =! InternalError
        wait 30
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"2026-03-01T12:00:09Z","reservationId":5}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}"#,
    ),
    (
        "somebody charged offline before the connector was reserved, and after the reservation was over",
        "station",
        r#"open
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+60","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        dut StartTransaction {"connectorId":1,"idTag":"B","meterStart":0,"timestamp":"$now-3600"}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}
        dut StopTransaction {"transactionId":7,"meterStop":10,"timestamp":"$now-1800"}
        us => {}
        wait 61
        reports 1 Available
        reports 1 Preparing
        starts 1 B 8 10"#,
    ),
    (
        "a reserved driver identifies, does not plug in, and the connector is free again for nobody but the driver",
        "station",
        r#"up
        fact boot "Accepted"
        us ReserveNow {"connectorId":1,"expiryDate":"$now+3600","idTag":"A","reservationId":5}
        dut => {"status":"Accepted"}
        reports 1 Reserved
        dut Authorize {"idTag":"A"}
        us => {"idTagInfo":{"status":"Accepted"}}
        reports 1 Preparing
        wait 60
        reports 1 Available"#,
    ),
    (
        "a listed tag is blocked on the list, and the CSMS lets it in",
        "station",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Blocked"}}]}
        dut => {"status":"Accepted"}
        dut Authorize {"idTag":"A"}
        us => {"idTagInfo":{"status":"Accepted"}}
        starts 1 A 7 1000"#,
    ),
    (
        "a list that is switched off decides nothing and has no version",
        "station",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Blocked"}}]}
        dut => {"status":"Accepted"}
        us ChangeConfiguration {"key":"LocalAuthListEnabled","value":"false"}
        dut => {"status":"Accepted"}
        us GetLocalListVersion {}
        dut => {"listVersion":-1}
        wait 5
        starts 1 A 7 1000
        us ChangeConfiguration {"key":"LocalAuthListEnabled","value":"true"}
        dut => {"status":"Accepted"}
        us GetLocalListVersion {}
        dut => {"listVersion":4}"#,
    ),
    (
        "a change takes the last entry off the list",
        "station",
        r#"up
        fact boot "Accepted"
        us SendLocalList {"listVersion":4,"updateType":"Full","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"Accepted"}
        us SendLocalList {"listVersion":5,"updateType":"Differential","localAuthorizationList":[{"idTag":"A"}]}
        dut => {"status":"Accepted"}
        us GetLocalListVersion {}
        dut => {"listVersion":0}
        us SendLocalList {"listVersion":1,"updateType":"Differential","localAuthorizationList":[{"idTag":"A","idTagInfo":{"status":"Accepted"}}]}
        dut => {"status":"Accepted"}"#,
    ),
    (
        "a plug between the last status and the trigger",
        "station",
        r#"up
        fact boot "Accepted"
        reports 1 Available
        us TriggerMessage {"requestedMessage":"StatusNotification","connectorId":1}
        ask ev.plug
        dut => {"status":"Accepted"}
        reports 1 Preparing"#,
    ),
    (
        "the trigger that was refused was another one",
        "station",
        r#"up
        fact boot "Accepted"
        us TriggerMessage {"requestedMessage":"MeterValues"}
        dut => {"status":"Accepted"}
        us TriggerMessage {"requestedMessage":"MeterValues","connectorId":9}
        dut => {"status":"Rejected"}
        dut MeterValues {"connectorId":1,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"10","context":"Trigger"}]}]}
        us => {}
        dut MeterValues {"connectorId":2,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"10","context":"Trigger"}]}]}
        us => {}"#,
    ),
    (
        "the id of an answer is the sender's, however long or empty",
        "csms",
        r#"up
        fact boot "Accepted"
        us#1234567890123456789012345678901234567 Heartbeat {}
        dut =! FormationViolation
        us raw [2,"","Heartbeat",{"x":1}]
        dut raw [4,"","FormationViolation","",{}]"#,
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
    (
        "offline transactions are delivered late, in order and with the id they get",
        "station",
        r#"open
        boots
        reports 0 Available
        reports 1 Available
        link drop
        closed us drop
        wait 3600
        open
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":1000,"timestamp":"$now-3000"}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now-2000","sampledValue":[{"value":"1500"}]}]}
        us => {}
        dut StopTransaction {"transactionId":7,"meterStop":2000,"timestamp":"$now-1000","idTag":"A"}
        us => {}"#,
    ),
    (
        "a StartTransaction whose answer was lost with the link comes again",
        "station",
        r#"up
        fact boot "Accepted"
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}
        link drop
        closed us drop
        wait 10
        open
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        us => {"transactionId":7,"idTagInfo":{"status":"Accepted"}}"#,
    ),
    (
        "-1 after a StartTransaction that was never delivered",
        "station",
        r#"up
        fact boot "Accepted"
        reports 1 Preparing
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        us =! InternalError
        wait 10
        dut StopTransaction {"transactionId":-1,"meterStop":9,"timestamp":"$now"}
        us => {}"#,
    ),
    (
        "an unknown transaction from before the trace may stop",
        "station",
        r#"up
        fact boot "Accepted"
        wait 60
        stops 4711 2000"#,
    ),
    (
        "a hard reset may lose a transaction",
        "station",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us Reset {"type":"Hard"}
        dut => {"status":"Accepted"}
        closed dut eof
        wait 30
        open
        boots
        reports 0 Available
        reports 1 Available
        starts 1 B 8 1200"#,
    ),
    (
        "a reset with the stop before it, and one after the boot",
        "station",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        starts 2 B 8 1000
        us Reset {"type":"Soft"}
        dut => {"status":"Accepted"}
        stops 7 1100 SoftReset
        closed dut eof
        wait 30
        open
        boots
        reports 0 Available
        reports 1 Finishing
        reports 2 Finishing
        stops 8 1100 SoftReset
        wait 100
        tick"#,
    ),
    (
        "a plug pulled just before the power cut, told after it",
        "station",
        r#"open
        fact boot "Accepted"
        starts 1 A 7 1000
        ask net.down
        closed dut eof
        wait 30
        ask ev.unplug
        ask station.power_cycle
        wait 30
        open
        boots
        reports 0 Available
        reports 1 Available
        dut StopTransaction {"transactionId":7,"meterStop":1000,"timestamp":"$now-30.1","reason":"EVDisconnected"}
        us => {}"#,
    ),
    (
        "a CSMS that is slow, but not too slow",
        "csms",
        r#"up
        fact boot "Accepted"
        us Heartbeat {}
        wait 29
        dut => {"currentTime":"$now"}
        us Authorize {"idTag":"A"}
        dut GetConfiguration {}
        us => {"configurationKey":[]}
        wait 20
        dut => {"idTagInfo":{"status":"Invalid"}}"#,
    ),
    (
        "a connection that the story parts",
        "station",
        r#"up
        fact boot "Accepted"
        us Reset {"type":"Hard"}
        dut => {"status":"Accepted"}
        closing dut 1001
        closed dut close
        wait 60
        open
        boots
        reports 0 Available
        reports 1 Available
        us GetConfiguration {"key":["Foo"]}
        dut => {"unknownKey":["Foo"]}
        closing us 1000
        closed dut close"#,
    ),
    (
        "an offline start of a tag that was refused before",
        "station",
        r#"up
        fact boot "Accepted"
        dut Authorize {"idTag":"A"}
        us => {"idTagInfo":{"status":"Blocked"}}
        link drop
        closed us drop
        wait 60
        open
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"$now-30"}
        us => {"transactionId":7,"idTagInfo":{"status":"Blocked"}}"#,
    ),
    (
        "a tag that is refused twice within one second",
        "station",
        r#"up
        fact boot "Accepted"
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        us => {"transactionId":7,"idTagInfo":{"status":"Blocked"}}
        dut StopTransaction {"transactionId":7,"meterStop":5,"timestamp":"2026-03-01T12:00:00Z","reason":"DeAuthorized"}
        us => {}
        dut StartTransaction {"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"2026-03-01T12:00:00Z"}
        us => {"transactionId":8,"idTagInfo":{"status":"Blocked"}}"#,
    ),
    (
        "one tag, presented for a second connector and then to stop the first",
        "station",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        dut Authorize {"idTag":"A"}
        us => {"idTagInfo":{"status":"Accepted"}}
        reports 2 Preparing
        dut StopTransaction {"transactionId":7,"meterStop":1000,"timestamp":"$now","idTag":"A"}
        us => {}"#,
    ),
    (
        "a failed download is tried again",
        "station",
        r#"up
        fact boot "Accepted"
        us UpdateFirmware {"location":"ftp://files.example/new","retries":2,"retrieveDate":"$now"}
        dut => {}
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}
        dut FirmwareStatusNotification {"status":"DownloadFailed"}
        us => {}
        wait 30
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}
        dut FirmwareStatusNotification {"status":"Downloaded"}
        us => {}
        dut FirmwareStatusNotification {"status":"Installing"}
        us => {}
        dut FirmwareStatusNotification {"status":"Installed"}
        us => {}"#,
    ),
    (
        "new firmware is told of after the restart that it needs",
        "station",
        r#"up
        fact boot "Accepted"
        us UpdateFirmware {"location":"ftp://files.example/new","retries":2,"retrieveDate":"$now"}
        dut => {}
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}
        dut FirmwareStatusNotification {"status":"Downloaded"}
        us => {}
        dut FirmwareStatusNotification {"status":"Installing"}
        us => {}
        wait 10
        closed dut eof
        wait 60
        open
        boots
        dut FirmwareStatusNotification {"status":"Installed"}
        us => {}"#,
    ),
    (
        "a station that waits for the date is idle, and begins then",
        "station",
        r#"up
        fact boot "Accepted"
        us UpdateFirmware {"location":"ftp://files.example/new","retries":2,"retrieveDate":"$now+3600"}
        dut => {}
        us TriggerMessage {"requestedMessage":"FirmwareStatusNotification"}
        dut => {"status":"Accepted"}
        dut FirmwareStatusNotification {"status":"Idle"}
        us => {}
        wait 3600
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}"#,
    ),
    (
        "a stage that is asked for may be told again",
        "station",
        r#"up
        fact boot "Accepted"
        us UpdateFirmware {"location":"ftp://files.example/new","retries":2,"retrieveDate":"$now"}
        dut => {}
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}
        us TriggerMessage {"requestedMessage":"FirmwareStatusNotification"}
        dut => {"status":"Accepted"}
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}
        dut FirmwareStatusNotification {"status":"Downloaded"}
        us => {}"#,
    ),
    (
        "after its own limit is over a transaction may fall back to the default or not",
        "station",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":6}]}}}
        dut => {"status":"Accepted"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":2,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"duration":120,"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        dut => {"status":"Accepted"}
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10},{"startPeriod":60,"limit":32}]}}
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10},{"startPeriod":60,"limit":6}]}}"#,
    ),
    (
        "one local limit explains lower values",
        "station",
        r#"up
        fact boot "Accepted"
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":20}]}}}
        dut => {"status":"Accepted"}
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16}]}}"#,
    ),
    (
        "what was set before the trace may prevail",
        "station",
        r#"up
        fact boot "Accepted"
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":6}]}}}
        dut => {"status":"Accepted"}
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":32}]}}"#,
    ),
    (
        "an EV needs a moment to follow a limit",
        "station",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        reports 1 Charging
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":6}]}}}
        dut => {"status":"Accepted"}
        wait 10
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"16.0","measurand":"Current.Import","phase":"L1","unit":"A"}]}]}"#,
    ),
    (
        "a limit ends with its transaction",
        "station",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        reports 1 Charging
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":6}]}}}
        dut => {"status":"Accepted"}
        stops 7 1100 Local
        wait 5
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":32}]}}"#,
    ),
    (
        "a limit in watts says nothing on amperes that can be reckoned with",
        "station",
        r#"up
        fact boot "Accepted"
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"W","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":6000}]}}}
        dut => {"status":"Accepted"}
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":32}]}}"#,
    ),
    (
        "a station that waits for an answer has nothing to say",
        "station",
        r#"up
        fact boot "Accepted"
        fact heartbeat 10
        beats
        wait 5
        dut StatusNotification {"connectorId":1,"status":"Available","errorCode":"NoError"}
        wait 29
        tick
        us => {}
        wait 5
        beats"#,
    ),
];
