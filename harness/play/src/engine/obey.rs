//! What the story wants done: its commands, carried out in their order.

use std::io::Write;
use std::time::Duration;

use plugfest_case::ir::{Link, WelcomeForm};
use plugfest_judge::Command;
use plugfest_protocol::{Frame, Json, Object, Part};
use plugfest_trace::{Cause, What};

use super::say::Outgoing;
use super::{EngineError, Game};
use crate::driver::DriverCall;
use crate::files::{Fetch, Files};
use crate::lines::{Dialling, Gate};
use crate::player::{Reply, reply};

/// A side of a self-play waits no longer for the other at a stage.
const STAGE_PATIENCE: Duration = Duration::from_mins(15);
/// In self-play what a side does comes this much after the moment that both sides reach at once, so that the other
/// side, whose deadline is the same moment, is past it.
const AFTER_YOU: Duration = Duration::from_millis(1);

impl<W: Write> Game<'_, W> {
    pub(super) async fn carry_out(&mut self, commands: Vec<Command>) -> Result<(), EngineError> {
        for command in commands {
            Box::pin(self.command(command)).await?;
        }
        Ok(())
    }

    pub(super) async fn command(&mut self, command: Command) -> Result<(), EngineError> {
        let now = self.on.clock.now();
        match command {
            Command::Call { action, overlay, .. } => {
                self.after_you().await;
                let now = self.on.clock.now();
                let model = self.on.player.call(&action, now);
                let payload = self.filled(overlay.over(model), &overlay.holes, &action, Part::Request);
                self.enqueue(Outgoing::Call {
                    action,
                    payload,
                    cause: Cause::Story,
                });
                self.pump().await?;
            }
            Command::Answer {
                conn,
                id,
                action,
                overlay,
            } => {
                let request = self
                    .requests
                    .remove(&(conn, id.clone()))
                    .map_or(Json::Null, |(_, p)| p);
                let model = self.on.player.answer(&action, &request, now);
                let payload = self.filled(overlay.over(model), &overlay.holes, &action, Part::Response);
                self.on.player.gave(&action, &request, &payload);
                self.send(conn, &Frame::CallResult { id, payload }, Cause::Story)
                    .await?;
            }
            Command::AnswerError {
                conn,
                id,
                action,
                code,
            } => {
                self.requests.remove(&(conn, id.clone()));
                let description = format!("{action} is answered so on purpose");
                let details = Json::Object(Object::new());
                let frame = Frame::CallError {
                    id,
                    code,
                    description,
                    details,
                };
                self.send(conn, &frame, Cause::Story).await?;
            }
            Command::Silence { conn, id } => {
                self.requests.remove(&(conn, id));
            }
            Command::Ordinary { conn, id, action } => {
                let Some((_, request)) = self.requests.remove(&(conn, id.clone())) else {
                    return Ok(());
                };
                let frame = match reply(self.on.player, self.edition, self.ours, &action, &request, now) {
                    Reply::Result(payload) => {
                        self.on.player.gave(&action, &request, &payload);
                        Frame::CallResult { id, payload }
                    }
                    Reply::Error { code, description } => {
                        let details = Json::Object(Object::new());
                        Frame::CallError {
                            id,
                            code,
                            description,
                            details,
                        }
                    }
                };
                self.send(conn, &frame, Cause::Ordinary).await?;
            }
            Command::Ask { call, verb, args } => self.ask(call, verb, args).await?,
            Command::Link(link) => self.link(link).await?,
            Command::Gate(form) => self.on.lines.set_gate(Some(gate_of(&form))),
            Command::Dial(properties) => {
                let subprotocols = properties
                    .get("subprotocols")
                    .and_then(Json::as_array)
                    .map(|list| {
                        list.iter()
                            .filter_map(|s| s.as_str().map(str::to_owned))
                            .collect::<Vec<_>>()
                    });
                let text = |name: &str| properties.get(name).and_then(Json::as_str).map(str::to_owned);
                self.redial = None;
                self.on.lines.drop_all();
                self.as_whom = (text("identity"), text("password"));
                let again = self.again();
                self.on.lines.dial(Dialling {
                    subprotocols,
                    // The security profiles from 2 on travel over TLS.
                    secure: properties
                        .get("security")
                        .and_then(Json::as_i64)
                        .is_some_and(|p| p >= 2),
                    ..again
                });
            }
            Command::Meet(meeting) => {
                if let Files::Served(server) = &mut self.on.files {
                    server.meet(&meeting);
                }
            }
            Command::Transfer { upload, url } => self.transfer(upload, url).await?,
            Command::Raw(bytes) => {
                self.after_you().await;
                self.enqueue(Outgoing::Raw(bytes));
                self.pump().await?;
            }
            Command::SetModel { key, value } => self.on.player.configure(&key, &value),
            Command::Stage(name) => self.stage(name).await?,
            // The other harness of a self-play judges the station's heartbeats: the probe would be one too many. This
            // side stays to answer the other's probe until its own patience ends.
            Command::Probe if self.on.meeting.is_some() && self.ours == "station" => {}
            Command::Probe => {
                let (action, payload) = self.dialect.probe(&self.dut);
                self.enqueue(Outgoing::Call {
                    action: action.to_owned(),
                    payload,
                    cause: Cause::Probe,
                });
            }
            Command::Done => self.done = true,
        }
        Ok(())
    }

    /// Brings or fetches a file.
    pub(super) async fn transfer(&mut self, upload: bool, url: String) -> Result<(), EngineError> {
        self.after_you().await;
        self.transfers += 1;
        let number = self.transfers;
        self.fact(Fetch::begins(number, upload, &url)).await?;
        let Files::Made(fetch) = &self.on.files else {
            let reason = "no file is transferred in this run".to_owned();
            return self.fact(Fetch::nothing(number, reason)).await;
        };
        let (fetch, finished) = (fetch.clone(), self.finished.clone());
        tokio::spawn(async move {
            let over = fetch.make(number, upload, url).await;
            // Nobody listens any more when the case is over.
            drop(finished.send(over));
        });
        Ok(())
    }

    pub(super) async fn after_you(&self) {
        if self.on.meeting.is_some() {
            self.on.clock.until(self.on.clock.now() + AFTER_YOU).await;
        }
    }

    /// Lets the next stage begin; in self-play when both sides are there.
    pub(super) async fn stage(&mut self, name: &'static str) -> Result<(), EngineError> {
        let Some(meeting) = self.on.meeting.clone() else {
            return self
                .fact(What::Stage {
                    name: name.to_owned(),
                })
                .await;
        };
        let finished = self.finished.clone();
        tokio::spawn(async move {
            // The other side may have failed and gone: then nobody is waited for.
            drop(tokio::time::timeout(STAGE_PATIENCE, meeting.wait()).await);
            drop(finished.send(What::Stage {
                name: name.to_owned(),
            }));
        });
        Ok(())
    }

    pub(super) async fn ask(&mut self, call: u32, verb: String, args: Json) -> Result<(), EngineError> {
        self.fact(What::Asked {
            call,
            verb: verb.clone(),
            args: args.clone(),
        })
        .await?;
        let owner = plugfest_case::verbs::find(&verb).and_then(plugfest_case::verbs::VerbSpec::role);
        if owner.is_some_and(|owner| owner != self.dut) {
            self.after_you().await;
            let outcome = self.on.player.perform(&verb, &args);
            if plugfest_case::verbs::may_disconnect(&verb) && self.on.lines.dials() {
                self.restart(&verb);
            }
            return self.fact(What::Performed { call, outcome }).await;
        }
        let (driver, finished) = (self.on.driver.clone(), self.finished.clone());
        tokio::spawn(async move {
            let outcome = driver.call(&DriverCall::new(verb, args)).await;
            // Nobody listens any more when the case is over.
            drop(finished.send(What::Performed { call, outcome }));
        });
        Ok(())
    }

    /// The played station is switched off and on, or loses its network.
    pub(super) fn restart(&mut self, verb: &str) {
        if verb == "station.stop" {
            // What it still says with power in reserve goes out first; the line is cut when it starts again.
            return;
        }
        self.on.lines.drop_all();
        self.redial = None;
        match verb {
            "net.down" => self.on.lines.refuse(true),
            _ => {
                self.on.lines.refuse(false);
                self.on.player.restarted();
                self.on.lines.dial(self.again());
            }
        }
    }

    pub(super) async fn link(&mut self, link: Link) -> Result<(), EngineError> {
        let op = match link {
            Link::Drop => {
                self.on.lines.drop_all();
                "drop".to_owned()
            }
            Link::Close(code) => {
                self.on.lines.close_all(code).await;
                format!("close {code}")
            }
            Link::Refuse => {
                self.redial = None;
                self.on.lines.refuse(true);
                "refuse".to_owned()
            }
            Link::Accept => {
                self.on.lines.refuse(false);
                if self.on.lines.dials() && self.on.lines.newest().is_none() {
                    self.on.lines.dial(self.again());
                }
                "accept".to_owned()
            }
        };
        self.fact(What::Link { op }).await
    }
}

fn gate_of(form: &WelcomeForm) -> Gate {
    match form {
        WelcomeForm::RefuseTcp | WelcomeForm::RefuseTls(_) => Gate::Tcp,
        WelcomeForm::RefuseHttp(code) => {
            let code = match &code.kind {
                plugfest_case::ir::ExprKind::Number(text) => text.parse().unwrap_or(403),
                _ => 403,
            };
            Gate::Http(code)
        }
        WelcomeForm::Accept(pattern) => {
            let subprotocol = pattern.fields.iter().find(|f| f.name.text == "subprotocol");
            Gate::Accept(subprotocol.and_then(|f| match &f.pattern {
                plugfest_case::ir::Pattern::Value(plugfest_case::ir::Expr {
                    kind: plugfest_case::ir::ExprKind::Text(text),
                    ..
                }) => Some(text.clone()),
                _ => None,
            }))
        }
    }
}
