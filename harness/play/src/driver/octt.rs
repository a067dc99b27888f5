//! The operator's interface that some CSMSs have already: the action in the URL, the OCPP payload as the body.

use hyper::Method;
use plugfest_protocol::Json;
use plugfest_trace::Outcome;

use super::backend::{Backend, BoxFuture, DriverCall, Support, failed};
use super::config::OcttHttpConfig;
use super::http::{Client, open};
use crate::wire::encode_segment;

#[derive(Debug)]
pub(super) struct OcttHttp {
    base: String,
    version: String,
    client: Client,
}

impl OcttHttp {
    /// # Errors
    /// A URL or header that cannot be used.
    pub(super) fn new(config: OcttHttpConfig) -> Result<Self, String> {
        let OcttHttpConfig {
            base,
            version,
            headers,
            ca,
            timeout_s: _,
        } = config;
        let base = base.trim_end_matches('/').to_owned();
        let (template, client) = open(&base, &headers, ca)?;
        if !template.is_constant() || base.contains('?') {
            return Err("`base` is a plain URL without `{…}` and without a query".to_owned());
        }
        Ok(Self {
            base,
            version,
            client,
        })
    }

    async fn run(&self, call: &DriverCall) -> Result<Outcome, String> {
        let text = |name: &str| match call.arg(name) {
            Some(Json::String(text)) => Ok(encode_segment(text)),
            _ => Err(format!(
                "`{}` over octt-http needs the argument `{name}` as a string",
                call.verb
            )),
        };
        let (station, action) = (text("station")?, text("action")?);
        let url = format!(
            "{}/api/octt/{}/{station}/{action}",
            self.base,
            encode_segment(&self.version)
        );
        let payload = call.arg("payload").unwrap_or(&Json::Null).to_string();
        self.client.request(call, Method::POST, &url, payload).await
    }
}

impl Backend for OcttHttp {
    fn call<'a>(&'a self, call: &'a DriverCall) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            if self.supports(&call.verb) == Support::No {
                return Outcome::Unsupported {
                    why: format!("octt-http has no way to do `{}`", call.verb),
                };
            }
            self.run(call).await.unwrap_or_else(failed)
        })
    }

    fn supports(&self, verb: &str) -> Support {
        if verb == "csms.call" {
            Support::Yes
        } else {
            Support::No
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::http::tests::{answer, serve};
    use super::*;

    fn config(base: String) -> OcttHttpConfig {
        OcttHttpConfig {
            base,
            version: "ocpp1.6".to_owned(),
            headers: BTreeMap::new(),
            ca: None,
            timeout_s: None,
        }
    }

    #[tokio::test]
    async fn a_call_becomes_a_url_and_a_payload() {
        let (base, task) = serve(answer("200 OK", "")).await;
        let octt = OcttHttp::new(config(format!("{base}/"))).unwrap();
        let args = r#"{"station":"CP 1","action":"Reset","payload":{"type":"Soft"}}"#;
        let call = DriverCall::new("csms.call", Json::parse(args).unwrap());
        assert_eq!(octt.call(&call).await, Outcome::Done);
        let seen = task.await.unwrap();
        assert!(
            seen.starts_with("POST /api/octt/ocpp1.6/CP%201/Reset HTTP/1.1\r\n"),
            "{seen}"
        );
        assert!(seen.ends_with("\r\n\r\n{\"type\":\"Soft\"}"), "{seen}");
    }

    #[tokio::test]
    async fn other_verbs_and_calls_without_a_station_are_told_apart() {
        let octt = OcttHttp::new(config("http://127.0.0.1:1".to_owned())).unwrap();
        let ask = async |verb: &str, args: &str| {
            octt.call(&DriverCall::new(verb, Json::parse(args).unwrap()))
                .await
        };
        assert!(matches!(ask("ev.plug", "{}").await, Outcome::Unsupported { .. }));
        let outcome = ask("csms.call", r#"{"action":"Reset","payload":{}}"#).await;
        assert!(matches!(outcome, Outcome::Failed { why } if why.contains("needs the argument `station`")));
    }

    #[test]
    fn the_base_is_plain() {
        for base in ["http://h/{station}", "http://h/?a=b", "csms"] {
            assert!(OcttHttp::new(config(base.to_owned())).is_err(), "{base}");
        }
    }
}
