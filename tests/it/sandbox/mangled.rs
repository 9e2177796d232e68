//! Randomly changed requests to the sandbox: none causes a panic or breaks the network.

use std::fmt::Write;
use std::sync::LazyLock;

use atproto_oauth_core::xrpc;
use atproto_oauth_sandbox::{Exchange, Sandbox};
use atproto_oauth_tests::replayer::proof::hash;
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Position;

use crate::sandbox::{ALICE, begin, confidential, finish, loopback, status};

/// A random change of a request: the part to change, the position in that part, and the new value.
type Edit = (u8, u16, u16);

/// Returns a sandbox in which a confidential client has used each endpoint, and its requests.
fn used_sandbox() -> (Sandbox, Vec<Exchange>) {
    let (mut sandbox, client) = (Sandbox::new(1), confidential());
    sandbox.publish_client(&client);
    let begun = begin(&mut sandbox, &client, ALICE);
    // A browser opens the page of another login, and posts the form.
    let page = begin(&mut sandbox, &client, ALICE).url;
    let request = Request::get(page.as_str()).header("cookie", "sandbox-device=a");
    let _ = sandbox.exchange(request.body(Bytes::new()).unwrap());
    let form = format!(
        "{}&csrf={}&identifier={ALICE}&password=alice-pass&scope=atproto&decision=approve",
        page.query().unwrap(),
        hash("a"),
    );
    let request = Request::post(page[..Position::BeforeQuery].trim_end_matches('?'))
        .header("cookie", "sandbox-device=a")
        .body(Bytes::from(form));
    assert_eq!(sandbox.exchange(request.unwrap()).whole().unwrap().status(), 303);
    let session = finish(&mut sandbox, &client, begun, ALICE).unwrap().session;
    let record = json!({"repo": session.did(), "collection": "com.example.note", "record": {}});
    for request in [
        xrpc::procedure("com.atproto.repo.createRecord", &[], &record),
        xrpc::blob("com.atproto.repo.uploadBlob", &[], "image/png", &b"bytes"[..]),
        xrpc::query(
            "com.atproto.repo.listRecords",
            &[("repo", ALICE), ("collection", "com.example.note")],
        ),
    ] {
        let request = client.request(&session, request.unwrap()).unwrap();
        let _ = sandbox.run(request).unwrap();
    }
    let session = sandbox.run(client.refresh(session)).unwrap().session;
    let _ = sandbox.run(client.revoke(session)).unwrap();
    let requests = sandbox.requests().cloned().collect();
    (sandbox, requests)
}

fn pick<T>(among: &[T], number: u16) -> Option<&T> {
    among.get(usize::from(number) % among.len().max(1))
}

/// Changes a text: truncates it, doubles it, changes a JWT in it, or changes one byte.
fn mangle(text: &str, place: u16, into: u16) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = usize::from(place) % bytes.len().max(1);
    match into % 6 {
        0 => bytes.truncate(at),
        1 => bytes.extend(text.as_bytes()),
        2 => return jwt(text, place, into / 6),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = into.to_be_bytes()[1];
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Changes a member of the header or claims of the first JWT in the text.
fn jwt(text: &str, place: u16, into: u16) -> String {
    let parts: Vec<&str> = text.split('.').collect();
    let decoded = |part: &&str| {
        let start = part.rfind(['=', ' ']).map_or(0, |at| at + 1);
        let bytes = Base64UrlUnpadded::decode_vec(part.get(start..)?).ok()?;
        Some((start, serde_json::from_slice::<Value>(&bytes).ok()?))
    };
    let mut changed = parts.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (part, text) in parts.iter().zip(&mut changed).skip(usize::from(place % 2)) {
        let Some((start, mut value)) = decoded(part) else { continue };
        let names: Vec<String> =
            value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        if let (Some(name), Some(other)) = (pick(&names, place / 2), pick(&*VALUES, into)) {
            value[name] = other.clone();
        }
        text.truncate(start);
        text.push_str(&Base64UrlUnpadded::encode_string(value.to_string().as_bytes()));
        break;
    }
    changed.join(".")
}

static VALUES: LazyLock<[Value; 14]> = LazyLock::new(|| {
    [
        json!(null),
        json!([]),
        json!({}),
        json!(""),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!("é\u{0}\u{202e}"),
        json!("a".repeat(10_000)),
        json!(true),
        json!({"kty": "EC", "crv": "P-256", "x": "", "y": 1}),
    ]
});

const METHODS: [Method; 5] =
    [Method::GET, Method::POST, Method::PUT, Method::OPTIONS, Method::HEAD];

fn mangled(seen: &Exchange, edits: &[Edit]) -> Option<Request<Bytes>> {
    let (mut method, mut url, mut body) =
        (seen.method.clone(), seen.url.to_string(), seen.body.clone());
    let mut headers = seen.headers.clone();
    for &(what, place, into) in edits {
        let names: Vec<HeaderName> = headers.keys().cloned().collect();
        match (what % 8, pick(&names, place)) {
            (0, _) => method.clone_from(pick(&METHODS, into)?),
            (1, _) => url = mangle(&url, place, into),
            (2 | 3, _) => body = mangle(&String::from_utf8_lossy(&body), place, into).into(),
            (4, Some(name)) => {
                headers.remove(name);
            }
            (5, Some(name)) => {
                let value = headers.get(name)?.clone();
                headers.append(name, value);
            }
            (_, Some(name)) => {
                let value = mangle(headers.get(name)?.to_str().unwrap_or_default(), into, place);
                headers.insert(name, HeaderValue::from_str(&value).ok()?);
            }
            (_, None) => {}
        }
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = url.parse::<Uri>().ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mangled_requests_do_not_break_the_sandbox(
        requests in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<Edit>(), 1..4)), 64),
    ) {
        let (mut sandbox, seen) = used_sandbox();
        for (which, edits) in requests {
            let request = pick(&seen, which).and_then(|seen| mangled(seen, &edits));
            let Some(request) = request else { continue };
            let _ = sandbox.exchange(request);
        }
        let mut log = String::new();
        for seen in sandbox.log() {
            writeln!(log, "{seen}").unwrap();
        }
        for request in sandbox.requests() {
            let _ = (request.proof(), request.assertion(), request.error(), request.form("code"));
        }
        let client = loopback();
        let begun = begin(&mut sandbox, &client, ALICE);
        let session = finish(&mut sandbox, &client, begun, ALICE).unwrap().session;
        prop_assert_eq!(status(&mut sandbox, &client, &session), 200);
    }
}
