//! TXT `_atproto.<handle>`
//!
//! Looks up the TXT records of a handle. One record has the value `did=<DID>`. If the records name
//! several DIDs, the handle is ambiguous, and the result of HTTPS is not used either, because an
//! attacker who can add a record could otherwise choose the DID.
//!
//! atproto Handle, «DNS TXT Method».

use std::sync::Arc;
use std::task::{Poll, ready};

use atproto_sansio::{Cx, Fetch, Machine, Ticket, printable};

use crate::config::Config;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::handle_resolution::dns_json::TxtOverHttps;
use crate::handle_resolution::method::ResolutionMethod;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// Machine that resolves a handle by its DNS TXT records.
pub(crate) struct ByDns {
    handle: Handle,
    config: Arc<Config>,
    records: Records,
}

/// Source of the TXT records: the driver's DNS, or a DNS over HTTPS service.
enum Records {
    Driver(Option<Ticket<Vec<String>>>),
    Service(Box<Fetch<TxtOverHttps>>),
}

impl ByDns {
    pub(crate) fn new(config: Arc<Config>, handle: Handle, freshness: Freshness) -> Self {
        let records = match &config.dns_over_https {
            Some(service) => Records::Service(Box::new(Fetch::new(TxtOverHttps::new(
                service,
                &name(&handle),
                &config,
                freshness,
            )))),
            None => Records::Driver(None),
        };
        Self { handle, config, records }
    }

    /// The method for error messages: DNS, or DNS over HTTPS if a service is configured.
    pub(crate) fn method(config: &Arc<Config>) -> ResolutionMethod {
        match config.dns_over_https {
            Some(_) => ResolutionMethod::DnsOverHttps,
            None => ResolutionMethod::Dns,
        }
    }
}

impl Machine for ByDns {
    type Output = Did;
    type Error = IdentityError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Did, IdentityError>> {
        let records = match &mut self.records {
            Records::Driver(ticket) => {
                let ask = || cx.txt(name(&self.handle), self.config.handle_timeout);
                let ticket = &*ticket.get_or_insert_with(ask);
                ready!(cx.take(ticket))?
            }
            Records::Service(fetch) => ready!(fetch.poll(cx))?,
        };
        Poll::Ready(named_did(&self.handle, &records, self.config.development))
    }
}

/// Name of the TXT records of a handle.
pub(crate) fn name(handle: &Handle) -> String {
    format!("_atproto.{handle}")
}

/// Returns the DID in the `did=` records. Fails if there is none, if there are several, or if AT
/// Protocol does not allow it.
fn named_did(handle: &Handle, records: &[String], development: bool) -> Result<Did, IdentityError> {
    let values: Vec<&str> = records.iter().filter_map(|text| text.strip_prefix("did=")).collect();
    let mut dids: Vec<Did> = Vec::new();
    for did in values.iter().filter_map(|value| Did::parse(value).ok()) {
        if !dids.contains(&did) {
            dids.push(did);
        }
    }
    let invalid = |found: &str| IdentityError::InvalidRecord {
        at: format!("the TXT record of {}", name(handle)),
        found: printable(found),
    };
    match (dids.pop(), values.first()) {
        (Some(last), _) if !dids.is_empty() => {
            dids.push(last);
            Err(IdentityError::Ambiguous { handle: handle.clone(), dids })
        }
        (Some(did), _) => match did.check(development) {
            Ok(_) => Ok(did),
            Err(_) => Err(invalid(did.as_str())),
        },
        (None, Some(value)) => Err(invalid(value)),
        (None, None) => {
            let at = format!("the DNS name {}", name(handle));
            Err(IdentityError::NotFound { at, status: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IdentityErrorKind as Kind;

    const A: &str = "did=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "did=did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";

    fn decide(records: &[&str]) -> Result<String, Kind> {
        let records: Vec<String> = records.iter().map(ToString::to_string).collect();
        named_did(&"alice.com".parse().unwrap(), &records, false)
            .map(String::from)
            .map_err(|error| error.kind())
    }

    #[test]
    fn the_records_name_exactly_one_did() {
        // Rules, N-03
        let a = || Ok(A.replace("did=", ""));
        for (records, expected) in [
            (&[A][..], a()),
            (&["v=spf1 -all", A, "pds=x"], a()),
            (&[A, A], a()),
            (&["did=garbage", A, "did="], a()),
            (&[A, B], Err(Kind::Ambiguous)),
            (&[A, "x", B, A], Err(Kind::Ambiguous)),
            (&[A, "did=did:key:z6Mk"], Err(Kind::Ambiguous)),
            (&[], Err(Kind::NotFound)),
            (&["v=spf1 -all"], Err(Kind::NotFound)),
            (
                &["DID=did:web:a.com", " did=did:web:a.com", "did =did:web:a.com"],
                Err(Kind::NotFound),
            ),
            (&["did:web:a.com"], Err(Kind::NotFound)),
            // The driver joins the strings within a record, but separate records are never joined.
            (&["did=did:plc:aaaaaaaaaaaa", "aaaaaaaaaaaa"], Err(Kind::InvalidRecord)),
            (&["did="], Err(Kind::InvalidRecord)),
            (&["did= did:web:a.com"], Err(Kind::InvalidRecord)),
            (&["did=did:web:a.com "], Err(Kind::InvalidRecord)),
            (&["did=\"did:web:a.com\""], Err(Kind::InvalidRecord)),
            (&["did=DID:web:a.com"], Err(Kind::InvalidRecord)),
            (&["did=did:key:z6Mk"], Err(Kind::InvalidRecord)),
            (&["did=did:web:localhost"], Err(Kind::InvalidRecord)),
        ] {
            assert_eq!(decide(records), expected, "{records:?}");
        }
    }
}
