//! Error responses of servers (RFC 6749 section 5.2, RFC 6750 section 3, RFC 9449 sections 8 and
//! 9).

use bytes::Bytes;
use http::Response;
use serde_json::json;

use crate::answer;
use crate::server::habits::ReasonMember;

/// An error of an endpoint or of an XRPC method, which becomes an HTTP response.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) description: String,
    /// Whether the response has a `WWW-Authenticate: DPoP` challenge, too.
    pub(crate) challenge: bool,
}

impl Refusal {
    fn new(status: u16, error: &'static str, description: &str) -> Self {
        Self { status, error, description: description.to_owned(), challenge: false }
    }

    pub(crate) fn invalid_request(description: &str) -> Self {
        Self::new(400, "invalid_request", description)
    }

    pub(crate) fn invalid_client(description: &str) -> Self {
        Self::new(400, "invalid_client", description)
    }

    pub(crate) fn invalid_client_id(description: &str) -> Self {
        Self::new(400, "invalid_client_id", description)
    }

    pub(crate) fn invalid_client_metadata(description: &str) -> Self {
        Self::new(400, "invalid_client_metadata", description)
    }

    pub(crate) fn invalid_redirect_uri(description: &str) -> Self {
        Self::new(400, "invalid_redirect_uri", description)
    }

    pub(crate) fn invalid_scope(description: &str) -> Self {
        Self::new(400, "invalid_scope", description)
    }

    pub(crate) fn invalid_grant(description: &str) -> Self {
        Self::new(400, "invalid_grant", description)
    }

    pub(crate) fn use_dpop_nonce() -> Self {
        Self::new(400, "use_dpop_nonce", "The DPoP proof needs a current nonce of this server")
    }

    pub(crate) fn invalid_dpop_proof(description: &str) -> Self {
        Self { challenge: true, ..Self::new(401, "invalid_dpop_proof", description) }
    }

    pub(crate) fn invalid_token(description: &str) -> Self {
        Self { challenge: true, ..Self::new(401, "invalid_token", description) }
    }

    /// Adapts the error to a resource server: `use_dpop_nonce` has status 401 and a challenge
    /// there, instead of status 400.
    pub(crate) fn at_resource(self) -> Self {
        match self.error {
            "use_dpop_nonce" => Self { status: 401, challenge: true, ..self },
            _ => self,
        }
    }

    /// Renders the error as an authorization server does, with `error`, and with the reason in the
    /// member `reason`.
    pub(crate) fn to_oauth(&self, reason: ReasonMember) -> Response<Bytes> {
        let body = match reason {
            ReasonMember::ErrorDescription => {
                json!({"error": self.error, "error_description": self.description})
            }
            ReasonMember::Message => json!({"error": self.error, "message": self.description}),
            ReasonMember::Absent => json!({"error": self.error}),
        };
        self.challenged(answer::json(self.status, &body))
    }

    /// Renders the error as an XRPC method does, with `error` and `message`.
    pub(crate) fn to_xrpc(&self) -> Response<Bytes> {
        let body = json!({"error": self.error, "message": self.description});
        self.challenged(answer::json(self.status, &body))
    }

    fn challenged(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        if self.challenge {
            let mut value = format!(r#"DPoP algs="ES256 ES256K", error="{}""#, self.error);
            if !self.description.contains(['"', '\\']) {
                value.push_str(&format!(r#", error_description="{}""#, self.description));
            }
            answer::set(&mut response, "www-authenticate", &value);
        }
        response
    }
}
