//! Writes to a repository, and the scopes that allow them (AT Protocol "OAuth Scopes",
//! "Repository").

use http::Method;
use serde_json::{Value, json};

use crate::Case;
use crate::draft::Draft;
use crate::flow::{Client, Login};
use crate::jwt::random;
use crate::lab::Lab;
use crate::seen::Answer;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a new record has a URI in the repository of the account, and the CID of its content",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let answer = create(lab, &login, &token, COLLECTION, note()).send(lab);
            show_record(lab, &answer);
            let draft =
                create(lab, &login, &token, COLLECTION, json!({"text": "…", "n": [1, -1, null]}));
            let answer = draft.label("no $type").send(lab);
            show_record(lab, &answer);
        },
        "
        POST createRecord 200 - nonce
        + at://alice/com.example.note and a key of 13 characters, bafyreidmqd4jwmgxkqwj62c4kfzquoxpfzzavlp7xu3p4kmk2fp3pxdgfi
        + cid commit uri validationStatus
        POST createRecord 200 - nonce (no $type)
        + at://alice/com.example.note and a key of 13 characters, bafyreic4bhnqsk2ioypwkxa2pw5bnu2rac4womqefys26lz5h3h7chsw3u
        + cid commit uri validationStatus
        ",
    ),
    Case::new(
        "a record can be read without authorization",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let uri = create(lab, &login, &token, COLLECTION, note()).send(lab).text("uri");
            let did = lab.account("alice").did;
            let key = uri.rsplit('/').next().unwrap();
            let query = format!("repo={did}&collection={COLLECTION}&rkey={key}");
            let path = format!("/xrpc/com.atproto.repo.getRecord?{query}");
            let answer = Draft::new(Server::A, Method::GET, &path).send(lab);
            lab.members(&answer);
            lab.note(format!("+ the same: {}", answer.json["value"] == note()));
            let path = path.replace(key, "none");
            Draft::new(Server::A, Method::GET, &path).label("another key").send(lab);
        },
        "
        POST createRecord 200 - nonce
        GET getRecord 200 -
        + cid uri value
        + the same: true
        GET getRecord 400 RecordNotFound (another key)
        ",
    ),
    Case::new(
        "records are listed in pages, in descending order of their keys",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let did = lab.account("alice").did;
            let collection = format!("com.example.list{}", random().to_ascii_lowercase().replace(['-', '_'], ""));
            for key in ["b", "a", "c"] {
                let input = json!({
                    "repo": did, "collection": collection, "rkey": key, "validate": false,
                    "record": {"$type": collection},
                });
                let nsid = "com.atproto.repo.createRecord";
                let draft = login.xrpc(lab, Server::A, Method::POST, nsid, &token);
                draft.body("application/json", input.to_string()).send(lab);
            }
            for rest in ["", "&limit=2", "&limit=2&cursor=b", "&limit=2&cursor=a", "&limit=0", "&limit=101", "&limit=x", "&cursor=bb"] {
                let query = format!("repo={did}&collection={collection}{rest}");
                let path = format!("/xrpc/com.atproto.repo.listRecords?{query}");
                let answer = Draft::new(Server::A, Method::GET, &path).label(rest).send(lab);
                let uris = answer.json["records"].as_array().into_iter().flatten();
                let keys = uris.map(|record| record["uri"].as_str().unwrap().rsplit('/').next().unwrap());
                let keys: Vec<&str> = keys.collect();
                if answer.status == 200 {
                    let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(" ") };
                    lab.note(format!("+ {keys}, cursor {}", answer.json["cursor"]));
                }
            }
        },
        "
        POST createRecord 200 - nonce
        POST createRecord 200 - nonce
        POST createRecord 200 - nonce
        GET listRecords 200 -
        + c b a, cursor \"a\"
        GET listRecords 200 - (&limit=2)
        + c b, cursor \"b\"
        GET listRecords 200 - (&limit=2&cursor=b)
        + a, cursor \"a\"
        GET listRecords 200 - (&limit=2&cursor=a)
        + nothing, cursor null
        GET listRecords 400 InvalidRequest (&limit=0)
        GET listRecords 400 InvalidRequest (&limit=101)
        GET listRecords 400 InvalidRequest (&limit=x)
        GET listRecords 200 - (&cursor=bb)
        + b a, cursor \"a\"
        ",
    ),
    Case::new(
        "the scope atproto alone allows neither writes nor reading the email address",
        |lab| {
            let (login, token) = logged_in(lab, "atproto");
            create(lab, &login, &token, COLLECTION, note()).send(lab);
            upload(lab, &login, &token).send(lab);
            show_email(lab, &login, &token);
        },
        "
        POST createRecord 403 ScopeMissingError nonce
        POST uploadBlob 403 ScopeMissingError nonce
        GET getSession 200 - nonce
        + email: false
        ",
    ),
    Case::new(
        "a repo scope for one collection allows writes to that collection only",
        |lab| {
            let scope = "atproto repo:com.example.note";
            let (login, token) = logged_in(lab, scope);
            create(lab, &login, &token, COLLECTION, note()).send(lab);
            let other = json!({"$type": "com.example.other"});
            create(lab, &login, &token, "com.example.other", other).label("elsewhere").send(lab);
            upload(lab, &login, &token).send(lab);
        },
        "
        POST createRecord 200 - nonce
        POST createRecord 403 ScopeMissingError nonce (elsewhere)
        POST uploadBlob 403 ScopeMissingError nonce
        ",
    ),
    Case::new(
        "a repo scope for one action does not allow another action",
        |lab| {
            let (login, token) = logged_in(lab, "atproto repo:com.example.note?action=delete");
            create(lab, &login, &token, COLLECTION, note()).send(lab);
            let input = json!({
                "repo": lab.account("alice").did,
                "collection": COLLECTION,
                "rkey": "none",
            });
            post(lab, &login, &token, "com.atproto.repo.deleteRecord", &input).send(lab);
        },
        "
        POST createRecord 403 ScopeMissingError nonce
        POST deleteRecord 200 - nonce
        ",
    ),
    Case::new(
        "the scope transition:email allows reading the email address",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:email");
            show_email(lab, &login, &token);
        },
        "
        GET getSession 200 - nonce
        + email: true
        ",
    ),
    Case::new(
        "a write to the repository of another account is refused",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let carol = lab.account("carol").did;
            let input = json!({"repo": carol, "collection": COLLECTION, "record": note()});
            post(lab, &login, &token, "com.atproto.repo.createRecord", &input).send(lab);
        },
        "
        POST createRecord 401 AuthenticationRequired nonce
        ",
    ),
    Case::new(
        "a write may name the repository by the handle of the account",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let handle = lab.account("alice").handle;
            let input = json!({"repo": handle, "collection": COLLECTION, "record": note()});
            post(lab, &login, &token, "com.atproto.repo.createRecord", &input).send(lab);
        },
        "
        POST createRecord 200 - nonce
        ",
    ),
    Case::new(
        "a write of an invalid record, or to an invalid collection, is refused",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let other = json!({"$type": "com.example.other"});
            create(lab, &login, &token, COLLECTION, other).label("another type").send(lab);
            create(lab, &login, &token, "note", note()).label("no NSID").send(lab);
            create(lab, &login, &token, COLLECTION, json!("text")).label("no object").send(lab);
            let input = json!({"repo": lab.account("alice").did});
            let draft = post(lab, &login, &token, "com.atproto.repo.createRecord", &input);
            draft.label("nothing").send(lab);
        },
        "
        POST createRecord 400 InvalidRequest nonce (another type)
        POST createRecord 400 InvalidRequest nonce (no NSID)
        POST createRecord 400 InvalidRequest nonce (no object)
        POST createRecord 400 InvalidRequest nonce (nothing)
        ",
    ),
    Case::new(
        "the client may choose a valid record key, and replace and delete the record",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let key = random();
            let mut input = json!({
                "repo": lab.account("alice").did,
                "collection": COLLECTION,
                "rkey": key,
                "record": note(),
            });
            let method = "com.atproto.repo.createRecord";
            let uri = post(lab, &login, &token, method, &input).send(lab).text("uri");
            lab.note(format!("+ that key: {}", uri.ends_with(&key)));
            input["rkey"] = "a key".into();
            post(lab, &login, &token, method, &input).label("no key").send(lab);
            input["rkey"] = key.into();
            let method = "com.atproto.repo.putRecord";
            post(lab, &login, &token, method, &input).send(lab);
            let method = "com.atproto.repo.deleteRecord";
            post(lab, &login, &token, method, &input).send(lab);
            post(lab, &login, &token, method, &input).label("again").send(lab);
        },
        "
        POST createRecord 200 - nonce
        + that key: true
        POST createRecord 400 InvalidRequest nonce (no key)
        POST putRecord 200 - nonce
        POST deleteRecord 200 - nonce
        POST deleteRecord 200 - nonce (again)
        ",
    ),
    Case::new(
        "a blob has the CID of its bytes",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            let answer = upload(lab, &login, &token).send(lab);
            lab.note(format!("+ {}", answer.json["blob"]));
            let draft = upload(lab, &login, &token).body("image/png", "not an image at all");
            let answer = draft.send(lab);
            lab.note(format!("+ {}", answer.json["blob"]));
        },
        "
        POST uploadBlob 200 - nonce
        + {\"$type\":\"blob\",\"mimeType\":\"text/plain\",\"ref\":{\"$link\":\"bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq\"},\"size\":5}
        POST uploadBlob 200 - nonce
        + {\"$type\":\"blob\",\"mimeType\":\"image/png\",\"ref\":{\"$link\":\"bafkreicbixzzk4k6o4ptanv2cmoa6b4trpjxa2xxycvp5mkaszj2ltxmai\"},\"size\":19}
        ",
    ),
    Case::new(
        "a blob needs a content type, and is served for the account that uploaded it",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            upload(lab, &login, &token).typed(None).label("no type").send(lab);
            upload(lab, &login, &token).typed(Some("")).label("an empty type").send(lab);
            let draft = upload(lab, &login, &token).typed(Some("text/plain; charset=utf-8"));
            let answer = draft.label("a type with a parameter").send(lab);
            lab.note(format!("+ {}", answer.json["blob"]["mimeType"]));
            let cid = answer.json["blob"]["ref"]["$link"].as_str().unwrap().to_owned();
            let note = json!({"$type": COLLECTION, "text": "hello", "blob": answer.json["blob"]});
            create(lab, &login, &token, COLLECTION, note).send(lab);
            let (alice, bob) = (lab.account("alice").did, lab.account("bob").did);
            let other = "bafkreiddqkz4zcauck3xx7fo5ubgaaoabwpdajpgnqqpnz7jf4dzqukgfi";
            for (did, cid, label) in [
                (&alice, &*cid, "hers"),
                (&bob, &*cid, "of another account"),
                (&alice, other, "another one"),
                (&alice, "x", "no CID"),
            ] {
                let path = format!("/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}");
                Draft::new(Server::A, Method::GET, &path).label(label).show("content-type").send(lab);
            }
        },
        "
        POST uploadBlob 400 InvalidRequest nonce (no type)
        POST uploadBlob 400 InvalidRequest nonce (an empty type)
        POST uploadBlob 200 - nonce (a type with a parameter)
        + \"text/plain\"
        POST createRecord 200 - nonce
        GET getBlob 200 - content-type=text/plain (hers)
        GET getBlob 400 RepoNotFound content-type=application/json (of another account)
        GET getBlob 400 InvalidRequest content-type=application/json (another one)
        GET getBlob 400 InvalidRequest content-type=application/json (no CID)
        ",
    ),
    Case::new(
        "a write without authorization, or with an invalid proof, is refused",
        |lab| {
            let (login, token) = logged_in(lab, "atproto transition:generic");
            create(lab, &login, &token, COLLECTION, note()).no_authorization().send(lab);
            let draft = create(lab, &login, &token, COLLECTION, note());
            draft.claim("nonce", "made-up").send(lab);
            let draft = create(lab, &login, &token, COLLECTION, note());
            draft.claim("htm", "GET").label("htm").send(lab);
        },
        "
        POST createRecord 401 AuthMissing
        POST createRecord 401 use_dpop_nonce nonce DPoP
        POST createRecord 401 invalid_dpop_proof nonce DPoP (htm)
        ",
    ),
];

pub(super) fn logged_in(lab: &mut Lab<'_>, scope: &str) -> (Login, String) {
    let login = Client::loopback_with("http://127.0.0.1/callback", scope).login();
    let token = login.tokens(lab, "alice").access;
    (login, token)
}

pub(super) fn note() -> Value {
    json!({"$type": COLLECTION, "text": "hello", "createdAt": "2026-01-01T00:00:00Z"})
}

pub(super) fn create(
    lab: &mut Lab<'_>,
    login: &Login,
    token: &str,
    collection: &str,
    record: Value,
) -> Draft {
    let did = lab.account("alice").did;
    let input = json!({"repo": did, "collection": collection, "record": record});
    post(lab, login, token, "com.atproto.repo.createRecord", &input)
}

fn upload(lab: &mut Lab<'_>, login: &Login, token: &str) -> Draft {
    let nsid = "com.atproto.repo.uploadBlob";
    login.xrpc(lab, Server::A, Method::POST, nsid, token).body("text/plain", "hello")
}

fn post(lab: &mut Lab<'_>, login: &Login, token: &str, nsid: &str, input: &Value) -> Draft {
    let draft = login.xrpc(lab, Server::A, Method::POST, nsid, token);
    draft.body("application/json", input.to_string())
}

fn show_email(lab: &mut Lab<'_>, login: &Login, token: &str) {
    let answer = login.get_session(lab, token).send(lab);
    lab.note(format!("+ email: {}", answer.json["email"].is_string()));
}

fn show_record(lab: &mut Lab<'_>, answer: &Answer) {
    let did = lab.account("alice").did;
    let (uri, cid) = (answer.text("uri"), answer.text("cid"));
    let (place, key) = uri.rsplit_once('/').unwrap();
    let place = place.replace(&did, "alice");
    lab.note(format!("+ {place} and a key of {} characters, {cid}", key.len()));
    lab.members(answer);
}

pub(super) const COLLECTION: &str = "com.example.note";
