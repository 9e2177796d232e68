//! Syntax and effect of scopes, and of the names in them (AT Protocol "Permissions").

use http::Method;
use serde_json::json;

use crate::Case;
use crate::flow::{CALLBACK, Client};
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a scope with invalid syntax is not granted",
        |lab| {
            let scopes = [
                "atproto",
                "repo:com.example.note",
                "repo:com.example.note?action=create",
                "repo?collection=com.example.a&collection=com.example.b",
                "repo:notansid",
                "repo:com.example.note&x",
                "rpc:com.example.read?aud=did:web:api.client.dev%23a%23b",
                "repo:com.example.note?action=bogus",
                "repo:com.example.note?x=1",
                "repo:com.example.note?collection=com.example.b",
                "blob:image/*",
                "blob:image",
                "blob:*/png",
                "rpc:com.example.read?aud=*",
                "rpc:com.example.read?aud=did:web:api.client.dev%23api",
                "rpc:com.example.read",
                "rpc:*?aud=*",
                "rpc:com.example.read?aud=did:web:api.client.dev",
                "account:email",
                "account:email?action=manage",
                "account:foo",
                "account?attr=email&attr=repo",
                "identity:handle",
                "identity:foo",
                "openid2",
            ];
            let login = Client::loopback_with(CALLBACK, &scopes.join(" ")).login();
            let code = login.code(lab, "alice");
            let answer = login.code_grant(lab, &code).send(lab);
            for scope in scopes {
                let is_granted = answer.text("scope").split(' ').any(|granted| granted == scope);
                lab.note(format!("+ {scope}: {}", if is_granted { "granted" } else { "-" }));
            }
        },
        "
        POST token 200 - nonce
        + atproto: granted
        + repo:com.example.note: granted
        + repo:com.example.note?action=create: granted
        + repo?collection=com.example.a&collection=com.example.b: granted
        + repo:notansid: -
        + repo:com.example.note&x: -
        + rpc:com.example.read?aud=did:web:api.client.dev%23a%23b: -
        + repo:com.example.note?action=bogus: -
        + repo:com.example.note?x=1: -
        + repo:com.example.note?collection=com.example.b: -
        + blob:image/*: granted
        + blob:image: -
        + blob:*/png: -
        + rpc:com.example.read?aud=*: granted
        + rpc:com.example.read?aud=did:web:api.client.dev%23api: granted
        + rpc:com.example.read: -
        + rpc:*?aud=*: -
        + rpc:com.example.read?aud=did:web:api.client.dev: -
        + account:email: granted
        + account:email?action=manage: granted
        + account:foo: -
        + account?attr=email&attr=repo: -
        + identity:handle: granted
        + identity:foo: -
        + openid2: -
        ",
    ),
    Case::new(
        "an include scope whose permission set is not published is refused",
        |lab| {
            let scope = "atproto include:dev.client.app.none";
            Client::loopback_with(CALLBACK, scope).login().par(lab).send(lab);
        },
        "
        POST par 400 invalid_scope nonce
        ",
    ),
    Case::new(
        "a record with a malformed collection or record key is refused",
        |lab| {
            let login = Client::loopback().login();
            let token = login.tokens(lab, "alice").access;
            let did = lab.account("alice").did;
            for (collection, key) in [
                ("com.example.note", "a.b"),
                ("note", "a"),
                ("com.example.note-2", "a"),
                ("com.example.note", "a/b"),
                ("com.example.note", ".."),
            ] {
                let nsid = "com.atproto.repo.createRecord";
                let input = json!({
                    "repo": did, "collection": collection, "rkey": key, "validate": false,
                    "record": {"$type": collection},
                });
                let draft = login.xrpc(lab, Server::A, Method::POST, nsid, &token);
                let draft = draft.body("application/json", input.to_string());
                draft.label(format!("{collection} {key}")).send(lab);
                let nsid = "com.atproto.repo.deleteRecord";
                let input = json!({"repo": did, "collection": collection, "rkey": key});
                if collection == "com.example.note" && key == "a.b" {
                    let draft = login.xrpc(lab, Server::A, Method::POST, nsid, &token);
                    draft.body("application/json", input.to_string()).send(lab);
                }
            }
        },
        "
        POST createRecord 200 - nonce (com.example.note a.b)
        POST deleteRecord 200 - nonce
        POST createRecord 400 InvalidRequest nonce (note a)
        POST createRecord 400 InvalidRequest nonce (com.example.note-2 a)
        POST createRecord 400 InvalidRequest nonce (com.example.note a/b)
        POST createRecord 400 InvalidRequest nonce (com.example.note ..)
        ",
    ),
    Case::new(
        "a method of another service needs an rpc scope",
        |lab| {
            let login = Client::loopback_with(CALLBACK, "atproto").login();
            let token = login.tokens(lab, "alice").access;
            let nsid = "app.bsky.feed.getTimeline";
            login.xrpc(lab, Server::A, Method::GET, nsid, &token).send(lab);
        },
        "
        GET getTimeline 403 ScopeMissingError nonce
        ",
    ),
];
