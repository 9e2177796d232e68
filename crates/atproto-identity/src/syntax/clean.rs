//! [`clean`]: prepares text that a person typed or pasted for the parser of handles and DIDs.
//!
//! A caller cleans text that a person typed, and nothing else: in data from a server, the removed
//! characters are errors.
//!
//! atproto Handle, «Usage and Implementation Guidelines».

use atproto_sansio::visible;

/// Removes invisible characters, white space and control characters around the text, one leading
/// `@`, and a leading `at://` with the slash at its end. A control character inside stays, and the parser rejects it.
pub(crate) fn clean(input: &str) -> String {
    let text = visible(input);
    let text = text.strip_prefix('@').unwrap_or(&text);
    let text = match text.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => {
            rest.strip_suffix('/').unwrap_or(rest)
        }
        _ => text,
    };
    text.to_owned()
}

const SCHEME: &str = "at://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_and_prefixes_of_typed_text_are_removed() {
        // Rule A-07
        for (input, text) in [
            ("alice.com", "alice.com"),
            ("\t @alice.com\r\n", "alice.com"),
            ("at://alice.com", "alice.com"),
            ("AT://alice.com", "alice.com"),
            ("@at://alice.com", "alice.com"),
            ("at://alice.com/", "alice.com"),
            ("alice.com/", "alice.com/"),
            ("\u{202a}@alice.com\u{202c}", "alice.com"),
            ("\u{2066} alice\u{200b}.com \u{2069}", "alice.com"),
            ("\u{feff}did:plc:x", "did:plc:x"),
            ("\u{0}alice.com\u{1b}\u{2028}", "alice.com"),
            ("ali\nce.com", "ali\nce.com"),
            ("alice\0.com", "alice\0.com"),
            // Only one prefix of each kind is removed; the parser then rejects the rest.
            ("@@alice.com", "@alice.com"),
            ("@ alice.com", " alice.com"),
            ("at://at://alice.com", "at://alice.com"),
            ("at:/", "at:/"),
            ("", ""),
            ("\u{e9}\u{e9}\u{e9}\u{e9}", "\u{e9}\u{e9}\u{e9}\u{e9}"),
        ] {
            assert_eq!(clean(input), text, "{input:?}");
        }
    }
}
