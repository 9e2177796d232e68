//! Redirect URIs of a pushed request (RFC 8252 section 7.3).

use crate::Case;
use crate::flow::Client;
use crate::lab::Lab;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a redirect_uri may be left out if the client has only one",
        |lab| {
            let draft = Client::loopback().login().par(lab).no_field("redirect_uri");
            draft.send(lab);
        },
        "
        POST par 201 - nonce
        ",
    ),
    Case::new(
        "the redirect_uri is one that the client declared; a loopback address may have any port",
        |lab| {
            for uri in [
                "http://127.0.0.1/callback",
                "http://127.0.0.1:7777/callback",
                "http://127.0.0.1:7777/other",
                "http://127.0.0.1:7777/callback/",
                "http://127.0.0.1:7777/callback?a=b",
                "http://127.0.0.1:7777/callback#a",
                "http://[::1]:7777/callback",
                "http://localhost:7777/callback",
                "https://127.0.0.1:7777/callback",
                "http://user@127.0.0.1:7777/callback",
                "https://elsewhere.dev/callback",
                "callback",
                "",
            ] {
                with(lab, "redirect_uri", uri);
            }
        },
        "
        POST par 201 - nonce (http://127.0.0.1/callback)
        POST par 201 - nonce (http://127.0.0.1:7777/callback)
        POST par 400 invalid_request nonce (http://127.0.0.1:7777/other)
        POST par 400 invalid_request nonce (http://127.0.0.1:7777/callback/)
        POST par 400 invalid_request nonce (http://127.0.0.1:7777/callback?a=b)
        POST par 400 invalid_request nonce (http://127.0.0.1:7777/callback#a)
        POST par 400 invalid_request nonce (http://[::1]:7777/callback)
        POST par 400 invalid_request nonce (http://localhost:7777/callback)
        POST par 400 invalid_request nonce (https://127.0.0.1:7777/callback)
        POST par 400 invalid_request nonce (http://user@127.0.0.1:7777/callback)
        POST par 400 invalid_request nonce (https://elsewhere.dev/callback)
        POST par 400 invalid_request nonce (callback)
        POST par 400 invalid_request nonce (empty)
        ",
    ),
    Case::new(
        "a loopback redirect_uri that the client declared with a port has that port",
        |lab| {
            let declared = "http://127.0.0.1:4242/callback";
            let login = Client::loopback_with(declared, "atproto").login();
            login.par(lab).send(lab);
            let draft = login.par(lab).field("redirect_uri", "http://127.0.0.1:4243/callback");
            draft.label("another").send(lab);
        },
        "
        POST par 201 - nonce
        POST par 400 invalid_request nonce (another)
        ",
    ),
    Case::new(
        "a web client's redirect_uri is compared as text",
        |lab| {
            let login = Client::public(lab).login();
            login.par(lab).send(lab);
            for uri in [
                "https://app.client.dev:443/callback",
                "https://APP.client.dev/callback",
                "https://app.client.dev/other",
                "https://app.client.dev:8443/callback",
            ] {
                login.par(lab).field("redirect_uri", uri).label(uri).send(lab);
            }
        },
        "
        POST par 201 - nonce
        POST par 400 invalid_request nonce (https://app.client.dev:443/callback)
        POST par 400 invalid_request nonce (https://APP.client.dev/callback)
        POST par 400 invalid_request nonce (https://app.client.dev/other)
        POST par 400 invalid_request nonce (https://app.client.dev:8443/callback)
        ",
    ),
];

/// Sends a pushed request of a loopback client with one parameter changed.
fn with(lab: &mut Lab<'_>, name: &str, value: &str) {
    let draft = Client::loopback().login().par(lab);
    let label = if value.is_empty() { "empty" } else { value };
    draft.field(name, value).label(label).send(lab);
}
