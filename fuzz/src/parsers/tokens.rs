//! The token response.

use std::cell::Cell;
use std::sync::LazyLock;

use atproto_oauth_core::{Session, SessionEffect};
use bytes::Bytes;
use http::{Response, StatusCode};

use crate::canned::{self, drive};
use crate::parsers::assert_strict;
use crate::parsers::records::{SESSION, client};

/// The bytes are the body of the answer to a refresh, with status 200. Tokens that are not accepted
/// are revoked, and the session is never kept as if its refresh token were not spent.
pub(crate) fn token_response(data: &[u8]) -> bool {
    static OLD: LazyLock<Session> =
        LazyLock::new(|| Session::from_json(SESSION).expect("the seed is valid"));
    let revoked = Cell::new(0);
    let http = |request: &http::Request<_>| -> Response<Bytes> {
        match request.uri().path() {
            "/oauth/token" => canned::json(Bytes::copy_from_slice(data)),
            "/oauth/revoke" => {
                revoked.set(revoked.get() + 1);
                canned::json("{}")
            }
            "/.well-known/oauth-authorization-server" => canned::json(SERVER),
            "/.well-known/oauth-protected-resource" => canned::json(RESOURCE),
            _ if request.uri().host() == Some("plc.directory") => canned::json(document(&OLD)),
            _ => canned::status(StatusCode::NOT_FOUND),
        }
    };
    match drive(client().refresh(OLD.clone()), http, |_| Vec::new()) {
        Ok(refreshed) => {
            assert_strict(data);
            let new = refreshed.session;
            assert_eq!((new.did(), new.session_id()), (OLD.did(), OLD.session_id()));
            assert_eq!((new.issuer(), new.pds()), (OLD.issuer(), OLD.pds()));
            assert!(new.can_refresh() && new.scopes().contains("atproto"));
            assert!(!new.access_token().expose().is_empty() && revoked.get() == 0);
            new.to_json().is_ok()
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!error.to_string().chars().any(char::is_control), "{shown:?}");
            match error.effect {
                SessionEffect::Dead => assert!(error.revocation.is_some() && revoked.get() > 0),
                SessionEffect::Ambiguous => assert!(error.revocation.is_none()),
                SessionEffect::Keep | SessionEffect::NeedsReauth => {
                    panic!("the refresh token is spent: {shown}")
                }
            }
            false
        }
    }
}

fn document(session: &Session) -> String {
    let service = r##"{"id":"#atproto_pds","type":"AtprotoPersonalDataServer","serviceEndpoint":"https://pds.example.com"}"##;
    format!(r#"{{"id":"{}","service":[{service}]}}"#, session.did())
}

const RESOURCE: &str = include_str!("../../corpus/resource_metadata/its_own_issuer.json");
const SERVER: &str = include_str!("../../corpus/server_metadata/of_a_pds.json");
