//! Devices behind `wss://`, of either role. The peers are the reference devices, which stand on `tokio-tungstenite`, over
//! a TLS stream that none of ours has opened.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plugfest_play::clock::Clock;
use plugfest_reference::BoxStream;
use plugfest_reference::csms::{self, Csms};
use plugfest_reference::station::{self, Station};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::live::{Live, csms_profile, free_port, results};
use crate::support::{Desk, Ran};

const LIMIT: Duration = Duration::from_mins(1);

/// An authority, written to `NAME-ca.pem`, and a certificate of it for a host, to `NAME.pem` and `NAME.key`.
fn issue(desk: &Desk, name: &str, host: &str) {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    desk.file(&format!("{name}-ca.pem"), authority.pem());
    desk.file(&format!("{name}.pem"), server.pem());
    desk.file(&format!("{name}.key"), key.serialize_pem());
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Runs something in a thread with a runtime of its own, until the test is over.
fn aside<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(work());
    });
}

/// A CSMS that shows the certificate of this name; gives back its port.
fn office(folder: &Path, name: &str) -> u16 {
    let chain = CertificateDer::from_pem_file(folder.join(format!("{name}.pem"))).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join(format!("{name}.key"))).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    aside(move || async move {
        let listener = TcpListener::from_std(listener).unwrap();
        let csms = Csms::new(csms::Config::new(Clock::real().now()));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (csms, acceptor) = (csms.clone(), acceptor.clone());
            tokio::spawn(async move {
                // One that does not trust us is gone.
                if let Ok(stream) = acceptor.accept(stream).await {
                    csms.serve_connection(stream).await;
                }
            });
        }
    });
    port
}

/// A station that trusts the authority of this name, and dials a port of ours again and again.
fn dials(folder: &Path, name: &str, port: u16) {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(folder.join(format!("{name}-ca.pem"))).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    aside(move || async move {
        let connector = TlsConnector::from(Arc::new(config));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let dial = move || -> futures_util::future::BoxFuture<'static, std::io::Result<BoxStream>> {
            let connector = connector.clone();
            Box::pin(async move {
                let stream = TcpStream::connect(address).await?;
                let name = ServerName::from(address.ip());
                let boxed: BoxStream = Box::new(connector.connect(name, stream).await?);
                Ok(boxed)
            })
        };
        let config = station::Config::new("CP-1", Clock::real().now());
        let (station, _hands) = Station::new(config, dial).unwrap();
        station.run().await;
    });
}

fn wss(port: u16, tls: &str) -> String {
    csms_profile(port)
        .replace("ws://", "wss://")
        .replace("[pools.tags]", &format!("tls = {{ {tls} }}\n[pools.tags]"))
}

/// The trace of the only case.
fn trace(desk: &Desk) -> String {
    let path = results(desk, "o")["cases"][0]["trace"]
        .as_str()
        .unwrap()
        .to_owned();
    desk.read(&path)
}

#[track_caller]
fn runs(desk: &Desk, profile: &str, case: &str) -> Ran {
    desk.file("plugfest.toml", profile);
    Live::start(desk, &["run", "--out", "o", case], LIMIT).ends()
}

#[test]
fn a_csms_behind_tls_is_tested_where_it_is_trusted() {
    let desk = Desk::new();
    issue(&desk, "good", "127.0.0.1");
    issue(&desk, "other", "127.0.0.1");
    let port = office(desk.path(), "good");
    runs(&desk, &wss(port, "ca = \"good-ca.pem\""), "boot/accepted").exits(0);
    assert!(trace(&desk).contains("\"security\":\"tls\""));

    // An authority that has not signed it; none that the system knows; a file that holds none.
    let ran = runs(&desk, &wss(port, "ca = \"other-ca.pem\""), "boot/accepted");
    ran.exits(3)
        .complains("was not reached")
        .complains("invalid peer certificate");
    let found = results(&desk, "o");
    assert_eq!((&found["counts"]["pass"], &found["exit"]), (&0.into(), &3.into()));
    for (tls, says) in [
        ("ca = \"no-such.pem\"", "no-such.pem"),
        ("ca = \"good.key\"", "good.key"),
    ] {
        let ran = runs(&desk, &wss(port, tls), "boot/accepted");
        assert!(matches!(ran.code, Some(2 | 3)), "{:?} {}", ran.code, ran.err);
        ran.complains(says);
    }
    // Plain where TLS is spoken is no verdict on the device either.
    let ran = runs(&desk, &csms_profile(port), "boot/accepted");
    assert_ne!(ran.code, Some(0), "{}", ran.out);
    assert_eq!(results(&desk, "o")["counts"]["pass"], 0);
}

#[test]
fn the_name_in_the_certificate_counts() {
    let desk = Desk::new();
    issue(&desk, "named", "csms.example");
    let port = office(desk.path(), "named");
    let named = wss(port, "ca = \"named-ca.pem\", server_name = \"csms.example\"");
    runs(&desk, &named, "boot/accepted").exits(0);
    let unnamed = wss(port, "ca = \"named-ca.pem\"");
    runs(&desk, &unnamed, "boot/accepted")
        .exits(3)
        .complains("not valid for name");
}

fn station_profile(port: u16) -> String {
    format!(
        "[dut]\nrole = \"station\"\nprotocol = \"OCPP-1.6\"\nidentity = \"CP-1\"\nlisten = \"127.0.0.1:{port}\"\n\
         tls = {{ cert = \"good.pem\", key = \"good.key\" }}\n[timeouts]\nmessage = 2\naction = 2\nreboot = 3\nlong = 3\n"
    )
}

#[test]
fn a_station_that_dials_over_tls_is_tested_where_it_trusts_us() {
    let desk = Desk::new();
    issue(&desk, "good", "127.0.0.1");
    issue(&desk, "other", "127.0.0.1");
    let port = free_port();
    dials(desk.path(), "good", port);
    let patient = station_profile(port).replace("reboot = 3", "reboot = 30");
    runs(&desk, &patient, "configuration/one-key").exits(0);
    assert!(trace(&desk).contains("\"security\":\"tls\""));

    let port = free_port();
    dials(desk.path(), "other", port);
    let ran = runs(&desk, &station_profile(port), "configuration/one-key").exits(3);
    assert!(
        ran.out.contains("the station has not connected") && ran.out.contains("UnknownCA"),
        "{}\n{}",
        ran.out,
        ran.err
    );
    assert!(
        trace(&desk).contains("TLS with 127.0.0.1:"),
        "the handshake is evidence"
    );
}
