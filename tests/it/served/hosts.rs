//! The hosts of the sandbox on sockets, and the dispatch of requests to them.

use std::net::{Ipv6Addr, TcpListener};

use atproto_oauth_sandbox::Served;

use crate::served::raw::{End, address, get, send};

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";

#[test]
fn every_host_answers_at_both_loopback_addresses() {
    let served = Served::start(1).unwrap();
    let names = served.names().clone();
    let alice = served.sandbox().did("alice.test").unwrap().to_owned();
    let wendy = served.sandbox().did("wendy.test").unwrap().to_owned();
    let wendys_host = wendy.strip_prefix("did:web:").unwrap().replace("%3A", ":");
    let cases = [
        (names.pds.clone(), RESOURCE.to_owned(), names.pds.clone()),
        (names.other_pds.clone(), SERVER.to_owned(), names.other_pds),
        (names.entryway.clone(), SERVER.to_owned(), names.entryway.clone()),
        (names.entryway_pds, RESOURCE.to_owned(), names.entryway.clone()),
        (names.other_entryway_pds, RESOURCE.to_owned(), names.entryway),
        (names.plc, format!("/{alice}"), names.pds.clone()),
        (names.doh, "/dns-query?name=_atproto.alice.test&type=TXT".to_owned(), alice),
        (format!("http://{wendys_host}"), "/.well-known/did.json".to_owned(), names.pds),
    ];
    let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    for (origin, path, expected) in cases {
        let (answer, end) = get(&origin, &path);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{origin}{path} {answer}");
        assert!(answer.contains(&expected) && end == End::Closed, "{origin}{path} {answer}");
        if has_v6 {
            let address = (Ipv6Addr::LOCALHOST, address(&origin).port()).into();
            let head =
                format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            assert_eq!(body_of(&send(address, &head).0), body_of(&answer));
        }
    }
}

#[test]
fn handle_hosts_are_told_apart_by_the_host_header() {
    let served = Served::start(1).unwrap();
    let carol = served.sandbox().did("carol.test").unwrap().to_owned();
    let hosts = served.hosts();
    let names: Vec<&str> = hosts.iter().map(|(host, _)| host.as_str()).collect();
    assert_eq!(
        names,
        [
            "alice.test",
            "bob.test",
            "carol.test",
            "dave.test",
            "rita.test",
            "sara.test",
            "wendy.test"
        ]
    );
    let at = hosts[0].1;
    let ask = |host: &str| {
        send(
            at,
            &format!(
                "GET /.well-known/atproto-did HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            ),
        )
    };
    for host in ["carol.test", "CAROL.test", &format!("carol.test:{}", at.port())] {
        assert_eq!(body_of(&ask(host).0), carol, "{host}");
    }
    assert!(ask("alice.test").0.starts_with("HTTP/1.1 404 "), "alice.test resolves by DNS only");
    assert_eq!(ask("unknown.test"), (String::new(), End::Closed));
    assert!(ask("a b").0.starts_with("HTTP/1.1 400 "));

    // An account that is added later is found, too.
    let pds = served.names().pds.clone();
    let zoe = {
        let mut sandbox = served.sandbox();
        let pds = sandbox.find_server(&pds).unwrap();
        sandbox.add_account(pds, "zoe.test", atproto_oauth_sandbox::ResolvedBy::Https)
    };
    assert_eq!(body_of(&ask("zoe.test").0), zoe);
    assert!(served.hosts().iter().any(|(host, _)| host == "zoe.test"));
}

#[test]
fn a_request_is_logged_as_it_was_sent() {
    let served = Served::start(1).unwrap();
    let pds = served.names().pds.clone();
    // Two requests on one connection. The port decides which server answers, not the `Host` header.
    let first = "POST /oauth/token?a=%2F HTTP/1.1\r\nHost: elsewhere\r\nDPoP: one\r\ndpop: two\r\n\
                 Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n2\r\n&c\r\n0\r\n\r\n";
    let second = "GET http://localhost/xrpc/x.y.z HTTP/1.1\r\nHost: localhost\r\n\
                  Connection: close\r\n\r\n";
    let (answers, end) = send(address(&pds), &format!("{first}{second}"));
    assert_eq!((answers.matches("HTTP/1.1 ").count(), end), (2, End::Closed), "{answers}");
    let sandbox = served.sandbox();
    let seen: Vec<_> = sandbox.requests().collect();
    assert_eq!(seen[0].url.as_str(), format!("{pds}/oauth/token?a=%2F"));
    assert_eq!(seen[0].headers.get_all("dpop").iter().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(seen[0].body, "a=b&c");
    assert_eq!(seen[1].url.as_str(), format!("{pds}/xrpc/x.y.z"));
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let served = Served::start(1).unwrap();
    let at = address(&served.names().pds);
    let head = "POST /xrpc/com.atproto.repo.uploadBlob HTTP/1.1\r\nhost: x\r\ncontent-length: ";
    let (answer, _) = send(at, &format!("{head}{}\r\n\r\n", 101 * 1024 * 1024 + 1));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(served.sandbox().requests().count(), 0);
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}
