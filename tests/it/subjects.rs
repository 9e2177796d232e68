//! Tests of texts that a person types to begin a login.

use atproto_oauth_core::Subject;

#[test]
fn only_the_surroundings_of_a_typed_name_are_stripped() {
    // Rule A-07
    for (typed, read) in [
        (" \t@Alice.Example.com\r\n", "alice.example.com"),
        ("\u{0}alice.example.com\u{1b}", "alice.example.com"),
        ("\u{202a}alice.exa\u{200b}mple.com\u{202c}", "alice.example.com"),
        ("\u{feff}https://pds.example.com/\n", "https://pds.example.com"),
    ] {
        assert_eq!(Subject::parse(typed).unwrap().to_string(), read, "{typed:?}");
    }
    for typed in [
        "ali\nce.example.com",
        "alice\0.example.com",
        "alice\u{1b}[31m.example.com",
        "alice\u{2028}.example.com",
        "alice .example.com",
        "did:web:alice\n.example.com",
        "https://pds\n.example.com",
        "https://pds\t.example.com",
        "ht\ntps://pds.example.com",
    ] {
        let error = Subject::parse(typed).unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}
