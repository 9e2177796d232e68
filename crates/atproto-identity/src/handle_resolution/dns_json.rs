//! `GET <service>?name=_atproto.<handle>&type=TXT`
//!
//! Asks a configured DNS over HTTPS service for TXT records, for drivers without DNS.
//!
//! The service is trusted in the same way as a nameserver. A record has the notation of zone files:
//! several quoted strings, which this module joins. Some services leave out the quotes; the text is
//! then used unchanged.
//!
//! The JSON form of DNS over HTTPS (`application/dns-json`); RFC 1035, sections 3.3.14 and 5.1.

use atproto_sansio::{Body, Endpoint, Fresh, How, Reach};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use url::Url;

use crate::config::Config;
use crate::error::IdentityError;
use crate::freshness::Freshness;
use crate::json;
use crate::request::{get, malformed, status};

/// Endpoint of the DNS over HTTPS service for the TXT records of one name.
#[derive(Debug)]
pub(crate) struct TxtOverHttps {
    url: Url,
    from: String,
    freshness: Freshness,
    how: How,
}

impl TxtOverHttps {
    pub(crate) fn new(service: &Url, name: &str, config: &Config, freshness: Freshness) -> Self {
        let mut url = service.clone();
        url.query_pairs_mut().append_pair("name", name).append_pair("type", "TXT");
        let from = service.host_str().unwrap_or_default().to_owned();
        let timeout = config.handle_timeout;
        Self {
            url,
            from,
            freshness,
            how: How { timeout, ..How::buffered(MAX_BODY, Reach::Configured) },
        }
    }
}

impl Endpoint for TxtOverHttps {
    type Output = Vec<String>;
    type Error = IdentityError;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, IdentityError> {
        get(self.url.as_str(), "application/dns-json", self.freshness)
    }

    fn how(&self) -> How {
        self.how
    }

    fn response(&self, response: Response<Bytes>) -> Result<Vec<String>, IdentityError> {
        if response.status() != StatusCode::OK {
            // A 404 is an error of the service, and says nothing about the name.
            return Err(status(self.from.clone(), &response));
        }
        let reply: Reply = json::object(&self.from, response.body())?;
        match reply.status {
            NO_ERROR => {}
            NO_SUCH_NAME => return Ok(Vec::new()),
            code => return Err(IdentityError::Dns { from: self.from.clone(), code }),
        }
        let records = reply.answer.unwrap_or_default().into_iter();
        // If the name is an alias, the answer contains its CNAME record, too.
        records
            .filter(|record| record.kind == TXT)
            .map(|record| {
                joined(&record.data)
                    .ok_or_else(|| malformed(&self.from, "a TXT record is not quoted properly"))
            })
            .collect()
    }
}

#[derive(Deserialize)]
struct Reply {
    #[serde(rename = "Status", deserialize_with = "whole")]
    status: u16,
    #[serde(rename = "Answer")]
    answer: Option<Vec<Record>>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "type", deserialize_with = "whole")]
    kind: u16,
    data: String,
}

/// Reads a number that some services write with a zero fraction, such as `16.0`.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let digits = number.to_string();
    let digits = digits.strip_suffix(".0").unwrap_or(&digits);
    digits.parse().map_err(|_| D::Error::custom(format!("{number} is not a code of DNS")))
}

/// Unquotes the strings of one record and joins them without a separator. `None` if they are not
/// quoted properly.
fn joined(data: &str) -> Option<String> {
    if !data.starts_with('"') {
        return Some(data.to_owned());
    }
    let mut text = Vec::new();
    let mut rest = data.as_bytes();
    while let Some((b'"', after)) = rest.split_first() {
        rest = unquote(after, &mut text)?.trim_ascii_start();
    }
    // Bytes that are not UTF-8 become U+FFFD, which the parser of DIDs rejects.
    rest.is_empty().then(|| String::from_utf8_lossy(&text).into_owned())
}

/// Appends the string up to the closing quote to `text`, and returns the rest after the quote.
/// `None` if the quote is missing or an escape is malformed.
fn unquote<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', after @ ..] => {
                let code = [a, b, c].into_iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
                text.push(u8::try_from(code).ok()?);
                after
            }
            [b'\\', b'0'..=b'9', ..] => return None,
            [b'\\', c, after @ ..] | [c, after @ ..] => {
                text.push(*c);
                after
            }
            [] => return None,
        };
    }
}

const NO_ERROR: u16 = 0;
const NO_SUCH_NAME: u16 = 3;
const TXT: u16 = 16;
const MAX_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strings_of_a_record_are_joined() {
        // Rule A-37
        for (data, text) in [
            (r#""did=did:plc:x""#, Some("did=did:plc:x")),
            (r#""did=did:" "plc:x""#, Some("did=did:plc:x")),
            (r#""did=did:""plc:x""#, Some("did=did:plc:x")),
            (r#""a\"b""#, Some(r#"a"b"#)),
            (r#""a\\b""#, Some(r"a\b")),
            (r#""a\032b\046c""#, Some("a b.c")),
            (r#""a;b" "" "c d""#, Some("a;bc d")),
            (r#""\255""#, Some("\u{fffd}")),
            ("did=did:plc:x", Some("did=did:plc:x")),
            ("", Some("")),
            (r#""did=did:plc:x"#, None),
            (r#""a" b"#, None),
            (r#""a"b"#, None),
            (r#""a\"#, None),
            (r#""\256""#, None),
            (r#""\25""#, None),
        ] {
            assert_eq!(joined(data).as_deref(), text, "{data}");
        }
    }
}
