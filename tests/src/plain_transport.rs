use std::io::Read;

use atproto_sansio::{
    Answer, Body, Call, HttpCall, Phase, Reach, Reply, Rule, System, TransportError,
};
use bytes::Bytes;
use http::{Response, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs as Found, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, config::Config};

/// Performs HTTP calls. Every other call is answered as unsupported: without TXT calls, a handle
/// that only DNS knows resolves if the client has a `Resolver::with_dns_over_https`.
pub fn perform(call: Call, development: bool) -> Reply {
    let Call::Http(call) = call else { return call.unsupported() };
    let outcome = send(&call, development);
    call.respond.with(outcome)
}

fn send(call: &HttpCall, development: bool) -> Result<Response<Bytes>, TransportError> {
    let late = call.start_by.is_some_and(|time| System::now() > time);
    let late = late || call.timeout < call.least_time;
    let (Body::Bytes(body), Answer::Buffered(max), false) =
        (call.request.body(), call.answer, late)
    else {
        return Err(TransportError::new(Phase::NotSent, "too late, or a streamed body"));
    };
    if call.reach == Reach::Development && !development {
        return Err(TransportError::blocked(Rule::NO_DEVELOPMENT));
    }
    // Redirects and error statuses are replies; a proxy would resolve the host a second time.
    let config = Agent::config_builder().timeout_global(Some(call.timeout)).max_redirects(0);
    let config = config.http_status_as_error(false).allow_non_standard_methods(true).proxy(None);
    let agent = Agent::with_parts(config.build(), DefaultConnector::new(), Checked(call.reach));
    let request = call.request.clone().map(|_| body.to_vec());
    let reply = agent.run(request).map_err(|error| failed(error, Phase::MaybeSent))?;
    let ((head, body), max) = (reply.into_parts(), max as u64);
    let mut cut = Vec::new();
    let body = match body.content_length() {
        // The status decides, so the body of an error is cut, not refused.
        _ if !head.status.is_success() => {
            body.into_reader().take(max).read_to_end(&mut cut).map(|_| cut).map_err(Error::Io)
        }
        Some(declared) if declared > max => Err(Error::BodyExceedsLimit(max)),
        _ => body.into_with_config().limit(max).read_to_vec(),
    };
    let body = body.map_err(|error| failed(error, Phase::Truncated))?;
    Ok(Response::from_parts(head, body.into()))
}

/// How far the request got. `doubt` is the phase of errors that do not tell.
fn failed(error: Error, doubt: Phase) -> TransportError {
    let phase = match &error {
        Error::Other(e) => e.downcast_ref::<TransportError>().map_or(doubt, |e| e.phase.clone()),
        Error::HostNotFound | Error::ConnectionFailed => Phase::NotSent,
        Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => Phase::NotSent,
        Error::BodyExceedsLimit(_) | Error::LargeResponseHeader(..) => Phase::TooLarge,
        Error::Timeout(_) => Phase::TimedOut,
        _ => doubt,
    };
    TransportError::new(phase, error.to_string())
}

/// Resolves a host, checks its addresses, and gives ureq the checked addresses to connect to.
#[derive(Debug)]
struct Checked(Reach);

impl Resolver for Checked {
    fn resolve(&self, uri: &Uri, config: &Config, time: NextTimeout) -> Result<Found, Error> {
        let found = DefaultResolver::default().resolve(uri, config, time);
        let found = found.map_err(|_| Error::HostNotFound)?;
        let addresses: Vec<_> = found.iter().map(|found| found.ip()).collect();
        let verdict = self.0.check_addresses(uri.host().unwrap_or_default(), &addresses);
        verdict.map_err(|rule| Error::Other(TransportError::blocked(rule).into()))?;
        Ok(found)
    }
}
