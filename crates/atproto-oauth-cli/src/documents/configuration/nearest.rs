//! The known name that a mistyped one resembles most.

/// Returns the name of `known` that becomes `typed` by the fewest edits; `None` if all of them need
/// more than a third of its letters changed.
pub(crate) fn nearest<'a>(typed: &str, known: &[&'a str]) -> Option<&'a str> {
    let edits = known.iter().map(|name| (distance(typed, name), *name));
    let (edits, name) = edits.min()?;
    (edits <= name.len() / 3).then_some(name)
}

/// Number of characters to insert, remove or replace, so that `from` becomes `to` (Levenshtein).
/// Upper and lower case are the same.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    // Edits from the part of `from` that was read to each beginning of `to`.
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (read, char) in from.to_lowercase().chars().enumerate() {
        let mut diagonal = read;
        let mut left = read + 1;
        for (slot, other) in row.iter_mut().skip(1).zip(&to) {
            let replaced = diagonal + usize::from(char != *other);
            diagonal = *slot;
            left = replaced.min(diagonal + 1).min(left + 1);
            *slot = left;
        }
        if let Some(first) = row.first_mut() {
            *first = read + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_edits() {
        for (from, to, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("scope", "scope", 0),
            ("scopes", "scope", 1),
            ("clientId", "client_id", 1),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(distance(from, to), edits, "{from} {to}");
        }
    }

    #[test]
    fn a_name_that_resembles_none_has_no_nearest_one() {
        let known = ["client_id", "client_name", "scope"];
        assert_eq!(nearest("redirect_uri", &known), None);
        assert_eq!(nearest("client_nam", &known), Some("client_name"));
        assert_eq!(nearest("x", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
