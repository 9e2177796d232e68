//! Makes the reply to a call from a `<` line.

use atproto_sansio::{Call, Phase, Reply, Rule, TransportError};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header};

use crate::replayer::fixture;

/// Replies to `call` with the fields of a `<` line.
///
/// # Panics
///
/// Panics if the fields are malformed or are a reply to another kind of call.
pub fn answer(call: Call, fields: &[String]) -> Reply {
    if let Some(phase) = fields.first().and_then(|field| field.strip_prefix('!')) {
        return call
            .fail(TransportError::new(phase_of(phase), "the transcript has a failure here"));
    }
    match call {
        Call::Http(call) => call.respond.with(Ok(response(fields))),
        Call::Txt(call) => {
            let records = fields.iter().filter(|field| *field != "(none)").cloned().collect();
            call.respond.with(Ok(records))
        }
        Call::Sleep(call) => call.respond.with(Ok(())),
        other => panic!("a transcript cannot reply to {other:?}"),
    }
}

fn response(fields: &[String]) -> Response<Bytes> {
    let (first, headers) =
        fields.split_first().expect("each `>` line of an HTTP request has a `<` line");
    let (status, body) = first.split_once(' ').unwrap_or((first, ""));
    let body = fixture::body(body);
    let is_json = body.starts_with('{');
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        status.parse().unwrap_or_else(|_| panic!("`{first}` does not begin with a status"));
    let content_type = if is_json { "application/json" } else { "text/plain" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for field in headers {
        let (name, value) = field
            .split_once(": ")
            .unwrap_or_else(|| panic!("`{field}` is not a header `name: value`"));
        let name: HeaderName = name.parse().unwrap();
        match (name, value) {
            (header::CONTENT_TYPE, "(none)") => {
                response.headers_mut().remove(header::CONTENT_TYPE);
            }
            (header::CONTENT_TYPE, value) => {
                response.headers_mut().insert(header::CONTENT_TYPE, value.parse().unwrap());
            }
            (name, value) => drop(response.headers_mut().append(name, value.parse().unwrap())),
        }
    }
    response
}

fn phase_of(name: &str) -> Phase {
    match name {
        "NotSent" => Phase::NotSent,
        "MaybeSent" => Phase::MaybeSent,
        "Truncated" => Phase::Truncated,
        "TooLarge" => Phase::TooLarge,
        "TimedOut" => Phase::TimedOut,
        "Unsupported" => Phase::Unsupported,
        "Blocked" => Phase::Blocked(Box::new(Rule {
            host: "the host".to_owned(),
            ..Rule::because("the transcript has a failure here")
        })),
        other => panic!("unknown phase `!{other}`"),
    }
}
