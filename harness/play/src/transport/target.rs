//! URLs of devices, read strictly and with errors that say how to mend them.

use std::fmt;

use crate::wire::encode_segment;

/// The scheme of a URL that we can dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// WebSocket over TCP.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// What a charging station or a CSMS is reached by.
    pub const WEB_SOCKET: [Self; 2] = [Self::Ws, Self::Wss];
    /// What an operator's interface is reached by.
    pub const HTTP: [Self; 2] = [Self::Http, Self::Https];

    /// The name before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// True where the stream is encrypted.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Wss | Self::Https)
    }

    fn default_port(self) -> u16 {
        if self.is_tls() { 443 } else { 80 }
    }
}

/// A URL taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How to connect.
    pub scheme: Scheme,
    /// A host name or an address, an IPv6 one without its brackets.
    pub host: String,
    /// The port, the scheme's own where the URL names none.
    pub port: u16,
    /// Path and query, beginning with a slash.
    pub path: String,
}

/// Why a URL cannot be used. The text never shows a password that stood in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("url `{url}`: {what}")]
pub struct TargetError {
    /// The URL without user, password and query, for these may be secret.
    pub url: String,
    /// What is wrong and how to mend it.
    pub what: String,
}

impl Target {
    /// Reads a URL with one of the `allowed` schemes.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub fn parse(url: &str, allowed: &[Scheme]) -> Result<Self, TargetError> {
        read(url, allowed).map_err(|what| TargetError {
            url: without_secrets(url),
            what,
        })
    }

    /// The value of the `Host` header: the port only where it is not the scheme's own.
    pub fn host_header(&self) -> String {
        let host = self.bracketed_host();
        if self.port == self.scheme.default_port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Path and query with `identity` added as the last, percent-encoded segment of the path.
    pub fn path_with(&self, identity: &str) -> String {
        path_with(&self.path, identity)
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.host_header(), self.path)
    }
}

/// A path and its query with `identity` added as the last, percent-encoded segment of the path.
pub(crate) fn path_with(path: &str, identity: &str) -> String {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (path, String::new()),
    };
    format!(
        "{}/{}{query}",
        path.trim_end_matches('/'),
        encode_segment(identity)
    )
}

fn read(url: &str, allowed: &[Scheme]) -> Result<Target, String> {
    let forms = || {
        allowed
            .iter()
            .map(|scheme| format!("`{}://`", scheme.name()))
            .collect::<Vec<_>>()
            .join(" or ")
    };
    let (name, rest) = url
        .split_once("://")
        .ok_or_else(|| format!("has no scheme; begin it with {}", forms()))?;
    let scheme = allowed
        .iter()
        .find(|scheme| scheme.name().eq_ignore_ascii_case(name));
    let scheme =
        *scheme.ok_or_else(|| format!("scheme `{name}` is not usable here; begin it with {}", forms()))?;

    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err("carries a user; give user and password in the settings of their own".to_owned());
    }
    if path.contains('#') {
        return Err("carries a fragment (`#…`), which is never sent; remove it".to_owned());
    }
    if let Some(bad) = path.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(format!("path has the character {bad:?}; percent-encode it"));
    }
    let (host, port) = read_authority(authority)?;
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Ok(Target {
        scheme,
        host,
        port: port.unwrap_or(scheme.default_port()),
        path,
    })
}

fn read_authority(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or("has no `]` after its IPv6 address")?;
        let address: std::net::Ipv6Addr = address
            .parse()
            .map_err(|_| "has no IPv6 address in its brackets")?;
        match after.strip_prefix(':') {
            None if !after.is_empty() => {
                return Err("has text after the bracket that is no `:port`".to_owned());
            }
            port => (address.to_string(), port),
        }
    } else {
        match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(
                    "has more than one colon in its host; put an IPv6 address into brackets".to_owned(),
                );
            }
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (authority.to_owned(), None),
        }
    };
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    if let Some(bad) = host
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-._:".contains(*c)))
    {
        return Err(format!("host has the character {bad:?}"));
    }
    let port = port.map(|port| match port.parse::<u16>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("port `{port}` is not a number from 1 to 65535")),
    });
    Ok((host, port.transpose()?))
}

fn without_secrets(url: &str) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, _)) => (url, "?…"),
        None => (url, ""),
    };
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '#']).map_or(url.len(), |at| start + at);
    match url[start..end].rfind('@') {
        Some(at) => format!("{}…{}{query}", &url[..start], &url[start + at..]),
        None => format!("{url}{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Target, String> {
        Target::parse(url, &Scheme::WEB_SOCKET).map_err(|error| error.to_string())
    }

    #[test]
    fn urls_come_apart_and_together() {
        for (url, host, port, path, header) in [
            (
                "ws://csms.example/ocpp",
                "csms.example",
                80,
                "/ocpp",
                "csms.example",
            ),
            (
                "WSS://csms.example:8443",
                "csms.example",
                8443,
                "/",
                "csms.example:8443",
            ),
            ("wss://[::1]:443/a?b=c", "::1", 443, "/a?b=c", "[::1]"),
            ("ws://10.0.0.1?x", "10.0.0.1", 80, "/?x", "10.0.0.1"),
        ] {
            let target = parse(url).unwrap();
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str()),
                (host, port, path),
                "{url}"
            );
            assert_eq!(target.host_header(), header);
            assert_eq!(parse(&target.to_string()), Ok(target));
        }
    }

    #[test]
    fn an_identity_becomes_the_last_segment() {
        assert_eq!(parse("ws://h/ocpp/").unwrap().path_with("CP 1"), "/ocpp/CP%201");
        assert_eq!(parse("ws://h").unwrap().path_with("CP1"), "/CP1");
        assert_eq!(parse("ws://h/a?k=v").unwrap().path_with("CP1"), "/a/CP1?k=v");
    }

    #[test]
    fn each_mistake_has_its_hint() {
        for (url, hint) in [
            ("h/ocpp", "has no scheme; begin it with `ws://` or `wss://`"),
            ("http://h", "scheme `http` is not usable here"),
            ("ws://", "has no host"),
            ("ws://h:0", "port `0` is not a number from 1 to 65535"),
            ("ws://h:", "port `` is not"),
            ("ws://::1", "into brackets"),
            ("ws://[::1", "no `]`"),
            ("ws://[x]", "no IPv6 address"),
            ("ws://[::1]x", "no `:port`"),
            ("ws://h/a b", "percent-encode"),
            ("ws://h/a\r\nX: y", "percent-encode"),
            ("ws://h/a#b", "fragment"),
            ("ws://h_ö", "host has the character 'ö'"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(hint), "{error}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = parse("ws://CP1:secret@h/ocpp").unwrap_err();
        assert!(
            error.contains("ws://…@h/ocpp") && !error.contains("secret"),
            "{error}"
        );
        let error = parse("ftp://CP1:secret@h/a@b?key=secret").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
