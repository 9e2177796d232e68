//! Finds the authorization server of a PDS.
//!
//! ```text
//! Issuer ── the PDS names one ──▶ Server ──▶ Discovered
//! ```
//!
//! Many PDSs are their own authorization server, so the machine requests both metadata documents
//! of the PDS at once. If the PDS names another issuer, the second request is cancelled, and the
//! metadata of that issuer are requested.
//!
//! `Ok` means: the PDS names this issuer, the issuer's metadata follows the profile, and its
//! `protected_resources`, if present, contain the PDS.
//!
//! atproto OAuth, «Server Metadata»; RFC 9728 section 4.

use std::task::Poll;

use atproto_identity::Freshness;
use atproto_sansio::{Cx, Held, Machine, Step, Steps};
use url::Url;

use crate::discovery::fetch::FetchDocument;
use crate::discovery::issuer::{AskIssuer, check_protected, fetch_resource, fetch_server};
use crate::discovery::server::{ServerMetadata, ServerMetadataEndpoint};
use crate::error::{Error, InputError};
use crate::origin::{Origin, shown};

/// Machine of [`Client::discover`](crate::Client::discover): fetches the metadata of a server and
/// of its authorization server, and ends in [`Discovered`].
#[derive(Debug)]
pub struct Discover {
    resource: Origin,
    development: bool,
    steps: Steps<State>,
}

/// The authorization server of a server, found by [`Discover`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Discovered {
    /// Checked metadata of the authorization server.
    pub server: ServerMetadata,
    /// True if protected resource metadata of the server names the authorization server. False if
    /// the server has no such metadata, so that it is taken for its own authorization server.
    pub is_named: bool,
}

#[derive(Debug)]
enum State {
    Issuer(AskIssuer),
    Server { server: Held<FetchDocument<ServerMetadataEndpoint>>, is_named: bool },
}

impl Discover {
    pub(crate) fn new(resource: Origin, fallback: bool, development: bool) -> Self {
        let cached = Freshness::Cached;
        let state = State::Issuer(AskIssuer {
            pds: resource.clone(),
            resource: Held::new(fetch_resource(resource.clone(), development, cached)),
            server: Held::new(fetch_server(resource.clone(), development, cached)),
            fallback,
        });
        Self { resource, development, steps: Steps::begin(state) }
    }
}

impl Machine for Discover {
    type Output = Discovered;
    type Error = Error;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Discovered, Error>> {
        let Self { resource, development, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Issuer(mut ask) => match ask.poll(cx) {
                    Poll::Pending => Step::Wait(State::Issuer(ask)),
                    Poll::Ready(named) => {
                        let named = named?;
                        let server = match named.issuer == *resource {
                            true => ask.server,
                            false => Held::new(fetch_server(
                                named.issuer,
                                *development,
                                Freshness::Cached,
                            )),
                        };
                        Step::Next(State::Server { server, is_named: named.is_named })
                    }
                },
                State::Server { mut server, is_named } => match server.poll(cx) {
                    Poll::Pending => Step::Wait(State::Server { server, is_named }),
                    Poll::Ready(server) => {
                        let server = server?;
                        // A server without resource metadata is its own issuer, and need not list
                        // itself.
                        if is_named {
                            check_protected(&server, resource)?;
                        }
                        Step::Done(Discovered { server, is_named })
                    }
                },
            })
        })
    }
}

/// Returns the origin of a PDS from its URL in a DID document.
pub(crate) fn origin_of_pds(pds: &Url, development: bool) -> Result<Origin, InputError> {
    let input = || shown(pds.as_str());
    Origin::of_url(pds, development).map_err(|why| InputError::Server { input: input(), why })
}
