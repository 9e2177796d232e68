//! What a method is called with (AT Protocol "HTTP API (XRPC)").

use http::Method;

use crate::parity::Case;
use crate::parity::draft::Draft;
use crate::parity::target::Server;

use super::records::{COLLECTION, create, logged_in, note};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "what is posted to a procedure has its type and its size",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            for content_type in [
                None,
                Some("text/plain"),
                Some("application/json; charset=utf-8"),
                Some("Application/JSON"),
            ] {
                let draft = create(lab, &login, &token, COLLECTION, note()).typed(content_type);
                draft.label(content_type.unwrap_or("no type")).send(lab);
            }
            for size in [150 * 1024, 150 * 1024 + 1, 1_000_000, 1_000_001] {
                let draft = create(lab, &login, &token, COLLECTION, note());
                draft
                    .body("application/json", "x".repeat(size))
                    .label(format!("{size} bytes"))
                    .send(lab);
            }
        },
        "
        POST createRecord 400 InvalidRequest nonce (no type)
        POST createRecord 400 InvalidRequest nonce (text/plain)
        POST createRecord 200 - nonce (application/json; charset=utf-8)
        POST createRecord 400 InvalidRequest nonce (Application/JSON)
        POST createRecord 400 SyntaxError nonce (153600 bytes)
        POST createRecord 400 SyntaxError nonce (153601 bytes)
        POST createRecord 400 SyntaxError nonce (1000000 bytes)
        POST createRecord 413 PayloadTooLargeError nonce (1000001 bytes)
        ",
    ),
    Case::new(
        "a query without what it needs",
        |lab| {
            let alice = lab.account("alice").did;
            for path in [
                format!("repo.getRecord?repo={alice}"),
                format!("repo.getRecord?repo={alice}&collection=com.example.note"),
                "repo.getRecord?collection=com.example.note&rkey=a".to_owned(),
                "repo.listRecords?collection=com.example.note".to_owned(),
                format!("repo.listRecords?repo={alice}"),
                "repo.listRecords?repo=nobody.test&collection=com.example.note".to_owned(),
                "repo.describeRepo".to_owned(),
                "repo.describeRepo?repo=nobody.test".to_owned(),
                "sync.getBlob".to_owned(),
                format!("sync.getBlob?did={alice}"),
                "identity.resolveHandle".to_owned(),
                "identity.resolveHandle?handle=nobody.test".to_owned(),
            ] {
                let query = path.split_once('?').map_or("", |(_, query)| query);
                let label = query.replace(&alice, "alice");
                let path = format!("/xrpc/com.atproto.{path}");
                Draft::new(Server::A, Method::GET, &path).label(label).send(lab);
            }
        },
        "
        GET getRecord 400 InvalidRequest (repo=alice)
        GET getRecord 400 InvalidRequest (repo=alice&collection=com.example.note)
        GET getRecord 400 InvalidRequest (collection=com.example.note&rkey=a)
        GET listRecords 400 InvalidRequest (collection=com.example.note)
        GET listRecords 400 InvalidRequest (repo=alice)
        GET listRecords 400 InvalidRequest (repo=nobody.test&collection=com.example.note)
        GET describeRepo 400 InvalidRequest
        GET describeRepo 400 RepoNotFound (repo=nobody.test)
        GET getBlob 400 InvalidRequest
        GET getBlob 400 InvalidRequest (did=alice)
        GET resolveHandle 400 InvalidRequest
        GET resolveHandle 400 HandleNotFound (handle=nobody.test)
        ",
    ),
    Case::new(
        "a method that is called with the other verb, or has no name",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            for (method, nsid) in [
                (Method::POST, "com.atproto.repo.getRecord"),
                (Method::POST, "com.atproto.server.describeServer"),
                (Method::DELETE, "com.atproto.server.getSession"),
                (Method::GET, ""),
            ] {
                let draft = login.xrpc(lab, Server::A, method.clone(), nsid, &token);
                draft.body("application/json", "{}").send(lab);
                let draft = Draft::new(Server::A, method, &format!("/xrpc/{nsid}"));
                draft.body("application/json", "{}").label("nobody").send(lab);
            }
            login
                .xrpc(lab, Server::A, Method::GET, "com.atproto.server.getSession/", &token)
                .send(lab);
        },
        "
        POST getRecord 400 InvalidRequest
        POST getRecord 400 InvalidRequest (nobody)
        POST describeServer 400 InvalidRequest
        POST describeServer 400 InvalidRequest (nobody)
        DELETE getSession 400 InvalidRequest
        DELETE getSession 400 InvalidRequest (nobody)
        GET xrpc 400 InvalidRequest
        GET xrpc 400 InvalidRequest (nobody)
        GET getSession 200 - nonce
        ",
    ),
    Case::new(
        "the caller is looked at before the input",
        |lab| {
            let (login, token) = logged_in(lab, "atproto");
            for (content_type, body) in [
                ("application/json", "{"),
                ("application/json", "[]"),
                ("application/json", "\"x\""),
                ("application/json", ""),
                ("text/plain", "{}"),
                ("application/json", "{}"),
                ("application/json", "{\"repo\": 1}"),
            ] {
                let draft = create(lab, &login, &token, COLLECTION, note());
                draft.body(content_type, body).label(format!("{body} {content_type}")).send(lab);
                let draft = create(lab, &login, &token, COLLECTION, note());
                draft
                    .body(content_type, body)
                    .no_authorization()
                    .label(format!("{body} {content_type}, nobody"))
                    .send(lab);
            }
        },
        "
        POST createRecord 400 SyntaxError nonce ({ application/json)
        POST createRecord 401 AuthMissing ({ application/json, nobody)
        POST createRecord 400 InvalidRequest nonce ([] application/json)
        POST createRecord 401 AuthMissing ([] application/json, nobody)
        POST createRecord 400 SyntaxError nonce (\"x\" application/json)
        POST createRecord 401 AuthMissing (\"x\" application/json, nobody)
        POST createRecord 400 InvalidRequest nonce ( application/json)
        POST createRecord 401 AuthMissing ( application/json, nobody)
        POST createRecord 400 InvalidRequest nonce ({} text/plain)
        POST createRecord 401 AuthMissing ({} text/plain, nobody)
        POST createRecord 400 InvalidRequest nonce ({} application/json)
        POST createRecord 401 AuthMissing ({} application/json, nobody)
        POST createRecord 400 InvalidRequest nonce ({\"repo\": 1} application/json)
        POST createRecord 401 AuthMissing ({\"repo\": 1} application/json, nobody)
        ",
    ),
];
