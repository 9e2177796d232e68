//! Performs one HTTP call: sends its request at most once, and receives one reply.

use std::io::Read;
use std::time::Duration;

use atproto_sansio::{Answer, Body, HttpCall, Phase, Reply, TransportError, declare_length};
use bytes::Bytes;
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use ureq::{Agent, SendBody};

use crate::agents::Agents;
use crate::connect::{Latest, Witness};
use crate::failure;
use crate::streams::{Exactly, Incoming, Streams};

pub(crate) fn perform(agents: &Agents, call: HttpCall, streams: &mut Streams<'_>) -> Reply {
    let HttpCall { request, timeout, start_by, least_time, answer, reach, respond } = call;
    let latest = Latest::new(start_by, timeout.min(LONGEST), least_time);
    let result = agents.reaching(reach).map_err(TransportError::blocked).and_then(|agent| {
        latest.check().map_err(not_sent)?;
        let request = prepare(request, &agents.user_agent);
        let response = send(agent, request, timeout, latest, streams)?;
        receive(response, answer, streams)
    });
    respond.with(result)
}

/// Copies method, URI, headers and body, but not the HTTP version: ureq sends HTTP/1.1 only.
fn prepare(request: Request<Body>, user_agent: &HeaderValue) -> Request<Body> {
    let (parts, body) = request.into_parts();
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = parts.uri;
    *request.headers_mut() = parts.headers;
    request.headers_mut().entry(USER_AGENT).or_insert_with(|| user_agent.clone());
    request
}

fn send(
    agent: &Agent,
    request: Request<Body>,
    timeout: Duration,
    latest: Latest,
    streams: &mut Streams<'_>,
) -> Result<Response<ureq::Body>, TransportError> {
    let (mut parts, body) = request.into_parts();
    let bytes;
    let (mut reader, length): (Box<dyn Read + '_>, _) = match body {
        Body::Bytes(whole) => {
            bytes = whole;
            (Box::new(&*bytes), Some(bytes.len() as u64))
        }
        Body::Attached => {
            let attached = streams.take_body()?;
            (attached.reader, attached.length)
        }
    };
    let length = declare_length(&parts.method, &mut parts.headers, length)?;
    let witness = Witness::begin(latest);
    let outcome = match length {
        Some(0) => run(agent, parts, SendBody::none(), timeout),
        Some(left) => {
            run(agent, parts, SendBody::from_reader(&mut Exactly { reader, left }), timeout)
        }
        None => run(agent, parts, SendBody::from_reader(&mut reader), timeout),
    };
    outcome.map_err(|error| failure::without_reply(error, witness.saw_bytes()))
}

fn run(
    agent: &Agent,
    parts: Parts,
    body: SendBody<'_>,
    timeout: Duration,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let request = agent
        .configure_request(Request::from_parts(parts, body))
        .timeout_global(Some(timeout.min(LONGEST)))
        .build();
    agent.run(request)
}

fn receive(
    response: Response<ureq::Body>,
    answer: Answer,
    streams: &mut Streams<'_>,
) -> Result<Response<Bytes>, TransportError> {
    let (parts, body) = response.into_parts();
    let bytes = match answer {
        Answer::Streamed { .. } if parts.status.is_success() => {
            streams.keep(Incoming(body.into_reader()));
            Bytes::new()
        }
        Answer::Streamed { errors: limit } | Answer::Buffered(limit) => {
            read(body, limit, parts.status.is_success())?
        }
    };
    let mut response = Response::new(bytes);
    *response.status_mut() = parts.status;
    *response.version_mut() = parts.version;
    *response.headers_mut() = parts.headers;
    Ok(response)
}

/// Reads the body. If it is larger than `limit`, the body of a successful response is an error, and
/// any other body is cut, because its status decides.
fn read(body: ureq::Body, limit: usize, is_success: bool) -> Result<Bytes, TransportError> {
    let too_large = || {
        TransportError::new(Phase::TooLarge, format!("the body exceeds its limit of {limit} bytes"))
    };
    // ureq's value, not the header's: the `Content-Length` of a reply to `HEAD` declares a body
    // that is never sent.
    let declared = body.content_length().unwrap_or(0);
    if declared > limit as u64 && is_success {
        return Err(too_large());
    }
    let mut whole = Vec::new();
    let mut reader = body.into_reader();
    let mut piece = [0; 8 * 1024];
    loop {
        let got = reader.read(&mut piece).map_err(|error| failure::within_body(&error.into()))?;
        let (got, _) = piece.split_at(got);
        if got.is_empty() {
            return Ok(whole.into());
        }
        let room = limit - whole.len();
        if got.len() > room {
            if is_success {
                return Err(too_large());
            }
            whole.extend(got.iter().take(room));
            return Ok(whole.into());
        }
        whole.extend_from_slice(got);
    }
}

fn not_sent(reason: &str) -> TransportError {
    TransportError::new(Phase::NotSent, reason)
}

/// One year, the longest timeout: ureq adds the timeout to the current time, which must not
/// overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
