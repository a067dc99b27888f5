//! Pairs of smart charging, firmware and diagnostics.

use crate::dsl::{Pair, csms, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "charging/place",
        r#"up
        fact boot "Accepted"
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"ChargePointMaxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/no-transaction",
        r#"up
        fact boot "Accepted"
        reports 1 Available
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/no-transaction",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]},"transactionId":8}}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/unit",
        r#"up
        fact boot "Accepted"
        fact config.ChargingScheduleAllowedChargingRateUnit "Power"
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/stack-level",
        r#"up
        fact boot "Accepted"
        fact config.ChargeProfileMaxStackLevel "3"
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":4,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/periods",
        r#"up
        fact boot "Accepted"
        fact config.ChargingScheduleMaxPeriods "1"
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10},{"startPeriod":60,"limit":8}]}}}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/too-many",
        r#"up
        fact boot "Accepted"
        fact config.MaxChargingProfilesInstalled "1"
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        dut => {"status":"Accepted"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":2,"stackLevel":1,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/valid-refused",
        r#"up
        fact boot "Accepted"
        fact config.SupportedFeatureProfiles "Core,SmartCharging"
        fact config.NumberOfConnectors "1"
        fact config.ChargingScheduleAllowedChargingRateUnit "Current"
        fact config.ChargeProfileMaxStackLevel "3"
        fact config.ChargingScheduleMaxPeriods "6"
        fact config.MaxChargingProfilesInstalled "4"
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        - dut => {"status":"Accepted"}
        + dut => {"status":"Rejected"}"#,
    ),
    station(
        "charging/clear-answer",
        r#"up
        fact boot "Accepted"
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        dut => {"status":"Accepted"}
        wait 10
        closed dut eof
        open
        boots
        us ClearChargingProfile {"stackLevel":0,"connectorId":1}
        - dut => {"status":"Accepted"}
        + dut => {"status":"Unknown"}"#,
    ),
    station(
        "charging/clear-answer",
        r#"up
        fact boot "Accepted"
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        dut => {"status":"Accepted"}
        us ClearChargingProfile {"id":2}
        - dut => {"status":"Unknown"}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/composite-shape",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10},{"startPeriod":60,"limit":8}]}}
        + dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10},{"startPeriod":60,"limit":8},{"startPeriod":30,"limit":6}]}}"#,
    ),
    station(
        "charging/composite-echo",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}
        + dut => {"status":"Accepted","connectorId":2,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}"#,
    ),
    station(
        "charging/composite-echo",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}
        + dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"W","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}"#,
    ),
    station(
        "charging/composite-moment",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}
        + dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now-4000","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}"#,
    ),
    station(
        "charging/composite-moment",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}
        + dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":86400,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}"#,
    ),
    station(
        "charging/composite-start-field",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}
        + dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","startSchedule":"$now","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}"#,
    ),
    station(
        "charging/composite-missing",
        r#"up
        fact boot "Accepted"
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}
        + dut => {"status":"Accepted"}"#,
    ),
    station(
        "charging/composite-unknown-connector",
        r#"up
        fact boot "Accepted"
        fact config.NumberOfConnectors "1"
        us GetCompositeSchedule {"connectorId":2,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Rejected"}
        + dut => {"status":"Accepted","connectorId":2,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}"#,
    ),
    station(
        "charging/composite-above",
        r#"up
        fact boot "Accepted"
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        dut => {"status":"Accepted"}
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}
        + dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":16}]}}"#,
    ),
    station(
        "charging/composite-above",
        r#"up
        fact boot "Accepted"
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":0,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"ChargePointMaxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        dut => {"status":"Accepted"}
        us GetCompositeSchedule {"connectorId":0,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":0,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":8}]}}
        + dut => {"status":"Accepted","connectorId":0,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":32}]}}"#,
    ),
    station(
        "charging/composite-below",
        r#"up
        fact boot "Accepted"
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10},{"startPeriod":60,"limit":8}]}}}
        dut => {"status":"Accepted"}
        us GetCompositeSchedule {"connectorId":1,"duration":300,"chargingRateUnit":"A"}
        - dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":8}]}}
        + dut => {"status":"Accepted","connectorId":1,"scheduleStart":"$now","chargingSchedule":{"duration":300,"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":8},{"startPeriod":60,"limit":6}]}}"#,
    ),
    station(
        "charging/limit-kept",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        reports 1 Charging
        us ClearChargingProfile {}
        dut => {"status":"Unknown"}
        us SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        dut => {"status":"Accepted"}
        wait 90
        - dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"10.4","measurand":"Current.Import","phase":"L1","unit":"A"}]}]}
        + dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"16.0","measurand":"Current.Import","phase":"L1","unit":"A"}]}]}"#,
    ),
    csms(
        "charging/csms-place",
        r#"up
        fact boot "Accepted"
        - dut SetChargingProfile {"connectorId":0,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"ChargePointMaxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        + dut SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"ChargePointMaxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        us => {"status":"Rejected"}"#,
    ),
    csms(
        "charging/csms-remote-start",
        r#"up
        fact boot "Accepted"
        - dut RemoteStartTransaction {"connectorId":1,"idTag":"A","chargingProfile":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        + dut RemoteStartTransaction {"connectorId":1,"idTag":"A","chargingProfile":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]},"transactionId":7}}
        us => {"status":"Rejected"}"#,
    ),
    csms(
        "charging/csms-profile-fields",
        r#"up
        fact boot "Accepted"
        - dut SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]}}}
        + dut SetChargingProfile {"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":{"chargingRateUnit":"A","startSchedule":"$now-60","chargingSchedulePeriod":[{"startPeriod":0,"limit":10}]},"recurrencyKind":"Daily"}}
        us => {"status":"Rejected"}"#,
    ),
    station(
        "firmware/order",
        r#"up
        fact boot "Accepted"
        us UpdateFirmware {"location":"ftp://files.example/new","retrieveDate":"$now"}
        dut => {}
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}
        dut FirmwareStatusNotification {"status":"Downloaded"}
        us => {}
        - dut FirmwareStatusNotification {"status":"Installing"}
        + dut FirmwareStatusNotification {"status":"Installed"}
        us => {}"#,
    ),
    station(
        "firmware/order",
        r#"up
        fact boot "Accepted"
        us UpdateFirmware {"location":"ftp://files.example/new","retrieveDate":"$now"}
        dut => {}
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}
        dut FirmwareStatusNotification {"status":"Downloaded"}
        us => {}
        dut FirmwareStatusNotification {"status":"Installing"}
        us => {}
        dut FirmwareStatusNotification {"status":"Installed"}
        us => {}
        + dut FirmwareStatusNotification {"status":"InstallationFailed"}"#,
    ),
    station(
        "firmware/unrequested",
        r#"up
        fact boot "Accepted"
        fact firmware "Installed"
        + dut FirmwareStatusNotification {"status":"Downloading"}"#,
    ),
    station(
        "firmware/early",
        r#"up
        fact boot "Accepted"
        - us UpdateFirmware {"location":"ftp://files.example/new","retrieveDate":"$now"}
        + us UpdateFirmware {"location":"ftp://files.example/new","retrieveDate":"$now+3600"}
        dut => {}
        dut FirmwareStatusNotification {"status":"Downloading"}
        us => {}"#,
    ),
    station(
        "firmware/silent",
        r#"up
        fact boot "Accepted"
        us UpdateFirmware {"location":"ftp://files.example/new","retrieveDate":"$now"}
        dut => {}
        - dut FirmwareStatusNotification {"status":"Downloading"}
        wait 10
        wait 901
        tick"#,
    ),
    station(
        "diagnostics/order",
        r#"up
        fact boot "Accepted"
        us GetDiagnostics {"location":"ftp://files.example/","retries":0}
        dut => {"fileName":"log"}
        dut DiagnosticsStatusNotification {"status":"Uploading"}
        us => {}
        dut DiagnosticsStatusNotification {"status":"Uploaded"}
        us => {}
        + dut DiagnosticsStatusNotification {"status":"UploadFailed"}"#,
    ),
    station(
        "diagnostics/unrequested",
        r#"up
        fact boot "Accepted"
        fact diagnostics "Uploaded"
        + dut DiagnosticsStatusNotification {"status":"Uploading"}"#,
    ),
    station(
        "diagnostics/silent",
        r#"up
        fact boot "Accepted"
        us GetDiagnostics {"location":"ftp://files.example/","retries":0}
        - dut => {}
        + dut => {"fileName":"log"}
        wait 901
        tick"#,
    ),
    station(
        "diagnostics/nameless",
        r#"up
        fact boot "Accepted"
        us GetDiagnostics {"location":"ftp://files.example/","retries":0}
        - dut => {"fileName":"log"}
        + dut => {}
        dut DiagnosticsStatusNotification {"status":"Uploading"}
        us => {}"#,
    ),
];
