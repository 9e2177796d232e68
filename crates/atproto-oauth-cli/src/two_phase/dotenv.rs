//! Assignments `NAME=value` that a shell and a dotenv parser read alike.
//!
//! A value in quotes is read as a shell reads it, without expansions. A value without quotes goes on
//! to the end of its line or to ` #`, as in dotenv files. Other lines are no assignments, and are
//! kept when a value is replaced.

use std::ops::Range;

/// One assignment of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Assignment<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: String,
    /// Bytes of the value in the text, quotes included.
    pub(crate) place: Range<usize>,
}

/// Returns the assignments of `text` in order. The error is the number of the line whose quotes do
/// not end.
pub(crate) fn parse(text: &str) -> Result<Vec<Assignment<'_>>, usize> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let line_end = start + rest.find('\n').unwrap_or(rest.len());
        let line = text.get(start..line_end).unwrap_or_default();
        let Some((name, offset)) = name(line) else {
            start = line_end + 1;
            continue;
        };
        let begin = start + offset;
        let value = text.get(begin..).unwrap_or_default();
        let (value, length) = if value.starts_with(['\'', '"']) {
            quoted(value)
                .ok_or_else(|| text.get(..start).unwrap_or_default().lines().count() + 1)?
        } else {
            let raw = text.get(begin..line_end).unwrap_or_default();
            let raw = raw.split(" #").next().unwrap_or_default().trim_end();
            (raw.to_owned(), raw.len())
        };
        let place = begin..begin + length;
        let rest = text.get(place.end..).unwrap_or_default();
        start = place.end + rest.find('\n').map_or(rest.len(), |newline| newline + 1);
        found.push(Assignment { name, value, place });
    }
    Ok(found)
}

/// Splits `export NAME=…`; returns the name and the offset of the value.
fn name(line: &str) -> Option<(&str, usize)> {
    let trimmed = line.trim_start();
    let trimmed = trimmed.strip_prefix("export ").map_or(trimmed, str::trim_start);
    let (name, value) = trimmed.split_once('=')?;
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !name.is_empty()).then(|| (name, line.len() - value.len()))
}

/// Reads a value that begins with a quote; returns it and its length in the text. `None` if a quote
/// does not end.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next() {
            Some((_, '\'')) => loop {
                match chars.next()?.1 {
                    '\'' => break,
                    char => value.push(char),
                }
            },
            Some((_, '"')) => loop {
                match chars.next()?.1 {
                    '"' => break,
                    '\\' => match chars.next()?.1 {
                        char @ ('"' | '\\' | '$' | '`') => value.push(char),
                        char => value.extend(['\\', char]),
                    },
                    char => value.push(char),
                }
            },
            Some((_, '\\')) => value.push(chars.next()?.1),
            Some((end, char)) if char.is_whitespace() => return Some((value, end)),
            Some((_, char)) => value.push(char),
            None => return Some((value, text.len())),
        }
    }
}

/// Quotes a value for a shell: in single quotes, `'it'\''s'`.
pub(crate) fn quote_for_shell(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Quotes a value for dotenv parsers and for a shell: in single quotes, or in double quotes if the
/// value has a single quote, because dotenv parsers do not join quoted parts.
pub(crate) fn quote_for_dotenv(value: &str) -> String {
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut quoted = String::from('"');
    for char in value.chars() {
        if matches!(char, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::{ProptestConfig, prop, proptest};

    use super::*;

    fn values(text: &str) -> Vec<(&str, String)> {
        let found = parse(text).unwrap().into_iter();
        found.map(|assignment| (assignment.name, assignment.value)).collect()
    }

    #[test]
    fn an_assignment_is_read_with_or_without_quotes() {
        for (text, value) in [
            ("A=x", "x"),
            ("A=", ""),
            ("export A=x", "x"),
            ("  export  A=x y  # note", "x y"),
            ("A=x#y", "x#y"),
            (r#"A={"kty": "EC", "d": "x"}"#, r#"{"kty": "EC", "d": "x"}"#),
            ("A='x y' # note", "x y"),
            (r"A='it'\''s'", "it's"),
            (r#"A="a\"b\\c\$d\`e\nf""#, r#"a"b\c$d`e\nf"#),
            ("A='two\nlines'", "two\nlines"),
        ] {
            assert_eq!(values(text), [("A", value.to_owned())], "{text}");
            let around = format!("# A=0\n=== SECRETS ===\n\n{text}\nB=2");
            let expected = [("A", value.to_owned()), ("B", "2".to_owned())];
            assert_eq!(values(&around), expected, "{text}");
        }
        for text in ["", "A", "=x", "A B=x", "a-b=x", "# A=x"] {
            assert!(values(text).is_empty(), "{text}");
        }
        assert_eq!(parse("A=1\nB='x\ny"), Err(2));
        assert_eq!(parse("A=\"x"), Err(1));
    }

    #[test]
    fn the_place_of_a_value_is_its_bytes_in_the_text() {
        let text = "A='1'\nexport B=\"2\" # two\nC=3 # three\n";
        let places: Vec<_> =
            parse(text).unwrap().into_iter().map(|found| &text[found.place]).collect();
        assert_eq!(places, ["'1'", "\"2\"", "3"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Rule L-02
        #[test]
        fn a_shell_and_this_parser_read_the_same_value(
            values in prop::collection::vec("[^\0\r]{0,24}|[ '\"\\\\$`!#\n\t=~*;&|<>()]{0,12}", 8)
        ) {
            let mut text = String::new();
            let mut print = String::new();
            for (index, value) in values.iter().enumerate() {
                let quote = if index % 2 == 0 { quote_for_shell } else { quote_for_dotenv };
                text += &format!("export V{index}={}\n", quote(value));
                print += &format!("printf '%s\\0' \"$V{index}\"\n");
            }
            let expected: Vec<_> = values.iter().map(String::as_str).collect();
            let parsed = parse(&text).unwrap();
            let parsed: Vec<_> = parsed.iter().map(|found| found.value.as_str()).collect();
            assert_eq!(parsed, expected);
            let shell = Command::new("sh").args(["-c", &(text + &print)]).output().unwrap();
            assert!(shell.status.success(), "{shell:?}");
            let printed = String::from_utf8(shell.stdout).unwrap();
            let printed: Vec<_> = printed.split_terminator('\0').collect();
            assert_eq!(printed, expected);
        }
    }
}
