//! Performs one HTTP call: sends its request at most once, and receives one reply.

use std::time::Duration;

use atproto_sansio::{Answer, Body, How, Phase, System, TransportError};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use tokio::time::{Instant, timeout_at};

use crate::clients::Clients;
use crate::connect::{self, Latest};
use crate::events;
use crate::failure;
use crate::outgoing;
use crate::streamed::StreamedBody;
use crate::streams::Streams;

pub(crate) async fn perform(
    clients: &Clients,
    request: Request<Body>,
    how: How,
    streams: &Streams,
) -> Result<Response<Bytes>, TransportError> {
    let is_traced = events::log_request(&request);
    let reply = exchange(clients, request, how, streams).await;
    if is_traced {
        events::log_reply(reply.as_ref());
    }
    reply
}

async fn exchange(
    clients: &Clients,
    request: Request<Body>,
    how: How,
    streams: &Streams,
) -> Result<Response<Bytes>, TransportError> {
    let reaching = clients.reaching(how.reach).map_err(TransportError::blocked)?;
    let deadline = Instant::now() + how.timeout.min(LONGEST);
    let latest = Latest { moment: latest(&how, deadline), start_by: how.start_by };
    if latest.has_passed() {
        return Err(TransportError::untried(LATE));
    }
    let gate = clients.gates.pass(request.uri());
    let _passed = timeout_at(latest.moment, gate).await.map_err(|_| {
        TransportError::untried(
            "the call timed out in the queue of `DriverBuilder::requests_per_server`",
        )
    })?;
    if latest.has_passed() {
        return Err(TransportError::untried(LATE));
    }
    let uri = request.uri().clone();
    let request = outgoing::prepare(request, &reaching.addresses, &clients.user_agent, streams)?;
    let sending = connect::until(deadline, latest, reaching.client.execute(request));
    let response =
        sending.await.and_then(|sent| sent.map_err(|error| failure::without_reply(&error)));
    if response.as_ref().is_err_and(|error| error.phase == Phase::NotSent) {
        // Perhaps the host has other addresses now.
        reaching.addresses.forget(uri.host().unwrap_or_default());
    }
    let response = response?;
    receive(response, how.answer, deadline, streams).await
}

/// Latest time to send the request: with enough time left to wait for the reply, and not after
/// `start_by`.
fn latest(how: &How, deadline: Instant) -> Instant {
    let enough = deadline.checked_sub(how.least_time).unwrap_or(deadline);
    let start_by =
        how.start_by.and_then(|latest| Instant::now().checked_add(latest.since(System::now())));
    start_by.map_or(enough, |start_by| start_by.min(enough))
}

const LATE: &str = "the call came after its `start_by` time, or too late to wait for the reply";

async fn receive(
    mut response: reqwest::Response,
    answer: Answer,
    deadline: Instant,
    streams: &Streams,
) -> Result<Response<Bytes>, TransportError> {
    if size(response.headers()) > MAX_HEAD {
        return Err(TransportError::new(Phase::TooLarge, "the head of the reply is too large"));
    }
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = response.status();
    *reply.version_mut() = response.version();
    *reply.headers_mut() = std::mem::take(response.headers_mut());
    match answer {
        Answer::Streamed { .. } if reply.status().is_success() => {
            streams.keep(StreamedBody::new(response.into(), deadline));
        }
        Answer::Streamed { errors: limit } | Answer::Buffered(limit) => {
            let body = read(response, limit, reply.status().is_success());
            let body = timeout_at(deadline, body).await;
            let timed_out = |_| TransportError::new(Phase::TimedOut, "the call timed out");
            *reply.body_mut() = body.map_err(timed_out)??;
        }
    }
    Ok(reply)
}

/// Reads the body. If it is larger than `limit`, the body of a successful response is an error, and
/// any other body is cut, because its status decides.
async fn read(
    mut response: reqwest::Response,
    limit: usize,
    is_success: bool,
) -> Result<Bytes, TransportError> {
    let too_large = || {
        TransportError::new(Phase::TooLarge, format!("the body exceeds its limit of {limit} bytes"))
    };
    // hyper's value, not the header's: the `Content-Length` of a reply to `HEAD` declares a body that is
    // never sent.
    let declared = response.content_length().unwrap_or_default();
    if declared > limit as u64 && is_success {
        return Err(too_large());
    }
    // Most bodies arrive in one piece, which needs no copy.
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    loop {
        let piece = response.chunk().await.map_err(|error| failure::within_body(&error));
        let mut piece = match piece {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            // Trailers are too large, and all of the body is there.
            Err(error) if !is_success && error.phase == Phase::TooLarge => break,
            Err(error) => return Err(error),
        };
        let room = limit - first.len() - whole.len();
        let is_cut = piece.len() > room;
        if is_cut && is_success {
            return Err(too_large());
        }
        piece.truncate(room);
        match first.is_empty() && whole.is_empty() {
            true => first = piece,
            false => {
                whole.extend_from_slice(&std::mem::take(&mut first));
                whole.extend_from_slice(&piece);
            }
        }
        if is_cut {
            break;
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Size of headers as they are sent, with colons and line ends.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Largest head of a reply. reqwest has no such setting, and hyper's own limit is 408 KiB.
const MAX_HEAD: usize = 64 * 1024;

/// One year, the longest timeout, so that `Instant::now() + timeout` does not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
