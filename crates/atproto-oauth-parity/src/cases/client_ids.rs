//! Valid and invalid client ids (AT Protocol OAuth: client ID metadata document, localhost
//! clients).

use url::Url;

use crate::Case;
use crate::flow::{Client, WEB_CALLBACK};
use crate::lab::{Lab, metadata};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the client id http://localhost needs no document, and may have scope and redirect_uri",
        |lab| {
            for id in [
                "http://localhost",
                "http://localhost/",
                "http://localhost?scope=atproto",
                "http://localhost/?scope=atproto",
                "http://localhost/?",
                "http://localhost/?redirect_uri=http%3A%2F%2F127.0.0.1%2F",
                "http://localhost/?redirect_uri=http://127.0.0.1/",
                "http://localhost/?redirect_uri=http://127.0.0.1/&redirect_uri=http://[::1]/",
            ] {
                local(lab, id);
            }
        },
        "
        POST par 201 - nonce (http://localhost)
        POST par 201 - nonce (http://localhost/)
        POST par 201 - nonce (http://localhost?scope=atproto)
        POST par 201 - nonce (http://localhost/?scope=atproto)
        POST par 201 - nonce (http://localhost/?)
        POST par 201 - nonce (http://localhost/?redirect_uri=http%3A%2F%2F127.0.0.1%2F)
        POST par 201 - nonce (http://localhost/?redirect_uri=http://127.0.0.1/)
        POST par 201 - nonce (http://localhost/?redirect_uri=http://127.0.0.1/&redirect_uri=http://[::1]/)
        ",
    ),
    Case::new(
        "a client id that only resembles http://localhost is refused",
        |lab| {
            for id in [
                "http://localhost/path",
                "http://localhost//",
                "http://localhost/#a",
                "http://localhost#",
                "http://localhost:8080/",
                "http://localhost:80/",
                "http://LOCALHOST/",
                "HTTP://localhost/",
                "http://user@localhost/",
                "http://localhost.",
                "http://127.0.0.1/",
                "http://[::1]/",
                "https://localhost/",
                "http:localhost",
            ] {
                local(lab, id);
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (http://localhost/path)
        POST par 400 invalid_client_metadata nonce (http://localhost//)
        POST par 400 invalid_client_metadata nonce (http://localhost/#a)
        POST par 400 invalid_client_metadata nonce (http://localhost#)
        POST par 400 invalid_client_metadata nonce (http://localhost:8080/)
        POST par 400 invalid_client_metadata nonce (http://localhost:80/)
        POST par 400 invalid_client_metadata nonce (http://LOCALHOST/)
        POST par 400 invalid_client_metadata nonce (HTTP://localhost/)
        POST par 400 invalid_client_metadata nonce (http://user@localhost/)
        POST par 400 invalid_client_metadata nonce (http://localhost.)
        POST par 400 invalid_client_metadata nonce (http://127.0.0.1/)
        POST par 400 invalid_client_metadata nonce (http://[::1]/)
        POST par 400 invalid_client_metadata nonce (https://localhost/)
        POST par 400 invalid_client_metadata nonce (http:localhost)
        ",
    ),
    Case::new(
        "the client id http://localhost has no parameters except a valid scope and redirect_uri",
        |lab| {
            for query in [
                "client_name=me",
                "scope=atproto&scope=atproto",
                "scope=",
                "scope=transition:generic",
                "scope=atproto%20atproto",
                "scope=atproto++transition:generic",
                "redirect_uri=",
                "redirect_uri=callback",
                "redirect_uri=http://localhost/",
                "redirect_uri=http://localhost:80/",
                "redirect_uri=https://127.0.0.1/",
                "redirect_uri=http://127.0.0.2/",
                "redirect_uri=http://0.0.0.0/",
                "redirect_uri=https://app.client.dev/",
                "redirect_uri=com.example.app:/",
                "redirect_uri=http://user:pass@127.0.0.1/",
                "redirect_uri=http://127.0.0.1/&redirect_uri=http://localhost/",
            ] {
                let client = Client::of(&format!("http://localhost/?{query}"));
                let draft = client.login().par(lab).field("redirect_uri", "http://127.0.0.1/");
                draft.label(query).send(lab);
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (client_name=me)
        POST par 400 invalid_client_metadata nonce (scope=atproto&scope=atproto)
        POST par 400 invalid_client_metadata nonce (scope=)
        POST par 400 invalid_client_metadata nonce (scope=transition:generic)
        POST par 400 invalid_client_metadata nonce (scope=atproto%20atproto)
        POST par 400 invalid_client_metadata nonce (scope=atproto++transition:generic)
        POST par 400 invalid_client_metadata nonce (redirect_uri=)
        POST par 400 invalid_client_metadata nonce (redirect_uri=callback)
        POST par 400 invalid_client_metadata nonce (redirect_uri=http://localhost/)
        POST par 400 invalid_client_metadata nonce (redirect_uri=http://localhost:80/)
        POST par 400 invalid_client_metadata nonce (redirect_uri=https://127.0.0.1/)
        POST par 400 invalid_client_metadata nonce (redirect_uri=http://127.0.0.2/)
        POST par 400 invalid_client_metadata nonce (redirect_uri=http://0.0.0.0/)
        POST par 400 invalid_client_metadata nonce (redirect_uri=https://app.client.dev/)
        POST par 400 invalid_client_metadata nonce (redirect_uri=com.example.app:/)
        POST par 400 invalid_redirect_uri nonce (redirect_uri=http://user:pass@127.0.0.1/)
        POST par 400 invalid_client_metadata nonce (redirect_uri=http://127.0.0.1/&redirect_uri=http://localhost/)
        ",
    ),
    Case::new(
        "the default redirect URIs of http://localhost are the roots of the loopback addresses",
        |lab| {
            for uri in [
                "http://127.0.0.1/",
                "http://127.0.0.1:7777/",
                "http://[::1]:7777/",
                "http://127.0.0.1",
                "http://127.0.0.1:7777/callback",
                "http://localhost:7777/",
            ] {
                let login = Client::of("http://localhost").login();
                login.par(lab).field("redirect_uri", uri).label(uri).send(lab);
            }
        },
        "
        POST par 201 - nonce (http://127.0.0.1/)
        POST par 201 - nonce (http://127.0.0.1:7777/)
        POST par 201 - nonce (http://[::1]:7777/)
        POST par 201 - nonce (http://127.0.0.1)
        POST par 400 invalid_request nonce (http://127.0.0.1:7777/callback)
        POST par 400 invalid_request nonce (http://localhost:7777/)
        ",
    ),
    Case::new(
        "a client id with a document is an https URL with a path, without userinfo and fragment",
        |lab| {
            for id in [
                "https://app.client.dev/metadata.json",
                "https://app.client.dev/a/b",
                "https://app.client.dev/metadata.json?a=b",
                "https://app.client.dev",
                "https://app.client.dev/",
                "https://app.client.dev/directory/",
                "https://app.client.dev/?a=b",
                "https://app.client.dev/metadata.json#a",
                "https://user@app.client.dev/metadata.json",
                "https://:pass@app.client.dev/metadata.json",
                "http://app.client.dev/metadata.json",
            ] {
                remote(lab, id);
            }
        },
        "
        POST par 201 - nonce (https://app.client.dev/metadata.json)
        POST par 201 - nonce (https://app.client.dev/a/b)
        POST par 201 - nonce (https://app.client.dev/metadata.json?a=b)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev/)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev/directory/)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev/?a=b)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev/metadata.json#a)
        POST par 400 invalid_client_metadata nonce (https://user@app.client.dev/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://:pass@app.client.dev/metadata.json)
        POST par 400 invalid_client_metadata nonce (http://app.client.dev/metadata.json)
        ",
    ),
    Case::new(
        "a client id with an empty fragment",
        |lab| remote(lab, "https://app.client.dev/metadata.json#"),
        "
        POST par 201 - nonce (https://app.client.dev/metadata.json#)
        ",
    )
    .stricter(
        "Client ID Metadata Document section 3: a client id must not contain a fragment component",
        "POST par 400 invalid_client_metadata nonce (https://app.client.dev/metadata.json#)",
    ),
    Case::new(
        "a client id that is not a normalized URL is refused",
        |lab| {
            for id in [
                "https://APP.client.dev/metadata.json",
                "HTTPS://app.client.dev/metadata.json",
                "https://app.client.dev/a/../metadata.json",
                "https://app.client.dev/./metadata.json",
                "https://app.client.dev:443/metadata.json",
                "https://app.client.dev/meta data.json",
                " https://app.client.dev/metadata.json",
                "https:app.client.dev/metadata.json",
                "https://app.client.dev\\metadata.json",
            ] {
                remote(lab, id);
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (https://APP.client.dev/metadata.json)
        POST par 400 invalid_client_metadata nonce (HTTPS://app.client.dev/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev/a/../metadata.json)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev/./metadata.json)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev:443/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev/meta data.json)
        POST par 400 invalid_client_metadata nonce ( https://app.client.dev/metadata.json)
        POST par 400 invalid_client_metadata nonce (https:app.client.dev/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://app.client.dev\\metadata.json)
        ",
    ),
    Case::new(
        "a client id with a port",
        |lab| remote(lab, "https://app.client.dev:8443/metadata.json"),
        "
        POST par 201 - nonce (https://app.client.dev:8443/metadata.json)
        ",
    )
    .stricter(
        "the SSRF protection of the reference server also refuses ports, but the reference network \
         disables that protection",
        "POST par 400 invalid_client_metadata nonce (https://app.client.dev:8443/metadata.json)",
    ),
    Case::new(
        "the host of a client id is a public domain name",
        |lab| {
            for host in [
                "localhost",
                "app",
                "client.test",
                "client.local",
                "client.localhost",
                "client.invalid",
                "client.example",
                "example.com",
                "app.example.com",
                "127.0.0.1",
                "8.8.8.8",
                "[::1]",
                "[2001:db8::1]",
            ] {
                remote(lab, &format!("https://{host}/metadata.json"));
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (https://localhost/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://app/metadata.json)
        POST par 400 invalid_client_id nonce (https://client.test/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://client.local/metadata.json)
        POST par 400 invalid_client_id nonce (https://client.localhost/metadata.json)
        POST par 400 invalid_client_id nonce (https://client.invalid/metadata.json)
        POST par 400 invalid_client_id nonce (https://client.example/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://example.com/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://app.example.com/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://127.0.0.1/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://8.8.8.8/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://[::1]/metadata.json)
        POST par 400 invalid_client_metadata nonce (https://[2001:db8::1]/metadata.json)
        ",
    ),
    Case::new(
        "a client id that is not an http or https URL is refused",
        |lab| {
            for id in ["app", "", "did:web:app.client.dev", "urn:app", "com.example.app:/", "/"] {
                remote(lab, id);
            }
        },
        "
        POST par 400 invalid_client_metadata nonce (app)
        POST par 400 invalid_client nonce (empty)
        POST par 400 invalid_client_metadata nonce (did:web:app.client.dev)
        POST par 400 invalid_client_metadata nonce (urn:app)
        POST par 400 invalid_client_metadata nonce (com.example.app:/)
        POST par 400 invalid_client_metadata nonce (/)
        ",
    ),
    Case::new(
        "a token request with an invalid client id fails with invalid_client_metadata",
        |lab| {
            let login = Client::of("https://app.client.dev").login();
            login.code_grant(lab, "none").send(lab);
            login.refresh_grant(lab, "none").send(lab);
        },
        "
        POST token 400 invalid_client_metadata nonce
        POST token 400 invalid_client_metadata nonce
        ",
    ),
];

fn local(lab: &mut Lab<'_>, id: &str) {
    let draft = Client::of(id).login().par(lab).field("redirect_uri", "http://127.0.0.1/");
    draft.label(id).send(lab);
}

/// Sends a pushed request of a client with this id. If the id is an https URL, a valid metadata
/// document is published there.
fn remote(lab: &mut Lab<'_>, id: &str) {
    if Url::parse(id).is_ok_and(|url| url.scheme() == "https") {
        lab.publish(id, &metadata(id));
    }
    let draft = Client::of(id).login().par(lab).field("redirect_uri", WEB_CALLBACK);
    draft.label(if id.is_empty() { "empty" } else { id }).send(lab);
}
