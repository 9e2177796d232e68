//! Answers to the resolution of handles, by DNS and over HTTPS (AT Protocol "Handle": resolution
//! methods).

use bytes::Bytes;
use http::Response;
use serde_json::json;

use crate::answer;

/// Answers to the resolution of one handle. For a new account, the answers contain the DID.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "tests construct it with both fields")]
pub struct HandleAnswers {
    /// Answer of DNS to a TXT lookup of `_atproto.<handle>`.
    pub dns: Dns,
    /// Body of the 200 response to `GET /.well-known/atproto-did`; `None` stands for a 404
    /// response.
    pub https: Option<String>,
}

/// Answer of the nameserver to a lookup of TXT records.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a program that serves it must handle each variant")]
pub enum Dns {
    /// TXT records; the strings of each record are joined.
    Records(Vec<String>),
    /// The name does not exist (`NXDOMAIN`).
    NoSuchName,
    /// The nameserver reports a failure (`SERVFAIL`).
    Fails,
    /// The nameserver does not answer. DNS over HTTPS reports `SERVFAIL` instead.
    Silent,
}

impl Dns {
    /// Returns the TXT record that resolves a handle to this DID: `did=<did>`.
    pub fn did(did: &str) -> Self {
        Self::Records(vec![format!("did={did}")])
    }

    /// Formats the answer as DNS over HTTPS in JSON, with status 0 (`NOERROR`), 3 (`NXDOMAIN`) or 2
    /// (`SERVFAIL`). No RFC specifies this JSON format; RFC 8484 specifies only the wire format.
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

/// Formats a TXT record in presentation format (RFC 1035 section 5.1): quoted strings of at most
/// 255 bytes.
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
