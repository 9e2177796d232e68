//! Tests of the race of DNS and HTTPS for a handle.

use std::time::Duration;

use atproto_identity::{
    Did, Freshness, IdentityError, IdentityErrorKind as Kind, ResolutionMethod, ResolveHandle,
    Resolver,
};
use atproto_sansio::Phase;
use http::StatusCode;

use crate::net::{Net, World, blocked};

const TXT: &str = "TXT _atproto.alice.com";
const GET: &str = "GET https://alice.com/.well-known/atproto-did";
const SLEEP: &str = "SLEEP 500";
const NAME: &str = "_atproto.alice.com";
const URL: &str = "https://alice.com/.well-known/atproto-did";
const A: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";

fn alice() -> ResolveHandle {
    Resolver::new().handle("alice.com".parse().unwrap(), Freshness::Fresh)
}

fn did(text: &str) -> Did {
    text.parse().unwrap()
}

fn record(did: &str) -> String {
    format!("did={did}")
}

/// The time of a reply: at once, but `millis` later from DNS.
fn dns_after(call: &str, millis: u64) -> Duration {
    match call {
        TXT => Duration::from_millis(millis),
        _ => Duration::ZERO,
    }
}

fn kinds(error: &IdentityError) -> Vec<(ResolutionMethod, Kind)> {
    match error {
        IdentityError::Unresolved { failures, .. } => {
            failures.iter().map(|failure| (failure.method, failure.error.kind())).collect()
        }
        other => unreachable!("{other}"),
    }
}

#[test]
fn the_same_did_in_every_order() {
    let both = Net::default().txt(NAME, &[&record(A)]).page(URL, 200, A);
    let dns = Net::default().txt(NAME, &[&record(A)]).page(URL, 404, "");
    let dns_and_trouble = Net::default().txt(NAME, &[&record(A)]).fails(GET, Phase::TimedOut);
    let https = Net::default().page(URL, 200, A);
    let https_and_trouble = Net::default().fails(TXT, Phase::TimedOut).page(URL, 200, A);
    let https_and_junk = Net::default().txt(NAME, &["did=junk"]).page(URL, 200, A);
    for net in [both, dns, dns_and_trouble, https, https_and_trouble, https_and_junk] {
        assert_eq!(net.in_any_order(alice), Ok(did(A)));
        assert_eq!(net.in_turn(alice()).result, Ok(did(A)));
    }
}

#[test]
fn both_are_asked_at_once_and_dns_first() {
    let net = Net::default().txt(NAME, &[&record(A)]).page(URL, 200, A);
    for run in net.in_every_order(alice) {
        assert_eq!(run.asked[..2], [TXT, GET]);
    }
    assert_eq!(net.in_every_order(alice).len(), 2);
}

#[test]
fn the_slower_of_two_methods_does_not_lose_for_being_slow() {
    // Rules N-03, N-04
    let one = Net::default().txt(NAME, &[&record(A)]).page(URL, 200, B);
    let two = Net::default().txt(NAME, &[&record(A), &record(B)]).page(URL, 200, B);
    for (net, kind_or_did) in [(one, Ok(did(A))), (two, Err(Kind::Ambiguous))] {
        assert_eq!(net.in_any_order(alice).map_err(|error| error.kind()), kind_or_did);
        for late in [800, 2_999] {
            let world = World::default();
            let run = world.timed(&net, alice(), |call| dns_after(call, late));
            assert_eq!(run.result.map_err(|error| error.kind()), kind_or_did);
            assert_eq!(world.elapsed.get(), Duration::from_millis(late));
        }
    }
}

#[test]
fn dns_that_is_mute_or_down_leaves_the_decision_to_https() {
    // Rule N-04
    let net = Net::default().txt(NAME, &[&record(A)]).page(URL, 200, B);
    for (net, late, end) in [
        (net.clone(), 60_000, 3_000),
        (net.clone().fails(TXT, Phase::NotSent), 800, 800),
        (net.clone().fails(TXT, Phase::Unsupported), 0, 0),
        (net.txt(NAME, &[]), 800, 800),
    ] {
        let world = World::default();
        let run = world.timed(&net, alice(), |call| dns_after(call, late));
        assert_eq!(run.result, Ok(did(B)));
        assert_eq!(world.elapsed.get(), Duration::from_millis(end));
        // DNS had its time, so the result is cached.
        let cached = Resolver::new().handle("alice.com".parse().unwrap(), Freshness::Cached);
        assert_eq!(world.in_turn(&Net::default(), cached).result, Ok(did(B)));
    }
}

#[test]
fn a_result_without_dns_is_never_cached() {
    // Rule N-04
    let net = Net::default().txt(NAME, &[&record(A)]).page(URL, 200, B);
    for (grace, late, expected) in [(500, 499, A), (500, 501, B), (0, 1, B)] {
        let resolver = Resolver::new().with_dns_grace(Duration::from_millis(grace));
        let machine = |freshness| resolver.handle("alice.com".parse().unwrap(), freshness);
        let world = World::default();
        let fresh = machine(Freshness::Fresh);
        let run = world.timed(&net, fresh, |call| dns_after(call, late));
        assert_eq!(run.result, Ok(did(expected)));
        let run = world.in_turn(&net, machine(Freshness::Cached));
        assert_eq!((run.result, run.asked.is_empty()), (Ok(did(A)), expected == A));
    }
}

#[test]
fn a_driver_without_pauses_waits_for_dns() {
    let net = Net::default().txt(NAME, &[&record(A)]).page(URL, 200, B);
    for phase in [Phase::Unsupported, Phase::NotSent] {
        let net = net.clone().fails(SLEEP, phase);
        let resolver = Resolver::new().with_dns_grace(Duration::from_millis(500));
        let machine = || resolver.handle("alice.com".parse().unwrap(), Freshness::Fresh);
        assert_eq!(net.in_any_order(machine), Ok(did(A)));
    }
}

#[test]
fn one_call_at_a_time_never_sends_https_when_dns_answers() {
    let net = Net::default().txt(NAME, &[&record(A)]).page(URL, 200, B);
    assert_eq!(net.in_turn(alice()).asked, [TXT]);

    let ambiguous = Net::default().txt(NAME, &[&record(A), &record(B)]).page(URL, 200, A);
    assert_eq!(ambiguous.in_turn(alice()).asked, [TXT]);

    for net in [
        Net::default().page(URL, 200, A),
        Net::default().fails(TXT, Phase::Unsupported).page(URL, 200, A),
    ] {
        let run = net.in_turn(alice());
        assert_eq!((run.result, run.asked), (Ok(did(A)), vec![TXT.into(), GET.into()]));
    }
}

#[test]
fn two_dids_in_dns_are_ambiguous_whatever_https_answers() {
    // Rule N-03
    let ambiguous = [record(A), record(B)];
    let records: Vec<&str> = ambiguous.iter().map(String::as_str).collect();
    for net in [
        Net::default().txt(NAME, &records).page(URL, 404, ""),
        Net::default().txt(NAME, &records).fails(GET, Phase::NotSent),
        Net::default().txt(NAME, &records).page(URL, 200, A),
    ] {
        let error = net.in_any_order(alice).unwrap_err();
        assert_eq!(error.kind(), Kind::Ambiguous);
        assert!(!error.is_transient());
    }
}

#[test]
fn the_error_lists_both_failures_the_most_serious_one_first() {
    // Rules, M-05, P-16
    use ResolutionMethod::{Dns, Https};
    let junk = Net::default().txt(NAME, &["did=junk"]);
    let lost = Net::default().fails(TXT, Phase::TimedOut);
    let mute = Net::default().fails(TXT, Phase::Unsupported);
    let none = Net::default();
    for (net, leads, follows, transient) in [
        (none.clone(), (Dns, Kind::NotFound), (Https, Kind::NotFound), false),
        (
            none.clone().fails(GET, Phase::NotSent),
            (Dns, Kind::NotFound),
            (Https, Kind::Transport),
            false,
        ),
        (
            none.clone().fails(GET, Phase::TimedOut),
            (Https, Kind::Transport),
            (Dns, Kind::NotFound),
            true,
        ),
        (none.clone().fails(GET, blocked()), (Https, Kind::Blocked), (Dns, Kind::NotFound), false),
        (none.clone().page(URL, 500, ""), (Https, Kind::Status), (Dns, Kind::NotFound), true),
        (none.page(URL, 200, "<html>"), (Https, Kind::InvalidRecord), (Dns, Kind::NotFound), false),
        (lost.clone(), (Dns, Kind::Transport), (Https, Kind::NotFound), true),
        (
            lost.clone().page(URL, 200, "<html>"),
            (Dns, Kind::Transport),
            (Https, Kind::InvalidRecord),
            true,
        ),
        (lost.clone().fails(GET, blocked()), (Https, Kind::Blocked), (Dns, Kind::Transport), true),
        (
            junk.clone().fails(GET, Phase::NotSent),
            (Dns, Kind::InvalidRecord),
            (Https, Kind::Transport),
            false,
        ),
        (lost.fails(GET, Phase::NotSent), (Dns, Kind::Transport), (Https, Kind::Transport), true),
        (mute.clone(), (Https, Kind::NotFound), (Dns, Kind::Transport), false),
        (mute.fails(GET, Phase::NotSent), (Https, Kind::Transport), (Dns, Kind::Transport), true),
        (junk.clone(), (Dns, Kind::InvalidRecord), (Https, Kind::NotFound), false),
        (
            junk.fails(GET, Phase::TimedOut),
            (Https, Kind::Transport),
            (Dns, Kind::InvalidRecord),
            true,
        ),
    ] {
        let error = net.in_any_order(alice).unwrap_err();
        assert_eq!(kinds(&error), [leads, follows], "{error}");
        assert_eq!((error.kind(), error.is_transient()), (leads.1, transient), "{error}");
    }
}

#[test]
fn a_blocked_or_lost_call_of_one_method_is_seen_from_outside() {
    // Rules M-04, P-16
    let answers = Net::default();
    let lost = Net::default().fails(TXT, Phase::TimedOut);
    let address = "https://169.254.169.254/latest";
    for (net, security, blocked, network) in [
        (answers.clone(), false, false, false),
        (answers.clone().fails(GET, Phase::NotSent), false, false, false),
        (answers.clone().fails(GET, Phase::TimedOut), false, false, true),
        (answers.clone().fails(GET, Phase::TooLarge), false, true, false),
        (answers.clone().redirect(URL, address), true, true, false),
        (answers.clone().redirect(URL, "http://169.254.169.254/latest"), true, true, false),
        (answers.redirect(URL, "https://localhost:22/"), true, true, false),
        (lost.clone().page(URL, 200, "<html>"), false, false, true),
        (lost.clone().fails(GET, Phase::TooLarge), false, true, false),
        (lost.redirect(URL, address), true, true, false),
    ] {
        let error = net.in_any_order(alice).unwrap_err();
        assert_eq!((error.is_security(), error.blocked()), (security, blocked), "{error}");
        assert_eq!(error.is_network(), network, "{error}");
    }
}

#[test]
fn status_and_retry_after_of_a_host_reach_the_caller() {
    let net = Net::default().page_with(URL, 503, ("retry-after", "30"));
    let error = net.in_any_order(alice).unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
    assert_eq!(error.http_status(), Some(StatusCode::SERVICE_UNAVAILABLE));

    // They do so, too, if the failure of the other method is more serious.
    let net = Net::default().fails(TXT, blocked()).page_with(URL, 429, ("retry-after", "7"));
    let error = net.in_any_order(alice).unwrap_err();
    assert_eq!((error.kind(), error.is_security()), (Kind::Blocked, true));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.http_status(), Some(StatusCode::TOO_MANY_REQUESTS));

    let error = Net::default().in_any_order(alice).unwrap_err();
    assert_eq!(error.http_status(), Some(StatusCode::NOT_FOUND));
}

#[test]
fn a_cached_did_outlives_a_failure_of_dns() {
    // Rules A-97, P-16
    let world = World::default();
    let machine = |freshness| Resolver::new().handle("alice.com".parse().unwrap(), freshness);
    let known = Net::default().txt(NAME, &[&record(A)]);
    world.in_turn(&known, machine(Freshness::Fresh)).result.unwrap();
    let catch_all = Net::default().fails(TXT, Phase::TimedOut).page(URL, 200, "<html>");
    world.in_turn(&catch_all, machine(Freshness::Fresh)).result.unwrap_err();
    assert_eq!(world.in_turn(&Net::default(), machine(Freshness::Cached)).result, Ok(did(A)));
}

#[test]
fn the_error_of_a_handle_names_the_record_and_the_url() {
    let net = Net::default().txt(NAME, &["did=ev\u{1b}il"]);
    assert_eq!(
        net.in_any_order(alice).unwrap_err().to_string(),
        "the handle alice.com does not resolve; by DNS: the TXT record of _atproto.alice.com \
         holds \"evil\", which is not a DID that AT Protocol allows; by HTTPS: nothing was \
         found at https://alice.com/.well-known/atproto-did; if it is a server and not a handle, \
         give https://alice.com"
    );
    // An error that may pass is not a mistake of the person.
    let error = net.fails(GET, Phase::TimedOut).in_any_order(alice).unwrap_err().to_string();
    assert!(!error.contains("a server"), "{error}");
}

#[test]
fn the_error_of_an_ambiguous_handle_names_the_dids() {
    let records: Vec<String> = [A, B, "did:web:a.com", "did:web:b.com"].map(record).into();
    let net = |count: usize| {
        let records: Vec<&str> = records.iter().take(count).map(String::as_str).collect();
        Net::default().txt(NAME, &records)
    };
    let error = net(2).in_any_order(alice).unwrap_err().to_string();
    assert!(
        error.contains(&format!("names 2 DIDs for the handle alice.com: {A} and {B};")),
        "{error}"
    );
    let error = net(4).in_any_order(alice).unwrap_err().to_string();
    assert!(error.contains(&format!("{A}, {B} and 2 more;")), "{error}");
}

#[test]
fn a_handle_too_long_for_dns_is_asked_for_by_https() {
    // Rule A-09
    let handle = |length: usize| {
        let label = "a".repeat(60);
        let handle = format!("{label}.{label}.{label}.{}.com", "b".repeat(length - 187));
        assert_eq!(handle.len(), length);
        handle
    };
    for (length, asks_dns) in [(244, true), (245, false)] {
        let handle = handle(length);
        let url = format!("https://{handle}/.well-known/atproto-did");
        let net = Net::default().page(&url, 200, A);
        let machine = || Resolver::new().handle(handle.parse().unwrap(), Freshness::Fresh);
        let run = net.in_turn(machine());
        assert_eq!(run.result, Ok(did(A)));
        assert_eq!(run.asked.iter().any(|asked| asked.starts_with("TXT")), asks_dns);
        assert_eq!(net.in_any_order(machine), Ok(did(A)));
        if !asks_dns {
            let error = Net::default().in_any_order(machine).unwrap_err();
            assert_eq!(kinds(&error), [(ResolutionMethod::Https, Kind::NotFound)]);
        }
    }
}

#[test]
fn dns_is_skipped_below_configured_domains() {
    // Rule N-23
    let resolver = Resolver::new().with_skip_dns_suffixes([".Bsky.Social", "x.org"]);
    for (handle, asks_dns) in [
        ("alice.bsky.social", false),
        ("a.b.bsky.social", false),
        ("bsky.social", true),
        ("notbsky.social", true),
        ("alice.notbsky.social", true),
        ("a.x.org", false),
    ] {
        let machine = resolver.handle(handle.parse().unwrap(), Freshness::Fresh);
        let asked = Net::default().in_turn(machine).asked;
        assert_eq!(asked.iter().any(|asked| asked.starts_with("TXT")), asks_dns, "{handle}");
    }
}

#[test]
fn a_resolution_ends_when_its_time_budget_is_used_up() {
    let world = World { step: Duration::from_secs(11), ..World::default() };
    let run = world.in_turn(&Net::default().page(URL, 200, A), alice());
    assert_eq!(run.asked, [TXT]);
    assert!(run.result.unwrap_err().to_string().contains("the procedure has used up its time"));
}
