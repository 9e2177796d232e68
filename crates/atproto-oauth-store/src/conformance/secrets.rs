//! Texts for people and logs: no key and no value in them.

use std::fmt::Debug;

use atproto_sansio::{Expect, StoreError};

use super::case::{Case, Outcome, ensure, secret};

const VALUE: &str = "topsecretvalue";

pub(super) async fn debug_shows_no_key_and_no_value(case: &Case<'_>) -> Outcome {
    for number in 0..150 {
        case.write(&case.key(&format!("{number}")), VALUE.as_bytes(), Expect::Absent).await?;
    }
    let record = case.load(&case.key("1")).await?;
    let page = case.store().list(&case.prefix(), None).await.map_err(|error| error.to_string())?;
    let entry = page.entries.first();
    let texts: [&dyn Debug; 3] = [&record, &page, &entry];
    for text in texts {
        check(case, &format!("{text:?}"))?;
    }
    Ok(())
}

pub(super) async fn errors_show_no_key_and_no_value(case: &Case<'_>) -> Outcome {
    let long = case.key(&"x".repeat(100_000));
    let large = secret(&VALUE.as_bytes().repeat(2_000_000));
    let malformed = case.key("a//b");
    let nul = case.key("a\0b");
    let deep = case.key(&"a/".repeat(200)) + "a";
    let mut errors: Vec<Option<StoreError>> = Vec::new();
    for key in [&long, &malformed, &nul, &deep] {
        errors.push(case.store().load(key).await.err());
        errors.push(case.store().save(key, &secret(b"1"), Expect::Any, None).await.err());
        errors.push(case.store().delete(key, Expect::Any).await.err());
        errors.push(case.store().list(&format!("{key}/"), None).await.err());
    }
    errors.push(case.store().save(&case.key("a"), &large, Expect::Any, None).await.err());
    let foreign = format!("no position {}", case.id);
    errors.push(case.store().list(&case.prefix(), Some(&foreign)).await.err());
    for error in errors.into_iter().flatten() {
        check(case, &format!("{error} {error:?}"))?;
    }
    case.delete(&case.key("a"), Expect::Any).await?;
    Ok(())
}

fn check(case: &Case<'_>, text: &str) -> Outcome {
    let has_value = text.contains(VALUE) || text.contains(&format!("{:?}", VALUE.as_bytes()));
    ensure!(!has_value, "a text for logs has a value in it");
    ensure!(!text.contains(&case.id), "a text for logs has a key in it");
    Ok(())
}
