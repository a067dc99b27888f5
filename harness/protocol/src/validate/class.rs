//! The classes of mistakes that a payload can make.

use std::fmt;

/// What kind of mistake a payload makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ViolationClass {
    /// The payload is no object.
    RootType,
    /// A required field is absent.
    MissingRequired,
    /// A field that the closed object does not have.
    UnknownProperty,
    /// Another JSON type than the field's.
    WrongType,
    /// `null` where an optional field should be absent.
    NullForOptional,
    /// A number with a fraction where an integer is due.
    FractionForInteger,
    /// An integer written with fraction or exponent: `1.0`, `1e0`.
    IntegerSpelling,
    /// A literal that the enum does not have, also in another letter case.
    EnumLiteral,
    /// A string of too many characters.
    TooLong,
    /// An array of too few items.
    TooFewItems,
    /// An array of too many items.
    TooManyItems,
    /// A number beyond the bounds of the schema.
    OutOfRange,
    /// A number with too many decimal places.
    NotMultiple,
    /// A string that is no date-time.
    BadDateTime,
    /// A string that is no URI.
    BadUri,
    /// Against the text of the standard only: bounds and widths that no schema holds.
    SpecOnly,
    /// A key stands twice in one object.
    DuplicateKey,
}

impl ViolationClass {
    /// Every class there is.
    pub const ALL: [Self; 17] = [
        Self::RootType,
        Self::MissingRequired,
        Self::UnknownProperty,
        Self::WrongType,
        Self::NullForOptional,
        Self::FractionForInteger,
        Self::IntegerSpelling,
        Self::EnumLiteral,
        Self::TooLong,
        Self::TooFewItems,
        Self::TooManyItems,
        Self::OutOfRange,
        Self::NotMultiple,
        Self::BadDateTime,
        Self::BadUri,
        Self::SpecOnly,
        Self::DuplicateKey,
    ];

    /// Its id: `missing-required`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::RootType => "root-type",
            Self::MissingRequired => "missing-required",
            Self::UnknownProperty => "unknown-property",
            Self::WrongType => "wrong-type",
            Self::NullForOptional => "null-for-optional",
            Self::FractionForInteger => "fraction-for-integer",
            Self::IntegerSpelling => "integer-spelling",
            Self::EnumLiteral => "enum-literal",
            Self::TooLong => "too-long",
            Self::TooFewItems => "too-few-items",
            Self::TooManyItems => "too-many-items",
            Self::OutOfRange => "out-of-range",
            Self::NotMultiple => "not-multiple",
            Self::BadDateTime => "bad-date-time",
            Self::BadUri => "bad-uri",
            Self::SpecOnly => "spec-only",
            Self::DuplicateKey => "duplicate-key",
        }
    }

    /// The class of that id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.id() == id)
    }
}

impl fmt::Display for ViolationClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        for class in ViolationClass::ALL {
            assert_eq!(ViolationClass::parse(class.id()), Some(class));
            assert_eq!(class.to_string(), class.id());
        }
        assert_eq!(ViolationClass::parse("odd"), None);
    }
}
