//! Standardised configuration keys, and the variables of the device model.

use crate::json::Number;
use crate::time::{DateTimeText, Form};

/// One standardised configuration key.
#[derive(Debug)]
pub struct ConfigKey {
    /// Its name; keys compare without regard to case.
    pub name: String,
    /// The profile that it belongs to.
    pub profile: String,
    /// True where a station that supports the profile must have it.
    pub required: bool,
    /// What the CSMS may do with it.
    pub access: Access,
    /// What its value holds; on the wire every value is a string.
    pub ty: ConfigType,
    /// Unit of the value: `s`, `Wh`, `%`, `times`.
    pub unit: Option<String>,
    /// The least value that makes sense.
    pub min: Option<i64>,
    /// The greatest value that makes sense; of a text, the most characters.
    pub max: Option<i64>,
    /// For a list: the items that the standard names, where it closes the list.
    pub values: Vec<String>,
    /// True where the value is a credential and must appear nowhere.
    pub secret: bool,
    /// The clause that defines it, with its document.
    pub clause: String,
}

/// One standardised variable of the device model (2.x), which took the place of configuration keys.
#[derive(Debug)]
pub struct Variable {
    /// The component that it belongs to; `*` where every component may have it.
    pub component: String,
    /// The instance of the variable; a name in angle brackets is left to the station.
    pub instance: Option<String>,
    /// Its name and all that it shares with a configuration key.
    pub value: ConfigKey,
}

/// What the CSMS may do with a configuration key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    R,
    /// Read and write.
    RW,
    /// Write only: it is never given back.
    W,
    /// The station's choice between read only and read and write.
    ROrRW,
}

/// What the value of a configuration key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`.
    Bool,
    /// An integer.
    Int,
    /// A decimal number.
    Decimal,
    /// An instant, as in RFC 3339.
    DateTime,
    /// One of the values.
    Option,
    /// A comma-separated list.
    List,
    /// Free text.
    Text,
}

impl ConfigKey {
    /// Whether a value on the wire is one that the key can hold: the reason if not, for a person to read.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self.ty {
            ConfigType::Text => match self.max {
                Some(max) if value.chars().count() as i64 > max => Err(format!("more than {max} characters")),
                _ => Ok(()),
            },
            ConfigType::Bool if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") => {
                Ok(())
            }
            ConfigType::Bool => Err("neither true nor false".to_owned()),
            ConfigType::Int => {
                let value: i64 = value.parse().map_err(|_| "no integer".to_owned())?;
                match (self.min, self.max) {
                    (Some(min), _) if value < min => Err(format!("less than {min}")),
                    (_, Some(max)) if value > max => Err(format!("more than {max}")),
                    _ => Ok(()),
                }
            }
            ConfigType::Decimal => match Number::parse(value) {
                Some(_) => Ok(()),
                None => Err("no number".to_owned()),
            },
            ConfigType::DateTime => match DateTimeText::parse(value) {
                Ok(read) if read.form == Form::Rfc3339 => Ok(()),
                _ => Err("no date-time as in RFC 3339".to_owned()),
            },
            ConfigType::Option
                if self.values.is_empty() || self.values.iter().any(|known| known == value) =>
            {
                Ok(())
            }
            ConfigType::Option => Err(format!("not one of {}", self.values.join(", "))),
            ConfigType::List => {
                let mut items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
                let known =
                    |item: &str| self.values.is_empty() || self.values.iter().any(|known| known == item);
                items.find(|item| !known(item)).map_or(Ok(()), |item| {
                    let item: String = item.chars().take(60).collect();
                    Err(format!("`{item}` is not one of {}", self.values.join(", ")))
                })
            }
        }
    }
}

impl Variable {
    /// True where this is the variable of that component, name and instance.
    pub(crate) fn is(&self, component: &str, name: &str, instance: Option<&str>) -> bool {
        let same_instance = match (&self.instance, instance) {
            (None, None) => true,
            (Some(known), Some(asked)) => known.starts_with('<') || known.eq_ignore_ascii_case(asked),
            _ => false,
        };
        same_instance
            && (self.component == "*" || self.component.eq_ignore_ascii_case(component))
            && self.value.name.eq_ignore_ascii_case(name)
    }
}

impl Access {
    /// True where the CSMS may read it.
    pub const fn readable(self) -> bool {
        !matches!(self, Self::W)
    }

    /// True where the CSMS may always write it.
    pub const fn writable(self) -> bool {
        matches!(self, Self::RW | Self::W)
    }
}

#[cfg(test)]
mod tests {
    use crate::edition::Edition;

    #[test]
    fn values_of_keys_are_checked() {
        let check = |key, value| Edition::ocpp16().config_key(key).unwrap().check(value);
        assert_eq!(check("HeartbeatInterval", "300"), Ok(()));
        assert_eq!(check("HeartbeatInterval", "-1"), Err("less than 0".to_owned()));
        assert_eq!(check("HeartbeatInterval", "soon"), Err("no integer".to_owned()));
        assert_eq!(check("SecurityProfile", "4"), Err("more than 3".to_owned()));
        assert_eq!(check("LocalPreAuthorize", "True"), Ok(()));
        assert_eq!(
            check("LocalPreAuthorize", "1"),
            Err("neither true nor false".to_owned())
        );
        assert_eq!(check("SupportedFeatureProfiles", "Core, Reservation"), Ok(()));
        assert!(
            check("SupportedFeatureProfiles", "Core,Odd")
                .unwrap_err()
                .contains("`Odd`")
        );
        assert_eq!(check("MeterValuesSampledData", "Voltage.L1,SoC"), Ok(()));
        assert_eq!(check("CpoName", "anything"), Ok(()));
    }
}
