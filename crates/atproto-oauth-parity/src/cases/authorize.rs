//! Callbacks of the authorization page (RFC 6749 section 4.1.2, RFC 9207).

use crate::Case;
use crate::flow::{Client, Login, challenge};
use crate::lab::Lab;
use crate::target::{Act, Landing};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "after consent the browser returns to the client with a code, the state and the issuer",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            approve(lab, &login, &url, "alice");
        },
        "
        browser query: code iss state
        ",
    ),
    Case::new(
        "an authorization request without a state is answered without a state",
        |lab| {
            let login = Client::loopback().login();
            let draft = login.par(lab).no_field("state");
            let url = login.url_of(lab, draft);
            approve(lab, &login, &url, "alice");
        },
        "
        browser query: code iss
        ",
    ),
    Case::new(
        "response_mode puts the answer into the query, into the fragment or into a form",
        |lab| {
            for mode in ["query", "fragment", "form_post"] {
                let login = Client::loopback().login();
                let draft = login.par(lab).field("response_mode", mode);
                let url = login.url_of(lab, draft);
                approve(lab, &login, &url, "alice");
            }
        },
        "
        browser query: code iss state
        browser fragment: code iss state
        browser form: code iss state
        ",
    ),
    Case::new(
        "the browser returns to the port of the redirect_uri of the request",
        |lab| {
            let mut login = Client::loopback().login();
            login.client.redirect_uri = "http://127.0.0.1:34567/callback".to_owned();
            let url = login.url(lab);
            approve(lab, &login, &url, "alice");
        },
        "
        browser query: code iss state
        ",
    ),
    Case::new(
        "after a denial the browser returns to the client with the error access_denied",
        |lab| {
            for mode in ["query", "fragment", "form_post"] {
                let login = Client::loopback().login();
                let draft = login.par(lab).field("response_mode", mode);
                let url = login.url_of(lab, draft);
                let landing = lab.browse(&url, Act::Deny, None);
                login.note(lab, &landing);
            }
        },
        "
        browser query: error=access_denied iss state
        browser fragment: error=access_denied iss state
        browser form: error=access_denied iss state
        ",
    ),
    Case::new(
        "after a wrong password the browser stays on the page, and the user may try again",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            let handle = lab.account("alice").handle;
            for password in ["wrong", &lab.account("alice").password] {
                let act = approval(&handle, password, None);
                let landing = lab.browse(&url, act, Some("one"));
                login.note(lab, &landing);
            }
        },
        "
        browser page 400
        browser query: code iss state
        ",
    ),
    Case::new(
        "an account of another server cannot sign in",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            approve(lab, &login, &url, "bob");
        },
        "
        browser page 400
        ",
    ),
    Case::new(
        "the user may type a DID instead of a handle",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            let alice = lab.account("alice");
            let landing = lab.browse(&url, approval(&alice.did, &alice.password, None), None);
            login.note(lab, &landing);
        },
        "
        browser query: code iss state
        ",
    ),
    Case::new(
        "the user may sign in with another account than the one that login_hint names",
        |lab| {
            let login = Client::loopback().login();
            let hint = lab.account("alice").handle;
            let draft = login.par(lab).field("login_hint", &hint);
            let url = login.url_of(lab, draft);
            let landing = lab.approve(&url, "carol", None);
            login.note(lab, &landing);
            let code = landing.parameter("code").unwrap();
            let sub = login.code_grant(lab, &code).send(lab).text("sub");
            let is_carol = sub == lab.account("carol").did;
            lab.note(format!("+ carol: {is_carol}"));
        },
        "
        browser query: code iss state
        POST token 200 - nonce
        + carol: true
        ",
    ),
    Case::new(
        "the user may consent to fewer scopes than the client requested",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            let alice = lab.account("alice");
            let act = approval(&alice.handle, &alice.password, Some("atproto"));
            let landing = lab.browse(&url, act, None);
            login.note(lab, &landing);
            let code = landing.parameter("code").unwrap();
            let answer = login.code_grant(lab, &code).send(lab);
            lab.members(&answer);
            let refresh = answer.text("refresh_token");
            let answer = login.refresh_grant(lab, &refresh).send(lab);
            lab.members(&answer);
        },
        "
        browser query: code iss state
        POST token 200 - nonce
        + access_token expires_in~3600 refresh_token scope=\"atproto\" sub token_type=\"DPoP\"
        POST token 200 - nonce
        + access_token expires_in~3600 refresh_token scope=\"atproto\" sub token_type=\"DPoP\"
        ",
    ),
    Case::new(
        "consent without the scope atproto is a denial, and consent cannot add a scope",
        |lab| {
            let alice = lab.account("alice");
            let login = Client::loopback().login();
            let url = login.url(lab);
            let act = approval(&alice.handle, &alice.password, Some("transition:generic"));
            let landing = lab.browse(&url, act, None);
            login.note(lab, &landing);
            let login = Client::loopback_with("http://127.0.0.1/", "atproto").login();
            let url = login.url(lab);
            let act = approval(&alice.handle, &alice.password, Some("atproto transition:email"));
            let landing = lab.browse(&url, act, None);
            let code = landing.parameter("code").unwrap();
            let answer = login.code_grant(lab, &code).send(lab);
            lab.members(&answer);
        },
        "
        browser query: error=access_denied iss state
        POST token 200 - nonce
        + access_token expires_in~3600 refresh_token scope=\"atproto\" sub token_type=\"DPoP\"
        ",
    ),
    Case::new(
        "a request_uri that the server did not issue leads to an error page",
        |lab| {
            let login = Client::loopback().login();
            for uri in ["req-00000000000000000000000000000000", "none"] {
                let uri = format!("urn:ietf:params:oauth:request_uri:{uri}");
                let url = login.url_with(lab, &uri);
                approve(lab, &login, &url, "alice");
            }
            let url = login.url_with(lab, "none");
            approve(lab, &login, &url, "alice");
        },
        "
        browser page 400
        browser page 400
        browser page 400
        ",
    ),
    Case::new(
        "a second use of a request_uri is answered with access_denied",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            approve(lab, &login, &url, "alice");
            approve(lab, &login, &url, "alice");
            approve(lab, &login, &url, "alice");
        },
        "
        browser query: code iss state
        browser query: error=access_denied iss state
        browser page 400
        ",
    ),
    Case::new(
        "a second use of a request_uri makes the code of the first use invalid",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            let code = lab.approve(&url, "alice", None).parameter("code").unwrap();
            approve(lab, &login, &url, "alice");
            login.code_grant(lab, &code).send(lab);
        },
        "
        browser query: error=access_denied iss state
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "after a denial the request_uri is invalid",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            let landing = lab.browse(&url, Act::Deny, None);
            login.note(lab, &landing);
            approve(lab, &login, &url, "alice");
        },
        "
        browser query: error=access_denied iss state
        browser page 400
        ",
    ),
    Case::new(
        "the use of a request_uri by another client is denied, and makes the request_uri invalid",
        |lab| {
            let login = Client::loopback().login();
            let request_uri = login.par(lab).send_quietly(lab).text("request_uri");
            let other = Client::loopback_with("http://127.0.0.1/other", "atproto").login();
            let url = other.url_with(lab, &request_uri);
            approve(lab, &login, &url, "alice");
            let url = login.url_with(lab, &request_uri);
            approve(lab, &login, &url, "alice");
        },
        "
        browser query: error=access_denied iss state
        browser page 400
        ",
    ),
    Case::new(
        "the use of a request_uri in a second browser is denied, and makes the request_uri invalid",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url(lab);
            let handle = lab.account("alice").handle;
            let landing = lab.browse(&url, approval(&handle, "wrong", None), Some("one"));
            login.note(lab, &landing);
            let landing = lab.approve(&url, "alice", Some("two"));
            login.note(lab, &landing);
            let landing = lab.approve(&url, "alice", Some("one"));
            login.note(lab, &landing);
        },
        "
        browser page 400
        browser query: error=access_denied iss state
        browser page 400
        ",
    ),
    Case::new(
        "an authorization request whose parameters are in the URL instead of a pushed request",
        |lab| {
            let login = Client::loopback().login();
            let url = login.url_with(lab, "").replace("request_uri=", "response_type=code");
            let url = format!(
                "{url}&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&scope=atproto&state=s\
                 &code_challenge={}&code_challenge_method=S256",
                challenge(&login.verifier),
            );
            approve(lab, &login, &url, "alice");
        },
        "
        browser query: code iss state
        ",
    )
    .stricter("AT Protocol OAuth: PAR is mandatory", "browser page 400"),
    Case::new(
        "an unknown client id at the authorization endpoint leads to an error page",
        |lab| {
            let login = Client::of("nonsense").login();
            let url = login.url_with(lab, "urn:ietf:params:oauth:request_uri:req-1");
            approve(lab, &login, &url, "alice");
        },
        "
        browser page 400
        ",
    ),
    Case::new(
        "a repeated parameter of the authorization URL leads to an error page",
        |lab| {
            let login = Client::loopback().login();
            for twice in ["&client_id=x", "&request_uri=x"] {
                let url = login.url(lab) + twice;
                let landing = lab.approve(&url, "alice", None);
                login.note(lab, &landing);
            }
        },
        "
        browser page 400
        browser page 400
        ",
    ),
];

fn approve(lab: &mut Lab<'_>, login: &Login, url: &str, name: &str) {
    let landing: Landing = lab.approve(url, name, None);
    login.note(lab, &landing);
}

fn approval<'a>(identifier: &'a str, password: &'a str, scopes: Option<&'a str>) -> Act<'a> {
    Act::Approve { identifier, password, scopes, remember: false }
}
