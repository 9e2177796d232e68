//! The methods of a PDS: enough for real calls, with their scopes and errors (AT Protocol "HTTP API
//! (XRPC)").

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::answer;
use crate::cid;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::permission;
use crate::server::refusal::Refusal;
use crate::server::resource::{Authorized, Credentials, authorize, credentials};

type Answer = Result<Response<Bytes>, Refusal>;

/// The largest blob.
const LARGEST_BLOB: usize = 100 * 1024 * 1024;

/// What the PDS at `at` answers to an XRPC request.
pub(crate) fn handle(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let method = request.url.path().strip_prefix("/xrpc/").unwrap_or_default().to_owned();
    let open = match (request.method.as_str(), &*method) {
        ("GET", "com.atproto.server.describeServer") => Some(describe_server(sandbox, at)),
        ("GET", "com.atproto.identity.resolveHandle") => Some(resolve_handle(sandbox, request)),
        ("GET", "com.atproto.repo.getRecord") => Some(get_record(sandbox, at, request)),
        ("GET", "com.atproto.repo.listRecords") => Some(list_records(sandbox, at, request)),
        ("GET", "com.atproto.sync.getBlob") => Some(get_blob(sandbox, at, request)),
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
        let refusal = error(405, "InvalidRequest", "This method is called with the other verb");
        return refusal.to_xrpc();
    }
    authorized(sandbox, at, request, |sandbox, who| match &*method {
        "com.atproto.server.getSession" => get_session(sandbox, at, who),
        "com.atproto.repo.createRecord" => write_record(sandbox, at, request, who, Write::Create),
        "com.atproto.repo.putRecord" => write_record(sandbox, at, request, who, Write::Put),
        "com.atproto.repo.deleteRecord" => write_record(sandbox, at, request, who, Write::Delete),
        "com.atproto.repo.uploadBlob" => upload_blob(sandbox, at, request, who),
        _ => proxy(who, &method),
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
        Credentials::Bearer => error(400, "InvalidToken", "Token could not be verified").to_xrpc(),
        Credentials::Unreadable => {
            error(400, "InvalidToken", "Malformed authorization header").to_xrpc()
        }
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

fn error(status: u16, error: &'static str, description: &str) -> Refusal {
    Refusal { status, error, ..Refusal::invalid_request(description) }
}

fn scope_missing(scope: &str) -> Refusal {
    error(403, "ScopeMissingError", &format!("Missing required scope \"{scope}\""))
}

fn bad_request(message: &str) -> Refusal {
    error(400, "InvalidRequest", message)
}

fn describe_server(sandbox: &Sandbox, at: ServerId) -> Answer {
    let value = json!({
        "did": sandbox.server(at).did,
        "availableUserDomains": [sandbox.names.handles],
        "inviteCodeRequired": false,
        "blobUploadLimit": LARGEST_BLOB,
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
    let endpoint = &sandbox.server(account.server).origin;
    let mut value = Map::from_iter([
        ("did".to_owned(), json!(account.did)),
        ("handle".to_owned(), json!(account.handle)),
        ("didDoc".to_owned(), account.document(endpoint)),
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

#[derive(Clone, Copy)]
enum Write {
    Create,
    Put,
    Delete,
}

fn write_record(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    who: &Authorized,
    write: Write,
) -> Answer {
    let input = json_input(request)?;
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let required = |name: &str| {
        text(name).ok_or_else(|| bad_request(&format!("Input must have the property \"{name}\"")))
    };
    let (repo, collection) = (required("repo")?, required("collection")?);
    if !is_nsid(collection) {
        return Err(bad_request("collection is not an NSID"));
    }
    if !sandbox.is_called(&who.did, repo) {
        return Err(error(401, "AuthenticationRequired", "Authentication Required"));
    }
    let key = text("rkey").map(str::to_owned);
    if key.as_deref().is_some_and(|key| !is_record_key(key)) {
        return Err(bad_request("rkey is not a record key"));
    }
    let now = sandbox.clock(at);
    let account = active(sandbox, at, &who.did)?;
    let exists =
        key.as_deref().is_some_and(|key| account.repository.record(collection, key).is_some());
    let action = match write {
        Write::Create => "create",
        Write::Put if exists => "update",
        Write::Put => "create",
        Write::Delete => "delete",
    };
    if !permission::allows_record(&who.scopes, collection, action) {
        return Err(scope_missing(&format!("repo:{collection}?action={action}")));
    }
    let key = match (write, key) {
        (Write::Create, key) => key.unwrap_or_else(|| account.repository.next_key(now)),
        (_, Some(key)) => key,
        (_, None) => return Err(bad_request("Input must have the property \"rkey\"")),
    };
    let commit = |account: &mut Account| account.repository.commit(now);
    if matches!(write, Write::Delete) {
        account.repository.delete(collection, &key);
        return Ok(answer::json(200, &json!({"commit": commit(account)})));
    }
    let record = input.get("record").and_then(Value::as_object).cloned();
    let record = record.ok_or_else(|| bad_request("Input must have the property \"record\""))?;
    if record.get("$type").is_some_and(|kind| kind != collection) {
        return Err(bad_request("Invalid $type: it must be the collection"));
    }
    let mut record = record;
    record.insert("$type".to_owned(), json!(collection));
    let record = record.into();
    let cid = cid::of_record(&record).map_err(bad_request)?;
    let uri = account.repository.put(&who.did, collection, &key, &cid, record);
    let answer = json!({
        "uri": uri,
        "cid": cid,
        "commit": commit(account),
        "validationStatus": "unknown",
    });
    Ok(answer::json(200, &answer))
}

fn upload_blob(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    who: &Authorized,
) -> Answer {
    let content_type = request.header(CONTENT_TYPE).unwrap_or_default().to_owned();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if content_type.is_empty() {
        return Err(bad_request("Request encoding (Content-Type) required but not provided"));
    }
    if !permission::allows_blob(&who.scopes, content_type) {
        return Err(scope_missing(&format!("blob:{content_type}")));
    }
    if request.body.len() > LARGEST_BLOB {
        return Err(error(413, "PayloadTooLarge", "request entity too large"));
    }
    let account = active(sandbox, at, &who.did)?;
    let cid = account.repository.upload(content_type, request.body.clone());
    let blob = json!({
        "$type": "blob",
        "ref": {"$link": cid},
        "mimeType": content_type,
        "size": request.body.len(),
    });
    Ok(answer::json(200, &json!({"blob": blob})))
}

/// There is no other service to pass a call on to.
fn proxy(who: &Authorized, method: &str) -> Answer {
    if !permission::allows_rpc(&who.scopes, method) {
        return Err(scope_missing(&format!("rpc:{method}?aud=*")));
    }
    Err(error(501, "MethodNotImplemented", "Method Not Implemented"))
}

fn get_record(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let (account, collection) = repository(sandbox, at, request)?;
    let key = request.query("rkey").ok_or_else(|| bad_request("rkey is missing"))?;
    match account.repository.record(&collection, &key) {
        Some(record) => Ok(answer::json(200, &record.to_json())),
        None => Err(error(400, "RecordNotFound", "Could not locate record")),
    }
}

fn list_records(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let (account, collection) = repository(sandbox, at, request)?;
    let limit = request.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50);
    let records: Vec<Value> = account
        .repository
        .records(&collection)
        .take(limit)
        .map(|record| record.to_json())
        .collect();
    Ok(answer::json(200, &json!({"records": records})))
}

fn get_blob(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let did = request.query("did").ok_or_else(|| bad_request("did is missing"))?;
    let cid = request.query("cid").ok_or_else(|| bad_request("cid is missing"))?;
    let account = sandbox.accounts.iter().find(|a| a.did == did && a.server == at);
    let blob = account.and_then(|account| account.repository.blob(&cid));
    let (content_type, bytes) = blob.ok_or_else(|| error(400, "BlobNotFound", "Blob not found"))?;
    let mut response = answer::typed(200, "application/octet-stream", bytes.clone());
    answer::set(&mut response, "content-type", content_type);
    Ok(response)
}

fn repository<'a>(
    sandbox: &'a Sandbox,
    at: ServerId,
    request: &Incoming,
) -> Result<(&'a Account, String), Refusal> {
    let repo = request.query("repo").ok_or_else(|| bad_request("repo is missing"))?;
    let collection =
        request.query("collection").ok_or_else(|| bad_request("collection is missing"))?;
    let account = sandbox.accounts.iter().find(|a| a.is_called(&repo) && a.server == at);
    let account = account.ok_or_else(|| bad_request("Could not find repo"))?;
    Ok((account, collection))
}

fn account<'a>(sandbox: &'a Sandbox, did: &str) -> Result<&'a Account, Refusal> {
    let account = sandbox.accounts.iter().find(|account| account.did == did);
    account.ok_or_else(|| error(403, "AccountNotFound", "Account not found"))
}

/// The account, if it still lives here.
fn active<'a>(
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

fn json_input(request: &Incoming) -> Result<Value, Refusal> {
    let content_type = request.header(CONTENT_TYPE).unwrap_or_default();
    if !content_type.starts_with("application/json") {
        return Err(bad_request("Wrong request encoding (Content-Type), or none"));
    }
    serde_json::from_slice(&request.body).map_err(|_| bad_request("The input is not JSON"))
}

/// AT Protocol "NSID"
fn is_nsid(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 317 && labels.len() >= 3 && labels.iter().all(is_label)
}

/// AT Protocol "Record Key"
fn is_record_key(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_~.:-".contains(&byte))
}
