//! The policies for URLs and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use atproto_oauth_core::{Origin, Session};
use atproto_oauth_sandbox::Process;
use atproto_sansio::{Body, Call, Flow, Output, Reach, is_public};
use http::{Request, Uri};
use url::{Host, Url};

use crate::canned::NOW;
use crate::parsers::records::{SESSION, client};
use crate::parsers::text;

/// Four bytes are an IPv4 address, sixteen are an IPv6 address; other bytes are the text of one.
pub(crate) fn address(data: &[u8]) -> bool {
    let address = match (<[u8; 4]>::try_from(data), <[u8; 16]>::try_from(data)) {
        (Ok(bytes), _) => IpAddr::from(bytes),
        (_, Ok(bytes)) => IpAddr::from(bytes),
        _ => match text(data).parse() {
            Ok(address) => address,
            Err(_) => return false,
        },
    };
    let accepted = is_public(address);
    let special = match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address),
    };
    assert!(!(accepted && special), "{address} is not public");
    let checked = Reach::Public.check_addresses("pds.example.com", &[address]);
    assert_eq!(checked.is_ok(), accepted);
    accepted
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_unspecified()
        || matches!(
            address.octets(),
            [0, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] | [240..=255, ..]
        )
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    let embedded = address.to_ipv4_mapped().is_some_and(is_special_v4);
    embedded
        || address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || matches!(address.segments(), [0x2001, 0xdb8, ..] | [0x2001, 0, ..])
}

/// The bytes are the text of a URL. An allowed one leads to the same public host for each parser.
pub(crate) fn url(data: &[u8]) -> bool {
    let text = text(data);
    for development in [false, true] {
        if let Ok(origin) = Origin::parse(&text, development) {
            let again = Origin::parse_canonical(origin.as_str(), development);
            assert_eq!(again.as_ref(), Ok(&origin), "the canonical form is canonical");
            assert!(origin.contains(&Url::parse(&text).expect("an origin is a URL")));
        }
    }
    let Ok(uri) = text.parse::<Uri>() else { return false };
    stays_at_the_pds(&uri);
    let public = Reach::Public.check(&uri).is_ok();
    if public {
        let url = Url::parse(&uri.to_string()).expect("an allowed URL is read by each parser");
        let Some(Host::Domain(host)) = url.host() else { panic!("{url} has no DNS name") };
        assert_eq!((url.scheme(), url.username(), url.password()), ("https", "", None));
        assert!(host.trim_end_matches('.').contains('.'), "{url}");
        assert_eq!(Some(host), uri.host().map(str::to_ascii_lowercase).as_deref());
        assert_eq!(url.port_or_known_default(), Some(uri.port_u16().unwrap_or(443)));
        assert!(Reach::Development.check(&uri).is_ok() && Reach::Configured.check(&uri).is_ok());
    }
    if let Ok(htu) = atproto_dpop::htu(&uri) {
        let htu = Url::parse(&htu).expect("an htu is a URL");
        assert!(htu.query().is_none() && htu.fragment().is_none() && htu.username().is_empty());
    }
    public
}

/// A request with this URI goes to the session's PDS, or nowhere.
fn stays_at_the_pds(uri: &Uri) {
    static SIGNED_IN: LazyLock<Session> =
        LazyLock::new(|| Session::from_json(SESSION).expect("the seed is valid"));
    let session = &*SIGNED_IN;
    let request = Request::get(uri).body(Body::default());
    let Ok(machine) = client().request(session, request.expect("a GET of a URI is valid")) else {
        return;
    };
    let mut process = Process::new(1);
    if let Output::Call(Call::Http(call)) = Flow::new(machine).poll_output(&mut process.env(NOW)) {
        let url = Url::parse(&call.request.uri().to_string()).expect("a request has a URL");
        assert!(session.pds().contains(&url), "{url}");
        assert_eq!(call.request.uri().authority().map(|a| a.as_str()), Some("pds.example.com"));
    }
}
