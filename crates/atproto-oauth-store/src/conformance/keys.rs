//! Keys: which are apart, and which are refused.

use std::collections::BTreeSet;

use atproto_sansio::{Expect, StoreErrorKind};

use super::case::{Case, Outcome, ensure, secret};

/// Segments that a file system, a pattern or a collation may take for others.
const ODD: &[&str] = &[
    "a",
    "A",
    "ä",
    "Ä",
    "a\u{308}",
    "ß",
    "ss",
    "ı",
    "i",
    "I",
    "日本語",
    "🦋",
    "\u{200b}",
    "a\u{200b}",
    "a ",
    " a",
    "a.",
    ".",
    "..",
    "...",
    "~",
    "-",
    "--",
    "_",
    "%",
    "a_",
    "a%",
    "%2f",
    "..%2f..",
    "%00",
    "\\",
    "..\\a",
    ":",
    "*",
    "?",
    "<>|\"",
    "'",
    "''",
    "\"",
    "`",
    ";",
    "$a",
    "${a}",
    "{a}",
    "[a]",
    "(a)",
    "a,b",
    "a=b",
    "#",
    "&",
    "+",
    "CON",
    "nul",
    "con.txt",
    "a\tb",
    "a\nb",
    "a\r",
    "\u{7f}",
    "\u{1}",
    "0",
    "00",
    "null",
    "NULL",
    "did:web:example.com%3A8080",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

pub(super) async fn odd_segments_are_kept_apart(case: &Case<'_>) -> Outcome {
    let long = ["x".repeat(1800), "x".repeat(1799) + "y", "x".repeat(1799)];
    let mut keys: Vec<_> = ODD.iter().map(|segment| case.key(segment)).collect();
    keys.extend(long.iter().map(|segment| case.key(segment)));
    keys.extend(ODD.iter().map(|segment| case.key(&format!("{segment}/a"))));
    for (number, key) in keys.iter().enumerate() {
        case.write(key, number.to_string().as_bytes(), Expect::Absent)
            .await
            .map_err(|error| format!("key {number}, {}: {error}", tail(key)))?;
    }
    for (number, key) in keys.iter().enumerate() {
        let found = case.value(key).await?;
        let is_own = found == number.to_string().as_bytes();
        ensure!(is_own, "key {number}, {}, has the value of another key", tail(key));
    }
    keys.sort_unstable();
    let listed = case.keys(&case.prefix()).await?;
    let (saved, listed): (BTreeSet<_>, BTreeSet<_>) =
        (keys.iter().collect(), listed.iter().collect());
    if let Some(key) = saved.symmetric_difference(&listed).next() {
        return Err(format!("a listing lacks, or invents, the key that ends with {}", tail(key)));
    }
    for segment in ODD {
        let prefix = case.key(segment) + "/";
        let found = case.keys(&prefix).await?;
        ensure!(
            found == [format!("{prefix}a")],
            "the prefix that ends with {segment:?}/ has other keys"
        );
    }
    Ok(())
}

pub(super) async fn a_key_is_kept_whole_or_refused(case: &Case<'_>) -> Outcome {
    for size in [255, 256, 511, 512, 767, 768, 1023, 1024, 2047, 2048, 3071, 3072, 65_535, 65_536] {
        // Two keys that differ only at their end.
        let keys = ["a", "b"].map(|end| case.key(&("x".repeat(size) + end)));
        let mut are_kept = true;
        for key in &keys {
            match case.store().save(key, &secret(key.as_bytes()), Expect::Absent, None).await {
                Ok(_) => {}
                Err(error) => {
                    let kind = error.kind;
                    ensure!(
                        kind == StoreErrorKind::TooLarge && !error.maybe_applied,
                        "a segment of {size} bytes is refused with {kind:?} and not as too large"
                    );
                    are_kept = false;
                }
            }
        }
        ensure!(are_kept || size >= 255, "a segment of {size} bytes is refused");
        for key in keys.iter().filter(|_| are_kept) {
            let is_own = case.value(key).await? == key.as_bytes();
            ensure!(is_own, "a segment of {size} bytes has the value of another one");
        }
    }
    Ok(())
}

pub(super) async fn nul_is_kept_or_refused(case: &Case<'_>) -> Outcome {
    let keys = ["a\0b", "a\0c", "a\0", "a"].map(|segment| case.key(segment));
    for key in &keys {
        match case.store().save(key, &secret(key.as_bytes()), Expect::Absent, None).await {
            Ok(_) => {
                let is_own = case.value(key).await? == key.as_bytes();
                ensure!(is_own, "a key with NUL has the value of another key");
            }
            Err(error) => {
                let kind = error.kind;
                ensure!(key.contains('\0'), "a key without NUL is refused with {kind:?}");
                let is_clear = kind == StoreErrorKind::Invalid;
                ensure!(is_clear, "a key with NUL is refused with {kind:?} and not as malformed");
            }
        }
    }
    Ok(())
}

pub(super) async fn a_malformed_key_or_prefix_is_refused(case: &Case<'_>) -> Outcome {
    let own = case.prefix();
    for key in ["", "/", "/a", &own, &format!("{own}/a"), &format!("{own}a/"), &format!("/{own}a")]
    {
        let refused = [
            ("load", case.store().load(key).await.err()),
            ("save", case.store().save(key, &secret(b"1"), Expect::Any, None).await.err()),
            ("delete", case.store().delete(key, Expect::Any).await.err()),
        ];
        for (operation, error) in refused {
            let is_refused = error.is_some_and(|error| error.kind == StoreErrorKind::Invalid);
            ensure!(is_refused, "{operation} does not refuse a key with an empty segment");
        }
    }
    for prefix in ["/", "session", "/session/", &format!("{own}a"), &format!("{own}/")] {
        let error = case.store().list(prefix, None).await.err();
        let is_refused = error.is_some_and(|error| error.kind == StoreErrorKind::Invalid);
        ensure!(is_refused, "list does not refuse a prefix of parts of segments");
    }
    Ok(())
}

/// The last characters of a key, for the reason of a failure.
fn tail(key: &str) -> String {
    let odd = key.splitn(3, '/').nth(2).unwrap_or(key);
    format!("{:?}", odd.chars().take(80).collect::<String>())
}
