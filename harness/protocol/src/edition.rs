//! Editions of the protocols: which actions there are, who sends them, what their fields may hold.

use std::fmt;
use std::sync::OnceLock;

use crate::error_codes::FaultRow;
use crate::frame::MAX_ID_CHARS;

mod config;
mod parse;
mod shape;

pub use config::{Access, ConfigKey, ConfigType, Variable};
pub use parse::CatalogueError;
pub use shape::{EnumType, Field, ObjectType, Secret, Type, is_identifier_char};

/// One edition of one protocol, read from its catalogue.
#[derive(Debug)]
pub struct Edition {
    pub(crate) name: String,
    pub(crate) subprotocol: String,
    pub(crate) codes: Vec<String>,
    pub(crate) variants: Vec<(String, String)>,
    pub(crate) faults: Vec<FaultRow>,
    pub(crate) enums: Vec<&'static EnumType>,
    pub(crate) types: Vec<&'static ObjectType>,
    pub(crate) actions: Vec<Action>,
    pub(crate) config_keys: Vec<ConfigKey>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) roles: [Role; 2],
    pub(crate) limits: TextLimits,
    pub(crate) rpc: Rpc,
}

/// What the text of an edition says about every value of a kind, and no schema holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextLimits {
    /// The most digits of a fraction of a second in a date-time.
    pub second_digits: Option<u32>,
    /// The most decimal places of a number that this role is sent.
    pub places_towards: Option<(Role, u32)>,
}

/// What the frames of an edition look like, beyond their grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rpc {
    /// The document that defines the frames: `OCPP-1.6J`.
    pub document: String,
    /// The most characters of a message id.
    pub max_id: usize,
    /// The most characters of an error description.
    pub max_description: Option<usize>,
    /// The message id that answers what has no readable one.
    pub unreadable_id: Option<String>,
}

impl Default for Rpc {
    fn default() -> Self {
        Self {
            document: String::new(),
            max_id: MAX_ID_CHARS,
            max_description: None,
            unreadable_id: None,
        }
    }
}

/// A catalogue that is compiled in, read when it is asked for first.
struct Embedded {
    name: &'static str,
    subprotocol: &'static str,
    text: &'static str,
    read: OnceLock<Edition>,
}

static EMBEDDED: [Embedded; 2] = [
    Embedded {
        name: "OCPP-1.6",
        subprotocol: "ocpp1.6",
        text: include_str!("../catalogue/ocpp-1.6.catalogue"),
        read: OnceLock::new(),
    },
    Embedded {
        name: "OCPP-2.0.1",
        subprotocol: "ocpp2.0.1",
        text: include_str!("../catalogue/ocpp-2.0.1.catalogue"),
        read: OnceLock::new(),
    },
];

impl Embedded {
    fn edition(&self) -> &Edition {
        self.read.get_or_init(|| {
            // Invariant: each embedded catalogue parses; `tests::the_embedded_catalogues_parse` proves it.
            #[expect(
                clippy::expect_used,
                reason = "the catalogue is part of this crate and tested to parse"
            )]
            Edition::parse(self.text).expect("embedded catalogue")
        })
    }
}

/// One action: a request and its response.
#[derive(Debug)]
pub struct Action {
    /// The name as it stands in a CALL.
    pub name: String,
    /// Who may send the request.
    pub direction: Direction,
    /// Functional block, in our own words: `provisioning`, `transactions`, `smart-charging`, …
    pub block: String,
    /// Certification profile: `Core`, `FirmwareManagement`, …, `Security`.
    pub profile: String,
    /// The payload of the request.
    pub request: ObjectType,
    /// The payload of the response.
    pub response: ObjectType,
    /// The fields of the request that tell one message of this action from another (rule 4 of the case language).
    pub keys: Vec<String>,
    /// True where messages of this action may overtake others (rule 5 of the case language).
    pub free_order: bool,
    /// True for the messages that a station must queue while offline and deliver in order.
    pub transaction_related: bool,
    /// The clause that says when the action is used, with its document: `OCPP-1.6 4.9`.
    pub clause: String,
    /// The clause that defines the fields of the request.
    pub clause_request: String,
    /// The clause that defines the fields of the response.
    pub clause_response: String,
}

/// Who may send the request of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The station asks, the CSMS answers.
    StationToCsms,
    /// The CSMS asks, the station answers.
    CsmsToStation,
    /// Either side may ask.
    Both,
}

/// The two messages of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// What the CALL carries.
    Request,
    /// What the CALLRESULT carries.
    Response,
}

/// A side of a protocol, under the name by which cases speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Role(&'static str);

impl Role {
    /// The charging station (charge point).
    pub const STATION: Self = Self("station");
    /// The charging station management system (central system).
    pub const CSMS: Self = Self("csms");
    /// The charge point operator of OCPI.
    pub const CPO: Self = Self("cpo");
    /// The mobility service provider of OCPI.
    pub const EMSP: Self = Self("emsp");
    /// The roaming hub of OCPI.
    pub const HUB: Self = Self("hub");

    const ALL: [Self; 5] = [Self::STATION, Self::CSMS, Self::CPO, Self::EMSP, Self::HUB];

    /// The name that cases and reports use.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.0 == name)
    }

    /// The side it talks to. A hub stands between two, so its other side is itself.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::STATION => Self::CSMS,
            Self::CSMS => Self::STATION,
            Self::CPO => Self::EMSP,
            Self::EMSP => Self::CPO,
            role => role,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name).ok_or_else(|| format!("unknown role `{name}`: use station, csms, cpo, emsp or hub"))
    }
}

impl serde::Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

impl Direction {
    /// True where the role may send the request.
    pub fn allows(self, sender: Role) -> bool {
        match self {
            Self::StationToCsms => sender == Role::STATION,
            Self::CsmsToStation => sender == Role::CSMS,
            Self::Both => sender == Role::STATION || sender == Role::CSMS,
        }
    }
}

impl Part {
    /// `request` or `response`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Edition {
    /// OCPP 1.6: edition 2 with its errata, and the security extension.
    pub fn ocpp16() -> &'static Self {
        EMBEDDED[0].edition()
    }

    /// OCPP 2.0.1: edition 3 with its errata.
    pub fn ocpp201() -> &'static Self {
        EMBEDDED[1].edition()
    }

    /// Every edition there is a catalogue for. All of them are read: ask for [`Self::names`] where names will do.
    pub fn all() -> [&'static Self; EMBEDDED.len()] {
        EMBEDDED.each_ref().map(Embedded::edition)
    }

    /// The names of the editions there is a catalogue for; none is read for them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|embedded| embedded.name)
    }

    /// The edition of that name: `OCPP-1.6`.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        let mut all = EMBEDDED.iter();
        all.find(|embedded| embedded.name == name).map(Embedded::edition)
    }

    /// The edition that a WebSocket subprotocol stands for: `ocpp1.6`.
    pub fn by_subprotocol(subprotocol: &str) -> Option<&'static Self> {
        let mut all = EMBEDDED.iter();
        all.find(|embedded| embedded.subprotocol == subprotocol)
            .map(Embedded::edition)
    }

    /// Its name: `OCPP-1.6`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The WebSocket subprotocol that stands for it: `ocpp1.6`.
    pub fn subprotocol(&self) -> &str {
        &self.subprotocol
    }

    /// The two sides that speak it, the side that opens the connection first.
    pub const fn roles(&self) -> [Role; 2] {
        self.roles
    }

    /// Its actions in the order of the standard.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// The action of that exact name.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// The payload of one part of an action.
    pub fn message(&self, action: &str, part: Part) -> Option<&ObjectType> {
        self.action(action).map(|action| action.message(part))
    }

    /// The field at a path inside one part of an action, see [`ObjectType::field_at`].
    pub fn field(&self, action: &str, part: Part, path: &str) -> Option<&Field> {
        self.message(action, part)?.field_at(path)
    }

    /// The error codes that a CALLERROR may carry, as the standard spells them.
    pub fn error_codes(&self) -> &[String] {
        &self.codes
    }

    /// The enums that fields refer to by name.
    pub fn enums(&self) -> impl Iterator<Item = &'static EnumType> {
        self.enums.iter().copied()
    }

    /// The object types that fields refer to by name.
    pub fn types(&self) -> impl Iterator<Item = &'static ObjectType> {
        self.types.iter().copied()
    }

    /// The standardised configuration keys, in the order of the catalogue.
    pub fn config_keys(&self) -> &[ConfigKey] {
        &self.config_keys
    }

    /// The standardised variables of the device model, in the order of the catalogue.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// A standardised variable of the device model. Names compare without regard to case. Where the catalogue leaves
    /// the instance to the station (`<n>`), any instance will do.
    pub fn variable(&self, component: &str, name: &str, instance: Option<&str>) -> Option<&Variable> {
        self.variables
            .iter()
            .find(|variable| variable.is(component, name, instance))
    }

    /// What the text says about every value of a kind.
    pub const fn limits(&self) -> TextLimits {
        self.limits
    }

    /// What the frames look like.
    pub const fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The most decimal places that the text allows in one part of an action: it says so of the receiver.
    pub fn most_places(&self, action: &str, part: Part) -> Option<u32> {
        let (towards, places) = self.limits.places_towards?;
        let action = self.action(action)?;
        let only = action.may_be_sent_by(towards.other(), part) && !action.may_be_sent_by(towards, part);
        only.then_some(places)
    }

    /// True where a configuration key or variable of that name holds a secret.
    pub(crate) fn is_secret_name(&self, name: &str) -> bool {
        let keys = self.config_keys.iter().map(|key| (&key.name, key.secret));
        let variables = self.variables.iter().map(|variable| &variable.value);
        keys.chain(variables.map(|value| (&value.name, value.secret)))
            .any(|(known, secret)| secret && known.eq_ignore_ascii_case(name))
    }

    /// A standardised configuration key by name, without regard to case.
    pub fn config_key(&self, name: &str) -> Option<&ConfigKey> {
        self.config_keys
            .iter()
            .find(|key| key.name.eq_ignore_ascii_case(name))
    }
}

impl Action {
    /// The payload of one of its two messages.
    pub const fn message(&self, part: Part) -> &ObjectType {
        match part {
            Part::Request => &self.request,
            Part::Response => &self.response,
        }
    }

    /// The clause that defines the fields of one of its two messages.
    pub fn clause_of(&self, part: Part) -> &str {
        match part {
            Part::Request => &self.clause_request,
            Part::Response => &self.clause_response,
        }
    }

    /// True where the role may send this part of it.
    pub fn may_be_sent_by(&self, role: Role, part: Part) -> bool {
        match part {
            Part::Request => self.direction.allows(role),
            Part::Response => self.direction.allows(role.other()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_embedded_catalogues_parse() {
        let edition = Edition::ocpp16();
        assert_eq!((edition.name(), edition.subprotocol()), ("OCPP-1.6", "ocpp1.6"));
        assert_eq!(edition.roles(), [Role::STATION, Role::CSMS]);
        for (embedded, edition) in EMBEDDED.iter().zip(Edition::all()) {
            let said = (embedded.name, embedded.subprotocol);
            assert_eq!(said, (edition.name(), edition.subprotocol()));
            assert!(std::ptr::eq(
                Edition::by_subprotocol(embedded.subprotocol).unwrap(),
                edition
            ));
        }
        assert!(Edition::by_name("OCPP-1.6").is_some() && Edition::by_name("OCPP-9").is_none());
        assert!(Edition::by_subprotocol("ocpp1.6").is_some() && Edition::by_subprotocol("ocpp9").is_none());
    }

    #[test]
    fn the_sizes_are_those_of_the_standard() {
        let edition = Edition::ocpp16();
        let count = |direction, security: bool| {
            let security_is = |action: &&Action| (action.profile == "Security") == security;
            edition
                .actions()
                .iter()
                .filter(security_is)
                .filter(|action| action.direction == direction)
                .count()
        };
        assert_eq!(count(Direction::StationToCsms, false), 9);
        assert_eq!(count(Direction::CsmsToStation, false), 18);
        assert_eq!(count(Direction::Both, false), 1);
        assert_eq!(count(Direction::StationToCsms, true), 4);
        assert_eq!(count(Direction::CsmsToStation, true), 7);
        let fields = |security: bool| -> usize {
            let of = edition
                .actions()
                .iter()
                .filter(|action| (action.profile == "Security") == security);
            of.map(|action| action.request.fields.len() + action.response.fields.len())
                .sum()
        };
        assert_eq!((fields(false), fields(true)), (107, 34));
        assert_eq!(edition.error_codes().len(), 10);
        assert_eq!(edition.config_keys().len(), 52);
        assert_eq!(
            edition
                .config_keys()
                .iter()
                .filter(|key| key.profile == "Security")
                .count(),
            6
        );
    }

    #[test]
    fn the_sizes_of_ocpp201_are_those_of_the_standard() {
        let edition = Edition::ocpp201();
        let count = |direction| {
            let actions = edition.actions().iter();
            actions.filter(|action| action.direction == direction).count()
        };
        assert_eq!(count(Direction::StationToCsms), 24);
        assert_eq!(count(Direction::CsmsToStation), 39);
        assert_eq!(count(Direction::Both), 1);
        let messages = edition
            .actions()
            .iter()
            .flat_map(|action| [&action.request, &action.response]);
        assert_eq!(messages.map(|object| object.fields.len()).sum::<usize>(), 396);
        let objects = || edition.types().filter(|of| !of.open);
        assert_eq!((edition.types().count(), edition.enums().count()), (55, 88));
        assert!(objects().all(|of| of.field("customData").is_some_and(|field| !field.required)));
        let custom = edition.types().find(|of| of.open).unwrap();
        assert_eq!(
            (custom.name.as_str(), custom.fields[0].name.as_str()),
            ("CustomData", "vendorId")
        );
        assert_eq!(
            (edition.error_codes().len(), edition.variables().len()),
            (12, 152)
        );
        assert_eq!(edition.config_keys().len(), 0);
    }

    #[test]
    fn what_the_schemas_of_ocpp201_lack_is_there() {
        let edition = Edition::ocpp201();
        let action = |name| edition.action(name).unwrap();
        assert_eq!(action("BootNotification").clause, "OCPP-2.0.1 B01");
        assert_eq!(
            action("NotifyEvent").clause_of(Part::Request),
            "OCPP-2.0.1-messages 1.38.1"
        );
        assert_eq!(action("NotifyReport").keys, ["requestId"]);
        let named = |holds: fn(&Action) -> bool| -> Vec<&'static str> {
            let actions = edition.actions().iter().filter(|action| holds(action));
            actions.map(|action| action.name.as_str()).collect()
        };
        assert_eq!(named(|action| action.transaction_related), ["TransactionEvent"]);
        assert_eq!(
            named(|action| action.free_order),
            ["NotifyEvent", "SecurityEventNotification", "StatusNotification"]
        );
        let token = edition
            .field("Authorize", Part::Request, "idToken/idToken")
            .unwrap();
        assert_eq!(token.notation(), "ident36");
        // Decimals are limited towards the station alone.
        assert_eq!(edition.most_places("SetChargingProfile", Part::Request), Some(6));
        assert_eq!(edition.most_places("SetChargingProfile", Part::Response), None);
        assert_eq!(edition.most_places("MeterValues", Part::Request), None);
        assert_eq!(edition.most_places("TransactionEvent", Part::Response), Some(6));
        assert_eq!(edition.most_places("DataTransfer", Part::Request), None);
        assert_eq!(
            (edition.rpc().max_id, edition.rpc().max_description),
            (36, Some(255))
        );
        assert_eq!(edition.rpc().unreadable_id.as_deref(), Some("-1"));
        let variable = |component, name, instance| edition.variable(component, name, instance);
        let password = variable("securityctrlr", "basicauthpassword", None).unwrap();
        assert!(password.value.secret && !password.value.access.readable());
        assert!(
            password.value.check(&"x".repeat(64)).is_ok() && password.value.check(&"x".repeat(65)).is_err()
        );
        let attempts = variable("OCPPCommCtrlr", "MessageAttempts", Some("TransactionEvent")).unwrap();
        assert_eq!(attempts.value.clause, "OCPP-2.0.1-variables 2.1.10");
        assert!(variable("OCPPCommCtrlr", "MessageAttempts", None).is_none());
        assert!(variable("OCPPCommCtrlr", "FieldLength", Some("Any.field")).is_some());
        assert!(variable("EVSE", "PhaseRotation", None).is_some());
        let start = variable("TxCtrlr", "TxStartPoint", None).unwrap();
        assert!(start.value.check("EVConnected,Authorized").is_ok() && start.value.check("Later").is_err());
    }

    #[test]
    fn names_are_unique_and_every_type_is_used() {
        for edition in Edition::all() {
            names_are_unique_in(edition);
        }
    }

    fn names_are_unique_in(edition: &'static Edition) {
        let unique = |names: Vec<&str>| names.iter().collect::<BTreeSet<_>>().len() == names.len();
        assert!(unique(
            edition
                .actions()
                .iter()
                .map(|action| action.name.as_str())
                .collect()
        ));
        assert!(unique(
            edition
                .config_keys()
                .iter()
                .map(|key| key.name.as_str())
                .collect()
        ));
        let mut used = BTreeSet::new();
        let objects = edition
            .actions()
            .iter()
            .flat_map(|action| [&action.request, &action.response]);
        for field in objects.chain(edition.types()).flat_map(|object| &object.fields) {
            match field.ty {
                Type::Enum(of) => used.insert(of.name.as_str()),
                Type::Object(of) => used.insert(of.name.as_str()),
                _ => false,
            };
        }
        let declared = edition
            .enums()
            .map(|of| of.name.as_str())
            .chain(edition.types().map(|of| of.name.as_str()));
        assert_eq!(declared.collect::<BTreeSet<_>>(), used);
    }

    #[test]
    fn fields_are_found_by_path() {
        let edition = Edition::ocpp16();
        let of = |path| {
            edition
                .field("MeterValues", Part::Request, path)
                .map(Field::notation)
        };
        assert_eq!(of("meterValue/0/sampledValue/0/value").as_deref(), Some("str"));
        assert_eq!(
            of("/meterValue/3/sampledValue/12/unit").as_deref(),
            Some("UnitOfMeasure")
        );
        assert_eq!(
            of("meterValue/sampledValue").as_deref(),
            Some("SampledValue[0..]")
        );
        assert_eq!(of("/meterValue/0").as_deref(), Some("MeterValue[0..]"));
        assert_eq!(of("meterValue/0/0"), None);
        assert_eq!(of("connectorId/0"), None);
        assert_eq!(of("nothing"), None);
        let of = |action, path| edition.field(action, Part::Request, path).map(Field::notation);
        assert_eq!(
            of(
                "SetChargingProfile",
                "csChargingProfiles/chargingSchedule/minChargingRate"
            )
            .unwrap(),
            "dec/0.1"
        );
        assert_eq!(of("GetConfiguration", "key/0").unwrap(), "ci50[0..]");
        assert_eq!(of("Authorize", "idTag").unwrap(), "ci20");
    }

    #[test]
    fn what_the_schemas_lack_is_there() {
        let edition = Edition::ocpp16();
        let status = edition.action("StatusNotification").unwrap();
        assert_eq!(status.keys, ["connectorId"]);
        assert!(status.free_order && !status.transaction_related);
        assert_eq!(status.clause, "OCPP-1.6 4.9");
        assert_eq!(status.clause_of(Part::Response), "OCPP-1.6 6.48");
        assert_eq!(
            edition.action("SignCertificate").unwrap().clause,
            "OCPP-1.6-security A02"
        );
        let tx: Vec<_> = edition
            .actions()
            .iter()
            .filter(|a| a.transaction_related)
            .map(|a| &a.name)
            .collect();
        assert_eq!(tx, ["MeterValues", "StartTransaction", "StopTransaction"]);
        assert!(status.may_be_sent_by(Role::STATION, Part::Request));
        assert!(status.may_be_sent_by(Role::CSMS, Part::Response));
        assert!(!status.may_be_sent_by(Role::CSMS, Part::Request));
        assert!(
            edition
                .action("DataTransfer")
                .unwrap()
                .may_be_sent_by(Role::CSMS, Part::Request)
        );
        assert_eq!(
            status.request.field("connectorId").unwrap().text_bounds,
            Some((Some(0), None))
        );
        let key = edition.config_key("authorizationkey").unwrap();
        assert!(key.secret && !key.access.readable() && key.access.writable());
        assert_eq!(
            edition.config_key("NumberOfConnectors").unwrap().clause,
            "OCPP-1.6 9.1.21"
        );
        assert_eq!(
            edition
                .config_key("SupportedFeatureProfiles")
                .unwrap()
                .values
                .len(),
            6
        );
    }

    #[test]
    fn roles_have_an_other_side() {
        assert_eq!(Role::STATION.other(), Role::CSMS);
        assert_eq!(Role::EMSP.other().other(), Role::EMSP);
        assert_eq!("csms".parse::<Role>(), Ok(Role::CSMS));
        assert!("Csms".parse::<Role>().unwrap_err().contains("`Csms`"));
    }
}
