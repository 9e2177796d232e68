//! What a handle resolves to, in DNS and over HTTPS (AT Protocol "Handle": resolution methods).

use bytes::Bytes;
use http::Response;
use serde_json::json;

use crate::answer;

/// What a handle answers with. A new account's answers name its DID.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a test sets both")]
pub struct HandleAnswers {
    /// In DNS, at `_atproto.<handle>`.
    pub dns: Dns,
    /// Over HTTPS, at `/.well-known/atproto-did`: the body of a 200, or a 404.
    pub https: Option<String>,
}

/// What a nameserver answers to one question.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever serves it decides on each of them")]
pub enum Dns {
    /// These TXT records, each with its strings joined.
    Records(Vec<String>),
    /// There is no such name.
    NoSuchName,
    /// It fails, and says so.
    Fails,
    /// Nothing comes back.
    Silent,
}

impl Dns {
    /// The one record of a handle.
    pub fn did(did: &str) -> Self {
        Self::Records(vec![format!("did={did}")])
    }

    /// As DNS over HTTPS in JSON tells it (RFC 8484 has the wire format, JSON has no RFC).
    pub(crate) fn to_json(&self, name: &str) -> Response<Bytes> {
        let records = match self {
            Self::Records(records) => &records[..],
            _ => &[],
        };
        let answers: Vec<_> = records
            .iter()
            .map(|text| json!({"name": name, "type": 16, "TTL": 60, "data": quoted(text)}))
            .collect();
        let status = match self {
            Self::Records(_) => 0,
            Self::NoSuchName => 3,
            Self::Fails | Self::Silent => 2,
        };
        let question = json!([{"name": name, "type": 16}]);
        let value = json!({"Status": status, "Question": question, "Answer": answers});
        answer::typed(200, "application/dns-json", value.to_string())
    }
}

/// In presentation format (RFC 1035 section 5.1), in strings of at most 255 bytes.
fn quoted(text: &str) -> String {
    let strings: Vec<String> = text
        .as_bytes()
        .chunks(255)
        .map(|chunk| {
            let escaped: String = chunk
                .iter()
                .map(|byte| match byte {
                    b'"' | b'\\' => format!("\\{}", char::from(*byte)),
                    0x20..0x7f => char::from(*byte).to_string(),
                    _ => format!("\\{byte:03}"),
                })
                .collect();
            format!("\"{escaped}\"")
        })
        .collect();
    strings.join(" ")
}
