//! The CSMS that we play: accepts every station, knows the tags of the profile, hands out transaction ids.

use plugfest_protocol::{Edition, Json, Object, Part, Timestamp, minimal};
use plugfest_trace::Outcome;

use super::{at, object};
use crate::player::{Owed, Player};

/// The played CSMS.
#[derive(Debug)]
pub(crate) struct Csms {
    edition: &'static Edition,
    values: Json,
    transactions: i64,
    /// Tags whose status an operator has changed.
    tags: Vec<(String, String)>,
}

impl Csms {
    /// A CSMS that knows the tags under `tag` of the values.
    pub(crate) fn new(edition: &'static Edition, values: &Json) -> Self {
        Self {
            edition,
            values: values.clone(),
            transactions: 1_000,
            tags: Vec::new(),
        }
    }

    /// The status of a tag: the profile's, `Invalid` for one that nobody knows (OCPP-1.6 5.1).
    fn status(&self, tag: &str) -> &str {
        if let Some((_, status)) = self.tags.iter().rev().find(|(t, _)| t.eq_ignore_ascii_case(tag)) {
            return status;
        }
        let known = at(&self.values, &["tag"]).and_then(Json::as_object);
        let name = known.and_then(|tags| {
            tags.iter()
                .find(|(_, value)| value.as_str().is_some_and(|v| v.eq_ignore_ascii_case(tag)))
                .map(|(name, _)| name)
        });
        match name {
            Some("expired") => "Expired",
            Some("blocked") => "Blocked",
            Some("invalid") | None => "Invalid",
            Some(_) => "Accepted",
        }
    }

    fn tag_info(&self, tag: &str) -> Json {
        let mut info = Object::new();
        info.insert("status", self.status(tag));
        let grouped = ["parent1", "parent2"]
            .iter()
            .any(|name| at(&self.values, &["tag", name]).and_then(Json::as_str) == Some(tag));
        if grouped && let Some(group) = at(&self.values, &["tag", "group"]) {
            info.insert("parentIdTag", group.clone());
        }
        Json::Object(info)
    }
}

impl Player for Csms {
    fn answer(&mut self, action: &str, payload: &Json, now: Timestamp) -> Json {
        let tag = payload.get("idTag").and_then(Json::as_str);
        match action {
            "BootNotification" => object([
                ("status", "Accepted".into()),
                ("currentTime", now.to_rfc3339().into()),
                (
                    "interval",
                    at(&self.values, &["heartbeat"])
                        .cloned()
                        .unwrap_or_else(|| 300.into()),
                ),
            ]),
            "Heartbeat" => object([("currentTime", now.to_rfc3339().into())]),
            "Authorize" => object([("idTagInfo", self.tag_info(tag.unwrap_or_default()))]),
            "StartTransaction" => {
                self.transactions += 1;
                object([
                    ("idTagInfo", self.tag_info(tag.unwrap_or_default())),
                    ("transactionId", self.transactions.into()),
                ])
            }
            "StopTransaction" => match tag {
                Some(tag) => object([("idTagInfo", self.tag_info(tag))]),
                None => object([]),
            },
            "DataTransfer" => object([("status", "UnknownVendorId".into())]),
            "SignCertificate" => object([("status", "Accepted".into())]),
            _ => object([]),
        }
    }

    fn call(&mut self, action: &str, _now: Timestamp) -> Json {
        minimal(self.edition, action, Part::Request)
    }

    fn answered(&mut self, _action: &str, _request: &Json, _answer: &Json, _now: Timestamp) {}

    fn gave(&mut self, _action: &str, _request: &Json, _answer: &Json) {}

    fn configure(&mut self, _key: &str, _value: &Json) {}

    fn perform(&mut self, verb: &str, args: &Json) -> Outcome {
        let text = |name: &str| {
            args.get(name)
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        match verb {
            "csms.token" => {
                self.tags.push((text("id"), text("status")));
                Outcome::Done
            }
            "csms.station" => Outcome::Done,
            other => Outcome::Unsupported {
                why: format!("the played CSMS has no {other}"),
            },
        }
    }

    fn owes(&mut self, _now: Timestamp) -> Owed {
        Owed::default()
    }

    fn owes_next(&self, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    fn restarted(&mut self) {}

    fn restarts_for(&self, _action: &str) -> bool {
        false
    }

    fn connected(&mut self, _up: bool, _now: Timestamp) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csms() -> Csms {
        let values = Json::parse(
            r#"{"tag":{"valid":"GOOD","blocked":"BAD","parent1":"P1","group":"G"},"heartbeat":60}"#,
        )
        .unwrap();
        Csms::new(Edition::by_name("OCPP-1.6").unwrap(), &values)
    }

    #[test]
    fn tags_have_the_status_of_their_pool_without_regard_to_case() {
        let mut csms = csms();
        let status = |csms: &mut Csms, tag: &str| {
            let answer = csms.answer(
                "Authorize",
                &object([("idTag", tag.into())]),
                Timestamp::default(),
            );
            answer
                .pointer("/idTagInfo/status")
                .and_then(Json::as_str)
                .unwrap()
                .to_owned()
        };
        assert_eq!(status(&mut csms, "good"), "Accepted");
        assert_eq!(status(&mut csms, "BAD"), "Blocked");
        assert_eq!(status(&mut csms, "nobody"), "Invalid");
        csms.perform(
            "csms.token",
            &object([("id", "good".into()), ("status", "Blocked".into())]),
        );
        assert_eq!(status(&mut csms, "GOOD"), "Blocked");
    }

    #[test]
    fn every_answer_is_valid() {
        let mut csms = csms();
        let edition = csms.edition;
        for action in edition.actions() {
            if !action.may_be_sent_by(plugfest_protocol::Role::STATION, Part::Request) {
                continue;
            }
            let request = minimal(edition, &action.name, Part::Request);
            let answer = csms.answer(&action.name, &request, Timestamp::default());
            let found = plugfest_protocol::validate(edition, &action.name, Part::Response, &answer);
            assert!(found.is_empty(), "{}: {found:?}", action.name);
        }
    }
}
