//! The server's side of the opening handshake (OCPP-J 1.6 §3.2, §6.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, WWW_AUTHENTICATE};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};

use super::office::Refused;
use crate::link::{Link, websocket_config};
use crate::stream::BoxStream;

const SUBPROTOCOL: &str = "ocpp1.6";
/// The longest identity, in bytes.
const LONGEST_IDENTITY: usize = 255;

/// Who has connected.
pub(super) struct Visitor {
    pub(super) identity: String,
    /// Both sides speak OCPP 1.6; otherwise the connection is to be closed at once.
    pub(super) agreed: bool,
    pub(super) link: Link,
}

/// User and password of a Basic header.
pub(super) type Credentials = (Vec<u8>, Vec<u8>);

/// Shakes hands; `admit` decides by identity and credentials. `None` where there is no connection in the end.
pub(super) async fn welcome(
    stream: BoxStream,
    mut admit: impl FnMut(&str, Option<&Credentials>) -> Result<(), Refused> + Unpin,
) -> Option<Visitor> {
    let mut visitor = None;
    #[expect(clippy::result_large_err, reason = "the signature is the library's")]
    let decide = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        let identity = identity(request).ok_or_else(|| refusal(Refused::Unknown))?;
        admit(&identity, credentials(request).as_ref()).map_err(refusal)?;
        let agreed = offers(request);
        if agreed {
            response
                .headers_mut()
                .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        }
        visitor = Some((identity, agreed));
        Ok(response)
    };
    let socket = accept_hdr_async_with_config(stream, decide, Some(websocket_config()))
        .await
        .ok()?;
    let (identity, agreed) = visitor?;
    Some(Visitor {
        identity,
        agreed,
        link: Link::new(socket),
    })
}

/// The last segment of the path, decoded.
fn identity(request: &Request) -> Option<String> {
    let (_, last) = request.uri().path().rsplit_once('/')?;
    let identity = percent_decode_str(last).decode_utf8().ok()?;
    (1..=LONGEST_IDENTITY)
        .contains(&identity.len())
        .then(|| identity.into_owned())
}

fn offers(request: &Request) -> bool {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
    let names = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    names.map(str::trim).any(|name| name == SUBPROTOCOL)
}

/// The user ends at the first colon; the password is bytes (J §6.2).
fn credentials(request: &Request) -> Option<Credentials> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = scheme
        .eq_ignore_ascii_case("Basic")
        .then(|| STANDARD.decode(encoded.trim()).ok())??;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some((decoded[..colon].to_vec(), decoded[colon + 1..].to_vec()))
}

fn refusal(why: Refused) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = match why {
        Refused::Unknown => StatusCode::NOT_FOUND,
        Refused::Unauthorized => StatusCode::UNAUTHORIZED,
        Refused::TooMany => StatusCode::TOO_MANY_REQUESTS,
    };
    if why == Refused::Unauthorized {
        let realm = HeaderValue::from_static("Basic realm=\"OCPP\", charset=\"UTF-8\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, realm);
    }
    response
}
