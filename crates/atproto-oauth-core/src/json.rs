//! Parses untrusted JSON from servers.

use std::fmt;
use std::ops::Deref;

use atproto_sansio::json_text;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A member of a document with any value that is JSON, so that one member can't make the others
/// unreadable. A value that Rust can't hold, such as the number 1e999 or half a surrogate pair, is
/// null; a member that the document has as `null` is `None` in an `Option`.
pub(crate) struct Member(Value);

/// The members of a JSON object in their order, also those that are there several times, for a
/// response of which one member must be found whatever is wrong with the others. The values are raw
/// JSON, because a number out of range would fail to parse.
pub(crate) struct Members(Vec<(String, Box<RawValue>)>);

/// Parses a JSON object that, except for white space, is the whole body.
///
/// Fails if a member of `T` occurs twice. The error text never quotes the body, because the body
/// may contain a token.
pub(crate) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let text = json_text(body)?;
    // Serde would accept a JSON array in place of a struct.
    if !text.trim_ascii_start().starts_with('{') {
        return Err("it is not a JSON object".to_owned());
    }
    serde_json::from_str(text).map_err(|error| {
        let problem = match error.classify() {
            serde_json::error::Category::Data => {
                "a member is missing, duplicate or of the wrong type"
            }
            serde_json::error::Category::Syntax => "the JSON is malformed",
            serde_json::error::Category::Eof => "the JSON ends too early",
            serde_json::error::Category::Io => "the JSON can't be read",
        };
        format!("{problem} (line {}, column {})", error.line(), error.column())
    })
}

/// Parses the JSON object of an error response. Bytes that are not UTF-8 are replaced: a description
/// in another encoding must not hide the error code beside it.
pub(crate) fn error_object<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    object(String::from_utf8_lossy(body).as_bytes()).ok()
}

impl Members {
    /// Reads a JSON object. If the body is malformed, returns the problem and the members in front of
    /// it.
    pub(crate) fn salvage(body: &[u8]) -> (Self, Option<String>) {
        let problem = object::<IgnoredAny>(body).err();
        let text = String::from_utf8_lossy(body);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut members = Vec::new();
        // An error is the problem that `object` has described already.
        let _ = InOrder(&mut members).deserialize(&mut serde_json::Deserializer::from_str(text));
        (Self(members), problem)
    }

    /// The values of the members with this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &RawValue> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The members in their order. A value that Rust can't hold is null.
    pub(crate) fn into_values(self) -> impl Iterator<Item = (String, Value)> {
        let value = |json: &RawValue| serde_json::from_str(json.get()).unwrap_or_default();
        self.0.into_iter().map(move |(name, json)| (name, value(&json)))
    }

    /// The text of the first member with this name; `None` if it is not a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.all(name).next()?.get()).ok()
    }
}

/// Puts the members of a JSON object into a list, one after another.
struct InOrder<'a>(&'a mut Vec<(String, Box<RawValue>)>);

impl<'de> DeserializeSeed<'de> for InOrder<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InOrder<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(json.get()).unwrap_or_default()))
    }
}

impl Deref for Member {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Document {
        a: String,
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_in_members_that_are_skipped_too() {
        // Rule J-24
        assert!(object::<Document>(b"{\"a\":\"x\",\"b\":\"\xf6\"}").is_err());
    }

    #[test]
    fn only_one_whole_object_is_read() {
        // Rules B-04, J-24
        assert_eq!(object::<Document>(br#" {"a":"x","b":[1]} "#).unwrap().a, "x");
        let deep = |depth| format!(r#"{{"a":"x","b":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(object::<Document>(deep(63).as_bytes()).unwrap().a, "x");
        assert_eq!(object::<Document>(b"\xef\xbb\xbf{\"a\":\"x\"}").unwrap().a, "x");
        for text in [
            r#"["a"]"#,
            r#""a""#,
            "",
            "null",
            r#"{"a":"x"} {}"#,
            r#"{"a":"x"}x"#,
            r#"{"a":"x","a":"y"}"#,
            r#"{"a":1}"#,
            r#"{"a":"x""#,
            "{\"a\":\"\u{0}\"}",
            &deep(64),
            &deep(100_000),
        ] {
            assert!(object::<Document>(text.as_bytes()).is_err(), "{text:.40}");
        }
        assert!(object::<Document>(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn an_error_does_not_quote_the_input() {
        let error = object::<Document>(br#"{"a":{"secret-token":1}}"#).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_member_that_cannot_be_read_leaves_the_others_readable() {
        // Rule P-14
        #[derive(Deserialize)]
        struct Members {
            a: Option<Member>,
            b: Option<Member>,
        }

        for a in ["1e999", r#""\ud83d""#, r#"{"x":[1e999]}"#, "7"] {
            let json = format!(r#"{{"a":{a},"b":"x"}}"#);
            let Members { a, b } = object(json.as_bytes()).unwrap();
            assert_eq!(a.unwrap().as_str(), None, "{json}");
            assert_eq!(b.unwrap().as_str(), Some("x"), "{json}");
        }
        assert!(object::<Members>(br#"{"a":null}"#).unwrap().a.is_none());
        assert!(object::<Members>(br#"{"a":1e999,"a":1}"#).is_err());
    }

    #[test]
    fn an_error_response_may_have_a_description_in_another_encoding() {
        // Rule P-14
        let body = b"{\"a\":\"invalid_grant\",\"error_description\":\"ung\xfcltig\"}";
        assert_eq!(error_object::<Document>(body).unwrap().a, "invalid_grant");
        assert!(object::<Document>(body).is_err());
    }
}
