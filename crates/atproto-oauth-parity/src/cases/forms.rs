//! Methods, content types and repeated parameters of requests to the authorization server.

use http::Method;

use crate::Case;
use crate::draft::Draft;
use crate::flow::Client;
use crate::jwt::random;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a pushed request with a repeated parameter",
        |lab| {
            let login = Client::loopback().login();
            let draft = login.par(lab);
            draft.one_more_field("state", &random()).label("state").send(lab);
            let draft = login.par(lab);
            draft.one_more_field("scope", "atproto").label("scope").send(lab);
        },
        "
        POST par 201 - nonce (state)
        POST par 201 - nonce (scope)
        ",
    )
    .stricter(
        "RFC 6749 section 3.1: parameters must not be included more than once",
        "
        POST par 400 invalid_request nonce (state)
        POST par 400 invalid_request nonce (scope)
        ",
    ),
    Case::new(
        "a pushed request has the content type application/x-www-form-urlencoded",
        |lab| {
            let draft = Client::loopback().login().par(lab);
            draft.content_type(Some("text/plain")).label("text/plain").send(lab);
            let draft = Client::loopback().login().par(lab);
            draft
                .content_type(Some("multipart/form-data; boundary=x"))
                .label("multipart")
                .send(lab);
            let draft = Client::loopback().login().par(lab);
            draft.content_type(None).label("none").send(lab);
            let draft = Client::loopback().login().par(lab);
            let form = "application/x-www-form-urlencoded; charset=utf-8";
            draft.content_type(Some(form)).label("with a parameter").send(lab);
        },
        "
        POST par 415 invalid_request nonce (text/plain)
        POST par 415 invalid_request nonce (multipart)
        POST par 415 invalid_request nonce (none)
        POST par 201 - nonce (with a parameter)
        ",
    ),
    Case::new(
        "a pushed request in JSON",
        |lab| {
            Client::loopback().login().par(lab).json_fields().send(lab);
        },
        "
        POST par 201 - nonce
        ",
    )
    .stricter(
        "RFC 9126 section 2.1: the parameters are sent as application/x-www-form-urlencoded",
        "POST par 415 invalid_request nonce",
    ),
    Case::new(
        "the OAuth endpoints accept POST only",
        |lab| {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                for path in ["/oauth/par", "/oauth/token", "/oauth/revoke"] {
                    Draft::new(Server::A, method.clone(), path).show("allow").send(lab);
                }
            }
        },
        "
        GET par 405 - allow=-
        GET token 404 - allow=-
        GET revoke 404 - allow=-
        PUT par 405 - allow=-
        PUT token 404 - allow=-
        PUT revoke 404 - allow=-
        DELETE par 405 - allow=-
        DELETE token 404 - allow=-
        DELETE revoke 404 - allow=-
        ",
    ),
    Case::new(
        "the charset of a form may only be utf-8, and its content encoding only identity",
        |lab| {
            let login = Client::loopback().login();
            for content_type in ["; charset=utf-8; x=y", "; x=y", "; charset=latin1"] {
                let content_type = format!("application/x-www-form-urlencoded{content_type}");
                let draft = login.par(lab).content_type(Some(&content_type));
                draft.label(content_type).send(lab);
            }
            for coding in ["foo", "identity"] {
                let draft = login.par(lab).header("content-encoding", coding);
                draft.label(coding).send(lab);
            }
        },
        "
        POST par 201 - nonce (application/x-www-form-urlencoded; charset=utf-8; x=y)
        POST par 201 - nonce (application/x-www-form-urlencoded; x=y)
        POST par 415 invalid_request nonce (application/x-www-form-urlencoded; charset=latin1)
        POST par 415 invalid_request nonce (foo)
        POST par 201 - nonce (identity)
        ",
    ),
];
