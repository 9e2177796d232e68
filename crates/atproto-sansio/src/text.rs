//! Cleans text from servers and users before it is shown, and parses `Retry-After`.

use std::time::Duration;

use http::{HeaderMap, header};

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
    let mut chars = text.as_ref().chars().filter(|char| !is_invisible(*char));
    let mut shown: String = chars.by_ref().take(MAX_LEN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Returns `text` without control characters and invisible characters, for input that a person
/// typed or pasted.
pub fn visible(text: &str) -> String {
    text.chars().filter(|char| !is_invisible(*char)).collect()
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

fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

const MAX_LEN: usize = 200;
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
