//! HTTP Basic authentication (RFC 7617), with passwords that are bytes: a 1.6 AuthorizationKey need not be text.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A user name and a password as the header carries them. Its debug form hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The user name: for OCPP the identity of the station.
    pub user: String,
    /// The bytes of the password.
    pub password: Vec<u8>,
}

/// Why an `Authorization` header could not be read as Basic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Another scheme, such as `Bearer`.
    #[error("the scheme of the Authorization header is not Basic")]
    OtherScheme,
    /// Not base64.
    #[error("the credentials of the Authorization header are not base64")]
    NotBase64,
    /// No colon between user and password.
    #[error("the credentials of the Authorization header have no colon")]
    NoColon,
    /// The user name is no text.
    #[error("the user name in the Authorization header is not UTF-8")]
    UserNotUtf8,
}

impl BasicAuth {
    /// Credentials from their parts.
    pub fn new(user: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }

    /// The value of the `Authorization` header.
    pub fn header_value(&self) -> String {
        let mut plain = self.user.clone().into_bytes();
        plain.push(b':');
        plain.extend_from_slice(&self.password);
        format!("Basic {}", STANDARD.encode(plain))
    }

    /// Reads the value of an `Authorization` header.
    ///
    /// # Errors
    /// Another scheme, broken base64, no colon, or a user name that is not UTF-8.
    pub fn parse(value: &str) -> Result<Self, AuthError> {
        let (scheme, credentials) = value.trim().split_once(' ').ok_or(AuthError::OtherScheme)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(AuthError::OtherScheme);
        }
        let plain = STANDARD
            .decode(credentials.trim())
            .map_err(|_| AuthError::NotBase64)?;
        let colon = plain
            .iter()
            .position(|&byte| byte == b':')
            .ok_or(AuthError::NoColon)?;
        let user = std::str::from_utf8(&plain[..colon]).map_err(|_| AuthError::UserNotUtf8)?;
        Ok(Self {
            user: user.to_owned(),
            password: plain[colon + 1..].to_vec(),
        })
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BasicAuth({:?}, password of {} bytes)",
            self.user,
            self.password.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_any_bytes_survives_with_its_colons() {
        let auth = BasicAuth::new("CP001", *b"\x00\xff:x");
        assert_eq!(BasicAuth::parse(&auth.header_value()), Ok(auth));
    }

    #[test]
    fn the_example_of_the_standard_is_read_with_any_case_of_the_scheme() {
        let auth = BasicAuth::parse("bAsIc QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!(
            (auth.user.as_str(), auth.password.as_slice()),
            ("Aladdin", &b"open sesame"[..])
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(BasicAuth::parse("Bearer abc"), Err(AuthError::OtherScheme));
        assert_eq!(BasicAuth::parse("Basic"), Err(AuthError::OtherScheme));
        assert_eq!(BasicAuth::parse("Basic ***"), Err(AuthError::NotBase64));
        assert_eq!(BasicAuth::parse("Basic YWJj"), Err(AuthError::NoColon));
        assert_eq!(BasicAuth::parse("Basic /zph"), Err(AuthError::UserNotUtf8));
    }

    #[test]
    fn the_debug_form_hides_the_password() {
        assert_eq!(
            format!("{:?}", BasicAuth::new("u", "secret")),
            "BasicAuth(\"u\", password of 6 bytes)"
        );
    }
}
