//! Logins in a browser that is already signed in (OpenID Connect Core section 3.1.2.1, `prompt`).

use crate::Case;
use crate::flow::{Client, Login};
use crate::jwt::random;
use crate::lab::Lab;
use crate::target::Act;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "in a new browser, prompt=none fails with login_required",
        |lab| {
            let login = Client::confidential(lab).login();
            ask(lab, &login, "none", Some("alice"));
            ask(lab, &login, "none", None);
        },
        "
        browser query: error=login_required iss state
        browser query: error=login_required iss state
        ",
    ),
    Case::new(
        "after consent, prompt=none succeeds only if login_hint names the account",
        |lab| {
            let login = consented(lab, true);
            ask(lab, &login, "none", Some("alice"));
            ask(lab, &login, "none", None);
            ask(lab, &login, "none", Some("carol"));
            ask(lab, &login, "none", Some("bob"));
        },
        "
        browser query: code iss state
        browser query: error=login_required iss state
        browser query: error=login_required iss state
        browser query: error=login_required iss state
        ",
    ),
    Case::new(
        "a code that prompt=none yields can be exchanged for tokens",
        |lab| {
            let mut login = consented(lab, true);
            login.verifier = random();
            let hint = lab.account("alice").did;
            let draft = login.par(lab).field("prompt", "none").field("login_hint", &hint);
            let url = login.url_of(lab, draft);
            let landing = lab.browse(&url, Act::Deny, Some("one"));
            login.note(lab, &landing);
            login.code_grant(lab, &landing.parameter("code").unwrap()).send(lab);
        },
        "
        browser query: code iss state
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "in a browser that does not stay signed in, prompt=none fails with login_required",
        |lab| {
            let login = consented(lab, false);
            ask(lab, &login, "none", Some("alice"));
        },
        "
        browser query: error=login_required iss state
        ",
    ),
    Case::new(
        "consent to one client does not count for another client",
        |lab| {
            consented(lab, true);
            let other = Client::confidential(lab).login();
            ask(lab, &other, "none", Some("alice"));
        },
        "
        browser query: error=consent_required iss state
        ",
    ),
    Case::new(
        "consent to some scopes does not count for further scopes",
        |lab| {
            let mut login = Client::confidential(lab).login();
            "atproto".clone_into(&mut login.client.scope);
            consent(lab, &login, true);
            ask(lab, &login, "none", Some("alice"));
            "atproto transition:generic".clone_into(&mut login.client.scope);
            ask(lab, &login, "none", Some("alice"));
        },
        "
        browser query: code iss state
        browser query: error=consent_required iss state
        ",
    ),
    Case::new(
        "without a prompt, earlier consent is enough only if login_hint names the account",
        |lab| {
            let login = consented(lab, true);
            ask(lab, &login, "", Some("alice"));
            ask(lab, &login, "", None);
        },
        "
        browser query: code iss state
        browser query: error=access_denied iss state
        ",
    ),
    Case::new(
        "prompt login, consent and select_account ask the user in spite of earlier consent",
        |lab| {
            let login = consented(lab, true);
            for prompt in ["login", "consent", "select_account"] {
                ask(lab, &login, prompt, Some("alice"));
            }
        },
        "
        browser query: error=access_denied iss state
        browser query: error=access_denied iss state
        browser query: error=access_denied iss state
        ",
    ),
    Case::new(
        "the users of a public client are asked in spite of earlier consent",
        |lab| {
            let login = Client::public(lab).login();
            consent(lab, &login, true);
            ask(lab, &login, "", Some("alice"));
        },
        "
        browser query: error=access_denied iss state
        ",
    ),
    Case::new(
        "prompt=select_account in a new browser fails with account_selection_required",
        |lab| {
            let login = Client::confidential(lab).login();
            ask(lab, &login, "select_account", None);
        },
        "
        browser query: error=account_selection_required iss state
        ",
    ),
    Case::new(
        "a second use of a code signs the user out of the browser",
        |lab| {
            let login = Client::confidential(lab).login();
            let url = login.url(lab);
            let code = lab.approve(&url, "alice", Some("one")).parameter("code").unwrap();
            login.code_grant(lab, &code).send(lab);
            ask(lab, &login, "none", Some("alice"));
            login.code_grant(lab, &code).send(lab);
            ask(lab, &login, "none", Some("alice"));
        },
        "
        POST token 200 - nonce
        browser query: code iss state
        POST token 400 invalid_grant nonce
        browser query: error=login_required iss state
        ",
    ),
];

/// Returns a login of a new client to which alice has consented.
fn consented(lab: &mut Lab<'_>, remember: bool) -> Login {
    let login = Client::confidential(lab).login();
    consent(lab, &login, remember);
    login
}

fn consent(lab: &mut Lab<'_>, login: &Login, remember: bool) {
    let url = login.url(lab);
    let alice = lab.account("alice");
    let act = Act::Approve {
        identifier: &alice.handle,
        password: &alice.password,
        scopes: None,
        remember,
    };
    let landing = lab.browse(&url, act, Some("one"));
    assert!(landing.parameter("code").is_some(), "{landing:?}");
}

/// Opens a request in the browser in which alice signed in. If the page asks, the user denies;
/// therefore a code in the callback shows that the login was silent.
fn ask(lab: &mut Lab<'_>, login: &Login, prompt: &str, hint: Option<&str>) {
    let mut draft = login.par(lab);
    if !prompt.is_empty() {
        draft = draft.field("prompt", prompt);
    }
    if let Some(name) = hint {
        let handle = lab.account(name).handle;
        draft = draft.field("login_hint", &handle);
    }
    let url = login.url_of(lab, draft);
    let landing = lab.browse(&url, Act::Deny, Some("one"));
    login.note(lab, &landing);
}
