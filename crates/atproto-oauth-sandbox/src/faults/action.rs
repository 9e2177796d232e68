//! Effects of faults on requests and responses.

use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::accounts::handles::Dns;

/// Effect of a fault on one request, its response, or a DNS lookup.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Refuse,
    LoseRequest,
    LoseAnswer,
    Silence,
    Delay(Duration),
    Trickle(Duration),
    Cut(usize),
    Pad(usize),
    ResetNonces,
    Answer(Response<Bytes>),
    Status(StatusCode),
    Merge(Value),
    Body(Bytes),
    SetHeader(HeaderName, HeaderValue),
    AddHeader(HeaderName, HeaderValue),
    RemoveHeader(HeaderName),
    /// Replaces the answer to a DNS lookup; has no effect on requests.
    Dns(Dns),
}

impl Action {
    /// Returns the description of the effect for the log.
    pub(crate) fn description(&self) -> &'static str {
        match self {
            Self::Refuse => "connection refused",
            Self::LoseRequest => "request lost",
            Self::LoseAnswer => "response lost",
            Self::Silence => "no response",
            Self::Delay(_) => "delayed",
            Self::Trickle(_) => "body slow",
            Self::Cut(_) => "body cut",
            Self::Pad(_) => "body padded",
            Self::ResetNonces => "nonces reset",
            Self::Answer(_) | Self::Dns(_) => "response replaced",
            Self::Status(_)
            | Self::Merge(_)
            | Self::Body(_)
            | Self::SetHeader(..)
            | Self::AddHeader(..)
            | Self::RemoveHeader(_) => "response changed",
        }
    }

    /// Changes a response, if the effect is on the status, the headers or the body of a response.
    pub(crate) fn change(&self, response: &mut Response<Bytes>) {
        match self {
            Self::Status(status) => *response.status_mut() = *status,
            Self::Body(body) => *response.body_mut() = body.clone(),
            Self::SetHeader(name, value) => {
                response.headers_mut().insert(name, value.clone());
            }
            Self::AddHeader(name, value) => {
                response.headers_mut().append(name, value.clone());
            }
            Self::RemoveHeader(name) => {
                response.headers_mut().remove(name);
            }
            Self::Merge(patch) => {
                let mut value: Value =
                    serde_json::from_slice(response.body()).unwrap_or(Value::Null);
                merge(&mut value, patch);
                *response.body_mut() = value.to_string().into();
            }
            Self::Pad(to) if response.body().len() < *to => {
                let body = response.body();
                let padding = b" ".repeat(*to - body.len());
                *response.body_mut() = [&body[..], &padding[..]].concat().into();
            }
            _ => {}
        }
    }
}

/// Applies a JSON Merge Patch to `target` (RFC 7396 section 2).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
