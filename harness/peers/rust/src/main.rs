//! A charging station on the crate `ocpp-charge-point`. All behaviour is the crate's; this file is only the simulated
//! hardware its integrator's guide asks for, and a control channel on stdin for the hands of a test.
//! Usage: plugfest-peer-charge-point --url ws://127.0.0.1:9000/CP-1

use ocpp_charge_point::{ChargePointRuntime, OcppVersion, connect_and_setup};
use ocpp_charge_point::{executor::TokioExecutor, hardware::*, provisioning::TokioBackoff, state::*};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::{convert::Infallible, os::unix::process::CommandExt, time::Duration};

const POWER_W: i64 = 7_400;
/// A socket with a contactor and a meter, which counts joules and is never reset.
#[derive(Default)]
struct Socket(AtomicBool, AtomicI64);
#[rustfmt::skip] // One line each: nothing here decides anything.
#[async_trait::async_trait]
impl Connector for Socket {
    type Error = Infallible;
    async fn lock(&self) -> Result<(), Infallible> { Ok(()) }
    async fn unlock(&self) -> Result<(), Infallible> { Ok(()) }
    async fn close_contactor(&self) -> Result<(), Infallible> { Ok(self.0.store(true, SeqCst)) }
    async fn open_contactor(&self) -> Result<(), Infallible> { Ok(self.0.store(false, SeqCst)) }
    async fn set_current_limit(&self, _limit_ma: Option<u32>) -> Result<(), Infallible> { Ok(()) }
}

struct Post([Socket; 1]);
#[rustfmt::skip]
#[async_trait::async_trait]
impl Evse<Socket> for Post {
    type Error = Infallible;
    fn connectors(&self) -> &[Socket] { &self.0 }
    async fn reboot(&self) -> Result<(), Infallible> {
        // A controller needs a moment to go down; without it the answer to the Reset would never leave.
        tokio::spawn(async { (tokio::time::sleep(Duration::from_millis(300)).await, reboot()) });
        Ok(())
    }
}

/// Starts this program anew in place: same arguments, same stdin and stdout, connection and memory gone.
fn reboot() {
    let program = std::env::current_exe().expect("a running program has a path");
    panic!("no reboot: {}", std::process::Command::new(program).args(std::env::args().skip(1)).exec());
}

#[derive(Clone)]
struct Station(Arc<[Post; 1]>);
#[rustfmt::skip]
#[async_trait::async_trait]
impl ChargePoint<Post, Socket> for Station {
    type StartError = Infallible;
    fn vendor_name(&self) -> &str { "Peer" }
    fn model_name(&self) -> &str { "ocpp-charge-point" }
    fn evses(&self) -> &[Post] { &self.0[..] }
    fn capabilities(&self) -> Capabilities { Capabilities::default() }
    async fn start(self: Arc<Self>, to: HardwareEventSender, mut from: HardwareCommandReceiver) -> Result<(), Infallible> {
        tokio::spawn(async move { while let Ok(it) = from.recv().await { execute_hardware_command(self.evses(), it, &to).await } });
        Ok(())
    }
}

type Runtime = ChargePointRuntime<Station>;
async fn tell(runtime: &Runtime, event: ConnectorEvent) {
    let event = EvseEvent::Connector { connector_id: 0, event };
    runtime.send(ChargePointEvent::Evse { evse_id: 0, event }).await.expect("the station's actor runs on");
}

async fn read_meter(runtime: &Runtime, socket: &Socket) {
    let sample = MeterSample { energy_wh: socket.1.load(SeqCst) / 3_600, power_w: Some(POWER_W), ..Default::default() };
    tell(runtime, ConnectorEvent::MeterValueSampled(sample)).await;
}

/// The seconds between readings that the CSMS asked for, 0 for none: the crate leaves the rate to the hardware.
fn sample_interval(runtime: &Runtime) -> Option<u64> {
    let component = Component { name: "SampledDataCtrlr".into(), instance: None, evse: None };
    let variable = Variable { name: "TxUpdatedInterval".into(), instance: None };
    let state = runtime.state();
    state.device_model.get(&component, &variable)?.attribute(VariableAttributeType::Actual)?.value.parse().ok()
}

async fn perform(runtime: &Runtime, socket: &Socket, verb: &str, args: &Value) -> &'static str {
    let card = IdToken { value: args["token"].as_str().unwrap_or("").into(), kind: IdTokenKind::ISO14443 };
    let owner = runtime.state().evses[0].transactions[0].clone().and_then(|transaction| transaction.id_token);
    let own_card = owner.is_some_and(|owner| owner.value.eq_ignore_ascii_case(&card.value));
    let stops = verb == "user.stop" || verb == "token.present" && own_card;
    if stops || verb == "ev.unplug" && socket.0.load(SeqCst) {
        read_meter(runtime, socket).await;
        let reason = if stops { StopReason::Local } else { StopReason::EVDisconnected };
        tell(runtime, ConnectorEvent::ChargingStopped(reason)).await;
    }
    let event = match verb {
        _ if stops => return "done",
        "token.present" => ConnectorEvent::IdTokenPresented(card),
        "ev.plug" => ConnectorEvent::CableConnected,
        // Where the station has let go of the cable, a driver takes it out at the socket.
        "ev.unplug" | "ev.unplug_at_evse" => {
            // The cable can leave the socket when contactor and lock have opened, which takes a moment.
            tokio::time::sleep(Duration::from_millis(500)).await;
            ConnectorEvent::CableDisconnected
        }
        "ev.suspend" => ConnectorEvent::ChargingSuspendedByEv,
        "ev.resume" => ConnectorEvent::ChargingResumed,
        "fault.inject" => ConnectorEvent::FaultDetected,
        "fault.clear" => ConnectorEvent::FaultCleared,
        _ => return "unsupported",
    };
    tell(runtime, event).await;
    "done"
}

async fn control(station: Station, booted: Arc<OnceLock<Runtime>>) {
    let (lines, mut asked) = tokio::sync::mpsc::channel::<String>(16);
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|l| lines.blocking_send(l)));
    while let Some(line) = asked.recv().await {
        let request: Value = serde_json::from_str(&line).expect("a request is JSON");
        let outcome = match (booted.get(), request["verb"].as_str().unwrap_or("")) {
            (_, "station.power_cycle") => "done",
            (Some(runtime), verb) => perform(runtime, &station.0[0].0[0], verb, &request["args"]).await,
            (None, _) => "failed",
        };
        println!("{}", json!({"id": request["id"], "outcome": outcome}));
        if request["verb"] == "station.power_cycle" {
            reboot();
        }
    }
    std::process::exit(0);
}

#[tokio::main]
async fn main() {
    let url = std::env::args().skip_while(|arg| arg != "--url").nth(1).expect("usage: --url ws://HOST:PORT/IDENTITY");
    let (station, booted) = (Station(Arc::new([Post([Socket::default()])])), Arc::new(OnceLock::new()));
    tokio::spawn(control(station.clone(), booted.clone()));
    let versions = Some(&[OcppVersion::V1_6][..]);
    let runtime = loop {
        let dialled = connect_and_setup(station.clone(), &url, versions, None, None, TokioExecutor, TokioBackoff);
        if let Ok(runtime) = dialled.await {
            break booted.get_or_init(|| runtime);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    for second in 1u64.. {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let socket = &station.0[0].0[0];
        socket.1.fetch_add(if socket.0.load(SeqCst) { POWER_W } else { 0 }, SeqCst);
        if socket.0.load(SeqCst) && sample_interval(runtime).is_some_and(|every| every > 0 && second % every == 0) {
            read_meter(runtime, socket).await;
        }
    }
}
