//! XRPC methods on blobs (`com.atproto.repo.uploadBlob`, `com.atproto.sync.getBlob`).

use http::header::CONTENT_TYPE;
use serde_json::json;

use crate::answer;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::permission;
use crate::server::records::blobs_of;
use crate::server::resource::Authorized;
use crate::server::xrpc::{Answer, active, bad_request, error, scope_missing};

/// Maximum size of a blob, in bytes.
pub(crate) const LARGEST: usize = 100 * 1024 * 1024;

pub(crate) fn upload_blob(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    caller: &Authorized,
) -> Answer {
    let content_type = request.header(CONTENT_TYPE).unwrap_or_default().to_owned();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if content_type.is_empty() {
        return Err(bad_request("Request encoding (Content-Type) required but not provided"));
    }
    if !permission::allows_blob(&caller.scopes, content_type) {
        return Err(scope_missing(&format!("blob:{content_type}")));
    }
    if request.body.len() > LARGEST {
        return Err(error(413, "PayloadTooLargeError", "request entity too large"));
    }
    let account = active(sandbox, at, &caller.did)?;
    let cid = account.repository.upload(content_type, request.body.clone());
    let blob = json!({
        "$type": "blob",
        "ref": {"$link": cid},
        "mimeType": content_type,
        "size": request.body.len(),
    });
    Ok(answer::json(200, &json!({"blob": blob})))
}

pub(crate) fn get_blob(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let did = request.query("did").ok_or_else(|| bad_request("did is missing"))?;
    let cid = request.query("cid").ok_or_else(|| bad_request("cid is missing"))?;
    let account = sandbox.accounts.iter().find(|a| a.did == did && a.server == at);
    let account = account.ok_or_else(|| error(400, "RepoNotFound", "Could not find repo"))?;
    // A blob is public only if a record of the account refers to it.
    let is_public = account.repository.all().any(|record| blobs_of(record).contains(&&*cid));
    let blob = account.repository.blob(&cid).filter(|_| is_public);
    let (content_type, bytes) = blob.ok_or_else(|| bad_request("Blob not found"))?;
    let mut response = answer::typed(200, "application/octet-stream", bytes.clone());
    answer::set(&mut response, "content-type", content_type);
    Ok(response)
}
