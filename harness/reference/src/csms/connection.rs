//! One station's connection: its CALLs are answered, the operator's go out one at a time.

use std::collections::VecDeque;

use plugfest_protocol::{Edition, Fault, Frame, Json, Role, Timestamp, ViolationClass, object, read_frame};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::requests::Fail;
use super::server::Csms;
use crate::defect::Defect;
use crate::link::{Heard, Link, Say};
use crate::outcome::Outcome;
use crate::rpc::{Answered, Received, Refusal, Seen, receive};
use crate::tap::Tap;

/// How many of the operator's CALLs wait for one station.
pub(super) const MOST_ORDERS: usize = 64;

/// A CALL that the operator wants to be sent.
pub(super) struct Order {
    pub(super) action: String,
    pub(super) payload: Json,
    /// Told when it has been sent, or has been noted down to be sent.
    pub(super) sent: oneshot::Sender<Outcome>,
}

impl Order {
    /// It waits for its turn, which may take as long as a time-out: the operator does not stand by.
    fn noted(&mut self) {
        let (later, _nobody) = oneshot::channel();
        let sent = std::mem::replace(&mut self.sent, later);
        // Who asked may have gone meanwhile.
        let _gone = sent.send(Outcome::Done);
    }

    /// One that the office gives itself, as one with a defect does.
    fn of_itself(action: &str, payload: Json) -> Self {
        let (sent, _nobody) = oneshot::channel();
        Self {
            action: action.to_owned(),
            payload,
            sent,
        }
    }
}

/// The outstanding CALL.
struct InFlight {
    id: String,
    action: String,
    payload: Json,
    deadline: Timestamp,
}

/// A connection that has been accepted.
pub(super) struct Connection<'a> {
    csms: &'a Csms,
    identity: String,
    link: Link,
    orders: mpsc::Receiver<Order>,
    waiting: VecDeque<Order>,
    in_flight: Option<InFlight>,
    answered: Answered,
    tap: Tap,
    /// Nothing is read any more, as at an office with a defect.
    deaf: bool,
    /// The word of a time-out is still on its way, and meets the next CALL, as at an office with a defect.
    belated: bool,
    /// What waits until the own CALL has been answered, as at an office with a defect.
    unread: Vec<String>,
}

impl<'a> Connection<'a> {
    pub(super) fn new(csms: &'a Csms, identity: String, link: Link, orders: mpsc::Receiver<Order>) -> Self {
        let (waiting, in_flight, answered) = (VecDeque::new(), None, Answered::default());
        Self {
            csms,
            identity,
            link,
            orders,
            waiting,
            in_flight,
            answered,
            tap: csms.tap(),
            deaf: false,
            belated: false,
            unread: Vec::new(),
        }
    }

    /// Serves it until it is over.
    pub(super) async fn serve(mut self) {
        while self.step().await {}
        for order in self.waiting.drain(..) {
            // Who asked may have gone meanwhile.
            let _gone = order.sent.send(Outcome::failed(
                "the station hung up before the message could be sent",
            ));
        }
    }

    /// One thing that happens. False when it is over.
    async fn step(&mut self) -> bool {
        if !self.send_next() {
            return false;
        }
        let deadline = self.in_flight.as_ref().map(|call| call.deadline);
        let held = self.tap.due();
        tokio::select! {
            biased;
            order = self.orders.recv(), if self.waiting.len() < MOST_ORDERS => match order {
                Some(mut order) => {
                    if self.in_flight.is_some() {
                        order.noted();
                    }
                    self.waiting.push_back(order);
                }
                // Another connection of the same identity has taken over: this one ends in good order.
                None => return self.say_goodbye().await,
            },
            heard = self.link.hear() => match heard {
                Some(Heard::Text(text)) => {
                    self.tap.heard(&text);
                    return self.heard(&text);
                }
                Some(Heard::Pong | Heard::Garbled) => {}
                None => return false,
            },
            () = self.csms.until(held) => {
                let texts = self.tap.release(self.csms.now());
                return texts.into_iter().all(|text| self.link.say(Say::Text(text)));
            }
            () = self.csms.until(deadline) => {
                if self.csms.has(Defect::CsmsStallAfterTimeout) {
                    // The place of the CALL is never given free.
                    if let Some(call) = &mut self.in_flight {
                        call.deadline = Timestamp::from_secs(i64::from(u32::MAX));
                    }
                    return true;
                }
                self.csms.office().times_out();
                self.belated = self.csms.has(Defect::CsmsTimeoutMisattributed);
                self.finish(&object! { "error": "TimedOut" });
            }
        }
        true
    }

    async fn say_goodbye(&mut self) -> bool {
        if self.link.say(Say::Close(CloseCode::Normal)) {
            while self.link.hear().await.is_some() {}
        }
        false
    }

    /// Sends the operator's next CALL, where the one before it has ended (J §4.1.1).
    fn send_next(&mut self) -> bool {
        if self.in_flight.is_some() {
            return true;
        }
        let Some(Order {
            action,
            payload,
            sent,
        }) = self.waiting.pop_front()
        else {
            return true;
        };
        let id = self.csms.message_id();
        let text = Frame::Call {
            id: id.clone(),
            action: action.clone(),
            payload: payload.clone(),
        }
        .to_text();
        let deadline = self.csms.now().plus(self.csms.message_timeout());
        self.in_flight = Some(InFlight {
            id,
            action,
            payload,
            deadline,
        });
        let said = self.say(text);
        let outcome = if said {
            Outcome::Done
        } else {
            Outcome::failed("the station does not read")
        };
        // Who asked may have gone meanwhile.
        let _gone = sent.send(outcome);
        if std::mem::take(&mut self.belated) {
            self.finish(&object! { "error": "TimedOut" });
        }
        said
    }

    /// Puts a text on the line, as it comes through the tap.
    fn say(&mut self, text: String) -> bool {
        let texts = self.tap.outgoing(text, self.csms.now());
        texts.into_iter().all(|text| self.link.say(Say::Text(text)))
    }

    fn heard(&mut self, text: &str) -> bool {
        if self.csms.has(Defect::CsmsEmptyFrameError) && text.trim().is_empty() {
            self.deaf = true;
        }
        if self.deaf || self.csms.office().is_dead() {
            return true;
        }
        if self.csms.has(Defect::CsmsBlocksInboundWhileCalling)
            && self.in_flight.is_some()
            && text.starts_with("[2")
        {
            self.unread.push(text.to_owned());
            return true;
        }
        match receive(Edition::ocpp16(), Role::CSMS, text) {
            // The list of units has one spelling of this one.
            Received::Call { id, .. }
                if self.csms.has(Defect::LibCelsiusSingle) && text.contains("\"Celcius\"") =>
            {
                let fault = Fault::Violation(ViolationClass::EnumLiteral);
                let refusal = Refusal::new(Edition::ocpp16(), &id, fault, "an unknown unit".to_owned());
                self.say(refusal.to_text())
            }
            Received::Call { id, action, payload } => {
                let answer = self.answer(text, &id, &action, &payload);
                self.reply(answer)
            }
            Received::Refused(refusal) => match self.tolerated(text, &refusal) {
                Some((id, action, payload)) => {
                    let answer = self.answer(text, &id, &action, &payload);
                    self.reply(answer)
                }
                None => self.say(refusal.to_text()),
            },
            Received::Result { id, payload }
                if self.csms.has(Defect::CsmsMultipleofFloat) && !steps(&payload) =>
            {
                self.ended(&id, &object! { "error": "PropertyConstraintViolation" })
            }
            Received::Result { id, payload } => self.ended(&id, &object! { "payload": payload }),
            Received::Error { id, code } => self.ended(&id, &object! { "error": code }),
            Received::Ignored => true,
        }
    }

    /// Says an answer, where there is one.
    fn reply(&mut self, answer: String) -> bool {
        if self.csms.office().is_dead() {
            return true;
        }
        if self.csms.has(Defect::CsmsUnknownStationSilent) && answer.contains("\"interval\"") {
            return true;
        }
        let said = self.say(answer);
        if let Some(id) = self.csms.office().take_ended() {
            self.waiting.push_back(Order::of_itself(
                "RemoteStopTransaction",
                object! { "transactionId": id },
            ));
        }
        said
    }

    /// A CALL that a lax office takes all the same.
    fn tolerated(&self, text: &str, refusal: &Refusal) -> Option<(String, String, Json)> {
        let lax = refusal.fault == Fault::Violation(self.csms.laxness()?);
        match read_frame(Edition::ocpp16(), text).frame {
            Some(Frame::Call { id, action, payload }) if lax => Some((id, action, payload)),
            _ => None,
        }
    }

    fn answer(&mut self, text: &str, id: &str, action: &str, payload: &Json) -> String {
        match self.answered.seen(id, text) {
            Seen::Before(_) if self.csms.has(Defect::CsmsAcceptsDuplicateId) => {}
            Seen::Before(answer) => return answer,
            Seen::IdReused if self.csms.has(Defect::CsmsAcceptsDuplicateId) => {}
            Seen::IdReused => return Refusal::id_reused(id).to_text(),
            Seen::New => {}
        }
        let answer = match self.csms.office().answer(&self.identity, action, payload) {
            Ok(payload) => Frame::CallResult {
                id: id.to_owned(),
                payload,
            }
            .to_text(),
            Err(Fail(fault, why)) => Refusal::new(Edition::ocpp16(), id, fault, why.to_owned()).to_text(),
        };
        self.answered.remember(id, text, &answer);
        answer
    }

    /// An answer came; one to nothing that is outstanding means nothing.
    fn ended(&mut self, id: &str, result: &Json) -> bool {
        if self.in_flight.as_ref().is_some_and(|call| call.id == id) {
            self.finish(result);
        }
        true
    }

    fn finish(&mut self, result: &Json) {
        let Some(call) = self.in_flight.take() else { return };
        if let Some(answer) = result.get("payload") {
            let mut office = self.csms.office();
            let next = office.concluded(&self.identity, &call.action, &call.payload, answer);
            if let Some((action, payload)) = next {
                // Nobody waits for this one: the office sends it of its own accord.
                let (sent, _nobody) = oneshot::channel();
                self.waiting.push_back(Order {
                    action: action.to_owned(),
                    payload,
                    sent,
                });
            }
        }
        let mut record = object! { "action": call.action };
        if let (Json::Object(members), Some(result)) = (&mut record, result.as_object()) {
            for (key, value) in result.iter() {
                members.insert(key, value);
            }
        }
        self.csms.office().record("answers", &self.identity, record);
        for text in std::mem::take(&mut self.unread) {
            self.heard(&text);
        }
    }
}

/// Whether all limits of a composite schedule are steps of a tenth to somebody who divides them by 0.1, as an office with a
/// defect does.
fn steps(answer: &Json) -> bool {
    let periods = answer.pointer("/chargingSchedule/chargingSchedulePeriod");
    let periods = periods.and_then(Json::as_array).unwrap_or_default();
    let limits = periods.iter().filter_map(|period| period.get("limit"));
    let mut steps = limits.filter_map(|limit| limit.to_string().parse::<f64>().ok());
    steps.all(|limit| (limit / 0.1).fract() == 0.0)
}
