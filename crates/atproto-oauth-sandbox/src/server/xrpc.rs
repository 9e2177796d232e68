//! `GET` and `POST /xrpc/<method>`: a selection of a PDS's XRPC methods, with their scopes and
//! errors (AT Protocol "HTTP API (XRPC)").

use bytes::Bytes;
use http::header::HeaderName;
use http::{Method, Response};
use serde_json::{Map, json};

use crate::accounts::account::Account;
use crate::answer;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::blobs;
use crate::server::permission;
use crate::server::records::{self, Write};
use crate::server::refusal::Refusal;
use crate::server::resource::{Authorized, Credentials, authorize, credentials};

/// The response of a method, or the error to render.
pub(crate) type Answer = Result<Response<Bytes>, Refusal>;

/// Request header that names the service to which the PDS forwards a call.
const SERVICE: HeaderName = HeaderName::from_static("atproto-proxy");

/// Checks an XRPC request to the PDS `at`, runs its method, and returns the response.
pub(crate) fn handle(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let path = request.url.path();
    let method = path.strip_prefix("/xrpc/").unwrap_or_default();
    let method = method.strip_suffix('/').unwrap_or(method).to_owned();
    if method.is_empty() {
        return bad_request("The path has no method name after /xrpc/").to_xrpc();
    }
    let asked = if request.method == Method::HEAD { Method::GET } else { request.method.clone() };
    if verb_of(&method).is_some_and(|verb| verb != asked) {
        return bad_request("Wrong HTTP method: queries need GET, procedures need POST").to_xrpc();
    }
    if let Some(name) = request.repeated_parameter() {
        return bad_request(&format!("The parameter {name} is repeated")).to_xrpc();
    }
    let open = match &*method {
        "com.atproto.server.describeServer" => describe_server(sandbox, at),
        "com.atproto.identity.resolveHandle" => resolve_handle(sandbox, request),
        "com.atproto.repo.describeRepo" => records::describe_repo(sandbox, at, request),
        "com.atproto.repo.getRecord" => records::get_record(sandbox, at, request),
        "com.atproto.repo.listRecords" => records::list_records(sandbox, at, request),
        "com.atproto.sync.getBlob" => blobs::get_blob(sandbox, at, request),
        _ => return authenticated_method(sandbox, at, request, &method),
    };
    open.unwrap_or_else(|refusal| refusal.to_xrpc())
}

/// Returns the HTTP method of an XRPC method: `GET` for a query, `POST` for a procedure, `None` for
/// a method that the sandbox does not have.
fn verb_of(method: &str) -> Option<Method> {
    match method {
        "com.atproto.server.describeServer"
        | "com.atproto.identity.resolveHandle"
        | "com.atproto.repo.describeRepo"
        | "com.atproto.repo.getRecord"
        | "com.atproto.repo.listRecords"
        | "com.atproto.sync.getBlob"
        | "com.atproto.server.getSession" => Some(Method::GET),
        "com.atproto.repo.createRecord"
        | "com.atproto.repo.putRecord"
        | "com.atproto.repo.deleteRecord"
        | "com.atproto.repo.uploadBlob" => Some(Method::POST),
        _ => None,
    }
}

/// Runs the methods that need an access token, including calls to other services.
fn authenticated_method(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    method: &str,
) -> Response<Bytes> {
    let service = request.header(SERVICE);
    let is_service = |service: &str| service != "*" && permission::is_audience(service);
    if verb_of(method).is_none() && service.is_some_and(|service| !is_service(service)) {
        return bad_request(
            "atproto-proxy must be a DID and a service id: did:web:api.example.com#api",
        )
        .to_xrpc();
    }
    authorized(sandbox, at, request, |sandbox, caller| match method {
        "com.atproto.server.getSession" => get_session(sandbox, at, caller),
        "com.atproto.repo.createRecord" => {
            records::write_record(sandbox, at, request, caller, Write::Create)
        }
        "com.atproto.repo.putRecord" => {
            records::write_record(sandbox, at, request, caller, Write::Put)
        }
        "com.atproto.repo.deleteRecord" => {
            records::write_record(sandbox, at, request, caller, Write::Delete)
        }
        "com.atproto.repo.uploadBlob" => blobs::upload_blob(sandbox, at, request, caller),
        _ => proxy(caller, method, request),
    })
}

/// Verifies the `Authorization` header of the request and runs a method for its account. With the
/// habits of the reference server, the response to a request with the scheme `DPoP` has a
/// `DPoP-Nonce` header (RFC 9449 section 8.2).
fn authorized(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    run: impl FnOnce(&mut Sandbox, &Authorized) -> Answer,
) -> Response<Bytes> {
    let nonce = sandbox.server(at).next_nonce(sandbox.clock(at));
    let mut response = match credentials(request) {
        Credentials::Missing => error(401, "AuthMissing", "Authentication Required").to_xrpc(),
        Credentials::Others => error(400, "InvalidToken", "Token could not be verified").to_xrpc(),
        Credentials::Dpop(token) => {
            let mut response = match authorize(sandbox, at, request, token) {
                Ok(caller) => run(sandbox, &caller).unwrap_or_else(|refusal| refusal.to_xrpc()),
                Err(refusal) => refusal.to_xrpc(),
            };
            let habit = sandbox.server(at).habits.nonce_on_success;
            let has_nonce = !response.status().is_success() || habit.is_for(request.url.path());
            if let Some(nonce) = nonce.filter(|_| has_nonce) {
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

fn get_session(sandbox: &Sandbox, at: ServerId, caller: &Authorized) -> Answer {
    let account = account(sandbox, &caller.did)?;
    let is_active = account.server == at;
    let mut value = Map::from_iter([
        ("did".to_owned(), json!(account.did)),
        ("handle".to_owned(), json!(account.handle)),
        ("active".to_owned(), json!(is_active)),
    ]);
    if !is_active {
        value.insert("status".to_owned(), json!("deactivated"));
    }
    if permission::allows_email(&caller.scopes) {
        let email = format!("{}@mail.example.com", account.handle.replace('.', "-"));
        value.insert("email".to_owned(), json!(email));
        value.insert("emailConfirmed".to_owned(), json!(true));
    }
    Ok(answer::json(200, &value.into()))
}

/// Checks the scopes of a call to another service. If they suffice, the call fails with status 501,
/// because the sandbox has no other services.
fn proxy(caller: &Authorized, method: &str, request: &Incoming) -> Answer {
    let service = request.header(SERVICE);
    if !permission::allows_rpc(&caller.scopes, method, service) {
        let audience = service.unwrap_or("*").replace('#', "%23");
        return Err(scope_missing(&format!("rpc:{method}?aud={audience}")));
    }
    Err(error(501, "MethodNotImplemented", "Method Not Implemented"))
}

fn account<'a>(sandbox: &'a Sandbox, did: &str) -> Result<&'a Account, Refusal> {
    let account = sandbox.accounts.iter().find(|account| account.did == did);
    account.ok_or_else(|| error(403, "AccountNotFound", "Account not found"))
}

/// Returns the account `did` if the server `at` hosts it; fails if the account has moved away.
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
