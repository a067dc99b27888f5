//! Profiles that a CSMS sends.

use plugfest_protocol::Json;

use crate::finding::Level;
use crate::rule::{Context, Findings, RuleInfo, Seen, Wants};
use crate::rules::support::{Check, Entry, OCPP16, Ordered, int, text};

pub(in crate::rules) static RULES: &[Entry] = &[
    Entry::csms::<Place>(RuleInfo {
        id: "charging/csms-place",
        title: "a CSMS sets a profile where its purpose allows it",
        clause: "OCPP-1.6 3.13.1",
        level: Level::Must,
        editions: OCPP16,
        explain: "A ChargePointMaxProfile can only be set at connector 0, a TxProfile SHALL only be set above it. Not judged \
                  where the driver asked for the message.",
    }),
    Entry::csms::<RemoteStart>(RuleInfo {
        id: "charging/csms-remote-start",
        title: "the profile of a remote start is a TxProfile without a transaction",
        clause: "OCPP-1.6 5.16.2",
        level: Level::Must,
        editions: OCPP16,
        explain: "The purpose MUST be TxProfile and the transactionId SHALL NOT be set: the transaction has no id yet. Not \
                  judged where the driver asked for the message.",
    }),
    Entry::csms::<Fields>(RuleInfo {
        id: "charging/csms-profile-fields",
        title: "the fields of a profile go together",
        clause: "OCPP-1.6 7.13",
        level: Level::Must,
        editions: OCPP16,
        explain: "The first period SHALL begin at 0; a recurrencyKind SHALL only be there where the kind is Recurring \
                  (OCPP-1.6-errata 3.56); a transactionId is only valid in a TxProfile (OCPP-1.6 7.8). Not judged where \
                  the driver asked for the message.",
    }),
];

/// A profile that the CSMS sent by itself: connector and profile.
fn sent<'a>(ordered: &mut Ordered, seen: &Seen<'a>) -> Option<(&'a str, &'a Json, &'a Json)> {
    ordered.see(*seen);
    let (action, payload) = seen.dut_call()?;
    let field = match action {
        "SetChargingProfile" => "csChargingProfiles",
        "RemoteStartTransaction" => "chargingProfile",
        _ => return None,
    };
    if ordered.take(action) {
        return None;
    }
    Some((action, payload, payload.get(field)?))
}

/// Profiles where they do not belong.
#[derive(Debug, Default)]
struct Place {
    ordered: Ordered,
}

impl Check for Place {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(("SetChargingProfile", payload, profile)) = sent(&mut self.ordered, &seen) else {
            return;
        };
        let connector = int(payload, "connectorId");
        let expected = match (text(profile, "chargingProfilePurpose"), connector) {
            (Some("ChargePointMaxProfile"), Some(1..)) => "0",
            (Some("TxProfile"), Some(0)) => "a connector from 1",
            _ => return,
        };
        let actual = connector.unwrap_or_default().to_string();
        out.add(
            "a profile is set where its purpose does not allow it",
            expected,
            actual,
        )
        .at("/connectorId");
    }
}

/// Profiles of remote starts.
#[derive(Debug, Default)]
struct RemoteStart {
    ordered: Ordered,
}

impl Check for RemoteStart {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some(("RemoteStartTransaction", _, profile)) = sent(&mut self.ordered, &seen) else {
            return;
        };
        let purpose = text(profile, "chargingProfilePurpose").unwrap_or_default();
        if purpose != "TxProfile" {
            out.add(
                "a remote start brings a profile that is not for its transaction",
                "TxProfile",
                purpose,
            )
            .at("/chargingProfile/chargingProfilePurpose");
        }
        if let Some(id) = int(profile, "transactionId") {
            out.add(
                "a remote start brings a profile for another transaction",
                "none",
                id.to_string(),
            )
            .at("/chargingProfile/transactionId");
        }
    }
}

/// Fields that contradict each other.
#[derive(Debug, Default)]
struct Fields {
    ordered: Ordered,
}

impl Check for Fields {
    const WANTS: u8 = Wants::EVENT | Wants::CALL;

    fn see(&mut self, _: &Context<'_>, seen: Seen<'_>, out: &mut Findings) {
        let Some((action, _, profile)) = sent(&mut self.ordered, &seen) else {
            return;
        };
        let at = if action == "SetChargingProfile" {
            "/csChargingProfiles"
        } else {
            "/chargingProfile"
        };
        let first = profile
            .pointer("/chargingSchedule/chargingSchedulePeriod/0/startPeriod")
            .and_then(Json::as_i64);
        if let Some(first) = first.filter(|first| *first != 0) {
            out.add(
                "the first period of a schedule does not begin at 0",
                "0",
                first.to_string(),
            )
            .at(format!(
                "{at}/chargingSchedule/chargingSchedulePeriod/0/startPeriod"
            ));
        }
        let kind = text(profile, "chargingProfileKind").unwrap_or_default();
        if let Some(recurs) = text(profile, "recurrencyKind").filter(|_| kind != "Recurring") {
            out.add(
                format!("a profile that is {kind} recurs"),
                "no recurrencyKind",
                recurs,
            )
            .at(format!("{at}/recurrencyKind"))
            .clause("OCPP-1.6-errata 3.56");
        }
        let purpose = text(profile, "chargingProfilePurpose").unwrap_or_default();
        if let Some(id) = int(profile, "transactionId").filter(|_| purpose != "TxProfile") {
            out.add(
                format!("a {purpose} names a transaction"),
                "no transactionId",
                id.to_string(),
            )
            .at(format!("{at}/transactionId"))
            .clause("OCPP-1.6 7.8");
        }
    }
}
