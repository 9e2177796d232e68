//! Hostname rules for handles and for the hosts of `did:web`.
//!
//! A well-formed hostname is not always resolvable: a name below a reserved top-level domain is
//! well-formed and may be in a document, but is never looked up.
//!
//! atproto Handle, «Handle Identifier Syntax» and «Additional Non-Syntax Restrictions»; RFC 6761.

use crate::syntax::handle::HandleError;

/// Checks the syntax of a hostname of at least two labels.
pub(crate) fn check(name: &str) -> Result<(), HandleError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() {
        return Err(HandleError::Empty);
    }
    if let Some(found) = name.chars().find(|&c| !allowed(c)) {
        return Err(HandleError::Character(found));
    }
    if name.len() > MAX_LENGTH {
        return Err(HandleError::TooLong(name.len()));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err(HandleError::EmptyLabel);
        }
        if label.len() > MAX_LABEL_LENGTH {
            return Err(HandleError::LabelTooLong);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(HandleError::Hyphen);
        }
    }
    let Some((_, last)) = name.rsplit_once('.') else {
        return Err(HandleError::OneLabel);
    };
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(HandleError::Digit);
    }
    Ok(())
}

/// Returns the reserved top-level domain that `name` is below; `None` if there is none.
///
/// If `development` is true, `.test` is not a reserved domain.
pub(crate) fn reserved_domain(name: &str, development: bool) -> Option<&'static str> {
    let last = name.rsplit('.').next().unwrap_or_default();
    RESERVED
        .into_iter()
        .find(|reserved| last.eq_ignore_ascii_case(reserved))
        .filter(|&reserved| !(development && reserved == TEST))
}

/// Whether `name` is below `.test`.
pub(crate) fn is_test(name: &str) -> bool {
    reserved_domain(name, false) == Some(TEST)
}

const MAX_LENGTH: usize = 253;
const MAX_LABEL_LENGTH: usize = 63;
const TEST: &str = "test";
const RESERVED: [&str; 9] =
    ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", TEST];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_domains_are_the_last_label_alone() {
        // Rules
        for tld in RESERVED {
            assert_eq!(reserved_domain(&format!("alice.{tld}"), false), Some(tld));
            assert_eq!(reserved_domain(&format!("{tld}.com"), false), None);
            assert_eq!(reserved_domain(&format!("alice.x{tld}"), false), None);
        }
        assert_eq!(reserved_domain("alice.TEST", false), Some("test"));
        assert_eq!(reserved_domain("alice.test", true), None);
        assert_eq!(reserved_domain("alice.local", true), Some("local"));
    }
}
