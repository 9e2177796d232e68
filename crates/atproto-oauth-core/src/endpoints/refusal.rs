//! The error response of an authorization server.
//!
//! RFC 6749 section 5.2; RFC 9126 section 2.3; RFC 7009 section 2.2.1.

use std::time::Duration;

use atproto_dpop::ClockOffset;
use atproto_sansio::{is_printable, is_transient, printable, retry_after};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use thiserror::Error;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::error::{EndpointName, colon};
use crate::json::{Member, error_object};

/// An error response of an authorization server, from one of its endpoints.
///
/// `error`, `description` and `uri` are untrusted text of the server, shortened and without control
/// characters. A user interface must escape them. The crate decides by `status` and `error` only.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[error("the {endpoint} endpoint answered {status}{}{}{}{}",
    colon(.error.as_deref()), colon(.description.as_deref()), hint(self),
    clock(*clock_offset))]
#[non_exhaustive]
pub struct Refusal {
    /// Endpoint that sent the response.
    pub endpoint: EndpointName,
    /// HTTP status of the response.
    pub status: StatusCode,
    /// OAuth error code, such as `invalid_grant`; `None` if the body is not an OAuth error, for
    /// example because a gateway sent it.
    pub error: Option<String>,
    /// The `error_description`, or else the `message`, which some servers use for it.
    pub description: Option<String>,
    /// The `error_uri`, a web page about the error; only an http or https URL.
    pub uri: Option<String>,
    /// Seconds by which the server's clock is ahead of the local clock (negative if it is behind), if
    /// the difference is more than five seconds. It may be the reason of the refusal.
    pub clock_offset: Option<i64>,
    /// True if the server rejected the client itself, and it is a loopback client, whose `client_id` begins
    /// with `http://localhost`. Servers need not support loopback clients (atproto OAuth, «Localhost Client
    /// Development»): use [`Client::native`](crate::Client::native) or
    /// [`Client::web`](crate::Client::web), whose metadata document is published.
    pub loopback_rejected: bool,
    /// Time to wait before a retry, from the `Retry-After` header.
    pub retry_after: Option<Duration>,
}

/// Members have any JSON type, so that a member of the wrong type does not make the others
/// unreadable.
#[derive(Deserialize)]
struct Document {
    error: Option<Member>,
    error_description: Option<Member>,
    message: Option<Member>,
    error_uri: Option<Member>,
}

impl Refusal {
    /// Parses an error response; a body that is not JSON has no error code. A text of the server that
    /// repeats one of `secrets`, which the request had, is shown without it.
    pub(crate) fn of_response(
        endpoint: EndpointName,
        response: &Response<Bytes>,
        secrets: &[&str],
    ) -> Self {
        let document: Option<Document> = error_object(response.body());
        let text = |member: fn(&Document) -> &Option<Member>| {
            Some(member(document.as_ref()?).as_ref()?.as_str()?.to_owned())
        };
        let shown = |text: String| shown(&text, secrets);
        Self {
            endpoint,
            status: response.status(),
            error: text(|document| &document.error).or_else(|| of_challenge(response)).map(shown),
            description: text(|document| &document.error_description)
                .or_else(|| text(|document| &document.message))
                .map(shown),
            uri: text(|document| &document.error_uri).filter(|uri| is_web_page(uri, secrets)),
            clock_offset: response.extensions().get().map(|offset: &ClockOffset| offset.seconds()),
            loopback_rejected: false,
            retry_after: retry_after(response.headers()),
        }
    }

    /// Whether the cause may pass: status 408, 429 or 5xx, or one of the error codes
    /// `temporarily_unavailable`, `server_error` and `slow_down`.
    pub fn is_transient(&self) -> bool {
        is_transient(self.status) || self.means_later()
    }
}

impl Refusal {
    /// Whether the code or refresh token of the request may be spent: a gateway answered, and may
    /// have lost the successful response of the token endpoint.
    pub(crate) fn may_have_spent(&self) -> bool {
        let is_lost = is_transient(self.status) && self.status != StatusCode::TOO_MANY_REQUESTS;
        self.endpoint == EndpointName::Token && is_lost && !self.means_later()
    }

    fn means_later(&self) -> bool {
        let code = self.error.as_deref();
        matches!(code, Some("temporarily_unavailable" | "server_error" | "slow_down"))
    }

    /// Whether the server rejected the client itself: its metadata, its key or its configuration.
    pub(crate) fn is_about_client(&self) -> bool {
        self.error.as_deref().is_some_and(is_about_client)
    }
}

/// Whether a server rejects the client itself with this error code.
pub(crate) fn is_about_client(error: &str) -> bool {
    matches!(
        error,
        "invalid_client" | "invalid_client_id" | "invalid_client_metadata" | "unauthorized_client"
    )
}

/// Frequent cause for which a loopback client is rejected, in parentheses, for the end of the error text;
/// otherwise an empty string.
pub(crate) fn loopback_hint(loopback_rejected: bool) -> &'static str {
    match loopback_rejected {
        true => {
            " (the server may not support loopback clients, whose client_id is http://localhost: use a \
             client with a published metadata document, `Client::native` or `Client::web`)"
        }
        false => "",
    }
}

/// The error code of a `DPoP` challenge, which a server may send with status 401 in place of a body
/// (RFC 9449 section 8).
fn of_challenge(response: &Response<Bytes>) -> Option<String> {
    if response.status() != StatusCode::UNAUTHORIZED {
        return None;
    }
    let challenges = atproto_dpop::challenges(response.headers());
    let mut ours = challenges.iter().filter(|challenge| challenge.scheme == "dpop");
    ours.find_map(|challenge| challenge.param("error").map(str::to_owned))
}

/// Whether `uri` is an http or https URL that can be shown whole, so that it can be made a link. A
/// `javascript:` URL is not, and a URL that is cut leads elsewhere.
pub(crate) fn is_web_page(uri: &str, secrets: &[&str]) -> bool {
    Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        && shown(uri, secrets) == uri
}

/// The printable part of `text`, with a placeholder for each of `secrets`, also where it is
/// percent-encoded as in a form, and for each text that looks like a JWS: a client assertion, a proof
/// or an access token.
pub(crate) fn shown(text: &str, secrets: &[&str]) -> String {
    // An invisible character inside a secret would hide it from the search, but not from a reader.
    let text: String = text.chars().filter(|char| is_printable(*char)).collect();
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    let without = secrets.fold(text, |text, secret| {
        let encoded: String = byte_serialize(secret.as_bytes()).collect();
        text.replace(secret, BLANK).replace(&encoded, BLANK)
    });
    let words = without.split_inclusive(|char: char| !is_of_jws(char));
    let words = words.map(|word| match is_jws(word) {
        true => format!("{BLANK}{}", word.trim_start_matches(is_of_jws)),
        false => word.to_owned(),
    });
    // The text is cut last, because a cut secret would not be found.
    printable(words.collect::<String>())
}

/// Whether a word begins like a JWS: the header is a JSON object in base64url, and a dot follows.
fn is_jws(word: &str) -> bool {
    word.starts_with("eyJ") && word.contains('.')
}

/// Whether `char` may be in the compact serialization of a JWS (RFC 7515 section 7.1).
fn is_of_jws(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.')
}

/// Placeholder of a secret in an error text.
const BLANK: &str = "(secret)";

/// The difference of the clocks, in parentheses, for the end of an error text; otherwise an empty
/// string.
pub(crate) fn clock(offset: Option<i64>) -> String {
    match offset {
        None | Some(0) => String::new(),
        Some(seconds) => {
            let side = if seconds > 0 { "behind" } else { "ahead of" };
            let by = seconds.unsigned_abs();
            format!(" (this system's clock is {by} seconds {side} the server's)")
        }
    }
}

/// Frequent cause of an error code, in parentheses, for the end of the error text; otherwise an
/// empty string.
fn hint(refusal: &Refusal) -> &'static str {
    match refusal.error.as_deref() {
        _ if refusal.loopback_rejected => loopback_hint(true),
        Some("invalid_client_metadata") => {
            " (the server could not fetch the client metadata, or does not accept it: it must be \
             served at exactly the client_id, as application/json, without a redirect, and not at \
             a name that is reserved for documentation, such as app.example.com)"
        }
        Some("invalid_client") => {
            " (frequent causes: the client's key is not in its published metadata or JWKS, which \
             servers cache, or this system's clock is wrong)"
        }
        Some("invalid_dpop_proof") => {
            " (frequent causes: this system's clock is wrong, or a proxy changes the URL)"
        }
        Some("invalid_scope") => " (a requested scope must be declared in the client metadata)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn refusal(status: u16, body: &str) -> Refusal {
        let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert("retry-after", "7".parse().unwrap());
        Refusal::of_response(EndpointName::Token, &response, &["a-secret"])
    }

    #[test]
    fn an_error_description_is_shortened_and_has_no_control_characters() {
        // Rules D-22, M-03
        let long = "x".repeat(5000);
        let body =
            format!(r#"{{"error":"invalid_grant\u0007","error_description":"a\r\nb{long}"}}"#);
        let refusal = refusal(400, &body);
        assert_eq!(refusal.error.as_deref(), Some("invalid_grant"));
        assert_eq!(refusal.description.as_deref().map(|text| text.chars().count()), Some(201));
        assert!(refusal.description.unwrap().starts_with("abx"));
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn the_refusal_of_a_client_at_a_name_for_documentation_says_so() {
        // Rule M-07
        let error = refusal(400, r#"{"error":"invalid_client_metadata"}"#).to_string();
        assert!(error.contains("reserved for documentation, such as app.example.com"), "{error}");
    }

    #[test]
    fn a_page_of_a_gateway_is_a_refusal_without_a_code() {
        for body in ["<html>Bad gateway</html>", "", "[]", r#"{"error":{"code":1}}"#] {
            let refusal = refusal(502, body);
            assert_eq!(refusal.error, None);
            assert!(refusal.is_transient());
            // Rule P-15: a code or refresh token may be spent.
            assert!(!Error::from(refusal.clone()).is_retryable());
            let endpoint = EndpointName::PushedAuthorizationRequest;
            assert!(Error::from(Refusal { endpoint, ..refusal }).is_retryable());
        }
        let later = refusal(503, r#"{"error":"temporarily_unavailable"}"#);
        assert!(Error::from(later).is_retryable());
        assert!(Error::from(refusal(429, "")).is_retryable());
        assert!(!refusal(400, r#"{"error":"invalid_grant"}"#).is_transient());
        let refusal = refusal(400, r#"{"error":"invalid_grant","error_description":{}}"#);
        assert_eq!(refusal.error.as_deref(), Some("invalid_grant"));
    }

    #[test]
    fn a_reason_may_be_a_message_and_a_uri_is_a_web_page() {
        // Rules P-12, M-03
        let refusal = |body: &str| refusal(400, body);
        let message = refusal(r#"{"error":"InvalidRequest","message":"it is expired"}"#);
        assert_eq!(message.description.as_deref(), Some("it is expired"));
        let both = refusal(r#"{"error":"x","error_description":"a","message":"b"}"#);
        assert_eq!(both.description.as_deref(), Some("a"));
        for (uri, shown) in [
            ("https://a.example/doc", true),
            ("http://a.example/", true),
            ("https://a.example/\\u001b[31m", false),
            (&format!("https://a.example/{}", "x".repeat(100_000)), false),
            ("javascript:alert(1)", false),
            ("a page", false),
        ] {
            let refusal = refusal(&format!(r#"{{"error":"x","error_uri":"{uri}"}}"#));
            assert_eq!(refusal.uri.is_some(), shown, "{uri}");
        }
    }

    #[test]
    fn a_description_that_cannot_be_read_does_not_hide_the_error_code() {
        // Rule P-14
        for description in [r#""\ud83d""#, "1e999", "7", "null", "[{}]"] {
            let body = format!(r#"{{"error":"invalid_grant","error_description":{description}}}"#);
            let refusal = refusal(400, &body);
            assert_eq!(refusal.error.as_deref(), Some("invalid_grant"), "{body}");
            assert_eq!(refusal.description, None, "{body}");
        }
        let body = "\u{feff}{\"error\":\"invalid_grant\"}";
        assert_eq!(refusal(400, body).error.as_deref(), Some("invalid_grant"));
    }

    #[test]
    fn a_secret_of_the_request_is_not_repeated() {
        let refusal = refusal(
            400,
            r#"{"error":"a-secret","error_description":"the token a-secret is unknown"}"#,
        );
        assert_eq!(refusal.description.as_deref(), Some("the token (secret) is unknown"));
        assert!(!format!("{refusal} {refusal:?}").contains("a-secret"));
    }

    #[test]
    fn a_secret_is_blanked_in_every_form() {
        let shown = |text| shown(text, &["a+b/c="]);
        assert_eq!(shown("`a+b/c=`, a%2Bb%2Fc%3D"), "`(secret)`, (secret)");
        assert_eq!(shown("a+b\u{7}/c=, a+\u{200b}b/c="), "(secret), (secret)");
        // The client assertion is made anew for each attempt, so it is known by its form.
        assert_eq!(shown("bad eyJhbGciOiJFUzI1NiJ9.e30.x-_9: expired"), "bad (secret): expired");
        assert_eq!(shown("eyJ is no token. eyJhbGciOiJFUzI1NiJ9.e30"), "eyJ is no token. (secret)");
    }

    #[test]
    fn a_challenge_names_the_error_of_a_response_without_a_body() {
        // Rules H-04, P-15
        let of = |status, body: &'static str| {
            let challenge = r#"Bearer error="x", DPoP error="use_dpop_nonce""#;
            let response = Response::builder().status(status).header("www-authenticate", challenge);
            let response = response.body(Bytes::from_static(body.as_bytes())).unwrap();
            Refusal::of_response(EndpointName::Token, &response, &[]).error
        };
        assert_eq!(of(401, "").as_deref(), Some("use_dpop_nonce"));
        assert_eq!(of(401, r#"{"error":"invalid_client"}"#).as_deref(), Some("invalid_client"));
        assert_eq!(of(400, ""), None);
    }

    #[test]
    fn a_clock_that_is_wrong_is_named() {
        // Rule P-13
        assert_eq!(clock(Some(47)), " (this system's clock is 47 seconds behind the server's)");
        assert_eq!(clock(Some(-9)), " (this system's clock is 9 seconds ahead of the server's)");
        assert_eq!(clock(None), "");
    }
}
