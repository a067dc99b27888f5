//! Editions of the protocols: which actions there are, who sends them, what their fields may hold.

use std::fmt;
use std::sync::OnceLock;

use crate::error_codes::FaultRow;

mod config;
mod parse;

pub use config::{Access, ConfigKey, ConfigType};
pub use parse::CatalogueError;

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
    pub(crate) roles: [Role; 2],
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

/// An object: a payload, or a type used inside one. It is closed: no other fields are allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// Its name; for a payload the action's name with `Request` or `Response`.
    pub name: String,
    /// Its fields in the order of the standard's definition.
    pub fields: Vec<Field>,
}

/// A closed list of literals.
#[derive(Debug, PartialEq, Eq)]
pub struct EnumType {
    /// Its name.
    pub name: String,
    /// What may stand there, in exactly this spelling.
    pub literals: Vec<String>,
}

/// One field of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds; for an array, what each item holds.
    pub ty: Type,
    /// True where it must be there.
    pub required: bool,
    /// For an array: the fewest and the most items that the schema allows.
    pub array: Option<(u32, Option<u32>)>,
    /// Bounds that stand in the text of the standard but not in its schemas: of the value of an integer, or of
    /// the number of items of an array.
    pub text_bounds: Option<(Option<i64>, Option<i64>)>,
    /// The sibling field that decides whether this one is a secret: its value names a secret configuration key.
    pub secret_by: Option<String>,
    /// The value of canonical samples, as JSON text or a bare word.
    pub like: Option<String>,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Str {
        /// The most characters (Unicode code points).
        max: Option<u32>,
        /// True where it compares without regard to case (CiString).
        ci: bool,
    },
    /// An integer.
    Int {
        /// The least value that the schema allows.
        min: Option<i64>,
        /// The greatest value that the schema allows.
        max: Option<i64>,
    },
    /// A decimal number.
    Decimal {
        /// The most decimal places (`multipleOf 0.1` is one).
        places: Option<u32>,
    },
    /// `true` or `false`.
    Bool,
    /// An instant as text.
    DateTime,
    /// A URI as text.
    Uri,
    /// One of some literals.
    Enum(&'static EnumType),
    /// An object.
    Object(&'static ObjectType),
    /// Anything at all.
    Any,
}

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
        static EDITION: OnceLock<Edition> = OnceLock::new();
        EDITION.get_or_init(|| {
            // Invariant: the embedded catalogue parses; `tests::the_embedded_catalogues_parse` proves it.
            #[expect(
                clippy::expect_used,
                reason = "the catalogue is part of this crate and tested to parse"
            )]
            Self::parse(include_str!("../catalogue/ocpp-1.6.catalogue")).expect("embedded catalogue")
        })
    }

    /// Every edition there is a catalogue for.
    pub fn all() -> [&'static Self; 1] {
        [Self::ocpp16()]
    }

    /// The edition of that name: `OCPP-1.6`.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        Self::all().into_iter().find(|edition| edition.name == name)
    }

    /// The edition that a WebSocket subprotocol stands for: `ocpp1.6`.
    pub fn by_subprotocol(subprotocol: &str) -> Option<&'static Self> {
        Self::all()
            .into_iter()
            .find(|edition| edition.subprotocol == subprotocol)
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

impl ObjectType {
    /// A field by name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field at a path of names and indexes: `meterValue/0/sampledValue/0/value`; a JSON pointer will do, and
    /// indexes may be left out. An index as the last token means an item: the field of the array is given.
    pub fn field_at(&self, path: &str) -> Option<&Field> {
        let mut object = self;
        let mut found: Option<&Field> = None;
        let mut in_array = false;
        for token in path.strip_prefix('/').unwrap_or(path).split('/') {
            if in_array && token.bytes().all(|b| b.is_ascii_digit()) {
                in_array = false;
                continue;
            }
            if let Some(field) = found {
                let Type::Object(inner) = field.ty else {
                    return None;
                };
                object = inner;
            }
            let field = object.field(token)?;
            in_array = field.array.is_some();
            found = Some(field);
        }
        found
    }
}

impl EnumType {
    /// True where the text is one of the literals, in exactly their spelling.
    pub fn contains(&self, text: &str) -> bool {
        self.literals.iter().any(|literal| literal == text)
    }
}

impl Type {
    /// How a message names what is expected: `string of at most 20 characters`, `integer`, …
    pub fn describe(&self) -> String {
        match self {
            Self::Str { max: Some(max), .. } => format!("string of at most {max} characters"),
            Self::Str { max: None, .. } => "string".to_owned(),
            Self::Int { .. } => "integer".to_owned(),
            Self::Decimal { places: Some(places) } => format!("number with at most {places} decimal place"),
            Self::Decimal { places: None } => "number".to_owned(),
            Self::Bool => "boolean".to_owned(),
            Self::DateTime => "date-time".to_owned(),
            Self::Uri => "URI".to_owned(),
            Self::Enum(of) => format!("one of {}", of.literals.join(", ")),
            Self::Object(of) => format!("object {}", of.name),
            Self::Any => "anything".to_owned(),
        }
    }
}

impl Field {
    /// The declared type in the notation of the catalogue: `ci20`, `SampledValue[1..]`.
    pub fn notation(&self) -> String {
        let base = match &self.ty {
            Type::Str { max, ci } => {
                let name = if *ci { "ci" } else { "str" };
                max.map_or_else(|| name.to_owned(), |max| format!("{name}{max}"))
            }
            Type::Int { min: None, max: None } => "int".to_owned(),
            Type::Int { min, max } => format!("int({}..{})", bound(*min), bound(*max)),
            Type::Decimal { places: None } => "dec".to_owned(),
            Type::Decimal { places: Some(places) } => format!("dec/0.{}1", "0".repeat(*places as usize - 1)),
            Type::Bool => "bool".to_owned(),
            Type::DateTime => "datetime".to_owned(),
            Type::Uri => "uri".to_owned(),
            Type::Enum(of) => of.name.clone(),
            Type::Object(of) => of.name.clone(),
            Type::Any => "any".to_owned(),
        };
        match self.array {
            None => base,
            Some((min, max)) => format!("{base}[{min}..{}]", bound(max)),
        }
    }
}

fn bound<T: ToString>(bound: Option<T>) -> String {
    bound.map_or_else(String::new, |bound| bound.to_string())
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
    fn names_are_unique_and_every_type_is_used() {
        let edition = Edition::ocpp16();
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
