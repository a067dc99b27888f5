//! What our file server has: one location for each way in which a transfer can end.

use std::sync::Arc;

use hyper::body::Bytes;
use plugfest_protocol::{Json, Object};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Bytes of a firmware that nobody gave us.
const LENGTH: usize = 32 << 10;
/// With this line the image begins that stands for a good firmware where the profile names none.
const GOOD: &[u8] = b"plugfest firmware\n";

/// A place of the file server, in the order of [`Location::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// Takes uploads.
    Upload,
    /// Cuts every transfer.
    Refusing,
    /// Has nothing: 404.
    Missing,
    /// Gives the firmware.
    Firmware,
    /// Gives bytes that are no firmware.
    Corrupt,
}

impl Location {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Upload,
        Self::Refusing,
        Self::Missing,
        Self::Firmware,
        Self::Corrupt,
    ];

    /// Its name: the first segment of its path, and the name behind `$files.`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Refusing => "refusing",
            Self::Missing => "missing",
            Self::Firmware => "firmware",
            Self::Corrupt => "corrupt",
        }
    }

    /// The location of a path: a station may add the name of its file.
    pub(super) fn of(path: &str) -> Option<Self> {
        let first = path.trim_start_matches('/').split(['/', '?']).next()?;
        Self::ALL.into_iter().find(|l| l.name() == first)
    }
}

/// The files that are given away.
#[derive(Debug, Clone)]
pub struct Shelf {
    pub(super) firmware: Bytes,
    pub(super) corrupt: Bytes,
}

impl Shelf {
    /// With this firmware, or with one of our own, which only a played or a reference station would install.
    pub fn new(firmware: Option<Vec<u8>>) -> Self {
        let mut noise = vec![0; LENGTH];
        // Always the same, so that a run can be repeated.
        ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut noise);
        let good = || [GOOD, noise.as_slice()].concat();
        Self {
            firmware: Bytes::from(firmware.unwrap_or_else(good)),
            corrupt: Bytes::from(noise),
        }
    }

    /// The `$files` values of a server that is reached at this URL.
    pub fn values(base: &str) -> Json {
        let mut files = Object::new();
        for location in Location::ALL {
            files.insert(location.name(), url_of(base, location));
        }
        let mut values = Object::new();
        values.insert("files", Json::Object(files));
        Json::Object(values)
    }

    pub(super) fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

/// The URL of a location.
pub(super) fn url_of(base: &str, location: Location) -> String {
    format!("{}/{}", base.trim_end_matches('/'), location.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_found_below_its_name() {
        assert_eq!(Location::of("/upload/diag.zip?x"), Some(Location::Upload));
        assert_eq!(Location::of("/firmware"), Some(Location::Firmware));
        assert_eq!(Location::of("/uploads"), None);
        assert_eq!(Location::of("/"), None);
    }

    #[test]
    fn every_location_has_its_value() {
        let values = Shelf::values("http://h:1/");
        assert_eq!(
            values.pointer("/files/missing").and_then(Json::as_str),
            Some("http://h:1/missing")
        );
    }
}
