//! Places that are secret by themselves, whatever stands there: the catalogue of the edition knows them.

use std::collections::VecDeque;

use plugfest_protocol::{Edition, Frame, Json, ObjectType, Part, Type, read_frame, secret_pointers};

use crate::event::Party;

/// So many open CALLs whose answers may hold secrets are remembered; a flood forgets the oldest.
const MAX_CALLS: usize = 64;

/// The secret places of one edition, and the CALLs whose answers are awaited with care.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    edition: Option<&'static Edition>,
    /// Actions with a secret place in the request or in the response.
    actions: Vec<&'static str>,
    open: VecDeque<OpenCall>,
}

#[derive(Debug, Clone)]
struct OpenCall {
    conn: u32,
    from: Party,
    id: String,
    action: String,
}

impl Places {
    /// The places of the edition with this name; none for an unknown one.
    pub(super) fn of(protocol: &str) -> Self {
        let Some(edition) = Edition::by_name(protocol) else {
            return Self::default();
        };
        let holds = |action: &str| {
            [Part::Request, Part::Response]
                .iter()
                .any(|&part| edition.message(action, part).is_some_and(has_secret))
        };
        let actions = edition
            .actions()
            .iter()
            .map(|action| action.name.as_str())
            .filter(|name| holds(name));
        Self {
            edition: Some(edition),
            actions: actions.collect(),
            open: VecDeque::new(),
        }
    }

    /// Pointers into the text of a frame whose values are secret.
    pub(super) fn secrets_of(&mut self, conn: u32, from: Party, text: &str) -> Vec<String> {
        let Some(edition) = self.edition else {
            return Vec::new();
        };
        // The two tests spare nearly every frame a second reading.
        let may_be_call = self.actions.iter().any(|action| text.contains(action));
        if !may_be_call && self.open.is_empty() {
            return Vec::new();
        }
        match read_frame(edition, text).frame {
            Some(Frame::Call { id, action, payload }) => {
                let secrets = secret_pointers(edition, &action, Part::Request, &payload);
                if self.actions.contains(&action.as_str()) {
                    self.remember(OpenCall {
                        conn,
                        from,
                        id,
                        action,
                    });
                }
                below("/3", secrets)
            }
            Some(Frame::CallResult { id, payload }) => match self.take(conn, from, &id) {
                Some(call) => below(
                    "/2",
                    secret_pointers(edition, &call.action, Part::Response, &payload),
                ),
                None => Vec::new(),
            },
            Some(Frame::CallError { id, .. }) => {
                self.take(conn, from, &id);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Pointers into the arguments of `csms.call`, which are shaped like the CALL that they ask for.
    pub(super) fn secrets_of_asked(&self, args: &Json) -> Vec<String> {
        let (Some(edition), Some(action), Some(payload)) = (
            self.edition,
            args.get("action").and_then(Json::as_str),
            args.get("payload"),
        ) else {
            return Vec::new();
        };
        below(
            "/payload",
            secret_pointers(edition, action, Part::Request, payload),
        )
    }

    fn remember(&mut self, call: OpenCall) {
        if self.open.len() >= MAX_CALLS {
            self.open.pop_front();
        }
        self.open.push_back(call);
    }

    fn take(&mut self, conn: u32, answerer: Party, id: &str) -> Option<OpenCall> {
        let at = self
            .open
            .iter()
            .position(|c| c.conn == conn && c.from != answerer && c.id == id)?;
        self.open.remove(at)
    }
}

fn below(prefix: &str, pointers: Vec<String>) -> Vec<String> {
    pointers
        .into_iter()
        .map(|pointer| format!("{prefix}{pointer}"))
        .collect()
}

fn has_secret(object: &ObjectType) -> bool {
    object
        .fields
        .iter()
        .any(|field| field.secret.is_some() || matches!(field.ty, Type::Object(inner) if has_secret(inner)))
}
