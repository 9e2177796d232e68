//! A stranger's text, made fit to be shown.

use std::time::Duration;

use http::{HeaderMap, header};

/// Longer text is cut.
const MAX_LEN: usize = 200;

/// A stranger's text: cut short, and without what moves the cursor or hides what it says.
pub(crate) fn printable(text: impl AsRef<str>) -> String {
    let mut chars = text.as_ref().chars().filter(|char| !is_invisible(*char));
    let mut shown: String = chars.by_ref().take(MAX_LEN).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// What a person typed or pasted, without what came along unseen.
pub(crate) fn visible(text: &str) -> String {
    text.chars().filter(|char| !is_invisible(*char)).collect()
}

/// Control characters, and those that Unicode uses for direction, joining and tagging.
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

/// What follows a code in a message.
pub(crate) fn colon(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

/// How long a server asks to be left alone, a day at most. A date is left alone, since it needs a
/// clock to be understood.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(24 * 60 * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_seen() {
        // Rule M-03
        assert_eq!(printable("a\u{1b}[31m\r\n\u{202e}b\u{2066}\u{200b}c"), "a[31mbc");
        assert_eq!(printable("x".repeat(200)), "x".repeat(200));
        assert_eq!(printable("x".repeat(201)), format!("{}…", "x".repeat(200)));
    }

    #[test]
    fn nobody_is_left_alone_for_ever() {
        let mut headers = HeaderMap::new();
        for (value, expected) in
            [("7", Some(7)), (" 7 ", Some(7)), ("18446744073709551615", Some(86_400)), ("x", None)]
        {
            headers.insert("retry-after", value.parse().unwrap());
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{value}");
        }
    }
}
