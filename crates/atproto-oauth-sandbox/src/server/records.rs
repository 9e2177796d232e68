//! XRPC methods on records (`com.atproto.repo`).

use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::accounts::account::Account;
use crate::accounts::cid;
use crate::accounts::repository::Record;
use crate::answer;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::permission;
use crate::server::refusal::Refusal;
use crate::server::resource::Authorized;
use crate::server::xrpc::{Answer, active, bad_request, error, scope_missing};

/// Maximum size of the JSON input of a method, in bytes.
const LARGEST_INPUT: usize = 1_000_000;

/// The three methods that write a record: `createRecord`, `putRecord`, `deleteRecord`.
#[derive(Clone, Copy)]
pub(crate) enum Write {
    Create,
    Put,
    Delete,
}

pub(crate) fn write_record(
    sandbox: &mut Sandbox,
    at: ServerId,
    request: &Incoming,
    caller: &Authorized,
    write: Write,
) -> Answer {
    let input = json_input(request)?;
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let required = |name: &str| {
        text(name).ok_or_else(|| bad_request(&format!("Input must have the property \"{name}\"")))
    };
    let (repo, collection) = (required("repo")?, required("collection")?);
    if !permission::is_nsid(collection) {
        return Err(bad_request("collection is not an NSID"));
    }
    if !sandbox.is_called(&caller.did, repo) {
        return Err(error(401, "AuthenticationRequired", "Authentication Required"));
    }
    let key = text("rkey").map(str::to_owned);
    let is_key = |key: &str| is_record_key(key);
    if input.get("rkey").is_some_and(|key| !key.as_str().is_some_and(is_key)) {
        return Err(bad_request("rkey is not a record key"));
    }
    if input.get("validate").is_some_and(|validate| *validate != json!(false)) {
        return Err(bad_request("The sandbox has no lexicons: omit validate or set it to false"));
    }
    let swaps = ["swapCommit", "swapRecord"];
    if swaps.iter().any(|name| input.get(name).is_some_and(|swap| !swap.is_null())) {
        return Err(error(
            400,
            "InvalidSwap",
            "The sandbox does not support swapCommit and swapRecord",
        ));
    }
    let now = sandbox.clock(at);
    let account = active(sandbox, at, &caller.did)?;
    // `putRecord` needs both actions, so that an error can't reveal whether the record exists.
    let actions: &[&str] = match write {
        Write::Create => &["create"],
        Write::Put => &["create", "update"],
        Write::Delete => &["delete"],
    };
    let allows = |action: &&&str| permission::allows_record(&caller.scopes, collection, action);
    if let Some(action) = actions.iter().find(|action| !allows(action)) {
        return Err(scope_missing(&format!("repo:{collection}?action={action}")));
    }
    let key = match (write, key) {
        (Write::Create, Some(key)) if account.repository.record(collection, &key).is_some() => {
            return Err(error(
                500,
                "InternalServerError",
                "A record with this rkey exists already",
            ));
        }
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
    let cid = cid::of_record(&record).map_err(|why| match why {
        cid::TOO_LARGE => error(500, "InternalServerError", why),
        _ => bad_request(why),
    })?;
    if blobs_of(&record).iter().any(|cid| account.repository.blob(cid).is_none()) {
        return Err(error(400, "BlobNotFound", "Could not find blob"));
    }
    let uri = account.repository.put(&caller.did, collection, &key, &cid, record);
    let answer = json!({
        "uri": uri,
        "cid": cid,
        "commit": commit(account),
        "validationStatus": "unknown",
    });
    Ok(answer::json(200, &answer))
}

pub(crate) fn get_record(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let (account, collection) = (repository(sandbox, at, request)?, collection(request)?);
    let key = request.query("rkey").ok_or_else(|| bad_request("rkey is missing"))?;
    let cid = request.query("cid");
    if cid.as_deref().is_some_and(|cid| !cid::is_one(cid)) {
        return Err(bad_request("cid is not a CID"));
    }
    let is_match = |record: &&Record| cid.as_deref().is_none_or(|cid| record.cid() == cid);
    match account.repository.record(&collection, &key).filter(is_match) {
        Some(record) => Ok(answer::json(200, &record.to_json())),
        None => Err(error(400, "RecordNotFound", "Could not locate record")),
    }
}

pub(crate) fn list_records(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let collection = collection(request)?;
    let account =
        repository(sandbox, at, request).map_err(|missing| bad_request(&missing.description))?;
    let limit = request.query("limit").unwrap_or_else(|| "50".to_owned());
    let is_number = limit.bytes().all(|byte| byte.is_ascii_digit());
    let limit = limit.parse().ok().filter(|limit| is_number && (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| bad_request("limit must be an integer from 1 to 100"))?;
    // A cursor is the record key of the last record of the previous page.
    let cursor = request.query("cursor");
    let is_reverse = match request.query("reverse").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(bad_request("reverse must be a boolean")),
    };
    let is_next = |record: &&Record| match (&cursor, is_reverse) {
        (None, _) => true,
        (Some(cursor), false) => record.key() < &**cursor,
        (Some(cursor), true) => record.key() > &**cursor,
    };
    let mut page: Vec<&Record> = account.repository.records(&collection).filter(is_next).collect();
    if is_reverse {
        page.reverse();
    }
    page.truncate(limit);
    let records: Vec<Value> = page.iter().map(|record| record.to_json()).collect();
    let mut answer = Map::from_iter([("records".to_owned(), json!(records))]);
    if let Some(last) = page.last() {
        answer.insert("cursor".to_owned(), json!(last.key()));
    }
    Ok(answer::json(200, &answer.into()))
}

pub(crate) fn describe_repo(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let account = repository(sandbox, at, request)?;
    let value = json!({
        "handle": account.handle,
        "did": account.did,
        "didDoc": account.document(&sandbox.server(at).origin),
        "collections": account.repository.collections(),
        "handleIsCorrect": true,
    });
    Ok(answer::json(200, &value))
}

fn repository<'a>(
    sandbox: &'a Sandbox,
    at: ServerId,
    request: &Incoming,
) -> Result<&'a Account, Refusal> {
    let repo = request.query("repo").ok_or_else(|| bad_request("repo is missing"))?;
    let account = sandbox.accounts.iter().find(|a| a.is_called(&repo) && a.server == at);
    account.ok_or_else(|| error(400, "RepoNotFound", "Could not find repo"))
}

fn collection(request: &Incoming) -> Result<String, Refusal> {
    let collection = request.query("collection").filter(|name| permission::is_nsid(name));
    collection.ok_or_else(|| bad_request("collection must be an NSID"))
}

fn json_input(request: &Incoming) -> Result<Value, Refusal> {
    let content_type = request.header(CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if request.body.len() > LARGEST_INPUT {
        return Err(error(413, "PayloadTooLargeError", "request entity too large"));
    }
    if essence != "application/json" {
        return Err(bad_request("The Content-Type must be application/json"));
    }
    if request.body.is_empty() {
        return Ok(Value::Null);
    }
    let input = serde_json::from_slice(&request.body).ok();
    let input = input.filter(|input: &Value| input.is_object() || input.is_array());
    input.ok_or_else(|| error(400, "SyntaxError", "The input is not a JSON object"))
}

/// Returns the CIDs of all blobs that a record refers to.
pub(crate) fn blobs_of(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(blobs_of).collect(),
        Value::Object(members) => match (members.get("$type"), value.pointer("/ref/$link")) {
            (Some(Value::String(kind)), Some(Value::String(link))) if kind == "blob" => vec![link],
            _ => members.values().flat_map(blobs_of).collect(),
        },
        _ => Vec::new(),
    }
}

/// Checks the syntax of a record key (AT Protocol "Record Key").
fn is_record_key(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_~.:-".contains(&byte))
}
