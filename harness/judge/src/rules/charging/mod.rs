//! Smart charging: which profiles are taken, what the composite schedule says, whether limits are kept.

pub(super) mod composite;
pub(super) mod csms;
pub(super) mod kept;
pub(super) mod profiles;

use plugfest_protocol::{Json, Timestamp};

use super::support::number_fact;
use crate::ocpp16::charging::Running;
use crate::rule::Context;

/// The transaction on a connector, as far as the facts tell.
fn running(context: &Context<'_>, connector: i64) -> Option<Running> {
    let id = number_fact(context, &format!("transaction.{connector}"))?;
    let instant = |part: &str| {
        let fact = context.facts.fact(&format!("transaction.{connector}.{part}"))?;
        Timestamp::parse(fact.as_str()?).ok()
    };
    // A transaction in which nothing has flowed yet may begin to at any time.
    let charging = instant("charging").unwrap_or(context.at);
    let mut anchors: Vec<Timestamp> = instant("start").into_iter().collect();
    anchors.push(charging);
    Some(Running { id, anchors })
}

/// The items of a list in a configuration value.
fn list<'a>(context: &Context<'a>, key: &str) -> Option<Vec<&'a str>> {
    let value = context
        .facts
        .fact(&format!("config.{key}"))
        .and_then(Json::as_str)?;
    Some(
        value
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .collect(),
    )
}
