//! The methods of a PDS: enough for real calls, with their scopes and errors (AT Protocol "HTTP API
//! (XRPC)").

use bytes::Bytes;
use http::Response;
use http::header::HeaderName;
use serde_json::{Map, json};

use crate::account::Account;
use crate::answer;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::blobs;
use crate::server::permission;
use crate::server::records::{self, Write};
use crate::server::refusal::Refusal;
use crate::server::resource::{Authorized, Credentials, authorize, credentials};

/// What a method answers.
pub(crate) type Answer = Result<Response<Bytes>, Refusal>;

/// What the PDS at `at` answers to an XRPC request.
pub(crate) fn handle(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let method = request.url.path().strip_prefix("/xrpc/").unwrap_or_default().to_owned();
    let open = match (request.method.as_str(), &*method) {
        ("GET", "com.atproto.server.describeServer") => Some(describe_server(sandbox, at)),
        ("GET", "com.atproto.identity.resolveHandle") => Some(resolve_handle(sandbox, request)),
        ("GET", "com.atproto.repo.describeRepo") => {
            Some(records::describe_repo(sandbox, at, request))
        }
        ("GET", "com.atproto.repo.getRecord") => Some(records::get_record(sandbox, at, request)),
        ("GET", "com.atproto.repo.listRecords") => {
            Some(records::list_records(sandbox, at, request))
        }
        ("GET", "com.atproto.sync.getBlob") => Some(blobs::get_blob(sandbox, at, request)),
        _ => None,
    };
    if let Some(answer) = open {
        return answer.unwrap_or_else(|refusal| refusal.to_xrpc());
    }
    let is_query = request.method == http::Method::GET;
    let expected = match &*method {
        "com.atproto.server.getSession" => Some(true),
        "com.atproto.repo.createRecord"
        | "com.atproto.repo.putRecord"
        | "com.atproto.repo.deleteRecord"
        | "com.atproto.repo.uploadBlob" => Some(false),
        _ => None,
    };
    if expected.is_some_and(|expected| expected != is_query) {
        let refusal = error(400, "InvalidRequest", "This method is called with the other verb");
        return refusal.to_xrpc();
    }
    authorized(sandbox, at, request, |sandbox, who| match &*method {
        "com.atproto.server.getSession" => get_session(sandbox, at, who),
        "com.atproto.repo.createRecord" => {
            records::write_record(sandbox, at, request, who, Write::Create)
        }
        "com.atproto.repo.putRecord" => {
            records::write_record(sandbox, at, request, who, Write::Put)
        }
        "com.atproto.repo.deleteRecord" => {
            records::write_record(sandbox, at, request, who, Write::Delete)
        }
        "com.atproto.repo.uploadBlob" => blobs::upload_blob(sandbox, at, request, who),
        _ => proxy(who, &method, request),
    })
}

/// Runs a method for whom the request's credentials name. Every request with the DPoP scheme gets a
/// nonce (RFC 9449 section 8.2).
fn authorized(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    run: impl FnOnce(&mut Sandbox, &Authorized) -> Answer,
) -> Response<Bytes> {
    let nonce = sandbox.server(at).nonces.next(sandbox.clock(at));
    let mut response = match credentials(request) {
        Credentials::Missing => error(401, "AuthMissing", "Authentication Required").to_xrpc(),
        Credentials::Others => error(400, "InvalidToken", "Token could not be verified").to_xrpc(),
        Credentials::Dpop(token) => {
            let mut response = match authorize(sandbox, at, request, token) {
                Ok(who) => run(sandbox, &who).unwrap_or_else(|refusal| refusal.to_xrpc()),
                Err(refusal) => refusal.to_xrpc(),
            };
            if let Some(nonce) = nonce {
                answer::set(&mut response, "dpop-nonce", &nonce);
            }
            response
        }
    };
    answer::set(&mut response, "cache-control", "private");
    response
}

pub(crate) fn error(status: u16, error: &'static str, description: &str) -> Refusal {
    Refusal { status, error, ..Refusal::invalid_request(description) }
}

pub(crate) fn scope_missing(scope: &str) -> Refusal {
    error(403, "ScopeMissingError", &format!("Missing required scope \"{scope}\""))
}

pub(crate) fn bad_request(message: &str) -> Refusal {
    error(400, "InvalidRequest", message)
}

fn describe_server(sandbox: &Sandbox, at: ServerId) -> Answer {
    let value = json!({
        "did": sandbox.server(at).did,
        "availableUserDomains": [sandbox.names.handles],
        "inviteCodeRequired": false,
        "blobUploadLimit": blobs::LARGEST,
        "links": {},
        "contact": {},
    });
    Ok(answer::json(200, &value))
}

fn resolve_handle(sandbox: &Sandbox, request: &Incoming) -> Answer {
    let handle = request.query("handle").ok_or_else(|| bad_request("handle is missing"))?;
    match sandbox.did(&handle) {
        Some(did) => Ok(answer::json(200, &json!({"did": did}))),
        None => Err(error(400, "HandleNotFound", "Unable to resolve handle")),
    }
}

fn get_session(sandbox: &Sandbox, at: ServerId, who: &Authorized) -> Answer {
    let account = account(sandbox, &who.did)?;
    let is_active = account.server == at;
    let mut value = Map::from_iter([
        ("did".to_owned(), json!(account.did)),
        ("handle".to_owned(), json!(account.handle)),
        ("active".to_owned(), json!(is_active)),
    ]);
    if !is_active {
        value.insert("status".to_owned(), json!("deactivated"));
    }
    if permission::allows_email(&who.scopes) {
        let email = format!("{}@mail.example.com", account.handle.replace('.', "-"));
        value.insert("email".to_owned(), json!(email));
        value.insert("emailConfirmed".to_owned(), json!(true));
    }
    Ok(answer::json(200, &value.into()))
}

/// There is no other service to pass a call on to.
fn proxy(who: &Authorized, method: &str, request: &Incoming) -> Answer {
    let service = request.header(HeaderName::from_static("atproto-proxy"));
    if !permission::allows_rpc(&who.scopes, method, service) {
        let audience = service.unwrap_or("*").replace('#', "%23");
        return Err(scope_missing(&format!("rpc:{method}?aud={audience}")));
    }
    Err(error(501, "MethodNotImplemented", "Method Not Implemented"))
}

fn account<'a>(sandbox: &'a Sandbox, did: &str) -> Result<&'a Account, Refusal> {
    let account = sandbox.accounts.iter().find(|account| account.did == did);
    account.ok_or_else(|| error(403, "AccountNotFound", "Account not found"))
}

/// The account, if it still lives here.
pub(crate) fn active<'a>(
    sandbox: &'a mut Sandbox,
    at: ServerId,
    did: &str,
) -> Result<&'a mut Account, Refusal> {
    match sandbox.accounts.iter_mut().find(|account| account.did == did) {
        Some(account) if account.server == at => Ok(account),
        Some(_) => Err(error(401, "AccountDeactivated", "Account is deactivated")),
        None => Err(error(403, "AccountNotFound", "Account not found")),
    }
}
