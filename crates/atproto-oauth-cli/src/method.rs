//! An XRPC method with its parameters, as the verbs take it that call one.

use std::fs;
use std::io::{self, Read as _};

use atproto_oauth_core::xrpc;
use atproto_sansio::Body;
use clap::Args;
use http::Request;
use serde_json::{Map, Value};

use crate::failure::{CONFIGURATION, Failure, USAGE};

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

    /// Body of the procedure: JSON, or the contents of a file, or of standard input with @-. The parameters are
    /// then in the URL. A method with a body is a procedure (POST), whatever its name
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "query")]
    pub(crate) data: Option<String>,

    /// Media type of the body, for example image/png; by default, application/json
    #[arg(long, value_name = "TYPE", value_parser = media_type, requires = "data")]
    pub(crate) content_type: Option<String>,

    /// Service to which the account's server forwards the call, for example
    /// did:web:api.bsky.app#bsky_appview
    #[arg(long, value_name = "DID#SERVICE")]
    pub(crate) proxy: Option<String>,
}

impl Method {
    /// Builds the request of a query or procedure. The file of the body is read.
    pub(crate) fn request(&self) -> Result<Request<Body>, Failure> {
        let is_procedure = self.procedure || (!self.query && !is_query(&self.nsid));
        self.forwarded(match &self.data {
            Some(data) => {
                let content_type = self.content_type.as_deref().unwrap_or(JSON);
                let body = body(data, content_type)?;
                xrpc::blob(&self.nsid, &params(&self.params)?, content_type, body)?
            }
            None if is_procedure => xrpc::procedure(&self.nsid, &[], &input(&self.params)?)?,
            None => xrpc::query(&self.nsid, &params(&self.params)?)?,
        })
    }

    fn forwarded(&self, request: Request<Body>) -> Result<Request<Body>, Failure> {
        match &self.proxy {
            Some(service) => Ok(xrpc::with_proxy(request, service)?),
            None => Ok(request),
        }
    }
}

const JSON: &str = "application/json";

/// Checks a media type roughly, so that no empty header is sent.
pub(crate) fn media_type(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((class, name)) if !class.trim().is_empty() && !name.trim().is_empty() => {
            Ok(text.to_owned())
        }
        _ => Err("a media type such as image/png is needed".to_owned()),
    }
}

/// Reads the body of a procedure.
fn body(data: &str, content_type: &str) -> Result<Vec<u8>, Failure> {
    let (bytes, name) = match data.strip_prefix('@') {
        None => (data.as_bytes().to_vec(), "--data".to_owned()),
        Some("-") => {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| {
                let help = "write --data @FILE for the contents of a file";
                Failure::new(CONFIGURATION, format!("can't read standard input: {error}"), help)
            })?;
            (bytes, "standard input".to_owned())
        }
        Some("") => {
            let help = "write @FILE for the contents of a file, or @- for standard input";
            return Err(Failure::new(USAGE, "--data @ names no file", help));
        }
        Some(path) => {
            let read = fs::read(path);
            let bytes =
                read.map_err(|error| Failure::file("the data file", path.as_ref(), &error))?;
            (bytes, path.to_owned())
        }
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Err(error) if content_type == JSON => {
            let message = format!("the data of {name} is not JSON: {error}");
            let help = "write @FILE for the contents of a file, and --content-type for other data";
            Err(Failure::new(USAGE, message, help))
        }
        _ => Ok(bytes),
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
            format!("`{param}`: only the input of a procedure takes JSON"),
            format!("write {key}={text}"),
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
                    let help = format!("write JSON after `{key}:=`, or a text as {key}=TEXT");
                    Failure::new(USAGE, format!("the value of `{key}` is not JSON: {error}"), help)
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
    let help = "write KEY=TEXT, or KEY:=JSON for the input of a procedure";
    Failure::new(USAGE, format!("the parameter `{param}` is not KEY=VALUE"), help)
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
    fn a_body_is_json_unless_its_type_is_another() {
        // Rule L-22
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("body");
        let at = format!("@{}", file.display());
        assert_eq!(body("{\"a\": 1}", JSON).unwrap(), b"{\"a\": 1}");
        for (data, words) in [
            ("file.json", "--data is not JSON"),
            (&at[..], "can't access the data file"),
            ("@", "names no file"),
        ] {
            let error = body(data, JSON).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        fs::write(&file, [0xff, 0xd8]).unwrap();
        assert_eq!(body(&at, "image/jpeg").unwrap(), [0xff, 0xd8]);
        let error = body(&at, JSON).unwrap_err().to_string();
        assert!(error.contains(&at[1..]), "{error}");
    }

    #[test]
    fn a_media_type_has_two_parts() {
        // Rule L-22
        for (text, is_type) in [
            ("image/png", true),
            ("text/plain; charset=utf-8", true),
            ("", false),
            (" ", false),
            ("png", false),
            ("image/ ", false),
        ] {
            assert_eq!(media_type(text).is_ok(), is_type, "{text}");
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
