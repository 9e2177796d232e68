//! Methods on records (`com.atproto.repo`).

use http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::answer;
use crate::cid;
use crate::incoming::Incoming;
use crate::repository::Record;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::permission;
use crate::server::refusal::Refusal;
use crate::server::resource::Authorized;
use crate::server::xrpc::{Answer, active, bad_request, error, scope_missing};

/// The largest input of a method, as JSON.
const LARGEST_INPUT: usize = 1_000_000;

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
    who: &Authorized,
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
    if !sandbox.is_called(&who.did, repo) {
        return Err(error(401, "AuthenticationRequired", "Authentication Required"));
    }
    let key = text("rkey").map(str::to_owned);
    if key.as_deref().is_some_and(|key| !is_record_key(key)) {
        return Err(bad_request("rkey is not a record key"));
    }
    let now = sandbox.clock(at);
    let account = active(sandbox, at, &who.did)?;
    // Whether a record is there is none of the business of whoever may not do both.
    let actions: &[&str] = match write {
        Write::Create => &["create"],
        Write::Put => &["create", "update"],
        Write::Delete => &["delete"],
    };
    let allows = |action: &&&str| permission::allows_record(&who.scopes, collection, action);
    if let Some(action) = actions.iter().find(|action| !allows(action)) {
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

pub(crate) fn get_record(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let (account, collection) = (repository(sandbox, at, request)?, collection(request)?);
    let key = request.query("rkey").ok_or_else(|| bad_request("rkey is missing"))?;
    match account.repository.record(&collection, &key) {
        Some(record) => Ok(answer::json(200, &record.to_json())),
        None => Err(error(400, "RecordNotFound", "Could not locate record")),
    }
}

pub(crate) fn list_records(sandbox: &Sandbox, at: ServerId, request: &Incoming) -> Answer {
    let collection = collection(request)?;
    let account =
        repository(sandbox, at, request).map_err(|missing| bad_request(&missing.description))?;
    let limit = request.query("limit").unwrap_or_else(|| "50".to_owned());
    let limit = limit.parse().ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| bad_request("limit must be an integer from 1 to 100"))?;
    // A cursor is the key of the last record that was given.
    let cursor = request.query("cursor");
    let is_next = |record: &&Record| cursor.as_deref().is_none_or(|cursor| record.key() < cursor);
    let page: Vec<&Record> =
        account.repository.records(&collection).filter(is_next).take(limit).collect();
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
    request.query("collection").ok_or_else(|| bad_request("collection is missing"))
}

fn json_input(request: &Incoming) -> Result<Value, Refusal> {
    let content_type = request.header(CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if request.body.len() > LARGEST_INPUT {
        return Err(error(413, "PayloadTooLargeError", "request entity too large"));
    }
    if essence != "application/json" {
        return Err(bad_request("Wrong request encoding (Content-Type), or none"));
    }
    if request.body.is_empty() {
        return Ok(Value::Null);
    }
    let input = serde_json::from_slice(&request.body).ok();
    let input = input.filter(|input: &Value| input.is_object() || input.is_array());
    input.ok_or_else(|| error(400, "SyntaxError", "The input is no JSON object"))
}

/// AT Protocol "Record Key"
fn is_record_key(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && !matches!(text, "." | "..")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_~.:-".contains(&byte))
}
