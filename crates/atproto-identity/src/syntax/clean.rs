//! [`clean`]: prepares text that a person typed or pasted for the parser of handles and DIDs.
//!
//! A caller cleans text that a person typed, and nothing else: in data from a server, the removed
//! characters are errors.
//!
//! atproto Handle, «Usage and Implementation Guidelines».

/// Removes invisible characters, white space around the text, one leading `@`, and a leading
/// `at://`.
pub(crate) fn clean(input: &str) -> String {
    let visible: String = input.chars().filter(|&c| !is_invisible(c)).collect();
    let text = visible.trim_matches(|c: char| c.is_ascii_whitespace());
    let text = text.strip_prefix('@').unwrap_or(text);
    let text = match text.split_at_checked(SCHEME.len()) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(SCHEME) => rest,
        _ => text,
    };
    text.to_owned()
}

/// Whether `c` is an invisible character of copied text: soft hyphen, zero-width character, mark of
/// writing direction, or byte-order mark.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}')
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
            ("\u{202a}@alice.com\u{202c}", "alice.com"),
            ("\u{2066} alice\u{200b}.com \u{2069}", "alice.com"),
            ("\u{feff}did:plc:x", "did:plc:x"),
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
