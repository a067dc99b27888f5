//! TLS settings read into the form the library wants. The provider is always named, never installed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// How we check the server that we dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// A PEM file with the only roots to trust; without it the system's roots.
    pub ca: Option<PathBuf>,
    /// The name that the server's certificate must carry; without it the host of the URL.
    pub server_name: Option<String>,
}

/// How we show ourselves to clients that dial us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// A PEM file with our certificate, followed by its intermediates.
    pub cert: PathBuf,
    /// A PEM file with its private key.
    pub key: PathBuf,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file that cannot be read or holds no PEM of the kind wanted.
    #[error("tls: {path}: no {what} can be read from it: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What should stand in it.
        what: &'static str,
        /// Why it cannot be read.
        reason: String,
    },
    /// The system has no usable root certificate.
    #[error("tls: the system has no root certificates ({reason}); name a file with `ca`")]
    NoSystemRoots {
        /// What went wrong while looking.
        reason: String,
    },
    /// Certificate and key do not fit each other, or the library refuses them.
    #[error("tls: {cert}: certificate and key cannot be used together: {reason}")]
    Identity {
        /// The certificate's file.
        cert: PathBuf,
        /// The library's reason.
        reason: String,
    },
    /// A name that no certificate can carry.
    #[error("tls: `{0}` is neither a DNS name nor an address")]
    ServerName(String),
    /// The provider has none of the protocol versions; not to be expected.
    #[error("tls: no protocol version can be used: {0}")]
    Versions(rustls::Error),
}

impl ClientTls {
    /// Reads the roots.
    ///
    /// # Errors
    /// Names the file, or the lack of system roots.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let roots = match &self.ca {
            Some(path) => roots_of(path)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsError::Versions)?;
        Ok(Arc::new(
            builder.with_root_certificates(roots).with_no_client_auth(),
        ))
    }
}

impl ServerTls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// Names the file that is at fault.
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(&self.cert)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unreadable(&self.key, "private key", &error))?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsError::Versions)?;
        let config = builder.with_no_client_auth().with_single_cert(chain, key);
        let config = config.map_err(|error| TlsError::Identity {
            cert: self.cert.clone(),
            reason: error.to_string(),
        })?;
        Ok(Arc::new(config))
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| unreadable(path, "root certificate", &error))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system may hold roots that the library cannot read; the others still count.
    let (added, _ignored) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(roots);
    }
    let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
    let reason = if reasons.is_empty() {
        "none was found".to_owned()
    } else {
        reasons.join("; ")
    };
    Err(TlsError::NoSystemRoots { reason })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bad = |error| unreadable(path, "certificate", &error);
    let all = CertificateDer::pem_file_iter(path)
        .map_err(bad)?
        .collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|error| unreadable(path, "certificate", &error))?;
    if all.is_empty() {
        return Err(unreadable(
            path,
            "certificate",
            &"it holds no PEM block `CERTIFICATE`",
        ));
    }
    Ok(all)
}

fn unreadable(path: &Path, what: &'static str, reason: &dyn std::fmt::Display) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        what,
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let tls = ClientTls {
            ca: Some("/nowhere/ca.pem".into()),
            server_name: None,
        };
        let error = tls.config().unwrap_err().to_string();
        assert!(
            error.starts_with("tls: /nowhere/ca.pem: no certificate can be read"),
            "{error}"
        );
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let tls = ServerTls {
            cert: manifest.clone(),
            key: manifest,
        };
        let error = tls.config().unwrap_err().to_string();
        assert!(
            error.contains("Cargo.toml: no certificate can be read"),
            "{error}"
        );
    }
}
