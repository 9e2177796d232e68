//! Names in place of texts that differ from run to run: times, ports, and random names.

/// Replaces the texts that differ from run to run by their names.
pub(crate) fn varying(text: &str) -> String {
    let mut masked = String::new();
    let is_of_word = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
    let mut rest = text;
    while !rest.is_empty() {
        let (other, after) = rest.split_at(rest.find(is_of_word).unwrap_or(rest.len()));
        let (word, after) =
            after.split_at(after.find(|char| !is_of_word(char)).unwrap_or(after.len()));
        masked.push_str(other);
        let name = name(word, &masked);
        masked.push_str(name.unwrap_or(word));
        rest = after;
    }
    BETWEEN.iter().fold(masked, |text, (start, end)| between(&text, start, end))
}

/// Texts around a time.
const BETWEEN: [(&str, &str); 4] = [
    (", from ", " ago."),
    ("logged in:      ", " ago\n"),
    ("renewed:        ", " ago\n"),
    ("this clock is ", " that of the server"),
];

/// The name of a word that is random or a time; `before` is the text before it.
fn name(word: &str, before: &str) -> Option<&'static str> {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    let is_base32 =
        word.bytes().all(|byte| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte));
    match word.len() {
        4..=5 if is_number && is_port(before) => Some("PORT"),
        7 if word.starts_with("3A") && before.ends_with("localhost%") => Some("3APORT"),
        10 if is_number => Some("TIME"),
        13 if is_base32 && word.starts_with('3') => Some("TID"),
        43 => coordinate(before),
        49 if word.starts_with("3Areq-") => Some("3AREQUEST"),
        59 if is_base32 && word.starts_with("baf") => Some("CID"),
        _ => None,
    }
}

/// The name of a coordinate of a key, which the text before it names.
fn coordinate(before: &str) -> Option<&'static str> {
    let before = before.trim_end_matches(['"', '\\', ':', ' ']);
    let mut coordinates = [("\"x", "X"), ("\"y", "Y")].into_iter();
    coordinates.find(|(member, _)| before.ends_with(member)).map(|(_, name)| name)
}

fn is_port(before: &str) -> bool {
    ["127.0.0.1:", "localhost:"].iter().any(|host| before.ends_with(host))
}

/// Replaces the text between each `start` and the `end` after it.
fn between(text: &str, start: &str, end: &str) -> String {
    let mut parts = text.split(start);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str(start);
        match part.split_once(end) {
            Some((time, after)) if !time.contains('\n') => {
                masked.push_str("TIME");
                masked.push_str(end);
                masked.push_str(after);
            }
            _ => masked.push_str(part),
        }
    }
    masked
}
