//! Tests: a request whose URL breaks the rules of its `Reach` is never handed out.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::task::{Poll, ready};
use std::time::Duration;

use atproto_sansio::{Cx, How, Output, Phase, Reach, Rule, TransportError, is_public};

use crate::support::{Driver, by_fn, echo, how, name, request};

fn rule(error: &TransportError) -> &Rule {
    match &error.phase {
        Phase::Blocked(rule) => rule,
        other => unreachable!("{other:?} in place of a rule"),
    }
}

#[test]
fn a_refused_request_is_never_handed_out_and_fails_at_once() {
    let mut polls = 0;
    let mut ticket = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        polls += 1;
        if ticket.is_none() {
            // The machine takes the reply in its next poll.
            ticket = Some(cx.http(request("https://169.254.169.254/latest"), how()));
            return Poll::Pending;
        }
        let error = ready!(cx.take(ticket.as_ref().unwrap())).unwrap_err();
        Poll::Ready(Ok::<_, TransportError>((polls, error)))
    }));
    let (polls, error) = driver.end().unwrap();
    assert_eq!(polls, 2);
    assert_eq!(rule(&error).host, "169.254.169.254");
    assert!(error.surely_not_sent());
}

#[test]
fn a_refused_request_does_not_disturb_its_neighbours() {
    let mut tickets = None;
    let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
        let (refused, good) = tickets.get_or_insert_with(|| {
            let before = cx.sleep(Duration::ZERO);
            let refused = cx.http(request("http://peer.example.net/plain"), how());
            let good = cx.http(request("https://peer.example.net/good"), how());
            drop(before);
            (Some(refused), good)
        });
        if let Some(Poll::Ready(result)) = refused.as_ref().map(|ticket| cx.take(ticket)) {
            assert_eq!(rule(&result.unwrap_err()).reason, "only https URLs are allowed");
            *refused = None;
        }
        ready!(cx.take(&*good))?;
        Poll::Ready(Ok::<_, TransportError>(refused.is_none()))
    }));
    let good = driver.call();
    assert_eq!(name(&good), "good");
    assert!(driver.is_waiting());
    driver.flow.handle_reply(echo(good));
    assert!(driver.end().unwrap());
}

#[test]
fn the_reach_decides_what_is_handed_out() {
    for (reach, url, allowed) in [
        (Reach::Public, "https://peer.example.net/", true),
        (Reach::Public, "http://localhost:1/", false),
        (Reach::Development, "http://localhost:1/", true),
        (Reach::Development, "http://peer.example.net/", false),
        (Reach::Configured, "http://plc.internal/", true),
        (Reach::Configured, "https://user@plc.internal/", false),
    ] {
        let mut ticket = None;
        let mut driver = Driver::new(by_fn(|cx: &mut Cx<'_>| {
            let ticket =
                &*ticket.get_or_insert_with(|| cx.http(request(url), How { reach, ..how() }));
            cx.take(ticket)
        }));
        let handed_out = matches!(driver.poll(), Output::Call(_));
        assert_eq!(handed_out, allowed, "{reach:?} {url}");
    }
}

/// Rules J-05 and J-11: every spelling that `http::Uri` accepts.
#[test]
fn no_spelling_of_a_local_host_is_public() {
    let hosts = "127.0.0.1 127.0.0.1. 127.1 127.0.1 0x7f.1 0x7f000001 0X7F.0.0.1 2130706433 \
        017700000001 0177.0.0.1 0 0.0.0.0 10.1 169.254.169.254 [::1] [::ffff:127.0.0.1] [::] \
        [::ffff:7f00:1] 8.8.8.8 [2606:4700::1111] localhost LOCALHOST localhost. localhost.. \
        a.localhost a.LocalHost. pds.local. pds.local.. PDS.INTERNAL x.test x.example x.invalid \
        x.onion x.alt 1.0.0.127.in-addr.arpa x.home.arpa x.lan x.corp printer . ..";
    for host in hosts.split_whitespace() {
        for port in ["", ":443", ":8443"] {
            let Ok(uri) = format!("https://{host}{port}/").parse() else { continue };
            assert!(Reach::Public.check(&uri).is_err(), "{uri}");
        }
    }
}

#[test]
fn a_host_that_a_url_library_reads_as_an_address_is_refused() {
    // A driver parses the URL again by the WHATWG rules, so both parsers must see the same host.
    let digits = ["0", "1", "7", "x", ".", "a", "f", "-", "%2e", "%31", "xn--", "e"];
    for code in 0..digits.len().pow(4) {
        let pick = |place: u32| digits[code / digits.len().pow(place) % digits.len()];
        let host: String = (0..4).map(pick).collect();
        let text = format!("https://{host}.1.2/");
        let (Ok(uri), Ok(url)) = (text.parse(), url::Url::parse(&text)) else { continue };
        if !matches!(url.host(), Some(url::Host::Domain(_))) {
            assert!(Reach::Public.check(&uri).is_err(), "{uri}");
        }
    }
}

/// Rules J-03 and J-04: each block is refused from its first address to its last.
#[test]
fn special_blocks_are_refused_from_end_to_end() {
    let v4 = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 \
        192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 \
        203.0.113.0/24 224.0.0.0/4 240.0.0.0/4";
    for block in v4.split_whitespace() {
        let (first, bits) = block.split_once('/').unwrap();
        let first = u32::from(first.parse::<Ipv4Addr>().unwrap());
        let last = first | (u32::MAX >> bits.parse::<u32>().unwrap());
        for address in [first, first + 1, first.midpoint(last), last] {
            let v4 = Ipv4Addr::from(address);
            assert!(!is_public(v4.into()), "{v4}");
            let [a, b] = [(address >> 16) as u16, address as u16];
            for embedded in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, a, b),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0x0808, 0x0808),
            ] {
                assert!(!is_public(embedded.into()), "{embedded}");
            }
        }
    }
    let v6 = "::/8 64:ff9b:1::/48 100::/64 2001::/32 2001:2::/48 2001:db8::/32 3fff::/20 \
        2001:10::/28 2001:20::/28 4000::/3 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8";
    for block in v6.split_whitespace() {
        let (first, bits) = block.split_once('/').unwrap();
        let first = u128::from(first.parse::<Ipv6Addr>().unwrap());
        let last = first | (u128::MAX >> bits.parse::<u32>().unwrap());
        for address in [first, first + 1, first.midpoint(last), last] {
            let address = Ipv6Addr::from(address);
            let embeds = address.to_ipv4_mapped().is_some();
            assert!(embeds || !is_public(address.into()), "{address}");
        }
    }
}
