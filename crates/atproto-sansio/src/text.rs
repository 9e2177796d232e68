//! Cleans text from servers and users before it is shown, bounds JSON, and tells whether and when a
//! request may be sent again.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

/// Returns the first 200 visible characters of an untrusted text, followed by `…` if there are
/// more.
///
/// Control characters are removed, because they could move the cursor of a terminal. The characters
/// that Unicode uses for writing direction, joining and tagging are removed, because they could
/// hide words.
///
/// ```
/// use atproto_sansio::printable;
///
/// assert_eq!(printable("a\u{1b}[31m\r\n\u{202e}b"), "a[31mb");
/// ```
pub fn printable(text: impl AsRef<str>) -> String {
    let mut chars = text.as_ref().chars().filter(|char| is_printable(*char));
    let mut shown: String = chars.by_ref().take(MAX_LEN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether [`printable`] keeps `char`.
pub fn is_printable(char: char) -> bool {
    !is_invisible(char) && !char.is_control() && !matches!(char, '\u{2028}' | '\u{2029}')
}

/// Returns `text` without invisible characters, and without white space and control characters
/// around it, for input that a person typed or pasted.
///
/// A control character, line break or space inside the text stays, so that a parser rejects it: if
/// it were removed, two texts would become one.
///
/// ```
/// use atproto_sansio::visible;
///
/// assert_eq!(visible("\u{202a} alice\u{200b}.com\0\r\n"), "alice.com");
/// assert_eq!(visible("alice\n.com"), "alice\n.com");
/// ```
pub fn visible(text: &str) -> String {
    let text: String = text.chars().filter(|char| !is_invisible(*char)).collect();
    text.trim_matches(|char: char| char.is_whitespace() || char.is_control()).to_owned()
}

/// Returns `body` as JSON text: UTF-8, without a byte-order mark in front, and nested at most 64 deep.
///
/// A JSON parser bounds the depth of the members that it reads, but may skip any other member at any
/// depth and without a look at its bytes. A reader of the whole text may recurse, so the depth is
/// bounded here.
///
/// # Errors
///
/// Fails with a description of the problem.
pub fn json_text(body: &[u8]) -> Result<&str, String> {
    json_text_within(body, MAX_DEPTH)
}

/// Like [`json_text`], for JSON that may be nested `max_depth` deep.
///
/// # Errors
///
/// Fails with a description of the problem.
pub fn json_text_within(body: &[u8], max_depth: usize) -> Result<&str, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    // Editors add the mark, and browsers ignore it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match is_deeper(text, max_depth) {
        true => Err(format!("its JSON is nested more than {max_depth} deep")),
        false => Ok(text),
    }
}

/// Whether the same request may succeed later: the server failed (5xx), limits its rate (429), or did
/// not wait for the whole request (408).
pub fn is_transient(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// Returns the duration in the `Retry-After` header, at most one day.
///
/// The result is `None` if the header is missing, malformed or a date. Dates are not supported,
/// because a date is of use only if the local clock agrees with the server's clock.
///
/// RFC 9110 section 10.2.3.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(DAY))
}

/// Whether the arrays and objects of `json` are nested deeper than `max_depth`.
fn is_deeper(json: &str, max_depth: usize) -> bool {
    // Most documents have few brackets, and to count them is many times faster.
    if brackets(json) <= max_depth {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > max_depth {
            return true;
        }
    }
    false
}

/// The number of opening brackets in `json`, also in strings. Sums of one byte let the compiler count
/// many bytes at once.
fn brackets(json: &str) -> usize {
    let chunks = json.as_bytes().chunks(usize::from(u8::MAX));
    let count = |chunk: &[u8]| -> u8 {
        chunk.iter().map(|byte| u8::from(matches!(byte, b'[' | b'{'))).sum()
    };
    chunks.map(|chunk| usize::from(count(chunk))).sum()
}

/// Whether `char` shows nothing and separates nothing: soft hyphen, zero-width character, mark of
/// writing direction, byte-order mark or tag.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

const MAX_LEN: usize = 200;
/// Documents of the protocol have a depth of four or five. Serde stops at 128.
const MAX_DEPTH: usize = 64;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_has_no_invisible_characters_and_is_cut_at_200() {
        // Rule M-03
        assert_eq!(printable("a\u{1b}[31m\r\n\u{202e}b\u{2066}\u{200b}c"), "a[31mbc");
        assert_eq!(printable("x".repeat(200)), "x".repeat(200));
        assert_eq!(printable("x".repeat(201)), format!("{}…", "x".repeat(200)));
    }

    #[test]
    fn only_invisible_characters_are_removed_inside_a_text() {
        // Rule A-07
        for (input, text) in [
            (" \t\u{a0}alice.com\0\u{1b}\r\n\u{2028}", "alice.com"),
            ("\u{feff}\u{2066} ali\u{ad}ce\u{e0020}.com \u{2069}", "alice.com"),
            ("ali\nce.com", "ali\nce.com"),
            ("alice\0.com", "alice\0.com"),
            ("alice\u{2028}.com", "alice\u{2028}.com"),
            ("a b", "a b"),
            ("\0\u{200b}", ""),
        ] {
            assert_eq!(visible(input), text, "{input:?}");
        }
        assert_eq!(printable("a\u{2028}b\u{2029}c"), "abc");
    }

    #[test]
    fn a_failed_busy_or_impatient_server_is_transient() {
        for status in [408, 429, 500, 502, 503, 599] {
            assert!(is_transient(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [200, 302, 400, 401, 403, 404, 409, 425] {
            assert!(!is_transient(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }

    #[test]
    fn retry_after_is_limited_to_one_day() {
        let mut headers = HeaderMap::new();
        for (value, expected) in
            [("7", Some(7)), (" 7 ", Some(7)), ("18446744073709551615", Some(86_400)), ("x", None)]
        {
            headers.insert("retry-after", value.parse().unwrap());
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{value}");
        }
    }
}
