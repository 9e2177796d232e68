//! Performs one HTTP call: sends its request at most once, and receives one reply.

use std::io::Read;
use std::time::{Duration, Instant};

use atproto_sansio::{Answer, Body, HttpCall, Phase, Reply, TransportError, declare_length};
use bytes::{Buf, Bytes};
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use ureq::{Agent, SendBody};

use crate::agents::{Agents, MAX_HEAD};
use crate::streams::{Exactly, Incoming, MAX_BESIDE, Streams, UntilCutShort};
use crate::witness::{Allowance, Latest, Witness};
use crate::{events, failure};

pub(crate) fn perform(agents: &Agents, call: HttpCall, streams: &mut Streams<'_>) -> Reply {
    let HttpCall { request, timeout, start_by, least_time, answer, reach, respond } = call;
    let is_traced = events::log_request(&request);
    let result = agents.reaching(reach).map_err(TransportError::blocked).and_then(|agent| {
        let deadline = Instant::now() + timeout.min(LONGEST);
        let latest = Latest { start_by, moment: latest_moment(deadline, least_time) };
        latest.check()?;
        let passed = agents.gates.pass(request.uri(), latest.end_of_wait(deadline));
        let _passed = passed.ok_or_else(|| TransportError::untried(QUEUE))?;
        latest.check()?;
        let request = prepare(request, &agents.user_agent);
        let left = deadline.saturating_duration_since(Instant::now());
        let response = send(agent, request, left, latest, streams)?;
        receive(response, answer, streams)
    });
    if is_traced {
        events::log_reply(result.as_ref());
    }
    respond.with(result)
}

/// The latest moment to send a request that needs `least_time` for its reply, if it needs any.
fn latest_moment(deadline: Instant, least_time: Duration) -> Option<Instant> {
    let enough = || deadline.checked_sub(least_time).unwrap_or(deadline);
    (!least_time.is_zero()).then(enough)
}

const QUEUE: &str = "the call timed out in the queue of `DriverBuilder::requests_per_server`";

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
    let (mut bytes, mut attached);
    let (reader, length): (&mut dyn Read, _) = match body {
        Body::Bytes(whole) => {
            let length = whole.len() as u64;
            bytes = whole.reader();
            (&mut bytes, Some(length))
        }
        Body::Attached => {
            attached = streams.take_body()?;
            (&mut attached.reader, attached.length)
        }
    };
    let length = declare_length(&parts.method, &mut parts.headers, length)?;
    let witness = Witness::begin(latest);
    let _allowance = Allowance::of(MAX_HEAD);
    let outcome = match length {
        Some(0) => run(agent, parts, SendBody::none(), timeout),
        Some(left) => {
            run(agent, parts, SendBody::from_reader(&mut Exactly { reader, left }), timeout)
        }
        None => run(agent, parts, SendBody::from_reader(&mut UntilCutShort(reader)), timeout),
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
        .timeout_global(Some(timeout))
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

/// Reads a body of at most `limit` bytes. A larger one is an error if it has to be `whole`, and is
/// cut if not.
fn read(body: ureq::Body, limit: usize, whole: bool) -> Result<Bytes, TransportError> {
    // ureq's value, not the header's: the `Content-Length` of a reply to `HEAD` declares a body
    // that is never sent.
    let declared = body.content_length().unwrap_or(0);
    if whole && declared > limit as u64 {
        return Err(too_large(limit));
    }
    let declared = usize::try_from(declared).unwrap_or(usize::MAX);
    let mut received = Vec::with_capacity(declared.min(limit).min(MAX_RESERVED));
    let mut reader = body.into_reader();
    let mut piece = [0; 8 * 1024];
    loop {
        let _allowance = Allowance::of(MAX_BESIDE);
        let got = match reader.read(&mut piece).map_err(|error| failure::within_body(error.into()))
        {
            // Trailers are too large, and all of the body is there.
            Err(error) if !whole && error.phase == Phase::TooLarge => return Ok(received.into()),
            got => got?,
        };
        let (got, _) = piece.split_at(got);
        if got.is_empty() {
            return Ok(received.into());
        }
        let (fitting, rest) = got.split_at(got.len().min(limit - received.len()));
        received.extend_from_slice(fitting);
        match rest.is_empty() {
            true => {}
            false if whole => return Err(too_large(limit)),
            false => return Ok(received.into()),
        }
    }
}

fn too_large(limit: usize) -> TransportError {
    TransportError::new(Phase::TooLarge, format!("the body exceeds its limit of {limit} bytes"))
}

/// Largest memory that is reserved for a body before it arrives, whatever length the server declares.
const MAX_RESERVED: usize = 64 * 1024;

/// One year, the longest timeout, so that the current time and the timeout have a sum.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
