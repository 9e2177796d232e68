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
    let late = call.start_by.is_some_and(|t| System::now() > t) || call.timeout < call.least_time;
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
    if head.status.is_success() && body.content_length().is_some_and(|declared| declared > max) {
        return Err(TransportError::new(Phase::TooLarge, "the body exceeds its limit"));
    }
    // One byte more than is allowed: the engine refuses a larger body, or cuts that of an error.
    let (mut bytes, mut body) = (Vec::new(), body.into_reader().take(max + 1));
    body.read_to_end(&mut bytes).map_err(|error| failed(error.into(), Phase::Truncated))?;
    Ok(Response::from_parts(head, bytes.into()))
}

/// How far the request got. `doubt` is the phase of errors that do not tell.
fn failed(error: Error, doubt: Phase) -> TransportError {
    let phase = match &error {
        Error::Other(e) => e.downcast_ref::<TransportError>().map_or(doubt, |e| e.phase.clone()),
        Error::HostNotFound | Error::ConnectionFailed => Phase::NotSent,
        Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => Phase::NotSent,
        Error::LargeResponseHeader(..) => Phase::TooLarge,
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
