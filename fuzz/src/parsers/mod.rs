//! One target for each parser of untrusted or stored data.

pub(crate) mod callback;
pub(crate) mod client;
pub(crate) mod dns;
pub(crate) mod documents;
pub(crate) mod headers;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod policy;
pub(crate) mod records;
pub(crate) mod tokens;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The bytes as text. Bytes that are not UTF-8 become U+FFFD, so that no input is wasted.
fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// Asserts that the JSON of a server that was accepted is UTF-8, and nested no deeper than 64.
fn assert_strict(json: &[u8]) {
    let json = std::str::from_utf8(json).expect("accepted JSON is UTF-8");
    let json = json.strip_prefix('\u{feff}').unwrap_or(json);
    let value: &RawValue = serde_json::from_str(json).expect("accepted JSON is well-formed");
    let mut level = vec![value];
    for _ in 0..64 {
        level = level.into_iter().flat_map(children).collect();
    }
    // Scalars may be one level deeper.
    assert!(level.into_iter().all(|value| !value.get().starts_with(['[', '{'])));
}

/// The elements of an array or the members of an object.
fn children(value: &RawValue) -> Vec<&RawValue> {
    let object = |text| serde_json::from_str::<BTreeMap<String, &RawValue>>(text).ok();
    let array = |text| serde_json::from_str(text).ok();
    let members = object(value.get()).map(|members| members.into_values().collect());
    members.or_else(|| array(value.get())).unwrap_or_default()
}
