//! Documents that a client fetches before a login: server metadata, DID documents and handles.

use http::Method;
use serde_json::Value;

use crate::Case;
use crate::draft::Draft;
use crate::lab::Lab;
use crate::target::Server;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "an authorization server publishes its metadata",
        |lab| {
            let draft = get(Server::A, "/.well-known/oauth-authorization-server");
            let answer = draft.show("content-type").send(lab);
            for name in [
                "issuer",
                "authorization_endpoint",
                "token_endpoint",
                "revocation_endpoint",
                "pushed_authorization_request_endpoint",
                "require_pushed_authorization_requests",
                "authorization_response_iss_parameter_supported",
                "client_id_metadata_document_supported",
                "response_types_supported",
                "response_modes_supported",
                "grant_types_supported",
                "code_challenge_methods_supported",
                "token_endpoint_auth_methods_supported",
            ] {
                show(lab, name, &answer.json[name]);
            }
            contains(lab, &answer.json, "scopes_supported", "atproto");
            contains(lab, &answer.json, "dpop_signing_alg_values_supported", "ES256");
            let algs = "token_endpoint_auth_signing_alg_values_supported";
            contains(lab, &answer.json, algs, "ES256");
        },
        "
        GET oauth-authorization-server 200 - content-type=application/json
        + issuer: \"a\"
        + authorization_endpoint: \"a/oauth/authorize\"
        + token_endpoint: \"a/oauth/token\"
        + revocation_endpoint: \"a/oauth/revoke\"
        + pushed_authorization_request_endpoint: \"a/oauth/par\"
        + require_pushed_authorization_requests: true
        + authorization_response_iss_parameter_supported: true
        + client_id_metadata_document_supported: true
        + response_types_supported: [\"code\"]
        + response_modes_supported: [\"query\",\"fragment\",\"form_post\"]
        + grant_types_supported: [\"authorization_code\",\"refresh_token\"]
        + code_challenge_methods_supported: [\"S256\"]
        + token_endpoint_auth_methods_supported: [\"none\",\"private_key_jwt\"]
        + scopes_supported has atproto: true
        + dpop_signing_alg_values_supported has ES256: true
        + token_endpoint_auth_signing_alg_values_supported has ES256: true
        ",
    ),
    Case::new(
        "a resource server publishes its metadata",
        |lab| {
            let draft = get(Server::A, "/.well-known/oauth-protected-resource");
            let answer = draft.show("content-type").send(lab);
            for name in ["resource", "authorization_servers", "bearer_methods_supported"] {
                show(lab, name, &answer.json[name]);
            }
        },
        "
        GET oauth-protected-resource 200 - content-type=application/json
        + resource: \"a\"
        + authorization_servers: [\"a\"]
        + bearer_methods_supported: [\"header\"]
        ",
    ),
    Case::new(
        "server metadata is served at the exact path only, and for GET only",
        |lab| {
            get(Server::A, "/.well-known/openid-configuration").send(lab);
            get(Server::A, "/.well-known/oauth-authorization-server/").label("a slash").send(lab);
            let post = |path: &str| Draft::new(Server::A, Method::POST, path);
            post("/.well-known/oauth-authorization-server").send(lab);
        },
        "
        GET openid-configuration 404 -
        GET oauth-authorization-server 404 - (a slash)
        POST oauth-authorization-server 404 -
        ",
    ),
    Case::new(
        "the PLC directory serves the DID document of an account",
        |lab| {
            let alice = lab.account("alice");
            let draft = get(Server::Plc, &format!("/{}", alice.did));
            let answer = draft.show("content-type").send(lab);
            let document = &answer.json;
            lab.note(format!("+ itself: {}", document["id"] == alice.did));
            let handle = document["alsoKnownAs"][0] == format!("at://{}", alice.handle);
            lab.note(format!("+ its handle: {handle}"));
            let service = &document["service"][0];
            show(lab, "id", &service["id"]);
            show(lab, "type", &service["type"]);
            show(lab, "serviceEndpoint", &service["serviceEndpoint"]);
            let method = &document["verificationMethod"][0];
            let id = method["id"].as_str().unwrap().replace(&alice.did, "");
            lab.note(format!("+ a key: {id}"));
        },
        "
        GET did@plc 200 - content-type=application/did+ld+json
        + itself: true
        + its handle: true
        + id: \"#atproto_pds\"
        + type: \"AtprotoPersonalDataServer\"
        + serviceEndpoint: \"a\"
        + a key: #atproto
        ",
    ),
    Case::new(
        "the PLC directory answers 404 for an unknown DID",
        |lab| {
            get(Server::Plc, "/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa").send(lab);
        },
        "
        GET did@plc 404 -
        ",
    ),
    Case::new(
        "a server resolves the handles of its accounts",
        |lab| {
            let alice = lab.account("alice");
            let path = "/xrpc/com.atproto.identity.resolveHandle";
            let answer = get(Server::A, &format!("{path}?handle={}", alice.handle)).send(lab);
            lab.note(format!("+ alice: {}", answer.text("did") == alice.did));
            get(Server::A, path).label("no handle").send(lab);
            let nobody = alice.handle.replacen("alice", "nobody", 1);
            get(Server::A, &format!("{path}?handle={nobody}")).label("nobody's").send(lab);
        },
        "
        GET resolveHandle 200 -
        + alice: true
        GET resolveHandle 400 InvalidRequest (no handle)
        GET resolveHandle 400 HandleNotFound (nobody's)
        ",
    ),
    Case::new(
        "/.well-known/atproto-did at the host of a handle holds the DID of the account",
        |lab| {
            let alice = lab.account("alice");
            let draft = get(Server::A, "/.well-known/atproto-did").header("host", &alice.handle);
            let answer = draft.show("content-type").send(lab);
            lab.note(format!("+ alice: {}", answer.body.trim_ascii() == alice.did.as_bytes()));
        },
        "
        GET atproto-did 200 - content-type=text/plain
        + alice: true
        ",
    ),
];

fn get(server: Server, path: &str) -> Draft {
    Draft::new(server, Method::GET, path)
}

/// Adds a line with a member of a document; `a` replaces the origin of server `a`.
fn show(lab: &mut Lab<'_>, name: &str, value: &Value) {
    let origin = lab.url(Server::A, "");
    lab.note(format!("+ {name}: {}", value.to_string().replace(&origin, "a")));
}

fn contains(lab: &mut Lab<'_>, document: &Value, name: &str, item: &str) {
    let has = document[name].as_array().is_some_and(|items| items.iter().any(|this| this == item));
    lab.note(format!("+ {name} has {item}: {has}"));
}
