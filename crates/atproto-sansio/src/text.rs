//! Untrusted text: what a server or a user wrote, made fit to be shown.

use std::time::Duration;

use http::{HeaderMap, header};

/// The first 200 visible characters of an untrusted text, with `…` if it has more.
///
/// Control characters are removed, and so are the characters that Unicode uses for writing
/// direction, joining and tagging: they could move the cursor of a terminal or hide words.
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

/// A text that a person typed or pasted, without the invisible characters that came along.
pub fn visible(text: &str) -> String {
    text.chars().filter(|char| !is_invisible(*char)).collect()
}

/// The `Retry-After` of a response in seconds, a day at most; `None` if it is a date, because a
/// date needs a clock that agrees with the server's.
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
    fn printable_text_has_no_invisible_characters_and_an_end() {
        // Rule M-03
        assert_eq!(printable("a\u{1b}[31m\r\n\u{202e}b\u{2066}\u{200b}c"), "a[31mbc");
        assert_eq!(printable("x".repeat(200)), "x".repeat(200));
        assert_eq!(printable("x".repeat(201)), format!("{}…", "x".repeat(200)));
    }

    #[test]
    fn a_server_may_ask_for_a_day_of_patience_at_most() {
        let mut headers = HeaderMap::new();
        for (value, expected) in
            [("7", Some(7)), (" 7 ", Some(7)), ("18446744073709551615", Some(86_400)), ("x", None)]
        {
            headers.insert("retry-after", value.parse().unwrap());
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{value}");
        }
    }
}
