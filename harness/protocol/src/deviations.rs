//! Where two documents disagree. Such a place is never more than a warning, which cites both readings.

/// One place at which two documents say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deviation {
    /// Its id: `date-time-iso8601`.
    pub id: &'static str,
    /// Edition that it belongs to.
    pub edition: &'static str,
    /// What it is about.
    pub place: &'static str,
    /// The stricter reading, with its source.
    pub strict: &'static str,
    /// The other reading, with its source.
    pub lenient: &'static str,
    /// What we do about it.
    pub verdict: &'static str,
}

const OCPP16: &str = "OCPP-1.6";
const OCPP201: &str = "OCPP-2.0.1";

static DEVIATIONS: [Deviation; 14] = [
    Deviation {
        id: "celsius",
        edition: OCPP16,
        place: "SampledValue.unit",
        strict: "`Celsius` (OCPP-1.6 7.45 and the WSDL; the errata of 2019 told stations to switch)",
        lenient: "`Celcius` (the first JSON schemas; OCPP-1.6J-errata of 2025-04 tells stations to keep it)",
        verdict: "a station may send either, a CSMS must take both",
    },
    Deviation {
        id: "hertz",
        edition: OCPP16,
        place: "SampledValue.unit",
        strict: "there is no unit for frequency, and the schemas list no `Hertz`",
        lenient: "OCPP-1.6-errata 3.86 calls the unit of Frequency Hertz; some copies of the schemas list it",
        verdict: "`Hertz` is a warning",
    },
    Deviation {
        id: "empty-list",
        edition: OCPP16,
        place: "meterValue, sampledValue, chargingSchedulePeriod",
        strict: "one or more items (OCPP-1.6 6.31, 7.13, 7.33)",
        lenient: "any number (the JSON schemas have no minItems; the WSDL lets meterValue be absent)",
        verdict: "an empty list is a warning",
    },
    Deviation {
        id: "date-time-iso8601",
        edition: OCPP16,
        place: "every date-time",
        strict: "RFC 3339 (`format: date-time` in the schemas)",
        lenient: "ISO 8601 (OCPP-1.6 3.15), so that an offset or the seconds may be absent",
        verdict: "what only ISO 8601 allows is a warning",
    },
    Deviation {
        id: "uri-format",
        edition: OCPP16,
        place: "GetDiagnostics.location, UpdateFirmware.location",
        strict: "a URI (`format: uri` in the schemas, anyURI in the text)",
        lenient: "an annotation that most validators do not check",
        verdict: "what is no URI is a warning",
    },
    Deviation {
        id: "int32",
        edition: OCPP16,
        place: "every integer",
        strict: "32 bits, signed (xs:int in the WSDL)",
        lenient: "the JSON schemas set no bound",
        verdict: "a greater integer is a warning",
    },
    Deviation {
        id: "integer-with-fraction",
        edition: OCPP16,
        place: "every integer",
        strict: "`1.0` is no integer (JSON Schema draft-04, which OCPP-1.6J-errata 3.8 names)",
        lenient: "`1.0` is the integer 1 (JSON Schema draft-06 and later)",
        verdict: "such a spelling is a warning",
    },
    Deviation {
        id: "null-payload",
        edition: OCPP16,
        place: "the payload of a message without required fields",
        strict: "an object (`type: object` in the schemas)",
        lenient: "`null` is allowed where there is nothing to say, `{}` preferred (OCPP-1.6J 4.2.1, 4.2.2)",
        verdict: "`null` is a warning",
    },
    Deviation {
        id: "duplicate-key",
        edition: OCPP16,
        place: "every object",
        strict: "names in an object should be unique (RFC 8259 4)",
        lenient: "it is a SHOULD, and most readers take the last one",
        verdict: "a duplicate key is a warning",
    },
    Deviation {
        id: "field-length",
        edition: OCPP201,
        place: "Get15118EVCertificate.exiResponse",
        strict: "at most 5600 characters (the schema)",
        lenient: "a station may announce that it takes more (OCPPCommCtrlr.FieldLength, OCPP-2.0.1-messages 1.16.2); \
                  copies of the schemas in use say 7500",
        verdict: "up to 7500 characters it is a warning",
    },
    Deviation {
        id: "one-decimal-place",
        edition: OCPP201,
        place: "ChargingSchedulePeriod.limit, ChargingSchedule.minChargingRate",
        strict: "at most one decimal place (the description of the fields, OCPP-2.0.1-messages 2.11, 2.12)",
        lenient: "any number of them (the schemas set no multipleOf, as those of 1.6 did; no requirement repeats it)",
        verdict: "a second decimal place is a warning",
    },
    Deviation {
        id: "integer-with-fraction",
        edition: OCPP201,
        place: "every integer",
        strict: "digits and a minus sign alone (the primitive types, OCPP-2.0.1 2.1.4)",
        lenient: "`1.0` is the integer 1 (JSON Schema draft-06, in which the schemas are written)",
        verdict: "such a spelling is a warning",
    },
    Deviation {
        id: "null-payload",
        edition: OCPP201,
        place: "the payload of a message without required fields",
        strict: "an object (`type: object` in the schemas)",
        lenient: "`null` is possible where there is nothing to say, `{}` good practice (OCPP-2.0.1J 4.1.5)",
        verdict: "`null` is a warning",
    },
    Deviation {
        id: "duplicate-key",
        edition: OCPP201,
        place: "every object",
        strict: "names in an object should be unique (RFC 8259 4)",
        lenient: "it is a SHOULD, and most readers take the last one",
        verdict: "a duplicate key is a warning",
    },
];

/// Every deviation that is known.
pub fn deviations() -> &'static [Deviation] {
    &DEVIATIONS
}

/// The deviation of that id in an edition; `None` where its documents agree.
pub fn deviation(edition: &str, id: &str) -> Option<&'static Deviation> {
    DEVIATIONS
        .iter()
        .find(|deviation| deviation.id == id && deviation.edition == edition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_found() {
        for row in deviations() {
            assert_eq!(deviation(row.edition, row.id), Some(row), "{}", row.id);
            assert!(crate::Edition::names().any(|name| name == row.edition));
            assert_ne!(row.strict, row.lenient);
        }
        assert_eq!(deviation(OCPP16, "nothing"), None);
        assert_eq!(deviation("OCPP-9", "celsius"), None);
    }
}
