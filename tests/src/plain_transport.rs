use atproto_sansio::{
    Answer, Body, Call, HttpCall, Phase, Reach, Reply, Rule, System, TransportError, is_public,
};
use bytes::Bytes;
use http::{Response, Uri};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs as Found, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error, config::Config};

/// Performs HTTP calls. What it can't do it says, and the procedures go another way.
pub fn perform(call: Call, development: bool) -> Reply {
    let Call::Http(call) = call else { return call.unsupported() };
    let outcome = send(&call, development);
    call.respond.with(outcome)
}

fn send(call: &HttpCall, development: bool) -> Result<Response<Bytes>, TransportError> {
    let late = call.start_by.is_some_and(|time| System::now() > time);
    let (Body::Bytes(body), Answer::Buffered(max), false) =
        (call.request.body(), call.answer, late)
    else {
        return Err(TransportError::new(Phase::NotSent, "it is too late, or a stream"));
    };
    if call.reach == Reach::Development && !development {
        return Err(TransportError::blocked(Rule::because("this is no development network")));
    }
    // A redirect is a reply and so is every status; a proxy would look the name up again.
    let config = Agent::config_builder().timeout_global(Some(call.timeout)).max_redirects(0);
    let config = config.http_status_as_error(false).proxy(None).build();
    let agent = Agent::with_parts(config, DefaultConnector::new(), Checked(call.reach));
    let request = call.request.clone().map(|_| body.to_vec());
    let (head, body) = agent.run(request).map_err(failed)?.into_parts();
    let body = body.into_with_config().limit(max as u64).read_to_vec().map_err(failed)?;
    Ok(Response::from_parts(head, body.into()))
}

/// When in doubt, the server may have seen the request.
fn failed(error: Error) -> TransportError {
    let phase = match error {
        Error::Other(_) => Phase::Blocked(Rule::because("the address is not public")),
        Error::HostNotFound | Error::ConnectionFailed => Phase::NotSent,
        Error::BodyExceedsLimit(_) => Phase::TooLarge,
        Error::Timeout(_) => Phase::TimedOut,
        _ => Phase::MaybeSent,
    };
    TransportError::new(phase, error.to_string())
}

#[derive(Debug)]
struct Checked(Reach);

impl Resolver for Checked {
    /// What was checked is connected to: nothing is looked up a second time.
    fn resolve(&self, uri: &Uri, config: &Config, time: NextTimeout) -> Result<Found, Error> {
        let found = DefaultResolver::default().resolve(uri, config, time)?;
        let refused = self.0 == Reach::Public && found.iter().any(|found| !is_public(found.ip()));
        if refused { Err(Error::Other("not public".into())) } else { Ok(found) }
    }
}
