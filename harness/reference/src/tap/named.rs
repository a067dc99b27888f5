//! The defects of the table that sat where frames and payloads are written.

use std::time::Duration;

use plugfest_protocol::{Frame, Json, Number, Timestamp, object};

use super::{Passing, Tap};
use crate::defect::Defect;

/// When an impatient station repeats a CALL that has not been answered.
const IMPATIENCE: Duration = Duration::from_secs(3);

impl Tap {
    /// What a device with that defect says in place of the text.
    pub(super) fn deviate(
        &mut self,
        defect: Defect,
        passing: &mut Passing<'_>,
        text: String,
        now: Timestamp,
    ) -> Vec<String> {
        if let Some(texts) = self.breaks_frames(defect, passing, &text, now) {
            return texts;
        }
        let changed = match &mut passing.frame {
            Frame::CallError { code, .. } => miscodes(defect, code),
            _ => self.miswrites(defect, passing),
        };
        vec![if changed { passing.frame.to_text() } else { text }]
    }

    /// Frames that are broken, doubled, or not alone. `None` where this one is left as it is.
    fn breaks_frames(
        &mut self,
        defect: Defect,
        passing: &Passing<'_>,
        text: &str,
        now: Timestamp,
    ) -> Option<Vec<String>> {
        let id = passing.frame.id();
        Some(match defect {
            // The buffer for the answer was one key too short.
            Defect::CsGetconfTruncatedJson
                if passing.is_result("GetConfiguration")
                    && passing
                        .request
                        .is_some_and(|request| request.get("key").is_some()) =>
            {
                vec![text.trim_end_matches(['}', ']']).to_owned()]
            }
            // The list is written with the separator before each item.
            Defect::CsMeterStrayComma => {
                if passing.is_result("SetChargingProfile") {
                    self.armed |= text.contains("Accepted");
                }
                if !(self.armed && passing.is_call("MeterValues")) {
                    return None;
                }
                vec![text.replace("\"sampledValue\":[", "\"sampledValue\":[,")]
            }
            // The id was formatted from a variable that was never set.
            Defect::CsMeterEmptyTxid if passing.is_call("MeterValues") => {
                let (before, after) = text.split_once("\"transactionId\":")?;
                let after = after.trim_start_matches(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
                vec![format!("{before}\"transactionId\":{after}")]
            }
            Defect::CsWrongMessageType if text.starts_with("[3,") => vec![text.replacen("[3,", "[2,", 1)],
            Defect::CsCallresultWithAction if text.starts_with("[3,") => {
                let head = format!("[3,\"{id}\",");
                let rest = text.strip_prefix(&head)?;
                vec![format!("{head}\"{}\",{rest}", passing.action)]
            }
            // Its own timer, shorter than the time-out of the connection.
            Defect::CsResendBeforeTimeout if passing.is_call("StartTransaction") => {
                self.hold(text.to_owned(), now.plus(IMPATIENCE));
                vec![text.to_owned()]
            }
            Defect::CsmsErrordetailsString if matches!(passing.frame, Frame::CallError { .. }) => {
                let head = text.strip_suffix("{}]")?;
                vec![format!("{head}\"\"]")]
            }
            Defect::CsmsDoubleCallresult if passing.is_result("Heartbeat") => {
                vec![text.to_owned(), text.to_owned()]
            }
            // The office greets a station before it has read what the station says.
            Defect::CsmsCallsBeforeBoot if passing.is_result("BootNotification") => {
                let call = Frame::Call {
                    id: format!("greeting-{id}"),
                    action: "GetConfiguration".to_owned(),
                    payload: Json::empty(),
                };
                vec![call.to_text(), text.to_owned()]
            }
            _ => return None,
        })
    }

    /// Payloads with a wrong field. True where something was changed.
    fn miswrites(&mut self, defect: Defect, passing: &mut Passing<'_>) -> bool {
        let is_call = |action: &str| passing.is_call(action);
        let (boot, start) = (is_call("BootNotification"), is_call("StartTransaction"));
        let (stop, meter) = (is_call("StopTransaction"), is_call("MeterValues"));
        let status = is_call("StatusNotification");
        let result = |action: &str| passing.is_result(action);
        let (configuration, schedule) = (result("GetConfiguration"), result("GetCompositeSchedule"));
        let (transfer, started, unlock) = (
            result("DataTransfer"),
            result("StartTransaction"),
            result("UnlockConnector"),
        );
        let answer = !matches!(passing.frame, Frame::Call { .. });
        let profile = is_call("SetChargingProfile");
        let Some(payload) = passing.payload_mut() else {
            return false;
        };
        match defect {
            // The word of the firmware and not the one of the standard.
            Defect::CsErrorcodeInvalidEnum if status => {
                let faulty = payload
                    .get("errorCode")
                    .and_then(Json::as_str)
                    .is_some_and(|code| code != "NoError");
                faulty && payload.set_pointer("/errorCode", "Error".into())
            }
            Defect::CsMeterUnitHz if meter => each_list(payload, &mut |samples| {
                samples.push(object! { "value": "50.00", "measurand": "Frequency", "unit": "Hz" });
            }),
            Defect::CsMeterValueNumber if meter => each_sample(payload, &mut |sample| {
                let number = sample.get("value").and_then(Json::as_str).and_then(Number::parse);
                if let (Some(number), Some(place)) = (number, sample.pointer_mut("/value")) {
                    *place = Json::Number(number);
                }
            }),
            Defect::CsMeterValueWhitespace if meter => each_sample(payload, &mut |sample| {
                if let Some(Json::String(value)) = sample.pointer_mut("/value") {
                    value.insert(0, ' ');
                }
            }),
            Defect::CsGetconfNonstring if configuration => untype_values(payload),
            Defect::CsBootSerialTooLong if boot => payload.set_pointer(
                "/chargePointSerialNumber",
                "SERIAL-0000000000000000000000001".into(),
            ),
            Defect::CsBootModelTooLong if boot => {
                payload.set_pointer("/chargePointModel", "Reference Station with a long name".into())
            }
            Defect::CsTimestampNoZone if !answer => each_instant(payload, "timestamp", &|text| {
                text.strip_suffix('Z').map(str::to_owned)
            }),
            Defect::CsmsCurrenttimeNoZone if answer => each_instant(payload, "currentTime", &|text| {
                text.strip_suffix('Z').map(str::to_owned)
            }),
            // February has 29 days, always.
            Defect::CsFeb29Bug if !answer => each_instant(payload, "timestamp", &|text| {
                let (year, rest) = text.split_once("-03-01T")?;
                let leap = year.parse::<u32>().is_ok_and(|year| year % 4 == 0);
                (!leap).then(|| format!("{year}-02-29T{rest}"))
            }),
            Defect::CsStopTxidZero if stop => payload.set_pointer("/transactionId", 0.into()),
            Defect::CsStopNoTxid if stop => payload.remove_pointer("/transactionId").is_some(),
            Defect::CsMeterTxidZeroRandom if meter && payload.get("transactionId").is_some() => {
                self.chances += 1;
                self.chances.is_multiple_of(2) && payload.set_pointer("/transactionId", 0.into())
            }
            Defect::CsMeterstopZero if stop => payload.set_pointer("/meterStop", 0.into()),
            Defect::CsMeterstopNegative if stop => payload.set_pointer("/meterStop", (-1).into()),
            Defect::CsMeterstartTruncated if start => {
                let meter = payload
                    .get("meterStart")
                    .and_then(Json::as_i64)
                    .unwrap_or_default();
                meter > 0xffff && payload.set_pointer("/meterStart", (meter & 0xffff).into())
            }
            Defect::CsUnlockAccepted if unlock => {
                payload.get("status").and_then(Json::as_str) == Some("Unlocked")
                    && payload.set_pointer("/status", "Accepted".into())
            }
            Defect::CsCompositeEmptyPeriods if schedule => {
                payload.get("chargingSchedule").is_some()
                    && payload.set_pointer("/chargingSchedule/chargingSchedulePeriod", Vec::new().into())
            }
            Defect::CsMinchargerateTypo if schedule => match payload.pointer_mut("/chargingSchedule") {
                Some(Json::Object(members)) => {
                    let rate = members.remove("minChargingRate").unwrap_or_else(|| 0.into());
                    members.insert("minChargeRate", rate);
                    true
                }
                _ => false,
            },
            Defect::CsmsDatatransferNoStatus if transfer => payload.remove_pointer("/status").is_some(),
            Defect::CsmsStarttxConfExtraField if started => payload.set_pointer("/status", "Accepted".into()),
            Defect::CsmsProfileWrongUnit if profile => {
                let unit = "/csChargingProfiles/chargingSchedule/chargingRateUnit";
                payload.pointer(unit).and_then(Json::as_str) == Some("A")
                    && payload.set_pointer(unit, "W".into())
            }
            _ => false,
        }
    }
}

/// Error codes in the spelling of other editions.
fn miscodes(defect: Defect, code: &mut String) -> bool {
    let other = match (defect, code.as_str()) {
        (Defect::Any16Formatviolation, "FormationViolation") => "FormatViolation",
        (Defect::Any16OccurrenceSpelling, "OccurenceConstraintViolation") => "OccurrenceConstraintViolation",
        // One code of the later edition for everything that its validator refuses.
        (Defect::Csms16Formatviolation, code) if code.ends_with("Violation") => "FormatViolation",
        _ => return false,
    };
    other.clone_into(code);
    true
}

/// Configuration values as the program has them, and not as text.
fn untype_values(payload: &mut Json) -> bool {
    let Some(keys) = payload
        .pointer_mut("/configurationKey")
        .and_then(Json::as_array_mut)
    else {
        return false;
    };
    for key in keys {
        let typed = match key.get("value").and_then(Json::as_str) {
            Some("true") => Json::Bool(true),
            Some("false") => Json::Bool(false),
            Some(text) => match Number::parse(text) {
                Some(number) => Json::Number(number),
                None => continue,
            },
            None => continue,
        };
        if let Some(place) = key.pointer_mut("/value") {
            *place = typed;
        }
    }
    true
}

/// Every list of sampled values in MeterValues.
fn each_list(payload: &mut Json, change: &mut dyn FnMut(&mut Vec<Json>)) -> bool {
    let Some(values) = payload.pointer_mut("/meterValue").and_then(Json::as_array_mut) else {
        return false;
    };
    for value in values {
        if let Some(samples) = value.pointer_mut("/sampledValue").and_then(Json::as_array_mut) {
            change(samples);
        }
    }
    true
}

fn each_sample(payload: &mut Json, change: &mut dyn FnMut(&mut Json)) -> bool {
    each_list(payload, &mut |samples| samples.iter_mut().for_each(&mut *change))
}

/// Every instant of that name, at any depth. True where one was changed.
fn each_instant(json: &mut Json, name: &str, change: &dyn Fn(&str) -> Option<String>) -> bool {
    match json {
        Json::Array(items) => items
            .iter_mut()
            .fold(false, |any, item| each_instant(item, name, change) | any),
        Json::Object(_) => {
            let pointer = format!("/{name}");
            let changed = json.get(name).and_then(Json::as_str).and_then(change);
            let mut any = changed.is_some_and(|text| json.set_pointer(&pointer, text.into()));
            let keys: Vec<String> = json
                .as_object()
                .map(|members| members.keys().map(str::to_owned).collect())
                .unwrap_or_default();
            for key in keys.iter().filter(|key| *key != name) {
                if let Some(inner) = json.as_object_mut().and_then(|members| members.get_mut(key)) {
                    any |= each_instant(inner, name, change);
                }
            }
            any
        }
        _ => false,
    }
}
