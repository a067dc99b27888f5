//! Meter values at their intervals, and what they say.

use std::time::Duration;

use plugfest_protocol::{Json, Timestamp, object};
use plugfest_reference::station::Makeup;
use rust_decimal::Decimal;

use crate::world::{NOON, World, charging};

fn stamp(value: &Json) -> Timestamp {
    Timestamp::parse(value.get("timestamp").and_then(Json::as_str).unwrap()).unwrap()
}

fn sample(value: &Json, measurand: &str) -> Decimal {
    let samples = value.get("sampledValue").and_then(Json::as_array).unwrap();
    let of = |it: &&Json| it.get("measurand").and_then(Json::as_str) == Some(measurand);
    samples
        .iter()
        .find(of)
        .unwrap()
        .get("value")
        .unwrap()
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn samples_come_at_their_interval_and_agree_with_power_and_time() {
    let world = World::of(Makeup::default()).booted().await;
    world.set("MeterValueSampleInterval", "30").await;
    let list = "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage,Current.Offered,Power.Offered,Energy.Active.Import.Interval";
    world.set("MeterValuesSampledData", list).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.frames();
    world.pass(100).await;
    world.expect(
        "> MeterValues 1 100 Sample.Periodic
           <
         > MeterValues 1 100 Sample.Periodic
           <
         > MeterValues 1 100 Sample.Periodic
           <",
    );
    world.hands("token.present", object! { "token": "ALICE" }).await;
    let start = world.payloads("StartTransaction").remove(0);
    let values: Vec<Json> = world
        .payloads("MeterValues")
        .iter()
        .map(|it| it.pointer("/meterValue/0").unwrap().clone())
        .collect();
    let began = stamp(&start);
    let mut register = start
        .get("meterStart")
        .and_then(Json::as_i64)
        .map(Decimal::from)
        .unwrap();
    for (n, value) in values.iter().enumerate() {
        let due = began.plus(Duration::from_secs(30 * (n as u64 + 1)));
        assert!(stamp(value).distance(due) < Duration::from_millis(100), "{value}");
        let next = sample(value, "Energy.Active.Import.Register");
        let expected = Decimal::from(7360 * 30) / Decimal::from(3600);
        assert!(
            (next - register - expected).abs() <= Decimal::ONE,
            "{next} after {register}"
        );
        assert!((sample(value, "Energy.Active.Import.Interval") - expected).abs() <= Decimal::ONE);
        assert_eq!(sample(value, "Power.Active.Import"), Decimal::from(7360));
        assert_eq!(
            sample(value, "Current.Import") * sample(value, "Voltage"),
            Decimal::from(7360)
        );
        assert_eq!(sample(value, "Current.Offered"), Decimal::from(32));
        register = next;
    }
    let stop = world.payloads("StopTransaction").remove(0);
    assert!(
        stop.get("meterStop")
            .and_then(Json::as_i64)
            .map(Decimal::from)
            .unwrap()
            >= register
    );
    assert_eq!(stop.get("transactionData"), None);
}

#[tokio::test(start_paused = true)]
async fn clock_aligned_values_stand_on_the_clock_for_every_connector() {
    let world = charging(Makeup {
        connectors: 2,
        ..Makeup::default()
    })
    .await;
    world.set("ClockAlignedDataInterval", "900").await;
    world.frames();
    world.pass(1800).await;
    world.expect(
        "> MeterValues 1 100 Sample.Clock
           <
         > MeterValues 2 Sample.Clock
           <
         > MeterValues 1 100 Sample.Clock
           <
         > MeterValues 2 Sample.Clock
           <",
    );
    for (n, payload) in world.payloads("MeterValues").iter().enumerate() {
        let wall = stamp(payload.pointer("/meterValue/0").unwrap());
        assert_eq!(wall, Timestamp::from_secs(NOON + 900 * (n as i64 / 2 + 1)));
    }
}

#[tokio::test(start_paused = true)]
async fn stop_transaction_tells_begin_course_and_end() {
    let world = World::of(Makeup::default()).booted().await;
    world
        .set("StopTxnSampledData", "Energy.Active.Import.Register")
        .await;
    world.set("StopTxnAlignedData", "Voltage").await;
    world.set("MeterValuesSampledData", "").await;
    world.set("MeterValuesAlignedData", "").await;
    world.set("MeterValueSampleInterval", "400").await;
    world.set("ClockAlignedDataInterval", "900").await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    world.frames();
    world.pass(1000).await;
    world.hands("user.stop", object! {}).await;
    world.expect(
        "> StopTransaction 100 Local
           <
         > StatusNotification 1 Finishing
           <",
    );
    let stop = world.payloads("StopTransaction").remove(0);
    let data = stop.get("transactionData").and_then(Json::as_array).unwrap();
    let shape: Vec<(String, usize)> = data
        .iter()
        .map(|value| {
            let samples = value.get("sampledValue").and_then(Json::as_array).unwrap();
            (
                samples[0]
                    .get("context")
                    .and_then(Json::as_str)
                    .unwrap()
                    .to_owned(),
                samples.len(),
            )
        })
        .collect();
    let expected = [
        ("Transaction.Begin", 2),
        ("Sample.Periodic", 1),
        ("Sample.Periodic", 1),
        ("Sample.Clock", 1),
        ("Transaction.End", 2),
    ];
    assert_eq!(
        shape,
        expected.map(|(context, samples)| (context.to_owned(), samples))
    );
    let last = sample(&data[4], "Energy.Active.Import.Register");
    assert_eq!(
        stop.get("meterStop")
            .and_then(Json::as_i64)
            .map(Decimal::from)
            .unwrap(),
        last
    );
}

#[tokio::test(start_paused = true)]
async fn a_register_never_runs_backwards_over_restarts() {
    let world = charging(Makeup::default()).await;
    world.pass(600).await;
    world.operator("Reset", object! { "type": "Hard" }).await;
    world.pass(5).await;
    world.hands("ev.unplug", object! {}).await;
    world.hands("ev.plug", object! {}).await;
    world.hands("token.present", object! { "token": "ALICE" }).await;
    let stop = world.payloads("StopTransaction")[0]
        .get("meterStop")
        .and_then(Json::as_i64)
        .unwrap();
    let start = world.payloads("StartTransaction")[1]
        .get("meterStart")
        .and_then(Json::as_i64)
        .unwrap();
    assert_eq!(stop, start);
}
