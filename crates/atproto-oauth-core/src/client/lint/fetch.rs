//! `GET` of a document of a client, as an authorization server requests it.

use atproto_sansio::{
    Body, Endpoint, Fresh, How, Phase, Reach, TransportError, is_transient, printable,
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};

use crate::client::lint::code::FindingCode;
use crate::client::lint::document::MAX_LEN;
use crate::discovery::metadata::check_content_type;

/// The endpoint that serves a document of a client: the metadata, or the keys.
#[derive(Debug)]
pub(super) struct ClientDocument {
    pub(super) url: String,
    pub(super) reach: Reach,
    pub(super) codes: &'static Codes,
}

/// The codes of findings in the response that carries a document.
#[derive(Debug)]
pub(super) struct Codes {
    unreachable: FindingCode,
    status: FindingCode,
    redirect: FindingCode,
    content_type: FindingCode,
    too_large: FindingCode,
}

/// The reason for which a response carries no document.
#[derive(Debug)]
pub(super) struct NoDocument {
    pub(super) code: FindingCode,
    pub(super) why: String,
}

/// The codes of the metadata document.
pub(super) const METADATA: Codes = Codes {
    unreachable: FindingCode::DocumentUnreachable,
    status: FindingCode::DocumentStatus,
    redirect: FindingCode::DocumentRedirect,
    content_type: FindingCode::DocumentContentType,
    too_large: FindingCode::DocumentTooLarge,
};

/// The codes of the document at the `jwks_uri`.
pub(super) const JWKS: Codes = Codes {
    unreachable: FindingCode::JwksUriUnreachable,
    status: FindingCode::JwksUriStatus,
    redirect: FindingCode::JwksUriRedirect,
    content_type: FindingCode::JwksUriContentType,
    too_large: FindingCode::JwksUriTooLarge,
};

impl Codes {
    /// The reason for which there is no response.
    pub(super) fn failed(&self, error: &TransportError) -> NoDocument {
        if error.phase == Phase::TooLarge {
            let why = format!("the document has more than {MAX_LEN} bytes: make it smaller");
            return NoDocument { code: self.too_large, why };
        }
        let way_out = match error.is_transient() {
            true => "try again, and check the server of the client",
            false => "authorization servers can't fetch it either, unless only this program can't",
        };
        let why = printable(format!("{error}"));
        NoDocument { code: self.unreachable, why: format!("{why}; {way_out}") }
    }

    /// Checks the head of a response: authorization servers take nothing but a 200 with JSON.
    fn check(&self, response: &Response<Bytes>) -> Result<(), NoDocument> {
        let status = response.status();
        if status.is_redirection() {
            let target = response.headers().get(header::LOCATION);
            let target = target.map_or_else(
                || "an unnamed place".to_owned(),
                |target| printable(String::from_utf8_lossy(target.as_bytes())),
            );
            let why = format!(
                "the server answers {status} and redirects to {target}, but authorization servers \
                 follow no redirect: serve the document at this URL itself"
            );
            return Err(NoDocument { code: self.redirect, why });
        }
        if status != StatusCode::OK {
            let way_out = match is_transient(status) {
                true => "try again later, and check the server of the client",
                false => "serve the document there",
            };
            let why = format!("the server answers {status} in place of 200: {way_out}");
            return Err(NoDocument { code: self.status, why });
        }
        check_content_type(response.headers()).map_err(|found| {
            let why = format!(
                "the document is not application/json, but {found}: correct the Content-Type that \
                 the server sends"
            );
            NoDocument { code: self.content_type, why }
        })
    }
}

impl Endpoint for ClientDocument {
    type Output = Result<Bytes, NoDocument>;
    type Error = TransportError;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, TransportError> {
        let request = Request::get(&self.url)
            .header(header::ACCEPT, "application/json")
            // A cache between this client and the server must not answer with an old document.
            .header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .body(Body::default());
        request.map_err(|_| TransportError::new(Phase::NotSent, "the URL can't be requested"))
    }

    fn how(&self) -> How {
        How::buffered(MAX_LEN, self.reach)
    }

    fn response(&self, response: Response<Bytes>) -> Result<Self::Output, TransportError> {
        Ok(self.codes.check(&response).map(|()| response.into_body()))
    }
}
