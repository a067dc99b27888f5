//! The shell around the controller: waits for hands, for the line and for time, and passes on what comes.

use plugfest_protocol::{Json, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::config::{Config, ConfigError};
use super::config_keys::{Change, Settings};
use super::device::Device;
use super::hands::Command;
use super::line::{LineEvent, opening_request};
use super::transfer::Transferred;
use crate::outcome::Outcome;
use crate::stream::{Dial, Route};

/// The most connectors that a station may have.
const MOST_CONNECTORS: u32 = 64;

/// A station, ready to be run.
pub struct Station {
    device: Device,
    commands: mpsc::Receiver<Command>,
}

/// The hands at a station. Clones act on the same one.
#[derive(Clone)]
pub struct Controls {
    commands: mpsc::Sender<Command>,
}

enum Event {
    Command(Option<Command>),
    Line(LineEvent),
    Transfer(Transferred),
    Time,
}

impl Station {
    /// Builds a station that reaches its CSMS through `dial`. It is switched on when it is first polled, and it
    /// takes its clock from the runtime: call this inside one.
    pub fn new(config: Config, dial: impl Dial) -> Result<(Self, Controls), ConfigError> {
        let settings = prepare(&config)?;
        let (sender, commands) = mpsc::channel(16);
        let device = Device::new(config, settings, Box::new(dial));
        Ok((Self { device, commands }, Controls { commands: sender }))
    }

    /// The station transfers files over what `route` opens. Without one, it reaches no file server.
    #[must_use]
    pub fn transferring(mut self, route: impl Route) -> Self {
        self.device.route = Box::new(route);
        self
    }

    /// Runs the station until the last of its [`Controls`] is gone, then hangs up.
    pub async fn run(mut self) {
        loop {
            self.device.advance();
            let deadline = self.device.deadline();
            match self.wait(deadline).await {
                Event::Command(None) => return,
                Event::Command(Some(command)) => {
                    self.device.now = self.device.clock.now();
                    self.device.act(command);
                }
                Event::Line(event) => {
                    self.device.now = self.device.clock.now();
                    self.device.line_event(event);
                }
                Event::Transfer(ended) => {
                    self.device.now = self.device.clock.now();
                    self.device.transferred(ended);
                }
                Event::Time => {}
            }
        }
    }

    async fn wait(&mut self, deadline: Timestamp) -> Event {
        let clock = self.device.clock;
        let Device { line, transfers, .. } = &mut self.device;
        tokio::select! {
            biased;
            command = self.commands.recv() => Event::Command(command),
            event = line.next() => Event::Line(event),
            ended = transfers.next() => Event::Transfer(ended),
            () = clock.until(deadline) => Event::Time,
        }
    }
}

impl Controls {
    /// Asks hands for an action of the driver's contract. It comes back when the physical action has been done;
    /// the messages that it causes may still be on their way.
    ///
    /// Connectors are given as `connector`, 1 where it is absent (for `token.present`: whichever is meant by
    /// the situation); the token as `token` or `idTag`.
    pub async fn perform(&self, verb: &str, args: &Json) -> Outcome {
        let (done, outcome) = oneshot::channel();
        let command = Command {
            verb: verb.to_owned(),
            args: args.clone(),
            done,
        };
        if self.commands.send(command).await.is_err() {
            return Outcome::failed("the station is gone");
        }
        outcome
            .await
            .unwrap_or_else(|_| Outcome::failed("the station did not finish the action"))
    }
}

fn prepare(config: &Config) -> Result<Settings, ConfigError> {
    let connectors = config.makeup.connectors;
    if !(1..=MOST_CONNECTORS).contains(&connectors) {
        return Err(ConfigError::Connectors(connectors));
    }
    if !matches!(config.makeup.phases, 1 | 3) {
        return Err(ConfigError::Phases(config.makeup.phases));
    }
    if config.identity.is_empty() {
        return Err(ConfigError::EmptyIdentity);
    }
    if opening_request(config, config.password.as_deref()).is_none() {
        return Err(ConfigError::Url {
            host: config.host.clone(),
            path: config.path.clone(),
        });
    }
    let mut settings = Settings::factory(&config.makeup).with_defect(config.defect);
    for (key, value) in &config.settings {
        if settings.change(key, value) != Change::Accepted {
            return Err(ConfigError::Setting {
                key: key.clone(),
                value: value.clone(),
            });
        }
    }
    Ok(settings)
}
