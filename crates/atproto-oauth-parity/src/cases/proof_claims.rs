//! Claims of DPoP proofs (RFC 9449 section 4.3).

use serde_json::{Value, json};

use crate::Case;
use crate::flow::{Client, hash};
use crate::jwt::{Key, random};
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the iat of a proof is at most about three minutes in the past or in the future",
        |lab| {
            let login = Client::loopback().login();
            for seconds in [-187_i64, -193, 175, 185, -3600, 3600] {
                let iat = lab.target.now().checked_add_signed(seconds).unwrap();
                let label = format!("{seconds:+} seconds");
                login.par(lab).claim("iat", iat).label(label).send(lab);
            }
        },
        "
        POST par 201 - nonce (-187 seconds)
        POST par 401 invalid_dpop_proof nonce DPoP (-193 seconds)
        POST par 201 - nonce (+175 seconds)
        POST par 401 invalid_dpop_proof nonce DPoP (+185 seconds)
        POST par 401 invalid_dpop_proof nonce DPoP (-3600 seconds)
        POST par 401 invalid_dpop_proof nonce DPoP (+3600 seconds)
        ",
    ),
    Case::new(
        "the resource server accepts the same range of iat as the authorization server",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            for seconds in [-187_i64, -193, 175, 185] {
                let iat = lab.target.now().checked_add_signed(seconds).unwrap();
                let label = format!("{seconds:+} seconds");
                login.get_session(lab, &token).claim("iat", iat).label(label).send(lab);
            }
        },
        "
        GET getSession 200 - nonce (-187 seconds)
        GET getSession 401 invalid_dpop_proof nonce DPoP (-193 seconds)
        GET getSession 200 - nonce (+175 seconds)
        GET getSession 401 invalid_dpop_proof nonce DPoP (+185 seconds)
        ",
    ),
    Case::new(
        "a proof without a required claim is refused, and additional claims are ignored",
        |lab| {
            let login = Client::loopback().login();
            for name in ["jti", "htm", "htu", "iat"] {
                login.par(lab).claim(name, Value::Null).label(name).send(lab);
            }
            login.par(lab).claim("extra", "anything").label("another claim too").send(lab);
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (jti)
        POST par 401 invalid_dpop_proof nonce DPoP (htm)
        POST par 401 invalid_dpop_proof nonce DPoP (htu)
        POST par 401 invalid_dpop_proof nonce DPoP (iat)
        POST par 201 - nonce (another claim too)
        ",
    ),
    Case::new(
        "a proof with a claim of the wrong type, or with an empty jti, is refused",
        |lab| {
            let login = Client::loopback().login();
            for (name, value) in [
                ("jti", json!(17)),
                ("jti", json!("")),
                ("htm", json!(["POST"])),
                ("htu", json!(["https://a.test"])),
                ("iat", json!("now")),
                ("nonce", json!(17)),
                ("nonce", json!(["nonce"])),
            ] {
                let label = format!("{name} {value}");
                login.par(lab).claim(name, value).label(label).send(lab);
            }
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (jti 17)
        POST par 401 invalid_dpop_proof nonce DPoP (jti \"\")
        POST par 401 invalid_dpop_proof nonce DPoP (htm [\"POST\"])
        POST par 401 invalid_dpop_proof nonce DPoP (htu [\"https://a.test\"])
        POST par 401 invalid_dpop_proof nonce DPoP (iat \"now\")
        POST par 401 invalid_dpop_proof nonce DPoP (nonce 17)
        POST par 401 invalid_dpop_proof nonce DPoP (nonce [\"nonce\"])
        ",
    ),
    Case::new(
        "the jti of a proof is accepted once per server, even at another endpoint",
        |lab| {
            let login = Client::loopback().login();
            let code = login.code(lab, "alice");
            let draft = login.par(lab);
            draft.clone().send(lab);
            draft.send(lab);
            let jti = random();
            login.par(lab).claim("jti", jti.clone()).send(lab);
            let grant = login.code_grant(lab, &code).claim("jti", jti);
            grant.label("the jti of the request before").send(lab);
            let token = login.code_grant(lab, &code).send(lab).text("access_token");
            let draft = login.get_session(lab, &token);
            draft.clone().send(lab);
            draft.send(lab);
        },
        "
        POST par 201 - nonce
        POST par 401 invalid_dpop_proof nonce DPoP
        POST par 201 - nonce
        POST token 401 invalid_dpop_proof nonce DPoP (the jti of the request before)
        POST token 200 - nonce
        GET getSession 200 - nonce
        GET getSession 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "a proof is used up even if the request is refused for its scope",
        |lab| {
            let login = Client::loopback().login();
            let draft = login.par(lab);
            draft.clone().field("scope", "openid").send(lab);
            draft.send(lab);
        },
        "
        POST par 400 invalid_scope nonce
        POST par 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "the htm of a proof is the method of the request, compared case-sensitively",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            for method in ["GET", "post", " POST"] {
                login.par(lab).claim("htm", method).label(method).send(lab);
            }
            login.get_session(lab, &token).claim("htm", "POST").send(lab);
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (GET)
        POST par 401 invalid_dpop_proof nonce DPoP (post)
        POST par 401 invalid_dpop_proof nonce DPoP ( POST)
        GET getSession 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "the htu of a proof is the URL of the request",
        |lab| {
            let login = Client::loopback().login();
            let right = lab.url(Server::A, "/oauth/par");
            let other = lab.url(Server::B, "/oauth/par");
            for (label, htu) in [
                ("another path", lab.url(Server::A, "/oauth/token")),
                ("a slash at the end", format!("{right}/")),
                ("another server", other),
                ("another scheme", format!("wss:{}", right.split_once(':').unwrap().1)),
                ("another port", "http://localhost:1/oauth/par".to_owned()),
                ("no origin", "/oauth/par".to_owned()),
                ("empty", String::new()),
                ("another case of the path", lab.url(Server::A, "/OAuth/par")),
                ("a name in it", right.replacen("://", "://user@", 1)),
            ] {
                login.par(lab).claim("htu", htu).label(label).send(lab);
            }
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP (another path)
        POST par 401 invalid_dpop_proof nonce DPoP (a slash at the end)
        POST par 401 invalid_dpop_proof nonce DPoP (another server)
        POST par 401 invalid_dpop_proof nonce DPoP (another scheme)
        POST par 401 invalid_dpop_proof nonce DPoP (another port)
        POST par 401 invalid_dpop_proof nonce DPoP (no origin)
        POST par 401 invalid_dpop_proof nonce DPoP (empty)
        POST par 401 invalid_dpop_proof nonce DPoP (another case of the path)
        POST par 401 invalid_dpop_proof nonce DPoP (a name in it)
        ",
    ),
    Case::new(
        "the htu of a proof is normalized as a URL before it is compared",
        |lab| {
            let login = Client::loopback().login();
            let right = lab.url(Server::A, "/oauth/par");
            let upper = lab.url(Server::A, "").to_uppercase() + "/oauth/par";
            login.par(lab).claim("htu", upper).label("origin in upper case").send(lab);
            let dots = right.replacen("/oauth/", "/oauth/../oauth/./", 1);
            login.par(lab).claim("htu", dots).label("dot segments").send(lab);
        },
        "
        POST par 201 - nonce (origin in upper case)
        POST par 201 - nonce (dot segments)
        ",
    ),
    Case::new(
        "a proof whose htu has a query or a fragment",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let right = lab.url(Server::A, "/oauth/par");
            login.par(lab).claim("htu", format!("{right}?a=b")).send(lab);
            login.par(lab).claim("htu", format!("{right}#a")).send(lab);
            let right = lab.url(Server::A, "/xrpc/com.atproto.server.getSession");
            login.get_session(lab, &token).claim("htu", format!("{right}?a=b")).send(lab);
        },
        "
        POST par 201 - nonce
        POST par 201 - nonce
        GET getSession 200 - nonce
        ",
    )
    .stricter(
        "RFC 9449 section 4.2: htu is the target URI without query and fragment parts",
        "
        POST par 401 invalid_dpop_proof nonce DPoP
        POST par 401 invalid_dpop_proof nonce DPoP
        GET getSession 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "the htu of a proof is the URL of the request without its query",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let path = "/xrpc/com.atproto.server.getSession?a=b";
            login.get_session(lab, &token).path(path).send(lab);
        },
        "
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "a proof for the authorization server must not have an ath",
        |lab| {
            let login = Client::loopback().login();
            let tokens = login.tokens(lab, "alice");
            login.par(lab).claim("ath", "anything").send(lab);
            login.par(lab).claim("ath", "").label("empty").send(lab);
            login.refresh_grant(lab, &tokens.refresh).claim("ath", "anything").send(lab);
        },
        "
        POST par 401 invalid_dpop_proof nonce DPoP
        POST par 401 invalid_dpop_proof nonce DPoP (empty)
        POST token 401 invalid_dpop_proof nonce DPoP
        ",
    ),
    Case::new(
        "the ath of a proof for the resource server is the hash of the access token",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            login.get_session(lab, &token).claim("ath", Value::Null).label("none").send(lab);
            let other = hash("another token");
            login.get_session(lab, &token).claim("ath", other).label("another").send(lab);
            let padded = format!("{}=", hash(&token));
            login.get_session(lab, &token).claim("ath", padded).label("padded").send(lab);
            login.get_session(lab, &token).claim("ath", token.clone()).label("itself").send(lab);
        },
        "
        GET getSession 401 invalid_dpop_proof nonce DPoP (none)
        GET getSession 401 invalid_dpop_proof nonce DPoP (another)
        GET getSession 401 invalid_dpop_proof nonce DPoP (padded)
        GET getSession 401 invalid_dpop_proof nonce DPoP (itself)
        ",
    ),
    Case::new(
        "an access token is valid only with proofs of the key that it is bound to",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            login.get_session(lab, &token).key(&Key::new()).send(lab);
            login.get_session(lab, &token).send(lab);
        },
        "
        GET getSession 401 invalid_token nonce DPoP
        GET getSession 200 - nonce
        ",
    ),
];
