//! What can be made wrong about a line that was met, derived from its IR and from the trace that met it.

use std::time::Duration;

use plugfest_case::ir::{AnswerForm, is_transfer};
use plugfest_judge::{Forbidden, LineMet};
use plugfest_protocol::{Edition, Frame, Json, Object, Part, minimal};
use plugfest_trace::{Data, Head, Party, What};

use super::fields::{SHIFTS, Subject, absent, all_shifted, changed, lists, places, scalars, with};
use super::lines::{DutLine, Earliest, Says, braces};
use super::replay::{Change, Edit, Recorded};

/// One way to make a line wrong. Several edits are tries at the same thing: one of them has to be seen.
#[derive(Debug, Clone)]
pub(super) struct Doctoring {
    pub(super) name: String,
    pub(super) edits: Vec<Edit>,
}

/// When a `never` stood open: the events behind which it began and ended to forbid, and what it forbids.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) forbidden: Forbidden,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Everything that can be made wrong about a line. `earlier` are the messages that a check could rest on, `before` is the
/// one before which this line's message must not come.
pub(super) fn doctorings(
    line: &DutLine<'_>,
    met: &LineMet,
    recorded: &Recorded,
    earlier: &[usize],
    before: Option<usize>,
    edition: &'static Edition,
) -> Vec<Doctoring> {
    let place = usize::try_from(met.event).unwrap_or(usize::MAX);
    let table = Table {
        line,
        met,
        recorded,
        edition,
        place,
    };
    match line.says {
        Says::Call(call) => {
            let mut all = table.of_call(&call.action.text);
            all.extend(before.map(|other| one("before its turn", Change::Before(place, other))));
            all
        }
        Says::Answer(answer, action) => table.of_answer(&answer.forms, action),
        Says::Accepts(action) => table.of_answer(&[], action),
        Says::Check(_) => vec![table.of_check(earlier)],
        Says::Connect => vec![one("missing", Change::Drop(place))],
        Says::Transfer(_, whole) => table.of_transfer(whole),
        Says::Never => Vec::new(),
    }
}

/// The forbidden messages of a `never`, behind the event with which it begins and before the one with which it ends.
pub(super) fn forbidden(watched: &[Watched]) -> Vec<Doctoring> {
    let mut all = Vec::new();
    for w in watched {
        let id = format!("forbidden-{}", w.first);
        let what = match w.forbidden.action.as_str() {
            action if is_transfer(action) => transfer_of_dut(action, &w.forbidden.payload),
            action => text_of_dut(
                1,
                &Frame::Call {
                    id,
                    action: action.to_owned(),
                    payload: w.forbidden.payload.clone(),
                },
            ),
        };
        for (when, place) in [("at its beginning", w.first), ("before its end", w.last)] {
            let name = format!("the forbidden {} comes {when}", w.forbidden.action);
            all.push(one(&name, Change::Behind(place, what.clone())));
        }
    }
    all
}

fn one(name: &str, change: Change) -> Doctoring {
    Doctoring {
        name: name.to_owned(),
        edits: vec![change.into()],
    }
}

fn transfer_of_dut(action: &str, payload: &Json) -> What {
    let place = payload.get("to").or(payload.get("from")).and_then(Json::as_str);
    What::Transfer {
        transfer: u32::MAX,
        by: Party::Dut,
        op: action.to_lowercase(),
        url: place.unwrap_or_default().to_owned(),
        request: Head::default(),
    }
}

fn text_of_dut(conn: u32, frame: &Frame) -> What {
    What::Frame {
        conn,
        from: Party::Dut,
        opcode: 1,
        data: Data::Text {
            text: frame.to_text(),
        },
        flaws: Vec::new(),
        cause: None,
    }
}

struct Table<'t> {
    line: &'t DutLine<'t>,
    met: &'t LineMet,
    recorded: &'t Recorded,
    edition: &'static Edition,
    /// The event that met the line.
    place: usize,
}

impl Table<'_> {
    fn of_call(&self, action: &str) -> Vec<Doctoring> {
        let mut all = Vec::new();
        let Some((_, _, frame)) = &self.recorded.frames[self.place] else {
            return all;
        };
        if !self.line.may_stay_away {
            all.push(self.one_or_muted("missing", Change::Drop(self.place)));
            let late = Change::Late(self.place, self.met.until);
            all.push(self.one_or_muted("too late", late));
        }
        let behind = self.recorded.reply_to(self.place).unwrap_or(self.place);
        let again = self.recorded.events[self.place].what.clone();
        all.push(one("twice", Change::Behind(behind, again)));
        all.extend(self.too_early(action));
        if let Frame::Call { id, payload, .. } = frame {
            all.extend(
                self.fields(action, Part::Request, payload, |payload| Frame::Call {
                    id: id.clone(),
                    action: action.to_owned(),
                    payload,
                }),
            );
        }
        all
    }

    fn of_transfer(&self, whole: bool) -> Vec<Doctoring> {
        let What::Transfer { transfer, .. } = &self.recorded.events[self.place].what else {
            return Vec::new();
        };
        let mut all = Vec::new();
        if !self.line.may_stay_away {
            all.push(one("missing", Change::Drop(self.place)));
            all.push(one("too late", Change::Late(self.place, self.met.until)));
        }
        for pattern in braces(&self.line.says) {
            let elsewhere = pattern.fields.first().map(|field| {
                let mut what = self.recorded.events[self.place].what.clone();
                if let What::Transfer { url, .. } = &mut what {
                    url.push_str("-elsewhere");
                }
                one(
                    &format!("{} changed", field.name.text),
                    Change::Put(self.place, what),
                )
            });
            all.extend(elsewhere);
        }
        let over =
            self.recorded.events.iter().position(
                |event| matches!(&event.what, What::Transferred { transfer: t, .. } if t == transfer),
            );
        if let (true, Some(over)) = (whole, over) {
            let mut what = self.recorded.events[over].what.clone();
            if let What::Transferred { whole, .. } = &mut what {
                *whole = false;
            }
            all.push(one("broken off", Change::Put(over, what)));
        }
        all
    }

    fn of_answer(&self, forms: &[AnswerForm], action: &str) -> Vec<Doctoring> {
        let mut all = Vec::new();
        let silence = forms.iter().any(|f| matches!(f, AnswerForm::Silence));
        let Some((_, _, frame)) = &self.recorded.frames[self.place] else {
            return all;
        };
        let id = frame.id().to_owned();
        if silence {
            return all;
        }
        all.push(one("answer missing", Change::Drop(self.place)));
        all.push(one("answer too late", Change::Late(self.place, self.met.until)));
        all.push(one(
            "twice",
            Change::Behind(self.place, self.recorded.events[self.place].what.clone()),
        ));
        let error = |code: &str| Frame::CallError {
            id: id.clone(),
            code: code.to_owned(),
            description: String::new(),
            details: Json::Object(Object::new()),
        };
        let result = Frame::CallResult {
            id: id.clone(),
            payload: minimal(self.edition, action, Part::Response),
        };
        let codes: Vec<_> = forms
            .iter()
            .filter_map(|f| match f {
                AnswerForm::Error { code } => Some(code),
                _ => None,
            })
            .collect();
        let results = forms.is_empty() || forms.iter().any(|f| matches!(f, AnswerForm::Result(_)));
        if codes.is_empty() {
            all.push(one("CALLERROR", self.replace(&error("GenericError"))));
        } else if !codes.iter().any(|c| matches!(c, plugfest_case::ir::Pattern::Any)) {
            let edits = ["GenericError", "InternalError", "NotSupported"];
            all.push(Doctoring {
                name: "another error code".to_owned(),
                edits: edits
                    .iter()
                    .map(|code| self.replace(&error(code)).into())
                    .collect(),
            });
        }
        if !results {
            all.push(one("CALLRESULT", self.replace(&result)));
        }
        if let Frame::CallResult { payload, .. } = frame {
            let id = id.clone();
            all.extend(
                self.fields(action, Part::Response, payload, |payload| Frame::CallResult {
                    id: id.clone(),
                    payload,
                }),
            );
            if forms.is_empty() {
                all.extend(self.refused_by_schema(action, payload));
            }
        }
        all
    }

    /// Without an answer line the schema has to accept the answer (rule 1).
    fn refused_by_schema(&self, action: &str, payload: &Json) -> Option<Doctoring> {
        let object = self.edition.message(action, Part::Response)?;
        let (_, _, frame) = self.recorded.frames[self.place].as_ref()?;
        let required = object.fields.iter().find(|f| f.required)?;
        let mut other = payload.clone();
        other.remove_pointer(&format!("/{}", required.name));
        let frame = Frame::CallResult {
            id: frame.id().to_owned(),
            payload: other,
        };
        Some(one("an answer that the schema refuses", self.replace(&frame)))
    }

    /// The change by itself, or with later messages of that kind muted.
    fn one_or_muted(&self, name: &str, change: Change) -> Doctoring {
        let muted = Edit {
            change: change.clone(),
            mute: Some(self.place),
        };
        Doctoring {
            name: name.to_owned(),
            edits: vec![change.into(), muted],
        }
    }

    fn too_early(&self, action: &str) -> Option<Doctoring> {
        let earliest = self.line.earliest?;
        let at = self.recorded.events[self.place].at;
        let since = match earliest {
            Earliest::After => self.met.since?,
            Earliest::Every => {
                let before = (0..self.place).rev().find(|&i| {
                    matches!(&self.recorded.frames[i],
                        Some((_, Party::Dut, Frame::Call { action: a, .. })) if a == action)
                })?;
                self.recorded.events[before].at
            }
        };
        let soon = since.plus(at.since(since) / 4);
        Some(one("too early", Change::Early(self.place, soon)))
    }

    fn replace(&self, frame: &Frame) -> Change {
        Change::Replace(vec![(self.place, frame.to_text())])
    }

    fn fields(
        &self,
        action: &str,
        part: Part,
        payload: &Json,
        frame: impl Fn(Json) -> Frame,
    ) -> Vec<Doctoring> {
        let subject = Subject {
            edition: self.edition,
            action,
            part,
        };
        let mut all: Vec<Doctoring> = Vec::new();
        for pattern in braces(&self.line.says) {
            for place in places(pattern, payload) {
                let name = format!("{} changed", place.name);
                if all.iter().any(|d| d.name == name) {
                    continue;
                }
                let values = place.pointers.iter().flat_map(|at| changed(subject, payload, at));
                let plain: Vec<Change> = values.map(|(_, payload)| self.replace(&frame(payload))).collect();
                // A line that waits for what fits could be met by a later message of that kind.
                let muted = plain.iter().cloned().map(|change| Edit {
                    change,
                    mute: (part == Part::Request).then_some(self.place),
                });
                let muted: Vec<Edit> = muted.filter(|e| e.mute.is_some()).collect();
                all.push(Doctoring {
                    name,
                    edits: plain.into_iter().map(Edit::from).chain(muted).collect(),
                });
            }
            if pattern.exactly {
                let object = self.edition.message(action, part);
                let extra = object.and_then(|o| o.fields.iter().find(|f| payload.get(&f.name).is_none()));
                let other = extra.and_then(|extra| {
                    with(
                        payload,
                        &format!("/{}", extra.name),
                        plugfest_protocol::canonical(extra),
                    )
                });
                if let Some(other) = other {
                    all.push(one("a further field", self.replace(&frame(other))));
                }
            }
        }
        all
    }

    /// One of the messages before a check says or happens otherwise.
    fn of_check(&self, earlier: &[usize]) -> Doctoring {
        let mut ranked: Vec<(usize, Edit)> = Vec::new();
        for &place in earlier {
            let Some((_, Party::Dut, frame)) = &self.recorded.frames[place] else {
                continue;
            };
            let (action, part) = match frame {
                Frame::Call { action, .. } => (action.clone(), Part::Request),
                Frame::CallResult { id, .. } => match self.action_of(place, id) {
                    Some(action) => (action, Part::Response),
                    None => continue,
                },
                Frame::CallError { .. } => continue,
            };
            let subject = Subject {
                edition: self.edition,
                action: &action,
                part,
            };
            let Some(payload) = frame.payload() else { continue };
            for at in lists(payload)
                .into_iter()
                .chain(scalars(payload))
                .chain(absent(subject, payload))
            {
                for (rank, (_, payload)) in changed(subject, payload, &at).into_iter().enumerate() {
                    let frame = match frame {
                        Frame::Call { id, action, .. } => Frame::Call {
                            id: id.clone(),
                            action: action.clone(),
                            payload,
                        },
                        other => Frame::CallResult {
                            id: other.id().to_owned(),
                            payload,
                        },
                    };
                    ranked.push((rank, Change::Replace(vec![(place, frame.to_text())]).into()));
                }
            }
            let before = (0..place).rev().find(|&i| self.recorded.frames[i].is_some());
            if let (Frame::Call { .. }, Some(before)) = (frame, before) {
                let soon = self.recorded.events[before].at.plus(Duration::from_millis(1));
                ranked.push((1, Change::Early(place, soon).into()));
            }
        }
        ranked.extend(self.all_dates(earlier).into_iter().map(|edit| (1, edit)));
        // The nearest messages first, and one try of every value before a second of any.
        ranked.reverse();
        ranked.sort_by_key(|(rank, _)| *rank);
        Doctoring {
            name: "one input falsified".to_owned(),
            edits: ranked.into_iter().map(|(_, edit)| edit).collect(),
        }
    }

    /// The dates and times of all messages of one action moved together.
    fn all_dates(&self, earlier: &[usize]) -> Vec<Edit> {
        let mut actions: Vec<&str> = Vec::new();
        for &place in earlier {
            if let Some((_, Party::Dut, Frame::Call { action, .. })) = &self.recorded.frames[place]
                && !actions.contains(&action.as_str())
            {
                actions.push(action);
            }
        }
        let mut all = Vec::new();
        for wanted in actions {
            for by in SHIFTS {
                let texts: Vec<(usize, String)> = earlier
                    .iter()
                    .filter_map(|&place| match &self.recorded.frames[place] {
                        Some((_, Party::Dut, Frame::Call { id, action, payload })) if action == wanted => {
                            let frame = Frame::Call {
                                id: id.clone(),
                                action: action.clone(),
                                payload: all_shifted(payload, by)?,
                            };
                            Some((place, frame.to_text()))
                        }
                        _ => None,
                    })
                    .collect();
                if texts.len() > 1 {
                    all.push(Change::Replace(texts).into());
                }
            }
        }
        all
    }

    /// The action of the CALL that an answer belongs to.
    fn action_of(&self, answer: usize, id: &str) -> Option<String> {
        (0..answer).rev().find_map(|i| match &self.recorded.frames[i] {
            Some((_, Party::Us, Frame::Call { id: i, action, .. })) if i == id => Some(action.clone()),
            _ => None,
        })
    }
}
