//! Bodies of replies: `@name` is the fixture `fixtures/name.json`; `@name {…}` is that fixture with
//! a merge patch (RFC 7396).

use std::path::Path;

use serde_json::Value;

/// Path of `tests/transcripts`, which has the transcripts and their fixtures.
pub fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"))
}

/// Returns the body for the body field of a `<` line; text without `@` is returned unchanged.
///
/// # Panics
///
/// Panics if the fixture does not exist, or if the patch is not JSON.
pub fn body(text: &str) -> String {
    let Some(fixture) = text.strip_prefix('@') else { return text.to_owned() };
    let (name, patch) = fixture.split_once(' ').unwrap_or((fixture, "{}"));
    let patch = serde_json::from_str(patch).unwrap_or_else(|error| panic!("{patch}: {error}"));
    let mut value = json(name);
    merge(&mut value, patch);
    value.to_string()
}

/// Reads the fixture `name`.
///
/// # Panics
///
/// Panics if the fixture does not exist or is not JSON.
pub fn json(name: &str) -> Value {
    let path = folder().join("fixtures").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("@{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("@{name}: {error}"))
}

/// Applies a JSON merge patch to `target` (RFC 7396 section 2).
fn merge(target: &mut Value, patch: Value) {
    match patch {
        Value::Object(members) => {
            if !target.is_object() {
                *target = Value::Object(serde_json::Map::new());
            }
            for (name, value) in members {
                match value {
                    Value::Null => drop(target.as_object_mut().unwrap().remove(&name)),
                    value => merge(&mut target[name], value),
                }
            }
        }
        patch => *target = patch,
    }
}
