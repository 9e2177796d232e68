//! What faults do to requests and to the server's own answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;

use crate::accounts::handles::Dns;

/// What a fault does to a request.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Refuse,
    Drop,
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
    Header(HeaderName, HeaderValue),
    AnotherHeader(HeaderName, HeaderValue),
    NoHeader(HeaderName),
    /// This is said to a look-up, which is no request.
    Dns(Dns),
}

impl Action {
    /// What is said of it in the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refused",
            Self::Drop => "request lost",
            Self::LoseAnswer => "answer lost",
            Self::Silence => "silence",
            Self::Delay(_) => "delayed",
            Self::Trickle(_) => "trickling",
            Self::Cut(_) => "cut",
            Self::Pad(_) => "padded",
            Self::ResetNonces => "nonces reset",
            Self::Answer(_) | Self::Dns(_) => "answered by another",
            Self::Status(_)
            | Self::Merge(_)
            | Self::Body(_)
            | Self::Header(..)
            | Self::AnotherHeader(..)
            | Self::NoHeader(_) => "changed",
        }
    }

    /// Changes the server's own answer.
    pub(crate) fn change(&self, response: &mut Response<Bytes>) {
        match self {
            Self::Status(status) => *response.status_mut() = *status,
            Self::Body(body) => *response.body_mut() = body.clone(),
            Self::Header(name, value) => {
                response.headers_mut().insert(name, value.clone());
            }
            Self::AnotherHeader(name, value) => {
                response.headers_mut().append(name, value.clone());
            }
            Self::NoHeader(name) => {
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

/// JSON Merge Patch (RFC 7396 section 2).
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
