//! The reply to a call: its body for people, or the whole reply as JSON for programs.

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, Response};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::output::{self, Format};

/// Option of the verbs that print a reply.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Reply {
    /// Print the reply as one JSON document: its status, some of its headers, and its body, whose
    /// encoding is json, text or base64. A failure is one line of JSON on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

impl Reply {
    /// Prints the body alone, or the reply as JSON.
    pub(crate) fn print(self, response: &Response<Bytes>) -> Result<(), Failure> {
        match self.json {
            true => Format { json: true }.print("", &described(response)),
            false => output::print(response.body()),
        }
    }
}

fn described(response: &Response<Bytes>) -> Value {
    let body = response.body();
    let (encoding, body) = match (serde_json::from_slice::<Value>(body), std::str::from_utf8(body))
    {
        (Ok(json), _) => ("json", json),
        (Err(_), Ok(text)) => ("text", text.into()),
        (Err(_), Err(_)) => ("base64", Base64::encode_string(body).into()),
    };
    json!({
        "status": response.status().as_u16(),
        "headers": headers(response.headers()),
        "encoding": encoding,
        "body": body,
    })
}

/// The headers of `SHOWN` that the reply has. Other headers may hold secrets, such as nonces and cookies.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let shown = SHOWN.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), atproto_sansio::printable(value).into()))
    });
    shown.collect()
}

const SHOWN: [&str; 10] = [
    "content-type",
    "content-language",
    "atproto-repo-rev",
    "atproto-content-labelers",
    "etag",
    "last-modified",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "ratelimit-policy",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_described_without_its_secrets() {
        // Rules L-25, L-26
        let reply = |body: &'static [u8]| {
            let response = Response::builder()
                .header("content-type", "application/json")
                .header("ratelimit-remaining", "7")
                .header("dpop-nonce", "n-secret")
                .header("set-cookie", "c-secret");
            described(&response.body(Bytes::from_static(body)).unwrap())
        };
        let json = json!({
            "status": 200,
            "headers": {"content-type": "application/json", "ratelimit-remaining": "7"},
            "encoding": "json",
            "body": {"a": 1},
        });
        assert_eq!(reply(b"{\"a\": 1}"), json);
        let text = reply(b"hello");
        assert_eq!((&text["encoding"], &text["body"]), (&json!("text"), &json!("hello")));
        let bytes = reply(b"\xff\x00");
        assert_eq!((&bytes["encoding"], &bytes["body"]), (&json!("base64"), &json!("/wA=")));
    }
}
