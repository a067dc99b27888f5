//! What a payload is made of: objects, fields, types, enums.

/// An object: a payload, or a type used inside one.
#[derive(Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// Its name; for a payload the action's name with `Request` or `Response`.
    pub name: String,
    /// True where fields beyond those named here are allowed. Nearly every object is closed.
    pub open: bool,
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
    /// The most decimal places that the text of the standard, not its schemas, lets a decimal have.
    pub text_places: Option<u32>,
    /// Whether the value is a credential that must appear nowhere.
    pub secret: Option<Secret>,
    /// The value of canonical samples, as JSON text or a bare word.
    pub like: Option<String>,
}

/// When a value is a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Secret {
    /// Always.
    Always,
    /// Where the field at this path of names, sought from the object around the value outwards, names a secret
    /// configuration key or variable.
    By(Vec<String>),
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Str {
        /// The most characters (Unicode code points).
        max: Option<u32>,
        /// True where it compares without regard to case (CiString, identifierString).
        ci: bool,
        /// True where the text of the standard allows only the characters of an identifier
        /// ([`is_identifier_char`]).
        ident: bool,
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

/// True for the characters of an identifierString: letters and digits of ASCII, and a few signs.
pub fn is_identifier_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "*-_=:+|@.".contains(c)
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
            Type::Str { max, ci, ident } => {
                let name = match (ident, ci) {
                    (true, _) => "ident",
                    (false, true) => "ci",
                    (false, false) => "str",
                };
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
