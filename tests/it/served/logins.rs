//! Logins over sockets with both adapters.

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{CallbackParams, Client, Revocation, Scopes, Session, Subject, xrpc};
use atproto_oauth_sandbox::Served;
use atproto_sansio::System;

fn client(served: &Served) -> Client {
    let plc = served.names().plc.parse().unwrap();
    Client::loopback(Scopes::parse("atproto transition:generic").unwrap())
        .resolver(Resolver::new().with_directories([plc]))
        .development()
        .build()
        .unwrap()
}

pub(crate) fn blocking(served: &Served) -> atproto_oauth_ureq::StatelessClient {
    let mut builder = atproto_oauth_ureq::Driver::builder(System::new(P256Keys))
        .development()
        .nameserver(served.nameserver());
    for (host, address) in served.hosts() {
        builder = builder.host_override(&host, address);
    }
    atproto_oauth_ureq::StatelessClient::with_driver(client(served), builder.build())
}

fn log_in(served: &Served, name: &str) -> (atproto_oauth_ureq::StatelessClient, Session) {
    let client = blocking(served);
    let handle = format!("{name}.test");
    let begun = client.authorize(Subject::parse(&handle).unwrap()).unwrap();
    let back = served.sandbox().approve(&begun.url, &handle).unwrap();
    let params = CallbackParams::parse(&back).unwrap();
    let session = client.callback(begun.pending, params).unwrap().session;
    assert_eq!(session.did().as_str(), served.sandbox().did(&handle).unwrap());
    (client, session)
}

#[test]
fn each_kind_of_account_logs_in() {
    let served = Served::start(1).unwrap();
    // A handle in DNS, a handle over HTTPS, a did:web, and an account behind an entryway.
    for name in ["alice", "carol", "wendy", "rita"] {
        let (client, session) = log_in(&served, name);
        let query = xrpc::query("com.atproto.server.getSession", &[]).unwrap();
        let answer = client.request(&session, query).unwrap().response;
        xrpc::check(&answer).unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(text.contains(session.did().as_str()), "{text}");
        let session = client.refresh(session).unwrap().session;
        assert_eq!(client.revoke(session).unwrap(), Revocation::Revoked);
    }
}

#[test]
fn a_browser_decides_in_the_statement_that_begins_the_login() {
    // With `served.sandbox()` in place of `served`, the guard would be held while the client waits.
    let served = Served::start(1).unwrap();
    let client = blocking(&served);
    let begin = || client.authorize(Subject::parse("alice.test").unwrap()).unwrap();
    let approved = served.approve(&begin().url, "alice.test").unwrap();
    assert!(approved.contains("code="), "{approved}");
    let denied = served.deny(&begin().url).unwrap();
    assert!(denied.contains("error=access_denied"), "{denied}");
}

#[test]
fn the_async_adapter_logs_in_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let served = Served::start(1).unwrap();
    for handle in ["alice.test", "carol.test"] {
        let mut builder = atproto_oauth_reqwest::Driver::builder(System::new(P256Keys))
            .development()
            .nameserver(served.nameserver());
        for (host, address) in served.hosts() {
            builder = builder.host_override(&host, address);
        }
        let client =
            atproto_oauth_reqwest::StatelessClient::with_driver(client(&served), builder.build());
        runtime.block_on(async {
            let begun = client.authorize(Subject::parse(handle).unwrap()).await.unwrap();
            let back = served.sandbox().approve(&begun.url, handle).unwrap();
            let params = CallbackParams::parse(&back).unwrap();
            let session = client.callback(begun.pending, params).await.unwrap().session;
            let query = xrpc::query("com.atproto.server.getSession", &[]).unwrap();
            xrpc::check(&client.request(&session, query).await.unwrap().response).unwrap();
            let session = client.refresh(session).await.unwrap().session;
            client.revoke(session).await.unwrap();
        });
    }
}
