//! Pairs of metering.

use crate::dsl::{Pair, station};

pub(crate) const PAIRS: &[Pair] = &[
    station(
        "meters/decimal",
        r#"up
        fact boot "Accepted"
        - dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"0.0"}]}]}
        + dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":" 0.0"}]}]}"#,
    ),
    station(
        "meters/decimal",
        r#"up
        fact boot "Accepted"
        - dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1e3","format":"SignedData"}]}]}
        + dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1e3"}]}]}"#,
    ),
    station(
        "meters/unit",
        r#"up
        fact boot "Accepted"
        - dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"7","measurand":"Voltage","unit":"V"}]}]}
        + dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"7","measurand":"Voltage","unit":"Wh"}]}]}"#,
    ),
    station(
        "meters/duplicate",
        r#"up
        fact boot "Accepted"
        - dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"7"},{"value":"7","phase":"L1"}]}]}
        + dut MeterValues {"connectorId":0,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"7"},{"value":"7"}]}]}"#,
    ),
    station(
        "meters/unconfigured",
        r#"up
        fact boot "Accepted"
        fact config.ClockAlignedDataInterval "0"
        - fact config.MeterValuesSampledData "SoC,Voltage.L1"
        + fact config.MeterValuesSampledData "SoC"
        dut MeterValues {"connectorId":1,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"7","measurand":"Voltage","phase":"L1","unit":"V"}]}]}"#,
    ),
    station(
        "meters/stop-data",
        r#"up
        fact boot "Accepted"
        fact transaction.1 7
        fact config.StopTxnAlignedData ""
        - fact config.StopTxnSampledData "Voltage"
        + fact config.StopTxnSampledData ""
        dut StopTransaction {"transactionId":7,"meterStop":5,"timestamp":"$now","transactionData":[{"timestamp":"$now","sampledValue":[{"value":"5"}]}]}"#,
    ),
    station(
        "meters/sample-interval",
        r#"up
        fact boot "Accepted"
        fact transaction.1 7
        fact config.ClockAlignedDataInterval "0"
        fact config.MeterValueSampleInterval "30"
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"5"}]}]}
        us => {}
        - wait 32
        + wait 60
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"6"}]}]}"#,
    ),
    station(
        "meters/negative",
        r#"up
        fact boot "Accepted"
        fact transaction.1 7
        - stops 7 5
        + stops 7 -1"#,
    ),
    station(
        "meters/stop-below-start",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        - stops 7 1000
        + stops 7 0"#,
    ),
    station(
        "meters/monotonic",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1.20","unit":"kWh"}]}]}
        us => {}
        wait 60
        - dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1195"}]}]}
        + dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1100"}]}]}"#,
    ),
    station(
        "meters/rebased",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        stops 7 1500
        - starts 1 A 8 1500
        + starts 1 A 8 0"#,
    ),
    station(
        "meters/between-transactions",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        stops 7 1500
        - starts 1 A 8 1510
        + starts 1 A 8 1550"#,
    ),
    station(
        "meters/outside-transaction",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        - dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1100"}]}]}
        + dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"100"}]}]}"#,
    ),
    station(
        "meters/outside-transaction",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        wait 60
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1100"}]}]}
        us => {}
        - stops 7 1100
        + stops 7 1050"#,
    ),
    station(
        "meters/energy-against-power",
        r#"up
        fact boot "Accepted"
        starts 1 A 7 1000
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"1000"},{"value":"6","measurand":"Power.Active.Import","unit":"kW"}]}]}
        us => {}
        wait 600
        dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"2000"},{"value":"6","measurand":"Power.Active.Import","unit":"kW"}]}]}
        us => {}
        wait 600
        - dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"3010"},{"value":"6","measurand":"Power.Active.Import","unit":"kW"}]}]}
        + dut MeterValues {"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"$now","sampledValue":[{"value":"3500"},{"value":"6","measurand":"Power.Active.Import","unit":"kW"}]}]}"#,
    ),
];
