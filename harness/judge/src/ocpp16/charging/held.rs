//! The profiles that a station holds, from what it accepted.

use plugfest_protocol::{Json, Object, Timestamp};

use super::profile::{Profile, Purpose};
use crate::facts::Facts;

/// No more profiles than these are followed.
const MOST: usize = 256;

/// A profile that a station accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Installed {
    /// The connector that it was set for; 0 for all of them.
    pub connector: i64,
    /// When it was accepted.
    pub since: Timestamp,
    /// The text can be read so that it is gone by now: whoever judges has to allow both.
    pub doubtful: bool,
    /// What it says.
    pub profile: Profile,
    /// As it was sent.
    json: Json,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    installed: Vec<Installed>,
    /// True where it is known that there are no others.
    complete: bool,
}

impl Held {
    /// Those of a station that holds none.
    pub fn none() -> Self {
        Self {
            installed: Vec::new(),
            complete: true,
        }
    }

    /// Those that the facts tell of.
    pub fn from_facts(facts: &Facts) -> Self {
        let installed = facts.under("profile").filter_map(|(_, fact)| {
            let json = fact.get("profile")?.clone();
            Some(Installed {
                connector: fact.get("connectorId")?.as_i64()?,
                since: Timestamp::parse(fact.get("since")?.as_str()?).ok()?,
                doubtful: fact.get("doubtful").and_then(Json::as_bool).unwrap_or(false),
                profile: Profile::parse(&json)?,
                json,
            })
        });
        Self {
            installed: installed.collect(),
            complete: facts.fact("profiles").is_some_and(|count| !count.is_null()),
        }
    }

    /// Writes them into the facts, in place of those that stand there.
    pub fn write(&self, facts: &mut Facts) {
        let old: Vec<String> = facts
            .under("profile")
            .map(|(name, _)| format!("profile.{name}"))
            .collect();
        for name in old {
            facts.forget(&name);
        }
        for (n, held) in self.installed.iter().enumerate() {
            let mut fact = Object::new();
            fact.insert("connectorId", held.connector);
            fact.insert("since", held.since.to_rfc3339());
            fact.insert("doubtful", held.doubtful);
            fact.insert("profile", held.json.clone());
            facts.learn(format!("profile.{n:03}"), Json::Object(fact));
        }
        let certain = self.all().filter(|held| !held.doubtful).count();
        if self.complete {
            facts.learn("profiles", i64::try_from(certain).unwrap_or(i64::MAX));
        } else {
            facts.forget("profiles");
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Installed> {
        self.installed.iter()
    }

    /// True where it is known that there are no others.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// A profile was accepted for a connector. It takes the place of the one with its id, and of the one with its
    /// purpose and stack level (OCPP-1.6 3.13.2, 5.16.3, 5.16.4); a default for one connector leaves the default for
    /// all of them in place on the others (3.13.1).
    pub fn install(&mut self, connector: i64, json: &Json, since: Timestamp) {
        let Some(profile) = Profile::parse(json) else {
            self.complete = false;
            return;
        };
        self.installed.retain(|old| {
            let same_place = old.connector == connector
                && old.profile.purpose == profile.purpose
                && old.profile.level == profile.level;
            old.profile.id != profile.id && !same_place
        });
        // Whether a default for all connectors ends one for a single connector of the same level is nowhere said.
        for old in &mut self.installed {
            old.doubtful |= connector == 0
                && old.connector != 0
                && old.profile.purpose == profile.purpose
                && old.profile.level == profile.level;
        }
        if self.installed.len() >= MOST {
            self.complete = false;
            return;
        }
        self.installed.push(Installed {
            connector,
            since,
            doubtful: false,
            profile,
            json: json.clone(),
        });
    }

    /// Those that a `ClearChargingProfile` names: by the id alone where it has one, else by all its fields together,
    /// all where it has none (OCPP-1.6-errata 3.25, 3.26).
    pub fn named<'a>(&'a self, request: &'a Json) -> impl Iterator<Item = &'a Installed> {
        self.installed.iter().filter(move |held| matches(held, request))
    }

    /// A `ClearChargingProfile` was answered with Accepted.
    pub fn clear(&mut self, request: &Json) {
        let int = |field: &str| request.get(field).and_then(Json::as_i64);
        let others = ["connectorId", "chargingProfilePurpose", "stackLevel"];
        let plain = others.iter().all(|field| request.get(field).is_none());
        if plain && int("id").is_none() {
            *self = Self::none();
            return;
        }
        // One erratum says that an id overrules the other fields, its neighbour that all fields have to fit.
        let torn = |held: &Installed| int("id").is_some() && !plain && !fields_fit(held, request);
        self.installed
            .retain(|held| !matches(held, request) || torn(held));
        for held in &mut self.installed {
            held.doubtful |= matches(held, request);
        }
    }

    /// A `ClearChargingProfile` was answered with Unknown: where it named no field, there are none.
    pub fn unknown(&mut self, request: &Json) {
        let fields = ["id", "connectorId", "chargingProfilePurpose", "stackLevel"];
        if fields.iter().all(|field| request.get(field).is_none()) {
            *self = Self::none();
        }
    }

    /// A transaction on a connector ended, and its profiles with it (OCPP-1.6 7.10).
    pub fn ended(&mut self, connector: i64) {
        self.installed
            .retain(|held| held.profile.purpose != Purpose::Tx || held.connector != connector);
    }

    /// Nothing is known any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

fn matches(held: &Installed, request: &Json) -> bool {
    match request.get("id").and_then(Json::as_i64) {
        Some(id) => held.profile.id == id,
        None => fields_fit(held, request),
    }
}

fn fields_fit(held: &Installed, request: &Json) -> bool {
    let int = |field: &str| request.get(field).and_then(Json::as_i64);
    let purpose = request.get("chargingProfilePurpose").and_then(Json::as_str);
    int("connectorId").is_none_or(|connector| connector == held.connector)
        && int("stackLevel").is_none_or(|level| level == held.profile.level)
        && purpose.is_none_or(|purpose| Purpose::parse(purpose) == Some(held.profile.purpose))
}
