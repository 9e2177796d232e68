//! Lifetimes to the second, which only a target with a virtual clock can show. The sources of the
//! reference servers have the same bounds.

use std::time::Duration;

use crate::Case;
use crate::flow::{Client, Login};
use crate::jwt::random;
use crate::lab::Lab;
use crate::target::{Act, Server};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a DPoP proof is valid from 180 seconds before its iat until 190 seconds after it",
        |lab| {
            let login = Client::loopback().login();
            let now = lab.target.now();
            for (label, claim, time) in [
                ("190 s old", "iat", now - 190),
                ("191 s old", "iat", now - 191),
                ("180 s early", "iat", now + 180),
                ("181 s early", "iat", now + 181),
                ("over for 179 s", "exp", now - 179),
                ("over for 180 s", "exp", now - 180),
                ("not before 180 s", "nbf", now + 180),
                ("not before 181 s", "nbf", now + 181),
            ] {
                login.par(lab).claim(claim, time).label(label).send(lab);
            }
        },
        "
        POST par 201 - nonce (190 s old)
        POST par 401 invalid_dpop_proof nonce DPoP (191 s old)
        POST par 201 - nonce (180 s early)
        POST par 401 invalid_dpop_proof nonce DPoP (181 s early)
        POST par 201 - nonce (over for 179 s)
        POST par 401 invalid_dpop_proof nonce DPoP (over for 180 s)
        POST par 201 - nonce (not before 180 s)
        POST par 401 invalid_dpop_proof nonce DPoP (not before 181 s)
        ",
    ),
    Case::new(
        "the jti of a DPoP proof is remembered for as long as the proof is valid",
        |lab| {
            let login = Client::loopback().login();
            let iat = lab.target.now() + 180;
            let jti = random();
            for label in ["first", "again", "while it is fresh"] {
                if label == "while it is fresh" {
                    pass(lab, 370);
                }
                login.par(lab).claim("jti", jti.clone()).claim("iat", iat).label(label).send(lab);
            }
        },
        "
        POST par 201 - nonce (first)
        POST par 401 invalid_dpop_proof nonce DPoP (again)
        POST par 401 invalid_dpop_proof nonce DPoP (while it is fresh)
        ",
    ),
    Case::new(
        "a client assertion is valid for 60 seconds from its iat, and never before its iat",
        |lab| {
            let login = Client::confidential(lab).login();
            let now = lab.target.now();
            for (label, claim, time) in [
                ("60 s old", "iat", now - 60),
                ("61 s old", "iat", now - 61),
                ("1 s early", "iat", now + 1),
                ("over now", "exp", now),
                ("over in 1 s", "exp", now + 1),
                ("not before now", "nbf", now),
                ("not before 1 s", "nbf", now + 1),
            ] {
                login.par(lab).asserting(|jwt| jwt.claim(claim, time)).label(label).send(lab);
            }
        },
        "
        POST par 201 - nonce (60 s old)
        POST par 400 invalid_client nonce (61 s old)
        POST par 400 invalid_client nonce (1 s early)
        POST par 400 invalid_client nonce (over now)
        POST par 201 - nonce (over in 1 s)
        POST par 201 - nonce (not before now)
        POST par 400 invalid_client nonce (not before 1 s)
        ",
    ),
    Case::new(
        "a request_uri is valid for 300 seconds",
        |lab| {
            for seconds in [300, 301] {
                let login = Client::loopback().login();
                let url = login.url(lab);
                pass(lab, seconds);
                let landing = lab.approve(&url, "alice", None);
                login.note(lab, &landing);
            }
        },
        "
        browser query: code iss state
        browser query: error=access_denied iss state
        ",
    ),
    Case::new(
        "a code is valid for 300 seconds",
        |lab| {
            for seconds in [300, 301] {
                let login = Client::loopback().login();
                let code = login.code(lab, "alice");
                pass(lab, seconds);
                login.code_grant(lab, &code).send(lab);
            }
        },
        "
        POST token 200 - nonce
        POST token 400 invalid_grant nonce
        ",
    ),
    Case::new(
        "an access token is valid after 3599 seconds, and expired after 3600 seconds",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            pass(lab, 3599);
            login.get_session(lab, &token).send(lab);
            pass(lab, 1);
            login.get_session(lab, &token).send(lab);
        },
        "
        GET getSession 200 - nonce
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "the session of a public client ends after two weeks, even if it is refreshed",
        |lab| {
            for (label, before, after) in
                [("unused", 14 * DAY, 1), ("used", 13 * DAY, DAY), ("used late", 13 * DAY, DAY + 1)]
            {
                let login = Client::loopback().login();
                sessions(lab, &login, label, before, after);
            }
        },
        "
        POST token 200 - nonce (unused)
        POST token 400 invalid_grant nonce (unused)
        POST token 200 - nonce (used)
        POST token 200 - nonce (used)
        POST token 200 - nonce (used late)
        POST token 400 invalid_grant nonce (used late)
        ",
    ),
    Case::new(
        "the session of a confidential client ends after three months without a refresh",
        |lab| {
            for (label, before, after) in
                [("long used", 90 * DAY, 90 * DAY), ("left alone", 91 * DAY, 92 * DAY)]
            {
                let login = Client::confidential(lab).login();
                sessions(lab, &login, label, before, after);
            }
        },
        "
        POST token 200 - nonce (long used)
        POST token 200 - nonce (long used)
        POST token 200 - nonce (left alone)
        POST token 400 invalid_grant nonce (left alone)
        ",
    ),
    Case::new(
        "a browser stays signed in for seven days",
        |lab| {
            let mut login = Client::confidential(lab).login();
            let url = login.url(lab);
            lab.approve(&url, "alice", Some("one"));
            for seconds in [7 * DAY, 1] {
                pass(lab, seconds);
                login.verifier = random();
                let hint = lab.account("alice").did;
                let draft = login.par(lab).field("prompt", "none").field("login_hint", &hint);
                let url = login.url_of(lab, draft);
                let landing = lab.browse(&url, Act::Deny, Some("one"));
                login.note(lab, &landing);
            }
        },
        "
        browser query: code iss state
        browser query: error=login_required iss state
        ",
    ),
    Case::new(
        "a client metadata document is cached for ten minutes",
        |lab| {
            let client = Client::public(lab);
            client.login().par(lab).label("as it was").send(lab);
            // `Lab::publish_as` would empty the servers' caches; `Target::publish` does not.
            let gone = http::StatusCode::GONE;
            lab.target.publish(&client.id, gone, &http::HeaderMap::new(), "");
            for (label, seconds) in [("after 599 s", 599), ("after 600 s", 1)] {
                pass(lab, seconds);
                client.login().par(lab).label(label).send(lab);
            }
        },
        "
        POST par 201 - nonce (as it was)
        POST par 201 - nonce (after 599 s)
        POST par 400 invalid_client_metadata nonce (after 600 s)
        ",
    ),
    Case::new(
        "a nonce is valid for at least one rotation interval and at most three",
        |lab| {
            let login = Client::loopback().login();
            let nonce = lab.nonce(Server::A);
            for seconds in [0, 60, 60, 60] {
                lab.target.wait(Duration::from_secs(seconds));
                login.par(lab).claim("nonce", nonce.clone()).send(lab);
            }
        },
        "
        POST par 201 - nonce
        POST par 201 - nonce
        POST par 201 - nonce
        POST par 400 use_dpop_nonce nonce
        ",
    ),
];

const DAY: u64 = 24 * 3600;

/// Advances the clock, and forgets the nonces, because they may have expired.
fn pass(lab: &mut Lab<'_>, seconds: u64) {
    lab.target.wait(Duration::from_secs(seconds));
    lab.forget_nonces();
}

/// Logs in and refreshes the session after `before` seconds, and again after `after` seconds.
fn sessions(lab: &mut Lab<'_>, login: &Login, label: &str, before: u64, after: u64) {
    let mut tokens = login.tokens(lab, "alice");
    for seconds in [before, after] {
        pass(lab, seconds);
        let answer = login.refresh_grant(lab, &tokens.refresh).label(label).send(lab);
        if answer.json["refresh_token"].is_string() {
            tokens.refresh = answer.text("refresh_token");
        }
    }
}
