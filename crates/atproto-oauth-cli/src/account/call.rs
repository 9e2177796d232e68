//! `call`: sends one XRPC request to the account's server, with a stored session.

use std::fs;
use std::path::PathBuf;

use atproto_oauth_core::xrpc;
use atproto_sansio::Body;
use clap::Args;
use http::Request;
use serde_json::{Map, Value};

use crate::account::accounts;
use crate::arguments::Common;
use crate::failure::{Failure, USAGE};
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct Call {
    /// Name of the XRPC method, for example com.atproto.server.getSession
    pub(crate) nsid: String,

    /// Parameters as key=text; for the input of a procedure also key:=json. With --file, they are
    /// parameters in the URL
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) params: Vec<String>,

    /// Call the method as a procedure (POST); by default, the verb in its name decides
    #[arg(long, conflicts_with = "query")]
    pub(crate) procedure: bool,

    /// Call the method as a query (GET); by default, the verb in its name decides
    #[arg(long)]
    pub(crate) query: bool,

    /// File to send as the request body, for example to com.atproto.repo.uploadBlob
    #[arg(long, value_name = "FILE", conflicts_with = "query", requires = "content_type")]
    pub(crate) file: Option<PathBuf>,

    /// Media type of the file, for example image/png
    #[arg(long, value_name = "TYPE", requires = "file")]
    pub(crate) content_type: Option<String>,

    /// Service to which the account's server forwards the call, for example
    /// did:web:api.bsky.app#bsky_appview
    #[arg(long, value_name = "DID#SERVICE")]
    pub(crate) proxy: Option<String>,

    /// Account to call the method for, if several are logged in
    #[arg(long, env = "ATPROTO_OAUTH_ACCOUNT", value_name = "HANDLE|DID")]
    pub(crate) account: Option<String>,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn run(call: &Call) -> Result<(), Failure> {
    let common = &call.common;
    let request = request(call)?;
    let sessions = accounts::of_account(accounts::of_store(common)?, call.account.as_deref())?;
    let (_, reply) = accounts::send(sessions, request, common)?;
    output::print(reply.response.body())
}

fn request(call: &Call) -> Result<Request<Body>, Failure> {
    let request = if let (Some(path), Some(content_type)) = (&call.file, &call.content_type) {
        let bytes = fs::read(path).map_err(|error| Failure::file("the file", path, &error))?;
        xrpc::blob(&call.nsid, &params(&call.params)?, content_type, bytes)?
    } else if call.procedure || (!call.query && !is_query(&call.nsid)) {
        xrpc::procedure(&call.nsid, &[], &input(&call.params)?)?
    } else {
        xrpc::query(&call.nsid, &params(&call.params)?)?
    };
    match &call.proxy {
        Some(service) => Ok(xrpc::with_proxy(request, service)?),
        None => Ok(request),
    }
}

/// Whether a method is a query by its name: the last segment begins with a verb such as `get`, and
/// the verb is followed by no lower-case letter.
fn is_query(nsid: &str) -> bool {
    let name = nsid.rsplit('.').next().unwrap_or_default();
    QUERY_VERBS.iter().any(|verb| {
        let rest = name.strip_prefix(verb);
        rest.is_some_and(|rest| !rest.starts_with(|char: char| char.is_ascii_lowercase()))
    })
}

const QUERY_VERBS: [&str; 8] =
    ["get", "list", "search", "describe", "resolve", "query", "check", "find"];

fn params(params: &[String]) -> Result<Vec<(&str, &str)>, Failure> {
    params.iter().map(|param| text_param(param)).collect()
}

/// Splits `key=text`; a parameter in a URL is text.
fn text_param(param: &str) -> Result<(&str, &str), Failure> {
    let (key, text) = param.split_once('=').ok_or_else(|| no_value(param))?;
    match key.strip_suffix(':') {
        None => Ok((key, text)),
        Some(key) => Err(Failure::new(
            USAGE,
            format!("`{param}`: only the input of a procedure takes JSON; write {key}={text}"),
        )),
    }
}

/// Builds the JSON input of a procedure: `key=text` is a string, `key:=json` any JSON value.
fn input(params: &[String]) -> Result<Value, Failure> {
    let mut input = Map::new();
    for param in params {
        let (key, text) = param.split_once('=').ok_or_else(|| no_value(param))?;
        let (key, value) = match key.strip_suffix(':') {
            Some(key) => {
                let value = serde_json::from_str(text).map_err(|error| {
                    Failure::new(USAGE, format!("the value of `{key}` is not JSON: {error}"))
                })?;
                (key, value)
            }
            None => (key, Value::from(text)),
        };
        input.insert(key.to_owned(), value);
    }
    Ok(Value::Object(input))
}

fn no_value(param: &str) -> Failure {
    Failure::new(USAGE, format!("the parameter `{param}` is not KEY=VALUE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_with_a_query_verb_are_queries() {
        for nsid in ["com.atproto.server.getSession", "com.atproto.repo.listRecords", "a.b.get"] {
            assert!(is_query(nsid), "{nsid}");
        }
        for nsid in ["com.atproto.repo.createRecord", "a.b.getaway", "a.b.listen", "get"] {
            assert_eq!(is_query(nsid), nsid == "get", "{nsid}");
        }
    }

    #[test]
    fn parameters_of_a_query_are_text() {
        let given = ["a=1", "a=x=y"].map(str::to_owned);
        assert_eq!(params(&given).unwrap(), [("a", "1"), ("a", "x=y")]);
        for refused in ["a", "a:=1"] {
            assert!(params(&[refused.to_owned()]).is_err(), "{refused}");
        }
    }

    #[test]
    fn input_is_text_or_json() {
        let given = ["a=1", "b:=1", "c:={\"d\":[true]}", "e=x=y"].map(str::to_owned);
        let expected = serde_json::json!({"a": "1", "b": 1, "c": {"d": [true]}, "e": "x=y"});
        assert_eq!(input(&given).unwrap(), expected);
        assert!(input(&["a".to_owned()]).is_err());
        assert!(input(&["a:=x".to_owned()]).is_err());
    }
}
