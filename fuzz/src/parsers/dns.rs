//! The answers to the resolution of a handle: DNS messages, TXT records, DNS over HTTPS, and the file
//! at the host of the handle.

use atproto_identity::{Did, Freshness, IdentityError, Resolver};
use atproto_sansio::dns::{Answer, Question};
use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode, Uri};

use crate::canned::{drive, status};
use crate::parsers::text;

const NAME: &str = "_atproto.alice.example.com";

/// The bytes are a message of a nameserver, in answer to a question with the id `0x1234`.
pub(crate) fn dns_message(data: &[u8]) -> bool {
    let question = Question::new(NAME, 0x1234).expect("a constant name is valid");
    match question.read(data) {
        Answer::Records(records) => {
            assert_eq!(data.get(..2), Some(&[0x12, 0x34][..]), "the id is compared");
            resolve(&Resolver::new(), |_| status(StatusCode::NOT_FOUND), &records).is_ok()
        }
        Answer::Foreign | Answer::Truncated | Answer::Failed(_) => false,
    }
}

/// Each line is one TXT record.
pub(crate) fn txt(data: &[u8]) -> bool {
    let records: Vec<String> = text(data).split('\n').map(str::to_owned).collect();
    let found = resolve(&Resolver::new(), |_| status(StatusCode::NOT_FOUND), &records);
    if let Ok(did) = &found {
        assert!(records.contains(&format!("did={did}")), "{did} is in no record");
    }
    found.is_ok()
}

/// The bytes are the body of an answer of a DNS over HTTPS service.
pub(crate) fn doh(data: &[u8]) -> bool {
    let service = "https://dns.example.com/dns-query".parse().expect("a constant URL is valid");
    let resolver = Resolver::new().with_dns_over_https(service);
    let answer = |uri: &Uri| match uri.host() {
        Some("dns.example.com") => Response::new(Bytes::copy_from_slice(data)),
        _ => status(StatusCode::NOT_FOUND),
    };
    resolve(&resolver, answer, &[]).is_ok()
}

/// Each line before the last is a redirect of the host; the last is the body of its answer.
pub(crate) fn well_known(data: &[u8]) -> bool {
    let mut lines = data.split(|byte| *byte == b'\n').peekable();
    let answer = |uri: &Uri| {
        assert_eq!(uri.scheme_str(), Some("https"));
        assert!(uri.port_u16().is_none_or(|port| port == 443), "{uri}");
        let line = lines.next().unwrap_or_default();
        if lines.peek().is_none() {
            return Response::new(Bytes::copy_from_slice(line));
        }
        let mut response = status(StatusCode::FOUND);
        if let Ok(location) = HeaderValue::from_bytes(line) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    };
    resolve(&Resolver::new(), answer, &[]).is_ok()
}

/// Resolves the handle `alice.example.com`. A DID that is found is one that AT Protocol allows.
fn resolve(
    resolver: &Resolver,
    mut http: impl FnMut(&Uri) -> Response<Bytes>,
    records: &[String],
) -> Result<Did, IdentityError> {
    let handle = "alice.example.com".parse().expect("a constant handle is valid");
    let machine = resolver.handle(handle, Freshness::Fresh);
    let found = drive(machine, |request| http(request.uri()), |_| records.to_vec());
    match &found {
        Ok(did) => assert!(did.check(false).is_ok(), "{did}"),
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
        }
    }
    found
}
