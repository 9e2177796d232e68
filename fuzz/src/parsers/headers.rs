//! `WWW-Authenticate`, and the meaning of an XRPC response.

use atproto_dpop::{Challenge, challenges};
use atproto_oauth_core::xrpc;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("www-authenticate", value);
        }
    }
    headers
}

/// Each line is one header. The challenges, written in canonical form, are read again as themselves.
pub(crate) fn challenge(data: &[u8]) -> bool {
    let found = challenges(&headers(data));
    let canonical: Vec<_> = found.iter().map(written).collect();
    let again = challenges(&headers(canonical.join(", ").as_bytes()));
    assert_eq!(again, found, "{canonical:?}");
    found.iter().any(|challenge| challenge.scheme == "dpop" && challenge.param("error").is_some())
}

fn written(challenge: &Challenge) -> String {
    let Challenge { scheme, params, token68, .. } = challenge;
    assert!(!scheme.is_empty() && !scheme.bytes().any(|byte| byte.is_ascii_uppercase()));
    if let Some(token) = token68 {
        assert!(params.is_empty());
        return format!("{scheme} {token}");
    }
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let params: Vec<_> =
        params.iter().map(|(name, value)| format!("{name}=\"{}\"", quoted(value))).collect();
    format!("{scheme} {}", params.join(", "))
}

/// The first byte chooses the status; headers and body are separated by an empty line.
pub(crate) fn xrpc_response(data: &[u8]) -> bool {
    let Some((choice, rest)) = data.split_first() else { return false };
    let split = rest.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = split.map_or((&b""[..], rest), |at| (&rest[..at], &rest[at + 2..]));
    let mut response = Response::new(Bytes::copy_from_slice(body));
    *response.headers_mut() = headers(head);
    let statuses = [200, 400, 401, 403, 429, 502];
    let status = statuses[usize::from(*choice) % statuses.len()];
    *response.status_mut() = StatusCode::from_u16(status).expect("a constant status is valid");
    let (token, nonce) = (xrpc::is_token_refused(&response), xrpc::is_nonce_refused(&response));
    assert!(!(token && nonce), "a response refuses the token or the nonce, not both");
    assert!(status == 401 || !token || status == 400, "{status} refuses no token");
    match xrpc::check(&response) {
        Ok(()) => status == 200 && xrpc::json::<serde_json::Value>(&response).is_ok(),
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
            assert_eq!(
                error.is_transient(),
                status == 429 || status >= 500 || error.is_transient()
            );
            error.error.is_some()
        }
    }
}
