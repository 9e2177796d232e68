//! Input and parameters of XRPC methods (AT Protocol "HTTP API (XRPC)").

use http::Method;
use serde_json::{Value, json};

use crate::Case;
use crate::draft::Draft;
use crate::lab::Lab;
use crate::target::Server;

use super::records::{COLLECTION, create, logged_in, note};

pub(super) const CASES: &[Case] = &[
    Case::new(
        "the input of createRecord is application/json of at most 1000000 bytes",
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
        "a query without a required parameter, or for an unknown account, is refused",
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
        "a wrong HTTP verb or a missing method name is refused, and a slash at the end is ignored",
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
        "the authorization of a request is checked before its input",
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
    Case::new(
        "invalid inputs and repeated parameters of repository methods are refused",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let did = lab.account("alice").did;
            let input = json!({"repo": did, "collection": COLLECTION, "rkey": "once", "validate": false, "record": note()});
            let put = |lab: &mut Lab<'_>, nsid: &str, input: &Value| {
                let nsid = format!("com.atproto.repo.{nsid}");
                let draft = login.xrpc(lab, Server::A, Method::POST, &nsid, &token);
                draft.body("application/json", input.to_string())
            };
            put(lab, "putRecord", &input).send(lab);
            for (name, value) in [
                ("rkey", json!("once")),
                ("rkey", json!(1)),
                ("rkey", json!(null)),
                ("validate", json!(1)),
                ("validate", json!(true)),
                (
                    "swapCommit",
                    json!("bafyreidmqd4jwmgxkqwj62c4kfzquoxpfzzavlp7xu3p4kmk2fp3pxdgfi"),
                ),
                ("record", json!({"n": 1u64 << 53})),
                ("record", json!({"n": -(1i64 << 53)})),
                (
                    "record",
                    json!({"image": {"$type": "blob", "ref": {"$link": UNKNOWN_BLOB}, "mimeType": "image/png", "size": 6}}),
                ),
            ] {
                let mut input = input.clone();
                input["rkey"] = json!("another");
                input[name] = value.clone();
                put(lab, "createRecord", &input)
                    .label(format!(
                        "{name} {}",
                        value.to_string().chars().take(24).collect::<String>()
                    ))
                    .send(lab);
            }
            let query = format!("repo={did}&collection={COLLECTION}");
            for (nsid, rest) in [
                ("getRecord", "&rkey=once"),
                ("getRecord", "&rkey=once&cid=x"),
                (
                    "getRecord",
                    "&rkey=once&cid=bafyreic4bhnqsk2ioypwkxa2pw5bnu2rac4womqefys26lz5h3h7chsw3u",
                ),
                ("listRecords", "&limit=2&limit=3"),
                ("listRecords", "&limit=%2B5"),
                ("listRecords", "&reverse=x"),
                ("listRecords", "&reverse=true&limit=1"),
                ("listRecords", "&collection=x"),
            ] {
                let path = format!("/xrpc/com.atproto.repo.{nsid}?{query}{rest}");
                Draft::new(Server::A, Method::GET, &path).label(rest).send(lab);
            }
            put(lab, "deleteRecord", &input).send(lab);
        },
        "
        POST putRecord 200 - nonce
        POST createRecord 500 InternalServerError nonce (rkey \"once\")
        POST createRecord 400 InvalidRequest nonce (rkey 1)
        POST createRecord 400 InvalidRequest nonce (rkey null)
        POST createRecord 400 InvalidRequest nonce (validate 1)
        POST createRecord 400 InvalidRequest nonce (validate true)
        POST createRecord 400 InvalidSwap nonce (swapCommit \"bafyreidmqd4jwmgxkqwj62)
        POST createRecord 500 InternalServerError nonce (record {\"n\":9007199254740992})
        POST createRecord 500 InternalServerError nonce (record {\"n\":-9007199254740992})
        POST createRecord 400 BlobNotFound nonce (record {\"image\":{\"$type\":\"blob\")
        GET getRecord 200 - (&rkey=once)
        GET getRecord 400 InvalidRequest (&rkey=once&cid=x)
        GET getRecord 400 RecordNotFound (&rkey=once&cid=bafyreic4bhnqsk2ioypwkxa2pw5bnu2rac4womqefys26lz5h3h7chsw3u)
        GET listRecords 400 InvalidRequest (&limit=2&limit=3)
        GET listRecords 400 InvalidRequest (&limit=%2B5)
        GET listRecords 400 InvalidRequest (&reverse=x)
        GET listRecords 200 - (&reverse=true&limit=1)
        GET listRecords 400 InvalidRequest (&collection=x)
        POST deleteRecord 200 - nonce
        ",
    ),
    Case::new(
        "a method accepts its own HTTP verb only, and a query accepts HEAD, too",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            for (method, nsid) in [
                (Method::PUT, "com.atproto.repo.createRecord"),
                (Method::DELETE, "com.atproto.repo.createRecord"),
                (Method::HEAD, "com.atproto.server.getSession"),
            ] {
                let draft = login.xrpc(lab, Server::A, method.clone(), nsid, &token);
                draft.label(method.as_str()).send(lab);
            }
        },
        "
        PUT createRecord 400 InvalidRequest (PUT)
        DELETE createRecord 400 InvalidRequest (DELETE)
        HEAD getSession 200 - nonce (HEAD)
        ",
    ),
    Case::new(
        "a call of another service without a scope, or with a malformed service, is refused",
        |lab| {
            let (login, token) =
                logged_in(lab, "atproto rpc:com.example.thing?aud=did:web:x.dev%23y");
            let nsid = "com.example.thing";
            login.xrpc(lab, Server::A, Method::GET, nsid, &token).label("none").send(lab);
            for service in ["nonsense", "did:web:x.dev"] {
                let draft = login.xrpc(lab, Server::A, Method::GET, nsid, &token);
                draft.header("atproto-proxy", service).label(service).send(lab);
            }
        },
        "
        GET thing 403 ScopeMissingError nonce (none)
        GET thing 400 InvalidRequest (nonsense)
        GET thing 400 InvalidRequest (did:web:x.dev)
        ",
    ),
];

/// CID of a blob that was never uploaded.
const UNKNOWN_BLOB: &str = "bafkreibkbmsxjrcxqicuznkkysnaxyzgsp7qfhiiwdbhuyymk4nc2lkwcq";
