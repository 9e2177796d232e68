//! Parses untrusted JSON from servers.

use atproto_sansio::json_text;
use serde::de::DeserializeOwned;

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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Member {
        a: String,
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_in_members_that_are_skipped_too() {
        // Rule J-24
        assert!(object::<Member>(b"{\"a\":\"x\",\"b\":\"\xf6\"}").is_err());
    }

    #[test]
    fn only_one_whole_object_is_read() {
        // Rules B-04, J-24
        assert_eq!(object::<Member>(br#" {"a":"x","b":[1]} "#).unwrap().a, "x");
        let deep = |depth| format!(r#"{{"a":"x","b":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(object::<Member>(deep(63).as_bytes()).unwrap().a, "x");
        assert_eq!(object::<Member>(b"\xef\xbb\xbf{\"a\":\"x\"}").unwrap().a, "x");
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
            assert!(object::<Member>(text.as_bytes()).is_err(), "{text:.40}");
        }
        assert!(object::<Member>(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn an_error_does_not_quote_the_input() {
        let error = object::<Member>(br#"{"a":{"secret-token":1}}"#).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
