//! Names and the values bound to them. A frame is what one case, state or phrase sees; `each` opens an inner one.

use std::collections::BTreeMap;

use plugfest_protocol::Json;

/// Number of a frame.
pub(super) type FrameId = usize;

/// A name, its value, and whether it collects a list.
#[derive(Debug, Default, Clone)]
struct Frame {
    parent: Option<FrameId>,
    values: BTreeMap<String, Json>,
    /// The frame that names bound here belong to: `each` binds its variable inside and everything else outside.
    home: FrameId,
}

/// All frames of a conversation.
#[derive(Debug, Default, Clone)]
pub(super) struct Scopes {
    frames: Vec<Frame>,
}

impl Scopes {
    /// A frame of its own: a case, or one use of a state or phrase with its parameters.
    pub(super) fn open(&mut self, values: BTreeMap<String, Json>) -> FrameId {
        let id = self.frames.len();
        self.frames.push(Frame {
            parent: None,
            values,
            home: id,
        });
        id
    }

    /// A frame inside another that adds one name.
    pub(super) fn inner(&mut self, parent: FrameId, name: &str, value: Json) -> FrameId {
        let id = self.frames.len();
        let home = self.frames[parent].home;
        self.frames.push(Frame {
            parent: Some(parent),
            values: BTreeMap::from([(name.to_owned(), value)]),
            home,
        });
        id
    }

    /// The value of a name, looked up from the inside out.
    pub(super) fn value(&self, mut frame: FrameId, name: &str) -> Option<&Json> {
        loop {
            let here = &self.frames[frame];
            if let Some(value) = here.values.get(name) {
                return Some(value);
            }
            frame = here.parent?;
        }
    }

    /// Binds a name; in a list context the value is appended.
    pub(super) fn bind(&mut self, frame: FrameId, name: &str, value: Json, listed: bool) {
        let home = self.frames[frame].home;
        let values = &mut self.frames[home].values;
        if !listed {
            values.insert(name.to_owned(), value);
            return;
        }
        match values
            .entry(name.to_owned())
            .or_insert_with(|| Json::Array(Vec::new()))
        {
            Json::Array(list) => list.push(value),
            other => *other = Json::Array(vec![value]),
        }
    }

    /// Makes sure that a list name exists, so that `many (0..)` binds an empty list.
    pub(super) fn bind_empty_list(&mut self, frame: FrameId, name: &str) {
        let home = self.frames[frame].home;
        self.frames[home]
            .values
            .entry(name.to_owned())
            .or_insert_with(|| Json::Array(Vec::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_frame_sees_out_and_binds_out() {
        let mut scopes = Scopes::default();
        let case = scopes.open(BTreeMap::new());
        let inner = scopes.inner(case, "c", Json::from(1));
        scopes.bind(inner, "tx", Json::from(7), false);
        assert_eq!(scopes.value(case, "tx"), Some(&Json::from(7)));
        assert_eq!(scopes.value(case, "c"), None);
        assert_eq!(scopes.value(inner, "c"), Some(&Json::from(1)));
    }

    #[test]
    fn a_state_does_not_see_the_names_of_its_user() {
        let mut scopes = Scopes::default();
        let case = scopes.open(BTreeMap::from([("tx".to_owned(), Json::from(1))]));
        let state = scopes.open(BTreeMap::new());
        assert_eq!(scopes.value(state, "tx"), None);
        assert_eq!(scopes.value(case, "tx"), Some(&Json::from(1)));
    }

    #[test]
    fn lists_grow() {
        let mut scopes = Scopes::default();
        let case = scopes.open(BTreeMap::new());
        scopes.bind(case, "q", Json::from(1), true);
        scopes.bind(case, "q", Json::from(2), true);
        assert_eq!(
            scopes
                .value(case, "q")
                .and_then(Json::as_array)
                .map(<[Json]>::len),
            Some(2)
        );
    }
}
