//! The configuration keys of the station (OCPP 1.6 §9 and errata), their types and their values.

use std::fmt;
use std::time::Duration;

use super::config::{Makeup, Reservations, SmartCharging};
use super::meter::Measurand;
use super::profile::{MAX_STACK_LEVEL, MOST_PERIODS, MOST_PROFILES};
use crate::defect::Defect;

/// What a value may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Flag,
    /// A whole number in these bounds.
    Whole(i64, i64),
    /// A list of measurands that this station can measure.
    Measurands,
    /// A list of `connector.rotation`.
    PhaseRotation,
    /// Read-only text.
    Text,
}

/// A value that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Flag(bool),
    Whole(i64),
    Measurands(Vec<Measurand>),
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Measurands(list) => f.write_str(
                &list
                    .iter()
                    .map(|measurand| measurand.name())
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// One key of this station.
#[derive(Debug, Clone)]
struct Setting {
    key: &'static str,
    kind: Kind,
    writable: bool,
    value: Value,
}

/// What became of an attempt to change a key, with the words of ChangeConfiguration.conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Accepted,
    Rejected,
    NotSupported,
}

impl Change {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Rejected => "Rejected",
            Self::NotSupported => "NotSupported",
        }
    }
}

/// One key as GetConfiguration shows it.
pub(crate) struct Shown {
    pub(crate) key: &'static str,
    pub(crate) readonly: bool,
    pub(crate) value: String,
}

/// The configuration of one station.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    keys: Vec<Setting>,
    connectors: u32,
    defect: Option<Defect>,
}

/// Seconds that are still a sane interval: a year.
const LONGEST: i64 = 365 * 24 * 3600;
/// How many items each list of measurands may have.
const LIST_LENGTH: i64 = Measurand::ALL.len() as i64;

impl Settings {
    /// The values with which the station leaves the factory. A key stands only where its feature does (§9).
    pub(crate) fn factory(makeup: &Makeup) -> Self {
        let mut made = Self {
            keys: Vec::new(),
            connectors: makeup.connectors,
            defect: None,
        };
        let connectors = i64::from(makeup.connectors);
        if makeup.offline_start {
            made.writable("AllowOfflineTxForUnknownId", Kind::Flag, "false");
        }
        if makeup.auth_cache {
            made.writable("AuthorizationCacheEnabled", Kind::Flag, "true");
        }
        made.writable("AuthorizeRemoteTxRequests", Kind::Flag, "false");
        made.writable("BlinkRepeat", Kind::Whole(0, 1000), "3");
        made.writable("ClockAlignedDataInterval", Kind::Whole(0, 24 * 3600), "0");
        made.writable("ConnectionTimeOut", Kind::Whole(1, LONGEST), "60");
        let rotation = (0..=makeup.connectors)
            .map(|id| format!("{id}.Unknown"))
            .collect::<Vec<_>>()
            .join(",");
        made.writable("ConnectorPhaseRotation", Kind::PhaseRotation, &rotation);
        made.whole("ConnectorPhaseRotationMaxLength", connectors + 1);
        made.whole("GetConfigurationMaxKeys", 50);
        made.writable("HeartbeatInterval", Kind::Whole(1, LONGEST), "300");
        made.writable("LightIntensity", Kind::Whole(0, 100), "100");
        // Without offline start nobody may switch it on.
        made.add(
            "LocalAuthorizeOffline",
            Kind::Flag,
            true,
            if makeup.offline_start { "true" } else { "false" },
        );
        made.writable("LocalPreAuthorize", Kind::Flag, "false");
        made.writable("MaxEnergyOnInvalidId", Kind::Whole(0, 1_000_000), "0");
        made.writable(
            "MeterValuesAlignedData",
            Kind::Measurands,
            "Energy.Active.Import.Register",
        );
        made.whole("MeterValuesAlignedDataMaxLength", LIST_LENGTH);
        made.writable(
            "MeterValuesSampledData",
            Kind::Measurands,
            "Energy.Active.Import.Register",
        );
        made.whole("MeterValuesSampledDataMaxLength", LIST_LENGTH);
        made.writable("MeterValueSampleInterval", Kind::Whole(0, LONGEST), "60");
        made.writable("MinimumStatusDuration", Kind::Whole(0, LONGEST), "0");
        made.whole("NumberOfConnectors", connectors);
        made.writable("ResetRetries", Kind::Whole(0, 100), "1");
        made.writable("StopTransactionOnEVSideDisconnect", Kind::Flag, "true");
        made.writable("StopTransactionOnInvalidId", Kind::Flag, "true");
        made.writable("StopTxnAlignedData", Kind::Measurands, "");
        made.whole("StopTxnAlignedDataMaxLength", LIST_LENGTH);
        made.writable("StopTxnSampledData", Kind::Measurands, "");
        made.whole("StopTxnSampledDataMaxLength", LIST_LENGTH);
        if makeup.firmware {
            made.fixed("SupportedFileTransferProtocols", Kind::Text, "HTTP");
        }
        let profiles = profiles(makeup);
        made.fixed("SupportedFeatureProfiles", Kind::Text, &profiles.join(","));
        made.whole("SupportedFeatureProfilesMaxLength", profiles.len() as i64);
        made.writable("TransactionMessageAttempts", Kind::Whole(1, 100), "3");
        made.writable("TransactionMessageRetryInterval", Kind::Whole(0, LONGEST), "30");
        // Errata 3.84: read-only false where the cable cannot be taken off the station.
        let unlockable = makeup.locks();
        let unlock = if unlockable { "true" } else { "false" };
        made.add(
            "UnlockConnectorOnEVSideDisconnect",
            Kind::Flag,
            unlockable,
            unlock,
        );
        made.writable("WebSocketPingInterval", Kind::Whole(0, LONGEST), "60");
        if makeup.local_list {
            made.writable("LocalAuthListEnabled", Kind::Flag, "true");
            made.whole("LocalAuthListMaxLength", LIST_LENGTH_LIMIT as i64);
            made.whole("SendLocalListMaxLength", LIST_PART_LIMIT as i64);
        }
        match makeup.reservations {
            Reservations::Absent | Reservations::Refused => {}
            Reservations::Connector => made.fixed("ReserveConnectorZeroSupported", Kind::Flag, "false"),
            Reservations::Anywhere => made.fixed("ReserveConnectorZeroSupported", Kind::Flag, "true"),
        }
        let units = match makeup.smart_charging {
            SmartCharging::Absent => return made,
            SmartCharging::Current => "Current",
            SmartCharging::Power => "Power",
            SmartCharging::CurrentAndPower => "Current,Power",
        };
        made.whole("ChargeProfileMaxStackLevel", MAX_STACK_LEVEL);
        made.fixed("ChargingScheduleAllowedChargingRateUnit", Kind::Text, units);
        made.whole("ChargingScheduleMaxPeriods", MOST_PERIODS as i64);
        let switches = if makeup.phases > 1 { "true" } else { "false" };
        made.fixed("ConnectorSwitch3to1PhaseSupported", Kind::Flag, switches);
        made.whole("MaxChargingProfilesInstalled", MOST_PROFILES as i64);
        made
    }

    /// The same keys, read and written by a station with that defect.
    pub(crate) const fn with_defect(mut self, defect: Option<Defect>) -> Self {
        self.defect = defect;
        self
    }

    fn writable(&mut self, key: &'static str, kind: Kind, value: &str) {
        self.add(key, kind, true, value);
    }

    fn fixed(&mut self, key: &'static str, kind: Kind, value: &str) {
        self.add(key, kind, false, value);
    }

    fn whole(&mut self, key: &'static str, value: i64) {
        self.keys.push(Setting {
            key,
            kind: Kind::Whole(value, value),
            writable: false,
            value: Value::Whole(value),
        });
    }

    fn add(&mut self, key: &'static str, kind: Kind, writable: bool, value: &str) {
        // The factory's own values are legal: a test builds every make-up.
        let value = self
            .parse(key, kind, value)
            .unwrap_or_else(|| Value::Text(value.to_owned()));
        self.keys.push(Setting {
            key,
            kind,
            writable,
            value,
        });
    }

    /// Changes a key as ChangeConfiguration asks (§5.3): a wrong value changes nothing.
    pub(crate) fn change(&mut self, key: &str, text: &str) -> Change {
        let Some(at) = self
            .keys
            .iter()
            .position(|setting| setting.key.eq_ignore_ascii_case(key))
        else {
            return Change::NotSupported;
        };
        let Setting {
            key, kind, writable, ..
        } = self.keys[at];
        let slips = self.defect == Some(Defect::CsConfigRoWritable)
            && key == "ChargingScheduleAllowedChargingRateUnit";
        if !writable && !slips {
            // One branch for everything that cannot be written.
            return match self.defect {
                Some(Defect::CsConfigRoNotsupported) => Change::NotSupported,
                _ => Change::Rejected,
            };
        }
        let Some(value) = self.parse(key, kind, text) else {
            return Change::Rejected;
        };
        if key == "LocalAuthorizeOffline"
            && value == Value::Flag(true)
            && !self.has("AllowOfflineTxForUnknownId")
        {
            return Change::Rejected;
        }
        self.keys[at].value = value;
        Change::Accepted
    }

    fn parse(&self, key: &str, kind: Kind, text: &str) -> Option<Value> {
        match kind {
            Kind::Flag if text.eq_ignore_ascii_case("true") => Some(Value::Flag(true)),
            Kind::Flag if text.eq_ignore_ascii_case("false") => Some(Value::Flag(false)),
            Kind::Flag if self.defect == Some(Defect::CsConfigIntAsBool) => {
                whole(text).map(|number| Value::Flag(number != 0))
            }
            Kind::Flag => None,
            Kind::Whole(least, most) => self
                .read_whole(text)
                .filter(|value| *value <= most)
                .filter(|value| *value >= least || self.defect == Some(Defect::CsConfigNegative))
                .map(Value::Whole),
            Kind::Measurands => measurands(text).map(Value::Measurands),
            Kind::PhaseRotation => self.rotation(text).then(|| Value::Text(text.to_owned())),
            Kind::Text => {
                debug_assert!(!key.is_empty());
                Some(Value::Text(text.to_owned()))
            }
        }
    }

    /// A whole number as the station's own parser reads it.
    fn read_whole(&self, text: &str) -> Option<i64> {
        match self.defect {
            // The upper half of the number is lost.
            Some(Defect::CsConfigIntOverflow) => text.parse::<i64>().ok().map(|wide| i64::from(wide as i32)),
            // Reading stops at the point.
            Some(Defect::CsConfigFloatForInt) => whole(text.split_once('.').map_or(text, |(whole, _)| whole)),
            _ => whole(text),
        }
    }

    /// `0.RST,1.Unknown`: each connector at most once, each with a rotation that exists (§9.1.7).
    fn rotation(&self, text: &str) -> bool {
        const ROTATIONS: [&str; 8] = [
            "NotApplicable",
            "Unknown",
            "RST",
            "RTS",
            "SRT",
            "STR",
            "TRS",
            "TSR",
        ];
        let mut seen = Vec::new();
        text.split(',').map(str::trim).all(|item| {
            let Some((connector, rotation)) = item.split_once('.') else {
                return false;
            };
            let Some(connector) = whole(connector) else {
                return false;
            };
            let known =
                (0..=i64::from(self.connectors)).contains(&connector) && ROTATIONS.contains(&rotation);
            let first = !seen.contains(&connector);
            seen.push(connector);
            known && first
        })
    }

    /// Whether this station has the key at all.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    fn find(&self, key: &str) -> Option<&Setting> {
        self.keys
            .iter()
            .find(|setting| setting.key.eq_ignore_ascii_case(key))
    }

    /// All keys, in the order of the standard.
    pub(crate) fn all(&self) -> impl Iterator<Item = Shown> {
        self.keys.iter().map(Setting::show)
    }

    /// One key, its name compared without case.
    pub(crate) fn get(&self, key: &str) -> Option<Shown> {
        self.find(key).map(Setting::show)
    }

    /// A truth value; false where the station lacks the key.
    pub(crate) fn flag(&self, key: &str) -> bool {
        matches!(
            self.find(key),
            Some(Setting {
                value: Value::Flag(true),
                ..
            })
        )
    }

    /// A number; 0 where the station lacks the key.
    pub(crate) fn number(&self, key: &str) -> u64 {
        match self.find(key) {
            Some(Setting {
                value: Value::Whole(value),
                ..
            }) => u64::try_from(*value).unwrap_or(0),
            _ => 0,
        }
    }

    /// An interval in seconds; `None` for 0, which means off.
    pub(crate) fn interval(&self, key: &str) -> Option<Duration> {
        match self.number(key) {
            0 => None,
            seconds => Some(Duration::from_secs(seconds)),
        }
    }

    /// A list of measurands.
    pub(crate) fn measurands(&self, key: &str) -> &[Measurand] {
        match self.find(key) {
            Some(Setting {
                value: Value::Measurands(list),
                ..
            }) => list,
            _ => &[],
        }
    }
}

impl Setting {
    fn show(&self) -> Shown {
        Shown {
            key: self.key,
            readonly: !self.writable,
            value: self.value.to_string(),
        }
    }
}

/// How many tokens fit into the local list.
pub(crate) const LIST_LENGTH_LIMIT: usize = 100;
/// How many tokens may come in one SendLocalList.
pub(crate) const LIST_PART_LIMIT: usize = 60;

fn profiles(makeup: &Makeup) -> Vec<&'static str> {
    let mut profiles = vec!["Core"];
    if makeup.firmware {
        profiles.push("FirmwareManagement");
    }
    if makeup.local_list {
        profiles.push("LocalAuthListManagement");
    }
    if makeup.reservations.possible() {
        profiles.push("Reservation");
    }
    if makeup.smart_charging != SmartCharging::Absent {
        profiles.push("SmartCharging");
    }
    if makeup.remote_trigger {
        profiles.push("RemoteTrigger");
    }
    profiles
}

/// Decimal digits, perhaps behind a minus, in 32 bits: no plus, no blank, no fraction.
fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse::<i32>().ok())?.map(i64::from)
}

/// A list without repetition in which every item can be measured; empty text is the empty list (§3.16.4, .5).
fn measurands(text: &str) -> Option<Vec<Measurand>> {
    let mut list = Vec::new();
    for item in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
        let measurand = Measurand::by_name(item)?;
        if list.contains(&measurand) {
            return None;
        }
        list.push(measurand);
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::factory(&Makeup {
            connectors: 2,
            ..Makeup::default()
        })
    }

    #[test]
    fn all_core_keys_are_there_and_their_factory_values_are_legal() {
        let keys: Vec<&str> = settings().all().map(|shown| shown.key).collect();
        assert_eq!(keys.len(), 34 + 3 + 1 + 1 + 5, "{keys:?}");
        for makeup in [
            Makeup::default(),
            Makeup {
                fixed_cable: true,
                offline_start: false,
                auth_cache: false,
                ..Makeup::default()
            },
        ] {
            let made = Settings::factory(&makeup);
            for setting in &made.keys {
                let again = made.parse(setting.key, setting.kind, &setting.value.to_string());
                assert_eq!(again.as_ref(), Some(&setting.value), "{}", setting.key);
            }
        }
    }

    #[test]
    fn a_wrong_value_is_rejected_and_changes_nothing() {
        let mut settings = settings();
        for (key, value) in [
            ("HeartbeatInterval", "-1"),
            ("HeartbeatInterval", "0"),
            ("HeartbeatInterval", "3.7"),
            ("HeartbeatInterval", "+5"),
            ("HeartbeatInterval", " 5"),
            ("HeartbeatInterval", ""),
            ("HeartbeatInterval", "4294967296"),
            ("MeterValueSampleInterval", "2147483648"),
            ("LocalPreAuthorize", "1"),
            ("LocalPreAuthorize", "yes"),
            ("WebSocketPingInterval", "-1"),
            ("LightIntensity", "101"),
            ("MeterValuesSampledData", "Energy.Active.Import.Register,Nonsense"),
            ("MeterValuesSampledData", "SoC"),
            ("MeterValuesSampledData", "Voltage,Voltage"),
            ("ConnectorPhaseRotation", "3.RST"),
            ("ConnectorPhaseRotation", "1.RST,1.RST"),
            ("ConnectorPhaseRotation", "1.XYZ"),
            ("NumberOfConnectors", "2"),
            ("SupportedFeatureProfiles", "Core"),
        ] {
            let before: Vec<String> = settings.all().map(|shown| shown.value).collect();
            assert_eq!(settings.change(key, value), Change::Rejected, "{key} = {value}");
            assert_eq!(
                before,
                settings.all().map(|shown| shown.value).collect::<Vec<_>>()
            );
        }
        assert_eq!(settings.change("NoSuchKey", "1"), Change::NotSupported);
    }

    #[test]
    fn a_right_value_is_taken_without_regard_to_the_case_of_the_key() {
        let mut settings = settings();
        assert_eq!(settings.change("heartbeatinterval", "17"), Change::Accepted);
        assert_eq!(
            settings.interval("HeartbeatInterval"),
            Some(Duration::from_secs(17))
        );
        assert_eq!(settings.change("LocalPreAuthorize", "TRUE"), Change::Accepted);
        assert!(settings.flag("LocalPreAuthorize"));
        assert_eq!(
            settings.change("MeterValuesSampledData", "Voltage, Current.Import"),
            Change::Accepted
        );
        assert_eq!(
            settings.get("MeterValuesSampledData").unwrap().value,
            "Voltage,Current.Import"
        );
        assert_eq!(settings.change("StopTxnSampledData", ""), Change::Accepted);
        assert_eq!(
            settings.change("ConnectorPhaseRotation", "0.RST,1.RST,2.RTS"),
            Change::Accepted
        );
        assert_eq!(settings.change("MeterValueSampleInterval", "0"), Change::Accepted);
        assert_eq!(settings.interval("MeterValueSampleInterval"), None);
    }

    #[test]
    fn keys_follow_the_make_up() {
        let made = Settings::factory(&Makeup {
            fixed_cable: true,
            auth_cache: false,
            offline_start: false,
            local_list: false,
            remote_trigger: false,
            reservations: Reservations::Absent,
            firmware: false,
            smart_charging: SmartCharging::Absent,
            ..Makeup::default()
        });
        assert!(!made.has("AuthorizationCacheEnabled"));
        assert!(!made.has("AllowOfflineTxForUnknownId"));
        assert!(!made.has("LocalAuthListEnabled"));
        assert_eq!(made.get("SupportedFeatureProfiles").unwrap().value, "Core");
        let unlock = made.get("UnlockConnectorOnEVSideDisconnect").unwrap();
        assert!(unlock.readonly);
        assert_eq!(unlock.value, "false");
        let mut made = made;
        assert_eq!(made.change("LocalAuthorizeOffline", "true"), Change::Rejected);
    }
}
