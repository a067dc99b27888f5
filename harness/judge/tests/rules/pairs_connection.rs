//! Pairs of the upgrade, of boot gating and one CALL at a time, and of liveness.

use crate::dsl::{Pair, csms, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "upgrade/head-truncated",
        "- refused 400\n+ refused 400 flaw=head-truncated",
    ),
    station(
        "upgrade/bad-request-line",
        "- refused 400\n+ refused 400 flaw=bad-request-line",
    ),
    station(
        "upgrade/not-get",
        "- refused 400\n+ refused 400 flaw=upgrade-not-get",
    ),
    station("upgrade/old-http", "- open\n+ open flaw=upgrade-old-http"),
    station("upgrade/host", "- open\n+ open flaw=upgrade-host"),
    station("upgrade/key-count", "- open\n+ open flaw=upgrade-key-count"),
    station("upgrade/bad-key", "- open\n+ open flaw=upgrade-bad-key"),
    station("upgrade/bad-version", "- open\n+ open flaw=upgrade-bad-version"),
    station("upgrade/early-data", "- open\n+ open flaw=upgrade-early-data"),
    csms(
        "upgrade/bad-status-line",
        "- refused 404\n+ refused 404 flaw=bad-status-line",
    ),
    csms("upgrade/bad-accept", "- open\n+ open flaw=upgrade-bad-accept"),
    csms(
        "upgrade/unoffered-subprotocol",
        "- open\n+ open flaw=upgrade-unoffered-subprotocol",
    ),
    csms(
        "upgrade/many-subprotocols",
        "- open\n+ open flaw=upgrade-many-subprotocols",
    ),
    csms(
        "upgrade/unoffered-extension",
        "- open\n+ open flaw=upgrade-unoffered-extension",
    ),
    station("upgrade/no-upgrade", "- open\n+ open flaw=upgrade-no-upgrade"),
    station(
        "upgrade/no-connection",
        "- open\n+ open flaw=upgrade-no-connection",
    ),
    csms(
        "upgrade/no-connection",
        "- open\n+ open flaw=upgrade-no-connection",
    ),
    station("upgrade/head-bare-lf", "- open\n+ open flaw=head-bare-lf"),
    station("upgrade/head-folded-line", "- open\n+ open flaw=head-folded-line"),
    station("upgrade/bad-header-line", "- open\n+ open flaw=bad-header-line"),
    station("upgrade/head-non-ascii", "- open\n+ open flaw=head-non-ascii"),
    station(
        "upgrade/head-too-large",
        "- refused 431\n+ refused 431 flaw=head-too-large",
    ),
    station(
        "upgrade/head-too-many-headers",
        "- refused 431\n+ refused 431 flaw=head-too-many-headers",
    ),
    station(
        "upgrade/subprotocol-offered",
        "- open offer=ocpp2.0.1,ocpp1.6\n+ open offer=none",
    ),
    station(
        "upgrade/subprotocol-offered",
        "- refused 400 offer=ocpp1.6\n+ refused 400 offer=ocpp1.5",
    ),
    station("upgrade/path", "- open path=/ocpp/CP%201\n+ open path=/ocpp/CP%1"),
    station("upgrade/path", "- open path=/ocpp/CP-1?x=1\n+ open path=/ocpp/"),
    station(
        "upgrade/dial-flood",
        "refused 503
        refused 503
        refused 503
        refused 503
        refused 503
        - wait 12
        refused 503
        refused 503
        refused 503
        refused 503
        refused 503
        refused 503",
    ),
    station(
        "upgrade/back-off",
        "refused 404
        refused 404
        refused 404
        refused 404
        refused 404
        - wait 12
        refused 404
        refused 404
        refused 404
        refused 404
        refused 404",
    ),
    csms(
        "upgrade/unknown-subprotocol-agreed",
        "- open offer=ocpp1.6 sub=ocpp1.6
        + open offer=ocpp1.6x sub=ocpp1.6x",
    ),
    csms(
        "upgrade/closes-without-agreement",
        "open offer=ocpp9 sub=none
        - closing dut 1002
        wait 31
        tick",
    ),
    csms(
        "upgrade/closes-without-agreement",
        "open offer=ocpp9 sub=none
        - closing dut 1002
        + dut GetConfiguration {}",
    ),
    csms(
        "upgrade/completes-without-agreement",
        "- refused 404 offer=ocpp9\n+ refused 400 offer=ocpp9",
    ),
    station(
        "sequence/before-boot",
        r#"open
        dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        us =! InternalError
        wait 5
        - dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        + dut StatusNotification {"connectorId":1,"status":"Available","errorCode":"NoError"}"#,
    ),
    station(
        "sequence/while-pending",
        r#"open
        dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        us => {"status":"Pending","currentTime":"$now","interval":300}
        us TriggerMessage {"requestedMessage":"StatusNotification"}
        dut => {"status":"Accepted"}
        - dut StatusNotification {"connectorId":1,"status":"Available","errorCode":"NoError"}
        + dut Heartbeat {}"#,
    ),
    station(
        "sequence/while-rejected",
        r#"open
        dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        - us => {"status":"Accepted","currentTime":"$now","interval":300}
        + us => {"status":"Rejected","currentTime":"$now","interval":300}
        dut Heartbeat {}"#,
    ),
    station(
        "sequence/while-rejected",
        r#"up
        - fact boot "Accepted"
        + fact boot "Rejected"
        us ClearCache {}
        dut => {"status":"Accepted"}"#,
    ),
    station(
        "sequence/boot-interval",
        r#"open
        dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        us => {"status":"Rejected","currentTime":"$now","interval":60}
        - wait 59
        + wait 50
        boots"#,
    ),
    station(
        "sequence/boot-interval",
        r#"open
        dut BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        - us => {"status":"Pending","currentTime":"$now","interval":0}
        + us => {"status":"Pending","currentTime":"$now","interval":60}
        wait 10
        boots"#,
    ),
    station(
        "sequence/boot-flood",
        "up
        boots
        boots
        boots
        boots
        boots
        - wait 10
        boots
        boots
        boots
        boots
        boots",
    ),
    station(
        "sequence/boot-after-restart",
        r#"up
        fact boot "Accepted"
        us Reset {"type":"Hard"}
        dut => {"status":"Accepted"}
        closed dut eof
        wait 30
        open
        - boots
        reports 0 Available
        reports 1 Available"#,
    ),
    station(
        "sequence/boot-after-restart",
        r#"up
        fact boot "Accepted"
        + ask station.power_cycle
        closed dut eof
        wait 30
        open
        beats"#,
    ),
    station(
        "sequence/boot-repeated",
        "open
        boots
        reports 0 Available
        reports 1 Available
        link drop
        closed us drop
        wait 5
        open
        - beats
        + boots",
    ),
    station(
        "sequence/one-call-in-flight",
        r#"up
        fact boot "Accepted"
        dut#a Heartbeat {}
        wait 3
        - wait 3
        dut#a Heartbeat {}
        us => {"currentTime":"$now"}"#,
    ),
    station(
        "sequence/one-call-in-flight",
        r#"up
        fact boot "Accepted"
        dut StatusNotification {"connectorId":0,"status":"Available","errorCode":"NoError"}
        - us => {}
        dut StatusNotification {"connectorId":1,"status":"Available","errorCode":"NoError"}"#,
    ),
    csms(
        "sequence/one-call-in-flight",
        r#"up
        fact boot "Accepted"
        dut GetConfiguration {}
        - wait 2.5
        dut ClearCache {}"#,
    ),
    csms(
        "sequence/served-before-acceptance",
        r#"open
        us BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        dut => {"status":"Pending","currentTime":"$now","interval":300}
        us Authorize {"idTag":"A"}
        - dut =! SecurityError
        + dut => {"idTagInfo":{"status":"Accepted"}}"#,
    ),
    csms(
        "sequence/calls-while-rejected",
        r#"up
        - fact boot "Accepted"
        + fact boot "Rejected"
        dut ClearCache {}"#,
    ),
    csms(
        "sequence/remote-control-while-pending",
        r#"up
        fact boot "Pending"
        - dut GetConfiguration {}
        + dut RemoteStartTransaction {"idTag":"A"}"#,
    ),
    csms(
        "sequence/calls-before-boot-answer",
        r#"open
        us BootNotification {"chargePointVendor":"V","chargePointModel":"M"}
        + dut GetConfiguration {}
        dut => {"status":"Accepted","currentTime":"$now","interval":300}"#,
    ),
    csms(
        "sequence/triggers-boot",
        r#"up
        fact boot "Accepted"
        - ask csms.call {"action":"TriggerMessage"}
        dut TriggerMessage {"requestedMessage":"BootNotification"}"#,
    ),
    station(
        "liveness/closed-after-frame",
        r#"up
        fact boot "Accepted"
        us GetConfiguration {}
        - wait 3
        closed dut eof"#,
    ),
    csms(
        "liveness/closed-after-frame",
        r#"up
        fact boot "Accepted"
        us raw [2,"x"]
        - us ping AA==
        + closing dut 1007"#,
    ),
    // What breaks WebSocket itself excuses, and so does what we said before the DUT had read it.
    station(
        "liveness/closed-after-frame",
        r#"up
        fact boot "Accepted"
        - us bytes W8MoXQ==
        us GetConfiguration {}
        closed dut eof"#,
    ),
    // But not for ever.
    csms(
        "liveness/closed-after-frame",
        r#"up
        fact boot "Accepted"
        us bytes W8MoXQ==
        + wait 3
        us Heartbeat {}
        closed dut eof"#,
    ),
    station(
        "liveness/probe",
        r#"up
        fact boot "Accepted"
        us~probe ClearCache {}
        - dut => {"status":"Rejected"}
        wait 31
        tick"#,
    ),
    station(
        "liveness/pong",
        "up
        us ping AAEC
        - dut pong AAEC
        + dut pong AAAA
        wait 31
        tick",
    ),
];
