//! Parses JSON of untrusted servers: one object of bounded depth, in UTF-8, perhaps after a
//! byte-order mark.
//!
//! Serde bounds the depth of the members that it reads, but skips any other member at any depth. A
//! document is handed on whole ([`DidDocument::json`](crate::DidDocument::json)), and a reader of
//! it may recurse, so the depth of the whole document is bounded here.

use std::fmt;

use atproto_sansio::json_text;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::IdentityError;
use crate::request::malformed;

/// The members of a JSON object in their order, also those that are there several times.
pub(crate) struct Members<'a>(Vec<(String, &'a RawValue)>);

/// Parses `body`, which came from `from`, as one JSON object. Fails if a member that `T` reads is
/// there twice.
pub(crate) fn object<'a, T: Deserialize<'a>>(
    from: &str,
    body: &'a [u8],
) -> Result<T, IdentityError> {
    let json = json_text(body).map_err(|reason| malformed(from, reason))?;
    // Serde would accept a JSON array in place of a struct.
    if !json.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(malformed(from, "it is not a JSON object"));
    }
    serde_json::from_str(json).map_err(|error| malformed(from, error))
}

/// The elements of a JSON array; none if `json` is another value.
pub(crate) fn elements(json: Option<&RawValue>) -> Vec<&RawValue> {
    json.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
}

/// The text of a JSON string; `None` if `json` is another value.
pub(crate) fn string(json: &RawValue) -> Option<String> {
    serde_json::from_str(json.get()).ok()
}

/// Removes one byte-order mark in front of `text`: editors add it, and browsers ignore it.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

impl<'a> Members<'a> {
    /// The members of `json`; `None` if it is not an object.
    pub(crate) fn of(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }

    /// All values of the members with this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a RawValue> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The value of the member with this name.
    ///
    /// # Errors
    ///
    /// Fails if the member is there twice.
    pub(crate) fn one(
        &self,
        from: &str,
        name: &str,
    ) -> Result<Option<&'a RawValue>, IdentityError> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(malformed(from, format!("the member `{name}` is there twice"))),
            (value, None) => Ok(value),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Member {
        a: String,
    }

    fn a_of(json: &str) -> Option<String> {
        object::<Member>("x", json.as_bytes()).ok().map(|member| member.a)
    }

    #[test]
    fn the_depth_of_every_member_is_bounded() {
        // Rule J-24
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let objects = |depth: usize| format!("{}1{}", r#"{"x":"#.repeat(depth), "}".repeat(depth));
        for (value, read) in [
            (nested(63), true),
            (nested(64), false),
            (nested(100_000), false),
            (objects(63), true),
            (objects(64), false),
            // Only brackets that nest count, and none in a string.
            (format!("[{}[]]", "[],".repeat(1000)), true),
            (format!("\"{}\"", "[".repeat(1000)), true),
            (format!("\"\\\"{}\"", "[".repeat(1000)), true),
            (format!("[\"\\\\\",{}]", nested(62)), true),
            (format!("[\"\\\\\",{}]", nested(63)), false),
        ] {
            for json in
                [format!(r#"{{"a":"b","x":{value}}}"#), format!(r#"{{"x":{value},"a":"b"}}"#)]
            {
                let json_is_whole = serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok();
                assert!(json_is_whole, "{json:.60}");
                assert_eq!(a_of(&json).is_some(), read, "{json:.60}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_ignored_once() {
        // Rule P-14
        assert_eq!(a_of("\u{feff} {\"a\":\"b\"}").as_deref(), Some("b"));
        assert_eq!(a_of("\u{feff}\u{feff}{\"a\":\"b\"}"), None);
        assert_eq!(a_of("{\"a\":\"b\"}\u{feff}"), None);
    }
}
