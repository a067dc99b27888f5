//! What only hands can do to a station: the verbs of the driver.

use plugfest_protocol::Json;
use tokio::sync::oneshot;

use super::config_keys::Settings;
use super::connector::Trouble;
use super::device::Device;
use super::line::Line;
use super::meter::WATTS;
use super::power::Power;
use super::session::Reason;
use crate::outcome::{Args, Outcome};

/// One action that is asked for, and who waits for it.
pub(super) struct Command {
    pub(super) verb: String,
    pub(super) args: Json,
    pub(super) done: oneshot::Sender<Outcome>,
}

/// Conditions that leave the connector usable (§4.9, §7.6).
const WARNINGS: [&str; 3] = ["EVCommunicationError", "LocalListConflict", "WeakSignal"];

impl Device {
    /// Does what hands are asked for. Some actions take their time: their outcome comes later.
    pub(super) fn act(&mut self, command: Command) {
        let Command { verb, args, done } = command;
        let args = Args(&args);
        match verb.as_str() {
            "station.power_cycle" => {
                self.cut_power(Some(self.config.timing.power_off));
                if let Power::Off { back_at: None } = self.power {
                    self.switch_on();
                }
                self.waiting = Some((false, done));
            }
            "station.stop" => {
                self.cut_power(None);
                self.waiting = Some((true, done));
            }
            _ => {
                let outcome = self
                    .act_at_once(&verb, args)
                    .unwrap_or_else(|complaint| complaint);
                // Who asked may have gone meanwhile.
                let _gone = done.send(outcome);
            }
        }
    }

    fn act_at_once(&mut self, verb: &str, args: Args<'_>) -> Result<Outcome, Outcome> {
        let fixed = self.config.makeup.fixed_cable;
        match verb {
            "station.start" => self.switch_on(),
            "station.factory_reset" => self.factory_reset(),
            "station.set_password" => {
                self.store.password = Some(args.required(&["password"])?.as_bytes().to_vec());
            }
            "ev.plug" => {
                let ready = args.flag("ready")?.unwrap_or(true);
                let number = self.connector(args)?;
                self.at(number).ready = ready;
                self.plug(number, false);
            }
            "ev.plug_half" if !fixed => {
                let number = self.connector(args)?;
                self.plug(number, true);
            }
            "ev.unplug" => {
                let number = self.connector(args)?;
                self.unplug(number);
            }
            "ev.unplug_at_evse" => {
                let number = self.connector(args)?;
                return Ok(self.unplug_at_evse(number));
            }
            "ev.ready" | "ev.resume" => self.vehicle_wants(args, true)?,
            "ev.suspend" => self.vehicle_wants(args, false)?,
            "ev.draw" => {
                let number = self.connector(args)?;
                let most = WATTS * u64::from(self.config.makeup.phases);
                let watts = args.whole(&["watts", "power"])?.unwrap_or(most as i64);
                self.at(number).draw = u64::try_from(watts).map_or(0, |watts| watts.min(most));
                self.refresh(number);
            }
            "token.present" => {
                let tag = args.required(&["token", "idTag", "id"])?;
                let connector = match args.whole(&["connector", "connectorId"])? {
                    Some(_) => Some(self.connector(args)?),
                    None => None,
                };
                return Ok(self.present(connector, tag));
            }
            "user.stop" => {
                let number = self.connector(args)?;
                if !self.runs(number) {
                    return Err(Outcome::failed(format!("nothing runs at connector {number}")));
                }
                self.stop(number, Reason::Local, None);
            }
            "lock.fail" | "lock.clear" => {
                let number = self.connector(args)?;
                return Ok(self.lock(number, verb == "lock.fail"));
            }
            "fault.inject" => self.inject(args)?,
            "fault.clear" => self.clear_fault(args)?,
            "net.down" => {
                self.unplugged = true;
                self.hang_up(None);
            }
            "net.up" => {
                self.unplugged = false;
                if let (true, Line::Down { dial_at }) = (self.powered(), &mut self.line) {
                    *dial_at = Some(self.now);
                }
            }
            "meter.read" => {
                let number = self.connector(args)?;
                let now = self.now;
                let meter = &mut self.at(number).meter;
                meter.count(now);
                // As a person would read it off the display.
                return Ok(Outcome::Returned(Json::from(meter.watt_hours() as i64)));
            }
            _ => return Ok(Outcome::Unsupported),
        }
        Ok(Outcome::Done)
    }

    /// The connector that is meant; the first where none is named.
    fn connector(&self, args: Args<'_>) -> Result<usize, Outcome> {
        let asked = args.whole(&["connector", "connectorId"])?.unwrap_or(1);
        self.known_number(asked).ok_or_else(|| {
            Outcome::failed(format!(
                "there is no connector {asked}, the last is {}",
                self.connectors.len()
            ))
        })
    }

    fn vehicle_wants(&mut self, args: Args<'_>, ready: bool) -> Result<(), Outcome> {
        let number = self.connector(args)?;
        self.at(number).ready = ready;
        self.refresh(number);
        Ok(())
    }

    /// The station (0) or a connector, for a fault.
    fn point(&self, args: Args<'_>) -> Result<usize, Outcome> {
        match args.whole(&["connector", "connectorId"])? {
            Some(0) => Ok(0),
            _ => self.connector(args),
        }
    }

    fn inject(&mut self, args: Args<'_>) -> Result<(), Outcome> {
        let code = args
            .text(&["code", "error", "errorCode"])?
            .unwrap_or("InternalError");
        let known = self
            .edition
            .enums()
            .any(|known| known.name == "ChargePointErrorCode" && known.contains(code));
        if !known || code == "NoError" {
            return Err(Outcome::failed(format!("'{code}' is no error of a charge point")));
        }
        let number = self.point(args)?;
        let trouble = Some(Trouble {
            code: code.to_owned(),
            warning: WARNINGS.contains(&code),
        });
        match number {
            0 => self.trouble = trouble,
            _ => self.at(number).trouble = trouble,
        }
        self.refresh(number);
        Ok(())
    }

    fn clear_fault(&mut self, args: Args<'_>) -> Result<(), Outcome> {
        let number = self.point(args)?;
        if number == 0 {
            self.trouble = None;
            self.refresh(0);
        } else {
            self.at(number).trouble = None;
            self.mended(number);
        }
        Ok(())
    }

    /// Everything learnt is forgotten, then the station restarts. Meters and message ids go on.
    fn factory_reset(&mut self) {
        if self.powered() {
            self.restart();
        }
        let store = &mut self.store;
        store.settings = Settings::factory(&self.config.makeup);
        store.operative.fill(true);
        store.scheduled.fill(false);
        store.queue = super::queue::Queue::default();
        store.cache.clear();
        store.list = super::authorize::LocalList::default();
        store.reservations.clear();
        store.profiles.clear();
        store.update = None;
        store.accepted_before = false;
        store.password.clone_from(&self.config.password);
    }
}
