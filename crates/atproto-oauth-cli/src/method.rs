//! An XRPC method with its parameters, as the verbs take it that call one.

use atproto_oauth_core::xrpc;
use atproto_sansio::Body;
use clap::Args;
use http::Request;
use serde_json::{Map, Value};

use crate::failure::{Failure, USAGE};

/// Options of the verbs that call a method.
#[derive(Args, Debug)]
pub(crate) struct Method {
    /// Name of the XRPC method, for example com.atproto.server.getSession
    pub(crate) nsid: String,

    /// Parameters as key=text; for the input of a procedure also key:=json
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) params: Vec<String>,

    /// Call the method as a procedure (POST); by default, the verb in its name decides
    #[arg(long, conflicts_with = "query")]
    pub(crate) procedure: bool,

    /// Call the method as a query (GET); by default, the verb in its name decides
    #[arg(long)]
    pub(crate) query: bool,

    /// Service to which the account's server forwards the call, for example
    /// did:web:api.bsky.app#bsky_appview
    #[arg(long, value_name = "DID#SERVICE")]
    pub(crate) proxy: Option<String>,
}

impl Method {
    /// Builds the request of a query or procedure.
    pub(crate) fn request(&self) -> Result<Request<Body>, Failure> {
        let is_procedure = self.procedure || (!self.query && !is_query(&self.nsid));
        self.forwarded(match is_procedure {
            true => xrpc::procedure(&self.nsid, &[], &input(&self.params)?)?,
            false => xrpc::query(&self.nsid, &params(&self.params)?)?,
        })
    }

    /// Builds the request that uploads `bytes`.
    pub(crate) fn upload(
        &self,
        content_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Request<Body>, Failure> {
        self.forwarded(xrpc::blob(&self.nsid, &params(&self.params)?, content_type, bytes)?)
    }

    fn forwarded(&self, request: Request<Body>) -> Result<Request<Body>, Failure> {
        match &self.proxy {
            Some(service) => Ok(xrpc::with_proxy(request, service)?),
            None => Ok(request),
        }
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
