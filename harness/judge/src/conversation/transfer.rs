//! File transfers: a station fetches a file from our server or brings one, and a line says how it is met.
//!
//! They travel on connections of their own, so their place among the messages is free. A transfer that breaks off
//! leaves its line open: the station may try again until the line's time is over.

use plugfest_case::ir::{TRANSFERS, WelcomeForm};
use plugfest_protocol::{Json, Object, Timestamp};

use super::Command;
use super::claim::{Message, Pass};
use super::context::Cx;
use super::pattern::Bound;
use super::tree::{Item, Node, Sending, Seq, inner};
use super::value::ValueError;

/// How the file server meets a transfer that a line has taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Meeting {
    /// Number of the transfer.
    pub transfer: u32,
    /// What the line says; `None` leaves it to the location.
    pub how: Option<Reception>,
}

/// What a line says of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    /// It is let through.
    Accept,
    /// It is refused with this status; without one the connection is cut.
    Refuse(Option<u16>),
}

/// What the DUT asks our file server for, as lines see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) transfer: u32,
    /// `Upload` or `Download`.
    pub(super) action: &'static str,
    /// `to` or `from`.
    pub(super) properties: Json,
}

impl Asked {
    /// `None` for a request that is neither an upload nor a download.
    pub(super) fn of(transfer: u32, op: &str, url: &str) -> Option<Self> {
        let (action, side) = match op {
            "upload" => (TRANSFERS[0], "to"),
            "download" => (TRANSFERS[1], "from"),
            _ => return None,
        };
        let mut properties = Object::new();
        properties.insert(side, url);
        Some(Self {
            transfer,
            action,
            properties: Json::Object(properties),
        })
    }
}

impl Item {
    /// Offers a transfer to this line; true if it took it.
    pub(super) fn offer_transfer(
        &mut self,
        asked: &Asked,
        pass: Pass,
        clock: Option<Timestamp>,
        cx: &mut Cx,
    ) -> bool {
        let Node::ExpectTransfer(expect) = &self.node else {
            return false;
        };
        if expect.call.action.text != asked.action || expect.taken.is_some() || pass == Pass::Later {
            return false;
        }
        let call = expect.call.clone();
        let mut bound = Bound::new();
        let fits = super::fit::picked(&call, cx);
        let fits = [&fits, &call.payload].into_iter().try_for_each(|pattern| {
            cx.values
                .match_object(pattern, &asked.properties, None, self.frame, "", &mut bound)
        });
        let lenient = pass == Pass::Fit || self.stmt.mods.eventually;
        match fits {
            Err(_) if lenient => return false,
            Err(mismatch) => {
                let finding = self.mismatch(mismatch, None, asked.action, cx);
                cx.fail(finding);
            }
            Ok(()) => self.bind(bound, cx),
        }
        let until = self.latest(asked.action, clock, cx);
        cx.line_met_in_time(self, false, clock, until);
        let Node::ExpectTransfer(expect) = &mut self.node else {
            return false;
        };
        expect.taken = Some(asked.transfer);
        let how = expect.welcome.as_ref().map(|w| reception(&w.how, self.frame, cx));
        let refused = matches!(how, Some(Reception::Refuse(_)));
        cx.commands.push(Command::Meet(Meeting {
            transfer: asked.transfer,
            how,
        }));
        if refused {
            self.finish(cx.now());
        }
        true
    }

    /// A transfer of this line is over; true if it was one of this line's.
    pub(super) fn transferred(&mut self, transfer: u32, whole: bool, cx: &Cx) -> bool {
        let now = cx.now();
        match &mut self.node {
            Node::ExpectTransfer(expect) if expect.taken == Some(transfer) => {
                let accepted = matches!(
                    expect.welcome.as_ref().map(|w| &w.how),
                    Some(WelcomeForm::Accept(_))
                );
                if whole || !accepted {
                    self.finish(now);
                } else {
                    // It broke off: whoever tries again in time has done what was asked.
                    expect.taken = None;
                }
                true
            }
            Node::Transfer(own) if own.number == Some(transfer) => {
                // How a peer met a transfer of ours is nothing that a line of ours could fail at.
                self.finish(now);
                true
            }
            node => inner(node)
                .into_iter()
                .any(|seq| seq.transferred(transfer, whole, cx)),
        }
    }

    /// A transfer of ours began; true if this line asked for it.
    pub(super) fn transferring(&mut self, transfer: u32) -> bool {
        match &mut self.node {
            Node::Transfer(own) if own.sending == Sending::Commanded && own.number.is_none() => {
                own.number = Some(transfer);
                true
            }
            node => inner(node).into_iter().any(|seq| seq.transferring(transfer)),
        }
    }

    /// Begins a transfer of ours.
    pub(super) fn transfer(&mut self, cx: &mut Cx) -> Result<(), ValueError> {
        let Node::Transfer(own) = &mut self.node else {
            return Ok(());
        };
        let mut pattern = own.call.payload.clone();
        if let Some(picks) = &own.call.picks {
            pattern.fields.extend(picks.fields.iter().cloned());
        }
        let overlay = cx.values.build(&pattern, self.frame)?;
        let upload = own.call.action.text == TRANSFERS[0];
        let url = overlay.values.get(if upload { "to" } else { "from" });
        cx.commands.push(Command::Transfer {
            upload,
            url: url.and_then(Json::as_str).unwrap_or_default().to_owned(),
        });
        own.sending = Sending::Commanded;
        Ok(())
    }
}

impl Seq {
    /// A transfer is over.
    pub(super) fn transferred(&mut self, transfer: u32, whole: bool, cx: &Cx) -> bool {
        (self.phase..self.next)
            .any(|i| self.items[i].open() && self.items[i].transferred(transfer, whole, cx))
    }

    /// A transfer of ours began.
    pub(super) fn transferring(&mut self, transfer: u32) -> bool {
        (self.phase..self.next).any(|i| self.items[i].open() && self.items[i].transferring(transfer))
    }

    /// Offers a transfer of the DUT to the open lines.
    pub(super) fn offer_all(&mut self, asked: &Asked, cx: &mut Cx) -> bool {
        [Pass::Fit, Pass::Pick]
            .into_iter()
            .any(|pass| self.offer(Message::Transfer(asked), pass, cx))
    }
}

fn reception(how: &WelcomeForm, frame: super::scope::FrameId, cx: &Cx) -> Reception {
    match how {
        WelcomeForm::Accept(_) => Reception::Accept,
        WelcomeForm::RefuseTcp | WelcomeForm::RefuseTls(_) => Reception::Refuse(None),
        WelcomeForm::RefuseHttp(code) => {
            let code = cx.values.evaluate(code, frame).ok().and_then(|c| c.as_i64());
            Reception::Refuse(code.and_then(|c| u16::try_from(c).ok()).or(Some(403)))
        }
    }
}
