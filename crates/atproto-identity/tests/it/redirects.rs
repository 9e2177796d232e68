//! Tests of the HTTPS method: redirects and answers of the host of a handle.

use std::time::Duration;

use atproto_identity::{Did, Freshness, IdentityError, IdentityErrorKind as Kind, Resolver};
use atproto_sansio::Phase;

use crate::net::{Net, World};

const URL: &str = "https://alice.com/.well-known/atproto-did";
const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

fn resolve(resolver: &Resolver, net: &Net) -> Result<Did, IdentityError> {
    net.in_any_order(|| resolver.handle("alice.com".parse().unwrap(), Freshness::Fresh))
}

fn alice(net: &Net) -> Result<String, Kind> {
    resolve(&Resolver::new(), net).map(String::from).map_err(|error| error.kind())
}

/// A chain of redirects to a page with the DID.
fn chain(hops: usize) -> Net {
    let url = |hop: usize| match hop {
        0 => URL.to_owned(),
        hop => format!("https://hop{hop}.com/did"),
    };
    let start = Net::default().page(&url(hops), 200, DID);
    (0..hops).fold(start, |net, hop| net.redirect(&url(hop), &url(hop + 1)))
}

#[test]
fn five_redirects_are_followed_and_no_sixth() {
    // Rule N-02
    for hops in 0..=5 {
        assert_eq!(alice(&chain(hops)), Ok(DID.into()), "{hops}");
    }
    assert_eq!(alice(&chain(6)), Err(Kind::Redirect));
    let asked = chain(6)
        .in_turn(Resolver::new().handle("alice.com".parse().unwrap(), Freshness::Fresh))
        .asked;
    assert_eq!(asked.len(), 1 + 6);

    for max in [0, 1, 20] {
        let resolver = Resolver::new().with_max_redirects(max);
        assert!(resolve(&resolver, &chain(max.into())).is_ok(), "{max}");
        assert!(resolve(&resolver, &chain(usize::from(max) + 1)).is_err(), "{max}");
    }
}

#[test]
fn a_loop_ends() {
    assert_eq!(alice(&Net::default().redirect(URL, URL)), Err(Kind::Redirect));
}

#[test]
fn a_redirect_leads_to_https_on_its_own_port_on_a_public_host() {
    for (to, kind) in [
        ("http://alice.com/did", Kind::Redirect),
        ("https://alice.com:8443/did", Kind::Redirect),
        ("ftp://alice.com/did", Kind::Redirect),
        ("data:text/plain,did", Kind::Redirect),
        // The engine refuses these URLs before anything is sent.
        ("https://127.0.0.1/did", Kind::Blocked),
        ("https://2130706433/did", Kind::Blocked),
        ("https://[::1]/did", Kind::Blocked),
        ("https://8.8.8.8/did", Kind::Blocked),
        ("https://localhost/did", Kind::Blocked),
        ("https://metadata.google.internal/did", Kind::Blocked),
        ("https://user:pass@other.com/did", Kind::Blocked),
    ] {
        let net = Net::default().redirect(URL, to).page(to, 200, DID);
        assert_eq!(alice(&net), Err(kind), "{to}");
    }
}

#[test]
fn a_page_that_is_not_a_did_is_refused() {
    // Rules, J-20
    let page = |body: String| Net::default().page(URL, 200, body);
    assert_eq!(alice(&page("<!doctype html><html></html>".into())), Err(Kind::InvalidRecord));
    assert_eq!(alice(&page(format!("{DID}{}", "\n".repeat(4096 - DID.len())))), Ok(DID.into()));
    // A body of more than 4 KiB fails with `TooLarge`.
    let error =
        resolve(&Resolver::new(), &page(format!("{DID}{}", "\n".repeat(4096)))).unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    assert!(!error.is_transient());
    assert_eq!(alice(&Net::default().page(URL, 201, DID)), Ok(DID.into()));
    assert_eq!(alice(&Net::default().page(URL, 403, DID)), Err(Kind::Status));
}

#[test]
fn all_redirects_together_have_the_time_of_one_call() {
    // Each reply takes 2 s. After DNS, the host and two redirects, the limit of 3 s has passed.
    let run = |hops| {
        let world = World { step: Duration::from_secs(2), ..World::default() };
        let machine = Resolver::new().handle("alice.com".parse().unwrap(), Freshness::Fresh);
        world.in_turn(&chain(hops), machine)
    };
    assert!(run(2).result.is_ok());
    let late = run(3);
    assert_eq!(late.asked.len(), 4);
    let error = late.result.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("took too long"), "{error}");
}

#[test]
fn an_unreachable_host_is_a_transport_error() {
    let net = Net::default().fails(&format!("GET {URL}"), Phase::MaybeSent);
    assert_eq!(alice(&net), Err(Kind::Transport));
}
