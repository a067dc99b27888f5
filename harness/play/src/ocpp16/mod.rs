//! The two sides of OCPP 1.6 as we ordinarily play them.

mod charging;
mod csms;
mod profiles;
mod station;

pub(crate) use csms::Csms;
pub(crate) use station::Station;

use plugfest_protocol::{Json, Object};

/// An object from pairs.
fn object<const N: usize>(pairs: [(&str, Json); N]) -> Json {
    Json::Object(
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Object>(),
    )
}

/// The `$` value at a path.
fn at<'a>(values: &'a Json, path: &[&str]) -> Option<&'a Json> {
    path.iter().try_fold(values, |value, name| value.get(name))
}
