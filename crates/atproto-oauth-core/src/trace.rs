//! Requests and replies as lines of a trace, without secrets.
//!
//! Values are shown only if their name is on a list: a member or field that a later version of a protocol
//! adds is a secret until it is known not to be.

use atproto_sansio::{Body, TransportError, printable};
use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::Value;
use url::form_urlencoded;

use crate::endpoints::refusal;

/// Names whose values are no secrets, in forms and in JSON.
const SHOWN: [&str; 30] = [
    "authorization_endpoint",
    "authorization_servers",
    "client_assertion_type",
    "client_id",
    "code_challenge_method",
    "did",
    "error",
    "error_description",
    "expires_in",
    "grant_type",
    "handle",
    "id",
    "iss",
    "issuer",
    "jwks_uri",
    "login_hint",
    "message",
    "prompt",
    "pushed_authorization_request_endpoint",
    "redirect_uri",
    "resource",
    "response_mode",
    "response_type",
    "revocation_endpoint",
    "scope",
    "sub",
    "token_endpoint",
    "token_endpoint_auth_method",
    "token_type",
    "token_type_hint",
];

/// Describes a request in one line: method, URL without its query, which credentials it has, and the
/// fields of its form. Secrets are replaced by `…`.
pub fn request(request: &Request<Body>) -> String {
    let uri = request.uri();
    let mut line = format!("{} {}", request.method(), origin_and_path(uri));
    if uri.query().is_some() {
        line.push_str("?…");
    }
    for (name, text) in [(header::AUTHORIZATION, "with a token"), (DPOP, "with a proof")] {
        if request.headers().contains_key(name) {
            line.push_str(", ");
            line.push_str(text);
        }
    }
    let is_form = is_of_type(request.headers(), "application/x-www-form-urlencoded");
    match request.body() {
        Body::Bytes(body) if is_form && !body.is_empty() => {
            let fields = form_urlencoded::parse(body).map(|(name, value)| shown(&name, &value));
            line.push_str(", form: ");
            line.push_str(&fields.collect::<Vec<_>>().join(" "));
        }
        Body::Bytes(body) if !body.is_empty() => {
            line.push_str(&format!(", {} bytes", body.len()));
        }
        Body::Bytes(_) => {}
        Body::Attached => line.push_str(", a streamed body"),
    }
    line
}

/// Describes the reply to a request in one line: status, whether it has a nonce, and the members of its
/// JSON. Secrets are replaced by `…`.
pub fn reply(reply: Result<&Response<Bytes>, &TransportError>) -> String {
    let response = match reply {
        Ok(response) => response,
        Err(error) => return format!("no reply: {error}"),
    };
    let mut line = response.status().as_u16().to_string();
    if response.headers().contains_key("dpop-nonce") {
        line.push_str(", with a nonce");
    }
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    if let Some(challenge) = challenge.and_then(|challenge| challenge.to_str().ok()) {
        line.push_str(&format!(", challenge: {}", refusal::shown(challenge, &[])));
    }
    match serde_json::from_slice::<Value>(response.body()) {
        Ok(Value::Object(members)) => {
            let members = members.iter().map(|(name, value)| match value {
                Value::String(text) => shown(name, text),
                other => shown(name, &other.to_string()),
            });
            line.push_str(", JSON: ");
            line.push_str(&members.collect::<Vec<_>>().join(" "));
        }
        _ if response.body().is_empty() => {}
        _ => line.push_str(&format!(", {} bytes", response.body().len())),
    }
    line
}

const DPOP: header::HeaderName = header::HeaderName::from_static("dpop");

fn is_of_type(headers: &http::HeaderMap, media_type: &str) -> bool {
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    found.is_some_and(|found| found.starts_with(media_type))
}

/// A URL without user name, password, query and fragment.
fn origin_and_path(uri: &http::Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{scheme}://{host}{port}{}", uri.path())
}

fn shown(name: &str, value: &str) -> String {
    match SHOWN.contains(&name) {
        // A server may repeat a secret in a text, such as an assertion in an `error_description`.
        true => format!("{name}={}", refusal::shown(value, &[])),
        false => format!("{}=…", printable(name)),
    }
}

#[cfg(test)]
mod tests {
    use atproto_sansio::Phase;
    use http::Method;

    use super::*;

    #[test]
    fn secrets_are_left_out() {
        // Rule L-26
        let secret = "hunter2";
        let form = format!(
            "grant_type=refresh_token&refresh_token={secret}&client_assertion={secret}&code={secret}\
             &code_verifier={secret}&state={secret}&token={secret}&unknown={secret}&scope=atproto"
        );
        let posted = Request::builder()
            .method(Method::POST)
            .uri(format!("https://user:{secret}@pds.example.com/oauth/token?key={secret}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("dpop", secret)
            .header("authorization", format!("DPoP {secret}"))
            .body(Body::Bytes(Bytes::from(form)))
            .unwrap();
        assert_eq!(
            request(&posted),
            "POST https://pds.example.com/oauth/token?…, with a token, with a proof, form: \
             grant_type=refresh_token refresh_token=… client_assertion=… code=… code_verifier=… state=… \
             token=… unknown=… scope=atproto"
        );
        let json = format!(
            r#"{{"access_token":"{secret}","refresh_token":"{secret}","request_uri":"{secret}",
                "new":["{secret}"],"expires_in":3600,"sub":"did:plc:a"}}"#
        );
        let answer =
            Response::builder().header("dpop-nonce", secret).body(Bytes::from(json)).unwrap();
        assert_eq!(
            reply(Ok(&answer)),
            "200, with a nonce, JSON: access_token=… expires_in=3600 new=… refresh_token=… request_uri=… \
             sub=did:plc:a"
        );
        let jws = "eyJhbGciOiJFUzI1NiJ9.eyJqdGkiOiJ4In0.hunter2";
        let echo = Response::builder()
            .status(400)
            .header("www-authenticate", format!("DPoP error=\"invalid_token\", token={jws}"))
            .body(Bytes::from(format!(r#"{{"error_description":"bad assertion {jws}"}}"#)))
            .unwrap();
        assert_eq!(
            reply(Ok(&echo)),
            "400, challenge: DPoP error=\"invalid_token\", token=(secret), JSON: \
             error_description=bad assertion (secret)"
        );
        let binary = Response::new(Bytes::from_static(b"\x00hunter2"));
        assert_eq!(reply(Ok(&binary)), "200, 8 bytes");
        let lost = TransportError::new(Phase::MaybeSent, "the connection broke");
        assert!(reply(Err(&lost)).contains("the connection broke"));
    }
}
