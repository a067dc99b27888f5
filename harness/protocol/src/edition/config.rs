//! Standardised configuration keys.

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
    /// The greatest value that makes sense.
    pub max: Option<i64>,
    /// For a list: the items that the standard names, where it closes the list.
    pub values: Vec<String>,
    /// True where the value is a credential and must appear nowhere.
    pub secret: bool,
    /// The clause that defines it, with its document.
    pub clause: String,
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
    /// A comma-separated list.
    List,
    /// Free text.
    Text,
}

impl ConfigKey {
    /// Whether a value on the wire is one that the key can hold: the reason if not, for a person to read.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self.ty {
            ConfigType::Text => Ok(()),
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
