//! A request over HTTP for each action: no redirects, no proxies, nothing kept between requests.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use plugfest_trace::Outcome;

use super::backend::{Backend, BoxFuture, DriverCall, excerpt, failed, outcome_of_output};
use super::config::HttpConfig;
use super::template::{self, Template, plain};
use crate::transport::{ClientTls, Dialer, Scheme, Target};
use crate::wire::encode_segment;

/// Bytes of an answer's body.
const MAX_BODY: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Http {
    url: Template,
    method: Method,
    body: Option<Template>,
    client: Client,
}

impl Http {
    /// # Errors
    /// A URL, method, header or template that cannot be used.
    pub(super) fn new(config: HttpConfig) -> Result<Self, String> {
        let HttpConfig {
            url,
            method,
            headers,
            body,
            ca,
            timeout_s: _,
        } = config;
        let (url, client) = open(&url, &headers, ca)?;
        let method = method.unwrap_or_else(|| "POST".to_owned());
        Ok(Self {
            url,
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| format!("`{method}` is no HTTP method"))?,
            body: body.as_deref().map(Template::parse).transpose()?,
            client,
        })
    }

    async fn run(&self, call: &DriverCall) -> Result<Outcome, String> {
        let url = self.url.fill(call, |value| encode_segment(&plain(value)))?;
        let bodiless = [Method::GET, Method::HEAD, Method::DELETE].contains(&self.method);
        let body = match &self.body {
            Some(body) => body.fill(call, template::json)?,
            None if bodiless => String::new(),
            None => call.args.to_string(),
        };
        self.client.request(call, self.method.clone(), &url, body).await
    }
}

impl Backend for Http {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async { self.run(call).await.unwrap_or_else(failed) })
    }
}

/// Reads a URL template and sets up what every request to it shares.
pub(super) fn open(
    url: &str,
    headers: &BTreeMap<String, String>,
    ca: Option<PathBuf>,
) -> Result<(Template, Client), String> {
    let template = Template::parse(url)?;
    // Arguments may stand in the path and in the query. In the host they would let a device choose whom we talk to.
    let authority = url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split(['/', '?']).next())
        .unwrap_or_default();
    if template::places(authority).next().is_some() {
        return Err("`{…}` may not stand in the host of the URL".to_owned());
    }
    let target = Target::parse(&without_places(url), &Scheme::HTTP).map_err(|error| error.to_string())?;
    let tls = ClientTls {
        ca,
        server_name: None,
    };
    let dialer = Dialer::new(&target, &tls, None).map_err(|error| error.to_string())?;
    let mut known = Vec::new();
    for (name, value) in headers {
        let name_ok = header::HeaderName::from_bytes(name.as_bytes());
        let value_ok = header::HeaderValue::from_str(value);
        known.push(match (name_ok, value_ok) {
            (Ok(name), Ok(value)) => (name, value),
            (Err(_), _) => return Err(format!("`{name}` is no header name")),
            (_, Err(_)) => {
                return Err(format!(
                    "the value of header `{name}` has characters that no header may have"
                ));
            }
        });
    }
    Ok((
        template,
        Client {
            dialer,
            place: format!("{}:{}", target.host, target.port),
            headers: known,
        },
    ))
}

fn without_places(url: &str) -> String {
    let mut plain = String::new();
    let mut end = 0;
    for (range, _) in template::places(url) {
        plain.push_str(&url[end..range.start]);
        plain.push('x');
        end = range.end;
    }
    plain.push_str(&url[end..]);
    plain
}

/// What sends requests to one place.
#[derive(Debug)]
pub(super) struct Client {
    dialer: Dialer,
    place: String,
    headers: Vec<(header::HeaderName, header::HeaderValue)>,
}

impl Client {
    /// Sends one request on a connection of its own and judges the answer. Errors name the place, never the URL's query
    /// or the headers, for these may hold secrets.
    pub(super) async fn request(
        &self,
        call: &DriverCall,
        method: Method,
        url: &str,
        body: String,
    ) -> Result<Outcome, String> {
        let target = Target::parse(url, &Scheme::HTTP).map_err(|error| error.what)?;
        let place = &self.place;
        let mut request = Request::builder().method(method).uri(target.path.clone());
        request = request
            .header(header::HOST, target.host_header())
            .header(header::CONNECTION, "close");
        let has_type = self.headers.iter().any(|(name, _)| name == header::CONTENT_TYPE);
        if !body.is_empty() && !has_type {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| format!("the request to {place} cannot be built: {error}"))?;

        let (stream, _) = self.dialer.dial().await.map_err(|error| error.to_string())?;
        let fault = |error: hyper::Error| format!("{place}: {error}");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(fault)?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(fault)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_BODY)
                .collect()
                .await
                .map_err(|error| {
                    if error.downcast_ref::<LengthLimitError>().is_some() {
                        format!("{place} answered with more than {MAX_BODY} bytes")
                    } else {
                        format!("{place}: {error}")
                    }
                })?;
            Ok::<_, String>((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
        };
        let drive = async {
            // Its error, if any, reaches the exchange as well, which is where it is reported.
            drop(connection.await);
            std::future::pending().await
        };
        let (status, body) = tokio::select! {
            answered = exchange => answered?,
            never = drive => never,
        };
        Ok(self.judge(call, status, &body))
    }

    fn judge(&self, call: &DriverCall, status: StatusCode, body: &str) -> Outcome {
        let place = &self.place;
        match status {
            _ if status.is_success() => outcome_of_output(call, body),
            StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED => Outcome::Unsupported {
                why: format!("{place} answered `{}` with {status}", call.verb),
            },
            _ if status.is_redirection() => failed(format!(
                "{place} answered with {status}; redirects are not followed"
            )),
            _ => failed(format!("{place} answered with {status}: {}", excerpt(body))),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use plugfest_protocol::Json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    /// A server that answers one request with `answer` and gives back what it read.
    pub(in super::super) async fn serve(answer: String) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            let mut chunk = [0; 4096];
            loop {
                let count = stream.read(&mut chunk).await.unwrap();
                seen.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&seen);
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break;
                }
            }
            // The client may hang up on an answer that is too long.
            drop(stream.write_all(answer.as_bytes()).await);
            String::from_utf8(seen).unwrap()
        });
        (base, task)
    }

    pub(in super::super) fn answer(status: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn present() -> DriverCall {
        DriverCall::new(
            "token.present",
            Json::parse(r#"{"token":"A/B \"1\"","connector":2}"#).unwrap(),
        )
    }

    async fn exchange(config: HttpConfig, path: &str, answer: String) -> (Outcome, String) {
        let (base, task) = serve(answer).await;
        let http = Http::new(HttpConfig {
            url: format!("{base}{path}"),
            ..config
        })
        .unwrap();
        let outcome = http.call(&present()).await;
        let seen = tokio::time::timeout(std::time::Duration::from_secs(10), task).await;
        (outcome, seen.expect("a request came").unwrap())
    }

    #[tokio::test]
    async fn arguments_go_into_url_and_body() {
        let (outcome, seen) = exchange(
            HttpConfig::default(),
            "/api/{verb}?id={token}",
            answer("200 OK", ""),
        )
        .await;
        assert_eq!(outcome, Outcome::Done);
        assert!(
            seen.starts_with("POST /api/token.present?id=A%2FB%20%221%22 HTTP/1.1\r\n"),
            "{seen}"
        );
        assert!(
            seen.ends_with("\r\n\r\n{\"token\":\"A/B \\\"1\\\"\",\"connector\":2}"),
            "{seen}"
        );
        assert!(seen.contains("content-type: application/json\r\n"), "{seen}");

        let config = HttpConfig {
            method: Some("PUT".to_owned()),
            body: Some(r#"{"tag": {token}}"#.to_owned()),
            headers: BTreeMap::from([("X-Api-Key".to_owned(), "k".to_owned())]),
            ..HttpConfig::default()
        };
        let (_, seen) = exchange(config, "/", answer("204 No Content", "")).await;
        assert!(
            seen.starts_with("PUT / HTTP/1.1\r\n") && seen.contains("x-api-key: k\r\n"),
            "{seen}"
        );
        assert!(seen.ends_with("{\"tag\": \"A/B \\\"1\\\"\"}"), "{seen}");

        let config = HttpConfig {
            method: Some("GET".to_owned()),
            ..HttpConfig::default()
        };
        let (_, seen) = exchange(config, "/x", answer("200 OK", "")).await;
        assert!(
            seen.starts_with("GET /x ") && seen.ends_with("\r\n\r\n"),
            "{seen}"
        );
    }

    #[tokio::test]
    async fn the_status_is_the_outcome() {
        let ask = async |status: &str, body: &str| {
            exchange(HttpConfig::default(), "/", answer(status, body)).await.0
        };
        let value = Json::parse(r#"{"ok":1.0}"#).unwrap();
        assert_eq!(
            ask("201 Created", r#"{"ok":1.0}"#).await,
            Outcome::Returned { value }
        );
        for status in ["404 Not Found", "501 Not Implemented"] {
            assert!(matches!(ask(status, "").await, Outcome::Unsupported { why } if why.contains(status)));
        }
        let outcome = ask("500 Internal Server Error", "stuck\u{1b}").await;
        assert!(
            matches!(outcome, Outcome::Failed { why } if why.ends_with("500 Internal Server Error: stuck\\u{1b}"))
        );
        let outcome = ask("302 Found", "").await;
        assert!(matches!(outcome, Outcome::Failed { why } if why.contains("redirects are not followed")));
    }

    #[tokio::test]
    async fn bad_answers_are_errors_of_the_driver() {
        let large = answer("200 OK", &"x".repeat(70_000));
        let (outcome, _) = exchange(HttpConfig::default(), "/", large).await;
        assert!(
            matches!(&outcome, Outcome::Failed { why } if why.contains("more than 65536 bytes")),
            "{outcome:?}"
        );
        let (outcome, _) = exchange(HttpConfig::default(), "/", "nonsense\r\n\r\n".to_owned()).await;
        assert!(
            matches!(&outcome, Outcome::Failed { why } if why.starts_with("127.0.0.1:")),
            "{outcome:?}"
        );
        let (outcome, _) = exchange(HttpConfig::default(), "/", String::new()).await;
        assert!(matches!(&outcome, Outcome::Failed { .. }), "{outcome:?}");
        let http = Http::new(HttpConfig {
            url: "http://127.0.0.1:1/".to_owned(),
            ..HttpConfig::default()
        })
        .unwrap();
        let outcome = http.call(&present()).await;
        assert!(
            matches!(&outcome, Outcome::Failed { why } if why.starts_with("127.0.0.1:1: ")),
            "{outcome:?}"
        );
    }

    #[test]
    fn settings_are_checked_before_the_first_action() {
        let error = |config: HttpConfig| Http::new(config).map(|_| ()).unwrap_err();
        let url = |url: &str| HttpConfig {
            url: url.to_owned(),
            ..HttpConfig::default()
        };
        assert!(error(url("ftp://h/")).contains("begin it with `http://` or `https://`"));
        assert!(error(url("http://{station}/")).contains("may not stand in the host"));
        assert!(error(url("http://h/{conector}")).contains("is an argument of no verb"));
        assert!(
            error(HttpConfig {
                method: Some("A B".to_owned()),
                ..url("http://h")
            })
            .contains("no HTTP method")
        );
        let headers = BTreeMap::from([("X".to_owned(), "a\nb".to_owned())]);
        assert!(
            error(HttpConfig {
                headers,
                ..url("http://h")
            })
            .contains("the value of header `X`")
        );
        let ca = Some("/nowhere/ca.pem".into());
        assert!(
            error(HttpConfig {
                ca,
                ..url("https://h")
            })
            .contains("/nowhere/ca.pem")
        );
    }
}
