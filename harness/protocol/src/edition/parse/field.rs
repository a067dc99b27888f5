//! Reading one field of a catalogue, and the ranges and numbers in its lines.

use super::Reader;
use crate::edition::{Field, Secret, Type};

impl Reader {
    pub(super) fn field(&self, words: &[&str]) -> Result<Field, String> {
        let [name, ty, attributes @ ..] = words else {
            return Err("a field is a name and a type".to_owned());
        };
        let (name, required) = name.strip_suffix('?').map_or((*name, true), |name| (name, false));
        let (ty, array) = match ty.strip_suffix(']').and_then(|ty| ty.split_once('[')) {
            Some((ty, bounds)) => {
                let (min, max) = range(bounds)?;
                (ty, Some((min.unwrap_or(0), max)))
            }
            None => (*ty, None),
        };
        let mut field = Field {
            name: name.to_owned(),
            ty: self.ty(ty)?,
            required,
            array,
            text_bounds: None,
            text_places: None,
            secret: None,
            like: None,
        };
        for attribute in attributes {
            if let Some(bounds) = attribute
                .strip_prefix("text(")
                .and_then(|rest| rest.strip_suffix(')'))
            {
                match bounds.strip_prefix("/0.") {
                    Some(unit) => field.text_places = Some(places(unit)?),
                    None => field.text_bounds = Some(range(bounds)?),
                }
            } else if *attribute == "secret" {
                field.secret = Some(Secret::Always);
            } else if let Some(by) = attribute.strip_prefix("secret-by=") {
                field.secret = Some(Secret::By(by.split('/').map(str::to_owned).collect()));
            } else if let Some(like) = attribute.strip_prefix("like=") {
                field.like = Some(like.to_owned());
            } else {
                return Err(format!("a field has no `{attribute}`"));
            }
        }
        Ok(field)
    }

    fn ty(&self, text: &str) -> Result<Type, String> {
        if let Some(of) = self.enums.get(text) {
            return Ok(Type::Enum(of));
        }
        if let Some(of) = self.types.get(text) {
            return Ok(Type::Object(of));
        }
        Ok(match text {
            "int" => Type::Int { min: None, max: None },
            "dec" => Type::Decimal { places: None },
            "bool" => Type::Bool,
            "datetime" => Type::DateTime,
            "uri" => Type::Uri,
            "any" => Type::Any,
            _ => {
                if let Some(of) = text_type(text) {
                    of
                } else if let Some(bounds) = text.strip_prefix("int(").and_then(|rest| rest.strip_suffix(')'))
                {
                    let (min, max) = range(bounds)?;
                    Type::Int { min, max }
                } else if let Some(unit) = text.strip_prefix("dec/0.") {
                    Type::Decimal {
                        places: Some(places(unit)?),
                    }
                } else {
                    return Err(format!("there is no type `{text}` above this line"));
                }
            }
        })
    }
}

/// `str`, `str20`, `ci20`, `ident36`.
fn text_type(text: &str) -> Option<Type> {
    let (kind, max) = text.split_at(text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len()));
    let (ci, ident) = match kind {
        "str" => (false, false),
        "ci" => (true, false),
        "ident" => (true, true),
        _ => return None,
    };
    let max = if max.is_empty() {
        None
    } else {
        Some(max.parse().ok()?)
    };
    Some(Type::Str { max, ci, ident })
}

/// How many decimal places `1`, `01`, `001`, … stand for, behind `0.`.
fn places(unit: &str) -> Result<u32, String> {
    let zeros = unit
        .strip_suffix('1')
        .filter(|zeros| zeros.bytes().all(|b| b == b'0'))
        .ok_or_else(|| format!("`0.{unit}` is no power of ten"))?;
    u32::try_from(zeros.len() + 1).map_err(|_| format!("`0.{unit}` is too small"))
}

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

/// `1..4`, `0..`, `..9`.
pub(super) fn range<T: std::str::FromStr>(text: &str) -> Result<(Option<T>, Option<T>), String> {
    let (min, max) = text
        .split_once("..")
        .ok_or_else(|| format!("`{text}` is no range"))?;
    let bound = |text: &str| {
        if text.is_empty() {
            Ok(None)
        } else {
            number(text).map(Some)
        }
    };
    Ok((bound(min)?, bound(max)?))
}
