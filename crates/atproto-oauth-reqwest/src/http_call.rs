//! Performs one HTTP call: sends its request at most once, and receives one reply.

use std::time::Duration;

use atproto_sansio::{Answer, Body, How, Phase, System, TransportError};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use tokio::time::{Instant, timeout_at};

use crate::clients::Clients;
use crate::connect;
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
    let reaching = clients.reaching(how.reach).map_err(TransportError::blocked)?;
    if how.start_by.is_some_and(|latest| latest < System::now()) {
        return Err(TransportError::new(Phase::NotSent, "the call came after its `start_by` time"));
    }
    let deadline = Instant::now() + how.timeout.min(LONGEST);
    let gate = clients.gates.pass(request.uri());
    let _passed = timeout_at(deadline, gate).await.map_err(|_| {
        let reason = "the call timed out in the queue of `DriverBuilder::requests_per_server`";
        TransportError::new(Phase::NotSent, reason)
    })?;
    let request = outgoing::prepare(request, &reaching.addresses, &clients.user_agent, streams)?;
    let response = connect::until(deadline, reaching.client.execute(request))
        .await?
        .map_err(|error| failure::without_reply(&error))?;
    receive(response, how.answer, deadline, streams).await
}

async fn receive(
    mut response: reqwest::Response,
    answer: Answer,
    deadline: Instant,
    streams: &Streams,
) -> Result<Response<Bytes>, TransportError> {
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = response.status();
    *reply.version_mut() = response.version();
    *reply.headers_mut() = std::mem::take(response.headers_mut());
    let body = StreamedBody::new(response.into(), deadline);
    match answer {
        Answer::Streamed { .. } if reply.status().is_success() => streams.keep(body),
        Answer::Streamed { errors: limit } | Answer::Buffered(limit) => {
            *reply.body_mut() = read(body, limit).await?;
        }
    }
    Ok(reply)
}

async fn read(mut body: StreamedBody, limit: usize) -> Result<Bytes, TransportError> {
    let too_large = || {
        TransportError::new(Phase::TooLarge, format!("the body exceeds its limit of {limit} bytes"))
    };
    if body.size().lower() > limit as u64 {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece?;
        if piece.len() > limit - whole.len() {
            return Err(too_large());
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// One year, the longest timeout, so that `Instant::now() + timeout` does not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
